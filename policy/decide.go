package policy

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Decide answers the request. Exactly one of the two is not nil.
func (e *Engine) Decide(r Request) (*Permit, *Refusal) {
	decision := newDecision(r.Now)
	c, failed := e.decide(&r, AtRequest)
	if len(failed) > 0 || c == nil {
		return nil, e.refuse(decision, &r, AtRequest, c, failed)
	}
	p := &Permit{engine: e, decision: decision, request: r, caller: c}
	p.still.Store(&moment{view: r.View, dates: c.dates})
	return p, nil
}

// newDecision names a decision at t. A time that a ULID cannot carry, such as
// the zero time of a zero Request, counts as 1970: the request is refused.
func newDecision(t time.Time) id.Decision {
	if t.Before(time.Unix(0, 0)) || t.After(openEnd) {
		t = time.Unix(0, 0)
	}
	return id.New[id.Decision](t)
}

// failure is a policy that stands in the way: it forbade, or could not be
// evaluated.
type failure struct {
	policy  types.PolicyID
	errored bool
}

// decide asks Cedar. It returns the caller's facts, nil if no policies are
// loaded, and what failed: nothing only if Cedar allowed, by the base policy
// alone, without any error.
func (e *Engine) decide(r *Request, stage Stage) (*knownCaller, []failure) {
	if e == nil || len(e.gates) == 0 {
		return nil, nil
	}
	return e.ask(r, stage, e.policies)
}

func (e *Engine) ask(r *Request, stage Stage, of policies) (*knownCaller, []failure) {
	c := e.known(r)
	s := e.scratch.Get().(*scratch)
	req := cedar.Request{
		Principal: c.entities.principal.UID,
		Action:    types.EntityUID{Type: actionType, ID: types.String(r.Interaction)},
		Resource:  c.entities.resource.UID,
		Context:   e.context(s, c, r, stage),
	}
	e.scratch.Put(s)
	decision, diagnostic := cedar.Authorize(of, &c.entities, req)
	return c, verdict(decision, diagnostic)
}

// verdict reads Cedar's answer so that doubt refuses.
func verdict(decision cedar.Decision, d cedar.Diagnostic) []failure {
	if decision == cedar.Allow && len(d.Errors) == 0 && len(d.Reasons) == 1 && d.Reasons[0].PolicyID == baseID {
		return nil
	}
	var failed []failure
	for _, x := range d.Errors {
		failed = append(failed, failure{policy: x.PolicyID, errored: true})
	}
	for _, x := range d.Reasons {
		if x.PolicyID != baseID {
			failed = append(failed, failure{policy: x.PolicyID})
		}
	}
	if len(failed) == 0 {
		failed = append(failed, failure{policy: baseID, errored: true})
	}
	return failed
}

// scratch is what one decision works with, kept between decisions.
type scratch struct {
	facts Facts
	parts [maxParts]*internedRecord
	m     types.RecordMap
}

// context makes Cedar's context: the time, and what each gate says of the
// request. Making a record is as dear as a third of the decision (cedar-go
// sorts, hashes and copies), so the last few of each caller are kept.
func (e *Engine) context(s *scratch, c *knownCaller, r *Request, stage Stage) types.Record {
	for i, g := range e.asked {
		s.facts.reset(time.Time{})
		g.Asked(c.Case, r, stage, &s.facts)
		s.parts[i] = g.interned.record(&s.facts)
	}
	milli := e.contextTime(c, r.Now)
	var slot *atomic.Pointer[keptContext]
	if !e.site {
		slot = &c.contexts[s.slot(len(e.asked))]
		if kept := slot.Load(); kept != nil && kept.milli == milli && kept.parts == s.parts {
			return kept.record
		}
	}
	s.m["now"] = types.NewDatetimeFromMillis(milli)
	for i, g := range e.asked {
		s.m[types.String(g.ID)] = s.parts[i].record
	}
	if e.site {
		s.m["request"] = requestRecord(r)
	}
	record := types.NewRecord(s.m) // copies the map
	if slot != nil {
		slot.Store(&keptContext{milli: milli, parts: s.parts, record: record})
	}
	return record
}

// maxParts is how many gates may ask about the request.
const maxParts = 12

// keptContext is a context that was made before.
type keptContext struct {
	milli  int64
	parts  [maxParts]*internedRecord
	record types.Record
}

// slot is where a context with these parts is kept. A caller has a few: one
// search has one before the fetch and another after it.
func (s *scratch) slot(n int) int {
	h := 0
	for _, p := range s.parts[:n] {
		h = h*31 + p.number
	}
	return (h & 0x7fffffff) % contextSlots
}

const contextSlots = 8

// contextTime is context.now. No gate can tell two moments apart between which
// no date lies, so the beginning of the second will do where none does, and
// decisions within a second share a context. A site policy may compare the time
// with a date that only it knows, and gets the millisecond.
func (e *Engine) contextTime(c *knownCaller, now time.Time) int64 {
	if second := now.Truncate(time.Second); !e.site && c.dates.holds(second) {
		return second.UnixMilli()
	}
	return now.UnixMilli()
}

func requestRecord(r *Request) types.Record {
	return types.NewRecord(types.RecordMap{
		"interaction": types.String(r.Interaction),
		"resources":   stringSet(r.Resources),
		"reads":       stringSet(r.Reads),
		"page_size":   types.Long(r.PageSize),
	})
}

// intern keeps the records of a gate: those about a request take few values.
type intern struct {
	mu   sync.Mutex
	kept atomic.Pointer[[]*internedRecord]
}

type internedRecord struct {
	number int
	facts  []Fact
	record types.Value
}

