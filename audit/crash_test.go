package audit_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/faultfs"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// acked is what the log acknowledged: index to decision.
type acked struct {
	mu sync.Mutex
	m  map[uint64]id.Decision
}

func (a *acked) add(tb interface{ Errorf(string, ...any) }, index uint64, d id.Decision) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if was, ok := a.m[index]; ok && was != d {
		tb.Errorf("index %d was given to %s and to %s", index, was, d)
	}
	a.m[index] = d
}

// check finds every acknowledged entry where it was acknowledged, and no intent
// or outcome twice.
func (a *acked) check(tb interface{ Errorf(string, ...any) }, l *audit.Log) {
	ctx := context.Background()
	seen := map[string]bool{}
	found := 0
	err := l.Scan(ctx, 0, l.Size(), func(at uint64, e audit.Entry) error {
		name := fmt.Sprint(e.Kind, e.Decision())
		if e.Kind == audit.KindAct {
			name = string(e.Act.Act)
		}
		if seen[name] && e.Kind != audit.KindRecovery {
			return fmt.Errorf("entry %d: %s is there twice", at, name)
		}
		seen[name] = true
		if d, ok := a.m[at]; ok {
			found++
			if d != e.Decision() && string(d) != name {
				return fmt.Errorf("entry %d is %s, but was acknowledged as %s", at, name, d)
			}
		}
		return nil
	})
	if err != nil {
		tb.Errorf("%v", err)
	}
	if found != len(a.m) {
		tb.Errorf("%d of %d acknowledged entries are there", found, len(a.m))
	}
}

// TestPowerCutsLoseNothingAcknowledged cuts the power at random operations, keeps
// a random part of what was not synced, and opens the log again, several times.
func TestPowerCutsLoseNothingAcknowledged(t *testing.T) {
	_, key := key(t)
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		strict := rapid.Bool().Draw(t, "lose all that is not synced")
		f := faultfs.New()
		all := acked{m: map[uint64]id.Decision{}}
		var newest []byte // the newest checkpoint that anybody saw
		n := 0
		segment := int64(rapid.SampledFrom([]int{1, 2000, 20_000}).Draw(t, "segment"))
		for round := range rapid.IntRange(1, 5).Draw(t, "rounds") {
			f.CutAfter(rapid.IntRange(1, 120).Draw(t, "cut after"))
			s, v := keyOf(t)
			l, err := audit.Open(audit.Options{Origin: origin, Signer: s, Verifier: v, Now: time.Now, FS: f, Interval: time.Millisecond}.WithSegments(segment))
			if err == nil {
				var wg sync.WaitGroup
				for w := range 4 {
					base := n + w*1000
					wg.Go(func() {
						for k := range 200 {
							if !writeOne(t, l, &all, id.Decision(fmt.Sprintf("r%d-%d", round, base+k)), base+k) {
								return
							}
						}
					})
				}
				n += 4000
				wg.Wait()
				newest = l.Checkpoint()
				l.Close()
			} else if !errors.Is(err, faultfs.ErrCrashed) {
				t.Fatalf("round %d: open: %v", round, err)
			}
			if strict {
				f.Crash(nil)
			} else {
				f.Crash(r)
			}
			if files := mapFS(f.Files()); files["checkpoint"] != nil {
				if _, err := verify.Log(files, key); err != nil {
					t.Fatalf("round %d: before recovery: %v", round, err)
				}
			}
			l, err = audit.Open(audit.Options{Origin: origin, Signer: s, Verifier: v, Now: time.Now, FS: f, Interval: time.Millisecond}.WithSegments(segment))
			if err != nil {
				t.Fatalf("round %d: recovery: %v", round, err)
			}
			all.check(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			files := mapFS(f.Files())
			if newest != nil {
				_, err = verify.Since(newest, files, key)
			} else {
				_, err = verify.Log(files, key)
			}
			if err != nil {
				t.Fatalf("round %d: after recovery: %v", round, err)
			}
		}
	})
}

