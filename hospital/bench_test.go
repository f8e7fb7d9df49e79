package hospital

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

func BenchmarkRead2KB(b *testing.B) {
	r := Generate(1, 20)
	x := r.Sample2KB()
	s := NewServer(r, Options{})
	req := httptest.NewRequest("GET", "/fhir/"+x.Type+"/"+x.ID, nil)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, req)
	}
	b.SetBytes(int64(len(x.JSON)))
}

func BenchmarkSearch500KB(b *testing.B) {
	r := Generate(1, 20)
	s := NewServer(r, Options{})
	req := httptest.NewRequest("GET", "/fhir/"+r.Search500KB(), nil)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(w, req)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		Generate(1, 100)
	}
}

// What a client on the same machine gets over plain keep-alive connections.
func BenchmarkReadOverHTTP(b *testing.B) {
	r := Generate(1, 20)
	x := r.Sample2KB()
	front := httptest.NewServer(NewServer(r, Options{}))
	defer front.Close()
	request := []byte("GET /fhir/" + x.Type + "/" + x.ID + " HTTP/1.1\r\nHost: hospital\r\n\r\n")
	const clients = 16
	var wg sync.WaitGroup
	work := make(chan int, clients)
	for range clients {
		wg.Go(func() {
			conn, err := net.Dial("tcp", front.Listener.Addr().String())
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for n := range work {
				for range n {
					_, _ = conn.Write(request)
					if err := readAnswer(in, len(x.JSON)); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	b.ResetTimer()
	for range clients {
		work <- b.N/clients + 1
	}
	close(work)
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

// readAnswer reads one answer and no more than it must, so that the benchmark
// measures the server.
func readAnswer(in *bufio.Reader, body int) error {
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && string(line[9:12]) != "200" {
			return fmt.Errorf("got %s", line)
		}
		if len(line) == 2 {
			_, err := io.CopyN(io.Discard, in, int64(body))
			return err
		}
	}
}
