package scan

import (
	"bytes"
	"errors"
	"io"
)

// A text is read in windows that overlap, so that memory is bounded for a log
// of any size and a line of any length. What stands in the middle of an overlap
// is judged in the window where both its sides are in sight, and only there.
const (
	windowSize = 64 << 10
	overlap    = 4 << 10
)

// stream reads src in windows.
func (r *reader) stream(s *sheet, src io.Reader, code bool) error {
	buf := make([]byte, 0, windowSize)
	base := spot{1, 1} // of buf[0]
	first := true
	for {
		n, err := io.ReadFull(src, buf[len(buf):windowSize])
		buf = buf[:len(buf)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		lo, hi := overlap/2, len(buf)-overlap/2
		if first {
			lo = 0
		}
		if last {
			hi = len(buf)
		}
		if err := r.window(s, buf, lo, hi, code, base); err != nil {
			return err
		}
		if last {
			return nil
		}
		first = false
		keep := len(buf) - overlap
		p := places{text: buf, spot: base}
		base = p.of(keep)
		buf = buf[:copy(buf, buf[keep:])]
	}
}

// window judges one window, and the tables and HL7 messages in it.
func (r *reader) window(s *sheet, buf []byte, lo, hi int, code bool, base spot) error {
	where := func() func(int) spot { return (&places{text: buf, spot: base}).of } // each walks forward
	rest := buf
	if bytes.Contains(buf, []byte("PID|")) {
		rest = hl7(s, buf, lo, hi, where())
	}
	if bytes.Contains(buf, []byte("NM1*")) {
		x12(s, buf, lo, hi, where())
	}
	rest = r.sql(s, rest, lo, hi, where())
	rest = r.tables(s, rest, lo, hi, code, where())
	return r.read(s, rest, lo, hi, code, "", "", where(), 0)
}
