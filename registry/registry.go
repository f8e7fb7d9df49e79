package registry

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Registry performs acts and publishes views. It is safe for concurrent use.
type Registry struct {
	o    Options
	view atomic.Pointer[snapshot.View]
	news atomic.Pointer[chan struct{}] // closed and replaced at each publication of another version
	turn chan struct{}                 // held by whoever changes view or talks to the store about acts

	lastAt time.Time // under turn: when the last act was done
	dirty  bool      // under turn: an act of ours may be in the outbox still
}

// Options is what a registry needs. All but those with a default are required.
type Options struct {
	Store    Store
	Log      Log
	Engine   *policy.ActEngine // NewEngine's
	Node     string            // names this process's log; an id
	Settings snapshot.Settings
	Clock    func() time.Time // default time.Now
	Logger   *slog.Logger     // default: discards

	// PollEvery is how often other processes' acts are looked for and the view
	// is confirmed. Default: a twentieth of the snapshot's freshness limit, at
	// least 200 ms and at most 5 s.
	PollEvery time.Duration
	// AtLeast is the registry version that this node's log last recorded. Open
	// refuses a database that stands below it: one set back to an older copy
	// would bring back what was revoked since. 0: not known.
	AtLeast uint64
	// TakeOver is how long an act of another node may stay in the outbox until
	// this node brings it to its own log. Default 10 s.
	TakeOver time.Duration
	// Scan looks at each document before it is stored, under the name ScannedBy; nil:
	// nothing does.
	Scan      Scan
	ScannedBy string
}

// Open loads the registry, after bringing to the log what a crash left in the
// outbox. The caller runs Run beside it.
func Open(ctx context.Context, o Options) (*Registry, error) {
	switch {
	case o.Store == nil || o.Log == nil || o.Engine == nil:
		return nil, errors.New("registry: store, log and engine are required")
	case id.Check(o.Node) != nil:
		return nil, fmt.Errorf("registry: node %q is not an id", o.Node)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.PollEvery == 0 {
		o.PollEvery = min(max(o.Settings.SnapshotFreshness/20, 200*time.Millisecond), 5*time.Second)
	}
	if o.TakeOver == 0 {
		o.TakeOver = 10 * time.Second
	}
	r := &Registry{o: o, turn: make(chan struct{}, 1), dirty: true}
	news := make(chan struct{})
	r.news.Store(&news)
	// Every act is read, each checked against its digest, rather than the present
	// rows: a row altered beside the acts has no effect. Verify finds it.
	r.view.Store((&snapshot.View{}).WithSettings(o.Settings))
	if err := r.catchUp(ctx); err != nil {
		return nil, fmt.Errorf("registry: load: %w", err)
	}
	head, err := o.Store.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("registry: read head: %w", err)
	}
	if head.Seq < o.AtLeast {
		return nil, fmt.Errorf("registry: the database stands at act %d, and the audit log has act %d: it was set back; restore the newest copy", head.Seq, o.AtLeast)
	}
	return r, nil
}

func (r *Registry) build(records []snapshot.Record, version, logIndex uint64, at time.Time) *snapshot.View {
	e := (&snapshot.View{Settings: r.o.Settings}).Edit()
	for _, rec := range records {
		e.Put(rec)
	}
	return e.Publish(version, logIndex, at)
}

// View is the registry as decisions see it. It costs one atomic load.
func (r *Registry) View() *snapshot.View { return r.view.Load() }

// Meta is what comes with an act.
type Meta struct {
	Reason string // why, in a person's words; required, sealed at rest, never in the log
	// IdempotencyKey makes a repetition harmless: the same key with the same act
	// gives the earlier Result, with another act a conflict.
	IdempotencyKey string
}

// Result is an act that was done.
type Result struct {
	Act      id.Act
	Kind     Kind
	Subject  snapshot.Subject
	At       time.Time
	LogNode  string // whose audit log has the act
	LogIndex uint64 // its index there
	View     *snapshot.View
	Changed  []snapshot.Record
	Repeated bool // the idempotency key was seen before: nothing was done now
}

// MaxWait bounds how long Do waits for the database, the log and other acts: a
// database that hangs must not keep the next act waiting for ever.
const MaxWait = 20 * time.Second

// maxAttempts bounds how often an act is checked anew because other acts came
// first.
const maxAttempts = 50

