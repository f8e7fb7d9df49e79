package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed sealing.cedar
var sealingCedar string

var sealing = policy.Gate{
	ID:       "sealing",
	Title:    "Where the engagement demands sealed releases, the device has a key of that kind to seal them to",
	Policy:   sealingCedar,
	Cites:    []string{"S-312-e-1", "S-312-e-2-ii", "policy"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e, d := engagementOf(c), c.DeviceRecord
		f.Bool("engagement_known", c.EngagementRecord != nil)
		policy.Word(f, "demand", e.Sealing, snapshot.Sealings...)
		_, ok := d.Recipient(e.Sealing)
		f.Bool("recipient_if_demanded", e.Sealing == "" || ok)
	},
	Reasons: []policy.Reason{
		{Code: "unknown", Message: "It is not known whether the engagement demands sealed releases", NextStep: "Ask under a grant on an engagement that is registered", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("engagement_known") }},
		{Code: "unknown-mode", Message: "The engagement demands a way of sealing that this program does not have", NextStep: "Have the engagement changed to age or hpke-p256, or the gateway updated", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("demand") == "other" }},
		{Code: "no-recipient", Message: "The engagement's releases are sealed, and the device has no key on record to seal them to", NextStep: "Run `sallyport agent enroll` on the device again, or send its public key (device set-recipients)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("demand") != "other" && !v.Is("recipient_if_demanded") }},
	},
}
