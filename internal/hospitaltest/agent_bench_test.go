package hospitaltest_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
)

// What the agent adds: the same question, by a client with a certificate of its own
// and by a plain client through the agent, turn by turn in one run.
func BenchmarkThroughTheAgent(b *testing.B) {
	box := hospitaltest.Start(b, hospitaltest.Options{Configure: waive("hardware_key"), Role: func(r *registry.DefineRole) { r.MaxPageSize = 1000 }, Records: hospital.Generate(1, 900)})
	box.Paper()
	e := newEngineer(b, box)
	l := e.serve(e.enrolled(), agent.ConnectOptions{})
	ok := func(resp *http.Response) (int64, error) {
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("the answer is %d, after %d bytes", resp.StatusCode, n)
		}
		return n, err
	}
	direct := func(path string) (int64, error) {
		req, err := http.NewRequest(http.MethodGet, box.Base()+path, nil)
		if err != nil {
			return 0, err
		}
		req.Header.Set("Accept", "application/fhir+json")
		resp, err := box.Client.Tokens.Do(req)
		if err != nil {
			return 0, err
		}
		return ok(resp)
	}
	through := func(path string) (int64, error) {
		resp, err := http.Get(l.Base() + "/fhir" + path)
		if err != nil {
			return 0, err
		}
		return ok(resp)
	}
	for _, q := range []struct{ name, path string }{{"one patient", "/Patient?_count=1"}, {"a long page", "/Patient?_count=900"}} {
		b.Run(q.name, func(b *testing.B) {
			for _, ask := range []func(string) (int64, error){direct, through} {
				if _, err := ask(q.path); err != nil { // the first question opens connections
					b.Fatal(err)
				}
			}
			var took [2]time.Duration
			var bytes int64
			for b.Loop() {
				for i, ask := range []func(string) (int64, error){direct, through} {
					began := time.Now()
					n, err := ask(q.path)
					if err != nil || n < 100 {
						b.Fatalf("%d bytes, %v", n, err)
					}
					took[i] += time.Since(began)
					bytes = n
				}
			}
			b.ReportMetric(took[0].Seconds()*1000/float64(b.N), "direct-ms")
			b.ReportMetric(took[1].Seconds()*1000/float64(b.N), "agent-ms")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "ratio")
			b.ReportMetric(float64(bytes)/1000, "kB")
			b.ReportMetric(0, "ns/op")
		})
	}
}
