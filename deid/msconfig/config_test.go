package msconfig

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
)

func TestWhatIsRefusedWhenRead(t *testing.T) {
	rules := func(s string) string {
		return `{"fhirPathRules": [{"path": "Patient.name", "method": "keep"}, ` + s + `]}`
	}
	tests := []struct{ name, config, field, says string }{
		{"no JSON", `{"fhirPathRules": [}`, "configuration", "at byte"},
		{"a name twice", `{"fhirPathRules": [], "fhirPathRules": []}`, "configuration", "at byte"},
		{"something behind it", `{"fhirPathRules": []} x`, "configuration", ""},
		{"an unknown key", `{"fhirPathRules": [], "Rules": []}`, "Rules", "no such key"},
		{"no rules", `{"fhirVersion": "R4"}`, "fhirPathRules", "missing"},
		{"another version", `{"fhirVersion": "Stu3", "fhirPathRules": []}`, "fhirVersion", "R4"},
		{"errors kept", `{"processingErrors": "keep", "fhirPathRules": []}`, "processingErrors", "fail-open"},
		{"errors otherwise", `{"processingErrors": "stop", "fhirPathRules": []}`, "processingErrors", "neither"},
		{"an unknown parameter", `{"fhirPathRules": [], "parameters": {"cryptoHashLength": 8}}`, "parameters.cryptoHashLength", "no such key"},
		{"a key of the wrong length", `{"fhirPathRules": [], "parameters": {"encryptKey": "short"}}`, "parameters.encryptKey", "bits"},
		{"an unknown scope", `{"fhirPathRules": [], "parameters": {"dateShiftScope": "planet"}}`, "parameters.dateShiftScope", "type"},
		{"a number for a flag", `{"fhirPathRules": [], "parameters": {"enablePartialDatesForRedact": 1}}`, "parameters.enablePartialDatesForRedact", "type"},
		{"numbers for ZIPs", `{"fhirPathRules": [], "parameters": {"restrictedZipCodeTabulationAreas": [36]}}`, "parameters.restrictedZipCodeTabulationAreas", "type"},
		{"a rule without a path", rules(`{"method": "keep"}`), "fhirPathRules[1].path", "missing"},
		{"a rule without a method", rules(`{"path": "Patient.name"}`), "fhirPathRules[1].method", "none of"},
		{"a custom method", rules(`{"path": "Patient.name", "method": "mask"}`), "fhirPathRules[1].method", "none of"},
		{"an unknown key in a rule", rules(`{"path": "Patient.name", "method": "keep", "unless": 1}`), "fhirPathRules[1].unless", "no such key"},
		{"a path that does not parse", rules(`{"path": "Patient.name.where(use='x'", "method": "keep"}`), "fhirPathRules[1].path", "at byte 26"},
		{"a rest that does not parse", rules(`{"path": "Patient | Person.name", "method": "keep"}`), "fhirPathRules[1].path", "at byte 8"},
		{"an unsupported function", rules(`{"path": "Patient.name.resolve()", "method": "keep"}`), "fhirPathRules[1].path", "at byte 13: the function resolve()"},
		{"the clock", rules(`{"path": "Patient.where(birthDate < today())", "method": "keep"}`), "fhirPathRules[1].path", "today()"},
		{"a variable", rules(`{"path": "Patient.where(id = %resource.id)", "method": "keep"}`), "fhirPathRules[1].path", "%resource"},
		{"$total", rules(`{"path": "Patient.where($total = 1)", "method": "keep"}`), "fhirPathRules[1].path", "$total"},
		{"a type that is computed", rules(`{"path": "Patient.nodesByType(gender)", "method": "keep"}`), "fhirPathRules[1].path", "single quotes"},
		{"a pattern that looks ahead", rules(`{"path": "Patient.where(id.matches('a(?=b)'))", "method": "keep"}`), "fhirPathRules[1].path", "pattern"},
		{"a pattern that looks back", rules(`{"path": "Patient.where(id.matches('(a)\\\\1'))", "method": "keep"}`), "fhirPathRules[1].path", "pattern"},
		{"date arithmetic", rules(`{"path": "Patient.where(birthDate + 3 days > @2000)", "method": "keep"}`), "fhirPathRules[1].path", "quantity"},
		{"substitute without a value", rules(`{"path": "Patient.name", "method": "substitute"}`), "fhirPathRules[1].replaceWith", "missing"},
		{"perturb without a span", rules(`{"path": "Patient.name", "method": "perturb"}`), "fhirPathRules[1].span", "number"},
		{"a negative span", rules(`{"path": "Patient.name", "method": "perturb", "span": -1}`), "fhirPathRules[1].span", "number"},
		{"29 digits", rules(`{"path": "Patient.name", "method": "perturb", "span": 1, "roundTo": 29}`), "fhirPathRules[1].roundTo", "28"},
		{"a range of another kind", rules(`{"path": "Patient.name", "method": "perturb", "span": 1, "rangeType": "wide"}`), "fhirPathRules[1].rangeType", "neither"},
		{"generalize without cases", rules(`{"path": "Patient.name", "method": "generalize"}`), "fhirPathRules[1].cases", "object"},
		{"a condition that does not parse", rules(`{"path": "Patient.name", "method": "generalize", "cases": {"true": "1", "$this >": "1"}}`), "fhirPathRules[1].cases[1]", "the condition: at byte 7"},
		{"a value that does not parse", rules(`{"path": "Patient.name", "method": "generalize", "cases": {"true": "now()"}}`), "fhirPathRules[1].cases[0]", "the value: at byte 0"},
		{"other values", rules(`{"path": "Patient.name", "method": "generalize", "cases": {}, "otherValues": "guess"}`), "fhirPathRules[1].otherValues", "neither"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := Read([]byte(tt.config))
			var p *problem.Problem
			if cfg != nil || !errors.As(err, &p) {
				t.Fatalf("got %v, %v, want a problem", cfg, err)
			}
			if p.Field != tt.field || !strings.Contains(p.Title, tt.says) {
				t.Errorf("got %q: %q, want %q with %q", p.Field, p.Title, tt.field, tt.says)
			}
			if p.NextStep == "" {
				t.Error("there is no next step")
			}
		})
	}
}

