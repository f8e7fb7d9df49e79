package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// deviceCheck is one check of a device's state.
type deviceCheck struct {
	Name  string
	Found string
	Mark  mark
	Next  string // what to do; empty: it is in order
}

// deviceStanding is what is wrong with a device, in a word and in whole.
type deviceStanding struct {
	Key    string // of standingOptions
	Mark   mark
	Why    string
	Checks []deviceCheck
}

var keyStores = map[snapshot.KeyStore]string{snapshot.InTPM: "TPM", snapshot.InOSStore: "Operating system's key store", snapshot.InFile: "Encrypted file", "": "did not say"}

// deviceNext is what the gate tells people to do about a check.
func deviceNext(code string) string {
	i := slices.IndexFunc(gate.All, func(g policy.Gate) bool { return g.ID == "posture" })
	if i < 0 {
		return ""
	}
	for _, r := range gate.All[i].Reasons {
		if r.Code == code {
			return r.NextStep
		}
	}
	return ""
}

// servesWorkloads reports whether only workloads ask from the device.
func servesWorkloads(v *snapshot.View, d id.Device) bool {
	any := false
	for _, g := range v.GrantsOfDevice(d) {
		if g.State == snapshot.Ended {
			continue
		}
		if a, ok := v.Apps.Get(g.App); !ok || a.Kind != snapshot.Workload {
			return false
		}
		any = true
	}
	return any
}

var (
	checkLabels = map[string]string{"disk_encryption": "Disk encryption", "screen_lock": "Screen lock", "firewall": "Firewall", "malware_protection": "Malware protection", "hardware_key": "Key in hardware", "update_age_days": "Last update"}
	checkCodes  = map[string]string{"disk_encryption": "disk-encryption", "screen_lock": "screen-lock", "firewall": "firewall", "malware_protection": "malware-protection", "hardware_key": "hardware-key", "update_age_days": "updates"} // of the gate's reasons
	checkFound  = map[snapshot.Check]string{snapshot.CheckPass: "in order", snapshot.CheckFail: "not in order", snapshot.CheckUnknown: "cannot be seen", "": "cannot be seen"}
)

// checkOf is what a device reported of a check, and whether that is in order.
func checkOf(name string, rule snapshot.PostureRule, d *snapshot.Device, p *snapshot.Posture) (found string, fine bool) {
	c := snapshot.CheckUnknown
	switch name {
	case "disk_encryption":
		c = p.DiskEncryption
	case "screen_lock":
		c = p.ScreenLock
	case "firewall":
		c = p.Firewall
	case "malware_protection":
		c = p.MalwareProtection
	case "hardware_key":
		if c = p.HardwareKey; d.KeyStore != snapshot.InTPM && d.KeyStore != snapshot.InOSStore {
			c = snapshot.CheckFail // report and record must agree
		}
	case "update_age_days":
		if p.UpdateAge < 0 {
			return "not known", false
		}
		return plural(p.UpdateAge, "day") + " ago", rule.Updated(p.UpdateAge)
	}
	return checkFound[c], c == snapshot.CheckPass
}

// standingOf is a device's posture as the gate looks at it. What an agreement demands
// besides, the gate alone knows. Whole: with each check, for a page of its own.
func standingOf(v *visit, d *snapshot.Device, whole bool) deviceStanding {
	rule := v.View.Settings.Posture
	p, ok := v.View.Postures.Get(d.ID)
	switch {
	case d.State == snapshot.Ended:
		return deviceStanding{Key: "ended", Mark: mark{"Not looked at", "off"}, Why: "It asks for nothing any more"}
	case rule.WorkloadsExempt && (d.SPIFFE != "" || servesWorkloads(v.View, d.ID)):
		return deviceStanding{Key: "exempt", Mark: mark{"Exempt", "off"}, Why: "A workload, without a screen or a user: it is judged by its provenance"}
	case !ok:
		out := deviceStanding{Key: "none", Mark: mark{"No report", "bad"}}
		if whole {
			out.Why = deviceNext("not-reported")
		}
		return out
	}
	var out deviceStanding
	wrong := 0
	for _, name := range snapshot.PostureChecks {
		c := deviceCheck{Name: checkLabels[name], Mark: mark{"In order", "good"}}
		found, fine := checkOf(name, rule, d, p)
		switch {
		case fine:
		case slices.Contains(rule.Waived, name):
			c.Mark = mark{"Waived", "off"}
		default:
			c.Mark = mark{"Wrong", "bad"}
			wrong++
		}
		if whole {
			c.Found = found
			if c.Mark.Tone == "bad" {
				c.Next = deviceNext(checkCodes[name])
			}
			out.Checks = append(out.Checks, c)
		}
	}
	fresh := p.ReportedAt.Add(v.View.Settings.PostureFreshness)
	switch {
	case !v.Now.Before(fresh):
		out.Key, out.Mark = "old", mark{"Report too old", "bad"}
		if whole {
			out.Why = deviceNext("stale")
		}
	case wrong > 0:
		out.Key, out.Mark = "wrong", mark{plural(wrong, "check") + " wrong", "bad"}
	default:
		out.Key, out.Mark = "fine", mark{"In order", "good"}
	}
	return out
}

