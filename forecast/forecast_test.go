package forecast_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

var now = time.Date(2028, 1, 31, 12, 0, 0, 0, time.UTC) // before a leap day

const day = 24 * time.Hour

func engine(t testing.TB) *policy.Engine {
	t.Helper()
	e, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// world is the one in which every gate opens, changed by edit.
func world(edit func(r snapshot.Record), more ...snapshot.Record) *snapshot.View {
	records := gatetest.Records(now)
	for _, r := range records {
		if edit != nil {
			edit(r)
		}
	}
	return gatetest.Publish(now, gatetest.Settings(), append(records, more...)...)
}

func brief(stops []forecast.Stop) string {
	var out []string
	for _, s := range stops {
		out = append(out, fmt.Sprintf("%s %s/%s %s", s.At.Format(time.DateOnly), s.Kind, s.Gate, s.Subject.ID))
	}
	return strings.Join(out, "\n")
}

func TestWhatStopsIfNobodyActs(t *testing.T) {
	e := engine(t)
	for _, tt := range []struct {
		name  string
		edit  func(snapshot.Record)
		more  []snapshot.Record
		until time.Duration
		want  string
	}{
		{name: "nothing in a month", until: 30 * day, want: ""},
		{name: "a training", until: 30 * day, edit: func(r snapshot.Record) {
			if x, ok := r.(*snapshot.Training); ok {
				x.ExpiresAt = now.Add(29 * day)
			}
		}, want: "2028-02-29 stop/training pat-vendor"},
		{name: "not beyond the time looked at", until: 28 * day, edit: func(r snapshot.Record) {
			if x, ok := r.(*snapshot.Training); ok {
				x.ExpiresAt = now.Add(29 * day)
			}
		}, want: ""},
		{name: "a review, and later the agreement", until: 90 * day, edit: func(r snapshot.Record) {
			switch x := r.(type) {
			case *snapshot.Review:
				x.DueAt = now.Add(10 * day)
			case *snapshot.Agreement:
				if x.ID == gatetest.BAA {
					x.EndsAt = now.Add(60 * day)
				}
			}
		}, want: "2028-02-10 stop/review triage-review\n2028-03-31 stop/agreement northwind-baa"},
		{name: "a renewed training mends itself, and a suspended vendor's grant runs no more", until: 90 * day, edit: func(r snapshot.Record) {
			if x, ok := r.(*snapshot.Vendor); ok {
				x.State = snapshot.Suspended
			}
			if x, ok := r.(*snapshot.Training); ok {
				x.ExpiresAt = now.Add(day)
			}
		}, want: ""},
		{name: "what is due and stops nothing", until: 90 * day, more: []snapshot.Record{
			&snapshot.Questionnaire{ID: "q1", Vendor: gatetest.Vendor, Stage: snapshot.QuestionsSent, DueAt: now.Add(5 * day)},
			&snapshot.Questionnaire{ID: "q2", Vendor: gatetest.Vendor, Stage: snapshot.QuestionsClosed, DueAt: now.Add(5 * day)},
			&snapshot.Request{ID: "r1", Vendor: gatetest.Vendor, Stage: snapshot.RequestOpen, ExpiresAt: now.Add(6 * day)},
			&snapshot.Campaign{ID: "c1", DueAt: now.Add(7 * day)},
			&snapshot.Emergency{ID: "m1", ReportedAt: now},
			&snapshot.Offboarding{ID: "o1", Vendor: gatetest.Vendor, DueAt: now.Add(8 * day),
				Dispositions: map[snapshot.DataForm]snapshot.Disposition{snapshot.VendorBackups: {Outcome: snapshot.Infeasible, ReviewAt: now.Add(9 * day)}}},
			&snapshot.Incident{ID: "i1", OpenedAt: now, DiscoveredAt: now, ReportedAt: now, Corrections: []snapshot.Correction{{DueAt: now.Add(10 * day)}, {DueAt: now.Add(10 * day), DoneAt: now}}},
		}, want: "2028-02-01 emergency/ m1\n2028-02-05 questionnaire/ q1\n2028-02-06 request/ r1\n2028-02-07 campaign/ c1\n2028-02-08 attestation/ o1\n2028-02-09 infeasible-form/ o1\n2028-02-10 correction/ i1\n2028-02-29 correction/ i1\n2028-03-31 incident-notice/ i1\n2028-03-31 incident-notice/ i1\n2028-03-31 incident-notice/ i1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stops := forecast.Of(e, world(tt.edit, tt.more...), now, now.Add(tt.until))
			if got := brief(stops); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			for _, s := range stops {
				if s.Message == "" || s.Next == "" || s.Who == "" || s.Citation.Text == "" {
					t.Errorf("%s %s says too little: %+v", s.Kind, s.Subject.ID, s)
				}
				if s.Kind == forecast.Stops && (len(s.Grants) == 0 || len(s.Engagements) == 0 || s.Vendor == "") {
					t.Errorf("the stop of %s does not say whose data stops", s.Gate)
				}
			}
		})
	}
}

