package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
)

const origin = "hospital.example/sallyport/test"

// key is a log key made from fixed bytes, so that every test and every child
// process has the same one.
func key(tb testing.TB) (note.Signer, note.Verifier) {
	tb.Helper()
	return keyOf(tb)
}

func keyOf(tb interface{ Fatal(...any) }) (note.Signer, note.Verifier) {
	secret, public, err := note.GenerateKey(strings.NewReader(strings.Repeat("k", 64)), origin)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := note.NewSigner(secret)
	if err != nil {
		tb.Fatal(err)
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		tb.Fatal(err)
	}
	return s, v
}

func options(tb testing.TB) audit.Options {
	s, v := key(tb)
	return audit.Options{Origin: origin, Signer: s, Verifier: v, Now: time.Now, Interval: 5 * time.Millisecond}
}

func open(tb testing.TB, o audit.Options) *audit.Log {
	tb.Helper()
	l, err := audit.Open(o)
	if err != nil {
		tb.Fatalf("open: %v", err)
	}
	return l
}

func openDir(tb testing.TB, dir string) *audit.Log {
	o := options(tb)
	o.Dir = dir
	return open(tb, o)
}

func intent(d id.Decision) audit.Intent {
	return audit.Intent{
		Decision: d, Vendor: "northwind-ai", Engagement: "readmissions", App: "nw-batch", Device: "nw-worker-1",
		Person: "jordan", Grant: "grant-1", Role: "cardiology-read", Agent: audit.Workload, Direction: audit.Out,
		Destination: "nw-batch", Source: "epic-east", Action: "read", Resource: "Observation",
		Purpose: hipaa.Inference, Category: hipaa.Operations, LegalBasis: hipaa.OperationsUnderBAA, DataClass: "phi", Profile: "minimum-necessary", ProfileDigest: sha256.Sum256([]byte("profile")),
		Policy: sha256.Sum256([]byte("policy")), Snapshot: 17, SnapshotIndex: 3, Clauses: []string{"BAA-M01", "baa-2026/BAA-M02"},
		Transport: audit.Transport{TLS: "1.3", KeyExchange: "X25519MLKEM768", Certificate: sha256.Sum256([]byte("cert")), Binding: "mtls", Sealing: "none"},
	}
}

func outcome(body string) audit.Outcome {
	return audit.Outcome{
		Release: id.New[id.Release](time.Now()), Result: audit.Released, Final: true, Status: 200, Upstream: 200,
		Digest: sha256.Sum256([]byte(body)), Bytes: uint64(len(body)), Patients: []string{pseudonym(1)},
		Resources: []audit.TypeCount{{Type: "Observation", N: 3}, {Type: "Patient", N: 1}},
	}
}

func pseudonym(n int) string { return fmt.Sprintf("pseudonym-of-a-patient-%08d", n) }

func act(n int) audit.ActEntry {
	return audit.ActEntry{
		Act: id.Act(fmt.Sprintf("act-%d", n)), Kind: "agreement.sign", Actor: "sam", Approver: "alex",
		Subject: "agreement", ID: "baa-1", Digest: sha256.Sum256(fmt.Appendf(nil, "act %d", n)), Registry: uint64(n),
	}
}

