package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

// street: a street by its name alone: on Maple Avenue.
func (f *finder) street(r *run) bool {
	t := &f.toks[r.last]
	if r.shout && r.start && !f.general {
		return false
	}
	if j := f.streetNumber(r); j > 0 {
		f.addToks(r.first, j, Address, Format, .75)
		f.addressTail(r.first, j)
		return true
	}
	if r.words < 2 || t.cue&cStreet == 0 || !longStreet(f.str(t)) {
		return false
	}
	if f.toks[r.first].cue&(cStop|cEponym) != 0 {
		return false
	}
	f.addToks(r.first, r.last, Address, Context, .6)
	f.addressTail(r.first, r.last)
	return true
}

// longStreet: a street word that is hardly anything else.
func longStreet(s []byte) bool {
	switch string(s) {
	case "Street", "Avenue", "Road", "Lane", "Boulevard", "Blvd", "Highway", "Parkway", "Drive", "Terrace", "Turnpike", "Ave", "Rd", "Ln",
		"STREET", "AVENUE", "ROAD", "LANE", "BOULEVARD", "BLVD", "Strasse", "Gasse", "Crescent", "Court", "Trail":
		return true
	}
	return false
}

// streetNumber: Villacher Strasse 89, Via Roma 131: the number stands last.
func (f *finder) streetNumber(r *run) int {
	n := f.at(r.last + 1)
	if n.kind != num || n.gap != space || n.len() > 5 {
		return 0
	}
	if f.at(r.last+2).is('.') && f.follows(r.last+3) || r.shout && f.toks[r.last].len() <= 4 {
		return 0
	}
	if m := f.at(r.last + 2); m.gap == tight && m.kind == punct && m.ch != ',' && m.ch != '.' && m.ch != ';' && m.ch != '?' && m.ch != '!' || m.kind == word && m.cue&cMeasure != 0 {
		return 0
	}
	if f.general && r.words <= 5 && !(r.start && r.words == 1) && f.toks[r.first].cue&(cStop|cMonth|cUnit|cMed|cHoliday|cWeekday) == 0 && n.len() >= 2-r.words/2 && f.toks[r.last].lex&(lexicon.Common|lexicon.Word) == 0 && n.len() <= 4 {
		return r.last + 1
	}
	for k := r.first; k <= r.last; k++ {
		t := &f.toks[k]
		if t.kind == word && (k == r.first && t.cue&cStreetPre != 0 || k == r.last && (t.cue&cStreet != 0 && longStreet(f.str(t)) || streetCompound(f.str(t)))) {
			return r.last + 1
		}
	}
	return 0
}

// streetCompound: a word that ends as the streets of northern Europe do.
func streetCompound(s []byte) bool {
	for _, end := range [...]string{"strasse", "gasse", "weg", "platz", "allee", "straat", "laan", "gracht", "kade", "plein", "gatan", "gata", "vagen", "vegen", "vej", "gade", "katu", "tie", "stigur", "veien", "gate", "stien", "stræde", "utca", "ulice", "ter"} {
		if n := len(s) - len(end); n >= 3 && equalFold(s[n:], end) {
			return end != "tie" && end != "ter" && end != "gate" || len(s) > 8
		}
	}
	return false
}

func equalFold(s []byte, lowerCase string) bool {
	if len(s) != len(lowerCase) {
		return false
	}
	for i, c := range s {
		if class[c] == clUpper {
			c |= 0x20
		}
		if c != lowerCase[i] {
			return false
		}
	}
	return true
}

