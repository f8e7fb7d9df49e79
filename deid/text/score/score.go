// Package score measures deid/text on labelled texts: precision, recall and F2
// by category, with Wilson intervals.
//
// Three questions are asked, because a single figure hides which of them it
// answers. Masked: is every byte of a labelled span inside what was found? That
// is what protects a patient. Touched: does anything found overlap it? And for
// what was found: does it overlap a label? Bytes gives precision by bytes. Labels
// differ between sets, so a span counts whatever category it was given.
package score

import (
	"math"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/deid/text"
)

// Doc is a labelled text.
type Doc struct {
	ID      string
	Text    []byte
	Gold    []Gold
	Patient []byte // the patient's FHIR resource, nil where the set has none
}

// Gold is a label: byte offsets and the set's own word for it.
type Gold struct {
	Start, End int
	Label      string
}

// Rate is a share with its 95 % Wilson interval.
type Rate struct {
	Hits, Of  int
	Low, High float64
}

// Value is the share; 0 of 0 is 1.
func (r Rate) Value() float64 {
	if r.Of == 0 {
		return 1
	}
	return float64(r.Hits) / float64(r.Of)
}

// NewRate computes the Wilson interval (E. B. Wilson, 1927) for z = 1.96.
func NewRate(hits, of int) Rate {
	r := Rate{Hits: hits, Of: of, High: 1}
	if of == 0 {
		return r
	}
	const z = 1.959964
	n, p := float64(of), float64(hits)/float64(of)
	mid := p + z*z/(2*n)
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	r.Low, r.High = max(0, (mid-half)/(1+z*z/n)), min(1, (mid+half)/(1+z*z/n))
	return r
}

// Row is the figures of one label.
type Row struct {
	Label           string
	Masked, Touched Rate
}

// Result is what Evaluate found.
type Result struct {
	Docs      int
	Masked    Rate // labelled spans of which every byte was found
	Touched   Rate // labelled spans that something found overlaps
	Precision Rate // found spans that overlap a label
	Bytes     Rate // found bytes that a label covers; spaces and marks count
	ByteFound Rate // labelled bytes that were found
	Words     Rate // words inside labels that were found whole
	WordsGood Rate // found words that are inside a label
	Rows      []Row

	ByCategory []CategoryRow // in the order of text's categories; only those that occur
}

// CategoryRow is the figures of one of the engine's categories: of the labels
// that mean it, how many were masked whole and touched, by whatever; of the spans
// that were given it, how many overlap a label of any kind.
type CategoryRow struct {
	Category                   text.Category
	Masked, Touched, Precision Rate
}

// CategoryOf is the category that a set's own word for a label means. ok is
// false for words that mean none of them, such as TITLE.
func CategoryOf(label string) (text.Category, bool) {
	c, ok := labels[strings.ToUpper(label)]
	return c, ok
}

// labels is the words of the sets that are read here, and the engine's own.
var labels = func() map[string]text.Category {
	m := map[string]text.Category{
		"PERSON": text.Name, "FIRST_NAME": text.Name, "LAST_NAME": text.Name, "PATIENT": text.Name, "DOCTOR": text.Name, "STAFF": text.Name,
		"DATE_TIME": text.Date, "DATE_OF_BIRTH": text.Date, "AGE90": text.Age, "PHONE_NUMBER": text.Phone, "EMAIL_ADDRESS": text.Email,
		"US_SSN": text.SSN, "PLAN_ID": text.HealthPlan, "ACCOUNT_NUMBER": text.Account, "CREDIT_CARD": text.Account, "IBAN_CODE": text.Account,
		"US_DRIVER_LICENSE": text.License, "VIN": text.Vehicle, "IMEI": text.Device, "DOMAIN_NAME": text.URL, "IP_ADDRESS": text.IP,
		"STREET_ADDRESS": text.Address, "GPE": text.City, "LOCATION": text.City, "ZIP_CODE": text.ZIP, "ZIPCODE": text.ZIP,
		"HOSPITAL": text.Facility, "ORG": text.Organization, "ID_NUM": text.OtherID, "API_KEY": text.OtherID, "NRP": text.Origin,
	}
	for c := text.Category(1); int(c) < text.Categories; c++ {
		m[c.String()] = c
	}
	return m
}()

// F2 weighs recall twice: touched spans against precision.
func (r Result) F2() float64 { return f2(r.Precision.Value(), r.Touched.Value()) }

func f2(p, q float64) float64 {
	if p+q == 0 {
		return 0
	}
	return 5 * p * q / (4*p + q)
}

