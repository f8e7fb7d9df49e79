package message

import (
	"bytes"
	"strings"
	"time"
)

// Date is a date of HL7 (YYYY[MM[DD[HH[MM[SS[.S...]]]]]][+-ZZZZ]) or of X12
// and NCPDP (CCYYMMDD): where its parts are.
type Date struct {
	year, month, day int
	n                int // digits before the fraction: 4, 6, 8, 10, 12, 14
}

// ParseDate reads b. Lax text is refused: what is not a date may be anything.
func ParseDate(b []byte) (Date, bool) {
	var d Date
	rest := b
	if i := bytes.IndexAny(b, "+-"); i >= 0 {
		z := b[i+1:]
		if len(z) != 4 && len(z) != 2 || !digits(z) {
			return d, false
		}
		rest = b[:i]
	}
	if i := bytes.IndexByte(rest, '.'); i >= 0 {
		if f := rest[i+1:]; i != 14 || len(f) > 6 || !digits(f) {
			return d, false
		}
		rest = rest[:i]
	}
	if !digits(rest) || len(rest) < 4 || len(rest) > 14 || len(rest)%2 != 0 {
		return d, false
	}
	two := func(i int) int { return int(rest[i]-'0')*10 + int(rest[i+1]-'0') }
	d.n = len(rest)
	d.year, d.month, d.day = two(0)*100+two(2), 1, 1
	if d.n >= 6 {
		d.month = two(4)
	}
	if d.n >= 8 {
		d.day = two(6)
	}
	if d.year < 1000 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31 || d.n >= 10 && two(8) > 24 || d.n >= 12 && two(10) > 59 || d.n >= 14 && two(12) > 60 {
		return d, false
	}
	return d, true
}

// Civil is the date as year, month and day, where it has a day.
func (d Date) Civil() ([3]int, bool) { return [3]int{d.year, d.month, d.day}, d.n >= 8 }

// old reports whether a year can show an age over 89 on the day AsOf.
func (c *Case) old(year int) bool { return c.O.AsOf.IsZero() || year <= c.O.AsOf.Year()-90 }

// When appends a date under the rule for dates.
func (c *Case) When(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	d, ok := ParseDate(b)
	if !ok {
		c.Count(Malformed)
		return dst
	}
	switch c.O.Dates {
	case DatesKept:
		return append(dst, b...)
	case DatesShifted:
		if c.O.Basis == ExpertDetermination && !c.O.AsOf.IsZero() && c.old(d.year) {
			c.Count(DateGone)
			return dst
		}
		if d.n >= 8 && c.shifted {
			c.Count(DateShift)
			t := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC).AddDate(0, 0, c.days)
			if y := t.Year(); y < 1000 || y > 9999 {
				c.Count(DateGone)
				return dst
			}
			dst = t.AppendFormat(dst, "20060102")
			return append(dst, b[8:]...)
		}
		// A month cannot be moved by days, and without a patient there is no shift.
		if d.n > 4 {
			c.Count(DateCut)
		}
		return append(dst, b[:4]...)
	default:
		if c.old(d.year) {
			c.Count(DateGone)
			return dst
		}
		if len(b) > 4 {
			c.Count(DateCut)
		}
		return append(dst, b[:4]...)
	}
}

// Clock appends a time of day, which stays only where whole dates do.
func (c *Case) Clock(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	body := b
	if i := bytes.IndexAny(b, "+-"); i >= 0 {
		body = b[:i]
	}
	whole, frac, dot := bytes.Cut(body, []byte("."))
	if len(whole) < 2 || len(whole) > 6 || !digits(whole) || dot && !digits(frac) || len(b) > 20 || len(body) < len(b) && !digits(b[len(body)+1:]) {
		c.Count(Malformed)
		return dst
	}
	if c.O.Dates == YearsOnly {
		c.Count(DateGone)
		return dst
	}
	return append(dst, b...)
}

// ZIP appends a ZIP code: whole, its three digits, or 000.
func (c *Case) ZIP(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	five, four, dash := bytes.Cut(b, []byte("-"))
	usual := digits(five) && (len(five) == 5 || len(five) == 9 || len(five) == 3) && (!dash || len(five) == 5 && len(four) == 4 && digits(four))
	switch {
	case c.O.Basis == MinimumNecessary:
		c.Count(Address)
		return dst
	case c.O.Basis == LimitedDataSet && usual:
		return append(dst, b...)
	case usual && c.O.ZIP3 != nil && string(five[:3]) != "000" && c.O.ZIP3(string(five[:3])):
		if len(b) > 3 {
			c.Count(ZIPCut)
		}
		return append(dst, five[:3]...)
	default:
		if string(b) != "000" {
			c.Count(ZIPCut)
		}
		return append(dst, "000"...)
	}
}

// State appends a State or country, which may stay under every basis but that
// of a role, which must ask for it. It is a word of at most three letters, or
// the name of a State.
func (c *Case) State(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	short := len(b) <= 3 && pattern(b, "AAA"[:len(b)])
	if c.O.Basis == MinimumNecessary || !short && !stateNames[strings.ToLower(string(b))] {
		c.Count(Address)
		return dst
	}
	return append(dst, b...)
}

var stateNames = map[string]bool{"alabama": true, "alaska": true, "arizona": true, "arkansas": true, "california": true, "colorado": true, "connecticut": true,
	"delaware": true, "district of columbia": true, "florida": true, "georgia": true, "hawaii": true, "idaho": true, "illinois": true, "indiana": true,
	"iowa": true, "kansas": true, "kentucky": true, "louisiana": true, "maine": true, "maryland": true, "massachusetts": true, "michigan": true,
	"minnesota": true, "mississippi": true, "missouri": true, "montana": true, "nebraska": true, "nevada": true, "new hampshire": true, "new jersey": true,
	"new mexico": true, "new york": true, "north carolina": true, "north dakota": true, "ohio": true, "oklahoma": true, "oregon": true, "pennsylvania": true,
	"rhode island": true, "south carolina": true, "south dakota": true, "tennessee": true, "texas": true, "utah": true, "vermont": true, "virginia": true,
	"washington": true, "west virginia": true, "wisconsin": true, "wyoming": true, "puerto rico": true, "united states": true}

// City appends a city, which only a limited data set has.
func (c *Case) City(dst, b []byte) []byte {
	if len(b) == 0 {
		return dst
	}
	if c.O.Basis != LimitedDataSet || !Words(b) || len(b) > 50 {
		c.Count(Address)
		return dst
	}
	return append(dst, b...)
}
