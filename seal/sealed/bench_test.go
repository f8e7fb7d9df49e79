package sealed_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"github.com/sallyport/sallyport/seal/sealed"
)

// BenchmarkSeal is what the gateway does for one answer: the body, its digest,
// the signed manifest.
func BenchmarkSeal(b *testing.B) {
	for _, f := range formats {
		for _, size := range []struct {
			name string
			n    int
		}{{"2KB", 2 << 10}, {"500KB", 500 << 10}} {
			b.Run(string(f)+"/"+size.name, func(b *testing.B) {
				e := newEnd(b, f)
				plain := random(1, size.n)
				m, err := e.keys.Verify(e.seal(b, "one", plain).manifest)
				if err != nil {
					b.Fatal(err)
				}
				buf := make([]byte, 0, size.n+8<<10)
				b.SetBytes(int64(size.n))
				b.ReportAllocs()
				for b.Loop() {
					body, err := e.sealer.Begin(now)
					if err != nil {
						b.Fatal(err)
					}
					if buf, err = body.Append(buf[:0], plain, true); err != nil {
						b.Fatal(err)
					}
					sum, preamble := sha256.Sum256(buf), sha256.Sum256(body.Preamble())
					m.SHA256, m.Preamble = hex.EncodeToString(sum[:]), hex.EncodeToString(preamble[:])
					if _, err := m.Sign(e.org); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOpen is the vendor's side.
func BenchmarkOpen(b *testing.B) {
	for _, f := range formats {
		b.Run(string(f), func(b *testing.B) {
			e := newEnd(b, f)
			a := e.seal(b, "one", random(1, 500<<10))
			b.SetBytes(500 << 10)
			b.ReportAllocs()
			for b.Loop() {
				r, err := sealed.Open(bytes.NewReader(a.body), e.expect(a))
				if err == nil {
					_, err = io.Copy(io.Discard, r)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
