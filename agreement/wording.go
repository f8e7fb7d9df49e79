package agreement

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// Parties are the names on the paper.
type Parties struct {
	Organisation  string
	Vendor        string
	Subcontractor string // of a subcontractor's BAA
}

// clause is one numbered paragraph of a draft.
type clause struct {
	part  part
	n     int
	field string // of the term; empty: a permitted use or a frame
	text  string
	cite  string
}

func (c clause) locator() string { return fmt.Sprintf("§ %d.%d", c.part, c.n) }

// Draft writes the agreement in the product's own words: a numbered clause for each
// term that it has, so that where each stands is known (Located). What a term does not
// say is not written: silence is no (45 CFR 164.502(a)(3)). A draft that lacks terms
// which a paper of its kind must have says so at its head. It is pure: the same terms,
// names and date give the same document.
func Draft(a *snapshot.Agreement, p Parties, date time.Time) paper.Document {
	names := naming(a.Kind, p)
	d := paper.Document{Title: titles[a.Kind], Subtitle: fmt.Sprintf("between %s (%s) and %s (%s)", names.giver, names.a, names.taker, names.b),
		Issuer: p.Organisation, Date: date.UTC(), Foot: string(a.ID)}
	if d.Title == "" {
		d.Title = "Agreement"
	}
	if lacks := lacking(a); len(lacks) > 0 {
		d.Body = append(d.Body, paper.Note{Text: "This draft lacks what a paper of its kind must say, and no data is released under it: " + strings.Join(lacks, ", ") + "."})
	}
	d.Body = append(d.Body, paper.Heading{Level: 1, Text: "1. Parties and data"}, paper.Facts{Rows: facts(a, names)})
	cs := clauses(a, names)
	for part := partUses; part <= partEnd; part++ {
		d.Body = append(d.Body, paper.Heading{Level: 1, Text: fmt.Sprintf("%d. %s", part, names.fill(partTitles[part]))})
		empty := true
		for _, c := range cs {
			if c.part == part {
				empty = false
				d.Body = append(d.Body, paper.Paragraph{Text: strings.TrimSpace(c.locator() + "  " + c.text + " " + cited(c.cite))})
			}
		}
		if empty {
			d.Body = append(d.Body, paper.Paragraph{Text: "Nothing is agreed here. What this paper does not allow, it does not permit."})
		}
	}
	d.Body = append(d.Body, paper.Heading{Level: 1, Text: "8. Signatures"})
	for _, side := range []struct {
		party snapshot.Party
		name  string
	}{{names.first, names.giver}, {names.second, names.taker}} {
		line := paper.SignatureLine{Party: side.name}
		for _, s := range a.Signatures {
			if s.Party == side.party {
				line.Name, line.At, line.Proof = s.Signer, s.At, SignatureProof(s)
			}
		}
		d.Body = append(d.Body, line)
	}
	if t := schedule(cs); len(t.Rows) > 0 {
		d.Body = append(d.Body, paper.Heading{Level: 1, Text: "Schedule: where each term stands"}, t)
	}
	return d
}

// SignatureProof says how a signature was given.
func SignatureProof(s snapshot.Signature) string {
	if s.Here != nil {
		return "Signed in Sallyport by passkey; act " + string(s.Here.Act)
	}
	return "Signed elsewhere; recorded by " + string(s.By)
}

// Located gives the agreement's terms and permitted uses with the clause of the draft in
// which each stands. Terms that the draft does not write keep what they had.
func Located(a *snapshot.Agreement) (map[string]snapshot.Term, []snapshot.PermittedUse) {
	terms, uses := maps.Clone(a.Terms), slices.Clone(a.PermittedUses)
	n := 0
	for _, c := range clauses(a, naming(a.Kind, Parties{})) {
		switch {
		case c.field != "":
			t := terms[c.field]
			t.Clause = c.locator()
			terms[c.field] = t
		case c.part == partUses && n < len(uses):
			uses[n].Clause = c.locator()
			n++
		}
	}
	return terms, uses
}

// names are the words for the parties and for the data.
type names struct {
	a, b, data    string
	giver, taker  string // who they are
	first, second snapshot.Party
}

func naming(k snapshot.AgreementKind, p Parties) names {
	n := names{a: "the Organisation", b: "the Vendor", data: "the protected health information", giver: p.Organisation, taker: p.Vendor, first: snapshot.Organisation, second: snapshot.VendorParty}
	switch k {
	case snapshot.SubcontractorBAA:
		n.a, n.b, n.giver, n.taker, n.first, n.second = "the Vendor", "the Subcontractor", p.Vendor, p.Subcontractor, snapshot.VendorParty, snapshot.SubcontractorParty
	case snapshot.DataUseAgreement:
		n.data = "the limited data set"
	case snapshot.ServicesContract:
		n.data = "the data"
	}
	return n
}

// fill puts the parties' words in, with a capital where a sentence begins.
func (n names) fill(text string) string {
	text = strings.NewReplacer("{A}", n.a, "{B}", n.b, "{D}", n.data).Replace(text)
	var b strings.Builder
	begin := true
	for _, r := range text {
		if begin && r != ' ' {
			b.WriteString(strings.ToUpper(string(r)))
			begin = false
			continue
		}
		b.WriteRune(r)
	}
	return strings.NewReplacer(". the ", ". The ", ": the ", ": the ").Replace(b.String())
}

