package hospitaltest_test

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// copyTree copies files with their permissions.
func copyTree(t *testing.T, to, from string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), info.Mode().Perm())
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), raw, info.Mode().Perm())
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Sallyport does not start on damage: with a part that is missing, that others
// can read or that does not read, nothing listens. The error names the part.
func TestDamageStopsTheStart(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{})
	b.Paper()
	if got := b.Get(question); got.Status != http.StatusOK {
		t.Fatalf("with every paper: got %s", got)
	}
	b.Verify()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	before := filepath.Join(t.TempDir(), "before")
	copyTree(t, before, b.Dir)
	if err := b.Run(); err != nil {
		t.Fatal(err)
	}
	b.Act(registrytest.Grace, registry.PlaceHold{On: snapshot.Subject{Noun: snapshot.NounDevice, ID: string(hospitaltest.Device)}, Cause: snapshot.HoldIncident})
	b.Verify()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	copyTree(t, whole, b.Dir)

	remove := func(elem ...string) func() error {
		return func() error { return os.RemoveAll(b.Data(elem...)) }
	}
	open := func(elem ...string) func() error {
		return func() error { return os.Chmod(b.Data(elem...), 0o644) }
	}
	garbage := func(elem ...string) func() error {
		return func() error {
			return os.WriteFile(b.Data(elem...), []byte(strings.Repeat("not what it was\n", 500)), 0o600)
		}
	}
	empty := func(elem ...string) func() error {
		return func() error { return os.Truncate(b.Data(elem...), 0) }
	}
	configure := func(before, after string) func() error {
		return func() error {
			b.Rewrite(func(s string) string { return strings.Replace(s, before, after, 1) })
			return nil
		}
	}
	site := func(cedar string) func() error {
		return func() error {
			dir := filepath.Join(b.Dir, "policy")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "site.cedar"), []byte(cedar), 0o600); err != nil {
				return err
			}
			return configure("# policy_dir: policy", "policy_dir: policy")()
		}
	}
	// earlier puts back what was there before the last act.
	earlier := func(elem ...string) func() error {
		return func() error {
			if err := os.RemoveAll(b.Data(elem...)); err != nil {
				return err
			}
			copyTree(t, b.Data(elem...), filepath.Join(append([]string{before, "data"}, elem...)...))
			return nil
		}
	}
	first := func(pattern string) string {
		found, err := filepath.Glob(b.Data(pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no file fits %s (%v)", pattern, err)
		}
		rel, _ := filepath.Rel(b.Data(), found[0])
		return rel
	}
	rootKey := first("keys/root*")

	for _, c := range []struct {
		name   string
		damage func() error
		want   string // in the error
	}{
		{"an unknown key in the configuration", configure("node:", "nodes: x\nnode:"), "nodes"},
		{"a source without a data class", configure("data_classes: [phi]", "data_classes: []"), "data_classes"},
		{"a health listener that is not on loopback", configure(fmt.Sprintf(`health: "%s"`, host(t, b.Health)), `health: "0.0.0.0:0"`), "listen.health"},
		{"a source's password file that is missing", configure("# credentials:", "credentials: {bearer_file: ehr.token}\n    #"), "bearer_file"},
		{"a policy folder that is missing", configure("# policy_dir: policy", "policy_dir: policy"), "policy_dir"},
		{"a broken policy", site("forbid (principal, action, resource) when {"), "site.cedar"},
		{"a site policy that permits", site("permit (principal, action, resource);"), "site.cedar"},
		{"no log key", remove("log.key"), "log.key"},
		{"a log key that others can read", open("log.key"), "log.key"},
		{"a log key that does not read", garbage("log.key"), "log"},
		{"no public key of the log", remove("log.pub"), "log.pub"},
		{"no token key", remove("token.key"), "token.key"},
		{"a token key that others can read", open("token.key"), "token.key"},
		{"a token key that does not read", garbage("token.key"), "token.key"},
		{"no root key", remove(rootKey), "key"},
		{"a root key that others can read", open(rootKey), "key"},
		{"a root key that does not read", garbage(rootKey), "key"},
		{"no keyring", remove("keys"), "key"},
		{"no authority", remove("authority"), "authority"},
		{"no vault", remove("vault.db"), "vault"},
		{"an empty vault", empty("vault.db"), "vault"},
		{"a vault that does not read", garbage("vault.db"), "vault"},
		{"no registry", remove("registry.db"), "registry"},
		{"an empty registry", empty("registry.db"), "registry"},
		{"a registry that does not read", garbage("registry.db"), "registry"},
		{"no log", remove("audit"), "log"},
		{"no checkpoint", remove("audit", "checkpoint"), "checkpoint"},
		{"a checkpoint that does not read", garbage("audit", "checkpoint"), "checkpoint"},
		{"no tiles", remove("audit", "tile"), "tile"},
		{"a registry from before the last act", earlier("registry.db"), "set back"},
		{"a log from before the last act", earlier("audit"), "log"},
		{"a list of used assertions that does not read", garbage(first("*replay*")), "replay"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"vault.db-wal", "vault.db-shm", "registry.db-wal", "registry.db-shm"} {
				if err := os.RemoveAll(b.Data(path)); err != nil { // of the run before: they would mend the damage
					t.Fatal(err)
				}
			}
			if err := os.RemoveAll(b.Dir); err != nil {
				t.Fatal(err)
			}
			copyTree(t, b.Dir, whole)
			if err := c.damage(); err != nil {
				t.Fatal(err)
			}
			err := b.Run()
			if err == nil {
				a, err := b.Client.Ask(http.MethodGet, question, "", "")
				t.Errorf("Sallyport started; a request got %s %v", a, err)
				if err := b.Stop(); err != nil {
					t.Error(err)
				}
				return
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error does not name %s: %v", c.want, err)
			}
			if status, _ := b.Ready(); status != 0 {
				t.Errorf("something answers %d on the health listener", status)
			}
			if conn, err := net.Dial("tcp", host(t, b.Gateway)); err == nil {
				conn.Close()
				t.Error("something listens on the gateway's address")
			}
		})
	}

	if err := os.RemoveAll(b.Dir); err != nil {
		t.Fatal(err)
	}
	copyTree(t, b.Dir, whole)
	if err := b.Run(); err != nil {
		t.Fatalf("mended, it does not start: %v", err)
	}
	p := b.Refusal(question)
	if got := recordedGates(t, b, p.Decision); !slices.Equal(got, []string{"hold"}) {
		t.Errorf("mended: the gates %v refuse; want the hold that was placed last", got)
	}
	b.Verify()
}

// host of a URL, with its port.
func host(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
