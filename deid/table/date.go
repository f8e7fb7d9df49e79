package table

import (
	"bytes"
	"strconv"
	"time"
)

// Order says which number comes first where a date is written as N/N/YYYY.
type Order string

// The orders. With the zero Order such a date is read only if one number is
// over 12 or both are the same.
const (
	NoOrder    Order = ""
	MonthFirst Order = "month-first"
	DayFirst   Order = "day-first"
)

// part is where a part of a date stands in its text.
type part struct{ from, to int }

// dated is a date that was read from text.
type dated struct {
	year, month, day int // month and day 0 where there is none
	y, m, d          part
	word             bool // the month is a word
	// swap: the text does not say which number is the month. The year is sure.
	swap bool
	// fixed: the text holds more that goes with the day, so it cannot be shifted.
	fixed bool
	rest  int // where the time of day begins
}

const (
	minYear = 1800
	maxYear = 2199
)

// reader of a date.
type cursor struct {
	b []byte
	i int
}

func (c *cursor) number(least, most int) (n int, p part, ok bool) {
	p.from = c.i
	for c.i < len(c.b) && c.i-p.from < most && c.b[c.i] >= '0' && c.b[c.i] <= '9' {
		n = n*10 + int(c.b[c.i]-'0')
		c.i++
	}
	p.to = c.i
	return n, p, p.to-p.from >= least
}

func (c *cursor) letters() (p part) {
	p.from = c.i
	for c.i < len(c.b) && (c.b[c.i]|0x20 >= 'a' && c.b[c.i]|0x20 <= 'z') {
		c.i++
	}
	p.to = c.i
	return p
}

func (c *cursor) any(set string) byte {
	if c.i < len(c.b) && bytes.IndexByte([]byte(set), c.b[c.i]) >= 0 {
		c.i++
		return c.b[c.i-1]
	}
	return 0
}

func (c *cursor) done() bool { return c.i == len(c.b) }

// parseDate reads the forms that leave no doubt about the year: ISO 8601 and
// HL7 dates to the year, month, day or time; N/N/YYYY; 2 Apr 1933, 02-APR-1933,
// 02APR1933, April 2, 1933. A year of two digits is not read.
func parseDate(v []byte, order Order) (dated, bool) {
	c := &cursor{b: v}
	if len(v) == 0 || len(v) > 64 {
		return dated{}, false
	}
	var d dated
	var ok bool
	if p := c.letters(); p.to > 0 {
		d, ok = c.wordFirst(p)
	} else {
		d, ok = c.numberFirst(order)
	}
	if !ok || d.year < minYear || d.year > maxYear || d.month > 12 || !c.clock(&d) {
		return dated{}, false
	}
	if d.day > 0 && !d.swap && d.day > daysIn(d.year, d.month) {
		return dated{}, false
	}
	return d, true
}

// wordFirst reads "April 2, 1933" after its month, and "April 1933".
func (c *cursor) wordFirst(p part) (d dated, ok bool) {
	d.m, d.word = p, true
	if d.month = month(c.b[p.from:p.to]); d.month == 0 {
		return d, false
	}
	c.any(".")
	if c.any(" -") == 0 {
		return d, false
	}
	n, p, ok := c.number(1, 4)
	if !ok {
		return d, false
	}
	if p.to-p.from == 4 {
		d.year, d.y = n, p
		return d, true
	}
	if p.to-p.from > 2 || n == 0 {
		return d, false
	}
	d.day, d.d = n, p
	c.ordinal(&d)
	comma := c.any(",")
	if c.any(" -") == 0 && comma == 0 {
		return d, false
	}
	d.year, d.y, ok = c.number(4, 4)
	return d, ok
}

func (c *cursor) ordinal(d *dated) {
	at := c.i
	switch p := c.letters(); string(bytes.ToLower(c.b[p.from:p.to])) {
	case "st", "nd", "rd", "th":
		d.fixed = true
	default:
		c.i = at
	}
}

func (c *cursor) numberFirst(order Order) (d dated, ok bool) {
	n, p, ok := c.number(1, 14)
	if !ok {
		return d, false
	}
	switch width := p.to - p.from; width {
	case 4:
		d.year, d.y = n, p
		return c.afterYear(d)
	case 6, 8, 12, 14: // YYYYMM, YYYYMMDD, and HL7 with a time
		c.i = 4
		d.year, d.y = atoi(c.b[:4]), part{0, 4}
		d.month, d.m, _ = c.number(2, 2)
		if width > 6 {
			d.day, d.d, _ = c.number(2, 2)
			ok = d.day > 0
		}
		d.rest = 8
		if width > 8 {
			h, _, _ := c.number(2, 2)
			m, _, _ := c.number(2, 2)
			ok = ok && h < 24 && m < 60
			if width == 14 {
				s, _, _ := c.number(2, 2)
				ok = ok && s < 61
			}
		}
		return d, ok && d.month > 0
	case 1, 2:
		return c.afterSmall(d, n, p, order)
	}
	return d, false
}

// afterYear reads what follows YYYY: nothing, -MM or -MM-DD.
func (c *cursor) afterYear(d dated) (dated, bool) {
	sep := c.any("-/.")
	if sep == 0 {
		return d, c.done()
	}
	var ok bool
	if p := c.letters(); p.to > p.from { // 1933-Apr-02
		d.m, d.word = p, true
		d.month = month(c.b[p.from:p.to])
		ok = d.month > 0
	} else if d.month, d.m, ok = c.number(1, 2); d.month == 0 {
		return d, false
	}
	if !ok {
		return d, false
	}
	if c.done() {
		return d, true
	}
	if c.any(string(sep)) == 0 {
		return d, false
	}
	d.day, d.d, ok = c.number(1, 2)
	return d, ok && d.day > 0
}

