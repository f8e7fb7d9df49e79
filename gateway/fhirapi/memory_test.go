package fhirapi

import (
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
)

// A Bundle of 500 MB passes through less than 100 MB of memory, source and
// caller in the same process included.
func TestMemoryOfAHugeBundle(t *testing.T) {
	if testing.Short() {
		t.Skip("500 MB through the gateway take several seconds")
	}
	if raceDetector {
		t.Skip("the race detector needs memory of its own, and ten times the time; the run without it measures")
	}
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	w.Hospital.Misbehave(hospital.Fault{Path: "Observation", Huge: 500 << 20})
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapInuse+m.StackInuse))
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	resp, err := w.Client.Get(w.URL + "/Observation?patient=" + w.Code(w.Records.IDs("Patient")[0]))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	close(stop)
	<-done
	took := time.Since(began)
	t.Logf("%d MB in, %d MB out, in %v, %d MB of memory at most", w.Hospital.Served().Bytes>>20, n>>20, took, peak.Load()>>20)
	if resp.StatusCode != http.StatusOK || err != nil || n < 100<<20 {
		t.Errorf("got %d, %v, %d bytes", resp.StatusCode, err, n)
	}
	if peak.Load() > 100<<20 {
		t.Errorf("%d MB of memory", peak.Load()>>20)
	}
}
