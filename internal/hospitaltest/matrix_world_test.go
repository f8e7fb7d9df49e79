package hospitaltest_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// matrix is a box with two vendors, a workload with an SVID, and spare devices and
// programs to be revoked.
type matrix struct {
	t      *testing.T
	b      *hospitaltest.Box
	second *hospitaltest.Client
	spire  *spire
	roots  *x509.CertPool
	config *server.Config
	spare  *hospitaltest.Client // an enrolled device of the first vendor that no grant names
	build  registrytest.Build
	podKey *ecdsa.PrivateKey // of the workload's program
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	x := &matrix{t: t, spire: newSPIRE(t, time.Now())}
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(bundle, x.spire.bundle(), 0o600); err != nil {
		t.Fatal(err)
	}
	x.b = hospitaltest.Start(t, hospitaltest.Options{People: true, Configure: func(text string) string {
		return text + fmt.Sprintf("\nspiffe:\n  - {trust_domain: %s, vendor: northwind, bundle_file: %q}\n", domain, bundle)
	}})
	b := x.b
	b.Paper()
	x.second = b.Second()
	x.roots = must[*x509.CertPool](t)(identity.PoolFromFiles(b.Client.CA))
	x.config = must[*server.Config](t)(server.Load(b.File))
	x.spare = b.Another("northwind-spare", hospitaltest.App, b.Client.Key)
	x.device("northwind-spare", x.spare.Device.KeyDigest(), "")
	x.build = must[registrytest.Build](t)(registrytest.NewBuild())
	x.podKey = must[*ecdsa.PrivateKey](t)(identity.NewKey(384))
	now := b.Clock.Now()
	demand := &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{must[string](t)(x.build.Key())}, Builders: []string{builder}, Sources: []string{"https://git.northwind.example/ml"}}
	b.Act(registrytest.Ada, registry.ProposeEngagement{ID: "proven", Vendor: "northwind", Agreements: []id.Agreement{hospitaltest.BAA, hospitaltest.Contract}, Basis: "operations-under-baa",
		Purpose: "evaluation", Category: "operations", Sources: []id.Source{hospitaltest.Source}, DataClass: "phi", Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(0, 6, 0), Workload: demand})
	b.Act(registrytest.Grace, registry.ApproveEngagement{ID: "proven"})
	x.device("triage-pod", "", podID)
	b.Act(registrytest.Ada, registry.RegisterApp{ID: "pod-app", Vendor: "northwind", Name: "Pod", Kind: snapshot.Workload, Keys: must[json.RawMessage](t)(identity.PublicKeys(x.podKey.Public())), Owner: registrytest.Lin})
	b.Act(registrytest.Grace, registry.ApproveApp{ID: "pod-app"})
	b.Act(registrytest.Ada, registry.RequestGrant{ID: "pod-grant", Engagement: "proven", App: "pod-app", Person: registrytest.Lin, Devices: []id.Device{"triage-pod"},
		Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 3, 0), MaxPatients: 100, MaxDailyBytes: 1 << 20})
	b.Act(registrytest.Grace, registry.ApproveGrant{ID: "pod-grant"})
	return x
}

func (x *matrix) device(key id.Device, digest snapshot.KeyDigest, spiffe string) {
	x.t.Helper()
	x.b.Act(registrytest.Ada, registry.EnrollDevice{ID: key, Vendor: "northwind", Key256: digest, SPIFFE: spiffe, Owner: registrytest.Lin, Region: "US"})
	x.b.Act(registrytest.Grace, registry.ApproveDevice{ID: key, TrustedUntil: x.b.Clock.Now().AddDate(0, 3, 0)})
}

// read asks for data on a connection of this configuration, with this token.
func (x *matrix) read(config *tls.Config, token string) (hospitaltest.Answer, error) {
	return x.send(config, http.MethodGet, x.b.Base()+question, "", "Authorization", "Bearer "+token, "Accept", hospitaltest.ProblemJSON)
}

func (x *matrix) send(config *tls.Config, method, where, body string, header ...string) (hospitaltest.Answer, error) {
	hc := identity.NewHTTPClient(config)
	defer hc.CloseIdleConnections()
	req, err := http.NewRequest(method, where, strings.NewReader(body))
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i+1] != "Bearer " {
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := hc.Do(req)
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return hospitaltest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: raw}, err
}

