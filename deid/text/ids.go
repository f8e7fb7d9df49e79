package text

// groups looks at a run of digit groups from token i: an SSN, a telephone, a
// card, a long number.
func (f *finder) groups(i int) int {
	if f.toks[i].kind != num {
		return i
	}
	g := f.digitGroups(i)
	if j := f.ssn(i, &g); j > i {
		return j
	}
	if j := f.phone(i, &g); j > i {
		return j
	}
	if j := f.card(i, &g); j > i {
		return j
	}
	return f.long(i)
}

// digitGroups is a run of numbers with single marks or spaces between.
type digitGroups struct {
	n      int // groups
	lens   [8]int
	last   [8]int // token of each group
	seps   [8]byte
	total  int
	plus   bool
	parens bool
	start  int // token where it starts, a bracket or plus included
	ext    bool
}

func (f *finder) digitGroups(i int) (g digitGroups) {
	g.start = i
	j := i
	if p := f.at(i - 1); p.is('(') && f.toks[i].gap == tight {
		g.parens, g.start = true, i-1
		p = f.at(i - 2)
		if p.is('+') && f.at(i-1).gap == tight {
			g.plus, g.start = true, i-2
		}
	} else if p.is('+') && f.toks[i].gap == tight {
		g.plus, g.start = true, i-1
	}
	for g.n < 8 {
		t := f.at(j)
		if t.kind == mix && g.n > 0 { // 4508x769
			if n := f.digitsThenX(t); n > 0 {
				g.lens[g.n], g.last[g.n], g.ext = n, j, true
				g.total += n
				g.n++
			}
			return g
		}
		if t.kind != num {
			return g
		}
		g.lens[g.n], g.last[g.n] = t.len(), j
		g.total += t.len()
		g.n++
		n := f.at(j + 1)
		switch {
		case n.kind == num && n.gap == space:
			g.seps[g.n-1] = ' '
			j++
		case n.kind == mix && n.gap == space:
			return g
		case n.is(')') && n.gap == tight && (f.at(j+2).kind == num || f.at(j+2).kind == mix) && f.at(j+2).gap <= space:
			g.seps[g.n-1] = ')'
			j += 2
		case n.is(')') && n.gap == tight && f.at(j+2).is('-') && f.at(j+2).gap == tight && f.at(j+3).kind == num && f.at(j+3).gap == tight:
			g.seps[g.n-1] = ')'
			j += 3
		case (n.is('-') || n.is('.') || n.is('/')) && n.gap == tight && f.at(j+2).gap == tight && (f.at(j+2).kind == num || f.at(j+2).kind == mix):
			g.seps[g.n-1] = n.ch
			j += 2
		case (n.is('-') || n.is('.')) && n.gap == tight && f.at(j+2).is('(') && f.at(j+3).kind == num && g.n == 1:
			g.seps[g.n-1] = '('
			j += 3
		case n.is('(') && n.gap <= space && f.at(j+2).kind == num && f.at(j+2).gap == tight && g.n == 1:
			g.seps[g.n-1] = '('
			j += 2
		default:
			return g
		}
	}
	return g
}

// digitsThenX: the digits of 4508x769.
func (f *finder) digitsThenX(t *token) int {
	s := f.str(t)
	n := 0
	for n < len(s) && class[s[n]] == clDigit {
		n++
	}
	if n == 0 || n >= len(s)-1 || s[n] != 'x' && s[n] != 'X' {
		return 0
	}
	for _, c := range s[n+1:] {
		if class[c] != clDigit {
			return 0
		}
	}
	return n
}

// ssn: 3-2-4. Numbers that were never and cannot be given out are none.
func (f *finder) ssn(i int, g *digitGroups) int {
	if g.n < 3 || g.lens[0] != 3 || g.lens[1] != 2 || g.lens[2] != 4 || g.parens || g.plus {
		return i
	}
	if g.seps[0] != g.seps[1] || g.seps[0] != '-' && g.seps[0] != ' ' && g.seps[0] != '.' {
		return i
	}
	if g.n > 3 && g.seps[2] != ' ' {
		return i
	}
	j := g.last[2]
	if f.zeros(i) || f.zeros(g.last[1]) || f.zeros(j) {
		return j + 1 // it looks like one, and is not: nothing else it could be
	}
	conf := float32(.95)
	if g.seps[0] != '-' && f.before(i, 5, idSSN) == idNone {
		conf = .6
	}
	f.addToks(i, j, SSN, Format, conf)
	return j + 1
}

func (f *finder) zeros(i int) bool {
	for _, c := range f.str(&f.toks[i]) {
		if c != '0' {
			return false
		}
	}
	return true
}

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

// phoneCue: what a telephone label near token i says: Phone, Fax or Unknown.
func (f *finder) phoneCue(i int) Category {
	for j := i - 1; j >= 0 && j >= i-7; j-- {
		t := &f.toks[j]
		switch t.id {
		case idFax:
			return Fax
		case idPhone, idPager, idWeakPhone:
			return Phone
		case idNone:
		default:
			if t.id < idWeak {
				return Unknown
			}
		}
		if t.is('.') && f.at(j+1).gap != tight && f.at(j-1).len() > 3 {
			return Unknown
		}
	}
	return Unknown
}

