// Package faultfs is a file layer in memory for tests of the audit log that
// forgets what was not synced.
//
// It is stricter than common file systems: a new file's name survives only a
// SyncDir of its directory, even if the file itself was synced. A crash may also
// keep any part of what was not synced, as disks do: a torn tail, a tail of
// zeros, some names and not others.
package faultfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/audit"
)

// ErrCrashed is what every operation returns between the cut and Crash, and what
// files that were opened before a crash return ever after.
var ErrCrashed = errors.New("faultfs: the machine is down")

// Op names an operation that can be made to fail.
type Op string

// The operations that change something.
const (
	Open    Op = "open" // for writing
	Write   Op = "write"
	Sync    Op = "sync"
	SyncDir Op = "syncdir"
	Rename  Op = "rename"
	Remove  Op = "remove"
	Mkdir   Op = "mkdir"
)

// sector is what a disk writes at once or not at all.
const sector = 512

// FS is the file layer. The zero FS is not usable; see New.
type FS struct {
	mu     sync.Mutex
	root   *node
	life   int // counts crashes; handles of another life are dead
	left   int // operations until the cut; negative for no cut
	locked map[string]bool
	fail   func(Op, string) error
	ops    int
}

// node is a file or a directory. The synced fields are what a crash keeps.
type node struct {
	dir          bool
	names        map[string]*node
	syncedNames  map[string]*node
	data, synced []byte
	dirty, end   int // outside of these data and synced agree
}

func newDir() *node {
	return &node{dir: true, names: map[string]*node{}, syncedNames: map[string]*node{}}
}

// New returns an empty file layer.
func New() *FS { return &FS{root: newDir(), left: -1, locked: map[string]bool{}} }

// FailWith makes operations for which f returns an error fail with it, after half
// of a write was done. Pass nil to end that. f must not call into the FS.
func (s *FS) FailWith(f func(Op, string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// CutAfter lets n more changing operations happen; from then on everything fails
// until Crash.
func (s *FS) CutAfter(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = n
}

// Ops is how many changing operations there have been.
func (s *FS) Ops() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ops
}

// Crash forgets what was not synced, except parts that r picks; with r nil it
// keeps none of it. Afterwards the FS works again, without locks.
func (s *FS) Crash(r *rand.Rand) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life++
	s.left = -1
	s.locked = map[string]bool{}
	s.root.crash(r)
}

func (n *node) crash(r *rand.Rand) {
	if !n.dir {
		kept := slices.Clone(n.synced)
		if r != nil && n.end > n.dirty {
			// Whatever was written since the sync may be there in part. Where the
			// file has grown, zeros stand for what is not.
			cut := n.dirty + r.IntN(n.end-n.dirty+1)
			old := append(slices.Clone(n.synced), make([]byte, max(0, len(n.data)-len(n.synced)))...)
			switch r.IntN(5) {
			case 0: // nothing of it
			case 1: // a prefix, and what it has grown to
				kept = append(slices.Clone(n.data[:cut]), n.synced[min(cut, len(n.synced)):]...)
			case 2: // the length, but not what is behind a prefix
				kept = append(slices.Clone(n.data[:cut]), old[cut:]...)
			case 3: // the later pages came first
				kept = append(slices.Clone(old[:cut]), n.data[cut:]...)
			case 4: // sectors in any order
				kept = slices.Clone(old[:len(n.data)])
				for at := n.dirty / sector * sector; at < n.end; at += sector {
					if end := min(at+sector, n.end); r.IntN(2) == 0 {
						copy(kept[at:end], n.data[at:end])
					}
				}
			}
		}
		n.data, n.synced, n.dirty, n.end = kept, slices.Clone(kept), len(kept), 0
		return
	}
	for _, name := range sortedNames(n.names, n.syncedNames) {
		if n.names[name] == n.syncedNames[name] || r == nil || r.IntN(2) == 0 {
			continue
		}
		if now := n.names[name]; now != nil {
			n.syncedNames[name] = now
		} else {
			delete(n.syncedNames, name)
		}
	}
	n.names = map[string]*node{}
	for _, name := range sortedNames(n.syncedNames, nil) {
		child := n.syncedNames[name]
		child.crash(r)
		n.names[name] = child
	}
}

func sortedNames(a, b map[string]*node) []string {
	var names []string
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// Files returns a copy of every file as it is now.
func (s *FS) Files() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := map[string][]byte{}
	var walk func(string, *node)
	walk = func(at string, n *node) {
		for name, child := range n.names {
			p := path.Join(at, name)
			if child.dir {
				walk(p, child)
			} else {
				files[p] = slices.Clone(child.data)
			}
		}
	}
	walk("", s.root)
	return files
}

// begin counts a changing operation and says whether it happens. Called with s.mu held.
func (s *FS) begin(op Op, name string) error {
	if s.left == 0 {
		return ErrCrashed
	}
	if s.left > 0 {
		s.left--
	}
	s.ops++
	if s.fail != nil {
		return s.fail(op, name)
	}
	return nil
}

func (s *FS) alive() error {
	if s.left == 0 {
		return ErrCrashed
	}
	return nil
}

func bad(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

func (s *FS) find(name string) (*node, error) {
	n := s.root
	if name == "." {
		return n, nil
	}
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		if !n.dir {
			return nil, bad("find", name, fs.ErrNotExist)
		}
		if n = n.names[part]; n == nil {
			return nil, bad("find", name, fs.ErrNotExist)
		}
	}
	return n, nil
}

