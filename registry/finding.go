package registry

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RaiseFinding notes something that a person must look at.
type RaiseFinding struct {
	ID     id.Finding           `json:"id,omitempty"` // made if left out
	Kind   snapshot.FindingKind `json:"kind"`         // of snapshot.FindingKinds
	About  snapshot.Subject     `json:"about"`
	Vendor id.Vendor            `json:"vendor,omitempty"` // whose it is; left out: about's, if that is a vendor
	Title  string               `json:"title"`            // never patient data
}

// Subject implements Act.
func (a RaiseFinding) Subject() snapshot.Subject { return subject(snapshot.NounFinding, a.ID) }

func (a RaiseFinding) vendor() id.Vendor {
	if a.Vendor == "" && a.About.Noun == snapshot.NounVendor {
		return id.Vendor(a.About.ID)
	}
	return a.Vendor
}

func (a RaiseFinding) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := first(freshOrNone("id", v.Findings, a.ID), oneOf("kind", a.Kind, snapshot.FindingKinds), required("title", a.Title, "Two vendors' reports share most of their words")); err != nil {
		return err
	}
	if _, ok := find(v, a.About); !ok {
		return badField("about", "is nothing that is registered", "Write {noun: vendor, id: ...} of something that exists")
	}
	if w := a.vendor(); w != "" {
		return exists("vendor", v.Vendors, w)
	}
	return nil
}

func (a RaiseFinding) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Finding{ID: cmp.Or(a.ID, id.Finding(s.ID)), Kind: a.Kind, About: a.About, Vendor: a.vendor(), Title: a.Title, RaisedBy: s.By, RaisedAt: s.At})
}

// SettleFinding says what became of a finding: it was mended, was mistaken, or became
// an incident. That a risk stays and somebody answers for it is AcceptFinding.
type SettleFinding struct {
	ID       id.Finding          `json:"id"`
	Settled  snapshot.Settlement `json:"settled"`            // mended, mistaken or incident
	Incident id.Incident         `json:"incident,omitempty"` // that was opened from it
}

// Subject implements Act.
func (a SettleFinding) Subject() snapshot.Subject { return subject(snapshot.NounFinding, a.ID) }

func (a SettleFinding) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := unsettled(v, a.ID); err != nil {
		return err
	}
	if err := oneOf("settled", a.Settled, []snapshot.Settlement{snapshot.SettledMended, snapshot.SettledMistaken, snapshot.SettledEscalated}); err != nil {
		return err
	}
	if (a.Settled == snapshot.SettledEscalated) != (a.Incident != "") {
		return badField("incident", "goes with settled: incident", "Name the incident that was opened from it, and only then")
	}
	if a.Incident != "" {
		return exists("incident", v.Incidents, a.Incident)
	}
	return nil
}

func unsettled(v *snapshot.View, key id.Finding) error {
	f, ok := v.Findings.Get(key)
	if !ok {
		return found("id", v.Findings, key)
	}
	if f.Settled != "" {
		return conflict("id", "The finding is settled already", "Raise another if it is back")
	}
	return nil
}

func (a SettleFinding) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Findings, a.ID, func(f *snapshot.Finding) {
		f.Settled, f.SettledBy, f.SettledAt, f.Incident = a.Settled, s.By, s.At, a.Incident
	})
}

// AcceptFinding settles a finding by answering for its risk. Whoever raised it does
// not accept it.
type AcceptFinding struct {
	ID id.Finding `json:"id"`
}

// Subject implements Act.
func (a AcceptFinding) Subject() snapshot.Subject { return subject(snapshot.NounFinding, a.ID) }

func (a AcceptFinding) apart(v *snapshot.View) []id.Person {
	if f, ok := v.Findings.Get(a.ID); ok {
		return []id.Person{f.RaisedBy}
	}
	return nil
}

func (a AcceptFinding) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return unsettled(v, a.ID)
}

func (a AcceptFinding) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Findings, a.ID, func(f *snapshot.Finding) {
		f.Settled, f.SettledBy, f.SettledAt = snapshot.SettledAccepted, s.By, s.At
	})
}
