package seal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// quick is a passphrase root that is cheap enough for tests.
func quick(phrase string) Root {
	return passphrase{phrase: func() string { return phrase }, iterations: minIterations}
}

const phrase = "correct horse battery staple"

// newKeyring makes and opens a keyring in a directory of its own.
func newKeyring(t testing.TB) (*Keyring, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := Create(dir, KeyFile("")); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir, KeyFile("")), dir
}

func reopen(t testing.TB, dir string, root Root) *Keyring {
	t.Helper()
	k, err := Open(dir, root)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func engagement(t testing.TB, k *Keyring, e id.Engagement) *EngagementKey {
	t.Helper()
	key, err := k.Engagement(e)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyringSurvivesReopening(t *testing.T) {
	for name, root := range map[string]Root{"key file": KeyFile(""), "passphrase": quick(phrase)} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			if err := Create(dir, root); err != nil {
				t.Fatal(err)
			}
			a := reopen(t, dir, root)
			code, ok := engagement(t, a, "sepsis").Code("p-1")
			if !ok {
				t.Fatal("no code")
			}
			patient := a.Owner().Patient("epic", "p-1")
			box, err := a.Documents().Seal([]byte("agreement"), []byte("doc/1"))
			if err != nil {
				t.Fatal(err)
			}

			b := reopen(t, dir, root)
			if got, ok := engagement(t, b, "sepsis").Reveal(code); !ok || got != "p-1" {
				t.Errorf("Reveal after reopening = %q, %v; want p-1", got, ok)
			}
			if got := b.Owner().Patient("epic", "p-1"); got != patient {
				t.Errorf("Patient after reopening = %s, want %s", got, patient)
			}
			if got, err := b.Documents().Open(box, []byte("doc/1")); err != nil || string(got) != "agreement" {
				t.Errorf("Open after reopening = %q, %v", got, err)
			}
			if _, err := b.Documents().Open(box, []byte("doc/2")); err == nil {
				t.Error("a document opened in another's place")
			}
		})
	}
}

func TestKeyringIsNeverReplaced(t *testing.T) {
	_, dir := newKeyring(t)
	before, _ := os.ReadFile(filepath.Join(dir, keyringFile))
	err := Create(dir, KeyFile(""))
	if p := problem.From(err); p.Kind != problem.Conflict {
		t.Errorf("second Create: %v, want a Conflict", err)
	}
	after, _ := os.ReadFile(filepath.Join(dir, keyringFile))
	if string(before) != string(after) {
		t.Error("second Create changed the keyring")
	}
}

// Two that create at once: one keyring, which opens.
func TestCreateRace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() { errs[i] = Create(dir, KeyFile("")) })
	}
	wg.Wait()
	made := 0
	for _, err := range errs {
		switch {
		case err == nil:
			made++
		case problem.From(err).Kind != problem.Conflict:
			t.Errorf("Create: %v", err)
		}
	}
	if made != 1 {
		t.Errorf("%d keyrings were made, want 1", made)
	}
	reopen(t, dir, KeyFile(""))
}

// A Create that was killed before its last step is resumed by the next.
func TestCreateAfterKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := Create(dir, KeyFile("")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, keyringFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, KeyFile("")); err == nil {
		t.Fatal("half a keyring opened")
	}
	if err := Create(dir, KeyFile("")); err != nil {
		t.Fatal(err)
	}
	reopen(t, dir, KeyFile(""))
}

func TestWrongRootIsRefused(t *testing.T) {
	_, dir := newKeyring(t)
	other := filepath.Join(t.TempDir(), "other")
	if err := Create(other, KeyFile("")); err != nil {
		t.Fatal(err)
	}
	locked := filepath.Join(t.TempDir(), "locked")
	if err := Create(locked, quick(phrase)); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty.key")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dir string
		root      Root
		want      string
	}{
		{"another key file", dir, KeyFile(filepath.Join(other, rootFile)), "not the root"},
		{"a passphrase for a key file", dir, quick(phrase), "key file"},
		{"a key file for a passphrase", locked, KeyFile(""), "passphrase"},
		{"the wrong passphrase", locked, quick(phrase + "."), "not the root"},
		{"no key file", dir, KeyFile(filepath.Join(other, "none")), "does not exist"},
		{"an empty key file", dir, KeyFile(empty), "not a root key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(c.dir, c.root)
			if err == nil {
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
			if problem.From(err).NextStep == "" {
				t.Errorf("error %q has no next step", err)
			}
		})
	}
	err := Create(filepath.Join(t.TempDir(), "short"), Passphrase("only-13-bytes"))
	if err == nil || problem.From(err).Kind != problem.Invalid {
		t.Errorf("a passphrase of 13 bytes: %v, want Invalid", err)
	}
}

