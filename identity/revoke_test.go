package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// Revoked tokens end, and what was asked about them tells a stranger nothing.
func TestRevocationAndIntrospection(t *testing.T) {
	w := newLaunchWorld(t)
	to := func(path string, c *Credential, form url.Values) (int, map[string]any) {
		t.Helper()
		resp, err := w.http(c).PostForm(w.base+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out map[string]any
		json.NewDecoder(resp.Body).Decode(&out) // some answers have no body
		return resp.StatusCode, out
	}
	asTriage := func(token string) url.Values {
		f := tokenForm(w.good(w.claims()))
		f.Set("token", token)
		return f
	}
	asNotebook := func(token string) url.Values { return url.Values{"client_id": {"notebook"}, "token": {token}} }
	look := func(c *Credential, form url.Values) map[string]any {
		t.Helper()
		status, out := to("/introspect", c, form)
		if status != 200 {
			t.Fatalf("introspect: %d %s", status, w.lastReason())
		}
		return out
	}
	_, _, own := w.post(w.device, tokenForm(w.good(w.claims())))
	_, user, _ := w.askWith(w.device, codeForm(w.code(nil, nil)))
	access, refresh := user["access_token"].(string), user["refresh_token"].(string)

	if out := look(w.device, asTriage(own)); out["active"] != true || out["client_id"] != "triage" || out["scope"] != "system/Patient.rs" || out["cnf"] == nil || out["grant"] != "g1" {
		t.Errorf("its own: %v", out)
	}
	for name, token := range map[string]string{"another's access token": access, "another's refresh token": refresh, "nothing": "", "no token": "x", "an assertion": w.good(w.claims())} {
		if out := look(w.device, asTriage(token)); len(out) != 1 || out["active"] != false {
			t.Errorf("%s: %v", name, out)
		}
	}
	if out := look(w.ada, url.Values{"token": {access}}); out["active"] != true || out["sub"] != "lin" || out["sid"] != "s-lin" {
		t.Errorf("the organisation's person: %v", out)
	}
	if out := look(w.ada, url.Values{"token": {refresh}}); out["active"] != true || out["client_id"] != "notebook" {
		t.Errorf("the organisation's person, of a refresh token: %v", out)
	}
	if status, _ := to("/introspect", w.device, asNotebook(access)); status != 401 || w.lastReason() != ClientPublic {
		t.Errorf("a public client: %d %s", status, w.lastReason())
	}
	if status, _ := to("/introspect", nil, asTriage(own)); status != 401 || w.lastReason() != NoCertificate {
		t.Errorf("nobody: %d %s", status, w.lastReason())
	}
	replayed := asTriage(own)
	look(w.device, replayed)
	if status, _ := to("/introspect", w.device, replayed); status != 401 || w.lastReason() != AssertionReplayed {
		t.Errorf("a replayed assertion: %d %s", status, w.lastReason())
	}

	// Another application's tokens are left alone, whatever is said.
	for _, token := range []string{access, refresh} {
		if status, _ := to("/revoke", w.device, asTriage(token)); status != 200 {
			t.Errorf("another's: %d", status)
		}
		if status, _ := to("/revoke", w.device2, asNotebook(refresh)); status != 200 { // of another device
			t.Errorf("on another device: %d", status)
		}
	}
	if status, _ := w.get(w.http(w.device), access); status != 200 {
		t.Fatalf("a token that another tried to revoke: %d %s", status, w.lastReason())
	}
	// A caller that is under way hears of it.
	caller := must2(w.verifier.Caller(w.world.request(w.device, "Bearer "+own), w.view.Load()))
	if err := caller.Still(w.view.Load(), w.now()); err != nil {
		t.Fatal(err)
	}
	w.failBook(true)
	if status, _ := to("/revoke", w.device, asTriage(own)); status != 503 {
		t.Errorf("the registry does not answer: %d", status)
	}
	w.failBook(false)
	for range 2 { // the second time it is revoked already, which is no error
		if status, _ := to("/revoke", w.device, asTriage(own)); status != 200 {
			t.Errorf("its own: %d %s", status, w.lastReason())
		}
	}
	if status, _ := w.get(w.http(w.device), own); status != 401 || w.lastReason() != TokenRevoked {
		t.Errorf("revoked: %d %s", status, w.lastReason())
	}
	if reason, _ := ReasonOf(caller.Still(w.view.Load(), w.now())); reason != TokenRevoked {
		t.Errorf("under way: %s", reason)
	}
	if out := look(w.device, asTriage(own)); out["active"] != false {
		t.Errorf("revoked: %v", out)
	}
	// A refresh token takes the access tokens with it.
	if status, _ := to("/revoke", w.device, asNotebook(refresh)); status != 200 {
		t.Errorf("refresh token: %d", status)
	}
	if status, _ := w.get(w.http(w.device), access); status != 401 || w.lastReason() != TokenSession {
		t.Errorf("its access token: %d %s", status, w.lastReason())
	}
	if status, _ := to("/revoke", w.device, asNotebook("")); status != 400 {
		t.Errorf("no token: %d", status)
	}
}

// What a caller under way hears of, and what it does not.
func TestStill(t *testing.T) {
	w := newLaunchWorld(t)
	_, out, _ := w.askWith(w.device, codeForm(w.code(nil, nil)))
	caller := must2(w.verifier.Caller(w.world.request(w.device, "Bearer "+out["access_token"].(string)), w.view.Load()))
	if caller.Person() != "lin" || caller.Session() != "s-lin" {
		t.Errorf("got %s in %s", caller.Person(), caller.Session())
	}
	good := w.view.Load()
	put := func(r snapshot.Record) *snapshot.View {
		e := good.Edit()
		e.Put(r)
		return e.Publish(good.Version()+1, 0, w.now())
	}
	session := func(change func(*snapshot.Session)) *snapshot.View {
		s, _ := good.Sessions.Get("s-lin")
		c := *s
		change(&c)
		return put(&c)
	}
	grant, _ := good.Grants.Get("lin-notebook")
	moved := *grant
	moved.Person = "max"
	for _, tc := range []struct {
		name string
		view *snapshot.View
		at   time.Duration
		want Reason
	}{
		{"nothing changed", good, 0, ""},
		{"something else changed", put(&snapshot.Vendor{ID: "v9"}), 0, ""},
		{"session ended", session(func(s *snapshot.Session) { s.EndedAt = w.now() }), 0, TokenSession},
		{"session over", good, 8 * time.Hour, TokenSession},
		{"session another's", session(func(s *snapshot.Session) { s.Person = "max" }), 0, TokenSession},
		{"provider that vouched is not approved", session(func(s *snapshot.Session) { s.Connector = "none" }), 0, TokenSession},
		{"person suspended", put(&snapshot.Person{ID: "lin", Vendor: "northwind", Approval: snapshot.Approval{State: snapshot.Suspended}}), 0, TokenSession},
		{"person gone to another vendor", put(&snapshot.Person{ID: "lin", Vendor: "contoso", Approval: approved}), 0, TokenSession},
		{"authorization gone", session(func(s *snapshot.Session) { s.Apps = nil }), 0, TokenSession},
		{"grant another's", put(&moved), 0, GrantMismatch},
		{"device has another key", put(&snapshot.Device{ID: "mac-7", Vendor: "northwind", Key256: "x", Approval: approved}), 0, DeviceUnknown},
		{"empty view", &snapshot.View{}, 0, DeviceUnknown},
	} {
		if got, _ := ReasonOf(caller.Still(tc.view, w.now().Add(tc.at))); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	if caller.Still(nil, w.now()) == nil || (Caller{}).Still(good, w.now()) == nil {
		t.Error("no view, or nobody, still holds")
	}
	short := session(func(s *snapshot.Session) { s.ExpiresAt = w.now().Add(time.Minute) })
	c := must2(w.verifier.Caller(w.world.request(w.device, "Bearer "+out["access_token"].(string)), short))
	if got := c.Expires().Sub(w.now()); got != time.Minute {
		t.Errorf("a stream may last %s, beyond the session's minute", got)
	}
}

// Neither logs nor addresses hold what would let anyone in.
func TestNoSecretsOfLaunchesInLogs(t *testing.T) {
	w := newLaunchWorld(t)
	page := w.page(nil, nil)
	code := w.code(nil, nil)
	_, out, _ := w.askWith(w.device, codeForm(code))
	w.post(w.device, codeForm(code))
	for _, secret := range []string{page, code, verifier, out["access_token"].(string), out["refresh_token"].(string)} {
		for part := range strings.SplitSeq(secret, ".") {
			if len(part) > 8 && strings.Contains(w.log.String(), part) {
				t.Errorf("the log holds %q", part)
			}
		}
	}
}

func FuzzTicket(f *testing.F) {
	w := newLaunchWorld(f)
	code := w.code(nil, nil)
	_, out, _ := w.askWith(w.device, codeForm(code))
	refresh := out["refresh_token"].(string)
	page := w.page(nil, nil)
	for _, s := range []string{"", code, refresh, page, "a.b.c", code + "A", w.mint(w.device, nil)} {
		f.Add(s)
	}
	body := func(s string) string { return strings.Join(strings.Split(s, ".")[:2], ".") }
	f.Fuzz(func(t *testing.T, raw string) {
		now := w.now()
		if _, ok := w.tokens.openTicket(codeType, raw, now); ok && !strings.HasPrefix(raw, body(code)+".") {
			t.Fatal("a forged code")
		}
		if _, ok := w.tokens.openTicket(refreshType, raw, now); ok && !strings.HasPrefix(raw, body(refresh)+".") {
			t.Fatal("a forged refresh token")
		}
		var c consent
		if w.tokens.openAs(consentType, raw, maxForm, &c) && !strings.HasPrefix(raw, body(page)+".") {
			t.Fatal("a forged consent")
		}
	})
}

func FuzzRedirect(f *testing.F) {
	app := &snapshot.App{Redirects: []string{"http://127.0.0.1/cb", "http://[::1]/cb", "https://a.example/cb?x=1"}}
	for _, s := range []string{"http://127.0.0.1:1/cb", "http://[::1]:65535/cb", "https://a.example/cb?x=1", "http://127.0.0.1:1@evil/cb", "http://127.0.0.1:/cb", "http://127.0.0.1:1/cb#", "http://[::1%25x]/cb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !app.RedirectsTo(uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.User != nil || u.Fragment != "" || u.String() != uri {
			t.Fatalf("%q passes", uri)
		}
		origin := fmt.Sprint(u.Scheme, " ", u.Hostname(), " ", u.Path)
		if origin != "http 127.0.0.1 /cb" && origin != "http ::1 /cb" && uri != "https://a.example/cb?x=1" {
			t.Fatalf("%q passes as %s", uri, origin)
		}
	})
}

