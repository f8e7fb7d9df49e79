// Package signin proves which person is at the other end: with a passkey
// (WebAuthn Level 3), by their organisation's identity provider (OpenID Connect
// Core 1.0), with a code that was handed to them, and, from one request to the
// next, by the secret of a session.
//
// It proves and keeps nothing: what follows from a proof is an act of the registry,
// and whether a session still counts is read from the snapshot at each request. So
// a session that is killed, a person who is suspended and a vendor that is
// suspended are out at once, on every node.
//
// There are no passwords. A person is one human with one identity: a login and a
// passkey belong to one person only, so an account cannot be shared (45 CFR
// 164.312(a)(2)(i)). Errors and logs never hold a code, a secret, an assertion or a
// token.
package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// CookieName is the session's cookie. The prefix makes browsers refuse one that is
// not Secure, that has a Domain, or that another host set (RFC 6265bis, section
// 4.1.3.2), so nobody can plant a session.
const CookieName = "__Host-sallyport"

// secretLen is the length of a session's secret in characters: 32 random bytes.
const secretLen = 43

// NewSecret makes a session's secret, and the digest by which the registry knows it.
func NewSecret() (secret, secret256 string) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	secret = base64.RawURLEncoding.EncodeToString(raw)
	return secret, digest(secret)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// Sessions says who is signed in. It is safe for concurrent use.
type Sessions struct {
	o SessionsOptions

	mu   sync.Mutex
	busy map[id.Session]bool // being noted as seen
}

// SessionsOptions is what Sessions needs.
type SessionsOptions struct {
	View func() *snapshot.View
	Now  func() time.Time
	// See notes that a session is in use: the act session.see. It is asked a few times
	// in the idle limit, in the request's own goroutine; what it cannot note only
	// makes the session end earlier.
	See func(ctx context.Context, person id.Person, session id.Session)
}

// NewSessions makes a Sessions.
func NewSessions(o SessionsOptions) *Sessions {
	return &Sessions{o: o, busy: map[id.Session]bool{}}
}

// SignedIn is who the request's cookie says is signed in, of a vendor or of the
// organisation, and in which session. Not ok: nobody. For a person to decide
// something in the session, registry.Actor takes both; whether a passkey was
// touched recently is in the session's record.
func (s *Sessions) SignedIn(r *http.Request) (person id.Person, session id.Session, ok bool) {
	cookies := r.CookiesNamed(CookieName)
	if len(cookies) != 1 {
		return "", "", false
	}
	return s.by(r, cookies[0].Value)
}

// Bearer is SignedIn for a program of the person: it takes the secret from the
// Authorization header (RFC 6750, section 2.1). Cookies do not count there, so that
// no page can act through it.
func (s *Sessions) Bearer(r *http.Request) (person id.Person, session id.Session, ok bool) {
	values := r.Header["Authorization"]
	if len(values) != 1 {
		return "", "", false
	}
	scheme, secret, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "bearer") {
		return "", "", false
	}
	return s.by(r, secret)
}

// Whose says in whose session the request's cookies or Authorization header have the
// secret, whether or not it still counts. It signs nobody in: it is for the record of what
// was tried after the end. A session that the registry has forgotten is nobody's.
func (s *Sessions) Whose(r *http.Request) (*snapshot.Person, bool) {
	v := s.o.View()
	if v == nil {
		return nil, false
	}
	for _, secret := range secretsOf(r) {
		if x, ok := v.SessionEver(digest(secret)); ok {
			return v.Persons.Get(x.Person)
		}
	}
	return nil, false
}

// secretsOf are what the request has in the form of a session's secret.
func secretsOf(r *http.Request) []string {
	var out []string
	if cookies := r.CookiesNamed(CookieName); len(cookies) == 1 {
		out = append(out, cookies[0].Value)
	}
	if scheme, secret, found := strings.Cut(r.Header.Get("Authorization"), " "); found && strings.EqualFold(scheme, "bearer") {
		out = append(out, secret)
	}
	return slices.DeleteFunc(out, func(secret string) bool { return len(secret) != secretLen })
}

// Unsure is nil, unless the request has the secret of a session that would count if the
// registry had been confirmed of late: then it is what to tell whoever sent it, who is
// not let in, but not signed out either.
func (s *Sessions) Unsure(r *http.Request) error {
	v, now := s.o.View(), s.o.Now()
	if v == nil || !stale(v, now) {
		return nil
	}
	for _, secret := range secretsOf(r) {
		if x, ok := v.SessionBySecret(digest(secret)); ok && Stands(v, x, now) && (x.Key256 == "" || PeerKey(r) == x.Key256) {
			return problem.New(problem.Unavailable, "Whether your session still counts cannot be said now",
				"Try again in a minute: you are not signed out. If it goes on, tell the operator that the registry is not confirmed").After(10 * time.Second)
		}
	}
	return nil
}

