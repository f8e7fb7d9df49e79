//go:build unix

package hospitaltest_test

import (
	"errors"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// The disk of the log is full: what the operating system says when a file may
// not grow any further (setrlimit(2), RLIMIT_FSIZE). Nothing is released, no act
// is done, no token is given; and after the disk has room again nothing is until
// a restart, for what is on the disk is not known (fsync after an error).
//
// Not parallel: the limit is the whole process's.
func TestAFullDiskClosesTheDoor(t *testing.T) {
	b := open(t, hospitaltest.Options{})
	before := b.Verify()
	full := limitFiles(t, b)
	got := b.Get(question)
	nothing(t, got, http.StatusServiceUnavailable)
	_, err := b.People[registrytest.Grace].Act(hold(), "on a full disk")
	if status, ok := hospitaltest.IsRefused(err); !ok || status != http.StatusServiceUnavailable {
		t.Errorf("an act on a full disk: %v, want 503", err)
	}
	b.Client.Tokens.Forget()
	if token, err := b.Client.Tokens.Token(t.Context()); err == nil {
		t.Errorf("a token of %d bytes was given, though its assertion could not be noted as used", len(token))
	}
	if status, why := b.Ready(); status != http.StatusServiceUnavailable || !strings.Contains(why, "audit log") {
		t.Errorf("readyz: got %d %s, want 503 and the audit log", status, why)
	}
	full(false)
	if got, err := b.Client.Ask(http.MethodGet, question, "", ""); err == nil {
		nothing(t, got, http.StatusServiceUnavailable)
	}
	if status, _ := b.Ready(); status != http.StatusServiceUnavailable {
		t.Errorf("with room again, readyz: got %d, want 503 until a restart", status)
	}
	if err := b.Stop(); err != nil {
		t.Logf("the stop says what was not written: %v", err)
	}
	if err := b.Run(); err != nil {
		t.Fatalf("after a restart with room: %v", err)
	}
	served(t, b)
	if after := b.Verify(); after.Size < before.Size || after.Open != 0 {
		t.Errorf("the log has %d entries, %d open; before the disk was full it had %d", after.Size, after.Open, before.Size)
	}
}

// limitFiles lets no file grow beyond a few bytes until it is called with false.
func limitFiles(t *testing.T, b *hospitaltest.Box) func(on bool) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // or the kernel would end the process
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	set := func(on bool) {
		limit := old
		if on {
			limit.Cur = 16
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(false) })
	set(true)
	if err := os.WriteFile(b.Dir+"/probe", make([]byte, 64), 0o600); !errors.Is(err, syscall.EFBIG) {
		t.Fatalf("the limit on files does not hold: %v", err)
	}
	return set
}
