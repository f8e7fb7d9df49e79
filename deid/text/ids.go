package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

// before returns the kind of the nearest word that announces an identifier, at
// most n tokens before token i and on the same line; idNone for none. want
// limits it to one kind, 0 to none.
func (f *finder) before(i, n int, want idKind) idKind {
	for j := i - 1; j >= 0 && j >= i-n; j-- {
		t := &f.toks[j]
		if t.id != idNone && (want == idNone || idCategory[t.id] == idCategory[want]) {
			return t.id
		}
		if f.at(j+1).gap >= line || t.is('.') && f.at(j+1).gap != tight && f.at(j-1).len() > 3 || t.is(';') {
			return idNone
		}
	}
	return idNone
}

// saidInvalid: the text says beside the number that it is no valid one. Only
// numbers that fail their own check digits are let stand for it.
func (f *finder) saidInvalid(i, j int) bool {
	if !f.invalid {
		return f.scriptInvalid(i, j)
	}
	for k := i - 1; k >= 0 && k >= i-3; k-- {
		if f.toks[k].cue&cInvalid != 0 {
			return true
		}
		if f.toks[k].kind == num || f.toks[k].is(',') || f.toks[k].is(';') || f.toks[k].is('.') {
			break
		}
	}
	n := f.at(j + 1)
	return n.kind == word && n.gap == space && n.cue&cInvalid != 0
}

// long: a number of seven digits and more that stands by itself. No clinical
// value is written so without a comma, a point or a unit.
func (f *finder) long(i int) int {
	t := &f.toks[i]
	n := f.at(i + 1)
	if t.len() < 7 || n.gap == tight && (n.is('.') || n.is('/') || n.is(',')) && f.follows(i+2) && f.at(i+2).kind == num {
		return i
	}
	if n.kind == word && n.gap <= space && n.cue&cMeasure != 0 || n.is('%') || f.roundNumber(t) || f.codeBefore(i) {
		return i
	}
	s := f.str(t)
	why, conf := Format, float32(.6)
	if checkedID(s) {
		why, conf = Checksum, .9
	} else if f.saidInvalid(i, i) {
		return i + 1
	}
	f.addToks(i, i, OtherID, why, conf)
	return i + 1
}

// roundNumber: 1000000 is an amount.
func (f *finder) roundNumber(t *token) bool {
	z := 0
	for _, c := range f.str(t) {
		if c == '0' {
			z++
		}
	}
	return z >= t.len()-2
}

// codeBefore: the number is a code of a terminology: ICD-10 code, SNOMED CT.
func (f *finder) codeBefore(i int) bool {
	for j := i - 1; j >= 0 && j >= i-6; j-- {
		if f.toks[j].cue&cCode != 0 {
			return true
		}
		if f.at(j+1).gap >= line {
			return false
		}
	}
	return false
}

// mixed: letters and digits that stand together without a cue: a VIN, an IBAN,
// a national number, or five digits and more with letters.
func (f *finder) mixed(i int) bool {
	t := &f.toks[i]
	s := f.str(t)
	digits := 0
	for _, c := range s {
		if class[c] == clDigit {
			digits++
		}
	}
	switch {
	case len(s) == 17 && vin(s):
		f.addToks(i, i, Vehicle, Checksum, .95)
		return true
	case len(s) >= 15 && len(s) <= 34 && iban(s):
		f.addToks(i, i, Account, Checksum, .95)
		return true
	case checkedMixed(s):
		f.addToks(i, i, OtherID, Checksum, .9)
		return true
	}
	if f.caseNumber(i) {
		f.addToks(i, i+2, OtherID, Format, .7)
		return true
	}
	if digits < 5 || f.codeBefore(i) || f.measure(s) {
		return false
	}
	from, to := f.join(i)
	if f.saidInvalid(from, to) {
		return false
	}
	c := OtherID
	if k := f.before(i, 6, idNone); k != idNone {
		c = idCategory[k]
	}
	if c == Phone || c == Fax || c == ZIP {
		c = OtherID
	}
	f.addToks(from, to, c, Format, .7)
	return true
}

