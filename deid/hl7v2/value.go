package hl7v2

import (
	"bytes"

	"github.com/sallyport/sallyport/deid/internal/message"
)

// run is the work on one message.
type run struct {
	*message.Case
	d     delimiters
	t     *table
	n     int     // the message's number in its stream
	kind  rule    // of OBX-5, by OBX-2
	scale float64 // how many of OBX-6 are a year where OBX-5 is an age, or 0
	split [3][maxParts][]byte
}

// maxParts is how many parts the largest type that is read whole has.
const maxParts = 25

// value appends what remains of one value. depth is 0 for a field's repetition,
// 1 for a component, 2 for a subcomponent.
func (r *run) value(dst []byte, as rule, b []byte, depth int) ([]byte, error) {
	if len(b) == 0 {
		return dst, nil
	}
	if as >= composite {
		return r.composite(dst, r.t.parts[as-composite], b, depth)
	}
	switch as {
	case txt, ans:
		return r.text(dst, b, as == ans)
	case cwe, cod, unit:
		return r.coded(dst, b, depth, as)
	case cx:
		return r.cx(dst, b, depth)
	case ei:
		return r.entity(dst, b, depth)
	case xcn, ppn:
		return r.xcn(dst, b, depth, as == ppn)
	case xad:
		return r.xad(dst, b, depth), nil
	case hd, pl:
		return r.place(dst, b, depth, as == pl), nil
	case na:
		return r.numbers(dst, b, depth), nil
	case xpn:
		r.Count(message.Name)
		return dst, nil
	case xtn:
		r.Count(message.Telecom)
		return dst, nil
	case xon:
		r.Count(message.Organisation)
		return dst, nil
	case idn, pln:
		r.Count(message.Identifier)
		return dst, nil
	case drop, sep, vary:
		r.Count(message.Unknown)
		return dst, nil
	}
	return r.single(dst, as, b, depth)
}

// single appends a value that has no parts. Parts that it has all the same are
// not the standard's, and go.
func (r *run) single(dst []byte, as rule, b []byte, depth int) ([]byte, error) {
	v, rest := r.first(b, depth)
	if rest {
		r.Count(message.Unknown)
	}
	if len(v) == 0 {
		return dst, nil
	}
	v, ok := r.d.decode(v)
	if !ok {
		r.Count(message.Malformed)
		return dst, nil
	}
	switch as {
	case dtm:
		return r.When(dst, v), nil
	case tm:
		return r.Clock(dst, v), nil
	case mid:
		if r.O.Codes == nil {
			r.Count(message.Coded)
			return append(dst, itoa(r.n)...), nil
		}
		return r.ID(dst, "message", "message", string(v))
	case nm:
		if n := bytes.TrimLeft(v, "<>="); len(n) < len(v) && len(v)-len(n) <= 2 && r.scale == 0 && message.Number(n) && wholeDigits(n) <= maxDigits {
			return r.d.encode(dst, v), nil // "<5": below what can be measured
		}
		if !message.Number(v) || wholeDigits(v) > maxDigits {
			r.Count(message.Malformed)
			return dst, nil
		}
		return r.number(dst, v), nil
	case res:
		if message.Result(v) {
			return r.d.encode(dst, v), nil
		}
		return r.text(dst, b, false)
	case org:
		ok = message.Token(v)
		if ok && r.hidesPlaces() {
			r.Count(message.Organisation)
			return dst, nil
		}
	case si:
		ok = len(v) <= 5 && message.Number(v)
	case oid:
		ok = message.OID(v)
	case ver:
		ok = message.Version(v)
	case cmp:
		ok = comparators[string(v)]
	case set:
		ok = charsets[string(v)]
	case id:
		ok = message.Bare(v)
	default:
		ok = false
	}
	if !ok {
		r.Count(message.Malformed)
		return dst, nil
	}
	return r.d.encode(dst, v), nil
}

