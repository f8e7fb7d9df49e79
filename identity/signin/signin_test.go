package signin

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

var approvedNow = snapshot.Approval{State: snapshot.Approved, ApprovedAt: noon}

// signedInWorld is a view with one vendor's person and their session, and the secret
// of that.
func signedInWorld(change func(e *snapshot.Edit, s *snapshot.Session)) (*snapshot.View, string) {
	secret, secret256 := NewSecret()
	e := new(snapshot.View).WithSettings(snapshot.Settings{SessionLife: 8 * time.Hour, SessionIdle: 30 * time.Minute, SnapshotFreshness: time.Minute}).Edit()
	e.Put(&snapshot.Vendor{ID: "northwind", Approval: approvedNow})
	e.Put(&snapshot.Person{ID: "lin", Vendor: "northwind", Approval: approvedNow})
	s := &snapshot.Session{ID: "s", Person: "lin", Vendor: "northwind", Secret256: secret256, Method: snapshot.ByPasskey, StartedAt: noon, ExpiresAt: noon.Add(8 * time.Hour)}
	if change != nil {
		change(e, s)
	}
	e.Put(s)
	return e.Publish(1, 1, noon), secret
}

func asked(secret string, key []byte) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(&http.Cookie{Name: CookieName, Value: secret})
	r.Header.Set("Authorization", "Bearer "+secret)
	if key != nil {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{{RawSubjectPublicKeyInfo: key}}}
	}
	return r
}

// A session counts only while everything about it holds, at every request.
func TestWhenASessionCounts(t *testing.T) {
	ofKey := PeerKey(asked("", []byte("key")))
	for name, c := range map[string]struct {
		change func(*snapshot.Edit, *snapshot.Session)
		at     time.Duration
		key    []byte
		want   bool
	}{
		"a good one":         {want: true},
		"on its device":      {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.Key256 = ofKey }, key: []byte("key"), want: true},
		"on another device":  {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.Key256 = ofKey }, key: []byte("other")},
		"without its device": {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.Key256 = ofKey }},
		"ended":              {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.EndedAt = noon }},
		"over":               {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.ExpiresAt = noon }},
		"not begun":          {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.StartedAt = noon.Add(time.Second) }},
		"idle":               {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.StartedAt = noon.Add(-30 * time.Minute) }},
		"seen since": {change: func(_ *snapshot.Edit, s *snapshot.Session) {
			s.StartedAt, s.SeenAt = noon.Add(-30*time.Minute), noon.Add(-time.Minute)
		}, want: true},
		"in a view that is old": {at: 2 * time.Minute},
		"of nobody":             {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.Person = "x" }},
		"of another vendor":     {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.Vendor = "" }},
		"of a suspended person": {change: func(e *snapshot.Edit, _ *snapshot.Session) {
			e.Put(&snapshot.Person{ID: "lin", Vendor: "northwind", Approval: snapshot.Approval{State: snapshot.Suspended}})
		}},
		"of a person on hold": {change: func(e *snapshot.Edit, _ *snapshot.Session) {
			e.Put(&snapshot.Hold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "lin"}})
		}},
		"of a vendor on hold": {change: func(e *snapshot.Edit, _ *snapshot.Session) {
			e.Put(&snapshot.Hold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}})
		}},
		"of a suspended vendor": {change: func(e *snapshot.Edit, _ *snapshot.Session) {
			e.Put(&snapshot.Vendor{ID: "northwind", Approval: snapshot.Approval{State: snapshot.Suspended}})
		}},
		"by a provider that is no more": {change: func(_ *snapshot.Edit, s *snapshot.Session) { s.Connector = "idp" }},
		"by a provider": {change: func(e *snapshot.Edit, s *snapshot.Session) {
			s.Connector = "idp"
			e.Put(&snapshot.Connector{ID: "idp", Vendor: "northwind", Approval: approvedNow})
		}, want: true},
		"by a provider on hold": {change: func(e *snapshot.Edit, s *snapshot.Session) {
			s.Connector = "idp"
			e.Put(&snapshot.Connector{ID: "idp", Vendor: "northwind", Approval: approvedNow})
			e.Put(&snapshot.Hold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounConnector, ID: "idp"}})
		}},
		"by another vendor's provider": {change: func(e *snapshot.Edit, s *snapshot.Session) {
			s.Connector = "idp"
			e.Put(&snapshot.Connector{ID: "idp", Vendor: "x", Approval: approvedNow})
		}},
	} {
		view, secret := signedInWorld(c.change)
		s := NewSessions(SessionsOptions{View: func() *snapshot.View { return view }, Now: func() time.Time { return noon.Add(c.at) }})
		for door, ask := range map[string]func(*http.Request) (id.Person, id.Session, bool){"cookie": s.SignedIn, "bearer": s.Bearer} {
			person, session, ok := ask(asked(secret, c.key))
			if ok != c.want || ok != (person == "lin" && session == "s") {
				t.Errorf("%s, by %s: got %q, %q, %t, want %t", name, door, person, session, ok, c.want)
			}
		}
	}
}

