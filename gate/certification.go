package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed certification.cedar
var certificationCedar string

// Which of a vendor's reports count is the organisation's choice (policy); no
// seal proves compliance, and HHS recognises no private HIPAA certification.
var certification = policy.Gate{
	ID:       "certification",
	Title:    "Every certification that is required of the vendor is verified and counts by the rule of its type",
	Policy:   certificationCedar,
	Cites:    []string{"policy", "S-308-b-1"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		var lacking int64
		found := map[certState]int64{}
		if c.VendorRecord != nil {
			for _, kind := range c.VendorRecord.RequiredCertifications {
				best := certAbsent
				for _, x := range c.View.CertificationsOf(c.Vendor) {
					if x.Type == kind {
						best = max(best, readCertification(c, f, x))
					}
				}
				if best != certGood {
					lacking++
					found[best]++
					f.NoteWord(certStates[best]+"_type", certificationType(kind))
				}
			}
		}
		f.Bool("vendor_known", c.VendorRecord != nil)
		f.Number("lacking", lacking)
		for state, name := range certStates {
			f.Note(name, found[certState(state)])
		}
	},
	Reasons: []policy.Reason{
		{Code: "vendor-unknown", Message: "The vendor is not registered, so nothing says which certifications it needs", NextStep: "Register the vendor", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return !v.Is("vendor_known") }},
		{Code: "absent", Detail: "absent_type", Message: "A required certification is not on record", NextStep: "Send the report or certificate: Papers, Certificates in the console", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("absent") > 0 }},
		{Code: "never-counts", Detail: "never_counts_type", Message: "A required certification is of a type that never counts: a HIPAA seal or a SOC 3 summary", NextStep: "Require a type that can be verified instead", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("never_counts") > 0 }},
		{Code: "unverified", Detail: "unverified_type", Message: "A required certification was sent or recorded, and nobody else has verified it", NextStep: "Verify it at its issuer, by someone other than who recorded it (certification verify)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("unverified") > 0 }},
		{Code: "incomplete", Detail: "incomplete_type", Message: "A required certification lacks something that its type must say", NextStep: "See what is missing (certification judge), and record it anew from the report (certification record)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("incomplete") > 0 }},
		{Code: "weak", Detail: "weak_type", Message: "A required certification does not count by the rule of its type: its opinion, period, carve-outs, surveillance, findings or cover", NextStep: "See why on its page (certification judge), and send one that counts: Papers, Certificates in the console", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("weak") > 0 }},
		{Code: "expired", Detail: "expired_type", Message: "A required certification has expired, was revoked or was not accepted", NextStep: "Send the renewed report or certificate: Papers, Certificates in the console", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("expired") > 0 }},
	},
}

// certState is how far a certification has come; more is better.
type certState int

const (
	certAbsent certState = iota
	certNeverCounts
	certIncomplete
	certWeak
	certExpired
	certUnverified // one that waits to be looked at, beside one that is over: that is what is to do
	certGood
)

// certStates names them, as notes.
var certStates = [...]string{"absent", "never_counts", "incomplete", "weak", "expired", "unverified"}

// readCertification judges one report by its type's rule (package diligence).
// Unverified counts as absent, whoever says otherwise.
func readCertification(c *policy.Case, f *policy.Facts, x *snapshot.Certification) certState {
	j := diligence.Judge(x, c.View, f.Now())
	f.Passed(j.Since)
	f.Passed(j.Change)
	switch {
	case j.Counts:
		return certGood
	case j.Why(diligence.NeverCounts), j.Why(diligence.UnknownType):
		return certNeverCounts
	case j.Why(diligence.FieldMissing): // to verify it would be in vain
		return certIncomplete
	case j.Why(diligence.Expired), j.Why(diligence.Revoked): // nor would this help
		return certExpired
	case j.Why(diligence.Unverified):
		return certUnverified
	}
	return certWeak
}

// certificationType is the type if it is one of the catalogue's, so that no
// free text reaches an explanation.
func certificationType(kind string) string {
	for _, t := range certificationTypes() {
		if t == kind {
			return kind
		}
	}
	return "other"
}
