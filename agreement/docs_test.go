package agreement_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

var update = flag.Bool("update", false, "write docs/terms.md anew")

const termsPage = "../docs/terms.md"

// docs/terms.md is made from the table, so that it says what the code does.
func TestTheDocumentIsTheTable(t *testing.T) {
	want := termsDocument()
	if *update {
		if err := os.WriteFile(termsPage, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(termsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/terms.md is not what the table says: go test ./agreement -run TestTheDocument -update")
	}
}

const termsIntro = `# What each term of an agreement does

This page is made from the table in ` + "`agreement/rows.go`" + ` (` + "`go test ./agreement -run TestTheDocument -update`" + `). A term acts as a gate
(it decides about data, in every decision, or about an approval), as a clock (it sets a time limit), or is listed in the
report where only a person can judge it. No term is there for information only.

- ` + "`sallyport agreement check ID`" + ` says what is missing or weak in one paper and what that switches off; ` + "`sallyport agreement check -f FILE`" + `
  does so for a file, without a server.
- ` + "`sallyport agreement report`" + ` lists what is missing, weak or overdue under the agreements that run.

What happens when a term fails is the catalogue's word:

| on failure | what happens |
|---|---|
| ` + "`deny_all`" + ` | nothing is served under the paper |
| ` + "`deny_purpose`" + ` | nothing is served for the purposes that the term is about |
| ` + "`block_onboarding`" + ` | no vendor, engagement or grant is approved and no review kept; running access goes on until its review |
| ` + "`warn`" + ` | it is listed in the report |

A value that is lawful and weaker than the product recommends is listed, and denies nothing. Silence is what a business
associate agreement that lacks the term is taken to say. Between a vendor and its subcontractor (` + "`subcontractor-baa`" + `) the
mandatory terms are asked for; of a services contract for de-identified data, BAA-R13; of a data use agreement, the contents
of 45 CFR 164.514(e)(4)(ii). Numbers of the recommended terms are policy, not law.

Where the catalogue's type has more behind a "+", the value may be written as an object:
` + "`subprocessor_approval: {value: {value: notice_and_object, notice_days: 30}, clause: \"§ 3.10\"}`" + `.
`

func termsDocument() string {
	var b strings.Builder
	b.WriteString(termsIntro)
	sections := []struct {
		prefix, title string
	}{{"BAA-M", "Mandatory (17)"}, {"BAA-O", "Optional under HIPAA (7)"}, {"BAA-R", "Recommended (42)"}}
	terms := map[string]hipaa.Term{}
	for _, t := range hipaa.Terms() {
		terms[t.ID] = t
	}
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| term | field | acts as | where | what it does | silence | on failure | citation |\n|---|---|---|---|---|---|---|---|\n", s.title)
		for _, r := range agreement.Table {
			if !strings.HasPrefix(r.ID, s.prefix) {
				continue
			}
			var does []string
			for _, d := range r.Does {
				does = append(does, string(d))
			}
			t := terms[r.ID]
			cite := t.Citation
			if cite == "recommended" {
				cite = "policy"
			}
			fmt.Fprintf(&b, "| %s %s | `%s` | %s | %s | %s | %s | `%s` | %s |\n", r.ID, t.Title, r.Field, strings.Join(does, ", "), r.Where, r.Says, r.Silence, t.OnFail, cite)
		}
	}
	return b.String()
}

// Whatever stands in a term, reading it does not crash, and a term without which
// nothing is served never counts by accident.
func FuzzTermValues(f *testing.F) {
	for _, r := range agreement.Table {
		if t, ok := agreement.Recommended()[r.Field]; ok {
			f.Add(r.Field, string(t.Value))
		}
	}
	f.Add("subprocessor_approval", `{"value": "notice_and_object", "notice_days": 30}`)
	f.Add("dsp_clause", `{"value": {"value": true}}`)
	f.Add("purpose_matrix", `{"inference": ["allow"]}`)
	f.Fuzz(func(t *testing.T, field, raw string) {
		w := newWorld()
		w.set(field, raw)
		agreement.Check(w.baa())
		agreement.Denied([]*snapshot.Agreement{w.baa()}, agreement.Use{Purpose: hipaa.Annotation, Class: hipaa.PHI})
		for _, c := range agreement.Clocks(w.baa()) {
			c.Due(now)
		}
		_, lacks := agreement.Holds(w.baa(), hipaa.PHI, agreement.Policy{})
		if s := strings.TrimSpace(raw); field == "no_sale" && s != "true" && !strings.Contains(s, `"value"`) && len(lacks) == 0 {
			t.Errorf("no_sale counts as %q", raw)
		}
	})
}
