package dicom

import (
	"unicode/utf8"
)

// charset is how text is written (PS3.3 section C.12.1.1.2). Only three are
// read for cleaning; text in others passes to the Cleaner if it is ASCII.
type charset uint8

const (
	ascii charset = iota
	latin1
	utf8Set
	otherSet
)

// charsetOf reads (0008,0005).
func charsetOf(b []byte) charset {
	switch string(trim(b)) {
	case "", "ISO_IR 6":
		return ascii
	case "ISO_IR 100":
		return latin1
	case "ISO_IR 192":
		return utf8Set
	}
	return otherSet
}

// decode gives UTF-8. ok is false for what cannot be read for sure: an escape
// sequence changes what the bytes after it mean.
func (c charset) decode(b []byte) (text []byte, ok bool) {
	plain := true
	for _, x := range b {
		if x == 0x1B || x == 0 {
			return nil, false
		}
		plain = plain && x < 0x80
	}
	switch {
	case plain:
		return b, true
	case c == utf8Set:
		return b, utf8.Valid(b)
	case c == latin1:
		for _, x := range b {
			text = utf8.AppendRune(text, rune(x))
		}
		return text, true
	}
	return nil, false
}

// encode turns UTF-8 back.
func (c charset) encode(text []byte) (b []byte, ok bool) {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		i += n
		switch {
		case r == 0x1B || r == 0 || r == utf8.RuneError:
			return nil, false
		case r < 0x80, c == latin1 && r < 0x100:
			b = append(b, byte(r))
		case c == utf8Set:
			b = utf8.AppendRune(b, r)
		default:
			return nil, false
		}
	}
	return b, true
}
