package snapshot

import (
	"net/url"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
)

// TokenBinding says to what an access token is bound, so that a stolen one is
// worth nothing.
type TokenBinding string

// The bindings of a token. No token is bound to nothing.
const (
	BoundToCertificate TokenBinding = "mtls"      // of the device (RFC 8705, section 3)
	BoundToKey         TokenBinding = "dpop"      // of the program (RFC 9449), on any device that the grant names
	BoundToBoth        TokenBinding = "mtls+dpop" // of the device and of the program
)

// TokenBindings lists the bindings of a token.
var TokenBindings = []TokenBinding{BoundToCertificate, BoundToKey, BoundToBoth}

// RevokedToken is an access token that was revoked (RFC 7009). It is remembered
// until it would have expired.
type RevokedToken struct {
	ID    string    `json:"id"` // jti
	Until time.Time `json:"until"`
}

// Accepts reports whether a token of the program, issued then, counts.
func (a *App) Accepts(token string, issued time.Time) bool {
	if !a.TokensAfter.IsZero() && !issued.After(a.TokensAfter) {
		return false
	}
	for i := range a.Revoked {
		if a.Revoked[i].ID == token {
			return false
		}
	}
	return true
}

// RedirectsTo reports whether the program is registered for this address: equal
// to the letter, but that the port of a loopback address may be any (RFC 8252,
// section 7.3).
func (a *App) RedirectsTo(uri string) bool {
	if slices.Contains(a.Redirects, uri) {
		return true
	}
	bare, ok := withoutLoopbackPort(uri)
	return ok && slices.ContainsFunc(a.Redirects, func(r string) bool {
		b, ok := withoutLoopbackPort(r)
		return ok && b == bare
	})
}

// withoutLoopbackPort takes the port off an http address of 127.0.0.1 or [::1].
func withoutLoopbackPort(uri string) (string, bool) {
	u, err := url.Parse(uri)
	// What does not print as it was read could be read otherwise by a browser.
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.String() != uri {
		return "", false
	}
	switch u.Hostname() {
	case "127.0.0.1":
		u.Host = "127.0.0.1"
	case "::1":
		u.Host = "[::1]"
	default:
		return "", false
	}
	return u.String(), true
}

// Authorization is what a person lets an application do for them while a session
// lasts (SMART App Launch 2). It is part of the session, and ends with it.
type Authorization struct {
	ID    id.Authorization `json:"id"`
	App   id.App           `json:"app"`
	Grant id.Grant         `json:"grant"`
	Scope string           `json:"scope"` // SMART v2 scopes, as the person saw them
	// Redirect and Challenge (RFC 7636, S256) must be met by whoever brings the code.
	Redirect  string `json:"redirect_uri"`
	Challenge string `json:"code_challenge"`
	// Device is the only one that may use it: that of the browser's certificate, if
	// it showed one, or else the one that brings the code.
	Device id.Device `json:"device,omitempty"`
	// KeyThumbprint is the key of the proof that came with the code (RFC 9449),
	// which refresh tokens are bound to.
	KeyThumbprint string `json:"jkt,omitempty"`
	// Online says that refresh tokens are given, for as long as the session lasts.
	Online bool `json:"online,omitempty"`
	// Generation is that of the one refresh token that counts; 0 before the first.
	Generation int       `json:"generation,omitempty"`
	At         time.Time `json:"at"`
	CodeUntil  time.Time `json:"code_until"` // the code counts once, and until then
	RedeemedAt time.Time `json:"redeemed_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
}

// Authorization finds what the session lets an application do.
func (s *Session) Authorization(key id.Authorization) (*Authorization, bool) {
	for i := range s.Apps {
		if s.Apps[i].ID == key {
			return &s.Apps[i], true
		}
	}
	return nil, false
}

// Live reports whether tokens of the authorization count, while its session
// does.
func (a *Authorization) Live() bool { return a != nil && !a.RedeemedAt.IsZero() && a.EndedAt.IsZero() }
