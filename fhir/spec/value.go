package spec

import (
	"strings"
	"unicode/utf8"
)

// ValidID says whether s is a FHIR id: [A-Za-z0-9\-\.]{1,64} (R4, datatypes.html#id).
func ValidID[S string | []byte](s S) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// Valid says whether text is a value of the primitive type, by R4's datatypes
// page. text is the JSON string's content, or the literal of a boolean or a number.
// An unknown type has no values. It is about form, and for dates the calendar, not
// about bindings.
func Valid(primitive, text string) bool {
	switch primitive {
	case "boolean":
		return text == "true" || text == "false"
	case "integer":
		return integer(text, true, "0")
	case "unsignedInt":
		return integer(text, false, "0")
	case "positiveInt":
		return integer(text, false, "1")
	case "decimal":
		return decimal(text)
	case "id":
		return ValidID(text)
	case "code":
		return code(text)
	case "date":
		p, ok := DatePrecision(text)
		return ok && p <= Day
	case "dateTime":
		_, ok := DatePrecision(text)
		return ok
	case "instant":
		p, ok := DatePrecision(text)
		return ok && p >= Second
	case "time":
		_, rest, ok := clock(text)
		return ok && rest == ""
	case "oid":
		return oid(text)
	case "uuid":
		hex, ok := strings.CutPrefix(text, "urn:uuid:")
		return ok && uuid(hex)
	case "uri", "url", "canonical":
		return text != "" && utf8.ValidString(text) && !strings.ContainsAny(text, " \t\r\n")
	case "base64Binary":
		return base64Text(text)
	case "string", "markdown", "xhtml":
		return text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, control)
	}
	return false
}

// control: a string has no control characters but tab, line feed, carriage return.
func control(c rune) bool { return c < ' ' && c != '\t' && c != '\n' && c != '\r' }

func integer(s string, signed bool, least string) bool {
	if signed && s != "" && (s[0] == '-' || s[0] == '+') {
		// R4: 0 or [-+]?[1-9][0-9]*, of 32 bits.
		return integer(s[1:], false, "1") || s == "-2147483648"
	}
	if s == "" || len(s) > 10 || !digits(s) || s[0] == '0' && s != "0" {
		return false
	}
	return (s != "0" || least == "0") && (len(s) < 10 || s <= "2147483647")
}

// decimal: a JSON number. R4 limits neither digits nor exponent; how long a
// literal may be is for the reader of the document.
func decimal(s string) bool {
	s = strings.TrimPrefix(s, "-")
	s, exp, hasExp := cutAny(s, "eE")
	whole, frac, hasFrac := strings.Cut(s, ".")
	if whole == "" || !digits(whole) || whole[0] == '0' && whole != "0" || hasFrac && (frac == "" || !digits(frac)) {
		return false
	}
	if hasExp {
		if exp != "" && (exp[0] == '-' || exp[0] == '+') {
			exp = exp[1:]
		}
		return exp != "" && digits(exp)
	}
	return true
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// code: [^\s]+(\s[^\s]+)* - no white space at the ends, none doubled.
func code(s string) bool {
	space := true
	for i := range len(s) {
		switch s[i] {
		case ' ', '\t', '\n', '\r', '\f':
			if space {
				return false
			}
			space = true
		default:
			space = false
		}
	}
	return !space && utf8.ValidString(s)
}

// oid: urn:oid:[0-2](\.(0|[1-9][0-9]*))+
func oid(s string) bool {
	s, ok := strings.CutPrefix(s, "urn:oid:")
	if !ok {
		return false
	}
	first := true
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || !digits(part) || part[0] == '0' && part != "0" || first && (len(part) != 1 || part > "2") {
			return false
		}
		first = false
	}
	return strings.Contains(s, ".")
}

func uuid(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return false
			}
		}
	}
	return true
}

func base64Text(s string) bool {
	if strings.ContainsAny(s, " \t\r\n") { // R4 allows white space between groups
		s = strings.Map(func(c rune) rune {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				return -1
			}
			return c
		}, s)
	}
	if len(s)%4 != 0 || s == "" {
		return false
	}
	body := strings.TrimRight(s, "=")
	if len(s)-len(body) > 2 {
		return false
	}
	for i := range len(body) {
		c := body[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/') {
			return false
		}
	}
	return true
}
