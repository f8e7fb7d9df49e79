package registry_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// world performs acts on a view alone, without database or log.
type world struct {
	t      *testing.T
	engine *policy.ActEngine
	view   *snapshot.View
	now    time.Time
	last   id.Act
	// sessions are through which people act; none: by their certificates.
	sessions map[id.Person]id.Session
	// real is a registry on which the acts are done instead; nil: on the view alone.
	real *registry.Registry
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func empty(t *testing.T) *world {
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, engine: engine, view: (&snapshot.View{}).WithSettings(registrytest.Settings()), now: noon}
}

// demoWorld is a world after the demo's acts, in which Ada, Grace and Eve have
// every duty but auditor, and Otto is the auditor.
func demoWorld(t *testing.T) *world {
	w := empty(t)
	w.demo()
	return w
}

func (w *world) demo() {
	w.t.Helper()
	steps, err := registrytest.Demo{Now: noon}.Steps()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range steps {
		w.must(s.By, s.Act)
	}
	all := registry.Duties[:5]
	w.must("grace", registry.AmendDuties{ID: "ada", Duties: all})
	w.must("ada", registry.ProposePerson{ID: "eve", Name: "Eve", Classification: hipaa.Workforce, Basis: "employee", Duties: all, Key256: registrytest.Key("eve")})
	w.must("grace", registry.ApprovePerson{ID: "eve"})
	w.must("eve", registry.AmendDuties{ID: "grace", Duties: all})
	w.must("ada", registry.ProposePerson{ID: "otto", Name: "Otto", Classification: hipaa.Workforce, Basis: "employee", Duties: []registry.Duty{registry.Auditor}})
	w.must("grace", registry.ApprovePerson{ID: "otto"})
}

func (w *world) do(by id.Person, a registry.Act) error {
	w.t.Helper()
	actor := registry.Actor{Person: by, Session: w.sessions[by]}
	if w.real != nil {
		r, err := w.real.Do(w.t.Context(), actor, a, registry.Meta{Reason: "r"})
		if err == nil {
			w.last, w.view = r.Act, r.View
		}
		return err
	}
	if err := registry.Authorize(w.engine, w.view, actor, a, w.now); err != nil {
		return err
	}
	if err := registry.Check(w.view, actor, a, w.now); err != nil {
		return err
	}
	w.last = id.New[id.Act](w.now)
	w.view, _ = registry.Apply(w.view, a, registry.Stamp{ID: w.last, By: by, At: w.now, Session: actor.Session})
	return nil
}

func (w *world) must(by id.Person, a registry.Act) {
	w.t.Helper()
	if err := w.do(by, a); err != nil {
		w.t.Fatalf("%s: %T: %v", by, a, err)
	}
}

// review is the open review of the demo's grant.
func (w *world) review() id.Review {
	rs := w.view.ReviewsOf("triage-grant")
	return rs[len(rs)-1].ID
}

type scenario struct {
	before  func(w *world)                // what leads to it; may be nil
	allowed func(w *world) registry.Act   // done by Grace
	refused []refusal                     // in the same world, before allowed is done
	then    func(v *snapshot.View) string // what is wrong afterwards; may be nil
}

type refusal struct {
	act   func(w *world) registry.Act
	field string // of the problem, or
	kind  problem.Kind
}

func bad(field string, a registry.Act) refusal {
	return refusal{func(*world) registry.Act { return a }, field, problem.Invalid}
}

func gone(a registry.Act) refusal {
	return refusal{func(*world) registry.Act { return a }, "id", problem.NotFound}
}

func wrongState(a registry.Act) refusal {
	return refusal{func(*world) registry.Act { return a }, "", problem.Conflict}
}

func act(a registry.Act) func(*world) registry.Act { return func(*world) registry.Act { return a } }

func by(who id.Person, acts ...registry.Act) func(*world) {
	return func(w *world) {
		for _, a := range acts {
			w.must(who, a)
		}
	}
}

func want(ok bool, what string) string {
	if ok {
		return ""
	}
	return what
}

func with[T any](v T, change func(*T)) T { change(&v); return v }

var (
	year = noon.AddDate(1, 0, 0)

	vendor2 = registry.ProposeVendor{ID: "v2", Name: "Two, Inc."}
	engage2 = registry.ProposeEngagement{ID: "e2", Vendor: "northwind", Agreements: []id.Agreement{"northwind-baa"}, Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Evaluation, Category: hipaa.Operations, Sources: []id.Source{"ehr"}, DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: noon, EndsAt: year}
	paper2  = registry.DraftAgreement{ID: "a2", Kind: snapshot.ServicesContract, Vendor: "northwind", Document: strings.Repeat("ab", 32), EffectiveAt: noon}
	person2 = registry.ProposePerson{ID: "p2", Vendor: "northwind", Name: "P", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"}
	cert2   = registry.RecordCertification{ID: "c2", Vendor: "northwind", Type: "ISO27001", IssuedAt: noon.AddDate(-1, 0, 0), ExpiresAt: noon.AddDate(2, 0, 0),
		Particulars: snapshot.Particulars{Issuer: "Body Ltd", Accreditation: "ANAB", Number: "IS 1", Standard: "ISO/IEC 27001:2022", Scope: []string{"all"}, SoAVersion: "7"}}
	expert2   = registry.RecordDetermination{ID: "x2", Engagement: "triage-eval", Profile: "expert-determination", Profile256: string(registrytest.Key("expert-determination")), Expert: "Dr. M. Example", Document: strings.Repeat("ab", 32), DeterminedAt: noon, ValidUntil: year}
	training2 = registry.RecordTraining{ID: "t2", Person: "lin", Course: "c", Version: "1", Score: 1, Passed: true, CompletedAt: noon, ExpiresAt: year}
	machine2  = registry.InviteDevice{ID: "d2", Vendor: "northwind", Owner: "lin", App: "lin-app", Code256: strings.Repeat("ab", 32), ExpiresAt: noon.Add(72 * time.Hour)}
	accept2   = registry.AcceptInvitation{ID: "d2", Code256: strings.Repeat("ab", 32), Key256: registrytest.Key("d2"), KeyStore: snapshot.InTPM, Region: "US"}
	device2   = registry.EnrollDevice{ID: "d2", Vendor: "northwind", Key256: registrytest.Key("d2"), Region: "US"}
	grant2    = registry.RequestGrant{ID: "g2", Engagement: "triage-eval", App: "triage", Person: "lin", Devices: []id.Device{"northwind-gpu-1"}, Role: "triage-reader", Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: noon, EndsAt: noon.AddDate(0, 1, 0), MaxPatients: 1, MaxDailyBytes: 1}
	ask2      = registry.MakeRequest{ID: "q2", Person: "lin", Engagement: "triage-eval", App: "triage", Devices: []id.Device{"northwind-gpu-1"}, Role: "triage-reader",
		Resources: map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"gender"}}},
		Cohort:    snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 1, MaxDailyBytes: 1, Life: 60, Why: "Calibrate"}
	lift2     = registry.MakeRequest{ID: "q2", Person: "lin", Elevates: "triage-grant", Ticket: "INC-4711", Role: "triage-reader", MaxPatients: 1, MaxDailyBytes: 1, Life: 60, Why: "Look at the failure"}
	campaign2 = registry.OpenCampaign{ID: "k2", Title: "Summer", DueAt: noon.AddDate(0, 0, 14)}
	glass2    = registry.ReportEmergency{ID: "y2", Source: "ehr", Why: "The interface was down", UsedAt: noon}
	hold2     = registry.PlaceHold{ID: "h2", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldIncident}
	keys2     = func() json.RawMessage { k, _, _ := registrytest.JWKS("k2"); return k }()
	app2      = registry.RegisterApp{ID: "x2", Vendor: "northwind", Name: "X", Kind: snapshot.Agent, Keys: keys2, Owner: "lin"}
	role2     = with(registrytest.Role(), func(r *registry.DefineRole) { r.ID = "r2" })
	code2     = registry.RevealCode{Engagement: "triage-eval", Code: "v" + strings.Repeat("a", 32)}
	patient2  = registry.HoldPatient{Source: "ehr", Patient: "-_0123456789abcdefghig", Hold: registry.Restriction}
	cohort2   = registry.DefineCohort{ID: "c2", Source: "ehr", Digest: strings.Repeat("ab", 32), Patients: 1}
	idp2      = registry.RegisterConnector{ID: "idp2", Vendor: "northwind", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: "https://login.northwind.example", ClientID: "sallyport"}
	scim2     = registry.RegisterConnector{ID: "scim2", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "Directory", Token256: strings.Repeat("ab", 32)}
	session2  = registry.StartSession{ID: "s2", Person: "grace", Secret256: strings.Repeat("ab", 32), Method: snapshot.ByPasskey, Strong: true, ExpiresAt: noon.Add(time.Hour)}
	invite2   = registry.InvitePerson{ID: "lin", Code256: strings.Repeat("cd", 32), ExpiresAt: noon.Add(time.Hour)}
	passkey2  = registry.AddPasskey{ID: "grace", Passkey: snapshot.Passkey{ID: []byte("credential"), PublicKey: []byte("key")}}
	posture2  = registry.ReportPosture{Device: "northwind-gpu-1", Source: snapshot.FromAgent, OS: "linux", OSVersion: "12", UpdateAge: 3, DiskEncryption: snapshot.CheckPass,
		ScreenLock: snapshot.CheckPass, Firewall: snapshot.CheckFail, MalwareProtection: snapshot.CheckUnknown, HardwareKey: snapshot.CheckPass}
	pod2               = registry.EnrollDevice{ID: "pod2", Vendor: "northwind", SPIFFE: "spiffe://prod.northwind.example/ns/ml/sa/triage", Region: "US"}
	build2, otherBuild = newBuild(), newBuild()
	image2             = strings.Repeat("1b", 32)
	proven2            = with(engage2, func(a *registry.ProposeEngagement) {
		a.Workload = &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{build2.key}, Builders: []string{builder2}, Sources: []string{"https://git.northwind.example/ml"}}
	})
	attest2 = registry.AttestWorkload{ID: "w2", Device: "northwind-gpu-1", Engagement: "e2", Image: "sha256:" + image2, ExpiresAt: noon.AddDate(0, 1, 0),
		Bundle: build2.provenance(image2, builder2, "https://git.northwind.example/ml/triage")}
	screen2 = registry.ScreenVendor{ID: "northwind", Ownership: snapshot.No, Access: snapshot.Yes, ScreenedAt: noon, ValidUntil: year}
	keysrv2 = registry.RegisterConnector{ID: "keys2", Vendor: "northwind", Kind: snapshot.KeyServer, Name: "Keys", Issuer: "https://keys.northwind.example/jwks.json"}
	udap2   = registry.RegisterConnector{ID: "udap2", Vendor: "northwind", Kind: snapshot.UDAPClients, Name: "Community", Issuer: "https://app.northwind.example", Anchors: anchor(), Owner: "lin"}
	kept2   = with(app2, func(a *registry.RegisterApp) { a.ID, a.Keys, a.KeysFrom = "x4", nil, "keys2" })
	note2   = registry.RegisterApp{ID: "x3", Vendor: "northwind", Name: "Notebook", Kind: snapshot.Human, Public: true, Owner: "lin", Redirects: []string{"http://127.0.0.1/callback", "https://app.northwind.example/cb"}}
	lins    = with(session2, func(a *registry.StartSession) { a.ID, a.Person = "s3", "lin" })
	let2    = registry.AuthorizeApp{ID: "s3", Authorization: "z1", App: "x3", Grant: "g3", Scope: "user/Observation.rs", Redirect: "http://127.0.0.1:4711/callback", Challenge: strings.Repeat("A", 43), Online: true}
	redeem2 = registry.RedeemCode{ID: "s3", Authorization: "z1"}
	doc2    = registry.NewDocument("text/plain", []byte("two"))
	first   = registry.BootstrapOrganisation{ID: "grace", Name: "Grace", Key256: registrytest.Key("g")}
)

