package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// registryBook writes by the registry's own rules, in memory.
type registryBook struct {
	w      *world
	engine *policy.ActEngine
	mu     *sync.Mutex
	fail   *error // of every act, if set
}

func newBook(w *world) registryBook {
	engine, err := registry.NewEngine()
	if err != nil {
		w.t.Fatal(err)
	}
	return registryBook{w, engine, &w.bookMu, &w.bookErr}
}

func (b registryBook) do(by registry.Actor, a registry.Act) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if *b.fail != nil {
		return *b.fail
	}
	v, now := b.w.view.Load(), b.w.now()
	if err := registry.Authorize(b.engine, v, by, a, now); err != nil {
		return err
	}
	if err := registry.Check(v, by, a, now); err != nil {
		return err
	}
	next, _ := registry.Apply(v, a, registry.Stamp{ID: id.New[id.Act](now), By: by.Name(), At: now})
	b.w.view.Store(next.Confirm(now))
	return nil
}

func (b registryBook) RevokeToken(_ context.Context, by id.Device, app id.App, token string, until time.Time) error {
	return b.do(registry.Actor{Device: by}, registry.RevokeToken{ID: app, Token: token, Until: until})
}

func (b registryBook) Authorize(_ context.Context, p id.Person, s id.Session, a snapshot.Authorization) error {
	return b.do(registry.Actor{Person: p, Session: s}, registry.AuthorizeApp{ID: s, Authorization: a.ID, App: a.App, Grant: a.Grant, Scope: a.Scope,
		Redirect: a.Redirect, Challenge: a.Challenge, Device: a.Device, Online: a.Online})
}

func (b registryBook) Redeem(_ context.Context, by id.Device, s id.Session, a id.Authorization, jkt string) error {
	return b.do(registry.Actor{Device: by}, registry.RedeemCode{ID: s, Authorization: a, KeyThumbprint: jkt})
}

func (b registryBook) Refresh(_ context.Context, by id.Device, s id.Session, a id.Authorization, generation int) error {
	return b.do(registry.Actor{Device: by}, registry.RefreshAuthorization{ID: s, Authorization: a, Generation: generation})
}

func (b registryBook) EndAuthorization(_ context.Context, by id.Device, s id.Session, a id.Authorization, why Reason) error {
	cause := map[Reason]registry.AuthorizationEnd{CodeReused: registry.EndCodeReused, RefreshReused: registry.EndRefreshReused}[why]
	if cause == "" {
		cause = registry.EndRevoked
	}
	return b.do(registry.Actor{Device: by}, registry.RevokeAuthorization{ID: s, Authorization: a, Cause: cause})
}

// cookieSignIn believes the cookie "who": "person session".
type cookieSignIn struct{}

func (cookieSignIn) SignedIn(r *http.Request) (id.Person, id.Session, bool) {
	c, err := r.Cookie("who")
	if err != nil {
		return "", "", false
	}
	p, s, ok := strings.Cut(c.Value, ".")
	return id.Person(p), id.Session(s), ok
}

func (cookieSignIn) SignInURL(back string) string { return "/signin?back=" + url.QueryEscape(back) }

const (
	verifier = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ-._~"
	callback = "http://127.0.0.1:4711/callback"
)

// launchWorld is a world with two people of northwind and one of contoso, who are
// signed in, and two programs for people: a public one and one with a key.
type launchWorld struct {
	*world
	deskKey *ecdsa.PrivateKey
}

