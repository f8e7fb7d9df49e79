package console

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
)

// firmUsage counts what grants were used for, beside the requests of pages: on a long log
// a count may take longer than a page should. A page waits a moment and shows what there
// is.
type firmUsage struct {
	s     *server
	asked chan id.Grant

	mu    sync.Mutex
	known map[id.Grant]*firmUsed
}

// firmUsed is what a grant has released.
type firmUsed struct {
	disclosure.Usage
	Today uint64 // bytes in the present UTC day
	At    time.Time
	Known bool

	at   uint64        // the log as far as it was counted
	busy chan struct{} // closed once counted; nil: nobody counts
}

const (
	firmUsageKept  = 10_000
	firmUsageFresh = 2 * time.Second
	firmUsageLimit = 30 * time.Second
)

func newFirmUsage(s *server) *firmUsage {
	return &firmUsage{s: s, asked: make(chan id.Grant, 256), known: map[id.Grant]*firmUsed{}}
}

// run counts until ctx ends.
func (u *firmUsage) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case g := <-u.asked:
			u.count(ctx, g)
		}
	}
}

func (u *firmUsage) count(ctx context.Context, g id.Grant) {
	ctx, cancel := context.WithTimeout(ctx, firmUsageLimit)
	defer cancel()
	now := u.s.Now()
	covered, _ := u.s.Disclosures.Standing()
	used, err := u.s.Disclosures.Usage(ctx, g, time.Time{})
	var today uint64
	if err == nil {
		err = u.s.Disclosures.Rows(ctx, disclosure.Query{Grants: []id.Grant{g}, Since: now.UTC().Truncate(24 * time.Hour), Through: used.Through}, 0,
			func(r disclosure.Row) error { today += r.Bytes; return nil }, disclosure.Released)
	}
	if err != nil && ctx.Err() == nil {
		u.s.Logger.InfoContext(ctx, "the use of a grant was not counted", "grant", string(g), "err", err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	x := u.known[g]
	if x == nil {
		return
	}
	if err == nil {
		x.Usage, x.Today, x.At, x.at, x.Known = used, today, now, covered, true
	}
	if x.busy != nil {
		close(x.busy)
		x.busy = nil
	}
}

// Of is the use of each grant, as far as it is known by the end of wait.
func (u *firmUsage) Of(wait context.Context, grants []id.Grant) map[id.Grant]firmUsed {
	now := u.s.Now()
	covered, _ := u.s.Disclosures.Standing()
	waits := map[id.Grant]chan struct{}{}
	u.mu.Lock()
	if len(u.known) > firmUsageKept { // what is asked for again is counted again
		for g, x := range u.known {
			if x.busy == nil {
				delete(u.known, g)
			}
		}
	}
	for _, g := range grants {
		x := u.known[g]
		if x == nil {
			x = new(firmUsed)
			u.known[g] = x
		}
		age := now.Sub(x.At)
		if x.Known && (x.at == covered || age >= 0 && age < firmUsageFresh) && x.At.UTC().Truncate(24*time.Hour).Equal(now.UTC().Truncate(24*time.Hour)) {
			continue
		}
		if x.busy == nil {
			select {
			case u.asked <- g:
				x.busy = make(chan struct{})
			default: // many are counted already: the next look at the page asks again
				continue
			}
		}
		waits[g] = x.busy
	}
	u.mu.Unlock()
	for _, busy := range waits {
		select {
		case <-busy:
		case <-wait.Done():
		}
	}
	out := make(map[id.Grant]firmUsed, len(grants))
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, g := range grants {
		if x := u.known[g]; x != nil && x.Known {
			out[g] = *x
		}
	}
	return out
}
