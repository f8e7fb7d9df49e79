// Package scim is the door for a vendor's directory: a SCIM 2.0 server (RFC 7643,
// RFC 7644) that turns what the directory says about its people into acts of the
// registry.
//
// A directory is a connector of kind scim, known by the digest of its bearer
// token. It sees the people whom it brought or who were linked to it, and nobody
// else: every other id is unknown, whether it is another vendor's, the
// organisation's, or nobody's. What it says never opens a door by itself:
//
//   - who joins is proposed, and works when the organisation has approved them;
//   - who moves to another region needs a new approval;
//   - who leaves ("active": false, DELETE) is stopped at once, with whatever is
//     under way.
//
// The extension that Extension names holds what SCIM has no word for: the
// person's state here, their region, and how they are classified (45 CFR 160.103).
//
// Not offered: groups (a person's access comes from grants, which the organisation
// gives), bulk, sorting, passwords, /Me. What a directory sends beyond the
// attributes of the schema is neither stored nor answered.
//
// Nothing is logged but ids, counts and reasons: a userName can be an address.
package scim

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

const (
	// maxBody bounds a request: a user with every attribute of RFC 7643 fits many
	// times over.
	maxBody = 128 << 10
	// maxPage is the most people in one answer.
	maxPage = 200
	// maxPeople is how many people one directory may have here.
	maxPeople = 10_000
	// rate and burst bound the requests of one directory, in a second and at once.
	// Microsoft asks that a service takes 25 a second.
	rate, burst = 50, 200
)

// Registry is what the door needs of the registry.
type Registry interface {
	View() *snapshot.View
	// Do does an act: when it returns, the act is in the log and in View.
	Do(context.Context, registry.Actor, registry.Act, registry.Meta) (registry.Result, error)
	// May says whether Do would do it now.
	May(registry.Actor, registry.Act, registry.Meta) error
}

// Config is what a Server needs; all of it.
type Config struct {
	Base     string // the address of the service, such as https://gateway.example.org/scim/v2
	Registry Registry
	Now      func() time.Time
	Log      *slog.Logger
}

// Server answers directories. It is safe for concurrent use.
type Server struct {
	c      Config
	prefix string // path of Base
	limits limits

	mu      sync.Mutex // guards turns
	turns   map[id.Connector]*sync.Mutex
	schemas discovery
}

// New makes a Server.
func New(c Config) (*Server, error) {
	u, err := url.Parse(c.Base)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.HasSuffix(u.Path, "/") || u.RawQuery != "" {
		return nil, problem.BadField("base", "is not an https address without a slash at its end", "Write such as https://gateway.example.org/scim/v2")
	}
	if c.Registry == nil || c.Now == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "The SCIM server lacks its registry, its clock or its log", "Pass all three")
	}
	return &Server{c: c, prefix: u.Path, turns: map[id.Connector]*sync.Mutex{}, schemas: newDiscovery(c.Base)}, nil
}

// exchange is one request of a known directory.
type exchange struct {
	s      *Server
	c      *snapshot.Connector
	r      *http.Request
	person id.Person // whom it was about, for the log
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := s.c.Registry.View()
	c, err := identity.BearerConnector(r.Header, v, snapshot.SCIMClient)
	if err != nil {
		attrs := []slog.Attr{slog.String("reason", err.Error())}
		if c != nil {
			attrs = append(attrs, slog.String("connector", string(c.ID)))
		}
		s.c.Log.LogAttrs(r.Context(), slog.LevelWarn, "directory refused", attrs...)
		identity.WriteUnknown(w)
		return
	}
	if wait := s.limits.take(c.ID, s.c.Now()); wait > 0 {
		w.Header().Set("Retry-After", "1")
		write(w, http.StatusTooManyRequests, nil, failure(http.StatusTooManyRequests, "", "Too many requests: slow down"))
		return
	}
	x := &exchange{s: s, c: c, r: r}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	a := x.route(strings.TrimPrefix(r.URL.Path, s.prefix))
	level := slog.LevelInfo
	if a.status >= 400 {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{slog.String("connector", string(c.ID)), slog.String("vendor", string(c.Vendor)), slog.String("method", methodWord(r.Method)), slog.Int("status", a.status)}
	if x.person != "" {
		attrs = append(attrs, slog.String("person", string(x.person)))
	}
	if a.cause != nil {
		attrs = append(attrs, slog.String("cause", string(problem.From(a.cause).Kind)))
	}
	s.c.Log.LogAttrs(r.Context(), level, "directory request", attrs...)
	write(w, a.status, a.header, a.body)
}

// methodWord keeps a stranger's words out of the log.
func methodWord(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead:
		return m
	}
	return "other"
}

