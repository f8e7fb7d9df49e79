package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const width = 256 // of tiles and bundles

// tree reads all entries in order and grows the tree over them, comparing each
// tile on the disk with the hashes that the entries give.
type tree struct {
	dir    fs.FS
	size   uint64 // under the checkpoint
	stopAt uint64 // size of the older checkpoint

	levels   [][]tlog.Hash // of each level the hashes of its last tile
	counts   []uint64      // of each level all hashes
	root     tlog.Hash
	stopRoot tlog.Hash // root over the first stopAt entries

	wrongLeaf *Fault // the first entry that is not what its hash says
	wrongTile *Fault // the first hash above the leaves that is not what the entries give
}

func (t *tree) read(s *story) error {
	if t.stopAt == 0 {
		t.stopRoot = t.fold()
	}
	for first := uint64(0); first < t.size; first += width {
		want := int(min(width, t.size-first))
		file, data, err := t.file("entries", first/width, want)
		if err != nil {
			return missing(err, file, first)
		}
		hashes, hashFile, err := t.tile(0, first/width, want)
		if err != nil {
			return missing(err, hashFile, first)
		}
		at := 0
		ends := make([]int, want)
		for i := range want {
			index := first + uint64(i)
			if len(data)-at < 2 || len(data)-at-2 < int(binary.BigEndian.Uint16(data[at:])) {
				if t.wrongLeaf != nil { // whose length led here
					return t.wrongLeaf
				}
				return fault(file, int64(index), "its length reaches over the end of the bundle")
			}
			n := int(binary.BigEndian.Uint16(data[at:]))
			entry := data[at+2 : at+2+n]
			at += 2 + n
			ends[i] = at
			hash := tlog.RecordHash(entry)
			if hash != hashes[i] {
				if t.wrongLeaf == nil {
					t.wrongLeaf = &Fault{file, int64(index), "it is not the entry that was logged: its hash differs from the one in " + hashFile}
				}
			} else {
				s.tell(file, index, entry)
			}
			if err := t.push(0, hash); err != nil {
				return err
			}
			if index+1 == t.stopAt {
				t.stopRoot = t.fold()
			}
		}
		if at < len(data) && file == tilePath("entries", first/width, want) {
			return fault(file, int64(first)+int64(want)-1, "there are %d bytes behind the last entry", len(data)-at)
		}
		if err := t.olderBundles(first/width, data, ends); err != nil {
			return err
		}
	}
	t.root = t.fold()
	for level := range t.levels {
		if len(t.levels[level]) > 0 {
			if err := t.compare(level); err != nil {
				return err
			}
		}
	}
	return nil
}

// judge says what is wrong, now that it is known whether the entries give the
// signed root.
func (t *tree) judge(signed tlog.Hash) error {
	switch {
	case t.root == signed && t.wrongLeaf != nil:
		// The entries are the signed ones, so it is the tile that was changed.
		return fault(tilePathOf(0, uint64(t.wrongLeaf.Entry), t.size), t.wrongLeaf.Entry, "the hash in the tile is not the entry's; the entries themselves are as signed")
	case t.wrongLeaf != nil:
		return t.wrongLeaf
	case t.wrongTile != nil:
		return t.wrongTile
	case t.root != signed:
		return fault(checkpointFile, -1, "the entries and tiles agree with each other, but are not the ones that were signed: their root is %v", t.root)
	}
	return nil
}

// push adds a hash to a level, and the hash of each tile that becomes full to the
// level above.
func (t *tree) push(level int, h tlog.Hash) error {
	if level == len(t.levels) {
		t.levels = append(t.levels, make([]tlog.Hash, 0, width))
		t.counts = append(t.counts, 0)
	}
	t.levels[level] = append(t.levels[level], h)
	t.counts[level]++
	if len(t.levels[level]) < width {
		return nil
	}
	if err := t.compare(level); err != nil {
		return err
	}
	up := perfect(t.levels[level])
	t.levels[level] = t.levels[level][:0]
	return t.push(level+1, up)
}

// compare compares the last tile of a level with what is on the disk: the tile
// itself, and the narrower versions that earlier checkpoints had.
func (t *tree) compare(level int) error {
	got := t.levels[level]
	n := (t.counts[level] - 1) / width
	span := uint64(1) << (8 * level) // entries under one hash of this level
	hashes, file, err := t.tile(level, n, len(got))
	if err != nil {
		return missing(err, file, n*width*span)
	}
	wrong := func(file string, i int) {
		if t.wrongTile == nil {
			first := (n*width + uint64(i)) * span
			t.wrongTile = &Fault{file, int64(first), fmt.Sprintf("hash %d of the tile is not what the entries from this one on give", i)}
		}
	}
	for i := range got {
		if hashes[i] != got[i] && level > 0 { // level 0 was compared entry by entry
			wrong(file, i)
		}
	}
	older, err := t.narrower(strconv.Itoa(level), n)
	if err != nil {
		return err
	}
	for _, w := range older {
		file := tilePath(strconv.Itoa(level), n, w)
		if w >= len(got) {
			continue // the one above, or one that no checkpoint covers yet
		}
		data, err := fs.ReadFile(t.dir, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a log that is being written removes them when the full one is there
		}
		if err != nil {
			return err
		}
		if len(data) != w*tlog.HashSize {
			return fault(file, int64(n*width*span), "it has %d bytes instead of %d", len(data), w*tlog.HashSize)
		}
		for i := range w {
			if !bytes.Equal(data[i*tlog.HashSize:(i+1)*tlog.HashSize], got[i][:]) {
				wrong(file, i)
			}
		}
	}
	return nil
}

