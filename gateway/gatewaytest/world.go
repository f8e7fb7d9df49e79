// Package gatewaytest is a gateway in a box, and the one conformance suite that
// every protocol of the gateway must pass.
//
// The box holds real parts: certificates, tokens, policies, log, keys, vault. A
// synthetic hospital stands behind it. Only the registry is missing: tests edit
// the view.
package gatewaytest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/phi"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// Options change the box.
type Options struct {
	Records  *hospital.Records // an ordinary small hospital if nil
	Hospital hospital.Options
	// Upstream stands in for the hospital.
	Upstream http.Handler
	// Role and Grant change the world's records before it begins.
	Role  func(*snapshot.Role)
	Grant func(*snapshot.Grant)
	// FS is the audit log's file layer, for faults.
	FS func(dir string) audit.FS
	// Prefix is where the protocol is served; "/fhir" if empty.
	Prefix string
	// Scope is asked for; "system/*.rs" if empty.
	Scope string
	// Quiet logs warnings only, for benchmarks.
	Quiet bool
	// Source changes the source's configuration.
	Source func(*gateway.SourceConfig)
	// Profiles are the site's, and Text scrubs where one of them lets text stand.
	Profiles []*deid.Profile
	Text     *text.Engine
}

// World is a gateway, a hospital behind it and a vendor in front of it.
type World struct {
	// Registry is the gateway's picture of the registry.
	Registry gateway.Views

	T         testing.TB
	Records   *hospital.Records
	Hospital  *hospital.Server
	Upstream  *httptest.Server
	Gateway   *gateway.Gateway
	Log       *audit.Log
	Keys      *seal.Keyring
	Vault     *vault.Vault
	Usage     *vault.Usage
	Volume    *gateway.Volume
	Metrics   *prometheus.Registry
	Authority *identity.Authority
	Device    *identity.Credential
	AppKey    *ecdsa.PrivateKey
	Dir       string // everything that the gateway writes
	URL       string // the source's address at the gateway
	Client    *http.Client
	Tokens    *identity.Client

	base   string
	logs   lockedBuffer
	views  views
	scope  string
	server *http.Server

	canaries sync.Once
	needles  canaryNeedles
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// views is a registry that only publishes.
type views struct {
	mu      sync.Mutex
	view    *snapshot.View
	changed chan struct{}
}

// View implements gateway.Views.
func (v *views) View() *snapshot.View {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.view
}

// Changed implements gateway.Views.
func (v *views) Changed() <-chan struct{} {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.changed
}

func (v *views) publish(next *snapshot.View) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.view = next
	close(v.changed)
	v.changed = make(chan struct{})
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// Role is what the box's role shows unless Options.Role changes it.
func Role() map[string]snapshot.ResourceScope {
	all := []string{"read", "vread", "search-type", "everything"}
	return map[string]snapshot.ResourceScope{
		"Patient":     {Interactions: all, Elements: []string{"gender", "birthDate", "deceased[x]", "active"}},
		"Observation": {Interactions: all, Elements: []string{"status", "category", "code", "subject", "encounter", "effective[x]", "value[x]", "component"}},
		"Condition":   {Interactions: all, Elements: []string{"clinicalStatus", "code", "subject", "encounter", "onset[x]"}},
		"Encounter":   {Interactions: all, Elements: []string{"status", "class", "subject", "period"}},
	}
}

// New builds the box around a protocol.
func New(t testing.TB, p gateway.Protocol, o Options) *World {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "/fhir"
	}
	if o.Scope == "" {
		o.Scope = "system/*.rs"
	}
	if o.Records == nil {
		o.Records = Small()
	}
	w := &World{T: t, Records: o.Records, Dir: t.TempDir(), scope: o.Scope}
	w.views.changed = make(chan struct{})
	w.Registry = &w.views
	now := time.Now
	level := slog.LevelDebug
	if o.Quiet {
		level = slog.LevelWarn
	}
	logger := slog.New(slog.NewJSONHandler(&w.logs, &slog.HandlerOptions{Level: level}))

	w.Hospital = hospital.NewServer(o.Records, o.Hospital)
	var upstream http.Handler = w.Hospital
	if o.Upstream != nil {
		upstream = o.Upstream
	}
	w.Upstream = httptest.NewServer(upstream)
	t.Cleanup(w.Upstream.Close)

	w.Authority = must[*identity.Authority](t)(identity.CreateAuthority(filepath.Join(t.TempDir(), "ca"), "Mercy Hospital", now()))
	w.Device = must[*identity.Credential](t)(w.Authority.IssueClient(identity.DeviceSubject(gatetest.Device), 0, now()))
	w.AppKey = must[*ecdsa.PrivateKey](t)(identity.NewKey(256))

	w.openVault(t)
	w.openLog(t, o, now, logger)

	w.begin(now(), o)
	w.Usage, w.Volume = &vault.Usage{}, &gateway.Volume{}
	w.Usage.Loaded()
	w.Volume.Loaded()
	w.Metrics = prometheus.NewRegistry()

	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	base := "https://" + ln.Addr().String()
	w.base = base
	tokens := must[*identity.Tokens](t)(identity.NewTokens(base, base+o.Prefix, must[*ecdsa.PrivateKey](t)(identity.NewKey(256))))
	verifier := must[*identity.Verifier](t)(identity.NewVerifier(w.Authority.Pool(), tokens, now, 0))
	replays := must[*identity.Replays](t)(identity.OpenReplays(filepath.Join(t.TempDir(), "replays"), now()))
	t.Cleanup(func() { replays.Close() })
	endpoint := must[*identity.TokenEndpoint](t)(identity.NewTokenEndpoint(identity.TokenEndpointConfig{
		URL: base + "/token", Verifier: verifier, View: w.views.View, Replays: replays, Log: logger}))

	upstreamBase := w.Upstream.URL + "/fhir"
	config := gateway.SourceConfig{ID: gatetest.Source, BaseURL: upstreamBase, Logger: logger}
	if o.Source != nil {
		o.Source(&config)
	}
	source := must[*gateway.Source](t)(gateway.NewSource(config))
	engine := must[*policy.Engine](t)(policy.New(gate.All, nil))
	w.Gateway = must[*gateway.Gateway](t)(gateway.New(gateway.Config{
		Views: &w.views, Verifier: verifier, Policy: engine, Log: w.Log, Keys: w.Keys, Vault: w.Vault,
		Usage: w.Usage, Volume: w.Volume, Profiles: o.Profiles, Text: o.Text, Sources: []*gateway.Source{source}, Public: base,
		Logger: logger, Metrics: w.Metrics, Now: now}))
	t.Cleanup(w.Gateway.Close)

	// No ServeMux: it redirects paths that it finds unclean, and a path that is
	// not as it should be is for the protocol to refuse.
	protocol := w.Gateway.Handler(o.Prefix, p)
	handler := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			endpoint.ServeHTTP(rw, r)
			return
		}
		protocol.ServeHTTP(rw, r)
	})
	cert := must[*identity.ServerCertificate](t)(w.Authority.ServerCertificate([]string{"127.0.0.1"}, now()))
	w.server = &http.Server{Handler: handler, TLSConfig: identity.ServerTLS(cert, w.Authority.Pool()), ConnContext: verifier.ConnContext,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)}
	done := make(chan struct{})
	go func() { defer close(done); w.server.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { w.server.Close(); <-done })

	w.URL = base + o.Prefix + "/" + string(gatetest.Source)
	w.Client, w.Tokens = w.Caller(w.Device, gatetest.App, w.AppKey, "")
	return w
}

