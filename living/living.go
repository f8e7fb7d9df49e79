// Package living is an organisation with a past: a synthetic hospital, Sallyport in
// front of it, its people, and three outside vendors in different states, with seven
// months behind them. `sallyport demo` opens on it; the console is tested and
// photographed with it.
//
// Nothing of the past is written down as past. The clock begins seven months before
// the caller's and is moved forward; people act through the HTTP API, by certificate or
// signed in with a passkey, vendors' programs ask the gateway over mutual TLS with
// tokens of their own, and vendors' contacts open their links. So what a screen shows
// was decided by the product, and the log of it verifies.
//
// Nobody in it is real, and no patient. The passkeys of its people are keys in this
// process's memory (see passkey.go), which is why it is for demonstrations and tests,
// and the server knows nothing of it: of the program only the command `demo` imports it.
//
// The story is in story*.go, in the order in which it happened; traffic.go is what the
// programs ask day by day; look.go says where to look.
package living

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/server"
)

// Options say how large the organisation is and where it is.
type Options struct {
	// Dir is a folder that exists; everything is written into it, and nothing outside.
	Dir string
	// Patients is how many the hospital has; 0: 150. Records replace them, for tests that
	// look for what must not be found.
	Patients int
	Records  *hospital.Records
	// Ports are where to listen on loopback; 0 or taken: any other.
	Ports Ports
	// Now is the caller's clock; nil: the machine's.
	Now func() time.Time
	// Logger is the server's; nil: none.
	Logger *slog.Logger
	// Progress hears how far the past has come; nil: nobody. It is called in the
	// goroutine of Start.
	Progress func(done, total int, what string)
	// Seed decides what the programs ask and when.
	Seed uint64
	// Quick asks for a tenth of the requests, for tests. The acts are the same.
	Quick bool
	// Version is what the server calls itself.
	Version string
}

// Ports are those of the four doors.
type Ports struct{ Gateway, API, Health, People int }

// Organisation is the hospital, its Sallyport and who takes part. Times and states are
// those of the end of the story: now.
type Organisation struct {
	Clock    *Clock
	Dir      string
	Config   *server.Config
	Hospital *hospital.Server
	Records  *hospital.Records
	Upstream string // FHIR base
	Server   *server.Server

	Pages   string // the people's pages: https://localhost:port
	API     string
	Gateway string
	Health  string // http://...
	CA      string // file: who vouches for all of them

	People   map[id.Person]*Person
	Programs map[id.App]*Program

	o       Options
	roots   roots
	cancel  context.CancelFunc
	running []chan error
}

// Name is the organisation's.
const Name = "Mercy Valley Health"

// Source is the hospital's record system.
const Source = id.Source("ehr")

// Start makes the organisation and lets its past happen. The caller stops it.
func Start(ctx context.Context, o Options) (_ *Organisation, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Patients == 0 {
		o.Patients = 150
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	if o.Version == "" {
		o.Version = "demo"
	}
	org := &Organisation{Clock: &Clock{real: o.Now}, Dir: o.Dir, People: map[id.Person]*Person{}, Programs: map[id.App]*Program{}, o: o}
	org.Clock.behind.Store(int64(past))
	ctx, org.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, org.Stop())
		}
	}()
	if err := org.open(ctx); err != nil {
		return nil, err
	}
	if err := org.tell(ctx); err != nil {
		return nil, err
	}
	return org, nil
}