// Do performs an act: it returns when the act is in the log and in View. An
// error is a *problem.Problem. After Unavailable the act may have been done:
// repeat it with the same idempotency key.
func (r *Registry) Do(ctx context.Context, by Actor, a Act, m Meta) (Result, error) {
	if err := checkMeta(m); err != nil {
		return Result{}, err
	}
	a = deref(a)
	if d, ok := a.(detaching); ok {
		var err error
		if a, err = r.scanned(ctx, by, d, m); err != nil {
			return Result{}, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, MaxWait)
	defer cancel()
	if err := r.lock(ctx); err != nil {
		return Result{}, unavailable("The registry is busy", err)
	}
	defer r.unlock()
	for attempt := range maxAttempts {
		if err := r.catchUp(ctx); err != nil {
			return Result{}, unavailable("The registry's database or log does not answer", err)
		}
		e, next, err := r.prepare(ctx, by, a, m)
		if err != nil {
			return Result{}, err
		}
		if e.Logged() { // the idempotency key was seen
			return r.result(e, true), nil
		}
		switch err := r.o.Store.Commit(ctx, e); {
		case err == nil:
			return r.conclude(ctx, e, next)
		case errors.Is(err, ErrBehind):
			if err := sleep(ctx, time.Duration(min(attempt+1, 20))*5*time.Millisecond); err != nil {
				return Result{}, unavailable("Other acts came first", err)
			}
		default:
			r.dirty = true // it may have been committed; if so, the next turn brings it to the log
			return Result{}, unavailable("The registry's database does not answer", err)
		}
	}
	return Result{}, unavailable("Other acts came first, again and again", ErrBehind)
}

// May says whether Do would do the act in the present view: nothing is done.
func (r *Registry) May(by Actor, a Act, m Meta) error {
	if err := checkMeta(m); err != nil {
		return err
	}
	v, a := r.View(), deref(a)
	if err := Authorize(r.o.Engine, v, by, a, r.o.Clock()); err != nil {
		return err
	}
	return Check(v, by, a, r.o.Clock())
}

// Logged reports whether the act is in a log.
func (e *Entry) Logged() bool { return e.LogNode != "" }

// prepare gives the entry to commit and the view after it; or, where the
// idempotency key was seen before, the earlier entry.
func (r *Registry) prepare(ctx context.Context, by Actor, a Act, m Meta) (*Entry, *snapshot.View, error) {
	v := r.view.Load()
	spec, ok := SpecOf(a)
	if !ok {
		return nil, nil, problem.New(problem.Invalid, "There is no such act", "List them: sallyport acts (GET /v1/act-kinds)")
	}
	stored, document := a, (*Document)(nil)
	if d, ok := a.(detaching); ok {
		stored, document = d.detach()
	}
	body, err := Encode(stored)
	if err != nil {
		return nil, nil, problem.New(problem.Invalid, "The act cannot be written as JSON", "Check its numbers and texts").Because(err)
	}
	if m.IdempotencyKey != "" {
		switch e, seen, err := r.o.Store.ByKey(ctx, by.Name(), m.IdempotencyKey); {
		case err != nil:
			return nil, nil, unavailable("The registry's database does not answer", err)
		case seen && (e.Kind != spec.Name || string(e.Body) != string(body)):
			return nil, nil, conflict("idempotency_key", "The key was used for another act", "Use a new key for a new act")
		case seen && !e.Logged():
			return nil, nil, unavailable("The act is committed and waits for the log", ErrBehind)
		case seen:
			return &e, nil, nil
		}
	}
	now := r.now()
	if err := Authorize(r.o.Engine, v, by, a, now); err != nil {
		return nil, nil, err
	}
	if err := Check(v, by, a, now); err != nil {
		return nil, nil, err
	}
	if err := r.checkDocuments(ctx, a); err != nil {
		return nil, nil, err
	}
	// What was recorded is what is applied: the act as read back from its
	// canonical form, which shares no memory with the caller.
	recorded, err := Decode(spec.Name, body)
	if err != nil {
		return nil, nil, err
	}
	s := Stamp{ID: id.New[id.Act](now), By: by.Name(), At: now, Session: by.Session}
	next, changed := Apply(v, recorded, s)
	e := &Entry{Seq: v.Version() + 1, ID: s.ID, Kind: spec.Name, Subject: recorded.Subject(), Actor: by.Name(),
		RequestedBy: requester(v, recorded), At: now, Reason: m.Reason, Key: m.IdempotencyKey, Body: body,
		Node: r.o.Node, Changed: changed, Document: document}
	e.Subject.ID = cmp.Or(e.Subject.ID, string(s.ID))
	if e.Digest, err = e.digest(); err != nil {
		return nil, nil, problem.New(problem.Internal, "The act cannot be recorded", "Tell the operator").Because(err)
	}
	return e, next, nil
}

// requester is who asked for what the act approves.
func requester(v *snapshot.View, a Act) id.Person {
	switch a := a.(type) {
	case BootstrapOrganisation:
		return a.ID // nobody else: the log shows the same person twice
	case AdmitSecondPerson:
		if p, ok := v.Persons.Get(a.ID); ok {
			return p.RequestedBy
		}
	}
	spec, _ := SpecOf(a)
	if s, ok := a.(separated); ok && (spec.Verb == "approve" || spec.Verb == "verify" || spec.Verb == "approve-destruction" || spec.Verb == "approve-renewal") {
		if people := s.apart(v); len(people) > 0 {
			return people[0]
		}
	}
	return ""
}

func (r *Registry) checkDocuments(ctx context.Context, a Act) error {
	if d, ok := a.(PutDocument); ok && d.Engagement != "" {
		// The act says that destroying the engagement's keys takes the document along.
		under, has, err := r.o.Store.HasDocument(ctx, d.Digest)
		if err != nil {
			return unavailable("The registry's database does not answer", err)
		}
		if has && under != d.Engagement {
			return conflict("engagement", "The document is stored already, under another key, and would stay there", "Leave engagement out: nothing need be stored again")
		}
	}
	d, ok := a.(documented)
	if !ok {
		return nil
	}
	for _, digest := range d.documents() {
		if digest == "" {
			continue
		}
		under, has, err := r.o.Store.HasDocument(ctx, digest)
		if err != nil {
			return unavailable("The registry's database does not answer", err)
		}
		// What records rest on must outlive every engagement (45 CFR 164.530(j)).
		if has && under != "" {
			return conflict("document_sha256", fmt.Sprintf("The document is under the key of engagement %q, and would be lost with it", under), "Store it again without engagement: sallyport document put FILE")
		}
		if !has {
			return badField("document_sha256", "no document with this digest is stored", "Store it first: sallyport document put FILE")
		}
	}
	return nil
}

// conclude brings a committed act to the log and publishes the view. Committed
// is committed: the caller giving up does not stop it.
func (r *Registry) conclude(ctx context.Context, e *Entry, next *snapshot.View) (Result, error) {
	r.dirty = true
	r.lastAt = e.At
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	index, err := r.append(ctx, e)
	if err != nil {
		return Result{}, unavailable("The act is committed and waits for the audit log; it has no effect until it is there", err)
	}
	switch err := r.o.Store.MarkLogged(ctx, e.Seq, r.o.Node, index); {
	case errors.Is(err, ErrClaimed):
		if err := r.catchUp(ctx); err != nil {
			return Result{}, unavailable("The act is committed and another node logs it", err)
		}
		logged, ok, err := r.o.Store.ByID(ctx, e.ID)
		if err != nil || !ok || !logged.Logged() {
			return Result{}, unavailable("The act is committed and another node logs it", err)
		}
		return r.result(&logged, false), nil
	case err != nil:
		r.o.Logger.WarnContext(ctx, "an act is in the log but still in the outbox", "act", e.ID, "err", err)
	default:
		r.dirty = false
	}
	e.LogNode, e.LogIndex = r.o.Node, index
	r.publish(reindex(next, index, r.view.Load().Confirmed()))
	return r.result(e, false), nil
}

// reindex is the view with the log index that its last act got, confirmed when
// the one before it was: by the clock's reading and not the act's time, which a
// clock set back may have moved ahead of now.
func reindex(v *snapshot.View, index uint64, confirmed time.Time) *snapshot.View {
	return v.Edit().Publish(v.Version(), index, confirmed)
}

func (r *Registry) publish(v *snapshot.View) {
	old := r.view.Swap(v)
	if v.Version() != old.Version() {
		next := make(chan struct{})
		close(*r.news.Swap(&next))
	}
}

// Changed is closed when the next version of the view is published. Take the
// channel before the view, so that no version is missed. What only confirms the
// view is no news.
func (r *Registry) Changed() <-chan struct{} { return *r.news.Load() }

func (r *Registry) result(e *Entry, repeated bool) Result {
	return Result{Act: e.ID, Kind: e.Kind, Subject: e.Subject, At: e.At, LogNode: e.LogNode, LogIndex: e.LogIndex,
		View: r.view.Load(), Changed: e.Changed, Repeated: repeated}
}

func (r *Registry) append(ctx context.Context, e *Entry) (uint64, error) {
	entry, err := e.auditEntry()
	if err != nil {
		return 0, err
	}
	index, err := r.o.Log.Append(ctx, entry)
	if err != nil {
		return 0, fmt.Errorf("append act %s to the log: %w", e.ID, err)
	}
	return index, nil
}

// Run looks for other processes' acts, brings what is in the outbox to the log
// and confirms the view, until the context ends. Errors are logged and tried
// again: meanwhile nothing is confirmed.
func (r *Registry) Run(ctx context.Context) {
	news := r.o.Store.Changes(ctx)
	tick := time.NewTicker(r.o.PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, open := <-news:
			if !open {
				news = nil
			}
		}
		if err := r.Refresh(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.WarnContext(ctx, "the registry cannot be refreshed; its view is not confirmed", "err", err)
		}
	}
}

