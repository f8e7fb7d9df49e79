package audit

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// FS is the file layer that a log stands on, rooted at the log's directory.
// Names are slash-separated and relative.
//
// What must hold: bytes written are durable after File.Sync returns nil; a name
// made by OpenFile, Mkdir, Rename or Remove is durable after SyncDir of its
// parent returns nil; neither promises anything before that. After an error
// from Sync the file's content is unknown and the caller must not try again.
type FS interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	ReadFile(name string) ([]byte, error)
	// ReadDir lists the names in a directory, sorted; directories end in "/".
	ReadDir(name string) ([]string, error)
	// Mkdir is not an error if the directory is there.
	Mkdir(name string, perm fs.FileMode) error
	Rename(old, new string) error
	Remove(name string) error
	SyncDir(name string) error
	// Lock takes the exclusive lock of the directory, or says who has it.
	Lock(name string) (io.Closer, error)
}

// File is an open file of an FS. Write appends at the end of what this handle
// has written.
type File interface {
	io.Writer
	io.ReaderAt
	Truncate(size int64) error
	// Sync returns when the content, and what is needed to read it back, is on
	// the disk (fdatasync).
	Sync() error
	Close() error
}

// DirFS is the real file layer at dir.
func DirFS(dir string) FS { return osFS{dir} }

type osFS struct{ dir string }

func (o osFS) path(name string) string { return filepath.Join(o.dir, filepath.FromSlash(name)) }

type osFile struct{ *os.File }

func (f osFile) Sync() error { return fdatasync(f.File) }

func (o osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(o.path(name), flag, perm)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (o osFS) ReadFile(name string) ([]byte, error) { return os.ReadFile(o.path(name)) }

func (o osFS) ReadDir(name string) ([]string, error) {
	entries, err := os.ReadDir(o.path(name))
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
		if e.IsDir() {
			names[i] += "/"
		}
	}
	return names, nil
}

func (o osFS) Mkdir(name string, perm fs.FileMode) error {
	err := os.Mkdir(o.path(name), perm)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func (o osFS) Rename(old, new string) error { return os.Rename(o.path(old), o.path(new)) }
func (o osFS) Remove(name string) error     { return os.Remove(o.path(name)) }

func (o osFS) SyncDir(name string) error {
	d, err := os.Open(o.path(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (o osFS) Lock(name string) (io.Closer, error) { return lockFile(o.path(name)) }

// dirs makes directories and remembers which of them need a SyncDir.
type dirs struct {
	fs    FS
	known map[string]bool // made, or seen, since Open
	dirty map[string]bool // hold a name that is not durable yet
}

func newDirs(f FS) *dirs {
	return &dirs{fs: f, known: map[string]bool{".": true}, dirty: map[string]bool{}}
}

// make makes dir and its parents.
func (d *dirs) make(dir string) error {
	if d.known[dir] {
		return nil
	}
	parent := path.Dir(dir)
	if err := d.make(parent); err != nil {
		return err
	}
	if err := d.fs.Mkdir(dir, 0o700); err != nil {
		return err
	}
	// Even one that was there may not be durable: the crash may have come
	// between its making and its sync.
	d.known[dir] = true
	d.dirty[parent] = true
	return nil
}

// sync makes durable every name made since the last call, parents last: until
// the parent is synced a reader after a crash sees the old state, which is whole.
func (d *dirs) sync() error {
	for dir := range d.dirty {
		if err := d.fs.SyncDir(dir); err != nil {
			return err
		}
		delete(d.dirty, dir)
	}
	return nil
}

// replaceFile makes name hold data, durably: whoever reads it after a crash finds
// the old content whole or the new content whole.
func replaceFile(f FS, name string, data []byte, durable bool) error {
	tmp := name + ".new"
	if err := writeFile(f, tmp, data, durable); err != nil {
		return err
	}
	if err := f.Rename(tmp, name); err != nil {
		return err
	}
	if !durable {
		return nil
	}
	return f.SyncDir(path.Dir(name))
}

func writeFile(f FS, name string, data []byte, durable bool) error {
	h, err := f.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := h.Write(data); err != nil {
		h.Close()
		return err
	}
	if durable {
		if err := h.Sync(); err != nil {
			h.Close()
			return err
		}
	}
	return h.Close()
}
