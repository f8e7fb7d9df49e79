package table

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// shapeOf is what a whole value looks like, of the identifiers that have a form
// of their own. It is for values whose column says nothing of them, and so
// strict: what it names is that, or is built to be taken for it.
func shapeOf(v []byte) Kind {
	v = bytes.TrimSpace(v)
	if len(v) < 6 || len(v) > 256 {
		return UnknownKind
	}
	n := 0
	for _, c := range v {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	switch {
	case bytes.IndexByte(v, '@') > 0 && isEmail(v):
		return Email
	case isURL(v):
		return URL
	case n == 0 && bytes.IndexByte(v, ':') < 0:
		if d, ok := parseDate(v, NoOrder); ok && d.day > 0 {
			return Date
		}
		return UnknownKind
	case isSSN(v):
		return SSN
	case n >= 4 && isDay(v):
		return Date
	case isPhone(v, n):
		return Phone
	case len(v) == 17 && isVIN(v):
		return Vehicle
	case isMBI(v):
		return HealthPlan
	case isMAC(v):
		return Device
	case isUUID(v):
		return OtherID
	case isCoordinates(v):
		return Geocode
	case bytes.IndexByte(v, '.') > 0 || bytes.Count(v, []byte(":")) >= 2:
		if _, err := netip.ParseAddr(string(bytes.Trim(v, "[]"))); err == nil {
			return IP
		}
	}
	return UnknownKind
}

// isDay is a date with its day and something between its parts: eight digits
// alone are a number as often.
func isDay(v []byte) bool {
	if digits(v) {
		return false
	}
	d, ok := parseDate(v, NoOrder)
	return ok && d.day > 0
}

func isEmail(v []byte) bool {
	local, domain, ok := bytes.Cut(v, []byte("@"))
	if !ok || len(local) == 0 || bytes.IndexByte(domain, '@') >= 0 || bytes.ContainsAny(v, " ,;") {
		return false
	}
	dot := bytes.LastIndexByte(domain, '.')
	return dot > 0 && len(domain)-dot > 2
}

func isURL(v []byte) bool {
	if i := bytes.Index(v, []byte("://")); i > 1 && i < 10 {
		return true
	}
	return len(v) > 8 && strings.EqualFold(string(v[:4]), "www.")
}

// isSSN is 3-2-4 with hyphens or spaces; a taxpayer number (9xx) has the form too.
func isSSN(v []byte) bool {
	if len(v) != 11 || (v[3] != '-' && v[3] != ' ') || v[6] != v[3] || !digits(v[:3]) || !digits(v[4:6]) || !digits(v[7:]) {
		return false
	}
	area := atoi(v[:3])
	return area != 0 && area != 666
}

// isPhone is a number of the North American plan with its separators, or an
// international one with its plus.
func isPhone(v []byte, n int) bool {
	var d []byte
	seps := 0
	for i, c := range v {
		switch {
		case c >= '0' && c <= '9':
			d = append(d, c)
		case c == '+' && i == 0:
			return n >= 8 && n <= 15 && !bytes.ContainsAny(v, ":/abcdefghijklmnopqrstuvwyz")
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '/':
			seps++
		case (c|0x20 == 'x' || c|0x20 == 'e') && len(d) >= 10: // extension
			rest := bytes.TrimLeft(bytes.ToLower(v[i:]), "ext. ")
			if !digits(rest) || len(rest) > 6 {
				return false
			}
			return nanp(d) && seps > 0
		default:
			return false
		}
	}
	return seps >= 2 && nanp(d) || (seps == 1 && len(d) == 7 && len(v) == 8 && v[3] == '-' && d[0] >= '2')
}

func nanp(d []byte) bool {
	if len(d) == 11 && d[0] == '1' {
		d = d[1:]
	}
	return len(d) == 10 && d[0] >= '2' && d[3] >= '2'
}

// isVIN checks the check digit of a vehicle identification number (49 CFR 565.15).
func isVIN(v []byte) bool {
	const letters = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
	const weights = "8765432X098765432"
	sum := 0
	for i, c := range bytes.ToUpper(v) {
		at := strings.IndexByte(letters, c)
		if at < 0 || c == '.' {
			return false
		}
		w := int(weights[i] - '0')
		if weights[i] == 'X' {
			w = 10
		}
		sum += at % 10 * w
	}
	check := byte('0' + sum%11)
	if sum%11 == 10 {
		check = 'X'
	}
	return bytes.ToUpper(v)[8] == check
}

// isMBI is a Medicare Beneficiary Identifier (CMS: C A AN N A AN N A A N N).
func isMBI(v []byte) bool {
	u := bytes.ToUpper(bytes.ReplaceAll(v, []byte("-"), nil))
	if len(u) != 11 || u[0] < '1' || u[0] > '9' {
		return false
	}
	for i, kind := range "CAXNAXNAANN" {
		c := u[i]
		digit := c >= '0' && c <= '9'
		letter := c >= 'A' && c <= 'Z' && !strings.ContainsRune("SLOIBZ", rune(c))
		switch kind {
		case 'N', 'C':
			if !digit {
				return false
			}
		case 'A':
			if !letter {
				return false
			}
		case 'X':
			if !digit && !letter {
				return false
			}
		}
	}
	return true
}

func isMAC(v []byte) bool {
	if len(v) != 17 || (v[2] != ':' && v[2] != '-') {
		return false
	}
	for i, c := range v {
		if i%3 == 2 {
			if c != v[2] {
				return false
			}
		} else if !isHex(c) {
			return false
		}
	}
	return true
}

func isUUID(v []byte) bool {
	if len(v) != 36 {
		return false
	}
	for i, c := range v {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isHex(c) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// isCoordinates is a pair of degrees with three decimal places or more.
func isCoordinates(v []byte) bool {
	a, b, ok := bytes.Cut(v, []byte(","))
	if !ok {
		return false
	}
	for i, part := range [][]byte{bytes.TrimSpace(a), bytes.TrimSpace(b)} {
		d, ok := parseDecimal(part)
		limit := Decimal{int64(90 + 90*i), 0}
		if !ok || bytes.IndexByte(part, '.') < 0 || d.Scale < 3 || d.cmp(limit) > 0 || (Decimal{-d.Mantissa, d.Scale}).cmp(limit) > 0 {
			return false
		}
	}
	return true
}

// holds is the first identifier that stands anywhere in a value: the whole of
// it, one of its words, or two words that follow each other.
func holds(v []byte) Kind {
	marks := 0
	for _, c := range v {
		if c >= '0' && c <= '9' || c == '@' || c == ':' || c == '.' {
			marks++
		}
	}
	if marks < 2 || len(v) < 6 {
		return UnknownKind
	}
	if k := shapeOf(v); k != UnknownKind {
		return k
	}
	if bytes.IndexByte(v, ' ') < 0 && !bytes.ContainsAny(v, ",;()<>[]\"'|\n\t=:") {
		return UnknownKind
	}
	words := bytes.FieldsFunc(v, func(r rune) bool { return strings.ContainsRune(" ,;<>[]{}\"'|\n\r\t", r) })
	for i, w := range words {
		w = bytes.TrimRight(w, ".:!?)")
		for _, c := range [][]byte{w, bytes.TrimLeft(w, "(")} {
			if k := shapeOf(c); k != UnknownKind {
				return k
			}
		}
		if j := bytes.LastIndexAny(w, "=:"); j > 0 {
			if k := shapeOf(w[j+1:]); k != UnknownKind {
				return k
			}
		}
		if i > 0 {
			two := slices.Concat(words[i-1], []byte(" "), w)
			if k := shapeOf(two); k == Phone || k == SSN {
				return k
			}
			if i > 1 {
				if k := shapeOf(slices.Concat(words[i-2], []byte(" "), two)); k == Date || k == Phone || k == SSN {
					return k
				}
			}
		}
	}
	return UnknownKind
}

// givenNames are frequent given names in the United States, for a guess at what
// a column holds; a name that is not among them is no evidence of anything.
var givenNames = sync.OnceValue(func() map[string]bool {
	m := map[string]bool{}
	for _, n := range strings.Fields(`james mary robert patricia john jennifer michael linda david elizabeth william barbara richard susan joseph jessica thomas sarah charles karen christopher lisa daniel nancy matthew betty anthony margaret mark sandra donald ashley steven kimberly paul emily andrew donna joshua michelle kenneth carol kevin amanda brian melissa george deborah timothy stephanie ronald rebecca edward sharon jason laura jeffrey cynthia ryan dorothy jacob amy gary kathleen nicholas angela eric shirley jonathan emma stephen brenda larry pamela justin nicole scott anna brandon samantha benjamin katherine samuel christine gregory debra alexander rachel patrick carolyn frank janet raymond maria jack olivia dennis heather jerry helen tyler catherine aaron diane jose julie adam victoria nathan joyce henry lauren zachary kelly douglas christina peter ruth kyle joan noah virginia ethan judith jeremy evelyn walter hannah christian andrea keith megan roger cheryl terry jacqueline austin madison sean teresa gerald abigail carl sophia dylan martha harold sara jordan gloria jesse janice bryan kathryn lawrence ann arthur isabella gabriel judy bruce charlotte logan julia billy grace joe amber alan alice juan jean elijah denise willie frances albert danielle wayne marilyn randy natalie mason beverly vincent diana liam brittany roy theresa bobby kayla caleb alexis bradley doris russell lori lucas tiffany carlos luis miguel antonio jorge ana rosa carmen mohammed muhammad ahmed fatima wei mei priya`) {
		m[n] = true
	}
	return m
})

// looksNamed says whether a value is written like the name of a person and
// holds a frequent given name: "Lee, Ann", "Ann B. Lee", "Dr. Ann Lee", "Ann".
func looksNamed(v []byte) bool {
	s := string(bytes.TrimSpace(v))
	if len(s) < 2 || len(s) > 60 {
		return false
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '.' })
	if len(words) == 0 || len(words) > 5 {
		return false
	}
	known := false
	for _, w := range words {
		for _, r := range w {
			if r < 'A' || (r > 'Z' && r < 'a') || (r > 'z' && r < 0xC0) {
				if r != '-' && r != '\'' {
					return false
				}
			}
		}
		known = known || givenNames()[strings.ToLower(w)]
	}
	return known && s[0] <= 'Z'
}

// looksWritten says whether a value is prose.
func looksWritten(v []byte) bool {
	return len(v) > 200 || (len(v) > 40 && bytes.Count(v, []byte(" ")) >= 6) || bytes.IndexByte(v, '\n') >= 0
}
