package gate

import (
	_ "embed" // the policy
	"time"

	"github.com/sallyport/sallyport/policy"
)

//go:embed fresh.cedar
var freshCedar string

// clockSkew is how far ahead of this node's clock the one that confirmed the
// view may be. Beyond it a clock went backwards, and no date can be trusted.
const clockSkew = 2 * time.Second

var fresh = policy.Gate{
	ID:       "fresh",
	Title:    "The picture of the registry is recent",
	Policy:   freshCedar,
	Cites:    []string{"policy", "S-308-a-3-ii-C"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		confirmed := c.View.Confirmed()
		if confirmed.IsZero() {
			f.Start("from", time.Time{})
			f.End("until", time.Time{})
			return
		}
		f.Start("from", confirmed.Add(-clockSkew))
		f.End("until", confirmed.Add(c.View.Settings.SnapshotFreshness))
	},
	Reasons: []policy.Reason{
		{Code: "stale", Message: "The registry was not heard from within the freshness limit", NextStep: "Tell the operator that the gateway cannot reach the registry; it resumes by itself when it can", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("until") }},
		{Code: "clock", Message: "The picture of the registry is from the future: a clock went backwards", NextStep: "Tell the operator to mend the clock", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Begun("from") }},
	},
}
