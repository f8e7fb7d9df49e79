package text

// number looks at the number, or the letters and digits, at token i. It returns
// the token to go on from.
func (f *finder) number(i int) int {
	t := &f.toks[i]
	if j := f.address(i); j > i {
		return j
	}
	inside := f.inside(i)
	if !inside {
		if j := f.numericDate(i); j > i {
			return j
		}
		if j := f.ip(i); j > i {
			return j
		}
		if j := f.dayMonth(i); j > i {
			return j
		}
		if j := f.age(i); j > i {
			return j
		}
		if j := f.groups(i); j > i {
			return j
		}
		if j := f.monthDay(i); j > i {
			return j
		}
		if f.zip(i) {
			return i + 1
		}
		if f.year(i) {
			return i + 1
		}
	}
	if t.kind == mix && f.mixed(i) {
		return i + 1
	}
	return i + 1
}

// inside: token i goes on from a number or word before it, as in A1-2026.
func (f *finder) inside(i int) bool {
	t, p := &f.toks[i], f.at(i-1)
	if t.gap != tight || p.kind != punct {
		return false
	}
	switch p.ch {
	case '-', '/', '.', ':', '_', ',', '+', '*', '\\', '@', '%', '=':
		q := f.at(i - 2)
		if p.gap != tight || i < 2 {
			return false
		}
		if p.ch == '=' || p.ch == ':' || p.ch == '/' && q.kind == word && !f.at(i+1).is('/') {
			return q.kind == num
		}
		return q.kind == num || q.kind == mix || q.kind == word && p.ch != '/' && p.ch != '.' && p.ch != ',' && !f.labelled(i-2)
	}
	return false
}

// labelled: the word at i is a label such as DOB, so that DOB-01/02/1960 is one
// and a date.
func (f *finder) labelled(i int) bool {
	return f.at(i).cue&(cDate|cLink|cMonth|cWeekday) != 0
}

// follows: token j stands tight behind token j-1.
func (f *finder) follows(j int) bool { return j < len(f.toks) && f.toks[j].gap == tight }

// numericDate: 05/26/1931, 5-26-31, 26.05.1931, 1931-05-26T10:00, 2026年3月14日,
// and the same with spaces around the marks.
func (f *finder) numericDate(i int) int {
	a, m1, b, m2, c := &f.toks[i], f.at(i+1), f.at(i+2), f.at(i+3), f.at(i+4)
	if a.kind != num || a.len() > 4 {
		return i
	}
	if m1.kind == other {
		return f.hanDate(i)
	}
	if m1.kind != punct || m1.gap > space || b.kind != num || b.gap > space {
		return i
	}
	sep := m1.ch
	if sep != '/' && sep != '-' && sep != '.' && sep != '\\' {
		return i
	}
	if !m2.is(sep) || m2.gap > space || c.gap > space {
		return i
	}
	spaced := m1.gap != tight || b.gap != tight || m2.gap != tight || c.gap != tight
	if spaced && sep != '/' {
		return i
	}
	x, y, z := f.value(a), f.value(b), f.value(c)
	zLen := c.len()
	if c.kind == mix { // 1931-05-26T10:00:00Z
		z, zLen = f.leadingDay(c)
	}
	if z < 0 {
		return i
	}
	if n := f.at(i + 5); f.follows(i+5) && (n.is(sep) || n.is('-') && sep == '/') && f.at(i+6).kind == num && f.follows(i+6) && sep != '-' {
		if !(n.is('-') && sep == '/') { // a range of dates goes on, a longer number does not
			return i
		}
	}
	var d date
	switch {
	case a.len() == 4 && x >= 1800 && x <= 2200:
		d = date{x, y, z}
		if !d.ok() || c.kind == num && zLen > 2 {
			return i
		}
	case a.len() <= 2 && b.len() <= 2 && (zLen == 2 || zLen == 4) && c.kind == num:
		if zLen == 4 && (z < 1800 || z > 2200) {
			return i
		}
		if zLen == 2 {
			if sep == '.' && (a.len() == 1 && b.len() == 1) {
				return i
			}
			z = century(z, f.pivot)
		}
		if d = (date{z, x, y}); !d.ok() {
			if d = (date{z, y, x}); !d.ok() {
				return i
			}
		}
	case a.len() == 2 && b.len() == 2 && zLen == 2:
		return i
	default:
		return i
	}
	j := f.clock(i + 4)
	why, conf := Format, float32(.95)
	if f.rec.hasDay(d, zLen == 2 && a.len() <= 2) {
		why, conf = FromRecord, 1
	}
	f.addToks(i, j, Date, why, conf)
	return j + 1
}

