package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RegisterApp asks to know a vendor's program by its keys: by value, or as a
// connector of kind jwks publishes them. A program that keeps no key (a public
// client) acts for a person only. A connector of kind udap registers its own.
type RegisterApp struct {
	ID     id.App             `json:"id"` // also its OAuth client_id
	Vendor id.Vendor          `json:"vendor"`
	Name   string             `json:"name"`
	Kind   snapshot.AgentKind `json:"kind"`
	Keys   json.RawMessage    `json:"keys,omitempty"` // a JWK Set of public keys (RFC 7517)
	Owner  id.Person          `json:"owner"`
	// TokenBinding is mtls, dpop or mtls+dpop; see snapshot.App.
	TokenBinding snapshot.TokenBinding `json:"token_binding,omitempty"`
	Public       bool                  `json:"public_client,omitempty"`
	Redirects    []string              `json:"redirect_uris,omitempty"`
	KeysFrom     id.Connector          `json:"keys_from,omitempty"`
}

// MaxRedirects is how many addresses an app can be sent back to.
const MaxRedirects = 16

// Subject implements Act.
func (a RegisterApp) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

func (a RegisterApp) about(*snapshot.View, Actor) party {
	return party{vendor: a.Vendor, connectors: []snapshot.ConnectorKind{snapshot.UDAPClients}}
}

func (a RegisterApp) check(v *snapshot.View, by Actor, _ time.Time) error {
	if len(a.Redirects) > MaxRedirects {
		return badField("redirect_uris", "names too many addresses", fmt.Sprintf("Name at most %d", MaxRedirects))
	}
	if err := a.bounded(v, by); err != nil {
		return err
	}
	return first(fresh("id", v.Apps, a.ID), appName("id", a.ID),
		goingOn("vendor", v, a.Vendor),
		required("name", a.Name, `"Triage model"`),
		oneOf("kind", a.Kind, []snapshot.AgentKind{snapshot.Human, snapshot.Workload, snapshot.Agent}),
		a.checkKeys(v, by),
		tokenBinding(a.TokenBinding),
		each("redirect_uris", a.Redirects, checkRedirect),
		unique("redirect_uris", a.Redirects),
		personOf(v, "owner", a.Owner, a.Vendor))
}

const (
	// maxWaiting is how many applications, and how many machines, of a vendor can wait
	// for somebody while its own people ask for more (policy).
	maxWaiting = 64
	// maxRegistered is how many applications a connector can ever have registered, the
	// cancelled ones too (policy).
	maxRegistered = 256
)

// bounded keeps who is not of the organisation from filling the registry.
func (a RegisterApp) bounded(v *snapshot.View, by Actor) error {
	n := 0
	if by.Connector != "" {
		for _, p := range v.Apps.All() {
			if p.KeysFrom == by.Connector {
				n++
			}
		}
		if n >= maxRegistered {
			return conflict("keys_from", "The connector has registered as many applications as it may", "Have another connector registered")
		}
		return nil
	}
	if p, ok := v.Persons.Get(by.Person); !ok || p.Vendor == "" {
		return nil
	}
	for _, p := range v.Apps.All() {
		if p.Vendor == a.Vendor && p.State == snapshot.Proposed {
			n++
		}
	}
	if n >= maxWaiting {
		return conflict("vendor", "Too many applications of the vendor wait for approval", "Have the organisation approve or revoke some first")
	}
	return nil
}

// appName refuses the names under which devices and connectors are counted beside
// applications: what an application uses up must never be another's.
func appName(field string, app id.App) error {
	for _, prefix := range []string{connectorPrefix, devicePrefix, "udap."} {
		if strings.HasPrefix(string(app), prefix) {
			return badField(field, fmt.Sprintf("begins with %q, as no application's name does", prefix), "Choose another id")
		}
	}
	return nil
}

// checkKeys wants keys from one place, or a public client that has none.
func (a RegisterApp) checkKeys(v *snapshot.View, by Actor) error {
	given := len(a.Keys) > 0 && string(a.Keys) != "null"
	if a.Public {
		switch {
		case given || a.KeysFrom != "":
			return badField("keys", "are not for a public client", "Leave them out, or leave public_client out")
		case a.Kind != snapshot.Human:
			return badField("kind", "is not human", "Only a person's program can do without a key: give it keys")
		case len(a.Redirects) == 0:
			return badField("redirect_uris", "is missing", "Name the address to which the person is sent back")
		}
		return nil
	}
	if a.KeysFrom == "" {
		if by.Connector != "" {
			return badField("keys_from", "is not the connector", "Name the connector that registers the app")
		}
		return checkKeys("keys", a.Keys)
	}
	c, ok := v.Connectors.Get(a.KeysFrom)
	switch {
	case !ok || c.Vendor != a.Vendor: // alike: a vendor asks
		return badField("keys_from", "is no connector of the app's vendor", "Name an approved connector of the app's vendor")
	case c.State != snapshot.Approved:
		return conflict("keys_from", "The connector is not approved", "Have it approved: sallyport connector approve")
	case c.Kind == snapshot.UDAPClients && (by.Connector != c.ID || a.Owner != c.Owner):
		return badField("keys_from", "is a connector of kind udap", "It registers its apps by itself: leave it out")
	case c.Kind == snapshot.UDAPClients:
		return checkKeys("keys", a.Keys)
	case c.Kind != snapshot.KeyServer || by.Connector != "":
		return badField("keys_from", "is not a connector of kind jwks", "Name one that publishes keys: sallyport connector register")
	case given:
		return badField("keys", "come from the connector", "Leave them out: what it publishes is shown for approval")
	}
	return nil
}

