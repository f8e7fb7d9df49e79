package hospitaltest

import (
	"bytes"
	"sync"
	"sync/atomic"
	"time"
)

// Clock is the machine's clock, moved by as much as a test says. It goes on: to
// stop it would stop the refreshing of snapshots too.
type Clock struct{ offset atomic.Int64 }

// Now is the time in the box.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// Move sets the clock forward, or back where d is negative.
func (c *Clock) Move(d time.Duration) { c.offset.Add(int64(d)) }

// Output keeps what is written to it. It is safe for concurrent use.
type Output struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	return len(p), nil
}

// Bytes is a copy of what was written.
func (o *Output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text)
}

// String is what was written.
func (o *Output) String() string { return string(o.Bytes()) }
