// Package gatetest is a world in which every gate opens: one vendor with its
// papers, people, device, application and grant, all approved by two people.
// Tests take something away and see who refuses. All of it is invented.
package gatetest

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// Ids of the world.
const (
	Vendor        id.Vendor        = "northwind-ai"
	Subcontractor id.Vendor        = "southwind-labels"
	Engagement    id.Engagement    = "sepsis-triage"
	BAA           id.Agreement     = "northwind-baa"
	Contract      id.Agreement     = "northwind-contract"
	SubBAA        id.Agreement     = "southwind-baa"
	Person        id.Person        = "pat-vendor"
	Requester     id.Person        = "olivia-privacy"
	Approver      id.Person        = "sam-security"
	Device        id.Device        = "northwind-worker-1"
	App           id.App           = "northwind-triage"
	Role          id.Role          = "triage-reader"
	Grant         id.Grant         = "triage-grant"
	Source        id.Source        = "main-ehr"
	Assessment    id.Assessment    = "northwind-2026"
	Certification id.Certification = "northwind-soc2"
	Determination id.Determination = "sepsis-determination"
	Training      id.Training      = "pat-training"
	Review        id.Review        = "triage-review"
	Hold          id.Hold          = "a-hold" // not in the world: for tests to place
)

// Course is the training that counts.
const Course = "sallyport-hipaa"

// Part2 is a security label that the grant admits: 42 CFR Part 2.
const Part2 = "http://terminology.hl7.org/CodeSystem/v3-ActCode|42CFRPart2"

// Digest is a made-up SHA-256, one for each name.
func Digest(name string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	n := uint32(2166136261)
	for b.Len() < 64 {
		for i := range len(name) {
			n = (n ^ uint32(name[i])) * 16777619
		}
		n = n*1664525 + 1013904223
		b.WriteByte(hex[n>>28])
	}
	return b.String()
}

// Approved is an approval by two people, a month before now.
func Approved(now time.Time) snapshot.Approval {
	at := now.AddDate(0, -1, 0)
	return snapshot.Approval{State: snapshot.Approved,
		RequestedBy: Requester, RequestedAt: at.Add(-time.Hour), ApprovedBy: Approver, ApprovedAt: at}
}

// Terms are the terms of a BAA as this product recommends them, with the subcontractor
// of the world listed and the terms of 42 CFR Part 2, each with a clause.
func Terms() map[string]snapshot.Term {
	terms := agreement.Recommended()
	set := func(field, value string) {
		terms[field] = snapshot.Term{Value: json.RawMessage(value), Clause: "section " + field}
	}
	set("delegated_obligations", `{"not_applicable": "the vendor carries out no obligation of the organisation"}`)
	set("flowdown_evidence", `[{"subprocessor": "`+string(Subcontractor)+`", "contract_hash": "`+Digest("sub-baa")+`", "terms_check": "read"}]`)
	set("part2_terms", "true")
	delete(terms, "regions") // the paper's own list of regions stands for it
	return terms
}

// DataUseTerms are the terms of a data use agreement, each satisfied.
func DataUseTerms() map[string]snapshot.Term {
	terms := map[string]snapshot.Term{}
	for _, field := range hipaa.DataUseAgreementFields() {
		switch field {
		case "permitted_uses":
		case "permitted_users_recipients":
			terms[field] = snapshot.Term{Value: json.RawMessage(`["the vendor's study team"]`)}
		default:
			terms[field] = snapshot.Term{Value: json.RawMessage(`true`)}
		}
	}
	return terms
}

// Settings are the organisation's policy numbers, and the four profiles that come
// with the product, each with a made-up digest.
func Settings() snapshot.Settings {
	return snapshot.Settings{
		SnapshotFreshness: time.Minute,
		Course:            Course,
		CourseVersion:     "2026.1",
		ReviewEvery:       90 * 24 * time.Hour,
		Sources: []snapshot.Source{{ID: Source, Region: "US",
			Classes: []hipaa.DataClass{hipaa.PHI, hipaa.LimitedDataSet, hipaa.DeIdentified}}},
		PostureFreshness: 24 * time.Hour,
		Profiles: []snapshot.Profile{
			{Name: "safe-harbor", Basis: snapshot.BasisSafeHarbor, SHA256: Digest("safe-harbor")},
			{Name: "limited-data-set", Basis: snapshot.BasisLimitedDataSet, SHA256: Digest("limited-data-set")},
			{Name: "expert-determination", Basis: snapshot.BasisExpertDetermination, SHA256: Digest("expert-determination")},
			{Name: "minimum-necessary", Basis: snapshot.BasisMinimumNecessary, SHA256: Digest("minimum-necessary"),
				KeepDates: true, KeepIDs: true, DirectIdentifiers: true},
		},
	}
}

