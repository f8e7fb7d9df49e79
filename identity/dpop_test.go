package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// settled is past the first moments of the verifier, in which proofs need a
// nonce.
func settled(w *world) *world {
	w.advance(2 * skew)
	return w
}

// forged makes a proof by hand, of which anything can be wrong.
type forged struct {
	alg     jose.SignatureAlgorithm
	key     any
	headers map[string]any
	claims  map[string]any
}

// proofFor is a good proof of the key for a request of a patient, spoilt by
// change.
func (w *world) proofFor(key *ecdsa.PrivateKey, token string, change func(*forged)) string {
	w.t.Helper()
	f := forged{jose.ES256, key, map[string]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: key.Public()}},
		map[string]any{"jti": id.New[string](w.now()), "htm": "GET", "htu": w.base + "/fhir/Patient/1", "iat": w.now().Unix()}}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		f.claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	} else {
		f.claims["htm"], f.claims["htu"] = "POST", w.tokenURL()
	}
	if change != nil {
		change(&f)
	}
	return signJWT(w.t, f.alg, f.key, f.headers, f.claims)
}

// getWith asks for a patient with these headers.
func (w *world) getWith(c *Credential, headers http.Header) (int, seenCaller, http.Header) {
	w.t.Helper()
	req := must[*http.Request](w.t)(http.NewRequestWithContext(context.Background(), "GET", w.base+"/fhir/Patient/1", nil))
	req.Header = headers
	resp, err := w.http(c).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var seen seenCaller
	if resp.StatusCode == 200 {
		if err := json.NewDecoder(resp.Body).Decode(&seen); err != nil {
			w.t.Fatal(err)
		}
	}
	return resp.StatusCode, seen, resp.Header
}

