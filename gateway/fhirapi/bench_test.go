package fhirapi

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/identity"
)

// BenchmarkRead is the whole path over TLS 1.3 with client, upstream and disk on
// the same machine: a resource of about 2 KB, keep-alive.
func BenchmarkRead(b *testing.B) {
	w := gatewaytest.New(b, New("bench", ""), gatewaytest.Options{Quiet: true})
	sample := w.Records.Sample2KB()
	url := w.URL + "/" + sample.Type + "/" + w.Code(sample.ID)
	if r := w.DoAs(w.Client, url); r.Status != 200 {
		b.Fatalf("got %d: %s", r.Status, r.Body)
	}
	token, err := w.Tokens.Token(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	config := identity.ClientTLS(w.Device, w.Authority.Pool())
	hc := &http.Client{Transport: &http.Transport{TLSClientConfig: config, MaxIdleConnsPerHost: 64}}
	b.ReportAllocs()
	b.SetParallelism(32)
	began := time.Now()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest("GET", url, nil)
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := hc.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Errorf("got %d", resp.StatusCode)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "req/s")
}
