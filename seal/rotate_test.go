package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

func rotate(t testing.TB, k *Keyring, e id.Engagement, r Rotation) {
	t.Helper()
	if err := k.Rotate(e, r); err != nil {
		t.Fatal(err)
	}
}

func TestRotationKeepsWhatIsOld(t *testing.T) {
	k, dir := newKeyring(t)
	e := engagement(t, k, "sepsis")
	code, _ := e.Code("p-1")
	index, derived := e.Index("id", []byte("x")), e.Derive("shift")
	var boxes [][]byte
	put := func() {
		for _, s := range []interface {
			Seal(plain, aad []byte) ([]byte, error)
		}{e, e.Documents(), e.Cache()} {
			box, err := s.Seal([]byte("row"), []byte("at"))
			if err != nil {
				t.Fatal(err)
			}
			boxes = append(boxes, box)
		}
	}
	put()
	rotate(t, k, "sepsis", Rotation{Keys: 1})
	put()
	rotate(t, k, "sepsis", Rotation{Keys: 3})
	put()
	if string(boxes[0][:5]) == string(boxes[3][:5]) || string(boxes[3][:5]) == string(boxes[6][:5]) {
		t.Error("what is sealed after a rotation names the key of before")
	}
	for name, ring := range map[string]*Keyring{"this": k, "another": reopen(t, dir, KeyFile(""))} {
		e := engagement(t, ring, "sepsis")
		for i, open := range []func(box, aad []byte) ([]byte, error){e.Open, e.Documents().Open, e.Cache().Open} {
			for j := i; j < len(boxes); j += 3 {
				if got, err := open(boxes[j], []byte("at")); err != nil || string(got) != "row" {
					t.Errorf("%s process: box %d: %q, %v", name, j, got, err)
				}
				if _, err := open(boxes[(j+1)%len(boxes)], []byte("at")); err == nil {
					t.Errorf("%s process: a box of another use opened", name)
				}
			}
		}
		if got, _ := e.Code("p-1"); got != code {
			t.Errorf("%s process: the code changed without being asked to", name)
		}
		if e.Index("id", []byte("x")) != index || string(e.Derive("shift")) != string(derived) {
			t.Errorf("%s process: an index or a derived key changed", name)
		}
	}
	// To ask again, or for less, does nothing.
	before, _ := os.ReadFile(k.file(engagementsDir, "sepsis"))
	rotate(t, k, "sepsis", Rotation{Keys: 3})
	rotate(t, reopen(t, dir, KeyFile("")), "sepsis", Rotation{Keys: 2})
	if after, _ := os.ReadFile(k.file(engagementsDir, "sepsis")); keysOf(t, string(before)) != keysOf(t, string(after)) {
		t.Error("a rotation that was done was done again")
	}
	// An engagement without keys gets none.
	rotate(t, k, "stroke", Rotation{Keys: 1})
	if _, err := os.Stat(k.file(engagementsDir, "stroke")); err == nil {
		t.Error("rotation made keys")
	}
	if err := k.Rotate("sepsis", Rotation{Keys: maxRotations + 1}); err == nil {
		t.Error("rotated without bound")
	}
}

// keysOf is how long the keysets are: re-wrapping changes them and not that.
func keysOf(t *testing.T, text string) (out string) {
	t.Helper()
	for line := range strings.Lines(text) {
		out += fmt.Sprint(len(line), " ")
	}
	return out
}

// New codes are other codes; those that were given out open for ever.
func TestCodesBegunAnew(t *testing.T) {
	k, dir := newKeyring(t)
	e := engagement(t, k, "sepsis")
	if got := e.CodeGeneration(); got != 1 {
		t.Errorf("generation %d at first, want 1", got)
	}
	index := e.Index("vault/id", []byte("x"))
	seen := map[string]bool{}
	for n := range 4 {
		rotate(t, k, "sepsis", Rotation{Codes: n})
		code, ok := e.Code("p-1")
		if !ok || seen[code] {
			t.Fatalf("generation %d has the code %q of another", n, code)
		}
		seen[code] = true
		if got := e.CodeGeneration(); got != n+1 {
			t.Errorf("generation %d, want %d", got, n+1)
		}
		if e.Index("vault/id", []byte("x")) != index {
			t.Error("the vault's rows are no longer found")
		}
		for old := range seen {
			for _, ring := range []*Keyring{k, reopen(t, dir, KeyFile(""))} {
				if got, ok := engagement(t, ring, "sepsis").Reveal(old); !ok || got != "p-1" {
					t.Errorf("generation %d: an older code does not open", n)
				}
			}
		}
	}
}

