package registry

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxRiskAcceptance is how long one person may answer for a risk before somebody looks
// again (policy).
const MaxRiskAcceptance = 180 * 24 * time.Hour

// RecordAssessment records a due-diligence decision on a vendor. Whoever asked for the
// vendor does not judge it. One that rests on a questionnaire, as each does that comes
// after such a one and is no fail, cannot be better than its scores come to, but for this: where they come to a fail, it may be conditional if each
// gap is named in accept; and then it counts for nothing until another person has
// accepted each (AcceptRisk).
type RecordAssessment struct {
	ID         id.Assessment    `json:"id,omitempty"` // made if left out
	Vendor     id.Vendor        `json:"vendor"`
	Verdict    snapshot.Verdict `json:"verdict"`
	DecidedAt  time.Time        `json:"decided_at"`
	ValidUntil time.Time        `json:"valid_until"`
	Report     string           `json:"report_sha256,omitempty"`
	// Questionnaire is closed by it: submitted, and every answer scored.
	Questionnaire id.Questionnaire `json:"questionnaire,omitempty"`
	// ReliesOn are certifications that the decision needs: when one lapses, and no other
	// of its type stands, it is reopened.
	ReliesOn []id.Certification `json:"relies_on,omitempty"`
	Require  []RequireCondition `json:"require,omitempty"` // the conditions of a conditional verdict
	Accept   []ProposedRisk     `json:"accept,omitempty"`
}

// RequireCondition is what a conditional verdict asks for.
type RequireCondition struct {
	Text  string    `json:"text"`
	Owner id.Person `json:"owner"` // of the organisation: who sees to it
	DueAt time.Time `json:"due_at"`
}

// ProposedRisk is a risk that the recorder proposes to accept.
type ProposedRisk struct {
	For   string    `json:"for"`   // a question, or a finding about the vendor
	Owner id.Person `json:"owner"` // of the organisation: who answers for it
	Why   string    `json:"why"`
	Until time.Time `json:"until"` // at most MaxRiskAcceptance ahead
}

func (a RecordAssessment) Subject() snapshot.Subject { return subject(snapshot.NounAssessment, a.ID) }

func (a RecordAssessment) apart(v *snapshot.View) []id.Person { return vendorAskedBy(v, a.Vendor) }

func (a RecordAssessment) documents() []string { return []string{a.Report} }

func (a RecordAssessment) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Assessments, a.ID),
		exists("vendor", v.Vendors, a.Vendor),
		oneOf("verdict", a.Verdict, []snapshot.Verdict{snapshot.Pass, snapshot.Conditional, snapshot.Fail}),
		set("decided_at", a.DecidedAt), past("decided_at", a.DecidedAt, now),
		set("valid_until", a.ValidUntil), after("valid_until", a.ValidUntil, "decided_at", a.DecidedAt),
		optionalDigest("report_sha256", a.Report)); err != nil {
		return err
	}
	if a.Questionnaire == "" && a.Verdict != snapshot.Fail &&
		slices.ContainsFunc(v.AssessmentsOf(a.Vendor), func(x *snapshot.Assessment) bool { return x.Basis != nil }) {
		return badField("questionnaire", "is missing, and a decision before rests on one", "Ask again what it touches (sallyport questionnaire send), and rest the decision on the answers")
	}
	if a.Questionnaire == "" && len(a.ReliesOn) > 0 {
		return badField("relies_on", "goes with a questionnaire", "Name the questionnaire too: what a decision rests on is kept together")
	}
	if a.Verdict != snapshot.Conditional && len(a.Require)+len(a.Accept) > 0 {
		return badField("verdict", "is not conditional, and has conditions or accepted risks", "Record it as conditional")
	}
	if err := first(a.checkConditions(v, now), a.checkRisks(v, now)); err != nil || a.Questionnaire == "" {
		return err
	}
	return a.checkBasis(v, now)
}

func (a RecordAssessment) checkConditions(v *snapshot.View, now time.Time) error {
	if len(a.Require) > 50 {
		return badField("require", "is too long", "Write at most 50 conditions")
	}
	return each("require", a.Require, func(field string, c RequireCondition) error {
		return first(required(field+".text", c.Text, "An independent penetration test of the new region"), personOf(v, field+".owner", c.Owner, ""),
			set(field+".due_at", c.DueAt), future(field+".due_at", c.DueAt, now))
	})
}

