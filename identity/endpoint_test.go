package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Each algorithm of SMART, and ES256, gets a token for a key that is
// registered for it.
func TestAssertionAlgorithms(t *testing.T) {
	w := newWorld(t)
	p256, rsaKey := must2(NewKey(256)), must2(rsa.GenerateKey(rand.Reader, 2048))
	w.edit(func(e *snapshot.Edit) {
		app, _ := e.View().Apps.Get("triage")
		a := *app
		a.Keys = must2(PublicKeys(w.appKey.Public(), p256.Public(), rsaKey.Public()))
		e.Put(&a)
	})
	for alg, key := range map[jose.SignatureAlgorithm]crypto.Signer{jose.ES384: w.appKey, jose.ES256: p256, jose.RS384: rsaKey} {
		raw := signJWT(t, alg, key, map[string]any{"typ": "JWT", "kid": kidOf(t, key.Public())}, w.claims())
		if status, code, tok := w.post(w.device, tokenForm(raw)); status != 200 || tok == "" {
			t.Errorf("%s: got %d %s", alg, status, code)
		}
	}
	// RSA by another hash or padding is not on the list, though the key fits.
	for _, alg := range []jose.SignatureAlgorithm{jose.RS256, jose.RS512, jose.PS384} {
		raw := signJWT(t, alg, rsaKey, map[string]any{"kid": kidOf(t, rsaKey.Public())}, w.claims())
		if _, reason := verifyAssertion(raw, w.view.Load(), w.tokenURL(), w.now()); reason != AssertionMalformed {
			t.Errorf("%s: got %q, want %s", alg, reason, AssertionMalformed)
		}
	}
}

