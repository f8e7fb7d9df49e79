package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/deid/text"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/fhirapi"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/seal/sealed"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

const (
	fhirPath       = "/fhir"
	tokenPath      = "/token"
	revokePath     = "/revoke"
	introspectPath = "/introspect"
	authorizePath  = "/authorize"
	registerPath   = "/register"
	metadataPath   = "/.well-known/oauth-authorization-server"
)

// views is the registry as the gateway knows it: pictures, and news of them.
type views struct{ r *registry.Registry }

func (v views) View() *snapshot.View     { return v.r.View() }
func (v views) Changed() <-chan struct{} { return v.r.Changed() }

// openGateway makes the one way out, and what stands on its listener beside it:
// the token endpoint and SMART's configuration. The counters of what has left
// are read back from the log before anything can leave.
func (s *Server) openGateway(ctx context.Context) error {
	sources, err := s.sources()
	if err != nil {
		return err
	}
	s.upstreams = sources
	usage, volume := new(vault.Usage), new(gateway.Volume)
	if err := gateway.Recount(ctx, s.record.log, usage, volume); err != nil {
		return err
	}
	// The dictionaries are unpacked only where a profile lets text stand.
	var prose *text.Engine
	if slices.ContainsFunc(s.config.profiles, (*deid.Profile).Scrubs) {
		if prose, err = text.New(text.Options{}); err != nil {
			return err
		}
	}
	g, err := gateway.New(gateway.Config{
		Views: views{s.record.registry}, Verifier: s.verifier, Policy: s.engine, Log: s.record.log, Keys: s.record.keys,
		Vault: s.vault, Profiles: s.config.profiles, Text: prose, Usage: usage, Volume: volume, Sources: sources, Public: s.config.PublicURL,
		Logger: s.o.Logger, Metrics: s.metrics, Now: s.o.Now, Unknown: s.knocks.request,
	})
	if err != nil {
		return err
	}
	s.closeGateway = g.Close
	if s.replays, err = identity.OpenReplays(s.config.Data(replaysFile), s.o.Now()); err != nil {
		return err
	}
	at := identity.Endpoints{Issuer: s.config.PublicURL, Token: s.config.PublicURL + tokenPath,
		Revoke: s.config.PublicURL + revokePath, Introspect: s.config.PublicURL + introspectPath}
	book := book{s.record.registry}
	tokens, err := identity.NewTokenEndpoint(identity.TokenEndpointConfig{URL: at.Token, Verifier: s.verifier,
		View: s.record.registry.View, Replays: s.replays, Log: s.o.Logger, Book: book, Refused: s.knocks.program})
	if err != nil {
		return err
	}
	if s.keys, err = s.keyFetcher(book); err != nil {
		return err
	}
	// People consent where they can sign in: at the door for people, whose host has
	// their cookie. Without that door none of it is offered.
	if s.people != nil {
		at.Authorize = s.config.PeopleURL + authorizePath
		consent, err := identity.NewAuthorizeEndpoint(identity.AuthorizeConfig{URL: at.Authorize, Audience: s.fhirBase, Verifier: s.verifier,
			View: s.record.registry.View, SignIn: browsers{s.sessions}, Book: book, Log: s.o.Logger})
		if err != nil {
			return err
		}
		s.consent = consent
	}
	fhir := g.Handler(fhirPath, fhirapi.New(s.o.Version, at.Token))
	udap, err := s.openUDAP(&at, book)
	if err != nil {
		return err
	}
	own := &devices{registry: s.record.registry, policy: s.engine, authority: s.authority, anchor: s.cert.Anchor, verifier: s.verifier,
		replays: s.replays, life: s.config.Policy.DeviceCertificate, fresh: s.config.Policy.PostureFreshness, public: s.config.PublicURL, now: s.o.Now, log: s.o.Logger}
	if s.signals, err = s.openSignals(); err != nil {
		return err
	}
	if s.people != nil {
		s.people = alsoAt(course.BadgeKeysPath, badges{s}, alsoAt(course.RevocationsPath, badges{s}, s.people))
	}
	exact := map[string]http.Handler{
		sealed.KeysPath:        http.HandlerFunc(g.ServeReleaseKeys),
		course.BadgeKeysPath:   badges{s},
		course.RevocationsPath: badges{s},
		lmsPath:                &lms{s, signin.NewLimit(60, time.Second)},
		tokenPath:              tokens,
		revokePath:             tokens.Revocation(),
		introspectPath:         tokens.Introspection(),
		metadataPath:           identity.ServerMetadata(at),
		alertPath:              s.signals.alerts,
		ssfPath:                s.signals.events,
	}
	if udap != nil {
		exact[registerPath] = udap
	}
	s.gateway = bodyWithin(bodyTimeout, s.knocks.watched(&outside{machines: own, exact: exact, fhir: fhir, smart: identity.SMARTConfiguration(at),
		udap: udap, directory: s.signals.directory, public: s.config.PublicURL}))
	return nil
}

