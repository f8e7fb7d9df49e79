package gate

import (
	_ "embed" // the policy
	"slices"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed screening.cedar
var screeningCedar string

// 28 CFR Part 202 reaches de-identified data too, so no engagement is exempt. It
// restricts what gives covered persons access to personal health data of more
// than 10,000 U.S. persons in twelve months, over all transactions, and lets some
// of it go on under security requirements. This gate is narrower than that: it
// counts no persons, and lets no covered person have anything (policy).
var screening = policy.Gate{
	ID:       "screening",
	Title:    "The vendor and those below it were screened: no country of concern, no covered person (28 CFR Part 202)",
	Policy:   screeningCedar,
	Cites:    []string{"X-DOJ-202", "policy"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		own := snapshot.Screening{}
		if c.VendorRecord != nil {
			own = c.VendorRecord.Screening
		}
		policy.Word(f, "outcome", outcomeOf(f, own), "absent", "covered", "clear")
		f.End("valid_until", own.ValidUntil)
		var unscreened int64
		for _, s := range subcontractorTree(c) {
			if v, ok := c.View.Vendors.Get(s); !ok || outcomeOf(f, v.Screening) != "clear" || f.Passed(v.Screening.ValidUntil) || v.Screening.ValidUntil.IsZero() {
				unscreened++
				f.NoteWord("unscreened_vendor", string(s))
			}
		}
		f.Number("unscreened", unscreened)
		f.Bool("of_concern", slices.ContainsFunc(places(c), snapshot.OfConcern))
	},
	Reasons: []policy.Reason{
		{Code: "absent", Message: "The vendor was never screened under 28 CFR Part 202", NextStep: "Screen its owners and the people who would reach the data, and record it (vendor screen)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("outcome") == "absent" }},
		{Code: "covered", Message: "A country of concern or a covered person owns the vendor, or would reach the data", NextStep: "Take counsel: the rule restricts or prohibits it. If the facts have changed, screen again (vendor screen)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("outcome") == "covered" }},
		{Code: "expired", Message: "The vendor's screening under 28 CFR Part 202 is no longer valid", NextStep: "Screen the vendor again (vendor screen)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("outcome") != "absent" && v.Ended("valid_until") }},
		{Code: "subcontractor", Detail: "unscreened_vendor", Message: "A vendor below this one has no clear screening in force", NextStep: "Screen it too (vendor screen), or take it out of the chain", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("unscreened") > 0 }},
		{Code: "country", Message: "The processing, the device or the person is declared to be in a country of concern", NextStep: "Work from elsewhere. No agreement can allow this one", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("of_concern") }},
	},
}

func outcomeOf(f *policy.Facts, s snapshot.Screening) string {
	switch {
	case s.By == "" || !f.Passed(s.At):
		return "absent"
	case s.Clear():
		return "clear"
	}
	return "covered"
}

// places are where the vendor's side is declared to be.
func places(c *policy.Case) []string {
	out := slices.Clone(engagementOf(c).Regions)
	if c.DeviceRecord != nil {
		out = append(out, c.DeviceRecord.Region)
	}
	if c.Person != nil {
		out = append(out, c.Person.Region)
	}
	return out
}
