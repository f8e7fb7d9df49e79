package people

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// How a command line signs in: it listens on a port of its own machine and sends the
// person's browser here with the digest of a secret (RFC 8252, section 7.3; RFC
// 7636). The person touches a passkey, and the browser carries a code back to that
// port, which is worth something only to whoever has the secret, once, for a minute.
// A code that the person would type elsewhere is not offered: they could be talked
// into typing it for somebody else (RFC 8628, section 5.4).

// handoverLife is how long a command line has to fetch its session.
const handoverLife = time.Minute

// handover is a proof that waits for the command line that asked for it.
type handover struct {
	challenge string
	start     registry.StartSession
	why       string
	from      id.Session             // set: the session that is handed on, which must live still
	stepUp    registry.StepUpSession // set: a passkey was touched for this session, and none begins
	until     time.Time
}

// handovers holds them in memory: a few, since each costs a person's proof.
type handovers struct {
	now func() time.Time
	mu  sync.Mutex
	m   map[string]handover
}

func newHandovers(now func() time.Time) *handovers {
	return &handovers{now: now, m: map[string]handover{}}
}

func (h *handovers) put(x handover) (code string) {
	code, code256 := signin.NewSecret()
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, old := range h.m {
		if !h.now().Before(old.until) {
			delete(h.m, k)
		}
	}
	x.until = h.now().Add(handoverLife)
	h.m[code256] = x
	return code
}

// take gives the proof to whoever has the secret behind its challenge. Whatever
// comes with the code, the code is gone.
func (h *handovers) take(code, verifier string) (handover, bool) {
	sum := sha256.Sum256([]byte(code))
	key := fmt.Sprintf("%x", sum)
	h.mu.Lock()
	x, ok := h.m[key]
	delete(h.m, key)
	h.mu.Unlock()
	return x, ok && h.now().Before(x.until) && subtle.ConstantTimeCompare([]byte(challengeOf(verifier)), []byte(x.challenge)) == 1
}

// challengeOf is the S256 transformation of RFC 7636, section 4.2.
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// cliAsk is what a command line asks for.
type cliAsk struct {
	Port      int    // where it listens, on the machine of the browser
	State     string // what it wants back
	Challenge string // of its secret; empty for a step-up, which has it already
	Client    string // what it calls itself
}

func readAsk(q url.Values, challenge bool) (cliAsk, error) {
	a := cliAsk{State: q.Get("state"), Challenge: q.Get("challenge"), Client: q.Get("client")}
	var err error
	a.Port, err = strconv.Atoi(q.Get("port"))
	if err != nil || a.Port < 1024 || a.Port > 65535 || len(a.State) < 20 || len(a.State) > 128 || len(a.Client) > 60 ||
		challenge != (len(a.Challenge) == 43) {
		return a, problem.New(problem.Invalid, "This address is not as the command line writes it", "Run the command again: sallyport login, or sallyport step-up")
	}
	for _, r := range a.Client + a.State + a.Challenge {
		if r < ' ' || r > '~' {
			return a, problem.New(problem.Invalid, "This address is not as the command line writes it", "Run the command again: sallyport login, or sallyport step-up")
		}
	}
	return a, nil
}

func (a cliAsk) query() url.Values {
	q := url.Values{"port": {strconv.Itoa(a.Port)}, "state": {a.State}, "client": {a.Client}}
	if a.Challenge != "" {
		q.Set("challenge", a.Challenge)
	}
	return q
}

// origin is the only other place to which the page's form may lead.
func (a cliAsk) origin() string { return "http://127.0.0.1:" + strconv.Itoa(a.Port) }

// back leads the browser to the command line. The code is in the address, since a
// listener on one's own machine gets nothing else (RFC 8252); it is spent at once.
func (a cliAsk) back(w http.ResponseWriter, r *http.Request, code string) {
	q := url.Values{"state": {a.State}}
	if code != "" {
		q.Set("code", code)
	}
	http.Redirect(w, r, a.origin()+"/?"+q.Encode(), http.StatusSeeOther)
}

// cliPage asks the person whether a command line may act for them.
type cliPage struct {
	signin.Challenge
	Action  string
	Client  string
	Session *snapshot.Person // signed in here without a passkey of their own, by their provider
	Query   string
}

