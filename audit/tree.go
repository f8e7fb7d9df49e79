package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileWidth      = 256 // hashes in a tile, entries in a bundle: fixed by tlog-tiles
	tileHeight     = 8
	checkpointFile = "checkpoint"
	tempDir        = "tmp"
	syncers        = 8 // fsyncs at the same time: the file system joins them
)

// tree is the growing right edge of the Merkle tree: of each level the hashes of
// the one tile that is not full, and the bundle that is not full. All else is on
// the disk and never read again in order to grow.
type tree struct {
	fs     FS
	dirs   *dirs
	n      uint64
	levels [][]tlog.Hash
	bundle []byte

	open   []tileFile      // written since the last sync
	filled []string        // tiles that became full since the last checkpoint
	wrote  map[string]bool // partial files of the last checkpoint: no need to write them again
}

// tileFile is a tile or bundle that is written but not in its place yet.
type tileFile struct {
	File
	temp, name string
}

// tilePath is the path of a tile or bundle in tlog-tiles: kind is a level or
// "entries"; width is 256 when full.
func tilePath(kind string, n uint64, width int) string {
	p := fmt.Sprintf("%03d", n%1000)
	for n >= 1000 {
		n /= 1000
		p = fmt.Sprintf("x%03d/%s", n%1000, p)
	}
	p = "tile/" + kind + "/" + p
	if width < tileWidth {
		p += ".p/" + strconv.Itoa(width)
	}
	return p
}

// add grows the tree by one entry.
func (t *tree) add(entry []byte) error {
	t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(entry)))
	t.bundle = append(t.bundle, entry...)
	at := t.n
	t.n++
	if t.n%tileWidth == 0 {
		if err := t.write("entries", at/tileWidth, tileWidth, t.bundle); err != nil {
			return err
		}
		t.bundle = t.bundle[:0]
	}
	hash := tlog.RecordHash(entry)
	for level := 0; ; level++ {
		if level == len(t.levels) {
			t.levels = append(t.levels, make([]tlog.Hash, 0, tileWidth))
		}
		t.levels[level] = append(t.levels[level], hash)
		at /= tileWidth
		if len(t.levels[level]) < tileWidth {
			return nil
		}
		if err := t.write(strconv.Itoa(level), at, tileWidth, hashBytes(t.levels[level])); err != nil {
			return err
		}
		hash = subtree(t.levels[level])
		t.levels[level] = t.levels[level][:0]
	}
}

// write writes a file that syncFiles puts into its place: under tile/ a file is
// whole or not there, whenever the power fails.
func (t *tree) write(kind string, n uint64, width int, data []byte) error {
	f := tileFile{name: tilePath(kind, n, width), temp: tempDir + "/" + strconv.Itoa(len(t.open))}
	dir := path.Dir(f.name)
	if err := t.dirs.make(dir); err != nil {
		return err
	}
	var err error
	if f.File, err = t.fs.OpenFile(f.temp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	t.open = append(t.open, f)
	t.dirs.dirty[dir] = true
	if width == tileWidth {
		t.filled = append(t.filled, f.name)
	}
	if _, err := f.Write(data); err != nil {
		return err
	}
	if len(t.open) >= 512 {
		return t.syncFiles()
	}
	return nil
}

func (t *tree) syncFiles() error {
	errs := make([]error, min(syncers, len(t.open)))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for k := i; k < len(t.open); k += syncers {
				f := t.open[k]
				if err := errors.Join(f.Sync(), f.Close()); err != nil {
					errs[i] = errors.Join(errs[i], err)
				} else {
					errs[i] = errors.Join(errs[i], t.fs.Rename(f.temp, f.name))
				}
			}
		})
	}
	wg.Wait()
	t.open = t.open[:0]
	return errors.Join(errs...)
}

// clearTemp removes what a crash left unfinished.
func (t *tree) clearTemp() error {
	names, err := t.fs.ReadDir(tempDir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := t.fs.Remove(tempDir + "/" + name); err != nil {
			return err
		}
	}
	return nil
}

// flush writes the partial tiles and makes all that the tree of size n needs
// durable.
func (t *tree) flush() error {
	wrote := map[string]bool{}
	partial := func(kind string, n uint64, width int, data []byte) error {
		name := tilePath(kind, n, width)
		wrote[name] = true
		if t.wrote[name] {
			return nil
		}
		return t.write(kind, n, width, data)
	}
	if w := int(t.n % tileWidth); w > 0 {
		if err := partial("entries", t.n/tileWidth, w, t.bundle); err != nil {
			return err
		}
	}
	count := t.n
	for level, hashes := range t.levels {
		if len(hashes) > 0 {
			if err := partial(strconv.Itoa(level), count/tileWidth, len(hashes), hashBytes(hashes)); err != nil {
				return err
			}
		}
		count /= tileWidth
	}
	if err := t.syncFiles(); err != nil {
		return err
	}
	t.wrote = wrote
	return t.dirs.sync()
}

// sweep removes the partial versions of tiles that have become full, as
// tlog-tiles allows once the full one is there.
func (t *tree) sweep() error {
	for _, name := range t.filled {
		dir := name + ".p"
		old, err := t.fs.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, o := range old {
			if err := t.fs.Remove(path.Join(dir, o)); err != nil {
				return err
			}
		}
		if err := t.fs.Remove(dir); err != nil {
			return err
		}
		delete(t.dirs.known, dir)
		delete(t.dirs.dirty, dir)
	}
	t.filled = t.filled[:0]
	return nil
}

