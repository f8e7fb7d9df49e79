package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

// A run is a stretch of capitalised words, with the initials, particles,
// hyphens and apostrophes between them. What it is, a person, a place, a
// company or nothing, is judged from its words and from what stands around it.
type run struct {
	first, last int // tokens
	words       int
	start       bool // at the start of a sentence or line, where capitals say little
	shout       bool // all in capitals
}

// capitals judges the run that starts at token i, and returns the token after it.
func (f *finder) capitals(i int) int {
	t := &f.toks[i]
	if t.cue&cTitle != 0 && (f.title(i) || t.cue&(cRelation|cPerson|cStreet|cOrg) == 0 || t.hash == hashDr && !f.streetBefore(i)) {
		return i + 1
	}
	if j := f.flat(i); j > i {
		return j
	}
	if j := f.spelt(i); j > i {
		f.addToks(i, j, Name, Format, .5)
		return j + 1
	}
	if t.cue&cStop != 0 && !(t.initial() && f.at(i+1).is('.') && f.follows(i+1) && f.at(i+2).capital() && f.at(i+2).gap <= space) || f.contraction(i) {
		return i + 1
	}
	r := f.runFrom(i)
	for k := i + 1; k <= r.last; k++ {
		if u := &f.toks[k]; u.kind == word {
			if u.id != idNone {
				f.identifier(k)
			}
			if u.cue&(cMonth|cHoliday|cWeekday) != 0 {
				f.wordDate(k)
			}
		}
	}
	sure := f.nameCue(&r)
	switch {
	case sure < 3 && f.toks[i].cue&cMed != 0 && r.words == 1 && f.toks[i].lex&lexicon.GivenTop == 0: // a drug
	case f.facility(&r), f.placeLabel(&r):
	case sure < 3 && f.fictionIn(r.first, r.last): // Riverside Training Ward
	case sure >= 3 && f.cuedName(r.first, sure) > 0:
	case sure == 4 && f.plainAlone(r.first) && r.words == 1: // CC: Weakness of the arm
	case f.organization(&r), f.cityState(&r), f.place(&r), f.street(&r):
	default:
		if sure >= 4 {
			sure = .5 // the label is there, and what follows is no name by its look
		}
		f.person(&r, sure)
	}
	return r.last + 1
}

// spelt: J o h n  S m i t h. It returns the last letter of at least five, of
// which some are small, or i.
func (f *finder) spelt(i int) int {
	if !f.toks[i].initial() {
		return i
	}
	j, small := i, 0
	for n := f.at(j + 1); n.kind == word && n.len() == 1 && n.gap == space; n = f.at(j + 1) {
		if n.caps == lower {
			small++
		}
		j++
	}
	if j-i < 4 || small < 3 {
		return i
	}
	return j
}

// contraction: Don't, We'll.
func (f *finder) contraction(i int) bool {
	n, m := f.at(i+1), f.at(i+2)
	if !n.is('\'') || n.gap != tight || m.gap != tight || m.kind != word || m.caps != lower {
		return false
	}
	switch string(f.str(m)) {
	case "t", "re", "ll", "ve", "d", "m":
		return true
	}
	return false
}

