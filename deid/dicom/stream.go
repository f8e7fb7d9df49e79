package dicom

import (
	"bytes"
	"encoding/binary"
)

// codec is how a compressed stream is looked into for text.
type codec uint8

const (
	noCodec codec = iota
	rle
	jpeg
	jpeg2000
)

// codecOf names the codec of a transfer syntax. Video and JPEG XL are not read.
func codecOf(uid string) codec {
	if uid == rleLossless {
		return rle
	}
	switch uid[len(jpegFamily):] {
	case "50", "51", "52", "53", "54", "55", "56", "57", "58", "59", "60", "61", "62", "63", "64", "65", "66", "70", "80", "81":
		return jpeg
	case "90", "91", "92", "93", "201", "202", "203":
		return jpeg2000
	}
	return noCodec
}

// fragments passes encapsulated pixel data. Comments and application segments
// in the streams become zeros of the same length, so that offsets still hold.
func (r *run) fragments(s *scope, e element, end int) (int, error) {
	c := codecOf(r.enc.uid)
	if c == noCodec {
		return 0, unoffered("The pixel data is a video or a stream that is not read here", "Convert it to another transfer syntax, or leave the file out")
	}
	r.out.head(s.syntax, e.tag, vrOB, -1)
	n := 0
	next, err := r.w.overFragments(s.syntax, e.start, end, func(from, to int) error {
		b := r.in[from:to]
		switch {
		case n == 0 && len(b)%4 != 0:
			return broken(from, "the offset table of the pixel data is none")
		case n > 0:
			var err error
			if b, err = r.scrubStream(c, b, from, n == 1); err != nil {
				return err
			}
		}
		n++
		r.out.value(s.syntax, tagItem, 0, b)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if n < 2 {
		return 0, broken(e.start, "there is pixel data without a fragment")
	}
	r.m.Frames = r.facts.frames
	r.out.head(s.syntax, tagSequenceEnd, 0, 0)
	return next, nil
}

// scrubStream blanks what is not image in one fragment. A fragment that starts
// no stream is the rest of one.
func (r *run) scrubStream(c codec, b []byte, at int, first bool) ([]byte, error) {
	var spans [][2]int
	var ok bool
	switch {
	case c == rle:
		return b, nil
	case c == jpeg && bytes.HasPrefix(b, []byte{0xFF, 0xD8}):
		spans, ok = jpegText(b)
	case c == jpeg2000 && bytes.HasPrefix(b, []byte{0xFF, 0x4F}):
		spans, ok = jpeg2000Text(b)
	case bytes.HasPrefix(b, []byte("\x00\x00\x00\x0CjP  ")):
		return nil, unfit("A JPEG 2000 stream is in a file of its own (JP2), which has room for text and which PS3.5 section A.4.4 does not allow", "Convert it to a plain codestream, for instance with gdcmconv")
	case !first:
		return b, nil
	}
	if !ok {
		return nil, broken(at, "a compressed stream cannot be followed")
	}
	out := b
	for _, s := range spans {
		if len(bytes.Trim(b[s[0]:s[1]], "\x00")) == 0 {
			continue
		}
		if &out[0] == &b[0] {
			out = append([]byte(nil), b...)
		}
		clear(out[s[0]:s[1]])
		r.m.BlankedBytes += s[1] - s[0]
	}
	return out, nil
}

// jpegText finds the comments and application segments of a JPEG or JPEG-LS
// stream (ISO 10918-1 section B.1.1, ISO 14495-1 annex C). JFIF's and Adobe's
// own fields stay, as they say what the colours are.
func jpegText(b []byte) (spans [][2]int, ok bool) {
	pos := 2
	for {
		// Markers may be filled with FF in front.
		for pos+1 < len(b) && b[pos] == 0xFF && b[pos+1] == 0xFF {
			pos++
		}
		if pos+2 > len(b) || b[pos] != 0xFF {
			return nil, false
		}
		m := b[pos+1]
		if m == 0xD9 { // end of image: what comes behind belongs to nothing
			return append(spans, [2]int{pos + 2, len(b)}), true
		}
		if pos+4 > len(b) {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b[pos+2:]))
		from, to := pos+4, pos+2+n
		if n < 2 || to > len(b) {
			return nil, false
		}
		seg := b[from:to]
		switch {
		case m == 0xE0 && bytes.HasPrefix(seg, []byte("JFIF\x00")) && len(seg) >= 14:
			spans = append(spans, [2]int{from + 14, to}) // a thumbnail
		case m == 0xEE && bytes.HasPrefix(seg, []byte("Adobe")) && len(seg) >= 12:
			spans = append(spans, [2]int{from + 12, to})
		case m == 0xE8 && bytes.HasPrefix(seg, []byte("mrfx")) && len(seg) <= 8: // colour transform of JPEG-LS
		case m == 0xE8 && bytes.HasPrefix(seg, []byte("SPIFF\x00")) && len(seg) == 30: // sizes and colours (ISO 10918-3)
		case m == 0xE8 && string(seg) == "\x00\x00\x00\x01\xFF\xD8": // end of SPIFF's directory, and a second start
		case m == 0xFE, m >= 0xE0 && m <= 0xEF:
			spans = append(spans, [2]int{from, to})
		}
		pos = to
		if m != 0xDA {
			continue
		}
		// Entropy-coded data: up to FF and a marker that is no restart.
		for {
			i := bytes.IndexByte(b[pos:], 0xFF)
			if i < 0 || pos+i+1 >= len(b) {
				return spans, true // it goes on in the next fragment
			}
			pos += i
			if m := b[pos+1]; m >= 0xC0 && m != 0xFF && (m < 0xD0 || m > 0xD7) {
				break
			}
			pos++
		}
	}
}

// jpeg2000Text finds the comments of a JPEG 2000 codestream (ISO 15444-1 annex
// A), in the main header and in those of tile-parts.
func jpeg2000Text(b []byte) (spans [][2]int, ok bool) {
	pos, tile, tileEnd := 2, 0, 0
	for pos+2 <= len(b) {
		m := binary.BigEndian.Uint16(b[pos:])
		switch m {
		case 0xFFD9: // end of codestream
			return append(spans, [2]int{pos + 2, len(b)}), true
		case 0xFF93: // start of data: up to the end of the tile-part
			if tile == 0 || tileEnd < pos+2 {
				return nil, false
			}
			if tileEnd >= len(b) {
				return spans, true // it goes on in the next fragment, or is cut off there
			}
			pos, tile = tileEnd, 0
			continue
		}
		if pos+4 > len(b) || m < 0xFF00 {
			return nil, false
		}
		n := int(binary.BigEndian.Uint16(b[pos+2:]))
		if n < 2 || pos+2+n > len(b) {
			return nil, false
		}
		switch {
		case m == 0xFF90 && n == 10: // start of tile-part, with its length
			tile, tileEnd = pos, len(b)
			if size := int(binary.BigEndian.Uint32(b[pos+6:])); size > 0 {
				tileEnd = pos + size
			}
		case m == 0xFF64 && n >= 4: // comment; its kind stays
			spans = append(spans, [2]int{pos + 6, pos + 2 + n})
		}
		pos += 2 + n
	}
	return nil, false
}
