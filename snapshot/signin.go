package snapshot

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
)

// ConnectorKind says what a connector does.
type ConnectorKind string

// The kinds of connectors.
const (
	OIDCProvider ConnectorKind = "oidc"    // signs people in (OpenID Connect Core 1.0)
	SCIMClient   ConnectorKind = "scim"    // tells of joiners, movers and leavers (RFC 7644)
	SSFSender    ConnectorKind = "ssf"     // sends security events (OpenID Shared Signals Framework, CAEP)
	FleetManager ConnectorKind = "posture" // reports the state of devices
	KeyServer    ConnectorKind = "jwks"    // publishes the keys of applications (RFC 7517) at an address
	LMS          ConnectorKind = "lms"     // tells of completed courses (xAPI)
	UDAPClients  ConnectorKind = "udap"    // registers applications by certificate (UDAP Dynamic Client Registration)
	AlertSender  ConnectorKind = "alert"   // reports incidents (45 CFR 164.314(a)(2)(i)(C))
)

// ConnectorKinds lists every kind.
var ConnectorKinds = []ConnectorKind{OIDCProvider, SCIMClient, SSFSender, FleetManager, KeyServer, UDAPClients, AlertSender, LMS}

// Connector is a system of one vendor, or (Vendor empty) of the organisation,
// that speaks to us. What it says counts for its own vendor's people and devices
// and for nobody else's.
type Connector struct {
	ID     id.Connector  `json:"id"`
	Vendor id.Vendor     `json:"vendor,omitempty"`
	Kind   ConnectorKind `json:"kind"`
	Name   string        `json:"name"`
	// Issuer is who signs: the iss of an identity provider or of an SSF
	// transmitter, exactly as it writes it; the address of a key server; the URI in
	// the certificates of UDAP clients (subjectAltName).
	Issuer string `json:"issuer,omitempty"`
	// ClientID is our name at an identity provider.
	ClientID string `json:"client_id,omitempty"`
	// Audience is our name in an SSF transmitter's tokens.
	Audience string `json:"audience,omitempty"`
	// Keys is a pinned JWK Set (RFC 7517). Empty: the keys are those that the
	// issuer's own metadata names.
	Keys json.RawMessage `json:"keys,omitempty"`
	// Askers are those who put in a token or keys before the present ones: they knew
	// them, so what the connector asked for they could have asked for.
	Askers []id.Person `json:"askers,omitempty"`
	// Token256 is the SHA-256, in hex, of the bearer token of a SCIM client or a
	// fleet manager; the token itself is nowhere.
	Token256 string `json:"token_sha256,omitempty"`
	// Pins are the keys (SubjectPublicKeyInfo) of which a key server's certificate
	// chain must hold one; empty: any authority that the node trusts.
	Pins []KeyDigest `json:"pins_sha256,omitempty"`
	// Anchors are the authorities, in PEM, to which the certificates of UDAP clients
	// lead.
	Anchors string `json:"anchors,omitempty"`
	// Owner is the vendor's person who answers for what UDAP clients register.
	Owner id.Person `json:"owner,omitempty"`
	Approval
}

// Login is a person's identity at their identity provider. The subject is the
// provider's sub: never an e-mail address, which can pass to another person.
type Login struct {
	Connector id.Connector `json:"connector,omitempty"`
	Subject   string       `json:"subject,omitempty"`
}