// leadingDay reads the day of 26T10.
func (f *finder) leadingDay(t *token) (day, n int) {
	s := f.str(t)
	if len(s) > 3 && s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '9' && (s[2] == 'T' || s[2] == 't') {
		return int(s[0]-'0')*10 + int(s[1]-'0'), 2
	}
	return -1, 0
}

// clock extends a date that ends at token j over a time of day written as part
// of it, with seconds or after a T: 2006-04-07 09:00:27.
func (f *finder) clock(j int) int {
	k := j
	if f.toks[j].kind != mix {
		k = j + 1
		if t := f.at(k); t.kind != num || t.gap != space || t.len() > 2 {
			return j
		}
	}
	n := 0
	for f.at(k+1).is(':') && f.follows(k+1) && f.follows(k+2) && (f.at(k+2).kind == num || f.at(k+2).kind == mix) && n < 2 {
		k += 2
		n++
	}
	if n == 0 || n == 1 && f.toks[j].kind != mix {
		if f.toks[j].kind == mix {
			return j
		}
		return j
	}
	if f.at(k+1).is('.') && f.follows(k+1) && f.follows(k+2) && f.at(k+2).kind <= mix && f.at(k+2).kind != word {
		k += 2
	}
	if (f.at(k+1).is('+') || f.at(k+1).is('-')) && f.follows(k+1) && f.follows(k+2) && f.at(k+2).kind == num {
		k += 2
		if f.at(k+1).is(':') && f.follows(k+1) && f.follows(k+2) && f.at(k+2).kind == num {
			k += 2
		}
	}
	return k
}

// hanDate: 2026年3月14日.
func (f *finder) hanDate(i int) int {
	if !f.otherIs(i+1, "年") && !f.otherIs(i+1, "년") {
		return i
	}
	j := i + 1
	if f.at(j+1).kind == num && (f.otherIs(j+2, "月") || f.otherIs(j+2, "월")) {
		j += 2
		if f.at(j+1).kind == num && (f.otherHas(j+2, "日") || f.otherHas(j+2, "일")) {
			t := f.toks[j+2]
			f.add(f.toks[i].start, t.start+3, Date, Format, .95)
			return j + 2
		}
		f.add(f.toks[i].start, f.toks[j].start+3, Date, Format, .9)
		return j
	}
	return i
}

func (f *finder) otherIs(i int, s string) bool {
	t := f.at(i)
	return t.kind == other && string(f.str(t)) == s
}

func (f *finder) otherHas(i int, s string) bool {
	t := f.at(i)
	b := f.str(t)
	return t.kind == other && len(b) >= len(s) && string(b[:len(s)]) == s
}

// monthDay: 9/27 and 9/2021, where the words around say that it is a date.
func (f *finder) monthDay(i int) int {
	a, m, b := &f.toks[i], f.at(i+1), f.at(i+2)
	if a.kind != num || b.kind != num || !f.follows(i+1) || !f.follows(i+2) || a.len() > 2 || !m.is('/') && !m.is('-') {
		return i
	}
	if n := f.at(i + 3); n.gap == tight && (n.kind == num || n.kind == mix || n.is('/') || n.is('%') || n.is('-') && f.at(i+4).kind == num) {
		return i
	}
	x, y := f.value(a), f.value(b)
	if f.rec.hasMonthDay(y, x) && m.is('/') {
		f.addToks(i, i+2, Date, FromRecord, 1)
		return i + 3
	}
	if x < 1 || x > 12 {
		return i
	}
	if b.len() == 4 {
		if y < 1900 || y > 2100 || !m.is('/') && !m.is('-') {
			return i
		}
		f.addToks(i, i+2, Date, Format, .85)
		return i + 3
	}
	if !m.is('/') || b.len() > 2 || y < 1 || y > 31 {
		return i
	}
	if f.rec.hasMonthDay(x, y) {
		f.addToks(i, i+2, Date, FromRecord, 1)
		return i + 3
	}
	if f.at(i+3).cue&cMeasure != 0 {
		return i
	}
	p, q := f.at(i-1), f.at(i-2)
	ok := p.kind == word && p.cue&cDate != 0 && p.gap != tight || p.is(':') && q.cue&cDate != 0 ||
		p.kind == word && p.cue&cWeekday != 0 || p.is(',') && q.cue&cWeekday != 0 ||
		f.text[a.start] == '0' && a.len() == 2 && f.at(i+3).gap != tight ||
		p.is('(') && y > 12 && q.kind == word && q.cue&(cStop|cMeasure) == 0
	if ok && p.hash == hashOf && q.kind == word && q.cue&cDate == 0 { // "out of 5/5", "strength of 5/5"
		ok = y > 12
	}
	if ok && x == y && x <= 6 && p.cue&cDate != 0 && (p.hash == hashT || p.hash == hashD) {
		ok = false
	}
	if !ok {
		return i
	}
	f.addToks(i, i+2, Date, Cue, .8)
	return i + 3
}

