package identity

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// spireAuthority is what signs a trust domain's SVIDs.
type spireAuthority struct {
	t      testing.TB
	domain string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func mustURL(t testing.TB, s string) *url.URL { return must[*url.URL](t)(url.Parse(s)) }

func newSPIRE(t testing.TB, domain string, now time.Time) *spireAuthority {
	t.Helper()
	s := &spireAuthority{t: t, domain: domain, key: must[*ecdsa.PrivateKey](t)(NewKey(256))}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"SPIRE"}}, URIs: []*url.URL{mustURL(t, "spiffe://"+domain)},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der := must[[]byte](t)(x509.CreateCertificate(rand.Reader, template, template, s.key.Public(), s.key))
	s.cert = must[*x509.Certificate](t)(x509.ParseCertificate(der))
	return s
}

// bundle writes the authorities as go-spiffe writes a bundle.
func writeBundle(t testing.TB, file string, authorities ...*spireAuthority) {
	t.Helper()
	b := x509bundle.New(spiffeid.RequireTrustDomainFromString(authorities[0].domain))
	for _, a := range authorities {
		b.AddX509Authority(a.cert)
	}
	tmp := file + ".new"
	if err := os.WriteFile(tmp, must[[]byte](t)(b.Marshal()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, file); err != nil {
		t.Fatal(err)
	}
}

// svid issues for an hour, with a new key each time, as SPIRE does.
func (s *spireAuthority) svid(now time.Time, change func(*x509.Certificate), uris ...string) *Credential {
	s.t.Helper()
	key := must[*ecdsa.PrivateKey](s.t)(NewKey(256))
	template := &x509.Certificate{SerialNumber: must[*big.Int](s.t)(serial()), Subject: pkix.Name{Organization: []string{"SPIRE"}},
		NotBefore: now.Add(-time.Minute), NotAfter: now.Add(time.Hour), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}}
	for _, u := range uris {
		template.URIs = append(template.URIs, mustURL(s.t, u))
	}
	if change != nil {
		change(template)
	}
	der := must[[]byte](s.t)(x509.CreateCertificate(rand.Reader, template, s.cert, key.Public(), s.key))
	return must[*Credential](s.t)(NewCredential(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key))
}

// spiffeWorld is the doorway with two trust domains, one of each vendor.
type spiffeWorld struct {
	*world
	northwind, contoso *spireAuthority
	domains            *TrustDomains
	file               string // northwind's bundle
}

const (
	triageID = "spiffe://prod.northwind.example/ns/ml/sa/triage"
	rivalID  = "spiffe://contoso.example/scorer"
)

func newSPIFFEWorld(t testing.TB) *spiffeWorld {
	t.Helper()
	w := &spiffeWorld{world: newWorld(t)}
	dir := t.TempDir()
	w.northwind, w.contoso = newSPIRE(t, "prod.northwind.example", w.now()), newSPIRE(t, "contoso.example", w.now())
	w.file = filepath.Join(dir, "northwind.pem")
	writeBundle(t, w.file, w.northwind)
	writeBundle(t, filepath.Join(dir, "contoso.pem"), w.contoso)
	w.domains = must[*TrustDomains](t)(OpenTrustDomains([]TrustDomainConfig{
		{Name: "prod.northwind.example", Vendor: "northwind", BundleFile: w.file},
		{Name: "contoso.example", Vendor: "contoso", BundleFile: filepath.Join(dir, "contoso.pem")},
	}))
	w.verifier.TrustSPIFFE(w.domains)
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Device{ID: "triage-pod", Vendor: "northwind", SPIFFE: triageID, Approval: approved})
		e.Put(&snapshot.Device{ID: "rival-pod", Vendor: "contoso", SPIFFE: rivalID, Approval: approved})
		// Registered by mistake, or by guile: northwind's, under contoso's domain.
		e.Put(&snapshot.Device{ID: "mixed-pod", Vendor: "northwind", SPIFFE: "spiffe://contoso.example/mixed", Approval: approved})
	})
	return w
}

