package kms_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/seal/kms"
	"github.com/sallyport/sallyport/seal/kms/kmstest"
)

func open(t testing.TB, text string, env func(string) string) seal.KeyService {
	t.Helper()
	s, err := kms.Open(t.Context(), text, kms.Options{Getenv: env})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// aws is the URL of a key of the fake; credentials come from the environment, as
// the SDK finds them.
func aws(t *testing.T, s *kmstest.Service, name string) string {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-for-a-test")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	return "awskms:///" + name + "?region=us-east-1&endpoint=" + url.QueryEscape(s.URL)
}

// A keyring whose root is at a key service: nothing opens without it, what is open
// goes on.
func TestAKeyringUnderAKeyService(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(*testing.T) (*kmstest.Service, string)
	}{
		{"vault", func(t *testing.T) (*kmstest.Service, string) { return kmstest.Vault(t), "hashivault://sallyport" }},
		{"aws", func(t *testing.T) (*kmstest.Service, string) {
			s := kmstest.AWS(t)
			return s, aws(t, s, "sallyport")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake, text := c.make(t)
			fake.Make("sallyport")
			dir := filepath.Join(t.TempDir(), "keys")
			root := seal.Service(text, open(t, text, fake.Env))
			if err := seal.Create(dir, root); err != nil {
				t.Fatal(err)
			}
			keys, err := seal.Open(dir, root)
			if err != nil {
				t.Fatal(err)
			}
			key, err := keys.Engagement("sepsis")
			if err != nil {
				t.Fatal(err)
			}
			code, _ := key.Code("p-1")
			raw, err := os.ReadFile(filepath.Join(dir, "keyring.json"))
			if err != nil || strings.Contains(string(raw), fake.Token) {
				t.Errorf("keyring.json holds the token, or cannot be read: %v", err)
			}

			fake.Away(true)
			calls := len(fake.Calls)
			// Unwrapped keys go on, new engagements too: the service is not asked.
			if _, err := keys.Engagement("stroke"); err != nil {
				t.Errorf("a new engagement while the service is away: %v", err)
			}
			if got, ok := key.Reveal(code); !ok || got != "p-1" {
				t.Error("an open key stopped when the service went away")
			}
			if err := keys.Refresh(); err != nil {
				t.Errorf("refresh while the service is away: %v", err)
			}
			if len(fake.Calls) != calls {
				t.Errorf("the service was asked %v while keys were open", fake.Calls[calls:])
			}
			// Nothing is opened anew.
			_, err = seal.Open(dir, root)
			if p := problem.From(err); err == nil || p.Kind != problem.Unavailable || !strings.Contains(p.Title, "key service") || p.NextStep == "" {
				t.Errorf("opened while the service is away: %v", err)
			}
			if err := seal.Create(filepath.Join(t.TempDir(), "other"), root); err == nil {
				t.Error("made a keyring while the service is away")
			}
			fake.Away(false)
			if again, err := seal.Open(dir, root); err != nil {
				t.Errorf("when it is back: %v", err)
			} else if k, err := again.Engagement("sepsis"); err != nil {
				t.Error(err)
			} else if got, ok := k.Reveal(code); !ok || got != "p-1" {
				t.Error("the code does not open when the service is back")
			}

			// Destroyed at the service: gone for good, and said so.
			fake.Destroy("sallyport", time.Time{})
			if _, err := seal.Open(dir, root); err == nil {
				t.Error("opened without the key")
			}
			if got, err := open(t, text, fake.Env).State(t.Context()); err != nil || got.State != seal.StateDestroyed {
				t.Errorf("State = %+v, %v; want destroyed", got, err)
			}
		})
	}
}

func TestVaultRotatesUnderneath(t *testing.T) {
	fake := kmstest.Vault(t)
	fake.Make("k")
	s := open(t, "hashivault://k", fake.Env)
	box, err := s.Encrypt(t.Context(), []byte("root"))
	if err != nil {
		t.Fatal(err)
	}
	fake.Rotate("k")
	if got, err := s.Decrypt(t.Context(), box); err != nil || string(got) != "root" {
		t.Errorf("after Vault rotated its key: %q, %v", got, err)
	}
	if newer, err := s.Encrypt(t.Context(), []byte("root")); err != nil || !strings.HasPrefix(string(newer), "vault:v2:") {
		t.Errorf("the new version is not used: %v", err)
	}
	if got, err := s.State(t.Context()); err != nil || got.State != seal.StateEnabled {
		t.Errorf("State = %+v, %v", got, err)
	}
}

// AWS keeps a key for days after its deletion was ordered: it shows as pending.
func TestPendingDeletionShows(t *testing.T) {
	fake := kmstest.AWS(t)
	fake.Make("k")
	s := open(t, aws(t, fake, "k"), noEnv)
	when := time.Now().Add(7 * 24 * time.Hour).UTC().Truncate(time.Second)
	if got, err := s.State(t.Context()); err != nil || got.State != seal.StateEnabled {
		t.Errorf("State = %+v, %v; want enabled", got, err)
	}
	fake.Destroy("k", when)
	got, err := s.State(t.Context())
	if err != nil || got.State != seal.StatePending || !got.DestroyedAt.Equal(when) {
		t.Errorf("State = %+v, %v; want pending until %s", got, err, when)
	}
	if _, err := s.Encrypt(t.Context(), []byte("x")); err == nil {
		t.Error("a key that waits for its deletion encrypted")
	}
}

func noEnv(string) string { return "" }

