package server

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// refusals counts what would be in the log.
type refusals map[id.Person]int

func (r refusals) Refuse(_ context.Context, x audit.Refusal) (uint64, error) {
	r[x.Intent.Person]++
	return 0, nil
}

// A program that nobody has switched off, and one who holds many credentials, do not fill
// the log, nor the memory.
func TestKnocksAreBounded(t *testing.T) {
	now := time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)
	log := refusals{}
	s := &Server{o: Options{Logger: slog.New(slog.DiscardHandler)}}
	k := &knocks{log: log, s: s, view: func() *snapshot.View { return new(snapshot.View) }, now: func() time.Time { return now }, last: map[snapshot.Subject]time.Time{}}
	knock := func(who string) {
		k.note(t.Context(), snapshot.Subject{Noun: snapshot.NounLink, ID: who}, audit.Intent{Person: id.Person(who)})
	}
	for range 3 * 60 * 10 { // ten a second, three minutes long
		knock("a")
		knock("b")
		now = now.Add(100 * time.Millisecond)
	}
	if log["a"] != 3 || log["b"] != 3 {
		t.Errorf("of 1800 attempts each in three minutes the log has %d and %d, want one a minute", log["a"], log["b"])
	}
	// A clock that goes back does not silence them.
	now = now.Add(-time.Hour)
	if knock("a"); log["a"] != 4 {
		t.Errorf("after the clock went back: %d", log["a"])
	}
	now = now.Add(2 * time.Hour)
	for i := range 5 * maxKnocks {
		knock(fmt.Sprint("many-", i))
	}
	if n := len(k.last); n > maxKnocks {
		t.Errorf("%d are remembered, want at most %d", n, maxKnocks)
	}
	if noted := len(log) - 2; noted != maxKnocks {
		t.Errorf("%d of many were noted in a minute, want %d", noted, maxKnocks)
	}
	now = now.Add(time.Minute)
	if knock("late"); log["late"] != 1 || len(k.last) != 1 {
		t.Errorf("a minute later: noted %d times, %d are remembered", log["late"], len(k.last))
	}
}

// Each node looks once a day, for a year, and for as long as the parting is not complete.
func TestWhenTheDeadManCheckIsDue(t *testing.T) {
	t.Parallel()
	begun := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		o    snapshot.Offboarding
		at   time.Duration
		want bool
	}{
		{"just begun", snapshot.Offboarding{}, time.Minute, false},
		{"a day less a second", snapshot.Offboarding{}, 24*time.Hour - time.Second, false},
		{"a day", snapshot.Offboarding{}, 24 * time.Hour, true},
		{"looked an hour ago", snapshot.Offboarding{Looked: map[string]snapshot.Look{"n1": {At: begun.Add(47 * time.Hour)}}}, 48 * time.Hour, false},
		{"another node looked an hour ago", snapshot.Offboarding{Looked: map[string]snapshot.Look{"n2": {At: begun.Add(47 * time.Hour)}}}, 48 * time.Hour, true},
		{"complete, within the year", snapshot.Offboarding{CompletedAt: begun.Add(time.Hour)}, 365 * 24 * time.Hour, true},
		{"complete, after it", snapshot.Offboarding{CompletedAt: begun.Add(time.Hour)}, 365*24*time.Hour + time.Second, false},
		{"not complete, years later", snapshot.Offboarding{}, 5 * 365 * 24 * time.Hour, true},
		{"a clock that went back", snapshot.Offboarding{}, -time.Hour, false},
	} {
		c.o.BegunAt = begun
		if got := attemptsDue(&c.o, "n1", begun.Add(c.at)); got != c.want {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
}
