package ssf_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/ssf"
)

// What each event does to a person with a session and a device.
func TestWhatEventsDo(t *testing.T) {
	type after struct {
		live  bool
		state snapshot.State
		held  bool
	}
	nothing := after{true, snapshot.Approved, false}
	ended := after{false, snapshot.Approved, false}
	suspended := after{false, snapshot.Suspended, false}
	heldDevice := after{true, snapshot.Approved, true}
	device := obj{"format": "opaque", "id": "northwind-gpu-1"}
	complexOf := func(members obj) obj { members["format"] = "complex"; return members }
	for _, c := range []struct {
		what, kind string
		subject    any
		body       obj
		want       after
	}{
		{"session-revoked", caep + "session-revoked", linSubject, obj{"event_timestamp": 1, "initiating_entity": "policy"}, ended},
		{"session-revoked, complex", caep + "session-revoked", complexOf(obj{"user": linSubject, "tenant": obj{"format": "opaque", "id": "t"}}), nil, ended},
		{"session-revoked, the session alone", caep + "session-revoked", complexOf(obj{"session": obj{"format": "opaque", "id": "sid-1"}}), nil, ended},
		{"session-revoked, the session alone, simple", caep + "session-revoked", obj{"format": "opaque", "id": "sid-1"}, nil, ended},
		{"session-revoked, another session of the user", caep + "session-revoked", complexOf(obj{"user": linSubject, "session": obj{"format": "opaque", "id": "sid-2"}}), nil, nothing},
		{"session-revoked, a session that is not known", caep + "session-revoked", complexOf(obj{"user": linSubject, "session": obj{"format": "opaque", "id": "sid-9"}}), nil, ended},
		{"credential-change, revoke", caep + "credential-change", linSubject, obj{"credential_type": "password", "change_type": "revoke"}, ended},
		{"credential-change, update", caep + "credential-change", linSubject, obj{"change_type": "update"}, ended},
		{"credential-change, create", caep + "credential-change", linSubject, obj{"change_type": "create"}, nothing},
		{"credential-change that does not say", caep + "credential-change", linSubject, nil, ended},
		{"assurance-level-change, down", caep + "assurance-level-change", linSubject, obj{"change_direction": "decrease"}, ended},
		{"assurance-level-change, up", caep + "assurance-level-change", linSubject, obj{"change_direction": "increase"}, nothing},
		{"risk-level-change, high", caep + "risk-level-change", linSubject, obj{"current_level": "HIGH"}, ended},
		{"risk-level-change, low", caep + "risk-level-change", linSubject, obj{"current_level": "LOW"}, nothing},
		{"token-claims-change", caep + "token-claims-change", linSubject, obj{"claims": obj{"role": "x"}}, nothing},
		{"device-compliance-change, by device", caep + "device-compliance-change", complexOf(obj{"device": device}), obj{"previous_status": "compliant", "current_status": "not-compliant"}, heldDevice},
		{"device-compliance-change, by device, simple", caep + "device-compliance-change", device, obj{"current_status": "not-compliant"}, heldDevice},
		{"device-compliance-change, by owner", caep + "device-compliance-change", linSubject, obj{"current_status": "not-compliant"}, heldDevice},
		{"device-compliance-change, a name of theirs and the owner", caep + "device-compliance-change", complexOf(obj{"user": linSubject, "device": obj{"format": "opaque", "id": "e9297990"}}), obj{"current_status": "not-compliant"}, heldDevice},
		{"device-compliance-change that does not say", caep + "device-compliance-change", device, nil, heldDevice},
		{"device-compliance-change, in order", caep + "device-compliance-change", device, obj{"current_status": "compliant"}, nothing},
		{"account-disabled", risc + "account-disabled", linSubject, obj{"reason": "hijacking"}, suspended},
		{"account-purged", risc + "account-purged", linSubject, nil, suspended},
		{"account-enabled, of one who is", risc + "account-enabled", linSubject, nil, nothing},
		{"sessions-revoked", risc + "sessions-revoked", linSubject, nil, ended},
		{"an event of nobody's", "https://example.com/event", linSubject, nil, nothing},
		{"verification", sfw + "verification", obj{"format": "opaque", "id": "stream-1"}, obj{"state": "VGhpcyBpcyBhbiBleGFtcGxl"}, nothing},
		{"stream-updated", sfw + "stream-updated", obj{"format": "opaque", "id": "stream-1"}, obj{"status": "paused"}, nothing},
		// Whom it is about.
		{"by opaque subject", risc + "account-disabled", obj{"format": "opaque", "id": "00u-lin"}, nil, suspended},
		{"by the directory's id", risc + "account-disabled", obj{"format": "opaque", "id": "ext-lin"}, nil, suspended},
		{"by the directory's address", risc + "account-disabled", obj{"format": "email", "email": "Lin@northwind.example"}, nil, suspended},
		{"by account", risc + "account-disabled", obj{"format": "account", "uri": "acct:lin@northwind.example"}, nil, suspended},
		{"by aliases", risc + "account-disabled", obj{"format": "aliases", "identifiers": []obj{{"format": "email", "email": "other@x.example"}, linSubject}}, nil, suspended},
		{"by a telephone number", risc + "account-disabled", obj{"format": "phone_number", "phone_number": "+1"}, nil, nothing},
		{"by an address that the directory did not give", risc + "account-disabled", obj{"format": "email", "email": "lin@elsewhere.example"}, nil, nothing},
		{"by another provider's subject", risc + "account-disabled", issSub("https://login.contoso.example", "00u-lin"), nil, nothing},
		{"by nothing", risc + "account-disabled", obj{"format": "opaque", "id": ""}, nil, nothing},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := newWorld(t)
			s := w.signIn("lin", "sid-1")
			w.signIn("lin", "sid-2")
			w.send(w.northwind, c.kind, c.subject, c.body)
			if got := (after{w.live(s), w.state("lin"), w.held("northwind-gpu-1")}); got != c.want {
				t.Errorf("got %+v, want %+v; log %s", got, c.want, w.log)
			}
			if w.state("mia") != snapshot.Approved || w.held("contoso-1") {
				t.Error("another vendor's person or device was touched")
			}
			if text := w.log.String(); strings.Contains(text, "00u-lin") || strings.Contains(text, "lin@") || strings.Contains(text, "ext-lin") || strings.Contains(text, "sid-") {
				t.Errorf("the log names a subject: %s", text)
			}
		})
	}
}

