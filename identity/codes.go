package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Codes and refresh tokens.
//
// Both are JWTs signed by the server's key, of types of their own, that only
// point to a person's authorization: a record in their session, in the registry.
// That a code is used once, and a refresh token once, is an act there, so it holds
// on every node and over a restart, and what ends the session or the
// authorization ends what was given for it at once. A copy of the registry holds
// nothing that would make a code or a token.
//
// Refresh tokens last as long as the session ("online_access"); to use one is to
// use the session, so that it does not count as idle. Each is used once
// and replaced (RFC 9700, section 4.14.2); when one comes a second time it was
// copied, and the authorization ends. They are bound to the device that brought
// the code (RFC 8705, section 4), and to the key of its proof if it brought one
// (RFC 9449, section 5).
const (
	codeType    = "sallyport-code+jwt"
	refreshType = "sallyport-refresh+jwt"
	// codeLife is how long a code counts; the registry has the same (policy).
	codeLife = time.Minute
	// onlineAccess is SMART's scope for refresh tokens while the person is signed in.
	onlineAccess = "online_access"
	maxTicket    = 2 << 10
)

// ticket is what a code or a refresh token says.
type ticket struct {
	app           id.App
	session       id.Session
	authorization id.Authorization
	generation    int // of a refresh token; 0 for a code
	expires       time.Time
}

type ticketClaims struct {
	Issuer        string           `json:"iss"`
	Audience      string           `json:"aud"`
	ClientID      id.App           `json:"client_id"`
	Session       id.Session       `json:"sid"`
	Authorization id.Authorization `json:"authorization"`
	Generation    int              `json:"generation,omitempty"`
	Expiry        *jwt.NumericDate `json:"exp"`
}

// signAs signs claims under a type of their own, so that nothing that is signed
// here can pass for something else.
func (t *Tokens) signAs(typ string, claims any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: t.key},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", t.kid))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// openAs verifies what signAs made, and reads it into claims.
func (t *Tokens) openAs(typ, raw string, most int, claims any) bool {
	if len(raw) > most {
		return false
	}
	jws, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(jws.Signatures) != 1 {
		return false
	}
	header := jws.Signatures[0].Protected
	key, ok := t.keys[header.KeyID]
	if !ok || header.ExtraHeaders[jose.HeaderType] != typ {
		return false
	}
	payload, err := jws.Verify(key)
	return err == nil && json.Unmarshal(payload, claims) == nil
}

func (t *Tokens) signTicket(k ticket) (string, error) {
	typ := codeType
	if k.generation > 0 {
		typ = refreshType
	}
	return t.signAs(typ, ticketClaims{t.issuer, t.issuer, k.app, k.session, k.authorization, k.generation, jwt.NewNumericDate(k.expires)})
}

func (t *Tokens) openTicket(typ, raw string, now time.Time) (ticket, bool) {
	var c ticketClaims
	if !t.openAs(typ, raw, maxTicket, &c) || c.Issuer != t.issuer || c.Audience != t.issuer || c.Expiry == nil ||
		(typ == codeType) != (c.Generation == 0) || c.Generation < 0 {
		return ticket{}, false
	}
	return ticket{c.ClientID, c.Session, c.Authorization, c.Generation, c.Expiry.Time()}, now.Before(c.Expiry.Time())
}

// sessionCounts reports whether a session lives, and who is in it may be signed
// in: the person is approved, and so is the provider that vouched for them, which is
// not on hold. Other holds, and the vendor's standing, the gates look at for each
// request.
func sessionCounts(view *snapshot.View, s *snapshot.Session, now time.Time) bool {
	if !s.Live(now) {
		return false
	}
	if s.Connector != "" {
		if c, ok := view.ConnectorInForce(s.Connector); !ok || c.Vendor != s.Vendor {
			return false
		}
	}
	p, ok := view.Persons.Get(s.Person)
	return ok && p.State == snapshot.Approved && p.Vendor == s.Vendor
}

// of finds what the ticket points to in a view.
func (k ticket) of(view *snapshot.View, now time.Time) (*snapshot.Session, *snapshot.Authorization, bool) {
	s, ok := view.Sessions.Get(k.session)
	if !ok || !sessionCounts(view, s, now) || s.Idle(now, view.Settings.SessionIdle) {
		return nil, nil, false
	}
	a, ok := s.Authorization(k.authorization)
	if !ok || a.App != k.app || !a.EndedAt.IsZero() {
		return nil, nil, false
	}
	return s, a, true
}

func badGrant(reason Reason) *refusal { return badRequest("invalid_grant", "", reason) }

