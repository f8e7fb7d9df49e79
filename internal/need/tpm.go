package need

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// SoftwareTPM starts a TPM 2.0 in software (swtpm, which follows the TCG's
// specification as a chip does) and gives its Unix socket. It ends with the test.
func SoftwareTPM(t testing.TB) (socket string) {
	t.Helper()
	program := Tool(t, "swtpm")
	dir, err := os.MkdirTemp("", "swtpm") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return StartTPM(t, program, dir)
}

// StartTPM starts the TPM whose state is in dir.
func StartTPM(t testing.TB, program, dir string) (socket string) {
	t.Helper()
	socket = filepath.Join(dir, "tpm.sock")
	cmd := exec.Command(program, "socket", "--tpm2", "--tpmstate", "dir="+dir,
		"--server", "type=unixio,path="+socket, "--flags", "not-need-init,startup-clear")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 500 {
		if conn, err := net.Dial("unix", socket); err == nil {
			conn.Close()
			return socket
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("swtpm did not open its socket within five seconds")
	return ""
}
