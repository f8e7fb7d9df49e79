package hospital

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options are the habits of a server. The zero value is an open, correct one:
// what it serves is invented, so there is nothing to protect.
type Options struct {
	BasePath    string // "/fhir" if empty
	BaseURL     string // the base in links; taken from each request if empty
	Auth        Auth
	PageSize    int // of a search without _count; 20 if 0
	MaxPageSize int // 1000 if 0

	// QuoteInput puts the request's own values into diagnostics, as many real
	// servers do: an error body that must not be passed on.
	QuoteInput bool
	// IgnoreUnknown drops search parameters that it does not know, as R4
	// 3.1.1.4.4 allows and many servers do: a filter that silently is none.
	IgnoreUnknown bool
	// Record keeps the last thousand requests for Log.
	Record bool

	Now func() time.Time // for tokens; time.Now if nil
}

// Server answers FHIR R4 requests from Records. It is safe for concurrent use.
type Server struct {
	rec    *Records
	opt    Options
	auth   *authority
	faults atomic.Pointer[[]*fault]
	mu     sync.Mutex // guards pages, oldest, log
	pages  map[string]*page
	oldest []string
	log    []string

	requests, reads, searches, refused, bytes atomic.Int64
}

// page is a search result that is being leafed through.
type page struct {
	q     *query
	docs  []*doc
	extra []*doc // $everything: what supports the compartment
}

// Served counts what a server has done.
type Served struct{ Requests, Reads, Searches, Refused, Bytes int64 }

// NewServer serves r, which must not change any more.
func NewServer(r *Records, opt Options) *Server {
	opt.BasePath = "/" + strings.Trim(cmp.Or(opt.BasePath, "/fhir"), "/")
	opt.PageSize = cmp.Or(opt.PageSize, 20)
	opt.MaxPageSize = cmp.Or(opt.MaxPageSize, 1000)
	if opt.Now == nil {
		opt.Now = time.Now
	}
	return &Server{rec: r, opt: opt, pages: map[string]*page{}, auth: newAuthority(opt.Auth, opt.Now)}
}

// Served returns the counts so far.
func (s *Server) Served() Served {
	return Served{s.requests.Load(), s.reads.Load(), s.searches.Load(), s.refused.Load(), s.bytes.Load()}
}

// Log returns the last requests, each as "METHOD uri", if they are recorded.
// The body of a POST search follows the uri after a space.
func (s *Server) Log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

var (
	fhirJSON  = []string{"application/fhir+json; charset=utf-8"}
	plainJSON = []string{"application/json"}
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	path, ok := strings.CutPrefix(r.URL.Path, s.opt.BasePath)
	if !ok || path != "" && path[0] != '/' {
		http.NotFound(w, r)
		return
	}
	path = strings.Trim(path, "/")
	if s.opt.Record {
		s.remember(r)
	}
	if f := s.fault(path, r.URL.RawQuery); f != nil {
		s.misbehave(w, r, f, path)
		return
	}
	s.serve(w, r, path)
}

func (s *Server) remember(r *http.Request) {
	line := r.Method + " " + r.URL.RequestURI()
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/_search") {
		b, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		line += " " + string(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.log) >= 1000 {
		s.log = slices.Delete(s.log, 0, 500)
	}
	s.log = append(s.log, line)
}

// serve is the whole server: who asks, what for, the answer.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, path string) {
	switch path {
	case "metadata":
		s.send(w, http.StatusOK, s.capabilities(s.base(r)))
		return
	case ".well-known/smart-configuration":
		s.auth.configuration(w, s.base(r))
		return
	case "auth/token":
		s.auth.token(w, r, s.base(r))
		return
	}
	if !s.auth.allows(r) {
		s.refused.Add(1)
		w.Header().Set("WWW-Authenticate", s.auth.challenge())
		s.fail(w, &failure{http.StatusUnauthorized, "login", "authentication is required", r.Header.Get("Authorization")})
		return
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if d := s.rec.byKey[path]; d != nil && r.URL.RawQuery == "" {
			s.read(w, r, d, view{})
			return
		}
	}
	s.route(w, r, path)
}

