package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// OpenIncident opens an incident that the organisation itself saw, or that a finding
// shows. Any of its people may: nobody waits for a duty to say that something is
// wrong.
type OpenIncident struct {
	ID      id.Incident        `json:"id,omitempty"` // made if left out
	Title   string             `json:"title"`        // never patient data
	Vendor  id.Vendor          `json:"vendor,omitempty"`
	About   []snapshot.Subject `json:"about,omitempty"`
	Finding id.Finding         `json:"finding,omitempty"`
	// OccurredAt is when it happened, if that is known; DiscoveredAt when the
	// organisation first knew, or would have known by reasonable diligence; left out: now.
	OccurredAt   time.Time `json:"occurred_at,omitzero"`
	DiscoveredAt time.Time `json:"discovered_at,omitzero"`
}

// Subject implements Act.
func (a OpenIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

// from fills in what the finding says and the act leaves out. What a finding shows was
// known when it was raised.
func (a OpenIncident) from(f *snapshot.Finding) OpenIncident {
	a.Vendor = cmp.Or(a.Vendor, f.Vendor)
	if len(a.About) == 0 && slices.Contains(Holdable, f.About.Noun) {
		a.About = []snapshot.Subject{f.About}
	}
	if a.DiscoveredAt.IsZero() {
		a.DiscoveredAt = f.RaisedAt
	}
	return a
}

func (a OpenIncident) check(v *snapshot.View, _ Actor, now time.Time) error {
	if a.Finding != "" {
		f, ok := v.Findings.Get(a.Finding)
		if !ok {
			return exists("finding", v.Findings, a.Finding)
		}
		if f.Settled != "" {
			return conflict("finding", "The finding is settled already", "Open the incident without it, or reopen the one that came from it")
		}
		if a.DiscoveredAt.After(f.RaisedAt) {
			return badField("discovered_at", "is after the finding was raised", "An alert is knowledge (45 CFR 164.504(e)(1)(ii)): leave it out, or write an earlier time")
		}
		a = a.from(f)
	}
	vendor := error(nil)
	if a.Vendor != "" {
		vendor = exists("vendor", v.Vendors, a.Vendor)
	}
	return first(freshOrNone("id", v.Incidents, a.ID), required("title", a.Title, `"Notebook with report texts in a public repository"`), vendor,
		aboutOf(v, a.About, a.Vendor, true), incidentTimes(a.OccurredAt, a.DiscoveredAt, time.Time{}, now))
}

func (a OpenIncident) apply(e *snapshot.Edit, s Stamp) {
	key := cmp.Or(a.ID, id.Incident(s.ID))
	if f, ok := e.View().Findings.Get(a.Finding); ok {
		a = a.from(f)
	}
	e.Put(&snapshot.Incident{ID: key, Title: a.Title, Vendor: a.Vendor, About: slices.Clone(a.About), Finding: a.Finding, OccurredAt: utc(a.OccurredAt),
		DiscoveredAt: orNow(a.DiscoveredAt, s), ReportedAt: s.At, DiscoveredBy: snapshot.Organisation, OpenedBy: s.By, OpenedAt: s.At, MovedAt: s.At})
	if a.Finding != "" {
		change(e, e.View().Findings, a.Finding, func(f *snapshot.Finding) {
			f.Settled, f.SettledBy, f.SettledAt, f.Incident = snapshot.SettledEscalated, s.By, s.At, key
		})
	}
}

// ReportIncident is a report to the organisation. A vendor makes it through any of its
// people, a link or a system of its own, and the organisation's people or systems make
// it for a vendor that called. It is the vendor's notice: the time of the act is when
// the organisation was told.
type ReportIncident struct {
	Vendor id.Vendor `json:"vendor"`
	Title  string    `json:"title"` // never patient data
	// About names what of the vendor is affected: engagements, people, devices, apps.
	About      []snapshot.Subject `json:"about,omitempty"`
	OccurredAt time.Time          `json:"occurred_at,omitzero"`
	// DiscoveredAt is when the vendor first knew, or would have known by reasonable
	// diligence; left out: now.
	DiscoveredAt time.Time `json:"discovered_at,omitzero"`
	// Individuals is how many people's data the vendor believes is affected; 0: not
	// known.
	Individuals int `json:"individuals,omitempty"`
}

// maxOpenReports is how many incidents of one vendor may be open: beyond that somebody
// talks to it.
const maxOpenReports = 500

// Subject implements Act.
func (a ReportIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, "") }

// A vendor's people, links and systems report for that vendor; a system of the
// organisation's own for any.
func (a ReportIncident) about(v *snapshot.View, by Actor) party {
	p := party{vendor: a.Vendor, connectors: []snapshot.ConnectorKind{snapshot.AlertSender},
		link: subject(snapshot.NounVendor, a.Vendor), linkFor: snapshot.LinkIncident}
	if c, ok := v.Connectors.Get(by.Connector); ok && c.Vendor == "" {
		if _, known := v.Vendors.Get(a.Vendor); known || a.Vendor == "" {
			p.vendor = ""
		}
	}
	return p
}

