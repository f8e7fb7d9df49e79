package console

import (
	"context"
	"slices"
	"sync"
	"time"
)

// logGrowth knows how many entries the log had at the end of each day. The time of
// entries rises with their index, so the first entry of a day is found by halving, and
// of a day that is over only once.
type logGrowth struct {
	s *server

	mu    sync.RWMutex
	began map[int64]uint64 // the first entry of a day or of one after it, by days since 1970
	first time.Time        // of the log's first entry
	ready bool
}

const (
	growthTurn = 5 * time.Second // reading nothing where no day has begun
	growthDays = 366
)

func newLogGrowth(s *server) *logGrowth { return &logGrowth{s: s, began: map[int64]uint64{}} }

func (g *logGrowth) run(ctx context.Context) {
	tick := time.NewTicker(growthTurn)
	defer tick.Stop()
	for {
		if err := g.turn(ctx); err != nil && ctx.Err() == nil {
			g.s.Logger.InfoContext(ctx, "the console cannot read how the log grew", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// turn finds where the days began that are not known, the newest first.
func (g *logGrowth) turn(ctx context.Context) error {
	size := g.s.Log.Size()
	if size == 0 {
		g.settle(time.Time{})
		return nil
	}
	e, err := g.s.Log.Entry(ctx, 0)
	if err != nil {
		return err
	}
	oldest, today := dayOf(e.Time), dayOf(g.s.Now())
	above := size
	for d := today; d >= oldest && d > today-growthDays; d-- {
		if err := ctx.Err(); err != nil {
			return err
		}
		g.mu.RLock()
		at, ok := g.began[d]
		g.mu.RUnlock()
		if !ok {
			if at, err = g.find(ctx, d, above); err != nil {
				return err
			}
			// Entries of today can still come before tomorrow begins, but none before
			// what has been found to be the first.
			if at < size {
				g.mu.Lock()
				g.began[d] = at
				g.mu.Unlock()
			}
		}
		above = at
	}
	g.settle(e.Time)
	return nil
}

func (g *logGrowth) settle(first time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.first, g.ready = first, true
}

// find is the first entry, before above, that is not before the day; above: there is
// none. It gallops down from above first, because the day is near it.
func (g *logGrowth) find(ctx context.Context, day int64, above uint64) (uint64, error) {
	from := time.Unix(day*86400, 0)
	low, high := uint64(0), above // every entry before low is too early; none from high on is
	for step := uint64(1); high > low; step *= 2 {
		at := low
		if high-low > step {
			at = high - step
		}
		e, err := g.s.Log.Entry(ctx, at)
		if err != nil {
			return 0, err
		}
		if e.Time.Before(from) {
			low = at + 1
			break
		}
		high = at
	}
	for low < high {
		mid := low + (high-low)/2
		e, err := g.s.Log.Entry(ctx, mid)
		if err != nil {
			return 0, err
		}
		if e.Time.Before(from) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return high, nil
}

// grown is how much the log grew on a day, and how long it was at its end.
type grownDay struct {
	Day   time.Time
	Added uint64
	Size  uint64
}

// Days are the days up to today, so many, the oldest first; before the log began nothing
// was added. Not ready: the log is still being looked at, and there may be fewer.
func (g *logGrowth) Days(now time.Time, size uint64, most int) (out []grownDay, ready bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.first.IsZero() {
		return nil, g.ready
	}
	end := size
	for d := dayOf(now); len(out) < most; d-- {
		at, ok := g.began[d]
		if !ok {
			switch {
			case d < dayOf(g.first):
				at = 0
			case d < dayOf(now) && !g.ready: // further back is not known yet
				slices.Reverse(out)
				return out, false
			default:
				at = end // nothing since
			}
		}
		out = append(out, grownDay{Day: time.Unix(d*86400, 0).UTC(), Added: end - min(at, end), Size: end})
		end = min(at, end)
	}
	slices.Reverse(out)
	return out, g.ready
}
