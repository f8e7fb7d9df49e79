// Package registrytest helps tests that need a registry: a log in memory, a
// sealer, and the acts that lead from an empty registry to a vendor that may
// have data.
package registrytest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Log is a registry.Log in memory. Fail, if set, is asked before each append.
type Log struct {
	Fail func(audit.ActEntry) error

	mu      sync.Mutex
	entries []audit.ActEntry
	byAct   map[id.Act]uint64
}

// Append implements registry.Log.
func (l *Log) Append(ctx context.Context, e audit.ActEntry) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if l.Fail != nil {
		if err := l.Fail(e); err != nil {
			return 0, err
		}
	}
	if i, ok := l.byAct[e.Act]; ok {
		return i, nil
	}
	if l.byAct == nil {
		l.byAct = map[id.Act]uint64{}
	}
	l.byAct[e.Act] = uint64(len(l.entries))
	l.entries = append(l.entries, e)
	return l.byAct[e.Act], nil
}

// Entries is what the log holds.
func (l *Log) Entries() []audit.ActEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]audit.ActEntry(nil), l.entries...)
}

// Sealer is AES-256-GCM under a key; the zero Sealer has the key of zeros.
type Sealer struct{ Key [32]byte }

func (s Sealer) aead() (cipher.AEAD, error) {
	b, err := aes.NewCipher(s.Key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(b)
}

// Seal implements store.Sealer.
func (s Sealer) Seal(plain, aad []byte) ([]byte, error) {
	a, err := s.aead()
	if err != nil {
		return nil, err
	}
	return a.Seal(nil, nil, plain, aad), nil
}

// Open implements store.Sealer.
func (s Sealer) Open(sealed, aad []byte) ([]byte, error) {
	a, err := s.aead()
	if err != nil {
		return nil, err
	}
	return a.Open(nil, nil, sealed, aad)
}

// Settings are policy numbers for tests, with one source, "ehr", and the four
// profiles that come with the product, each with a digest of its name.
func Settings() snapshot.Settings {
	return snapshot.Settings{
		SnapshotFreshness: time.Minute,
		Course:            "hipaa-ai-vendor",
		CourseVersion:     "2026.1",
		ReviewEvery:       90 * 24 * time.Hour,
		Access:            snapshot.DefaultAccess(),
		SessionLife:       8 * time.Hour,
		SessionIdle:       30 * time.Minute,
		StepUpLife:        5 * time.Minute,
		PostureFreshness:  24 * time.Hour,
		Sources:           []snapshot.Source{{ID: "ehr", Classes: hipaa.DataClasses, Region: "US", EmergencyProcedure: "Break the glass at the chart; the house supervisor has the sealed account (procedure E-7)."}},
		TrustDomains:      []snapshot.TrustDomain{{Name: "prod.northwind.example", Vendor: "northwind"}, {Name: "v2.example", Vendor: "v2"}},
		Profiles: []snapshot.Profile{
			{Name: "safe-harbor", Basis: snapshot.BasisSafeHarbor, SHA256: digest("safe-harbor")},
			{Name: "limited-data-set", Basis: snapshot.BasisLimitedDataSet, SHA256: digest("limited-data-set")},
			{Name: "expert-determination", Basis: snapshot.BasisExpertDetermination, SHA256: digest("expert-determination")},
			{Name: "minimum-necessary", Basis: snapshot.BasisMinimumNecessary, SHA256: digest("minimum-necessary"),
				KeepDates: true, KeepIDs: true, DirectIdentifiers: true},
		},
	}
}

func digest(name string) string { return string(Key(name)) }

// Key is the digest of a key that the name stands for; for tests that need no
// real key.
func Key(name string) snapshot.KeyDigest {
	sum := sha256.Sum256([]byte(name))
	return snapshot.KeyDigest(hex.EncodeToString(sum[:]))
}

// JWKS makes a JWK Set with the public half of a new ES384 key, and gives the
// private half for signing.
func JWKS(kid string) (json.RawMessage, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: kid, Algorithm: "ES384", Use: "sig"}}})
	return raw, key, err
}

// The people of the demo. Ada is made by bootstrap; she proposes Grace.
const (
	Ada   = id.Person("ada")   // operator, procurement, data owner: asks
	Grace = id.Person("grace") // operator, privacy and security officer, data owner: approves
	Lin   = id.Person("lin")   // the vendor's engineer
)

// Demo says with which keys and at what time the demo's acts are made. Empty
// keys become Key of the name of whoever has them.
type Demo struct {
	Now       time.Time
	AdaKey    snapshot.KeyDigest
	GraceKey  snapshot.KeyDigest
	DeviceKey snapshot.KeyDigest
	AppKeys   json.RawMessage // empty: a new key, whose private half is thrown away
}

