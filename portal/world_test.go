package portal_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/people"
	"github.com/sallyport/sallyport/portal"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/store"
)

// world is the demo's registry with the pages before it, behind the real door.
type world struct {
	t      *testing.T
	reg    *registry.Registry
	server *httptest.Server
	log    *safeBuffer

	mu    sync.Mutex
	ahead time.Duration
	still time.Time // zero: the clock goes on
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: &safeBuffer{}}
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	w.reg, err = registry.Open(t.Context(), registry.Options{Store: st, Log: &registrytest.Log{}, Engine: engine, Node: "node-1", Settings: registrytest.Settings(), Clock: w.now})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := registrytest.Demo{Now: time.Now().Add(-time.Minute)}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	if err := registrytest.Do(t.Context(), w.reg, steps); err != nil {
		t.Fatal(err)
	}
	layout, err := people.Layout()
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(w.log, nil))
	sessions := signin.NewSessions(signin.SessionsOptions{View: w.reg.View, Now: w.now})
	rest, err := portal.New(portal.Config{Organisation: "Mercy Valley Health", Layout: layout, Registry: w.reg, Sessions: sessions, Now: w.now, Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	door, err := people.New(people.Config{Organisation: "Mercy Valley Health", Registry: w.reg, Sessions: sessions, Now: w.now, Logger: logger, Rest: rest})
	if err != nil {
		t.Fatal(err)
	}
	w.server = httptest.NewTLSServer(door)
	t.Cleanup(w.server.Close)
	return w
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

// forward lets time pass; the registry is heard from in it.
func (w *world) forward(d time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	w.ahead += d
	if !w.still.IsZero() {
		w.still = w.still.Add(d)
	}
	w.mu.Unlock()
	if err := w.reg.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) must(by id.Person, a registry.Act) {
	w.t.Helper()
	if _, err := w.reg.Do(w.t.Context(), registry.Actor{Person: by}, a, registry.Meta{Reason: "test"}); err != nil {
		w.t.Fatalf("%T: %v", a, err)
	}
}

// client is a browser without script, with cookies of its own.
type client struct {
	w *world
	*http.Client
	status int
	body   string
	at     string
}

func (w *world) client() *client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := *w.server.Client()
	c.Jar = jar
	return &client{w: w, Client: &c}
}

// as gives the client a session of the person.
func (c *client) as(person id.Person) *client {
	c.w.t.Helper()
	secret, secret256 := signin.NewSecret()
	c.w.must(person, registry.StartSession{ID: id.New[id.Session](c.w.now()), Person: person, Secret256: secret256, Method: "passkey", Strong: true,
		ExpiresAt: c.w.now().Add(time.Hour).Truncate(time.Second)})
	u, _ := url.Parse(c.w.server.URL)
	c.Jar.SetCookies(u, []*http.Cookie{{Name: signin.CookieName, Value: secret, Secure: true, Path: "/"}})
	return c
}

// holding gives the client the code of a link.
func (c *client) holding(code string) *client {
	c.w.t.Helper()
	c.post("/portal/in", url.Values{"code": {code}})
	return c
}

func (c *client) get(path string) *client {
	c.w.t.Helper()
	return c.read(c.Get(c.w.server.URL + path))
}

func (c *client) post(path string, form url.Values) *client {
	c.w.t.Helper()
	return c.read(c.PostForm(c.w.server.URL+path, form))
}

func (c *client) read(resp *http.Response, err error) *client {
	c.w.t.Helper()
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	c.status, c.body, c.at = resp.StatusCode, string(raw), resp.Request.URL.Path
	return c
}

// wants checks the page: its status and what it says.
func (c *client) wants(status int, texts ...string) {
	c.w.t.Helper()
	if c.status != status {
		c.w.t.Fatalf("%s: got %d, want %d\n%s", c.at, c.status, status, c.body)
	}
	for _, text := range texts {
		if !strings.Contains(c.body, text) {
			c.w.t.Errorf("%s does not say %q:\n%s", c.at, text, c.body)
		}
	}
}
