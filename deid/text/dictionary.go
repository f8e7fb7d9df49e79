package text

import (
	"strings"
	"sync"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
)

// dictionary is all the words that the engine knows: the embedded lists and the
// cue words of cues.go. It is made once and never changed.
type dictionary struct {
	lex  *lexicon.Table
	cues []cueSlot
}

type cueSlot struct {
	hash uint64
	cue  cue
	id   idKind
}

const cueMask = 1<<13 - 1

var loadDictionary = sync.OnceValue(func() *dictionary {
	d := &dictionary{lex: lexicon.Load(), cues: make([]cueSlot, cueMask+1)}
	for _, l := range cueLists {
		for w := range strings.FieldsSeq(l.words) {
			s := d.slot(lexicon.Hash(w))
			s.cue |= l.cue
		}
	}
	for _, l := range idLists {
		for w := range strings.FieldsSeq(l.words) {
			s := d.slot(lexicon.Hash(w))
			s.id = l.id
		}
	}
	return d
})

func (d *dictionary) slot(h uint64) *cueSlot {
	for i := h & cueMask; ; i = (i + 1) & cueMask {
		if s := &d.cues[i]; s.hash == h || s.hash == 0 {
			s.hash = h
			return s
		}
	}
}

// look fills in what the lists say of a word.
func (d *dictionary) look(t *token, w []byte) {
	for i := t.hash & cueMask; d.cues[i].hash != 0; i = (i + 1) & cueMask {
		if s := &d.cues[i]; s.hash == t.hash {
			t.cue, t.id = s.cue, s.id
			break
		}
	}
	if len(w) > 1 && t.caps != lower {
		t.lex = d.lex.Find(t.hash)
	}
}

// lexOf is the lists of any word. Words in small letters are looked up when a
// rule asks, which is seldom.
func (f *finder) lexOf(t *token) lexicon.Flags {
	if t.caps == lower && t.lex == 0 && t.kind == word {
		t.lex = f.dict.lex.Find(t.hash)
	}
	return t.lex
}

// phrase is the lists in which the words stand as one entry, such as a place
// name of two words.
func (d *dictionary) phrase(p *page, from, to int) lexicon.Flags {
	h := lexicon.Seed
	for i := from; i <= to; i++ {
		t := &p.toks[i]
		if t.kind != word {
			continue
		}
		if i > from {
			h = lexicon.Step(h, ' ')
		}
		for _, c := range p.str(t) {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			h = lexicon.Step(h, c)
		}
	}
	return d.lex.Find(lexicon.Final(h))
}
