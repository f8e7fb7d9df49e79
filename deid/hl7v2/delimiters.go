package hl7v2

import (
	"bytes"
	"strconv"
)

// delimiters are those of one message (MSH-1, MSH-2). 0: the message has none.
type delimiters struct {
	field, comp, rep, esc, sub, trunc byte
	special                           [256]bool // those that text must escape
}

// readDelimiters takes them from a header segment. They must be distinct
// printable marks: a letter could not be told from text.
func readDelimiters(line []byte) (delimiters, bool) {
	var d delimiters
	if len(line) < 5 {
		return d, false
	}
	d.field = line[3]
	enc := line[4:]
	if i := bytes.IndexByte(enc, d.field); i >= 0 {
		enc = enc[:i]
	}
	if len(enc) < 1 || len(enc) > 5 {
		return d, false
	}
	for i, p := range []*byte{&d.comp, &d.rep, &d.esc, &d.sub, &d.trunc} {
		if i < len(enc) {
			*p = enc[i]
		}
	}
	for _, b := range append([]byte{d.field}, enc...) {
		if b <= ' ' || b > '~' || b == '"' || b == '.' || b == '-' || b == '+' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || d.special[b] {
			return d, false
		}
		d.special[b] = true
	}
	return d, true
}

// decode undoes the escapes of section 2.7. ok is false where text cannot be
// read: a switch of the character set, or hexadecimal that is none.
func (d *delimiters) decode(b []byte) (out []byte, ok bool) {
	if d.esc == 0 || bytes.IndexByte(b, d.esc) < 0 {
		return b, true
	}
	out = make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, d.esc)
		if i < 0 {
			return append(out, b...), true
		}
		out = append(out, b[:i]...)
		b = b[i+1:]
		end := bytes.IndexByte(b, d.esc)
		if end < 0 || end > 64 {
			// Not an escape: a sender that did not escape its own mark.
			out = append(out, d.esc)
			continue
		}
		e := b[:end]
		if len(e) == 0 {
			out = append(out, d.esc) // twice the mark
			b = b[1:]
			continue
		}
		b = b[end+1:]
		switch {
		case len(e) == 1 && e[0] == 'F':
			out = append(out, d.field)
		case len(e) == 1 && e[0] == 'S':
			out = append(out, d.comp)
		case len(e) == 1 && e[0] == 'T' && d.sub != 0:
			out = append(out, d.sub)
		case len(e) == 1 && e[0] == 'R' && d.rep != 0:
			out = append(out, d.rep)
		case len(e) == 1 && e[0] == 'E':
			out = append(out, d.esc)
		case len(e) == 1 && e[0] == 'P' && d.trunc != 0:
			out = append(out, d.trunc)
		case len(e) == 1 && (e[0] == 'H' || e[0] == 'N'): // highlighting
		case e[0] == 'X' && len(e)%2 == 1:
			for h := e[1:]; len(h) > 0; h = h[2:] {
				n, err := strconv.ParseUint(string(h[:2]), 16, 8)
				if err != nil {
					return nil, false
				}
				out = append(out, byte(n))
			}
		case e[0] == '.' && len(e) >= 3 && (string(e[1:3]) == "br" || string(e[1:3]) == "sp" || string(e[1:3]) == "ce"):
			out = append(out, '\n')
		case e[0] == '.':
			out = append(out, ' ') // indents and skips
		case e[0] == 'Z': // local, unknown
		default:
			return nil, false
		}
	}
	return out, true
}

// encode appends text with its delimiters escaped. Where the message has no
// escape character, a delimiter in text becomes a space.
func (d *delimiters) encode(dst, text []byte) []byte {
	for _, b := range text {
		switch {
		case b == '\n':
			if d.esc == 0 {
				dst = append(dst, ' ')
				continue
			}
			dst = append(dst, d.esc, '.', 'b', 'r', d.esc)
		case b < ' ' || b == 0x7f:
			dst = append(dst, ' ')
		case !d.special[b]:
			dst = append(dst, b)
		case d.esc == 0:
			dst = append(dst, ' ')
		default:
			c := byte('E')
			switch b {
			case d.field:
				c = 'F'
			case d.comp:
				c = 'S'
			case d.sub:
				c = 'T'
			case d.rep:
				c = 'R'
			case d.trunc:
				if b != d.esc {
					c = 'P'
				}
			}
			dst = append(dst, d.esc, c, d.esc)
		}
	}
	return dst
}

// splitter is what parts a value at a depth: 0 a field's repetition, 1 a
// component, 2 a subcomponent, which has no parts.
func (d *delimiters) splitter(depth int) byte {
	switch depth {
	case 0:
		return d.comp
	case 1:
		return d.sub
	}
	return 0
}

// cut is bytes.Cut at one byte; 0 parts nothing.
func cut(b []byte, sep byte) (before, after []byte, found bool) {
	if sep == 0 {
		return b, nil, false
	}
	if i := bytes.IndexByte(b, sep); i >= 0 {
		return b[:i], b[i+1:], true
	}
	return b, nil, false
}

func itoa(n int) string { return strconv.Itoa(n) }
