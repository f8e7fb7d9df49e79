package deid

import (
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

// Ruling is what a profile makes of one element, for the published table.
type Ruling struct {
	Owner string // the type or backbone that defines it: "Patient", "HumanName", "Patient.contact"
	Name  string // "birthDate", "value[x]:string" where a choice has rulings of its own
	Type  string // its FHIR type
	What  string // one of Outcomes
}

// Outcomes are the words of the table, with what they mean.
var Outcomes = [][2]string{
	{"removed", "goes, and is marked as masked where R4 requires it"},
	{"kept", "stays as it is, if it has the shape of its type"},
	{"year", "its year stays, unless it tells an age over 89 where the profile puts those together"},
	{"shifted", "moved by the patient's number of days; of nobody's, the year"},
	{"code", "becomes the engagement's code"},
	{"reference", "becomes the code of what it points at, or goes"},
	{"canonical", "HL7's own stays, any other becomes a code"},
	{"zip3", "its first three digits, or 000"},
	{"zip", "stays if it is five or nine digits"},
	{"state", "stays if it is a State of the United States"},
	{"country", "stays if ISO 3166 knows it"},
	{"display", "stays if the code system is one that the profile trusts"},
	{"scrubbed", "words that a scrubber went over; the resource is labelled"},
	{"extensions", "those that the profile names stay"},
	{"refused", "refuses the resource"},
	{"parts", "each of its elements has a ruling of its own"},
	{"role", "as the role says: kept, or to the year; kept, or a code"},
	{"named", "only for a role that names this element and may have direct identifiers"},
	{"asked", "only for a role that names this element"},
}

// Rulings lists what the profile makes of every element of every R4 type, in
// the order in which they are found from the resources down.
func (p *Profile) Rulings() []Ruling {
	var all []Ruling
	for _, owner := range append(dataTypes(), resourceNames()...) {
		all = append(all, p.rulings(owner)...)
	}
	return all
}

func (p *Profile) rulings(owner string) (all []Ruling) {
	t, ok := spec.Lookup(owner)
	if !ok || t.Kind == spec.Primitive {
		return nil
	}
	kids, _ := children(owner)
	for _, k := range kids {
		if before, _, _ := cutLast(k.path); before != owner {
			continue // inherited: ruled on where it is defined
		}
		for _, ch := range k.choices {
			r := Ruling{Owner: owner, Name: k.name, Type: ch.typ, What: p.outcome(Element{k.path, ch.typ})}
			if len(k.choices) > 1 {
				r.Name += ":" + ch.typ
			}
			all = append(all, r)
		}
		for _, ch := range k.choices {
			if strings.HasPrefix(ch.inner, owner+".") && ch.typ == "BackboneElement" {
				all = append(all, p.rulings(ch.inner)...)
			}
		}
	}
	return all
}

// outcome is the action's word with the profile's switches put in.
func (p *Profile) outcome(e Element) string {
	d := &p.doc
	text := func(rule string) string {
		if rule == scrubbed {
			return "scrubbed"
		}
		return "removed"
	}
	if strings.HasSuffix(e.Path, ".modifierExtension") {
		return "refused"
	}
	date := map[string]string{byYear: "year", kept: "kept", byShift: "shifted", byRole: "role"}[d.Dates]
	switch p.Rule(e) {
	case Keep, Walk:
		if isPrimitive(e.Type) {
			return "kept"
		}
		return "parts"
	case Direct:
		if d.Direct == byRole {
			return "named"
		}
	case IfNamed:
		return "asked"
	case Date:
		return date
	case YearOnly:
		return "year"
	case Clock:
		switch {
		case d.Dates == byYear:
			return "removed"
		case e.Type == "time" && d.Dates != byRole:
			return "kept"
		}
		return date
	case Pseudonym:
		if d.Identifiers == byRole {
			return "role"
		}
		return "code"
	case Refer:
		return "reference"
	case Extend:
		return "extensions"
	case FreeText:
		return text(d.Text)
	case XHTML:
		return text(d.Narrative)
	case FileData:
		return text(d.Attachments)
	case ZIPCode:
		return map[string]string{kept: "zip", prefix3: "zip3", removed: "removed"}[d.ZIP]
	case StateName:
		return "state"
	case CountryName:
		return "country"
	case Display:
		return "display"
	case Canonical:
		return "canonical"
	}
	return "removed"
}
