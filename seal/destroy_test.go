package seal

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

var order = Order{Act: "01JD0000000000000000000000", At: noon}

func clock() time.Time { return noon.Add(time.Minute) }

func destroy(t testing.TB, k *Keyring, e id.Engagement) *Destruction {
	t.Helper()
	d, err := k.Destroy(e, order, clock)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// nothing says that a key does nothing, and why.
func nothing(t testing.TB, name string, k *Keyring, e *EngagementKey, code string, box []byte) {
	t.Helper()
	if got, ok := e.Code("p-1"); ok {
		t.Errorf("%s: a destroyed key makes the code %q", name, got)
	}
	if got, ok := e.Reveal(code); ok {
		t.Errorf("%s: a destroyed key reveals %q", name, got)
	}
	if _, err := e.Seal([]byte("x"), nil); !IsDestroyed(err) {
		t.Errorf("%s: Seal: %v, want that it is destroyed", name, err)
	}
	if _, err := e.Open(box, nil); !IsDestroyed(err) {
		t.Errorf("%s: Open: %v, want that it is destroyed", name, err)
	}
	if _, err := e.Documents().Seal(nil, nil); !IsDestroyed(err) {
		t.Errorf("%s: Documents: %v", name, err)
	}
	if e.Derive("shift") != nil || e.Index("x", nil) != [16]byte{} {
		t.Errorf("%s: a destroyed key derives", name)
	}
	if !IsDestroyed(e.Err()) {
		t.Errorf("%s: Err = %v", name, e.Err())
	}
	if got, err := k.Engagement(e.Engagement()); !IsDestroyed(err) || got != nil || problem.From(err).Kind != problem.Refused || problem.From(err).NextStep == "" {
		t.Errorf("%s: Engagement = %v, %v; want a refusal and no new key", name, got, err)
	}
}

func TestDestroyedKeysDoNothing(t *testing.T) {
	k, dir := newKeyring(t)
	other := reopen(t, dir, KeyFile(""))
	e, theirs := engagement(t, k, "sepsis"), engagement(t, other, "sepsis")
	kept := engagement(t, k, "stroke")
	code, _ := e.Code("p-1")
	box, _ := e.Seal([]byte("row"), nil)
	keptCode, _ := kept.Code("p-1")
	patient := k.Owner().Patient("ehr", "p-1")
	ring, _ := os.ReadFile(filepath.Join(dir, keyringFile))

	d := destroy(t, k, "sepsis")
	if !d.Done() || d.Act != order.Act || !d.HadKeys || len(d.Pending) > 0 || d.Media == "" || !d.DoneAt.Equal(clock()) {
		t.Errorf("Destroy = %+v", d)
	}
	nothing(t, "this process", k, e, code, box)
	// Another process forgets at its next look.
	if err := other.Refresh(); err != nil {
		t.Errorf("Refresh: %v", err)
	}
	nothing(t, "another process", other, theirs, code, box)
	fresh := reopen(t, dir, KeyFile(""))
	if _, err := fresh.Engagement("sepsis"); !IsDestroyed(err) {
		t.Errorf("a new process: %v", err)
	}
	if err := fresh.Rotate("sepsis", Rotation{Keys: 1}); !IsDestroyed(err) {
		t.Errorf("rotating what is destroyed: %v", err)
	}
	// Twice is once.
	again := destroy(t, fresh, "sepsis")
	if again.Act != d.Act || !again.DoneAt.Equal(d.DoneAt) || again.Generation != d.Generation {
		t.Errorf("once more: %+v, was %+v", again, d)
	}
	// What is not under it stays.
	if got, ok := kept.Reveal(keptCode); !ok || got != "p-1" {
		t.Error("another engagement's keys were touched")
	}
	if fresh.Owner().Patient("ehr", "p-1") != patient {
		t.Error("the owner's key was touched")
	}
	if now, _ := os.ReadFile(filepath.Join(dir, keyringFile)); !bytes.Equal(now, ring) {
		t.Error("keyring.json was touched")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, engagementsDir, "*sepsis*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// An engagement that never had keys gets none after its destruction.
func TestDestroyedBeforeItWasUsed(t *testing.T) {
	k, _ := newKeyring(t)
	if d := destroy(t, k, "sepsis"); !d.Done() || d.HadKeys {
		t.Errorf("Destroy = %+v, want done, and that there were no keys", d)
	}
	if _, err := k.Engagement("sepsis"); !IsDestroyed(err) {
		t.Errorf("got %v", err)
	}
	for _, e := range []id.Engagement{"", "../keyring", "a/b"} {
		if _, err := k.Destroy(e, order, clock); err == nil {
			t.Errorf("destroyed %q", e)
		}
	}
	if _, err := k.Destroy("x", Order{}, clock); err == nil {
		t.Error("destroyed without an act")
	}
}

// A mirror that is away when keys are destroyed keeps the destruction pending, and
// it is finished when the mirror is there.
func TestAMirrorThatIsAwayKeepsItPending(t *testing.T) {
	k, _, mirror, root := mirrored(t)
	code, _ := engagement(t, k, "sepsis").Code("p")
	text := backupOf(t, k)
	away := mirror + "-away"
	if err := os.Rename(mirror, away); err != nil {
		t.Fatal(err)
	}
	d := destroy(t, k, "sepsis")
	if d.Done() || len(d.Pending) != 1 || !strings.Contains(d.Pending[0], "mirror") {
		t.Fatalf("Destroy = %+v, want pending because of the mirror", d)
	}
	// Here the keys are gone already.
	if _, err := k.Engagement("sepsis"); !IsDestroyed(err) {
		t.Errorf("got %v", err)
	}
	generation := d.Generation
	for range 3 {
		if d = destroy(t, k, "sepsis"); d.Done() || d.Generation != generation {
			t.Fatalf("tried again: %+v, want generation %d and pending", d, generation)
		}
	}
	// That is why it is pending: with the mirror the old backup can be read.
	elsewhere := filepath.Join(t.TempDir(), "keys")
	if err := os.MkdirAll(elsewhere, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreStore(elsewhere, away, root, bytes.NewReader(text)); err != nil {
		t.Fatalf("the test is not about what it says: %v", err)
	}
	if got, ok := engagement(t, reopen(t, elsewhere, root), "sepsis").Reveal(code); !ok || got != "p" {
		t.Fatal("the test is not about what it says")
	}
	if err := os.Rename(away, mirror); err != nil {
		t.Fatal(err)
	}
	if d = destroy(t, k, "sepsis"); !d.Done() || len(d.Pending) > 0 || d.Generation != generation {
		t.Errorf("with the mirror: %+v, want done", d)
	}
	third := filepath.Join(t.TempDir(), "keys")
	if err := os.MkdirAll(third, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreStore(third, mirror, root, bytes.NewReader(text)); err == nil {
		t.Error("the old backup can be read when it is done")
	}
}

// The whole folder, set back by a copy that was made in another way: the order is
// carried out again, and no backup of the folder's time can be read.
func TestAFolderThatIsSetBackIsDestroyedAgain(t *testing.T) {
	k, dir, _, root := mirrored(t)
	engagement(t, k, "sepsis")
	text := backupOf(t, k)
	copied := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	destroy(t, k, "sepsis")
	lose(t, dir)
	if err := os.CopyFS(dir, os.DirFS(copied)); err != nil {
		t.Fatal(err)
	}
	private0(t, dir)
	again := reopen(t, dir, root)
	if _, err := again.Engagement("sepsis"); err != nil {
		t.Fatalf("the test is not about what it says: %v", err)
	}
	if d := destroy(t, again, "sepsis"); !d.Done() || d.Generation != 2 {
		t.Errorf("Destroy = %+v", d)
	}
	if _, err := again.Engagement("sepsis"); !IsDestroyed(err) {
		t.Errorf("got %v", err)
	}
	if _, err := RestoreStore(dir, "", root, bytes.NewReader(text)); err == nil {
		t.Error("the backup of that time can be read")
	}
	// The key file alone, copied back: it is not used, and goes at the next look.
	if err := os.WriteFile(again.file(engagementsDir, "sepsis"), mustRead(t, filepath.Join(copied, engagementsDir, "sepsis.json")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := reopen(t, dir, root).Engagement("sepsis"); !IsDestroyed(err) {
		t.Errorf("with the file back: %v", err)
	}
	destroy(t, again, "sepsis")
	if _, err := os.Stat(again.file(engagementsDir, "sepsis")); err == nil {
		t.Error("the file that was copied back is still there")
	}
}

func mustRead(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// private0 gives a copied folder its modes back.
func private0(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o600)
		if d.IsDir() {
			mode = 0o700
		}
		return os.Chmod(path, mode)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A process that was killed at any step of a destruction: the next finishes it.
func TestBrokenOffDestruction(t *testing.T) {
	for _, c := range []struct {
		name string
		undo func(k *Keyring, key, generation []byte)
	}{
		{"after the note", func(k *Keyring, key, generation []byte) {
			os.WriteFile(k.file(engagementsDir, "sepsis"), key, 0o600)
			os.WriteFile(filepath.Join(k.dir, generationFile), generation, 0o600)
		}},
		{"after the file", func(k *Keyring, _, generation []byte) {
			os.WriteFile(filepath.Join(k.dir, generationFile), generation, 0o600)
		}},
		{"while it was replaced", func(k *Keyring, key, _ []byte) {
			os.WriteFile(filepath.Join(k.dir, engagementsDir, oldPrefix+"1"), key, 0o600)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, dir := newKeyring(t)
			engagement(t, k, "sepsis")
			text := backupOf(t, k)
			key, generation := mustRead(t, k.file(engagementsDir, "sepsis")), mustRead(t, filepath.Join(dir, generationFile))
			d := *destroy(t, k, "sepsis")
			d.DoneAt, d.Generation, d.Pending = time.Time{}, 0, []string{"begun and not finished"}
			if err := replaceJSON(k.file(destroyedDir, "sepsis"), d); err != nil {
				t.Fatal(err)
			}
			c.undo(k, key, generation)
			again := reopen(t, dir, KeyFile(""))
			if _, err := again.Engagement("sepsis"); !IsDestroyed(err) {
				t.Errorf("before it is finished: %v", err)
			}
			if d := destroy(t, again, "sepsis"); !d.Done() {
				t.Errorf("finished: %+v", d)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, engagementsDir, "*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, engagementsDir, ".*")); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if _, err := RestoreStore(dir, "", KeyFile(""), bytes.NewReader(text)); err == nil {
				t.Error("the backup from before can be read")
			}
		})
	}
}

// Keys that were made and are gone, without an order, are missed and not replaced.
func TestLostKeysAreNotMadeAnew(t *testing.T) {
	k, dir := newKeyring(t)
	e := engagement(t, k, "sepsis")
	text := backupOf(t, k)
	code, _ := e.Code("p")
	if err := os.Remove(k.file(engagementsDir, "sepsis")); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(); err == nil || IsDestroyed(err) || !strings.Contains(problem.From(e.Err()).NextStep, "restore-store") {
		t.Errorf("Refresh = %v, Err = %v", err, e.Err())
	}
	for _, ring := range []*Keyring{k, reopen(t, dir, KeyFile(""))} {
		if got, err := ring.Engagement("sepsis"); err == nil || IsDestroyed(err) {
			t.Errorf("Engagement = %v, %v; want that it is missed", got, err)
		}
	}
	if _, err := RestoreStore(dir, "", KeyFile(""), bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	if got, ok := engagement(t, k, "sepsis").Reveal(code); !ok || got != "p" {
		t.Error("after restoring the code does not open")
	}
}

// Many processes that ask for new keys at once all get them: none takes what
// another is just making for lost. Then one destroys them, and nobody calls them
// missing.
func TestKeysMadeAndDestroyedAtOnce(t *testing.T) {
	_, dir := newKeyring(t)
	var rings [6]*Keyring
	for i := range rings {
		rings[i] = reopen(t, dir, KeyFile(""))
	}
	for round := range 40 {
		e := id.Engagement(fmt.Sprint("e", round))
		var wg sync.WaitGroup
		for _, k := range rings {
			wg.Go(func() {
				if _, err := k.Engagement(e); err != nil {
					t.Errorf("made at once: %v", err)
				}
			})
		}
		wg.Wait()
		for i, k := range rings {
			wg.Go(func() {
				if i == 0 {
					if _, err := k.Destroy(e, order, clock); err != nil {
						t.Error(err)
					}
					return
				}
				fresh := reopen(t, dir, KeyFile(""))
				if _, err := fresh.Engagement(e); err != nil && !IsDestroyed(err) {
					t.Errorf("while it is destroyed: %v", err)
				}
				if err := k.Refresh(); err != nil {
					t.Errorf("refresh while it is destroyed: %v", err)
				}
			})
		}
		wg.Wait()
	}
}

// While the whole key store is away, what is open goes on.
func TestAKeyStoreThatIsAwayDestroysNothing(t *testing.T) {
	k, dir := newKeyring(t)
	e := engagement(t, k, "sepsis")
	code, _ := e.Code("p")
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(); err == nil {
		t.Error("nobody was told that the key store is away")
	}
	if got, ok := e.Reveal(code); !ok || got != "p" {
		t.Error("an open key stopped")
	}
	if _, err := k.Engagement("stroke"); err == nil {
		t.Error("a key was made with nowhere to keep it")
	}
}

func TestShredding(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, bytes.Repeat([]byte("SECRET"), 100), 0o600); err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(dir, "second-name")
	if err := os.Link(path, second); err != nil {
		t.Fatal(err)
	}
	if err := shred(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the file is still there")
	}
	if got := mustRead(t, second); bytes.Contains(got, []byte("SECRET")) || len(got) != 600 {
		t.Errorf("its blocks hold %d bytes, some of them the old ones", len(got))
	}
	if err := shred(path); err != nil {
		t.Errorf("what is not there: %v", err)
	}
	// A file that is replaced is overwritten too.
	third := filepath.Join(dir, "third-name")
	if err := os.Link(second, third); err != nil {
		t.Fatal(err)
	}
	was := mustRead(t, third)
	if err := replaceFile(second, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, second); string(got) != "new" {
		t.Errorf("replaced: %q", got)
	}
	if got := mustRead(t, third); bytes.Equal(got, was) {
		t.Error("the blocks of what was replaced are as they were")
	}
	if media(dir) == "" {
		t.Error("nothing is said of the disk")
	}
}
