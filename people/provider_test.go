package people_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/snapshot"
)

// idp is zitadel's example provider: a real one, over TLS.
type idp struct {
	*httptest.Server
	store *storage.Storage
}

// startIDP runs a provider whose users id1 and id2 have their example passwords, with
// one client, which has a secret or none.
func startIDP(t *testing.T, redirect, secret string) *idp {
	t.Helper()
	p := &idp{}
	var handler http.Handler
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	p.StartTLS()
	t.Cleanup(p.Close)
	client := storage.NativeClient("sallyport", redirect)
	if secret != "" {
		client = storage.WebClient("sallyport", secret, redirect)
	}
	p.store = storage.NewStorageWithClients(storage.NewUserStore(p.URL+"/"), map[string]*storage.Client{"sallyport": client})
	handler = exampleop.SetupServer(p.URL, p.store, slog.New(slog.DiscardHandler), false, op.WithLogger(slog.New(slog.DiscardHandler)))
	return p
}

// logoutToken is what the provider sends when a user signs out there: signed with
// its own key. The example sends none by itself.
func (p *idp) logoutToken(t *testing.T, change func(map[string]any)) string {
	t.Helper()
	key, err := p.store.SigningKey(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := map[string]any{"iss": p.URL, "aud": "sallyport", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": now.String(), "sub": "id1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}}
	if change != nil {
		change(claims)
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: key.SignatureAlgorithm(), Key: jose.JSONWebKey{Key: key.Key(), KeyID: key.ID()}}, (&jose.SignerOptions{}).WithType("logout+jwt"))
	if err != nil {
		t.Fatal(err)
	}
	sig, err := s.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	out, err := sig.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// surfer is a browser without a screen: it keeps cookies and follows links.
type surfer struct {
	t  *testing.T
	hc *http.Client
	// Last is the last page: its address, status and text.
	at     *url.URL
	status int
	text   string
	trail  []string // the addresses on the way to it
}

func surf(t *testing.T, w *world, p *idp) *surfer {
	t.Helper()
	hc := w.client(nil)
	roots, err := identity.PoolFromFiles(w.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots.AddCert(p.Certificate())
	hc.Transport.(*http.Transport).TLSClientConfig.RootCAs = roots
	hc.Transport.(*http.Transport).TLSClientConfig.MinVersion = 0
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &surfer{t: t, hc: hc}
	hc.Jar = jar
	hc.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		s.trail = append(s.trail, r.URL.String())
		return nil
	}
	return s
}

func (s *surfer) took(resp *http.Response, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.at, s.status, s.text = resp.Request.URL, resp.StatusCode, string(raw)
}

func (s *surfer) open(address string) { s.t.Helper(); s.trail = nil; s.took(s.hc.Get(address)) }

func (s *surfer) post(address string, form url.Values) {
	s.t.Helper()
	s.trail = nil
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.took(s.hc.Do(req))
}

func (s *surfer) wants(parts ...string) {
	s.t.Helper()
	for _, p := range parts {
		if !strings.Contains(s.text, p) {
			s.t.Fatalf("%s does not say %q:\n%s", s.at, p, s.text)
		}
	}
}

var hidden = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signIn goes through the provider's own login page.
func (s *surfer) signIn(w *world, p *idp, connector, user string) {
	s.t.Helper()
	s.open(w.base + "/signin/with/" + connector + "?next=/")
	m := hidden.FindStringSubmatch(s.text)
	if m == nil {
		s.t.Fatalf("at %s there is no login page:\n%s", s.at, s.text)
	}
	s.post(p.URL+"/login/username", url.Values{"username": {user}, "password": {"verysecure"}, "id": {m[1]}})
}

// withProviders writes what the configuration names before the server opens.
func withProviders(t *testing.T, secret string) func(string) string {
	return func(text string) string {
		dir := t.TempDir()
		srv := httptest.NewTLSServer(nil) // all test servers have one certificate
		defer srv.Close()
		ca := filepath.Join(dir, "idp-ca.pem")
		if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "south.secret")
		if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return text + "\nconnectors:\n  private_networks: [\"127.0.0.0/8\"]\n  ca_file: " + ca + "\n  client_secret_files: {south: " + file + "}\n"
	}
}

