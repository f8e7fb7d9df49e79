package gate

import (
	_ "embed" // the policy
	"slices"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed posture.cedar
var postureCedar string

// The organisation may waive checks, and may exempt the devices of workloads,
// which have no screen and no user: both are in its configuration, and in no
// record of a vendor's. Without a rule everything is asked for.
var posture = policy.Gate{
	ID:       "posture",
	Title:    "The device reported its state lately, and it is in order",
	Policy:   postureCedar,
	Cites:    []string{"S-310-b", "S-310-c", "S-308-a-5-ii-B", "policy"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		s := &c.View.Settings
		rule := s.Posture
		p, reported := c.View.Postures.Get(c.Device)
		if !reported {
			p = &snapshot.Posture{UpdateAge: -1}
		}
		// What is known by a SPIFFE id is a workload, whatever acts through it.
		f.Bool("exempt", rule.WorkloadsExempt && (c.AppRecord != nil && c.AppRecord.Kind == snapshot.Workload || c.DeviceRecord != nil && c.DeviceRecord.SPIFFE != ""))
		f.Bool("reported", reported && c.Device != "")
		until := time.Time{}
		// A report from the future is none: a clock went back.
		if reported && s.PostureFreshness > 0 && f.Passed(p.ReportedAt) {
			until = p.ReportedAt.Add(s.PostureFreshness)
		}
		f.End("fresh_until", until)
		f.Bool("system", p.OS != "" && p.OSVersion != "")
		check := func(name string, ok bool) {
			f.Bool(name, ok || slices.Contains(rule.Waived, name))
		}
		// What an agreement demands, the configuration cannot waive (BAA-R16).
		f.Bool("disk_encryption", p.DiskEncryption == snapshot.CheckPass || slices.Contains(rule.Waived, "disk_encryption") &&
			!slices.ContainsFunc(papersInForce(c, f), agreement.EncryptedAtRest))
		check("screen_lock", p.ScreenLock == snapshot.CheckPass)
		check("firewall", p.Firewall == snapshot.CheckPass)
		check("malware_protection", p.MalwareProtection == snapshot.CheckPass)
		// The report and the record must agree that the key is in hardware.
		check("hardware_key", p.HardwareKey == snapshot.CheckPass && c.DeviceRecord != nil &&
			(c.DeviceRecord.KeyStore == snapshot.InTPM || c.DeviceRecord.KeyStore == snapshot.InOSStore))
		f.Bool("updates", rule.Updated(p.UpdateAge) || slices.Contains(rule.Waived, "update_age_days"))
	},
	Reasons: append([]policy.Reason{
		{Code: "not-reported", Message: "The device has not reported its state", NextStep: "Run the agent on it: sallyport agent connect, or sallyport agent report", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("exempt") && !v.Is("reported") }},
		{Code: "stale", Message: "The device's report of its state is too old", NextStep: "Run the agent on it: sallyport agent connect, or sallyport agent report", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return postureAsked(v) && v.Ended("fresh_until") }},
		{Code: "system", Message: "The device's operating system or its version is not known", NextStep: "Mend what keeps the agent from reading it: sallyport agent posture", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return postureAsked(v) && !v.Is("system") }},
	}, postureReasons()...),
}

func postureAsked(v policy.Values) bool { return !v.Is("exempt") && v.Is("reported") }

func postureReasons() (out []policy.Reason) {
	for _, r := range []struct{ fact, code, message, next string }{
		{"disk_encryption", "disk-encryption", "The device's disk is not encrypted, or it cannot be seen whether it is", "Encrypt the disk (LUKS, FileVault, BitLocker)"},
		{"screen_lock", "screen-lock", "The device's screen does not lock by itself, or it cannot be seen whether it does", "Let the screen lock after 15 minutes or sooner"},
		{"firewall", "firewall", "The device's firewall is off, or it cannot be seen whether it is on", "Turn the firewall on"},
		{"malware_protection", "malware-protection", "The device's malware protection is off, or it cannot be seen whether it is on", "Install or start malware protection, and let its signatures update"},
		{"hardware_key", "hardware-key", "The device's key is not kept in hardware", "Enrol the device anew with its TPM, or ask the organisation whether files are good enough"},
		{"updates", "updates", "The device's last update is too long ago, or not known", "Install the operating system's updates"},
	} {
		out = append(out, policy.Reason{Code: r.code, Message: r.message, NextStep: r.next + "; then run: sallyport agent report", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return postureAsked(v) && !v.Is(r.fact) }})
	}
	return out
}
