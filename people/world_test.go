package people_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/server"
	"github.com/sallyport/sallyport/snapshot"
)

// world is a whole Sallyport in this process, whose clock a test can set forward.
type world struct {
	t       *testing.T
	server  *server.Server
	config  *server.Config
	base    string // the pages
	api     string
	gateway string
	log     *output
	ca      string

	mu    sync.Mutex
	ahead time.Duration
	still time.Time // zero: the clock goes on
}

type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.still.IsZero() {
		return w.still
	}
	return time.Now().Add(w.ahead)
}

// stand stops the clock but for forward, so that a rate does not depend on how fast the
// machine is.
func (w *world) stand() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.still = time.Now().Add(w.ahead)
}

func (w *world) forward(d time.Duration) {
	w.mu.Lock()
	w.ahead += d
	if !w.still.IsZero() {
		w.still = w.still.Add(d)
	}
	w.mu.Unlock()
	if err := w.server.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// start makes an installation with Ada alone. configure may change the text of the
// configuration.
func start(t *testing.T, configure ...func(string) string) *world {
	t.Helper()
	w := &world{t: t, log: new(output)}
	var l [4]net.Listener
	var ports [4]int
	for i := range l {
		var err error
		if l[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
		ports[i] = l[i].Addr().(*net.TCPAddr).Port
	}
	w.gateway, w.api, w.base = fmt.Sprintf("https://localhost:%d", ports[0]), fmt.Sprintf("https://localhost:%d", ports[1]), fmt.Sprintf("https://localhost:%d", ports[3])
	dir := filepath.Join(t.TempDir(), "box")
	file, err := server.Init(t.Context(), server.Setup{Dir: dir, Organisation: "Mercy Valley Health", Node: "node", Person: "ada", PersonName: "Ada Example",
		SourceID: "ehr", SourceURL: "https://fhir.example.org/r4", Host: "localhost", GatewayPort: ports[0], APIPort: ports[1], HealthPort: ports[2], PeoplePort: ports[3], Now: w.now})
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range configure {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if w.config, err = server.Load(file); err != nil {
		t.Fatal(err)
	}
	w.ca = w.config.Data("people", "ca.crt")
	ctx, cancel := context.WithCancel(context.Background()) // outlives the test's own, which ends before its cleanup
	w.server, err = server.Open(ctx, w.config, server.Options{Now: w.now, Version: "test", Logger: slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Listeners: &server.Listeners{Gateway: l[0], API: l[1], Health: l[2], People: l[3]}})
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return w
}

// person is the HTTP client of one of the organisation's people, by certificate.
func (w *world) person(p id.Person) *http.Client {
	w.t.Helper()
	cred, err := identity.ReadCredential(w.config.Data("people", string(p)+".crt"), w.config.Data("people", string(p)+".key"))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.client(cred)
}

func (w *world) client(cred *identity.Credential) *http.Client {
	w.t.Helper()
	roots, err := identity.PoolFromFiles(w.ca)
	if err != nil {
		w.t.Fatal(err)
	}
	hc := identity.NewHTTPClient(identity.ClientTLS(cred, roots))
	w.t.Cleanup(hc.CloseIdleConnections)
	return hc
}

// try does an act over the API; header is what else is sent.
func (w *world) try(hc *http.Client, path string, act any, header ...string) (int, *problem.Problem) {
	w.t.Helper()
	raw, err := json.Marshal(map[string]any{"reason": "test", "act": act})
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, w.api+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := hc.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	p := new(problem.Problem)
	_ = json.Unmarshal(body, p) // an answer of success is none
	return resp.StatusCode, p
}

func (w *world) must(hc *http.Client, path string, act any) {
	w.t.Helper()
	if status, p := w.try(hc, path, act); status != 200 {
		w.t.Fatalf("%s: %d %v", path, status, p)
	}
}

type fields = map[string]any

// withGrace admits Grace, by certificate, so that two people can decide.
func (w *world) withGrace() (ada, grace *http.Client) {
	w.t.Helper()
	ada = w.person("ada")
	cred, err := server.IssuePerson(w.config, "grace", w.now())
	if err != nil {
		w.t.Fatal(err)
	}
	all := []string{"operator", "privacy-officer", "security-officer", "data-owner", "procurement"}
	w.must(ada, "/v1/persons", fields{"id": "grace", "name": "Grace Example", "classification": "workforce", "basis": "employee", "duties": all, "key_sha256": cred.KeyDigest()})
	w.must(ada, "/v1/organisation/second-person", fields{"id": "grace"})
	grace = w.person("grace")
	w.must(grace, "/v1/persons/ada/amend-duties", fields{"duties": all})
	return ada, grace
}

func (w *world) who(p id.Person) *snapshot.Person {
	w.t.Helper()
	x, ok := w.server.View().Persons.Get(p)
	if !ok {
		w.t.Fatalf("there is no %s", p)
	}
	return x
}

// live lists the person's sessions that count.
func (w *world) live(p id.Person) []*snapshot.Session {
	var out []*snapshot.Session
	for _, s := range w.server.View().SessionsOf(p) {
		if s.Live(w.now()) {
			out = append(out, s)
		}
	}
	return out
}

// keptQuiet wants none of these in the log of the server or in its record.
func (w *world) keptQuiet(secrets ...string) {
	w.t.Helper()
	text := w.log.String()
	var kept []byte
	err := filepath.WalkDir(w.config.Data("audit"), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var raw []byte
			raw, err = os.ReadFile(path)
			kept = append(kept, raw...)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range secrets {
		if s == "" {
			w.t.Error("an empty secret is looked for")
		}
		if strings.Contains(text, s) || bytes.Contains(kept, []byte(s)) {
			w.t.Errorf("a secret is in the log or the record")
		}
	}
}

func newCode(t *testing.T) (code, code256 string) {
	t.Helper()
	code = signin.NewCode()
	code256, ok := signin.CodeDigest(code)
	if !ok {
		t.Fatal("a code that is none")
	}
	return code, code256
}
