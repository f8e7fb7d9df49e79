package hl7v2

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/sallyport/sallyport/deid/internal/message"
	"github.com/sallyport/sallyport/problem"
)

// Deidentifier de-identifies messages. Unless Options hold something that is
// not, it is safe for many goroutines.
type Deidentifier struct {
	o Options
	t *table
}

// New checks o against its legal basis.
func New(o Options) (*Deidentifier, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return &Deidentifier{o: o, t: tables()}, nil
}

// Copy reads messages from r and writes them to w, one by one, in memory
// bounded by Options.MaxBytes. On an error nothing of the failing message is
// written; those before it were, and the manifest counts them.
func (d *Deidentifier) Copy(w io.Writer, r io.Reader) (Manifest, error) {
	var m Manifest
	var buf, out []byte
	chunk := make([]byte, 64<<10)
	n, from := 0, 1
	var one Manifest
	emit := func(msg []byte) error {
		var err error
		clear(one.Parts)
		one = Manifest{Parts: one.Parts}
		if len(bytes.Trim(msg, "\r\n\x0b\x1c")) == 0 {
			out = append(out[:0], msg...) // empty lines and frames between messages
		} else if out, err = d.one(out[:0], msg, n+1, &one); err != nil {
			return err
		}
		n += one.Messages
		if _, err = w.Write(out); err != nil {
			return problem.New(problem.Unavailable, "the output cannot be written", "See that there is room, and start again").Because(err)
		}
		m.Add(&one)
		return nil
	}
	for {
		k, err := r.Read(chunk)
		buf = append(buf, chunk[:k]...)
		done := 0
		for {
			next := nextHeader(buf[done:], from)
			if next < 0 {
				break
			}
			if err := emit(buf[done : done+next]); err != nil {
				return m, err
			}
			done += next
			from = 1
		}
		buf = append(buf[:0], buf[done:]...)
		from = max(1, len(buf)-5)
		if len(buf) > d.o.MaxBytes {
			return m, tooLarge(n + 1)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			if len(buf) == 0 {
				return m, nil
			}
			return m, emit(buf)
		default:
			return m, problem.New(problem.Unavailable, "the input cannot be read to its end", "Start again").Because(err)
		}
	}
}

// nextHeader finds the start of the next message in b, at from or later: a
// header segment after a line end, with its MLLP start block if there is one.
func nextHeader(b []byte, from int) int {
	for i := from; i+3 < len(b); i++ {
		if b[i-1] != '\r' && b[i-1] != '\n' {
			continue
		}
		if h := b[i:]; isHeader(h) || h[0] == startBlock && isHeader(h[1:]) {
			return i
		}
	}
	return -1
}

// MLLP's block characters (HL7 v2 transport specification).
const (
	startBlock = 0x0B
	endBlock   = 0x1C
)

// Append de-identifies one message, or one batch or file header, and appends it
// to dst. On an error dst is returned as it was.
func (d *Deidentifier) Append(dst, msg []byte, m *Manifest) ([]byte, error) {
	var one Manifest
	out, err := d.one(dst, msg, 1, &one)
	if err != nil {
		return dst, err
	}
	m.Add(&one)
	return out, nil
}

func tooLarge(n int) error {
	return problem.New(problem.TooLarge, "message "+strconv.Itoa(n)+" is larger than the limit", "Split it, or raise max_bytes")
}

func (d *Deidentifier) one(dst, msg []byte, n int, m *Manifest) ([]byte, error) {
	if len(msg) > d.o.MaxBytes {
		return dst, tooLarge(n)
	}
	r := &run{Case: message.NewCase(&d.o, m), t: d.t, n: n}
	rest := msg
	for len(rest) > 0 && (rest[0] == '\r' || rest[0] == '\n' || rest[0] == startBlock) {
		rest = rest[1:]
	}
	head, _, _ := nextLine(rest)
	head = bytes.TrimRight(head, string(rune(endBlock)))
	var ok bool
	if isHeader(head) {
		r.d, ok = readDelimiters(head)
	}
	if !ok {
		return dst, problem.New(problem.Invalid, "message "+strconv.Itoa(n)+" does not begin with a header segment and its delimiters",
			"Give HL7 version 2 messages in their pipe encoding, each from its MSH, FHS or BHS segment on")
	}
	if bytes.HasPrefix(head, []byte("MSH")) {
		m.Messages++
	}
	if err := r.survey(rest); err != nil {
		return dst, at(err, n, 0, "", 0)
	}
	start := len(dst)
	number := 0
	for rest = msg; len(rest) > 0; {
		var line, end []byte
		line, end, rest = nextLine(rest)
		var opened, closed []byte
		for len(line) > 0 && line[0] == startBlock {
			opened, line = line[:1], line[1:]
		}
		for len(line) > 0 && line[len(line)-1] == endBlock {
			closed, line = line[len(line)-1:], line[:len(line)-1]
		}
		if number == 0 {
			dst = append(dst, opened...) // anywhere else it begins nothing
		}
		before := len(dst)
		if len(line) > 0 {
			number++
			var err error
			if dst, err = r.segment(dst, line, number); err != nil {
				return dst[:start], err
			}
		}
		dst = append(dst, closed...)
		if len(line) == 0 || len(dst) > before {
			dst = append(dst, end...) // a segment that is gone takes its line end along
		}
	}
	return dst, nil
}

