package posture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	maxRead = 1 << 20
	// runLimit is how long one program may take; system_profiler and PowerShell are slow.
	runLimit = 20 * time.Second
)

// Host is this machine.
type Host struct{}

var _ System = Host{}

// ReadFile implements System.
func (Host) ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRead+1))
	if err == nil && len(raw) > maxRead {
		err = fmt.Errorf("%s is longer than %d bytes", path, maxRead)
	}
	return raw, err
}

// Glob implements System.
func (Host) Glob(pattern string) []string {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return names
}

// Readlink implements System.
func (Host) Readlink(path string) (string, error) { return os.Readlink(path) }

// Modified implements System.
func (Host) Modified(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// Getenv implements System.
func (Host) Getenv(name string) string { return os.Getenv(name) }

// Run implements System.
func (Host) Run(ctx context.Context, name string, args ...string) (Output, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return Output{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LANG=C") // outputs are compared with English words
	cmd.WaitDelay = time.Second
	var out, errs bounded
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && ctx.Err() == nil {
		return Output{out.String(), errs.String(), exit.ExitCode()}, nil
	}
	if err == nil && (out.over || errs.over) {
		err = fmt.Errorf("%s wrote more than %d bytes", name, maxRead)
	}
	return Output{Stdout: out.String(), Stderr: errs.String()}, err
}

// bounded keeps the first megabyte.
type bounded struct {
	bytes.Buffer
	over bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := maxRead - b.Len()
	if len(p) > room {
		b.over = true
		b.Buffer.Write(p[:max(0, room)])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