const builder2 = "https://build.northwind.example/hosted"

func engage2with(e id.Engagement, d *snapshot.WorkloadDemand) registry.ProposeEngagement {
	return with(engage2, func(a *registry.ProposeEngagement) { a.ID, a.Workload = e, d })
}

// aBuild is a build system and its key in PEM.
type aBuild struct {
	registrytest.Build
	key string
}

func newBuild() aBuild {
	b, err := registrytest.NewBuild()
	if err != nil {
		panic(err)
	}
	key, err := b.Key()
	if err != nil {
		panic(err)
	}
	return aBuild{b, key}
}

func (b aBuild) provenance(image, builder, source string) json.RawMessage {
	raw, err := b.Provenance(image, builder, source)
	if err != nil {
		panic(err)
	}
	return raw
}

func (b aBuild) image(image string) json.RawMessage {
	raw, err := b.SignImage(image)
	if err != nil {
		panic(err)
	}
	return raw
}

func anchor() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true, NotAfter: noon.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// notebook leads to a person of the vendor who is signed in, with an application
// and a grant for it.
func notebook(acts ...registry.Act) func(*world) {
	return func(w *world) {
		w.must("ada", note2)
		w.must("eve", registry.ApproveApp{ID: "x3"})
		w.must("ada", with(grant2, func(a *registry.RequestGrant) { a.ID, a.App = "g3", "x3" }))
		w.must("eve", registry.ApproveGrant{ID: "g3"})
		w.must("grace", lins)
		for _, a := range acts {
			w.must("grace", a)
		}
	}
}

// keyServer leads to an application whose keys a key server offers.
func keyServer(acts ...registry.Act) func(*world) {
	return func(w *world) {
		w.must("ada", keysrv2)
		w.must("eve", registry.ApproveConnector{ID: "keys2"})
		w.must("ada", kept2)
		for _, a := range acts {
			w.must("ada", a)
		}
	}
}

func thumb(keys json.RawMessage) string {
	var set jose.JSONWebKeySet
	if json.Unmarshal(keys, &set) != nil || len(set.Keys) == 0 {
		return ""
	}
	sum, _ := set.Keys[0].Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum)
}

// scenarios holds, for every act of the table, how it is allowed and how it is
// refused; the workflows' chapters are in scenario_*_test.go.
var scenarios = chapters(doorScenarios, diligenceScenarios, offboardingScenarios, agreementScenarios, incidentScenarios, trainingScenarios)

func chapters(ms ...map[registry.Kind]scenario) map[registry.Kind]scenario {
	all := map[registry.Kind]scenario{}
	for _, m := range ms {
		maps.Copy(all, m)
	}
	return all
}

