package seal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
)

func splitRoot(t testing.TB, k *Keyring, n, threshold int) []Share {
	t.Helper()
	shares, err := k.SplitRoot("Mercy\nValley", n, threshold, noon)
	if err != nil {
		t.Fatal(err)
	}
	return shares
}

// retype writes shares down and reads them from paper.
func retype(t testing.TB, shares ...Share) (out []Share) {
	t.Helper()
	for _, s := range shares {
		typed := strings.ReplaceAll(strings.ReplaceAll(s.Text(), "  ", " "), "\n", "\r\n \n")
		got, err := ParseShare([]byte(typed))
		if err != nil {
			t.Fatalf("%v\n%s", err, typed)
		}
		out = append(out, got)
	}
	return out
}

func TestRootComesBackFromAnyThreeOfFive(t *testing.T) {
	k, dir := newKeyring(t)
	code, _ := engagement(t, k, "sepsis").Code("p-1")
	shares := splitRoot(t, k, 5, 3)
	if shares[0].Organisation != "Mercy Valley" {
		t.Errorf("a name of two lines became %q", shares[0].Organisation)
	}
	for _, chosen := range [][]int{{0, 1, 2}, {4, 2, 0}, {1, 3, 4}, {0, 1, 2, 3, 4}} {
		if err := os.Remove(filepath.Join(dir, rootFile)); err != nil {
			t.Fatal(err)
		}
		var given []Share
		for _, i := range chosen {
			given = append(given, shares[i])
		}
		path, err := RestoreRoot(dir, "", retype(t, given...))
		if err != nil || path != filepath.Join(dir, rootFile) {
			t.Fatalf("shares %v: %s, %v", chosen, path, err)
		}
		if got, ok := engagement(t, reopen(t, dir, KeyFile("")), "sepsis").Reveal(code); !ok || got != "p-1" {
			t.Errorf("after restoring from %v the code does not open", chosen)
		}
	}
	// Once more changes nothing.
	if _, err := RestoreRoot(dir, "", retype(t, shares[:3]...)); err != nil {
		t.Errorf("restoring what is there: %v", err)
	}
}

// A keyring under a passphrase that everybody forgot is then under a key file.
func TestRootOfAPassphraseComesBackAsAFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := Create(dir, quick(phrase)); err != nil {
		t.Fatal(err)
	}
	k := reopen(t, dir, quick(phrase))
	patient := k.Owner().Patient("ehr", "p-1")
	shares := splitRoot(t, k, 3, 2)
	if _, err := RestoreRoot(dir, "", retype(t, shares[2], shares[0])); err != nil {
		t.Fatal(err)
	}
	if got := reopen(t, dir, KeyFile("")).Owner().Patient("ehr", "p-1"); got != patient {
		t.Error("the owner's key is another")
	}
	if _, err := Open(dir, quick(phrase)); err == nil {
		t.Error("the keyring says it is under the passphrase still")
	}
}