// Another process sees a rotation at once where it needs it, and at Refresh.
func TestAnotherProcessFollows(t *testing.T) {
	k, dir := newKeyring(t)
	other := reopen(t, dir, KeyFile(""))
	ours, theirs := engagement(t, k, "sepsis"), engagement(t, other, "sepsis")
	rotate(t, k, "sepsis", Rotation{Keys: 1, Codes: 1})
	box, err := ours.Seal([]byte("row"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := theirs.Open(box, nil); err != nil || string(got) != "row" {
		t.Errorf("a box under a key that the other has not seen: %q, %v", got, err)
	}
	rotate(t, k, "sepsis", Rotation{Keys: 1, Codes: 2})
	if err := other.Refresh(); err != nil {
		t.Fatal(err)
	}
	a, _ := ours.Code("p")
	if b, _ := theirs.Code("p"); a != b {
		t.Error("after Refresh the two give different codes")
	}
}

func TestRootRotation(t *testing.T) {
	k, dir := newKeyring(t)
	other := reopen(t, dir, KeyFile("")) // knows nothing of it yet
	elsewhere := filepath.Join(t.TempDir(), "root-2.key")
	e := engagement(t, k, "sepsis")
	code, _ := e.Code("p-1")
	box, _ := k.Documents().Seal([]byte("doc"), nil)
	patient, first := k.Owner().Patient("ehr", "p-1"), k.RootID()
	if err := k.RotateRoot(KeyFile(elsewhere)); err != nil {
		t.Fatal(err)
	}
	if k.RootID() == first || !k.Rotating() {
		t.Errorf("root %s, before %s, rotating %v", k.RootID(), first, k.Rotating())
	}
	whole := func(name string, ring *Keyring) {
		t.Helper()
		if got, ok := engagement(t, ring, "sepsis").Reveal(code); !ok || got != "p-1" {
			t.Errorf("%s: the code does not open", name)
		}
		if got, err := ring.Documents().Open(box, nil); err != nil || string(got) != "doc" {
			t.Errorf("%s: the document does not open: %v", name, err)
		}
		if ring.Owner().Patient("ehr", "p-1") != patient {
			t.Errorf("%s: the owner's key changed", name)
		}
	}
	// Meanwhile both roots open, and a process that began before makes keys that all
	// can open.
	whole("under the old root", reopen(t, dir, KeyFile("")))
	whole("under the new root", reopen(t, dir, KeyFile(elsewhere)))
	whole("a process from before", other)
	made, _ := engagement(t, other, "made-by-the-old").Code("p-2")
	if got, ok := engagement(t, reopen(t, dir, KeyFile(elsewhere)), "made-by-the-old").Reveal(made); !ok || got != "p-2" {
		t.Error("what a process from before made does not open under the new root")
	}
	if err := other.Refresh(); err != nil {
		t.Fatal(err)
	}
	retired, err := k.Finish(noon)
	if err != nil || retired == nil || retired.ID != first || retired.Kind != kindFile || !retired.RetiredAt.Equal(noon) {
		t.Fatalf("Finish = %+v, %v", retired, err)
	}
	if again, err := k.Finish(noon); again != nil || err != nil {
		t.Errorf("Finish once more = %+v, %v", again, err)
	}
	whole("a process from before that looked", other)
	if err := other.Refresh(); err != nil {
		t.Error(err)
	}
	whole("a process from before, after the end", other)
	whole("a new process", reopen(t, dir, KeyFile(elsewhere)))
	if _, err := os.Stat(filepath.Join(dir, rootFile)); err == nil {
		t.Error("the old root's file is still in the key store")
	}
	if _, err := Open(dir, KeyFile("")); err == nil {
		t.Error("the keyring opened without the new root")
	}
	if got := k.Retired(); len(got) != 1 || got[0].ID != first {
		t.Errorf("retired: %+v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".*-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// From every kind to every other, and to the next of its kind.
func TestRootRotatesBetweenKinds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	svc := &fakeService{pad: 7}
	roots := []Root{KeyFile(""), quick(phrase), Service("fake://1", svc), quick(phrase + " 2"), KeyFile(""), Service("fake://2", &fakeService{pad: 9}), KeyFile("")}
	if err := Create(dir, roots[0]); err != nil {
		t.Fatal(err)
	}
	code, _ := engagement(t, reopen(t, dir, roots[0]), "sepsis").Code("p")
	for i, to := range roots[1:] {
		k := reopen(t, dir, roots[i])
		if err := k.RotateRoot(to); err != nil {
			t.Fatalf("to root %d: %v", i+1, err)
		}
		if _, err := k.Finish(noon); err != nil {
			t.Fatalf("to root %d: %v", i+1, err)
		}
		if got, ok := engagement(t, reopen(t, dir, to), "sepsis").Reveal(code); !ok || got != "p" {
			t.Errorf("under root %d the code does not open", i+1)
		}
		if _, same := roots[i].(keyFile); !same {
			if _, err := Open(dir, roots[i]); err == nil {
				t.Errorf("root %d still opens the keyring", i)
			}
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "root*.key")); len(left) != 1 {
		t.Errorf("root files: %v, want the newest alone", left)
	}
	k := reopen(t, dir, KeyFile(""))
	if err := k.RotateRoot(nil); err == nil {
		t.Error("rotated to nothing")
	}
	file := filepath.Join(t.TempDir(), "r")
	if err := k.RotateRoot(KeyFile(file)); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Finish(noon); err != nil {
		t.Fatal(err)
	}
	if err := k.RotateRoot(KeyFile(file)); err == nil || problem.From(err).Kind != problem.Conflict {
		t.Errorf("to the root that it has: %v, want a conflict", err)
	}
}

type fakeService struct {
	pad  byte
	away bool
}

func (f *fakeService) mask(b []byte) ([]byte, error) {
	if f.away {
		return nil, errors.New("away")
	}
	out := make([]byte, len(b))
	for i := range b {
		out[i] = b[i] ^ f.pad
	}
	return out, nil
}

// A process that is killed in the middle of a rotation of the root leaves a keyring
// that opens under either root, and the next rotation takes it up. Each step of the
// rotation is taken for the last one.
func TestBrokenOffRootRotation(t *testing.T) {
	for _, lost := range []string{"nothing re-wrapped", "half re-wrapped"} {
		t.Run(lost, func(t *testing.T) {
			k, dir := newKeyring(t)
			codes := map[id.Engagement]string{}
			for _, e := range []id.Engagement{"a", "b", "c"} {
				codes[e], _ = engagement(t, k, e).Code("p")
			}
			old := map[id.Engagement][]byte{}
			for e := range codes {
				old[e], _ = os.ReadFile(k.file(engagementsDir, e))
			}
			if _, err := k.BackupStore(new(strings.Builder), noon); err != nil {
				t.Fatal(err)
			}
			generation, _ := os.ReadFile(filepath.Join(dir, generationFile))
			next := filepath.Join(t.TempDir(), "next.key")
			if err := k.RotateRoot(KeyFile(next)); err != nil {
				t.Fatal(err)
			}
			// As if killed after keyring.json, before the rest.
			for e, text := range old {
				if lost == "half re-wrapped" && e == "b" {
					continue
				}
				if err := os.WriteFile(k.file(engagementsDir, e), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, generationFile), generation, 0o600); err != nil {
				t.Fatal(err)
			}
			for name, root := range map[string]Root{"old": KeyFile(""), "new": KeyFile(next)} {
				ring := reopen(t, dir, root)
				for e, code := range codes {
					if got, ok := engagement(t, ring, e).Reveal(code); !ok || got != "p" {
						t.Errorf("under the %s root %s does not open", name, e)
					}
				}
			}
			ring := reopen(t, dir, KeyFile(next))
			if err := ring.RotateRoot(KeyFile(filepath.Join(t.TempDir(), "third.key"))); err == nil {
				t.Error("a second rotation began before the first was finished")
			}
			if err := ring.RotateRoot(KeyFile(next)); err != nil {
				t.Errorf("going on: %v", err)
			}
			if _, err := ring.Finish(noon); err != nil {
				t.Fatal(err)
			}
			ring = reopen(t, dir, KeyFile(next))
			for e, code := range codes {
				if got, ok := engagement(t, ring, e).Reveal(code); !ok || got != "p" {
					t.Errorf("at the end %s does not open", e)
				}
			}
			if _, err := ring.BackupStore(new(strings.Builder), noon); err != nil {
				t.Errorf("the generation key does not open at the end: %v", err)
			}
		})
	}
}

// Rotations of everything, in a loop and from two processes, while others seal,
// open, make codes and keys: nothing is ever refused.
func TestRotationUnderUse(t *testing.T) {
	k, dir := newKeyring(t)
	worker := reopen(t, dir, KeyFile(""))
	e := engagement(t, worker, "sepsis")
	code, _ := e.Code("p-1")
	done := make(chan struct{})
	var users, wg sync.WaitGroup
	fail := func(format string, args ...any) { t.Helper(); t.Errorf(format, args...) }
	for u := range 3 {
		users.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				box, err := e.Seal([]byte("row"), nil)
				if err != nil {
					fail("seal: %v", err)
					return
				}
				if _, err := e.Open(box, nil); err != nil {
					fail("open: %v", err)
					return
				}
				if got, _ := e.Code("p-1"); got != code {
					fail("the code changed to %q", got)
					return
				}
				if n%20 == 0 {
					if _, err := worker.Engagement(id.Engagement(fmt.Sprintf("new-%d-%d", u, n))); err != nil {
						fail("a new engagement: %v", err)
						return
					}
				}
				doc, err := worker.Documents().Seal([]byte("doc"), nil)
				if err == nil {
					_, err = k.Documents().Open(doc, nil)
				}
				if err != nil {
					fail("documents: %v", err)
					return
				}
			}
		})
	}
	users.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
				if err := worker.Refresh(); err != nil {
					fail("refresh: %v", err)
				}
			}
		}
	})
	for n := 1; n <= 12; n++ {
		if err := k.Rotate("sepsis", Rotation{Keys: n}); err != nil {
			t.Error(err)
		}
		if err := k.RotateRoot(KeyFile("")); err != nil {
			t.Error(err)
		}
		// Long enough for the other process to look, as the command waits.
		for until := time.Now().Add(time.Minute); worker.RootID() != k.RootID() && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
		if _, err := k.Finish(noon); err != nil {
			t.Error(err)
		}
	}
	close(done)
	users.Wait()
	wg.Wait()
	if got, ok := engagement(t, reopen(t, dir, KeyFile("")), "sepsis").Reveal(code); !ok || got != "p-1" {
		t.Error("at the end the code does not open")
	}
}