// doorScenarios are those of the acts in acts.go.
var doorScenarios = map[registry.Kind]scenario{
	"organisation.bootstrap": {allowed: act(first), refused: []refusal{
		bad("id", with(first, func(a *registry.BootstrapOrganisation) { a.ID = "other" })),
		bad("name", with(first, func(a *registry.BootstrapOrganisation) { a.Name = "" })),
		bad("key_sha256", with(first, func(a *registry.BootstrapOrganisation) { a.Key256 = "" }))}},
	"organisation.second-person": {before: by("grace", first, registry.ProposePerson{ID: "ada", Name: "A", Classification: hipaa.Workforce, Basis: "b"}),
		allowed: act(registry.AdmitSecondPerson{ID: "ada"}), refused: []refusal{gone(registry.AdmitSecondPerson{ID: "nobody"}), wrongState(registry.AdmitSecondPerson{ID: "grace"})}},

	"vendor.propose": {allowed: act(vendor2), refused: []refusal{
		bad("name", registry.ProposeVendor{ID: "v2"}), bad("id", registry.ProposeVendor{ID: "-", Name: "x"}),
		{act(registry.ProposeVendor{ID: "northwind", Name: "x"}), "id", problem.Conflict},
		bad("subcontractors[0]", with(vendor2, func(a *registry.ProposeVendor) { a.Subcontractors = []id.Vendor{"northwnd"} })),
		bad("required_certifications[0]", with(vendor2, func(a *registry.ProposeVendor) { a.RequiredCertifications = []string{"SOC2"} }))}},
	"vendor.approve": {before: by("ada", vendor2), allowed: act(registry.ApproveVendor{ID: "v2"}), refused: []refusal{gone(registry.ApproveVendor{ID: "v3"}), wrongState(registry.ApproveVendor{ID: "northwind"})}},
	"vendor.amend": {before: by("ada", vendor2), allowed: act(registry.AmendVendor{ID: "northwind", Name: "New, Inc.", Subcontractors: []id.Vendor{"v2"}}),
		refused: []refusal{gone(registry.AmendVendor{ID: "v3", Name: "x"}), wrongState(registry.AmendVendor{ID: "v2", Name: "x"})},
		then: func(v *snapshot.View) string {
			x, _ := v.Vendors.Get("northwind")
			return want(x.State == snapshot.Proposed && x.RequestedBy == "grace", "a looser vendor is still approved")
		}},
	"vendor.suspend":  {allowed: act(registry.SuspendVendor{ID: "northwind"}), refused: []refusal{gone(registry.SuspendVendor{ID: "v3"})}},
	"vendor.resume":   {before: by("ada", registry.SuspendVendor{ID: "northwind"}), allowed: act(registry.ResumeVendor{ID: "northwind"}), refused: []refusal{gone(registry.ResumeVendor{ID: "v3"})}},
	"vendor.offboard": {allowed: act(registry.OffboardVendor{ID: "northwind"}), refused: []refusal{gone(registry.OffboardVendor{ID: "v3"})}},

	"assessment.record": {allowed: act(registry.RecordAssessment{ID: "s2", Vendor: "northwind", Verdict: snapshot.Fail, DecidedAt: noon, ValidUntil: year}), refused: []refusal{
		bad("verdict", registry.RecordAssessment{Vendor: "northwind", Verdict: "passed", DecidedAt: noon, ValidUntil: year}),
		bad("decided_at", registry.RecordAssessment{Vendor: "northwind", Verdict: "pass", DecidedAt: year, ValidUntil: year}),
		bad("valid_until", registry.RecordAssessment{Vendor: "northwind", Verdict: "pass", DecidedAt: noon, ValidUntil: noon})}},
	"certification.record": {allowed: act(cert2), refused: []refusal{
		bad("type", with(cert2, func(a *registry.RecordCertification) { a.Type = "ISO27002" })),
		bad("issued_at", with(cert2, func(a *registry.RecordCertification) { a.IssuedAt = time.Time{} })),
		bad("expires_at", with(cert2, func(a *registry.RecordCertification) { a.ExpiresAt = noon.AddDate(2, 0, 2) })),
		bad("period_end", registry.RecordCertification{Vendor: "northwind", Type: "SOC2_T2", PeriodStart: noon.AddDate(0, -2, 0), PeriodEnd: noon, ExpiresAt: year, Particulars: registrytest.SOC2()}),
		bad("soa_version", with(cert2, func(a *registry.RecordCertification) { a.SoAVersion = "" })),
		bad("criteria[0]", with(cert2, func(a *registry.RecordCertification) { a.Criteria = []string{"safety"} })),
		bad("opinion", with(cert2, func(a *registry.RecordCertification) { a.Opinion = "good" })),
		bad("carve_outs[0]", with(cert2, func(a *registry.RecordCertification) { a.CarveOuts = []id.Vendor{"nobody"} })),
		bad("bridge.by", with(cert2, func(a *registry.RecordCertification) { a.Bridge = &snapshot.BridgeLetter{} })),
		bad("last_surveillance", with(cert2, func(a *registry.RecordCertification) { a.LastSurveillance = year })),
		bad("fingerprint", with(cert2, func(a *registry.RecordCertification) { a.Fingerprint = []uint32{1} }))}},
	"certification.verify": {before: by("ada", cert2), allowed: act(registry.VerifyCertification{ID: "c2", How: "issuer-portal", Against: "trust.example.com"}), refused: []refusal{
		bad("how", registry.VerifyCertification{ID: "c2", How: "looked"}), bad("against", registry.VerifyCertification{ID: "c2", How: "report-read"}),
		bad("against", registry.VerifyCertification{ID: "c2", How: "issuer-portal", Against: "https://trust.example.com/?token=1"}), gone(registry.VerifyCertification{ID: "c3"}),
		{act(registry.VerifyCertification{ID: "northwind-soc2", How: "issuer-portal"}), "id", problem.Conflict}}},
	"certification.revoke": {allowed: act(registry.RevokeCertification{ID: "northwind-soc2"}), refused: []refusal{gone(registry.RevokeCertification{ID: "c3"})}},

	"document.put": {allowed: act(doc2), refused: []refusal{
		bad("sha256", with(doc2, func(a *registry.PutDocument) { a.Content = []byte("owt") })),
		bad("content", with(doc2, func(a *registry.PutDocument) { a.Content = nil })),
		bad("size", with(doc2, func(a *registry.PutDocument) { a.Size = 1 }))}},
	"agreement.draft": {allowed: act(paper2), refused: []refusal{
		bad("kind", with(paper2, func(a *registry.DraftAgreement) { a.Kind = "bba" })),
		bad("subcontractor", with(paper2, func(a *registry.DraftAgreement) { a.Subcontractor = "northwind" })),
		bad("document_sha256", with(paper2, func(a *registry.DraftAgreement) { a.Document = "" })),
		bad("ends_at", with(paper2, func(a *registry.DraftAgreement) { a.EndsAt = noon })),
		bad("permitted_uses[0].clause", with(paper2, func(a *registry.DraftAgreement) {
			a.PermittedUses = []snapshot.PermittedUse{{Purpose: hipaa.Evaluation, DataClasses: hipaa.DataClasses}}
		}))}},
	"agreement.amend": {allowed: act(registry.AmendAgreement(with(paper2, func(a *registry.DraftAgreement) { a.ID = "northwind-contract" }))),
		refused: []refusal{gone(registry.AmendAgreement(paper2)), {act(registry.AmendAgreement(with(paper2, func(a *registry.DraftAgreement) { a.ID = "northwind-baa" }))), "kind", problem.Conflict}},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("northwind-contract")
			return want(a.State == snapshot.Proposed && len(a.Signatures) == 0, "an amended paper kept its approval or signatures")
		}},
	"agreement.sign": {before: by("ada", paper2), allowed: act(registry.SignAgreement{ID: "a2", Party: snapshot.VendorParty, Signer: "S", At: noon}), refused: []refusal{
		gone(registry.SignAgreement{ID: "a3"}), bad("party", registry.SignAgreement{ID: "a2", Party: snapshot.SubcontractorParty, Signer: "S", At: noon}),
		bad("at", registry.SignAgreement{ID: "a2", Party: snapshot.VendorParty, Signer: "S", At: year}),
		{act(registry.SignAgreement{ID: "northwind-baa", Party: snapshot.VendorParty, Signer: "S", At: noon}), "party", problem.Conflict}}},
	"agreement.approve": {before: by("ada", paper2), allowed: act(registry.ApproveAgreement{ID: "a2"}), refused: []refusal{gone(registry.ApproveAgreement{ID: "a3"}), wrongState(registry.ApproveAgreement{ID: "northwind-baa"})}},
	"agreement.suspend": {allowed: act(registry.SuspendAgreement{ID: "northwind-baa"}), refused: []refusal{gone(registry.SuspendAgreement{ID: "a3"})}},
	"agreement.resume": {before: by("ada", registry.SuspendAgreement{ID: "northwind-baa"}), allowed: act(registry.ResumeAgreement{ID: "northwind-baa"}),
		refused: []refusal{gone(registry.ResumeAgreement{ID: "a3"}), wrongState(registry.ResumeAgreement{ID: "northwind-contract"})}},
	"agreement.terminate": {allowed: act(registry.TerminateAgreement{ID: "northwind-baa"}), refused: []refusal{gone(registry.TerminateAgreement{ID: "a3"})},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("northwind-baa")
			return want(a.State == snapshot.Ended && a.TerminatedAt.Equal(noon), "it is not terminated")
		}},

	"engagement.propose": {allowed: act(engage2), refused: []refusal{
		bad("agreements[0]", with(engage2, func(a *registry.ProposeEngagement) { a.Agreements = []id.Agreement{"northwind-ba"} })),
		bad("sources[0]", with(engage2, func(a *registry.ProposeEngagement) { a.Sources = []id.Source{"her"} })),
		bad("basis_document_sha256", with(engage2, func(a *registry.ProposeEngagement) { a.Basis = hipaa.Waiver })),
		bad("regions", with(engage2, func(a *registry.ProposeEngagement) { a.Regions = nil })),
		bad("workload.kind", engage2with("e2", &snapshot.WorkloadDemand{Keys: []string{build2.key}})),
		bad("workload.keys", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage})),
		bad("workload.keys[0]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{"key"}})),
		bad("workload.keys[1]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{build2.key, build2.key}})),
		bad("workload.builders", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{build2.key}})),
		bad("workload.builders", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{build2.key}, Builders: []string{builder2}})),
		bad("workload.sources[0]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{build2.key}, Builders: []string{builder2}, Sources: []string{"git.northwind.example"}})),
		bad("workload.images[0]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{build2.key}, Images: []string{"latest"}})),
		bad("regions[0]", with(engage2, func(a *registry.ProposeEngagement) { a.Regions = []string{"us"} })),
		bad("ends_at", with(engage2, func(a *registry.ProposeEngagement) {
			a.StartsAt, a.EndsAt = noon.AddDate(-2, 0, 0), noon.AddDate(-1, 0, 0)
		}))}},
	"engagement.amend":   {allowed: act(registry.AmendEngagement(with(engage2, func(a *registry.ProposeEngagement) { a.ID = "triage-eval" }))), refused: []refusal{gone(registry.AmendEngagement(engage2))}},
	"engagement.approve": {before: by("ada", engage2), allowed: act(registry.ApproveEngagement{ID: "e2"}), refused: []refusal{gone(registry.ApproveEngagement{ID: "e3"})}},
	"engagement.end":     {allowed: act(registry.EndEngagement{ID: "triage-eval"}), refused: []refusal{gone(registry.EndEngagement{ID: "e3"})}},

	"determination.record": {allowed: act(expert2), refused: []refusal{
		bad("engagement", with(expert2, func(a *registry.RecordDetermination) { a.Engagement = "triage-evil" })),
		bad("profile", with(expert2, func(a *registry.RecordDetermination) { a.Profile = "expert" })),
		bad("profile", with(expert2, func(a *registry.RecordDetermination) { a.Profile = "safe-harbor" })), // needs none
		bad("profile_sha256", with(expert2, func(a *registry.RecordDetermination) { a.Profile256 = "" })),
		bad("expert", with(expert2, func(a *registry.RecordDetermination) { a.Expert = " " })),
		bad("document_sha256", with(expert2, func(a *registry.RecordDetermination) { a.Document = "" })),
		bad("determined_at", with(expert2, func(a *registry.RecordDetermination) { a.DeterminedAt = noon.Add(time.Second) })),
		bad("valid_until", with(expert2, func(a *registry.RecordDetermination) { a.ValidUntil = time.Time{} })),
		bad("valid_until", with(expert2, func(a *registry.RecordDetermination) {
			a.DeterminedAt, a.ValidUntil = noon.AddDate(-2, 0, 0), noon.AddDate(-1, 0, 0)
		})),
		{act(with(expert2, func(a *registry.RecordDetermination) { a.ID = "-" })), "id", problem.Invalid}},
		then: func(v *snapshot.View) string {
			d, _ := v.Determinations.Get("x2")
			return want(d.State == snapshot.Proposed && len(v.DeterminationsOf("triage-eval")) == 1, "it counts before another person approved it, or is not found by its engagement")
		}},
	"determination.approve": {before: by("ada", expert2), allowed: act(registry.ApproveDetermination{ID: "x2"}), refused: []refusal{gone(registry.ApproveDetermination{ID: "x3"})}},
	"determination.revoke": {before: by("ada", expert2), allowed: act(registry.RevokeDetermination{ID: "x2"}), refused: []refusal{gone(registry.RevokeDetermination{ID: "x3"})},
		then: func(v *snapshot.View) string {
			d, _ := v.Determinations.Get("x2")
			return want(d.State == snapshot.Ended, "it is not revoked")
		}},

	"person.propose": {allowed: act(person2), refused: []refusal{
		bad("classification", with(person2, func(a *registry.ProposePerson) { a.Classification = "staff" })),
		bad("duties", with(person2, func(a *registry.ProposePerson) { a.Duties = []registry.Duty{registry.Operator} })),
		bad("duties", with(person2, func(a *registry.ProposePerson) {
			a.Vendor, a.Duties = "", []registry.Duty{registry.Operator, registry.Auditor}
		})),
		{act(with(person2, func(a *registry.ProposePerson) { a.Vendor, a.Key256 = "", registrytest.Key("ada") })), "key_sha256", problem.Conflict}}},
	"person.amend": {allowed: act(registry.AmendPerson{ID: "lin", Name: "Lin", Classification: hipaa.BusinessAssociate, Basis: "employee of the vendor", Region: "CA"}), refused: []refusal{
		gone(registry.AmendPerson{ID: "p3"}), bad("name", registry.AmendPerson{ID: "lin"}), bad("classification", registry.AmendPerson{ID: "lin", Name: "L"}),
		bad("region", registry.AmendPerson{ID: "lin", Name: "L", Classification: hipaa.BusinessAssociate, Basis: "b", Region: "x"}),
		{act(registry.AmendPerson{ID: "grace", Name: "G", Classification: hipaa.Workforce, Basis: "b"}), "", problem.Refused}},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("lin")
			return want(p.State == snapshot.Proposed && p.Region == "CA", "a new region holds without approval")
		}},
	"person.link-directory": {before: by("ada", scim2, person2, idp2), allowed: act(registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "scim2", UserName: "lin@northwind.example"}}), refused: []refusal{
		gone(registry.LinkDirectory{ID: "p3"}), bad("directory.connector", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "none", UserName: "l"}}),
		bad("directory.connector", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "idp2", UserName: "l"}}),
		bad("directory.connector", registry.LinkDirectory{ID: "ada", Directory: snapshot.Directory{Connector: "scim2", UserName: "a"}}),
		bad("directory.user_name", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "scim2"}})},
		then: func(v *snapshot.View) string {
			ps := v.PersonsOfDirectory("scim2")
			return want(len(ps) == 1 && ps[0].ID == "lin" && ps[0].State == snapshot.Approved, "the directory does not know the person")
		}},
	"person.approve":    {before: by("ada", person2), allowed: act(registry.ApprovePerson{ID: "p2"}), refused: []refusal{gone(registry.ApprovePerson{ID: "p3"}), wrongState(registry.ApprovePerson{ID: "lin"})}},
	"person.deactivate": {allowed: act(registry.DeactivatePerson{ID: "ada"}), refused: []refusal{gone(registry.DeactivatePerson{ID: "p3"})}},
	"person.amend-duties": {allowed: act(registry.AmendDuties{ID: "ada", Duties: []registry.Duty{registry.Operator}}), refused: []refusal{
		gone(registry.AmendDuties{ID: "p3"}), bad("duties[0]", registry.AmendDuties{ID: "ada", Duties: []registry.Duty{"opreator"}}),
		{act(registry.AmendDuties{ID: "lin"}), "id", problem.Conflict}, {act(registry.AmendDuties{ID: "grace"}), "", problem.Refused}}},
	"person.register-key": {allowed: act(registry.RegisterPersonKey{ID: "ada", Key256: registrytest.Key("new")}), refused: []refusal{
		gone(registry.RegisterPersonKey{ID: "p3"}), {act(registry.RegisterPersonKey{ID: "ada", Key256: registrytest.Key("grace")}), "key_sha256", problem.Conflict}},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("ada")
			return want(p.State == snapshot.Proposed, "a key put in by another person holds without approval")
		}},

	"person.suspend": {allowed: act(registry.SuspendPerson{ID: "lin"}), refused: []refusal{gone(registry.SuspendPerson{ID: "p3"})}},
	"person.resume": {before: by("ada", registry.SuspendPerson{ID: "lin"}), allowed: act(registry.ResumePerson{ID: "lin"}), refused: []refusal{
		gone(registry.ResumePerson{ID: "p3"}), wrongState(registry.ResumePerson{ID: "ada"})},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("lin")
			return want(p.State == snapshot.Approved && len(p.SuspendedBy) == 0 && p.ApprovedBy == "grace", "the person is not as before")
		}},
	"person.link-login": {before: by("ada", idp2, registry.RegisterConnector{ID: "own", Kind: snapshot.OIDCProvider, Name: "Ours", Issuer: "https://login.example", ClientID: "s"}),
		allowed: act(registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp2", Subject: "00u1"}}), refused: []refusal{
			gone(registry.LinkLogin{ID: "p3"}), bad("login.connector", registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp3", Subject: "1"}}),
			bad("login.connector", registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "own", Subject: "1"}}),
			bad("login.connector", registry.LinkLogin{ID: "ada", Login: snapshot.Login{Connector: "idp2", Subject: "1"}}),
			bad("login.subject", registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp2"}})},
		then: func(v *snapshot.View) string {
			p, ok := v.PersonByLogin(snapshot.Login{Connector: "idp2", Subject: "00u1"})
			return want(ok && p.ID == "lin" && p.State == snapshot.Proposed, "a login put in by another holds without approval, or is not found")
		}},
	"person.invite": {allowed: act(invite2), refused: []refusal{
		gone(with(invite2, func(a *registry.InvitePerson) { a.ID = "p3" })),
		bad("code_sha256", with(invite2, func(a *registry.InvitePerson) { a.Code256 = "code" })),
		bad("expires_at", with(invite2, func(a *registry.InvitePerson) { a.ExpiresAt = noon })),
		bad("expires_at", with(invite2, func(a *registry.InvitePerson) { a.ExpiresAt = noon.AddDate(0, 0, 8) }))},
		then: func(v *snapshot.View) string {
			p, _ := v.Persons.Get("lin")
			return want(p.State == snapshot.Approved && p.Invitation.By == "grace" && p.Invitation.Open(noon) && !p.Invitation.Open(noon.Add(time.Hour)), "the invitation is not open for its time")
		}},
	"person.add-passkey": {allowed: act(passkey2), refused: []refusal{
		bad("passkey.id", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.ID = nil })),
		bad("passkey.public_key", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.PublicKey = nil })),
		bad("passkey.aaguid", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.AAGUID = []byte("x") })),
		bad("passkey.added_at", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.AddedAt = noon })),
		bad("passkey.fingerprint", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.Fingerprint = "AAAA" })),
		{act(with(passkey2, func(a *registry.AddPasskey) { a.Invitation256 = strings.Repeat("cd", 32) })), "invitation_sha256", problem.Conflict}},
		then: func(v *snapshot.View) string {
			p, ok := v.PersonByPasskey([]byte("credential"))
			return want(ok && p.ID == "grace" && p.Passkeys[0].AddedAt.Equal(noon), "the passkey is not the person's")
		}},
	"person.remove-passkey": {before: by("grace", passkey2, session2), allowed: act(registry.RemovePasskey{ID: "grace", Credential: []byte("credential")}), refused: []refusal{
		gone(registry.RemovePasskey{ID: "p3"}), {act(registry.RemovePasskey{ID: "grace", Credential: []byte("other")}), "credential", problem.Conflict}},
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s2")
			return want(!s.EndedAt.IsZero(), "the session that it began goes on")
		}},
	"session.start": {allowed: act(session2), refused: []refusal{
		bad("secret_sha256", with(session2, func(a *registry.StartSession) { a.Secret256 = "x" })),
		bad("expires_at", with(session2, func(a *registry.StartSession) { a.ExpiresAt = noon.Add(9 * time.Hour) })),
		bad("method", with(session2, func(a *registry.StartSession) { a.Method = "password" })),
		bad("strong", with(session2, func(a *registry.StartSession) { a.Method = snapshot.ByCertificate })),
		bad("connector", with(session2, func(a *registry.StartSession) { a.Connector = "idp2" })),
		bad("connector", with(session2, func(a *registry.StartSession) { a.Method, a.Strong, a.Connector = snapshot.ByOIDC, false, "idp2" })),
		{act(with(session2, func(a *registry.StartSession) { a.Credential = []byte("credential") })), "credential", problem.Conflict},
		bad("sign_count", with(session2, func(a *registry.StartSession) { a.SignCount = 1 })),
		bad("client", with(session2, func(a *registry.StartSession) { a.Client = "a\nb" }))}},
	"session.step-up": {before: by("grace", with(session2, func(a *registry.StartSession) { a.Method, a.Strong = snapshot.ByCertificate, false })), allowed: act(registry.StepUpSession{ID: "s2"}), refused: []refusal{gone(registry.StepUpSession{ID: "s3"})}},
	"session.see":     {before: by("grace", session2), allowed: act(registry.SeeSession{ID: "s2"}), refused: []refusal{gone(registry.SeeSession{ID: "s3"})}},
	"session.end":     {before: by("grace", session2), allowed: act(registry.EndSession{ID: "s2"}), refused: []refusal{gone(registry.EndSession{ID: "s3"})}},
	"session.kill":    {before: by("grace", session2), allowed: act(registry.KillSession{ID: "s2"}), refused: []refusal{gone(registry.KillSession{ID: "s3"})}},
	"connector.register": {before: by("ada", vendor2, idp2), allowed: act(scim2), refused: []refusal{
		bad("kind", with(scim2, func(a *registry.RegisterConnector) { a.Kind = "ldap" })),
		bad("token_sha256", with(scim2, func(a *registry.RegisterConnector) { a.Token256 = "" })),
		bad("issuer", with(scim2, func(a *registry.RegisterConnector) { a.Issuer = "https://x.example" })),
		bad("issuer", with(idp2, func(a *registry.RegisterConnector) { a.ID, a.Issuer = "idp3", "http://login.example" })),
		bad("client_id", with(idp2, func(a *registry.RegisterConnector) { a.ID, a.ClientID = "idp3", "" })),
		bad("vendor", with(keysrv2, func(a *registry.RegisterConnector) { a.Vendor = "" })),
		bad("pins_sha256", with(idp2, func(a *registry.RegisterConnector) { a.ID, a.Pins = "idp3", []snapshot.KeyDigest{"x"} })),
		bad("pins_sha256[0]", with(keysrv2, func(a *registry.RegisterConnector) { a.Pins = []snapshot.KeyDigest{"x"} })),
		bad("keys", with(keysrv2, func(a *registry.RegisterConnector) { a.Keys = keys2 })),
		bad("anchors", with(udap2, func(a *registry.RegisterConnector) { a.Anchors = "x" })),
		bad("anchors", with(udap2, func(a *registry.RegisterConnector) { a.Anchors += "x" })),
		bad("owner", with(udap2, func(a *registry.RegisterConnector) { a.Owner = "ada" })),
		bad("token_sha256", with(udap2, func(a *registry.RegisterConnector) { a.Token256 = strings.Repeat("ab", 32) })),
		{act(with(idp2, func(a *registry.RegisterConnector) { a.ID, a.Vendor = "idp3", "v2" })), "issuer", problem.Conflict}, // pinned to northwind
		{act(with(idp2, func(a *registry.RegisterConnector) { a.ID = "idp3" })), "issuer", problem.Conflict}}},
	"connector.approve": {before: by("ada", scim2), allowed: act(registry.ApproveConnector{ID: "scim2"}), refused: []refusal{gone(registry.ApproveConnector{ID: "c3"})}},
	"connector.rotate": {before: by("grace", scim2), allowed: act(registry.RotateConnector{ID: "scim2", Token256: strings.Repeat("cd", 32)}), refused: []refusal{
		gone(registry.RotateConnector{ID: "c3"}), bad("token_sha256", registry.RotateConnector{ID: "scim2"}), bad("keys", registry.RotateConnector{ID: "scim2", Keys: keys2, Token256: strings.Repeat("cd", 32)})}},
	"connector.revoke": {before: by("ada", scim2), allowed: act(registry.RevokeConnector{ID: "scim2"}), refused: []refusal{gone(registry.RevokeConnector{ID: "c3"})}},

	"training.record": {allowed: act(training2), refused: []refusal{
		bad("score", with(training2, func(a *registry.RecordTraining) { a.Score = math.NaN() })),
		bad("person", with(training2, func(a *registry.RecordTraining) { a.Person = "linn" })),
		{act(with(training2, func(a *registry.RecordTraining) { a.Person = "grace" })), "", problem.Refused}}},
	"training.revoke": {allowed: act(registry.RevokeTraining{ID: "lin-2026"}), refused: []refusal{gone(registry.RevokeTraining{ID: "t3"})}},

	"device.enroll": {allowed: act(device2), refused: []refusal{
		{act(with(device2, func(a *registry.EnrollDevice) { a.Key256 = registrytest.Key("northwind-gpu-1") })), "key_sha256", problem.Conflict},
		bad("region", with(device2, func(a *registry.EnrollDevice) { a.Region = "USA" })),
		bad("key_sha256", with(device2, func(a *registry.EnrollDevice) { a.Key256 = "" })), // neither
		bad("key_sha256", with(pod2, func(a *registry.EnrollDevice) { a.Key256 = registrytest.Key("d2") })),
		bad("key_store", with(pod2, func(a *registry.EnrollDevice) { a.KeyStore = snapshot.InTPM })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://v2.example/triage" })), // another vendor's domain
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://fabrikam.example/triage" })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://prod.northwind.example" })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "spiffe://prod.northwind.example/a/../b" })),
		bad("spiffe_id", with(pod2, func(a *registry.EnrollDevice) { a.SPIFFE = "SPIFFE://prod.northwind.example/a" })),
		bad("owner", with(device2, func(a *registry.EnrollDevice) { a.Owner = "ada" }))}},
	"workload.attest": {before: by("ada", vendor2, proven2, engage2with("e3", nil), registry.EnrollDevice{ID: "d3", Vendor: "v2", Key256: registrytest.Key("d3"), Region: "US"}), allowed: act(attest2), refused: []refusal{
		bad("device", with(attest2, func(a *registry.AttestWorkload) { a.Device = "northwind-gpu-2" })),
		bad("engagement", with(attest2, func(a *registry.AttestWorkload) { a.Device = "d3" })),
		bad("engagement", with(attest2, func(a *registry.AttestWorkload) { a.Engagement = "e4" })),
		{act(with(attest2, func(a *registry.AttestWorkload) { a.Engagement = "e3" })), "engagement", problem.Conflict},
		bad("image", with(attest2, func(a *registry.AttestWorkload) { a.Image = "registry.example/triage:latest" })),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) { a.Image = strings.Repeat("2c", 32) })),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) { a.Bundle = nil })),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) { a.Bundle = build2.image(image2) })), // no provenance
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = otherBuild.provenance(image2, builder2, "https://git.northwind.example/ml/triage")
		})),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = build2.provenance(image2, "https://laptop.example", "https://git.northwind.example/ml/triage")
		})),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = build2.provenance(image2, builder2, "https://git.northwind.example/mlx")
		})),
		bad("bundle", with(attest2, func(a *registry.AttestWorkload) {
			a.Bundle = json.RawMessage(strings.Repeat(" ", 300<<10) + string(a.Bundle))
		})),
		bad("expires_at", with(attest2, func(a *registry.AttestWorkload) { a.ExpiresAt = noon })),
		bad("expires_at", with(attest2, func(a *registry.AttestWorkload) { a.ExpiresAt = year }))},
		then: func(v *snapshot.View) string {
			e, _ := v.Engagements.Get("e2")
			list := v.AttestationsOf("northwind-gpu-1")
			if len(list) != 1 {
				return "the attestation is not found by its device"
			}
			r := list[0]
			return want(r.Image256 == image2 && r.Demand256 == e.Workload.Digest() && r.Builder == builder2 && r.Source == "https://git.northwind.example/ml/triage" &&
				r.Location == "US" && r.LocationBy == "declared" && r.DeclaredBy == "grace" && r.At.Equal(noon) && len(r.Key256) == 64 && len(r.Statement256) == 64, fmt.Sprintf("got %+v", *r))
		}},
	"workload.revoke": {before: by("grace", proven2, attest2), allowed: act(registry.RevokeAttestation{ID: "w2"}), refused: []refusal{gone(registry.RevokeAttestation{ID: "w3"})}},
	"vendor.screen": {before: by("grace", vendor2), allowed: act(screen2), refused: []refusal{
		gone(registry.ScreenVendor{ID: "v3", Ownership: snapshot.No, Access: snapshot.No, ScreenedAt: noon, ValidUntil: year}),
		{act(with(screen2, func(a *registry.ScreenVendor) { a.ID = "v2" })), "", problem.Refused}, // Grace asked for it
		bad("ownership", with(screen2, func(a *registry.ScreenVendor) { a.Ownership = "" })),
		bad("access", with(screen2, func(a *registry.ScreenVendor) { a.Access = "unknown" })),
		bad("screened_at", with(screen2, func(a *registry.ScreenVendor) { a.ScreenedAt = year })),
		bad("screened_at", with(screen2, func(a *registry.ScreenVendor) { a.ScreenedAt = noon.AddDate(-1, 0, 0) })), // before the last
		bad("valid_until", with(screen2, func(a *registry.ScreenVendor) { a.ValidUntil = noon })),
		bad("report_sha256", with(screen2, func(a *registry.ScreenVendor) { a.Report = "x" }))},
		then: func(v *snapshot.View) string {
			w, _ := v.Vendors.Get("northwind")
			return want(w.State == snapshot.Approved && w.Screening.By == "grace" && !w.Screening.Clear() && w.Screening.Access == snapshot.Yes, "what was found is not on record")
		}},
	"device.invite": {allowed: act(machine2), refused: []refusal{
		bad("owner", with(machine2, func(a *registry.InviteDevice) { a.Owner = "ada" })),
		bad("code_sha256", with(machine2, func(a *registry.InviteDevice) { a.Code256 = "code" })),
		bad("expires_at", with(machine2, func(a *registry.InviteDevice) { a.ExpiresAt = noon })),
		bad("expires_at", with(machine2, func(a *registry.InviteDevice) { a.ExpiresAt = year })),
		{act(with(machine2, func(a *registry.InviteDevice) { a.ID, a.Owner = "northwind-gpu-1", "" })), "owner", problem.Invalid},
		{act(with(machine2, func(a *registry.InviteDevice) { a.App = "triage app" })), "app", problem.Invalid}},
		then: func(v *snapshot.View) string {
			d, _ := v.Devices.Get("d2")
			_, known := v.DeviceByKey("")
			return want(d.State == snapshot.Invited && d.Key256 == "" && d.Invitation.By == "grace" && !known, "the invitation is not noted, or a device without a key is found")
		}},
	"device.accept": {before: by("grace", machine2), allowed: act(accept2), refused: []refusal{
		gone(with(accept2, func(a *registry.AcceptInvitation) { a.ID = "d3" })),
		{act(with(accept2, func(a *registry.AcceptInvitation) { a.ID = "northwind-gpu-1" })), "code_sha256", problem.Conflict},
		{act(with(accept2, func(a *registry.AcceptInvitation) { a.Code256 = strings.Repeat("0", 64) })), "code_sha256", problem.Conflict},
		{act(with(accept2, func(a *registry.AcceptInvitation) { a.Key256 = registrytest.Key("northwind-gpu-1") })), "key_sha256", problem.Conflict},
		bad("key_sha256", with(accept2, func(a *registry.AcceptInvitation) { a.Key256 = "" })),
		bad("key_store", with(accept2, func(a *registry.AcceptInvitation) { a.KeyStore = "" })),
		bad("region", with(accept2, func(a *registry.AcceptInvitation) { a.Region = "USA" })),
		bad("seal_to[0]", with(accept2, func(a *registry.AcceptInvitation) { a.SealTo = []string{"a b"} }))},
		then: func(v *snapshot.View) string {
			d, _ := v.DeviceByKey(accept2.Key256)
			return want(d != nil && d.State == snapshot.Proposed && d.RequestedBy == "grace" && !d.Invitation.UsedAt.IsZero(), "the device does not wait for approval in the name of who invited")
		}},
	"device.approve": {before: by("ada", device2), allowed: act(registry.ApproveDevice{ID: "d2", TrustedUntil: year}), refused: []refusal{
		gone(registry.ApproveDevice{ID: "d3"}), bad("trusted_until", registry.ApproveDevice{ID: "d2"}), bad("trusted_until", registry.ApproveDevice{ID: "d2", TrustedUntil: noon.AddDate(5, 0, 0)})}},
	"device.revoke": {allowed: act(registry.RevokeDevice{ID: "northwind-gpu-1"}), refused: []refusal{gone(registry.RevokeDevice{ID: "d3"})}},

	"device.set-recipients": {allowed: act(registry.SetRecipients{ID: "northwind-gpu-1", SealTo: []string{"age1pq1x"}}), refused: []refusal{
		gone(registry.SetRecipients{ID: "d3"}), bad("seal_to[0]", registry.SetRecipients{ID: "northwind-gpu-1", SealTo: []string{"a b"}})},
		then: func(v *snapshot.View) string {
			d, _ := v.Devices.Get("northwind-gpu-1")
			return want(d.State == snapshot.Proposed, "keys put in by another hold without approval")
		}},
	"posture.report": {allowed: act(posture2), refused: []refusal{
		bad("device", with(posture2, func(a *registry.ReportPosture) { a.Device = "d3" })),
		bad("source", with(posture2, func(a *registry.ReportPosture) { a.Source = snapshot.FromFleet })),
		bad("firewall", with(posture2, func(a *registry.ReportPosture) { a.Firewall = "" })),
		bad("update_age_days", with(posture2, func(a *registry.ReportPosture) { a.UpdateAge = -2 })),
		bad("os", with(posture2, func(a *registry.ReportPosture) { a.OS = "" }))}},

	"session.authorize-app": {before: notebook(), allowed: act(let2), refused: []refusal{
		gone(with(let2, func(a *registry.AuthorizeApp) { a.ID = "s9" })),
		bad("code_challenge", with(let2, func(a *registry.AuthorizeApp) { a.Challenge = "plain" })),
		bad("redirect_uri", with(let2, func(a *registry.AuthorizeApp) { a.Redirect = "http://127.0.0.1:4711/callback2" })),
		bad("redirect_uri", with(let2, func(a *registry.AuthorizeApp) { a.Redirect = "https://app.northwind.example:444/cb" })),
		bad("app", with(let2, func(a *registry.AuthorizeApp) { a.App = "x9" })),
		bad("device", with(let2, func(a *registry.AuthorizeApp) { a.Device = "d9" })),
		{act(with(let2, func(a *registry.AuthorizeApp) { a.Grant = "triage-grant" })), "grant", problem.Conflict}}, // another application's
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s3")
			x, ok := s.Authorization("z1")
			return want(ok && !x.Live() && x.CodeUntil.Equal(noon.Add(registry.CodeLife)), "it counts before its code was brought")
		}},
	"session.redeem-code": {before: notebook(let2), allowed: act(redeem2), refused: []refusal{
		gone(registry.RedeemCode{ID: "s9", Authorization: "z1"}), bad("authorization", registry.RedeemCode{ID: "s3", Authorization: "z9"})},
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s3")
			x, _ := s.Authorization("z1")
			return want(x.Live() && x.Generation == 1, "it does not count, or has no refresh token")
		}},
	"session.refresh-app": {before: notebook(let2, redeem2), allowed: act(registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 1}), refused: []refusal{
		gone(registry.RefreshAuthorization{ID: "s9", Authorization: "z1", Generation: 1}), bad("authorization", registry.RefreshAuthorization{ID: "s3", Authorization: "z9", Generation: 1}),
		{act(registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 2}), "generation", problem.Conflict},
		{act(registry.RefreshAuthorization{ID: "s3", Authorization: "z1"}), "generation", problem.Conflict}}},
	"session.revoke-app": {before: notebook(let2, redeem2), allowed: act(registry.RevokeAuthorization{ID: "s3", Authorization: "z1", Cause: registry.EndRevoked}), refused: []refusal{
		gone(registry.RevokeAuthorization{ID: "s9", Authorization: "z1", Cause: registry.EndRevoked}),
		bad("cause", registry.RevokeAuthorization{ID: "s3", Authorization: "z1", Cause: "bored"})},
		then: func(v *snapshot.View) string {
			s, _ := v.Sessions.Get("s3")
			x, _ := s.Authorization("z1")
			return want(!x.Live() && s.EndedAt.IsZero(), "it counts still, or the session ended with it")
		}},

	"app.register": {before: func(w *world) {
		for _, c := range []registry.RegisterConnector{keysrv2, udap2, idp2} {
			w.must("ada", c)
			w.must("eve", registry.ApproveConnector{ID: c.ID})
		}
	}, allowed: act(app2), refused: []refusal{
		bad("keys", with(note2, func(a *registry.RegisterApp) { a.Keys = keys2 })),
		bad("kind", with(note2, func(a *registry.RegisterApp) { a.Kind = snapshot.Workload })),
		bad("redirect_uris", with(note2, func(a *registry.RegisterApp) { a.Redirects = nil })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"http://app.example/cb"} })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"http://localhost/cb"} })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"https://app.example/cb#x"} })),
		bad("redirect_uris[0]", with(note2, func(a *registry.RegisterApp) { a.Redirects = []string{"https://a@app.example/cb"} })),
		bad("token_binding", with(app2, func(a *registry.RegisterApp) { a.TokenBinding = "none" })),
		bad("keys", with(kept2, func(a *registry.RegisterApp) { a.Keys = keys2 })),
		bad("keys_from", with(kept2, func(a *registry.RegisterApp) { a.KeysFrom = "idp2" })),
		bad("keys_from", with(app2, func(a *registry.RegisterApp) { a.KeysFrom = "udap2" })),
		bad("keys_from", with(kept2, func(a *registry.RegisterApp) { a.KeysFrom = "c9" })),
		bad("keys", with(app2, func(a *registry.RegisterApp) { a.Keys = nil })),
		bad("owner", with(app2, func(a *registry.RegisterApp) { a.Owner = "ada" }))}},
	"app.approve": {before: by("ada", app2), allowed: act(registry.ApproveApp{ID: "x2"}), refused: []refusal{gone(registry.ApproveApp{ID: "x3"}),
		{func(w *world) registry.Act { // somebody must answer for an agent
			w.must("ada", person2)
			w.must("ada", with(app2, func(a *registry.RegisterApp) { a.ID, a.Owner = "x4", "p2" }))
			return registry.ApproveApp{ID: "x4"}
		}, "owner", problem.Conflict}}},
	"app.rotate-keys": {allowed: act(registry.RotateAppKeys{ID: "triage", Keys: keys2}), refused: []refusal{gone(registry.RotateAppKeys{ID: "x3"}), bad("keys", registry.RotateAppKeys{ID: "triage"})},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("triage")
			return want(a.State == snapshot.Proposed, "a key put in by one person holds without approval")
		}},
	"app.offer-keys": {before: keyServer(), allowed: act(registry.OfferAppKeys{ID: "x4", Keys: keys2}), refused: []refusal{
		gone(registry.OfferAppKeys{ID: "x9"}), bad("keys.keys[0].k", registry.OfferAppKeys{ID: "x4", Keys: json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)}),
		{act(registry.OfferAppKeys{ID: "triage", Keys: keys2}), "id", problem.Conflict}},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("x4")
			return want(len(a.Keys) == 0 && len(a.PendingKeys) > 0, "a key that was only published counts")
		}},
	"app.approve-keys": {before: keyServer(registry.OfferAppKeys{ID: "x4", Keys: keys2}), allowed: act(registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(keys2)}}), refused: []refusal{
		gone(registry.ApproveAppKeys{ID: "x9"}), bad("thumbprints", registry.ApproveAppKeys{ID: "x4"}), bad("thumbprints[0]", registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{"x"}})},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("x4")
			return want(len(a.Keys) > 0 && len(a.PendingKeys) == 0, "the key does not count")
		}},
	"app.revoke-token": {allowed: act(registry.RevokeToken{ID: "triage", Token: "t1", Until: noon.Add(time.Minute)}), refused: []refusal{
		gone(registry.RevokeToken{ID: "x9", Token: "t1", Until: noon.Add(time.Minute)}),
		bad("token", registry.RevokeToken{ID: "triage", Until: noon.Add(time.Minute)}),
		bad("until", registry.RevokeToken{ID: "triage", Token: "t1"}),
		bad("until", registry.RevokeToken{ID: "triage", Token: "t1", Until: noon.Add(2 * time.Hour)}),
		bad("until", registry.RevokeToken{ID: "triage", Token: "t1", Until: noon})},
		then: func(v *snapshot.View) string {
			a, _ := v.Apps.Get("triage")
			return want(!a.Accepts("t1", noon) && a.Accepts("t2", noon), "the token counts, or another does not")
		}},
	"app.revoke": {allowed: act(registry.RevokeApp{ID: "triage"}), refused: []refusal{gone(registry.RevokeApp{ID: "x3"})}},

	"role.define": {allowed: act(role2), refused: []refusal{
		bad("resources.Pateint", with(role2, func(a *registry.DefineRole) { a.Resources = map[string]snapshot.ResourceScope{"Pateint": {}} })),
		bad("resources.Patient.elements[0]", with(role2, func(a *registry.DefineRole) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"name.famly"}}}
		})),
		bad("resources.Patient.interactions[0]", with(role2, func(a *registry.DefineRole) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"search"}, Elements: []string{"name"}}}
		})),
		bad("max_page_size", with(role2, func(a *registry.DefineRole) { a.MaxPageSize = 0 })),
		bad("profile", with(role2, func(a *registry.DefineRole) { a.Profile = "minimum" })),
		bad("profile", with(role2, func(a *registry.DefineRole) { a.Profile = "" })),
		bad("dates", with(role2, func(a *registry.DefineRole) { a.Dates = "" }))}},
	"role.approve": {before: by("ada", role2), allowed: act(registry.ApproveRole{ID: "r2"}), refused: []refusal{gone(registry.ApproveRole{ID: "r3"})}},
	"role.retire":  {allowed: act(registry.RetireRole{ID: "triage-reader"}), refused: []refusal{gone(registry.RetireRole{ID: "r3"})}},

	"grant.request": {allowed: act(grant2), refused: []refusal{
		bad("max_patients", with(grant2, func(a *registry.RequestGrant) { a.MaxPatients = 0 })),
		bad("max_daily_bytes", with(grant2, func(a *registry.RequestGrant) { a.MaxDailyBytes = -1 })),
		bad("devices", with(grant2, func(a *registry.RequestGrant) { a.Devices = nil })),
		bad("person", with(grant2, func(a *registry.RequestGrant) { a.Person = "ada" })),
		bad("ends_at", with(grant2, func(a *registry.RequestGrant) { a.EndsAt = noon.AddDate(2, 0, 0) })),
		bad("starts_at", with(grant2, func(a *registry.RequestGrant) { a.StartsAt = noon.AddDate(0, 0, -1) })),
		bad("cohort.kind", with(grant2, func(a *registry.RequestGrant) { a.Cohort = snapshot.Cohort{} })),
		bad("cohort.ref", with(grant2, func(a *registry.RequestGrant) {
			a.Cohort = snapshot.Cohort{Kind: snapshot.CohortSearch, Ref: "Observation?code=1"}
		})),
		bad("cohort.digest_sha256", with(grant2, func(a *registry.RequestGrant) { a.Cohort = snapshot.Cohort{Kind: snapshot.CohortList, Ref: "l"} })),
		bad("labels[0]", with(grant2, func(a *registry.RequestGrant) { a.Labels = []string{"PSY"} }))}},
	"grant.approve": {before: by("ada", grant2), allowed: act(registry.ApproveGrant{ID: "g2"}), refused: []refusal{gone(registry.ApproveGrant{ID: "g3"}), wrongState(registry.ApproveGrant{ID: "triage-grant"})},
		then: func(v *snapshot.View) string {
			rs := v.ReviewsOf("g2")
			return want(len(rs) == 1 && rs[0].DueAt.Equal(noon.Add(registrytest.Settings().ReviewEvery)), "no review is set")
		}},
	"grant.revoke": {allowed: act(registry.RevokeGrant{ID: "triage-grant"}), refused: []refusal{gone(registry.RevokeGrant{ID: "g3"})}},
	"review.complete": {allowed: func(w *world) registry.Act { return registry.CompleteReview{ID: w.review(), Outcome: snapshot.Keep} },
		refused: []refusal{gone(registry.CompleteReview{ID: "w3"}), {func(w *world) registry.Act { return registry.CompleteReview{ID: w.review()} }, "outcome", problem.Invalid}},
		then: func(v *snapshot.View) string {
			return want(len(v.ReviewsOf("triage-grant")) == 2, "keeping set no next review")
		}},
	"role.offer": {allowed: act(registry.OfferRole{ID: "triage-reader", OfferedTo: []id.Engagement{"triage-eval"}}), refused: []refusal{
		gone(registry.OfferRole{ID: "r3"}), bad("offered_to[0]", registry.OfferRole{ID: "triage-reader", OfferedTo: []id.Engagement{"e9"}})},
		then: func(v *snapshot.View) string {
			r, _ := v.Roles.Get("triage-reader")
			return want(r.State == snapshot.Approved && slices.Equal(registry.RolesFor(v, "triage-eval"), []id.Role{"triage-reader"}), "offering closed the role, or its people cannot ask for it")
		}},
	"request.make": {allowed: act(ask2), refused: []refusal{
		bad("engagement", with(ask2, func(a *registry.MakeRequest) { a.Engagement = "triage-evil" })),
		bad("person", with(ask2, func(a *registry.MakeRequest) { a.Person = "ada" })),
		bad("app", with(ask2, func(a *registry.MakeRequest) { a.App = "trriage" })),
		bad("devices", with(ask2, func(a *registry.MakeRequest) { a.Devices = nil })),
		bad("devices[0]", with(ask2, func(a *registry.MakeRequest) { a.Devices = []id.Device{"none"} })),
		bad("role", with(ask2, func(a *registry.MakeRequest) { a.Role = "other" })),
		bad("resources.Immunization", with(ask2, func(a *registry.MakeRequest) {
			a.Resources = map[string]snapshot.ResourceScope{"Immunization": {Interactions: []string{"read"}, Elements: []string{"status"}}}
		})),
		bad("resources.Patient.elements[0]", with(ask2, func(a *registry.MakeRequest) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"name.family"}}}
		})),
		bad("resources.Patient.interactions", with(ask2, func(a *registry.MakeRequest) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Elements: []string{"gender"}}}
		})),
		bad("cohort.kind", with(ask2, func(a *registry.MakeRequest) { a.Cohort.Kind = "" })),
		bad("max_patients", with(ask2, func(a *registry.MakeRequest) { a.MaxPatients = 0 })),
		bad("max_daily_bytes", with(ask2, func(a *registry.MakeRequest) { a.MaxDailyBytes = 0 })),
		bad("life_minutes", with(ask2, func(a *registry.MakeRequest) { a.Life = 0 })),
		bad("life_minutes", with(ask2, func(a *registry.MakeRequest) { a.Life = 90*24*60 + 1 })),
		bad("life_minutes", with(lift2, func(a *registry.MakeRequest) { a.Life = 8*60 + 1 })),
		bad("elevates", with(lift2, func(a *registry.MakeRequest) {
			a.Elevates = "none"
			a.Engagement, a.App, a.Devices, a.Cohort = ask2.Engagement, ask2.App, ask2.Devices, ask2.Cohort
		})),
		bad("ticket", with(lift2, func(a *registry.MakeRequest) { a.Ticket = "" })),
		bad("ticket", with(lift2, func(a *registry.MakeRequest) { a.Ticket = "call Bob" })),
		bad("why", with(ask2, func(a *registry.MakeRequest) { a.Why = " " }))}},
	"request.approve": {before: by("ada", ask2), allowed: act(registry.ApproveRequest{ID: "q2", Life: 30}), refused: []refusal{
		gone(registry.ApproveRequest{ID: "q3"}), bad("life_minutes", registry.ApproveRequest{ID: "q2", Life: 61}),
		bad("max_patients", registry.ApproveRequest{ID: "q2", MaxPatients: 1 << 30}), bad("max_daily_bytes", registry.ApproveRequest{ID: "q2", MaxDailyBytes: 1 << 60}),
		bad("resources.Observation", registry.ApproveRequest{ID: "q2", Resources: map[string]snapshot.ResourceScope{"Observation": {Elements: []string{"code"}}}}),
		bad("resources.Patient.elements[0]", registry.ApproveRequest{ID: "q2", Resources: map[string]snapshot.ResourceScope{"Patient": {Elements: []string{"active"}}}})},
		then: func(v *snapshot.View) string {
			g, ok := v.Grants.Get("request-q2")
			r, _ := v.Roles.Get("request-q2")
			q, _ := v.Requests.Get("q2")
			return want(ok && g.State == snapshot.Approved && g.EndsAt.Equal(noon.Add(30*time.Minute)) && g.Role == "request-q2" && r.DerivedFrom == "triage-reader" &&
				len(r.Resources) == 1 && q.Stage == snapshot.RequestApproved && q.Grant == g.ID && len(v.ReviewsOf(g.ID)) == 1, "no grant of half an hour, with the part of the role that was asked for and its first review")
		}},
	"request.deny":     {before: by("ada", ask2), allowed: act(registry.DenyRequest{ID: "q2"}), refused: []refusal{gone(registry.DenyRequest{ID: "q3"})}},
	"request.withdraw": {before: by("ada", ask2), allowed: act(registry.WithdrawRequest{ID: "q2"}), refused: []refusal{gone(registry.WithdrawRequest{ID: "q3"})}},
	"request.lapse": {before: func(w *world) { w.must("ada", ask2); w.now = noon.AddDate(0, 0, 14) }, allowed: act(registry.LapseRequest{ID: "q2"}),
		refused: []refusal{gone(registry.LapseRequest{ID: "q3"})}},
	"grant.end-early": {allowed: act(registry.EndGrantEarly{ID: "triage-grant"}), refused: []refusal{gone(registry.EndGrantEarly{ID: "g3"})},
		then: func(v *snapshot.View) string {
			g, _ := v.Grants.Get("triage-grant")
			return want(g.State == snapshot.Ended && g.EndedBy == "grace" && g.EndedAt.Equal(noon), "it goes on, or nobody ended it")
		}},
	"review.open": {allowed: func(w *world) registry.Act { return registry.OpenReview{ID: w.review()} }, refused: []refusal{gone(registry.OpenReview{ID: "w3"})}},
	"review.lapse": {before: func(w *world) { w.now = noon.AddDate(0, 0, 120) }, allowed: func(w *world) registry.Act { return registry.LapseReview{ID: w.review()} },
		refused: []refusal{gone(registry.LapseReview{ID: "w3"})},
		then: func(v *snapshot.View) string {
			g, _ := v.Grants.Get("triage-grant")
			return want(g.State == snapshot.Ended, "the grant goes on")
		}},
	"campaign.open": {allowed: act(campaign2), refused: []refusal{
		bad("title", with(campaign2, func(a *registry.OpenCampaign) { a.Title = "" })), bad("vendor", with(campaign2, func(a *registry.OpenCampaign) { a.Vendor = "north" })),
		bad("engagement", with(campaign2, func(a *registry.OpenCampaign) { a.Engagement = "e9" })), bad("due_at", with(campaign2, func(a *registry.OpenCampaign) { a.DueAt = noon }))},
		then: func(v *snapshot.View) string {
			rs := v.ReviewsOf("triage-grant")
			return want(len(rs) == 1 && rs[0].Campaign == "k2" && rs[0].DueAt.Equal(campaign2.DueAt), "the grant's review is not part of it, or not brought forward")
		}},
	"campaign.begin": {before: func(w *world) {
		s := w.view.Settings
		s.Access.CampaignEvery = 24 * time.Hour
		w.view = w.view.WithSettings(s)
	}, allowed: act(registry.BeginCampaign{ID: "reviews-2026-06-01"}), refused: []refusal{
		{act(registry.BeginCampaign{ID: "reviews-2026-06-02"}), "id", problem.Conflict}}},
	"campaign.close": {before: by("eve", campaign2, registry.RevokeGrant{ID: "triage-grant"}), allowed: act(registry.CloseCampaign{ID: "k2"}), refused: []refusal{gone(registry.CloseCampaign{ID: "k3"})}},
	"emergency.report": {allowed: act(glass2), refused: []refusal{
		bad("source", with(glass2, func(a *registry.ReportEmergency) { a.Source = "her" })), bad("why", with(glass2, func(a *registry.ReportEmergency) { a.Why = "" })),
		bad("used_at", with(glass2, func(a *registry.ReportEmergency) { a.UsedAt = noon.Add(time.Second) })), bad("person", with(glass2, func(a *registry.ReportEmergency) { a.Person = "lin" })),
		bad("staff", with(glass2, func(a *registry.ReportEmergency) { a.Person, a.Staff = "eve", "nurse-17" })), bad("staff", with(glass2, func(a *registry.ReportEmergency) { a.Staff = "Nurse Joy" }))},
		then: func(v *snapshot.View) string {
			x, _ := v.Emergencies.Get("y2")
			return want(x.Person == "grace" && x.DueAt.Equal(noon.AddDate(0, 0, 1)) && !x.Overdue(noon) && x.Overdue(x.DueAt), "nobody used it, or it is not due in a day")
		}},
	"emergency.review": {before: by("eve", glass2), allowed: act(registry.ReviewEmergency{ID: "y2", Justified: true}), refused: []refusal{gone(registry.ReviewEmergency{ID: "y3"})}},
	"hold.place": {allowed: act(hold2), refused: []refusal{
		bad("on.noun", with(hold2, func(a *registry.PlaceHold) { a.On.Noun = snapshot.NounRole })),
		bad("on.id", with(hold2, func(a *registry.PlaceHold) { a.On.ID = "nortwind" })),
		bad("cause", with(hold2, func(a *registry.PlaceHold) { a.Cause = "why" }))}},
	"hold.lift": {before: by("ada", hold2), allowed: act(registry.LiftHold{ID: "h2"}), refused: []refusal{gone(registry.LiftHold{ID: "h3"})}},

	"key.rotate": {allowed: act(registry.RotateKey{ID: "triage-eval", Codes: true}), refused: []refusal{gone(registry.RotateKey{ID: "triage-eval2"}),
		bad("id", registry.RotateKey{})},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(k.Rotations == 1 && k.CodeRotations == 1 && k.RotatedAt.Equal(noon), "it was not counted")
		}},
	"key.request-destruction": {before: by("ada", registry.EndEngagement{ID: "triage-eval"}), allowed: act(registry.RequestKeyDestruction{ID: "triage-eval"}),
		refused: []refusal{gone(registry.RequestKeyDestruction{ID: "triage-eval2"}),
			{func(w *world) registry.Act { // an engagement that goes on
				w.must("ada", with(engage2, func(a *registry.ProposeEngagement) { a.ID = "e9" }))
				return registry.RequestKeyDestruction{ID: "e9"}
			}, "id", problem.Conflict}},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(!k.Ordered() && k.Destruction.RequestedBy == "grace", "a request is an order")
		}},
	"key.approve-destruction": {before: by("ada", registry.EndEngagement{ID: "triage-eval"}, registry.RequestKeyDestruction{ID: "triage-eval"}),
		allowed: act(registry.ApproveKeyDestruction{ID: "triage-eval"}), refused: []refusal{gone(registry.ApproveKeyDestruction{ID: "triage-eval2"}),
			{func(w *world) registry.Act { // a legal hold keeps it
				w.must("eve", registry.PlaceHold{ID: "keep", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldLegal})
				return registry.ApproveKeyDestruction{ID: "triage-eval"}
			}, "id", problem.Conflict},
			{func(w *world) registry.Act {
				w.must("ada", registry.LiftHold{ID: "keep"})
				return registry.ApproveKeyDestruction{ID: "triage-eval2"}
			}, "id", problem.NotFound}},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(!k.Ordered() && len(k.Destruction.Approvals) == 1, "one approval was an order")
		}},
	"key.withdraw-destruction": {before: by("ada", registry.EndEngagement{ID: "triage-eval"}, registry.RequestKeyDestruction{ID: "triage-eval"}),
		allowed: act(registry.WithdrawKeyDestruction{ID: "triage-eval"}), refused: []refusal{gone(registry.WithdrawKeyDestruction{ID: "triage-eval2"})},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(k.Destruction == nil, "the request is still there")
		}},
	"key.rotate-root": {allowed: act(registry.RotateRootKey{Root: "00112233aabbccdd", Kind: "service"}), refused: []refusal{
		bad("root", registry.RotateRootKey{Root: "00112233AABBCCDD", Kind: "file"}),
		bad("root", registry.RotateRootKey{Root: "0011", Kind: "file"}),
		bad("kind", registry.RotateRootKey{Root: "00112233aabbccdd"})}},
	"key.backup-root": {allowed: act(registry.BackUpRootKey{Root: "00112233aabbccdd", Shares: 5, Threshold: 3}), refused: []refusal{
		bad("root", registry.BackUpRootKey{Shares: 5, Threshold: 3}),
		bad("threshold", registry.BackUpRootKey{Root: "00112233aabbccdd", Shares: 5, Threshold: 1}),
		bad("threshold", registry.BackUpRootKey{Root: "00112233aabbccdd", Shares: 2, Threshold: 3})}},
	"key.backup-store": {allowed: act(registry.BackUpKeyStore{Generation: 1, SHA256: strings.Repeat("0f", 32)}), refused: []refusal{
		bad("generation", registry.BackUpKeyStore{SHA256: strings.Repeat("0f", 32)}),
		bad("sha256", registry.BackUpKeyStore{Generation: 1})}},

	"patient.hold": {allowed: act(patient2), refused: []refusal{
		bad("source", with(patient2, func(a *registry.HoldPatient) { a.Source = "her" })),
		bad("patient", with(patient2, func(a *registry.HoldPatient) { a.Patient = "patient-1" })),              // an id
		bad("patient", with(patient2, func(a *registry.HoldPatient) { a.Patient = "-_0123456789abcdefghij" })), // 22 characters, and not of 16 bytes
		bad("patient", with(patient2, func(a *registry.HoldPatient) { a.Patient = "-_0123456789.bcdefghig" })),
		bad("hold", with(patient2, func(a *registry.HoldPatient) { a.Hold = "no" }))}},
	"patient.release": {allowed: act(registry.ReleasePatient(patient2)), refused: []refusal{
		bad("patient", registry.ReleasePatient{Source: "ehr", Hold: registry.OptOut}),
		bad("hold", registry.ReleasePatient{Source: "ehr", Patient: patient2.Patient})}},
	"code.reveal": {allowed: act(code2), refused: []refusal{
		bad("engagement", with(code2, func(a *registry.RevealCode) { a.Engagement = "triage-eval2" })),
		bad("code", with(code2, func(a *registry.RevealCode) { a.Code = "patient-1" })), // an id
		bad("code", with(code2, func(a *registry.RevealCode) { a.Code = "" })),
		bad("code", with(code2, func(a *registry.RevealCode) { a.Code = strings.Repeat(" ", 33) }))}},
	"cohort.define": {allowed: act(cohort2), refused: []refusal{
		bad("id", with(cohort2, func(a *registry.DefineCohort) { a.ID = "-" })),
		bad("source", with(cohort2, func(a *registry.DefineCohort) { a.Source = "" })),
		bad("digest_sha256", with(cohort2, func(a *registry.DefineCohort) { a.Digest = "sha256:" + a.Digest })),
		bad("patients", with(cohort2, func(a *registry.DefineCohort) { a.Patients = 0 }))}},
}

