package text

import (
	"context"
	"time"
)

// Replacer says what stands in for a span.
//
// It appends to dst what replaces value, which must not be kept. An error stops
// the document; it must not quote value.
type Replacer interface {
	Replace(dst, value []byte, s Span) ([]byte, error)
}

// Counts is how many spans of each category were replaced.
type Counts [Categories]int

// Total is the sum.
func (c *Counts) Total() int {
	n := 0
	for _, k := range c {
		n += k
	}
	return n
}

// Scrub appends doc to dst with each span that Find finds replaced, and counts
// them. On an error nothing of the document is appended.
func (e *Engine) Scrub(dst, doc []byte, r *Record, by Replacer) (out []byte, n Counts, err error) {
	return e.ScrubContext(context.Background(), dst, doc, r, by)
}

// ScrubContext is Scrub with a context for the second opinion.
func (e *Engine) ScrubContext(ctx context.Context, dst, doc []byte, r *Record, by Replacer) (out []byte, n Counts, err error) {
	var buf [64]Span
	spans, err := e.FindContext(ctx, buf[:0], doc, r)
	if err != nil {
		return dst, n, err
	}
	if by == nil {
		by = Masks{}
	}
	from, at := len(dst), 0
	for _, s := range spans {
		dst = append(dst, doc[at:s.Start]...)
		if dst, err = by.Replace(dst, doc[s.Start:s.End], s); err != nil {
			return dst[:from], Counts{}, err
		}
		n[min(s.Category, categories-1)]++
		at = s.End
	}
	return append(dst, doc[at:]...), n, nil
}

// Masks replaces a span by its category, such as [NAME].
type Masks struct{}

// Replace implements Replacer.
func (Masks) Replace(dst, _ []byte, s Span) ([]byte, error) { return mask(dst, s.Category), nil }

func mask(dst []byte, c Category) []byte {
	dst = append(dst, '[')
	dst = append(dst, c.String()...)
	return append(dst, ']')
}

// YearsOnly replaces as Safe Harbor allows (45 CFR 164.514(b)(2)(i)): a date
// becomes its year, unless the year shows an age over 89 on the day AsOf; an age
// over 89 becomes "90+", another stays; a ZIP code becomes its first three digits
// where Populous says so, else 000; a country or nationality stays. Everything
// else becomes its mask. Without AsOf no year is left.
//
// Text so scrubbed is not de-identified by that alone: what the engine did not
// find is still in it.
type YearsOnly struct {
	AsOf time.Time
	// Populous says whether more than 20,000 people live in the units whose ZIP
	// codes begin with these three digits, by the Census. nil: in none.
	Populous func(zip3 string) bool
}

// Replace implements Replacer.
func (y YearsOnly) Replace(dst, value []byte, s Span) ([]byte, error) {
	switch s.Category {
	case Origin:
		return append(dst, value...), nil
	case Age:
		years, ok := ageOf(value)
		switch {
		case ok && years <= 89:
			return append(dst, value...), nil
		case ok:
			return append(dst, "90+"...), nil
		}
	case ZIP:
		if z := normal(string(value)); len(z) >= 5 && y.Populous != nil && y.Populous(z[:3]) {
			return append(dst, z[:3]...), nil
		}
		return append(dst, "000"...), nil
	case Date:
		if year := y.yearOf(value); year > 0 {
			return append(dst, four(year)...), nil
		}
	}
	return mask(dst, s.Category), nil
}

// yearOf is the year of a date that may stand; 0 for none.
func (y YearsOnly) yearOf(value []byte) int {
	if y.AsOf.IsZero() {
		return 0
	}
	d, ok := parseDate(value)
	if !ok || d.year == 0 {
		return 0
	}
	year := d.year
	if d.short && year > y.AsOf.Year() {
		year -= 100
	}
	// Born in this year one is 89 or 90: the year could show an age over 89.
	if y.AsOf.Year()-year >= 90 || year > y.AsOf.Year()+100 {
		return 0
	}
	return year
}

func four(n int) string {
	return string([]byte{byte('0' + n/1000%10), byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
}

func ageOf(value []byte) (int, bool) {
	n, digits := 0, 0
	for _, c := range value {
		if class[c] != clDigit || digits > 2 {
			return 0, false
		}
		n = n*10 + int(c-'0')
		digits++
	}
	return n, digits > 0
}
