package people

import (
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// signinPage is how a person can sign in.
type signinPage struct {
	signin.Challenge
	Next        string
	Own         []*snapshot.Connector // the organisation's own providers
	Vendors     bool                  // whether a vendor has one
	Certificate *snapshot.Person      // whose personal certificate the connection showed
	Notice      string
}

func (s *server) signin(w http.ResponseWriter, r *http.Request) {
	next := local(r.URL.Query().Get("next"))
	if _, _, ok := s.Sessions.SignedIn(r); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	notice := ""
	if c, err := r.Cookie(signin.CookieName); err == nil && c.Value != "" {
		notice = "Your session has ended. Sign in, and you go on where you were."
	}
	s.showSignin(w, r, next, notice)
}

func (s *server) showSignin(w http.ResponseWriter, r *http.Request, next, notice string) {
	c, err := s.Passkeys.BeginSignIn(s.browser(w, r), signin.Ceremony{Next: next})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := signinPage{Challenge: c, Next: next, Notice: notice}
	v := s.Registry.View()
	p.Own = own(v)
	for _, c := range v.Connectors.All() {
		p.Vendors = p.Vendors || c.Kind == snapshot.OIDCProvider && c.State == snapshot.Approved && c.Vendor != ""
	}
	if who, err := s.Identity.Person(r, v); err == nil {
		p.Certificate, _ = v.Persons.Get(who)
	}
	s.show(w, r, http.StatusOK, "signin", "Sign in", p)
}

// signinPasskey ends a sign-in with a passkey.
func (s *server) signinPasskey(w http.ResponseWriter, r *http.Request) {
	if !s.tries.Allow(r, s.Now()) {
		s.fail(w, r, tooOften())
		return
	}
	t, err := s.Passkeys.FinishSignIn(s.Registry.View(), sent(r), r.PostFormValue("state"), r.PostFormValue("response"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	err = s.begin(w, r, registry.StartSession{Person: t.Person, Method: snapshot.ByPasskey, Strong: true, Client: client(r),
		Touch: registry.Touch{Credential: t.Credential, SignCount: t.SignCount}}, "signed in with a passkey")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, local(t.Ceremony.Next), http.StatusSeeOther)
}

// signinCertificate signs in one of the organisation's people by the personal
// certificate of this connection. The session is bound to its key.
func (s *server) signinCertificate(w http.ResponseWriter, r *http.Request) {
	who, err := s.Identity.Person(r, s.Registry.View())
	if err != nil {
		s.fail(w, r, problem.New(problem.Refused, "The connection shows no personal certificate that is known here", "Sign in with a passkey").Because(err))
		return
	}
	if err := s.begin(w, r, registry.StartSession{Person: who, Method: snapshot.ByCertificate, Client: client(r)}, "signed in with a personal certificate"); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, local(r.PostFormValue("next")), http.StatusSeeOther)
}

// signOut ends this session.
func (s *server) signOut(w http.ResponseWriter, r *http.Request) {
	person, session, ok := s.Sessions.SignedIn(r)
	signin.ClearCookie(w)
	m := message{Text: "This session is over. Others, if you have any, go on.", Link: "/signin", LinkText: "Sign in again"}
	if ok {
		m.Away = s.providerSignOut(r, session)
		if err := s.do(r.Context(), registry.Actor{Person: person}, registry.EndSession{ID: session}, "signed out"); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.write(w, r, http.StatusOK, "message", page{Title: "You are signed out", Organisation: s.Organisation, Data: m})
}

// stepUpPage asks for a passkey.
type stepUpPage struct {
	signin.Challenge
	Action string // where the answer goes
	Next   string
	Client string // set: for a session that is not this browser's
	Began  string
}

// stepUp asks for a passkey of the session's person, and then goes on to where they
// were going.
func (s *server) stepUp(w http.ResponseWriter, r *http.Request) {
	p, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	next := local(r.URL.Query().Get("next"))
	c, err := s.Passkeys.BeginStepUp(p, x.ID, s.browser(w, r), signin.Ceremony{Next: next})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "stepup", "Confirm that it is you", stepUpPage{Challenge: c, Action: "/step-up", Next: next})
}

func (s *server) stepUpPasskey(w http.ResponseWriter, r *http.Request) {
	_, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	if !s.tries.Allow(r, s.Now()) {
		s.fail(w, r, tooOften())
		return
	}
	t, err := s.Passkeys.FinishStepUp(s.Registry.View(), sent(r), r.PostFormValue("state"), r.PostFormValue("response"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if t.Person != x.Person || t.Ceremony.Session != x.ID {
		s.fail(w, r, problem.New(problem.Refused, "The passkey was asked for in another session", "Begin again in this one"))
		return
	}
	if err := s.steppedUp(r, t); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, local(t.Ceremony.Next), http.StatusSeeOther)
}

func (s *server) steppedUp(r *http.Request, t signin.Touched) error {
	return s.do(r.Context(), registry.Actor{Person: t.Person}, registry.StepUpSession{ID: t.Ceremony.Session,
		Touch: registry.Touch{Credential: t.Credential, SignCount: t.SignCount}}, "touched a passkey")
}

func tooOften() error {
	return problem.New(problem.Refused, "There were too many tries from your address", "Wait a minute and try again")
}

// toStepUp is the page that asks for a passkey and then leads to next.
func toStepUp(next string) string { return "/step-up?" + url.Values{"next": {next}}.Encode() }