func (s *Server) route(w http.ResponseWriter, r *http.Request, path string) {
	if f := r.URL.Query().Get("_format"); strings.Contains(f, "xml") || strings.Contains(r.Header.Get("Accept"), "xml") && !strings.Contains(r.Header.Get("Accept"), "json") && !strings.HasPrefix(path, "Binary/") {
		s.fail(w, &failure{http.StatusNotAcceptable, "not-supported", "this server speaks JSON", f})
		return
	}
	parts := strings.Split(path, "/")
	get := r.Method == http.MethodGet || r.Method == http.MethodHead
	known := params[parts[0]] != nil || s.rec.byType[parts[0]] != nil
	switch {
	case path == "" && r.Method == http.MethodPost:
		s.batch(w, r)
	case path == "" && get && r.URL.Query().Has("_getpages"):
		s.next(w, r)
	case path == "" || !known:
		s.fail(w, &failure{http.StatusNotFound, "not-supported", "no such resource type", parts[0]})
	case len(parts) == 1 && get:
		s.search(w, r, parts[0], r.URL.Query())
	case len(parts) == 2 && parts[1] == "_search" && r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if err := r.ParseForm(); err != nil {
			s.fail(w, invalid("the form cannot be read", err.Error()))
			return
		}
		s.search(w, r, parts[0], r.Form)
	case len(parts) == 3 && parts[0] == "Patient" && parts[2] == "$everything" && get:
		s.everything(w, r, parts[1])
	case !get:
		s.fail(w, &failure{http.StatusMethodNotAllowed, "not-supported", "this server is read only", r.Method})
	case len(parts) == 2:
		s.readSome(w, r, s.rec.byKey[path], path)
	case len(parts) == 4 && parts[2] == "_history":
		d := s.rec.byKey[parts[0]+"/"+parts[1]]
		if d == nil || d.Version != parts[3] {
			d = s.rec.older[path]
		}
		s.readSome(w, r, d, path)
	default:
		s.fail(w, &failure{http.StatusNotFound, "not-supported", "no such operation", path})
	}
}

func (s *Server) readSome(w http.ResponseWriter, r *http.Request, d *doc, path string) {
	if d == nil {
		s.fail(w, &failure{http.StatusNotFound, "not-found", "the resource is not known", path})
		return
	}
	q, fail := s.parse(d.Type, r.URL.Query())
	if fail != nil {
		s.fail(w, fail)
		return
	}
	s.read(w, r, d, q.view)
}

func (s *Server) read(w http.ResponseWriter, r *http.Request, d *doc, v view) {
	s.reads.Add(1)
	h := w.Header()
	h["Etag"], h["Last-Modified"] = d.etag, d.lastMod
	if r.Header.Get("If-None-Match") == d.etag[0] {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := d.JSON
	h["Content-Type"] = fhirJSON
	if d.Type == "Binary" && !wantsFHIR(r) {
		body = s.raw(h, d)
	} else if !v.whole() {
		body = d.show(v)
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	s.bytes.Add(int64(len(body)))
	_, _ = w.Write(body)
}

// wantsFHIR reports whether a Binary is asked for as a resource. A browser's or
// a program's "anything" gets the content (R4 2.45.1).
func wantsFHIR(r *http.Request) bool {
	a := r.Header.Get("Accept")
	return strings.Contains(a, "json") || strings.Contains(r.URL.Query().Get("_format"), "json")
}

func (s *Server) raw(h http.Header, d *doc) []byte {
	var b struct {
		ContentType string
		Data        []byte
	}
	if err := json.Unmarshal(d.JSON, &b); err != nil {
		return d.JSON
	}
	h.Set("Content-Type", b.ContentType)
	return b.Data
}

func (s *Server) search(w http.ResponseWriter, r *http.Request, typ string, form url.Values) {
	s.searches.Add(1)
	q, fail := s.parse(typ, form)
	if fail != nil {
		s.fail(w, fail)
		return
	}
	p := &page{q: q, docs: s.find(q)}
	self := s.base(r) + "/" + typ
	if len(form) > 0 {
		self += "?" + form.Encode()
	}
	s.leaf(w, r, p, "", 0, self)
}

// everything answers Patient/[id]/$everything: the compartment, then what it
// refers to. It holds Groups too, with the ids of other members, as it does on
// servers that follow the compartment definition to the letter.
func (s *Server) everything(w http.ResponseWriter, r *http.Request, id string) {
	s.searches.Add(1)
	patient := s.rec.byKey["Patient/"+id]
	if patient == nil {
		s.fail(w, &failure{http.StatusNotFound, "not-found", "the patient is not known", id})
		return
	}
	form := r.URL.Query()
	types := form.Get("_type")
	since, _, hasSince := dateRange(strings.ReplaceAll(form.Get("_since"), " ", "+"))
	if form.Has("_since") && !hasSince {
		s.fail(w, invalid("_since is not an instant", form.Get("_since")))
		return
	}
	keep := func(d *doc) bool {
		return (types == "" || slices.Contains(strings.Split(types, ","), d.Type)) && (!hasSince || d.LastUpdated.Unix() >= since)
	}
	for _, k := range []string{"_type", "_since", "start", "end"} {
		form.Del(k)
	}
	q, fail := s.parse("Patient", form)
	if fail != nil {
		s.fail(w, fail)
		return
	}
	if !r.URL.Query().Has("_count") {
		q.count = s.opt.MaxPageSize
	}
	p := &page{q: q}
	seen := map[*doc]bool{}
	for _, d := range append([]*doc{patient}, s.rec.byRef["Patient/"+id]...) {
		seen[d] = true
		if keep(d) {
			p.docs = append(p.docs, d)
		}
	}
	for d := range seen {
		for _, ref := range d.refs {
			if to := s.rec.byKey[ref]; to != nil && !seen[to] && to.Type != "Patient" && keep(to) {
				p.extra = append(p.extra, to)
			}
		}
	}
	slices.SortFunc(p.extra, func(a, b *doc) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID)) })
	p.extra = slices.Compact(p.extra)
	s.leaf(w, r, p, "", 0, s.base(r)+strings.TrimPrefix(r.URL.RequestURI(), s.opt.BasePath))
}

