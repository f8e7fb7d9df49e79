// Package notifytest is where notices go in tests and trials: a real mail server and an
// address for webhooks, on loopback, which remember what arrived.
package notifytest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"
)

// Outside is where notices go: a mail server that wants STARTTLS, and an address for
// webhooks, on loopback, with a certificate of an authority of their own.
type Outside struct {
	Mail   string // host:port
	Hook   string // https://...
	CAFile string
	// Down refuses everything, as a server that is away would.
	Down atomic.Bool

	// Slow is how long it takes to say yes after it has taken something: time to die in.
	Slow time.Duration

	smtp   *smtp.Server
	served chan error
	hook   *httptest.Server

	mu    sync.Mutex
	mails []Mail
	calls []Call
}

// Mail is a message that arrived.
type Mail struct {
	To, ID, Subject, Text string
	Keys                  []string // of the notices in it
}

// Call is a webhook that arrived.
type Call struct {
	Header http.Header
	Body   []byte
}

// Start starts both; what they need is in dir, which must not exist. Their certificate is
// good for twenty years: a test's clock may jump in the middle of a handshake.
func Start(dir string) (*Outside, error) {
	o := &Outside{CAFile: filepath.Join(dir, "outside-ca.pem")}
	certificate, err := certified(dir, o.CAFile)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.smtp = smtp.NewServer(o)
	o.smtp.Domain, o.smtp.TLSConfig, o.smtp.ErrorLog = "localhost", config, quietLog{}
	o.smtp.ReadTimeout, o.smtp.WriteTimeout = 10*time.Second, 10*time.Second
	o.served = make(chan error, 1)
	go func() { o.served <- o.smtp.Serve(l) }()
	o.Mail = l.Addr().String()
	o.hook = httptest.NewUnstartedServer(http.HandlerFunc(o.called))
	o.hook.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.hook.TLS = config
	o.hook.StartTLS()
	o.Hook = "https://localhost:" + o.hook.URL[strings.LastIndexByte(o.hook.URL, ':')+1:] + "/events"
	return o, nil
}

// certified makes a certificate, of an authority that is itself, and writes it to file.
func certified(dir, file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "outside"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(20, 0, 0),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o600)
}

// Close ends both.
func (o *Outside) Close() {
	o.hook.Close()
	_ = o.smtp.Close() // its error is Serve's
	<-o.served
}

type quietLog struct{}

func (quietLog) Printf(string, ...any) {}
func (quietLog) Println(...any)        {}

func (o *Outside) called(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || o.Down.Load() {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	o.mu.Lock()
	o.calls = append(o.calls, Call{r.Header.Clone(), body})
	o.mu.Unlock()
	time.Sleep(o.Slow)
}

// Mails are those that arrived so far.
func (o *Outside) Mails() []Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Mail(nil), o.mails...)
}

// Calls are the webhooks that arrived so far.
func (o *Outside) Calls() []Call {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Call(nil), o.calls...)
}

// NewSession implements smtp.Backend.
func (o *Outside) NewSession(c *smtp.Conn) (smtp.Session, error) {
	if o.Down.Load() {
		return nil, errors.New("away")
	}
	return &mailSession{o: o, c: c}, nil
}

type mailSession struct {
	o  *Outside
	c  *smtp.Conn
	to string
}

// Mail implements smtp.Session: nothing is taken in the clear.
func (s *mailSession) Mail(string, *smtp.MailOptions) error {
	if _, secure := s.c.TLSConnectionState(); !secure {
		return errors.New("STARTTLS first")
	}
	return nil
}

// Rcpt implements smtp.Session.
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	return nil
}

// Data implements smtp.Session.
func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := netmail.ReadMessage(bufio.NewReader(bytes.NewReader(raw)))
	if err != nil {
		return err
	}
	text, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	s.o.mu.Lock()
	s.o.mails = append(s.o.mails, Mail{To: s.to, ID: m.Header.Get("Message-Id"), Subject: m.Header.Get("Subject"), Text: string(text),
		Keys: strings.Fields(m.Header.Get("X-Sallyport-Notices"))})
	s.o.mu.Unlock()
	time.Sleep(s.o.Slow)
	return nil
}

// Reset implements smtp.Session.
func (*mailSession) Reset() {}

// Logout implements smtp.Session.
func (*mailSession) Logout() error { return nil }