func FuzzAuthorize(f *testing.F) {
	w := newLaunchWorld(f)
	good := w.request(nil).Encode()
	for _, s := range []string{"", good, good + "&scope=x", "client_id=notebook&redirect_uri=" + url.QueryEscape(callback), "%zz", "a=1;b=2"} {
		f.Add(s)
	}
	endpoint := must2(NewAuthorizeEndpoint(AuthorizeConfig{URL: w.base + "/authorize", Audience: func(string) bool { return true }, Verifier: w.verifier,
		View: w.view.Load, SignIn: cookieSignIn{}, Book: newBook(w.world), Log: testLog(w.world)}))
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		view, l := w.view.Load(), &launch{}
		r := must2(http.NewRequest("GET", w.base+"/authorize", nil))
		r.AddCookie(&http.Cookie{Name: "who", Value: "lin.s-lin"})
		if !endpoint.signedIn(r, view, w.now(), l) {
			t.Fatal("not signed in")
		}
		err = endpoint.read(r, q, view, w.now(), l)
		if err == nil && (l.grant == nil || l.grant.Person != "lin" || l.challenge == "" || l.scopes.String() == "") {
			t.Fatalf("accepted %q", query)
		}
		if l.redirect != "" && !l.app.RedirectsTo(l.redirect) {
			t.Fatalf("would go to %q", l.redirect)
		}
	})
}
