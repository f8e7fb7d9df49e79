package dicom

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/sallyport/sallyport/problem"
)

// The transfer syntaxes that are read (PS3.6 table A-1).
const (
	implicitVRLittleEndian = "1.2.840.10008.1.2"
	explicitVRLittleEndian = "1.2.840.10008.1.2.1"
	deflatedExplicitVR     = "1.2.840.10008.1.2.1.99"
	explicitVRBigEndian    = "1.2.840.10008.1.2.2"
	rleLossless            = "1.2.840.10008.1.2.5"
	jpegFamily             = "1.2.840.10008.1.2.4." // JPEG, JPEG-LS, JPEG 2000, MPEG, HEVC, HTJ2K
)

// jpip are the syntaxes whose pixel data is a URL at some server.
var jpip = map[string]bool{
	"1.2.840.10008.1.2.4.94": true, "1.2.840.10008.1.2.4.95": true, "1.2.840.10008.1.2.4.204": true, "1.2.840.10008.1.2.4.205": true,
}

// implementationUID and implementationName say who wrote a file (PS3.7 annex D.3.3.2).
const (
	implementationUID  = "2.25.196508912047722604281570341158239466251"
	implementationName = "SALLYPORT"
)

// encoding is how the data set of a file is encoded.
type encoding struct {
	uid          string
	syntax       syntax
	deflated     bool
	encapsulated bool // pixel data is compressed
}

func encodingOf(uid string) (encoding, error) {
	e := encoding{uid: uid, syntax: syntax{explicit: true}}
	switch {
	case uid == implicitVRLittleEndian:
		e.syntax.explicit = false
	case uid == explicitVRLittleEndian:
	case uid == deflatedExplicitVR:
		e.deflated = true
	case uid == explicitVRBigEndian:
		e.syntax.big = true
	case uid == rleLossless, len(uid) > len(jpegFamily) && uid[:len(jpegFamily)] == jpegFamily && isRegistered(uid) && !jpip[uid]:
		e.encapsulated = true
	default:
		return e, unoffered("The file's transfer syntax is not one that is read here", "Convert it to Explicit VR Little Endian, for instance with dcmconv or gdcmconv")
	}
	return e, nil
}

const preamble = 128

// part10 reads the preamble and the file meta information (PS3.10 section 7.1).
// Nothing of them is kept but the transfer syntax: the preamble may be another
// file altogether, such as a TIFF or a program.
func part10(b []byte) (enc encoding, dataset int, err error) {
	if len(b) < preamble+4 || string(b[preamble:preamble+4]) != "DICM" {
		return enc, 0, unoffered("The file is not in the DICOM File Format: it has no preamble and prefix (PS3.10 section 7.1)",
			"Convert it, for instance with dcmconv")
	}
	s, pos, uid, last := syntax{explicit: true}, preamble+4, "", tag(0)
	for pos < len(b) {
		if len(b)-pos < 4 || s.u16(b[pos:]) != 2 {
			break
		}
		e, err := s.next(b, pos, len(b))
		if err != nil {
			return enc, 0, err
		}
		if e.tag <= last || e.size < 0 {
			return enc, 0, broken(pos, "the file meta information is not in order")
		}
		if e.tag == 0x00020010 {
			if e.vr != vrUI {
				return enc, 0, broken(pos, "the transfer syntax is not a UID")
			}
			uid = string(trim(b[e.start:e.end()]))
		}
		last, pos = e.tag, e.end()
	}
	if uid == "" {
		return enc, 0, broken(pos, "the file meta information names no transfer syntax")
	}
	enc, err = encodingOf(uid)
	return enc, pos, err
}

// Reader is File for a file that is elsewhere. It is read into memory once its
// size is known to be within the limit.
func (d *Deidentifier) Reader(w io.Writer, r io.ReaderAt, size int64) (Manifest, error) {
	if size < 0 || size > d.limit {
		return Manifest{}, d.tooLarge()
	}
	b := make([]byte, size)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return Manifest{}, problem.New(problem.Unavailable, "The file cannot be read", "See whether it is still there, and try again").Because(err)
	}
	return d.File(w, b)
}

func (d *Deidentifier) tooLarge() error {
	return problem.New(problem.TooLarge, "The file is larger than the profile's limit", "Raise max_bytes, or split the object")
}

// File writes the de-identified form of a DICOM file to w. It decides on the
// whole file before it writes: on any error but one of w itself, nothing was
// written. It holds the file's metadata in memory, twice for a deflated file or
// a masked one; file is not changed.
func (d *Deidentifier) File(w io.Writer, file []byte) (Manifest, error) {
	if int64(len(file)) > d.limit {
		return Manifest{}, d.tooLarge()
	}
	enc, pos, err := part10(file)
	if err != nil {
		return Manifest{}, err
	}
	if enc.deflated {
		if file, err = d.inflate(file[pos:]); err != nil {
			return Manifest{}, err
		}
		pos = 0
	}
	r := run{d: d, enc: enc, in: file[pos:]}
	if err := r.decide(); err != nil {
		return Manifest{}, err
	}
	head, err := r.meta()
	if err != nil {
		return Manifest{}, err
	}
	out := counter{w: w, sum: sha256.New()}
	if _, err = out.Write(head); err == nil {
		if enc.deflated {
			z, _ := flate.NewWriter(&out, flate.DefaultCompression) // fails only for a level that does not exist
			if err = r.out.writeTo(z); err == nil {
				err = z.Close()
			}
			if err == nil && out.n&1 == 1 { // PS3.5 section A.5
				_, err = out.Write([]byte{0})
			}
		} else {
			err = r.out.writeTo(&out)
		}
	}
	if err != nil {
		return Manifest{}, problem.New(problem.Unavailable, "The file cannot be written", "Throw away what was written, and try again").Because(err)
	}
	r.m.Bytes = out.n
	out.sum.Sum(r.m.Digest[:0])
	return r.m, nil
}

// inflate is bounded: a few bytes can stand for very many.
func (d *Deidentifier) inflate(b []byte) ([]byte, error) {
	z := flate.NewReader(bytes.NewReader(b))
	out, err := io.ReadAll(io.LimitReader(z, d.limit+1))
	if err != nil {
		return nil, broken(0, "the deflated data set cannot be inflated")
	}
	if int64(len(out)) > d.limit {
		return nil, d.tooLarge()
	}
	return out, nil
}

// meta is the preamble and the file meta information, made anew.
func (r *run) meta() ([]byte, error) {
	if r.sopInstance == "" {
		return nil, errors.New("meta before decide")
	}
	s := syntax{explicit: true}
	var o output
	o.value(s, 0x00020001, vrOB, []byte{0, 1})
	o.value(s, 0x00020002, vrUI, []byte(r.m.SOPClass))
	o.value(s, 0x00020003, vrUI, []byte(r.sopInstance))
	o.value(s, 0x00020010, vrUI, []byte(r.enc.uid))
	o.value(s, 0x00020012, vrUI, []byte(implementationUID))
	o.value(s, 0x00020013, vrSH, []byte(implementationName))
	head := output{buf: append(make([]byte, preamble), "DICM"...)}
	head.value(s, 0x00020000, vrUL, s.append32(nil, uint32(len(o.buf))))
	return append(head.buf, o.buf...), nil
}

// counter counts and digests what goes through it.
type counter struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.sum.Write(b[:n])
	c.n += int64(n)
	return n, err
}
