package dicom

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"testing"
)

// node is a data element of a file that a test builds or reads, in a way of its
// own: nothing here uses the code that is tested.
type node struct {
	tag   uint32
	vr    string
	value []byte
	items [][]node // of a sequence, or of encapsulated pixel data
	open  bool     // undefined length
}

var longVRs = []string{"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}

// form is how a test file is encoded.
type form struct {
	uid      string
	explicit bool
	order    binary.AppendByteOrder
}

var (
	explicitLittle = form{explicitVRLittleEndian, true, binary.LittleEndian}
	implicitForm   = form{implicitVRLittleEndian, false, binary.LittleEndian}
	explicitBig    = form{explicitVRBigEndian, true, binary.BigEndian}
	forms          = []form{explicitLittle, implicitForm, explicitBig}
)

func (f form) head(b []byte, n node, size int) []byte {
	b = f.order.AppendUint16(b, uint16(n.tag>>16))
	b = f.order.AppendUint16(b, uint16(n.tag))
	length := uint32(size)
	if n.open {
		length = 0xFFFFFFFF
	}
	switch {
	case !f.explicit || n.tag>>16 == 0xFFFE:
		return f.order.AppendUint32(b, length)
	case slices.Contains(longVRs, n.vr):
		b = append(b, n.vr[0], n.vr[1], 0, 0)
		return f.order.AppendUint32(b, length)
	}
	b = append(b, n.vr[0], n.vr[1])
	return f.order.AppendUint16(b, uint16(size))
}

func (f form) encode(nodes []node) []byte {
	var b []byte
	for _, n := range nodes {
		v := n.value
		if n.vr == "SQ" {
			v = nil
			for _, it := range n.items {
				inner := f.encode(it)
				item := node{tag: 0xFFFEE000, open: n.open}
				v = append(f.head(v, item, len(inner)), inner...)
				if n.open {
					v = f.head(v, node{tag: 0xFFFEE00D}, 0)
				}
			}
			if n.open {
				v = f.head(v, node{tag: 0xFFFEE0DD}, 0)
			}
		}
		if len(v)%2 == 1 {
			pad := byte(' ')
			if slices.Contains([]string{"UI", "OB", "UN"}, n.vr) {
				pad = 0
			}
			v = append(slices.Clone(v), pad)
		}
		b = append(f.head(b, n, len(v)), v...)
	}
	return b
}

// file puts a data set in the DICOM file format, in order of tags.
func (f form) file(nodes []node) []byte {
	slices.SortStableFunc(nodes, func(a, b node) int { return int(int64(a.tag) - int64(b.tag)) })
	meta := explicitLittle.encode([]node{
		{tag: 0x00020001, vr: "OB", value: []byte{0, 1}},
		{tag: 0x00020002, vr: "UI", value: []byte("1.2.840.10008.5.1.4.1.1.2")},
		{tag: 0x00020003, vr: "UI", value: []byte("1.2.3.ZZMETA")},
		{tag: 0x00020010, vr: "UI", value: []byte(f.uid)},
		{tag: 0x00020016, vr: "AE", value: []byte("ZZSOURCE")},
	})
	b := append(bytes.Repeat([]byte("ZZPREAMB"), 16), "DICM"...)
	b = append(b, explicitLittle.encode([]node{{tag: 0x00020000, vr: "UL", value: binary.LittleEndian.AppendUint32(nil, uint32(len(meta)))}})...)
	return append(append(b, meta...), f.encode(nodes)...)
}

// decode reads what encode writes, and encapsulated pixel data. In implicit
// files vr comes from vrs.
func (f form) decode(b []byte, vrs map[uint32]string) (nodes []node, rest []byte, err error) {
	for len(b) > 0 {
		if len(b) < 8 {
			return nil, nil, fmt.Errorf("%d bytes left", len(b))
		}
		order := f.order.(binary.ByteOrder)
		n := node{tag: uint32(order.Uint16(b))<<16 | uint32(order.Uint16(b[2:]))}
		if n.tag == 0xFFFEE00D || n.tag == 0xFFFEE0DD {
			return nodes, b[8:], nil
		}
		size, at := order.Uint32(b[4:]), 8
		if f.explicit && n.tag>>16 != 0xFFFE {
			n.vr = string(b[4:6])
			size = uint32(order.Uint16(b[6:]))
			if slices.Contains(longVRs, n.vr) {
				size, at = order.Uint32(b[8:]), 12
			}
		} else {
			n.vr = vrs[n.tag]
		}
		b = b[at:]
		n.open = size == 0xFFFFFFFF
		if !n.open && int(size) > len(b) {
			return nil, nil, fmt.Errorf("%08X is too long", n.tag)
		}
		switch {
		case n.vr == "SQ" || n.open && n.tag != 0x7FE00010:
			in := b
			if !n.open {
				in, b = b[:size], b[size:]
			}
			for len(in) > 0 {
				t, n2 := uint32(order.Uint16(in))<<16|uint32(order.Uint16(in[2:])), order.Uint32(in[4:])
				in = in[8:]
				if t == 0xFFFEE0DD {
					break
				}
				if t != 0xFFFEE000 {
					return nil, nil, fmt.Errorf("%08X in a sequence", t)
				}
				var it []node
				if n2 == 0xFFFFFFFF {
					it, in, err = f.decode(in, vrs)
				} else {
					it, _, err = f.decode(in[:n2], vrs)
					in = in[n2:]
				}
				if err != nil {
					return nil, nil, err
				}
				n.items = append(n.items, it)
			}
			if n.open {
				b = in
			}
		case n.open:
			whole := b
			for {
				t, n2 := uint32(order.Uint16(b))<<16|uint32(order.Uint16(b[2:])), order.Uint32(b[4:])
				b = b[8:]
				if t == 0xFFFEE0DD {
					break
				}
				n.items = append(n.items, []node{{tag: t, value: b[:n2]}})
				b = b[n2:]
			}
			n.value = whole[:len(whole)-len(b)] // for encode
		default:
			n.value, b = b[:size], b[size:]
		}
		nodes = append(nodes, n)
	}
	return nodes, nil, nil
}

// open reads a file's meta information and data set.
func (f form) open(t testing.TB, file []byte, vrs map[uint32]string) (meta, data []node) {
	t.Helper()
	if len(file) < 144 || string(file[128:132]) != "DICM" || len(bytes.Trim(file[:128], "\x00")) > 0 {
		t.Fatal("the output has no empty preamble, or no prefix")
	}
	n := 144 + binary.LittleEndian.Uint32(file[140:])
	meta, _, err := explicitLittle.decode(file[132:n], nil)
	if err != nil {
		t.Fatal("meta:", err)
	}
	data, _, err = f.decode(file[n:], vrs)
	if err != nil {
		t.Fatal("data set:", err)
	}
	return meta, data
}

func find(nodes []node, tag uint32) (node, bool) {
	for _, n := range nodes {
		if n.tag == tag {
			return n, true
		}
	}
	return node{}, false
}

// ct is a small CT image, the elements given put in or in the place of its own.
func (f form) ct(more ...node) []node {
	us := func(n uint16) []byte { return f.order.AppendUint16(nil, n) }
	base := []node{
		{tag: 0x00080008, vr: "CS", value: []byte(`ORIGINAL\PRIMARY\AXIAL`)},
		{tag: 0x00080016, vr: "UI", value: []byte("1.2.840.10008.5.1.4.1.1.2")},
		{tag: 0x00080018, vr: "UI", value: []byte("1.2.3.4.5")},
		{tag: 0x00080060, vr: "CS", value: []byte("CT")},
		{tag: 0x00100010, vr: "PN", value: []byte("ZZDOE^JANE")},
		{tag: 0x00100020, vr: "LO", value: []byte("ZZ4711")},
		{tag: 0x00280002, vr: "US", value: us(1)},
		{tag: 0x00280004, vr: "CS", value: []byte("MONOCHROME2")},
		{tag: 0x00280010, vr: "US", value: us(4)},
		{tag: 0x00280011, vr: "US", value: us(4)},
		{tag: 0x00280100, vr: "US", value: us(8)},
		{tag: 0x00280101, vr: "US", value: us(8)},
		{tag: 0x00280102, vr: "US", value: us(7)},
		{tag: 0x00280103, vr: "US", value: us(0)},
		{tag: 0x7FE00010, vr: "OB", value: []byte("0123456789abcdef")},
	}
	for _, m := range more {
		if i := slices.IndexFunc(base, func(n node) bool { return n.tag == m.tag }); i >= 0 {
			base[i] = m
		} else {
			base = append(base, m)
		}
	}
	slices.SortStableFunc(base, func(a, b node) int { return int(int64(a.tag) - int64(b.tag)) })
	return base
}

// deflate is file in the deflated transfer syntax.
func deflate(t testing.TB, f form, nodes []node) []byte {
	t.Helper()
	plain := f.file(nodes)
	at := 144 + binary.LittleEndian.Uint32(plain[140:])
	out := bytes.NewBuffer(slices.Clone(plain[:at]))
	z, err := flate.NewWriter(out, 6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(plain[at:]); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// inflated undoes deflate.
func inflated(t testing.TB, file []byte) []byte {
	t.Helper()
	at := 144 + binary.LittleEndian.Uint32(file[140:])
	b, err := io.ReadAll(flate.NewReader(bytes.NewReader(file[at:])))
	if err != nil {
		t.Fatal(err)
	}
	return append(slices.Clone(file[:at]), b...)
}
