package text

import (
	"slices"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/lexicon"
)

// Role says whose name it is.
type Role uint8

// The roles.
const (
	Other Role = iota
	Patient
	Relative
	Practitioner
)

// Gender is that of a given name, where the record says it.
type Gender uint8

// The genders. AnyGender is for what the record does not say.
const (
	AnyGender Gender = iota
	Female
	Male
)

// Record is what the patient's own record says of the patient, the relatives
// and those who treat them, as a dictionary. Its values are found in a text in
// any case and in the forms that people write: "LAST, FIRST M", initials,
// digits without their marks, possessives, one typing error.
//
// A Record is built by one goroutine and may then be read by many. It holds
// patient data: it prints nothing of it.
type Record struct {
	people []person
	words  map[uint64]recordWord
	maybe  [64]uint64 // the hashes of words, by their lowest bits: most words of a text are in none
	near   nearWords
	values map[uint32][]recordValue // by the first three characters
	bloom  [64]uint64               // a bit for each of these
	days   map[date]bool
	last4  map[string]bool // of Social Security numbers
	inits  map[string]bool // initials of the patient: JPS
}

type person struct {
	given  []string // folded to lower case
	family string
	role   Role
	gender Gender
}

type recordWord struct {
	cat    Category
	person int32 // in people, -1 for none
}

// NewRecord returns an empty Record.
func NewRecord() *Record {
	return &Record{
		words: map[uint64]recordWord{}, values: map[uint32][]recordValue{},
		days: map[date]bool{}, last4: map[string]bool{}, inits: map[string]bool{},
	}
}

// String says nothing of what the record holds.
func (r *Record) String() string { return "[PHI]" }

// GoString says nothing of what the record holds.
func (r *Record) GoString() string { return "[PHI]" }

