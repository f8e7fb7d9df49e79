package signin

import (
	"fmt"
	"math"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// Limit slows down whoever tries codes, makes us work before they have proved anything,
// or asks more than people ask: so many tries at once for one address or one session,
// and then one in a while. The codes themselves cannot be guessed at any rate.
type Limit struct {
	burst float64
	every time.Duration

	mu      sync.Mutex
	buckets map[string]bucket
	swept   time.Time
}

type bucket struct {
	left float64
	at   time.Time
}

const (
	// maxBuckets bounds the memory; those beyond it share one bucket.
	maxBuckets = 10_000
	// sweepEvery bounds the work of looking for room while there is none.
	sweepEvery = time.Second
)

// NewLimit allows burst tries at once, and one more each every.
func NewLimit(burst int, every time.Duration) *Limit {
	return &Limit{burst: float64(burst), every: every, buckets: map[string]bucket{}}
}

// Try is nil if the request's address may try now; else what to tell it.
func (l *Limit) Try(r *http.Request, now time.Time) error {
	return tooMany(l.take(address(r), now), "your address")
}

func tooMany(wait time.Duration, from string) error {
	if wait == 0 {
		return nil
	}
	return problem.New(problem.TooMany, "There were too many requests from "+from, fmt.Sprintf("Wait %s and try again", inWords(wait))).After(wait)
}

func inWords(wait time.Duration) string {
	if wait > time.Second {
		return fmt.Sprintf("%d seconds", int(math.Ceil(wait.Seconds())))
	}
	return "a second"
}

// address is where the request comes from, as far as one customer of a network has it.
func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	// An IPv6 customer has a whole /64.
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		return ip.Mask(net.CIDRMask(64, 128)).String()
	}
	return host
}

// take counts one try under the key. Not 0: it is one too many, and the next may be
// made after so long.
func (l *Limit) take(key string, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.buckets[key]; !known && len(l.buckets) >= maxBuckets {
		if since := now.Sub(l.swept); since >= sweepEvery || since < 0 {
			l.swept = now
			for k, b := range l.buckets {
				if l.filled(b, now) >= l.burst {
					delete(l.buckets, k)
				}
			}
		}
		if len(l.buckets) >= maxBuckets {
			key = ""
		}
	}
	b, known := l.buckets[key]
	left := l.burst
	if known {
		left = l.filled(b, now)
	}
	if left < 1 {
		l.buckets[key] = bucket{left, now}
		return max(1, time.Duration((1-left)*float64(l.every)))
	}
	l.buckets[key] = bucket{left - 1, now}
	return 0
}

func (l *Limit) filled(b bucket, now time.Time) float64 {
	if now.Before(b.at) {
		return b.left
	}
	return min(l.burst, b.left+float64(now.Sub(b.at))/float64(l.every))
}

// Requests bounds how much one session, and one address, may ask a door for, whatever
// it asks: many times more than people with many pages open do. Of an address those who
// are signed in and those who are not are counted apart, so that a stranger behind the
// same gateway of a hospital does not shut its people out.
type Requests struct {
	session, address, stranger *Limit
}

// NewRequests makes one for a door.
func NewRequests() *Requests {
	return &Requests{session: NewLimit(4000, 25*time.Millisecond), address: NewLimit(40_000, 2*time.Millisecond), stranger: NewLimit(2000, 20*time.Millisecond)}
}

// Try is nil if the request may be answered; else what to tell whoever sent it. It
// counts as the session's or, of who shows a certificate and has none, the person's;
// empty: nobody is known.
func (x *Requests) Try(r *http.Request, who string, now time.Time) error {
	if who == "" {
		return x.stranger.Try(r, now)
	}
	if err := tooMany(x.session.take(who, now), "you"); err != nil {
		return err
	}
	return x.address.Try(r, now)
}
