package registry

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordCertification records a report or certificate of a vendor. Until
// another person has verified it, it counts as absent.
type RecordCertification struct {
	ID          id.Certification `json:"id,omitempty"` // made if left out
	Vendor      id.Vendor        `json:"vendor"`
	Type        string           `json:"type"` // of hipaa.CertificationTypes
	IssuedAt    time.Time        `json:"issued_at,omitzero"`
	PeriodStart time.Time        `json:"period_start,omitzero"`
	PeriodEnd   time.Time        `json:"period_end,omitzero"`
	ExpiresAt   time.Time        `json:"expires_at"`
	Document    string           `json:"document_sha256,omitempty"`
}

// validity is the rule of hipaa.CertificationType.ValidRule in code: how long
// after its date a certification can count. None of it is law.
type validity struct {
	from   string // "issued_at" or "period_end"
	years  int
	months int
	days   int
	period int // the least length of the period, in months
}

var validities = map[string]validity{
	"SOC2_T2":      {from: "period_end", months: 12, period: 3},
	"SOC2_T1":      {from: "issued_at", months: 12},
	"SOC3":         {from: "period_end", months: 12},
	"ISO27001":     {from: "issued_at", years: 3},
	"ISO27701":     {from: "issued_at", years: 3},
	"ISO42001":     {from: "issued_at", years: 3},
	"HITRUST_R2":   {from: "issued_at", years: 2},
	"HITRUST_I1":   {from: "issued_at", years: 1},
	"HITRUST_E1":   {from: "issued_at", years: 1},
	"HITRUST_AI":   {from: "issued_at", years: 2},
	"FEDRAMP":      {from: "issued_at", years: 1},
	"PENTEST":      {from: "period_end", months: 12},
	"VULNSCAN":     {from: "issued_at", days: 90},
	"RISKANALYSIS": {from: "issued_at", months: 12},
	"TRAINING":     {from: "issued_at", months: 12},
	"PCI_AOC":      {from: "issued_at", months: 12},
}

func (a RecordCertification) Subject() snapshot.Subject {
	return subject(snapshot.NounCertification, a.ID)
}

func (a RecordCertification) documents() []string { return []string{a.Document} }

func (a RecordCertification) check(v *snapshot.View, _ Actor, now time.Time) error {
	var types []string
	for _, t := range hipaa.CertificationTypes() {
		types = append(types, t.ID)
	}
	return first(freshOrNone("id", v.Certifications, a.ID),
		exists("vendor", v.Vendors, a.Vendor),
		oneOf("type", a.Type, types),
		setOrNone("issued_at", a.IssuedAt), past("issued_at", a.IssuedAt, now),
		setOrNone("period_start", a.PeriodStart), setOrNone("period_end", a.PeriodEnd),
		past("period_end", a.PeriodEnd, now),
		after("period_end", a.PeriodEnd, "period_start", a.PeriodStart),
		set("expires_at", a.ExpiresAt),
		after("expires_at", a.ExpiresAt, "issued_at", a.IssuedAt),
		a.checkValidity(),
		optionalDigest("document_sha256", a.Document))
}

func (a RecordCertification) checkValidity() error {
	rule, ok := validities[a.Type]
	if !ok {
		return nil
	}
	from := a.IssuedAt
	if rule.from == "period_end" {
		from = a.PeriodEnd
	}
	if from.IsZero() {
		return badField(rule.from, "is missing", "A "+a.Type+" counts from this date; copy it from the report")
	}
	if rule.period > 0 {
		if a.PeriodStart.IsZero() {
			return badField("period_start", "is missing", "Copy the period from the report")
		}
		if a.PeriodStart.AddDate(0, rule.period, 0).After(a.PeriodEnd.AddDate(0, 0, 1)) {
			return badField("period_end", fmt.Sprintf("is less than %d months after period_start", rule.period),
				"A shorter period does not count (policy)")
		}
	}
	if last := from.AddDate(rule.years, rule.months, rule.days); a.ExpiresAt.After(last) {
		return badField("expires_at", "is later than a "+a.Type+" can count",
			"Write "+last.UTC().Format(time.RFC3339)+" or earlier (policy: "+rule.from+" and a fixed time)")
	}
	return nil
}

func (a RecordCertification) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Certification{ID: cmp.Or(a.ID, id.Certification(s.ID)), Vendor: a.Vendor, Type: a.Type,
		IssuedAt: a.IssuedAt.UTC(), PeriodStart: a.PeriodStart.UTC(), PeriodEnd: a.PeriodEnd.UTC(),
		ExpiresAt: a.ExpiresAt.UTC(), Document: a.Document, RecordedBy: s.By})
}

// VerificationMethods lists how a certification can be verified.
var VerificationMethods = []string{"issuer-portal", "auditor-letter", "registry-lookup", "report-read"}

// VerifyCertification says that a person has verified the certification, and how.
type VerifyCertification struct {
	ID  id.Certification `json:"id"`
	How string           `json:"how"` // of VerificationMethods
}

func (a VerifyCertification) Subject() snapshot.Subject {
	return subject(snapshot.NounCertification, a.ID)
}

func (a VerifyCertification) apart(v *snapshot.View) []id.Person {
	if c, ok := v.Certifications.Get(a.ID); ok {
		return []id.Person{c.RecordedBy}
	}
	return nil
}

func (a VerifyCertification) check(v *snapshot.View, _ Actor, now time.Time) error {
	c, ok := v.Certifications.Get(a.ID)
	switch {
	case !ok:
		return found("id", v.Certifications, a.ID)
	case !c.RevokedAt.IsZero():
		return conflict("id", "The certification is revoked", "Record another")
	case !c.VerifiedAt.IsZero():
		return conflict("id", "The certification is verified already", "Nothing is left to do")
	case !c.ExpiresAt.After(now):
		return conflict("id", "The certification has expired", "Ask the vendor for the next, and record it")
	}
	return oneOf("how", a.How, VerificationMethods)
}

func (a VerifyCertification) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Certifications, a.ID, func(c *snapshot.Certification) {
		c.VerifiedBy, c.VerifiedAt, c.VerifiedHow = s.By, s.At, a.How
	})
}

// RevokeCertification says that a certification no longer counts.
type RevokeCertification struct {
	ID id.Certification `json:"id"`
}

func (a RevokeCertification) Subject() snapshot.Subject {
	return subject(snapshot.NounCertification, a.ID)
}

func (a RevokeCertification) check(v *snapshot.View, _ Actor, _ time.Time) error {
	c, ok := v.Certifications.Get(a.ID)
	if !ok {
		return found("id", v.Certifications, a.ID)
	}
	if !c.RevokedAt.IsZero() {
		return conflict("id", "The certification is revoked already", "Nothing is left to do")
	}
	return nil
}

func (a RevokeCertification) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Certifications, a.ID, func(c *snapshot.Certification) { c.RevokedAt = s.At })
}
