package dicom

import (
	"bytes"
	"time"
)

// trim takes the padding off a value: spaces and zero bytes.
func trim(b []byte) []byte { return bytes.Trim(b, " \x00") }

func isNumber(v vr) bool {
	switch v {
	case vrAT, vrFD, vrFL, vrSL, vrSS, vrSV, vrUL, vrUS, vrUV:
		return true
	}
	return false
}

func isText(v vr) bool {
	switch v {
	case vrAE, vrLO, vrLT, vrPN, vrSH, vrST, vrUC, vrUR, vrUT:
		return true
	}
	return false
}

func isBulk(v vr) bool {
	switch v {
	case vrOB, vrOD, vrOF, vrOL, vrOV, vrOW, vrUN:
		return true
	}
	return false
}

func isTemporal(v vr) bool { return v == vrDA || v == vrDT || v == vrTM }

// unit is the size of one value of a VR of fixed size, otherwise 1.
func (v vr) unit() int {
	switch v {
	case vrSS, vrUS, vrOW:
		return 2
	case vrAT, vrFL, vrSL, vrUL, vrOF, vrOL:
		return 4
	case vrFD, vrSV, vrUV, vrOD, vrOV:
		return 8
	}
	return 1
}

// fits reports whether a file's VR is one that the dictionary has.
func (v vr) fits(dictionary vr) bool {
	switch dictionary {
	case vrBytesOrWords, vrPixels:
		return v == vrOB || v == vrOW
	case vrShort:
		return v == vrUS || v == vrSS
	case vrLookup:
		return v == vrUS || v == vrSS || v == vrOW
	case vrPointer:
		return v == vrUL
	}
	return v == dictionary
}

// plain is the VR that implicit elements have where the dictionary has a choice.
func (v vr) plain() vr {
	switch v {
	case vrBytesOrWords, vrPixels, vrLookup:
		return vrOW
	case vrShort:
		return vrUS
	case vrPointer:
		return vrUL
	}
	return v
}

// maxShort is the longest value of a VR whose length has 16 bits. Values that
// are taken apart are not longer, whatever an implicit file says.
const maxShort = 0xFFFE

// dummy is a value of a VR that says nothing. Numbers are as
// many zeros as n bytes hold, at least one, at most 1024.
func dummy(v vr, n int) []byte {
	switch v {
	case vrAE, vrCS, vrLO, vrLT, vrPN, vrSH, vrST, vrUC, vrUT:
		return []byte("REMOVED")
	case vrUR:
		return []byte("urn:removed")
	case vrAS:
		return []byte("000D")
	case vrDA:
		return []byte("19000101")
	case vrTM:
		return []byte("000000")
	case vrDT:
		return []byte("19000101000000")
	case vrDS, vrIS:
		return []byte("0")
	}
	unit := v.unit()
	return make([]byte, min(max(n/unit, 1), 1024)*unit)
}

// looksCode reports whether b is one or more code strings (PS3.5 section 6.2):
// capitals, digits, space and underscore, 16 of them at most each. A name could
// be written so, but no device asks for one in a code string.
func looksCode(b []byte) bool {
	n := 0
	for _, c := range trim(b) {
		switch {
		case c == '\\':
			n = -1
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == ' ', c == '_':
		default:
			return false
		}
		if n++; n > 16 {
			return false
		}
	}
	return true
}

// looksNumeric reports whether b is one or more decimal or integer strings.
func looksNumeric(b []byte) bool {
	n := 0
	for _, c := range trim(b) {
		switch {
		case c == '\\':
			n = -1
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == 'e', c == 'E', c == ' ':
		default:
			return false
		}
		if n++; n > 24 { // DICOM says 16; many devices write more digits
			return false
		}
	}
	return true
}

// looksToken reports whether b is a code of a coding scheme: letters, digits
// and a little punctuation, no space. A surname fits: a code is trusted
// to be one.
func looksToken(b []byte, most int) bool {
	if b = trim(b); len(b) > most {
		return false
	}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '-', c == '.', c == '_', c == ':', c == '/', c == '+', c == '*',
			c == '[', c == ']', c == '{', c == '}', c == '(', c == ')', c == '%', c == '\'', c == ',':
		default:
			return false
		}
	}
	return true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// looksTime reports whether b is times: digits, colons of old, and fractions.
func looksTime(b []byte) bool {
	for _, c := range trim(b) {
		if (c < '0' || c > '9') && c != '.' && c != ':' && c != '\\' && c != ' ' {
			return false
		}
	}
	return len(b) <= 16*64
}

// shift moves dates by whole days, which leaves times of day as they are. ok is
// false if any value is no whole date: a month or a year alone cannot be moved
// by days, and what is no date may be anything.
func shift(v vr, b []byte, days int) (out []byte, ok bool) {
	if len(b) > maxShort {
		return nil, false
	}
	if v == vrTM {
		return b, looksTime(b)
	}
	for i, s := range bytes.Split(bytes.TrimRight(b, " \x00"), []byte{'\\'}) {
		if i > 0 {
			out = append(out, '\\')
		}
		s = trim(s)
		if len(s) == 0 {
			continue
		}
		if v == vrDA && len(s) == 10 && s[4] == '.' && s[7] == '.' { // ACR-NEMA's form
			s = append(append(append([]byte(nil), s[:4]...), s[5:7]...), s[8:]...)
		}
		if len(s) < 8 || v == vrDA && len(s) != 8 || !digits(s[:8]) || !looksZone(s[8:]) {
			return nil, false
		}
		t, err := time.Parse("20060102", string(s[:8]))
		if err != nil {
			return nil, false
		}
		t = t.AddDate(0, 0, days)
		if y := t.Year(); y < 1 || y > 9999 {
			return nil, false
		}
		out = append(t.AppendFormat(out, "20060102"), s[8:]...)
	}
	return out, true
}

// looksZone reports whether b may follow the date in a DT: digits, a fraction
// and an offset.
func looksZone(b []byte) bool {
	for _, c := range b {
		if (c < '0' || c > '9') && c != '.' && c != '+' && c != '-' {
			return false
		}
	}
	return len(b) <= 18
}

// looksLike reports whether b may be a value of the VR. Any text is text.
func looksLike(v vr, b []byte) bool {
	if len(trim(b)) == 0 {
		return true
	}
	switch v {
	case vrAS:
		b = trim(b)
		return len(b) == 4 && digits(b[:3]) && bytes.IndexByte([]byte("DWMY"), b[3]) >= 0
	case vrCS:
		return looksCode(b)
	case vrDS, vrIS:
		return looksNumeric(b)
	case vrDA, vrDT, vrTM:
		return len(b) <= maxShort && len(bytes.Trim(b, "0123456789.:+-\\ \x00")) == 0
	}
	return len(b)%v.unit() == 0
}

// capAge makes 90 years of every age over 89 (45 CFR 164.514(b)(2)(i)(C)).
func capAge(b []byte) []byte {
	// 999 months are 83 years, so years alone decide.
	if b = trim(b); len(b) == 4 && b[3] == 'Y' && (b[0] > '0' || b[1] > '8') {
		return []byte("090Y")
	}
	return b
}