func standingOptions() []option {
	return []option{{Value: "fine", Label: "In order"}, {Value: "wrong", Label: "A check is wrong"}, {Value: "old", Label: "Report too old"}, {Value: "none", Label: "No report"}, {Value: "exempt", Label: "Exempt"}, {Value: "ended", Label: "Not looked at"}}
}

// deviceState is whether a device is trusted now.
func deviceState(v *visit, d *snapshot.Device) mark {
	switch {
	case holdOn(v.View, snapshot.NounDevice, string(d.ID)) != nil:
		return mark{"On hold", "warn"}
	case d.State == snapshot.Approved && !v.Now.Before(d.TrustedUntil):
		return mark{"Trust has run out", "bad"}
	}
	return stateOf(d.State)
}

// devicesPage is every machine.
type devicesPage struct {
	Tabs []tab
	List list
}

func (s *server) devices(v *visit) (devicesPage, error) {
	f := s.frame(v)
	link := func(x any) cell { r := f.Ref(x); return cell{Text: r.Label, Href: r.Href} }
	kind := func(d *snapshot.Device) string {
		if d.SPIFFE != "" {
			return "workload"
		}
		return "machine"
	}
	standing := func(d *snapshot.Device) deviceStanding { return standingOf(v, d, false) }
	return devicesPage{machineTabs("Devices"), listOf(v, listing[*snapshot.Device]{Caption: "Devices", Rows: values(v.View.Devices.All()),
		Columns: []column[*snapshot.Device]{
			{Key: "id", Label: "Device", Cell: func(d *snapshot.Device) cell {
				c := link(d.ID)
				c.Help = d.SPIFFE
				return c
			}, Sort: func(d *snapshot.Device) string { return string(d.ID) }},
			{Key: "vendor", Label: "Vendor", Cell: func(d *snapshot.Device) cell { return link(d.Vendor) }, Sort: func(d *snapshot.Device) string { return vendorName(v.View, d.Vendor) }},
			{Key: "owner", Label: "Owner", Cell: func(d *snapshot.Device) cell {
				if d.Owner == "" {
					return cell{}
				}
				return link(d.Owner)
			}, Sort: func(d *snapshot.Device) string { return personName(v.View, d.Owner) }},
			{Key: "region", Label: "Region", Cell: func(d *snapshot.Device) cell { return cell{Text: d.Region, Help: "declared"} }},
			{Key: "store", Label: "Key kept in", Cell: func(d *snapshot.Device) cell { return text(keyStores[d.KeyStore]) }},
			{Key: "posture", Label: "Posture", Cell: func(d *snapshot.Device) cell {
				x := standing(d)
				return cell{Text: x.Mark.Word, Mark: &x.Mark}
			}},
			{Key: "trusted", Label: "Trusted until", Cell: func(d *snapshot.Device) cell { return text(day(d.TrustedUntil)) }, Time: func(d *snapshot.Device) time.Time { return d.TrustedUntil }},
			{Key: "state", Label: "State", Cell: func(d *snapshot.Device) cell { m := deviceState(v, d); return cell{Text: m.Word, Mark: &m} }},
		},
		Filters: []filter[*snapshot.Device]{
			{Key: "state", Label: "State", Of: func(d *snapshot.Device) []string { return []string{deviceState(v, d).Word} },
				Options: wordOptions([]string{"Invited", "Proposed", "Approved", "Suspended", "On hold", "Trust has run out", "Ended"})},
			{Key: "posture", Label: "Posture", Of: func(d *snapshot.Device) []string { return []string{standing(d).Key} }, Options: standingOptions()},
			{Key: "store", Label: "Key kept in", Of: func(d *snapshot.Device) []string { return []string{string(d.KeyStore)} },
				Options: []option{{Value: string(snapshot.InTPM), Label: keyStores[snapshot.InTPM]}, {Value: string(snapshot.InOSStore), Label: keyStores[snapshot.InOSStore]}, {Value: string(snapshot.InFile), Label: keyStores[snapshot.InFile]}}},
			{Key: "kind", Label: "Kind", Of: func(d *snapshot.Device) []string { return []string{kind(d)} }, Options: wordOptions([]string{"machine", "workload"})},
		},
		Search: func(d *snapshot.Device) string {
			return strings.Join([]string{string(d.ID), string(d.Vendor), string(d.Owner), d.Region, d.SPIFFE}, " ")
		},
		Empty: empty{Title: "No machine is known", Text: "A vendor's person enrols a machine with a code, in one command. You see here what it says of itself, and decide whether to trust it.", Act: f.May("device.invite").As("Invite a machine")}})}, nil
}

