package identity

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// SignIn says who is signed in on a browser's request. The zero answer is nobody.
type SignIn interface {
	// SignedIn finds the person's session. It must be one that the newest view holds,
	// live; the endpoint looks again.
	SignedIn(r *http.Request) (id.Person, id.Session, bool)
	// SignInURL is where a person signs in; from there they come back to the path and
	// query back, at this server.
	SignInURL(back string) string
}

// AuthorizeEndpoint is where a person lets an application act for them: SMART App
// Launch 2, standalone launch (RFC 6749, section 4.1, with PKCE by S256, RFC 7636,
// and the issuer in each answer, RFC 9207).
//
// Nobody learns anything without being signed in: not even which applications
// there are. The person sees an application of their own vendor only, and lets it
// act under a grant of their own only. What they agreed to is an act in the
// registry, in their session, and ends with it.
type AuthorizeEndpoint struct{ c AuthorizeConfig }

// AuthorizeConfig is what the endpoint needs; all of it.
type AuthorizeConfig struct {
	URL      string                // of the endpoint itself
	Audience func(aud string) bool // whether aud is the base URL of a FHIR server here
	Verifier *Verifier             // for the keys, the clock, and a certificate that the browser shows
	View     func() *snapshot.View // the newest snapshot
	SignIn   SignIn                //
	Book     Book                  //
	Log      *slog.Logger          // the owner's: ids and reasons
	path     string                // of URL
	cross    *http.CrossOriginProtection
}

// NewAuthorizeEndpoint makes the endpoint.
func NewAuthorizeEndpoint(c AuthorizeConfig) (*AuthorizeEndpoint, error) {
	if err := checkHTTPS("authorize_url", c.URL); err != nil {
		return nil, err
	}
	if c.Audience == nil || c.Verifier == nil || c.View == nil || c.SignIn == nil || c.Book == nil || c.Log == nil {
		return nil, problem.New(problem.Internal, "The authorization endpoint lacks its audience, verifier, view, sign-in, book or log", "Pass all of them")
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("read the authorization URL: %w", err)
	}
	c.path, c.cross = u.Path, http.NewCrossOriginProtection()
	return &AuthorizeEndpoint{c}, nil
}

const (
	// consentLife is how long a person may look at the page.
	consentLife   = 10 * time.Minute
	consentType   = "sallyport-consent+jwt"
	maxAuthorize  = 8 << 10
	maxState      = 1 << 10
	recordConsent = 20 * time.Second
)

// launch is an authorization request that was read, and what it is about.
type launch struct {
	person  *snapshot.Person
	session *snapshot.Session
	app     *snapshot.App
	grant   *snapshot.Grant
	device  id.Device

	redirect, state, challenge string
	scopes                     Scopes
	online                     bool
}

// denied is an answer to the application: RFC 6749, section 4.1.2.1.
type denied struct {
	code, text string
}

func (d *denied) Error() string { return d.code }

// shown is an answer to the person alone: the application, or where it wants
// them to go, is not known.
type shown struct{ title, text, next string }

func (s *shown) Error() string { return s.title }

// ServeHTTP shows the page (GET), and takes what the person decided (POST).
func (e *AuthorizeEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		e.ask(w, r)
	case http.MethodPost:
		e.decide(w, r)
	default:
		problem.Methods(http.MethodGet, http.MethodPost).Write(w)
	}
}

func (e *AuthorizeEndpoint) ask(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.RawQuery) > maxAuthorize {
		e.show(w, http.StatusBadRequest, &shown{"This link is too long", "The application sent more than an authorization request has.", "Tell the application's maker."})
		return
	}
	view, now := e.c.View(), e.c.Verifier.now()
	l := &launch{}
	if !e.signedIn(r, view, now, l) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Location", e.c.SignIn.SignInURL(e.c.path+"?"+r.URL.RawQuery))
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = e.read(r, q, view, now, l)
	} else {
		err = &shown{"This link cannot be read", "It is not a well-formed authorization request.", "Tell the application's maker."}
	}
	if err != nil {
		e.refuse(w, r, l, err)
		return
	}
	sealed, err := e.seal(l, now)
	if err != nil {
		e.show(w, http.StatusInternalServerError, &shown{"Something went wrong here", "The page could not be made.", "Try again."})
		return
	}
	e.page(w, l, view, sealed)
}

