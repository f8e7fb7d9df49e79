package scim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/scim"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

const (
	base  = "https://gateway.example/scim/v2"
	token = "northwind-directory-token"
	other = "contoso-directory-token"
	media = "application/scim+json"
)

// world is a registry with two vendors, each with a directory, and the door before
// it. The clock stands still unless a test moves it.
type world struct {
	t   *testing.T
	r   *registry.Registry
	srv *scim.Server
	log *syncBuffer
	mu  sync.Mutex
	now time.Time
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Now().UTC().Truncate(time.Second), log: new(syncBuffer)}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	w.r, err = registry.Open(t.Context(), registry.Options{Store: db, Log: new(registrytest.Log), Engine: engine, Node: "node-1", Settings: registrytest.Settings(), Clock: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	steps, err := registrytest.Demo{Now: w.now.Add(-time.Minute)}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	if err := registrytest.Do(t.Context(), w.r, steps); err != nil {
		t.Fatal(err)
	}
	w.do("ada", registry.ProposeVendor{ID: "contoso", Name: "Contoso"})
	w.do("grace", registry.ApproveVendor{ID: "contoso"})
	w.do("ada", registry.ProposePerson{ID: "mia", Vendor: "contoso", Name: "Mia", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	for _, c := range []registry.RegisterConnector{
		{ID: "directory", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "Directory", Token256: digest(token)},
		{ID: "contoso-directory", Vendor: "contoso", Kind: snapshot.SCIMClient, Name: "Directory", Token256: digest(other)},
		{ID: "login", Vendor: "northwind", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: "https://login.northwind.example", ClientID: "sallyport"},
		{ID: "fleet", Vendor: "northwind", Kind: snapshot.FleetManager, Name: "Fleet", Token256: digest("fleet-token")},
	} {
		w.do("ada", c)
		w.do("grace", registry.ApproveConnector{ID: c.ID})
	}
	w.do("ada", registry.RegisterConnector{ID: "waiting", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "New", Token256: digest("waiting-token")})
	w.srv, err = scim.New(scim.Config{Base: base, Registry: w.r, Now: w.clock, Log: slog.New(slog.NewJSONHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) do(by id.Person, a registry.Act) {
	w.t.Helper()
	if _, err := w.r.Do(w.t.Context(), registry.Actor{Person: by}, a, registry.Meta{Reason: "test"}); err != nil {
		w.t.Fatalf("%T by %s: %v", a, by, err)
	}
}

func (w *world) person(key string) *snapshot.Person {
	w.t.Helper()
	p, ok := w.r.View().Persons.Get(id.Person(key))
	if !ok {
		w.t.Fatalf("there is no person %q", key)
	}
	return p
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

// at is what stands at a path in the answer.
func (r reply) at(path ...string) any {
	var v any = r.body
	for _, p := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[p]
	}
	return v
}

func (r reply) id() string { s, _ := r.at("id").(string); return s }

// ask sends a request with northwind's token.
func (w *world) ask(method, path, body string, header ...string) reply {
	w.t.Helper()
	return w.askAs(token, method, path, body, header...)
}

func (w *world) askAs(token, method, path, body string, header ...string) reply {
	w.t.Helper()
	req := httptest.NewRequest(method, base+path, strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", media)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.srv.ServeHTTP(rec, req)
	raw, err := io.ReadAll(rec.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	out := reply{status: rec.Code, header: rec.Header(), raw: string(raw)}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &out.body); err != nil {
			w.t.Fatalf("%s %s: %q is no JSON object: %v", method, path, raw, err)
		}
	}
	return out
}

// must is ask for what must have this status.
func (w *world) must(status int, method, path, body string, header ...string) reply {
	w.t.Helper()
	got := w.ask(method, path, body, header...)
	if got.status != status {
		w.t.Fatalf("%s %s %s: got %d %s, want %d", method, path, body, got.status, got.raw, status)
	}
	return got
}

// join makes a person by POST.
func (w *world) join(userName string) string {
	w.t.Helper()
	return w.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+userName+`","name":{"givenName":"Jo","familyName":"Doe"},"addresses":[{"type":"work","country":"US"}]}`).id()
}