// runFrom collects the run that starts at token i.
func (f *finder) runFrom(i int) run {
	r := run{first: i, last: i, words: 1, start: f.sentenceStart(i), shout: f.toks[i].caps == upper && f.toks[i].len() > 1}
	for r.words < 8 {
		j := r.last + 1
		n := f.at(j)
		switch {
		case n.kind == punct && n.gap == tight && n.ch == '.' && (f.toks[r.last].len() == 1 || f.toks[r.last].hash == hashSt || f.toks[r.last].cue&cTitle != 0):
			j++
			n = f.at(j)
			if n.gap == tight && !n.initial() && f.toks[r.last].hash != hashSt {
				if !(n.kind == word && n.capital()) {
					return r
				}
			}
		case n.kind == punct && n.gap == tight && (n.ch == '-' || n.ch == '\'') && f.follows(j+1):
			j++
			n = f.at(j)
			if n.hash == hashS && n.kind == word && f.at(j-1).is('\'') { // Mary's
				j++
				n = f.at(j)
				if n.gap != space || !n.capital() || !f.headAhead(j) {
					return r
				}
			}
		case n.kind == word && n.gap == space && n.caps == lower && n.cue&cParticle != 0 && f.particleAhead(j) > 0:
			j = f.particleAhead(j)
			n = f.at(j)
		case n.kind == word && n.gap == space && n.hash == hashOf && f.toks[r.last].cue&(cFacility|cOrg|cFacWord) != 0 && f.at(j+1).capital() && f.at(j+1).gap == space:
			j++
			n = f.at(j)
		case n.is('(') && n.gap == space && f.parenEnd(j) > 0 && f.at(f.parenEnd(j)+1).capital() && f.at(f.parenEnd(j)+1).cue&(cFacility|cFacWord) != 0:
			j = f.parenEnd(j) + 1 // York (Fairbank / Oakwood) Nursing Home
			n = f.at(j)
		case n.is('&') && n.gap == space && f.at(j+1).capital() && f.at(j+1).gap == space:
			j++
			n = f.at(j)
		}
		if n.kind != word || n.caps == lower || n.cue&cStop != 0 && !n.initial() || n.id != idNone && n.id < idWeak {
			return r
		}
		if n.cue&cMonth != 0 && f.monthHere(j) || n.cue&cWeekday != 0 || n.cue&cUnit != 0 && flatWord(f.str(n)) && f.unit(j) > j {
			return r
		}
		if n.cue&cTitle != 0 && n.cue&(cStreet|cRelation) == 0 {
			return r
		}
		if n.gap > space && !(n.gap == line && f.wraps(j)) {
			return r
		}
		if r.last+1 < j && n.gap == tight && f.at(j-1).is('.') && !n.initial() && n.len() > 1 && f.toks[r.last].len() > 1 {
			return r
		}
		r.shout = r.shout && n.caps == upper
		r.last = j
		r.words++
	}
	return r
}

// parenEnd returns the bracket that closes the one at token j, where only words,
// slashes and commas stand between; 0 where there is none.
func (f *finder) parenEnd(j int) int {
	if !f.at(j).is('(') {
		return 0
	}
	for k := j + 1; k < j+32 && k < len(f.toks); k++ {
		t := &f.toks[k]
		switch {
		case t.is(')'):
			return k
		case t.kind == punct && t.ch != '/' && t.ch != ',' && t.ch != '-' && t.ch != '\'' && t.ch != '.', t.kind == num, t.gap >= line:
			return 0
		}
	}
	return 0
}

// withParen extends a place that ends at token j over a part of town in brackets.
func (f *finder) withParen(j int) int { return max(j, f.parenEnd(j+1)) }

// headAhead: a facility or company word follows at token j or soon after.
func (f *finder) headAhead(j int) bool {
	for k := j; k < j+4; k++ {
		n := f.at(k)
		if n.kind != word || !n.capital() {
			return false
		}
		if n.cue&(cFacility|cFacWord|cOrg) != 0 {
			return true
		}
	}
	return false
}

// particleAhead returns the capitalised word behind one or two particles at j.
func (f *finder) particleAhead(j int) int {
	for k := j + 1; k <= j+2; k++ {
		n := f.at(k)
		if n.kind != word || n.gap != space {
			return 0
		}
		if n.capital() {
			if n.cue&cStop != 0 || f.toks[j].cue&cStop != 0 && n.lex&lexicon.Word != 0 {
				return 0
			}
			return k
		}
		if n.cue&cParticle == 0 {
			return 0
		}
	}
	return 0
}

// monthHere: the month at token j belongs to a date.
func (f *finder) monthHere(j int) bool {
	n := f.at(j + 1)
	return n.kind == num || n.kind == mix || n.is(',') && f.at(j+2).kind == num || n.hash == hashOf
}

// wraps: the line end before token j is a wrapped line, not the end of a
// paragraph: the line is long.
func (f *finder) wraps(j int) bool {
	n := 0
	for k := int(f.toks[j].start) - 1; k >= 0 && n < 200; k-- {
		if f.text[k] == '\n' && n > 2 {
			break
		}
		n++
	}
	return n >= 55 && n < 200
}

