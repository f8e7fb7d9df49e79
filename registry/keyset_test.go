package registry_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// Public keys are taken as people have them, and private ones in none of their forms.
func TestAKeySetIsReadAsPeopleHaveIt(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pub := func(key crypto.PublicKey) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		return block("PUBLIC KEY", der, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(ec)
	secret := block("PRIVATE KEY", private, err)
	sec1, err := x509.MarshalECPrivateKey(ec)
	jwk := func(k jose.JSONWebKey) string {
		raw, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	named := jose.JSONWebKey{Key: ec.Public(), KeyID: "2026", Algorithm: "ES384"}
	thumb, _ := named.Thumbprint(crypto.SHA256)
	for name, c := range map[string]struct {
		text, kid, alg, kind string
		keys                 int
	}{
		"a set":                      {`{"keys": [` + jwk(named) + `]}`, "2026", "ES384", "EC P-384", 1},
		"one JWK":                    {" " + jwk(named) + "\r\n", "2026", "ES384", "EC P-384", 1},
		"without a name":             {jwk(jose.JSONWebKey{Key: ec.Public()}), "", "ES384", "EC P-384", 1},
		"PEM":                        {pub(ec.Public()), "", "ES384", "EC P-384", 1},
		"two of PEM, ends as CRLF":   {strings.ReplaceAll(pub(ec.Public())+"\n"+pub(of.Public()), "\n", "\r\n"), "", "ES384", "EC P-384", 2},
		"RSA, as PKCS #1 has it":     {block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&of.PublicKey), nil), "", "RS384", "RSA of 2048 bits", 1},
		"RSA, for another algorithm": {jwk(jose.JSONWebKey{Key: of.Public(), KeyID: "r", Algorithm: "RS256"}), "r", "RS256", "RSA of 2048 bits", 1},
	} {
		set, keys, err := registry.ReadKeySet("keys", []byte(c.text))
		if err != nil || len(keys) != c.keys {
			t.Errorf("%s: got %d keys, %v", name, len(keys), err)
			continue
		}
		if k := keys[0]; k.Algorithm != c.alg || k.Kind != c.kind || c.kid != "" && (k.ID != c.kid || k.Named) || c.kid == "" && (k.ID != k.Thumbprint || !k.Named) {
			t.Errorf("%s: got %+v", name, k)
		}
		again, _, err := registry.ReadKeySet("keys", set)
		if err != nil || string(again) != string(set) {
			t.Errorf("%s: read again, %s became %s (%v)", name, set, again, err)
		}
	}
	if _, keys, _ := registry.ReadKeySet("keys", []byte(jwk(named))); len(keys) != 1 || len(keys[0].Thumbprint) != 43 || len(thumb) != 32 {
		t.Errorf("the thumbprint is none: %v", keys)
	}
	for name, text := range map[string]string{
		"PKCS #8": secret, "SEC 1": block("EC PRIVATE KEY", sec1, err), "PKCS #1": block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(of), nil),
		"a public key, and its private one": pub(ec.Public()) + secret, "a private JWK": jwk(jose.JSONWebKey{Key: ec, KeyID: "a", Algorithm: "ES384"}),
		"a set of one": `{"keys":[` + jwk(jose.JSONWebKey{Key: of, KeyID: "a"}) + `]}`, "a secret": `{"kty":"oct","k":"c2VjcmV0","kid":"a"}`,
		"cut short": jwk(jose.JSONWebKey{Key: ec})[:230], "OpenSSH's": "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", "age's": "AGE-SECRET-KEY-1QQQ",
	} {
		set, _, err := registry.ReadKeySet("keys", []byte(text))
		if set != nil || !errors.Is(err, registry.ErrPrivateKey) || problem.From(err).Field != "keys" {
			t.Errorf("%s: got %s, %v", name, set, err)
		}
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing": {"", "neither JSON nor PEM"}, "words": {"my key", "neither JSON nor PEM"}, "another object": {`{"a":1}`, "no public key"}, "an empty set": {`{"keys":[]}`, "no public key"},
		"a certificate": {block("CERTIFICATE", []byte{1}, nil), "is a certificate"}, "half a block": {pub(ec.Public())[:80], "beside"}, "more beside": {"My key:\n" + pub(ec.Public()), "beside"},
		"Ed25519": {pub(ed.Public()), "alg"}, "twice": {pub(ec.Public()) + pub(ec.Public()), "stands there twice"}, "no key in it": {block("PUBLIC KEY", []byte{1, 2}, nil), "cannot be read"},
	} {
		_, _, err := registry.ReadKeySet("keys", []byte(c.text))
		if p := problem.From(err); err == nil || !strings.Contains(p.Field+" "+p.Title, c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}
