package signin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/snapshot"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// forger is an identity provider that answers with whatever a test says.
type forger struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu    sync.Mutex
	meta  map[string]any // changes of its metadata
	token string         // the id_token of its answer
	codes map[string]int
	asked int
}

// rsaKeys are made once: the two providers', and a stranger's.
var rsaKeys = sync.OnceValue(func() (out [3]*rsa.PrivateKey) {
	for i := range out {
		out[i] = must(rsa.GenerateKey(rand.Reader, 2048))
	}
	return out
})

func newForger(t *testing.T, key *rsa.PrivateKey) *forger {
	f := &forger{key: key, codes: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked++
		m := map[string]any{"issuer": f.URL, "authorization_endpoint": f.URL + "/authorize", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys",
			"end_session_endpoint": f.URL + "/end", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
		for k, v := range f.meta {
			m[k] = v
		}
		_ = json.NewEncoder(w).Encode(m)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		code := r.PostFormValue("code")
		f.codes[code]++
		if f.codes[code] > 1 || r.PostFormValue("code_verifier") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": f.token})
	})
	mux.HandleFunc("/elsewhere", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, f.URL+"/keys", http.StatusFound) })
	f.Server = httptest.NewTLSServer(mux)
	t.Cleanup(f.Close)
	return f
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, typ string, claims map[string]any) string {
	t.Helper()
	raw, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", "k"))
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

// unsigned is a token with alg none (RFC 7519, section 6.1).
func unsigned(claims map[string]any) string {
	raw, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(raw) + "."
}

// world has two vendors with a provider each, and a person each; both people have
// the same subject at their own provider.
type oidcWorld struct {
	t    *testing.T
	now  time.Time
	view *snapshot.View
	p    *Providers
	a, b *forger
}

func newOIDCWorld(t *testing.T, change ...func(*snapshot.Connector)) *oidcWorld {
	w := &oidcWorld{t: t, now: noon, a: newForger(t, rsaKeys()[0]), b: newForger(t, rsaKeys()[1])}
	roots := x509.NewCertPool()
	roots.AddCert(w.a.Certificate())
	base, _ := url.Parse("https://people.example.org")
	var err error
	w.p, err = NewProviders(ProvidersOptions{Base: base, Now: func() time.Time { return w.now },
		Client: identity.NewOutwardClient(identity.OutwardOptions{Roots: roots, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})})
	if err != nil {
		t.Fatal(err)
	}
	approved := snapshot.Approval{State: snapshot.Approved}
	e := new(snapshot.View).Edit()
	for v, f := range map[id.Vendor]*forger{"a": w.a, "b": w.b} {
		e.Put(&snapshot.Vendor{ID: v, Approval: approved})
		c := &snapshot.Connector{ID: id.Connector("idp-" + v), Vendor: v, Kind: snapshot.OIDCProvider, Issuer: f.URL, ClientID: "sallyport", Approval: approved}
		for _, f := range change {
			f(c)
		}
		e.Put(c)
		e.Put(&snapshot.Person{ID: id.Person("lin-" + v), Vendor: v, Login: snapshot.Login{Connector: c.ID, Subject: "sub-" + string(v)}, Approval: approved})
	}
	w.view = e.Publish(1, 1, noon)
	return w
}

func (w *oidcWorld) connector(c id.Connector) *snapshot.Connector {
	x, _ := w.view.Connectors.Get(c)
	return x
}

func (w *oidcWorld) claims(f *forger, nonce string) map[string]any {
	sub := "sub-a"
	if f == w.b {
		sub = "sub-b"
	}
	return map[string]any{"iss": f.URL, "aud": "sallyport", "sub": sub, "nonce": nonce, "iat": w.now.Unix(), "exp": w.now.Add(5 * time.Minute).Unix(), "sid": "session-at-idp"}
}

// begin goes to a provider, and gives what it was asked.
func (w *oidcWorld) begin(c id.Connector) (Away, url.Values) {
	w.t.Helper()
	away, err := w.p.Begin(context.Background(), w.connector(c), "browser", "/next")
	if err != nil {
		w.t.Fatal(err)
	}
	u, err := url.Parse(away.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	return away, u.Query()
}

func (w *oidcWorld) finish(c id.Connector, away Away, q url.Values) (Returned, Reason) {
	r := httptest.NewRequest(http.MethodGet, "/signin/callback/"+string(c)+"?"+q.Encode(), nil)
	r.AddCookie(away.Cookie)
	out, err := w.p.Finish(context.Background(), w.view, w.connector(c), r, "browser")
	return out, reasonOf(err)
}

func reasonOf(err error) Reason {
	var r Reason
	if err != nil && !errors.As(err, &r) {
		return Reason("no reason: " + err.Error())
	}
	return r
}

func TestAPersonOfAProvider(t *testing.T) {
	w := newOIDCWorld(t)
	away, asked := w.begin("idp-a")
	for name, want := range map[string]string{"response_type": "code", "client_id": "sallyport", "scope": "openid", "code_challenge_method": "S256",
		"redirect_uri": "https://people.example.org/signin/callback/idp-a"} {
		if got := asked.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if len(asked.Get("code_challenge")) != 43 || len(asked.Get("state")) != 43 || len(asked.Get("nonce")) != 43 || asked.Get("state") == asked.Get("nonce") {
		t.Errorf("got %v", asked)
	}
	w.a.token = signed(t, jose.RS256, w.a.key, "JWT", w.claims(w.a, asked.Get("nonce")))
	got, reason := w.finish("idp-a", away, url.Values{"state": {asked.Get("state")}, "code": {"c"}})
	if want := (Returned{Person: "lin-a", Connector: "idp-a", ProviderSession256: digest("session-at-idp"), Next: "/next"}); reason != "" || got != want {
		t.Errorf("got %+v, %q; want %+v", got, reason, want)
	}
	if end := w.p.EndSessionURL(t.Context(), w.connector("idp-a")); !strings.HasPrefix(end, w.a.URL+"/end?") || !strings.Contains(end, "client_id=sallyport") {
		t.Errorf("got %q", end)
	}
}

func TestWhatABrowserBringsBackFitsACookie(t *testing.T) {
	w := newOIDCWorld(t)
	for _, n := range []int{0, maxCookieNext, maxCookieNext + 1, 16 << 10} {
		away, err := w.p.Begin(t.Context(), w.connector("idp-a"), "browser", "/"+strings.Repeat("x", n))
		if err != nil || len(away.Cookie.String()) > 4096 {
			t.Errorf("%d: %v, a cookie of %d bytes", n, err, len(away.Cookie.String()))
		}
	}
}

// Everything wrong that a response and its ID token can be: nobody is signed in, and
// the reason is the right one.
// However many sign-ins a page of another site begins, the browser brings few of them back.
func TestABrowserCarriesFewSignIns(t *testing.T) {
	jar := map[string]int{"__Host-sallyport": 43}
	for i := range 100 {
		r, w := httptest.NewRequest(http.MethodGet, "/signin/with/idp", nil), httptest.NewRecorder()
		for name, n := range jar {
			r.AddCookie(&http.Cookie{Name: name, Value: strings.Repeat("x", n)})
		}
		ForgetWays(w, r)
		http.SetCookie(w, &http.Cookie{Name: wayCookie(strconv.Itoa(i)), Value: strings.Repeat("x", 3000)})
		for _, c := range w.Result().Cookies() {
			if jar[c.Name] = len(c.Value); c.MaxAge < 0 {
				delete(jar, c.Name)
			}
		}
		if len(jar) > maxWays+1 || jar["__Host-sallyport"] == 0 {
			t.Fatalf("after %d sign-ins the browser carries %v", i+1, jar)
		}
	}
}

func TestForgedSignIns(t *testing.T) {
	stranger := rsaKeys()[2]
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type forgery struct {
		claims  func(w *oidcWorld, c map[string]any) // of the ID token
		token   func(w *oidcWorld, c map[string]any) string
		query   func(w *oidcWorld, q url.Values)
		meta    map[string]any
		browser string
		later   time.Duration
	}
	set := func(k string, v any) func(*oidcWorld, map[string]any) {
		return func(_ *oidcWorld, c map[string]any) { c[k] = v }
	}
	for name, c := range map[string]struct {
		forgery
		want Reason
	}{
		"another issuer":              {forgery{claims: set("iss", "https://login.example")}, TokenInvalid},
		"the issuer with a slash":     {forgery{claims: func(w *oidcWorld, c map[string]any) { c["iss"] = w.a.URL + "/" }}, TokenInvalid},
		"another audience":            {forgery{claims: set("aud", "another")}, TokenInvalid},
		"no audience":                 {forgery{claims: set("aud", []string{})}, TokenInvalid},
		"another nonce":               {forgery{claims: set("nonce", "x")}, TokenNonce},
		"no nonce":                    {forgery{claims: func(_ *oidcWorld, c map[string]any) { delete(c, "nonce") }}, TokenNonce},
		"expired":                     {forgery{claims: func(w *oidcWorld, c map[string]any) { c["exp"] = w.now.Add(-time.Second).Unix() }}, TokenInvalid},
		"no expiry":                   {forgery{claims: func(_ *oidcWorld, c map[string]any) { delete(c, "exp") }}, TokenInvalid},
		"of the future":               {forgery{claims: func(w *oidcWorld, c map[string]any) { c["iat"] = w.now.Add(2 * time.Minute).Unix() }}, TokenTime},
		"of long ago":                 {forgery{claims: func(w *oidcWorld, c map[string]any) { c["iat"] = w.now.Add(-time.Hour).Unix() }}, TokenTime},
		"no time of issue":            {forgery{claims: func(_ *oidcWorld, c map[string]any) { delete(c, "iat") }}, TokenTime},
		"not yet":                     {forgery{claims: func(w *oidcWorld, c map[string]any) { c["nbf"] = w.now.Add(time.Hour).Unix() }}, TokenInvalid},
		"issued to another (azp)":     {forgery{claims: set("azp", "another")}, TokenParty},
		"two audiences without azp":   {forgery{claims: set("aud", []string{"sallyport", "another"})}, TokenParty},
		"another access token's hash": {forgery{claims: set("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")}, TokenInvalid},
		"no subject":                  {forgery{claims: func(_ *oidcWorld, c map[string]any) { delete(c, "sub") }}, TokenInvalid},
		"a subject nobody has":        {forgery{claims: set("sub", "sub-x")}, LoginUnknown},
		"another vendor's subject":    {forgery{claims: set("sub", "sub-b")}, LoginUnknown},
		"alg none":                    {forgery{token: func(_ *oidcWorld, c map[string]any) string { return unsigned(c) }}, TokenInvalid},
		"HS256 with the public key (PEM)": {forgery{token: func(w *oidcWorld, c map[string]any) string {
			der, _ := x509.MarshalPKIXPublicKey(w.a.key.Public())
			return signed(t, jose.HS256, der, "JWT", c)
		}}, TokenInvalid},
		"HS256 with the client's id": {forgery{token: func(_ *oidcWorld, c map[string]any) string {
			return signed(t, jose.HS256, []byte(strings.Repeat("sallyport", 4)), "JWT", c)
		}}, TokenInvalid},
		"another's key":            {forgery{token: func(_ *oidcWorld, c map[string]any) string { return signed(t, jose.RS256, stranger, "JWT", c) }}, TokenInvalid},
		"an EC key under its id":   {forgery{token: func(_ *oidcWorld, c map[string]any) string { return signed(t, jose.ES256, curve, "JWT", c) }}, TokenInvalid},
		"the other provider's key": {forgery{token: func(w *oidcWorld, c map[string]any) string { return signed(t, jose.RS256, w.b.key, "JWT", c) }}, TokenInvalid},
		"the other provider's token": {forgery{token: func(w *oidcWorld, c map[string]any) string {
			c["iss"], c["sub"] = w.b.URL, "sub-b"
			return signed(t, jose.RS256, w.b.key, "JWT", c)
		}}, TokenInvalid},
		"a changed token": {forgery{token: func(w *oidcWorld, c map[string]any) string {
			parts := strings.Split(signed(t, jose.RS256, w.a.key, "JWT", c), ".")
			c["sub"] = "sub-b"
			raw, _ := json.Marshal(c)
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(raw) + "." + parts[2]
		}}, TokenInvalid},
		"no token":                        {forgery{token: func(*oidcWorld, map[string]any) string { return "" }}, TokenInvalid},
		"no state":                        {forgery{query: func(_ *oidcWorld, q url.Values) { q.Del("state") }}, ResponseInvalid},
		"another state":                   {forgery{query: func(_ *oidcWorld, q url.Values) { q.Set("state", "x") }}, ResponseInvalid},
		"two states":                      {forgery{query: func(_ *oidcWorld, q url.Values) { q.Add("state", q.Get("state")) }}, ResponseInvalid},
		"two codes":                       {forgery{query: func(_ *oidcWorld, q url.Values) { q.Add("code", "d") }}, ResponseInvalid},
		"an error":                        {forgery{query: func(_ *oidcWorld, q url.Values) { q.Set("error", "access_denied") }}, ProviderRefused},
		"no code":                         {forgery{query: func(_ *oidcWorld, q url.Values) { q.Del("code") }}, ProviderRefused},
		"another issuer's response":       {forgery{query: func(w *oidcWorld, q url.Values) { q.Set("iss", w.b.URL) }}, ResponseMixedUp},
		"no issuer, where it is promised": {forgery{meta: map[string]any{"authorization_response_iss_parameter_supported": true}}, ResponseMixedUp},
		"another browser":                 {forgery{browser: "another"}, CeremonyForged},
		"too late":                        {forgery{later: 6 * time.Minute}, CeremonyOver},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOIDCWorld(t)
			w.a.meta = c.meta
			away, asked := w.begin("idp-a")
			claims := w.claims(w.a, asked.Get("nonce"))
			if c.claims != nil {
				c.claims(w, claims)
			}
			if w.a.token = ""; c.token != nil {
				w.a.token = c.token(w, claims)
			} else {
				w.a.token = signed(t, jose.RS256, w.a.key, "JWT", claims)
			}
			q := url.Values{"state": {asked.Get("state")}, "code": {"c"}}
			if c.query != nil {
				c.query(w, q)
			}
			browser := "browser"
			if c.browser != "" {
				browser = c.browser
			}
			w.now = w.now.Add(c.later)
			r := httptest.NewRequest(http.MethodGet, "/?"+q.Encode(), nil)
			r.AddCookie(away.Cookie)
			got, err := w.p.Finish(t.Context(), w.view, w.connector("idp-a"), r, browser)
			if reason := reasonOf(err); reason != c.want || got != (Returned{}) {
				t.Errorf("got %+v, %q; want %q", got, reason, c.want)
			}
		})
	}
}

// What was used once is used up; what was begun at one provider ends at no other.
func TestReplaysAndMixUps(t *testing.T) {
	w := newOIDCWorld(t)
	away, asked := w.begin("idp-a")
	w.a.token = signed(t, jose.RS256, w.a.key, "JWT", w.claims(w.a, asked.Get("nonce")))
	q := url.Values{"state": {asked.Get("state")}, "code": {"c"}}
	// The response of a provider, taken to another's redirect address.
	if _, reason := w.finish("idp-b", away, q); reason != CeremonyForged {
		t.Errorf("mixed up: got %q", reason)
	}
	if _, reason := w.finish("idp-a", away, q); reason != "" {
		t.Fatalf("got %q", reason)
	}
	if _, reason := w.finish("idp-a", away, q); reason != CodeRefused {
		t.Errorf("the code again: got %q", reason)
	}
	q.Set("code", "d") // the provider is careless, and we are not
	if _, reason := w.finish("idp-a", away, q); reason != CeremonyUsed {
		t.Errorf("the state again: got %q", reason)
	}
	// The ID token of one sign-in in another: of the same person even.
	away, asked = w.begin("idp-a")
	if _, reason := w.finish("idp-a", away, url.Values{"state": {asked.Get("state")}, "code": {"e"}}); reason != TokenNonce {
		t.Errorf("the token again: got %q", reason)
	}
}

// A vendor's provider that says the subject of another vendor's person, or that was
// linked to one by mistake, gets nowhere.
func TestAProviderIsPinnedToItsVendor(t *testing.T) {
	w := newOIDCWorld(t)
	e := w.view.Edit()
	e.Put(&snapshot.Person{ID: "mix", Vendor: "b", Login: snapshot.Login{Connector: "idp-a", Subject: "sub-mix"}, Approval: snapshot.Approval{State: snapshot.Approved}})
	w.view = e.Publish(2, 2, noon)
	away, asked := w.begin("idp-a")
	claims := w.claims(w.a, asked.Get("nonce"))
	claims["sub"] = "sub-mix"
	w.a.token = signed(t, jose.RS256, w.a.key, "JWT", claims)
	if _, reason := w.finish("idp-a", away, url.Values{"state": {asked.Get("state")}, "code": {"c"}}); reason != LoginOfOther {
		t.Errorf("got %q, want %q", reason, LoginOfOther)
	}
}

func TestWhatMetadataMayNotSay(t *testing.T) {
	for name, meta := range map[string]map[string]any{
		"another issuer":   {"issuer": "https://login.example"},
		"plain http":       {"token_endpoint": "http://127.0.0.1/token"},
		"no authorization": {"authorization_endpoint": ""},
		"too long":         {"padding": strings.Repeat("x", maxProviderBody)},
	} {
		w := newOIDCWorld(t)
		w.a.meta = meta
		for range 3 {
			if _, err := w.p.Begin(t.Context(), w.connector("idp-a"), "browser", "/"); reasonOf(err) != ProviderUnreachable {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if w.a.asked != 1 {
			t.Errorf("%s: a provider that fails was asked %d times at once", name, w.a.asked)
		}
	}
	// Keys behind a redirect are no keys.
	w := newOIDCWorld(t)
	w.a.meta = map[string]any{"jwks_uri": w.a.URL + "/elsewhere"}
	away, asked := w.begin("idp-a")
	w.a.token = signed(t, jose.RS256, w.a.key, "JWT", w.claims(w.a, asked.Get("nonce")))
	if _, reason := w.finish("idp-a", away, url.Values{"state": {asked.Get("state")}, "code": {"c"}}); reason != TokenInvalid {
		t.Errorf("got %q", reason)
	}
	for name, change := range map[string]func(*snapshot.Connector){
		"not approved": func(c *snapshot.Connector) { c.State = snapshot.Proposed },
		"a directory":  func(c *snapshot.Connector) { c.Kind = snapshot.SCIMClient },
	} {
		w := newOIDCWorld(t, change)
		if _, err := w.p.Begin(t.Context(), w.connector("idp-a"), "browser", "/"); reasonOf(err) != ProviderUnknown {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := w.p.Begin(t.Context(), nil, "browser", "/"); reasonOf(err) != ProviderUnknown {
		t.Errorf("none: got %v", err)
	}
}

// Pinned keys count alone: what the provider publishes later does not.
func TestPinnedKeys(t *testing.T) {
	pin := rsaKeys()[2]
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pin.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := newOIDCWorld(t, func(c *snapshot.Connector) { c.Keys = raw })
	for want, key := range map[Reason]*rsa.PrivateKey{"": pin, TokenInvalid: w.a.key} {
		away, asked := w.begin("idp-a")
		w.a.token = signed(t, jose.RS256, key, "JWT", w.claims(w.a, asked.Get("nonce")))
		if _, reason := w.finish("idp-a", away, url.Values{"state": {asked.Get("state")}, "code": {"c-" + string(want)}}); reason != want {
			t.Errorf("got %q, want %q", reason, want)
		}
	}
}

func (w *oidcWorld) logoutClaims() map[string]any {
	return map[string]any{"iss": w.a.URL, "aud": "sallyport", "iat": w.now.Unix(), "exp": w.now.Add(2 * time.Minute).Unix(), "jti": "j1", "sub": "sub-a", "sid": "session-at-idp",
		"events": map[string]any{logoutEvent: map[string]any{}}}
}

func TestLogoutTokens(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *oidcWorld, c map[string]any)
		typ    string
		alg    jose.SignatureAlgorithm
		want   Reason
	}{
		"a good one":         {want: ""},
		"without a type":     {typ: "-", want: ""},
		"with sub alone":     {change: func(_ *oidcWorld, c map[string]any) { delete(c, "sid") }},
		"with sid alone":     {change: func(_ *oidcWorld, c map[string]any) { delete(c, "sub") }},
		"another issuer":     {change: func(w *oidcWorld, c map[string]any) { c["iss"] = w.b.URL }, want: TokenInvalid},
		"another audience":   {change: func(_ *oidcWorld, c map[string]any) { c["aud"] = "x" }, want: TokenInvalid},
		"an ID token":        {change: func(_ *oidcWorld, c map[string]any) { c["nonce"] = "n" }, want: TokenNonce},
		"without the event":  {change: func(_ *oidcWorld, c map[string]any) { delete(c, "events") }, want: LogoutNoEvent},
		"another event":      {change: func(_ *oidcWorld, c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} }, want: LogoutNoEvent},
		"an event of null":   {change: func(_ *oidcWorld, c map[string]any) { c["events"] = map[string]any{logoutEvent: nil} }, want: LogoutNoEvent},
		"about nobody":       {change: func(_ *oidcWorld, c map[string]any) { delete(c, "sub"); delete(c, "sid") }, want: TokenInvalid},
		"without jti":        {change: func(_ *oidcWorld, c map[string]any) { delete(c, "jti") }, want: TokenInvalid},
		"without iat":        {change: func(_ *oidcWorld, c map[string]any) { delete(c, "iat") }, want: TokenTime},
		"of long ago":        {change: func(w *oidcWorld, c map[string]any) { c["iat"] = w.now.Add(-time.Hour).Unix() }, want: TokenTime},
		"of the future":      {change: func(w *oidcWorld, c map[string]any) { c["iat"] = w.now.Add(time.Hour).Unix() }, want: TokenTime},
		"expired":            {change: func(w *oidcWorld, c map[string]any) { c["exp"] = w.now.Add(-2 * time.Minute).Unix() }, want: TokenTime},
		"of another kind":    {typ: "at+jwt", want: TokenInvalid},
		"by another's key":   {alg: jose.ES256, want: TokenInvalid},
		"by a shared secret": {alg: jose.HS256, want: TokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOIDCWorld(t)
			claims := w.logoutClaims()
			if c.change != nil {
				c.change(w, claims)
			}
			typ := "logout+jwt"
			if c.typ != "" {
				typ = strings.TrimPrefix(c.typ, "-")
			}
			var key any = w.a.key
			alg := jose.RS256
			switch c.alg {
			case jose.ES256:
				alg, key = c.alg, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
			case jose.HS256:
				alg, key = c.alg, []byte(strings.Repeat("s", 32))
			}
			raw := signed(t, alg, key, typ, claims)
			out, err := w.p.Logout(t.Context(), w.connector("idp-a"), raw)
			if reason := reasonOf(err); reason != c.want {
				t.Fatalf("got %q, want %q", reason, c.want)
			}
			if c.want != "" {
				return
			}
			if _, err := w.p.Logout(t.Context(), w.connector("idp-a"), raw); reasonOf(err) != LogoutReplayed {
				t.Errorf("again: got %v", err)
			}
			mine := &snapshot.Session{Person: "lin-a", Connector: "idp-a", ProviderSession256: digest("session-at-idp")}
			if !out.Covers(w.view, "idp-a", mine) {
				t.Error("it does not cover the session")
			}
			for what, s := range map[string]*snapshot.Session{
				"another provider's": {Person: "lin-a", Connector: "idp-b", ProviderSession256: digest("session-at-idp")},
				"another session":    {Person: "lin-b", Connector: "idp-a", ProviderSession256: digest("x")},
				"a passkey's":        {Person: "lin-a"},
			} {
				if out.Covers(w.view, "idp-a", s) {
					t.Errorf("it covers %s", what)
				}
			}
		})
	}
	if (LoggedOut{}).Covers(new(snapshot.View), "c", &snapshot.Session{Connector: "c"}) {
		t.Error("nobody's logout covers a session")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// FuzzLogout: whatever is posted, it is a logout only if the provider signed it.
func FuzzLogout(f *testing.F) {
	t := &testing.T{}
	w := newOIDCWorld(t)
	f.Cleanup(func() { w.a.Close(); w.b.Close() })
	good := signed(t, jose.RS256, w.a.key, "logout+jwt", w.logoutClaims())
	f.Add(good)
	f.Add(unsigned(w.logoutClaims()))
	f.Add(signed(t, jose.HS256, []byte(strings.Repeat("s", 32)), "JWT", w.logoutClaims()))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, raw string) {
		if _, err := w.p.Logout(context.Background(), w.connector("idp-a"), raw); err == nil && raw != good {
			t.Errorf("accepted: %q", raw)
		}
	})
}