func newLaunchWorld(t testing.TB) *launchWorld {
	w := &launchWorld{newWorld(t), must2(NewKey(256))}
	settled(w.world)
	w.edit(func(e *snapshot.Edit) {
		for _, p := range []snapshot.Person{{ID: "lin", Vendor: "northwind", Name: "Lin <b>Li</b>"}, {ID: "max", Vendor: "northwind", Name: "Max"}, {ID: "rita", Vendor: "contoso", Name: "Rita"}} {
			p.Approval = approved
			e.Put(&p)
			e.Put(&snapshot.Session{ID: id.Session("s-" + p.ID), Person: p.ID, Vendor: p.Vendor, StartedAt: w.now(), ExpiresAt: w.now().Add(8 * time.Hour)})
		}
		e.Put(&snapshot.Session{ID: "s-old", Person: "lin", Vendor: "northwind", StartedAt: w.now().Add(-time.Hour), ExpiresAt: w.now().Add(time.Hour), EndedAt: w.now()})
		e.Put(&snapshot.Vendor{ID: "northwind", Name: "Northwind & Sons", Approval: approved})
		redirects := []string{"http://127.0.0.1/callback", "https://desk.northwind.example/cb"}
		e.Put(&snapshot.App{ID: "notebook", Vendor: "northwind", Name: "Notebook", Kind: snapshot.Human, Public: true, Redirects: redirects, Approval: approved})
		e.Put(&snapshot.App{ID: "desk", Vendor: "northwind", Name: "Desk", Kind: snapshot.Human, Keys: must2(PublicKeys(w.deskKey.Public())), Redirects: redirects, Approval: approved})
		e.Put(&snapshot.App{ID: "sleeping", Vendor: "northwind", Name: "Sleeping", Kind: snapshot.Human, Public: true, Redirects: redirects, Approval: snapshot.Approval{State: snapshot.Suspended}})
		e.Put(&snapshot.Engagement{ID: "eval", Vendor: "northwind", Purpose: hipaa.Evaluation})
		e.Put(&snapshot.Role{ID: "reader", Title: "Reader"})
		for _, app := range []id.App{"notebook", "desk", "sleeping"} {
			e.Put(&snapshot.Grant{ID: id.Grant("lin-" + app), App: app, Person: "lin", Engagement: "eval", Role: "reader", Approval: approved})
		}
	})
	return w
}

func (w *launchWorld) request(change func(url.Values)) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"response_type": {"code"}, "client_id": {"notebook"}, "redirect_uri": {callback}, "scope": {"user/Observation.rs online_access"},
		"state": {"st at/e"}, "aud": {w.base + "/fhir"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	if change != nil {
		change(q)
	}
	return q
}

// browse sends a browser's request; who is "person.session", or nobody.
func (w *launchWorld) browse(c *Credential, method, who string, query, form url.Values, headers http.Header) (*http.Response, string) {
	w.t.Helper()
	target := w.base + "/authorize"
	if query != nil {
		target += "?" + query.Encode()
	}
	req := must2(http.NewRequest(method, target, strings.NewReader(form.Encode())))
	if headers != nil {
		req.Header = headers
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if who != "" {
		req.AddCookie(&http.Cookie{Name: "who", Value: who})
	}
	resp, err := w.http(c).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp, string(must2(io.ReadAll(resp.Body)))
}

var requestField = regexp.MustCompile(`name="request" value="([^"]+)"`)

// page is the hidden field of the page that lin is shown.
func (w *launchWorld) page(c *Credential, change func(url.Values)) string {
	w.t.Helper()
	resp, body := w.browse(c, "GET", "lin.s-lin", w.request(change), nil, nil)
	m := requestField.FindStringSubmatch(body)
	if resp.StatusCode != 200 || m == nil {
		w.t.Fatalf("no page: %d %s", resp.StatusCode, body)
	}
	return html.UnescapeString(m[1])
}

// answer is what came back to the application.
func sentBack(t testing.TB, resp *http.Response) url.Values {
	t.Helper()
	u, err := url.Parse(resp.Header.Get("Location"))
	if resp.StatusCode != 303 || err != nil {
		t.Fatalf("not sent back: %d %v", resp.StatusCode, err)
	}
	return u.Query()
}

// code is a code that lin agreed to.
func (w *launchWorld) code(c *Credential, change func(url.Values)) string {
	w.t.Helper()
	resp, _ := w.browse(c, "POST", "lin.s-lin", nil, url.Values{"request": {w.page(c, change)}, "decision": {"allow"}}, nil)
	q := sentBack(w.t, resp)
	if q.Get("code") == "" || q.Get("iss") != w.base || q.Get("state") != "st at/e" {
		w.t.Fatalf("no code: %v", q)
	}
	return q.Get("code")
}

func codeForm(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {"notebook"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {"notebook"}, "refresh_token": {token}}
}

// asDesk authenticates the form as the program with a key.
func (w *launchWorld) asDesk(form url.Values) url.Values {
	claims := w.claims()
	claims["iss"], claims["sub"] = "desk", "desk"
	form.Del("client_id")
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", signJWT(w.t, jose.ES256, w.deskKey, map[string]any{"typ": "JWT", "kid": kidOf(w.t, w.deskKey.Public())}, claims))
	return form
}
