package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed cohort.cedar
var cohortCedar string

// That a patient exists but is outside the cohort is itself about the patient:
// the reason is the owner's.
var cohort = policy.Gate{
	ID:       "cohort",
	Title:    "Every patient in the answer belongs to the grant's cohort",
	Policy:   cohortCedar,
	Cites:    []string{"P-502-b-1", "P-514-d-3-i"},
	Audience: policy.Owner,
	Stage:    policy.AtContent,
	Known: func(c *policy.Case, f *policy.Facts) {
		defined := false
		if g := c.GrantRecord; g != nil {
			switch g.Cohort.Kind {
			case snapshot.CohortGroup, snapshot.CohortSearch:
				defined = g.Cohort.Ref != ""
			case snapshot.CohortList:
				defined = g.Cohort.Ref != "" && isDigest(g.Cohort.Digest)
			case snapshot.CohortAll:
				defined = true
			}
		}
		f.Bool("defined", defined)
	},
	Asked: func(_ *policy.Case, q *policy.Request, s policy.Stage, f *policy.Facts) {
		f.Bool("inspected", q.Content.Inspected)
		f.Bool("due", s == policy.AtContent)
		f.Bool("outside", q.Content.OutOfCohort)
	},
	Reasons: []policy.Reason{
		{Code: "undefined", Message: "The grant has no cohort that can be looked up", NextStep: "Give the grant a cohort: a Group, a list with its digest, or a search", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("defined") }},
		{Code: "outside", Message: "A patient in the answer is not in the cohort, or could not be told", NextStep: "Ask for patients of the cohort only, or have the cohort widened", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("outside") }},
		{Code: "not-inspected", Message: "The answer was not compared with the cohort", NextStep: "Tell the operator: a release must be inspected before it leaves", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("due") && !v.Is("inspected") }},
	},
}