// One thing at a time is wrong with an assertion, and each is refused for that
// reason. The edges of the clock are included on both sides.
func TestAssertionMatrix(t *testing.T) {
	w := newWorld(t)
	head := map[string]any{"typ": "JWT", "kid": kidOf(t, w.appKey.Public())}
	with := func(k string, v any) string { c := w.claims(); c[k] = v; return w.good(c) }
	without := func(k string) string { c := w.claims(); delete(c, k); return w.good(c) }
	header := func(k string, v any) string {
		h := map[string]any{"typ": "JWT", "kid": kidOf(t, w.appKey.Public())}
		if h[k] = v; v == nil {
			delete(h, k)
		}
		return signJWT(t, jose.ES384, w.appKey, h, w.claims())
	}
	at := func(d time.Duration) int64 { return w.now().Add(d).Unix() }
	payload := base64.RawURLEncoding.EncodeToString(must2(json.Marshal(w.claims())))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"`+kidOf(t, w.appKey.Public())+`"}`)) + "." + payload + "."
	good := w.good(w.claims())
	parts := strings.Split(good, ".")
	spki := must2(x509.MarshalPKIXPublicKey(w.appKey.Public()))
	double := base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"iss":"rival","iss":"triage","sub":"triage","aud":%q,"jti":"x","exp":%d}`, w.tokenURL(), at(time.Minute))))
	for _, tc := range []struct {
		name string
		raw  string
		want Reason
	}{
		{"good", good, ""},
		{"alg none", none, AssertionMalformed},
		{"alg none, signature kept", strings.TrimSuffix(none, ".") + "." + parts[2], AssertionMalformed},
		{"HS256 with the public key", signJWT(t, jose.HS256, spki, head, w.claims()), AssertionMalformed},
		{"HS384 with the JWK set", signJWT(t, jose.HS384, []byte(must2(PublicKeys(w.appKey.Public()))), head, w.claims()), AssertionMalformed},
		{"no kid", header("kid", nil), AssertionMalformed},
		{"unknown kid", header("kid", "k9"), AssertionKeyUnknown},
		{"kid of another app", signJWT(t, jose.ES384, w.rivKey, map[string]any{"kid": kidOf(t, w.rivKey.Public())}, w.claims()), AssertionKeyUnknown},
		{"another app's key under this app's kid", signJWT(t, jose.ES384, w.rivKey, head, w.claims()), AssertionSignature},
		{"kid of a key of another algorithm", signJWT(t, jose.ES256, must2(NewKey(256)), head, w.claims()), AssertionKeyUnknown},
		{"jku", header("jku", "https://evil.example/keys"), AssertionMalformed},
		{"critical extension", signJWT(t, jose.ES384, w.appKey, map[string]any{"kid": head["kid"], "crit": []string{"x"}, "x": 1}, w.claims()), AssertionMalformed},
		{"type of an access token", header("typ", "at+jwt"), AssertionMalformed},
		{"no type", header("typ", nil), ""},
		{"payload changed", parts[0] + "." + payload + "." + parts[2], AssertionSignature},
		{"issuer named twice", parts[0] + "." + double + "." + parts[2], AssertionMalformed},
		{"iss unknown", with("iss", "nobody"), AppUnknown},
		{"iss empty", with("iss", ""), AppUnknown},
		{"iss absent", without("iss"), AppUnknown},
		{"iss of another app", with("iss", "rival"), AssertionKeyUnknown},
		{"sub of another app", with("sub", "rival"), AssertionClaims},
		{"sub absent", without("sub"), AssertionClaims},
		{"aud of elsewhere", with("aud", "https://elsewhere/token"), AssertionClaims},
		{"aud a prefix", with("aud", w.base), AssertionClaims},
		{"aud with a slash more", with("aud", w.tokenURL()+"/"), AssertionClaims},
		{"aud a list of one", with("aud", []string{w.tokenURL()}), ""},
		{"aud a list of two", with("aud", []string{w.tokenURL(), "https://elsewhere/token"}), AssertionClaims},
		{"aud absent", without("aud"), AssertionClaims},
		{"jti absent", without("jti"), AssertionClaims},
		{"jti empty", with("jti", ""), AssertionClaims},
		{"jti a number", with("jti", 7), AssertionMalformed},
		{"jti too long", with("jti", strings.Repeat("j", maxJTI+1)), AssertionClaims},
		{"jti as long as it may be", with("jti", strings.Repeat("j", maxJTI)), ""},
		{"exp absent", without("exp"), AssertionClaims},
		{"exp a string", with("exp", "tomorrow"), AssertionMalformed},
		{"exp beyond all times", with("exp", 1e300), AssertionMalformed},
		{"exp negative", with("exp", -1), AssertionExpired},
		{"expired long ago", func() string {
			c := w.claims()
			c["exp"], c["iat"] = at(-time.Hour), at(-2*time.Hour)
			return w.good(c)
		}(), AssertionExpired},
		{"expired by the skew", func() string { c := w.claims(); c["exp"], c["iat"] = at(-skew), at(-time.Minute); return w.good(c) }(), AssertionExpired},
		{"expired by less than the skew", func() string {
			c := w.claims()
			c["exp"], c["iat"] = at(time.Second-skew), at(-time.Minute)
			return w.good(c)
		}(), ""},
		{"five minutes ahead", with("exp", at(MaxAssertionLife)), ""},
		{"five minutes and the skew ahead", with("exp", at(MaxAssertionLife+skew)), ""},
		{"a second more", with("exp", at(MaxAssertionLife+skew+time.Second)), AssertionTooLong},
		{"iat ahead by the skew", with("iat", at(skew)), ""},
		{"iat ahead by a second more", with("iat", at(skew+time.Second)), AssertionFromFuture},
		{"nbf ahead by a second more", with("nbf", at(skew+time.Second)), AssertionFromFuture},
		{"iat absent", without("iat"), ""},
		{"iat not before exp", func() string {
			c := w.claims()
			c["exp"], c["iat"] = at(time.Second), at(time.Second)
			return w.good(c)
		}(), AssertionClaims},
		{"empty", "", AssertionMalformed},
		{"not a JWS", "a.b.c", AssertionMalformed},
		{"JSON serialisation", `{"payload":"` + payload + `","signatures":[]}`, AssertionMalformed},
		{"too long", strings.Repeat("a", maxAssertion+1), AssertionMalformed},
	} {
		if _, got := verifyAssertion(tc.raw, w.view.Load(), w.tokenURL(), w.now()); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

// Keys that do not belong in a public key set never verify anything.
func TestKeySets(t *testing.T) {
	w := newWorld(t)
	key, other := must2(NewKey(384)), must2(NewKey(384))
	weak := must2(rsa.GenerateKey(rand.Reader, 2048))
	jwk := func(k jose.JSONWebKey) string { return string(must2(json.Marshal(k))) }
	set := func(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }
	public := jwk(jose.JSONWebKey{Key: key.Public(), KeyID: "k"})
	for _, tc := range []struct {
		name string
		set  []byte
		alg  jose.SignatureAlgorithm
		want bool
	}{
		{"public key", set(public), jose.ES384, true},
		{"among keys of kinds not known here", set(`{"kty":"AKP","kid":"k"}`, `{"kty":"oct","kid":"k","k":"AAAA"}`, public), jose.ES384, true},
		{"two with one kid", set(public, jwk(jose.JSONWebKey{Key: other.Public(), KeyID: "k"})), jose.ES384, false},
		{"private key", set(jwk(jose.JSONWebKey{Key: key, KeyID: "k"})), jose.ES384, false},
		{"symmetric key", set(`{"kty":"oct","kid":"k","k":"AAAA"}`), jose.ES384, false},
		{"for encryption", set(jwk(jose.JSONWebKey{Key: key.Public(), KeyID: "k", Use: "enc"})), jose.ES384, false},
		{"for another algorithm", set(jwk(jose.JSONWebKey{Key: key.Public(), KeyID: "k", Algorithm: "ES256"})), jose.ES384, false},
		{"P-384 with ES256", set(public), jose.ES256, false},
		{"EC with RS384", set(public), jose.RS384, false},
		{"RSA with ES384", set(jwk(jose.JSONWebKey{Key: weak.Public(), KeyID: "k"})), jose.ES384, false},
		{"empty set", set(), jose.ES384, false},
		{"no set", nil, jose.ES384, false},
		{"not JSON", []byte("{"), jose.ES384, false},
	} {
		if got, ok := keyFor(tc.set, "k", tc.alg); ok != tc.want || (got != nil) != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, ok, tc.want)
		}
	}
	_ = w
}

