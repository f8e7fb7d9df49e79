package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxAssertionLife is how far ahead an assertion's end may be (SMART App Launch
// 2, "Authenticating to the Token Endpoint": no more than five minutes).
const MaxAssertionLife = 5 * time.Minute

const (
	maxAssertion = 16 << 10
	maxJTI       = 256
)

// assertionAlgorithms are accepted. SMART demands RS384 and ES384 of a server;
// ES256 is what many key stores have. No symmetric algorithm and no "none" can
// ever match.
var assertionAlgorithms = []jose.SignatureAlgorithm{jose.ES384, jose.RS384, jose.ES256}

// udapAlgorithms are accepted of UDAP clients, beside those: their guide demands
// RS256 of everybody.
var udapAlgorithms = append([]jose.SignatureAlgorithm{jose.RS256}, assertionAlgorithms...)

// assertion is a verified client assertion.
type assertion struct {
	app     *snapshot.App
	jti     string
	expires time.Time
	udap    bool // by a certificate, of a client that UDAP registered
	b2b     *b2b // the purpose that it states, if it does
}

// assertionClaims are what an assertion says.
type assertionClaims struct {
	jwt.Claims
	Extensions struct {
		B2B *b2b `json:"hl7-b2b"`
	} `json:"extensions"`
}

// verifyAssertion checks a client assertion (RFC 7523, section 3; SMART
// Backend Services) against the keys that the view holds. Whether its jti is
// new, and whether the application is approved, is not asked here.
func verifyAssertion(raw string, view *snapshot.View, tokenURL string, now time.Time) (assertion, Reason) {
	if len(raw) > maxAssertion {
		return assertion{}, AssertionMalformed
	}
	jws, err := jose.ParseSignedCompact(raw, udapAlgorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return assertion{}, AssertionMalformed
	}
	header := jws.Signatures[0].Protected
	udap := hasChain(header)
	if !plainHeader(header, udap) || !udap && header.Algorithm == string(jose.RS256) {
		return assertion{}, AssertionMalformed
	}
	// Who signed is claimed inside; nothing of it counts until the signature
	// fits a key of that application.
	var claimed jwt.Claims
	if err := json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claimed); err != nil {
		return assertion{}, AssertionMalformed
	}
	app, ok := view.Apps.Get(id.App(claimed.Issuer))
	if !ok || app.ID == "" {
		return assertion{}, AppUnknown
	}
	key, reason := assertionKey(header, view, app, now)
	if reason != "" {
		return assertion{}, reason
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return assertion{}, AssertionSignature
	}
	var c assertionClaims
	if err := json.Unmarshal(payload, &c); err != nil {
		return assertion{}, AssertionMalformed
	}
	if reason := checkClaims(&c.Claims, app.ID, tokenURL, now); reason != "" {
		return assertion{}, reason
	}
	return assertion{app: app, jti: c.ID, expires: c.Expiry.Time(), udap: udap, b2b: c.Extensions.B2B}, ""
}

// assertionKey is the key that must have signed: the registered one that kid
// names, or, for a client that UDAP registered, that of its certificate, which
// must be registered too. A client uses the one way in which it is registered.
func assertionKey(h jose.Header, view *snapshot.View, app *snapshot.App, now time.Time) (crypto.PublicKey, Reason) {
	alg := jose.SignatureAlgorithm(h.Algorithm)
	c, ok := view.Connectors.Get(app.KeysFrom)
	udap := ok && c.Kind == snapshot.UDAPClients
	if udap != hasChain(h) {
		return nil, AssertionKeyUnknown
	}
	if !udap {
		key, ok := keyFor(app.Keys, h.KeyID, alg)
		if !ok {
			return nil, AssertionKeyUnknown
		}
		return key, ""
	}
	if c, ok = view.ConnectorInForce(c.ID); !ok {
		return nil, CertificateUntrusted
	}
	leaf, reason := leafOf(h, c, now)
	if reason != "" {
		return nil, reason
	}
	if !holds(app.Keys, leaf.PublicKey) || !fits(leaf.PublicKey, alg) {
		return nil, AssertionKeyUnknown
	}
	return leaf.PublicKey, ""
}

// plainHeader accepts a header that names a registered key, or brings a
// certificate, and nothing else to find keys by.
func plainHeader(h jose.Header, certificate bool) bool {
	if h.KeyID == "" && !certificate || h.JSONWebKey != nil {
		return false
	}
	for name := range h.ExtraHeaders {
		switch name {
		case "jku", "x5u", "crit", "b64":
			// Keys are registered as a set, never by address: SMART says that a
			// jku that is not registered fails the signature.
			return false
		}
	}
	switch typ := h.ExtraHeaders[jose.HeaderType].(type) {
	case nil:
		return true
	case string:
		// SMART fixes "JWT"; "client-authentication+jwt" is its successor. An
		// access token ("at+jwt") must never pass for an assertion.
		return strings.EqualFold(typ, "JWT") || strings.EqualFold(typ, "client-authentication+jwt")
	default:
		return false
	}
}

func checkClaims(c *jwt.Claims, app id.App, tokenURL string, now time.Time) Reason {
	switch {
	case c.Issuer != string(app), c.Subject != string(app),
		len(c.Audience) != 1, c.Audience[0] != tokenURL,
		c.ID == "", len(c.ID) > maxJTI, c.Expiry == nil:
		return AssertionClaims
	case !now.Before(c.Expiry.Time().Add(skew)):
		return AssertionExpired
	case c.Expiry.Time().After(now.Add(MaxAssertionLife + skew)):
		return AssertionTooLong
	case c.IssuedAt != nil && c.IssuedAt.Time().After(now.Add(skew)),
		c.NotBefore != nil && c.NotBefore.Time().After(now.Add(skew)):
		return AssertionFromFuture
	case c.IssuedAt != nil && !c.IssuedAt.Time().Before(c.Expiry.Time()):
		return AssertionClaims
	}
	return ""
}

// keyFor finds the one key of a JWK Set with this kid that fits the algorithm.
// Keys of other kinds are passed over (RFC 7517, section 5); two that fit are
// one too many.
func keyFor(set []byte, kid string, alg jose.SignatureAlgorithm) (crypto.PublicKey, bool) {
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &raw); err != nil {
		return nil, false
	}
	var found crypto.PublicKey
	for _, k := range raw.Keys {
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(k); err != nil || jwk.KeyID != kid || !jwk.Valid() ||
			(jwk.Use != "" && jwk.Use != "sig") || (jwk.Algorithm != "" && jwk.Algorithm != string(alg)) || !fits(jwk.Key, alg) {
			continue
		}
		if found != nil {
			return nil, false
		}
		found = jwk.Key
	}
	return found, found != nil
}

// fits reports whether the key is a public one of the type and size that the
// algorithm demands (RFC 7518, sections 3.3 and 3.4). A private or symmetric key
// fits nothing.
func fits(key any, alg jose.SignatureAlgorithm) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return alg == jose.ES384 && k.Curve == elliptic.P384() || alg == jose.ES256 && k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return (alg == jose.RS384 || alg == jose.RS256) && k.N.BitLen() >= 2048 && k.N.BitLen() <= jose.MaxRSAModulusBits
	default:
		return false
	}
}
