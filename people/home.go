package people

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// homePage is the person's own: who they are here, their sessions and passkeys.
type homePage struct {
	Person   *snapshot.Person
	Vendor   string
	This     id.Session
	Sessions []sessionRow
	Passkeys []passkeyRow
	Portal   bool // whether there are pages behind this door
}

type sessionRow struct {
	*snapshot.Session
	This bool
	How  string
}

type passkeyRow struct {
	snapshot.Passkey
	Key string // the credential's id, for the form
}

// howSignedIn is the method in words.
var howSignedIn = map[snapshot.SignInMethod]string{
	snapshot.ByPasskey: "passkey", snapshot.ByOIDC: "your organisation's sign-in", snapshot.ByCertificate: "personal certificate",
}

// duty is a duty in words: "privacy-officer" is "Privacy officer".
func duty(d string) string {
	text := strings.ReplaceAll(d, "-", " ")
	return strings.ToUpper(text[:min(len(text), 1)]) + text[min(len(text), 1):]
}

// first is where a person begins.
func (s *server) first(w http.ResponseWriter, r *http.Request) {
	if s.Home == "" {
		s.home(w, r)
		return
	}
	if _, _, ok := s.signedIn(w, r); ok {
		http.Redirect(w, r, s.Home, http.StatusSeeOther)
	}
}

func (s *server) home(w http.ResponseWriter, r *http.Request) {
	p, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	v, now := s.Registry.View(), s.Now()
	h := homePage{Person: p, This: x.ID, Portal: s.Rest != nil}
	if vendor, ok := v.Vendors.Get(p.Vendor); ok {
		h.Vendor = vendor.Name
	}
	for _, y := range v.SessionsOf(p.ID) {
		if signin.Counts(v, y, now) {
			h.Sessions = append(h.Sessions, sessionRow{y, y.ID == x.ID, howSignedIn[y.Method]})
		}
	}
	for _, k := range p.Passkeys {
		h.Passkeys = append(h.Passkeys, passkeyRow{k, base64.RawURLEncoding.EncodeToString(k.ID)})
	}
	s.show(w, r, http.StatusOK, "home", "Your access", h)
}

// endSession ends one of the person's own sessions.
func (s *server) endSession(w http.ResponseWriter, r *http.Request) {
	p, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	which := id.Session(r.PostFormValue("session"))
	if y, ok := s.Registry.View().Sessions.Get(which); !ok || y.Person != p.ID {
		s.fail(w, r, problem.New(problem.NotFound, "You have no such session", "It may be over: look at the list of your sessions"))
		return
	}
	if which == x.ID {
		s.signOut(w, r)
		return
	}
	if err := s.do(r.Context(), registry.Actor{Person: p.ID, Session: x.ID}, registry.EndSession{ID: which}, "ended from another session"); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

// endAll ends all the person's sessions, this one last.
func (s *server) endAll(w http.ResponseWriter, r *http.Request) {
	p, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	v, now := s.Registry.View(), s.Now()
	for _, y := range v.SessionsOf(p.ID) {
		if y.ID == x.ID || !y.Live(now) {
			continue
		}
		if err := s.do(r.Context(), registry.Actor{Person: p.ID}, registry.EndSession{ID: y.ID}, "signed out everywhere"); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.signOut(w, r)
}

// removePasskey takes one of the person's own passkeys away. All their sessions end,
// this one too.
func (s *server) removePasskey(w http.ResponseWriter, r *http.Request) {
	p, x, ok := s.signedIn(w, r)
	if !ok {
		return
	}
	credential, err := base64.RawURLEncoding.DecodeString(r.PostFormValue("passkey"))
	if err != nil {
		s.fail(w, r, problem.BadField("passkey", "is not one of yours", "It may be removed: look at the list of your passkeys"))
		return
	}
	if err := s.do(r.Context(), registry.Actor{Person: p.ID, Session: x.ID}, registry.RemovePasskey{ID: p.ID, Credential: credential}, "removed a passkey"); err != nil {
		s.fail(w, r, err)
		return
	}
	signin.ClearCookie(w)
	s.write(w, r, http.StatusOK, "message", page{Title: "The passkey is removed", Organisation: s.Organisation, Data: message{
		Text: "All your sessions ended with it, this one too. Delete it on the device as well: here it opens nothing any more.", Link: "/signin", LinkText: "Sign in with another passkey"}})
}
