package registry

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RegisterConnector asks to listen to a system of a vendor, or (Vendor empty) of
// the organisation. One that signs (an identity provider, an SSF transmitter) is
// known by its issuer, one that calls (a SCIM client, a fleet manager) by the
// digest of its bearer token.
type RegisterConnector struct {
	ID       id.Connector           `json:"id"`
	Vendor   id.Vendor              `json:"vendor,omitempty"`
	Kind     snapshot.ConnectorKind `json:"kind"`
	Name     string                 `json:"name"`
	Issuer   string                 `json:"issuer,omitempty"`
	ClientID string                 `json:"client_id,omitempty"`
	Audience string                 `json:"audience,omitempty"`
	Keys     json.RawMessage        `json:"keys,omitempty"` // pinned JWK Set; empty: those of the issuer's metadata
	Token256 string                 `json:"token_sha256,omitempty"`
	Pins     []snapshot.KeyDigest   `json:"pins_sha256,omitempty"` // jwks
	Anchors  string                 `json:"anchors,omitempty"`     // udap: PEM
	Owner    id.Person              `json:"owner,omitempty"`       // udap
}

// MaxAnchors bounds the certificates of a connector's authorities, in bytes.
const MaxAnchors = 64 << 10

// maxProgramID leaves room for the prefix under which a program acts.
const maxProgramID = id.MaxLen - len(connectorPrefix)

// Subject implements Act.
func (a RegisterConnector) Subject() snapshot.Subject { return subject(snapshot.NounConnector, a.ID) }

func (a RegisterConnector) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if len(a.ID) > maxProgramID {
		return badField("id", "is too long", fmt.Sprintf("Use at most %d characters", maxProgramID))
	}
	vendor := error(nil)
	if a.Vendor != "" {
		vendor = goingOn("vendor", v, a.Vendor)
	}
	return first(fresh("id", v.Connectors, a.ID), vendor,
		oneOf("kind", a.Kind, snapshot.ConnectorKinds), required("name", a.Name, `"Northwind's directory"`), a.checkKind(v))
}

func (a RegisterConnector) checkKind(v *snapshot.View) error {
	signs := a.Kind == snapshot.OIDCProvider || a.Kind == snapshot.SSFSender
	calls := a.Kind == snapshot.SCIMClient || a.Kind == snapshot.FleetManager || a.Kind == snapshot.AlertSender || a.Kind == snapshot.LMS
	udap := a.Kind == snapshot.UDAPClients
	for _, f := range []struct {
		field, value string
		wanted       bool
	}{
		{"issuer", a.Issuer, !calls},
		{"client_id", a.ClientID, a.Kind == snapshot.OIDCProvider},
		{"audience", a.Audience, a.Kind == snapshot.SSFSender},
		{"token_sha256", a.Token256, calls},
		{"keys", string(a.Keys), signs && len(a.Keys) > 0},
		{"anchors", a.Anchors, udap},
		{"owner", string(a.Owner), udap},
	} {
		switch {
		case f.wanted && f.value == "":
			return badField(f.field, "is missing", fmt.Sprintf("A connector of kind %s needs it", a.Kind))
		case !f.wanted && f.value != "":
			return badField(f.field, fmt.Sprintf("is not for a connector of kind %s", a.Kind), "Leave it out")
		}
	}
	if (udap || a.Kind == snapshot.KeyServer) && a.Vendor == "" {
		return badField("vendor", "is missing", "Applications belong to a vendor: name it")
	}
	if len(a.Pins) > 0 && a.Kind != snapshot.KeyServer {
		return badField("pins_sha256", fmt.Sprintf("is not for a connector of kind %s", a.Kind), "Leave it out")
	}
	if calls {
		if err := sha256Hex("token_sha256", a.Token256); err != nil {
			return err
		}
		return freshToken(v, a.ID, a.Token256)
	}
	u, err := url.Parse(a.Issuer)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || len(a.Issuer) > MaxText {
		return badField("issuer", "is not an https address", "Write the issuer exactly as its metadata does, such as https://login.example.com")
	}
	// One issuer speaks for one vendor only: else an identity from one vendor's
	// provider could become a person of another's.
	for _, c := range v.Connectors.All() {
		if c.Issuer == a.Issuer && c.State != snapshot.Ended && c.Vendor != a.Vendor {
			return conflict("issuer", "The issuer is pinned to another organisation", "An issuer speaks for one vendor; use a tenant of its own for each")
		}
		if c.Issuer == a.Issuer && c.State != snapshot.Ended && c.Kind == a.Kind {
			return conflict("issuer", fmt.Sprintf("Connector %q has this issuer", string(c.ID)), "Revoke that one first")
		}
	}
	if len(a.Keys) > 0 {
		if err := checkKeys("keys", a.Keys); err != nil {
			return err
		}
	}
	if udap {
		if err := first(checkAnchors("anchors", a.Anchors), personOf(v, "owner", a.Owner, a.Vendor)); err != nil {
			return err
		}
	}
	if len(a.Pins) > MaxKeys {
		return badField("pins_sha256", "names too many keys", fmt.Sprintf("Name at most %d", MaxKeys))
	}
	return first(shortText("client_id", a.ClientID), shortText("audience", a.Audience),
		each("pins_sha256", a.Pins, func(f string, k snapshot.KeyDigest) error { return sha256Hex(f, string(k)) }))
}

