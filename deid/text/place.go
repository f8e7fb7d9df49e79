package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

// facility: the run holds the name of a hospital, clinic or home.
func (f *finder) facility(r *run) bool {
	head := -1
	for k := r.last; k > r.first; k-- {
		t := &f.toks[k]
		if t.kind == word && t.cue&cFacility != 0 {
			head = k
			break
		}
	}
	if head < 0 {
		return false
	}
	if n := f.at(head + 1); n.hash == hashOf && f.at(head+2).capital() && head < r.last {
		head = r.last
	}
	first := r.first
	for first < head && f.leadIn(first, r) {
		first = f.nextWord(first)
	}
	proper, plain := 0, 0
	for k := first; k < head; k++ {
		t := &f.toks[k]
		if t.kind != word || t.caps == lower || t.len() == 1 || t.cue&cFake != 0 {
			continue
		}
		if t.cue&(cFacWord|cFacility|cEponym|cStop|cFiction) == 0 || t.lex&(lexicon.SurnameTop|lexicon.GivenTop) != 0 && t.lex&lexicon.Common == 0 && t.cue&cFacWord == 0 {
			proper++
		} else {
			plain++
		}
	}
	if f.fictionIn(first, head) {
		return true // no facility, and no person either
	}
	strong := f.strongHead(head)
	if proper == 0 {
		return strong && plain > 0 && !r.shout && !r.start && f.namedAfterSaint(first)
	}
	if !strong && f.at(head-1).cue&cFacWord == 0 {
		// Twin Rivers Health: a weak head needs a proper word right before it.
		if t := f.at(head - 1); t.kind == word && t.lex&lexicon.Common != 0 && t.lex&lexicon.Surname == 0 || r.shout && r.start {
			return false
		}
	}
	if r.shout && r.start && !strong && f.at(head-1).cue&cFacWord == 0 {
		return false
	}
	f.addToks(first, head, Facility, Context, .85)
	// What the run still holds may be a name of its own.
	if head < r.last {
		rest := run{first: f.nextWord(head), last: r.last, words: 1, shout: r.shout}
		if rest.first <= rest.last {
			f.person(&rest, 0)
		}
	}
	return true
}

func (f *finder) namedAfterSaint(i int) bool {
	return f.toks[i].hash == hashSt || f.toks[i].hash == hashSaint
}

// strongHead: the word by itself says hospital.
func (f *finder) strongHead(i int) bool {
	switch string(f.str(&f.toks[i])) {
	case "Hospital", "HOSPITAL", "Clinic", "CLINIC", "Clinics", "Infirmary", "Hospice":
		return true
	}
	p := f.at(i - 1)
	return p.kind == word && p.cue&cFacWord != 0 && p.cue&cFacility == 0 || p.hash == hashCenter
}

// leadIn: a plain word at the start of a sentence before the facility's name,
// as in "Visited Mercy Hospital".
func (f *finder) leadIn(i int, r *run) bool {
	t := &f.toks[i]
	return t.cue&cStop != 0 || t.cue&(cVerb|cDate|cPerson|cTitle) != 0 && t.lex&lexicon.Surname == 0 && r.start && i == r.first
}

// fictionIn: the run says of itself that it is made up, as Training Ward.
func (f *finder) fictionIn(from, to int) bool {
	for k := from; k <= to; k++ {
		if f.toks[k].cue&cFiction != 0 {
			return true
		}
	}
	return false
}

// organization: the run ends with a word such as Inc or Logistics, or stands
// where an employer does.
func (f *finder) organization(r *run) bool {
	p := f.at(r.first - 1)
	if p.kind == word && (p.hash == hashAt || p.hash == hashFor) && p.gap <= line && f.workBefore(r.first-1) {
		if f.toks[r.first].cue&cFake != 0 {
			return false
		}
		f.addToks(r.first, r.last, Organization, Context, .7)
		return true
	}
	for k := r.last; k > r.first; k-- {
		t := &f.toks[k]
		if t.kind != word || t.cue&cOrg == 0 {
			continue
		}
		proper := 0
		for m := r.first; m < k; m++ {
			u := &f.toks[m]
			if u.kind == word && u.len() > 1 && u.cue&(cStop|cFacWord|cOrg|cEponym|cFake|cMed) == 0 && u.lex&lexicon.Common == 0 {
				proper++
			}
		}
		if proper == 0 || r.shout && r.start || f.fictionIn(r.first, r.last) {
			return false
		}
		if t.lex&lexicon.SurnameTop != 0 && t.caps == title && r.words == 2 && f.toks[r.first].lex&lexicon.GivenTop != 0 {
			return false // John Church
		}
		f.addToks(r.first, k, Organization, Context, .6)
		if k < r.last {
			rest := run{first: f.nextWord(k), last: r.last, words: 1, shout: r.shout}
			if rest.first <= rest.last {
				f.person(&rest, 0)
			}
		}
		return true
	}
	return false
}

