package gate

import (
	_ "embed" // the policy
	"slices"
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed device.cedar
var deviceCedar string

var device = policy.Gate{
	ID:       "device",
	Title:    "The device is approved, trusted and named on the grant",
	Policy:   deviceCedar,
	Cites:    []string{"S-312-d", "S-310-b", "S-310-c"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		d := c.DeviceRecord
		if d == nil {
			unknown(f)
			f.Bool("of_vendor", false)
			f.Bool("key", false)
			f.Bool("trust_domain", false)
			f.End("trusted_until", time.Time{})
			f.Bool("on_grant", false)
			return
		}
		standing(f, d.Approval)
		f.Bool("of_vendor", d.Vendor != "" && d.Vendor == c.Vendor)
		f.Bool("key", (d.Key256 != "") != (d.SPIFFE != "")) // known by the one or by the other
		of, pinned := c.View.Settings.VendorOfTrustDomain(snapshot.TrustDomainOf(d.SPIFFE))
		f.Bool("trust_domain", d.SPIFFE == "" || pinned && of == d.Vendor)
		f.End("trusted_until", d.TrustedUntil)
		f.Bool("on_grant", c.GrantRecord != nil && slices.Contains(c.GrantRecord.Devices, d.ID))
	},
	Reasons: append(standingReasons("device", "approve the device (device approve)"),
		policy.Reason{Code: "other-vendor", Message: "The device belongs to another vendor", NextStep: "Use a device of this vendor", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_vendor") }},
		policy.Reason{Code: "no-key", Message: "The device has no key and no SPIFFE id on record, or both", NextStep: "Enrol the device with its certificate's key, or the workload with its SPIFFE id", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("key") }},
		policy.Reason{Code: "other-trust-domain", Message: "The workload's SPIFFE trust domain is not configured, or is pinned to another vendor", NextStep: "Have the operator pin the trust domain to this vendor, with its bundle", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("trust_domain") }},
		policy.Reason{Code: "trust-expired", Message: "The device's approval has run out", NextStep: "Ask the organisation to look at the device again and extend its trust (device approve)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && v.Ended("trusted_until") }},
		policy.Reason{Code: "not-on-grant", Message: "The grant does not name this device", NextStep: "Ask for a grant that names the device, or use one that it names", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("on_grant") }},
	),
}
