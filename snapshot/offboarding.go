package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// Offboarding is the parting from a vendor, or the end of one engagement, and what
// became of the data: returned or destroyed, in every form, or why that is not
// feasible (45 CFR 164.504(e)(2)(ii)(J)).
type Offboarding struct {
	ID         id.Offboarding    `json:"id"`
	Vendor     id.Vendor         `json:"vendor"`
	Engagement id.Engagement     `json:"engagement,omitempty"` // empty: the whole vendor
	Of         []id.Engagement   `json:"of,omitempty"`         // the engagements that it covers
	Agreements []id.Agreement    `json:"agreements,omitempty"` // whose terms survive
	Cause      OffboardingCause  `json:"cause"`
	BegunBy    id.Person         `json:"begun_by"`
	BegunAt    time.Time         `json:"begun_at"`
	DueAt      time.Time         `json:"due_at"` // of what the vendor attests: the contract's days
	Inventory  ReleasedInventory `json:"inventory,omitzero"`
	// Dispositions are what the vendor attests, by form; each of DataForms must have
	// one.
	Dispositions map[DataForm]Disposition `json:"dispositions,omitempty"`
	Attached     int                      `json:"attached,omitempty"` // files that came with attestations, replaced ones too: they stay stored
	// LegalHold says why the record and the keys must be kept; "" is none.
	LegalHold string    `json:"legal_hold,omitempty"`
	CheckedAt time.Time `json:"checked_at,omitzero"` // the last dead-man check
	// Looked is what the checks found, by the log that was looked at: each node has its
	// own.
	Looked map[string]Look `json:"looked,omitempty"`
	// Tried is how often a credential of what ended was tried since, in all logs, and
	// Permitted how often something was let through; that must be zero.
	Tried       int       `json:"tried,omitempty"`
	Permitted   int       `json:"permitted,omitempty"`
	LastTried   time.Time `json:"last_tried,omitzero"`
	Certificate string    `json:"certificate_sha256,omitempty"`
	CompletedBy id.Person `json:"completed_by,omitempty"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// RetainUntil is until when the record is kept: six years at least from when it was
	// last in effect (164.316(b)(2)(i), 164.530(j)(2)).
	RetainUntil time.Time `json:"retain_until,omitzero"`
}

// Look is what a dead-man check found in one log, since the offboarding began.
type Look struct {
	To        uint64    `json:"to"` // the log's entries before this index were looked at
	At        time.Time `json:"at"`
	Tried     int       `json:"tried"`
	Permitted int       `json:"permitted,omitempty"`
}

// Covers reports whether the offboarding is about an engagement.
func (o *Offboarding) Covers(e id.Engagement) bool {
	for _, x := range o.Of {
		if x == e {
			return true
		}
	}
	return false
}

// OffboardingCause is why it was begun.
type OffboardingCause string

// The causes.
const (
	WorkDone          OffboardingCause = "work-done"
	ContractEnded     OffboardingCause = "contract-ended"
	MaterialBreach    OffboardingCause = "material-breach" // 45 CFR 164.504(e)(2)(iii)
	VendorWithdrew    OffboardingCause = "vendor-withdrew"
	OrganisationsWish OffboardingCause = "organisations-wish"
)

// OffboardingCauses lists them.
var OffboardingCauses = []OffboardingCause{WorkDone, ContractEnded, MaterialBreach, VendorWithdrew, OrganisationsWish}

// ReleasedInventory is what the log says was released, counted when the offboarding
// began.
type ReleasedInventory struct {
	Document string `json:"document_sha256"` // the list, stored
	Releases int    `json:"releases"`
	Bytes    int64  `json:"bytes"`
	Patients int    `json:"patients"`
	// Digests is the SHA-256 over the digests of all releases, in the log's order.
	Digests string    `json:"digests_sha256"`
	At      time.Time `json:"at"`
}

// DataForm is a form in which the vendor may hold the data: "in any form" is the
// rule's word.
type DataForm string

// The forms.
const (
	RawData        DataForm = "raw"            // what was released, and plain copies of it
	DerivedData    DataForm = "derived"        // labels, features, tables, evaluation sets, tickets, screenshots
	Embeddings     DataForm = "embeddings"     // vectors and the indexes over them
	ModelWeights   DataForm = "weights"        // checkpoints, adapters, tuned models
	VendorLogs     DataForm = "logs"           // logs, traces, prompts, completions, caches
	VendorBackups  DataForm = "backups"        //
	Subcontractors DataForm = "subcontractors" // what was passed on
)

// DataForms lists every form.
var DataForms = []DataForm{RawData, DerivedData, Embeddings, ModelWeights, VendorLogs, VendorBackups, Subcontractors}

// Outcome is what became of one form.
type Outcome string

// The outcomes.
const (
	NeverHeld  Outcome = "never-held"
	Returned   Outcome = "returned"
	Destroyed  Outcome = "destroyed"
	Cleared    Outcome = "cleared"    // weights: tested, and found by the privacy official to hold no PHI
	Infeasible Outcome = "infeasible" // protections go on, and no use but what makes it infeasible
)

// Outcomes lists them.
var Outcomes = []Outcome{NeverHeld, Returned, Destroyed, Cleared, Infeasible}

// Disposition is what the vendor attests about one form.
type Disposition struct {
	Outcome Outcome `json:"outcome"`
	// Method is clear, purge or destroy (NIST SP 800-88), Technique how:
	// cryptographic-erase, overwrite, block-erase, shred, delete-and-expire.
	Method    string `json:"method,omitempty"`
	Technique string `json:"technique,omitempty"`
	Items     string `json:"items,omitempty"` // which stores, models, backups; never patient data
	// Why it is infeasible, what protects it, and when that is looked at again.
	Why         string    `json:"why,omitempty"`
	Protections string    `json:"protections,omitempty"`
	ReviewAt    time.Time `json:"review_at,omitzero"`
	Document    string    `json:"document_sha256,omitempty"` // a certificate, a test report
	// Sanitized and Verified are who did it and who looked, by name and title.
	Sanitized string    `json:"sanitized_by,omitempty"`
	Verified  string    `json:"verified_by,omitempty"`
	Attester  string    `json:"attester,omitempty"` // name and title of who attested, by a link
	By        id.Person `json:"attested_by"`        // the actor
	At        time.Time `json:"attested_at"`
	// AcceptedBy accepted, for the organisation, that it is infeasible or cleared.
	AcceptedBy id.Person `json:"accepted_by,omitempty"`
	AcceptedAt time.Time `json:"accepted_at,omitzero"`
}

func (*Offboarding) Noun() Noun    { return NounOffboarding }
func (r *Offboarding) Key() string { return string(r.ID) }
func (*Offboarding) record()       {}