// A transmitter speaks for its own vendor: whatever it says of another's people,
// devices and sessions is acknowledged and does nothing.
func TestATransmitterSpeaksForItsVendorOnly(t *testing.T) {
	w := newWorld(t)
	s := w.signIn("mia", "sid-mia")
	before := w.r.View().Version()
	for _, subject := range []obj{issSub("https://login.contoso.example", "00u-mia"), {"format": "opaque", "id": "00u-mia"}, {"format": "opaque", "id": "mia"}, {"format": "opaque", "id": "ada"},
		{"format": "opaque", "id": "sid-mia"}, {"format": "opaque", "id": string(s)}, {"format": "opaque", "id": "contoso-1"}, {"format": "complex", "device": obj{"format": "opaque", "id": "contoso-1"}},
		{"format": "complex", "session": obj{"format": "opaque", "id": "sid-mia"}}} {
		for _, kind := range []string{caep + "session-revoked", risc + "account-disabled", caep + "device-compliance-change"} {
			w.send(w.northwind, kind, subject, nil)
		}
	}
	if w.r.View().Version() != before || !w.live(s) {
		t.Error("another vendor's transmitter changed something")
	}
	// And its own does.
	w.send(w.contoso, caep+"session-revoked", issSub("https://login.contoso.example", "00u-mia"), nil)
	if w.live(s) {
		t.Error("the vendor's own transmitter did not end the session")
	}
}

