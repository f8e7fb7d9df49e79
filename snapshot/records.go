package snapshot

import (
	"encoding/json"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// Noun names a kind of record.
type Noun string

// The nouns of the registry.
const (
	NounVendor        Noun = "vendor"
	NounAssessment    Noun = "assessment"
	NounCertification Noun = "certification"
	NounAgreement     Noun = "agreement"
	NounEngagement    Noun = "engagement"
	NounDetermination Noun = "determination"
	NounPerson        Noun = "person"
	NounTraining      Noun = "training"
	NounDevice        Noun = "device"
	NounApp           Noun = "app"
	NounRole          Noun = "role"
	NounGrant         Noun = "grant"
	NounReview        Noun = "review"
	NounHold          Noun = "hold"
	NounConnector     Noun = "connector"
	NounSession       Noun = "session"
	NounPosture       Noun = "posture"
	NounAttestation   Noun = "attestation"
	NounKey           Noun = "key"
	NounQuestionnaire Noun = "questionnaire"
	NounLink          Noun = "link"
	NounFinding       Noun = "finding"
	NounCourse        Noun = "course"
	NounAttempt       Noun = "attempt"
	NounRequest       Noun = "request"
	NounCampaign      Noun = "campaign"
	NounEmergency     Noun = "emergency"
	NounIncident      Noun = "incident"
	NounOffboarding   Noun = "offboarding"
)

// Nouns lists every noun.
var Nouns = []Noun{NounVendor, NounAssessment, NounCertification, NounAgreement, NounEngagement, NounDetermination,
	NounPerson, NounTraining, NounDevice, NounApp, NounRole, NounGrant, NounReview, NounHold, NounConnector, NounSession, NounPosture, NounAttestation, NounKey,
	NounQuestionnaire, NounLink, NounFinding, NounCourse, NounAttempt, NounRequest, NounCampaign, NounEmergency, NounIncident, NounOffboarding}

// Record is one row of the registry; a closed set. A record that a view holds
// is never changed: an act copies it, changes the copy and puts it.
type Record interface {
	Noun() Noun
	Key() string // the id, without its type
	record()
}

// KeyDigest is the SHA-256 of a public key (SubjectPublicKeyInfo, DER) in
// lower-case hex. A certificate may be renewed; its key is the identity.
type KeyDigest string

// State is where something stands that one person asks for and another
// approves. The zero State is "nowhere", and denies.
type State string

const (
	Invited   State = "invited" // a device whose key is not known yet
	Proposed  State = "proposed"
	Approved  State = "approved"
	Suspended State = "suspended"
	Ended     State = "ended" // revoked, left, offboarded: for good
)

// Approval says who asked and who approved. Separation of duties: never the
// same person.
type Approval struct {
	State       State     `json:"state"`
	RequestedBy id.Person `json:"requested_by,omitempty"`
	RequestedAt time.Time `json:"requested_at,omitzero"`
	ApprovedBy  id.Person `json:"approved_by,omitempty"`
	ApprovedAt  time.Time `json:"approved_at,omitzero"`
}

// Vendor is an outside organisation.
type Vendor struct {
	ID   id.Vendor `json:"id"`
	Name string    `json:"name"`
	// Contact is where the organisation writes to the vendor: a function's
	// address (privacy@...), not a person's.
	Contact string `json:"contact,omitempty"`
	// Subcontractors are vendors to whom this one passes data on. Each needs an
	// agreement of its own (45 CFR 164.502(e)(1)(ii)).
	Subcontractors []id.Vendor `json:"subcontractors,omitempty"`
	// RequiredCertifications are types (hipaa.CertificationTypes) that the
	// organisation demands of this vendor.
	RequiredCertifications []string `json:"required_certifications,omitempty"`
	// Screening is the last look at the vendor under 28 CFR Part 202.
	Screening Screening `json:"screening,omitzero"`
	// Profile is what it does for the organisation, with which data; nil: not recorded.
	Profile *VendorProfile `json:"profile,omitempty"`
	Approval
}

// Verdict is the outcome of an assessment.
type Verdict string

const (
	Pass        Verdict = "pass"
	Conditional Verdict = "conditional"
	Fail        Verdict = "fail"
)

// Assessment is a due-diligence decision on a vendor.
type Assessment struct {
	ID         id.Assessment `json:"id"`
	Vendor     id.Vendor     `json:"vendor"`
	Verdict    Verdict       `json:"verdict"`
	DecidedBy  id.Person     `json:"decided_by"`
	DecidedAt  time.Time     `json:"decided_at"`
	ValidUntil time.Time     `json:"valid_until"`
	// Report is the SHA-256 of the report that the decision rests on.
	Report string `json:"report_sha256,omitempty"`
	// Basis is what was known when it was decided; nil: nothing but the report.
	Basis       *AssessmentBasis `json:"basis,omitempty"`
	Conditions  []Condition      `json:"conditions,omitempty"`
	Acceptances []RiskAcceptance `json:"acceptances,omitempty"`
	// ReopenedAt is when a person, or the product, said that it has to be decided anew.
	ReopenedAt  time.Time `json:"reopened_at,omitzero"`
	ReopenedBy  id.Person `json:"reopened_by,omitempty"`
	ReopenedFor string    `json:"reopened_for,omitempty"` // of ReopenCauses
}

// AgreementKind is a kind of paper.
type AgreementKind string

const (
	BAA              AgreementKind = "baa"                // 45 CFR 164.504(e)
	SubcontractorBAA AgreementKind = "subcontractor-baa"  // 45 CFR 164.504(e)(5)
	ServicesContract AgreementKind = "services-contract"  //
	DataUseAgreement AgreementKind = "data-use-agreement" // 45 CFR 164.514(e)(4)
)

// Party is a side of an agreement.
type Party string

const (
	Organisation       Party = "organisation"
	VendorParty        Party = "vendor"
	SubcontractorParty Party = "subcontractor"
)

// Signature is one side's.
type Signature struct {
	Party  Party     `json:"party"`
	Signer string    `json:"signer"` // name or person id, as on the paper
	At     time.Time `json:"at"`
	By     id.Person `json:"recorded_by"`
	// Here is how it was given in the product; nil: it was recorded from outside.
	Here *SignedHere `json:"here,omitempty"`
}

// Term is the value of one term, and where it stands in the signed document.
type Term struct {
	Value  json.RawMessage `json:"value"`            // of the type that hipaa.Term.Type names
	Clause string          `json:"clause,omitempty"` // "§ 4.2"
}

// PermittedUse is one purpose that an agreement allows. Silence is "no"
// (45 CFR 164.502(a)(3)).
type PermittedUse struct {
	Purpose     hipaa.Purpose     `json:"purpose"`
	DataClasses []hipaa.DataClass `json:"data_classes"`
	Sources     []id.Source       `json:"sources,omitempty"` // empty: every source of the engagement
	Clause      string            `json:"clause"`
}

// Agreement is a paper with typed terms.
type Agreement struct {
	ID            id.Agreement    `json:"id"`
	Kind          AgreementKind   `json:"kind"`
	Vendor        id.Vendor       `json:"vendor"`                  // with whom
	Subcontractor id.Vendor       `json:"subcontractor,omitempty"` // subcontractor-baa: the vendor's own vendor
	Terms         map[string]Term `json:"terms"`                   // by hipaa.Term.Field
	PermittedUses []PermittedUse  `json:"permitted_uses,omitempty"`
	Regions       []string        `json:"regions,omitempty"` // ISO 3166 codes where data may be ("US", "US-MA")
	Document      string          `json:"document_sha256"`
	Signatures    []Signature     `json:"signatures,omitempty"`
	EffectiveAt   time.Time       `json:"effective_at"`
	EndsAt        time.Time       `json:"ends_at,omitzero"` // a contract's choice; HIPAA sets none
	TerminatedAt  time.Time       `json:"terminated_at,omitzero"`
	SuspendedAt   time.Time       `json:"suspended_at,omitzero"`
	// See agreement.go.
	SecondReading bool         `json:"second_reading,omitempty"`
	Reading       TermsReading `json:"reading,omitzero"`
	Notices       []CureNotice `json:"notices,omitempty"`
	Renewals      []Renewal    `json:"renewals,omitempty"`
	Approval
}

// SignedBy reports whether the party has signed by t.
func (a *Agreement) SignedBy(p Party, t time.Time) bool {
	for _, s := range a.Signatures {
		if s.Party == p && !s.At.After(t) {
			return true
		}
	}
	return false
}

// Engagement is a piece of work for one purpose under agreements.
type Engagement struct {
	ID         id.Engagement    `json:"id"`
	Vendor     id.Vendor        `json:"vendor"`
	Agreements []id.Agreement   `json:"agreements"`
	Basis      hipaa.LegalBasis `json:"basis"`
	// BasisDocument is the SHA-256 of the authorization or waiver,
	// where the basis is one.
	BasisDocument string          `json:"basis_document_sha256,omitempty"`
	BasisExpires  time.Time       `json:"basis_expires,omitzero"`
	Purpose       hipaa.Purpose   `json:"purpose"`
	Category      hipaa.Category  `json:"category"`
	Sources       []id.Source     `json:"sources"`
	DataClass     hipaa.DataClass `json:"data_class"`
	Regions       []string        `json:"regions"`                 // where the vendor declares to process
	Subprocessors []id.Vendor     `json:"subprocessors,omitempty"` // vendors of the vendor that see the data
	StartsAt      time.Time       `json:"starts_at"`
	EndsAt        time.Time       `json:"ends_at"`
	// Sealing is how releases are sealed to the recipient's key inside TLS; empty:
	// TLS alone protects them.
	Sealing Sealing `json:"sealing,omitempty"`
	// Workload is what the engagement demands of the program; nil: nothing.
	Workload *WorkloadDemand `json:"workload,omitempty"`
	Approval
}

// Determination is what a person with appropriate knowledge of statistical
// methods found: that the risk is very small that what a profile releases could
// be used by an anticipated recipient to identify a subject (45 CFR
// 164.514(b)(1)). It is about one engagement, whose vendor is the recipient, and
// about one profile as it was when the expert looked at it.
type Determination struct {
	ID         id.Determination `json:"id"`
	Engagement id.Engagement    `json:"engagement"`
	Profile    string           `json:"profile"`
	Profile256 string           `json:"profile_sha256"` // Profile.SHA256 as the expert saw it
	Expert     string           `json:"expert"`         // name of the person with appropriate knowledge
	// Document is the SHA-256 of the methods and results (164.514(b)(1)(ii)).
	Document     string    `json:"document_sha256"`
	DeterminedAt time.Time `json:"determined_at"`
	ValidUntil   time.Time `json:"valid_until"` // policy; the rule sets no term
	Approval
}

// Person is a human: one of a vendor's, or (Vendor empty) of the organisation.
type Person struct {
	ID             id.Person            `json:"id"`
	Vendor         id.Vendor            `json:"vendor,omitempty"`
	Name           string               `json:"name"`
	Classification hipaa.Classification `json:"classification"`
	// Basis says why the person is classified so, in the words of 160.103.
	Basis string `json:"basis"`
	// Duties are what an organisation's person may do; see registry.Duties.
	Duties []string `json:"duties,omitempty"`
	// Key256 is the key of the organisation's person's client certificate.
	Key256 KeyDigest `json:"key_sha256,omitempty"`
	Region string    `json:"region,omitempty"`
	// Login is who the person is to their own identity provider.
	Login Login `json:"login,omitzero"`
	// Passkeys are the person's WebAuthn credentials, in the order they were added.
	Passkeys []Passkey `json:"passkeys,omitempty"`
	// Invitation is the open or last invitation to register a passkey.
	Invitation Invitation `json:"invitation,omitzero"`
	// Directory is who the person is to the directory of their vendor.
	Directory Directory `json:"directory,omitzero"`
	// Signatory says that the person may sign papers in the product for their side.
	Signatory Signatory `json:"signatory,omitzero"`
	// SuspendedBy is who has suspended the person, in the order of time. The
	// person is suspended until each has ended its own.
	SuspendedBy []id.Person `json:"suspended_by,omitempty"`
	// Track is the role track of the course that the person must have passed: "DS",
	// "MLE", "ANN", "SUP" or "EXE"; empty: none is assigned.
	Track string `json:"track,omitempty"`
	// HiredAt is the date of hire, and WorkState where the person works ("US-TX"; empty:
	// in Region): State law on training counts from the one and is chosen by the other.
	HiredAt   time.Time `json:"hired_at,omitzero"`
	WorkState string    `json:"work_state,omitempty"`
	Approval
}

// Training is a completion of a course.
type Training struct {
	ID          id.Training `json:"id"`
	Person      id.Person   `json:"person"`
	Course      string      `json:"course"`
	Version     string      `json:"version"`
	Score       float64     `json:"score"` // 0 to 1
	Passed      bool        `json:"passed"`
	CompletedAt time.Time   `json:"completed_at"`
	ExpiresAt   time.Time   `json:"expires_at"` // policy; HIPAA sets no interval
	RecordedBy  id.Person   `json:"recorded_by"`
	RevokedAt   time.Time   `json:"revoked_at,omitzero"`
	// Source is where the completion was made; empty in records that are older than the
	// word: told by a person.
	Source TrainingSource `json:"source,omitempty"`
	// Modules are what was taught of the syllabus; empty: not known.
	Modules []string `json:"modules,omitempty"`
	Track   string   `json:"track,omitempty"`
	Hours   float64  `json:"hours,omitempty"`
	// Content is the SHA-256 of the course as it was taught.
	Content string `json:"content_sha256,omitempty"`
	// External is the completion's name where it came from, such as the id of an xAPI
	// statement. It is taken once.
	External string `json:"external,omitempty"`
	// Statement is what the person signed.
	Statement TrainingStatement `json:"statement,omitzero"`
}

// TrainingSource is where a completion was made.
type TrainingSource string

// The sources.
const (
	FromProduct TrainingSource = "product" // the product's own course, marked by the registry
	FromLMS     TrainingSource = "lms"     // a learning management system
	FromPaper   TrainingSource = "paper"   // a certificate or a list that a person read
)

// TrainingStatement is a signed statement that somebody was trained, as State law may
// ask for, with the conduct rules that they attested.
type TrainingStatement struct {
	Name     string    `json:"name,omitempty"`
	Employer string    `json:"employer,omitempty"`
	Role     string    `json:"role,omitempty"`
	In       string    `json:"in,omitempty"` // the State or country of work: "US-TX"
	Rules    []int     `json:"rules,omitempty"`
	SignedAt time.Time `json:"signed_at,omitzero"`
	// Document is the SHA-256 of the paper, where it was signed outside the product.
	Document string `json:"document_sha256,omitempty"`
}

// Device is a machine of a vendor that holds a client certificate, or a workload
// that has an X.509-SVID: it is known by the one key, or by the SPIFFE id whose
// keys change by the hour. Never by both.
type Device struct {
	ID     id.Device `json:"id"`
	Vendor id.Vendor `json:"vendor"`
	Key256 KeyDigest `json:"key_sha256,omitempty"`
	SPIFFE string    `json:"spiffe_id,omitempty"` // "spiffe://domain/path"
	Owner  id.Person `json:"owner,omitempty"`
	Region string    `json:"region"` // declared; not attested
	// KeyStore is where the device says that its key is kept; empty: it did not say.
	KeyStore KeyStore `json:"key_store,omitempty"`
	// SealTo are the recipients (public keys) to which releases for this device
	// are sealed, at most one of each Sealing.
	SealTo []string `json:"seal_to,omitempty"`
	// TrustedUntil is how far the approval reaches (policy).
	TrustedUntil time.Time `json:"trusted_until,omitzero"`
	// Invitation is the newest by which the machine was asked to enrol.
	Invitation DeviceInvitation `json:"invitation,omitzero"`
	Approval
}

// DeviceInvitation lets who holds its code enrol a machine, once.
type DeviceInvitation struct {
	By        id.Person `json:"by"`
	Code256   string    `json:"code_sha256"`
	ExpiresAt time.Time `json:"expires_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	App       id.App    `json:"app,omitempty"` // the program that is registered with the machine
}

// AgentKind says what acts (45 CFR 164.312(a)(1): "persons or software
// programs").
type AgentKind string

const (
	Human    AgentKind = "human"
	Workload AgentKind = "workload"
	Agent    AgentKind = "agent" // a program that chooses its own actions
)

// App is a software program with keys of its own.
type App struct {
	ID     id.App    `json:"id"` // also its OAuth client_id
	Vendor id.Vendor `json:"vendor"`
	Name   string    `json:"name"`
	Kind   AgentKind `json:"kind"`
	// Keys is a JWK Set of public keys (RFC 7517) for private_key_jwt.
	Keys json.RawMessage `json:"keys,omitempty"`
	// Owner is the vendor's person who answers for the program.
	Owner id.Person `json:"owner"`
	// TokenBinding is what its access tokens must be bound to. Empty: to the
	// certificate of the device, and to the program's key if it sends a proof.
	TokenBinding TokenBinding `json:"token_binding,omitempty"`
	// Public says that the program keeps no key of its own (RFC 6749, section 2.1):
	// it acts for a person only, who is signed in.
	Public bool `json:"public_client,omitempty"`
	// Redirects are the addresses to which a person may be sent back with a code.
	Redirects []string `json:"redirect_uris,omitempty"`
	// KeysFrom is the connector that offers the program's keys (kind "jwks") or that
	// registered it (kind "udap"); empty: its keys are given by people.
	KeysFrom id.Connector `json:"keys_from,omitempty"`
	// PendingKeys is a JWK Set of keys that were offered and not approved. They sign
	// nothing yet.
	PendingKeys json.RawMessage `json:"pending_keys,omitempty"`
	// Revoked are access tokens that were revoked before their time.
	Revoked []RevokedToken `json:"revoked_tokens,omitempty"`
	// TokensAfter is when the oldest token that counts was issued.
	TokensAfter time.Time `json:"tokens_after,omitzero"`
	Approval
}

// CohortKind says how a cohort is defined.
type CohortKind string

const (
	CohortGroup  CohortKind = "group"  // a FHIR Group at the source
	CohortList   CohortKind = "list"   // a patient list kept in the vault
	CohortSearch CohortKind = "search" // a FHIR search of Patient at the source
	CohortAll    CohortKind = "all"    // every patient of the source: to be justified in the reason
)

// Cohort says whose data a grant reaches. The patients themselves are in the
// vault: the registry holds a reference and a digest.
type Cohort struct {
	Kind   CohortKind `json:"kind"`
	Ref    string     `json:"ref,omitempty"`           // Group id; vault list name; search, e.g. "Patient?gender=female"
	Digest string     `json:"digest_sha256,omitempty"` // list: of the membership
}

// Grant lets one app, with one person behind it, act in one role on one
// engagement.
type Grant struct {
	ID         id.Grant      `json:"id"`
	Engagement id.Engagement `json:"engagement"`
	App        id.App        `json:"app"`
	Person     id.Person     `json:"person"` // the human who stands behind the app
	Devices    []id.Device   `json:"devices"`
	Role       id.Role       `json:"role"`
	Cohort     Cohort        `json:"cohort"`
	StartsAt   time.Time     `json:"starts_at"`
	EndsAt     time.Time     `json:"ends_at"`
	// Labels are security labels ("system|code") that the grant admits besides
	// unlabelled data: 42 CFR Part 2 records, psychotherapy notes.
	Labels []string `json:"labels,omitempty"`
	// MaxPatients caps the distinct patients over the grant's life.
	MaxPatients int `json:"max_patients"`
	// MaxDailyBytes caps what is released in a UTC day.
	MaxDailyBytes int64 `json:"max_daily_bytes"`
	// Request is the request that led to the grant, if one did.
	Request id.Request `json:"request,omitempty"`
	// Elevates is the grant that this one lifts for minutes or hours, and stands on;
	// Ticket is where the work is written down. Empty: an ordinary grant.
	Elevates id.Grant `json:"elevates,omitempty"`
	Ticket   string   `json:"ticket,omitempty"` // in the form of an id
	// EndedBy and EndedAt say who ended it before its time, and when.
	EndedBy id.Person `json:"ended_by,omitempty"`
	EndedAt time.Time `json:"ended_at,omitzero"`
	Approval
}

// Live reports whether the grant is approved and in its dates.
func (g *Grant) Live(now time.Time) bool {
	return g.State == Approved && !g.StartsAt.After(now) && now.Before(g.EndsAt)
}

// ReviewOutcome is what a reviewer decided.
type ReviewOutcome string

const (
	Keep    ReviewOutcome = "keep"
	CutDown ReviewOutcome = "cut-down" // it goes on with less
	Revoke  ReviewOutcome = "revoke"
	Lapsed  ReviewOutcome = "lapsed" // nobody reviewed it in time: it ended by itself
)

// Review is an access review of a grant; overdue ones close it.
type Review struct {
	ID          id.Review     `json:"id"`
	Grant       id.Grant      `json:"grant"`
	DueAt       time.Time     `json:"due_at"`
	CompletedAt time.Time     `json:"completed_at,omitzero"`
	CompletedBy id.Person     `json:"completed_by,omitempty"`
	Outcome     ReviewOutcome `json:"outcome,omitempty"`
	// Campaign is the campaign that the review is part of, if any.
	Campaign id.Campaign `json:"campaign,omitempty"`
	// OpenedBy is the reviewer who looked last, and OpenedAt when they did.
	OpenedBy id.Person `json:"opened_by,omitempty"`
	OpenedAt time.Time `json:"opened_at,omitzero"`
	// Role is the smaller role that a cut-down put in the place of From.
	Role id.Role `json:"role,omitempty"`
	From id.Role `json:"from_role,omitempty"`
}

// Subject names anything that can be put on hold.
type Subject struct {
	Noun Noun   `json:"noun"`
	ID   string `json:"id"`
}

// Hold stops everything about a subject until it is lifted.
type Hold struct {
	ID       id.Hold   `json:"id"`
	On       Subject   `json:"on"`
	Cause    HoldCause `json:"cause"`
	PlacedBy id.Person `json:"placed_by"`
	PlacedAt time.Time `json:"placed_at"`
	LiftedBy id.Person `json:"lifted_by,omitempty"`
	LiftedAt time.Time `json:"lifted_at,omitzero"`
}

// HoldCause is why a hold was placed.
type HoldCause string

const (
	HoldIncident    HoldCause = "incident"
	HoldFinding     HoldCause = "finding"
	HoldOffboarding HoldCause = "offboarding"
	HoldLegal       HoldCause = "legal"
	HoldOwner       HoldCause = "owner" // the organisation's own decision
)

func (*Vendor) Noun() Noun        { return NounVendor }
func (*Assessment) Noun() Noun    { return NounAssessment }
func (*Agreement) Noun() Noun     { return NounAgreement }
func (*Engagement) Noun() Noun    { return NounEngagement }
func (*Determination) Noun() Noun { return NounDetermination }
func (*Person) Noun() Noun        { return NounPerson }
func (*Training) Noun() Noun      { return NounTraining }
func (*Device) Noun() Noun        { return NounDevice }
func (*App) Noun() Noun           { return NounApp }
func (*Role) Noun() Noun          { return NounRole }
func (*Grant) Noun() Noun         { return NounGrant }
func (*Review) Noun() Noun        { return NounReview }
func (*Hold) Noun() Noun          { return NounHold }
func (*Connector) Noun() Noun     { return NounConnector }
func (*Session) Noun() Noun       { return NounSession }
func (*Posture) Noun() Noun       { return NounPosture }

func (r *Vendor) Key() string        { return string(r.ID) }
func (r *Assessment) Key() string    { return string(r.ID) }
func (r *Agreement) Key() string     { return string(r.ID) }
func (r *Engagement) Key() string    { return string(r.ID) }
func (r *Determination) Key() string { return string(r.ID) }
func (r *Person) Key() string        { return string(r.ID) }
func (r *Training) Key() string      { return string(r.ID) }
func (r *Device) Key() string        { return string(r.ID) }
func (r *App) Key() string           { return string(r.ID) }
func (r *Role) Key() string          { return string(r.ID) }
func (r *Grant) Key() string         { return string(r.ID) }
func (r *Review) Key() string        { return string(r.ID) }
func (r *Hold) Key() string          { return string(r.ID) }
func (r *Connector) Key() string     { return string(r.ID) }
func (r *Session) Key() string       { return string(r.ID) }
func (r *Posture) Key() string       { return string(r.Device) }

func (*Vendor) record()        {}
func (*Assessment) record()    {}
func (*Agreement) record()     {}
func (*Engagement) record()    {}
func (*Determination) record() {}
func (*Person) record()        {}
func (*Training) record()      {}
func (*Device) record()        {}
func (*App) record()           {}
func (*Role) record()          {}
func (*Grant) record()         {}
func (*Review) record()        {}
func (*Hold) record()          {}
func (*Connector) record()     {}
func (*Session) record()       {}
func (*Posture) record()       {}
