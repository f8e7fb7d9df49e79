package fhir

import (
	"bytes"

	"github.com/sallyport/sallyport/deid"
)

// fits reports whether the JSON value has the shape of its type. The patterns
// are those of R4 section 2.24.0.1, with lengths where R4 gives none.
func (m *Minimiser) fits(value []byte, shape deid.Shape) bool {
	switch shape {
	case deid.NoShape:
		return false
	case deid.Boolean:
		return value[0] == 't' || value[0] == 'f'
	case deid.Integer:
		return isInteger(value)
	case deid.Decimal:
		return value[0] == '-' || isDigit(value[0])
	}
	if value[0] != '"' {
		return false
	}
	if shape == deid.Text {
		return true
	}
	// Shapes that are written without escapes: a value with one does not fit.
	plain := value[1 : len(value)-1]
	switch shape {
	case deid.DateShape:
		return isDate(plain, false)
	case deid.DateTime:
		return isDate(plain, true)
	case deid.Instant:
		return len(plain) > 10 && isDate(plain, true)
	case deid.TimeOfDay:
		return clock(plain) == len(plain) && len(plain) > 0
	case deid.ID:
		return isID(plain)
	case deid.Samples:
		return len(plain) > 0 && only(plain, "0123456789.+-EUL ")
	case deid.Token:
		return len(plain) > 0 && len(plain) <= 128 && token(plain)
	}
	s := text(value, &m.words)
	switch shape {
	case deid.Code:
		return isCode(s)
	case deid.URI:
		return isURI(s)
	case deid.Kind:
		if _, ok := deid.ResourceName(s); ok {
			return true
		}
		rest, ok := bytes.CutPrefix(s, []byte("http://hl7.org/fhir/StructureDefinition/"))
		if ok {
			_, ok = deid.ResourceName(rest)
		}
		return ok
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isInteger(b []byte) bool {
	if b[0] == '-' {
		b = b[1:]
	}
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return len(b) > 0 && len(b) <= 20
}

func digits(b []byte, n int) bool {
	if len(b) < n {
		return false
	}
	for _, c := range b[:n] {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// isDate: YYYY, YYYY-MM, YYYY-MM-DD, and where a time is allowed
// YYYY-MM-DDThh:mm:ss[.s...](Z|±hh:mm).
func isDate(b []byte, time bool) bool {
	if !digits(b, 4) {
		return false
	}
	b = b[4:]
	for range 2 {
		if len(b) == 0 {
			return true
		}
		if b[0] != '-' || !digits(b[1:], 2) {
			return false
		}
		b = b[3:]
	}
	if len(b) == 0 {
		return true
	}
	if !time || b[0] != 'T' {
		return false
	}
	b = b[1:]
	n := clock(b)
	if n == 0 {
		return false
	}
	b = b[n:]
	if len(b) == 1 {
		return b[0] == 'Z'
	}
	return len(b) == 6 && (b[0] == '+' || b[0] == '-') && digits(b[1:], 2) && b[3] == ':' && digits(b[4:], 2)
}

// clock is the length of hh:mm:ss[.s...] at the start of b, or 0.
func clock(b []byte) int {
	if len(b) < 8 || !digits(b, 2) || b[2] != ':' || !digits(b[3:], 2) || b[5] != ':' || !digits(b[6:], 2) {
		return 0
	}
	n := 8
	if n < len(b) && b[n] == '.' {
		n++
		from := n
		for n < len(b) && isDigit(b[n]) {
			n++
		}
		if n == from || n-from > 9 {
			return 0
		}
	}
	return n
}

// isID: the R4 type id.
func isID[T ~string | ~[]byte](b T) bool {
	if len(b) == 0 || len(b) > 64 {
		return false
	}
	for i := range len(b) {
		c := b[i]
		if !isDigit(c) && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// isCode: no white space at the ends, none doubled, nothing below a space.
func isCode(b []byte) bool {
	if len(b) == 0 || len(b) > 256 || b[0] == ' ' || b[len(b)-1] == ' ' {
		return false
	}
	for i, c := range b {
		if c < ' ' || c == 0x7f || (c == ' ' && b[i-1] == ' ') {
			return false
		}
	}
	return true
}

// isURI: a scheme, and no space.
func isURI(b []byte) bool {
	if len(b) == 0 || len(b) > 1024 || bytes.IndexByte(b, ':') < 1 {
		return false
	}
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func only(b []byte, set string) bool {
	for _, c := range b {
		if bytes.IndexByte([]byte(set), c) < 0 {
			return false
		}
	}
	return true
}

func token(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '.' && c != '_' && c != '/' && c != '-' {
			return false
		}
	}
	return true
}
