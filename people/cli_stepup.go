package people

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// How a command line has a passkey touched: it shows its session's secret, over the key
// that the session is bound to, and gets a ticket for the browser. The person touches
// the passkey, and the browser carries a code back to the port of its own machine. Only
// the same session, with what it had kept to itself when it began (RFC 7636), makes a
// step-up of that code. So a link that comes from elsewhere, whoever's session it is
// about, has nobody confirm anything for a program that is not beside their browser.
//
// The browser need not be signed in: the passkey says whose it is. But where somebody
// is signed in there, it is the same person, or nothing is asked.

// askLife is how long a ticket waits for its browser.
const askLife = 5 * time.Minute

// stepUpAsk is a command line that waits for a step-up.
type stepUpAsk struct {
	ticket256 string
	challenge string
	until     time.Time
}

// stepUpAsks holds them in memory: one for each session, the newest.
type stepUpAsks struct {
	now func() time.Time
	mu  sync.Mutex
	of  map[id.Session]stepUpAsk
}

func newStepUpAsks(now func() time.Time) *stepUpAsks {
	return &stepUpAsks{now: now, of: map[id.Session]stepUpAsk{}}
}

func (a *stepUpAsks) put(session id.Session, challenge string) (ticket string) {
	ticket, ticket256 := signin.NewSecret()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	for k, x := range a.of {
		if !now.Before(x.until) {
			delete(a.of, k)
		}
	}
	a.of[session] = stepUpAsk{ticket256, challenge, now.Add(askLife)}
	return ticket
}

// find is the session that waits under the ticket.
func (a *stepUpAsks) find(ticket string) (session id.Session, challenge string, ok bool) {
	want := secret256(ticket)
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, x := range a.of {
		if subtle.ConstantTimeCompare([]byte(x.ticket256), []byte(want)) == 1 && a.now().Before(x.until) {
			return k, x.challenge, true
		}
	}
	return "", "", false
}

// done takes the ticket out: once for each.
func (a *stepUpAsks) done(session id.Session, challenge string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	x, ok := a.of[session]
	if !ok || x.challenge != challenge || !a.now().Before(x.until) {
		return false
	}
	delete(a.of, session)
	return true
}

// CLIStepUp is what a command line gets that wants a passkey touched.
type CLIStepUp struct {
	Ticket string `json:"ticket"` // for the browser
}

// cliBearer is the command line's own session: by its secret, over its key.
func (s *server) cliBearer(w http.ResponseWriter, r *http.Request) (*snapshot.Session, bool) {
	if _, session, ok := s.Sessions.Bearer(r); ok {
		if x, ok := s.Registry.View().Sessions.Get(session); ok {
			return x, true
		}
	}
	problem.New(problem.Unknown, "The command line is not signed in any more", "Run sallyport login").Write(w)
	return nil, false
}

// cliStepUpBegin gives a command line a ticket for the browser.
func (s *server) cliStepUpBegin(w http.ResponseWriter, r *http.Request) {
	x, ok := s.cliBearer(w, r)
	if !ok {
		return
	}
	challenge := r.PostFormValue("challenge")
	if len(challenge) != 43 {
		problem.BadField("challenge", "is not the digest of a secret", "Use the command line of the server's version").Write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(CLIStepUp{s.asks.put(x.ID, challenge)}) // the command line has gone: nothing to do
}

// waiting is the command line's session that waits under the request's ticket, if
// whoever is signed in in this browser is its person.
func (s *server) waiting(r *http.Request, ticket string) (x *snapshot.Session, challenge string, err error) {
	v := s.Registry.View()
	session, challenge, ok := s.asks.find(ticket)
	if ok {
		x, ok = v.Sessions.Get(session)
	}
	if !ok || !signin.Counts(v, x, s.Now()) {
		return nil, "", problem.New(problem.NotFound, "No command line waits for this any more", "Run sallyport step-up again")
	}
	if person, _, ok := s.Sessions.SignedIn(r); ok && person != x.Person {
		return nil, "", problem.New(problem.Refused, "The command line is signed in as somebody else than you are here",
			"If both are yours, sign out here first. If you did not run sallyport step-up yourself, close this page, and tell your security officer")
	}
	return x, challenge, nil
}

// cliStepUp asks for a passkey for the command line that waits.
func (s *server) cliStepUp(w http.ResponseWriter, r *http.Request) {
	a, err := readAsk(r.URL.Query(), false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ticket := r.URL.Query().Get("ticket")
	x, _, err := s.waiting(r, ticket)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, _ := s.Registry.View().Persons.Get(x.Person)
	q := a.query()
	q.Set("ticket", ticket)
	c, err := s.Passkeys.BeginStepUp(p, x.ID, s.browser(w, r), signin.Ceremony{Next: q.Encode()})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", policy(a.origin()))
	s.show(w, r, http.StatusOK, "stepup", "Confirm that it is you", stepUpPage{Challenge: c, Action: "/cli/step-up", Client: x.Client, Began: when(x.StartedAt)})
}

// cliStepUpPasskey hands the touch over to the command line that waits.
func (s *server) cliStepUpPasskey(w http.ResponseWriter, r *http.Request) {
	if err := s.tries.Try(r, s.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	t, err := s.Passkeys.FinishStepUp(s.Registry.View(), sent(r), r.PostFormValue("state"), r.PostFormValue("response"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	q, err := url.ParseQuery(t.Ceremony.Next)
	if err != nil {
		q = nil
	}
	a, err := readAsk(q, false)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	x, challenge, err := s.waiting(r, q.Get("ticket"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if t.Person != x.Person || t.Ceremony.Session != x.ID || !s.asks.done(x.ID, challenge) {
		s.fail(w, r, problem.New(problem.Refused, "The passkey was asked for in another session", "Run sallyport step-up again"))
		return
	}
	a.back(w, r, s.cli.put(handover{challenge: challenge, stepUp: registry.StepUpSession{ID: x.ID,
		Touch: registry.Touch{Credential: t.Credential, SignCount: t.SignCount}}}))
}

// cliStepUpEnd notes the touch in the session that began it, and in no other.
func (s *server) cliStepUpEnd(w http.ResponseWriter, r *http.Request) {
	x, ok := s.cliBearer(w, r)
	if !ok {
		return
	}
	h, ok := s.cli.take(r.PostFormValue("code"), r.PostFormValue("verifier"))
	if !ok || h.stepUp.ID != x.ID {
		problem.New(problem.Refused, "The confirmation is over, or was another's", "Run sallyport step-up again").Write(w)
		return
	}
	if err := s.do(r.Context(), registry.Actor{Person: x.Person}, h.stepUp, "touched a passkey"); err != nil {
		problem.From(err).Write(w)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
