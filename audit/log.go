package audit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// What can go wrong with a log; errors wrap one of these or ErrEntry.
var (
	// ErrUnavailable: the entry is not known to be durable, so nothing that depends
	// on it may happen. After a failed write the log stays so until it is opened anew.
	// These errors are problems (problem.Unavailable), fit for the caller.
	ErrUnavailable = errors.New("audit: the log cannot record")
	// ErrDamaged: what is on the disk is not what the log wrote.
	ErrDamaged = errors.New("audit: the log is damaged")
	// ErrLocked: another process has the log open.
	ErrLocked = errors.New("audit: the log is in use")
	// ErrConflict: an act with this id, but other content, is in the log.
	ErrConflict = errors.New("audit: another act has this id")
	// ErrNotFound: the log has no such entry.
	ErrNotFound = errors.New("audit: no such entry")
)

// Bounds on what waits in memory.
const (
	maxQueued   = 16 << 20 // not yet written: beyond it the log refuses
	maxPending  = 64 << 20 // written, not yet in the tree: beyond it the committer waits
	batchBytes  = 4 << 20
	maxSpare    = 1024    // buffers kept for new batches
	eagerBytes  = 8 << 20 // integrate at once
	clockSlack  = 2 * time.Second
	defInterval = 500 * time.Millisecond
)

// Options says where a log is and who signs it.
type Options struct {
	Dir      string        // the log's directory; made if it is not there
	Origin   string        // the log's name, and the name of its key
	Signer   note.Signer   // Ed25519, named Origin
	Verifier note.Verifier // of the same key
	Now      func() time.Time
	FS       FS // nil for the real one at Dir
	Logger   *slog.Logger
	Interval time.Duration // between checkpoints while entries come; 0 for 500 ms

	segment int64 // bytes after which a journal segment ends; for tests
}

// Log is an open log. It has two goroutines, the committer, which writes the
// journal, and the integrator, which grows the tree; Close waits for both.
type Log struct {
	origin   string
	signer   note.Signer
	verifier note.Verifier
	now      func() time.Time
	fs       FS
	logger   *slog.Logger
	interval time.Duration
	lock     io.Closer
	journal  *journal
	tree     *tree // the integrator's

	mu           sync.Mutex
	room         sync.Cond // pendingBytes fell, or failed
	queue        []*batch  // the last one is filling
	inflight     *batch    // being written
	queued       int
	next         uint64 // the next index to give
	last         int64  // the newest entry's time, in Unix nanoseconds
	durable      uint64
	pending      []*batch // durable, not yet under a checkpoint
	pendingBytes int
	spare        []batch // whose buffers are used again
	size         uint64  // under the checkpoint
	root         tlog.Hash
	checkpoint   []byte
	published    chan struct{} // closed at the next checkpoint
	grew         chan struct{} // closed when durable grows, or the log fails
	failed       error
	closed       bool
	index        *index

	commit    chan struct{}
	integrate chan struct{}
	stop      chan struct{}
	drained   chan struct{} // the committer has ended
	done      chan struct{} // the integrator has ended
}

