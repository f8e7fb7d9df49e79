package agreement

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

var parties = Parties{Organisation: "Mercy Valley Health", Vendor: "Helio AI, Inc.", Subcontractor: "Deep Labels Ltd"}

// full is a paper of the kind with every term of the catalogue.
func full(t *testing.T, kind snapshot.AgreementKind) *snapshot.Agreement {
	t.Helper()
	a := &snapshot.Agreement{ID: "p", Kind: kind, Terms: map[string]snapshot.Term{}, EffectiveAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		PermittedUses: []snapshot.PermittedUse{{Purpose: hipaa.Inference, DataClasses: []hipaa.DataClass{hipaa.PHI}, Sources: []id.Source{"ehr"}},
			{Purpose: hipaa.Annotation, DataClasses: []hipaa.DataClass{hipaa.PHI, hipaa.LimitedDataSet}}}}
	put := func(field, typ string) {
		raw := map[string]string{"bool": "true", "int": "30", "list": `["one","two_words"]`, "map": `{"inference":"allow"}`, "object": `{"return_days":30,"on_site":true,"reports":["soc2"]}`}
		for base, v := range raw {
			if strings.HasPrefix(typ, base) {
				a.Terms[field] = snapshot.Term{Value: json.RawMessage(v)}
			}
		}
		if words, ok := strings.CutPrefix(typ, "enum["); ok {
			words, _, _ = strings.Cut(words, "]")
			first, _, _ := strings.Cut(words, ",")
			a.Terms[field] = snapshot.Term{Value: json.RawMessage(`"` + first + `"`)}
		}
	}
	for _, term := range hipaa.Terms() {
		if term.Field != "instrument" && term.Field != "permitted_uses" {
			put(term.Field, term.Type)
		}
	}
	for _, f := range hipaa.DataUseAgreementFields() {
		if f == "permitted_users_recipients" {
			put(f, "list")
		} else if f != "permitted_uses" {
			put(f, "bool")
		}
	}
	return a
}

// Each of the terms is written, once, where its locator says.
func TestEveryTermHasAClause(t *testing.T) {
	for kind := range titles {
		a := full(t, kind)
		terms, uses := Located(a)
		text := paper.Text(Draft(a, parties, a.EffectiveAt))
		for field, term := range terms {
			if term.Clause == "" {
				t.Errorf("%s: %s has no clause", kind, field)
			} else if n := strings.Count(text, "\n"+term.Clause+"  "); n != 1 {
				t.Errorf("%s: %s: %q stands %d times", kind, field, term.Clause, n)
			}
		}
		if len(terms) != len(hipaa.Terms())-2+4 {
			t.Errorf("%s: %d terms", kind, len(terms))
		}
		if uses[0].Clause != "§ 2.1" || uses[1].Clause != "§ 2.2" {
			t.Errorf("%s: uses stand at %q and %q", kind, uses[0].Clause, uses[1].Clause)
		}
		if a.PermittedUses[0].Clause != "" || a.Terms["safeguards"].Clause != "" {
			t.Error("Located changed the agreement")
		}
		if strings.ContainsAny(text, "{}") || strings.Contains(text, "%!") {
			t.Errorf("%s: a placeholder is left in %s", kind, text)
		}
		if strings.Contains(text, "HIPAA compliant") {
			t.Error("a paper claims to be compliant")
		}
		if strings.Contains(text, "This draft lacks") {
			t.Errorf("%s: a full draft is said to lack terms", kind)
		}
	}
}