func (a RecordAssessment) checkRisks(v *snapshot.View, now time.Time) error {
	if len(a.Accept) > 100 {
		return badField("accept", "is too long", "Write at most 100")
	}
	var names []string
	for _, r := range a.Accept {
		names = append(names, r.For)
	}
	return first(unique("accept", names), each("accept", a.Accept, func(field string, r ProposedRisk) error {
		return checkRisk(v, field+".", a.Vendor, r, now)
	}))
}

// checkRisk is what every acceptance of a risk must satisfy.
func checkRisk(v *snapshot.View, at string, vendor id.Vendor, r ProposedRisk, now time.Time) error {
	if !riskOf(v, vendor, r.For) {
		return badField(at+"for", fmt.Sprintf("%q is neither a question that was put to the vendor nor a finding about it", r.For), "Name the question, such as HIP-05, or the finding")
	}
	if err := first(personOf(v, at+"owner", r.Owner, ""), required(at+"why", r.Why, "The pilot has no production data until the fix"),
		set(at+"until", r.Until), future(at+"until", r.Until, now)); err != nil {
		return err
	}
	if r.Until.After(now.Add(MaxRiskAcceptance)) {
		return badField(at+"until", "is too far ahead", fmt.Sprintf("Write a time within %d days (policy): a risk is accepted for a while, and looked at again", int(MaxRiskAcceptance.Hours()/24)))
	}
	return nil
}

func riskOf(v *snapshot.View, vendor id.Vendor, what string) bool {
	if f, ok := v.Findings.Get(id.Finding(what)); ok && f.Vendor == vendor {
		return true
	}
	for _, q := range v.QuestionnairesOf(vendor) {
		if _, answered := q.Answers[what]; !q.Withdrawn && (answered || slices.Contains(q.Asked, what)) {
			return true
		}
	}
	return false
}

// checkBasis holds the verdict to what the questionnaire comes to.
func (a RecordAssessment) checkBasis(v *snapshot.View, now time.Time) error {
	q, ok := v.Questionnaires.Get(a.Questionnaire)
	switch {
	case !ok:
		return exists("questionnaire", v.Questionnaires, a.Questionnaire)
	case q.Vendor != a.Vendor:
		return badField("questionnaire", "is another vendor's", "Name one of this vendor")
	case q.Stage != snapshot.QuestionsSubmitted:
		return conflict("questionnaire", "It is "+string(q.Stage)+", and not submitted", "Wait until the vendor has submitted it; what is closed has its decision already")
	case a.DecidedAt.Before(q.SubmittedAt):
		return badField("decided_at", "is before the answers were submitted", "Write when the decision was made on them")
	}
	w := diligence.Score(q, now)
	if len(w.Unscored) > 0 {
		return conflict("questionnaire", fmt.Sprintf("%d answers are not scored yet: %s", len(w.Unscored), join(w.Unscored)), "Score them first: sallyport questionnaire score-answers")
	}
	if diligence.Better(a.Verdict, w.Verdict) {
		if a.Verdict != snapshot.Conditional {
			return badField("verdict", fmt.Sprintf("is better than the answers come to, which is %q", w.Verdict), "See why: sallyport questionnaire score "+string(q.ID)+" --working")
		}
		var open []string
		for _, gap := range w.Gaps {
			if !slices.ContainsFunc(a.Accept, func(r ProposedRisk) bool { return r.For == gap }) {
				open = append(open, gap)
			}
		}
		if len(open) > 0 {
			return badField("accept", "does not name every gap: "+join(open), "Have the vendor mend them, record a fail, or propose to accept each risk; another person must then accept it")
		}
	}
	if a.Verdict == snapshot.Conditional && len(a.Require)+len(a.Accept) == 0 {
		return badField("require", "is empty", "Say what the vendor or the organisation must do, who sees to it and until when")
	}
	if last := diligence.ValidUntil(a.risk(v).Level, a.DecidedAt); a.ValidUntil.After(last) {
		return badField("valid_until", fmt.Sprintf("is too late for a vendor of %s inherent risk", a.risk(v).Level), "Write "+last.UTC().Format(time.RFC3339)+" or earlier (policy; see sallyport vendor risk "+string(a.Vendor)+")")
	}
	return first(unique("relies_on", a.ReliesOn), each("relies_on", a.ReliesOn, func(field string, key id.Certification) error {
		c, ok := v.Certifications.Get(key)
		switch {
		case !ok || c.Vendor != a.Vendor:
			return badField(field, "is no certification of the vendor", "Name one that is recorded: sallyport certification list")
		case c.VerifiedAt.IsZero() || !c.RevokedAt.IsZero() || !c.ExpiresAt.After(now):
			return conflict(field, "It is not verified, or has lapsed", "A decision rests on what was verified: sallyport certification verify")
		}
		return nil
	}))
}

