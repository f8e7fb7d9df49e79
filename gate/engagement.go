package gate

import (
	_ "embed" // the policy
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
)

//go:embed engagement.cedar
var engagementCedar string

var engagement = policy.Gate{
	ID:       "engagement",
	Title:    "The engagement is approved, in its dates, and covers the source",
	Policy:   engagementCedar,
	Cites:    []string{"policy", "P-514-d-3-ii"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e := c.EngagementRecord
		if e == nil {
			unknown(f)
			f.Bool("of_vendor", false)
			f.Start("starts_at", time.Time{})
			f.End("ends_at", time.Time{})
			f.Bool("source_listed", false)
			f.Bool("source_may_release", false)
			policy.Word(f, "data_class", hipaa.DataClass(""))
			return
		}
		standing(f, e.Approval)
		f.Bool("of_vendor", e.Vendor != "" && e.Vendor == c.Vendor)
		f.Start("starts_at", e.StartsAt)
		f.End("ends_at", e.EndsAt)
		f.Bool("source_listed", c.Source != "" && slices.Contains(e.Sources, c.Source))
		f.Bool("source_may_release", c.SourceRecord != nil && slices.Contains(c.SourceRecord.Classes, e.DataClass))
		policy.Word(f, "data_class", e.DataClass, hipaa.DataClasses...)
	},
	Reasons: append(standingReasons("engagement", "approve the engagement (engagement approve)"),
		policy.Reason{Code: "other-vendor", Message: "The engagement is with another vendor", NextStep: "Use a grant on an engagement of this vendor", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_vendor") }},
		policy.Reason{Code: "not-started", Message: "The engagement has not begun", NextStep: "Wait until it begins, or have its dates changed", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Begun("starts_at") }},
		policy.Reason{Code: "ended", Message: "The engagement has ended", NextStep: "Propose a new engagement, or have its dates changed", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && v.Ended("ends_at") }},
		policy.Reason{Code: "source-not-listed", Message: "The engagement does not cover this source", NextStep: "Ask at a source that the engagement names, or have it added", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("source_listed") }},
		policy.Reason{Code: "source-class", Message: "The source is not known, or may not release this class of data", NextStep: "Give the source the class of data in the settings, or change the engagement's", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("data_class")
				return v.Word("state") != "unknown" && (!v.Is("source_may_release") || w == "none" || w == "other")
			}},
	),
}
