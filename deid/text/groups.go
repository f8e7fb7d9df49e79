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
	if j := f.fours(i, &g); j > i {
		return j
	}
	if p := f.at(i - 1); g.lens[0] >= 5 && g.n == 1 && (p.is('#') || p.is(':') && f.at(i-2).is('#')) && !f.roundNumber(&f.toks[i]) {
		f.addToks(i, i, OtherID, Format, .6)
		return i + 1
	}
	return f.long(i)
}

// fours: 1234 5678 9012, the form of an Aadhaar or My Number.
func (f *finder) fours(i int, g *digitGroups) int {
	if g.n < 3 || g.lens[0] != 4 || g.lens[1] != 4 || g.lens[2] != 4 || g.seps[0] != g.seps[1] || g.seps[0] != ' ' && g.seps[0] != '-' || g.n > 3 && g.seps[2] == g.seps[0] {
		return i
	}
	j := g.last[2]
	if !f.saidInvalid(i, j) {
		f.addToks(i, j, OtherID, Format, .6)
	}
	return j + 1
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
		case (n.is('-') || n.is('.') || n.is('/')) && n.gap == tight && (f.at(j+2).gap == tight || n.ch == '-' && f.at(j+2).gap == line && g.n < 3) && (f.at(j+2).kind == num || f.at(j+2).kind == mix):
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
	if !ok && f.spokenPhone(g) && !f.codeBefore(i) {
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
	if valid && n == 1 && (g.lens[0] == 12 || g.lens[0] == 14) && f.saidInvalid(i, j) {
		return j + 1 // few cards have so many digits: the sum may be chance
	}
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
