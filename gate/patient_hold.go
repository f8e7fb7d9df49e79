package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
)

//go:embed patient_hold.cedar
var patientHoldCedar string

// A patient's request for restriction is between the patient and the
// organisation: the reason is the owner's.
var patientHold = policy.Gate{
	ID:       "patient_hold",
	Title:    "No patient in the answer has a restriction or has opted out",
	Policy:   patientHoldCedar,
	Cites:    []string{"P-522-a", "P-502-c"},
	Audience: policy.Owner,
	Stage:    policy.AtContent,
	Known: func(c *policy.Case, f *policy.Facts) {
		f.Bool("source_known", c.SourceRecord != nil)
	},
	Asked: func(_ *policy.Case, q *policy.Request, s policy.Stage, f *policy.Facts) {
		f.Bool("inspected", q.Content.Inspected)
		f.Bool("due", s == policy.AtContent)
		f.Bool("held", q.Content.HeldPatient)
	},
	Reasons: []policy.Reason{
		{Code: "source-unknown", Message: "The source is not known, so its patients' restrictions cannot be looked up", NextStep: "Ask at a source that is in the settings", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("source_known") }},
		{Code: "held", Message: "A patient in the answer has a restriction (45 CFR 164.522) or has opted out", NextStep: "Leave the patient out; only the organisation's privacy official can lift the hold", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("held") }},
		{Code: "not-inspected", Message: "The answer was not compared with the patients' restrictions", NextStep: "Tell the operator: a release must be inspected before it leaves", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("due") && !v.Is("inspected") }},
	},
}
