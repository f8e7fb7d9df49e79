package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// rsaKeys are made once for all tests; each call of rsaKey gives the next, so that
// no two of one test are alike.
var (
	rsaKeys = sync.OnceValue(func() (out [8]*rsa.PrivateKey) {
		for i := range out {
			out[i] = must2(rsa.GenerateKey(rand.Reader, 2048))
		}
		return out
	})
	rsaNext atomic.Uint32
)

// A client registers itself by its certificate; people approve it; it states its
// purpose and gets a token.
func TestUDAPClient(t *testing.T) {
	w := newUDAPWorld(t)
	status, out := w.register(w.sign(w.statement()))
	if status != 201 || out["token_endpoint_auth_method"] != "private_key_jwt" || out["client_name"] != "Triage by UDAP" || out["software_statement"] == "" {
		t.Fatalf("got %d %v", status, out)
	}
	app := w.app(out["client_id"])
	if app.State != snapshot.Proposed || app.RequestedBy != "connector.com" || app.Vendor != "northwind" || app.Owner != "lin" || app.Kind != snapshot.Workload {
		t.Fatalf("registered as %+v", app)
	}
	if status, code, _ := w.post(w.device, w.tokenFor(app.ID, nil)); status != 400 || code != "unauthorized_client" || w.lastReason() != AppNotApproved {
		t.Errorf("before approval: %d %s %s", status, code, w.lastReason())
	}
	again, same := w.register(w.sign(w.statement()))
	if again != 200 || same["client_id"] != out["client_id"] {
		t.Errorf("the same again: %d %v", again, same["client_id"])
	}
	w = newUDAPWorld(t)
	key := w.admitted()
	if status, code, token := w.post(w.device, w.tokenFor(key, nil)); status != 200 || token == "" {
		t.Fatalf("token: %d %s %s", status, code, w.lastReason())
	}
	for name, cred := range map[string]*Credential{"no device": nil, "a rival's device": w.rival} {
		if status, _, _ := w.post(cred, w.tokenFor(key, nil)); status != 401 {
			t.Errorf("%s: %d", name, status)
		}
	}
	// A renewed certificate of the same key needs nobody; another key does.
	w.chain = w.community.member(w.key, func(c *x509.Certificate) { c.SerialNumber = big.NewInt(9) }, memberURI)
	if status, _, _ := w.post(w.device, w.tokenFor(key, nil)); status != 200 {
		t.Errorf("renewed certificate: %d %s", status, w.lastReason())
	}
	w.key = rsaKey()
	w.chain = w.community.member(w.key, nil, memberURI)
	if status, _, _ := w.post(w.device, w.tokenFor(key, nil)); status != 401 || w.lastReason() != AssertionKeyUnknown {
		t.Errorf("another key: %d %s", status, w.lastReason())
	}
	if status, out := w.register(w.sign(w.statement())); status != 200 || out["client_id"] != string(key) || w.app(key).State != snapshot.Proposed {
		t.Errorf("registered with another key: %d %v, %s", status, out, w.app(key).State)
	}
	cancel := w.statement()
	cancel["grant_types"] = []string{}
	if status, out := w.register(w.sign(cancel)); status != 200 || len(out["grant_types"].([]any)) != 0 || w.app(key).State != snapshot.Ended {
		t.Errorf("cancelled: %d %v, %s", status, out, w.app(key).State)
	}
	cancel["jti"] = "other"
	if status, _ := w.register(w.sign(cancel)); status != 400 {
		t.Errorf("cancelled twice: %d", status)
	}
}

// A hold on the connector stops its applications and new registrations.
func TestUDAPOnHold(t *testing.T) {
	w := newUDAPWorld(t)
	key := w.admitted()
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Hold{ID: "h-com", On: snapshot.Subject{Noun: snapshot.NounConnector, ID: "com"}})
	})
	if status, _, _ := w.post(w.device, w.tokenFor(key, nil)); status != 401 || w.lastReason() != CertificateUntrusted {
		t.Errorf("token: %d %s", status, w.lastReason())
	}
	if status, _ := w.register(w.sign(w.statement())); status != 400 {
		t.Errorf("registration: %d", status)
	}
}

