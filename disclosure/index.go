package disclosure

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/problem"
)

// Options are what an index needs beside its log. Both may be nil.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger

	segment uint64 // entries of a segment, for tests
}

// Index answers who was given what. It is safe for concurrent use; Run or Update
// keeps it with the log.
type Index struct {
	asked chan struct{} // somebody waits for the index to be where the log is

	dir    string
	span   uint64 // entries of a segment
	log    *audit.Log
	origin [32]byte
	now    func() time.Time
	logger *slog.Logger

	adding chan struct{} // who adds up much at once: the machine has other work

	one     sync.Mutex // whoever makes it grow
	tickets map[uint64]uint32
	waiting []string // pseudonyms in front of their outcome
	parts   uint64   // how many entries they came in

	mu       sync.RWMutex
	segments []*segment
	tail     *builder
	dict     *dict
	chain    [32]byte      // of the newest segment's head
	next     uint64        // the next entry to take
	grew     chan struct{} // closed when next grows; nil: nobody waits
	again    bool          // what is there is to be thrown away
	made     int           // how often it was thrown away
	cancel   context.CancelFunc
}

// Bounds.
const (
	maxTickets  = 1 << 17 // intents remembered for their outcomes; others are read again
	patience    = 5 * time.Second
	retryAfter  = 5 * time.Second
	reportEvery = 10 * time.Second
	atATime     = 2    // large sums
	chunkLen    = 4096 // entries that one goroutine decodes at a time
)

// Open reads what there is of the index of a log, and drops what is not of it.
// The index is behind the log until Run or Update has brought it there.
func Open(dir string, log *audit.Log, o Options) (*Index, error) {
	if log == nil {
		return nil, errors.New("disclosure: a log is required")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the index's folder: %w", err)
	}
	x := &Index{asked: make(chan struct{}, 1), dir: dir, adding: make(chan struct{}, atATime), span: cmp.Or(o.segment, segmentSize), log: log, origin: sha256.Sum256([]byte(log.Origin())), now: o.Now, logger: o.Logger}
	if x.now == nil {
		x.now = time.Now
	}
	if x.logger == nil {
		x.logger = slog.New(slog.DiscardHandler)
	}
	return x, x.load()
}

// load reads the segments that are of this log.
func (x *Index) load() error {
	x.clear()
	if err := x.sweep(".new"); err != nil {
		return err
	}
	size := x.log.Size()
	var roots [][32]byte
	var reason error
	for n := uint64(0); (n+1)*x.span <= size; n++ {
		s, h, err := readSegment(x.dir, n, x.span, x.origin, x.chain, x.dict)
		if err != nil {
			if !errors.Is(err, os.ErrNotExist) {
				reason = err
			}
			break
		}
		x.segments, x.chain = append(x.segments, s), sha256.Sum256(h.encode())
		roots = append(roots, h.root)
	}
	if n := uint64(len(roots)); n > 0 {
		// The tree's hash at the end covers every entry before it.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		root, err := x.log.Root(ctx, n*x.span)
		cancel()
		if err != nil || root != audit.Digest(roots[n-1]) {
			x.logger.Warn("disclosure: the index is of another log, or of one that has changed: it is made again", "segments", n, "err", err)
			x.clear()
		}
	}
	if reason != nil {
		x.logger.Warn("disclosure: a part of the index does not read: it is made again from there", "from", uint64(len(x.segments))*x.span, "err", reason)
	}
	x.next = uint64(len(x.segments)) * x.span
	x.tail = newBuilder(x.next, x.span, x.dict)
	return x.drop(uint64(len(x.segments)))
}

// clear forgets everything in memory.
func (x *Index) clear() {
	x.segments, x.dict, x.chain, x.next = nil, newDict(), [32]byte{}, 0
	x.tail = newBuilder(0, x.span, x.dict)
	x.tickets, x.waiting, x.parts = map[uint64]uint32{}, nil, 0
}

// drop removes the files of segments from the n-th on, also such as lie beyond a gap.
func (x *Index) drop(n uint64) error {
	names, err := filepath.Glob(filepath.Join(x.dir, "*.seg"))
	if err != nil {
		return err
	}
	keep := segmentFile(x.dir, n)
	for _, name := range names {
		if name >= keep || len(name) != len(keep) {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("removing a part of the index: %w", err)
			}
		}
	}
	return nil
}

func (x *Index) sweep(suffix string) error {
	names, err := filepath.Glob(filepath.Join(x.dir, "*"+suffix))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			return fmt.Errorf("removing a part of the index: %w", err)
		}
	}
	return nil
}

