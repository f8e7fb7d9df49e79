package people_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/people"
)

// proof is what a page would send: the state of a ceremony and the authenticator's
// answer to it.
type proof struct{ State, Response, Options string }

// asked is the ceremony of the form on the page, without an answer yet.
func asked(b *browser.Browser) (p proof) {
	raw := b.Value(`(() => { const f = document.querySelector("form[data-passkey]");
		return JSON.stringify({State: f.elements.state.value, Options: f.dataset.options}) })()`)
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		panic(err)
	}
	return p
}

// answered has the authenticator answer the ceremony, on whichever page the browser
// is; rpID is asked for in the place of the server's, if it is not empty.
func (p proof) answered(b *browser.Browser, rpID string) proof {
	options, _ := json.Marshal(p.Options)
	p.Response = b.Value(fmt.Sprintf(`(async () => { const o = JSON.parse(%s); if (%q) o.rpId = %q;
		const c = await navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(o)});
		return JSON.stringify(c.toJSON()) })()`, options, rpID, rpID))
	return p
}

// send posts the proof as the form on the page would.
func (p proof) send(b *browser.Browser) {
	state, _ := json.Marshal(p.State)
	response, _ := json.Marshal(p.Response)
	b.Value(fmt.Sprintf(`(() => { const f = document.querySelector("form[data-passkey]"); f.elements.state.value = %s; f.elements.response.value = %s;
		f.dataset.sent = "1"; const c = f.cloneNode(true); c.id = "copy"; c.querySelector("button").className = "copied"; document.querySelector("main").append(c); return "" })()`, state, response))
	b.Press("#copy button") // a copy has no script: it is sent as it is
}

// withPasskey is a world in which Ada has a passkey in the browser's authenticator.
func withPasskey(t *testing.T, configure ...func(string) string) (*world, *browser.Browser) {
	w := start(t, configure...)
	b := browser.Start(t, w.base)
	b.WithAuthenticator(true)
	_, code, err := w.server.FirstRun()
	if err != nil {
		t.Fatal(err)
	}
	enrol(b, w, code)
	b.Wants("Your passkey is made")
	return w, b
}

// Everything that a thief, a phishing site or a broken authenticator could send, by
// real Chromium: none gets a session, and the log says why.
func TestPasskeysThatAreRefused(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t)
	const refused = "The passkey was not accepted"
	reasons := 0
	wants := func(t *testing.T, reason string) {
		t.Helper()
		b.Wants(refused)
		reasons++
		if got := strings.Count(w.log.String(), `"cause":"`+reason+`"`); got == 0 {
			t.Errorf("the log does not say %s", reason)
		}
		if n := len(w.live("ada")); n != 0 {
			t.Fatalf("there are %d sessions", n)
		}
	}
	open := func() proof { b.Open(w.base + "/signin"); return asked(b) }

	t.Run("a wrong signature", func(t *testing.T) {
		b.Lie(true, false, false)
		open().answered(b, "").send(b)
		wants(t, "passkey-invalid")
		b.Lie(false, false, false)
	})
	t.Run("a user who was not verified", func(t *testing.T) {
		b.Lie(false, true, false)
		open().answered(b, "").send(b)
		wants(t, "passkey-invalid")
		b.Lie(false, false, false)
	})
	t.Run("a user who was not there", func(t *testing.T) {
		b.Lie(false, false, true)
		open().answered(b, "").send(b)
		wants(t, "passkey-invalid")
		b.Lie(false, false, false)
	})
	t.Run("the answer to another ceremony", func(t *testing.T) {
		p, q := open().answered(b, ""), open()
		proof{State: q.State, Response: p.Response}.send(b)
		wants(t, "passkey-invalid")
	})
	t.Run("a state of our own making", func(t *testing.T) {
		p := open().answered(b, "")
		p.State = p.State[:len(p.State)-4] + "AAAA"
		p.send(b)
		wants(t, "ceremony-forged")
	})
	t.Run("no answer at all", func(t *testing.T) {
		p := open()
		p.Response = `{"id":"x"}`
		p.send(b)
		wants(t, "passkey-malformed")
	})
	t.Run("begun in another browser", func(t *testing.T) {
		p := open().answered(b, "")
		b.SetCookie(w.base, "__Host-sallyport-browser", "AAAAAAAAAAAAAAAAAAAAAA")
		p.send(b)
		wants(t, "ceremony-forged")
	})
	t.Run("too late", func(t *testing.T) {
		p := open().answered(b, "")
		w.forward(6 * time.Minute)
		p.send(b)
		wants(t, "ceremony-over")
	})
	t.Run("a phishing site", func(t *testing.T) {
		// The same authenticator, lured to another host that relays our challenge: the
		// browser puts that host into what is signed, and its name is another party's.
		u, _ := url.Parse(w.base)
		other := "https://sallyport.localhost:" + u.Port()
		p := open()
		own := b.Credentials(b.Authenticator)
		stolen := *own[0]
		stolen.RpID = "sallyport.localhost"
		b.WithAuthenticator(true)
		b.AddCredential(&stolen)
		b.Open(other + "/signin")
		p = p.answered(b, "sallyport.localhost")
		b.WithAuthenticator(true)
		b.AddCredential(own[0])
		b.Open(w.base + "/signin")
		p.send(b)
		wants(t, "passkey-invalid")
	})
	t.Run("a passkey of nobody", func(t *testing.T) {
		own := b.Credentials(b.Authenticator)
		b.WithAuthenticator(true)
		none := *own[0]
		none.CredentialID = []byte("nobody-nobody-nobody")
		b.AddCredential(&none)
		open().answered(b, "").send(b)
		wants(t, "passkey-of-other")
		b.WithAuthenticator(true)
		b.AddCredential(own[0])
	})
	if reasons != 10 {
		t.Fatalf("%d of the cases ran", reasons)
	}

	t.Run("and the right one, once", func(t *testing.T) {
		p := open().answered(b, "")
		p.send(b)
		b.Wants("Your access")
		if n := len(w.live("ada")); n != 1 {
			t.Fatalf("there are %d sessions", n)
		}
		b.Press("form[action='/signout'] button")
		b.Open(w.base + "/signin")
		p.send(b)
		b.Wants(refused)
		// The challenge is spent, and so is the counter, whichever is looked at first.
		if !strings.Contains(w.log.String(), `"cause":"ceremony-used"`) && !strings.Contains(w.log.String(), "counter went back") {
			t.Error("the log does not say that it was used")
		}
	})
}

