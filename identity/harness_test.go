package identity

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// world is a gateway's doorway on loopback with two vendors before it.
type world struct {
	t        testing.TB
	clock    atomic.Int64 // unix nanoseconds
	ca       *Authority
	view     atomic.Pointer[snapshot.View]
	verifier *Verifier
	tokens   *Tokens
	replays  *Replays
	log      lockedBuffer
	bookMu   sync.Mutex
	bookErr  error
	base     string // https://127.0.0.1:port

	device  *Credential // northwind's
	device2 *Credential // northwind's second
	rival   *Credential // contoso's
	ada     *Credential // the organisation's person
	appKey  *ecdsa.PrivateKey
	rivKey  *ecdsa.PrivateKey
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var start = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func (w *world) now() time.Time          { return time.Unix(0, w.clock.Load()).UTC() }
func (w *world) advance(d time.Duration) { w.clock.Add(int64(d)) }
func (w *world) tokenURL() string        { return w.base + "/token" }
func (w *world) edit(f func(e *snapshot.Edit)) {
	e := w.view.Load().Edit()
	f(e)
	w.view.Store(e.Publish(w.view.Load().Version()+1, 0, w.now()))
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

var approved = snapshot.Approval{State: snapshot.Approved}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	w.clock.Store(start.UnixNano())
	w.ca = must[*Authority](t)(CreateAuthority(filepath.Join(t.TempDir(), "ca"), "Mercy Hospital", w.now()))
	client := func(s Subject) *Credential { return must[*Credential](t)(w.ca.IssueClient(s, 0, w.now())) }
	w.device, w.device2 = client(DeviceSubject("mac-7")), client(DeviceSubject("mac-8"))
	w.rival, w.ada = client(DeviceSubject("contoso-1")), client(PersonSubject("ada"))
	w.appKey = must[*ecdsa.PrivateKey](t)(NewKey(384))
	w.rivKey = must[*ecdsa.PrivateKey](t)(NewKey(384))
	w.view.Store((&snapshot.View{}).WithSettings(registrytest.Settings()))
	w.edit(func(e *snapshot.Edit) {
		keys := func(k ...crypto.PublicKey) json.RawMessage { return must[json.RawMessage](t)(PublicKeys(k...)) }
		year := w.now().AddDate(1, 0, 0)
		e.Put(&snapshot.Device{ID: "mac-7", Vendor: "northwind", Key256: w.device.KeyDigest(), TrustedUntil: year, Approval: approved})
		e.Put(&snapshot.Device{ID: "mac-8", Vendor: "northwind", Key256: w.device2.KeyDigest(), TrustedUntil: year, Approval: approved})
		e.Put(&snapshot.Device{ID: "contoso-1", Vendor: "contoso", Key256: w.rival.KeyDigest(), TrustedUntil: year, Approval: approved})
		e.Put(&snapshot.App{ID: "triage", Vendor: "northwind", Kind: snapshot.Workload, Keys: keys(w.appKey.Public()), Approval: approved})
		e.Put(&snapshot.App{ID: "rival", Vendor: "contoso", Kind: snapshot.Agent, Keys: keys(w.rivKey.Public()), Approval: approved})
		e.Put(&snapshot.Grant{ID: "g1", App: "triage", Approval: approved})
		e.Put(&snapshot.Person{ID: "ada", Key256: w.ada.KeyDigest(), Approval: approved})
	})
	w.replays = must[*Replays](t)(OpenReplays(filepath.Join(t.TempDir(), "replays"), w.now()))
	t.Cleanup(func() { w.replays.Close() })

	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	w.base = "https://" + ln.Addr().String()
	w.tokens = must[*Tokens](t)(NewTokens(w.base, w.base+"/fhir", must[*ecdsa.PrivateKey](t)(NewKey(256))))
	w.verifier = must[*Verifier](t)(NewVerifier(w.ca.Pool(), w.tokens, w.now, 0))
	logger := slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	endpoint := must[*TokenEndpoint](t)(NewTokenEndpoint(TokenEndpointConfig{URL: w.tokenURL(), Verifier: w.verifier,
		View: w.view.Load, Replays: w.replays, Log: logger, Book: newBook(w)}))
	authorize := must[*AuthorizeEndpoint](t)(NewAuthorizeEndpoint(AuthorizeConfig{URL: w.base + "/authorize", Audience: func(aud string) bool { return aud == w.base+"/fhir" },
		Verifier: w.verifier, View: w.view.Load, SignIn: cookieSignIn{}, Book: newBook(w), Log: logger}))
	mux := http.NewServeMux()
	mux.Handle("/token", endpoint)
	mux.Handle("/revoke", endpoint.Revocation())
	mux.Handle("/introspect", endpoint.Introspection())
	mux.Handle("/authorize", authorize)
	mux.Handle("/fhir/.well-known/smart-configuration", SMARTConfiguration(Endpoints{Token: w.tokenURL()}))
	mux.HandleFunc("/fhir/", func(rw http.ResponseWriter, r *http.Request) {
		c, err := w.verifier.Caller(r, w.view.Load())
		if err != nil {
			reason, _ := ReasonOf(err)
			logger.Warn("refused", "err", err.Error(), "reason", reason)
			WriteUnknownCaller(rw, err)
			return
		}
		writeJSON(rw, 200, seenCaller{c.Vendor(), c.App(), c.Device(), c.Grant(), c.AgentKind(), c.Scopes().String(), c.Transport(), c.Person(), c.Session()})
	})
	cert := must[*ServerCertificate](t)(w.ca.ServerCertificate([]string{"127.0.0.1", "localhost"}, w.now()))
	config := ServerTLS(cert, w.ca.Pool())
	config.Time = w.now
	server := &http.Server{Handler: mux, TLSConfig: config, ConnContext: w.verifier.ConnContext, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError)}
	done := make(chan struct{})
	go func() { defer close(done); server.ServeTLS(ln, "", "") }()
	t.Cleanup(func() { server.Close(); <-done })
	return w
}

