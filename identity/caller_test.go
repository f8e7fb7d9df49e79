package identity

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// A vendor's program gets a token and is recognised by device, app and grant.
func TestKnownCaller(t *testing.T) {
	w := newWorld(t)
	c := w.client(w.device)
	req := must[*http.Request](t)(http.NewRequest("GET", w.base+"/fhir/Patient/1", nil))
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got seenCaller
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != 200 {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	want := seenCaller{"northwind", "triage", "mac-7", "g1", snapshot.Workload, got.Scope, got.Transport, "", ""}
	if got != want {
		t.Errorf("caller: got %+v, want %+v", got, want)
	}
	tr := got.Transport
	if tr.TLSVersion != "1.3" || tr.TokenBinding != "mtls" || len(tr.CertificateSHA256) != 64 {
		t.Errorf("transport: %+v", tr)
	}
	if tr.KeyExchange != "X25519MLKEM768" {
		t.Errorf("key exchange: got %s, want X25519MLKEM768 (post-quantum) between Go peers", tr.KeyExchange)
	}
}

// Every way of not being known gives the same bare 401.
func TestStrangers(t *testing.T) {
	w := newWorld(t)
	good := w.mint(w.device, nil)
	stranger := must[*Authority](t)(CreateAuthority(filepath.Join(t.TempDir(), "x"), "Elsewhere", w.now()))
	forged := must[*Credential](t)(stranger.IssueClient(DeviceSubject("mac-7"), 0, w.now()))
	unregistered := must[*Credential](t)(w.ca.IssueClient(DeviceSubject("mac-7"), 0, w.now()))
	server := must[*Credential](t)(w.ca.IssueServer([]string{"mac-7"}, w.now()))
	other := must[*Tokens](t)(NewTokens(w.base, w.base+"/fhir", must2(NewKey(256))))
	for _, tc := range []struct {
		name   string
		cred   *Credential
		token  string
		reason Reason
	}{
		{"no certificate", nil, good, NoCertificate},
		{"certificate of another authority, with a registered name", forged, good, CertificateUntrusted},
		{"server certificate as a client's", server, good, CertificateUntrusted},
		{"right authority and name, key not registered", unregistered, good, DeviceUnknown},
		{"person's certificate", w.ada, w.mint(w.ada, nil), DeviceUnknown},
		{"no token", w.device, "", TokenAbsent},
		{"token over another device of the same vendor", w.device2, good, TokenBoundElsewhere},
		{"token over a rival's device", w.rival, good, TokenBoundElsewhere},
		{"app of another vendor than the device", w.rival, w.mint(w.rival, nil), AppVendorMismatch},
		{"app not registered", w.device, w.mint(w.device, func(k *token) { k.app = "nobody" }), AppUnknown},
		{"grant of another app", w.rival, w.mint(w.rival, func(k *token) { k.app = "rival" }), GrantMismatch},
		{"grant unknown", w.device, w.mint(w.device, func(k *token) { k.grant = "g9" }), GrantMismatch},
		{"expired this instant", w.device, w.mint(w.device, func(k *token) { k.expires = w.now() }), TokenExpired},
		{"issued in the future", w.device, w.mint(w.device, func(k *token) { k.issued = w.now().Add(skew + time.Second) }), TokenFromFuture},
		{"signed by another key", w.device, func() string {
			return must[string](t)(other.sign(token{id: "t", app: "triage", scopes: must[Scopes](t)(ParseScopes("system/Patient.rs")),
				binding: binding(w.device), issued: w.now(), expires: w.now().Add(time.Minute)}))
		}(), TokenInvalid},
		{"not a token", w.device, "abc", TokenMalformed},
		{"assertion as token", w.device, w.good(w.claims()), TokenInvalid},
		{"longer than allowed", w.device, strings.Repeat("a", maxToken) + ".b.c", TokenMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, _ := w.get(w.http(tc.cred), tc.token)
			if status != 401 {
				t.Errorf("status: got %d, want 401", status)
			}
			if got := w.lastReason(); got != tc.reason {
				t.Errorf("reason: got %s, want %s", got, tc.reason)
			}
		})
	}
	if status, _ := w.get(w.http(w.device), good); status != 200 {
		t.Fatalf("the token that all of this began with: got %d, want 200", status)
	}
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Access tokens with anything but the server's own claims and key are refused,
// each signed properly except for the one thing that is wrong.
func TestForgedAccessTokens(t *testing.T) {
	w := newWorld(t)
	key := must2(NewKey(256))
	w.tokens = must[*Tokens](t)(NewTokens(w.base, w.base+"/fhir", key))
	b := binding(w.device)
	claims := func(change func(map[string]any)) map[string]any {
		m := map[string]any{"iss": w.base, "sub": "triage", "client_id": "triage", "aud": w.base + "/fhir", "jti": "x", "scope": "system/Patient.rs",
			"exp": w.now().Add(time.Minute).Unix(), "iat": w.now().Unix(), "cnf": map[string]any{"x5t#S256": base64.RawURLEncoding.EncodeToString(b[:])}}
		if change != nil {
			change(m)
		}
		return m
	}
	head := map[string]any{"typ": accessTokenType, "kid": w.tokens.kid}
	sign := func(change func(map[string]any)) string { return signJWT(t, jose.ES256, key, head, claims(change)) }
	if _, reason := w.tokens.verify(sign(nil)); reason != "" {
		t.Fatalf("a good token: got %s", reason)
	}
	spki := must[[]byte](t)(x509.MarshalPKIXPublicKey(key.Public()))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"at+jwt","kid":"`+w.tokens.kid+`"}`)) + "." +
		base64.RawURLEncoding.EncodeToString(must[[]byte](t)(json.Marshal(claims(nil)))) + "."
	set := func(k string, v any) func(map[string]any) { return func(m map[string]any) { m[k] = v } }
	del := func(k string) func(map[string]any) { return func(m map[string]any) { delete(m, k) } }
	good := sign(nil)
	parts := strings.Split(good, ".")
	for name, tc := range map[string]struct {
		raw  string
		want Reason
	}{
		"alg none":                   {none, TokenInvalid},
		"HS256 with the public key":  {signJWT(t, jose.HS256, spki, head, claims(nil)), TokenInvalid},
		"ES384 with another key":     {signJWT(t, jose.ES384, must2(NewKey(384)), head, claims(nil)), TokenInvalid},
		"type JWT":                   {signJWT(t, jose.ES256, key, map[string]any{"typ": "JWT", "kid": w.tokens.kid}, claims(nil)), TokenInvalid},
		"no type":                    {signJWT(t, jose.ES256, key, map[string]any{"kid": w.tokens.kid}, claims(nil)), TokenInvalid},
		"unknown kid":                {signJWT(t, jose.ES256, key, map[string]any{"typ": accessTokenType, "kid": "k"}, claims(nil)), TokenInvalid},
		"no kid":                     {signJWT(t, jose.ES256, key, map[string]any{"typ": accessTokenType}, claims(nil)), TokenInvalid},
		"other issuer":               {sign(set("iss", "https://elsewhere")), TokenInvalid},
		"other audience":             {sign(set("aud", "https://elsewhere")), TokenInvalid},
		"two audiences":              {sign(set("aud", []string{w.base + "/fhir", "https://elsewhere"})), TokenInvalid},
		"no expiry":                  {sign(del("exp")), TokenInvalid},
		"no issue time":              {sign(del("iat")), TokenInvalid},
		"no client":                  {sign(del("client_id")), TokenInvalid},
		"client is not the subject":  {sign(set("client_id", "rival")), TokenInvalid},
		"no scope":                   {sign(del("scope")), TokenInvalid},
		"unbound":                    {sign(del("cnf")), TokenUnbound},
		"bound to nothing":           {sign(set("cnf", map[string]any{"x5t#S256": ""})), TokenUnbound},
		"bound by another method":    {sign(set("cnf", map[string]any{"jkt": "abc"})), TokenUnbound},
		"binding of a wrong length":  {sign(set("cnf", map[string]any{"x5t#S256": "YWJj"})), TokenUnbound},
		"payload changed":            {parts[0] + "." + base64.RawURLEncoding.EncodeToString(must[[]byte](t)(json.Marshal(claims(set("scope", "system/*.cruds"))))) + "." + parts[2], TokenInvalid},
		"signature cut":              {good[:len(good)-8], TokenInvalid},
		"signature of another token": {parts[0] + "." + parts[1] + "." + strings.Split(sign(set("jti", "y")), ".")[2], TokenInvalid},
	} {
		if tok, got := w.tokens.verify(tc.raw); got != tc.want || tok != nil {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

// A former key's tokens are accepted, so that the key can be changed.
func TestTokenKeyRotation(t *testing.T) {
	w := newWorld(t)
	former, present := must2(NewKey(256)), must2(NewKey(256))
	old := must[*Tokens](t)(NewTokens(w.base, w.base+"/fhir", former))
	now := must[*Tokens](t)(NewTokens(w.base, w.base+"/fhir", present, former.Public()))
	k := token{id: "t", app: "triage", scopes: must[Scopes](t)(ParseScopes("system/Patient.rs")), binding: binding(w.device), issued: w.now(), expires: w.now().Add(time.Minute)}
	if _, reason := now.verify(must2(old.sign(k))); reason != "" {
		t.Errorf("token of the former key: got %s", reason)
	}
	if _, reason := old.verify(must2(now.sign(k))); reason != TokenInvalid {
		t.Errorf("token of a key that is not known: got %q, want %s", reason, TokenInvalid)
	}
}

// Revocation is the gates' matter: who is revoked stays known, and hears why.
func TestRevokedIsKnown(t *testing.T) {
	w := newWorld(t)
	raw := w.mint(w.device, nil)
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.Device{ID: "mac-7", Vendor: "northwind", Key256: w.device.KeyDigest(), Approval: snapshot.Approval{State: snapshot.Ended}})
		app, _ := e.View().Apps.Get("triage")
		a := *app
		a.State = snapshot.Suspended
		e.Put(&a)
	})
	if status, seen := w.get(w.http(w.device), raw); status != 200 || seen.App != "triage" || seen.Device != "mac-7" {
		t.Errorf("got %d %+v, want a known caller", status, seen)
	}
	// But the suspended application gets no further tokens.
	if status, code, _ := w.post(w.device, tokenForm(w.good(w.claims()))); status != 400 || code != "unauthorized_client" {
		t.Errorf("token for a suspended app: got %d %s", status, code)
	}
}

// A token and a certificate end on a connection that stays open.
func TestTimePassesOnOneConnection(t *testing.T) {
	w := newWorld(t)
	hc := w.http(w.device)
	raw := w.mint(w.device, nil)
	check := func(token string, want int, reason Reason) {
		t.Helper()
		if got, _ := w.get(hc, token); got != want {
			t.Errorf("status: got %d, want %d", got, want)
		} else if want == 401 && w.lastReason() != reason {
			t.Errorf("reason: got %s, want %s", w.lastReason(), reason)
		}
	}
	check(raw, 200, "")
	w.advance(TokenLife - time.Nanosecond)
	check(raw, 200, "")
	w.advance(time.Nanosecond)
	check(raw, 401, TokenExpired)
	w.advance(-TokenLife - skew - time.Second) // the clock goes backwards
	check(raw, 401, TokenFromFuture)
	w.advance(ClientLife + skew + 2*time.Second)
	check(w.mint(w.device, nil), 401, CertificateExpired)
}

func TestAuthorizationHeader(t *testing.T) {
	for _, tc := range []struct {
		values []string
		want   string
		reason Reason
	}{
		{nil, "", TokenAbsent},
		{[]string{"Bearer a.b.c"}, "a.b.c", ""},
		{[]string{"bEaReR a.b.c"}, "a.b.c", ""},
		{[]string{"DPoP a.b.c"}, "a.b.c", ""},
		{[]string{"dpop a.b.c"}, "a.b.c", ""},
		{[]string{"DPoP"}, "", TokenMalformed},
		{[]string{"DPoP Bearer a.b.c"}, "", TokenMalformed},
		{[]string{"Bearer a.b.c, DPoP a.b.c"}, "", TokenMalformed},
		{[]string{"Bearer a.b.c", "Bearer a.b.c"}, "", TokenMalformed},
		{[]string{"Bearer a.b.c, Bearer d.e.f"}, "", TokenMalformed},
		{[]string{"Bearer  a.b.c"}, "", TokenMalformed},
		{[]string{"Bearer a.b.c "}, "", TokenMalformed},
		{[]string{"Bearer a.b"}, "", TokenMalformed},
		{[]string{"Basic YTpi"}, "", TokenMalformed},
		{[]string{"Bearer"}, "", TokenMalformed},
		{[]string{"Bearer "}, "", TokenMalformed},
		{[]string{""}, "", TokenMalformed},
	} {
		got, _, reason := credentials(http.Header{"Authorization": tc.values})
		if tc.values == nil {
			got, _, reason = credentials(http.Header{})
		}
		if got != tc.want || reason != tc.reason {
			t.Errorf("%q: got %q %q, want %q %q", tc.values, got, reason, tc.want, tc.reason)
		}
	}
}

func (w *world) request(c *Credential, authorization string) *http.Request {
	r := httptest.NewRequest("GET", w.base+"/fhir/Patient/1", nil)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, CurveID: tls.X25519MLKEM768}
	if c != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{c.leaf}
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return r.WithContext(w.verifier.ConnContext(r.Context(), nil))
}

// A chain is verified once a connection.
func TestConnectionIsRemembered(t *testing.T) {
	w := newWorld(t)
	r := w.request(w.device, "Bearer "+w.mint(w.device, nil))
	first, second := must[Caller](t)(w.verifier.Caller(r, w.view.Load())), must[Caller](t)(w.verifier.Caller(r, w.view.Load()))
	if first.peer != second.peer {
		t.Error("the peer was worked out again")
	}
	bare := r.WithContext(t.Context())
	if third := must[Caller](t)(w.verifier.Caller(bare, w.view.Load())); third.Transport() != first.Transport() {
		t.Error("without ConnContext the caller is another")
	}
}

// What one connection has proved says nothing about another, even if their
// requests were mixed up.
func TestConnectionMemoryIsNotBorrowed(t *testing.T) {
	w := newWorld(t)
	r := w.request(w.device, "Bearer "+w.mint(w.device, nil))
	if _, err := w.verifier.Caller(r, w.view.Load()); err != nil {
		t.Fatal(err)
	}
	mixed := w.request(w.rival, r.Header.Get("Authorization")).WithContext(r.Context())
	if _, err := w.verifier.Caller(mixed, w.view.Load()); err == nil {
		t.Error("a rival's request in the context of northwind's connection was accepted")
	}
	elsewhere := must[*Verifier](t)(NewVerifier(x509.NewCertPool(), w.tokens, w.now, 0))
	if _, err := elsewhere.Caller(r, w.view.Load()); err == nil {
		t.Error("a verifier with no authorities used what another had found")
	}
}

func TestZeroCallerIsNobody(t *testing.T) {
	var c Caller
	if c.Known() || c.App() != "" || c.Grant() != "" || c.Device() != "" || c.Vendor() != "" || c.Transport() != (Transport{}) || c.Scopes().String() != "" || !c.Expires().IsZero() {
		t.Error("the zero Caller is somebody")
	}
	w := newWorld(t)
	for name, f := range map[string]func() error{
		"nil view": func() error { _, err := w.verifier.Caller(w.request(w.device, "Bearer a.b.c"), nil); return err },
		"empty view": func() error {
			_, err := w.verifier.Caller(w.request(w.device, "Bearer a.b.c"), &snapshot.View{})
			return err
		},
		"no TLS": func() error {
			_, err := w.verifier.Caller(httptest.NewRequest("GET", "http://x/", nil), w.view.Load())
			return err
		},
		"person, nil view": func() error { _, err := w.verifier.Person(w.request(w.ada, ""), nil); return err },
	} {
		if f() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPerson(t *testing.T) {
	w := newWorld(t)
	vendors := must[*Credential](t)(w.ca.IssueClient(PersonSubject("vera"), 0, w.now()))
	put := func(p snapshot.Person) { w.edit(func(e *snapshot.Edit) { e.Put(&p) }) }
	put(snapshot.Person{ID: "vera", Vendor: "northwind", Key256: vendors.KeyDigest(), Approval: approved})
	ask := func(c *Credential) (id.Person, problem.Kind) {
		p, err := w.verifier.Person(w.request(c, ""), w.view.Load())
		if err != nil {
			return p, problem.From(err).Kind
		}
		return p, ""
	}
	for _, tc := range []struct {
		name string
		cred *Credential
		who  id.Person
		kind problem.Kind
	}{
		{"the organisation's person", w.ada, "ada", ""},
		{"a vendor's person", vendors, "", problem.Unknown},
		{"a device", w.device, "", problem.Unknown},
		{"nobody", nil, "", problem.Unknown},
	} {
		if who, kind := ask(tc.cred); who != tc.who || kind != tc.kind {
			t.Errorf("%s: got %q %q, want %q %q", tc.name, who, kind, tc.who, tc.kind)
		}
	}
	hold := snapshot.Hold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "ada"}, PlacedAt: w.now()}
	w.edit(func(e *snapshot.Edit) { h := hold; e.Put(&h) })
	if who, kind := ask(w.ada); who != "" || kind != problem.Refused {
		t.Errorf("on hold: got %q %q", who, kind)
	}
	w.edit(func(e *snapshot.Edit) { h := hold; h.LiftedAt = w.now(); e.Put(&h) })
	if who, _ := ask(w.ada); who != "ada" {
		t.Errorf("hold lifted: got %q", who)
	}
	for _, s := range []snapshot.State{"", snapshot.Proposed, snapshot.Suspended, snapshot.Ended} {
		put(snapshot.Person{ID: "ada", Key256: w.ada.KeyDigest(), Approval: snapshot.Approval{State: s}})
		if who, kind := ask(w.ada); who != "" || kind != problem.Refused {
			t.Errorf("state %q: got %q %q, want refused", s, who, kind)
		}
	}
}

// The memory of tokens stays bounded and stays right.
func TestTokenMemoryIsBounded(t *testing.T) {
	w := newWorld(t)
	w.verifier = must[*Verifier](t)(NewVerifier(w.ca.Pool(), w.tokens, w.now, 32))
	var raws []string
	for i := range 100 {
		raws = append(raws, w.mint(w.device, func(k *token) { k.id = fmt.Sprint(i) }))
	}
	for range 2 {
		for _, raw := range raws {
			if _, err := w.verifier.Caller(w.request(w.device, "Bearer "+raw), w.view.Load()); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := 0
	for i := range w.verifier.seen.shards {
		n += len(w.verifier.seen.shards[i].tokens)
	}
	if n > 32 {
		t.Errorf("remembered tokens: got %d, want at most 32", n)
	}
}

// Neither logs nor errors hold any part of a token or an assertion.
func TestNoSecretsInLogs(t *testing.T) {
	w := newWorld(t)
	const canary = "CanaryZebra"
	assertions := []string{w.good(w.claims()), canary + "." + canary + "." + canary}
	c := w.claims()
	c["iss"], c["jti"] = canary, canary
	assertions = append(assertions, w.good(c))
	for _, a := range assertions {
		w.post(w.device, tokenForm(a))
		form := tokenForm(a)
		form.Set("scope", canary)
		form.Set("grant", canary)
		form.Set("client_id", canary)
		w.post(w.device, form)
	}
	_, _, issued := w.post(w.device, tokenForm(w.good(w.claims())))
	if issued == "" {
		t.Fatal("no token")
	}
	tokens := []string{issued, canary + "." + canary + "." + canary, w.mint(w.device2, nil)}
	for _, tok := range tokens {
		w.get(w.http(w.device), tok)
	}
	log := w.log.String()
	for _, secret := range append(append(assertions, tokens...), canary) {
		for _, part := range strings.Split(secret, ".") {
			if len(part) > 8 && strings.Contains(log, part) {
				t.Errorf("the log holds %q", part)
			}
		}
	}
	if !strings.Contains(log, `"access token issued"`) {
		t.Error("the issue of a token is not logged")
	}
}

func FuzzAuthorization(f *testing.F) {
	w := newWorld(f)
	good := w.mint(w.device, nil)
	for _, s := range []string{"", "Bearer", "Bearer a.b.c", "Bearer " + good, "Basic eDp5", "bearer " + good[:40], "Bearer ..", "Bearer " + strings.Repeat("A", 9000) + ".b.c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		c, err := w.verifier.Caller(w.request(w.device, header), w.view.Load())
		if (err == nil) != c.Known() {
			t.Fatalf("error %v with known=%v", err, c.Known())
		}
		// An ES256 signature has a second form; nothing else than the token's own
		// claims can ever be accepted.
		if err == nil && c.TokenID() != "t" {
			t.Fatalf("accepted %q", header)
		}
		if err != nil && len(header) > 20 && bytes.Contains([]byte(fmt.Sprintf("%+v", err)), []byte(header[8:])) {
			t.Fatal("the error quotes the header")
		}
	})
}

func BenchmarkCaller(b *testing.B) {
	w := newWorld(b)
	r := w.request(w.device, "Bearer "+w.mint(w.device, nil))
	view := w.view.Load()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.verifier.Caller(r, view); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallerParallel(b *testing.B) {
	w := newWorld(b)
	raw := w.mint(w.device, nil)
	view := w.view.Load()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := w.request(w.device, "Bearer "+raw)
		for pb.Next() {
			if _, err := w.verifier.Caller(r, view); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// An HTTP/2 client is recognised like any other.
func TestHTTP2(t *testing.T) {
	w := newWorld(t)
	hc := w.http(w.device)
	req := must[*http.Request](t)(http.NewRequestWithContext(context.Background(), "GET", w.base+"/fhir/Patient/1", nil))
	req.Header.Set("Authorization", "Bearer "+w.mint(w.device, nil))
	resp, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != 200 {
		t.Errorf("got HTTP/%d, %d; want HTTP/2, 200", resp.ProtoMajor, resp.StatusCode)
	}
}
