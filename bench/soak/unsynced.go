package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing/fstest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/faultfs"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/store"
)

// machine is a log on a file layer that forgets, and a registry on it.
type machine struct {
	fs    *faultfs.FS
	keys  keys
	db    string
	log   *audit.Log
	store *store.Store
	reg   *registry.Registry
	said  []id.Decision // announced since the last check
	acts  []acted       // answered, ever
	names int           // of vendors
	mark  []byte        // checkpoint
}

func (m *machine) open(ctx context.Context, s *soak) (err error) {
	m.log, err = audit.Open(audit.Options{Dir: "log", Origin: origin, Signer: m.keys.signer, Verifier: m.keys.verifier, Now: s.now, FS: m.fs, Interval: 5 * time.Millisecond})
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	if m.store, err = store.Open(ctx, m.db, registrytest.Sealer{}); err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	engine, err := registry.NewEngine()
	if err != nil {
		return err
	}
	m.reg, err = registry.Open(ctx, registry.Options{Store: m.store, Log: m.log, Engine: engine, Node: origin, Settings: registrytest.Settings(), Clock: s.now})
	if err != nil {
		return fmt.Errorf("opening the registry: %w", err)
	}
	return nil
}

// unsynced cuts the power at a random file operation, forgets what was not
// synced but for random parts, and looks for all that was announced.
func unsynced(ctx context.Context, s *soak) (string, error) {
	announced, answered := 0, 0
	summary := func() string {
		return fmt.Sprintf("%d power cuts, %d releases announced and %d acts answered, all in the log", s.rounds, announced, answered)
	}
	var m *machine
	for round := range s.rounds {
		if ctx.Err() != nil {
			return summary(), ctx.Err()
		}
		if round%25 == 0 {
			var err error
			if m, err = s.newMachine(ctx, round); err != nil {
				return summary(), err
			}
		}
		before := len(m.acts)
		if err := m.live(ctx, s); err != nil {
			return summary(), fmt.Errorf("round %d: %w", round, err)
		}
		announced, answered = announced+len(m.said), answered+len(m.acts)-before
		m.fs.Crash(s.rand)
		if err := m.check(ctx, s); err != nil {
			return summary(), fmt.Errorf("round %d: %w", round, err)
		}
		if s.verbose {
			fmt.Printf("  unsynced %d: %d announced, %d acts\n", round, announced, answered)
		}
	}
	return summary(), nil
}

// newMachine is a registry of two people, so that there are acts to do.
func (s *soak) newMachine(ctx context.Context, round int) (*machine, error) {
	k, err := newKeys()
	if err != nil {
		return nil, err
	}
	m := &machine{fs: faultfs.New(), keys: k, db: filepath.Join(s.dir, fmt.Sprintf("unsynced-%d.db", round))}
	if err := m.open(ctx, s); err != nil {
		return nil, err
	}
	steps, err := registrytest.Demo{Now: s.now()}.Steps()
	if err != nil {
		return nil, err
	}
	if err := registrytest.Do(ctx, m.reg, steps[:4]); err != nil {
		return nil, err
	}
	return m, errors.Join(m.log.Close(), m.store.Close())
}

// live opens the machine and works until the power goes, which may be at once.
func (m *machine) live(ctx context.Context, s *soak) error {
	if err := m.open(ctx, s); err != nil {
		return err
	}
	m.said = nil
	m.fs.CutAfter(s.rand.IntN(600))
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 1 + s.rand.IntN(8) {
		group.Go(func() {
			for {
				time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) // acts are slower, and are to be under way too
				d, err := release(ctx, m.log)
				if err != nil {
					return
				}
				mu.Lock()
				m.said = append(m.said, d)
				mu.Unlock()
			}
		})
	}
	group.Go(func() {
		for {
			m.names++
			r, err := m.reg.Do(ctx, registry.Actor{Person: registrytest.Ada},
				registry.ProposeVendor{ID: id.Vendor(fmt.Sprintf("vendor-%d", m.names)), Name: "Vendor"}, registry.Meta{Reason: "soak"})
			if err != nil {
				return
			}
			m.acts = append(m.acts, acted{r.Act, r.LogIndex})
		}
	})
	group.Wait()
	if ctx.Err() != nil {
		return errors.New("the power did not go within 20 s")
	}
	_ = m.log.Close() // it cannot write any more
	return m.store.Close()
}

// check starts the machine again and looks for everything.
func (m *machine) check(ctx context.Context, s *soak) error {
	if err := m.open(ctx, s); err != nil {
		return fmt.Errorf("after the power came back: %w", err)
	}
	var logged []audit.Entry
	err := m.log.Scan(ctx, 0, m.log.Size(), func(_ uint64, e audit.Entry) error {
		if e.Act != nil {
			logged = append(logged, e)
		}
		return nil
	})
	err = errors.Join(err, covered(ctx, m.log, m.said), whole(ctx, m.store, logged, m.acts))
	if err = errors.Join(err, m.log.Close(), m.store.Close()); err != nil {
		return err
	}
	files := fstest.MapFS{}
	for name, data := range m.fs.Files() {
		files[name] = &fstest.MapFile{Data: data}
	}
	var report verify.Report
	if m.mark == nil {
		report, err = verify.Log(files, m.keys.verifier)
	} else {
		report, err = verify.Since(m.mark, files, m.keys.verifier)
	}
	m.mark = report.Checkpoint
	return err
}