const maxInterned = 32

func (n *intern) record(f *Facts) *internedRecord {
	if kept := n.kept.Load(); kept != nil {
		for _, k := range *kept {
			if slices.Equal(k.facts, f.facts) {
				return k
			}
		}
	}
	made := &internedRecord{facts: slices.Clone(f.facts), record: f.record()}
	n.mu.Lock()
	defer n.mu.Unlock()
	var kept []*internedRecord
	if old := n.kept.Load(); old != nil {
		kept = *old
	}
	made.number = len(kept)
	if !f.varying && len(kept) < maxInterned {
		kept = append(slices.Clone(kept), made)
		n.kept.Store(&kept)
	}
	return made
}

// Cedar's types of ours.
const (
	grantType      types.EntityType = "Sallyport::Grant"
	vendorType     types.EntityType = "Sallyport::Vendor"
	appType        types.EntityType = "Sallyport::App"
	deviceType     types.EntityType = "Sallyport::Device"
	personType     types.EntityType = "Sallyport::Person"
	engagementType types.EntityType = "Sallyport::Engagement"
	roleType       types.EntityType = "Sallyport::Role"
	actionType     types.EntityType = "Sallyport::Action"
	sourceType     types.EntityType = "Sallyport::Source"
)

// knownCaller is what a view says of a caller: the facts of every gate, as
// Cedar's principal. It holds for its view and while no date in it is passed.
type knownCaller struct {
	*Case
	entities entities
	values   map[string]*Facts // by gate
	basis    Basis
	dates    window
	contexts [contextSlots]atomic.Pointer[keptContext]
}

// entities is all that Cedar can look up: the caller and the source.
type entities struct{ principal, resource types.Entity }

// Get makes entities a cedar EntityGetter.
func (e *entities) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case e.principal.UID:
		return e.principal, true
	case e.resource.UID:
		return e.resource, true
	}
	return types.Entity{}, false
}

// viewCache keeps the callers of one view.
type viewCache struct {
	view    *snapshot.View
	mu      sync.RWMutex
	callers map[Caller]*knownCaller
}

// maxCallers bounds the cache: a flood of unknown callers must not fill the
// memory. Beyond it the facts are made anew for each decision.
const maxCallers = 4096

// known finds or makes the facts of the caller.
func (e *Engine) known(r *Request) *knownCaller {
	vc := e.cacheOf(r.View)
	if vc == nil {
		return e.learn(r)
	}
	who := r.caller()
	vc.mu.RLock()
	c := vc.callers[who]
	vc.mu.RUnlock()
	if c != nil && c.dates.holds(r.Now) {
		return c
	}
	c = e.learn(r)
	if c.GrantRecord == nil {
		return c // nobody: not worth keeping, and there is no end of them
	}
	vc.mu.Lock()
	if _, there := vc.callers[who]; there || len(vc.callers) < maxCallers {
		vc.callers[who] = c
	}
	vc.mu.Unlock()
	return c
}

// cacheOf is the cache of the view if it is the newest that was seen; an older
// one (a question about the past) has none.
func (e *Engine) cacheOf(v *snapshot.View) *viewCache {
	if v == nil {
		return nil
	}
	for {
		vc := e.cache.Load()
		if vc != nil && vc.view == v {
			return vc
		}
		if vc != nil && (v.Version() < vc.view.Version() || v.Confirmed().Before(vc.view.Confirmed())) {
			return nil
		}
		next := &viewCache{view: v, callers: map[Caller]*knownCaller{}}
		if e.cache.CompareAndSwap(vc, next) {
			return next
		}
	}
}

// learn asks every gate what the registry says of the caller.
func (e *Engine) learn(r *Request) *knownCaller {
	c := &knownCaller{
		Case:   newCase(r.View, r.caller(), e.own),
		values: make(map[string]*Facts, len(e.gates)),
		dates:  always,
	}
	attributes := make(types.RecordMap, len(e.gates))
	var relies []Clause
	for _, g := range e.gates {
		if g.Known == nil {
			continue
		}
		f := &Facts{}
		f.reset(r.Now)
		g.Known(c.Case, f)
		c.values[g.ID] = f
		c.dates.join(f.dates)
		relies = append(relies, f.relies...)
		attributes[types.String(g.ID)] = f.record()
	}
	c.basis = c.Case.basis(relies)
	c.entities = entities{
		principal: types.Entity{
			UID:        types.EntityUID{Type: grantType, ID: types.String(r.Grant)},
			Parents:    types.NewEntityUIDSet(c.parents()...),
			Attributes: types.NewRecord(attributes),
		},
		resource: types.Entity{UID: types.EntityUID{Type: sourceType, ID: types.String(r.Source)}},
	}
	if s := c.SourceRecord; s != nil {
		c.entities.resource.Attributes = types.NewRecord(types.RecordMap{
			"region":       types.String(s.Region),
			"data_classes": stringSet(s.Classes),
		})
	}
	return c
}

func (c *Case) parents() []types.EntityUID {
	in := []types.EntityUID{
		{Type: vendorType, ID: types.String(c.Vendor)},
		{Type: appType, ID: types.String(c.App)},
		{Type: deviceType, ID: types.String(c.Device)},
	}
	if g := c.GrantRecord; g != nil {
		in = append(in,
			types.EntityUID{Type: personType, ID: types.String(g.Person)},
			types.EntityUID{Type: engagementType, ID: types.String(g.Engagement)},
			types.EntityUID{Type: roleType, ID: types.String(g.Role)})
	}
	return slices.DeleteFunc(in, func(u types.EntityUID) bool { return u.ID == "" })
}