// One thing at a time is wrong with the proof of a request (RFC 9449, sections
// 4.3 and 7), and each is refused for that reason.
func TestProofMatrix(t *testing.T) {
	w := settled(newWorld(t))
	key, other := must2(NewKey(256)), must2(NewKey(256))
	p384, rsaKey := must2(NewKey(384)), must2(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	tok := w.mint(w.device, func(k *token) { k.jkt = kidOf(t, key.Public()) })
	tok2 := w.mint(w.device, func(k *token) { k.jkt, k.id = kidOf(t, key.Public()), "u" })
	claim := func(k string, v any) func(*forged) {
		return func(f *forged) {
			if f.claims[k] = v; v == nil {
				delete(f.claims, k)
			}
		}
	}
	head := func(k string, v any) func(*forged) {
		return func(f *forged) {
			if f.headers[k] = v; v == nil {
				delete(f.headers, k)
			}
		}
	}
	by := func(alg jose.SignatureAlgorithm, key any, pub any) func(*forged) {
		return func(f *forged) { f.alg, f.key = alg, key; f.headers["jwk"] = jose.JSONWebKey{Key: pub} }
	}
	at := func(d time.Duration) func(*forged) { return claim("iat", w.now().Add(d).Unix()) }
	good := w.proofFor(key, tok, nil)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	public := string(must2(json.Marshal(jose.JSONWebKey{Key: key.Public()})))
	private := string(must2(json.Marshal(jose.JSONWebKey{Key: key})))
	rehead := func(h string) string { return b64([]byte(h)) + "." + parts[1] + "." + parts[2] }
	for _, tc := range []struct {
		name   string
		proofs []string
		want   Reason
	}{
		{"good", []string{good}, ""},
		{"the same again", []string{good}, ProofReplayed},
		{"none", nil, ProofAbsent},
		{"empty", []string{""}, ProofMalformed},
		{"two headers", []string{w.proofFor(key, tok, nil), w.proofFor(key, tok, nil)}, ProofMalformed},
		{"two proofs in one header", []string{w.proofFor(key, tok, nil) + ", " + w.proofFor(key, tok, nil)}, ProofMalformed},
		{"not a JWS", []string{"a.b.c"}, ProofMalformed},
		{"too long", []string{w.proofFor(key, tok, claim("x", strings.Repeat("x", maxProof)))}, ProofMalformed},
		{"JSON serialisation", []string{`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`}, ProofMalformed},
		{"alg none", []string{b64([]byte(`{"typ":"dpop+jwt","alg":"none","jwk":`+public+`}`)) + "." + parts[1] + "."}, ProofMalformed},
		{"alg none, signature kept", []string{rehead(`{"typ":"dpop+jwt","alg":"none","jwk":` + public + `}`)}, ProofMalformed},
		{"symmetric, with the public key as secret", []string{w.proofFor(key, tok, func(f *forged) { f.alg, f.key = jose.HS256, []byte(public) })}, ProofMalformed},
		{"symmetric key in the header", []string{rehead(`{"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}}`)}, ProofMalformed},
		{"symmetric key under ES256", []string{rehead(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"oct","k":"AAAA"}}`)}, ProofMalformed},
		{"private key in the header", []string{rehead(`{"typ":"dpop+jwt","alg":"ES256","jwk":` + private + `}`)}, ProofMalformed},
		{"point not on the curve", []string{rehead(`{"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}}`)}, ProofMalformed},
		{"no key in the header", []string{w.proofFor(key, tok, head("jwk", nil))}, ProofMalformed},
		{"kid instead of the key", []string{w.proofFor(key, tok, func(f *forged) { delete(f.headers, "jwk"); f.headers["kid"] = kidOf(t, key.Public()) })}, ProofMalformed},
		{"ES384", []string{w.proofFor(key, tok, by(jose.ES384, p384, p384.Public()))}, ProofMalformed},
		{"RS256", []string{w.proofFor(key, tok, by(jose.RS256, rsaKey, rsaKey.Public()))}, ProofMalformed},
		{"EdDSA", []string{w.proofFor(key, tok, by(jose.EdDSA, edKey, edKey.Public()))}, ProofMalformed},
		{"P-384 key under ES256", []string{w.proofFor(key, tok, head("jwk", jose.JSONWebKey{Key: p384.Public()}))}, ProofMalformed},
		{"type of a plain JWT", []string{w.proofFor(key, tok, head("typ", "JWT"))}, ProofMalformed},
		{"no type", []string{w.proofFor(key, tok, head("typ", nil))}, ProofMalformed},
		{"jku", []string{w.proofFor(key, tok, head("jku", "https://evil.example/keys"))}, ProofMalformed},
		{"x5c", []string{w.proofFor(key, tok, head("x5c", []string{"AAAA"}))}, ProofMalformed},
		{"critical extension", []string{w.proofFor(key, tok, func(f *forged) { f.headers["crit"], f.headers["x"] = []string{"x"}, 1 })}, ProofMalformed},
		{"signed by a key that is not the header's", []string{w.proofFor(key, tok, func(f *forged) { f.key = other })}, ProofSignature},
		{"claims changed", []string{parts[0] + "." + strings.Split(w.proofFor(key, tok, nil), ".")[1] + "." + parts[2]}, ProofSignature},
		{"claim named twice", []string{parts[0] + "." + b64([]byte(`{"jti":"a","jti":"b","htm":"GET","htu":"x","iat":1}`)) + "." + parts[2]}, ProofMalformed},
		{"another key than the token's", []string{w.proofFor(other, tok, nil)}, TokenBoundElsewhere},
		{"htm of another method", []string{w.proofFor(key, tok, claim("htm", "POST"))}, ProofElsewhere},
		{"htm in lower case", []string{w.proofFor(key, tok, claim("htm", "get"))}, ProofElsewhere},
		{"no htm", []string{w.proofFor(key, tok, claim("htm", nil))}, ProofElsewhere},
		{"htu of another path", []string{w.proofFor(key, tok, claim("htu", w.base+"/fhir/Patient/2"))}, ProofElsewhere},
		{"htu of another host", []string{w.proofFor(key, tok, claim("htu", "https://elsewhere/fhir/Patient/1"))}, ProofElsewhere},
		{"htu over plain HTTP", []string{w.proofFor(key, tok, claim("htu", strings.Replace(w.base, "https", "http", 1)+"/fhir/Patient/1"))}, ProofElsewhere},
		{"htu with a user", []string{w.proofFor(key, tok, claim("htu", strings.Replace(w.base, "https://", "https://a@", 1)+"/fhir/Patient/1"))}, ProofElsewhere},
		{"htu with an escaped slash", []string{w.proofFor(key, tok, claim("htu", w.base+"/fhir/Patient%2F1"))}, ProofElsewhere},
		{"htu with dot segments", []string{w.proofFor(key, tok, claim("htu", w.base+"/fhir/x/../Patient/1"))}, ProofElsewhere},
		{"htu relative", []string{w.proofFor(key, tok, claim("htu", "/fhir/Patient/1"))}, ProofElsewhere},
		{"no htu", []string{w.proofFor(key, tok, claim("htu", nil))}, ProofElsewhere},
		{"htu with query and fragment", []string{w.proofFor(key, tok, claim("htu", w.base+"/fhir/Patient/1?x=1#y"))}, ""},
		{"htu escaped without need", []string{w.proofFor(key, tok, claim("htu", w.base+"/fhir/%50atient/1"))}, ""},
		{"htu with its scheme in capitals", []string{w.proofFor(key, tok, claim("htu", strings.Replace(w.base, "https", "HTTPS", 1)+"/fhir/Patient/1"))}, ""},
		{"ath of another token", []string{w.proofFor(key, tok2, nil)}, ProofElsewhere},
		{"no ath", []string{w.proofFor(key, tok, claim("ath", nil))}, ProofElsewhere},
		{"ath in another encoding", []string{w.proofFor(key, tok, func(f *forged) { f.claims["ath"] = f.claims["ath"].(string) + "=" })}, ProofElsewhere},
		{"no jti", []string{w.proofFor(key, tok, claim("jti", nil))}, ProofMalformed},
		{"jti too long", []string{w.proofFor(key, tok, claim("jti", strings.Repeat("j", maxJTI+1)))}, ProofMalformed},
		{"jti a number", []string{w.proofFor(key, tok, claim("jti", 7))}, ProofMalformed},
		{"no iat", []string{w.proofFor(key, tok, claim("iat", nil))}, ProofMalformed},
		{"iat a string", []string{w.proofFor(key, tok, claim("iat", "now"))}, ProofMalformed},
		{"iat beyond all times", []string{w.proofFor(key, tok, claim("iat", 1e300))}, ProofMalformed},
		{"iat as old as it may be", []string{w.proofFor(key, tok, at(time.Second-ProofLife-skew))}, ProofNonce}, // before this verifier began
		{"iat a second older", []string{w.proofFor(key, tok, at(-ProofLife-skew))}, ProofStale},
		{"iat ahead by the skew", []string{w.proofFor(key, tok, at(skew))}, ""},
		{"iat ahead by a second more", []string{w.proofFor(key, tok, at(skew+time.Second))}, ProofFromFuture},
		{"nonce that the server did not give", []string{w.proofFor(key, tok, claim("nonce", "x"))}, ProofNonce},
		{"nonce that the server gave", []string{w.proofFor(key, tok, claim("nonce", w.verifier.dpop.nonce(w.now())))}, ""},
		{"an access token as a proof", []string{tok}, ProofMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{"Authorization": {"DPoP " + tok}}
			if tc.proofs != nil {
				h["Dpop"] = tc.proofs
			}
			status, seen, answer := w.getWith(w.device, h)
			if tc.want == "" {
				if status != 200 || seen.Transport.TokenBinding != "mtls+dpop" {
					t.Errorf("got %d %q (%s), want 200 and mtls+dpop", status, seen.Transport.TokenBinding, w.lastReason())
				}
				return
			}
			if status != 401 || w.lastReason() != tc.want {
				t.Errorf("got %d %q, want 401 %q", status, w.lastReason(), tc.want)
			}
			if got := answer.Get("DPoP-Nonce"); (got != "") != (tc.want == ProofNonce) {
				t.Errorf("DPoP-Nonce: got %q", got)
			}
		})
	}
}

// A token is used by the scheme and on the connection that its binding names.
func TestBindings(t *testing.T) {
	w := settled(newWorld(t))
	key := must2(NewKey(256))
	jkt := kidOf(t, key.Public())
	mtls := w.mint(w.device, nil)
	both := w.mint(w.device, func(k *token) { k.jkt = jkt })
	bare := w.mint(w.device, func(k *token) { k.jkt, k.binding = jkt, [32]byte{} })
	for _, tc := range []struct {
		name   string
		cred   *Credential
		scheme string
		token  string
		want   Reason
		how    string
	}{
		{"certificate", w.device, "Bearer", mtls, "", "mtls"},
		{"certificate, as DPoP", w.device, "DPoP", mtls, TokenScheme, ""},
		{"certificate, another device of the vendor", w.device2, "Bearer", mtls, TokenBoundElsewhere, ""},
		{"both", w.device, "DPoP", both, "", "mtls+dpop"},
		{"both, downgraded to Bearer", w.device, "Bearer", both, TokenScheme, ""},
		{"both, another device of the vendor", w.device2, "DPoP", both, TokenBoundElsewhere, ""},
		{"both, no certificate", nil, "DPoP", both, NoCertificate, ""},
		{"key", w.device, "DPoP", bare, "", "dpop"},
		{"key, downgraded to Bearer", w.device, "Bearer", bare, TokenScheme, ""},
		{"key, another device of the vendor", w.device2, "DPoP", bare, "", "dpop"},
		{"key, no certificate", nil, "DPoP", bare, NoCertificate, ""},
		{"key, a rival's device", w.rival, "DPoP", bare, AppVendorMismatch, ""},
		{"key, a person's certificate", w.ada, "DPoP", bare, DeviceUnknown, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, seen, _ := w.getWith(tc.cred, http.Header{"Authorization": {tc.scheme + " " + tc.token}, "Dpop": {w.proofFor(key, tc.token, nil)}})
			if tc.want == "" && (status != 200 || seen.Transport.TokenBinding != tc.how) {
				t.Errorf("got %d %q (%s), want 200 %q", status, seen.Transport.TokenBinding, w.lastReason(), tc.how)
			}
			if tc.want != "" && (status != 401 || w.lastReason() != tc.want) {
				t.Errorf("got %d %q, want 401 %q", status, w.lastReason(), tc.want)
			}
		})
	}
	if _, reason := w.tokens.verify(w.mint(w.device, func(k *token) { k.binding = [32]byte{} })); reason != TokenUnbound {
		t.Errorf("a token that is bound to nothing: got %q", reason)
	}
}

// bindApp registers triage with a binding.
func (w *world) bindApp(b snapshot.TokenBinding) {
	w.edit(func(e *snapshot.Edit) {
		app, _ := e.View().Apps.Get("triage")
		a := *app
		a.TokenBinding = b
		e.Put(&a)
	})
}

// askWith sends a token request with a proof.
func (w *world) askWith(c *Credential, form url.Values, proofs ...string) (int, map[string]any, http.Header) {
	w.t.Helper()
	req := must[*http.Request](w.t)(http.NewRequest("POST", w.tokenURL(), strings.NewReader(form.Encode())))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proofs != nil {
		req.Header["Dpop"] = proofs
	}
	resp, err := w.http(c).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		w.t.Fatal(err)
	}
	return resp.StatusCode, out, resp.Header
}

