package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
)

// TrustDomain is a SPIFFE trust domain that the node knows, and the one vendor
// whose workloads it names.
type TrustDomain struct {
	Name   string    `json:"name"` // "prod.northwind.example"
	Vendor id.Vendor `json:"vendor"`
}

// TrustDomainOf is the trust domain in a SPIFFE id; empty if it has none.
func TrustDomainOf(spiffe string) string {
	rest, ok := strings.CutPrefix(spiffe, "spiffe://")
	if !ok {
		return ""
	}
	domain, _, _ := strings.Cut(rest, "/")
	return domain
}

// VendorOfTrustDomain finds whose a trust domain is. No domain is called "".
func (s Settings) VendorOfTrustDomain(domain string) (id.Vendor, bool) {
	for _, d := range s.TrustDomains {
		if d.Name == domain && domain != "" && d.Vendor != "" {
			return d.Vendor, true
		}
	}
	return "", false
}

// NetworkRegion says which addresses are in a region, by the organisation's own
// table.
type NetworkRegion struct {
	Region string         `json:"region"` // ISO 3166: "US", "US-MA"
	CIDRs  []netip.Prefix `json:"cidrs"`
}

// RegionOfAddress is the region of the narrowest range that holds the address;
// empty where none does.
func (s Settings) RegionOfAddress(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	region, bits := "", -1
	for _, n := range s.NetworkRegions {
		for _, p := range n.CIDRs {
			if p.Contains(a) && p.Bits() > bits {
				region, bits = n.Region, p.Bits()
			}
		}
	}
	return region
}

// WorkloadDemand is what an engagement demands of the program that a device
// runs: that the vendor's pinned key signed the container image, or provenance of
// it. Package provenance says how it is verified.
type WorkloadDemand struct {
	Kind DemandKind `json:"kind"`
	// Keys are the vendor's public keys, PEM "PUBLIC KEY", any one of which signs.
	Keys []string `json:"keys"`
	// Builders are the builder.id values that count, and Sources the https prefixes
	// under which the source must lie (empty: any); for slsa.
	Builders []string `json:"builders,omitempty"`
	Sources  []string `json:"sources,omitempty"`
	// Images are the SHA-256 digests that may run; empty: any that is signed.
	Images []string `json:"images,omitempty"`
}

// DemandKind is the kind of proof. The zero DemandKind is met by nothing.
type DemandKind string

// The kinds, those of package provenance.
const (
	DemandImage DemandKind = "image" // a signature over the image's digest, as cosign makes it
	DemandSLSA  DemandKind = "slsa"  // SLSA provenance v1 in a DSSE envelope
)

// DemandKinds lists them.
var DemandKinds = []DemandKind{DemandImage, DemandSLSA}

// Digest names the demand, so that what was verified under another one no longer
// counts.
func (d *WorkloadDemand) Digest() string {
	raw, err := json.Marshal(d)
	if d == nil || err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Attestation is a verified statement about the image that a device is declared
// to run. The signature says what was built, by whose key; that this device runs
// it, and where, is DeclaredBy's word.
type Attestation struct {
	ID         id.Attestation `json:"id"`
	Device     id.Device      `json:"device"`
	Engagement id.Engagement  `json:"engagement"`
	// Demand256 is the Digest of the demand under which it was verified.
	Demand256    string     `json:"demand_sha256"`
	Kind         DemandKind `json:"kind"`
	Image256     string     `json:"image_sha256"`
	Statement256 string     `json:"statement_sha256"` // of the signed payload
	Key256       string     `json:"key_sha256"`       // of the SubjectPublicKeyInfo that signed it
	Builder      string     `json:"builder,omitempty"`
	Source       string     `json:"source,omitempty"`
	// Location is where the device was declared to be. LocationBy says how that is
	// known: "declared" is the only way there is.
	Location   string    `json:"location,omitempty"`
	LocationBy string    `json:"location_by"`
	DeclaredBy id.Person `json:"declared_by"` // a person, or "device.ID"
	At         time.Time `json:"at"`
	ExpiresAt  time.Time `json:"expires_at"` // policy
	RevokedAt  time.Time `json:"revoked_at,omitzero"`
}

// Declared is how a location is known: by somebody's word. Remote attestation
// (RFC 9334) is not verified anywhere here.
const Declared = "declared"

// Noun, Key and record make it a Record.
func (*Attestation) Noun() Noun    { return NounAttestation }
func (r *Attestation) Key() string { return string(r.ID) }
func (*Attestation) record()       {}

// Screening is what was found when a vendor was held against 28 CFR Part 202:
// whether a country of concern or covered persons own it, and whether covered
// persons would reach the data. The zero Screening is none.
type Screening struct {
	Ownership  Answer    `json:"ownership"` // owned at 50 % or more by a country of concern or covered persons
	Access     Answer    `json:"access"`    // covered persons among its employees, contractors or vendors would reach the data
	By         id.Person `json:"by"`
	At         time.Time `json:"at"`
	ValidUntil time.Time `json:"valid_until"` // policy
	Report     string    `json:"report_sha256,omitempty"`
}

// Answer is yes or no. The zero Answer is neither.
type Answer string

// The answers.
const (
	Yes Answer = "yes"
	No  Answer = "no"
)

// Answers lists both.
var Answers = []Answer{Yes, No}

// Done reports whether somebody screened the vendor.
func (s Screening) Done() bool { return s.By != "" && !s.At.IsZero() }

// Clear reports whether the screening found neither.
func (s Screening) Clear() bool { return s.Done() && s.Ownership == No && s.Access == No }

// countriesOfConcern are those of 28 CFR 202.601, as ISO 3166 codes: China with
// Hong Kong and Macau, Cuba, Iran, North Korea, Russia, Venezuela.
var countriesOfConcern = []string{"CN", "HK", "MO", "CU", "IR", "KP", "RU", "VE"}

// OfConcern reports whether a region ("RU", "CN-BJ") is in a country of concern.
func OfConcern(region string) bool {
	country, _, _ := strings.Cut(region, "-")
	for _, c := range countriesOfConcern {
		if c == country {
			return true
		}
	}
	return false
}
