package audit

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
)

// The index finds the entries of a decision and the entry of an act. It is
// derived: whatever of it is missing or does not read is made again from the
// entries. For each full group of entries there is a file, index/<group>:
//
//	magic 8, group 8, time of the last entry 8, acts 4
//	acts: 16 bytes of SHA-256 of the act's id, 8 of its log index
//	groupSize decisions, sorted: 8 bytes of hash of the decision's id, 2 of offset in the group
//	CRC-32C 4
//
// The acts of all groups are in memory, since Append must know them all; they are
// few. Decisions are looked up on the disk, and every hit is checked against the
// entry itself.
const (
	indexDir   = "index"
	indexMagic = "SPINDEX1"
	indexHead  = 8 + 8 + 8 + 4
	groupSize  = 1 << 14

	// A decision id carries the time at which it was made. Entries are younger, but
	// clocks of two nodes may differ; no clock is wrong by a day unnoticed.
	clockSkew = 24 * time.Hour
)

type actRef struct {
	key [16]byte
	at  uint64
}

type index struct {
	fs     FS
	acts   map[[16]byte]uint64
	groups []int64 // time of the last entry of each group that has a file

	// Of the entries behind the last group with a file; the log's mutex guards them.
	tail     []uint64 // hash of the decision's id, 0 for none
	tailActs []actRef
	ends     []int64 // time of the last entry of each full group
}

func (ix *index) from() uint64 { return uint64(len(ix.groups)) * groupSize }

func groupName(g int) string { return fmt.Sprintf("%s/%08d", indexDir, g) }

