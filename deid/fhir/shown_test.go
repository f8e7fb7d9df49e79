package fhir

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/hospital"
)

// appearing walks a released resource, slowly, for the elements that have data in it,
// as "Patient.name.family". What only says that something is masked is no data.
func appearing(into map[string]bool, role map[string][]string, v map[string]any) {
	typ, _ := v["resourceType"].(string)
	at, ok := spec.Lookup(typ)
	if !ok {
		return
	}
	for _, path := range role[typ] {
		if path == "*" || holds(at, v, strings.Split(path, ".")) {
			into[typ+"."+path] = true
		}
	}
	for _, c := range list(v["contained"]) {
		appearing(into, role, c.(map[string]any))
	}
}

func holds(at *spec.Type, v map[string]any, path []string) bool {
	for _, e := range at.Elements {
		if e.JSON != path[0] && (!e.Choice || e.Name+"[x]" != path[0]) {
			continue
		}
		values := []any{v[e.JSON]}
		if len(path) == 1 {
			values = append(values, v["_"+e.JSON])
		}
		for _, value := range values {
			all, ok := value.([]any)
			if !ok {
				all = []any{value}
			}
			for _, one := range all {
				object, ok := one.(map[string]any)
				switch {
				case one == nil, ok && standsIn(object):
				case len(path) == 1, ok && holds(e.Type, object, path[1:]), at.Name == "Extension" || e.Type.Name == "Extension":
					return true
				}
			}
		}
	}
	return false
}

// standsIn says whether an object stands for one that is masked.
func standsIn(v map[string]any) bool {
	for _, x := range list(v["extension"]) {
		if x, _ := x.(map[string]any); x["url"] == deid.DataAbsentReason && x["valueCode"] == "masked" {
			return true
		}
	}
	return false
}

// named are the marks of a release, as appearing has them.
func named(t reporter, role map[string][]string, list []deid.Shown) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	for i, s := range list {
		if i > 0 && list[i-1].Type >= s.Type {
			t.Errorf("%s comes after %s", s.Type, list[i-1].Type)
		}
		paths := slices.Compact(slices.Sorted(slices.Values(role[s.Type])))
		for n := range 64 * len(s.Bits) {
			switch set := s.Bits[n/64]>>(n%64)&1 == 1; {
			case set && n >= len(paths):
				t.Errorf("%s has mark %d, and the role names %d elements", s.Type, n, len(paths))
			case set:
				out[s.Type+"."+paths[n]] = true
			}
		}
	}
	return out
}

func sameMarks(t reporter, role map[string][]string, r deid.Release, resources ...[]byte) {
	t.Helper()
	want := map[string]bool{}
	for _, b := range resources {
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%v", err)
		}
		appearing(want, role, v)
	}
	if got := named(t, role, r.Shown()); !maps.Equal(got, want) {
		t.Errorf("under %v: marked %v, and there is %v in %s", role, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)), resources)
	}
}

// Whatever the role and whatever is missing from a resource, what is marked as shown is
// what a walk over the released JSON finds.
func TestMarksAreWhatIsThere(t *testing.T) {
	types := scoped()
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(types).Draw(t, "type")
		s := deid.Spec{Resources: map[string][]string{typ: nil}, DirectIdentifiers: rapid.Bool().Draw(t, "direct")}
		more := func(*Options) {}
		if !s.DirectIdentifiers && rapid.Bool().Draw(t, "safe harbor") {
			s.Profile, s.Dates = deid.SafeHarborProfile, deid.AsProfile
			more = func(o *Options) { o.Codes, o.AsOf = &drawn{}, asOf }
		}
		for range rapid.IntRange(1, 70).Draw(t, "paths") {
			p := drawPath(t, typ)
			if rapid.Bool().Draw(t, "any type") {
				p = anyOfChoice(typ, p)
			}
			s.Resources[typ] = append(s.Resources[typ], p)
		}
		raw, _ := plant(typ, 4)
		var v map[string]any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		prune(v, rapid.SliceOfN(rapid.SampledFrom([]string{"text", "code", "value", "coding", "system", "div", "status", "reference", "display"}), 0, 5).Draw(t, "missing"))
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		w := NewWriter(minimiser(t, s, more))
		if info, err := w.Line(raw); err != nil || info.Outcome != Released {
			t.Fatalf("%v: %v, %v", s.Resources, info.Outcome, err)
		}
		r := w.Take()
		sameMarks(t, s.Resources, r, r.Data().Open())
		if again := w.Take(); len(again.Shown()) != 0 {
			t.Errorf("the next release begins with marks: %v", again.Shown())
		}
	})
}