// tokenFor is a token request of the application, with its certificate and its
// purpose.
func (w *udapWorld) tokenFor(app id.App, change func(head, claims map[string]any)) url.Values {
	claims := w.claims()
	claims["iss"], claims["sub"] = app, app
	claims["extensions"] = map[string]any{"hl7-b2b": map[string]any{"version": "1", "organization_id": "https://northwind.example", "purpose_of_use": []string{"urn:oid:2.16.840.1.113883.5.8#HOPERAT"}}}
	head := map[string]any{"x5c": w.chain}
	var key any = w.key
	alg := jose.RS256
	if change != nil {
		change(head, claims)
		if k, ok := head["key"]; ok {
			key = k
			delete(head, "key")
		}
		if a, ok := head["sign"]; ok {
			alg = a.(jose.SignatureAlgorithm)
			delete(head, "sign")
		}
	}
	form := tokenForm(signJWT(w.t, alg, key, head, claims))
	form.Set("udap", "1")
	return form
}

// One thing at a time is wrong with a registration.
func TestUDAPRegistrations(t *testing.T) {
	w := newUDAPWorld(t)
	p256 := must2(NewKey(256))
	set := func(k string, v any) string {
		s := w.statement()
		if s[k] = v; v == nil {
			delete(s, k)
		}
		return w.sign(s)
	}
	sets := func(kv map[string]any) string { s := w.statement(); maps.Copy(s, kv); return w.sign(s) }
	by := func(alg jose.SignatureAlgorithm, key any, head map[string]any) string {
		return signJWT(t, alg, key, head, w.statement())
	}
	chain := func(change func(*x509.Certificate), uris ...string) map[string]any {
		return map[string]any{"x5c": w.community.member(w.key, change, uris...)}
	}
	at := func(d time.Duration) int64 { return w.now().Add(d).Unix() }
	good := w.sign(w.statement())
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	stranger := newCommunity(t)
	code := map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "redirect_uris": []string{"https://a.example/cb"}, "scope": "user/Patient.rs"}
	spoilt := func(k string, v any) string { m := maps.Clone(code); m[k] = v; return sets(m) }
	chained := string(must2(json.Marshal(w.chain)))
	for _, tc := range []struct {
		name   string
		raw    string
		code   string
		reason Reason
	}{
		{"the same again", good, "", ""}, // used below
		{"replayed", good, "invalid_software_statement", AssertionReplayed},
		{"no certificate", by(jose.RS256, w.key, map[string]any{"kid": "k"}), "invalid_software_statement", StatementInvalid},
		{"a key in the header instead", by(jose.RS256, w.key, map[string]any{"jwk": jose.JSONWebKey{Key: w.key.Public()}}), "invalid_software_statement", StatementInvalid},
		{"a key beside the certificate", by(jose.RS256, w.key, map[string]any{"x5c": w.chain, "jwk": jose.JSONWebKey{Key: w.key.Public()}}), "invalid_software_statement", StatementInvalid},
		{"jku", by(jose.RS256, w.key, map[string]any{"x5c": w.chain, "jku": "https://evil.example"}), "invalid_software_statement", StatementInvalid},
		{"x5u", by(jose.RS256, w.key, map[string]any{"x5c": w.chain, "x5u": "https://evil.example"}), "invalid_software_statement", StatementInvalid},
		{"critical extension", by(jose.RS256, w.key, map[string]any{"x5c": w.chain, "crit": []string{"x"}, "x": 1}), "invalid_software_statement", StatementInvalid},
		{"type of an access token", by(jose.RS256, w.key, map[string]any{"x5c": w.chain, "typ": "at+jwt"}), "invalid_software_statement", StatementInvalid},
		{"alg none", b64([]byte(`{"alg":"none","x5c":`+chained+`}`)) + "." + parts[1] + ".", "invalid_software_statement", StatementInvalid},
		{"HS256 with the certificate", by(jose.HS256, []byte(w.chain[0]), map[string]any{"x5c": w.chain}), "invalid_software_statement", StatementInvalid},
		{"RS512", by(jose.RS512, w.key, map[string]any{"x5c": w.chain}), "invalid_software_statement", StatementInvalid},
		{"another key than the certificate's", by(jose.RS256, rsaKey(), map[string]any{"x5c": w.chain}), "invalid_software_statement", AssertionSignature},
		{"another kind of key", by(jose.ES256, p256, map[string]any{"x5c": w.chain}), "invalid_software_statement", StatementInvalid},
		{"not a certificate", by(jose.RS256, w.key, map[string]any{"x5c": []string{"AAAA"}}), "invalid_software_statement", StatementInvalid},
		{"certificate of another community", by(jose.RS256, w.key, map[string]any{"x5c": stranger.member(w.key, nil, memberURI)}), "unapproved_software_statement", StatementUntrusted},
		{"certificate of another member", by(jose.RS256, w.key, chain(nil, "https://contoso.example/app")), "unapproved_software_statement", StatementUntrusted},
		{"certificate without a URI", by(jose.RS256, w.key, chain(nil)), "unapproved_software_statement", StatementUntrusted},
		{"certificate with the URI as a name only", by(jose.RS256, w.key, chain(func(c *x509.Certificate) { c.Subject.CommonName = memberURI })), "unapproved_software_statement", StatementUntrusted},
		{"certificate with the URI and a slash", by(jose.RS256, w.key, chain(nil, memberURI+"/")), "unapproved_software_statement", StatementUntrusted},
		{"expired certificate", by(jose.RS256, w.key, chain(func(c *x509.Certificate) { c.NotAfter = w.now().Add(-time.Second) }, memberURI)), "unapproved_software_statement", StatementUntrusted},
		{"certificate of tomorrow", by(jose.RS256, w.key, chain(func(c *x509.Certificate) { c.NotBefore = w.now().Add(time.Hour) }, memberURI)), "unapproved_software_statement", StatementUntrusted},
		{"certificate of an authority", by(jose.RS256, w.key, chain(func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, memberURI)), "unapproved_software_statement", StatementUntrusted},
		{"issuer without a connector", set("iss", "https://nobody.example"), "unapproved_software_statement", StatementUntrusted},
		{"issuer of a connector that waits", set("iss", "https://waiting.example"), "unapproved_software_statement", StatementUntrusted},
		{"issuer of a rival", set("iss", "https://contoso.example/app"), "unapproved_software_statement", StatementUntrusted},
		{"no issuer", set("iss", nil), "unapproved_software_statement", StatementUntrusted},
		{"another subject", set("sub", "https://contoso.example/app"), "invalid_software_statement", StatementInvalid},
		{"another audience", set("aud", w.tokenURL()), "invalid_software_statement", StatementInvalid},
		{"two audiences", set("aud", []string{w.base + "/register", "https://x.example"}), "invalid_software_statement", StatementInvalid},
		{"no audience", set("aud", nil), "invalid_software_statement", StatementInvalid},
		{"no jti", set("jti", nil), "invalid_software_statement", StatementInvalid},
		{"jti too long", set("jti", strings.Repeat("j", maxJTI+1)), "invalid_software_statement", StatementInvalid},
		{"no exp", set("exp", nil), "invalid_software_statement", StatementInvalid},
		{"no iat", set("iat", nil), "invalid_software_statement", StatementInvalid},
		{"lives longer than five minutes", set("exp", at(5*time.Minute+time.Second)), "invalid_software_statement", AssertionTooLong},
		{"expired", sets(map[string]any{"iat": at(-5 * time.Minute), "exp": at(-skew)}), "invalid_software_statement", AssertionExpired},
		{"from the future", sets(map[string]any{"iat": at(skew + time.Second), "exp": at(2 * time.Minute)}), "invalid_software_statement", AssertionFromFuture},
		{"iat after exp", set("exp", at(-time.Second)), "invalid_software_statement", StatementInvalid},
		{"claims named twice", parts[0] + "." + b64([]byte(`{"iss":"`+memberURI+`","iss":"x"}`)) + "." + parts[2], "invalid_software_statement", StatementInvalid},
		{"too long", set("x", strings.Repeat("x", 37_000)), "invalid_software_statement", StatementInvalid},
		{"no name", set("client_name", nil), "invalid_client_metadata", StatementInvalid},
		{"name with a line end", set("client_name", "a\nb"), "invalid_client_metadata", StatementInvalid},
		{"no contacts", set("contacts", nil), "invalid_client_metadata", StatementInvalid},
		{"contact without mailto", set("contacts", []string{"ops@northwind.example"}), "invalid_client_metadata", StatementInvalid},
		{"no grant types", set("grant_types", nil), "invalid_client_metadata", StatementInvalid},
		{"another grant type", set("grant_types", []string{"client_credentials", "password"}), "invalid_client_metadata", StatementInvalid},
		{"both grant types", set("grant_types", []string{"client_credentials", "authorization_code"}), "invalid_client_metadata", StatementInvalid},
		{"refresh token by itself", set("grant_types", []string{"client_credentials", "refresh_token"}), "invalid_client_metadata", StatementInvalid},
		{"a client secret", set("token_endpoint_auth_method", "client_secret_basic"), "invalid_client_metadata", StatementInvalid},
		{"no authentication", set("token_endpoint_auth_method", "none"), "invalid_client_metadata", StatementInvalid},
		{"scope of version 1", set("scope", "system/Patient.read"), "invalid_client_metadata", StatementInvalid},
		{"no scope", set("scope", nil), "invalid_client_metadata", StatementInvalid},
		{"redirect without a code", set("redirect_uris", []string{"https://a.example/cb"}), "invalid_client_metadata", StatementInvalid},
		{"code without redirect", spoilt("redirect_uris", []string{}), "invalid_client_metadata", StatementInvalid},
		{"redirect over http", spoilt("redirect_uris", []string{"http://127.0.0.1/cb"}), "invalid_client_metadata", StatementInvalid},
		{"no response type", spoilt("response_types", []string{}), "invalid_client_metadata", StatementInvalid},
		{"response type token", spoilt("response_types", []string{"token"}), "invalid_client_metadata", StatementInvalid},
		{"another name later", set("client_name", "Something else"), "invalid_client_metadata", StatementInvalid},
		{"other redirects later", sets(maps.Clone(code)), "invalid_client_metadata", StatementInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := w.view.Load().Version()
			status, out := w.register(tc.raw)
			got, _ := out["error"].(string)
			if got != tc.code || tc.code != "" && (status != 400 || w.lastReason() != tc.reason) || tc.code == "" && status != 201 {
				t.Errorf("got %d %q %q, want %q %q", status, got, w.lastReason(), tc.code, tc.reason)
			}
			if tc.code != "" && w.view.Load().Version() != before {
				t.Error("the registry changed")
			}
		})
	}
	for name, body := range map[string]string{"not JSON": "x", "no statement": `{"udap":"1"}`, "no version": `{"software_statement":"` + w.sign(w.statement()) + `"}`,
		"too long": `{"udap":"1","x":"` + strings.Repeat("x", maxRegister) + `"}`, "named twice": `{"udap":"1","software_statement":"a","software_statement":"b"}`} {
		if status, out := w.postJSON(body); status != 400 || out["error"] != "invalid_client_metadata" {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	w.failBook(true)
	cancel := w.statement()
	cancel["grant_types"] = []string{}
	if status, _ := w.register(w.sign(cancel)); status != 503 {
		t.Errorf("the registry does not answer: %d", status)
	}
}

// A client for people registers with its addresses, and its people consent.
func TestUDAPClientForPeople(t *testing.T) {
	w := newUDAPWorld(t)
	s := w.statement()
	maps.Copy(s, map[string]any{"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"}, "redirect_uris": []string{"https://a.example/cb"}, "scope": "user/Patient.rs online_access", "logo_uri": "https://a.example/l.png"})
	status, out := w.register(w.sign(s))
	if status != 201 {
		t.Fatalf("got %d %v", status, out)
	}
	app := *w.app(out["client_id"])
	if app.Kind != snapshot.Human || !slices.Equal(app.Redirects, []string{"https://a.example/cb"}) || app.Public {
		t.Errorf("registered as %+v", app)
	}
	w.edit(func(e *snapshot.Edit) {
		app.Approval = approved
		e.Put(&app)
		e.Put(&snapshot.Grant{ID: "people", App: app.ID, Person: "lin", Engagement: "eval", Approval: approved})
	})
	code := w.code(nil, func(q url.Values) { q.Set("client_id", string(app.ID)); q.Set("redirect_uri", "https://a.example/cb") })
	form := w.tokenFor(app.ID, func(_, claims map[string]any) { delete(claims, "extensions") })
	maps.Copy(form, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {"https://a.example/cb"}, "code_verifier": {verifier}})
	form.Del("scope")
	if status, _, _ := w.post(w.device, form); status != 200 {
		t.Errorf("token: %d %s", status, w.lastReason())
	}
}