// Step is one act of the demo.
type Step struct {
	By     id.Person
	Act    registry.Act
	Reason string
}

// Paper is the demo's document.
var Paper = []byte("BUSINESS ASSOCIATE AGREEMENT (synthetic)\n")

// Steps are the acts from an empty registry to a grant "triage-grant" under
// which app "triage" of vendor "northwind" may read source "ehr".
func (d Demo) Steps() ([]Step, error) {
	if d.Now.IsZero() {
		return nil, errors.New("registrytest: Demo.Now is required")
	}
	for k, name := range map[*snapshot.KeyDigest]string{&d.AdaKey: "ada", &d.GraceKey: "grace", &d.DeviceKey: "northwind-gpu-1"} {
		if *k == "" {
			*k = Key(name)
		}
	}
	if d.AppKeys == nil {
		keys, _, err := JWKS("k1")
		if err != nil {
			return nil, err
		}
		d.AppKeys = keys
	}
	now := d.Now.UTC().Truncate(time.Second)
	year := now.AddDate(1, 0, 0)
	paper := registry.NewDocument("text/plain", Paper)
	return []Step{
		{Ada, registry.BootstrapOrganisation{ID: Ada, Name: "Ada Example", Key256: d.AdaKey}, "first start"},
		{Ada, registry.ProposePerson{ID: Grace, Name: "Grace Example", Classification: hipaa.Workforce, Basis: "employee", Key256: d.GraceKey,
			Duties: []registry.Duty{registry.Operator, registry.PrivacyOfficer, registry.SecurityOfficer, registry.DataOwner}}, "our privacy officer"},
		{Ada, registry.AdmitSecondPerson{ID: Grace}, "the second of us"},
		{Grace, registry.AmendDuties{ID: Ada, Duties: []registry.Duty{registry.Operator, registry.Procurement, registry.DataOwner}}, "Ada buys and owns"},

		{Ada, registry.ProposeVendor{ID: "northwind", Name: "Northwind AI, Inc.", Contact: "privacy@northwind.example", RequiredCertifications: []string{"SOC2_T2"}}, "triage of reports"},
		{Grace, registry.ApproveVendor{ID: "northwind"}, "references checked"},
		{Grace, registry.RecordAssessment{ID: "northwind-2026", Vendor: "northwind", Verdict: snapshot.Pass, DecidedAt: now, ValidUntil: year}, "questionnaire answered"},
		{Grace, registry.ScreenVendor{ID: "northwind", Ownership: snapshot.No, Access: snapshot.No, ScreenedAt: now, ValidUntil: year}, "owners and staff looked at"},
		{Ada, registry.RecordCertification{ID: "northwind-soc2", Vendor: "northwind", Type: "SOC2_T2", PeriodStart: now.AddDate(0, -8, 0),
			PeriodEnd: now.AddDate(0, -2, 0), ExpiresAt: now.AddDate(0, 10, 0), Particulars: SOC2()}, "report received"},
		{Grace, registry.VerifyCertification{ID: "northwind-soc2", How: "auditor-letter", Against: "letter of the auditor, by telephone"}, "letter from the auditor"},

		{Ada, paper, "the signed paper"},
		{Ada, registry.DraftAgreement{ID: "northwind-baa", Kind: snapshot.BAA, Vendor: "northwind", Terms: Terms(), PermittedUses: Uses(),
			Regions: []string{"US"}, Document: paper.Digest, EffectiveAt: now}, "our template"},
		{Ada, registry.SignAgreement{ID: "northwind-baa", Party: snapshot.Organisation, Signer: "A. Example, CEO", At: now}, "signed on paper"},
		{Ada, registry.SignAgreement{ID: "northwind-baa", Party: snapshot.VendorParty, Signer: "N. Wind, CEO", At: now}, "signed on paper"},
		{Grace, registry.ApproveAgreement{ID: "northwind-baa"}, "terms compared with the paper"},
		{Ada, registry.DraftAgreement{ID: "northwind-contract", Kind: snapshot.ServicesContract, Vendor: "northwind", PermittedUses: Uses(), Regions: []string{"US"},
			Terms: map[string]snapshot.Term{"no_reidentification": yes("§ 7")}, Document: paper.Digest, EffectiveAt: now, EndsAt: year}, "statement of work"},
		{Ada, registry.SignAgreement{ID: "northwind-contract", Party: snapshot.Organisation, Signer: "A. Example, CEO", At: now}, "signed on paper"},
		{Ada, registry.SignAgreement{ID: "northwind-contract", Party: snapshot.VendorParty, Signer: "N. Wind, CEO", At: now}, "signed on paper"},
		{Grace, registry.ApproveAgreement{ID: "northwind-contract"}, "read"},
		{Ada, registry.ProposeEngagement{ID: "triage-eval", Vendor: "northwind", Agreements: []id.Agreement{"northwind-baa", "northwind-contract"},
			Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Evaluation, Category: hipaa.Operations, Sources: []id.Source{"ehr"},
			DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: now, EndsAt: year}, "evaluate the model"},
		{Grace, registry.ApproveEngagement{ID: "triage-eval"}, "minimum necessary considered"},

		{Ada, registry.ProposePerson{ID: Lin, Vendor: "northwind", Name: "Lin Example", Classification: hipaa.BusinessAssociate, Basis: "employee of the vendor", Region: "US"}, "their engineer"},
		{Grace, registry.ApprovePerson{ID: Lin}, "known to us"},
		{Grace, registry.RecordTraining{ID: "lin-2026", Person: Lin, Course: "hipaa-ai-vendor", Version: "2026.1", Score: 0.9, Passed: true, CompletedAt: now, ExpiresAt: year}, "passed"},
		{Ada, registry.EnrollDevice{ID: "northwind-gpu-1", Vendor: "northwind", Key256: d.DeviceKey, Owner: Lin, Region: "US"}, "their machine"},
		{Grace, registry.ApproveDevice{ID: "northwind-gpu-1", TrustedUntil: now.AddDate(0, 6, 0)}, "posture report read"},
		{Ada, registry.RegisterApp{ID: "triage", Vendor: "northwind", Name: "Triage", Kind: snapshot.Workload, Keys: d.AppKeys, Owner: Lin}, "their program"},
		{Grace, registry.ApproveApp{ID: "triage"}, "keys confirmed by telephone"},
		{Ada, Role(), "what triage needs"},
		{Grace, registry.ApproveRole{ID: "triage-reader"}, "minimum necessary"},
		{Ada, registry.RequestGrant{ID: "triage-grant", Engagement: "triage-eval", App: "triage", Person: Lin, Devices: []id.Device{"northwind-gpu-1"}, Role: "triage-reader",
			Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 0, 92), MaxPatients: 10_000, MaxDailyBytes: 1 << 30}, "the evaluation"},
		{Grace, registry.ApproveGrant{ID: "triage-grant"}, "in order"},
	}, nil
}