// dayMonth: 17-NOV-2022, 4 May 2021, the 3rd of May, 27OCT2024.
func (f *finder) dayMonth(i int) int {
	t := &f.toks[i]
	if t.kind == mix {
		if f.runOnDate(t) {
			f.addToks(i, i, Date, Format, .9)
			return i + 1
		}
	}
	day := f.dayOf(t)
	if day < 1 || day > 31 {
		return i
	}
	j := i + 1
	if n := f.at(j); n.kind == word && n.hash == hashOf && n.gap != tight {
		j++
	} else if n.kind == punct && (n.ch == '-' || n.ch == '/' || n.ch == '.') && n.gap == tight {
		if n.ch == '.' && f.at(j+1).gap != tight && f.dayOf(f.at(j+2)) > 0 && f.yearAfter(j+1) == j+1 {
			return i // a list: "4. August 5, 2002"
		}
		j++
	}
	m := f.at(j)
	if m.cue&cMonth == 0 || m.kind != word || m.gap > space && m.gap != line {
		return i
	}
	known := f.rec.hasMonthDay(monthNumber(f.str(m)), day)
	if m.caps == lower && f.ambiguousMonth(m) && f.at(i+1).hash != hashOf && !known {
		return i
	}
	end := f.yearAfter(j)
	if end == j && t.kind == num && f.ambiguousMonth(m) && f.at(i+1).hash != hashOf && j == i+1 && f.at(j+1).kind == word && f.at(j+1).gap == space && f.at(j+1).cue&cStop != 0 {
		return i // "3 may be"
	}
	from := i
	if f.at(i+1).hash == hashOf && f.at(i-1).hash == hashThe && f.at(i-1).kind == word {
		from-- // the 3rd of May
	}
	why, conf := Format, float32(.92)
	if known {
		why, conf = FromRecord, 1
	}
	f.addToks(from, end, Date, why, conf)
	return end + 1
}

// age: 53-year-old, 53 y/o, 53yo, aged 53, age of 53, in her 90s.
func (f *finder) age(i int) int {
	t := &f.toks[i]
	s := f.str(t)
	n := 0
	for n < len(s) && class[s[n]] == clDigit {
		n++
	}
	if n == 0 || n > 3 {
		return i
	}
	v := 0
	for _, c := range s[:n] {
		v = v*10 + int(c-'0')
	}
	if v > 125 {
		return i
	}
	end := t.start + int32(n)
	if t.kind == mix {
		switch string(s[n:]) {
		case "yo", "YO", "y", "yrs", "yr", "yof", "yom", "yoM", "yoF", "yF", "yM", "year", "years", "Y":
		case "M", "F", "m", "f":
			if v < 90 || v > 115 {
				return i
			}
		case "s":
			if v < 90 || v%10 != 0 {
				return i
			}
		default:
			return i
		}
		if v >= 90 || string(s[n:]) != "years" && string(s[n:]) != "yrs" {
			f.addAge(t.start, end, v, Format)
			return i + 1
		}
		return i
	}
	if f.ageAfter(i) || f.ageBefore(i) {
		f.addAge(t.start, end, v, Cue)
		return i + 1
	}
	return i
}

// addAge: ages up to 89 are proposed too; Safe Harbor lets them stand, and
// its replacer does.
func (f *finder) addAge(start, end int32, years int, why Reason) {
	conf := float32(.9)
	if years < 90 {
		conf = .6
	}
	f.add(start, end, Age, why, conf)
}

func (f *finder) ageAfter(i int) bool {
	j := i + 1
	n := f.at(j)
	if n.is('-') || n.is('+') {
		j++
		n = f.at(j)
	}
	if n.gap > line || n.kind != word {
		return false
	}
	switch n.hash {
	case hashYO:
		return true
	case hashY:
		return f.at(j+1).is('/') && f.at(j+2).hash == hashO || f.at(j+1).is('.') && f.at(j+2).hash == hashO
	case hashYear, hashYears, hashYr, hashYrs:
		k := j + 1
		if f.at(k).is('.') {
			k++
		}
		if f.at(k).is('-') {
			k++
		}
		return f.at(k).hash == hashOld || f.at(k).hash == hashAge || f.at(k).hash == hashOf && f.at(k+1).hash == hashAge
	}
	return false
}

