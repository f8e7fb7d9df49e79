package registry

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// CountAffected records how many individuals an incident reaches. Who they are is
// known to the vault alone: the list that was counted is named by its digest.
type CountAffected struct {
	ID          id.Incident `json:"id"`
	Individuals int         `json:"individuals"`
	// ByState counts residents by State or jurisdiction ("US-MA"); together no more than
	// individuals.
	ByState     map[string]int `json:"by_state,omitempty"`
	Unreachable int            `json:"unreachable,omitempty"` // contact information insufficient or out of date
	// Radius is the SHA-256 of the blast radius that was counted.
	Radius string `json:"radius_sha256,omitempty"`
}

// Subject implements Act.
func (a CountAffected) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a CountAffected) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if _, err := openIncident(v, a.ID); err != nil {
		return err
	}
	if a.Individuals < 0 || a.Individuals > maxIndividuals {
		return badField("individuals", "is not a number of people", "Write how many; 0 says that you counted, and nobody is affected")
	}
	if a.Unreachable < 0 || a.Unreachable > a.Individuals {
		return badField("unreachable", "is more than all", "Write how many of the individuals cannot be reached")
	}
	sum := 0
	for _, state := range slices.Sorted(maps.Keys(a.ByState)) {
		if err := region("by_state", state); err != nil {
			return err
		}
		n := a.ByState[state]
		if n <= 0 || n > a.Individuals {
			return badField("by_state."+state, "is not a number of those individuals", "Write how many of them live there")
		}
		sum += n
	}
	if sum > a.Individuals {
		return badField("by_state", fmt.Sprintf("adds up to %d, more than all", sum), "Count each individual in one State")
	}
	return optionalDigest("radius_sha256", a.Radius)
}

func (a CountAffected) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		if in.Affected.Individuals != a.Individuals || in.Affected.Radius != a.Radius {
			unapprove(in)
		}
		in.Affected = snapshot.Affected{Individuals: a.Individuals, ByState: maps.Clone(a.ByState), Unreachable: a.Unreachable, Radius: a.Radius, CountedBy: s.By, CountedAt: s.At}
	})
}

// AssessIncident judges whether an incident is a breach of unsecured PHI (45 CFR
// 164.402). It counts as one until another person approves a judgement that it is not.
type AssessIncident struct {
	ID        id.Incident       `json:"id"`
	Unsecured snapshot.Answered `json:"unsecured"`
	// Exception is i, ii or iii, and Holds answers what it needs; or Factors answers the
	// four factors. `GET /v1/incident-questions` lists them.
	Exception      string                       `json:"exception,omitempty"`
	Holds          map[string]snapshot.Answered `json:"exception_holds,omitempty"`
	Factors        map[string]snapshot.Answered `json:"factors,omitempty"`
	LowProbability bool                         `json:"low_probability,omitempty"`
}

// Subject implements Act.
func (a AssessIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a AssessIncident) assessment(s Stamp) *snapshot.BreachAssessment {
	return &snapshot.BreachAssessment{Unsecured: a.Unsecured, Exception: a.Exception, Holds: maps.Clone(a.Holds), Factors: maps.Clone(a.Factors),
		LowProbability: a.LowProbability, AssessedBy: s.By, AssessedAt: s.At}
}

func (a AssessIncident) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if _, err := openIncident(v, a.ID); err != nil {
		return err
	}
	if err := shortText("unsecured.why", a.Unsecured.Why); err != nil {
		return err
	}
	for field, m := range map[string]map[string]snapshot.Answered{"exception_holds": a.Holds, "factors": a.Factors} {
		for key, answer := range m {
			if err := shortText(field+"."+key+".why", answer.Why); err != nil {
				return err
			}
		}
	}
	return breach.CheckAssessment(a.assessment(Stamp{}))
}

func (a AssessIncident) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) { in.Assessment = a.assessment(s) })
}

