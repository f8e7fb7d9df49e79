package diligence

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Exclusion is a question that is not asked, and why.
type Exclusion struct {
	Question string `json:"question"`
	Why      string `json:"why"`
}

// The rule of branching. All 64 questions apply to a vendor that gets identifiable PHI.
// One that gets no more than a limited data set is not asked what only a designated
// record set or a business associate's own role raises; one that gets de-identified
// data alone is not asked about duties that the Privacy, Security and Breach Rules
// attach to PHI (45 CFR 164.502(d)(2)). What is about keeping data safe, whose it is,
// who sees it and whether anybody is re-identified is asked of all: a file that was
// thought to be de-identified may turn out not to be. A vendor with several classes is
// asked what any of them raises. The rule is policy.
var (
	notOfLimitedDataSets = map[string]string{
		"HIP-01": "a limited data set goes out under a data use agreement, whose recipient need not be a business associate (45 CFR 164.514(e)(4))",
		"HIP-03": "a limited data set holds nothing to find an individual by, and its disclosures are not accounted for (45 CFR 164.528(a)(1)(viii))",
	}
	notOfDeIdentified = map[string]string{
		"HIP-01": "who gets de-identified data alone is no business associate by that (45 CFR 160.103, 164.502(d)(2))",
		"HIP-03": "access, amendment and accounting are rights in PHI (45 CFR 164.524, 164.526, 164.528)",
		"HIP-04": "minimum necessary is a limit on PHI (45 CFR 164.502(b))",
		"HIP-06": "the rule on documentation binds who holds PHI (45 CFR 164.316(b)(2)(i), 164.530(j))",
		"RSK-01": "the risk analysis of the Security Rule is of electronic PHI (45 CFR 164.308(a)(1)(ii)(A)); the register of risks is asked for in RSK-02",
		"RSK-03": "the evaluation of the Security Rule is of electronic PHI (45 CFR 164.308(a)(8))",
		"RSK-04": "addressable specifications are of the Security Rule (45 CFR 164.306(d))",
		"PPL-05": "the Texas training duty is about protected health information (Tex. Health & Safety Code 181.101)",
		"DAT-05": "the data is de-identified before it leaves; by which method is the organisation's answer",
		"INC-05": "the four factors are about PHI (45 CFR 164.402); that a re-identification is told at once is asked in INC-04",
	}
)

// Applies are the questions that apply to a vendor with these classes of data, in the
// catalogue's order, and those that do not, with the reason. No class, or one that is
// not known: all apply.
func Applies(classes []hipaa.DataClass) (apply []string, not []Exclusion) {
	for _, q := range hipaa.Questions() {
		why := ""
		for _, c := range classes {
			reason := ""
			switch c {
			case hipaa.LimitedDataSet:
				reason = notOfLimitedDataSets[q.ID]
			case hipaa.DeIdentified:
				reason = notOfDeIdentified[q.ID]
			}
			if why = reason; reason == "" {
				break // one class raises it
			}
		}
		if why != "" {
			not = append(not, Exclusion{q.ID, why})
			continue
		}
		apply = append(apply, q.ID)
	}
	return apply, not
}

// Answers are the scored answers that a vendor's closed questionnaires hold, the newest of
// each question. A score counts from the close on, which is a decision: what was
// withdrawn, is with the vendor, or is being scored does not count, for it or against it.
func Answers(v *snapshot.View, vendor id.Vendor) map[string]snapshot.VendorAnswer {
	out := map[string]snapshot.VendorAnswer{}
	for _, q := range v.QuestionnairesOf(vendor) {
		if q.Withdrawn || q.Stage != snapshot.QuestionsClosed {
			continue
		}
		for key, a := range q.Answers {
			if old, ok := out[key]; !a.ScoredAt.IsZero() && (!ok || !a.AnsweredAt.Before(old.AnsweredAt)) {
				out[key] = a
			}
		}
	}
	return out
}

// Plan says which of the questions that apply a new questionnaire asks, and which
// answers it carries over: those that are scored and fresh. An answer without an age of
// its own counts "on renewal or change": it is asked again at a renewal, and when the
// vendor's profile was recorded anew since. Those in again are asked whatever their age.
func Plan(v *snapshot.View, vendor id.Vendor, classes []hipaa.DataClass, renewal bool, again []string, now time.Time) (asked []string, carried map[string]snapshot.VendorAnswer) {
	var profiled time.Time
	if w, ok := v.Vendors.Get(vendor); ok && w.Profile != nil {
		profiled = w.Profile.RecordedAt
	}
	apply, _ := Applies(classes)
	answers := Answers(v, vendor)
	carried = map[string]snapshot.VendorAnswer{}
	for _, key := range apply {
		q, _ := hipaa.LookupQuestion(key)
		a, ok := answers[key]
		stale := q.Stale(a.AnsweredAt)
		fresh := ok && !slices.Contains(again, key)
		if stale.IsZero() {
			fresh = fresh && !renewal && !profiled.After(a.AnsweredAt)
		} else {
			fresh = fresh && now.Before(stale)
		}
		if fresh {
			carried[key] = a
		} else {
			asked = append(asked, key)
		}
	}
	return asked, carried
}
