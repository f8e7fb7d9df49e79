package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/bench/site"
)

// auditLog is how many entries become durable in a second at so many writers,
// each of whom waits for its entry before it writes the next, with the tree
// behind them; next to what one writer alone gets from the disk.
func auditLog(ctx context.Context, b *bench) error {
	each := time.Duration(b.scale(4000, 300)) * time.Millisecond
	t := Table{Name: "Audit log, durable entries", Columns: []string{"entries/s", "per disk sync", "p50 ms", "p99 ms", "disk sync ms"}}
	for _, writers := range []int{1, 16, 64, 256} {
		row, err := writeLog(ctx, b, writers, each)
		if err != nil {
			return err
		}
		t.Rows = append(t.Rows, row)
	}
	t.Notes = []string{"An entry is an intent as the gateway writes it. \"Per disk sync\" is entries a second over the disk's own fdatasyncs a second,",
		"measured before and after with nothing else at work; above 1 the group commit earns. Each log was verified afterwards."}
	b.report.table(t)
	return nil
}

func writeLog(ctx context.Context, b *bench, writers int, each time.Duration) (Row, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("log-%d", writers))
	private, public, err := note.GenerateKey(nil, "bench-1")
	if err != nil {
		return Row{}, err
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		return Row{}, err
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		return Row{}, err
	}
	l, err := audit.Open(audit.Options{Dir: dir, Origin: "bench-1", Signer: signer, Verifier: verifier, Now: b.now})
	if err != nil {
		return Row{}, err
	}
	before, err := audit.MeasureSync(dir, b.scale(200, 20))
	if err != nil {
		return Row{}, errors.Join(err, l.Close())
	}
	ctx, cancel := context.WithTimeout(ctx, each+30*time.Second)
	defer cancel()
	var stop atomic.Bool
	var mu sync.Mutex
	var took []float64
	var failed error
	var group sync.WaitGroup
	began := time.Now()
	for range writers {
		group.Go(func() {
			var mine []float64
			var err error
			for err == nil && !stop.Load() {
				t0 := time.Now()
				_, err = l.Intend(ctx, site.Intent(b.now()))
				mine = append(mine, time.Since(t0).Seconds()*1e3)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
			failed = errors.Join(failed, err)
		})
	}
	time.Sleep(each)
	stop.Store(true)
	group.Wait()
	rate := float64(len(took)) / time.Since(began).Seconds()
	after, err := audit.MeasureSync(dir, b.scale(200, 20))
	if err := errors.Join(failed, err, l.Close()); err != nil {
		return Row{}, err
	}
	report, err := verify.Log(os.DirFS(dir), verifier)
	if err != nil {
		return Row{}, fmt.Errorf("the log that was measured does not verify: %w", err)
	}
	if report.Intents != uint64(len(took)) {
		return Row{}, fmt.Errorf("%d intents were acknowledged and %d are in the log", len(took), report.Intents)
	}
	sync := (before + after).Seconds() / 2
	return Row{fmt.Sprintf("%d writers", writers), []float64{rate, rate * sync, median(took), quantile(took, 0.99), sync * 1e3}}, nil
}
