package dicom

import (
	"bytes"
	"strconv"
)

// facts are what the top level of a data set says of the whole object. They are
// read before anything is decided.
type facts struct {
	sopClass, sopInstance []byte
	patientID             []byte
	modality              []byte
	imageType             []byte
	burnedIn              []byte // (0028,0301)
	recognizable          []byte // (0028,0302)
	manufacturer, model   []byte

	samples, rows, columns, allocated, stored, high, signed, planar int
	frames                                                          int
	photometric                                                     []byte

	pixels     element // (7FE0,0010), or the float forms
	hasPixels  bool
	document   bool // an encapsulated document
	directory  bool // a DICOMDIR
	hidden     bool // an overlay lies in unused bits of the pixels
	conversion []byte
}

// survey reads the facts, and checks that the data set holds together at its
// top level: in order, nothing beyond its end.
func (r *run) survey() error {
	f, s := &r.facts, r.enc.syntax
	f.frames = 1
	w := walker{b: r.in}
	last := tag(0)
	for pos, first := 0, true; pos < len(r.in); first = false {
		if r.onlyPadding(pos) {
			r.in = r.in[:pos]
			break
		}
		e, err := w.next(s, pos, len(r.in))
		if err != nil {
			return err
		}
		if e.tag.group() == 0xFFFE {
			return broken(pos, "a delimiter stands where an element must")
		}
		if !first && e.tag <= last {
			return broken(pos, "elements are not in order, or twice there")
		}
		last = e.tag
		end, err := w.over(s, e, len(r.in), 0)
		if err != nil {
			return err
		}
		if e.size >= 0 {
			r.note(e)
		}
		switch e.tag {
		case 0x00041200, 0x00041220:
			f.directory = true
		case 0x7FE00010, 0x7FE00008, 0x7FE00009:
			if f.hasPixels {
				return broken(pos, "there is pixel data twice")
			}
			f.pixels, f.hasPixels = e, true
		}
		pos = end
	}
	return nil
}

// onlyPadding reports whether nothing but a block of zero bytes is left, as
// some writers leave behind. Fewer than an element's head are a cut, not a
// block, but for the byte that makes a deflated stream even.
func (r *run) onlyPadding(pos int) bool {
	rest := r.in[pos:]
	if len(rest) < 8 && !(r.enc.deflated && len(rest) == 1) {
		return false
	}
	return len(rest) <= 4096 && len(bytes.Trim(rest, "\x00")) == 0
}

// note keeps what one element says.
func (r *run) note(e element) {
	f, v := &r.facts, r.in[e.start:e.end()]
	short := func() int {
		if len(v) < 2 {
			return 0
		}
		return int(r.enc.syntax.inner(e).u16(v))
	}
	// What the object is and how its pixels lie must be said as it ought to be,
	// or it is not said: such an element will be removed. What warns of text is
	// heard however it is said.
	switch sound := e.vr == 0 || e.vr == vrUN || e.vr.fits(r.d.rows[e.tag].vr); {
	case sound, e.tag == 0x00280301, e.tag == 0x00280302:
	case e.tag.group() == 0x0028, e.tag == 0x00080016, e.tag == 0x00080018:
		return
	}
	switch e.tag {
	case 0x00080008:
		f.imageType = v
	case 0x00080016:
		f.sopClass = trim(v)
	case 0x00080018:
		f.sopInstance = trim(v)
	case 0x00080060:
		f.modality = trim(v)
	case 0x00080064:
		f.conversion = trim(v)
	case 0x00080070:
		f.manufacturer = trim(v)
	case 0x00081090:
		f.model = trim(v)
	case 0x00100020:
		f.patientID = trim(v)
	case 0x00280002:
		f.samples = short()
	case 0x00280004:
		f.photometric = trim(v)
	case 0x00280006:
		f.planar = short()
	case 0x00280008:
		f.frames = -1
		if n, err := strconv.Atoi(string(trim(v))); err == nil && n > 0 {
			f.frames = n
		}
	case 0x00280010:
		f.rows = short()
	case 0x00280011:
		f.columns = short()
	case 0x00280100:
		f.allocated = short()
	case 0x00280101:
		f.stored = short()
	case 0x00280102:
		f.high = short()
	case 0x00280103:
		f.signed = short()
	case 0x00280301:
		f.burnedIn = trim(v)
	case 0x00280302:
		f.recognizable = trim(v)
	case 0x00420011:
		f.document = true
	}
	if isGraphics(e.tag) && e.tag.group()&0xFF00 == 0x6000 && e.tag.element() == 0x0102 && short() != 0 {
		f.hidden = true
	}
}

// isGraphics reports whether an attribute is of an overlay or a curve: the
// repeating groups 60xx and 50xx (PS3.5 section 7.6).
func isGraphics(t tag) bool {
	g := t.group() & 0xFF00
	return (g == 0x6000 || g == 0x5000) && !t.private()
}
