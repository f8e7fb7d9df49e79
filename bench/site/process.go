package site

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a child process. Whoever starts one stops it.
type Process struct {
	Name string
	cmd  *exec.Cmd
	in   io.Closer
	out  *bufio.Reader
	log  *os.File
	done chan struct{}
	err  error // of Wait; read after done
}

// stopGrace is how long a child may take to end by itself.
const stopGrace = 5 * time.Second

// Start runs argv. What the child writes to standard error goes to
// logs/<name>.log below dir. Its standard input stays open until Stop, so that a
// child of ours ends with its parent.
func Start(dir, name string, argv ...string) (*Process, error) {
	logs := filepath.Join(dir, "logs")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of logs: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stderr = dir, log
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	p := &Process{Name: name, cmd: cmd, in: in, out: bufio.NewReader(out), log: log, done: make(chan struct{})}
	go func() {
		// Not cmd.Wait, which closes the pipe under a reader.
		state, err := cmd.Process.Wait()
		if err == nil && !state.Success() {
			err = fmt.Errorf("%s: %s", name, state)
		}
		p.err = err
		close(p.done)
	}()
	return p, nil
}

// Line reads one line of the child's standard output: how children of ours say
// that they are ready, and what they found.
func (p *Process) Line(limit time.Duration) (string, error) {
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		text, err := p.out.ReadString('\n')
		got <- read{strings.TrimSpace(text), err}
	}()
	select {
	case r := <-got:
		if r.err != nil {
			return "", fmt.Errorf("%s ended before it answered (%w): %s", p.Name, r.err, p.tail())
		}
		return r.text, nil
	case <-time.After(limit):
		return "", fmt.Errorf("%s did not answer within %s; its log is %s", p.Name, limit, p.log.Name())
	}
}

// tail is the end of the child's log.
func (p *Process) tail() string {
	raw, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw[max(len(raw)-1000, 0):]))
}

// Output is the child's standard output behind the lines that Line read.
func (p *Process) Output() io.Reader { return p.out }

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Ended is closed when the child has ended.
func (p *Process) Ended() <-chan struct{} { return p.done }

// Kill ends the child as a power cut would, and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
	p.release()
}

// Stop asks the child to end, and kills it if it does not.
func (p *Process) Stop() error {
	defer p.release()
	select {
	case <-p.done:
		return p.err
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stopping %s: %w", p.Name, err)
	}
	_ = p.in.Close()
	select {
	case <-p.done:
		return nil // by a signal of ours: how it ended says nothing
	case <-time.After(stopGrace):
		p.Kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.Name, stopGrace)
	}
}

func (p *Process) release() {
	_ = p.in.Close() // the child has ended: nothing can be lost
	_ = p.log.Close()
}

// clockTick is USER_HZ: the unit of times in /proc, 100 on every Linux
// architecture that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU is the processor time that the child and its children have used (Linux).
func (p *Process) CPU() (time.Duration, error) {
	pids := []int{p.PID()}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("reading processor times: %w", err)
	}
	var ticks int64
	seen := map[int]stat{}
	for _, d := range all {
		if pid, err := strconv.Atoi(d.Name()); err == nil {
			if s, err := readStat(pid); err == nil {
				seen[pid] = s
			}
		}
	}
	for i := 0; i < len(pids); i++ {
		for pid, s := range seen {
			if s.parent == pids[i] && !slices.Contains(pids, pid) {
				pids = append(pids, pid)
			}
		}
	}
	if _, ok := seen[p.PID()]; !ok {
		return 0, fmt.Errorf("reading processor times: %s is not running", p.Name)
	}
	for _, pid := range pids {
		ticks += seen[pid].ticks
	}
	return time.Duration(ticks) * clockTick, nil
}

type stat struct {
	parent int
	ticks  int64
}

// readStat reads /proc/PID/stat; see proc(5). The name in parentheses may hold
// blanks.
func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	f := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:])) // from field 3, state, on
	if len(f) < 13 {
		return stat{}, errors.New("/proc/PID/stat is not as proc(5) says")
	}
	var s stat
	var user, system int64
	for into, field := range map[*int64]string{&user: f[11], &system: f[12]} {
		if *into, err = strconv.ParseInt(field, 10, 64); err != nil {
			return stat{}, err
		}
	}
	if s.parent, err = strconv.Atoi(f[1]); err != nil {
		return stat{}, err
	}
	s.ticks = user + system
	return s, nil
}

// PeakMemory is the most memory that the child ever had resident (Linux).
func (p *Process) PeakMemory() (int64, error) { return p.memory("VmHWM:") }

// Memory is what it has resident now (Linux).
func (p *Process) Memory() (int64, error) { return p.memory("VmRSS:") }

func (p *Process) memory(field string) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kB, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kB << 10, err
		}
	}
	return 0, errors.New("reading memory: no " + field)
}
