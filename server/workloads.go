package server

import (
	"fmt"
	"net/netip"
	"regexp"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// regionCode is an ISO 3166 country or subdivision.
var regionCode = regexp.MustCompile(`^[A-Z]{2}(-[A-Z0-9]{1,3})?$`)

// maxRanges bounds the table of networks: each request looks through it.
const maxRanges = 4096

// checkWorkloads checks who the workloads are and where addresses lie. The
// bundles are read when the server opens.
func (c *Config) checkWorkloads() error {
	domains := map[string]bool{}
	for i, d := range c.SPIFFE {
		at := fmt.Sprintf("spiffe[%d]", i)
		switch {
		case d.Name == "":
			return problem.BadField(at+".trust_domain", "is empty", "Write the trust domain as in the ids, without spiffe://")
		case domains[d.Name]:
			return problem.BadField(at+".trust_domain", "stands there twice", "A trust domain belongs to one vendor; keep one entry")
		case id.Check(d.Vendor) != nil:
			return problem.BadField(at+".vendor", "is not a vendor's id", "Name the vendor whose domain it is")
		case d.BundleFile == "":
			return problem.BadField(at+".bundle_file", "is empty", "Name a PEM file with the domain's X.509 authorities")
		}
		domains[d.Name] = true
	}
	ranges := map[netip.Prefix]bool{}
	for i, n := range c.Regions {
		at := fmt.Sprintf("regions[%d]", i)
		if !regionCode.MatchString(n.Region) {
			return problem.BadField(at+".region", "is not a region", "Use an ISO 3166 code such as US or US-MA")
		}
		if len(n.CIDRs) == 0 {
			return problem.BadField(at+".cidrs", "is empty", "List the ranges, such as 198.51.100.0/24")
		}
		for j, text := range n.CIDRs {
			p, err := netip.ParsePrefix(text)
			field := fmt.Sprintf("%s.cidrs[%d]", at, j)
			switch {
			case err != nil || p != p.Masked() || p.Addr().Is4In6():
				return problem.BadField(field, "is not a range of addresses", "Write it with its network address, such as 198.51.100.0/24 or 2001:db8::/32")
			case ranges[p]:
				return problem.BadField(field, "stands there twice", "A range is in one region")
			case len(ranges) >= maxRanges:
				return problem.BadField("regions", "has too many ranges", fmt.Sprintf("Keep at most %d", maxRanges))
			}
			ranges[p] = true
		}
	}
	if c.Policy.RequireNetworkRegion && len(ranges) == 0 {
		return problem.BadField("policy.require_network_region", "is set, and no network is in any region: everybody would be refused", "Fill in regions, or leave it out")
	}
	return nil
}

// settings is a row of the table for the policy; check has parsed it.
func (n Network) settings() snapshot.NetworkRegion {
	out := snapshot.NetworkRegion{Region: n.Region}
	for _, text := range n.CIDRs {
		if p, err := netip.ParsePrefix(text); err == nil {
			out.CIDRs = append(out.CIDRs, p)
		}
	}
	return out
}

// trustDomains reads the bundles of the vendors' trust domains; nil without any.
func (s *Server) trustDomains() (*identity.TrustDomains, error) {
	if len(s.config.SPIFFE) == 0 {
		return nil, nil
	}
	var list []identity.TrustDomainConfig
	for _, d := range s.config.SPIFFE {
		list = append(list, identity.TrustDomainConfig{Name: d.Name, Vendor: d.Vendor, BundleFile: s.config.path(d.BundleFile)})
	}
	return identity.OpenTrustDomains(list)
}
