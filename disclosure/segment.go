package disclosure

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// A segment file, in little-endian numbers:
//
//	head (headLen): magic 8, base 8, origin 32 (SHA-256 of the log's name), chain 32
//	  (SHA-256 of the head before), root 32 (of the tree at base+segmentSize), first
//	  and last time 8+8, rows 4, lengths of the four parts 4*4, their CRC-32C 4*4,
//	  CRC-32C of the head 4
//	dict: what the segment adds to the dictionary, and the facts that its rows have
//	rows: rowLen for each row
//	hot:  of outcomes: bytes, types, patients, the elements that appeared
//	cold: what only a listing shows
const (
	segmentSize  = 1 << 15 // entries, at most 1<<16
	segmentMagic = "SPDISC01"
	headLen      = 8 + 8 + 32 + 32 + 32 + 8 + 8 + 4 + 4*4 + 4*4 + 4
	rowLen       = 24
	maxPart      = 1 << 30 // of a part's length: more is damage
)

// The parts of a file behind its head.
const (
	partDict = iota
	partRows
	partHot
	partCold
	nParts
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errDamaged = errors.New("disclosure: a segment of the index does not read")
)

// kind is what a row stands for.
type kind uint8

const (
	kindIntent kind = 1 + iota
	kindReleased
	kindWithheld
	kindIncomplete
	kindRefusal
)

// Bits of a row's flags.
const (
	flagFinal = 1 << iota
	flagSealed
	flagLater // not the first chunk of its ticket
	flagShown // hot goes on with the elements that appeared
)

// A row: offset of its entry in the segment 2, kind 1, flags 1, facts 4, time 8, hot 4,
// cold 4.
type row struct {
	off   uint16
	kind  kind
	flags uint8
	facts uint32
	time  int64 // Unix nanoseconds
	hot   uint32
	cold  uint32
}

func (r row) append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, r.off)
	b = append(b, byte(r.kind), r.flags)
	b = binary.LittleEndian.AppendUint32(b, r.facts)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.time))
	b = binary.LittleEndian.AppendUint32(b, r.hot)
	return binary.LittleEndian.AppendUint32(b, r.cold)
}

func readRow(b []byte) row {
	_ = b[rowLen-1]
	return row{binary.LittleEndian.Uint16(b), kind(b[2]), b[3], binary.LittleEndian.Uint32(b[4:]),
		int64(binary.LittleEndian.Uint64(b[8:])), binary.LittleEndian.Uint32(b[16:]), binary.LittleEndian.Uint32(b[20:])}
}

// segment is what is in memory of one: on the disk it has a file, and while it is
// being filled its parts are here.
type segment struct {
	base, span  uint64
	first, last int64 // times of its first and last row; 0 without rows
	n           int   // rows
	lens        [nParts]uint32
	sums        [nParts]uint32
	has         []uint32 // the facts that its rows have, sorted
	file        string   // empty: the parts below
	rows        []byte
	hot, cold   []byte
}

// part reads one part of it, and checks it.
func (s *segment) part(f io.ReaderAt, which int) ([]byte, error) {
	at := int64(headLen)
	for i := range which {
		at += int64(s.lens[i])
	}
	b := make([]byte, s.lens[which])
	if _, err := f.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if crc32.Checksum(b, castagnoli) != s.sums[which] {
		return nil, errDamaged
	}
	return b, nil
}

// load reads rows and hot, and cold where it is wanted.
func (s *segment) load(cold bool) (rows, hot, rest []byte, err error) {
	if s.file == "" {
		return s.rows, s.hot, s.cold, nil
	}
	f, err := os.Open(s.file)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	defer f.Close()
	if rows, err = s.part(f, partRows); err != nil {
		return nil, nil, nil, err
	}
	if hot, err = s.part(f, partHot); err != nil {
		return nil, nil, nil, err
	}
	if cold {
		rest, err = s.part(f, partCold)
	}
	return rows, hot, rest, err
}

// head is what a segment's file begins with.
type head struct {
	base                uint64
	origin, chain, root [32]byte
	first, last         int64
	n                   uint32
	lens, sums          [nParts]uint32
}

