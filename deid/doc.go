// Package deid decides what of a resource a role may see, and in which form.
//
// Here it is the minimum necessary standard (45 CFR 164.502(b), 164.514(d)):
// a [Scope] is compiled from a role's element list and a [Profile], and says
// for every element of every FHIR R4 type whether it passes, in what form, or
// goes. deid/fhir carries that out on JSON. What leaves is a [Release], which
// only this package's own tree can make.
//
// What comes out is NOT de-identified data in the sense of 164.514(a): it is
// PHI, cut to a role. Ages over 89 still show through a birth year, ZIP codes
// are not generalised and narrative is removed rather than scrubbed. Nothing
// here says otherwise, and no release is labelled so.
//
// A code is trusted to be one: R4 gives it no pattern that a name could not fit.
// A value has the JSON shape of its type or it goes, but what stands in
// Coding.code or Coding.display of a local code system is the source's word.
//
// The two tables to read are rulings.go (what happens to an element of each
// type) and window.go (which date places a resource in time). A richer profile
// is another Profile in [Profiles]; scope, minimiser and gateway stay.
package deid
