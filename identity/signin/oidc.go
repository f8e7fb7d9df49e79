package signin

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// algorithms are the signatures that an identity provider may use: asymmetric ones.
// "none" and the HMACs are not on the list, so a public key can never be taken for a
// shared secret.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

const (
	providerTimeout = 10 * time.Second
	maxProviderBody = 1 << 20
	metadataLife    = time.Hour
	failureLife     = 10 * time.Second // a provider that does not answer is not asked again at once
	tokenSkew       = time.Minute
	tokenAge        = 10 * time.Minute // an ID token is fetched when it is made
)

// Providers signs people in by their organisations' identity providers: OpenID
// Connect Core 1.0, authorization code with PKCE (RFC 7636), state, nonce, and the
// issuer in the response where the provider sends it (RFC 9207).
//
// Each provider is a connector of one vendor, or of the organisation, and each has a
// redirect address of its own. Who it vouches for is looked up among that vendor's
// people by connector and subject: there is no way from one vendor's provider to
// another's person, and nobody is made because a provider knows them.
type Providers struct {
	o   ProvidersOptions
	box *box

	mu    sync.Mutex
	found map[id.Connector]*provider
	seen  map[string]time.Time // logout tokens, until when they could be shown again
}

// ProvidersOptions is what Providers needs.
type ProvidersOptions struct {
	Base *url.URL // the pages' own origin
	Now  func() time.Time
	// Client calls providers. It follows no redirects and has a deadline; how much of
	// an answer is read is bounded here.
	Client *http.Client
	// Secrets are ours at the providers that want one; without it a provider has a
	// public client, by PKCE alone.
	Secrets map[id.Connector]string
}

// NewProviders makes a Providers.
func NewProviders(o ProvidersOptions) (*Providers, error) {
	b, err := newBox(o.Now)
	if err != nil {
		return nil, err
	}
	client := *o.Client
	client.Transport = bounded{o.Client.Transport}
	o.Client = &client
	return &Providers{o: o, box: b, found: map[id.Connector]*provider{}, seen: map[string]time.Time{}}, nil
}

// provider is what is known of one, for a while.
type provider struct {
	issuer, client string
	keys           []byte // as pinned
	until          time.Time
	failed         error

	oauth  oauth2.Config
	verify *oidc.IDTokenVerifier
	logout *oidc.IDTokenVerifier
	meta   metadata
}

// metadata is what we read of OpenID Connect Discovery 1.0, section 3, beside what
// the library does.
type metadata struct {
	Authorization string `json:"authorization_endpoint"`
	Token         string `json:"token_endpoint"`
	Keys          string `json:"jwks_uri"`
	EndSession    string `json:"end_session_endpoint"`                           // RP-Initiated Logout 1.0
	SendsIssuer   bool   `json:"authorization_response_iss_parameter_supported"` // RFC 9207
}

// bounded reads no more of an answer than a provider needs to say.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxProviderBody), resp.Body}
	}
	return resp, err
}

// of finds the provider behind an approved connector.
func (p *Providers) of(ctx context.Context, c *snapshot.Connector) (*provider, error) {
	if c == nil || c.Kind != snapshot.OIDCProvider || c.State != snapshot.Approved {
		return nil, noProvider(ProviderUnknown)
	}
	now := p.o.Now()
	p.mu.Lock()
	x := p.found[c.ID]
	p.mu.Unlock()
	if x == nil || x.issuer != c.Issuer || x.client != c.ClientID || !bytes.Equal(x.keys, c.Keys) || !now.Before(x.until) {
		x = p.discover(ctx, c, now)
		p.mu.Lock()
		p.found[c.ID] = x
		p.mu.Unlock()
	}
	if x.failed != nil {
		return nil, x.failed
	}
	return x, nil
}

func noProvider(why Reason) error {
	kind, title, next := problem.Refused, "There is no such sign-in", "Check its name with your organisation"
	if why == ProviderUnreachable {
		kind, title, next = problem.Unavailable, "Your organisation's sign-in does not answer, or not as it must", "Try again in a moment; if it goes on, tell your organisation"
	}
	return problem.New(kind, title, next).Because(why)
}

