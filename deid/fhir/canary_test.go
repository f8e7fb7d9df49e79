package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
)

// canaries writes an instance of a type with every element that R4 gives it,
// every type of each choice at once, and a canary in every primitive that can
// hold words: ZZ7Q, and where it stands.
type canaries struct {
	b     bytes.Buffer
	where map[string]canary
	depth int
}

type canary struct {
	path  string // "Patient.name.family", choices as in JSON
	chain []*spec.Element
}

var canaryPattern = regexp.MustCompile(`ZZ[0-9]+Q`)

func plant(typ string, depth int) ([]byte, map[string]canary) {
	c := &canaries{where: map[string]canary{}, depth: depth}
	t, _ := spec.Lookup(typ)
	c.b.WriteString(`{"resourceType":"` + typ + `"`)
	c.elements(t, typ, nil, false)
	c.b.WriteByte('}')
	return c.b.Bytes(), c.where
}

func (c *canaries) elements(t *spec.Type, path string, chain []*spec.Element, first bool) {
	for _, e := range t.Elements {
		switch {
		case e.Name == "implicitRules" || e.Name == "modifierExtension" || e.Name == "contained" || e.Type.Name == "Resource":
			continue
		case e.Type.Kind != spec.Primitive && e.Type.Name != "Extension" && c.deep(e, chain):
			continue
		}
		if !first {
			c.b.WriteByte(',')
		}
		first = false
		c.b.WriteString(`"` + e.JSON + `":`)
		if e.List {
			c.b.WriteByte('[')
		}
		here, line := path+"."+e.JSON, append(slices.Clip(chain), e)
		if e.Type.Kind == spec.Primitive {
			c.primitive(e, here, line)
		} else if e.Type.Name == "Extension" {
			c.b.WriteString(`{"url":"http://ehr.example/` + c.canary(here+".url", line) + `","valueString":"` + c.canary(here+".valueString", line) + `"}`)
		} else {
			c.b.WriteByte('{')
			c.elements(e.Type, here, line, true)
			c.b.WriteByte('}')
		}
		if e.List {
			c.b.WriteByte(']')
		}
		if e.Type.Kind == spec.Primitive && e.JSON != "id" && e.JSON != "url" {
			open, shut := "", ""
			if e.List {
				open, shut = "[", "]"
			}
			c.b.WriteString(`,"_` + e.JSON + `":` + open + `{"id":"` + c.canary(here+".id", line) + `","extension":[{"url":"http://x","valueString":"` + c.canary(here+".extension", line) + `"}]}` + shut)
		}
	}
}

func (c *canaries) deep(e *spec.Element, chain []*spec.Element) bool {
	n := 0
	for _, above := range chain {
		if above.Type == e.Type {
			n++
		}
	}
	return n > 0 || len(chain) >= c.depth
}

func (c *canaries) canary(path string, chain []*spec.Element) string {
	name := fmt.Sprintf("ZZ%dQ", len(c.where))
	c.where[name] = canary{path, chain}
	return name
}

func (c *canaries) primitive(e *spec.Element, path string, chain []*spec.Element) {
	switch e.Type.Name {
	case "boolean":
		c.b.WriteString("true")
	case "integer", "unsignedInt", "positiveInt":
		c.b.WriteString("3")
	case "decimal":
		c.b.WriteString("3.50")
	case "date":
		c.b.WriteString(`"1950-01-02"`)
	case "dateTime":
		c.b.WriteString(`"1950-01-02T03:04:05Z"`)
	case "instant":
		c.b.WriteString(`"1950-01-02T03:04:05.678Z"`)
	case "time":
		c.b.WriteString(`"03:04:05"`)
	case "uri", "url", "canonical", "oid", "uuid":
		c.b.WriteString(`"urn:` + c.canary(path, chain) + `"`)
	default:
		if e.Path == "Reference.reference" {
			c.b.WriteString(`"Patient/` + c.canary(path, chain) + `"`)
			return
		}
		c.b.WriteString(`"` + c.canary(path, chain) + `"`)
	}
}

// wordsThatStay are the elements that hold words and still pass, to every role
// that covers them: this test's own list, next to the rulings'. Codes of any
// element are the other kind.
var wordsThatStay = []string{
	"Coding.system", "Coding.version", "Coding.display", "Quantity.system", "Quantity.unit",
	"Questionnaire.item.linkId", "Questionnaire.item.enableWhen.question",
	"QuestionnaireResponse.item.linkId", "QuestionnaireResponse.questionnaire", "Meta.profile",
}