// phone: ten digits in the form of the North American plan; a plus or brackets
// and enough digits; anything of seven digits and more behind a cue.
func (f *finder) phone(i int, g *digitGroups) int {
	cat := Unknown
	n := g.n
	nanp := func() bool {
		k := 0
		if g.lens[0] == 1 && f.text[f.toks[i].start] == '1' && g.n > 1 {
			k = 1
		}
		if n >= k+3 && g.lens[k] == 3 && g.lens[k+1] == 3 && g.lens[k+2] == 4 {
			n = k + 3
			return true
		}
		return false
	}
	ok, conf := false, float32(.9)
	switch {
	case nanp():
		ok = true
	case g.plus && g.total >= 8 && g.total <= 16:
		ok = true
	case g.parens && g.total >= 7 && g.total <= 13 && n >= 2 && g.seps[0] == ')':
		ok = true
	}
	if !ok && g.total >= 6 && g.total <= 15 {
		cat = f.phoneCue(i)
		ok, conf = cat != Unknown && (g.total >= 7 || g.n > 1), .85
	}
	if !ok && f.spokenPhone(g) {
		ok, conf = true, .6
	}
	if !ok {
		return i
	}
	if cat == Unknown {
		cat = f.phoneCue(i)
	}
	if cat == Unknown {
		cat = Phone
	}
	j := g.last[n-1]
	j = f.extension(j)
	f.addToks(g.start, j, cat, Format, conf)
	return j + 1
}

// spokenPhone: three groups or more, nine to twelve digits, one mark
// throughout, and none of the groups shorter than two digits.
func (f *finder) spokenPhone(g *digitGroups) bool {
	if g.n < 3 || g.n > 5 || g.total < 8 || g.total > 12 {
		return false
	}
	for k := range g.n {
		if g.lens[k] < 2 || g.lens[k] > 4 {
			return false
		}
		if k < g.n-1 && (g.seps[k] != g.seps[0] || g.seps[k] != ' ' && g.seps[k] != '-') {
			return false
		}
	}
	return g.seps[0] == '-' && g.total >= 8 || f.text[f.toks[g.last[0]].start] == '0' && g.total >= 9
}

// extension: " x123", " ext. 12".
func (f *finder) extension(j int) int {
	n := f.at(j + 1)
	if n.kind == mix && n.gap <= space {
		if s := f.str(n); s[0] == 'x' || s[0] == 'X' {
			return j + 1
		}
	}
	if n.kind == word && n.gap <= space && n.id == idPhone && n.len() <= 9 && f.str(n)[0]|0x20 == 'e' {
		k := j + 2
		if f.at(k).is('.') || f.at(k).is(':') {
			k++
		}
		if f.at(k).kind == num && f.at(k).gap <= space {
			return k
		}
	}
	return j
}

// card: thirteen to nineteen digits whose Luhn sum is right, whole or in
// groups of four.
func (f *finder) card(i int, g *digitGroups) int {
	n := 0
	switch {
	case g.lens[0] >= 12 && g.lens[0] <= 19:
		n = 1
	case g.n >= 4 && g.lens[0] == 4 && g.lens[1] == 4 && g.lens[2] == 4 && g.seps[0] == g.seps[1]:
		n = 4
	case g.n >= 3 && g.lens[0] == 4 && g.lens[1] == 6 && g.lens[2] == 5:
		n = 3
	default:
		return i
	}
	j := g.last[n-1]
	from, to := f.toks[i].start, f.toks[j].end
	valid := luhn(f.text[from:to])
	switch {
	case valid:
		f.add(from, to, Account, Checksum, .95)
	case f.saidInvalid(i, j):
		return j + 1
	case f.cardCue(i):
		f.add(from, to, Account, Cue, .8)
	case n == 1:
		return i // a long number, judged as one
	default:
		f.add(from, to, OtherID, Format, .6)
	}
	return j + 1
}

func (f *finder) cardCue(i int) bool { return f.before(i, 6, idNone) != idNone }

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

// measure: digits and then a unit, as 10000mg.
func (f *finder) measure(s []byte) bool {
	i := 0
	for i < len(s) && class[s[i]] == clDigit {
		i++
	}
	return i > 0 && i < len(s) && len(s)-i <= 5 && f.onlyLetters(s[i:])
}

func (f *finder) onlyLetters(s []byte) bool {
	for _, c := range s {
		if class[c] != clLower && class[c] != clUpper {
			return false
		}
	}
	return true
}

// join is the stretch of tokens without space that token i is part of, without
// marks at its ends: MR-13366-A.
func (f *finder) join(i int) (from, to int) {
	from, to = i, i
	for from > 0 && f.toks[from].gap == tight {
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
	for f.follows(to + 1) {
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
	sure := strong
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
			case '(', '.', '-', '_', '/', '\'', '"', '[', '<', '>':
			default:
				return
			}
			if t.gap >= block {
				return
			}
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
		if t.gap == tight && f.at(j-1).kind == punct && (f.at(j-1).ch == '-' || f.at(j-1).ch == '_') && t.capital() {
			j++ // BIO-RETINA-OM312
			continue
		}
		switch {
		case t.cue&cLink != 0:
			if t.hash == hashNo || t.len() > 2 && t.cue&cStop == 0 || t.hash == hashIs || t.len() == 2 && f.str(t)[1]|0x20 == 'd' {
				sure = true
			}
		case t.id != idNone:
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
	if digits < need || !sure && id >= idWeak && letters == 0 && digits < 7 {
		return
	}
	s := f.text[f.toks[from].start:f.toks[to].end]
	n := f.at(to + 1)
	switch {
	case id == idPhone || id == idFax || id == idPager || id == idWeakPhone:
		if id == idWeakPhone || digits > 6 {
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
