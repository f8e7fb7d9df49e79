package people_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/snapshot"
)

// What every answer of this door has, to a stranger as to anybody.
func TestEveryPageIsGuarded(t *testing.T) {
	t.Parallel()
	w := start(t)
	hc := w.client(nil)
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for path, want := range map[string]int{"/": 303, "/signin": 200, "/enroll": 200, "/step-up": 303, "/passkeys/new": 303, "/nothing": 404, "/signin/with/x": 403,
		"/signin/callback/x?code=c&state=s": 403, "/cli/signin": 400, "/cli/step-up?ticket=x": 400, "/assets/people.js": 200, "/assets/people.css": 200, "/assets/layout.html": 404} {
		resp, err := hc.Get(w.base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", path, resp.StatusCode, want)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin"} {
			if got := resp.Header.Get(header); got != want {
				t.Errorf("%s: %s: got %q, want %q", path, header, got, want)
			}
		}
		csp := resp.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy lacks %s: %s", path, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(string(body), " onclick=") || strings.Contains(string(body), "<script>") || strings.Contains(string(body), " style=") {
			t.Errorf("%s: there is inline script or style, or leave for it", path)
		}
		if strings.Contains(string(body), "northwind") || strings.Contains(string(body), "ada") && strings.HasPrefix(path, "/signin") {
			t.Errorf("%s: a stranger is told a name", path)
		}
	}
	if resp, err := hc.Get(w.base + "/signin?next=//evil.example"); err != nil || resp.Body.Close() != nil {
		t.Fatal(err)
	}
}

// What is not there, and what is there and takes another method: a person reads a page, a
// program a problem, both with what to do next. A stranger at the API or the gateway
// cannot tell the two from what there is.
func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	stranger, ada := w.client(nil), w.person("ada")
	const page, program, nothing = "text/html; charset=utf-8", "application/problem+json", ""
	for _, c := range []struct {
		who          *http.Client
		method, at   string
		accept       string
		status       int
		kind, allow  string
		saysWhatNext string
	}{
		{ada, "GET", w.api + "/v1/nothing", "", 404, program, "", "GET /openapi.json"},
		{ada, "GET", w.api + "/", "", 404, program, "", "GET /openapi.json"},
		{ada, "DELETE", w.api + "/v1/vendors", "", 405, program, "GET, HEAD, POST", "in that way"},
		{ada, "POST", w.api + "/v1/whoami", "", 405, program, "GET, HEAD", "in that way"},
		{ada, "GET", w.api + "/v1/vendors?limit=0", "", 422, program, "", `"field":"limit"`},
		{ada, "GET", w.api + "/v1/custody/nothing", "", 404, program, "", "sallyport patient --help"},
		{ada, "GET", w.api + "/v1/custody/hold", "", 405, program, "POST", "in that way"},
		{stranger, "GET", w.api + "/v1/nothing", "", 401, nothing, "", ""},
		{stranger, "DELETE", w.api + "/v1/vendors", "", 401, nothing, "", ""},
		{stranger, "GET", w.api + "/v1/vendors", "", 401, nothing, "", ""},
		{stranger, "GET", w.api + "/v1/custody/nothing", "", 401, nothing, "", ""},
		{stranger, "GET", w.gateway + "/nothing", "", 401, nothing, "", ""},
		{stranger, "DELETE", w.gateway + "/standing", "", 401, nothing, "", ""},
		{stranger, "PUT", w.gateway + "/scim/v2/Users", "", 401, nothing, "", ""},
		{stranger, "GET", w.gateway + "/incidents", "", 401, nothing, "", ""},
		// What is for everybody says so to everybody.
		{stranger, "POST", w.gateway + "/.well-known/oauth-authorization-server", "", 405, program, "GET, HEAD", "in that way"},
		{stranger, "DELETE", w.gateway + "/enrol/authority", "", 405, program, "GET", "in that way"},
		{stranger, "GET", w.gateway + "/ssf/events", "", 405, program, "POST", "in that way"},
		{stranger, "GET", w.base + "/nothing", "", 404, page, "", "Begin at the first page"},
		{stranger, "GET", w.base + "/portal/nothing", "", 404, page, "", "Begin at the first page"},
		{stranger, "DELETE", w.base + "/account", "", 405, page, "GET, HEAD", "in that way"},
		{stranger, "GET", w.base + "/nothing", "application/json", 404, program, "", "Begin at the first page"},
		{stranger, "GET", w.base + "/portal/nothing", "application/json", 404, program, "", "Begin at the first page"},
		{stranger, "GET", w.base + "/cli/session", "application/json", 405, program, "POST", "in that way"},
		{stranger, "PUT", w.base + "/portal/in", "application/problem+json", 405, program, "GET, HEAD, POST", "in that way"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, c.at, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.accept != "" {
			req.Header.Set("Accept", c.accept)
		}
		resp, err := c.who.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.Body.Close() != nil {
			t.Fatal(err)
		}
		if kind, allow := resp.Header.Get("Content-Type"), resp.Header.Get("Allow"); resp.StatusCode != c.status || kind != c.kind || allow != c.allow || !strings.Contains(string(body), c.saysWhatNext) {
			t.Errorf("%s %s for %q: got %d %s, Allow %q, %s; want %d %s, Allow %q, and %q", c.method, c.at, c.accept, resp.StatusCode, kind, allow, body, c.status, c.kind, c.allow, c.saysWhatNext)
		}
	}
}