// Refresh does once what Run does all the time.
func (r *Registry) Refresh(ctx context.Context) error {
	if err := r.lock(ctx); err != nil {
		return err
	}
	defer r.unlock()
	ctx, cancel := context.WithTimeout(ctx, max(10*r.o.PollEvery, 5*time.Second))
	defer cancel()
	return r.catchUp(ctx)
}

// catchUp brings the outbox to the log and the view to the newest logged act,
// and confirms the view if that is the newest act of all.
func (r *Registry) catchUp(ctx context.Context) error {
	asked := r.o.Clock() // before the question: the answer may be that old
	head, err := r.o.Store.Head(ctx)
	if err != nil {
		return err
	}
	if r.dirty || head.Seq != head.Logged {
		if err := r.drain(ctx); err != nil {
			return err
		}
		if head, err = r.o.Store.Head(ctx); err != nil {
			return err
		}
	}
	r.lastAt = head.At
	v := r.view.Load()
	for v.Version() < head.Logged {
		entries, err := r.o.Store.Since(ctx, v.Version(), 500)
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return fmt.Errorf("the acts after %d are missing from the database", v.Version())
		}
		e, version, index := v.Edit(), v.Version(), v.LogIndex()
		for _, entry := range entries {
			if entry.Seq > head.Logged {
				break // done since head was read; the next turn takes it up
			}
			if entry.Seq != version+1 {
				return fmt.Errorf("act %d is missing from the database", version+1)
			}
			if err := entry.check(); err != nil {
				return err
			}
			for _, rec := range entry.Changed {
				e.Put(rec)
			}
			version, index = entry.Seq, entry.LogIndex
		}
		v = e.Publish(version, index, v.Confirmed())
	}
	if head.Seq < v.Version() {
		return fmt.Errorf("the database stands at act %d, before the published act %d: it was set back", head.Seq, v.Version())
	}
	if v.Version() == head.Seq {
		v = v.Confirm(asked)
	}
	r.publish(v)
	return nil
}

