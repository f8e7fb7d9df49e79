package vault

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/seal"
)

func TestHoldIsSeenAtOnceAndEnds(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	want := func(kind Kind, held bool) {
		t.Helper()
		if k, h := v.Held("epic", "p-1"); k != kind || h != held {
			t.Errorf("Held = %q, %v; want %q, %v", k, h, kind, held)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want("", false)
	must(v.SetHold(ctx, "epic", "p-1", OptOut, "act-1"))
	want(OptOut, true)
	before, generation := v.Holds(), v.Generation()
	must(v.SetHold(ctx, "epic", "p-1", Restriction, "act-2"))
	must(v.SetHold(ctx, "epic", "p-1", Restriction, "act-3")) // again
	want(Restriction, true)
	if v.Generation() != generation+2 {
		t.Errorf("generation %d after two changes of %d", v.Generation(), generation)
	}
	if ref, ok, err := v.Ref(ctx, "epic", "p-1", Restriction); ref != "act-3" || !ok || err != nil {
		t.Errorf("Ref = %q, %v, %v; want act-3", ref, ok, err)
	}
	if ref, ok, err := v.Ref(ctx, "epic", "p-2", Restriction); ok || err != nil {
		t.Errorf("Ref of nobody = %q, %v, %v", ref, ok, err)
	}
	if _, held := v.Held("cerner", "p-1"); held {
		t.Error("the patient of another source is held")
	}
	if k, _ := before.Held(v.keys.Owner().PatientKey("epic", "p-1")); k != OptOut {
		t.Errorf("an old picture changed: %q", k)
	}
	must(v.Release(ctx, "epic", "p-1", Restriction))
	want(OptOut, true)
	must(v.Release(ctx, "epic", "p-1", OptOut))
	must(v.Release(ctx, "epic", "p-1", OptOut)) // again
	want("", false)
	w := f.open(t)
	if w.Holds().Len() != 0 {
		t.Errorf("%d holds after reopening, want none", w.Holds().Len())
	}
}

func TestHoldsAreChecked(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	for _, c := range []struct {
		source  id.Source
		patient string
		kind    Kind
		ref     string
	}{
		{"epic", "p", "", "act-1"},
		{"epic", "p", "whim", "act-1"},
		{"epic", "", OptOut, "act-1"},
		{"epic", "Patient/p", OptOut, "act-1"},
		{"", "p", OptOut, "act-1"},
		{"epic", "p", OptOut, ""},
		{"epic", "p", OptOut, "free text about a patient"},
	} {
		if err := v.SetHold(ctx, c.source, c.patient, c.kind, c.ref); problem.From(err).Kind != problem.Invalid {
			t.Errorf("SetHold(%q, %q, %q, %q) = %v, want Invalid", c.source, c.patient, c.kind, c.ref, err)
		}
	}
	if v.Holds().Len() != 0 {
		t.Error("a refused hold is there")
	}
}

func TestUnknownHoldsHoldEverybody(t *testing.T) {
	var none *Holds
	for _, h := range []*Holds{none, {}} {
		if _, held := h.Held(seal.PatientKey{1}); !held {
			t.Error("holds that were never read hold nobody")
		}
	}
}

// A caller that goes away does not leave a hold that is durable and unseen.
func TestHoldOfACallerThatWent(t *testing.T) {
	f := newFolder(t)
	v := f.open(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := v.SetHold(ctx, "epic", "p-1", OptOut, "act-1"); err != nil {
		t.Fatal(err)
	}
	if _, held := v.Held("epic", "p-1"); !held {
		t.Error("not held")
	}
}

func TestCohortNeverChanges(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	digest, err := v.PutCohort(ctx, "icu", []Member{member("epic", "b"), member("epic", "a"), member("epic", "b")})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(digest, "sha256:") || len(digest) != 71 {
		t.Errorf("digest %q", digest)
	}
	// The same members in another order are the same cohort.
	again, err := v.PutCohort(ctx, "icu", []Member{member("epic", "a"), member("epic", "b")})
	if err != nil || again != digest {
		t.Errorf("the same again: %q, %v; want %q", again, err, digest)
	}
	_, err = v.PutCohort(ctx, "icu", []Member{member("epic", "a")})
	if problem.From(err).Kind != problem.Conflict {
		t.Errorf("other members: %v, want a Conflict", err)
	}
	set, _ := v.Cohort("icu")
	if set.Len() != 2 || set.Digest() != digest {
		t.Errorf("the cohort changed: %d members", set.Len())
	}
	if s, ok := v.Cohort("unknown"); ok || s.Has(v.keys.Owner().PatientKey("epic", "a")) || s.Len() != 0 {
		t.Error("a cohort that is not there has members")
	}
	for _, members := range [][]Member{nil, {member("", "a")}, {member("epic", "")}, {member("epic", "Patient/1")}} {
		if _, err := v.PutCohort(ctx, "bad", members); problem.From(err).Kind != problem.Invalid {
			t.Errorf("%d bad members: %v, want Invalid", len(members), err)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v", member("epic", "SECRET"), member("epic", "SECRET"), member("epic", "SECRET")); strings.Contains(s, "SECRET") {
		t.Errorf("a member prints: %s", s)
	}
}

// More members than fit into one sealed part.
func TestLargeCohort(t *testing.T) {
	ctx, f := context.Background(), newFolder(t)
	v := f.open(t)
	members := make([]Member, 2*partKeys+1)
	for i := range members {
		members[i] = member("epic", fmt.Sprint(i))
	}
	digest, err := v.PutCohort(ctx, "all", members)
	if err != nil {
		t.Fatal(err)
	}
	w := f.open(t)
	set, ok := w.Cohort("all")
	if !ok || set.Digest() != digest || set.Len() != len(members) {
		t.Fatalf("after reopening: %d members, %v", set.Len(), ok)
	}
	for i := range members {
		if !set.Has(w.keys.Owner().PatientKey("epic", fmt.Sprint(i))) {
			t.Fatalf("member %d is gone", i)
		}
	}
	if set.Has(w.keys.Owner().PatientKey("epic", fmt.Sprint(len(members)))) {
		t.Error("a stranger belongs")
	}
	if _, err := w.db.Exec("DELETE FROM cohort_parts WHERE part = 1"); err != nil {
		t.Fatal(err)
	}
	keys, err := seal.Open(f.keys, seal.KeyFile(""))
	if err != nil {
		t.Fatal(err)
	}
	if x, err := Open(ctx, f.vault, keys); err == nil {
		x.Close()
		t.Error("a cohort without its middle opened")
	}
}

// Set is a map by other means, for any keys: crowded, few, or at the ends.
func TestSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Custom(func(t *rapid.T) (k seal.PatientKey) {
			k[0] = rapid.SampledFrom([]byte{0, 1, 0x7f, 0x80, 0xff}).Draw(t, "first")
			k[1] = rapid.Byte().Draw(t, "second")
			k[15] = rapid.SampledFrom([]byte{0, 1}).Draw(t, "last")
			return k
		})
		keys := rapid.SliceOfN(key, 1, 80).Draw(t, "keys")
		others := rapid.SliceOfN(key, 0, 40).Draw(t, "others")
		want := map[seal.PatientKey]bool{}
		for _, k := range keys {
			want[k] = true
		}
		s := newSet(append([]seal.PatientKey(nil), keys...))
		if s.Len() != len(want) {
			t.Fatalf("%d keys, want %d", s.Len(), len(want))
		}
		for _, k := range append(keys, others...) {
			if s.Has(k) != want[k] {
				t.Fatalf("Has(%x) = %v", k, s.Has(k))
			}
		}
	})
}

func keysOf(n ...int) []seal.PatientKey {
	keys := make([]seal.PatientKey, len(n))
	for i := range n {
		keys[i] = seal.PatientKey{byte(n[i]), byte(n[i] >> 8), byte(n[i] >> 16)}
	}
	return keys
}

func TestReserveAllOrNothing(t *testing.T) {
	var u Usage
	if _, err := u.Reserve("g", keysOf(1), math.MaxInt); problem.From(err).Kind != problem.Unavailable {
		t.Errorf("before the log was read: %v, want Unavailable", err)
	}
	u.Load("g", keysOf(1, 2, 2)...)
	u.Loaded()
	for _, c := range []struct {
		keys  []seal.PatientKey
		limit int
		added int
		err   error
		count int
	}{
		{keysOf(1, 2), 2, 0, nil, 2},
		{keysOf(1, 3), 2, 0, ErrLimit, 2},
		{keysOf(1, 3, 3), 3, 1, nil, 3},
		{keysOf(4, 5), 4, 0, ErrLimit, 3},
		{keysOf(4), 4, 1, nil, 4},
		{nil, 4, 0, nil, 4},
		{keysOf(9), 0, 0, ErrLimit, 4},
	} {
		added, err := u.Reserve("g", c.keys, c.limit)
		if added != c.added || err != c.err || u.Count("g") != c.count {
			t.Errorf("Reserve(%d keys, %d) = %d, %v, then Count %d; want %d, %v, %d", len(c.keys), c.limit, added, err, u.Count("g"), c.added, c.err, c.count)
		}
	}
	if got := u.New("g", keysOf(1, 7, 7, 8)); got != 2 {
		t.Errorf("New = %d, want 2", got)
	}
	if got := u.New("other", keysOf(1, 1)); got != 1 || u.Count("other") != 0 {
		t.Errorf("New of another grant = %d, want 1", got)
	}
}

// A large page counts as a small one does.
func TestNewIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var u Usage
		had := rapid.SliceOfN(rapid.IntRange(0, 60), 0, 40).Draw(t, "had")
		u.Load("g", keysOf(had...)...)
		asked := rapid.SliceOfN(rapid.IntRange(0, 60), 0, 40).Draw(t, "asked")
		want := map[int]bool{}
		for _, n := range asked {
			want[n] = true
		}
		for _, n := range had {
			delete(want, n)
		}
		if got := u.New("g", keysOf(asked...)); got != len(want) {
			t.Fatalf("New = %d, want %d", got, len(want))
		}
	})
}