func (a ReportIncident) check(v *snapshot.View, by Actor, now time.Time) error {
	own := reportsFor(v, by.Name())
	if a.Vendor == "" && (own != snapshot.Organisation || by.Connector == "") {
		return badField("vendor", "is missing", "Name the vendor where it happened; what happened at the organisation itself is opened: sallyport incident open")
	}
	vendor := error(nil)
	if a.Vendor != "" {
		vendor = exists("vendor", v.Vendors, a.Vendor)
	}
	if a.Individuals < 0 || a.Individuals > maxIndividuals {
		return badField("individuals", "is not a number of people", "Write how many, or leave it out if nobody knows")
	}
	open := 0
	for _, in := range v.Incidents.All() {
		if in.Vendor == a.Vendor && in.Open() {
			open++
		}
	}
	if open >= maxOpenReports {
		return conflict("vendor", fmt.Sprintf("%d incidents are open already", open), "Call the organisation's privacy officer: this one must not be lost")
	}
	return first(vendor, required("title", a.Title, `"Laptop with exported notes stolen"`), aboutOf(v, a.About, a.Vendor, own == snapshot.Organisation),
		incidentTimes(a.OccurredAt, a.DiscoveredAt, time.Time{}, now))
}

func (a ReportIncident) apply(e *snapshot.Edit, s Stamp) {
	by := snapshot.VendorParty
	if a.Vendor == "" || strings.HasPrefix(string(s.By), connectorPrefix) && reportsFor(e.View(), s.By) == snapshot.Organisation {
		by = snapshot.Organisation // a system of ours saw it
	}
	e.Put(&snapshot.Incident{ID: id.Incident(s.ID), Title: a.Title, Vendor: a.Vendor, About: slices.Clone(a.About), OccurredAt: utc(a.OccurredAt),
		DiscoveredAt: orNow(a.DiscoveredAt, s), ReportedAt: s.At, DiscoveredBy: by, Estimate: a.Individuals, OpenedBy: s.By, OpenedAt: s.At, MovedAt: s.At})
}

// reportsFor is the side of whoever acts under the name.
func reportsFor(v *snapshot.View, name id.Person) snapshot.Party {
	if key, ok := strings.CutPrefix(string(name), connectorPrefix); ok {
		if c, ok := v.Connectors.Get(id.Connector(key)); ok && c.Vendor == "" {
			return snapshot.Organisation
		}
		return snapshot.VendorParty
	}
	if p, ok := v.Persons.Get(name); ok && p.Vendor == "" {
		return snapshot.Organisation
	}
	return snapshot.VendorParty
}

// maxIndividuals is more than there are people.
const maxIndividuals = 10_000_000_000

// maxAbout is how many things one incident may name.
const maxAbout = 64

// aboutOf wants things that there are and, where a vendor is named, that are the
// vendor's. Whoever is not of the organisation hears of every other the same.
func aboutOf(v *snapshot.View, about []snapshot.Subject, vendor id.Vendor, ours bool) error {
	if len(about) > maxAbout {
		return badField("about", "names too many things", fmt.Sprintf("Name at most %d; a hold on the vendor covers all of its own", maxAbout))
	}
	if err := unique("about", subjectNames(about)); err != nil {
		return err
	}
	return each("about", about, func(f string, s snapshot.Subject) error {
		if err := oneOf(f+".noun", s.Noun, Holdable); err != nil {
			return err
		}
		of, ok := vendorOf(v, s)
		switch {
		case vendor != "" && (!ok || of != vendor):
			if ours && !ok {
				return existsSubject(v, f+".id", s)
			}
			return badField(f+".id", fmt.Sprintf("is nothing of vendor %q", string(vendor)), "Name what is the vendor's own, or leave it out")
		case !ok:
			return existsSubject(v, f+".id", s)
		}
		return nil
	})
}

func subjectNames(in []snapshot.Subject) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = string(s.Noun) + " " + s.ID
	}
	return out
}

// vendorOf is whose the subject is; ok is false if there is no such thing.
func vendorOf(v *snapshot.View, s snapshot.Subject) (of id.Vendor, ok bool) {
	r, ok := find(v, s)
	if !ok {
		return "", false
	}
	switch r := r.(type) {
	case *snapshot.Vendor:
		return r.ID, true
	case *snapshot.Engagement:
		return r.Vendor, true
	case *snapshot.Person:
		return r.Vendor, true
	case *snapshot.Device:
		return r.Vendor, true
	case *snapshot.App:
		return r.Vendor, true
	case *snapshot.Connector:
		return r.Vendor, true
	case *snapshot.Grant:
		e, ok := v.Engagements.Get(r.Engagement)
		if !ok {
			return "", false
		}
		return e.Vendor, true
	}
	return "", false
}

