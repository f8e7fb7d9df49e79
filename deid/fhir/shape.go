package fhir

import (
	"bytes"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
)

// fits reports whether the JSON value has the shape of its type: R4 section
// 2.24.0.1, with lengths where R4 gives none. What is short goes to spec.Valid;
// codes and URIs, which are most of a resource, are judged where they stand.
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
		return len(plain) <= 10 && spec.Valid("date", string(plain))
	case deid.DateTime:
		return len(plain) <= 48 && spec.Valid("dateTime", string(plain))
	case deid.Instant:
		return len(plain) <= 48 && spec.Valid("instant", string(plain))
	case deid.TimeOfDay:
		return len(plain) <= 48 && spec.Valid("time", string(plain))
	case deid.ID:
		return spec.ValidID(plain)
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
	case deid.Word:
		return isCode(s) && bytes.IndexByte(s, ' ') < 0
	case deid.MediaType:
		return isMediaType(s)
	case deid.ZIPShape:
		return isZIP(s)
	case deid.State:
		return deid.IsState(s)
	case deid.Country:
		return deid.IsCountry(s)
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

// isHL7: the quoted address is in one of HL7's own places.
func isHL7(quoted []byte) bool {
	for _, prefix := range standard {
		if len(quoted) > 2 && bytes.HasPrefix(quoted[1:], prefix) {
			return true
		}
	}
	return false
}

// isMediaType: type/subtype, and no parameter but charset (RFC 6838 section 4.2).
func isMediaType(b []byte) bool {
	if len(b) > 128 {
		return false
	}
	typ, params, _ := bytes.Cut(b, []byte(";"))
	before, after, slash := bytes.Cut(typ, []byte("/"))
	if params = bytes.TrimSpace(params); len(params) > 0 {
		name, value, _ := bytes.Cut(params, []byte("="))
		if !bytes.EqualFold(name, []byte("charset")) || !isToken(bytes.Trim(value, `"`)) {
			return false
		}
	}
	return slash && isToken(before) && isToken(bytes.TrimSpace(after))
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && bytes.IndexByte([]byte("!#$&-^_.+"), c) < 0 {
			return false
		}
	}
	return len(b) > 0
}

// isZIP: five digits, or nine with or without a dash or a space.
func isZIP(b []byte) bool {
	if len(b) != 5 && len(b) != 9 && len(b) != 10 {
		return false
	}
	for i, c := range b {
		if !isDigit(c) && (i != 5 || len(b) != 10 || c != '-' && c != ' ') {
			return false
		}
	}
	return len(b) != 10 || !isDigit(b[5])
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