var titles = map[snapshot.AgreementKind]string{
	snapshot.BAA: "Business associate agreement", snapshot.SubcontractorBAA: "Subcontractor business associate agreement",
	snapshot.ServicesContract: "Services contract", snapshot.DataUseAgreement: "Data use agreement",
}

func facts(a *snapshot.Agreement, n names) [][2]string {
	out := [][2]string{{capital(n.a), n.giver}, {capital(n.b), n.taker}, {"In effect from", day(a.EffectiveAt)}}
	if a.EndsAt.IsZero() {
		out = append(out, [2]string{"Ends", "No end date; the parties may terminate as section 7 says"})
	} else {
		out = append(out, [2]string{"Ends", day(a.EndsAt)})
	}
	if len(a.Regions) > 0 {
		out = append(out, [2]string{"Where the data may be", strings.Join(a.Regions, ", ")})
	}
	return append(out, [2]string{"The data", dataWords[a.Kind]})
}

var dataWords = map[snapshot.AgreementKind]string{
	snapshot.BAA:              "Protected health information (45 CFR 160.103) that the Vendor creates, receives, keeps or sends for the Organisation",
	snapshot.SubcontractorBAA: "Protected health information (45 CFR 160.103) that the Subcontractor creates, receives, keeps or sends for the Vendor",
	snapshot.DataUseAgreement: "A limited data set (45 CFR 164.514(e)), which is protected health information still",
	snapshot.ServicesContract: "What the Organisation makes available for the work; where it is de-identified, 45 CFR 164.514(a) to (c)",
}

// clauses are the paragraphs of the draft, in order: the permitted uses, then the terms
// in the order of the catalogue.
func clauses(a *snapshot.Agreement, n names) []clause {
	var out []clause
	count := map[part]int{}
	add := func(p part, field, text, cite string) {
		count[p]++
		out = append(out, clause{p, count[p], field, n.fill(text), cite})
	}
	for _, u := range a.PermittedUses {
		text := "{B} may use {D} for " + humanName(string(u.Purpose)) + ", as " + joined(classNames(u.DataClasses))
		if len(u.Sources) > 0 {
			text += ", from " + joined(u.Sources)
		}
		add(partUses, "", text+".", usesCite(a.Kind))
	}
	for _, field := range fieldOrder(a) {
		w, ok := wordings[field]
		if !ok {
			continue
		}
		if text := w.text(readValue(a.Terms[field].Value)); text != "" {
			add(w.part, field, text, citeOf(a.Kind, field))
		}
	}
	return out
}

// classNames are data classes in the words of a paper.
func classNames(classes []hipaa.DataClass) []string {
	var out []string
	for _, c := range classes {
		name, ok := map[hipaa.DataClass]string{hipaa.PHI: "identifiable health information", hipaa.LimitedDataSet: "a limited data set", hipaa.DeIdentified: "de-identified data"}[c]
		if !ok {
			name = string(c)
		}
		out = append(out, name)
	}
	return out
}

func usesCite(k snapshot.AgreementKind) string {
	if k == snapshot.DataUseAgreement {
		return hipaa.MustCite("P-514-e-4-ii-A").Text
	}
	if k == snapshot.BAA || k == snapshot.SubcontractorBAA {
		t, _ := hipaa.TermByField("permitted_uses")
		return t.Citation
	}
	return ""
}

