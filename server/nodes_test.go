package server

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/notify"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/reminder"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// outbox keeps what was sent.
type outbox struct{ sent []notify.Item }

func (o *outbox) Send(_ context.Context, _ string, m notify.Message) error {
	o.sent = append(o.sent, m.Items...)
	return nil
}

// TestANodeDoesNotDropWhatAnotherSaw: nodes look at dates minutes apart. What one has
// written down is not dropped, and not left out of a mailing, by one that has not looked
// since; what was mended is, by all.
func TestANodeDoesNotDropWhatAnotherSaw(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ends := now.Add(7 * 24 * time.Hour)
	papers := func(ends time.Time) *snapshot.View {
		records := gatetest.Records(now)
		for _, r := range records {
			if x, ok := r.(*snapshot.Training); ok {
				x.ExpiresAt = ends
			}
		}
		return gatetest.Publish(now, gatetest.Settings(), records...)
	}
	engine, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	node := func(name string) (*teller, *outbox) {
		c := &Config{Node: name, Notify: &Notify{DigestAt: "12:02", Routes: []Route{{Classes: []reminder.Class{reminder.Lapses}, To: []string{"privacy@example.org"}}}}}
		box := &outbox{}
		s := &Server{config: c, engine: engine, record: &record{store: db}, o: Options{Now: func() time.Time { return now }}}
		return &teller{s: s, config: c.Notify, zone: time.UTC, mail: box, written: map[string]bool{}, now: map[string]bool{},
			sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "n"}, []string{"outcome"})}, box
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a, _ := node("node-a")
	b, box := node("node-b")
	v := papers(ends)
	now = now.Add(-time.Minute) // nothing is due within a week yet, for b
	do(b.dates(t.Context(), v, now))
	now = now.Add(time.Minute)
	do(a.dates(t.Context(), v, now)) // now it is, and a looks
	now = now.Add(time.Second)
	do(b.bundle(t.Context(), now))
	now = now.Add(2 * time.Minute) // the digest's time has come, and b has still not looked
	do(b.bundle(t.Context(), now))
	do(b.send(t.Context(), mailPrefix))
	if len(box.sent) == 0 {
		t.Fatal("what one node saw was dropped by the other, for good")
	}
	seen := map[string]bool{}
	for _, i := range box.sent {
		seen[i.Step] = true
	}
	if !seen["7d"] {
		t.Errorf("the week's notice is not among %+v", box.sent)
	}

	// Mended before the digest: nobody is told, by whichever node.
	box.sent = nil
	now = ends.Add(-24*time.Hour + time.Minute)
	do(a.dates(t.Context(), v, now)) // a day before
	mended := papers(ends.AddDate(1, 0, 0))
	now = now.Add(10 * time.Minute)
	do(b.dates(t.Context(), mended, now))
	do(b.bundle(t.Context(), now))
	now = now.Add(24 * time.Hour)
	do(a.bundle(t.Context(), now))
	do(a.send(t.Context(), mailPrefix))
	do(b.send(t.Context(), mailPrefix))
	for _, i := range box.sent {
		if i.Step == "1d" {
			t.Errorf("told of what was mended: %+v", i)
		}
	}
}
