package deid

// MaxMarks is how many elements of one type have a mark, of those that a role names.
// The log's verifier reads no longer words, and no real role names a quarter of it.
const MaxMarks = 512

// Marks is where the marks of a type's elements stand in a scope's set of them: bit 0
// of word From is the first of the paths that the role names, sorted and without
// doubles, bit 63 the last of the word, and so on. An element beyond MaxMarks has none.
type Marks struct {
	Type        string
	From, Words int
}

// Marks are those of the types in scope of which the role names elements, by type.
// The caller must not change the list.
func (s *Scope) Marks() []Marks { return s.marks }

// MarkWords is how many words a set of the scope's marks has.
func (s *Scope) MarkWords() int {
	if n := len(s.marks); n > 0 {
		return s.marks[n-1].From + s.marks[n-1].Words
	}
	return 0
}

// room makes room for the marks of n elements, and says which is the first.
func (s *Scope) room(typ string, n int) uint32 {
	from := s.MarkWords()
	if words := (min(n, MaxMarks) + 63) / 64; words > 0 {
		s.marks = append(s.marks, Marks{typ, from, words})
	}
	return uint32(64 * from)
}

// mark gives the field the marks of the paths that name it. Parts of an extension
// have no fields of their own: they have appeared where the extension has.
func (f *Field) mark(sub *trie) {
	if sub == nil {
		return
	}
	f.Shown = sub.shown
	if f.Op == Extended {
		f.Shown = sub.all(nil)
	}
}

// all are the marks of a trie, and of what is below it.
func (t *trie) all(into []uint32) []uint32 {
	into = append(into, t.shown...)
	for _, sub := range t.below {
		into = sub.all(into)
	}
	return into
}
