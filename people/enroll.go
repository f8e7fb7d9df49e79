package people

import (
	"net/http"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

func (s *server) enroll(w http.ResponseWriter, r *http.Request) {
	s.browser(w, r)
	s.show(w, r, http.StatusOK, "enroll", "Use your invitation", nil)
}

// registerPage asks for a new passkey.
type registerPage struct {
	signin.Challenge
	For  *snapshot.Person
	Name string // a proposal
}

// enrollCode takes an invitation's code, or the code of the first run, and asks for
// the passkey that it allows.
func (s *server) enrollCode(w http.ResponseWriter, r *http.Request) {
	now := s.Now()
	if err := s.codes.Try(r, now); err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.Registry.View()
	code256, ok := signin.CodeDigest(r.PostFormValue("code"))
	person, first := s.invited(v, code256, now)
	if !ok || person == nil {
		s.fail(w, r, badCode())
		return
	}
	c := signin.Ceremony{FirstRun: first}
	c.Invitation256 = code256
	s.register(w, r, person, c)
}

func badCode() error {
	return problem.New(problem.Refused, "The code is not known, was used, or is over", "Check it letter by letter; if it goes on, ask for a new one")
}

// invited finds whose open invitation, or first run, a code is.
func (s *server) invited(v *snapshot.View, code256 string, now time.Time) (person *snapshot.Person, first bool) {
	if code256 == "" {
		return nil, false
	}
	for _, p := range v.Persons.All() {
		if p.Invitation.Code256 == code256 && p.Invitation.Open(now) && stands(v, p) {
			return p, false
		}
	}
	if who, ok := s.FirstRun.Person(code256, now); ok {
		if p := FirstPerson(v); p != nil && p.ID == who {
			return p, true
		}
	}
	return nil, false
}

// stands says that neither the person nor their vendor has ended.
func stands(v *snapshot.View, p *snapshot.Person) bool {
	w, ok := v.Vendors.Get(p.Vendor)
	return p.State != snapshot.Ended && (p.Vendor == "" || ok && w.State != snapshot.Ended)
}

// FirstPerson is the one who may register their first passkey by the code that the
// server prints: whom the installation began with, while they are alone and have no
// passkey. Nil: nobody; later passkeys come by invitation.
func FirstPerson(v *snapshot.View) *snapshot.Person {
	var first *snapshot.Person
	for _, p := range v.PersonsOf("") {
		if p.ApprovedAt.IsZero() {
			continue
		}
		if first != nil {
			return nil
		}
		first = p
	}
	if first == nil || first.State != snapshot.Approved || len(first.Passkeys) > 0 {
		return nil
	}
	return first
}

func (s *server) register(w http.ResponseWriter, r *http.Request, p *snapshot.Person, c signin.Ceremony) {
	challenge, err := s.Passkeys.BeginRegistration(p, s.browser(w, r), c)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "register", "Make your passkey", registerPage{Challenge: challenge, For: p, Name: client(r)})
}

// enrolledPage tells what was made, and what comes next.
type enrolledPage struct {
	For     *snapshot.Person
	Passkey snapshot.Passkey
	Waits   bool // for another person's approval
}

// enrollPasskey ends a registration: by an invitation, by the code of the first run,
// or in a session whose person has just touched another passkey.
func (s *server) enrollPasskey(w http.ResponseWriter, r *http.Request) {
	now := s.Now()
	if err := s.tries.Try(r, now); err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.Registry.View()
	k, c, err := s.Passkeys.FinishRegistration(v, sent(r), r.PostFormValue("state"), r.PostFormValue("response"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	k.Name = strings.TrimSpace(r.PostFormValue("name"))
	if len(k.Name) > 100 {
		s.fail(w, r, problem.BadField("name", "is too long", "Use a short name, such as my laptop"))
		return
	}
	a, by, why := registry.AddPasskey{ID: c.Person, Passkey: k}, registry.Actor{Person: c.Person}, ""
	switch {
	case c.FirstRun:
		p := FirstPerson(v)
		who, ok := s.FirstRun.Use(c.Invitation256, now)
		if !ok || p == nil || who != c.Person || p.ID != c.Person {
			s.fail(w, r, badCode())
			return
		}
		why = "first run, with the code that the server printed"
	case c.Invitation256 != "":
		a.Invitation256, why = c.Invitation256, "by invitation"
	default:
		if by.Session, err = s.proved(r, c); err != nil {
			s.fail(w, r, err)
			return
		}
		why = "added a passkey"
	}
	if err := s.do(r.Context(), by, a, why); err != nil {
		s.fail(w, r, err)
		return
	}
	p, _ := s.Registry.View().Persons.Get(c.Person)
	made := p.Passkeys[len(p.Passkeys)-1]
	s.show(w, r, http.StatusOK, "enrolled", "Your passkey is made", enrolledPage{For: p, Passkey: made, Waits: p.State != snapshot.Approved})
}

// newPasskey adds a passkey in a session. The registry wants another one touched
// just before; a person with a personal certificate on this very connection shows
// that instead, as they do to the API.
func (s *server) newPasskey(w http.ResponseWriter, r *http.Request) {
	p, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	c := signin.Ceremony{Session: x.ID}
	if who, err := s.Identity.Person(r, s.Registry.View()); err == nil && who == p.ID {
		c.Session = ""
	} else if !s.fresh(x) {
		if len(p.Passkeys) == 0 {
			s.fail(w, r, problem.New(problem.Conflict, "Your first passkey needs an invitation", "Ask for one: sallyport person invite "+string(p.ID)))
			return
		}
		http.Redirect(w, r, toStepUp("/passkeys/new"), http.StatusSeeOther)
		return
	}
	s.register(w, r, p, c)
}

// proved says in which session the person of a ceremony adds a passkey: the one in
// which it began, or none, where the connection shows their personal certificate.
func (s *server) proved(r *http.Request, c signin.Ceremony) (id.Session, error) {
	refused := problem.New(problem.Refused, "You are not signed in as whoever began this", "Sign in and begin again")
	if c.Session == "" {
		if who, err := s.Identity.Person(r, s.Registry.View()); err != nil || who != c.Person {
			return "", refused
		}
		return "", nil
	}
	person, session, ok := s.Sessions.SignedIn(r)
	if !ok || person != c.Person || session != c.Session {
		return "", refused
	}
	return session, nil
}

// fresh says whether the session's person touched a passkey so recently that a
// decision may follow, with time enough to finish a page.
func (s *server) fresh(x *snapshot.Session) bool {
	return !x.SteppedUpAt.IsZero() && s.Now().Sub(x.SteppedUpAt) < s.Registry.View().Settings.StepUpLife*4/5
}
