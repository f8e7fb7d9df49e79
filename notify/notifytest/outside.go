// Package notifytest is where notices go in tests and trials: a real mail server and an
// address for webhooks, on loopback, which remember what arrived.
package notifytest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
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

	"github.com/sallyport/sallyport/identity"
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

// Start starts both; what they need is in dir, which must not exist. The mail server's
// certificate is good by the clock, which is that of who sends; that of the address for
// webhooks by the machine's.
func Start(dir string, now func() time.Time) (*Outside, error) {
	o := &Outside{}
	authority, err := identity.CreateAuthority(dir, "outside", time.Now())
	if err != nil {
		return nil, err
	}
	issued := func(now time.Time) (*tls.Certificate, error) {
		cred, err := authority.IssueServer([]string{"localhost", "127.0.0.1"}, now)
		if err != nil {
			return nil, err
		}
		c := cred.TLS()
		return &c, nil
	}
	o.CAFile = filepath.Join(dir, "outside-ca.pem")
	if err := os.WriteFile(o.CAFile, authority.CertificatePEM(), 0o600); err != nil {
		return nil, err
	}
	config := func(now func() time.Time) *tls.Config {
		return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return issued(now()) }, MinVersion: tls.VersionTLS12}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o.smtp = smtp.NewServer(o)
	o.smtp.Domain, o.smtp.TLSConfig, o.smtp.ErrorLog = "localhost", config(now), quietLog{}
	o.smtp.ReadTimeout, o.smtp.WriteTimeout = 10*time.Second, 10*time.Second
	o.served = make(chan error, 1)
	go func() { o.served <- o.smtp.Serve(l) }()
	o.Mail = l.Addr().String()
	o.hook = httptest.NewUnstartedServer(http.HandlerFunc(o.called))
	o.hook.Config.ErrorLog = log.New(io.Discard, "", 0)
	o.hook.TLS = config(time.Now)
	o.hook.StartTLS()
	o.Hook = "https://localhost:" + o.hook.URL[strings.LastIndexByte(o.hook.URL, ':')+1:] + "/events"
	return o, nil
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
