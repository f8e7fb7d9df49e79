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
	revoke, introspect, metadata, smart := tokens.Revocation(), tokens.Introspection(), identity.ServerMetadata(at), identity.SMARTConfiguration(at)
	own := &devices{registry: s.record.registry, policy: s.engine, authority: s.authority, anchor: s.cert.Anchor, verifier: s.verifier,
		replays: s.replays, life: s.config.Policy.DeviceCertificate, fresh: s.config.Policy.PostureFreshness, public: s.config.PublicURL, now: s.o.Now, log: s.o.Logger}
	if s.signals, err = s.openSignals(); err != nil {
		return err
	}
	lms := &lms{s, signin.NewLimit(60, time.Second)}
	if s.people != nil {
		s.people = alsoAt(course.BadgeKeysPath, badges{s}, alsoAt(course.RevocationsPath, badges{s}, s.people))
	}
	// Not a ServeMux: that answers odd paths with a redirect before anyone has
	// been identified.
	s.gateway = bodyWithin(bodyTimeout, s.knocks.watched(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := own.handler(r.URL.Path); h != nil {
			h(w, r)
			return
		}
		switch path := r.URL.Path; {
		case path == sealed.KeysPath:
			g.ServeReleaseKeys(w, r)
		case published(path):
			badges{s}.ServeHTTP(w, r)
		case path == lmsPath:
			lms.ServeHTTP(w, r)
		case path == tokenPath:
			tokens.ServeHTTP(w, r)
		case path == revokePath:
			revoke.ServeHTTP(w, r)
		case path == introspectPath:
			introspect.ServeHTTP(w, r)
		case path == registerPath && udap != nil:
			udap.ServeHTTP(w, r)
		case udap != nil && strings.HasPrefix(path, fhirPath+"/") && strings.HasSuffix(path, udapSuffix):
			udap.Metadata(s.config.PublicURL+strings.TrimSuffix(path, udapSuffix)).ServeHTTP(w, r)
		case path == metadataPath:
			metadata.ServeHTTP(w, r)
		case strings.HasPrefix(path, fhirPath+"/") && strings.HasSuffix(path, "/.well-known/smart-configuration"):
			smart.ServeHTTP(w, r)
		case strings.HasPrefix(path, fhirPath+"/"):
			fhir.ServeHTTP(w, r)
		case strings.HasPrefix(path, scimPath+"/"):
			s.signals.directory.ServeHTTP(w, r)
		case path == alertPath:
			s.signals.alerts.ServeHTTP(w, r)
		case path == ssfPath:
			s.signals.events.ServeHTTP(w, r)
		default: // tells nothing, not even that it is not there
			identity.WriteUnknown(w)
		}
	})))
	return nil
}

const udapSuffix = "/.well-known/udap"

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
