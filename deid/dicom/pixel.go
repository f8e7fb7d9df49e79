package dicom

import (
	"encoding/binary"
)

func isPixels(t tag) bool {
	switch t {
	case 0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010:
		return true
	}
	return false
}

// pixels rules on the pixel data of the whole object.
func (r *run) pixels(s *scope, e element, end int) (int, error) {
	if e.tag == 0x7FE00001 || e.tag == 0x7FE00002 { // offsets of frames, which do not move
		if !r.enc.encapsulated || r.masked() || e.size < 0 || e.vr != vrOV || e.size%8 != 0 {
			return r.drop(s, e, end, Malformed)
		}
		return r.pass(s, e)
	}
	if !r.enc.encapsulated {
		return r.native(s, e)
	}
	if e.size >= 0 || e.vr != vrOB && e.vr != vrOW || e.tag != 0x7FE00010 {
		return 0, broken(e.start, "compressed pixel data is not in fragments")
	}
	if r.masked() {
		if r.enc.uid != rleLossless {
			return 0, unfit("The image needs a mask and its pixel data is compressed", "Decompress it first, for instance with dcmdjpeg or gdcmconv --raw")
		}
		return r.unpacked(s, e, end)
	}
	if r.facts.hidden {
		return 0, unfit("An overlay lies in the pixels of a compressed image", "Decompress it first, for instance with gdcmconv --raw")
	}
	return r.fragments(s, e, end)
}

// layout is how the samples of one frame lie (PS3.3 section C.7.6.3, PS3.5 section 8).
type layout struct {
	rows, columns, samples int
	size                   int  // bytes of a sample; 0: one bit
	planes                 bool // each sample has a plane of its own
	halved                 bool // two pixels share their colour (YBR_FULL_422): Y Y B R
	frame                  int  // bytes
	frames                 int
}

// layoutOf reads the layout, and refuses one whose frames are larger than size.
func (r *run) layoutOf(e element, size int) (layout, error) {
	f := &r.facts
	l := layout{rows: f.rows, columns: f.columns, samples: f.samples, frames: f.frames, planes: f.planar == 1 && f.samples > 1}
	bits := f.allocated
	switch e.tag {
	case 0x7FE00008:
		bits = 32
	case 0x7FE00009:
		bits = 64
	}
	if l.rows == 0 || l.columns == 0 || l.frames < 1 || l.samples < 1 || l.samples > 4 || f.planar > 1 {
		return l, broken(e.start, "the pixel data has no size")
	}
	switch bits {
	case 1:
		if l.samples != 1 {
			return l, broken(e.start, "the pixel data has no size")
		}
	case 8, 16, 32, 64:
		l.size = bits / 8
	default:
		return l, unoffered("The pixel data has samples of a size that is not read here", "Convert it to 8 or 16 bits allocated")
	}
	pixels := l.rows * l.columns
	switch p := string(f.photometric); {
	case l.size == 0: // frames follow each other without padding
		if l.frames > 8*size || size < (pixels*l.frames+7)/8 {
			return l, broken(e.start, "the pixel data is shorter than its frames")
		}
		l.frame = 0
		return l, nil
	case p == "YBR_FULL_422" || p == "YBR_PARTIAL_422":
		l.halved = true
		if l.samples != 3 || l.columns%2 != 0 || l.planes {
			return l, broken(e.start, "the pixel data has no size")
		}
		l.frame = 2 * pixels * l.size
	default:
		l.frame = pixels * l.samples * l.size
	}
	if l.frames > size/l.frame {
		return l, broken(e.start, "the pixel data is shorter than its frames")
	}
	return l, nil
}

func (l *layout) total() int {
	if l.size == 0 {
		return (l.rows*l.columns*l.frames + 7) / 8
	}
	return l.frame * l.frames
}