// Open opens the log at o.Dir, or makes a new one in an empty directory, and
// puts into the tree what the journal holds beyond it. It refuses a log that
// another process has open or whose files are not what was written.
func Open(o Options) (*Log, error) {
	switch {
	case !CheckOrigin(o.Origin):
		return nil, fmt.Errorf("audit: origin %q: give the log a name such as hospital.example/sallyport/node1", o.Origin)
	case o.Signer == nil || o.Verifier == nil || o.Now == nil:
		return nil, errors.New("audit: a log needs Signer, Verifier and Now")
	case o.Signer.Name() != o.Origin || o.Verifier.Name() != o.Origin || o.Signer.KeyHash() != o.Verifier.KeyHash():
		return nil, fmt.Errorf("audit: the signer and verifier must be one key, with the log's origin %q as its name", o.Origin)
	}
	l := &Log{
		origin: o.Origin, signer: o.Signer, verifier: o.Verifier, now: o.Now, fs: o.FS,
		logger: o.Logger, interval: o.Interval,
		published: make(chan struct{}), grew: make(chan struct{}),
		commit: make(chan struct{}, 1), integrate: make(chan struct{}, 1),
		stop: make(chan struct{}), drained: make(chan struct{}), done: make(chan struct{}),
	}
	l.room.L = &l.mu
	if l.fs == nil {
		if err := makeRoot(o.Dir); err != nil {
			return nil, err
		}
		l.fs = DirFS(o.Dir)
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.interval <= 0 {
		l.interval = defInterval
	}
	var err error
	if l.lock, err = l.fs.Lock("lock"); err != nil {
		return nil, err
	}
	if o.segment <= 0 {
		o.segment = segmentBytes
	}
	if err := l.load(o.segment); err != nil {
		l.lock.Close()
		return nil, err
	}
	go l.committer()
	go l.integrator()
	return l, nil
}

// load reads the disk, before the goroutines begin.
func (l *Log) load(segment int64) error {
	signed, err := l.fs.ReadFile(checkpointFile)
	fresh := errors.Is(err, fs.ErrNotExist)
	if err != nil && !fresh {
		return err
	}
	if fresh {
		if err := l.mustBeEmpty(); err != nil {
			return err
		}
		l.tree = &tree{fs: l.fs, dirs: newDirs(l.fs)}
	} else {
		n, root, err := parseCheckpoint(signed, l.origin, l.verifier)
		if err != nil {
			return err
		}
		if l.tree, err = loadTree(l.fs, n, root); err != nil {
			return err
		}
		l.size, l.root, l.checkpoint = n, root, signed
	}
	for _, dir := range []string{journalDir, "tile", indexDir, tempDir} {
		if err := l.tree.dirs.make(dir); err != nil {
			return err
		}
	}
	if err := l.tree.dirs.sync(); err != nil {
		return err
	}
	if err := l.tree.clearTemp(); err != nil {
		return err
	}
	l.next, l.durable = l.size, l.size
	if fresh {
		// Before the first entry, so that from now on a missing checkpoint is damage.
		if err := l.publish(); err != nil {
			return err
		}
	}
	if l.index, err = loadIndex(l); err != nil {
		return err
	}
	var cut uint64
	replayed := uint64(0)
	l.journal, cut, err = recoverJournal(l.fs, l.size, segment, func(at uint64, entry []byte) error {
		replayed++
		l.index.add(at, entry)
		l.last = max(l.last, entryTime(entry))
		return l.tree.add(entry)
	})
	if err != nil {
		return err
	}
	if replayed > 0 {
		l.next, l.durable = l.tree.n, l.tree.n
		if err := l.publish(); err != nil {
			return err
		}
		if err := l.journal.trim(l.size); err != nil {
			return err
		}
	}
	if cut > 0 {
		l.logger.Warn("audit: an unfinished write was cut from the journal; nothing in it had been acknowledged", "bytes", cut, "replayed", replayed)
		var e encoder
		e.recovery(l.origin, &Recovery{Replayed: replayed, Cut: cut})
		if _, _, err := l.enqueue(e.b); err != nil {
			return err
		}
	}
	return nil
}

// mustBeEmpty refuses to begin a new log on top of what is left of an old one.
func (l *Log) mustBeEmpty() error {
	for _, dir := range []string{journalDir, "tile"} {
		names, err := l.fs.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return fmt.Errorf("%w: there is no checkpoint, but %s is not empty; restore the checkpoint, or give a new log a directory of its own", ErrDamaged, dir)
		}
	}
	return nil
}

// enqueue stamps entries with the time, gives them their indexes, which follow
// on each other, and puts them into the group commit that is filling.
func (l *Log) enqueue(entries ...[]byte) (first uint64, b *batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.enqueueNow(entries...)
}

func (l *Log) enqueueNow(entries ...[]byte) (first uint64, b *batch, err error) {
	first, b, err = l.enqueueLocked(entries...)
	if err == nil {
		b.wanted = true
		l.kick()
	}
	return first, b, err
}

// enqueueLater is enqueue for an entry for which nobody waits yet: it goes with
// the next commit that somebody waits for, or with one of its own after
// laterDelay. Its own sync would cost the disk, and those who wait, for nothing.
func (l *Log) enqueueLater(entry []byte) (first uint64, b *batch, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, b, err = l.enqueueLocked(entry)
	if err == nil && !b.wanted && !b.timed {
		b.timed = true
		time.AfterFunc(laterDelay, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			b.wanted = true
			l.kick()
		})
	}
	return first, b, err
}

// laterDelay is how long an intent may wait for company.
const laterDelay = 2 * time.Millisecond

// want has the batch committed without delay.
func (l *Log) want(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.wanted = true
	l.kick()
}

// kick wakes the committer.
func (l *Log) kick() {
	select {
	case l.commit <- struct{}{}:
	default:
	}
}

func (l *Log) enqueueLocked(entries ...[]byte) (first uint64, b *batch, err error) {
	if err := l.refusing(); err != nil {
		return 0, nil, err
	}
	now, err := l.clock()
	if err != nil {
		return 0, nil, err
	}
	size := 0
	for _, e := range entries {
		size += len(e) + 2
	}
	if l.queued+size > maxQueued {
		return 0, nil, unavailable(fmt.Errorf("%d bytes wait for the disk already", l.queued))
	}
	l.last = now
	if n := len(l.queue); n > 0 && len(l.queue[n-1].buf) < batchBytes {
		b = l.queue[n-1]
	} else {
		if n > 0 {
			l.queue[n-1].wanted = true // full
			l.kick()
		}
		b = l.newBatch()
		l.queue = append(l.queue, b)
	}
	first = l.next
	at := time.Unix(0, now)
	for _, e := range entries {
		stamp(e, at)
		b.add(e)
		l.index.add(l.next, e)
		l.next++
	}
	l.queued += size
	return first, b, nil
}

