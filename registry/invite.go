package registry

import (
	"crypto/subtle"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxDeviceInvitation is how long an invitation may stand (policy).
const MaxDeviceInvitation = 14 * 24 * time.Hour

// InviteDevice invites a person of a vendor to enrol a machine: a new one, or one
// that is known and needs a new certificate or key. The registry keeps only the
// digest of the one-time code.
type InviteDevice struct {
	ID      id.Device `json:"id"`
	Vendor  id.Vendor `json:"vendor"`
	Owner   id.Person `json:"owner"`
	App     id.App    `json:"app,omitempty"` // the owner's own program on the machine, registered with it
	Code256 string    `json:"code_sha256"`   // hex SHA-256 of the code
	// ExpiresAt is at most MaxDeviceInvitation ahead.
	ExpiresAt time.Time `json:"expires_at"`
}

// Subject implements Act.
func (a InviteDevice) Subject() snapshot.Subject { return subject(snapshot.NounDevice, a.ID) }

func (a InviteDevice) about(*snapshot.View, Actor) party { return party{vendor: a.Vendor} }

func (a InviteDevice) check(v *snapshot.View, by Actor, now time.Time) error {
	if a.ExpiresAt.After(now.Add(MaxDeviceInvitation)) {
		return badField("expires_at", "is too far ahead", "Write a time within 14 days (policy)")
	}
	if err := first(formed("id", a.ID), goingOn("vendor", v, a.Vendor), personOf(v, "owner", a.Owner, a.Vendor),
		sha256Hex("code_sha256", a.Code256), set("expires_at", a.ExpiresAt), future("expires_at", a.ExpiresAt, now)); err != nil {
		return err
	}
	if len(a.ID) > maxProgramID {
		return badField("id", "is too long", fmt.Sprintf("Use at most %d characters", maxProgramID))
	}
	if a.App != "" {
		if err := first(formed("app", a.App), appName("app", a.App)); err != nil {
			return err
		}
		if p, ok := v.Apps.Get(a.App); ok && (p.Vendor != a.Vendor || p.Owner != a.Owner || p.State == snapshot.Ended) {
			return conflict("app", "It is another's program, or has ended", "Choose another id for the program")
		}
	}
	d, ok := v.Devices.Get(a.ID)
	switch {
	case !ok:
		return a.bounded(v, by)
	case d.Vendor != a.Vendor || d.Owner != a.Owner:
		return conflict("id", "It is another's device", "Choose another id for the machine")
	case d.SPIFFE != "":
		return conflict("id", "It is a workload that its SPIFFE id identifies", "Choose another id for the machine")
	}
	return inState(fmt.Sprintf("Device %q", a.ID), d.State, snapshot.Invited, snapshot.Proposed, snapshot.Approved)
}

// bounded keeps a vendor's people from filling the registry.
func (a InviteDevice) bounded(v *snapshot.View, by Actor) error {
	if p, ok := v.Persons.Get(by.Person); !ok || p.Vendor == "" {
		return nil
	}
	n := 0
	for _, d := range v.Devices.All() {
		if d.Vendor == a.Vendor && (d.State == snapshot.Invited || d.State == snapshot.Proposed) {
			n++
		}
	}
	if n >= maxWaiting {
		return conflict("vendor", "Too many machines of the vendor are invited or wait for approval", "Have the organisation approve or revoke some first")
	}
	return nil
}

func (a InviteDevice) apply(e *snapshot.Edit, s Stamp) {
	inv := snapshot.DeviceInvitation{By: s.By, Code256: a.Code256, ExpiresAt: a.ExpiresAt.UTC(), App: a.App}
	if _, ok := e.View().Devices.Get(a.ID); ok {
		change(e, e.View().Devices, a.ID, func(d *snapshot.Device) { d.Invitation = inv })
		return
	}
	e.Put(&snapshot.Device{ID: a.ID, Vendor: a.Vendor, Owner: a.Owner, Invitation: inv,
		Approval: snapshot.Approval{State: snapshot.Invited, RequestedBy: s.By, RequestedAt: s.At}})
}

// AcceptInvitation gives an invited machine its key, in the name of who invited:
// they asked for the machine, so they cannot approve it. Only the door that saw
// the code, and the proof of the key, does it. A machine that comes back with the
// key that was approved stays approved; another key must be approved anew.
type AcceptInvitation struct {
	ID       id.Device          `json:"id"`
	Code256  string             `json:"code_sha256"`
	Key256   snapshot.KeyDigest `json:"key_sha256"`
	KeyStore snapshot.KeyStore  `json:"key_store"`
	Region   string             `json:"region"`
	SealTo   []string           `json:"seal_to,omitempty"`
}

// Subject implements Act.
func (a AcceptInvitation) Subject() snapshot.Subject { return subject(snapshot.NounDevice, a.ID) }

func (a AcceptInvitation) about(v *snapshot.View, _ Actor) party {
	d, ok := v.Devices.Get(a.ID)
	if !ok {
		return party{}
	}
	return party{vendor: d.Vendor}
}

func (a AcceptInvitation) check(v *snapshot.View, by Actor, now time.Time) error {
	d, ok := v.Devices.Get(a.ID)
	if !ok {
		return found("id", v.Devices, a.ID)
	}
	const next = "Ask for a new invitation: sallyport device invite"
	inv := d.Invitation
	switch {
	case inv.Code256 == "" || subtle.ConstantTimeCompare([]byte(inv.Code256), []byte(a.Code256)) != 1:
		return conflict("code_sha256", "The device is not invited with this code", next)
	case by.Name() != inv.By:
		return conflict("id", "Another person invited the device", next)
	case !inv.UsedAt.IsZero():
		return conflict("code_sha256", "The invitation was used", next)
	case !now.Before(inv.ExpiresAt):
		return conflict("code_sha256", "The invitation has expired", next)
	}
	if a.Key256 == "" || a.Key256 != d.Key256 {
		if err := freshKey(v, "key_sha256", a.Key256, false); err != nil {
			return err
		}
	}
	return first(inState(fmt.Sprintf("Device %q", a.ID), d.State, snapshot.Invited, snapshot.Proposed, snapshot.Approved),
		oneOf("key_store", a.KeyStore, snapshot.KeyStores), region("region", a.Region), checkRecipients("seal_to", a.SealTo))
}

func (a AcceptInvitation) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Devices, a.ID, func(d *snapshot.Device) {
		if d.State != snapshot.Approved || d.Key256 != a.Key256 || d.Region != a.Region {
			d.Approval = asked(s)
		}
		d.Key256, d.KeyStore, d.Region, d.SealTo = a.Key256, a.KeyStore, a.Region, a.SealTo
		d.Invitation.UsedAt = s.At
	})
}
