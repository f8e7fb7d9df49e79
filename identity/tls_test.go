package identity

import (
	"crypto/fips140"
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"github.com/sallyport/sallyport/snapshot"
)

// dial does one handshake with the world's server.
func (w *world) dial(change func(*tls.Config)) (tls.ConnectionState, error) {
	config := ClientTLS(w.device, w.ca.Pool())
	config.Time = w.now
	if change != nil {
		change(config)
	}
	conn, err := tls.Dial("tcp", w.base[len("https://"):], config)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	return conn.ConnectionState(), nil
}

// Whatever the client offers, the server takes the post-quantum hybrid first.
func TestKeyExchange(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name   string
		offers []tls.CurveID
		want   tls.CurveID
	}{
		{"ours", keyExchanges(), tls.X25519MLKEM768},
		{"Go's default", nil, tls.X25519MLKEM768},
		{"hybrid of NIST's curve", []tls.CurveID{tls.SecP256r1MLKEM768, tls.CurveP256}, tls.SecP256r1MLKEM768},
		{"X25519", []tls.CurveID{tls.X25519, tls.CurveP256}, map[bool]tls.CurveID{false: tls.X25519, true: tls.CurveP256}[fips140.Enabled()]},
		{"P-256", []tls.CurveID{tls.CurveP256}, tls.CurveP256},
		{"P-384", []tls.CurveID{tls.CurveP384}, tls.CurveP384},
	} {
		state, err := w.dial(func(c *tls.Config) { c.CurvePreferences = tc.offers })
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if state.CurveID != tc.want || state.Version != tls.VersionTLS13 {
			t.Errorf("%s: got %v, TLS %x; want %v", tc.name, state.CurveID, state.Version, tc.want)
		}
	}
	if _, err := w.dial(func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.CurveP521} }); err == nil {
		t.Error("a key exchange that is not on the list was accepted")
	}
}

func TestTLS12IsRefused(t *testing.T) {
	w := newWorld(t)
	if _, err := w.dial(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

// Each connection proves the client's key anew.
func TestNoResumption(t *testing.T) {
	w := newWorld(t)
	cache := tls.NewLRUClientSessionCache(4)
	for range 3 {
		hc := w.http(w.device)
		config := ClientTLS(w.device, w.ca.Pool())
		config.Time, config.ClientSessionCache = w.now, cache
		*hc = *NewHTTPClient(config)
		resp, err := hc.Get(w.base + "/fhir/.well-known/smart-configuration")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		hc.CloseIdleConnections()
		if resp.TLS.DidResume {
			t.Fatal("a session was resumed")
		}
	}
}

func TestPins(t *testing.T) {
	w := newWorld(t)
	pin := func(keys ...snapshot.KeyDigest) error {
		config := ClientTLS(w.device, w.ca.Pool(), keys...)
		_, err := w.dial(func(c *tls.Config) { c.VerifyConnection = config.VerifyConnection })
		return err
	}
	if err := pin(digestSPKI(w.ca.cert.RawSubjectPublicKeyInfo)); err != nil {
		t.Errorf("the authority's key pinned: %v", err)
	}
	if err := pin(w.device.KeyDigest()); err == nil {
		t.Error("a server with another key was accepted")
	}
}

// A certificate that is replaced on disk is served without a restart, and a
// damaged one never replaces a good one.
func TestServerCertificateReload(t *testing.T) {
	dir := t.TempDir()
	a := must[*Authority](t)(CreateAuthority(filepath.Join(dir, "ca"), "Mercy Hospital", start))
	certFile, keyFile := filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	put := func(at time.Time) *Credential {
		c := must[*Credential](t)(a.IssueServer([]string{"localhost"}, at))
		os.Remove(certFile)
		os.Remove(keyFile)
		if err := c.Write(certFile, keyFile); err != nil {
			t.Fatal(err)
		}
		// A file system's clock can be coarse; a renewal is days later.
		os.Chtimes(certFile, at, at)
		return c
	}
	first := put(start)
	s := must[*ServerCertificate](t)(ServerCertificateFiles(certFile, keyFile, start))
	if !s.NotAfter().Equal(first.NotAfter()) {
		t.Fatal("the first certificate is not served")
	}
	second := put(start.Add(24 * time.Hour))
	if err := s.Refresh(start); err != nil || !s.NotAfter().Equal(second.NotAfter()) {
		t.Errorf("after the change: %v, ends %v, want %v", err, s.NotAfter(), second.NotAfter())
	}
	if err := os.WriteFile(certFile, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Refresh(start); err == nil || !s.NotAfter().Equal(second.NotAfter()) {
			t.Errorf("damaged file: error %v, ends %v; want an error each time, and the old certificate", err, s.NotAfter())
		}
	}
	third := put(start.Add(48 * time.Hour))
	if err := s.Refresh(start); err != nil || !s.NotAfter().Equal(third.NotAfter()) {
		t.Errorf("mended file: %v, ends %v", err, s.NotAfter())
	}
	if _, err := ServerCertificateFiles(filepath.Join(dir, "none"), keyFile, start); err == nil {
		t.Error("a start without a certificate")
	}
}

// The built-in authority renews the server's certificate in time, by itself,
// and the watcher ends when it is told to.
func TestServerCertificateRenewsItself(t *testing.T) {
	a := must[*Authority](t)(CreateAuthority(filepath.Join(t.TempDir(), "ca"), "Mercy Hospital", start))
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		now := func() time.Time { return start.Add(time.Since(began)) }
		s := must[*ServerCertificate](t)(a.ServerCertificate([]string{"127.0.0.1"}, now()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); s.Watch(ctx, time.Hour, now, slog.New(slog.DiscardHandler)) }()
		first := s.NotAfter()
		time.Sleep(ServerLife*2/3 - 2*time.Hour)
		synctest.Wait()
		if !s.NotAfter().Equal(first) {
			t.Error("renewed too early")
		}
		for range 90 * 24 {
			time.Sleep(time.Hour)
			synctest.Wait()
			if left := s.NotAfter().Sub(now()); left < ServerLife/3-2*time.Hour {
				t.Fatalf("only %v left", left)
			}
		}
		cancel()
		<-done
	})
}

func TestServerNames(t *testing.T) {
	a := must[*Authority](t)(CreateAuthority(filepath.Join(t.TempDir(), "ca"), "Mercy Hospital", start))
	c := must[*Credential](t)(a.IssueServer([]string{"localhost", "127.0.0.1", "::1"}, start))
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := c.leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if c.leaf.VerifyHostname("example.org") == nil || len(c.leaf.IPAddresses) != 2 || !c.leaf.IPAddresses[0].Equal(net.IPv4(127, 0, 0, 1)) {
		t.Error("names are not those asked for")
	}
	for _, names := range [][]string{nil, {""}} {
		if _, err := a.IssueServer(names, start); err == nil {
			t.Errorf("names %q were accepted", names)
		}
	}
}

func TestServerCertificateZero(t *testing.T) {
	var s ServerCertificate
	if c, err := s.get(); err == nil || c != nil {
		t.Error("the zero ServerCertificate serves something")
	}
}
