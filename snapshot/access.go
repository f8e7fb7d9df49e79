package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// Request is a wish for access, by a vendor's person: the smallest thing that fits
// the purpose, for how long and why. Approving it makes the grant.
type Request struct {
	ID         id.Request    `json:"id"`
	Vendor     id.Vendor     `json:"vendor"`
	Person     id.Person     `json:"person"`
	AskedBy    id.Person     `json:"asked_by,omitempty"` // of the organisation, for the person; empty: themselves
	Engagement id.Engagement `json:"engagement"`
	App        id.App        `json:"app"`
	Devices    []id.Device   `json:"devices"`
	// Role is the role whose scope is asked for; Resources, where it is set, is the part
	// of it that would do.
	Role      id.Role                  `json:"role"`
	Resources map[string]ResourceScope `json:"resources,omitempty"`
	Cohort    Cohort                   `json:"cohort"`
	Labels    []string                 `json:"labels,omitempty"`
	// MaxPatients and MaxDailyBytes are as in a grant.
	MaxPatients   int   `json:"max_patients"`
	MaxDailyBytes int64 `json:"max_daily_bytes"`
	Life          int   `json:"life_minutes"` // how long the access shall last
	// Elevates is the grant that is lifted for minutes or hours; Ticket is where the
	// work is written down. Empty: an ordinary request.
	Elevates  id.Grant     `json:"elevates,omitempty"`
	Ticket    string       `json:"ticket,omitempty"`
	Why       string       `json:"why"` // never patient data
	Stage     RequestStage `json:"stage"`
	AskedAt   time.Time    `json:"asked_at"`
	ExpiresAt time.Time    `json:"expires_at"` // unanswered, it lapses
	DecidedBy id.Person    `json:"decided_by,omitempty"`
	DecidedAt time.Time    `json:"decided_at,omitzero"`
	Grant     id.Grant     `json:"grant,omitempty"` // the grant that it led to
}

// RequestStage is where a request stands.
type RequestStage string

// The stages.
const (
	RequestOpen      RequestStage = "open"
	RequestApproved  RequestStage = "approved"
	RequestDenied    RequestStage = "denied"
	RequestWithdrawn RequestStage = "withdrawn"
	RequestLapsed    RequestStage = "lapsed"
)

// Campaign is access reviews that are done together, on the organisation's schedule
// (policy; HIPAA sets no interval).
type Campaign struct {
	ID      id.Campaign `json:"id"`
	Title   string      `json:"title"`
	Reviews []id.Review `json:"reviews"`
	// Vendor and Engagement say over which grants it goes; both empty: every one.
	Vendor     id.Vendor     `json:"vendor,omitempty"`
	Engagement id.Engagement `json:"engagement,omitempty"`
	OpenedBy   id.Person     `json:"opened_by"`
	OpenedAt   time.Time     `json:"opened_at"`
	DueAt      time.Time     `json:"due_at"`
	ClosedAt   time.Time     `json:"closed_at,omitzero"`
}

// Emergency is a use of a source's own emergency access procedure (45 CFR
// 164.312(a)(2)(ii)), which a person of the organisation reports and another
// reviews. The product is never in the path of care, and a vendor never has one.
type Emergency struct {
	ID         id.Emergency `json:"id"`
	Source     id.Source    `json:"source"`
	Person     id.Person    `json:"person,omitempty"` // who used it
	Staff      string       `json:"staff,omitempty"`  // or, of who is not in the registry, their user name at the source
	DueAt      time.Time    `json:"due_at,omitzero"`  // by when another reviews it (policy)
	Why        string       `json:"why"`              // never patient data
	UsedAt     time.Time    `json:"used_at"`
	ReportedBy id.Person    `json:"reported_by"`
	ReportedAt time.Time    `json:"reported_at"`
	ReviewedBy id.Person    `json:"reviewed_by,omitempty"`
	ReviewedAt time.Time    `json:"reviewed_at,omitzero"`
	Justified  bool         `json:"justified,omitempty"`
}

// Open reports whether the request waits for a decision and can have one.
func (r *Request) Open(now time.Time) bool { return r.Stage == RequestOpen && now.Before(r.ExpiresAt) }

// Overdue reports whether nobody has reviewed it in time.
func (r *Emergency) Overdue(now time.Time) bool {
	return r.ReviewedAt.IsZero() && !now.Before(r.DueAt)
}

// DueCampaign is the campaign over every grant that the schedule has due at now: its
// id, title and date. One is due when the last over everything was opened longer ago
// than the policy says. ok is false where none is, or where people alone open them.
func (v *View) DueCampaign(now time.Time) (c Campaign, ok bool) {
	rule := v.Settings.Access
	if rule.CampaignEvery <= 0 || rule.CampaignRuns <= 0 {
		return Campaign{}, false
	}
	for _, old := range v.Campaigns.All() {
		if old.Vendor == "" && old.Engagement == "" && now.Sub(old.OpenedAt) < rule.CampaignEvery {
			return Campaign{}, false
		}
	}
	day := now.UTC().Truncate(24 * time.Hour)
	c = Campaign{ID: id.Campaign("reviews-" + day.Format(time.DateOnly)), Title: "Access reviews of " + day.Format(time.DateOnly), OpenedAt: day, DueAt: day.Add(rule.CampaignRuns)}
	_, taken := v.Campaigns.Get(c.ID)
	return c, !taken && c.DueAt.After(now)
}

func (*Request) Noun() Noun    { return NounRequest }
func (r *Request) Key() string { return string(r.ID) }
func (*Request) record()       {}

func (*Campaign) Noun() Noun    { return NounCampaign }
func (r *Campaign) Key() string { return string(r.ID) }
func (*Campaign) record()       {}

func (*Emergency) Noun() Noun    { return NounEmergency }
func (r *Emergency) Key() string { return string(r.ID) }
func (*Emergency) record()       {}