func TestWhatIsNoSecret(t *testing.T) {
	view, secret := signedInWorld(nil)
	s := NewSessions(SessionsOptions{View: func() *snapshot.View { return view }, Now: func() time.Time { return noon }})
	for name, change := range map[string]func(*http.Request){
		"nothing":    func(r *http.Request) { r.Header = http.Header{} },
		"another":    func(r *http.Request) { other, _ := NewSecret(); *r = *asked(other, nil) },
		"half":       func(r *http.Request) { *r = *asked(secret[:40], nil) },
		"the digest": func(r *http.Request) { *r = *asked(digest(secret), nil) },
		"twice": func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: CookieName, Value: secret})
			r.Header.Add("Authorization", "Bearer "+secret)
		},
		"another scheme": func(r *http.Request) { r.Header.Del("Cookie"); r.Header.Set("Authorization", "Basic "+secret) },
	} {
		r := asked(secret, nil)
		change(r)
		if p, _, ok := s.SignedIn(r); ok {
			t.Errorf("%s: %s is signed in by cookie", name, p)
		}
		if p, _, ok := s.Bearer(r); ok {
			t.Errorf("%s: %s is signed in by header", name, p)
		}
	}
	none := NewSessions(SessionsOptions{View: func() *snapshot.View { return nil }, Now: func() time.Time { return noon }})
	if _, _, ok := none.SignedIn(asked(secret, nil)); ok {
		t.Error("somebody is signed in without a registry")
	}
}

func TestACodeIsTypedAsPeopleType(t *testing.T) {
	code := NewCode()
	want, ok := CodeDigest(code)
	if !ok || len(code) != 29 {
		t.Fatalf("got %q", code)
	}
	for _, typed := range []string{strings.ToLower(code), strings.ReplaceAll(code, "-", ""), " " + strings.ReplaceAll(code, "-", " ") + "\n",
		strings.NewReplacer("0", "o", "1", "l").Replace(code), strings.ReplaceAll(code, "1", "I")} {
		if got, ok := CodeDigest(typed); !ok || got != want {
			t.Errorf("%q is not %q", typed, code)
		}
	}
	for _, typed := range []string{"", code[1:], code + "X", strings.Replace(code, code[:1], "U", 1), strings.Repeat("-", 200) + code, "é" + code[1:]} {
		if _, ok := CodeDigest(typed); ok {
			t.Errorf("%q is a code", typed)
		}
	}
	if other := NewCode(); other == code {
		t.Error("two codes are the same")
	}
}

// FuzzCode: a code is 25 letters of the alphabet, however it is typed.
func FuzzCode(f *testing.F) {
	f.Add(NewCode())
	f.Add("ooooo-iiiii-lllll-00000-11111")
	f.Add("")
	f.Fuzz(func(t *testing.T, typed string) {
		got, ok := CodeDigest(typed)
		if ok != (got != "") || ok && len(got) != 64 {
			t.Fatalf("got %q, %t", got, ok)
		}
		if again, ok2 := CodeDigest(strings.ToLower(typed)); ok && strings.ToLower(typed) == typed && (again != got || !ok2) {
			t.Fatal("the same code has two digests")
		}
	})
}

