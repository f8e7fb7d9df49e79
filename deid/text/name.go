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
	if t.cue&cTitle != 0 && f.title(i) {
		return i + 1
	}
	if j := f.flat(i); j > i {
		return j
	}
	if t.cue&cStop != 0 {
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
	case f.facility(&r):
	case sure >= 3 && f.cuedName(r.first, sure) > 0:
	case f.organization(&r), f.cityState(&r), f.place(&r), f.street(&r):
	default:
		f.person(&r, sure)
	}
	return r.last + 1
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
		case n.is('&') && n.gap == space && f.at(j+1).capital() && f.at(j+1).gap == space:
			j++
			n = f.at(j)
		}
		if n.kind != word || n.caps == lower || n.cue&cStop != 0 && !n.initial() || n.id != idNone && n.id < idWeak {
			return r
		}
		if n.cue&cMonth != 0 && f.monthHere(j) || n.cue&cWeekday != 0 {
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
	if t.cue&(cNation|cCountry|cMonth|cWeekday) != 0 {
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
	for first < last && f.edge(first) {
		first = f.nextWord(first)
	}
	for last > first && f.edge(last) {
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
	case f.eponymAfter(last):
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
	case words == 1:
		bonus += .2
	}
	if (p.is(',') || p.hash == hashAnd || p.is('/') || p.is('&')) && f.nameJustBefore(first-1) {
		bonus += 1
	}
	if words > 1 {
		// A given name and a family name vouch for each other.
		if f.toks[first].lex&lexicon.Given != 0 && f.toks[last].lex&lexicon.Surname != 0 && plain < words {
			bonus += .8
		}
		if r.shout {
			bonus -= .8
		}
		if strong == 0 && sure < 1 {
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

func (f *finder) nextWord(i int) int {
	for i++; f.toks[i].kind != word || f.toks[i].hash == hashS; i++ {
	}
	return i
}

func (f *finder) prevWord(i int) int {
	for i--; f.toks[i].kind != word || f.toks[i].caps == lower; i-- {
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

// nameJustBefore: a name ends right before token i.
func (f *finder) nameJustBefore(i int) bool {
	if len(f.cands) == 0 || i < 1 {
		return false
	}
	c := &f.cands[len(f.cands)-1]
	return c.cat == Name && c.end == f.toks[i-1].end
}

// nameCue weighs what stands before a run: 5 for a title or a label, less for
// words that a name often follows.
func (f *finder) nameCue(r *run) float32 {
	i := r.first
	t, p := &f.toks[i], f.at(i-1)
	if t.gap >= block || i == 0 {
		return 0
	}
	q := f.at(i - 2)
	if p.is('.') && p.gap == tight && q.cue&cTitle != 0 && q.capital() && t.gap <= line {
		return 5
	}
	if p.kind == word && p.cue&cTitle != 0 && p.capital() && t.gap <= line && (p.cue&(cRelation|cStreet|cPerson|cOrg) == 0 || p.hash == hashDr) {
		return 5
	}
	if p.is(':') || p.is('=') {
		return f.labelBefore(i - 1)
	}
	if t.gap == line && !f.wraps(i) {
		return 0
	}
	if p.is(',') && q.kind == word {
		switch {
		case q.cue&cRelation != 0 && q.caps == lower:
			return 3.2
		case q.cue&cGreet != 0:
			return 1.5
		}
	}
	if p.kind != word || p.gap == column {
		return 0
	}
	switch {
	case p.hash == hashIs || p.hash == hashWas || p.hash == hashAs:
		if q.cue&cName != 0 || q.cue&cRelation != 0 && q.caps == lower {
			return 2.2
		}
	case p.cue&cName != 0 && p.caps == lower:
		return 1.6
	case p.cue&cGreet != 0:
		return 1.6
	case p.hash == hashM && f.at(i-2).is('\'') && f.at(i-3).hash == hashI:
		return .9
	case p.cue&cPerson != 0 && p.cue&cRelation == 0:
		if p.len() == 4 && p.id == idNone && p.cue&cStop == 0 && string(f.str(p)) == "attn" {
			return 5
		}
		return .8
	case p.cue&cRelation != 0:
		return 1.1
	case p.hash == hashBy && q.kind == word && q.cue&cPerson != 0:
		return 3.2
	case p.hash == hashBy:
		return .5
	case p.hash == hashWith && q.kind == word && q.cue&(cMeet|cHuman) != 0:
		return 1
	}
	return 0
}

// labelBefore weighs a label that ends with the colon at token i.
func (f *finder) labelBefore(i int) float32 {
	for j := i - 1; j >= 0 && j >= i-4; j-- {
		t := &f.toks[j]
		if t.kind == word {
			if t.cue&(cPerson|cName) != 0 || t.cue&cRelation != 0 {
				return 5
			}
			if t.cue&cStop == 0 && t.cue&cBy == 0 && t.lex&lexicon.Common == 0 {
				return 0
			}
		} else if t.kind != punct || t.ch == '.' && f.at(j+1).gap != tight || t.ch == ',' || t.ch == ';' || t.ch == ':' {
			return 0
		}
		if t.gap >= line {
			return 0
		}
	}
	return 0
}

// title handles a title at token i: what follows it is a name.
func (f *finder) title(i int) bool {
	j := i + 1
	n := f.at(j)
	if n.is('.') && n.gap == tight {
		j++
		n = f.at(j)
	}
	if n.kind != word || n.gap > line || n.gap == tight && j == i+1 {
		return false
	}
	if f.toks[i].cue&(cRelation|cPerson|cStreet|cOrg) != 0 && f.toks[i].hash != hashDr { // sister, nurse, captain
		return false
	}
	if n.cue&cTitle != 0 && n.hash != hashDr || n.cue&cStop != 0 || !n.capital() {
		return n.cue&cTitle != 0 // Prof. Dr.: the next title has the name
	}
	return f.cuedName(j, 5) > 0
}

// cuedName takes the name that starts at token i on the word of a cue, and
// returns how many words it has.
func (f *finder) cuedName(i int, sure float32) int {
	first, last, words := i, -1, 0
	shout := f.toks[i].caps == upper && f.toks[i].len() > 1
	for j := i; words < 6; {
		t := f.at(j)
		if t.kind != word || t.cue&cStop != 0 && !(t.initial() && words > 0) || t.id != idNone && t.id < idWeak || t.cue&cWeekday != 0 {
			break
		}
		if words > 0 && t.gap > space && !(t.gap == line && f.wraps(j)) {
			break
		}
		if t.cue&cMonth != 0 && f.monthHere(j) {
			break
		}
		if !t.capital() {
			k := 0
			if t.cue&cParticle != 0 {
				k = f.particleAhead(j)
			}
			if k == 0 || words == 0 && t.lex&lexicon.Common != 0 {
				break
			}
			j = k
			continue
		}
		w := f.weight(t)
		if words > 0 {
			if t.cue&(cCred|cTitle) != 0 && t.caps == upper && t.len() > 1 && t.lex&lexicon.SurnameTop == 0 {
				break
			}
			if w < -1.4 && t.lex&(lexicon.Given|lexicon.Surname) == 0 || f.sentenceStart(j) && w < 0 || t.caps == upper && !shout && t.len() > 1 && w < 0 {
				break
			}
			if t.cue&(cFacility|cPerson) != 0 && t.lex&(lexicon.GivenTop|lexicon.SurnameTop) == 0 {
				break
			}
		} else if sure < 5 && w < -.4 && t.lex&(lexicon.GivenTop|lexicon.SurnameTop) == 0 || sure >= 5 && w < -.9 && t.lex&(lexicon.Given|lexicon.Surname|lexicon.Proper) == 0 || t.cue&cFake != 0 {
			return 0
		}
		last = j
		words++
		n := f.at(j + 1)
		if n.kind == punct && n.gap == tight && f.at(j+2).kind == word {
			m := f.at(j + 2)
			switch {
			case n.ch == '.' && (t.len() == 1 || t.hash == hashSt) && (m.capital() || m.cue&cParticle != 0) && m.gap <= space:
				j += 2
				continue
			case n.ch == '-' && m.gap == tight && m.capital():
				j += 2
				continue
			case n.ch == '\'' && m.gap == tight && m.hash != hashS:
				if m.capital() {
					j += 2
					continue
				}
			}
		}
		j++
	}
	if last < 0 || first == last && f.toks[first].len() == 1 {
		return 0 // Dr. X is nobody
	}
	if k := f.commaName(first, last, true); k > last {
		last = k
	}
	last = f.nameTail(last)
	f.addToks(first, last, Name, Cue, .9)
	return words
}

// nameTail extends a name over a closing initial's point and a suffix such as Jr.
func (f *finder) nameTail(j int) int {
	n := f.at(j + 1)
	if f.toks[j].initial() && n.is('.') && n.gap == tight && (f.at(j+2).gap != tight || f.at(j+2).is(',')) {
		if m := f.at(j + 2); m.kind == word && m.gap == space && m.caps == lower || m.is(',') || m.gap >= column {
			j++
		}
		n = f.at(j + 1)
	}
	k := j + 1
	if n.is(',') {
		k++
	}
	if s := f.at(k); s.kind == word && s.gap <= space && s.cue&cSuffix != 0 && s.capital() {
		j = k
	}
	return j
}

// commaName extends LAST to LAST, FIRST M; it returns last where no such follows.
func (f *finder) commaName(first, last int, cued bool) int {
	if f.credAfter(last) > last || f.toks[last].len() < 2 || !f.at(last+1).is(',') || f.at(last+1).gap != tight || last-first > 4 {
		return last
	}
	j := last + 2
	t := f.at(j)
	if !t.capital() || t.gap > space || t.cue&(cStop|cCred|cState|cTitle|cMonth) != 0 && t.lex&lexicon.GivenTop == 0 || t.lex&lexicon.Given == 0 && t.lex&lexicon.Surname == 0 && t.lex != 0 {
		return last
	}
	if t.caps == upper && t.len() > 1 && f.toks[last].caps != upper || t.len() == 1 && !f.at(j+1).is('.') {
		return last
	}
	if !cued && (f.toks[last].lex&(lexicon.Common|lexicon.Word) != 0 && f.toks[last].lex&lexicon.Surname == 0 || t.lex&lexicon.Common != 0) {
		return last
	}
	end := j
	for words := 1; words < 4; {
		n := f.at(end + 1)
		k := end + 1
		if n.is('.') && n.gap == tight && f.toks[end].len() == 1 {
			k++
			n = f.at(k)
		}
		if n.kind != word || !n.capital() || n.gap != space || n.cue&(cStop|cCred) != 0 && !n.initial() || n.id != idNone && n.id < idWeak {
			break
		}
		if n.caps != f.toks[j].caps && !n.initial() || !cued && f.weight(n) < -.4 {
			break
		}
		end = k
		words++
	}
	// The end of a list of people, "Smith, John and", reads the same: no harm.
	return end
}

// credAfter returns the last token of a credential that follows token j, such
// as ", M.D.", or j.
func (f *finder) credAfter(j int) int {
	k := j + 1
	if f.at(k).is('.') && f.toks[j].len() == 1 {
		k++
	}
	if f.at(k).is(',') {
		k++
	}
	t := f.at(k)
	if t.kind != word || t.gap > space && t.gap != column {
		return j
	}
	if t.cue&cCred != 0 && (t.caps == upper && t.len() > 1 || t.caps == mixed) {
		return k
	}
	// M.D., R.N., D.O.
	if t.initial() && f.at(k+1).is('.') && f.at(k+2).initial() && f.follows(k+2) {
		switch f.text[t.start] {
		case 'M', 'D', 'R', 'P', 'N':
			return k + 2
		}
	}
	return j
}

// lowerCase: a lower-case cue whose name may be in lower case too: "my name is
// john smith", "dr. smith".
func (f *finder) lowerCase(i int) {
	t := &f.toks[i]
	j := i + 1
	switch {
	case t.cue&cTitle != 0 && t.cue&(cRelation|cPerson|cOrg) == 0 && t.len() <= 4:
		if f.at(j).is('.') && f.at(j).gap == tight {
			j++
		}
		if n := f.at(j); n.kind == word && n.gap == space && n.capital() && n.cue&cStop == 0 {
			f.cuedName(j, 5)
			return
		}
	case t.cue&cName != 0:
		if f.at(j).hash == hashIs || f.at(j).is(':') {
			j++
		} else {
			return
		}
	case t.cue&cPerson != 0:
		if !f.at(j).is(':') {
			return
		}
		j++
	default:
		f.flat(i)
		return
	}
	from := j
	for n := f.at(j); j < from+3 && n.kind == word && n.gap <= space && n.caps == lower && n.cue&cStop == 0 &&
		n.lex&(lexicon.Given|lexicon.Surname) != 0 && (n.lex&(lexicon.Common|lexicon.Word) == 0 || n.lex&(lexicon.GivenTop|lexicon.SurnameTop) != 0 && j > from && n.lex&lexicon.Common == 0); n = f.at(j) {
		j++
	}
	if j > from {
		f.addToks(from, j-1, Name, Cue, .6)
	}
}
