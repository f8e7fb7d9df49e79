package registry

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// StartSession says that a person has signed in. Only the door that saw the proof
// does it: the act has no route.
type StartSession struct {
	ID                 id.Session            `json:"id"`
	Person             id.Person             `json:"person"`
	Secret256          string                `json:"secret_sha256"`
	Key256             snapshot.KeyDigest    `json:"key_sha256,omitempty"`
	Method             snapshot.SignInMethod `json:"method"`
	Connector          id.Connector          `json:"connector,omitempty"`
	ProviderSession256 string                `json:"provider_session_sha256,omitempty"`
	Strong             bool                  `json:"strong,omitempty"` // the person touched a passkey, user verified
	ExpiresAt          time.Time             `json:"expires_at"`
	Client             string                `json:"client,omitempty"` // what was signed in with, as it says itself
	Touch
}

// Touch is which passkey was touched, and its signature counter (WebAuthn, section
// 6.1.1). Empty: it is not said.
type Touch struct {
	Credential []byte `json:"credential,omitempty"`
	SignCount  uint32 `json:"sign_count,omitempty"`
}

// check wants a passkey of the person whose counter, if it has one, goes up: a
// counter that stands or goes back says that there are two authenticators with one
// key, and nobody knows which is the person's.
func (t Touch) check(p *snapshot.Person) error {
	if len(t.Credential) == 0 {
		if t.SignCount != 0 {
			return badField("sign_count", "is of no passkey", "Name the credential")
		}
		return nil
	}
	for _, k := range p.Passkeys {
		if !bytes.Equal(k.ID, t.Credential) {
			continue
		}
		if (k.SignCount != 0 || t.SignCount != 0) && t.SignCount <= k.SignCount {
			return conflict("sign_count", "The passkey's counter went back: there may be a copy of it",
				"Have the passkey removed and register another: sallyport person remove-passkey")
		}
		return nil
	}
	return conflict("credential", "It is not a passkey of the person", "Sign in with a passkey that is registered")
}

func (t Touch) apply(e *snapshot.Edit, person id.Person) {
	if t.SignCount == 0 {
		return
	}
	change(e, e.View().Persons, person, func(p *snapshot.Person) {
		p.Passkeys = slices.Clone(p.Passkeys)
		for i := range p.Passkeys {
			if bytes.Equal(p.Passkeys[i].ID, t.Credential) {
				p.Passkeys[i].SignCount = t.SignCount
			}
		}
	})
}

// Subject implements Act.
func (a StartSession) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a StartSession) about(*snapshot.View, Actor) party { return party{person: a.Person} }

func (a StartSession) check(v *snapshot.View, _ Actor, now time.Time) error {
	p, ok := v.Persons.Get(a.Person)
	if !ok {
		return exists("person", v.Persons, a.Person)
	}
	if err := first(fresh("id", v.Sessions, a.ID), sha256Hex("secret_sha256", a.Secret256), optionalDigest("key_sha256", string(a.Key256)),
		oneOf("method", a.Method, snapshot.SignInMethods), optionalDigest("provider_session_sha256", a.ProviderSession256),
		set("expires_at", a.ExpiresAt), future("expires_at", a.ExpiresAt, now)); err != nil {
		return err
	}
	if a.ExpiresAt.After(now.Add(v.Settings.SessionLife)) {
		return badField("expires_at", "is too far ahead", fmt.Sprintf("A session lasts at most %s (policy)", v.Settings.SessionLife))
	}
	if a.Strong != (a.Method == snapshot.ByPasskey) {
		return badField("strong", "is for a passkey, and a passkey is strong", "Say what was seen")
	}
	if err := first(shortText("client", a.Client), a.Touch.check(p)); err != nil {
		return err
	}
	if len(a.Credential) > 0 && !a.Strong {
		return badField("credential", "is for a sign-in with a passkey", "Leave it out")
	}
	if a.Method != snapshot.ByOIDC {
		if a.Connector != "" || a.ProviderSession256 != "" {
			return badField("connector", "is for a sign-in by an identity provider", "Leave it out")
		}
		return nil
	}
	// Of the person's own vendor, and the one that the person is linked to: another
	// vendor's provider can vouch for nobody here.
	c, ok := v.Connectors.Get(a.Connector)
	switch {
	case !ok:
		return exists("connector", v.Connectors, a.Connector)
	case c.Kind != snapshot.OIDCProvider || c.State != snapshot.Approved || held(v, snapshot.NounConnector, string(c.ID)):
		return conflict("connector", "The identity provider is not approved, is on hold, or is none", "Have it approved: sallyport connector approve")
	case c.Vendor != p.Vendor || p.Login.Connector != c.ID:
		return conflict("connector", "The person does not sign in by this identity provider", "Link the person's login: sallyport person link-login")
	}
	return nil
}

