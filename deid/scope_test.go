package deid

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

func scope(t *testing.T, s Spec) *Scope {
	t.Helper()
	got, err := NewScope(s)
	if err != nil {
		t.Fatalf("NewScope: %v", err)
	}
	return got
}

// TestNewScopeIsStrict: what a role gets wrong is named, with what it may have meant.
func TestNewScopeIsStrict(t *testing.T) {
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		name        string
		spec        Spec
		field, says string
	}{
		{"type", Spec{Resources: map[string][]string{"Pateint": nil}}, "resources.Pateint", "Patient"},
		{"datatype", Spec{Resources: map[string][]string{"HumanName": nil}}, "resources.HumanName", "Did you mean"},
		{"envelope", Spec{Resources: map[string][]string{"Bundle": nil}}, "resources.Bundle", "Name the types"},
		{"abstract", Spec{Resources: map[string][]string{"Resource": nil}}, "resources.Resource", "Name the types"},
		{"element", Spec{Resources: map[string][]string{"Patient": {"birthdate"}}}, "resources.Patient.birthdate", `"birthDate"`},
		{"element below", Spec{Resources: map[string][]string{"Patient": {"name.familiy"}}}, "resources.Patient.name.familiy", `"family"`},
		{"below a primitive", Spec{Resources: map[string][]string{"Patient": {"gender.x"}}}, "resources.Patient.gender.x", "End it there"},
		{"below a choice", Spec{Resources: map[string][]string{"Observation": {"value[x].unit"}}}, "resources.Observation.value[x].unit", "valueQuantity"},
		{"choice without its mark", Spec{Resources: map[string][]string{"Observation": {"value"}}}, "resources.Observation.value", `"value[x]"`},
		{"with its type", Spec{Resources: map[string][]string{"Patient": {"Patient.name"}}}, "resources.Patient.Patient.name", "Did you mean"},
		{"empty path", Spec{Resources: map[string][]string{"Patient": {""}}}, "resources.Patient.", "Did you mean"},
		{"id", Spec{Resources: map[string][]string{"Patient": {"id"}}}, "resources.Patient.id", "Leave it out"},
		{"modifierExtension", Spec{Resources: map[string][]string{"Patient": {"contact.modifierExtension"}}}, "resources.Patient.contact.modifierExtension", "Leave it out"},
		{"too deep", Spec{Resources: map[string][]string{"Questionnaire": {strings.Repeat("item.", 40) + "text"}}}, "resources.Questionnaire", "nearer"},
		{"dates", Spec{Dates: "month"}, "dates", `"year", "keep" or`},
		{"identifiers", Spec{Identifiers: "hash"}, "identifiers", `"pseudonym" or "keep"`},
		{"profile", Spec{Profile: "safe-harbour"}, "profile", MinimumNecessary},
		{"a template", Spec{Profile: ExpertDeterminationProfile}, "profile", "164.514(b)(1)"},
		{"dates that the profile does not keep", Spec{Profile: SafeHarborProfile, Dates: KeepDates}, "dates", "profile"},
		{"ids that the profile does not keep", Spec{Profile: LimitedDataSetProfile, Identifiers: KeepIDs}, "identifiers", "pseudonym"},
		{"direct identifiers that the profile takes out", Spec{Profile: SafeHarborProfile, DirectIdentifiers: true}, "direct_identifiers", "Leave it out"},
		{"window", Spec{Since: day, Until: day}, "until", "later"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, err := NewScope(c.spec)
			if err == nil || s != nil {
				t.Fatal("it was accepted")
			}
			p := problem.From(err)
			if p.Kind != problem.Invalid || p.Field != c.field || !strings.Contains(p.NextStep, c.says) {
				t.Errorf("got %s, field %q, %q, want field %q, %q", p.Kind, p.Field, p.NextStep, c.field, c.says)
			}
		})
	}
}

// TestSpecDefaultsAreTheStrictest.
func TestSpecDefaultsAreTheStrictest(t *testing.T) {
	got := scope(t, Spec{}).Spec()
	if got.Dates != Years || got.Identifiers != Pseudonyms || got.Profile != MinimumNecessary || got.DirectIdentifiers {
		t.Errorf("got %+v", got)
	}
	var none *Scope
	if none.Resource([]byte("Patient")) != nil || none.Covers("Patient.gender") || none.Names("Patient.gender") || none.Types() != nil {
		t.Error("no scope shows something")
	}
}