func (x *matrix) as(c *identity.Credential) *tls.Config { return identity.ClientTLS(c, x.roots) }

// token is a good token of the first vendor's program, bound to its device.
func (x *matrix) token() string {
	x.t.Helper()
	return must[string](x.t)(x.b.Client.Tokens.Token(x.t.Context()))
}

// ask asks for a token with this assertion on this device.
func (x *matrix) ask(device *identity.Credential, form url.Values) (hospitaltest.Answer, error) {
	form.Set("grant_type", "client_credentials")
	form.Set("scope", "system/*.rs")
	return x.send(x.as(device), http.MethodPost, x.b.Gateway+"/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// proof is an assertion of a program by a key.
func (x *matrix) proof(app id.App, key *ecdsa.PrivateKey, change func(*jwt.Claims)) url.Values {
	now := x.b.Clock.Now()
	c := jwt.Claims{Issuer: string(app), Subject: string(app), Audience: jwt.Audience{x.b.Gateway + "/token"},
		Expiry: jwt.NewNumericDate(now.Add(time.Minute)), IssuedAt: jwt.NewNumericDate(now), ID: rand.Text()}
	if change != nil {
		change(&c)
	}
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion(x.t, key, c)}}
}

// own is the first vendor's program's assertion.
func (x *matrix) own(change func(*jwt.Claims)) url.Values {
	return x.proof(hospitaltest.App, x.b.Client.Key, change)
}

// certificate is a new certificate for a key, by the installation's authority.
func (x *matrix) certificate(device id.Device, life time.Duration) *identity.Credential {
	x.t.Helper()
	csr := must[[]byte](x.t)(identity.NewRequest(x.b.Client.Device.Key()))
	cert, _, err := server.SignDevice(x.config, device, csr, life, x.b.Clock.Now())
	if err != nil {
		x.t.Fatal(err)
	}
	return must[*identity.Credential](x.t)(identity.NewCredential(cert, x.b.Client.Device.Key()))
}

// stolen shows a certificate with the key of somebody else: who copied the
// certificate has not got its key.
func (x *matrix) stolen(c *identity.Credential) (hospitaltest.Answer, error) {
	config := x.as(nil)
	cert := c.TLS()
	cert.PrivateKey = must[*ecdsa.PrivateKey](x.t)(identity.NewKey(256))
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }
	return x.read(config, x.token())
}

// replayed sends what a good client has sent, byte for byte, on a new connection.
func (x *matrix) replayed(c *identity.Credential) (hospitaltest.Answer, error) {
	var mu sync.Mutex
	var sent bytes.Buffer
	hc := identity.NewHTTPClient(x.as(c))
	hc.Transport.(*http.Transport).DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &recorder{conn, &mu, &sent}, err
	}
	const taken = `"reason":"token-absent"` // what the log says of it before it is answered
	before := len(x.b.Log.String())
	resp, err := hc.Get(x.b.Base() + question)
	if err != nil {
		return hospitaltest.Answer{}, fmt.Errorf("recording: %w", err)
	}
	resp.Body.Close()
	hc.CloseIdleConnections()
	from := len(x.b.Log.String())
	if !strings.Contains(x.b.Log.String()[before:from], taken) {
		return hospitaltest.Answer{}, errors.New("the log does not tell of what was recorded")
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(x.b.Gateway, "https://"))
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	mu.Lock()
	_, err = conn.Write(sent.Bytes())
	mu.Unlock()
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	// The server answers the greeting and ends the connection: its own part of the
	// keys is another this time, so nothing after the greeting can be read.
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return hospitaltest.Answer{}, errors.New("the server keeps the connection")
	}
	if strings.Contains(x.b.Log.String()[from:], taken) {
		return hospitaltest.Answer{}, errors.New("the request was taken a second time")
	}
	return hospitaltest.Answer{}, errors.New("tls: the handshake did not stand a second time")
}

type recorder struct {
	net.Conn
	mu   *sync.Mutex
	sent *bytes.Buffer
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.sent.Write(p)
	r.mu.Unlock()
	return r.Conn.Write(p)
}

