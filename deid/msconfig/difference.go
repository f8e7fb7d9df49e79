package msconfig

import (
	"fmt"
	"slices"
	"strings"
)

// Kind is the closed list of ways in which a configuration differs from what our
// own profiles do. The zero Kind is none.
type Kind uint8

// The kinds.
const (
	_ Kind = iota
	// Passes: an element passes as it is that our minimum-necessary profile
	// removes, changes or gives only to a role that names it.
	Passes
	// FreeText: the same, and the element holds words in which anything can stand.
	FreeText
	// Shift: a shifted date is still a date, and the shift can be guessed.
	Shift
	// Derived: a code computed from a person's own value.
	Derived
	// PartialZIP: a restricted prefix that the configuration does not list, or a
	// ZIP code too short for its method.
	PartialZIP
	// Union: a path with "|" leaves out what equals something before it.
	Union
	// Unanswered: a generalization that lets values pass.
	Unanswered
	// Conditional: a path that selects by value or place, so that what it
	// leaves out goes to the rules after it, or passes.
	Conditional
	// Dead: a rule that selects nothing that R4 has.
	Dead
	// Shadowed: a rule whose elements earlier rules have had.
	Shadowed
	// Ignored: a key that the tool ignores.
	Ignored
)

var kindNames = [...]string{"", "passes", "free text passes", "date shift", "derived code", "partial ZIP",
	"union", "unanswered condition", "conditional", "selects nothing", "shadowed", "ignored key"}

// String names the kind for people.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// Difference is one of them. It holds names from R4 and from the configuration,
// never values.
type Difference struct {
	Kind Kind
	// Rule is the index in fhirPathRules of the rule that does it; -1 where it is
	// that no rule does anything.
	Rule int
	// Path is the element as R4 defines it ("HumanName.text", "Patient.photo"),
	// or the rule's path.
	Path string
	// Resources are the types in which it happens, sorted; nil: not to be said by
	// type.
	Resources []string
	Message   string
	// Letters are those of the 18 identifiers of 45 CFR 164.514(b)(2)(i) that can
	// stand in the element: "C", "GHIJK". "": none of them by itself.
	Letters  string
	Citation string
}

const (
	citeSafeHarbor = "45 CFR 164.514(b)(2)(i)"
	citeCodes      = "45 CFR 164.514(c)"
	citeMinimum    = "45 CFR 164.502(b)"
)

// citation cites letters of Safe Harbor.
func citation(letters string) string {
	switch letters {
	case "":
		return citeMinimum
	case everyLetter:
		return citeSafeHarbor + "(A) to (R)"
	}
	parts := make([]string, len(letters))
	for i := range len(letters) {
		parts[i] = "(" + letters[i:i+1] + ")"
	}
	return citeSafeHarbor + strings.Join(parts, ", ")
}

// Differences lists where the configuration lets pass what our own profiles
// would not: first each element that passes, then what its methods leave behind,
// then rules that do not do what they seem to. It runs the rules on one made-up
// resource of each type, with every element of it, so it takes some tenths of a
// second.
//
// An element that no rule names is in it where our profile removes it, not where
// our profile keeps it. That a rule changes an element is not proof that nothing
// is left: that is what the other kinds are for.
func (c *Config) Differences() []Difference {
	cov := c.cover()
	out := cov.passing()
	for i := range c.rules {
		out = append(out, c.rules[i].differences(i, &c.params)...)
	}
	out = append(out, c.params.differences(c.rules)...)
	for i := range c.rules {
		r := &c.rules[i]
		switch {
		case cov.conditional[i]:
			out = append(out, Difference{Kind: Conditional, Rule: i, Path: r.path, Citation: citeMinimum,
				Message: "selects by value or place; what it leaves out goes to later rules, or passes"})
		case cov.found[i] == 0:
			out = append(out, Difference{Kind: Dead, Rule: i, Path: r.path, Citation: citeMinimum,
				Message: "selects no element that R4 has: a misspelt name, or a choice element with its type (write Observation.value, not Observation.valueQuantity)"})
		case cov.taken[i] == 0 && r.method != Keep:
			out = append(out, Difference{Kind: Shadowed, Rule: i, Path: r.path, Citation: citeMinimum,
				Message: "earlier rules have had everything that it selects"})
		}
	}
	return append(out, c.notes...)
}

// differences says what the rule's own method leaves behind.
func (r *rule) differences(i int, p *parameters) []Difference {
	var out []Difference
	say := func(k Kind, letters, cite, message string) {
		out = append(out, Difference{Kind: k, Rule: i, Path: r.path, Letters: letters, Citation: cite, Message: message})
	}
	switch r.method {
	case DateShift:
		if p.fixedOffset != nil {
			say(Shift, "C", citation("C"), "all dates of all patients move by the same number of days, which one known date gives away")
		} else {
			say(Shift, "C", citation("C"), "a date moves one of 101 ways, fixed by a remainder of a sum over the id and the key: it can be guessed, and it is an element of a date, so Safe Harbor does not allow it; intervals stay exact within what shares a shift")
		}
	case CryptoHash:
		say(Derived, "R", citeCodes+"(1)", "a keyed hash is derived from the person's own value, so it is no code in the sense of 164.514(c); our codes are random and kept in a vault")
	case Encrypt:
		say(Derived, "R", citeCodes+"(1)", "a ciphertext is derived from the person's own value; its mode (CBC without a check) does not show when it was changed")
	case Generalize:
		if r.keepOthers {
			say(Unanswered, "", citeMinimum, "values for which no condition holds pass as they are (otherValues: keep)")
		}
		say(Unanswered, "", citeMinimum, "a condition without an answer (a date of less precision than the one it is compared with) counts as true")
	}
	if hasUnion(r.x) {
		say(Union, "", citeMinimum, "of equal values, the path holds only the first: the rule does not act on the others, and they pass or go to later rules. Write one rule for each side of |")
	}
	return out
}

// restrictedPrefixes are the three-digit ZIP prefixes of units of 20,000 people or
// fewer: Census 2020 with those of Census 2000 that HHS's guidance lists.
var restrictedPrefixes = []string{"036", "059", "063", "102", "202", "203", "204", "205", "369", "556", "692", "753",
	"772", "790", "821", "823", "830", "831", "878", "879", "884", "890", "893"}

func (p *parameters) differences(rules []rule) []Difference {
	redacts := slices.ContainsFunc(rules, func(r rule) bool { return r.method == Redact })
	if !p.partialZips || !redacts {
		return nil
	}
	var missing []string
	for _, r := range restrictedPrefixes {
		if !slices.ContainsFunc(p.restrictedZips, func(z string) bool { return strings.HasPrefix(r, z) }) {
			missing = append(missing, r)
		}
	}
	out := []Difference{{Kind: PartialZIP, Rule: -1, Path: "Address.postalCode", Letters: "B", Citation: citation("B"),
		Message: "a ZIP code of fewer than three characters passes as it is, letters pass, and a prefix that does not exist passes where ours becomes 000"}}
	if len(missing) > 0 {
		out = append(out, Difference{Kind: PartialZIP, Rule: -1, Path: "restrictedZipCodeTabulationAreas", Letters: "B", Citation: citation("B"),
			Message: fmt.Sprintf("prefixes of 20,000 people or fewer (Census 2020, and Census 2000 by HHS's guidance) that are not listed, and so pass: %s", strings.Join(missing, " "))})
	}
	return out
}
