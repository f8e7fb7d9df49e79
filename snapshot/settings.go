package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// Source is an upstream healthcare system, as the policy knows it; its address
// and credentials are the gateway's alone.
type Source struct {
	ID      id.Source         `json:"id"`
	Classes []hipaa.DataClass `json:"data_classes"` // what may be released from it
	Region  string            `json:"region"`
}

// Profile is a de-identification profile that the node offers to roles.
type Profile struct {
	Name   string `json:"name"`   // what Role.Profile writes
	Basis  string `json:"basis"`  // one of ProfileBases
	SHA256 string `json:"sha256"` // hex, of all that the profile says; empty: no determination is about it

	// What a role under the profile may say, so that one that cannot be carried
	// out is refused when it is defined.
	KeepDates         bool `json:"keep_dates"`
	KeepIDs           bool `json:"keep_ids"`
	DirectIdentifiers bool `json:"direct_identifiers"`
}

// The bases of profiles: the part of the Privacy Rule by which a profile's
// rulings were made.
const (
	BasisSafeHarbor          = "safe-harbor"          // 45 CFR 164.514(b)(2)
	BasisLimitedDataSet      = "limited-data-set"     // 45 CFR 164.514(e)
	BasisExpertDetermination = "expert-determination" // 45 CFR 164.514(b)(1)
	BasisMinimumNecessary    = "minimum-necessary"    // 45 CFR 164.502(b), 164.514(d)
)

// ProfileBases lists the bases of profiles.
var ProfileBases = []string{BasisSafeHarbor, BasisLimitedDataSet, BasisExpertDetermination, BasisMinimumNecessary}

// Settings are the policy numbers of the organisation, and what the node is
// configured with. HIPAA sets none of the numbers; they are labelled "policy"
// wherever they are shown.
type Settings struct {
	SnapshotFreshness time.Duration `json:"snapshot_freshness"`       // beyond it, refuse
	Course            string        `json:"course"`                   // the training that counts
	CourseVersion     string        `json:"course_version"`           // the oldest version that counts
	CourseRefresh     time.Duration `json:"course_refresh,omitempty"` // how long a completion of the product's course counts; 0: a year
	RequireTrack      bool          `json:"require_track,omitempty"`  // refuse who has no role track assigned
	ReviewEvery       time.Duration `json:"review_every"`
	Sources           []Source      `json:"sources"`
	Profiles          []Profile     `json:"profiles"` // what roles may name; each name once

	SessionLife      time.Duration  `json:"session_life"`      // how long a sign-in lasts
	SessionIdle      time.Duration  `json:"session_idle"`      // how long one may be unused before it ends
	StepUpLife       time.Duration  `json:"step_up_life"`      // how long ago a passkey may have been touched for a decision
	PostureFreshness time.Duration  `json:"posture_freshness"` // how old a device's report may be
	Posture          PostureRule    `json:"posture"`
	DeviceApproval   DeviceApproval `json:"device_approval"`

	TrustDomains []TrustDomain `json:"trust_domains,omitempty"` // each name once
	// NetworkRegions is the organisation's table of addresses; empty: regions are
	// declared only. With RequireNetworkRegion an address that no range holds is
	// refused.
	NetworkRegions       []NetworkRegion `json:"network_regions,omitempty"`
	RequireNetworkRegion bool            `json:"require_network_region,omitempty"`
}

// ProfileNamed finds a profile that the node offers. No profile is called "".
func (s Settings) ProfileNamed(name string) (Profile, bool) {
	for _, p := range s.Profiles {
		if p.Name == name && name != "" {
			return p, true
		}
	}
	return Profile{}, false
}
