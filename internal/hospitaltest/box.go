// Package hospitaltest is a hospital in a box, for tests of the whole product:
// a synthetic hospital, Sallyport in front of it with a real database, log,
// vault and TLS, two of the organisation's people and an outside vendor. Nothing
// is replaced but the outside and the clock. People act through the HTTP API,
// the vendor's program gets its token by private_key_jwt over mutual TLS.
//
// node/ holds a FHIR server and a FHIR client that others wrote; see node.go.
package hospitaltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// What registrytest.Demo names the vendor's things.
const (
	Source     = id.Source("ehr")
	Vendor     = id.Vendor("northwind")
	Device     = id.Device("northwind-gpu-1")
	App        = id.App("triage")
	Role       = id.Role("triage-reader")
	Engagement = id.Engagement("triage-eval")
	Grant      = id.Grant("triage-grant")
	BAA        = id.Agreement("northwind-baa")
	Contract   = id.Agreement("northwind-contract")
)

// Node is the name of Sallyport's log.
const Node = "box-1"

// Options say what is in the box. The zero value is a small hospital behind a
// Sallyport on SQLite.
type Options struct {
	Records  *hospital.Records // nil: five synthetic patients
	Hospital hospital.Options
	// Upstream is the base of another FHIR server, in the hospital's place.
	Upstream string
	// Database is a PostgreSQL URL; empty is SQLite.
	Database string
	// Role changes the role that the vendor's program gets; nil leaves
	// registrytest.Role.
	Role func(*registry.DefineRole)
	// Terms changes the terms of the agreements; nil leaves registrytest.Terms.
	Terms func(map[string]snapshot.Term)
	// Configure changes the text of the configuration.
	Configure func(string) string
	// Before is called with the configuration before Sallyport starts, and
	// before each Restart.
	Before func(*server.Config)
	// Program is the path of the sallyport program. With it Sallyport runs as a
	// process of its own, which can be killed; its clock is the machine's.
	Program string
	// People has pages for people with browsers, at Box.Pages.
	People bool
	// Still leaves Sallyport stopped.
	Still bool
}

// Box is the hospital, Sallyport and who takes part.
type Box struct {
	Clock    *Clock
	Hospital *hospital.Server // nil where Options.Upstream is set
	Upstream string           // FHIR base
	Log      *Output          // what Sallyport has written to its log
	Dir      string           // of the installation
	File     string           // the configuration
	Gateway  string           // https://localhost:port
	API      string
	Health   string // http://...
	Pages    string // https://..., with Options.People
	People   map[id.Person]*Person
	Client   *Client // the vendor's program

	t       testing.TB
	o       Options
	ports   [4]int
	running running
}

// running is a Sallyport that runs: in this process or as another.
type running interface {
	// stop ends it as an operator would, and says how it ended.
	stop() error
	// kill ends it as a power cut would.
	kill() error
}