func TestTheFirstRunsCodeIsUsedOnce(t *testing.T) {
	f := &FirstRun{Path: filepath.Join(t.TempDir(), "first-run")}
	if _, ok := f.Person("", noon); ok {
		t.Error("there is a code before there is one")
	}
	code, err := f.New("ada", noon)
	if err != nil {
		t.Fatal(err)
	}
	code256, _ := CodeDigest(code)
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	if raw, err := os.ReadFile(f.Path); err != nil || strings.Contains(string(raw), code) {
		t.Errorf("the file holds the code, or %v", err)
	}
	for what, try := range map[string]struct {
		code string
		at   time.Time
	}{"another": {digest("x"), noon}, "none": {"", noon}, "too late": {code256, noon.Add(FirstRunLife)}, "before": {code256, noon.Add(-time.Hour)}} {
		if _, ok := f.Use(try.code, try.at); ok {
			t.Errorf("%s is used", what)
		}
	}
	if p, ok := f.Use(code256, noon); !ok || p != "ada" {
		t.Errorf("got %q, %t", p, ok)
	}
	if _, ok := f.Use(code256, noon); ok {
		t.Error("it is used twice")
	}
	old, _ := f.New("ada", noon)
	if _, err := f.New("ada", noon); err != nil {
		t.Fatal(err)
	}
	if old256, _ := CodeDigest(old); old256 != "" {
		if _, ok := f.Person(old256, noon); ok {
			t.Error("an earlier code goes on")
		}
	}
	for range 2 {
		if err := f.Drop(); err != nil {
			t.Error(err)
		}
	}
}

func TestTooManyTries(t *testing.T) {
	l := NewLimit(3, time.Second)
	from := func(addr string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = addr
		return r
	}
	for i, want := range []bool{true, true, true, false} {
		if got := l.Try(from("192.0.2.1:1"), noon) == nil; got != want {
			t.Errorf("try %d: got %t", i, got)
		}
	}
	if l.Try(from("192.0.2.2:1"), noon) != nil || l.Try(from("192.0.2.1:2"), noon.Add(time.Second)) != nil {
		t.Error("another address, or a later try, is not allowed")
	}
	if l.Try(from("192.0.2.1:2"), noon.Add(-time.Hour)) == nil {
		t.Error("a clock that goes back gives new tries")
	}
	for range 3 {
		_ = l.Try(from("[2001:db8::1]:1"), noon) // used up
	}
	if l.Try(from("[2001:db8::2]:1"), noon) == nil {
		t.Error("the next address of one network is another's")
	}
	p := problem.From(l.Try(from("[2001:db8::3]:1"), noon))
	h := http.Header{}
	p.SetHeaders(h)
	if got, want := []string{h.Get("Retry-After"), fmt.Sprint(p.Kind.Status())}, []string{"1", "429"}; !slices.Equal(got, want) {
		t.Errorf("one too many: got %q, want %q", got, want)
	}
}

// A clock that goes back and forth gives nothing twice; and one that was far ahead, and is
// set right, shuts nobody out for long.
func TestAClockThatGoesBackAndForthGivesNoTries(t *testing.T) {
	for _, leap := range []time.Duration{time.Millisecond, time.Second, time.Minute, time.Hour} {
		l, got := NewLimit(3, time.Second), 0
		for range 20 {
			for _, at := range []time.Time{noon, noon.Add(-leap)} {
				if l.take("one", at) == 0 {
					got++
				}
			}
		}
		if got != 3 {
			t.Errorf("back by %s and forth: got %d tries, want 3", leap, got)
		}
	}
	l := NewLimit(3, time.Second)
	for l.take("one", noon.AddDate(1, 0, 0)) == 0 {
	}
	wait := l.take("one", noon)
	if wait <= time.Second || wait > time.Hour+time.Second {
		t.Errorf("after a year too much: wait %s, want an hour at most", wait)
	}
	if again := l.take("one", noon.Add(wait)); again != 0 {
		t.Errorf("after the wait that was told: wait %s more", again)
	}
}