// pod reads as the workload, with this SVID.
func (x *matrix) pod(svid *identity.Credential) (hospitaltest.Answer, error) {
	hc := identity.NewHTTPClient(x.as(svid))
	defer hc.CloseIdleConnections()
	tokens, err := identity.NewClient(identity.ClientConfig{ClientID: "pod-app", Key: x.podKey, TokenURL: x.b.Gateway + "/token", Resource: x.b.Gateway, Scope: "system/*.rs", HTTP: hc, Now: x.b.Clock.Now})
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	token, err := tokens.Token(x.t.Context())
	if err != nil {
		return x.read(x.as(svid), "x.y.z") // not known: see what the door says
	}
	return x.read(x.as(svid), token)
}

func (x *matrix) attest(as id.Attestation) {
	x.t.Helper()
	image := strings.Repeat("1b", 32)
	x.b.Act(registrytest.Ada, registry.AttestWorkload{ID: as, Device: "triage-pod", Engagement: "proven", Image: "sha256:" + image,
		Bundle: must[json.RawMessage](x.t)(x.build.Provenance(image, builder, source)), ExpiresAt: x.b.Clock.Now().AddDate(0, 1, 0)})
}

// signIn signs one of the organisation's people in at the pages, by certificate, and
// gives the session's secret.
func (x *matrix) signIn(p id.Person) string {
	x.t.Helper()
	hc := identity.NewHTTPClient(x.as(x.b.People[p].Credential))
	defer hc.CloseIdleConnections()
	resp := must[*http.Response](x.t)(hc.PostForm(x.b.Pages+"/signin/certificate", url.Values{"next": {"/"}}))
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-sallyport" && c.Value != "" {
			if got, err := x.api(x.b.People[p].Credential, c.Value); err != nil || got.Status != http.StatusOK {
				x.t.Fatalf("a session that was just begun: %s, %v", got, err)
			}
			return c.Value
		}
	}
	x.t.Fatalf("signing in: %s, no session", resp.Status)
	return ""
}

// api asks the organisation's API, by a session if secret is not empty.
func (x *matrix) api(c *identity.Credential, secret string) (hospitaltest.Answer, error) {
	return x.send(x.as(c), http.MethodGet, x.b.API+"/v1/vendors", "", "Authorization", "Bearer "+secret)
}

func (x *matrix) killed(p id.Person, secret string) {
	x.t.Helper()
	got := must[hospitaltest.Answer](x.t)(x.b.People[registrytest.Grace].Do(http.MethodGet, "/v1/sessions", nil))
	var page struct {
		Items []snapshot.Session `json:"items"`
	}
	if err := json.Unmarshal(got.Body, &page); err != nil {
		x.t.Fatal(err)
	}
	for _, s := range page.Items {
		if s.Person == p && s.EndedAt.IsZero() {
			x.b.Act(registrytest.Grace, registry.KillSession{ID: s.ID})
		}
	}
}

// later sets the clock forward, past what tokens live.
func (x *matrix) later(d time.Duration) {
	x.t.Helper()
	x.b.Advance(d)
	x.b.Client.Tokens.Forget()
	x.second.Tokens.Forget()
	x.spare.Tokens.Forget()
}

// proofTwice reads with a token that is bound to a key (RFC 9449), and again with
// the same proof.
func (x *matrix) proofTwice() (hospitaltest.Answer, error) {
	prover := must[*identity.Prover](x.t)(identity.NewProver(must[*ecdsa.PrivateKey](x.t)(identity.NewKey(256))))
	hc := identity.NewHTTPClient(x.as(x.b.Client.Device))
	defer hc.CloseIdleConnections()
	var last *http.Request
	base := hc.Transport
	hc.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		if strings.HasPrefix(r.URL.Path, "/fhir/") {
			last = r.Clone(r.Context())
		}
		return base.RoundTrip(r)
	})
	tokens, err := identity.NewClient(identity.ClientConfig{ClientID: string(hospitaltest.App), Key: x.b.Client.Key, TokenURL: x.b.Gateway + "/token", Resource: x.b.Gateway, Scope: "system/*.rs", HTTP: hc, Now: x.b.Clock.Now, DPoP: prover})
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	resp, err := tokens.Do(must[*http.Request](x.t)(http.NewRequest(http.MethodGet, x.b.Base()+question, nil)))
	if err != nil {
		return hospitaltest.Answer{}, err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK || last == nil {
		return hospitaltest.Answer{}, fmt.Errorf("with a proof: %s", resp.Status)
	}
	return x.send(x.as(x.b.Client.Device), http.MethodGet, x.b.Base()+question, "", "Authorization", last.Header.Get("Authorization"), "DPoP", last.Header.Get("DPoP"))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
