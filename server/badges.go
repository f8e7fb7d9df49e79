package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// badges issues what says that a person passed: it has the key.
type badges struct{ s *Server }

func (b badges) issuer() (course.Issuer, error) {
	key, err := b.s.record.keys.CredentialKey()
	if err != nil {
		return course.Issuer{}, problem.New(problem.Unavailable, "The key of badges cannot be read", "Tell the operator").Because(err)
	}
	base := b.s.config.PeopleURL
	if base == "" {
		base = b.s.config.PublicURL
	}
	return course.Issuer{Name: b.s.config.Organisation, URL: base, Key: key}, nil
}

// Badge implements api.Badges and portal.Badges.
func (b badges) Badge(t *snapshot.Training) (string, error) {
	issuer, err := b.issuer()
	if err != nil {
		return "", err
	}
	return issuer.Badge(t, course.TitleOf(b.s.View(), t))
}

// Base implements api.Badges: the address of accounts.
func (b badges) Base() string {
	if b.s.config.PeopleURL != "" {
		return b.s.config.PeopleURL
	}
	return b.s.config.PublicURL
}

// ServeHTTP publishes the keys and the list of what was revoked, to anybody.
func (b badges) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !problem.Takes(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	issuer, err := b.issuer()
	var body []byte
	kind := "application/jwk-set+json"
	switch {
	case err != nil:
	case r.URL.Path == course.BadgeKeysPath:
		body, err = b.publicKeys()
	default:
		var list string
		list, err = issuer.RevocationList(b.s.View(), b.s.o.Now())
		body, kind = []byte(list), "application/jwt"
	}
	if err != nil {
		b.s.o.Logger.ErrorContext(r.Context(), "badges", "path", r.URL.Path, "err", err)
		problem.New(problem.Unavailable, "The badges' keys cannot be read now", "Try again in a minute").Write(w)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "max-age=300")
	_, _ = w.Write(body) // the caller may be gone
}

func (b badges) publicKeys() ([]byte, error) {
	key, err := b.s.record.keys.CredentialKey()
	if err != nil {
		return nil, err
	}
	return key.PublicKeys()
}

// lmsPath is where learning management systems send their statements: on the gateway's
// listener, since they are outside, with a bearer token and without a certificate.
const lmsPath = "/v1/xapi/statements"

// lms takes xAPI statements of completed courses from connectors of kind lms. It is no
// record store: nothing can be read from it, and what is no completion is left.
type lms struct {
	s     *Server
	limit *signin.Limit
}

// ServeHTTP takes one message: all of it or none. A completion that is recorded already
// is none anew, so a message can be sent again.
func (l *lms) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := l.limit.Try(r, l.s.o.Now()); err != nil {
		problem.From(err).Write(w)
		return
	}
	c, err := identity.BearerConnector(r.Header, l.s.View(), snapshot.LMS)
	if err != nil {
		l.s.o.Logger.InfoContext(r.Context(), "unknown learning management system", "reason", err.Error(), "connector", connectorID(c))
		identity.WriteUnknown(w)
		return
	}
	if !problem.Takes(w, r, http.MethodPost) {
		return
	}
	version := r.Header.Get("X-Experience-API-Version")
	if !strings.HasPrefix(version, "1.0") && !strings.HasPrefix(version, "2.0") {
		problem.BadField("X-Experience-API-Version", "is missing, or neither 1.0 nor 2.0", "Send such as 1.0.3 or 2.0.0").Write(w)
		return
	}
	w.Header().Set("X-Experience-API-Version", version)
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, course.MaxBytes))
	if err != nil {
		problem.New(problem.TooLarge, "The message is too long", "Send fewer statements at once").Because(err).Write(w)
		return
	}
	told := course.ReadStatements(raw, l.s.View(), c.Vendor, badges{l.s}.Base(), l.s.o.Now())
	if len(told.Wrong) > 0 {
		p := problem.New(problem.Invalid, "Nothing of the message was taken", "Mend what is listed and send all of it again")
		for _, x := range told.Wrong {
			p.Reasons = append(p.Reasons, problem.Reason{Gate: "statement", Message: x.String()})
		}
		p.Write(w)
		return
	}
	names := append([]string{}, told.Known...)
	if len(told.Completions) > 0 {
		_, err := l.s.record.registry.Do(r.Context(), registry.Actor{Connector: c.ID}, registry.ImportTrainings{Completions: told.Completions},
			registry.Meta{Reason: "told by the learning management system"})
		if err != nil {
			problem.From(err).Write(w)
			return
		}
		for _, x := range told.Completions {
			names = append(names, x.External)
		}
	}
	for i, n := range names {
		names[i] = strings.TrimPrefix(n, "xapi-")
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(names) // the caller may be gone
}

func connectorID(c *snapshot.Connector) id.Connector {
	if c == nil {
		return ""
	}
	return c.ID
}
