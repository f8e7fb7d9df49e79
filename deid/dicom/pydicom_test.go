package dicom

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
)

// samples are the files of pydicom's test suite, by name.
func samples(t testing.TB) map[string][]byte {
	t.Helper()
	dir := need.DataFile(t, "dicom-pydicom")
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, ".gz") {
			z, err := gzip.NewReader(bytes.NewReader(b))
			if err != nil {
				return err
			}
			if b, err = io.ReadAll(z); err != nil {
				return err
			}
		}
		name, err := filepath.Rel(dir, path)
		files[name] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSamplesDebug(t *testing.T) {
	dump, _ := exec.LookPath("dcmdump")
	for name, b := range samples(t) {
		var out bytes.Buffer
		p := Profile{Basis: SafeHarbor, Masks: []Mask{}}
		d, err := New(Options{Profile: p, UIDs: NewRandomUIDs(new(counting))})
		if err != nil {
			t.Fatal(err)
		}
		m, err := d.File(&out, b)
		if err != nil {
			var pr *problem.Problem
			errors.As(err, &pr)
			t.Logf("%-40s %v", name, pr.Title)
			continue
		}
		f := filepath.Join(t.TempDir(), "x.dcm")
		os.WriteFile(f, out.Bytes(), 0o600)
		o, err := exec.Command(dump, "-q", "-E", f).CombinedOutput()
		t.Logf("%-40s %d->%d %v dump=%v %s", name, len(b), out.Len(), m.Actions, err, "")
		if err != nil || bytes.Contains(o, []byte("E:")) || bytes.Contains(o, []byte("W:")) {
			t.Errorf("%s: %s", name, o[:min(len(o), 500)])
		}
	}
}

// counting is no randomness: each byte is another.
type counting struct{ n uint64 }

func (c *counting) Read(b []byte) (int, error) {
	c.n++
	for i := range b {
		b[i] = byte(c.n >> (8 * (i % 8)))
	}
	return len(b), nil
}
