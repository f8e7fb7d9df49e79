package identity

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/snapshot"
)

// A person lets a program act for them; it asks as them, refreshes, and is cut off
// when they sign out.
func TestStandaloneLaunch(t *testing.T) {
	w := newLaunchWorld(t)
	code := w.code(nil, nil)
	if status, _, _ := w.post(w.device, codeForm(code+"x")); status != 400 {
		t.Errorf("a spoilt code: %d", status)
	}
	status, out, _ := w.askWith(w.device, codeForm(code))
	if status != 200 || out["scope"] != "user/Observation.rs online_access" || out["grant"] != "lin-notebook" || out["token_type"] != "bearer" {
		t.Fatalf("got %d %v", status, out)
	}
	token, refresh := out["access_token"].(string), out["refresh_token"].(string)
	if status, seen := w.get(w.http(w.device), token); status != 200 || seen.App != "notebook" || seen.Grant != "lin-notebook" || seen.Scope != "user/Observation.rs" || seen.Person != "lin" || seen.Session != "s-lin" {
		t.Errorf("got %d %+v", status, seen)
	}
	if status, _ := w.get(w.http(w.device2), token); status != 401 || w.lastReason() != TokenBoundElsewhere {
		t.Errorf("on another device: %d %s", status, w.lastReason())
	}
	for range 3 {
		w.advance(4 * time.Minute)
		status, out, _ = w.askWith(w.device, refreshForm(refresh))
		if status != 200 {
			t.Fatalf("refresh: %d %v %s", status, out, w.lastReason())
		}
		refresh = out["refresh_token"].(string)
	}
	// The program at work keeps the session in use; when it stops, nobody is there.
	for range 10 {
		w.advance(4 * time.Minute)
		_, out, _ = w.askWith(w.device, refreshForm(refresh))
		refresh = out["refresh_token"].(string)
	}
	idle := w.view.Load()
	w.advance(idle.Settings.SessionIdle)
	if status, _, _ := w.askWith(w.device, refreshForm(refresh)); status != 400 || w.lastReason() != RefreshInvalid {
		t.Errorf("refresh in an idle session: %d %s", status, w.lastReason())
	}
	w.advance(-idle.Settings.SessionIdle)
	_, out, _ = w.askWith(w.device, refreshForm(refresh))
	token, refresh = out["access_token"].(string), out["refresh_token"].(string)
	w.edit(func(e *snapshot.Edit) {
		s, _ := e.View().Sessions.Get("s-lin")
		c := *s
		c.EndedAt = w.now()
		e.Put(&c)
	})
	if status, _ := w.get(w.http(w.device), token); status != 401 || w.lastReason() != TokenSession {
		t.Errorf("after signing out: %d %s", status, w.lastReason())
	}
	if status, _, _ := w.askWith(w.device, refreshForm(refresh)); status != 400 || w.lastReason() != RefreshInvalid {
		t.Errorf("refresh after signing out: %d %s", status, w.lastReason())
	}
}

// The page names what is agreed to, escapes it, and may load nothing.
func TestConsentPage(t *testing.T) {
	w := newLaunchWorld(t)
	resp, body := w.browse(nil, "GET", "lin.s-lin", w.request(nil), nil, nil)
	for _, want := range []string{"Lin &lt;b&gt;Li&lt;/b&gt;", "Northwind &amp; Sons", "Notebook", "eval", "evaluation", "Reader", "read and search Observation records", "127.0.0.1:4711"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	policy := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self' http://127.0.0.1:4711", "style-src 'sha256-"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(policy, "unsafe") {
		t.Error("a script, or leave to run one")
	}
	for h, want := range map[string]string{"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := resp.Header.Get(h); got != want {
			t.Errorf("%s: %q, want %q", h, got, want)
		}
	}
	_, style, _ := strings.Cut(body, "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if !strings.Contains(policy, base64.StdEncoding.EncodeToString(sum[:])) {
		t.Error("the policy does not let the page's own style in")
	}
}

// Who is not signed in is sent to sign in, whatever they ask: nothing tells which
// applications there are.
func TestAuthorizeNeedsAPerson(t *testing.T) {
	w := newLaunchWorld(t)
	for _, who := range []string{"", "lin.s-old", "lin.s-max", "lin.none", "nobody.s-lin", "max.s-lin"} {
		for _, client := range []string{"notebook", "none"} {
			resp, body := w.browse(nil, "GET", who, w.request(func(q url.Values) { q.Set("client_id", client) }), nil, nil)
			if at := resp.Header.Get("Location"); resp.StatusCode != 303 || !strings.HasPrefix(at, "/signin?back=%2Fauthorize%3F") || body != "" {
				t.Errorf("%q, %s: got %d %q", who, client, resp.StatusCode, at)
			}
		}
	}
}

