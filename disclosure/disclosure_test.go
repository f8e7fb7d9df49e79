package disclosure_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
	"github.com/sallyport/sallyport/id"
)

// segment is how many entries a segment covers in these tests.
const segment = 2048

var began = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// openLog opens a log of the seeded writer at dir.
func openLog(tb testing.TB, dir string, clock *disclosuretest.Clock) *audit.Log {
	tb.Helper()
	s, v, err := disclosuretest.Key()
	if err != nil {
		tb.Fatal(err)
	}
	l, err := audit.Open(audit.Options{FS: disclosuretest.Unsynced(dir), Origin: disclosuretest.Origin, Signer: s, Verifier: v, Now: clock.Now, Interval: 5 * time.Millisecond})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return l
}

// bulk is a log with about so many entries.
func bulk(tb testing.TB, entries uint64, seed uint64) (*audit.Log, *disclosuretest.Clock) {
	tb.Helper()
	clock := disclosuretest.NewClock(began)
	l := openLog(tb, tb.TempDir(), clock)
	if err := disclosuretest.Write(context.Background(), l, clock, disclosuretest.Plan{Seed: seed, Entries: entries, Patients: 6000, Span: 2 * 365 * 24 * time.Hour}); err != nil {
		tb.Fatal(err)
	}
	return l, clock
}

// indexed is an index that is with its log.
func indexed(tb testing.TB, dir string, l *audit.Log) *disclosure.Index {
	tb.Helper()
	x, err := disclosure.Open(dir, l, disclosure.Segmented(segment))
	if err != nil {
		tb.Fatal(err)
	}
	if err := x.Update(context.Background()); err != nil {
		tb.Fatal(err)
	}
	return x
}

// some is part of a list, or all, or one that nobody has.
func some[T any](r *rand.Rand, list []T) []T {
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return list[r.IntN(len(list)):]
	}
	return []T{list[r.IntN(len(list))]}
}

func randomQuery(r *rand.Rand, size uint64) disclosure.Query {
	q := disclosure.Query{}
	if r.IntN(2) == 0 {
		q.Vendors = some(r, []id.Vendor{disclosuretest.Vendor(0), disclosuretest.Vendor(1), "nobody"})
	}
	if r.IntN(2) == 0 {
		q.Engagements = some(r, []id.Engagement{disclosuretest.Engagement(0, 0), disclosuretest.Engagement(0, 1), disclosuretest.Engagement(2, 3)})
	}
	switch r.IntN(5) {
	case 0:
		q.Persons = some(r, []id.Person{"vendor-0-person-1", "vendor-1-person-5"})
	case 1:
		q.Devices = some(r, []id.Device{"vendor-0-work-0-device-1", "vendor-2-work-3-device-4"})
	case 2:
		q.Grants = some(r, []id.Grant{"vendor-0-work-1-grant-1"})
	case 3:
		q.Sources = []id.Source{"source-1"}
	}
	if r.IntN(2) == 0 {
		q.Since = began.Add(time.Duration(r.Int64N(int64(2 * 365 * 24 * time.Hour))))
	}
	if r.IntN(2) == 0 {
		q.Until = began.Add(time.Duration(r.Int64N(int64(3 * 365 * 24 * time.Hour))))
	}
	if !q.Until.IsZero() && !q.Since.Before(q.Until) {
		q.Until = time.Time{}
	}
	if r.IntN(3) == 0 {
		q.Through = 1 + r.Uint64N(size)
	}
	return q
}

// What the index answers is what a slow recomputation from the log says, whatever is
// asked; after it was opened again and after it was made again, too.
func TestRadiusEqualsARecomputationFromTheLog(t *testing.T) {
	ctx := context.Background()
	l, _ := bulk(t, 20_000, 1)
	dir := t.TempDir()
	x := indexed(t, dir, l)
	r := rand.New(rand.NewPCG(7, 7))
	queries := []disclosure.Query{{}}
	for range 24 {
		queries = append(queries, randomQuery(r, l.Size()))
	}
	want, err := disclosuretest.Slow(ctx, l, l.Size(), queries...)
	if err != nil {
		t.Fatal(err)
	}
	if w := want[0]; w.Patients < 1000 || w.Incomplete == 0 || w.Withheld == 0 || len(w.Forms) < 4 || w.Unsealed.Releases == w.Releases {
		t.Fatalf("the log lacks what is to be tested: %+v", w)
	}
	check := func(what string, x *disclosure.Index) {
		t.Helper()
		for i, q := range queries {
			got, err := x.Radius(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := text(t, got), text(t, want[i]); got != want {
				t.Fatalf("%s: %+v:\ngot  %s\nwant %s", what, q, got, want)
			}
		}
	}
	check("made in one go", x)
	check("opened again", indexed(t, dir, l))
	x.Rebuild()
	if _, err := x.Radius(canceled(), queries[0]); err == nil {
		t.Error("an index that is being made answered")
	}
	if err := x.Update(ctx); err != nil {
		t.Fatal(err)
	}
	check("made again", x)
}

func text(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
