package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
)

//go:embed policy_loaded.cedar
var policyLoadedCedar string

var policyLoaded = policy.Gate{
	ID:       "policy_loaded",
	Title:    "All policies and the organisation's policy numbers are loaded",
	Policy:   policyLoadedCedar,
	Cites:    []string{"policy", "S-316-a"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		f.Number("gates", int64(c.Gates))
		f.Bool("settings", c.View.Settings.SnapshotFreshness > 0)
	},
	Reasons: []policy.Reason{
		{Code: "gates", Message: "Not all gates are loaded", NextStep: "Tell the operator: the program and its policies do not fit", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("gates") < allGates }},
		{Code: "settings", Message: "The organisation's policy numbers are not loaded", NextStep: "Tell the operator to set them (the freshness limit at least)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("settings") }},
	},
}