// An assertion works once, however many try at the same time.
func TestReplayedConcurrently(t *testing.T) {
	w := newWorld(t)
	form := tokenForm(w.good(w.claims()))
	hc := w.http(w.device)
	var wins, losses atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			resp, err := hc.PostForm(w.tokenURL(), form)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			switch resp.StatusCode {
			case 200:
				wins.Add(1)
			case 401:
				losses.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 || losses.Load() != 15 {
		t.Errorf("got %d tokens and %d refusals, want 1 and 15", wins.Load(), losses.Load())
	}
	// And never again, up to the last moment at which its time would allow it.
	w.advance(4*time.Minute + skew - time.Second)
	if status, _, _ := w.post(w.device, form); status != 401 || w.lastReason() != AssertionReplayed {
		t.Errorf("at its end: got %d, %s", status, w.lastReason())
	}
}

// What the token endpoint answers to requests of a known device.
func TestTokenRequests(t *testing.T) {
	w := newWorld(t)
	set := func(k string, v ...string) func(url.Values) { return func(f url.Values) { f[k] = v } }
	for _, tc := range []struct {
		name   string
		cred   *Credential
		change func(url.Values)
		status int
		code   string
		reason Reason
	}{
		{"good", w.device, nil, 200, "", ""},
		{"no certificate", nil, nil, 401, "", NoCertificate},
		{"a rival's device", w.rival, nil, 401, "invalid_client", AppVendorMismatch},
		{"a person's certificate", w.ada, nil, 401, "", DeviceUnknown},
		{"another grant type", w.device, set("grant_type", "password"), 400, "unsupported_grant_type", GrantTypeUnsupported},
		{"no grant type", w.device, set("grant_type"), 400, "invalid_request", RequestMalformed},
		{"another assertion type", w.device, set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), 400, "invalid_request", RequestMalformed},
		{"no assertion", w.device, set("client_assertion", ""), 401, "invalid_client", AssertionMalformed},
		{"client_id agrees", w.device, set("client_id", "triage"), 200, "", ""},
		{"client_id disagrees", w.device, set("client_id", "rival"), 401, "invalid_client", AssertionClaims},
		{"parameter twice", w.device, set("scope", "system/Patient.rs", "system/*.cruds"), 400, "invalid_request", RequestMalformed},
		{"no scope", w.device, set("scope", ""), 400, "invalid_scope", ScopeInvalid},
		{"scope of version 1", w.device, set("scope", "system/Patient.read"), 400, "invalid_scope", ScopeInvalid},
		{"scope of a user", w.device, set("scope", "user/Patient.rs"), 400, "invalid_scope", ScopeInvalid},
		{"scope of no resource type", w.device, set("scope", "system/Patient.rs system/Patients.rs"), 400, "invalid_scope", ScopeInvalid},
		{"scope narrowed by a query", w.device, set("scope", "system/Observation.rs?category=laboratory"), 400, "invalid_scope", ScopeInvalid},
		{"its grant", w.device, set("grant", "g1"), 200, "", ""},
		{"no such grant", w.device, set("grant", "g9"), 400, "invalid_request", GrantMismatch},
		{"unknown parameter", w.device, set("resource", "x"), 200, "", ""},
		{"too long", w.device, set("x", strings.Repeat("x", maxForm)), 400, "invalid_request", RequestMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := tokenForm(w.good(w.claims()))
			if tc.change != nil {
				tc.change(form)
			}
			status, code, tok := w.post(tc.cred, form)
			if status != tc.status || code != tc.code || (tok != "") != (tc.status == 200) || w.lastReason() != tc.reason {
				t.Errorf("got %d %q %q, want %d %q %q", status, code, w.lastReason(), tc.status, tc.code, tc.reason)
			}
		})
	}
	body := tokenForm(w.good(w.claims())).Encode()
	send := func(method, target, contentType, authorization string) (*http.Response, error) {
		req := must2(http.NewRequest(method, target, strings.NewReader(body)))
		req.Header.Set("Content-Type", contentType)
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		return w.http(w.device).Do(req)
	}
	const formType = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name, method, target, contentType, authorization string
		want                                             int
	}{
		{"GET", "GET", w.tokenURL(), formType, "", 405},
		{"JSON", "POST", w.tokenURL(), "application/json", "", 400},
		{"parameters in the URL", "POST", w.tokenURL() + "?" + body, formType, "", 400},
		{"two ways of authentication", "POST", w.tokenURL(), formType, "Basic dHJpYWdlOng=", 400},
	} {
		resp, err := send(tc.method, tc.target, tc.contentType, tc.authorization)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, resp.StatusCode, tc.want)
		}
		if resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the answer may be cached", tc.name)
		}
	}
}

