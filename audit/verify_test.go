package audit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/faultfs"
	"github.com/sallyport/sallyport/audit/verify"
	"github.com/sallyport/sallyport/id"
)

// mapFS is a log's files for the verifier, without the files that are not evidence.
func mapFS(files map[string][]byte) fstest.MapFS {
	m := fstest.MapFS{}
	for name, data := range files {
		if name != "lock" && !strings.HasPrefix(name, "index/") {
			m[name] = &fstest.MapFile{Data: data, Mode: 0o600}
		}
	}
	return m
}

func openFS(tb testing.TB, f audit.FS) *audit.Log {
	o := options(tb)
	o.FS = f
	return open(tb, o)
}

// release writes an intent and its outcome.
func release(tb testing.TB, l *audit.Log, d id.Decision) {
	tb.Helper()
	t, err := l.Intend(context.Background(), intent(d))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := t.Complete(context.Background(), outcome(string(d))); err != nil {
		tb.Fatal(err)
	}
}

// smallLog is a closed log with several checkpoints, so that it has partial tiles
// of several widths, and more entries than a tile.
func smallLog(tb testing.TB, releases int) *faultfs.FS {
	tb.Helper()
	f := faultfs.New()
	l := openFS(tb, f)
	for n := range releases {
		release(tb, l, id.Decision(fmt.Sprintf("d%d", n)))
		if n%7 == 0 {
			if _, err := l.Append(context.Background(), act(n)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	if _, err := l.Refuse(context.Background(), audit.Refusal{Intent: intent("refused"), Failing: []audit.Failing{{Gate: "baa", Reason: "absent"}}}); err != nil {
		tb.Fatal(err)
	}
	if err := l.Close(); err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestVerifyReportsAWholeLog(t *testing.T) {
	_, v := key(t)
	for _, releases := range []int{0, 1, 127, 128, 300} {
		f := smallLog(t, releases)
		r, err := verify.Log(mapFS(f.Files()), v)
		if err != nil {
			t.Fatalf("%d releases: %v", releases, err)
		}
		acts := uint64(releases+6) / 7
		if r.Intents != uint64(releases) || r.Outcomes != uint64(releases) || r.Acts != acts || r.Refusals != 1 || r.Open != 0 ||
			r.Size != uint64(2*releases)+acts+1 || r.Uncovered != 0 || r.Origin != origin {
			t.Errorf("%d releases: report %+v", releases, r)
		}
	}
}

func TestVerifyCountsWhatNoCheckpointCovers(t *testing.T) {
	_, v := key(t)
	f := faultfs.New()
	o := options(t)
	o.FS, o.Interval = f, time.Hour
	l := open(t, o)
	for n := range 5 {
		release(t, l, id.Decision(fmt.Sprintf("d%d", n)))
	}
	if _, err := l.Intend(context.Background(), intent("open")); err != nil {
		t.Fatal(err)
	}
	r, err := verify.Log(mapFS(f.Files()), v)
	if err != nil || r.Size != 0 || r.Uncovered != 11 || r.Open != 1 {
		t.Errorf("report %+v, %v; want 11 uncovered and one open intent", r, err)
	}
	l.Close()
	r, err = verify.Log(mapFS(f.Files()), v)
	if err != nil || r.Size != 11 || r.Uncovered != 0 {
		t.Errorf("after close: %+v, %v", r, err)
	}
}

// TestEveryFlippedByteIsFound flips each byte of each file that is evidence.
func TestEveryFlippedByteIsFound(t *testing.T) {
	_, v := key(t)
	files := smallLog(t, 3).Files()
	whole := mapFS(files)
	report, err := verify.Log(whole, v)
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	tried := 0
	for _, name := range slices.Sorted(maps.Keys(whole)) {
		good := whole[name].Data
		bad := bytes.Clone(good)
		whole[name].Data = bad
		for i := 0; i < len(bad); i += step {
			for _, bit := range []byte{1 << (i % 8)} {
				bad[i] ^= bit
				tried++
				_, err := verify.Log(whole, v)
				var f *verify.Fault
				if !errors.As(err, &f) {
					t.Fatalf("%s, byte %d: a flipped bit was not found: %v", name, i, err)
				}
				switch {
				case name == "checkpoint":
					if f.File != "checkpoint" {
						t.Fatalf("%s, byte %d: found in %v", name, i, f)
					}
				case strings.HasPrefix(name, "tile/entries/"):
					if want := entryAt(good, i); f.File != name || f.Entry != want {
						t.Fatalf("%s, byte %d: found as %v, want entry %d", name, i, f, want)
					}
				default:
					if f.File != name || f.Entry != int64(i/32) {
						t.Fatalf("%s, byte %d: found as %v, want entry %d", name, i, f, i/32)
					}
				}
				bad[i] ^= bit
			}
		}
		whole[name].Data = good
	}
	t.Logf("%d flips in a log of %d entries", tried, report.Size)
}

// entryAt is which entry of a bundle the byte belongs to.
func entryAt(bundle []byte, at int) int64 {
	for i, from := int64(0), 0; ; i++ {
		from += 2 + int(bundle[from])<<8 + int(bundle[from+1])
		if at < from {
			return i
		}
	}
}

func TestFlipsInALogOfManyTiles(t *testing.T) {
	_, v := key(t)
	files := mapFS(smallLog(t, 400).Files())
	if _, err := verify.Log(files, v); err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]int{"tile/entries/001": 40_000, "tile/0/002": 77, "tile/1/000.p/3": 70, "tile/0/003.p/90": 5} {
		file := files[name]
		if file == nil {
			for n := range files {
				if path.Dir(n) == path.Dir(name) {
					name, file = n, files[n]
				}
			}
		}
		if file == nil || at >= len(file.Data) {
			t.Fatalf("the log has no %s with %d bytes", name, at)
		}
		file.Data[at] ^= 4
		_, err := verify.Log(files, v)
		var f *verify.Fault
		if !errors.As(err, &f) || f.File != name {
			t.Errorf("%s, byte %d: found as %v", name, at, err)
		}
		file.Data[at] ^= 4
	}
	for name := range files {
		cut := maps.Clone(files)
		delete(cut, name)
		_, err := verify.Log(cut, v)
		var f *verify.Fault
		needed := !strings.Contains(name, ".p/") || name == "checkpoint"
		if needed && !errors.As(err, &f) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	files["tile/0/notes.txt"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := verify.Log(files, v); err == nil {
		t.Error("a file that is none of the log's was not found")
	}
}

func TestSinceFindsRollbackAndFork(t *testing.T) {
	_, v := key(t)
	f := faultfs.New()
	l := openFS(t, f)
	for n := range 150 {
		release(t, l, id.Decision(fmt.Sprintf("d%d", n)))
	}
	l.Close()
	before := mapFS(f.Files())
	l = openFS(t, f)
	for n := range 150 {
		release(t, l, id.Decision(fmt.Sprintf("e%d", n)))
	}
	l.Close()
	after := mapFS(f.Files())
	fork := faultfs.New()
	l = openFS(t, fork)
	for n := range 400 {
		release(t, l, id.Decision(fmt.Sprintf("other%d", n)))
	}
	l.Close()

	if _, err := verify.Since(before["checkpoint"].Data, after, v); err != nil {
		t.Errorf("a log that grew: %v", err)
	}
	if _, err := verify.Since(after["checkpoint"].Data, after, v); err != nil {
		t.Errorf("a log that stood still: %v", err)
	}
	if _, err := verify.Since(after["checkpoint"].Data, before, v); err == nil || !strings.Contains(err.Error(), "set back") {
		t.Errorf("a log that was set back: %v", err)
	}
	if _, err := verify.Since(after["checkpoint"].Data, mapFS(fork.Files()), v); err == nil || !strings.Contains(err.Error(), "forked") {
		t.Errorf("a log that was forked: %v", err)
	}
	bad := bytes.Clone(before["checkpoint"].Data)
	bad[len(origin)+1] ^= 1
	if _, err := verify.Since(bad, after, v); err == nil {
		t.Error("a forged older checkpoint was accepted")
	}
}

func TestProofStandsAlone(t *testing.T) {
	ctx := context.Background()
	_, v := key(t)
	l := openDir(t, t.TempDir())
	defer l.Close()
	for n := range 200 {
		release(t, l, id.Decision(fmt.Sprintf("d%d", n)))
	}
	for _, index := range []uint64{0, 1, 255, 256, 399} {
		proof, err := l.Prove(ctx, index)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verify.Proof(proof, v)
		if err != nil {
			t.Fatalf("entry %d: %v", index, err)
		}
		e, err := audit.Decode(index, got.Entry)
		if err != nil || got.Index != index || string(e.Decision()) != fmt.Sprintf("d%d", index/2) {
			t.Errorf("entry %d proved as %+v, %v", index, got, err)
		}
	}
	proof, err := l.Prove(ctx, 17)
	if err != nil {
		t.Fatal(err)
	}
	for i := range proof {
		for _, bit := range []byte{1, 2, 0x20, 0x80} {
			proof[i] ^= bit
			if _, err := verify.Proof(proof, v); err == nil {
				t.Fatalf("byte %d of the proof was changed unnoticed", i)
			}
			proof[i] ^= bit
		}
	}
	if _, err := l.Prove(ctx, 4000); !errors.Is(err, audit.ErrNotFound) {
		t.Errorf("a proof of an entry that is not there: %v", err)
	}
}

// TestALogUnderWayVerifies reads a log while it is being written, tiles filling
// and segments going.
func TestALogUnderWayVerifies(t *testing.T) {
	_, v := key(t)
	dir := t.TempDir()
	o := options(t)
	o.Dir = dir
	l := open(t, o.WithSegments(50_000))
	ctx, cancel := context.WithCancel(context.Background())
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		for n := 0; ctx.Err() == nil; n++ {
			if t, err := l.Intend(ctx, intent(id.Decision(fmt.Sprintf("d%d", n)))); err == nil {
				t.Complete(ctx, outcome("x"))
			}
		}
	}()
	var old []byte
	for range 10 {
		time.Sleep(20 * time.Millisecond)
		var r verify.Report
		var err error
		if old == nil {
			r, err = verify.Log(os.DirFS(dir), v)
		} else {
			r, err = verify.Since(old, os.DirFS(dir), v)
		}
		if err != nil {
			t.Error(err)
		}
		old = r.Checkpoint
	}
	cancel()
	<-wrote
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// under is a log that is being written while it is read: a file is, at the first
// look, older at its beginning than at its end.
type under struct {
	fstest.MapFS
	name  string
	first []byte
}

func (u *under) ReadFile(name string) ([]byte, error) {
	if name == u.name && u.first != nil {
		b := u.first
		u.first = nil
		return b, nil
	}
	return u.MapFS.ReadFile(name)
}

// A segment that is filled while it is read can show zeros and, behind them, what
// was written later. That is no damage, and what stays so is.
func TestAJournalUnderWayVerifies(t *testing.T) {
	f, o := crashed(t, 1<<20)
	const name = "journal/00000000000000000000.wal"
	good := f.Files()[name]
	frames := strings.Split(string(good), "\x89SPWAL\r\n")
	stale := slices.Clone(good)
	at := len(frames[0]) + 8 + len(frames[1])
	clear(stale[at : at+8+len(frames[2])])
	files := mapFS(f.Files())
	r, err := verify.Log(&under{files, name, stale}, o.Verifier)
	if err != nil || r.Torn != 0 || r.Uncovered != 10 {
		t.Errorf("verified %+v, %v", r, err)
	}
	files[name].Data = stale
	if _, err := verify.Log(files, o.Verifier); err == nil {
		t.Error("a frame of zeros, with another behind it, is no damage")
	}
}