func (s *FS) parent(name string) (*node, string, error) {
	dir, base := path.Split(path.Clean(name))
	if dir == "" {
		dir = "."
	}
	p, err := s.find(path.Clean(dir))
	return p, base, err
}

// OpenFile is audit.FS's.
func (s *FS) OpenFile(name string, flag int, _ fs.FileMode) (audit.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.alive(); err != nil {
		return nil, err
	}
	p, base, err := s.parent(name)
	if err != nil {
		return nil, err
	}
	n := p.names[base]
	if flag&(os.O_WRONLY|os.O_RDWR) != 0 {
		if err := s.begin(Open, name); err != nil {
			return nil, bad("open", name, err)
		}
	}
	switch {
	case n == nil && flag&os.O_CREATE == 0:
		return nil, bad("open", name, fs.ErrNotExist)
	case n == nil:
		n = &node{}
		p.names[base] = n
	case n.dir:
		return nil, bad("open", name, errors.New("is a directory"))
	}
	if flag&os.O_TRUNC != 0 {
		n.data, n.dirty, n.end = nil, 0, 0
	}
	return &handle{fs: s, n: n, name: name, life: s.life}, nil
}

// ReadFile is audit.FS's.
func (s *FS) ReadFile(name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.alive(); err != nil {
		return nil, err
	}
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return slices.Clone(n.data), nil
}

// ReadDir is audit.FS's.
func (s *FS) ReadDir(name string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.alive(); err != nil {
		return nil, err
	}
	n, err := s.find(name)
	if err != nil {
		return nil, err
	}
	names := sortedNames(n.names, nil)
	for i, name := range names {
		if n.names[name].dir {
			names[i] += "/"
		}
	}
	return names, nil
}

// Mkdir is audit.FS's.
func (s *FS) Mkdir(name string, _ fs.FileMode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, base, err := s.parent(name)
	if err != nil {
		return err
	}
	if err := s.begin(Mkdir, name); err != nil {
		return bad("mkdir", name, err)
	}
	if p.names[base] == nil {
		p.names[base] = newDir()
	}
	return nil
}

// Rename is audit.FS's.
func (s *FS) Rename(old, new string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, a, err := s.parent(old)
	if err != nil {
		return err
	}
	to, b, err := s.parent(new)
	if err != nil {
		return err
	}
	if err := s.begin(Rename, new); err != nil {
		return bad("rename", new, err)
	}
	if from.names[a] == nil {
		return bad("rename", old, fs.ErrNotExist)
	}
	to.names[b] = from.names[a]
	delete(from.names, a)
	return nil
}

// Remove is audit.FS's.
func (s *FS) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, base, err := s.parent(name)
	if err != nil {
		return err
	}
	if err := s.begin(Remove, name); err != nil {
		return bad("remove", name, err)
	}
	n := p.names[base]
	switch {
	case n == nil:
		return bad("remove", name, fs.ErrNotExist)
	case n.dir && len(n.names) > 0:
		return bad("remove", name, errors.New("directory not empty"))
	}
	delete(p.names, base)
	return nil
}

// SyncDir is audit.FS's.
func (s *FS) SyncDir(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.find(name)
	if err != nil {
		return err
	}
	if err := s.begin(SyncDir, name); err != nil {
		return bad("syncdir", name, err)
	}
	n.syncedNames = map[string]*node{}
	for k, v := range n.names {
		n.syncedNames[k] = v
	}
	return nil
}

// Lock is audit.FS's.
func (s *FS) Lock(name string) (io.Closer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locked[name] {
		return nil, audit.ErrLocked
	}
	s.locked[name] = true
	return &unlock{s, name, s.life}, nil
}

type unlock struct {
	fs   *FS
	name string
	life int
}

func (u *unlock) Close() error {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	if u.life == u.fs.life {
		delete(u.fs.locked, u.name)
	}
	return nil
}

type handle struct {
	fs   *FS
	n    *node
	name string
	life int
	at   int
}

func (h *handle) begin(op Op) error {
	if h.life != h.fs.life {
		return bad(string(op), h.name, ErrCrashed)
	}
	if err := h.fs.begin(op, h.name); err != nil {
		return bad(string(op), h.name, err)
	}
	return nil
}

func (h *handle) Write(b []byte) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	err := h.begin(Write)
	if errors.Is(err, ErrCrashed) {
		return 0, err
	}
	if err != nil {
		b = b[:len(b)/2]
	}
	n := h.n
	n.dirty = min(n.dirty, h.at)
	n.data = append(n.data, make([]byte, max(0, h.at+len(b)-len(n.data)))...)
	copy(n.data[h.at:], b)
	h.at += len(b)
	n.end = max(n.end, h.at)
	return len(b), err
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if off >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(b, h.n.data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) Truncate(size int64) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.begin(Write); err != nil {
		return err
	}
	h.n.data = h.n.data[:size]
	h.n.dirty, h.n.end = min(h.n.dirty, int(size)), min(h.n.end, int(size))
	return nil
}

func (h *handle) Sync() error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.begin(Sync); err != nil {
		return err
	}
	n := h.n
	n.synced = append(n.synced[:n.dirty], n.data[n.dirty:]...)
	n.dirty, n.end = len(n.data), 0
	return nil
}

func (h *handle) Close() error { return nil }