func TestReleaseGoesThroughIntentAndOutcome(t *testing.T) {
	ctx := context.Background()
	l := openDir(t, t.TempDir())
	d := id.New[id.Decision](time.Now())
	ticket, err := l.Intend(ctx, intent(d))
	if err != nil {
		t.Fatal(err)
	}
	first := outcome("chunk 0")
	first.Final = false
	r0, err := ticket.Complete(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	if !r0.Covers(sha256.Sum256([]byte("chunk 0")), 7) {
		t.Error("the receipt does not cover the bytes that it was made for")
	}
	if r0.Covers(sha256.Sum256([]byte("chunk 1")), 7) || r0.Covers(sha256.Sum256([]byte("chunk 0")), 8) {
		t.Error("the receipt covers other bytes")
	}
	cut := audit.Outcome{Release: "release-2", Result: audit.Incomplete, Final: true, Status: 502}
	r1, err := ticket.Complete(ctx, cut)
	if err != nil {
		t.Fatal(err)
	}
	if r1.Covers([32]byte{}, 0) {
		t.Error("the receipt of an outcome that released nothing covers bytes")
	}
	if r1.Chunk() != 1 {
		t.Errorf("got chunk %d, want 1", r1.Chunk())
	}
	if _, err := ticket.Complete(ctx, outcome("late")); err == nil {
		t.Error("a ticket took an outcome after the final one")
	}
	index, err := l.Refuse(ctx, audit.Refusal{Intent: intent("refused-1"), Failing: []audit.Failing{{Gate: "baa", Reason: "terminated"}, {Gate: "training", Reason: "expired"}}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(l *audit.Log) {
		t.Helper()
		got, err := l.Decision(ctx, d)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3 || got[0].Intent == nil || got[1].Outcome == nil || got[2].Outcome == nil {
			t.Fatalf("entries of the decision: %+v", got)
		}
		if want := intent(d); fmt.Sprint(*got[0].Intent) != fmt.Sprint(want) {
			t.Errorf("intent came back as\n%+v, want\n%+v", *got[0].Intent, want)
		}
		if o := got[1].Outcome; o.Ticket != got[0].Index || o.Digest != first.Digest || o.PatientCount != 1 {
			t.Errorf("outcome came back as %+v", o)
		}
		r, err := l.Entry(ctx, index)
		if err != nil {
			t.Fatal(err)
		}
		if r.Refusal == nil || len(r.Refusal.Failing) != 2 || r.Refusal.Failing[1].Gate != "training" {
			t.Errorf("refusal came back as %+v", r.Refusal)
		}
	}
	check(l)
	if _, err := l.Prove(ctx, index); err != nil { // waits until it is under a checkpoint
		t.Fatal(err)
	}
	check(l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Intend(ctx, intent(d)); !errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("a closed log said %v", err)
	}
}

func TestZeroValuesRefuse(t *testing.T) {
	ctx := context.Background()
	if _, err := new(audit.Pending).Wait(ctx); err == nil {
		t.Error("a Pending that nobody made was waited for")
	}
	if _, err := new(audit.Ticket).Complete(ctx, outcome("x")); err == nil {
		t.Error("a Ticket that nobody made took an outcome")
	}
	if (audit.Receipt{}).Covers([32]byte{}, 0) {
		t.Error("the zero Receipt covers something")
	}
}

func TestAppendIsIdempotentAcrossReopening(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for round := range 3 {
		l := openDir(t, dir)
		for n := range 20 {
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					got, err := l.Append(ctx, act(n))
					if err != nil || got != uint64(n) {
						t.Errorf("round %d: act %d got index %d, %v", round, n, got, err)
					}
				})
			}
			wg.Wait()
		}
		other := act(3)
		other.Actor = "mallory"
		if _, err := l.Append(ctx, other); !errors.Is(err, audit.ErrConflict) {
			t.Errorf("another act under the same id: %v", err)
		}
		if got := l.Size(); got != 20 {
			t.Errorf("round %d: the log has %d entries, want 20", round, got)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestManyPatientsInOneRelease(t *testing.T) {
	ctx := context.Background()
	l := openDir(t, t.TempDir())
	defer l.Close()
	ticket, err := l.Intend(ctx, intent("many"))
	if err != nil {
		t.Fatal(err)
	}
	o := outcome("big")
	o.Patients = nil
	for n := range 10_000 {
		o.Patients = append(o.Patients, pseudonym(n))
	}
	if _, err := ticket.Complete(ctx, o); err != nil {
		t.Fatal(err)
	}
	var got []string
	entries, err := l.Decision(ctx, "many")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		switch {
		case e.Patients != nil:
			got = append(got, e.Patients.Patients...)
		case e.Outcome != nil:
			got = append(got, e.Outcome.Patients...)
			if e.Outcome.PatientCount != 10_000 || e.Outcome.Parts != uint64(len(entries)-2) {
				t.Errorf("outcome says %d patients in %d parts", e.Outcome.PatientCount, e.Outcome.Parts)
			}
		}
	}
	if strings.Join(got, " ") != strings.Join(o.Patients, " ") {
		t.Errorf("%d pseudonyms came back, want %d in their order", len(got), len(o.Patients))
	}
}

func TestOrderIsTheOrderOfTheJournal(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	l := openDir(t, dir)
	var mu sync.Mutex
	byIndex := map[uint64]id.Decision{}
	var wg sync.WaitGroup
	for w := range 32 {
		wg.Go(func() {
			for n := range 20 {
				d := id.Decision(fmt.Sprintf("w%d-%d", w, n))
				ticket, err := l.Intend(ctx, intent(d))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				byIndex[ticket.Index()] = d
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(byIndex) != 640 || l.Size() != 640 {
		t.Fatalf("%d distinct indexes, size %d, want 640", len(byIndex), l.Size())
	}
	check := func(l *audit.Log) {
		t.Helper()
		var last time.Time
		seen := uint64(0)
		err := l.Scan(ctx, 0, l.Size(), func(at uint64, e audit.Entry) error {
			if at != seen || e.Decision() != byIndex[at] || e.Time.Before(last) {
				return fmt.Errorf("entry %d: got %s, want %s", at, e.Decision(), byIndex[at])
			}
			seen, last = at+1, e.Time
			return nil
		})
		if err != nil || seen != 640 {
			t.Fatalf("%d entries: %v", seen, err)
		}
	}
	check(l)
	l.Close()
	l = openDir(t, dir)
	defer l.Close()
	check(l)
}

func TestFollowSeesEveryEntryOnce(t *testing.T) {
	l := openDir(t, t.TempDir())
	defer l.Close()
	stop := errors.New("enough")
	done := make(chan error, 1)
	next := uint64(0)
	go func() {
		done <- l.Follow(context.Background(), 0, func(at uint64, e audit.Entry) error {
			if at != next || e.Act == nil || e.Act.Registry != at {
				return fmt.Errorf("got entry %d (%+v), want %d", at, e.Act, next)
			}
			if next++; next == 300 {
				return stop
			}
			return nil
		})
	}()
	for n := range 300 {
		if _, err := l.Append(context.Background(), act(n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != stop {
		t.Errorf("follow ended with %v after %d entries", err, next)
	}
}

func TestSecondProcessIsToldWhoHasTheLog(t *testing.T) {
	o := options(t)
	o.Dir = t.TempDir()
	l := open(t, o)
	defer l.Close()
	_, err := audit.Open(o)
	if !errors.Is(err, audit.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("got %v, want ErrLocked with process %d", err, os.Getpid())
	}
}

func TestMissingCheckpointIsDamage(t *testing.T) {
	dir := t.TempDir()
	l := openDir(t, dir)
	if _, err := l.Append(context.Background(), act(1)); err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	o := options(t)
	o.Dir = dir
	if _, err := audit.Open(o); !errors.Is(err, audit.ErrDamaged) {
		t.Errorf("a log without its checkpoint opened: %v", err)
	}
}

func TestClockThatRunsBackRefuses(t *testing.T) {
	o := options(t)
	o.Dir = t.TempDir()
	now := time.Now()
	o.Now = func() time.Time { return now }
	l := open(t, o)
	defer l.Close()
	ctx := context.Background()
	if _, err := l.Append(ctx, act(1)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(-time.Second)
	if _, err := l.Append(ctx, act(2)); err != nil {
		t.Errorf("a second is within what clocks do: %v", err)
	}
	now = now.Add(-time.Minute)
	if _, err := l.Append(ctx, act(3)); !errors.Is(err, audit.ErrUnavailable) {
		t.Errorf("a minute back: %v", err)
	}
}

func TestCheckpointIsSignedAndMoves(t *testing.T) {
	_, v := key(t)
	l := openDir(t, t.TempDir())
	defer l.Close()
	first := l.Checkpoint()
	if _, err := note.Open(first, note.VerifierList(v)); err != nil {
		t.Fatal(err)
	}
	index, err := l.Append(context.Background(), act(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Prove(context.Background(), index); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first, l.Checkpoint()) {
		t.Error("the checkpoint did not move")
	}
}
