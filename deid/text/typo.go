package text

import (
	"slices"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
)

// A typing error is one letter wrong, left out or put in, or two neighbours changed
// round. A name of the record that has one is likelier than any other word so near
// to it, so it is taken for that name
//
//   - beside another name of the record, whatever word came out (Joseph Harwell), but
//     a small word of grammar or a verb in small letters (joseph says);
//   - where a name stands: after a title, a label or a relation, before 's, a
//     credential or what only people do, if it has a capital;
//   - with a capital anywhere else, if it is no English word, or if it is one and stands
//     within a sentence among small letters, where no plain word has a capital;
//   - in small letters, from five letters on, if no list of English words has it.
//
// Names of four letters are near to too many words, and capitals of four letters to
// too many abbreviations: these need one of the first two, or to be no word, written
// as a name is. Names of three letters and fewer are found as they are.
const (
	typoMin = 4  // letters of a name whose errors are looked for
	typoMax = 24 // and at most
)

// nearWords finds the words of a record that are one typing error away from one in
// a text. An error leaves the first two letters or the last two as they were (of four
// letters that one change of neighbours excepted which touches both), so the words
// are kept under these, and nearly all words of a text are turned down by two looks
// at small tables.
type nearWords struct {
	words []nearWord
	first [pairs]uint16 // bit n: a word of about n letters begins so
	last  [pairs]uint16
	by    map[uint16][]int32 // in words: by the first two letters, from pairs on by the last two
}

type nearWord struct {
	word string
	cat  Category
}

const pairs = 1 << 10

// pair is a place for two letters of any case. Digits share theirs with some.
func pair(a, b byte) uint16 { return uint16(a&31)<<5 | uint16(b&31) }

func lengthBit(n int) uint16 { return 1 << min(n, 15) }

func (n *nearWords) add(w string, c Category) {
	l := len(w)
	if l < typoMin || l > typoMax || slices.Contains(n.words, nearWord{w, c}) {
		return
	}
	id := int32(len(n.words))
	n.words = append(n.words, nearWord{w, c})
	if n.by == nil {
		n.by = map[uint16][]int32{}
	}
	lengths := lengthBit(l-1) | lengthBit(l) | lengthBit(l+1)
	begins := func(k uint16) {
		n.first[k] |= lengths
		n.by[k] = append(n.by[k], id)
	}
	begins(pair(w[0], w[1]))
	if l == 4 && w[1] != w[2] {
		begins(pair(w[0], w[2]))
	}
	k := pair(w[l-2], w[l-1])
	n.last[k] |= lengths
	n.by[pairs+k] = append(n.by[pairs+k], id)
}

// may: one of the words may be near to w.
func (n *nearWords) may(w []byte) bool {
	l := len(w)
	return l >= typoMin-1 && l <= typoMax+1 && (n.first[pair(w[0], w[1])]|n.last[pair(w[l-2], w[l-1])])&lengthBit(l) != 0
}

// of returns the word that w, in any case, has one typing error of, a name before a
// place; its word is "" where there is none.
func (n *nearWords) of(w []byte) (found nearWord) {
	if !n.may(w) {
		return
	}
	l := len(w)
	var buf [typoMax + 1]byte
	small := buf[:l]
	for i, c := range w {
		small[i] = c | 0x20
	}
	for _, k := range [...]uint16{pair(w[0], w[1]), pairs + pair(w[l-2], w[l-1])} {
		for _, id := range n.by[k] {
			if x := &n.words[id]; (found.word == "" || found.cat != Name && x.cat == Name) && oneEdit(small, x.word) {
				found = *x
			}
		}
	}
	return found
}

// oneEdit: a and b are at most one typing error apart.
func oneEdit(a []byte, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	switch len(a) - len(b) {
	case -1:
		return string(a[i:]) == b[i+1:]
	case 1:
		return string(a[i+1:]) == b[i:]
	case 0:
		return i == len(a) || string(a[i+1:]) == b[i+1:] ||
			i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && string(a[i+2:]) == b[i+2:]
	}
	return false
}

// plainWords are the lists of English.
const plainWords = lexicon.Common | lexicon.Word | lexicon.Word2

