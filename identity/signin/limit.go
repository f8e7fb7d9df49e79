package signin

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Limit slows down whoever tries codes or makes us work before they have proved
// anything: so many tries at once from one address, and then one in a while. The
// codes themselves cannot be guessed at any rate.
type Limit struct {
	burst float64
	every time.Duration

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// maxBuckets bounds the memory; the addresses beyond it share one bucket.
const maxBuckets = 10_000

// NewLimit allows burst tries at once, and one more each every.
func NewLimit(burst int, every time.Duration) *Limit {
	return &Limit{burst: float64(burst), every: every, buckets: map[string]bucket{}}
}

// Allow says whether the request's address may try now.
func (l *Limit) Allow(r *http.Request, now time.Time) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = ""
	}
	// An IPv6 customer has a whole /64.
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = ip.Mask(net.CIDRMask(64, 128)).String()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.buckets[host]; !known && len(l.buckets) >= maxBuckets {
		for k, b := range l.buckets {
			if l.filled(b, now) >= l.burst {
				delete(l.buckets, k)
			}
		}
		if len(l.buckets) >= maxBuckets {
			host = ""
		}
	}
	b, known := l.buckets[host]
	left := l.burst
	if known {
		left = l.filled(b, now)
	}
	if left < 1 {
		l.buckets[host] = bucket{left, now}
		return false
	}
	l.buckets[host] = bucket{left - 1, now}
	return true
}

func (l *Limit) filled(b bucket, now time.Time) float64 {
	if now.Before(b.at) {
		return b.left
	}
	return min(l.burst, b.left+float64(now.Sub(b.at))/float64(l.every))
}