// nextLine cuts b behind its first line end: CR, LF or CR LF.
func nextLine(b []byte) (line, end, rest []byte) {
	i := bytes.IndexByte(b, '\r')
	k := i
	if i < 0 {
		k = len(b)
	}
	if j := bytes.IndexByte(b[:k], '\n'); j >= 0 {
		i = j
	}
	if i < 0 {
		return b, nil, nil
	}
	n := 1
	if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
		n = 2
	}
	return b[:i], b[i : i+n], b[i+n:]
}

func isHeader(line []byte) bool {
	return bytes.HasPrefix(line, []byte("MSH")) || bytes.HasPrefix(line, []byte("FHS")) || bytes.HasPrefix(line, []byte("BHS"))
}

// lookup finds a segment in the table.
func (r *run) lookup(line []byte) *segment {
	if len(line) < 3 || len(line) > 3 && line[3] != r.d.field {
		return nil
	}
	return r.t.segments[string(line[:3])]
}

// segment appends what remains of one segment.
func (r *run) segment(dst, line []byte, number int) ([]byte, error) {
	s := r.lookup(line)
	header := isHeader(line)
	if s == nil || header && number > 1 {
		r.M.Dropped++
		return dst, nil
	}
	r.M.Part(s.name)
	start := len(dst)
	dst = append(dst, s.name...)
	if s.name == "OBX" {
		r.observe(line)
	}
	if s.name == "PID" {
		if err := r.SetPatient(r.patient(line)); err != nil {
			return dst[:start], at(err, r.n, number, s.name, 3)
		}
	}
	rest, more := line[3:], len(line) > 3
	if more {
		rest = rest[1:]
	}
	for n := 1; more; n++ {
		var f []byte
		if header && n == 1 {
			n = 2 // MSH-1 is the separator itself, MSH-2 what follows
			f, rest, more = cut(rest, r.d.field)
			dst = append(dst, r.d.field)
			dst = append(dst, f...)
			continue
		}
		f, rest, more = cut(rest, r.d.field)
		dst = append(dst, r.d.field)
		as, mask := drop, byte(0)
		if n <= len(s.fields) {
			as, mask = s.fields[n-1], s.mask[n-1]
		}
		if as == vary {
			as = r.kind
		}
		var err error
		if dst, err = r.field(dst, as, mask, f); err != nil {
			return dst[:start], at(err, r.n, number, s.name, n)
		}
	}
	r.scale = 0
	return trim(dst, start, r.d.field), nil
}

// field appends a field's repetitions. One that is gone leaves no gap: their
// order has no meaning in a segment's identifiers, names and addresses.
func (r *run) field(dst []byte, as rule, mask byte, f []byte) ([]byte, error) {
	if len(f) == 0 {
		return dst, nil
	}
	if len(f) == 2 && f[0] == '"' && f[1] == '"' {
		return append(dst, f...), nil // "there is none now" (section 2.7.3)
	}
	if mask != 0 {
		r.Count(message.Name)
		for range 6 {
			dst = append(dst, r.d.comp)
		}
		return append(dst, mask), nil
	}
	start := len(dst)
	for first, more := true, true; more; first = false {
		var rep []byte
		rep, f, more = cut(f, r.d.rep)
		before := len(dst)
		if !first && before > start {
			dst = append(dst, r.d.rep)
		}
		from := len(dst)
		var err error
		if dst, err = r.value(dst, as, rep, 0); err != nil {
			return dst, err
		}
		if len(dst) == from {
			dst = dst[:before]
		}
	}
	return dst, nil
}

// observe reads what OBX-2, OBX-3 and OBX-6 say of OBX-5.
func (r *run) observe(line []byte) {
	r.kind, r.scale = drop, 0
	var f [7][]byte
	rest, more := line, true
	for i := 0; i < len(f) && more; i++ {
		f[i], rest, more = cut(rest, r.d.field)
	}
	kind, _ := r.first(f[2], 0)
	r.kind = r.t.observed[string(kind)]
	code, _ := r.first(f[3], 0)
	u, _ := r.first(f[6], 0)
	switch age := message.AgeCode(code); {
	case message.Years(u) || age && len(u) == 0:
		r.scale = 1
	case age:
		r.scale = map[string]float64{"mo": 12, "wk": 52, "d": 365}[string(u)]
		if r.scale == 0 {
			r.scale = 1
		}
	}
}

func float(v []byte) float64 {
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return 1e300
	}
	return f
}

// at names where a message could not be de-identified, and no value.
func at(err error, message, segment int, name string, field int) error {
	p := *problem.From(err)
	p.Field = "message " + strconv.Itoa(message)
	if segment > 0 {
		p.Field += ", segment " + strconv.Itoa(segment) + " (" + name + "), field " + strconv.Itoa(field)
	}
	return &p
}
