package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// DateRule says what happens to dates in a release.
type DateRule string

const (
	DatesToYear DateRule = "year" // only the year stays; an instant is removed
	KeepDates   DateRule = "keep"
	ByProfile   DateRule = "profile" // as the profile says: shifted, for instance
)

// IdentifierRule says what happens to upstream ids in a release.
type IdentifierRule string

const (
	Pseudonyms IdentifierRule = "pseudonym"
	KeepIDs    IdentifierRule = "keep"
)

// Role is a data scope: what of a source a grant in this role may see. What it
// does not name is not released.
type Role struct {
	ID        id.Role                  `json:"id"`
	Title     string                   `json:"title"`
	Resources map[string]ResourceScope `json:"resources"` // by FHIR resource type
	// Since and Until bound the clinical date of what is released.
	Since       time.Time      `json:"since,omitzero"`
	Until       time.Time      `json:"until,omitzero"`
	Dates       DateRule       `json:"dates"`
	Identifiers IdentifierRule `json:"identifiers"`
	// DirectIdentifiers keeps names, addresses, telecoms and the like where an
	// element of Resources names them. Without it they are removed even if named.
	DirectIdentifiers bool `json:"direct_identifiers,omitempty"`
	// Profile names the de-identification profile ("minimum-necessary").
	Profile string `json:"profile"`
	// MaxPageSize caps _count.
	MaxPageSize int `json:"max_page_size"`
	// OfferedTo are engagements whose people may ask for the role.
	OfferedTo []id.Engagement `json:"offered_to,omitempty"`
	// DerivedFrom is the role of which this one is a part: it covers nothing that
	// the other does not, and stands only as long as that one does. Empty: a role of
	// its own.
	DerivedFrom id.Role `json:"derived_from,omitempty"`
	Approval
}

// ResourceScope is the scope of one resource type.
type ResourceScope struct {
	Interactions []string `json:"interactions"` // FHIR codes: read, vread, search-type, everything
	// Elements are element paths below the type: "code", "name.family",
	// "value[x]". A path covers what is below it.
	Elements []string `json:"elements"`
}
