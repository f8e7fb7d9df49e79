package identity

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"pgregory.net/rapid"

	"golang.org/x/oauth2"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// cell is how one thing that proves something fails in one way.
type cell struct {
	do     func(*launchWorld) int // the status that came back
	status int
	reason Reason
}

// The rows of tokens in the matrix: each thing that proves something, and each
// way in which it can fail. A cell refuses with its own reason, for the owner's
// log; a stranger learns nothing from it. That a bearer token which is bound to
// the certificate comes twice on its own device's connections is its use: it has
// no column "replayed".
func TestTokenMatrix(t *testing.T) {
	get := func(w *launchWorld, c *Credential, scheme, token string, proofs ...string) int {
		h := http.Header{}
		if token != "" {
			h.Set("Authorization", scheme+" "+token)
		}
		if proofs != nil {
			h["Dpop"] = proofs
		}
		status, _, _ := w.getWith(c, h)
		return status
	}
	post := func(w *launchWorld, c *Credential, form url.Values) int {
		status, _, _ := w.post(c, form)
		return status
	}
	person := func(w *launchWorld) (access, refresh string) {
		_, out, _ := w.askWith(w.device, codeForm(w.code(nil, nil)))
		return out["access_token"].(string), out["refresh_token"].(string)
	}
	kill := func(w *launchWorld) {
		w.edit(func(e *snapshot.Edit) {
			s, _ := e.View().Sessions.Get("s-lin")
			c := *s
			c.EndedAt = w.now()
			e.Put(&c)
		})
	}
	revoke := func(w *launchWorld, token string) {
		k, reason := w.tokens.verify(token)
		if reason != "" {
			w.t.Fatal(reason)
		}
		if err := newBook(w.world).do(registry.Actor{Device: "mac-7"}, registry.RevokeToken{ID: k.app, Token: k.id, Until: k.expires}); err != nil {
			w.t.Fatal(err)
		}
	}
	key := must2(NewKey(256))
	bound := func(w *launchWorld) string {
		return w.mint(w.device, func(k *token) { k.id, k.jkt = id.New[string](w.now()), kidOf(t, key.Public()) })
	}
	own := func(w *launchWorld) string {
		return w.mint(w.device, func(k *token) { k.id = id.New[string](w.now()) })
	}
	assertion := func(w *launchWorld, change func(map[string]any)) url.Values {
		c := w.claims()
		if change != nil {
			change(c)
		}
		return tokenForm(w.good(c))
	}
	for row, cells := range map[string]map[string]cell{
		"access token of a program": {
			"absent":                   {func(w *launchWorld) int { return get(w, w.device, "Bearer", "") }, 401, TokenAbsent},
			"wrong":                    {func(w *launchWorld) int { return get(w, w.device, "Bearer", own(w)+"A") }, 401, TokenInvalid},
			"expired":                  {func(w *launchWorld) int { k := own(w); w.advance(TokenLife); return get(w, w.device, "Bearer", k) }, 401, TokenExpired},
			"revoked":                  {func(w *launchWorld) int { k := own(w); revoke(w, k); return get(w, w.device, "Bearer", k) }, 401, TokenRevoked},
			"of another vendor":        {func(w *launchWorld) int { return get(w, w.rival, "Bearer", w.mint(w.rival, nil)) }, 401, AppVendorMismatch},
			"stolen by another device": {func(w *launchWorld) int { return get(w, w.device2, "Bearer", own(w)) }, 401, TokenBoundElsewhere},
			"stolen by a rival":        {func(w *launchWorld) int { return get(w, w.rival, "Bearer", own(w)) }, 401, TokenBoundElsewhere},
		},
		"access token with a proof": {
			"absent": {func(w *launchWorld) int { return get(w, w.device, "DPoP", bound(w)) }, 401, ProofAbsent},
			"wrong": {func(w *launchWorld) int {
				k := bound(w)
				return get(w, w.device, "DPoP", k, w.proofFor(must2(NewKey(256)), k, nil))
			}, 401, TokenBoundElsewhere},
			"expired": {func(w *launchWorld) int {
				k := bound(w)
				p := w.proofFor(key, k, nil)
				w.advance(ProofLife + skew)
				return get(w, w.device, "DPoP", k, p)
			}, 401, ProofStale},
			"revoked": {func(w *launchWorld) int {
				k := bound(w)
				revoke(w, k)
				return get(w, w.device, "DPoP", k, w.proofFor(key, k, nil))
			}, 401, TokenRevoked},
			"of another vendor": {func(w *launchWorld) int {
				k := w.mint(w.rival, func(k *token) { k.jkt = kidOf(t, key.Public()) })
				return get(w, w.rival, "DPoP", k, w.proofFor(key, k, nil))
			}, 401, AppVendorMismatch},
			"replayed": {func(w *launchWorld) int {
				k := bound(w)
				p := w.proofFor(key, k, nil)
				get(w, w.device, "DPoP", k, p)
				return get(w, w.device, "DPoP", k, p)
			}, 401, ProofReplayed},
			"stolen by another device": {func(w *launchWorld) int { k := bound(w); return get(w, w.device2, "DPoP", k, w.proofFor(key, k, nil)) }, 401, TokenBoundElsewhere},
			"downgraded":               {func(w *launchWorld) int { return get(w, w.device, "Bearer", bound(w)) }, 401, TokenScheme},
		},
		"access token of a person": {
			"wrong": {func(w *launchWorld) int { a, _ := person(w); return get(w, w.device, "Bearer", a+"A") }, 401, TokenInvalid},
			"expired": {func(w *launchWorld) int {
				a, _ := person(w)
				w.advance(TokenLife)
				return get(w, w.device, "Bearer", a)
			}, 401, TokenExpired},
			"revoked":                  {func(w *launchWorld) int { a, _ := person(w); revoke(w, a); return get(w, w.device, "Bearer", a) }, 401, TokenRevoked},
			"session killed":           {func(w *launchWorld) int { a, _ := person(w); kill(w); return get(w, w.device, "Bearer", a) }, 401, TokenSession},
			"of another vendor":        {func(w *launchWorld) int { a, _ := person(w); return get(w, w.rival, "Bearer", a) }, 401, TokenBoundElsewhere},
			"stolen by another device": {func(w *launchWorld) int { a, _ := person(w); return get(w, w.device2, "Bearer", a) }, 401, TokenBoundElsewhere},
		},
		"access token of a person, bound to a key alone": {
			"stolen by another device": {func(w *launchWorld) int {
				access, _ := person(w)
				k, _ := w.tokens.verify(access)
				bare := *k
				bare.binding, bare.jkt = [32]byte{}, kidOf(t, key.Public())
				raw := must2(w.tokens.sign(bare))
				if got := get(w, w.device, "DPoP", raw, w.proofFor(key, raw, nil)); got != 200 {
					w.t.Errorf("on its own device: %d %s", got, w.lastReason())
				}
				return get(w, w.device2, "DPoP", raw, w.proofFor(key, raw, nil))
			}, 401, TokenSession},
		},
		"client assertion": {
			"absent": {func(w *launchWorld) int {
				f := assertion(w, nil)
				f.Set("client_assertion", "")
				return post(w, w.device, f)
			}, 401, AssertionMalformed},
			"wrong": {func(w *launchWorld) int {
				return post(w, w.device, assertion(w, func(c map[string]any) { c["aud"] = "https://elsewhere/token" }))
			}, 401, AssertionClaims},
			"expired": {func(w *launchWorld) int {
				f := assertion(w, nil)
				w.advance(4*time.Minute + skew)
				return post(w, w.device, f)
			}, 401, AssertionExpired},
			"revoked": {func(w *launchWorld) int {
				w.edit(func(e *snapshot.Edit) { a, _ := e.View().Apps.Get("triage"); c := *a; c.Keys = nil; e.Put(&c) })
				return post(w, w.device, assertion(w, nil))
			}, 401, AssertionKeyUnknown},
			"of another vendor":      {func(w *launchWorld) int { return post(w, w.rival, assertion(w, nil)) }, 401, AppVendorMismatch},
			"replayed":               {func(w *launchWorld) int { f := assertion(w, nil); post(w, w.device, f); return post(w, w.device, f) }, 401, AssertionReplayed},
			"stolen, with no device": {func(w *launchWorld) int { return post(w, nil, assertion(w, nil)) }, 401, NoCertificate},
		},
		"authorization code": {
			"absent": {func(w *launchWorld) int { return post(w, w.device, codeForm("")) }, 400, CodeInvalid},
			"wrong":  {func(w *launchWorld) int { return post(w, w.device, codeForm(w.code(nil, nil)+"A")) }, 400, CodeInvalid},
			"expired": {func(w *launchWorld) int {
				f := codeForm(w.code(nil, nil))
				w.advance(codeLife)
				return post(w, w.device, f)
			}, 400, CodeInvalid},
			"revoked":           {func(w *launchWorld) int { f := codeForm(w.code(nil, nil)); kill(w); return post(w, w.device, f) }, 400, CodeInvalid},
			"of another vendor": {func(w *launchWorld) int { return post(w, w.rival, codeForm(w.code(nil, nil))) }, 401, AppVendorMismatch},
			"replayed": {func(w *launchWorld) int {
				f := codeForm(w.code(nil, nil))
				post(w, w.device, f)
				return post(w, w.device, f)
			}, 400, CodeReused},
			"stolen by another device": {func(w *launchWorld) int { return post(w, w.device2, codeForm(w.code(w.device, nil))) }, 400, CodeMismatch},
			"stolen, without the verifier": {func(w *launchWorld) int {
				f := codeForm(w.code(nil, nil))
				f.Del("code_verifier")
				return post(w, w.device, f)
			}, 400, CodeMismatch},
		},
		"refresh token": {
			"absent": {func(w *launchWorld) int { return post(w, w.device, refreshForm("")) }, 400, RefreshInvalid},
			"wrong":  {func(w *launchWorld) int { _, r := person(w); return post(w, w.device, refreshForm(r+"A")) }, 400, RefreshInvalid},
			"expired": {func(w *launchWorld) int {
				_, r := person(w)
				w.advance(8 * time.Hour)
				return post(w, w.device, refreshForm(r))
			}, 400, RefreshInvalid},
			"revoked":           {func(w *launchWorld) int { _, r := person(w); kill(w); return post(w, w.device, refreshForm(r)) }, 400, RefreshInvalid},
			"of another vendor": {func(w *launchWorld) int { _, r := person(w); return post(w, w.rival, refreshForm(r)) }, 401, AppVendorMismatch},
			"replayed": {func(w *launchWorld) int {
				_, r := person(w)
				post(w, w.device, refreshForm(r))
				return post(w, w.device, refreshForm(r))
			}, 400, RefreshReused},
			"stolen by another device": {func(w *launchWorld) int { _, r := person(w); return post(w, w.device2, refreshForm(r)) }, 400, TokenBoundElsewhere},
		},
	} {
		for column, c := range cells {
			t.Run(row+"/"+column, func(t *testing.T) {
				w := newLaunchWorld(t)
				if got := c.do(w); got != c.status || w.lastReason() != c.reason {
					t.Errorf("got %d %q, want %d %q", got, w.lastReason(), c.status, c.reason)
				}
			})
		}
	}
}

