package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
)

//go:embed key.cedar
var keyCedar string

var key = policy.Gate{
	ID:       "key",
	Title:    "The engagement's keys were not destroyed",
	Policy:   keyCedar,
	Cites:    []string{"P-504-e-2-ii-J"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		k, _ := c.View.Keys.Get(engagementOf(c).ID)
		f.Bool("engagement_known", c.EngagementRecord != nil)
		f.Bool("kept", !k.Ordered())
	},
	Reasons: []policy.Reason{
		{Code: "unknown", Message: "It is not known which engagement's keys are meant", NextStep: "Ask under a grant on an engagement that is registered", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("engagement_known") }},
		{Code: "destroyed", Message: "The keys of the engagement were destroyed, for good", NextStep: "Propose a new engagement; its codes will be others", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("kept") }},
	},
}
