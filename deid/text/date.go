package text

import "github.com/sallyport/sallyport/deid/internal/lexicon"

// The hashes of words that rules ask for by name.
var (
	hashOf      = lexicon.Hash("of")
	hashThe     = lexicon.Hash("the")
	hashT       = lexicon.Hash("t")
	hashD       = lexicon.Hash("d")
	hashA       = lexicon.Hash("a")
	hashDay     = lexicon.Hash("day")
	hashEve     = lexicon.Hash("eve")
	hashYear    = lexicon.Hash("year")
	hashYears   = lexicon.Hash("years")
	hashYr      = lexicon.Hash("yr")
	hashYrs     = lexicon.Hash("yrs")
	hashYO      = lexicon.Hash("yo")
	hashY       = lexicon.Hash("y")
	hashO       = lexicon.Hash("o")
	hashOld     = lexicon.Hash("old")
	hashAge     = lexicon.Hash("age")
	hashAged    = lexicon.Hash("aged")
	hashTurned  = lexicon.Hash("turned")
	hashTurn    = lexicon.Hash("turn")
	hashTurns   = lexicon.Hash("turns")
	hashTurning = lexicon.Hash("turning")
	hashIs      = lexicon.Hash("is")
	hashWas     = lexicon.Hash("was")
	hashAt      = lexicon.Hash("at")
	hashWhen    = lexicon.Hash("when")
	hashS       = lexicon.Hash("s")
	hashAnd     = lexicon.Hash("and")
	hashBox     = lexicon.Hash("box")
	hashIn      = lexicon.Hash("in")
	hashAPO     = lexicon.Hash("apo")
	hashFPO     = lexicon.Hash("fpo")
	hashDPO     = lexicon.Hash("dpo")
	hashNinety  = lexicon.Hash("ninety")
	hashRoad    = lexicon.Hash("road")
	hashHighway = lexicon.Hash("highway")
	hashHwy     = lexicon.Hash("hwy")
	hashCounty  = lexicon.Hash("county")
	hashEmploy  = lexicon.Hash("employer")
	hashSchool  = lexicon.Hash("school")
	hashCompany = lexicon.Hash("company")
	hashBy      = lexicon.Hash("by")
	hashWith    = lexicon.Hash("with")
	hashUnit    = lexicon.Hash("unit")
	hashPSC     = lexicon.Hash("psc")
	hashPO      = lexicon.Hash("po")
	hashCenter  = lexicon.Hash("center")
	hashI       = lexicon.Hash("i")
	hashM       = lexicon.Hash("m")
	hashFor     = lexicon.Hash("for")
	hashSt      = lexicon.Hash("st")
	hashSaint   = lexicon.Hash("saint")
	hashAs      = lexicon.Hash("as")
	hashNo      = lexicon.Hash("no")
	hashDr      = lexicon.Hash("dr")
	hashSocial  = lexicon.Hash("social")
)

// date is a day; a zero field is not known.
type date struct{ y, m, d int }

func (d date) ok() bool {
	return d.y > 0 && d.m >= 1 && d.m <= 12 && d.d >= 1 && d.d <= daysIn(d.m)
}

