package text

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
)

// Surrogates replaces each value by an invented one of the same form: the same
// value by the same one wherever it stands under the same key, a woman's name by a
// woman's, a date by one so many days off, a number by one of as many digits.
//
// A surrogate is derived from the value by HMAC-SHA256 under the key. That is a
// method for expert determination, never for Safe Harbor (45 CFR 164.514(c)).
// Two values may meet in one surrogate: it is no key to join on.
type Surrogates struct {
	key  []byte
	days int
	rec  *Record
	dict *dictionary
}

// NewSurrogates returns the replacer of one patient: shiftDays moves the dates, r
// (nil for none) tells given names from family names, and which gender they are.
// The key should have 32 bytes; it is copied. Without a key every value becomes its
// mask.
func NewSurrogates(key []byte, shiftDays int, r *Record) *Surrogates {
	return &Surrogates{key: slices.Clone(key), days: shiftDays, rec: r, dict: loadDictionary()}
}

// Replace implements Replacer.
func (s *Surrogates) Replace(dst, value []byte, span Span) ([]byte, error) {
	if s == nil || len(s.key) == 0 || s.dict == nil {
		return mask(dst, span.Category), nil
	}
	switch span.Category {
	case Name:
		return s.words(dst, value, 0, s.nameWord), nil
	case Date:
		if out, ok := shiftDate(dst, value, s.days); ok {
			return out, nil
		}
	case Age:
		if n, ok := ageOf(value); ok && n <= 89 {
			return append(dst, value...), nil
		} else if ok {
			return append(dst, "90+"...), nil
		}
	case Origin:
		return append(dst, value...), nil
	case Phone, Fax, SSN, MRN, HealthPlan, Account, License, Vehicle, Device, OtherID, ZIP, Biometric, Photo, Username:
		return s.digits(dst, value, span.Category), nil
	case Email:
		return append(append(dst, s.letters("email", normal(string(value)), 8)...), "@example.org"...), nil
	case URL:
		return append(append(dst, "https://example.org/"...), s.letters("url", string(value), 8)...), nil
	case IP:
		n := s.number("ip", string(value), 0)
		return append(append(dst, "192.0.2."...), digits3(int(n%254)+1)...), nil
	case City:
		return s.city(dst, value), nil
	case Address:
		return s.words(dst, value, cStreet|cUnit|cStreetPre, s.placeWord), nil
	case Facility:
		return s.words(dst, value, cFacility|cFacWord, s.placeWord), nil
	case Organization:
		return s.words(dst, value, cOrg, s.placeWord), nil
	}
	return mask(dst, span.Category), nil
}

// number is the n-th number drawn for a value.
func (s *Surrogates) number(kind, value string, n byte) uint64 {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(kind))
	m.Write([]byte{0, n})
	m.Write([]byte(value))
	return binary.BigEndian.Uint64(m.Sum(nil))
}

func digits3(n int) string {
	s := [3]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)}
	return strings.TrimLeft(string(s[:]), "0")
}

func (s *Surrogates) letters(kind, value string, n int) string {
	x := s.number(kind, value, 0)
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + x%26)
		x /= 26
	}
	return string(b)
}

// words replaces the words of a name one by one and keeps what stands between.
// Words that are one of keep stay.
func (s *Surrogates) words(dst, value []byte, keep cue, word func(t *token, w string) string) []byte {
	var p page
	p.fold(value)
	p.tokenize(s.dict)
	at := 0
	for i := range p.toks {
		t := &p.toks[i]
		var out string
		switch t.kind {
		case punct:
			continue
		case num, mix:
			if t.kind == mix && keep&cStreet != 0 && i > 0 { // 41st
				out = caseAs(word(t, string(p.str(t))), []byte("Aa"))
			} else {
				out = string(s.digits(nil, p.str(t), Address))
			}
		case other:
			out = caseAs(word(t, string(p.str(t))), []byte("Aa"))
		default:
			if t.cue&keep != 0 && (i > 0 || keep&cStreet == 0) || keep == 0 && (t.cue&(cTitle|cSuffix|cCred|cParticle) != 0 && t.lex&lexicon.GivenTop == 0) && len(p.toks) > 1 {
				continue
			}
			w := lowerASCII(string(p.str(t)))
			if len(w) == 1 {
				if prev := p.at(i - 1); prev.is('\'') && w == "s" {
					continue
				}
				out = caseAs(s.initial(w), p.str(t))
			} else {
				out = caseAs(word(t, w), p.str(t))
			}
		}
		dst = append(dst, p.text[at:t.start]...)
		dst = append(dst, out...)
		at = int(t.end)
	}
	return append(dst, p.text[at:]...)
}

// initial of a name: that of the surrogate of the record's name with this
// letter, so that J. Smith and Joseph Smith stay one; any other letter by itself.
func (s *Surrogates) initial(w string) string {
	if s.rec != nil {
		for _, p := range s.rec.people {
			for _, g := range p.given {
				if g[:1] == w && len(g) > 1 && isWord(g) {
					return s.given(g, p.gender, 0)[:1]
				}
			}
			if len(p.family) > 1 && p.family[:1] == w && isWord(p.family) {
				return s.pick("family", p.family, s.dict.lex.Surnames)[:1]
			}
		}
	}
	c := byte('a' + s.number("initial", w, 0)%26)
	if c == w[0] {
		c = 'a' + (c-'a'+1)%26
	}
	return string([]byte{c})
}

