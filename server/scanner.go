package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

// Documents is how papers are looked at before they are stored, beside the check of
// their type. An error of the scanner refuses the document: data decisions go on.
type Documents struct {
	// ScanCommand is a program and its arguments: the content is its standard input, 0 is
	// clean, 1 is harmful, anything else an error.
	ScanCommand []string `yaml:"scan_command"`
	// Clamd is a ClamAV daemon: unix:/run/clamav/clamd.ctl, or tcp:127.0.0.1:3310.
	Clamd string `yaml:"clamd"`
	// ScanTimeout bounds one scan; empty: 15s.
	ScanTimeout time.Duration `yaml:"scan_timeout"`
}

const scanTimeout = 15 * time.Second

func (d Documents) check() error {
	if len(d.ScanCommand) > 0 && d.Clamd != "" {
		return problem.BadField("documents", "names two scanners", "Keep scan_command or clamd")
	}
	if len(d.ScanCommand) > 0 && !filepath.IsAbs(d.ScanCommand[0]) {
		return problem.BadField("documents.scan_command", "does not begin with the path of a program", `Write ["/usr/bin/scanner", "-"]`)
	}
	if d.Clamd != "" {
		network, address, ok := strings.Cut(d.Clamd, ":")
		if host, _, err := net.SplitHostPort(address); !ok || network != "unix" && (network != "tcp" || err != nil || !loopback(host)) || network == "unix" && !filepath.IsAbs(address) {
			return problem.BadField("documents.clamd", "is not the socket of a daemon on this machine", "Write unix:/run/clamav/clamd.ctl or tcp:127.0.0.1:3310")
		}
	}
	if d.ScanTimeout < 0 || d.ScanTimeout > time.Minute {
		return problem.BadField("documents.scan_timeout", "is over a minute", "15s is usual")
	}
	return nil
}

// scanner is what the configuration names; nil: nothing.
func (d Documents) scanner() (registry.Scan, string) {
	limit := d.ScanTimeout
	if limit == 0 {
		limit = scanTimeout
	}
	var scan registry.Scan
	var name string
	switch {
	case d.Clamd != "":
		network, address, _ := strings.Cut(d.Clamd, ":")
		name, scan = "clamd", func(ctx context.Context, content []byte) (bool, error) {
			return askClamd(ctx, network, address, content)
		}
	case len(d.ScanCommand) > 0:
		name, scan = filepath.Base(d.ScanCommand[0]), func(ctx context.Context, content []byte) (bool, error) {
			return runScanner(ctx, d.ScanCommand, content)
		}
	default:
		return nil, ""
	}
	return func(ctx context.Context, content []byte) (bool, error) {
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		return scan(ctx, content)
	}, name
}

// harmful is the exit code of a scanner that found something.
const harmful = 1

func runScanner(ctx context.Context, command []string, content []byte) (bool, error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(content)
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return false, fmt.Errorf("the scanner: %w", ctx.Err())
	case err == nil:
		return true, nil
	case errors.As(err, &exit) && exit.ExitCode() == harmful:
		return false, nil
	}
	return false, fmt.Errorf("the scanner: %w", err)
}

// clamChunk is how much goes to clamd at once.
const clamChunk = 64 << 10

// askClamd sends the content as clamd's INSTREAM wants it: chunks, each after its
// length, and a length of nothing at the end.
func askClamd(ctx context.Context, network, address string, content []byte) (bool, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return false, fmt.Errorf("clamd: %w", err)
	}
	defer c.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := c.SetDeadline(deadline); err != nil {
			return false, fmt.Errorf("clamd: %w", err)
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // a deadline stands already; this is for a caller who left
	defer stop()
	out := []byte("zINSTREAM\x00")
	for len(content) > 0 {
		n := min(len(content), clamChunk)
		out = binary.BigEndian.AppendUint32(out, uint32(n))
		out = append(out, content[:n]...)
		if _, err := c.Write(out); err != nil {
			return false, fmt.Errorf("clamd: %w", err)
		}
		out, content = out[:0], content[n:]
	}
	if _, err := c.Write(binary.BigEndian.AppendUint32(out, 0)); err != nil {
		return false, fmt.Errorf("clamd: %w", err)
	}
	reply, err := io.ReadAll(io.LimitReader(c, 4096))
	if err != nil {
		return false, fmt.Errorf("clamd: %w", err)
	}
	switch answer := strings.TrimRight(string(reply), "\x00\n"); {
	case answer == "stream: OK":
		return true, nil
	case strings.HasPrefix(answer, "stream: ") && strings.HasSuffix(answer, " FOUND"):
		return false, nil
	}
	return false, errors.New("clamd gave neither OK nor FOUND")
}
