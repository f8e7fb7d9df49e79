package deid

import "time"

// Scrubber finds what identifies in free text, and says what stands in for it.
// It must be safe for many goroutines. An error means that the text was not
// looked through as a whole, and stops the release of it.
type Scrubber interface {
	// NewRecord begins the dictionary of one patient's own record. It is filled
	// by one goroutine and then only read.
	NewRecord() Record
	// Find appends the spans of doc that identify, sorted and not overlapping,
	// as byte offsets. r is nil where no record is known.
	Find(dst []Found, doc []byte, r Record) ([]Found, error)
	// Replacer makes what writes the replacements for one patient.
	Replacer(r Record, m Manner) (Replacer, error)
	// Category names a span's category for counts, such as "NAME"; from a closed
	// list.
	Category(c uint8) string
}

// Manner is how the spans of one patient's text are replaced.
type Manner struct {
	Style     Style
	ShiftDays int       // for Surrogates; 0 where nobody's dates are known to be moved
	AsOf      time.Time // the day on which ages are judged; zero: no year stays
}

// Found is a span of text that identifies: doc[Start:End].
type Found struct {
	Start, End int
	Category   uint8 // the Scrubber's own
}

// Replacer appends to dst what stands in for value, which is what f spans.
type Replacer interface {
	Replace(dst, value []byte, f Found) ([]byte, error)
}

// Style is how a span is replaced.
type Style uint8

// The styles. The zero Style tells least.
const (
	// Masks: the category alone, "[NAME]".
	Masks Style = iota
	// YearsOnly: masks, but the year of a date where it tells no age over 89, an
	// age, and the first digits of a ZIP code as 164.514(b)(2) lets them stand.
	YearsOnly
	// Surrogates: the same person has the same invented name, and dates are
	// shifted by the patient's days. Derived from the person's own values, so
	// never under Safe Harbor.
	Surrogates
)

// Style is how the profile replaces what is found in text.
func (p *Profile) Style() Style {
	switch p.doc.Basis {
	case SafeHarbor:
		return YearsOnly
	case ExpertDetermination:
		if p.doc.Dates == byShift {
			return Surrogates
		}
	}
	return Masks
}

// Role is who a name in a record belongs to.
type Role uint8

// The roles. The zero Role is anybody.
const (
	Other Role = iota
	Patient
	Relative
	Practitioner
)

// IDKind is what an identifier in a record is.
type IDKind uint8

// The kinds, by the letters of 164.514(b)(2)(i).
const (
	OtherID    IDKind = iota // (R)
	SSN                      // (G)
	MRN                      // (H)
	HealthPlan               // (I)
	Account                  // (J)
	License                  // (K)
	Device                   // (M)
)

// Record takes in what the resources of a patient say about who he is. What it
// is given may be misspelt or empty: it must take anything.
type Record interface {
	Name(role Role, given []string, family, gender string)
	Address(lines []string, city, state, zip string)
	Phone(s string)
	Email(s string)
	ID(kind IDKind, value string)
	Date(year, month, day int)
	Facility(name string)
}

// Records give the record of a patient by the id that references use. ok is
// false where nothing is known of him.
type Records interface {
	Of(patientID string) (r Record, ok bool)
}
