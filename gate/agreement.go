package gate

import (
	_ "embed" // the policy
	"slices"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed agreement.cedar
var agreementCedar string

// A BAA is asked for identifiable data whatever the legal basis: an
// authorization or a waiver would lawfully do without one (45 CFR 164.508,
// 164.512(i)), but the outside teams here work on the organisation's behalf.
var agreementGate = policy.Gate{
	ID:       "agreement",
	Title:    "An agreement for the class of data is in force",
	Policy:   agreementCedar,
	Cites:    []string{"P-502-e-2", "P-504-e-2-i", "S-314-a-1", "P-514-e-4-i", "S-308-b-3"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e := engagementOf(c)
		best := paper{Agreement: &snapshot.Agreement{}}
		for _, a := range c.Agreements {
			if !fits(e.DataClass, e.Category, a) {
				continue
			}
			p := readPaper(c, f, c.Vendor, e.DataClass, a)
			if best.ID == "" || p.faults() < best.faults() {
				best = p
			}
		}
		// What any paper of the engagement limits is limited, also beside one that does not.
		if best.ID != "" && slices.ContainsFunc(c.Agreements, agreement.LimitedDataSetOnly) && !onlyLimitedDataSet(c, f) {
			best.missing = append(best.missing, "BAA-O06")
		}
		policy.Word(f, "data_class", e.DataClass, hipaa.DataClasses...)
		policy.Word(f, "category", e.Category, hipaa.Categories...)
		policy.Word(f, "kind", best.Kind, snapshot.BAA, snapshot.ServicesContract, snapshot.DataUseAgreement)
		best.standing(f)
		f.Bool("of_vendor", best.ofVendor)
		f.Bool("document", best.document)
		f.Bool("signed_by_organisation", best.signed[0])
		f.Bool("signed_by_vendor", best.signed[1])
		f.Start("effective_at", best.EffectiveAt)
		f.EndOrOpen("ends_at", best.ends)
		f.Number("terms_missing", int64(len(best.missing)))
		for _, t := range best.missing {
			f.NoteWord("missing_term", t)
		}
		if best.ID != "" && best.faults() == 0 {
			f.Rely(best.ID, best.relied...)
		}
		lapsed := len(e.Agreements) - len(c.Agreements) // named, and not there
		for _, a := range c.Agreements {
			if a.ID != best.ID && readPaper(c, f, c.Vendor, e.DataClass, a).faults() > 0 {
				lapsed++
				f.NoteWord("lapsed_agreement", string(a.ID))
			}
		}
		f.Number("others_lapsed", int64(lapsed))
	},
	Reasons: []policy.Reason{
		{Code: "none", Message: "There is no agreement of a kind that covers this class of data", NextStep: "Agree on one and put it on the engagement: a BAA for PHI, a data use agreement (research, public health, operations) or a BAA for a limited data set, a services contract for de-identified data", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("kind") == "none" }},
		{Code: "not-approved", Message: "The agreement is not approved", NextStep: "Have a second person approve it (agreement approve)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				return v.Word("kind") != "none" && v.Word("state") != "approved" && !over(v)
			}},
		{Code: "same-person", Message: "The agreement was approved by the person who asked for it", NextStep: "Have another person approve it (agreement approve)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") == "approved" && !v.Is("two_people") }},
		{Code: "other-vendor", Message: "The agreement is with another vendor", NextStep: "Put an agreement with this vendor on the engagement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("kind") != "none" && !v.Is("of_vendor") }},
		{Code: "no-document", Message: "The agreement has no signed document on file", NextStep: "File the signed document (document put, agreement amend)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("kind") != "none" && !v.Is("document") }},
		{Code: "unsigned-organisation", Message: "The organisation has not signed the agreement", NextStep: "Sign it and record the signature (agreement sign)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				return v.Word("kind") != "none" && !v.Is("signed_by_organisation")
			}},
		{Code: "unsigned-vendor", Message: "The vendor has not signed the agreement", NextStep: "Sign the agreement and send it back", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("kind") != "none" && !v.Is("signed_by_vendor") }},
		{Code: "not-yet-effective", Message: "The agreement is not yet in effect", NextStep: "Wait until its effective date, or amend it", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("kind") != "none" && !v.Begun("effective_at") }},
		{Code: "ended", Message: "The agreement has ended, was terminated or is suspended, or a breach of it was not cured in time", NextStep: "Renew it (agreement renew), lift the suspension (agreement resume), or agree on a new one (agreement draft)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("kind") != "none" && (v.Ended("ends_at") || over(v)) }},
		{Code: "terms-missing", Detail: "missing_term", Message: "The agreement lacks terms that it must have, or they say too little", NextStep: "See what each needs (agreement check), amend the agreement and record where they stand", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("kind") != "none" && v.Number("terms_missing") > 0 }},
		{Code: "other-lapsed", Detail: "lapsed_agreement", Message: "Another paper that the engagement rests on is not in force", NextStep: "Sign, approve or renew it (agreement sign, agreement approve), or take it off the engagement (engagement amend)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("others_lapsed") > 0 }},
	},
}

// over: it was approved once, and a second approval would not mend it.
func over(v policy.Values) bool { return v.Word("state") == "ended" || v.Word("state") == "suspended" }

// fits reports whether an agreement is of a kind that can cover the class of
// data. The policy asks the same again.
func fits(class hipaa.DataClass, category hipaa.Category, a *snapshot.Agreement) bool {
	switch class {
	case hipaa.PHI:
		return a.Kind == snapshot.BAA
	case hipaa.LimitedDataSet:
		return a.Kind == snapshot.BAA || a.Kind == snapshot.DataUseAgreement && limitedDataSetPurpose(category)
	case hipaa.DeIdentified:
		return a.Kind == snapshot.ServicesContract
	}
	return false
}

// onlyLimitedDataSet reports whether the engagement is one that a paper for limited
// data sets alone can carry: for health care operations, beside a data use agreement
// that is in force (45 CFR 164.504(e)(3)(iv)).
func onlyLimitedDataSet(c *policy.Case, f *policy.Facts) bool {
	e := engagementOf(c)
	return e.DataClass == hipaa.LimitedDataSet && e.Category == hipaa.Operations &&
		slices.ContainsFunc(c.Agreements, func(a *snapshot.Agreement) bool {
			return a.Kind == snapshot.DataUseAgreement && readPaper(c, f, c.Vendor, e.DataClass, a).faults() == 0
		})
}

// limitedDataSetPurpose is 45 CFR 164.514(e)(3)(i).
func limitedDataSetPurpose(c hipaa.Category) bool {
	return c == hipaa.Research || c == hipaa.PublicHealth || c == hipaa.Operations
}