// Another site cannot post here with the person's cookies, whatever it posts.
func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	w := start(t)
	hc := w.client(nil)
	for _, path := range []string{"/signin", "/signin/certificate", "/enroll", "/enroll/passkey", "/step-up", "/passkeys/remove", "/sessions/end", "/sessions/end-all", "/signout",
		"/cli/signin", "/cli/signin/session", "/cli/session", "/cli/step-up", "/cli/step-up/begin", "/cli/step-up/end"} {
		for _, said := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}, {"Origin", strings.Replace(w.base, "https:", "http:", 1)}} {
			header, value := said[0], said[1]
			req, err := http.NewRequest(http.MethodPost, w.base+path, strings.NewReader("code=x"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header, value)
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden || !strings.Contains(string(body), "from another site") {
				t.Errorf("%s with %s: got %d", path, header, resp.StatusCode)
			}
		}
	}
}

// Where a person is sent after a sign-in is here, whatever the address says.
func TestSignInsLeadNowhereElse(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t)
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "\thttps://evil.example", "javascript:alert(1)", "/%09/evil.example", "evil"} {
		b.Open(w.base + "/signin?" + url.Values{"next": {next}}.Encode())
		b.Press("form[data-passkey] .main")
		if at := b.At(); !strings.HasPrefix(at, w.base+"/") {
			t.Fatalf("%q led to %s", next, at)
		}
		b.Open(w.base + "/")
		b.Wants("Your access")
		b.Press("form[action='/signout'] button")
	}
}

// And to where they wanted, however long its address is: an app's request for leave
// can be long.
func TestSignInsLeadBack(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t)
	next := "/account?x=" + strings.Repeat("y", 12<<10)
	b.Open(w.base + "/signin?" + url.Values{"next": {next}}.Encode())
	b.Press("form[data-passkey] .main")
	if at := b.At(); at != w.base+next {
		t.Errorf("got an address of %d characters", len(at))
	}
	b.Wants("Your access")
}

// Nobody is answered more often than people ask, by a page or by a problem; and a while
// later they are again.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.stand()
	for _, c := range []struct{ at, kind, text string }{
		{w.base + "/assets/people.css", "text/html; charset=utf-8", "too many requests from your address"},
		{w.api + "/v1/whoami", "application/problem+json", `"type":"urn:sallyport:problem:too-many"`},
		{w.api + "/v1/custody/holds", "application/problem+json", "too many requests from your address"},
	} {
		hc := w.client(nil)
		get := func() (*http.Response, string) {
			resp, err := hc.Get(c.at)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			return resp, string(body)
		}
		resp, body := get()
		for n := 0; resp.StatusCode != http.StatusTooManyRequests && n < 10_000; n++ {
			resp, body = get()
		}
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != c.kind || !strings.Contains(body, c.text) {
			t.Errorf("%s: got %d, Retry-After %q, %s:\n%s", c.at, resp.StatusCode, resp.Header.Get("Retry-After"), resp.Header.Get("Content-Type"), body)
		}
		w.forward(time.Minute)
		if resp, _ := get(); resp.StatusCode == http.StatusTooManyRequests {
			t.Errorf("%s: a minute later: got %d", c.at, resp.StatusCode)
		}
	}
}