// openVault makes the keys and the vault.
func (w *World) openVault(t testing.TB) {
	t.Helper()
	keyDir := filepath.Join(w.Dir, "keys")
	root := seal.KeyFile(filepath.Join(t.TempDir(), "root.key"))
	if err := seal.Create(keyDir, root); err != nil {
		t.Fatal(err)
	}
	w.Keys = must[*seal.Keyring](t)(seal.Open(keyDir, root))
	w.Vault = must[*vault.Vault](t)(vault.Open(t.Context(), filepath.Join(w.Dir, "vault.db"), w.Keys))
	t.Cleanup(func() { w.Vault.Close() })
}

// openLog makes the audit log, and its key.
func (w *World) openLog(t testing.TB, o Options, now func() time.Time, logger *slog.Logger) {
	t.Helper()
	const origin = "hospital.example/test"
	private, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	logDir := filepath.Join(w.Dir, "audit")
	options := audit.Options{Dir: logDir, Origin: origin, Now: now, Logger: logger,
		Signer: must[note.Signer](t)(note.NewSigner(private)), Verifier: must[note.Verifier](t)(note.NewVerifier(public))}
	if o.FS != nil {
		options.FS = o.FS(logDir)
	}
	w.Log = must[*audit.Log](t)(audit.Open(options))
	t.Cleanup(func() { w.Log.Close() })
}

