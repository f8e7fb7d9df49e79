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
	// EmergencyProcedure says, in words or by an address, how clinicians reach the
	// source's data in an emergency (45 CFR 164.312(a)(2)(ii)): without the product,
	// which is never in the path of care.
	EmergencyProcedure string `json:"emergency_procedure,omitempty"`
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
	// MaxPromptRetentionDays is how long a model provider may keep prompts and outputs
	// (BAA-R06); 0: not at all.
	MaxPromptRetentionDays int       `json:"max_prompt_retention_days,omitempty"`
	Sources                []Source  `json:"sources"`
	Profiles               []Profile `json:"profiles"` // what roles may name; each name once

	Access AccessRule `json:"access,omitzero"`

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

	// TimeZone is the IANA name of the organisation's time zone, in which its days
	// begin and end. Empty: UTC.
	TimeZone string `json:"time_zone,omitempty"`
	// IncidentIgnoredAfter is how long nobody may have done anything about an open
	// incident or finding before it is shown as ignored; 0: at once.
	IncidentIgnoredAfter time.Duration `json:"incident_ignored_after,omitempty"`
}

// AccessRule are the organisation's numbers for requests, elevations, reviews and
// emergencies. HIPAA sets none of them (policy). A zero number is the strictest: no
// request can be approved, and what is due is overdue at once.
type AccessRule struct {
	MaxRequest      time.Duration `json:"max_request"`      // the longest access that a request can lead to
	MaxElevation    time.Duration `json:"max_elevation"`    // the longest elevation
	RequestLapse    time.Duration `json:"request_lapse"`    // a request that nobody decides is over after it
	EmergencyReview time.Duration `json:"emergency_review"` // by when the use of an emergency procedure is reviewed
	ReviewGrace     time.Duration `json:"review_grace"`     // after its deadline a review can still open the grant again; then the grant ends for good
	CampaignEvery   time.Duration `json:"campaign_every"`   // how often a campaign over every grant opens by itself; 0: people open them
	CampaignRuns    time.Duration `json:"campaign_runs"`    // how long such a campaign has until it is due
	Hasty           time.Duration `json:"hasty"`            // less time than this for an item, in the median, is shown as a rubber stamp
	AllKeepFrom     int           `json:"all_keep_from"`    // so many items or more, all kept, are shown as a rubber stamp
}

// DefaultAccess are the numbers that the product proposes (policy).
func DefaultAccess() AccessRule {
	const day = 24 * time.Hour
	return AccessRule{MaxRequest: 90 * day, MaxElevation: 8 * time.Hour, RequestLapse: 14 * day, EmergencyReview: day,
		ReviewGrace: 30 * day, CampaignRuns: 14 * day, Hasty: 20 * time.Second, AllKeepFrom: 10}
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
