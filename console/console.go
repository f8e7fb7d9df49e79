// Package console is what people see: the organisation's, a vendor's, an auditor. It
// stands behind the door for people (package people), is rendered on the server, and
// works without script; one small file of script makes it live where there is one.
//
// A screen is a function and a template of one name: console/<screen>.go and
// console/screens/<screen>.html, and one line in its part's list (routes.go). The
// function gets a visit, which is who asks and the registry as it stands, and gives the
// template's data; the data's type is in the list, so that templates are checked
// against it. Lists are made by listOf, which filters, sorts, pages, keeps its state in
// the address and writes CSV.
//
// The console reads the registry's view, the index of disclosures and what follows the
// log in memory (activity, ahead), and for everything else it asks the API as the person
// who looks: what a page can show, any client can have, and no more. It changes nothing
// but by acts, which it posts to the API too. No patient data passes: the package cannot
// hold any.
//
// # Two audiences
//
// The organisation's approved people read everything, as in the API; what they may do,
// the policy of acts says. A vendor's person sees their own firm. No screen of theirs
// takes a vendor from the address: it is the visitor's own, always, and what an id
// names is looked for among what is theirs.
package console

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Config is what the console stands on. All are required.
type Config struct {
	Organisation string
	Version      string
	Node         string // whose log is shown
	Gateway      string // where vendors' programs ask
	People       string // where browsers reach these pages
	Registry     *registry.Registry
	Sessions     *signin.Sessions
	Policy       *policy.Engine
	Acts         *policy.ActEngine
	Log          *audit.Log
	Disclosures  *disclosure.Index
	// API answers a request as the person: the API's own handler, in this process.
	API func(by registry.Actor, w http.ResponseWriter, r *http.Request)
	// Health says why nothing would be released now; empty: all is well.
	Health func() []string
	Now    func() time.Time
	Logger *slog.Logger
}

//go:embed screens assets
var files embed.FS

// Console is every screen. Run keeps what it knows of the log and of times to come.
type Console struct{ s *server }

type server struct {
	Config
	screens   []screen
	templates map[string]*template.Template
	style     []byte
	acts      *signin.Limit // forms that are posted: each may be in the log for good
	room      *signin.Room  // for forms and files of the organisation's people
	theirs    *signin.Room  // and of vendors'
	drafts    *drafts
	streams   streams
	activity  *activity
	ahead     *ahead
	history   *history
	partners  partners
	work      *work
	assessing *assessments
	growth    *logGrowth
	usage     *firmUsage
	stopping  chan struct{}
	stop      sync.Once
}

// maxForm bounds what a browser may post, in bytes, but for screens that say otherwise.
const maxForm = 1 << 20

// New reads the templates, and fails on one that cannot be read.
func New(c Config) (*Console, error) {
	if c.Registry == nil || c.Sessions == nil || c.Policy == nil || c.Acts == nil || c.Log == nil || c.Disclosures == nil || c.API == nil ||
		c.Health == nil || c.Now == nil || c.Logger == nil {
		return nil, errors.New("console: the configuration is not complete")
	}
	s := &server{Config: c, screens: screens(), acts: signin.NewLimit(240, 500*time.Millisecond), stopping: make(chan struct{})}
	s.room, s.theirs = signin.NewRooms()
	s.drafts = newDrafts(s.Now)
	s.streams.of = map[id.Person]int{}
	s.activity = newActivity(s)
	s.ahead = newAhead(s)
	s.history = newHistory(s)
	s.work = newWork(s)
	s.growth = newLogGrowth(s)
	s.usage = newFirmUsage(s)
	s.assessing = newAssessments()
	var err error
	if s.templates, err = parse(s.screens); err != nil {
		return nil, err
	}
	if s.style, err = stylesheet(); err != nil {
		return nil, err
	}
	return &Console{s}, nil
}

