package spec

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// r4 is the specification as text, one fact a line. Its grammar:
//
//	primitive|complex|resource|abstract-... NAME BASE
//	 ELEMENT CARDINALITY TYPES        one space of indent for each level
//	search RESOURCE
//	 CODE TYPE PATHS [>TARGETS] [&CODE:TYPE:PATHS ...]   or: CODE TYPE opaque
//	patient RESOURCE PARAMETERS
//
// CARDINALITY is ? (0..1), 1, * (0..*) or + (1..*). TYPES are separated by spaces:
// "{" opens a backbone element whose children follow one level deeper, "=PATH" is
// R4's contentReference, "any" is the open choice, "(A|B)" after a type names the
// targets of a reference, "!" says that the code's binding is required. Inherited
// elements are not repeated. Targets of a search parameter are "*" where any.
//
//go:embed r4.txt
var r4 string

//go:generate go run ./gen -package ${FHIR_R4_PACKAGE} -out r4.txt

type definitions struct {
	types     map[string]*Type
	resources []string
	search    map[string]map[string]*SearchParam
	patient   map[string][]string // compartment parameters
	subjects  map[string][]PatientElement
	trees     map[string]*PatientNode
}

// load reads the embedded text once, when the first question is asked: some
// milliseconds, so it is no burden on a program that does not ask.
var load = sync.OnceValue(func() *definitions {
	d, err := parse(r4)
	if err != nil {
		panic("fhir/spec: the embedded specification is damaged: " + err.Error()) // a build fault: no input can cause it
	}
	return d
})