// outside is the gateway's listener: the data path, and what stands beside it. It is not a
// ServeMux: that answers odd paths with a redirect before anyone has been identified.
type outside struct {
	machines    *devices
	exact       map[string]http.Handler // by path
	fhir, smart http.Handler
	udap        *identity.UDAP // nil: clients do not register by certificate
	directory   http.Handler
	public      string
}

// ServeHTTP implements http.Handler.
func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := o.machines.handler(r.URL.Path); h != nil {
		h(w, r)
		return
	}
	if h := o.exact[r.URL.Path]; h != nil {
		h.ServeHTTP(w, r)
		return
	}
	path, fhir := r.URL.Path, strings.HasPrefix(r.URL.Path, fhirPath+"/")
	switch {
	case fhir && o.udap != nil && strings.HasSuffix(path, udapSuffix):
		o.udap.Metadata(o.public+strings.TrimSuffix(path, udapSuffix)).ServeHTTP(w, r)
	case fhir && strings.HasSuffix(path, smartSuffix):
		o.smart.ServeHTTP(w, r)
	case fhir:
		o.fhir.ServeHTTP(w, r)
	case strings.HasPrefix(path, scimPath+"/"):
		o.directory.ServeHTTP(w, r)
	default:
		o.machines.elsewhere(w, r)
	}
}

// Below the base of a FHIR server, for everybody.
const (
	udapSuffix  = "/.well-known/udap"
	smartSuffix = "/.well-known/smart-configuration"
)

// openUDAP lets clients register by certificate, where the server has one of its
// own; nil otherwise.
func (s *Server) openUDAP(at *identity.Endpoints, b book) (*identity.UDAP, error) {
	c := s.config.UDAP
	if c.CertFile == "" {
		return nil, nil
	}
	signer, err := identity.ReadCredential(s.config.path(c.CertFile), s.config.path(c.KeyFile))
	if err != nil {
		return nil, err
	}
	at.Register = s.config.PublicURL + registerPath
	return identity.NewUDAP(identity.UDAPConfig{Endpoints: *at, Signer: signer, Community: c.Community, Verifier: s.verifier, View: s.record.registry.View,
		Replays: s.replays, Registrar: b, Log: s.o.Logger})
}

// keyFetcher asks the key servers of applications in the background.
func (s *Server) keyFetcher(b book) (*identity.KeyFetcher, error) {
	c := identity.KeyFetcherConfig{View: s.record.registry.View, Offer: b.OfferKeys, Private: s.config.Connectors.PrivateNetworks, Now: s.o.Now, Log: s.o.Logger}
	if file := s.config.Connectors.CAFile; file != "" {
		var err error
		if c.Roots, err = identity.PoolFromFiles(s.config.path(file)); err != nil {
			return nil, err
		}
	}
	return identity.NewKeyFetcher(c)
}

// browsers says who is signed in at the door for people.
type browsers struct{ *signin.Sessions }

// SignInURL implements identity.SignIn.
func (browsers) SignInURL(back string) string {
	return "/signin?" + url.Values{"next": {back}}.Encode()
}

// alsoAt serves one path by a handler of its own.
func alsoAt(path string, own, rest http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == path {
			own.ServeHTTP(w, r)
			return
		}
		rest.ServeHTTP(w, r)
	})
}

// fhirBase reports whether aud is the base URL of one of the sources here.
func (s *Server) fhirBase(aud string) bool {
	name, ok := strings.CutPrefix(strings.TrimSuffix(aud, "/"), s.config.PublicURL+fhirPath+"/")
	return ok && slices.ContainsFunc(s.config.Sources, func(x Source) bool { return string(x.ID) == name })
}
