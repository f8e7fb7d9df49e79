package gate

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// capabilities is the interaction that reads no patient data.
const capabilities = "capabilities"

// interactions are those that a role can allow. Anything else is refused.
var interactions = []string{"read", "vread", "search-type", "everything"}

// coversResources reports whether the role names every resource type asked.
func coversResources(r *snapshot.Role, interaction string, types []string) bool {
	if interaction == capabilities {
		return len(types) == 0
	}
	for _, t := range types {
		if _, ok := r.Resources[t]; !ok {
			return false
		}
	}
	return len(types) > 0
}

// coversInteraction reports whether the role allows the interaction on the type
// that is asked for, the first, and lets what comes with it be read at least.
func coversInteraction(r *snapshot.Role, interaction string, types []string) bool {
	if interaction == capabilities {
		return len(r.Resources) > 0
	}
	if !slices.Contains(interactions, interaction) || len(types) == 0 {
		return false
	}
	for i, t := range types {
		allowed := r.Resources[t].Interactions
		if !slices.Contains(allowed, interaction) && (i == 0 || !slices.Contains(allowed, "read")) {
			return false
		}
	}
	return true
}

// coversReads reports whether the role shows every element that answering
// reads. Each is a path with its type, "Patient.name.family".
func coversReads(r *snapshot.Role, reads []string) bool {
	for _, path := range reads {
		if !coversRead(r, path) {
			return false
		}
	}
	return true
}

func coversRead(r *snapshot.Role, path string) bool {
	typ, element, ok := strings.Cut(path, ".")
	if !ok || element == "" {
		return false
	}
	for _, e := range r.Resources[typ].Elements {
		if coversElement(e, element) {
			return true
		}
	}
	return false
}

// noteUncovered says which types and elements the role does not cover. Both
// come from the request: what does not look like a word of FHIR is not repeated.
func noteUncovered(r *snapshot.Role, q *policy.Request, f *policy.Facts) {
	for _, t := range q.Resources {
		if _, ok := r.Resources[t]; !ok && looksLikePath(t) {
			f.NoteWord("resource", t)
		}
	}
	for _, path := range q.Reads {
		if !coversRead(r, path) && looksLikePath(path) {
			f.NoteWord("element", path)
		}
	}
}

// looksLikePath: letters, with dots and "[x]" in between, no digits, short.
func looksLikePath(s string) bool {
	for _, c := range s {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '.' || c == '[' || c == ']') {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 64
}

// coversElement reports whether an element path of a role covers another: the
// same one or one below it. A choice "value[x]" covers "value", "valueQuantity"
// and "value[x]"; a typed one covers only itself (FHIR R4 §2.6.0.3).
func coversElement(allowed, path string) bool {
	if allowed == "" {
		return false
	}
	for allowed != "" {
		var a, p string
		a, allowed, _ = strings.Cut(allowed, ".")
		if path == "" {
			return false // above the allowed path
		}
		p, path, _ = strings.Cut(path, ".")
		if a == p && a != "" {
			continue
		}
		choice, is := strings.CutSuffix(a, "[x]")
		if !is || choice == "" {
			return false
		}
		rest, same := strings.CutPrefix(p, choice)
		if !same || rest != "" && !('A' <= rest[0] && rest[0] <= 'Z') {
			return false
		}
	}
	return true
}
