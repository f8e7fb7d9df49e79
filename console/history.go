package console

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// history follows the acts of the registry and keeps the newest in memory, for "what was
// done about it": the store finds an act by its number or its id, and by nothing else.
// Everything in it can be made again from the store.
type history struct {
	s *server

	mu     sync.RWMutex
	next   uint64                // the registry's version to go on from
	newest []*done               // the newest last
	vendor map[id.Vendor][]*done // about each vendor and what is its own, the newest last
}

// done is an act as a page names it. Why it was done is on its own page: reasons are
// sealed at rest, and are not kept here.
type done struct {
	ID      id.Act
	Kind    registry.Kind
	Subject snapshot.Subject
	On      snapshot.Subject // what a hold is on, the grant that a review is of, or else the subject
	Vendor  id.Vendor
	Actor   id.Person
	At      time.Time
}

// Summary is what the act does, in words.
func (d *done) Summary() string {
	return saysOf(d.Kind)
}

const (
	keepActs      = 20_000
	keepOfVendor  = 300
	historyTurn   = 500 * time.Millisecond
	historyAtOnce = 1000
)

// noisyActs are acts that machines and doors do by the thousand: they would push out what
// people did.
var noisyActs = []string{"session.", "posture.", "person.add-passkey", "device.set-recipients"}

func newHistory(s *server) *history { return &history{s: s, vendor: map[id.Vendor][]*done{}} }

func (h *history) run(ctx context.Context) {
	tick := time.NewTicker(historyTurn) // acts of other nodes come without news
	defer tick.Stop()
	for {
		changed := h.s.Registry.Changed()
		if err := h.turn(ctx); err != nil && ctx.Err() == nil {
			h.s.Logger.InfoContext(ctx, "the console does not see what is new in the registry", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

// turn reads the acts that are new.
func (h *history) turn(ctx context.Context) error {
	for {
		v := h.s.Registry.View()
		h.mu.RLock()
		next := h.next
		h.mu.RUnlock()
		if v.Version() <= next {
			return nil
		}
		acts, err := h.s.Registry.Told(ctx, next, historyAtOnce)
		if err != nil || len(acts) == 0 {
			return err
		}
		h.mu.Lock()
		for _, e := range acts {
			h.next = e.Seq
			h.take(v, e)
		}
		h.mu.Unlock()
	}
}

func (h *history) take(v *snapshot.View, e registry.Entry) {
	if slices.ContainsFunc(noisyActs, func(prefix string) bool { return strings.HasPrefix(string(e.Kind), prefix) }) {
		return
	}
	d := &done{ID: e.ID, Kind: e.Kind, Subject: e.Subject, Vendor: v.VendorOf(e.Subject), Actor: e.Actor, At: e.At, On: e.Subject}
	if x, ok := v.Holds.Get(id.Hold(e.Subject.ID)); ok && e.Subject.Noun == snapshot.NounHold {
		d.On = x.On
	}
	if x, ok := v.Reviews.Get(id.Review(e.Subject.ID)); ok && e.Subject.Noun == snapshot.NounReview {
		d.On = snapshot.Subject{Noun: snapshot.NounGrant, ID: string(x.Grant)}
	}
	h.newest = keptActs(h.newest, d, keepActs)
	if d.Vendor != "" {
		h.vendor[d.Vendor] = keptActs(h.vendor[d.Vendor], d, keepOfVendor)
	}
}

// keptActs appends, and drops the oldest half once there are twice as many as are kept.
func keptActs(all []*done, d *done, limit int) []*done {
	if len(all) >= 2*limit {
		all = slices.Clone(all[len(all)-limit:])
	}
	return append(all, d)
}

// Newest are the newest acts that keep wants, the newest first; nil: all.
func (h *history) Newest(limit int, keep func(*done) bool) []*done {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return lastActs(h.newest, limit, keep)
}

// About are the newest acts about a vendor and what is its own, the newest first.
func (h *history) About(vendor id.Vendor, limit int, keep func(*done) bool) []*done {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return lastActs(h.vendor[vendor], limit, keep)
}

func lastActs(all []*done, limit int, keep func(*done) bool) []*done {
	var out []*done
	for i := len(all) - 1; i >= 0 && len(out) < limit; i-- {
		if keep == nil || keep(all[i]) {
			out = append(out, all[i])
		}
	}
	return out
}

// eachOnce keeps of acts of one kind about one thing the newest alone: thirty answers that
// were saved would hide what else was done.
func eachOnce() func(*done) bool {
	type one struct {
		kind registry.Kind
		on   snapshot.Subject
	}
	seen := map[one]bool{}
	return func(d *done) bool {
		key := one{d.Kind, d.On}
		known := seen[key]
		seen[key] = true
		return !known
	}
}

// closingVerbs are the verbs of acts that close something.
var closingVerbs = []string{"suspend", "offboard", "revoke", "terminate", "end", "end-early", "deactivate", "retire", "place", "kill", "reopen", "lapse", "begin"}

// Closes reports whether the act closed something, other than a person's own session.
func (d *done) Closes() bool {
	noun, verb, _ := strings.Cut(string(d.Kind), ".")
	return noun != "campaign" && slices.Contains(closingVerbs, verb)
}

func vendorOfEngagement(v *snapshot.View, key id.Engagement) id.Vendor {
	return v.VendorOf(snapshot.Subject{Noun: snapshot.NounEngagement, ID: string(key)})
}
