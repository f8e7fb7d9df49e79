// Package hipaa holds the regulation as data and as Go: controls with their
// citations, the terms of agreements, certifications with their validity
// rules, and the words (purposes, data classes, legal bases) that the rest of
// Sallyport decides with.
//
// The data paraphrases the regulation for engineers. It is not legal advice:
// a lawyer decides whether an agreement's words satisfy a rule; Sallyport
// decides whether the recorded facts do. Each citation carries how far its
// paraphrase was checked against the text (Verified); show it wherever the
// citation is shown.
package hipaa

import (
	_ "embed" // the regulation is compiled in
	"encoding/json"
	"fmt"
	"sync"
)

// Citation names a rule.
type Citation struct {
	Text     string   `json:"text"`     // "45 CFR 164.308(b)(1)", or "policy" where no law sets it
	Verified Verified `json:"verified"` // how far the paraphrase was checked
}

// Verified says how far a citation was checked.
type Verified string

const (
	RegText     Verified = "reg-text"     // read in a copy of the regulation
	StatuteText Verified = "statute text" // read in a copy of the statute
	Secondary   Verified = "secondary"    // read in a secondary source
	Recall      Verified = "recall"       // from general knowledge
	PolicyOnly  Verified = "policy"       // no law: a choice of the organisation or of Sallyport
)

// Policy is the citation of a rule that no law sets.
var Policy = Citation{Text: "policy", Verified: PolicyOnly}

// Control is one paragraph of the law, with what a system can show for it.
type Control struct {
	ID         string          `json:"id"` // "S-308-b-1"
	Citation   string          `json:"citation"`
	Title      string          `json:"title"`
	Rule       string          `json:"rule"`  // security, privacy, breach, general, other
	Kind       string          `json:"kind"`  // standard, required, addressable, ...
	Label      string          `json:"label"` // the kind in the rule's own word
	Text       string          `json:"text"`  // paraphrase
	Obligation string          `json:"obligation"`
	Evidence   []string        `json:"evidence"` // what Sallyport can show
	Human      []string        `json:"human"`    // what a person must still supply
	Clock      json.RawMessage `json:"clock"`
	Gate       []string        `json:"gate"`
	Notes      string          `json:"notes"`
	Verified   Verified        `json:"verified"`
}

// Cite gives the control's citation.
func (c Control) Cite() Citation { return Citation{Text: c.Citation, Verified: c.Verified} }

// Term is one typed term of an agreement.
type Term struct {
	ID        string          `json:"id"` // "BAA-M01"
	Title     string          `json:"title"`
	Citation  string          `json:"citation"`
	Field     string          `json:"field"` // its name in agreement files: "permitted_uses"
	Type      string          `json:"type"`
	Check     string          `json:"check"`
	OnFail    string          `json:"on_fail"` // deny_all, deny_purpose, block_onboarding, warn
	Text      string          `json:"text"`
	Controls  []string        `json:"controls"`
	Default   json.RawMessage `json:"default"`
	Mandatory bool            `json:"-"`
}

// CertificationType is a kind of report or certificate, with its validity rule
// in words; the registry holds the rule in code.
type CertificationType struct {
	ID        string   `json:"id"` // "SOC2_T2"
	Name      string   `json:"name"`
	Fields    []string `json:"fields"`
	ValidRule string   `json:"valid_rule"`
	Verified  string   `json:"verified"`
}

//go:embed controls.json
var controlsJSON []byte

//go:embed baa-terms.json
var termsJSON []byte

//go:embed due-diligence.json
var diligenceJSON []byte

// Controls is every control, in the catalogue's order.
var Controls = sync.OnceValue(func() []Control {
	var doc struct {
		Controls []Control `json:"controls"`
	}
	mustDecode("controls.json", controlsJSON, &doc)
	return doc.Controls
})

var controlIndex = sync.OnceValue(func() map[string]Control {
	m := make(map[string]Control, len(Controls()))
	for _, c := range Controls() {
		m[c.ID] = c
	}
	return m
})

// LookupControl finds a control by id.
func LookupControl(id string) (Control, bool) {
	c, ok := controlIndex()[id]
	return c, ok
}

// MustCite gives the citation of a control that the caller names as a
// literal; an id that is not in the catalogue panics, and a test finds it.
func MustCite(controlID string) Citation {
	c, ok := LookupControl(controlID)
	if !ok {
		panic(fmt.Sprintf("hipaa: no control %q in the catalogue", controlID))
	}
	return c.Cite()
}

// Terms is every term of an agreement: mandatory, optional under HIPAA, and
// recommended, in the catalogue's order.
var Terms = sync.OnceValue(func() []Term {
	var doc struct {
		Mandatory   []Term `json:"mandatory"`
		Optional    []Term `json:"optional_hipaa"`
		Recommended []Term `json:"recommended"`
	}
	mustDecode("baa-terms.json", termsJSON, &doc)
	all := make([]Term, 0, len(doc.Mandatory)+len(doc.Optional)+len(doc.Recommended))
	for _, t := range doc.Mandatory {
		t.Mandatory = true
		all = append(all, t)
	}
	return append(append(all, doc.Optional...), doc.Recommended...)
})

// MandatoryTerms is the 17 terms without which a BAA does not count.
var MandatoryTerms = sync.OnceValue(func() []Term {
	var out []Term
	for _, t := range Terms() {
		if t.Mandatory {
			out = append(out, t)
		}
	}
	return out
})

// TermByField finds a term by its field name in agreement files.
func TermByField(field string) (Term, bool) {
	for _, t := range Terms() {
		if t.Field == field {
			return t, true
		}
	}
	return Term{}, false
}

// DataUseAgreementFields is what a data use agreement must hold
// (45 CFR 164.514(e)(4)(ii)), as field names.
var DataUseAgreementFields = sync.OnceValue(func() []string {
	var doc struct {
		DUA struct {
			Fields []struct {
				Field string `json:"field"`
			} `json:"fields"`
		} `json:"dua"`
	}
	mustDecode("baa-terms.json", termsJSON, &doc)
	out := make([]string, len(doc.DUA.Fields))
	for i, f := range doc.DUA.Fields {
		out[i] = f.Field
	}
	return out
})

// CertificationTypes is every kind of certification.
var CertificationTypes = sync.OnceValue(func() []CertificationType {
	var doc struct {
		Certifications []CertificationType `json:"certifications"`
	}
	mustDecode("due-diligence.json", diligenceJSON, &doc)
	return doc.Certifications
})

func mustDecode(name string, data []byte, v any) {
	if err := json.Unmarshal(data, v); err != nil {
		panic("hipaa: embedded " + name + ": " + err.Error())
	}
}
