package gateway

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// conns is an http.RoundTripper over HTTP/1.1 connections that are kept. Its
// difference from net/http's Transport is that a request and its answer are the
// caller's own writes and reads: the Transport passes each between three
// goroutines, which cost a small release some 7 % of its processor time. It parses
// with net/http all the same, and refuses where it does.
type conns struct {
	dial   *net.Dialer
	tls    *tls.Config
	header time.Duration // how long the source may think, connecting included
	idle   time.Duration // how long it may pause in the middle of an answer

	mu      sync.Mutex
	closed  bool
	kept    []*conn // the one used last is at the end
	sweeper *time.Timer
}

const (
	maxKept        = 256
	keptFor        = 90 * time.Second
	sweepEvery     = 5 * time.Second // a source that ends kept connections is not left waiting
	connectTimeout = 10 * time.Second
	maxAnswerHead  = 64 << 10 // status line and headers
	maxInterim     = 5        // answers of 1xx before the real one, as net/http allows
	connBuffer     = 4 << 10  // an answer of more is read past it
)

var (
	errLongHead = errors.New("the source's headers are too long")
	errInterim  = errors.New("the source sent an interim answer in place of the real one")
)

// conn is one connection, used by one request at a time.
type conn struct {
	net.Conn          // TLS, or plain on loopback
	raw      net.Conn // what is below it
	r        *bufio.Reader
	w        *bufio.Writer
	since    time.Time            // kept
	began    bool                 // something of the answer has arrived
	patience time.Duration        // of one read; 0: the deadline that is set holds
	head     int                  // what the head of the answer may still have; -1: it is read
	state    *tls.ConnectionState // nil: plain
	failed   error                // of a read: the parser may report what it made of half a line instead
}

// Read implements io.Reader below the parser's buffer.
func (c *conn) Read(p []byte) (int, error) {
	if c.patience > 0 {
		if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
			return 0, err
		}
	}
	if c.head == 0 {
		c.failed = errLongHead
		return 0, errLongHead
	}
	if c.head > 0 && len(p) > c.head {
		p = p[:c.head]
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.began = true
		if c.head > 0 {
			c.head -= n
		}
	}
	c.failed = err
	return n, err
}

// spent reports whether nothing is held of what was read from the socket. TLS
// reads ahead: a record behind the answer's may wait there, and would be the
// answer to the next question. Of one that is not whole yet the rest comes over
// the socket, where untouched sees it.
func (c *conn) spent() bool {
	if c.r.Buffered() > 0 {
		return false
	}
	if c.Conn == c.raw {
		return true
	}
	if c.SetReadDeadline(time.Unix(1, 0)) != nil { // long gone: the socket is not asked
		return false
	}
	var b [1]byte
	n, err := c.Conn.Read(b[:])
	return n == 0 && isTimeout(err)
}

// RoundTrip implements http.RoundTripper.
func (t *conns) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	deadline := time.Now().Add(t.header)
	for {
		c := t.take()
		fresh := c == nil
		if fresh {
			var err error
			if c, err = t.connect(ctx, req, deadline); err != nil {
				return nil, t.why(ctx, err)
			}
		}
		resp, err := t.ask(ctx, c, req, deadline)
		if err == nil {
			return resp, nil
		}
		// A source may end a kept connection just when it is used again. Nothing of
		// an answer has come, and reading twice changes nothing there.
		if fresh || c.began || req.Body != nil || ctx.Err() != nil || errors.Is(err, errLongHead) || isTimeout(err) {
			return nil, t.why(ctx, err)
		}
	}
}

