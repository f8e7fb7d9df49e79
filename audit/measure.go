package audit

import (
	"os"
	"path/filepath"
	"slices"
	"time"
)

// MeasureSync is the disk's own latency: the median of n appends of an ordinary
// group commit with an fdatasync each, in a file of its own beside the log. It is
// what the whole path's added latency is compared with, in the same run.
func MeasureSync(dir string, n int) (time.Duration, error) {
	name := "sync-measure"
	defer os.Remove(filepath.Join(dir, name))
	f, err := DirFS(dir).OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data := make([]byte, 4<<10)
	took := make([]time.Duration, max(n, 1))
	for i := range took {
		began := time.Now()
		if _, err := f.Write(data); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
