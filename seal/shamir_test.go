package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// The whole multiplication table and all inverses, hashed. The hashes were made
// with another program (Python, tables of logarithms to the base 3).
func TestFieldOfAES(t *testing.T) {
	table, inverses := sha256.New(), sha256.New()
	for a := range 256 {
		inverses.Write([]byte{gfInv(byte(a))})
		for b := range 256 {
			table.Write([]byte{gfMul(byte(a), byte(b))})
		}
	}
	if got := hex.EncodeToString(table.Sum(nil)); got != "14a1e7e77ca8a30b5bb53e6310748ce0498eb9e04ab78a44dbefb6ebfac8a84b" {
		t.Errorf("products: %s", got)
	}
	if got := hex.EncodeToString(inverses.Sum(nil)); got != "a0b6126fef317bb998059c2fca3dddb40f2422e049866c3df87f1fde4e70a132" {
		t.Errorf("inverses: %s", got)
	}
	if gfMul(0x57, 0x83) != 0xc1 { // FIPS 197 section 4.2
		t.Error("the worked example of FIPS 197 does not hold")
	}
}

// Shares that another program made (Python, by powers and tables) of the secret
// 40..5f, with coefficients (17i+31k+5) mod 256 for byte i and power k.
func TestCombineVectors(t *testing.T) {
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(0x40 + i)
	}
	for _, c := range []map[byte]string{
		{
			1: "647404142c3cccdce4f48494bc4c5c6c641404342cdcccfce49484b45c4c7c6c",
			2: "082bceed94b7496a0b28cdeeb74f6a0938dbfe9da45c791a3bd8fd9e5c7f1a39",
		}, {
			2:   "1f60412ebee1dbb40a75543b8bcfae1a6f5031b3cecaab1f7a4524a620bf056a",
			5:   "ebc36804b8180569ad852e42ae5e18eea065238df3084eb8e62365cba815c9a5",
			200: "e90947781451a49b5bbbf5ca922773d99c6632266185d17b2ed48094e45293ac",
		}, {
			255: "86984862e264c11bf0ee3e14fd0e84da5e0e901f3a3219bc2878e6692d069602",
			1:   "c4c14643c8c54a47ccc94e4bd00d52cfd45156d3d8555ad7dc595edb205d22df",
			7:   "553cffea1edfd5904d24e7f276fc1ced34f09e867fafb4e52ce8869e818cf38c",
			128: "240d400eb12485b9361f521c7b375186161c7267836ab784040e607535c363b4",
			33:  "1b95327dd41f53c021af0847c879bfae7e8c576ab1d0368444b66d50524673cb",
		},
	} {
		var points []point
		for x, y := range c {
			points = append(points, point{x, unhex(t, y)})
		}
		got, err := combine(points)
		if err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d shares combine to %x, %v", len(c), got, err)
		}
	}
}

func TestAnyThresholdOfSharesCombines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 20).Draw(t, "shares")
		k := rapid.IntRange(2, n).Draw(t, "threshold")
		secret := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "secret")
		points, err := split(secret, n, k)
		if err != nil {
			t.Fatal(err)
		}
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1)).Perm(n)
		chosen := make([]point, 0, n)
		for _, i := range order[:rapid.IntRange(k, n).Draw(t, "given")] {
			chosen = append(chosen, points[i])
		}
		if got, err := combine(chosen); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%d of %d, threshold %d: %x, %v; want %x", len(chosen), n, k, got, err, secret)
		}
	})
}

// With one share fewer than the threshold every secret is as likely: for each value
// of the byte there is exactly one missing share that would give it.
func TestTooFewSharesSayNothing(t *testing.T) {
	points, err := split([]byte{0x2a}, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[byte]bool{}
	for v := range 256 {
		got, err := combine([]point{points[0], points[1], {9, []byte{byte(v)}}})
		if err != nil {
			t.Fatal(err)
		}
		seen[got[0]] = true
	}
	if len(seen) != 256 {
		t.Errorf("with two of three shares %d secrets are possible, want all 256", len(seen))
	}
}

func TestBadSplits(t *testing.T) {
	for _, c := range []struct{ n, t int }{{1, 1}, {5, 1}, {2, 3}, {256, 2}, {0, 0}} {
		if _, err := split([]byte{1}, c.n, c.t); err == nil {
			t.Errorf("split into %d, threshold %d", c.n, c.t)
		}
	}
	for name, points := range map[string][]point{
		"one":           {{1, []byte{1}}},
		"twice one":     {{1, []byte{1}}, {1, []byte{2}}},
		"the secret":    {{0, []byte{1}}, {1, []byte{2}}},
		"two lengths":   {{1, []byte{1}}, {2, []byte{2, 3}}},
		"of no length":  {{1, nil}, {2, nil}},
		"none whatever": nil,
	} {
		if _, err := combine(points); err == nil {
			t.Errorf("%s combined", name)
		}
	}
}
