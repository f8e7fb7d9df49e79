package hospitaltest_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/bench/site"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// parting is a vendor that has made and saved everything by which it can ask for
// anything.
type parting struct {
	t       *testing.T
	b       *hospitaltest.Box
	systems *hospitaltest.Systems
	launch  site.Launch
	spire   *spire
	roots   *x509.CertPool
	saved   []credential
}

// credential is something that was saved. Use says whether it opens anything; a thing of
// one use has another of its kind to show that it worked.
type credential struct {
	name   string
	use    func() (works bool, what string)
	before func() (works bool, what string) // nil: use
}

func newParting(t *testing.T) *parting {
	t.Helper()
	records := hospital.Generate(1, 5)
	pki := must[*site.PKI](t)(site.NewPKI(filepath.Join(t.TempDir(), "pki"), time.Now()))
	authority := newSPIRE(t, time.Now())
	bundle := filepath.Join(t.TempDir(), "bundle.pem")
	if err := os.WriteFile(bundle, authority.bundle(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records, People: true, Configure: func(text string) string {
		return waive("hardware_key")(text) + fmt.Sprintf("\nconnectors:\n  ca_file: %q\n  private_networks: [\"127.0.0.0/8\"]\nspiffe:\n  - {trust_domain: %s, vendor: northwind, bundle_file: %q}\n",
			filepath.Join(pki.Dir, site.CAFile), domain, bundle)
	}})
	b.Paper()
	x := &parting{t: t, b: b, spire: authority, systems: b.Systems(hospitaltest.Vendor), roots: must[*x509.CertPool](t)(identity.PoolFromFiles(b.Client.CA))}
	provider := must[*site.Provider](t)(site.NewProvider(pki, "sallyport", "00u-lin"))
	t.Cleanup(func() { provider.Close() })
	for _, c := range []registry.RegisterConnector{
		{ID: "northwind-login", Vendor: "northwind", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: provider.Issuer, ClientID: provider.ClientID},
		{ID: "northwind-lms", Vendor: "northwind", Kind: snapshot.LMS, Name: "Courses", Token256: digestHex(lmsToken)},
		{ID: "northwind-alarms", Vendor: "northwind", Kind: snapshot.AlertSender, Name: "Alarms", Token256: digestHex(alarmToken)},
	} {
		b.Act(registrytest.Ada, c)
		b.Act(registrytest.Grace, registry.ApproveConnector{ID: c.ID})
	}
	b.Act(registrytest.Ada, registry.LinkLogin{ID: registrytest.Lin, Login: snapshot.Login{Connector: "northwind-login", Subject: provider.Subject}})
	b.Act(registrytest.Grace, registry.ApprovePerson{ID: registrytest.Lin})
	x.program("notebook", registry.RegisterApp{Name: "Notebook", Kind: snapshot.Human, Public: true, Redirects: []string{redirectTo}}, hospitaltest.Engagement, hospitaltest.Device)
	x.launch = site.Launch{Gateway: b.Gateway, Pages: b.Pages, Base: b.Base(), Connector: "northwind-login", App: "notebook", Redirect: redirectTo, Scope: "user/*.rs online_access",
		Device: b.Client.Device, Roots: x.roots, Provider: pki.Pool()}
	var faults []hospital.Fault
	for _, p := range records.IDs("Patient") {
		faults = append(faults, hospital.Fault{Path: "Patient/" + p + "/$everything", Huge: 64 << 30, Rate: 16 << 20, Patient: p})
	}
	b.Hospital.Misbehave(faults...)
	fleet(t, x.systems, inOrder)
	return x
}

func digestHex(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// program registers a program of the vendor with a grant of its own, "<id>-grant".
func (x *parting) program(key id.App, a registry.RegisterApp, work id.Engagement, devices ...id.Device) {
	x.t.Helper()
	now := x.b.Clock.Now()
	a.ID, a.Vendor, a.Owner = key, "northwind", registrytest.Lin
	x.b.Act(registrytest.Ada, a)
	x.b.Act(registrytest.Grace, registry.ApproveApp{ID: key})
	x.b.Act(registrytest.Ada, registry.RequestGrant{ID: id.Grant(key + "-grant"), Engagement: work, App: key, Person: registrytest.Lin, Devices: devices,
		Role: hospitaltest.Role, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: now, EndsAt: now.AddDate(0, 3, 0), MaxPatients: 1000, MaxDailyBytes: 1 << 40})
	x.b.Act(registrytest.Grace, registry.ApproveGrant{ID: id.Grant(key + "-grant")})
}

func (x *parting) save(name string, use func() (bool, string), before ...func() (bool, string)) {
	c := credential{name: name, use: use}
	if len(before) > 0 {
		c.before = before[0]
	}
	x.saved = append(x.saved, c)
}

// over is a client with a credential; every question is on a connection of its own.
func (x *parting) over(cred *identity.Credential) *http.Client {
	hc := identity.NewHTTPClient(identity.ClientTLS(cred, x.roots))
	x.t.Cleanup(hc.CloseIdleConnections)
	return hc
}

// ask is a request whose answer of a good status is that it works.
func (x *parting) ask(hc *http.Client, method, where, kind, body string, header ...string) (bool, string) {
	req, err := http.NewRequestWithContext(x.t.Context(), method, where, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := hc.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode/100 == 2, fmt.Sprintf("%s %.300s", resp.Status, raw)
}

// token asks for a token by form, on the vendor's device.
func (x *parting) token(hc *http.Client, form url.Values) (bool, string) {
	return x.ask(hc, http.MethodPost, x.b.Gateway+"/token", "application/x-www-form-urlencoded", form.Encode())
}

// signed is a fresh assertion of a program, as a form.
func (x *parting) signed(app id.App, key *ecdsa.PrivateKey, more ...string) url.Values {
	now := x.b.Clock.Now()
	c := jwt.Claims{Issuer: string(app), Subject: string(app), Audience: jwt.Audience{x.b.Gateway + "/token"}, Expiry: jwt.NewNumericDate(now.Add(time.Minute)), IssuedAt: jwt.NewNumericDate(now), ID: rand.Text()}
	return with(url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion(x.t, key, c)}, "grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}, more...)
}

func (x *parting) link(purpose snapshot.LinkPurpose, about snapshot.Subject) string {
	x.t.Helper()
	code := signin.NewCode()
	code256, _ := signin.CodeDigest(code)
	x.b.Act(registrytest.Ada, registry.IssueLink{Vendor: "northwind", For: purpose, About: about, Contact: "privacy@northwind.example", Secret256: code256, ExpiresAt: x.b.Clock.Now().AddDate(0, 0, 30)})
	return code
}

// opens tries a code at a form of the pages, and says whether it led on.
func (x *parting) opens(path, code string) (bool, string) {
	hc := x.over(nil)
	hc.Jar, _ = cookiejar.New(nil)
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := hc.PostForm(x.b.Pages+path, url.Values{"code": {code}})
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	return resp.StatusCode < 400, resp.Status
}
