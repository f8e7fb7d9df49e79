package disclosure

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/audit"
)

// builder is the segment that is being filled. Its slices only grow, so a reader may
// hold what was there at some moment.
type builder struct {
	base, span  uint64
	from        mark // the dictionary before it
	n           int
	first, last int64
	has         map[uint32]bool
	rows        []byte
	hot, cold   []byte
}

func newBuilder(base, span uint64, d *dict) *builder {
	return &builder{base: base, span: span, from: d.mark(), has: map[uint32]bool{}}
}

// segment is a picture of it as it is now.
func (b *builder) segment() *segment {
	s := &segment{base: b.base, span: b.span, first: b.first, last: b.last, n: b.n, rows: b.rows, hot: b.hot, cold: b.cold}
	for f := range b.has {
		s.has = append(s.has, f)
	}
	slices.Sort(s.has)
	return s
}

func (b *builder) add(e *audit.Entry, k kind, flags uint8, facts uint32) {
	r := row{uint16(e.Index - b.base), k, flags, facts, e.Time.UnixNano(), uint32(len(b.hot)), uint32(len(b.cold))}
	if b.n == 0 {
		b.first = r.time
	}
	b.last = r.time
	b.has[facts] = true
	b.rows = r.append(b.rows)
	b.n++
}

func (b *builder) intent(e *audit.Entry, facts uint32) {
	b.add(e, kindIntent, 0, facts)
	b.cold = appendText(b.cold, string(e.Intent.Decision))
	b.cold = binary.AppendUvarint(b.cold, e.Intent.Snapshot)
}

func (b *builder) refusal(e *audit.Entry, facts uint32, d *dict) {
	b.add(e, kindRefusal, 0, facts)
	b.cold = appendText(b.cold, string(e.Refusal.Intent.Decision))
	b.cold = binary.AppendUvarint(b.cold, e.Refusal.Intent.Snapshot)
	b.cold = binary.AppendUvarint(b.cold, uint64(len(e.Refusal.Failing)))
	for _, f := range e.Refusal.Failing {
		b.cold = binary.AppendUvarint(b.cold, uint64(d.string(f.Gate)))
		b.cold = binary.AppendUvarint(b.cold, uint64(d.string(f.Reason)))
	}
}

// outcome adds an outcome; patients are those of all its parts.
func (b *builder) outcome(e *audit.Entry, facts uint32, patients []string, d *dict) {
	o := e.Outcome
	k := kindIncomplete
	switch o.Result {
	case audit.Released:
		k = kindReleased
	case audit.Withheld:
		k = kindWithheld
	}
	var flags uint8
	if o.Final {
		flags |= flagFinal
	}
	if o.Sealed != nil {
		flags |= flagSealed
	}
	if o.Chunk > 0 {
		flags |= flagLater
	}
	if len(o.Shown) > 0 {
		flags |= flagShown
	}
	b.add(e, k, flags, facts)

	b.hot = binary.AppendUvarint(b.hot, o.Bytes)
	if s := o.Sealed; s != nil {
		b.hot = binary.AppendUvarint(b.hot, s.Bytes)
		b.hot = binary.AppendUvarint(b.hot, uint64(d.string(s.Mode)))
	}
	b.hot = binary.AppendUvarint(b.hot, uint64(len(o.Resources)))
	for _, c := range o.Resources {
		b.hot = binary.AppendUvarint(b.hot, uint64(d.string(c.Type)))
		b.hot = binary.AppendUvarint(b.hot, c.N)
	}
	codes := make([]uint32, len(patients))
	for i, p := range patients {
		codes[i] = d.patient(p)
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	b.hot = binary.AppendUvarint(b.hot, uint64(len(codes)))
	before := uint32(0)
	for _, c := range codes {
		b.hot = binary.AppendUvarint(b.hot, uint64(c-before))
		before = c
	}
	if len(o.Shown) > 0 {
		b.hot = binary.AppendUvarint(b.hot, uint64(len(o.Shown)))
		for _, s := range o.Shown {
			b.hot = binary.AppendUvarint(b.hot, uint64(d.string(s.Type)))
			b.hot = appendText(b.hot, s.Bits)
		}
	}

	b.cold = appendText(b.cold, string(o.Decision))
	b.cold = appendText(b.cold, string(o.Release))
	b.cold = binary.AppendUvarint(b.cold, o.Ticket)
	b.cold = binary.AppendUvarint(b.cold, o.Chunk)
	b.cold = binary.AppendUvarint(b.cold, uint64(o.Status))
	b.cold = append(b.cold, o.Digest[:]...)
	if s := o.Sealed; s != nil {
		b.cold = append(b.cold, s.Digest[:]...)
		b.cold = binary.AppendUvarint(b.cold, uint64(len(s.Recipients)))
		for _, r := range s.Recipients {
			b.cold = binary.AppendUvarint(b.cold, uint64(d.string(hexOf(r))))
		}
	}
	for _, list := range [][]audit.Removal{o.Removed, o.Changed} {
		b.cold = binary.AppendUvarint(b.cold, uint64(len(list)))
		for _, r := range list {
			b.cold = binary.AppendUvarint(b.cold, uint64(d.string(r.Why)))
			b.cold = binary.AppendUvarint(b.cold, r.N)
		}
	}
}

// lines is the list that was joined by line ends.
func lines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