// With a copy of an authenticator's key, and its counter as it was: whichever of the
// two is used second is refused.
func TestACopiedPasskeyIsFound(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t)
	copied := *b.Credentials(b.Authenticator)[0]
	signIn(b, w)
	b.Wants("Your access")
	b.Press("form[action='/signout'] button")
	b.WithAuthenticator(true)
	b.AddCredential(&copied)
	signIn(b, w)
	b.Wants("The passkey's counter went back", "there may be a copy of it")
	if n := len(w.live("ada")); n != 0 {
		t.Errorf("there are %d sessions", n)
	}
}

// An authenticator that cannot verify its user gets no passkey and no session.
func TestUserVerificationIsRequired(t *testing.T) {
	t.Parallel()
	w := start(t)
	b := browser.Start(t, w.base)
	b.WithAuthenticator(false)
	_, code, err := w.server.FirstRun()
	if err != nil {
		t.Fatal(err)
	}
	enrol(b, w, code)
	b.Wants("Make your passkey") // the browser refuses: the page goes nowhere
	if n := len(w.who("ada").Passkeys); n != 0 {
		t.Errorf("there are %d passkeys", n)
	}
	// One that says that it did, and did not.
	b.WithAuthenticator(true)
	b.Lie(false, true, false)
	enrol(b, w, code)
	b.Wants("The passkey was not accepted")
	if n := len(w.who("ada").Passkeys); n != 0 {
		t.Errorf("there are %d passkeys", n)
	}
	b.Lie(false, false, false)
	enrol(b, w, code) // the code is still good: nothing came of it
	b.Wants("Your passkey is made")
}

// From an invitation to signed in: whoever invites, the person, and whoever compares
// the fingerprint, in three different browsers.
func TestFromAnInvitationToSignedIn(t *testing.T) {
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
	print := w.who("lin").Passkeys[0].Fingerprint
	b.Wants("Another person approves you", print)
	b.Picture("waits", 900, false)
	b.Picture("waits-320", 320, false)
	signIn(b, w)
	b.Wants("You may not sign in now", "another person must approve you first")
	if status, p := w.try(grace, "/v1/persons/lin/approve", fields{}); status != 400 || p.Field != "passkeys" {
		t.Errorf("an approval that compared nothing: %d %v", status, p)
	}
	w.must(grace, "/v1/persons/lin/approve", fields{"passkeys": []string{print}})
	signIn(b, w)
	b.Open(w.base + "/account")
	b.Wants("Your access", "Lin Example", "Northwind AI", "a business associate's person")
	if s := w.live("lin"); len(s) != 1 || s[0].Vendor != "northwind" {
		t.Errorf("got %+v", s)
	}
	w.keptQuiet(code)

	// What stops the vendor stops the person, at the next request.
	w.must(grace, "/v1/vendors/northwind/suspend", fields{})
	b.Open(w.base + "/")
	b.Wants("Your session is over")
	signIn(b, w)
	b.Wants("You may not sign in now")
}