// Run follows the log and the registry until ctx ends. It is called once.
func (c *Console) Run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { c.s.activity.run(ctx) })
	all.Go(func() { c.s.drafts.run(ctx) })
	all.Go(func() { c.s.ahead.run(ctx) })
	all.Go(func() { c.s.history.run(ctx) })
	all.Go(func() { c.s.work.run(ctx) })
	all.Go(func() { c.s.growth.run(ctx) })
	all.Go(func() { c.s.usage.run(ctx) })
	all.Wait()
}

// Stop ends the streams of live pages, which otherwise last as long as their pages.
func (c *Console) Stop() { c.s.stop.Do(func() { close(c.s.stopping) }) }

// Handler answers everything below /console. It relies on the headers, and on the
// refusal of forms from other sites, of the door before it.
func (c *Console) Handler() http.Handler {
	s := c.s
	mux := http.NewServeMux()
	for _, x := range s.screens {
		limit := x.Max
		if limit == 0 {
			limit = maxForm
		}
		mux.Handle(x.Pattern, http.MaxBytesHandler(s.enter(x), limit))
	}
	mux.HandleFunc("GET /console/assets/console.css", s.asset("text/css; charset=utf-8", func() ([]byte, error) { return s.style, nil }))
	mux.HandleFunc("GET /console/assets/console.js", s.asset("text/javascript; charset=utf-8", func() ([]byte, error) { return files.ReadFile("assets/console.js") }))
	mux.HandleFunc("GET "+livePath, s.live)
	mux.HandleFunc("POST /console/theme", s.theme)
	mux.HandleFunc("/console/", func(w http.ResponseWriter, r *http.Request) {
		if v, ok := s.visit(w, r, screen{For: everyone}); ok {
			s.fail(v, notFound())
		}
	})
	return mux
}

func notFound() error {
	return problem.New(problem.NotFound, "There is no such page for you", "Go back, or begin at the first page")
}

// visit is one request: who looks, and the registry as it stands. A screen sets what
// differs from its line in the list.
type visit struct {
	*http.Request
	w       http.ResponseWriter
	screen  screen
	View    *snapshot.View
	Now     time.Time
	Person  *snapshot.Person
	Session *snapshot.Session
	s       *server

	title  string
	crumbs []crumb
	status int
	goTo   string // another page, instead of this one
	raw    func(http.ResponseWriter) error
}

// crumb is a page above this one.
type crumb struct{ Label, Href string }

// actor is the visitor, as acts are done by them.
func (v *visit) actor() registry.Actor {
	return registry.Actor{Person: v.Person.ID, Session: v.Session.ID}
}

// ours reports whether the visitor is of the organisation.
func (v *visit) ours() bool { return v.Person.Vendor == "" }

// under puts the pages above this one into its head, each a label and its address.
func (v *visit) under(pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		v.crumbs = append(v.crumbs, crumb{pairs[i], pairs[i+1]})
	}
}

// call names the page.
func (v *visit) call(title string) { v.title = title }

// redirect leads to another page once the function has returned.
func (v *visit) redirect(to string) { v.goTo = to }

// instead answers with something else than a page: a file, CSV.
func (v *visit) instead(f func(http.ResponseWriter) error) { v.raw = f }

// enter lets a visitor in and shows the screen.
func (s *server) enter(x screen) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, ok := s.visit(w, r, x)
		if !ok {
			return
		}
		if r.Method == http.MethodPost {
			leave, err := s.admit(v)
			if err != nil {
				s.fail(v, err)
				return
			}
			defer leave()
		}
		data, err := x.show(s, v)
		switch {
		case err != nil:
			s.fail(v, err)
		case v.goTo != "":
			http.Redirect(w, r, v.goTo, http.StatusSeeOther)
		case v.raw != nil:
			if err := v.raw(w); err != nil {
				s.Logger.ErrorContext(r.Context(), "a file could not be written", "route", x.Pattern, "err", err)
			}
		default:
			s.write(v, x.Name, data)
		}
	})
}

// maxTheirs bounds what a vendor's person may post: a report is the longest.
const maxTheirs = registry.MaxDocument + 64<<10

