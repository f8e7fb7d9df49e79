package console

import (
	"cmp"
	"slices"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// certificationPage is one report or certificate.
type certificationPage struct {
	certificationRow
	Rule     string   // of its type
	Verified string   // how far the rule was checked
	Lacks    []string // fields, by their words
	Sent     bool     // by the vendor's own people
	Unseen   bool     // and nobody has looked at it
	Reject   string   // the button by which it ends
	Required bool
	Relied   []*snapshot.Assessment
	Alike    []alikeReport
}

// maxAlike is how many reports are shown that are too much alike.
const maxAlike = 10

// alikeReport is another vendor's report whose text is too much like this one's.
type alikeReport struct {
	ID     id.Certification
	Vendor id.Vendor
	Alike  int // per cent
	Same   bool
}

// ruleVerified is how far the rule of a type was checked, as the catalogue has it, in words.
var ruleVerified = map[string]string{
	"reg-text": "checked against the regulation's text", "reg-text / statute text": "checked against the texts of the regulation and the statute",
	"secondary": "checked in a secondary source", "secondary (add-on structure); term from knowledge": "its structure checked in a secondary source, its term from general knowledge",
	"custom": "a custom of the field, not checked", "custom/knowledge": "a custom of the field, from general knowledge, not checked",
	"knowledge": "from general knowledge, not checked", "knowledge (ISO/IEC 17021-1)": "from general knowledge of ISO/IEC 17021-1, not checked",
}

func (s *server) certification(v *visit) (certificationPage, error) {
	c, ok := v.View.Certifications.Get(id.Certification(v.PathValue("id")))
	if !ok {
		return certificationPage{}, notFound()
	}
	p := certificationPage{certificationRow: rowOfCertification(v, c), Sent: v.View.SentByVendor(c), Reject: "Revoke"}
	if p.Unseen = p.Sent && c.Waits(v.Now); p.Unseen {
		p.Reject = "Do not accept it"
	}
	for _, name := range diligence.Lacks(c) {
		p.Lacks = append(p.Lacks, labelAt("certification.record", name))
	}
	v.call(p.Name)
	v.under("Diligence", "/console/diligence?tab=reports", p.VendorName, vendorPath(c.Vendor, "diligence"))
	for _, t := range hipaa.CertificationTypes() {
		if t.ID == c.Type {
			p.Rule, p.Verified = t.ValidRule, cmp.Or(ruleVerified[t.Verified], words(t.Verified))
		}
	}
	if w, ok := v.View.Vendors.Get(c.Vendor); ok {
		p.Required = slices.Contains(w.RequiredCertifications, c.Type)
	}
	for _, a := range v.View.AssessmentsOf(c.Vendor) {
		if a.Basis != nil && slices.Contains(a.Basis.Certifications, c.ID) {
			p.Relied = append(p.Relied, a)
		}
	}
	for _, other := range v.View.Certifications.All() {
		if other.Vendor == c.Vendor || other.Type != c.Type || !other.RevokedAt.IsZero() {
			continue
		}
		same := c.Document != "" && c.Document == other.Document
		if like := diligence.Alike(c.Fingerprint, other.Fingerprint); same || like >= diligence.Suspicious {
			p.Alike = append(p.Alike, alikeReport{other.ID, other.Vendor, int(100 * like), same})
		}
	}
	slices.SortFunc(p.Alike, func(a, b alikeReport) int { return cmp.Or(cmp.Compare(b.Alike, a.Alike), cmp.Compare(a.ID, b.ID)) })
	p.Alike = p.Alike[:min(len(p.Alike), maxAlike)]
	return p, nil
}
