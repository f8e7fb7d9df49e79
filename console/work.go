package console

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// work is what takes longer than a page may: it is begun by a page, goes on when the
// visitor leaves, and its answer is kept for a while for whoever asks the same. A page
// shows the answer, or that it is being worked out; live pages hear "work" when one is
// done, and others have a link to look again.
type work struct {
	s *server

	mu   sync.Mutex
	jobs map[string]*job
	next []*job // begun by a page, and waiting for a turn
	some chan struct{}
	more chan struct{} // closed when one is done
}

const (
	// workKept is how many answers are kept, the newest.
	workKept = 64
	// workWaits bounds what may wait for a turn.
	workWaits = 32
	// workTurns is how many are worked out at once.
	workTurns = 2
	// workWait is how long a page waits: most answers are there by then.
	workWait = 100 * time.Millisecond
	// workRest is how many times as long as an answer took it is kept, whatever changes.
	workRest = 20
	// workLimit is how long one may take.
	workLimit = 5 * time.Minute
)

// job is one question, its newest answer, and the answer on the way.
type job struct {
	key     string
	do      func(context.Context) (any, error)
	asked   time.Time // last
	begun   time.Time // zero: none is on the way
	answer  any
	err     error
	at      time.Time     // when the answer was begun to be worked out; zero: there is none
	took    time.Duration // by the machine's clock
	stamp   string        // of what it was made from
	doing   string        // the stamp of the answer on the way
	settled chan struct{}
}

func newWork(s *server) *work {
	return &work{s: s, jobs: map[string]*job{}, some: make(chan struct{}, 1), more: make(chan struct{})}
}

// run works until ctx ends, and waits for what is under way.
func (w *work) run(ctx context.Context) {
	var turns sync.WaitGroup
	for range workTurns {
		turns.Go(func() {
			for {
				for j := w.take(); j != nil && ctx.Err() == nil; j = w.take() {
					w.one(ctx, j)
				}
				select {
				case <-ctx.Done():
					return
				case <-w.some:
				}
			}
		})
	}
	turns.Wait()
}

// take is the next that waits; another turn is woken where more do.
func (w *work) take() *job {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.next) == 0 {
		return nil
	}
	j := w.next[0]
	w.next = w.next[1:]
	if len(w.next) > 0 {
		w.wake()
	}
	return j
}

func (w *work) wake() {
	select {
	case w.some <- struct{}{}:
	default: // somebody is called already
	}
}

func (w *work) one(ctx context.Context, j *job) {
	ctx, cancel := context.WithTimeout(ctx, workLimit)
	defer cancel()
	begun := time.Now()
	answer, err := w.answer(ctx, j)
	if err != nil {
		what, _, _ := strings.Cut(j.key, " ") // what follows may be as somebody typed it
		w.s.Logger.InfoContext(ctx, "something that a page asked for could not be worked out", "what", what, "err", fmt.Sprintf("%T", err))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	j.answer, j.err, j.at, j.begun, j.stamp, j.took = answer, err, j.begun, time.Time{}, j.doing, time.Since(begun)
	close(j.settled)
	close(w.more)
	w.more = make(chan struct{})
}

// answer asks the job. A job runs outside any request: what would end one page only
// must not end the process, and with it the gateway.
func (w *work) answer(ctx context.Context, j *job) (answer any, err error) {
	defer func() {
		if v := recover(); v != nil {
			what := fmt.Sprintf("%T", v) // anything but a run-time error may quote what was worked on
			if e, ok := v.(runtime.Error); ok {
				what = e.Error()
			}
			w.s.Logger.ErrorContext(ctx, "working out what a page asked for panicked; this is a defect", "panic", what, "stack", string(debug.Stack()))
			answer, err = nil, problem.New(problem.Internal, "This could not be worked out", "Tell the operator: the server's log says where it went wrong")
		}
	}()
	return j.do(ctx)
}

// More is closed when something is done.
func (w *work) More() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.more
}

// worked is what a page has of an answer.
type worked[T any] struct {
	Answer T
	Known  bool      // there is an answer
	At     time.Time // as of when
	Busy   bool      // one, or a newer one, is being worked out
	Since  time.Time // since when
	Full   bool      // too much waits: ask again later
	Here   string    // the page that asks
}

// workOut is the answer to a question by its key. The key says everything that the
// answer depends on but what changes by itself, which the stamp says: the registry's
// version, the log's size. Where the stamp has changed a newer answer is begun, but an
// answer that took long is kept for a while, so that a busy log is not counted without
// end; until the newer one is there, the page has the older.
func workOut[T any](v *visit, key, stamp string, do func(context.Context) (T, error)) (worked[T], error) {
	w := v.s.work
	w.mu.Lock()
	j, ok := w.jobs[key]
	if !ok {
		j = &job{key: key, asked: v.Now}
		w.jobs[key] = j
		w.forget()
	}
	j.asked = v.Now
	full := false
	stale := j.at.IsZero() || j.err != nil || j.stamp != stamp && v.Now.Sub(j.at) >= workRest*j.took
	if j.begun.IsZero() && stale {
		if len(w.next) >= workWaits {
			full = true
		} else {
			j.begun, j.doing, j.settled = v.Now, stamp, make(chan struct{})
			j.do = func(ctx context.Context) (any, error) { return do(ctx) }
			w.next = append(w.next, j)
			w.wake()
		}
	}
	busy, settled := !j.begun.IsZero(), j.settled
	w.mu.Unlock()
	if busy {
		wait := time.NewTimer(workWait)
		defer wait.Stop()
		select {
		case <-settled:
		case <-wait.C:
		case <-v.Context().Done():
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	out := worked[T]{At: j.at, Busy: !j.begun.IsZero(), Since: j.begun, Full: full, Here: v.URL.RequestURI()}
	if j.err != nil && !out.Busy {
		return out, j.err
	}
	if a, ok := j.answer.(T); ok && j.err == nil && !j.at.IsZero() {
		out.Answer, out.Known = a, true
	}
	return out, nil
}

// forget drops the answers that nobody asked for the longest. The caller holds mu.
func (w *work) forget() {
	for len(w.jobs) > workKept {
		var old []*job
		for _, j := range w.jobs {
			if j.begun.IsZero() {
				old = append(old, j)
			}
		}
		if len(old) == 0 {
			return // all are on the way; workWaits bounds them
		}
		delete(w.jobs, slices.MinFunc(old, func(a, b *job) int { return a.asked.Compare(b.asked) }).key)
	}
}