// fieldOrder is every field that the paper has, in the catalogue's order.
func fieldOrder(a *snapshot.Agreement) []string {
	var out []string
	add := func(f string) {
		if _, ok := a.Terms[f]; ok && !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	if a.Kind == snapshot.DataUseAgreement {
		for _, f := range hipaa.DataUseAgreementFields() {
			add(f)
		}
	}
	for _, t := range hipaa.Terms() {
		add(t.Field)
	}
	for _, f := range hipaa.DataUseAgreementFields() {
		add(f)
	}
	return out
}

// duaControls are the paragraphs behind a data use agreement's fields.
var duaControls = map[string]string{"permitted_users_recipients": "P-514-e-4-ii-B", "no_other_use": "P-514-e-4-ii-C1", "safeguards": "P-514-e-4-ii-C2",
	"report": "P-514-e-4-ii-C3", "agents_bound": "P-514-e-4-ii-C4", "no_identification_no_contact": "P-514-e-4-ii-C5"}

func citeOf(k snapshot.AgreementKind, field string) string {
	if c, ok := duaControls[field]; ok && k == snapshot.DataUseAgreement {
		return hipaa.MustCite(c).Text
	}
	if t, ok := hipaa.TermByField(field); ok && t.Citation != "recommended" {
		return t.Citation
	}
	return ""
}

func cited(cite string) string {
	if cite == "" {
		return ""
	}
	return "(" + cite + ")"
}

// schedule shows each term's place, and how far its citation was checked.
func schedule(cs []clause) paper.Table {
	t := paper.Table{Head: []string{"Term", "What it is", "Clause", "Citation", "Checked in"}, Widths: []float64{1, 3, .8, 2.4, 1}}
	for _, c := range cs {
		if c.field == "" {
			continue
		}
		row := []string{"DUA", humanName(c.field), c.locator(), c.cite, ""}
		if term, ok := hipaa.TermByField(c.field); ok {
			row[0], row[1], row[4] = term.ID, term.Title, string(checkedIn(term.Controls))
		}
		if id, ok := duaControls[c.field]; ok && strings.HasPrefix(c.cite, "45 CFR 164.514(e)") {
			row[0], row[4] = "DUA", string(hipaa.MustCite(id).Verified)
		}
		if c.cite == "" {
			row[3], row[4] = "the parties' choice", string(hipaa.PolicyOnly)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// checkedIn is how far the least checked control was checked.
func checkedIn(controls []string) hipaa.Verified {
	order := []hipaa.Verified{hipaa.RegText, hipaa.StatuteText, hipaa.Secondary, hipaa.Recall}
	worst := -1
	for _, id := range controls {
		if c, ok := hipaa.LookupControl(id); ok {
			worst = max(worst, slices.Index(order, c.Verified))
		}
	}
	if worst < 0 {
		return hipaa.Recall
	}
	return order[worst]
}

// Line is a term as a person reads it.
type Line struct {
	Field    string
	Title    string
	Says     string // in the product's own words; the signed document's are what binds
	Clause   string // where it stands in the document
	Citation string
	Verified hipaa.Verified // how far the citation was checked
}

// Lines are the agreement's permitted uses and terms for a person to read, in the order
// of the catalogue.
func Lines(a *snapshot.Agreement) []Line {
	n := naming(a.Kind, Parties{})
	var out []Line
	for _, u := range a.PermittedUses {
		text := humanName(string(u.Purpose)) + ": " + joined(u.DataClasses)
		if len(u.Sources) > 0 {
			text += ", from " + joined(u.Sources)
		}
		out = append(out, Line{Field: "permitted_uses", Title: "Permitted use", Says: text, Clause: u.Clause, Citation: usesCite(a.Kind), Verified: checkedOr(usesCite(a.Kind), []string{"P-504-e-2-i"})})
	}
	for _, field := range fieldOrder(a) {
		l := Line{Field: field, Title: humanName(field), Clause: a.Terms[field].Clause, Citation: citeOf(a.Kind, field), Verified: hipaa.PolicyOnly}
		var controls []string
		if t, ok := hipaa.TermByField(field); ok {
			l.Title, controls = t.Title, t.Controls
		}
		if c, ok := duaControls[field]; ok && a.Kind == snapshot.DataUseAgreement {
			controls = []string{c}
		}
		l.Verified = checkedOr(l.Citation, controls)
		if l.Says = n.fill(wordings[field].text(readValue(a.Terms[field].Value))); l.Says == "" {
			l.Says = inWords(readValue(a.Terms[field].Value).plain)
		}
		out = append(out, l)
	}
	return out
}

func checkedOr(cite string, controls []string) hipaa.Verified {
	if cite == "" {
		return hipaa.PolicyOnly
	}
	return checkedIn(controls)
}

// lacking names the fields that a paper of the kind must have and this draft does not
// write.
func lacking(a *snapshot.Agreement) []string {
	written := map[string]bool{"instrument": true, "permitted_uses": len(a.PermittedUses) > 0}
	for _, f := range fieldOrder(a) {
		v := readValue(a.Terms[f].Value)
		w := wordings[f]
		_, bool := v.plain.(bool)
		written[f] = v.plain == true || !bool && w.text(v) != ""
	}
	var out []string
	for _, f := range Demanded(a.Kind) {
		if !written[f] {
			out = append(out, f)
		}
	}
	return out
}

// Demanded are the fields of the terms that a paper of the kind must have: the 17 of a
// BAA (45 CFR 164.504(e), 164.314(a)), the contents of a data use agreement
// (164.514(e)(4)(ii)).
func Demanded(k snapshot.AgreementKind) []string {
	var out []string
	switch k {
	case snapshot.BAA, snapshot.SubcontractorBAA:
		for _, t := range hipaa.MandatoryTerms() {
			out = append(out, t.Field)
		}
	case snapshot.DataUseAgreement:
		out = hipaa.DataUseAgreementFields()
	}
	return out
}

func (w wording) text(v value) string {
	switch x := v.plain.(type) {
	case bool:
		if x {
			return w.yes
		}
		return w.no
	case string:
		return w.of[x]
	case int64:
		if w.one != "" && x >= 0 {
			return fmt.Sprintf(w.one, x)
		}
	case []any:
		if w.says != nil && len(x) > 0 {
			return w.says(v)
		}
	case map[string]any:
		if w.says != nil {
			return w.says(v)
		}
	}
	return ""
}

func joined[T ~string](vs []T) string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = humanName(string(v))
	}
	return strings.Join(out, ", ")
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func day(t time.Time) string {
	if t.IsZero() {
		return "not set"
	}
	return t.UTC().Format("2 January 2006")
}
