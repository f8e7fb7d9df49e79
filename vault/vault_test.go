package vault

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/phi"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

// folder is a keyring and the path of a vault.
type folder struct{ keys, vault string }

func newFolder(t testing.TB) folder {
	t.Helper()
	f := folder{keys: filepath.Join(t.TempDir(), "keys"), vault: filepath.Join(t.TempDir(), "vault.db")}
	if err := seal.Create(f.keys, seal.KeyFile("")); err != nil {
		t.Fatal(err)
	}
	return f
}

// open opens the vault with a keyring of its own, as another process would.
func (f folder) open(t testing.TB) *Vault {
	t.Helper()
	keys, err := seal.Open(f.keys, seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(context.Background(), f.vault, keys)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// long is an id that only the vault has a code for.
func long(n int) string { return fmt.Sprintf("%064d", n) }

func member(source id.Source, patientID string) Member {
	return Member{source, phi.New([]byte(patientID))}
}

func codeFor(t testing.TB, v *Vault, e id.Engagement, resourceID string) string {
	t.Helper()
	code, err := v.CodeFor(context.Background(), e, resourceID)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func TestVaultSurvivesReopening(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	a := f.open(t)
	code := codeFor(t, a, "sepsis", long(1))
	if err := a.SetHold(ctx, "epic", "p-1", OptOut, "act-1"); err != nil {
		t.Fatal(err)
	}
	digest, err := a.PutCohort(ctx, "icu", []Member{member("epic", "p-1"), member("epic", "p-2")})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}

	b := f.open(t)
	if got, ok, err := b.Reveal(ctx, "sepsis", code); err != nil || !ok || got != long(1) {
		t.Errorf("Reveal = %q, %v, %v", got, ok, err)
	}
	if got := codeFor(t, b, "sepsis", long(1)); got != code {
		t.Errorf("code = %s, want %s", got, code)
	}
	if kind, held := b.Held("epic", "p-1"); !held || kind != OptOut {
		t.Errorf("Held = %q, %v; want opt-out", kind, held)
	}
	if kind, held := b.Held("epic", "p-2"); held {
		t.Errorf("p-2 is held: %s", kind)
	}
	set, ok := b.Cohort("icu")
	if !ok || set.Len() != 2 || set.Digest() != digest {
		t.Fatalf("cohort = %d members, %s, %v; want 2, %s", set.Len(), set.Digest(), ok, digest)
	}
	if !set.Has(b.keys.Owner().PatientKey("epic", "p-2")) || set.Has(b.keys.Owner().PatientKey("epic", "p-3")) {
		t.Error("cohort has other members after reopening")
	}
}

// What somebody learns who has the files and not the keys.
func TestFilesHoldNoPlaintext(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	canaries := []string{
		"CANARYpatient", "CANARYsource", "CANARYlongid-" + strings.Repeat("x", 40), "CANARYref",
		"CANARYcohort", "CANARYmember", "CANARYengagement", "restriction",
	}
	code := codeFor(t, v, "CANARYengagement", canaries[2])
	if err := v.SetHold(ctx, "CANARYsource", "CANARYpatient", Restriction, "CANARYref"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.PutCohort(ctx, "CANARYcohort", []Member{member("CANARYsource", "CANARYmember")}); err != nil {
		t.Fatal(err)
	}
	owner := v.keys.Owner()
	key := owner.PatientKey("CANARYsource", "CANARYpatient")
	canaries = append(canaries, code, key.String(), string(key[:]))
	key = owner.PatientKey("CANARYsource", "CANARYmember")
	canaries = append(canaries, key.String(), string(key[:]))
	look := func(when string, want int) {
		files, _ := filepath.Glob(f.vault + "*")
		if len(files) < want {
			t.Fatalf("%s: %d files, want %d or more", when, len(files), want)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range canaries {
				if bytes.Contains(content, []byte(c)) {
					t.Errorf("%s: %s holds %q", when, filepath.Base(file), c)
				}
			}
			info, _ := os.Stat(file)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has mode %o", when, filepath.Base(file), info.Mode().Perm())
			}
		}
	}
	look("open", 3) // with -wal and -shm
	if err := v.Release(ctx, "CANARYsource", "CANARYpatient", Restriction); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	look("closed", 1)
}

func TestVaultNeedsItsKeyring(t *testing.T) {
	f, other := newFolder(t), newFolder(t)
	f.open(t).Close()
	other.vault = f.vault
	keys, err := seal.Open(other.keys, seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(context.Background(), f.vault, keys)
	if err == nil {
		v.Close()
		t.Fatal("opened with another keyring")
	}
	if !strings.Contains(err.Error(), "keyring") || problem.From(err).NextStep == "" {
		t.Errorf("error %q does not say what to do", err)
	}
}

// Rows that are taken away, put back or moved are found.
func TestTamperingIsFound(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct{ name, sql string }{
		{"a hold deleted", "DELETE FROM holds WHERE patient = (SELECT min(patient) FROM holds)"},
		{"all holds deleted", "DELETE FROM holds"},
		{"two holds swapped", "UPDATE holds SET sealed = (SELECT sealed FROM holds AS o WHERE o.patient <> holds.patient)"},
		{"a hold's seal changed", "UPDATE holds SET sealed = zeroblob(100)"},
		{"a hold put in", "INSERT INTO holds SELECT zeroblob(16), sealed FROM holds LIMIT 1"},
		{"a cohort's part deleted", "DELETE FROM cohort_parts"},
		{"a cohort's part moved", "UPDATE cohort_parts SET part = 1"},
		{"meta emptied", "UPDATE meta SET sealed = x''"},
		{"meta deleted", "DELETE FROM meta"},
		{"a newer form", "PRAGMA user_version = 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFolder(t)
			v := f.open(t)
			for _, p := range []string{"p-1", "p-2"} {
				if err := v.SetHold(ctx, "epic", p, Restriction, "act-1"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := v.PutCohort(ctx, "icu", []Member{member("epic", "p-1")}); err != nil {
				t.Fatal(err)
			}
			if _, err := v.db.Exec(c.sql); err != nil {
				t.Fatal(err)
			}
			v.Close()
			keys, err := seal.Open(f.keys, seal.KeyFile(""))
			if err != nil {
				t.Fatal(err)
			}
			if v, err := Open(ctx, f.vault, keys); err == nil {
				v.Close()
				t.Error("opened")
			}
		})
	}
}

func TestCodesThatAreTamperedWith(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	a, b := codeFor(t, v, "sepsis", long(1)), codeFor(t, v, "sepsis", long(2))
	// Each code now carries the other's identity.
	if _, err := v.db.Exec(`CREATE TEMP TABLE was AS SELECT by_id, sealed FROM codes;
		UPDATE codes SET sealed = (SELECT sealed FROM was WHERE was.by_id <> codes.by_id)`); err != nil {
		t.Fatal(err)
	}
	w := f.open(t) // its cache is empty
	for _, code := range []string{a, b} {
		if got, ok, err := w.Reveal(ctx, "sepsis", code); err == nil || ok || got != "" {
			t.Errorf("Reveal = %q, %v, %v; want an error", got, ok, err)
		}
	}
	if code, err := w.CodeFor(ctx, "sepsis", long(1)); err == nil {
		t.Errorf("CodeFor = %q, want an error", code)
	}
}

// Another handle's changes are seen at the next Reload, and one's own writes
// are not lost to them.
func TestTwoHandles(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	a, b := f.open(t), f.open(t)
	if err := a.SetHold(ctx, "epic", "p-1", Restriction, "act-1"); err != nil {
		t.Fatal(err)
	}
	if _, held := b.Held("epic", "p-1"); held {
		t.Fatal("b saw it without Reload: the test tests nothing")
	}
	if err := b.Reload(ctx); err != nil {
		t.Fatal(err)
	}
	if _, held := b.Held("epic", "p-1"); !held {
		t.Error("b does not see a's hold after Reload")
	}
	if err := a.SetHold(ctx, "epic", "p-2", Restriction, "act-2"); err != nil {
		t.Fatal(err)
	}
	// b writes without having reloaded: it sees both.
	if _, err := b.PutCohort(ctx, "icu", []Member{member("epic", "p-9")}); err != nil {
		t.Fatal(err)
	}
	if _, held := b.Held("epic", "p-2"); !held {
		t.Error("b wrote and does not see a's hold")
	}
	// a puts the same again, which writes nothing, and sees it.
	if _, err := a.PutCohort(ctx, "icu", []Member{member("epic", "p-9")}); err != nil {
		t.Fatal(err)
	}
	if _, ok := a.Cohort("icu"); !ok {
		t.Error("a does not see the cohort that it was told is there")
	}
}

// Writers of two handles at once: nobody loses a hold, and one id has one code.
func TestWritersRace(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	vaults := []*Vault{f.open(t), f.open(t)}
	const each = 12
	codes := make([][each]string, len(vaults))
	var wg sync.WaitGroup
	for i, v := range vaults {
		wg.Go(func() {
			for n := range each {
				if err := v.SetHold(ctx, "epic", fmt.Sprint(i, "-", n), OptOut, "act-1"); err != nil {
					t.Error(err)
				}
			}
		})
		for n := range each {
			wg.Go(func() {
				code, err := v.CodeFor(ctx, "sepsis", long(n))
				if err != nil {
					t.Error(err)
				}
				codes[i][n] = code
			})
		}
	}
	wg.Wait()
	if codes[0] != codes[1] {
		t.Error("two handles gave one id two codes")
	}
	for _, v := range append(vaults, f.open(t)) {
		if err := v.Reload(ctx); err != nil {
			t.Fatal(err)
		}
		if got := v.Holds().Len(); got != len(vaults)*each {
			t.Errorf("%d holds, want %d", got, len(vaults)*each)
		}
	}
}

// Processes that open a new vault at once, and give codes to the same ids.
func TestProcessesAgreeOnCodes(t *testing.T) {
	if keys := os.Getenv("VAULT_TEST_KEYS"); keys != "" {
		v := folder{keys, os.Getenv("VAULT_TEST_VAULT")}.open(t)
		for n := range 10 {
			fmt.Println("CODE", codeFor(t, v, "sepsis", long(n)))
		}
		return
	}
	f := newFolder(t)
	outputs := make([]string, 3)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestProcessesAgreeOnCodes$")
			cmd.Env = append(os.Environ(), "VAULT_TEST_KEYS="+f.keys, "VAULT_TEST_VAULT="+f.vault)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("process %d: %v\n%s", i, err, out)
			}
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "CODE ") {
					outputs[i] += line
				}
			}
		})
	}
	wg.Wait()
	if strings.Count(outputs[0], "CODE v") != 10 {
		t.Fatalf("process 0 said %q", outputs[0])
	}
	for i, out := range outputs {
		if out != outputs[0] {
			t.Errorf("process %d has other codes than process 0", i)
		}
	}
}

