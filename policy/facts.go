package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport/sallyport/id"
)

// Facts is where a gate writes what it found. Each fact goes to Cedar under
// the gate's name; a note goes to the explanation only.
//
// Facts hold no free text: booleans, numbers, times, and words of closed sets.
type Facts struct {
	now     time.Time
	facts   []Fact
	notes   []Fact
	varying bool // holds numbers, so the record is hardly ever the same twice
	dates   window
	relies  []Clause
}

// Fact is one fact of a gate: a name and a small value.
type Fact struct {
	Name string
	kind factKind
	n    int64 // bool, number, milliseconds
	s    string
}

type factKind uint8

const (
	boolFact factKind = iota + 1
	numberFact
	timeFact
	wordFact
	wordsFact
)

// Clause is a term of an agreement that a decision rests on.
type Clause struct {
	Agreement id.Agreement
	Term      string // "BAA-M01"; empty: the agreement as such
}

// openEnd stands for "no end" where a time is asked for.
var openEnd = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Now is the time for which facts out of the registry are asked. A gate that
// compares a date with it must go through Passed, which remembers the date.
func (f *Facts) Now() time.Time { return f.now }

// Bool writes a fact.
func (f *Facts) Bool(name string, v bool) {
	var n int64
	if v {
		n = 1
	}
	f.facts = append(f.facts, Fact{Name: name, kind: boolFact, n: n})
}

// Number writes a fact.
func (f *Facts) Number(name string, v int64) {
	f.varying = true
	f.facts = append(f.facts, Fact{Name: name, kind: numberFact, n: v})
}

// Word writes a fact out of a closed set: "none" when v is empty, "other" when
// it is not one of the words.
func Word[T ~string](f *Facts, name string, v T, words ...T) {
	s := "other"
	if v == "" {
		s = "none"
	} else if slices.Contains(words, v) {
		s = string(v)
	}
	f.facts = append(f.facts, Fact{Name: name, kind: wordFact, s: s})
}

// Words writes a set of words, each once and in order, whatever the order of vs.
// A word must have the form of an id or of a code: no comma.
func (f *Facts) Words(name string, vs []string) {
	vs = slices.Compact(slices.Sorted(slices.Values(vs)))
	f.facts = append(f.facts, Fact{Name: name, kind: wordsFact, s: strings.Join(vs, ",")})
}

// Start writes when something begins. The zero time never begins.
func (f *Facts) Start(name string, t time.Time) {
	if t.IsZero() {
		t = openEnd
	}
	f.dates.add(f.now, t)
	f.time(name, ceilMilli(t))
}

// End writes when something ends. The zero time has ended.
func (f *Facts) End(name string, t time.Time) {
	f.dates.add(f.now, t)
	f.time(name, t.UnixMilli())
}

// EndOrOpen writes when something ends, where the zero time means never.
func (f *Facts) EndOrOpen(name string, t time.Time) {
	if t.IsZero() {
		t = openEnd
	}
	f.End(name, t)
}

func (f *Facts) time(name string, milli int64) {
	f.facts = append(f.facts, Fact{Name: name, kind: timeFact, n: milli})
}

// Passed reports whether t is now or in the past, and remembers that the facts
// change at t. The zero time has not passed.
func (f *Facts) Passed(t time.Time) bool {
	if t.IsZero() {
		return false
	}
	f.dates.add(f.now, t)
	return !f.now.Before(t)
}

// Note adds a detail for the explanation that Cedar does not see.
func (f *Facts) Note(name string, v int64) {
	f.notes = append(f.notes, Fact{Name: name, kind: numberFact, n: v})
}

// NoteWord adds a word for the explanation that Cedar does not see. It must be
// a word of the regulation, of FHIR or an id: never free text.
func (f *Facts) NoteWord(name, word string) {
	f.notes = append(f.notes, Fact{Name: name, kind: wordFact, s: word})
}

// Rely says that a permit would rest on these terms of an agreement.
func (f *Facts) Rely(a id.Agreement, terms ...string) {
	f.relies = append(f.relies, Clause{Agreement: a})
	for _, t := range terms {
		f.relies = append(f.relies, Clause{Agreement: a, Term: t})
	}
}

// Drop removes a fact. A gate must then refuse; tests prove it with this.
func (f *Facts) Drop(name string) {
	f.facts = slices.DeleteFunc(f.facts, func(x Fact) bool { return x.Name == name })
}

