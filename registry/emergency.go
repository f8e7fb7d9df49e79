package registry

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ReportEmergency notes that one of the organisation's people used a source's own
// emergency access procedure (45 CFR 164.312(a)(2)(ii)). Nothing is opened by it:
// the product is never in the path of care, and a vendor has no emergency.
type ReportEmergency struct {
	ID     id.Emergency `json:"id,omitempty"` // made if left out
	Source id.Source    `json:"source"`
	Person id.Person    `json:"person,omitempty"` // who used it; with neither, who reports
	Staff  string       `json:"staff,omitempty"`  // or, of who is not in the registry, their user name at the source
	Why    string       `json:"why"`              // never patient data
	UsedAt time.Time    `json:"used_at"`
}

func (a ReportEmergency) Subject() snapshot.Subject { return subject(snapshot.NounEmergency, a.ID) }

func (a ReportEmergency) used(by id.Person) id.Person {
	if a.Staff != "" {
		return a.Person
	}
	return cmp.Or(a.Person, by)
}

// One of the organisation's people reports their own use, by name, without any duty.
func (a ReportEmergency) about(v *snapshot.View, _ Actor) party {
	if p, ok := v.Persons.Get(a.Person); ok && p.Vendor == "" {
		return party{person: p.ID}
	}
	return party{}
}

func (a ReportEmergency) check(v *snapshot.View, by Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Emergencies, a.ID), knownSource(v, "source", a.Source),
		required("why", a.Why, `"The interface was down during a code"`), set("used_at", a.UsedAt), past("used_at", a.UsedAt, now)); err != nil {
		return err
	}
	if a.Staff != "" {
		if a.Person != "" {
			return badField("staff", "stands beside person", "Write one of them")
		}
		return formed("staff", a.Staff)
	}
	p, ok := v.Persons.Get(a.used(by.Person))
	switch {
	case !ok:
		return exists("person", v.Persons, a.Person)
	case p.Vendor != "":
		return badField("person", "is a vendor's: emergency access is for the organisation's own people, never for vendors", "Open an incident if a vendor used the procedure")
	}
	return nil
}

func (a ReportEmergency) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Emergency{ID: cmp.Or(a.ID, id.Emergency(s.ID)), Source: a.Source, Person: a.used(s.By), Staff: a.Staff, Why: a.Why, UsedAt: a.UsedAt.UTC(),
		ReportedBy: s.By, ReportedAt: s.At, DueAt: s.At.Add(e.View().Settings.Access.EmergencyReview)})
}

// ReviewEmergency is another person's look at it, within the day that the policy
// gives.
type ReviewEmergency struct {
	ID        id.Emergency `json:"id"`
	Justified bool         `json:"justified"`
}

func (a ReviewEmergency) Subject() snapshot.Subject { return subject(snapshot.NounEmergency, a.ID) }

func (a ReviewEmergency) apart(v *snapshot.View) []id.Person {
	if x, ok := v.Emergencies.Get(a.ID); ok {
		return []id.Person{x.ReportedBy, x.Person}
	}
	return nil
}

func (a ReviewEmergency) check(v *snapshot.View, _ Actor, _ time.Time) error {
	x, ok := v.Emergencies.Get(a.ID)
	switch {
	case !ok:
		return found("id", v.Emergencies, a.ID)
	case !x.ReviewedAt.IsZero():
		return conflict("id", "It was reviewed already", "Nothing is left to do")
	}
	return nil
}

func (a ReviewEmergency) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Emergencies, a.ID, func(x *snapshot.Emergency) { x.ReviewedBy, x.ReviewedAt, x.Justified = s.By, s.At, a.Justified })
}
