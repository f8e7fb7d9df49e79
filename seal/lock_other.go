//go:build !unix

package seal

import (
	"errors"
	"os"
)

// tryLock: a key store is kept on Unix only, as the audit log is.
func tryLock(string) (*os.File, error) {
	return nil, errors.New("a key store is supported on Unix only")
}