// hashDecision is FNV-1a, never 0.
func hashDecision(d []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range d {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return max(h, 1)
}

// field returns the value of a string field of an entry that this package wrote,
// where no value can hold a quote.
func field(entry []byte, key string) []byte {
	at := bytes.Index(entry, []byte(key))
	if at < 0 {
		return nil
	}
	v := entry[at+len(key):]
	return v[:max(0, bytes.IndexByte(v, '"'))]
}

func entryTime(entry []byte) int64 {
	if len(entry) < len(head)+len(noTime) {
		return 0
	}
	t, err := time.Parse(timeLayout, string(entry[len(head):len(head)+len(noTime)]))
	if err != nil {
		return 0
	}
	return t.UnixNano()
}

// add notes the entry with the next index.
func (ix *index) add(at uint64, entry []byte) {
	var h uint64
	if d := field(entry, `,"decision":"`); d != nil {
		h = hashDecision(d)
	} else if a := field(entry, `,"act":"`); a != nil {
		ref := actRef{actKey(id.Act(a)), at}
		if _, twice := ix.acts[ref.key]; !twice {
			ix.acts[ref.key] = at
			ix.tailActs = append(ix.tailActs, ref)
		}
	}
	ix.tail = append(ix.tail, h)
	if (at+1)%groupSize == 0 {
		ix.ends = append(ix.ends, entryTime(entry))
	}
}

// loadIndex reads the index and makes again what is missing of it.
func loadIndex(l *Log) (*index, error) {
	ix := &index{fs: l.fs, acts: map[[16]byte]uint64{}}
	for uint64(len(ix.groups)+1)*groupSize <= l.size {
		g := len(ix.groups)
		acts, end, err := readGroup(l.fs, g)
		if err != nil {
			break
		}
		for _, a := range acts {
			ix.acts[a.key] = a.at
		}
		ix.groups = append(ix.groups, end)
	}
	if ix.from() < l.size && l.size-ix.from() > groupSize {
		l.logger.Info("audit: making the index again from the entries", "from", ix.from(), "to", l.size)
	}
	var last []byte
	for at := ix.from(); at < l.size; {
		b, err := readTile(l.fs, "entries", at/tileWidth, bundleWidth(at, l.size))
		if err != nil {
			return nil, err
		}
		for range bundleWidth(at, l.size) {
			if last, b, err = bundleEntry(b, 0); err != nil {
				return nil, err
			}
			ix.add(at, last)
			at++
		}
		if err := ix.write(at, nil); err != nil {
			return nil, err
		}
	}
	if l.size > 0 && last == nil {
		b, err := readTile(l.fs, "entries", (l.size-1)/tileWidth, bundleWidth(l.size-1, l.size))
		if err != nil {
			return nil, err
		}
		if last, _, err = bundleEntry(b, int((l.size-1)%tileWidth)); err != nil {
			return nil, err
		}
	}
	if last != nil {
		l.last = entryTime(last)
	}
	return ix, nil
}

// bundleWidth is how many entries of the bundle that holds at are in a tree of
// this size.
func bundleWidth(at, size uint64) int {
	return int(min(tileWidth, size-at/tileWidth*tileWidth))
}

// flushIndex writes the groups that a tree of this size fills.
func (l *Log) flushIndex(size uint64) error { return l.index.write(size, l) }

// write makes the files of full groups. l is nil while the log is being opened,
// when nobody else uses the index.
func (ix *index) write(size uint64, l *Log) error {
	for {
		if l != nil {
			l.mu.Lock()
		}
		g := len(ix.groups)
		ready := ix.from()+groupSize <= size
		var decisions []uint64
		var acts []actRef
		var end int64
		if ready {
			decisions, end = ix.tail[:groupSize], ix.ends[0]
			n := 0
			for n < len(ix.tailActs) && ix.tailActs[n].at < ix.from()+groupSize {
				n++
			}
			acts = ix.tailActs[:n]
		}
		if l != nil {
			l.mu.Unlock()
		}
		if !ready {
			return nil
		}
		if err := replaceFile(ix.fs, groupName(g), groupFile(g, decisions, acts, end), false); err != nil {
			return err
		}
		if l != nil {
			l.mu.Lock()
		}
		ix.groups = append(ix.groups, end)
		ix.tail = slices.Clone(ix.tail[groupSize:])
		ix.tailActs = slices.Clone(ix.tailActs[len(acts):])
		ix.ends = ix.ends[1:]
		if l != nil {
			l.mu.Unlock()
		}
	}
}

func groupFile(g int, decisions []uint64, acts []actRef, end int64) []byte {
	b := make([]byte, 0, indexHead+24*len(acts)+10*len(decisions)+4)
	b = append(b, indexMagic...)
	b = binary.BigEndian.AppendUint64(b, uint64(g))
	b = binary.BigEndian.AppendUint64(b, uint64(end))
	b = binary.BigEndian.AppendUint32(b, uint32(len(acts)))
	for _, a := range acts {
		b = append(b, a.key[:]...)
		b = binary.BigEndian.AppendUint64(b, a.at)
	}
	type pair struct {
		h   uint64
		off uint16
	}
	pairs := make([]pair, len(decisions))
	for i, h := range decisions {
		pairs[i] = pair{h, uint16(i)}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.h, b.h), cmp.Compare(a.off, b.off))
	})
	for _, p := range pairs {
		b = binary.BigEndian.AppendUint64(b, p.h)
		b = binary.BigEndian.AppendUint16(b, p.off)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

var errIndex = errors.New("audit: an index file does not read")

func readGroup(f FS, g int) (acts []actRef, end int64, err error) {
	b, err := f.ReadFile(groupName(g))
	if err != nil {
		return nil, 0, err
	}
	if len(b) < indexHead+4 || string(b[:8]) != indexMagic ||
		binary.BigEndian.Uint32(b[len(b)-4:]) != crc32.Checksum(b[:len(b)-4], castagnoli) ||
		binary.BigEndian.Uint64(b[8:]) != uint64(g) {
		return nil, 0, errIndex
	}
	n := int(binary.BigEndian.Uint32(b[24:]))
	if len(b) != indexHead+24*n+10*groupSize+4 {
		return nil, 0, errIndex
	}
	for i := range n {
		a := b[indexHead+24*i:]
		acts = append(acts, actRef{[16]byte(a[:16]), binary.BigEndian.Uint64(a[16:])})
	}
	return acts, int64(binary.BigEndian.Uint64(b[16:])), nil
}

// findInGroup returns the indexes of a group's entries with this hash.
func findInGroup(fsys FS, g int, h uint64) ([]uint64, error) {
	f, err := fsys.OpenFile(groupName(g), os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b [10]byte
	if _, err := f.ReadAt(b[:4], indexHead-4); err != nil {
		return nil, err
	}
	base := int64(indexHead) + 24*int64(binary.BigEndian.Uint32(b[:4]))
	at := func(i int) (uint64, uint16, error) {
		_, err := f.ReadAt(b[:], base+10*int64(i))
		return binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint16(b[8:]), err
	}
	lo, hi := 0, groupSize
	for lo < hi {
		mid := (lo + hi) / 2
		v, _, err := at(mid)
		if err != nil {
			return nil, err
		}
		if v < h {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	var found []uint64
	for ; lo < groupSize; lo++ {
		v, off, err := at(lo)
		if err != nil {
			return nil, err
		}
		if v != h {
			break
		}
		found = append(found, uint64(g)*groupSize+uint64(off))
	}
	return found, nil
}
