package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Permit is the answer yes: what the gateway needs before it may write an
// intent. Only Decide makes one that allows anything. A Permit is safe for
// concurrent use.
type Permit struct {
	engine   *Engine
	decision id.Decision
	request  Request
	caller   *knownCaller
	still    atomic.Pointer[moment]
}

// moment is a view under which the permit was found to hold, and how long.
type moment struct {
	view  *snapshot.View
	dates window
}

// Decision is the id to ask about later. The zero Permit has none.
func (p *Permit) Decision() id.Decision { return p.decision }

// DecidedAt is the time of the decision.
func (p *Permit) DecidedAt() time.Time { return p.request.Now }

// Basis is what the permit rests on.
func (p *Permit) Basis() Basis {
	if p.caller == nil {
		return Basis{}
	}
	return p.caller.basis
}

// Request is the question, without the view, for the audit entry and for
// Explain.
func (p *Permit) Request() Request { return p.request.withoutView() }

// Caller is who was permitted, by id.
func (p *Permit) Caller() Caller { return p.request.caller() }

// Transport is how the request came.
func (p *Permit) Transport() Transport { return p.request.Transport }

// PolicyVersion is the digest of the policies that decided.
func (p *Permit) PolicyVersion() string { return p.engine.Version() }

// SnapshotVersion is the version of the view that was decided on.
func (p *Permit) SnapshotVersion() uint64 { return viewOf(&p.request).Version() }

// SnapshotLogIndex is the audit log index of the last act in that view.
func (p *Permit) SnapshotLogIndex() uint64 { return viewOf(&p.request).LogIndex() }

// RequestDigest identifies the question; see Request.Digest.
func (p *Permit) RequestDigest() string { return p.request.Digest() }

// ValidUntil is the first moment at which a fact behind the permit may change
// by itself: a training expires, an agreement ends, the snapshot goes stale.
func (p *Permit) ValidUntil() time.Time {
	if m := p.still.Load(); m != nil {
		return m.dates.until
	}
	return time.Time{}
}

// Limits is how far the permit reaches. The zero Permit reaches nowhere.
func (p *Permit) Limits() Limits {
	c := p.caller
	if c == nil || c.Role == nil || c.GrantRecord == nil {
		return Limits{}
	}
	l := Limits{
		PageSize:     c.Role.MaxPageSize,
		PatientsLeft: max(0, c.GrantRecord.MaxPatients-p.request.Usage.Patients),
		BytesLeft:    max(0, c.GrantRecord.MaxDailyBytes-p.request.Usage.BytesToday),
		Role:         c.Role,
		Cohort:       c.GrantRecord.Cohort,
		Labels:       c.GrantRecord.Labels,
		Since:        c.Role.Since,
		Until:        c.Role.Until,
		DataClass:    p.caller.basis.DataClass,
	}
	if c.EngagementRecord != nil {
		l.Sealing = c.EngagementRecord.Sealing
		l.Recipient, _ = c.DeviceRecord.Recipient(l.Sealing)
	}
	if n := p.request.PageSize; n > 0 && n < l.PageSize {
		l.PageSize = n
	}
	return l
}

// Still decides the same question again on the newest view, for a release that
// is under way: nil if it still holds. It costs next to nothing while the view
// is the same one and no date was passed. Usage is that of the decision; the
// volume of what follows is for Admit.
func (p *Permit) Still(v *snapshot.View, now time.Time) *Refusal {
	if m := p.still.Load(); m != nil && v != nil && m.view == v && !now.Before(p.request.Now) && m.dates.holds(now) {
		return nil
	}
	r := p.request
	r.View, r.Now = v, now
	c, refusal := p.again(&r, AtRequest)
	if refusal != nil {
		return refusal
	}
	p.still.Store(&moment{view: v, dates: c.dates})
	return nil
}