var small = sync.OnceValue(func() *hospital.Records { return hospital.Generate(1, 6) })

// Small is a hospital of six patients.
func Small() *hospital.Records { return small() }

// begin makes the world's view: every gate open, for the first patient's cohort.
func (w *World) begin(now time.Time, o Options) {
	settings := gatetest.Settings()
	for _, p := range o.Profiles {
		digest := p.Digest()
		settings.Profiles = append(settings.Profiles, snapshot.Profile{Name: p.Name(), Basis: string(p.Basis()), SHA256: hex.EncodeToString(digest[:])})
	}
	settings.SnapshotFreshness = time.Hour
	records := gatetest.Records(now)
	for _, r := range records {
		switch r := r.(type) {
		case *snapshot.Device:
			r.Key256 = w.Device.KeyDigest()
		case *snapshot.App:
			r.Keys = must[json.RawMessage](w.T)(identity.PublicKeys(w.AppKey.Public()))
		case *snapshot.Role:
			r.Resources = Role()
			if o.Role != nil {
				o.Role(r)
			}
		case *snapshot.Grant:
			r.Cohort = snapshot.Cohort{Kind: snapshot.CohortAll}
			if o.Grant != nil {
				o.Grant(r)
			}
		}
	}
	w.views.publish(gatetest.Publish(now, settings, records...))
}

// Edit changes the registry and publishes it. Records are copied first.
func (w *World) Edit(f func(e *snapshot.Edit)) {
	old := w.views.View()
	e := old.Edit()
	f(e)
	w.views.publish(e.Publish(old.Version()+1, old.LogIndex()+1, time.Now()))
}

// View is the newest view.
func (w *World) View() *snapshot.View { return w.views.View() }

// TerminateBAA ends the agreement that the release rests on.
func (w *World) TerminateBAA() {
	w.Edit(func(e *snapshot.Edit) {
		old, _ := w.views.View().Agreements.Get(gatetest.BAA)
		a := *old
		a.TerminatedAt = time.Now().Add(-time.Second)
		e.Put(&a)
	})
}

// EditGrant changes the world's grant.
func (w *World) EditGrant(f func(*snapshot.Grant)) {
	w.Edit(func(e *snapshot.Edit) {
		old, _ := w.views.View().Grants.Get(gatetest.Grant)
		g := *old
		f(&g)
		e.Put(&g)
	})
}

// List is a grant's cohort of these patients, kept in the vault.
func (w *World) List(name string, patients ...string) snapshot.Cohort {
	w.T.Helper()
	var m []vault.Member
	for _, p := range patients {
		m = append(m, vault.Member{Source: gatetest.Source, ID: phi.New([]byte(p))})
	}
	d := must[string](w.T)(w.Vault.PutCohort(context.Background(), vault.Ref(name), m))
	return snapshot.Cohort{Kind: snapshot.CohortList, Ref: name, Digest: d[len("sha256:"):]}
}

