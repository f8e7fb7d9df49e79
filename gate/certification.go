package gate

import (
	_ "embed" // the policy
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed certification.cedar
var certificationCedar string

// Which of a vendor's reports count is the organisation's choice (policy); no
// seal proves compliance, and HHS recognises no private HIPAA certification.
var certification = policy.Gate{
	ID:       "certification",
	Title:    "Every certification that is required of the vendor is verified and unexpired",
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
						best = max(best, readCertification(f, x))
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
		{Code: "absent", Detail: "absent_type", Message: "A required certification was never recorded", NextStep: "Send the report or certificate to the organisation", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("absent") > 0 }},
		{Code: "never-counts", Detail: "never_counts_type", Message: "A required certification is of a type that never counts: a HIPAA seal or a SOC 3 summary", NextStep: "Require a type that can be verified instead", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("never_counts") > 0 }},
		{Code: "unverified", Detail: "unverified_type", Message: "A required certification was recorded but nobody else has verified it", NextStep: "Verify it at its issuer, by someone other than who recorded it (certification verify)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("unverified") > 0 }},
		{Code: "expired", Detail: "expired_type", Message: "A required certification has expired or was revoked", NextStep: "Send the renewed report or certificate to the organisation", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Number("expired") > 0 }},
	},
}

// certState is how far a certification has come; more is better.
type certState int

const (
	certAbsent certState = iota
	certNeverCounts
	certUnverified
	certExpired
	certGood
)

// certStates names them, as notes.
var certStates = [...]string{"absent", "never_counts", "unverified", "expired"}

// readCertification judges one report. Unverified counts as absent, whoever
// says otherwise: a person other than the recorder must have looked, and how.
func readCertification(f *policy.Facts, x *snapshot.Certification) certState {
	until, counts := certificationUntil(x)
	switch {
	case !counts:
		return certNeverCounts
	case x.VerifiedBy == "" || x.VerifiedBy == x.RecordedBy || x.RecordedBy == "" || x.VerifiedHow == "" || !f.Passed(x.VerifiedAt):
		return certUnverified
	case until.IsZero() || f.Passed(until) || f.Passed(x.RevokedAt):
		return certExpired
	}
	return certGood
}

// certificationUntil is when a report stops to count: its own date, and no
// later than its type's rule in hipaa.CertificationTypes allows, where that rule
// is a date. The numbers of months are custom, not law.
func certificationUntil(x *snapshot.Certification) (until time.Time, counts bool) {
	rule, ok := certificationRules[x.Type]
	if !ok || rule.months == 0 {
		return time.Time{}, false
	}
	var from time.Time
	switch rule.from {
	case fromPeriodEnd:
		// SOC 2 Type 2: a period of three months at the least.
		if x.PeriodStart.IsZero() || x.PeriodEnd.Before(x.PeriodStart.AddDate(0, 3, 0).Add(-24*time.Hour)) {
			return time.Time{}, true
		}
		from = x.PeriodEnd
	case fromIssue:
		from = x.IssuedAt
	}
	if from.IsZero() {
		return time.Time{}, true
	}
	until = from.AddDate(0, rule.months, 0)
	if !x.ExpiresAt.IsZero() && x.ExpiresAt.Before(until) {
		until = x.ExpiresAt
	}
	return until, true
}

type certificationRule struct {
	from   certificationDate
	months int // 0: never counts
}

type certificationDate int

const (
	fromIssue certificationDate = iota
	fromPeriodEnd
)

// certificationRules are the valid_rule of each type that is a date. A type
// that is not here never counts: HIPAA_SEAL and SOC3 by their rule, TRAINING
// because people's training is a gate of its own.
var certificationRules = map[string]certificationRule{
	"SOC2_T2":      {fromPeriodEnd, 12},
	"SOC2_T1":      {fromIssue, 12},
	"ISO27001":     {fromIssue, 36},
	"ISO27701":     {fromIssue, 36},
	"ISO42001":     {fromIssue, 36},
	"HITRUST_R2":   {fromIssue, 24},
	"HITRUST_I1":   {fromIssue, 12},
	"HITRUST_E1":   {fromIssue, 12},
	"HITRUST_AI":   {fromIssue, 12},
	"FEDRAMP":      {fromIssue, 12},
	"PENTEST":      {fromIssue, 12},
	"VULNSCAN":     {fromIssue, 3},
	"RISKANALYSIS": {fromIssue, 12},
	"INSURANCE":    {fromIssue, 12},
	"PCI_AOC":      {fromIssue, 12},
	"NAID_AAA":     {fromIssue, 12},
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