// workBefore: "works as a clerk at", "employed by", within six words.
func (f *finder) workBefore(i int) bool {
	for k := i - 1; k >= 0 && k >= i-6; k-- {
		t := &f.toks[k]
		if t.kind == word && t.cue&cWork != 0 && t.caps == lower {
			return true
		}
		if t.kind == punct || f.at(k+1).gap >= block {
			return false
		}
	}
	return false
}

// cityState: Folkston, DE 79207; Troxelville, Pennsylvania.
func (f *finder) cityState(r *run) bool {
	j := r.last + 1
	if f.at(j).is(',') && f.at(j).gap == tight || f.at(j).is('.') {
		j++
	} else if f.at(j).gap > space {
		return false
	}
	s := f.at(j)
	inRun := false
	if j == r.last+1 { // "Folkston DE 79207": the State is the run's last word
		s = f.at(r.last)
		j = r.last
		inRun = true
	}
	if s.kind != word || s.cue&cState == 0 || s.caps == lower || s.gap > space {
		return false
	}
	k := j + 1
	if f.at(k).is(',') || f.at(k).is('.') {
		k++
	}
	z := f.at(k)
	zip := z.kind == num && z.len() == 5 && z.gap <= line
	last := r.last
	if inRun {
		if !zip || s.len() != 2 || s.caps != upper || r.last == r.first {
			return false
		}
		last = f.prevWord(r.last)
	}
	if s.len() == 2 && s.caps != upper {
		return false
	}
	phrase := f.dict.phrase(f.page, r.first, last)
	switch {
	case zip:
	case s.cue&cCred != 0, r.words > 4:
		return false
	case phrase&lexicon.City != 0 && (s.len() > 2 || f.at(r.first-1).cue&(cPlaceIn|cLive) != 0 || phrase&lexicon.CityUS != 0 && f.at(k).kind != word):
	case f.at(r.first-1).cue&cPlaceIn != 0 && f.toks[r.first].cue&cMed == 0 && f.toks[r.first].lex&lexicon.Common == 0:
	default:
		return false
	}
	f.addToks(r.first, last, City, Context, .85)
	return true
}

// place: a known place, or any name, where the words around expect a place.
func (f *finder) place(r *run) bool {
	first := &f.toks[r.first]
	p := f.at(r.first - 1)
	in := p.kind == word && p.cue&cPlaceIn != 0 && p.gap <= line && first.gap <= line
	if first.cue&(cCountry|cNation) != 0 && (r.words == 1 || f.toks[r.first+1].cue&(cCountry|cNation|cStreetPre) == 0) && r.words <= 2 && f.origin(r) {
		return true
	}
	if f.usState(r, in) {
		return true
	}
	if j := f.country(r); j >= r.first {
		f.addToks(r.first, j, Origin, Dictionary, .6)
		return true
	}
	if !in || first.cue&(cMonth|cWeekday|cFake) != 0 && r.words == 1 {
		return false
	}
	lives := f.livesBefore(r.first - 1)
	if n := f.at(r.last + 1); lives && r.words <= 5 && !(n.is('\'') && f.at(r.last+2).hash == hashS) && !r.shout && first.cue&cFacWord == 0 {
		if first.lex&lexicon.Common != 0 && first.lex&lexicon.City == 0 && r.words == 1 {
			return false
		}
		f.addToks(r.first, r.last, City, Context, .8)
		return true
	}
	phrase := f.dict.phrase(f.page, r.first, r.last)
	if f.general && first.lex&(lexicon.Common|lexicon.Word) == 0 && first.cue&cStop == 0 && r.words <= 3 && (p.hash == hashIn || first.lex&lexicon.Given == 0 && p.hash != hashAt && p.hash != hashFor) {
		f.addToks(r.first, r.last, City, Context, .55)
		return true
	}
	if phrase&lexicon.City != 0 && first.cue&cMed == 0 && !f.eponymAfter(r.last) && f.toks[r.last].len() > 3 &&
		(r.words > 1 || first.lex&(lexicon.Common|lexicon.Word|lexicon.Word2) == 0 && (first.lex&lexicon.GivenTop == 0 || p.hash != hashFor)) {
		if r.words == 1 && first.lex&lexicon.Given != 0 && first.lex&lexicon.Proper == 0 {
			return false // as likely a person: judged as one
		}
		f.addToks(r.first, r.last, City, Dictionary, .7)
		return true
	}
	return false
}

