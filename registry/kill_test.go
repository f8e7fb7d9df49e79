package registry_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

const origin = "hospital.example/test/node-1"

// process opens a registry on the real log and an SQLite file, as a program
// does.
func process(ctx context.Context, dir string) (*registry.Registry, *audit.Log, func() error, error) {
	log, err := processLog(dir)
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := store.Open(ctx, filepath.Join(dir, "registry.db"), registrytest.Sealer{})
	if err != nil {
		return nil, nil, nil, errors.Join(err, log.Close())
	}
	closing := func() error { return errors.Join(s.Close(), log.Close()) }
	engine, err := registry.NewEngine()
	if err != nil {
		return nil, nil, nil, errors.Join(err, closing())
	}
	r, err := registry.Open(ctx, registry.Options{Store: s, Log: log, Engine: engine, Node: "node-1", Settings: registrytest.Settings()})
	if err != nil {
		return nil, nil, nil, errors.Join(err, closing())
	}
	return r, log, closing, nil
}

func processLog(dir string) (*audit.Log, error) {
	skey, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return nil, err
	}
	vkey, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(string(skey))
	if err != nil {
		return nil, err
	}
	verifier, err := note.NewVerifier(string(vkey))
	if err != nil {
		return nil, err
	}
	return audit.Open(audit.Options{Dir: filepath.Join(dir, "log"), Origin: origin, Signer: signer, Verifier: verifier, Now: time.Now})
}

// writeLogKeys makes the keys of a process's log.
func writeLogKeys(t *testing.T, dir string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"key": skey, "key.pub": vkey} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// actChild does acts until it is killed, and says which it did. Each round of a
// grant is an act of one record, then one of two, then one of three.
func actChild() {
	fail := func(err error) {
		fmt.Println("failed", err, errors.Unwrap(err))
		os.Exit(1)
	}
	ctx := context.Background()
	r, _, _, err := process(ctx, os.Getenv("SALLYPORT_ACT_CHILD"))
	if err != nil {
		fail(err)
	}
	fmt.Println("open", r.View().Version())
	do := func(by id.Person, key string, a registry.Act) registry.Result {
		res, err := r.Do(ctx, registry.Actor{Person: by}, a, registry.Meta{Reason: "r", IdempotencyKey: key})
		if err != nil {
			fail(fmt.Errorf("%T: %w", a, err))
		}
		fmt.Println("done", res.Act, res.LogIndex)
		return res
	}
	for n := 0; ; n++ {
		g := id.Grant(fmt.Sprintf("g-%d", n))
		v := r.View()
		old, there := v.Grants.Get(g)
		if there && old.State != snapshot.Proposed && len(v.ReviewsOf(g)) > 1 {
			continue // of an earlier life
		}
		now := time.Now()
		do("ada", "request-"+string(g), registry.RequestGrant{ID: g, Engagement: "triage-eval", App: "triage", Person: "lin", Devices: []id.Device{"northwind-gpu-1"},
			Role: "triage-reader", Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, StartsAt: time.Date(now.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Hour),
			EndsAt: time.Date(now.Year()+1, 1, 1, 0, 0, 0, 0, time.UTC), MaxPatients: 1, MaxDailyBytes: 1})
		do("grace", "approve-"+string(g), registry.ApproveGrant{ID: g})
		do("grace", "review-"+string(g), registry.CompleteReview{ID: r.View().ReviewsOf(g)[0].ID, Outcome: snapshot.Keep})
	}
}

