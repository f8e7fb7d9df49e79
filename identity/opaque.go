package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"math/big"

	"github.com/go-jose/go-jose/v4"
)

// SigningKey is a key in go-jose's form. A key that is not in memory, as one in
// a TPM, signs through crypto.Signer; it must be ECDSA on P-256 or P-384.
func SigningKey(key crypto.Signer, kid string) (jose.SigningKey, error) {
	alg, err := algorithmFor(key.Public())
	if err != nil {
		return jose.SigningKey{}, err
	}
	switch key.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey:
		return jose.SigningKey{Algorithm: alg, Key: key}, nil
	}
	if _, ok := key.Public().(*ecdsa.PublicKey); !ok {
		return jose.SigningKey{}, errors.New("a key outside memory must be an elliptic one")
	}
	return jose.SigningKey{Algorithm: alg, Key: &opaque{key, alg, kid}}, nil
}

// opaque implements jose.OpaqueSigner.
type opaque struct {
	key crypto.Signer
	alg jose.SignatureAlgorithm
	kid string
}

func (o *opaque) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: o.key.Public(), KeyID: o.kid, Algorithm: string(o.alg), Use: "sig"}
}

func (o *opaque) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{o.alg} }

// SignPayload signs as RFC 7518, section 3.4: r and s, each as long as the
// curve's order, and not in ASN.1.
func (o *opaque) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	hash, size := crypto.SHA256, 32
	switch {
	case alg != o.alg:
		return nil, jose.ErrUnsupportedAlgorithm
	case alg == jose.ES384:
		hash, size = crypto.SHA384, 48
	}
	h := hash.New()
	h.Write(payload)
	der, err := o.key.Sign(rand.Reader, h.Sum(nil), hash)
	if err != nil {
		return nil, err
	}
	var sig struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(der, &sig); err != nil || len(rest) != 0 {
		return nil, errors.New("the key's signature is not ECDSA in ASN.1")
	}
	if sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.BitLen() > 8*size || sig.S.BitLen() > 8*size {
		return nil, errors.New("the key's signature is out of range")
	}
	out := make([]byte, 2*size)
	sig.R.FillBytes(out[:size])
	sig.S.FillBytes(out[size:])
	return out, nil
}
