package people

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// withPage leads to an identity provider: a link, since a form may not lead away.
type withPage struct{ Link, Name string }

// signinWith asks for the provider by the name that its people were given. Whose
// providers there are is not listed: that would tell strangers who works here.
func (s *server) signinWith(w http.ResponseWriter, r *http.Request) {
	c, ok := s.Registry.View().ConnectorInForce(id.Connector(r.URL.Query().Get("provider")))
	if !ok || c.Kind != snapshot.OIDCProvider {
		s.fail(w, r, problem.New(problem.NotFound, "There is no sign-in of this name", "Check the name that your organisation gave you"))
		return
	}
	link := "/signin/with/" + url.PathEscape(string(c.ID)) + "?" + url.Values{"next": {local(r.URL.Query().Get("next"))}}.Encode()
	s.show(w, r, http.StatusOK, "with", "Sign in with "+c.Name, withPage{Link: link, Name: c.Name})
}

// signinAway sends the browser to the provider.
func (s *server) signinAway(w http.ResponseWriter, r *http.Request) {
	if err := s.tries.Try(r, s.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	c, _ := s.Registry.View().ConnectorInForce(id.Connector(r.PathValue("connector")))
	away, err := s.Providers.Begin(r.Context(), c, s.browser(w, r), local(r.URL.Query().Get("next")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	signin.ForgetWays(w, r)
	http.SetCookie(w, away.Cookie)
	http.Redirect(w, r, away.URL, http.StatusSeeOther)
}

// signinBack takes the person whom the provider sent back.
func (s *server) signinBack(w http.ResponseWriter, r *http.Request) {
	if err := s.tries.Try(r, s.Now()); err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.Registry.View()
	c, _ := v.ConnectorInForce(id.Connector(r.PathValue("connector")))
	back, err := s.Providers.Finish(r.Context(), v, c, r, sent(r))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	err = s.begin(w, r, registry.StartSession{Person: back.Person, Method: snapshot.ByOIDC, Connector: back.Connector,
		ProviderSession256: back.ProviderSession256, Client: client(r)}, "signed in by the identity provider")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, local(back.Next), http.StatusSeeOther)
}

// backchannel takes a provider's word that somebody signed out there (OpenID Connect
// Back-Channel Logout 1.0, section 2.8). Every session that it covers is ended, what
// a command line or an app has by it too, and what is under way in it stops.
func (s *server) backchannel(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	refuse := func(status int, code string, err error) {
		p := problem.From(err)
		s.Logger.WarnContext(r.Context(), "a logout token was refused", "connector", r.PathValue("connector"), "cause", cause(p))
		p.SetHeaders(w.Header())
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":"` + code + `"}` + "\n")) // the provider has gone: nothing to do
	}
	if err := s.outs.Try(r, s.Now()); err != nil {
		refuse(http.StatusTooManyRequests, "temporarily_unavailable", err)
		return
	}
	v := s.Registry.View()
	c, _ := v.Connectors.Get(id.Connector(r.PathValue("connector")))
	out, err := s.Providers.Logout(r.Context(), c, r.PostFormValue("logout_token"))
	if err != nil {
		refuse(http.StatusBadRequest, "invalid_request", err)
		return
	}
	var failed []error
	now := s.Now()
	for key, x := range v.Sessions.All() {
		if x.Live(now) && out.Covers(v, c.ID, x) {
			err := s.do(r.Context(), registry.Actor{Connector: c.ID}, registry.KillSession{ID: key}, "signed out at the identity provider")
			if y, ok := s.Registry.View().Sessions.Get(key); err != nil && ok && y.Live(now) { // else it ended meanwhile
				failed = append(failed, err)
			}
		}
	}
	if err := errors.Join(failed...); err != nil {
		refuse(http.StatusServiceUnavailable, "temporarily_unavailable", err)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// own lists the organisation's own providers, which the sign-in page may show.
func own(v *snapshot.View) []*snapshot.Connector {
	var out []*snapshot.Connector
	for _, c := range v.Connectors.All() {
		if c.Kind != snapshot.OIDCProvider || c.Vendor != "" {
			continue
		}
		if _, ok := v.ConnectorInForce(c.ID); ok {
			out = append(out, c)
		}
	}
	return out
}

// providerSignOut is where a person of the session signs out at their provider too.
func (s *server) providerSignOut(r *http.Request, session id.Session) string {
	v := s.Registry.View()
	x, ok := v.Sessions.Get(session)
	if !ok || x.Connector == "" {
		return ""
	}
	c, _ := v.Connectors.Get(x.Connector)
	return s.Providers.EndSessionURL(r.Context(), c)
}
