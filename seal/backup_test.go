package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
)

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
