package disclosure_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
)

// copyDir copies the index's files.
func copyDir(tb testing.TB, from, to string) {
	tb.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o600)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// A kill leaves a segment's file whole, or under another name, or not at all. A disk
// that lied leaves it cut anywhere, or with a bit turned: whatever is found, what the
// index answers is what the log says, or it is refused until it was made again.
func TestIndexSurvivesEveryCutAndFlip(t *testing.T) {
	ctx := context.Background()
	l, _ := bulk(t, 2*segment+200, 3)
	whole := t.TempDir()
	x := indexed(t, whole, l)
	want, err := x.Radius(ctx, disclosure.Query{})
	if err != nil {
		t.Fatal(err)
	}
	last := filepath.Join(whole, "00000001.seg")
	data, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	copyDir(t, whole, dir)
	name := filepath.Join(dir, "00000001.seg")

	// Cut at every byte of its head and its end, and here and there between: Open drops
	// it, and begins again behind the segment before.
	var cuts []int
	for n := range 172 { // the head
		cuts = append(cuts, n)
	}
	for n := range 40 {
		cuts = append(cuts, len(data)-1-n)
	}
	for n := 172; n < len(data)-40; n += len(data) / 50 {
		cuts = append(cuts, n)
	}
	for _, n := range cuts {
		if err := os.WriteFile(name, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := disclosure.Open(dir, l, disclosure.Segmented(segment))
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if covered, _ := x.Standing(); covered != segment {
			t.Fatalf("cut at %d: the index covers %d entries, want %d", n, covered, segment)
		}
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Fatalf("cut at %d: the file is still there", n)
		}
	}
	check := func(what string) {
		t.Helper()
		x, err := disclosure.Open(dir, l, disclosure.Segmented(segment))
		if err != nil {
			t.Fatal(err)
		}
		for tries := 0; ; tries++ {
			if err := x.Update(ctx); err != nil {
				t.Fatal(err)
			}
			got, err := x.Radius(ctx, disclosure.Query{})
			if err != nil && tries == 0 {
				continue // it was found out while answering, and is made again
			}
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if got, want := text(t, got), text(t, want); got != want {
				t.Fatalf("%s:\ngot  %s\nwant %s", what, got, want)
			}
			return
		}
	}
	check("after the last cut")
	for _, at := range []int{3, 20, 60, 100, 130, 150, 200, len(data) / 3, len(data) / 2} {
		flipped := append([]byte(nil), data...)
		flipped[at] ^= 4
		if err := os.WriteFile(name, flipped, 0o600); err != nil {
			t.Fatal(err)
		}
		check("a bit turned")
	}
	// What a kill leaves under another name is removed.
	if err := os.WriteFile(filepath.Join(dir, "00000002.seg.new"), data[:1000], 0o600); err != nil {
		t.Fatal(err)
	}
	// A segment beyond a gap is none.
	if err := os.WriteFile(filepath.Join(dir, "00000007.seg"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	check("leftovers")
	if names, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(names) != 2 {
		t.Errorf("got %v, want the two segments (%v)", names, err)
	}
}

// An index of another log, or of a longer one that was set back, is not used.
func TestIndexKnowsItsLog(t *testing.T) {
	ctx := context.Background()
	l, _ := bulk(t, segment+500, 1)
	other, _ := bulk(t, segment+500, 2)
	dir := t.TempDir()
	indexed(t, dir, l)
	x, err := disclosure.Open(dir, other, disclosure.Segmented(segment))
	if err != nil {
		t.Fatal(err)
	}
	if covered, _ := x.Standing(); covered != 0 {
		t.Errorf("the index of another log covers %d entries", covered)
	}
	if err := x.Update(ctx); err != nil {
		t.Fatal(err)
	}
	got, err := x.Radius(ctx, disclosure.Query{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := disclosuretest.Slow(ctx, other, other.Size(), disclosure.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, got), text(t, want[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	short, _ := bulk(t, 100, 1)
	if x, err = disclosure.Open(dir, short, disclosure.Segmented(segment)); err != nil {
		t.Fatal(err)
	}
	if covered, _ := x.Standing(); covered != 0 {
		t.Errorf("the index of a longer log covers %d entries of a shorter one", covered)
	}
}