// usState: a State by its name, which may stand under Safe Harbor and is no person.
func (f *finder) usState(r *run, in bool) bool {
	t := &f.toks[r.first]
	if r.words == 1 {
		return in && t.cue&cState != 0 && t.len() > 2
	}
	if r.words != 2 || t.caps == upper {
		return false
	}
	switch string(f.str(t)) + " " + string(f.str(&f.toks[r.last])) {
	case "North Carolina", "South Carolina", "New Jersey", "New Mexico", "New Hampshire", "West Virginia", "Rhode Island", "North Dakota", "South Dakota":
		return true
	}
	return false
}

// country returns the last token of a country of several words, or -1.
func (f *finder) country(r *run) int {
	if r.words < 2 {
		return -1
	}
	a, b := f.str(&f.toks[r.first]), f.str(&f.toks[r.last])
	switch {
	case equalFold(a, "united"):
		if equalFold(b, "states") || equalFold(b, "kingdom") || equalFold(b, "emirates") {
			return r.last
		}
	case equalFold(a, "new") && equalFold(b, "zealand"), equalFold(a, "costa") && equalFold(b, "rica"), equalFold(a, "sri") && equalFold(b, "lanka"),
		equalFold(a, "el") && equalFold(b, "salvador"), equalFold(a, "puerto") && equalFold(b, "rico"), equalFold(b, "republic"), equalFold(a, "saudi") && equalFold(b, "arabia"):
		return r.last
	case r.words == 2 && f.toks[r.last].cue&cCountry != 0:
		for _, w := range [...]string{"south", "north", "southern", "northern", "eastern", "western", "great", "central", "east", "west"} {
			if equalFold(a, w) {
				return r.last
			}
		}
	}
	return -1
}

// origin: a country or nationality.
func (f *finder) origin(r *run) bool {
	t := &f.toks[r.first]
	if t.caps == upper && t.len() < 4 && t.cue&cCountry != 0 && t.cue&cNation == 0 && t.len() != 3 && t.len() != 2 {
		return false
	}
	if n := f.at(r.first + 1); n.kind == word && n.gap <= space && n.cue&(cEponym|cMeasure) != 0 {
		return false
	}
	if p := f.at(r.first - 1); p.kind == num || p.is('-') && f.at(r.first-2).kind == num { // 10-French
		return false
	}
	if r.words == 2 && f.toks[r.last].lex&lexicon.Surname != 0 && t.lex&lexicon.GivenTop != 0 {
		return false // Chad Smith
	}
	if t.lex&lexicon.GivenTop != 0 && t.cue&cNation == 0 && f.at(r.first-1).cue&cPlaceIn == 0 {
		return false
	}
	f.addToks(r.first, r.first, Origin, Dictionary, .5)
	return r.words == 1
}

// livesBefore: lives, resides, moved, within five words.
func (f *finder) livesBefore(i int) bool {
	for k := i; k >= 0 && k >= i-5; k-- {
		t := &f.toks[k]
		if t.kind == word && t.cue&cLive != 0 && t.caps != upper {
			return true
		}
		if t.kind == punct && t.ch != ',' || f.at(k+1).gap >= block {
			return false
		}
	}
	return false
}

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
	if m := f.at(r.last + 2); m.gap == tight && m.kind == punct && m.ch != ',' && m.ch != '.' && m.ch != ';' && m.ch != '?' && m.ch != '!' || m.kind == word && m.cue&cMeasure != 0 {
		return 0
	}
	if f.general && r.words <= 5 && !(r.start && r.words == 1) && f.toks[r.first].cue&(cStop|cMonth|cUnit) == 0 && f.toks[r.last].lex&(lexicon.Common|lexicon.Word) == 0 && n.len() <= 4 {
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
		if n.kind != word || n.gap != space && !(n.gap == tight && words > 0) || n.caps == lower && n.cue&cParticle == 0 {
			break
		}
		if n.cue&(cStop|cMeasure) != 0 && n.cue&cStreet == 0 && n.len() > 1 && n.cue&cParticle == 0 {
			break
		}
		if words > 0 && n.cue&cStreet != 0 && n.capital() {
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
	if t.kind == word && t.cue&cUnit != 0 {
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
		if t.gap > line {
			return j
		}
		sep = sep || t.gap == line
		switch {
		case f.unit(k) > k:
			end := f.unit(k)
			f.addToks(from, end, Address, Format, .8)
			j = end
			continue
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
	f.addToks(i, j, Address, Format, .8)
	return f.addressTail(i, j) + 1
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
