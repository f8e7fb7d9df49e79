package audit

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// SchemaVersion is the "v" of every entry that this package writes.
const SchemaVersion = 1

// MaxEntry is the most bytes that an entry can have: tlog-tiles counts them in
// 16 bits.
const MaxEntry = 1<<16 - 1

// Kind says what an entry records.
type Kind string

// The kinds; a closed list. One that a reader does not know is a fault.
const (
	KindIntent   Kind = "intent"   // a permitted release is about to be prepared
	KindOutcome  Kind = "outcome"  // what one release held, written before its first byte leaves
	KindPatients Kind = "patients" // pseudonyms that did not fit into the outcome that follows
	KindRefusal  Kind = "refusal"  // a request that the policy refused
	KindAct      Kind = "act"      // a change of the registry
	KindRecovery Kind = "recovery" // the log was opened after a crash that left an unfinished write
)

// Digest is a SHA-256. The zero Digest stands for none.
type Digest [32]byte

// Direction is which way data goes.
type Direction string

// The directions.
const (
	Out Direction = "out" // from the organisation
	In  Direction = "in"  // to it
)

// Agent is what kind of caller acts.
type Agent string

// The kinds of agent.
const (
	Human    Agent = "human"
	Workload Agent = "workload"
	AI       Agent = "agent"
)

// Transport records what protected a request on its way.
type Transport struct {
	TLS         string // "1.3" or "1.2"
	KeyExchange string // as tls.CurveID.String: "X25519MLKEM768", "CurveP256" ...
	Certificate Digest // of the client certificate, in DER
	Binding     string // of the token: "none", "mtls" (RFC 8705), "dpop" (RFC 9449), "mtls+dpop"
	Sealing     string // of the releases to their recipient: "none", "age", "age-x25519", "hpke-p256"
}

// Leg records what protected the way from the source to the gateway. The zero
// Leg is none: the source was not asked.
type Leg struct {
	TLS         string // "1.3", "1.2"; "none": plain, on the gateway's own machine
	KeyExchange string // as in Transport
	Certificate Digest // of the source's certificate, in DER
}

// RegionBy says how the region of a caller is known.
type RegionBy string

// The ways. Neither says where data is processed.
const (
	ByDeclaration RegionBy = "declared" // the device's record
	ByAddress     RegionBy = "address"  // the caller's address, by the organisation's table of networks
)

// Intent is a release that the policy permitted. Decision, Direction, Agent,
// Action and Policy are required; the others are recorded where they are known.
type Intent struct {
	Decision   id.Decision
	Vendor     id.Vendor
	Engagement id.Engagement
	App        id.App
	Device     id.Device
	Person     id.Person
	Grant      id.Grant
	Role       id.Role

	Agent       Agent
	Direction   Direction
	Destination string // an id: where the data goes
	Source      id.Source

	Action     string // a word for which Action is true
	Resource   string // an R4 resource type
	Purpose    hipaa.Purpose
	Category   hipaa.Category
	LegalBasis hipaa.LegalBasis
	DataClass  hipaa.DataClass

	Profile       string // an id: the de-identification profile
	ProfileDigest Digest // of the profile's rules
	ScopeDigest   Digest // of what the role shows under them
	Policy        Digest // of the policies that decided
	Snapshot      uint64 // version of the registry's snapshot
	SnapshotIndex uint64 // the log index that the snapshot carried

	Clauses     []string     // the terms that allow it: "BAA-M01", or "agreement-id/BAA-M01"
	DerivesFrom []id.Release // releases that this one is made from
	Transport   Transport

	Region   string // ISO 3166: where the caller is
	RegionBy RegionBy
}

// Failing is one gate that refused.
type Failing struct {
	Gate   string // a word: the gate's id
	Reason string // a word: the reason's code
}

// Refusal is a request that the policy refused: the facts of the intent that it
// would have been, as far as they are known, and every failing gate. Decision
// and at least one gate are required. What a caller sent and nobody knows, such
// as a resource type that R4 does not have, is left empty.
type Refusal struct {
	Intent  Intent
	Failing []Failing
}

// Result is what became of a release.
type Result string

// The results. The zero Result is refused.
const (
	Released   Result = "released"   // the bytes with this digest may leave
	Withheld   Result = "withheld"   // nothing leaves, and nothing of this ticket has left
	Incomplete Result = "incomplete" // nothing of this chunk leaves, but earlier chunks have
)

