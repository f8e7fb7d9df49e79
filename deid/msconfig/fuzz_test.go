package msconfig

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// fuzzRules have something of every method in them.
const fuzzRules = `{"fhirPathRules": [
	{"path": "nodesByType('Extension')", "method": "redact"},
	{"path": "nodesByType('HumanName').use | Patient.active", "method": "keep"},
	{"path": "Resource.id", "method": "cryptoHash"},
	{"path": "nodesByType('Reference').reference", "method": "cryptoHash"},
	{"path": "nodesByType('date')", "method": "dateShift"},
	{"path": "nodesByType('dateTime')", "method": "dateShift"},
	{"path": "nodesByType('instant')", "method": "redact"},
	{"path": "nodesByType('Address').where(city.exists()).city", "method": "encrypt"},
	{"path": "nodesByType('Address').period", "method": "substitute", "replaceWith": {"start": "2000"}},
	{"path": "nodesByName('postalCode')", "method": "redact"},
	{"path": "Observation.value", "method": "perturb", "span": 3, "rangeType": "proportional"},
	{"path": "nodesByType('code')", "method": "generalize", "cases": {"$this.matches('^[a-m]')": "$this.substring(0, 1) + '-'"}, "otherValues": "keep"},
	{"path": "nodesByType('HumanName')", "method": "redact"}],
	"parameters": {"dateShiftKey": "k", "cryptoHashKey": "k", "encryptKey": "0123456789abcdef", "enablePartialDatesForRedact": true,
		"enablePartialAgesForRedact": true, "enablePartialZipCodesForRedact": true, "restrictedZipCodeTabulationAreas": ["036"]}}`

// FuzzConfig: what is read can be run and reported on, and reads the same again.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(fuzzRules))
	f.Add([]byte("\xEF\xBB\xBF" + `{"fhirPathRules": [{"path": "A | B", "method": "keep",},], /* x */ "processingError": "raise"}`))
	f.Add([]byte(`{"fhirPathRules": [{"path": "(a.b as C)[0].d", "method": "generalize", "cases": "{\"true\": \"1\"}"}]}`))
	f.Add([]byte(`{"fhirPathRules": [{"path": "nodesByName(\"x\").y", "method": "substitute", "replaceWith": 1e3}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		cfg, err := Read(raw)
		if err != nil {
			if cfg != nil {
				t.Fatal("there is an error and a configuration")
			}
			return
		}
		again, err := Read(raw)
		if err != nil || again.Digest() != cfg.Digest() || again.Rules() != cfg.Rules() {
			t.Fatalf("it does not read the same again: %v", err)
		}
		if len(raw) < 2000 && cfg.Rules() < 5 {
			cfg.Differences()
		}
		a, err := New(cfg, Options{AsOf: asOf, Rand: zeros{}})
		if err != nil {
			t.Fatal(err)
		}
		out, _, err := a.Resource(nil, []byte(sampleObservation))
		if err == nil && !json.Valid(out) {
			t.Fatal("the output is not JSON")
		}
	})
}

// FuzzExpression: what parses is evaluated within bounds, and the same twice.
func FuzzExpression(f *testing.F) {
	for _, s := range []string{
		"Patient.name.where(use = 'official').given[0]", "$this >= @1990-01-01 and $this < @2000-01-01T00:00:00Z", "a | b as C",
		"('a' | `b c` | \"d\") contains $this", "-1.50 * (2 div 3) mod 4 / 5", "x.matches('^\\\\d+$') or {} implies %loinc = 'y' xor true",
		"iif(a.exists(), 5 'mg', 3 days) > 1", "descendants().descendants().count() > 1 // comment", "nodesByType('code').distinct().isDistinct()", "@T10:30:00.5 ~ @T10",
	} {
		f.Add(s)
	}
	n, err := parse([]byte(sampleObservation), &arena{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x, err := parseExpr(s)
		if err != nil {
			se, ok := err.(*syntaxError)
			if !ok || se.at < 0 || se.at > len(s) {
				t.Fatalf("the error %v has no place in %d bytes", err, len(s))
			}
			return
		}
		var sizes [2]int
		for i := range sizes {
			tr := tree{budget: 200_000}
			out, err := x.eval(tr.env(n))
			sizes[i] = len(out)
			if err != nil {
				sizes[i] = -1
			}
		}
		if sizes[0] != sizes[1] {
			t.Fatalf("got %d items, then %d", sizes[0], sizes[1])
		}
	})
}

// FuzzResource: the output is a resource of the type that went in, an error holds
// nothing of the input, and nothing is appended with it.
func FuzzResource(f *testing.F) {
	cfg, err := Read([]byte(fuzzRules))
	if err != nil {
		f.Fatal(err)
	}
	a, err := New(cfg, Options{AsOf: asOf, Rand: zeros{}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(sampleObservation))
	f.Add([]byte(`{"resourceType":"Patient","id":"ZZ1","_birthDate":{"id":"x"},"name":[{"given":["ZZ2",null],"_given":[null,{"id":"y"}]}],"address":[{"city":"ZZ3","postalCode":"0361","period":{"end":"2001-02-03"}}]}`))
	f.Add([]byte(`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","valueQuantity":{"value":-1.5e3}},"fullUrl":"urn:uuid:ZZ"}]}`))
	f.Add([]byte(`{"id":"a","contained":[{"id":"b","resourceType":"Basic"}],"resourceType":"Basic","meta":{"lastUpdated":"2015-02-07T13:28:17.239999999Z"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, n, err := a.Resource([]byte("x"), raw)
		if err != nil {
			if string(out) != "x" || n != (Counts{}) {
				t.Fatal("there is an error and an output")
			}
			if strings.Contains(err.Error(), "ZZ") {
				t.Fatalf("the error tells a value: %v", err)
			}
			return
		}
		var before, after struct{ ResourceType string }
		if json.Unmarshal(out[1:], &after) != nil || json.Unmarshal(raw, &before) != nil || before.ResourceType != after.ResourceType {
			t.Fatalf("%s became %s", before.ResourceType, after.ResourceType)
		}
		if bytes.Contains(raw, []byte(`"ZZ2"`)) && bytes.Contains(out, []byte(`"ZZ2"`)) && n.Redacted == 0 {
			t.Fatal("a name passed that a rule removes")
		}
		again, _, err := a.Resource([]byte("x"), raw)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("the second run differs: %v", err)
		}
	})
}