// forCode gives the first tokens for a code (RFC 6749, section 4.1.3).
func (e *TokenEndpoint) forCode(q *request) (answer, error) {
	k, ok := e.c.Verifier.tokens.openTicket(codeType, q.form.Get("code"), q.now)
	if !ok || k.app != q.app.ID {
		return answer{}, badGrant(CodeInvalid)
	}
	s, a, ok := k.of(q.view, q.now)
	if !ok {
		return answer{}, badGrant(CodeInvalid)
	}
	// Whoever brings a code without its verifier is not the one who asked for it:
	// nothing is used up, and nothing is given.
	if q.form.Get("redirect_uri") != a.Redirect || !verifies(q.form.Get("code_verifier"), a.Challenge) || a.Device != "" && a.Device != q.device.ID {
		return answer{}, badGrant(CodeMismatch)
	}
	if !a.RedeemedAt.IsZero() {
		return answer{}, e.reused(q, k, CodeReused)
	}
	if reason := mayAct(q.view, s, a, q.device); reason != "" {
		return answer{}, badGrant(reason)
	}
	jkt := ""
	if q.proof != nil {
		jkt = q.proof.jkt
	}
	if err := e.c.Book.Redeem(q.ctx, q.device.ID, k.session, k.authorization, jkt); err != nil {
		return answer{}, e.unrecorded(q, k, CodeReused, err)
	}
	scopes, err := ParseUserScopes(a.Scope)
	if err != nil {
		return answer{}, badGrant(ScopeInvalid)
	}
	out, err := e.mint(q, &token{app: q.app.ID, person: s.Person, session: s.ID, authorization: a.ID, grant: a.Grant, scopes: scopes})
	if err != nil || !a.Online {
		return out, err
	}
	return e.withRefresh(out, k, 1, s)
}

// forRefresh gives the next tokens for a refresh token (RFC 6749, section 6).
func (e *TokenEndpoint) forRefresh(q *request) (answer, error) {
	k, ok := e.c.Verifier.tokens.openTicket(refreshType, q.form.Get("refresh_token"), q.now)
	if !ok || k.app != q.app.ID {
		return answer{}, badGrant(RefreshInvalid)
	}
	s, a, ok := k.of(q.view, q.now)
	if !ok || !a.Live() || !a.Online || k.generation > a.Generation {
		return answer{}, badGrant(RefreshInvalid)
	}
	if a.Device != q.device.ID || a.KeyThumbprint != "" && (q.proof == nil || q.proof.jkt != a.KeyThumbprint) {
		return answer{}, badGrant(TokenBoundElsewhere)
	}
	if k.generation < a.Generation {
		return answer{}, e.reused(q, k, RefreshReused)
	}
	if reason := mayAct(q.view, s, a, q.device); reason != "" {
		return answer{}, badGrant(reason)
	}
	scopes, err := ParseUserScopes(a.Scope)
	if err != nil {
		return answer{}, badGrant(ScopeInvalid)
	}
	if asked := withoutOnline(q.form.Get("scope")); asked != "" {
		narrower, err := ParseUserScopes(asked)
		if err != nil || !narrower.Within(scopes) {
			return answer{}, badRequest("invalid_scope", "scope must not go beyond what the person agreed to", ScopeInvalid)
		}
		scopes = narrower
	}
	if err := e.c.Book.Refresh(q.ctx, q.device.ID, k.session, k.authorization, k.generation); err != nil {
		return answer{}, e.unrecorded(q, k, RefreshReused, err)
	}
	out, err := e.mint(q, &token{app: q.app.ID, person: s.Person, session: s.ID, authorization: a.ID, grant: a.Grant, scopes: scopes})
	if err != nil {
		return out, err
	}
	return e.withRefresh(out, k, k.generation+1, s)
}

// mayAct looks once more at what the person saw when they agreed: whose grant it
// is, and whose device.
func mayAct(view *snapshot.View, s *snapshot.Session, a *snapshot.Authorization, d *snapshot.Device) Reason {
	g, ok := view.Grants.Get(a.Grant)
	if !ok || g.App != a.App || g.Person != s.Person {
		return GrantMismatch
	}
	if s.Vendor == "" || s.Vendor != d.Vendor {
		return AppVendorMismatch
	}
	return ""
}

func (e *TokenEndpoint) withRefresh(out answer, k ticket, generation int, s *snapshot.Session) (answer, error) {
	k.generation, k.expires = generation, s.ExpiresAt
	raw, err := e.c.Verifier.tokens.signTicket(k)
	if err != nil {
		return answer{}, problem.New(problem.Internal, "The refresh token could not be signed", "").Because(SigningFailed)
	}
	out.refresh = raw
	return out, nil
}

// reused ends an authorization whose code or refresh token came a second time:
// one of the two who brought it is a thief, and nobody can say which.
func (e *TokenEndpoint) reused(q *request, k ticket, why Reason) error {
	if err := e.c.Book.EndAuthorization(q.ctx, q.device.ID, k.session, k.authorization, why); err != nil {
		if p := problem.From(err); p.Kind != problem.Conflict { // ended in the meantime
			return tryLater(NotRecorded)
		}
	}
	return badGrant(why)
}

// unrecorded says why the one use could not be recorded. If it was used in the
// meantime, this is the second.
func (e *TokenEndpoint) unrecorded(q *request, k ticket, why Reason, err error) error {
	p := problem.From(err)
	switch p.Kind {
	case problem.Conflict:
		if p.Field == "authorization" || p.Field == "generation" {
			return e.reused(q, k, why)
		}
		return badGrant(CodeInvalid)
	case problem.Invalid, problem.NotFound:
		return badGrant(CodeInvalid)
	case problem.Refused:
		return badRequest("unauthorized_client", "the registry did not let this device do it: it may not be approved, or be on hold", NotRecorded)
	}
	return tryLater(NotRecorded)
}

// verifies is PKCE with S256 (RFC 7636, section 4.6).
func verifies(verifier, challenge string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	for i := range len(verifier) {
		switch c := verifier[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
		default:
			return false
		}
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
