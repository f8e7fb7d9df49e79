package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// TokenLife is how long an access token lives (policy). SMART App Launch 2
// recommends at most five minutes for backend services.
const TokenLife = 5 * time.Minute

const (
	// maxToken bounds an access token, so that a header cannot make the server
	// hash without end.
	maxToken = 8 << 10
	// accessTokenType marks access tokens (RFC 9068, section 2.1), so that no
	// other JWT can pass for one.
	accessTokenType = "at+jwt"
	// skew is how far apart two clocks may be. Policy; small, since machines
	// that handle PHI keep time.
	skew = 15 * time.Second
)

// Tokens makes and checks access tokens: JWTs signed with ES256 under a key of
// the server. Nodes that share the key accept each other's tokens.
type Tokens struct {
	issuer   string
	audience string
	kid      string
	key      *ecdsa.PrivateKey
	signer   jose.Signer
	keys     map[string]*ecdsa.PublicKey // by kid: the present one and former ones
}

// NewTokens makes tokens of an issuer (this server's base URL) for an audience
// (the gateway's base URL) with a P-256 key. Tokens under former keys are still
// accepted, so that a key can be changed without cutting anyone off.
func NewTokens(issuer, audience string, key crypto.Signer, former ...crypto.PublicKey) (*Tokens, error) {
	for _, u := range []struct{ field, url string }{{"issuer", issuer}, {"audience", audience}} {
		if err := checkHTTPS(u.field, u.url); err != nil {
			return nil, err
		}
	}
	private, ok := key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, problem.BadField("token_key", "Access tokens are signed with ES256, which needs a P-256 key", "Make the key with 256 bits")
	}
	t := &Tokens{issuer: issuer, audience: audience, key: private, keys: map[string]*ecdsa.PublicKey{}}
	for _, pub := range append([]crypto.PublicKey{private.Public()}, former...) {
		ec, ok := pub.(*ecdsa.PublicKey)
		if !ok || ec.Curve != elliptic.P256() {
			return nil, problem.BadField("former_token_keys", "Access tokens are signed with ES256, which needs P-256 keys", "Name only keys that have signed access tokens")
		}
		kid, err := keyID(ec)
		if err != nil {
			return nil, err
		}
		if t.kid == "" {
			t.kid = kid
		}
		t.keys[kid] = ec
	}
	var err error
	t.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: private},
		(&jose.SignerOptions{}).WithType(accessTokenType).WithHeader("kid", t.kid))
	if err != nil {
		return nil, fmt.Errorf("prepare to sign tokens: %w", err)
	}
	return t, nil
}

// checkHTTPS accepts an absolute https URL without anything that would make two
// spellings of one address.
func checkHTTPS(field, raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(raw, "#") {
		return problem.BadField(field, "It is not a plain https URL", `Write it as "https://host[:port]/path", without user, query or fragment`)
	}
	return nil
}

// keyID names a key by its RFC 7638 thumbprint.
func keyID(pub crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: pub}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name a key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// token is a verified access token.
type token struct {
	id  string
	app id.App
	// An application that acts for a person does so in that person's session, by
	// their authorization there. All three are empty otherwise.
	person        id.Person
	session       id.Session
	authorization id.Authorization

	grant   id.Grant // empty: the application had none to choose
	scopes  Scopes
	binding [sha256.Size]byte // SHA-256 of the client certificate; zero: of any
	jkt     string            // RFC 7638 thumbprint of the key that signs proofs; empty: none are asked for
	issued  time.Time
	expires time.Time
}

// bound says to what the token is bound; empty: to nothing.
func (k *token) bound() snapshot.TokenBinding {
	switch mtls := k.binding != [sha256.Size]byte{}; {
	case mtls && k.jkt != "":
		return snapshot.BoundToBoth
	case mtls:
		return snapshot.BoundToCertificate
	case k.jkt != "":
		return snapshot.BoundToKey
	}
	return ""
}

// fits reports why a token may not be used on this connection under this scheme.
// A token that is bound to a key is never taken as a bearer token, nor the
// reverse (RFC 9449, section 7.2).
func (k *token) fits(p *peer, by scheme) Reason {
	switch {
	case k.bound() == "":
		return TokenUnbound
	case k.binding != [sha256.Size]byte{} && k.binding != p.binding:
		return TokenBoundElsewhere
	case (k.jkt != "") != (by == dpopScheme):
		return TokenScheme
	}
	return ""
}