// Start makes and starts everything. It is stopped when the test ends, and a
// Sallyport that does not end well fails the test.
func Start(t testing.TB, o Options) *Box {
	t.Helper()
	b := &Box{Clock: new(Clock), Log: new(Output), Dir: filepath.Join(t.TempDir(), "sallyport"), People: map[id.Person]*Person{}, t: t, o: o, Upstream: o.Upstream}
	if b.Upstream == "" {
		records := o.Records
		if records == nil {
			records = hospital.Generate(1, 5)
		}
		b.Hospital = hospital.NewServer(records, o.Hospital)
		srv := httptest.NewUnstartedServer(b.Hospital)
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // faults abort handlers on purpose
		srv.Start()
		t.Cleanup(srv.Close)
		b.Upstream = srv.URL + "/fhir"
	}
	b.places()
	var err error
	b.File, err = server.Init(t.Context(), server.Setup{Dir: b.Dir, Organisation: "Mercy Valley Health", Node: Node,
		Person: registrytest.Ada, PersonName: "Ada Example", SourceID: Source, SourceURL: b.Upstream, Host: "localhost",
		GatewayPort: b.ports[0], APIPort: b.ports[1], HealthPort: b.ports[2], PeoplePort: b.peoplePort(), Database: o.Database, Now: b.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if o.Configure != nil {
		b.Rewrite(o.Configure)
	}
	b.enrol()
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Errorf("stopping Sallyport: %v", err)
		}
	})
	if !o.Still {
		if err := b.Run(); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// places chooses the ports.
func (b *Box) places() {
	b.t.Helper()
	first := need.Ports(b.t, len(b.ports))
	for i := range b.ports {
		b.ports[i] = first + i
	}
	b.Gateway = fmt.Sprintf("https://localhost:%d", b.ports[0])
	b.API = fmt.Sprintf("https://localhost:%d", b.ports[1])
	b.Health = fmt.Sprintf("http://127.0.0.1:%d", b.ports[2])
	b.Pages = fmt.Sprintf("https://localhost:%d", b.ports[3])
}

func (b *Box) peoplePort() int {
	if !b.o.People {
		return 0
	}
	return b.ports[3]
}

// In is the box for another test to fail, a part of the one that started it or one that
// shares it. Only who started it may stop it.
func (b *Box) In(t testing.TB) *Box {
	in := *b
	in.t = t
	return &in
}

// Rewrite changes the configuration; it counts from the next start.
func (b *Box) Rewrite(f func(string) string) {
	b.t.Helper()
	text, err := os.ReadFile(b.File)
	if err != nil {
		b.t.Fatal(err)
	}
	changed := f(string(text))
	if changed == string(text) {
		b.t.Fatal("the configuration is not what the test thinks: nothing was changed in it")
	}
	if err := os.WriteFile(b.File, []byte(changed), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Data is a path in Sallyport's data directory.
func (b *Box) Data(elem ...string) string {
	return filepath.Join(append([]string{b.Dir, "data"}, elem...)...)
}

// Run starts Sallyport and waits until it is ready. An error says why it did
// not start: some tests are about that.
func (b *Box) Run() error {
	b.t.Helper()
	if b.running != nil {
		b.t.Fatal("Sallyport runs already")
	}
	var err error
	if b.o.Program != "" {
		b.running, err = b.runProgram()
	} else {
		b.running, err = b.runHere()
	}
	if err != nil {
		b.running = nil
		return err
	}
	return b.awaitReady()
}

// readyLimit is how long a start may take on a busy machine.
const readyLimit = time.Minute

func (b *Box) awaitReady() error {
	status, text := 0, ""
	for until := time.Now().Add(readyLimit); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		if status, text = b.Ready(); status == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("sallyport was not ready after %s: %d %s", readyLimit, status, text)
}

// Ready asks whether Sallyport is ready, and why it is not. 0 is no answer.
func (b *Box) Ready() (status int, text string) { return b.plain("/readyz") }

// Metrics is what a collector reads.
func (b *Box) Metrics() string {
	b.t.Helper()
	status, text := b.plain("/metrics")
	if status != http.StatusOK {
		b.t.Fatalf("metrics: %d", status)
	}
	return text
}

func (b *Box) plain(path string) (int, string) {
	hc := &http.Client{Timeout: readyLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := hc.Get(b.Health + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, strings.TrimSpace(string(raw))
}

// Stop ends Sallyport as an operator would. Stopping what is stopped does
// nothing.
func (b *Box) Stop() error { return b.end(running.stop) }

// Kill ends Sallyport as a power cut would; only Options.Program can be killed.
func (b *Box) Kill() error { return b.end(running.kill) }

func (b *Box) end(how func(running) error) error {
	r := b.running
	if r == nil {
		return nil
	}
	b.running = nil
	err := how(r)
	for _, p := range b.People {
		p.http.CloseIdleConnections()
	}
	if b.Client != nil {
		b.Client.HTTP.CloseIdleConnections()
	}
	return err
}

// Restart stops Sallyport and starts it again.
func (b *Box) Restart() {
	b.t.Helper()
	if err := b.Stop(); err != nil {
		b.t.Fatalf("stopping Sallyport: %v", err)
	}
	if err := b.Run(); err != nil {
		b.t.Fatalf("starting Sallyport again: %v", err)
	}
}

// here is a Sallyport in this process.
type here struct {
	server *server.Server
	cancel context.CancelFunc
	done   chan error
}

// FirstRun is the code that `sallyport serve` prints for the first person's first passkey.
// Sallyport must run in this process.
func (b *Box) FirstRun() (id.Person, string) {
	b.t.Helper()
	h, ok := b.running.(*here)
	if !ok {
		b.t.Fatal("Sallyport does not run in this process")
	}
	person, code, err := h.server.FirstRun()
	if err != nil {
		b.t.Fatal(err)
	}
	return person, code
}

// Advance sets the clock forward, and has the view of the registry confirmed by it, which
// Sallyport itself does every few seconds. It must run in this process.
func (b *Box) Advance(d time.Duration) {
	b.t.Helper()
	h, ok := b.running.(*here)
	if !ok {
		b.t.Fatal("Sallyport does not run in this process")
	}
	b.Clock.Move(d)
	if err := h.server.Refresh(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *Box) runHere() (running, error) {
	config, err := server.Load(b.File)
	if err != nil {
		return nil, err
	}
	if b.o.Before != nil {
		b.o.Before(config)
	}
	var l [4]net.Listener
	for i, port := range b.ports {
		if l[i], err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			return nil, errors.Join(err, closeAll(l[:i]))
		}
	}
	ctx, cancel := context.WithCancel(context.Background()) // outlives the test's own, which ends before its cleanup
	s, err := server.Open(ctx, config, server.Options{Now: b.Clock.Now, Version: "test",
		Logger:    slog.New(slog.NewJSONHandler(b.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Listeners: listeners(l, b.o.People)})
	if err != nil {
		cancel()
		return nil, errors.Join(err, closeAll(l[:]))
	}
	h := &here{server: s, cancel: cancel, done: make(chan error, 1)}
	go func() { h.done <- s.Run(ctx) }()
	return h, nil
}

func listeners(l [4]net.Listener, people bool) *server.Listeners {
	out := &server.Listeners{Gateway: l[0], API: l[1], Health: l[2], People: l[3]}
	if !people {
		_ = l[3].Close() // nobody listens
		out.People = nil
	}
	return out
}

func closeAll(ls []net.Listener) error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

const stopLimit = time.Minute

func (h *here) stop() error {
	h.cancel()
	select {
	case err := <-h.done:
		return err
	case <-time.After(stopLimit):
		return fmt.Errorf("sallyport did not stop within %s", stopLimit)
	}
}

func (h *here) kill() error {
	return errors.New("hospitaltest: only a Sallyport with Options.Program can be killed")
}
