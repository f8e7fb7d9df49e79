package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
)

// The journal is a row of segment files, journal/<first index, 20 digits>.wal.
// A segment is a row of frames; a frame is one group commit:
//
//	magic    8 bytes
//	length   4, of the payload
//	count    4, of entries
//	first    8, index of the first entry
//	crc      4, CRC-32C of length, count, first and payload
//	payload  each entry with its length before it in 2 bytes, as in a bundle
//
// All numbers are big-endian. One frame is in flight at a time, so after a crash
// only the last frame of the last segment can be unfinished; anything else that
// does not read is damage, and the log does not open on it.
//
// A busy log makes its next segment beforehand, of zeros: to overwrite what is
// there costs the file system half as much as to let a file grow, since its
// own journal has nothing to record. So a segment may end in zeros.
const (
	journalDir = "journal"
	frameMagic = "\x89SPWAL\r\n" // not ASCII, so never inside the JSON of an entry
	frameHead  = 28

	segmentBytes = 8 << 20
	spareFile    = tempDir + "/journal" // the next segment; a start removes it
	spareStep    = 512 << 10            // of it at a time, so that commits do not wait long
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frameCRC(head, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(head[8:24], castagnoli), castagnoli, payload)
}

// batch is one group commit: a frame that fills while the one before it is being
// written.
type batch struct {
	first uint64
	buf   []byte   // the frame, with room for its head
	at    []uint32 // where each entry begins in buf, behind its length
	done  chan struct{}
	err   error // set before done is closed

	wanted bool // somebody waits for it, it is full, or its time has come
	timed  bool // a timer will want it
}

func (b *batch) add(entry []byte) {
	b.buf = binary.BigEndian.AppendUint16(b.buf, uint16(len(entry)))
	b.at = append(b.at, uint32(len(b.buf)))
	b.buf = append(b.buf, entry...)
}

// entry returns the i-th entry of the batch; the caller must not keep it.
func (b *batch) entry(i uint64) []byte {
	at := b.at[i]
	n := binary.BigEndian.Uint16(b.buf[at-2 : at])
	return b.buf[at : at+uint32(n)]
}

func (b *batch) next() uint64 { return b.first + uint64(len(b.at)) }

func (b *batch) seal() {
	h := b.buf[:frameHead]
	copy(h, frameMagic)
	binary.BigEndian.PutUint32(h[8:], uint32(len(b.buf)-frameHead))
	binary.BigEndian.PutUint32(h[12:], uint32(len(b.at)))
	binary.BigEndian.PutUint64(h[16:], b.first)
	binary.BigEndian.PutUint32(h[24:], frameCRC(h, b.buf[frameHead:]))
}

type segment struct{ first, next uint64 }

func (s segment) name() string { return fmt.Sprintf("%s/%020d.wal", journalDir, s.first) }

type journal struct {
	fs  FS
	max int64

	mu    sync.Mutex
	segs  []segment // the last one is cur
	size  int64     // of cur, without zeros
	spare bool      // spareFile is whole
	tried bool      // to make it, beside cur: in vain, if it is not there

	cur File
}

// append writes one frame and returns when it is durable. After an error the
// journal must not be used again: what is on the disk is not known.
func (j *journal) append(b *batch) error {
	if j.cur == nil || j.filled() >= j.max {
		if err := j.rotate(b.first); err != nil {
			return err
		}
	}
	b.seal()
	if _, err := j.cur.Write(b.buf); err != nil {
		return err
	}
	if err := j.cur.Sync(); err != nil {
		return err
	}
	j.mu.Lock()
	j.size += int64(len(b.buf))
	j.segs[len(j.segs)-1].next = b.next()
	j.mu.Unlock()
	return nil
}

func (j *journal) filled() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size
}

func (j *journal) rotate(first uint64) error {
	if j.cur != nil {
		if err := j.cur.Close(); err != nil {
			return err
		}
		j.cur = nil
	}
	s := segment{first, first}
	f, err := j.begin(s.name())
	if err != nil {
		return err
	}
	if err := j.fs.SyncDir(journalDir); err != nil {
		f.Close()
		return err
	}
	j.cur = f
	j.mu.Lock()
	j.size, j.tried = 0, false
	j.segs = append(j.segs, s)
	j.mu.Unlock()
	return nil
}