// identifying are types of which nothing passes without leave.
var identifying = []string{"HumanName", "Address", "ContactPoint", "Identifier", "Annotation", "Signature", "Narrative"}

func mayStay(c canary) bool {
	for _, e := range c.chain[:len(c.chain)-1] {
		if slices.Contains(identifying, e.Type.Name) || e.Path == "Patient.contact" || e.Path == "Location.position" || strings.HasSuffix(e.Path, ".photo") {
			return false
		}
	}
	leaf := c.chain[len(c.chain)-1]
	if strings.HasSuffix(c.path, ".extension") || strings.HasSuffix(c.path, ".id") || leaf.Type.Name == "Extension" {
		return false
	}
	return leaf.Type.Name == "code" || slices.Contains(wordsThatStay, leaf.Path)
}

var dateInOutput = regexp.MustCompile(`1950-|03:04`)

func scoped() (types []string) {
	for _, typ := range spec.Resources() {
		switch typ {
		case "Bundle", "Parameters", "OperationOutcome", "CapabilityStatement":
		default:
			types = append(types, typ)
		}
	}
	return types
}

// TestEveryElementOfEveryType: under a scope that covers all of a type and may
// not have direct identifiers, words survive only where the lists above say so.
func TestEveryElementOfEveryType(t *testing.T) {
	survivors := map[string]bool{}
	for _, typ := range scoped() {
		raw, where := plant(typ, 5)
		for _, spec := range []deid.Spec{see(typ, "*"), see(typ, tops(typ)...)} {
			m := minimiser(t, spec)
			out, info, err := m.Append(nil, raw)
			if err != nil || info.Outcome != Released {
				t.Fatalf("%s: %v, %v", typ, info.Outcome, err)
			}
			for _, name := range canaryPattern.FindAllString(string(out), -1) {
				c := where[name]
				if !mayStay(c) {
					t.Errorf("%s survives", c.path)
				}
				survivors[c.chain[len(c.chain)-1].Path] = true
			}
			if at := dateInOutput.FindIndex(out); at != nil {
				t.Errorf("%s: a date survives: ...%s", typ, out[max(0, at[0]-60):at[1]])
			}
			check(t, typ, out, true)
		}
	}
	for _, path := range wordsThatStay {
		if !survivors[path] {
			t.Errorf("%s is on the list and never survived: the test did not plant it", path)
		}
	}
}

// tops are the elements of a type that a role can name, one by one.
func tops(typ string) (paths []string) {
	t, _ := spec.Lookup(typ)
	for _, e := range t.Elements {
		switch e.Name {
		case "id", "meta", "implicitRules", "contained", "modifierExtension":
		default:
			paths = append(paths, e.JSON)
		}
	}
	return paths
}

// check: the output is strict JSON, R4 defines every member of it, and what must
// be there is, or is masked.
func check(t reporter, typ string, out []byte, whole bool) {
	t.Helper()
	strictly(t, out)
	var v map[string]any
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	if v["resourceType"] != typ {
		t.Errorf("%s: resourceType is %v", typ, v["resourceType"])
	}
	delete(v, "resourceType")
	d, _ := spec.Lookup(typ)
	conforms(t, d, typ, v, whole)
}

func conforms(t reporter, d *spec.Type, path string, v map[string]any, whole bool) {
	if len(v) == 0 {
		t.Errorf("%s is an empty object", path)
	}
	if _, ok := v["extension"]; ok && len(v) == 1 && d.Kind != spec.Resource {
		return // masked
	}
	seen := map[string]bool{}
	for name, value := range v {
		e, ok := d.Field(name)
		if !ok {
			if e, ok = d.Sibling(name); !ok {
				t.Errorf("%s.%s: R4 does not define it", path, name)
				continue
			}
			seen[e.Path] = true
			continue
		}
		seen[e.Path] = true
		list, isList := value.([]any)
		if isList != e.List {
			t.Errorf("%s.%s: a list is %v, want %v", path, name, isList, e.List)
		}
		if isList && len(list) == 0 {
			t.Errorf("%s.%s is an empty list", path, name)
		}
		if !isList {
			list = []any{value}
		}
		for _, item := range list {
			o, isObject := item.(map[string]any)
			if isObject == (e.Type.Kind == spec.Primitive) {
				t.Errorf("%s.%s: an object is %v", path, name, isObject)
			}
			if isObject && e.Type.Kind == spec.Resource {
				typ, _ := o["resourceType"].(string)
				delete(o, "resourceType")
				inner, ok := spec.Lookup(typ)
				if !ok {
					t.Errorf("%s.%s: contained type %q", path, name, typ)
					continue
				}
				conforms(t, inner, typ, o, false)
			} else if isObject {
				conforms(t, e.Type, path+"."+name, o, whole)
			}
		}
	}
	if !whole {
		return
	}
	for _, e := range d.Elements {
		if e.Min > 0 && !seen[e.Path] && d.Name != "Extension" && !strings.Contains(path, ".meta.") {
			t.Errorf("%s: %s must be there, or be masked", path, e.JSON)
		}
	}
}

