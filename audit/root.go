package audit

import (
	"fmt"
	"os"
	"path/filepath"
)

// makeRoot makes the log's directory, durably.
func makeRoot(dir string) error {
	if dir == "" {
		return fmt.Errorf("audit: a log needs a directory")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	return DirFS(filepath.Dir(abs)).SyncDir(".")
}
