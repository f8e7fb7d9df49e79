package registry

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ProfileVendor records what a vendor does for the organisation and with which data,
// in the place of what was recorded before. What it adds reopens the vendor's
// assessment by itself (diligence.Reopened).
type ProfileVendor struct {
	ID          id.Vendor          `json:"id"`
	Services    []string           `json:"services"`
	Purposes    []hipaa.Purpose    `json:"purposes,omitempty"`
	DataClasses []hipaa.DataClass  `json:"data_classes"`
	Locations   []string           `json:"locations"` // ISO 3166: where data is stored, processed or seen
	Staff       int                `json:"staff_with_access"`
	Patients    int                `json:"patients"`
	Keeps       snapshot.Retention `json:"keeps"`
	AI          snapshot.VendorAI  `json:"ai,omitzero"`
	Sensitive   bool               `json:"sensitive,omitempty"`
}

// Subject implements Act.
func (a ProfileVendor) Subject() snapshot.Subject { return subject(snapshot.NounVendor, a.ID) }

// most bounds a number of people: more than there are is a slip.
const most = 10_000_000_000

func (a ProfileVendor) check(v *snapshot.View, _ Actor, _ time.Time) error {
	w, ok := v.Vendors.Get(a.ID)
	if !ok {
		return found("id", v.Vendors, a.ID)
	}
	if w.State == snapshot.Ended {
		return inState("The vendor", w.State, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
	}
	if len(a.Services) == 0 || len(a.Services) > 20 {
		return badField("services", "is empty, or too long", "Write 1 to 20 short lines, such as [evaluation of triage models]")
	}
	if len(a.DataClasses) == 0 {
		return badField("data_classes", "is empty", "Name the classes of data that it gets: phi, limited-data-set, de-identified")
	}
	if a.Staff < 1 || a.Staff > most {
		return badField("staff_with_access", "cannot be meant", "Write how many people can reach the data, those of its own vendors included; 1 or more")
	}
	if a.Patients < 0 || a.Patients > most {
		return badField("patients", "cannot be meant", "Write how many patients' data it gets at most")
	}
	return first(each("services", a.Services, func(field, s string) error { return required(field, s, "evaluation of triage models") }),
		each("purposes", a.Purposes, func(field string, p hipaa.Purpose) error { return oneOf(field, p, hipaa.Purposes) }), unique("purposes", a.Purposes),
		each("data_classes", a.DataClasses, func(field string, c hipaa.DataClass) error { return oneOf(field, c, hipaa.DataClasses) }), unique("data_classes", a.DataClasses),
		regions("locations", a.Locations, true), oneOf("keeps", a.Keeps, snapshot.Retentions))
}

func (a ProfileVendor) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Vendors, a.ID, func(w *snapshot.Vendor) {
		w.Profile = &snapshot.VendorProfile{Services: a.Services, Purposes: a.Purposes, DataClasses: a.DataClasses, Locations: a.Locations,
			Staff: a.Staff, Patients: a.Patients, Keeps: a.Keeps, AI: a.AI, Sensitive: a.Sensitive, RecordedBy: s.By, RecordedAt: s.At}
	})
}
