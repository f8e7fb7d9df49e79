package keystore_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/agent/keystore"
	"github.com/sallyport/sallyport/internal/need"
)

// kinds runs a story on each kind of store.
func kinds(t *testing.T, story func(t *testing.T, want keystore.Kind, o keystore.Options)) {
	t.Run("tpm", func(t *testing.T) {
		story(t, keystore.TPM, keystore.Options{TPM: need.SoftwareTPM(t)})
	})
	t.Run("key file", func(t *testing.T) { story(t, keystore.File, keystore.Options{}) })
	t.Run("passphrase", func(t *testing.T) {
		story(t, keystore.File, keystore.Options{Passphrase: []byte("correct horse battery staple")})
	})
}

func create(t *testing.T, dir string, want keystore.Kind, o keystore.Options) *keystore.Store {
	t.Helper()
	s, _, err := keystore.Create(dir, want, o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind() != want {
		t.Fatalf("got a store of kind %q, want %q", s.Kind(), want)
	}
	return s
}

func sign(t *testing.T, key crypto.Signer) {
	t.Helper()
	digest := sha256.Sum256([]byte("what is signed"))
	sig, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok || !ecdsa.VerifyASN1(public, digest[:], sig) {
		t.Fatalf("the signature by a %T does not verify", key.Public())
	}
}

func TestKeysAndSecretsLastAndAreNotInTheClear(t *testing.T) {
	kinds(t, func(t *testing.T, want keystore.Kind, o keystore.Options) {
		dir := filepath.Join(t.TempDir(), "keys")
		s := create(t, dir, want, o)
		made, err := s.Make("device")
		if err != nil {
			t.Fatal(err)
		}
		sign(t, made)
		if _, err := s.Make("device"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("making a key twice: got %v, want fs.ErrExist", err)
		}
		secret := []byte("ZZCANARY-secret")
		if err := s.Put("recipient", secret); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}

		again, err := keystore.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		key, err := again.Key("device")
		if err != nil {
			t.Fatal(err)
		}
		sign(t, key)
		if pub := made.Public().(*ecdsa.PublicKey); !pub.Equal(key.Public()) {
			t.Error("the key that was opened is not the one that was made")
		}
		if got, err := again.Get("recipient"); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("the secret: got %q, %v", got, err)
		}
		if _, err := again.Key("other"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a key that is not there: got %v, want fs.ErrNotExist", err)
		}

		var der []byte
		if soft, ok := made.(*ecdsa.PrivateKey); ok {
			if der, err = x509.MarshalPKCS8PrivateKey(soft); err != nil {
				t.Fatal(err)
			}
		} else if want == keystore.File {
			t.Fatalf("a store of files made a %T", made)
		}
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if bytes.Contains(raw, secret) || der != nil && bytes.Contains(raw, der[30:62]) {
				t.Errorf("%s holds a secret in the clear", d.Name())
			}
			if info, _ := d.Info(); info.Mode().Perm() != 0o600 {
				t.Errorf("%s has permissions %04o, want 0600", d.Name(), info.Mode().Perm())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestATPMKeyMakesATLSHandshakeAndManyAtOnce(t *testing.T) {
	s := create(t, filepath.Join(t.TempDir(), "keys"), keystore.TPM, keystore.Options{TPM: need.SoftwareTPM(t)})
	defer s.Close()
	key, err := s.Make("device")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key); err != nil {
		t.Errorf("signing a request: %v", err)
	}
	digest := sha256.Sum256(nil)
	if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA384); err == nil {
		t.Error("it signed what it says is a SHA-384 digest")
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5 {
				if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
					t.Errorf("signing among others: %v", err)
				}
			}
		})
	}
	group.Wait()
}