func TestASPIFFEWorkloadIsKnownByItsID(t *testing.T) {
	w := newSPIFFEWorld(t)
	svid := w.northwind.svid(w.now(), nil, triageID)
	if parsed, err := x509svid.Parse(svid.CertificatePEM(), must[[]byte](t)(keyPEM(svid))); err != nil || parsed.ID.String() != triageID {
		t.Fatalf("go-spiffe does not take it for an SVID: %v", err)
	}
	hc := w.http(svid)
	status, got := w.get(hc, w.mint(svid, nil))
	if status != 200 || got.Device != "triage-pod" || got.Vendor != "northwind" || got.App != "triage" {
		t.Fatalf("got %d %+v (%s)", status, got, w.lastReason())
	}
	if got.Transport.TokenBinding != "mtls" || len(got.Transport.CertificateSHA256) != 64 {
		t.Errorf("transport: %+v", got.Transport)
	}

	// An hour later the workload has another key. Its id is known still; the old
	// token is bound to the old certificate.
	old := w.mint(svid, nil)
	next := w.northwind.svid(w.now(), nil, triageID)
	if status, _ := w.get(w.http(next), old); status != 401 || w.lastReason() != TokenBoundElsewhere {
		t.Errorf("the old token over the new certificate: got %d, %s", status, w.lastReason())
	}
	if status, got := w.get(w.http(next), w.mint(next, nil)); status != 200 || got.Device != "triage-pod" {
		t.Errorf("after rotation: got %d %+v", status, got)
	}

	// No token outlives the certificate, and the connection does not either.
	w.advance(59*time.Minute + 30*time.Second)
	if status, _ := w.get(hc, w.mint(svid, nil)); status != 200 {
		t.Errorf("half a minute before its end: got %d", status)
	}
	w.advance(31 * time.Second)
	if status, _ := w.get(hc, w.mint(svid, nil)); status != 401 || w.lastReason() != CertificateExpired {
		t.Errorf("after its end, on the same connection: got %d, %s", status, w.lastReason())
	}
}

func keyPEM(c *Credential) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