func (p *Providers) discover(ctx context.Context, c *snapshot.Connector, now time.Time) *provider {
	x := &provider{issuer: c.Issuer, client: c.ClientID, keys: c.Keys, until: now.Add(failureLife), failed: noProvider(ProviderUnreachable)}
	// The library keeps the context for fetching keys later.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.o.Client), c.Issuer)
	if err != nil || found.Claims(&x.meta) != nil {
		return x
	}
	for _, endpoint := range []string{x.meta.Authorization, x.meta.Token, x.meta.Keys} {
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "https" || u.Host == "" {
			return x
		}
	}
	if u, err := url.Parse(x.meta.EndSession); err != nil || u.Scheme != "https" {
		x.meta.EndSession = ""
	}
	endpoint := found.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if p.o.Secrets[c.ID] == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	x.oauth = oauth2.Config{ClientID: c.ClientID, ClientSecret: p.o.Secrets[c.ID], Endpoint: endpoint, Scopes: []string{oidc.ScopeOpenID},
		RedirectURL: p.o.Base.String() + "/signin/callback/" + string(c.ID)}
	token := &oidc.Config{ClientID: c.ClientID, SupportedSigningAlgs: algorithms, Now: p.o.Now}
	logout := &oidc.Config{ClientID: c.ClientID, SupportedSigningAlgs: algorithms, Now: p.o.Now, SkipExpiryCheck: true} // its exp is looked at in Logout
	if len(c.Keys) > 0 {
		keys, err := pinned(c.Keys)
		if err != nil {
			return x
		}
		x.verify, x.logout = oidc.NewVerifier(c.Issuer, keys, token), oidc.NewVerifier(c.Issuer, keys, logout)
	} else {
		x.verify, x.logout = found.Verifier(token), found.Verifier(logout)
	}
	x.until, x.failed = now.Add(metadataLife), nil
	return x
}

// pinned reads the keys that the connector was approved with.
func pinned(raw json.RawMessage) (*oidc.StaticKeySet, error) {
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("pinned keys: %w", err)
	}
	out := new(oidc.StaticKeySet)
	for _, k := range set.Keys {
		switch key := k.Key.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
			out.PublicKeys = append(out.PublicKeys, crypto.PublicKey(key))
		default:
			return nil, errors.New("pinned keys: one is not a public key for signatures")
		}
	}
	if len(out.PublicKeys) == 0 {
		return nil, errors.New("pinned keys: there is none")
	}
	return out, nil
}

// Away is a person on the way to their provider.
type Away struct {
	URL    string
	Cookie *http.Cookie // what the browser brings back
}

type onTheWay struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Next     string `json:"next"`
}

// wayCookie is one for each sign-in under way, so that two tabs do not disturb each
// other.
func wayCookie(state string) string { return wayPrefix + digest(state)[:12] }

const (
	wayPrefix = "__Host-sallyport-way-"
	maxWays   = 4
)