// address: a house number and a street, with the flat, city and postal code
// that follow.
func (f *finder) address(i int) int {
	t := &f.toks[i]
	if t.kind == num && t.len() > 6 || t.kind == mix && (t.len() > 6 || class[f.text[t.start]] != clDigit) {
		return i
	}
	j := i + 1
	if t.gap == tight && f.at(i-1).kind == punct && f.at(i-1).ch != '(' && f.at(i-1).ch != ':' && f.at(i-1).ch != '>' && f.at(i-1).ch != '=' {
		return i
	}
	words, last := 0, -1
	compound, proper, second := false, 0, false
	for words < 6 {
		n := f.at(j)
		if n.kind == num && n.gap == space && words == 0 && n.len() <= 5 && f.at(j+1).capital() && !second { // 230 107 Igias Street
			second = true
			j++
			continue
		}
		if n.kind == mix && n.gap == space && f.dayOf(n) > 0 || n.kind == num && n.gap == space && words > 0 && f.at(j+1).cue&cStreet != 0 && f.at(j+1).capital() {
			words++
			j++
			proper++
			continue
		}
		small := f.general && n.caps == lower && words > 0 && n.cue&cStreet != 0 && n.len() > 2
		if n.kind != word || n.gap != space && !(n.gap == tight && words > 0) || n.caps == lower && n.cue&cParticle == 0 && !small {
			break
		}
		if n.cue&(cStop|cMeasure) != 0 && n.cue&cStreet == 0 && n.len() > 1 && n.cue&cParticle == 0 {
			break
		}
		if words > 0 && n.cue&cStreet != 0 && (n.capital() || small) {
			last = j
		}
		if words == 0 && n.cue&cStreetPre != 0 || streetCompound(f.str(n)) {
			compound = true
		}
		if n.capital() && n.len() > 1 && n.lex&(lexicon.Common) == 0 && n.cue&(cMed|cFacility|cMonth) == 0 {
			proper++
		}
		words++
		j++
		if k := f.parenEnd(j); k > 0 && f.at(k+1).capital() && f.at(k+1).cue&cStreet != 0 {
			j = k + 1
		}
		if p := f.at(j); p.kind == punct && p.gap == tight && (p.ch == '.' && f.toks[j-1].len() <= 4 || p.ch == '-' || p.ch == '\'') && f.at(j+1).kind == word {
			if p.ch == '.' && f.toks[j-1].cue&cStreet != 0 && last == j-1 && words > 1 {
				break
			}
			j++
		}
	}
	if words == 0 {
		return i
	}
	end := j - 1
	n := f.at(j)
	switch {
	case last > 0:
		end = last
		if h, m := f.toks[last].hash, f.at(last+1); m.kind == num && m.gap == space && m.len() <= 4 && (h == hashHighway || h == hashHwy || h == hashRoad && f.at(last-1).hash == hashCounty) {
			end++ // County Road 14
		}
		if m := f.at(end + 1); f.general && m.kind == num && m.gap == space && m.len() <= 3 && f.toks[end].caps == lower {
			end++
		}
		if m := f.at(end + 1); m.is('.') && m.gap == tight && f.toks[end].len() <= 4 && f.at(end+2).gap < block && f.at(end+2).kind != word {
			end++
		}
	case compound:
		if n.kind == num && n.gap == space && n.len() <= 4 {
			end = j
		}
	case proper == words && words <= 5 && t.kind == num && t.gap != tight && (f.addressAhead(j) || f.general && t.len() >= 2 && n.kind == num && n.gap == space && n.len() <= 4):
		if n.kind == num && n.gap == space {
			end = j
		}
	default:
		return i
	}
	f.addToks(i, end, Address, Format, .85)
	return f.addressTail(i, end) + 1
}

// addressAhead: what follows at token j goes on as an address does: a flat, or
// a line with a place and a postal code.
func (f *finder) addressAhead(j int) bool {
	n := f.at(j)
	if n.kind == num && n.gap == space && n.len() <= 4 {
		j++
		n = f.at(j)
	}
	if n.kind == word && n.cue&cUnit != 0 && n.gap <= line && f.unit(j) > j {
		return true
	}
	if !(n.is(',') || n.gap == line) {
		return false
	}
	for k := j; k < j+12; k++ {
		t := f.at(k)
		if t.kind == word && (t.cue&(cCountry) != 0 || t.cue&cState != 0 && t.caps == upper && t.len() == 2 || t.cue&cUnit != 0 && f.unit(k) > k) && t.capital() {
			return true
		}
		if t.kind == word && t.caps == lower && t.cue&cParticle == 0 || t == &edge {
			return false
		}
	}
	return false
}

// unit returns the last token of a flat or suite at token i: Apt. 8C, #340.
func (f *finder) unit(i int) int {
	t := f.at(i)
	j := i + 1
	if t.kind == word && t.cue&cUnit != 0 && !(t.cue&cState != 0 && t.caps == upper && f.at(j).kind == num && f.at(j).len() == 5) {
		if f.at(j).is('.') && f.at(j).gap == tight {
			j++
		}
		if f.at(j).is('#') {
			j++
		}
	} else if !t.is('#') {
		return i
	}
	n := f.at(j)
	if (n.kind == num || n.kind == mix) && n.len() <= 6 && n.gap <= space || n.initial() && n.gap == space {
		return j
	}
	return i
}