// Caller is an HTTP client of a device, and the token client of an application.
func (w *World) Caller(device *identity.Credential, app id.App, key *ecdsa.PrivateKey, grant id.Grant) (*http.Client, *identity.Client) {
	w.T.Helper()
	hc := identity.NewHTTPClient(identity.ClientTLS(device, w.Authority.Pool()))
	w.T.Cleanup(hc.CloseIdleConnections)
	tc := must[*identity.Client](w.T)(identity.NewClient(identity.ClientConfig{ClientID: string(app), Key: key, TokenURL: w.base + "/token",
		Resource: w.URL, Scope: w.scope, Grant: grant, HTTP: hc, Now: time.Now}))
	return &http.Client{Transport: tc.Transport(hc.Transport), CheckRedirect: hc.CheckRedirect}, tc
}

// Proving is a client of the world's vendor whose program signs each request
// (DPoP).
func (w *World) Proving(p *identity.Prover) *http.Client {
	w.T.Helper()
	hc := identity.NewHTTPClient(identity.ClientTLS(w.Device, w.Authority.Pool()))
	w.T.Cleanup(hc.CloseIdleConnections)
	tc := must[*identity.Client](w.T)(identity.NewClient(identity.ClientConfig{ClientID: string(gatetest.App), Key: w.AppKey, TokenURL: w.base + "/token",
		Resource: w.URL, Scope: w.scope, HTTP: hc, Now: time.Now, DPoP: p}))
	return &http.Client{Transport: tc.Transport(hc.Transport), CheckRedirect: hc.CheckRedirect}
}

func (w *World) tls() http.RoundTripper {
	hc := identity.NewHTTPClient(identity.ClientTLS(w.Device, w.Authority.Pool()))
	w.T.Cleanup(hc.CloseIdleConnections)
	return hc.Transport
}

// HTTP1 is the vendor's client over HTTP/1.1.
func (w *World) HTTP1() *http.Client {
	tr := &http.Transport{TLSClientConfig: identity.ClientTLS(w.Device, w.Authority.Pool()), MaxIdleConnsPerHost: 64}
	w.T.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: w.Tokens.Transport(tr)}
}

// Get asks, as the world's vendor; path is below the source.
func (w *World) Get(path string, header ...string) Response {
	w.T.Helper()
	return w.Do(http.MethodGet, path, nil, header...)
}

// Do asks anything. header are names and values.
func (w *World) Do(method, path string, body []byte, header ...string) Response {
	w.T.Helper()
	req, err := http.NewRequest(method, w.URL+path, bytes.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	return w.send(w.Client, req, header...)
}

// DoAs is Do with another client.
func (w *World) DoAs(hc *http.Client, url string) Response {
	w.T.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.send(hc, req)
}

func (w *World) send(hc *http.Client, req *http.Request, header ...string) Response {
	w.T.Helper()
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := hc.Do(req)
	if err != nil {
		return Response{Err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return Response{Status: resp.StatusCode, Header: resp.Header, Trailer: resp.Trailer, Body: b, Err: err}
}

// Response is an answer, read to its end.
type Response struct {
	Status  int
	Header  http.Header
	Trailer http.Header
	Body    []byte
	Err     error // the request failed, or the answer broke off
}

// JSON reads the body into a tree.
func (r Response) JSON(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(r.Body, &m); err != nil {
		t.Fatalf("status %d: the body is not JSON: %v", r.Status, err)
	}
	return m
}

// Code is the code that the world's engagement has for an id of the source.
func (w *World) Code(resourceID string) string {
	w.T.Helper()
	return must[string](w.T)(w.Vault.CodeFor(context.Background(), gatetest.Engagement, resourceID))
}

// Logs is what was logged so far.
func (w *World) Logs() string {
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	return w.logs.b.String()
}

// Entries reads the audit log.
func (w *World) Entries() []audit.Entry {
	w.T.Helper()
	var out []audit.Entry
	err := w.Log.Scan(context.Background(), 0, w.Log.Size(), func(_ uint64, e audit.Entry) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

// Decision reads the audit log's entries of the decision that a response names.
func (w *World) Decision(r Response) []audit.Entry {
	w.T.Helper()
	var out []audit.Entry
	for _, e := range w.Entries() {
		if d := e.Decision(); d != "" && string(d) == r.Header.Get("Sallyport-Decision") {
			out = append(out, e)
		}
	}
	return out
}
