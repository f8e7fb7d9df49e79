package hospitaltest_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// spire signs the SVIDs of northwind's trust domain.
type spire struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

const (
	domain  = "prod.northwind.example"
	podID   = "spiffe://" + domain + "/ns/ml/sa/triage-agent"
	builder = "https://build.northwind.example/hosted"
	source  = "https://git.northwind.example/ml/triage"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newSPIRE(t *testing.T, now time.Time) *spire {
	s := &spire{t: t, key: must[*ecdsa.PrivateKey](t)(identity.NewKey(256))}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"SPIRE"}}, URIs: []*url.URL{{Scheme: "spiffe", Host: domain}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	s.cert = must[*x509.Certificate](t)(x509.ParseCertificate(must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key))))
	return s
}

func (s *spire) bundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw})
}

// svid is valid for an hour, with a new key each time.
func (s *spire) svid(now time.Time) *identity.Credential {
	s.t.Helper()
	key := must[*ecdsa.PrivateKey](s.t)(identity.NewKey(256))
	template := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour),
		URIs: []*url.URL{must[*url.URL](s.t)(url.Parse(podID))}, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	der := must[[]byte](s.t)(x509.CreateCertificate(rand.Reader, template, s.cert, key.Public(), s.key))
	return must[*identity.Credential](s.t)(identity.NewCredential(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key))
}

