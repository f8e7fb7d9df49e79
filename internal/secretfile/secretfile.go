// Package secretfile reads files that nobody but their owner may use: keys, tokens,
// passphrases. Whether others may is asked of the open file, so that it cannot be
// changed for another in between. What to say of a file that is refused is for whoever
// knows what it is for.
package secretfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// ErrIrregular is for what is no regular file: a folder, a pipe, a device.
var ErrIrregular = errors.New("not a regular file")

// ErrLong is for a file longer than a secret of its kind can be.
var ErrLong = errors.New("too long")

// SharedError is for a file that others than its owner may read or change.
type SharedError struct{ Mode fs.FileMode }

// Error implements error.
func (e *SharedError) Error() string { return fmt.Sprintf("others may use it: mode %04o", e.Mode) }

// Shared reports whether others than the owner may use it.
func Shared(info fs.FileInfo) bool {
	// Windows has no such bits; there the directory's access list must do it.
	return info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows"
}

// Open opens what nobody else may use.
func Open(path string) (*os.File, error) { return open(path, false) }

func open(path string, regular bool) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case regular && !info.Mode().IsRegular():
		err = ErrIrregular
	case Shared(info):
		err = &SharedError{info.Mode().Perm()}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Read reads a regular file of at most max bytes that nobody else may use.
func Read(path string, max int64) ([]byte, error) {
	f, err := open(path, true)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > max {
		return nil, ErrLong
	}
	return raw, nil
}