// ApproveBreachAssessment stands by an assessment that the incident is no breach. Its
// clocks for notices stop with it, so it is neither the assessor's word nor that of
// whoever opened the incident.
type ApproveBreachAssessment struct {
	ID id.Incident `json:"id"`
}

// Subject implements Act.
func (a ApproveBreachAssessment) Subject() snapshot.Subject {
	return subject(snapshot.NounIncident, a.ID)
}

func (a ApproveBreachAssessment) apart(v *snapshot.View) []id.Person {
	in, ok := v.Incidents.Get(a.ID)
	if !ok {
		return nil
	}
	out := []id.Person{in.OpenedBy}
	if in.Assessment != nil {
		out = append(out, in.Assessment.AssessedBy)
	}
	return append(out, aboutPeople(in)...) // nobody judges their own
}

func (a ApproveBreachAssessment) check(v *snapshot.View, _ Actor, _ time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	switch c := breach.Conclude(in.Assessment); {
	case in.Assessment == nil:
		return conflict("id", "Nobody has assessed the incident", "Assess it first: sallyport incident assess "+string(a.ID))
	case in.Assessment.ApprovedBy != "":
		return conflict("id", "The assessment is approved already", "Nothing is left to do")
	case c.Would == "":
		return conflict("id", "The assessment says that it is a breach, which needs no approval", "Give the notices: sallyport incident clocks "+string(a.ID))
	}
	return nil
}

func (a ApproveBreachAssessment) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		if in.Assessment == nil {
			return
		}
		next := *in.Assessment
		next.ApprovedBy, next.ApprovedAt = s.By, s.At
		in.Assessment = &next
	})
}

// DelayNotice records a law-enforcement official's statement (45 CFR 164.412). A
// written one delays until the time that it specifies; an oral one by 30 days at most.
type DelayNotice struct {
	ID      id.Incident `json:"id"`
	Written bool        `json:"written,omitempty"`
	// At is when the statement was made, Until how long notice must wait: needed in
	// writing, and if oral no more than 30 days.
	At       time.Time `json:"at"`
	Until    time.Time `json:"until,omitzero"`
	Official string    `json:"official"`                  // who, by name, office and agency
	Document string    `json:"document_sha256,omitempty"` // the statement, or the note about an oral one
}

// Subject implements Act.
func (a DelayNotice) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a DelayNotice) documents() []string { return []string{a.Document} }

func (a DelayNotice) check(v *snapshot.View, _ Actor, now time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(set("at", a.At), past("at", a.At, now), setOrNone("until", a.Until), after("until", a.Until, "at", a.At),
		required("official", a.Official, `"J. Example, special agent, FBI Boston"`), optionalDigest("document_sha256", a.Document)); err != nil {
		return err
	}
	if a.Written && a.Until.IsZero() {
		return badField("until", "is missing", "A written statement delays for the time that it specifies: write when that ends. One that names none does not delay")
	}
	if a.Written && a.Document == "" {
		return badField("document_sha256", "is missing", "Store the written statement first: sallyport document put FILE")
	}
	if slices.ContainsFunc(in.Delays, func(d snapshot.EnforcementDelay) bool {
		return d.At.Equal(a.At) && d.Official == a.Official && d.Written == a.Written
	}) {
		return conflict("at", "This statement is recorded already", "Nothing is left to do")
	}
	return nil
}

func (a DelayNotice) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.Delays = append(slices.Clip(in.Delays), snapshot.EnforcementDelay{Written: a.Written, Until: utc(a.Until), At: a.At.UTC(), Official: a.Official, Document: a.Document, RecordedBy: s.By})
	})
}

// NoteNotice records that a notice was given.
type NoteNotice struct {
	ID     id.Incident       `json:"id"`
	To     snapshot.NoticeTo `json:"to"`
	Region string            `json:"region,omitempty"` // media and State authorities: whose ("US-MA")
	At     time.Time         `json:"at"`
	Count  int               `json:"count,omitempty"` // individuals told
	// Document is the SHA-256 of what was sent, or of the receipt.
	Document string `json:"document_sha256,omitempty"`
}