// An agent on a workload with an SVID, on an engagement that demands provenance,
// from a network that the organisation's table knows, against a source whose
// certificate is pinned: refused by name until each stands, then served, and the
// record says what protected it, layer by layer.
func TestAnAgentOnAWorkloadProvesWhatItIs(t *testing.T) {
	t.Parallel()
	ehr := httptest.NewTLSServer(hospital.NewServer(hospital.Generate(1, 5), hospital.Options{}))
	t.Cleanup(ehr.Close)
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	ehrCert := ehr.Certificate()
	ehrPin, ehrDigest := sha256.Sum256(ehrCert.RawSubjectPublicKeyInfo), sha256.Sum256(ehrCert.Raw)
	ca := write("ehr.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ehrCert.Raw}))
	authority := newSPIRE(t, time.Now())
	bundle := write("bundle.pem", authority.bundle())
	b := hospitaltest.Start(t, hospitaltest.Options{Upstream: ehr.URL + "/fhir", Configure: func(text string) string {
		text = strings.Replace(text, "    # ca_file: ehr-ca.pem ", fmt.Sprintf("    ca_file: %q\n    pin_sha256: [%q]\n    # ", ca, hex.EncodeToString(ehrPin[:])), 1)
		text = strings.Replace(text, "require_network_region: false", "require_network_region: true", 1)
		return text + fmt.Sprintf("\nspiffe:\n  - {trust_domain: %s, vendor: northwind, bundle_file: %q}\nregions:\n  - {region: US, cidrs: [\"127.0.0.0/8\", \"::1/128\"]}\n", domain, bundle)
	}})
	b.Paper()
	if got := b.Get(question); got.Status != http.StatusOK {
		t.Fatalf("the device that is known by its key, to begin with: %s", got)
	}

	build, stranger := must[registrytest.Build](t)(registrytest.NewBuild()), must[registrytest.Build](t)(registrytest.NewBuild())
	appKey := must[*ecdsa.PrivateKey](t)(identity.NewKey(384))
	now := b.Clock.Now()
	demand := &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{must[string](t)(build.Key())}, Builders: []string{builder}, Sources: []string{"https://git.northwind.example/ml"}}
	engagement := registry.ProposeEngagement{ID: "proven", Vendor: "northwind", Agreements: []id.Agreement{hospitaltest.BAA, hospitaltest.Contract}, Basis: "operations-under-baa", Purpose: "evaluation",
		Category: "operations", Sources: []id.Source{hospitaltest.Source}, DataClass: "phi", Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(0, 6, 0), Workload: demand}
	b.Act(registrytest.Ada, engagement)
	b.Act(registrytest.Grace, registry.ApproveEngagement{ID: "proven"})
	_, err := b.People[registrytest.Ada].Act(registry.EnrollDevice{ID: "stray", Vendor: "northwind", SPIFFE: "spiffe://elsewhere.example/x", Region: "US"}, "another domain")
	if status, refused := hospitaltest.IsRefused(err); !refused || status != http.StatusBadRequest && status != http.StatusUnprocessableEntity {
		t.Errorf("a workload of a domain that is not configured: %v", err)
	}
	b.Act(registrytest.Ada, registry.EnrollDevice{ID: "triage-pod", Vendor: "northwind", SPIFFE: podID, Region: "US"})
	b.Act(registrytest.Grace, registry.ApproveDevice{ID: "triage-pod", TrustedUntil: now.AddDate(0, 3, 0)})
	b.Act(registrytest.Ada, registry.RegisterApp{ID: "triage-agent", Vendor: "northwind", Name: "Triage agent", Kind: snapshot.Agent,
		Keys: must[json.RawMessage](t)(identity.PublicKeys(appKey.Public())), Owner: registrytest.Lin})
	b.Act(registrytest.Grace, registry.ApproveApp{ID: "triage-agent"})
	b.Act(registrytest.Ada, registry.RequestGrant{ID: "agent-grant", Engagement: "proven", App: "triage-agent", Person: registrytest.Lin, Devices: []id.Device{"triage-pod"},
		Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 3, 0), MaxPatients: 100, MaxDailyBytes: 1 << 20})
	b.Act(registrytest.Grace, registry.ApproveGrant{ID: "agent-grant"})

	roots := must[*x509.CertPool](t)(identity.PoolFromFiles(b.Client.CA))
	var tokens *identity.Client
	var pod *http.Client
	rotate := func() *identity.Credential {
		svid := authority.svid(b.Clock.Now())
		hc := identity.NewHTTPClient(identity.ClientTLS(svid, roots))
		t.Cleanup(hc.CloseIdleConnections)
		pod = hc
		tokens = must[*identity.Client](t)(identity.NewClient(identity.ClientConfig{ClientID: "triage-agent", Key: appKey, TokenURL: b.Gateway + "/token",
			Resource: b.Gateway, Scope: "system/*.rs", HTTP: hc, Now: b.Clock.Now}))
		return svid
	}
	ask := func() (int, []string, string) {
		t.Helper()
		req := must[*http.Request](t)(http.NewRequest(http.MethodGet, b.Base()+question, nil))
		req.Header.Set("Accept", hospitaltest.ProblemJSON)
		resp := must[*http.Response](t)(tokens.Do(req))
		defer resp.Body.Close()
		var p struct {
			Decision string `json:"decision"`
			Reasons  []struct{ Gate, Message string }
		}
		var body bytes.Buffer
		if _, err := body.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		_ = json.Unmarshal(body.Bytes(), &p) // an answer has no reasons
		var gates []string
		for _, r := range p.Reasons {
			gates = append(gates, r.Gate)
		}
		return resp.StatusCode, gates, p.Decision
	}
	refused := func(when string, want ...string) {
		t.Helper()
		if status, gates, _ := ask(); status != http.StatusForbidden || !slices.Equal(gates, want) {
			t.Errorf("%s: got %d, refused by %v; want %v", when, status, gates, want)
		}
	}
	svid := rotate()
	refused("before anything is attested", "workload")

	image := strings.Repeat("1b", 32)
	attest := func(by id.Person, from registrytest.Build, as id.Attestation) error {
		_, err := b.People[by].Act(registry.AttestWorkload{ID: as, Device: "triage-pod", Engagement: "proven", Image: "sha256:" + image,
			Bundle: must[json.RawMessage](t)(from.Provenance(image, builder, source)), ExpiresAt: b.Clock.Now().AddDate(0, 1, 0)}, "the release of today")
		return err
	}
	if err := attest(registrytest.Ada, stranger, "a0"); err == nil {
		t.Error("provenance by a key that is not pinned was recorded")
	}
	refused("after provenance by a stranger", "workload")
	if err := attest(registrytest.Ada, build, "a1"); err != nil {
		t.Fatal(err)
	}
	if status, gates, _ := ask(); status != http.StatusOK {
		t.Fatalf("with everything: got %d, refused by %v", status, gates)
	}

	// What the log and explain say of it.
	decision := lastDecision(t, b)
	got, err := b.People[registrytest.Grace].Do(http.MethodPost, "/v1/explain", map[string]any{"decision": decision})
	if err != nil {
		t.Fatal(err)
	}
	var why struct {
		Recorded  api.Recorded `json:"recorded"`
		Permitted bool         `json:"permitted"`
	}
	if err := json.Unmarshal(got.Body, &why); err != nil || got.Status != http.StatusOK {
		t.Fatalf("explain: %s", got)
	}
	leaf := must[*x509.Certificate](t)(x509.ParseCertificate(svid.TLS().Certificate[0]))
	client := sha256.Sum256(leaf.Raw)
	l := why.Recorded.Layers
	if l.Agent != "agent" || l.TLS != "1.3" || l.KeyExchange != "X25519MLKEM768" || l.Certificate != hex.EncodeToString(client[:]) || l.TokenBinding != "mtls" ||
		l.Sealing != "none" || l.Region != "US" || l.RegionBy != string(audit.ByAddress) {
		t.Errorf("layers: got %+v", l)
	}
	if len(l.Upstream) != 1 || l.Upstream[0].TLS != "1.3" || l.Upstream[0].KeyExchange == "" || l.Upstream[0].Certificate != hex.EncodeToString(ehrDigest[:]) {
		t.Errorf("upstream: got %+v", l.Upstream)
	}
	if !why.Permitted {
		t.Errorf("judged again, it is refused: %s", got)
	}

	// The workload's certificate is replaced within the hour; its id is what counts.
	b.Advance(50 * time.Minute)
	rotate()
	if status, gates, _ := ask(); status != http.StatusOK {
		t.Errorf("with the next SVID: got %d, refused by %v", status, gates)
	}

	// What the engagement demands changes: what was attested counts no more.
	b.Act(registrytest.Ada, registry.AmendEngagement(func() registry.ProposeEngagement {
		e := engagement
		e.Workload = &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{must[string](t)(stranger.Key())}, Builders: []string{builder}, Sources: demand.Sources}
		return e
	}()))
	b.Act(registrytest.Grace, registry.ApproveEngagement{ID: "proven"})
	refused("after the pinned key changed", "workload")
	if err := attest(registrytest.Grace, stranger, "a2"); err != nil {
		t.Fatal(err)
	}
	if status, gates, _ := ask(); status != http.StatusOK {
		t.Errorf("attested again: got %d, refused by %v", status, gates)
	}
	b.Act(registrytest.Grace, registry.RevokeAttestation{ID: "a2"})
	refused("after it was revoked", "workload")

	// The workload itself may say what it runs; the signature is checked all the same.
	b.Clock.Move(11 * time.Second) // it was attested just now
	door := func(path string, body any) (int, string) {
		t.Helper()
		resp := must[*http.Response](t)(pod.Post(b.Gateway+path, "application/json", bytes.NewReader(must[[]byte](t)(json.Marshal(body)))))
		defer resp.Body.Close()
		var text bytes.Buffer
		if _, err := text.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, text.String()
	}
	own := wire.AttestRequest{Engagement: "proven", Image: "sha256:" + image, Bundle: must[json.RawMessage](t)(build.Provenance(image, builder, source)), ExpiresAt: b.Clock.Now().AddDate(0, 1, 0)}
	if status, text := door(wire.Attest, own); status != http.StatusBadRequest || !strings.Contains(text, "no pinned key signed it") {
		t.Errorf("the workload's own word with the wrong signature: got %d %s", status, text)
	}
	own.Bundle = must[json.RawMessage](t)(stranger.Provenance(image, builder, source))
	if status, text := door(wire.Attest, own); status != http.StatusOK || !strings.Contains(text, builder) {
		t.Errorf("the workload's own word: got %d %s", status, text)
	}
	if status, text := door(wire.Attest, own); status != http.StatusConflict {
		t.Errorf("at once again: got %d %s", status, text)
	}
	if status, text := door(wire.Renew, nil); status != http.StatusForbidden || strings.Contains(text, "BEGIN CERTIFICATE") {
		t.Errorf("the built-in authority renews an SVID: got %d %s", status, text)
	}
	if status, gates, _ := ask(); status != http.StatusOK {
		t.Errorf("attested by itself: got %d, refused by %v", status, gates)
	}

	// A covered person at the vendor: everything of it stops.
	b.Act(registrytest.Grace, registry.ScreenVendor{ID: "northwind", Ownership: snapshot.No, Access: snapshot.Yes, ScreenedAt: b.Clock.Now(), ValidUntil: b.Clock.Now().AddDate(1, 0, 0)})
	refused("after the screening found a covered person", "screening")
	b.Act(registrytest.Grace, registry.ScreenVendor{ID: "northwind", Ownership: snapshot.No, Access: snapshot.No, ScreenedAt: b.Clock.Now(), ValidUntil: b.Clock.Now().AddDate(1, 0, 0)})

	// The agent's owner leaves: nobody answers for it, whoever stands behind the grant.
	b.Act(registrytest.Grace, registry.DeactivatePerson{ID: registrytest.Lin})
	refused("after the agent's owner left", "person", "app")
	b.Verify()
}