func (h *head) encode() []byte {
	b := make([]byte, 0, headLen)
	b = append(b, segmentMagic...)
	b = binary.LittleEndian.AppendUint64(b, h.base)
	b = append(append(append(b, h.origin[:]...), h.chain[:]...), h.root[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.first))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.last))
	b = binary.LittleEndian.AppendUint32(b, h.n)
	for _, list := range [2][nParts]uint32{h.lens, h.sums} {
		for _, v := range list {
			b = binary.LittleEndian.AppendUint32(b, v)
		}
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decodeHead(b []byte) (h head, err error) {
	if len(b) != headLen || string(b[:8]) != segmentMagic || crc32.Checksum(b[:headLen-4], castagnoli) != binary.LittleEndian.Uint32(b[headLen-4:]) {
		return h, errDamaged
	}
	h.base = binary.LittleEndian.Uint64(b[8:])
	copy(h.origin[:], b[16:])
	copy(h.chain[:], b[48:])
	copy(h.root[:], b[80:])
	h.first, h.last = int64(binary.LittleEndian.Uint64(b[112:])), int64(binary.LittleEndian.Uint64(b[120:]))
	h.n = binary.LittleEndian.Uint32(b[128:])
	for i := range nParts {
		h.lens[i] = binary.LittleEndian.Uint32(b[132+4*i:])
		h.sums[i] = binary.LittleEndian.Uint32(b[132+4*nParts+4*i:])
		if h.lens[i] > maxPart {
			return h, errDamaged
		}
	}
	if h.n > segmentSize || h.lens[partRows] != h.n*rowLen {
		return h, errDamaged
	}
	return h, nil
}

func segmentFile(dir string, n uint64) string { return filepath.Join(dir, fmt.Sprintf("%08d.seg", n)) }

// readSegment reads head and dictionary of the n-th segment and adds what it adds to
// d; on an error d is as it was.
func readSegment(dir string, n, span uint64, origin, chain [32]byte, d *dict) (*segment, head, error) {
	name := segmentFile(dir, n)
	f, err := os.Open(name)
	if err != nil {
		return nil, head{}, err
	}
	defer f.Close()
	b := make([]byte, headLen)
	if _, err := io.ReadFull(f, b); err != nil {
		return nil, head{}, errDamaged
	}
	h, err := decodeHead(b)
	if err != nil {
		return nil, h, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, h, err
	}
	size := int64(headLen)
	for _, l := range h.lens {
		size += int64(l)
	}
	if h.base != n*span || h.origin != origin || h.chain != chain || info.Size() != size {
		return nil, h, errDamaged
	}
	s := &segment{base: h.base, span: span, first: h.first, last: h.last, n: int(h.n), lens: h.lens, sums: h.sums, file: name}
	part, err := s.part(f, partDict)
	if err != nil {
		return nil, h, err
	}
	s.has, err = readDict(part, d)
	return s, h, err
}

// mark is how far the dictionary had grown.
type mark struct{ strings, tuples, patients, long int }

func (d *dict) mark() mark {
	return mark{len(d.strings), len(d.tuples), len(d.patients), len(d.long)}
}

// appendDict writes what d has beyond a mark, and has.
func appendDict(b []byte, d *dict, from mark, has []uint32) []byte {
	b = binary.AppendUvarint(b, uint64(len(d.strings)-from.strings))
	for _, s := range d.strings[from.strings:] {
		b = appendText(b, s)
	}
	b = binary.AppendUvarint(b, uint64(len(d.tuples)-from.tuples))
	for _, t := range d.tuples[from.tuples:] {
		for _, v := range t {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	b = binary.AppendUvarint(b, uint64(len(d.patients)-from.patients))
	for _, p := range d.patients[from.patients:] {
		b = append(b, p[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(d.long)-from.long))
	for _, l := range d.long[from.long:] {
		b = binary.AppendUvarint(b, uint64(l.code))
		b = appendText(b, l.text)
	}
	b = binary.AppendUvarint(b, uint64(len(has)))
	for _, v := range has {
		b = binary.AppendUvarint(b, uint64(v))
	}
	return b
}

// readDict reads what appendDict wrote. It is checked in full before d is touched.
func readDict(b []byte, d *dict) (has []uint32, err error) {
	r := reader{b: b}
	texts := make([]string, r.count())
	for i := range texts {
		texts[i] = r.text()
	}
	strings := uint64(len(d.strings) + len(texts))
	tuples := make([]tuple, r.count())
	for i := range tuples {
		for k := range nFacts {
			v := r.uvarint()
			if v >= strings {
				return nil, errDamaged
			}
			tuples[i][k] = uint32(v)
		}
	}
	keys := make([]patient, r.count())
	for i := range keys {
		copy(keys[i][:], r.take(len(patient{})))
	}
	long := map[int]string{}
	for range r.count() {
		at := r.uvarint() - uint64(len(d.patients))
		if at >= uint64(len(keys)) {
			return nil, errDamaged
		}
		long[int(at)] = r.text()
	}
	has = make([]uint32, r.count())
	for i := range has {
		v := r.uvarint()
		if v >= uint64(len(d.tuples)+len(tuples)) {
			return nil, errDamaged
		}
		has[i] = uint32(v)
	}
	if r.bad || len(r.b) > 0 {
		return nil, errDamaged
	}
	for _, s := range texts {
		d.string(s)
	}
	for _, t := range tuples {
		d.tuple(t)
	}
	for i, k := range keys {
		if text, ok := long[i]; ok {
			d.longer(text)
		} else {
			d.key(k)
		}
	}
	return has, nil
}

// write makes the segment's file, durably: whole, or not there.
func (b *builder) write(dir string, n uint64, origin, chain, root [32]byte, d *dict) (*segment, [32]byte, error) {
	s := b.segment()
	parts := [nParts][]byte{appendDict(nil, d, b.from, s.has), s.rows, s.hot, s.cold}
	h := head{base: s.base, origin: origin, chain: chain, root: root, first: s.first, last: s.last, n: uint32(s.n)}
	for i, p := range parts {
		h.lens[i], h.sums[i] = uint32(len(p)), crc32.Checksum(p, castagnoli)
	}
	encoded := h.encode()
	name := segmentFile(dir, n)
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, chain, err
	}
	_, err = f.Write(encoded)
	for _, p := range parts {
		if err == nil {
			_, err = f.Write(p)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, chain, err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return nil, chain, err
	}
	s.lens, s.sums, s.file, s.rows, s.hot, s.cold = h.lens, h.sums, name, nil, nil, nil
	return s, sha256.Sum256(encoded), nil
}

// reader takes values off a slice. Once something is not there it gives nothing more.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things of at least a byte each.
func (r *reader) count() int {
	v := r.uvarint()
	if v > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return 0
	}
	return int(v)
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return make([]byte, n)
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string {
	n := r.count()
	if r.bad {
		return ""
	}
	return string(r.take(n))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// anyOf reports whether one of the facts is marked in match.
func anyOf(has []uint32, match []bool) bool {
	return slices.ContainsFunc(has, func(f uint32) bool { return match[f] })
}
