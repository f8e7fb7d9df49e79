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
	// OccurredAt is when it happened, DiscoveredAt when whoever found it first knew, or
	// would have known by reasonable diligence (164.404(a)(2), 164.410(a)(2)), ReportedAt
	// when the organisation was told. Each clock names which of them it runs from.
	OccurredAt   time.Time `json:"occurred_at,omitzero"`
	DiscoveredAt time.Time `json:"discovered_at"`
	ReportedAt   time.Time `json:"reported_at"`
	// DiscoveredBy is whose discovery DiscoveredAt is; empty in a record means the
	// organisation's.
	DiscoveredBy Party `json:"discovered_by,omitempty"`
	// KnowableAt is when the organisation itself would have known by reasonable
	// diligence, where that is before it was told.
	KnowableAt time.Time `json:"knowable_at,omitzero"`
	OpenedBy   id.Person `json:"opened_by"`
	OpenedAt   time.Time `json:"opened_at"`
	// Agent says whether the vendor acts as the organisation's agent, whose discovery is
	// then the organisation's own (164.404(a)(2)). Until somebody decides it, the clocks
	// run as if it were one: that is the earlier date.
	Agent    Answer `json:"agent,omitempty"`
	AgentWhy string `json:"agent_why,omitempty"`
	// Overlays are other laws that somebody says apply; see IncidentOverlays.
	Overlays []string `json:"overlays,omitempty"`
	// Estimate is how many individuals whoever reported it spoke of; nobody's count.
	Estimate    int                `json:"estimate,omitempty"`
	Holds       []id.Hold          `json:"holds,omitempty"` // that contain it
	Assessment  *BreachAssessment  `json:"assessment,omitempty"`
	Affected    Affected           `json:"affected,omitzero"`
	Telling     Telling            `json:"telling,omitzero"`
	Delays      []EnforcementDelay `json:"delays,omitempty"`
	Notices     []Notice           `json:"notices,omitempty"`
	Corrections []Correction       `json:"corrections,omitempty"`
	Sanctions   []Sanction         `json:"sanctions,omitempty"`
	// PatientLists are wishes to know who is affected; they name nobody.
	PatientLists []PatientList `json:"patient_lists,omitempty"`
	// MovedAt is when somebody last did something about it.
	MovedAt  time.Time `json:"moved_at,omitzero"`
	ClosedBy id.Person `json:"closed_by,omitempty"`
	ClosedAt time.Time `json:"closed_at,omitzero"`
	Lessons  string    `json:"lessons,omitempty"` // what was learned; never patient data
	// Explained says, for what was open when the incident was closed, why.
	Explained map[string]string `json:"explained,omitempty"`
}

// Open reports whether the incident is not closed.
func (r *Incident) Open() bool { return r.ClosedAt.IsZero() }

// The other laws that an incident can fall under.
const (
	OverlayPart2      = "part-2"      // 42 CFR 2.16(b): records of a Part 2 program
	OverlayCalifornia = "ca-facility" // Cal. Health & Safety Code 1280.15: a facility licensed there
)

// IncidentOverlays lists them.
var IncidentOverlays = []string{OverlayPart2, OverlayCalifornia}

// BreachAssessment is the guided judgement of 45 CFR 164.402: was it unsecured PHI,
// does one of the three exceptions hold, and if not, do the four factors show a low
// probability of compromise. Package breach says what follows from it.
type BreachAssessment struct {
	Unsecured Answered `json:"unsecured"` // of unsecured PHI (164.402)
	// Exception is "" or "i", "ii", "iii": paragraph (1) of the definition of breach.
	Exception string `json:"exception,omitempty"`
	// Holds answers, for each thing that the exception needs, whether it holds.
	Holds map[string]Answered `json:"exception_holds,omitempty"`
	// Factors answers, for "nature", "recipient", "acquired" and "mitigation", whether the
	// factor lowers the probability of compromise.
	Factors map[string]Answered `json:"factors,omitempty"`
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
	// Unreachable is for how many of them the contact information is insufficient or out
	// of date (164.404(d)(2)).
	Unreachable int       `json:"unreachable,omitempty"`
	Radius      string    `json:"radius_sha256,omitempty"`
	CountedBy   id.Person `json:"counted_by,omitempty"`
	CountedAt   time.Time `json:"counted_at,omitzero"`
}

// Telling is what the notices say in the organisation's own words (164.404(c)(1)).
// It is about the incident, never about a patient.
type Telling struct {
	WhatHappened string   `json:"what_happened,omitempty"`
	Types        []string `json:"types,omitempty"` // of PHI, in words that a patient knows
	Steps        string   `json:"steps,omitempty"` // that individuals should take
	Doing        string   `json:"doing,omitempty"` // to investigate, mitigate, and protect against more
	Contact      Contact  `json:"contact,omitzero"`
}

// Contact is how individuals ask: at least one of them.
type Contact struct {
	Phone   string `json:"toll_free,omitempty"`
	Email   string `json:"email,omitempty"`
	Website string `json:"website,omitempty"`
	Postal  string `json:"postal,omitempty"`
}

// EnforcementDelay is a law-enforcement official's statement that notice would
// impede an investigation (164.412).
type EnforcementDelay struct {
	Written bool      `json:"written"`
	Until   time.Time `json:"until,omitzero"` // written: as it specifies; oral: 30 days at most
	At      time.Time `json:"at"`             // of the statement
	// Official is who made it, by office and agency.
	Official   string    `json:"official"`
	Document   string    `json:"document_sha256,omitempty"`
	RecordedBy id.Person `json:"recorded_by"`
}

// NoticeTo is whom a notice goes to.
type NoticeTo string

// The addressees of notices.
const (
	ToIndividuals   NoticeTo = "individuals"    // 164.404
	ToSubstitute    NoticeTo = "substitute"     // 164.404(d)(2): posted, or in the media
	ToMedia         NoticeTo = "media"          // 164.406
	ToSecretary     NoticeTo = "secretary"      // 164.408
	ToCoveredEntity NoticeTo = "covered-entity" // 164.410, by a business associate
	ToState         NoticeTo = "state"          // a State's authority
	ToBusiness      NoticeTo = "vendor"         // a vendor, where the organisation knew first
)

// NoticesTo lists them.
var NoticesTo = []NoticeTo{ToIndividuals, ToSubstitute, ToMedia, ToSecretary, ToCoveredEntity, ToState, ToBusiness}

// Notice is a notice that was given.
type Notice struct {
	To       NoticeTo  `json:"to"`
	Region   string    `json:"region,omitempty"` // media and State authorities: whose ("US-MA")
	At       time.Time `json:"at"`
	Count    int       `json:"count,omitempty"` // individuals told
	Document string    `json:"document_sha256,omitempty"`
	By       id.Person `json:"by"`
}

// Correction is a corrective action.
type Correction struct {
	What   string    `json:"what"`
	Owner  id.Person `json:"owner"`
	DueAt  time.Time `json:"due_at"`
	By     id.Person `json:"by,omitempty"`
	At     time.Time `json:"at,omitzero"`
	DoneBy id.Person `json:"done_by,omitempty"`
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
