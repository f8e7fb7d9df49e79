package verify

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The journal's files are rows of frames: magic 8, length of payload 4, count 4,
// index of the first entry 8, CRC-32C of all but magic and itself 4, payload as
// in a bundle; big-endian. A frame may be unfinished at the end of the last file
// only; it was never acknowledged. Zeros may follow the last frame of a file.
const (
	frameMagic = "\x89SPWAL\r\n"
	frameHead  = 28
)

// readJournal checks that the journal continues the tree: entries that the tree
// has too are the same, the others follow without a gap and obey the rules.
func readJournal(dir fs.FS, key note.Verifier, size uint64, s *story, r *Report) error {
	names, err := fs.ReadDir(dir, "journal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	next, begun := uint64(0), false
	known := leaves{t: tree{dir: dir}, size: size}
	for i, d := range names {
		file := path.Join("journal", d.Name())
		var first uint64
		if n, err := fmt.Sscanf(d.Name(), "%020d.wal", &first); n != 1 || err != nil || fmt.Sprintf("%020d.wal", first) != d.Name() {
			return fault(file, -1, "no such file belongs to a log")
		}
		data, err := fs.ReadFile(dir, file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the log is being written, and a newer checkpoint covers it by now
		}
		if err != nil {
			return err
		}
		if !begun && first > size {
			// A log that is being written may have moved on since the checkpoint was read.
			signed, err := fs.ReadFile(dir, checkpointFile)
			if err != nil {
				return err
			}
			now, err := openCheckpoint(signed, key)
			if err != nil || now.size < first {
				return fault(file, int64(size), "it begins at entry %d, but the checkpoint covers %d; what lies between is missing", first, size)
			}
			return nil
		}
		// Of segments that the tree covers a crash can bring back any.
		if begun && first != next && first > size {
			return fault(file, int64(next), "it begins at entry %d, but the file before it ends at %d", first, next)
		}
		next, begun = first, true
		for at, looked := 0, -1; at < len(data); {
			payload, why := frame(data[at:], next)
			if why != "" && len(bytes.TrimLeft(data[at:], "\x00")) == 0 {
				break // made beforehand, and not filled yet
			}
			if why != "" {
				if i == len(names)-1 && !frameFollows(data[at+1:], next) {
					r.Torn = uint64(len(data) - at)
					break
				}
				// A log that is being written fills zeros: what lies behind may have
				// been read later than this was. It stands by now.
				if looked < at {
					looked = at
					newer, err := fs.ReadFile(dir, file)
					if errors.Is(err, fs.ErrNotExist) {
						return nil
					}
					if err != nil {
						return err
					}
					if len(newer) > at {
						data = newer
						continue
					}
				}
				return fault(file, int64(next), "the frame at offset %d does not read: %s", at, why)
			}
			at += frameHead + len(payload)
			for ; len(payload) > 0; next++ {
				n := 2 + int(binary.BigEndian.Uint16(payload))
				entry := payload[2:n]
				if next >= size {
					r.Uncovered++
					if s.tell(file, next, entry); s.fault != nil {
						return s.fault
					}
				} else if hash, err := known.hash(next); err != nil {
					return err
				} else if hash != tlog.RecordHash(entry) {
					return fault(file, int64(next), "the journal has another entry than the tree")
				}
				payload = payload[n:]
			}
		}
	}
	return nil
}

// leaves gives the hash of an entry in the tree, reading each tile once.
type leaves struct {
	t      tree
	size   uint64
	first  uint64
	hashes []tlog.Hash
}

func (l *leaves) hash(index uint64) (tlog.Hash, error) {
	if first := index / width * width; l.hashes == nil || l.first != first {
		hashes, tile, err := l.t.tile(0, index/width, int(min(width, l.size-first)))
		if err != nil {
			return tlog.Hash{}, missing(err, tile, first)
		}
		l.first, l.hashes = first, hashes
	}
	return l.hashes[index-l.first], nil
}

// frame returns the payload of the frame at the beginning of b, or why there is none.
func frame(b []byte, first uint64) (payload []byte, why string) {
	switch {
	case len(b) < frameHead:
		return nil, "its head is cut short"
	case string(b[:8]) != frameMagic:
		return nil, "no frame begins here"
	case uint64(binary.BigEndian.Uint32(b[8:])) > uint64(len(b)-frameHead):
		return nil, "it is cut short"
	case binary.BigEndian.Uint64(b[16:]) != first:
		return nil, fmt.Sprintf("it begins with entry %d", binary.BigEndian.Uint64(b[16:]))
	}
	payload = b[frameHead : frameHead+int(binary.BigEndian.Uint32(b[8:]))]
	table := crc32.MakeTable(crc32.Castagnoli)
	if crc32.Update(crc32.Checksum(b[8:24], table), table, payload) != binary.BigEndian.Uint32(b[24:]) {
		return nil, "its checksum is wrong"
	}
	count := uint32(0)
	for p := payload; len(p) > 0; count++ {
		if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
			return nil, "an entry reaches over its end"
		}
		p = p[2+int(binary.BigEndian.Uint16(p)):]
	}
	if count == 0 || count != binary.BigEndian.Uint32(b[12:]) {
		return nil, "it has another number of entries than it says"
	}
	return payload, ""
}

// frameFollows reports whether a whole frame, with a later entry, lies anywhere in
// b: then what does not read before it was acknowledged.
func frameFollows(b []byte, first uint64) bool {
	for {
		at := bytes.Index(b, []byte(frameMagic))
		if at < 0 || len(b)-at < frameHead {
			return false
		}
		b = b[at:]
		if n := binary.BigEndian.Uint64(b[16:]); n >= first {
			if _, why := frame(b, n); why == "" {
				return true
			}
		}
		b = b[1:]
	}
}
