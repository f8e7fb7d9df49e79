package portal

import (
	"net/http"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// linkCookie holds the code of a link that was opened in this browser.
const linkCookie = "__Host-sallyport-link"

// linkSession is how long the browser keeps it (policy).
const linkSession = 12 * time.Hour

// visitor is who asks for a page: a signed-in person, or who holds an open link.
type visitor struct {
	Actor  registry.Actor
	Vendor id.Vendor        // empty: one of the organisation's people
	Person *snapshot.Person // nil: by a link
	Link   *snapshot.Link   // nil: a person
}

// visitors are those who stand behind a request: the person first, then the link.
func (s *server) visitors(r *http.Request) []visitor {
	var out []visitor
	v := s.Registry.View()
	if person, session, ok := s.Sessions.SignedIn(r); ok {
		if p, known := v.Persons.Get(person); known {
			out = append(out, visitor{Actor: registry.Actor{Person: person, Session: session}, Vendor: p.Vendor, Person: p})
		}
	}
	if c, err := r.Cookie(linkCookie); err == nil {
		if code256, ok := signin.CodeDigest(c.Value); ok {
			if l, err := registry.OpenLink(v, code256, s.Now()); err == nil {
				out = append(out, visitor{Actor: registry.Actor{Link: l.ID}, Vendor: l.Vendor, Link: l})
			} else if s.Knocked != nil {
				s.Knocked(r.Context(), code256)
			}
		}
	}
	return out
}

// holds reports whether the visitor's link opens this subject for this purpose.
func (x visitor) holds(purpose snapshot.LinkPurpose, about snapshot.Subject) bool {
	return x.Link != nil && x.Link.For == purpose && x.Link.About == about
}

// visitor is who may act for the vendor on this subject: one of its people, or who
// holds a link for the purpose about it. A purpose "" is for people alone. Not ok: the
// answer is written, and does not say whether the subject exists.
func (s *server) visitor(w http.ResponseWriter, r *http.Request, vendor id.Vendor, purpose snapshot.LinkPurpose, about snapshot.Subject) (visitor, bool) {
	all := s.visitors(r)
	for _, x := range all {
		if vendor != "" && x.Vendor == vendor && (x.Person != nil || x.holds(purpose, about)) {
			if err := s.mayAct(r); err != nil {
				s.fail(w, r, err)
				return visitor{}, false
			}
			return x, true
		}
	}
	if len(all) == 0 {
		http.Redirect(w, r, "/portal/in", http.StatusSeeOther)
		return visitor{}, false
	}
	s.fail(w, r, problem.New(problem.NotFound, "There is no such page for you", "Use the link that you were sent, or sign in as somebody of the vendor"))
	return visitor{}, false
}

// mayAct bounds the acts of one address.
func (s *server) mayAct(r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	return s.acts.Try(r, s.Now())
}

func (s *server) in(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "in", "Open your link", nil)
}

// inCode takes a link's code and leads to what it is for.
func (s *server) inCode(w http.ResponseWriter, r *http.Request) {
	now := s.Now()
	if err := s.codes.Try(r, now); err != nil {
		s.fail(w, r, err)
		return
	}
	code := r.PostFormValue("code")
	code256, ok := signin.CodeDigest(code)
	if !ok {
		code256 = ""
	}
	l, err := registry.OpenLink(s.Registry.View(), code256, now)
	if err != nil {
		if s.Knocked != nil {
			s.Knocked(r.Context(), code256)
		}
		s.fail(w, r, err)
		return
	}
	until := now.Add(linkSession)
	if l.ExpiresAt.Before(until) {
		until = l.ExpiresAt
	}
	http.SetCookie(w, &http.Cookie{Name: linkCookie, Value: cookieText(code), Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, Expires: until})
	http.Redirect(w, r, landing(l), http.StatusSeeOther)
}

// cookieText is the code with what a cookie may hold.
func cookieText(code string) string {
	var out []byte
	for i := range len(code) {
		if c := code[i]; '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			out = append(out, c)
		}
	}
	return string(out)
}

func landing(l *snapshot.Link) string {
	if f, ok := landings[l.For]; ok {
		return f(l)
	}
	return "/portal"
}

// out forgets the link in this browser; it opens as before elsewhere.
func (s *server) out(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: linkCookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode, MaxAge: -1})
	http.Redirect(w, r, "/portal/in", http.StatusSeeOther)
}

// homePage is what waits for whoever is here.
type homePage struct {
	Tasks  []Task
	Person *snapshot.Person
	Link   *snapshot.Link
	Vendor string
	Report string // where an incident is reported
}

func (s *server) home(w http.ResponseWriter, r *http.Request) {
	all := s.visitors(r)
	if len(all) == 0 {
		http.Redirect(w, r, "/portal/in", http.StatusSeeOther)
		return
	}
	v, now := s.Registry.View(), s.Now()
	var h homePage
	seen := map[string]bool{}
	for _, x := range all {
		if x.Person != nil {
			h.Person = x.Person
		}
		if x.Link != nil {
			h.Link = x.Link
		}
		if of, ok := v.Vendors.Get(x.Vendor); ok {
			h.Vendor = of.Name
		}
		if to := reportsAt(x); to != "" {
			h.Report = to
		}
		for _, f := range tasks {
			for _, t := range f(v, x, now) {
				if !seen[t.Href] {
					seen[t.Href] = true
					h.Tasks = append(h.Tasks, t)
				}
			}
		}
	}
	s.show(w, r, http.StatusOK, "home", "What waits for you", h)
}
