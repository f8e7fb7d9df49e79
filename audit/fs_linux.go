package audit

import (
	"os"

	"golang.org/x/sys/unix"
)

// fdatasync flushes the content and the size, but not the times.
func fdatasync(f *os.File) error {
	for {
		if err := unix.Fdatasync(int(f.Fd())); err != unix.EINTR {
			return err
		}
	}
}