// Records are every record of the world as of now.
func Records(now time.Time) []snapshot.Record {
	begun, ends := now.AddDate(0, -1, 0), now.AddDate(0, 6, 0)
	screened := snapshot.Screening{Ownership: snapshot.No, Access: snapshot.No, By: Approver, At: begun, ValidUntil: ends, Report: Digest("screening")}
	signed := func(a, b snapshot.Party) []snapshot.Signature {
		return []snapshot.Signature{
			{Party: a, Signer: "O. Officer", At: begun, By: Requester},
			{Party: b, Signer: "V. Counsel", At: begun, By: Requester}}
	}
	uses := func(clause string) []snapshot.PermittedUse {
		return []snapshot.PermittedUse{{Purpose: hipaa.Inference, Clause: clause,
			DataClasses: []hipaa.DataClass{hipaa.PHI, hipaa.LimitedDataSet, hipaa.DeIdentified}}}
	}
	contractTerms := map[string]snapshot.Term{"no_reidentification": {Value: json.RawMessage(`true`), Clause: "section 9"}}
	return []snapshot.Record{
		&snapshot.Vendor{ID: Vendor, Name: "Northwind AI", Approval: Approved(now),
			Subcontractors: []id.Vendor{Subcontractor}, RequiredCertifications: []string{"SOC2_T2"}, Screening: screened},
		&snapshot.Vendor{ID: Subcontractor, Name: "Southwind Labels", Screening: screened, Approval: Approved(now)},
		&snapshot.Assessment{ID: Assessment, Vendor: Vendor, Verdict: snapshot.Pass, DecidedBy: Approver,
			DecidedAt: begun, ValidUntil: ends, Report: Digest("assessment")},
		&snapshot.Certification{ID: Certification, Vendor: Vendor, Type: "SOC2_T2", IssuedAt: now.AddDate(0, -2, 0),
			PeriodStart: now.AddDate(0, -15, 0), PeriodEnd: now.AddDate(0, -3, 0), ExpiresAt: ends, Document: Digest("soc2"),
			RecordedBy: Requester, VerifiedBy: Approver, VerifiedAt: begun, VerifiedHow: "auditor-letter", VerifiedAgainst: "letter of 2026-10-01",
			Particulars: snapshot.Particulars{Issuer: "A. Auditors LLP", Scope: []string{"triage service"}, Criteria: []string{"security", "privacy"},
				Opinion: snapshot.Unqualified, Subservice: snapshot.NoSubservice}},
		&snapshot.Agreement{ID: BAA, Kind: snapshot.BAA, Vendor: Vendor, Terms: Terms(), PermittedUses: uses("section 2"),
			Regions: []string{"US"}, Document: Digest("baa"), Signatures: signed(snapshot.Organisation, snapshot.VendorParty),
			EffectiveAt: begun, Approval: Approved(now)},
		&snapshot.Agreement{ID: Contract, Kind: snapshot.ServicesContract, Vendor: Vendor, Terms: contractTerms,
			PermittedUses: uses("section 3"), Regions: []string{"US"}, Document: Digest("contract"),
			Signatures:  signed(snapshot.Organisation, snapshot.VendorParty),
			EffectiveAt: begun, EndsAt: ends, Approval: Approved(now)},
		&snapshot.Agreement{ID: SubBAA, Kind: snapshot.SubcontractorBAA, Vendor: Vendor, Subcontractor: Subcontractor,
			Terms: Terms(), PermittedUses: uses("section 2"), Document: Digest("sub-baa"),
			Signatures:  signed(snapshot.VendorParty, snapshot.SubcontractorParty),
			EffectiveAt: begun, Approval: Approved(now)},
		&snapshot.Engagement{ID: Engagement, Vendor: Vendor, Agreements: []id.Agreement{BAA, Contract},
			Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Inference, Category: hipaa.Operations,
			Sources: []id.Source{Source}, DataClass: hipaa.PHI, Regions: []string{"US-MA"},
			StartsAt: begun, EndsAt: ends, Approval: Approved(now)},
		&snapshot.Determination{ID: Determination, Engagement: Engagement, Profile: "expert-determination",
			Profile256: Digest("expert-determination"), Expert: "Dr. M. Example", Document: Digest("methods and results"),
			DeterminedAt: begun, ValidUntil: ends, Approval: Approved(now)},
		&snapshot.Person{ID: Person, Vendor: Vendor, Name: "Pat Example", Classification: hipaa.BusinessAssociate,
			Basis: "employed and directed by the vendor", Region: "US-MA", Approval: Approved(now)},
		&snapshot.Training{ID: Training, Person: Person, Course: Course, Version: "2026.2", Score: .95, Passed: true,
			CompletedAt: begun, ExpiresAt: ends, RecordedBy: Requester},
		&snapshot.Device{ID: Device, Vendor: Vendor, Key256: snapshot.KeyDigest(Digest("device")), Owner: Person,
			Region: "US-MA", KeyStore: snapshot.InTPM, TrustedUntil: ends, Approval: Approved(now)},
		&snapshot.Posture{Device: Device, Source: snapshot.FromAgent, ReportedAt: now.Add(-time.Hour), OS: "linux", OSVersion: "12", UpdateAge: 3,
			DiskEncryption: snapshot.CheckPass, ScreenLock: snapshot.CheckPass, Firewall: snapshot.CheckPass,
			MalwareProtection: snapshot.CheckPass, HardwareKey: snapshot.CheckPass},
		&snapshot.App{ID: App, Vendor: Vendor, Name: "Triage", Kind: snapshot.Workload, Owner: Person, Approval: Approved(now),
			Keys: json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-384","x":"AA","y":"AA","alg":"ES384"}]}`)},
		&snapshot.Role{ID: Role, Title: "Reads what triage needs", Resources: map[string]snapshot.ResourceScope{
			"Patient": {Interactions: []string{"read", "search-type", "everything"},
				Elements: []string{"id", "gender", "birthDate", "deceased[x]"}},
			"Observation": {Interactions: []string{"read", "search-type"},
				Elements: []string{"id", "status", "code", "subject", "effective[x]", "value[x]"}},
		}, Dates: snapshot.DatesToYear, Identifiers: snapshot.Pseudonyms, Profile: "minimum-necessary", MaxPageSize: 100,
			Approval: Approved(now)},
		&snapshot.Grant{ID: Grant, Engagement: Engagement, App: App, Person: Person, Devices: []id.Device{Device}, Role: Role,
			Cohort: snapshot.Cohort{Kind: snapshot.CohortGroup, Ref: "sepsis-cohort"}, StartsAt: begun, EndsAt: ends,
			Labels: []string{Part2}, MaxPatients: 1000, MaxDailyBytes: 1 << 30, Approval: Approved(now)},
		&snapshot.Review{ID: Review, Grant: Grant, DueAt: ends},
	}
}

// View is the world, confirmed now.
func View(now time.Time) *snapshot.View { return Publish(now, Settings(), Records(now)...) }

// Publish makes a view of records, confirmed now.
func Publish(now time.Time, s snapshot.Settings, records ...snapshot.Record) *snapshot.View {
	e := (&snapshot.View{}).Edit()
	for _, r := range records {
		e.Put(r)
	}
	return e.Publish(uint64(len(records)), uint64(len(records))-1, now).WithSettings(s)
}

// Request is a request that the world permits: a search for a patient's
// observations.
func Request(v *snapshot.View, now time.Time) policy.Request {
	return policy.Request{
		View: v, Now: now,
		Vendor: Vendor, App: App, Device: Device, Grant: Grant,
		Direction: policy.Out, Source: Source, Interaction: "search-type",
		Resources: []string{"Observation", "Patient"}, Reads: []string{"Observation.subject", "Observation.code"}, PageSize: 50,
		Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768",
			CertificateSHA256: Digest("certificate"), TokenBinding: "mtls"},
		Usage: policy.Usage{Known: true, Patients: 10, BytesToday: 1 << 20},
	}
}

// Content is what the world admits after the fetch.
func Content() policy.Content {
	return policy.Content{Inspected: true, NewPatients: 1, Bytes: 2048, Labels: []string{Part2}}
}