// What is wrong with a request is told to the person alone until it is certain
// that application and address belong together, and then to the application.
func TestAuthorizationRequests(t *testing.T) {
	w := newLaunchWorld(t)
	set := func(k, v string) func(url.Values) { return func(q url.Values) { q.Set(k, v) } }
	del := func(k string) func(url.Values) { return func(q url.Values) { q.Del(k) } }
	for _, tc := range []struct {
		name   string
		who    string
		cred   *Credential
		change func(url.Values)
		code   string // sent back; empty: shown to the person alone
		ok     bool
	}{
		{"good", "lin.s-lin", nil, nil, "", true},
		{"another port of the loopback address", "lin.s-lin", nil, set("redirect_uri", "http://127.0.0.1:9/callback"), "", true},
		{"no port", "lin.s-lin", nil, set("redirect_uri", "http://127.0.0.1/callback"), "", true},
		{"https address", "lin.s-lin", nil, set("redirect_uri", "https://desk.northwind.example/cb"), "", true},
		{"on the vendor's device", "lin.s-lin", w.device, nil, "", true},
		{"unknown application", "lin.s-lin", nil, set("client_id", "none"), "", false},
		{"another vendor's application", "lin.s-lin", nil, set("client_id", "rival"), "", false},
		{"another vendor's person", "rita.s-rita", nil, nil, "", false},
		{"on another vendor's device", "lin.s-lin", w.rival, nil, "", false},
		{"no application", "lin.s-lin", nil, del("client_id"), "", false},
		{"no address", "lin.s-lin", nil, del("redirect_uri"), "", false},
		{"address of elsewhere", "lin.s-lin", nil, set("redirect_uri", "https://evil.example/cb"), "", false},
		{"address with a longer path", "lin.s-lin", nil, set("redirect_uri", callback+"/x"), "", false},
		{"address with a query", "lin.s-lin", nil, set("redirect_uri", callback+"?x=1"), "", false},
		{"address with dot segments", "lin.s-lin", nil, set("redirect_uri", "http://127.0.0.1:4711/x/../callback"), "", false},
		{"address with a user", "lin.s-lin", nil, set("redirect_uri", "http://127.0.0.1:4711@evil.example/callback"), "", false},
		{"address with a backslash", "lin.s-lin", nil, set("redirect_uri", `http://127.0.0.1:4711\@evil.example/callback`), "", false},
		{"address with a fragment", "lin.s-lin", nil, set("redirect_uri", callback+"#x"), "", false},
		{"loopback by name", "lin.s-lin", nil, set("redirect_uri", "http://localhost:4711/callback"), "", false},
		{"loopback of the other kind", "lin.s-lin", nil, set("redirect_uri", "http://[::1]:4711/callback"), "", false},
		{"another port of an https address", "lin.s-lin", nil, set("redirect_uri", "https://desk.northwind.example:8443/cb"), "", false},
		{"https address over http", "lin.s-lin", nil, set("redirect_uri", "http://desk.northwind.example/cb"), "", false},
		{"https address in capitals", "lin.s-lin", nil, set("redirect_uri", "https://DESK.northwind.example/cb"), "", false},
		{"two addresses", "lin.s-lin", nil, func(q url.Values) { q.Add("redirect_uri", "https://evil.example/cb") }, "", false},
		{"two scopes parameters", "lin.s-lin", nil, func(q url.Values) { q.Add("scope", "user/*.cruds") }, "", false},
		{"response type token", "lin.s-lin", nil, set("response_type", "token"), "unsupported_response_type", false},
		{"response type code token", "lin.s-lin", nil, set("response_type", "code token"), "unsupported_response_type", false},
		{"no state", "lin.s-lin", nil, del("state"), "invalid_request", false},
		{"state too long", "lin.s-lin", nil, set("state", strings.Repeat("x", maxState+1)), "invalid_request", false},
		{"PKCE plain", "lin.s-lin", nil, set("code_challenge_method", "plain"), "invalid_request", false},
		{"PKCE method left out, which means plain", "lin.s-lin", nil, del("code_challenge_method"), "invalid_request", false},
		{"no PKCE", "lin.s-lin", nil, func(q url.Values) { q.Del("code_challenge"); q.Del("code_challenge_method") }, "invalid_request", false},
		{"challenge too short", "lin.s-lin", nil, set("code_challenge", "abc"), "invalid_request", false},
		{"no aud", "lin.s-lin", nil, del("aud"), "invalid_request", false},
		{"aud of elsewhere", "lin.s-lin", nil, set("aud", "https://elsewhere/fhir"), "invalid_request", false},
		{"scope of a system", "lin.s-lin", nil, set("scope", "system/Observation.rs"), "invalid_scope", false},
		{"scope of version 1", "lin.s-lin", nil, set("scope", "user/Observation.read"), "invalid_scope", false},
		{"no scope of resources", "lin.s-lin", nil, set("scope", "online_access"), "invalid_scope", false},
		{"offline access", "lin.s-lin", nil, set("scope", "user/Observation.rs offline_access"), "invalid_scope", false},
		{"scope narrowed by a query", "lin.s-lin", nil, set("scope", "user/Observation.rs?category=laboratory"), "invalid_scope", false},
		{"a request object", "lin.s-lin", nil, set("request", "a.b.c"), "request_not_supported", false},
		{"application not approved", "lin.s-lin", nil, set("client_id", "sleeping"), "unauthorized_client", false},
		{"person without a grant", "max.s-max", nil, nil, "access_denied", false},
		{"another application's grant", "lin.s-lin", nil, set("grant", "lin-desk"), "access_denied", false},
		{"its grant", "lin.s-lin", nil, set("grant", "lin-notebook"), "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := w.browse(tc.cred, "GET", tc.who, w.request(tc.change), nil, nil)
			switch {
			case tc.ok:
				if resp.StatusCode != 200 || !requestField.MatchString(body) {
					t.Errorf("got %d %s", resp.StatusCode, body)
				}
			case tc.code == "":
				if resp.StatusCode != 400 || resp.Header.Get("Location") != "" || requestField.MatchString(body) {
					t.Errorf("got %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
				}
			default:
				if q := sentBack(t, resp); q.Get("error") != tc.code || q.Get("iss") != w.base || q.Get("code") != "" || !strings.HasPrefix(resp.Header.Get("Location"), "http://127.0.0.1:4711/callback?") {
					t.Errorf("got %v at %s", q, resp.Header.Get("Location"))
				}
			}
		})
	}
}