func TestURLsThatAreRefused(t *testing.T) {
	vault := func(name string) string {
		return map[string]string{"VAULT_ADDR": "https://vault.example.org", "VAULT_TOKEN": "s.secret-token"}[name]
	}
	for _, c := range []struct {
		name, url string
		env       func(string) string
		want      string
	}{
		{"no scheme", "sallyport", vault, "not known"},
		{"another scheme", "https://kms.example.org/k", vault, "not known"},
		{"a password in it", "hashivault://user:s.secret-token@k", vault, "holds a user"},
		{"a parameter that is not known", "hashivault://k?token=s.secret-token", vault, "parameter"},
		{"no key", "hashivault://", vault, "names no key"},
		{"a path for a key", "hashivault://a/../../sys", vault, "names no key"},
		{"an engine that climbs", "hashivault://k?engine=../sys//", vault, "names no key"},
		{"no address", "hashivault://k", noEnv, "address"},
		{"vault in the clear", "hashivault://k", func(n string) string {
			return map[string]string{"VAULT_ADDR": "http://vault.example.org", "VAULT_TOKEN": "t"}[n]
		}, "address"},
		{"no token", "hashivault://k", func(n string) string { return map[string]string{"VAULT_ADDR": "https://v.example.org"}[n] }, "token"},
		{"a token file that is not there", "hashivault://k", func(n string) string {
			return map[string]string{"VAULT_ADDR": "https://v.example.org", "VAULT_TOKEN_FILE": "/nowhere/token"}[n]
		}, "VAULT_TOKEN_FILE"},
		{"aws without a key", "awskms://?region=us-east-1", noEnv, "names no key"},
		{"aws in the clear", "awskms:///k?region=us-east-1&endpoint=http%3A%2F%2Fkms.example.org", noEnv, "endpoint"},
		{"an aws parameter", "awskms:///k?secret=s.secret-token", noEnv, "parameter"},
	} {
		_, err := kms.Open(t.Context(), c.url, kms.Options{Getenv: c.env})
		p := problem.From(err)
		if err == nil || !strings.Contains(p.Title, c.want) || p.NextStep == "" {
			t.Errorf("%s: %v, want %q and a next step", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error()+p.NextStep, "s.secret-token") {
			t.Errorf("%s: the error quotes a secret: %v", c.name, err)
		}
	}
}

// A service that is not in the build names the tag that brings it.
func TestTheBuildTagIsNamed(t *testing.T) {
	for url, tag := range map[string]string{"gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k": "gcpkms", "azurekeyvault://v.vault.azure.net/keys/k": "azurekeyvault"} {
		_, err := kms.Open(t.Context(), url, kms.Options{Getenv: noEnv})
		if err == nil {
			continue // a build with the tag
		}
		if p := problem.From(err); p.Kind == problem.Unsupported && !strings.Contains(p.NextStep, "-tags "+tag) {
			t.Errorf("%s: next step %q does not name the tag", tag, p.NextStep)
		}
	}
}

// What a broken, hostile or redirecting Vault answers is an error, never a panic,
// and the token goes nowhere else.
func TestVaultsThatMisbehave(t *testing.T) {
	elsewhere := make(chan string, 10)
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { elsewhere <- r.Header.Get("X-Vault-Token") }))
	t.Cleanup(thief.Close)
	for name, h := range map[string]http.HandlerFunc{
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) },
		"null":    func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"data":null}`)) },
		"a number": func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"data":{"ciphertext":7,"plaintext":7}}`))
		},
		"empty": func(w http.ResponseWriter, _ *http.Request) {},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"data":{"plaintext":"` + strings.Repeat("A", 3<<20)))
		},
		"sealed": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			w.Write([]byte(`{"errors":["Vault is sealed"]}`))
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, thief.URL, http.StatusTemporaryRedirect)
		},
		"breaks off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"quotes the input": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			w.Write([]byte(`{"errors":["aGVhcnQtcm9vdA=="]}`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(h)
			defer srv.Close()
			s := open(t, "hashivault://k", func(n string) string {
				return map[string]string{"VAULT_ADDR": srv.URL, "VAULT_TOKEN": "s.secret-token"}[n]
			})
			for what, err := range map[string]error{
				"encrypt": second(s.Encrypt(t.Context(), []byte("heart-root"))),
				"decrypt": second(s.Decrypt(t.Context(), []byte("vault:v1:x"))),
			} {
				if err == nil {
					t.Errorf("%s: no error", what)
				} else if strings.Contains(err.Error(), "secret-token") || strings.Contains(err.Error(), "aGVhcnQ") {
					t.Errorf("%s: the error quotes what is secret: %v", what, err)
				}
			}
			if _, err := s.State(t.Context()); err == nil {
				t.Error("state: no error")
			}
		})
	}
	select {
	case token := <-elsewhere:
		t.Errorf("a redirect was followed with the token %q", token)
	default:
	}
}

func second[T any](_ T, err error) error { return err }

// A Vault that does not answer is given up at the caller's deadline.
func TestTheDeadlineHolds(t *testing.T) {
	hang := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(hang) })
	s := open(t, "hashivault://k", func(n string) string { return map[string]string{"VAULT_ADDR": srv.URL, "VAULT_TOKEN": "t"}[n] })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Decrypt(ctx, []byte("vault:v1:x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
}

// The token is read anew for each call, as an agent renews it.
func TestTheTokenFileIsReadEachTime(t *testing.T) {
	fake := kmstest.Vault(t)
	fake.Make("k")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s.old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, "hashivault://k", func(n string) string { return map[string]string{"VAULT_ADDR": fake.URL, "VAULT_TOKEN_FILE": file}[n] })
	if _, err := s.Encrypt(t.Context(), []byte("x")); err == nil {
		t.Error("the old token was let in")
	}
	if err := os.WriteFile(file, []byte(fake.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Encrypt(t.Context(), []byte("x")); err != nil {
		t.Errorf("with the new token: %v", err)
	}
}
