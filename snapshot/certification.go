package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// Certification is a report or certificate that a vendor holds. Until a person
// has verified it, it counts as absent; what its type asks for beside that is in
// package diligence.
type Certification struct {
	ID          id.Certification `json:"id"`
	Vendor      id.Vendor        `json:"vendor"`
	Type        string           `json:"type"` // a hipaa.CertificationType id
	IssuedAt    time.Time        `json:"issued_at,omitzero"`
	PeriodStart time.Time        `json:"period_start,omitzero"`
	PeriodEnd   time.Time        `json:"period_end,omitzero"`
	ExpiresAt   time.Time        `json:"expires_at"`
	Document    string           `json:"document_sha256,omitempty"`
	RecordedBy  id.Person        `json:"recorded_by"`          // of the organisation, or of the vendor, who sent it
	RecordedAt  time.Time        `json:"recorded_at,omitzero"` // zero: before it was noted
	VerifiedBy  id.Person        `json:"verified_by,omitempty"`
	VerifiedAt  time.Time        `json:"verified_at,omitzero"`
	VerifiedHow string           `json:"verified_how,omitempty"` // issuer-portal, auditor-letter, registry-lookup, report-read
	// VerifiedAgainst is what it was compared with: the portal's host, the letter's
	// digest, the registry's entry, or what of the report was read.
	VerifiedAgainst string    `json:"verified_against,omitempty"`
	RevokedAt       time.Time `json:"revoked_at,omitzero"`
	RevokedBy       id.Person `json:"revoked_by,omitempty"`
	RevokedWhy      string    `json:"revoked_why,omitempty"` // as it is told to the vendor
	Particulars
	// Fingerprint is the MinHash of the report's text (diligence.Fingerprint), by which
	// reports that are too much alike are found. It says nothing that can be read back.
	Fingerprint []uint32 `json:"fingerprint,omitempty"`
}

// Particulars are what a report or certificate says of itself. Each type needs some of
// them; a field that a type does not need stays empty.
type Particulars struct {
	// Issuer is who stands by it: the auditor, the certification body, the tester, the
	// carrier, the signatory.
	Issuer string    `json:"issuer,omitempty"`
	Scope  []string  `json:"scope,omitempty"` // services, systems
	AsOf   time.Time `json:"as_of,omitzero"`  // of what is true at one time: SOC 2 Type 1, a scan, an attestation

	// Of SOC reports.
	Criteria     []string         `json:"criteria,omitempty"` // security, availability, confidentiality, processing-integrity, privacy
	Opinion      Opinion          `json:"opinion,omitempty"`
	Exceptions   []AuditException `json:"exceptions,omitempty"`
	Subservice   SubserviceMethod `json:"subservice_method,omitempty"`
	CarveOuts    []id.Vendor      `json:"carve_outs,omitempty"` // subservice organisations that the report leaves out
	Bridge       *BridgeLetter    `json:"bridge,omitempty"`
	NextUnderWay bool             `json:"next_under_way,omitempty"` // the examination that follows has begun

	// Of certificates.
	Accreditation    string           `json:"accreditation_body,omitempty"`
	Number           string           `json:"cert_no,omitempty"`  // certificate, marketplace or policy number
	Standard         string           `json:"standard,omitempty"` // its version: "ISO/IEC 27001:2022", "v11.3"
	SoAVersion       string           `json:"soa_version,omitempty"`
	LastSurveillance time.Time        `json:"last_surveillance,omitzero"`
	InterimAt        time.Time        `json:"interim_at,omitzero"`  // HITRUST r2
	AssessedAt       time.Time        `json:"assessed_at,omitzero"` // FedRAMP: the last annual assessment
	Underlying       id.Certification `json:"underlying,omitempty"`
	Level            string           `json:"level,omitempty"`
	Status           string           `json:"status,omitempty"` // as the issuer lists it: authorized, listed, suspended, ...

	// OpenHigh is how many high findings of a penetration test are overdue; nil: not said.
	OpenHigh *int `json:"open_high,omitempty"`

	// Of insurance.
	Limits      string    `json:"limits,omitempty"`
	ClaimsMade  bool      `json:"claims_made,omitempty"`
	RetroDate   time.Time `json:"retro_date,omitzero"`
	TailMonths  int       `json:"tail_months,omitempty"`
	AIExclusion *bool     `json:"ai_exclusion,omitempty"` // nil: not said

	// Of a person's training.
	Person        id.Person `json:"person,omitempty"`
	CourseVersion string    `json:"course_version,omitempty"`
	Score         float64   `json:"score,omitempty"`         // 0 to 1
	HiredAt       time.Time `json:"hired_at,omitzero"`       // where a State asks for training within days of hire
	LawChangedAt  time.Time `json:"law_changed_at,omitzero"` // the last material change in law since
}

// Opinion is a service auditor's.
type Opinion string

// The opinions.
const (
	Unqualified Opinion = "unqualified"
	Qualified   Opinion = "qualified"
	Adverse     Opinion = "adverse"
	Disclaimer  Opinion = "disclaimer"
)

// Opinions lists them.
var Opinions = []Opinion{Unqualified, Qualified, Adverse, Disclaimer}

// AuditException is a control that the auditor found not to work.
type AuditException struct {
	What string `json:"what"`
	// Accepted is why the organisation lives with it; empty: it does not.
	Accepted string `json:"accepted,omitempty"`
}

// SubserviceMethod is how a SOC report treats organisations below.
type SubserviceMethod string

// The methods.
const (
	NoSubservice SubserviceMethod = "none"
	Inclusive    SubserviceMethod = "inclusive"
	CarveOut     SubserviceMethod = "carve_out"
)

// SubserviceMethods lists them.
var SubserviceMethods = []SubserviceMethod{NoSubservice, Inclusive, CarveOut}

// BridgeLetter is management's word for the time after a period, until the next
// report. Nobody audits it.
type BridgeLetter struct {
	By       string    `json:"by"` // name and title, as signed
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Document string    `json:"document_sha256"`
}

// Waits reports whether it waits for somebody to verify it, or not to accept it.
func (r *Certification) Waits(now time.Time) bool {
	return r.VerifiedAt.IsZero() && r.RevokedAt.IsZero() && r.ExpiresAt.After(now)
}

// SentByVendor reports whether one of its vendor's own people sent it.
func (v *View) SentByVendor(c *Certification) bool {
	p, ok := v.Persons.Get(c.RecordedBy)
	return ok && p.Vendor != "" && p.Vendor == c.Vendor
}

func (*Certification) Noun() Noun    { return NounCertification }
func (r *Certification) Key() string { return string(r.ID) }
func (*Certification) record()       {}