// ForgetWays takes the sign-ins that are under way out of the browser, if there are more
// than a person has begun. Another site's page can begin as many as it likes, and a browser
// that brings them all would be turned away for what it brings.
func ForgetWays(w http.ResponseWriter, r *http.Request) {
	ways := slices.DeleteFunc(r.Cookies(), func(c *http.Cookie) bool { return !strings.HasPrefix(c.Name, wayPrefix) })
	if len(ways) < maxWays {
		return
	}
	for _, c := range ways {
		http.SetCookie(w, &http.Cookie{Name: c.Name, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	}
}

func purposeOf(c id.Connector) string { return "provider " + string(c) }

// maxCookieNext is the longest address that a cookie has room for, sealed and beside
// the rest: browsers drop cookies of more than 4096 bytes (RFC 6265, section 6.1).
const maxCookieNext = 2000

// Begin sends a person to their provider.
func (p *Providers) Begin(ctx context.Context, c *snapshot.Connector, browser, next string) (Away, error) {
	x, err := p.of(ctx, c)
	if err != nil {
		return Away{}, err
	}
	state, _ := NewSecret()
	nonce, _ := NewSecret()
	if len(next) > maxCookieNext {
		next = "/" // the person is signed in all the same, and begins what they wanted again
	}
	w := onTheWay{State: state, Nonce: nonce, Verifier: oauth2.GenerateVerifier(), Next: next}
	value, err := p.box.seal(purposeOf(c.ID), browser, w)
	if err != nil {
		return Away{}, err
	}
	return Away{URL: x.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(w.Verifier)),
		Cookie: &http.Cookie{Name: wayCookie(state), Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(ceremonyLife.Seconds())}}, nil
}

// Returned is a person whom their provider vouches for.
type Returned struct {
	Person             id.Person
	Connector          id.Connector
	ProviderSession256 string
	Next               string
}

// notSignedIn is what the person is told, whatever was wrong.
func notSignedIn(why Reason) error {
	next := "Begin again on the page for signing in"
	if why == LoginUnknown || why == LoginOfOther {
		next = "You are known to your organisation, but not registered here by it: ask whoever looks after your access"
	}
	return problem.New(problem.Refused, "Your organisation's sign-in was not accepted", next).Because(why)
}

// Finish checks what the provider's redirect brought (OpenID Connect Core 1.0,
// section 3.1.3.7), and finds the person.
func (p *Providers) Finish(ctx context.Context, v *snapshot.View, c *snapshot.Connector, r *http.Request, browser string) (Returned, error) {
	x, err := p.of(ctx, c)
	if err != nil {
		return Returned{}, err
	}
	q := r.URL.Query()
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(q[name]) > 1 {
			return Returned{}, notSignedIn(ResponseInvalid)
		}
	}
	cookie, err := r.Cookie(wayCookie(q.Get("state")))
	if err != nil {
		return Returned{}, notSignedIn(ResponseInvalid)
	}
	var way onTheWay
	if reason := p.box.open(purposeOf(c.ID), browser, cookie.Value, &way); reason != "" {
		return Returned{}, notSignedIn(reason)
	}
	if subtle.ConstantTimeCompare([]byte(way.State), []byte(q.Get("state"))) != 1 {
		return Returned{}, notSignedIn(ResponseInvalid)
	}
	if iss := q.Get("iss"); (iss != "" || x.meta.SendsIssuer) && iss != c.Issuer {
		return Returned{}, notSignedIn(ResponseMixedUp)
	}
	if q.Get("error") != "" || q.Get("code") == "" {
		return Returned{}, notSignedIn(ProviderRefused)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.o.Client), 2*providerTimeout)
	defer cancel()
	answer, err := x.oauth.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(way.Verifier))
	if err != nil {
		return Returned{}, notSignedIn(CodeRefused)
	}
	raw, _ := answer.Extra("id_token").(string)
	subject, sid, reason := x.check(ctx, raw, way.Nonce, answer.AccessToken, p.o.Now())
	if reason != "" {
		return Returned{}, notSignedIn(reason)
	}
	person, ok := v.PersonByLogin(snapshot.Login{Connector: c.ID, Subject: subject})
	switch {
	case !ok:
		return Returned{}, notSignedIn(LoginUnknown)
	case person.Vendor != c.Vendor:
		return Returned{}, notSignedIn(LoginOfOther)
	}
	if reason := p.box.once(way.State); reason != "" {
		return Returned{}, notSignedIn(reason)
	}
	out := Returned{Person: person.ID, Connector: c.ID, Next: way.Next}
	if sid != "" {
		out.ProviderSession256 = digest(sid)
	}
	return out, nil
}

// check is the verification of an ID token beyond what the library does: signature
// by an allowed algorithm, issuer, audience and expiry are its.
func (x *provider) check(ctx context.Context, raw, nonce, access string, now time.Time) (subject, sid string, _ Reason) {
	token, err := x.verify.Verify(ctx, raw)
	if err != nil {
		return "", "", TokenInvalid
	}
	var claims struct {
		Nonce string `json:"nonce"`
		Azp   string `json:"azp"`
		Sid   string `json:"sid"`
	}
	if token.Claims(&claims) != nil {
		return "", "", TokenInvalid
	}
	if claims.Nonce == "" || subtle.ConstantTimeCompare([]byte(claims.Nonce), []byte(nonce)) != 1 {
		return "", "", TokenNonce
	}
	if (len(token.Audience) > 1 || claims.Azp != "") && claims.Azp != x.client {
		return "", "", TokenParty
	}
	if token.IssuedAt.IsZero() || token.IssuedAt.After(now.Add(tokenSkew)) || token.IssuedAt.Before(now.Add(-tokenAge)) {
		return "", "", TokenTime
	}
	if token.AccessTokenHash != "" && token.VerifyAccessToken(access) != nil {
		return "", "", TokenInvalid
	}
	if token.Subject == "" || len(token.Subject) > 255 || len(claims.Sid) > 255 {
		return "", "", TokenInvalid
	}
	return token.Subject, claims.Sid, ""
}