// signedIn finds the person and their session.
func (e *AuthorizeEndpoint) signedIn(r *http.Request, view *snapshot.View, now time.Time, l *launch) bool {
	person, session, ok := e.c.SignIn.SignedIn(r)
	if !ok || view == nil {
		return false
	}
	s, ok := view.Sessions.Get(session)
	if !ok || !sessionCounts(view, s, now) || s.Idle(now, view.Settings.SessionIdle) || s.Person != person {
		return false
	}
	p, ok := view.Persons.Get(person)
	if !ok {
		return false
	}
	l.person, l.session = p, s
	return true
}

// read checks a request step by step. Until application and redirect URI are
// known to belong together, nothing is sent anywhere.
func (e *AuthorizeEndpoint) read(r *http.Request, q url.Values, view *snapshot.View, now time.Time, l *launch) error {
	stranger := &shown{"This application is not known here", "It is not registered for your organisation with this address, or it was changed.",
		"If you have just started it yourself, ask who looks after it to have it registered. If not, close this page."}
	for _, values := range q {
		if len(values) != 1 {
			return &shown{"This link cannot be read", "It says something twice.", "Tell the application's maker."}
		}
	}
	app, ok := view.Apps.Get(id.App(q.Get("client_id")))
	if !ok || app.ID == "" || l.person.Vendor == "" || app.Vendor != l.person.Vendor || !app.RedirectsTo(q.Get("redirect_uri")) {
		return stranger
	}
	if _, ok := originOfRedirect(q.Get("redirect_uri")); !ok {
		return stranger
	}
	device, known := e.device(r, view, now)
	if !known || device != nil && device.Vendor != l.person.Vendor {
		return &shown{"This machine is another organisation's", "Your browser showed a certificate that is not of your organisation.", "Use your own machine."}
	}
	if device != nil {
		l.device = device.ID
	}
	l.app, l.redirect, l.state = app, q.Get("redirect_uri"), q.Get("state")
	if len(l.state) > maxState {
		l.state = ""
		return &denied{"invalid_request", "state is too long"}
	}
	switch {
	case l.state == "":
		return &denied{"invalid_request", "state is missing (SMART App Launch requires it)"}
	case q.Get("response_type") != "code":
		return &denied{"unsupported_response_type", "response_type must be code"}
	case q.Get("code_challenge_method") != "S256":
		return &denied{"invalid_request", "code_challenge_method must be S256"}
	case !isChallenge(q.Get("code_challenge")):
		return &denied{"invalid_request", "code_challenge must be a SHA-256 in base64url"}
	case !e.c.Audience(q.Get("aud")):
		return &denied{"invalid_request", "aud must be the base URL of a FHIR server here"}
	case q.Get("request") != "" || q.Get("request_uri") != "":
		return &denied{"request_not_supported", "send the parameters themselves"}
	case app.State != snapshot.Approved:
		return &denied{"unauthorized_client", "the registration of this application is not approved now"}
	}
	l.challenge = q.Get("code_challenge")
	asked := q.Get("scope")
	l.online = slices.Contains(strings.Fields(asked), onlineAccess)
	scopes, err := ParseUserScopes(withoutOnline(asked))
	if err != nil {
		return &denied{"invalid_scope", "scope must list SMART v2 scopes of context user, and online_access if wanted"}
	}
	l.scopes = scopes
	return chooseFor(view, l, id.Grant(q.Get(grantParameter)), now)
}

// device is the registered device whose certificate the browser shows, if any. A
// certificate that is no registered device's is none; one that is not trusted is
// not known.
func (e *AuthorizeEndpoint) device(r *http.Request, view *snapshot.View, now time.Time) (*snapshot.Device, bool) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return nil, true
	}
	p, err := e.c.Verifier.peer(r, now)
	if err != nil {
		return nil, false
	}
	d, err := deviceOf(p, view)
	if err != nil {
		return nil, true // a person's own certificate
	}
	return d, true
}

// chooseFor settles under which of the person's grants the application will act.
func chooseFor(view *snapshot.View, l *launch, wanted id.Grant, now time.Time) error {
	var all []*snapshot.Grant
	for _, g := range view.GrantsOfApp(l.app.ID) {
		if g.Person == l.person.ID && g.State == snapshot.Approved && (wanted == "" || g.ID == wanted) {
			all = append(all, g)
		}
	}
	if wanted == "" {
		all = lifted(all, now)
	}
	switch len(all) {
	case 1:
		l.grant = all[0]
		return nil
	case 0:
		return &denied{"access_denied", "there is no approved grant for this person and this application; the organisation can make one"}
	}
	return &denied{"invalid_request", `there are several grants for this person and this application; name one in the parameter "grant"`}
}

