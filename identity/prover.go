package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/problem"
)

// Prover makes DPoP proofs (RFC 9449) with one key. It is safe for concurrent
// use.
type Prover struct{ signer jose.Signer }

// NewProver takes a P-256 key, from a file or from hardware.
func NewProver(key crypto.Signer) (*Prover, error) {
	ec, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, problem.BadField("dpop_key", "Proofs are signed with ES256, which needs a P-256 key", "Make the key with 256 bits")
	}
	var by any = key
	if _, ok := key.(*ecdsa.PrivateKey); !ok {
		by = cryptosigner.Opaque(key)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: by}, (&jose.SignerOptions{EmbedJWK: true}).WithType(proofType))
	if err != nil {
		return nil, problem.BadField("dpop_key", "This key cannot sign proofs here", "Use an ECDSA key on P-256").Because(err)
	}
	return &Prover{signer}, nil
}

// Proof signs one request. token is the access token that goes with it, empty at
// a token endpoint; nonce is the server's last, empty if it gave none.
func (p *Prover) Proof(method string, u *url.URL, token, nonce string, now time.Time) (string, error) {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	claims := struct {
		ID     string           `json:"jti"`
		Method string           `json:"htm"`
		URL    string           `json:"htu"`
		Issued *jwt.NumericDate `json:"iat"`
		Token  string           `json:"ath,omitempty"`
		Nonce  string           `json:"nonce,omitempty"`
	}{rand.Text(), method, bare.String(), jwt.NewNumericDate(now), "", nonce}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims.Token = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	raw, err := jwt.Signed(p.signer).Claims(claims).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign a DPoP proof: %w", err)
	}
	return raw, nil
}