func TestSuspensionAndHoldEndByTheirOwnEvent(t *testing.T) {
	w := newWorld(t)
	device := obj{"format": "opaque", "id": "northwind-gpu-1"}
	w.send(w.northwind, risc+"account-disabled", linSubject, nil)
	w.send(w.northwind, risc+"account-disabled", linSubject, nil)
	w.do("grace", registry.SuspendPerson{ID: "lin"})
	w.send(w.northwind, risc+"account-enabled", linSubject, nil)
	if w.state("lin") != snapshot.Suspended {
		t.Error("the organisation's suspension ended")
	}
	w.do("grace", registry.ResumePerson{ID: "lin"})
	if w.state("lin") != snapshot.Approved {
		t.Error("the transmitter's suspension did not end")
	}
	w.send(w.northwind, caep+"device-compliance-change", device, obj{"current_status": "not-compliant"})
	w.send(w.northwind, caep+"device-compliance-change", linSubject, obj{"current_status": "compliant"}) // of which device?
	if !w.held("northwind-gpu-1") {
		t.Error("a device was let go on without being named")
	}
	w.do("ada", registry.PlaceHold{ID: "org", On: snapshot.Subject{Noun: snapshot.NounDevice, ID: "northwind-gpu-1"}, Cause: snapshot.HoldIncident})
	w.send(w.northwind, caep+"device-compliance-change", device, obj{"current_status": "compliant"})
	if !w.held("northwind-gpu-1") {
		t.Error("the organisation's hold was lifted")
	}
	w.do("grace", registry.LiftHold{ID: "org"})
	if w.held("northwind-gpu-1") {
		t.Error("the transmitter's own hold was not lifted")
	}
}

