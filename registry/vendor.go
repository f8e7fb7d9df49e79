package registry

import (
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ProposeVendor asks to take an outside organisation on.
type ProposeVendor struct {
	ID      id.Vendor `json:"id"`
	Name    string    `json:"name"`
	Contact string    `json:"contact,omitempty"` // a function's address, not a person's
	// Subcontractors are vendors to whom this one passes data on.
	Subcontractors         []id.Vendor `json:"subcontractors,omitempty"`
	RequiredCertifications []string    `json:"required_certifications,omitempty"`
}

func (a ProposeVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a ProposeVendor) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(fresh("id", v.Vendors, a.ID),
		checkVendor(v, a.ID, a.Name, a.Contact, a.Subcontractors, a.RequiredCertifications))
}

func (a ProposeVendor) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Vendor{ID: a.ID, Name: a.Name, Contact: a.Contact, Subcontractors: a.Subcontractors,
		RequiredCertifications: a.RequiredCertifications, Approval: asked(s)})
}

func checkVendor(v *snapshot.View, self id.Vendor, name, contact string, subs []id.Vendor, certs []string) error {
	var types []string
	for _, t := range hipaa.CertificationTypes() {
		types = append(types, t.ID)
	}
	return first(
		required("name", name, `"Northwind AI, Inc."`),
		shortText("contact", contact),
		each("subcontractors", subs, func(field string, s id.Vendor) error {
			if s == self {
				return badField(field, "is the vendor itself", "Name the vendor's own vendors")
			}
			return exists(field, v.Vendors, s)
		}),
		unique("subcontractors", subs),
		each("required_certifications", certs, func(field, c string) error { return oneOf(field, c, types) }),
		unique("required_certifications", certs))
}

// AmendVendor replaces a vendor's particulars. A change that only asks for
// more (a certification added, a subcontractor dropped) holds at once; any
// other needs a new approval, and stops the vendor until then.
type AmendVendor struct {
	ID                     id.Vendor   `json:"id"`
	Name                   string      `json:"name"`
	Contact                string      `json:"contact,omitempty"`
	Subcontractors         []id.Vendor `json:"subcontractors,omitempty"`
	RequiredCertifications []string    `json:"required_certifications,omitempty"`
}

func (a AmendVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a AmendVendor) check(v *snapshot.View, by Actor, _ time.Time) error {
	old, _ := v.Vendors.Get(a.ID)
	return first(found("id", v.Vendors, a.ID),
		func() error {
			if old == nil {
				return nil
			}
			return amendable("The vendor", old.Approval, by)
		}(),
		checkVendor(v, a.ID, a.Name, a.Contact, a.Subcontractors, a.RequiredCertifications))
}

func (a AmendVendor) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Vendors, a.ID, func(w *snapshot.Vendor) {
		tighter := w.State == snapshot.Approved && a.Name == w.Name &&
			subset(a.Subcontractors, w.Subcontractors) && subset(w.RequiredCertifications, a.RequiredCertifications)
		w.Name, w.Contact = a.Name, a.Contact
		w.Subcontractors, w.RequiredCertifications = a.Subcontractors, a.RequiredCertifications
		if !tighter {
			w.Approval = asked(s)
		}
	})
}

func subset[T comparable](small, large []T) bool {
	return !slices.ContainsFunc(small, func(x T) bool { return !slices.Contains(large, x) })
}

// ApproveVendor takes the vendor on.
type ApproveVendor struct {
	ID id.Vendor `json:"id"`
}

func (a ApproveVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a ApproveVendor) apart(v *snapshot.View) []id.Person { return vendorAskedBy(v, a.ID) }

func vendorAskedBy(v *snapshot.View, vendor id.Vendor) []id.Person {
	if w, ok := v.Vendors.Get(vendor); ok {
		return []id.Person{w.RequestedBy}
	}
	return nil
}

func (a ApproveVendor) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(vendorIn(v, a.ID, snapshot.Proposed), onboardingVendor(v, a.ID))
}

func (a ApproveVendor) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Vendors, a.ID, func(w *snapshot.Vendor) { w.Approval = approved(w.Approval, s) })
}

func vendorIn(v *snapshot.View, vendor id.Vendor, want ...snapshot.State) error {
	w, ok := v.Vendors.Get(vendor)
	if !ok {
		return found("id", v.Vendors, vendor)
	}
	return inState(fmt.Sprintf("Vendor %q", vendor), w.State, want...)
}

// SuspendVendor stops everything of a vendor until it is resumed.
type SuspendVendor struct {
	ID id.Vendor `json:"id"`
}

func (a SuspendVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a SuspendVendor) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return vendorIn(v, a.ID, snapshot.Approved)
}

func (a SuspendVendor) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Vendors, a.ID, func(w *snapshot.Vendor) { w.State = snapshot.Suspended })
}

// ResumeVendor ends a suspension.
type ResumeVendor struct {
	ID id.Vendor `json:"id"`
}

func (a ResumeVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a ResumeVendor) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return vendorIn(v, a.ID, snapshot.Suspended)
}

func (a ResumeVendor) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Vendors, a.ID, func(w *snapshot.Vendor) { w.State = snapshot.Approved })
}

// OffboardVendor parts from a vendor for good: the short form of BeginOffboarding.
type OffboardVendor struct {
	ID id.Vendor `json:"id"`
}

func (a OffboardVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

func (a OffboardVendor) check(v *snapshot.View, by Actor, now time.Time) error {
	if err := vendorIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	return a.begin(v, now).check(v, by, now)
}

// attestedWithin is what a vendor has, to say what became of the data, where nobody
// says otherwise: the days that the terms' defaults give (BAA-R33; policy).
const attestedWithin = 30

func (a OffboardVendor) begin(v *snapshot.View, now time.Time) BeginOffboarding {
	due := now.AddDate(0, 0, attestedWithin)
	if c, ok := exitClock(v, a.ID, "", now); ok && c.Due(now).Before(due) {
		due = c.Due(now)
	}
	return BeginOffboarding{Vendor: a.ID, Cause: snapshot.OrganisationsWish, DueAt: due}
}

func (a OffboardVendor) apply(e *snapshot.Edit, s Stamp) {
	a.begin(e.View(), s.At).apply(e, s)
}