// again are acts of the workflows that can be done again: they replace what is
// known.
var again = map[registry.Kind]bool{"device.approve": true, "incident.amend-facts": true, "incident.count-affected": true, "incident.assess": true, "incident.describe": true}

// notes are acts that change no record: they say what is done beside the registry.
var notes = []registry.Kind{"key.rotate-root", "key.backup-root", "key.backup-store"}

func worldFor(t *testing.T, k registry.Kind) *world {
	if strings.HasPrefix(string(k), "organisation.") {
		return empty(t)
	}
	return demoWorld(t)
}

func TestEveryActIsAllowedAndRefused(t *testing.T) {
	if len(scenarios) != len(registry.Acts) {
		t.Errorf("%d scenarios for %d acts", len(scenarios), len(registry.Acts))
	}
	for _, spec := range registry.Acts {
		t.Run(string(spec.Name), func(t *testing.T) {
			s, ok := scenarios[spec.Name]
			if !ok || len(s.refused) == 0 {
				t.Fatal("no scenario that allows it and one that refuses it")
			}
			w := worldFor(t, spec.Name)
			if s.before != nil {
				s.before(w)
			}
			for i, r := range s.refused {
				a := r.act(w)
				if got, _ := registry.SpecOf(a); got.Name != spec.Name {
					t.Fatalf("refusal %d is of %s", i, got.Name)
				}
				p := problem.From(w.do("grace", a))
				if p.Kind != r.kind || r.field != "" && p.Field != r.field || p.Kind != problem.Refused && p.NextStep == "" {
					t.Errorf("refusal %d: got %s of field %q (%v), want %s of %q", i, p.Kind, p.Field, p, r.kind, r.field)
				}
			}
			before := dump(t, w.view)
			a := s.allowed(w)
			if err := w.do("grace", a); err != nil {
				t.Fatalf("allowed: %v", err)
			}
			if spec.Name != "document.put" && !slices.Contains(notes, spec.Name) && !spec.Custody() && dump(t, w.view) == before {
				t.Error("the act changed nothing")
			}
			if s.then != nil {
				if wrong := s.then(w.view); wrong != "" {
					t.Error(wrong)
				}
			}
			if !spec.Custody() && !slices.Contains(notes, spec.Name) && !slices.Contains(repeatable, spec.Verb) && !again[spec.Name] {
				if err := w.do("grace", a); err == nil {
					t.Error("the act was allowed twice")
				}
			}
		})
	}
}

