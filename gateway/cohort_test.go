package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	_ "time/tzdata" // the test is the same on a machine without zone data

	"github.com/sallyport/sallyport/snapshot"
)

// Who is in a Group only from tomorrow, or was until an hour ago, is not in it now.
func TestPeriodOfMembership(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 8, 23, 30, 0, 0, zone) // 9 March in UTC, on the day on which the clocks change
	for _, c := range []struct {
		period
		want bool
	}{
		{period{}, true},
		{period{End: "2026-03-08"}, true},
		{period{End: "2026-03-07"}, false},
		{period{End: "2026-03"}, true},
		{period{End: "2026-02"}, false},
		{period{End: "2026"}, true},
		{period{End: "2025"}, false},
		{period{End: "2026-03-08T22:30:00-04:00"}, false},
		{period{End: "2026-03-09T03:30:00Z"}, true}, // this very second
		{period{End: "2026-03-09T03:29:58.999Z"}, false},
		{period{Start: "2026-03-09"}, false},
		{period{Start: "2026-03-08", End: "2026-03-08"}, true},
		{period{Start: "2027"}, false},
		{period{Start: "2026-03-08T23:31:00-04:00"}, false},
		{period{Start: "2026-03-08T23:30:00-04:00"}, true},
		{period{Start: "soon"}, false},
		{period{End: "never"}, false},
		{period{End: "2026-02-30"}, false},
		{period{End: "99999"}, false},
	} {
		if got := c.holds(now, zone); got != c.want {
			t.Errorf("%+v: got %t, want %t", c.period, got, c.want)
		}
	}
}

// Who waits for a slow source to say who is in a cohort is freed when their own time is
// over, and does not wait for that of whoever asked first.
func TestWaitingForACohortEnds(t *testing.T) {
	asked, done := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-done
	}))
	defer srv.Close()
	s, err := NewSource(SourceConfig{ID: "ehr", BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	g := &Gateway{Config: Config{Now: time.Now, CohortLife: time.Minute}}
	cohort := snapshot.Cohort{Kind: snapshot.CohortSearch, Ref: "Patient?active=true"}
	first := make(chan error, 1)
	go func() {
		_, err := g.membership(t.Context(), s, cohort)
		first <- err
	}()
	<-asked
	second := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := g.membership(ctx, s, cohort)
		second <- err
	}()
	select {
	case err := <-second:
		if err == nil {
			t.Error("a source that said nothing named a cohort")
		}
	case <-time.After(time.Minute):
		t.Error("the second still waits, though its time is over")
	}
	close(done)
	if err := <-first; err == nil {
		t.Error("an empty answer named a cohort")
	}
}
