package dicom

import (
	"encoding/binary"
)

// unpacked writes RLE compressed pixel data (PS3.5 annex G) uncompressed, with
// the mask's regions blanked: the one compression that is undone here, as it
// loses nothing and is a page of code. The file becomes Explicit VR Little Endian.
func (r *run) unpacked(s *scope, e element, end int) (int, error) {
	l, err := r.layoutOf(e, int(r.d.limit))
	if err != nil {
		return 0, err
	}
	if l.size == 0 || l.halved {
		return 0, unoffered("The pixel data has samples of a size that RLE does not have", "Decompress it first, for instance with gdcmconv --raw")
	}
	var frames [][]byte
	size := 0
	next, err := r.w.overFragments(s.syntax, e.start, end, func(from, to int) error {
		frames, size = append(frames, r.in[from:to]), size+to-from
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(frames)-1 != l.frames { // the first is the offset table
		return 0, broken(e.start, "the frames of the pixel data are not one fragment each")
	}
	if l.total()/64 > size { // two bytes stand for 128 at most
		return 0, broken(e.start, "a frame of the pixel data cannot be decompressed")
	}
	px := make([]byte, l.total())
	for i, f := range frames[1:] {
		if !l.unpack(px[i*l.frame:(i+1)*l.frame], f) {
			return 0, broken(e.start, "a frame of the pixel data cannot be decompressed")
		}
	}
	r.enc.uid, r.enc.encapsulated, r.m.TransferSyntax = explicitVRLittleEndian, false, explicitVRLittleEndian
	if px, err = r.clearHidden(e, px, &l); err != nil {
		return 0, err
	}
	r.cover(px, &l)
	r.m.Frames = l.frames
	v := vrOB
	if l.size > 1 {
		v = vrOW
	}
	r.out.value(s.syntax, e.tag, v, px)
	return next, nil
}

// unpack undoes one frame into dst, which is zero. Each byte of each sample has
// a segment, the highest byte first.
func (l *layout) unpack(dst, frame []byte) bool {
	n := l.samples * l.size
	if len(frame) < 64 || n > 15 || int(binary.LittleEndian.Uint32(frame)) != n {
		return false
	}
	for i := range n {
		from, to := int64(binary.LittleEndian.Uint32(frame[4+4*i:])), int64(len(frame))
		if i+1 < n {
			to = int64(binary.LittleEndian.Uint32(frame[8+4*i:]))
		}
		if from < 64 || from > to || to > int64(len(frame)) {
			return false
		}
		sample, low := i/l.size, l.size-1-i%l.size
		at, step := sample*l.size+low, l.samples*l.size
		if l.planes {
			at, step = sample*l.rows*l.columns*l.size+low, l.size
		}
		if !unpackBits(dst, at, step, l.rows*l.columns, frame[from:to]) {
			return false
		}
	}
	return true
}

// unpackBits puts n bytes at dst[at], dst[at+step] and so on. Bytes of src that
// are left over are padding.
func unpackBits(dst []byte, at, step, n int, src []byte) bool {
	for n > 0 {
		if len(src) < 2 {
			return false
		}
		c := int(src[0])
		src = src[1:]
		switch {
		case c < 128: // c+1 bytes as they are
			c++
			if c > n || c > len(src) {
				return false
			}
			for _, b := range src[:c] {
				dst[at] = b
				at += step
			}
			src, n = src[c:], n-c
		case c > 128: // one byte, 257-c times
			c = 257 - c
			if c > n {
				return false
			}
			for range c {
				dst[at] = src[0]
				at += step
			}
			src, n = src[1:], n-c
		}
	}
	return true
}