// repeatable are the verbs of acts that may be done twice: what they write down is
// the newest word.
var repeatable = []string{
	"answer",
	"profile",
	"link-directory",
	"read-lesson",
	"do-drill",
	"answer",
	"assign-training",
	"place",
	"record",
	"put",
	"define",
	"amend",
	"invite",
	"amend-duties",
	"rotate-keys",
	"rotate",
	"register-key",
	"link-login",
	"set-recipients",
	"step-up",
	"screen",
	"report",
	"record-inventory",
	"attest",
	"record-check",
}

func TestTheTableIsWhole(t *testing.T) {
	paths, names := map[string]bool{}, map[registry.Kind]bool{}
	for _, s := range registry.Acts {
		if s.Name != registry.Kind(s.Noun+"."+s.Verb) || s.Summary == "" || len(s.Duties) == 0 || slices.Contains(s.Duties, registry.Auditor) {
			t.Errorf("%s: the row is wrong: %+v", s.Name, s)
		}
		if paths[s.Path] || names[s.Name] {
			t.Errorf("%s: its path or name stands there twice", s.Name)
		}
		paths[s.Path], names[s.Name] = true, true
		for _, d := range s.Duties {
			if !slices.Contains(registry.Duties, d) {
				t.Errorf("%s: no duty %q", s.Name, d)
			}
		}
		if got, ok := registry.SpecOf(s.New()); !ok || got.Name != s.Name {
			t.Errorf("%s: its type leads to %+v", s.Name, got)
		}
		raw, err := json.Marshal(s.New())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s.Path, "{id}") && !strings.Contains(string(raw), `"id":`) {
			t.Errorf("%s: the path has an id and the act has none", s.Name)
		}
	}
}