// A second passkey needs the first, touched just now; removing one ends everything.
func TestPasskeysAreAddedAndRemoved(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t)
	signIn(b, w)
	w.forward(10 * time.Minute) // the step-up of the sign-in is over
	b.Open(w.base + "/passkeys/new")
	b.Wants("Confirm that it is you")
	b.Picture("stepup", 900, false)
	b.Press("form[data-passkey] .main")
	b.Wants("Make your passkey")
	first := b.Credentials(b.Authenticator)[0]
	b.WithAuthenticator(true) // another device
	b.Press("form[data-passkey] .main")
	b.Wants("Your passkey is made")
	if n := len(w.who("ada").Passkeys); n != 2 {
		t.Fatalf("there are %d passkeys", n)
	}
	b.Open(w.base + "/account")
	b.Press("form[action='/passkeys/remove'] button")
	b.Wants("The passkey is removed")
	if n, s := len(w.who("ada").Passkeys), len(w.live("ada")); n != 1 || s != 0 {
		t.Errorf("%d passkeys and %d sessions are left", n, s)
	}
	signIn(b, w)
	b.Wants("Your access")
	b.Press("form[action='/signout'] button")
	b.WithAuthenticator(true)
	b.AddCredential(first)
	signIn(b, w)
	b.Wants("The passkey was not accepted")
}

// A step-up is by the session's own person: with another's passkey it is none.
func TestAStepUpIsOfItsSession(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.withGrace()
	b := browser.Start(t, w.base)
	credentials := map[id.Person]*webauthn.Credential{}
	for _, p := range []id.Person{"ada", "grace"} {
		code, code256 := newCode(t)
		w.must(w.person(p), "/v1/persons/"+string(p)+"/invite", fields{"code_sha256": code256, "expires_at": w.now().Add(time.Hour)})
		b.WithAuthenticator(true)
		enrol(b, w, code)
		b.Wants("Your passkey is made")
		credentials[p] = b.Credentials(b.Authenticator)[0]
	}
	signIn(b, w) // Grace
	b.Wants("Grace Example")
	credentials["grace"] = b.Credentials(b.Authenticator)[0] // with its counter
	w.forward(10 * time.Minute)
	touched := func() time.Time { return w.live("grace")[0].SteppedUpAt }
	before := touched()

	b.Open(w.base + "/step-up?next=/")
	p := asked(b)
	b.WithAuthenticator(true)
	b.AddCredential(credentials["ada"])
	var options map[string]any
	if err := json.Unmarshal([]byte(p.Options), &options); err != nil {
		t.Fatal(err)
	}
	delete(options, "allowCredentials") // what another's authenticator would not answer
	raw, _ := json.Marshal(options)
	p.Options = string(raw)
	p.answered(b, "").send(b)
	b.Wants("The passkey was not accepted")
	if !touched().Equal(before) || !strings.Contains(w.log.String(), `"cause":"passkey-of-other"`) {
		t.Error("another person's passkey stepped the session up")
	}

	b.Open(w.base + "/step-up?next=/")
	b.WithAuthenticator(true)
	b.AddCredential(credentials["grace"])
	b.Press("form[data-passkey] .main")
	b.Wants("Your access")
	if !touched().After(before) {
		t.Error("her own passkey did not")
	}

	// A command line of hers. It begins by its own secret and its key, and ends so: what
	// the browser carries is worth nothing to anybody else.
	at := newTerminal(t)
	verifier, _ := signin.NewSecret()
	challenge := challengeOf(verifier)
	b.Open(w.base + "/cli/signin?" + at.query("challenge", challenge, "client", "laptop"))
	b.Press("form[data-passkey] .main")
	var cli people.CLISession
	if status := w.post("/cli/session", url.Values{"code": {at.code(t)}, "verifier": {verifier}}, "", &cli); status != http.StatusOK {
		t.Fatalf("signing the command line in: got %d", status)
	}
	stepped := func() time.Time {
		x, _ := w.server.View().Sessions.Get(cli.Session)
		return x.SteppedUpAt
	}
	w.forward(10 * time.Minute)
	before = stepped()
	for _, q := range []string{at.query("session", string(cli.Session)), at.query("ticket", string(cli.Session)), at.query("ticket", "")} {
		b.Open(w.base + "/cli/step-up?" + q)
		b.Wants("No command line waits for this any more")
	}
	if status := w.post("/cli/step-up/begin", url.Values{"challenge": {challenge}}, verifier, nil); status != http.StatusUnauthorized {
		t.Errorf("who has no session begins a step-up: got %d", status)
	}
	begin := func() string {
		var began people.CLIStepUp
		if status := w.post("/cli/step-up/begin", url.Values{"challenge": {challenge}}, cli.Secret, &began); status != http.StatusOK {
			t.Fatalf("begin: got %d", status)
		}
		return w.base + "/cli/step-up?" + at.query("ticket", began.Ticket)
	}
	old := begin()
	where := begin()
	b.Open(old) // the newest counts
	b.Wants("No command line waits for this any more")
	for _, who := range []string{b.Cookies()[signin.CookieName].Value, cli.Secret} {
		b.Open(where)
		b.Press("form[data-passkey] .main")
		code := at.code(t)
		if !stepped().Equal(before) {
			t.Error("the browser alone stepped the command line up")
		}
		want := http.StatusNoContent
		if who != cli.Secret {
			want = http.StatusForbidden
		}
		end := url.Values{"code": {code}, "verifier": {verifier}}
		if status := w.post("/cli/step-up/end", end, who, nil); status != want {
			t.Errorf("the end by %t: got %d, want %d", who == cli.Secret, status, want)
		}
		if status := w.post("/cli/step-up/end", end, cli.Secret, nil); status != http.StatusForbidden {
			t.Errorf("a code twice: got %d", status)
		}
		if who == cli.Secret && !stepped().After(before) {
			t.Error("the command line that asked was not stepped up")
		}
		b.Open(where)
		b.Wants("No command line waits for this any more")
		where = begin()
	}
	// Who is signed in as somebody else is asked for nothing.
	credentials["grace"] = b.Credentials(b.Authenticator)[0]
	b.WithAuthenticator(true)
	b.AddCredential(credentials["ada"])
	b.Open(w.base + "/account")
	b.Press("form[action='/signout'] button")
	signIn(b, w)
	b.Wants("Ada Example")
	b.Open(where)
	b.Wants("The command line is signed in as somebody else than you are here")
}

