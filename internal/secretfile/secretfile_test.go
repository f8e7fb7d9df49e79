package secretfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		mode fs.FileMode
		text string
		want error // nil: it is read
	}{
		"its owner's":    {0o600, "secret", nil},
		"read-only":      {0o400, "secret", nil},
		"the group's":    {0o640, "secret", new(SharedError)},
		"for writing":    {0o602, "secret", new(SharedError)},
		"longer than it": {0o600, "secrets", ErrLong},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		got, err := Read(path, int64(len("secret")))
		var shared *SharedError
		switch {
		case c.want == nil && (err != nil || string(got) != c.text):
			t.Errorf("%s: got %q, %v", name, got, err)
		case errors.As(c.want, &shared):
			if !errors.As(err, &shared) || shared.Mode != c.mode || got != nil {
				t.Errorf("%s: got %q, %v, want it refused for its mode %v", name, got, err, c.mode)
			}
		case c.want != nil && (!errors.Is(err, c.want) || got != nil):
			t.Errorf("%s: got %q, %v, want %v", name, got, err, c.want)
		}
	}
	private := filepath.Join(dir, "folder")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(private, 10); !errors.Is(err, ErrIrregular) {
		t.Errorf("a folder: got %v", err)
	}
	if _, err := Read(filepath.Join(dir, "nothing"), 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing: got %v", err)
	}
}
