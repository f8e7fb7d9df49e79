package sealed

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sallyport/sallyport/problem"
)

// Partial is what the name of a file ends in that is not whole yet.
const Partial = ".partial"

// ToFile writes what is inside to path, readable by its owner only. Until the
// manifest has verified the file is called path.partial; what fails is removed,
// and path is never there. progress, if it is not nil, hears how many bytes are
// written. A file that is there already is not replaced.
func (r *Reader) ToFile(path string, progress func(written int64)) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return problem.New(problem.Conflict, path+" is there already", "Name another file, or move that one away")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for %s: %w", path, err)
	}
	f, err := os.OpenFile(path+Partial, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return problem.New(problem.Conflict, path+Partial+" is there already", "Another command may be at work on it; if none is, remove it")
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", path+Partial, err)
	}
	named := false
	defer func() {
		if err != nil && !named {
			_ = f.Close()
			err = errors.Join(err, os.Remove(path+Partial))
		}
	}()
	if _, err = io.Copy(&teller{w: f, tell: progress}, struct{ io.Reader }{r}); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return fmt.Errorf("make %s durable: %w", path+Partial, err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("close %s: %w", path+Partial, err)
	}
	if err = os.Rename(path+Partial, path); err != nil {
		return fmt.Errorf("name what was opened: %w", err)
	}
	named = true
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be opened for that there
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("make the name durable: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

type teller struct {
	w    io.Writer
	n    int64
	tell func(int64)
}

// Write implements io.Writer.
func (t *teller) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.n += int64(n)
	if t.tell != nil {
		t.tell(t.n)
	}
	return n, err
}
