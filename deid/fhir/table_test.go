package fhir

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
)

// published reads docs/deid-rulings.md: what a profile makes of an element, by
// the path where R4 defines it and, for a choice, its type.
func published(t *testing.T, column int) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "deid-rulings.md"))
	must(t, err)
	out := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		rest, ok := strings.CutPrefix(line, "- `")
		if !ok || strings.HasPrefix(rest, "http") {
			continue
		}
		owner, rest, _ := strings.Cut(rest, "`: ")
		words, names, _ := strings.Cut(strings.TrimSpace(rest), ": ")
		what := strings.Split(words, ", ")
		word := what[0]
		if len(what) > 1 {
			word = what[column]
		}
		for n := range strings.SplitSeq(names, ", ") {
			name, types, choice := strings.Cut(n, " (")
			if !choice {
				out[owner+"."+name] = word
				continue
			}
			for typ := range strings.FieldsSeq(strings.TrimSuffix(types, ")")) {
				out[owner+"."+name+":"+typ] = word
			}
		}
	}
	if len(out) < 5000 {
		t.Fatalf("only %d elements are in the table", len(out))
	}
	return out
}

// TestCanariesAgainstThePublishedTable: of a canary in every element of every
// type that can hold words, those come out that the published table lets stand,
// under each profile, and no others.
func TestCanariesAgainstThePublishedTable(t *testing.T) {
	words := []string{"kept", "scrubbed", "display", "canonical"}
	for column, profile := range []string{deid.SafeHarborProfile, deid.LimitedDataSetProfile, "study"} {
		table := published(t, column)
		m := under(t, profile, func(o *Options) { o.Records, o.AsOf = recordOf{}, asOf })
		planted, survived := 0, map[string]int{}
		for _, typ := range scoped() {
			raw, where := plant(typ, 5)
			out, info, err := m.Append(nil, raw)
			if err != nil || info.Outcome != Released {
				t.Fatalf("%s: %v, %v", typ, info.Outcome, err)
			}
			planted += len(where)
			for _, name := range canaryPattern.FindAllString(string(out), -1) {
				c := where[name]
				for i, e := range c.chain {
					what, ok := table[e.Path]
					if !ok {
						what, ok = table[e.Path+":"+e.Type.Name]
					}
					switch {
					case strings.HasPrefix(e.Path, "Resource.") || strings.HasPrefix(e.Path, "DomainResource."):
						if e.Name != "meta" && e.Name != "text" && e.Name != "language" {
							t.Errorf("%s: %s survives", profile, c.path)
						}
					case !ok && e.Type.Kind != spec.Backbone:
						t.Errorf("%s: %s survives, and %s is not in the table", profile, c.path, e.Path)
					case i < len(c.chain)-1 && ok && what != "parts":
						t.Errorf("%s: %s survives below %s, which is %q", profile, c.path, e.Path, what)
					case i == len(c.chain)-1 && !slices.Contains(words, what):
						t.Errorf("%s: %s survives, and is %q in the table", profile, c.path, what)
					}
				}
				if strings.HasSuffix(c.path, ".extension") || strings.HasSuffix(c.path, ".id") || strings.HasSuffix(c.path, ".url") && c.chain[len(c.chain)-1].Type.Name == "Extension" {
					t.Errorf("%s: %s survives", profile, c.path)
				}
				survived[c.chain[len(c.chain)-1].Path]++
			}
			if profile != deid.LimitedDataSetProfile {
				if at := dateInOutput.FindIndex(out); at != nil && (profile == deid.SafeHarborProfile || string(out[at[0]:at[1]+5]) == "1950-01-02") {
					t.Errorf("%s: %s: a date survives: ...%s", profile, typ, out[max(0, at[0]-60):at[1]+8])
				}
			}
			check(t, typ, out, true)
		}
		t.Logf("%s: %d canaries in %d types, %d different elements survive", profile, planted, len(scoped()), len(survived))
		for path, word := range table { // the table promises no less than happens
			if word == "kept" && (path == "Coding.system" || path == "Quantity.unit" || path == "Patient.gender") && survived[path] == 0 {
				t.Errorf("%s: %s is kept by the table, and never survived", profile, path)
			}
		}
	}
}