// next answers a paging link.
func (s *Server) next(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("_getpages")
	offset, err := strconv.Atoi(r.URL.Query().Get("_getpagesoffset"))
	s.mu.Lock()
	p := s.pages[token]
	s.mu.Unlock()
	if p == nil || err != nil || offset < 0 {
		s.fail(w, &failure{http.StatusGone, "expired", "the page is not known any more; search again", token})
		return
	}
	s.leaf(w, r, p, token, offset, s.base(r)+"?"+r.URL.RawQuery)
}

// leaf writes one page of a result.
func (s *Server) leaf(w http.ResponseWriter, r *http.Request, p *page, token string, offset int, self string) {
	total := len(p.docs)
	b := bundle{base: s.base(r), kind: "searchset", total: total, self: self, view: p.q.view}
	if !p.q.onlyTotal {
		all := total + len(p.extra)
		to := min(offset+p.q.count, all)
		offset = min(offset, all)
		if offset < total {
			b.match = p.docs[offset:min(to, total)]
			b.include = s.included(p.q, b.match)
		}
		if to > total {
			b.include = append(b.include, p.extra[max(0, offset-total):to-total]...)
		}
		if to < all {
			if token == "" {
				token = s.keep(p)
			}
			b.next = b.base + "?_getpages=" + token + "&_getpagesoffset=" + strconv.Itoa(to)
		}
	}
	b.write(s, w)
}

// keep files a result so that its next pages can be asked for. The oldest goes
// when there are too many.
func (s *Server) keep(p *page) string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	token := hex.EncodeToString(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.oldest) >= 1024 {
		delete(s.pages, s.oldest[0])
		s.oldest = slices.Delete(s.oldest, 0, 1)
	}
	s.pages[token] = p
	s.oldest = append(s.oldest, token)
	return token
}

func (s *Server) base(r *http.Request) string {
	if s.opt.BaseURL != "" {
		return strings.TrimRight(s.opt.BaseURL, "/")
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return scheme + r.Host + s.opt.BasePath
}

func (s *Server) send(w http.ResponseWriter, status int, tree obj) {
	body := appendJSON(nil, tree)
	h := w.Header()
	h["Content-Type"] = fhirJSON
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	s.bytes.Add(int64(len(body)))
	_, _ = w.Write(body)
}

func (s *Server) fail(w http.ResponseWriter, f *failure) { s.send(w, f.status, s.outcome(f)) }

func (s *Server) outcome(f *failure) obj {
	issue := obj{"severity": "error", "code": f.code, "diagnostics": f.text}
	out := obj{"resourceType": "OperationOutcome", "issue": list{issue}}
	if s.opt.QuoteInput && f.detail != "" {
		issue["diagnostics"] = f.text + ": \"" + f.detail + "\""
		issue["details"] = obj{"text": "Request was: " + f.detail}
		out["text"] = narrative("<p>", esc(f.text), ": <b>", esc(f.detail), "</b></p>")
	}
	return out
}