func (s *Sessions) by(r *http.Request, secret string) (id.Person, id.Session, bool) {
	if len(secret) != secretLen {
		return "", "", false
	}
	v, now := s.o.View(), s.o.Now()
	if v == nil {
		return "", "", false
	}
	x, found := v.SessionBySecret(digest(secret))
	if !found || !Counts(v, x, now) {
		return "", "", false
	}
	if x.Key256 != "" && PeerKey(r) != x.Key256 {
		return "", "", false // the secret without the key of the device: stolen, or mixed up
	}
	if quiet, _ := r.Context().Value(quietKey{}).(bool); !quiet {
		s.see(r.Context(), v, x, now)
	}
	return x.Person, x.ID, true
}

// Quiet is a request that nobody made: a page that keeps itself up to date. It does not
// count as use of the session, which would otherwise never be idle.
func Quiet(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), quietKey{}, true))
}

type quietKey struct{}

// Counts says whether a session lives and its person may be signed in: approved, not
// on hold, of an approved vendor, by a provider that is approved still and not on
// hold, in a view that is fresh.
func Counts(v *snapshot.View, x *snapshot.Session, now time.Time) bool {
	return v != nil && !stale(v, now) && Stands(v, x, now)
}

// stale says whether a view was not confirmed for so long that nobody counts by it.
func stale(v *snapshot.View, now time.Time) bool {
	return now.Sub(v.Confirmed()) > v.Settings.SnapshotFreshness
}

// Stands is Counts but for whether the view is fresh.
func Stands(v *snapshot.View, x *snapshot.Session, now time.Time) bool {
	if !x.Live(now) || x.Idle(now, v.Settings.SessionIdle) {
		return false
	}
	if x.Connector != "" {
		if c, ok := v.ConnectorInForce(x.Connector); !ok || c.Vendor != x.Vendor {
			return false
		}
	}
	p, ok := v.Persons.Get(x.Person)
	return ok && p.Vendor == x.Vendor && MaySignIn(v, p)
}

// MaySignIn says whether a person may have a session at all.
func MaySignIn(v *snapshot.View, p *snapshot.Person) bool {
	if p == nil || p.State != snapshot.Approved || held(v, snapshot.NounPerson, string(p.ID)) {
		return false
	}
	if p.Vendor == "" {
		return true
	}
	vendor, ok := v.Vendors.Get(p.Vendor)
	return ok && vendor.State == snapshot.Approved && !held(v, snapshot.NounVendor, string(vendor.ID))
}

func held(v *snapshot.View, noun snapshot.Noun, key string) bool {
	for _, h := range v.HoldsOn(snapshot.Subject{Noun: noun, ID: key}) {
		if h.LiftedAt.IsZero() {
			return true
		}
	}
	return false
}

// see has it noted that the session is in use, four times in the idle limit.
func (s *Sessions) see(ctx context.Context, v *snapshot.View, x *snapshot.Session, now time.Time) {
	if s.o.See == nil || !x.Idle(now, v.Settings.SessionIdle/4) {
		return
	}
	s.mu.Lock()
	busy := s.busy[x.ID]
	s.busy[x.ID] = true
	s.mu.Unlock()
	if busy {
		return
	}
	defer func() {
		s.mu.Lock()
		delete(s.busy, x.ID)
		s.mu.Unlock()
	}()
	s.o.See(ctx, x.Person, x.ID)
}

// PeerKey is the key of the client certificate that the connection showed, whoever
// issued it, or empty. The handshake proved that the client holds it (RFC 8446,
// section 4.4.3), and that is all that binding a session to it needs.
func PeerKey(r *http.Request) snapshot.KeyDigest {
	if r.TLS == nil || !r.TLS.HandshakeComplete || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	sum := sha256.Sum256(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)
	return snapshot.KeyDigest(hex.EncodeToString(sum[:]))
}

// SetCookie gives the browser the session's secret. SameSite is Lax and not Strict:
// an identity provider and an app that asks for leave both send the person here from
// their own site. What changes anything is a POST, which other sites cannot make.
func SetCookie(w http.ResponseWriter, secret string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{Name: CookieName, Value: secret, Path: "/", Secure: true, HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Expires: expires})
}

// ClearCookie takes it away.
func ClearCookie(w http.ResponseWriter) {
	http.SetCookie(w, &http.Cookie{Name: CookieName, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}
