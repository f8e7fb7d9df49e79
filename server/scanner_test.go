package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/need"
)

// eicar is the harmless file that every scanner calls harmful, in two halves so that
// nothing takes this source for it.
const eicar = `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + `EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*`

// clamd answers as the daemon does: by its protocol, and to what it was sent.
func clamd(t *testing.T, answer func([]byte) string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "clamd") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				command := make([]byte, len("zINSTREAM\x00"))
				if _, err := io.ReadFull(c, command); err != nil || string(command) != "zINSTREAM\x00" {
					return
				}
				var content []byte
				for {
					var size uint32
					if err := binary.Read(c, binary.BigEndian, &size); err != nil {
						return
					}
					if size == 0 {
						break
					}
					chunk := make([]byte, size)
					if _, err := io.ReadFull(c, chunk); err != nil {
						return
					}
					content = append(content, chunk...)
				}
				_, _ = io.WriteString(c, answer(content)) // the client may have left
			}()
		}
	}()
	return "unix:" + l.Addr().String()
}

func TestClamd(t *testing.T) {
	at := clamd(t, func(content []byte) string {
		if bytes.Contains(content, []byte(eicar)) {
			return "stream: Win.Test.EICAR_HDB-1 FOUND\x00"
		}
		if len(content) == 3 {
			return "INSTREAM size limit exceeded. ERROR\x00"
		}
		return "stream: OK\x00"
	})
	scan, name := Documents{Clamd: at}.scanner()
	big := bytes.Repeat([]byte("x"), 3*clamChunk+5)
	for _, tt := range []struct {
		name    string
		content []byte
		clean   bool
		fails   bool
	}{{"clean", []byte("a paper"), true, false}, {"of several chunks", big, true, false}, {"harmful", append(big, eicar...), false, false}, {"an error", []byte("abc"), false, true}} {
		if clean, err := scan(t.Context(), tt.content); clean != tt.clean || (err != nil) != tt.fails {
			t.Errorf("%s: got %v and %v", tt.name, clean, err)
		}
	}
	if name != "clamd" {
		t.Errorf("the scanner is called %q", name)
	}
	away, _ := Documents{Clamd: "unix:/nowhere/clamd.ctl"}.scanner()
	if clean, err := away(t.Context(), []byte("x")); clean || err == nil {
		t.Errorf("a daemon that is away: got %v and %v", clean, err)
	}
	silent, _ := Documents{Clamd: clamd(t, func([]byte) string { time.Sleep(300 * time.Millisecond); return "stream: OK" }), ScanTimeout: 20 * time.Millisecond}.scanner()
	if clean, err := silent(t.Context(), []byte("x")); clean || err == nil {
		t.Errorf("a daemon that is silent: got %v and %v", clean, err)
	}
}

func TestAScanningProgram(t *testing.T) {
	sh := need.Tool(t, "sh")
	for script, want := range map[string]struct {
		clean, fails bool
	}{
		"exec cat >/dev/null":            {true, false},
		"grep -q paper && exit 0":        {true, false},
		"exit 1":                         {false, false},
		"exit 2":                         {false, true},
		"kill -9 $$":                     {false, true},
		"cat >/dev/null; exec sleep 100": {false, true},
	} {
		scan, _ := Documents{ScanCommand: []string{sh, "-c", script}, ScanTimeout: 300 * time.Millisecond}.scanner()
		if clean, err := scan(t.Context(), []byte("a paper")); clean != want.clean || (err != nil) != want.fails {
			t.Errorf("%s: got %v and %v", script, clean, err)
		}
	}
	if scan, name := (Documents{}).scanner(); scan != nil || name != "" {
		t.Error("there is a scanner that nobody named")
	}
}
