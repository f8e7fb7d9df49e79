package signin

import (
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// Room bounds how much of what is sent is in memory at once: of one person, and of all
// together. A body with a document is read whole, and copied some four times before it is
// a record. How often somebody may send, a Limit says; it does not bound how many are sent
// at the same time.
type Room struct {
	all, each int64

	mu    sync.Mutex
	total int64
	of    map[string]int64
}

// smallBody is no matter, however many are sent.
const smallBody = 64 << 10

// NewRooms are those of a door: for the organisation's own people, and apart from it for
// everybody else, so that a vendor leaves them theirs.
func NewRooms() (ours, theirs *Room) { return NewRoom(128<<20, 40<<20), NewRoom(64<<20, 24<<20) }

// NewRoom has room for so many bytes of everybody's, and of each one's.
func NewRoom(all, each int64) *Room { return &Room{all: all, each: each, of: map[string]int64{}} }

// Take makes room for the request's body, of which at most so many bytes are read. Without
// an error the caller calls leave when nothing holds the body any more.
func (x *Room) Take(r *http.Request, who string, most int64) (leave func(), err error) {
	n := r.ContentLength
	if n < 0 || n > most {
		n = most
	}
	if n <= smallBody {
		return func() {}, nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.of[who]+n > x.each:
		return nil, problem.New(problem.TooMany, "You are sending too much at once", "Wait until what you sent before has been taken, and try again").After(time.Second)
	case x.total+n > x.all:
		return nil, problem.New(problem.Unavailable, "Too much is being sent at once", "Try again in a moment").After(time.Second)
	}
	x.total += n
	x.of[who] += n
	return sync.OnceFunc(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.total -= n
		if x.of[who] -= n; x.of[who] == 0 {
			delete(x.of, who)
		}
	}), nil
}
