package registry

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordCertification records a report or certificate of a vendor, with what its type
// must say of itself (diligence.Needs). Until another person has verified it, it counts
// as absent.
type RecordCertification struct {
	ID          id.Certification `json:"id,omitempty"` // made if left out
	Vendor      id.Vendor        `json:"vendor"`
	Type        string           `json:"type"` // of hipaa.CertificationTypes
	IssuedAt    time.Time        `json:"issued_at,omitzero"`
	PeriodStart time.Time        `json:"period_start,omitzero"`
	PeriodEnd   time.Time        `json:"period_end,omitzero"`
	ExpiresAt   time.Time        `json:"expires_at"`
	Document    string           `json:"document_sha256,omitempty"`
	snapshot.Particulars
	// Fingerprint is of the report's text: sallyport certification compare prints it.
	Fingerprint []uint32 `json:"fingerprint,omitempty"`
}

func (a RecordCertification) Subject() snapshot.Subject {
	return subject(snapshot.NounCertification, a.ID)
}

func (a RecordCertification) documents() []string {
	docs := []string{a.Document}
	if a.Bridge != nil {
		docs = append(docs, a.Bridge.Document)
	}
	return docs
}

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
		a.checkParticulars(v, now),
		a.checkValidity(),
		optionalDigest("document_sha256", a.Document),
		checkFingerprint("fingerprint", a.Fingerprint))
}

// checkParticulars wants what is said to be readable, and what the type must say to
// be there.
func (a RecordCertification) checkParticulars(v *snapshot.View, now time.Time) error {
	p := a.Particulars
	text := func(field, s string) error { return shortText(field, s) }
	err := first(
		shortText("issuer", p.Issuer),
		each("scope", p.Scope, text), each("criteria", p.Criteria, func(f, s string) error { return oneOf(f, s, Criteria) }), unique("criteria", p.Criteria),
		each("exceptions", p.Exceptions, func(f string, x snapshot.AuditException) error {
			return first(required(f+".what", x.What, `"CC6.1: two leavers kept access"`), shortText(f+".what", x.What), shortText(f+".accepted", x.Accepted))
		}),
		each("carve_outs", p.CarveOuts, func(f string, s id.Vendor) error { return exists(f, v.Vendors, s) }), unique("carve_outs", p.CarveOuts),
		shortText("accreditation_body", p.Accreditation), shortText("cert_no", p.Number), shortText("standard", p.Standard),
		shortText("soa_version", p.SoAVersion), shortText("level", p.Level), shortText("status", p.Status), shortText("limits", p.Limits),
		shortText("course_version", p.CourseVersion))
	if err != nil {
		return err
	}
	if p.Opinion != "" {
		err = first(err, oneOf("opinion", p.Opinion, snapshot.Opinions))
	}
	if p.Subservice != "" {
		err = first(err, oneOf("subservice_method", p.Subservice, snapshot.SubserviceMethods))
	}
	for _, d := range []struct {
		field string
		at    time.Time
	}{{"as_of", p.AsOf}, {"last_surveillance", p.LastSurveillance}, {"interim_at", p.InterimAt}, {"assessed_at", p.AssessedAt},
		{"retro_date", p.RetroDate}, {"hired_at", p.HiredAt}, {"law_changed_at", p.LawChangedAt}} {
		err = first(err, setOrNone(d.field, d.at), past(d.field, d.at, now))
	}
	if b := p.Bridge; b != nil {
		err = first(err, required("bridge.by", b.By, `"C. Officer, CISO"`), set("bridge.at", b.At), past("bridge.at", b.At, now),
			set("bridge.until", b.Until), after("bridge.until", b.Until, "bridge.at", b.At), sha256Hex("bridge.document_sha256", b.Document))
	}
	if p.Underlying != "" {
		err = first(err, exists("underlying", v.Certifications, p.Underlying))
	}
	if p.Person != "" {
		err = first(err, exists("person", v.Persons, p.Person))
	}
	if p.OpenHigh != nil && *p.OpenHigh < 0 {
		err = first(err, badField("open_high", "is below 0", "Write how many high findings are overdue"))
	}
	if p.TailMonths < 0 || p.TailMonths > 240 {
		err = first(err, badField("tail_months", "is not between 0 and 240", "Write how long claims may come after the end"))
	}
	if p.Score < 0 || p.Score > 1 {
		err = first(err, badField("score", "is not between 0 and 1", "Write 0.9 for 90 %"))
	}
	if err != nil {
		return err
	}
	if missing := diligence.Lacks(a.record("", "")); len(missing) > 0 {
		return badField(missing[0], "is missing", "A "+a.Type+" must say it: copy it from the paper ("+join(diligence.Needs(a.Type))+")")
	}
	return nil
}