// Tokens that are not what they must be. None has an effect, and until the
// signature fits, all answers are alike.
func TestForgedTokens(t *testing.T) {
	w := newWorld(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := func(change func(obj)) obj {
		s := w.set(w.northwind, risc+"account-disabled", linSubject, nil)
		if change != nil {
			change(s)
		}
		return s
	}
	marshal := func(v any) string { raw, _ := json.Marshal(v); return string(raw) }
	b64 := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	der, err := x509.MarshalPKIXPublicKey(w.ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	as := func(change func(*transmitter)) *transmitter { s := *w.northwind; change(&s); return &s }
	withHeader := func(name string, v any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: w.ec}, (&jose.SignerOptions{}).WithHeader("kid", "k1").WithType("secevent+jwt").WithHeader(jose.HeaderKey(name), v))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(marshal(good(nil))))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := jws.CompactSerialize()
		return out
	}
	embedded := func() string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("secevent+jwt"))
		if err != nil {
			t.Fatal(err)
		}
		jws, err := signer.Sign([]byte(marshal(good(nil))))
		if err != nil {
			t.Fatal(err)
		}
		out, _ := jws.CompactSerialize()
		return out
	}
	for _, c := range []struct{ what, token, code, reason string }{
		{"nothing", "", "authentication_failed", "token-malformed"},
		{"no token", "hello", "authentication_failed", "token-malformed"},
		{"alg none", b64(`{"alg":"none","typ":"secevent+jwt"}`) + "." + b64(marshal(good(nil))) + ".", "authentication_failed", "token-malformed"},
		{"HS256 with the public key as its secret", as(func(s *transmitter) { s.key, s.alg = secret, jose.HS256 }).sign(t, good(nil)), "authentication_failed", "token-malformed"},
		{"another key under its name", as(func(s *transmitter) { s.key = key }).sign(t, good(nil)), "authentication_failed", "signature-wrong"},
		{"a key under another name", as(func(s *transmitter) { s.kid = "k2" }).sign(t, good(nil)), "authentication_failed", "key-unknown"},
		{"another vendor's transmitter", as(func(s *transmitter) { s.key, s.alg, s.kid = w.rsa, jose.RS256, "c1" }).sign(t, good(nil)), "authentication_failed", "key-unknown"},
		{"another algorithm than the key's", as(func(s *transmitter) { s.key, s.alg = w.rsa, jose.RS256 }).sign(t, good(nil)), "authentication_failed", "key-unknown"},
		{"an issuer that nobody knows", w.northwind.sign(t, good(func(s obj) { s["iss"] = "https://x.example" })), "authentication_failed", "issuer-unknown"},
		{"the issuer with a slash", w.northwind.sign(t, good(func(s obj) { s["iss"] = w.northwind.issuer + "/" })), "authentication_failed", "issuer-unknown"},
		{"no issuer", w.northwind.sign(t, good(func(s obj) { delete(s, "iss") })), "authentication_failed", "issuer-unknown"},
		{"its key in its header", embedded(), "authentication_failed", "key-in-header"},
		{"its key by address", withHeader("jku", "https://x.example/keys"), "authentication_failed", "key-in-header"},
		{"typ JWT", w.northwind.signRaw(t, marshal(good(nil)), "JWT"), "authentication_failed", "not-a-security-event-token"},
		{"typ at+jwt", w.northwind.signRaw(t, marshal(good(nil)), "at+jwt"), "authentication_failed", "not-a-security-event-token"},
		{"no typ", w.northwind.signRaw(t, marshal(good(nil)), ""), "authentication_failed", "not-a-security-event-token"},
		{"a name twice", w.northwind.signRaw(t, strings.Replace(marshal(good(nil)), `{"aud"`, `{"aud":"x","aud"`, 1), "secevent+jwt"), "authentication_failed", "token-malformed"},
		{"a name twice in the event", w.northwind.signRaw(t, strings.Replace(marshal(good(nil)), `disabled":{`, `disabled":{"a":1,"a":2`, 1), "secevent+jwt"), "authentication_failed", "token-malformed"},
		{"for somebody else", w.northwind.sign(t, good(func(s obj) { s["aud"] = "https://other.example" })), "invalid_audience", "audience-wrong"},
		{"for nobody", w.northwind.sign(t, good(func(s obj) { delete(s, "aud") })), "invalid_audience", "audience-wrong"},
		{"no jti", w.northwind.sign(t, good(func(s obj) { delete(s, "jti") })), "invalid_request", "claims-missing"},
		{"no iat", w.northwind.sign(t, good(func(s obj) { delete(s, "iat") })), "invalid_request", "claims-missing"},
		{"an access token's exp", w.northwind.sign(t, good(func(s obj) { s["exp"] = w.now.Add(time.Hour).Unix() })), "invalid_request", "not-a-security-event-token"},
		{"an ID token's sub", w.northwind.sign(t, good(func(s obj) { s["sub"] = "00u-lin" })), "invalid_request", "not-a-security-event-token"},
		{"from the future", w.northwind.sign(t, good(func(s obj) { s["iat"] = w.now.Add(2 * time.Minute).Unix() })), "invalid_request", "from-future"},
		{"stale", w.northwind.sign(t, good(func(s obj) { s["iat"] = w.now.Add(-25 * time.Hour).Unix() })), "invalid_request", "stale"},
		{"no events", w.northwind.sign(t, good(func(s obj) { s["events"] = obj{} })), "invalid_request", "events-missing"},
		{"an event that is no object", w.northwind.sign(t, good(func(s obj) { s["events"] = obj{risc + "account-disabled": "now"} })), "invalid_request", "token-malformed"},
		{"an event whose words have another type", w.northwind.sign(t, w.set(w.northwind, caep+"credential-change", linSubject, obj{"change_type": 7})), "invalid_request", "event-malformed"},
	} {
		w.log.Reset()
		status, body := w.push(c.token)
		want := `"err":"` + c.code + `"`
		if status != 400 || !strings.Contains(body, want) || !strings.Contains(w.log.String(), `"reason":"`+c.reason+`"`) {
			t.Errorf("%s: got %d %s, log %s; want 400 %s %s", c.what, status, body, w.log, c.code, c.reason)
		}
	}
	if w.state("lin") != snapshot.Approved {
		t.Error("a forged token had an effect")
	}
	// A good one, to see that the rest of it was not what was refused; then once more.
	again := w.northwind.sign(t, good(nil))
	if status, body := w.push(again); status != 202 || w.state("lin") != snapshot.Suspended {
		t.Fatalf("the good token: got %d %s", status, body)
	}
	w.do("grace", registry.ResumePerson{ID: "lin"})
	w.do("ada", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounConnector, ID: "events"}, Cause: snapshot.HoldIncident})
	if status, _ := w.push(w.northwind.sign(t, good(nil))); status != 400 || w.state("lin") != snapshot.Approved {
		t.Errorf("a connector on hold: got %d, %s", status, w.state("lin"))
	}
	w.do("grace", registry.LiftHold{ID: "h"})
	if status, _ := w.push(again); status != 202 || w.state("lin") != snapshot.Approved {
		t.Errorf("the same token again: got %d, %s; want it acknowledged and without effect", status, w.state("lin"))
	}
	w.do("ada", registry.RevokeConnector{ID: "events"})
	if status, body := w.push(w.northwind.sign(t, good(nil))); status != 400 || !strings.Contains(body, "authentication_failed") {
		t.Errorf("a revoked connector: got %d %s", status, body)
	}
}