// drain brings the acts of the outbox to this node's log, in order: its own,
// and those that another node left there for too long.
func (r *Registry) drain(ctx context.Context) error {
	entries, err := r.o.Store.Outbox(ctx)
	if err != nil {
		return err
	}
	for i := range entries {
		e := &entries[i]
		if e.Node != r.o.Node {
			if r.o.Clock().Sub(e.At) < r.o.TakeOver {
				return nil // its own node is about to; later ones wait for it
			}
			mine, err := r.o.Store.Claim(ctx, e.Seq, e.Node, r.o.Node)
			if err != nil || !mine {
				return err
			}
			r.o.Logger.InfoContext(ctx, "took over an act that its node did not log", "act", e.ID, "node", e.Node)
		}
		if err := e.check(); err != nil {
			return err
		}
		index, err := r.append(ctx, e)
		if err != nil {
			return err
		}
		if err := r.o.Store.MarkLogged(ctx, e.Seq, r.o.Node, index); err != nil && !errors.Is(err, ErrClaimed) {
			return err
		}
	}
	r.dirty = false
	return nil
}

func (r *Registry) now() time.Time {
	now := r.o.Clock().UTC().Truncate(time.Microsecond)
	if now.Before(r.lastAt) {
		return r.lastAt.UTC() // acts have an order; a clock set back does not change it
	}
	return now
}

func (r *Registry) lock(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *Registry) unlock() { <-r.turn }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// MaxReason is the longest reason, in bytes.
const MaxReason = 2000

func checkMeta(m Meta) error {
	if strings.TrimSpace(m.Reason) == "" {
		return badField("reason", "is missing", "Say why, in a sentence; no patient's data")
	}
	if len(m.Reason) > MaxReason {
		return badField("reason", "is too long", fmt.Sprintf("Use at most %d bytes", MaxReason))
	}
	if err := plainText("reason", m.Reason, true); err != nil {
		return err
	}
	if m.IdempotencyKey != "" && (len(m.IdempotencyKey) > 128 || strings.ToValidUTF8(m.IdempotencyKey, "") != m.IdempotencyKey || strings.ContainsRune(m.IdempotencyKey, 0)) {
		return badField("idempotency_key", "is too long or not text", "Use at most 128 bytes, such as a UUID")
	}
	return nil
}

func unavailable(title string, err error) error {
	return problem.New(problem.Unavailable, title, "Try again with the same idempotency key; if it goes on, tell the operator").Because(err)
}

func parseDigest(s string) (d audit.Digest, err error) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(d) {
		return d, fmt.Errorf("%d characters are no SHA-256 in hex", len(s))
	}
	copy(d[:], raw)
	return d, nil
}
