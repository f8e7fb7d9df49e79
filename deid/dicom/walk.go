package dicom

import (
	"encoding/binary"
)

// Limits on what is read, far above any real file.
const (
	maxDepth = 32 // sequences in sequences
	maxTags  = 1 << 22
)

// syntax is how data elements are encoded (PS3.5 section 7).
type syntax struct {
	explicit bool // each element names its value representation
	big      bool // big endian
}

var implicitLittle = syntax{}

func (s syntax) u16(b []byte) uint16 {
	if s.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (s syntax) u32(b []byte) uint32 {
	if s.big {
		return binary.BigEndian.Uint32(b)
	}
	return binary.LittleEndian.Uint32(b)
}

func (s syntax) append16(b []byte, n uint16) []byte {
	if s.big {
		return binary.BigEndian.AppendUint16(b, n)
	}
	return binary.LittleEndian.AppendUint16(b, n)
}

func (s syntax) append32(b []byte, n uint32) []byte {
	if s.big {
		return binary.BigEndian.AppendUint32(b, n)
	}
	return binary.LittleEndian.AppendUint32(b, n)
}

// The elements that mark items and ends; they have no value representation.
const (
	tagItem        tag = 0xFFFEE000
	tagItemEnd     tag = 0xFFFEE00D
	tagSequenceEnd tag = 0xFFFEE0DD
)

const undefined = 0xFFFFFFFF

// element is the head of one data element. Its value is not looked at.
type element struct {
	tag   tag
	vr    vr  // as the file says; zero where it does not
	start int // of the value
	size  int // of the value; -1: until a delimiter
}

// end is where the value ends, if that is known.
func (e element) end() int { return e.start + e.size }

// long reports whether an explicit element of the VR has a length of 32 bits.
// ok is false for what is no value representation (PS3.5 table 6.2-1).
func (v vr) long() (long, ok bool) {
	switch v {
	case vrAE, vrAS, vrAT, vrCS, vrDA, vrDS, vrDT, vrFD, vrFL, vrIS, vrLO, vrLT, vrPN, vrSH, vrSL, vrSS, vrST, vrTM, vrUI, vrUL, vrUS:
		return false, true
	case vrOB, vrOD, vrOF, vrOL, vrOV, vrOW, vrSQ, vrSV, vrUC, vrUN, vrUR, vrUT, vrUV:
		return true, true
	}
	return false, false
}

// next reads the head of the element at pos. Nothing of it may lie beyond end.
func (s syntax) next(b []byte, pos, end int) (element, error) {
	if end-pos < 8 {
		return element{}, broken(pos, "an element's head is cut off")
	}
	e := element{tag: tag(s.u16(b[pos:]))<<16 | tag(s.u16(b[pos+2:]))}
	var n uint32
	switch {
	case e.tag.group() == 0xFFFE:
		n, e.start = s.u32(b[pos+4:]), pos+8
	case !s.explicit:
		n, e.start = s.u32(b[pos+4:]), pos+8
	default:
		e.vr = vr(b[pos+4])<<8 | vr(b[pos+5])
		long, ok := e.vr.long()
		if !ok {
			return element{}, broken(pos, "an element has a value representation that DICOM does not define")
		}
		if !long {
			if n, e.start = uint32(s.u16(b[pos+6:])), pos+8; n == 0xFFFF {
				return element{}, broken(pos, "an element's length is odd, and cannot be made even")
			}
			break
		}
		if end-pos < 12 {
			return element{}, broken(pos, "an element's head is cut off")
		}
		n, e.start = s.u32(b[pos+8:]), pos+12
	}
	if n == undefined {
		e.size = -1
		return e, nil
	}
	if uint64(n) > uint64(end-e.start) {
		return element{}, broken(pos, "an element is longer than what holds it")
	}
	e.size = int(n)
	return e, nil
}

// inner is the syntax of the items of a sequence. What a system did not know,
// and so wrote as UN of undefined length, is implicit little endian inside
// (PS3.5 section 6.2.2 note 2).
func (s syntax) inner(e element) syntax {
	if e.vr == vrUN {
		return implicitLittle
	}
	return s
}

// walker finds ends. It counts elements, so that a file of many small ones ends.
type walker struct {
	b    []byte
	seen int
}

// over is where the element ends that begins with the head e; end is where its
// holder ends. An element of undefined length is read down to its delimiter.
func (w *walker) over(s syntax, e element, end, depth int) (int, error) {
	if e.size >= 0 {
		return e.end(), nil
	}
	if isBinary(e.vr) {
		return w.overFragments(s, e.start, end, nil)
	}
	if e.vr != 0 && e.vr != vrSQ && e.vr != vrUN {
		return 0, broken(e.start, "an element that is no sequence has no length")
	}
	return w.overItems(s.inner(e), e.start, end, depth+1)
}

func isBinary(v vr) bool { return v == vrOB || v == vrOW }

// overItems reads items up to the sequence's delimiter.
func (w *walker) overItems(s syntax, pos, end, depth int) (int, error) {
	if depth > maxDepth {
		return 0, broken(pos, "sequences lie too deep in each other")
	}
	for {
		item, err := w.next(s, pos, end)
		if err != nil {
			return 0, err
		}
		switch {
		case item.tag == tagSequenceEnd:
			return delimiter(item)
		case item.tag != tagItem:
			return 0, broken(pos, "something that is no item is in a sequence")
		case item.size >= 0:
			pos = item.end()
			continue
		}
		for pos = item.start; ; {
			e, err := w.next(s, pos, end)
			if err != nil {
				return 0, err
			}
			if e.tag == tagItemEnd {
				if pos, err = delimiter(e); err != nil {
					return 0, err
				}
				break
			}
			if e.tag.group() == 0xFFFE {
				return 0, broken(pos, "a delimiter stands where an element must")
			}
			if pos, err = w.over(s, e, end, depth); err != nil {
				return 0, err
			}
		}
	}
}

// overFragments reads encapsulated pixel data (PS3.5 section A.4) and hands the
// fragments to each, the first being the offset table.
func (w *walker) overFragments(s syntax, pos, end int, each func(start, end int) error) (int, error) {
	for {
		item, err := w.next(s, pos, end)
		if err != nil {
			return 0, err
		}
		if item.tag == tagSequenceEnd {
			return delimiter(item)
		}
		if item.tag != tagItem || item.size < 0 {
			return 0, broken(pos, "encapsulated pixel data holds something that is no fragment")
		}
		if each != nil {
			if err := each(item.start, item.end()); err != nil {
				return 0, err
			}
		}
		pos = item.end()
	}
}

func (w *walker) next(s syntax, pos, end int) (element, error) {
	if w.seen++; w.seen > maxTags {
		return element{}, broken(pos, "there are too many elements")
	}
	return s.next(w.b, pos, end)
}

func delimiter(e element) (int, error) {
	if e.size != 0 {
		return 0, broken(e.start, "a delimiter has a length")
	}
	return e.start, nil
}