// How a registered client may authenticate, and how nobody else may as it.
func TestUDAPAssertions(t *testing.T) {
	w := newUDAPWorld(t)
	app := w.admitted()
	other := rsaKey()
	for _, tc := range []struct {
		name   string
		change func(head, claims map[string]any)
		want   Reason
	}{
		{"good", nil, ""},
		{"RS384", func(h, _ map[string]any) { h["sign"] = jose.RS384 }, ""},
		{"no certificate", func(h, _ map[string]any) {
			delete(h, "x5c")
			h["kid"] = kidOf(t, w.key.Public())
			h["sign"] = jose.RS384
		}, AssertionKeyUnknown},
		{"RS256 without a certificate", func(h, _ map[string]any) { delete(h, "x5c"); h["kid"] = kidOf(t, w.key.Public()) }, AssertionMalformed},
		{"certificate of another member", func(h, _ map[string]any) {
			h["x5c"], h["key"] = w.community.member(other, nil, "https://contoso.example/app"), other
		}, CertificateUntrusted},
		{"a stolen URI, of another community", func(h, _ map[string]any) { h["x5c"] = newCommunity(t).member(w.key, nil, memberURI) }, CertificateUntrusted},
		{"expired certificate", func(h, _ map[string]any) {
			h["x5c"] = w.community.member(w.key, func(c *x509.Certificate) { c.NotAfter = w.now() }, memberURI)
			w.advance(time.Second)
		}, CertificateUntrusted},
		{"certificate of a key that is not registered", func(h, _ map[string]any) { h["x5c"], h["key"] = w.community.member(other, nil, memberURI), other }, AssertionKeyUnknown},
		{"another signature", func(h, _ map[string]any) { h["key"] = other }, AssertionSignature},
		{"as another application", func(_, c map[string]any) { c["iss"], c["sub"] = "triage", "triage" }, AssertionKeyUnknown},
		{"aud of the registration", func(_, c map[string]any) { c["aud"] = w.base + "/register" }, AssertionClaims},
	} {
		status, _, _ := w.post(w.device, w.tokenFor(app, tc.change))
		if w.lastReason() != tc.want || (status == 200) != (tc.want == "") {
			t.Errorf("%s: got %d %q, want %q", tc.name, status, w.lastReason(), tc.want)
		}
	}
	w.edit(func(e *snapshot.Edit) {
		c, _ := e.View().Connectors.Get("com")
		x := *c
		x.State = snapshot.Ended
		e.Put(&x)
	})
	if status, _, _ := w.post(w.device, w.tokenFor(app, nil)); status != 401 || w.lastReason() != CertificateUntrusted {
		t.Errorf("connector revoked: %d %s", status, w.lastReason())
	}
	// An application of SMART with a certificate in its assertion is not what was registered.
	raw := signJWT(t, jose.ES384, w.appKey, map[string]any{"kid": kidOf(t, w.appKey.Public()), "x5c": w.chain}, w.claims())
	if status, _, _ := w.post(w.device, tokenForm(raw)); status != 401 || w.lastReason() != AssertionKeyUnknown {
		t.Errorf("SMART with a certificate: %d %s", status, w.lastReason())
	}
}

