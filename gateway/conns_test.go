package gateway

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// upstream is a source made of bytes: serve is given each connection in turn.
func upstream(t *testing.T, serve func(n int, c net.Conn, r *bufio.Reader)) (url string, conns *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = new(atomic.Int32)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n := int(conns.Add(1))
			go func() {
				defer c.Close()
				serve(n, c, bufio.NewReader(c))
			}()
		}
	}()
	return "http://" + l.Addr().String(), conns
}

func transport(t *testing.T) *conns {
	c := &conns{dial: dialer(), header: 2 * time.Second, idle: 300 * time.Millisecond}
	t.Cleanup(c.close)
	return c
}

func get(ctx context.Context, t *conns, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// ask reads one request; false: the other side is gone.
func readAsk(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	return err == nil && req.Method == http.MethodGet
}

const good = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

func TestConnectionsAreUsedAgain(t *testing.T) {
	url, n := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for readAsk(r) {
			io.WriteString(c, good)
		}
	})
	tr := transport(t)
	for range 5 {
		if got, err := get(t.Context(), tr, url); got != "hello" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("%d connections, want 1", n.Load())
	}
}

// A connection whose answer cannot be told from what follows is not used again,
// and neither is one on which something came unasked.
func TestConnectionsThatAreNotKept(t *testing.T) {
	for name, answer := range map[string]string{
		"Connection: close": "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.0":          "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"something behind":  good + "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother",
	} {
		t.Run(name, func(t *testing.T) {
			url, n := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				for readAsk(r) {
					io.WriteString(c, answer)
				}
			})
			tr := transport(t)
			for range 3 {
				if got, err := get(t.Context(), tr, url); got != "hello" || err != nil {
					t.Fatalf("got %q, %v", got, err)
				}
			}
			if n.Load() != 3 {
				t.Errorf("%d connections, want 3", n.Load())
			}
		})
	}
	t.Run("something later", func(t *testing.T) {
		later, written := make(chan struct{}), make(chan struct{}, 2)
		url, n := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
			for readAsk(r) {
				io.WriteString(c, good)
				<-later
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother")
				written <- struct{}{}
			}
		})
		tr := transport(t)
		get(t.Context(), tr, url)
		later <- struct{}{}
		<-written
		go func() { later <- struct{}{} }()
		if got, err := get(t.Context(), tr, url); got != "hello" || err != nil || n.Load() != 2 {
			t.Errorf("got %q, %v over %d connections, want a second one", got, err, n.Load())
		}
	})
}

// A source may end a kept connection at any moment; the caller does not see it.
func TestAKeptConnectionThatEnded(t *testing.T) {
	url, n := upstream(t, func(n int, c net.Conn, r *bufio.Reader) {
		readAsk(r)
		io.WriteString(c, good)
		if n%2 == 1 {
			readAsk(r) // takes the next request, and says nothing
		}
	})
	tr := transport(t)
	for i := range 6 {
		if got, err := get(t.Context(), tr, url); got != "hello" || err != nil {
			t.Fatalf("request %d: got %q, %v", i, got, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if n.Load() < 3 {
		t.Errorf("%d connections", n.Load())
	}
}

// Whatever is not one whole answer of HTTP is an error, in words that quote
// nothing of it, and no connection of such an answer is kept.
func TestOddAnswers(t *testing.T) {
	const name = "ZZCANARY"
	for _, c := range []struct {
		what, answer string
		want         error // nil: any
	}{
		{"no HTTP", name + "\r\n\r\n", errNotHTTP},
		{"an odd header", "HTTP/1.1 200 OK\r\n" + name + "\r\n\r\n", errNotHTTP},
		{"a head without end", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-"+name+": 1\r\n", 10_000), errNotHTTP},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n" + name, errNotHTTP},
		{"a body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + name, io.ErrUnexpectedEOF},
		{"a chunk cut short", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + name, io.ErrUnexpectedEOF},
		{"a chunk of odd length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + name + "\r\n", errNotHTTP},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + name + "\r\n\r\n", errNotHTTP},
		{"interim answers only", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20), errNotHTTP},
		{"nothing", "", io.ErrUnexpectedEOF},
	} {
		t.Run(c.what, func(t *testing.T) {
			url, _ := upstream(t, func(_ int, conn net.Conn, r *bufio.Reader) {
				readAsk(r)
				io.WriteString(conn, c.answer)
			})
			tr := transport(t)
			_, err := get(t.Context(), tr, url)
			if err == nil || strings.Contains(err.Error(), name) {
				t.Fatalf("got %v, want an error that quotes nothing", err)
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if len(tr.kept) > 0 {
				t.Error("the connection was kept")
			}
		})
	}
}

func TestInterimAnswersArePassedOver(t *testing.T) {
	url, n := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for readAsk(r) {
			io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"+good)
		}
	})
	tr := transport(t)
	for range 2 {
		if got, err := get(t.Context(), tr, url); got != "hello" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("%d connections, want 1", n.Load())
	}
}

func TestSlowSources(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for name, first := range map[string]string{
		"thinks too long":        "",
		"drips its head":         "HTTP/1.1 200 OK\r\nX-",
		"pauses in the middle":   "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		"pauses within a chunk":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhello",
		"pauses behind a chunk ": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readAsk(r)
				io.WriteString(c, first)
				for strings.HasSuffix(first, "X-") { // a byte now and then does not buy time
					select {
					case <-hold:
						return
					case <-time.After(20 * time.Millisecond):
					}
					if _, err := io.WriteString(c, "x"); err != nil {
						return
					}
				}
				<-hold
			})
			tr := transport(t)
			tr.header = 300 * time.Millisecond
			if _, err := get(t.Context(), tr, url); !errors.Is(err, errSlow) {
				t.Errorf("got %v, want %v", err, errSlow)
			}
		})
	}
}

