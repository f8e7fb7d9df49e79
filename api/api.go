// Package api is the organisation's door: reads, and one route for each act.
//
// Routes, schemas and checks of acts come from the one table registry.Acts, so
// nothing can be done here that is not an act, and OpenAPI cannot drift from
// the code. Callers are the organisation's own people, by personal client
// certificates or by the session of a sign-in; a person must be approved to read,
// and the policy of acts says who may do what. A vendor's person who is signed in
// reaches the few acts that admit one, and reads nothing but themselves, what they
// have, and what is offered to their vendor. No patient
// data passes: the package cannot hold any.
package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Config is what the API stands on. All are required.
type Config struct {
	Organisation string
	Version      string
	Registry     *registry.Registry
	Acts         *policy.ActEngine // the policy of acts, for dry runs
	Policy       *policy.Engine    // the policy of releases, for explain
	Log          *audit.Log
	LogVerifier  string // the log's public key, in note form
	Node         string // whose log that is
	Keys         Keys
	Badges       Badges
	Gateway      string // where vendors' machines enrol
	People       string // where people's browsers reach their pages; empty: nowhere
	// Anchor is the certificate, in PEM, by which vendors' machines verify the gateway.
	Anchor   func() ([]byte, error)
	Identity *identity.Verifier
	// Disclosures answers who was given what; nil: it is refused.
	Disclosures *disclosure.Index
	Sessions    *signin.Sessions // who is signed in; nil: certificates only
	// Rulings are what a de-identification profile makes of an element and of what is in
	// it ("Patient.name"), in the words of docs/deid-rulings.md; none: it is removed.
	Rulings func(profile, path string) []string
	// Shows compiles a role, and then says of an element whether any of it can leave; nil: it
	// is not known here, and Rulings alone tell.
	Shows func(*snapshot.Role) (func(path string) bool, error)
	// View is the digest of what a role shows, as the log has it, in hex; nil: it is not
	// known here, and no element is proposed for removal.
	View func(*snapshot.Role) (string, error)
	// System is how this node stands.
	System func(context.Context) System
	Now    func() time.Time
	Logger *slog.Logger
}

// maxBody bounds a request: the largest act carries a document, in base64. A vendor's
// person sends a report at most.
const (
	maxBody    = 32 << 20
	maxOutside = registry.MaxDocument/3*4 + 64<<10
)

// readTimeout bounds how long a read may take.
const readTimeout = 30 * time.Second

type server struct {
	Config
	api         huma.API
	collections map[string]collection // by plural
	looking     sync.Map              // who has the log looked through now
	outside     *signin.Limit         // acts of vendors' people: each is in the log for good
	requests    *signin.Requests      // of everybody
	ours        *signin.Room          // for what is sent
	theirs      *signin.Room          // for what vendors' people send
}

func newOutside() *signin.Limit { return signin.NewLimit(240, 500*time.Millisecond) }

type actorKey struct{}

// New is the handler of every route.
func New(c Config) http.Handler {
	mux := http.NewServeMux()
	hc := huma.DefaultConfig("Sallyport", c.Version)
	hc.Info.Description = "Acts and reads of " + c.Organisation + "'s doorway to its vendors. " +
		"Every change is an act, and every act is in the audit log."
	hc.DocsPath = ""    // its page loads scripts from elsewhere
	hc.SchemasPath = "" // the document holds them
	hc.CreateHooks = nil
	hc.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	hc.OpenAPIPath = "/openapi"
	hc.Transformers = []huma.Transformer{asOurs}
	hc.OnAddOperation = []huma.AddOpFunc{failsAsOurs}
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"certificate": {Type: "mutualTLS", Description: "A personal client certificate, registered with the act person.register-key"},
		"session":     {Type: "http", Scheme: "bearer", Description: "The secret of a session, as sallyport login gets it"},
	}
	hc.Security = []map[string][]string{{"certificate": {}}, {"session": {}}}
	s := &server{Config: c, api: humago.New(mux, hc), collections: map[string]collection{}, outside: newOutside(), requests: signin.NewRequests()}
	s.ours, s.theirs = signin.NewRooms()
	s.acts()
	s.reads()
	s.incidents()
	s.logReads()
	s.access()
	s.explain()
	s.forecasts()
	s.keys()
	s.system()
	s.papers()
	s.trainings()
	s.apply()
	s.agreements()
	s.disclosures()
	s.offboardings()

	routes := problem.Routes(mux, "See what there is: GET /openapi.json", func(w http.ResponseWriter, _ *http.Request, p *problem.Problem) { p.Write(w) })
	return Guard(http.MaxBytesHandler(s.identify(s.sheets(routes)), maxBody))
}

