package console

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
)

// How the log grew is what counting its entries by day says, also after it went on
// growing, and after a day on which nothing was written.
func TestTheLogsGrowthIsItsEntriesByDay(t *testing.T) {
	ctx := context.Background()
	signer, verifier, err := disclosuretest.Key()
	if err != nil {
		t.Fatal(err)
	}
	clock := disclosuretest.NewClock(time.Date(2026, 3, 1, 22, 0, 0, 0, time.UTC))
	l, err := audit.Open(audit.Options{FS: disclosuretest.Unsynced(t.TempDir()), Origin: disclosuretest.Origin, Signer: signer, Verifier: verifier, Now: clock.Now, Interval: 5 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := newLogGrowth(&server{Config: Config{Log: l, Now: clock.Now, Logger: slog.New(slog.DiscardHandler)}})
	if _, ready := g.Days(clock.Now(), 0, 30); ready {
		t.Error("nobody has looked, and it is ready")
	}
	for turn, span := range []time.Duration{9 * 24 * time.Hour, 5 * time.Hour, 0, 3 * 24 * time.Hour} {
		if span == 0 {
			clock.Advance(4 * 24 * time.Hour) // nothing is written
		} else if err := disclosuretest.Write(ctx, l, clock, disclosuretest.Plan{Seed: uint64(turn), Entries: 600, Patients: 20, Span: span}); err != nil {
			t.Fatal(err)
		}
		if err := g.turn(ctx); err != nil {
			t.Fatal(err)
		}
		want := map[int64]uint64{}
		if err := l.Scan(ctx, 0, l.Size(), func(_ uint64, e audit.Entry) error { want[dayOf(e.Time)]++; return nil }); err != nil {
			t.Fatal(err)
		}
		days, ready := g.Days(clock.Now(), l.Size(), 30)
		if !ready || len(days) != 30 || days[29].Size != l.Size() {
			t.Fatalf("turn %d: %d days, ready %v", turn, len(days), ready)
		}
		var sum uint64
		for _, d := range days {
			if sum += d.Added; d.Added != want[dayOf(d.Day)] || d.Size != sum {
				t.Errorf("turn %d, %s: got %d and %d in all, want %d and %d", turn, d.Day.Format(time.DateOnly), d.Added, d.Size, want[dayOf(d.Day)], sum)
			}
		}
		if sum != l.Size() {
			t.Errorf("turn %d: the days have %d entries, the log %d", turn, sum, l.Size())
		}
	}
}
