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
// a vendor that has ended or is on hold closes it too.
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

// Questionnaire is the due-diligence questions put to a vendor, and what it
// answered. The questions are those of hipaa.Questions.
type Questionnaire struct {
	ID     id.Questionnaire `json:"id"`
	Vendor id.Vendor        `json:"vendor"`
	// DataClasses decide which questions are asked.
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
	Evidence   []string  `json:"evidence_sha256,omitempty"` // documents
	AnsweredBy id.Person `json:"answered_by"`
	AnsweredAt time.Time `json:"answered_at"`
	Imported   string    `json:"imported,omitempty"` // "caiq" or "hecvat": a claim that came with an export
	Score      int       `json:"score"`              // 0 to 3, once ScoredAt is set
	ScoredBy   id.Person `json:"scored_by,omitempty"`
	ScoredAt   time.Time `json:"scored_at,omitzero"`
	Note       string    `json:"note,omitempty"`
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
