package audit_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/audit/verify"
)

// BenchmarkDurable is how many entries become durable in a second at so many
// writers, with the integration behind them, beside the disk's own fdatasync in
// the same run.
func BenchmarkDurable(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := b.TempDir()
			o := options(b)
			o.Dir, o.Interval = dir, 0
			l := open(b, o)
			defer l.Close()
			in := intent("01JD0000000000000000000000")
			todo := make(chan struct{}, writers)
			done := make(chan error, writers)
			b.ReportAllocs()
			b.ResetTimer()
			for range writers {
				go func() {
					for range todo {
						if _, err := l.Intend(context.Background(), in); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			for range b.N {
				todo <- struct{}{}
			}
			close(todo)
			for range writers {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			sync, err := audit.MeasureSync(dir, 50)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(sync)/float64(time.Millisecond), "fdatasync-ms")
		})
	}
}

// BenchmarkVerify is how many entries a second an auditor's check reads.
func BenchmarkVerify(b *testing.B) {
	dir := b.TempDir()
	l := openDir(b, dir)
	const n = 20_000
	var last *audit.Pending
	for range n {
		last = l.Begin(intent("01JD0000000000000000000000"))
	}
	if _, err := last.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	_, v := key(b)
	for b.Loop() {
		if r, err := verify.Log(os.DirFS(dir), v); err != nil || r.Size != n {
			b.Fatal(r.Size, err)
		}
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