// Whoever asked, recorded, placed or gains cannot decide; another can.
func TestSeparationOfDuties(t *testing.T) {
	tested := map[registry.Kind]bool{}
	for _, spec := range registry.Acts {
		decides := spec.Verb == "approve" || slices.Contains([]registry.Kind{"certification.verify", "hold.lift", "review.complete", "person.amend-duties", "training.record", "assessment.record", "assessment.accept-risk", "assessment.meet-condition", "finding.accept", "key.approve-destruction"}, spec.Name)
		if !decides {
			continue
		}
		tested[spec.Name] = true
		t.Run(string(spec.Name), func(t *testing.T) {
			s := scenarios[spec.Name]
			w := demoWorld(t)
			if s.before != nil {
				s.before(w) // done by Ada
			}
			a := s.allowed(w)
			asker := id.Person("ada")
			if spec.Name == "training.record" {
				a = with(training2, func(a *registry.RecordTraining) { a.Person = "ada" })
			}
			if err := w.do(asker, a); !refusedBy(err, "separation-of-duties") {
				t.Errorf("by whoever asked: got %v, want a refusal by separation-of-duties", err)
			}
			for _, who := range []id.Person{"otto", "lin", "nobody", ""} {
				if err := w.do(who, a); problem.From(err).Kind != problem.Refused {
					t.Errorf("by %q: got %v, want a refusal", who, err)
				}
			}
			if err := w.do("eve", a); err != nil {
				t.Errorf("by another: %v", err)
			}
		})
	}
	if len(tested) < 14 {
		t.Errorf("only %d acts decide", len(tested))
	}
}