// Under which grant an application acts.
func TestChooseGrant(t *testing.T) {
	state := func(g string, s snapshot.State) *snapshot.Grant {
		return &snapshot.Grant{ID: id.Grant(g), App: "triage", Approval: snapshot.Approval{State: s}}
	}
	lifts := func(g, of string, until time.Duration) *snapshot.Grant {
		return &snapshot.Grant{ID: id.Grant(g), App: "triage", Elevates: id.Grant(of), StartsAt: start.Add(-time.Hour), EndsAt: start.Add(until), Approval: approved}
	}
	until := func(g string, s snapshot.State, d time.Duration) *snapshot.Grant {
		return &snapshot.Grant{ID: id.Grant(g), App: "triage", StartsAt: start.Add(-time.Hour), EndsAt: start.Add(d), Approval: snapshot.Approval{State: s}}
	}
	for _, tc := range []struct {
		name   string
		grants []*snapshot.Grant
		asked  string
		want   string
		reason Reason
	}{
		{"none", nil, "", "", ""},
		{"one proposed: the gates will say so", []*snapshot.Grant{state("a", snapshot.Proposed)}, "", "a", ""},
		{"one approved among others", []*snapshot.Grant{state("a", snapshot.Ended), state("b", snapshot.Approved)}, "", "b", ""},
		{"two approved", []*snapshot.Grant{state("a", snapshot.Approved), state("b", snapshot.Approved)}, "", "", GrantAmbiguous},
		{"two proposed", []*snapshot.Grant{state("a", snapshot.Proposed), state("b", snapshot.Proposed)}, "", "", GrantAmbiguous},
		{"two approved, one named", []*snapshot.Grant{state("a", snapshot.Approved), state("b", snapshot.Approved)}, "b", "b", ""},
		{"an elevation in the place of what it lifts", []*snapshot.Grant{state("a", snapshot.Approved), lifts("e", "a", time.Second)}, "", "e", ""},
		{"an elevation that is over", []*snapshot.Grant{state("a", snapshot.Approved), lifts("e", "a", 0)}, "", "a", ""},
		{"an elevation of another grant", []*snapshot.Grant{state("a", snapshot.Approved), state("b", snapshot.Ended), lifts("e", "b", time.Second)}, "", "a", ""},
		{"two elevations", []*snapshot.Grant{state("a", snapshot.Approved), lifts("e", "a", time.Second), lifts("f", "a", time.Second)}, "", "", GrantAmbiguous},
		{"one is over, and another came after it", []*snapshot.Grant{until("a", snapshot.Approved, 0), until("b", snapshot.Approved, time.Hour)}, "", "b", ""},
		{"one is over, and two came after it", []*snapshot.Grant{until("a", snapshot.Approved, 0), until("b", snapshot.Approved, time.Hour), until("c", snapshot.Approved, time.Hour)}, "", "", GrantAmbiguous},
		{"both are over: the gates will say so of the later", []*snapshot.Grant{until("a", snapshot.Approved, -time.Minute), until("b", snapshot.Approved, 0), until("c", snapshot.Approved, -time.Second)}, "", "b", ""},
		{"one that is over, named", []*snapshot.Grant{until("a", snapshot.Approved, 0), until("b", snapshot.Approved, time.Hour)}, "a", "a", ""},
		{"one that was ended, and its elevation", []*snapshot.Grant{until("a", snapshot.Ended, time.Hour), lifts("e", "a", 0)}, "", "a", ""},
		{"the ordinary grant, named", []*snapshot.Grant{state("a", snapshot.Approved), lifts("e", "a", time.Second)}, "a", "a", ""},
		{"another application's", []*snapshot.Grant{{ID: "x", App: "rival", Approval: approved}}, "x", "", GrantMismatch},
		{"another application's is not counted", []*snapshot.Grant{{ID: "x", App: "rival", Approval: approved}, state("a", snapshot.Approved)}, "", "a", ""},
	} {
		e := (&snapshot.View{}).Edit()
		for _, g := range tc.grants {
			e.Put(g)
		}
		got, err := chooseGrant(e.Publish(1, 0, start), "triage", id.Grant(tc.asked), start)
		reason, _ := ReasonOf(err)
		if got != id.Grant(tc.want) || reason != tc.reason || (err != nil) != (tc.reason != "") {
			t.Errorf("%s: got %q %q, want %q %q", tc.name, got, reason, tc.want, tc.reason)
		}
	}
}

