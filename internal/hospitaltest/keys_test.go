package hospitaltest_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/seal"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/vault"
)

func config(t *testing.T, b *hospitaltest.Box) *server.Config {
	t.Helper()
	c, err := server.Load(b.File)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func keysOf(t *testing.T, b *hospitaltest.Box) *server.Keys {
	t.Helper()
	k, err := server.OpenKeys(config(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rootOf is the root that the server's keys are under, as it says itself.
func rootOf(t *testing.T, b *hospitaltest.Box) string {
	t.Helper()
	got, err := b.People[registrytest.Grace].Do(http.MethodGet, "/v1/system", nil)
	var s struct{ Keys struct{ Root string } }
	if err == nil {
		err = json.Unmarshal(got.Body, &s)
	}
	if err != nil || got.Status != http.StatusOK {
		t.Fatalf("%s, %v", got, err)
	}
	return s.Keys.Root
}

// reveal asks custody for the id behind a code.
func reveal(t *testing.T, b *hospitaltest.Box, code string) hospitaltest.Answer {
	t.Helper()
	got, err := b.People[registrytest.Grace].Do(http.MethodPost, "/v1/custody/reveal",
		map[string]any{"engagement": hospitaltest.Engagement, "codes": []string{code}, "reason": "a patient may be in danger"})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// aRow puts a code from a random source into the vault, as a file that was
// de-identified beside the gateway does.
func aRow(t *testing.T, b *hospitaltest.Box, resourceID string) (code string) {
	t.Helper()
	codes, err := server.OpenCodes(t.Context(), config(t, b), hospitaltest.Engagement, true)
	if err != nil {
		t.Fatal(err)
	}
	defer codes.Close()
	if code, err = codes.Code(resourceID); err != nil {
		t.Fatal(err)
	}
	if err := codes.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	return code
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func statement(t *testing.T, b *hospitaltest.Box) (s api.KeyStatement) {
	t.Helper()
	got, err := b.People[registrytest.Grace].Do(http.MethodGet, "/v1/keys/"+string(hospitaltest.Engagement)+"/statement", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got.Body, &s); err != nil || got.Status != http.StatusOK {
		t.Fatalf("statement: %s %v", got, err)
	}
	return s
}

const eve = id.Person("eve")

// The keys of an engagement are destroyed by an act of three people. Afterwards no
// code can be turned back and no row of the vault be read, by who has the database's
// backups, the key store's backups and the root together; and the statement says
// what was under the keys and what was not.
func TestKeysDestroyedForGood(t *testing.T) {
	t.Parallel()
	records := hospital.GenerateCanaries(11, 4)
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records, Configure: func(text string) string {
		return strings.Replace(text, "# generation_mirror: /mnt/other/keys", "generation_mirror: ../mirror #", 1)
	}})
	mirror := filepath.Join(b.Dir, "..", "mirror")
	if err := os.Mkdir(mirror, 0o700); err != nil {
		t.Fatal(err)
	}
	b.Paper()
	b.Enlist(eve, registry.PrivacyOfficer)
	given := codes(t, b)
	if len(given) == 0 {
		t.Fatal("the vendor has no codes")
	}
	random := aRow(t, b, "MRN-000123")
	paper := registry.NewDocument("text/plain", []byte("ZZPAPER: which columns the vendor gets"))
	paper.Engagement = hospitaltest.Engagement
	b.Act(registrytest.Ada, paper)
	readPaper := func() hospitaltest.Answer {
		got, err := b.People[registrytest.Grace].Do(http.MethodGet, "/v1/documents/"+paper.Digest, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := readPaper(); got.Status != http.StatusOK || !bytes.Contains(got.Body, []byte("ZZPAPER")) {
		t.Fatalf("the engagement's paper before: %s", got)
	}
	named := func(body []byte) bool {
		return slices.ContainsFunc(records.IDs("Patient"), func(patient string) bool { return bytes.Contains(body, []byte(patient)) })
	}
	if got := reveal(t, b, given[0]); got.Status != http.StatusOK || !named(got.Body) {
		t.Fatalf("before: reveal %s", got)
	}
	before := statement(t, b)
	if before.State != "kept" || before.Releases.Releases == 0 || before.Releases.Patients != len(given) || *before.Under[1].Count < 1 || *before.Under[3].Count != 1 {
		t.Fatalf("the statement before: %s, %+v, %d rows, %d codes", before.State, before.Releases, *before.Under[1].Count, len(given))
	}

	// Everything that an operator backs up, and the root with it.
	backups := t.TempDir()
	text, _, err := keysOf(t, b).BackupStore(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, b.Data("keys", "root.key"), filepath.Join(backups, "keys", "root.key"))
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"registry.db", "vault.db"} {
		copyFile(t, b.Data(name), filepath.Join(backups, name))
	}
	if err := b.Run(); err != nil {
		t.Fatal(err)
	}
	// That is enough to turn a code back, as long as nothing is destroyed: or the
	// rest of this test would show nothing.
	whole := filepath.Join(t.TempDir(), "keys")
	copyFile(t, filepath.Join(backups, "keys", "root.key"), filepath.Join(whole, "root.key"))
	canRead(t, whole, mirror, text, filepath.Join(backups, "vault.db"), given[0], random)

	// Three people.
	b.Act(registrytest.Grace, registry.EndEngagement{ID: hospitaltest.Engagement})
	b.Act(registrytest.Ada, registry.RequestKeyDestruction{ID: hospitaltest.Engagement})
	b.Act(registrytest.Grace, registry.ApproveKeyDestruction{ID: hospitaltest.Engagement})
	if s := statement(t, b); s.State != "requested" || len(s.Requested.Approvals) != 1 {
		t.Errorf("after one approval: %+v", s)
	}
	order := b.Act(eve, registry.ApproveKeyDestruction{ID: hospitaltest.Engagement})
	eventually(t, "the destruction", func() bool { return statement(t, b).State == "destroyed" })

	s := statement(t, b)
	if s.Act == nil || s.Act.Act != order.Act || s.Act.LogIndex != order.LogIndex {
		t.Errorf("the statement names %+v, want act %s at %d", s.Act, order.Act, order.LogIndex)
	}
	if e := b.Proved(order.LogIndex); e.Act == nil || e.Act.Kind != "key.approve-destruction" || e.Act.ID != string(hospitaltest.Engagement) ||
		hex.EncodeToString(e.Act.Digest[:]) != s.Act.Digest || e.Act.Actor != registrytest.Ada || e.Act.Approver != eve {
		t.Errorf("the log's entry is %+v, the statement says %+v", e.Act, s.Act)
	}
	if s.Releases.Releases != before.Releases.Releases || s.Releases.Bytes != before.Releases.Bytes || *s.Under[1].Count != *before.Under[1].Count || s.Destruction.Generation != 2 || s.Destruction.Media == "" {
		t.Errorf("the statement: %+v", s)
	}
	if txt := s.Text(); !strings.Contains(txt, "NOT UNDER THE KEYS") || !strings.Contains(txt, "destroyed on") || !strings.Contains(txt, string(order.Act)) {
		t.Errorf("the text:\n%s", txt)
	}

	// In the running product.
	if got := readPaper(); got.Status == http.StatusOK || bytes.Contains(got.Body, []byte("ZZPAPER")) || !bytes.Contains(got.Body, []byte("destroyed")) {
		t.Errorf("the engagement's paper after: %s", got)
	}
	if got := reveal(t, b, given[0]); got.Status == http.StatusOK || named(got.Body) {
		t.Errorf("after: reveal %s", got)
	}
	p := b.Refusal("/Patient")
	if got := gates(p); !slices.Contains(got, "key") {
		t.Errorf("the gates %v refuse, want key", got)
	}
	if _, err := server.OpenCodes(t.Context(), config(t, b), hospitaltest.Engagement, true); err == nil {
		t.Error("codes are given out beside the gateway")
	}
	if names, _ := filepath.Glob(b.Data("keys", "engagements", "*")); len(names) != 0 {
		t.Errorf("keys are left: %v", names)
	}
	b.Restart()
	if got := gates(b.Refusal("/Patient")); !slices.Contains(got, "key") {
		t.Errorf("after a restart the gates %v refuse, want key", got)
	}

	// From the backups: of the databases, of the key store, and the root.
	restored := filepath.Join(t.TempDir(), "keys")
	copyFile(t, filepath.Join(backups, "keys", "root.key"), filepath.Join(restored, "root.key"))
	if _, err := seal.RestoreStore(restored, mirror, seal.KeyFile(""), bytes.NewReader(text)); err == nil || !strings.Contains(err.Error(), "destroyed") {
		t.Errorf("the key store's backup: %v, want that its key was destroyed", err)
	}
	if _, err := seal.RestoreStore(b.Data("keys"), mirror, seal.KeyFile(""), bytes.NewReader(text)); err == nil {
		t.Error("the key store's backup was restored into the key store")
	}
	// The vault's backup, into the running installation: its rows do not open, and
	// they go.
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vault.db-wal", "vault.db-shm"} {
		_ = os.Remove(b.Data(name))
	}
	copyFile(t, filepath.Join(backups, "vault.db"), b.Data("vault.db"))
	ring, err := seal.Open(b.Data("keys"), seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	v, err := vault.Open(t.Context(), b.Data("vault.db"), ring)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := v.CountCodes(t.Context(), hospitaltest.Engagement); err != nil || n != *before.Under[1].Count {
		t.Errorf("the backup has %d rows, %v; want %d", n, err, *before.Under[1].Count)
	}
	for _, code := range []string{given[0], random} {
		if got, ok, err := v.Reveal(t.Context(), hospitaltest.Engagement, code); ok || !seal.IsDestroyed(err) {
			t.Errorf("the vault's backup reveals %q, %v, %v", got, ok, err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := b.Run(); err != nil {
		t.Fatal(err)
	}
	if s := statement(t, b); s.State != "destroyed" || s.Destruction.DoneAt.IsZero() {
		t.Errorf("after the vault was set back: %+v", s)
	}
	// Accounting and breach notice outlive it: patients are named in the log as before.
	if s.Releases.Patients != len(given) {
		t.Errorf("the log names %d patients, want %d", s.Releases.Patients, len(given))
	}
	b.Verify()
	// The registry's backup, from before the order: the start is refused, for the log
	// knows better; and the key store does too.
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"registry.db-wal", "registry.db-shm"} {
		_ = os.Remove(b.Data(name))
	}
	copyFile(t, b.Data("registry.db"), filepath.Join(backups, "now.db"))
	copyFile(t, filepath.Join(backups, "registry.db"), b.Data("registry.db"))
	if err := b.Run(); err == nil {
		t.Error("started with the registry of before the order")
	}
	if _, err := ring.Engagement(hospitaltest.Engagement); !seal.IsDestroyed(err) {
		t.Errorf("the key store of itself: %v", err)
	}
	copyFile(t, filepath.Join(backups, "now.db"), b.Data("registry.db"))
	if err := b.Run(); err != nil {
		t.Fatal(err)
	}
}

// canRead shows that backups give everything back while nothing is destroyed.
func canRead(t *testing.T, keys, mirror string, backup []byte, vaultFile string, codes ...string) {
	t.Helper()
	if _, err := seal.RestoreStore(keys, mirror, seal.KeyFile(""), bytes.NewReader(backup)); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.Open(keys, seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "vault.db")
	copyFile(t, vaultFile, copied)
	v, err := vault.Open(t.Context(), copied, ring)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for _, code := range codes {
		if got, ok, err := v.Reveal(t.Context(), hospitaltest.Engagement, code); !ok || err != nil || got == "" {
			t.Fatalf("from backups, before anything is destroyed: %q, %v, %v", got, ok, err)
		}
	}
}

// Keys of the engagement and the root are rotated, again and again, while the
// vendor's program asks: not one request is lost, and codes stay as they are.
func TestRotationUnderLoadLosesNothing(t *testing.T) {
	t.Parallel()
	b := hospitaltest.Start(t, hospitaltest.Options{})
	b.Paper()
	before := codes(t, b)
	var asked, lost atomic.Int64
	stop := make(chan struct{})
	var vendors sync.WaitGroup
	for n := range 4 {
		vendors.Go(func() {
			for i := n; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				path := "/Patient/" + before[i%len(before)]
				if i%3 == 0 {
					path = "/Patient?_count=2"
				}
				asked.Add(1)
				if got, err := b.Client.Ask(http.MethodGet, path, "", ""); err != nil || got.Status != http.StatusOK || got.Cut != nil {
					lost.Add(1)
					t.Errorf("GET %s during rotation: %s %v", path, got, err)
					return
				}
			}
		})
	}
	rotations, roots := 0, 0
	for range 3 {
		keys := keysOf(t, b)
		if inPlace, err := keys.RotateRoot("file", ""); err != nil || !inPlace {
			t.Fatal(inPlace, err)
		}
		for range 5 {
			b.Act(registrytest.Ada, registry.RotateKey{ID: hospitaltest.Engagement})
			rotations++
		}
		// What the command waits for: that the server has looked.
		eventually(t, "a server under the new root", func() bool { return rootOf(t, b) == keys.Root() })
		if _, err := keys.FinishRoot(time.Now()); err != nil {
			t.Fatal(err)
		}
		roots++
	}
	close(stop)
	vendors.Wait()
	if asked.Load() < 50 {
		t.Errorf("only %d requests were made", asked.Load())
	}
	t.Logf("%d requests during %d rotations of the engagement's keys and %d of the root: %d lost", asked.Load(), rotations, roots, lost.Load())
	if got := codes(t, b); !slices.Equal(got, before) {
		t.Error("the codes are others than before")
	}
	var doc struct {
		Rotations int `json:"rotations"`
	}
	raw, err := os.ReadFile(b.Data("keys", "engagements", string(hospitaltest.Engagement)+".json"))
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	if err != nil || doc.Rotations != rotations {
		t.Errorf("%d rotations were carried out, want %d (%v)", doc.Rotations, rotations, err)
	}
	// Codes are begun anew only when that is asked for, and old ones still open.
	b.Act(registrytest.Ada, registry.RotateKey{ID: hospitaltest.Engagement, Codes: true})
	eventually(t, "new codes", func() bool { return !slices.Contains(codes(t, b), before[0]) })
	if got := b.Get("/Patient/" + before[0]); got.Status != http.StatusOK {
		t.Errorf("an old code: %s, want the patient", got)
	}
	b.Restart()
	if got := b.Get("/Patient/" + before[0]); got.Status != http.StatusOK {
		t.Errorf("an old code after a restart: %s", got)
	}
	b.Verify()
}
