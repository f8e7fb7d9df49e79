package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

// kind of a token.
const (
	word  uint8 = iota // ASCII letters
	num                // digits
	mix                // letters and digits together
	other              // letters of another script
	punct              // one character, in ch
)

// caps is how a word is written.
const (
	lower uint8 = iota
	title       // Smith
	upper       // SMITH; a single capital too
	mixed       // McDonald
)

// gap is the space before a token.
const (
	tight  uint8 = iota // none
	space               // one or two spaces
	column              // a tab, or three spaces and more
	line                // a line end
	block               // a blank line; also the start of the document
)

// token is a word, a number or a punctuation mark of the folded text. 40 bytes.
type token struct {
	start, end int32
	hash       uint64 // of the lower-case word
	cue        cue
	lex        lexicon.Flags
	id         idKind // the identifier that the word announces
	kind       uint8
	caps       uint8
	gap        uint8
	ch         byte
}

// class of a byte.
const (
	clPunct uint8 = iota
	clSpace
	clLine
	clLower
	clUpper
	clDigit
	clHigh
)

var class = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= 0x80:
			t[c] = clHigh
		case c >= 'a' && c <= 'z':
			t[c] = clLower
		case c >= 'A' && c <= 'Z':
			t[c] = clUpper
		case c >= '0' && c <= '9':
			t[c] = clDigit
		case c == '\n', c == '\r', c == '\v', c == '\f':
			t[c] = clLine
		case c <= ' ', c == 0x7f:
			t[c] = clSpace
		}
	}
	return t
}()

// tokenize cuts the text. It reads each byte once; the hash of a word is made
// on the way.
func (p *page) tokenize(d *dictionary) {
	b := p.text
	toks := p.toks[:0]
	p.fiction, p.invalid = false, false
	gap := block
	var words, clinical, capitals, shouts, foreign, english int
	for i := 0; i < len(b); {
		switch class[b[i]] {
		case clSpace:
			from := i
			for i < len(b) && class[b[i]] == clSpace {
				i++
			}
			if g := space; gap < column {
				if i-from > 2 || b[from] == '\t' || b[i-1] == '\t' {
					g = column
				}
				gap = max(gap, g)
			}
		case clLine:
			if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
				i++
			}
			i++
			if gap >= line {
				gap = block
			} else {
				gap = line
			}
		case clPunct:
			toks = append(toks, token{start: int32(i), end: int32(i + 1), kind: punct, gap: gap, ch: b[i]})
			gap = tight
			i++
		case clHigh:
			from := i
			for i < len(b) && class[b[i]] == clHigh {
				i++
			}
			toks = append(toks, token{start: int32(from), end: int32(i), kind: other, gap: gap})
			gap = tight
		default:
			t := token{start: int32(i), gap: gap}
			i = p.scanWord(&t, i)
			if t.kind == word {
				d.look(&t, b[t.start:t.end])
				if p.off != nil && p.off[t.end]-p.off[t.start] != t.end-t.start {
					// It was not written in plain ASCII, so it is no English word.
					t.lex &^= lexicon.Common | lexicon.Word | lexicon.Word2 | lexicon.RareWord
					t.cue &^= cStop | cMed
				}
				words++
				if t.caps != lower {
					capitals++
					if t.caps == upper && t.end-t.start > 1 {
						shouts++
					}
				}
				if t.caps == lower && t.cue&(cForeign|cStop) != 0 {
					if t.cue&cForeign != 0 {
						foreign++
					}
					if t.cue&cStop != 0 {
						english++
					}
				}
				if t.cue&cMeasure != 0 && len(toks) > 0 && toks[len(toks)-1].kind == num && t.end-t.start > 1 {
					clinical++ // 160 ms, 81 mg
				}
				if t.cue&(cFiction|cInvalid|cClinical) != 0 {
					p.fiction = p.fiction || t.cue&cFiction != 0
					p.invalid = p.invalid || t.cue&cInvalid != 0
					if t.cue&cClinical != 0 {
						clinical++
					}
				}
			}
			toks = append(toks, t)
			gap = tight
		}
	}
	p.toks = toks
	p.general = (clinical*20 < words || clinical < 2) && (foreign == 0 || foreign < english)
	switch {
	case words >= 3 && capitals == 0:
		for i := range toks {
			if t := &toks[i]; t.kind == word {
				t.lex = d.lex.Find(t.hash)
			}
		}
		recase(toks, lower)
	case words >= 8 && shouts*10 > words*8:
		recase(toks, upper)
	}
}

