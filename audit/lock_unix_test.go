//go:build unix

package audit

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Who has let the lock go has let it go, whoever has a copy of the file: a program that is
// just being started has one.
func TestALockThatWasLetGoIsFree(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := lockFile(name)
	if err != nil {
		t.Fatal(err)
	}
	duplicate, err := unix.Dup(int(first.(lock).Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(duplicate)
	if second, err := lockFile(name); err == nil {
		second.Close()
		t.Error("two have the lock")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := lockFile(name)
	if err != nil {
		t.Fatalf("it is not free: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
