package provenance

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
)

// Key is a public key that a vendor signs with. Only ParseKey makes one.
type Key struct {
	public crypto.PublicKey
	sha256 string
}

// maxKey bounds the PEM text of one key.
const maxKey = 8 << 10

// ParseKey reads one PEM block "PUBLIC KEY" (SubjectPublicKeyInfo, RFC 5280, as
// cosign's cosign.pub and openssl's -pubout have it) and nothing beside it. Its
// error is BadKey.
func ParseKey(text []byte) (Key, error) {
	if len(text) > maxKey {
		return Key{}, BadKey
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 ||
		!bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN ")) {
		return Key{}, BadKey
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, BadKey
	}
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() && k.Curve != elliptic.P384() {
			return Key{}, BadKey
		}
	case ed25519.PublicKey:
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < 2048 || bits > 8192 || k.E < 3 || k.E%2 == 0 {
			return Key{}, BadKey
		}
	default:
		return Key{}, BadKey
	}
	sum := sha256.Sum256(block.Bytes)
	return Key{public: public, sha256: hex.EncodeToString(sum[:])}, nil
}

// SHA256 is the digest of the key's SubjectPublicKeyInfo, in hex.
func (k Key) SHA256() string { return k.sha256 }

// verifies reports whether sig is the key's over message. The algorithm follows
// from the key, never from the bundle: ECDSA in ASN.1 over SHA-256 (and for P-384
// over SHA-384 too: signers differ in which they take), Ed25519 over the message,
// RSA over SHA-256 by PKCS #1 v1.5 or PSS.
func (k Key) verifies(message, sig []byte) bool {
	h256 := sha256.Sum256(message)
	switch public := k.public.(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(public, h256[:], sig) {
			return true
		}
		h384 := sha512.Sum384(message)
		return public.Curve == elliptic.P384() && ecdsa.VerifyASN1(public, h384[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(public, message, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(public, crypto.SHA256, h256[:], sig) == nil ||
			rsa.VerifyPSS(public, crypto.SHA256, h256[:], sig, nil) == nil
	}
	return false
}