// Criteria are the trust services criteria that a SOC 2 report can cover.
var Criteria = []string{"security", "availability", "confidentiality", "processing-integrity", "privacy"}

// checkFingerprint wants what diligence.Fingerprint makes, or nothing.
func checkFingerprint(field string, f []uint32) error {
	if len(f) != 0 && len(f) != diligence.FingerprintSize {
		return badField(field, fmt.Sprintf("has %d numbers", len(f)), fmt.Sprintf("Write the %d that sallyport certification compare prints, or leave it out", diligence.FingerprintSize))
	}
	return nil
}

// checkValidity holds the end to what the type's rule allows from its dates.
func (a RecordCertification) checkValidity() error {
	if a.Type == "SOC2_T2" && hipaa.AddMonths(a.PeriodStart, 3).After(a.PeriodEnd.AddDate(0, 0, 1)) {
		return badField("period_end", "is less than 3 months after period_start", "A shorter period does not count (policy)")
	}
	last := diligence.CountsUntil(a.record("", ""))
	if !last.IsZero() && a.ExpiresAt.After(last) {
		return badField("expires_at", "is later than a "+a.Type+" can count",
			"Write "+last.UTC().Format(time.RFC3339)+" or earlier (policy: a fixed time from its dates)")
	}
	return nil
}

func (a RecordCertification) record(key id.Certification, by id.Person) *snapshot.Certification {
	p := a.Particulars
	for _, t := range []*time.Time{&p.AsOf, &p.LastSurveillance, &p.InterimAt, &p.AssessedAt, &p.RetroDate, &p.HiredAt, &p.LawChangedAt} {
		*t = t.UTC()
	}
	if p.Bridge != nil {
		b := *p.Bridge
		b.At, b.Until = b.At.UTC(), b.Until.UTC()
		p.Bridge = &b
	}
	return &snapshot.Certification{ID: key, Vendor: a.Vendor, Type: a.Type,
		IssuedAt: a.IssuedAt.UTC(), PeriodStart: a.PeriodStart.UTC(), PeriodEnd: a.PeriodEnd.UTC(),
		ExpiresAt: a.ExpiresAt.UTC(), Document: a.Document, RecordedBy: by, Particulars: p, Fingerprint: a.Fingerprint}
}

func (a RecordCertification) apply(e *snapshot.Edit, s Stamp) {
	e.Put(a.record(cmp.Or(a.ID, id.Certification(s.ID)), s.By))
}

// VerificationMethods lists how a certification can be verified.
var VerificationMethods = diligence.Methods

// VerifyCertification says that a person has verified the certification, how, and
// against what.
type VerifyCertification struct {
	ID  id.Certification `json:"id"`
	How string           `json:"how"` // of VerificationMethods
	// Against is what it was compared with: issuer-portal, the host ("trust.example.com");
	// auditor-letter, the letter's date or digest; registry-lookup, the entry;
	// report-read, which parts were read and what was compared.
	Against string `json:"against"`
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
	case diligence.Verified(c):
		return conflict("id", "The certification is verified already", "Nothing is left to do")
	case !c.VerifiedAt.IsZero():
		return conflict("id", "It was verified before it was asked against what, and does not count", "Record it anew from the report (certification record), and have another verify that")
	case !c.ExpiresAt.After(now):
		return conflict("id", "The certification has expired", "Ask the vendor for the next, and record it")
	}
	if err := first(oneOf("how", a.How, VerificationMethods),
		required("against", a.Against, `"trust.example.com", "letter of 2026-03-01", "IAF CertSearch 123", "sections 1 to 4, period and opinion"`),
		shortText("against", a.Against)); err != nil {
		return err
	}
	if a.How == "issuer-portal" && !isHost(a.Against) {
		return badField("against", "is not a host", "Write the host of the issuer's portal, such as trust.example.com")
	}
	return nil
}

func (a VerifyCertification) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Certifications, a.ID, func(c *snapshot.Certification) {
		c.VerifiedBy, c.VerifiedAt, c.VerifiedHow, c.VerifiedAgainst = s.By, s.At, a.How, strings.TrimSpace(a.Against)
	})
}

// isHost reports whether s is a host name such as trust.example.com: of the address of
// a portal nothing else is kept, because what follows it may be secret.
func isHost(s string) bool {
	labels := strings.Split(s, ".")
	if len(labels) < 2 || len(s) > 253 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(strings.ToLower(l), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
	}
	return true
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
