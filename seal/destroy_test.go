package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
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

func backupOf(t testing.TB, k *Keyring) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := k.BackupStore(&b, noon); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// lose takes the key store away, as a disk that died would, but for its root,
// which is kept elsewhere.
func lose(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

// mirrored makes a keyring with its root and its mirror elsewhere.
func mirrored(t testing.TB) (k *Keyring, dir, mirror string, root Root) {
	t.Helper()
	dir, mirror = filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "mirror")
	if err := os.Mkdir(mirror, 0o700); err != nil {
		t.Fatal(err)
	}
	root = KeyFile(filepath.Join(t.TempDir(), "root.key"))
	if err := Create(dir, root); err != nil {
		t.Fatal(err)
	}
	k, err := Open(dir, root, WithMirror(mirror))
	if err != nil {
		t.Fatal(err)
	}
	return k, dir, mirror, root
}

func TestALostKeyStoreComesBackFromItsBackup(t *testing.T) {
	k, dir, mirror, root := mirrored(t)
	code, _ := engagement(t, k, "sepsis").Code("p-1")
	patient := k.Owner().Patient("ehr", "p-1")
	text := backupOf(t, k)
	lose(t, dir)
	if _, err := RestoreStore(dir, "", root, bytes.NewReader(text)); err == nil || !strings.Contains(problem.From(err).NextStep, "generation_mirror") {
		t.Errorf("without the mirror: %v, want to be told of it", err)
	}
	got, err := RestoreStore(dir, mirror, root, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got.Generation != 1 || got.Kept != 0 || len(got.Written) != 4 { // keyring, engagement, mark, generation
		t.Errorf("restored %+v", got)
	}
	again, err := Open(dir, root, WithMirror(mirror))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := engagement(t, again, "sepsis").Reveal(code); !ok || got != "p-1" {
		t.Error("the code does not open")
	}
	if again.Owner().Patient("ehr", "p-1") != patient {
		t.Error("the owner's key is another")
	}
	if got, err := RestoreStore(dir, mirror, root, bytes.NewReader(text)); err != nil || len(got.Written) != 0 || got.Kept != 4 {
		t.Errorf("restoring what is there: %+v, %v", got, err)
	}
}

// After a destruction no backup from before can be read, and one from after does
// not hold the key.
func TestBackupsFromBeforeCannotBeRead(t *testing.T) {
	k, dir, mirror, root := mirrored(t)
	engagement(t, k, "sepsis")
	keptCode, _ := engagement(t, k, "stroke").Code("p-2")
	before := backupOf(t, k)
	if s, err := k.Backups(); err != nil || s.Generation != 1 || s.BackedUpAt.IsZero() {
		t.Errorf("Backups = %+v, %v", s, err)
	}
	d := destroy(t, k, "sepsis")
	if d.Generation != 2 || !d.Done() {
		t.Errorf("Destroy = %+v, want generation 2", d)
	}
	if s, err := k.Backups(); err != nil || s.Generation != 2 || !s.BackedUpAt.IsZero() {
		t.Errorf("Backups = %+v, %v; want that there is none of this generation", s, err)
	}
	after := backupOf(t, k)

	lose(t, dir)
	_, err := RestoreStore(dir, mirror, root, bytes.NewReader(before))
	if err == nil || !strings.Contains(err.Error(), "generation 1, whose key was destroyed") {
		t.Fatalf("the backup from before: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, keyringFile)); err == nil {
		t.Fatal("something was restored from it")
	}
	if _, err := RestoreStore(dir, mirror, root, bytes.NewReader(after)); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, root, WithMirror(mirror))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Engagement("sepsis"); !IsDestroyed(err) {
		t.Errorf("after restoring: %v", err)
	}
	if got, ok := engagement(t, again, "stroke").Reveal(keptCode); !ok || got != "p-2" {
		t.Error("the other engagement's keys did not come back")
	}
	// The generation key of before is nowhere: not in the store, not in the mirror,
	// not in the backups.
	var b backup
	if err := json.Unmarshal(before, &b); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{dir, mirror} {
		doc, err := readGeneration(filepath.Join(at, generationFile))
		if err != nil || doc.Number != 2 {
			t.Errorf("%s: generation %d, %v", at, doc.Number, err)
			continue
		}
		raw, err := again.own.Load().root.Decrypt(doc.Key, purpose("generation", "2"))
		if err != nil {
			t.Fatal(err)
		}
		g := generation{doc, func() []byte { return raw }}
		aead, _ := g.aead()
		if _, err := aead.Open(nil, nil, b.Sealed, b.aad()); err == nil {
			t.Errorf("%s: the key of now opens the backup from before", at)
		}
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

func TestBackupsThatAreNotWhole(t *testing.T) {
	k, dir := newKeyring(t)
	engagement(t, k, "sepsis")
	text := backupOf(t, k)
	var b backup
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	changed := func(f func(*backup)) []byte {
		c := b
		c.Sealed = bytes.Clone(b.Sealed)
		f(&c)
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for name, text := range map[string][]byte{
		"empty":              nil,
		"no JSON":            []byte("x"),
		"another format":     changed(func(b *backup) { b.Format = "x" }),
		"generation 0":       changed(func(b *backup) { b.Generation = 0 }),
		"generation 2":       changed(func(b *backup) { b.Generation = 2 }),
		"another time":       changed(func(b *backup) { b.MadeAt = b.MadeAt.Add(time.Hour) }),
		"another keyring":    changed(func(b *backup) { b.Keyring = "0011223344556677" }),
		"one bit":            changed(func(b *backup) { b.Sealed[len(b.Sealed)/2] ^= 1 }),
		"cut":                changed(func(b *backup) { b.Sealed = b.Sealed[:len(b.Sealed)-1] }),
		"an unknown member":  []byte(strings.Replace(string(text), `{"format"`, `{"x":1,"format"`, 1)),
		"nothing that seals": changed(func(b *backup) { b.Sealed = nil }),
	} {
		if _, err := RestoreStore(dir, "", KeyFile(""), bytes.NewReader(text)); err == nil || problem.From(err).NextStep == "" {
			t.Errorf("%s: %v, want an error with a next step", name, err)
		}
	}
	other, _ := newKeyring(t)
	backupOf(t, other)
	if _, err := RestoreStore(other.dir, "", KeyFile(""), bytes.NewReader(text)); err == nil {
		t.Error("another key store was restored from it")
	}
	// It holds no key in any writing.
	for _, name := range []string{rootFile, "engagements/sepsis.json", keyringFile} {
		content := mustRead(t, filepath.Join(dir, name))
		for _, needle := range []string{string(content), base64.StdEncoding.EncodeToString(content), hex.EncodeToString(content)} {
			if bytes.Contains(text, []byte(needle)) {
				t.Errorf("the backup holds %s", name)
			}
		}
	}
}

// What is in a backup that opens is written below the key store and nowhere else.
func TestNamesInABackup(t *testing.T) {
	for _, name := range []string{"root.key", "../keyring.json", "engagements/../../x.json", "engagements/a/b.json", "engagements/.json", "/etc/passwd", "generation.json", "engagements\\x.json", "lock", ""} {
		if storeFile(name) {
			t.Errorf("%q may be restored", name)
		}
	}
	for _, name := range []string{"keyring.json", "engagements/sepsis.json", "destroyed/sepsis.json", "made/sepsis"} {
		if !storeFile(name) {
			t.Errorf("%q may not be restored", name)
		}
	}
}

func FuzzParseBackup(f *testing.F) {
	k, _ := newKeyring(f)
	f.Add(backupOf(f, k))
	f.Add([]byte(`{"format":"` + backupFormat + `","generation":1,"keyring":"","made_at":"2026-01-01T00:00:00Z","sealed":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := parseBackup(text)
		if err == nil && (b.Generation < 1 || b.Format != backupFormat) {
			t.Errorf("read as a backup: %+v", b.backupHead)
		}
	})
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