// What could not be recorded is asked for again, and then has its effect: a
// revocation is not lost since the database was away.
func TestATokenIsNotUsedUpByAFailure(t *testing.T) {
	w := newWorld(t)
	token := w.northwind.sign(t, w.set(w.northwind, risc+"account-disabled", linSubject, nil))
	w.r.down = true
	if status, body := w.push(token); status != 503 || body != "" {
		t.Fatalf("got %d %s, want 503", status, body)
	}
	w.r.down = false
	if status, _ := w.push(token); status != 202 || w.state("lin") != snapshot.Suspended {
		t.Errorf("sent again: got %d, %s", status, w.state("lin"))
	}
	// Nor by keys that cannot be had.
	w.keys.err = fmt.Errorf("no answer")
	if status, _ := w.push(w.contoso.sign(t, w.set(w.contoso, risc+"account-disabled", issSub("https://login.contoso.example", "00u-mia"), nil))); status != 503 {
		t.Errorf("without the keys: got %d, want 503", status)
	}
}

func TestOnlyAPushedTokenIsTaken(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, kind, body string
		status             int
	}{{"GET", "", "", 405}, {"POST", "application/jwt", "x", 415}, {"POST", "", "x", 415}, {"POST", "application/secevent+jwt", strings.Repeat("x", 70<<10), 413}} {
		req := httptest.NewRequest(c.method, "https://gateway.example/ssf/events", strings.NewReader(c.body))
		req.Header.Set("Content-Type", c.kind)
		rec := httptest.NewRecorder()
		w.srv.ServeHTTP(rec, req)
		if rec.Code != c.status {
			t.Errorf("%s %s: got %d, want %d", c.method, c.kind, rec.Code, c.status)
		}
	}
}

