package console

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/policy"
)

func helpScreens() []screen {
	return []screen{
		on("words", "Words", "GET /console/words", everyone, (*server).words),
		on("find", "Find", "GET /console/find", everyone, (*server).find),
		on("tour", "Tour", "GET /console/tour", ours, (*server).tour),
	}
}

// wordsPage is what every term means, with its rule and how far that was checked.
type wordsPage struct {
	Part   string // "" for the glossary, "gates", "terms" or "law"
	Parts  []tab
	Query  string
	Groups []wordGroup // of the glossary
	List   *list       // of the other parts
}

// wordGroup is a heading of the glossary.
type wordGroup struct {
	ID, Title string
	Words     []wordShown
}

// wordShown is one term as a page shows it.
type wordShown struct {
	Key, Abbr, Term, Text string
	Cite                  *citation // nil: this product's own word
	Law                   string    // where the law's page tells more; empty: nowhere
}

// shown is a word with its rule. A vendor's people have no search of the record.
func (v *visit) shown(w term) wordShown {
	out := wordShown{Key: w.Key, Abbr: w.Abbr, Term: w.Term, Text: w.Text}
	if c, ok := hipaa.LookupControl(w.Control); ok {
		x := v.cite(c.Cite())
		out.Cite, out.Law = &x, "/console/words?part=law&q="+strings.ReplaceAll(c.ID, " ", "+")
	}
	return out
}

func (v *visit) cite(c hipaa.Citation) citation {
	x := cite(c)
	if !v.ours() {
		x.Href = ""
	}
	return x
}

func (s *server) words(v *visit) (wordsPage, error) {
	q := v.URL.Query()
	p := wordsPage{Part: q.Get("part"), Query: strings.TrimSpace(q.Get("q"))}
	for _, t := range []tab{{"Plain words", "", false}, {"Gates", "gates", false}, {"Terms of agreements", "terms", false}, {"The law", "law", false}} {
		href := "/console/words"
		if t.Href != "" {
			href += "?part=" + t.Href
		}
		p.Parts = append(p.Parts, tab{t.Label, href, t.Href == p.Part})
	}
	switch p.Part {
	case "":
		p.Groups = glossary(v, p.Query)
	case "gates":
		l := listOf(v, gateWords(v))
		p.List = &l
	case "terms":
		l := listOf(v, termWords(v))
		p.List = &l
	case "law":
		l := listOf(v, lawWords(v))
		p.List = &l
	default:
		return p, notFound()
	}
	return p, nil
}

// glossary is the product's words, and those that decisions use.
func glossary(v *visit, query string) []wordGroup {
	fits := func(w term) bool {
		return query == "" || strings.Contains(strings.ToLower(w.Abbr+" "+w.Term+" "+w.Text+" "+w.Key), strings.ToLower(query))
	}
	var out []wordGroup
	add := func(key, title string, all []term) {
		g := wordGroup{ID: key, Title: title}
		for _, w := range all {
			if fits(w) {
				g.Words = append(g.Words, v.shown(w))
			}
		}
		if len(g.Words) > 0 {
			out = append(out, g)
		}
	}
	add("plain", "What these pages say", wordList)
	var classes, purposes, bases, categories []term
	for _, c := range hipaa.DataClasses {
		w := classWordsLong[c]
		classes = append(classes, term{"class-" + string(c), "", w.Term, w.Text, w.Control})
	}
	for _, x := range hipaa.Purposes {
		purposes = append(purposes, term{"purpose-" + string(x), "", words(x), purposeWords[x], "P-502-a-3"})
	}
	for _, b := range hipaa.LegalBases {
		w := basisWords[b]
		bases = append(bases, term{"basis-" + string(b), "", w.Term, w.Text, w.Control})
	}
	for _, c := range hipaa.Categories {
		w := categoryWords[c]
		categories = append(categories, term{"category-" + string(c), "", w.Term, w.Text, w.Control})
	}
	add("classes", "Classes of data", classes)
	add("purposes", "Purposes: what is done with the data", purposes)
	add("bases", "Legal bases: why it may be disclosed", bases)
	add("categories", "Categories of the Privacy Rule", categories)
	return out
}

