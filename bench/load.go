package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/bench/site"
)

// LoadConfig is a closed loop: so many clients, each on a connection of its own,
// each with one request under way.
type LoadConfig struct {
	Addr     string // host:port
	CA       string // PEM file
	Cert     string
	Key      string
	Path     string // request URI
	Token    string // bearer; may be empty
	Clients  int
	WarmUp   time.Duration
	Measure  time.Duration
	MinBytes int // of each body: an answer that is too short is an error
}

// LoadResult is what the clients saw in the measured time.
type LoadResult struct {
	Requests int
	Seconds  float64
	P50      float64 // milliseconds
	P90      float64
	P99      float64
	Bytes    int // of a body: the last one's
	CPU      time.Duration
}

// runLoad prints "warm" when the measured time begins and the result when it
// has ended, each as a line. One answer that is not 200 or too short fails it all.
func runLoad(c LoadConfig) error {
	cert, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.CA)
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return errors.New("no authority in " + c.CA)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool, ServerName: "127.0.0.1",
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &cert, nil }}
	var request bytes.Buffer
	fmt.Fprintf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: application/fhir+json\r\n", c.Path, c.Addr)
	if c.Token != "" {
		fmt.Fprintf(&request, "Authorization: Bearer %s\r\n", c.Token)
	}
	request.WriteString("\r\n")

	clients := make([]*client, c.Clients)
	for i := range clients {
		if clients[i], err = dial(c, config, request.Bytes()); err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		defer clients[i].conn.Close()
	}
	var measuring, stop atomic.Bool
	var group sync.WaitGroup
	for _, cl := range clients {
		group.Go(func() {
			for !stop.Load() && cl.err == nil {
				began := measuring.Load()
				t0 := time.Now()
				cl.err = cl.ask()
				if began && cl.err == nil && !stop.Load() {
					cl.took = append(cl.took, time.Since(t0))
				}
			}
		})
	}
	time.Sleep(c.WarmUp)
	fmt.Println("warm")
	measuring.Store(true)
	began := time.Now()
	time.Sleep(c.Measure)
	stop.Store(true)
	seconds := time.Since(began).Seconds()
	// Whoever waits for an answer waits no longer: the measured time is over.
	for _, cl := range clients {
		_ = cl.conn.SetDeadline(time.Now().Add(5 * time.Second))
	}
	group.Wait()
	var took []time.Duration
	r := LoadResult{Seconds: seconds}
	for _, cl := range clients {
		if cl.err != nil {
			return cl.err
		}
		took = append(took, cl.took...)
		r.Bytes = cl.bytes
	}
	if len(took) == 0 {
		return errors.New("no request was answered in the measured time")
	}
	slices.Sort(took)
	at := func(q float64) float64 {
		return took[min(int(q*float64(len(took))), len(took)-1)].Seconds() * 1e3
	}
	r.Requests, r.P50, r.P90, r.P99 = len(took), at(0.5), at(0.9), at(0.99)
	return json.NewEncoder(os.Stdout).Encode(r)
}

// client is one connection. It writes one prepared request again and again and
// reads with net/http's parser: the same for every peer.
type client struct {
	conn    *tls.Conn
	r       *bufio.Reader
	request []byte
	least   int
	bytes   int
	took    []time.Duration
	err     error
}

func dial(c LoadConfig, config *tls.Config, request []byte) (*client, error) {
	conn, err := tls.Dial("tcp", c.Addr, config)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReaderSize(conn, 16<<10), request: request, least: c.MinBytes}, nil
}

func (c *client) ask() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 2000)) // for the message
		return fmt.Errorf("answered %s: %s", resp.Status, text)
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err != nil {
		return err
	}
	if c.bytes = int(n); c.bytes < c.least {
		return fmt.Errorf("an answer has %d bytes, %d at least were due", c.bytes, c.least)
	}
	if resp.Close {
		return errors.New("the server closes connections: it is not configured to keep them")
	}
	return nil
}

// load runs the clients in a process of their own. atStart is called when the
// measured time begins and atEnd when it has ended.
func load(b *bench, c LoadConfig, atStart, atEnd func() error) (LoadResult, error) {
	p, err := site.StartRaw(b.dir, "load", "load", c)
	if err != nil {
		return LoadResult{}, err
	}
	defer p.Kill()
	var r LoadResult
	if _, err := p.Line(c.WarmUp + 20*time.Second); err != nil {
		return r, err
	}
	if err := atStart(); err != nil {
		return r, err
	}
	line, err := p.Line(c.Measure + 20*time.Second)
	if err != nil {
		return r, err
	}
	if err := atEnd(); err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(line), &r)
}
