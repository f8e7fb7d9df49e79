package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/secretfile"
	"github.com/sallyport/sallyport/problem"
)

// maxFile bounds what is read as a key file: a keyset grows by some 200 bytes
// with each rotation.
const maxFile = 1 << 20

// newPrefix begins the name of a file that is being written.
const newPrefix = ".new-"

// writeOnce makes path with the given content, durable and complete, or fails
// with fs.ErrExist and leaves what is there. Of several writers, in several
// processes, exactly one succeeds: a hard link cannot replace a file.
func writeOnce(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, newPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if e := os.Remove(f.Name()); err == nil && !errors.Is(e, fs.ErrNotExist) {
			err = e
		}
	}()
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// oldPrefix begins the second name that a file has while it is replaced, by which
// the old content is found again and overwritten.
const oldPrefix = ".old-"

// replaceFile puts content in the place of path, whole and durable: a reader sees
// the old file or the new one. The old content is overwritten where the file
// system lets a file be. Only the holder of the store's lock calls it.
func replaceFile(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, newPrefix+"*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	old := filepath.Join(dir, oldPrefix+strings.TrimPrefix(filepath.Base(f.Name()), newPrefix))
	switch err := os.Link(path, old); {
	case errors.Is(err, fs.ErrNotExist):
		old = ""
	case err != nil:
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	if old == "" {
		return nil
	}
	return shred(old)
}

// shred overwrites a file with random bytes, and removes it. A file that is not
// there is no error. What the disk keeps besides is said by media.
func shred(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, info.Size())
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	// What cannot be overwritten is removed all the same.
	if e := os.Remove(path); err == nil {
		err = e
	}
	if e := syncDir(filepath.Dir(path)); err == nil {
		err = e
	}
	return err
}

// sweep removes what a writer left that was killed half-way. Such a file is a
// second name of a key, and would outlive its destruction. A young one may belong
// to a writer at work, unless the caller has the store's lock. What is a second name
// of a file that lives is taken away and not overwritten: the writer was killed
// between giving and taking it.
func sweep(dir string, locked bool) error {
	for _, prefix := range []string{newPrefix, oldPrefix} {
		left, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
		if err != nil {
			return err
		}
		for _, path := range left {
			info, err := os.Lstat(path)
			if err == nil && (locked || time.Since(info.ModTime()) > time.Hour) {
				var alive bool
				switch alive, err = lives(dir, info); {
				case err != nil:
				case alive:
					err = errors.Join(os.Remove(path), syncDir(dir))
				default:
					err = shred(path)
				}
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove what an interrupted write left: %w", err)
			}
		}
	}
	return nil
}

// lives reports whether a file has a name of its own in dir, besides one that a
// writer gave it for a while.
func lives(dir string, file fs.FileInfo) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newPrefix) || strings.HasPrefix(e.Name(), oldPrefix) {
			continue
		}
		info, err := os.Lstat(filepath.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return false, err
		}
		if os.SameFile(info, file) {
			return true, nil
		}
	}
	return false, nil
}

// lockWait is how long another process's work on the key store is waited for.
const lockWait = 20 * time.Second

// lockStore makes the caller the only writer of the key store, among all
// processes that share it. The lock ends with the process, however that ends.
func lockStore(dir string) (unlock func(), err error) {
	path := filepath.Join(dir, lockFile)
	for until := time.Now().Add(lockWait); ; time.Sleep(2 * time.Millisecond) {
		f, err := tryLock(path)
		if err == nil {
			return func() { _ = f.Close() }, nil // nothing was written through it
		}
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock key store: %w", err)
		}
		if time.Now().After(until) {
			return nil, problem.New(problem.Unavailable, "another process is at work on the key store in "+dir,
				"Wait until it has ended, then try again").Because(err)
		}
	}
}

var errLocked = errors.New("locked by another process")

// seen is what a file was when it was read; another file, or another content, is
// seen by comparing.
type seen struct{ info fs.FileInfo }

func look(path string) (seen, error) {
	info, err := os.Stat(path)
	return seen{info}, err
}

func (a seen) same(b seen) bool {
	return a.info != nil && b.info != nil && os.SameFile(a.info, b.info) &&
		a.info.ModTime().Equal(b.info.ModTime()) && a.info.Size() == b.info.Size()
}

// readWhole reads a key file that may be replaced meanwhile: what a writer has
// begun to overwrite is read again under its name.
func readWhole(path string, read func() error) (seen, error) {
	for range 5 {
		before, err := look(path)
		if err != nil {
			return before, fileProblem(path, err)
		}
		err = read()
		after, lookErr := look(path)
		if lookErr != nil {
			return after, fileProblem(path, lookErr)
		}
		if before.same(after) {
			return after, err
		}
	}
	return seen{}, problem.New(problem.Unavailable, path+" is being replaced again and again", "Try again")
}

// syncDir makes a new name in dir durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be opened for that there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if e := d.Close(); err == nil {
		err = e
	}
	return err
}

// readSecret reads a file that only its owner may read.
func readSecret(path string) ([]byte, error) {
	content, err := secretfile.Read(path, maxFile)
	var shared *secretfile.SharedError
	switch {
	case errors.As(err, &shared):
		return nil, notPrivate(path, shared.Mode, 0o600)
	case errors.Is(err, secretfile.ErrIrregular):
		return nil, problem.BadField("keyring", path+" is not a regular file", "Restore the file from its backup")
	case errors.Is(err, secretfile.ErrLong):
		return nil, errDamaged(path, fmt.Errorf("more than %d bytes", maxFile))
	case err != nil:
		return nil, fileProblem(path, err)
	}
	return content, nil
}

// private refuses what others than the owner can read or change.
func private(path string, info fs.FileInfo) error {
	if !secretfile.Shared(info) {
		return nil
	}
	want := fs.FileMode(0o600)
	if info.IsDir() {
		want = 0o700
	}
	return notPrivate(path, info.Mode().Perm(), want)
}

func notPrivate(path string, mode, want fs.FileMode) error {
	return problem.New(problem.Unavailable,
		fmt.Sprintf("%s can be used by others than its owner (mode %#o)", path, uint32(mode)),
		fmt.Sprintf("Run: chmod %#o %s. If others had access to this machine, treat the keys as known to them", uint32(want), path))
}

// readJSON reads a key file strictly.
func readJSON(path string, into any) error {
	content, err := readSecret(path)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return errDamaged(path, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errDamaged(path, errors.New("more than one document"))
	}
	return nil
}

func writeJSON(path string, from any) error {
	content, err := json.MarshalIndent(from, "", "  ")
	if err != nil {
		return err
	}
	return writeOnce(path, append(content, '\n'))
}

// replaceJSON is replaceFile for a document.
func replaceJSON(path string, from any) error {
	content, err := json.MarshalIndent(from, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(path, append(content, '\n'))
}

func fileProblem(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem.New(problem.Unavailable, path+" does not exist",
			"Restore it from its backup, or make a new keyring where nothing has been sealed yet").Because(err)
	case errors.Is(err, fs.ErrPermission):
		return problem.New(problem.Unavailable, path+" cannot be read by this user",
			"Run as the owner of the file, or give it to this user").Because(err)
	default:
		return fmt.Errorf("read key file: %w", err)
	}
}

func errDamaged(path string, err error) error {
	return problem.New(problem.Unavailable, path+" is damaged, or is not a key file of this version",
		"Restore the file from its backup").Because(err)
}
