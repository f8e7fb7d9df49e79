package registry

import (
	"fmt"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// ReportPosture is a device's state, as its own agent signed it or as its
// vendor's fleet manager sent it. Only the door that checked the signature or
// the token does it. The time of the report is the act's own.
type ReportPosture struct {
	Device            id.Device              `json:"device"`
	Source            snapshot.PostureSource `json:"source"`
	OS                string                 `json:"os"`
	OSVersion         string                 `json:"os_version"`
	UpdateAge         int                    `json:"update_age_days"` // -1: not known
	DiskEncryption    snapshot.Check         `json:"disk_encryption"`
	ScreenLock        snapshot.Check         `json:"screen_lock"`
	Firewall          snapshot.Check         `json:"firewall"`
	MalwareProtection snapshot.Check         `json:"malware_protection"`
	HardwareKey       snapshot.Check         `json:"hardware_key"`
}

// Subject implements Act.
func (a ReportPosture) Subject() snapshot.Subject { return subject(snapshot.NounPosture, a.Device) }

func (a ReportPosture) about(v *snapshot.View, _ Actor) party {
	d, ok := v.Devices.Get(a.Device)
	if !ok {
		return party{}
	}
	return party{device: d.ID, vendor: d.Vendor, connectors: []snapshot.ConnectorKind{snapshot.FleetManager}}
}

func (a ReportPosture) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := exists("device", v.Devices, a.Device); err != nil {
		return err
	}
	if (a.Source == snapshot.FromFleet) != (by.Connector != "") {
		return badField("source", "is not who reports", "A device's agent reports agent or osquery, a fleet manager fleet")
	}
	if a.UpdateAge < -1 || a.UpdateAge > 100_000 {
		return badField("update_age_days", "is not a number of days", "Write 0 or more; -1 where it is not known")
	}
	for _, c := range []struct {
		field string
		check snapshot.Check
	}{{"disk_encryption", a.DiskEncryption}, {"screen_lock", a.ScreenLock}, {"firewall", a.Firewall},
		{"malware_protection", a.MalwareProtection}, {"hardware_key", a.HardwareKey}} {
		if err := oneOf(c.field, c.check, snapshot.Checks); err != nil {
			return err
		}
	}
	return first(oneOf("source", a.Source, snapshot.PostureSources), required("os", a.OS, "linux"), shortText("os_version", a.OSVersion))
}

func (a ReportPosture) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Posture{Device: a.Device, Source: a.Source, ReportedAt: s.At, OS: a.OS, OSVersion: a.OSVersion, UpdateAge: a.UpdateAge,
		DiskEncryption: a.DiskEncryption, ScreenLock: a.ScreenLock, Firewall: a.Firewall, MalwareProtection: a.MalwareProtection, HardwareKey: a.HardwareKey})
}

// SetRecipients gives the public keys to which releases for a device are sealed.
// The device itself changes them at once: whoever holds its key could read what
// is released to it anyway. Anybody else only asks.
type SetRecipients struct {
	ID     id.Device `json:"id"`
	SealTo []string  `json:"seal_to"`
}

// MaxRecipient is the longest recipient, in bytes: a hybrid post-quantum one of
// age has some two thousand.
const MaxRecipient = 4096

// Subject implements Act.
func (a SetRecipients) Subject() snapshot.Subject { return subject(snapshot.NounDevice, a.ID) }

func (a SetRecipients) about(*snapshot.View, Actor) party { return party{device: a.ID} }

func (a SetRecipients) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := deviceIn(v, a.ID, snapshot.Proposed, snapshot.Approved); err != nil {
		return err
	}
	if d, _ := v.Devices.Get(a.ID); by.Device == "" {
		if err := amendable(fmt.Sprintf("Device %q", a.ID), d.Approval, by); err != nil {
			return err
		}
	}
	return checkRecipients("seal_to", a.SealTo)
}

func (a SetRecipients) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Devices, a.ID, func(d *snapshot.Device) {
		d.SealTo = a.SealTo
		if s.By != devicePrefix+id.Person(a.ID) {
			d.Approval = asked(s)
		}
	})
}

// checkRecipients looks at the form alone; what a recipient is, the sealing knows.
func checkRecipients(field string, recipients []string) error {
	if len(recipients) > len(snapshot.Sealings) {
		return badField(field, "names too many recipients", "One for each way of sealing is enough")
	}
	return first(each(field, recipients, func(f, r string) error {
		if r == "" || len(r) > MaxRecipient {
			return badField(f, "is not a recipient", "Write what the device's agent printed")
		}
		for _, c := range []byte(r) {
			if c <= ' ' || c >= 0x7f {
				return badField(f, "holds a space or a character that no recipient has", "Write what the device's agent printed")
			}
		}
		return nil
	}), unique(field, recipients))
}
