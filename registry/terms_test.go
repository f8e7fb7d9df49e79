package registry_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func TestTermsAreOfTheirType(t *testing.T) {
	const any = "\x00"
	w := demoWorld(t)
	for _, c := range []struct{ term, value, clause, field, next string }{
		{"safeguards", `true`, "§ 1", "", ""},
		{"safeguards", `false`, "§ 1", "", ""}, // a paper may lack it; the gate refuses then
		{"safeguards", `"yes"`, "§ 1", "value", "Write true or false"},
		{"safeguards", `true`, "", "clause", "Say where it stands"},
		{"safegards", `true`, "§ 1", any, `Did you mean "safeguards"?`},
		{"hovercraft_full_of_eels", `true`, "§ 1", any, "See the list"},
		{"instrument", `{}`, "", any, "Leave it out"},
		{"permitted_uses", `[]`, "", any, "permitted_uses of the agreement"},
		{"deid_right", `"none"`, "§ 1", "", ""},
		{"deid_right", `"noen"`, "§ 1", "value", `Did you mean "none"?`},
		{"subprocessor_approval", `"prior_written"`, "", "", ""},
		{"prompt_retention_days", `0`, "", "", ""},
		{"prompt_retention_days", `-1`, "", "value", ">=0"},
		{"prompt_retention_days", `1.5`, "", "value", "whole number"},
		{"breach_notice_hours", `1440`, "", "", ""},
		{"breach_notice_hours", `1441`, "", "value", "0<value<=1440"},
		{"breach_notice_hours", `0`, "", "value", "0<value<=1440"},
		{"vendor_record_retention_years", `5`, "", "value", "value>=6"},
		{"vendor_record_retention_years", `6`, "", "", ""},
		{"survival", `["a"]`, "", "", ""},
		{"survival", `"a"`, "", "value", "Write a list"},
		{"purpose_matrix", `{"inference":"allow","debug":"deny"}`, "", "", ""},
		{"purpose_matrix", `{"inferense":"allow"}`, "", "value.inferense", `Did you mean "inference"?`},
		{"purpose_matrix", `{"inference":"yes"}`, "", "value.inference", "allow"},
		{"regions", `{"storage":["US"]}`, "", "", ""},
		{"regions", `{"storage":"US"}`, "", "value.storage", "Write a list"},
		{"regions", `{"storge":["US"]}`, "", "value.storge", `Did you mean "storage"?`},
		{"training_requirement", `{"before_access":1}`, "", "value.before_access", "true or false"},
		{"destruction_certificate", `{"anything":1}`, "", "", ""},
		{"annual_verification", `{"months":12,"content":["sme_analysis"]}`, "", "", ""},
		{"no_identification_no_contact", `true`, "§ 9", "", ""}, // of a data use agreement
		{"permitted_users_recipients", `["model team"]`, "", "", ""},
		{"delegated_obligations", `true`, "§ 8", "", ""}, // BAA-M10
		{"delegated_obligations", `{"not_applicable":"the vendor carries out none"}`, "", "", ""},
		{"delegated_obligations", `{"not_applicable":"the vendor carries out none"}`, "§ 8", "", ""},
		{"delegated_obligations", `{"not_applicable":""}`, "§ 8", "value", "not_applicable"},
		{"delegated_obligations", `{"not_applicable":true}`, "§ 8", "value", "not_applicable"},
		{"delegated_obligations", `{"not_applicable":"x","also":1}`, "§ 8", "value", "not_applicable"},
		{"safeguards", `{"not_applicable":"no"}`, "§ 1", "value", "Write true"},
		{"safeguards", ``, "§ 1", "value", "Write true"},
		{"safeguards", `{`, "§ 1", "value", "Write true"},
	} {
		a := with(paper2, func(a *registry.DraftAgreement) {
			a.Terms = map[string]snapshot.Term{c.term: {Value: json.RawMessage(c.value), Clause: c.clause}}
		})
		err := registry.Check(w.view, registry.Actor{Person: "ada"}, a, w.now)
		if c.next == "" {
			if err != nil {
				t.Errorf("%s = %s: %v", c.term, c.value, err)
			}
			continue
		}
		want := "terms." + c.term
		if c.field != any {
			want += "." + c.field
		}
		if p := problem.From(err); p.Kind != problem.Invalid || p.Field != want || !strings.Contains(p.NextStep, c.next) {
			t.Errorf("%s = %s: got field %q, next %q; want %q, %q", c.term, c.value, p.Field, p.NextStep, want, c.next)
		}
	}
}

// Every type of the catalogue is understood: a value of no type is refused as
// wrong, and not as unknown.
func TestEveryTermTypeIsKnown(t *testing.T) {
	w := demoWorld(t)
	for _, term := range hipaa.Terms() {
		if term.Field == "instrument" || term.Field == "permitted_uses" {
			continue
		}
		a := with(paper2, func(a *registry.DraftAgreement) {
			a.Terms = map[string]snapshot.Term{term.Field: {Value: json.RawMessage("null"), Clause: "§"}}
		})
		p := problem.From(registry.Check(w.view, registry.Actor{Person: "ada"}, a, w.now))
		if p.Kind != problem.Invalid || strings.Contains(p.Title, "does not know") {
			t.Errorf("%s (%s): got %v", term.Field, term.Type, p)
		}
	}
}
