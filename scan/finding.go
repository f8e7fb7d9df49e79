package scan

import (
	"cmp"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/sallyport/sallyport/deid/text"
)

// Finding is one place that holds patient data, without the data.
type Finding struct {
	Path        string  `json:"path"`                  // as it was given, with / between its parts
	Line        int     `json:"line"`                  // from 1; for a count, of the first
	Column      int     `json:"column"`                // from 1, in characters; in JSON, bytes
	Cell        int     `json:"cell,omitempty"`        // a notebook's cell, from 1
	Blob        string  `json:"blob,omitempty"`        // the object in git's history
	Category    string  `json:"category"`              // of package text, or RECORD
	Citation    string  `json:"citation,omitempty"`    // the Safe Harbor letter
	Confidence  float64 `json:"confidence"`            // from 0 to 1; a ranking, not a probability
	Reason      string  `json:"reason"`                // why, in words of ours
	Place       string  `json:"place,omitempty"`       // "column 3 (mrn)", "Patient", "PID"
	Count       int     `json:"count"`                 // how many values, or records, this stands for
	Excerpt     string  `json:"excerpt"`               // the first value, masked
	Fingerprint string  `json:"fingerprint"`           // of the place; see Fingerprints
	Value       string  `json:"value_print,omitempty"` // of the value, under the caller's key

	shape string // of the value; see fingerprint.go
	rel   string // the path below Options.Root
}

// Record is the category of a whole record of a patient: a FHIR resource, an
// HL7 message, an image's header.
const Record = "RECORD"

// categories are all words that Finding.Category can be.
func categories() []string {
	words := []string{Record}
	for c := range text.Category(text.Categories) {
		if c != text.Unknown {
			words = append(words, c.String())
		}
	}
	return words
}

// citation of a category's word.
func citation(category string) string {
	for c := range text.Category(text.Categories) {
		if c.String() == category {
			return c.Citation()
		}
	}
	return "45 CFR 160.103" // of a record: it is individually identifiable health information
}

// mask shows of a value at most its first and last character, and its length.
// Nothing of values under six characters: two of five would be too much.
func mask(value []byte) string {
	n := utf8.RuneCount(value)
	if n < 6 {
		return "… (" + strconv.Itoa(n) + ")"
	}
	first, _ := utf8.DecodeRune(value)
	last, _ := utf8.DecodeLastRune(value)
	return show(first) + "…" + show(last) + " (" + strconv.Itoa(n) + ")"
}

// show is the rune, unless a terminal might obey it.
func show(r rune) string {
	if r < ' ' || r == 0x7f || !strconv.IsPrint(r) {
		return "?"
	}
	return string(r)
}

// shapeOf is what of a value may go into a fingerprint without a key: which
// kinds of characters follow each other. Runs are one, so that neither a
// length nor a digit can be guessed from it.
func shapeOf(value []byte) string {
	var out []byte
	for _, r := range string(value[:min(len(value), 256)]) {
		var k byte
		switch {
		case r >= '0' && r <= '9':
			k = '0'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= 0x80:
			k = 'a'
		case r == ' ' || r == '\t' || r == '\n':
			k = ' '
		default:
			k = byte(r)
		}
		if n := len(out); n == 0 || out[n-1] != k {
			out = append(out, k)
		}
	}
	return string(out)
}

func sortFindings(list []Finding) {
	slices.SortFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Blob, b.Blob), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Category, b.Category), cmp.Compare(a.Place, b.Place), cmp.Compare(a.shape, b.shape))
	})
}

// level is a confidence in a word.
func level(c float64) string {
	switch {
	case c >= 0.85:
		return "high"
	case c >= 0.6:
		return "medium"
	default:
		return "low"
	}
}
