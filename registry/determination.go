package registry

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordDetermination records an expert's determination (45 CFR
// 164.514(b)(1)): that the risk is very small that the engagement's vendor could
// identify a subject by what the profile releases. Until another person has
// approved it, it counts for nothing.
//
// The profile's digest is the one that the expert looked at. It may differ from
// what this node offers now: a profile can be judged before it is put in use,
// and the gate deidentification compares the two at every decision.
type RecordDetermination struct {
	ID           id.Determination `json:"id,omitempty"` // made if left out
	Engagement   id.Engagement    `json:"engagement"`
	Profile      string           `json:"profile"`
	Profile256   string           `json:"profile_sha256"`
	Expert       string           `json:"expert"`          // a name, as on the document
	Document     string           `json:"document_sha256"` // methods and results, 164.514(b)(1)(ii)
	DeterminedAt time.Time        `json:"determined_at"`
	ValidUntil   time.Time        `json:"valid_until"` // policy; the rule sets no term
}

func (a RecordDetermination) Subject() snapshot.Subject {
	return subject(snapshot.NounDetermination, a.ID)
}

func (a RecordDetermination) documents() []string { return []string{a.Document} }

func (a RecordDetermination) check(v *snapshot.View, _ Actor, now time.Time) error {
	return first(freshOrNone("id", v.Determinations, a.ID),
		exists("engagement", v.Engagements, a.Engagement),
		a.checkProfile(v),
		sha256Hex("profile_sha256", a.Profile256),
		required("expert", a.Expert, `"Dr. M. Example"`),
		sha256Hex("document_sha256", a.Document),
		set("determined_at", a.DeterminedAt), past("determined_at", a.DeterminedAt, now),
		set("valid_until", a.ValidUntil), after("valid_until", a.ValidUntil, "determined_at", a.DeterminedAt),
		future("valid_until", a.ValidUntil, now))
}

// checkProfile wants a profile that rests on a determination: on another, one
// would say nothing.
func (a RecordDetermination) checkProfile(v *snapshot.View) error {
	if err := knownProfile(v, "profile", a.Profile); err != nil {
		return err
	}
	if p, ok := v.Settings.ProfileNamed(a.Profile); ok && p.Basis != snapshot.BasisExpertDetermination {
		return badField("profile", fmt.Sprintf("rests on %s, which needs no determination", p.Basis), "Name a profile whose basis is "+snapshot.BasisExpertDetermination)
	}
	return nil
}

func (a RecordDetermination) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Determination{ID: cmp.Or(a.ID, id.Determination(s.ID)), Engagement: a.Engagement, Profile: a.Profile,
		Profile256: a.Profile256, Expert: a.Expert, Document: a.Document,
		DeterminedAt: a.DeterminedAt.UTC(), ValidUntil: a.ValidUntil.UTC(), Approval: asked(s)})
}

// ApproveDetermination says that a second person has read the methods and
// results and stands by the record.
type ApproveDetermination struct {
	ID id.Determination `json:"id"`
}

func (a ApproveDetermination) Subject() snapshot.Subject {
	return subject(snapshot.NounDetermination, a.ID)
}

func (a ApproveDetermination) apart(v *snapshot.View) []id.Person {
	if d, ok := v.Determinations.Get(a.ID); ok {
		return []id.Person{d.RequestedBy}
	}
	return nil
}

func (a ApproveDetermination) check(v *snapshot.View, _ Actor, now time.Time) error {
	if d, ok := v.Determinations.Get(a.ID); ok && d.State == snapshot.Proposed && !d.ValidUntil.After(now) {
		return conflict("id", "The determination has run out before it was approved", "Have the expert look again, and record the new determination")
	}
	return determinationIn(v, a.ID, snapshot.Proposed)
}

func (a ApproveDetermination) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Determinations, a.ID, func(d *snapshot.Determination) { d.Approval = approved(d.Approval, s) })
}

func determinationIn(v *snapshot.View, determination id.Determination, want ...snapshot.State) error {
	d, ok := v.Determinations.Get(determination)
	if !ok {
		return found("id", v.Determinations, determination)
	}
	return inState(fmt.Sprintf("Determination %q", determination), d.State, want...)
}

// RevokeDetermination says that a determination no longer counts, at once: what
// rests on it stops.
type RevokeDetermination struct {
	ID id.Determination `json:"id"`
}

func (a RevokeDetermination) Subject() snapshot.Subject {
	return subject(snapshot.NounDetermination, a.ID)
}

func (a RevokeDetermination) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return determinationIn(v, a.ID, snapshot.Proposed, snapshot.Approved)
}

func (a RevokeDetermination) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Determinations, a.ID, func(d *snapshot.Determination) { d.State = snapshot.Ended })
}