func tokenBinding(b snapshot.TokenBinding) error {
	if b == "" {
		return nil
	}
	return oneOf("token_binding", b, snapshot.TokenBindings)
}

// checkRedirect wants an https address, or an http one of the loopback interface
// by number (RFC 8252, sections 7.3 and 8.3).
func checkRedirect(field, uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.Contains(uri, "#") || u.String() != uri || len(uri) > MaxText ||
		strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") != "" {
		return badField(field, "is not a plain address", "Write such as https://app.example.com/callback, without user or fragment")
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		if h := u.Hostname(); h == "127.0.0.1" || h == "::1" {
			return nil
		}
	}
	return badField(field, "is neither https nor a loopback address", "Write https://..., or http://127.0.0.1/... for a program on the person's own machine")
}

func (a RegisterApp) apply(e *snapshot.Edit, s Stamp) {
	app := &snapshot.App{ID: a.ID, Vendor: a.Vendor, Name: a.Name, Kind: a.Kind, Owner: a.Owner, TokenBinding: a.TokenBinding,
		Public: a.Public, Redirects: a.Redirects, KeysFrom: a.KeysFrom, Approval: asked(s)}
	if len(a.Keys) > 0 && string(a.Keys) != "null" {
		app.Keys = compact(a.Keys)
	}
	e.Put(app)
}

func compact(raw json.RawMessage) json.RawMessage {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

// ApproveApp says that the program and its keys are the vendor's.
type ApproveApp struct {
	ID id.App `json:"id"`
}

func (a ApproveApp) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

func (a ApproveApp) apart(v *snapshot.View) []id.Person {
	if p, ok := v.Apps.Get(a.ID); ok {
		return []id.Person{p.RequestedBy, p.Owner}
	}
	return nil
}

func (a ApproveApp) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := appIn(v, a.ID, snapshot.Proposed); err != nil {
		return err
	}
	p, _ := v.Apps.Get(a.ID)
	return ownedByApproved(v, p.Kind, p.Owner)
}

func (a ApproveApp) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Apps, a.ID, func(p *snapshot.App) { p.Approval = approved(p.Approval, s) })
}

func appIn(v *snapshot.View, app id.App, want ...snapshot.State) error {
	p, ok := v.Apps.Get(app)
	if !ok {
		return found("id", v.Apps, app)
	}
	return inState(fmt.Sprintf("App %q", app), p.State, want...)
}

// RevokeApp ends the program's registration for good.
type RevokeApp struct {
	ID id.App `json:"id"`
}

func (a RevokeApp) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

func (a RevokeApp) about(v *snapshot.View, by Actor) party { return ownRegistrar(v, by, a.ID) }

func (a RevokeApp) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return appIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a RevokeApp) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Apps, a.ID, func(p *snapshot.App) { p.State = snapshot.Ended })
}

// RotateAppKeys replaces the program's keys. Dropping keys holds at once; a key
// that was not there needs a new approval, since a key put in by one person
// alone would let that person act as the program.
type RotateAppKeys struct {
	ID   id.App          `json:"id"`
	Keys json.RawMessage `json:"keys"`
}

func (a RotateAppKeys) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

// ownRegistrar is the connector of kind udap that registered the app.
func ownRegistrar(v *snapshot.View, by Actor, app id.App) party {
	p, ok := v.Apps.Get(app)
	if !ok || p.KeysFrom == "" || by.Connector != p.KeysFrom {
		return party{}
	}
	return party{vendor: p.Vendor, connectors: []snapshot.ConnectorKind{snapshot.UDAPClients}}
}

func (a RotateAppKeys) about(v *snapshot.View, by Actor) party {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return party{}
	}
	return party{vendor: p.Vendor, connectors: ownRegistrar(v, by, a.ID).connectors}
}

func (a RotateAppKeys) check(v *snapshot.View, by Actor, _ time.Time) error {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return found("id", v.Apps, a.ID)
	}
	if c, ok := v.Connectors.Get(p.KeysFrom); p.Public || ok && c.Kind == snapshot.KeyServer {
		return conflict("keys", "The app's keys are not given by people", "A public client has none; what a key server publishes is approved: sallyport app approve-keys")
	}
	return first(amendable(fmt.Sprintf("App %q", a.ID), p.Approval, by), checkKeys("keys", a.Keys))
}

func (a RotateAppKeys) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Apps, a.ID, func(p *snapshot.App) {
		if !subset(thumbprints(a.Keys), thumbprints(p.Keys)) || p.State != snapshot.Approved {
			p.Approval = asked(s)
		}
		p.Keys = compact(a.Keys)
	})
}