// begin opens a new segment: the spare one, if it is there.
func (j *journal) begin(name string) (File, error) {
	j.mu.Lock()
	spare := j.spare
	j.spare = false
	j.mu.Unlock()
	if !spare {
		return j.fs.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	}
	if err := j.fs.Rename(spareFile, name); err != nil {
		return nil, err
	}
	return j.fs.OpenFile(name, os.O_RDWR, 0)
}

// prepare makes the spare segment once a good part of the current one is used:
// a log that is not busy needs none. A disk that has no room for it may have
// some for entries still, so what was begun goes, and the segment grows instead.
func (j *journal) prepare() error {
	j.mu.Lock()
	need := !j.spare && !j.tried && len(j.segs) > 0 && j.size >= j.max/4
	j.tried = j.tried || need
	j.mu.Unlock()
	if !need {
		return nil
	}
	if err := j.makeSpare(); err != nil {
		if gone := j.fs.Remove(spareFile); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	j.mu.Lock()
	j.spare = true
	j.mu.Unlock()
	return nil
}

func (j *journal) makeSpare() error {
	f, err := j.fs.OpenFile(spareFile, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, min(j.max, spareStep))
	for left := j.max; left > 0; left -= int64(len(zeros)) {
		if _, err := f.Write(zeros[:min(left, int64(len(zeros)))]); err != nil {
			f.Close()
			return err
		}
		if err := f.Sync(); err != nil {
			f.Close()
			return err
		}
	}
	return f.Close()
}

// trim removes the segments that a durable checkpoint of this size covers, but
// not the one that is being written.
func (j *journal) trim(size uint64) error {
	for {
		j.mu.Lock()
		if len(j.segs) < 2 || j.segs[0].next > size {
			j.mu.Unlock()
			return nil
		}
		s := j.segs[0]
		j.segs = j.segs[1:]
		j.mu.Unlock()
		if err := j.fs.Remove(s.name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

// close removes the last segment too if the tree covers it.
func (j *journal) close(size uint64) error {
	var errs []error
	if j.cur != nil {
		errs = append(errs, j.cur.Close())
	}
	for _, s := range j.segs {
		if s.next <= size {
			errs = append(errs, j.fs.Remove(s.name()))
		}
	}
	return errors.Join(errs...)
}

// recoverJournal reads the journal from the disk, hands every entry with index
// from or later to emit in order, cuts off an unfinished last frame, and returns
// a journal that continues in a new segment. Entries before from are in the tree
// already; of the segments that hold nothing else any may be left, since a crash
// can undo some removals and not others.
func recoverJournal(fsys FS, from uint64, max int64, emit func(index uint64, entry []byte) error) (j *journal, cut uint64, err error) {
	names, err := fsys.ReadDir(journalDir)
	if err != nil {
		return nil, 0, err
	}
	j = &journal{fs: fsys, max: max}
	for i, name := range names {
		full := path.Join(journalDir, name)
		digits, ok := strings.CutSuffix(name, ".wal")
		first, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || len(digits) != 20 {
			return nil, 0, fmt.Errorf("%w: %s is not a journal segment; move it out of the log's directory", ErrDamaged, full)
		}
		data, err := fsys.ReadFile(full)
		if err != nil {
			return nil, 0, err
		}
		next := first
		if len(j.segs) > 0 && j.segs[len(j.segs)-1].next >= from {
			next = j.segs[len(j.segs)-1].next
			if first != next {
				return nil, 0, fmt.Errorf("%w: %s begins at entry %d, but the segment before it ends at %d", ErrDamaged, full, first, next)
			}
		} else if first > from {
			return nil, 0, fmt.Errorf("%w: %s begins at entry %d, but the tree ends at %d; entries between them are missing", ErrDamaged, full, first, from)
		}
		whole, err := readFrames(data, first, func(index uint64, entry []byte) error {
			next = index + 1
			if index < from {
				return nil
			}
			return emit(index, entry)
		})
		var torn *tornError
		switch {
		case errors.As(err, &torn) && i == len(names)-1 && !torn.more:
			cut = uint64(int64(len(data)) - whole)
			if err := truncate(fsys, full, whole); err != nil {
				return nil, 0, fmt.Errorf("cut the unfinished write from %s: %w", full, err)
			}
		case errors.As(err, &torn):
			return nil, 0, fmt.Errorf("%w: %s does not read at offset %d (%s), and it is not the end of the journal; restore this file from a copy", ErrDamaged, full, whole, torn.why)
		case err != nil:
			return nil, 0, fmt.Errorf("%s: %w", full, err)
		}
		j.segs = append(j.segs, segment{first, next})
	}
	if n := len(j.segs); n > 0 {
		last := j.segs[n-1]
		if last.first == last.next { // holds nothing; its name may be needed for the next one
			if err := fsys.Remove(last.name()); err != nil {
				return nil, 0, err
			}
			j.segs = j.segs[:n-1]
		}
	}
	return j, cut, nil
}

func truncate(fsys FS, name string, size int64) error {
	f, err := fsys.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

// tornError says that a frame does not read, and whether a whole frame follows
// it: then it was acknowledged, and is damage rather than an unfinished write.
type tornError struct {
	why  string
	more bool
}

func (t *tornError) Error() string { return t.why }

// readFrames calls emit for every entry of the whole frames at the beginning of
// data, and returns their length. Zeros behind the last frame are no damage.
func readFrames(data []byte, first uint64, emit func(uint64, []byte) error) (whole int64, err error) {
	next := first
	for rest := data; len(rest) > 0; rest = data[whole:] {
		payload, why := readFrame(rest, next)
		if why != "" {
			if onlyZeros(rest) {
				return whole, nil
			}
			return whole, &tornError{why, frameFollows(rest[1:], next)}
		}
		for len(payload) > 0 {
			n := int(binary.BigEndian.Uint16(payload))
			if err := emit(next, payload[2:2+n]); err != nil {
				return whole, err
			}
			payload = payload[2+n:]
			next++
		}
		whole += frameHead + int64(binary.BigEndian.Uint32(rest[8:]))
	}
	return whole, nil
}

func onlyZeros(b []byte) bool { return len(bytes.TrimLeft(b, "\x00")) == 0 }

// readFrame returns the payload of the frame at the beginning of b, or why there
// is none.
func readFrame(b []byte, first uint64) (payload []byte, why string) {
	if len(b) < frameHead {
		return nil, "the head of a frame is cut short"
	}
	if string(b[:8]) != frameMagic {
		return nil, "no frame begins here"
	}
	n := binary.BigEndian.Uint32(b[8:])
	if int64(n) > int64(len(b)-frameHead) {
		return nil, "the frame is cut short"
	}
	payload = b[frameHead : frameHead+int(n)]
	if frameCRC(b, payload) != binary.BigEndian.Uint32(b[24:]) {
		return nil, "the frame's checksum is wrong"
	}
	if got := binary.BigEndian.Uint64(b[16:]); got != first {
		return nil, fmt.Sprintf("the frame begins at entry %d instead of %d", got, first)
	}
	count := uint32(0)
	for p := payload; len(p) > 0; count++ {
		if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
			return nil, "an entry reaches over the end of its frame"
		}
		p = p[2+int(binary.BigEndian.Uint16(p)):]
	}
	if want := binary.BigEndian.Uint32(b[12:]); count != want || count == 0 {
		return nil, fmt.Sprintf("the frame has %d entries instead of %d", count, want)
	}
	return payload, ""
}

// frameFollows reports whether a whole frame with index first or later lies
// anywhere in b.
func frameFollows(b []byte, first uint64) bool {
	for {
		at := bytes.Index(b, []byte(frameMagic))
		if at < 0 {
			return false
		}
		b = b[at:]
		if len(b) >= frameHead {
			if _, why := readFrame(b, binary.BigEndian.Uint64(b[16:])); why == "" && binary.BigEndian.Uint64(b[16:]) >= first {
				return true
			}
		}
		b = b[1:]
	}
}
