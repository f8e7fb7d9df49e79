package deid

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fhir/spec"
)

var update = flag.Bool("update", false, "write docs/deid-rulings.md anew")

// TestPublishedTable: docs/deid-rulings.md is what the profiles say, and says it
// of every element of every R4 type. After a change of a profile:
//
//	go test ./deid -run PublishedTable -update
func TestPublishedTable(t *testing.T) {
	file := filepath.Join("..", "docs", "deid-rulings.md")
	want := rulingsTable(t)
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n")), want) {
		t.Error("docs/deid-rulings.md is not what the profiles say: run go test ./deid -run PublishedTable -update")
	}
}

func rulingsTable(t *testing.T) []byte {
	var b bytes.Buffer
	profiles := BuiltIn()
	fmt.Fprint(&b, "# What happens to every element of FHIR R4\n\n"+
		"Generated from the built-in profiles by `go test ./deid -run PublishedTable -update`. Do not edit.\n\n"+
		"A line is a type or a backbone element, what becomes of some of its elements under each profile, and which.\n"+
		"An element of a data type is ruled on where the data type defines it; what is below an element that is removed goes with it.\n"+
		"What R4 does not define goes, a modifier extension refuses the resource, `Element.id` goes, and the id of a resource becomes a code.\n"+
		"A reference's `display` and `identifier` go; `meta.source` goes, and of `meta.tag` only HL7's own stay.\n\n")
	var names []string
	for _, p := range profiles {
		names = append(names, p.Name())
	}
	fmt.Fprintf(&b, "Profiles, in this order: %s.\n\n| word | meaning |\n|---|---|\n", strings.Join(names, ", "))
	for _, o := range Outcomes {
		fmt.Fprintf(&b, "| %s | %s |\n", o[0], o[1])
	}
	lists := make([][]Ruling, len(profiles))
	for i, p := range profiles {
		lists[i] = p.Rulings()
	}
	fmt.Fprint(&b, "\n## Elements\n\n")
	type line struct {
		owner, what string
		names       []string
	}
	var lines []*line
	seen := map[string]bool{}
	for k := range lists[0] {
		r := lists[0][k]
		seen[r.Owner] = true
		var what []string
		for i := range lists {
			if x := lists[i][k]; x.Owner != r.Owner || x.Name != r.Name {
				t.Fatalf("the profiles do not rule on the same elements: %v, %v", x, r)
			} else {
				what = append(what, x.What)
			}
		}
		word := strings.Join(what, ", ")
		if slices.Equal(what, []string{what[0], what[0], what[0], what[0]}) {
			word = what[0]
		}
		i := slices.IndexFunc(lines, func(l *line) bool { return l.owner == r.Owner && l.what == word })
		if i < 0 {
			lines = append(lines, &line{owner: r.Owner, what: word})
			i = len(lines) - 1
		}
		lines[i].names = append(lines[i].names, r.Name)
	}
	slices.SortStableFunc(lines, func(x, y *line) int {
		root := func(l *line) string { r, _, _ := strings.Cut(l.owner, "."); return r }
		if spec.IsResource(root(x)) != spec.IsResource(root(y)) {
			if spec.IsResource(root(x)) {
				return 1
			}
			return -1
		}
		return strings.Compare(x.owner, y.owner)
	})
	for _, l := range lines {
		fmt.Fprintf(&b, "- `%s`: %s: %s\n", l.owner, l.what, shorten(l.names))
	}
	for _, typ := range spec.Resources() {
		if !seen[typ] && !slices.Contains(bare, typ) {
			t.Errorf("%s is not in the table", typ)
		}
	}
	for i, p := range profiles {
		fmt.Fprintf(&b, "\n## Extensions: %s\n\n", p.Name())
		list := p.doc.Extensions
		if i > 0 && p.doc.Extends != "" {
			fmt.Fprintf(&b, "As %s, and:\n\n", p.doc.Extends)
			list = slices.DeleteFunc(slices.Clone(list), func(e Extension) bool {
				return slices.ContainsFunc(profiles[0].doc.Extensions, func(x Extension) bool { return fmt.Sprint(x) == fmt.Sprint(e) })
			})
		}
		for _, e := range list {
			fmt.Fprintf(&b, "- `%s`: %s\n", e.URL, stays(e))
		}
	}
	return b.Bytes()
}

// bare are resource types that define no elements of their own.
var bare = []string{}

// shorten puts the choices of one element together.
func shorten(names []string) string {
	var out []string
	for _, n := range names {
		name, typ, choice := strings.Cut(n, ":")
		if k := len(out) - 1; choice && k >= 0 && strings.HasPrefix(out[k], name+" ") {
			out[k] = strings.TrimSuffix(out[k], ")") + " " + typ + ")"
		} else if choice {
			out = append(out, name+" ("+typ+")")
		} else {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}

func stays(e Extension) string {
	if e.Removed != "" {
		return "removed: " + e.Removed
	}
	words := slices.Clone(e.Values)
	for _, p := range e.Parts {
		words = append(words, p.URL+" ("+stays(p)+")")
	}
	return strings.Join(words, ", ")
}
