package store_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// BenchmarkSince is what reading an act back costs, as opening a registry does.
func BenchmarkSince(b *testing.B) {
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const acts = 500
	for n := uint64(1); n <= acts; n++ {
		e := act(n, vendor(fmt.Sprint(n)), &snapshot.App{ID: "v", Name: "app"})
		if err := s.Commit(b.Context(), e); err != nil {
			b.Fatal(err)
		}
		if err := s.MarkLogged(b.Context(), n, "node-1", n); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	for b.Loop() {
		if got, err := s.Since(b.Context(), 0, acts); err != nil || len(got) != acts {
			b.Fatal(len(got), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/acts, "us/act")
}

// BenchmarkCommit is what making an act durable costs.
func BenchmarkCommit(b *testing.B) {
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	n := uint64(0)
	for b.Loop() {
		n++
		if err := s.Commit(b.Context(), act(n, vendor("v"))); err != nil {
			b.Fatal(err)
		}
		if err := s.MarkLogged(b.Context(), n, "node-1", n); err != nil {
			b.Fatal(err)
		}
	}
}