// writeOne writes an intent with its outcome, or an act, and notes what was
// acknowledged; false if the log failed.
func writeOne(tb interface{ Errorf(string, ...any) }, l *audit.Log, all *acked, d id.Decision, n int) bool {
	ctx := context.Background()
	if n%5 == 0 {
		a := act(n)
		at, err := l.Append(ctx, a)
		if err == nil {
			all.add(tb, at, id.Decision(a.Act))
		}
		return err == nil
	}
	ticket, err := l.Intend(ctx, intent(d))
	if err != nil {
		return false
	}
	all.add(tb, ticket.Index(), d)
	receipt, err := ticket.Complete(ctx, outcome(string(d)))
	if err == nil {
		all.add(tb, receipt.Index(), d)
	}
	return err == nil
}

// TestEveryPowerCut cuts at each operation in turn of one short run, opening included.
func TestEveryPowerCut(t *testing.T) {
	_, v := key(t)
	for cut := 1; ; cut++ {
		f := faultfs.New()
		f.CutAfter(cut)
		o := options(t)
		o.FS, o.Interval = f, time.Microsecond
		o = o.WithSegments(3000)
		all := acked{m: map[uint64]id.Decision{}}
		l, err := audit.Open(o)
		if err == nil {
			for n := range 12 {
				writeOne(t, l, &all, id.Decision(fmt.Sprintf("d%d", n)), n)
			}
			l.Close()
		}
		done := f.Ops() < cut
		f.Crash(nil)
		l = openFS(t, f)
		all.check(t, l)
		l.Close()
		if _, err := verify.Log(mapFS(f.Files()), v); err != nil {
			t.Fatalf("cut after %d operations: %v", cut, err)
		}
		if done {
			t.Logf("%d cuts", cut)
			return
		}
		if cut > 1000 {
			t.Fatal("the run does not end")
		}
	}
}

// TestFailedSyncIsFinal: after fsync has failed once the log must not try again,
// since the kernel may have dropped the pages and then says yes.
func TestFailedSyncIsFinal(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		op           faultfs.Op
		err          error
	}{
		{"journal sync", "journal/", faultfs.Sync, syscall.EIO},
		{"journal write, disk full", "journal/", faultfs.Write, syscall.ENOSPC},
		{"new journal segment", "journal", faultfs.SyncDir, syscall.EIO},
		{"tile sync", "tmp/", faultfs.Sync, syscall.EIO},
		{"tile write, disk full", "tmp/", faultfs.Write, syscall.ENOSPC},
		{"checkpoint", "checkpoint", faultfs.Rename, syscall.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx := context.Background()
			_, v := key(t)
			f := faultfs.New()
			l := openFS(t, f)
			var failed sync.Once
			f.FailWith(func(op faultfs.Op, name string) (err error) {
				if op == c.op && strings.HasPrefix(name, c.prefix) {
					failed.Do(func() { err = c.err })
				}
				return err
			})
			all := acked{m: map[uint64]id.Decision{}}
			deadline := time.Now().Add(time.Minute)
			n := 0
			for ; writeOne(t, l, &all, id.Decision(fmt.Sprintf("d%d", n)), n); n++ {
				if time.Now().After(deadline) {
					t.Fatal("the log went on after a failure")
				}
			}
			_, err := l.Append(ctx, act(77777))
			if !errors.Is(err, audit.ErrUnavailable) || !errors.Is(err, c.err) || problem.From(err).Kind != problem.Unavailable {
				t.Errorf("got %v, want ErrUnavailable because of %v", err, c.err)
			}
			if strings.Contains(problem.From(err).Error(), c.err.Error()) {
				t.Errorf("the reader is shown the cause: %v", err)
			}
			if l.Err() == nil {
				t.Error("the health check says that all is well")
			}
			if err := l.Close(); err == nil {
				t.Error("a failed log closed as if all were well")
			}
			f.Crash(nil)
			l = openFS(t, f)
			all.check(t, l)
			writeOne(t, l, &all, "again", 1)
			all.check(t, l)
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if _, err := verify.Log(mapFS(f.Files()), v); err != nil {
				t.Error(err)
			}
		})
	}
}