// The purpose of use must be that of the engagement; what is not in the table is
// no purpose.
func TestPurposeOfUse(t *testing.T) {
	w := newUDAPWorld(t)
	app := w.admitted()
	use := func(codes ...string) func(head, claims map[string]any) {
		return func(_, c map[string]any) {
			c["extensions"].(map[string]any)["hl7-b2b"].(map[string]any)["purpose_of_use"] = codes
		}
	}
	drop := func(member string) func(head, claims map[string]any) {
		return func(_, c map[string]any) {
			delete(c["extensions"].(map[string]any)["hl7-b2b"].(map[string]any), member)
		}
	}
	const oid = "urn:oid:2.16.840.1.113883.5.8#"
	for _, tc := range []struct {
		name   string
		change func(head, claims map[string]any)
		ok     bool
	}{
		{"operations", use(oid + "HOPERAT"), true},
		{"by the other name of the code system", use("http://terminology.hl7.org/CodeSystem/v3-ActReason#HQUALIMP"), true},
		{"two that both permit it", use(oid+"HOPERAT", oid+"PERFMSR"), true},
		{"two of which one does not", use(oid+"HOPERAT", oid+"TREAT"), false},
		{"treatment", use(oid + "TREAT"), false},
		{"research", use(oid + "HRESCH"), false},
		{"system administration", use(oid + "HSYSADMIN"), false},
		{"marketing, which permits nothing", use(oid + "HMARKT"), false},
		{"not a code", use(oid + "X"), false},
		{"in lower case", use(oid + "hoperat"), false},
		{"without its code system", use("HOPERAT"), false},
		{"of another code system", use("urn:oid:1.2.3#HOPERAT"), false},
		{"none", use(), false},
		{"too many", use(slices.Repeat([]string{oid + "HOPERAT"}, maxPurposes+1)...), false},
		{"no organisation", drop("organization_id"), false},
		{"no version", drop("version"), false},
		{"no purpose", drop("purpose_of_use"), false},
		{"no extension", func(_, c map[string]any) { delete(c, "extensions") }, false},
		{"another extension only", func(_, c map[string]any) { c["extensions"] = map[string]any{"x": 1} }, false},
	} {
		status, code, _ := w.post(w.device, w.tokenFor(app, tc.change))
		if (status == 200) != tc.ok || !tc.ok && (status != 400 || code != "invalid_grant" || w.lastReason() != PurposeMismatch) {
			t.Errorf("%s: got %d %s %s", tc.name, status, code, w.lastReason())
		}
	}
	// One that is not registered by UDAP need not say a purpose, but must not say a wrong one.
	c := w.claims()
	c["extensions"] = map[string]any{"hl7-b2b": map[string]any{"version": "1", "organization_id": "x", "purpose_of_use": []string{oid + "TREAT"}}}
	if status, code, _ := w.post(w.device, tokenForm(w.good(c))); status != 400 || code != "invalid_grant" {
		t.Errorf("SMART with a wrong purpose: %d %s", status, code)
	}
}