// Stop ends everything and waits for it. Stopping what is stopped does nothing.
func (o *Organisation) Stop() error {
	o.cancel()
	var errs []error
	for _, done := range o.running {
		errs = append(errs, <-done)
	}
	o.running = nil
	for _, p := range o.People {
		p.close()
	}
	for _, p := range o.Programs {
		p.http.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

// reach is how the hospital's record system is reached: files, by the configuration's
// folder, and the digest of its certificate.
type reach struct{ ca, cert, key, pin string }

// hospital starts the hospital's record system. It wants the gateway's certificate, and
// the gateway knows its: by the machine's clock, which is how the gateway judges sources.
func (o *Organisation) hospital(ctx context.Context) (r reach, err error) {
	dir := filepath.Join(o.Dir, "hospital")
	authority, err := identity.CreateAuthority(dir, Name+", record system", time.Now())
	if err != nil {
		return r, err
	}
	cred, err := authority.IssueServer([]string{"127.0.0.1"}, time.Now())
	if err != nil {
		return r, err
	}
	client, err := authority.IssueClient(identity.DeviceSubject("sallyport-gateway"), identity.ClientLife, time.Now())
	if err != nil {
		return r, err
	}
	if err := client.Write(filepath.Join(dir, "gateway.crt"), filepath.Join(dir, "gateway.key")); err != nil {
		return r, err
	}
	pair := cred.TLS()
	sum := sha256.Sum256(pair.Certificate[0])
	r = reach{ca: "../hospital/authority.pem", cert: "../hospital/gateway.crt", key: "../hospital/gateway.key", pin: hex.EncodeToString(sum[:])}
	l, err := listen(0)
	if err != nil {
		return r, fmt.Errorf("listening for the hospital: %w", err)
	}
	if o.Records = o.o.Records; o.Records == nil {
		o.Records = hospital.Generate(o.o.Seed+1, o.o.Patients)
	}
	o.Hospital = hospital.NewServer(o.Records, hospital.Options{Auth: hospital.Auth{Certificate: true}})
	o.Upstream = fmt.Sprintf("https://127.0.0.1:%d/fhir", portOf(l))
	srv := &http.Server{Handler: o.Hospital, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.Pool(), MinVersion: tls.VersionTLS13}}
	o.run(func() error {
		if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	context.AfterFunc(ctx, func() { _ = srv.Close() }) // its error is Serve's
	return r, nil
}

// open starts the hospital and Sallyport.
func (o *Organisation) open(ctx context.Context) error {
	ehr, err := o.hospital(ctx)
	if err != nil {
		return err
	}
	l := &server.Listeners{}
	for _, x := range []struct {
		port int
		into *net.Listener
	}{{o.o.Ports.Gateway, &l.Gateway}, {o.o.Ports.API, &l.API}, {o.o.Ports.Health, &l.Health}, {o.o.Ports.People, &l.People}} {
		if *x.into, err = listen(x.port); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
	}
	o.Gateway, o.API = localhost(l.Gateway), localhost(l.API)
	o.Pages, o.Health = localhost(l.People), fmt.Sprintf("http://127.0.0.1:%d", portOf(l.Health))
	home := filepath.Join(o.Dir, "sallyport")
	file, err := server.Init(ctx, server.Setup{Dir: home, Organisation: Name, Node: "mercy-1", Person: Ada, PersonName: "Ada Example",
		SourceID: Source, SourceURL: o.Upstream, Host: "localhost", GatewayPort: portOf(l.Gateway), APIPort: portOf(l.API), HealthPort: portOf(l.Health),
		PeoplePort: portOf(l.People), Now: o.Clock.Now})
	if err != nil {
		return err
	}
	if err := configure(file, ehr); err != nil {
		return err
	}
	if o.Config, err = server.Load(file); err != nil {
		return err
	}
	o.CA = o.Config.Data("people", "ca.crt")
	if o.roots, err = readRoots(o.CA, o.Clock.Now); err != nil {
		return err
	}
	o.Server, err = server.Open(ctx, o.Config, server.Options{Now: o.Clock.Now, Logger: o.o.Logger, Version: o.o.Version, Listeners: l})
	if err != nil {
		return err
	}
	o.run(func() error { return o.Server.Run(ctx) })
	return nil
}

func (o *Organisation) run(f func() error) {
	done := make(chan error, 1)
	o.running = append(o.running, done)
	go func() { done <- f() }()
}

// TLS is what the people's door shows to browsers, for a page of the demonstration's
// own beside it: the same certificate, so that a browser that was told to go on is
// asked no second time.
func (o *Organisation) TLS() *tls.Config {
	c := o.Server.TLS()
	c.ClientAuth = tls.NoClientCert
	return c
}

// listen opens a port of loopback; taken, any other will do.
func listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil && port != 0 {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return l, err
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func localhost(l net.Listener) string { return fmt.Sprintf("https://localhost:%d", portOf(l)) }
