package text

import "unicode/utf8"

// page is a document on its way through the engine. text is the document
// folded to ASCII where a rune has an ASCII look-alike, so that every rule
// deals with one alphabet; off maps it back to the bytes that were given.
// Where the document is plain ASCII, text is the document and off is nil.
type page struct {
	src  []byte
	text []byte
	off  []int32 // text[i] came from src[off[i]]; one longer than text

	toks  []token
	cands []cand
	buf   []byte // the folded text, kept for the next document
	offs  []int32

	fiction bool // a word says that something is made up
	invalid bool // a word says that a number is invalid

	// general: the text is not clinical writing, so that an unknown word with a
	// capital is likelier a name than a drug.
	general bool
}

// span turns a stretch of text into one of src.
func (p *page) span(start, end int) (int, int) {
	if p.off == nil {
		return start, end
	}
	return int(p.off[start]), int(p.off[end])
}

func isASCII(b []byte) bool {
	for len(b) >= 8 {
		if (b[0]|b[1]|b[2]|b[3]|b[4]|b[5]|b[6]|b[7])&0x80 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// fold fills text and off.
//
// Zero-width runes and combining marks vanish: the rune before them carries
// their bytes, so that a span that ends there covers them. A byte that is no
// UTF-8 is read as Windows-1252, which is what such bytes are in practice.
func (p *page) fold(doc []byte) {
	p.src = doc
	if isASCII(doc) {
		p.text, p.off = doc, nil
		return
	}
	text, off := p.buf[:0], p.offs[:0]
	for i := 0; i < len(doc); {
		c := doc[i]
		if c < utf8.RuneSelf {
			text, off = append(text, c), append(off, int32(i))
			i++
			continue
		}
		r, n := utf8.DecodeRune(doc[i:])
		if r == utf8.RuneError && n == 1 {
			r = rune(c)
			if c >= 0x91 && c <= 0x97 {
				r = rune("''\"\"*--"[c-0x91])
			}
		}
		to, gone := asciiOf(r)
		switch {
		case gone:
		case to != "":
			for k := range len(to) {
				text, off = append(text, to[k]), append(off, int32(i))
			}
		case n == 1: // a stray byte without a meaning
			text, off = append(text, ' '), append(off, int32(i))
		default: // another script: kept as it is
			for k := range n {
				text, off = append(text, doc[i+k]), append(off, int32(i))
			}
		}
		i += n
	}
	off = append(off, int32(len(doc)))
	p.text, p.off, p.buf, p.offs = text, off, text, off
}

// asciiOf returns what r looks like in ASCII; gone is true for what has no
// width of its own.
func asciiOf(r rune) (to string, gone bool) {
	switch {
	case r < 0xa0:
		if r < 0x80 {
			return ascii[r : r+1], false
		}
		return " ", false
	case r < 0x250:
		return latin(r)
	case r >= 0x300 && r < 0x370, r >= 0x483 && r <= 0x489, r >= 0x1ab0 && r < 0x1b00, r >= 0x1dc0 && r < 0x1e00,
		r >= 0x20d0 && r < 0x2100, r >= 0xfe20 && r < 0xfe30, r >= 0xfe00 && r <= 0xfe0f,
		r >= 0x200b && r <= 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff, r == 0x61c,
		r == 0x180e, r == 0x34f, r == 0x115f, r == 0x1160, r == 0x3164, r == 0xffa0, r >= 0xe0000 && r <= 0xe0fff:
		return "", true
	case r >= 0x370 && r < 0x530:
		return lookalike(r), false
	case r >= 0x1e00 && r < 0x1f00:
		return latinMore[r-0x1e00 : r-0x1e00+1], false
	case r >= 0x2000 && r <= 0x206f:
		return punctuation(r), false
	case r >= 0xff01 && r <= 0xff5e:
		r -= 0xfee0
		return ascii[r : r+1], false
	case r >= 0x1d400 && r <= 0x1d7ff:
		return mathematical(r), false
	case r >= 0x24b6 && r <= 0x24e9: // letters in circles
		r = (r-0x24b6)%26 + 'a'
		return ascii[r : r+1], false
	case r == 0x3000, r == 0x1680, r == 0x2800:
		return " ", false
	case r == 0x3001, r == 0x3002, r == 0x60c, r == 0xff61, r == 0xff64, r == 0x964:
		if r == 0x60c || r == 0x3001 || r == 0xff64 {
			return ",", false
		}
		return ".", false
	case r >= 0x300c && r <= 0x3011, r == 0x61b:
		return ";", false
	case r == 0x2212, r == 0xfe63, r == 0x2796:
		return "-", false
	case r == 0x2044, r == 0x2215:
		return "/", false
	case r == 0x2116:
		return "#", false
	case r == 0x212a:
		return "K", false
	case r == 0x1e9e:
		return "SS", false
	}
	if d := digitOf(r); d >= 0 {
		return ascii['0'+d : '1'+d], false
	}
	return "", false
}

// ascii is every ASCII character, so that a string of one costs nothing.
const ascii = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" +
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f"

// latin1 holds U+00A0 to U+024F, a character each: the base letter, or "*".
const latin1 = " !c#$Y|S\"*a\"-**-*+23'u**,1o\"113?AAAAAA*CEEEEIIIIDNOOOOOxOUUUUY**aaaaaa*c" +
	"eeeeiiiidnooooo*ouuuuy*yAaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIi" +
	"IiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOo**RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYy" +
	"YZzZzZzsbBBb***Cc*DDd**E*FfG***IKkl**NnOOo**Pp*****tTtTUu*VYyZz*********" +
	"****DDdLLlNNnAaIiOoUuUuUuUuUueAaAa**GgGgKkOoOo**jDDdGg**NnAa**OoAaAaEeEe" +
	"IiIiOoOoRrRrUuUuSsTt**HhNd**ZzAaEeOoOoOoOoYylnt***ACcLTsz**BU*EeJj*qRrYy"

// latinMore holds U+1E00 to U+1EFF.
const latinMore = "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm" +
	"MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv" +
	"WwWwWwWwWwXxXxYyZzZzZzhtwyas****AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe" +
	"EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy****Yy"

func latin(r rune) (string, bool) {
	switch r {
	case 0xad: // soft hyphen
		return "", true
	case 0xc6, 0x1e2, 0x1fc:
		return "AE", false
	case 0xe6, 0x1e3, 0x1fd:
		return "ae", false
	case 0xde:
		return "Th", false
	case 0xfe:
		return "th", false
	case 0xdf:
		return "ss", false
	case 0x132:
		return "IJ", false
	case 0x133:
		return "ij", false
	case 0x152:
		return "OE", false
	case 0x153:
		return "oe", false
	}
	i := int(r - 0xa0)
	return latin1[i : i+1], false
}

// lookalike: Greek, Cyrillic and Armenian letters that pass for Latin ones, and
// for the rest of Greek and Cyrillic a letter of about that sound, so that a
// name written in them is a word with a case like any other.
func lookalike(r rune) string {
	const greek = "ABGDEZHQIKLMNXOPR-STYFXPO" // U+0391..U+03A9
	const greekSmall = "abgdezhqiklmnxoprsstufxpo"
	const cyrillic = "ABBGDEZZIJKLMHOPPCTYFXCCSS-b-ERR" // U+0410..U+042F: look before sound
	switch {
	case r >= 0x391 && r <= 0x3a9:
		return greek[r-0x391 : r-0x391+1]
	case r >= 0x3b1 && r <= 0x3c9:
		return greekSmall[r-0x3b1 : r-0x3b1+1]
	case r >= 0x410 && r <= 0x42f:
		return cyrillic[r-0x410 : r-0x410+1]
	case r >= 0x430 && r <= 0x44f:
		return cyrillicFold[r-0x430 : r-0x430+1]
	}
	switch r {
	case 0x37f, 0x408:
		return "J"
	case 0x386:
		return "A"
	case 0x388, 0x400, 0x401, 0x404:
		return "E"
	case 0x389:
		return "H"
	case 0x38a, 0x3aa, 0x406, 0x407, 0x4c0:
		return "I"
	case 0x38c, 0x38f, 0x472:
		return "O"
	case 0x38e, 0x3ab, 0x4ae, 0x4b0:
		return "Y"
	case 0x405:
		return "S"
	case 0x3ac:
		return "a"
	case 0x3ad, 0x450, 0x451, 0x454:
		return "e"
	case 0x3ae, 0x4bb, 0x526, 0x452, 0x45b:
		return "h"
	case 0x3af, 0x3ca, 0x390, 0x456, 0x457, 0x4cf:
		return "i"
	case 0x3cc, 0x3ce, 0x473, 0x585:
		return "o"
	case 0x3cb, 0x3cd, 0x3b0, 0x4af, 0x4b1:
		return "y"
	case 0x455:
		return "s"
	case 0x458, 0x3f3:
		return "j"
	case 0x3f2:
		return "c"
	case 0x3f9:
		return "C"
	case 0x501:
		return "d"
	case 0x51b:
		return "q"
	case 0x51d, 0x461:
		return "w"
	case 0x51a:
		return "Q"
	case 0x51c:
		return "W"
	case 0x581:
		return "g"
	}
	return ""
}

// cyrillicFold is U+0430..U+044F as they look.
const cyrillicFold = "abbgdezzijklmhonpctyfxccssb-beor"

func punctuation(r rune) string {
	switch {
	case r <= 0x200a, r == 0x202f, r == 0x205f:
		return " "
	case r == 0x2028, r == 0x2029:
		return "\n"
	case r >= 0x2010 && r <= 0x2015:
		return "-"
	case r >= 0x2018 && r <= 0x201b, r == 0x2032:
		return "'"
	case r >= 0x201c && r <= 0x201f, r == 0x2033:
		return "\""
	case r == 0x2024:
		return "."
	case r == 0x2044:
		return "/"
	}
	return "*"
}

// mathematical: the styled letters and digits of U+1D400 to U+1D7FF.
func mathematical(r rune) string {
	switch {
	case r >= 0x1d7ce:
		d := (r - 0x1d7ce) % 10
		return ascii['0'+d : '1'+d]
	case r < 0x1d6a4:
		k := (r - 0x1d400) % 52
		if k < 26 {
			return ascii['A'+k : 'B'+k]
		}
		k -= 26
		return ascii['a'+k : 'b'+k]
	}
	return ""
}

// digitOf is the value of a decimal digit of another script, -1 for none.
func digitOf(r rune) rune {
	for _, zero := range digitZeros {
		if r >= zero && r <= zero+9 {
			return r - zero
		}
	}
	return -1
}

// digitZeros: the zero of each set of decimal digits likely in a record.
var digitZeros = [...]rune{0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xa8d0, 0xa900, 0xa9d0, 0xaa50, 0xabf0}
