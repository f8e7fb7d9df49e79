package need_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

// trial is a test that notes how it ended.
type trial struct {
	testing.TB
	skipped, failed string
}

func (t *trial) Helper() {}

func (t *trial) Skip(args ...any) {
	t.skipped, _ = args[0].(string)
	runtime.Goexit()
}

func (t *trial) Fatalf(format string, args ...any) {
	t.failed = format
	runtime.Goexit()
}

// try runs f as a test would run.
func try(t *testing.T, f func(testing.TB)) *trial {
	tr := &trial{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(tr)
	}()
	<-done
	return tr
}

var needs = map[string]func(testing.TB){
	"data":      func(t testing.TB) { need.Data(t) },
	"data file": func(t testing.TB) { need.DataFile(t, "missing.json") },
	"postgres":  func(t testing.TB) { need.Postgres(t) },
	"node":      func(t testing.TB) { need.Node(t) },
	"tool":      func(t testing.TB) { need.Tool(t, "no-such-program-anywhere") },
}

func lackEverything(t *testing.T) {
	t.Setenv(need.DataVar, filepath.Join(t.TempDir(), "none"))
	t.Setenv(need.PostgresVar, "")
	t.Setenv(need.NodeVar, "")
}

func TestWhatIsMissingSkips(t *testing.T) {
	lackEverything(t)
	t.Setenv(need.CIVar, "")
	for name, f := range needs {
		if got := try(t, f); got.skipped == "" || got.failed != "" {
			t.Errorf("%s: skipped with %q, failed with %q; want a skip that says what is missing", name, got.skipped, got.failed)
		}
	}
}

func TestInCIWhatIsMissingFails(t *testing.T) {
	lackEverything(t)
	t.Setenv(need.CIVar, "1")
	for name, f := range needs {
		if got := try(t, f); got.skipped != "" || got.failed == "" {
			t.Errorf("%s: skipped with %q, failed with %q; want a failure", name, got.skipped, got.failed)
		}
	}
}

func TestWhatIsThereIsGiven(t *testing.T) {
	t.Setenv(need.CIVar, "1")
	dir := t.TempDir()
	t.Setenv(need.DataVar, dir)
	if got := need.Data(t); got != dir {
		t.Errorf("data: got %s, want %s", got, dir)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := need.DataFile(t, "x.json"), filepath.Join(dir, "x.json"); got != want {
		t.Errorf("data file: got %s, want %s", got, want)
	}
	t.Setenv(need.PostgresVar, "postgres://x@127.0.0.1/x")
	if got := need.Postgres(t); got != "postgres://x@127.0.0.1/x" {
		t.Errorf("postgres: got %s", got)
	}
	if got := need.Tool(t, "go"); !strings.HasSuffix(got, "go") {
		t.Errorf("tool: got %s, want the path of go", got)
	}
}

// Each test gets ports of its own, at which a server can listen.
func TestPortsAreFree(t *testing.T) {
	seen := map[int]bool{}
	for range 40 {
		first := need.Ports(t, 4)
		for port := first; port < first+4; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if seen[port] || port >= 32768 {
				t.Errorf("port %d was given before, or is one of connections that go out", port)
			}
			seen[port] = true
		}
	}
}