// Admit decides on one release: what was fetched, on the newest view. usage is
// what the grant has released so far, without this release. Everything is
// decided again, so Admit needs no Still before it.
func (p *Permit) Admit(v *snapshot.View, now time.Time, usage Usage, content Content) (Admission, *Refusal) {
	r := p.request
	r.View, r.Now, r.Usage, r.Content = v, now, usage, content
	if _, refusal := p.again(&r, AtContent); refusal != nil {
		return Admission{}, refusal
	}
	return Admission{permit: p, content: content}, nil
}

func (p *Permit) again(r *Request, stage Stage) (*knownCaller, *Refusal) {
	if p.engine == nil || p.caller == nil {
		out := p.engine.refusal(p.decision, r, stage)
		out.Failures = []Failure{notLoaded()}
		return nil, out
	}
	if r.Now.Before(p.request.Now) {
		out := p.engine.refusal(p.decision, r, stage)
		out.Basis = p.caller.basis
		out.Failures = []Failure{clockWentBack()}
		return nil, out
	}
	of := p.engine.policies
	if m := p.still.Load(); stage == AtContent && m != nil && r.View != nil && m.view == r.View && m.dates.holds(r.Now) {
		// On the same view, with no date passed, what is known of the caller and
		// its papers is what was decided on: Cedar would only say it again.
		of = p.engine.varying
	}
	c, failed := p.engine.ask(r, stage, of)
	if len(failed) > 0 || c == nil {
		return nil, p.engine.refuse(p.decision, r, stage, c, failed)
	}
	if !sameScope(p.caller, c) {
		// What is under way is cut by what was granted when it began.
		out := p.engine.refusal(p.decision, r, stage)
		out.Basis = p.caller.basis
		out.Failures = []Failure{scopeChanged()}
		return nil, out
	}
	return c, nil
}

// sameScope reports whether what is granted is what was granted. A view shares the
// records that no act has changed, so that it is the same pointer most of the time.
func sameScope(was, is *knownCaller) bool {
	a, b := was.Role, is.Role
	if a == b {
		return true
	}
	if a == nil || b == nil {
		return false
	}
	x, y := *a, *b
	x.ID, x.Title, x.OfferedTo, x.DerivedFrom, x.Approval = "", "", nil, "", snapshot.Approval{}
	y.ID, y.Title, y.OfferedTo, y.DerivedFrom, y.Approval = "", "", nil, "", snapshot.Approval{}
	return reflect.DeepEqual(x, y)
}

// Admission says that one release may leave. Only Admit makes one that does;
// the zero Admission admits nothing.
type Admission struct {
	permit  *Permit
	content Content
}

// Admitted reports whether the release may leave.
func (a Admission) Admitted() bool { return a.permit != nil && a.content.Inspected }

// Permit is the permit under which it leaves; nil in the zero Admission.
func (a Admission) Permit() *Permit { return a.permit }

// Bytes is how much was admitted.
func (a Admission) Bytes() int64 { return a.content.Bytes }

// NewPatients is how many patients were admitted whom the grant had not seen.
func (a Admission) NewPatients() int { return a.content.NewPatients }

func (r *Request) withoutView() Request {
	q := *r
	q.View = nil
	return q
}

func viewOf(r *Request) *snapshot.View {
	if r.View == nil {
		return &snapshot.View{}
	}
	return r.View
}

// Digest is the SHA-256, in hex, of the question: who asks for what, how, and
// how much was released before. Not of the view or the time, which a decision
// names by themselves. It covers no data and no values of search parameters.
func (r *Request) Digest() string {
	b, err := json.Marshal(struct {
		Caller      Caller
		Direction   Direction
		Interaction string
		Resources   []string
		Reads       []string
		PageSize    int
		Transport   Transport
		Usage       Usage
	}{r.caller(), r.Direction, r.Interaction, r.Resources, r.Reads, r.PageSize, r.Transport, r.Usage})
	if err != nil {
		return "" // strings and numbers marshal; nothing relies on this
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