// Guard is what stands before every program's door. A browser shows a personal
// certificate, as it does a cookie, whoever's page sends the request; and no answer, a
// refusal neither, is for a cache, a page or a frame.
func Guard(next http.Handler) http.Handler {
	guarded := signin.SameOrigin(next, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.New(problem.Refused, "The request came from another site's page", "Use the command line, or a page of this server").Write(w)
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; sandbox")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		guarded.ServeHTTP(w, r)
	})
}

// As is the request as one of this process's own pages asks it for a person whose
// session the page has seen. Nothing that comes over the wire can set it.
func As(r *http.Request, by registry.Actor) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), insideKey{}, by))
}

type insideKey struct{}

// identify lets in nobody but approved people: the organisation's, by certificate or
// session, and, for what admits them, a vendor's by session.
func (s *server) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		view := s.Registry.View()
		by, inside := r.Context().Value(insideKey{}).(registry.Actor)
		if inside {
			// The page has looked at the session; what the person may do is asked below.
		} else if s.Sessions != nil && len(r.Header["Authorization"]) > 0 {
			person, session, ok := s.Sessions.Bearer(r)
			if err := s.Sessions.Unsure(r); !ok && err != nil {
				problem.From(err).Write(w)
				return
			}
			if !ok {
				reason := s.Sessions.Why(r)
				s.Logger.InfoContext(r.Context(), "unknown caller of the API", "reason", reason, "next", signin.WayOut(reason))
				s.unknown(w, r)
				return
			}
			by = registry.Actor{Person: person, Session: session}
		} else {
			who, err := s.Identity.Person(r, view)
			if err != nil {
				reason, _ := identity.ReasonOf(err)
				s.Logger.InfoContext(r.Context(), "unknown caller of the API", "reason", reason, "next", reason.Next(), "err", err)
				s.unknown(w, r)
				return
			}
			by = registry.Actor{Person: who}
		}
		if !inside { // a page was counted where it was asked for
			if err := s.requests.Try(r, cmp.Or(string(by.Session), "person "+string(by.Person)), s.Now()); err != nil {
				problem.From(err).Write(w)
				return
			}
		}
		p, ok := view.Persons.Get(by.Person)
		if !ok || p.State != snapshot.Approved {
			problem.New(problem.Refused, "You are known, but not approved",
				"Ask another of the organisation's people to approve you: sallyport person approve "+string(by.Person)).Write(w)
			return
		}
		if p.Vendor != "" && !forVendors(r) {
			problem.New(problem.Refused, "This is for the organisation's own people",
				"Ask the organisation; your own access is on the pages where you signed in").Write(w)
			return
		}
		if err := s.tooMany(p, r); err != nil {
			problem.From(err).Write(w)
			return
		}
		if !inside { // the page has made room
			room, most := s.ours, int64(maxBody)
			if p.Vendor != "" {
				room, most = s.theirs, maxOutside
				r.Body = http.MaxBytesReader(w, r.Body, maxOutside)
			}
			leave, err := room.Take(r, string(p.ID), most)
			if err != nil {
				problem.From(err).Write(w)
				return
			}
			defer leave()
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, by)))
	})
}

// tooMany tells a vendor's person who does more at once than a person does.
func (s *server) tooMany(p *snapshot.Person, r *http.Request) error {
	if p.Vendor == "" || r.Method != http.MethodPost {
		return nil
	}
	return s.outside.Try(r, s.Now())
}

