package gate

import (
	_ "embed" // the policy
	"slices"
	"strings"

	"github.com/sallyport/sallyport/policy"
)

//go:embed region.cedar
var regionCedar string

// HIPAA sets no region; contracts and some States do. Here silence is no: an
// agreement must say where the data may be. A region covers its parts ("US"
// covers "US-MA"), and every agreement in force that names regions must allow.
var region = policy.Gate{
	ID:       "region",
	Title:    "The data stays in the regions that the agreements allow",
	Policy:   regionCedar,
	Cites:    []string{"policy", "X-DOJ-202", "X-TX-STORE", "X-FL-STORE"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		var allow [][]string
		for _, a := range papersInForce(c, f) {
			if len(a.Regions) > 0 {
				allow = append(allow, a.Regions)
			}
		}
		within := func(regions ...string) bool {
			for _, r := range regions {
				for _, a := range allow {
					if !slices.ContainsFunc(a, func(x string) bool { return covers(x, r) }) {
						return false
					}
				}
			}
			return len(regions) > 0 && len(allow) > 0 && !slices.Contains(regions, "")
		}
		var device, person, source string
		if c.DeviceRecord != nil {
			device = c.DeviceRecord.Region
		}
		if c.Person != nil {
			person = c.Person.Region
		}
		if c.SourceRecord != nil {
			source = c.SourceRecord.Region
		}
		f.Bool("agreed", len(allow) > 0)
		f.Bool("processing", within(engagementOf(c).Regions...))
		f.Bool("device", within(device))
		f.Bool("person", within(person))
		f.Bool("source", within(source))
	},
	Reasons: []policy.Reason{
		{Code: "not-agreed", Message: "No agreement in force says in which regions the data may be", NextStep: "Put the allowed regions into the agreement (policy: silence is no)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("agreed") }},
		{Code: "processing", Message: "The engagement declares processing outside the agreed regions, or none", NextStep: "Declare regions within the agreement, or amend the agreement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("agreed") && !v.Is("processing") }},
		{Code: "device", Message: "The device's region is not known or lies outside the agreed regions", NextStep: "Use a device in an agreed region and have its region recorded", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("agreed") && !v.Is("device") }},
		{Code: "person", Message: "The region of the person behind the grant is not known or lies outside the agreed regions", NextStep: "Name a person in an agreed region and have the region recorded", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("agreed") && !v.Is("person") }},
		{Code: "source", Message: "The source's region is not known or lies outside the agreed regions", NextStep: "Give the source its region in the settings, or amend the agreement", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Is("agreed") && !v.Is("source") }},
	},
}

func covers(allowed, region string) bool {
	return region != "" && allowed != "" && (region == allowed || strings.HasPrefix(region, allowed+"-"))
}
