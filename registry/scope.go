package registry

import (
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/fhir/spec"
)

// knownType wants a resource type of FHIR R4.
func knownType(field, typ string) error {
	if spec.IsResource(typ) {
		return nil
	}
	return badField(field, fmt.Sprintf("FHIR R4 has no resource type %q", typ), meant(typ, spec.Resources(), "Use a type of https://hl7.org/fhir/R4/resourcelist.html"))
}

// knownElement wants an element path below the type, such as "name.family".
func knownElement(field, typ, path string) error {
	if _, _, ok := spec.Path(typ + "." + path); ok {
		return nil
	}
	// Name the step that is wrong, and what is there instead.
	at := typ
	for step := range strings.SplitSeq(path, ".") {
		if _, _, ok := spec.Path(at + "." + step); ok {
			at += "." + step
			continue
		}
		return badField(field, fmt.Sprintf("%s has no element %q", at, step),
			meant(step, elementsBelow(typ, at), "Use an element of the type as FHIR R4 defines it"))
	}
	return badField(field, fmt.Sprintf("%q is no element path", path), `Write such as "name.family"`)
}

func elementsBelow(root, at string) []string {
	t, ok := spec.Lookup(root)
	if at != root {
		_, e, found := spec.Path(at)
		if !found {
			return nil
		}
		t, ok = e.Type, true
	}
	if !ok {
		return nil
	}
	var out []string
	for _, e := range t.Elements {
		out = append(out, e.JSON)
		if e.Choice {
			out = append(out, e.Name+"[x]")
		}
	}
	return out
}
