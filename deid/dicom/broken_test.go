package dicom

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
)

// all is a file with every kind of thing in it.
func all(f form) []byte {
	return f.file(f.ct(
		node{tag: 0x00080005, vr: "CS", value: []byte("ISO_IR 100")},
		node{tag: 0x00080020, vr: "DA", value: []byte("20200131")},
		node{tag: 0x00081030, vr: "LO", value: []byte("ZZ HEAD")},
		node{tag: 0x00081140, vr: "SQ", open: true, items: [][]node{{{tag: 0x00081155, vr: "UI", value: []byte("1.2.77.1")}}, {}}},
		node{tag: 0x00190010, vr: "LO", value: []byte("ZZ CREATOR")},
		node{tag: 0x00191001, vr: "UN", value: []byte("ZZ PRIVATE")},
		node{tag: 0x0040A730, vr: "SQ", items: [][]node{{{tag: 0x0040A160, vr: "UT", value: []byte("ZZ TEXT")},
			{tag: 0x0040A730, vr: "SQ", open: true, items: [][]node{{{tag: 0x0040A123, vr: "PN", value: []byte("ZZ PERSON")}}}}}}},
		node{tag: 0x60003000, vr: "OW", value: []byte("ZZ OVERLAY")},
	))
}

// TestCutOff: a file that is cut off anywhere but between two elements of its
// top level is refused, without a byte written or a value told.
func TestCutOff(t *testing.T) {
	for _, f := range forms {
		file := all(f)
		d := deidentifier(t, Profile{})
		between := map[int]bool{}
		at := 144 + int(binary.LittleEndian.Uint32(file[140:]))
		w := walker{b: file}
		s := syntax{explicit: f.explicit, big: f.uid == explicitVRBigEndian}
		for pos := at; pos < len(file); {
			between[pos] = true
			e, err := w.next(s, pos, len(file))
			if err != nil {
				t.Fatal(err)
			}
			if pos, err = w.over(s, e, len(file), 0); err != nil {
				t.Fatal(err)
			}
		}
		between[len(file)] = true
		for n := range len(file) {
			var out bytes.Buffer
			_, err := d.File(&out, file[:n])
			switch {
			case err == nil && !between[n]:
				t.Errorf("%s cut off at %d passed", f.uid, n)
			case err != nil && (out.Len() > 0 || strings.Contains(err.Error(), "ZZ")):
				t.Errorf("%s cut off at %d: %d bytes written, error %v", f.uid, n, out.Len(), err)
			}
		}
	}
}

// TestBent: with bytes changed, a file is refused without a byte written, or
// comes out so that it need not be changed again.
func TestBent(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for _, f := range forms {
		file := all(f)
		for range 2500 {
			b := bytes.Clone(file)
			for range 1 + rng.IntN(3) {
				b[132+rng.IntN(len(b)-132)] = byte(rng.IntN(256))
			}
			settled(t, b)
		}
	}
}

// settled runs a file through. Whatever it is, an error comes with nothing
// written, and what is written needs no removal any more and parses strictly.
func settled(t *testing.T, file []byte) {
	t.Helper()
	var out, again bytes.Buffer
	masked := deidentifier(t, Profile{Masks: []Mask{{SOPClass: "1.2.840.10008.5.1.4.1.1.2", Rows: 4, Columns: 4, Regions: []Rectangle{{1, 1, 2, 3}}}}, RetainModifiedDates: true, RetainSafePrivate: true},
		func(o *Options) { o.Cleaner = stars{} })
	if _, err := masked.File(&out, file); err != nil && out.Len() > 0 {
		t.Fatalf("%d bytes were written before an error", out.Len())
	}
	out.Reset()
	d := deidentifier(t, Profile{Basis: SafeHarbor, Masks: []Mask{{SOPClass: "1.2.840.10008.5.1.4.1.1.7", Clean: true}}})
	m, err := d.File(&out, file)
	if err != nil {
		if out.Len() > 0 {
			t.Fatalf("%d bytes were written before an error", out.Len())
		}
		return
	}
	if m.Bytes != int64(out.Len()) {
		t.Fatalf("the manifest says %d bytes, there are %d", m.Bytes, out.Len())
	}
	if m, err = d.File(&again, out.Bytes()); err != nil {
		t.Fatalf("what came out is refused: %v", err)
	}
	for _, a := range []Action{Removed, UnlistedRemoved, PrivateRemoved, GraphicsRemoved, Malformed} {
		if m.Actions[a] > 0 {
			t.Fatalf("what came out still has %d to be %s", m.Actions[a], a)
		}
	}
	if m.BlankedBytes > 0 || m.HiddenBits {
		t.Fatal("what came out still has text in its streams or bits outside its pixels")
	}
}

