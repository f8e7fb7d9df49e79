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
	at   time.Time // as of when; see since
}

const (
	// maxBuckets bounds the memory; those beyond it share one bucket.
	maxBuckets = 10_000
	// sweepEvery bounds the work of looking for room while there is none.
	sweepEvery = time.Second
	// maxAhead is how far a bucket stays ahead of a clock that was set back: a clock that
	// was wrong by a year shuts nobody out for one.
	maxAhead = time.Hour
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
		if passed := now.Sub(l.swept); passed >= sweepEvery || passed < 0 {
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
	if !known {
		b = bucket{l.burst, now}
	}
	b = bucket{l.filled(b, now), since(b, now)}
	if b.left < 1 {
		l.buckets[key] = b
		return max(1, b.at.Sub(now)+time.Duration((1-b.left)*float64(l.every)))
	}
	b.left--
	l.buckets[key] = b
	return 0
}

// filled is what the bucket has by now. While the clock is behind the bucket, nothing
// comes in.
func (l *Limit) filled(b bucket, now time.Time) float64 {
	return min(l.burst, b.left+float64(max(0, now.Sub(b.at)))/float64(l.every))
}

// since is the time from which a bucket fills on. It does not go back with the clock:
// what was given for a time would be given for it again.
func since(b bucket, now time.Time) time.Time {
	return now.Add(min(max(0, b.at.Sub(now)), maxAhead))
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
