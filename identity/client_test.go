package identity

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// One token serves many, and is renewed before it ends.
func TestClientRenews(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.device)
	issued := func() int { return strings.Count(w.log.String(), "access token issued") }
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if issued() != 1 {
		t.Errorf("tokens for twenty at once: got %d, want 1", issued())
	}
	first := must[string](t)(c.Token(t.Context()))
	w.advance(TokenLife * 4 / 5)
	second := must[string](t)(c.Token(t.Context()))
	if first == second {
		t.Error("not renewed with a fifth of its life left")
	}
	c.forget(first)
	if must[string](t)(c.Token(t.Context())) != second {
		t.Error("forgetting an old token dropped the new one")
	}
	c.Forget()
	if must[string](t)(c.Token(t.Context())) == second {
		t.Error("not forgotten")
	}
}

// A 401 drops the token; a program that tries again gets on.
func TestClientForgetsRefusedToken(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.device)
	get := func() int {
		resp, err := c.Do(must2(http.NewRequest("GET", w.base+"/fhir/Patient/1", nil)))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := get(); got != 200 {
		t.Fatalf("got %d", got)
	}
	old := w.verifier.tokens
	w.verifier.tokens = must[*Tokens](t)(NewTokens(w.base, w.base+"/fhir", must2(NewKey(256))))
	for i := range w.verifier.seen.shards {
		clear(w.verifier.seen.shards[i].tokens)
	}
	defer func() { w.verifier.tokens = old }()
	if got := get(); got != 401 {
		t.Fatalf("after the server's key changed: got %d, want 401", got)
	}
	if got := get(); got != 200 {
		t.Errorf("the next try: got %d, want 200", got)
	}
}

// A token never travels to anywhere but its resource: not by a URL, not by a
// redirect.
func TestClientKeepsTokenHome(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.device)
	for _, to := range []string{"https://elsewhere.example/fhir/Patient/1", w.base + "/other", w.base + "/fhirx", strings.Replace(w.base, "https", "http", 1) + "/fhir/Patient/1"} {
		if _, err := c.Do(must2(http.NewRequest("GET", to, nil))); !errors.Is(err, errElsewhere) {
			t.Errorf("%s: got %v", to, err)
		}
	}
	if strings.Contains(w.log.String(), "issued") {
		t.Error("a token was fetched for a request that must not leave")
	}
	var stolen atomic.Int32
	thief := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer thief.Close()
	home := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, thief.URL, http.StatusTemporaryRedirect)
	}))
	defer home.Close()
	c = must[*Client](t)(NewClient(ClientConfig{ClientID: "x", Key: w.appKey, TokenURL: home.URL + "/token", Resource: home.URL, Scope: "system/Patient.r", HTTP: home.Client(), Now: w.now}))
	var te *TokenError
	if _, err := c.Token(t.Context()); !errors.As(err, &te) || te.Status != http.StatusTemporaryRedirect {
		t.Errorf("got %v, want the redirect as an error", err)
	}
	if _, err := Discover(t.Context(), home.Client(), home.URL); err == nil {
		t.Error("discovery followed a redirect")
	}
	if stolen.Load() != 0 {
		t.Error("the assertion followed a redirect")
	}
}

