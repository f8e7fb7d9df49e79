package identity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/problem"
)

// keyExchanges are offered by servers and clients alike. Go picks the hybrid
// post-quantum ones (FIPS 203 with a curve) before the curves, whatever the
// order here; in FIPS mode it leaves out plain X25519 by itself.
func keyExchanges() []tls.CurveID {
	return []tls.CurveID{tls.X25519MLKEM768, tls.SecP256r1MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}
}

// ServerTLS is the configuration of every listener that outsiders or the
// organisation's people reach. TLS 1.3 only.
//
// A client certificate is asked for, and the handshake proves that the client
// holds its key, but whether it is trusted is settled by the Verifier, once a
// connection. So a stranger, with no certificate or with one of another
// authority, gets a bare 401 like every other stranger, and not a TLS alert
// that tells which check failed. Nothing may be served on such a listener
// except after Verifier.Caller or Verifier.Person.
//
// Session resumption is off: a resumed session proves a session ticket, not the
// client's key, and a ticket can be copied off a machine whose key cannot. A
// full handshake costs one or two milliseconds a connection, and connections
// are kept open.
func ServerTLS(cert *ServerCertificate, clients *x509.CertPool) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		CurvePreferences:       keyExchanges(),
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert.get() },
		ClientAuth:             tls.RequestClientCert,
		ClientCAs:              clients, // sent as a hint, so that clients pick the right certificate
		SessionTicketsDisabled: true,
		NextProtos:             []string{"h2", "http/1.1"},
	}
}

// ServerCertificate is the certificate that a server shows. It can be replaced
// while the server runs.
type ServerCertificate struct {
	current atomic.Pointer[Credential]

	authority *Authority // that issues it; nil: it comes from files

	mu   sync.Mutex // one refresh at a time
	next func(now time.Time, old *Credential) (*Credential, error)
}

// ServerCertificateFiles serves a certificate from two PEM files, and follows
// their changes.
func ServerCertificateFiles(certFile, keyFile string, now time.Time) (*ServerCertificate, error) {
	var seen [2]fileMark
	s := &ServerCertificate{next: func(_ time.Time, old *Credential) (*Credential, error) {
		marks := [2]fileMark{mark(certFile), mark(keyFile)}
		if old != nil && marks == seen {
			return old, nil
		}
		c, err := ReadCredential(certFile, keyFile)
		if err != nil {
			return nil, err // seen stays, so that the next refresh tries again
		}
		seen = marks
		return c, nil
	}}
	return s, s.Refresh(now)
}

// fileMark tells one state of a file from another.
type fileMark struct {
	size int64
	mod  time.Time
}

func mark(path string) fileMark {
	info, err := os.Stat(path)
	if err != nil {
		return fileMark{}
	}
	return fileMark{info.Size(), info.ModTime()}
}

// ServerCertificate issues a certificate for the names and renews it when a
// third of its life is left.
func (a *Authority) ServerCertificate(names []string, now time.Time) (*ServerCertificate, error) {
	s := &ServerCertificate{authority: a, next: func(now time.Time, old *Credential) (*Credential, error) {
		if old != nil && old.leaf.NotAfter.Sub(now) > ServerLife/3 {
			return old, nil
		}
		return a.IssueServer(names, now)
	}}
	return s, s.Refresh(now)
}

// Refresh takes up a changed file or renews the certificate, if it is time.
// After an error the old certificate goes on being served.
func (s *ServerCertificate) Refresh(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.next(now, s.current.Load())
	if err != nil {
		return err
	}
	s.current.Store(c)
	return nil
}

// Watch refreshes every so often until ctx ends, and logs what goes wrong.
func (s *ServerCertificate) Watch(ctx context.Context, every time.Duration, now func() time.Time, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.Refresh(now()); err != nil {
				p := problem.From(err)
				log.Error("the server certificate was not renewed", "problem", p.Error(), "cause", errors.Unwrap(p), "ends", s.NotAfter())
			}
		}
	}
}

// NotAfter is when the certificate that is served now ends; zero without one.
func (s *ServerCertificate) NotAfter() time.Time {
	if c := s.current.Load(); c != nil {
		return c.leaf.NotAfter
	}
	return time.Time{}
}

var errNoServerCertificate = errors.New("no server certificate")

func (s *ServerCertificate) get() (*tls.Certificate, error) {
	c := s.current.Load()
	if c == nil {
		return nil, errNoServerCertificate
	}
	cert := c.TLS()
	return &cert, nil
}