// What was shown is what is agreed to, by the person who was shown it, once, in
// time, and not from another site.
func TestConsentForgeries(t *testing.T) {
	w := newLaunchWorld(t)
	allow := func(request string) url.Values { return url.Values{"request": {request}, "decision": {"allow"}} }
	for _, tc := range []struct {
		name    string
		who     string
		cred    *Credential
		form    func() url.Values
		headers http.Header
	}{
		{"not signed in", "", nil, func() url.Values { return allow(w.page(nil, nil)) }, nil},
		{"another person", "max.s-max", nil, func() url.Values { return allow(w.page(nil, nil)) }, nil},
		{"in a session that is over", "lin.s-old", nil, func() url.Values { return allow(w.page(nil, nil)) }, nil},
		{"from another site", "lin.s-lin", nil, func() url.Values { return allow(w.page(nil, nil)) }, http.Header{"Sec-Fetch-Site": {"cross-site"}}},
		{"from another origin", "lin.s-lin", nil, func() url.Values { return allow(w.page(nil, nil)) }, http.Header{"Origin": {"https://evil.example"}}},
		{"changed", "lin.s-lin", nil, func() url.Values { return allow(w.page(nil, nil) + "A") }, nil},
		{"none", "lin.s-lin", nil, func() url.Values { return allow("") }, nil},
		{"an access token", "lin.s-lin", nil, func() url.Values { return allow(w.mint(w.device, nil)) }, nil},
		{"a code", "lin.s-lin", nil, func() url.Values { return allow(w.code(nil, nil)) }, nil},
		{"no decision", "lin.s-lin", nil, func() url.Values { return url.Values{"request": {w.page(nil, nil)}} }, nil},
		{"page of another device", "lin.s-lin", nil, func() url.Values { return allow(w.page(w.device, nil)) }, nil},
		{"answered on another device", "lin.s-lin", w.device2, func() url.Values { return allow(w.page(w.device, nil)) }, nil},
		{"answered twice", "lin.s-lin", nil, func() url.Values {
			p := w.page(nil, nil)
			w.browse(nil, "POST", "lin.s-lin", nil, allow(p), nil)
			return allow(p)
		}, nil},
		{"too late", "lin.s-lin", nil, func() url.Values { p := w.page(nil, nil); w.advance(consentLife); return allow(p) }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := tc.form()
			resp, _ := w.browse(tc.cred, "POST", tc.who, nil, form, tc.headers)
			if resp.StatusCode != 403 || resp.Header.Get("Location") != "" {
				t.Errorf("got %d to %q", resp.StatusCode, resp.Header.Get("Location"))
			}
		})
	}
	resp, _ := w.browse(nil, "POST", "lin.s-lin", nil, url.Values{"request": {w.page(nil, nil)}, "decision": {"deny"}}, nil)
	if q := sentBack(t, resp); q.Get("error") != "access_denied" || q.Get("code") != "" {
		t.Errorf("denied: got %v", q)
	}
}

