package gate

import (
	_ "embed" // the policy
	"slices"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
)

//go:embed permitted_use.cedar
var permittedUseCedar string

var permittedUse = policy.Gate{
	ID:       "permitted_use",
	Title:    "An agreement in force permits this purpose for this class of data",
	Policy:   permittedUseCedar,
	Cites:    []string{"P-504-e-2-i", "P-502-a-3", "P-502-a"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e := engagementOf(c)
		permitted := false
		papers := papersInForce(c, f)
		for _, a := range papers {
			for _, u := range a.PermittedUses {
				if u.Purpose == e.Purpose && slices.Contains(u.DataClasses, e.DataClass) &&
					(len(u.Sources) == 0 || slices.Contains(u.Sources, c.Source)) {
					permitted = true
					f.Rely(a.ID, "BAA-M01")
				}
			}
		}
		use := agreement.Use{Purpose: e.Purpose, Class: e.DataClass, Category: e.Category,
			PassedOn: len(subcontractorTree(c)) > 0, Role: c.Role}
		if c.GrantRecord != nil {
			use.Cohort = c.GrantRecord.Cohort
		}
		denied := agreement.Denied(papers, use)
		for _, d := range denied {
			f.NoteWord("denying_term", d.Term)
		}
		policy.Word(f, "purpose", e.Purpose, hipaa.Purposes...)
		f.Bool("permitted", permitted)
		f.Bool("contradicted", len(denied) > 0)
	},
	Reasons: []policy.Reason{
		{Code: "no-purpose", Message: "The engagement names no purpose, or one that is not known", NextStep: "Give the engagement one of the purposes that an agreement can permit", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { w := v.Word("purpose"); return w == "none" || w == "other" }},
		{Code: "silent", Message: "No agreement in force permits this purpose for this class of data and source, and silence is no", NextStep: "Amend an agreement so that it permits the purpose", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("permitted") }},
		{Code: "contradicted", Detail: "denying_term", Message: "A term of an agreement in force denies this purpose, or is silent where silence is no", NextStep: "See what the term does (agreement check), and amend it", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("contradicted") }},
	},
}