// However many come, the memory is bounded, and those beyond it share what one has.
func TestLimitIsBounded(t *testing.T) {
	l := NewLimit(3, time.Hour)
	for i := range maxBuckets + 100 {
		l.take(strconv.Itoa(i), noon)
	}
	if got := len(l.buckets); got > maxBuckets+1 {
		t.Errorf("got %d buckets, want at most %d", got, maxBuckets+1)
	}
	if l.take("a new one", noon) == 0 {
		t.Error("who comes when there is no room is let in")
	}
	if l.take("a new one", noon.Add(24*time.Hour)) != 0 {
		t.Error("when those before have gone, there is no room still")
	}
}

// What is sent at once has a bound, of each and of all; and leaving gives room once.
func TestRoomForWhatIsSent(t *testing.T) {
	x := NewRoom(10<<20, 4<<20)
	sends := func(who string, size int64) (func(), problem.Kind) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.ContentLength = size
		leave, err := x.Take(r, who, 3<<20)
		if err != nil {
			return nil, problem.From(err).Kind
		}
		return leave, ""
	}
	var leave []func()
	for i, step := range []struct {
		who  string
		size int64
		want problem.Kind
	}{
		{"lin", 2 << 20, ""},
		{"lin", -1, problem.TooMany}, // as long as it may be
		{"lin", 2 << 20, ""},
		{"lin", 1 << 20, problem.TooMany},
		{"lin", 1 << 10, ""}, // a small one is no matter
		{"mia", 1 << 40, ""}, // no more than that is read
		{"noa", 2 << 20, ""},
		{"noa", 2 << 20, problem.Unavailable}, // everybody's
	} {
		done, got := sends(step.who, step.size)
		if got != step.want {
			t.Errorf("step %d, %s sends %d: got %q, want %q", i, step.who, step.size, got, step.want)
		}
		if done != nil {
			leave = append(leave, done, done)
		}
	}
	for _, f := range leave {
		f()
	}
	if x.total != 0 || len(x.of) != 0 {
		t.Errorf("all have left, and %d bytes of %v are taken", x.total, x.of)
	}
}

// One session uses up its own and nobody else's; strangers use up nothing of theirs.
func TestRequestsAreCountedApart(t *testing.T) {
	x, r := NewRequests(), httptest.NewRequest(http.MethodGet, "/", nil)
	until := func(who string) (n int) {
		for ; x.Try(r, who, noon) == nil; n++ {
		}
		return n
	}
	if got := until(""); got != 2000 {
		t.Errorf("a stranger may ask %d times", got)
	}
	if got := until("one"); got != 4000 {
		t.Errorf("a session may ask %d times", got)
	}
	if err := x.Try(r, "two", noon); err != nil {
		t.Errorf("another session at the same address: %v", err)
	}
	n := 0
	for i := range 100 {
		n += until(strconv.Itoa(i))
	}
	if got, want := n, 40_000-4000-1; got > want {
		t.Errorf("an address may ask %d times, want at most %d", got, want)
	}
	if err := x.Try(r, "one", noon.Add(time.Minute)); err != nil {
		t.Errorf("a minute later: %v", err)
	}
}

// FuzzAnswer: no answer of an authenticator but a right one signs anybody in.
func FuzzAnswer(f *testing.F) {
	base, _ := url.Parse("https://people.example.org")
	p := must(NewPasskeys(base, "Mercy Valley Health", func() time.Time { return noon }))
	view, _ := signedInWorld(nil)
	e := view.Edit()
	e.Put(&snapshot.Person{ID: "lin", Passkeys: []snapshot.Passkey{{ID: []byte("credential"), PublicKey: []byte("key")}}, Approval: approvedNow})
	view = e.Publish(2, 2, noon)
	in := must(p.BeginSignIn("browser", Ceremony{}))
	lin, _ := view.Persons.Get("lin")
	up := must(p.BeginStepUp(lin, "s", "browser", Ceremony{}))
	reg := must(p.BeginRegistration(lin, "browser", Ceremony{}))
	f.Add(`{"id":"Y3JlZGVudGlhbA","rawId":"Y3JlZGVudGlhbA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AAAA","signature":"AAAA"}}`)
	f.Add(`{"id":"Y3JlZGVudGlhbA","rawId":"Y3JlZGVudGlhbA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA"}}`)
	f.Add(`{}`)
	f.Fuzz(func(t *testing.T, answer string) {
		if _, err := p.FinishSignIn(view, "browser", in.State, answer); err == nil {
			t.Error("signed in")
		}
		if _, err := p.FinishStepUp(view, "browser", up.State, answer); err == nil {
			t.Error("stepped up")
		}
		if k, _, err := p.FinishRegistration(view, "browser", reg.State, answer); err == nil && len(k.PublicKey) == 0 {
			t.Error("a passkey without a key")
		}
	})
}

