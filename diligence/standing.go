package diligence

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Standing is how a due-diligence decision stands at a time, from records alone. A date
// that is zero never comes.
type Standing struct {
	// AnswersUntil is when the first critical answer goes stale that no risk acceptance
	// covers, and StaleFirst which.
	AnswersUntil time.Time `json:"answers_until,omitzero"`
	StaleFirst   string    `json:"stale_first,omitempty"`
	// ConditionsUntil is when the first condition is due that is not met.
	ConditionsUntil time.Time `json:"conditions_until,omitzero"`
	DueFirst        string    `json:"due_first,omitempty"`
	OpenConditions  []string  `json:"open_conditions,omitempty"`
	// AcceptancesUntil is when the first risk acceptance lapses that the decision needs.
	AcceptancesUntil time.Time `json:"acceptances_until,omitzero"`
	LapsesFirst      string    `json:"lapses_first,omitempty"`
	Accepted         []string  `json:"accepted,omitempty"` // questions and findings whose risk is accepted, lapsed ones too
	// Open are the gaps, and the risks that the decision proposes to accept, that nobody
	// else has accepted.
	Open     []string    `json:"open,omitempty"`
	Reopened []Reopening `json:"reopened,omitempty"`
}

// Cause is why a decision has to be made anew.
type Cause string

// The causes.
const (
	ByAct               Cause = "by-act"                // a person, or the product, said so
	ByIncident          Cause = "incident"              // at the vendor, or below it, and not shown to be no breach
	BySubcontractor     Cause = "subcontractor-added"   // anywhere in the tree
	ByDataClass         Cause = "data-class-added"      // to the profile
	ByLocation          Cause = "location-added"        // to the profile
	ByRisk              Cause = "risk-raised"           // the inherent risk is higher than it was
	ByCertification     Cause = "certification-lapsed"  // one that the decision relies on
	ByAnswer            Cause = "critical-answer-fails" // a newer answer to a critical question scores 0
	ByQuestionnaireGone Cause = "questionnaire-gone"    // what it rests on was withdrawn
)

// Causes lists those that Reopened finds by itself.
var Causes = []Cause{ByAct, ByIncident, BySubcontractor, ByDataClass, ByLocation, ByRisk, ByCertification, ByAnswer, ByQuestionnaireGone}

// Reopening is one cause, and what it is about: an id, or a code.
type Reopening struct {
	Cause Cause  `json:"cause"`
	About string `json:"about,omitempty"`
}

// Latest is the newest due-diligence decision on a vendor that was made by then. A
// later one replaces an earlier, so a fail ends an older pass. Nil: none.
func Latest(v *snapshot.View, vendor id.Vendor, passed func(time.Time) bool) *snapshot.Assessment {
	var last *snapshot.Assessment
	for _, a := range v.AssessmentsOf(vendor) { // oldest decision first
		if passed(a.DecidedAt) && a.DecidedBy != "" {
			last = a
		}
	}
	return last
}

// At is the clock that the functions of this package ask, for a fixed time.
func At(now time.Time) func(time.Time) bool {
	return func(t time.Time) bool { return passed(t, now) }
}

// Stand reads how a decision stands. passed reports whether a time has come; a gate
// gives one that remembers what it was asked.
func Stand(v *snapshot.View, a *snapshot.Assessment, passed func(time.Time) bool) Standing {
	s := Standing{Reopened: Reopened(v, a, passed)}
	for _, c := range a.Conditions {
		if c.MetBy != "" && passed(c.MetAt) {
			continue
		}
		s.OpenConditions = append(s.OpenConditions, c.ID)
		if earlier(c.DueAt, s.ConditionsUntil) {
			s.ConditionsUntil, s.DueFirst = c.DueAt, c.ID
		}
	}
	var answers map[string]snapshot.VendorAnswer
	if a.Basis != nil {
		answers = Answers(v, a.Vendor)
	}
	covered := map[string]bool{}
	for _, x := range a.Acceptances {
		switch {
		case !needed(v, answers, x.For, 2, passed):
			continue
		case !counts(a, x, passed):
			// The decision names it as a risk to accept, of a finding or without a
			// questionnaire too: nobody but its recorder has.
			s.Open = append(s.Open, x.For)
			continue
		}
		covered[x.For] = true
		s.Accepted = append(s.Accepted, x.For)
		if earlier(x.Until, s.AcceptancesUntil) {
			s.AcceptancesUntil, s.LapsesFirst = x.Until, x.For
		}
	}
	if a.Basis == nil {
		return s
	}
	for _, gap := range a.Basis.Gaps {
		if !covered[gap] && !slices.Contains(s.Open, gap) && needed(v, answers, gap, 1, passed) {
			s.Open = append(s.Open, gap)
		}
	}
	for key, x := range answers {
		q, ok := hipaa.LookupQuestion(key)
		if !ok || !q.Critical || covered[key] {
			continue
		}
		stale := q.Stale(x.AnsweredAt)
		if !stale.IsZero() && (earlier(stale, s.AnswersUntil) || stale.Equal(s.AnswersUntil) && key < s.StaleFirst) {
			s.AnswersUntil, s.StaleFirst = stale, key
		}
	}
	return s
}