// first is the first part of b at every depth below.
func (r *run) first(b []byte, depth int) (v []byte, rest bool) {
	for ; depth < 2; depth++ {
		var more []byte
		var cutHere bool
		b, more, cutHere = cut(b, r.d.splitter(depth))
		rest = rest || cutHere && len(bytes.Trim(more, string([]byte{r.d.comp, r.d.sub}))) > 0
	}
	return b, rest
}

// maxDigits bounds the whole part of a number: nine digits are a social security
// number, ten a telephone. A larger quantity is written with an exponent.
const maxDigits = 8

func wholeDigits(v []byte) int {
	n := 0
	for _, c := range v {
		switch {
		case c >= '0' && c <= '9':
			n++
		case c == '.' || c|0x20 == 'e':
			return n
		}
	}
	return n
}

// number appends a number, capped where it is an age.
func (r *run) number(dst, v []byte) []byte {
	switch {
	case r.scale == 1:
		return r.Age(dst, v)
	case r.scale > 1 && r.CapsAges() && float(v) >= 90*r.scale:
		r.Count(message.AgeCapped)
		return append(dst, itoa(int(90*r.scale))...)
	}
	return append(dst, v...)
}

// composite walks the parts of a type.
func (r *run) composite(dst []byte, parts []rule, b []byte, depth int) ([]byte, error) {
	by := r.d.splitter(depth)
	start := len(dst)
	for i := 0; ; i++ {
		part, rest, more := cut(b, by)
		as := drop
		if i < len(parts) {
			as = parts[i]
		}
		var err error
		if dst, err = r.value(dst, as, part, depth+1); err != nil {
			return dst, err
		}
		if !more {
			return trim(dst, start, by), nil
		}
		dst = append(dst, by)
		b = rest
	}
}