// sentenceStart: token i begins a sentence, a line or a list item.
func (f *finder) sentenceStart(i int) bool {
	t, p := &f.toks[i], f.at(i-1)
	switch {
	case i == 0 || t.gap >= block || t.gap == column:
		return true
	case t.gap == line:
		return !f.wraps(i) || p.is('.') || p.is(':')
	case p.kind != punct:
		return false
	}
	switch p.ch {
	case '!', '?', ':', ';', '*', '"', '>', '|':
		return true
	case '.':
		q := f.at(i - 2)
		return q.len() > 1 && q.cue&cTitle == 0 || q.kind == num
	case '-':
		return t.gap != tight
	case ')':
		return f.at(i-2).kind == num
	}
	return false
}

// Weights of a word as a part of a name. A run is a name if its words and its
// surroundings come to more than nameFloor.
const (
	nameFloor    = 1.75
	generalFloor = .9 // outside clinical writing, where the other capitals are drugs and devices
)

func (f *finder) weight(t *token) float32 {
	if t.len() == 1 {
		return .6
	}
	l := t.lex
	var w float32
	switch {
	case l&lexicon.GivenTop != 0:
		w = 2.3
	case l&lexicon.Given != 0:
		w = 1.5
	}
	switch {
	case l&lexicon.SurnameTop != 0:
		w = max(w, 1.9) + .3
	case l&lexicon.Surname != 0:
		w = max(w, 1.3) + .2
	}
	if w == 0 {
		switch {
		case l == 0 && t.caps != upper && t.len() > 2:
			w = 1.1
		case l&(lexicon.Common|lexicon.Word|lexicon.Word2|lexicon.RareWord) == 0:
			w = .6
		}
	}
	switch {
	case l&lexicon.Common != 0:
		w -= 2.4
	case l&lexicon.Word != 0 && f.general && l&lexicon.GivenTop != 0:
		w -= 1
	case l&lexicon.Word != 0:
		w -= 1.6
	case l&lexicon.Word2 != 0:
		w -= 1.1
	case l&lexicon.RareWord != 0:
		w -= .5
	}
	if t.cue&cMed != 0 {
		w -= 1.8
	}
	if t.cue&(cMeasure|cCode|cFacWord|cFacility|cEponym|cFake|cPerson|cVerb|cCred|cDate) != 0 {
		w -= .9
	}
	if t.cue&(cNation|cCountry|cMonth|cWeekday) != 0 || t.id != idNone && (t.id < idWeak || l&(lexicon.GivenTop|lexicon.SurnameTop) == 0) {
		w -= 1.5
	}
	if t.cue&cState != 0 && t.len() > 2 && l&lexicon.GivenTop == 0 {
		w -= 1.5
	}
	if t.caps == upper && t.len() > 1 {
		if t.len() < 4 {
			w -= 1.2
		} else {
			w -= .5
		}
	}
	return w
}