func TestFilesOthersCanReadAreRefused(t *testing.T) {
	k, dir := newKeyring(t)
	engagement(t, k, "sepsis")
	for _, name := range []string{rootFile, keyringFile, "engagements/sepsis.json", "engagements", "."} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s was made with mode %o", name, info.Mode().Perm())
		}
		if err := os.Chmod(path, info.Mode().Perm()|0o040); err != nil {
			t.Fatal(err)
		}
		k, err := Open(dir, KeyFile(""))
		if err == nil {
			_, err = k.Engagement("sepsis")
		}
		if err == nil {
			t.Errorf("%s is readable by the group, and was accepted", name)
		} else if next := problem.From(err).NextStep; !strings.Contains(next, "chmod") || !strings.Contains(next, filepath.Clean(path)) {
			t.Errorf("%s: next step %q does not say what to do", name, next)
		}
		if err := os.Chmod(path, info.Mode().Perm()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSwappedEngagementFilesDoNotOpen(t *testing.T) {
	k, dir := newKeyring(t)
	engagement(t, k, "sepsis")
	engagement(t, k, "stroke")
	a := filepath.Join(dir, engagementsDir, "sepsis.json")
	b := filepath.Join(dir, engagementsDir, "stroke.json")
	ca, _ := os.ReadFile(a)
	cb, _ := os.ReadFile(b)
	for _, c := range []struct {
		name    string
		content string
	}{
		{"another's file", string(cb)},
		{"another's file under this name", strings.Replace(string(cb), "stroke", "sepsis", 1)},
		{"empty", ""},
		{"half a file", string(ca[:len(ca)/2])},
		{"one bit of a key", strings.Replace(string(ca), `"data": "`, `"data": "A`, 1)},
		{"a second document", string(ca) + "{}"},
		{"an unknown member", strings.Replace(string(ca), `"version"`, `"x": 1, "version"`, 1)},
	} {
		if err := os.WriteFile(a, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := reopen(t, dir, KeyFile("")).Engagement("sepsis"); err == nil {
			t.Errorf("%s opened", c.name)
		}
	}
	if err := os.WriteFile(a, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	engagement(t, reopen(t, dir, KeyFile("")), "sepsis")
}

func TestEngagementIDsAreChecked(t *testing.T) {
	k, _ := newKeyring(t)
	for _, e := range []id.Engagement{"", "..", ".", "../keyring", "a/b", "a\x00b", id.Engagement(strings.Repeat("a", 65))} {
		if _, err := k.Engagement(e); err == nil {
			t.Errorf("engagement %q got a key", e)
		}
	}
}

// Many keyrings on one directory, all at once, agree on every key.
func TestEngagementRace(t *testing.T) {
	_, dir := newKeyring(t)
	const openers, engagements = 6, 8
	var codes [openers][engagements]string
	var wg sync.WaitGroup
	for o := range openers {
		k := reopen(t, dir, KeyFile(""))
		for e := range engagements {
			wg.Go(func() {
				key, err := k.Engagement(id.Engagement(fmt.Sprint("e", e)))
				if err != nil {
					t.Error(err)
					return
				}
				codes[o][e], _ = key.Code("p")
			})
		}
	}
	wg.Wait()
	for o := range openers {
		if codes[o] != codes[0] {
			t.Errorf("opener %d has other codes than opener 0", o)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, engagementsDir, ".new-*"))
	if len(left) > 0 {
		t.Errorf("temporary files were left: %v", left)
	}
}

// The same with processes.
func TestEngagementRaceBetweenProcesses(t *testing.T) {
	if dir := os.Getenv("SEAL_TEST_DIR"); dir != "" {
		for e := range 5 {
			code, _ := engagement(t, reopen(t, dir, KeyFile("")), id.Engagement(fmt.Sprint("e", e))).Code("p")
			fmt.Println("CODE", code)
		}
		return
	}
	_, dir := newKeyring(t)
	outputs := make([]string, 3)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestEngagementRaceBetweenProcesses$")
			cmd.Env = append(os.Environ(), "SEAL_TEST_DIR="+dir)
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
	if strings.Count(outputs[0], "CODE s") != 5 {
		t.Fatalf("process 0 said %q", outputs[0])
	}
	for i, out := range outputs {
		if out != outputs[0] {
			t.Errorf("process %d has other codes than process 0", i)
		}
	}
}

func TestKeysDoNotPrint(t *testing.T) {
	k, dir := newKeyring(t)
	e := engagement(t, k, "sepsis")
	root, _ := os.ReadFile(filepath.Join(dir, rootFile))
	for _, v := range []any{k, e, k.Owner(), k.Documents(), k.Tokens(), e.Documents(), struct{ K *EngagementKey }{e}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			got := fmt.Sprintf(verb, v)
			if len(got) > 60 || strings.Contains(got, strings.TrimSpace(string(root))) {
				t.Errorf("%s of %T prints %q", verb, v, got)
			}
		}
	}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		if got := fmt.Sprintf(verb, Passphrase(phrase)); strings.Contains(got, "horse") {
			t.Errorf("%s prints the passphrase: %s", verb, got)
		}
	}
}

func TestKeysDoNotMarshal(t *testing.T) {
	k, _ := newKeyring(t)
	e := engagement(t, k, "sepsis")
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "keyring", k, "key", e, "owner", k.Owner())
	if got := strings.Count(b.String(), redacted); got != 3 {
		t.Errorf("the log says %s", &b)
	}
	for _, v := range []any{k, e, k.Owner(), k.Documents(), k.Tokens()} {
		if got, err := json.Marshal(v); err == nil {
			t.Errorf("%T is marshalled: %s", v, got)
		}
	}
}