// caseNumber: S23-10442, the year and number of a specimen.
func (f *finder) caseNumber(i int) bool {
	s := f.str(&f.toks[i])
	k := 0
	for k < len(s) && class[s[k]] == clUpper {
		k++
	}
	if k == 0 || k > 3 || len(s) != k+2 || class[s[k]] != clDigit || class[s[k+1]] != clDigit {
		return false
	}
	n := f.at(i + 2)
	return f.at(i+1).is('-') && f.follows(i+1) && f.follows(i+2) && n.kind == num && n.len() >= 4 && n.len() <= 7 && !f.codeBefore(i)
}

// measure: digits and then a unit, as 10000mg.
func (f *finder) measure(s []byte) bool {
	i := 0
	for i < len(s) && class[s[i]] == clDigit {
		i++
	}
	if i == 0 || i == len(s) || len(s)-i > 5 || !f.onlyLetters(s[i:]) {
		return false
	}
	h := lexicon.Seed
	for _, c := range s[i:] {
		h = lexicon.Step(h, c|0x20)
	}
	t := token{hash: lexicon.Final(h)}
	f.dict.look(&t, s[i:])
	return t.cue&cMeasure != 0
}

func (f *finder) onlyLetters(s []byte) bool {
	for _, c := range s {
		if class[c] != clLower && class[c] != clUpper {
			return false
		}
	}
	return true
}

// longJoin bounds a joined identifier, in tokens.
const longJoin = 32

// join is the stretch of tokens without space that token i is part of, without
// marks at its ends: MR-13366-A.
func (f *finder) join(i int) (from, to int) {
	from, to = i, i
	for from > 0 && from > i-longJoin && f.toks[from].gap == tight {
		p := &f.toks[from-1]
		if p.kind == punct {
			if p.ch != '-' && p.ch != '_' || p.gap != tight || f.at(from-2).kind > mix {
				break
			}
			from -= 2
			continue
		}
		if p.kind > mix {
			break
		}
		from--
	}
	for to < i+longJoin && f.follows(to+1) {
		n := &f.toks[to+1]
		if n.kind == punct {
			if n.ch != '-' && n.ch != '_' && (n.ch != '.' && n.ch != '/' || f.at(to+2).kind == word) || !f.follows(to+2) || f.at(to+2).kind > mix {
				break
			}
			to += 2
			continue
		}
		if n.kind > mix {
			break
		}
		to++
	}
	return from, to
}

// identifier looks for the value that the word at token i announces: past
// "number", "#", ":", "is" and the like, to the first thing with digits.
func (f *finder) identifier(i int) {
	id := f.toks[i].id
	if p := f.at(i - 1); id == idWeakMRN && p.id == idNone && p.kind == num {
		return
	}
	strong := id < idWeak
	sure := strong || f.toks[i].caps == upper && f.toks[i].len() == 2 && f.text[f.toks[i].end-1] == 'D'
	if id == idWeakSSN && f.toks[i].len() == 8 && f.at(i-1).hash != hashSocial {
		return
	}
	j := i + 1
	for steps := 0; steps < 8; steps++ {
		t := f.at(j)
		if t.kind == punct {
			switch t.ch {
			case '#':
				sure = true
			case ':', '=':
				sure = sure || t.gap <= space
			case '(', ')', '.', '-', '_', '/', '\'', '"', '[', '<', '>':
			default:
				return
			}
			if t.gap >= block {
				return
			}
			j++
			continue
		}
		if t.kind == num && t.len() == 1 && f.at(j-1).cue&cLink != 0 && idCategory[id] == SSN { // last 4
			j++
			continue
		}
		if t.kind == num || t.kind == mix || t.kind == other {
			break
		}
		if t.kind != word || t.gap >= line && !f.at(j-1).is(':') || t.gap == column && !f.at(j-1).is(':') && !f.at(j-1).is('#') {
			return
		}
		if t.id != idNone && t.id < idWeak && t.hash != f.toks[i].hash && (id >= idWeak || idCategory[t.id] != idCategory[id]) {
			return // the nearer cue has the value
		}
		if t.gap == tight && f.at(j-1).kind == punct && (f.at(j-1).ch == '-' || f.at(j-1).ch == '_' || f.at(j-1).ch == '=') && (t.capital() || sure && f.at(j+1).is('_')) {
			j++ // BIO-RETINA-OM312
			continue
		}
		switch {
		case t.cue&cLink != 0:
			if t.hash == hashNo || t.len() > 2 && t.cue&cStop == 0 || t.hash == hashIs || t.len() == 2 && f.str(t)[1]|0x20 == 'd' {
				sure = true
			}
		case t.id != idNone, t.hash == hashIn && string(f.str(f.at(j-1))) == "ending": // ending in
		case t.caps == upper && t.len() <= 3 && (f.at(j+1).is('-') || f.at(j+1).kind == num): // MR-13366
		case t.capital() && id == idPlan || id == idWeakPlan || id == idWeakLicense || id == idLicense || id == idDevice || id == idWeakDevice:
			if t.cue&cStop != 0 || steps > 3 {
				return
			}
		default:
			return
		}
		j++
	}
	t := f.at(j)
	if t.kind != num && t.kind != mix || t.gap >= block {
		return
	}
	f.value2(i, j, id, sure)
}