// admit lets a form in, if there are not too many, and room for it. The caller calls leave
// when it is done with.
func (s *server) admit(v *visit) (leave func(), err error) {
	if err := s.acts.Try(v.Request, v.Now); err != nil {
		return nil, err
	}
	room, most := s.room, cmp.Or(v.screen.Max, maxForm)
	if !v.ours() {
		room, most = s.theirs, min(most, maxTheirs)
		v.Body = http.MaxBytesReader(v.w, v.Body, most)
	}
	return room.Take(v.Request, string(v.Person.ID), most)
}

// visit finds who asks, and whether this screen is for them. Not ok: it is answered.
func (s *server) visit(w http.ResponseWriter, r *http.Request, x screen) (*visit, bool) {
	now := s.Now()
	if r.Method == http.MethodGet && (r.Header.Get(quietHeader) != "" || r.URL.Path == livePath) {
		r = signin.Quiet(r)
	}
	who, session, ok := s.Sessions.SignedIn(r)
	view := s.Registry.View()
	p, known := view.Persons.Get(who)
	y, lives := view.Sessions.Get(session)
	if !ok || !known || !lives || p.State != snapshot.Approved {
		http.Redirect(w, r, "/signin?next="+template.URLQueryEscaper(next(r)), http.StatusSeeOther)
		return nil, false
	}
	v := &visit{Request: r, w: w, screen: x, View: view, Now: now, Person: p, Session: y, s: s, title: x.Title, status: http.StatusOK}
	if x.For == ours && !v.ours() || x.For == theirs && v.ours() {
		// As if it were not there: its existence is nothing that another firm should learn.
		s.fail(v, notFound())
		return nil, false
	}
	return v, true
}

// next is where the visitor comes back to after signing in.
func next(r *http.Request) string {
	if r.Method != http.MethodGet {
		return "/console"
	}
	return r.URL.RequestURI()
}

// failure is the screen of what went wrong.
type failure struct{ Problem *problem.Problem }

// fail tells what went wrong, as the reader may know it; the cause goes to the log, by
// its type alone.
func (s *server) fail(v *visit, err error) {
	p := problem.From(err)
	level := slog.LevelInfo
	if p.Kind.Status() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.Logger.Log(v.Context(), level, "a screen was refused", "route", v.Pattern, "kind", string(p.Kind), "title", p.Title, "cause", fmt.Sprintf("%T", p.Unwrap()))
	if problem.ForPrograms(v.Request) {
		p.Write(v.w)
		return
	}
	v.status, v.title = p.Kind.Status(), failed(p.Kind)
	p.SetHeaders(v.w.Header())
	s.write(v, "failure", page[failure]{s.frame(v), failure{p}})
}

// failed is the title of a page that says what went wrong.
func failed(k problem.Kind) string {
	switch k {
	case problem.NotFound:
		return "Page not found"
	case problem.Refused:
		return "You may not do this"
	case problem.Invalid, problem.Conflict, problem.TooLarge, problem.Unsupported:
		return "This cannot be done as it is"
	case problem.Unavailable, problem.UpstreamFail:
		return "This cannot be done now"
	}
	return "Something went wrong here"
}

func (s *server) asset(kind string, read func() ([]byte, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, err := read()
		if err != nil {
			http.Error(w, "There is no such file.", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", kind)
		if r.URL.RawQuery != "" { // the address has the version in it
			w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
		}
		_, _ = w.Write(raw) // the browser has gone: nothing to do
	}
}

// theme keeps what the visitor chose, and goes back to the page.
func (s *server) theme(w http.ResponseWriter, r *http.Request) {
	v, ok := s.visit(w, r, screen{For: everyone})
	if !ok {
		return
	}
	c := &http.Cookie{Name: signin.ThemeCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1}
	if x := r.PostFormValue("theme"); x == "light" || x == "dark" {
		c.Value, c.MaxAge = x, 365*24*60*60
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, local(r.PostFormValue("next"), homeOf(v)), http.StatusSeeOther)
}

func homeOf(*visit) string { return "/console" }

// decisionPath is where a decision is explained.
func decisionPath(d id.Decision) string { return "/console/decisions/" + string(d) }
