// Package release makes deid.Release values. It is internal to deid so that
// only deid and its methods can make one: a gateway that holds a Release holds
// proof that the bytes went through a profile.
package release

import (
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/phi"
)

// Rule is why something was removed or changed. The list is closed.
type Rule uint8

// The rules.
const (
	OutOfScope    Rule = iota // removed: the role does not name it
	DirectID                  // removed: a direct identifier or free text
	DateToYear                // changed: cut to its year
	ClockTime                 // removed: an instant or a time of day
	Pseudonymised             // changed: an id or a reference became a code
	Unresolvable              // removed: a reference or URL that cannot be given a code
	ExtensionGone             // removed: an extension that is not on the list
	NotInR4                   // removed: a member that R4 does not define
	BadShape                  // removed: a value that is not of its type
	ContainedGone             // removed: a contained resource that is not in scope
	FreeText                  // removed: words, or a file
	Scrubbed                  // changed: words that a scrubber went over
	AgeOver89                 // removed or put into one category: an age over 89, a year that tells one
	Geography                 // removed or coarsened: a place smaller than a State
	DateShifted               // changed: a date moved by the patient's number of days
	Unrecorded                // changed: words that a scrubber went over without the patient's record; they count as Scrubbed too
	Rules                     // how many there are
)

var ruleNames = [Rules]string{
	"out-of-scope", "direct-identifier", "date-to-year", "clock-time", "pseudonymised",
	"unresolvable-reference", "extension", "unknown-member", "malformed-value", "contained",
	"free-text", "scrubbed-text", "age-over-89", "geography", "date-shifted", "scrubbed-without-record",
}

// String is the rule's name in the audit log.
func (r Rule) String() string {
	if r < Rules {
		return ruleNames[r]
	}
	return "unknown"
}

// Tally counts by rule.
type Tally [Rules]int

// Add adds another tally.
func (t *Tally) Add(o *Tally) {
	for i, n := range o {
		t[i] += n
	}
}

// Cut reports whether anything was left out or coarsened: what makes a
// resource SUBSETTED. Codes in place of ids do not, nor do shifted dates.
func (t *Tally) Cut() bool {
	for i, n := range t {
		if n > 0 && Rule(i) != Pseudonymised && Rule(i) != DateShifted {
			return true
		}
	}
	return false
}

// Count is how many resources of a type a release holds.
type Count struct {
	Type string
	N    int
}

// Shown says which of the elements that the role names for a type appeared with data:
// bit 0 of the first word is the first of them, sorted. The data of a contained
// resource counts for its own type.
type Shown struct {
	Type string
	Bits []uint64
}

// Patients is a set of patient ids of the upstream system, for the caller to
// key before they go anywhere. It does not print: the ids are in a closure.
type Patients struct {
	_   [0]func()
	ids func() []string
}

// PatientsOf wraps ids, sorted and without doubles.
func PatientsOf(ids []string) Patients {
	if len(ids) == 0 {
		return Patients{}
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return Patients{ids: func() []string { return ids }}
}

// Len is how many patients there are.
func (p Patients) Len() int {
	if p.ids == nil {
		return 0
	}
	return len(p.ids())
}

// Each gives every id to f, in order. It is the one way in.
func (p Patients) Each(f func(id string)) {
	if p.ids == nil {
		return
	}
	for _, id := range p.ids() {
		f(id)
	}
}

// String tells nothing.
func (Patients) String() string { return "[PHI]" }

// Release is patient data that may leave: minimised, counted, and with the
// digest of its bytes. The zero Release is nothing and may not leave.
type Release struct {
	data     phi.Data
	digest   [32]byte
	made     bool
	counts   []Count
	tally    Tally
	patients Patients
	shown    []Shown
}

// Make makes a release of b, which the caller must not change afterwards, as shown.
func Make(b []byte, counts map[string]int, tally Tally, patients []string, shown []Shown) Release {
	r := Release{
		data:     phi.New(b),
		digest:   sha256.Sum256(b),
		made:     true,
		tally:    tally,
		patients: PatientsOf(patients),
		shown:    shown,
	}
	for t, n := range counts {
		if n > 0 {
			r.counts = append(r.counts, Count{Type: t, N: n})
		}
	}
	slices.SortFunc(r.counts, func(a, b Count) int { return strings.Compare(a.Type, b.Type) })
	return r
}

// Valid reports whether the release was made here. Nothing else may leave.
func (r Release) Valid() bool { return r.made }

// Data is the bytes that may leave.
func (r Release) Data() phi.Data { return r.data }

// Digest is the SHA-256 of the bytes.
func (r Release) Digest() [32]byte { return r.digest }

// Len is the number of bytes.
func (r Release) Len() int { return r.data.Len() }

// Counts is how many resources of each type there are, by type name. The
// caller must not change it.
func (r Release) Counts() []Count { return r.counts }

// Tally is how much was removed or changed, by rule.
func (r Release) Tally() Tally { return r.tally }

// Shown is which of the role's elements appeared, of each type that is in the release
// and of which the role names elements, by type. The caller must not change it.
func (r Release) Shown() []Shown { return r.shown }

// Patients is whose data this is.
func (r Release) Patients() Patients { return r.patients }
