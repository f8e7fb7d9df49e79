package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/scan"
)

type scanCmd struct {
	Path          []string `arg:"" optional:"" help:"Files and folders. With --history, --staged or a hook: a folder in the checkout. Without: the working folder."`
	History       bool     `help:"Scan every file that the repository's history holds, instead of what is on the disk." xor:"what"`
	Staged        bool     `help:"Scan only what the next commit would add or change." xor:"what"`
	InstallHook   bool     `help:"Write a pre-commit hook that scans what is staged." xor:"what"`
	RemoveHook    bool     `help:"Remove that hook." xor:"what"`
	JSON          bool     `name:"json" help:"Print one JSON document." xor:"how"`
	SARIF         bool     `name:"sarif" help:"Print SARIF 2.1.0, for code hosts and editors." xor:"how"`
	Out           string   `short:"o" help:"Write the report here instead of printing it." placeholder:"FILE" type:"path"`
	MinConfidence float64  `help:"Report nothing below this, from 0 to 1." default:"0.6"`
	MaxSize       string   `help:"Do not read larger files; also bounds what a .gz unpacks to." default:"1GB"`
	All           bool     `help:"Also what .gitignore names."`
	Allow         string   `help:"The list of exceptions. Without: .sallyport-scan.yaml in the working folder or at the top of the checkout." placeholder:"FILE" type:"path"`
	Workers       int      `help:"How many files to read at once. Without: one for each core." placeholder:"N"`
	Key           string   `env:"SALLYPORT_SCAN_KEY" help:"A key in hexadecimal, 32 bytes or more: reports then hold a print of each value, by which exceptions can name values. Keep it out of the repository." placeholder:"HEX" hidden:""`
}

// errFound is no failure: the report is printed already.
var errFound = errors.New("patient data was found")

// notScanned is an error of a scan, which is neither "nothing" nor "something".
type notScanned struct{ error }

func (e notScanned) Unwrap() error { return e.error }

// exitCode of a command's error.
func exitCode(err error) int {
	if errors.As(err, new(notScanned)) {
		return exitNotScanned
	}
	return exitFailed
}

// exitNotScanned: something could not be read, so that nothing found means nothing.
const exitNotScanned = 2

// Run scans. Exit codes: 0 nothing found, 1 something found, 2 could not scan.
func (c *scanCmd) Run(ctx context.Context, now clock) error {
	rep, err := c.scan(ctx, now)
	if err != nil {
		return notScanned{err}
	}
	if rep == nil {
		return nil // a hook
	}
	if err := c.print(rep); err != nil {
		return notScanned{err}
	}
	for _, f := range rep.Failed {
		fmt.Fprintf(os.Stderr, "sallyport: %q could not be scanned: %s\n", f.Path, f.Why)
	}
	switch {
	case len(rep.Findings) > 0:
		return errFound
	case len(rep.Failed) > 0:
		return notScanned{problem.New(problem.Unavailable, strconv.Itoa(len(rep.Failed))+" files could not be scanned, so that nothing found means nothing",
			"Make them readable, or except their paths in "+scan.AllowName)}
	}
	return nil
}

func (c *scanCmd) scan(ctx context.Context, now clock) (*scan.Report, error) {
	paths := c.Path
	if len(paths) == 0 {
		paths = []string{"."}
	}
	oneFolder := c.History || c.Staged || c.InstallHook || c.RemoveHook
	if oneFolder && len(paths) > 1 {
		return nil, problem.BadField("path", "is more than one", "Name one folder in the checkout")
	}
	if c.InstallHook || c.RemoveHook {
		return nil, c.hook(ctx, paths[0])
	}
	o, err := c.options(ctx, paths[0], now)
	if err != nil {
		return nil, err
	}
	stop := func() {}
	if isTerminal(os.Stderr) {
		o.Seen, stop = progress(os.Stderr)
	}
	defer stop()
	s, err := scan.New(o)
	if err != nil {
		return nil, err
	}
	switch {
	case c.History:
		return s.History(ctx, paths[0])
	case c.Staged:
		return s.Staged(ctx, paths[0])
	}
	return s.Paths(ctx, paths)
}

