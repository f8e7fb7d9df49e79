package msconfig

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid"
)

func differencesOf(t *testing.T, rules, params string) []Difference {
	t.Helper()
	return anonymizer(t, rules, params, Options{}).cfg.Differences()
}

func has(ds []Difference, k Kind, rule int, path string) *Difference {
	for i, d := range ds {
		if d.Kind == k && d.Rule == rule && d.Path == path {
			return &ds[i]
		}
	}
	return nil
}

// TestFailOpen: without rules everything that our profile removes passes, and
// the report says so for the elements that matter, with the letter.
func TestFailOpen(t *testing.T) {
	ds := differencesOf(t, "", "")
	for path, letters := range map[string]string{
		"HumanName.family": "A", "Address.line": "B", "Address.postalCode": "B", "Patient.birthDate": "C", "Observation.effective[x]": "C",
		"ContactPoint.value": "DEFN", "Identifier.value": "GHIJKR", "Coverage.subscriberId": "I", "Device.serialNumber": "M", "Attachment.url": "N",
		"Attachment.data": "QR", "Resource.id": "R", "Reference.reference": "R", "Address.state": "",
	} {
		d := has(ds, Passes, -1, path)
		if d == nil {
			t.Errorf("%s is not reported", path)
			continue
		}
		if d.Letters != letters || d.Citation == "" || len(d.Resources) == 0 {
			t.Errorf("%s: got the letters %q, the citation %q, %d types, want the letters %q", path, d.Letters, d.Citation, len(d.Resources), letters)
		}
	}
	for _, path := range []string{"Annotation.text", "Narrative.div", "CodeableConcept.text", "Reference.display", "Element.extension", "Observation.value[x]"} {
		if d := has(ds, FreeText, -1, path); d == nil || d.Citation != "45 CFR 164.514(b)(2)(i)(A) to (R)" {
			t.Errorf("%s: got %+v, want free text", path, d)
		}
	}
	for _, d := range ds {
		if d.Path == "Coding.code" || d.Path == "Observation.status" || d.Path == "Quantity.value" {
			t.Errorf("%s is reported, and our profile keeps it", d.Path)
		}
	}
}

// TestWhatIsRemovedIsNotReported: each rule takes its elements off the report.
func TestWhatIsRemovedIsNotReported(t *testing.T) {
	before := differencesOf(t, "", "")
	for rule, path := range map[string]string{
		`{"path": "nodesByType('HumanName')", "method": "redact"}`:                                           "HumanName.family",
		`{"path": "Patient.birthDate", "method": "substitute", "replaceWith": "1990"}`:                       "Patient.birthDate",
		`{"path": "Resource.descendants().ofType(Narrative)", "method": "redact"}`:                           "Narrative.div",
		`{"path": "nodesByName('identifier').value", "method": "redact"}`:                                    "Account.identifier.value",
		`{"path": "nodesByType('Extension')", "method": "redact"}`:                                           "Element.extension",
		`{"path": "Device.serialNumber", "method": "generalize", "cases": {"true": "'x'"}}`:                  "Device.serialNumber",
		`{"path": "nodesByType('string') | nodesByType('markdown')", "method": "redact"}`:                    "CodeableConcept.text",
		`{"path": "nodesByType('Reference').reference", "method": "cryptoHash"}`:                             "Reference.reference",
		`{"path": "nodesByType('date')", "method": "dateShift"}, {"path": "Patient.name", "method": "keep"}`: "Patient.birthDate",
	} {
		after := differencesOf(t, rule, "")
		if path == "Account.identifier.value" {
			path = "Identifier.value"
			if d := has(after, Passes, -1, path); d != nil && slices.Contains(d.Resources, "Account") {
				t.Errorf("%s: %s still passes in Account", rule, path)
			}
			continue
		}
		find := func(ds []Difference) bool {
			return has(ds, Passes, -1, path) != nil || has(ds, FreeText, -1, path) != nil
		}
		if !find(before) {
			t.Errorf("%s is not reported without a rule", path)
		}
		if find(after) {
			t.Errorf("%s: %s is still reported", rule, path)
		}
	}
}

