package policy

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Request is the question: may this caller do this, for this purpose, now?
// Everything the gates ask for is here or in View; a fact that is missing
// denies.
type Request struct {
	View *snapshot.View
	Now  time.Time

	// Who. All three must be present: a device (by its certificate), an
	// application (by its token), and the grant under which it acts, which
	// names the person behind it. An unknown one is the empty id.
	Vendor id.Vendor
	App    id.App
	Device id.Device
	Grant  id.Grant

	// What, in the policy's words.
	Direction   Direction
	Source      id.Source
	Interaction string // FHIR code: read, vread, search-type, everything, capabilities
	// Resources are the resource types that the answer may hold: first the one
	// that is asked for, then those that come with it (_include, $everything).
	// Empty for capabilities only.
	Resources []string
	Reads     []string // element paths that answering reads, such as "Patient.name": search parameters, sort keys
	PageSize  int      // asked for; 0: none asked

	// Region is where the caller's address is, by the organisation's table; empty:
	// no range holds it, or the address is not known.
	Region string

	Transport Transport
	Usage     Usage
	Content   Content
}

// Direction is which way data would move.
type Direction string

const (
	Out Direction = "out" // from the healthcare system to the vendor
	In  Direction = "in"
)

// Transport is how the request arrived, as the decision records it.
type Transport struct {
	TLSVersion        string // "1.3"
	KeyExchange       string // "X25519MLKEM768"
	CertificateSHA256 string // hex; of the client's certificate
	TokenBinding      string // "mtls" (RFC 8705), "dpop" (RFC 9449), "mtls+dpop"; empty: unbound, which is refused
}

// Usage is what the grant has released so far.
type Usage struct {
	Known      bool  // false: the counters are not loaded, and the volume gate refuses
	Patients   int   // distinct patients over the grant's life
	BytesToday int64 // in the current UTC day
}

// Content is what is known of the data itself. Before the fetch a read of one
// patient knows a little; after it, Admit decides on the rest. Zero counts
// together with Inspected false mean "not looked at yet".
type Content struct {
	Inspected   bool
	HeldPatient bool     // a patient hold (45 CFR 164.522 or opt-out) is on a patient in it
	OutOfCohort bool     // a patient in it, or a patient it could not resolve, is outside the grant's cohort
	Labels      []string // security labels in it that only a grant can admit, "system|code"
	NewPatients int      // distinct patients that the grant has not seen before
	Bytes       int64
}

// Basis is what a permit rests on, for the audit entry.
type Basis struct {
	Engagement id.Engagement
	Agreements []id.Agreement
	Clauses    []string // "agreement-id/BAA-M01", sorted
	Role       id.Role
	Person     id.Person
	AgentKind  snapshot.AgentKind
	Purpose    hipaa.Purpose
	DataClass  hipaa.DataClass
	Profile    string
}
