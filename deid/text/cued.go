package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

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
				return 4
			}
			if t.cue&cBy == 0 && (t.cue&cStop != 0 || f.lexOf(t)&lexicon.Common == 0) {
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
	if n.cue&cTitle != 0 && n.hash != hashDr || !n.capital() {
		return n.cue&cTitle != 0 // Prof. Dr.: the next title has the name
	}
	if n.cue&cStop != 0 && (n.lex&lexicon.SurnameTop == 0 || n.len() < 3) {
		return false
	}
	return f.cuedName(j, 5) > 0
}

// streetBefore: the "Dr" at token i ends a street's name.
func (f *finder) streetBefore(i int) bool { return f.at(i-1).capital() && f.at(i).gap == space }

// cuedName takes the name that starts at token i on the word of a cue, and
// returns how many words it has.
func (f *finder) cuedName(i int, sure float32) int {
	first, last, words := i, -1, 0
	shout := f.toks[i].caps == upper && f.toks[i].len() > 1
	for j := i; words < 6; {
		t := f.at(j)
		if t.kind != word || t.cue&cStop != 0 && !(t.initial() && (words > 0 || f.at(j+1).is('.'))) && !(t.capital() && t.len() > 2 && t.lex&(lexicon.SurnameTop|lexicon.GivenTop) != 0 && (words > 0 && !f.sentenceStart(j) || f.at(j+1).is(','))) || t.id != idNone && t.id < idWeak || t.cue&cWeekday != 0 {
			break
		}
		if words > 0 && t.gap > space && !(t.gap == line && f.wraps(j)) {
			break
		}
		if t.cue&cMonth != 0 && f.monthHere(j) || t.cue&cUnit != 0 && flatWord(f.str(t)) && f.unit(j) > j {
			break
		}
		if !t.capital() {
			k := 0
			if t.cue&cParticle != 0 {
				k = f.particleAhead(j)
			}
			if k == 0 || words == 0 && f.lexOf(t)&lexicon.Common != 0 {
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
		} else if sure < 4 && w < -.4 && t.lex&(lexicon.GivenTop|lexicon.SurnameTop) == 0 && !(t.lex&lexicon.Given != 0 && f.at(j+1).capital() && f.at(j+1).lex&lexicon.Surname != 0) || sure >= 4 && w < -.9 && t.lex&(lexicon.Given|lexicon.Surname|lexicon.Proper) == 0 || t.cue&cFake != 0 || t.caps == upper && t.len() < 4 && t.len() > 1 && sure < 5 && t.lex&(lexicon.Given|lexicon.Surname) == 0 && !f.at(j+1).is(',') || sure == 4 && f.plainAlone(j) {
			return 0
		}
		last = j
		words++
		n := f.at(j + 1)
		if n.kind == punct && n.gap == tight && f.at(j+2).kind == word {
			m := f.at(j + 2)
			switch {
			case n.ch == '.' && (t.len() == 1 || t.hash == hashSt) && (m.capital() || m.cue&cParticle != 0) && m.gap <= space:
				if words == 1 && t.len() == 1 && m.len() > 1 && f.weight(m) < 0 {
					return 0 // "Dr. K. Call him"
				}
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

// plainAlone: a plain word with nothing beside it that a name would have, as in
// "CC: Weakness of the arm".
func (f *finder) plainAlone(j int) bool {
	t, n := &f.toks[j], f.at(j+1)
	if t.lex&(lexicon.Common|lexicon.Word|lexicon.Word2|lexicon.RareWord) == 0 || t.lex&(lexicon.GivenTop|lexicon.SurnameTop) != 0 && t.lex&lexicon.Common == 0 {
		return false
	}
	if n.kind == word && n.gap <= space {
		return n.caps == lower && n.cue&cParticle == 0
	}
	return !n.is(',') || f.at(j+2).caps == lower && f.at(j+2).kind == word
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
	case t.cue&cTitle != 0 && t.cue&(cRelation|cPerson|cOrg) == 0 && t.len() <= 4 && f.at(i-1).kind != num: // 420 ms.
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
	case t.cue&cRelation != 0: // her daughter sarah
		if n := f.at(j); n.kind != word || f.lexOf(n)&lexicon.GivenTop == 0 || n.lex&(lexicon.Common|lexicon.Word|lexicon.Word2) != 0 {
			return
		}
	default:
		if t.cue&cStreetPre == 0 || !f.lowerStreet(i) {
			f.flat(i)
		}
		return
	}
	from := j
	for n := f.at(j); j < from+3 && n.kind == word && n.gap <= space && n.caps == lower && n.cue&cStop == 0 &&
		f.lexOf(n)&(lexicon.Given|lexicon.Surname) != 0 && (n.lex&(lexicon.Common|lexicon.Word) == 0 || n.lex&lexicon.SurnameTop != 0 && j > from || n.lex&lexicon.GivenTop != 0 && n.lex&lexicon.Common == 0); n = f.at(j) {
		j++
	}
	if j > from {
		f.addToks(from, j-1, Name, Cue, .6)
	}
}
