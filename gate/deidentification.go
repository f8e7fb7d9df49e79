package gate

import (
	_ "embed" // the policy
	"strings"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed deidentification.cedar
var deidentificationCedar string

// The gate asks on what a profile rests, and takes the node's word that the
// profile does what its basis wants: package deid proves that, when it loads one.
// Whether an expert's methods were sound is the judgement of the two people who
// stand by the determination.
//
// A profile that rests on a determination needs one for PHI too: a release whose
// record names an expert's determination had one.
var deidentification = policy.Gate{
	ID:       "deidentification",
	Title:    "The role's de-identification profile satisfies the engagement's class of data",
	Policy:   deidentificationCedar,
	Cites:    []string{"P-514-a", "P-514-b-1", "P-514-b-2-ii", "P-514-e-2", "P-514-d-3-i", "P-502-d-2"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		profile, known := c.View.Settings.ProfileNamed(roleOf(c).Profile)
		f.Bool("profile_known", known)
		policy.Word(f, "basis", profile.Basis, snapshot.ProfileBases...)
		policy.Word(f, "data_class", engagementOf(c).DataClass, hipaa.DataClasses...)
		d := &snapshot.Determination{}
		if profile.Basis == snapshot.BasisExpertDetermination {
			d = determinationFor(c, f, profile)
		}
		policy.Word(f, "determination", stateAt(f, d.Approval), snapshot.Proposed, snapshot.Approved, snapshot.Ended)
		f.Bool("two_people", twoPeople(d.Approval))
		f.Bool("same_profile", sameProfile(d, profile))
		f.Start("determined_at", d.DeterminedAt)
		f.End("valid_until", d.ValidUntil)
	},
	Reasons: []policy.Reason{
		{Code: "profile-unknown", Message: "The role names no de-identification profile that this node offers", NextStep: "Define the role with a profile of the node, and have it approved (role define), or have the operator configure the profile", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("profile_known") }},
		{Code: "basis-unknown", Message: "The role's de-identification profile rests on no basis that the rule knows", NextStep: "Have the operator give the profile its basis: safe-harbor, limited-data-set, expert-determination or minimum-necessary", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("profile_known") && !wordKnown(v, "basis") }},
		{Code: "class-unknown", Message: "No class of data is set for the engagement", NextStep: "Set the class of data on the engagement (engagement amend)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !wordKnown(v, "data_class") }},
		{Code: "not-de-identified", Message: "The engagement is for de-identified data, and the role's profile does not de-identify (45 CFR 164.514(b))", NextStep: "Give the grant a role with a profile by Safe Harbor or by expert determination, or agree on another class of data", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				return v.Word("data_class") == string(hipaa.DeIdentified) && wordKnown(v, "basis") && !satisfies(v)
			}},
		{Code: "not-limited", Message: "The engagement is for a limited data set, and the role's profile leaves direct identifiers in (45 CFR 164.514(e)(2))", NextStep: "Give the grant a role with a profile for a limited data set or a stricter one, or agree on another class of data", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				return v.Word("data_class") == string(hipaa.LimitedDataSet) && wordKnown(v, "basis") && !satisfies(v)
			}},
		{Code: "no-determination", Message: "The role's profile rests on an expert's determination, and none is on record for this engagement (45 CFR 164.514(b)(1))", NextStep: "Have an expert look at the profile and at this recipient, and record what they found (determination record)", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool { return state == "none" })},
		{Code: "not-approved", Message: "The expert's determination is recorded, and nobody else has approved it", NextStep: "Have a second person read the methods and results and approve it (determination approve)", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool {
				return state == string(snapshot.Proposed) || state == "other"
			})},
		{Code: "same-person", Message: "The expert's determination was approved by the person who recorded it, or by nobody", NextStep: "Record it again, and have another person approve it (determination approve)", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool {
				return state == string(snapshot.Approved) && !v.Is("two_people")
			})},
		{Code: "revoked", Message: "The expert's determination was revoked", NextStep: "Have an expert look again, and record what they found (determination record)", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool { return state == string(snapshot.Ended) })},
		{Code: "profile-changed", Message: "The expert looked at another version of the profile than the one in use", NextStep: "Put back the profile that was looked at, or have an expert look at this one and record it (determination record)", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool { return state != "none" && !v.Is("same_profile") })},
		{Code: "not-yet", Message: "The expert's determination is of a later date", NextStep: "Wait until its date, or have its date corrected by recording it again", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool { return state != "none" && !v.Begun("determined_at") })},
		{Code: "expired", Message: "The expert's determination is no longer valid", NextStep: "Have an expert look again, and record the new determination (determination record)", Who: policy.ByOrganisation,
			Fails: determination(func(v policy.Values, state string) bool { return state != "none" && v.Ended("valid_until") })},
	},
}

// determinationFor is the determination about this engagement and profile with
// the fewest faults, and of those the latest; an empty one if there is none.
func determinationFor(c *policy.Case, f *policy.Facts, p snapshot.Profile) *snapshot.Determination {
	best, fewest := &snapshot.Determination{}, 0
	if c.EngagementRecord == nil {
		return best
	}
	for _, d := range c.View.DeterminationsOf(c.EngagementRecord.ID) { // oldest first
		if d.Profile != p.Name {
			continue
		}
		faults := 0
		for _, ok := range []bool{approved(f, d.Approval), sameProfile(d, p), f.Passed(d.DeterminedAt), !d.ValidUntil.IsZero() && !f.Passed(d.ValidUntil)} {
			if !ok {
				faults++
			}
		}
		if best.ID == "" || faults <= fewest {
			best, fewest = d, faults
		}
	}
	return best
}

func sameProfile(d *snapshot.Determination, p snapshot.Profile) bool {
	return isDigest(p.SHA256) && strings.EqualFold(d.Profile256, p.SHA256)
}

func wordKnown(v policy.Values, name string) bool {
	w := v.Word(name)
	return w != "" && w != "none" && w != "other"
}

// satisfies says again, for the explanation, what the policy says of basis and
// class.
func satisfies(v policy.Values) bool {
	switch basis := v.Word("basis"); v.Word("data_class") {
	case string(hipaa.DeIdentified):
		return basis == snapshot.BasisSafeHarbor || basis == snapshot.BasisExpertDetermination
	case string(hipaa.LimitedDataSet):
		return basis == snapshot.BasisSafeHarbor || basis == snapshot.BasisExpertDetermination || basis == snapshot.BasisLimitedDataSet
	}
	return v.Word("data_class") == string(hipaa.PHI)
}

// determination is a reason that only a profile with an expert's determination
// can have.
func determination(fails func(v policy.Values, state string) bool) func(policy.Values) bool {
	return func(v policy.Values) bool {
		return v.Word("basis") == snapshot.BasisExpertDetermination && fails(v, v.Word("determination"))
	}
}