func parse(text string) (*definitions, error) {
	d := &definitions{
		types:    make(map[string]*Type, 1024),
		search:   make(map[string]map[string]*SearchParam, 160),
		patient:  make(map[string][]string, 80),
		subjects: make(map[string][]PatientElement, 160),
		trees:    make(map[string]*PatientNode, 160),
	}
	p := &reader{d: d}
	for line := range strings.Lines(text) {
		if err := p.line(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
	}
	if err := p.link(); err != nil {
		return nil, err
	}
	slices.Sort(d.resources)
	for _, name := range d.resources {
		d.subjects[name], d.trees[name] = d.patientElements(name)
	}
	return d, nil
}

// reader keeps what a line leaves open: the types under way, by depth.
type reader struct {
	d       *definitions
	owners  []*Type
	search  string // the resource of the search block under way, or ""
	order   []*Type
	pending []pendingElement
}

type pendingElement struct {
	owner *Type
	name  string // "value[x]"
	types string
	min   int
	list  bool
	kid   *Type // of "{"
}

func (p *reader) line(line string) error {
	if line == "" || line[0] == '#' {
		return nil
	}
	if line[0] == ' ' {
		if p.search != "" {
			return p.parameter(line[1:])
		}
		return p.element(line)
	}
	word, rest, _ := strings.Cut(line, " ")
	name, arg, _ := strings.Cut(rest, " ")
	p.search = ""
	switch word {
	case "search":
		p.search = name
		p.d.search[name] = map[string]*SearchParam{}
		return nil
	case "patient":
		p.d.patient[name] = strings.Split(arg, ",")
		return nil
	}
	t := &Type{Name: name, Base: strings.TrimPrefix(arg, "-")}
	kind, abstract := strings.CutPrefix(word, "abstract-")
	t.Abstract = abstract
	switch kind {
	case "primitive":
		t.Kind = Primitive
	case "complex":
		t.Kind = Complex
	case "resource":
		t.Kind = Resource
		if !abstract {
			p.d.resources = append(p.d.resources, name)
		}
	default:
		return fmt.Errorf("unknown word %q", word)
	}
	p.d.types[name] = t
	p.order = append(p.order, t)
	p.owners = append(p.owners[:0], t)
	return nil
}

func (p *reader) element(line string) error {
	depth := len(line) - len(strings.TrimLeft(line, " "))
	name, rest, _ := strings.Cut(line[depth:], " ")
	card, types, ok := strings.Cut(rest, " ")
	if !ok || depth > len(p.owners) {
		return fmt.Errorf("not an element")
	}
	owner := p.owners[depth-1]
	e := pendingElement{owner: owner, name: name, types: types}
	switch card {
	case "?":
	case "1":
		e.min = 1
	case "*":
		e.list = true
	case "+":
		e.min, e.list = 1, true
	default:
		return fmt.Errorf("cardinality %q", card)
	}
	if types == "{" {
		e.kid = &Type{Name: owner.Name + "." + name, Kind: Backbone, Base: "BackboneElement"}
		if root := p.owners[0]; root.Kind == Complex {
			e.kid.Base = "Element" // inside a data type there is no modifierExtension, but for Timing and Dosage's own
		}
		p.d.types[e.kid.Name] = e.kid
		p.order = append(p.order, e.kid)
		p.owners = append(p.owners[:depth], e.kid)
	}
	p.pending = append(p.pending, e)
	return nil
}

// link makes the elements, once every type that they can name is known.
func (p *reader) link() error {
	own := make(map[*Type][]*Element, len(p.order))
	open := ""
	for _, e := range p.pending {
		if e.owner.Name == "Extension" && e.name == "value[x]" {
			open = e.types
		}
	}
	total := 0
	for _, e := range p.pending {
		types := e.types
		types, required := strings.CutSuffix(types, " !")
		if types == "any" {
			types = open
		}
		stem, choice := strings.CutSuffix(e.name, "[x]")
		path := e.owner.Name + "." + e.name
		for name := range strings.SplitSeq(types, " ") {
			el := &Element{Name: stem, Path: path, JSON: stem, Choice: choice, List: e.list, Min: e.min, Required: required, Type: e.kid}
			if e.kid == nil {
				name, targets, _ := strings.Cut(strings.TrimSuffix(name, ")"), "(")
				if targets != "" {
					el.Targets = strings.Split(targets, "|")
				}
				if el.Type = p.d.types[strings.TrimPrefix(name, "=")]; el.Type == nil {
					return fmt.Errorf("%s: no type %q", path, name)
				}
				if choice {
					el.JSON = stem + strings.ToUpper(name[:1]) + name[1:]
				}
			}
			own[e.owner] = append(own[e.owner], el)
			total++
		}
	}
	done := make(map[*Type]bool, len(p.order))
	var inherit func(t *Type) error
	inherit = func(t *Type) error {
		if done[t] {
			return nil
		}
		done[t] = true
		if t.Base != "" {
			b := p.d.types[t.Base]
			if b == nil {
				return fmt.Errorf("%s: no base %q", t.Name, t.Base)
			}
			if err := inherit(b); err != nil {
				return err
			}
			t.Elements = append(t.Elements, b.Elements...)
		}
		t.Elements = append(t.Elements, own[t]...)
		t.fields = make(map[string]*Element, len(t.Elements))
		for _, e := range t.Elements {
			t.fields[e.JSON] = e
		}
		return nil
	}
	for _, t := range p.order {
		if err := inherit(t); err != nil {
			return err
		}
	}
	return nil
}

func (p *reader) parameter(line string) error {
	code, rest, _ := strings.Cut(line, " ")
	kind, rest, ok := strings.Cut(rest, " ")
	if !ok {
		return fmt.Errorf("not a search parameter")
	}
	sp := &SearchParam{Code: code, Type: ParamType(kind), Base: p.search}
	p.d.search[p.search][code] = sp
	if rest == "opaque" {
		sp.Opaque = true
		return nil
	}
	for i, word := range strings.Split(rest, " ") {
		switch {
		case i == 0:
			sp.Elements = under(p.search, word)
		case word == ">*":
			sp.AnyTarget = true
		case word[0] == '>':
			sp.Targets = strings.Split(word[1:], ",")
		case word[0] == '&':
			parts := strings.Split(word[1:], ":")
			if len(parts) != 3 {
				return fmt.Errorf("component %q", word)
			}
			sp.Components = append(sp.Components, Component{Code: parts[0], Type: ParamType(parts[1]), Elements: under(p.search, parts[2])})
		default:
			return fmt.Errorf("unexpected %q", word)
		}
	}
	return nil
}

func under(resource, paths string) []string {
	all := strings.Split(paths, ",")
	for i := range all {
		all[i] = resource + "." + all[i]
	}
	return all
}