// seenCaller is what a caller turned out to be, on the wire of the tests.
type seenCaller struct {
	Vendor    id.Vendor
	App       id.App
	Device    id.Device
	Grant     id.Grant
	Kind      snapshot.AgentKind
	Scope     string
	Transport Transport
	Person    id.Person
	Session   id.Session
}

// failBook makes the registry refuse to answer, or answer again.
func (w *world) failBook(fail bool) {
	w.bookMu.Lock()
	defer w.bookMu.Unlock()
	if w.bookErr = nil; fail {
		w.bookErr = problem.New(problem.Unavailable, "The registry does not answer", "")
	}
}

func (w *world) http(c *Credential) *http.Client {
	config := ClientTLS(c, w.ca.Pool())
	config.Time = w.now
	hc := NewHTTPClient(config)
	w.t.Cleanup(hc.CloseIdleConnections)
	return hc
}

func (w *world) client(c *Credential) *Client {
	return must[*Client](w.t)(NewClient(ClientConfig{ClientID: "triage", Key: w.appKey, TokenURL: w.tokenURL(), Resource: w.base + "/fhir",
		Scope: "system/Patient.rs system/Observation.rs", HTTP: w.http(c), Now: w.now}))
}

// claims are the claims of a good assertion of triage, to be spoilt by a test.
func (w *world) claims() map[string]any {
	return map[string]any{"iss": "triage", "sub": "triage", "aud": w.tokenURL(), "jti": id.New[string](w.now()),
		"exp": w.now().Add(4 * time.Minute).Unix(), "iat": w.now().Unix()}
}

// signJWT signs claims, with extra headers.
func signJWT(t testing.TB, alg jose.SignatureAlgorithm, key any, headers map[string]any, claims any) string {
	t.Helper()
	opts := &jose.SignerOptions{}
	for k, v := range headers {
		opts.WithHeader(jose.HeaderKey(k), v)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, opts)
	if err != nil {
		t.Fatal(err)
	}
	return must[string](t)(jwt.Signed(signer).Claims(claims).Serialize())
}

func kidOf(t testing.TB, pub crypto.PublicKey) string { return must[string](t)(keyID(pub)) }

// good signs claims as triage would.
func (w *world) good(claims map[string]any) string {
	return signJWT(w.t, jose.ES384, w.appKey, map[string]any{"typ": "JWT", "kid": kidOf(w.t, w.appKey.Public())}, claims)
}

func tokenForm(assertion string) url.Values {
	return url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType},
		"client_assertion": {assertion}, "scope": {"system/Patient.rs"}}
}

// post sends a token request; it returns status, OAuth error code and token.
func (w *world) post(c *Credential, form url.Values) (int, string, string) {
	w.t.Helper()
	resp, err := w.http(c).PostForm(w.tokenURL(), form)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body := must[[]byte](w.t)(io.ReadAll(resp.Body))
	var out struct {
		Error       string `json:"error"`
		AccessToken string `json:"access_token"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &out); err != nil {
			w.t.Fatalf("answer is not JSON: %v", err)
		}
	}
	return resp.StatusCode, out.Error, out.AccessToken
}

// get asks for a patient; token may be empty.
func (w *world) get(hc *http.Client, token string) (int, seenCaller) {
	w.t.Helper()
	req := must[*http.Request](w.t)(http.NewRequestWithContext(context.Background(), "GET", w.base+"/fhir/Patient/1", nil))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := hc.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body := must[[]byte](w.t)(io.ReadAll(resp.Body))
	var seen seenCaller
	if resp.StatusCode == 200 {
		if err := json.Unmarshal(body, &seen); err != nil {
			w.t.Fatal(err)
		}
	} else if len(body) != 0 {
		w.t.Errorf("a refusal of a stranger has a body: %q", body)
	}
	return resp.StatusCode, seen
}

// lastReason is the reason of the newest log record.
func (w *world) lastReason() Reason {
	lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
	var rec struct {
		Reason Reason `json:"reason"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &rec); err != nil {
		w.t.Fatalf("log line: %v", err)
	}
	return rec.Reason
}

// mint signs an access token as the server would.
func (w *world) mint(c *Credential, change func(*token)) string {
	k := token{id: "t", app: "triage", grant: "g1", scopes: must[Scopes](w.t)(ParseScopes("system/Patient.rs")),
		binding: binding(c), issued: w.now(), expires: w.now().Add(TokenLife)}
	if change != nil {
		change(&k)
	}
	return must[string](w.t)(w.tokens.sign(k))
}

func binding(c *Credential) [32]byte {
	p := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{c.leaf}}
	return (&Verifier{clients: x509.NewCertPool()}).inspect(p, start).binding
}

func testLog(w *world) *slog.Logger { return slog.New(slog.NewJSONHandler(&w.log, nil)) }