// EndSessionURL is where the person signs out at their provider too (RP-Initiated
// Logout 1.0); empty where it offers none. No token of theirs is kept here to hint
// with, so the provider may ask them.
func (p *Providers) EndSessionURL(ctx context.Context, c *snapshot.Connector) string {
	x, err := p.of(ctx, c)
	if err != nil || x.meta.EndSession == "" {
		return ""
	}
	u, err := url.Parse(x.meta.EndSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", c.ClientID)
	q.Set("post_logout_redirect_uri", p.o.Base.String()+"/signin")
	u.RawQuery = q.Encode()
	return u.String()
}

// LoggedOut is whom a provider has signed out: a person, one of their sessions
// there, or that session of theirs.
type LoggedOut struct {
	Subject            string
	ProviderSession256 string
}

// Covers says whether a session is one of those.
func (l LoggedOut) Covers(v *snapshot.View, c id.Connector, s *snapshot.Session) bool {
	if s.Connector != c || l == (LoggedOut{}) {
		return false
	}
	p, ok := v.Persons.Get(s.Person)
	return (l.Subject == "" || ok && p.Login == (snapshot.Login{Connector: c, Subject: l.Subject})) &&
		(l.ProviderSession256 == "" || s.ProviderSession256 == l.ProviderSession256)
}

// logoutEvent is the member of events that makes a logout token one.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

const (
	logoutAge      = 5 * time.Minute
	maxLogoutToken = 16 << 10
)

// Logout checks a logout token (OpenID Connect Back-Channel Logout 1.0, section
// 2.6).
func (p *Providers) Logout(ctx context.Context, c *snapshot.Connector, raw string) (LoggedOut, error) {
	refused := func(why Reason) (LoggedOut, error) {
		return LoggedOut{}, problem.New(problem.Invalid, "The logout token was not accepted", "Send a logout token of OpenID Connect Back-Channel Logout 1.0").Because(why)
	}
	x, err := p.of(ctx, c)
	if err != nil {
		return LoggedOut{}, err
	}
	if len(raw) > maxLogoutToken {
		return refused(TokenInvalid)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.o.Client), providerTimeout)
	defer cancel()
	token, err := x.logout.Verify(ctx, raw)
	if err != nil {
		return refused(TokenInvalid)
	}
	var claims struct {
		Jti    string                     `json:"jti"`
		Sid    string                     `json:"sid"`
		Exp    *float64                   `json:"exp"`
		Events map[string]json.RawMessage `json:"events"`
		Nonce  *json.RawMessage           `json:"nonce"`
	}
	if token.Claims(&claims) != nil || !typedAs(raw, "", "jwt", "logout+jwt") {
		return refused(TokenInvalid)
	}
	event, ok := claims.Events[logoutEvent]
	var object map[string]json.RawMessage
	switch {
	case claims.Nonce != nil: // an ID token, used for what it is not
		return refused(TokenNonce)
	case !ok || json.Unmarshal(event, &object) != nil || object == nil:
		return refused(LogoutNoEvent)
	case claims.Jti == "" || len(claims.Jti) > 255 || token.Subject == "" && claims.Sid == "":
		return refused(TokenInvalid)
	}
	now := p.o.Now()
	if token.IssuedAt.IsZero() || token.IssuedAt.After(now.Add(tokenSkew)) || token.IssuedAt.Before(now.Add(-logoutAge)) ||
		claims.Exp != nil && !now.Before(token.Expiry.Add(tokenSkew)) {
		return refused(TokenTime)
	}
	key := digest(string(c.ID) + "\x00" + claims.Jti)
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, until := range p.seen {
		if !now.Before(until) {
			delete(p.seen, k)
		}
	}
	if _, again := p.seen[key]; again {
		return refused(LogoutReplayed)
	}
	p.seen[key] = now.Add(2*logoutAge + tokenSkew)
	out := LoggedOut{Subject: token.Subject}
	if claims.Sid != "" {
		out.ProviderSession256 = digest(claims.Sid)
	}
	return out, nil
}

// typedAs says whether the token's typ, in lower case, is one of those. The
// signature was checked before.
func typedAs(raw string, types ...string) bool {
	sig, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA})
	if err != nil || len(sig.Signatures) != 1 {
		return false
	}
	typ, _ := sig.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	for _, t := range types {
		if strings.ToLower(typ) == t {
			return true
		}
	}
	return false
}
