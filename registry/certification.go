package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordCertification puts a report or certificate of a vendor on record, with what its type
// must say of itself (diligence.Needs). One of the organisation's people records it, or one
// of the vendor's own sends it, with its file and without what is the organisation's to say.
// Until another person, of the organisation, has verified it, it counts as absent.
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
	// MediaType, Size and Content are of the report itself where it comes along, as in
	// AttestDisposition; its digest is Document.
	MediaType string `json:"media_type,omitempty"`
	Size      int64  `json:"size,omitempty"`
	Content   []byte `json:"content,omitempty"` // base64
	// ScannedBy is as in PutDocument.
	ScannedBy string `json:"scanned_by,omitempty"`
}

// How much of one vendor waits to be verified, and how much its people send in a day, at
// most (policy): each stays in the log and in the store, whatever becomes of it.
const (
	MaxWaiting = 10
	maxSent    = 20
)

// With is the certification with its file.
func (a RecordCertification) With(mediaType string, content []byte) RecordCertification {
	d := NewDocument(mediaType, content)
	a.Document, a.MediaType, a.Size, a.Content = d.Digest, mediaType, d.Size, content
	return a
}

func (a RecordCertification) scannedBy() string { return a.ScannedBy }

func (a RecordCertification) withScan(by string) Act {
	a.ScannedBy = by
	return a
}

// detach takes the content out of the act, as of a document's; nil: none came along.
func (a RecordCertification) detach() (Act, *Document) {
	if len(a.Content) == 0 {
		return a, nil
	}
	d := &Document{Digest: a.Document, MediaType: a.MediaType, Content: a.Content}
	a.Content = nil
	return a, d
}

// A vendor's people send what is their own vendor's.
func (a RecordCertification) about(*snapshot.View, Actor) party { return party{vendor: a.Vendor} }

func (a RecordCertification) Subject() snapshot.Subject {
	return subject(snapshot.NounCertification, a.ID)
}

func (a RecordCertification) documents() []string {
	var docs []string
	if len(a.Content) == 0 { // else it is stored with the act
		docs = append(docs, a.Document)
	}
	if a.Bridge != nil {
		docs = append(docs, a.Bridge.Document)
	}
	return docs
}

func (a RecordCertification) check(v *snapshot.View, by Actor, now time.Time) error {
	var types []string
	for _, t := range hipaa.CertificationTypes() {
		types = append(types, t.ID)
	}
	if p, ok := v.Persons.Get(by.Person); !ok || p.Vendor != "" {
		if err := a.checkSent(v, now); err != nil {
			return err
		}
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
		a.checkFile(),
		checkFingerprint("fingerprint", a.Fingerprint))
}

func (a RecordCertification) checkFile() error {
	if len(a.Content) > 0 {
		return checkAttached("document_sha256", a.Document, a.MediaType, a.Size, a.Content, MaxDocument)
	}
	if a.MediaType != "" || a.Size != 0 {
		return badField("content", "is missing", "Send the file, or leave its type and size out")
	}
	return optionalDigest("document_sha256", a.Document)
}

