package vault

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/id"
)

func assign(t *testing.T, v *Vault, e id.Engagement) *Assigned {
	t.Helper()
	a, err := v.Assign(e)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func assigned(t *testing.T, a *Assigned, resourceID string) string {
	t.Helper()
	code, err := a.Code(context.Background(), resourceID)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// Assigned codes are random: another vault gives the same ids other ones. They
// are the same for the same id, for everybody, before and after a restart, and
// lead back.
func TestAssigned(t *testing.T) {
	ctx := context.Background()
	const engagement id.Engagement = "triage"
	ids := []string{"1", "patient-0123456789", "a.b-c"}
	seen := map[string]bool{}
	for range 2 {
		f := newFolder(t)
		v := f.open(t)
		a := assign(t, v, engagement)
		b := assign(t, v, engagement)
		codes := map[string]string{}
		for _, resourceID := range ids {
			code := assigned(t, a, resourceID)
			if !IsCode(code) || seen[code] {
				t.Fatalf("%q is no new code of the vault", code)
			}
			seen[code], codes[resourceID] = true, code
			if again := assigned(t, b, resourceID); again != code {
				t.Errorf("two at once: got %q and %q", code, again)
			}
			if _, ok, err := v.Reveal(ctx, engagement, code); ok || err != nil {
				t.Errorf("a code that is not settled leads back (%v): nobody can have it yet", err)
			}
		}
		for _, x := range []*Assigned{b, a, a} {
			if err := x.Settle(ctx); err != nil {
				t.Fatal(err)
			}
		}
		v.Close()
		v = f.open(t)
		a = assign(t, v, engagement)
		for resourceID, code := range codes {
			if got := assigned(t, a, resourceID); got != code {
				t.Errorf("after a restart: got %q, want %q", got, code)
			}
			if got, ok, err := v.Reveal(ctx, engagement, code); got != resourceID || !ok || err != nil {
				t.Errorf("%q leads to %q, %t, %v", code, got, ok, err)
			}
			if _, ok, _ := v.Reveal(ctx, "another", code); ok {
				t.Error("a code leads back in another engagement")
			}
		}
		if _, err := a.Code(ctx, "no id"); err == nil {
			t.Error("what is no id has a code")
		}
	}
}

// Two processes may give one id two codes at the same moment. Only one of them
// becomes durable, and the other's release must not leave.
func TestAssignedInTwoProcesses(t *testing.T) {
	ctx := context.Background()
	f := newFolder(t)
	one, two := f.open(t), f.open(t)
	a, b := assign(t, one, "e"), assign(t, two, "e")
	first, second := assigned(t, a, "x"), assigned(t, b, "x")
	if first == second {
		t.Fatal("two processes made the same random code")
	}
	if err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.Settle(ctx); err == nil {
		t.Error("both codes became durable")
	}
	if got := assigned(t, b, "x"); got != first {
		t.Errorf("the next try: got %q, want %q", got, first)
	}
	if err := b.Settle(ctx); err != nil {
		t.Error(err)
	}
}

func TestAssignedAtOnce(t *testing.T) {
	ctx := context.Background()
	v := newFolder(t).open(t)
	var wg sync.WaitGroup
	codes := make([][]string, 8)
	for w := range codes {
		wg.Go(func() {
			a, err := v.Assign("e")
			if err != nil {
				t.Error(err)
				return
			}
			for n := range 60 {
				code, err := a.Code(ctx, fmt.Sprint(n))
				if err != nil {
					t.Error(err)
					return
				}
				codes[w] = append(codes[w], code)
				if n%7 == w%7 {
					if err := a.Settle(ctx); err != nil {
						codes[w] = nil // its release is not made
						return
					}
				}
			}
			if err := a.Settle(ctx); err != nil {
				codes[w] = nil
			}
		})
	}
	wg.Wait()
	for w := range codes {
		for n, code := range codes[w] {
			if got, ok, err := v.Reveal(ctx, "e", code); got != fmt.Sprint(n) || !ok || err != nil {
				t.Errorf("a settled code leads to %q, %t, %v, want %d", got, ok, err, n)
			}
		}
	}
}

// A code that comes too late, for an id that has one by now, fails one release
// at most and is then forgotten.
func TestAssignedTooLate(t *testing.T) {
	ctx := context.Background()
	v := newFolder(t).open(t)
	a, b := assign(t, v, "e"), assign(t, v, "e")
	want := assigned(t, a, "x")
	if err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	b.fresh["x"] = v.pending.give(cacheKey{"e", "x"}, newCode)
	if err := b.Settle(ctx); err == nil {
		t.Fatal("an id has two codes")
	}
	v.cache = cache{} // as if much came between
	if got := assigned(t, b, "x"); got != want {
		t.Errorf("the next try: got %q, want %q", got, want)
	}
	if err := b.Settle(ctx); err != nil {
		t.Error(err)
	}
}

// Whoever asks while a neighbour settles gets the neighbour's code.
func TestAssignedWhileSettling(t *testing.T) {
	ctx := context.Background()
	v := newFolder(t).open(t)
	for n := range 300 {
		a, b := assign(t, v, "e"), assign(t, v, "e")
		resourceID := fmt.Sprint(n)
		want := assigned(t, a, resourceID)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := a.Settle(ctx); err != nil {
				t.Error(err)
			}
		})
		got, err := b.Code(ctx, resourceID)
		wg.Wait()
		if err != nil || got != want {
			t.Fatalf("got %q, want %q, %v", got, want, err)
		}
		if err := b.Settle(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// The codes of one release are settled while those of the next are given, and
// none is forgotten.
func TestAssignedGivenWhileSettling(t *testing.T) {
	ctx := context.Background()
	v := newFolder(t).open(t)
	a := assign(t, v, "e")
	codes := map[string]string{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 2000 {
			code, err := a.Code(ctx, fmt.Sprint(n))
			if err != nil {
				t.Error(err)
				return
			}
			codes[fmt.Sprint(n)] = code
		}
	})
	for range 20 {
		if err := a.Settle(ctx); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if err := a.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	v.cache = cache{}
	for resourceID, code := range codes {
		if got, ok, err := v.Reveal(ctx, "e", code); got != resourceID || !ok || err != nil {
			t.Fatalf("%q leads to %q, %t, %v", code, got, ok, err)
		}
	}
}