// anyOfChoice names the last element of a path by all of its types.
func anyOfChoice(typ, path string) string {
	at, _ := spec.Lookup(typ)
	segments := strings.Split(path, ".")
	for i, seg := range segments {
		e, ok := at.Field(seg)
		if !ok {
			return path
		}
		if i == len(segments)-1 && e.Choice {
			segments[i] = e.Name + "[x]"
		}
		at = e.Type
	}
	return strings.Join(segments, ".")
}

// prune takes members out wherever they stand.
func prune(v any, names []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			if slices.Contains(names, k) {
				delete(v, k)
				continue
			}
			prune(inner, names)
		}
	case []any:
		for _, inner := range v {
			prune(inner, names)
		}
	}
}

// What was written and taken back shows nothing; what is contained shows its own type's.
func TestMarksOfWhatDoesNotComeOut(t *testing.T) {
	role := map[string][]string{
		"Condition":         {"code", "onsetAge.value", "onsetAge.comparator", "onset[x]", "note.time", "bodySite.coding.display"},
		"MedicationRequest": {"status", "intent", "medication[x]"},
		"Medication":        {"code.coding", "form", "*"},
		"Encounter":         {"class"},
	}
	for name, raw := range map[string]string{
		"an age over 89":        `{"resourceType":"Condition","onsetAge":{"value":95,"unit":"years","code":"a"},"code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}}`,
		"an age under 90":       `{"resourceType":"Condition","onsetAge":{"value":5,"unit":"years","code":"a"}}`,
		"a note without text":   `{"resourceType":"Condition","note":[{"time":"2020-01-01T00:00:00Z"}]}`,
		"a coding without code": `{"resourceType":"Condition","bodySite":[{"coding":[{"system":"http://snomed.info/sct","display":"Ann"}]}]}`,
		"contained":             `{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationReference":{"reference":"#m"},"contained":[{"resourceType":"Medication","id":"m","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}}]}`,
		"nothing of it":         `{"resourceType":"Encounter","status":"finished"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := deid.Spec{Resources: role, Profile: deid.SafeHarborProfile, Dates: deid.AsProfile}
			w := NewWriter(minimiser(t, s, func(o *Options) { o.Codes, o.AsOf = &drawn{}, asOf }))
			if info, err := w.Try([]byte(`{"resourceType":"Condition","code":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}}`)); err != nil || info.Outcome != Released {
				t.Fatal(info.Outcome, err) // it is only looked at, and shows nothing
			}
			if info, err := w.Line([]byte(raw)); err != nil || info.Outcome != Released {
				t.Fatal(info.Outcome, err)
			}
			r := w.Take()
			sameMarks(t, role, r, r.Data().Open())
			for _, c := range r.Counts() {
				if !slices.ContainsFunc(r.Shown(), func(s deid.Shown) bool { return s.Type == c.Type }) {
					t.Errorf("of %s it is not said that nothing of it appeared", c.Type)
				}
			}
		})
	}
}

// A release of many resources shows what any of them does, each chunk its own.
func TestMarksOfManyResources(t *testing.T) {
	role := map[string][]string{
		"Patient": {"gender", "name", "deceased[x]", "maritalStatus", "address.state"}, "Observation": {"code", "value[x]", "valueQuantity.unit", "component.code", "bodySite"},
		"Condition": {"*", "note"}, "Encounter": {"class", "period.start"},
	}
	w := NewWriter(minimiser(t, deid.Spec{Resources: role}))
	n := 0
	chunk := func() {
		r := w.Take()
		var lines [][]byte
		for line := range strings.Lines(string(r.Data().Open())) {
			lines = append(lines, []byte(line))
		}
		sameMarks(t, role, r, lines...)
	}
	for r := range hospital.GenerateCanaries(7, 2).All() {
		if _, err := w.Line(r.JSON); err != nil {
			t.Fatalf("%s: %v", r.Type, err)
		}
		if n++; n%20 == 0 {
			chunk()
		}
	}
	chunk()
}
