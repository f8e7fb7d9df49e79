package console_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
)

// world is a whole Sallyport before a small hospital, with papers in force.
type world struct {
	t *testing.T
	b *hospitaltest.Box
}

// start makes a world for one test, which may do with it what it likes.
func start(t *testing.T) *world {
	t.Helper()
	b := hospitaltest.Start(t, hospitaltest.Options{People: true})
	b.Paper()
	return &world{t, b}
}

// office is the one world of the tests that only look, or whose acts are in nobody's way.
var office struct {
	once sync.Once
	w    *world
	ends binaryEnds
}

// shared is the office. Who shares it stops nothing, holds nothing and moves no clock.
func shared(t *testing.T) *world {
	t.Helper()
	office.once.Do(func() {
		office.ends.TB = t
		b := hospitaltest.Start(&office.ends, hospitaltest.Options{People: true})
		b.Paper()
		b.Enlist(auditor, registry.Auditor)
		office.w = &world{t, b}
	})
	if office.w == nil {
		t.Fatal("the office could not be started: see the test before")
	}
	return office.w.in(t)
}

// binaryEnds is a test in whose name something is started that lives until the binary's
// end.
type binaryEnds struct {
	testing.TB
	cleanups []func()
	errs     []error
}

func (e *binaryEnds) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *binaryEnds) Context() context.Context { return context.Background() }

func (e *binaryEnds) TempDir() string {
	dir, err := os.MkdirTemp("", "sallyport-console")
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { e.errs = append(e.errs, os.RemoveAll(dir)) })
	return dir
}

// end does what is to be done at the end; what fails then fails the binary.
func (e *binaryEnds) end() error {
	for _, f := range slices.Backward(e.cleanups) {
		f()
	}
	return errors.Join(e.errs...)
}

// Errorf notes what fails at the end, when the test is over.
func (e *binaryEnds) Errorf(format string, args ...any) {
	e.errs = append(e.errs, fmt.Errorf(format, args...))
}

// client is a browser without script, with cookies of its own.
type client struct {
	*http.Client
	w      *world
	status int
	header http.Header
	body   string
	at     string
	query  string
}

// as is somebody of the organisation, signed in by their certificate.
func (w *world) as(person id.Person) *client {
	w.t.Helper()
	roots, err := identity.PoolFromFiles(w.b.Data("people", "ca.crt"))
	if err != nil {
		w.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &client{Client: identity.NewHTTPClient(identity.ClientTLS(w.b.People[person].Credential, roots)), w: w}
	c.Jar = jar
	c.CheckRedirect = nil
	c.post("/signin/certificate", url.Values{"next": {"/"}})
	return c
}

// browser is Chromium, signed in as somebody of the organisation by a passkey of its own.
func (w *world) browser(person id.Person) *browser.Browser {
	w.t.Helper()
	code := signin.NewCode()
	code256, ok := signin.CodeDigest(code)
	if !ok {
		w.t.Fatal("a code that is none")
	}
	w.b.Act(person, registry.InvitePerson{ID: person, Code256: code256, ExpiresAt: w.b.Clock.Now().Add(time.Hour)})
	b := browser.Start(w.t, w.b.Pages)
	b.WithAuthenticator(true)
	b.Open(w.b.Pages + "/enroll")
	b.Type("#code", code)
	b.Press("form .main")
	b.Wants("Make your passkey")
	b.Press("form .main")
	b.Open(w.b.Pages + "/signin")
	b.Press("form[data-passkey] .main")
	b.Wants("Today")
	return b
}

func (c *client) get(path string) *client {
	c.w.t.Helper()
	return c.read(c.Get(c.w.b.Pages + path))
}

func (c *client) post(path string, form url.Values) *client {
	c.w.t.Helper()
	return c.read(c.PostForm(c.w.b.Pages+path, form))
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
	c.status, c.header, c.body, c.at, c.query = resp.StatusCode, resp.Header, string(raw), resp.Request.URL.Path, resp.Request.URL.RawQuery
	return c
}

// wants checks the page: its status and what it says.
func (c *client) wants(status int, texts ...string) *client {
	c.w.t.Helper()
	if c.status != status {
		c.w.t.Fatalf("%s: got %d, want %d\n%s", c.at, c.status, status, c.body)
	}
	for _, text := range texts {
		if !strings.Contains(c.body, text) {
			c.w.t.Errorf("%s does not say %q:\n%s", c.at, text, c.body)
		}
	}
	return c
}
