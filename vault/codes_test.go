package vault

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

func TestEveryIDHasOneCode(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.StringMatching(`[A-Za-z0-9\-.]{3,64}`).Draw(t, "id")
		code, err := v.CodeFor(ctx, "sepsis", want)
		if err != nil {
			t.Fatal(err)
		}
		if !seal.IsID(code) || IsCode(code) == seal.IsCode(code) || IsCode(code) != (len(want) > seal.MaxCodeID) {
			t.Fatalf("code %q of %q", code, want)
		}
		if again, err := v.CodeFor(ctx, "sepsis", want); err != nil || again != code {
			t.Fatalf("second code %q, %v; want %q", again, err, code)
		}
		if got, ok, err := v.Reveal(ctx, "sepsis", code); err != nil || !ok || got != want {
			t.Fatalf("Reveal = %q, %v, %v; want %q", got, ok, err, want)
		}
		if got, ok, err := v.Reveal(ctx, "stroke", code); err != nil || ok {
			t.Fatalf("another engagement reveals %q, %v", got, err)
		}
	})
}

// Many ids in one transaction, with doubles, short ones and known ones.
func TestCodesOfAPage(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	known := codeFor(t, v, "sepsis", long(3))
	ids := []string{long(1), "short", long(3), long(1), long(2)}
	codes, err := f.open(t).Codes(ctx, "sepsis", ids)
	if err != nil {
		t.Fatal(err)
	}
	if codes[0] != codes[3] || codes[0] == codes[4] || codes[2] != known || !seal.IsCode(codes[1]) {
		t.Errorf("codes %v for %v", codes, ids)
	}
	for i, code := range codes {
		if got, ok, err := v.Reveal(ctx, "sepsis", code); err != nil || !ok || got != ids[i] {
			t.Errorf("%s reveals %q, %v, %v; want %s", code, got, ok, err, ids[i])
		}
	}
}

func TestWhatIsNoIDHasNoCode(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	for _, bad := range []string{"", ".", "..", "a/b", "SECRET name", strings.Repeat("x", 65), strings.Repeat("_", 50)} {
		code, err := v.CodeFor(ctx, "sepsis", bad)
		if err == nil {
			t.Errorf("%q has code %q", bad, code)
		} else if strings.Contains(fmt.Sprintf("%v %+v", err, problem.From(err)), "SECRET") {
			t.Errorf("the error quotes the id: %v", err)
		}
	}
	// One bad id in a page: no code at all.
	if codes, err := v.Codes(ctx, "sepsis", []string{long(1), "a/b"}); err == nil {
		t.Errorf("got %v", codes)
	}
	if _, err := v.CodeFor(ctx, id.Engagement("../x"), long(1)); err == nil {
		t.Error("an engagement that is none got a code")
	}
}

func TestWhatIsNoCodeRevealsNothing(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	code := codeFor(t, v, "sepsis", long(1))
	for _, bad := range []string{"", "p-1", long(1), newCode(), strings.ToUpper(code), code + "a", code[:32], "s" + strings.Repeat("A", 63), code[:32] + "'"} {
		if got, ok, err := v.Reveal(ctx, "sepsis", bad); ok || err != nil {
			t.Errorf("%q reveals %q, %v, %v", bad, got, ok, err)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	for n := range 3 * cacheHalf {
		c.put("sepsis", long(n), fmt.Sprint("v", n))
		if size := len(c.young.codes) + len(c.old.codes); size > 2*cacheHalf {
			t.Fatalf("%d codes are kept", size)
		}
	}
	last := 3*cacheHalf - 1
	if got, ok := c.code("sepsis", long(last)); !ok || got != fmt.Sprint("v", last) {
		t.Errorf("the newest code is gone: %q, %v", got, ok)
	}
	if got, ok := c.id("sepsis", fmt.Sprint("v", last-cacheHalf+1)); !ok || got != long(last-cacheHalf+1) {
		t.Errorf("half of the newest are gone: %q, %v", got, ok)
	}
	if _, ok := c.code("stroke", long(last)); ok {
		t.Error("one engagement's code is another's")
	}
}

func BenchmarkCodeForLongCached(b *testing.B) {
	ctx, f := context.Background(), newFolder(b)
	v := f.open(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.CodeFor(ctx, "sepsis", long(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCodesNew100(b *testing.B) {
	ctx, f := context.Background(), newFolder(b)
	v := f.open(b)
	n := 0
	for b.Loop() {
		ids := make([]string, 100)
		for i := range ids {
			ids[i] = long(n)
			n++
		}
		if _, err := v.Codes(ctx, "sepsis", ids); err != nil {
			b.Fatal(err)
		}
	}
}