// person judges a run as a name.
func (f *finder) person(r *run, sure float32) {
	// What is surely no name is cut off at both ends.
	first, last := r.first, r.last
	for first < last && f.edge(first) && !f.fullName(first, f.nextWord(first)) {
		first = f.nextWord(first)
	}
	for last > first && f.edge(last) && !f.fullName(f.prevWord(last), last) {
		last = f.prevWord(last)
	}
	var sum float32
	words, strong, initials, plain := 0, 0, 0, 0
	for k := first; k <= last; k++ {
		t := &f.toks[k]
		if t.kind != word || t.caps == lower {
			continue
		}
		w := f.weight(t)
		sum += w
		words++
		switch {
		case t.len() == 1:
			initials++
		case w >= 1.2:
			strong++
		case w < 0:
			plain++
		}
	}
	if words == initials {
		return
	}
	bonus := sure
	n := f.at(last + 1)
	switch {
	case f.eponymAfter(last), f.eponymAfter(r.last):
		bonus -= 4
	case f.credAfter(last) > last:
		bonus += 3.5
	case n.is('\'') && f.at(last+2).hash == hashS && f.follows(last+2):
		bonus += .4
	case n.kind == word && n.caps == lower && n.cue&cHuman != 0 && n.gap <= line:
		bonus += 1.4
		if f.toks[first].lex&lexicon.GivenTop != 0 {
			bonus += .8
		}
	case n.kind == word && n.caps == lower && n.cue&cVerb != 0:
		bonus += .3
	case f.general && (n.is(':') || n.is(',')):
		bonus += .3
	}
	start := r.start && first == r.first
	p := f.at(first - 1)
	switch {
	case start && words == 1:
		bonus -= .5
	case p.kind == word && (p.hash == hashThe || p.hash == hashA) && p.gap <= line:
		bonus -= 1.2
		if f.general {
			bonus += 1
		}
	case words == 1 && p.kind == num && !f.general: // a #8 Shiley tube
		bonus -= .8
	case words == 1:
		bonus += .2
	}
	if t := &f.toks[first]; !start && t.caps == title && t.lex&lexicon.GivenTop != 0 && t.lex&lexicon.Common == 0 && t.lex&(lexicon.Word|lexicon.Word2) != 0 && t.cue == 0 {
		bonus += 1 // no plain word has a capital within a sentence: Call Bob
	}
	if (p.is(',') || p.hash == hashAnd || p.is('/') || p.is('&')) && f.nameJustBefore(first-1) {
		bonus += 1
	}
	if words > 1 {
		// A given name and a family name vouch for each other.
		if f.toks[first].lex&lexicon.Given != 0 && f.toks[last].lex&lexicon.Surname != 0 && plain < words {
			bonus += .8
		}
		if f.fullName(first, last) || f.fullName(f.prevWord(last), last) {
			bonus += 1.2
			strong++
		}
		if r.shout {
			bonus -= .8
		}
		if strong == 0 && sure < 1 && !f.general {
			bonus -= 1.2
		}
	}
	end := last
	if j := f.commaName(first, last, false); j > last && (strong > 0 || sure > 0) {
		end = j
		bonus += 1
	}
	floor := float32(nameFloor)
	if f.general {
		floor = generalFloor
	}
	if sum+bonus < floor+float32(max(0, words-2))*.4 {
		return
	}
	why := Dictionary
	if sure > 0 {
		why = Context
	}
	end = f.nameTail(end)
	f.addToks(first, end, Name, why, min(.95, .45+.1*(sum+bonus-floor)))
}

// edge: the word is cut off from the end of a run: plain English that is in
// no list of names, or such that starts a sentence.
func (f *finder) edge(i int) bool {
	t := &f.toks[i]
	return t.len() > 1 && f.weight(t) < 0 && (t.lex&(lexicon.GivenTop|lexicon.SurnameTop) == 0 || t.lex&lexicon.Common != 0)
}

// fullName: a frequent given name and a frequent family name side by side. They
// are taken for a name even where both are plain words, as in Jack Smith.
func (f *finder) fullName(i, j int) bool {
	a, b := &f.toks[i], &f.toks[j]
	const plain = lexicon.Common | lexicon.Word | lexicon.Word2 | lexicon.RareWord
	return i < j && (a.lex&lexicon.GivenTop != 0 || a.lex&lexicon.Given != 0 && a.lex&plain == 0) &&
		(b.lex&lexicon.SurnameTop != 0 || b.lex == 0 && b.caps == title && b.len() > 3) && a.caps == b.caps && a.cue&(cMed|cFacWord|cStop|cMonth|cNation|cCountry) == 0 && b.cue&(cMed|cFacWord|cFacility|cStop|cMeasure|cEponym) == 0
}

func (f *finder) nextWord(i int) int {
	last := len(f.toks) - 1
	for i = min(i+1, last); i < last && (f.toks[i].kind != word || f.toks[i].hash == hashS && f.at(i-1).is('\'')); i++ {
	}
	return i
}

func (f *finder) prevWord(i int) int {
	for i = max(i-1, 0); i > 0 && (f.toks[i].kind != word || f.toks[i].caps == lower); i-- {
	}
	return i
}

// eponymAfter: what follows makes the name one of a disease or a tool.
func (f *finder) eponymAfter(j int) bool {
	n := f.at(j + 1)
	if n.is('\'') && f.at(j+2).hash == hashS {
		n = f.at(j + 3)
	}
	if n.is('-') && n.gap == tight {
		n = f.at(j + 2)
	}
	return n.kind == word && n.gap <= space && n.cue&cEponym != 0 && n.caps == lower
}