// olderBundles compares the narrower versions of a bundle with it.
func (t *tree) olderBundles(n uint64, data []byte, ends []int) error {
	older, err := t.narrower("entries", n)
	if err != nil {
		return err
	}
	for _, w := range older {
		if w >= len(ends) {
			continue
		}
		file := tilePath("entries", n, w)
		b, err := fs.ReadFile(t.dir, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !bytes.Equal(b, data[:ends[w-1]]) {
			i := 0
			for i < w-1 && len(b) >= ends[i] && bytes.Equal(b[:ends[i]], data[:ends[i]]) {
				i++
			}
			return fault(file, int64(n*width)+int64(i), "this older copy of the bundle is not what the bundle has")
		}
	}
	return nil
}

// narrower lists the widths of the partial versions of a tile or bundle.
func (t *tree) narrower(kind string, n uint64) ([]int, error) {
	dir := tilePath(kind, n, width) + ".p"
	entries, err := fs.ReadDir(t.dir, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var ws []int
	for _, e := range entries {
		w, err := strconv.Atoi(e.Name())
		if err != nil || w < 1 || w >= width || strconv.Itoa(w) != e.Name() {
			return nil, fault(path.Join(dir, e.Name()), -1, "no such file belongs to a log")
		}
		ws = append(ws, w)
	}
	return ws, nil
}

// tile reads the first w hashes of a tile.
func (t *tree) tile(level int, n uint64, w int) ([]tlog.Hash, string, error) {
	kind := strconv.Itoa(level)
	file, data, err := t.file(kind, n, w)
	if err != nil {
		return nil, file, err
	}
	exact := file == tilePath(kind, n, w)
	if exact && len(data) != w*tlog.HashSize || len(data) < w*tlog.HashSize {
		span := uint64(1) << (8 * level)
		return nil, file, fault(file, int64(n*width*span), "it has %d bytes instead of %d", len(data), w*tlog.HashSize)
	}
	hashes := make([]tlog.Hash, w)
	for i := range hashes {
		copy(hashes[i][:], data[i*tlog.HashSize:])
	}
	return hashes, file, nil
}

// file reads a tile or bundle of the width that the checkpoint needs, or the full
// one, which a log that is being written may have made since.
func (t *tree) file(kind string, n uint64, w int) (name string, data []byte, err error) {
	name = tilePath(kind, n, w)
	data, err = fs.ReadFile(t.dir, name)
	if errors.Is(err, fs.ErrNotExist) && w < width {
		full := tilePath(kind, n, width)
		if data, err = fs.ReadFile(t.dir, full); err == nil {
			return full, data, nil
		}
	}
	return name, data, err
}

func missing(err error, file string, entry uint64) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fault(file, int64(entry), "it is missing; it begins with this entry")
	}
	return err
}

// fold is the root over all that was pushed: the perfect subtrees of the edge,
// largest first, joined from the right (RFC 6962, 2.1).
func (t *tree) fold() tlog.Hash {
	var root tlog.Hash
	have := false
	for _, hashes := range t.levels {
		for w := 1; w < width; w *= 2 {
			if len(hashes)&w == 0 {
				continue
			}
			h := perfect(hashes[len(hashes)&^(2*w-1) : len(hashes)&^(2*w-1)+w])
			if have {
				h = tlog.NodeHash(h, root)
			}
			root, have = h, true
		}
	}
	if !have {
		return sha256.Sum256(nil)
	}
	return root
}

// perfect is the root of a perfect tree over a power of two of hashes.
func perfect(h []tlog.Hash) tlog.Hash {
	if len(h) == 1 {
		return h[0]
	}
	return tlog.NodeHash(perfect(h[:len(h)/2]), perfect(h[len(h)/2:]))
}

// tilePath is the path of a tile or bundle: its number in groups of three digits,
// all but the last with an x before them.
func tilePath(kind string, n uint64, w int) string {
	p := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		p = fmt.Sprintf("x%03d/%s", n%1000, p)
	}
	p = "tile/" + kind + "/" + p
	if w < width {
		p += ".p/" + strconv.Itoa(w)
	}
	return p
}

// tilePathOf is the path of the level's tile over an entry, in a tree of this size.
func tilePathOf(level int, entry, size uint64) string {
	n := entry >> (8 * level) / width
	return tilePath(strconv.Itoa(level), n, int(min(width, size>>(8*level)-n*width)))
}

// unexpected looks for files that do not belong to a log. Files beyond the
// checkpoint are left by a crash or belong to the next checkpoint.
func unexpected(dir fs.FS, size uint64) error {
	return fs.WalkDir(dir, "tile", func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && (name == "tile" && size == 0 || name != "tile") {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rest := strings.TrimPrefix(name, "tile/")
		kind, rest, _ := strings.Cut(rest, "/")
		if level, err := strconv.Atoi(kind); kind != "entries" && (err != nil || level < 0 || level > 7 || strconv.Itoa(level) != kind) {
			return fault(name, -1, "no such file belongs to a log")
		}
		w := width
		if number, partial, ok := strings.Cut(rest, ".p/"); ok {
			rest = number
			if w, err = strconv.Atoi(partial); err != nil || w < 1 || w >= width {
				return fault(name, -1, "no such file belongs to a log")
			}
		}
		n, err := strconv.ParseUint(strings.NewReplacer("x", "", "/", "").Replace(rest), 10, 63)
		if err != nil || tilePath(kind, n, w) != name {
			return fault(name, -1, "no such file belongs to a log")
		}
		return nil
	})
}