// A token server that misbehaves costs little memory and puts no words of its
// own, and no token, into an error.
func TestClientHostileServer(t *testing.T) {
	const canary = "CanaryZebra"
	w := newWorld(t)
	var body string
	var status int
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.WriteHeader(status)
		fmt.Fprint(rw, body)
	}))
	defer server.Close()
	for _, tc := range []struct {
		status int
		body   string
	}{
		{200, canary}, {200, ""}, {200, `{}`}, {200, `{"access_token":"` + canary + `"}`},
		{200, `{"access_token":"` + canary + `","token_type":"mac"}`},
		{200, `{"access_token":7,"token_type":"bearer"}`},
		{200, strings.Repeat(canary, maxTokenResponse)},
		{400, `{"error":"` + canary + `"}`}, {500, canary}, {204, ""},
	} {
		status, body = tc.status, tc.body
		c := must[*Client](t)(NewClient(ClientConfig{ClientID: "x", Key: w.appKey, TokenURL: server.URL, Resource: server.URL, Scope: "system/Patient.r", HTTP: server.Client(), Now: w.now}))
		got, err := c.Token(t.Context())
		if err == nil || got != "" {
			t.Errorf("%d %.40s: accepted", tc.status, tc.body)
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%d: the error quotes the server: %v", tc.status, err)
		}
		if _, err := Discover(t.Context(), server.Client(), server.URL); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("%d: discovery: %v", tc.status, err)
		}
	}
	for _, endpoint := range []string{"http://plain.example/token", "https://user@x/token", "https://x/token?a=b", "/token", ""} {
		status, body = 200, fmt.Sprintf(`{"token_endpoint":%q}`, endpoint)
		if got, err := Discover(t.Context(), server.Client(), server.URL); err == nil {
			t.Errorf("discovered %q", got)
		}
	}
	// A server that does not say how long a token lives is asked again soon.
	status, body = 200, `{"access_token":"t","token_type":"Bearer"}`
	c := must[*Client](t)(NewClient(ClientConfig{ClientID: "x", Key: w.appKey, TokenURL: server.URL, Resource: server.URL, Scope: "system/Patient.r", HTTP: server.Client(), Now: w.now}))
	must[string](t)(c.Token(t.Context()))
	body = `{"access_token":"u","token_type":"Bearer"}`
	w.advance(time.Minute)
	if got := must[string](t)(c.Token(t.Context())); got != "u" {
		t.Errorf("got %q, want a new token", got)
	}
}

func TestClientConfigIsChecked(t *testing.T) {
	w := newWorld(t)
	good := ClientConfig{ClientID: "triage", Key: w.appKey, TokenURL: w.tokenURL(), Resource: w.base, Scope: "system/Patient.r", HTTP: http.DefaultClient, Now: w.now}
	if _, err := NewClient(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*ClientConfig){
		"client id":   func(c *ClientConfig) { c.ClientID = "" },
		"key":         func(c *ClientConfig) { c.Key = nil },
		"token URL":   func(c *ClientConfig) { c.TokenURL = "http://127.0.0.1/token" },
		"resource":    func(c *ClientConfig) { c.Resource = "" },
		"scope":       func(c *ClientConfig) { c.Scope = "" },
		"HTTP client": func(c *ClientConfig) { c.HTTP = nil },
		"clock":       func(c *ClientConfig) { c.Now = nil },
	} {
		c := good
		spoil(&c)
		if _, err := NewClient(c); err == nil {
			t.Errorf("accepted without a good %s", name)
		}
	}
}

// An application with several grants names one, and acts under that.
func TestClientChoosesGrant(t *testing.T) {
	w := newWorld(t)
	w.edit(func(e *snapshot.Edit) { e.Put(&snapshot.Grant{ID: "g2", App: "triage", Approval: approved}) })
	config := w.client(w.device).config
	if _, err := must[*Client](t)(NewClient(config)).Token(t.Context()); err == nil || !strings.Contains(err.Error(), "invalid_request") {
		t.Errorf("no choice among two: got %v", err)
	}
	config.Grant = "g2"
	raw := must[string](t)(must[*Client](t)(NewClient(config)).Token(t.Context()))
	if _, seen := w.get(w.http(w.device), raw); seen.Grant != "g2" {
		t.Errorf("grant: got %q, want g2", seen.Grant)
	}
}

func FuzzTokenForm(f *testing.F) {
	w := newWorld(f)
	for _, s := range []string{"", "grant_type=client_credentials", tokenForm("a.b.c").Encode(), "scope=a&scope=b", "%zz", strings.Repeat("a=b&", 100)} {
		f.Add(s)
	}
	endpoint := must2(NewTokenEndpoint(TokenEndpointConfig{URL: w.tokenURL(), Verifier: w.verifier, View: w.view.Load, Replays: w.replays, Log: testLog(w)}))
	f.Fuzz(func(t *testing.T, body string) {
		r := w.request(w.device, "")
		q := httptest.NewRequest("POST", "/token", strings.NewReader(body))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.TLS = r.TLS
		rec := httptest.NewRecorder()
		endpoint.ServeHTTP(rec, q.WithContext(r.Context()))
		if rec.Code != 400 && rec.Code != 401 {
			t.Fatalf("got %d for %q", rec.Code, body)
		}
		if v, err := url.ParseQuery(body); err == nil && len(v.Get("client_assertion")) > 20 && strings.Contains(rec.Body.String(), v.Get("client_assertion")) {
			t.Fatal("the answer quotes the assertion")
		}
	})
}
