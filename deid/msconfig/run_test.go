package msconfig

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

func TestRules(t *testing.T) {
	tests := []vector{
		{name: "the first rule has it", rules: `{"path": "Patient.gender", "method": "keep"}, {"path": "nodesByType('code')", "method": "redact"}`,
			in: `{"resourceType": "Patient", "gender": "male", "language": "en"}`, want: `{"resourceType": "Patient", "gender": "male", ` + labelled("REDACTED") + `}`},
		{name: "only for its type", rules: `{"path": "Person.gender", "method": "redact"}`,
			in: `{"resourceType": "Patient", "gender": "male"}`, want: `{"resourceType": "Patient", "gender": "male"}`},
		{name: "Resource and DomainResource are every type", rules: `{"path": "DomainResource.text", "method": "redact"}, {"path": "Resource.language", "method": "redact"}`,
			in: `{"resourceType": "Patient", "text": {"status": "empty", "div": "<div>x</div>"}, "language": "en"}`, want: `{"resourceType": "Patient", ` + labelled("REDACTED") + `}`},
		{name: "the whole resource", rules: `{"path": "Patient", "method": "redact"}`,
			in: `{"resourceType": "Patient", "id": "a", "active": true}`, want: `{"resourceType": "Patient", ` + labelled("REDACTED") + `}`},
		{name: "what no rule names passes", rules: `{"path": "Patient.id", "method": "redact"}`,
			in: `{"resourceType": "Patient", "id": "a", "name": [{"text": "n"}]}`, want: `{"resourceType": "Patient", "name": [{"text": "n"}], ` + labelled("REDACTED") + `}`},
		{name: "as binds looser than |", rules: `{"path": "Condition.onset | Condition.abatement as Age", "method": "redact"}`,
			in: `{"resourceType": "Condition", "onsetString": "s", "abatementAge": {"value": 5}}`, want: `{"resourceType": "Condition", "onsetString": "s", ` + labelled("REDACTED") + `}`},
		{name: "a union holds equal values once", rules: `{"path": "Patient.name.family | Patient.contact.name.family", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "name": [{"family": "A"}, {"family": "A"}], "contact": [{"name": {"family": "A"}}, {"name": {"family": "B"}}]}`,
			want: `{"resourceType": "Patient", "name": [{"family": "A"}], "contact": [{"name": {"family": "A"}}], ` + labelled("REDACTED") + `}`},
		{name: "a predicate", rules: `{"path": "nodesByType('ContactPoint').where(use = 'home')", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "telecom": [{"use": "home", "value": "1"}, {"use": "work", "value": "2"}]}`,
			want: `{"resourceType": "Patient", "telecom": [{"use": "work", "value": "2"}], ` + labelled("REDACTED") + `}`},
		{name: "a look-up and a name", rules: `{"path": "nodesByName(\"address\").city", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "address": [{"city": "c", "state": "s"}], "contact": [{"address": {"city": "d"}}]}`,
			want: `{"resourceType": "Patient", "address": [{"state": "s"}], ` + labelled("REDACTED") + `}`},
		{name: "contained is processed alone, and labels what holds it", rules: `{"path": "Patient.name", "method": "redact"}, {"path": "Observation.status", "method": "cryptoHash"}`,
			in: `{"resourceType": "Observation", "status": "final", "contained": [{"resourceType": "Patient", "id": "p", "name": [{"text": "n"}], "active": true}]}`,
			want: `{"resourceType": "Observation", "status": "` + newHasher("k1").hex("final") + `", "contained": [{"resourceType": "Patient", "id": "p", "active": true}], ` +
				labelled("REDACTED", "CRYTOHASH") + `}`},
		{name: "an emptied contained resource stays", rules: `{"path": "Patient", "method": "redact"}`,
			in:   `{"resourceType": "Observation", "contained": [{"resourceType": "Patient", "active": true}]}`,
			want: `{"resourceType": "Observation", "contained": [{"resourceType": "Patient"}], ` + labelled("REDACTED") + `}`},
		{name: "entries are processed alone", rules: `{"path": "Patient.active", "method": "redact"}, {"path": "Bundle.entry.fullUrl", "method": "redact"}`,
			in: `{"resourceType": "Bundle", "type": "batch", "entry": [{"fullUrl": "u", "resource": {"resourceType": "Patient", "id": "p", "active": true}}, {"fullUrl": "v"}]}`,
			want: `{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Patient", "id": "p", ` + labelled("REDACTED") + `}}], ` +
				labelled("REDACTED") + `}`},
		// The tool's look-up finds the entry's resource itself, and then its rules
		// find everything in it taken.
		{name: "a look-up of a resource type", rules: `{"path": "nodesByType('Patient')", "method": "keep"}, {"path": "Patient.active", "method": "redact"}`,
			in:   `{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Patient", "active": true}}]}`,
			want: `{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Patient", "active": true}}]}`},
		{name: "a function that looks does not", rules: `{"path": "Bundle.nodesByType('Patient')", "method": "keep"}, {"path": "Patient.active", "method": "redact"}`,
			in:   `{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Patient", "id": "p", "active": true}}]}`,
			want: `{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Patient", "id": "p", ` + labelled("REDACTED") + `}}], ` + labelled("REDACTED") + `}`},
		{name: "a label that is there is not put again", rules: `{"path": "Patient.active", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "active": true, "meta": {"security": [{"code": "Redacted"}], "versionId": "1"}}`,
			want: `{"resourceType": "Patient", "meta": {"security": [{"code": "Redacted"}], "versionId": "1"}}`},
		{name: "one where a list is due", rules: `{"path": "Patient.active", "method": "keep"}`,
			in: `{"resourceType": "Patient", "name": {"given": "g"}, "active": "true"}`, want: `{"resourceType": "Patient", "name": [{"given": ["g"]}], "active": true}`},
		{name: "what is empty goes", rules: `{"path": "Patient.id", "method": "keep"}`,
			in: `{"resourceType": "Patient", "name": [{}, {"family": " "}], "active": null, "language": " en "}`, want: `{"resourceType": "Patient", "language": "en"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// TestLabels spells them out: the words of the tool, one of which lacks a letter.
func TestLabels(t *testing.T) {
	const hl7 = `"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", `
	vector{
		rules: `{"path": "Patient.id", "method": "redact"}, {"path": "Patient.address.postalCode", "method": "redact"}, {"path": "Patient.name", "method": "cryptoHash"},
			{"path": "Patient.telecom.value", "method": "encrypt"}, {"path": "Patient.birthDate", "method": "dateShift"}, {"path": "Patient.gender", "method": "substitute", "replaceWith": "other"},
			{"path": "Patient.language", "method": "generalize", "cases": {"true": "'en'"}}`,
		params: `, "enablePartialZipCodesForRedact": true`,
		in: `{"resourceType": "Patient", "id": "x", "name": [{"family": "f"}], "telecom": [{"value": "v"}], "birthDate": "2015-02-07", "gender": "male",
			"language": "fr", "address": [{"postalCode": "98052"}], "multipleBirthInteger": 2}`,
		want: `{"resourceType": "Patient", "name": [{"family": "` + newHasher("k1").hex("f") + `"}], "telecom": [{"value": "` + sealZeros("v") + `"}],
			"birthDate": "2015-02-24", "gender": "other", "language": "en", "address": [{"postalCode": "98000"}], "multipleBirthInteger": 2, "meta": {"security": [
			{` + hl7 + `"code": "REDACTED", "display": "redacted"},
			{` + hl7 + `"code": "ABSTRED", "display": "abstracted"},
			{` + hl7 + `"code": "CRYTOHASH", "display": "cryptographic hash function"},
			{` + hl7 + `"code": "MASKED", "display": "masked"},
			{"code": "PERTURBED", "display": "exact value is replaced with another exact value"},
			{"code": "SUBSTITUTED", "display": "exact value is replaced with a predefined value"},
			{"code": "GENERALIZED", "display": "exact value is replaced with a general value"}]}}`,
	}.run(t)
}

func sealZeros(s string) string {
	c, _ := newCipher("0123456789abcdef")
	out, _ := c.encrypt(s, zeros{})
	return out
}

func TestProcessingErrors(t *testing.T) {
	rules := `{"fhirPathRules": [{"path": "Patient.name.family", "method": "generalize", "cases": {"$this > 5": "'x'"}}], "parameters": {` + keys + `}`
	in := []byte(`{"resourceType": "Bundle", "type": "batch", "entry": [{"resource": {"resourceType": "Patient", "name": [{"family": "ZZCANARY"}]}}]}`)
	for _, mode := range []string{"raise", "skip"} {
		cfg, err := Read([]byte(rules + `, "processingErrors": "` + mode + `"}`))
		if err != nil {
			t.Fatal(err)
		}
		a, err := New(cfg, Options{AsOf: asOf})
		if err != nil {
			t.Fatal(err)
		}
		out, n, err := a.Resource([]byte("before"), in)
		if mode == "raise" {
			if err == nil || string(out) != "before" || strings.Contains(err.Error(), "ZZ") {
				t.Errorf("got %s, %v, want an error without a value and nothing appended", out, err)
			}
			continue
		}
		if err != nil || n.Skipped != 1 {
			t.Fatalf("got %v, %v, want it skipped", n, err)
		}
		same(t, bytes.TrimPrefix(out, []byte("before")), `{"resourceType": "Bundle", `+labelled("REDACTED")+`}`)
	}
}

// TestNoValueInAnError plants a value wherever a resource can be wrong.
func TestNoValueInAnError(t *testing.T) {
	a := anonymizer(t, `{"path": "Condition.onset.value", "method": "redact"}, {"path": "Patient.name", "method": "generalize", "cases": {"true": "1"}},
		{"path": "Patient.address", "method": "substitute", "replaceWith": "no JSON"}, {"path": "Patient.birthDate", "method": "dateShift"}, {"path": "Observation.status.length()", "method": "redact"},
		{"path": "Resource.meta.lastUpdated", "method": "cryptoHash"}, {"path": "Observation.value", "method": "perturb", "span": 1, "rangeType": "proportional"}`,
		`"enablePartialAgesForRedact": true, "dateShiftFixedOffsetInDays": 2000000`, Options{})
	for name, in := range map[string]string{
		"no JSON":                     `{"resourceType": "Patient", "id": ZZ}`,
		"twice":                       `{"resourceType": "Patient", "id": "ZZ", "id": "ZZ"}`,
		"not UTF-8":                   "{\"resourceType\": \"Patient\", \"id\": \"ZZ\xff\"}",
		"no object":                   `"ZZ"`,
		"no type":                     `{"id": "ZZ"}`,
		"an unknown type":             `{"resourceType": "ZZ"}`,
		"an abstract type":            `{"resourceType": "DomainResource", "id": "ZZ"}`,
		"an unknown element":          `{"resourceType": "Patient", "ZZ": 1}`,
		"an unknown element below":    `{"resourceType": "Patient", "contact": [{"ZZ": 1}]}`,
		"an unknown contained":        `{"resourceType": "Patient", "contained": [{"resourceType": "ZZ"}]}`,
		"a sibling of a complex one":  `{"resourceType": "Patient", "_name": [{"id": "ZZ"}]}`,
		"text for an object":          `{"resourceType": "Patient", "maritalStatus": "ZZ"}`,
		"an object for text":          `{"resourceType": "Patient", "gender": {"ZZ": "ZZ"}}`,
		"a list for one":              `{"resourceType": "Patient", "gender": ["ZZ"]}`,
		"a list in a list":            `{"resourceType": "Patient", "name": [["ZZ"]]}`,
		"no boolean":                  `{"resourceType": "Patient", "active": "ZZ"}`,
		"no integer":                  `{"resourceType": "Patient", "multipleBirthInteger": 1.5}`,
		"no date":                     `{"resourceType": "Patient", "birthDate": "2001-02-ZZ"}`,
		"no day":                      `{"resourceType": "Patient", "birthDate": "2001-02-30"}`,
		"a leap second":               `{"resourceType": "Observation", "effectiveDateTime": "2016-12-31T23:59:60Z"}`,
		"an age with a fraction":      `{"resourceType": "Condition", "onsetAge": {"value": 40.5}, "id": "ZZ"}`,
		"generalize on complex":       `{"resourceType": "Patient", "name": [{"family": "ZZ"}]}`,
		"substitute by no JSON":       `{"resourceType": "Patient", "address": [{"city": "ZZ"}]}`,
		"a date beyond the calendar":  `{"resourceType": "Patient", "birthDate": "9001-01-01", "id": "ZZ"}`,
		"a path to no element":        `{"resourceType": "Observation", "status": "ZZ"}`,
		"lastUpdated that is no time": `{"resourceType": "Patient", "meta": {"lastUpdated": "2015-02-07T13:28:17Z"}, "id": "ZZ"}`,
		"a negative range":            `{"resourceType": "Observation", "valueQuantity": {"value": -5}, "id": "ZZ"}`,
		"too deep":                    `{"resourceType": "Questionnaire", "item": [` + strings.Repeat(`{"item": [`, 300) + `{"text": "ZZ"}` + strings.Repeat(`]}`, 300) + `]}`,
	} {
		out, n, err := a.Resource(nil, []byte(in))
		switch {
		case err == nil:
			t.Errorf("%s: got %s, want an error", name, out)
		case out != nil || n != (Counts{}):
			t.Errorf("%s: got %s, %v besides the error", name, out, n)
		case strings.Contains(err.Error(), "ZZ"):
			t.Errorf("%s: the error tells a value: %v", name, err)
		}
	}
}

// TestNothingIsLost: a configuration that keeps everything gives back every
// resource of the sample data: each member, each digit, and the order.
func TestNothingIsLost(t *testing.T) {
	a := anonymizer(t, `{"path": "Resource", "method": "keep"}`, "", Options{})
	n := 0
	for _, folder := range []string{"fhir-r4-examples", "synthea-r4-smart", "synthea-bulk-10"} {
		files, _ := filepath.Glob(filepath.Join(need.DataFile(t, folder), "*json"))
		for _, file := range files {
			for _, raw := range bytes.Split(oneResource(read1(t, file), file), []byte("\n")) {
				if !bytes.Contains(raw, []byte(`"resourceType"`)) {
					continue
				}
				out, _, err := a.Resource(nil, raw)
				if err != nil {
					t.Errorf("%s: %v", filepath.Base(file), err)
					continue
				}
				n++
				if bytes.Equal(out, raw) || reflect.DeepEqual(trimmed(canonical(t, out)), trimmed(canonical(t, raw))) {
					continue
				}
				t.Errorf("%s: something changed", filepath.Base(file))
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d resources were there", n)
	}
}

// trimmed trims all texts, as the tool does.
func trimmed(v any) any {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v)
	case []any:
		for i := range v {
			v[i] = trimmed(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = trimmed(v[k])
		}
	}
	return v
}

func TestOrderAndDigitsStay(t *testing.T) {
	a := anonymizer(t, `{"path": "Observation.id", "method": "keep"}`, "", Options{})
	in := `{"resourceType":"Observation","status":"final","_status":{"id":"s"},"valueQuantity":{"value":1.500,"unit":"\u00b5g"},` +
		`"component":[{"code":{"text":"a"},"valueQuantity":{"value":1E-2}},{"valueSampledData":{"origin":{"value":-0.0}}}],"id":"x","code":{"text":"\"q\"\n"}}`
	got, n, err := a.Resource(nil, []byte(in))
	if err != nil || n != (Counts{}) {
		t.Fatal(n, err)
	}
	want := strings.ReplaceAll(strings.ReplaceAll(in, `\u00b5`, "µ"), `\n`, "")
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
