package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RegisterApp asks to know a vendor's program by its keys.
type RegisterApp struct {
	ID     id.App             `json:"id"` // also its OAuth client_id
	Vendor id.Vendor          `json:"vendor"`
	Name   string             `json:"name"`
	Kind   snapshot.AgentKind `json:"kind"`
	Keys   json.RawMessage    `json:"keys"` // a JWK Set of public keys (RFC 7517)
	Owner  id.Person          `json:"owner"`
}

func (a RegisterApp) Subject() snapshot.Subject { return subject(snapshot.NounApp, a.ID) }

func (a RegisterApp) about(*snapshot.View, Actor) party { return party{vendor: a.Vendor} }

func (a RegisterApp) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(fresh("id", v.Apps, a.ID),
		exists("vendor", v.Vendors, a.Vendor),
		required("name", a.Name, `"Triage model"`),
		oneOf("kind", a.Kind, []snapshot.AgentKind{snapshot.Human, snapshot.Workload, snapshot.Agent}),
		checkKeys("keys", a.Keys),
		personOf(v, "owner", a.Owner, a.Vendor))
}

func (a RegisterApp) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.App{ID: a.ID, Vendor: a.Vendor, Name: a.Name, Kind: a.Kind, Keys: compact(a.Keys), Owner: a.Owner, Approval: asked(s)})
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

func (a RotateAppKeys) about(v *snapshot.View, _ Actor) party {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return party{}
	}
	return party{vendor: p.Vendor}
}

func (a RotateAppKeys) check(v *snapshot.View, by Actor, _ time.Time) error {
	p, ok := v.Apps.Get(a.ID)
	if !ok {
		return found("id", v.Apps, a.ID)
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