// TestHostile: files that are made to do harm.
func TestHostile(t *testing.T) {
	f := explicitLittle
	deep := node{tag: 0x00100010, vr: "PN", value: []byte("ZZ")}
	for range 40 {
		deep = node{tag: 0x52009229, vr: "SQ", open: true, items: [][]node{{deep}}}
	}
	bomb := deflate(t, form{deflatedExplicitVR, true, f.order}, f.ct(node{tag: 0x00191001, vr: "OB", value: make([]byte, 8<<20)}))
	twice := f.file(f.ct())
	twice = append(twice, f.encode([]node{{tag: 0x00100010, vr: "PN", value: []byte("ZZ")}})...)
	setUID := func(uid string) []byte {
		return form{uid, true, f.order}.file(f.ct())
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
		max  int64
	}{
		{"sequences in sequences", f.file(f.ct(deep)), "too deep", 0},
		{"the same, where it will be removed", f.file(f.ct(node{tag: 0x00400275, vr: "SQ", open: true, items: [][]node{{deep}}})), "too deep", 0},
		{"a deflate bomb", bomb, "limit", 1 << 20},
		{"a name behind the pixels", twice, "not in order", 0},
		{"the same twice", f.file(append(f.ct(), node{tag: 0x00100010, vr: "PN", value: []byte("ZZ")})), "not in order", 0},
		{"a program in front", append([]byte("MZ"), f.file(f.ct())[2:]...), "", 0},
		{"no DICOM", []byte("%PDF-1.7"), "preamble", 0},
		{"nothing", nil, "preamble", 0},
		{"a private transfer syntax", setUID("1.2.840.113619.5.2"), "transfer syntax", 0},
		{"pixels at a URL", setUID("1.2.840.10008.1.2.4.94"), "transfer syntax", 0},
		{"a video", setUID("1.2.840.10008.1.2.4.102"), "fragments", 0},
		{"pixels that are not there", f.file(f.ct(node{tag: 0x7FE00010, vr: "OB", value: []byte("0123")})), "shorter", 0},
		{"a billion frames", f.file(f.ct(node{tag: 0x00280008, vr: "IS", value: []byte("2147483647")})), "shorter", 0},
		{"a DICOMDIR", f.file([]node{{tag: 0x00041220, vr: "SQ"}, {tag: 0x00080016, vr: "UI", value: []byte(directoryClass)}}), "DICOMDIR", 0},
	} {
		d := deidentifier(t, Profile{MaxBytes: c.max})
		var out bytes.Buffer
		_, err := d.File(&out, c.file)
		switch {
		case c.want == "" && (err != nil || bytes.HasPrefix(out.Bytes(), []byte("MZ"))):
			t.Errorf("%s: %v, or the preamble came out", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 || strings.Contains(err.Error(), "ZZ")):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// TestReader: as File, from elsewhere; a size over the limit is not even read.
func TestReader(t *testing.T) {
	file := all(explicitLittle)
	d := deidentifier(t, Profile{MaxBytes: int64(len(file))})
	var a, b bytes.Buffer
	ma, err := d.File(&a, file)
	if err != nil {
		t.Fatal(err)
	}
	mb, err := d.Reader(&b, bytes.NewReader(file), int64(len(file)))
	if err != nil || ma != mb || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("Reader: %v, same manifest: %v", err, ma == mb)
	}
	if _, err := d.Reader(&b, nil, int64(len(file))+1); err == nil {
		t.Error("a file over the limit passed")
	}
	if _, err := d.Reader(&b, bytes.NewReader(file[:100]), int64(len(file))); err == nil {
		t.Error("a file that is shorter than it says passed")
	}
}

func FuzzFile(f *testing.F) {
	for _, form := range forms {
		f.Add(all(form))
	}
	f.Add(deflateSeed(f))
	jpeg := form{jpegFamily + "50", true, binary.LittleEndian}
	stream := []byte("\xff\xd8\xff\xfe\x00\x06ZZID\xff\xda\x00\x04\x01\x02\x11\x22\xff\xd9")
	var frags []byte
	for _, b := range [][]byte{{}, stream} {
		frags = append(jpeg.head(frags, node{tag: 0xFFFEE000}, len(b)), b...)
	}
	frags = jpeg.head(frags, node{tag: 0xFFFEE0DD}, 0)
	f.Add(jpeg.file(jpeg.ct(node{tag: 0x7FE00010, vr: "OB", open: true, value: frags})))
	j2k := form{jpegFamily + "90", true, binary.LittleEndian}
	f.Add(j2k.file(j2k.ct(node{tag: 0x7FE00010, vr: "OB", open: true, value: bytes.Replace(frags, stream, []byte("\xff\x4f\xff\x64\x00\x08\x00\x01ZZZZ\xff\x93\xff\xd9\x00\x00\x00\x00\x00\x00")[:len(stream)], 1)})))
	rle := form{rleLossless, true, binary.LittleEndian}
	packed := append(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, 1), 64), make([]byte, 56)...)
	packed = append(packed, "\x07ABCDEFGH\xf9Z\x80"...)
	frags = nil
	for _, b := range [][]byte{{}, packed} {
		frags = append(rle.head(frags, node{tag: 0xFFFEE000}, len(b)), b...)
	}
	frags = rle.head(frags, node{tag: 0xFFFEE0DD}, 0)
	f.Add(rle.file(rle.ct(node{tag: 0x7FE00010, vr: "OB", open: true, value: frags})))
	f.Add(explicitLittle.file(explicitLittle.ct(node{tag: 0x52009229, vr: "UN", open: true, value: []byte("\xfe\xff\x00\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00")})))
	f.Fuzz(settled)
}

func deflateSeed(f *testing.F) []byte {
	return deflate(f, form{deflatedExplicitVR, true, binary.LittleEndian}, explicitLittle.ct(node{tag: 0x00081030, vr: "LO", value: []byte("ZZ HEAD")}))
}
