package site

import (
	"crypto/sha256"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

// Intent is an intent as the gateway writes it, with a new decision.
func Intent(now time.Time) audit.Intent {
	return audit.Intent{
		Decision: id.New[id.Decision](now), Vendor: "northwind", Engagement: Engagement, App: App, Device: Device,
		Person: "lin", Grant: "triage-grant", Role: "triage-reader",
		Agent: audit.Workload, Direction: audit.Out, Destination: "northwind", Source: Source,
		Action: "read", Resource: "Observation", Purpose: hipaa.Evaluation, Category: hipaa.Operations,
		LegalBasis: hipaa.OperationsUnderBAA, DataClass: hipaa.PHI, Profile: "minimum-necessary",
		ProfileDigest: audit.Digest{1}, Policy: audit.Digest{2}, Snapshot: 40, SnapshotIndex: 39,
		Clauses:   []string{"northwind-baa/BAA-M01", "northwind-contract"},
		Transport: audit.Transport{TLS: "1.3", KeyExchange: "X25519MLKEM768", Certificate: audit.Digest{3}, Binding: "mtls", Sealing: "none"},
	}
}

// Outcome is the outcome of a release of one resource.
func Outcome(now time.Time, body []byte) audit.Outcome {
	return audit.Outcome{
		Release: id.New[id.Release](now), Result: audit.Released, Final: true, Status: 200, Upstream: 200,
		Digest: sha256.Sum256(body), Bytes: uint64(len(body)), Patients: []string{"pseudonym-of-a-patient-01"},
		Resources: []audit.TypeCount{{Type: "Observation", N: 1}},
	}
}
