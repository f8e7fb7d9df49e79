package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// OfferAppKeys says what the connector of an app publishes now. A key that is
// gone dies at once. A key that was not there waits for approval and signs
// nothing: whoever can write to a web server must not be able to act as the app.
type OfferAppKeys struct {
	ID   id.App          `json:"id"`
	Keys json.RawMessage `json:"keys"` // JWK Set; may be empty, unlike elsewhere
}

// Subject implements Act.
func (a OfferAppKeys) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

func (a OfferAppKeys) about(v *snapshot.View, by Actor) party {
	p, ok := v.Apps.Get(a.ID)
	if !ok || by.Connector != p.KeysFrom {
		return party{}
	}
	return party{vendor: p.Vendor, connectors: []snapshot.ConnectorKind{snapshot.KeyServer}}
}

func (a OfferAppKeys) check(v *snapshot.View, _ Actor, _ time.Time) error {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return found("id", v.Apps, a.ID)
	}
	if c, ok := v.Connectors.Get(p.KeysFrom); !ok || c.Kind != snapshot.KeyServer {
		return conflict("id", "The app's keys come from no key server", "Replace them: sallyport app rotate-keys")
	}
	if err := inState(fmt.Sprintf("App %q", a.ID), p.State, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	if emptySet(a.Keys) {
		if emptySet(p.Keys) && emptySet(p.PendingKeys) {
			return conflict("keys", "Nothing changes", "Offer keys when they differ")
		}
		return nil
	}
	if err := checkKeys("keys", a.Keys); err != nil {
		return err
	}
	if keep, wait := split(a.Keys, p.Keys); len(keep) == len(thumbprints(p.Keys)) && sameKeys(wait, p.PendingKeys) {
		return conflict("keys", "Nothing changes", "Offer keys when they differ")
	}
	return nil
}

func (a OfferAppKeys) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Apps, a.ID, func(p *snapshot.App) {
		keep, wait := split(a.Keys, p.Keys)
		p.Keys, p.PendingKeys = keySet(keep), keySet(wait)
	})
}

// ApproveAppKeys says that offered keys are the vendor's. It names them, so that
// what was approved is what was seen.
type ApproveAppKeys struct {
	ID          id.App   `json:"id"`
	Thumbprints []string `json:"thumbprints"` // RFC 7638, SHA-256, base64url
}

// Subject implements Act.
func (a ApproveAppKeys) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

// Nor does who asked for the key server, and so may hold its address, accept what
// it offers.
func (a ApproveAppKeys) apart(v *snapshot.View) []id.Person {
	if p, ok := v.Apps.Get(a.ID); ok {
		return []id.Person{p.Owner, Actor{Connector: p.KeysFrom}.Name()}
	}
	return nil
}

func (a ApproveAppKeys) check(v *snapshot.View, _ Actor, _ time.Time) error {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return found("id", v.Apps, a.ID)
	}
	if err := inState(fmt.Sprintf("App %q", a.ID), p.State, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	if len(a.Thumbprints) == 0 {
		return badField("thumbprints", "is empty", "Name the keys to approve: see the app's pending_keys")
	}
	offered := jwks(p.PendingKeys)
	for i, t := range a.Thumbprints {
		if !slices.ContainsFunc(offered, func(k jose.JSONWebKey) bool { return thumbprint(&k) == t }) {
			return badField(fmt.Sprintf("thumbprints[%d]", i), "is no key that waits for approval", "See the app's pending_keys")
		}
	}
	if n := len(jwks(p.Keys)) + len(a.Thumbprints); n > MaxKeys {
		return conflict("thumbprints", "The app would have too many keys", fmt.Sprintf("Keep at most %d", MaxKeys))
	}
	return unique("thumbprints", a.Thumbprints)
}