// A request that ends, ends its wait at once, and its connection with it.
func TestARequestThatEnds(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for name, first := range map[string]string{"before the answer": "", "in the middle": "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"} {
		t.Run(name, func(t *testing.T) {
			gone := make(chan error, 1)
			url, _ := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readAsk(r)
				io.WriteString(c, first)
				_, err := r.ReadByte()
				gone <- err
			})
			tr := transport(t)
			tr.header, tr.idle = time.Hour, time.Hour
			ctx, cancel := context.WithCancelCause(t.Context())
			why := fmt.Errorf("revoked")
			time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
			if _, err := get(ctx, tr, url); !errors.Is(err, why) {
				t.Errorf("got %v, want %v", err, why)
			}
			if err := <-gone; err == nil {
				t.Error("the connection lives")
			}
		})
	}
}

func TestSweep(t *testing.T) {
	end := make(chan struct{})
	url, _ := upstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if readAsk(r) {
			io.WriteString(c, good)
			<-end
		}
	})
	tr := transport(t)
	if _, err := get(t.Context(), tr, url); err != nil || len(tr.kept) != 1 {
		t.Fatalf("%v, %d connections kept", err, len(tr.kept))
	}
	tr.sweep()
	if len(tr.kept) != 1 {
		t.Error("a connection that rests was closed")
	}
	close(end)
	for until := time.Now().Add(time.Minute); len(tr.kept) > 0 && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		tr.sweep()
	}
	if len(tr.kept) != 0 {
		t.Error("a connection that the source has ended is kept")
	}
}

// corked holds back what is written, until it is let go at once.
type corked struct {
	net.Conn
	held []byte
}

func (c *corked) Write(p []byte) (int, error) {
	c.held = append(c.held, p...)
	return len(p), nil
}

func (c *corked) Read(p []byte) (int, error) {
	held := c.held
	c.held = nil
	if _, err := c.Conn.Write(held); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// What a source sends behind its answer is no answer to the next question, even
// where TLS has read it and holds it.
func TestAnAnswerTooManyWithinTLS(t *testing.T) {
	some := httptest.NewTLSServer(nil)
	defer some.Close()
	server := &tls.Config{Certificates: some.TLS.Certificates, DynamicRecordSizingDisabled: true}
	roots := x509.NewCertPool()
	roots.AddCert(some.Certificate())
	const another = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nanother"
	for _, body := range []int{0, 5, 4000, 5000, 14_000} {
		answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", body, strings.Repeat("h", body))
		for name, writes := range map[string][]string{
			"in its record":          {answer + another},
			"in a record of its own": {answer, another},
			"by halves":              {answer, another[:20], another[20:]},
			"nothing":                {answer},
		} {
			t.Run(fmt.Sprint(name, body), func(t *testing.T) {
				url, n := upstream(t, func(_ int, c net.Conn, _ *bufio.Reader) {
					s := tls.Server(&corked{Conn: c}, server)
					for r := bufio.NewReader(s); readAsk(r); {
						for _, w := range writes {
							io.WriteString(s, w)
						}
					}
				})
				tr := transport(t)
				tr.tls = &tls.Config{RootCAs: roots}
				for range 3 {
					if got, err := get(t.Context(), tr, strings.Replace(url, "http", "https", 1)); len(got) != body || strings.Trim(got, "h") != "" || err != nil {
						t.Fatalf("got %d bytes that begin %.20q, %v", len(got), got, err)
					}
				}
				want := int32(3)
				if name == "nothing" {
					want = 1
				}
				if n.Load() != want {
					t.Errorf("%d connections, want %d", n.Load(), want)
				}
			})
		}
	}
}
