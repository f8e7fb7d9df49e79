package registry

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// CodeLife is how long an authorization code counts (policy; RFC 6749, section
// 4.1.2, advises ten minutes at most).
const CodeLife = time.Minute

// maxAuthorizations is how many live authorizations a session can have.
const maxAuthorizations = 32

// AuthorizeApp is a person's consent: an application may act for them, under
// this grant and within these scopes, while their session lasts (SMART App Launch
// 2). The door that showed them the page does it.
type AuthorizeApp struct {
	ID            id.Session       `json:"id"`
	Authorization id.Authorization `json:"authorization"`
	App           id.App           `json:"app"`
	Grant         id.Grant         `json:"grant"`
	Scope         string           `json:"scope"`
	Redirect      string           `json:"redirect_uri"`
	Challenge     string           `json:"code_challenge"` // RFC 7636, S256
	Device        id.Device        `json:"device,omitempty"`
	Online        bool             `json:"online,omitempty"`
}

// Subject implements Act.
func (a AuthorizeApp) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a AuthorizeApp) about(v *snapshot.View, by Actor) party {
	if by.Session != a.ID {
		return party{} // in the very session in which the page was shown
	}
	return sessionParty(v, a.ID)
}

func (a AuthorizeApp) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := liveSession(v, a.ID, now); err != nil {
		return err
	}
	s, _ := v.Sessions.Get(a.ID)
	if err := first(formed("authorization", a.Authorization), required("scope", a.Scope, "user/Observation.rs"), challenge(a.Challenge)); err != nil {
		return err
	}
	if _, ok := s.Authorization(a.Authorization); ok {
		return conflict("authorization", "The id is in use", "Use a new one")
	}
	app, ok := v.Apps.Get(a.App)
	switch {
	case !ok:
		return exists("app", v.Apps, a.App)
	case app.Vendor != s.Vendor || s.Vendor == "":
		return conflict("app", "The application is not the person's vendor's", "Use an application of the person's own vendor")
	case app.State != snapshot.Approved:
		return conflict("app", "The application is not approved", "Have it approved: sallyport app approve")
	case !app.RedirectsTo(a.Redirect):
		return badField("redirect_uri", "is not registered", "Register the application with it")
	}
	g, ok := v.Grants.Get(a.Grant)
	switch {
	case !ok:
		return exists("grant", v.Grants, a.Grant)
	case g.App != a.App || g.Person != s.Person:
		return conflict("grant", "The grant is another application's or another person's", "Use a grant of this person and this application")
	}
	if a.Device != "" {
		if d, ok := v.Devices.Get(a.Device); !ok || d.Vendor != s.Vendor {
			return badField("device", "is not the vendor's", "Use a device of the vendor")
		}
	}
	if len(liveApps(s, now)) >= maxAuthorizations {
		return conflict("id", "Too many applications act in this session", "End one, or sign in again")
	}
	return nil
}

// challenge wants a SHA-256 in base64url (RFC 7636, section 4.2).
func challenge(c string) error {
	if len(c) != 43 || strings.Trim(c, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return badField("code_challenge", "is not a SHA-256 in base64url", "Send code_challenge_method=S256 (RFC 7636)")
	}
	return nil
}

// liveApps are the authorizations that could be used, now or later.
func liveApps(s *snapshot.Session, now time.Time) []snapshot.Authorization {
	var out []snapshot.Authorization
	for _, x := range s.Apps {
		if x.EndedAt.IsZero() && (!x.RedeemedAt.IsZero() || now.Before(x.CodeUntil)) {
			out = append(out, x)
		}
	}
	return out
}

func (a AuthorizeApp) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Sessions, a.ID, func(x *snapshot.Session) {
		// What cannot be used any more is in the log, and need not be here.
		x.Apps = append(liveApps(x, s.At), snapshot.Authorization{ID: a.Authorization, App: a.App, Grant: a.Grant, Scope: a.Scope, Redirect: a.Redirect,
			Challenge: a.Challenge, Device: a.Device, Online: a.Online, At: s.At, CodeUntil: s.At.Add(CodeLife)})
	})
}

// RedeemCode is the one use of an authorization's code. The token endpoint does
// it, as the device on whose connection it was brought.
type RedeemCode struct {
	ID            id.Session       `json:"id"`
	Authorization id.Authorization `json:"authorization"`
	KeyThumbprint string           `json:"jkt,omitempty"` // of the proof that came with it
}

// Subject implements Act.
func (a RedeemCode) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a RedeemCode) about(v *snapshot.View, by Actor) party {
	return authorizedDevice(v, by, a.ID, a.Authorization)
}

// authorizedDevice is the device that acts, if it may use the authorization.
func authorizedDevice(v *snapshot.View, by Actor, key id.Session, auth id.Authorization) party {
	s, ok := v.Sessions.Get(key)
	if !ok {
		return party{}
	}
	x, ok := s.Authorization(auth)
	if !ok {
		return party{}
	}
	p := vendorDevice(v, by, s.Vendor, x.Device)
	p.person = s.Person
	return p
}

