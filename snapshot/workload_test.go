package snapshot

import (
	"net/netip"
	"testing"
)

func TestRegionOfAddress(t *testing.T) {
	p := netip.MustParsePrefix
	s := Settings{NetworkRegions: []NetworkRegion{
		{Region: "US", CIDRs: []netip.Prefix{p("198.51.100.0/24"), p("2001:db8::/32")}},
		{Region: "US-MA", CIDRs: []netip.Prefix{p("198.51.100.128/25")}},
		{Region: "DE", CIDRs: []netip.Prefix{p("203.0.113.0/24"), p("2001:db8:1::/48")}},
	}}
	for addr, want := range map[string]string{
		"198.51.100.1": "US", "198.51.100.200": "US-MA", "203.0.113.7": "DE", "192.0.2.1": "",
		"::ffff:198.51.100.200": "US-MA", // an IPv4 address on an IPv6 socket
		"2001:db8::1":           "US", "2001:db8:1::1": "DE", "2001:db9::1": "", "fe80::1%eth0": "",
	} {
		if got := s.RegionOfAddress(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	if got := s.RegionOfAddress(netip.Addr{}); got != "" {
		t.Errorf("no address: got %q", got)
	}
	if got := (Settings{}).RegionOfAddress(netip.MustParseAddr("198.51.100.1")); got != "" {
		t.Errorf("no table: got %q", got)
	}
	// A range of everything says so of IPv4 or of IPv6, never of what is no address.
	all := Settings{NetworkRegions: []NetworkRegion{{Region: "US", CIDRs: []netip.Prefix{p("0.0.0.0/0")}}}}
	if got := all.RegionOfAddress(netip.Addr{}); got != "" {
		t.Errorf("no address in all of IPv4: got %q", got)
	}
}

func TestADeviceIsKnownByOneNameAlone(t *testing.T) {
	e := new(View).Edit()
	e.Put(&Device{ID: "key", Key256: "k"})
	e.Put(&Device{ID: "id", SPIFFE: "spiffe://d/a"})
	e.Put(&Device{ID: "both", Key256: "kb", SPIFFE: "spiffe://d/b"})
	e.Put(&Device{ID: "neither"})
	e.Put(&Device{ID: "old", SPIFFE: "spiffe://d/c", Approval: Approval{State: Ended}})
	e.Put(&Device{ID: "renewed", SPIFFE: "spiffe://d/c", Approval: Approval{State: Approved}})
	e.Put(&Device{ID: "zz-older", SPIFFE: "spiffe://d/c", Approval: Approval{State: Ended}})
	v := e.Publish(1, 1, now)
	for k, want := range map[KeyDigest]bool{"k": true, "kb": false, "": false} {
		if _, ok := v.DeviceByKey(k); ok != want {
			t.Errorf("by key %q: got %v, want %v", k, ok, want)
		}
	}
	for s, want := range map[string]bool{"spiffe://d/a": true, "spiffe://d/b": false, "": false, "spiffe://d/": false} {
		if _, ok := v.DeviceBySPIFFE(s); ok != want {
			t.Errorf("by id %q: got %v, want %v", s, ok, want)
		}
	}
	if d, ok := v.DeviceBySPIFFE("spiffe://d/c"); !ok || d.ID != "renewed" {
		t.Errorf("a workload that was registered anew: got %+v", d)
	}
}

func TestTrustDomains(t *testing.T) {
	for spiffe, want := range map[string]string{"spiffe://a.example/x/y": "a.example", "spiffe://a.example": "a.example", "spiffe:///x": "", "https://a.example/x": "", "": ""} {
		if got := TrustDomainOf(spiffe); got != want {
			t.Errorf("%q: got %q, want %q", spiffe, got, want)
		}
	}
	s := Settings{TrustDomains: []TrustDomain{{Name: "a.example", Vendor: "a"}, {Name: "b.example"}, {Vendor: "c"}}}
	if v, ok := s.VendorOfTrustDomain("a.example"); !ok || v != "a" {
		t.Errorf("got %q, %v", v, ok)
	}
	for _, d := range []string{"", "b.example", "c.example", "A.example"} {
		if v, ok := s.VendorOfTrustDomain(d); ok {
			t.Errorf("%q is of vendor %q", d, v)
		}
	}
}

func TestDemandsAndScreenings(t *testing.T) {
	var none *WorkloadDemand
	if none.Digest() != "" {
		t.Error("no demand has a digest")
	}
	a := &WorkloadDemand{Kind: DemandImage, Keys: []string{"k"}}
	b := &WorkloadDemand{Kind: DemandImage, Keys: []string{"k2"}}
	if a.Digest() == b.Digest() || len(a.Digest()) != 64 {
		t.Errorf("two demands have one digest: %q %q", a.Digest(), b.Digest())
	}
	done := Screening{Ownership: No, Access: No, By: "sam", At: now}
	if (Screening{}).Clear() || !done.Clear() || (Screening{Ownership: No, Access: No}).Clear() || (Screening{Ownership: No, By: "sam", At: now}).Clear() {
		t.Error("a screening is clear where somebody said no twice, and only there")
	}
	for region, want := range map[string]bool{"RU": true, "CN-BJ": true, "HK": true, "US": false, "US-CN": false, "": false, "CNX": false} {
		if OfConcern(region) != want {
			t.Errorf("%q: got %v", region, !want)
		}
	}
}
