package site

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
)

// UpstreamConfig says what the hospital's process serves.
type UpstreamConfig struct {
	PKI      string // folder of a PKI
	Seed     uint64
	Patients int
	// Streams are answers without end in sight: the i-th is what Patient
	// UpstreamReady.Patients[i]'s $everything is answered with.
	Streams []Stream
	// Keep serves each answer to any other GET from memory from its second time
	// on, so that the doorways are measured and not the hospital.
	Keep bool
}

// Stream is a Bundle of so many bytes, at so many bytes a second (0: as fast as
// can be).
type Stream struct {
	Bytes int64
	Rate  int
}

// UpstreamReady is what the hospital's process says when it listens.
type UpstreamReady struct {
	Base     string // https://127.0.0.1:port/fhir
	Type, ID string // the 2 KB resource
	Bytes    int    // its size
	Search   string // the 500 KB search, relative to Base
	Patients []string
}

// ServeUpstream is the hospital's process: mutual TLS, TLS 1.3, until its
// standard input ends.
func ServeUpstream(c UpstreamConfig) error {
	pki, err := OpenPKI(c.PKI)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	records := hospital.Generate(c.Seed, c.Patients)
	base := "https://" + l.Addr().String() + "/fhir"
	h := hospital.NewServer(records, hospital.Options{BaseURL: base, Auth: hospital.Auth{Certificate: true}})
	patients := records.IDs("Patient")
	if len(patients) <= len(c.Streams) {
		return errors.New("the hospital has too few patients")
	}
	var faults []hospital.Fault
	for i, x := range c.Streams {
		faults = append(faults, hospital.Fault{Path: "Patient/" + patients[i] + everything, Huge: x.Bytes, Rate: x.Rate, Patient: patients[i]})
	}
	h.Misbehave(faults...)
	var handler http.Handler = h
	if c.Keep {
		handler = &keeper{next: h}
	}
	sample := records.Sample2KB()
	ready := UpstreamReady{Base: base, Type: sample.Type, ID: sample.ID, Bytes: len(sample.JSON), Search: records.Search500KB(), Patients: patients}
	return pki.Serve(l, handler, ready)
}

// Serve serves mutual TLS on l until standard input ends; it first prints ready
// as a line of JSON.
func (k *PKI) Serve(l net.Listener, h http.Handler, ready any) error {
	s := &http.Server{Handler: h, TLSConfig: k.ServerTLS(), ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- s.ServeTLS(l, "", "") }()
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case err := <-failed:
		return err
	case <-ended:
		return s.Close()
	}
}

// everything is the operation whose answers are streams, and not kept.
const everything = "/$everything"

// keeper remembers answers by URI.
type keeper struct {
	next http.Handler
	kept sync.Map // URI -> *answer
}

type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	uri := r.URL.RequestURI()
	if r.Method != http.MethodGet || strings.Contains(r.URL.Path, everything) {
		k.next.ServeHTTP(w, r)
		return
	}
	got, ok := k.kept.Load(uri)
	if !ok {
		a := &answer{header: http.Header{}, status: http.StatusOK}
		k.next.ServeHTTP(a, r)
		a.header.Set("Content-Length", fmt.Sprint(a.body.Len()))
		got, _ = k.kept.LoadOrStore(uri, a)
	}
	a := got.(*answer)
	h := w.Header()
	for name, v := range a.header {
		h[name] = v
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body.Bytes()) // the client has gone: nothing to do
}

// PKI is the certificate authority that the hospital, the proxies and their
// clients share, in one folder: server.crt/.key, client.crt/.key, stranger's of
// the same authority, ca.crt.
type PKI struct {
	Dir    string
	server tls.Certificate
	client *identity.Credential
	pool   *x509.CertPool
}

// Names of files in a PKI's folder, below it.
const (
	CAFile        = "ca.crt"
	ServerFile    = "server"
	ClientFile    = "client"
	StrangerFile  = "stranger"
	certSuffix    = ".crt"
	keySuffix     = ".key"
	authorityName = "authority"
)

// NewPKI makes the authority and the certificates.
func NewPKI(dir string, now time.Time) (*PKI, error) {
	a, err := identity.CreateAuthority(filepath.Join(dir, authorityName), "Bench", now)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, CAFile), a.CertificatePEM(), 0o644); err != nil {
		return nil, err
	}
	server, err := a.IssueServer([]string{"127.0.0.1", "localhost"}, now)
	if err != nil {
		return nil, err
	}
	if err := server.Write(File(dir, ServerFile)); err != nil {
		return nil, err
	}
	for _, name := range []string{ClientFile, StrangerFile} {
		c, err := a.IssueClient(identity.DeviceSubject(id.Device("bench-"+name)), 0, now)
		if err != nil {
			return nil, err
		}
		if err := c.Write(File(dir, name)); err != nil {
			return nil, err
		}
	}
	return OpenPKI(dir)
}

// OpenPKI reads what NewPKI made.
func OpenPKI(dir string) (*PKI, error) {
	k := &PKI{Dir: dir}
	server, err := identity.ReadCredential(File(dir, ServerFile))
	if err != nil {
		return nil, err
	}
	k.server = server.TLS()
	if k.client, err = identity.ReadCredential(File(dir, ClientFile)); err != nil {
		return nil, err
	}
	k.pool, err = identity.PoolFromFiles(filepath.Join(dir, CAFile))
	return k, err
}

// File is a certificate's file and its key's.
func File(dir, name string) (cert, key string) {
	return filepath.Join(dir, name+certSuffix), filepath.Join(dir, name+keySuffix)
}

// ServerTLS asks every client for a certificate of the authority. Sessions are
// not resumed, as with Sallyport: connections are kept open.
func (k *PKI) ServerTLS() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{k.server},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: k.pool, SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"}}
}

// ClientTLS shows the client's certificate.
func (k *PKI) ClientTLS() *tls.Config { return identity.ClientTLS(k.client, k.pool) }

// Pool trusts the authority.
func (k *PKI) Pool() *x509.CertPool { return k.pool }

// StartUpstream starts the hospital's process: this program again, as role
// "upstream".
func StartUpstream(dir string, c UpstreamConfig) (*Process, UpstreamReady, error) {
	var ready UpstreamReady
	p, err := StartRole(dir, "upstream", "upstream", c, &ready)
	return p, ready, err
}

// StartRole starts this program again as a role, with its configuration as
// JSON, and reads what it says when it is ready.
func StartRole(dir, name, role string, config, ready any) (*Process, error) {
	p, err := StartRaw(dir, name, role, config)
	if err != nil {
		return nil, err
	}
	line, err := p.Line(60 * time.Second)
	if err == nil {
		err = json.Unmarshal([]byte(line), ready)
	}
	if err != nil {
		p.Kill()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// StartRaw starts this program again as a role and reads nothing.
func StartRaw(dir, name, role string, config any) (*Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	return Start(dir, name, self, RoleArg, role, string(raw))
}

// RoleArg is the first argument of a child of ours: then come the role and its
// configuration.
const RoleArg = "-role"

// RunRole reads a role's configuration and plays it.
func RunRole[C any](config string, run func(C) error) error {
	var c C
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return fmt.Errorf("reading the role's configuration: %w", err)
	}
	return run(c)
}