// A code works once, for whoever asked for it, in time.
func TestCodes(t *testing.T) {
	w := newLaunchWorld(t)
	set := func(k, v string) func(url.Values) { return func(f url.Values) { f.Set(k, v) } }
	for _, tc := range []struct {
		name   string
		cred   *Credential
		change func(url.Values)
		wait   time.Duration
		status int
		reason Reason
	}{
		{"good", w.device, nil, 0, 200, ""},
		{"good, in the last moment", w.device, nil, codeLife - time.Second, 200, ""},
		{"on another vendor's device", w.rival, nil, 0, 401, AppVendorMismatch},
		{"on no device", nil, nil, 0, 401, NoCertificate},
		{"no verifier", w.device, func(f url.Values) { f.Del("code_verifier") }, 0, 400, CodeMismatch},
		{"wrong verifier", w.device, set("code_verifier", strings.Repeat("a", 43)), 0, 400, CodeMismatch},
		{"the challenge as verifier (plain)", w.device, func(f url.Values) {
			sum := sha256.Sum256([]byte(verifier))
			f.Set("code_verifier", base64.RawURLEncoding.EncodeToString(sum[:]))
		}, 0, 400, CodeMismatch},
		{"verifier too short", w.device, set("code_verifier", "abc"), 0, 400, CodeMismatch},
		{"another redirect URI", w.device, set("redirect_uri", "http://127.0.0.1:4712/callback"), 0, 400, CodeMismatch},
		{"no redirect URI", w.device, func(f url.Values) { f.Del("redirect_uri") }, 0, 400, CodeMismatch},
		{"too late", w.device, nil, codeLife, 400, CodeInvalid},
		{"another application", w.device, func(f url.Values) { w.asDesk(f) }, 0, 400, CodeInvalid},
		{"a program with a key that does not sign", w.device, set("client_id", "desk"), 0, 401, ClientPublic},
		{"an unknown application", w.device, set("client_id", "none"), 0, 401, AppUnknown},
		{"an access token as code", w.device, set("code", w.mint(w.device, nil)), 0, 400, CodeInvalid},
		{"no code", w.device, set("code", ""), 0, 400, CodeInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			form := codeForm(w.code(nil, nil))
			w.advance(tc.wait)
			if tc.change != nil {
				tc.change(form)
			}
			status, _, token := w.post(tc.cred, form)
			if status != tc.status || w.lastReason() != tc.reason || (token != "") != (tc.status == 200) {
				t.Errorf("got %d %q, want %d %q", status, w.lastReason(), tc.status, tc.reason)
			}
		})
	}
	if status, _, _ := w.post(w.device, url.Values{"grant_type": {"client_credentials"}, "client_id": {"notebook"}, "scope": {"system/*.rs"}}); status != 401 || w.lastReason() != ClientPublic {
		t.Errorf("a public client by itself: %d %s", status, w.lastReason())
	}
	t.Run("used twice", func(t *testing.T) {
		form := codeForm(w.code(nil, nil))
		_, out, _ := w.askWith(w.device, form)
		if status, _, _ := w.post(w.device, form); status != 400 || w.lastReason() != CodeReused {
			t.Errorf("the second time: %d %s", status, w.lastReason())
		}
		if status, _ := w.get(w.http(w.device), out["access_token"].(string)); status != 401 || w.lastReason() != TokenSession {
			t.Errorf("what the first had yielded: %d %s", status, w.lastReason())
		}
	})
	t.Run("bound to the browser's device", func(t *testing.T) {
		form := codeForm(w.code(w.device, nil))
		if status, _, _ := w.post(w.device2, form); status != 400 || w.lastReason() != CodeMismatch {
			t.Errorf("another device: %d %s", status, w.lastReason())
		}
		if status, _, _ := w.post(w.device, form); status != 200 {
			t.Errorf("its own: %d %s", status, w.lastReason())
		}
	})
	t.Run("with a key", func(t *testing.T) {
		asDesk := func(q url.Values) { q.Set("client_id", "desk") }
		if status, _, _ := w.post(w.device, w.asDesk(codeForm(w.code(nil, asDesk)))); status != 200 {
			t.Errorf("got %d %s", status, w.lastReason())
		}
		if status, _, _ := w.post(w.device, codeForm(w.code(nil, asDesk))); status != 400 || w.lastReason() != CodeInvalid {
			t.Errorf("by the public client: %d %s", status, w.lastReason())
		}
	})
	t.Run("registry does not answer", func(t *testing.T) {
		form := codeForm(w.code(nil, nil))
		w.failBook(true)
		status, code, _ := w.post(w.device, form)
		if w.failBook(false); status != 503 || code != "temporarily_unavailable" || w.lastReason() != NotRecorded {
			t.Errorf("got %d %s %s", status, code, w.lastReason())
		}
		if status, _, _ := w.post(w.device, form); status != 200 {
			t.Errorf("when it answers again: %d %s", status, w.lastReason())
		}
	})
	t.Run("concurrently", func(t *testing.T) {
		form := codeForm(w.code(nil, nil))
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for range 8 {
			wg.Go(func() {
				resp, err := w.http(w.device).PostForm(w.tokenURL(), form)
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				if mu.Lock(); resp.StatusCode == 200 {
					won++
				}
				mu.Unlock()
			})
		}
		if wg.Wait(); won != 1 {
			t.Errorf("%d tokens for one code", won)
		}
	})
}

