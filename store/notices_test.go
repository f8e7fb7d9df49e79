package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/store"
)

// TestNoticesAreToldOnceAmongNodes: the same reason is written down once, bundled once,
// and sent by one of several nodes at a time, on both databases.
func TestNoticesAreToldOnceAmongNodes(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		ctx, a, b := t.Context(), open(t, where), open(t, where)
		var notices []store.Notice
		for i := range 20 {
			notices = append(notices, store.Notice{Key: fmt.Sprintf("date/stop/%d", i), Target: "mail:privacy@example.org", Urgent: i%2 == 0, Body: []byte("{}"), Created: t0})
		}
		var added atomic.Int64
		var both sync.WaitGroup
		for _, s := range []*store.Store{a, b} {
			both.Go(func() {
				n, err := s.AddNotices(ctx, notices)
				if err != nil {
					t.Error(err)
				}
				added.Add(int64(n))
			})
		}
		both.Wait()
		if got := added.Load(); got != 20 {
			t.Errorf("20 reasons were written down %d times", got)
		}
		loose, err := b.LooseNotices(ctx, 100)
		if err != nil || len(loose) != 20 || !loose[9].Urgent || loose[10].Urgent || !loose[0].Created.Equal(t0) {
			t.Fatalf("got %d loose notices and %v; the urgent must come first", len(loose), err)
		}
		if err := a.DropNotice(ctx, "date/stop/19", "mail:privacy@example.org"); err != nil {
			t.Fatal(err)
		}
		first := []string{"date/stop/0", "date/stop/1"}
		for _, tt := range []struct {
			id   string
			keys []string
			want bool
		}{
			{"m1", first, true},
			{"m1", []string{"date/stop/2"}, false},                // the id is taken
			{"m2", []string{"date/stop/2", "date/stop/1"}, false}, // one of them is taken, so neither is bundled
			{"m3", []string{"date/stop/19"}, false},               // dropped
			{"m4", []string{"date/stop/2"}, true},
		} {
			if got, err := b.Bundle(ctx, tt.id, "mail:privacy@example.org", tt.keys, t0); err != nil || got != tt.want {
				t.Errorf("bundling %v as %s: got %v and %v, want %v", tt.keys, tt.id, got, err, tt.want)
			}
		}

		// A lease keeps others away until it ends; then the mailing has the same id.
		claim := func(s *store.Store, node string, at time.Time) *store.Mailing {
			t.Helper()
			m, err := s.ClaimMailing(ctx, node, "mail:", at, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m, other := claim(a, "node-a", t0), claim(b, "node-b", t0)
		if m == nil || other == nil || m.ID == other.ID || len(m.Notices)+len(other.Notices) != 3 || m.Attempts != 1 {
			t.Fatalf("two nodes claimed %+v and %+v", m, other)
		}
		if none := claim(b, "node-b", t0.Add(59*time.Second)); none != nil {
			t.Errorf("%s was claimed under another's lease", none.ID)
		}
		if hook, err := b.ClaimMailing(ctx, "node-b", "hook:", t0.Add(time.Hour), time.Minute); err != nil || hook != nil {
			t.Errorf("another way took %v, %v", hook, err)
		}
		if err := b.Settle(ctx, other.ID, "node-b", store.Sent, t0, t0); err != nil {
			t.Fatal(err)
		}
		again := claim(b, "node-b", t0.Add(time.Minute)) // node-a died
		if again == nil || again.ID != m.ID || again.Attempts != 2 {
			t.Fatalf("after the lease node-b got %+v, want %s again", again, m.ID)
		}
		if err := a.Settle(ctx, m.ID, "node-a", store.Sent, t0, t0); err != nil { // it wakes up late
			t.Fatal(err)
		}
		if waiting, _, since, err := b.Waiting(ctx); err != nil || waiting != 1 || !since.Equal(t0) {
			t.Errorf("got %d waiting since %v and %v: who lost the lease settled it", waiting, since, err)
		}
		if err := b.Settle(ctx, m.ID, "node-b", store.Again, t0.Add(time.Minute), t0.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := a.ReleaseMailings(ctx, "node-a"); err != nil {
			t.Fatal(err)
		}
		if early := claim(a, "node-a", t0.Add(59*time.Minute)); early != nil {
			t.Errorf("%s was claimed before its pause was over", early.ID)
		}
		if late := claim(a, "node-a", t0.Add(time.Hour)); late == nil || late.Attempts != 3 {
			t.Errorf("got %+v after the pause", late)
		}
		if err := a.ReleaseMailings(ctx, "node-a"); err != nil { // it was started anew
			t.Fatal(err)
		}
		if again := claim(b, "node-b", t0.Add(time.Hour)); again == nil || again.Attempts != 4 {
			t.Errorf("got %+v after the node that had it was started anew", again)
		}
	})
}

// TestActsAreNotedOnce moves the position and the notices together.
func TestActsAreNotedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, where string) {
		ctx, a, b := t.Context(), open(t, where), open(t, where)
		for _, s := range []*store.Store{a, b} {
			if got, err := s.NoticePosition(ctx, 7); err != nil || got != 7 {
				t.Fatalf("got position %d and %v, want the start", got, err)
			}
		}
		n := []store.Notice{{Key: "act/1", Target: "hook:siem", Body: []byte("{}"), Created: t0}}
		var mine atomic.Int64
		var both sync.WaitGroup
		for _, s := range []*store.Store{a, b} {
			both.Go(func() {
				ok, err := s.NoteActs(ctx, 7, 9, n)
				if err != nil {
					t.Error(err)
				}
				if ok {
					mine.Add(1)
				}
			})
		}
		both.Wait()
		if got, err := a.NoticePosition(ctx, 1); mine.Load() != 1 || err != nil || got != 9 {
			t.Errorf("%d nodes noted the acts, and the position is %d (%v)", mine.Load(), got, err)
		}
	})
}
