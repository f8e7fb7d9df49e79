package scan

import (
	"bytes"
	"strings"
	"time"
)

// likely is how much a value looks like a real one of its kind, from 0 (is
// none, or reserved for examples) to 1.
func (k kind) likely(v []byte, asOf time.Time) float64 {
	if len(v) == 0 || len(v) > 120 || isPlaceholder(v) {
		return 0
	}
	switch k {
	case kindNumber:
		return likelyNumber(v)
	case kindSSN:
		if validSSN(v) {
			return 1
		}
	case kindBirth:
		return likelyBirth(v, asOf)
	case kindName:
		return likelyName(v)
	case kindPhone:
		if validPhone(v) {
			return 1
		}
	case kindEmail:
		return likelyEmail(v)
	case kindAddress:
		return likelyAddress(v)
	case kindZIP:
		if len(v) >= 5 && allDigits(v[:5]) && (len(v) == 5 || v[5] == '-' && len(v) == 10) && !isRun(v[:5]) {
			return 1
		}
	case kindCity:
		if len(v) > 2 && isUpper(v[0]) {
			return 1
		}
	}
	return 0
}

// isPlaceholder: what stands where a value will be, or was.
func isPlaceholder(v []byte) bool {
	if bytes.ContainsAny(v, "{}<>$%[]`\\*|~") {
		return true // {{name}}, <mrn>, ${id}, %s, [NAME], `x`, \d+, ****
	}
	low := strings.ToLower(string(v))
	if strings.Contains(low, "xxx") || strings.Contains(low, "example") || strings.Contains(low, "redacted") || strings.Contains(low, "placeholder") || strings.Contains(low, "masked") {
		return true
	}
	switch low {
	case "null", "none", "nil", "nan", "na", "n/a", "unknown", "true", "false", "undefined", "string", "int", "todo", "tbd", "test", "date", "text", "uuid":
		return true
	}
	return false
}

func digitsOf(v []byte) (digits []byte, others int) {
	for _, c := range v {
		if isDigit(c) {
			digits = append(digits, c)
		} else {
			others++
		}
	}
	return digits, others
}

func allDigits(v []byte) bool {
	for _, c := range v {
		if !isDigit(c) {
			return false
		}
	}
	return len(v) > 0
}

// isRun: one digit again and again, or counting up or down by ones or twos, or
// two such runs, or two and two, as a person types who needs any number at all.
func isRun(d []byte) bool {
	if len(d) < 2 {
		return true
	}
	first := run(d)
	if first == len(d) || len(d) >= 6 && first >= 3 && len(d)-first >= 3 && run(d[first:]) == len(d)-first {
		return true
	}
	if len(bytes.TrimLeft(d, "0")) <= 1 {
		return true // 000001
	}
	if len(d) >= 4 && bytes.Count(d, d[:2])*2 >= len(d)-1 { // 121212, 12121
		return true
	}
	return bytes.Count(d, d[:1]) >= len(d)-1 // 100000; 000120 is kept
}

// run is how many digits from the first on have the same step between them, a
// step of at most two.
func run(d []byte) int {
	step := 0
	for i := 1; i < len(d); i++ {
		this := (int(d[i]) - int(d[i-1]) + 10) % 10
		if i == 1 {
			step = this
		}
		if this != step || step > 2 && step < 8 {
			return i
		}
	}
	return len(d)
}

// likelyNumber: letters, digits and hyphens with enough digits to tell people apart.
func likelyNumber(v []byte) float64 {
	v = bytes.TrimPrefix(bytes.TrimSpace(v), []byte("#"))
	if len(v) < 5 || len(v) > 24 {
		return 0
	}
	letters := 0
	for _, c := range v {
		switch {
		case isDigit(c):
		case isUpper(c):
			letters++
		case isLower(c):
			letters += 2 // ids of programs are in small letters
		case c == '-' || c == ' ' || c == '/':
		default:
			return 0
		}
	}
	d, _ := digitsOf(v)
	switch {
	case len(d) < 5 || letters > 6 || letters > len(d):
		return 0
	case isRun(d) || isRun(bytes.TrimLeft(d, "0")) || bytes.HasPrefix(bytes.TrimLeft(d, "0"), []byte("12345")) || bytes.HasPrefix(d, []byte("98765")):
		return 0
	case isDateLike(v):
		return 0
	case bytes.Contains(bytes.ToLower(v), []byte("test")):
		return 0
	case len(d) >= 16 && letters == 0:
		return .5 // a snowflake id, a time in nanoseconds
	}
	return 1
}

