package dicom

import (
	"io"
)

// bigValue is from where on a value is referred to instead of copied.
const bigValue = 4 << 10

// output is a data set that is being put together. Pixel data and other big
// values stay where they are in the input until they are written.
type output struct {
	buf     []byte
	inserts []insert
	extra   int // bytes in inserts
}

type insert struct {
	at int // in buf
	b  []byte
}

func (o *output) size() int { return len(o.buf) + o.extra }

// refer adds b, which must not change until the output is written.
func (o *output) refer(b []byte) {
	if len(b) < bigValue {
		o.buf = append(o.buf, b...)
		return
	}
	o.inserts = append(o.inserts, insert{len(o.buf), b})
	o.extra += len(b)
}

// head writes an element's head and returns where its length is, for close. n
// is the length, -1 for an undefined one.
func (o *output) head(s syntax, t tag, v vr, n int) (length int) {
	o.buf = s.append16(o.buf, t.group())
	o.buf = s.append16(o.buf, t.element())
	if s.explicit && t.group() != 0xFFFE {
		o.buf = append(o.buf, byte(v>>8), byte(v))
		if long, _ := v.long(); !long {
			o.buf = s.append16(o.buf, uint16(n))
			return len(o.buf) - 2
		}
		o.buf = append(o.buf, 0, 0)
	}
	o.buf = s.append32(o.buf, uint32(n)) // -1 is undefined
	return len(o.buf) - 4
}

// close puts the length of what was written since start at length.
func (o *output) close(s syntax, length, start int) {
	s.append32(o.buf[:length], uint32(o.size()-start))
}

// fits reports whether an element of the VR can be n bytes long.
func fits(s syntax, v vr, n int) bool {
	long, _ := v.long()
	if s.explicit && !long {
		return n <= 0xFFFE
	}
	return uint64(n) < undefined-1
}

// value writes a whole element, padded to an even length (PS3.5 section 6.2).
func (o *output) value(s syntax, t tag, v vr, b []byte) {
	o.head(s, t, v, len(b)+len(b)&1)
	o.refer(b)
	if len(b)&1 == 1 {
		if v == vrUI || v == 0 || isBulk(v) || isNumber(v) {
			o.buf = append(o.buf, 0)
		} else {
			o.buf = append(o.buf, ' ')
		}
	}
}

// writeTo writes it all.
func (o *output) writeTo(w io.Writer) error {
	at := 0
	for _, in := range o.inserts {
		if _, err := w.Write(o.buf[at:in.at]); err != nil {
			return err
		}
		if _, err := w.Write(in.b); err != nil {
			return err
		}
		at = in.at
	}
	_, err := w.Write(o.buf[at:])
	return err
}