// Names lists the facts written, in order.
func (f *Facts) Names() []string {
	out := make([]string, len(f.facts))
	for i, x := range f.facts {
		out[i] = x.Name
	}
	return out
}

func (f *Facts) reset(now time.Time) {
	*f = Facts{now: now, facts: f.facts[:0], notes: f.notes[:0], relies: f.relies[:0], dates: always}
}

// record makes the Cedar value. It costs a map and a hash over it (cedar-go's
// NewRecord), which is why records are kept where they can be.
func (f *Facts) record() types.Value {
	m := make(types.RecordMap, len(f.facts))
	for _, x := range f.facts {
		m[types.String(x.Name)] = x.cedar()
	}
	return types.NewRecord(m)
}

func (x Fact) cedar() types.Value {
	switch x.kind {
	case boolFact:
		return types.Boolean(x.n != 0)
	case numberFact:
		return types.Long(x.n)
	case timeFact:
		return types.NewDatetimeFromMillis(x.n)
	case wordsFact:
		var vs []types.Value
		if x.s != "" {
			for w := range strings.SplitSeq(x.s, ",") {
				vs = append(vs, types.String(w))
			}
		}
		return types.NewSet(vs...)
	default:
		return types.String(x.s)
	}
}

// Value is the fact's value for a reader: "true", "17",
// "2026-11-23T00:00:00Z", "approved".
func (x Fact) Value() string {
	switch x.kind {
	case boolFact:
		return strconv.FormatBool(x.n != 0)
	case numberFact:
		return strconv.FormatInt(x.n, 10)
	case timeFact:
		t := time.UnixMilli(x.n).UTC()
		switch {
		case t.Equal(openEnd):
			return "open"
		case t.Year() <= 1:
			return "none"
		}
		return t.Format(time.RFC3339Nano)
	default:
		return x.s
	}
}

// String is "name=value".
func (x Fact) String() string { return fmt.Sprintf("%s=%s", x.Name, x.Value()) }

// MarshalJSON writes {"name": ..., "value": ...}.
func (x Fact) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}{x.Name, x.Value()})
}

// Values is what a gate's reasons are read from: its facts and notes, those of
// the registry and those of the request together.
type Values struct {
	Now   time.Time
	facts []Fact
	notes []Fact
}

func (v Values) find(name string) Fact {
	for _, x := range v.facts {
		if x.Name == name {
			return x
		}
	}
	for _, x := range v.notes {
		if x.Name == name {
			return x
		}
	}
	return Fact{}
}

// Has reports whether a set of words holds the word.
func (v Values) Has(name, word string) bool {
	return word != "" && slices.Contains(strings.Split(v.find(name).s, ","), word)
}

// Is reports a boolean; false when it is missing.
func (v Values) Is(name string) bool { return v.find(name).n != 0 }

// Number is a number; 0 when it is missing.
func (v Values) Number(name string) int64 { return v.find(name).n }

// Word is a word; empty when it is missing.
func (v Values) Word(name string) string { return v.find(name).s }

// maxDetails bounds how many details follow a message.
const maxDetails = 20

// details are the values of the notes of that name, each once.
func (v Values) details(name string) []string {
	var out []string
	for _, x := range v.notes {
		if x.Name == name && name != "" && !slices.Contains(out, x.Value()) && len(out) < maxDetails {
			out = append(out, x.Value())
		}
	}
	return out
}

// Begun reports whether the start named has come.
func (v Values) Begun(name string) bool { return v.find(name).n <= v.Now.UnixMilli() }

// Ended reports whether the end named has come.
func (v Values) Ended(name string) bool { return v.Now.UnixMilli() >= v.find(name).n }

// window is a stretch of time in which no date that was looked at lies:
// from inclusive, until exclusive.
type window struct{ from, until time.Time }

var always = window{until: openEnd}

func (w *window) add(now, t time.Time) {
	if now.Before(t) {
		if t.Before(w.until) {
			w.until = t
		}
	} else if w.from.Before(t) {
		w.from = t
	}
}

func (w *window) join(x window) {
	if x.until.Before(w.until) {
		w.until = x.until
	}
	if w.from.Before(x.from) {
		w.from = x.from
	}
}

func (w window) holds(t time.Time) bool { return !t.Before(w.from) && t.Before(w.until) }

func ceilMilli(t time.Time) int64 {
	m := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		m++
	}
	return m
}