// checkAnchors wants certificates of authorities, and nothing else.
func checkAnchors(field, text string) error {
	if len(text) > MaxAnchors {
		return badField(field, "is too long", fmt.Sprintf("Use at most %d bytes", MaxAnchors))
	}
	rest, n := []byte(text), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil || !c.IsCA {
			return badField(field, "holds something else than certificates of authorities", "Name the authority's own certificates, in PEM")
		}
		n++
	}
	if n == 0 || len(bytes.TrimSpace(rest)) > 0 {
		return badField(field, "is not PEM", "Name the authority's own certificates, in PEM")
	}
	return nil
}

// freshToken wants the digest of a bearer token that no other connector has.
func freshToken(v *snapshot.View, self id.Connector, digest string) error {
	for _, c := range v.Connectors.All() {
		if c.Token256 == digest && c.ID != self {
			return conflict("token_sha256", "The token is in use by another connector", "Make a token for each connector")
		}
	}
	return nil
}

func (a RegisterConnector) apply(e *snapshot.Edit, s Stamp) {
	c := &snapshot.Connector{ID: a.ID, Vendor: a.Vendor, Kind: a.Kind, Name: a.Name, Issuer: a.Issuer, ClientID: a.ClientID,
		Audience: a.Audience, Token256: a.Token256, Pins: a.Pins, Anchors: a.Anchors, Owner: a.Owner, Approval: asked(s)}
	if len(a.Keys) > 0 {
		c.Keys = compact(a.Keys)
	}
	e.Put(c)
}

// ApproveConnector says that the system is the vendor's.
type ApproveConnector struct {
	ID id.Connector `json:"id"`
}

// Subject implements Act.
func (a ApproveConnector) Subject() snapshot.Subject { return subject(snapshot.NounConnector, a.ID) }

func (a ApproveConnector) apart(v *snapshot.View) []id.Person {
	if c, ok := v.Connectors.Get(a.ID); ok {
		return []id.Person{c.RequestedBy}
	}
	return nil
}

func (a ApproveConnector) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return connectorIn(v, a.ID, snapshot.Proposed)
}

func (a ApproveConnector) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Connectors, a.ID, func(c *snapshot.Connector) { c.Approval = approved(c.Approval, s) })
}

func connectorIn(v *snapshot.View, key id.Connector, want ...snapshot.State) error {
	c, ok := v.Connectors.Get(key)
	if !ok {
		return found("id", v.Connectors, key)
	}
	return inState(fmt.Sprintf("Connector %q", key), c.State, want...)
}

// RotateConnector replaces what a connector is known by: its bearer token or its
// pinned keys. A new approval is needed, since whoever put it in holds it.
type RotateConnector struct {
	ID       id.Connector    `json:"id"`
	Token256 string          `json:"token_sha256,omitempty"`
	Keys     json.RawMessage `json:"keys,omitempty"`
}

// Subject implements Act.
func (a RotateConnector) Subject() snapshot.Subject { return subject(snapshot.NounConnector, a.ID) }

func (a RotateConnector) check(v *snapshot.View, by Actor, _ time.Time) error {
	c, ok := v.Connectors.Get(a.ID)
	if !ok {
		return found("id", v.Connectors, a.ID)
	}
	if err := amendable(fmt.Sprintf("Connector %q", a.ID), c.Approval, by); err != nil {
		return err
	}
	if c.Token256 != "" {
		if len(a.Keys) > 0 {
			return badField("keys", "is not for a connector with a token", "Leave it out")
		}
		return first(sha256Hex("token_sha256", a.Token256), freshToken(v, a.ID, a.Token256))
	}
	if a.Token256 != "" {
		return badField("token_sha256", "is not for a connector that signs", "Leave it out")
	}
	if c.Kind != snapshot.OIDCProvider && c.Kind != snapshot.SSFSender {
		return conflict("keys", fmt.Sprintf("A connector of kind %s has no keys of its own", c.Kind), "Register another connector")
	}
	return checkKeys("keys", a.Keys)
}

func (a RotateConnector) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Connectors, a.ID, func(c *snapshot.Connector) {
		if a.Token256 != "" {
			c.Token256 = a.Token256
		} else {
			c.Keys = compact(a.Keys)
		}
		if !slices.Contains(c.Askers, c.RequestedBy) {
			c.Askers = append(slices.Clip(c.Askers), c.RequestedBy)
		}
		c.Approval = asked(s)
	})
}

// RevokeConnector ends the connector for good, and every session that it began.
type RevokeConnector struct {
	ID id.Connector `json:"id"`
}

// Subject implements Act.
func (a RevokeConnector) Subject() snapshot.Subject { return subject(snapshot.NounConnector, a.ID) }

func (a RevokeConnector) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return connectorIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a RevokeConnector) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Connectors, a.ID, func(c *snapshot.Connector) { c.State = snapshot.Ended })
	endSessions(e, s, func(x *snapshot.Session) bool { return x.Connector == a.ID })
}