func TestLimitHoldsUnderConcurrency(t *testing.T) {
	var u Usage
	u.Loaded()
	const limit = 100
	var granted atomic.Int64
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for n := range 50 {
				added, err := u.Reserve("g", keysOf(w*50+n, w*50+n+1), limit)
				if err == nil {
					granted.Add(int64(added))
				}
			}
		})
	}
	wg.Wait()
	if got := u.Count("g"); got > limit || int64(got) != granted.Load() || got < limit-1 {
		t.Errorf("%d patients, %d granted; the limit is %d", got, granted.Load(), limit)
	}
}

func BenchmarkHeld(b *testing.B) {
	ctx, f := context.Background(), newFolder(b)
	v := f.open(b)
	for n := range 100 {
		if err := v.SetHold(ctx, "epic", fmt.Sprint(n), OptOut, "act-1"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		v.Held("epic", "0f9b4e1c-6f6c-4b0e-9d34-8a1f7d3c2b10")
	}
}

func BenchmarkHoldsHeldByKey(b *testing.B) {
	h := &Holds{map[seal.PatientKey]kinds{}}
	for n := range 100_000 {
		h.patients[keysOf(n)[0]] = 1
	}
	k := keysOf(5)[0]
	b.ReportAllocs()
	for b.Loop() {
		h.Held(k)
	}
}

func BenchmarkSetHas(b *testing.B) {
	f := newFolder(b)
	v := f.open(b)
	keys := make([]seal.PatientKey, 1_000_000)
	for i := range keys {
		keys[i] = v.keys.Owner().PatientKey("epic", fmt.Sprint(i))
	}
	some := append([]seal.PatientKey(nil), keys[:1024]...)
	s := newSet(keys)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if !s.Has(some[n&1023]) {
			b.Fatal("gone")
		}
		n++
	}
	b.ReportMetric(float64(16*cap(s.keys)+4*cap(s.starts))/float64(s.Len()), "bytes/patient")
}

func BenchmarkReserve(b *testing.B) {
	var u Usage
	u.Loaded()
	keys := keysOf(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Reserve("g", keys, 10); err != nil {
			b.Fatal(err)
		}
	}
}