// checkSent is about what a vendor's own people send: the report itself, and of what is said
// about it nothing that the organisation decides, and nothing that could tell of others.
func (a RecordCertification) checkSent(v *snapshot.View, now time.Time) error {
	ours := func(field string) error {
		return badField(field, "is the organisation's to say", "Leave it out")
	}
	switch never := diligence.Never(a.Type); {
	case a.ID != "":
		return badField("id", "is the organisation's to choose", "Leave it out: the answer has it") // or it would tell which are in use
	case len(a.Content) == 0:
		return badField("content", "is missing", "Send the report or certificate itself; a PDF is best")
	case never != "":
		return badField("type", "counts for nothing here", never)
	case len(a.Fingerprint) > 0:
		return ours("fingerprint")
	case a.Bridge != nil:
		return badField("bridge", "is the organisation's to record", "Leave it out, and send the letter to your contact at the organisation")
	}
	w, ok := v.Vendors.Get(a.Vendor)
	if !ok {
		return exists("vendor", v.Vendors, a.Vendor)
	}
	if err := first(goingOn("vendor", v, a.Vendor), set("expires_at", a.ExpiresAt), future("expires_at", a.ExpiresAt, now),
		each("exceptions", a.Exceptions, func(f string, x snapshot.AuditException) error {
			if x.Accepted != "" {
				return ours(f + ".accepted")
			}
			return nil
		}),
		each("carve_outs", a.CarveOuts, func(f string, s id.Vendor) error {
			if !slices.Contains(w.Subcontractors, s) {
				return badField(f, "is no subcontractor of yours on record here", "Leave it out, and tell the organisation of it")
			}
			return nil
		})); err != nil {
		return err
	}
	if a.Underlying != "" {
		if err := vendorsOwn("underlying", v.Certifications, a.Underlying, a.Vendor, func(c *snapshot.Certification) id.Vendor { return c.Vendor }); err != nil {
			return err
		}
	}
	if a.Person != "" {
		if err := vendorsOwn("person", v.Persons, a.Person, a.Vendor, func(p *snapshot.Person) id.Vendor { return p.Vendor }); err != nil {
			return err
		}
	}
	return a.checkRoom(v, now)
}

// checkRoom bounds what a vendor's people leave to be looked at.
func (a RecordCertification) checkRoom(v *snapshot.View, now time.Time) error {
	waiting, sent := 0, 0
	for _, c := range v.CertificationsOf(a.Vendor) {
		if c.Type == a.Type && c.Document == a.Document && c.RevokedAt.IsZero() {
			return conflict("content", "This file is on record already as this type", "Nothing is left to do: see on your page how it stands")
		}
		if c.Waits(now) {
			waiting++
		}
		if v.SentByVendor(c) && now.Sub(c.RecordedAt) < 24*time.Hour {
			sent++
		}
	}
	switch {
	case waiting >= MaxWaiting:
		return conflict("content", fmt.Sprintf("%d reports and certificates wait to be verified", waiting), "Take back one that is not needed, or wait until the organisation has looked at them")
	case sent >= maxSent:
		return conflict("content", fmt.Sprintf("%d were sent since yesterday", sent), "Send the rest tomorrow")
	}
	return nil
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
	c := a.record(cmp.Or(a.ID, id.Certification(s.ID)), s.By)
	c.RecordedAt = s.At
	e.Put(c)
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

// RevokeCertification says that a certification no longer counts, or that one which the
// vendor sent is not accepted. The vendor's own people take back what they sent and nobody
// has verified.
type RevokeCertification struct {
	ID id.Certification `json:"id"`
	// Why is told to the vendor; never patient data.
	Why string `json:"why,omitempty"`
}

func (a RevokeCertification) Subject() snapshot.Subject {
	return subject(snapshot.NounCertification, a.ID)
}

// What was verified is the organisation's to end, whoever sent it.
func (a RevokeCertification) about(v *snapshot.View, _ Actor) party {
	if c, ok := v.Certifications.Get(a.ID); ok && c.VerifiedAt.IsZero() && v.SentByVendor(c) {
		return party{vendor: c.Vendor}
	}
	return party{}
}

func (a RevokeCertification) check(v *snapshot.View, by Actor, _ time.Time) error {
	c, ok := v.Certifications.Get(a.ID)
	if !ok {
		return found("id", v.Certifications, a.ID)
	}
	if !c.RevokedAt.IsZero() {
		return conflict("id", "The certification is revoked already", "Nothing is left to do")
	}
	if p, ok := v.Persons.Get(by.Person); ok && p.Vendor == "" && c.VerifiedAt.IsZero() && v.SentByVendor(c) {
		return required("why", a.Why, `"The report ends in March; send the one that follows": the vendor is told`)
	}
	return shortText("why", a.Why)
}

func (a RevokeCertification) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Certifications, a.ID, func(c *snapshot.Certification) {
		c.RevokedAt, c.RevokedBy, c.RevokedWhy = s.At, s.By, strings.TrimSpace(a.Why)
	})
}