// Every row of the table names a category and purposes that exist, and none that
// only an authorization could allow.
func TestPurposeTable(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range purposeOfUse {
		if seen[row.code] || !slices.Contains(hipaa.Categories, row.category) || len(row.purposes) == 0 {
			t.Errorf("%s: the row is wrong", row.code)
		}
		seen[row.code] = true
		for _, p := range row.purposes {
			if !slices.Contains(hipaa.Purposes, p) || p == hipaa.ProductImprovement || p == hipaa.TrainSharedModel && row.category != hipaa.Research {
				t.Errorf("%s permits %s", row.code, p)
			}
		}
	}
}

// The metadata is signed by the server's certificate, for the base URL that stands
// in it.
func TestUDAPMetadata(t *testing.T) {
	w := newUDAPWorld(t)
	get := func(base, query string) (int, map[string]any) {
		rec := httptest.NewRecorder()
		w.udap.Metadata(base).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, base+"/.well-known/udap"+query, nil))
		var out map[string]any
		json.Unmarshal(rec.Body.Bytes(), &out) // 404 and 204 have none
		return rec.Code, out
	}
	base := w.base + "/fhir"
	status, m := get(base, "")
	if status != 200 {
		t.Fatal(status)
	}
	for _, field := range []string{"udap_versions_supported", "udap_profiles_supported", "udap_authorization_extensions_supported", "udap_authorization_extensions_required",
		"udap_certifications_supported", "grant_types_supported", "scopes_supported", "token_endpoint", "token_endpoint_auth_methods_supported",
		"token_endpoint_auth_signing_alg_values_supported", "registration_endpoint", "registration_endpoint_jwt_signing_alg_values_supported", "signed_metadata"} {
		if m[field] == nil {
			t.Errorf("%s is missing", field)
		}
	}
	jws := must2(jose.ParseSignedCompact(m["signed_metadata"].(string), []jose.SignatureAlgorithm{jose.RS256}))
	roots := x509.NewCertPool()
	roots.AddCert(w.community.cert)
	chains := must2(jws.Signatures[0].Protected.Certificates(x509.VerifyOptions{Roots: roots, CurrentTime: w.now(), KeyUsages: anyUsage}))
	payload := must2(jws.Verify(chains[0][0].PublicKey))
	var c struct {
		jwt.Claims
		Token    string `json:"token_endpoint"`
		Register string `json:"registration_endpoint"`
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	if c.Issuer != base || c.Subject != base || !names(chains[0][0], base) || c.ID == "" || c.Expiry.Time().Sub(c.IssuedAt.Time()) > 365*24*time.Hour || c.Token != w.tokenURL() || c.Register != w.base+"/register" {
		t.Errorf("signed: %+v", c)
	}
	for query, want := range map[string]int{"?community=urn:community": 200, "?community=urn:other": 204, "?community=": 204} {
		if got, _ := get(base, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	if got, _ := get(w.base+"/other", ""); got != 404 {
		t.Errorf("a base that the certificate does not name: %d", got)
	}
	w.advance(2 * 365 * 24 * time.Hour)
	if got, _ := get(base, ""); got != 404 {
		t.Errorf("the certificate has expired: %d", got)
	}
}

func FuzzSoftwareStatement(f *testing.F) {
	w := newUDAPWorld(f)
	good := w.sign(w.statement())
	parts := strings.Split(good, ".")
	for _, s := range []string{"", good, good + "A", parts[0] + ".." + parts[2], "e30.e30.", parts[0] + "." + parts[1] + ".", "a.b.c"} {
		f.Add(s)
	}
	view, now := w.view.Load(), w.now()
	f.Fuzz(func(t *testing.T, raw string) {
		s, c, err := w.udap.read(raw, view, now)
		if (err == nil) != (s != nil) {
			t.Fatalf("%v with %v", err, s)
		}
		if err == nil && (c == nil || !strings.HasPrefix(raw, parts[0]+"."+parts[1]+".")) {
			t.Fatalf("accepted a forgery: %q", raw)
		}
	})
}
