// Package spec knows what FHIR R4 (4.0.1) says: which elements a resource has,
// which elements a search parameter reads, which references make a resource part
// of a patient's record, what a SMART scope allows. It holds no patient data and
// does no I/O: the specification is embedded as text (r4.txt, made by gen).
//
// Whoever asks about something that R4 does not define is told so, and must
// refuse: what is not known here is not released.
package spec

import (
	"slices"
	"strings"
)

// Kind is what sort of type a Type is. The zero Kind is none.
type Kind uint8

// The kinds of type.
const (
	_         Kind = iota
	Primitive      // string, date, code ...: a JSON scalar, with a "_name" sibling for id and extension
	Complex        // HumanName, Reference ...
	Backbone       // a structure that belongs to one element: "Observation.component"
	Resource       // Patient, Observation ...
)

// Type is a resource, a data type, or the structure of a backbone element.
type Type struct {
	Name     string // "Observation", "HumanName", "Observation.component"
	Kind     Kind
	Base     string // the type that it specialises; "" for Resource and Element
	Abstract bool
	Elements []*Element // inherited first, then in R4's order; choices expanded

	fields map[string]*Element
}

// Field finds an element by its name in JSON: "status", "valueQuantity". The
// sibling "_status" that carries a primitive's id and extensions is no field of
// its own: see Sibling.
func (t *Type) Field(name string) (*Element, bool) {
	e, ok := t.fields[name]
	return e, ok
}

// FieldBytes is Field for a name that is still in a buffer; it does not allocate.
func (t *Type) FieldBytes(name []byte) (*Element, bool) {
	e, ok := t.fields[string(name)]
	return e, ok
}

// Sibling finds the primitive element whose id and extensions the JSON member
// name ("_birthDate") carries. Its value is an Element, or a list of them and
// null where the element is a list.
func (t *Type) Sibling(name string) (*Element, bool) {
	if len(name) < 2 || name[0] != '_' {
		return nil, false
	}
	e, ok := t.fields[name[1:]]
	if !ok || e.Type.Kind != Primitive {
		return nil, false
	}
	return e, true
}

// Element is one member of a type's JSON object. An element of choice,
// Observation.value[x], is one Element for each type that it can have.
type Element struct {
	Name     string   // "value": without [x], whatever the type
	Path     string   // "Observation.value[x]", as R4 writes it; an inherited element has its definer's: "Resource.id"
	JSON     string   // "valueQuantity"
	Type     *Type    // of the value; a content reference is resolved
	List     bool     // a JSON array
	Min      int      // 1: required
	Choice   bool     // [x]
	Required bool     // a code whose binding to its value set is required
	Targets  []string // of a Reference or canonical: resource types; nil is any
}

// MayTarget says whether the element is a reference that may name a resource of
// the type.
func (e *Element) MayTarget(resource string) bool {
	return e.Type.Name == "Reference" && (e.Targets == nil || slices.Contains(e.Targets, resource))
}

// Lookup finds a type by name: "Observation", "HumanName", "date",
// "Observation.component".
func Lookup(name string) (*Type, bool) {
	t, ok := load().types[name]
	return t, ok
}

// Resources lists the resource types that can be instances, sorted. The caller
// must not change it.
func Resources() []string { return load().resources }

// IsResource says whether name is a resource type that can have instances.
func IsResource(name string) bool {
	t, ok := load().types[name]
	return ok && t.Kind == Resource && !t.Abstract
}

// Path checks a path of elements that starts at a type and returns it as R4
// writes it, with what it leads to. It accepts a choice in each of the ways in
// which people write one: "Observation.value" and "Observation.value[x]" are all
// of its types (the Element is then the first), "Observation.valueQuantity" is one.
func Path(path string) (canonical string, e *Element, ok bool) {
	steps, ok := walk(path)
	if !ok || len(steps) == 0 {
		return "", nil, false
	}
	var b strings.Builder
	root, _, _ := strings.Cut(path, ".")
	b.WriteString(root)
	for _, s := range steps {
		b.WriteByte('.')
		b.WriteString(s.String())
	}
	return b.String(), steps[len(steps)-1].e[0], true
}

// Covers says whether someone who may see everything at and below the path
// visible thereby may see what is at the path read: "Patient.name" covers
// "Patient.name.family", "Observation.value[x]" covers "Observation.valueQuantity",
// "Patient" covers everything in a patient. Paths that R4 does not have are not
// covered and do not cover.
func Covers(visible, read string) bool {
	vRoot, vRest, vDot := strings.Cut(visible, ".")
	rRoot, rRest, rDot := strings.Cut(read, ".")
	if vRoot != rRoot || vDot != (vRest != "") || rDot != (rRest != "") {
		return false
	}
	if _, known := load().types[vRoot]; !known {
		return false
	}
	var v, r []step
	ok := true
	if vRest != "" {
		v, ok = walk(visible)
	}
	if ok && rRest != "" {
		r, ok = walk(read)
	}
	if !ok || len(v) > len(r) {
		return false
	}
	for i := range v {
		if v[i].e[0].Path != r[i].e[0].Path {
			return false
		}
		if !v[i].whole && (r[i].whole || v[i].e[0] != r[i].e[0]) {
			return false
		}
	}
	return true
}

// step is one name of a path: one element, or every type of a choice.
type step struct {
	e     []*Element
	whole bool // all types of a choice
}

func (s step) String() string {
	if s.whole {
		return s.e[0].Name + "[x]"
	}
	return s.e[0].JSON
}

func walk(path string) ([]step, bool) {
	root, rest, ok := strings.Cut(path, ".")
	t, known := load().types[root]
	if !ok || !known {
		return nil, false
	}
	types := []*Type{t}
	var steps []step
	for name := range strings.SplitSeq(rest, ".") {
		s, ok := find(types, name)
		if !ok {
			return nil, false
		}
		steps = append(steps, s)
		types = types[:0:0]
		for _, e := range s.e {
			types = append(types, e.Type)
		}
	}
	return steps, true
}

func find(types []*Type, name string) (step, bool) {
	for _, t := range types {
		if e, ok := t.fields[name]; ok {
			return step{e: []*Element{e}}, true
		}
	}
	stem := strings.TrimSuffix(name, "[x]")
	for _, t := range types {
		var s step
		for _, e := range t.Elements {
			if e.Choice && e.Name == stem {
				s.e = append(s.e, e)
			}
		}
		if len(s.e) > 0 {
			s.whole = true
			return s, true
		}
	}
	return step{}, false
}