// What a token is bound to follows from the proof and from the registration.
func TestTokenBinding(t *testing.T) {
	w := settled(newWorld(t))
	key := must2(NewKey(256))
	for _, tc := range []struct {
		registered snapshot.TokenBinding
		proof      bool
		want       snapshot.TokenBinding
		reason     Reason
	}{
		{"", false, "mtls", ""},
		{"", true, "mtls+dpop", ""},
		{"mtls", false, "mtls", ""},
		{"mtls", true, "mtls+dpop", ""},
		{"dpop", false, "", ProofAbsent},
		{"dpop", true, "dpop", ""},
		{"mtls+dpop", false, "", ProofAbsent},
		{"mtls+dpop", true, "mtls+dpop", ""},
	} {
		w.bindApp(tc.registered)
		var proofs []string
		if tc.proof {
			proofs = []string{w.proofFor(key, "", nil)}
		}
		status, out, _ := w.askWith(w.device, tokenForm(w.good(w.claims())), proofs...)
		if tc.want == "" {
			if status != 400 || out["error"] != "invalid_dpop_proof" || w.lastReason() != tc.reason {
				t.Errorf("%q, proof %v: got %d %v %s", tc.registered, tc.proof, status, out["error"], w.lastReason())
			}
			continue
		}
		k, reason := w.tokens.verify(out["access_token"].(string))
		if reason != "" || k.bound() != tc.want {
			t.Errorf("%q, proof %v: bound to %q, want %q", tc.registered, tc.proof, k.bound(), tc.want)
		}
		if got := out["token_type"]; (got == "DPoP") != tc.proof {
			t.Errorf("%q, proof %v: token_type %v", tc.registered, tc.proof, got)
		}
	}
}