// misspelt: token i is a name of the record with a typing error.
func (r *Record) misspelt(f *finder, i int) bool {
	t := f.at(i)
	n := r.near.of(f.str(t))
	if n.word == "" || n.cat != Name {
		return false
	}
	if t.kind == mix { // Hartwe1lson
		return t.len() >= 5
	}
	lex := f.lexOf(t)
	if t.cue&(cStop|cRelation|cPerson) != 0 { // Joseph Than; THAN, JOSEPH; Mr. Than
		switch {
		case t.caps == title:
			return !f.sentenceStart(i) && r.beside(f, i) || f.nameCue(&run{first: i}) >= 4 || f.possessive(i)
		case t.caps == upper:
			return (f.at(i+1).is(',') || f.at(i-1).is(',')) && r.beside(f, i)
		}
		return false
	}
	if t.caps == lower {
		unknown := lex&(plainWords|lexicon.RareWord) == 0
		switch {
		case unknown && t.cue == 0 && t.len() >= 5 && len(n.word) >= 5:
			return true
		case t.cue&(cVerb|cHuman) != 0 || lex&lexicon.Common != 0:
			return false
		}
		return r.beside(f, i)
	}
	shout := t.len() > 1 && class[f.text[t.start+1]] == clUpper
	switch {
	case t.len() >= 5 && len(n.word) >= 5 && lex&plainWords == 0:
		return true
	case !shout && lex&(plainWords|lexicon.RareWord) == 0 && t.cue == 0 && t.id == idNone && (t.len() > 3 || !f.sentenceStart(i)): // no Gen:
		return true
	case !shout && f.among(i) && lex&lexicon.Common == 0 && t.cue&(cMed|cCode|cMeasure|cMonth|cWeekday|cTitle) == 0:
		return true
	}
	return r.beside(f, i) || f.namePlace(i)
}

// beside: another name of the record stands beside token i, with no more between
// them than initials, a comma, a hyphen or an apostrophe.
func (r *Record) beside(f *finder, i int) bool {
	for _, step := range [...]int{-1, 1} {
		for j, n := i+step, 0; n < 4; j, n = j+step, n+1 {
			t := f.at(j)
			if f.at(max(j, j-step)).gap > line { // the space between j and what came before it
				break
			}
			if t.kind == punct {
				if t.ch == '.' && !f.at(j-1).initial() || t.ch != '.' && t.ch != ',' && t.ch != '-' && t.ch != '\'' {
					break
				}
				continue
			}
			if t.initial() {
				continue
			}
			if t.kind == word && t.cue&cStop == 0 && r.isName(f, t) {
				return true
			}
			break
		}
	}
	return false
}

// isName: the token is a name of the record, or has one error and is no plain word.
func (r *Record) isName(f *finder, t *token) bool {
	if t.caps == lower && (f.lexOf(t)&lexicon.Common != 0 || t.cue&(cVerb|cHuman) != 0) {
		return false // will ease
	}
	if r.has(t.hash) {
		return true
	}
	if t.caps == lower && (t.len() < 5 || t.cue != 0) {
		return false // vena cava
	}
	n := r.near.of(f.str(t))
	return n.word != "" && n.cat == Name && t.lex&plainWords == 0
}

// among: token i stands within a sentence, among words in small letters.
func (f *finder) among(i int) bool {
	p, n := f.at(i-1), f.at(i+1)
	return p.kind == word && p.caps == lower && f.at(i).gap == space && (n.kind == punct || n.kind == word && n.caps == lower)
}

// namePlace: what stands around token i is what stands around a name.
func (f *finder) namePlace(i int) bool {
	n := f.at(i + 1)
	return f.nameCue(&run{first: i, last: i, words: 1}) >= 1 || f.credAfter(i) > i ||
		f.possessive(i) ||
		n.kind == word && n.caps == lower && n.gap <= space && n.cue&cHuman != 0
}

// possessive: 's is tied to token i.
func (f *finder) possessive(i int) bool {
	n, s := f.at(i+1), f.at(i+2)
	return n.is('\'') && n.gap == tight && s.hash == hashS && s.gap == tight
}

// misspeltPlace: token i is a city or hospital of the record with a typing error. It
// returns which, or Unknown.
func (r *Record) misspeltPlace(f *finder, i int) Category {
	t := f.at(i)
	if t.kind != word || t.caps == lower || t.cue&cStop != 0 {
		return Unknown
	}
	n := r.near.of(f.str(t))
	switch {
	case n.word == "" || n.cat == Name || len(n.word) < 5:
		return Unknown
	case t.lex&plainWords == 0 && t.len() >= 5:
	case t.caps == title && f.at(i+1).is(',') && f.at(i+2).cue&cState != 0 && f.at(i+2).capital(): // Heading, PA
	case f.at(i-1).cue&cPlaceIn != 0 && f.among(i): // in Heading with
	default:
		return Unknown
	}
	return n.cat
}
