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
		f.Bool("patients_set", c.GrantRecord != nil && c.GrantRecord.MaxPatients > 0)
		f.Bool("bytes_set", c.GrantRecord != nil && c.GrantRecord.MaxDailyBytes > 0)
	},
	Asked: func(c *policy.Case, q *policy.Request, _ policy.Stage, f *policy.Facts) {
		var maxPatients, maxBytes int64
		if c.GrantRecord != nil {
			maxPatients, maxBytes = int64(c.GrantRecord.MaxPatients), c.GrantRecord.MaxDailyBytes
		}
		// A negative count is a broken counter, and counts as none. The rest is
		// written as what is left so that it cannot overflow.
		u, n := q.Usage, q.Content
		f.Bool("known", u.Known && u.Patients >= 0 && u.BytesToday >= 0 && n.NewPatients >= 0 && n.Bytes >= 0)
		f.Bool("patients_within", int64(n.NewPatients) <= maxPatients-int64(max(0, u.Patients)))
		f.Bool("day_open", u.BytesToday < maxBytes)
		f.Bool("bytes_within", n.Bytes <= maxBytes-max(0, u.BytesToday))
		f.Note("patients", int64(u.Patients))
		f.Note("new_patients", int64(n.NewPatients))
		f.Note("bytes_today", u.BytesToday)
		f.Note("bytes", n.Bytes)
	},
	Reasons: []policy.Reason{
		{Code: "unknown", Message: "What the grant has released so far is not known", NextStep: "Ask again in a moment; if it goes on, tell the operator that the counters are not loaded", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("known") }},
		{Code: "patients", Message: "The grant has released, or would have, more patients than it allows", NextStep: "Ask for a grant with a higher number of patients, and say why", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("patients_set") || !v.Is("patients_within") }},
		{Code: "bytes", Message: "The grant has released, or would have, more bytes today than it allows", NextStep: "Ask again tomorrow (UTC), or ask for a grant with a higher daily volume", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				return !v.Is("bytes_set") || !v.Is("day_open") || !v.Is("bytes_within")
			}},
	},
}