// TestRelaxedJSON: what the tool's reader and its samples have besides JSON.
func TestRelaxedJSON(t *testing.T) {
	raw := []byte("\xEF\xBB\xBF" + `{ // comment, with "quotes" and }
		"FhirVersion": "r4", /* another, ] */
		"processingError": "skip",
		"processingErrors": "RAISE",
		"fhirPathRules": [
			{"path": "Patient.birthDate", "method": "Redact"},
			{"path": "Patient.name.where(family = '//, }')", "method": "keep", },
		],
		"parameters": {"dateShiftKey": "", "enablePartialDatesForRedact": "True", "restrictedZipCodeTabulationAreas": null, "customSettings": {}}
	}`)
	cfg, err := Read(raw)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Rules() != 2 || cfg.skip || !cfg.params.partialDates {
		t.Errorf("got %d rules, skip %v, partial dates %v, want 2, false, true", cfg.Rules(), cfg.skip, cfg.params.partialDates)
	}
	if cfg.Digest() != sha256.Sum256(raw) {
		t.Error("the digest is not of what was given")
	}
	ignored := false
	for _, d := range cfg.Differences() {
		ignored = ignored || d.Kind == Ignored && d.Path == "processingError"
	}
	if !ignored {
		t.Error("the key that the tool ignores is not reported")
	}
}

// TestKeysStayIn: nothing prints a key.
func TestKeysStayIn(t *testing.T) {
	a := anonymizer(t, `{"path": "Resource.id", "method": "cryptoHash"}`, `"dateShiftKey": "ZZONE", "cryptoHashKey": "ZZTWO", "encryptKey": "ZZTHREEZZTHREEZZ"`, Options{})
	for _, v := range []any{a, a.cfg} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(verb, v); strings.Contains(s, "ZZ") {
				t.Errorf("%s prints a key: %s", verb, s)
			}
		}
	}
	for _, d := range a.cfg.Differences() {
		if s := fmt.Sprintf("%+v", d); strings.Contains(s, "ZZ") {
			t.Errorf("a difference holds a key: %s", s)
		}
	}
}

func TestWhatNewRefuses(t *testing.T) {
	cfg, err := Read([]byte(`{"fhirPathRules": [{"path": "Patient.name", "method": "encrypt"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	day := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		cfg  *Config
		o    Options
	}{
		{"no configuration", nil, Options{AsOf: day, Rand: zeros{}}},
		{"no day", cfg, Options{Rand: zeros{}}},
		{"no randomness for the keys", cfg, Options{AsOf: day}},
		{"no randomness to encrypt", cfg, Options{AsOf: day, DateShiftKey: "a", CryptoHashKey: "b", EncryptKey: "0123456789abcdef"}},
		{"a short key", cfg, Options{AsOf: day, Rand: zeros{}, EncryptKey: "short"}},
	}
	for _, tt := range tests {
		if a, err := New(tt.cfg, tt.o); a != nil || err == nil {
			t.Errorf("%s: got %v, %v, want an error", tt.name, a, err)
		}
	}
	// With randomness, keys that are missing are made, and differ.
	a, err := New(cfg, Options{AsOf: day, Rand: &counting{}})
	if err != nil {
		t.Fatal(err)
	}
	if a.params.cryptoHashKey == "" || a.params.cryptoHashKey == a.params.encryptKey || a.params.cryptoHashKey == a.params.dateShiftKey {
		t.Error("the keys are not random")
	}
	// A file must be named where dates are shifted by file.
	b := anonymizer(t, `{"path": "nodesByType('date')", "method": "dateShift"}`, `"dateShiftScope": "file"`, Options{})
	in := []byte(`{"resourceType": "Patient", "birthDate": "2001-02-03"}`)
	if out, _, err := b.Resource(nil, in); err == nil || out != nil {
		t.Errorf("got %s, %v, want an error", out, err)
	}
	if _, _, err := b.In("a.ndjson", "").Resource(nil, in); err != nil {
		t.Errorf("got %v, want none with a file", err)
	}
}