func (a RecordAssessment) risk(v *snapshot.View) diligence.Risk {
	var p *snapshot.VendorProfile
	if w, ok := v.Vendors.Get(a.Vendor); ok {
		p = w.Profile
	}
	return diligence.InherentRisk(p, len(diligence.Below(v, a.Vendor)))
}

func (a RecordAssessment) apply(e *snapshot.Edit, s Stamp) {
	x := &snapshot.Assessment{ID: cmp.Or(a.ID, id.Assessment(s.ID)), Vendor: a.Vendor, Verdict: a.Verdict,
		DecidedBy: s.By, DecidedAt: a.DecidedAt.UTC(), ValidUntil: a.ValidUntil.UTC(), Report: a.Report}
	for i, c := range a.Require {
		x.Conditions = append(x.Conditions, snapshot.Condition{ID: fmt.Sprintf("c%d", i+1), Text: c.Text, Owner: c.Owner, DueAt: c.DueAt.UTC()})
	}
	for _, r := range a.Accept {
		x.Acceptances = append(x.Acceptances, snapshot.RiskAcceptance{For: r.For, Owner: r.Owner, Why: r.Why, Until: r.Until.UTC()})
	}
	if q, ok := e.View().Questionnaires.Get(a.Questionnaire); ok {
		w := diligence.Score(q, s.At)
		b := &snapshot.AssessmentBasis{Questionnaire: q.ID, Computed: w.Verdict, Overall: w.Overall, Gaps: w.Gaps, Risk: string(a.risk(e.View()).Level),
			DataClasses: q.DataClasses, Subcontractors: diligence.Below(e.View(), a.Vendor), Certifications: a.ReliesOn}
		if v, ok := e.View().Vendors.Get(a.Vendor); ok && v.Profile != nil {
			b.Locations = v.Profile.Locations
		}
		x.Basis = b
		closeQuestionnaire(e, s, q.ID, false)
	}
	e.Put(x)
}

// AcceptRisk has somebody answer for a risk until a date, and so lets a decision count
// that names it. Whoever recorded the decision, or asked for the vendor, does not.
type AcceptRisk struct {
	ID    id.Assessment `json:"id"`
	For   string        `json:"for"` // a question, or a finding about the vendor
	Owner id.Person     `json:"owner"`
	Why   string        `json:"why"`
	Until time.Time     `json:"until"` // at most MaxRiskAcceptance ahead
}

// Subject implements Act.
func (a AcceptRisk) Subject() snapshot.Subject { return subject(snapshot.NounAssessment, a.ID) }

func (a AcceptRisk) apart(v *snapshot.View) []id.Person {
	x, ok := v.Assessments.Get(a.ID)
	if !ok {
		return nil
	}
	return append([]id.Person{x.DecidedBy}, vendorAskedBy(v, x.Vendor)...)
}

func (a AcceptRisk) check(v *snapshot.View, _ Actor, now time.Time) error {
	x, err := latestAssessment(v, a.ID, now)
	if err != nil {
		return err
	}
	if x.Verdict != snapshot.Conditional {
		return conflict("id", "The decision is "+string(x.Verdict)+", and not conditional", "A decision that relies on an accepted risk is recorded as conditional")
	}
	for _, r := range x.Acceptances {
		if r.For == a.For && r.AcceptedBy != "" && r.Owner == a.Owner && !a.Until.After(r.Until) {
			return conflict("for", "The risk is accepted already, as far or further", "Nothing is left to do")
		}
	}
	return checkRisk(v, "", x.Vendor, ProposedRisk{For: a.For, Owner: a.Owner, Why: a.Why, Until: a.Until}, now)
}