// A source that shows another certificate than the pinned one is not asked, and
// the log does not say more than that it did not answer.
func TestAPinnedSource(t *testing.T) {
	t.Parallel()
	asked := 0
	inner := hospital.NewServer(hospital.Generate(1, 5), hospital.Options{})
	ehr := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; inner.ServeHTTP(w, r) }))
	ehr.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	ehr.StartTLS()
	t.Cleanup(ehr.Close)
	ca := filepath.Join(t.TempDir(), "ehr.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ehr.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	pin, wrong := sha256.Sum256(ehr.Certificate().Raw), strings.Repeat("0", 64)
	b := hospitaltest.Start(t, hospitaltest.Options{Upstream: ehr.URL + "/fhir", Configure: func(text string) string {
		return strings.Replace(text, "    # ca_file: ehr-ca.pem ", fmt.Sprintf("    ca_file: %q\n    pin_sha256: [%q]\n    # ", ca, wrong), 1)
	}})
	b.Paper()
	if got := b.Get(question); got.Status != http.StatusBadGateway || asked != 0 {
		t.Errorf("a certificate that is not pinned: got %s, and the source was asked %d times", got, asked)
	}
	b.Rewrite(func(text string) string { return strings.Replace(text, wrong, hex.EncodeToString(pin[:]), 1) })
	b.Restart()
	if got := b.Get(question); got.Status != http.StatusOK || asked == 0 {
		t.Fatalf("the pinned certificate: got %s", got)
	}
	e := b.Proved(lastOutcome(t, b))
	if o := e.Outcome; o == nil || o.Leg.TLS != "1.2" || o.Leg.Certificate != audit.Digest(pin) {
		t.Errorf("the record of the leg: %+v", e.Outcome)
	}
	if !strings.Contains(b.Log.String(), "TLS 1.2 at best") {
		t.Error("nobody was warned of TLS 1.2")
	}
}

// lastDecision is the newest decision in the request log.
func lastDecision(t *testing.T, b *hospitaltest.Box) (decision string) {
	t.Helper()
	for line := range strings.SplitSeq(b.Log.String(), "\n") {
		var rec struct{ Msg, Decision string }
		if json.Unmarshal([]byte(line), &rec) == nil && rec.Msg == "request" {
			decision = rec.Decision
		}
	}
	if decision == "" {
		t.Fatal("the request log names no decision")
	}
	return decision
}

// lastOutcome is where the newest outcome stands in the log: the last entry.
func lastOutcome(t *testing.T, b *hospitaltest.Box) uint64 {
	t.Helper()
	report := b.Verify()
	if report.Size == 0 {
		t.Fatal("the log is empty")
	}
	return report.Size - 1
}
