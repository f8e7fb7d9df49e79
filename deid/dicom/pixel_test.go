package dicom

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

func deidentifier(t testing.TB, p Profile, change ...func(*Options)) *Deidentifier {
	t.Helper()
	if p.Basis == "" {
		p.Basis = ExpertDetermination
	}
	o := Options{Profile: p, UIDs: NewRandomUIDs(new(counting)), Shifts: fixedShift(shiftDays)}
	for _, c := range change {
		c(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// through runs a file through and reads what comes out.
func through(t testing.TB, d *Deidentifier, f form, file []byte) (Manifest, []node) {
	t.Helper()
	var out bytes.Buffer
	m, err := d.File(&out, file)
	if err != nil {
		t.Fatal(err)
	}
	vrs := map[uint32]string{}
	for tg, a := range attributes() {
		vrs[uint32(tg)] = vrName(a.vr)
	}
	_, data := f.open(t, out.Bytes(), vrs)
	return m, data
}

// picture is an image of random pixels, as its attributes.
type picture struct {
	rows, columns, samples, planar, bytes, frames int
	photometric                                   string
	words                                         bool // samples of 8 bits as OW: in big endian files swapped
}

func (p picture) nodes(f form, px []byte) []node {
	us := func(t uint32, n int) node {
		return node{tag: t, vr: "US", value: f.order.AppendUint16(nil, uint16(n))}
	}
	vr := "OB"
	if p.bytes > 1 || !f.explicit || p.words {
		vr = "OW"
	}
	if p.swapped(f) {
		px = swapPairs(px)
	}
	return f.ct(us(0x00280002, p.samples), us(0x00280006, p.planar), us(0x00280010, p.rows), us(0x00280011, p.columns), us(0x00280100, 8*p.bytes),
		us(0x00280101, 8*p.bytes), us(0x00280102, 8*p.bytes-1), node{tag: 0x00280004, vr: "CS", value: []byte(p.photometric)},
		node{tag: 0x00280008, vr: "IS", value: fmt.Append(nil, p.frames)}, node{tag: 0x00080070, vr: "LO", value: []byte("Maker ")},
		node{tag: 0x00081090, vr: "LO", value: []byte("Model 1")}, node{tag: 0x00280301, vr: "CS", value: []byte("YES")},
		node{tag: 0x7FE00010, vr: vr, value: px})
}

func (p picture) swapped(f form) bool { return p.words && p.bytes == 1 && f.uid == explicitVRBigEndian }

func swapPairs(px []byte) []byte {
	px = append(slices.Clone(px), make([]byte, len(px)&1)...)
	for i := 0; i < len(px); i += 2 {
		px[i], px[i+1] = px[i+1], px[i]
	}
	return px
}

// inside reports whether the byte i of the pixel data belongs to a pixel of the
// rectangle: worked out pixel by pixel from the definition of the layouts.
func (p picture) inside(i int, g Rectangle) bool {
	pixels := p.rows * p.columns
	frame := pixels * p.samples * p.bytes
	if p.photometric == "YBR_FULL_422" {
		pair := i % (pixels * 2 * p.bytes) / (4 * p.bytes) // Y Y B R
		x, y := pair*2%p.columns, pair*2/p.columns
		return y >= g.Y && y < g.Y+g.Height && x+1 >= g.X && x < g.X+g.Width
	}
	sample := i % frame / p.bytes
	pixel := sample / p.samples
	if p.planar == 1 {
		pixel = sample % pixels
	}
	x, y := pixel%p.columns, pixel/p.columns
	return x >= g.X && x < g.X+g.Width && y >= g.Y && y < g.Y+g.Height
}

// TestMaskBlanksExactly: in every layout, what lies in a region is zero, and
// every other byte is what it was.
func TestMaskBlanksExactly(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, f := range append(slices.Clone(forms), form{deflatedExplicitVR, true, forms[0].order}) {
		for _, p := range []picture{
			{7, 9, 1, 0, 1, 1, "MONOCHROME2", false}, {7, 9, 1, 0, 2, 3, "MONOCHROME1", false}, {5, 6, 3, 0, 1, 2, "RGB", false}, {5, 6, 3, 1, 1, 2, "RGB", false},
			{5, 6, 3, 1, 2, 1, "YBR_FULL", false}, {5, 6, 1, 0, 4, 1, "MONOCHROME2", false}, {64, 100, 3, 0, 1, 2, "RGB", false}, {4, 10, 3, 0, 1, 2, "YBR_FULL_422", false},
			{7, 9, 1, 0, 1, 1, "MONOCHROME2", true}, {5, 6, 3, 1, 1, 3, "RGB", true}, {5, 7, 3, 0, 1, 3, "RGB", true},
		} {
			size := p.rows * p.columns * p.samples * p.bytes * p.frames
			if p.photometric == "YBR_FULL_422" {
				size = size * 2 / 3
			}
			for range 8 {
				px := make([]byte, size)
				for i := range px {
					px[i] = byte(1 + rng.IntN(255))
				}
				mask := Mask{Manufacturer: "maker", Model: "MODEL 1", Rows: p.rows, Columns: p.columns}
				for range 1 + rng.IntN(3) {
					g := Rectangle{X: rng.IntN(p.columns), Y: rng.IntN(p.rows)}
					g.Width, g.Height = 1+rng.IntN(p.columns-g.X), 1+rng.IntN(p.rows-g.Y)
					mask.Regions = append(mask.Regions, g)
				}
				file := f.file(p.nodes(f, px))
				if f.uid == deflatedExplicitVR {
					file = deflate(t, f, p.nodes(f, px))
				}
				was := slices.Clone(file)
				d := deidentifier(t, Profile{Masks: []Mask{{Model: "Another", Clean: true}, mask}})
				var out bytes.Buffer
				m, err := d.File(&out, file)
				if err != nil {
					t.Fatalf("%s %+v: %v", f.uid, p, err)
				}
				if !bytes.Equal(was, file) {
					t.Fatal("the input was changed")
				}
				b := out.Bytes()
				if f.uid == deflatedExplicitVR {
					b = inflated(t, b)
				}
				_, data := f.open(t, b, vrsOf())
				got, _ := find(data, 0x7FE00010)
				if p.swapped(f) {
					got.value = swapPairs(got.value)
				}
				for i := range px {
					want := px[i]
					for _, g := range mask.Regions {
						if p.inside(i, g) {
							want = 0
						}
					}
					if got.value[i] != want {
						t.Fatalf("%s %+v %+v: byte %d is %d, want %d", f.uid, p, mask.Regions, i, got.value[i], want)
					}
				}
				burned, _ := find(data, 0x00280301)
				if strings.TrimSpace(string(burned.value)) != "NO" || m.Frames != p.frames || m.Regions != len(mask.Regions) {
					t.Errorf("burned in: %q, manifest: %+v", burned.value, m)
				}
				if !strings.Contains(codes(data), "113101") {
					t.Errorf("method codes: %s", codes(data))
				}
			}
		}
	}
}

func vrsOf() map[uint32]string {
	vrs := map[uint32]string{}
	for tg, a := range attributes() {
		vrs[uint32(tg)] = vrName(a.vr)
	}
	return vrs
}

// codes are the method codes of a data set.
func codes(data []node) string {
	var all []string
	n, _ := find(data, 0x00120064)
	for _, it := range n.items {
		v, _ := find(it, 0x00080100)
		all = append(all, strings.TrimSpace(string(v.value)))
	}
	return strings.Join(all, " ")
}

// TestGate: which images pass without a mask.
func TestGate(t *testing.T) {
	class := func(s string) node {
		return node{tag: 0x00080016, vr: "UI", value: []byte("1.2.840.10008.5.1.4.1.1." + s)}
	}
	cs := func(t uint32, s string) node { return node{tag: t, vr: "CS", value: []byte(s)} }
	clean := []Mask{{Manufacturer: "Maker", Clean: true}}
	maker := node{tag: 0x00080070, vr: "LO", value: []byte("MAKER")}
	for _, c := range []struct {
		name    string
		nodes   []node
		profile Profile
		refused string
	}{
		{"a CT image", nil, Profile{}, ""},
		{"ultrasound", []node{class("6.1")}, Profile{}, "SOP class"},
		{"ultrasound that says it has none", []node{class("6.1"), cs(0x00280301, "NO")}, Profile{}, "SOP class"},
		{"the same, trusted", []node{class("6.1"), cs(0x00280301, "NO")}, Profile{TrustBurnedInAnnotation: true}, ""},
		{"ultrasound that says nothing, trusted", []node{class("6.1")}, Profile{TrustBurnedInAnnotation: true}, "SOP class"},
		{"ultrasound of a device that was looked at", []node{class("6.1"), maker}, Profile{Masks: clean}, ""},
		{"ultrasound of another", []node{class("6.1")}, Profile{Masks: clean}, "SOP class"},
		{"secondary capture", []node{class("7")}, Profile{}, "SOP class"},
		{"a multi-frame true colour capture", []node{class("7.4")}, Profile{}, "SOP class"},
		{"a photograph", []node{class("77.1.4")}, Profile{}, "SOP class"},
		{"a class that nobody knows yet", []node{class("999")}, Profile{}, "SOP class"},
		{"a CT image that says it has text", []node{cs(0x00280301, "YES")}, Profile{TrustBurnedInAnnotation: true}, "says so itself"},
		{"a CT screen", []node{cs(0x00080008, `DERIVED\SECONDARY\SCREEN SAVE`)}, Profile{}, "image type"},
		{"a CT dose sheet", []node{cs(0x00080008, `ORIGINAL\PRIMARY\SCREEN SAVE`)}, Profile{}, "image type"},
		{"an ultrasound under CT's class", []node{cs(0x00080060, "US")}, Profile{}, "modality"},
		{"a film under CR's class", []node{class("1"), cs(0x00080064, "DF")}, Profile{}, "captured"},
		{"a PDF", []node{class("104.1")}, Profile{Masks: clean}, "encapsulated document"},
		{"a CDA", []node{class("104.2")}, Profile{}, "encapsulated document"},
		{"a private class", []node{{tag: 0x00080016, vr: "UI", value: []byte("1.3.12.2.1107.5.9.1")}}, Profile{}, "private"},
		{"a face, under Safe Harbor", []node{cs(0x00280302, "YES")}, Profile{Basis: SafeHarbor}, "face"},
		{"a face, for an expert", []node{cs(0x00280302, "YES")}, Profile{}, ""},
	} {
		var out bytes.Buffer
		_, err := deidentifier(t, c.profile).File(&out, explicitLittle.file(explicitLittle.ct(c.nodes...)))
		switch {
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: got %v, want a refusal because of %q", c.name, err, c.refused)
		case err != nil && out.Len() > 0:
			t.Errorf("%s: something was written", c.name)
		}
	}
}

// TestCompressedStreams: a mask does not touch compressed pixels; text
// inside the streams is blanked at its place.
func TestCompressedStreams(t *testing.T) {
	jpg := "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xfe\x00\x0bZZDOE^JAN\xff\xe1\x00\x0aExifZZID\xff\xda\x00\x04\x01\x02\x11\x22\xff\x00\xff\xd0\x33\xff\xfe\x00\x06ZZMR\xff\xd9ZZTAIL"
	j2k := "\xff\x4f\xff\x51\x00\x04\x00\x00\xff\x64\x00\x0c\x00\x01ZZDOE^JA\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x18\x00\x01\xff\x64\x00\x06\x00\x01ZZ\xff\x93\x80\x80\xff\xd9ZZ"
	for name, c := range map[string]struct{ uid, stream string }{
		"JPEG":      {jpegFamily + "50", jpg},
		"JPEG-LS":   {jpegFamily + "80", jpg},
		"JPEG 2000": {jpegFamily + "90", j2k},
	} {
		f := form{c.uid, true, explicitLittle.order}
		stream := []byte(c.stream)
		if len(stream)%2 == 1 {
			stream = append(stream, 0)
		}
		var frags []byte
		for _, b := range [][]byte{{}, stream} {
			frags = append(f.head(frags, node{tag: 0xFFFEE000}, len(b)), b...)
		}
		frags = f.head(frags, node{tag: 0xFFFEE0DD}, 0)
		nodes := f.ct(node{tag: 0x7FE00010, vr: "OB", open: true, value: frags})
		m, data := through(t, deidentifier(t, Profile{}), f, f.file(nodes))
		px, _ := find(data, 0x7FE00010)
		got := px.items[1][0].value
		if bytes.Contains(got, []byte("ZZ")) || len(got) != len(stream) || m.BlankedBytes == 0 {
			t.Errorf("%s: text is left in the stream, or it has another length: %q", name, got)
		}
		for i := range got {
			if got[i] != stream[i] && got[i] != 0 {
				t.Errorf("%s: byte %d is neither what it was nor zero", name, i)
			}
		}
		mask := Mask{SOPClass: "1.2.840.10008.5.1.4.1.1.2", Rows: 4, Columns: 4, Regions: []Rectangle{{0, 0, 1, 1}}}
		if _, err := deidentifier(t, Profile{Masks: []Mask{mask}}).File(new(bytes.Buffer), f.file(nodes)); err == nil || !strings.Contains(err.Error(), "Decompress") {
			t.Errorf("%s with a mask: got %v, want a refusal that says how to decompress", name, err)
		}
		for i := range stream[:len(stream)-8] { // a header that is cut off
			if at := bytes.Index(stream, []byte("\xff\xda")); name != "JPEG" || i < 2 || i >= at {
				continue
			}
			cut := append(f.head(nil, node{tag: 0xFFFEE000}, 0), f.head(nil, node{tag: 0xFFFEE000}, i)...)
			cut = f.head(append(cut, stream[:i]...), node{tag: 0xFFFEE0DD}, 0)
			if _, err := deidentifier(t, Profile{}).File(new(bytes.Buffer), f.file(f.ct(node{tag: 0x7FE00010, vr: "OB", open: true, value: cut}))); err == nil && i%2 == 0 {
				t.Errorf("a stream cut off at %d passed", i)
			}
		}
	}
}

// TestMaskUnpacksRLE: pydicom's RLE samples under a mask come out uncompressed,
// with the pixels that dcmtk finds in them outside the mask, and zeros inside.
func TestMaskUnpacksRLE(t *testing.T) {
	convert := need.Tool(t, "dcmdrle")
	all := samples(t)
	for _, name := range []string{"SC_rgb_rle.dcm", "SC_rgb_rle_2frame.dcm", "SC_rgb_rle_16bit.dcm", "SC_rgb_rle_16bit_2frame.dcm", "MR_small_RLE.dcm", "SC_rgb_rle_32bit.dcm"} {
		dir := t.TempDir()
		in, raw := filepath.Join(dir, "in"), filepath.Join(dir, "raw")
		if err := os.WriteFile(in, all[name], 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := exec.Command(convert, in, raw).CombinedOutput(); err != nil {
			t.Fatalf("%s: dcmdrle: %v: %s", name, err, b)
		}
		b, err := os.ReadFile(raw)
		if err != nil {
			t.Fatal(err)
		}
		at := 144 + binary.LittleEndian.Uint32(b[140:])
		want, _, err := explicitLittle.decode(b[at:], nil)
		if err != nil {
			t.Fatal(err)
		}
		value := func(nodes []node, tag uint32) int {
			n, _ := find(nodes, tag)
			if len(n.value) < 2 {
				return 0
			}
			return int(n.value[0]) | int(n.value[1])<<8
		}
		p := picture{rows: value(want, 0x00280010), columns: value(want, 0x00280011), samples: value(want, 0x00280002), planar: value(want, 0x00280006), bytes: value(want, 0x00280100) / 8}
		g := Rectangle{X: 3, Y: 5, Width: p.columns - 10, Height: 17}
		at = 144 + binary.LittleEndian.Uint32(all[name][140:])
		own, _, err := explicitLittle.decode(all[name][at:], nil)
		if err != nil {
			t.Fatal(err)
		}
		class, _ := find(own, 0x00080016)
		mask := Mask{SOPClass: strings.TrimRight(string(class.value), "\x00"), Rows: p.rows, Columns: p.columns, Regions: []Rectangle{g}}
		m, data := through(t, deidentifier(t, Profile{Masks: []Mask{mask}}), explicitLittle, all[name])
		got, _ := find(data, 0x7FE00010)
		was, _ := find(want, 0x7FE00010)
		if m.TransferSyntax != explicitVRLittleEndian || len(got.value) != len(was.value) || len(was.value) < p.rows*p.columns {
			t.Errorf("%s: %d bytes of pixels, want %d; %s", name, len(got.value), len(was.value), m.TransferSyntax)
			continue
		}
		for i, w := range was.value {
			if p.inside(i, g) {
				w = 0
			}
			if got.value[i] != w {
				t.Errorf("%s: byte %d is %d, want %d", name, i, got.value[i], w)
				break
			}
		}
	}
}

// TestHiddenBits: an overlay in the unused bits of the pixels goes, and so does
// what lies behind the last frame.
func TestHiddenBits(t *testing.T) {
	us := func(t uint32, n uint16) node {
		return node{tag: t, vr: "US", value: explicitLittle.order.AppendUint16(nil, n)}
	}
	px := bytes.Repeat([]byte{0x34, 0x12}, 16)
	px[9] |= 0xF0
	nodes := explicitLittle.ct(us(0x00280100, 16), us(0x00280101, 12), us(0x00280102, 11), node{tag: 0x7FE00010, vr: "OW", value: append(px, "ZZBEHIND"...)},
		us(0x50000005, 2), us(0x60000010, 4), us(0x60000011, 4), us(0x60000100, 16), us(0x60000102, 15))
	m, data := through(t, deidentifier(t, Profile{}), explicitLittle, explicitLittle.file(nodes))
	got, _ := find(data, 0x7FE00010)
	if want := bytes.Repeat([]byte{0x34, 0x02}, 16); !bytes.Equal(got.value, want) || !m.HiddenBits || m.Actions[GraphicsRemoved] != 5 {
		// 0x1234 has 12 bits: 0x234
		t.Errorf("got %x, want %x", got.value, want)
	}
	for _, n := range data {
		if n.tag>>24 == 0x60 {
			t.Errorf("%08X is there", n.tag)
		}
	}
	// Signed pixels without an overlay keep their sign.
	px = bytes.Repeat([]byte{0xFE, 0xFF}, 16)
	nodes = explicitLittle.ct(us(0x00280100, 16), us(0x00280101, 12), us(0x00280102, 11), us(0x00280103, 1), node{tag: 0x7FE00010, vr: "OW", value: px})
	_, data = through(t, deidentifier(t, Profile{}), explicitLittle, explicitLittle.file(nodes))
	if got, _ := find(data, 0x7FE00010); !bytes.Equal(got.value, px) {
		t.Errorf("signed pixels changed: %x", got.value)
	}
}
