package spec

import "strings"

// Precision is how much of a date is said (R4, datatypes.html#dateTime).
type Precision uint8

// The precisions. FHIR has none of hours or minutes alone.
const (
	NoPrecision Precision = iota
	Year
	Month
	Day
	Second
	Fraction // of a second
)

// DatePrecision checks a date, dateTime or instant, with the calendar, and says
// how precise it is. A time of day needs a zone; a leap second (60) is allowed.
func DatePrecision(s string) (Precision, bool) {
	if len(s) < 4 || !digits(s[:4]) || s[:4] == "0000" {
		return NoPrecision, false
	}
	if len(s) == 4 {
		return Year, true
	}
	if len(s) < 7 || s[4] != '-' || !digits(s[5:7]) {
		return NoPrecision, false
	}
	month := two(s[5:])
	if month < 1 || month > 12 {
		return NoPrecision, false
	}
	if len(s) == 7 {
		return Month, true
	}
	if len(s) < 10 || s[7] != '-' || !digits(s[8:10]) {
		return NoPrecision, false
	}
	if day := two(s[8:]); day < 1 || day > daysIn(two(s)*100+two(s[2:]), month) {
		return NoPrecision, false
	}
	if len(s) == 10 {
		return Day, true
	}
	if s[10] != 'T' {
		return NoPrecision, false
	}
	p, zone, ok := clock(s[11:])
	if !ok || !validZone(zone) {
		return NoPrecision, false
	}
	return p, true
}

// clock reads hh:mm:ss(.f+)? and returns what follows.
func clock(s string) (p Precision, rest string, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' || !digits(s[:2]) || !digits(s[3:5]) || !digits(s[6:8]) ||
		two(s) > 23 || two(s[3:]) > 59 || two(s[6:]) > 60 {
		return NoPrecision, "", false
	}
	p, rest = Second, s[8:]
	if frac, found := strings.CutPrefix(rest, "."); found {
		end := 0
		for end < len(frac) && frac[end] >= '0' && frac[end] <= '9' {
			end++
		}
		if end == 0 {
			return NoPrecision, "", false
		}
		p, rest = Fraction, frac[end:]
	}
	return p, rest, true
}

// validZone: Z or +hh:mm to 14:00.
func validZone(s string) bool {
	if s == "Z" {
		return true
	}
	if len(s) != 6 || s[0] != '+' && s[0] != '-' || s[3] != ':' || !digits(s[1:3]) || !digits(s[4:6]) {
		return false
	}
	h, m := two(s[1:]), two(s[4:])
	return h < 14 && m < 60 || h == 14 && m == 0
}

func two(s string) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