// Directory is who a person is to the SCIM client of their vendor. What it holds
// can be an e-mail address, so it is not for logs.
type Directory struct {
	Connector  id.Connector `json:"connector,omitempty"`
	UserName   string       `json:"user_name,omitempty"`   // unique there, without regard to case (RFC 7643, section 4.1.1)
	ExternalID string       `json:"external_id,omitempty"` // what the directory itself calls the person (RFC 7643, section 3.1)
	// The person's name as the directory has it, in the parts that it gave.
	Formatted   string `json:"formatted,omitempty"`
	GivenName   string `json:"given_name,omitempty"`
	FamilyName  string `json:"family_name,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
}

// Passkey is the public half of a WebAuthn credential (W3C WebAuthn Level 3).
type Passkey struct {
	ID         []byte    `json:"id"`         // the credential's id
	PublicKey  []byte    `json:"public_key"` // COSE_Key (RFC 9052)
	AAGUID     []byte    `json:"aaguid,omitempty"`
	Transports []string  `json:"transports,omitempty"`
	Backed     bool      `json:"backed_up,omitempty"` // it may be synchronised to other devices
	Name       string    `json:"name,omitempty"`
	AddedAt    time.Time `json:"added_at"`
	// Fingerprint is the public key in a form that two people can compare by voice:
	// FingerprintOf(PublicKey).
	Fingerprint string `json:"fingerprint,omitempty"`
	// SignCount is the highest signature counter seen (WebAuthn, section 6.1.1); 0
	// for an authenticator that does not count.
	SignCount uint32 `json:"sign_count,omitempty"`
}

// FingerprintOf is the first 100 bits of the SHA-256 of a public key, in base32,
// by fours: enough that nobody finds another key with the same one.
func FingerprintOf(publicKey []byte) string {
	sum := sha256.Sum256(publicKey)
	text := base32.StdEncoding.EncodeToString(sum[:])
	var parts []string
	for i := 0; i < 20; i += 4 {
		parts = append(parts, text[i:i+4])
	}
	return strings.Join(parts, "-")
}

// Invitation lets a person register a passkey, once, with a code that was handed
// to them.
type Invitation struct {
	// Code256 is the SHA-256, in hex, of the code; the code itself is nowhere.
	Code256   string    `json:"code_sha256,omitempty"`
	By        id.Person `json:"by,omitempty"`
	At        time.Time `json:"at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Open reports whether the invitation can be used at t.
func (i Invitation) Open(t time.Time) bool {
	return i.Code256 != "" && !t.Before(i.At) && t.Before(i.ExpiresAt)
}

// SignInMethod is how a person signed in.
type SignInMethod string

// The methods.
const (
	ByPasskey     SignInMethod = "passkey"     // WebAuthn, user verified
	ByOIDC        SignInMethod = "oidc"        // the person's identity provider
	ByCertificate SignInMethod = "certificate" // a personal client certificate
)

// SignInMethods lists every method.
var SignInMethods = []SignInMethod{ByPasskey, ByOIDC, ByCertificate}

// Session is a person, signed in. It is looked at on every request, so what ends
// it stops what is under way.
type Session struct {
	ID     id.Session `json:"id"`
	Person id.Person  `json:"person"`
	Vendor id.Vendor  `json:"vendor,omitempty"`
	// Secret256 is the SHA-256, in hex, of the secret that a browser or an agent
	// shows with each request; the secret itself is nowhere.
	Secret256 string `json:"secret_sha256"`
	// Key256 is the key of the client certificate on whose connections alone the
	// session counts; empty: a browser without one.
	Key256    KeyDigest    `json:"key_sha256,omitempty"`
	Method    SignInMethod `json:"method"`
	Connector id.Connector `json:"connector,omitempty"` // by which provider
	// Client is what the person signed in with, as it says itself, for their own
	// list of sessions.
	Client string `json:"client,omitempty"`
	// ProviderSession256 is the SHA-256, in hex, of the provider's sid, to end the
	// session when the provider says so (OpenID Connect Back-Channel Logout 1.0).
	ProviderSession256 string `json:"provider_session_sha256,omitempty"`
	// SteppedUpAt is when the person last touched a passkey, user verified.
	SteppedUpAt time.Time `json:"stepped_up_at,omitzero"`
	// SeenAt is when it was last noted that the session is in use.
	SeenAt    time.Time `json:"seen_at,omitzero"`
	StartedAt time.Time `json:"started_at"`
	ExpiresAt time.Time `json:"expires_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// Apps are the applications that the person lets act for them.
	Apps []Authorization `json:"apps,omitempty"`
}

// Live reports whether the session counts at t.
func (s *Session) Live(t time.Time) bool {
	return s != nil && s.EndedAt.IsZero() && !t.Before(s.StartedAt) && t.Before(s.ExpiresAt)
}

// Idle reports whether the session has been unused for as long as limit. A limit of
// 0 leaves no session (45 CFR 164.312(a)(2)(iii), automatic logoff; the number is
// policy).
func (s *Session) Idle(t time.Time, limit time.Duration) bool {
	last := s.StartedAt
	for _, u := range []time.Time{s.SeenAt, s.SteppedUpAt} {
		if u.After(last) {
			last = u
		}
	}
	return t.Sub(last) >= limit
}