// BenchmarkSignedIn is what each request of a person costs, with ten thousand
// sessions in the registry.
func BenchmarkSignedIn(b *testing.B) {
	view, secret := signedInWorld(func(e *snapshot.Edit, _ *snapshot.Session) {
		for range 10_000 {
			other, other256 := NewSecret()
			e.Put(&snapshot.Session{ID: id.Session(other), Person: "lin", Vendor: "northwind", Secret256: other256, StartedAt: noon, ExpiresAt: noon.Add(time.Hour)})
		}
	})
	s := NewSessions(SessionsOptions{View: func() *snapshot.View { return view }, Now: func() time.Time { return noon }})
	r := asked(secret, nil)
	for b.Loop() {
		if _, _, ok := s.SignedIn(r); !ok {
			b.Fatal("not signed in")
		}
	}
}

// While the registry is not confirmed nobody is let in, and who has a session is told
// that it is not over; nobody else is told anything.
func TestWhileTheRegistryIsNotConfirmed(t *testing.T) {
	good, secret := signedInWorld(nil)
	ended, over := signedInWorld(func(_ *snapshot.Edit, s *snapshot.Session) { s.EndedAt = noon })
	bound, elsewhere := signedInWorld(func(_ *snapshot.Edit, s *snapshot.Session) { s.Key256 = PeerKey(asked("", []byte("key"))) })
	other, _ := NewSecret()
	for name, c := range map[string]struct {
		view   *snapshot.View
		secret string
		after  time.Duration
		want   bool
	}{
		"a session":                 {good, secret, 2 * time.Minute, true},
		"one that counts":           {good, secret, 30 * time.Second, false},
		"one that is idle too long": {good, secret, time.Hour, false},
		"one that ended":            {ended, over, 2 * time.Minute, false},
		"one without its key":       {bound, elsewhere, 2 * time.Minute, false},
		"a stranger":                {good, other, 2 * time.Minute, false},
		"no secret":                 {good, "", 2 * time.Minute, false},
	} {
		s := NewSessions(SessionsOptions{View: func() *snapshot.View { return c.view }, Now: func() time.Time { return noon.Add(c.after) }})
		if _, _, ok := s.SignedIn(asked(c.secret, nil)); ok != (name == "one that counts") {
			t.Errorf("%s: signed in: %v", name, ok)
		}
		if err := s.Unsure(asked(c.secret, nil)); (err != nil) != c.want {
			t.Errorf("%s is told %v", name, err)
		}
	}
}

// TestAnEndedSessionIsStillSomebodys, for the record of what was tried after the end, and
// signs nobody in.
func TestAnEndedSessionIsStillSomebodys(t *testing.T) {
	view, secret := signedInWorld(func(_ *snapshot.Edit, s *snapshot.Session) { s.EndedAt = noon })
	s := NewSessions(SessionsOptions{View: func() *snapshot.View { return view }, Now: func() time.Time { return noon }})
	if p, ok := s.Whose(asked(secret, nil)); !ok || p.ID != "lin" {
		t.Errorf("got %+v, %v", p, ok)
	}
	if who, _, ok := s.SignedIn(asked(secret, nil)); ok {
		t.Errorf("%s is signed in", who)
	}
	if why := s.Why(asked(secret, nil)); why != SessionEnded {
		t.Errorf("refused for %q", why)
	}
	other, _ := NewSecret()
	if p, ok := s.Whose(asked(other, nil)); ok {
		t.Errorf("a stranger's is %s's", p.ID)
	}
}