// value2 proposes the value at token j of the identifier announced at i.
func (f *finder) value2(i, j int, id idKind, sure bool) {
	from, to := f.join(j)
	if from <= i { // MRN-2468135: the label is part of it
		if f.toks[i].gap != tight {
			from = i
		}
		from = i
	}
	digits, letters := 0, 0
	for _, c := range f.text[f.toks[j].start:f.toks[to].end] {
		switch class[c] {
		case clDigit:
			digits++
		case clLower, clUpper:
			letters++
		}
	}
	need := 3
	if id >= idWeak {
		need = 4
		if !sure {
			need = 6
		}
	}
	if id == idZIP {
		need = 3
	}
	if f.at(from-1).is('=') && letters > 0 && digits+letters >= 6 { // KEY=value
		need = 1
	}
	if id == idUser && letters > 1 {
		need = 1
	}
	if !sure && letters > 0 && digits == 5 && id > idWeak {
		need = 5
	}
	if digits < need || !sure && id >= idWeak && letters == 0 && digits < 7 {
		return
	}
	s := f.text[f.toks[from].start:f.toks[to].end]
	n := f.at(to + 1)
	switch {
	case id == idPhone || id == idFax || id == idPager || id == idWeakPhone:
		if id == idWeakPhone || digits > 6 || from != to {
			return // groups finds it, with its own eyes for form
		}
	case f.measure(f.str(&f.toks[j])) && to == j, n.kind == word && n.gap <= space && n.cue&cMeasure != 0 && n.len() > 1, n.is('%'):
		return
	case f.dateAt(j), f.saidInvalid(from, to) && !checkedID(s) && !checkedMixed(s):
		return
	case f.codeBefore(i):
		return
	case digits == 4 && letters == 0 && id != idZIP && f.value(&f.toks[j]) >= 1900 && f.value(&f.toks[j]) <= 2099 && !sure:
		return
	}
	// Groups with spaces between: 1234 5678 9012.
	for k := to + 1; f.toks[to].kind == num && f.at(k).kind == num && f.at(k).gap == space && f.at(k).len() >= 3 && f.toks[to].len() >= 3 && f.toks[to].len() <= 5 && k-to <= 1; k++ {
		to = k
		if f.dateAt(k) {
			to--
			break
		}
	}
	c := idCategory[id]
	if from == j && f.ssnShape(j) {
		if s := f.toks[j].start; f.zeros(j) && f.text[s] == '0' {
			return
		}
		c = SSN
	}
	f.addToks(from, to, c, Cue, .9)
}

func (f *finder) ssnShape(j int) bool {
	return f.toks[j].len() == 3 && f.at(j+1).is('-') && f.at(j+2).kind == num && f.at(j+2).len() == 2 && f.at(j+3).is('-') && f.at(j+4).kind == num && f.at(j+4).len() == 4 && f.follows(j+2) && f.follows(j+4)
}

// dateAt: a full date starts at token j.
func (f *finder) dateAt(j int) bool {
	n := len(f.cands)
	ok := f.toks[j].kind == num && f.numericDate(j) > j || f.dayMonth(j) > j
	f.cands = f.cands[:n]
	return ok
}
