package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sallyport/sallyport/id"
)

var encoders = sync.Pool{New: func() any { return &encoder{b: make([]byte, 0, 2048)} }}

func getEncoder() *encoder {
	e := encoders.Get().(*encoder)
	e.b, e.err = e.b[:0], nil
	return e
}

var errOrder = errors.New("audit: not made by the step before it")

// Pending is an intent on its way to the disk.
type Pending struct {
	log    *Log
	batch  *batch
	err    error
	ticket Ticket
}

// Begin queues an intent and returns at once, so that its commit can overlap a
// read from the upstream. Nothing may be written upstream before Wait has
// returned; a release needs a Receipt, which no intent but a durable one can have.
func (l *Log) Begin(in Intent) *Pending {
	e := getEncoder()
	defer encoders.Put(e)
	e.intent(l.origin, &in)
	if e.err != nil {
		return &Pending{err: e.err}
	}
	p := &Pending{log: l}
	p.ticket.log, p.ticket.decision = l, in.Decision
	p.ticket.index, p.batch, p.err = l.enqueueLater(e.b)
	return p
}

// Ticket returns at once, for a release that is only a read of the upstream. The
// journal keeps order: the outcome that Complete records is durable with its
// intent or after it, never before, so one wait covers both.
func (p *Pending) Ticket() (*Ticket, error) {
	if p == nil || p.err == nil && p.batch == nil {
		return nil, fmt.Errorf("%w: a Pending comes from Begin", errOrder)
	}
	if p.err != nil {
		return nil, p.err
	}
	return &p.ticket, nil
}

