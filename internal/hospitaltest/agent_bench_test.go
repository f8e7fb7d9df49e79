package hospitaltest_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agent"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
)

// What the agent adds: the same question, by a client with a certificate of its own
// and by a plain client through the agent, turn by turn in one run.
func BenchmarkThroughTheAgent(b *testing.B) {
	box := hospitaltest.Start(b, hospitaltest.Options{Configure: waive("hardware_key"), Records: hospital.Generate(1, 300)})
	box.Paper()
	e := newEngineer(b, box)
	l := e.serve(e.enrolled(), agent.ConnectOptions{})
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
		defer resp.Body.Close()
		return io.Copy(io.Discard, resp.Body)
	}
	through := func(path string) (int64, error) {
		resp, err := http.Get(l.Base() + "/fhir" + path)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return io.Copy(io.Discard, resp.Body)
	}
	for _, q := range []struct{ name, path string }{{"one patient", "/Patient?_count=1"}, {"a long page", "/Observation?_count=1000"}} {
		b.Run(q.name, func(b *testing.B) {
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
