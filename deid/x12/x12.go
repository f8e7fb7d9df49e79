package x12

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/problem"
)

// Deidentifier de-identifies interchanges. Unless Options hold something that
// is not, it is safe for many goroutines.
type Deidentifier struct {
	o     Options
	table map[string][]string
}

// New checks o against its legal basis.
func New(o Options) (*Deidentifier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	d := &Deidentifier{o: o, table: map[string][]string{}}
	for name, elements := range segments {
		d.table[name] = strings.Fields(elements)
	}
	return d, nil
}

// Copy reads interchanges from r and writes them to w. They are held in memory,
// up to Options.MaxBytes. On an error nothing is written.
func (d *Deidentifier) Copy(w io.Writer, r io.Reader) (Manifest, error) {
	return message.Copy(w, r, d.o.MaxBytes, d.Append)
}

// isaLength is that of an ISA segment with its terminator: every element has a
// fixed width (X12.5).
const isaLength = 106

// run is the work on one stream of interchanges.
type run struct {
	*message.Case
	d                      *Deidentifier
	element, comp, rep, by byte // delimiters; by ends a segment
	isa, gs, st            int  // how many there were
	segments               int  // of this transaction, written
	number                 int  // of the segment in the input
}

// Append de-identifies interchanges and appends them to dst. On an error dst is
// returned as it was.
func (d *Deidentifier) Append(dst, in []byte, m *Manifest) ([]byte, error) {
	if len(in) > d.o.MaxBytes {
		return dst, problem.New(problem.TooLarge, "the file is larger than the limit", "Split it, or raise max_bytes")
	}
	var one Manifest
	r := &run{Case: message.NewCase(&d.o, &one), d: d}
	out := dst
	rest := in
	var set [][]byte // the segments of a transaction, with what follows each
	flush := func() (err error) {
		out, err = r.transaction(out, set)
		set = set[:0]
		return err
	}
	for {
		gap := len(rest) - len(bytes.TrimLeft(rest, "\r\n\t "))
		out = append(out, rest[:gap]...)
		if rest = rest[gap:]; len(rest) == 0 {
			break
		}
		if bytes.HasPrefix(rest, []byte("ISA")) {
			if err := flush(); err != nil {
				return dst, err
			}
			if !r.delimiters(rest) {
				return dst, r.refuse("an interchange does not begin with an ISA segment of fixed width and its delimiters")
			}
			r.number++
			out = r.interchange(out, rest[:isaLength-1])
			rest = rest[isaLength:]
			out, rest = lineEnd(out, rest)
			continue
		}
		if r.by == 0 {
			return dst, r.refuse("the file does not begin with an ISA segment")
		}
		seg, more, ended := bytes.Cut(rest, []byte{r.by})
		if !ended {
			return dst, r.refuse("the last segment has no terminator")
		}
		rest = more
		end := len(rest) - len(bytes.TrimLeft(rest, "\r\n"))
		whole := append(append([]byte(nil), seg...), r.by)
		whole = append(whole, rest[:end]...)
		rest = rest[end:]
		name, _, _ := bytes.Cut(seg, []byte{r.element})
		switch string(name) {
		case "GS", "GE", "IEA", "TA1":
			if err := flush(); err != nil {
				return dst, err
			}
			r.number++
			out = r.envelope(out, string(name), whole)
		case "ST":
			if err := flush(); err != nil {
				return dst, err
			}
			set = append(set, whole)
		default:
			set = append(set, whole)
			if string(name) == "SE" {
				if err := flush(); err != nil {
					return dst, err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return dst, err
	}
	m.Add(&one)
	return out, nil
}

func lineEnd(out, rest []byte) ([]byte, []byte) {
	end := len(rest) - len(bytes.TrimLeft(rest, "\r\n"))
	return append(out, rest[:end]...), rest[end:]
}

func (r *run) refuse(title string) error {
	return problem.BadField("segment "+strconv.Itoa(r.number+1), title, "Give whole X12 interchanges, each from ISA to IEA")
}

// delimiters reads those of an ISA segment.
func (r *run) delimiters(isa []byte) bool {
	if len(isa) < isaLength {
		return false
	}
	r.element, r.comp, r.by, r.rep = isa[3], isa[104], isa[105], isa[82]
	if r.rep == 'U' || alnum(r.rep) || r.rep == ' ' {
		r.rep = 0 // before 4020 ISA11 is something else
	}
	for _, b := range []byte{r.element, r.comp, r.by} {
		if alnum(b) || b == ' ' || b == '-' || b == '.' || b >= 0x80 {
			return false
		}
	}
	at := []int{3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103}
	for _, i := range at {
		if isa[i] != r.element {
			return false
		}
	}
	return r.element != r.comp && r.element != r.by && r.comp != r.by && r.rep != r.element && r.rep != r.comp && r.rep != r.by &&
		bytes.Count(isa[:isaLength-1], []byte{r.element}) == len(at)
}

func alnum(b byte) bool { return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' }

// interchange writes ISA: every element keeps its width.
func (r *run) interchange(dst, isa []byte) []byte {
	r.isa++
	r.M.Part("ISA")
	e := bytes.Split(isa, []byte{r.element})
	fill := func(i int, v string) {
		e[i] = fmt.Appendf(nil, "%-*s", len(e[i]), v)[:len(e[i])]
	}
	code := func(i int) {
		if v := bytes.TrimSpace(e[i]); len(v) > 0 && !message.Token(v) {
			r.Count(message.Malformed)
			fill(i, "")
		}
	}
	for _, i := range []int{1, 3, 5, 7, 12, 14, 15} {
		code(i)
	}
	for _, i := range []int{2, 4} { // authorization and security information
		if len(bytes.TrimSpace(e[i])) > 0 {
			r.Count(message.Identifier)
			fill(i, "")
		}
	}
	for _, i := range []int{6, 8} {
		e[i] = fmt.Appendf(nil, "%-15s", r.partner(bytes.TrimSpace(e[i])))
	}
	fill(9, string(r.six(e[9])))
	fill(10, string(r.clock(e[10], 4)))
	e[13] = fmt.Appendf(nil, "%09d", r.isa)
	e[16] = []byte{r.comp}
	dst = append(dst, bytes.Join(e, []byte{r.element})...)
	return append(dst, r.by)
}

// partner is the code of a trading partner: an organisation.
func (r *run) partner(v []byte) []byte {
	if len(v) == 0 || string(v) == masked {
		return v
	}
	if hides(r.d.o.Basis) || !message.Token(v) || len(v) > 15 {
		r.Count(message.Organisation)
		return []byte(masked)
	}
	return v
}

const masked = "MASKED"

func hides(b Basis) bool { return b == SafeHarbor || b == ExpertDetermination }

// envelope writes GS, GE, IEA and TA1.
func (r *run) envelope(dst []byte, name string, whole []byte) []byte {
	i := bytes.IndexByte(whole, r.by)
	e := bytes.Split(whole[:i], []byte{r.element})
	at := func(n int) []byte {
		if n < len(e) {
			return e[n]
		}
		return nil
	}
	token := func(n int) []byte {
		if v := at(n); message.Token(v) {
			return v
		}
		return nil
	}
	r.M.Part(name)
	var out [][]byte
	switch name {
	case "GS":
		r.gs++
		out = [][]byte{token(1), r.partner(at(2)), r.partner(at(3)), r.date(nil, at(4)), r.clock(at(5), 4), []byte(strconv.Itoa(r.gs)), token(7), guide(at(8))}
	case "GE":
		out = [][]byte{number(at(1)), []byte(strconv.Itoa(r.gs))}
	case "IEA":
		out = [][]byte{number(at(1)), fmt.Appendf(nil, "%09d", r.isa)}
	case "TA1":
		out = [][]byte{fmt.Appendf(nil, "%09d", r.isa), r.six(at(2)), r.clock(at(3), 4), token(4), token(5)}
	}
	dst = append(dst, name...)
	for _, v := range out {
		dst = append(dst, r.element)
		dst = append(dst, v...)
	}
	dst = trim(dst, r.element)
	return append(dst, whole[i:]...)
}

func guide(v []byte) []byte {
	if version(v) {
		return v
	}
	return nil
}

func number(v []byte) []byte {
	if message.Number(v) && len(v) <= 6 {
		return v
	}
	return nil
}

func trim(dst []byte, by byte) []byte {
	for len(dst) > 0 && dst[len(dst)-1] == by {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// date appends CCYYMMDD under the rule for dates: where only the year may stay,
// with the first of January.
func (r *run) date(dst, v []byte) []byte {
	if len(v) != 8 {
		if len(v) > 0 {
			r.Count(message.Malformed)
		}
		return dst
	}
	start := len(dst)
	dst = r.When(dst, v)
	if len(dst)-start == 4 {
		if string(v[4:]) == "0101" && r.d.o.Dates == YearsOnly {
			r.M.Tally[message.DateCut]-- // nothing was cut
		}
		dst = append(dst, "0101"...)
	}
	return dst
}

// six is YYMMDD of ISA09, which no year of another century can be.
func (r *run) six(v []byte) []byte {
	if len(v) != 6 {
		return nil
	}
	if out := r.date(nil, append([]byte("20"), v...)); len(out) == 8 {
		return out[2:]
	}
	return []byte("000101")
}

// clock is a time of day; where it may not stay, and one must stand, midnight.
func (r *run) clock(v []byte, width int) []byte {
	if len(v) == 0 {
		return nil
	}
	if out := r.Clock(nil, v); len(out) > 0 {
		return out
	}
	return []byte("00000000")[:width]
}