// Wait returns when the intent is durable. If ctx ends first it may be called again.
func (p *Pending) Wait(ctx context.Context) (*Ticket, error) {
	t, err := p.Ticket()
	if err != nil {
		return nil, err
	}
	p.log.want(p.batch)
	if err := p.batch.wait(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Intend is Begin and Wait.
func (l *Log) Intend(ctx context.Context, in Intent) (*Ticket, error) {
	return l.Begin(in).Wait(ctx)
}

// Ticket is a recorded intent, and the only way to record an outcome.
type Ticket struct {
	log      *Log
	index    uint64
	decision id.Decision

	mu    sync.Mutex
	chunk uint64
	ended bool
}

// Index is the log index of the intent; outcomes name it as their ticket.
func (t *Ticket) Index() uint64 { return t.index }

// Receipt says that the outcome of one release is durable. The gateway needs one
// before the bytes leave, and it covers those bytes only.
type Receipt struct {
	ok       bool
	released bool
	index    uint64
	chunk    uint64
	digest   Digest
	bytes    uint64
}

// Covers reports whether bytes with this SHA-256 and length may leave. The zero
// Receipt, and one for an outcome that released nothing, cover nothing.
func (r Receipt) Covers(sha256 [32]byte, length uint64) bool {
	return r.ok && r.released && r.digest == Digest(sha256) && r.bytes == length
}

// Index is the log index of the outcome.
func (r Receipt) Index() uint64 { return r.index }

// Chunk is the number of the release within its ticket, from 0.
func (r Receipt) Chunk() uint64 { return r.chunk }

// Complete records the outcome of the ticket's next release and returns when it
// is durable. Without a Receipt nothing may leave. A ticket takes outcomes until
// one is Final; after an error from the log it is ended too, because nobody
// knows whether the outcome was recorded.
func (t *Ticket) Complete(ctx context.Context, o Outcome) (Receipt, error) {
	if t == nil || t.log == nil {
		return Receipt{}, fmt.Errorf("%w: a Ticket comes from Wait", errOrder)
	}
	if len(o.Patients) > maxPatients {
		return Receipt{}, fmt.Errorf("%w: patients must be at most %d in one release; release it in chunks", ErrEntry, maxPatients)
	}
	t.mu.Lock()
	if t.ended {
		t.mu.Unlock()
		return Receipt{}, fmt.Errorf("%w: the ticket has ended", errOrder)
	}
	chunk := t.chunk
	index, b, err := t.enqueue(chunk, &o)
	switch {
	case errors.Is(err, ErrEntry):
	case err != nil:
		t.ended = true
	default:
		t.chunk++
		t.ended = o.Final
	}
	t.mu.Unlock()
	if err != nil {
		return Receipt{}, err
	}
	if err := b.wait(ctx); err != nil {
		t.mu.Lock()
		t.ended = true
		t.mu.Unlock()
		return Receipt{}, err
	}
	return Receipt{true, o.Result == Released, index, chunk, o.Digest, o.Bytes}, nil
}

// enqueue queues the outcome, with the pseudonyms that do not fit into it in
// entries right before it and in the same commit, so that a crash keeps all of
// them or none.
func (t *Ticket) enqueue(chunk uint64, o *Outcome) (uint64, *batch, error) {
	e := getEncoder()
	defer encoders.Put(e)
	r := OutcomeRecord{Outcome: *o, Decision: t.decision, Ticket: t.index, Chunk: chunk, PatientCount: uint64(len(o.Patients))}
	room := partBytes - shownLen(o.Shown)
	if len(o.Patients) < room/131 { // fits whatever the pseudonyms' length
		e.outcome(t.log.origin, &r)
		if e.err != nil {
			return 0, nil, e.err
		}
		return t.log.enqueue(e.b)
	}
	parts := split(o.Patients, room)
	entries := make([][]byte, 0, len(parts))
	for i, p := range parts[:len(parts)-1] {
		part := encoder{}
		part.patients(t.log.origin, &PatientsRecord{t.decision, t.index, chunk, uint64(i), p})
		if part.err != nil {
			return 0, nil, part.err
		}
		entries = append(entries, part.b)
	}
	r.Patients = parts[len(parts)-1]
	r.Parts = uint64(len(entries))
	e.outcome(t.log.origin, &r)
	if e.err != nil {
		return 0, nil, e.err
	}
	first, b, err := t.log.enqueue(append(entries, e.b)...)
	return first + r.Parts, b, err
}

// Refuse records a refusal and returns its index when it is durable.
func (l *Log) Refuse(ctx context.Context, r Refusal) (uint64, error) {
	e := getEncoder()
	defer encoders.Put(e)
	e.refusal(l.origin, &r)
	if e.err != nil {
		return 0, e.err
	}
	index, b, err := l.enqueue(e.b)
	if err != nil {
		return 0, err
	}
	return index, b.wait(ctx)
}

// Append records an act and returns its index when it is durable. An act whose id
// is in the log already, from before a restart too, keeps the index that it has;
// if its content differs the error is ErrConflict.
func (l *Log) Append(ctx context.Context, a ActEntry) (uint64, error) {
	e := getEncoder()
	defer encoders.Put(e)
	e.act(l.origin, &a)
	if e.err != nil {
		return 0, e.err
	}
	l.mu.Lock()
	if err := l.refusing(); err != nil {
		l.mu.Unlock()
		return 0, err
	}
	if at, ok := l.index.acts[actKey(a.Act)]; ok {
		b := l.batchOf(at)
		l.mu.Unlock()
		return at, l.sameAct(ctx, at, b, &a)
	}
	index, b, err := l.enqueueNow(e.b)
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return index, b.wait(ctx)
}

func (l *Log) sameAct(ctx context.Context, at uint64, b *batch, a *ActEntry) error {
	if b != nil { // still on its way: the first Append may not have returned yet
		if err := b.wait(ctx); err != nil {
			return err
		}
	}
	was, err := l.Entry(ctx, at)
	if err != nil {
		return err
	}
	if was.Act == nil || *was.Act != *a {
		return fmt.Errorf("%w: %s, at index %d", ErrConflict, a.Act, at)
	}
	return nil
}

// batchOf is the group commit that an entry waits for, or nil if it is durable.
func (l *Log) batchOf(at uint64) *batch {
	for _, b := range l.queue {
		if b.first <= at && at < b.next() {
			return b
		}
	}
	if b := l.inflight; b != nil && b.first <= at && at < b.next() {
		return b
	}
	return nil
}
