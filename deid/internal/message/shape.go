package message

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

func alnum(b byte) bool  { return digit(b) || letter(b) }
func letter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func digit(b byte) bool  { return b >= '0' && b <= '9' }

func validText(b []byte) bool {
	return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0
}

func digits(b []byte) bool {
	for _, c := range b {
		if !digit(c) {
			return false
		}
	}
	return len(b) > 0
}

// MaxToken is the longest code of a system that is not public: HL7's own limit
// for a value of a user-defined table (IS, version 2.5, section 2.A.37).
const MaxToken = 20

// Token is a code as tables have them: one word of letters, digits and marks
// that join them. Nine digits and more are a number, not a code of a table, and eight can be
// a day.
func Token(b []byte) bool {
	if len(b) == 0 || len(b) > MaxToken {
		return false
	}
	n := 0
	for _, c := range b {
		switch {
		case digit(c):
			n++
		case letter(c), strings.IndexByte("._-/+*:%()<>=#", c) >= 0:
		default:
			return false
		}
	}
	if n == 8 && len(b) == 8 {
		if _, ok := ParseDate(b); ok {
			return false // a day
		}
	}
	return n < 9
}

// Bare is a code that names no code system: a token, but a word of five letters
// and more only if it is one of the words of tables below. What a sender puts
// in the wrong place is then rarely a name that passes.
func Bare(b []byte) bool {
	if !Token(b) {
		return false
	}
	if len(b) <= 4 {
		return true
	}
	word, joined := true, true
	for _, c := range b {
		word = word && letter(c)
		joined = joined && (letter(c) || c == '-' || c == '.' || c == '_')
	}
	if word {
		return tableWords[strings.ToLower(string(b))]
	}
	return !joined || len(b) <= 8 // SMITH-JONES
}

// tableWords are the longer words in code lists of HL7, X12 and NCPDP and in
// the user-defined tables of usual systems. White, Black, English and Child are
// not here: they are names as well.
var tableWords = set(`active completed aborted cancelled canceled suspended held obsolete nullified normal preliminary final corrected
 inpatient outpatient emergency preadmit observation recurring obstetrics newborn elective urgent routine trauma referral transfer discharged
 male female other unknown spouse mother father sibling brother sister guardian grandparent grandchild employee dependent
 single married divorced widowed separated domestic spanish hispanic asian multiple
 daily weekly once asap stat timed oral topical tablet capsule solution suspension injection cream ointment patch intravenous
 medical surgical cardiology oncology pediatrics radiology laboratory pathology psychiatry orthopedics neurology maternity
 commercial medicare medicaid selfpay tricare blood serum plasma urine swab tissue sputum stool venous arterial
 unicode allowed denied pending approved rejected accept error warning fatal true false`)

// Version is a code system's: digits and dots, at most six digits.
func Version(b []byte) bool {
	n := 0
	for _, c := range b {
		if digit(c) {
			n++
		} else if c != '.' {
			return false
		}
	}
	return n > 0 && n <= 6 && len(b) <= 12
}

// Unit is a unit of measure: no space, at most 32 bytes and five digits, the
// marks of UCUM.
func Unit(b []byte) bool {
	if len(b) == 0 || len(b) > 32 {
		return false
	}
	n := 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		if digit(c) {
			if n++; n > 5 {
				return false
			}
			continue
		}
		switch {
		case letter(c), strings.IndexByte("._-/+*^%[](){}'\",#&", c) >= 0:
		case c == 0xC2 && i+1 < len(b) && (b[i+1] == 0xB5 || b[i+1] == 0xB0): // micro, degree
			i++
		default:
			return false
		}
	}
	return true
}

// Number is [+-]digits[.digits][E[+-]digits].
func Number(b []byte) bool {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		b = b[1:]
	}
	if len(b) > 32 {
		return false
	}
	whole, frac, dot := bytes.Cut(b, []byte("."))
	if i := bytes.IndexAny(frac, "eE"); dot && i >= 0 {
		if !exponent(frac[i+1:]) {
			return false
		}
		frac = frac[:i]
	} else if i := bytes.IndexAny(whole, "eE"); i >= 0 {
		if dot || !exponent(whole[i+1:]) {
			return false
		}
		whole = whole[:i]
	}
	if !dot {
		return digits(whole)
	}
	return (digits(whole) || len(whole) == 0) && (digits(frac) || len(frac) == 0) && len(whole)+len(frac) > 0
}

func exponent(b []byte) bool {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		b = b[1:]
	}
	return len(b) <= 3 && digits(b)
}

// Result reports whether text is a result in the words of laboratories: every
// word is a number, a range, a titre, a unit of the list or a word of the list
// below. "Within normal limits" and "1:40" are; a sentence with a name is not.
func Result(text []byte) bool {
	if len(text) == 0 || len(text) > 80 {
		return false
	}
	numbers := 0
	for _, w := range strings.Fields(string(text)) {
		w = strings.Trim(w, ",;()")
		if w == "" {
			continue
		}
		switch {
		case measure(w):
			if strings.ContainsAny(w, "0123456789") {
				numbers++
			}
			if numbers > 2 {
				return false
			}
		case resultWords[strings.ToLower(w)], commonUnits[w]:
		default:
			return false
		}
	}
	return true
}

// measure is a number with comparators, a range, a ratio or plus signs. It is
// short: ten digits in a row are a telephone, three groups are a date.
func measure(w string) bool {
	if i := strings.IndexByte(w, ':'); i >= 0 && strings.Trim(w[:i], "<>=") != "1" {
		return false // a titre is 1:40; another colon is a time of day
	}
	n, groups, in := 0, 0, false
	for i := range len(w) {
		c := w[i]
		if digit(c) {
			n++
			if !in {
				groups++
			}
			in = true
			continue
		}
		if c != '.' {
			in = false
		}
		if strings.IndexByte(".<>=+-:~%", c) < 0 {
			return false
		}
	}
	return n <= 6 && groups <= 2
}

// resultWords are the words of qualitative results and reference ranges. Brown,
// green and amber are not here: they are names as well.
var resultWords = set(`positive negative pos neg detected undetected not reactive nonreactive non-reactive normal abnormal high low
 critical trace small moderate large none few many rare occasional numerous present absent seen growth no equivocal indeterminate
 borderline within limits outside range clear cloudy hazy turbid yellow straw colorless red pink dark pale light
 slightly very susceptible resistant intermediate sensitive hemolyzed lipemic icteric adequate inadequate sufficient insufficient
 see pending final yes unknown invalid inconclusive isolated to or and less than greater mild severe a b ab o rh type
 homozygous heterozygous wild variant unremarkable stable increased decreased elevated current former never smoker every day some
 date day days hour hours after organism organisms isolated mixed flora
 male female immune nonimmune non-immune quantity`)

// commonUnits may follow a number inside a text.
var commonUnits = set(`% mg g kg ug mcg ng pg mL L dL uL mmol/L mol/L umol/L nmol/L pmol/L mg/dL g/dL g/L mg/L ug/L ug/dL ng/mL pg/mL mEq/L
 U/L IU/L mIU/L mIU/mL uIU/mL IU/mL U/mL K/uL M/uL fL cm mm m in lb lbs oz mmHg mm[Hg] bpm /min /hpf /lpf s sec min h hr C F Cel copies/mL cells/uL
 10*3/uL 10*6/uL`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
