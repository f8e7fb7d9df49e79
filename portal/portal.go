// Package portal holds the pages of the workflows, behind the door for people (package
// people): what a vendor's people and contacts fill in, sign, report and attest.
//
// Two kinds of visitor come here. A person who is signed in, by a session of package
// people; and a vendor's contact without an account, by an expiring link that opens one
// subject for one purpose (snapshot.Link). Each page asks for a visitor who may do what
// it is for (s.visitor), and does acts as that visitor: what the act's own admission
// says decides, so a page that asked too little opens nothing.
//
// # Where the secret of a link is, and where not
//
// A link reads https://people.example.org/portal/in#CODE. A browser sends no fragment:
// so the code is in no request line, hence in no access log of a proxy, in no Referer
// and in no history that is synchronised as an address after the page has cleared it.
// The page has a field for the code, which a small script fills from the fragment; who
// has no script pastes it. A path such as /l/CODE would need none of that, and would
// leave the code in every log on the way. The form posts it once, and the browser gets
// a cookie that no script reads, of this site alone (SameSite=Strict), for half a day.
// The cookie holds the code itself and the server keeps nothing: what it opens is asked
// of the registry at each request, so a link that is revoked, on every node, opens
// nothing at the next click. A sealed session of this process would end at a restart
// and on the next node, and protect nothing more: whoever can read the cookie can act
// in the page.
//
// Mail scanners open links. Opening one does nothing: only the form does.
//
// # To add a page
//
// One Go file and one template of one name in pages/; a line in routes (routes.go); for
// a purpose of links a line in landings; a line in tasks where people shall find it.
// Templates are for package people's layout, which has titles, headings and style. No
// inline script or style: the door's policy forbids them. A page works without script.
// No patient data passes: the package cannot hold any.
package portal

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Config is what the pages stand on. All but Badges and Knocked is required.
type Config struct {
	Organisation string
	Layout       string // people.Layout
	Registry     *registry.Registry
	Sessions     *signin.Sessions
	Now          func() time.Time
	Logger       *slog.Logger
	Badges       Badges // nil: none are issued
	// Knocked hears of the digest of a code that opened nothing; may be nil.
	Knocked func(ctx context.Context, code256 string)
}

//go:embed pages
var pages embed.FS

type server struct {
	Config
	templates map[string]*template.Template
	codes     *signin.Limit // tries of links' codes
	acts      *signin.Limit // acts: each is in the log for good
	room      *signin.Room  // for files
}

// maxForm bounds what a browser may post, in bytes, but for the routes that say
// otherwise.
const maxForm = 128 << 10

// New is the handler of every page below /portal. It relies on the headers, and on the
// refusal of forms from other sites, of the door before it.
func New(c Config) (http.Handler, error) {
	if c.Layout == "" || c.Registry == nil || c.Sessions == nil || c.Now == nil || c.Logger == nil {
		return nil, fmt.Errorf("portal: the configuration is not complete")
	}
	s := &server{Config: c,
		codes: signin.NewLimit(10, 30*time.Second), acts: signin.NewLimit(240, 500*time.Millisecond)}
	_, s.room = signin.NewRooms()
	var err error
	if s.templates, err = parse(c.Layout); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, x := range s.routes() {
		limit, h := x.max, x.h
		if limit == 0 {
			limit = maxForm
		} else {
			h = s.roomy(h, limit)
		}
		mux.Handle(x.pattern, http.MaxBytesHandler(h, limit))
	}
	return problem.Routes(mux, "Begin at the first page", func(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
		if p.Kind == problem.NotFound {
			s.none(w, r)
			return
		}
		s.fail(w, r, p)
	}), nil
}

// roomy answers a form with a file while there is room for it. Of whom nobody knows, the
// page reads nothing.
func (s *server) roomy(next http.HandlerFunc, most int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if all := s.visitors(r); len(all) > 0 {
			leave, err := s.room.Take(r, string(all[0].Actor.Name()), most)
			if err != nil {
				s.fail(w, r, err)
				return
			}
			defer leave()
		}
		next(w, r)
	}
}

// parse reads the pages' templates, each in the door's layout.
func parse(layout string) (map[string]*template.Template, error) {
	out := map[string]*template.Template{}
	names, err := fs.Glob(pages, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	base, err := template.New("layout").Funcs(template.FuncMap{"when": when, "day": day, "sentence": sentence, "spans": spans}).Parse(layout)
	if err != nil {
		return nil, fmt.Errorf("portal: layout: %w", err)
	}
	if base, err = base.ParseFS(pages, "pages/parts.html"); err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	for _, name := range names {
		if name == "pages/parts.html" {
			continue
		}
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(pages, name)
		}
		if err != nil {
			return nil, fmt.Errorf("portal: %w", err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".html")] = t
	}
	return out, nil
}

// policy is the door's, and lets our script save a form as it is typed.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// page is what the layout needs of every page.
type page struct {
	Title        string
	Organisation string
	Person       *snapshot.Person // signed in; nil: nobody
	Theme        string           // light or dark; empty: as the device has it
	Data         any
}

// show writes a page: the template of that name, with data.
func (s *server) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	p := page{Title: title, Organisation: s.Organisation, Theme: signin.Theme(r), Data: data}
	if person, _, ok := s.Sessions.SignedIn(r); ok {
		p.Person, _ = s.Registry.View().Persons.Get(person)
	}
	t, ok := s.templates[name]
	var out strings.Builder
	err := fmt.Errorf("no template %q", name)
	if ok {
		err = t.Execute(&out, p)
	}
	if err != nil {
		s.Logger.ErrorContext(r.Context(), "a page cannot be written", "page", name, "err", err)
		http.Error(w, "Something went wrong here. Try again.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(out.String())) // the browser has gone: nothing to do
}

// message is a page that only tells something.
type message struct {
	Text      string
	Next      string
	Reasons   []problem.Reason
	Link      string
	LinkText  string
	Important bool
}

// fail tells what went wrong, as the reader may know it; the cause goes to the log, by
// its type alone.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	level := slog.LevelInfo
	if p.Kind.Status() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	// The pattern, not the address: an id in it names a vendor's paper at most, and yet.
	s.Logger.Log(r.Context(), level, "a page was refused", "route", r.Pattern, "kind", string(p.Kind), "title", p.Title, "cause", fmt.Sprintf("%T", p.Unwrap()))
	if problem.ForPrograms(r) {
		p.Write(w)
		return
	}
	p.SetHeaders(w.Header())
	s.show(w, r, p.Kind.Status(), "message", "That did not work", message{Text: fieldTitle(p), Next: p.NextStep, Reasons: p.Reasons,
		Link: "/portal", LinkText: "To what waits for you", Important: true})
}

func fieldTitle(p *problem.Problem) string {
	if p.Field != "" && p.Kind == problem.Invalid {
		return p.Field + " " + p.Title
	}
	return p.Title
}

// do does an act as the visitor, for a reason that the log keeps.
func (s *server) do(ctx context.Context, by visitor, a registry.Act, reason string) error {
	_, err := s.Registry.Do(ctx, by.Actor, a, registry.Meta{Reason: reason})
	return err
}

func (s *server) asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := pages.ReadFile("pages/" + name)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(raw) // the browser has gone: nothing to do
	}
}

func when(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

// sentence ends what a problem says as a sentence ends.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// span is a part of a text of the course, in which names of the field stand between
// backticks.
type span struct {
	Text string
	Code bool
}

func spans(text string) []span {
	var out []span
	for i, part := range strings.Split(text, "`") {
		out = append(out, span{part, i%2 == 1})
	}
	return out
}
