package seal

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// anID draws a FHIR id of a length between from and to.
func anID(from, to int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := rapid.IntRange(from, to).Draw(t, "length")
		b := make([]byte, n)
		for i := range b {
			b[i] = symbols[rapid.IntRange(0, 63).Draw(t, "symbol")]
		}
		return string(b)
	}).Filter(IsID)
}

func TestEveryIDToFortyOneHasACode(t *testing.T) {
	k, _ := newKeyring(t)
	a, b := engagement(t, k, "sepsis"), engagement(t, k, "stroke")
	rapid.Check(t, func(t *rapid.T) {
		want := anID(1, MaxCodeID).Draw(t, "id")
		code, ok := a.Code(want)
		if !ok {
			t.Fatalf("%q has no code", want)
		}
		if len(code) != 64 || !IsID(code) || !IsCode(code) {
			t.Fatalf("code %q of %q is not a FHIR id of 64 symbols", code, want)
		}
		if last := code[63]; last == '.' || last == '-' {
			t.Fatalf("code %q ends in %q", code, last)
		}
		if again, _ := a.Code(want); again != code {
			t.Fatalf("%q has two codes: %s, %s", want, code, again)
		}
		if got, ok := a.Reveal(code); !ok || got != want {
			t.Fatalf("Reveal(Code(%q)) = %q, %v", want, got, ok)
		}
		if got, ok := b.Reveal(code); ok {
			t.Fatalf("another engagement reveals %q", got)
		}
		if other, _ := b.Code(want); other == code {
			t.Fatalf("two engagements share the code of %q", want)
		}
	})
}

func TestTwoIDsNeverShareACode(t *testing.T) {
	k, _ := newKeyring(t)
	key := engagement(t, k, "sepsis")
	seen := map[string]string{}
	// Ids that a careless packing would confuse: prefixes, leading and
	// trailing zero symbols ('A' is zero), every length.
	for n := 1; n <= MaxCodeID; n++ {
		for _, s := range []string{"A", "B", ".", "-", "g", "9"} {
			for _, v := range []string{strings.Repeat(s, n), strings.Repeat("A", n-1) + s, s + strings.Repeat("A", n-1)} {
				code, ok := key.Code(v)
				if !ok && v != "." && v != ".." {
					t.Errorf("%q has no code", v)
				}
				if other, taken := seen[code]; ok && taken && other != v {
					t.Errorf("%q and %q share a code", v, other)
				}
				seen[code] = v
			}
		}
	}
}

func TestNoCode(t *testing.T) {
	k, _ := newKeyring(t)
	key := engagement(t, k, "sepsis")
	for _, v := range []string{
		"", ".", "..", "a/b", "a b", "a_b", "a%2f", "ä", "a\x00", "a\n",
		strings.Repeat("a", 42), strings.Repeat("a", 64), strings.Repeat("a", 65),
	} {
		if code, ok := key.Code(v); ok {
			t.Errorf("%q has code %q", v, code)
		}
	}
}

func TestChangedCodeRevealsNothing(t *testing.T) {
	k, _ := newKeyring(t)
	key := engagement(t, k, "sepsis")
	code, _ := key.Code("patient-1")
	for i := range code {
		for j := range len(symbols) {
			if symbols[j] == code[i] {
				continue
			}
			changed := code[:i] + symbols[j:j+1] + code[i+1:]
			if got, ok := key.Reveal(changed); ok {
				t.Fatalf("symbol %d changed to %q reveals %q", i, symbols[j], got)
			}
		}
	}
	for _, v := range []string{"", "patient-1", code[:63], code + "A", "\n" + code[1:], code[:40] + "\r\n" + code[42:], strings.ToUpper(code)} {
		if got, ok := key.Reveal(v); ok {
			t.Errorf("%q reveals %q", v, got)
		}
	}
}

// Whatever is revealed is the one id that has that code.
func FuzzReveal(f *testing.F) {
	k, _ := newKeyring(f)
	key := engagement(f, k, "sepsis")
	for _, v := range []string{"p", "patient-1", strings.Repeat("z", MaxCodeID)} {
		code, _ := key.Code(v)
		f.Add(code)
	}
	f.Add("")
	f.Add(strings.Repeat("s", 64))
	f.Add("s" + strings.Repeat("\n", 63))
	f.Fuzz(func(t *testing.T, code string) {
		got, ok := key.Reveal(code)
		if !ok {
			if got != "" {
				t.Errorf("Reveal refuses %q and gives %q", code, got)
			}
			return
		}
		if again, ok := key.Code(got); !ok || again != code {
			t.Errorf("Reveal(%q) = %q, whose code is %q", code, got, again)
		}
	})
}

// unpack accepts only what pack writes.
func FuzzUnpack(f *testing.F) {
	f.Add(make([]byte, codePacked))
	f.Add([]byte(strings.Repeat("\xff", codePacked)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != codePacked {
			return
		}
		v, ok := unpack((*[codePacked]byte)(b))
		if !ok {
			return
		}
		var again [codePacked]byte
		pack(&again, v)
		if string(again[:]) != string(b) {
			t.Errorf("%x unpacks to %q, which packs to %x", b, v, again)
		}
	})
}

func TestCodeAllocatesOnce(t *testing.T) {
	k, _ := newKeyring(t)
	key := engagement(t, k, "sepsis")
	code, _ := key.Code("0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10")
	if got := testing.AllocsPerRun(200, func() { key.Code("0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10") }); got > 1 && !raceEnabled {
		t.Errorf("Code allocates %v times, want the code alone", got)
	}
	if got := testing.AllocsPerRun(200, func() { key.Reveal(code) }); got > 1 && !raceEnabled {
		t.Errorf("Reveal allocates %v times, want the id alone", got)
	}
}

func BenchmarkCode(b *testing.B) {
	k, _ := newKeyring(b)
	key := engagement(b, k, "sepsis")
	b.ReportAllocs()
	for b.Loop() {
		key.Code("0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10")
	}
}

func BenchmarkReveal(b *testing.B) {
	k, _ := newKeyring(b)
	key := engagement(b, k, "sepsis")
	code, _ := key.Code("0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10")
	b.ReportAllocs()
	for b.Loop() {
		key.Reveal(code)
	}
}