// TestKilledAtAnyMomentNoActIsHalfDone kills a process that does acts, again
// and again on the same files, and compares what is left: log, rows and what
// the process had said.
func TestKilledAtAnyMomentNoActIsHalfDone(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	if s := os.Getenv("SALLYPORT_KILL_ROUNDS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil || rounds < 1 {
			t.Fatalf("SALLYPORT_KILL_ROUNDS=%q is not a number of rounds", s)
		}
	}
	dir := t.TempDir()
	writeLogKeys(t, dir)
	r, _, closing, err := process(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := registrytest.Do(t.Context(), r, demo(t)); err != nil {
		t.Fatal(err)
	}
	if err := closing(); err != nil {
		t.Fatal(err)
	}
	said := map[id.Act]uint64{}
	left := 0 // acts that a crash left in the outbox
	for round := range rounds {
		kill(t, dir, said)
		s := openStore(t, filepath.Join(dir, "registry.db"))
		waiting, err := s.Outbox(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		left += len(waiting)
		s.Close()
		r, log, closing, err := process(t.Context(), dir)
		if err != nil {
			t.Fatalf("round %d: open after the kill: %v", round, err)
		}
		check(t, r, log, said)
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
		if err := closing(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d rounds, %d acts said to be done, %d left in the outbox by a kill", rounds, len(said), left)
	if len(said) < rounds {
		t.Errorf("only %d acts were done in %d rounds: the test tries too little", len(said), rounds)
	}
}

func kill(t *testing.T, dir string, said map[id.Act]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SALLYPORT_ACT_CHILD="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	var timer *time.Timer
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 2 && f[0] == "open":
			timer = time.AfterFunc(time.Duration(20+rand.IntN(250))*time.Millisecond, func() { cmd.Process.Kill() })
		case len(f) == 3 && f[0] == "done":
			index, err := strconv.ParseUint(f[2], 10, 64)
			if err != nil {
				break // a line cut short by the kill
			}
			if len(f[1]) == 26 {
				said[id.Act(f[1])] = index
			}
		case len(f) > 0 && f[0] == "failed":
			t.Errorf("the process: %s", lines.Text())
		}
	}
	err = cmd.Wait()
	if timer != nil {
		timer.Stop()
	}
	if err == nil {
		t.Error("the process ended by itself")
	}
}

func check(t *testing.T, r *registry.Registry, log *audit.Log, said map[id.Act]uint64) {
	t.Helper()
	var inLog []audit.ActEntry
	err := log.Scan(t.Context(), 0, log.Size(), func(index uint64, e audit.Entry) error {
		if e.Act != nil {
			inLog = append(inLog, *e.Act)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := r.Acts(t.Context(), 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	if len(inLog) != len(entries) || uint64(len(entries)) != r.View().Version() {
		t.Errorf("%d acts in the log, %d in the database, version %d", len(inLog), len(entries), r.View().Version())
		return
	}
	rows := map[registry.Kind]int{"grant.request": 1, "grant.approve": 2, "review.complete": 2}
	for i, e := range entries {
		if inLog[i].Act != e.ID {
			t.Errorf("entry %d is act %s in the log and %s in the database", i, inLog[i].Act, e.ID)
		}
		if n, ok := rows[e.Kind]; ok && len(e.Changed) != n {
			t.Errorf("act %d (%s) changed %d records, want %d: half done", e.Seq, e.Kind, len(e.Changed), n)
		}
		if index, ok := said[e.ID]; ok && index != e.LogIndex {
			t.Errorf("act %s: said to be at %d, is at %d", e.ID, index, e.LogIndex)
		}
	}
	byID := map[id.Act]bool{}
	for _, e := range entries {
		byID[e.ID] = true
	}
	for a := range said {
		if !byID[a] {
			t.Errorf("act %s was said to be done and is lost", a)
		}
	}
	if _, err := r.Verify(t.Context(), func(ctx context.Context, a id.Act) (audit.ActEntry, error) {
		e, err := log.Act(ctx, a)
		if err != nil {
			return audit.ActEntry{}, err
		}
		return *e.Act, nil
	}); err != nil {
		t.Errorf("verify: %v (%v)", err, errors.Unwrap(problem.From(err)))
	}
}

// The real log takes every act of the table: none could stay in the outbox for
// ever because of its words.
func TestTheLogTakesEveryAct(t *testing.T) {
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(audit.Options{Dir: t.TempDir(), Origin: origin, Signer: signer, Verifier: verifier, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for i, spec := range registry.Acts {
		e := audit.ActEntry{Act: id.Act(fmt.Sprintf("act-%d", i)), Kind: string(spec.Name), Actor: "ada", Approver: "grace",
			Subject: string(spec.New().Subject().Noun), ID: strings.Repeat("ab", 32), Digest: audit.Digest{1}, Registry: uint64(i + 1)}
		if _, err := log.Append(t.Context(), e); err != nil {
			t.Errorf("%s: %v", spec.Name, err)
		}
	}
}
