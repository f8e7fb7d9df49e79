package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ahead keeps the forecast of the next year. It asks every gate about every grant at
// every date to come, which takes long where there is much: so it is made beside, anew
// after the registry changed and each hour, and a page shows the newest that there is.
type ahead struct {
	s *server

	mu      sync.RWMutex
	stops   []forecast.Stop
	version uint64
	at      time.Time
	made    chan struct{} // closed once there is one
}

const (
	aheadFor  = 366 * 24 * time.Hour
	aheadTurn = 250 * time.Millisecond
	// aheadWait is how long a page waits for the first.
	aheadWait = 100 * time.Millisecond
)

func newAhead(s *server) *ahead { return &ahead{s: s, made: make(chan struct{})} }

func (a *ahead) run(ctx context.Context) {
	for {
		began := time.Now()
		a.turn()
		// Where there are ten thousand grants it takes seconds, and acts come all the time:
		// it must not keep a processor busy.
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(aheadTurn, 9*time.Since(began))):
		}
	}
}

func (a *ahead) turn() {
	v, now := a.s.Registry.View(), a.s.Now()
	a.mu.RLock()
	fresh := v.Version() == a.version && now.Sub(a.at) < time.Hour && !now.Before(a.at)
	a.mu.RUnlock()
	if fresh {
		return
	}
	stops := together(stillToCome(forecast.Of(a.s.Policy, v, now.UTC(), now.UTC().Add(aheadFor))))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() {
		close(a.made)
	}
	a.stops, a.version, a.at = stops, v.Version(), now
}

// Within are the dates in the next time, the earliest first, and when the forecast was
// made; a zero time: there is none yet.
func (a *ahead) Within(ctx context.Context, now time.Time, d time.Duration) ([]forecast.Stop, time.Time) {
	wait, cancel := context.WithTimeout(ctx, aheadWait)
	defer cancel()
	select {
	case <-a.made:
	case <-wait.Done():
	}
	a.mu.RLock()
	defer a.mu.RUnlock()
	var out []forecast.Stop
	for _, s := range a.stops {
		if s.At.After(now) && !s.At.After(now.Add(d)) {
			out = append(out, s)
		}
	}
	return out, a.at
}

// none reports whether there is no forecast yet.
func (a *ahead) none() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.at.IsZero()
}

// together makes one date of a vendor's access reviews that are due at one moment: they are
// of one campaign, and somebody sees to them in one go.
func together(stops []forecast.Stop) []forecast.Stop {
	type moment struct {
		at     int64
		vendor id.Vendor
		code   string
	}
	first := map[moment]int{}
	out := stops[:0]
	for _, x := range stops {
		if x.Kind == forecast.Stops && x.Subject.Noun == snapshot.NounReview {
			key := moment{x.At.UnixNano(), x.Vendor, x.Code}
			if i, ok := first[key]; ok {
				y := &out[i]
				y.Grants, y.Engagements = joined(y.Grants, x.Grants), joined(y.Engagements, x.Engagements)
				continue
			}
			first[key] = len(out)
		}
		out = append(out, x)
	}
	return out
}

// joined are the keys of both, sorted, each once.
func joined[K ~string](a, b []K) []K {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}