// recase gives the words of a text that is all in one case the capitals that it
// would have: names and unknown words have one, plain words have none.
func recase(toks []token, from uint8) {
	const plain = lexicon.Common | lexicon.Word | lexicon.Word2 | lexicon.RareWord
	for i := range toks {
		t := &toks[i]
		if t.kind != word || t.caps != from || t.end-t.start < 2 {
			continue
		}
		name := t.lex&plain == 0 && t.cue&(cStop|cMed|cMeasure|cVerb|cHuman) == 0 ||
			from == upper && t.lex&(lexicon.GivenTop|lexicon.SurnameTop) != 0 && t.lex&lexicon.Common == 0 ||
			t.lex&lexicon.SurnameTop != 0 && t.cue&(cStop|cVerb|cHuman|cMonth) == 0 && i > 0 && toks[i-1].caps == title && toks[i-1].kind == word && toks[i-1].lex&lexicon.GivenTop != 0
		switch {
		case name, t.cue&(cCountry|cNation|cCred|cTitle) != 0 && t.cue&cStop == 0 && t.lex&lexicon.Common == 0:
			t.caps = title
		case from == upper && t.lex&plain != 0 && t.cue&(cState|cCred|cFacility|cFacWord|cOrg|cStreet|cMonth|cWeekday) == 0:
			t.caps = lower
		}
	}
}

// scanWord reads letters and digits from i and fills in all but the lists.
func (p *page) scanWord(t *token, i int) int {
	b := p.text
	h := lexicon.Seed
	var lowers, uppers, digits int
	from := i
scan:
	for i < len(b) {
		c := b[i]
		switch class[c] {
		case clLower:
			lowers++
			h = lexicon.Step(h, c)
		case clUpper:
			// A label run on to what stands before it: xxxxMRN.
			if lowers >= 3 && uppers == 0 && digits == 0 && i+1 < len(b) && class[b[i+1]] == clUpper {
				break scan
			}
			uppers++
			h = lexicon.Step(h, c|0x20)
		case clDigit:
			digits++
			h = lexicon.Step(h, c)
		default:
			break scan
		}
		i++
	}
	t.end = int32(i)
	t.hash = lexicon.Final(h)
	switch {
	case digits == 0:
		t.kind = word
	case lowers+uppers == 0:
		t.kind = num
		return i
	default:
		t.kind = mix
		return i
	}
	switch {
	case uppers == 0:
		t.caps = lower
	case lowers == 0:
		t.caps = upper
	case uppers == 1 && class[b[from]] == clUpper:
		t.caps = title
	default:
		t.caps = mixed
	}
	return i
}

// at is token i, or a blank one past either end.
func (p *page) at(i int) *token {
	if i < 0 || i >= len(p.toks) {
		return &edge
	}
	return &p.toks[i]
}

var edge = token{kind: punct, gap: block}

func (p *page) str(t *token) []byte { return p.text[t.start:t.end] }

func (t *token) len() int { return int(t.end - t.start) }

func (t *token) is(ch byte) bool { return t.kind == punct && t.ch == ch }

// capital: the word begins with a capital.
func (t *token) capital() bool { return t.kind == word && t.caps != lower }

// initial: one capital letter.
func (t *token) initial() bool { return t.kind == word && t.caps == upper && t.end-t.start == 1 }

// value of a short run of digits; -1 where it has more than four.
func (p *page) value(t *token) int {
	if t.kind != num || t.len() > 4 {
		return -1
	}
	n := 0
	for _, c := range p.str(t) {
		n = n*10 + int(c-'0')
	}
	return n
}