// TestNothingOutsideTheScope: whatever a role names, nothing that it does not
// name comes out.
func TestNothingOutsideTheScope(t *testing.T) {
	types := scoped()
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom(types).Draw(t, "type")
		s := deid.Spec{Resources: map[string][]string{typ: nil}}
		s.DirectIdentifiers = rapid.Bool().Draw(t, "direct")
		if rapid.Bool().Draw(t, "dates") {
			s.Dates = deid.KeepDates
		}
		for range rapid.IntRange(0, 4).Draw(t, "paths") {
			s.Resources[typ] = append(s.Resources[typ], drawPath(t, typ))
		}
		raw, where := plant(typ, 4)
		m := minimiser(t, s)
		out, info, err := m.Append(nil, raw)
		if err != nil || info.Outcome != Released {
			t.Fatalf("%v: %v, %v", s.Resources, info.Outcome, err)
		}
		check(t, typ, out, false)
		for _, name := range canaryPattern.FindAllString(string(out), -1) {
			c := where[name]
			covered := strings.HasPrefix(c.path, typ+".meta.")
			for _, p := range s.Resources[typ] {
				covered = covered || spec.Covers(typ+"."+p, c.path)
			}
			if !covered {
				t.Errorf("%s survives, and the role names only %v", c.path, s.Resources[typ])
			}
			if !s.DirectIdentifiers && !mayStay(c) && !strings.HasSuffix(c.path, ".state") && !strings.HasSuffix(c.path, ".country") {
				t.Errorf("%s survives without leave for direct identifiers, under %v", c.path, s.Resources[typ])
			}
		}
	})
}

// drawPath walks down from typ for one to three steps.
func drawPath(t *rapid.T, typ string) string {
	at, _ := spec.Lookup(typ)
	path := ""
	for range rapid.IntRange(1, 3).Draw(t, "depth") {
		var names []string
		for _, e := range at.Elements {
			if top := tops(typ); path != "" && e.Name != "modifierExtension" || slices.Contains(top, e.JSON) {
				names = append(names, e.JSON)
			}
		}
		if len(names) == 0 || at.Kind == spec.Primitive || at.Name == "Extension" {
			break
		}
		name := rapid.SampledFrom(names).Draw(t, "element")
		path = strings.TrimPrefix(path+"."+name, ".")
		e, _ := at.Field(name)
		at = e.Type
	}
	return path
}

// TestReferencesAgree: an id has one code, as an id, in a reference, in a
// versioned and in an absolute one, in every resource of a release.
func TestReferencesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9\-.]{1,64}`).Draw(t, "id")
		m := minimiser(t, deid.Spec{Resources: map[string][]string{"Patient": {"link"}, "Basic": {"subject", "author", "code"}}},
			func(o *Options) { o.Bases = []string{"https://ehr.example/r4"} })
		one, _, err := m.Append(nil, fmt.Appendf(nil, `{"resourceType":"Patient","id":%q,"link":[{"other":{"reference":"Patient/%s/_history/1"},"type":"seealso"}]}`, id, id))
		if err != nil {
			t.Fatal(err)
		}
		two, _, err := m.Append(nil, fmt.Appendf(nil, `{"resourceType":"Basic","code":{},"subject":{"reference":"Patient/%s"},"author":{"reference":"https://ehr.example/r4/Patient/%s"}}`, id, id))
		if err != nil {
			t.Fatal(err)
		}
		code := codeOf(id)
		for _, want := range []string{`"id":"` + code + `"`, `"Patient/` + code + `/_history/1"`} {
			if !bytes.Contains(one, []byte(want)) {
				t.Errorf("got %s, want %s in it", one, want)
			}
		}
		if want := `"subject":{"reference":"Patient/` + code + `"},"author":{"reference":"Patient/` + code + `"}`; !bytes.Contains(two, []byte(want)) {
			t.Errorf("got %s, want %s in it", two, want)
		}
		if calls := m.o.Codes.(*hashed).calls; calls != 1 {
			t.Errorf("the code was made %d times, want once", calls)
		}
	})
}
