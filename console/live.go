package console

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	liveBeat = 15 * time.Second
	// liveLife ends a stream; the browser asks for the next, and is looked at anew.
	liveLife = 5 * time.Minute
	livePath = "/console/live"
	// liveEach is how many streams one person may have, in all their sessions, and liveAll
	// all people together: more pages than anybody has open.
	liveEach = 16
	liveAll  = 5000
	// quietHeader is sent by a page that asks for itself again, which is nobody's use of
	// the session. Who sends a form uses it, whatever they say.
	quietHeader = "Sallyport-Quiet"
)

// live tells a page that something is new, by server-sent events: "registry" when an act
// was done, "log" when requests were decided, "work" when something that a page waits for
// is worked out. It tells nothing else: the page asks for itself again, as its visitor.
// It ends at once when the session does.
//
// A vendor's page is told to look again at every beat, whatever was done: when and how
// often others act is nothing that it should learn.
func (s *server) live(w http.ResponseWriter, r *http.Request) {
	if _, _, ok := s.Sessions.SignedIn(r); !ok {
		w.WriteHeader(http.StatusNoContent) // to a sign-in page it could not be led; this ends it
		return
	}
	v, ok := s.visit(w, r, screen{For: everyone})
	if !ok {
		return
	}
	if !s.streams.begin(v.Person.ID) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	defer s.streams.end(v.Person.ID)
	out := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	send := func(text string) bool {
		if out.SetWriteDeadline(time.Now().Add(2*liveBeat)) != nil {
			return false
		}
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return
	}
	version := v.View.Version()
	end, beat := time.NewTimer(liveLife), time.NewTicker(liveBeat)
	defer end.Stop()
	defer beat.Stop()
	for {
		changed := s.Registry.Changed()
		more, _ := s.activity.More()
		done := s.work.More()
		if !v.ours() {
			more, done = nil, nil
		}
		view := s.Registry.View()
		if sessionOver(view, v.Session.ID, s.Now()) {
			send("event: over\ndata: session\n\n")
			return
		}
		if n := view.Version(); n != version && v.ours() {
			version = n
			if !send(fmt.Sprintf("event: registry\ndata: %d\n\n", n)) {
				return
			}
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.stopping:
			return
		case <-end.C:
			return
		case <-beat.C:
			here := ": here\n\n"
			if !v.ours() {
				here = "event: registry\ndata: look\n\n"
			}
			if !send(here) {
				return
			}
		case <-changed:
		case <-more:
			if !send("event: log\ndata: new\n\n") {
				return
			}
		case <-done:
			if !send("event: work\ndata: done\n\n") {
				return
			}
		}
	}
}

// sessionOver says whether a session is over for good. A registry that has not been
// confirmed for a while ends no page: it refuses the next one until it has.
func sessionOver(view *snapshot.View, key id.Session, now time.Time) bool {
	x, ok := view.Sessions.Get(key)
	return !ok || !signin.Stands(view, x, now)
}

// streams counts those that are open.
type streams struct {
	mu  sync.Mutex
	of  map[id.Person]int
	all int
}

// begin reports whether the person may have one more.
func (x *streams) begin(who id.Person) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.of[who] >= liveEach || x.all >= liveAll {
		return false
	}
	x.of[who]++
	x.all++
	return true
}

func (x *streams) end(who id.Person) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.all--
	if x.of[who]--; x.of[who] == 0 {
		delete(x.of, who)
	}
}