// TypeCount is how many resources of one R4 type a release holds.
type TypeCount struct {
	Type string
	N    uint64
}

// TypeShown says which of the elements that the role names for an R4 type appeared with
// data in a release.
type TypeShown struct {
	Type string
	// Bits are a number in hexadecimal, of at most 128 lower-case digits and without
	// zeros in front: its least significant bit is the first of the elements of the
	// intent's view (ScopeDigest), sorted. "0" is none of them.
	Bits string
}

// Removal is how much was left out of an answer, and why.
type Removal struct {
	Why string // a word: "patient-hold", "security-label" ...
	N   uint64
}

// Outcome is what one release holds: a whole response, or one chunk of a stream.
type Outcome struct {
	Release  id.Release
	Result   Result
	Final    bool   // no more chunks follow under this ticket
	Status   int    // the HTTP status that the caller gets
	Upstream int    // the HTTP status that the upstream gave; 0 if it was not asked
	Leg      Leg    // the weakest over which something of it came
	Digest   Digest // SHA-256 of the bytes; required if Released
	Bytes    uint64
	// Sealed is set where what leaves is sealed to a recipient: Digest and Bytes
	// are those of the ciphertext then.
	Sealed *Sealing

	// Patients are keyed pseudonyms, each 20 to 128 of [A-Za-z0-9_-] and computed by
	// the caller under the owner's key. Thousands fit: those that are too many for one
	// entry are written into KindPatients entries before it, in the same commit.
	Patients  []string
	Resources []TypeCount
	// Shown is what of the role's elements appeared, of each type at most once. A type in
	// Resources that it lacks is one of which the door does not know.
	Shown []TypeShown
	// Removed is how many resources were left out of the source's answer, by why.
	Removed []Removal
	// Changed is how often something inside what is left was cut, coarsened or
	// replaced, by the de-identification rule; "text-" and a category where it was
	// found in free text.
	Changed []Removal
}

// Sealing is how a release was sealed, and what is inside.
type Sealing struct {
	Mode       string   // "age", "age-x25519", "hpke-p256"
	Recipients []Digest // of the public keys; never the keys
	// Digest and Bytes are those of the release before it was sealed: by them the
	// owner finds the release that a file came from, and counts the grant's volume.
	Digest Digest
	Bytes  uint64
}

// OutcomeRecord is an outcome as the log has it.
type OutcomeRecord struct {
	Outcome
	Decision     id.Decision
	Ticket       uint64 // index of its intent
	Chunk        uint64 // counted from 0 within the ticket
	Parts        uint64 // how many KindPatients entries come right before it
	PatientCount uint64 // of all parts
}

// PatientsRecord holds pseudonyms that belong to the outcome that follows.
type PatientsRecord struct {
	Decision id.Decision
	Ticket   uint64
	Chunk    uint64
	Part     uint64 // counted from 0 within the chunk
	Patients []string
}

// ActEntry is a change of the registry.
type ActEntry struct {
	Act      id.Act
	Kind     string    // words joined by dots: "agreement.sign"
	Actor    id.Person // who asked
	Approver id.Person // who approved, where the act needs a second person
	Subject  string    // a word: "agreement"
	ID       string    // the subject's id
	Digest   Digest    // of the act's canonical JSON
	Registry uint64    // the registry's version after it
}

// Recovery says what opening the log after a crash found.
type Recovery struct {
	Replayed uint64 // durable entries that were not in the tree yet
	Cut      uint64 // bytes of an unfinished, unacknowledged write that were cut off
}

// Entry is an entry as it was read back; exactly one of the pointers is set.
type Entry struct {
	Index  uint64
	Time   time.Time
	Kind   Kind
	Origin string

	Intent   *Intent
	Outcome  *OutcomeRecord
	Patients *PatientsRecord
	Refusal  *Refusal
	Act      *ActEntry
	Recovery *Recovery
}

// Decision is the decision that the entry belongs to, if it belongs to one.
func (e *Entry) Decision() id.Decision {
	switch {
	case e.Intent != nil:
		return e.Intent.Decision
	case e.Outcome != nil:
		return e.Outcome.Decision
	case e.Patients != nil:
		return e.Patients.Decision
	case e.Refusal != nil:
		return e.Refusal.Intent.Decision
	}
	return ""
}
