package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// Incident is a security incident (45 CFR 164.304), or a use or disclosure that no
// paper allows. It is a breach until an assessment shows otherwise (164.402(2)).
type Incident struct {
	ID      id.Incident `json:"id"`
	Title   string      `json:"title"` // never patient data
	Vendor  id.Vendor   `json:"vendor,omitempty"`
	About   []Subject   `json:"about,omitempty"` // vendor, engagement, person, device, app, grant
	Finding id.Finding  `json:"finding,omitempty"`
	// OccurredAt is when it happened, DiscoveredAt when it was first known, or would have
	// been by reasonable diligence (164.404(a)(2), 164.410(a)(2)), ReportedAt when the
	// organisation was told. Each clock names which of them it runs from.
	OccurredAt   time.Time `json:"occurred_at,omitzero"`
	DiscoveredAt time.Time `json:"discovered_at"`
	ReportedAt   time.Time `json:"reported_at"`
	OpenedBy     id.Person `json:"opened_by"`
	OpenedAt     time.Time `json:"opened_at"`
	// Agent says that the vendor acts as the organisation's agent, whose discovery is the
	// organisation's own (164.404(a)(2)).
	Agent       bool               `json:"agent,omitempty"`
	Holds       []id.Hold          `json:"holds,omitempty"` // that contain it
	Assessment  *BreachAssessment  `json:"assessment,omitempty"`
	Affected    Affected           `json:"affected,omitzero"`
	Delays      []EnforcementDelay `json:"delays,omitempty"`
	Notices     []Notice           `json:"notices,omitempty"`
	Corrections []Correction       `json:"corrections,omitempty"`
	Sanctions   []Sanction         `json:"sanctions,omitempty"`
	ClosedBy    id.Person          `json:"closed_by,omitempty"`
	ClosedAt    time.Time          `json:"closed_at,omitzero"`
	Lessons     string             `json:"lessons,omitempty"` // what was learned; never patient data
}

// BreachAssessment is the guided judgement of 45 CFR 164.402: was it unsecured PHI,
// does one of the three exceptions hold, and if not, do the four factors show a low
// probability of compromise.
type BreachAssessment struct {
	Unsecured Answered `json:"unsecured"` // of unsecured PHI (164.402)
	// Exception is "" or one of (1)(i) to (1)(iii).
	Exception    string              `json:"exception,omitempty"`
	ExceptionWhy string              `json:"exception_why,omitempty"`
	Factors      map[string]Answered `json:"factors,omitempty"` // "nature", "recipient", "acquired", "mitigation"
	// LowProbability is the conclusion from all four factors.
	LowProbability bool      `json:"low_probability,omitempty"`
	AssessedBy     id.Person `json:"assessed_by"`
	AssessedAt     time.Time `json:"assessed_at"`
	ApprovedBy     id.Person `json:"approved_by,omitempty"`
	ApprovedAt     time.Time `json:"approved_at,omitzero"`
}

// Answered is a yes or no with its reason.
type Answered struct {
	Yes bool   `json:"yes"`
	Why string `json:"why"` // never patient data
}

// Affected is how many individuals an incident reaches.
type Affected struct {
	Individuals int            `json:"individuals"`
	ByState     map[string]int `json:"by_state,omitempty"` // residents, by State or jurisdiction ("US-MA")
	Radius      string         `json:"radius_sha256,omitempty"`
	CountedBy   id.Person      `json:"counted_by,omitempty"`
	CountedAt   time.Time      `json:"counted_at,omitzero"`
}

// EnforcementDelay is a law-enforcement official's statement that notice would
// impede an investigation (164.412).
type EnforcementDelay struct {
	Written bool      `json:"written"`
	Until   time.Time `json:"until,omitzero"` // written: as it specifies; oral: 30 days at most
	At      time.Time `json:"at"`             // of the statement
	// Official is who made it, by office and agency.
	Official   string    `json:"official"`
	RecordedBy id.Person `json:"recorded_by"`
}

// Notice is a notice that was given.
type Notice struct {
	To       string    `json:"to"` // "individuals", "secretary", "media", "covered-entity", or a clock's id
	At       time.Time `json:"at"`
	Count    int       `json:"count,omitempty"`
	Document string    `json:"document_sha256,omitempty"`
	By       id.Person `json:"by"`
}

// Correction is a corrective action.
type Correction struct {
	What   string    `json:"what"`
	Owner  id.Person `json:"owner"`
	DueAt  time.Time `json:"due_at"`
	DoneAt time.Time `json:"done_at,omitzero"`
}

// Sanction is what was done about a person or a vendor (164.530(e), 164.308(a)(1)(ii)(C)).
type Sanction struct {
	On   Subject   `json:"on"`
	What string    `json:"what"`
	At   time.Time `json:"at"`
	By   id.Person `json:"by"`
}

func (*Incident) Noun() Noun    { return NounIncident }
func (r *Incident) Key() string { return string(r.ID) }
func (*Incident) record()       {}