// What the token endpoint says of a proof, and that the assertion beside a bad
// proof is not used up.
func TestTokenEndpointProofs(t *testing.T) {
	w := settled(newWorld(t))
	key := must2(NewKey(256))
	used := w.proofFor(key, "", nil)
	form := tokenForm(w.good(w.claims()))
	for _, tc := range []struct {
		name   string
		proofs []string
		code   string
		reason Reason
	}{
		{"of a resource", []string{w.proofFor(key, "a.b.c", nil)}, "invalid_dpop_proof", ProofElsewhere},
		{"with ath", []string{w.proofFor(key, "", func(f *forged) { f.claims["ath"] = "x" })}, "invalid_dpop_proof", ProofElsewhere},
		{"stale", []string{w.proofFor(key, "", func(f *forged) { f.claims["iat"] = w.now().Add(-time.Hour).Unix() })}, "invalid_dpop_proof", ProofStale},
		{"two", []string{w.proofFor(key, "", nil), w.proofFor(key, "", nil)}, "invalid_dpop_proof", ProofMalformed},
		{"wrong nonce", []string{w.proofFor(key, "", func(f *forged) { f.claims["nonce"] = "x" })}, "use_dpop_nonce", ProofNonce},
		{"good", []string{used}, "", ""},
	} {
		status, out, h := w.askWith(w.device, form, tc.proofs...)
		code, _ := out["error"].(string)
		if code != tc.code || w.lastReason() != tc.reason || (status == 200) != (tc.code == "") {
			t.Errorf("%s: got %d %q %q, want %q %q", tc.name, status, code, w.lastReason(), tc.code, tc.reason)
		}
		if (h.Get("DPoP-Nonce") != "") != (tc.reason == ProofNonce) {
			t.Errorf("%s: DPoP-Nonce %q", tc.name, h.Get("DPoP-Nonce"))
		}
	}
	if _, out, _ := w.askWith(w.device, tokenForm(w.good(w.claims())), used); out["error"] != "invalid_dpop_proof" || w.lastReason() != ProofReplayed {
		t.Errorf("replayed: got %v %s", out["error"], w.lastReason())
	}
	if status, _, _ := w.askWith(nil, form, used); status != 401 || w.lastReason() != NoCertificate {
		t.Errorf("no certificate: got %d %s", status, w.lastReason())
	}
}

