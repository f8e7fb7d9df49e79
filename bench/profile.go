package main

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/server"
)

// profiledArg makes this program `sallyport serve` with profiles: the argument
// behind it is the path and the beginning of the files' names.
const profiledArg = "-serve-profiled"

// serveProfiled serves until it is told to stop, and then writes what the
// processor did and what was allocated.
func serveProfiled(args []string) (err error) {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	config := fs.String("config", "", "")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c, err := server.Load(*config)
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, c, server.Options{Now: time.Now, Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	cpu, err := os.Create(args[0] + "-cpu.prof")
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return errors.Join(err, cpu.Close())
	}
	err = s.Run(ctx)
	pprof.StopCPUProfile()
	mem, merr := os.Create(args[0] + "-allocs.prof")
	if merr != nil {
		return errors.Join(err, merr, cpu.Close())
	}
	return errors.Join(err, pprof.Lookup("allocs").WriteTo(mem, 0), mem.Close(), cpu.Close())
}