// SOC2 is what a SOC 2 report without a flaw says of itself.
func SOC2() snapshot.Particulars {
	return snapshot.Particulars{Issuer: "Example Auditors LLP", Criteria: []string{"security", "confidentiality"}, Scope: []string{"triage service"},
		Opinion: snapshot.Unqualified, Subservice: snapshot.NoSubservice}
}

// Role is the demo's data scope.
func Role() registry.DefineRole {
	read := []string{"read", "vread", "search-type"}
	return registry.DefineRole{ID: "triage-reader", Title: "Triage", Dates: snapshot.DatesToYear, Identifiers: snapshot.Pseudonyms,
		Profile: "minimum-necessary", MaxPageSize: 50, Resources: map[string]snapshot.ResourceScope{
			"Patient":           {Interactions: append([]string{"everything"}, read...), Elements: []string{"gender", "birthDate", "active"}},
			"Observation":       {Interactions: read, Elements: []string{"status", "category", "code", "subject", "effective[x]", "value[x]"}},
			"Condition":         {Interactions: read, Elements: []string{"clinicalStatus", "verificationStatus", "code", "subject", "onset[x]"}},
			"Encounter":         {Interactions: read, Elements: []string{"status", "class", "type", "subject", "period"}},
			"MedicationRequest": {Interactions: read, Elements: []string{"status", "intent", "medication[x]", "subject", "authoredOn"}},
			"DiagnosticReport":  {Interactions: read, Elements: []string{"status", "category", "code", "subject", "effective[x]", "result"}},
		}}
}

// Terms are the terms of a BAA as this product recommends them: nothing is missing or
// weak. The regions are the agreement's own.
func Terms() map[string]snapshot.Term {
	terms := agreement.Recommended()
	delete(terms, "regions")
	return terms
}

// Uses permits evaluation and inference on every class of data.
func Uses() []snapshot.PermittedUse {
	return []snapshot.PermittedUse{
		{Purpose: hipaa.Evaluation, DataClasses: hipaa.DataClasses, Clause: "§ 2.1"},
		{Purpose: hipaa.Inference, DataClasses: hipaa.DataClasses, Clause: "§ 2.2"},
	}
}

func yes(clause string) snapshot.Term {
	return snapshot.Term{Value: json.RawMessage("true"), Clause: clause}
}

// Do performs steps in order and stops at the first that fails.
func Do(ctx context.Context, r *registry.Registry, steps []Step) error {
	for i, s := range steps {
		if _, err := r.Do(ctx, registry.Actor{Person: s.By}, s.Act, registry.Meta{Reason: s.Reason}); err != nil {
			return fmt.Errorf("step %d, %T: %w", i, s.Act, err)
		}
	}
	return nil
}
