package server

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/seal/kms/kmstest"
)

// installed makes an installation whose root is what rootKey says.
func installed(t *testing.T, rootKey string) *Config {
	t.Helper()
	s := setup
	s.Dir, s.Person, s.PersonName, s.RootKey, s.Now = filepath.Join(t.TempDir(), "box"), "ada", "Ada", rootKey, time.Now
	file, err := Init(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return reload(t, file)
}

func reload(t *testing.T, file string) *Config {
	t.Helper()
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func vaultEnv(t *testing.T, fake *kmstest.Service) {
	t.Setenv("VAULT_ADDR", fake.URL)
	t.Setenv("VAULT_TOKEN", fake.Token)
}

// An installation whose root is in a Vault: when that is away, nothing is opened.
func TestAnInstallationUnderAKeyService(t *testing.T) {
	fake := kmstest.Vault(t)
	fake.Make("sallyport")
	vaultEnv(t, fake)
	c := installed(t, "hashivault://sallyport")
	if _, err := os.Stat(filepath.Join(c.keyStore(), "root.key")); err == nil {
		t.Error("a root was written beside the keys")
	}
	rec, err := openRecord(t.Context(), c, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.close(); err != nil {
		t.Fatal(err)
	}
	fake.Away(true)
	_, err = openRecord(t.Context(), c, time.Now, nil)
	if err == nil || problem.From(err).Kind != problem.Unavailable || !strings.Contains(err.Error(), "key service") {
		t.Fatalf("while the service is away: %v, want that the key service is unavailable", err)
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if strings.Contains(e.Error(), fake.Token) {
			t.Error("the error quotes the token")
		}
	}
	fake.Away(false)
	if _, err := OpenKeys(c); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

// From a Vault to a file and to AWS, while the keys are open elsewhere; the old
// root shows with what its service says of it, pending until AWS has destroyed it.
func TestRootsRotateBetweenServices(t *testing.T) {
	fake := kmstest.Vault(t)
	fake.Make("sallyport")
	vaultEnv(t, fake)
	cloud := kmstest.AWS(t)
	cloud.Make("cmk")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-for-a-test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	aws := "awskms:///cmk?region=us-east-1&endpoint=" + url.QueryEscape(cloud.URL)

	c := installed(t, "hashivault://sallyport")
	file := filepath.Join(filepath.Dir(c.Data()), ConfigFile)
	running, err := c.openKeys() // a server
	if err != nil {
		t.Fatal(err)
	}
	patient := running.Owner().Patient("ehr", "p-1")
	was := "hashivault://sallyport"
	for _, to := range []string{aws, "file"} {
		keys, err := OpenKeys(c)
		if err != nil {
			t.Fatal(err)
		}
		if inPlace, err := keys.RotateRoot(to, ""); err != nil || inPlace {
			t.Fatalf("to %s: in place %v, %v", to, inPlace, err)
		}
		// Until the configuration says so, it is not finished.
		if _, err := keys.FinishRoot(time.Now()); err == nil || problem.From(err).Field != "root_key" {
			t.Errorf("finished under the old configuration: %v", err)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), `"`+was+`"`, `"`+to+`"`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		was, c = to, reload(t, file)
		if err := running.Refresh(); err != nil {
			t.Fatal(err)
		}
		if keys, err = OpenKeys(c); err != nil {
			t.Fatal(err)
		}
		if old, err := keys.FinishRoot(time.Now()); err != nil || old == "" {
			t.Fatalf("finish: %q, %v", old, err)
		}
		if err := running.Refresh(); err != nil || running.RootID() != keys.Root() {
			t.Errorf("the server is under %s, the store under %s, %v", running.RootID(), keys.Root(), err)
		}
	}
	if running.Owner().Patient("ehr", "p-1") != patient {
		t.Error("the owner's key changed")
	}
	gone := time.Now().Add(7 * 24 * time.Hour).UTC().Truncate(time.Second)
	cloud.Destroy("cmk", gone)
	fake.Destroy("sallyport", time.Time{})
	keys, err := OpenKeys(c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Status(t.Context())
	if err != nil || len(s.Retired) != 2 || s.Kind != "file" {
		t.Fatalf("status %+v, %v", s, err)
	}
	if r := s.Retired[0]; r.State != seal.StateDestroyed {
		t.Errorf("the root that was in Vault: %+v, want destroyed", r)
	}
	if r := s.Retired[1]; r.State != seal.StatePending || !r.DestroyedAt.Equal(gone) {
		t.Errorf("the root that was at AWS: %+v, want pending until %s", r, gone)
	}
	// A service that does not answer says nothing.
	cloud.Away(true)
	if s, err := keys.Status(t.Context()); err != nil || s.Retired[1].State != seal.StateUnknown {
		t.Errorf("without an answer: %+v, %v", s.Retired, err)
	}
}
