package disclosure_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// What the log says of a grant and of a vendor is what usage, inventory, rows,
// patients and attempts say.
func TestAnswersAreThoseOfTheLog(t *testing.T) {
	ctx := context.Background()
	l, _ := bulk(t, 3500, 4)
	x := indexed(t, t.TempDir(), l)
	vendor, grant := disclosuretest.Vendor(1), id.Grant("vendor-1-work-2-grant-0")
	since := began.Add(300 * 24 * time.Hour)

	intents := map[uint64]*audit.Intent{}
	var waiting []string
	usage := disclosure.Usage{Grant: grant, Since: since, Through: l.Size(), Types: map[string]uint64{}, Interactions: map[string]uint64{}, Shown: []disclosure.Shown{}}
	appeared, partly := map[[2]string]*big.Int{}, map[[2]string]bool{}
	patients, ofVendor := map[string]bool{}, map[string]bool{}
	list := sha256.New()
	var releases, listed []uint64
	var bytesOut, tried uint64
	err := l.Scan(ctx, 0, l.Size(), func(at uint64, e audit.Entry) error {
		ours := func(in *audit.Intent) bool { return in.Grant == grant && !e.Time.Before(since) }
		switch {
		case e.Patients != nil:
			waiting = append(waiting, e.Patients.Patients...)
			return nil
		case e.Intent != nil:
			intents[at] = e.Intent
			if e.Intent.Vendor == vendor && e.Time.After(since) {
				tried++
			}
			if ours(e.Intent) {
				usage.Decisions++
				usage.Interactions[e.Intent.Resource+"."+e.Intent.Action]++
				usage.LastUsed = e.Time
			}
		case e.Refusal != nil:
			if e.Refusal.Intent.Vendor == vendor && e.Time.After(since) {
				tried++
			}
			if ours(&e.Refusal.Intent) {
				usage.Refusals++
			}
		case e.Outcome != nil && e.Outcome.Result == audit.Released:
			in := intents[e.Outcome.Ticket]
			all := append(waiting, e.Outcome.Patients...)
			if ours(in) {
				usage.Releases++
				usage.Bytes += e.Outcome.Bytes
				usage.LastUsed = e.Time
				for _, c := range e.Outcome.Resources {
					usage.Types[c.Type] += c.N
					key := [2]string{hex.EncodeToString(in.ScopeDigest[:]), c.Type}
					if appeared[key] == nil {
						appeared[key] = new(big.Int)
					}
					if i := slices.IndexFunc(e.Outcome.Shown, func(s audit.TypeShown) bool { return s.Type == c.Type }); i < 0 {
						partly[key] = true
					} else if bits, ok := new(big.Int).SetString(e.Outcome.Shown[i].Bits, 16); ok {
						appeared[key].Or(appeared[key], bits)
					}
				}
				for _, p := range all {
					patients[p] = true
				}
			}
			if in.Vendor == vendor {
				listed = append(listed, at)
			}
			if in.Vendor == vendor && in.Action != "reveal" { // the owner's own people are told
				releases = append(releases, at)
				bytesOut += e.Outcome.Bytes
				fmt.Fprintf(list, "%x\n", e.Outcome.Digest)
				for _, p := range all {
					ofVendor[p] = true
				}
			}
		}
		waiting = nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	usage.Patients = uint64(len(patients))
	for key, bits := range appeared {
		s := disclosure.Shown{ScopeDigest: key[0], Type: key[1], Elements: []int{}, Partly: partly[key]}
		for i := range bits.BitLen() {
			if bits.Bit(i) == 1 {
				s.Elements = append(s.Elements, i)
			}
		}
		usage.Shown = append(usage.Shown, s)
	}
	slices.SortFunc(usage.Shown, func(a, b disclosure.Shown) int {
		return cmp.Or(cmp.Compare(a.ScopeDigest, b.ScopeDigest), cmp.Compare(a.Type, b.Type))
	})

	got, err := x.Usage(ctx, grant, since)
	if err != nil {
		t.Fatal(err)
	}
	if text(t, got) != text(t, usage) || usage.Releases == 0 || usage.Refusals == 0 || len(usage.Shown) < 2 {
		t.Errorf("usage:\ngot  %s\nwant %s", text(t, got), text(t, usage))
	}

	q := disclosure.Query{Vendors: []id.Vendor{vendor}}
	inventory, err := x.Inventory(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	if inventory.Releases != uint64(len(releases)) || inventory.Bytes != bytesOut || inventory.Patients != uint64(len(ofVendor)) ||
		inventory.List != hex.EncodeToString(list.Sum(nil)) || len(inventory.Engagements) != 4 || inventory.DataClass != hipaa.PHI {
		t.Errorf("inventory: got %+v, %s, want %d releases, %d bytes, %d patients", inventory.Total, inventory.List, len(releases), bytesOut, len(ofVendor))
	}
	n := uint64(0)
	for _, i := range inventory.Items {
		n += i.Releases
	}
	if n != inventory.Releases {
		t.Errorf("the items of the inventory have %d releases, want %d", n, inventory.Releases)
	}

	seen := map[string]bool{}
	if err := x.Patients(ctx, q, func(p string) error {
		if seen[p] {
			t.Errorf("%s came twice", p)
		}
		seen[p] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != len(ofVendor) {
		t.Errorf("got %d patients, want %d", len(seen), len(ofVendor))
	}
	for p := range ofVendor {
		if !seen[p] {
			t.Fatalf("%s is missing", p)
		}
	}

	var paged []uint64
	page := disclosure.Page{}
	for after := uint64(0); ; after = page.Next {
		if page, err = x.List(ctx, disclosure.Query{Vendors: q.Vendors, Through: page.Through}, after, 97, disclosure.Released); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Items {
			e, err := l.Entry(ctx, r.Index)
			if err != nil {
				t.Fatal(err)
			}
			o, in := e.Outcome, intents[e.Outcome.Ticket]
			if r.Release != o.Release || r.Decision != o.Decision || r.Digest != hex.EncodeToString(o.Digest[:]) || r.Bytes != o.Bytes || r.Ticket != o.Ticket ||
				r.Chunk != o.Chunk || (r.Sealed != nil) != (o.Sealed != nil) || len(r.Removed) != len(o.Removed) || len(r.Changed) != len(o.Changed) ||
				r.Person != in.Person || r.Grant != in.Grant || !slices.Equal(r.Clauses, in.Clauses) || !r.Time.Equal(e.Time) {
				t.Fatalf("row %d: got %+v, want %+v of %+v", r.Index, r, o, in)
			}
			paged = append(paged, r.Index)
		}
		if page.Next == 0 {
			break
		}
	}
	if !slices.Equal(paged, listed) {
		t.Errorf("the pages have %d rows, want %d", len(paged), len(listed))
	}

	first, attempts, err := x.Attempts(ctx, q, since, 10)
	if err != nil || attempts != tried || len(first) != 10 {
		t.Errorf("got %d attempts, %d of them listed, want %d and 10 (%v)", attempts, len(first), tried, err)
	}
	for _, format := range []disclosure.Format{disclosure.CSV, disclosure.Lines} {
		var out bytes.Buffer
		if err := x.Export(ctx, q, &out, format, disclosure.Released); err != nil {
			t.Fatal(err)
		}
		for p := range ofVendor {
			if strings.Contains(out.String(), p) {
				t.Fatalf("the export names a patient's pseudonym")
			}
		}
		lines := strings.Count(out.String(), "\n")
		if format == disclosure.CSV {
			rows, err := csv.NewReader(&out).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			lines = len(rows) - 1
		}
		if lines != len(listed) {
			t.Errorf("%s: got %d lines, want %d", format, lines, len(listed))
		}
	}
}

// The dead-man check finds one attempt after an end, permitted or refused, and none
// where there was none.
func TestAttemptsFindWhatWasPlanted(t *testing.T) {
	ctx := context.Background()
	clock := disclosuretest.NewClock(began)
	l := openLog(t, t.TempDir(), clock)
	x := indexed(t, t.TempDir(), l)
	q := disclosure.Query{Vendors: []id.Vendor{"northwind"}}
	refuse := func(v id.Vendor) {
		t.Helper()
		if _, err := l.Refuse(ctx, audit.Refusal{Intent: audit.Intent{Decision: id.New[id.Decision](clock.Now()), Vendor: v}, Failing: []audit.Failing{{Gate: "vendor", Reason: "ended"}}}); err != nil {
			t.Fatal(err)
		}
		if err := x.Update(ctx); err != nil {
			t.Fatal(err)
		}
	}
	refuse("northwind")
	end := clock.Now()
	clock.Advance(time.Hour)
	refuse("another")
	if _, n, err := x.Attempts(ctx, q, end, 10); n != 0 || err != nil {
		t.Errorf("got %d attempts (%v), want none: the first was at the end itself, the other another's", n, err)
	}
	refuse("northwind")
	first, n, err := x.Attempts(ctx, q, end, 10)
	if err != nil || n != 1 || first[0].Failing[0] != (disclosure.FailedGate{Gate: "vendor", Reason: "ended"}) {
		t.Errorf("got %d attempts, %+v (%v), want the planted one", n, first, err)
	}
}

// Run keeps up with a log that is being written, and whoever asks sees everything
// that was in the log when they asked.
func TestRunFollowsTheLog(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	clock := disclosuretest.NewClock(began)
	l := openLog(t, t.TempDir(), clock)
	x, err := disclosure.Open(t.TempDir(), l, disclosure.Segmented(segment))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	defer stop()
	group.Go(func() { x.Run(ctx) })
	group.Go(func() {
		if err := disclosuretest.Write(ctx, l, clock, disclosuretest.Plan{Seed: 5, Entries: 2000, Patients: 500, Span: time.Hour}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	for range 30 {
		size := l.Size()
		r, err := x.Radius(ctx, disclosure.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if r.Query.Through < size {
			t.Fatalf("the answer covers %d entries, and there were %d", r.Query.Through, size)
		}
		time.Sleep(2 * time.Millisecond)
	}
	x.Rebuild()
	if _, err := x.Radius(ctx, disclosure.Query{}); err != nil {
		t.Errorf("after it was made again: %v", err)
	}
}

func TestQueriesThatCannotBeMeant(t *testing.T) {
	ctx := context.Background()
	l, clock := bulk(t, 100, 6)
	x := indexed(t, t.TempDir(), l)
	for name, q := range map[string]disclosure.Query{
		"ends before it begins": {Since: clock.Now(), Until: began},
		"no id":                 {Vendors: []id.Vendor{"a b"}},
		"empty id":              {Engagements: []id.Engagement{""}},
		"beyond the log":        {Through: l.Size() + 1},
	} {
		if _, err := x.Radius(ctx, q); err == nil {
			t.Errorf("%s: was answered", name)
		}
	}
	if err := x.Rows(ctx, disclosure.Query{}, 0, func(disclosure.Row) error { return nil }, "everything"); err == nil {
		t.Error("an unknown kind was answered")
	}
	if err := x.Export(ctx, disclosure.Query{}, new(bytes.Buffer), "xlsx"); err == nil {
		t.Error("an unknown format was answered")
	}
}
