package gate

import (
	_ "embed" // the policy
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed grant.cedar
var grantCedar string

var grant = policy.Gate{
	ID:       "grant",
	Title:    "The grant is approved, in its dates, and is this application's",
	Policy:   grantCedar,
	Cites:    []string{"S-308-a-4-ii-B", "S-312-a-1", "P-514-d-2-i"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		g := c.GrantRecord
		if g == nil {
			unknown(f)
			f.Bool("of_app", false)
			f.Bool("of_engagement", false)
			f.Bool("base", false)
			f.Start("starts_at", time.Time{})
			f.End("ends_at", time.Time{})
			return
		}
		standing(f, g.Approval)
		if g.State == snapshot.Ended {
			f.NoteWord("over", endedGrant(g))
		}
		f.Bool("of_app", g.App != "" && g.App == c.App)
		f.Bool("of_engagement", c.EngagementRecord != nil)
		f.Bool("base", baseStands(c, f))
		f.Start("starts_at", g.StartsAt)
		f.End("ends_at", g.EndsAt)
	},
	Reasons: append(standingReasons("grant", "approve the grant (grant approve)"),
		policy.Reason{Code: "given-back", Message: "The person whose grant it was gave it back", NextStep: "Ask for access anew, if the work still needs it", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("over") == "given-back" }},
		policy.Reason{Code: "taken-away", Message: "The grant was ended before its time, for good", NextStep: "Ask for access anew, if the work still needs it", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("over") == "taken-away" }},
		policy.Reason{Code: "other-app", Message: "The grant is for another application", NextStep: "Ask with the application that the grant names", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_app") }},
		policy.Reason{Code: "no-engagement", Message: "The grant's engagement does not exist", NextStep: "Propose the engagement, and a grant on it", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_engagement") }},
		policy.Reason{Code: "not-started", Message: "The grant is not yet active", NextStep: "Wait until it begins, or ask for other dates", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Begun("starts_at") }},
		policy.Reason{Code: "ended", Message: "The grant has ended", NextStep: "Ask for a new grant", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && v.Ended("ends_at") }},
		policy.Reason{Code: "base-ended", Message: "The grant that this one elevates is not in force, or is another's", NextStep: "Ask for a new grant; an elevation stands on one", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("base") }},
	),
}

// endedGrant says how a grant that is over came to its end: nobody can approve it any more.
func endedGrant(g *snapshot.Grant) string {
	if g.EndedBy != "" && g.EndedBy == g.Person {
		return "given-back"
	}
	return "taken-away"
}

// baseStands reports whether the grant that this one elevates, if it does, is in
// force and of the same person, application and engagement. That the decision is
// made under an elevation, and for which work, is noted on it.
func baseStands(c *policy.Case, f *policy.Facts) bool {
	g := c.GrantRecord
	if g.Elevates == "" {
		return true
	}
	f.NoteWord("elevates", string(g.Elevates))
	f.NoteWord("ticket", g.Ticket)
	f.NoteWord("elevated_until", g.EndsAt.UTC().Format(time.RFC3339))
	base, ok := c.View.Grants.Get(g.Elevates)
	return ok && g.Ticket != "" && approved(f, base.Approval) && base.Elevates == "" &&
		base.App == g.App && base.Person == g.Person && base.Engagement == g.Engagement &&
		f.Passed(base.StartsAt) && !base.EndsAt.IsZero() && !f.Passed(base.EndsAt)
}