// The keys of a transmitter that pins none are those of its own metadata: over TLS,
// from a public address (or a network that is allowed), bounded, remembered, and
// read anew for a key that is new.
func TestKeysByMetadata(t *testing.T) {
	now := time.Now()
	var served struct {
		issuer, keysAt, kid string
		body                string
		asked               int
	}
	served.kid = "1"
	mux := http.NewServeMux()
	srv := httptest.NewTLSServer(mux)
	defer srv.Close()
	served.issuer, served.keysAt = srv.URL+"/tenant", srv.URL+"/keys"
	mux.HandleFunc("/.well-known/ssf-configuration/tenant", func(w http.ResponseWriter, r *http.Request) {
		served.asked++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, served.issuer, served.keysAt)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		if served.body != "" {
			fmt.Fprint(w, served.body)
			return
		}
		fmt.Fprintf(w, `{"keys":[{"kid":%q}]}`, served.kid)
	})
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	source := func(private []netip.Prefix) *ssf.Metadata {
		return ssf.NewMetadata(identity.NewOutwardClient(identity.OutwardOptions{Roots: roots, Networks: private}), func() time.Time { return now })
	}
	issuer := srv.URL + "/tenant"
	if _, err := source(nil).Keys(t.Context(), issuer, false); err == nil || served.asked != 0 {
		t.Error("keys were read from an address inside")
	}
	m := source(loopback)
	get := func(fresh bool) string {
		raw, err := m.Keys(t.Context(), issuer, fresh)
		if err != nil {
			return err.Error()
		}
		return string(raw)
	}
	first := get(false)
	served.kid = "2"
	if get(false) != first || get(true) != first || served.asked != 1 {
		t.Errorf("the keys are read too often: %d times", served.asked)
	}
	now = now.Add(2 * time.Minute)
	if got := get(true); !strings.Contains(got, `"2"`) || served.asked != 2 {
		t.Errorf("a new key: got %s after %d reads", got, served.asked)
	}
	// What goes wrong leaves the keys that are known, for a day.
	for what, breakIt := range map[string]func(){
		"another issuer":       func() { served.issuer = "https://x.example" },
		"no https":             func() { served.keysAt = "http://x.example/keys" },
		"no keys":              func() { served.body = `{"keys":[]}` },
		"too long":             func() { served.body = `{"keys":[{}],"x":"` + strings.Repeat("x", 70<<10) + `"}` },
		"a redirect to inside": func() { served.keysAt = srv.URL + "/nowhere" },
	} {
		issuerWas, keysWas := served.issuer, served.keysAt
		breakIt()
		now = now.Add(2 * time.Minute)
		if got := get(true); !strings.Contains(got, `"2"`) {
			t.Errorf("%s: got %s, want the keys that were known", what, got)
		}
		if _, err := source(loopback).Keys(t.Context(), issuer, false); err == nil {
			t.Errorf("%s: keys were taken", what)
		}
		served.issuer, served.keysAt, served.body = issuerWas, keysWas, ""
	}
	served.body = "x"
	now = now.Add(25 * time.Hour)
	if got := get(false); strings.Contains(got, "keys\":") {
		t.Errorf("keys of yesterday are used: %s", got)
	}
}

// Many senders at once: no token is lost, none acts twice.
func TestTokensAtOnce(t *testing.T) {
	w := newWorld(t)
	var sessions []id.Session
	var tokens []string
	for i := range 20 {
		sid := fmt.Sprint("sid-", i)
		sessions = append(sessions, w.signIn("lin", sid))
		tokens = append(tokens, w.northwind.sign(t, w.set(w.northwind, caep+"session-revoked", obj{"format": "complex", "session": obj{"format": "opaque", "id": sid}}, nil)))
	}
	done := make(chan int, 2*len(tokens))
	for range 2 {
		for _, token := range tokens {
			go func() {
				req := httptest.NewRequest("POST", "https://gateway.example/ssf/events", strings.NewReader(token))
				req.Header.Set("Content-Type", "application/secevent+jwt")
				rec := httptest.NewRecorder()
				w.srv.ServeHTTP(rec, req)
				done <- rec.Code
			}()
		}
	}
	for range 2 * len(tokens) {
		if code := <-done; code != 202 {
			t.Errorf("got %d", code)
		}
	}
	for _, s := range sessions {
		if w.live(s) {
			t.Errorf("session %s goes on", s)
		}
	}
}