// Everything that looks like an SVID and is none, or is another's.
func TestSPIFFEStrangers(t *testing.T) {
	w := newSPIFFEWorld(t)
	now := w.now()
	elsewhere := newSPIRE(t, "prod.northwind.example", now) // the same name, another key
	with := func(f func(*x509.Certificate)) *Credential { return w.northwind.svid(now, f, triageID) }
	named := func(uris ...string) *Credential { return w.northwind.svid(now, nil, uris...) }
	opaque := func(u *url.URL) *Credential {
		return w.northwind.svid(now, func(c *x509.Certificate) { c.URIs = []*url.URL{u} })
	}
	// The built-in authority's word is nothing for a workload's name.
	builtIn := must[*Credential](t)(w.ca.issueWithKey(&x509.Certificate{URIs: []*url.URL{mustURL(t, triageID)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, time.Hour, now))
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Device{ID: "by-key", Vendor: "northwind", Key256: builtIn.KeyDigest(), Approval: approved})
		// Both at once is neither.
		e.Put(&snapshot.Device{ID: "both", Vendor: "northwind", Key256: w.device2.KeyDigest(), SPIFFE: "spiffe://prod.northwind.example/both", Approval: approved})
	})
	keyed := named("urn:sallyport:device:by-key") // the bundle's word is nothing for a device that is known by its key
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Device{ID: "keyed", Vendor: "northwind", Key256: keyed.KeyDigest(), Approval: approved})
		e.Put(&snapshot.Person{ID: "grace", Key256: w.northwind.svid(now, nil, triageID).KeyDigest(), Approval: approved})
	})
	for name, c := range map[string]struct {
		cred *Credential
		want Reason
	}{
		"not registered":                                {named("spiffe://prod.northwind.example/other"), DeviceUnknown},
		"a longer path":                                 {named(triageID + "/x"), DeviceUnknown},
		"the path in capitals":                          {named("spiffe://prod.northwind.example/ns/ml/sa/Triage"), DeviceUnknown},
		"of a domain that is not configured":            {newSPIRE(t, "fabrikam.example", now).svid(now, nil, "spiffe://fabrikam.example/a"), SPIFFEDomainUnknown},
		"another authority of the same name":            {elsewhere.svid(now, nil, triageID), CertificateUntrusted},
		"northwind's authority names contoso's":         {named(rivalID), CertificateUntrusted},
		"contoso's authority names northwind's":         {w.contoso.svid(now, nil, triageID), CertificateUntrusted},
		"the built-in authority names northwind's":      {builtIn, CertificateUntrusted},
		"northwind's authority names a keyed device":    {keyed, CertificateUntrusted},
		"registered for northwind, of contoso's domain": {w.contoso.svid(now, nil, "spiffe://contoso.example/mixed"), SPIFFEOtherVendor},
		"registered by key and by id":                   {named("spiffe://prod.northwind.example/both"), DeviceUnknown},
		"two ids":                                       {named(triageID, "spiffe://prod.northwind.example/other"), SPIFFEInvalid},
		"the same id twice":                             {named(triageID, triageID), SPIFFEInvalid},
		"an id and a URN":                               {named("urn:sallyport:device:mac-7", triageID), SPIFFEInvalid},
		"no path":                                       {named("spiffe://prod.northwind.example"), SPIFFEInvalid},
		"a slash alone":                                 {named("spiffe://prod.northwind.example/"), SPIFFEInvalid},
		"dot segments":                                  {named("spiffe://prod.northwind.example/ns/x/../ml/sa/triage"), SPIFFEInvalid},
		"escaped dot segments":                          {named("spiffe://prod.northwind.example/ns/x/%2e%2e/ml/sa/triage"), SPIFFEInvalid},
		"an escaped letter":                             {named("spiffe://prod.northwind.example/ns/ml/sa/%74riage"), SPIFFEInvalid},
		"an empty segment":                              {named("spiffe://prod.northwind.example/ns//ml/sa/triage"), SPIFFEInvalid},
		"a slash at the end":                            {named(triageID + "/"), SPIFFEInvalid},
		"a port":                                        {named("spiffe://prod.northwind.example:443/ns/ml/sa/triage"), SPIFFEInvalid},
		"a user":                                        {named("spiffe://contoso.example@prod.northwind.example/ns/ml/sa/triage"), SPIFFEInvalid},
		"a query":                                       {named(triageID + "?x=1"), SPIFFEInvalid},
		"a fragment":                                    {named(triageID + "#x"), SPIFFEInvalid},
		"the domain in capitals":                        {named("spiffe://PROD.northwind.example/ns/ml/sa/triage"), SPIFFEInvalid},
		"the scheme in capitals":                        {opaque(&url.URL{Scheme: "SPIFFE", Host: "prod.northwind.example", Path: "/ns/ml/sa/triage"}), ""}, // see below
		"an authority's certificate": {with(func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
		}), CertificateUntrusted},
		"it may sign certificates": {with(func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }), CertificateUntrusted},
		"it may not sign at all":   {with(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }), CertificateUntrusted},
		"for servers only":         {with(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), CertificateUntrusted},
		"expired":                  {with(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }), CertificateExpired},
		"not yet":                  {with(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) }), CertificateExpired},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := w.get(w.http(c.cred), w.mint(c.cred, nil))
			if c.want == "" {
				// Go writes the scheme as it stands; RFC 3986 reads it without regard
				// to case. Whichever: it is no other workload.
				if status == 200 && got.Device != "triage-pod" {
					t.Errorf("got %+v", got)
				}
				return
			}
			if status != 401 || w.lastReason() != c.want {
				t.Errorf("got %d %s, want 401 %s", status, w.lastReason(), c.want)
			}
		})
	}
	// Contoso's own workload is contoso's, and its token no door to northwind's app.
	rival := w.contoso.svid(now, nil, rivalID)
	if status, _ := w.get(w.http(rival), w.mint(rival, nil)); status != 401 || w.lastReason() != AppVendorMismatch {
		t.Errorf("northwind's app on contoso's workload: got %d, %s", status, w.lastReason())
	}
	if status, got := w.get(w.http(rival), w.mint(rival, func(k *token) { k.app, k.grant = "rival", "" })); status != 200 || got.Vendor != "contoso" || got.Device != "rival-pod" {
		t.Errorf("contoso's workload: got %d %+v", status, got)
	}
}

