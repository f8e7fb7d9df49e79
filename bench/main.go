// Command bench measures what the README claims, next to peers, in one run on
// one machine, and writes what it found as JSON and as a table.
//
//	go run ./bench                # everything; about half an hour, and 12 GB in -dir
//	go run ./bench -quick         # small: that it still runs, not figures to quote
//	go run ./bench -only path     # one comparison: decision, audit, disclosure, console, path, sealing, revoke, signals, memory
//
// It exits 0 whatever the figures are: a benchmark is not a test. It exits 1 if
// something could not be measured. See README.md for what is compared and how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/bench/site"
)

// bench is one run.
type bench struct {
	quick   bool
	profile bool
	opa     string // path of the OPA program
	nginx   string
	dir     string // scratch: on the disk that is measured
	out     string
	now     func() time.Time
	peerset []string // of path; empty: all
	sizeset []string
	causes  []string // of signals; empty: all
	sealTo  []string // recipients of the site's device
	entries uint64   // of disclosure's and console's log; 0: ten million
	report  *Report
}

// comparisons in the order in which they run.
var comparisons = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"decision", decision},
	{"audit", auditLog},
	{"disclosure", disclosures},
	{"console", consolePages},
	{"path", path},
	{"sealing", sealing},
	{"revoke", revoke},
	{"signals", signals},
	{"memory", memory},
}

// roles are what this program is when it starts itself.
var roles = map[string]func(config string) error{
	"upstream": func(c string) error { return site.RunRole(c, site.ServeUpstream) },
	"reverse":  func(c string) error { return site.RunRole(c, serveReverse) },
	"json":     func(c string) error { return site.RunRole(c, serveJSON) },
	"load":     func(c string) error { return site.RunRole(c, runLoad) },
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == site.RoleArg {
		run, ok := roles[os.Args[2]]
		if !ok {
			fatal(fmt.Errorf("no such role: %s", os.Args[2]))
		}
		if err := run(os.Args[3]); err != nil {
			fatal(err)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == profiledArg {
		if err := serveProfiled(os.Args[2:]); err != nil {
			fatal(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		stop()
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func run(ctx context.Context) error {
	b := &bench{now: time.Now}
	only := flag.String("only", "", "comparisons to run, separated by commas: decision, audit, disclosure, console, path, sealing, revoke, signals, memory")
	flag.BoolVar(&b.quick, "quick", false, "short: that it runs, not figures to quote")
	flag.BoolVar(&b.profile, "profile", false, "write CPU and allocation profiles of Sallyport into -out")
	flag.StringVar(&b.opa, "opa", "", "the OPA program; without it "+opaModule+" is built into the user's cache")
	flag.StringVar(&b.nginx, "nginx", "nginx", "the nginx program, with the auth_request module")
	flag.StringVar(&b.out, "out", "bench/out", "folder for the results")
	byPeer := flag.String("peers", "", "of path: only these peers, separated by commas; direct is always there")
	bySize := flag.String("sizes", "", "of path and sealing: only these sizes, 2KB or 500KB, separated by commas")
	byCause := flag.String("causes", "", "of signals: only these causes, separated by commas: "+strings.Join(causeNames(), ", "))
	flag.Uint64Var(&b.entries, "entries", 0, "of disclosure and console: how many entries the log has; ten million need 12 GB in -dir")
	dir := flag.String("dir", "", "scratch folder on the disk to measure; a new one in the system's if empty")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected %q; see -help", flag.Args())
	}
	if *byPeer != "" {
		b.peerset = strings.Split(*byPeer, ",")
	}
	if *bySize != "" {
		b.sizeset = strings.Split(*bySize, ",")
	}
	if *byCause != "" {
		b.causes = strings.Split(*byCause, ",")
	}
	names, err := choose(*only)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(*dir, "sallyport-bench-")
	if err != nil {
		return fmt.Errorf("making a scratch folder: %w", err)
	}
	if b.dir, err = filepath.Abs(scratch); err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			_ = os.RemoveAll(b.dir) // scratch
		}
	}()
	if b.out, err = filepath.Abs(b.out); err != nil {
		return err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return fmt.Errorf("making the folder for results: %w", err)
	}
	b.report = &Report{At: b.now().UTC(), Quick: b.quick, Machine: thisMachine(b.dir)}
	var failed []error
	for _, c := range comparisons {
		if !slices.Contains(names, c.name) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "measuring %s\n", c.name)
		if err := c.run(ctx, b); err != nil {
			failed = append(failed, fmt.Errorf("%s could not be measured: %w", c.name, err))
			b.report.Failed = append(b.report.Failed, fmt.Sprintf("%s: %v", c.name, err))
		}
	}
	b.report.Print(os.Stdout)
	file, err := b.report.Write(b.out)
	if err != nil {
		return err
	}
	fmt.Printf("\nWritten to %s\n", file)
	if len(failed) > 0 {
		keep = true
		fmt.Fprintf(os.Stderr, "logs and files are kept in %s\n", b.dir)
	}
	return errors.Join(append(failed, ctx.Err())...)
}

func choose(only string) ([]string, error) {
	var all []string
	for _, c := range comparisons {
		all = append(all, c.name)
	}
	if only == "" {
		return all, nil
	}
	names := strings.Split(only, ",")
	for _, n := range names {
		if !slices.Contains(all, n) {
			return nil, fmt.Errorf("-only: no comparison %q; there are %s", n, strings.Join(all, ", "))
		}
	}
	return names, nil
}

// scale is n, or for -quick few.
func (b *bench) scale(n, few int) int {
	if b.quick {
		return few
	}
	return n
}
