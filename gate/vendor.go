package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
)

//go:embed vendor.cedar
var vendorCedar string

var vendor = policy.Gate{
	ID:       "vendor",
	Title:    "The vendor is approved",
	Policy:   vendorCedar,
	Cites:    []string{"S-308-b-1"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		if v := c.VendorRecord; v != nil {
			standing(f, v.Approval)
		} else {
			unknown(f)
		}
	},
	Reasons: standingReasons("vendor", "approve the vendor (vendor approve)"),
}