// Standing is how many entries of the log the index covers, and how many the log has.
func (x *Index) Standing() (covered, size uint64) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.next, max(x.next, x.log.Size())
}

// Run keeps the index with the log until ctx ends. It is called once.
func (x *Index) Run(ctx context.Context) {
	for ctx.Err() == nil {
		inner, cancel := context.WithCancel(ctx)
		x.mu.Lock()
		x.cancel = cancel
		x.mu.Unlock()
		err := x.run(inner)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, context.Canceled) { // Rebuild asked for it
			continue
		}
		x.logger.ErrorContext(ctx, "disclosure: the index stands still and will be tried again; questions about disclosures are refused", "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

func (x *Index) run(ctx context.Context) error {
	if err := x.Update(ctx); err != nil {
		return err
	}
	for {
		covered, _ := x.Standing()
		// Wakes on the next entry; a backlog is then read faster than one by one.
		err := x.log.Follow(ctx, covered, func(uint64, audit.Entry) error { return errWake })
		if !errors.Is(err, errWake) {
			return err
		}
		if err := x.Update(ctx); err != nil {
			return err
		}
		// A busy log grows at each moment. To follow it entry by entry would cost the
		// releases that write it, so it is followed in strides, and at once for a question.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-x.asked:
		case <-time.After(stride):
		}
	}
}

// stride is how long the index lets the log grow.
const stride = 500 * time.Millisecond

var errWake = errors.New("there is something")

// Rebuild throws the index away. Run, or the next Update, makes it again; until then
// every question is refused.
func (x *Index) Rebuild() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rebuild()
}

func (x *Index) rebuild() {
	x.again = true
	x.made++
	if x.cancel != nil {
		x.cancel()
	}
}

// Update brings the index to where the log is now.
func (x *Index) Update(ctx context.Context) error {
	x.one.Lock()
	defer x.one.Unlock()
	if err := x.anew(); err != nil {
		return err
	}
	from, to := x.next, x.log.Size()
	began, told := x.now(), x.now()
	for x.next < to {
		if err := x.take(ctx, min(to, x.next+chunkLen*uint64(runtime.GOMAXPROCS(0)))); err != nil {
			return fmt.Errorf("reading the log at %d: %w", x.next, err)
		}
		if now := x.now(); now.Sub(told) >= reportEvery {
			told = now
			x.logger.InfoContext(ctx, "disclosure: making the index from the log", "at", x.next, "of", to)
		}
	}
	if to-from >= segmentSize {
		x.logger.InfoContext(ctx, "disclosure: the index is with the log", "from", from, "to", to, "took", x.now().Sub(began).String())
	}
	return nil
}

// anew throws everything away if somebody asked for it.
func (x *Index) anew() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.again {
		return nil
	}
	x.clear()
	if err := x.drop(0); err != nil {
		return err
	}
	x.again = false
	return nil
}

// take reads the entries up to, not including, to: decoded by several, taken in order.
func (x *Index) take(ctx context.Context, to uint64) error {
	type part struct {
		entries []audit.Entry
		err     error
	}
	var parts []chan part
	for from := x.next; from < to; from += chunkLen {
		c := make(chan part, 1)
		parts = append(parts, c)
		go func() {
			var p part
			p.err = x.log.Scan(ctx, from, min(to, from+chunkLen), func(_ uint64, e audit.Entry) error {
				p.entries = append(p.entries, e)
				return nil
			})
			c <- p
		}()
	}
	var failed error
	for _, c := range parts {
		p := <-c // every one, so that no goroutine is left behind
		for i := range p.entries {
			if failed != nil {
				break
			}
			failed = x.entry(ctx, &p.entries[i])
		}
		if failed == nil {
			failed = p.err
		}
	}
	return failed
}

// entry takes the next entry of the log.
func (x *Index) entry(ctx context.Context, e *audit.Entry) error {
	var found *audit.Intent
	var patients []string
	if o := e.Outcome; o != nil {
		if _, ok := x.tickets[o.Ticket]; !ok {
			was, err := x.log.Entry(ctx, o.Ticket)
			if err != nil {
				return err
			}
			if was.Intent == nil {
				return fmt.Errorf("entry %d names entry %d as its intent, which is none", e.Index, o.Ticket)
			}
			found = was.Intent
		}
		var err error
		if patients, err = x.patients(ctx, e); err != nil {
			return err
		}
	}
	x.mu.Lock()
	b, d := x.tail, x.dict
	switch {
	case e.Intent != nil:
		facts := d.facts(e.Intent)
		if len(x.tickets) >= maxTickets {
			clear(x.tickets)
		}
		x.tickets[e.Index] = facts
		b.intent(e, facts)
	case e.Refusal != nil:
		b.refusal(e, d.facts(&e.Refusal.Intent), d)
	case e.Outcome != nil:
		facts, ok := x.tickets[e.Outcome.Ticket]
		if !ok {
			facts = d.facts(found)
		}
		b.outcome(e, facts, patients, d)
		if e.Outcome.Final {
			delete(x.tickets, e.Outcome.Ticket)
		} else {
			x.tickets[e.Outcome.Ticket] = facts
		}
	}
	if e.Patients != nil {
		x.waiting, x.parts = append(x.waiting, e.Patients.Patients...), x.parts+1
	} else {
		x.waiting, x.parts = nil, 0
	}
	x.next = e.Index + 1
	full := x.next == b.base+x.span
	if x.grew != nil {
		close(x.grew)
		x.grew = nil
	}
	x.mu.Unlock()
	if full {
		return x.seal(ctx)
	}
	return nil
}

