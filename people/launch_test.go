package people_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// notebook is a program on lin's machine: it waits for the browser on a port of
// the loopback interface.
func notebook(t *testing.T) (redirect string, back <-chan url.Values) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came := make(chan url.Values, 4)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			came <- r.URL.Query()
			_, _ = w.Write([]byte("Back in the notebook"))
		}
	}), ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close(); <-done })
	return "http://" + ln.Addr().String() + "/callback", came
}

// A vendor's person lets a notebook act for them: a stock OAuth client, real
// Chromium with a passkey, and the whole server. Signing out ends it.
func TestAPersonLaunchesANotebook(t *testing.T) {
	w := start(t)
	ada, grace := w.withGrace()
	by := map[id.Person]*http.Client{"ada": ada, "grace": grace}

	key, err := identity.NewKey(256)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := identity.NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _, err := server.SignDevice(w.config, "northwind-gpu-1", csr, 30*24*time.Hour, w.now())
	if err != nil {
		t.Fatal(err)
	}
	device, err := identity.NewCredential(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := registrytest.Demo{Now: w.now().Add(-2 * time.Second), DeviceKey: device.KeyDigest()}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	do := func(p id.Person, a registry.Act) {
		t.Helper()
		spec, _ := registry.SpecOf(a)
		raw, err := registry.Encode(a)
		if err != nil {
			t.Fatal(err)
		}
		w.must(by[p], strings.ReplaceAll(spec.Path, "{id}", a.Subject().ID), json.RawMessage(raw))
	}
	for _, s := range steps[4:] { // Ada and Grace are there
		do(s.By, s.Act)
	}
	do("ada", registry.RegisterApp{ID: "notebook", Vendor: "northwind", Name: "Notebook", Kind: snapshot.Human, Public: true, Owner: "lin", Redirects: []string{"http://127.0.0.1/callback"}})
	do("grace", registry.ApproveApp{ID: "notebook"})
	grant, _ := steps[len(steps)-2].Act.(registry.RequestGrant)
	grant.ID, grant.App = "notebook-grant", "notebook"
	do("ada", grant)
	do("grace", registry.ApproveGrant{ID: "notebook-grant"})

	code, code256 := newCode(t)
	w.must(ada, "/v1/persons/lin/invite", fields{"code_sha256": code256, "expires_at": w.now().Add(time.Hour)})
	b := browser.Start(t, w.base)
	b.WithAuthenticator(true)
	enrol(b, w, code)
	if lin := w.who("lin"); lin.State != snapshot.Approved {
		w.must(grace, "/v1/persons/lin/approve", fields{"passkeys": []string{lin.Passkeys[0].Fingerprint}})
	}

	// The client learns where to go from the metadata.
	hc := w.client(device)
	var meta struct {
		Issuer    string `json:"issuer"`
		Authorize string `json:"authorization_endpoint"`
		Token     string `json:"token_endpoint"`
	}
	resp, err := hc.Get(w.config.PublicURL + "/.well-known/oauth-authorization-server")
	if err != nil {
		t.Fatal(err)
	}
	err = json.NewDecoder(resp.Body).Decode(&meta)
	resp.Body.Close()
	if err != nil || meta.Authorize != w.base+"/authorize" || meta.Issuer != w.config.PublicURL {
		t.Fatalf("metadata: %+v %v", meta, err)
	}
	redirect, back := notebook(t)
	config := oauth2.Config{ClientID: "notebook", RedirectURL: redirect, Scopes: []string{"user/Observation.rs", "online_access"},
		Endpoint: oauth2.Endpoint{AuthURL: meta.Authorize, TokenURL: meta.Token, AuthStyle: oauth2.AuthStyleInParams}}
	launch := func() (string, string) {
		verifier := oauth2.GenerateVerifier()
		return verifier, config.AuthCodeURL("state-1", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("aud", w.config.PublicURL+"/fhir/ehr"))
	}
	came := func() url.Values {
		t.Helper()
		select {
		case q := <-back:
			return q
		case <-time.After(time.Minute):
			t.Fatalf("the browser did not come back; it is at %s: %s", b.At(), b.Text())
			return nil
		}
	}

	// Not signed in: to the passkey first, and back to the question.
	_, denied := launch()
	b.Open(denied)
	b.Wants("Sign in with a passkey")
	b.Press("form[data-passkey] .main")
	b.Wants("Let Notebook act for you?", "Lin Example", "Northwind AI, Inc.", "read and search Observation records", "triage-eval")
	b.Picture("consent", 900, false)
	b.Picture("consent-320-dark", 320, true)
	b.Press("button[value=deny]")
	if q := came(); q.Get("error") != "access_denied" || q.Get("code") != "" {
		t.Errorf("denied: %v", q)
	}
	verifier, address := launch()
	b.Open(address)
	b.Press("button[value=allow]")
	q := came()
	if q.Get("state") != "state-1" || q.Get("iss") != meta.Issuer || q.Get("code") == "" {
		t.Fatalf("allowed: %v", q)
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, hc)
	tok, err := config.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(token string) int {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, w.config.PublicURL+"/fhir/ehr/metadata", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := ask(tok.AccessToken); got == http.StatusUnauthorized {
		t.Errorf("the notebook is not known: %d", got)
	}
	used := tok.RefreshToken
	tok.Expiry = time.Now().Add(-time.Minute)
	if tok, err = config.TokenSource(ctx, tok).Token(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(verifier))
	w.keptQuiet(q.Get("code"), tok.AccessToken, tok.RefreshToken, used, verifier)
	if s := w.live("lin"); len(s) != 1 || len(s[0].Apps) != 1 || s[0].Apps[0].Device != "northwind-gpu-1" || s[0].Apps[0].Challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("the session's applications: %+v", s)
	}

	b.Open(w.base + "/")
	b.Press("form[action='/signout'] button")
	b.Wants("Sign in")
	if got := ask(tok.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("after signing out: %d", got)
	}
	if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: tok.RefreshToken}).Token(); err == nil {
		t.Error("after signing out the refresh token works")
	}
}