// Two vendors with a provider each, real ones: their people sign in by their own and
// by no other; and what a provider ends is over here.
func TestVendorsBringTheirOwnProviders(t *testing.T) {
	t.Parallel()
	secret := "the organisation's secret at south"
	w := start(t, withProviders(t, secret))
	ada, grace := w.withGrace()
	north, south := startIDP(t, w.base+"/signin/callback/north", ""), startIDP(t, w.base+"/signin/callback/south", secret)
	for vendor, p := range map[string]*idp{"northwind": north, "southwind": south} {
		name := strings.TrimSuffix(vendor, "wind")
		w.must(ada, "/v1/vendors", fields{"id": vendor, "name": vendor})
		w.must(grace, "/v1/vendors/"+vendor+"/approve", fields{})
		w.must(ada, "/v1/connectors", fields{"id": name, "vendor": vendor, "kind": "oidc", "name": vendor + " login", "issuer": p.URL, "client_id": "sallyport"})
		w.must(grace, "/v1/connectors/"+name+"/approve", fields{})
	}
	for _, p := range []struct{ id, vendor, connector string }{{"lin", "northwind", "north"}, {"mia", "southwind", "south"}} {
		w.must(ada, "/v1/persons", fields{"id": p.id, "name": "The " + p.id, "vendor": p.vendor, "classification": "business-associate", "basis": "employee", "region": "US",
			"login": fields{"connector": p.connector, "subject": "id1"}})
		w.must(grace, "/v1/persons/"+p.id+"/approve", fields{})
	}
	user := "test-user@" + strings.Split(strings.TrimPrefix(north.URL, "https://"), ":")[0]

	lin := surf(t, w, north)
	lin.open(w.base + "/signin")
	lin.wants("With your organisation", "The name of your organisation")
	if strings.Contains(lin.text, "northwind") {
		t.Error("the page tells strangers who works here")
	}
	lin.open(w.base + "/signin/with?provider=north")
	lin.wants("Sign in with northwind login", "/signin/with/north?next=")
	lin.open(w.base + "/signin/with?provider=nort")
	lin.wants("There is no sign-in of this name")
	lin.signIn(w, north, "north", user)
	trail := lin.trail
	lin.open(w.base + "/account")
	lin.wants("Your access", "The lin", "northwind", "your organisation&#39;s sign-in")
	for _, at := range trail {
		if strings.Contains(at, "/signin/callback/") && !strings.Contains(at, "code=") {
			t.Errorf("the trail is odd: %v", lin.trail)
		}
	}
	s := w.live("lin")
	if len(s) != 1 || s[0].Method != snapshot.ByOIDC || s[0].Connector != "north" || s[0].Vendor != "northwind" || !s[0].SteppedUpAt.IsZero() {
		t.Fatalf("got %+v", s)
	}
	// The provider alone gives no passkey.
	lin.open(w.base + "/passkeys/new")
	lin.wants("Your first passkey needs an invitation")

	mia := surf(t, w, south)
	mia.signIn(w, south, "south", user)
	mia.wants("The mia", "southwind")

	// Who is a user there and nobody here stays nobody.
	stranger := surf(t, w, north)
	stranger.signIn(w, north, "north", "test-user2")
	stranger.wants("was not accepted", "known to your organisation, but not registered here")
	if len(w.live("lin")) != 1 || w.server.View().Persons.Len() != 4 {
		t.Error("somebody was made, or signed in as another")
	}

	// North's word about its user id1 ends Lin's sessions and not Mia's; by another's
	// key, at another's address, it ends nobody's.
	back := func(connector, token string) int {
		resp, err := w.client(nil).PostForm(w.base+"/backchannel/"+connector, url.Values{"logout_token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for what, c := range map[string]struct {
		connector, token string
	}{
		"the other's token":   {"south", north.logoutToken(t, nil)},
		"in the other's name": {"south", north.logoutToken(t, func(c map[string]any) { c["iss"] = south.URL })},
		"to nobody":           {"east", north.logoutToken(t, nil)},
		"an ID token":         {"north", north.logoutToken(t, func(c map[string]any) { c["nonce"] = "n" })},
		"nothing":             {"north", ""},
	} {
		if status := back(c.connector, c.token); status != http.StatusBadRequest {
			t.Errorf("%s: got %d", what, status)
		}
	}
	if len(w.live("lin")) != 1 || len(w.live("mia")) != 1 {
		t.Fatal("a forged logout ended a session")
	}
	// A command line that Lin let in just now, and that has not fetched its session.
	verifier := strings.Repeat("v", 43)
	sum := sha256.Sum256([]byte(verifier))
	code := make(chan string, 1)
	terminal := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case code <- r.URL.Query().Get("code"):
		default: // the browser asks for an icon, too
		}
	}))
	defer terminal.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(terminal.URL, "http://"), ":")
	lin.post(w.base+"/cli/signin/session", url.Values{"query": {url.Values{"port": {port}, "state": {strings.Repeat("s", 20)}, "client": {"laptop"},
		"challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}.Encode()}})
	if status := back("north", north.logoutToken(t, nil)); status != http.StatusOK {
		t.Errorf("got %d", status)
	}
	resp, err := w.client(nil).PostForm(w.base+"/cli/session", url.Values{"code": {<-code}, "verifier": {verifier}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a session that the logout ended goes on in a command line: got %d", resp.StatusCode)
	}
	if len(w.live("lin")) != 0 || len(w.live("mia")) != 1 {
		t.Error("the logout did not end the sessions of its own user, and those alone")
	}
	lin.open(w.base + "/")
	lin.wants("Your session is over")

	// Signing out here leads to signing out there.
	mia.post(w.base+"/signout", nil)
	mia.wants("You are signed out", "Sign out there too", south.URL)
	// A provider that is no longer approved signs nobody in, and who it signed in is out.
	lin.signIn(w, north, "north", user)
	lin.wants("Your access")
	w.must(grace, "/v1/connectors/north/revoke", fields{})
	lin.open(w.base + "/")
	lin.wants("Your session is over")
	lin.open(w.base + "/signin/with/north")
	lin.wants("There is no such sign-in")
	w.keptQuiet(secret, "verysecure")
	for _, word := range []string{"code=", "id_token", "eyJ"} {
		if strings.Contains(w.log.String(), word) {
			t.Errorf("the log holds %q", word)
		}
	}
}
