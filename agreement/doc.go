// Package agreement says what each term of an agreement does: which gate reads it,
// which clock it sets, which report it appears in; what is missing or too weak in a
// paper, and what that switches off.
//
// The terms are those of hipaa.Terms: 17 that 45 CFR 164.504(e) and 164.314(a)
// demand, 7 that HIPAA lets a paper have, 42 that are recommended. What happens when
// one fails is the catalogue's word (hipaa.Term.OnFail); this package holds the rules
// in Go. Numbers that no law sets are policy.
//
// The package is pure: no I/O, no clock. Times are arguments.
package agreement
