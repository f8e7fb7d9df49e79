package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/disclosure/disclosuretest"
	"github.com/sallyport/sallyport/id"
)

// The answer that a breach cannot wait for: 2 s, over six years of a log.
const (
	radiusLimit = 2 * time.Second
	radiusSpan  = 6 * 365 * 24 * time.Hour
	radiusAsked = 20
)

// disclosures writes a large log from a seed, makes the index of it, and asks for the
// blast radius of a vendor with a third of everything and of one engagement in thirty
// days; then the same is worked out from the log alone, and must be equal.
func disclosures(ctx context.Context, b *bench) (err error) {
	entries := b.entries
	if entries == 0 {
		entries = uint64(b.scale(10_000_000, 50_000))
	}
	dir := filepath.Join(b.dir, "bulk")
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }() // gigabytes, also where something failed
	signer, verifier, err := disclosuretest.Key()
	if err != nil {
		return err
	}
	start := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	clock := disclosuretest.NewClock(start)
	logs, index := filepath.Join(dir, "audit"), filepath.Join(dir, "disclosure")
	if err := os.MkdirAll(logs, 0o700); err != nil {
		return err
	}
	l, err := audit.Open(audit.Options{FS: disclosuretest.Unsynced(logs), Origin: disclosuretest.Origin, Signer: signer, Verifier: verifier, Now: clock.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	began := time.Now()
	plan := disclosuretest.Plan{Seed: 1, Entries: entries, Patients: max(1000, int(entries/10)), Span: radiusSpan}
	if err := disclosuretest.Write(ctx, l, clock, plan); err != nil {
		return fmt.Errorf("writing the log: %w", err)
	}
	wrote := time.Since(began)
	say("wrote %d entries in %v", l.Size(), wrote.Round(time.Second))

	x, err := disclosure.Open(index, l, disclosure.Options{})
	if err != nil {
		return err
	}
	began = time.Now()
	if err := x.Update(ctx); err != nil {
		return fmt.Errorf("making the index: %w", err)
	}
	built := time.Since(began)
	size, err := sizeOf(index)
	if err != nil {
		return err
	}
	logSize, err := sizeOf(logs)
	if err != nil {
		return err
	}
	say("made the index in %v", built.Round(time.Second))
	began = time.Now()
	if x, err = disclosure.Open(index, l, disclosure.Options{}); err != nil {
		return err
	}
	if err := x.Update(ctx); err != nil {
		return err
	}
	reopened := time.Since(began)
	t := Table{Name: "Index of disclosures", Columns: []string{"entries", "s", "entries/s", "bytes an entry"}}
	n := float64(l.Size())
	t.Rows = []Row{
		{"log written", []float64{n, wrote.Seconds(), n / wrote.Seconds(), float64(logSize) / n}},
		{"index made from the log", []float64{n, built.Seconds(), n / built.Seconds(), float64(size) / n}},
		{"index opened again", []float64{n, reopened.Seconds(), n / reopened.Seconds(), float64(size) / n}},
	}
	t.Notes = []string{"The log is written through the log's own API, encoding and tree, without waiting for the disk. Opening again reads heads and",
		"dictionaries, and the entries behind the last full segment from the log."}
	b.report.table(t)
	if err := b.radii(ctx, l, x, start); err != nil {
		return err
	}
	if b.quick { // a log of ten million is verified by the same code, in minutes
		if err := l.Close(); err != nil {
			return err
		}
		report, err := verify.Log(os.DirFS(logs), verifier)
		if err != nil {
			return fmt.Errorf("the log that was written does not verify: %w", err)
		}
		say("verified %d entries", report.Size)
	}
	return nil
}

// radii asks, and compares.
func (b *bench) radii(ctx context.Context, l *audit.Log, x *disclosure.Index, start time.Time) error {
	through := l.Size()
	middle := start.Add(radiusSpan / 2)
	questions := []struct {
		name string
		q    disclosure.Query
	}{
		{"everything", disclosure.Query{Through: through}},
		{"one vendor of three", disclosure.Query{Vendors: []id.Vendor{disclosuretest.Vendor(1)}, Through: through}},
		{"one engagement, 30 days", disclosure.Query{Engagements: []id.Engagement{disclosuretest.Engagement(1, 2)}, Since: middle, Until: middle.Add(30 * 24 * time.Hour), Through: through}},
	}
	t := Table{Name: "Blast radius", Columns: []string{"releases", "patients", "p50 ms", "p99 ms", "2 s over p99", "equal"}}
	var queries []disclosure.Query
	var answers []disclosure.Radius
	for _, q := range questions {
		var took []float64
		var r disclosure.Radius
		for range radiusAsked {
			began := time.Now()
			var err error
			if r, err = x.Radius(ctx, q.q); err != nil {
				return fmt.Errorf("asking for the radius of %s: %w", q.name, err)
			}
			took = append(took, time.Since(began).Seconds()*1e3)
		}
		p99 := quantile(took, 0.99)
		t.Rows = append(t.Rows, Row{q.name, []float64{float64(r.Releases), float64(r.Patients), median(took), p99, radiusLimit.Seconds() * 1e3 / p99, 0}})
		queries, answers = append(queries, q.q), append(answers, r)
	}
	began := time.Now()
	slow, err := disclosuretest.Slow(ctx, l, through, queries...)
	if err != nil {
		return fmt.Errorf("working it out from the log: %w", err)
	}
	took := time.Since(began)
	say("worked it out from the log in %v", took.Round(time.Second))
	var failed error
	for i := range answers {
		same, err := alike(answers[i], slow[i])
		if err != nil {
			return err
		}
		if same {
			t.Rows[i].Values[len(t.Columns)-1] = 1
		} else {
			failed = errors.Join(failed, fmt.Errorf("the index and the log disagree about %s", questions[i].name))
		}
	}
	t.Notes = []string{fmt.Sprintf("%d times each, one at a time, files in the page cache. \"Equal\": 1 where every number and the digest are those of a slow", radiusAsked),
		fmt.Sprintf("recomputation from the entries, which took %.0f s for the three together.", took.Seconds())}
	b.report.table(t)
	return failed
}

func alike(a, b any) (bool, error) {
	x, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(b)
	return string(x) == string(y), err
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }

// sizeOf is how many bytes the files below a folder have.
func sizeOf(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}