// However tokens, devices, sessions and grants of two vendors are mixed, who is
// accepted is of one vendor throughout, and acts under a grant and in a session of
// their own.
func TestVendorsNeverMix(t *testing.T) {
	w := newLaunchWorld(t)
	w.edit(func(e *snapshot.Edit) {
		e.Put(&snapshot.App{ID: "rita-app", Vendor: "contoso", Kind: snapshot.Human, Public: true, Redirects: []string{"https://c.example/cb"}, Approval: approved})
		e.Put(&snapshot.Grant{ID: "rita-g", App: "rita-app", Person: "rita", Approval: approved})
		live := func(s id.Session, as ...snapshot.Authorization) {
			old, _ := e.View().Sessions.Get(s)
			c := *old
			for i := range as {
				as[i].RedeemedAt = w.now()
			}
			c.Apps = as
			e.Put(&c)
		}
		live("s-lin", snapshot.Authorization{ID: "z1", App: "notebook", Grant: "lin-notebook", Device: "mac-7"}, snapshot.Authorization{ID: "z2", App: "desk", Grant: "lin-desk", Device: "mac-8"})
		live("s-rita", snapshot.Authorization{ID: "z3", App: "rita-app", Grant: "rita-g", Device: "contoso-1"})
	})
	view := w.view.Load()
	creds := map[id.Device]*Credential{"mac-7": w.device, "mac-8": w.device2, "contoso-1": w.rival}
	// Each field is that of a caller who is known, or, one time in four, any other.
	known := []map[string]string{
		{"connection": "mac-7", "bound to": "mac-7", "app": "triage", "grant": "g1"},
		{"connection": "contoso-1", "bound to": "contoso-1", "app": "rival"},
		{"connection": "mac-7", "bound to": "mac-7", "app": "notebook", "grant": "lin-notebook", "person": "lin", "session": "s-lin", "authorization": "z1"},
		{"connection": "mac-8", "bound to": "mac-8", "app": "desk", "grant": "lin-desk", "person": "lin", "session": "s-lin", "authorization": "z2"},
		{"connection": "contoso-1", "bound to": "contoso-1", "app": "rita-app", "grant": "rita-g", "person": "rita", "session": "s-rita", "authorization": "z3"},
	}
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.SampledFrom(known).Draw(t, "base")
		pick := func(t *rapid.T, what string, from ...string) string {
			if rapid.IntRange(0, 3).Draw(t, "spoil "+what) > 0 {
				return base[what]
			}
			return rapid.SampledFrom(from).Draw(t, what)
		}
		at := id.Device(pick(t, "connection", "mac-7", "mac-8", "contoso-1"))
		k := token{id: "x", issued: w.now(), expires: w.now().Add(time.Minute), app: id.App(pick(t, "app", "triage", "notebook", "desk", "rival", "rita-app", "none")),
			grant: id.Grant(pick(t, "grant", "", "g1", "lin-notebook", "lin-desk", "rita-g", "none")), binding: binding(creds[id.Device(pick(t, "bound to", "mac-7", "mac-8", "contoso-1"))]),
			person: id.Person(pick(t, "person", "", "lin", "max", "rita"))}
		text := "system/Patient.rs"
		if k.person != "" {
			k.session, k.authorization = id.Session(pick(t, "session", "s-lin", "s-max", "s-rita", "s-old")), id.Authorization(pick(t, "authorization", "z1", "z2", "z3", "z9"))
			text = "user/Patient.rs"
			k.scopes = must2(ParseUserScopes(text))
		} else {
			k.scopes = must2(ParseScopes(text))
		}
		r := httptest.NewRequest("GET", w.base+"/fhir/Patient/1", nil)
		r.TLS = w.world.request(creds[at], "").TLS
		r.Header.Set("Authorization", "Bearer "+must2(w.tokens.sign(k)))
		c, err := w.verifier.Caller(r, view)
		if err != nil {
			return
		}
		accepted++
		device, _ := view.Devices.Get(at)
		app, _ := view.Apps.Get(k.app)
		if c.Device() != at || c.Vendor() != device.Vendor || app.Vendor != device.Vendor || k.binding != binding(creds[at]) {
			t.Fatalf("accepted on %s: %+v", at, k)
		}
		if k.grant != "" {
			if g, _ := view.Grants.Get(k.grant); g.App != k.app || k.person != "" && g.Person != k.person {
				t.Fatalf("accepted under another's grant: %+v", k)
			}
		}
		if k.person != "" {
			s, _ := view.Sessions.Get(k.session)
			a, ok := s.Authorization(k.authorization)
			if s.Person != k.person || s.Vendor != device.Vendor || !ok || a.App != k.app || a.Grant != k.grant || a.Device != at {
				t.Fatalf("accepted in another's session: %+v", k)
			}
		}
	})
	if accepted == 0 {
		t.Error("nothing was ever accepted: the test says nothing")
	}
}

