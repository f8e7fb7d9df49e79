// Package deid decides what of a resource may be seen, and in which form.
//
// A [Profile] says what happens to every element of every FHIR R4 type: data,
// in YAML, with a version and a digest, and with a legal basis that it must
// satisfy or it does not load. Four are built in: safe-harbor (45 CFR
// 164.514(b)(2)), limited-data-set (164.514(e)), expert-determination
// (164.514(b)(1), a template that names no expert until somebody fills it in)
// and minimum-necessary (164.502(b), 164.514(d)). A site adds its own, which can
// be stricter than their basis and never laxer. docs/deid-rulings.md is what the
// built-in ones say, element by element.
//
// A [Scope] is a role's element list under a profile, compiled; or everything,
// for files. deid/fhir carries it out on JSON. What leaves the gateway is a
// [Release], which only this package's own tree can make.
//
// What each makes is not more than it says. Minimum necessary and a limited data
// set are PHI. Safe Harbor also asks that the covered entity has no actual
// knowledge that what is left could identify someone (164.514(b)(2)(ii)), which
// no program knows. Text that a scrubber went over is not de-identified by that:
// a profile that says otherwise under Safe Harbor is refused, and the resource is
// labelled. An expert's profile holds what an expert determined; that the risk is
// very small is the expert's word and not this package's.
//
// A code is trusted to be one: R4 gives it no pattern that a name could not fit.
// A value has the JSON shape of its type or it goes, but what stands in
// Coding.code of a local code system is the source's word, and so are numbers: a
// record number in a valueInteger is a number here.
//
// Codes come from [Codes]; under Safe Harbor only from those that say that they
// are [Assigned] at random (164.514(c)). Dates are moved by [Shifts], text is
// scrubbed by a [Scrubber] with the patient's own record for a dictionary.
//
// The files to read are basis.go (what the law lets a profile say), profiles/
// (what they say), plan.go (how that is compiled) and window.go (which date
// places a resource in time).
package deid