// A workload is never one of the organisation's people, though its key were
// registered for one.
func TestAWorkloadIsNoPerson(t *testing.T) {
	w := newSPIFFEWorld(t)
	svid := w.northwind.svid(w.now(), nil, triageID)
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Person{ID: "grace", Key256: svid.KeyDigest(), Approval: approved})
		e.Put(&snapshot.Person{ID: "nokey", Approval: approved})
	})
	r, _ := http.NewRequest("GET", "https://x/", nil)
	r.TLS = &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{svid.leaf}}
	if _, err := w.verifier.Person(r, w.view.Load()); err == nil {
		t.Error("a workload passed for a person")
	} else if reason, _ := ReasonOf(err); reason != PersonUnknown {
		t.Errorf("got %v, want %s", reason, PersonUnknown)
	}
}

// Without trust domains an SVID is a stranger's, even if the device authorities
// vouch for it.
func TestWithoutTrustDomains(t *testing.T) {
	w := newSPIFFEWorld(t)
	w.verifier.TrustSPIFFE(nil)
	svid := w.northwind.svid(w.now(), nil, triageID)
	if status, _ := w.get(w.http(svid), w.mint(svid, nil)); status != 401 || w.lastReason() != SPIFFEDomainUnknown {
		t.Errorf("got %d, %s", status, w.lastReason())
	}
}

// A changed bundle counts at the next request, on connections that are open too.
func TestBundleReload(t *testing.T) {
	w := newSPIFFEWorld(t)
	svid := w.northwind.svid(w.now(), nil, triageID)
	hc := w.http(svid)
	good := w.mint(svid, nil)
	expect := func(when string, want Reason) {
		t.Helper()
		status, _ := w.get(hc, good)
		if want == "" && status != 200 || want != "" && (status != 401 || w.lastReason() != want) {
			t.Errorf("%s: got %d %s, want %s", when, status, w.lastReason(), want)
		}
	}
	expect("at first", "")
	next := newSPIRE(t, "prod.northwind.example", w.now())
	writeBundle(t, w.file, w.northwind, next) // a rotation of authorities overlaps
	if err := w.domains.Refresh(); err != nil {
		t.Fatal(err)
	}
	expect("with the old and the new authority", "")
	writeBundle(t, w.file, next)
	if err := w.domains.Refresh(); err != nil {
		t.Fatal(err)
	}
	expect("with the new authority alone", CertificateUntrusted)
	for name, content := range map[string]string{
		"empty": "", "not PEM": "bundle", "huge": strings.Repeat(" ", maxBundle+1),
		"a leaf":           string(svid.CertificatePEM()),
		"another domain's": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.contoso.cert.Raw})),
	} {
		writeBundle(t, w.file, w.northwind)
		if err := w.domains.Refresh(); err != nil {
			t.Fatal(err)
		}
		expect("restored", "")
		if err := os.WriteFile(w.file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		var p *problem.Problem
		if err := w.domains.Refresh(); !errors.As(err, &p) || p.Field != "spiffe.bundle_file" || p.NextStep == "" {
			t.Errorf("%s: got %v", name, err)
		}
		expect(name, SPIFFEBundleUnreadable)
	}
	if err := os.Remove(w.file); err != nil {
		t.Fatal(err)
	}
	if w.domains.Refresh() == nil {
		t.Error("a missing bundle is no error")
	}
	expect("without the file", SPIFFEBundleUnreadable)
	// Contoso's domain was not touched by any of it.
	rival := w.contoso.svid(w.now(), nil, rivalID)
	if status, _ := w.get(w.http(rival), w.mint(rival, func(k *token) { k.app, k.grant = "rival", "" })); status != 200 {
		t.Errorf("contoso's workload: got %d", status)
	}
}