// A client gets its tokens and its answers with proofs, over the nonces that a
// server that has just started demands.
func TestProvingClient(t *testing.T) {
	w := newWorld(t)
	c := must2(NewClient(ClientConfig{ClientID: "triage", Key: w.appKey, TokenURL: w.tokenURL(), Resource: w.base + "/fhir",
		Scope: "system/Patient.rs", HTTP: w.http(w.device), Now: w.now, DPoP: must2(NewProver(must2(NewKey(256))))}))
	for i := range 3 {
		req := must2(http.NewRequest("GET", w.base+"/fhir/Patient/1?_format=json", nil))
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var seen seenCaller
		if resp.StatusCode != 200 || json.NewDecoder(resp.Body).Decode(&seen) != nil || seen.Transport.TokenBinding != "mtls+dpop" {
			t.Fatalf("request %d: got %d %+v", i, resp.StatusCode, seen)
		}
		resp.Body.Close()
		w.advance(2 * nonceLife) // the nonce that it knows is old then
	}
	if _, err := NewProver(w.appKey); err == nil {
		t.Error("a P-384 key was taken for ES256")
	}
}

// What a restart forgot cannot be used again: a proof from before it needs a
// nonce from after it.
func TestProofsAcrossRestart(t *testing.T) {
	w := settled(newWorld(t))
	key := must2(NewKey(256))
	tok := w.mint(w.device, func(k *token) { k.jkt = kidOf(t, key.Public()) })
	use := func(proof string) Reason {
		r := w.request(w.device, "DPoP "+tok)
		r.Method = "GET"
		r.Header["Dpop"] = []string{proof}
		_, err := w.verifier.Caller(r, w.view.Load())
		reason, _ := ReasonOf(err)
		return reason
	}
	ahead := w.proofFor(key, tok, func(f *forged) { f.claims["iat"] = w.now().Add(skew).Unix() }) // by a clock that is ahead
	old := w.verifier.dpop.nonce(w.now())
	if got := use(ahead); got != "" {
		t.Fatalf("first use: %s", got)
	}
	w.verifier = must2(NewVerifier(w.ca.Pool(), w.tokens, w.now, 0))
	for d := time.Duration(0); d < ProofLife+3*skew; d += time.Second {
		if got := use(ahead); got == "" {
			t.Fatalf("used again %s after the restart", d)
		}
		w.advance(time.Second)
	}
	if got := use(w.proofFor(key, tok, func(f *forged) { f.claims["nonce"] = old })); got != ProofNonce {
		t.Errorf("a nonce of the former process: got %q", got)
	}
	if got := use(w.proofFor(key, tok, nil)); got != "" {
		t.Errorf("settled again: got %q", got)
	}
}