// TestItTellsWhatTheDecisionWillSay compares each stop with the decision a moment
// before and at its time.
func TestItTellsWhatTheDecisionWillSay(t *testing.T) {
	e := engine(t)
	v := world(nil)
	stops := forecast.Of(e, v, now, now.AddDate(1, 0, 0))
	if len(stops) < 5 {
		t.Fatalf("only %d stops in a world in which everything ends:\n%s", len(stops), brief(stops))
	}
	ask := func(at time.Time) []string {
		var gates []string
		_, refusal := e.Decide(gatetest.Request(v.Confirm(at), at))
		if refusal != nil {
			gates = refusal.Gates()
		}
		return slices.DeleteFunc(gates, func(g string) bool { return g == "posture" })
	}
	for _, s := range stops {
		if s.Kind != forecast.Stops {
			continue
		}
		if got := ask(s.At); !slices.Contains(got, s.Gate) {
			t.Errorf("at %s the decision refuses by %v, and not by %s", s.At, got, s.Gate)
		}
		if got := ask(s.At.Add(-time.Millisecond)); slices.Contains(got, s.Gate) {
			t.Errorf("a moment before %s the decision refuses by %s already", s.At, s.Gate)
		}
	}
}

// TestARenewedPaperIsMended looks back: what lapsed and was renewed is told apart
// from what is shut still.
func TestARenewedPaperIsMended(t *testing.T) {
	e := engine(t)
	edit := func(r snapshot.Record) {
		if x, ok := r.(*snapshot.Training); ok {
			x.ExpiresAt = now.Add(-5 * day)
		}
	}
	stops := forecast.Of(e, world(edit), now.AddDate(-1, 0, 0), now)
	if len(stops) != 1 || stops[0].Gate != "training" || !stops[0].Mended.IsZero() {
		t.Errorf("got %+v, want a training that is shut", stops)
	}
	stops = forecast.Of(e, world(edit, &snapshot.Training{ID: "again", Person: gatetest.Person, Course: gatetest.Course, Version: "2026.2", Passed: true,
		CompletedAt: now.Add(-2 * day), ExpiresAt: now.AddDate(1, 0, 0)}), now.AddDate(-1, 0, 0), now)
	if len(stops) != 1 || !stops[0].Mended.Equal(now.Add(-2*day)) {
		t.Errorf("got %+v, want a training mended two days ago", stops)
	}
}

// BenchmarkOf forecasts 90 days of 10,000 grants of 500 people.
func BenchmarkOf(b *testing.B) {
	e := engine(b)
	records := gatetest.Records(now)
	const grants, people = 10_000, 500
	for i := range people {
		p := id.Person(fmt.Sprintf("p%d", i))
		records = append(records, &snapshot.Person{ID: p, Vendor: gatetest.Vendor, Classification: "business-associate", Basis: "employed", Region: "US-MA", Approval: gatetest.Approved(now)},
			&snapshot.Training{ID: id.Training("t" + p), Person: p, Course: gatetest.Course, Version: "2026.2", Passed: true,
				CompletedAt: now.Add(-day), ExpiresAt: now.Add(time.Duration(i%180) * day)})
	}
	for i := range grants {
		g := id.Grant(fmt.Sprintf("g%d", i))
		records = append(records, &snapshot.Grant{ID: g, Engagement: gatetest.Engagement, App: gatetest.App, Person: id.Person(fmt.Sprintf("p%d", i%people)),
			Devices: []id.Device{gatetest.Device}, Role: gatetest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll},
			StartsAt: now.Add(-day), EndsAt: now.Add(time.Duration(30+i%300) * day), MaxPatients: 1, MaxDailyBytes: 1, Approval: gatetest.Approved(now)},
			&snapshot.Review{ID: id.Review("r" + g), Grant: g, DueAt: now.Add(time.Duration(i%90) * day)})
	}
	v := gatetest.Publish(now, gatetest.Settings(), records...)
	var stops int
	for b.Loop() {
		stops = len(forecast.Of(e, v, now, now.Add(90*day)))
	}
	b.ReportMetric(float64(stops), "stops")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/grants, "µs/grant")
}

