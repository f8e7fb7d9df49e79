package dicom

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"
	"time"
)

// slice is a CT slice of 512 x 512 as a scanner sends it: 120 elements of all
// kinds, private ones among them, and half a megabyte of pixels.
func slice(f form) []byte {
	us := func(t uint32, n uint16) node {
		return node{tag: t, vr: "US", value: f.order.AppendUint16(nil, n)}
	}
	nodes := []node{us(0x00280010, 512), us(0x00280011, 512), us(0x00280100, 16), us(0x00280101, 12), us(0x00280102, 11),
		{tag: 0x7FE00010, vr: "OW", value: bytes.Repeat([]byte{0x34, 0x02, 0x00, 0x08}, 512*256)}}
	return f.file(f.ct(append(nodes, header(f)...)...))
}

func header(f form) []node {
	nodes := []node{{tag: 0x00190010, vr: "LO", value: []byte("GEMS_ACQU_01")}}
	for i := range 50 {
		nodes = append(nodes, node{tag: 0x00191000 + uint32(i), vr: "DS", value: fmt.Appendf(nil, "%d.5", i)})
	}
	for i, t := range []uint32{0x00080020, 0x00080021, 0x00080022, 0x00080030, 0x00080050, 0x00080070, 0x00080080, 0x00080090, 0x00081010, 0x00081030, 0x0008103E, 0x00081090,
		0x00100030, 0x00100040, 0x00101010, 0x00180050, 0x00180060, 0x00181020, 0x00181030, 0x00181100, 0x00181151, 0x00181210, 0x0020000D, 0x0020000E, 0x00200010,
		0x00200011, 0x00200012, 0x00200013, 0x00200032, 0x00200037, 0x00200052, 0x00201040, 0x00201041, 0x00280030, 0x00281050, 0x00281051, 0x00281052, 0x00281053} {
		vr := vrName(attributes()[tag(t)].vr)
		nodes = append(nodes, node{tag: t, vr: vr, value: plant(f, vr, i)})
	}
	return nodes
}

// report is a header without an image: 2,000 nested content items.
func report(f form) []byte {
	var items [][]node
	for i := range 2000 {
		items = append(items, []node{
			{tag: 0x0040A010, vr: "CS", value: []byte("CONTAINS")},
			{tag: 0x0040A040, vr: "CS", value: []byte("NUM")},
			{tag: 0x0040A043, vr: "SQ", items: [][]node{{{tag: 0x00080100, vr: "SH", value: fmt.Append(nil, 121000+i)}, {tag: 0x00080102, vr: "SH", value: []byte("DCM")}, {tag: 0x00080104, vr: "LO", value: []byte("Length")}}}},
			{tag: 0x0040A160, vr: "UT", value: []byte("Seen in both planes, compare the examination of last year")},
			{tag: 0x0040DB73, vr: "UL", value: f.order.AppendUint32(nil, uint32(i))},
		})
	}
	nodes := f.ct(append(header(f), node{tag: 0x0040A730, vr: "SQ", items: items})...)
	return f.file(nodes[:len(nodes)-1]) // no pixels
}

// copyAll is the least that any tool must do: follow every element and write
// what was read, with its digest.
func copyAll(w io.Writer, file []byte) error {
	enc, pos, err := part10(file)
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := output{}
	var walk func(pos, end int, s syntax) error
	wk := walker{b: file}
	walk = func(pos, end int, s syntax) error {
		for pos < end {
			e, err := wk.next(s, pos, end)
			if err != nil {
				return err
			}
			if e.vr == vrSQ || e.tag == tagItem {
				length := out.head(s, e.tag, e.vr, e.size)
				start := out.size()
				if err := walk(e.start, e.end(), s); err != nil {
					return err
				}
				out.close(s, length, start)
			} else {
				out.value(s, e.tag, e.vr, file[e.start:e.end()])
			}
			pos = e.end()
		}
		return nil
	}
	if err := walk(pos, len(file), enc.syntax); err != nil {
		return err
	}
	return out.writeTo(io.MultiWriter(w, sum))
}

// BenchmarkFile tells MB/s, and the time as a multiple of copyAll's in the same run.
func BenchmarkFile(b *testing.B) {
	mask := Mask{SOPClass: "1.2.840.10008.5.1.4.1.1.2", Rows: 512, Columns: 512, Regions: []Rectangle{{0, 0, 512, 40}}}
	for _, c := range []struct {
		name    string
		file    []byte
		profile Profile
	}{
		{"slice", slice(explicitLittle), Profile{}},
		{"slice, masked", slice(explicitLittle), Profile{Masks: []Mask{mask}}},
		{"slice, bits cleared", slice(explicitBig), Profile{}},
		{"report", report(explicitLittle), Profile{CleanStructuredContent: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			d := deidentifier(b, c.profile)
			b.SetBytes(int64(len(c.file)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.File(io.Discard, c.file); err != nil {
					b.Fatal(err)
				}
			}
			ours := float64(b.Elapsed()) / float64(b.N)
			start, n := time.Now(), 0
			for ; time.Since(start) < 200*time.Millisecond; n++ {
				if err := copyAll(io.Discard, c.file); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(ours/(float64(time.Since(start))/float64(n)), "x-copy")
		})
	}
}