func (a RedeemCode) check(v *snapshot.View, _ Actor, now time.Time) error {
	x, err := authorized(v, a.ID, a.Authorization, now)
	if err != nil {
		return err
	}
	if !x.RedeemedAt.IsZero() || !now.Before(x.CodeUntil) {
		return conflict("authorization", "The code was used, or is too old", "Begin again")
	}
	return nil
}

// authorized wants a live session with an authorization that has not ended.
func authorized(v *snapshot.View, key id.Session, auth id.Authorization, now time.Time) (*snapshot.Authorization, error) {
	if err := liveSession(v, key, now); err != nil {
		return nil, err
	}
	s, _ := v.Sessions.Get(key)
	x, ok := s.Authorization(auth)
	if !ok {
		return nil, badField("authorization", fmt.Sprintf("there is no %q in the session", string(auth)), "See the session's apps")
	}
	if !x.EndedAt.IsZero() {
		return nil, conflict("authorization", "The authorization has ended", "Begin again")
	}
	return x, nil
}

func (a RedeemCode) apply(e *snapshot.Edit, s Stamp) {
	changeAuthorization(e, a.ID, a.Authorization, func(x *snapshot.Authorization) {
		x.RedeemedAt, x.KeyThumbprint = s.At, a.KeyThumbprint
		if d, ok := strings.CutPrefix(string(s.By), devicePrefix); ok {
			x.Device = id.Device(d)
		}
		if x.Online {
			x.Generation = 1
		}
	})
}

func changeAuthorization(e *snapshot.Edit, key id.Session, auth id.Authorization, f func(*snapshot.Authorization)) {
	change(e, e.View().Sessions, key, func(x *snapshot.Session) {
		x.Apps = slices.Clone(x.Apps)
		for i := range x.Apps {
			if x.Apps[i].ID == auth {
				f(&x.Apps[i])
			}
		}
	})
}

// RefreshAuthorization uses up a refresh token: the next generation counts from
// now on (RFC 6749, section 10.4, rotation).
type RefreshAuthorization struct {
	ID            id.Session       `json:"id"`
	Authorization id.Authorization `json:"authorization"`
	Generation    int              `json:"generation"` // of the token that was brought
}

// Subject implements Act.
func (a RefreshAuthorization) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a RefreshAuthorization) about(v *snapshot.View, by Actor) party {
	return authorizedDevice(v, by, a.ID, a.Authorization)
}

func (a RefreshAuthorization) check(v *snapshot.View, _ Actor, now time.Time) error {
	x, err := authorized(v, a.ID, a.Authorization, now)
	if err != nil {
		return err
	}
	if s, _ := v.Sessions.Get(a.ID); s.Idle(now, v.Settings.SessionIdle) {
		return conflict("id", "Nobody has used the session for too long", "Sign in again")
	}
	if !x.Online || x.RedeemedAt.IsZero() || a.Generation <= 0 || a.Generation != x.Generation {
		return conflict("generation", "The refresh token was used before", "Begin again")
	}
	return nil
}

func (a RefreshAuthorization) apply(e *snapshot.Edit, s Stamp) {
	changeAuthorization(e, a.ID, a.Authorization, func(x *snapshot.Authorization) { x.Generation++ })
	// The person's program is at work: their session is in use.
	change(e, e.View().Sessions, a.ID, func(x *snapshot.Session) { x.SeenAt = s.At })
}

// AuthorizationEnd is why an authorization ended before its session.
type AuthorizationEnd string

// The ends of an authorization.
const (
	EndRevoked       AuthorizationEnd = "revoked"        // by the application (RFC 7009), the person or the organisation
	EndCodeReused    AuthorizationEnd = "code-reused"    // its code came a second time: it was stolen, before or after
	EndRefreshReused AuthorizationEnd = "refresh-reused" // a refresh token came a second time
)

// AuthorizationEnds lists the ends.
var AuthorizationEnds = []AuthorizationEnd{EndRevoked, EndCodeReused, EndRefreshReused}

// RevokeAuthorization ends what an application may do in a session, and what is
// under way in it.
type RevokeAuthorization struct {
	ID            id.Session       `json:"id"`
	Authorization id.Authorization `json:"authorization"`
	Cause         AuthorizationEnd `json:"cause"`
}

// Subject implements Act.
func (a RevokeAuthorization) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a RevokeAuthorization) about(v *snapshot.View, by Actor) party {
	p := sessionParty(v, a.ID)
	s, ok := v.Sessions.Get(a.ID)
	if ok && by.Device != "" {
		// Of any device of the vendor: a code that comes a second time comes from
		// where it should not.
		p.device = vendorDevice(v, by, s.Vendor, "").device
	}
	return p
}

func (a RevokeAuthorization) check(v *snapshot.View, _ Actor, now time.Time) error {
	_, err := authorized(v, a.ID, a.Authorization, now)
	return first(err, oneOf("cause", a.Cause, AuthorizationEnds))
}

func (a RevokeAuthorization) apply(e *snapshot.Edit, s Stamp) {
	changeAuthorization(e, a.ID, a.Authorization, func(x *snapshot.Authorization) { x.EndedAt = s.At })
}