func (a StartSession) apply(e *snapshot.Edit, s Stamp) {
	p, ok := e.View().Persons.Get(a.Person)
	if !ok {
		return
	}
	x := &snapshot.Session{ID: a.ID, Person: a.Person, Vendor: p.Vendor, Secret256: a.Secret256, Key256: a.Key256, Method: a.Method,
		Connector: a.Connector, Client: a.Client, ProviderSession256: a.ProviderSession256, StartedAt: s.At, ExpiresAt: a.ExpiresAt.UTC()}
	if a.Strong {
		x.SteppedUpAt = s.At
	}
	e.Put(x)
	a.Touch.apply(e, a.Person)
}

// StepUpSession says that the person of a session has just touched a passkey.
// Only the door that saw it does it.
type StepUpSession struct {
	ID id.Session `json:"id"`
	Touch
}

// Subject implements Act.
func (a StepUpSession) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a StepUpSession) about(v *snapshot.View, _ Actor) party { return sessionParty(v, a.ID) }

func (a StepUpSession) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := liveSession(v, a.ID, now); err != nil {
		return err
	}
	x, _ := v.Sessions.Get(a.ID)
	p, ok := v.Persons.Get(x.Person)
	if !ok {
		return exists("person", v.Persons, x.Person)
	}
	return a.Touch.check(p)
}

func (a StepUpSession) apply(e *snapshot.Edit, s Stamp) {
	x, ok := e.View().Sessions.Get(a.ID)
	if !ok {
		return
	}
	change(e, e.View().Sessions, a.ID, func(x *snapshot.Session) { x.SteppedUpAt = s.At })
	a.Touch.apply(e, x.Person)
}

// SeeSession notes that a session is in use, so that it does not end for idleness.
// Only the door that saw a request in it does it, a few times in the idle limit.
type SeeSession struct {
	ID id.Session `json:"id"`
}

// Subject implements Act.
func (a SeeSession) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a SeeSession) about(v *snapshot.View, _ Actor) party { return sessionParty(v, a.ID) }

func (a SeeSession) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := liveSession(v, a.ID, now); err != nil {
		return err
	}
	if x, _ := v.Sessions.Get(a.ID); x.Idle(now, v.Settings.SessionIdle) || !now.After(x.SeenAt) {
		return conflict("id", "The session is idle, or was seen already", "Sign in again")
	}
	return nil
}

func (a SeeSession) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Sessions, a.ID, func(x *snapshot.Session) { x.SeenAt = s.At })
}

func sessionParty(v *snapshot.View, key id.Session, connectors ...snapshot.ConnectorKind) party {
	x, ok := v.Sessions.Get(key)
	if !ok {
		return party{}
	}
	return party{person: x.Person, vendor: x.Vendor, connectors: connectors}
}

func liveSession(v *snapshot.View, key id.Session, now time.Time) error {
	x, ok := v.Sessions.Get(key)
	if !ok {
		return found("id", v.Sessions, key)
	}
	if !x.Live(now) {
		return conflict("id", "The session is over", "Sign in again")
	}
	return nil
}

// EndSession is a person's signing out.
type EndSession struct {
	ID id.Session `json:"id"`
}

// Subject implements Act.
func (a EndSession) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a EndSession) about(v *snapshot.View, _ Actor) party { return sessionParty(v, a.ID) }

func (a EndSession) check(v *snapshot.View, _ Actor, now time.Time) error {
	return liveSession(v, a.ID, now)
}

func (a EndSession) apply(e *snapshot.Edit, s Stamp) {
	endSessions(e, s, func(x *snapshot.Session) bool { return x.ID == a.ID })
}

// KillSession ends another person's session, and what is under way in it.
type KillSession struct {
	ID id.Session `json:"id"`
}

// Subject implements Act.
func (a KillSession) Subject() snapshot.Subject { return subject(snapshot.NounSession, a.ID) }

func (a KillSession) about(v *snapshot.View, _ Actor) party {
	p := sessionParty(v, a.ID, snapshot.OIDCProvider, snapshot.SCIMClient, snapshot.SSFSender)
	p.person = "" // signing out is an act of its own
	return p
}

func (a KillSession) check(v *snapshot.View, _ Actor, now time.Time) error {
	return liveSession(v, a.ID, now)
}

func (a KillSession) apply(e *snapshot.Edit, s Stamp) {
	endSessions(e, s, func(x *snapshot.Session) bool { return x.ID == a.ID })
}

// endSessions ends the sessions that are not over yet, of those that match.
func endSessions(e *snapshot.Edit, s Stamp, match func(*snapshot.Session) bool) {
	for key, x := range e.View().Sessions.All() {
		if match(x) && x.EndedAt.IsZero() && s.At.Before(x.ExpiresAt) {
			change(e, e.View().Sessions, key, func(x *snapshot.Session) { x.EndedAt = s.At })
		}
	}
}