func TestWhatMethodsLeaveIsReported(t *testing.T) {
	ds := differencesOf(t, `
		{"path": "Organization.address", "method": "keep"},
		{"path": "nodesByType('Address')", "method": "redact"},
		{"path": "nodesByType('date')", "method": "dateShift"},
		{"path": "Resource.id", "method": "cryptoHash"},
		{"path": "Patient.gender", "method": "encrypt"},
		{"path": "Patient.maritalStatus.text | Patient.language", "method": "redact"},
		{"path": "Observation.note.text", "method": "generalize", "cases": {"true": "'x'"}, "otherValues": "keep"},
		{"path": "Observation.valueQuantity", "method": "redact"},
		{"path": "Patient.address.city", "method": "redact"},
		{"path": "Patient.contact.where(gender = 'male')", "method": "redact"},
		{"path": "Patient.communication.language.text", "method": "dateShift"}`,
		`"enablePartialZipCodesForRedact": true, "restrictedZipCodeTabulationAreas": ["036", "05"]`)
	for _, want := range []struct {
		kind Kind
		rule int
		path string
		says string
	}{
		{Passes, 0, "Address.city", "keeps it"},
		{Shift, 2, "nodesByType('date')", "101"},
		{Derived, 3, "Resource.id", "164.514(c)"},
		{Derived, 4, "Patient.gender", "CBC"},
		{Union, 5, "Patient.maritalStatus.text | Patient.language", "first"},
		{Unanswered, 6, "Observation.note.text", "otherValues"},
		{Dead, 7, "Observation.valueQuantity", "no element"},
		{Shadowed, 8, "Patient.address.city", "earlier"},
		{Conditional, 9, "Patient.contact.where(gender = 'male')", "by value"},
		{FreeText, 10, "CodeableConcept.text", "does nothing"},
		{PartialZIP, -1, "restrictedZipCodeTabulationAreas", "063 102"},
	} {
		d := has(ds, want.kind, want.rule, want.path)
		if d == nil {
			t.Errorf("%v of rule %d on %s is not reported", want.kind, want.rule, want.path)
			continue
		}
		if !strings.Contains(d.Message, want.says) || d.Citation == "" {
			t.Errorf("%s: got %q (%s), want %q in it", want.path, d.Message, d.Citation, want.says)
		}
	}
	if d := has(ds, PartialZIP, -1, "restrictedZipCodeTabulationAreas"); d != nil && strings.Contains(d.Message, "036") || d != nil && strings.Contains(d.Message, " 059") {
		t.Errorf("listed prefixes are reported: %s", d.Message)
	}
	if has(ds, Passes, -1, "Address.city") != nil {
		t.Error("an address that is redacted everywhere but in one type is reported as named by no rule")
	}
	fixed := differencesOf(t, `{"path": "nodesByType('date')", "method": "dateShift"}`, `"dateShiftFixedOffsetInDays": 7`)
	if d := has(fixed, Shift, 0, "nodesByType('date')"); d == nil || !strings.Contains(d.Message, "same number") {
		t.Errorf("got %+v, want a fixed shift", d)
	}
}

// TestReportAgreesWithTheRun: what the report says passes does pass, and what it
// does not mention does not, for a canary in every text element of every type.
func TestReportAgreesWithTheRun(t *testing.T) {
	a := anonymizer(t, `{"path": "nodesByType('HumanName').use", "method": "keep"}, {"path": "nodesByType('HumanName')", "method": "redact"},
		{"path": "Patient.contact", "method": "redact"}, {"path": "nodesByName('text')", "method": "redact"},
		{"path": "nodesByType('Reference').reference", "method": "cryptoHash"}, {"path": "Observation.value", "method": "redact"},
		{"path": "nodesByType('uri') | nodesByType('canonical')", "method": "redact"}`, "", Options{})
	ds := a.cfg.Differences()
	for _, typ := range []string{"Patient", "Observation", "Practitioner", "Claim", "Questionnaire", "AuditEvent", "Consent"} {
		s := sample{}
		root := onlyOneChoice(s.resource(typ))
		raw := root.write(nil)
		out, _, err := a.Resource(nil, raw)
		if err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		passed := map[string]bool{} // by element: somewhere in the resource
		root.descend(true, func(n *node) {
			if n.val.kind == text && ours(n.el) != deid.Keep {
				el := n.el
				if up := enclosing(n); up != nil {
					el = up.el
				}
				passed[el.Path] = passed[el.Path] || bytes.Contains(out, []byte(`"`+n.val.s+`"`))
			}
		})
		for path, got := range passed {
			reported := slices.ContainsFunc(ds, func(d Difference) bool {
				return (d.Kind == Passes || d.Kind == FreeText) && d.Path == path && slices.Contains(d.Resources, typ)
			})
			// A choice element is reported for each of its types; here is the first.
			if got && !reported || reported && !got && !strings.HasSuffix(path, "[x]") {
				t.Errorf("%s: %s passes: %v, reported: %v", typ, path, got, reported)
			}
		}
	}
}

// onlyOneChoice leaves the first type of each choice element.
func onlyOneChoice(n *node) *node {
	seen := map[string]bool{}
	var kids []*node
	for _, k := range n.kids {
		if k.el.Choice && seen[k.name] {
			continue
		}
		seen[k.name] = true
		kids = append(kids, onlyOneChoice(k))
	}
	n.kids = kids
	return n
}
