package gate

import (
	_ "embed" // the policy
	"slices"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/policy"
)

//go:embed labels.cedar
var labelsCedar string

// That labelled records exist says something about a patient (42 CFR 2.13(c)):
// the reason is the owner's.
var labels = policy.Gate{
	ID:       "labels",
	Title:    "Specially protected records leave only where the grant names their label",
	Policy:   labelsCedar,
	Cites:    []string{"X-P2-CONSENT", "P-508-a-2"},
	Audience: policy.Owner,
	Stage:    policy.AtContent,
	Known: func(c *policy.Case, f *policy.Facts) {
		f.Bool("grant_known", c.GrantRecord != nil)
		f.Bool("part2_terms", slices.ContainsFunc(papersInForce(c, f), agreement.Part2))
	},
	Asked: func(c *policy.Case, q *policy.Request, s policy.Stage, f *policy.Facts) {
		f.Bool("inspected", q.Content.Inspected)
		f.Bool("due", s == policy.AtContent)
		admitted, part2 := true, false
		for _, l := range q.Content.Labels {
			admitted = admitted && c.GrantRecord != nil && l != "" && slices.Contains(c.GrantRecord.Labels, l)
			part2 = part2 || isPart2(l)
		}
		f.Bool("part2", part2)
		f.Bool("admitted", admitted)
	},
	Reasons: []policy.Reason{
		{Code: "grant-unknown", Message: "There is no grant, so no label is admitted", NextStep: "Ask for a grant", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("grant_known") }},
		{Code: "not-granted", Message: "The answer holds records with a security label that the grant does not name", NextStep: "Leave them out, or put the label on the grant where the law allows it (consent, 42 CFR 2.31; authorization, 45 CFR 164.508(a)(2))", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("admitted") }},
		{Code: "part2-terms", Message: "The answer holds records of 42 CFR Part 2, and no agreement in force has the terms for them (BAA-O07)", NextStep: "Leave them out, or agree on the terms (part2_terms)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("part2") && !v.Is("part2_terms") }},
		{Code: "not-inspected", Message: "The answer was not searched for security labels", NextStep: "Tell the operator: a release must be inspected before it leaves", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("due") && !v.Is("inspected") }},
	},
}

// isPart2 reports whether a label says 42 CFR Part 2, by HL7's code for it.
func isPart2(label string) bool {
	_, code, _ := strings.Cut(label, "|")
	return strings.EqualFold(code, "42CFRPart2")
}