// native passes uncompressed pixel data: only the frames, only the bits stored,
// without the mask's regions.
func (r *run) native(s *scope, e element) (int, error) {
	if e.size < 0 {
		return 0, broken(e.start, "uncompressed pixel data is in fragments")
	}
	v := e.vr
	if want := map[tag]vr{0x7FE00008: vrOF, 0x7FE00009: vrOD}[e.tag]; v != 0 && v != vrUN && v != want && (want != 0 || v != vrOB && v != vrOW) {
		return 0, broken(e.start, "the pixel data has another value representation")
	}
	l, err := r.layoutOf(e, e.size)
	if err != nil {
		return 0, err
	}
	px, err := r.clearHidden(e, r.in[e.start:e.start+l.total()], &l)
	if err != nil {
		return 0, err
	}
	r.m.Frames = l.frames
	swapped := r.enc.syntax.big && v == vrOW && l.size <= 1 // two samples share a word, the first being its low byte
	if swapped && len(px)&1 == 1 {
		if len(px) == e.size {
			return 0, broken(e.start, "the pixel data ends inside a word")
		}
		px = append([]byte{}, r.in[e.start:e.start+len(px)+1]...)
		px[len(px)-2] = 0 // padding
	}
	if r.masked() {
		if l.size == 0 {
			return 0, unoffered("A mask cannot be put on pixels of one bit", "Leave the file out, or convert it to 8 bits allocated")
		}
		px = append([]byte(nil), px...)
		if swapped {
			swap(px)
		}
		r.cover(px, &l)
		if swapped {
			swap(px)
		}
	}
	if v == 0 {
		v = vrOW
	}
	r.out.value(s.syntax, e.tag, v, px)
	return e.end(), nil
}

// swap exchanges the bytes of each word.
func swap(px []byte) {
	for i := 0; i+1 < len(px); i += 2 {
		px[i], px[i+1] = px[i+1], px[i]
	}
}

// masked reports whether there is something to blank.
func (r *run) masked() bool { return r.mask != nil && len(r.mask.Regions) > 0 }

// cover blanks the mask's regions in px.
func (r *run) cover(px []byte, l *layout) {
	for _, g := range r.mask.Regions {
		l.blank(px, g)
	}
	r.m.Regions = len(r.mask.Regions)
	r.m.Options[CleanPixelData]++
}

// blank fills a rectangle of every frame with zeros. The whole bytes of a
// sample are zero, whatever their order.
func (l *layout) blank(px []byte, g Rectangle) {
	x, width := g.X, g.Width
	unit, planes, row := l.size*l.samples, 1, 0
	switch {
	case l.planes:
		unit, planes = l.size, l.samples
	case l.halved: // pixels go in pairs of Y Y B R
		odd := x & 1
		x, width = x-odd, (width+odd+1)&^1
		unit = 2 * l.size
	}
	row = unit * l.columns
	for f := range l.frames {
		for p := range planes {
			base := f*l.frame + p*row*l.rows
			for y := g.Y; y < g.Y+g.Height; y++ {
				clear(px[base+y*row+x*unit : base+y*row+(x+width)*unit])
			}
		}
	}
}

// clearHidden clears the bits of a sample outside Bits Stored, where overlays
// were kept until 2004 (PS3.5 section 8.1.2). In signed samples those bits may
// be the sign's, so they are cleared only where the file says that there is an
// overlay in them.
func (r *run) clearHidden(e element, px []byte, l *layout) ([]byte, error) {
	f := &r.facts
	if e.tag != 0x7FE00010 || l.size == 0 || f.stored == 0 || f.stored >= f.allocated || f.signed != 0 && !f.hidden {
		return px, nil
	}
	if f.high < f.stored-1 || f.high >= f.allocated || l.size > 4 {
		return nil, broken(e.start, "the bits of a pixel do not agree")
	}
	if l.size == 4 && r.enc.syntax.big { // which word of the two is the low one depends on who wrote it
		if f.hidden {
			return nil, unoffered("An overlay lies in samples of 32 bits, big endian", "Convert the file to Explicit VR Little Endian")
		}
		return px, nil
	}
	var keep [4]byte
	mask := uint32((uint64(1)<<f.stored - 1) << (f.high + 1 - f.stored))
	switch {
	case l.size == 1:
		keep[0] = byte(mask)
	case l.size == 2 && r.enc.syntax.big:
		binary.BigEndian.PutUint16(keep[:], uint16(mask))
	case l.size == 2:
		binary.LittleEndian.PutUint16(keep[:], uint16(mask))
	default:
		binary.LittleEndian.PutUint32(keep[:], mask)
	}
	// Eight bytes at a time: this looks at every pixel.
	var k [8]byte
	for i := range k {
		k[i] = keep[i%l.size]
	}
	drop, i := ^binary.NativeEndian.Uint64(k[:]), 0
	for ; i+8 <= len(px) && binary.NativeEndian.Uint64(px[i:])&drop == 0; i += 8 {
	}
	if i+8 > len(px) {
		clean := true
		for j := i; j < len(px); j++ {
			clean = clean && px[j]&^k[j%8] == 0
		}
		if clean {
			return px, nil
		}
	}
	px = append([]byte(nil), px...)
	for ; i < len(px); i++ {
		px[i] &= k[i%8]
	}
	r.m.HiddenBits = true
	return px, nil
}