func refusedBy(err error, gate string) bool {
	p := problem.From(err)
	return p.Kind == problem.Refused && slices.ContainsFunc(p.Reasons, func(r problem.Reason) bool { return r.Gate == gate && r.NextStep != "" })
}

// Every act needs one of its duties: with all others it is refused.
func TestEveryActNeedsItsDuty(t *testing.T) {
	for _, spec := range registry.Acts {
		if spec.Name == "organisation.bootstrap" {
			continue // on an empty registry nobody has a duty
		}
		w := demoWorld(t)
		var others []registry.Duty
		for _, d := range registry.Duties {
			if !slices.Contains(spec.Duties, d) && d != registry.Auditor {
				others = append(others, d)
			}
		}
		w.must("grace", registry.AmendDuties{ID: "eve", Duties: others})
		err := registry.Authorize(w.engine, w.view, registry.Actor{Person: "eve"}, spec.New(), w.now)
		if !refusedBy(err, "duty") && len(spec.Duties) < 5 {
			t.Errorf("%s without its duties: got %v", spec.Name, err)
		}
		if err := registry.Authorize(w.engine, w.view, registry.Actor{Person: "otto"}, spec.New(), w.now); !refusedBy(err, "auditor-reads-only") {
			t.Errorf("%s by the auditor: got %v", spec.Name, err)
		}
	}
}

