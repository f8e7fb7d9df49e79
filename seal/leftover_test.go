package seal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// A process that was killed while it replaced the mirror's file: what it left there
// holds the key of the backups from before, and goes with the destruction.
func TestWhatIsLeftInTheMirrorGoesToo(t *testing.T) {
	for _, prefix := range []string{oldPrefix, newPrefix} {
		k, _, mirror, _ := mirrored(t)
		engagement(t, k, "sepsis")
		backupOf(t, k)
		left := filepath.Join(mirror, prefix+"1")
		if err := os.WriteFile(left, mustRead(t, filepath.Join(mirror, generationFile)), 0o600); err != nil {
			t.Fatal(err)
		}
		if d := destroy(t, k, "sepsis"); !d.Done() {
			t.Errorf("Destroy = %+v", d)
		}
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("%s: the mirror keeps a generation key with which the backup from before can be read", prefix)
		}
	}
}

// A backup that is made while the file of destroyed keys cannot be removed leaves
// them out: its generation key stays.
func TestABackupHoldsNoDestroyedKeys(t *testing.T) {
	k, dir := newKeyring(t)
	engagement(t, k, "sepsis")
	engagement(t, k, "stroke")
	backupOf(t, k)
	path := k.file(engagementsDir, "sepsis")
	aside := filepath.Join(t.TempDir(), "aside")
	if err := os.Rename(path, aside); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil { // what cannot be overwritten
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, "x"), nil, 0o600); err != nil { // nor removed
		t.Fatal(err)
	}
	if d := destroy(t, k, "sepsis"); d.Done() || d.Generation == 0 {
		t.Fatalf("Destroy = %+v, want that it is pending", d)
	}
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(aside, path); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	made, err := k.BackupStore(&b, noon)
	if err != nil {
		t.Fatal(err)
	}
	if made.Engagements != 1 {
		t.Errorf("the backup holds %d engagements, want 1", made.Engagements)
	}
	if d := destroy(t, k, "sepsis"); !d.Done() {
		t.Fatalf("Destroy = %+v", d)
	}
	// What can be read of the backup holds no destroyed key.
	g, err := k.generation()
	if err != nil {
		t.Fatal(err)
	}
	text, err := parseBackup(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	aead, err := g.aead()
	if err != nil {
		t.Fatal(err)
	}
	plain, err := aead.Open(nil, nil, text.Sealed, text.aad())
	if err == nil && bytes.Contains(plain, []byte(engagementsDir+"/sepsis.json")) {
		t.Error("the destroyed keys are in a backup that can be read")
	}
	if _, err := os.Stat(filepath.Join(dir, engagementsDir, "stroke.json")); err != nil {
		t.Error(err)
	}
}

// A process that was killed between giving a file a second name and taking it away
// leaves a name that is the living file's own: removing it must not overwrite what
// is under the other name.
func TestWhatIsLeftMayBeTheLivingFile(t *testing.T) {
	for _, prefix := range []string{newPrefix, oldPrefix} {
		k, dir := newKeyring(t)
		engagement(t, k, "sepsis")
		code, _ := engagement(t, k, "stroke").Code("p")
		names := map[string]string{
			k.file(engagementsDir, "stroke"): filepath.Join(dir, engagementsDir, prefix+"1"),
			filepath.Join(dir, keyringFile):  filepath.Join(dir, prefix+"2"),
			filepath.Join(dir, rootFile):     filepath.Join(dir, prefix+"3"),
		}
		again := func(how string) {
			t.Helper()
			for _, left := range names {
				if _, err := os.Lstat(left); err == nil {
					t.Errorf("%s %s: %s is left", prefix, how, filepath.Base(left))
				}
			}
			ring, err := Open(dir, KeyFile(""))
			if err != nil {
				t.Fatalf("%s %s: the keyring is lost: %v", prefix, how, err)
			}
			e, err := ring.Engagement("stroke")
			if err != nil {
				t.Fatalf("%s %s: the engagement's keys are lost: %v", prefix, how, err)
			}
			if got, ok := e.Reveal(code); !ok || got != "p" {
				t.Errorf("%s %s: the code is lost", prefix, how)
			}
		}
		link := func() {
			t.Helper()
			for name, left := range names {
				if err := os.Link(name, left); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(name, noon, noon); err != nil {
					t.Fatal(err)
				}
			}
		}
		link()
		reopen(t, dir, KeyFile(""))
		again("opening")
		link()
		destroy(t, k, "sepsis")
		again("destroying another's keys")
	}
}