// TestTheCalendar holds the feed to RFC 5545: lines, folding, escaping, stable names.
func TestTheCalendar(t *testing.T) {
	stops := forecast.Of(engine(t), world(nil), now, now.AddDate(1, 0, 0))
	got := string(forecast.Calendar(stops, "gateway.example.org", now))
	if strings.Count(got, "BEGIN:VEVENT\r\n") != len(stops) || !strings.HasPrefix(got, "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") || !strings.HasSuffix(got, "END:VCALENDAR\r\n") {
		t.Fatalf("this is no calendar:\n%s", got)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(got, "\r\n"), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("the line is of %d octets: %q", len(line), line)
		}
	}
	whole := strings.ReplaceAll(got, "\r\n ", "")
	uids := map[string]bool{}
	for line := range strings.SplitSeq(whole, "\r\n") {
		if uid, ok := strings.CutPrefix(line, "UID:"); ok {
			if uids[uid] || !strings.HasSuffix(uid, "@gateway.example.org") {
				t.Errorf("the event's name %s is not its own", uid)
			}
			uids[uid] = true
		}
	}
	if later := string(forecast.Calendar(stops, "gateway.example.org", now.Add(time.Hour))); strings.ReplaceAll(later, "20280131T130000Z", "20280131T120000Z") != got {
		t.Error("an hour later the same dates are other events")
	}
	odd := forecast.Stop{At: now, Kind: forecast.Stops, Message: "a, b; c\\\nd " + strings.Repeat("é", 90), Subject: snapshot.Subject{Noun: "grant", ID: "x"}}
	if got := strings.ReplaceAll(string(forecast.Calendar([]forecast.Stop{odd}, "h", now)), "\r\n ", ""); !strings.Contains(got, `a\, b\; c\\\nd `+strings.Repeat("é", 90)) {
		t.Errorf("what has a meaning is not escaped: %s", got)
	}
}

// TestForesightIsTheDecision takes each record away in turn, and looks at several times:
// what is foreseen by the gates' reasons is what Cedar decides, and so is it with a
// policy of the site's own, which has no reasons.
func TestForesightIsTheDecision(t *testing.T) {
	site := fstest.MapFS{"own.cedar": {Data: []byte(`@id("own")
@message("Not this device")
@next("Use another")
forbid (principal, action, resource) when { principal.device.state == "approved" && context.now > datetime("2028-06-01") };`)}}
	own, err := policy.New(gate.All, site)
	if err != nil {
		t.Fatal(err)
	}
	differing := 0
	for _, e := range []*policy.Engine{engine(t), own} {
		for drop := range len(gatetest.Records(now)) + 1 {
			records := gatetest.Records(now)
			if drop < len(records) {
				records = slices.Delete(records, drop, drop+1)
			}
			v := gatetest.Publish(now, gatetest.Settings(), records...)
			for _, at := range []time.Time{now.AddDate(-1, 0, 0), now, now.Add(3 * day), now.AddDate(0, 5, 0), now.AddDate(0, 7, 0), now.AddDate(2, 0, 0)} {
				r := gatetest.Request(v.Confirm(at), at)
				var want []string
				if _, refusal := e.Decide(r); refusal != nil {
					want = refusal.Gates()
				}
				got := e.Foresee(r)
				if !slices.Equal(got.Gates, want) {
					t.Errorf("without record %d at %s: foreseen %v, decided %v", drop, at.Format(time.DateOnly), got.Gates, want)
				}
				if (len(got.Failures()) == 0) != (len(want) == 0) {
					t.Errorf("without record %d at %s: %d failures for the gates %v", drop, at.Format(time.DateOnly), len(got.Failures()), want)
				}
				if len(want) > 0 {
					differing++
				}
			}
		}
	}
	if differing < 50 {
		t.Errorf("only %d refusals were compared", differing)
	}
}
