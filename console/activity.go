package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// activity follows the index of disclosures and keeps in memory what pages draw: counts
// by day along each way that data takes, refusals by gate, and the newest decisions.
// Everything in it can be made again from the log.
type activity struct {
	s *server

	mu     sync.RWMutex
	next   uint64 // the log index to go on from
	ready  bool   // the log as it was at the start has been read
	ways   map[way][]dayCount
	gates  map[gateAt][]dayCount
	newest []disclosure.Row     // requests, the newest last
	last   map[id.Source]uint64 // the newest release from each source: where it stands in the log
	more   chan struct{}        // closed when there is something new
}

// way is the way that data takes: from a source through the gateway to an engagement.
type way struct {
	Vendor     id.Vendor
	Engagement id.Engagement
	Source     id.Source
	Region     string
	Class      hipaa.DataClass
	TLS        string
	Exchange   string
	Binding    string
	Sealing    string // of what was released; empty: not sealed, or nothing was
}

// gateAt is a gate that refused a vendor.
type gateAt struct {
	Vendor id.Vendor
	Gate   string
}

// dayCount is what happened on one day, counted from 1970 in UTC.
type dayCount struct {
	Day       int64
	Permitted uint64
	Refused   uint64
	Releases  uint64
	Bytes     uint64
	Patients  uint64 // summed over releases: a patient of two counts twice
	Hidden    uint64 // of Refused, those that a vendor hears of as of what is not there
}

func (d *dayCount) add(x dayCount) {
	d.Permitted, d.Refused, d.Releases, d.Bytes, d.Patients = d.Permitted+x.Permitted, d.Refused+x.Refused, d.Releases+x.Releases, d.Bytes+x.Bytes, d.Patients+x.Patients
	d.Hidden += x.Hidden
}

const (
	keepNewest   = 1000
	activityTurn = 500 * time.Millisecond
)

func newActivity(s *server) *activity {
	return &activity{s: s, ways: map[way][]dayCount{}, gates: map[gateAt][]dayCount{}, last: map[id.Source]uint64{}, more: make(chan struct{})}
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// run follows the index until ctx ends.
func (a *activity) run(ctx context.Context) {
	tick := time.NewTicker(activityTurn)
	defer tick.Stop()
	for {
		if err := a.turn(ctx); err != nil && ctx.Err() == nil {
			a.s.Logger.InfoContext(ctx, "the console does not see what is new in the log", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn reads what the index has that is new.
func (a *activity) turn(ctx context.Context) error {
	covered, _ := a.s.Disclosures.Standing()
	a.mu.RLock()
	next := a.next
	a.mu.RUnlock()
	if covered <= next {
		a.settle(next, false)
		return nil
	}
	any := false
	err := a.s.Disclosures.Rows(ctx, disclosure.Query{Through: covered}, next, func(r disclosure.Row) error {
		a.mu.Lock()
		a.take(r)
		a.mu.Unlock()
		any = true
		return nil
	})
	if err != nil {
		return err
	}
	a.settle(covered, any)
	return nil
}

func (a *activity) settle(next uint64, news bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next, a.ready = next, true
	if news {
		close(a.more)
		a.more = make(chan struct{})
	}
}

// take counts one row.
func (a *activity) take(r disclosure.Row) {
	w := way{Vendor: r.Vendor, Engagement: r.Engagement, Source: r.Source, Region: r.Region, Class: r.DataClass, TLS: r.TLS, Exchange: r.KeyExchange, Binding: r.Binding}
	day := dayCount{Day: dayOf(r.Time)}
	switch r.Kind {
	case disclosure.Permitted:
		day.Permitted = 1
	case disclosure.Refused:
		day.Refused = 1
		if hiddenFromVendor(failingOf(r)) {
			day.Hidden = 1
		}
		seen := ""
		for _, f := range r.Failing {
			if f.Gate != seen {
				seen = f.Gate
				a.gates[gateAt{r.Vendor, f.Gate}] = grown(a.gates[gateAt{r.Vendor, f.Gate}], day)
			}
		}
	case disclosure.Released:
		day.Releases, day.Bytes, day.Patients = 1, r.Bytes, r.Patients
		a.last[r.Source] = r.Index
		if r.Sealed != nil {
			w.Sealing = r.Sealed.Mode
		}
	default:
		return
	}
	a.ways[w] = grown(a.ways[w], day)
	if r.Kind == disclosure.Permitted || r.Kind == disclosure.Refused {
		if len(a.newest) >= 2*keepNewest {
			a.newest = slices.Clone(a.newest[len(a.newest)-keepNewest:])
		}
		a.newest = append(a.newest, r)
	}
}

func grown(days []dayCount, x dayCount) []dayCount {
	if n := len(days); n > 0 && days[n-1].Day == x.Day {
		days[n-1].add(x)
		return days
	}
	return append(days, x)
}

// newer is the end of the days in which those from first on are. Days come in order, but
// for a clock that was set back by less than a day.
func newer(days []dayCount, first int64) []dayCount {
	i := len(days)
	for i > 0 && days[i-1].Day >= first-1 {
		i--
	}
	return days[i:]
}

// Days are the counts of each day from since on, up to today, with days on which
// nothing happened; keep says which ways count, nil: all.
func (a *activity) Days(since, now time.Time, keep func(way) bool) []dayCount {
	first, last := dayOf(since), dayOf(now)
	if last < first {
		return nil
	}
	out := make([]dayCount, last-first+1)
	for i := range out {
		out[i].Day = first + int64(i)
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for w, days := range a.ways {
		if keep != nil && !keep(w) {
			continue
		}
		for _, d := range newer(days, first) {
			if d.Day >= first && d.Day <= last {
				out[d.Day-first].add(d)
			}
		}
	}
	return out
}

// Ways are the sums of each way from since on.
func (a *activity) Ways(since time.Time, keep func(way) bool) map[way]dayCount {
	first := dayOf(since)
	out := map[way]dayCount{}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for w, days := range a.ways {
		if keep != nil && !keep(w) {
			continue
		}
		var sum dayCount
		for _, d := range newer(days, first) {
			if d.Day >= first {
				sum.add(d)
			}
		}
		if sum != (dayCount{}) {
			out[w] = sum
		}
	}
	return out
}

// Gates are how often each gate refused from one day to another, both included; an empty
// vendor means all.
func (a *activity) Gates(since, until time.Time, vendor id.Vendor) map[string]uint64 {
	first, last := dayOf(since), dayOf(until)
	out := map[string]uint64{}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for g, days := range a.gates {
		if vendor != "" && g.Vendor != vendor {
			continue
		}
		for _, d := range newer(days, first) {
			if d.Day >= first && d.Day <= last {
				out[g.Gate] += d.Refused
			}
		}
	}
	return out
}

// Newest are the newest requests, the newest first, that keep wants; nil: all.
func (a *activity) Newest(limit int, keep func(disclosure.Row) bool) []disclosure.Row {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []disclosure.Row
	for i := len(a.newest) - 1; i >= 0 && len(out) < limit; i-- {
		if keep == nil || keep(a.newest[i]) {
			out = append(out, a.newest[i])
		}
	}
	return out
}

// LastRelease is where the newest release from a source stands in the log.
func (a *activity) LastRelease(source id.Source) (index uint64, ok bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	index, ok = a.last[source]
	return index, ok
}

// More is closed when there is something new; ready says whether the log as it was at
// the start has been read.
func (a *activity) More() (more <-chan struct{}, ready bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.more, a.ready
}
