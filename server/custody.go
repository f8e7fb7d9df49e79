package server

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/gateway/custody"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
)

const custodyPath = "/v1/custody"

// custodian is the registry as custody knows it: three acts, by pseudonym.
type custodian struct{ s *Server }

// May implements custody.Registry.
func (c custodian) May(_ context.Context, who id.Person, kind string, fields json.RawMessage, reason string) error {
	a, err := registry.Decode(registry.Kind(kind), fields)
	if err != nil {
		return err
	}
	return c.s.record.registry.May(registry.Actor{Person: who}, a, registry.Meta{Reason: reason})
}

// Do implements custody.Registry.
func (c custodian) Do(ctx context.Context, who id.Person, kind string, fields json.RawMessage, reason string) (id.Act, error) {
	a, err := registry.Decode(registry.Kind(kind), fields)
	if err != nil {
		return "", err
	}
	done, err := c.s.record.registry.Do(ctx, registry.Actor{Person: who}, a, registry.Meta{Reason: reason})
	return done.Act, err
}

// withCustody puts custody beside the API on its listener: the same people, and
// the one place there that is told patients' ids.
func (s *Server) withCustody(api http.Handler) (http.Handler, error) {
	c, err := custody.New(custodyPath, custody.Config{Registry: custodian{s}, View: s.record.registry.View,
		Identity: s.verifier, Vault: s.vault, Owner: s.record.keys.Owner(), Logger: s.o.Logger})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, custodyPath+"/") {
			c.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}), nil
}
