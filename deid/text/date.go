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
	hashMrn     = lexicon.Hash("mrn")
	hashMr      = lexicon.Hash("mr")
	hashDr      = lexicon.Hash("dr")
	hashSocial  = lexicon.Hash("social")
	hashH       = lexicon.Hash("h")
	hashW       = lexicon.Hash("w")
	hashC       = lexicon.Hash("c")
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

// century of a year of two digits: a record speaks of the past, 31 to 99 are of
// the twentieth century.
func century(y int) int {
	if y > 30 {
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