// A folder that was copied is of no use without what opens it, and what was
// changed in it is found.
func TestACopiedOrChangedFolderDoesNotOpen(t *testing.T) {
	kinds(t, func(t *testing.T, want keystore.Kind, o keystore.Options) {
		dir := filepath.Join(t.TempDir(), "keys")
		s := create(t, dir, want, o)
		if _, err := s.Make("device"); err != nil {
			t.Fatal(err)
		}
		if err := s.Put("one", []byte("1")); err != nil {
			t.Fatal(err)
		}
		if err := s.Put("two", []byte("2")); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wrong := keystore.Options{Passphrase: []byte("wrong")}
		switch {
		case want == keystore.TPM:
			wrong.TPM = need.SoftwareTPM(t) // another machine
		case o.Passphrase == nil:
			key := filepath.Join(dir, "store.key")
			if err := os.Rename(key, key+".away"); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := keystore.Open(dir, wrong); err == nil {
			t.Error("the folder opened without what protects it")
		} else if strings.Contains(err.Error(), "wrong") && want == keystore.File {
			t.Errorf("the error quotes the passphrase: %v", err)
		}
		if o.Passphrase == nil && want == keystore.File {
			key := filepath.Join(dir, "store.key")
			if err := os.Rename(key+".away", key); err != nil {
				t.Fatal(err)
			}
		}
		// One secret in another's place.
		raw, err := os.ReadFile(filepath.Join(dir, "one.secret"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "two.secret"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err = keystore.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if got, err := s.Get("two"); err == nil {
			t.Errorf("a swapped secret opened as %q", got)
		}
		if err := os.Chmod(filepath.Join(dir, "one.secret"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get("one"); err == nil {
			t.Error("a secret that others may read was used")
		}
	})
}

func TestWithoutATPMFilesAreUsedOnlyIfNoTPMWasDemanded(t *testing.T) {
	none := keystore.Options{TPM: filepath.Join(t.TempDir(), "no-tpm")}
	dir := filepath.Join(t.TempDir(), "keys")
	s, why, err := keystore.Create(dir, "", none)
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind() != keystore.File || why == nil {
		t.Errorf("got kind %q because %v, want files and the reason", s.Kind(), why)
	}
	demanded := filepath.Join(t.TempDir(), "tpm")
	if _, _, err := keystore.Create(demanded, keystore.TPM, none); err == nil {
		t.Error("a TPM was demanded and none is there, and a store was made")
	}
	if _, err := os.Stat(demanded); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder that was not used is left: %v", err)
	}
	if _, _, err := keystore.Create(filepath.Join(t.TempDir(), "os"), keystore.OS, none); err == nil {
		t.Error("the operating system's store is not in the build, and one was made")
	}
	if _, _, err := keystore.Create(dir, keystore.File, none); err == nil {
		t.Error("a folder with keys was taken again")
	}
}

// A TPM store never becomes one of files, not even if the record says so.
func TestATPMStoreIsNeverOpenedAsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	o := keystore.Options{TPM: need.SoftwareTPM(t)}
	s := create(t, dir, keystore.TPM, o)
	if _, err := s.Make("device"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, change := range []map[string]any{
		{"version": 1, "kind": "file"},
		{"version": 1, "kind": ""},
		{"version": 2, "kind": "tpm"},
		{"version": 1, "kind": "file", "salt": []byte("0123456789abcdef"), "iterations": 1},
		{"version": 1, "kind": "tpm"},
	} {
		raw, err := json.Marshal(change)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "store.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := keystore.Open(dir, keystore.Options{TPM: o.TPM, Passphrase: []byte("x")}); err == nil {
			t.Errorf("%s opened as %q", raw, s.Kind())
		}
	}
}

// What is on the disk may be anything.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(`{"version":1,"kind":"file"}`), []byte("0123456789abcdef0123456789abcdef"))
	f.Add([]byte(`{"version":1,"kind":"tpm","sealed":{"public":"AA==","private":"AA=="}}`), []byte(""))
	f.Add([]byte(`{`), []byte(""))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, record, secret []byte) {
		for name, data := range map[string][]byte{"store.json": record, "store.key": secret, "check.secret": secret} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := keystore.Open(dir, keystore.Options{TPM: filepath.Join(dir, "none")}); err == nil {
			t.Errorf("rubbish opened as a store of kind %q", s.Kind())
		}
	})
}
