// Package msconfig runs the configurations of Microsoft's FHIR anonymizer (Tools
// for Health Data Anonymization) on FHIR R4, with that tool's semantics, and says
// in [Config.Differences] where they let pass what our own profiles would remove.
//
// It is for an organisation that already has such a configuration and a data set
// made with it, and wants the next one to fit. It is not how we de-identify: the
// tool is fail-open. What no rule names passes, free text passes where no rule
// removes it, a date moves one of 101 ways, and a keyed hash of a person's own
// number is not a code in the sense of 45 CFR 164.514(c). deid's own profiles rule
// on every element and remove what they do not know. What comes out of this
// package is as de-identified as its configuration makes it; nothing here calls it
// so.
//
// # What is the same
//
// The tool was read at commit a2d90ba of 2025-09-05, with the library that it
// builds on (Firely .NET SDK 5), and the tests compare with every pair of input
// and output in its functional tests. Rules run in order on each resource, and an
// element that a rule has had is closed to later ones. Some of what that gives is
// surprising, and is kept because a configuration was written against it:
//
//   - A resource in a Bundle or in contained is processed on its own, after what
//     holds it. The date shift depends on the id that the outermost resource has
//     by then: hashed, where a rule before has hashed it.
//   - nodesByType('X') and nodesByName('x') alone, or with one name after them,
//     look into the resource at hand only, but do find the resources right within
//     it; then everything in them is closed to their own rules.
//   - "A | B" holds equal values once, so a rule with "|" acts on the first of
//     equal values only.
//   - "A | B as Age" is "(A | B) as Age"; choice elements are named without their
//     type (Observation.value), and Observation.valueQuantity selects nothing.
//   - A condition of generalize that has no answer holds.
//   - What the tool cannot do it raises, whatever processingErrors says, but for an
//     expression of generalize that fails: noise in proportion to a negative number,
//     an age with a fraction where ages are redacted in part.
//   - A shifted or partly redacted meta.lastUpdated is written anew with its offset.
//   - Booleans are hashed as "True" and "False"; strings are trimmed.
//
// # What is not
//
// Stricter: names that stand twice in an object, elements and types that R4 does
// not define, an array where R4 has one value are refused; the tool takes the last,
// the first, or complains as well. fhirVersion must be R4, custom methods are
// refused, an unknown key is. Numbers that a .NET decimal would round are left as
// they are. Prefixes are compared byte for byte, where .NET skips characters without
// width. FHIRPath is the part listed in functions.go with all operators;
// quantities are compared, not computed with, and not converted between units.
// Regular expressions are Go's, after a translation of .NET's classes; look-around
// and back references are refused. All of that is refused when the configuration
// is read, with the rule and the place. An expression that looks at everything for
// everything is refused on a resource for which that takes too long.
//
// Errors hold names that R4 defines, never values. The keys in a configuration
// stay in it: Config and Anonymizer print as a digest.
package msconfig
