package living

import (
	"sync/atomic"
	"time"
)

// Clock is the caller's clock, set back by as much as is left to tell, and moved
// forward step by step until it is the caller's again. It never stands and never goes
// back: snapshots must be refreshed, and the log refuses a clock that is behind it.
type Clock struct {
	real   func() time.Time
	behind atomic.Int64
}

// Now is the time in the organisation.
func (c *Clock) Now() time.Time { return c.real().Add(-time.Duration(c.behind.Load())) }

// moveTo sets the clock forward to t. Where it is later than t already, it stays.
func (c *Clock) moveTo(t time.Time) {
	if d := t.Sub(c.Now()); d > 0 {
		c.behind.Store(max(0, c.behind.Load()-int64(d)))
	}
}

// arrive makes it the caller's clock.
func (c *Clock) arrive() { c.behind.Store(0) }