// patients are those of an outcome and of the entries right before it.
func (x *Index) patients(ctx context.Context, e *audit.Entry) ([]string, error) {
	o := e.Outcome
	list := x.waiting
	if x.parts != o.Parts { // the index was opened between them
		list = nil
		for at := e.Index - min(o.Parts, e.Index); at < e.Index; at++ {
			part, err := x.log.Entry(ctx, at)
			if err != nil {
				return nil, err
			}
			if part.Patients == nil || part.Patients.Ticket != o.Ticket {
				return nil, fmt.Errorf("entry %d has %d parts, and entry %d is none of them", e.Index, o.Parts, at)
			}
			list = append(list, part.Patients.Patients...)
		}
	}
	list = append(list, o.Patients...)
	if uint64(len(list)) != o.PatientCount {
		return nil, fmt.Errorf("entry %d counts %d patients and names %d", e.Index, o.PatientCount, len(list))
	}
	return list, nil
}

// seal makes the full tail a segment. Until its file is there, questions are answered
// from memory; if it cannot be made, the index stands still where it is.
func (x *Index) seal(ctx context.Context) error {
	end := x.tail.base + x.span
	root, err := x.log.Root(ctx, end)
	if err != nil {
		x.unfinished()
		return err
	}
	s, chain, err := x.tail.write(x.dir, x.tail.base/x.span, x.origin, x.chain, root, x.dict)
	if err != nil {
		x.unfinished()
		return fmt.Errorf("writing the index: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.segments, x.chain = append(x.segments, s), chain
	x.tail = newBuilder(end, x.span, x.dict)
	return nil
}

// unfinished takes the index back to the last segment that has a file, so that the
// next Update begins there. Numbers that the dictionary gave are kept: the same
// entries get the same ones again.
func (x *Index) unfinished() {
	x.mu.Lock()
	defer x.mu.Unlock()
	from := x.tail.from
	x.tail = newBuilder(x.tail.base, x.span, x.dict)
	x.tail.from = from
	x.next = x.tail.base
	x.tickets, x.waiting, x.parts = map[uint64]uint32{}, nil, 0
}

// shot is the index at one moment.
type shot struct {
	words
	x        *Index
	made     int
	origin   string
	segments []*segment
	through  uint64
}

// shot waits until the index covers what was in the log when it was asked for: an
// answer about disclosures that lacks the newest is wrong.
func (x *Index) shot(ctx context.Context) (*shot, error) {
	want := x.log.Size()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		x.mu.Lock()
		if !x.again && x.next >= want {
			s := &shot{words: x.dict.words(), x: x, made: x.made, origin: x.log.Origin(), through: x.next}
			s.segments = append(append(s.segments, x.segments...), x.tail.segment())
			x.mu.Unlock()
			return s, nil
		}
		if x.grew == nil {
			x.grew = make(chan struct{})
		}
		grew, next := x.grew, x.next
		x.mu.Unlock()
		select {
		case x.asked <- struct{}{}:
		default: // it has been asked already
		}
		select {
		case <-grew:
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil, problem.New(problem.Unavailable, fmt.Sprintf("The index of disclosures is being made: it covers %d of the log's %d entries", next, want),
			"Ask again in a moment; an answer that lacks the newest releases would be wrong")
	}
}

// damaged has the index made again, after a part of it did not read, if nobody has
// done so since the shot.
func (s *shot) damaged(ctx context.Context, err error) error {
	if !errors.Is(err, errDamaged) {
		return err
	}
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if s.x.made == s.made {
		s.x.logger.ErrorContext(ctx, "disclosure: a part of the index does not read: it is made again", "err", err)
		s.x.rebuild()
	}
	return problem.New(problem.Unavailable, "The index of disclosures is being made again from the log", "Ask again in a few minutes").Because(err)
}