// nameWord is the surrogate of one word of a name. Which list it is drawn from
// hangs on the word alone, so that it is the same in every form of the name.
func (s *Surrogates) nameWord(t *token, w string) string {
	if s.rec != nil {
		w = s.canonical(t, w)
		for _, p := range s.rec.people {
			for _, g := range p.given {
				if g == w {
					return s.given(w, p.gender, 0)
				}
			}
		}
		for _, p := range s.rec.people {
			if strings.Contains(p.family, w) {
				return s.pick("family", w, s.dict.lex.Surnames)
			}
		}
	}
	l := s.dict.lex.Find(lexicon.Hash(w))
	if l&lexicon.Given != 0 && (l&lexicon.GivenTop != 0 || l&lexicon.SurnameTop == 0) && (l&lexicon.SurnameTop == 0 || l&lexicon.GivenTop != 0) {
		return s.given(w, AnyGender, l)
	}
	return s.pick("family", w, s.dict.lex.Surnames)
}

// canonical is the record's spelling of a word that has one letter wrong.
func (s *Surrogates) canonical(t *token, w string) string {
	if _, ok := s.rec.words[t.hash]; ok {
		return w
	}
	n := s.rec.near.of([]byte(w))
	if n.cat != Name || len(n.word) < 5 && s.dict.lex.Find(lexicon.Hash(w))&(lexicon.GivenTop|lexicon.SurnameTop) != 0 {
		return w // Mary is not a misspelt Gary
	}
	return n.word
}

func (s *Surrogates) given(w string, g Gender, l lexicon.Flags) string {
	if g == AnyGender {
		if l == 0 {
			l = s.dict.lex.Find(lexicon.Hash(w))
		}
		switch l & (lexicon.Female | lexicon.Male) {
		case lexicon.Female:
			g = Female
		case lexicon.Male:
			g = Male
		default:
			g = Gender(1 + s.number("gender", w, 0)%2)
		}
	}
	if g == Female {
		return s.pick("given", w, s.dict.lex.Women)
	}
	return s.pick("given", w, s.dict.lex.Men)
}

// pick draws a word from a list that is not the word itself, nor one of the record.
func (s *Surrogates) pick(kind, w string, list []string) string {
	for n := byte(0); ; n++ {
		x := list[s.number(kind, w, n)%uint64(len(list))]
		if x == w && n < 255 {
			continue
		}
		if s.rec != nil && n < 255 {
			if _, ok := s.rec.words[lexicon.Hash(x)]; ok {
				continue
			}
		}
		return x
	}
}

func (s *Surrogates) placeWord(_ *token, w string) string {
	return s.pick("place", w, s.dict.lex.Surnames)
}

func (s *Surrogates) city(dst, value []byte) []byte {
	x := s.pick("city", normal(string(value)), s.dict.lex.Cities)
	like := []byte("Aa")
	var p page
	p.fold(value)
	p.tokenize(s.dict)
	if len(p.toks) > 0 && p.toks[0].kind == word {
		like = p.str(&p.toks[0])
	}
	return append(dst, caseAs(x, like)...)
}

// digits replaces each digit by a digit and each letter by a letter of its
// case. The draw is made on the letters and digits alone, from the right, so that
// a number with and without its marks or its country code stays one.
func (s *Surrogates) digits(dst, value []byte, c Category) []byte {
	var p page
	p.fold(value)
	n := 0
	norm := normal(string(value))
	switch c {
	case Phone, Fax:
		c = Phone
		norm = digitsOf(string(value))
		if len(norm) > 10 {
			norm = norm[len(norm)-10:]
		}
	}
	from := len(dst)
	dst = append(dst, p.text...)
	total := 0
	for _, b := range dst[from:] {
		if class[b] > clLine {
			total++
		}
	}
	seed := s.number(c.String(), norm, 0)
	for round := range 16 {
		copy(dst[from:], p.text)
		n = 0
		for i := len(dst) - 1; i >= from; i-- {
			b := dst[i]
			if class[b] <= clLine {
				continue
			}
			x := mix64(seed + uint64(n)*0x9e3779b97f4a7c15 + uint64(round)<<32)
			switch class[b] {
			case clDigit:
				if n >= 10 && c == Phone {
					n++
					continue // the country code stays
				}
				dst[i] = byte('0' + x%10)
				if n == total-1 && dst[i] == '0' && b != '0' {
					dst[i] = byte('1' + x/10%9)
				}
			case clUpper:
				dst[i] = byte('A' + x%26)
			case clLower:
				dst[i] = byte('a' + x%26)
			default:
				dst[i] = 'x'
			}
			n++
		}
		if c == SSN && total == 9 { // 900 to 999 was never given out
			for i := from; i < len(dst); i++ {
				if class[dst[i]] == clDigit {
					dst[i] = '9'
					break
				}
			}
		}
		if string(dst[from:]) != string(p.text) && !s.known(dst[from:]) {
			break
		}
	}
	return dst
}

// mix64 spreads a seed that HMAC made over the places of a number.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// known: what was drawn is itself a value of the record.
func (s *Surrogates) known(b []byte) bool {
	if s.rec == nil {
		return false
	}
	n := normal(string(b))
	if len(n) < 3 {
		return false
	}
	for _, v := range s.rec.values[triple(n[0], n[1], n[2])] {
		if v.norm == n {
			return true
		}
	}
	return false
}
