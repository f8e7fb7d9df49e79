package seal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/seal/sealed"
)

// What deid did not make is not sealed.
func TestClearNeedsARelease(t *testing.T) {
	if s := Clear(deid.Release{}); s.Valid() || s.Sealing() != "" || s.Len() != 0 {
		t.Error("the zero Release was sealed")
	}
	if (Sealed{}).Valid() {
		t.Error("the zero Sealed is valid")
	}
}

// The key that signs releases is one key whoever asks, stays readable when the
// keyring's keys rotate, and its public half stays published when it rotates itself.
func TestReleaseKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	root := KeyFile(filepath.Join(t.TempDir(), "root.key"))
	if err := Create(dir, root); err != nil {
		t.Fatal(err)
	}
	open := func() *Keyring {
		t.Helper()
		k, err := Open(dir, root)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		k := open()
		wg.Go(func() {
			if key, err := k.ReleaseKey(); err != nil {
				t.Error(err)
			} else {
				ids[i] = key.KeyID()
			}
		})
	}
	wg.Wait()
	for _, got := range ids {
		if got == "" || got != ids[0] {
			t.Errorf("got key %q, want %q, as the others have", got, ids[0])
		}
	}
	k := open()
	fresh := KeyFile(filepath.Join(t.TempDir(), "root-2.key"))
	if err := k.RotateRoot(fresh); err != nil {
		t.Fatal(err)
	}
	root = fresh
	k = open()
	old, err := k.ReleaseKey()
	if err != nil || old.KeyID() != ids[0] {
		t.Fatalf("after the root rotated: %v", err)
	}
	m := sealed.Manifest{Decision: "d", Engagement: "e", Vendor: "v", Device: "m", Format: sealed.Age, Recipients: []string{strings.Repeat("0", 64)},
		ContentType: "text/plain", Preamble: strings.Repeat("0", 64), Created: time.Unix(1_700_000_000, 0)}
	before, err := m.Sign(old)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.RotateReleaseKey(); err != nil {
		t.Fatal(err)
	}
	next, err := open().ReleaseKey()
	if err != nil || next.KeyID() == old.KeyID() {
		t.Fatalf("after rotation: the key is %v, %v", next, err)
	}
	after, err := m.Sign(next)
	if err != nil {
		t.Fatal(err)
	}
	set, err := next.PublicKeys()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sealed.ParseKeys(set)
	if err != nil || len(keys.IDs()) != 2 {
		t.Fatalf("published: %v, %v", keys.IDs(), err)
	}
	for name, signed := range map[string]string{"before": before, "after": after} {
		if _, err := keys.Verify(signed); err != nil {
			t.Errorf("signed %s rotation: %v", name, err)
		}
	}
	if text := fmt.Sprintf("%v %+v", next, next); strings.Contains(text, "D:") || !strings.Contains(text, "key") {
		t.Errorf("the key prints: %s", text)
	}
	// A file that was exchanged is not taken.
	one, two := filepath.Join(dir, "release-1.json"), filepath.Join(dir, "release-2.json")
	b, err := os.ReadFile(two)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.Replace(string(b), next.KeyID(), old.KeyID(), 1))
	if err := os.WriteFile(one, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open().ReleaseKey(); err == nil {
		t.Error("a key under another's id was taken")
	}
}

// The keys that sign releases are in the key store's backup.
func TestReleaseKeysComeBack(t *testing.T) {
	dir, mirror := filepath.Join(t.TempDir(), "keys"), filepath.Join(t.TempDir(), "mirror")
	if err := os.Mkdir(mirror, 0o700); err != nil {
		t.Fatal(err)
	}
	root := KeyFile(filepath.Join(t.TempDir(), "root.key"))
	if err := Create(dir, root); err != nil {
		t.Fatal(err)
	}
	k, err := Open(dir, root, WithMirror(mirror))
	if err != nil {
		t.Fatal(err)
	}
	key, err := k.ReleaseKey()
	if err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if _, err := k.BackupStore(&backup, time.Unix(1_700_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "keys")
	if err := os.MkdirAll(again, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreStore(again, mirror, root, &backup); err != nil {
		t.Fatal(err)
	}
	k, err = Open(again, root)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.ReleaseKey(); err != nil || got.KeyID() != key.KeyID() {
		t.Errorf("got another key than before, %v", err)
	}
}

// An envelope is for releases of deid, and ends once.
func TestEnvelopeNeedsReleases(t *testing.T) {
	id, err := sealed.NewIdentity(sealed.HPKE)
	if err != nil {
		t.Fatal(err)
	}
	s, err := To(id.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEnvelope(s, time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Seal(deid.Release{}, false); err != nil || got.Valid() {
		t.Errorf("the zero Release: got %v, %v", got.Valid(), err)
	}
	if _, err := e.Manifest(nil, sealed.Manifest{}); err == nil {
		t.Error("a manifest of what has not ended")
	}
	e.Close()
	if _, err := e.Seal(deid.Release{}, true); err == nil {
		t.Error("sealed after Close")
	}
	if _, err := To(); err == nil {
		t.Error("sealed to nobody")
	}
	if _, err := To("age1nonsense"); err == nil {
		t.Error("sealed to a key that is none")
	}
}
