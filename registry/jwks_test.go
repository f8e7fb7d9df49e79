package registry_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

func set(t *testing.T, keys ...jose.JSONWebKey) string {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func jwk(kid, alg string, k crypto.PublicKey) jose.JSONWebKey {
	return jose.JSONWebKey{Key: k, KeyID: kid, Algorithm: alg, Use: "sig"}
}

func TestKeysArePublicStrongAndDistinct(t *testing.T) {
	must := func(k crypto.Signer, err error) crypto.Signer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	p384 := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	p521 := must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))
	r2048 := must(rsa.GenerateKey(rand.Reader, 2048))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// 1024 bits, too few; written out because Go makes none so short.
	weak := `{"keys":[{"kty":"RSA","alg":"RS256","kid":"w","e":"AQAB","n":"` + strings.Repeat("v", 170) + `Q"}]}`
	w := demoWorld(t)
	for name, c := range map[string]struct{ keys, field string }{
		"two good":        {set(t, jwk("a", "ES256", p256.Public()), jwk("b", "ES384", p384.Public()), jwk("c", "RS256", r2048.Public())), ""},
		"RS384":           {set(t, jwk("a", "RS384", r2048.Public())), ""},
		"not a set":       {`{}`, "keys"},
		"empty":           {`{"keys":[]}`, "keys"},
		"not JSON":        {`x`, "keys"},
		"a private key":   {set(t, jwk("a", "ES256", p256)), "keys.keys[0].d"},
		"a secret":        {`{"keys":[{"kty":"oct","k":"AAAA","kid":"a","alg":"HS256"}]}`, "keys.keys[0].k"},
		"no kid":          {set(t, jwk("", "ES256", p256.Public())), "keys.keys[0].kid"},
		"kid twice":       {set(t, jwk("a", "ES256", p256.Public()), jwk("a", "ES384", p384.Public())), "keys.keys[1].kid"},
		"key twice":       {set(t, jwk("a", "ES256", p256.Public()), jwk("b", "ES256", p256.Public())), "keys.keys[1]"},
		"no alg":          {set(t, jwk("a", "", p256.Public())), "keys.keys[0].alg"},
		"alg none":        {set(t, jwk("a", "none", p256.Public())), "keys.keys[0].alg"},
		"another curve":   {set(t, jwk("a", "ES256", p384.Public())), "keys.keys[0].alg"},
		"P-521":           {set(t, jwk("a", "ES384", p521.Public())), "keys.keys[0].alg"},
		"RSA as ES256":    {set(t, jwk("a", "ES256", r2048.Public())), "keys.keys[0].alg"},
		"EC as RS256":     {set(t, jwk("a", "RS256", p256.Public())), "keys.keys[0].alg"},
		"for encryption":  {strings.Replace(set(t, jwk("a", "ES256", p256.Public())), `"sig"`, `"enc"`, 1), "keys.keys[0].use"},
		"Ed25519":         {set(t, jwk("a", "ES256", ed.Public())), "keys.keys[0].kty"},
		"RSA, 1024 bits":  {weak, "keys.keys[0].n"},
		"off the curve":   {`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","alg":"ES256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}]}`, "keys.keys[0]"},
		"nine keys":       {`{"keys":[` + strings.Repeat(`{},`, 8) + `{}]}`, "keys"},
		"longer than all": {`{"keys":["` + strings.Repeat("x", 70_000) + `"]}`, "keys"},
	} {
		t.Run(name, func(t *testing.T) {
			err := registry.Check(w.view, registry.Actor{Person: "ada"}, registry.RotateAppKeys{ID: "triage", Keys: json.RawMessage(c.keys)}, w.now)
			if c.field == "" {
				if err == nil {
					return
				}
				// The demo's app is approved, so only the keys can be wrong.
				t.Fatal(err)
			}
			if p := problem.From(err); p.Kind != problem.Invalid || p.Field != c.field {
				t.Errorf("got %q (%v), want %q", p.Field, p, c.field)
			}
		})
	}
}

func TestDroppingAKeyHoldsAtOnce(t *testing.T) {
	w := demoWorld(t)
	a, _ := w.view.Apps.Get("triage")
	old := strings.TrimSuffix(strings.TrimPrefix(string(a.Keys), `{"keys":[`), `]}`)
	more := strings.TrimSuffix(strings.TrimPrefix(string(keys2), `{"keys":[`), `]}`)
	w.must("ada", registry.RotateAppKeys{ID: "triage", Keys: json.RawMessage(`{"keys":[` + old + `,` + more + `]}`)})
	w.must("grace", registry.ApproveApp{ID: "triage"})
	w.must("ada", registry.RotateAppKeys{ID: "triage", Keys: keys2})
	if a, _ := w.view.Apps.Get("triage"); a.State != "approved" {
		t.Errorf("after dropping a key: got %s, want approved", a.State)
	}
}
