package identity

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Revocation is the endpoint at which an application ends its own tokens before
// their time (RFC 7009). An access token ends alone; a refresh token ends with
// everything that was given for the same consent. The act is in the registry, so
// it stops what is under way, here and on every node.
//
// The application authenticates as at the token endpoint, with that endpoint's URL
// as aud; a public client by its name and its vendor's device. A token that is
// another's, expired or none at all is answered like one that has been revoked
// (section 2.2).
func (e *TokenEndpoint) Revocation() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q, err := e.open(w, r)
		if err == nil {
			err = e.revoke(q)
		}
		if err != nil {
			e.refuse(w, r, "token not revoked", q.logFacts, err)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	})
}

func (e *TokenEndpoint) revoke(q *request) error {
	if e.c.Book == nil {
		return badRequest("unsupported_token_type", "", RequestMalformed)
	}
	if err := e.client(q); err != nil {
		return err
	}
	raw := q.form.Get("token")
	if raw == "" {
		return badRequest("invalid_request", "token is missing", RequestMalformed)
	}
	var err error
	var what slog.Attr
	if k, ok := e.c.Verifier.tokens.openTicket(refreshType, raw, q.now); ok {
		if _, a, ok := k.of(q.view, q.now); !ok || k.app != q.app.ID || a.Device != q.device.ID {
			return nil
		}
		what = slog.String("authorization", string(k.authorization))
		err = e.c.Book.EndAuthorization(q.ctx, q.device.ID, k.session, k.authorization, TokenRevoked)
	} else {
		tok, reason := e.c.Verifier.tokens.verify(raw)
		if reason != "" || tok.app != q.app.ID || !q.now.Before(tok.expires) || !q.app.Accepts(tok.id, tok.issued) {
			return nil
		}
		what = slog.String("token", tok.id)
		err = e.c.Book.RevokeToken(q.ctx, q.device.ID, q.app.ID, tok.id, tok.expires)
	}
	if err != nil {
		switch problem.From(err).Kind {
		case problem.Conflict: // ended in the meantime
		case problem.Refused:
			return badRequest("unauthorized_client", "the registry did not let this device do it: it may not be approved, or be on hold", NotRecorded)
		default:
			return tryLater(NotRecorded) // RFC 7009, section 2.2.1: the client must assume that the token still counts
		}
	}
	e.c.Log.LogAttrs(q.ctx, slog.LevelInfo, "token revoked", append(q.attrs(), what)...)
	return nil
}

// introspection is RFC 7662, section 2.2. The zero value says that a token does
// not count, and no more.
type introspection struct {
	Active       bool          `json:"active"`
	Scope        string        `json:"scope,omitempty"`
	ClientID     id.App        `json:"client_id,omitempty"`
	TokenType    string        `json:"token_type,omitempty"`
	Expires      int64         `json:"exp,omitempty"`
	Issued       int64         `json:"iat,omitempty"`
	Subject      string        `json:"sub,omitempty"`
	Audience     string        `json:"aud,omitempty"`
	Issuer       string        `json:"iss,omitempty"`
	ID           string        `json:"jti,omitempty"`
	Grant        id.Grant      `json:"grant,omitempty"`
	Session      id.Session    `json:"sid,omitempty"`
	Confirmation *confirmation `json:"cnf,omitempty"`
}

// Introspection is the endpoint at which an application, or one of the
// organisation's people by a personal certificate, asks whether a token counts
// (RFC 7662). An application hears of its own tokens; of any other, {"active":
// false}. That a token counts does not say that a request with it is permitted:
// the gates say that, for each.
func (e *TokenEndpoint) Introspection() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		view, now := e.c.View(), e.c.Verifier.now()
		var of func(id.App) bool
		var raw string
		var facts logFacts
		if _, err := e.c.Verifier.Person(r, view); err == nil {
			form, err := readForm(w, r)
			if err != nil {
				e.refuse(w, r, "token not looked at", facts, err)
				return
			}
			of, raw = func(id.App) bool { return true }, form.Get("token")
		} else {
			q, err := e.open(w, r)
			if err == nil {
				if err = e.client(q); err == nil && q.app.Public {
					err = badClient(ClientPublic) // whoever holds the token could ask
				}
			}
			if err != nil {
				e.refuse(w, r, "token not looked at", q.logFacts, err)
				return
			}
			own := q.app.ID
			of, raw = func(a id.App) bool { return a == own }, q.form.Get("token")
		}
		writeJSON(w, http.StatusOK, e.introspect(raw, of, view, now))
	})
}

func (e *TokenEndpoint) introspect(raw string, of func(id.App) bool, view *snapshot.View, now time.Time) introspection {
	t := e.c.Verifier.tokens
	if k, ok := t.openTicket(refreshType, raw, now); ok {
		s, a, ok := k.of(view, now)
		if !ok || !of(k.app) || !a.Live() || k.generation != a.Generation {
			return introspection{}
		}
		return introspection{Active: true, Scope: a.Scope + " " + onlineAccess, ClientID: k.app, Expires: k.expires.Unix(), Subject: string(s.Person),
			Issuer: t.issuer, Audience: t.issuer, Grant: a.Grant, Session: s.ID}
	}
	if len(raw) > maxToken || strings.Count(raw, ".") != 2 {
		return introspection{}
	}
	k, reason := t.verify(raw)
	if reason != "" || !of(k.app) || !now.Before(k.expires) {
		return introspection{}
	}
	app, _, reason := k.standing(view, k.deviceIn(view), now)
	if reason != "" || app.State != snapshot.Approved {
		return introspection{}
	}
	c := k.confirmation()
	return introspection{Active: true, Scope: k.scopes.String(), ClientID: k.app, TokenType: k.tokenType(), Expires: k.expires.Unix(), Issued: k.issued.Unix(),
		Subject: k.subject(), Audience: t.audience, Issuer: t.issuer, ID: k.id, Grant: k.grant, Session: k.session, Confirmation: &c}
}

// deviceIn is the device that the token's authorization is bound to.
func (k *token) deviceIn(view *snapshot.View) id.Device {
	if s, ok := view.Sessions.Get(k.session); ok {
		if a, ok := s.Authorization(k.authorization); ok {
			return a.Device
		}
	}
	return ""
}
