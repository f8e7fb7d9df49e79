package msconfig

import (
	"strconv"
	"strings"
	"time"
)

// kind is what sort of scalar a value is. It decides how the value is written
// as JSON and how FHIRPath treats it.
type kind uint8

const (
	none kind = iota
	boolean
	integer
	long // the result of div on decimals: written as a JSON string, as the tool does
	number
	text
	date
	dateTime
	clock
	quantity // only within an expression
)

// value is a scalar. s is its text without quotes: of a boolean "true" or
// "false", of a quantity the number; unit is the quantity's.
type value struct {
	kind kind
	s    string
	unit string
}

// kindOf says how the values of an R4 primitive type are read.
func kindOf(primitive string) kind {
	switch primitive {
	case "boolean":
		return boolean
	case "integer", "unsignedInt", "positiveInt":
		return integer
	case "decimal":
		return number
	case "date":
		return date
	case "dateTime", "instant":
		return dateTime
	case "time":
		return clock
	default:
		return text
	}
}

// read makes a value of JSON scalar text. The tool does not mind whether a
// number stands in quotes, but it must be one.
func read(k kind, s string) (value, bool) {
	switch k {
	case boolean:
		return value{kind: k, s: s}, s == "true" || s == "false"
	case integer:
		i, err := strconv.ParseInt(s, 10, 32)
		if err != nil || s[0] == '+' {
			return value{}, false
		}
		return value{kind: k, s: strconv.FormatInt(i, 10)}, true
	case number:
		return value{kind: k, s: s}, isNumber(s)
	case date, dateTime:
		_, ok := parseMoment(s, k == dateTime)
		return value{kind: k, s: s}, ok
	case clock:
		_, ok := parseClock(s)
		return value{kind: k, s: s}, ok
	default:
		return value{kind: text, s: s}, true
	}
}

// String is the text that hashing, encrypting and parsing start from: what .NET's
// ToString gives, so a boolean has a capital and a number no exponent.
func (v value) String() string {
	switch v.kind {
	case boolean:
		return strings.ToUpper(v.s[:1]) + v.s[1:]
	case number:
		if strings.ContainsAny(v.s, "eE") {
			if d, ok := parseDecimal(v.s); ok {
				return d.String()
			}
		}
	}
	return v.s
}

// dec is the number, of an integer or a decimal.
func (v value) dec() (decimal, bool) {
	switch v.kind {
	case integer, long, number, quantity:
		return parseDecimal(v.s)
	}
	return decimal{}, false
}

func (v value) numeric() bool { return v.kind == integer || v.kind == long || v.kind == number }

// precision is how much of a date or time is said.
type precision uint8

const (
	toYear precision = iota + 1
	toMonth
	toDay
	toHour
	toMinute
	toSecond
	toFraction
)

// moment is a date or dateTime as written. at is in UTC, and a moment without
// a zone counts as UTC.
type moment struct {
	year, month, day int // as written, in its own zone
	at               time.Time
	prec             precision
	zoned            bool
}

// digits reads n decimal digits.
func digits(s string, n int) (v int, rest string, ok bool) {
	if len(s) < n {
		return 0, s, false
	}
	for i := range n {
		if s[i] < '0' || s[i] > '9' {
			return 0, s, false
		}
		v = v*10 + int(s[i]-'0')
	}
	return v, s[n:], true
}

