//go:build unix

package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile takes flock on name and writes the process id into it for whoever
// comes second. The kernel drops the lock when the process dies, however it dies.
func lockFile(name string) (io.Closer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		holder := "another process"
		if p := strings.TrimSpace(string(pid)); p != "" {
			holder = "process " + p
		}
		return nil, fmt.Errorf("%w: %s holds %s; stop it, or give this one a directory of its own", ErrLocked, holder, name)
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := fmt.Fprintf(f, "%d\n", os.Getpid()); err != nil {
		f.Close()
		return nil, err
	}
	return lock{f}, nil
}

// lock is a file with flock on it.
type lock struct{ *os.File }

// Close gives the lock back, and does not leave that to the file's end: a program that
// this process is just starting has a copy of the file until it runs, and the next to open
// the log would find it in use.
func (l lock) Close() error {
	return errors.Join(unix.Flock(int(l.Fd()), unix.LOCK_UN), l.File.Close())
}
