package text

import (
	"context"
	"time"
)

// Category is what a span is. The list is closed.
type Category uint8

// The categories. The zero Category is refusal: no replacer lets it stand.
const (
	Unknown      Category = iota
	Name                  // of a person
	Date                  // any element of a date, also a bare year
	Age                   // in years
	Phone                 // telephone and pager
	Fax                   // telefax
	Email                 // electronic mail address
	SSN                   // Social Security number
	MRN                   // medical record number
	HealthPlan            // health plan beneficiary number
	Account               // account, encounter, claim and card numbers, IBAN
	License               // certificate or license number
	Vehicle               // VIN, plate
	Device                // device identifier or serial number
	URL                   // web address
	IP                    // Internet Protocol address
	Biometric             // reference to a finger or voice print
	Photo                 // reference to a full-face photograph
	Address               // street address
	City                  // city, town, county
	ZIP                   // postal code
	Facility              // hospital, clinic, nursing home
	Organization          // employer, company, school
	OtherID               // any other unique number or code
	Username              // account name of a person
	Origin                // country or nationality: not one of the eighteen, but it narrows down
	categories
)

// Categories is the number of categories, for arrays indexed by one.
const Categories = int(categories)

var categoryWords = [Categories]string{
	"UNKNOWN", "NAME", "DATE", "AGE", "PHONE", "FAX", "EMAIL", "SSN", "MRN", "HEALTH_PLAN", "ACCOUNT",
	"LICENSE", "VEHICLE", "DEVICE", "URL", "IP", "BIOMETRIC", "PHOTO", "ADDRESS", "CITY", "ZIP",
	"FACILITY", "ORGANIZATION", "ID", "USERNAME", "ORIGIN",
}

// safeHarbor is the letter of 45 CFR 164.514(b)(2)(i) for each category.
// Employers fall under (A), facilities under (B): they place a person.
const safeHarbor = "?ACCDEFGHIJKLMNOPQBBBBARR?"

// String is the word on the wire, such as "NAME".
func (c Category) String() string {
	if c >= categories {
		c = Unknown
	}
	return categoryWords[c]
}

// Citation is the paragraph of the Safe Harbor list that names the category,
// "" where none does.
func (c Category) Citation() string {
	if c >= categories || safeHarbor[c] == '?' {
		return ""
	}
	return "45 CFR 164.514(b)(2)(i)(" + safeHarbor[c:c+1] + ")"
}

// Reason is why a span was found. The list is closed.
type Reason uint8

// The reasons.
const (
	NoReason   Reason = iota
	FromRecord        // it is a value of the patient's own record, or a variant of one
	Cue               // a label or word beside it says so
	Checksum          // its check digits are right
	Format            // its form leaves little else
	Dictionary        // it stands in a list of names or places
	Context           // the words around it
	Second            // the second opinion
	reasons
)

var reasonWords = [reasons]string{"none", "record", "cue", "checksum", "format", "dictionary", "context", "second-opinion"}

// String is the word on the wire, such as "cue".
func (r Reason) String() string {
	if r >= reasons {
		r = NoReason
	}
	return reasonWords[r]
}

// Span is a stretch of the document that identifies, or may.
type Span struct {
	Start, End int     // byte offsets in the document as it was given, on rune boundaries
	Confidence float32 // from 0 to 1; a ranking, not a probability
	Category   Category
	Reason     Reason
}

// SecondOpinion is an outside model. It can only add spans: what the engine
// found stays. If it fails, Find fails, and so does the release. Offsets must
// lie in the document; Find refuses others.
type SecondOpinion interface {
	Spans(ctx context.Context, doc []byte) ([]Span, error)
}

// Options of an Engine. The zero Options is the one configuration that every
// figure in the documentation was measured with.
type Options struct {
	// AsOf is the day on which texts are read: a year of two digits that would lie
	// after it is of the century before. The zero time: 00 to 30 are of this century.
	AsOf time.Time
	// Second is asked about every document. nil: nobody is.
	Second SecondOpinion
	// Timeout bounds one question to Second; 0 is 10 seconds.
	Timeout time.Duration
}
