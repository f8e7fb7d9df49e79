package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/gateway/custody"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

const custodyPath = "/v1/custody"

// custodian is the registry as custody knows it: three acts, by pseudonym. Who acts
// in a session acts in it here too, so that what needs a passkey needs one.
type custodian struct{ s *Server }

// May implements custody.Registry.
func (c custodian) May(ctx context.Context, who id.Person, kind string, fields json.RawMessage, reason string) error {
	a, err := registry.Decode(registry.Kind(kind), fields)
	if err != nil {
		return err
	}
	return c.s.record.registry.May(actor(ctx, who), a, registry.Meta{Reason: reason})
}

// Do implements custody.Registry.
func (c custodian) Do(ctx context.Context, who id.Person, kind string, fields json.RawMessage, reason string) (id.Act, error) {
	a, err := registry.Decode(registry.Kind(kind), fields)
	if err != nil {
		return "", err
	}
	done, err := c.s.record.registry.Do(ctx, actor(ctx, who), a, registry.Meta{Reason: reason})
	return done.Act, err
}

type sessionKey struct{}

func actor(ctx context.Context, who id.Person) registry.Actor {
	session, _ := ctx.Value(sessionKey{}).(id.Session)
	return registry.Actor{Person: who, Session: session}
}

// Person implements custody.Identity: by the session, where the request names one,
// or by the personal certificate.
func (c custodian) Person(r *http.Request, view *snapshot.View) (id.Person, error) {
	session, _ := r.Context().Value(sessionKey{}).(id.Session)
	if session == "" {
		return c.s.verifier.Person(r, view)
	}
	x, ok := view.Sessions.Get(session)
	if !ok || x.Vendor != "" {
		return "", problem.New(problem.Unknown, "The caller is not known", "").Because(identity.PersonOfVendor)
	}
	return x.Person, nil
}

// withCustody puts custody beside the API on its listener: the same people, and
// the one place there that is told patients' ids.
func (s *Server) withCustody(rest http.Handler) (http.Handler, error) {
	c, err := custody.New(custodyPath, custody.Config{Registry: custodian{s}, View: s.record.registry.View,
		Identity: custodian{s}, Vault: s.vault, Owner: s.record.keys.Owner(), Logger: s.o.Logger, Affected: s.affected()})
	if err != nil {
		return nil, err
	}
	requests := signin.NewRequests()
	return api.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, custodyPath+"/") {
			rest.ServeHTTP(w, r)
			return
		}
		var session id.Session
		known := true
		if len(r.Header["Authorization"]) > 0 {
			_, session, known = s.sessions.Bearer(r)
		}
		if err := requests.Try(r, string(session), s.o.Now()); err != nil {
			problem.From(err).Write(w)
			return
		}
		if !known {
			identity.WriteUnknown(w)
			return
		}
		if session != "" {
			r = r.WithContext(context.WithValue(r.Context(), sessionKey{}, session))
		}
		c.ServeHTTP(w, r)
	})), nil
}