// Every connection of the pool must have the settings that durability needs.
func TestEveryConnectionIsSetUp(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	for range 3 {
		c, err := v.db.Conn(ctx) // held, so that each is another one
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "10000", "secure_delete": "1"} {
			var got string
			if err := c.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s = %q, %v; want %q", pragma, got, err, want)
			}
		}
	}
}

// A process that is killed while it writes loses nothing that it was told is
// done, and leaves a vault that opens.
func TestKill(t *testing.T) {
	if keys := os.Getenv("VAULT_TEST_KEYS"); keys != "" {
		ctx, v := context.Background(), folder{keys, os.Getenv("VAULT_TEST_VAULT")}.open(t)
		for n := 0; n < 100_000; n++ {
			name := fmt.Sprint(os.Getenv("VAULT_TEST_ROUND"), "-", n)
			if err := v.SetHold(ctx, "epic", name, Restriction, "act-1"); err != nil {
				t.Fatal(err)
			}
			id := strings.Repeat("k", 63-len(name)) + "-" + name
			fmt.Println("DONE", name, id, codeFor(t, v, "sepsis", id))
		}
		return
	}
	ctx, f := context.Background(), newFolder(t)
	rounds := 3
	if os.Getenv("SALLYPORT_SLOW") != "" {
		rounds = 40
	}
	type done struct{ name, id, code string }
	var all []done
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "VAULT_TEST_KEYS="+f.keys, "VAULT_TEST_VAULT="+f.vault, fmt.Sprint("VAULT_TEST_ROUND=", round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			var d done
			if _, err := fmt.Sscanf(lines.Text(), "DONE %s %s %s", &d.name, &d.id, &d.code); err != nil {
				continue
			}
			all = append(all, d)
			if n++; n == 5+7*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the process was not killed")
		}
		v := f.open(t)
		for _, d := range all {
			if _, held := v.Held("epic", d.name); !held {
				t.Errorf("round %d: the hold on %s was lost", round, d.name)
			}
			if got, ok, err := v.Reveal(ctx, "sepsis", d.code); err != nil || !ok || got != d.id {
				t.Errorf("round %d: %s reveals %q, %v, %v; want %s", round, d.code, got, ok, err, d.id)
			}
		}
		v.Close()
	}
	if len(all) < 5*rounds {
		t.Fatalf("only %d writes were seen", len(all))
	}
}

// Without its database the vault writes nothing, makes no code, and says so.
func TestDatabaseGone(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	if err := v.db.Close(); err != nil {
		t.Fatal(err)
	}
	if code, err := v.CodeFor(ctx, "sepsis", long(1)); problem.From(err).Kind != problem.Unavailable || code != "" {
		t.Errorf("CodeFor = %q, %v; want Unavailable", code, err)
	}
	if _, ok, err := v.Reveal(ctx, "sepsis", newCode()); err == nil || ok {
		t.Errorf("Reveal = %v, %v; want an error", ok, err)
	}
	if err := v.SetHold(ctx, "epic", "p", OptOut, "act-1"); problem.From(err).Kind != problem.Unavailable {
		t.Errorf("SetHold = %v; want Unavailable", err)
	}
	if err := v.Ping(ctx); err == nil {
		t.Error("Ping succeeds")
	}
	if err := v.Reload(ctx); err == nil {
		t.Error("Reload succeeds")
	}
	// Ids that need no database still have codes.
	if _, err := v.CodeFor(ctx, "sepsis", "p-1"); err != nil {
		t.Error(err)
	}
	v.Close()
	if _, held := v.Held("epic", "anybody"); !held {
		t.Error("a closed vault holds nobody")
	}
}