// A keyring of the first form opens, gets what it lacked, and can be rotated.
func TestKeyringOfTheFirstForm(t *testing.T) {
	k, dir := newKeyring(t)
	code, _ := engagement(t, k, "sepsis").Code("p")
	// Back to form 1: no marks, no keys for documents and cache, no fingerprint.
	var doc engagementDoc
	if err := readJSON(k.file(engagementsDir, "sepsis"), &doc); err != nil {
		t.Fatal(err)
	}
	doc.Version, doc.Documents, doc.Cache, doc.RootID = 1, nil, nil, ""
	if err := replaceJSON(k.file(engagementsDir, "sepsis"), doc); err != nil {
		t.Fatal(err)
	}
	var ring keyringDoc
	if err := readJSON(filepath.Join(dir, keyringFile), &ring); err != nil {
		t.Fatal(err)
	}
	ring.Version, ring.RootID = 1, ""
	if err := replaceJSON(filepath.Join(dir, keyringFile), ring); err != nil {
		t.Fatal(err)
	}
	for _, sub := range []string{madeDir, destroyedDir} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			t.Fatal(err)
		}
	}
	k = reopen(t, dir, KeyFile(""))
	e := engagement(t, k, "sepsis")
	if got, _ := e.Code("p"); got != code {
		t.Error("the code is another")
	}
	if _, err := e.Cache().Seal([]byte("x"), nil); err != nil {
		t.Errorf("no key for cached data: %v", err)
	}
	if err := k.RotateRoot(KeyFile("")); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Finish(noon); err != nil {
		t.Fatal(err)
	}
	if got, _ := engagement(t, reopen(t, dir, KeyFile("")), "sepsis").Code("p"); got != code {
		t.Error("after the rotation the code is another")
	}
}

