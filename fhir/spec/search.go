package spec

import (
	"slices"
	"strings"
)

// ParamType is the type of a search parameter (R4, search.html#ptypes).
type ParamType string

// The types.
const (
	TypeNumber    ParamType = "number"
	TypeDate      ParamType = "date"
	TypeString    ParamType = "string"
	TypeToken     ParamType = "token"
	TypeReference ParamType = "reference"
	TypeComposite ParamType = "composite"
	TypeQuantity  ParamType = "quantity"
	TypeURI       ParamType = "uri"
	TypeSpecial   ParamType = "special"
)

// SearchParam is a search parameter as it applies to one resource type.
type SearchParam struct {
	Code     string
	Type     ParamType
	Base     string   // the resource type
	Elements []string // every element that evaluating it reads, as a path from Base: "Patient.name"; each means all below it too
	// Opaque says that what it reads is not known: there is no expression
	// (_text, _content), or one that cannot be reduced to elements. It must be
	// refused by whoever has to know.
	Opaque     bool
	Targets    []string    // of a reference: resource types, narrower than the element's where the expression narrows them
	AnyTarget  bool        // of a reference: any resource
	Components []Component // of a composite, in order
}

// Component is one part of a composite parameter.
type Component struct {
	Code     string
	Type     ParamType
	Elements []string
}

// Search finds a resource type's search parameter, including those of every
// resource (_id, _lastUpdated, _tag, _profile, _security, _source; and, opaque,
// _text, _content, _filter, _query).
func Search(resource, code string) (*SearchParam, bool) {
	d := load()
	if !IsResource(resource) {
		return nil, false
	}
	for t := d.types[resource]; t != nil; t = d.types[t.Base] {
		p, ok := d.search[t.Name][code]
		if !ok {
			continue
		}
		if t.Name == resource {
			return p, true
		}
		q := *p // inherited: the same elements, at this resource
		q.Base = resource
		q.Elements = make([]string, len(p.Elements))
		for i, e := range p.Elements {
			q.Elements[i] = resource + strings.TrimPrefix(e, t.Name)
		}
		return &q, true
	}
	return nil, false
}

// SearchCodes lists the codes of a resource type's search parameters, sorted,
// inherited ones included.
func SearchCodes(resource string) []string {
	d := load()
	if !IsResource(resource) {
		return nil
	}
	var codes []string
	for t := d.types[resource]; t != nil; t = d.types[t.Base] {
		for code := range d.search[t.Name] {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// resultParams are the parameters that shape the answer instead of choosing it
// (R4, search.html#return): the closed list.
var resultParams = []string{
	"_sort", "_count", "_include", "_revinclude", "_summary", "_total",
	"_elements", "_contained", "_containedType",
}

// IsResultParam says whether code is one of resultParams.
func IsResultParam(code string) bool { return slices.Contains(resultParams, code) }

// PatientCompartment lists the search parameters by which a resource of the type
// belongs to a patient's compartment (R4, compartmentdefinition-patient.html).
// ok is false where no resource of the type is in one.
func PatientCompartment(resource string) (params []string, ok bool) {
	p, ok := load().patient[resource]
	return slices.Clone(p), ok
}
