package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed assessment.cedar
var assessmentCedar string

// A conditional verdict counts like a pass until its date: the conditions and
// the date are the organisation's to set (policy). A later verdict replaces an
// earlier one, so a fail ends an older pass. What has become of the vendor since is
// read from records at every decision (package diligence).
var assessment = policy.Gate{
	ID:       "assessment",
	Title:    "The vendor's due-diligence assessment is current",
	Policy:   assessmentCedar,
	Cites:    []string{"policy", "S-308-b-1"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		last := diligence.Latest(c.View, c.Vendor, f.Passed)
		var s diligence.Standing
		if last != nil {
			s = diligence.Stand(c.View, last, f.Passed)
		} else {
			last = &snapshot.Assessment{}
		}
		policy.Word(f, "verdict", last.Verdict, snapshot.Pass, snapshot.Conditional, snapshot.Fail)
		f.End("valid_until", last.ValidUntil)
		f.Bool("reopened", len(s.Reopened) > 0)
		f.Number("open_gaps", int64(len(s.Open)))
		f.EndOrOpen("answers_until", s.AnswersUntil)
		f.EndOrOpen("conditions_until", s.ConditionsUntil)
		f.EndOrOpen("acceptances_until", s.AcceptancesUntil)
		// What a decision relies on besides the verdict is seen in every explanation.
		for _, x := range s.Reopened {
			f.NoteWord("reopened_by", string(x.Cause)) // the vendor reads it: which incident is not said
			noteFirst(f, "reopened_about", x.About)
		}
		for _, x := range s.Open {
			f.NoteWord("open_gap", x)
		}
		for _, x := range s.Accepted {
			f.NoteWord("accepted_risk", x)
		}
		for _, x := range s.OpenConditions {
			f.NoteWord("open_condition", x)
		}
		noteFirst(f, "first_stale_answer", s.StaleFirst)
		noteFirst(f, "first_condition_due", s.DueFirst)
		noteFirst(f, "first_acceptance_to_lapse", s.LapsesFirst)
	},
	Reasons: []policy.Reason{
		{Code: "none", Message: "The vendor was never assessed", NextStep: "Assess the vendor and record the decision (assessment record)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { w := v.Word("verdict"); return w == "none" || w == "other" }},
		{Code: "failed", Message: "The vendor's last assessment failed", NextStep: "Mend what the assessment found, and ask to be assessed again", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("verdict") == "fail" }},
		{Code: "expired", Message: "The vendor's last assessment is no longer valid", NextStep: "Assess the vendor again (assessment record)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("verdict") != "none" && v.Ended("valid_until") }},
		{Code: "reopened", Detail: "reopened_by", Message: "Something has become of the vendor since its assessment, which has to be made anew", NextStep: "Look at what changed (vendor standing), ask again what it touches (questionnaire send), and record a new decision (assessment record)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("reopened") }},
		{Code: "gap-open", Detail: "open_gap", Message: "The assessment is conditional on accepting a risk that nobody but its recorder has accepted", NextStep: "Have another person accept the risk until a date (assessment accept-risk), or have the vendor mend it", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("open_gaps") > 0 }},
		{Code: "answer-stale", Detail: "first_stale_answer", Message: "An answer to a critical question is too old to count", NextStep: "Ask again what went stale (questionnaire send), score it and close the questionnaire", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("answers_until") }},
		{Code: "condition-overdue", Detail: "first_condition_due", Message: "A condition of the assessment was not met by its date", NextStep: "Meet it and have another person than its owner say so (assessment meet-condition), or record a new decision", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("conditions_until") }},
		{Code: "acceptance-lapsed", Detail: "first_acceptance_to_lapse", Message: "A risk that the assessment relies on was accepted until a date that has passed", NextStep: "Have the risk accepted anew by another person than the recorder (assessment accept-risk), or mended", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("acceptances_until") }},
	},
}

// noteFirst notes a word if there is one.
func noteFirst(f *policy.Facts, name, word string) {
	if word != "" {
		f.NoteWord(name, word)
	}
}