// A stand-in who was approved for little does not get more from who made them.
func TestAStandInGetsNoDutiesFromItsMaker(t *testing.T) {
	w := demoWorld(t)
	all := registry.Duties[:5]
	w.must("ada", registry.ProposePerson{ID: "sid", Name: "Sid", Classification: hipaa.Workforce, Basis: "employee",
		Duties: []registry.Duty{registry.Procurement}, Key256: registrytest.Key("sid")})
	w.must("grace", registry.ApprovePerson{ID: "sid"})
	if err := w.do("ada", registry.AmendDuties{ID: "sid", Duties: all}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who proposed the person adds duties: got %v", err)
	}
	w.must("ada", registry.AmendDuties{ID: "sid"}) // less is always possible
	w.must("grace", registry.AmendDuties{ID: "sid", Duties: all})
	// The same by way of a key: who asked for it holds it.
	w.must("eve", registry.AmendDuties{ID: "sid", Duties: []registry.Duty{registry.Procurement}})
	w.must("eve", registry.RegisterPersonKey{ID: "sid", Key256: registrytest.Key("sid-2")})
	w.must("grace", registry.ApprovePerson{ID: "sid"})
	if err := w.do("eve", registry.AmendDuties{ID: "sid", Duties: all}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who asked for the person's key adds duties: got %v", err)
	}
}

// One person cannot put new keys on everybody until nobody can approve any.
func TestKeysDoNotLockEverybodyOut(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.RegisterPersonKey{ID: "grace", Key256: registrytest.Key("g2")})
	err := w.do("ada", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("e2")})
	if p := problem.From(err); p.Kind != problem.Conflict || p.Field != "id" {
		t.Errorf("got %v, want a conflict: nobody could approve it", err)
	}
	w.must("eve", registry.ApprovePerson{ID: "grace"})
	w.must("ada", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("e2")})
}

func TestAPersonOnHoldDoesNotAct(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "eve"}, Cause: snapshot.HoldIncident})
	if err := w.do("eve", vendor2); !refusedBy(err, "person-on-hold") {
		t.Errorf("got %v", err)
	}
	if err := w.do("eve", registry.LiftHold{ID: "h"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("the person lifts their own hold: got %v", err)
	}
	w.must("ada", registry.LiftHold{ID: "h"})
	w.must("eve", vendor2)
}

func TestTwoPeopleRemain(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", registry.DeactivatePerson{ID: "eve"})
	if err := w.do("grace", registry.DeactivatePerson{ID: "ada"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("got %v, want a conflict: an auditor cannot act, so one would remain", err)
	}
}

func TestATighterVendorStaysApproved(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.AmendVendor{ID: "northwind", Name: "Northwind AI, Inc.", RequiredCertifications: []string{"SOC2_T2", "PENTEST"}})
	if v, _ := w.view.Vendors.Get("northwind"); v.State != snapshot.Approved {
		t.Errorf("got %s, want approved", v.State)
	}
	w.must("ada", registry.AmendVendor{ID: "northwind", Name: "Northwind AI, Inc."})
	if v, _ := w.view.Vendors.Get("northwind"); v.State != snapshot.Proposed {
		t.Errorf("after dropping a requirement: got %s, want proposed", v.State)
	}
}

func TestAReviewThatRevokesEndsTheGrant(t *testing.T) {
	w := demoWorld(t)
	w.must("eve", registry.CompleteReview{ID: w.review(), Outcome: snapshot.Revoke})
	if g, _ := w.view.Grants.Get("triage-grant"); g.State != snapshot.Ended {
		t.Errorf("got %s, want ended", g.State)
	}
}

func TestAPersonChangesTheirOwnKeyAtOnce(t *testing.T) {
	w := demoWorld(t)
	w.must("eve", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("eve-2")})
	p, ok := w.view.PersonByKey(registrytest.Key("eve-2"))
	if !ok || p.ID != "eve" || p.State != snapshot.Approved {
		t.Errorf("got %+v", p)
	}
	if _, ok := w.view.PersonByKey(registrytest.Key("eve")); ok {
		t.Error("the old key still names a person")
	}
}
