// Package message holds what the de-identification of messages and documents
// has in common: HL7 v2, CDA, X12 and NCPDP. It is internal; the packages
// deid/hl7v2, deid/cda, deid/x12 and deid/ncpdp show it under their own names.
//
// A format's package decides by table which value is what (a name, a date, an
// identifier, a code, free text). This package decides what becomes of each.
package message

import (
	"fmt"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// Basis is the legal basis that a profile claims.
type Basis uint8

// The bases. The zero Basis is the strictest.
const (
	SafeHarbor          Basis = iota // 45 CFR 164.514(b)(2): all 18 identifiers
	LimitedDataSet                   // 45 CFR 164.514(e)(2): 16 exclusions; city, State, ZIP and dates may stay
	ExpertDetermination              // 45 CFR 164.514(b)(1): dates shifted, codes
	MinimumNecessary                 // 45 CFR 164.514(d): identified PHI under an agreement, without direct identifiers
	bases
)

// Dates is what becomes of a date.
type Dates uint8

// The rules for dates.
const (
	YearsOnly    Dates = iota // cut to the year; removed if the year can show an age over 89
	DatesShifted              // moved by the patient's own number of days, in the same form
	DatesKept                 // as they are
	dateRules
)

// Shifter says by how many days a patient's dates move. patient is the
// identifier in the message, with its assigning authority; it is empty where
// the message names no patient, and its dates are then cut to the year without
// a call. An error stops the release.
type Shifter interface {
	Days(patient string) (int, error)
}

// Text scrubs free text. Without one free text is removed.
type Text interface {
	// Scrubber is for the texts of one message. f is what the message's own
	// fields say of the people in it; it is valid only during the call.
	Scrubber(f Facts) (Scrubber, error)
}

// Scrubber appends doc to dst with what identifies a person taken out. doc is
// UTF-8 with the format's escapes undone; lines end with "\n". An error stops
// the release.
type Scrubber interface {
	Scrub(dst, doc []byte) ([]byte, error)
}

// Options is how to de-identify. The zero Options is the strictest: Safe
// Harbor, no dates (there is no day to judge ages by), numbers within the
// message in place of identifiers, no free text, ZIP 000.
type Options struct {
	Basis Basis
	// AsOf is the day by which an age over 89 is judged. With YearsOnly and no
	// AsOf, every date is removed.
	AsOf  time.Time
	Dates Dates
	Shift Shifter // for DatesShifted
	// Codes stands in for identifiers. nil: each identifier becomes its number
	// in the order of first appearance in its message, which joins fields of one
	// message and nothing else. Under SafeHarbor a code must not be derived
	// from the identifier (45 CFR 164.514(c)): give codes assigned at random.
	Codes deid.Codes
	Text  Text
	// ZIP3 says whether the three digits may stay: more than 20,000 people live
	// there (45 CFR 164.514(b)(2)(i)(B)). nil: none may.
	ZIP3 func(prefix string) bool
	// MaxBytes bounds one message or document; 0 is 16 MiB.
	MaxBytes int
}

// DefaultMaxBytes bounds a message where Options do not.
const DefaultMaxBytes = 16 << 20

// Check refuses Options that their basis does not allow.
func (o *Options) Check() error {
	if o.Basis >= bases {
		return problem.BadField("basis", "is no legal basis", "Use Safe Harbor, an expert's determination, a limited data set or an agreement")
	}
	if o.Dates >= dateRules {
		return problem.BadField("dates", "is no rule for dates", "Use years only, shifted or kept")
	}
	if o.Basis == SafeHarbor && o.Dates != YearsOnly {
		p := problem.BadField("dates", "Safe Harbor allows no element of a date but its year", "Use years only, or another basis")
		p.Citation = "45 CFR 164.514(b)(2)(i)(C)"
		return p
	}
	if o.Basis == ExpertDetermination && o.Dates == DatesKept {
		p := problem.BadField("dates", "dates as they are need a limited data set or an agreement", "Shift them, or use another basis")
		p.Citation = "45 CFR 164.514(b)(1)"
		return p
	}
	if (o.Dates == DatesShifted) != (o.Shift != nil) {
		return problem.BadField("dates", "shifted dates and a source of shifts go together", "Give both or neither")
	}
	if o.MaxBytes < 0 {
		return problem.BadField("max_bytes", "a limit cannot be negative", "Leave it 0 for 16 MiB")
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	return nil
}

// Rule is why a value was removed or changed.
type Rule uint8

// The rules of a Tally.
const (
	Name         Rule = iota // removed: a person's name
	Address                  // removed: part of an address
	Telecom                  // removed: telephone, fax, e-mail, URL
	Identifier               // removed: a number or code that is one person's
	Coded                    // changed: an identifier became a code or a number
	DateCut                  // changed: a date became its year
	DateShift                // changed: a date was moved
	DateGone                 // removed: a date or a time of day
	AgeCapped                // changed: an age over 89 became 90
	ZIPCut                   // changed: a ZIP became three digits
	TextGone                 // removed: free text
	TextScrubbed             // changed: free text went through the scrubber
	Display                  // removed: words beside a code of no public system
	Organisation             // removed: an organisation or place
	Attachment               // removed: embedded or referenced data
	Malformed                // removed: not of its type
	Unknown                  // removed: not in the table
	Rules                    // how many there are
)

var ruleNames = [Rules]string{"name", "address", "telecom", "identifier", "coded", "date-to-year", "date-shifted", "date-removed",
	"age-over-89", "zip-prefix", "text-removed", "text-scrubbed", "display-removed", "organisation", "attachment", "malformed", "unknown"}

// String is the rule's name in a manifest.
func (r Rule) String() string {
	if r < Rules {
		return ruleNames[r]
	}
	return "none"
}

// Manifest counts what was done. It holds no value of the input.
type Manifest struct {
	Messages int            // messages or documents
	Parts    map[string]int // segments or sections kept, by name in the table
	Dropped  int            // segments or elements removed whole, as their name is not in the table
	Tally    [Rules]int     // values by rule
}

// Part counts a kept part; name is the table's.
func (m *Manifest) Part(name string) {
	if m.Parts == nil {
		m.Parts = map[string]int{}
	}
	m.Parts[name]++
}

// Add adds another manifest.
func (m *Manifest) Add(o *Manifest) {
	m.Messages += o.Messages
	m.Dropped += o.Dropped
	for i, n := range o.Tally {
		m.Tally[i] += n
	}
	for k, n := range o.Parts {
		if m.Parts == nil {
			m.Parts = map[string]int{}
		}
		m.Parts[k] += n
	}
}

// Role is what a person is to the patient.
type Role uint8

// The roles.
const (
	Other Role = iota
	Patient
	Relative
	Practitioner
)

// Person is a name in a message.
type Person struct {
	Role   Role
	Given  []string
	Family string
}

// Place is an address in a message.
type Place struct {
	Lines            []string
	City, State, ZIP string
}

// Facts is what a message's own fields say of the people in it: a dictionary
// for the scrubber. It does not print.
type Facts struct {
	People     []Person
	Places     []Place
	Phones     []string // and e-mail addresses
	IDs        []string
	Dates      [][3]int // year, month, day
	Facilities []string
}

// Format prints nothing of the facts.
func (Facts) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("message.Facts(withheld)")) }