// validSSN by the rules of the Social Security Administration (area not 000,
// 666 or 9xx, group not 00, serial not 0000), without the numbers that were
// printed on sample cards and in advertisements, and without runs.
func validSSN(v []byte) bool {
	d, others := digitsOf(v)
	if len(d) != 9 || others > 2 || others != 0 && (len(v) != 11 || v[3] != v[6] || v[3] != '-' && v[3] != ' ') {
		return false
	}
	s := string(d)
	area, group, serial := s[:3], s[3:5], s[5:]
	if area == "000" || area == "666" || area[0] == '9' || group == "00" || serial == "0000" {
		return false
	}
	switch s {
	case "078051120", "219099999", "457555462", "123121234", "111223333", "123006789", "001010001", "856452789":
		return false
	}
	if strings.HasPrefix(s, "98765432") || isRun(d) || s == "123456789" {
		return false
	}
	return !(isRun(d[:3]) && isRun(d[3:5]) && isRun(d[5:])) // 111-22-3333, 123-45-6789
}

// validPhone: a North American number of ten digits, or an international one
// with +, that is not kept for fiction (555-01xx).
func validPhone(v []byte) bool {
	d, others := digitsOf(v)
	if others > 8 || len(v) > 24 {
		return false
	}
	for _, c := range v {
		if !isDigit(c) && !bytes.ContainsRune([]byte("+-. ()/x"), rune(c)) {
			return false
		}
	}
	if v[0] == '+' && len(d) >= 9 && len(d) <= 15 && d[0] != '1' {
		return !isRun(d) && !isRun(d[2:])
	}
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	if len(d) != 10 || d[0] < '2' || d[3] < '2' {
		return false
	}
	if string(d[3:6]) == "555" { // 555-01xx is reserved; the rest of 555 is what people invent
		return false
	}
	if d[1] == '1' && d[2] == '1' || d[4] == '1' && d[5] == '1' { // N11 is a service code
		return false
	}
	return !isRun(d) && !isRun(d[3:]) && string(d[3:]) != "4567890"
}

// roles are the local parts of addresses that belong to no one person.
var roles = map[string]bool{
	"info": true, "support": true, "help": true, "contact": true, "admin": true, "noreply": true, "no-reply": true, "donotreply": true, "sales": true,
	"office": true, "hello": true, "security": true, "privacy": true, "abuse": true, "postmaster": true, "webmaster": true, "root": true, "git": true,
	"user": true, "username": true, "name": true, "me": true, "you": true, "test": true, "foo": true, "bar": true, "mail": true, "email": true, "team": true,
	"dev": true, "opensource": true, "press": true, "legal": true, "billing": true, "service": true, "someone": true, "alice": true, "bob": true,
}

// likelyEmail: of RFC 2606 and RFC 6761 no name is anybody's.
func likelyEmail(v []byte) float64 {
	at := bytes.IndexByte(v, '@')
	if at < 1 || at != bytes.LastIndexByte(v, '@') {
		return 0
	}
	local, domain := strings.ToLower(string(v[:at])), strings.ToLower(string(v[at+1:]))
	dot := strings.LastIndexByte(domain, '.')
	if dot < 1 || len(domain)-dot < 3 || !allAlpha(domain[dot+1:]) {
		return 0
	}
	for _, reserved := range []string{"example", "test", "invalid", "localhost", "local", "internal"} {
		if domain[dot+1:] == reserved || strings.HasPrefix(domain, reserved+".") || strings.Contains(domain, "."+reserved+".") {
			return 0
		}
	}
	for _, system := range []string{"users.noreply.github.com", "github.com", "googlegroups.com", "domain.com", "company.com", "email.com", "foo.com", "bar.com", "acme.com"} {
		if domain == system {
			return 0
		}
	}
	for _, c := range []byte(local) {
		if !isAlnum(c) && !bytes.ContainsRune([]byte("._%+-'"), rune(c)) {
			return 0
		}
	}
	if roles[local] {
		return .3
	}
	return 1
}

func allAlpha(s string) bool {
	for i := range len(s) {
		if !isAlpha(s[i]) {
			return false
		}
	}
	return s != ""
}

// nobody are names that stand for no person.
var nobody = map[string]bool{
	"doe": true, "roe": true, "test": true, "tester": true, "testing": true, "foo": true, "bar": true, "baz": true, "qux": true, "sample": true,
	"example": true, "dummy": true, "fake": true, "demo": true, "unknown": true, "anonymous": true, "patient": true, "user": true, "name": true,
	"someone": true, "nobody": true, "first": true, "last": true, "lorem": true, "ipsum": true, "public": true, "mock": true, "default": true, "none": true,
	"string": true, "value": true, "required": true, "optional": true, "resource": true, "reference": true, "identifier": true, "type": true, "data": true,
	"id": true, "admin": true, "family": true, "given": true, "surname": true, "true": true, "false": true, "list": true, "object": true, "system": true,
}

