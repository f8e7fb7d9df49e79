package scim

import (
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
)

// limits is a bucket of requests for each directory. Only known directories have
// one, so a stranger cannot fill it.
type limits struct {
	mu      sync.Mutex
	buckets map[id.Connector]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// take takes one request out of a directory's bucket, or says how long to wait.
func (l *limits) take(c id.Connector, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buckets == nil {
		l.buckets = map[id.Connector]*bucket{}
	}
	b, ok := l.buckets[c]
	if !ok {
		b = &bucket{left: burst, at: now}
		l.buckets[c] = b
	}
	if d := now.Sub(b.at); d > 0 {
		b.left, b.at = min(burst, b.left+rate*d.Seconds()), now
	}
	if b.left < 1 {
		return time.Duration((1 - b.left) / rate * float64(time.Second))
	}
	b.left--
	return 0
}