// TestDigest: equal views have equal digests, and every part of a view counts.
func TestDigest(t *testing.T) {
	day := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	a := Spec{Resources: map[string][]string{"Patient": {"gender", "name"}}}
	same := Spec{Resources: map[string][]string{"Patient": {"name", "gender", "name"}}, Dates: Years, Identifiers: Pseudonyms, Profile: MinimumNecessary}
	if scope(t, a).Digest() != scope(t, same).Digest() {
		t.Error("the same view, written otherwise, has another digest")
	}
	others := []Spec{
		{},
		{Resources: map[string][]string{"Patient": {"gender"}}},
		{Resources: map[string][]string{"Patient": {"gender", "name"}, "Basic": nil}},
		{Resources: a.Resources, Dates: KeepDates},
		{Resources: a.Resources, Identifiers: KeepIDs},
		{Resources: a.Resources, DirectIdentifiers: true},
		{Resources: a.Resources, Since: day},
		{Resources: a.Resources, Until: day},
	}
	seen := map[[32]byte]int{scope(t, a).Digest(): -1}
	for i, o := range others {
		d := scope(t, o).Digest()
		if j, ok := seen[d]; ok {
			t.Errorf("views %d and %d have the same digest", i, j)
		}
		seen[d] = i
	}
}

// TestSight: what a role sees of an element, and so what it may ask about it.
func TestSight(t *testing.T) {
	view := map[string][]string{
		"Patient":     {"gender", "birthDate", "name", "address.state", "identifier", "generalPractitioner", "contact"},
		"Observation": {"code", "status", "subject", "effective[x]", "valueQuantity", "issued", "component.code"},
		"Condition":   {"*"},
	}
	plain := scope(t, Spec{Resources: view})
	open := scope(t, Spec{Resources: view, Dates: KeepDates, Identifiers: KeepIDs, DirectIdentifiers: true})
	cases := []struct {
		path       string
		param      spec.ParamType
		plain, any Sight // of the plain and of the open scope
	}{
		{"Patient.gender", spec.TypeToken, Full, Full},
		{"Patient.birthDate", spec.TypeDate, Yearly, Full},
		{"Patient.name", spec.TypeString, Hidden, Full},
		{"Patient.name.family", spec.TypeString, Hidden, Full},
		{"Patient.address", spec.TypeString, Hidden, Hidden},
		{"Patient.address.state", spec.TypeString, Full, Full},
		{"Patient.address.city", spec.TypeString, Hidden, Hidden},
		{"Patient.identifier", spec.TypeToken, Hidden, Full},
		{"Patient.generalPractitioner", spec.TypeReference, Coded, Full},
		{"Patient.telecom", spec.TypeToken, Hidden, Hidden},
		{"Patient.active", spec.TypeToken, Hidden, Hidden},
		{"Patient.id", spec.TypeToken, Coded, Full},
		{"Patient.meta.lastUpdated", spec.TypeDate, Hidden, Full},
		{"Patient.meta.profile", spec.TypeURI, Full, Full},
		{"Patient.meta.tag", spec.TypeToken, Hidden, Hidden},
		{"Patient.meta.source", spec.TypeURI, Hidden, Hidden},
		{"Observation.code", spec.TypeToken, Full, Full},
		{"Observation.subject", spec.TypeReference, Coded, Full},
		{"Observation.effective[x]", spec.TypeDate, Yearly, Full},
		{"Observation.effectiveDateTime", spec.TypeDate, Yearly, Full},
		{"Observation.effectivePeriod", spec.TypeDate, Yearly, Full},
		{"Observation.value[x]", spec.TypeQuantity, Hidden, Hidden}, // only one of its types
		{"Observation.valueQuantity", spec.TypeQuantity, Full, Full},
		{"Observation.valueString", spec.TypeString, Hidden, Hidden},
		{"Observation.issued", spec.TypeDate, Hidden, Full},
		{"Observation.component.code", spec.TypeToken, Full, Full},
		{"Observation.component.valueQuantity", spec.TypeQuantity, Hidden, Hidden},
		{"Condition.code", spec.TypeToken, Full, Full},
		{"Condition.note", spec.TypeString, Hidden, Hidden}, // a star names nothing
		{"Encounter.status", spec.TypeToken, Hidden, Hidden},
		{"Observation.nothing", spec.TypeToken, Hidden, Hidden},
		{"Observation", spec.TypeToken, Hidden, Hidden},
		{"", spec.TypeToken, Hidden, Hidden},
	}
	for _, c := range cases {
		if got := plain.Search(c.path, c.param); got != c.plain {
			t.Errorf("%s as %s: got %s, want %s", c.path, c.param, got, c.plain)
		}
		if got := open.Search(c.path, c.param); got != c.any {
			t.Errorf("%s as %s, all allowed: got %s, want %s", c.path, c.param, got, c.any)
		}
	}
	for path, want := range map[string]bool{
		"Patient.gender": true, "Observation.code.coding": true,
		"Observation.code":  false, // its text goes
		"Patient.birthDate": false, "Observation.subject": false, "Patient.name": false, "Encounter.status": false,
	} {
		if got := plain.Covers(path); got != want {
			t.Errorf("Covers(%s): got %v, want %v", path, got, want)
		}
	}
	for path, want := range map[string]bool{
		"Patient.gender": true, "Observation.code": true, "Patient.birthDate": true,
		"Patient.telecom": false, "Patient.name": false, "Patient.address": true, "Observation.issued": false,
	} {
		if got := plain.Names(path); got != want {
			t.Errorf("Names(%s): got %v, want %v", path, got, want)
		}
	}
}

