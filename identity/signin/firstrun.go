package signin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
)

// FirstRunLife is how long the code for the first person's first passkey can be used
// (policy).
const FirstRunLife = time.Hour

// FirstRun is the code with which the first person registers their first passkey,
// before anybody could invite them. It is shown once, on the server, to whoever
// starts it, and kept as a digest in a file that only the server's user can read.
type FirstRun struct {
	Path string

	mu sync.Mutex
}

type firstRun struct {
	Person    id.Person `json:"person"`
	Code256   string    `json:"code_sha256"`
	ExpiresAt time.Time `json:"expires_at"`
}

// New makes a code for the person, in the place of any earlier one.
func (f *FirstRun) New(person id.Person, now time.Time) (code string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	code = NewCode()
	code256, _ := CodeDigest(code)
	raw, err := json.Marshal(firstRun{person, code256, now.Add(FirstRunLife).UTC()})
	if err != nil {
		return "", fmt.Errorf("first run: %w", err)
	}
	next, err := os.CreateTemp(filepath.Dir(f.Path), filepath.Base(f.Path)+".new-*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("first run: %w", err)
	}
	_, err = next.Write(raw)
	err = errors.Join(err, next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.Path)
	}
	if err != nil {
		return "", fmt.Errorf("first run: %w", errors.Join(err, os.Remove(next.Name())))
	}
	return code, nil
}

// Person is whose first passkey a code is for; not ok: there is no such code now.
func (f *FirstRun) Person(code256 string, now time.Time) (id.Person, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, ok := f.read(code256, now)
	return x.Person, ok
}

// Use takes the code away. Ok: it was there, is used now, and never again.
func (f *FirstRun) Use(code256 string, now time.Time) (id.Person, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, ok := f.read(code256, now)
	if !ok || os.Remove(f.Path) != nil {
		return "", false
	}
	return x.Person, true
}

// Drop takes the code away unused.
func (f *FirstRun) Drop() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("first run: %w", err)
	}
	return nil
}

func (f *FirstRun) read(code256 string, now time.Time) (firstRun, bool) {
	raw, err := os.ReadFile(f.Path)
	if err != nil {
		return firstRun{}, false
	}
	var x firstRun
	if err := json.Unmarshal(raw, &x); err != nil || x.Person == "" || len(x.Code256) != 64 {
		return firstRun{}, false
	}
	same := subtle.ConstantTimeCompare([]byte(x.Code256), []byte(code256)) == 1
	return x, same && now.Before(x.ExpiresAt) && !now.Before(x.ExpiresAt.Add(-FirstRunLife-time.Minute))
}