// addressTail goes on behind an address from token from to token j, over flats, cities and
// postal codes, and returns the last token that it took.
func (f *finder) addressTail(from, j int) int {
	for step := 0; step < 8; step++ {
		k := j + 1
		sep := false
		for f.at(k).is(',') || f.at(k).is('>') || f.at(k).is('?') && f.at(k).gap >= line || f.at(k).is('?') && f.at(k-1).is('?') {
			sep = true
			k++
		}
		t := f.at(k)
		if t.gap > line && !(step > 0 && (t.kind == num || t.cue&cCountry != 0)) {
			return j
		}
		sep = sep || t.gap >= line
		switch {
		case f.unit(k) > k:
			end := f.unit(k)
			f.addToks(from, end, Address, Format, .8)
			j = end
			continue
		case t.kind == word && (t.hash == hashAPO || t.hash == hashFPO || t.hash == hashDPO) && f.at(k+1).len() == 2 && f.at(k+2).kind == num:
			f.addToks(from, k+2, Address, Format, .85)
			return k + 2
		case !sep && t.kind == word && t.cue&cState != 0 && t.caps == upper && t.len() == 2:
			j = k
			continue
		case t.kind == num && t.len() >= 3 && t.len() <= 6 && step > 0:
			end := k
			if f.at(k+1).is('-') && f.follows(k+1) && f.at(k+2).kind == num && f.follows(k+2) {
				end = k + 2
			}
			f.addToks(k, end, ZIP, Context, .8)
			j = end
			continue
		case t.capital() && t.cue&cStop == 0 && (sep || step > 0):
			end := k
			for end < k+5 && f.at(end+1).kind == word && f.at(end+1).gap == space && f.at(end+1).capital() && f.at(end+1).cue&(cStop|cUnit) == 0 {
				end++
			}
			if t.cue&cState != 0 && t.caps == upper && t.len() <= 3 && end == k {
				j = k
				continue
			}
			n := f.at(end + 1)
			if !(n.is(',') || n.is('.') || n.is('?') || n.is('!') || n.gap >= line || n.kind == num || n == &edge) || f.toks[end].cue&(cName|cPerson) != 0 || n.is(':') {
				return j
			}
			if t.lex&(lexicon.Common|lexicon.Word) != 0 && t.lex&(lexicon.City|lexicon.Proper|lexicon.Surname) == 0 && end == k {
				return j
			}
			if n := f.at(end); n.cue&cState != 0 && n.caps == upper && n.len() == 2 && end > k {
				f.addToks(k, end-1, City, Context, .75)
			} else if t.cue&cCountry != 0 && end-k < 2 {
				f.addToks(k, end, Origin, Context, .6)
			} else {
				f.addToks(k, end, City, Context, .75)
			}
			j = end
			continue
		}
		return j
	}
	return j
}

// flat: Apt. 022, Suite 442, P.O. Box 12, Unit 5477 Box 8244, without a street
// before it. It returns the token after it, or i.
func (f *finder) flat(i int) int {
	t := &f.toks[i]
	j := i
	switch {
	case t.cue&cUnit != 0 && t.hash != hashUnit && flatWord(f.str(t)):
		if j = f.unit(i); j == i {
			return i
		}
	case t.hash == hashPO && f.at(i+1).hash == hashBox:
		j = f.unit(i + 1)
		if j == i+1 {
			return i
		}
	case t.initial() && f.at(i+1).is('.') && f.at(i+2).initial() && f.at(i+3).is('.') && f.at(i+4).hash == hashBox:
		j = f.unit(i + 4)
		if j == i+4 {
			return i
		}
	case t.hash == hashUnit || t.hash == hashPSC:
		k := i + 1
		if f.at(k).kind != num || f.at(k).gap != space {
			return i
		}
		k++
		if f.at(k).is(',') {
			k++
		}
		if f.at(k).hash != hashBox {
			return i
		}
		if j = f.unit(k); j == k {
			return i
		}
	default:
		return i
	}
	from := i
	if p := f.at(i - 1); p.kind == num && p.len() <= 5 && t.gap == space && t.hash != hashUnit {
		from--
	}
	f.addToks(from, j, Address, Format, .8)
	return f.addressTail(from, j) + 1
}

// lowerStreet: ul. Jesionowa 127, rue Gafsa 12: a street word in small letters
// before a name and a number.
func (f *finder) lowerStreet(i int) bool {
	j := i + 1
	if f.at(j).is('.') && f.at(j).gap == tight {
		j++
	}
	words := 0
	for ; words < 5 && f.at(j).kind == word && f.at(j).gap == space && (f.at(j).capital() || f.at(j).cue&cParticle != 0); words++ {
		j++
	}
	n := f.at(j)
	if words == 0 || n.kind != num || n.gap != space || n.len() > 4 || !f.at(j-1).capital() {
		return false
	}
	from := i
	if p := f.at(i - 1); p.kind == num && p.len() <= 5 {
		from--
	}
	f.addToks(from, j, Address, Format, .75)
	f.addressTail(from, j)
	return true
}

// flatWord: a word that stands before the number of a flat and of nothing clinical.
func flatWord(s []byte) bool {
	for _, w := range [...]string{"apt", "apartment", "suite", "ste", "flat", "trailer"} {
		if equalFold(s, w) {
			return true
		}
	}
	return false
}
