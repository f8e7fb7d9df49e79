package gate

import (
	_ "embed" // the policy
	"slices"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed region.cedar
var regionCedar string

// HIPAA sets no region; contracts and some States do. Here silence is no: an
// agreement must say where the data may be. Where the vendor says it is, is
// declared; where its address is, the organisation's table of networks says, if it
// has one, and neither is proof of where the data is processed. A region covers its parts ("US"
// covers "US-MA"), and every agreement in force that names regions must allow.
var region = policy.Gate{
	ID:       "region",
	Title:    "The data stays in the regions that the agreements allow",
	Policy:   regionCedar,
	Cites:    []string{"policy", "X-DOJ-202", "X-TX-STORE", "X-FL-STORE"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		e := engagementOf(c)
		allow := map[string][][]string{}
		for _, a := range papersInForce(c, f) {
			for _, part := range []string{storage, processing, remoteAccess, support} {
				allow[part] = append(allow[part], agreement.Regions(a, part)...)
			}
		}
		// Where people are is remote access; for support it is support, too.
		atScreens := []string{remoteAccess}
		if e.Purpose == hipaa.Support || e.Purpose == hipaa.Debug {
			atScreens = append(atScreens, support)
		}
		within := func(parts []string, regions ...string) bool {
			for _, part := range parts {
				for _, r := range regions {
					for _, a := range allow[part] {
						if !slices.ContainsFunc(a, func(x string) bool { return covers(x, r) }) {
							return false
						}
					}
				}
			}
			return len(regions) > 0 && len(allow[parts[0]]) > 0 && !slices.Contains(regions, "")
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
		f.Bool("agreed", len(allow[processing]) > 0)
		f.Bool("processing", within([]string{storage, processing}, e.Regions...))
		f.Bool("device", within(atScreens, device))
		f.Bool("person", within(atScreens, person))
		f.Bool("source", within([]string{storage}, source))
		// The table is the organisation's own; where there is none, regions are
		// declared only, and the record says so.
		s := c.View.Settings
		var ours []string
		for _, n := range s.NetworkRegions {
			if within(atScreens, n.Region) {
				ours = append(ours, n.Region)
			}
		}
		switch {
		case s.RequireNetworkRegion:
		case len(s.NetworkRegions) == 0:
			ours = []string{noTable}
		default:
			ours = append(ours, elsewhere)
		}
		f.Words("networks", ours)
	},
	Asked: func(c *policy.Case, r *policy.Request, _ policy.Stage, f *policy.Facts) {
		s, network := c.View.Settings, elsewhere
		if len(s.NetworkRegions) == 0 && !s.RequireNetworkRegion {
			network = noTable
		} else if slices.ContainsFunc(s.NetworkRegions, func(n snapshot.NetworkRegion) bool { return n.Region == r.Region && r.Region != "" }) {
			network = r.Region
		}
		f.Words("network", []string{network})
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
		{Code: "network", Message: "The request comes from an address outside the agreed regions", NextStep: "Connect from a network in an agreed region", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool {
				w := v.Word("network")
				return w != elsewhere && !v.Has("networks", w)
			}},
		{Code: "network-unknown", Message: "The request comes from an address that is in no region of the organisation's table", NextStep: "Connect from a network that the organisation knows, or have it add the range (regions in the configuration)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("network") == elsewhere && !v.Has("networks", elsewhere) }},
	},
}

// What an agreement can bind apart (BAA-R10).
const (
	storage      = "storage"
	processing   = "processing"
	remoteAccess = "remote_access"
	support      = "support"
)

// Words beside the regions of the table.
const (
	elsewhere = "elsewhere" // no range holds the address
	noTable   = "no-table"  // there is no table to ask
)

func covers(allowed, region string) bool {
	return region != "" && allowed != "" && (region == allowed || strings.HasPrefix(region, allowed+"-"))
}
