package registry_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

func tamper(t *testing.T, where, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", where)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// node is one process: its own connection, log and registry.
func node(t *testing.T, where, name string, change func(*registry.Options)) (*registry.Registry, *registrytest.Log) {
	t.Helper()
	log := &registrytest.Log{}
	o := options(t, openStore(t, where), log)
	o.Node = name
	if change != nil {
		change(&o)
	}
	return open(t, o), log
}

func TestTwoProcessesActAtOnce(t *testing.T) {
	for name, where := range databases {
		t.Run(name, func(t *testing.T) {
			where := where(t)
			one, log1 := node(t, where, "node-1", nil)
			if err := organisation(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			two, log2 := node(t, where, "node-2", nil)
			const each = 15
			var wg sync.WaitGroup
			for i, r := range []*registry.Registry{one, two, one, two} {
				wg.Go(func() {
					for n := range each {
						a := registry.ProposeVendor{ID: id.Vendor(fmt.Sprintf("v-%d-%d", i, n)), Name: "V"}
						if _, err := r.Do(t.Context(), registry.Actor{Person: "ada"}, a, registry.Meta{Reason: "r"}); err != nil {
							t.Errorf("%s: %v (%v)", a.ID, err, errors.Unwrap(err))
						}
					}
				})
			}
			wg.Wait()
			for _, r := range []*registry.Registry{one, two} {
				if err := r.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := dump(t, two.View()), dump(t, one.View()); got != want || one.View().Vendors.Len() != 4*each {
				t.Errorf("the two differ:\n%s\n%s", got, want)
			}
			seen := map[id.Act]string{}
			for node, log := range map[string]*registrytest.Log{"node-1": log1, "node-2": log2} {
				for i, e := range log.Entries() {
					if seen[e.Act] != "" {
						t.Errorf("act %s is in two logs", e.Act)
					}
					if i > 0 && e.Registry <= log.Entries()[i-1].Registry {
						t.Errorf("%s: entry %d is out of order", node, i)
					}
					seen[e.Act] = node
				}
			}
			entries, err := one.Acts(t.Context(), 0, 1000)
			if err != nil || len(entries) != 4+4*each || len(seen) != len(entries) {
				t.Fatalf("got %d acts, %d in the logs, %v", len(entries), len(seen), err)
			}
			for _, e := range entries {
				if seen[e.ID] != e.LogNode {
					t.Errorf("act %s: its row says log %q, it is in %q", e.ID, e.LogNode, seen[e.ID])
				}
			}
		})
	}
}

// A node died between its commit and its log: the other takes the act over.
func TestAnotherNodeTakesAnActOver(t *testing.T) {
	where := filepath.Join(t.TempDir(), "registry.db")
	dead, deadLog := node(t, where, "node-1", nil)
	if err := organisation(t.Context(), dead); err != nil {
		t.Fatal(err)
	}
	deadLog.Fail = func(audit.ActEntry) error { return errors.New("the node is dead") }
	if _, err := do(t, dead, "ada", registry.ProposeVendor{ID: "v", Name: "V"}); err == nil {
		t.Fatal("an act without a log was done")
	}

	now := time.Now()
	clock := func() time.Time { return now }
	r, log := node(t, where, "node-2", func(o *registry.Options) { o.Clock, o.TakeOver = clock, time.Minute })
	if r.View().Vendors.Len() != 0 || !r.View().Confirmed().IsZero() {
		t.Error("the view is ahead of the log, or confirmed behind the newest act")
	}
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(log.Entries()) != 0 || !r.View().Confirmed().IsZero() {
		t.Error("the act was taken over too early")
	}
	now = now.Add(2 * time.Minute)
	if err := r.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.View().Vendors.Len() != 1 || len(log.Entries()) != 1 || r.View().Confirmed().IsZero() {
		t.Errorf("after the limit: got %d vendors, %d log entries", r.View().Vendors.Len(), len(log.Entries()))
	}
	// The dead node comes back, slowly: it finds the act taken over.
	deadLog.Fail = nil
	if err := dead.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dead.View().Vendors.Len() != 1 || dead.View().Version() != r.View().Version() {
		t.Error("the slow node did not take up the act")
	}
}

// A slow node appends its act after another took it over: the act is in both
// logs, and its row names one.
func TestASlowNodeIsToldWhichLogCounts(t *testing.T) {
	where := filepath.Join(t.TempDir(), "registry.db")
	slow, slowLog := node(t, where, "node-1", nil)
	if err := organisation(t.Context(), slow); err != nil {
		t.Fatal(err)
	}
	fast, fastLog := node(t, where, "node-2", func(o *registry.Options) { o.TakeOver = time.Nanosecond })
	slowLog.Fail = func(audit.ActEntry) error { // between commit and append, the other comes first
		if err := fast.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		return nil
	}
	res := must(t, slow, "ada", registry.ProposeVendor{ID: "v", Name: "V"})
	if res.LogNode != "node-2" || len(fastLog.Entries()) != 1 || res.LogIndex != 0 {
		t.Errorf("got %s/%d, want node-2/0", res.LogNode, res.LogIndex)
	}
	if v, ok := res.View.Vendors.Get("v"); !ok || v.State != snapshot.Proposed {
		t.Error("the act is not in the view")
	}
	entries, err := slow.Acts(t.Context(), 4, 10)
	if err != nil || len(entries) != 1 || entries[0].LogNode != "node-2" {
		t.Errorf("got %+v, %v", entries, err)
	}
}

func TestRunHearsOfOtherProcesses(t *testing.T) {
	for name, where := range databases {
		t.Run(name, func(t *testing.T) {
			where := where(t)
			one, _ := node(t, where, "node-1", nil)
			if err := organisation(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			two, _ := node(t, where, "node-2", func(o *registry.Options) { o.PollEvery = 20 * time.Millisecond })
			done := make(chan struct{})
			ctx := t.Context()
			go func() { defer close(done); two.Run(ctx) }()
			t.Cleanup(func() { <-done }) // the test's context ends before its cleanups
			confirmed := two.View().Confirmed()
			must(t, one, "ada", registry.ProposeVendor{ID: "v", Name: "V"})
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
				if _, ok := two.View().Vendors.Get("v"); ok && two.View().Confirmed().After(confirmed) {
					return
				}
				if time.Now().After(deadline) {
					t.Fatal("the other process's act did not arrive")
				}
			}
		})
	}
}

func TestADatabaseThatWasSetBackIsRefused(t *testing.T) {
	where := filepath.Join(t.TempDir(), "registry.db")
	r, _ := node(t, where, "node-1", nil)
	if err := organisation(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	tamper(t, where, `UPDATE head SET seq = 2`)
	before := r.View().Confirmed()
	o := options(t, openStore(t, where), &registrytest.Log{})
	for atLeast, ok := range map[uint64]bool{2: true, 4: false} {
		o.AtLeast = atLeast
		if _, err := registry.Open(t.Context(), o); (err == nil) != ok {
			t.Errorf("opened, with act %d in the log: got %v", atLeast, err)
		}
	}
	if err := r.Refresh(t.Context()); err == nil || !r.View().Confirmed().Equal(before) {
		t.Errorf("got %v, and confirmed %v", err, r.View().Confirmed())
	}
	if _, err := do(t, r, "ada", registry.ProposeVendor{ID: "v", Name: "V"}); problem.From(err).Kind != problem.Unavailable {
		t.Errorf("an act: got %v", err)
	}
}