// devicePage is one machine.
type devicePage struct {
	*snapshot.Device
	Mark       mark
	Store      string
	Posture    *snapshot.Posture // nil: it never reported
	FreshUntil time.Time
	Standing   deviceStanding
	Hold       *snapshot.Hold
	Seals      []string
	Grants     []*snapshot.Grant
	Attested   []*snapshot.Attestation
	Sessions   []sessionRow
	Decisions  string
	Approve    *actLink
	Revoke     *actLink
	Stop       *actLink
	Lift       *actLink
}

// deviceMost is how many of its records a page of a machine or a program shows.
const deviceMost = 50

func (s *server) device(v *visit) (devicePage, error) {
	d, ok := v.View.Devices.Get(id.Device(v.PathValue("id")))
	if !ok {
		return devicePage{}, notFound()
	}
	v.call("Device " + string(d.ID))
	v.under("Devices", "/console/devices")
	f := s.frame(v)
	p := devicePage{Device: d, Mark: deviceState(v, d), Store: keyStores[d.KeyStore], Standing: standingOf(v, d, true), Hold: holdOn(v.View, snapshot.NounDevice, string(d.ID)),
		Attested: v.View.AttestationsOf(d.ID), Decisions: "/console/decisions?" + url.Values{"device": {string(d.ID)}}.Encode()}
	if x, ok := v.View.Postures.Get(d.ID); ok {
		p.Posture, p.FreshUntil = x, x.ReportedAt.Add(v.View.Settings.PostureFreshness)
	}
	for _, r := range d.SealTo {
		p.Seals = append(p.Seals, sealWord(r))
	}
	for _, g := range v.View.GrantsOfDevice(d.ID) {
		if g.State != snapshot.Ended && len(p.Grants) < deviceMost {
			p.Grants = append(p.Grants, g)
		}
	}
	if d.Key256 != "" && d.Owner != "" {
		for _, x := range v.View.SessionsOf(d.Owner) {
			if x.Key256 == d.Key256 && x.Live(v.Now) {
				p.Sessions = append(p.Sessions, sessionRow{x, sessionSeen(x)})
			}
		}
	}
	switch d.State {
	case snapshot.Proposed, snapshot.Approved:
		p.Approve = f.May("device.approve", "id", d.ID).As(map[bool]string{true: "Trust it longer", false: "Trust it"}[d.State == snapshot.Approved])
		fallthrough
	case snapshot.Invited, snapshot.Suspended:
		p.Revoke = f.May("device.revoke", "id", d.ID).As("Revoke for good")
	}
	switch {
	case p.Hold == nil && d.State != snapshot.Ended:
		p.Stop = f.May("hold.place", "on.noun", snapshot.NounDevice, "on.id", d.ID).As("Hold: stop it now")
	case p.Hold != nil && p.Hold.PlacedBy != v.Person.ID:
		p.Lift = f.May("hold.lift", "id", p.Hold.ID).As("Lift the hold")
	}
	return p, nil
}

// sealWord is what sort of key releases are sealed to.
func sealWord(recipient string) string {
	kind := "another kind of key"
	switch {
	case strings.HasPrefix(recipient, "age1pq1"):
		kind = "age, post-quantum"
	case strings.HasPrefix(recipient, "age1"):
		kind = "age, X25519"
	case strings.HasPrefix(recipient, "hpke-p256:"):
		kind = "HPKE, P-256"
	}
	if len(recipient) > 24 {
		recipient = recipient[:24] + "…"
	}
	return fmt.Sprintf("%s (%s)", kind, recipient)
}
