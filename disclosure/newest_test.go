package disclosure_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
	"github.com/sallyport/sallyport/id"
)

// Pages from the newest on hold what the rows of the log are, backwards, whatever is
// asked and however small the pages are.
func TestNewestIsTheLogBackwards(t *testing.T) {
	ctx := context.Background()
	l, _ := bulk(t, 9000, 11)
	x := indexed(t, t.TempDir(), l)
	r := rand.New(rand.NewPCG(3, 3))
	hold := func(row disclosure.Row) bool {
		return slices.ContainsFunc(row.Failing, func(g disclosure.FailedGate) bool { return g.Gate == "training" })
	}
	for i := range 30 {
		q := randomQuery(r, l.Size())
		var keep func(disclosure.Row) bool
		if i%3 == 1 {
			keep = hold
		}
		var want []uint64
		if err := x.Rows(ctx, q, 0, func(row disclosure.Row) error {
			if keep == nil || keep(row) {
				want = append(want, row.Index)
			}
			return nil
		}, disclosure.Permitted, disclosure.Refused); err != nil {
			t.Fatal(err)
		}
		slices.Reverse(want)
		var got []uint64
		limit, pages := 1+r.IntN(400), 0
		for ask := q; ; {
			page, err := x.Newest(ctx, ask, limit, keep, disclosure.Permitted, disclosure.Refused)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Items) > limit {
				t.Fatalf("a page of %d has %d rows", limit, len(page.Items))
			}
			for _, row := range page.Items {
				got = append(got, row.Index)
			}
			if pages++; page.Next == 0 || pages > 10_000 {
				break
			}
			ask.Through = page.Next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v, pages of %d: got %d rows, want %d", q, limit, len(got), len(want))
		}
	}
}

// A question that nothing fits looks at a bounded part of the log, and says from where
// to go on.
func TestNewestIsBounded(t *testing.T) {
	ctx := context.Background()
	clock := disclosuretest.NewClock(began)
	l := openLog(t, t.TempDir(), clock)
	if err := disclosuretest.Write(ctx, l, clock, disclosuretest.Plan{Seed: 2, Entries: 2000, Patients: 50, Span: 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	x, err := disclosure.Open(t.TempDir(), l, disclosure.Segmented(64))
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Update(ctx); err != nil {
		t.Fatal(err)
	}
	none := func(disclosure.Row) bool { return false }
	asked, last := 0, l.Size()
	for q := (disclosure.Query{}); ; asked++ {
		page, err := x.Newest(ctx, q, 10, none)
		if err != nil || len(page.Items) != 0 {
			t.Fatalf("got %d rows, %v", len(page.Items), err)
		}
		if page.Next == 0 {
			break
		}
		if page.Next >= last {
			t.Fatalf("it goes on at %d after %d", page.Next, last)
		}
		q.Through, last = page.Next, page.Next
	}
	if asked == 0 {
		t.Error("the whole log was looked at for one question")
	}
	if _, err := x.Newest(ctx, disclosure.Query{Vendors: []id.Vendor{"a b"}}, 10, nil); err == nil {
		t.Error("what is no id was answered")
	}
	if _, err := x.Newest(ctx, disclosure.Query{}, 10, nil, "everything"); err == nil {
		t.Error("an unknown kind was answered")
	}
}