// afterSmall reads what follows a number of one or two digits: N/N/YYYY, or a
// day before the name of its month.
func (c *cursor) afterSmall(d dated, n int, p part, order Order) (dated, bool) {
	if n == 0 {
		return d, false
	}
	c.ordinal(&d)
	sep := c.any("-/. ")
	if w := c.letters(); w.to > w.from {
		d.day, d.d = n, p
		d.m, d.word = w, true
		if d.month = month(c.b[w.from:w.to]); d.month == 0 {
			return d, false
		}
		c.any(".,")
		if c.any("-/. ") != 0 != (sep != 0) {
			return d, false
		}
		var ok bool
		d.year, d.y, ok = c.number(4, 4)
		return d, ok
	}
	if sep == 0 || sep == ' ' || d.fixed {
		return d, false
	}
	m, q, ok := c.number(1, 2)
	if !ok || m == 0 || c.any(string(sep)) == 0 {
		return d, false
	}
	if d.year, d.y, ok = c.number(4, 4); !ok {
		return d, false
	}
	d.month, d.m, d.day, d.d = n, p, m, q
	switch {
	case order == DayFirst || (order == NoOrder && n > 12):
		d.month, d.m, d.day, d.d = m, q, n, p
	case order == NoOrder && m <= 12 && n != m:
		d.swap = true
	}
	return d, d.month <= 12
}

// clock reads a time of day after a whole date, or the end.
func (c *cursor) clock(d *dated) bool {
	if d.rest == 0 {
		d.rest = c.i
	}
	if c.done() {
		return true
	}
	if d.day == 0 {
		return false
	}
	if c.i == d.rest { // not the run of digits of HL7
		if c.any("T ") == 0 {
			return false
		}
		h, _, ok := c.number(1, 2)
		if !ok || h > 24 || c.any(":") == 0 {
			return false
		}
		if m, _, ok := c.number(2, 2); !ok || m > 59 {
			return false
		}
		if c.any(":") != 0 {
			if s, _, ok := c.number(2, 2); !ok || s > 60 {
				return false
			}
		}
	}
	if c.any(".") != 0 {
		if _, _, ok := c.number(1, 12); !ok {
			return false
		}
	}
	c.any(" ")
	switch p := c.letters(); string(bytes.ToLower(c.b[p.from:p.to])) {
	case "", "z", "utc", "gmt", "am", "pm":
	default:
		return false
	}
	if c.any("+-") != 0 {
		if _, _, ok := c.number(2, 2); !ok {
			return false
		}
		c.any(":")
		if _, _, ok := c.number(2, 2); !ok {
			return false
		}
	}
	return c.done()
}

var months = [...]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// month is the number of a month's name or its first three letters; 0: none.
func month(w []byte) int {
	s := string(bytes.ToLower(w))
	for i, name := range months {
		if s == name || s == name[:3] || (i == 8 && s == "sept") {
			return i + 1
		}
	}
	return 0
}

func atoi(b []byte) int {
	n := 0
	for _, c := range b {
		n = n*10 + int(c-'0')
	}
	return n
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// shift writes the date so many days later, in the form in which it was read.
// It needs a day, and a text that says which number is the month.
func (d dated) shift(dst, v []byte, days int) ([]byte, bool) {
	if d.day == 0 || d.swap || d.fixed {
		return dst, false
	}
	to := time.Date(d.year, time.Month(d.month), d.day+days, 0, 0, 0, 0, time.UTC)
	if to.Year() < 1000 || to.Year() > 9999 {
		return dst, false
	}
	padded := d.padded(v)
	for i := 0; i < len(v); {
		switch i {
		case d.y.from:
			dst = strconv.AppendInt(dst, int64(to.Year()), 10)
			i = d.y.to
			continue
		case d.d.from:
			dst = pad(dst, to.Day(), padded)
			i = d.d.to
			continue
		case d.m.from:
			if d.word {
				dst = appendMonth(dst, int(to.Month()), v[d.m.from:d.m.to])
			} else {
				dst = pad(dst, int(to.Month()), padded)
			}
			i = d.m.to
			continue
		}
		dst = append(dst, v[i])
		i++
	}
	return dst, true
}

// padded says whether a date writes 9 as 09. A part of two digits tells nothing
// unless it begins with 0; then a part of one digit beside it does, and "April
// 12" is followed by "April 9".
func (d dated) padded(v []byte) bool {
	one := d.d.to-d.d.from == 1 || (!d.word && d.m.to-d.m.from == 1)
	return !one && (v[d.d.from] == '0' || !d.word || d.d.from < d.m.from)
}

func pad(dst []byte, n int, padded bool) []byte {
	if n < 10 && padded {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(n), 10)
}

// appendMonth writes a month's name as long and in the case of like.
func appendMonth(dst []byte, n int, like []byte) []byte {
	name := []byte(months[n-1])
	if len(like) <= 4 && string(bytes.ToLower(like)) != "june" && string(bytes.ToLower(like)) != "july" {
		name = name[:3]
	}
	switch {
	case bytes.Equal(like, bytes.ToUpper(like)):
		name = bytes.ToUpper(name)
	case like[0] < 'a':
		name[0] -= 'a' - 'A'
	}
	return append(dst, name...)
}