// normal folds s and keeps letters and digits, in lower case.
func normal(s string) string {
	var p page
	p.fold([]byte(s))
	var b strings.Builder
	for _, c := range p.text {
		switch class[c] {
		case clUpper:
			b.WriteByte(c | 0x20)
		case clLower, clDigit, clHigh:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// wordsOf folds s and cuts it into words in lower case.
func wordsOf(s string) []string {
	var p page
	p.fold([]byte(s))
	return strings.FieldsFunc(strings.ToLower(string(p.text)), func(r rune) bool {
		return r < 0x80 && class[byte(r)] != clLower && class[byte(r)] != clDigit
	})
}

// Name adds a person. Given names in order, the middle name or initial among
// them.
func (r *Record) Name(role Role, given []string, family string, gender Gender) {
	p := person{role: role, gender: gender, family: normal(family)}
	var initials string
	all := append(slices.Clone(given), family)
	for i, g := range all {
		for _, w := range wordsOf(g) {
			if i < len(given) {
				p.given = append(p.given, w)
			}
			initials += w[:1]
			r.nameWord(w, int32(len(r.people)))
		}
		if n := normal(g); !isWord(n) {
			r.value(n, Name, false, false) // another script: as it stands
		}
	}
	if role == Patient && len(initials) >= 3 && len(initials) <= 4 {
		r.inits[initials] = true
	}
	if len(p.given) > 0 && len(p.given[0])+len(p.family) >= 7 {
		first := p.given[0]
		r.value(first+p.family, Name, false, false)
		r.value(p.family+first, Name, false, false)
		if len(p.family) >= 5 {
			r.value(first[:1]+p.family, Name, true, false)
			r.value(p.family+first[:1], Name, true, false)
		}
	}
	r.people = append(r.people, p)
}

func isWord(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (r *Record) nameWord(w string, person int32) {
	if len(w) < 2 || !isWord(w) {
		return
	}
	h := lexicon.Hash(w)
	if _, ok := r.words[h]; !ok {
		r.words[h] = recordWord{Name, person}
		r.maybe[h>>6&63] |= 1 << (h & 63)
	}
	r.near.add(w, Name)
}

// Address adds a postal address. The State stands: it is no identifier.
func (r *Record) Address(lines []string, city, state, zip string) {
	for _, l := range lines {
		w := wordsOf(l)
		r.phrase(strings.Join(w, ""), Address, false)
		for i, x := range w {
			if i == 0 || i > 6 {
				continue
			}
			if other := streetOther[x]; other != "" {
				v := slices.Clone(w)
				v[i] = other
				r.phrase(strings.Join(v, ""), Address, false)
				r.phrase(strings.Join(v[:i+1], ""), Address, false)
				r.phrase(strings.Join(w[:i+1], ""), Address, false)
				if i >= 2 {
					r.phrase(strings.Join(w[:i], ""), Address, false)
				}
			}
		}
	}
	r.place(city, City)
	if z := normal(zip); len(z) >= 5 {
		r.value(z, ZIP, true, false)
		r.value(z[:5], ZIP, true, false)
	}
}

// plainWord: the word is English, so that in small letters it is likelier that.
func plainWord(w string) bool {
	return loadDictionary().lex.Find(lexicon.Hash(w))&(lexicon.Common|lexicon.Word|lexicon.Word2) != 0
}

// streetOther: the other way to write a street word.
var streetOther = map[string]string{
	"street": "st", "st": "street", "avenue": "ave", "ave": "avenue", "road": "rd", "rd": "road", "drive": "dr", "dr": "drive",
	"lane": "ln", "ln": "lane", "court": "ct", "ct": "court", "circle": "cir", "cir": "circle", "boulevard": "blvd", "blvd": "boulevard",
	"terrace": "ter", "ter": "terrace", "parkway": "pkwy", "pkwy": "parkway", "highway": "hwy", "hwy": "highway", "place": "pl", "pl": "place",
	"trail": "trl", "trl": "trail", "square": "sq", "sq": "square",
}

// Phone adds a telephone number.
func (r *Record) Phone(s string) { r.phone(Phone, s) }

func (r *Record) phone(c Category, s string) {
	d := digitsOf(s)
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	r.number(d, c, len(d) < 7)
	if len(d) == 10 {
		r.number(d[3:], c, true)
	}
}

// Email adds an electronic mail address.
func (r *Record) Email(s string) {
	r.value(normal(s), Email, false, false)
	if at := strings.IndexByte(s, '@'); at > 0 {
		spoken := s[:at] + "at" + strings.ReplaceAll(s[at+1:], ".", "dot")
		r.value(normal(spoken), Email, false, false)
	}
}

// ID adds an identifier: a record number, a Social Security number, an account.
func (r *Record) ID(c Category, value string) {
	switch c {
	case Phone, Fax:
		r.phone(c, value)
		return
	case Email:
		r.Email(value)
		return
	}
	n := normal(value)
	r.number(n, c, false)
	d := digitsOf(value)
	if len(d) >= 5 && d != n {
		r.number(d, c, true)
	}
	if z := strings.TrimLeft(n, "0"); z != n && len(z) >= 5 {
		r.value(z, c, true, false)
	}
	if c == SSN && len(d) == 9 {
		r.last4[d[5:]] = true
	}
}

// Date adds a day of the patient's: birth, admission, death.
func (r *Record) Date(year, month, day int) {
	d := date{year, month, day}
	if !d.ok() {
		return
	}
	r.days[d] = true
	two := func(n int) string { return string([]byte{byte('0' + n/10%10), byte('0' + n%10)}) }
	y, m, t := two(year/100)+two(year%100), two(month), two(day)
	for _, s := range []string{y + m + t, m + t + y, t + m + y} {
		r.value(s, Date, true, false)
	}
}

// Facility adds the name of a hospital or practice.
func (r *Record) Facility(name string) {
	r.place(name, Facility)
}

func (r *Record) place(name string, c Category) {
	n := normal(name)
	if w := wordsOf(name); len(w) != 1 {
		r.phrase(n, c, plainWord(n))
		return
	}
	r.value(n, c, true, plainWord(n))
	if isWord(n) {
		r.near.add(n, c)
	}
}

// Other adds any other value, such as an employer.
func (r *Record) Other(c Category, value string) {
	n := normal(value)
	if isWord(n) && digitsOf(n) == "" {
		r.phrase(n, c, false)
		return
	}
	r.value(n, c, len(n) < 6, false)
}

func digitsOf(s string) string {
	var b []byte
	n := normal(s)
	for i := range len(n) {
		if class[n[i]] == clDigit {
			b = append(b, n[i])
		}
	}
	return string(b)
}

// hasDay: the record has the date, or that with month and day changed round, or,
// where the year was short, that of the other century.
func (r *Record) hasDay(d date, short bool) bool {
	if r == nil {
		return false
	}
	if r.days[d] || r.days[date{d.y, d.d, d.m}] {
		return true
	}
	return short && (r.days[date{d.y - 100, d.m, d.d}] || r.days[date{d.y + 100, d.m, d.d}] || r.days[date{d.y - 100, d.d, d.m}])
}

func (r *Record) hasMonthDay(m, d int) bool {
	if r == nil {
		return false
	}
	for x := range r.days {
		if x.m == m && x.d == d {
			return true
		}
	}
	return false
}

// match proposes all that the record knows.
func (r *Record) match(f *finder) {
	for i := 0; i < len(f.toks); i++ {
		t := &f.toks[i]
		switch t.kind {
		case num:
			if t.len() == 4 && r.last4[string(f.str(t))] && f.maskedBefore(i) {
				f.addToks(i, i, SSN, FromRecord, 1)
			}
			continue
		case word, mix:
		default:
			continue
		}
		exact := r.has(t.hash)
		near := !exact && r.near.may(f.str(t))
		if !exact && !near && t.caps != upper {
			continue // so it is with nearly every word
		}
		switch {
		case (exact || near) && r.knows(f, i):
			i = r.nameFrom(f, i)
		case t.caps == upper && r.hasInitials(f.str(t)) && t.lex&(lexicon.Common|lexicon.Word) == 0:
			f.addToks(i, i, Name, FromRecord, 1)
		case r.dottedInitials(f, i) > i:
			j := r.dottedInitials(f, i)
			f.addToks(i, j, Name, FromRecord, 1)
			i = j
		case near:
			if c := r.misspeltPlace(f, i); c != Unknown {
				f.addToks(i, i, c, FromRecord, typoSure)
			}
		}
	}
	r.matchValues(f)
}

// maskedBefore: the number is the end of a masked SSN: ***-**-1404, last four 1404.
func (f *finder) maskedBefore(i int) bool {
	if f.before(i, 8, idSSN) != idNone {
		return true
	}
	p := f.at(i - 1)
	return p.is('-') && p.gap == tight && (f.at(i-2).is('*') || f.at(i-2).kind == word && f.at(i-2).cue&cFake != 0 || f.at(i-2).is('#'))
}

// has: the word is a name of the record.
func (r *Record) has(hash uint64) bool {
	if r.maybe[hash>>6&63]>>(hash&63)&1 == 0 {
		return false
	}
	_, ok := r.words[hash]
	return ok
}

// knows: token i is a name of the record, or one letter away from one.
func (r *Record) knows(f *finder, i int) bool {
	t := f.at(i)
	if r.has(t.hash) {
		if t.caps != lower || f.lexOf(t)&(lexicon.Common|lexicon.Word) == 0 && t.cue&cStop == 0 {
			return t.cue&cStop == 0 || t.caps == title || r.neighbour(f, i)
		}
		return r.neighbour(f, i)
	}
	return r.misspelt(f, i)
}

// neighbour: a name of the record stands right beside token i.
func (r *Record) neighbour(f *finder, i int) bool {
	for _, j := range [...]int{i - 1, i + 1, i - 2, i + 2} {
		n := f.at(j)
		if n.kind == word && n.len() > 1 && n.cue&cStop == 0 {
			if r.has(n.hash) {
				return true
			}
		}
	}
	return false
}

// nameFrom proposes the name that starts at token i, with the names, initials
// and commas that go with it, and returns its last token.
func (r *Record) nameFrom(f *finder, i int) int {
	from, to := i, i
	for j := i + 1; j < len(f.toks); j++ {
		n := &f.toks[j]
		if n.gap > line {
			break
		}
		if n.kind == punct && (n.ch == '.' || n.ch == ',' || n.ch == '-' || n.ch == '\'') {
			if n.gap != tight || n.ch == '.' && f.toks[j-1].len() > 1 {
				break
			}
			continue
		}
		if (n.kind == word || n.kind == mix) && (n.initial() && r.initial(f, n) && (f.at(j+1).kind == punct || f.at(j+1).gap > tight) || r.knows(f, j)) {
			to = j
			continue
		}
		if n.kind == word && n.cue&cParticle != 0 && n.caps == lower && r.knows(f, j+1) {
			continue
		}
		break
	}
	if p := f.at(from - 1); p.initial() && f.toks[from].gap == space && r.initial(f, p) {
		from--
	} else if q := f.at(from - 2); p.is('.') && p.gap == tight && q.initial() && r.initial(f, q) {
		from -= 2
	}
	if f.toks[to].initial() && f.at(to+1).is('.') && f.follows(to+1) {
		to++
	}
	f.addToks(from, to, Name, FromRecord, 1)
	return to
}

// initial: the letter starts a name of the record.
func (r *Record) initial(f *finder, t *token) bool {
	c := f.text[t.start] | 0x20
	for _, p := range r.people {
		if p.family != "" && p.family[0] == c {
			return true
		}
		for _, g := range p.given {
			if g[0] == c {
				return true
			}
		}
	}
	return false
}

func (r *Record) hasInitials(w []byte) bool {
	if len(w) < 3 || len(w) > 4 || len(r.inits) == 0 {
		return false
	}
	var small [4]byte
	for i, c := range w {
		small[i] = c | 0x20
	}
	return r.inits[string(small[:len(w)])]
}

// dottedInitials: J.P.S. or J.S. of the patient; it returns the last token.
func (r *Record) dottedInitials(f *finder, i int) int {
	if !f.toks[i].initial() || len(r.inits) == 0 || !f.at(i+1).is('.') {
		return i
	}
	var s [4]byte
	n, j := 0, i
	for n < 4 && f.at(j).initial() && (n == 0 || f.toks[j].gap <= space) {
		s[n] = f.text[f.toks[j].start] | 0x20
		n++
		if !f.at(j + 1).is('.') {
			break
		}
		j += 2
	}
	last := min(j-1, len(f.toks)-1)
	for x := range r.inits {
		if n >= 2 && (x == string(s[:n]) || n == 2 && x[0] == s[0] && x[len(x)-1] == s[1]) {
			return last
		}
	}
	return i
}