// unknown answers whom nobody knows, and no address more often than anybody tries.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	if err := s.requests.Try(r, "", s.Now()); err != nil {
		problem.From(err).Write(w)
		return
	}
	identity.WriteUnknown(w)
}

// vendorReads are who a vendor's person is, where their machines enrol, what they have and may ask for, and what
// they are a party to; each asks whether it is theirs.
var vendorReads = []string{"/v1/whoami", "/v1/enrolment", "/v1/my-access", "/v1/roles/{id}/fields",
	"/v1/agreements/{id}/signing", "/v1/agreements/{id}/document", "/v1/agreements/{id}/signed", "/v1/agreements/{id}/evidence"}

// forVendors says whether a vendor's person may reach the route at all: the reads
// above, and acts that admit them to what is their own. Whether this is their own is
// the policy's question, which comes before any that could tell of others.
func forVendors(r *http.Request) bool {
	if r.Method == http.MethodGet {
		return slices.ContainsFunc(vendorReads, func(pattern string) bool { return pathFits(pattern, r.URL.Path) })
	}
	if r.Method == http.MethodPost && r.URL.Path == "/v1/requests/preview" {
		return true
	}
	for _, spec := range registry.Acts {
		if r.Method == http.MethodPost && spec.Routed() && pathFits(spec.Path, r.URL.Path) &&
			(slices.Contains(spec.Admits, registry.Self) || slices.Contains(spec.Admits, registry.VendorPeople)) {
			return true
		}
	}
	return false
}

func pathFits(pattern, asked string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(asked, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && want[i] != "{id}" {
			return false
		}
	}
	return true
}

// actor is who calls, and in which session.
func actor(ctx context.Context) registry.Actor {
	by, _ := ctx.Value(actorKey{}).(registry.Actor)
	return by
}

func caller(ctx context.Context) id.Person { return actor(ctx).Person }

// statusProblem lets huma write a Problem as RFC 9457 problem details.
type statusProblem struct {
	Type   string `json:"type"`
	Status int    `json:"status"`
	*problem.Problem
}

func (p statusProblem) Error() string             { return p.Problem.Error() }
func (p statusProblem) GetStatus() int            { return p.Status }
func (p statusProblem) ContentType(string) string { return problem.MediaType }

// asOurs makes a problem of what the router says of a request that does not fit its
// route. The value that was sent is left out: it can be anything.
func asOurs(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	p := problem.New(problem.Invalid, "The request is not as this address takes it", "Send what GET /openapi.json says of it")
	if m.Status >= http.StatusInternalServerError {
		p = problem.From(m)
	} else if len(m.Errors) > 0 {
		p.Field, p.Title = m.Errors[0].Location, "is not taken: "+m.Errors[0].Message
		for _, where := range []string{"query.", "path.", "header.", "body."} {
			p.Field = strings.TrimPrefix(p.Field, where)
		}
	}
	out := wire(p)
	out.Status = m.Status
	return out, nil
}

// failsAsOurs documents that every route fails by a problem.
func failsAsOurs(doc *huma.OpenAPI, op *huma.Operation) {
	op.Responses["default"] = &huma.Response{Description: "Not done", Content: map[string]*huma.MediaType{
		problem.MediaType: {Schema: doc.Components.Schemas.Schema(reflect.TypeFor[problem.Problem](), true, "")}}}
}

// asProblem is the error that a handler returns; its cause goes to the log.
func (s *server) asProblem(ctx context.Context, err error) error {
	if errors.Is(err, audit.ErrNotFound) {
		err = problem.New(problem.NotFound, "The log has no such entry", "Check the id, and that you ask the node that decided").Because(err)
	}
	p := problem.From(err)
	if p.Kind.Status() >= http.StatusInternalServerError {
		s.Logger.ErrorContext(ctx, "the API failed", "kind", string(p.Kind), "title", p.Title, "err", p.Unwrap())
	}
	return wire(p)
}

func wire(p *problem.Problem) statusProblem {
	return statusProblem{Type: p.Type(), Status: p.Kind.Status(), Problem: p}
}
