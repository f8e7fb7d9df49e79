//go:build !unix

package audit

import (
	"errors"
	"io"
)

// Two processes on one log would fork it, so without a lock there is no log.
func lockFile(string) (io.Closer, error) {
	return nil, errors.New("audit: this operating system has no flock; the log runs on Linux, macOS and the BSDs")
}