// why is the reason for which a request ended, where the error is its consequence.
func (t *conns) why(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isTimeout(err):
		return errSlow
	}
	return inOurWords(err)
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// ask writes the request and reads the head of the answer. c is closed on an
// error, and otherwise with the answer's body or kept after it.
func (t *conns) ask(ctx context.Context, c *conn, req *http.Request, deadline time.Time) (_ *http.Response, err error) {
	// A request that ends takes its connection with it: neither its answer nor the
	// rest of it is left for the next one.
	stop := context.AfterFunc(ctx, func() { c.raw.Close() })
	defer func() {
		if err != nil {
			stop()
			c.raw.Close()
			err = cmp.Or(c.failed, err)
		}
	}()
	c.began, c.patience, c.head, c.failed = false, 0, maxAnswerHead, nil
	if err := c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if err := req.Write(c.w); err != nil {
		return nil, err
	}
	if err := c.w.Flush(); err != nil {
		return nil, err
	}
	for range maxInterim {
		resp, err := http.ReadResponse(c.r, req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 == 1 {
			if resp.StatusCode == http.StatusSwitchingProtocols {
				return nil, errInterim
			}
			continue
		}
		c.patience, c.head = t.idle, -1
		resp.TLS = c.state
		resp.Body = &body{ReadCloser: resp.Body, t: t, c: c, ctx: ctx, stop: stop, keep: !resp.Close && resp.ProtoAtLeast(1, 1) && !req.Close}
		return resp, nil
	}
	return nil, errInterim
}

// body is an answer's body. At its end the connection is kept, and anywhere else
// it is closed.
type body struct {
	io.ReadCloser
	t    *conns
	c    *conn
	ctx  context.Context
	stop func() bool
	keep bool
	err  error // once it is over
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		if !b.stop() {
			err = context.Cause(b.ctx) // the end came as the request did; the connection is closed
		} else if !b.keep || !b.c.spent() || !b.t.put(b.c) {
			b.c.raw.Close()
		}
	} else {
		b.stop()
		b.c.raw.Close()
		err = b.t.why(b.ctx, err)
	}
	b.err = err
	return n, err
}

var errClosedBody = errors.New("the answer was closed before")

// Close implements io.Closer.
func (b *body) Close() error {
	if b.err == nil {
		b.err = errClosedBody
		b.stop()
		b.c.raw.Close() // the rest of the answer is not waited for
	}
	return nil
}

// connect opens a connection, within the deadline.
func (t *conns) connect(ctx context.Context, req *http.Request, deadline time.Time) (*conn, error) {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	port := "80"
	if req.URL.Scheme == "https" {
		port = "443"
	}
	raw, err := t.dial.DialContext(ctx, "tcp", net.JoinHostPort(req.URL.Hostname(), cmp.Or(req.URL.Port(), port)))
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, raw: raw}
	if req.URL.Scheme == "https" {
		config := t.tls.Clone()
		config.ServerName = req.URL.Hostname()
		secure := tls.Client(raw, config)
		shake, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		if err := secure.HandshakeContext(shake); err != nil {
			raw.Close()
			return nil, err
		}
		state := secure.ConnectionState()
		c.Conn, c.state = secure, &state
	}
	c.r, c.w = bufio.NewReaderSize(c, connBuffer), bufio.NewWriterSize(c.Conn, connBuffer/2)
	return c, nil
}

// take returns a kept connection that is still as it was left, or nil.
func (t *conns) take() *conn {
	for {
		t.mu.Lock()
		n := len(t.kept)
		if n == 0 {
			t.mu.Unlock()
			return nil
		}
		c := t.kept[n-1]
		t.kept[n-1] = nil
		t.kept = t.kept[:n-1]
		t.mu.Unlock()
		// What a source sends unasked would be taken for the next answer.
		if time.Since(c.since) < keptFor && untouched(c.raw) {
			return c
		}
		c.raw.Close()
	}
}

// put keeps a connection, if there is room.
func (t *conns) put(c *conn) bool {
	if c.SetDeadline(time.Time{}) != nil {
		return false
	}
	c.since = time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.kept) >= maxKept {
		return false
	}
	t.kept = append(t.kept, c)
	if t.sweeper == nil {
		t.sweeper = time.AfterFunc(sweepEvery, t.sweep)
	}
	return true
}

// sweep closes what nobody has used for long, and what the source has ended.
func (t *conns) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sweeper = nil
	t.kept = slices.DeleteFunc(t.kept, func(c *conn) bool {
		if time.Since(c.since) < keptFor && untouched(c.raw) {
			return false
		}
		c.raw.Close()
		return true
	})
	if len(t.kept) > 0 {
		t.sweeper = time.AfterFunc(sweepEvery, t.sweep)
	}
}

// close ends the kept connections; later ones are not kept.
func (t *conns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, c := range t.kept {
		c.raw.Close()
	}
	t.kept = nil
	if t.sweeper != nil {
		t.sweeper.Stop()
	}
}