// Subject implements Act.
func (a NoteNotice) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a NoteNotice) documents() []string { return []string{a.Document} }

func (a NoteNotice) check(v *snapshot.View, _ Actor, now time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(oneOf("to", a.To, snapshot.NoticesTo), set("at", a.At), past("at", a.At, now), optionalDigest("document_sha256", a.Document)); err != nil {
		return err
	}
	if whose := a.To == snapshot.ToMedia || a.To == snapshot.ToState; whose {
		if err := region("region", a.Region); err != nil {
			return err
		}
	} else if a.Region != "" {
		return badField("region", "is for media and State authorities", "Leave it out")
	}
	if individuals := a.To == snapshot.ToIndividuals; individuals && a.Count <= 0 || a.Count < 0 || a.Count > maxIndividuals {
		return badField("count", "is not a number of people", "Write how many individuals were told with it")
	}
	if !in.OccurredAt.IsZero() && a.At.Before(in.OccurredAt) {
		return badField("at", "is before the incident", "Mend it, or amend the facts")
	}
	if slices.ContainsFunc(in.Notices, func(n snapshot.Notice) bool { return n.To == a.To && n.Region == a.Region && n.At.Equal(a.At) }) {
		return conflict("at", "This notice is recorded already", "Nothing is left to do")
	}
	return nil
}

func (a NoteNotice) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.Notices = append(slices.Clip(in.Notices), snapshot.Notice{To: a.To, Region: a.Region, At: a.At.UTC(), Count: a.Count, Document: a.Document, By: s.By})
	})
}

// DescribeIncident writes what the notices say, in the organisation's own words (45
// CFR 164.404(c)(1)): about the incident, never about a patient. A field that is left
// out is a gap in the drafts.
type DescribeIncident struct {
	ID           id.Incident      `json:"id"`
	WhatHappened string           `json:"what_happened,omitempty"`
	Types        []string         `json:"types,omitempty"` // of PHI: "your name", "your diagnoses"
	Steps        string           `json:"steps,omitempty"`
	Doing        string           `json:"doing,omitempty"`
	Contact      snapshot.Contact `json:"contact,omitzero"`
}

// maxTelling bounds a paragraph of a notice, in bytes.
const maxTelling = 2000

// Subject implements Act.
func (a DescribeIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a DescribeIncident) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if _, err := openIncident(v, a.ID); err != nil {
		return err
	}
	for _, f := range []struct{ field, text string }{{"what_happened", a.WhatHappened}, {"steps", a.Steps}, {"doing", a.Doing}} {
		if err := paragraph(f.field, f.text); err != nil {
			return err
		}
	}
	if len(a.Types) > 32 {
		return badField("types", "names too many", "Name at most 32 kinds of PHI")
	}
	return first(each("types", a.Types, func(f, one string) error { return required(f, one, `"your name"`) }), unique("types", a.Types),
		shortText("contact.toll_free", a.Contact.Phone), shortText("contact.email", a.Contact.Email),
		shortText("contact.website", a.Contact.Website), shortText("contact.postal", a.Contact.Postal))
}

// paragraph is shortText for what is read by people outside: longer, and still one
// paragraph.
func paragraph(field, text string) error {
	if len(text) > maxTelling {
		return badField(field, fmt.Sprintf("is %d bytes long", len(text)), fmt.Sprintf("Use at most %d: a notice that is read is short", maxTelling))
	}
	for len(text) > MaxText {
		n := MaxText
		for n > 0 && text[n]&0xc0 == 0x80 { // not in the middle of a letter
			n--
		}
		if n == 0 {
			return badField(field, "is not UTF-8", "Use plain text on one line")
		}
		if err := shortText(field, text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return shortText(field, text)
}

func (a DescribeIncident) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.Telling = snapshot.Telling{WhatHappened: a.WhatHappened, Types: slices.Clone(a.Types), Steps: a.Steps, Doing: a.Doing, Contact: a.Contact}
	})
}