// Every word that the catalogue allows an enum has a sentence of its own, and a number
// stands in its sentence.
func TestEveryWordOfAnEnumIsWritten(t *testing.T) {
	for _, term := range hipaa.Terms() {
		w := wordings[term.Field]
		if words, ok := strings.CutPrefix(term.Type, "enum["); ok {
			words, _, _ = strings.Cut(words, "]")
			seen := map[string]bool{}
			for _, word := range strings.Split(words, ",") {
				got := w.text(value{plain: word})
				if got == "" || seen[got] {
					t.Errorf("%s: %q is written as %q", term.Field, word, got)
				}
				seen[got] = true
			}
			if w.text(value{plain: "anything else"}) != "" {
				t.Errorf("%s: an unknown word is written", term.Field)
			}
		}
		if strings.HasPrefix(term.Type, "int") && !strings.Contains(w.text(value{plain: int64(77)}), "77") {
			t.Errorf("%s: the number is not written", term.Field)
		}
		if strings.HasPrefix(term.Type, "bool") && w.text(value{plain: true}) == "" {
			t.Errorf("%s: yes is not written", term.Field)
		}
		if term.Mandatory && w.text(value{plain: false}) != "" {
			t.Errorf("%s: a mandatory term that says no has a clause", term.Field)
		}
	}
	if len(wordings) != len(hipaa.Terms())-2+4 {
		t.Errorf("%d wordings: one is of no term", len(wordings))
	}
}

// A draft never says more than its terms do: without one, its clause is gone, and a
// mandatory one is named at the head.
func TestADraftSaysNoMoreThanItsTerms(t *testing.T) {
	for _, kind := range []snapshot.AgreementKind{snapshot.BAA, snapshot.SubcontractorBAA, snapshot.DataUseAgreement} {
		for _, field := range Demanded(kind) {
			if field == "instrument" {
				continue
			}
			raws := []string{"false"}
			if kind == snapshot.DataUseAgreement {
				raws = []string{"", "false", "null", `"yes"`, "[]"}
			}
			for _, raw := range raws {
				a := full(t, kind)
				if field == "permitted_uses" {
					a.PermittedUses = nil
				} else if raw == "" {
					delete(a.Terms, field)
				} else {
					a.Terms[field] = snapshot.Term{Value: json.RawMessage(raw)}
				}
				d := Draft(a, parties, a.EffectiveAt)
				note, ok := d.Body[0].(paper.Note)
				if !ok || !strings.HasSuffix(note.Text, ": "+field+".") {
					t.Errorf("%s without %s (%s): the draft begins with %v", kind, field, raw, d.Body[0])
				}
				if terms, _ := Located(a); terms[field].Clause != "" {
					t.Errorf("%s without %s (%s): it stands at %s", kind, field, raw, terms[field].Clause)
				}
			}
		}
	}
}

func TestADraftNamesThePartiesAndDrawsBothForms(t *testing.T) {
	a := full(t, snapshot.SubcontractorBAA)
	d := Draft(a, parties, a.EffectiveAt)
	text := paper.Text(d)
	for _, want := range []string{"between Helio AI, Inc. (the Vendor) and Deep Labels Ltd (the Subcontractor)", "The Subcontractor may use the protected health information for inference, as identifiable health information, from ehr. (45 CFR 164.504(e)(2)(i))",
		"(45 CFR 164.504(e)(2)(ii)(B))", "within 30 hours", "BAA-R20", "policy", "For Deep Labels Ltd", "Ends: No end date"} {
		if !strings.Contains(text, want) {
			t.Errorf("the draft has no %q", want)
		}
	}
	if _, err := paper.PDF(d); err != nil {
		t.Error(err)
	}
	if _, err := paper.DOCX(d); err != nil {
		t.Error(err)
	}
}

func FuzzWording(f *testing.F) {
	f.Add("exit", []byte(`{"return_days":[{"a":null}]}`))
	f.Add("deid_right", []byte(`{"value":"none"}`))
	f.Fuzz(func(t *testing.T, field string, raw []byte) {
		a := &snapshot.Agreement{ID: "p", Kind: snapshot.BAA, Terms: map[string]snapshot.Term{field: {Value: raw}}, EffectiveAt: time.Unix(1e9, 0)}
		if _, err := paper.DOCX(Draft(a, parties, a.EffectiveAt)); err != nil {
			t.Error(err)
		}
	})
}
