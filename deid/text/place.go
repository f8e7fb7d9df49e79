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

// placeLabel: what stands behind "Location:" or "Facility:" on its line is one,
// whatever its words.
func (f *finder) placeLabel(r *run) bool {
	p, q := f.at(r.first-1), f.at(r.first-2)
	if !p.is(':') && !p.is('=') || p.gap > space || q.kind != word || q.cue&cPlaceLabel == 0 || f.toks[r.first].gap > space || f.toks[r.first].cue&cFake != 0 {
		return false
	}
	last := r.last
	for n := f.at(last + 1); n.kind == word && n.gap == space && last < r.last+5; n = f.at(last + 1) {
		last++
	}
	if n := f.at(last + 1); n.gap < line && !n.is(';') && !n.is(',') && !n.is('.') && n != &edge {
		last = r.last
	}
	c := Facility
	if q.hash == hashEmploy || q.hash == hashSchool || q.hash == hashCompany {
		c = Organization
	}
	f.addToks(r.first, last, c, Cue, .8)
	return true
}

// strongHead: the word by itself says hospital.
func (f *finder) strongHead(i int) bool {
	switch string(f.str(&f.toks[i])) {
	case "Hosp", "HOSP", "Hospital", "HOSPITAL", "Clinic", "CLINIC", "Clinics", "Infirmary", "Hospice":
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
	if f.toks[r.first].cue&cOrg != 0 && r.words > 1 && f.toks[r.first+1].hash == hashOf && !r.shout { // University of Porvoo
		f.addToks(r.first, r.last, Organization, Context, .6)
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
		if t.kind == word && t.cue&cWork != 0 && t.caps != upper {
			return true
		}
		if t.kind == punct && t.ch != ':' || f.at(k+1).gap >= block {
			return false
		}
	}
	return false
}

// cityState: Folkston, DE 79207; Troxelville, Pennsylvania.
func (f *finder) cityState(r *run) bool {
	end := f.withParen(r.last)
	j := end + 1
	if f.at(j).is(',') && f.at(j).gap == tight || f.at(j).is('.') {
		j++
	} else if f.at(j).gap > space {
		return false
	}
	s := f.at(j)
	inRun := false
	if j == r.last+1 && end == r.last { // "Folkston DE 79207": the State is the run's last word
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
	last := end
	if inRun {
		if !zip || s.len() != 2 || s.caps != upper || r.last == r.first {
			return false
		}
		last = f.prevWord(r.last)
	}
	if s.len() == 2 && s.caps != upper {
		return false
	}
	phrase := f.dict.phrase(f.page, r.first, r.last)
	switch {
	case zip:
	case s.cue&cCred != 0, r.words > 4:
		return false
	case phrase&lexicon.City != 0 && (s.len() > 2 || f.at(r.first-1).cue&(cPlaceIn|cLive) != 0 || phrase&lexicon.CityUS != 0 && f.at(k).kind != word):
	case f.at(r.first-1).cue&cPlaceIn != 0 && f.toks[r.first].cue&cMed == 0 && f.toks[r.first].lex&lexicon.Common == 0:
	default:
		return false
	}
	first := r.first
	for n := 0; zip && n < 4 && f.toks[first].gap == space && f.at(first-1).capital(); n++ { // Lake In The Hills
		first--
	}
	f.addToks(first, last, City, Context, .85)
	return true
}

// place: a known place, or any name, where the words around expect a place.
func (f *finder) place(r *run) bool {
	first := &f.toks[r.first]
	p := f.at(r.first - 1)
	in := p.kind == word && p.cue&cPlaceIn != 0 && p.gap <= line && first.gap <= line
	if first.cue&(cCountry|cNation) != 0 && (r.words == 1 || f.toks[r.first+1].cue&(cCountry|cNation|cStreetPre) == 0) && (r.words <= 2 || first.cue&cNation != 0 && first.lex&lexicon.GivenTop == 0) && f.origin(r) {
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
	if n := f.at(r.last + 1); lives && r.words <= 8 && !(n.is('\'') && f.at(r.last+2).hash == hashS) && !r.shout && first.cue&cFacWord == 0 {
		if first.lex&lexicon.Common != 0 && first.lex&lexicon.City == 0 && r.words == 1 {
			return false
		}
		f.addToks(r.first, f.withParen(r.last), City, Context, .8)
		return true
	}
	phrase := f.dict.phrase(f.page, r.first, r.last)
	if f.general && first.lex&(lexicon.Common|lexicon.Word) == 0 && first.cue&cStop == 0 && r.words <= 3 && !(r.shout && first.len() <= 3) && (p.hash == hashIn || first.lex&lexicon.Given == 0 && p.hash != hashAt && p.hash != hashFor) {
		f.addToks(r.first, r.last, City, Context, .55)
		if z := f.at(r.last + 1); z.kind == num && z.gap == space && z.len() >= 3 && z.len() <= 6 && f.at(r.last+2).cue&cMeasure == 0 {
			to := r.last + 1
			if f.at(to+1).is('-') && f.follows(to+1) && f.follows(to+2) && f.at(to+2).kind == num {
				to += 2
			}
			f.addToks(r.last+1, to, ZIP, Context, .6)
		}
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

// lowerCity: lives in springfield.
func (f *finder) lowerCity(i int) {
	if t := &f.toks[i]; t.lex&(lexicon.Common|lexicon.Word|lexicon.Word2|lexicon.RareWord) == 0 && f.livesBefore(i-1) {
		f.addToks(i, i, City, Context, .6)
	}
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
	if p := f.at(r.first - 1); t.cue&cMeasure != 0 && (p.kind == num || p.is('-') && f.at(r.first-2).kind == num) { // 10-French
		return false
	}
	if r.words == 2 && f.toks[r.last].lex&lexicon.Surname != 0 && t.lex&lexicon.GivenTop != 0 {
		return false // Chad Smith
	}
	if t.lex&lexicon.GivenTop != 0 && t.cue&cNation == 0 && f.at(r.first-1).cue&cPlaceIn == 0 {
		return false
	}
	f.addToks(r.first, r.first, Origin, Dictionary, .5)
	return r.words == 1 || r.words > 2
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