func (f *finder) ageBefore(i int) bool {
	if f.follows(i+1) && (f.at(i+1).is('/') || f.at(i+1).is('.') && f.at(i+2).kind == num && f.follows(i+2) || f.at(i+1).is('%')) {
		return false
	}
	if n := f.at(i + 1); n.kind == word && n.gap <= space && n.cue&cMeasure != 0 && n.hash != hashYears && n.hash != hashYear && n.hash != hashYrs {
		return false
	}
	j := i - 1
	for k := 0; k < 2; k++ {
		p := f.at(j)
		if p.is(':') || p.is('=') || p.hash == hashOf || p.hash == hashIs || p.hash == hashWas || p.hash == hashAt {
			if p.hash == hashWas && f.at(j-1).cue&cStop != 0 && f.at(j-2).hash == hashWhen {
				return true // when he was 53
			}
			j--
			continue
		}
		break
	}
	if v := f.value(&f.toks[i]); v >= 90 && v <= 115 && f.at(i-1).hash == hashIs && f.isPerson(i-2) {
		n := f.at(i + 1) // She is 92.
		return n.kind == punct && n.ch != '/' && n.ch != '%' && n.ch != '-' || n.gap >= line || n.hash == hashAnd
	}
	switch f.at(j).hash {
	case hashAge, hashAged, hashTurned, hashTurn, hashTurns, hashTurning:
		return true
	}
	return false
}

// isPerson: the word at token i stands for somebody.
func (f *finder) isPerson(i int) bool {
	switch string(f.str(f.at(i))) {
	case "She", "she", "He", "he", "patient", "Patient", "pt", "Pt", "who", "mother", "father", "wife", "husband", "grandmother", "grandfather":
		return true
	}
	return false
}

// wordAge: ninety-four-year-old, nonagenarian.
func (f *finder) wordAge(i int) {
	if f.toks[i].hash != hashNinety {
		f.addToks(i, i, Age, Dictionary, .9)
		return
	}
	j := i
	if n := f.at(j + 1); n.is('-') || n.kind == word && n.gap == space {
		k := j + 1
		if n.is('-') {
			k++
		}
		switch string(f.str(f.at(k))) {
		case "one", "two", "three", "four", "five", "six", "seven", "eight", "nine":
			j = k
		}
	}
	if f.ageAfter(j) || f.ageBefore(i) {
		f.addToks(i, j, Age, Cue, .9)
	}
}

// ip: an IPv4 address. IPv6 is found from its first colon.
func (f *finder) ip(i int) int {
	j := i
	for k := range 4 {
		t := f.at(j)
		if v := f.value(t); t.kind != num || t.len() > 3 || v < 0 || v > 255 {
			return i
		}
		if k == 3 {
			break
		}
		if !f.at(j+1).is('.') || !f.follows(j+1) || !f.follows(j+2) {
			return i
		}
		j += 2
	}
	if f.at(j+1).is('.') && f.follows(j+1) && f.follows(j+2) && f.at(j+2).kind == num {
		return i
	}
	f.addToks(i, j, IP, Format, .9)
	return j + 1
}

// zip: five digits, or five and four, behind a State.
func (f *finder) zip(i int) bool {
	t, p := &f.toks[i], f.at(i-1)
	if t.kind != num || t.len() != 5 || t.gap > line {
		return false
	}
	if p.is(',') || p.is('.') {
		p = f.at(i - 2)
	}
	if p.kind != word || p.cue&cState == 0 || p.caps == lower || p.id != idNone && p == f.at(i-1) && !f.at(i-2).is(',') {
		return false
	}
	j := i
	if f.at(i+1).is('-') && f.follows(i+1) && f.follows(i+2) && f.at(i+2).kind == num && f.at(i+2).len() == 4 {
		j = i + 2
	}
	f.addToks(i, j, ZIP, Context, .9)
	return true
}

// year: a bare year behind a word such as "in".
func (f *finder) year(i int) bool {
	t, p, n := &f.toks[i], f.at(i-1), f.at(i+1)
	v := f.value(t)
	if t.kind != num || t.len() != 4 || v < 1900 || v > 2099 || t.gap > line {
		return false
	}
	if n.gap == tight && (n.kind != punct || n.ch == '/' || n.ch == '-' || n.ch == '%') {
		return false
	}
	if n.kind == word && n.gap <= space && n.cue&cMeasure != 0 {
		return false
	}
	if p.kind == word && p.cue&cYearCue != 0 || p.hash == hashA && n.cue&cNation != 0 {
		f.addToks(i, i, Date, Context, .5)
		return true
	}
	return false
}