// consent is what the page holds, sealed: what was shown is what is agreed to. It
// is bound to the session, so that nobody else can have it sent; it has the
// authorization's id, so that it counts once.
type consent struct {
	Authorization id.Authorization `json:"jti"`
	Expiry        *jwt.NumericDate `json:"exp"`
	Session       id.Session       `json:"sid"`
	Person        id.Person        `json:"sub"`
	App           id.App           `json:"client_id"`
	Grant         id.Grant         `json:"grant"`
	Device        id.Device        `json:"device,omitempty"`
	Redirect      string           `json:"redirect_uri"`
	State         string           `json:"state"`
	Challenge     string           `json:"code_challenge"`
	Scope         string           `json:"scope"`
	Online        bool             `json:"online,omitempty"`
}

func (e *AuthorizeEndpoint) seal(l *launch, now time.Time) (string, error) {
	return e.c.Verifier.tokens.signAs(consentType, consent{id.New[id.Authorization](now), jwt.NewNumericDate(now.Add(consentLife)),
		l.session.ID, l.person.ID, l.app.ID, l.grant.ID, l.device, l.redirect, l.state, l.challenge, l.scopes.String(), l.online})
}

func (e *AuthorizeEndpoint) decide(w http.ResponseWriter, r *http.Request) {
	again := &shown{"This page is too old", "It was open for too long, was answered before, or is not yours.", "Start again from the application."}
	if e.c.cross.Check(r) != nil || r.URL.RawQuery != "" {
		e.show(w, http.StatusForbidden, again)
		return
	}
	view, now := e.c.View(), e.c.Verifier.now()
	l := &launch{}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	var c consent
	switch {
	case err != nil || len(r.PostForm["request"]) != 1 || len(r.PostForm["decision"]) != 1,
		!e.c.Verifier.tokens.openAs(consentType, r.PostForm.Get("request"), maxForm, &c),
		c.Expiry == nil || !now.Before(c.Expiry.Time()),
		!e.signedIn(r, view, now, l),
		c.Session != l.session.ID || c.Person != l.person.ID:
		e.show(w, http.StatusForbidden, again)
		return
	}
	app, ok := view.Apps.Get(c.App)
	if !ok || !app.RedirectsTo(c.Redirect) { // changed while the page was open
		e.show(w, http.StatusForbidden, again)
		return
	}
	if d, known := e.device(r, view, now); !known || (d == nil) != (c.Device == "") || d != nil && d.ID != c.Device {
		e.show(w, http.StatusForbidden, again)
		return
	}
	l.app, l.redirect, l.state, l.device = app, c.Redirect, c.State, c.Device
	if r.PostForm.Get("decision") != "allow" {
		e.refuse(w, r, l, &denied{"access_denied", "the person did not allow it"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), recordConsent)
	defer cancel()
	err = e.c.Book.Authorize(ctx, c.Person, c.Session, snapshot.Authorization{ID: c.Authorization, App: c.App, Grant: c.Grant, Scope: c.Scope,
		Redirect: c.Redirect, Challenge: c.Challenge, Device: c.Device, Online: c.Online})
	if err != nil {
		switch p := problem.From(err); p.Kind {
		case problem.Conflict, problem.Invalid, problem.NotFound:
			e.show(w, http.StatusForbidden, again)
		case problem.Refused:
			e.refuse(w, r, l, &denied{"access_denied", "the registry did not allow it"})
		default:
			e.refuse(w, r, l, &denied{"temporarily_unavailable", "try again later"})
		}
		return
	}
	code, err := e.c.Verifier.tokens.signTicket(ticket{app: c.App, session: c.Session, authorization: c.Authorization, expires: now.Add(codeLife)})
	if err != nil {
		e.refuse(w, r, l, &denied{"server_error", ""})
		return
	}
	e.c.Log.LogAttrs(r.Context(), slog.LevelInfo, "application authorized", slog.String("app", string(c.App)), slog.String("person", string(c.Person)),
		slog.String("session", string(c.Session)), slog.String("grant", string(c.Grant)), slog.String("authorization", string(c.Authorization)))
	e.back(w, l, url.Values{"code": {code}})
}

// refuse tells the application, where it is known to whom, and else the person.
func (e *AuthorizeEndpoint) refuse(w http.ResponseWriter, r *http.Request, l *launch, err error) {
	attrs := []slog.Attr{slog.String("reason", err.Error())}
	if l.person != nil {
		attrs = append(attrs, slog.String("person", string(l.person.ID)))
	}
	if l.app != nil {
		attrs = append(attrs, slog.String("app", string(l.app.ID)))
	}
	e.c.Log.LogAttrs(r.Context(), slog.LevelWarn, "application not authorized", attrs...)
	var d *denied
	if errors.As(err, &d) && l.app != nil && l.redirect != "" {
		v := url.Values{"error": {d.code}}
		if d.text != "" {
			v.Set("error_description", d.text)
		}
		e.back(w, l, v)
		return
	}
	var s *shown
	if !errors.As(err, &s) {
		s = &shown{"Something went wrong here", "", "Try again."}
	}
	e.show(w, http.StatusBadRequest, s)
}

// back sends the person back to the application, by GET whatever they came by.
func (e *AuthorizeEndpoint) back(w http.ResponseWriter, l *launch, v url.Values) {
	u, err := url.Parse(l.redirect)
	if err != nil { // it was matched against the registration
		e.show(w, http.StatusBadRequest, &shown{"Something went wrong here", "", "Try again."})
		return
	}
	if l.state != "" {
		v.Set("state", l.state)
	}
	v.Set("iss", e.c.Verifier.tokens.issuer) // RFC 9207: against mix-up
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += v.Encode()
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Location", u.String())
	w.WriteHeader(http.StatusSeeOther)
}

//go:embed authorize.html
var authorizeHTML string

var authorizePage = template.Must(template.New("authorize").Parse(authorizeHTML))

type authorizeView struct {
	Title, Problem, Next                     string
	Person, App, Vendor, Engagement, Purpose string
	Grant, Role, Long, Machine, Back         string
	Scopes                                   []string
	Action, Request                          string
}

func (e *AuthorizeEndpoint) show(w http.ResponseWriter, status int, s *shown) {
	writePage(w, status, "", authorizeView{Title: s.title, Problem: s.text, Next: s.next})
}

func (e *AuthorizeEndpoint) page(w http.ResponseWriter, l *launch, view *snapshot.View, sealed string) {
	v := authorizeView{Title: "Let " + l.app.Name + " act for you?", Person: l.person.Name, App: l.app.Name, Vendor: string(l.app.Vendor),
		Grant: string(l.grant.ID), Role: string(l.grant.Role), Engagement: string(l.grant.Engagement), Purpose: "an unknown purpose",
		Long: fmt.Sprintf("Once, for %d minutes.", TokenLife/time.Minute), Machine: "On the one machine that takes it up first.", Back: l.redirect, Scopes: plainScopes(l.scopes),
		Action: e.c.path, Request: sealed}
	if x, ok := view.Vendors.Get(l.app.Vendor); ok {
		v.Vendor = x.Name
	}
	if x, ok := view.Roles.Get(l.grant.Role); ok && x.Title != "" {
		v.Role = x.Title
	}
	if x, ok := view.Engagements.Get(l.grant.Engagement); ok {
		v.Purpose = strings.ReplaceAll(string(x.Purpose), "_", " ")
	}
	if l.online {
		v.Long = "Until you sign out, and at the latest until " + l.session.ExpiresAt.UTC().Format("2 January 2006, 15:04 MST") + "."
	}
	if l.device != "" {
		v.Machine = "On this one: " + string(l.device)
	}
	origin, _ := originOfRedirect(l.redirect)
	writePage(w, http.StatusOK, origin, v)
}

// writePage sends the page under a policy that lets it load nothing and run nothing.
// Browsers hold a form's redirect to form-action too, so the application's origin
// stands there.
func writePage(w http.ResponseWriter, status int, formTo string, v authorizeView) {
	var b bytes.Buffer
	if err := authorizePage.Execute(&b, v); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", strings.TrimSpace("default-src 'none'; style-src '"+styleHash()+"'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+formTo))
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

// styleHash lets the page's one style sheet in, and no other (CSP Level 3).
var styleHash = sync.OnceValue(func() string {
	_, rest, _ := strings.Cut(authorizeHTML, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	sum := sha256.Sum256([]byte(style))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
})

// plainScopes says in words what scopes would allow.
func plainScopes(s Scopes) []string {
	verbs := []struct {
		letter byte
		word   string
	}{{'r', "read"}, {'s', "search"}, {'c', "create"}, {'u', "change"}, {'d', "delete"}}
	var out []string
	for _, sc := range s.list {
		var can []string
		for _, v := range verbs {
			if strings.IndexByte(sc.Actions, v.letter) >= 0 {
				can = append(can, v.word)
			}
		}
		what := sc.Resource + " records"
		if sc.Resource == "*" {
			what = "records of every kind"
		}
		out = append(out, strings.Join(can, " and ")+" "+what+", as far as the role reaches")
	}
	return out
}

// originOfRedirect is the origin of a redirect URI, if it can stand in a policy.
func originOfRedirect(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || strings.Trim(u.Host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]") != "" {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

func isChallenge(c string) bool {
	return len(c) == 43 && strings.Trim(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}