func (c *scanCmd) hook(ctx context.Context, dir string) error {
	if c.InstallHook {
		file, err := scan.InstallHook(ctx, dir)
		if err == nil {
			fmt.Println("Wrote " + file + ". Each commit is scanned first; the program must be on the PATH.")
		}
		return err
	}
	file, err := scan.RemoveHook(ctx, dir)
	if err == nil {
		fmt.Println("Removed " + file + ".")
	}
	return err
}

func (c *scanCmd) options(ctx context.Context, first string, now clock) (scan.Options, error) {
	o := scan.Options{Now: now(), Least: c.MinConfidence, Workers: c.Workers, All: c.All}
	var err error
	if o.MaxSize, err = readSize(c.MaxSize); err != nil {
		return o, err
	}
	if c.MinConfidence <= 0 {
		return o, problem.BadField("min-confidence", "is not above 0", "Give, for instance, 0.6")
	}
	if c.Key != "" {
		if o.Key, err = hex.DecodeString(strings.TrimSpace(c.Key)); err != nil {
			return o, problem.BadField("SALLYPORT_SCAN_KEY", "is not hexadecimal", "Make one with: openssl rand -hex 32")
		}
	}
	dir := first
	if info, err := os.Stat(first); err == nil && !info.IsDir() {
		dir = filepath.Dir(first)
	}
	o.Root = scan.Top(ctx, dir)
	file := c.Allow
	for _, at := range []string{".", o.Root} {
		if file == "" && at != "" {
			if _, err := os.Stat(filepath.Join(at, scan.AllowName)); err == nil {
				file = filepath.Join(at, scan.AllowName)
			}
		}
	}
	if file == "" {
		return o, nil
	}
	if c.Allow == "" || o.Root == "" {
		o.Root = filepath.Dir(file)
	}
	o.Allow, err = scan.LoadAllow(file, o.Now)
	return o, err
}

// readSize reads 100MB, 64k, 1GiB or a number of bytes.
func readSize(s string) (int64, error) {
	text := strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "ib"), "b")
	factor := int64(1)
	for i, unit := range []string{"k", "m", "g"} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, factor = rest, 1<<(10*(i+1))
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n <= 0 || n > 1<<40/factor {
		return 0, problem.BadField("max-size", "is not a size", "Give, for instance, 1GB; the most is 1024 GB")
	}
	return n * factor, nil
}

func (c *scanCmd) print(rep *scan.Report) error {
	var out io.Writer = os.Stdout
	if c.Out != "" {
		f, err := os.Create(c.Out)
		if err != nil {
			return unwritable("out", c.Out, err)
		}
		defer f.Close()
		out = f
	}
	w := bufio.NewWriter(out)
	var err error
	switch {
	case c.JSON:
		err = rep.WriteJSON(w)
	case c.SARIF:
		err = rep.WriteSARIF(w, version)
	default:
		err = rep.WriteTable(w)
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return problem.New(problem.Unavailable, "the report could not be written", "Check the disk, or what reads the output").Because(err)
	}
	return nil
}

// isTerminal: a person looks at f.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// progress shows a line that is written over, a few times a second.
func progress(w io.Writer) (seen func(scan.Progress), stop func()) {
	var last time.Time
	shown := false
	seen = func(p scan.Progress) {
		if now := time.Now(); now.Sub(last) > 200*time.Millisecond {
			last, shown = now, true
			fmt.Fprintf(w, "\r\x1b[K%d files, %d MB, %d found", p.Files, p.Bytes>>20, p.Findings)
		}
	}
	return seen, func() {
		if shown {
			fmt.Fprint(w, "\r\x1b[K")
		}
	}
}
