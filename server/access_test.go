package server

import (
	"slices"
	"strings"
	"testing"
)

// What people who pick fields are told of an element is what the profiles say.
func TestRulingsOfAnElement(t *testing.T) {
	r := newRulings(nil)
	for _, c := range []struct {
		profile, path string
		has, lacks    string
	}{
		{"minimum-necessary", "Patient.name", "named", "kept"},
		{"minimum-necessary", "Patient.name.family", "named", "kept"},
		{"safe-harbor", "Patient.name", "removed", "named"},
		{"safe-harbor", "Patient.gender", "kept", "removed"},
		{"minimum-necessary", "Observation.code", "kept", ""},
		{"minimum-necessary", "Observation.value[x]", "kept", ""},
		{"minimum-necessary", "Observation.valueQuantity", "kept", "named"},
		{"minimum-necessary", "Patient.contact", "named", ""},
		{"safe-harbor", "Patient.address.postalCode", "zip3", "zip"},
	} {
		got := r.Of(c.profile, c.path)
		if !slices.Contains(got, c.has) || c.lacks != "" && slices.Contains(got, c.lacks) {
			t.Errorf("%s under %s: got %s, want %q and not %q", c.path, c.profile, strings.Join(got, " "), c.has, c.lacks)
		}
	}
	for _, c := range [][2]string{{"none", "Patient.gender"}, {"safe-harbor", "Patient.nothing"}, {"safe-harbor", "Nothing"}, {"safe-harbor", ""}} {
		if got := r.Of(c[0], c[1]); len(got) > 0 {
			t.Errorf("%v: got %v of what is not known", c, got)
		}
	}
}
