package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// PatientListLife is how long an approved list may be drawn; policy.
const PatientListLife = 7 * 24 * time.Hour

// PatientList is a wish to know who the patients of an incident's blast radius are,
// for the notices (45 CFR 164.404(c)). It names nobody: the radius is bound by its
// digest, and the list itself is given to the person who asked, and kept nowhere.
type PatientList struct {
	ID id.Act `json:"id"` // of the request
	// Radius is what the index of disclosures answered to these questions about this
	// log's entries before Through.
	Radius      string          `json:"radius_sha256"`
	Log         string          `json:"log"`
	Through     uint64          `json:"through"`
	Patients    uint64          `json:"patients"` // how many it says there are
	Vendors     []id.Vendor     `json:"vendors,omitempty"`
	Engagements []id.Engagement `json:"engagements,omitempty"`
	Persons     []id.Person     `json:"persons,omitempty"`
	Devices     []id.Device     `json:"devices,omitempty"`
	Apps        []id.App        `json:"apps,omitempty"`
	Grants      []id.Grant      `json:"grants,omitempty"`
	Sources     []id.Source     `json:"sources,omitempty"`
	Since       time.Time       `json:"since,omitzero"`
	Until       time.Time       `json:"until,omitzero"`
	Approval
	Drawn []PatientListDrawn `json:"drawn,omitempty"`
}

// PatientListDrawn says that the list of one source was about to be given. What was
// given is in the log, under an intent of the action "reveal".
type PatientListDrawn struct {
	Source id.Source `json:"source"`
	By     id.Person `json:"by"`
	At     time.Time `json:"at"`
}

// PatientListOf is the incident's list with this id, or nil.
func (r *Incident) PatientListOf(list id.Act) *PatientList {
	for i := range r.PatientLists {
		if r.PatientLists[i].ID == list {
			return &r.PatientLists[i]
		}
	}
	return nil
}
