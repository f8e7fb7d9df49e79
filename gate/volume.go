package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
)

//go:embed volume.cedar
var volumeCedar string

var volume = policy.Gate{
	ID:       "volume",
	Title:    "The day's bytes and the grant's patients stay within the grant",
	Policy:   volumeCedar,
	Cites:    []string{"policy", "P-514-d-3-i"},
	Audience: policy.VendorToo,
	Stage:    policy.AtContent,
	Known: func(c *policy.Case, f *policy.Facts) {
		var patients, bytes int64
		if c.GrantRecord != nil {
			patients, bytes = int64(c.GrantRecord.MaxPatients), c.GrantRecord.MaxDailyBytes
		}
		f.Number("max_patients", patients)
		f.Number("max_daily_bytes", bytes)
	},
	Asked: func(_ *policy.Case, q *policy.Request, _ policy.Stage, f *policy.Facts) {
		// A negative count is a broken counter, and counts as none.
		u, n := q.Usage, q.Content
		f.Bool("known", u.Known && u.Patients >= 0 && u.BytesToday >= 0 && n.NewPatients >= 0 && n.Bytes >= 0)
		f.Number("patients", int64(u.Patients))
		f.Number("new_patients", int64(n.NewPatients))
		f.Number("bytes_today", u.BytesToday)
		f.Number("bytes", n.Bytes)
	},
	Reasons: []policy.Reason{
		{Code: "unknown", Message: "What the grant has released so far is not known", NextStep: "Ask again in a moment; if it goes on, tell the operator that the counters are not loaded", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("known") }},
		{Code: "patients", Message: "The grant has released, or would have, more patients than it allows", NextStep: "Ask for a grant with a higher number of patients, and say why", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				return v.Number("max_patients") <= 0 || v.Number("new_patients") > v.Number("max_patients")-v.Number("patients")
			}},
		{Code: "bytes", Message: "The grant has released, or would have, more bytes today than it allows", NextStep: "Ask again tomorrow (UTC), or ask for a grant with a higher daily volume", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				left := v.Number("max_daily_bytes") - v.Number("bytes_today")
				return left <= 0 || v.Number("bytes") > left
			}},
	},
}
