// Package offboarding writes what is left when a vendor, or an engagement, has gone:
// the certificate of return and destruction. Whether it may be completed is the
// registry's to say.
package offboarding

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// Facts is what a certificate is written from. Records must be of one view.
type Facts struct {
	Organisation string
	Vendor       *snapshot.Vendor
	Offboarding  *snapshot.Offboarding
	Engagements  []*snapshot.Engagement
	Agreements   []*snapshot.Agreement
	Keys         map[id.Engagement]*snapshot.Key
	At           time.Time
}

// FormName is a form in a reader's words.
func FormName(f snapshot.DataForm) string { return formNames[f] }

// OutcomeName is an outcome in a reader's words.
func OutcomeName(o snapshot.Outcome) string { return outcomeNames[o] }

var formNames = map[snapshot.DataForm]string{
	snapshot.RawData:        "Raw data: what was released, and copies of it",
	snapshot.DerivedData:    "Derived data: labels, features, evaluation sets, tickets, screenshots",
	snapshot.Embeddings:     "Embeddings, and the indexes over them",
	snapshot.ModelWeights:   "Model weights: checkpoints, adapters, tuned models",
	snapshot.VendorLogs:     "Logs, traces, prompts, completions, caches",
	snapshot.VendorBackups:  "Backups",
	snapshot.Subcontractors: "What subcontractors hold",
}

var outcomeNames = map[snapshot.Outcome]string{
	snapshot.NeverHeld: "never held", snapshot.Returned: "returned", snapshot.Destroyed: "destroyed",
	snapshot.Cleared: "tested, and found to hold none", snapshot.Infeasible: "not feasible; protections go on",
}

// Certificate is the paper: what was released, what the vendor attests of each form,
// what cannot be shown, and what survives (45 CFR 164.504(e)(2)(ii)(J); the fields of
// NIST SP 800-88, section on documentation, as far as logical data has them).
func Certificate(f Facts) paper.Document {
	o := f.Offboarding
	d := paper.Document{Title: "Certificate of return and destruction", Subtitle: f.subject(), Issuer: f.Organisation, Date: f.At,
		Foot: "Offboarding " + string(o.ID) + ", as of " + day(f.At)}
	add := func(b ...paper.Block) { d.Body = append(d.Body, b...) }
	add(paper.Facts{Rows: [][2]string{
		{"Covered entity", f.Organisation},
		{"Business associate", f.Vendor.Name + " (" + string(f.Vendor.ID) + ")"},
		{"Scope", f.scope()},
		{"Cause", strings.ReplaceAll(string(o.Cause), "-", " ")},
		{"Begun", stamp(o.BegunAt) + " by " + string(o.BegunBy)},
		{"Attestations were due", day(o.DueAt)},
		{"Agreements whose duties survive", f.agreements()},
		{"Citation", cite("P-504-e-2-ii-J")},
	}})
	add(paper.Heading{Level: 1, Text: "What ended"},
		paper.Paragraph{Text: "In one act at the time above: every grant, session, authorization, token, program, machine certificate, connector and link that rested on this scope alone. Each refuses since."})

	add(paper.Heading{Level: 1, Text: "What was released"})
	if i := o.Inventory; i.Document == "" {
		add(paper.Note{Text: "What was released has not been counted. This is a draft."})
	} else {
		add(paper.Facts{Rows: [][2]string{
			{"Releases", fmt.Sprint(i.Releases)}, {"Bytes", fmt.Sprint(i.Bytes)}, {"Distinct patients", fmt.Sprint(i.Patients)},
			{"Counted", stamp(i.At)}, {"List (SHA-256 of the stored inventory)", i.Document}, {"Digests of all releases (SHA-256 over them, in the log's order)", i.Digests}}})
	}

	add(paper.Heading{Level: 1, Text: "What became of it, as the vendor attests"})
	t := paper.Table{Head: []string{"Form", "Outcome", "What and how", "Done by / looked at by"}, Widths: []float64{.24, .16, .36, .24}}
	var open []string
	for _, form := range snapshot.DataForms {
		a, ok := o.Dispositions[form]
		if !ok {
			open = append(open, string(form))
			t.Rows = append(t.Rows, []string{formNames[form], "not attested", "", ""})
			continue
		}
		t.Rows = append(t.Rows, []string{formNames[form], outcomeNames[a.Outcome], how(a), who(a)})
	}
	add(t)
	if len(open) > 0 {
		add(paper.Note{Text: "Not attested yet: " + strings.Join(open, ", ") + ". This is a draft."})
	}

	add(paper.Heading{Level: 1, Text: "Keys"})
	add(f.keys())

	add(paper.Heading{Level: 1, Text: "What was tried since"})
	add(tried(o)...)

	add(paper.Heading{Level: 1, Text: "What this certificate does not cover"},
		paper.List{Items: []string{
			"It proves what was released and that nothing is released since. It cannot prove that no copy was kept: of that it holds the vendor's word, by name.",
			"What was released unsealed may have been copied by anybody who read it there. Destroying the keys of an engagement destroys codes and sealed releases whose keys the organisation held, and nothing that was opened.",
			"NIST SP 800-88 is about media. How rows are deleted in a service that many customers share, or data is taken out of model weights, it does not say; the words above are the vendor's.",
			"It is a record of facts, and not an opinion on anybody's compliance with the law.",
		}})
	add(paper.Heading{Level: 1, Text: "How long this is kept"}, paper.Paragraph{Text: f.retention()})
	add(paper.Heading{Level: 1, Text: "Signed"},
		f.vendorSigned(),
		paper.SignatureLine{Party: f.Organisation, Name: string(o.CompletedBy), Title: "For the organisation", At: o.CompletedAt})
	return d
}

