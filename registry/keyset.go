package registry

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/problem"
)

// PublicKey is one key of a set, as people compare it.
type PublicKey struct {
	ID         string // its kid
	Algorithm  string
	Kind       string // "EC P-384", "RSA of 3,072 bits"
	Thumbprint string // RFC 7638, SHA-256, base64url
	Named      bool   // its kid was made here, of the thumbprint
}

// ErrPrivateKey is in the chain of every refusal of a private key: what was sent is not to
// be kept or shown.
var ErrPrivateKey = errors.New("a private key was sent")

// ReadKeySet reads public keys as people hand them in: a JWK Set or one JWK (RFC 7517), or
// PEM blocks "PUBLIC KEY". It gives the set as acts take it. A key without a kid is named by
// its thumbprint, and one without an algorithm gets the one of SMART for its kind.
func ReadKeySet(field string, text []byte) (json.RawMessage, []PublicKey, error) {
	text = bytes.TrimSpace(text)
	if HoldsPrivateKey(string(text)) {
		return nil, nil, errPrivate(field)
	}
	raws, err := rawKeys(field, text)
	if err != nil {
		return nil, nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	var out []PublicKey
	for i, raw := range raws {
		filled, key, err := fillKey(fmt.Sprintf("%s.keys[%d]", field, i), raw)
		if err != nil {
			return nil, nil, err
		}
		set.Keys, out = append(set.Keys, filled), append(out, key)
	}
	made, err := json.Marshal(set)
	if err != nil {
		return nil, nil, badField(field, "cannot be read", "Paste public keys, or choose their file")
	}
	return made, out, checkKeys(field, made)
}

func errPrivate(field string) error {
	return problem.BadField(field, "holds a private key: it was not kept, and whoever has seen it can act as its program", "Make a new key pair where the program runs, and hand in its public part only").Because(ErrPrivateKey)
}

// A JWK that can sign or decrypt has one of these beside its kty (RFC 7518, 6).
var (
	privateMember = regexp.MustCompile(`"(d|p|q|dp|dq|qi|oth|k)"\s*:`)
	keyMember     = regexp.MustCompile(`"(kty|keys|crv)"\s*:`)
)

// HoldsPrivateKey reports whether a text looks as if it held a private key in one of the
// forms in which they are mostly written. It errs to the side of yes.
func HoldsPrivateKey(text string) bool {
	for _, mark := range []string{"PRIVATE KEY-----", "AGE-SECRET-KEY-", "PuTTY-User-Key-File-"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return keyMember.MatchString(text) && privateMember.MatchString(text)
}

// rawKeys takes what was handed in apart, each key a JWK.
func rawKeys(field string, text []byte) ([]json.RawMessage, error) {
	if bytes.Contains(text, []byte("-----BEGIN ")) {
		return pemKeys(field, text)
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
		Type string            `json:"kty"`
	}
	switch err := json.Unmarshal(text, &doc); {
	case err != nil:
		return nil, badField(field, "is neither JSON nor PEM", `Paste what begins with "{" or with "-----BEGIN PUBLIC KEY-----", or choose the file that has it`)
	case len(doc.Keys) > 0:
		return doc.Keys, nil
	case doc.Type != "":
		return []json.RawMessage{text}, nil
	}
	return nil, badField(field, "is JSON, and no public key", `Paste a JWK Set, {"keys": [...]}, or one JWK (RFC 7517)`)
}

func pemKeys(field string, text []byte) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
			return nil, badField(field, "holds something beside its PEM blocks", `Paste from "-----BEGIN PUBLIC KEY-----" to "-----END PUBLIC KEY-----", and nothing else`)
		}
		var public any
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			public, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			public, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			return nil, badField(field, "is a certificate, and no bare public key", "Take the key out of it: openssl x509 -in FILE -noout -pubkey")
		default:
			return nil, badField(field, fmt.Sprintf("holds a PEM block %q", block.Type), `Paste the block "PUBLIC KEY": openssl pkey -in FILE -pubout`)
		}
		if err != nil {
			return nil, badField(field, "holds a PEM block that cannot be read", "Copy it again, whole")
		}
		raw, err := json.Marshal(jose.JSONWebKey{Key: public})
		if err != nil {
			return nil, badField(field, "holds a key of a kind that is not accepted", "Use EC with P-256 or P-384, or RSA")
		}
		out, text = append(out, raw), bytes.TrimSpace(rest)
	}
	return out, nil
}

// fillKey gives the key with a kid and an algorithm.
func fillKey(at string, raw json.RawMessage) (json.RawMessage, PublicKey, error) {
	var members map[string]json.RawMessage
	var k jose.JSONWebKey
	if json.Unmarshal(raw, &members) != nil || json.Unmarshal(raw, &k) != nil || !k.Valid() || !k.IsPublic() {
		return nil, PublicKey{}, badField(at, "is not a valid public key", "Write an EC or RSA public key (RFC 7517)")
	}
	out := PublicKey{Thumbprint: thumbprint(&k), ID: k.KeyID, Algorithm: k.Algorithm}
	usual := ""
	switch public := k.Key.(type) {
	case *ecdsa.PublicKey:
		out.Kind = "EC " + public.Curve.Params().Name
		usual = map[string]string{"P-256": "ES256", "P-384": "ES384"}[public.Curve.Params().Name]
	case *rsa.PublicKey:
		out.Kind, usual = fmt.Sprintf("RSA of %d bits", public.N.BitLen()), "RS384"
	}
	if out.Algorithm == "" && usual != "" {
		out.Algorithm = usual
		members["alg"], _ = json.Marshal(usual) // a string can be written
	}
	if out.ID == "" {
		out.ID, out.Named = out.Thumbprint, true
		members["kid"], _ = json.Marshal(out.ID)
	}
	filled, err := json.Marshal(members)
	if err != nil {
		return nil, PublicKey{}, badField(at, "cannot be written", "Copy it again")
	}
	return filled, out, nil
}
