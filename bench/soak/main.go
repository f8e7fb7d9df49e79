// Command soak kills Sallyport again and again and checks what is left: that no
// byte was released without its entry in the log, that no act is half done, and
// that the log verifies.
//
//	go run ./bench/soak -rounds 200                  # everything
//	go run ./bench/soak -rounds 20 -what release     # one trial
//	go run ./bench/soak -what fuzz -fuzztime 10m     # hours; only when asked for
//
// The trials:
//
//	release   a real `sallyport serve` under releases, refusals, streams and acts,
//	          ended by SIGKILL at a random moment, started again, and checked
//	log       a process that only writes the audit log, ended by SIGKILL
//	unsynced  the audit log and a registry on it, in this process, on a file layer
//	          that fails at a random operation and forgets what was not synced
//	acts      a process that does one act, for every act of the table, on SQLite and (where
//	          SALLYPORT_TEST_POSTGRES names one) PostgreSQL, ended by SIGKILL before, in and
//	          after each step of it: nothing of it is there or all of it
//	reminders a real `sallyport serve` that tells of acts by mail and webhook, ended by
//	          SIGKILL at any moment of it: each act is told once
//	jobs      a server by a clock that moves on, over many dates at once, and sometimes back,
//	          ended by SIGKILL in what it does by itself: the clock's acts are done once,
//	          each reminder arrives, under one id, and of each date's steps one at a time
//	fuzz      every fuzz target of what reads data, for a time each
//
// It prints a line for each trial and exits 1 on any violation. A kill ends a
// process, not the machine: the kernel still writes what the process gave it.
// That is what the trial "unsynced" is for, and it covers the log, not SQLite's
// file, whose durability rests on SQLite's own (synchronous=FULL).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/bench/site"
)

// soak is one run.
type soak struct {
	rounds   int
	dir      string
	program  string
	fuzzTime time.Duration
	rand     *rand.Rand
	verbose  bool
	now      func() time.Time
}

// trials in the order in which they run.
var trials = []struct {
	name string
	run  func(context.Context, *soak) (summary string, err error)
}{
	{"release", releases},
	{"log", killedLog},
	{"unsynced", unsynced},
	{"acts", acts},
	{"reminders", reminders},
	{"jobs", jobs},
	{"fuzz", fuzz},
}

// usual are the trials that run unless others are named: fuzzing takes hours.
const usual = "release,log,unsynced,acts,reminders,jobs"

func main() {
	if len(os.Args) == 4 && os.Args[1] == site.RoleArg {
		if err := child(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 5 && os.Args[1] == clockedArg && os.Args[3] == "--config" {
		if err := serveClocked(os.Args[2], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, "soak:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// child is this program as a part of a trial.
func child(role, config string) error {
	switch role {
	case "upstream":
		return site.RunRole(config, site.ServeUpstream)
	case "logger":
		return site.RunRole(config, writeUntilKilled)
	}
	return fmt.Errorf("no such role: %s", role)
}

func run(ctx context.Context) error {
	s := &soak{now: time.Now}
	var names []string
	for _, t := range trials {
		names = append(names, t.name)
	}
	flag.IntVar(&s.rounds, "rounds", 200, "how often to kill, in each trial")
	what := flag.String("what", usual, "trials to run, separated by commas")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments and the load; it is printed")
	flag.DurationVar(&s.fuzzTime, "fuzztime", 10*time.Minute, "how long each target is fuzzed")
	flag.StringVar(&s.program, "sallyport", "", "the program to kill; built from this module if empty")
	flag.BoolVar(&s.verbose, "v", false, "a line for each round")
	flag.Parse()
	if flag.NArg() > 0 || s.rounds < 1 {
		return errors.New("want -rounds above zero and no arguments; see -help")
	}
	chosen := strings.Split(*what, ",")
	for _, w := range chosen {
		if !slices.Contains(names, w) {
			return fmt.Errorf("-what: no trial %q; there are %s", w, strings.Join(names, ", "))
		}
	}
	dir, err := os.MkdirTemp("", "sallyport-soak-")
	if err != nil {
		return err
	}
	s.dir = dir
	fmt.Printf("soak: %d rounds, seed %d\n", s.rounds, *seed)
	var failed []error
	for _, t := range trials {
		if !slices.Contains(chosen, t.name) || ctx.Err() != nil {
			continue
		}
		s.rand = rand.New(rand.NewPCG(*seed, 0))
		began := time.Now()
		summary, err := t.run(ctx, s)
		took := time.Since(began).Round(100 * time.Millisecond)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", t.name, err))
			fmt.Printf("FAIL  %s after %s: %s\n      %v\n", t.name, took, summary, err)
			continue
		}
		fmt.Printf("ok    %s in %s: %s\n", t.name, took, summary)
	}
	failed = append(failed, ctx.Err())
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("%w\nwhat it left is in %s", err, dir)
	}
	return os.RemoveAll(dir)
}

// between is a random time.
func (s *soak) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.rand.Int64N(int64(most-least)))
}