// gateWords are the conditions of a release. A vendor's people see those that they may
// hear of.
func gateWords(v *visit) listing[policy.Gate] {
	rows := func(yield func(policy.Gate) bool) {
		for _, g := range gate.All {
			if (v.ours() || g.Audience == policy.VendorToo) && !yield(g) {
				return
			}
		}
	}
	rule := func(g policy.Gate) (string, string) {
		for _, key := range g.Cites {
			if c, ok := hipaa.LookupControl(key); ok {
				x := cite(c.Cite())
				return x.Text, x.Verified
			}
		}
		return "policy", "no law sets it"
	}
	return listing[policy.Gate]{Caption: "Gates: all must be open for a release", Rows: rows, Keep: []string{"part"},
		Columns: []column[policy.Gate]{
			{Key: "gate", Label: "Gate", Cell: func(g policy.Gate) cell { return cell{Text: words(g.ID), Help: g.ID} }},
			{Key: "holds", Label: "What must hold", Wide: true, Cell: func(g policy.Gate) cell { return text(g.Title) }},
			{Key: "refuses", Label: "How it can refuse", Wide: true, Cell: func(g policy.Gate) cell {
				var out []string
				for _, r := range g.Reasons {
					if !slices.Contains(out, r.Message) {
						out = append(out, r.Message)
					}
				}
				return cell{Text: plural(len(out), "way"), Help: strings.Join(out, ". ") + "."}
			}},
			{Key: "rule", Label: "Rule", Wide: true, Cell: func(g policy.Gate) cell { a, b := rule(g); return cell{Text: a, Help: b} }},
		},
		Search: func(g policy.Gate) string {
			a, _ := rule(g)
			text := g.ID + " " + g.Title + " " + a
			for _, r := range g.Reasons {
				text += " " + r.Message
			}
			return text
		},
		Empty: empty{Title: "No gate", Text: "There is none that you may hear of."}}
}

// termWords are the terms of agreements and what each does here.
func termWords(v *visit) listing[hipaa.Term] {
	does := map[string]agreement.Row{}
	for _, r := range agreement.Table {
		does[r.ID] = r
	}
	kind := func(t hipaa.Term) string {
		if t.Mandatory {
			return "mandatory"
		}
		if strings.HasPrefix(t.ID, "BAA-O") {
			return "optional"
		}
		return "recommended"
	}
	return listing[hipaa.Term]{Caption: "Terms of agreements", Rows: slices.Values(hipaa.Terms()), Keep: []string{"part"},
		Columns: []column[hipaa.Term]{
			{Key: "term", Label: "Term", Wide: true, Cell: func(t hipaa.Term) cell { return cell{Text: t.Title, Help: t.ID + " · " + t.Field} }},
			{Key: "kind", Label: "In a BAA", Cell: func(t hipaa.Term) cell { return text(words(kind(t))) }},
			{Key: "means", Label: "What it says", Wide: true, Cell: func(t hipaa.Term) cell { return text(t.Text) }},
			{Key: "does", Label: "What it does here", Wide: true, Cell: func(t hipaa.Term) cell { return cell{Text: does[t.ID].Says, Help: does[t.ID].Where} }},
			{Key: "rule", Label: "Rule", Cell: func(t hipaa.Term) cell { return cell{Text: t.Citation, Help: termVerified(t)} }},
		},
		Filters: []filter[hipaa.Term]{{Key: "kind", Label: "In a BAA", Of: func(t hipaa.Term) []string { return []string{kind(t)} }}},
		Search: func(t hipaa.Term) string {
			return strings.Join([]string{t.ID, t.Title, t.Field, t.Text, t.Citation, does[t.ID].Says}, " ")
		},
		Empty: empty{Title: "No term", Text: "The catalogue has none."}}
}

// termVerified is how far the rules behind a term were checked: as far as the least.
func termVerified(t hipaa.Term) string {
	worst := ""
	for _, key := range t.Controls {
		if c, ok := hipaa.LookupControl(key); ok {
			x := cite(c.Cite()).Verified
			if worst == "" || c.Verified != hipaa.RegText {
				worst = x
			}
		}
	}
	return worst
}

// lawWords are the paragraphs of the law that the product knows.
func lawWords(v *visit) listing[hipaa.Control] {
	return listing[hipaa.Control]{Caption: "The law, paragraph by paragraph", Rows: slices.Values(hipaa.Controls()), Keep: []string{"part"},
		Columns: []column[hipaa.Control]{
			{Key: "citation", Label: "Rule", Wide: true, Cell: func(c hipaa.Control) cell {
				x := v.cite(c.Cite())
				return cell{Text: x.Text, Help: x.Verified, Href: x.Href}
			}},
			{Key: "title", Label: "About", Wide: true, Cell: func(c hipaa.Control) cell { return cell{Text: c.Title, Help: c.Label} }},
			{Key: "text", Label: "In our words", Wide: true, Cell: func(c hipaa.Control) cell { return text(c.Text) }},
		},
		Filters: []filter[hipaa.Control]{
			{Key: "rule", Label: "Part", Of: func(c hipaa.Control) []string { return []string{c.Rule} }},
			{Key: "verified", Label: "Checked", Of: func(c hipaa.Control) []string { return []string{string(c.Verified)} }},
		},
		Search: func(c hipaa.Control) string {
			return strings.Join([]string{c.ID, c.Citation, c.Title, c.Text}, " ")
		},
		Empty: empty{Title: "No paragraph", Text: "The catalogue has none."}}
}

// wordFor is a term by its key, for the part "word": an abbreviation with a link to what
// it means.
func wordFor(key string) (wordShown, error) {
	for _, w := range wordList {
		if w.Key == key {
			return wordShown{Key: w.Key, Abbr: w.Abbr, Term: w.Term, Text: w.Text}, nil
		}
	}
	return wordShown{}, notFound()
}