func (a ApproveAppKeys) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Apps, a.ID, func(p *snapshot.App) {
		keep := jwks(p.Keys)
		var wait []jose.JSONWebKey
		for _, k := range jwks(p.PendingKeys) {
			if slices.Contains(a.Thumbprints, thumbprint(&k)) {
				keep = append(keep, k)
			} else {
				wait = append(wait, k)
			}
		}
		p.Keys, p.PendingKeys = keySet(keep), keySet(wait)
	})
}

// split sorts offered keys into those that are held already, kid and algorithm
// included, and those that are not.
func split(offered, held json.RawMessage) (keep, wait []jose.JSONWebKey) {
	have := thumbprints(held)
	for _, k := range jwks(offered) {
		if slices.Contains(have, named(&k)) {
			keep = append(keep, k)
		} else {
			wait = append(wait, k)
		}
	}
	return keep, wait
}

func jwks(raw json.RawMessage) []jose.JSONWebKey {
	var set jose.JSONWebKeySet
	if len(raw) == 0 || json.Unmarshal(raw, &set) != nil {
		return nil
	}
	return set.Keys
}

func keySet(keys []jose.JSONWebKey) json.RawMessage {
	if len(keys) == 0 {
		return nil
	}
	raw, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		return nil // public keys that were read from JSON: cannot happen, and then none count
	}
	return raw
}

func sameKeys(a []jose.JSONWebKey, b json.RawMessage) bool {
	var names []string
	for i := range a {
		names = append(names, named(&a[i]))
	}
	have := thumbprints(b)
	return subset(names, have) && subset(have, names)
}

func emptySet(raw json.RawMessage) bool {
	if len(raw) == 0 {
		return true
	}
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	return json.Unmarshal(raw, &doc) == nil && doc.Keys != nil && len(doc.Keys) == 0
}

// RevokeToken ends one access token before its time (RFC 7009), on every node
// and in what is under way. Access tokens of a person's authorization end with
// that: see RevokeAuthorization.
type RevokeToken struct {
	ID    id.App    `json:"id"`
	Token string    `json:"token"` // jti
	Until time.Time `json:"until"` // when it would have expired
}

const (
	// maxRevoked is how many revoked tokens of an app are remembered by name. One
	// more, and every token that the app has so far ends.
	maxRevoked = 256
	// maxTokenLife bounds how long a revoked token is remembered.
	maxTokenLife = time.Hour
)

// Subject implements Act.
func (a RevokeToken) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

// A device of the app's vendor may: it proved the app to the token endpoint.
func (a RevokeToken) about(v *snapshot.View, by Actor) party {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return party{}
	}
	return vendorDevice(v, by, p.Vendor, "")
}

// vendorDevice is the device that acts, if it is the vendor's, and the wanted one
// where one is named.
func vendorDevice(v *snapshot.View, by Actor, vendor id.Vendor, wanted id.Device) party {
	d, ok := v.Devices.Get(by.Device)
	if !ok || vendor == "" || d.Vendor != vendor || wanted != "" && d.ID != wanted {
		return party{}
	}
	return party{device: d.ID}
}

func (a RevokeToken) check(v *snapshot.View, _ Actor, now time.Time) error {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return found("id", v.Apps, a.ID)
	}
	if err := first(formed("token", a.Token), set("until", a.Until), future("until", a.Until, now)); err != nil {
		return err
	}
	if a.Until.After(now.Add(maxTokenLife)) {
		return badField("until", "is too far ahead", "Write when the token expires")
	}
	if slices.ContainsFunc(p.Revoked, func(r snapshot.RevokedToken) bool { return r.ID == a.Token }) {
		return conflict("token", "The token is revoked already", "Nothing is left to do")
	}
	return nil
}

func (a RevokeToken) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Apps, a.ID, func(p *snapshot.App) {
		var live []snapshot.RevokedToken
		for _, r := range p.Revoked {
			if r.Until.After(s.At) {
				live = append(live, r)
			}
		}
		if len(live) >= maxRevoked {
			p.Revoked, p.TokensAfter = nil, s.At
			return
		}
		p.Revoked = append(live, snapshot.RevokedToken{ID: a.Token, Until: a.Until.UTC()})
	})
}