// Guessing codes is slow, and right ones are found by nobody who guesses.
func TestCodesAreTriedAFewTimes(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.stand()
	_, code, err := w.server.FirstRun()
	if err != nil {
		t.Fatal(err)
	}
	hc := w.client(nil)
	try := func(code string) int {
		resp, err := hc.PostForm(w.base+"/enroll", url.Values{"code": {code}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	other, _ := newCode(t)
	for range 10 {
		if got := try(other); got != http.StatusForbidden {
			t.Fatalf("got %d", got)
		}
	}
	if got := try(code); got != http.StatusTooManyRequests {
		t.Errorf("the right code, after too many tries: got %d", got)
	}
	w.forward(time.Minute)
	if got := try(code); got != http.StatusOK {
		t.Errorf("a while later: got %d", got)
	}
	w.forward(time.Hour)
	if got := try(code); got != http.StatusForbidden {
		t.Errorf("after an hour: got %d", got)
	}
}

// By keyboard alone, in 320 pixels, without a sideways scroll; and what is pressed is
// labelled.
func TestPagesWorkByKeyboardAndOnAPhone(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t)
	check := func(what string) {
		t.Helper()
		b.Width(320)
		if got := b.Value(`String(document.documentElement.scrollWidth > innerWidth)`); got != "false" {
			t.Errorf("%s scrolls sideways at 320 pixels", what)
		}
		if got := b.Value(`[...document.querySelectorAll("input:not([type=hidden])")].filter(e => !e.labels.length).map(e => e.id).join()`); got != "" {
			t.Errorf("%s: inputs without a label: %s", what, got)
		}
		if got := b.Value(`String(document.querySelectorAll("h1").length) + document.title.includes(document.querySelector("h1").innerText) + document.documentElement.lang`); got != "1trueen" {
			t.Errorf("%s: one heading, in the title, in English: got %s", what, got)
		}
		if got := b.Value(`[...document.querySelectorAll("button, a")].filter(e => !e.innerText.trim()).length.toString()`); got != "0" {
			t.Errorf("%s: %s buttons or links say nothing", what, got)
		}
		b.Width(1000)
	}
	b.Open(w.base + "/signin")
	check("sign in")
	b.Open(w.base + "/enroll")
	check("enroll")
	// The first thing that a person types on the page goes to what it is for.
	b.Open(w.base + "/signin")
	b.Focused("Sign in with a passkey")
	b.Key("\r")
	b.Await("Your access")
	b.Open(w.base + "/account")
	check("home")
	b.Open(w.base + "/step-up?next=/")
	check("step up")
	b.Open(w.base + "/passkeys/new")
	check("register")
	b.Open(w.base + "/account")
	b.Press("form[action='/sessions/end-all'] button")
	b.Wants("You are signed out")
	check("signed out")
	if n := len(w.live("ada")); n != 0 {
		t.Errorf("%d sessions go on", n)
	}
	b.Errors() // of the console: a policy that was broken, a file that was not there
}

// A vendor's person who is signed in is told of themselves by the API, and of nothing
// and nobody else; and a cookie is nothing there.
func TestTheAPIAndAVendorsPerson(t *testing.T) {
	t.Parallel()
	w := start(t)
	ada, grace := w.withGrace()
	w.must(ada, "/v1/vendors", fields{"id": "northwind", "name": "Northwind AI"})
	w.must(grace, "/v1/vendors/northwind/approve", fields{})
	w.must(ada, "/v1/persons", fields{"id": "lin", "name": "Lin Example", "vendor": "northwind", "classification": "business-associate", "basis": "employee of the vendor", "region": "US"})
	code, code256 := newCode(t)
	w.must(ada, "/v1/persons/lin/invite", fields{"code_sha256": code256, "expires_at": w.now().Add(time.Hour)})
	b := browser.Start(t, w.base)
	b.WithAuthenticator(true)
	enrol(b, w, code)
	w.must(grace, "/v1/persons/lin/approve", fields{"passkeys": []string{w.who("lin").Passkeys[0].Fingerprint}})
	signIn(b, w)
	secret := b.Cookies()["__Host-sallyport"].Value

	hc := w.client(nil)
	get := func(path string, header ...string) int {
		req, err := http.NewRequest(http.MethodGet, w.api+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := hc.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := get("/v1/whoami", "Cookie", "__Host-sallyport="+secret); got != http.StatusUnauthorized {
		t.Errorf("by cookie: got %d", got)
	}
	bearer := []string{"Authorization", "Bearer " + secret}
	for path, want := range map[string]int{"/v1/whoami": 200, "/v1/persons": 403, "/v1/persons/lin": 403, "/v1/sessions": 403, "/v1/acts": 403, "/openapi.json": 403, "/v1/whoami/": 403,
		"/v1/my-access": 200, "/v1/roles/any/fields": 404, "/v1/requests": 403, "/v1/emergencies": 403, "/v1/campaigns/any/items": 403} {
		if got := get(path, bearer...); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
	session := w.live("lin")[0].ID
	for path, want := range map[string]int{"/v1/vendors": 403, "/v1/holds": 403, "/v1/persons/lin/approve": 403, "/v1/persons/grace/invite": 403, "/v1/sessions/nothing/end": 403,
		"/v1/custody/reveal": 401} {
		if got, p := w.try(hc, path, fields{}, bearer...); got != want {
			t.Errorf("%s: got %d (%v), want %d", path, got, p, want)
		}
	}
	if got, p := w.try(hc, "/v1/sessions/"+string(session)+"/end", fields{}, bearer...); got != 200 {
		t.Errorf("their own session: got %d, %v", got, p)
	}
	if got := get("/v1/whoami", bearer...); got != http.StatusUnauthorized {
		t.Errorf("after its end: got %d", got)
	}
}

// A person with a certificate of their own signs in by it; the session is worth
// something on connections with that key alone, and decides nothing without a passkey.
func TestASessionByCertificateIsBoundToItsKey(t *testing.T) {
	t.Parallel()
	w := start(t)
	_, grace := w.withGrace()
	w.must(w.person("ada"), "/v1/vendors", fields{"id": "northwind", "name": "Northwind AI"})
	grace.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := grace.PostForm(w.base+"/signin/certificate", url.Values{"next": {"/"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	var secret string
	for _, c := range resp.Cookies() {
		if c.Name == "__Host-sallyport" {
			secret = c.Value
		}
	}
	s := w.live("grace")
	if resp.StatusCode != http.StatusSeeOther || secret == "" || len(s) != 1 || s[0].Method != snapshot.ByCertificate || s[0].Key256 == "" || !s[0].SteppedUpAt.IsZero() {
		t.Fatalf("got %d, %+v", resp.StatusCode, s)
	}
	bearer := []string{"Authorization", "Bearer " + secret}
	if got, p := w.try(grace, "/v1/vendors/northwind/approve", fields{}, bearer...); got != 403 || len(p.Reasons) != 1 || p.Reasons[0].Gate != "step-up" || !strings.Contains(p.Reasons[0].NextStep, "sallyport step-up") {
		t.Errorf("got %d, %+v", got, p)
	}
	for what, hc := range map[string]*http.Client{"without a certificate": w.client(nil), "with another's": w.person("ada")} {
		if got, _ := w.try(hc, "/v1/vendors/northwind/approve", fields{}, bearer...); got != http.StatusUnauthorized {
			t.Errorf("%s: got %d", what, got)
		}
	}
	w.must(grace, "/v1/vendors/northwind/approve", fields{}) // the certificate itself goes on as it did
}
