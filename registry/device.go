package registry

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// EnrollDevice asks to trust a vendor's machine, known by its certificate's key,
// or a workload, known by its SPIFFE id: one of both.
type EnrollDevice struct {
	ID     id.Device          `json:"id"`
	Vendor id.Vendor          `json:"vendor"`
	Key256 snapshot.KeyDigest `json:"key_sha256,omitempty"`
	SPIFFE string             `json:"spiffe_id,omitempty"`
	Owner  id.Person          `json:"owner,omitempty"`
	Region string             `json:"region"` // declared; not attested
	// KeyStore is where the device says that its key is kept, and SealTo to which
	// keys releases for it are sealed.
	KeyStore snapshot.KeyStore `json:"key_store,omitempty"`
	SealTo   []string          `json:"seal_to,omitempty"`
}

func (a EnrollDevice) Subject() snapshot.Subject { return subject(snapshot.NounDevice, a.ID) }

func (a EnrollDevice) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if a.KeyStore != "" {
		if err := oneOf("key_store", a.KeyStore, snapshot.KeyStores); err != nil {
			return err
		}
	}
	if len(a.ID) > maxProgramID {
		return badField("id", "is too long", fmt.Sprintf("Use at most %d characters", maxProgramID))
	}
	return first(checkRecipients("seal_to", a.SealTo), fresh("id", v.Devices, a.ID),
		goingOn("vendor", v, a.Vendor),
		notBoth(v, a),
		func() error {
			if a.Owner == "" {
				return nil
			}
			return personOf(v, "owner", a.Owner, a.Vendor)
		}(),
		region("region", a.Region))
}

// personOf wants one of the vendor's people. A vendor asks, too: another's person and
// nobody are answered alike, and only the vendor's own names are proposed.
func personOf(v *snapshot.View, field string, person id.Person, vendor id.Vendor) error {
	if p, ok := v.Persons.Get(person); ok && p.Vendor == vendor {
		return nil
	}
	if err := formed(field, person); err != nil {
		return err
	}
	var own []string
	for key, p := range v.Persons.All() {
		if p.Vendor == vendor {
			own = append(own, string(key))
		}
	}
	return badField(field, fmt.Sprintf("is nobody of vendor %q", string(vendor)), meant(string(person), own, "Name one of the vendor's own people"))
}

func (a EnrollDevice) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Device{ID: a.ID, Vendor: a.Vendor, Key256: a.Key256, SPIFFE: a.SPIFFE, Owner: a.Owner, Region: a.Region, KeyStore: a.KeyStore, SealTo: a.SealTo, Approval: asked(s)})
}

// MaxDeviceTrust is how far an approval of a device can reach (policy).
const MaxDeviceTrust = 400 * 24 * time.Hour

// ApproveDevice trusts the device until a time, or trusts one again whose time ran out
// or is about to: each time another person than who enrolled it looks at it.
type ApproveDevice struct {
	ID           id.Device `json:"id"`
	TrustedUntil time.Time `json:"trusted_until"`
}

func (a ApproveDevice) Subject() snapshot.Subject { return subject(snapshot.NounDevice, a.ID) }

func (a ApproveDevice) apart(v *snapshot.View) []id.Person {
	if d, ok := v.Devices.Get(a.ID); ok {
		return []id.Person{d.RequestedBy, d.Owner}
	}
	return nil
}

// Where the policy leaves devices to the vendor, another of its people may do it.
func (a ApproveDevice) about(v *snapshot.View, _ Actor) party {
	d, ok := v.Devices.Get(a.ID)
	if !ok || v.Settings.DeviceApproval != snapshot.ByVendor {
		return party{}
	}
	return party{vendor: d.Vendor}
}

func (a ApproveDevice) check(v *snapshot.View, _ Actor, now time.Time) error {
	d, ok := v.Devices.Get(a.ID)
	if !ok {
		return found("id", v.Devices, a.ID)
	}
	if a.TrustedUntil.After(now.Add(MaxDeviceTrust)) {
		return badField("trusted_until", "is too far ahead", "Write a time within 400 days (policy)")
	}
	return first(inState(fmt.Sprintf("Device %q", a.ID), d.State, snapshot.Proposed, snapshot.Approved),
		set("trusted_until", a.TrustedUntil), future("trusted_until", a.TrustedUntil, now))
}

func (a ApproveDevice) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Devices, a.ID, func(d *snapshot.Device) {
		d.TrustedUntil, d.Approval = a.TrustedUntil.UTC(), approved(d.Approval, s)
	})
}

// RevokeDevice ends the trust for good.
type RevokeDevice struct {
	ID id.Device `json:"id"`
}

func (a RevokeDevice) Subject() snapshot.Subject { return subject(snapshot.NounDevice, a.ID) }

func (a RevokeDevice) check(v *snapshot.View, _ Actor, _ time.Time) error {
	d, ok := v.Devices.Get(a.ID)
	if !ok {
		return found("id", v.Devices, a.ID)
	}
	return inState(fmt.Sprintf("Device %q", a.ID), d.State, snapshot.Invited, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a RevokeDevice) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Devices, a.ID, func(d *snapshot.Device) { d.State = snapshot.Ended })
}

func deviceIn(v *snapshot.View, key id.Device, want ...snapshot.State) error {
	d, ok := v.Devices.Get(key)
	if !ok {
		return found("id", v.Devices, key)
	}
	return inState(fmt.Sprintf("Device %q", key), d.State, want...)
}
