package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed assessment.cedar
var assessmentCedar string

// A conditional verdict counts like a pass until its date: the conditions and
// the date are the organisation's to set (policy). A later verdict replaces an
// earlier one, so a fail ends an older pass.
var assessment = policy.Gate{
	ID:       "assessment",
	Title:    "The vendor's due-diligence assessment is current",
	Policy:   assessmentCedar,
	Cites:    []string{"policy", "S-308-b-1"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		var last *snapshot.Assessment
		for _, a := range c.View.AssessmentsOf(c.Vendor) { // oldest decision first
			if f.Passed(a.DecidedAt) && a.DecidedBy != "" {
				last = a
			}
		}
		if last == nil {
			last = &snapshot.Assessment{}
		}
		policy.Word(f, "verdict", last.Verdict, snapshot.Pass, snapshot.Conditional, snapshot.Fail)
		f.End("valid_until", last.ValidUntil)
	},
	Reasons: []policy.Reason{
		{Code: "none", Message: "The vendor was never assessed", NextStep: "Assess the vendor and record the decision (assessment record)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { w := v.Word("verdict"); return w == "none" || w == "other" }},
		{Code: "failed", Message: "The vendor's last assessment failed", NextStep: "Mend what the assessment found, and ask to be assessed again", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("verdict") == "fail" }},
		{Code: "expired", Message: "The vendor's last assessment is no longer valid", NextStep: "Assess the vendor again (assessment record)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("verdict") != "none" && v.Ended("valid_until") }},
	},
}
