package sealed

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"

	"github.com/sallyport/sallyport/problem"
)

// Keys are the public keys of an organisation that sign its manifests. The zero
// Keys verify nothing.
type Keys struct{ keys map[string]*ecdsa.PublicKey }

// jwk is a public key of RFC 7517 as it is published here.
type jwk struct {
	KTY string `json:"kty"`
	CRV string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	KID string `json:"kid"`
	Use string `json:"use"`
	Alg string `json:"alg"`
}

const (
	maxKeys     = 32
	maxKeysFile = 64 << 10
)

// MarshalKeys writes public keys as a JWK Set.
func MarshalKeys(keys ...*ecdsa.PublicKey) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range keys {
		x, y, err := coordinates(k)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jwk{KTY: "EC", CRV: "P-256", X: x, Y: y, KID: thumbprint(x, y), Use: "sig", Alg: "ES256"})
	}
	out, err := json.MarshalIndent(set, "", "  ")
	return append(out, '\n'), err
}

// Thumbprint is a public key's id (RFC 7638).
func Thumbprint(k *ecdsa.PublicKey) (string, error) {
	x, y, err := coordinates(k)
	return thumbprint(x, y), err
}

func coordinates(k *ecdsa.PublicKey) (x, y string, err error) {
	if k == nil || k.Curve != elliptic.P256() {
		return "", "", errors.New("not a P-256 key")
	}
	point, err := k.Bytes()
	if err != nil || len(point) != 65 {
		return "", "", errors.New("not a point of P-256")
	}
	enc := base64.RawURLEncoding
	return enc.EncodeToString(point[1:33]), enc.EncodeToString(point[33:]), nil
}

func thumbprint(x, y string) string {
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ParseKeys reads a JWK Set. Every key must be a P-256 key under its own
// thumbprint: a key id then says which key it is, to whoever wrote it down.
func ParseKeys(set []byte) (Keys, error) {
	bad := problem.BadField("keys", "is not a JWK Set of release keys", "Take the file from the organisation: `sallyport init` wrote it, and the gateway serves it at "+KeysPath)
	if len(set) > maxKeysFile {
		return Keys{}, bad
	}
	var doc struct {
		Keys []jwk `json:"keys"`
	}
	if err := strict(set, &doc); err != nil || len(doc.Keys) == 0 || len(doc.Keys) > maxKeys {
		return Keys{}, bad
	}
	out := Keys{keys: map[string]*ecdsa.PublicKey{}}
	for _, k := range doc.Keys {
		enc := base64.RawURLEncoding.Strict()
		x, err1 := enc.DecodeString(k.X)
		y, err2 := enc.DecodeString(k.Y)
		if err1 != nil || err2 != nil || len(x) != 32 || len(y) != 32 || k.KTY != "EC" || k.CRV != "P-256" || k.Use != "sig" || k.Alg != "ES256" || k.KID != thumbprint(k.X, k.Y) {
			return Keys{}, bad
		}
		public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
		if err != nil {
			return Keys{}, bad
		}
		out.keys[k.KID] = public
	}
	return out, nil
}

// KeysPath is where a gateway publishes its release keys (RFC 8615).
const KeysPath = "/.well-known/sallyport-release-keys.json"

// Only gives the one key with this id, for who wrote down a thumbprint.
func (k Keys) Only(keyID string) (Keys, bool) {
	public, ok := k.keys[keyID]
	if !ok {
		return Keys{}, false
	}
	return Keys{keys: map[string]*ecdsa.PublicKey{keyID: public}}, true
}

// IDs are the keys' ids, sorted.
func (k Keys) IDs() []string {
	var out []string
	for kid := range k.keys {
		out = append(out, kid)
	}
	slices.Sort(out)
	return out
}
