// Package people is the door for people with browsers: they sign in, register
// passkeys, see and end their sessions, and let their command line act for them.
//
// A page is a handler and a template of one name. It works without script but for
// the passkey itself, which browsers give to script alone: one small file, served
// from here, under a policy that allows nothing else. Every change is an act of the
// registry, done as the person after the proof was seen. No patient data passes: the
// package cannot hold any.
//
// A console, an authorization endpoint and whatever else people use stand behind the
// same door (Config.Rest) and ask Config.Sessions who is signed in.
package people

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Config is what the pages stand on. All but Rest are required.
type Config struct {
	Organisation string
	Base         *url.URL // the pages' own origin: people_url
	Registry     *registry.Registry
	Identity     *identity.Verifier
	Sessions     *signin.Sessions
	Passkeys     *signin.Passkeys
	Providers    *signin.Providers
	FirstRun     *signin.FirstRun
	Now          func() time.Time
	Logger       *slog.Logger
	// Rest answers what is not ours, with the headers of this door set: it may
	// loosen them where it must. It bounds what it reads itself: forms with files are
	// longer than ours.
	Rest http.Handler
	// Home is where who is signed in begins, of Rest's pages; empty: with their account.
	Home string
}

// Layout is the template around every page, for those who stand behind this door: it
// wants Title, Organisation, Person and Data of its data, and a template "content"; one
// named "head" may add to the head.
func Layout() (string, error) {
	raw, err := pages.ReadFile("pages/layout.html")
	return string(raw), err
}

//go:embed pages
var pages embed.FS

type server struct {
	Config
	templates map[string]*template.Template
	codes     *signin.Limit // tries of codes
	tries     *signin.Limit // proofs, which cost a signature
	outs      *signin.Limit // logout tokens, of which a provider may send many
	cli       *handovers
	asks      *stepUpAsks
	requests  *signin.Requests
}

// maxForm bounds what a browser may post, in bytes.
const maxForm = 128 << 10

// parse reads the pages' templates, each in the layout.
func parse(ago func(time.Time) string) (map[string]*template.Template, error) {
	out := map[string]*template.Template{}
	names, err := fs.Glob(pages, "pages/*.html")
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	for _, name := range names {
		if name == "pages/layout.html" {
			continue
		}
		t, err := template.New("layout.html").Funcs(template.FuncMap{"when": when, "ago": ago, "sentence": sentence, "duty": duty}).ParseFS(pages, "pages/layout.html", name)
		if err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".html")] = t
	}
	return out, nil
}

// New is the handler of every page.
func New(c Config) (http.Handler, error) {
	s := &server{Config: c, codes: signin.NewLimit(10, 30*time.Second),
		tries: signin.NewLimit(30, time.Second), outs: signin.NewLimit(500, 20*time.Millisecond), cli: newHandovers(c.Now), asks: newStepUpAsks(c.Now), requests: signin.NewRequests()}
	var err error
	if s.templates, err = parse(s.ago); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		"GET /{$}":                         s.first,
		"GET /account":                     s.home,
		"GET /signin":                      s.signin,
		"POST /signin":                     s.signinPasskey,
		"POST /signin/certificate":         s.signinCertificate,
		"GET /signin/with":                 s.signinWith,
		"GET /signin/with/{connector}":     s.signinAway,
		"GET /signin/callback/{connector}": s.signinBack,
		"POST /backchannel/{connector}":    s.backchannel,
		"GET /enroll":                      s.enroll,
		"POST /enroll":                     s.enrollCode,
		"POST /enroll/passkey":             s.enrollPasskey,
		"GET /step-up":                     s.stepUp,
		"POST /step-up":                    s.stepUpPasskey,
		"GET /passkeys/new":                s.newPasskey,
		"POST /passkeys/remove":            s.removePasskey,
		"POST /sessions/end":               s.endSession,
		"POST /sessions/end-all":           s.endAll,
		"POST /signout":                    s.signOut,
		"GET /cli/signin":                  s.cliSignin,
		"POST /cli/signin":                 s.cliSigninPasskey,
		"POST /cli/signin/session":         s.cliSigninSession,
		"POST /cli/session":                s.cliSession,
		"GET /cli/step-up":                 s.cliStepUp,
		"POST /cli/step-up":                s.cliStepUpPasskey,
		"POST /cli/step-up/begin":          s.cliStepUpBegin,
		"POST /cli/step-up/end":            s.cliStepUpEnd,
		"GET /assets/people.css":           s.asset("people.css", "text/css; charset=utf-8"),
		"GET /assets/people.js":            s.asset("people.js", "text/javascript; charset=utf-8"),
		"GET /assets/icon.svg":             s.asset("icon.svg", "image/svg+xml"),
	} {
		mux.Handle(pattern, http.MaxBytesHandler(h, maxForm))
	}
	routes := problem.Routes(mux, "Begin at the first page", s.rest)
	elsewhere := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, problem.New(problem.Refused, "The form came from another site", "Go back to the page here and send it again"))
	})
	return s.guarded(s.bounded(signin.SameOrigin(routes, elsewhere))), nil
}

