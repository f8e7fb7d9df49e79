package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/console"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/people"
	"github.com/sallyport/sallyport/portal"
	"github.com/sallyport/sallyport/registry"
)

// openPeople makes the door for people with browsers, and what tells the other
// doors who is signed in.
func (s *Server) openPeople() error {
	reg := s.record.registry
	s.sessions = signin.NewSessions(signin.SessionsOptions{View: reg.View, Now: s.o.Now, See: s.see})
	if s.config.PeopleURL == "" {
		return nil
	}
	base, err := url.Parse(s.config.PeopleURL)
	if err != nil {
		return fmt.Errorf("people_url: %w", err) // it was checked when the file was read
	}
	passkeys, err := signin.NewPasskeys(base, s.config.Organisation, s.o.Now)
	if err != nil {
		return err
	}
	secrets := map[id.Connector]string{}
	for name, file := range s.config.Connectors.ClientSecretFiles {
		if secrets[name], err = readSecret("connectors.client_secret_files."+string(name), s.config.path(file)); err != nil {
			return err
		}
	}
	outward, err := s.outward()
	if err != nil {
		return err
	}
	providers, err := signin.NewProviders(signin.ProvidersOptions{Base: base, Now: s.o.Now, Client: outward, Secrets: secrets})
	if err != nil {
		return err
	}
	layout, err := people.Layout()
	if err != nil {
		return err
	}
	rest, err := portal.New(portal.Config{Organisation: s.config.Organisation, Layout: layout, Registry: reg, Sessions: s.sessions, Now: s.o.Now, Logger: s.o.Logger, Badges: badges{s}, Knocked: s.knocks.code})
	if err != nil {
		return err
	}
	if s.console, err = s.openConsole(); err != nil {
		return err
	}
	pages := http.NewServeMux()
	pages.Handle("/console", s.console.Handler())
	pages.Handle("/console/", s.console.Handler())
	pages.Handle("/", rest)
	pages.HandleFunc(authorizePath, func(w http.ResponseWriter, r *http.Request) { s.consent.ServeHTTP(w, r) }) // opened with the gateway, before anything listens
	s.people, err = people.New(people.Config{Organisation: s.config.Organisation, Base: base, Registry: reg, Identity: s.verifier,
		Sessions: s.sessions, Passkeys: passkeys, Providers: providers, FirstRun: s.firstRun(), Now: s.o.Now, Logger: s.o.Logger, Rest: pages, Home: "/console"})
	return err
}

// openConsole makes the pages behind the door. They ask the API, which is opened later,
// when somebody looks.
func (s *Server) openConsole() (*console.Console, error) {
	return console.New(console.Config{Organisation: s.config.Organisation, Version: s.o.Version, Node: s.config.Node, Gateway: s.config.PublicURL, People: s.config.PeopleURL,
		Registry: s.record.registry, Sessions: s.sessions, Policy: s.engine, Acts: s.record.acts, Log: s.record.log, Disclosures: s.record.disclosures,
		API:    func(by registry.Actor, w http.ResponseWriter, r *http.Request) { s.api.ServeHTTP(w, api.As(r, by)) },
		Health: s.notReady, Now: s.o.Now, Logger: s.o.Logger})
}

// see notes that a session is in use.
func (s *Server) see(ctx context.Context, person id.Person, session id.Session) {
	_, err := s.record.registry.Do(ctx, registry.Actor{Person: person}, registry.SeeSession{ID: session}, registry.Meta{Reason: "in use"})
	if err != nil {
		s.o.Logger.InfoContext(ctx, "a session in use could not be noted as such", "session", session, "err", err)
	}
}

func (s *Server) firstRun() *signin.FirstRun {
	return &signin.FirstRun{Path: s.config.Data(firstRunFile)}
}

// FirstRun makes a one-time code for the first person's first passkey, while there
// is nobody who could invite them; empty: it is not needed. The code is for whoever
// starts the server: print it, and keep it nowhere.
func (s *Server) FirstRun() (person id.Person, code string, err error) {
	p := people.FirstPerson(s.View())
	if p == nil || s.people == nil {
		return "", "", s.firstRun().Drop()
	}
	code, err = s.firstRun().New(p.ID, s.o.Now())
	return p.ID, code, err
}
