package hospitaltest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a Sallyport in a process of its own.
type process struct {
	cmd  *exec.Cmd
	wait func() error
}

func (b *Box) runProgram() (running, error) {
	cmd := exec.Command(b.o.Program, "serve", "--config", b.File)
	cmd.Dir = b.Dir
	cmd.Stdout, cmd.Stderr = b.Log, b.Log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting sallyport: %w", err)
	}
	return &process{cmd, sync.OnceValue(cmd.Wait)}, nil
}

func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	late := time.AfterFunc(stopLimit, func() { _ = p.cmd.Process.Kill() }) // Wait tells
	defer late.Stop()
	return p.wait()
}

func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = p.wait() // "signal: killed"
	return nil
}
