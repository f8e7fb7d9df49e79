package course

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// Certificate is the paper of a completion: who passed what, when, in which version by
// its digest, until when it counts, and what they signed. The same completion gives the
// same paper.
func Certificate(organisation string, v *snapshot.View, t *snapshot.Training) (paper.Document, error) {
	p, ok := v.Persons.Get(t.Person)
	if !ok || !t.Passed || !t.RevokedAt.IsZero() {
		return paper.Document{}, errNoCertificate
	}
	day := func(at time.Time) string { return at.UTC().Format("2 January 2006") }
	name, employer := p.Name, t.Statement.Employer
	if t.Statement.Name != "" {
		name = t.Statement.Name
	}
	if of, ok := v.Vendors.Get(p.Vendor); ok && employer == "" {
		employer = of.Name
	}
	rows := [][2]string{{"Name", name}}
	add := func(what, value string) {
		if value != "" {
			rows = append(rows, [2]string{what, value})
		}
	}
	add("Employer", employer)
	add("Course", TitleOf(v, t)+", version "+t.Version)
	if track, ok := TrackOf(t.Track); ok {
		add("Track", track.Title)
	}
	add("Modules", strings.Join(t.Modules, ", "))
	add("Passed on", day(t.CompletedAt))
	add("Score", fmt.Sprintf("%.0f percent", t.Score*100))
	add("Counts until", day(t.ExpiresAt)+" (policy; HIPAA sets no interval)")
	if t.Hours > 0 {
		add("Planned time", fmt.Sprintf("%.1f hours", t.Hours))
	}
	add("Place of work", t.Statement.In)
	add("Course by its SHA-256", t.Content)
	add("Record", string(t.ID))
	body := []paper.Block{paper.Facts{Rows: rows}}
	if len(t.Statement.Rules) > 0 {
		var rules []string
		for _, n := range t.Statement.Rules {
			if n >= 1 && n <= len(Rules) {
				rules = append(rules, Rules[n-1])
			}
		}
		body = append(body, paper.Heading{Level: 2, Text: "Signed statement"},
			paper.Paragraph{Text: "I was trained on the law that protects patients' data, and I attest:"}, paper.List{Numbered: true, Items: rules})
		if o, ok := OverlayOf(t.Statement.In); ok {
			body = append(body, paper.Note{Text: fmt.Sprintf("%s: %s. The statement is kept for %d years.", o.Name, o.Says, o.KeepYears)})
		}
	}
	if !t.Statement.SignedAt.IsZero() {
		proof := "Signed outside the product; the paper has the SHA-256 " + t.Statement.Document
		if t.Statement.Document == "" {
			proof = "Typed by the person, signed in as themself; the act is " + string(t.ID) + " in the audit log"
		}
		body = append(body, paper.SignatureLine{Party: employer, Name: name, Title: t.Statement.Role, At: t.Statement.SignedAt, Proof: proof})
	}
	var cites []string
	for _, c := range Rests(t) {
		cites = append(cites, fmt.Sprintf("%s (checked: %s)", c.Text, c.Verified))
	}
	body = append(body, paper.Heading{Level: 2, Text: "What it rests on"}, paper.List{Items: cites},
		paper.Note{Text: "This shows what one person was taught and asked on one day. It is no statement about the person's employer, and nobody certifies compliance with HIPAA. If the completion is revoked the paper does not show it: check the badge, or ask the issuer."})
	return paper.Document{Title: "Certificate of training", Subtitle: TitleOf(v, t), Issuer: organisation, Date: t.CompletedAt, Body: body,
		Foot: "Training record " + string(t.ID)}, nil
}