// clock is the next entry's time, in Unix nanoseconds. It never runs back: a
// little is bridged, and more is refused until the clock is right.
func (l *Log) clock() (int64, error) {
	now := l.now().UnixNano()
	if l.last-now > int64(clockSlack) {
		return 0, unavailable(fmt.Errorf("the clock is %v behind the newest entry; set it right", time.Duration(l.last-now).Round(time.Second)))
	}
	return max(now, l.last), nil
}

func (l *Log) newBatch() *batch {
	b := &batch{first: l.next, done: make(chan struct{})}
	if n := len(l.spare); n > 0 {
		b.buf, b.at = l.spare[n-1].buf[:frameHead], l.spare[n-1].at[:0]
		l.spare = l.spare[:n-1]
	} else {
		b.buf = make([]byte, frameHead, 4<<10)
	}
	return b
}

func (l *Log) refusing() error {
	if l.failed != nil {
		return l.failed
	}
	if l.closed {
		return unavailable(errors.New("it is closed"))
	}
	return nil
}

// unavailable is ErrUnavailable with its cause, which goes to the log and not to
// the reader.
func unavailable(cause error) error {
	return problem.New(problem.Unavailable, "The audit log cannot record now, so nothing was released or changed",
		"Try again in a moment; if it goes on, the operator must look at the log's disk and clock").
		Because(fmt.Errorf("%w: %w", ErrUnavailable, cause))
}

// wait returns when the batch is durable. If ctx ends first the entries of the
// batch may become durable all the same.
func (b *batch) wait(ctx context.Context) error {
	select {
	case <-b.done:
		return b.err
	default:
	}
	select {
	case <-b.done:
		return b.err
	case <-ctx.Done():
		return unavailable(fmt.Errorf("gave up waiting: %w", context.Cause(ctx)))
	}
}

// committer writes one batch after the other. While one is being written the
// next one fills, so the disk's latency decides how many entries share a sync.
func (l *Log) committer() {
	defer close(l.drained)
	for {
		stopping := false
		select {
		case <-l.commit:
		case <-l.stop:
			stopping = true
		}
		for {
			runtime.Gosched() // whoever is about to record may come along
			b := l.take()
			if b == nil {
				break
			}
			l.finish(b, l.journal.append(b))
		}
		if stopping {
			return
		}
	}
}

// take removes the next batch from the queue, once there is room behind it.
func (l *Log) take() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.pendingBytes > maxPending && l.failed == nil {
		l.room.Wait()
	}
	if l.failed != nil || len(l.queue) == 0 || !l.queue[0].wanted && !l.closed {
		return nil
	}
	b := l.queue[0]
	l.queue = l.queue[1:]
	l.inflight = b
	return b
}

func (l *Log) finish(b *batch, err error) {
	size := len(b.buf) - frameHead
	l.mu.Lock()
	l.queued = max(0, l.queued-size)
	l.inflight = nil
	if err == nil {
		l.durable = b.next()
		l.wakeLocked()
		l.pending = append(l.pending, b)
		l.pendingBytes += size
	} else {
		b.err = l.failLocked(fmt.Errorf("write the journal: %w", err))
	}
	l.mu.Unlock()
	close(b.done)
	select {
	case l.integrate <- struct{}{}:
	default:
	}
}

func (l *Log) wakeLocked() {
	close(l.grew)
	l.grew = make(chan struct{})
}

// failLocked ends the log: after a failed write or sync nobody knows what the
// disk holds, and the kernel may report a failed fsync only once, so there is no
// second try. Opening the log anew reads what is really there.
func (l *Log) failLocked(cause error) error {
	if l.failed == nil {
		l.failed = unavailable(fmt.Errorf("%w; restart once the disk is well", cause))
		l.logger.Error("audit: the log has failed and refuses until it is opened anew", "err", cause)
	}
	for _, b := range l.queue {
		b.err = l.failed
		close(b.done)
	}
	l.queue, l.queued = nil, 0
	l.room.Broadcast()
	l.wakeLocked()
	return l.failed
}

// Close records and publishes what was queued, and lets go of the directory.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		<-l.done
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	close(l.stop)
	<-l.done
	l.mu.Lock()
	failed, size := l.failed, l.size
	l.mu.Unlock()
	if failed != nil {
		size = 0 // keep every segment
	}
	return errors.Join(failed, l.journal.close(size), l.lock.Close())
}

// Origin is the log's name, which every entry carries.
func (l *Log) Origin() string { return l.origin }

// Size is how many entries are durable.
func (l *Log) Size() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Checkpoint is the newest published one: a signed note.
func (l *Log) Checkpoint() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkpoint
}

// Err is nil while the log can record, for a health check.
func (l *Log) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refusing(); err != nil {
		return err
	}
	_, err := l.clock()
	return err
}

// actKey is how the index knows an act.
func actKey(a id.Act) [16]byte {
	h := sha256.Sum256([]byte(a))
	return [16]byte(h[:16])
}
