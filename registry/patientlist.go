package registry

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The patients of an incident are told (45 CFR 164.404), so somebody must know who they
// are. The log has pseudonyms, and only the owner's key, with the source's own ids,
// leads back. One person asks, another approves, and the one who asked is given the
// list by custody, which is told patients' ids; the registry never is.

// maxPatientLists bounds an incident's record.
const maxPatientLists = 100

// RequestPatientList asks for the list of patients of a blast radius, as the index of
// disclosures answered it: its digest, and the question that it answers.
type RequestPatientList struct {
	ID          id.Incident     `json:"id"`
	Radius      string          `json:"radius_sha256"`
	Log         string          `json:"log"`      // the log's name, as the radius has it
	Through     uint64          `json:"through"`  // the log's entries before this index
	Patients    uint64          `json:"patients"` // how many the radius says there are
	Vendors     []id.Vendor     `json:"vendors,omitempty"`
	Engagements []id.Engagement `json:"engagements,omitempty"`
	Persons     []id.Person     `json:"persons,omitempty"`
	Devices     []id.Device     `json:"devices,omitempty"`
	Apps        []id.App        `json:"apps,omitempty"`
	Grants      []id.Grant      `json:"grants,omitempty"`
	Sources     []id.Source     `json:"sources,omitempty"`
	Since       time.Time       `json:"since,omitzero"`
	Until       time.Time       `json:"until,omitzero"`
}

// Subject implements Act.
func (a RequestPatientList) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a RequestPatientList) check(v *snapshot.View, _ Actor, _ time.Time) error {
	r, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(sha256Hex("radius_sha256", a.Radius), formedAll("vendors", a.Vendors), formedAll("engagements", a.Engagements), formedAll("persons", a.Persons),
		formedAll("devices", a.Devices), formedAll("apps", a.Apps), formedAll("grants", a.Grants), formedAll("sources", a.Sources),
		shortText("log", a.Log)); err != nil {
		return err
	}
	switch {
	case a.Log == "" || len(a.Log) > 100:
		return badField("log", "is not the name of a log", "Write it as the radius has it")
	case a.Through == 0:
		return badField("through", "is missing", "Write it as the radius has it")
	case a.Patients == 0:
		return badField("patients", "is 0", "A radius without patients has nobody to tell")
	case !a.Since.IsZero() && !a.Until.IsZero() && !a.Since.Before(a.Until):
		return badField("until", "is not after since", "Write both as the radius has them")
	case len(r.PatientLists) >= maxPatientLists:
		return conflict("id", fmt.Sprintf("The incident has %d lists already", maxPatientLists), "Draw one of them")
	}
	if slices.ContainsFunc(r.PatientLists, func(l snapshot.PatientList) bool { return l.Radius == a.Radius && l.State == snapshot.Proposed }) {
		return conflict("radius_sha256", "The list of this radius is asked for already", "Have another person approve it: sallyport incident approve-patients")
	}
	return nil
}

func formedAll[T ~string](field string, list []T) error {
	for i, v := range list {
		if err := formed(fmt.Sprintf("%s[%d]", field, i), v); err != nil {
			return err
		}
	}
	return nil
}

func (a RequestPatientList) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Incidents, a.ID, func(r *snapshot.Incident) {
		r.PatientLists = append(slices.Clone(r.PatientLists), snapshot.PatientList{ID: s.ID, Radius: a.Radius, Log: a.Log, Through: a.Through, Patients: a.Patients,
			Vendors: slices.Clone(a.Vendors), Engagements: slices.Clone(a.Engagements), Persons: slices.Clone(a.Persons), Devices: slices.Clone(a.Devices),
			Apps: slices.Clone(a.Apps), Grants: slices.Clone(a.Grants), Sources: slices.Clone(a.Sources), Since: utc(a.Since), Until: utc(a.Until), Approval: asked(s)})
		r.MovedAt = s.At
	})
}

// ApprovePatientList allows the one who asked to be given the list, for some days.
type ApprovePatientList struct {
	ID   id.Incident `json:"id"`
	List id.Act      `json:"list"` // as the incident has it
}

// Subject implements Act.
func (a ApprovePatientList) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

func (a ApprovePatientList) apart(v *snapshot.View) []id.Person {
	r, ok := v.Incidents.Get(a.ID)
	if !ok {
		return nil
	}
	if l := r.PatientListOf(a.List); l != nil {
		return []id.Person{l.RequestedBy}
	}
	return nil
}

func (a ApprovePatientList) check(v *snapshot.View, _ Actor, _ time.Time) error {
	r, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	l := r.PatientListOf(a.List)
	if l == nil {
		return badField("list", "is none of the incident's lists", "See: sallyport incident get "+string(a.ID))
	}
	return inState("the list", l.State, snapshot.Proposed)
}

func (a ApprovePatientList) apply(e *snapshot.Edit, s Stamp) {
	changeList(e, a.ID, a.List, func(l *snapshot.PatientList) { l.Approval = approved(l.Approval, s) }, s)
}

// changeList puts a changed copy of one of an incident's lists.
func changeList(e *snapshot.Edit, incident id.Incident, list id.Act, f func(*snapshot.PatientList), s Stamp) {
	change(e, e.View().Incidents, incident, func(r *snapshot.Incident) {
		r.PatientLists = slices.Clone(r.PatientLists)
		if l := r.PatientListOf(list); l != nil {
			f(l)
		}
		r.MovedAt = s.At
	})
}

// ListAffected says that the patients of an approved list are about to be named to the
// person who asked for it. Custody does it, before the source is asked: see patient.go.
type ListAffected struct {
	Incident id.Incident `json:"incident"`
	List     id.Act      `json:"list"`
	Source   id.Source   `json:"source"`
	// Candidates says that the ids were compared with a list that the person gave, rather
	// than with all that the source has now.
	Candidates bool `json:"candidates,omitempty"`
}

// Subject implements Act.
func (a ListAffected) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.Incident) }

func (a ListAffected) check(v *snapshot.View, by Actor, now time.Time) error {
	r, ok := v.Incidents.Get(a.Incident)
	if !ok {
		return exists("incident", v.Incidents, a.Incident)
	}
	l := r.PatientListOf(a.List)
	if l == nil {
		return badField("list", "is none of the incident's lists", "See: sallyport incident get "+string(a.Incident))
	}
	if err := knownSource(v, "source", a.Source); err != nil {
		return err
	}
	if err := inState("the list", l.State, snapshot.Approved); err != nil {
		return err
	}
	switch {
	case l.RequestedBy != by.Name():
		return conflict("list", "Another person asked for the list, and it is given to them alone", "Ask for one of your own: sallyport incident request-patients "+string(a.Incident))
	case !now.Before(l.ApprovedAt.Add(snapshot.PatientListLife)):
		return conflict("list", "The approval has lapsed", "Ask again: sallyport incident request-patients "+string(a.Incident))
	case len(l.Sources) > 0 && !slices.Contains(l.Sources, a.Source):
		return badField("source", "is not one that the radius is about", "Write one of the list's sources")
	}
	return nil
}

func (a ListAffected) apply(e *snapshot.Edit, s Stamp) {
	changeList(e, a.Incident, a.List, func(l *snapshot.PatientList) {
		l.Drawn = append(slices.Clone(l.Drawn), snapshot.PatientListDrawn{Source: a.Source, By: s.By, At: s.At})
	}, s)
}
