package registry

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Holdable lists what can be put on hold.
var Holdable = []snapshot.Noun{snapshot.NounVendor, snapshot.NounEngagement, snapshot.NounPerson, snapshot.NounDevice, snapshot.NounApp, snapshot.NounGrant, snapshot.NounConnector}

// PlaceHold stops everything about a subject at once. It needs one person.
type PlaceHold struct {
	ID    id.Hold            `json:"id,omitempty"` // made if left out
	On    snapshot.Subject   `json:"on"`
	Cause snapshot.HoldCause `json:"cause"`
}

func (a PlaceHold) Subject() snapshot.Subject { return subject(snapshot.NounHold, a.ID) }

func (a PlaceHold) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return first(freshOrNone("id", v.Holds, a.ID),
		oneOf("on.noun", a.On.Noun, Holdable),
		existsSubject(v, "on.id", a.On),
		oneOf("cause", a.Cause, []snapshot.HoldCause{snapshot.HoldIncident, snapshot.HoldFinding, snapshot.HoldOffboarding, snapshot.HoldLegal, snapshot.HoldOwner}))
}

// A sender of security events holds its own vendor's devices, which it says are
// not in order.
func (a PlaceHold) about(v *snapshot.View, _ Actor) party { return heldDevice(v, a.On) }

func heldDevice(v *snapshot.View, on snapshot.Subject) party {
	d, ok := v.Devices.Get(id.Device(on.ID))
	if !ok || on.Noun != snapshot.NounDevice {
		return party{}
	}
	return party{vendor: d.Vendor, connectors: []snapshot.ConnectorKind{snapshot.SSFSender}}
}

func existsSubject(v *snapshot.View, field string, s snapshot.Subject) error {
	switch s.Noun {
	case snapshot.NounVendor:
		return exists(field, v.Vendors, id.Vendor(s.ID))
	case snapshot.NounEngagement:
		return exists(field, v.Engagements, id.Engagement(s.ID))
	case snapshot.NounPerson:
		return exists(field, v.Persons, id.Person(s.ID))
	case snapshot.NounDevice:
		return exists(field, v.Devices, id.Device(s.ID))
	case snapshot.NounApp:
		return exists(field, v.Apps, id.App(s.ID))
	case snapshot.NounGrant:
		return exists(field, v.Grants, id.Grant(s.ID))
	case snapshot.NounConnector:
		return exists(field, v.Connectors, id.Connector(s.ID))
	default:
		return nil // refused as on.noun
	}
}

func (a PlaceHold) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Hold{ID: cmp.Or(a.ID, id.Hold(s.ID)), On: a.On, Cause: a.Cause, PlacedBy: s.By, PlacedAt: s.At})
}

// LiftHold ends a hold. Of people, whoever placed it does not lift it, nor does the
// person whom it is on. A connector lifts those that it placed itself.
type LiftHold struct {
	ID id.Hold `json:"id"`
}

func (a LiftHold) Subject() snapshot.Subject { return subject(snapshot.NounHold, a.ID) }

func (a LiftHold) apart(v *snapshot.View) []id.Person {
	h, ok := v.Holds.Get(a.ID)
	if !ok {
		return nil
	}
	var out []id.Person
	if !isProgram(h.PlacedBy) {
		out = append(out, h.PlacedBy)
	}
	if h.On.Noun == snapshot.NounPerson {
		out = append(out, id.Person(h.On.ID))
	}
	return out
}

func (a LiftHold) about(v *snapshot.View, by Actor) party {
	h, ok := v.Holds.Get(a.ID)
	if !ok || by.Name() == "" || h.PlacedBy != by.Name() {
		return party{}
	}
	return heldDevice(v, h.On)
}

func (a LiftHold) check(v *snapshot.View, _ Actor, _ time.Time) error {
	h, ok := v.Holds.Get(a.ID)
	if !ok {
		return found("id", v.Holds, a.ID)
	}
	if !h.LiftedAt.IsZero() {
		return conflict("id", "The hold is lifted already", "Nothing is left to do")
	}
	return nil
}

func (a LiftHold) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Holds, a.ID, func(h *snapshot.Hold) { h.LiftedBy, h.LiftedAt = s.By, s.At })
}