// terminal is where a command line listens.
type terminal struct {
	port  string
	codes chan string
}

func newTerminal(t *testing.T) *terminal {
	x := &terminal{codes: make(chan string, 8)}
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if code := r.URL.Query().Get("code"); code != "" { // else the browser asks for an icon
			x.codes <- code
		}
	}))
	t.Cleanup(srv.Close)
	_, x.port, _ = strings.Cut(strings.TrimPrefix(srv.URL, "http://"), ":")
	return x
}

func (x *terminal) query(pairs ...string) string {
	q := url.Values{"port": {x.port}, "state": {strings.Repeat("s", 20)}}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q.Encode()
}

func (x *terminal) code(t *testing.T) string {
	t.Helper()
	select {
	case code := <-x.codes:
		return code
	case <-time.After(time.Minute):
		t.Fatal("the browser brought no code")
		return ""
	}
}

// post is what a command line sends, with a session's secret where it has one.
func (w *world) post(path string, form url.Values, secret string, into any) int {
	w.t.Helper()
	req, err := http.NewRequest(http.MethodPost, w.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := w.client(nil).Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			w.t.Fatal(err)
		}
	}
	return resp.StatusCode
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Idle, or at the end of its time however busy: over.
func TestASessionEndsByItself(t *testing.T) {
	t.Parallel()
	w, b := withPasskey(t, func(text string) string { return strings.Replace(text, "session_life: 8h", "session_life: 70m", 1) })
	signIn(b, w)
	for range 2 { // in use, it goes on beyond the idle limit
		w.forward(20 * time.Minute)
		b.Open(w.base + "/")
		b.Wants("Your access")
	}
	w.forward(31 * time.Minute) // and ends by the limit of both
	b.Open(w.base + "/")
	b.Wants("Your session is over")
	signIn(b, w)
	w.forward(31 * time.Minute)
	b.Open(w.base + "/")
	b.Wants("Your session is over")
}