// What one engagement sealed, another does not open; nor the same one elsewhere.
func TestSealedForOneEngagement(t *testing.T) {
	k, _ := newKeyring(t)
	a, b := engagement(t, k, "sepsis"), engagement(t, k, "stroke")
	if a.Engagement() != "sepsis" {
		t.Errorf("the key is of %q", a.Engagement())
	}
	box, err := a.Seal([]byte("row"), []byte("table/1"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Open(box, []byte("table/1")); err != nil || string(got) != "row" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if _, err := b.Open(box, []byte("table/1")); err == nil {
		t.Error("another engagement opened it")
	}
	if _, err := a.Open(box, []byte("table/2")); err == nil {
		t.Error("it opened in another place")
	}
	if _, err := k.Documents().Open(box, []byte("table/1")); err == nil {
		t.Error("the documents' key opened it")
	}
	index := a.Index("id", []byte("x"))
	if index != a.Index("id", []byte("x")) {
		t.Error("an index is not the same twice")
	}
	for name, other := range map[string][16]byte{
		"label": a.Index("code", []byte("x")), "value": a.Index("id", []byte("y")), "engagement": b.Index("id", []byte("x")),
	} {
		if other == index {
			t.Errorf("another %s has the same index", name)
		}
	}
}

// Nothing that is given out before its file is durable: the file is there when
// Engagement returns, and where it cannot be written there is no key.
func TestNoKeyWithoutFile(t *testing.T) {
	k, dir := newKeyring(t)
	if err := os.RemoveAll(filepath.Join(dir, engagementsDir)); err != nil {
		t.Fatal(err)
	}
	if key, err := k.Engagement("sepsis"); err == nil || key != nil {
		t.Errorf("Engagement = %v, %v; want no key where there is no directory for it", key, err)
	}
	if err := os.Mkdir(filepath.Join(dir, engagementsDir), 0o700); err != nil {
		t.Fatal(err)
	}
	engagement(t, k, "sepsis")
	if _, err := os.Stat(filepath.Join(dir, engagementsDir, "sepsis.json")); err != nil {
		t.Error(err)
	}
}

func TestZeroKeysDeny(t *testing.T) {
	var e *EngagementKey
	for _, e := range []*EngagementKey{e, {}} {
		if code, ok := e.Code("p"); ok {
			t.Errorf("a key that is none made code %q", code)
		}
		if _, ok := e.Reveal("s" + strings.Repeat("A", 63)); ok {
			t.Error("a key that is none revealed")
		}
	}
	if _, err := (&EngagementKey{}).Seal(nil, nil); !errors.Is(err, errNoKey) {
		t.Errorf("a key that is none sealed: %v", err)
	}
}

func TestLeftoversOfAKilledWriterAreRemoved(t *testing.T) {
	_, dir := newKeyring(t)
	old := filepath.Join(dir, engagementsDir, newPrefix+"1")
	young := filepath.Join(dir, engagementsDir, newPrefix+"2")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	reopen(t, dir, KeyFile(""))
	if _, err := os.Stat(old); err == nil {
		t.Error("the old leftover is still there")
	}
	if _, err := os.Stat(young); err != nil {
		t.Error("a file that may be in use was removed")
	}
}

func TestNoRoot(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := Create(dir, nil); err == nil {
		t.Error("made a keyring without a root")
	}
	if _, err := Open(dir, nil); err == nil {
		t.Error("opened a keyring without a root")
	}
}

// A process that is killed while it makes keys loses none that it has used.
func TestKill(t *testing.T) {
	if dir := os.Getenv("SEAL_TEST_DIR"); dir != "" {
		k := reopen(t, dir, KeyFile(""))
		for n := range 100_000 {
			e := id.Engagement(fmt.Sprint("r", os.Getenv("SEAL_TEST_ROUND"), "-", n))
			code, _ := engagement(t, k, e).Code("p-1")
			fmt.Println("DONE", e, code)
		}
		return
	}
	_, dir := newKeyring(t)
	used := map[id.Engagement]string{}
	const rounds = 3
	for round := range rounds {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
		cmd.Env = append(os.Environ(), "SEAL_TEST_DIR="+dir, fmt.Sprint("SEAL_TEST_ROUND=", round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			var e, code string
			if _, err := fmt.Sscanf(lines.Text(), "DONE %s %s", &e, &code); err != nil {
				continue
			}
			used[id.Engagement(e)] = code
			if n++; n == 3+5*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the process was not killed")
		}
		k := reopen(t, dir, KeyFile(""))
		for e, code := range used {
			if got, ok := engagement(t, k, e).Reveal(code); !ok || got != "p-1" {
				t.Errorf("round %d: the key of %s was lost", round, e)
			}
		}
	}
	if len(used) < 3*rounds {
		t.Fatalf("only %d keys were seen", len(used))
	}
}
