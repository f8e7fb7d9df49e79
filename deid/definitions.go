package deid

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

// children lists the elements of a type or backbone, choices put together. ok
// is false where R4 has no such type.
func children(path string) ([]child, bool) {
	t, ok := spec.Lookup(path)
	if !ok || t.Kind == spec.Primitive {
		return nil, false
	}
	var kids []child
	for _, e := range t.Elements {
		name := e.Name
		if e.Choice {
			name += "[x]"
		}
		if n := len(kids); n > 0 && kids[n-1].path == e.Path {
			kids[n-1].choices = append(kids[n-1].choices, choiceOf(e))
			continue
		}
		kids = append(kids, child{
			name:     name,
			path:     e.Path,
			choices:  []choice{choiceOf(e)},
			required: e.Min > 0,
			list:     e.List,
			modifier: isModifier(e.Path),
		})
	}
	return kids, true
}

func choiceOf(e *spec.Element) choice {
	c := choice{name: e.JSON, typ: e.Type.Name, inner: e.Type.Name, bound: e.Required}
	if e.Type.Kind == spec.Backbone {
		c.typ = "BackboneElement"
	}
	return c
}

// everyElement visits every element of every R4 type that a resource can hold,
// each choice by itself, and goes on below those for which visit says so.
func everyElement(visit func(Element) bool) {
	seen := map[string]bool{}
	todo := resourceNames()
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		if seen[path] {
			continue
		}
		seen[path] = true
		kids, _ := children(path)
		for _, k := range kids {
			for _, ch := range k.choices {
				if visit(Element{Path: k.path, Type: ch.typ}) && !isPrimitive(ch.typ) {
					todo = append(todo, ch.inner)
				}
			}
		}
	}
}

// dataTypes are the names of R4's data types.
func dataTypes() []string {
	names := []string{"BackboneElement", "Element"}
	everyElement(func(e Element) bool {
		if !slices.Contains(names, e.Type) && !strings.Contains(e.Type, "/") && !isResource(e.Type) {
			names = append(names, e.Type)
		}
		return true
	})
	return names
}

func isResource(name string) bool { return spec.IsResource(name) }

func resourceNames() []string { return slices.Clone(spec.Resources()) }

// ResourceName returns the name of a resource type that R4 defines, without
// keeping or copying typ.
func ResourceName(typ []byte) (string, bool) {
	t, ok := spec.Lookup(string(typ))
	if !ok || t.Kind != spec.Resource || t.Abstract {
		return "", false
	}
	return t.Name, true
}

// isPrimitive: R4 writes primitive types with a small first letter.
func isPrimitive(typ string) bool { return typ != "" && typ[0] >= 'a' && typ[0] <= 'z' }

// shapeOf is what the JSON of a primitive must look like to be copied.
func shapeOf(path, typ string) Shape {
	switch path {
	case "Reference.type":
		return Kind
	case "Attachment.contentType", "Binary.contentType":
		return MediaType
	case "Coding.version":
		return Word
	case "SampledData.data":
		return Samples
	case "Questionnaire.item.linkId", "Questionnaire.item.enableWhen.question", "QuestionnaireResponse.item.linkId":
		return Token
	}
	switch typ {
	case "boolean":
		return Boolean
	case "integer", "unsignedInt", "positiveInt":
		return Integer
	case "decimal":
		return Decimal
	case "code":
		return Code
	case "uri", "url", "canonical", "oid", "uuid":
		return URI
	case "date":
		return DateShape
	case "dateTime":
		return DateTime
	case "instant":
		return Instant
	case "time":
		return TimeOfDay
	case "id":
		return ID
	case "string", "markdown", "xhtml", "base64Binary":
		return Text
	}
	return NoShape
}

// maskText stands in for an element that was taken out and may not just be
// absent: its data-absent-reason is "masked" (R4 section 2.1.0.6). For a
// primitive it stands on the sibling; any other type may consist of an
// extension (ele-1), but a backbone's own required parts are masked too, so that
// cardinality holds.
func maskText(k child) []byte {
	var b strings.Builder
	writeMask(&b, k)
	return []byte(b.String())
}

func writeMask(b *strings.Builder, k child) {
	first := k.choices[0]
	name := first.name
	if isPrimitive(first.typ) {
		name = "_" + name
	}
	b.WriteString(`"` + name + `":`)
	if k.list {
		b.WriteByte('[')
	}
	b.WriteString(`{"extension":[{"url":"` + DataAbsentReason + `","valueCode":"masked"}]`)
	if first.typ == "BackboneElement" {
		kids, _ := children(first.inner)
		for _, kid := range kids {
			if kid.required {
				b.WriteByte(',')
				writeMask(b, kid)
			}
		}
	}
	b.WriteByte('}')
	if k.list {
		b.WriteByte(']')
	}
}
