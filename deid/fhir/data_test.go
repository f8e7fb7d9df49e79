package fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/internal/need"
)

// data is the folder of public synthetic data, which is not part of the product.
func data(t *testing.T, folder string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(need.DataFile(t, folder), "*json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the folder %s of the sample data is empty (%v)", folder, err)
	}
	return files
}

// everything is a scope that covers all of every type, without leave for direct
// identifiers.
func everything() deid.Spec {
	s := deid.Spec{Resources: map[string][]string{}}
	for _, typ := range scoped() {
		s.Resources[typ] = []string{"*"}
	}
	return s
}

// TestExamples: R4's own examples, one for each type.
func TestExamples(t *testing.T) {
	m := minimiser(t, everything())
	for _, file := range data(t, "fhir-r4-examples") {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v struct{ ResourceType, ID string }
		if json.Unmarshal(raw, &v) != nil || v.ResourceType == "" {
			continue
		}
		out, info, err := m.Append(nil, raw)
		if !slices.Contains(scoped(), v.ResourceType) {
			if err != nil || info.Outcome != NotInScope {
				t.Errorf("%s: got %v, %v, want it not in scope", filepath.Base(file), info.Outcome, err)
			}
			continue
		}
		if bytes.Contains(raw, []byte(`"modifierExtension"`)) {
			if !errors.Is(err, ErrNotUnderstood) {
				t.Errorf("%s: got %v, %v, want it refused for its modifier extension", filepath.Base(file), info.Outcome, err)
			}
			continue
		}
		if err != nil || info.Outcome != Released {
			t.Errorf("%s: got %v, %v", filepath.Base(file), info.Outcome, err)
			continue
		}
		check(t, v.ResourceType, out, false)
		if bytes.Contains(out, []byte("<div")) {
			t.Errorf("%s: narrative survives", filepath.Base(file))
		}
	}
}

// TestSynthea: whole records, in transaction bundles; none of what identifies
// their subjects comes out.
func TestSynthea(t *testing.T) {
	files := data(t, "synthea-r4-smart")
	if testing.Short() || raceEnabled {
		files = files[:min(2, len(files))]
	}
	for _, file := range files[:min(8, len(files))] {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Entry []struct {
				FullURL  string
				Resource jsontext.Value
			}
		}
		if err := json.Unmarshal(raw, &bundle); err != nil {
			t.Fatal(err)
		}
		words := subject(t, bundle.Entry[0].Resource)
		m := minimiser(t, everything(), func(o *Options) { o.URNs = true })
		var out []byte
		for i, e := range bundle.Entry {
			from := len(out)
			var info Info
			if out, info, err = m.Append(out, e.Resource); err != nil || info.Outcome != Released {
				t.Fatalf("%s: entry %d: %v, %v", filepath.Base(file), i, info.Outcome, err)
			}
			check(t, info.Type, out[from:], false)
		}
		for _, w := range words {
			if bytes.Contains(out, []byte(w)) {
				at := bytes.Index(out, []byte(w))
				t.Errorf("%s: %q survives: ...%s", filepath.Base(file), w, out[max(0, at-80):at+len(w)])
			}
		}
		t.Logf("%s: %d resources, %d kB in, %d kB out", filepath.Base(file), len(bundle.Entry), len(raw)>>10, len(out)>>10)
	}
}

// subject lists what identifies a Synthea patient and is long enough not to
// turn up by chance.
func subject(t *testing.T, raw []byte) (words []string) {
	var p struct {
		ID        string
		BirthDate string
		Name      []struct {
			Family string
			Given  []string
		}
		Telecom []struct{ Value string }
		Address []struct {
			Line             []string
			City, PostalCode string
		}
		Identifier []struct{ Value string }
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	words = append(words, p.ID, p.BirthDate)
	for _, n := range p.Name {
		words = append(append(words, n.Family), n.Given...)
	}
	for _, x := range p.Telecom {
		words = append(words, x.Value)
	}
	for _, a := range p.Address {
		words = append(append(words, a.City), a.Line...)
	}
	for _, x := range p.Identifier {
		words = append(words, x.Value)
	}
	return slices.DeleteFunc(words, func(w string) bool { return len(w) < 6 || strings.TrimSpace(w) == "" })
}

// TestBulk: NDJSON of a bulk export.
func TestBulk(t *testing.T) {
	m := minimiser(t, everything())
	w := NewWriter(m)
	for _, file := range data(t, "synthea-bulk-10") {
		if filepath.Base(file) == "log.ndjson" {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(raw) {
			if info, err := w.Line(bytes.TrimSpace(line)); err != nil || info.Outcome != Released {
				t.Fatalf("%s: %v, %v", filepath.Base(file), info.Outcome, err)
			}
		}
	}
	r := w.Take()
	n := 0
	for _, c := range r.Counts() {
		n += c.N
	}
	if got := bytes.Count(r.Data().Open(), []byte("\n")); got != n || n == 0 {
		t.Errorf("got %d lines, want the %d that were counted", got, n)
	}
}