// parseMoment reads a date, and a time of day where timed, each as precise as it
// likes, with or without a zone: more forms than FHIR allows, because the tool
// takes them. The calendar must have the day.
func parseMoment(s string, timed bool) (moment, bool) {
	m := moment{month: 1, day: 1, prec: toYear}
	var ok bool
	if m.year, s, ok = digits(s, 4); !ok || m.year == 0 {
		return m, false
	}
	part := func(into *int, p precision) bool {
		if len(s) == 0 || s[0] != '-' || len(s) >= 4 && s[3] == ':' {
			return true // what is left is a zone, or nothing
		}
		v, rest, ok := digits(s[1:], 2)
		*into, s, m.prec = v, rest, p
		return ok
	}
	if !part(&m.month, toMonth) || m.prec == toMonth && !part(&m.day, toDay) {
		return m, false
	}
	var hms [3]int
	nanos := 0
	if timed && m.prec == toDay && len(s) > 0 && s[0] == 'T' {
		var p precision
		if hms, nanos, p, s, ok = parseHMS(s[1:]); !ok {
			return m, false
		}
		m.prec = p
	}
	zone, ok := parseZone(s)
	if !ok {
		return m, false
	}
	m.zoned = s != ""
	m.at = time.Date(m.year, time.Month(m.month), m.day, hms[0], hms[1], hms[2], nanos, time.UTC)
	if m.at.Day() != m.day || int(m.at.Month()) != m.month {
		// A rounded fraction can only carry within 23:59:59.9999999...
		if nanos < int(time.Second) || m.at.Add(-time.Second).Day() != m.day {
			return m, false
		}
	}
	m.at = m.at.Add(-time.Duration(zone) * time.Minute)
	return m, m.at.Year() >= 1 && m.at.Year() <= 9999
}

// parseHMS reads hours, and minutes, seconds and a fraction where they are
// there. The fraction is rounded to the 100 ns that .NET keeps.
func parseHMS(s string) (hms [3]int, nanos int, p precision, rest string, ok bool) {
	limits := [3]int{23, 59, 59} // .NET has no leap second
	rest = s
	for i := range hms {
		if i > 0 {
			if len(rest) == 0 || rest[0] != ':' {
				break
			}
			rest = rest[1:]
		}
		if hms[i], rest, ok = digits(rest, 2); !ok || hms[i] > limits[i] {
			return hms, 0, 0, rest, false
		}
		p = toHour + precision(i)
	}
	if p == toSecond && len(rest) > 1 && rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return hms, 0, 0, rest, false
		}
		frac := (rest[1:n] + "00000000")[:max(8, n-1)]
		ticks, _, _ := digits(frac, 7)
		if frac[7] >= '5' {
			ticks++
		}
		nanos, p, rest = ticks*100, toFraction, rest[n:]
	}
	return hms, nanos, p, rest, true
}

// parseZone reads "", "Z" or "+hh:mm", in minutes.
func parseZone(s string) (minutes int, ok bool) {
	if s == "" || s == "Z" {
		return 0, true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	h, _, ok1 := digits(s[1:], 2)
	m, _, ok2 := digits(s[4:], 2)
	if !ok1 || !ok2 || m > 59 || h*60+m > 14*60 {
		return 0, false
	}
	if s[0] == '-' {
		return -(h*60 + m), true
	}
	return h*60 + m, true
}

type clockTime struct {
	at   time.Duration
	prec precision
}

func parseClock(s string) (clockTime, bool) {
	hms, nanos, p, rest, ok := parseHMS(s)
	if !ok || rest != "" {
		return clockTime{}, false
	}
	at := time.Duration(hms[0])*time.Hour + time.Duration(hms[1])*time.Minute + time.Duration(hms[2])*time.Second
	return clockTime{at: at + time.Duration(nanos), prec: p}, true
}

// compareMoments compares from the year down to the millisecond, in UTC. Where
// one is less precise than the other and all that both say is equal, there is
// no answer.
func compareMoments(a, b moment) (c int, ok bool) {
	steps := []struct {
		p    precision
		of   func(time.Time) int
		zone bool
	}{
		{toYear, time.Time.Year, false},
		{toMonth, func(t time.Time) int { return int(t.Month()) }, false},
		{toDay, time.Time.Day, false},
		{toHour, time.Time.Hour, true},
		{toMinute, time.Time.Minute, false},
		{toSecond, time.Time.Second, false},
		{0, func(t time.Time) int { return t.Nanosecond() / 1e6 }, false},
	}
	for _, s := range steps {
		if (a.prec < s.p) != (b.prec < s.p) || s.zone && a.zoned != b.zoned {
			return 0, false
		}
		if x, y := s.of(a.at), s.of(b.at); x != y {
			if x < y {
				return -1, true
			}
			return 1, true
		}
	}
	return 0, true
}