// crashed is a log whose power went with ten acts in its journal and none in its
// tree.
func crashed(t *testing.T, segment int64) (f *faultfs.FS, o audit.Options) {
	t.Helper()
	f = faultfs.New()
	o = options(t)
	o.FS, o.Interval = f, time.Hour
	o = o.WithSegments(segment)
	l := open(t, o)
	for n := range 10 {
		if _, err := l.Append(context.Background(), act(n)); err != nil {
			t.Fatal(err)
		}
	}
	f.CutAfter(0)
	l.Close()
	f.Crash(nil)
	return f, o
}

func overwrite(t *testing.T, f *faultfs.FS, name string, b []byte) {
	t.Helper()
	h, err := f.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Write(b); err != nil {
		t.Fatal(err)
	}
}

// TestDamageInTheJournalIsRefused: what was acknowledged is never cut.
func TestDamageInTheJournalIsRefused(t *testing.T) {
	f, o := crashed(t, 1<<20)
	name := "journal/00000000000000000000.wal"
	good := f.Files()[name]
	last := strings.LastIndex(string(good), "\x89SPWAL\r\n")
	for at := 0; at < last; at += 13 {
		bad := []byte(string(good))
		bad[at] ^= 0x10
		overwrite(t, f, name, bad)
		_, err := audit.Open(o)
		if !errors.Is(err, audit.ErrDamaged) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "offset") {
			t.Fatalf("byte %d: got %v, want ErrDamaged with the file and offset", at, err)
		}
	}
}