// accessClaims is the token on the wire (RFC 9068, section 2.2).
type accessClaims struct {
	jwt.Claims
	ClientID     string       `json:"client_id"`
	Scope        string       `json:"scope"`
	Grant        string       `json:"grant,omitempty"`
	Confirmation confirmation `json:"cnf"`
	// For a person (sub is theirs then): their session (OpenID Connect's sid) and
	// what they authorized in it.
	Session       id.Session       `json:"sid,omitempty"`
	Authorization id.Authorization `json:"authorization,omitempty"`
}

// confirmation binds the token to a certificate (RFC 8705, section 3.1), to a
// key (RFC 9449, section 6.1), or to both.
type confirmation struct {
	CertificateSHA256 string `json:"x5t#S256,omitempty"`
	KeyThumbprint     string `json:"jkt,omitempty"`
}

func (k *token) confirmation() confirmation {
	c := confirmation{KeyThumbprint: k.jkt}
	if k.binding != [sha256.Size]byte{} {
		c.CertificateSHA256 = base64.RawURLEncoding.EncodeToString(k.binding[:])
	}
	return c
}

// sign makes the token's text.
func (t *Tokens) sign(k token) (string, error) {
	return jwt.Signed(t.signer).Claims(accessClaims{
		Claims: jwt.Claims{
			Issuer:   t.issuer,
			Subject:  k.subject(),
			Audience: jwt.Audience{t.audience},
			Expiry:   jwt.NewNumericDate(k.expires),
			IssuedAt: jwt.NewNumericDate(k.issued),
			ID:       k.id,
		},
		ClientID:     string(k.app),
		Scope:        k.scopes.String(),
		Grant:        string(k.grant),
		Confirmation: k.confirmation(),

		Session:       k.session,
		Authorization: k.authorization,
	}).Serialize()
}

// subject is who the token speaks for (RFC 9068, section 2.2): a person, or the
// application itself.
func (k *token) subject() string {
	if k.person != "" {
		return string(k.person)
	}
	return string(k.app)
}

// verify checks everything about a token's text that does not change with
// time, and returns its claims.
func (t *Tokens) verify(raw string) (*token, Reason) {
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, TokenInvalid
	}
	header := jws.Signatures[0].Protected
	key, ok := t.keys[header.KeyID]
	if !ok || header.ExtraHeaders[jose.HeaderType] != accessTokenType {
		return nil, TokenInvalid
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, TokenInvalid
	}
	var c accessClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, TokenInvalid
	}
	if c.Issuer != t.issuer || len(c.Audience) != 1 || c.Audience[0] != t.audience || c.Expiry == nil || c.IssuedAt == nil ||
		c.ClientID == "" || c.Subject == "" || (c.Session == "") != (c.Authorization == "") || c.Session == "" && c.ClientID != c.Subject {
		return nil, TokenInvalid
	}
	parse := ParseScopes
	if c.Session != "" {
		parse = ParseUserScopes
	}
	scopes, err := parse(c.Scope)
	if err != nil {
		return nil, TokenInvalid
	}
	k := &token{session: c.Session, authorization: c.Authorization, id: c.ID, app: id.App(c.ClientID), grant: id.Grant(c.Grant), scopes: scopes,
		issued: c.IssuedAt.Time(), expires: c.Expiry.Time()}
	if c.Session != "" {
		k.person = id.Person(c.Subject)
	}
	if x := c.Confirmation.CertificateSHA256; x != "" {
		sum, err := base64.RawURLEncoding.Strict().DecodeString(x)
		if err != nil || len(sum) != len(k.binding) {
			return nil, TokenUnbound
		}
		copy(k.binding[:], sum)
	}
	if x := c.Confirmation.KeyThumbprint; x != "" {
		sum, err := base64.RawURLEncoding.Strict().DecodeString(x)
		if err != nil || len(sum) != sha256.Size {
			return nil, TokenUnbound
		}
		k.jkt = x
	}
	if k.bound() == "" {
		return nil, TokenUnbound
	}
	return k, ""
}