// daysIn is the most days that a month has; February is taken for 29.
func daysIn(m int) int {
	switch m {
	case 2:
		return 29
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// century of a year of two digits: a record speaks of the past, years after the
// pivot are of the twentieth century.
func century(y, pivot int) int {
	if y > pivot {
		return 1900 + y
	}
	return 2000 + y
}

// monthNumber of an English month or its abbreviation, in any case; 0 for what
// is none.
func monthNumber(s []byte) int {
	if len(s) < 3 || len(s) > 9 {
		return 0
	}
	var w [9]byte
	for i, c := range s {
		w[i] = c | 0x20
	}
	for i, m := range monthNames {
		if len(s) <= len(m) && string(w[:len(s)]) == m[:len(s)] && (len(s) == 3 || len(s) == len(m) || m == "september" && len(s) == 4) {
			return i + 1
		}
	}
	return 0
}

var monthNames = [12]string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// dayOf reads 3, 03, 3rd; 0 for what is no day.
func (f *finder) dayOf(t *token) int {
	if t.kind == num {
		if t.len() > 2 {
			return 0
		}
		return f.value(t)
	}
	s := f.str(t)
	if t.kind != mix || len(s) < 3 || len(s) > 4 {
		return 0
	}
	n := len(s) - 2
	switch string(s[n:]) {
	case "st", "nd", "rd", "th", "ST", "ND", "RD", "TH":
	default:
		return 0
	}
	d := 0
	for _, c := range s[:n] {
		if c < '0' || c > '9' {
			return 0
		}
		d = d*10 + int(c-'0')
	}
	return d
}

// runOnDate: 27OCT2024, 27Oct24.
func (f *finder) runOnDate(t *token) bool {
	s := f.str(t)
	i := 0
	for i < len(s) && class[s[i]] == clDigit {
		i++
	}
	if i < 1 || i > 2 || len(s) < i+5 {
		return false
	}
	y := len(s) - i - 3
	if y != 2 && y != 4 || !isMonthAbbr(s[i:i+3]) {
		return false
	}
	for _, c := range s[i+3:] {
		if class[c] != clDigit {
			return false
		}
	}
	return true
}

func isMonthAbbr(s []byte) bool { return monthNumber(s) > 0 && len(s) == 3 }

// ambiguousMonth: a month that is a plain word too.
func (f *finder) ambiguousMonth(t *token) bool {
	switch monthNumber(f.str(t)) {
	case 3:
		return t.len() == 5 || t.len() == 3
	case 5, 0:
		return true
	}
	return false
}

// yearAfter returns the last token of a year that follows token j: ", 2021",
// " of 2021", "-2021", " '21". j where there is none.
func (f *finder) yearAfter(j int) int {
	k := j + 1
	n := f.at(k)
	if n.is('.') && n.gap == tight {
		k++
		n = f.at(k)
	}
	if n.kind == punct && (n.ch == ',' || n.ch == '-' || n.ch == '/' || n.ch == '\'') && n.gap <= space {
		k++
		n = f.at(k)
		if n.is('\'') {
			k++
			n = f.at(k)
		}
	} else if n.kind == word && n.hash == hashOf {
		k++
		n = f.at(k)
	}
	if n.kind == num && (n.gap <= space || n.gap == line) {
		if v := f.value(n); n.len() == 4 && v >= 1800 && v <= 2200 {
			return k
		}
		if p := f.at(k - 1); n.len() == 2 && n.gap == tight && p.kind == punct && p.ch != ',' && p.ch != '.' {
			return k
		}
	}
	return j
}

// wordDate looks at the month, weekday or holiday at token i.
func (f *finder) wordDate(i int) {
	t := &f.toks[i]
	switch {
	case t.cue&cMonth != 0:
		f.monthFirst(i)
	case t.cue&cHoliday != 0 && t.caps != lower:
		j := i
		if n := f.at(i + 1); n.kind == word && (n.hash == hashDay || n.hash == hashEve) {
			j++
		}
		f.addToks(i, f.yearAfter(j), Date, Dictionary, .6)
	case t.cue&cWeekday != 0:
		p, q := f.at(i-1), f.at(i+1)
		conf := float32(.5)
		switch {
		case q.is(',') && (f.at(i+2).kind == num || f.at(i+2).cue&cMonth != 0):
			conf = .9
		case p.kind == word && (p.cue&(cDate|cVerb|cLive) != 0 || p.cue&cStop != 0), t.caps == title:
		default:
			return
		}
		f.addToks(i, i, Date, Dictionary, conf)
	case t.cue&cOrdinal != 0: // the third of May
		if m := f.at(i + 2); f.at(i+1).hash == hashOf && m.cue&cMonth != 0 && m.capital() {
			f.addToks(i, f.yearAfter(i+2), Date, Format, .9)
		}
	}
}

// monthFirst: May 4th, 2021; February 13; May 2019; Jan. 3; in January.
func (f *finder) monthFirst(i int) {
	t := &f.toks[i]
	j := i + 1
	if f.at(j).is('.') && f.at(j).gap == tight {
		j++
	}
	if n := f.at(j); n.is('-') || n.is('/') {
		j++
	}
	p := f.at(i - 1)
	if p.is('-') && p.gap == tight && t.gap == tight && f.at(i-2).kind <= mix && f.at(i-2).kind != word {
		return // 17-NOV-2022 is found from its day
	}
	n := f.at(j)
	if n.hash == hashThe && n.kind == word {
		j++
		n = f.at(j)
	}
	if d := f.dayOf(n); d >= 1 && d <= 31 && (n.gap <= space || n.gap == line) && (t.caps != lower || !f.ambiguousMonth(t) || f.rec.hasMonthDay(monthNumber(f.str(t)), d)) {
		if m := f.at(j + 1); m.cue&cMeasure != 0 && m.gap <= space && f.ambiguousMonth(t) || m.is('.') && m.gap == tight && f.at(j+2).kind == num && f.follows(j+2) {
			return
		}
		end := j
		if m := f.at(j + 1); m.is('-') && f.dayOf(f.at(j+2)) > 0 { // May 3-5
			end = j + 2
		}
		why, conf := Format, float32(.92)
		if f.rec.hasMonthDay(monthNumber(f.str(t)), d) {
			why, conf = FromRecord, 1
		}
		f.addToks(i, f.yearAfter(end), Date, why, conf)
		return
	}
	if end := f.yearAfter(i); end > i {
		f.addToks(i, end, Date, Format, .9)
		return
	}
	// A month alone, with a word that makes it a date.
	if t.caps != lower && !f.ambiguousMonth(t) && p.kind == word && t.gap <= line && p.cue&(cYearCue|cDate) != 0 && t.len() > 3 {
		f.addToks(i, i, Date, Context, .6)
	}
}
