// Package lexicon holds the words that deid/text knows: given names and
// surnames, places, and plain English words as evidence against a name.
//
// The words come from free lists (LICENCES.md), folded to lower-case ASCII, by
// gen.go. They are kept as 32-bit fingerprints in an open hash table: a lookup
// is one probe, and a word that is in no list is taken for one that is with a
// chance of about one in a thousand million, the same on every machine.
package lexicon

import (
	"bytes"
	"compress/flate"
	_ "embed"
	"encoding/binary"
	"io"
	"sync"
)

//go:generate go run gen.go -from /path/to/packages

//go:embed lexicon.bin
var packed []byte

// Flags says which lists a word stands in.
type Flags uint16

// The lists.
const (
	Given      Flags = 1 << iota // SSA given names, and those of other languages
	GivenTop                     // borne by more than 20,000 people in the SSA's data
	Female                       // a given name of women
	Male                         // a given name of men
	Surname                      // Census surnames, and those of other languages
	SurnameTop                   // among the 3,000 most frequent
	Common                       // among the commonest English words
	Word                         // a common English word
	Word2                        // an English word
	RareWord                     // a rare or technical English word
	Proper                       // written with a capital in English
	City                         // a place name
	CityUS                       // a place with a US post office
)

// Table finds words by their hash. It is immutable.
type Table struct {
	slots []slot
	mask  uint32

	// Frequent words, in alphabetical order, for surrogates.
	Women, Men, Surnames, Cities []string
}

type slot struct {
	print uint32
	flags Flags
}

// Load unpacks the dictionary once and shares it.
var Load = sync.OnceValue(load)

func load() *Table {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil || len(raw) < 4 {
		panic("lexicon: the embedded dictionary does not unpack") // a build fault, never an input's
	}
	n := int(binary.LittleEndian.Uint32(raw))
	flags := raw[len(raw)-2*n:]
	raw = raw[4:]
	size := 1
	for size < n*2 {
		size *= 2
	}
	t := &Table{slots: make([]slot, size), mask: uint32(size - 1)}
	word := make([]byte, 0, 64)
	for i := range n {
		keep, add := int(raw[0]), int(raw[1])
		word = append(word[:keep], raw[2:2+add]...)
		raw = raw[2+add:]
		f := Flags(binary.LittleEndian.Uint16(flags[2*i:]))
		t.insert(HashBytes(word), f)
		t.sample(word, f)
	}
	return t
}

// sample keeps what a surrogate may be: a frequent name that is no plain word.
func (t *Table) sample(word []byte, f Flags) {
	if f&(Common|Word|Word2) != 0 || len(word) < 4 || len(word) > 10 {
		return
	}
	switch {
	case f&GivenTop != 0 && f&City == 0 && f&(Female|Male) == Female:
		t.Women = append(t.Women, string(word))
	case f&GivenTop != 0 && f&City == 0 && f&(Female|Male) == Male:
		t.Men = append(t.Men, string(word))
	case f&SurnameTop != 0 && f&Given == 0:
		t.Surnames = append(t.Surnames, string(word))
	case f&CityUS != 0 && f&(Given|Surname) == 0 && bytes.HasSuffix(word, []byte("ville")):
		t.Cities = append(t.Cities, string(word))
	}
}

func (t *Table) insert(h uint64, f Flags) {
	print := uint32(h>>32) | 1
	for i := uint32(h) & t.mask; ; i = (i + 1) & t.mask {
		switch t.slots[i].print {
		case 0:
			t.slots[i] = slot{print, f}
			return
		case print:
			t.slots[i].flags |= f
			return
		}
	}
}

// Find returns the lists of the word with this hash, 0 where it is in none.
func (t *Table) Find(h uint64) Flags {
	print := uint32(h>>32) | 1
	for i := uint32(h) & t.mask; ; i = (i + 1) & t.mask {
		switch s := t.slots[i]; s.print {
		case 0:
			return 0
		case print:
			return s.flags
		}
	}
}

// The hash is fed a byte at a time, so that a tokenizer computes it as it
// reads: Seed, then Step for each lower-case byte, then Final.
const Seed uint64 = 0x9e3779b97f4a7c15

// Step adds a byte.
func Step(h uint64, c byte) uint64 { return (h ^ uint64(c)) * 0x100000001b3 }

// Final mixes the bits.
func Final(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}

// HashBytes is the hash of a folded word.
func HashBytes(b []byte) uint64 {
	h := Seed
	for _, c := range b {
		h = Step(h, c)
	}
	return Final(h)
}

// Hash is the hash of a folded word.
func Hash(s string) uint64 {
	h := Seed
	for i := range len(s) {
		h = Step(h, s[i])
	}
	return Final(h)
}