// incidentTimes wants occurrence, discovery and report in their order, none to come.
func incidentTimes(occurred, discovered, reported, now time.Time) error {
	last := cmp.Or(reported, now)
	switch {
	case !occurred.IsZero() && !discovered.IsZero() && discovered.Before(occurred):
		return badField("discovered_at", "is before it happened", "Nobody discovers what has not happened yet: mend occurred_at or discovered_at")
	case discovered.After(last) && !reported.IsZero():
		return badField("discovered_at", "is after the report", "What was reported was known: mend discovered_at or reported_at")
	}
	return first(setOrNone("occurred_at", occurred), past("occurred_at", occurred, now),
		setOrNone("discovered_at", discovered), past("discovered_at", discovered, now),
		setOrNone("reported_at", reported), past("reported_at", reported, now))
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

func orNow(t time.Time, s Stamp) time.Time {
	if t.IsZero() {
		return s.At
	}
	return t.UTC()
}

// openIncident finds the incident that an act is about, which must not be closed.
func openIncident(v *snapshot.View, key id.Incident) (*snapshot.Incident, error) {
	in, ok := v.Incidents.Get(key)
	if !ok {
		return nil, found("id", v.Incidents, key)
	}
	if !in.Open() {
		return nil, conflict("id", "The incident is closed", "Open it again first: sallyport incident reopen "+string(key))
	}
	return in, nil
}

// move changes an incident, and notes that somebody did something about it.
func move(e *snapshot.Edit, s Stamp, key id.Incident, f func(*snapshot.Incident)) {
	change(e, e.View().Incidents, key, func(in *snapshot.Incident) {
		in.MovedAt = s.At
		f(in)
	})
}

// ContainIncident puts on hold, in one act, everything that it names, or where it
// names nothing what the incident is about.
type ContainIncident struct {
	ID id.Incident        `json:"id"`
	On []snapshot.Subject `json:"on,omitempty"`
}

// Subject implements Act.
func (a ContainIncident) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

// targets are what the act would put on hold: what is not already, for an incident.
func (a ContainIncident) targets(v *snapshot.View, in *snapshot.Incident) []snapshot.Subject {
	on := a.On
	if len(on) == 0 {
		on = in.About
		if len(on) == 0 && in.Vendor != "" {
			on = []snapshot.Subject{subject(snapshot.NounVendor, in.Vendor)}
		}
	}
	var out []snapshot.Subject
	for _, s := range on {
		if !slices.ContainsFunc(v.HoldsOn(s), func(h *snapshot.Hold) bool { return h.LiftedAt.IsZero() && h.Cause == snapshot.HoldIncident }) {
			out = append(out, s)
		}
	}
	return out
}

func (a ContainIncident) check(v *snapshot.View, _ Actor, _ time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	if err := first(aboutOf(v, a.On, "", true), unique("on", subjectNames(a.On))); err != nil {
		if p := problem.From(err); strings.HasPrefix(p.Field, "about") {
			p.Field = "on" + strings.TrimPrefix(p.Field, "about")
		}
		return err
	}
	if len(a.On) == 0 && len(in.About) == 0 && in.Vendor == "" {
		return badField("on", "is empty, and the incident names nothing", "Name what to put on hold, such as [{noun: device, id: northwind-gpu-1}]")
	}
	if len(a.targets(v, in)) == 0 {
		return conflict("on", "All of it is on hold for an incident already", "Nothing is left to do")
	}
	return nil
}

func (a ContainIncident) apply(e *snapshot.Edit, s Stamp) {
	in, ok := e.View().Incidents.Get(a.ID)
	if !ok {
		return
	}
	var made []id.Hold
	for i, on := range a.targets(e.View(), in) {
		key := id.Hold(fmt.Sprintf("%s-%d", s.ID, i+1))
		e.Put(&snapshot.Hold{ID: key, On: on, Cause: snapshot.HoldIncident, PlacedBy: s.By, PlacedAt: s.At})
		made = append(made, key)
	}
	move(e, s, a.ID, func(in *snapshot.Incident) { in.Holds = append(slices.Clip(in.Holds), made...) })
}

// AmendIncidentFacts replaces what is known about an incident. A field that is left
// out becomes empty, but for discovered_at and reported_at. An assessment that was
// approved rested on the old facts, so its approval ends.
type AmendIncidentFacts struct {
	ID           id.Incident        `json:"id"`
	Title        string             `json:"title"`
	Vendor       id.Vendor          `json:"vendor,omitempty"`
	About        []snapshot.Subject `json:"about,omitempty"`
	OccurredAt   time.Time          `json:"occurred_at,omitzero"`
	DiscoveredAt time.Time          `json:"discovered_at,omitzero"`
	DiscoveredBy snapshot.Party     `json:"discovered_by,omitempty"` // organisation or vendor; left out: as it was
	ReportedAt   time.Time          `json:"reported_at,omitzero"`
	KnowableAt   time.Time          `json:"knowable_at,omitzero"`
	// Agent says whether the vendor acts as the organisation's agent, and AgentWhy why.
	Agent    snapshot.Answer `json:"agent,omitempty"`
	AgentWhy string          `json:"agent_why,omitempty"`
	Overlays []string        `json:"overlays,omitempty"`
}

// Subject implements Act.
func (a AmendIncidentFacts) Subject() snapshot.Subject { return subject(snapshot.NounIncident, a.ID) }

// Who an incident is about does not say what happened, or take themselves out of it.
func (a AmendIncidentFacts) apart(v *snapshot.View) []id.Person {
	if in, ok := v.Incidents.Get(a.ID); ok {
		return aboutPeople(in)
	}
	return nil
}

// aboutPeople are the people whom an incident names.
func aboutPeople(in *snapshot.Incident) (out []id.Person) {
	for _, s := range in.About {
		if s.Noun == snapshot.NounPerson {
			out = append(out, id.Person(s.ID))
		}
	}
	return out
}

func (a AmendIncidentFacts) check(v *snapshot.View, _ Actor, now time.Time) error {
	in, err := openIncident(v, a.ID)
	if err != nil {
		return err
	}
	next := a.amended(*in)
	vendor := error(nil)
	if a.Vendor != "" {
		vendor = exists("vendor", v.Vendors, a.Vendor)
	}
	if a.Agent != "" {
		if err := first(oneOf("agent", a.Agent, snapshot.Answers), required("agent_why", a.AgentWhy, `"We do not control how it does the work (contract, section 3)"`)); err != nil {
			return err
		}
		if paper, says := agencyPaper(v, next.Vendor, next.DiscoveredAt); says && a.Agent == snapshot.No {
			return badField("agent", "contradicts agreement "+string(paper)+", which calls the vendor the organisation's agent (BAA-R25)",
				"Write yes: what the vendor knew, the organisation knew (45 CFR 164.404(a)(2))")
		}
	}
	if next.DiscoveredBy == snapshot.VendorParty && next.Vendor == "" {
		return badField("discovered_by", "is the vendor, and there is none", "Name the vendor, or write organisation")
	}
	if err := first(required("title", a.Title, `"Notebook in a public repository"`), vendor, aboutOf(v, a.About, a.Vendor, true),
		oneOf("discovered_by", next.DiscoveredBy, []snapshot.Party{snapshot.Organisation, snapshot.VendorParty}),
		incidentTimes(next.OccurredAt, next.DiscoveredAt, next.ReportedAt, now),
		setOrNone("knowable_at", a.KnowableAt), past("knowable_at", a.KnowableAt, now), shortText("agent_why", a.AgentWhy),
		each("overlays", a.Overlays, func(f, o string) error { return oneOf(f, o, snapshot.IncidentOverlays) }), unique("overlays", a.Overlays)); err != nil {
		return err
	}
	if !a.KnowableAt.IsZero() && !a.OccurredAt.IsZero() && a.KnowableAt.Before(a.OccurredAt) {
		return badField("knowable_at", "is before it happened", "Mend occurred_at or knowable_at")
	}
	return nil
}

// amended is the incident with the new facts.
func (a AmendIncidentFacts) amended(in snapshot.Incident) snapshot.Incident {
	in.Title, in.Vendor, in.About = a.Title, a.Vendor, slices.Clone(a.About)
	in.OccurredAt, in.KnowableAt = utc(a.OccurredAt), utc(a.KnowableAt)
	in.DiscoveredAt, in.ReportedAt = utc(cmp.Or(a.DiscoveredAt, in.DiscoveredAt)), utc(cmp.Or(a.ReportedAt, in.ReportedAt))
	in.DiscoveredBy = cmp.Or(a.DiscoveredBy, in.DiscoveredBy, snapshot.Organisation)
	in.Agent, in.AgentWhy, in.Overlays = a.Agent, a.AgentWhy, slices.Clone(a.Overlays)
	return in
}

func (a AmendIncidentFacts) apply(e *snapshot.Edit, s Stamp) {
	move(e, s, a.ID, func(in *snapshot.Incident) {
		*in = a.amended(*in)
		unapprove(in)
	})
}

// unapprove ends the approval of an assessment whose facts have changed.
func unapprove(in *snapshot.Incident) {
	if in.Assessment == nil {
		return
	}
	next := *in.Assessment
	next.ApprovedBy, next.ApprovedAt = "", time.Time{}
	in.Assessment = &next
}
