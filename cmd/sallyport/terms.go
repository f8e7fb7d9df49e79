package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/sallyport/sallyport/hipaa"
)

type termsCmd struct {
	Mandatory bool `help:"Only the terms without which a BAA does not count."`
	JSON      bool `name:"json" help:"Print JSON."`
}

// term is a row of the list.
type term struct {
	ID        string         `json:"id"`
	Field     string         `json:"field"`
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Mandatory bool           `json:"mandatory"`
	Citation  string         `json:"citation"`
	Verified  hipaa.Verified `json:"verified"`
}

// Run lists the terms that an agreement can have, offline.
func (c *termsCmd) Run() error {
	var terms []term
	for _, t := range hipaa.Terms() {
		if t.Mandatory || !c.Mandatory {
			terms = append(terms, term{t.ID, t.Field, t.Type, t.Title, t.Mandatory, t.Citation, checked(t)})
		}
	}
	if !c.Mandatory {
		terms = append(terms, dataUseTerms()...)
	}
	if c.JSON {
		return printJSON(terms)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFIELD\tTYPE\tMANDATORY\tCITATION\tCHECKED\tTITLE")
	for _, t := range terms {
		mandatory := ""
		if t.Mandatory {
			mandatory = "yes"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Field, brief(t.Type), mandatory, t.Citation, t.Verified, t.Title)
	}
	return w.Flush()
}

// dataUseTerms are those of a data use agreement that the catalogue of BAA
// terms lacks.
func dataUseTerms() []term {
	titles := map[string]struct{ control, kind, title string }{
		"permitted_users_recipients":   {"P-514-e-4-ii-B", "list", "Who may use or receive the limited data set"},
		"report":                       {"P-514-e-4-ii-C3", "bool+clause", "Report uses that the agreement does not provide for"},
		"agents_bound":                 {"P-514-e-4-ii-C4", "bool+clause", "Agents are bound alike"},
		"no_identification_no_contact": {"P-514-e-4-ii-C5", "bool+clause", "No identification of individuals, no contact"},
	}
	var out []term
	for _, field := range hipaa.DataUseAgreementFields() {
		t, ok := titles[field]
		if !ok {
			continue // listed already, among those of a BAA
		}
		cite := hipaa.MustCite(t.control)
		out = append(out, term{ID: "DUA", Field: field, Type: t.kind, Title: t.title, Citation: cite.Text, Verified: cite.Verified})
	}
	return out
}

// brief keeps a row on a screen; --json has the whole.
func brief(text string) string {
	const width = 32
	if r := []rune(text); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return text
}

// checked is how far the weakest of the controls behind a term was checked. A
// term that the law does not ask for is policy.
func checked(t hipaa.Term) hipaa.Verified {
	if t.Citation == "recommended" {
		return hipaa.PolicyOnly
	}
	order := []hipaa.Verified{hipaa.RegText, hipaa.StatuteText, hipaa.Secondary, hipaa.Recall}
	weakest := func(a, b hipaa.Verified) hipaa.Verified {
		if cmp.Compare(slices.Index(order, b), slices.Index(order, a)) > 0 {
			return b
		}
		return a
	}
	out := hipaa.RegText
	known := false
	for _, id := range t.Controls {
		if c, ok := hipaa.LookupControl(id); ok {
			out, known = weakest(out, c.Verified), true
		}
	}
	if !known {
		return hipaa.Recall
	}
	return out
}
