package registry

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// MaxKeys is how many keys an app can have at a time.
const MaxKeys = 8

// KeyAlgorithms lists the algorithms for private_key_jwt that an app's keys may
// name: SMART's ES384 and RS384, and ES256 and RS256.
var KeyAlgorithms = []string{"ES256", "ES384", "RS256", "RS384"}

// checkKeys wants a JWK Set (RFC 7517) of public signature keys with distinct
// kids, each of an allowed algorithm and strength.
func checkKeys(field string, raw json.RawMessage) error {
	if len(raw) > 64<<10 {
		return badField(field, "is longer than 64 KiB", "Send public keys only")
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil || len(doc.Keys) == 0 {
		return badField(field, "is not a JWK Set with a key", `Write {"keys": [...]} (RFC 7517)`)
	}
	if len(doc.Keys) > MaxKeys {
		return badField(field, fmt.Sprintf("holds %d keys", len(doc.Keys)), fmt.Sprintf("Keep at most %d", MaxKeys))
	}
	kids, prints := map[string]bool{}, map[string]bool{}
	for i, one := range doc.Keys {
		at := fmt.Sprintf("%s.keys[%d]", field, i)
		k, err := checkKey(at, one)
		if err != nil {
			return err
		}
		if kids[k.KeyID] {
			return badField(at+".kid", fmt.Sprintf("%q stands there twice", k.KeyID), "Give each key a kid of its own")
		}
		kids[k.KeyID] = true
		if t := thumbprint(k); prints[t] {
			return badField(at, "is the same key as another", "Leave one out")
		} else {
			prints[t] = true
		}
	}
	return nil
}

func checkKey(at string, raw json.RawMessage) (*jose.JSONWebKey, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, badField(at, "is not a JWK", "Write an object (RFC 7517)")
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, ok := members[private]; ok {
			return nil, badField(at+"."+private, "is a private part: this key is compromised now", "Make a new key, and send its public part only")
		}
	}
	var k jose.JSONWebKey
	if err := json.Unmarshal(raw, &k); err != nil || !k.Valid() || !k.IsPublic() {
		return nil, badField(at, "is not a valid public key", "Write an EC or RSA public key (RFC 7517)")
	}
	if k.KeyID == "" || len(k.KeyID) > 128 {
		return nil, badField(at+".kid", "is missing or longer than 128 bytes", "Give each key a short kid of its own")
	}
	if err := shortText(at+".kid", k.KeyID); err != nil { // who approves the key sees it
		return nil, err
	}
	if k.Use != "" && k.Use != "sig" {
		return nil, badField(at+".use", fmt.Sprintf("is %q", k.Use), `Write "sig"`)
	}
	if err := oneOf(at+".alg", k.Algorithm, KeyAlgorithms); err != nil {
		return nil, err
	}
	switch pub := k.Key.(type) {
	case *ecdsa.PublicKey:
		if want := map[string]string{"ES256": "P-256", "ES384": "P-384"}[k.Algorithm]; pub.Curve.Params().Name != want {
			return nil, badField(at+".alg", "does not suit the curve", "Use ES256 with P-256, ES384 with P-384")
		}
	case *rsa.PublicKey:
		if k.Algorithm != "RS256" && k.Algorithm != "RS384" {
			return nil, badField(at+".alg", "does not suit an RSA key", "Use RS256 or RS384")
		}
		if bits := pub.N.BitLen(); bits < 2048 || bits > 8192 || pub.E < 3 || pub.E%2 == 0 {
			return nil, badField(at+".n", fmt.Sprintf("an RSA key of %d bits is not accepted", bits), "Make one of 2048 to 8192 bits")
		}
	default:
		return nil, badField(at+".kty", "is not accepted", "Use EC or RSA")
	}
	return &k, nil
}

// thumbprint is the key's own name (RFC 7638).
func thumbprint(k *jose.JSONWebKey) string {
	sum, err := k.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// thumbprints names the keys of a set that checkKeys accepted, kid and
// algorithm included, since a key under another kid is another entry.
func thumbprints(raw json.RawMessage) []string {
	var set jose.JSONWebKeySet
	if json.Unmarshal(raw, &set) != nil {
		return nil
	}
	var out []string
	for i := range set.Keys {
		out = append(out, named(&set.Keys[i]))
	}
	return out
}

func named(k *jose.JSONWebKey) string { return k.KeyID + " " + k.Algorithm + " " + thumbprint(k) }