// likelyName: one to five capitalised words of letters. What is one word is
// half a name.
func likelyName(v []byte) float64 {
	words := strings.FieldsFunc(string(v), func(r rune) bool { return r == ' ' || r == ',' || r == '^' || r == '.' })
	if len(words) == 0 || len(words) > 5 {
		return 0
	}
	long := 0
	for _, w := range words {
		low := strings.ToLower(w)
		if nobody[low] || labelWord[low] {
			return 0
		}
		if !isUpper(w[0]) && w[0] < 0x80 && !particles[low] {
			return 0
		}
		lowers, uppers := 0, 0
		for i, r := range w {
			switch {
			case r >= 'A' && r <= 'Z':
				uppers++
			case r >= 'a' && r <= 'z' || r >= 0x80:
				lowers++
			case (r == '\'' || r == '-') && i > 0:
			case r >= '0' && r <= '9' && i > 1: // generated names: Ariel183
			default:
				return 0
			}
		}
		if uppers > 3 && lowers > 0 { // an identifier
			return 0
		}
		if len(w) > 1 {
			long++
		}
	}
	switch {
	case long == 0:
		return 0
	case long == 1:
		return .6
	}
	return 1
}

var particles = map[string]bool{"de": true, "van": true, "von": true, "der": true, "la": true, "le": true, "del": true, "da": true, "di": true, "bin": true, "al": true, "el": true, "y": true}

// labelWord: a title row or a form's next label is no name.
var labelWord = map[string]bool{
	"mrn": true, "dob": true, "ssn": true, "date": true, "number": true, "address": true, "phone": true, "email": true, "age": true, "sex": true, "gender": true,
	"male": true, "female": true, "id": true, "record": true, "history": true, "information": true, "details": true, "portal": true, "education": true, "care": true,
	"access": true, "summary": true, "report": true, "denies": true, "observation": true, "encounter": true, "condition": true, "practitioner": true, "bundle": true,
	"the": true, "a": true, "an": true, "is": true, "has": true, "was": true, "and": true, "or": true, "of": true, "in": true, "to": true, "if": true, "not": true, "no": true,
	"this": true, "all": true, "each": true, "error": true, "see": true, "new": true, "only": true, "with": true, "for": true,
}

var suffixes = map[string]bool{
	"street": true, "st": true, "avenue": true, "ave": true, "road": true, "rd": true, "boulevard": true, "blvd": true, "lane": true, "ln": true, "drive": true, "dr": true,
	"court": true, "ct": true, "way": true, "place": true, "pl": true, "terrace": true, "ter": true, "circle": true, "cir": true, "parkway": true, "pkwy": true, "highway": true,
	"hwy": true, "square": true, "sq": true, "trail": true, "run": true, "alley": true, "crescent": true,
}

// likelyAddress: a house number and a street.
func likelyAddress(v []byte) float64 {
	words := strings.Fields(strings.ToLower(string(v)))
	if len(words) < 3 || len(words) > 14 || !isDigit(words[0][0]) || words[0] == "123" {
		return 0
	}
	for _, w := range words[2:] {
		if suffixes[strings.Trim(w, ".,")] {
			return 1
		}
	}
	return .4
}

// isDateLike: also times, which logs are full of.
func isDateLike(v []byte) bool {
	_, ok := parseDate(v)
	return ok
}

// parseDate reads a date in the forms that records have.
func parseDate(v []byte) (time.Time, bool) {
	v = bytes.TrimSpace(v)
	if i := bytes.IndexAny(v, "T "); i >= 8 && len(v) > i+1 && isDigit(v[i-1]) && isDigit(v[i+1]) {
		v = v[:i] // the time of day; the form with a month's name has its year last
	}
	if len(v) < 6 || len(v) > 20 {
		return time.Time{}, false
	}
	var layouts []string
	switch mark := bytes.IndexFunc(v, func(r rune) bool { return r < '0' || r > '9' }); {
	case mark < 0:
		layouts = []string{"20060102"}
	case v[mark] == '-':
		layouts = []string{"2006-01-02", "01-02-2006", "1-2-2006", "02-Jan-2006"}
	case v[mark] == '/':
		layouts = []string{"1/2/2006", "1/2/06", "2006/01/02"}
	case v[mark] == '.':
		layouts = []string{"2.1.2006"}
	case mark == 0 && isAlpha(v[0]):
		layouts = []string{"January 2, 2006", "Jan 2, 2006"}
	case v[mark] == ' ':
		layouts = []string{"2 January 2006", "2 Jan 2006"}
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(v)); err == nil && t.Year() > 1850 && t.Year() < 2200 {
			return t, true
		}
	}
	return time.Time{}, false
}

// likelyBirth: a date on which somebody who may live was born. The first of
// January of a round year is what a test writes.
func likelyBirth(v []byte, asOf time.Time) float64 {
	t, ok := parseDate(v)
	if !ok {
		return 0
	}
	if t.After(asOf) && len(v) <= 8 { // two digits of a year
		t = t.AddDate(-100, 0, 0)
	}
	switch {
	case t.After(asOf) || asOf.Year()-t.Year() > 120:
		return 0
	case t.Month() == time.January && t.Day() == 1 && (t.Year()%10 == 0 || t.Year() == 1999 || t.Year() == 2001):
		return .2
	case t.Month() == time.January && t.Day() == 1:
		return .6
	}
	return 1
}
