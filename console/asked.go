package console

import (
	"cmp"
	"strings"
)

// An interaction in the log is FHIR's code, which an engineer filters by. People are told
// it in words; the code stands in a decision's detail, in files and in filters.

// interactions are the codes of the log as people say them: asked, of one type of
// resource (%) where there is one, and as a right that somebody has.
var interactions = map[string]struct{ asked, bare, right string }{
	"read":               {"Read one %", "Read one record", "read one"},
	"vread":              {"Read an older version of one %", "Read an older version of a record", "read an older version"},
	"search-type":        {"Search %", "Search", "search"},
	"search-system":      {"Search all types", "Search all types", "search all types"},
	"search-compartment": {"Search % of one patient", "Search what one patient has", "search what one patient has"},
	"everything":         {"Read everything of one %", "Read everything of one patient", "read everything of one patient"},
	"history-instance":   {"History of one %", "History of one record", "see the history of one"},
	"history-type":       {"History of every %", "History of every record of a type", "see the history of all"},
	"history-system":     {"History of everything", "History of everything", "see the history of everything"},
	"create":             {"Create a %", "Create a record", "create"},
	"update":             {"Replace one %", "Replace a record", "replace one"},
	"patch":              {"Change one %", "Change a record", "change one"},
	"delete":             {"Delete one %", "Delete a record", "delete one"},
	"operation":          {"Run an operation on %", "Run an operation", "run an operation"},
	"next-page":          {"Next page of %", "Next page", "read the next page"},
	"batch":              {"Several requests at once", "Several requests at once", "ask several things at once"},
	"transaction":        {"Several changes as one", "Several changes as one", "make several changes as one"},
	"capabilities":       {"What the gateway offers", "What the gateway offers", "see what the gateway offers"},
	"export":             {"Export % in bulk", "Export in bulk", "export in bulk"},
	"download":           {"Download a bulk file of %", "Download a bulk file", "download a bulk file"},
	"prompt":             {"Prompt a language model", "Prompt a language model", "prompt a language model"},
	"completion":         {"A language model's answer", "A language model's answer", "get a language model's answer"},
	"tool-call":          {"Call a tool", "Call a tool", "call a tool"},
	"reveal":             {"Turn codes back into patients", "Turn codes back into patients", "turn codes back into patients"},
	"authenticate":       {"Sign in", "Sign in", "sign in"},
}

// askedFor is what was asked, in words: "Search Patient"; empty: it is not known.
func askedFor(action, resource string) string {
	x, ok := interactions[action]
	switch {
	case !ok:
		return strings.TrimSpace(words(action) + " " + resource)
	case resource == "":
		return x.bare
	}
	return strings.Replace(x.asked, "%", resource, 1)
}

// askedCode is what was asked in FHIR's own words: "search-type Patient".
func askedCode(action, resource string) string { return strings.TrimSpace(action + " " + resource) }

// interactionLabel is a choice among interactions, for people who define what may be asked.
func interactionLabel(code string) string { return askedFor(code, "") + " (" + code + ")" }

// rightTo is what an interaction lets somebody do: "search".
func rightTo(interaction string) string {
	return cmp.Or(interactions[interaction].right, strings.ToLower(words(interaction)))
}

// rightUnused is a right of a role as a review names it, "Type", "Type.interaction" or
// "Type.element", with the interaction in words.
func rightUnused(text string) string {
	if typ, what, ok := strings.Cut(text, "."); ok && interactions[what].right != "" {
		return typ + ": " + rightTo(what)
	}
	return text
}

// rightsTo are several of them in one line.
func rightsTo(all []string) string {
	out := make([]string, len(all))
	for i, x := range all {
		out[i] = rightTo(x)
	}
	return strings.Join(out, ", ")
}