// answer is what goes back; body nil is none.
type answer struct {
	status int
	header http.Header
	body   any
	cause  error
}

func (x *exchange) route(path string) answer {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	kind, rest := parts[0], parts[1:]
	switch {
	case len(rest) == 0 && (kind == "ServiceProviderConfig" || kind == "ResourceTypes" || kind == "Schemas"), len(rest) == 1 && (kind == "ResourceTypes" || kind == "Schemas"):
		if x.r.Method != http.MethodGet {
			return notAllowed(http.MethodGet)
		}
		return x.s.schemas.answer(kind, rest, x.r.URL.Query().Has("filter"))
	case kind == "Users" && len(rest) == 0:
		switch x.r.Method {
		case http.MethodGet:
			return x.list()
		case http.MethodPost:
			return x.create()
		}
		return notAllowed("GET, POST")
	case len(rest) == 1 && kind == "Users" && rest[0] == ".search", len(rest) == 0 && kind == ".search":
		if x.r.Method != http.MethodPost {
			return notAllowed(http.MethodPost)
		}
		return x.search()
	case kind == "Users" && len(rest) == 1:
		return x.one(id.Person(rest[0]))
	case kind == "Groups" && len(rest) == 0 && x.r.Method == http.MethodGet:
		return answer{status: http.StatusOK, body: listOf(nil, 0, 1)} // truly none: access is by grants
	case kind == "Groups" && len(rest) == 1 && x.r.Method == http.MethodGet:
		return notFound()
	case kind == "Groups", kind == "Bulk", kind == "Me":
		return failed(http.StatusNotImplemented, "", "Not offered here: people and their state only. Access is given by the organisation's grants")
	}
	return notFound()
}

func (x *exchange) one(key id.Person) answer {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead:
		p, ok := x.find(key)
		if !ok {
			return notFound()
		}
		q := x.r.URL.Query()
		version := x.version(p)
		if m := x.r.Header.Get("If-None-Match"); m != "" && matches(m, version) {
			return answer{status: http.StatusNotModified, header: http.Header{"Etag": {version}}}
		}
		return x.show(http.StatusOK, p, names(q.Get("attributes")), names(q.Get("excludedAttributes")))
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
		return x.change(key)
	}
	return notAllowed("GET, PUT, PATCH, DELETE")
}

// find is a person whom this directory knows. All others are unknown alike.
func (x *exchange) find(key id.Person) (*snapshot.Person, bool) {
	p, ok := x.s.c.Registry.View().Persons.Get(key)
	if !ok || p.Directory.Connector != x.c.ID || p.Vendor != x.c.Vendor || p.State == snapshot.Ended {
		return nil, false
	}
	x.person = p.ID
	return p, true
}

// turn lets one request of a directory change things at a time, so that what it
// compares stays so until its acts are done.
func (s *Server) turn(c id.Connector) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.turns[c] == nil {
		s.turns[c] = new(sync.Mutex)
	}
	return s.turns[c]
}

// read reads the request's body: one JSON object without double names.
func (x *exchange) read() (map[string]any, *answer) {
	kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type"))
	if err != nil || kind != "application/scim+json" && kind != "application/json" {
		a := failed(http.StatusUnsupportedMediaType, "", "Send application/scim+json (RFC 7644, section 3.1)")
		return nil, &a
	}
	raw, err := io.ReadAll(x.r.Body)
	if err != nil {
		a := failed(http.StatusRequestEntityTooLarge, "", "The body is too long or was cut off")
		return nil, &a
	}
	o, err := object(raw)
	if err != nil {
		a := failed(http.StatusBadRequest, "invalidSyntax", "The body is not one JSON object without double names")
		return nil, &a
	}
	return o, nil
}

func write(w http.ResponseWriter, status int, header http.Header, body any) {
	h := w.Header()
	for k, vs := range header {
		h[k] = vs
	}
	h.Set("Cache-Control", "no-store")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	raw, err := json.Marshal(body)
	if err != nil { // strings, numbers and lists of them: cannot happen, and must not pass as success
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	w.Write(raw)
}

// scimError is RFC 7644, section 3.12.
type scimError struct {
	Schemas []string `json:"schemas"`
	Type    string   `json:"scimType,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Status  string   `json:"status"`
}