func TestSharesThatDoNotFitAreRefused(t *testing.T) {
	k, dir := newKeyring(t)
	shares, again := splitRoot(t, k, 5, 3), splitRoot(t, k, 5, 3)
	other, _ := newKeyring(t)
	foreign := splitRoot(t, other, 5, 3)
	forged := shares[1]
	forged.value = func() []byte { return bytes.Repeat([]byte{7}, 32) }
	before, err := os.ReadFile(filepath.Join(dir, rootFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, rootFile)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		shares []Share
		want   string
	}{
		{"none", nil, "there is none"},
		{"too few", shares[:2], "2 of the 3"},
		{"one twice", []Share{shares[0], shares[1], shares[0]}, "given twice"},
		{"of two splittings", []Share{shares[0], shares[1], again[2]}, "another splitting"},
		{"of two roots", []Share{shares[0], shares[1], foreign[2]}, "another root"},
		{"one forged with good check words", []Share{shares[0], forged, shares[2]}, "not the root that they name"},
		{"of another keyring", foreign[:3], "another root than the keyring"},
		{"empty", []Share{{}, {}, {}}, "empty"},
	} {
		_, err := RestoreRoot(dir, "", c.shares)
		if err == nil || !strings.Contains(err.Error(), c.want) || problem.From(err).NextStep == "" {
			t.Errorf("%s: %v, want %q and a next step", c.name, err, c.want)
		}
		if _, err := os.Stat(filepath.Join(dir, rootFile)); err == nil {
			t.Fatalf("%s: a root was written", c.name)
		}
	}
	// Another root that is there is not overwritten.
	if err := os.WriteFile(filepath.Join(dir, rootFile), keyLine(bytes.Repeat([]byte{1}, 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := RestoreRoot(dir, "", shares[:3]); err == nil || problem.From(err).Kind != problem.Conflict {
		t.Errorf("over another root: %v, want a conflict", err)
	}
	if err := os.WriteFile(filepath.Join(dir, rootFile), before, 0o600); err != nil {
		t.Fatal(err)
	}
	reopen(t, dir, KeyFile(""))
}

// Every letter that can be mistyped is noticed, and no error holds a word of the
// share.
func TestMistypedShares(t *testing.T) {
	k, _ := newKeyring(t)
	text := splitRoot(t, k, 3, 2)[0].Text()
	end := strings.Index(text, "Keep it apart")
	secret := strings.Fields(text[strings.Index(text, "words:"):strings.Index(text, "check:")])
	for at := range end {
		for _, c := range []byte{'a', 'b', '7', 'z', ' '} {
			if text[at] == c || text[at] == '\n' {
				continue
			}
			typed := text[:at] + string(c) + text[at+1:]
			got, err := ParseShare([]byte(typed))
			if err == nil && got.Text() != text {
				t.Fatalf("typed as %q: it reads as another share", typed[max(0, at-20):min(len(typed), at+20)])
			}
			if err != nil {
				for _, w := range secret {
					if w != "words:" && strings.Contains(fmt.Sprintf("%v %v", err, problem.From(err).Unwrap()), w) {
						t.Fatalf("the error quotes the share: %v", err)
					}
				}
			}
		}
	}
	for _, bad := range []string{"", "x", shareTitle, strings.Repeat(text, 2), text[:len(text)/2], strings.Repeat("a", maxShareText+1)} {
		if _, err := ParseShare([]byte(bad)); err == nil {
			t.Errorf("%.40q was read as a share", bad)
		}
	}
}

func TestSharesDoNotPrint(t *testing.T) {
	k, _ := newKeyring(t)
	s := splitRoot(t, k, 2, 2)[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, s); got != redacted {
			t.Errorf("%s prints %q", verb, got)
		}
	}
}

func TestProquintsOfTheirAuthor(t *testing.T) {
	// D. S. Wilkerson, "A Proposal for Proquints" (2009): addresses as words.
	for in, want := range map[string]string{
		"7f000001": "lusab babad", "3f54dcc1": "gutih tugad", "3f760723": "gutuk bisog", "8c62c18d": "mudof sakat",
	} {
		if got := strings.Join(words(unhex(t, in)), " "); got != want {
			t.Errorf("%s is %q, want %q", in, got, want)
		}
		back, err := unwords(strings.Fields(want))
		if err != nil || !bytes.Equal(back, unhex(t, in)) {
			t.Errorf("%q reads as %x, %v", want, back, err)
		}
	}
}

// What is read as a share says of itself what was read.
func FuzzParseShare(f *testing.F) {
	k, _ := newKeyring(f)
	for _, s := range splitRoot(f, k, 3, 2) {
		f.Add([]byte(s.Text()))
	}
	f.Add([]byte(shareTitle + "\nwords: babab"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseShare(text)
		if err != nil {
			return
		}
		again, err := ParseShare([]byte(s.Text()))
		if err != nil || again.Text() != s.Text() {
			t.Errorf("a share that was read does not read again: %v", err)
		}
	})
}