// latestAssessment wants the vendor's newest decision: what changes an older one has no
// effect, and would look as if it had.
func latestAssessment(v *snapshot.View, key id.Assessment, now time.Time) (*snapshot.Assessment, error) {
	x, ok := v.Assessments.Get(key)
	if !ok {
		return nil, found("id", v.Assessments, key)
	}
	if last := diligence.Latest(v, x.Vendor, diligence.At(now)); last != nil && last.ID != key {
		return nil, conflict("id", fmt.Sprintf("A later decision on the vendor stands: %q", string(last.ID)), "Name that one")
	}
	return x, nil
}

func (a AcceptRisk) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Assessments, a.ID, func(x *snapshot.Assessment) {
		next := snapshot.RiskAcceptance{For: a.For, Owner: a.Owner, Why: a.Why, Until: a.Until.UTC(), AcceptedBy: s.By, AcceptedAt: s.At}
		x.Acceptances = slices.Clone(x.Acceptances)
		for i, r := range x.Acceptances {
			if r.For == a.For {
				x.Acceptances[i] = next
				return
			}
		}
		x.Acceptances = append(x.Acceptances, next)
	})
}

// MeetCondition says that a condition of a decision is met. Its owner does not say so
// about themselves.
type MeetCondition struct {
	ID        id.Assessment `json:"id"`
	Condition string        `json:"condition"` // "c1"
	Document  string        `json:"document_sha256,omitempty"`
}

// Subject implements Act.
func (a MeetCondition) Subject() snapshot.Subject { return subject(snapshot.NounAssessment, a.ID) }

func (a MeetCondition) documents() []string { return []string{a.Document} }

func (a MeetCondition) apart(v *snapshot.View) []id.Person {
	if x, ok := v.Assessments.Get(a.ID); ok {
		for _, c := range x.Conditions {
			if c.ID == a.Condition {
				return []id.Person{c.Owner}
			}
		}
	}
	return nil
}

func (a MeetCondition) check(v *snapshot.View, _ Actor, now time.Time) error {
	x, err := latestAssessment(v, a.ID, now)
	if err != nil {
		return err
	}
	var open []string
	for _, c := range x.Conditions {
		if c.MetAt.IsZero() {
			open = append(open, c.ID)
		} else if c.ID == a.Condition {
			return conflict("condition", "The condition is met already", "Nothing is left to do")
		}
	}
	return first(oneOf("condition", a.Condition, open), optionalDigest("document_sha256", a.Document))
}

func (a MeetCondition) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Assessments, a.ID, func(x *snapshot.Assessment) {
		x.Conditions = slices.Clone(x.Conditions)
		for i, c := range x.Conditions {
			if c.ID == a.Condition {
				x.Conditions[i].MetAt, x.Conditions[i].MetBy = s.At, s.By
			}
		}
	})
}

// ReopenAssessment says that a decision has to be made anew: until there is a later
// one, the vendor gets nothing.
type ReopenAssessment struct {
	ID  id.Assessment `json:"id"`
	For string        `json:"for"` // of snapshot.ReopenCauses
}

// Subject implements Act.
func (a ReopenAssessment) Subject() snapshot.Subject { return subject(snapshot.NounAssessment, a.ID) }

func (a ReopenAssessment) check(v *snapshot.View, _ Actor, now time.Time) error {
	x, err := latestAssessment(v, a.ID, now)
	if err != nil {
		return err
	}
	if !x.ReopenedAt.IsZero() {
		return conflict("id", "The assessment is reopened already", "Record a new one: sallyport assessment record")
	}
	return oneOf("for", a.For, snapshot.ReopenCauses)
}

func (a ReopenAssessment) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Assessments, a.ID, func(x *snapshot.Assessment) {
		x.ReopenedAt, x.ReopenedBy, x.ReopenedFor = s.At, s.By, a.For
	})
}