// Encrypt implements KeyService.
func (f *fakeService) Encrypt(_ context.Context, plain []byte) ([]byte, error) { return f.mask(plain) }

// Decrypt implements KeyService.
func (f *fakeService) Decrypt(_ context.Context, box []byte) ([]byte, error) { return f.mask(box) }

// State implements KeyService.
func (f *fakeService) State(context.Context) (ServiceState, error) {
	return ServiceState{State: StateEnabled}, nil
}

// A process that was killed while it destroyed keys leaves their file overwritten:
// that must not keep the root from being rotated, nor give the keys a new life.
func TestRootRotationPassesOverDestroyedKeys(t *testing.T) {
	for _, left := range []string{"overwritten", "whole"} {
		k, dir := newKeyring(t)
		engagement(t, k, "sepsis")
		kept, _ := engagement(t, k, "stroke").Code("p")
		text := mustRead(t, k.file(engagementsDir, "sepsis"))
		d := *destroy(t, k, "sepsis")
		d.DoneAt, d.Pending = time.Time{}, []string{"begun and not finished"}
		if err := replaceJSON(k.file(destroyedDir, "sepsis"), d); err != nil {
			t.Fatal(err)
		}
		if left == "overwritten" {
			text = bytes.Repeat([]byte{7}, len(text))
		}
		if err := os.WriteFile(k.file(engagementsDir, "sepsis"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		again := reopen(t, dir, KeyFile(""))
		if err := again.RotateRoot(KeyFile("")); err != nil {
			t.Fatalf("%s: %v", left, err)
		}
		if _, err := again.Finish(noon); err != nil {
			t.Fatalf("%s: %v", left, err)
		}
		if got := mustRead(t, k.file(engagementsDir, "sepsis")); !bytes.Equal(got, text) {
			t.Errorf("%s: destroyed keys were put under the new root", left)
		}
		if got, ok := engagement(t, again, "stroke").Reveal(kept); !ok || got != "p" {
			t.Errorf("%s: the other keys do not open", left)
		}
		if d := destroy(t, again, "sepsis"); !d.Done() || again.left("sepsis") {
			t.Errorf("%s: Destroy = %+v", left, d)
		}
	}
}

// A process that was killed at the end of a rotation, before it removed the old
// root and what the old root opens: the next one does.
func TestBrokenOffFinish(t *testing.T) {
	k, dir := newKeyring(t)
	engagement(t, k, "sepsis")
	old := mustRead(t, filepath.Join(dir, rootFile))
	if err := k.RotateRoot(KeyFile("")); err != nil {
		t.Fatal(err)
	}
	bridge := mustRead(t, filepath.Join(dir, keyringFile))
	if _, err := k.Finish(noon); err != nil {
		t.Fatal(err)
	}
	// As if killed after keyring.json was replaced.
	for name, text := range map[string][]byte{rootFile: old, oldPrefix + "1": bridge} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := reopen(t, dir, KeyFile(""))
	if retired, err := again.Finish(noon); err != nil || retired != nil {
		t.Errorf("Finish again = %v, %v", retired, err)
	}
	for _, name := range []string{rootFile, oldPrefix + "1"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left: who has it has the root that was retired, or the way from it to the new one", name)
		}
	}
	if got := reopen(t, dir, KeyFile("")).RootID(); got != again.RootID() {
		t.Errorf("the root of now is %s, was %s", got, again.RootID())
	}
}
