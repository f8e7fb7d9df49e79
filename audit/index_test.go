package audit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/faultfs"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/id"
)

// TestIndexFindsAndIsMadeAgain fills more than two groups of the index, looks up
// decisions and acts, and does so again after the index was removed and after one
// file of it was damaged.
func TestIndexFindsAndIsMadeAgain(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	l := openDir(t, dir)
	const n = 34_000
	decisions := make([]id.Decision, n)
	made := time.Now()
	var last *audit.Pending
	for i := range n {
		if i%1000 == 999 {
			decisions[i] = decisions[i-7] // a decision with two entries
			if _, err := l.Append(ctx, act(i)); err != nil {
				t.Fatal(err)
			}
		} else {
			decisions[i] = id.New[id.Decision](made)
		}
		last = l.Begin(intent(decisions[i]))
		if i%5000 == 0 {
			if _, err := last.Wait(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := last.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for i := 0; i < n; i += 331 {
			got, err := l.Decision(ctx, decisions[i])
			if err != nil || len(got) != 1 || got[0].Decision() != decisions[i] {
				t.Fatalf("decision %d: %d entries, %v", i, len(got), err)
			}
		}
		for i := 999; i < n; i += 1000 {
			got, err := l.Decision(ctx, decisions[i])
			if err != nil || len(got) != 2 || got[0].Index >= got[1].Index {
				t.Fatalf("decision %d has two entries, got %d, %v", i, len(got), err)
			}
			e, err := l.Act(ctx, act(i).Act)
			if err != nil || e.Act == nil || *e.Act != act(i) {
				t.Fatalf("act %d: %+v, %v", i, e.Act, err)
			}
			if at, err := l.Append(ctx, act(i)); err != nil || at != e.Index {
				t.Fatalf("act %d again: %d, %v, want %d", i, at, err, e.Index)
			}
		}
		if got, err := l.Decision(ctx, id.New[id.Decision](made)); err != nil || len(got) != 0 {
			t.Errorf("a decision that was never made has %d entries, %v", len(got), err)
		}
		if _, err := l.Act(ctx, "never"); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("an act that never was: %v", err)
		}
	}
	check()
	reopen := func() {
		t.Helper()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openDir(t, dir)
	}
	reopen()
	check()
	files, err := os.ReadDir(filepath.Join(dir, "index"))
	if err != nil || len(files) != 2 {
		t.Fatalf("the index has %d files, %v; want 2", len(files), err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index", files[0].Name()), []byte("SPINDEX1 but no more"), 0o600); err != nil {
		t.Fatal(err)
	}
	l = openDir(t, dir)
	check()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	l = openDir(t, dir)
	check()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, v := key(t)
	if r, err := verify.Log(os.DirFS(dir), v); err != nil || r.Size != n+n/1000 || r.Open != n {
		t.Errorf("%+v, %v", r, err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "journal")); err != nil || len(left) != 0 {
		t.Errorf("%d journal segments are left although the tree covers all, %v", len(left), err)
	}
}

// TestQueueIsBounded: while the disk hangs the log takes what fits into its
// bound and refuses the rest, and goes on when the disk does.
func TestQueueIsBounded(t *testing.T) {
	f := faultfs.New()
	l := openFS(t, f)
	hang := make(chan struct{})
	f.FailWith(func(op faultfs.Op, name string) error {
		if op == faultfs.Sync {
			<-hang
		}
		return nil
	})
	var waiting []*audit.Pending
	refused := 0
	for range 40_000 {
		p := l.Begin(intent("d"))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := p.Wait(ctx)
		if !errors.Is(err, audit.ErrUnavailable) {
			t.Fatalf("an intent that cannot be durable: %v", err)
		}
		if errors.Is(err, context.Canceled) {
			waiting = append(waiting, p)
		} else {
			refused++
		}
	}
	if len(waiting) < 1000 || refused < 1000 {
		t.Errorf("%d intents wait and %d were refused", len(waiting), refused)
	}
	close(hang)
	for _, p := range waiting {
		if _, err := p.Wait(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Intend(context.Background(), intent("after")); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