func (s *server) cliSignin(w http.ResponseWriter, r *http.Request) {
	a, err := readAsk(r.URL.Query(), true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	c, err := s.Passkeys.BeginSignIn(s.browser(w, r), signin.Ceremony{Next: a.query().Encode()})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := cliPage{Challenge: c, Action: "/cli/signin", Client: a.Client, Query: a.query().Encode()}
	if person, session, ok := s.Sessions.SignedIn(r); ok {
		v := s.Registry.View()
		if x, ok := v.Sessions.Get(session); ok && x.Method == snapshot.ByOIDC {
			p.Session, _ = v.Persons.Get(person)
		}
	}
	w.Header().Set("Content-Security-Policy", policy(a.origin()))
	s.show(w, r, http.StatusOK, "cli", "Sign in a command line", p)
}

func (s *server) cliSigninPasskey(w http.ResponseWriter, r *http.Request) {
	if err := s.tries.Try(r, s.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	t, err := s.Passkeys.FinishSignIn(s.Registry.View(), sent(r), r.PostFormValue("state"), r.PostFormValue("response"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.handOver(w, r, "", t.Ceremony.Next, registry.StartSession{Person: t.Person, Method: snapshot.ByPasskey, Strong: true,
		Touch: registry.Touch{Credential: t.Credential, SignCount: t.SignCount}}, "signed in a command line with a passkey")
}

// cliSigninSession hands on a sign-in by an identity provider, which lasts no longer
// than the browser's own and ends when the provider says so. It is as weak as that:
// decisions need a passkey in any case.
func (s *server) cliSigninSession(w http.ResponseWriter, r *http.Request) {
	_, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	if err := s.tries.Try(r, s.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	if x.Method != snapshot.ByOIDC {
		s.fail(w, r, problem.New(problem.Refused, "This needs a passkey", "Run sallyport login again and touch it"))
		return
	}
	s.handOver(w, r, x.ID, r.PostFormValue("query"), registry.StartSession{Person: x.Person, Method: snapshot.ByOIDC, Connector: x.Connector,
		ProviderSession256: x.ProviderSession256, ExpiresAt: x.ExpiresAt}, "signed in a command line from a session of the identity provider")
}

func (s *server) handOver(w http.ResponseWriter, r *http.Request, from id.Session, query string, start registry.StartSession, why string) {
	q, err := url.ParseQuery(query)
	if err != nil {
		q = nil
	}
	a, err := readAsk(q, true)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	start.Client = "command line"
	if a.Client != "" {
		start.Client += " on " + a.Client
	}
	a.back(w, r, s.cli.put(handover{challenge: a.Challenge, start: start, why: why, from: from}))
}

// CLISession is what a command line gets, once.
type CLISession struct {
	Session   id.Session `json:"session"`
	Person    id.Person  `json:"person"`
	Vendor    id.Vendor  `json:"vendor,omitempty"`
	Secret    string     `json:"secret"`
	ExpiresAt time.Time  `json:"expires_at"`
}

// cliSession starts the session for the command line that has the secret. It is
// bound to the key of the command line's connection, where it shows one.
func (s *server) cliSession(w http.ResponseWriter, r *http.Request) {
	var out CLISession
	x, ok := s.cli.take(r.PostFormValue("code"), r.PostFormValue("verifier"))
	ok = ok && x.stepUp.ID == ""
	if ok && x.from != "" { // it may have been ended in the meantime, by the provider or here
		v := s.Registry.View()
		y, lives := v.Sessions.Get(x.from)
		ok = lives && signin.Counts(v, y, s.Now())
	}
	if !ok {
		problem.New(problem.Refused, "The sign-in is over, or was another's", "Run sallyport login again").Write(w)
		return
	}
	secret, expires, err := s.start(r, x.start, x.why)
	if err != nil {
		p := problem.From(err)
		s.Logger.InfoContext(r.Context(), "a command line was not signed in", "kind", string(p.Kind), "title", p.Title)
		p.Write(w)
		return
	}
	out.Secret, out.ExpiresAt, out.Person = secret, expires, x.start.Person
	if y, ok := s.Registry.View().SessionBySecret(secret256(secret)); ok {
		out.Session, out.Vendor = y.ID, y.Vendor
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the command line has gone: nothing to do
}

func secret256(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return fmt.Sprintf("%x", sum)
}