// tried is what the dead-man checks found, log by log.
func tried(o *snapshot.Offboarding) []paper.Block {
	if o.CheckedAt.IsZero() {
		return []paper.Block{paper.Note{Text: "Nobody has looked yet whether anything was tried since. This is a draft."}}
	}
	t := paper.Table{Head: []string{"Audit log", "Looked at before entry", "When", "Tried"}, Widths: []float64{.3, .25, .3, .15}}
	for _, log := range slices.Sorted(maps.Keys(o.Looked)) {
		l := o.Looked[log]
		t.Rows = append(t.Rows, []string{log, fmt.Sprint(l.To), stamp(l.At), fmt.Sprint(l.Tried)})
	}
	switch {
	case o.Tried == 0:
		return []paper.Block{paper.Paragraph{Text: "No credential of what ended was tried."}, t}
	case o.Permitted > 0:
		return []paper.Block{paper.Note{Text: fmt.Sprintf("Credentials of what ended were tried %d times, last at %s, and %d were permitted. A finding was raised: what was released is not accounted for above.", o.Tried, stamp(o.LastTried), o.Permitted)}, t}
	}
	return []paper.Block{paper.Note{Text: fmt.Sprintf("Credentials of what ended were tried %d times, last at %s. All were refused. A finding was raised.", o.Tried, stamp(o.LastTried))}, t}
}

// vendorSigned is the vendor's signature: of those who attested by a link, who certified
// each form under their name; or a line to sign on, where it came on paper.
func (f Facts) vendorSigned() paper.SignatureLine {
	line := paper.SignatureLine{Party: f.Vendor.Name, Title: "Officer, who certifies the attestations above"}
	var names []string
	var at time.Time
	for _, form := range snapshot.DataForms {
		d, ok := f.Offboarding.Dispositions[form]
		if !ok || d.Attester == "" {
			return line
		}
		if !slices.Contains(names, d.Attester) {
			names = append(names, d.Attester)
		}
		if d.At.After(at) {
			at = d.At
		}
	}
	line.Name, line.Title, line.At = strings.Join(names, "; "), "certified the attestations above, by link", at
	return line
}

func (f Facts) subject() string {
	if f.Offboarding.Engagement != "" {
		return f.Vendor.Name + ", engagement " + string(f.Offboarding.Engagement)
	}
	return f.Vendor.Name
}

func (f Facts) scope() string {
	var names []string
	for _, e := range f.Engagements {
		names = append(names, fmt.Sprintf("%s (%s, %s)", e.ID, e.Purpose, e.DataClass))
	}
	if len(names) == 0 {
		return "no engagement"
	}
	return strings.Join(names, "; ")
}

func (f Facts) agreements() string {
	var names []string
	for _, a := range f.Agreements {
		names = append(names, fmt.Sprintf("%s (%s, document %s)", a.ID, a.Kind, short(a.Document)))
	}
	return cmp.Or(strings.Join(names, "; "), "none")
}

func (f Facts) keys() paper.Block {
	if f.Offboarding.LegalHold != "" {
		return paper.Note{Text: "The keys are kept: a legal hold is on the record (" + f.Offboarding.LegalHold + ")."}
	}
	t := paper.Table{Head: []string{"Engagement", "Keys"}, Widths: []float64{.3, .7}}
	for _, e := range f.Engagements {
		k := f.Keys[e.ID]
		state := "not destroyed"
		switch {
		case k.Ordered():
			state = "destroyed by order of " + orderedBy(k) + "; the key store's statement: sallyport key statement " + string(e.ID)
		case k == nil:
			state = "nothing was ever sealed under keys of its own"
		}
		t.Rows = append(t.Rows, []string{string(e.ID), state})
	}
	if len(t.Rows) == 0 {
		return paper.Paragraph{Text: "There was no engagement, and so no key."}
	}
	return t
}

func orderedBy(k *snapshot.Key) string {
	names := []string{string(k.Destruction.RequestedBy)}
	for _, a := range k.Destruction.Approvals {
		names = append(names, string(a.By))
	}
	return strings.Join(names, ", ")
}

func (f Facts) retention() string {
	if f.Offboarding.RetainUntil.IsZero() {
		return "Six years at least from its completion (45 CFR 164.316(b)(2)(i), 164.530(j)(2)), and as long as a legal hold is on it."
	}
	return "Until " + day(f.Offboarding.RetainUntil) + " at least (45 CFR 164.316(b)(2)(i), 164.530(j)(2)), and as long as a legal hold is on it."
}

func how(d snapshot.Disposition) string {
	var parts []string
	if d.Method != "" {
		parts = append(parts, d.Method+" by "+d.Technique)
	}
	for _, s := range []string{d.Items, d.Why, d.Protections} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if !d.ReviewAt.IsZero() {
		parts = append(parts, "looked at again "+day(d.ReviewAt))
	}
	if d.Document != "" {
		parts = append(parts, "document "+short(d.Document))
	}
	return strings.Join(parts, "; ")
}

func who(d snapshot.Disposition) string {
	parts := slices.DeleteFunc([]string{d.Sanitized, d.Verified}, func(s string) bool { return s == "" })
	attested := "attested " + day(d.At) + " by "
	if d.Attester != "" {
		attested += d.Attester + ", "
	}
	parts = append(parts, attested+string(d.By))
	if d.AcceptedBy != "" {
		parts = append(parts, "accepted "+day(d.AcceptedAt)+" by "+string(d.AcceptedBy))
	}
	return strings.Join(parts, "; ")
}

func cite(control string) string {
	c := hipaa.MustCite(control)
	return c.Text + " (" + string(c.Verified) + ")"
}

func short(digest string) string { return digest[:min(12, len(digest))] }

func day(t time.Time) string   { return t.UTC().Format("2006-01-02") }
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
