package gate

import (
	_ "embed" // the policy
	"slices"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed person.cedar
var personCedar string

var person = policy.Gate{
	ID:       "person",
	Title:    "The person behind the grant is known, classified and active",
	Policy:   personCedar,
	Cites:    []string{"S-308-a-3-i", "D-WF", "S-308-a-3-ii-C"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		p := c.Person
		if p == nil {
			unknown(f)
			f.Bool("of_vendor", false)
			policy.Word(f, "classification", hipaa.Classification(""))
			f.Bool("classification_basis", false)
			f.Bool("personal", false)
			return
		}
		standing(f, p.Approval)
		f.Bool("of_vendor", p.Vendor != "" && p.Vendor == c.Vendor)
		policy.Word(f, "classification", p.Classification, hipaa.Workforce, hipaa.BusinessAssociate)
		f.Bool("classification_basis", p.Basis != "")
		f.Bool("personal", !sharedAccount(c, f) || !slices.ContainsFunc(papersInForce(c, f), agreement.NamedUsers))
	},
	Reasons: append(standingReasons("person behind the grant", "approve the person (person approve)"),
		policy.Reason{Code: "other-vendor", Message: "The person behind the grant does not belong to this vendor", NextStep: "Name a person of this vendor on the grant", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_vendor") }},
		policy.Reason{Code: "unclassified", Message: "Nobody decided whether the person is workforce or a business associate's staff", NextStep: "Classify the person (45 CFR 160.103) and say why", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("classification")
				return v.Word("state") != "unknown" && (w == "none" || w == "other" || !v.Is("classification_basis"))
			}},
		policy.Reason{Code: "shared-account", Message: "The app is for people and has a key of its own, and more than one person has a grant on it: a shared account, which the agreement rules out (BAA-R17)", NextStep: "Register an app for each person (app register), or one without a key, in which each signs in", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("personal") }},
	),
}

// sharedAccount reports whether the app stands for several people who cannot be told
// apart: it acts for people by a key of its own, and people do not sign in to it.
func sharedAccount(c *policy.Case, f *policy.Facts) bool {
	if c.AppRecord == nil || c.AppRecord.Kind != snapshot.Human || c.AppRecord.Public {
		return false
	}
	for _, g := range c.View.GrantsOfApp(c.App) {
		if g.Person != c.Person.ID && approved(f, g.Approval) && f.Passed(g.StartsAt) && !f.Passed(g.EndsAt) {
			return true
		}
	}
	return false
}