// Proofs are remembered as long as they could be used, whatever the clock does,
// and no longer than two such times.
func TestProofMemory(t *testing.T) {
	p := proofs{max: 8, maxApp: 4}
	key := func(s string) [32]byte { return sha256.Sum256([]byte(s)) }
	now := start
	use := func(app id.App, k string, iat time.Time) Reason {
		reason, _ := ReasonOf(p.use(app, key(k), iat, now))
		return reason
	}
	for i := range 400 {
		iat := now.Add(time.Duration(i%46-30) * time.Second) // from 30 s old to 15 s ahead
		k := fmt.Sprint(i)
		if got := use("triage", k, iat); got != "" {
			t.Fatalf("use %d: %s", i, got)
		}
		last := iat.Add(ProofLife + skew)
		for _, again := range []time.Time{now, now.Add(last.Sub(now) / 2), last.Add(-time.Nanosecond)} {
			now = latest(now, again)
			if got := use("triage", k, iat); got != ProofReplayed {
				t.Fatalf("again %d at %s: got %q", i, now, got)
			}
		}
		before := now
		now = now.Add(3 * proofMemory)
		if got := use("other", "x"+k, now); got != "" {
			t.Fatal(got)
		}
		now = before // the clock goes back to when the proof was young
		if got := use("triage", k, iat); got == "" {
			t.Fatal("a clock that went back brought a proof back")
		}
		now = now.Add(4 * proofMemory)
	}
	now = now.Add(10 * proofMemory)
	for i := range 4 {
		if got := use("triage", fmt.Sprint("a", i), now); got != "" {
			t.Fatal(got)
		}
	}
	if got := use("triage", "a9", now); got != ReplayCacheFull {
		t.Errorf("beyond the share of an application: got %q", got)
	}
	if got := use("rival", "a9", now); got != "" {
		t.Errorf("another application: got %q", got)
	}
	now = now.Add(2 * proofMemory)
	if got := use("triage", "a9", now); got != "" {
		t.Errorf("later: got %q", got)
	}
}

