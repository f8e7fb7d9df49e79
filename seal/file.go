package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// maxFile bounds what is read as a key file.
const maxFile = 64 << 10

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

// sweep removes what a writer left that was killed half-way. After the link and
// before the removal such a file is a second name of a key, and would outlive
// its destruction. A young one may belong to a writer at work.
func sweep(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, newPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		info, err := os.Lstat(path)
		if err == nil && time.Since(info.ModTime()) > time.Hour {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an interrupted write left: %w", err)
		}
	}
	return nil
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
	f, err := os.Open(path)
	if err != nil {
		return nil, fileProblem(path, err)
	}
	defer f.Close()
	info, err := f.Stat() // of the open file, so that it cannot be changed between
	if err != nil {
		return nil, fileProblem(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, problem.BadField("keyring", path+" is not a regular file", "Restore the file from its backup.")
	}
	if err := private(path, info); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileProblem(path, err)
	}
	if len(content) > maxFile {
		return nil, errDamaged(path, fmt.Errorf("more than %d bytes", maxFile))
	}
	return content, nil
}

// private refuses what others than the owner can read or change.
func private(path string, info fs.FileInfo) error {
	if runtime.GOOS == "windows" {
		return nil // the mode says nothing there; access lists decide
	}
	mode := info.Mode().Perm()
	if mode&0o077 == 0 {
		return nil
	}
	want := 0o600
	if info.IsDir() {
		want = 0o700
	}
	return problem.New(problem.Unavailable,
		fmt.Sprintf("%s can be used by others than its owner (mode %#o)", path, mode),
		fmt.Sprintf("Run: chmod %#o %s. If others had access to this machine, treat the keys as known to them.", want, path))
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

func fileProblem(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem.New(problem.Unavailable, path+" does not exist",
			"Restore it from its backup, or make a new keyring where nothing has been sealed yet.").Because(err)
	case errors.Is(err, fs.ErrPermission):
		return problem.New(problem.Unavailable, path+" cannot be read by this user",
			"Run as the owner of the file, or give it to this user.").Because(err)
	default:
		return fmt.Errorf("read key file: %w", err)
	}
}

func errDamaged(path string, err error) error {
	return problem.New(problem.Unavailable, path+" is damaged, or is not a key file of this version",
		"Restore the file from its backup.").Because(err)
}