// A refresh token works once, for its own device and key; the second time ends
// what was given.
func TestRefreshTokens(t *testing.T) {
	w := newLaunchWorld(t)
	begin := func(proofs ...string) (string, string) {
		t.Helper()
		_, out, _ := w.askWith(w.device, codeForm(w.code(nil, nil)), proofs...)
		return out["access_token"].(string), out["refresh_token"].(string)
	}
	refused := func(name string, cred *Credential, form url.Values, status int, reason Reason) {
		t.Helper()
		if got, _, _ := w.post(cred, form); got != status || w.lastReason() != reason {
			t.Errorf("%s: got %d %q, want %d %q", name, got, w.lastReason(), status, reason)
		}
	}
	access, first := begin()
	refused("another device of the vendor", w.device2, refreshForm(first), 400, TokenBoundElsewhere)
	refused("another vendor's device", w.rival, refreshForm(first), 401, AppVendorMismatch)
	refused("another application", w.device, w.asDesk(refreshForm(first)), 400, RefreshInvalid)
	refused("spoilt", w.device, refreshForm(first+"A"), 400, RefreshInvalid)
	refused("an access token", w.device, refreshForm(access), 400, RefreshInvalid)
	refused("a code", w.device, refreshForm(w.code(nil, nil)), 400, RefreshInvalid)
	wider := refreshForm(first)
	wider.Set("scope", "user/Observation.rs user/Patient.rs")
	refused("a wider scope", w.device, wider, 400, ScopeInvalid)
	narrow := refreshForm(first)
	narrow.Set("scope", "user/Observation.rs")
	_, out, _ := w.askWith(w.device, narrow)
	second, ok := out["refresh_token"].(string)
	if !ok || second == first {
		t.Fatalf("not rotated: %v", out)
	}
	refused("the first again", w.device, refreshForm(first), 400, RefreshReused)
	refused("the second, after that", w.device, refreshForm(second), 400, RefreshInvalid)
	if status, _ := w.get(w.http(w.device), out["access_token"].(string)); status != 401 || w.lastReason() != TokenSession {
		t.Errorf("the access token, after that: %d %s", status, w.lastReason())
	}

	key, other := must2(NewKey(256)), must2(NewKey(256))
	_, bound := begin(w.proofFor(key, "", nil))
	refused("without the proof that the code came with", w.device, refreshForm(bound), 400, TokenBoundElsewhere)
	if status, _, _ := w.askWith(w.device, refreshForm(bound), w.proofFor(other, "", nil)); status != 400 || w.lastReason() != TokenBoundElsewhere {
		t.Errorf("with another key's proof: %d %s", status, w.lastReason())
	}
	if status, out, _ := w.askWith(w.device, refreshForm(bound), w.proofFor(key, "", nil)); status != 200 || out["token_type"] != "DPoP" {
		t.Errorf("with its own: %d %v", status, out)
	}

	_, out, _ = w.askWith(w.device, codeForm(w.code(nil, func(q url.Values) { q.Set("scope", "user/Observation.rs") })))
	if out["refresh_token"] != nil {
		t.Error("a refresh token that was not asked for")
	}

	// What the grant and the person's registration say is looked at anew.
	_, last := begin()
	w.edit(func(e *snapshot.Edit) {
		g, _ := e.View().Grants.Get("lin-notebook")
		c := *g
		c.Person = "max"
		e.Put(&c)
	})
	refused("the grant is another's by now", w.device, refreshForm(last), 400, GrantMismatch)
}
