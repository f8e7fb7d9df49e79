package ssf

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// algorithms are accepted. CAEP's interoperability profile asks for RS256. No
// symmetric algorithm and no "none" can ever match.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.PS256, jose.ES256, jose.ES384}

// token is a security event token that was verified.
type token struct {
	connector *snapshot.Connector
	id        string
	issued    time.Time
	subject   jsontext.Value // sub_id (RFC 9493)
	events    []event
}

// event is one statement of a token.
type event struct {
	kind string // the URI of its type
	body jsontext.Value
}

// claims are RFC 8417's. Names that stand there twice are refused, as is what has
// another type.
type claims struct {
	Issuer   string                    `json:"iss"`
	Audience jsontext.Value            `json:"aud"`
	ID       string                    `json:"jti"`
	Issued   *float64                  `json:"iat"`
	Subject  jsontext.Value            `json:"sub_id"`
	Events   map[string]jsontext.Value `json:"events"`
	// What a security event token of the framework does not have, and an access
	// token or an ID token does (SSF 1.0, "Distinguishing SETs from other kinds of
	// JWTs").
	Expires jsontext.Value `json:"exp"`
	Sub     jsontext.Value `json:"sub"`
}

// verify checks a token. Until its signature fits a known transmitter's key every
// refusal is the same to the sender.
func (x *Receiver) verify(ctx context.Context, raw string) (*token, error) {
	jws, err := jose.ParseSignedCompact(raw, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, stranger("token-malformed")
	}
	header := jws.Signatures[0].Protected
	if reason := plainHeader(raw, header); reason != "" {
		return nil, stranger(reason)
	}
	var claimed claims
	if err := jsonv2.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claimed); err != nil {
		return nil, stranger("token-malformed")
	}
	view := x.c.Registry.View()
	c := transmitter(view, claimed.Issuer)
	if c == nil {
		return nil, stranger("issuer-unknown")
	}
	if reason := standing(view, c); reason != "" {
		return nil, &refusal{http.StatusBadRequest, "authentication_failed", c, reason}
	}
	alg := jose.SignatureAlgorithm(header.Algorithm)
	key, reason := x.key(ctx, c, header.KeyID, alg)
	if reason == keysUnavailable {
		// Not the sender's fault, who may hold a revocation in their hands: they are
		// asked to come again.
		return nil, problem.New(problem.Unavailable, "The transmitter's keys cannot be had", "Try again")
	}
	if reason != "" {
		return nil, &refusal{http.StatusBadRequest, "authentication_failed", c, reason}
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "authentication_failed", c, "signature-wrong"}
	}
	// From here on the transmitter has proved who it is, and is told more.
	var said claims
	if err := jsonv2.Unmarshal(payload, &said); err != nil {
		return nil, &refusal{http.StatusBadRequest, "invalid_request", c, "token-malformed"}
	}
	return x.check(c, &said)
}

// plainHeader accepts a header that says what the token is, and finds its key by
// nothing but a name.
func plainHeader(raw string, h jose.Header) string {
	if h.JSONWebKey != nil {
		return "key-in-header"
	}
	// The library has read the header leniently; names that stand there twice could
	// mean one thing to it and another to the sender.
	part, _, _ := strings.Cut(raw, ".")
	var members map[string]jsontext.Value
	if text, err := decodeSegment(part); err != nil || jsonv2.Unmarshal(text, &members) != nil {
		return "token-malformed"
	}
	for _, name := range []string{"jku", "x5u", "x5c", "jwk", "crit", "b64"} {
		if _, ok := members[name]; ok {
			return "key-in-header"
		}
	}
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if !strings.EqualFold(typ, "secevent+jwt") && !strings.EqualFold(typ, mediaType) {
		return "not-a-security-event-token" // RFC 8417, section 2.3
	}
	return ""
}

// transmitter is the connector with this issuer. One issuer speaks for one vendor,
// and two connectors with one issuer for nobody.
func transmitter(v *snapshot.View, issuer string) *snapshot.Connector {
	var found *snapshot.Connector
	for _, c := range v.Connectors.All() {
		if c.Kind != snapshot.SSFSender || c.State == snapshot.Ended || issuer == "" || c.Issuer != issuer {
			continue
		}
		if found != nil {
			return nil
		}
		found = c
	}
	return found
}

