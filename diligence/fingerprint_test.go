package diligence_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// report is a text of n invented words.
func report(r *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		w := make([]byte, 3+r.IntN(6))
		for k := range w {
			w[k] = byte('a' + r.IntN(26))
		}
		out[i] = string(w)
	}
	return out
}

func TestReportsThatShareTheirTextAreAlike(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	boilerplate := report(r, 4000)
	for _, x := range []struct {
		own  int // words of each vendor's own beside the boilerplate
		want float64
	}{{0, 1}, {400, 4000.0 / 4800}, {4000, 4000.0 / 12000}} {
		a := strings.Join(append(slices.Clone(boilerplate), report(r, x.own)...), " ")
		b := strings.Join(append(slices.Clone(boilerplate), report(r, x.own)...), " ")
		if got := diligence.Alike(diligence.Fingerprint(a), diligence.Fingerprint(b)); math.Abs(got-x.want) > 0.13 {
			t.Errorf("%d words of their own: alike %.2f, want about %.2f", x.own, got, x.want)
		}
	}
	if got := diligence.Alike(diligence.Fingerprint(strings.Join(boilerplate, " ")), diligence.Fingerprint(strings.Join(report(r, 4000), " "))); got > 0.1 {
		t.Errorf("two texts with nothing in common are alike: %.2f", got)
	}
	// Names of months, numbers, case and lines do not hide it.
	text := strings.Join(boilerplate, " ")
	dressed := strings.ToUpper(strings.ReplaceAll(text, " ", "\n 42, "))
	if got := diligence.Alike(diligence.Fingerprint(text), diligence.Fingerprint(dressed)); got != 1 {
		t.Errorf("dressed up: alike %.2f, want 1", got)
	}
	for _, short := range []string{"", "a report", strings.Repeat("1 2 3 ", 500)} {
		if diligence.Fingerprint(short) != nil {
			t.Errorf("%.20q has a fingerprint", short)
		}
	}
	if diligence.Alike(nil, nil) != 0 {
		t.Error("two that have none are alike")
	}
}

func TestPairsAreOfDifferentVendorsAndOneType(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	same, other := diligence.Fingerprint(strings.Join(report(r, 1000), " ")), diligence.Fingerprint(strings.Join(report(r, 1000), " "))
	cert := func(key, vendor, typ string, print []uint32, edit func(*snapshot.Certification)) *snapshot.Certification {
		c := good(typ)
		c.ID, c.Vendor, c.Fingerprint = id.Certification(key), id.Vendor(vendor), print
		if edit != nil {
			edit(c)
		}
		return c
	}
	v := world(
		cert("a1", "a", "SOC2_T2", same, nil), cert("a2", "a", "SOC2_T2", same, nil), // its own, of two years
		cert("b1", "b", "SOC2_T2", same, nil),
		cert("c1", "c", "SOC2_T1", same, nil), // another type
		cert("d1", "d", "SOC2_T2", other, nil),
		cert("e1", "e", "SOC2_T2", same, func(c *snapshot.Certification) { c.RevokedAt = day("2026-01-01") }),
		cert("f1", "f", "SOC2_T2", nil, func(c *snapshot.Certification) { c.Document = strings.Repeat("a", 64) }),
		cert("g1", "g", "SOC2_T2", other, func(c *snapshot.Certification) { c.Document = strings.Repeat("a", 64) }),
	)
	var got []string
	for _, p := range diligence.AlikeCertifications(v, diligence.Suspicious) {
		got = append(got, fmt.Sprintf("%s-%s %.1f %v", p.A, p.B, p.Alike, p.SameDocument))
	}
	want := []string{"a1-b1 1.0 false", "a2-b1 1.0 false", "d1-g1 1.0 false", "f1-g1 1.0 true"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func FuzzFingerprint(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("lorem ipsum dolor sit amet consectetur ", 20))
	f.Add(strings.Repeat("\xff\xfe ärger ñ ", 40))
	f.Fuzz(func(t *testing.T, text string) {
		p := diligence.Fingerprint(text)
		if p != nil && (len(p) != diligence.FingerprintSize || diligence.Alike(p, p) != 1) {
			t.Errorf("a fingerprint of %d numbers, %.2f alike to itself", len(p), diligence.Alike(p, p))
		}
	})
}

func BenchmarkFingerprint(b *testing.B) {
	text := strings.Join(report(rand.New(rand.NewPCG(5, 6)), 40_000), " ") // a report of some 100 pages
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		diligence.Fingerprint(text)
	}
}

func BenchmarkJudge(b *testing.B) {
	c, v, now := good("SOC2_T2"), world(), day("2026-06-15")
	for b.Loop() {
		if !diligence.Judge(c, v, now).Counts {
			b.Fatal("it does not count")
		}
	}
}