// root is the RFC 6962 tree hash, folded from the perfect subtrees that the edge
// holds, which are the ones bits of n.
func (t *tree) root() tlog.Hash {
	if t.n == 0 {
		return sha256.Sum256(nil)
	}
	var peaks []tlog.Hash
	for level := len(t.levels) - 1; level >= 0; level-- {
		rest := t.levels[level]
		for width := tileWidth / 2; width > 0; width /= 2 {
			if len(rest) >= width {
				peaks = append(peaks, subtree(rest[:width]))
				rest = rest[width:]
			}
		}
	}
	root := peaks[len(peaks)-1]
	for i := len(peaks) - 2; i >= 0; i-- {
		root = tlog.NodeHash(peaks[i], root)
	}
	return root
}

// subtree is the hash of a perfect subtree over a power of two of hashes.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

func hashBytes(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		b = append(b, hashes[i][:]...)
	}
	return b
}

// readTile reads the first width hashes, or the first width entries of a bundle
// with whatever follows them, from the partial file or else from the full one.
func readTile(f FS, kind string, n uint64, width int) ([]byte, error) {
	b, err := f.ReadFile(tilePath(kind, n, width))
	if errors.Is(err, fs.ErrNotExist) && width < tileWidth {
		b, err = f.ReadFile(tilePath(kind, n, tileWidth))
	}
	return b, err
}

// bundleEntry returns the i-th entry of a bundle and the rest behind it.
func bundleEntry(b []byte, i int) (entry, rest []byte, err error) {
	for {
		if len(b) < 2 || len(b)-2 < int(binary.BigEndian.Uint16(b)) {
			return nil, nil, fmt.Errorf("%w: a bundle is cut short", ErrDamaged)
		}
		n := int(binary.BigEndian.Uint16(b))
		entry, rest = b[2:2+n], b[2+n:]
		if i == 0 {
			return entry, rest, nil
		}
		b = rest
		i--
	}
}

// loadTree reads the right edge of the tree of size n and checks it against the
// root that was signed.
func loadTree(f FS, n uint64, root tlog.Hash) (*tree, error) {
	// The partial files of this checkpoint are there and need not be written again.
	t := &tree{fs: f, dirs: newDirs(f), n: n, wrote: map[string]bool{}}
	for level, count := 0, n; count > 0; level, count = level+1, count/tileWidth {
		hashes := make([]tlog.Hash, count%tileWidth, tileWidth)
		if len(hashes) > 0 {
			kind := strconv.Itoa(level)
			t.wrote[tilePath(kind, count/tileWidth, len(hashes))] = true
			b, err := readTile(f, kind, count/tileWidth, len(hashes))
			if err != nil {
				return nil, err
			}
			if len(b) < len(hashes)*tlog.HashSize {
				return nil, fmt.Errorf("%w: %s is cut short", ErrDamaged, tilePath(kind, count/tileWidth, len(hashes)))
			}
			for i := range hashes {
				copy(hashes[i][:], b[i*tlog.HashSize:])
			}
		}
		t.levels = append(t.levels, hashes)
	}
	if got := t.root(); got != root {
		return nil, fmt.Errorf("%w: the tiles on the disk do not add up to the signed checkpoint of %d entries; run sallyport verify to find the place", ErrDamaged, n)
	}
	if w := int(n % tileWidth); w > 0 {
		t.wrote[tilePath("entries", n/tileWidth, w)] = true
		b, err := readTile(f, "entries", n/tileWidth, w)
		if err != nil {
			return nil, err
		}
		rest := b
		for i := range w {
			var entry []byte
			entry, rest, err = bundleEntry(rest, 0)
			if err != nil {
				return nil, err
			}
			if tlog.RecordHash(entry) != t.levels[0][i] {
				return nil, fmt.Errorf("%w: entry %d is not the one in the tree", ErrDamaged, n-uint64(w)+uint64(i))
			}
		}
		t.bundle = bytes.Clone(b[:len(b)-len(rest)])
	}
	return t, nil
}

// checkpointText is the body of a C2SP checkpoint.
func checkpointText(origin string, n uint64, root tlog.Hash) string {
	return origin + "\n" + strconv.FormatUint(n, 10) + "\n" + base64.StdEncoding.EncodeToString(root[:]) + "\n"
}

func parseCheckpoint(signed []byte, origin string, v note.Verifier) (n uint64, root tlog.Hash, err error) {
	c, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return 0, root, fmt.Errorf("%w: checkpoint: %w", ErrDamaged, err)
	}
	lines := strings.SplitN(c.Text, "\n", 4)
	if len(lines) == 4 && lines[0] == origin {
		if n, err = strconv.ParseUint(lines[1], 10, 63); err == nil {
			var b []byte
			if b, err = base64.StdEncoding.DecodeString(lines[2]); err == nil && len(b) == len(root) {
				copy(root[:], b)
				if c.Text == checkpointText(origin, n, root) {
					return n, root, nil
				}
			}
		}
	}
	return 0, root, fmt.Errorf("%w: the checkpoint is signed, but not a checkpoint of %s", ErrDamaged, origin)
}