func standing(v *snapshot.View, c *snapshot.Connector) string {
	if c.State != snapshot.Approved || c.ApprovedBy == "" || c.ApprovedBy == c.RequestedBy {
		return "connector-not-approved"
	}
	for _, h := range v.HoldsOn(snapshot.Subject{Noun: snapshot.NounConnector, ID: string(c.ID)}) {
		if h.LiftedAt.IsZero() {
			return "connector-on-hold"
		}
	}
	// A vendor that is suspended or on hold still tells us what to stop.
	if c.Vendor != "" {
		if vendor, ok := v.Vendors.Get(c.Vendor); !ok || vendor.State == snapshot.Ended {
			return "vendor-ended"
		}
	}
	return ""
}

const keysUnavailable = "keys-unavailable"

// key finds the transmitter's key: among those that are pinned, or else among
// those that its metadata names, which are read anew for a name that is not there.
func (x *Receiver) key(ctx context.Context, c *snapshot.Connector, kid string, alg jose.SignatureAlgorithm) (crypto.PublicKey, string) {
	if len(c.Keys) > 0 {
		if k := keyIn(c.Keys, kid, alg); k != nil {
			return k, ""
		}
		return nil, "key-unknown"
	}
	for _, fresh := range []bool{false, true} {
		set, err := x.c.Keys.Keys(ctx, c.Issuer, fresh)
		if err != nil {
			return nil, keysUnavailable
		}
		if k := keyIn(set, kid, alg); k != nil {
			return k, ""
		}
	}
	return nil, "key-unknown"
}

// keyIn finds the one key of a JWK Set that fits. Keys of other kinds are passed
// over (RFC 7517, section 5); two that fit are one too many.
func keyIn(set []byte, kid string, alg jose.SignatureAlgorithm) crypto.PublicKey {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &doc); err != nil || len(doc.Keys) > 64 {
		return nil
	}
	var found crypto.PublicKey
	for _, raw := range doc.Keys {
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(raw); err != nil || !k.Valid() || !k.IsPublic() || kid != "" && k.KeyID != kid ||
			k.Use != "" && k.Use != "sig" || k.Algorithm != "" && k.Algorithm != string(alg) || !fits(k.Key, alg) {
			continue
		}
		if found != nil {
			return nil
		}
		found = k.Key
	}
	return found
}

// fits reports whether the key is of the type and size that the algorithm needs
// (RFC 7518, sections 3.3 to 3.5).
func fits(key any, alg jose.SignatureAlgorithm) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return slices.Contains([]jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.PS256}, alg) && k.N.BitLen() >= 2048 && k.N.BitLen() <= jose.MaxRSAModulusBits
	case *ecdsa.PublicKey:
		return alg == jose.ES256 && k.Curve == elliptic.P256() || alg == jose.ES384 && k.Curve == elliptic.P384()
	}
	return false
}

// check wants the claims of a security event token that is for us and of its time.
func (x *Receiver) check(c *snapshot.Connector, said *claims) (*token, error) {
	no := func(code, reason string) (*token, error) {
		return nil, &refusal{http.StatusBadRequest, code, c, reason}
	}
	var list []string
	if one := ""; jsonv2.Unmarshal(said.Audience, &one) == nil {
		list = []string{one}
	} else if jsonv2.Unmarshal(said.Audience, &list) != nil {
		list = nil
	}
	switch {
	case c.Audience == "" || !slices.Contains(list, c.Audience):
		return no("invalid_audience", "audience-wrong")
	case said.ID == "" || len(said.ID) > 256 || said.Issued == nil || math.IsNaN(*said.Issued) || math.Abs(*said.Issued) > 1<<40:
		return no("invalid_request", "claims-missing")
	case said.Expires != nil || said.Sub != nil:
		return no("invalid_request", "not-a-security-event-token")
	case len(said.Events) == 0 || len(said.Events) > maxEvents:
		return no("invalid_request", "events-missing")
	}
	t := &token{connector: c, id: said.ID, issued: time.Unix(int64(*said.Issued), 0), subject: said.Subject}
	switch now := x.c.Now(); {
	case t.issued.After(now.Add(maxSkew)):
		return no("invalid_request", "from-future")
	case t.issued.Before(now.Add(-maxAge)):
		return no("invalid_request", "stale")
	}
	for kind, body := range said.Events {
		if body.Kind() != '{' {
			return no("invalid_request", "token-malformed")
		}
		t.events = append(t.events, event{kind, body})
	}
	slices.SortFunc(t.events, func(a, b event) int { return strings.Compare(a.kind, b.kind) })
	return t, nil
}
