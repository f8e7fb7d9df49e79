package gateway

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/problem"
)

// legSource is a source over TLS as configured, and what the gateway knows of it.
func legSource(t *testing.T, config *tls.Config, change func(*SourceConfig, *x509.Certificate)) *Source {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	srv.TLS = config
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	c := SourceConfig{ID: "ehr", BaseURL: srv.URL, RootCAs: roots}
	if change != nil {
		change(&c, srv.Certificate())
	}
	s, err := NewSource(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.conns.close)
	return s
}

func hex256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestPinsOfASource(t *testing.T) {
	other := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		pins func(*x509.Certificate) []string
		ok   bool
	}{
		"none":                 {func(*x509.Certificate) []string { return nil }, true},
		"its certificate":      {func(c *x509.Certificate) []string { return []string{other, hex256(c.Raw)} }, true},
		"its key":              {func(c *x509.Certificate) []string { return []string{hex256(c.RawSubjectPublicKeyInfo)} }, true},
		"another":              {func(*x509.Certificate) []string { return []string{other} }, false},
		"in capitals":          {func(c *x509.Certificate) []string { return []string{strings.ToUpper(hex256(c.Raw))} }, false}, // the configuration refuses it before
		"an empty one":         {func(*x509.Certificate) []string { return []string{""} }, false},
		"its certificate, cut": {func(c *x509.Certificate) []string { return []string{hex256(c.Raw)[:62]} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := legSource(t, nil, func(config *SourceConfig, cert *x509.Certificate) { config.Pins = c.pins(cert) })
			resp, err := s.get(t.Context(), "/metadata")
			if (err == nil) != c.ok {
				t.Fatalf("got %v, want %v", err, c.ok)
			}
			if err != nil {
				if p := problem.From(err); p.Kind != problem.UpstreamFail || !errors.Is(err, errPinned) {
					t.Errorf("got %v, cause %v", p.Kind, errors.Unwrap(p))
				}
				return
			}
			resp.Body.Close()
		})
	}
	// A pin comes on top of the authority and never in its place.
	s := legSource(t, nil, func(config *SourceConfig, cert *x509.Certificate) {
		config.RootCAs, config.Pins = x509.NewCertPool(), []string{hex256(cert.Raw)}
	})
	if _, err := s.get(t.Context(), "/metadata"); err == nil {
		t.Error("a pinned certificate of an authority that nobody trusts was accepted")
	}
}

func TestTheLegIsAsNegotiated(t *testing.T) {
	for name, c := range map[string]struct {
		config *tls.Config
		want   audit.Leg
	}{
		"TLS 1.3":                  {&tls.Config{MinVersion: tls.VersionTLS13}, audit.Leg{TLS: "1.3", KeyExchange: "X25519MLKEM768"}},
		"TLS 1.3 without a hybrid": {&tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}, audit.Leg{TLS: "1.3", KeyExchange: "CurveP384"}},
		"TLS 1.2":                  {&tls.Config{MaxVersion: tls.VersionTLS12, CurvePreferences: []tls.CurveID{tls.CurveP256}}, audit.Leg{TLS: "1.2", KeyExchange: "CurveP256"}},
	} {
		s := legSource(t, c.config, func(_ *SourceConfig, cert *x509.Certificate) { c.want.Certificate = sha256.Sum256(cert.Raw) })
		for range 2 { // on a kept connection too
			resp, err := s.get(t.Context(), "/metadata")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := legOf(resp); got != c.want {
				t.Errorf("%s: got %+v, want %+v", name, got, c.want)
			}
			resp.Body.Close()
		}
	}
	s := legSource(t, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, nil)
	if _, err := s.get(t.Context(), "/metadata"); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(plain.Close)
	local, err := NewSource(SourceConfig{ID: "ehr", BaseURL: plain.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(local.conns.close)
	resp, err := local.get(t.Context(), "/metadata")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := legOf(resp); got != (audit.Leg{TLS: "none"}) {
		t.Errorf("plain, on loopback: got %+v", got)
	}
}

// A release that came over two legs is as well protected as the weaker.
func TestTheWeakestLegIsRecorded(t *testing.T) {
	strong, weak := audit.Leg{TLS: "1.3", KeyExchange: "X25519"}, audit.Leg{TLS: "1.2"}
	d := new(Desk)
	if got := d.upstreamLeg(); got != (audit.Leg{}) {
		t.Errorf("before an answer: got %+v", got)
	}
	for _, l := range []audit.Leg{strong, weak, strong} {
		d.came(l)
	}
	if got := d.upstreamLeg(); got != weak {
		t.Errorf("got %+v, want %+v", got, weak)
	}
	d.came(audit.Leg{TLS: "none"})
	if got := d.upstreamLeg(); got.TLS != "none" {
		t.Errorf("got %+v", got)
	}
	if got := (*Desk)(nil).upstreamLeg(); got != (audit.Leg{}) {
		t.Errorf("without a desk: got %+v", got)
	}
}