func TestSMARTConfiguration(t *testing.T) {
	w := newWorld(t)
	got, err := Discover(t.Context(), w.http(nil), w.base+"/fhir")
	if err != nil || got != w.tokenURL() {
		t.Fatalf("discovered %q, %v; want %q", got, err, w.tokenURL())
	}
	if _, err := Discover(t.Context(), w.http(nil), w.base); err == nil {
		t.Error("a server without the document was accepted")
	}
	resp, err := w.http(nil).Get(w.base + "/fhir/.well-known/smart-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var c map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	// What SMART App Launch 2 requires of every server that offers backend services.
	for _, field := range []string{"token_endpoint", "capabilities", "grant_types_supported", "code_challenge_methods_supported",
		"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported", "scopes_supported"} {
		if c[field] == nil {
			t.Errorf("%s is missing", field)
		}
	}
	if c["tls_client_certificate_bound_access_tokens"] != true {
		t.Error("RFC 8705: the binding of tokens is not announced")
	}
}

func FuzzAssertion(f *testing.F) {
	w := newWorld(f)
	good := w.good(w.claims())
	parts := strings.Split(good, ".")
	for _, s := range []string{"", good, good + "A", parts[0] + ".." + parts[2], "e30.e30.", `{"payload":""}`, parts[0] + "." + parts[1] + ".", "a.b.c.d.e"} {
		f.Add(s)
	}
	view, url, now := w.view.Load(), w.tokenURL(), w.now()
	f.Fuzz(func(t *testing.T, raw string) {
		a, reason := verifyAssertion(raw, view, url, now)
		if (reason == "") != (a.app != nil) {
			t.Fatalf("reason %q with app %v", reason, a.app)
		}
		// Without the key only the seed itself (or another form of its signature) passes.
		if reason == "" && !strings.HasPrefix(raw, parts[0]+"."+parts[1]+".") {
			t.Fatalf("accepted a forgery: %q", raw)
		}
	})
}
