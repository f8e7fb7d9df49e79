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
	"math/big"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

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
