package registry

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// CorrectIncident sets a corrective action: mitigation (45 CFR 164.530(f)), or what
// keeps it from happening again.
type CorrectIncident struct {
	ID    id.Incident `json:"id"`
	What  string      `json:"what"`
	Owner id.Person   `json:"owner"` // who answers for it: one of the organisation's, or of the incident's vendor
	DueAt time.Time   `json:"due_at"`
}

// maxCorrections is how many corrective actions one incident may have.
const maxCorrections = 64

// Subject implements Act.
func (a CorrectIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a CorrectIncident) check(v *snapshot.View, _ Actor, now time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(required("what", a.What, `"Move the export into the vendor's own workspace"`), exists("owner", v.Persons, a.Owner),
		set("due_at", a.DueAt), future("due_at", a.DueAt, now)); err != nil {
		return err
	}
	if p, _ := v.Persons.Get(a.Owner); p.Vendor != "" && p.Vendor != in.Vendor {
		return badField("owner", "is another vendor's person", "Name one of the organisation's people, or of the vendor where it happened")
	}
	if len(in.Corrections) >= maxCorrections {
		return conflict("id", "The incident has too many corrective actions", fmt.Sprintf("Use at most %d", maxCorrections))
	}
	if slices.ContainsFunc(in.Corrections, func(c snapshot.Correction) bool { return c.What == a.What && c.DoneAt.IsZero() }) {
		return conflict("what", "This corrective action is set already", "Nothing is left to do")
	}
	return nil
}

func (a CorrectIncident) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.Corrections = append(slices.Clip(in.Corrections), snapshot.Correction{What: a.What, Owner: a.Owner, DueAt: a.DueAt.UTC(), By: s.By, At: s.At})
	})
}

// CompleteCorrection records that a corrective action is done.
type CompleteCorrection struct {
	ID     id.Incident `json:"id"`
	Number int         `json:"number"` // 1 is the first
}

// Subject implements Act.
func (a CompleteCorrection) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a CompleteCorrection) check(v *snapshot.View, _ Actor, _ time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if a.Number < 1 || a.Number > len(in.Corrections) {
		return badField("number", fmt.Sprintf("is not one of the %d corrective actions", len(in.Corrections)), "See them: sallyport incident get "+string(a.ID))
	}
	if !in.Corrections[a.Number-1].DoneAt.IsZero() {
		return conflict("number", "It is done already", "Nothing is left to do")
	}
	return nil
}

func (a CompleteCorrection) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.Corrections = slices.Clone(in.Corrections)
		in.Corrections[a.Number-1].DoneBy, in.Corrections[a.Number-1].DoneAt = s.By, s.At
	})
}

// RecordSanction records what was done about a person or a vendor (45 CFR
// 164.530(e)(2), 164.308(a)(1)(ii)(C)). It does nothing by itself: what stops
// somebody is a hold, a suspension, an end.
type RecordSanction struct {
	ID   id.Incident      `json:"id"`
	On   snapshot.Subject `json:"on"` // a person or a vendor
	What string           `json:"what"`
	At   time.Time        `json:"at"`
}

// Subject implements Act.
func (a RecordSanction) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

// Nobody records a sanction on themselves.
func (a RecordSanction) apart(*snapshot.View) []id.Person {
	if a.On.Noun == snapshot.NounPerson {
		return []id.Person{id.Person(a.On.ID)}
	}
	return nil
}

func (a RecordSanction) check(v *snapshot.View, _ Actor, now time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(oneOf("on.noun", a.On.Noun, []snapshot.Noun{snapshot.NounPerson, snapshot.NounVendor}), existsSubject(v, "on.id", a.On),
		required("what", a.What, `"Written warning; training repeated"`), set("at", a.At), past("at", a.At, now)); err != nil {
		return err
	}
	if slices.ContainsFunc(in.Sanctions, func(s snapshot.Sanction) bool { return s.On == a.On && s.What == a.What && s.At.Equal(a.At) }) {
		return conflict("at", "This sanction is recorded already", "Nothing is left to do")
	}
	return nil
}

func (a RecordSanction) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.Sanctions = append(slices.Clip(in.Sanctions), snapshot.Sanction{On: a.On, What: a.What, At: a.At.UTC(), By: s.By})
	})
}

// CloseIncident closes an incident, once it is judged, its notices are given and its
// corrections done, or each that is not is explained. Another than who opened it does.
type CloseIncident struct {
	ID      id.Incident `json:"id"`
	Lessons string      `json:"lessons"`
	// Explained says why something may stay open, by its name: "assessment", or the key of
	// a clock ("B-404-b", "correction-2").
	Explained map[string]string `json:"explained,omitempty"`
}

// Subject implements Act.
func (a CloseIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a CloseIncident) apart(v *snapshot.View) []id.Person {
	in, ok := v.Incidents.Get(a.ID)
	if !ok {
		return nil
	}
	return append([]id.Person{in.OpenedBy}, aboutPeople(in)...)
}

// openItems are what must be done or explained before an incident is closed, in order.
func openItems(v *snapshot.View, in *snapshot.Incident, now time.Time) ([]string, error) {
	zone, err := breach.Zone(v.Settings.TimeZone)
	if err != nil {
		return nil, err
	}
	var out []string
	if c := breach.Conclude(in.Assessment); c.Breach && c.Basis == breach.Presumed {
		out = append(out, "assessment")
	}
	for _, d := range breach.Due(in, breach.ContractOf(v, in), zone, now) {
		if d.Pending() && !slices.Contains(out, d.Key()) {
			out = append(out, d.Key())
		}
	}
	return out, nil
}

func (a CloseIncident) check(v *snapshot.View, _ Actor, now time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := paragraph("lessons", a.Lessons); err != nil {
		return err
	}
	if strings.TrimSpace(a.Lessons) == "" {
		return badField("lessons", "is missing", "Write what was learned, and what is different now")
	}
	open, err := openItems(v, in, now)
	if err != nil {
		return err
	}
	for _, item := range open {
		if strings.TrimSpace(a.Explained[item]) == "" {
			return conflict("explained."+item, "It is open, and nothing explains it", "Do it (sallyport incident clocks "+string(a.ID)+"), or say in explained why it may stay so")
		}
	}
	for _, item := range slices.Sorted(maps.Keys(a.Explained)) {
		if !slices.Contains(open, item) {
			return badField("explained."+item, "is not open", meant(item, open, "Leave it out"))
		}
		if err := shortText("explained."+item, a.Explained[item]); err != nil {
			return err
		}
	}
	return nil
}

func (a CloseIncident) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.ClosedBy, in.ClosedAt, in.Lessons, in.Explained = s.By, s.At, a.Lessons, maps.Clone(a.Explained)
	})
}

// ReopenIncident opens a closed incident again. What was learned and explained stays
// in the record of the acts.
type ReopenIncident struct {
	ID id.Incident `json:"id"`
}

// Subject implements Act.
func (a ReopenIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a ReopenIncident) check(v *snapshot.View, _ Actor, _ time.Time) error {
	in, ok := v.Incidents.Get(a.ID)
	if !ok {
		return found("id", v.Incidents, a.ID)
	}
	if in.Open() {
		return conflict("id", "The incident is open", "Nothing is left to do")
	}
	return nil
}

func (a ReopenIncident) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		in.ClosedBy, in.ClosedAt, in.Lessons, in.Explained = "", time.Time{}, "", nil
	})
}
