package spec

import "strings"

// tellsByPresence are elements of R4 that are there for some people only, so that it
// says something about a person that they are there at all: death, the end of a
// condition, a reaction, why something was not done.
var tellsByPresence = map[string][]string{
	"AllergyIntolerance":  {"reaction"},
	"Condition":           {"abatement", "stage"},
	"Encounter":           {"hospitalization"},
	"FamilyMemberHistory": {"deceased"},
	"Immunization":        {"reaction", "statusReason"},
	"MedicationRequest":   {"statusReason"},
	"Observation":         {"dataAbsentReason", "interpretation"},
	"Patient":             {"contact", "deceased", "multipleBirth"},
	"Procedure":           {"complication", "statusReason"},
}

// TellsByPresence reports whether the mere presence of the element in a resource says
// something about the person. The audit log keeps no note of where such elements were.
func TellsByPresence(typ, path string) bool {
	top, _, _ := strings.Cut(path, ".")
	for _, name := range tellsByPresence[typ] {
		// A choice has the name of its type behind it: deceasedBoolean, deceased[x].
		if rest, ok := strings.CutPrefix(top, name); ok && (rest == "" || rest == "[x]" || 'A' <= rest[0] && rest[0] <= 'Z') {
			return true
		}
	}
	return false
}