// guarded sets what every answer has. Nothing is stored, framed or sent elsewhere.
func (s *server) guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy(""))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would send Origin: null with forms
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self)")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// bounded answers no session and no address more than people ask for. Who asks is not
// noted as a use of the session: a page that keeps itself up to date comes here, too.
func (s *server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, session, ok := s.Sessions.SignedIn(signin.Quiet(r))
		err := s.requests.Try(r, string(session), s.Now())
		if err == nil && !ok && !strings.HasPrefix(r.URL.Path, "/assets/") {
			err = s.Sessions.Unsure(r)
		}
		if err != nil {
			s.fail(w, signin.Quiet(r), err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// policy allows our own script, style and forms; formTo is one more place to which a
// form's answer may lead (CSP Level 3, section 6.4.2).
func policy(formTo string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action " +
		strings.TrimSpace("'self' "+formTo)
}

// rest answers what is not ours: Rest, which bounds what it reads by itself.
func (s *server) rest(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	switch {
	case p.Kind != problem.NotFound:
	case s.Rest != nil:
		s.Rest.ServeHTTP(w, r)
		return
	default:
		p = problem.New(problem.NotFound, "There is no such page", p.NextStep)
	}
	s.fail(w, r, p)
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

// page is what the layout needs of every page.
type page struct {
	Title        string
	Organisation string
	Person       *snapshot.Person // signed in; nil: nobody
	Theme        string           // light or dark; empty: as the device has it
	Data         any
}

func (s *server) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	p := page{Title: title, Organisation: s.Organisation, Data: data}
	if person, _, ok := s.Sessions.SignedIn(r); ok {
		p.Person, _ = s.Registry.View().Persons.Get(person)
	}
	s.write(w, r, status, name, p)
}

func (s *server) write(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Theme = signin.Theme(r)
	var out strings.Builder
	if err := s.templates[name].Execute(&out, p); err != nil {
		s.Logger.ErrorContext(r.Context(), "a page cannot be written", "page", name, "err", err)
		http.Error(w, "Something went wrong here. Try again.", http.StatusInternalServerError)
		return
	}
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
	Away      string // where the person signs out at their identity provider
	Important bool
}

// fail tells what went wrong, as the reader may know it; the cause goes to the log.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.From(err)
	level := slog.LevelInfo
	if p.Kind.Status() >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	s.Logger.Log(r.Context(), level, "a page was refused", "path", r.URL.Path, "kind", string(p.Kind), "title", p.Title, "cause", cause(p))
	if problem.ForPrograms(r) {
		p.Write(w)
		return
	}
	p.SetHeaders(w.Header())
	title := p.Title
	if p.Field != "" && p.Kind == problem.Invalid {
		title = p.Field + " " + title
	}
	m := message{Text: title, Next: p.NextStep, Reasons: p.Reasons, Link: "/", LinkText: "To the first page", Important: true}
	s.show(w, r, p.Kind.Status(), "message", "That did not work", m)
}

// cause is what the log may know of why: an error of ours by its words, a library's
// by its type alone, since it might quote a token or an assertion.
func cause(p *problem.Problem) string {
	err := p.Unwrap()
	if err == nil {
		return ""
	}
	var reason signin.Reason
	if errors.As(err, &reason) {
		return string(reason)
	}
	return fmt.Sprintf("%T", err)
}

// browserCookie binds a ceremony to the browser that began it.
const browserCookie = "__Host-sallyport-browser"

// browser is the mark of the browser, which it gets here if it has none.
func (s *server) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(browserCookie); err == nil && len(c.Value) == 22 {
		return c.Value
	}
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	mark := base64.RawURLEncoding.EncodeToString(raw)
	http.SetCookie(w, &http.Cookie{Name: browserCookie, Value: mark, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return mark
}

// sent is the browser's mark as it was sent: a browser without one began nothing.
func sent(r *http.Request) string {
	if c, err := r.Cookie(browserCookie); err == nil && len(c.Value) == 22 {
		return c.Value
	}
	return "none"
}

// maxNext admits the longest authorization request.
const maxNext = 16 << 10

// local is where a person wanted to go, if that is here; else the first page.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || len(next) > maxNext {
		return "/"
	}
	return next
}

// do does an act as the person, for a reason that the log keeps.
func (s *server) do(ctx context.Context, by registry.Actor, a registry.Act, reason string) error {
	_, err := s.Registry.Do(ctx, by, a, registry.Meta{Reason: reason})
	return err
}

// signedIn is who is signed in; else the browser is sent to sign in and come back.
func (s *server) signedIn(w http.ResponseWriter, r *http.Request) (*snapshot.Person, *snapshot.Session, bool) {
	person, session, ok := s.Sessions.SignedIn(r)
	if ok {
		v := s.Registry.View()
		p, known := v.Persons.Get(person)
		x, lives := v.Sessions.Get(session)
		if known && lives {
			return p, x, true
		}
	}
	next := "/"
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	if c, err := r.Cookie(signin.CookieName); err == nil && c.Value != "" {
		signin.ClearCookie(w)
		s.write(w, r, http.StatusUnauthorized, "message", page{Title: "You are signed out", Organisation: s.Organisation, Data: message{
			Text: "Your session is over: you or somebody else ended it, it was unused for too long, or its time is up.",
			Link: "/signin?" + url.Values{"next": {next}}.Encode(), LinkText: "Sign in again"}})
		return nil, nil, false
	}
	http.Redirect(w, r, "/signin?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
	return nil, nil, false
}

// begin starts a session for a person who has proved who they are, and gives the
// browser its secret. A session that the browser had before is ended: a sign-in
// never goes on in a session that somebody else may have begun.
func (s *server) begin(w http.ResponseWriter, r *http.Request, a registry.StartSession, reason string) error {
	if person, session, ok := s.Sessions.SignedIn(r); ok {
		if err := s.do(r.Context(), registry.Actor{Person: person}, registry.EndSession{ID: session}, "another sign-in in the same browser"); err != nil {
			return err
		}
	}
	secret, expires, err := s.start(r, a, reason)
	if err != nil {
		return err
	}
	signin.SetCookie(w, secret, expires)
	return nil
}

// start begins a session, bound to the key of the connection where there is one.
func (s *server) start(r *http.Request, a registry.StartSession, reason string) (secret string, expires time.Time, err error) {
	v, now := s.Registry.View(), s.Now()
	p, ok := v.Persons.Get(a.Person)
	if !ok || !signin.MaySignIn(v, p) {
		return "", time.Time{}, problem.New(problem.Refused, "You may not sign in now",
			"If you are new, another person must approve you first. Otherwise ask whoever looks after your access")
	}
	secret, a.Secret256 = signin.NewSecret()
	a.ID, a.Key256 = id.New[id.Session](now), signin.PeerKey(r)
	if limit := now.Add(v.Settings.SessionLife); a.ExpiresAt.IsZero() || a.ExpiresAt.After(limit) {
		a.ExpiresAt = limit.Truncate(time.Second)
	}
	if err := s.do(r.Context(), registry.Actor{Person: a.Person}, a, reason); err != nil {
		return "", time.Time{}, err
	}
	return secret, a.ExpiresAt, nil
}

// client is a short word for what the person uses.
func client(r *http.Request) string {
	ua := r.UserAgent()
	name := "a browser"
	for _, x := range [][2]string{{"Edg/", "Edge"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}} {
		if strings.Contains(ua, x[0]) {
			name = x[1]
			break
		}
	}
	for _, x := range [][2]string{{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(ua, x[0]) {
			return name + " on " + x[1]
		}
	}
	return name
}

func when(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// sentence ends what a problem says as a sentence ends.
func sentence(text string) string {
	if text == "" || strings.HasSuffix(text, ".") {
		return text
	}
	return text + "."
}

// ago is a time that is over, in words.
func (s *server) ago(t time.Time) string {
	d := s.Now().Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes ago", int(d.Minutes()))
	default:
		return when(t)
	}
}