// TestUnfinishedWriteIsCutAndSaid: a frame cut short at the very end was never
// acknowledged; it goes, and an entry says that it went.
func TestUnfinishedWriteIsCutAndSaid(t *testing.T) {
	for _, keep := range []int{1, 27, 28, 200} {
		f, o := crashed(t, 1<<20)
		name := "journal/00000000000000000000.wal"
		good := f.Files()[name]
		last := strings.LastIndex(string(good), "\x89SPWAL\r\n")
		overwrite(t, f, name, good[:last+keep])
		l, err := audit.Open(o)
		if err != nil {
			t.Fatalf("%d bytes of the last frame: %v", keep, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = open(t, o)
		e, err := l.Entry(context.Background(), 9)
		if err != nil || e.Recovery == nil || *e.Recovery != (audit.Recovery{Replayed: 9, Cut: uint64(keep)}) {
			t.Errorf("%d bytes of the last frame: entry 9 is %+v, %v", keep, e.Recovery, err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Log(mapFS(f.Files()), o.Verifier); err != nil {
			t.Error(err)
		}
	}
}

// TestASegmentMadeBeforehand: a busy log's next segment is there before it is
// needed. Its zeros are no damage, what a crash leaves in it is replayed, and an
// unfinished write among the zeros is cut and said.
func TestASegmentMadeBeforehand(t *testing.T) {
	const segment = 4000
	for _, torn := range []int{0, 1, 300} {
		f := faultfs.New()
		o := options(t)
		o.FS, o.Interval = f, time.Millisecond
		o = o.WithSegments(segment)
		l := open(t, o)
		ctx := context.Background()
		n := 0
		var name string
		for name == "" { // until a new segment is one of zeros
			if n > 5000 {
				t.Fatal("no segment was made beforehand")
			}
			if _, err := l.Append(ctx, act(n)); err != nil {
				t.Fatal(err)
			}
			n++
			time.Sleep(time.Millisecond) // the tree, and the spare segment, come behind
			for file, data := range f.Files() {
				if strings.HasPrefix(file, "journal/") && len(data) == segment && data[0] != 0 && data[segment-1] == 0 {
					name = file
				}
			}
		}
		f.CutAfter(0)
		l.Close()
		f.Crash(nil)
		if torn > 0 {
			data := f.Files()[name]
			end := len(strings.TrimRight(string(data), "\x00"))
			copy(data[end:], "\x89SPWAL\r\n")
			for i := end + 8; i < end+torn; i++ {
				data[i] = 'x'
			}
			overwrite(t, f, name, data)
		}
		r, err := verify.Log(mapFS(f.Files()), o.Verifier)
		if err != nil || (r.Torn > 0) != (torn > 0) {
			t.Errorf("%d bytes torn: verified %+v, %v", torn, r, err)
		}
		if err := open(t, o).Close(); err != nil {
			t.Fatal(err)
		}
		want := uint64(n)
		if torn > 0 {
			want++ // the entry that says so
		}
		l = open(t, o)
		if got := l.Size(); got != want {
			t.Errorf("%d bytes torn: %d entries, want %d", torn, got, want)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDamageInAnEarlierSegmentIsRefused: the end of a segment that another one
// follows was acknowledged, so it is never taken for an unfinished write.
func TestDamageInAnEarlierSegmentIsRefused(t *testing.T) {
	f, o := crashed(t, 1)
	name := "journal/00000000000000000001.wal"
	good := f.Files()[name]
	overwrite(t, f, name, good[:len(good)-1])
	if _, err := audit.Open(o); !errors.Is(err, audit.ErrDamaged) || !strings.Contains(err.Error(), name) {
		t.Errorf("a segment cut short: %v", err)
	}
	if err := f.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Open(o); !errors.Is(err, audit.ErrDamaged) {
		t.Errorf("a segment missing in the middle: %v", err)
	}
	if _, err := verify.Log(mapFS(f.Files()), o.Verifier); err == nil {
		t.Error("the verifier does not miss the segment")
	}
}

// TestKill kills a writing process for real. SALLYPORT_KILLS sets the rounds.
func TestKill(t *testing.T) {
	if dir := os.Getenv("SALLYPORT_AUDIT_CHILD"); dir != "" {
		child(t, dir)
		return
	}
	rounds := 4
	if s := os.Getenv("SALLYPORT_KILLS"); s != "" {
		var err error
		if rounds, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	_, v := key(t)
	dir := t.TempDir()
	all := acked{m: map[uint64]id.Decision{}}
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "SALLYPORT_AUDIT_CHILD="+dir, fmt.Sprintf("SALLYPORT_AUDIT_ROUND=%d", round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(50+rand.IntN(250))*time.Millisecond, func() { cmd.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var at uint64
			var d string
			if n, _ := fmt.Sscanf(lines.Text(), "acked %d %s .", &at, &d); n == 2 {
				all.add(t, at, id.Decision(d))
			}
		}
		cmd.Wait()
		l := openDir(t, dir)
		all.check(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := verify.Log(os.DirFS(dir), v); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	if len(all.m) == 0 {
		t.Error("no child came as far as an entry")
	}
	t.Logf("%d acknowledged entries survived %d kills", len(all.m), rounds)
}

func child(t *testing.T, dir string) {
	l := openDir(t, dir)
	var wg sync.WaitGroup
	var mu sync.Mutex
	for w := range 8 {
		wg.Go(func() {
			for n := 0; ; n++ {
				d := id.Decision(fmt.Sprintf("r%s-w%d-%d", os.Getenv("SALLYPORT_AUDIT_ROUND"), w, n))
				ticket, err := l.Intend(context.Background(), intent(d))
				if err != nil {
					t.Error(err)
					return
				}
				r, err := ticket.Complete(context.Background(), outcome("x"))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				fmt.Printf("acked %d %s .\nacked %d %s .\n", ticket.Index(), d, r.Index(), d)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// A disk without room for a segment made beforehand has its room back, and the
// log goes on without.
func TestNoRoomForASegmentMadeBeforehand(t *testing.T) {
	f := faultfs.New()
	o := options(t)
	o.FS, o.Interval = f, time.Millisecond
	l := open(t, o.WithSegments(4000))
	var tried atomic.Int32
	f.FailWith(func(op faultfs.Op, name string) error {
		if name == "tmp/journal" && op == faultfs.Sync {
			tried.Add(1)
			return syscall.ENOSPC
		}
		return nil
	})
	for n := 0; n < 20 || tried.Load() == 0; n++ {
		if n > 5000 {
			t.Fatal("no segment was made beforehand")
		}
		if _, err := l.Append(context.Background(), act(n)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // the spare segment comes behind
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if data, ok := f.Files()["tmp/journal"]; ok {
		t.Errorf("%d bytes of a segment that could not be made take room", len(data))
	}
}
