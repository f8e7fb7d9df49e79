package deid

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/release"
	"github.com/sallyport/sallyport/fhir/spec"
)

// Sight is how much of an element a role sees.
type Sight uint8

// The sights, from the least. The zero Sight is nothing.
const (
	Hidden Sight = iota // some of it is removed
	Yearly              // visible, its dates only to the year
	Coded               // visible, its ids as codes
	Full                // visible as it is
)

// String names the sight.
func (s Sight) String() string {
	switch s {
	case Yearly:
		return "yearly"
	case Coded:
		return "coded"
	case Full:
		return "full"
	default:
		return "hidden"
	}
}

// Covers reports whether every part of the element at the path ("Patient.name",
// "Observation.valueQuantity", "Observation.value[x]") reaches the role just as
// it is in the source. A CodeableConcept of which the text is removed is not
// covered, nor is a date that is cut to its year: see Search for what a search
// parameter may be asked.
func (s *Scope) Covers(path string) bool { return s.see(path, nil) == Full }

// Names reports whether the role names the element, or one above it: whether
// any of it can be visible. The role gate asks it for _elements.
func (s *Scope) Names(path string) bool {
	for _, f := range s.at(path) {
		if f.Op != Cut && f.Op != Refuse {
			return true
		}
	}
	return false
}

// searched are the parts of a type that a search parameter compares (R4 section
// 3.1.1.4), by the parameter's type and then the element's. All others are
// compared whole.
var searched = map[spec.ParamType]map[string][]string{
	spec.TypeToken: {
		"CodeableConcept": {"coding.system", "coding.code"},
		"Coding":          {"system", "code"},
		"Identifier":      {"system", "value"},
		"ContactPoint":    {"system", "value"},
	},
	spec.TypeReference: {
		"Reference": {"reference"},
	},
	spec.TypeQuantity: {
		"Quantity": {"value", "comparator", "system", "code", "unit"},
		"Money":    {"value", "currency"},
	},
	spec.TypeDate: {
		"Period": {"start", "end"},
		"Timing": {"event", "repeat.boundsPeriod"},
	},
}

// Search is how much the role sees of what a search parameter of the given type
// compares in the element at the path. A search is a question about what it
// compares: the gateway allows it on Full; on Coded after turning the codes of
// the question back into ids; on Yearly only if the question asks for whole
// years, because the answer to any other tells more than the year; and never on
// Hidden. Modifiers that compare something else (:text, :identifier,
// :of-type, :contains on a code) need a question of their own: Covers.
func (s *Scope) Search(path string, param spec.ParamType) Sight {
	return s.see(path, searched[param])
}

// at finds the plan's fields for a path; a choice has several.
func (s *Scope) at(path string) []*Field {
	if s == nil {
		return nil
	}
	segments := strings.Split(path, ".")
	node := s.nodes[segments[0]]
	var found []*Field
	for i, seg := range segments[1:] {
		if node == nil {
			return nil
		}
		found = node.named(seg)
		node = nil
		for _, f := range found {
			if f.Op == MetaData {
				f = &Field{Op: Object, Node: s.metaPlan}
			}
			if f.Node != nil {
				node = f.Node
			}
		}
		if len(found) != 1 && i < len(segments)-2 {
			return nil // a path goes on below one type of a choice only
		}
	}
	return found
}

// named lists the fields of a segment: "value[x]" has one for each type.
func (n *Node) named(seg string) []*Field {
	if f := n.fields[seg]; f != nil {
		return []*Field{f}
	}
	kids, _ := children(n.Path)
	for _, k := range kids {
		if k.name == seg || k.name == seg+"[x]" {
			var all []*Field
			for _, ch := range k.choices {
				if f := n.fields[ch.name]; f != nil {
					all = append(all, f)
				}
			}
			return all
		}
	}
	return nil
}

// see is the least sight of all that is compared at the path.
func (s *Scope) see(path string, parts map[string][]string) Sight {
	fields := s.at(path)
	if len(fields) == 0 {
		return Hidden
	}
	least := Full
	for _, f := range fields {
		sight := s.field(f, parts, nil)
		if sight == Hidden && len(fields) > 1 && parts != nil && f.Why == release.ClockTime && f.Shape == Instant {
			// One type of a date that is visible as another. It goes because an
			// instant has no way to say just a year; the year of it is no more
			// than the role sees of the other types.
			sight = Yearly
		}
		least = min(least, sight)
	}
	return least
}

func (s *Scope) field(f *Field, parts map[string][]string, above []*Node) Sight {
	switch f.Op {
	case Copy:
		return Full
	case Year:
		return Yearly
	case Encode, Rewrite, Identity:
		if s.spec.Identifiers == KeepIDs {
			return Full
		}
		return Coded
	case Object:
		if f.Age != NoAge {
			return Hidden // a question for years over 89 would be answered
		}
		if slices.Contains(above, f.Node) {
			return Full // its parts are being looked at
		}
		return s.node(f.Node, parts, append(above, f.Node))
	case TypeName, Beside, Extended:
		return Full
	default: // Cut, Refuse, Contained, MetaData, and what comes out otherwise than it was
		return Hidden // dates too, where a year can tell an age over 89, or is shifted
	}
}

func (s *Scope) node(n *Node, parts map[string][]string, above []*Node) Sight {
	least := Full
	if names, ok := parts[n.Path]; ok {
		for _, name := range names {
			at := n
			for seg := range strings.SplitSeq(name, ".") {
				f := at.fields[seg]
				if f == nil || f.Op == Cut {
					return Hidden
				}
				if f.Node != nil {
					at = f.Node
					continue
				}
				least = min(least, s.field(f, parts, above))
			}
		}
		return least
	}
	for name, f := range n.fields {
		switch name {
		case "id", "extension", "modifierExtension", "resourceType":
			continue // no part of what an element says
		}
		if name[0] == '_' {
			continue
		}
		if least = min(least, s.field(f, parts, above)); least == Hidden {
			return Hidden
		}
	}
	return least
}