// TestEveryTypeHasARuling: a datatype that R4 defines and the table forgets
// would vanish without anybody having decided so, and an entry for what R4 does
// not define would look like a decision.
func TestEveryTypeHasARuling(t *testing.T) {
	used := map[string]bool{}
	paths := map[string]bool{}
	for _, typ := range spec.Resources() {
		look(typ, used, paths)
	}
	for _, p := range BuiltIn() {
		for typ := range used {
			if _, ok := p.types[typ]; !ok && typ != "Meta" && typ != "Resource" {
				t.Errorf("%s: %s has no ruling", p.Name(), typ)
			}
		}
		for path := range p.paths {
			path, _, _ = strings.Cut(path, ":")
			if !paths[path] {
				t.Errorf("%s: %s has a ruling, and R4 does not define it", p.Name(), path)
			}
		}
	}
	for path := range modifiers {
		if !paths[path] {
			t.Errorf("%s is a modifier, and R4 does not define it", path)
		}
	}
	for typ, list := range clinicalDates {
		kids, ok := children(typ)
		if !ok || timeless[typ] {
			t.Errorf("%s has clinical dates: known to R4 %v, timeless %v", typ, ok, timeless[typ])
		}
		for _, e := range list {
			if !slices.ContainsFunc(kids, func(k child) bool { return k.name == e || k.name == e+"[x]" || k.choices[0].name == e }) {
				t.Errorf("%s.%s is a clinical date, and R4 does not define it", typ, e)
			}
		}
	}
	for typ := range timeless {
		if !spec.IsResource(typ) {
			t.Errorf("%s is timeless, and R4 does not define it", typ)
		}
	}
}

func look(typ string, used, paths map[string]bool) {
	kids, ok := children(typ)
	if !ok || typ == "Resource" {
		return
	}
	for _, k := range kids {
		if paths[k.path] && k.path != "Element.id" && k.path != "Element.extension" && k.path != "BackboneElement.modifierExtension" {
			continue
		}
		paths[k.path] = true
		for _, ch := range k.choices {
			first := !used[ch.inner]
			used[ch.typ], used[ch.inner] = true, true
			if ch.typ == "BackboneElement" {
				delete(used, ch.inner) // ruled as what it is
				first = !paths[ch.inner+".*"]
				paths[ch.inner+".*"] = true
			}
			if first {
				look(ch.inner, used, paths)
			}
		}
	}
}

func TestActionsHaveNames(t *testing.T) {
	if got := Action(200).String(); got != "remove" {
		t.Errorf("an unknown action: got %q, want the name of the zero one", got)
	}
	if got := Extend.String(); got != "extend" {
		t.Errorf("got %q", got)
	}
}