func earlier(t, than time.Time) bool { return than.IsZero() || t.Before(than) }

// counts reports whether an acceptance was made by another than the recorder, with an
// owner and an end. A zero end has passed.
func counts(a *snapshot.Assessment, x snapshot.RiskAcceptance, passed func(time.Time) bool) bool {
	return x.AcceptedBy != "" && x.AcceptedBy != a.DecidedBy && x.Owner != "" && !x.Until.IsZero() && passed(x.AcceptedAt)
}

// needed reports whether a question's or a finding's risk is still there: an answer that
// is fresh and scores enough, or a finding that was mended, needs no acceptance.
func needed(v *snapshot.View, answers map[string]snapshot.VendorAnswer, what string, enough int, passed func(time.Time) bool) bool {
	if q, ok := hipaa.LookupQuestion(what); ok {
		x, answered := answers[what]
		stale := q.Stale(x.AnsweredAt)
		return !answered || x.Score < enough || !stale.IsZero() && passed(stale)
	}
	if f, ok := v.Findings.Get(id.Finding(what)); ok {
		return f.Settled != snapshot.SettledMended && f.Settled != snapshot.SettledMistaken
	}
	return true
}

// Reopened says why a decision has to be made anew: what has become of the vendor since,
// from records alone. Nothing runs for it, so nothing can fail to run.
func Reopened(v *snapshot.View, a *snapshot.Assessment, passed func(time.Time) bool) []Reopening {
	var out []Reopening
	add := func(c Cause, about string) { out = append(out, Reopening{c, about}) }
	if passed(a.ReopenedAt) {
		add(ByAct, a.ReopenedFor)
	}
	var below []id.Vendor
	if a.Basis != nil || v.Incidents.Len() > 0 { // else nothing below is asked for
		below = Below(v, a.Vendor)
	}
	for key, x := range v.Incidents.All() {
		at := slices.Contains(below, x.Vendor) || x.Vendor == a.Vendor ||
			slices.Contains(x.About, snapshot.Subject{Noun: snapshot.NounVendor, ID: string(a.Vendor)})
		if at && x.OpenedAt.After(a.DecidedAt) && passed(x.OpenedAt) && !noBreach(x, passed) {
			add(ByIncident, string(key))
		}
	}
	b := a.Basis
	if b == nil {
		return out
	}
	for _, s := range below {
		if !slices.Contains(b.Subcontractors, s) {
			add(BySubcontractor, string(s))
		}
	}
	if w, ok := v.Vendors.Get(a.Vendor); ok && w.Profile != nil {
		for _, c := range w.Profile.DataClasses {
			if !slices.Contains(b.DataClasses, c) {
				add(ByDataClass, string(c))
			}
		}
		for _, l := range w.Profile.Locations {
			if !slices.Contains(b.Locations, l) {
				add(ByLocation, l)
			}
		}
		if r := InherentRisk(w.Profile, len(below)); b.Risk != string(Unknown) && Raised(r.Level, Level(b.Risk)) {
			add(ByRisk, string(r.Level))
		}
	}
	for _, key := range b.Certifications {
		if !stands(v, key, passed) {
			add(ByCertification, string(key))
		}
	}
	if q, ok := v.Questionnaires.Get(b.Questionnaire); !ok || q.Withdrawn {
		add(ByQuestionnaireGone, string(b.Questionnaire))
	}
	answers := Answers(v, a.Vendor)
	for _, q := range hipaa.Questions() {
		if x, ok := answers[q.ID]; ok && q.Critical && x.Score < 1 && !slices.Contains(b.Gaps, q.ID) && x.ScoredAt.After(a.DecidedAt) {
			add(ByAnswer, q.ID)
		}
	}
	return out
}

// noBreach reports whether an incident was shown to be none: two people found that it
// was of no unsecured PHI, that an exception holds, or that the probability of
// compromise is low (45 CFR 164.402). Until then it is presumed to be one.
func noBreach(x *snapshot.Incident, passed func(time.Time) bool) bool {
	b := x.Assessment
	if b == nil || b.AssessedBy == "" || b.ApprovedBy == "" || b.AssessedBy == b.ApprovedBy || !passed(b.ApprovedAt) {
		return false
	}
	return b.LowProbability || b.Exception != "" || !b.Unsecured.Yes && b.Unsecured.Why != ""
}

// stands reports whether a certification, or another of its type, is verified and
// neither expired nor revoked. How long one counts by its type is the certification
// gate's question.
func stands(v *snapshot.View, key id.Certification, passed func(time.Time) bool) bool {
	c, ok := v.Certifications.Get(key)
	if !ok {
		return false
	}
	for _, x := range v.CertificationsOf(c.Vendor) {
		if x.Type == c.Type && x.VerifiedBy != "" && x.VerifiedBy != x.RecordedBy && passed(x.VerifiedAt) &&
			!x.ExpiresAt.IsZero() && !passed(x.ExpiresAt) && !passed(x.RevokedAt) {
			return true
		}
	}
	return false
}