// trim takes empty parts off the end.
func trim(dst []byte, start int, by byte) []byte {
	for len(dst) > start && dst[len(dst)-1] == by {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// text appends free text, scrubbed. It is read whole: separators that its
// sender did not escape are part of it.
func (r *run) text(dst, b []byte, answer bool) ([]byte, error) {
	v, ok := r.d.decode(b)
	if !ok {
		r.Count(message.Malformed)
		return dst, nil
	}
	switch n := bytes.TrimSpace(v); {
	case !answer:
	case r.scale > 0 && message.Number(n):
		return r.number(dst, n), nil
	case r.scale == 0 && message.Result(v):
		return r.d.encode(dst, v), nil
	}
	clean, err := r.Free(nil, v)
	if err != nil {
		return dst, err
	}
	return r.d.encode(dst, clean), nil
}

// parts splits b into at most n parts; more are lost, and counted. What it
// returns is good until the next call for the same depth.
func (r *run) parts(b []byte, depth, n int) [][]byte {
	by := r.d.splitter(depth)
	out := r.split[min(depth, 2)][:n]
	clear(out)
	for i := 0; ; i++ {
		part, rest, more := cut(b, by)
		if i < n {
			out[i] = part
		} else if len(part) > 0 {
			r.Count(message.Unknown)
		}
		if !more {
			return out
		}
		b = rest
	}
}

// coded appends a CE or CWE: three triples of code, words and system, versions
// and the original text (section 2.A.13).
func (r *run) coded(dst, b []byte, depth int, as rule) ([]byte, error) {
	by := r.d.splitter(depth)
	if by == 0 || bytes.IndexByte(b, by) < 0 { // a bare code
		p := [][]byte{b, nil, nil}
		return r.triple(dst, p, 0, depth, as)
	}
	p := r.parts(b, depth, 14)
	start := len(dst)
	var err error
	for _, first := range []int{0, 3} {
		if dst, err = r.triple(dst, p[first:first+3], by, depth, as); err != nil {
			return dst, err
		}
		dst = append(dst, by)
	}
	for _, i := range []int{6, 7} {
		if dst, err = r.single(dst, ver, p[i], depth+1); err != nil {
			return dst, err
		}
		dst = append(dst, by)
	}
	if dst, err = r.text(dst, p[8], false); err != nil {
		return dst, err
	}
	dst = append(dst, by)
	if dst, err = r.triple(dst, p[9:12], by, depth, as); err != nil {
		return dst, err
	}
	dst = append(dst, by)
	if dst, err = r.single(dst, ver, p[12], depth+1); err != nil {
		return dst, err
	}
	if len(p[13]) > 0 {
		r.Count(message.Unknown)
	}
	return trim(dst, start, by), nil
}

func (r *run) triple(dst []byte, p [][]byte, by byte, depth int, as rule) ([]byte, error) {
	code, more := r.first(p[0], depth+1)
	code, ok := r.d.decode(code)
	if more {
		r.Count(message.Unknown)
	}
	system, _ := r.first(p[2], depth+1)
	system, known := r.d.decode(system)
	if !known || !message.SystemName(system) {
		if len(system) > 0 {
			r.Count(message.Malformed)
		}
		system = nil
	}
	public := false
	switch {
	case len(code) == 0 || !ok:
		ok = false
	case as == unit:
		ok = message.Unit(code)
		s, is := message.Public(string(system))
		public = ok && is && s.Fits(code)
	default:
		if ok, public = message.CodeOK(code, string(system)); !ok && as == cod {
			ok = message.Token(code)
		}
	}
	if ok {
		dst = r.d.encode(dst, code)
	} else if len(code) > 0 {
		r.Count(message.Malformed)
		system = nil
	} else {
		system = nil
	}
	if by == 0 {
		return dst, nil
	}
	dst = append(dst, by)
	words, readable := r.d.decode(p[1])
	switch {
	case len(p[1]) == 0:
	case !readable:
		r.Count(message.Malformed)
	case public && message.Words(words), message.Result(words):
		dst = r.d.encode(dst, words)
	case r.Scrub != nil:
		clean, err := r.Free(nil, words)
		if err != nil {
			return dst, err
		}
		dst = r.d.encode(dst, clean)
	default:
		r.Count(message.Display)
	}
	dst = append(dst, by)
	return r.d.encode(dst, system), nil
}

// cx appends an identifier with its type (table 0203). Numbers of the State are
// not even coded.
func (r *run) cx(dst, b []byte, depth int) ([]byte, error) {
	p := r.parts(b, depth, 10)
	kind, _ := r.d.decode(p[4])
	if stateNumbers[string(kind)] {
		r.Count(message.Identifier)
		return dst, nil
	}
	start := len(dst)
	dst, err := r.identifier(dst, "CX", p[3], p[0])
	if err != nil || len(dst) == start || !message.Bare(kind) || len(kind) > 5 {
		return dst, err
	}
	by := r.d.splitter(depth)
	if by == 0 {
		return dst, nil
	}
	dst = append(dst, by, by, by, by)
	return r.d.encode(dst, kind), nil
}

// stateNumbers are the types of table 0203 that Safe Harbor and a limited data
// set name: social security, licence, passport, tax, bank and vehicle numbers.
var stateNumbers = map[string]bool{"SS": true, "SSN": true, "DL": true, "DLN": true, "PPN": true, "TAX": true, "BC": true, "BCT": true, "BA": true, "CC": true,
	"VP": true, "VIN": true, "NI": true, "MI": true, "PRC": true, "CZ": true, "LN": true}

// entity appends an EI.
func (r *run) entity(dst, b []byte, depth int) ([]byte, error) {
	id, authority, _ := cut(b, r.d.splitter(depth))
	return r.identifier(dst, "EI", authority, id)
}

func (r *run) identifier(dst []byte, kind string, authority, b []byte) ([]byte, error) {
	v, ok := r.d.decode(b)
	v = bytes.TrimSpace(v)
	if !ok {
		r.Count(message.Malformed)
		return dst, nil
	}
	if bytes.Equal(v, []byte(`""`)) {
		return append(dst, v...), nil
	}
	return r.ID(dst, kind, string(authority), string(v))
}

// xcn appends a person who works here: the code of an id, and its type.
func (r *run) xcn(dst, b []byte, depth int, stamped bool) ([]byte, error) {
	p := r.parts(b, depth, 25)
	for _, i := range []int{1, 2, 3} {
		if len(p[i]) > 0 {
			r.Count(message.Name)
			break
		}
	}
	start := len(dst)
	v, _ := r.first(p[0], depth+1)
	dst, err := r.identifier(dst, "XCN", p[8], v)
	by := r.d.splitter(depth)
	if err != nil || by == 0 {
		return dst, err
	}
	for i := 1; i < 15; i++ {
		dst = append(dst, by)
		switch {
		case i == 12 && len(p[0]) > 0: // identifier type code
			dst, err = r.single(dst, id, p[i], depth+1)
		case i == 14 && stamped:
			dst, err = r.single(dst, dtm, p[i], depth+1)
		}
		if err != nil {
			return dst, err
		}
	}
	return trim(dst, start, by), nil
}

// xad appends what may stay of an address: city, State, ZIP, country, type.
func (r *run) xad(dst, b []byte, depth int) []byte {
	by := r.d.splitter(depth)
	p := r.parts(b, depth, 20)
	start := len(dst)
	for i, part := range p {
		v, ok := r.d.decode(part)
		switch {
		case len(part) == 0:
		case !ok:
			r.Count(message.Malformed)
		case i == 2:
			dst = r.d.encode(dst, r.City(nil, v))
		case i == 3 || i == 5:
			dst = r.d.encode(dst, r.State(nil, v))
		case i == 4:
			dst = r.ZIP(dst, v)
		case i == 6 && len(v) <= 3 && message.Token(v):
			dst = r.d.encode(dst, v)
		default:
			r.Count(message.Address)
		}
		if by == 0 {
			break
		}
		dst = append(dst, by)
	}
	if by == 0 {
		return dst
	}
	return trim(dst, start, by)
}

// hidesPlaces: a ward or a sending facility is a place smaller than a State
// (164.514(b)(2)(i)(B)); a limited data set excludes only postal addresses.
func (r *run) hidesPlaces() bool {
	return r.O.Basis == message.SafeHarbor || r.O.Basis == message.ExpertDetermination
}

// place appends an HD or a PL. Of a PL the kind of place stays in any case.
func (r *run) place(dst, b []byte, depth int, isPL bool) []byte {
	by := r.d.splitter(depth)
	start := len(dst)
	for i := 0; ; i++ {
		part, rest, more := cut(b, by)
		v, _ := r.first(part, depth+1)
		kind := isPL && (i == 4 || i == 5)
		switch {
		case len(v) == 0:
		case kind && message.Bare(v), !r.hidesPlaces() && i < 8 && (message.Token(v) || message.OID(v)):
			dst = append(dst, v...)
		default:
			r.Count(message.Organisation)
		}
		if !more {
			return trim(dst, start, by)
		}
		dst = append(dst, by)
		b = rest
	}
}

// numbers appends a numeric array.
func (r *run) numbers(dst, b []byte, depth int) []byte {
	by := r.d.splitter(depth)
	start := len(dst)
	for {
		part, rest, more := cut(b, by)
		if message.Number(part) && wholeDigits(part) <= maxDigits {
			dst = append(dst, part...)
		} else if len(part) > 0 {
			r.Count(message.Malformed)
		}
		if !more {
			return trim(dst, start, by)
		}
		dst = append(dst, by)
		b = rest
	}
}

var comparators = map[string]bool{"<": true, ">": true, "<=": true, ">=": true, "=": true, "<>": true, "-": true, "+": true, "/": true, ".": true, ":": true}

// charsets are the values of table 0211: without the right one nobody can read
// the message.
var charsets = map[string]bool{"ASCII": true, "8859/1": true, "8859/2": true, "8859/3": true, "8859/4": true, "8859/5": true, "8859/6": true, "8859/7": true,
	"8859/8": true, "8859/9": true, "8859/15": true, "ISO IR6": true, "ISO IR14": true, "ISO IR87": true, "ISO IR159": true, "GB 18030-2000": true,
	"KS X 1001": true, "CNS 11643-1992": true, "BIG-5": true, "UNICODE": true, "UNICODE UTF-8": true, "UNICODE UTF-16": true, "UNICODE UTF-32": true, "UTF-8": true}
