package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A caller who sends a body slowly is cut off, whether the body is read or not.
func TestSlowBodiesEnd(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"read":     func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) },
		"not read": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(bodyWithin(100*time.Millisecond, handler))
			defer srv.Close()
			c, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na"); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Errorf("the connection was kept: %v", err)
			}
		})
	}
}

// An answer may take longer than a body. In the bubble's time, so that reading the body
// takes none of it, however slow the machine is.
func TestLongAnswersDoNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := pipes{make(chan net.Conn), make(chan struct{})}
		srv := &http.Server{Handler: bodyWithin(50*time.Millisecond, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			select {
			case <-r.Context().Done():
			case <-time.After(200 * time.Millisecond):
				_, _ = w.Write(b)
			}
		}))}
		go func() { _ = srv.Serve(l) }() // until it is closed
		defer srv.Close()
		tr := &http.Transport{DialContext: l.dial}
		defer tr.CloseIdleConnections()
		hc := &http.Client{Transport: tr}
		for range 2 { // the second time on the same connection
			resp, err := hc.Post("http://server/", "text/plain", strings.NewReader("whole"))
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || string(b) != "whole" {
				t.Errorf("got %q, %v", b, err)
			}
		}
	})
}

// pipes are a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	p.conns <- far
	return near, nil
}

// Accept implements net.Listener.
func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (p pipes) Close() error { close(p.ended); return nil }

// Addr implements net.Listener.
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }
