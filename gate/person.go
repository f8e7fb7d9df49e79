package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
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
			return
		}
		standing(f, p.Approval)
		f.Bool("of_vendor", p.Vendor != "" && p.Vendor == c.Vendor)
		policy.Word(f, "classification", p.Classification, hipaa.Workforce, hipaa.BusinessAssociate)
		f.Bool("classification_basis", p.Basis != "")
	},
	Reasons: append(standingReasons("person behind the grant", "approve the person (person approve)"),
		policy.Reason{Code: "other-vendor", Message: "The person behind the grant does not belong to this vendor", NextStep: "Name a person of this vendor on the grant", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_vendor") }},
		policy.Reason{Code: "unclassified", Message: "Nobody decided whether the person is workforce or a business associate's staff", NextStep: "Classify the person (45 CFR 160.103) and say why", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("classification")
				return v.Word("state") != "unknown" && (w == "none" || w == "other" || !v.Is("classification_basis"))
			}},
	),
}
