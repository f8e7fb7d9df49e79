package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// Link is a way in for a vendor's contact who has no account: who holds its secret
// may do one thing, about one subject, until a time.
type Link struct {
	ID     id.Link   `json:"id"`
	Vendor id.Vendor `json:"vendor"`
	// For is what it opens: a questionnaire, an attestation of destruction, or the
	// report of an incident (then About is the vendor).
	For   LinkPurpose `json:"for"`
	About Subject     `json:"about"`
	// Contact is to whom it was sent: a function's address, not a person's.
	Contact   string    `json:"contact"`
	Secret256 string    `json:"secret_sha256"` // hex; the secret itself is nowhere
	IssuedBy  id.Person `json:"issued_by"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

// Open reports whether the link opens anything at t, as far as its own record says;
// a vendor that has ended or is on hold closes some too (registry.OpenLink).
func (l *Link) Open(t time.Time) bool {
	return l.RevokedAt.IsZero() && !l.IssuedAt.IsZero() && !t.Before(l.IssuedAt) && t.Before(l.ExpiresAt)
}

// LinkPurpose is what a link opens.
type LinkPurpose string

// The purposes of links.
const (
	LinkQuestionnaire LinkPurpose = "questionnaire"
	LinkIncident      LinkPurpose = "incident-report"
	LinkAttestation   LinkPurpose = "destruction-attestation"
)

// LinkPurposes lists them.
var LinkPurposes = []LinkPurpose{LinkQuestionnaire, LinkIncident, LinkAttestation}

// VendorProfile is what a vendor does for the organisation, and with which data: the
// facts from which its inherent risk is computed (package diligence). A vendor says
// it, and one of the organisation's people records it.
type VendorProfile struct {
	Services    []string          `json:"services"` // "evaluation of triage models"
	Purposes    []hipaa.Purpose   `json:"purposes,omitempty"`
	DataClasses []hipaa.DataClass `json:"data_classes"`
	// Locations are where data is stored, processed or seen, support included: ISO 3166.
	Locations []string `json:"locations"`
	// Staff is how many people can reach the data, those of subcontractors included.
	Staff    int       `json:"staff_with_access"`
	Patients int       `json:"patients"` // how many at most, over the life of the work
	Keeps    Retention `json:"keeps"`
	AI       VendorAI  `json:"ai"`
	// Sensitive says that records of substance use treatment (42 CFR Part 2),
	// psychotherapy notes or the like are among the data.
	Sensitive  bool      `json:"sensitive,omitempty"`
	RecordedBy id.Person `json:"recorded_by,omitempty"`
	RecordedAt time.Time `json:"recorded_at,omitzero"`
}

// Retention is how long a vendor keeps what it is given.
type Retention string

// The retentions.
const (
	KeepsNothing Retention = "nothing" // gone when the request is answered
	KeepsSession Retention = "session" // for the length of a session or a job
	KeepsStored  Retention = "stored"  // in stores, indexes, backups or weights
)

// Retentions lists them.
var Retentions = []Retention{KeepsNothing, KeepsSession, KeepsStored}

// VendorAI is how a vendor's models meet the data.
type VendorAI struct {
	Generative    bool `json:"generative,omitempty"`      // prompts and completions hold the data
	Agents        bool `json:"agents,omitempty"`          // programs that choose their own actions
	TunesForUs    bool `json:"tunes_for_us,omitempty"`    // weights are made from the data, for the organisation alone
	TrainsShared  bool `json:"trains_shared,omitempty"`   // models that others use learn from it
	OthersModels  bool `json:"others_models,omitempty"`   // a model provider behind the vendor sees it
	HumanReview   bool `json:"human_review,omitempty"`    // people read prompts, outputs or labels
	DecidesOnCare bool `json:"decides_on_care,omitempty"` // its output reaches a patient's care
}

// AssessmentBasis is what a due-diligence decision rests on, as it was then: what has
// changed since is found by comparing (package diligence).
type AssessmentBasis struct {
	Questionnaire id.Questionnaire `json:"questionnaire"`
	Computed      Verdict          `json:"computed"`       // what the scores came to
	Overall       float64          `json:"overall"`        // 0 to 1
	Gaps          []string         `json:"gaps,omitempty"` // questions that would fail it: each needs a risk acceptance
	Risk          string           `json:"risk,omitempty"` // inherent: a diligence.Level
	// DataClasses and Locations are those of the profile.
	DataClasses    []hipaa.DataClass  `json:"data_classes,omitempty"`
	Locations      []string           `json:"locations,omitempty"`
	Subcontractors []id.Vendor        `json:"subcontractors"`           // the whole tree
	Certifications []id.Certification `json:"certifications,omitempty"` // that it relies on
}

// Condition is what a conditional verdict asks for.
type Condition struct {
	ID    string    `json:"id"` // "c1"
	Text  string    `json:"text"`
	Owner id.Person `json:"owner"` // the organisation's person who sees to it
	DueAt time.Time `json:"due_at"`
	MetAt time.Time `json:"met_at,omitzero"`
	MetBy id.Person `json:"met_by,omitempty"`
}

// RiskAcceptance is a risk that somebody answers for, until a date. It counts once
// another person than the recorder of the assessment has accepted it.
type RiskAcceptance struct {
	For        string    `json:"for"`   // a question, or a finding about the vendor
	Owner      id.Person `json:"owner"` // who answers for it
	Why        string    `json:"why"`
	Until      time.Time `json:"until"`
	AcceptedBy id.Person `json:"accepted_by,omitempty"`
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
}

// ReopenCauses are why an assessment is reopened by an act.
var ReopenCauses = []string{"incident", "finding", "change-at-vendor", "answers-wrong", "other"}

// Questionnaire is the due-diligence questions put to a vendor, and what it
// answered. The questions are those of hipaa.Questions.
type Questionnaire struct {
	ID     id.Questionnaire `json:"id"`
	Vendor id.Vendor        `json:"vendor"`
	// DataClasses decide which questions apply. Asked are those of them that the vendor
	// shall answer now; the others were answered before and are fresh (Answers, Carried).
	DataClasses []hipaa.DataClass       `json:"data_classes"`
	Asked       []string                `json:"asked"` // ids of questions, in the catalogue's order
	Answers     map[string]VendorAnswer `json:"answers,omitempty"`
	Delegated   map[string]id.Person    `json:"delegated,omitempty"` // question: the vendor's person who shall answer
	Stage       QuestionnaireStage      `json:"stage"`
	SentBy      id.Person               `json:"sent_by"`
	SentAt      time.Time               `json:"sent_at"`
	DueAt       time.Time               `json:"due_at"`
	SubmittedBy id.Person               `json:"submitted_by,omitempty"`
	SubmittedAt time.Time               `json:"submitted_at,omitzero"`
	ClosedAt    time.Time               `json:"closed_at,omitzero"`
	Withdrawn   bool                    `json:"withdrawn,omitempty"` // closed, and counts for nothing
	Attached    int                     `json:"attached,omitempty"`  // files ever attached: what is taken off stays stored
}

// QuestionnaireStage is how far a questionnaire has come.
type QuestionnaireStage string

// The stages.
const (
	QuestionsSent      QuestionnaireStage = "sent"
	QuestionsSubmitted QuestionnaireStage = "submitted"
	QuestionsClosed    QuestionnaireStage = "closed" // an assessment rests on it, or it was withdrawn
)

// VendorAnswer is a vendor's word on one question, and the organisation's score for it.
type VendorAnswer struct {
	Value      string    `json:"value"`
	Detail     string    `json:"detail,omitempty"`          // beside an option
	Evidence   []string  `json:"evidence_sha256,omitempty"` // documents
	AnsweredBy id.Person `json:"answered_by"`
	AnsweredAt time.Time `json:"answered_at"`
	Imported   string    `json:"imported,omitempty"` // "caiq" or "hecvat": a claim that came with an export
	// Carried is the questionnaire in which it was given, if that was another.
	Carried  id.Questionnaire `json:"carried_from,omitempty"`
	Score    int              `json:"score"` // 0 to 3, once ScoredAt is set
	ScoredBy id.Person        `json:"scored_by,omitempty"`
	ScoredAt time.Time        `json:"scored_at,omitzero"`
	Note     string           `json:"note,omitempty"`
}

// Finding is something that a person must look at: raised by a person or by the
// product, and settled by a person.
type Finding struct {
	ID        id.Finding  `json:"id"`
	Kind      FindingKind `json:"kind"`
	About     Subject     `json:"about"`
	Vendor    id.Vendor   `json:"vendor,omitempty"` // whose it is, if it is a vendor's
	Title     string      `json:"title"`            // fit for a person; never patient data
	RaisedBy  id.Person   `json:"raised_by"`
	RaisedAt  time.Time   `json:"raised_at"`
	Settled   Settlement  `json:"settled,omitempty"`
	SettledBy id.Person   `json:"settled_by,omitempty"`
	SettledAt time.Time   `json:"settled_at,omitzero"`
	Incident  id.Incident `json:"incident,omitempty"` // the incident that was opened from it
}

// FindingKind is what sort of finding it is: a word, from a closed list of whoever
// raises it.
type FindingKind string

// FindingKinds lists them: by the part of the work in which it was found. Who raises
// findings of another sort adds its word.
var FindingKinds = []FindingKind{"diligence", "certification", "agreement", "training", "access", "use", "offboarding", "log", "other"}

// Settlement is what became of a finding.
type Settlement string

// The settlements.
const (
	SettledMended    Settlement = "mended"
	SettledAccepted  Settlement = "accepted" // a risk that somebody answers for
	SettledMistaken  Settlement = "mistaken"
	SettledEscalated Settlement = "incident" // an incident was opened
)

// Settlements lists them.
var Settlements = []Settlement{SettledMended, SettledAccepted, SettledMistaken, SettledEscalated}

func (*Link) Noun() Noun    { return NounLink }
func (r *Link) Key() string { return string(r.ID) }
func (*Link) record()       {}

func (*Questionnaire) Noun() Noun    { return NounQuestionnaire }
func (r *Questionnaire) Key() string { return string(r.ID) }
func (*Questionnaire) record()       {}

func (*Finding) Noun() Noun    { return NounFinding }
func (r *Finding) Key() string { return string(r.ID) }
func (*Finding) record()       {}