func TestBundlesAreWatched(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "b.pem")
	a := newSPIRE(t, "a.example", start)
	writeBundle(t, file, a)
	domains := must[*TrustDomains](t)(OpenTrustDomains([]TrustDomainConfig{{Name: "a.example", Vendor: "a", BundleFile: file}}))
	before := domains.domains[spiffeid.RequireTrustDomainFromString("a.example")].bundle.Load()
	synctest.Test(t, func(t *testing.T) {
		done := make(chan struct{})
		go func() { defer close(done); domains.Watch(t.Context(), time.Minute, slog.New(slog.DiscardHandler)) }()
		writeBundle(t, file, a, newSPIRE(t, "a.example", start))
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if domains.domains[spiffeid.RequireTrustDomainFromString("a.example")].bundle.Load() == before {
			t.Error("the changed bundle was not taken up")
		}
	})
}

func TestTrustDomainsAreChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.pem")
	writeBundle(t, file, newSPIRE(t, "a.example", start))
	good := TrustDomainConfig{Name: "a.example", Vendor: "a", BundleFile: file}
	for name, c := range map[string]struct {
		list  []TrustDomainConfig
		field string
	}{
		"a domain of two vendors": {[]TrustDomainConfig{good, {Name: "a.example", Vendor: "b", BundleFile: file}}, "spiffe.trust_domain"},
		"with its scheme":         {[]TrustDomainConfig{{Name: "spiffe://a.example", Vendor: "a", BundleFile: file}}, "spiffe.trust_domain"},
		"in capitals":             {[]TrustDomainConfig{{Name: "A.example", Vendor: "a", BundleFile: file}}, "spiffe.trust_domain"},
		"no name":                 {[]TrustDomainConfig{{Vendor: "a", BundleFile: file}}, "spiffe.trust_domain"},
		"no vendor":               {[]TrustDomainConfig{{Name: "a.example", BundleFile: file}}, "spiffe.vendor"},
		"no file":                 {[]TrustDomainConfig{{Name: "a.example", Vendor: "a"}}, "spiffe.bundle_file"},
		"another domain's bundle": {[]TrustDomainConfig{{Name: "b.example", Vendor: id.Vendor("b"), BundleFile: file}}, "spiffe.bundle_file"},
	} {
		var p *problem.Problem
		if _, err := OpenTrustDomains(c.list); !errors.As(err, &p) || p.Field != c.field || p.NextStep == "" {
			t.Errorf("%s: got %v, want a problem with %s", name, err, c.field)
		}
	}
	if _, err := OpenTrustDomains([]TrustDomainConfig{good}); err != nil {
		t.Error(err)
	}
}

// The address is the connection's. What a caller or a proxy writes into a header
// is anybody's word.
func TestTheAddressIsTheConnections(t *testing.T) {
	for remote, want := range map[string]string{"198.51.100.7:4711": "198.51.100.7", "[2001:db8::1]:443": "2001:db8::1", "[::ffff:198.51.100.7]:1": "198.51.100.7",
		"": "invalid IP", "@": "invalid IP", "198.51.100.7": "invalid IP", "host:1": "invalid IP"} {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {"203.0.113.1"}, "Forwarded": {"for=203.0.113.1"}, "X-Real-Ip": {"203.0.113.1"}}}
		if got := addressOf(r).String(); got != want {
			t.Errorf("%q: got %s, want %s", remote, got, want)
		}
	}
	if (Caller{}).Address().IsValid() {
		t.Error("nobody has an address")
	}
}