// A stock OAuth client (golang.org/x/oauth2) goes through the launch, and its
// refreshing works, with nothing but the device's certificate added.
func TestStockOAuthClient(t *testing.T) {
	w := newLaunchWorld(t)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, w.http(w.device))
	config := oauth2.Config{ClientID: "notebook", RedirectURL: callback, Scopes: []string{"user/Observation.rs", "online_access"},
		Endpoint: oauth2.Endpoint{AuthURL: w.base + "/authorize", TokenURL: w.tokenURL(), AuthStyle: oauth2.AuthStyleInParams}}
	pkce := oauth2.GenerateVerifier()
	at := must2(url.Parse(config.AuthCodeURL("state-1", oauth2.S256ChallengeOption(pkce), oauth2.SetAuthURLParam("aud", w.base+"/fhir"))))
	resp, body := w.browse(nil, "GET", "lin.s-lin", at.Query(), nil, nil)
	page := requestField.FindStringSubmatch(body)
	if resp.StatusCode != 200 || page == nil {
		t.Fatalf("no page: %d", resp.StatusCode)
	}
	resp, _ = w.browse(nil, "POST", "lin.s-lin", nil, url.Values{"request": {page[1]}, "decision": {"allow"}}, nil)
	back := sentBack(t, resp)
	if back.Get("state") != "state-1" || back.Get("iss") != w.base {
		t.Fatalf("sent back with %v", back)
	}
	tok, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(pkce))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(tok *oauth2.Token) {
		t.Helper()
		if status, seen := w.get(w.http(w.device), tok.AccessToken); status != 200 || seen.Person != "lin" {
			t.Errorf("got %d %+v", status, seen)
		}
	}
	ask(tok)
	first := tok.RefreshToken
	tok.Expiry = time.Now().Add(-time.Minute) // its clock is the machine's
	if tok, err = config.TokenSource(ctx, tok).Token(); err != nil {
		t.Fatal(err)
	}
	if tok.RefreshToken == first || tok.RefreshToken == "" {
		t.Error("the refresh token was not rotated")
	}
	ask(tok)
	if _, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: first}).Token(); err == nil {
		t.Error("a used refresh token was accepted")
	}
}
