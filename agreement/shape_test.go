package agreement_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/hipaa"
)

// A term's shape has the parts that the catalogue's type names, and no others but those
// that are listed here.
func TestShapesAreAsTheCatalogueHasThem(t *testing.T) {
	more := map[string][]string{"delegated_obligations": {"not_applicable"}} // 164.504(e)(2)(ii)(H) applies "to the extent"
	member := regexp.MustCompile(`^([a-z0-9_]+)`)
	inner := regexp.MustCompile(`\[[^\]]*\]`)
	for _, term := range hipaa.Terms() {
		s, ok := agreement.ShapeOf(term.Field)
		if term.Field == "instrument" || term.Field == "permitted_uses" {
			if ok {
				t.Errorf("%s stands in the agreement itself, and has a shape", term.ID)
			}
			continue
		}
		if !ok {
			t.Errorf("%s (%s) has no shape", term.ID, term.Type)
			continue
		}
		want := slices.Clone(more[term.Field])
		kind, rest, _ := strings.Cut(term.Type, "+")
		switch {
		case strings.HasPrefix(kind, "map{purpose:["):
			names, _, _ := strings.Cut(strings.TrimPrefix(kind, "map{purpose:["), "]")
			want = append(want, strings.Split(names, ",")...)
		case strings.Contains(kind, "{"):
			_, body, _ := strings.Cut(kind, "{")
			for one := range strings.SplitSeq(inner.ReplaceAllString(strings.TrimSuffix(body, "}"), ""), ",") {
				want = append(want, member.FindString(one))
			}
		case rest != "":
			for one := range strings.SplitSeq(rest, "+") {
				if name := member.FindString(one); name != "clause" {
					want = append(want, name)
				}
			}
		}
		var got []string
		for _, p := range s.Parts {
			got = append(got, p.Name)
			if p.Kind == 0 || p.Label == "" || p.Kind == agreement.Word && len(p.Words) == 0 {
				t.Errorf("%s: its part %q cannot be asked for", term.ID, p.Name)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got the parts %q, want %q of %s", term.ID, got, want, term.Type)
		}
		if s.Entries != strings.HasPrefix(term.Type, "list{") {
			t.Errorf("%s: entries are %v for %s", term.ID, s.Entries, term.Type)
		}
	}
}
