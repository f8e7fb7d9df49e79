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
	var masked, touched, total, right, found, goodBytes, foundBytes, goldBytes, hitBytes, wordsHit, wordsGold, wordsBoth int
	type tally struct{ masked, touched, n, right, found int }
	rows := map[string]*tally{}
	var cats [text.Categories]tally
	for _, d := range docs {
		spans, err := find(d)
		if err != nil {
			return Result{}, err
		}
		hit := make([]bool, len(d.Text)) // found
		lab := make([]bool, len(d.Text)) // labelled
		for _, s := range spans {
			for i := s.Start; i < s.End; i++ {
				hit[i] = true
			}
		}
		for _, g := range d.Gold {
			some, whole := false, true
			for i := g.Start; i < g.End; i++ {
				some, whole = some || hit[i], whole && hit[i]
				lab[i] = true
			}
			t := rows[g.Label]
			if t == nil {
				t = &tally{}
				rows[g.Label] = t
			}
			cat, _ := CategoryOf(g.Label) // Unknown, and not reported, for a word that means none
			cats[cat].n++
			t.n++
			total++
			if whole {
				t.masked++
				cats[cat].masked++
				masked++
			} else if miss != nil {
				miss(d, &g, nil)
			}
			if some {
				t.touched++
				cats[cat].touched++
				touched++
			}
		}
		for _, s := range spans {
			found++
			ok := false
			for i := s.Start; i < s.End; i++ {
				ok = ok || lab[i]
			}
			cats[s.Category].found++
			if ok {
				right++
				cats[s.Category].right++
			} else if miss != nil {
				miss(d, nil, &s)
			}
		}
		for i := 0; i < len(d.Text); {
			j := i
			for j < len(d.Text) && wordByte(d.Text[j]) {
				j++
			}
			if j == i {
				i++
				continue
			}
			h, l := all(hit[i:j]), all(lab[i:j])
			i = j
			if h {
				wordsHit++
			}
			if l {
				wordsGold++
			}
			if h && l {
				wordsBoth++
			}
		}
		for i := range hit {
			if hit[i] {
				foundBytes++
				if lab[i] {
					goodBytes++
				}
			}
			if lab[i] {
				goldBytes++
				if hit[i] {
					hitBytes++
				}
			}
		}
	}
	r := Result{
		Docs: len(docs), Masked: NewRate(masked, total), Touched: NewRate(touched, total),
		Precision: NewRate(right, found), Bytes: NewRate(goodBytes, foundBytes), ByteFound: NewRate(hitBytes, goldBytes),
		Words: NewRate(wordsBoth, wordsGold), WordsGood: NewRate(wordsBoth, wordsHit),
	}
	for l, t := range rows {
		r.Rows = append(r.Rows, Row{l, NewRate(t.masked, t.n), NewRate(t.touched, t.n)})
	}
	for c := range cats {
		if t := cats[c]; c > 0 && t.n+t.found > 0 {
			r.ByCategory = append(r.ByCategory, CategoryRow{text.Category(c), NewRate(t.masked, t.n), NewRate(t.touched, t.n), NewRate(t.right, t.found)})
		}
	}
	slices.SortFunc(r.Rows, func(a, b Row) int {
		return strings.Compare(a.Label, b.Label)
	})
	return r, nil
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
