package seal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestTokenOpensForItsHolderOnly(t *testing.T) {
	k, dir := newKeyring(t)
	token, err := k.Tokens().Seal([]byte("page=2"), noon.Add(time.Hour), "app-1", "sepsis", "dec-1")
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(token, "+/=&?") {
		t.Errorf("token %q is not fit for a URL", token)
	}
	// Another node with the same keyring opens it.
	got, err := reopen(t, dir, KeyFile("")).Tokens().Open(token, noon, "app-1", "sepsis", "dec-1")
	if err != nil || string(got) != "page=2" {
		t.Fatalf("Open = %q, %v", got, err)
	}
	other, _ := newKeyring(t)
	for _, c := range []struct {
		name   string
		tokens *Tokens
		token  string
		now    time.Time
		bound  []string
	}{
		{"another caller", k.Tokens(), token, noon, []string{"app-2", "sepsis", "dec-1"}},
		{"the parts cut otherwise", k.Tokens(), token, noon, []string{"app-1sepsis", "", "dec-1"}},
		{"a part fewer", k.Tokens(), token, noon, []string{"app-1", "sepsis"}},
		{"nobody", k.Tokens(), token, noon, nil},
		{"at its end", k.Tokens(), token, noon.Add(time.Hour), []string{"app-1", "sepsis", "dec-1"}},
		{"another keyring", other.Tokens(), token, noon, []string{"app-1", "sepsis", "dec-1"}},
		{"empty", k.Tokens(), "", noon, []string{"app-1", "sepsis", "dec-1"}},
		{"very long", k.Tokens(), strings.Repeat("A", 1<<20), noon, nil},
		{"a line break inside", k.Tokens(), token[:10] + "\n" + token[10:], noon, []string{"app-1", "sepsis", "dec-1"}},
		{"changed", k.Tokens(), token[:20] + "____" + token[24:], noon, []string{"app-1", "sepsis", "dec-1"}},
		{"cut", k.Tokens(), token[:len(token)-4], noon, []string{"app-1", "sepsis", "dec-1"}},
	} {
		if got, err := c.tokens.Open(c.token, c.now, c.bound...); err != errToken || got != nil {
			t.Errorf("%s: Open = %q, %v; want the one refusal", c.name, got, err)
		}
	}
}

func TestTokenCarriesAnyState(t *testing.T) {
	k, _ := newKeyring(t)
	rapid.Check(t, func(t *rapid.T) {
		state := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "state")
		token, err := k.Tokens().Seal(state, noon.Add(1), "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Tokens().Open(token, noon, "x"); err == nil {
			// Under a millisecond is no time at all.
			t.Fatal("a token of one nanosecond opened")
		}
		if token, err = k.Tokens().Seal(state, noon.Add(time.Second), "x"); err != nil {
			t.Fatal(err)
		}
		got, err := k.Tokens().Open(token, noon, "x")
		if err != nil || !bytes.Equal(got, state) {
			t.Fatalf("Open = %x, %v; want %x", got, err, state)
		}
	})
	if _, err := k.Tokens().Seal(make([]byte, maxToken), noon, "x"); err == nil {
		t.Error("a state of 8 KiB fits in a link")
	}
}

// Only what was sealed opens, in one spelling only.
func FuzzTokenOpen(f *testing.F) {
	k, _ := newKeyring(f)
	good := map[string]bool{}
	for _, state := range []string{"", "page=2", strings.Repeat("x", 100)} {
		token, err := k.Tokens().Seal([]byte(state), noon.Add(time.Hour), "app")
		if err != nil {
			f.Fatal(err)
		}
		good[token] = true
		f.Add(token)
		f.Add(token + "\n")
	}
	f.Fuzz(func(t *testing.T, token string) {
		if state, err := k.Tokens().Open(token, noon, "app"); err == nil && !good[token] {
			t.Errorf("%q opens: %q", token, state)
		}
	})
}

func BenchmarkTokenSeal(b *testing.B) {
	k, _ := newKeyring(b)
	state := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Tokens().Seal(state, noon, "app-1", "sepsis", "dec-1"); err != nil {
			b.Fatal(err)
		}
	}
}