// Finder finds spans in a document.
type Finder func(Doc) ([]text.Span, error)

// Miss is told of each label that was not masked whole, and each found span that no
// label overlaps (g is nil). It is for a person who may see the labelled texts.
type Miss func(d Doc, g *Gold, s *text.Span)

// Evaluate runs find over docs.
func Evaluate(docs []Doc, find Finder, miss Miss) (Result, error) {
	c := counts{rows: map[string]*tally{}}
	for _, d := range docs {
		spans, err := find(d)
		if err != nil {
			return Result{}, err
		}
		found, labelled := make([]bool, len(d.Text)), make([]bool, len(d.Text)) // each byte
		for _, s := range spans {
			for i := s.Start; i < s.End; i++ {
				found[i] = true
			}
		}
		c.labels(d, found, labelled, miss)
		c.spans(d, spans, labelled, miss)
		c.words(d, found, labelled)
		c.bytes(found, labelled)
	}
	return c.result(len(docs)), nil
}

// tally counts labels, and found spans.
type tally struct{ masked, touched, n, right, found int }

// hits counts what was found, what is labelled, and what is both.
type hits struct{ found, labelled, both int }

func (h *hits) add(found, labelled bool) {
	if found {
		h.found++
	}
	if labelled {
		h.labelled++
	}
	if found && labelled {
		h.both++
	}
}

type counts struct {
	all            tally
	rows           map[string]*tally // by label
	cats           [text.Categories]tally
	byWord, byByte hits
}

// labels counts the labels that were masked, whole or in part, and marks their bytes.
func (c *counts) labels(d Doc, found, labelled []bool, miss Miss) {
	for _, g := range d.Gold {
		some, whole := false, true
		for i := g.Start; i < g.End; i++ {
			some, whole = some || found[i], whole && found[i]
			labelled[i] = true
		}
		if c.rows[g.Label] == nil {
			c.rows[g.Label] = &tally{}
		}
		cat, _ := CategoryOf(g.Label) // Unknown, and not reported, for a word that means none
		for _, t := range []*tally{c.rows[g.Label], &c.cats[cat], &c.all} {
			t.n++
			if whole {
				t.masked++
			}
			if some {
				t.touched++
			}
		}
		if !whole && miss != nil {
			miss(d, &g, nil)
		}
	}
}

// spans counts what was found, and whether a label is there.
func (c *counts) spans(d Doc, spans []text.Span, labelled []bool, miss Miss) {
	for _, s := range spans {
		right := slices.Contains(labelled[s.Start:s.End], true)
		for _, t := range []*tally{&c.cats[s.Category], &c.all} {
			t.found++
			if right {
				t.right++
			}
		}
		if !right && miss != nil {
			miss(d, nil, &s)
		}
	}
}

func (c *counts) words(d Doc, found, labelled []bool) {
	for i := 0; i < len(d.Text); {
		j := i
		for j < len(d.Text) && wordByte(d.Text[j]) {
			j++
		}
		if j == i {
			i++
			continue
		}
		c.byWord.add(all(found[i:j]), all(labelled[i:j]))
		i = j
	}
}

func (c *counts) bytes(found, labelled []bool) {
	for i := range found {
		c.byByte.add(found[i], labelled[i])
	}
}

func (c *counts) result(docs int) Result {
	r := Result{
		Docs: docs, Masked: NewRate(c.all.masked, c.all.n), Touched: NewRate(c.all.touched, c.all.n), Precision: NewRate(c.all.right, c.all.found),
		Bytes: NewRate(c.byByte.both, c.byByte.found), ByteFound: NewRate(c.byByte.both, c.byByte.labelled),
		Words: NewRate(c.byWord.both, c.byWord.labelled), WordsGood: NewRate(c.byWord.both, c.byWord.found),
	}
	for l, t := range c.rows {
		r.Rows = append(r.Rows, Row{l, NewRate(t.masked, t.n), NewRate(t.touched, t.n)})
	}
	for i, t := range c.cats {
		if i > 0 && t.n+t.found > 0 {
			r.ByCategory = append(r.ByCategory, CategoryRow{text.Category(i), NewRate(t.masked, t.n), NewRate(t.touched, t.n), NewRate(t.right, t.found)})
		}
	}
	slices.SortFunc(r.Rows, func(a, b Row) int {
		return strings.Compare(a.Label, b.Label)
	})
	return r
}

func wordByte(c byte) bool {
	return c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func all(b []bool) bool {
	for _, x := range b {
		if !x {
			return false
		}
	}
	return true
}