// A proof works once, however many try at the same time.
func TestProofReplayedConcurrently(t *testing.T) {
	w := settled(newWorld(t))
	key := must2(NewKey(256))
	tok := w.mint(w.device, func(k *token) { k.jkt = kidOf(t, key.Public()) })
	proof := w.proofFor(key, tok, nil)
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			r := w.request(w.device, "DPoP "+tok)
			r.Header["Dpop"] = []string{proof}
			if _, err := w.verifier.Caller(r, w.view.Load()); err == nil {
				wins.Add(1)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Errorf("accepted %d times", wins.Load())
	}
}

func FuzzDPoPProof(f *testing.F) {
	w := settled(newWorld(f))
	key := must2(NewKey(256))
	tok := w.mint(w.device, func(k *token) { k.jkt = kidOf(f, key.Public()) })
	sum := sha256.Sum256([]byte(tok))
	good := w.proofFor(key, tok, nil)
	parts := strings.Split(good, ".")
	for _, s := range []string{"", good, good + "A", parts[0] + ".." + parts[2], "e30.e30.", parts[0] + "." + parts[1] + ".", "a.b.c.d.e", `{"payload":""}`} {
		f.Add(s)
	}
	now := w.now()
	f.Fuzz(func(t *testing.T, raw string) {
		p, err := w.verifier.dpop.read(http.Header{"Dpop": {raw}}, asked{"GET", "/fhir/Patient/1", &sum}, now)
		if (err == nil) != (p.jkt != "") {
			t.Fatalf("error %v with %+v", err, p)
		}
		// Anyone may sign with a key of their own; with the token's key only the
		// seed's own claims can pass.
		if err == nil && p.jkt == kidOf(t, key.Public()) && !strings.HasPrefix(raw, parts[0]+"."+parts[1]+".") {
			t.Fatalf("accepted a forgery: %q", raw)
		}
	})
}

func FuzzProofURL(f *testing.F) {
	d := must2(newDPoP("https://gateway.example", start))
	for _, s := range []string{"https://gateway.example/a", "https://gateway.example:443/%41", "https://a@gateway.example/", "//x", "https://gateway.example/%zz", "https://gateway.example/a/../b"} {
		f.Add(s, "/a")
	}
	f.Fuzz(func(t *testing.T, htu, path string) {
		if !d.sameURL(htu, path) {
			return
		}
		u, err := url.Parse(htu)
		if err != nil || !strings.EqualFold(u.Hostname(), "gateway.example") || u.Scheme != "https" {
			t.Fatalf("%q passes for this origin", htu)
		}
		if once := normalPath(path); normalPath(once) != once && !strings.Contains(once, "%25") {
			t.Fatalf("%q normalises to %q and then to %q", path, once, normalPath(once))
		}
	})
}

// BenchmarkCallerDPoP is BenchmarkCaller with a proof, which differs each time
// and is made before the clock starts.
func BenchmarkCallerDPoP(b *testing.B) {
	w := settled(newWorld(b))
	w.verifier.dpop.seen.max, w.verifier.dpop.seen.maxApp = 1<<30, 1<<30
	key := must2(NewKey(256))
	tok := w.mint(w.device, func(k *token) { k.jkt = kidOf(b, key.Public()) })
	view := w.view.Load()
	r := w.request(w.device, "DPoP "+tok)
	prover := must2(NewProver(key))
	proofs := make([]string, b.N)
	for i := range proofs {
		proofs[i] = must2(prover.Proof("GET", r.URL, tok, "", w.now()))
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		r.Header["Dpop"] = []string{proofs[i]}
		if _, err := w.verifier.Caller(r, view); err != nil {
			b.Fatal(err)
		}
	}
}