// Whatever URI a certificate names: what passes for an SVID of a domain says so in
// the one way in which ids are written, and is of a domain that is configured.
func FuzzSPIFFEName(f *testing.F) {
	for _, s := range []string{triageID, rivalID, "spiffe://prod.northwind.example", triageID + "/..", "spiffe://prod.northwind.example:443/x", "SPIFFE://a/b",
		"spiffe://contoso.example@prod.northwind.example/x", "spiffe:%2f%2fprod.northwind.example/x", "urn:sallyport:device:x"} {
		f.Add(s)
	}
	northwind := newSPIRE(f, "prod.northwind.example", start)
	file := filepath.Join(f.TempDir(), "b.pem")
	writeBundle(f, file, northwind)
	domains := must[*TrustDomains](f)(OpenTrustDomains([]TrustDomainConfig{{Name: "prod.northwind.example", Vendor: "northwind", BundleFile: file}}))
	good := northwind.svid(start, nil, triageID).leaf
	f.Fuzz(func(t *testing.T, name string) {
		u, err := url.Parse(name)
		if err != nil {
			return
		}
		leaf := *good // its signature holds still: only the name is another, as a parser might see it
		leaf.URIs = []*url.URL{u}
		of, d, _, _, reason := domains.svid([]*x509.Certificate{&leaf}, start)
		if reason == "" && (d.vendor != "northwind" || !strings.HasPrefix(u.String(), "spiffe://prod.northwind.example/") || of.String() != u.String()) {
			t.Fatalf("%q passed as %q", name, of)
		}
		if (reason == "" || reason == CertificateUntrusted) && !isSVID(&leaf) {
			t.Fatalf("%q passed for an SVID, and would have been looked up by its key", name)
		}
	})
}

// A stream under way ends with the workload's registration, and with the bundle
// that vouched for it.
func TestWhatStopsAStreamOfAWorkload(t *testing.T) {
	w := newSPIFFEWorld(t)
	svid := w.northwind.svid(w.now(), nil, triageID)
	caller := func() Caller {
		t.Helper()
		r := must[*http.Request](t)(http.NewRequest("GET", w.base+"/fhir/Patient/1", nil))
		r.Header.Set("Authorization", "Bearer "+w.mint(svid, nil))
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{svid.leaf}}
		return must[Caller](t)(w.verifier.Caller(r, w.view.Load()))
	}
	c := caller()
	if err := c.Still(w.view.Load(), w.now()); err != nil {
		t.Fatalf("at first: %v", err)
	}
	writeBundle(t, w.file, w.northwind, newSPIRE(t, "prod.northwind.example", w.now()))
	if err := w.domains.Refresh(); err != nil {
		t.Fatal(err)
	}
	if err := c.Still(w.view.Load(), w.now()); err == nil {
		t.Error("it goes on under another bundle without being judged by it")
	}
	c = caller()
	if err := c.Still(w.view.Load(), w.now()); err != nil {
		t.Fatalf("judged by the new bundle: %v", err)
	}
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Device{ID: "triage-pod", Vendor: "contoso", SPIFFE: triageID, Approval: approved})
	})
	if err := c.Still(w.view.Load(), w.now()); err == nil {
		t.Error("it goes on though the workload is another vendor's by now")
	}
}

// What the first request of a connection costs: the chain is verified once.
func BenchmarkFirstRequestOfAConnection(b *testing.B) {
	w := newSPIFFEWorld(b)
	for name, c := range map[string]*Credential{"device": w.device, "svid": w.northwind.svid(w.now(), nil, triageID)} {
		state := &tls.ConnectionState{HandshakeComplete: true, Version: tls.VersionTLS13, PeerCertificates: []*x509.Certificate{c.leaf}}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if p := w.verifier.inspect(state, w.now()); p.refused != "" {
					b.Fatal(p.refused)
				}
			}
		})
	}
}