// Case is the state of one message: its numbers and the patient's shift.
type Case struct {
	O       *Options
	M       *Manifest
	Scrub   Scrubber // nil: free text goes
	numbers map[string]string
	days    int
	shifted bool
}

// NewCase starts a message.
func NewCase(o *Options, m *Manifest) *Case { return &Case{O: o, M: m} }

// Renumber starts the numbers of identifiers anew: another message of the same
// file begins.
func (c *Case) Renumber() { c.numbers = nil }

// Numbered is how many identifiers of the message have a number.
func (c *Case) Numbered() int { return len(c.numbers) }

// Unnumber takes back the numbers after n: what had them does not leave. Those
// that do leave would otherwise not be counted through.
func (c *Case) Unnumber(n int) {
	for k, text := range c.numbers {
		if v, err := strconv.Atoi(text); err != nil || v > n {
			delete(c.numbers, k)
		}
	}
}

// Wants reports whether facts are of use.
func (c *Case) Wants() bool { return c.O.Text != nil }

// Learn gives the facts to the scrubber.
func (c *Case) Learn(f Facts) error {
	if c.O.Text == nil {
		return nil
	}
	s, err := c.O.Text.Scrubber(f)
	if err != nil {
		return problem.New(problem.Unavailable, "free text cannot be scrubbed", "Nothing was released; try again").Because(err)
	}
	if s == nil {
		return problem.New(problem.Internal, "free text cannot be scrubbed", "Nothing was released")
	}
	c.Scrub = s
	return nil
}

// SetPatient fixes the shift of the dates that follow. An empty key means that
// the patient is not known.
func (c *Case) SetPatient(key string) error {
	c.days, c.shifted = 0, false
	if c.O.Dates != DatesShifted || key == "" {
		return nil
	}
	n, err := c.O.Shift.Days(key)
	if err != nil {
		return problem.New(problem.Unavailable, "a patient's date shift cannot be had", "Nothing was released; try again").Because(err)
	}
	c.days, c.shifted = n, true
	return nil
}

// Count counts a value under a rule.
func (c *Case) Count(r Rule) { c.M.Tally[r]++ }

// ID appends what stands in for an identifier. kind keeps numbers of different
// things apart; authority is who assigned it.
func (c *Case) ID(dst []byte, kind, authority, value string) ([]byte, error) {
	if value == "" {
		return dst, nil
	}
	c.Count(Coded)
	if c.O.Codes != nil {
		code, err := c.O.Codes.Code(Key(authority, value))
		if err != nil {
			return dst, problem.New(problem.Unavailable, "an identifier's code cannot be had", "Nothing was released; try again").Because(err)
		}
		if !codeShape(code) {
			return dst, problem.New(problem.Internal, "a code has not the form of a FHIR id", "Nothing was released; mend the source of codes")
		}
		return append(dst, code...), nil
	}
	k := kind + "\x00" + Key(authority, value)
	n, ok := c.numbers[k]
	if !ok {
		if c.numbers == nil {
			c.numbers = map[string]string{}
		}
		n = strconv.Itoa(len(c.numbers) + 1)
		c.numbers[k] = n
	}
	return append(dst, n...), nil
}

// Key is how an identifier is named to Codes and Shifter: "authority|value".
func Key(authority, value string) string { return authority + "|" + value }

// codeShape is R4's for an id.
func codeShape(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		if b := s[i]; !alnum(b) && b != '-' && b != '.' {
			return false
		}
	}
	return true
}

// Free appends scrubbed text, or nothing. Text that is not UTF-8 cannot be read
// and goes.
func (c *Case) Free(dst, doc []byte) ([]byte, error) {
	if len(doc) == 0 {
		return dst, nil
	}
	if c.Scrub == nil || !validText(doc) {
		c.Count(TextGone)
		return dst, nil
	}
	out, err := c.Scrub.Scrub(dst, doc)
	if err != nil {
		return dst, problem.New(problem.Unavailable, "free text cannot be scrubbed", "Nothing was released; try again").Because(err)
	}
	c.Count(TextScrubbed)
	return out, nil
}
