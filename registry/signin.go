package registry

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// notReserved refuses the names under which connectors and devices act.
func notReserved(field string, p id.Person) error {
	if isProgram(p) {
		return badField(field, fmt.Sprintf("begins with %q, %q, %q or %q, as only a program's name does", connectorPrefix, devicePrefix, linkPrefix, clockPrefix), "Choose another id")
	}
	return nil
}

// LinkLogin says who a person is to their identity provider. The vendor's own
// SCIM client vouches for its own people; anybody else only asks, since a login
// put in by one person alone would let that person act as the other. So does the
// organisation's own directory: its people decide, and one of them set it up.
type LinkLogin struct {
	ID    id.Person      `json:"id"`
	Login snapshot.Login `json:"login"`
}

// Subject implements Act.
func (a LinkLogin) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a LinkLogin) about(v *snapshot.View, _ Actor) party { return personParty(v, a.ID) }

// personParty is a person, for the SCIM client of their vendor.
func personParty(v *snapshot.View, key id.Person) party {
	p, ok := v.Persons.Get(key)
	if !ok {
		return party{}
	}
	return party{vendor: p.Vendor, connectors: []snapshot.ConnectorKind{snapshot.SCIMClient}}
}

func (a LinkLogin) check(v *snapshot.View, by Actor, _ time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	p, _ := v.Persons.Get(a.ID)
	if err := checkLogin(v, "login", p.Vendor, a.ID, a.Login); err != nil {
		return err
	}
	if p.Vendor == "" || by.Connector == "" {
		if err := noOthersRequest(p, by.Name()); err != nil {
			return err
		}
	}
	if p.Vendor == "" && by.Person != a.ID && p.State == snapshot.Approved && !approvable(v, append(behind(v, by.Name()), a.ID, by.Person)...) {
		return conflict("id", "Nobody would be left who can approve the new login", "Have a third person approved first")
	}
	return nil
}

// checkLogin wants a login at an approved provider of the same vendor that no
// other person has.
func checkLogin(v *snapshot.View, field string, vendor id.Vendor, person id.Person, l snapshot.Login) error {
	if err := exists(field+".connector", v.Connectors, l.Connector); err != nil {
		return err
	}
	c, _ := v.Connectors.Get(l.Connector)
	switch {
	case c.Kind != snapshot.OIDCProvider || c.State == snapshot.Ended:
		return badField(field+".connector", "is not an identity provider, or no longer", "Name a connector of kind oidc")
	case c.Vendor != vendor:
		return badField(field+".connector", "is another organisation's identity provider", "Name the provider of the person's own vendor")
	case l.Subject == "" || len(l.Subject) > 255:
		return badField(field+".subject", "is missing or too long", "Write the provider's sub, 1 to 255 characters (OpenID Connect Core, section 2)")
	}
	if other, ok := v.PersonByLogin(l); ok && other.ID != person && other.State != snapshot.Ended {
		return conflict(field, fmt.Sprintf("It is the login of %q", string(other.ID)), "One person, one login: accounts are not shared")
	}
	return shortText(field+".subject", l.Subject)
}

func (a LinkLogin) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.Login = a.Login
		if p.Vendor == "" || !strings.HasPrefix(string(s.By), connectorPrefix) {
			reapprove(p, s)
		}
	})
	endSessions(e, s, func(x *snapshot.Session) bool { return x.Person == a.ID })
}

// noOthersRequest wants that nobody else's request about the person waits for
// approval: the new one would take its place, and who asked first could approve both.
func noOthersRequest(p *snapshot.Person, by id.Person) error {
	if p.ApprovedBy == "" && p.RequestedBy != by && by != p.ID {
		return conflict("id", fmt.Sprintf("Person %q waits for approval of what another person asked for", p.ID), "Have that approved first: sallyport person approve "+string(p.ID))
	}
	return nil
}

// reapprove has the person approved anew, unless they changed it themselves.
// That the person was once approved stays: second-person-once counts it. Who is
// suspended stays so, and is only proposed when that ends.
func reapprove(p *snapshot.Person, s Stamp) {
	if s.By == p.ID {
		return
	}
	first, state := p.ApprovedAt, p.State
	p.Approval = asked(s)
	p.ApprovedAt = first
	if state == snapshot.Suspended {
		p.State = state
	}
}

// MaxPasskeys is how many passkeys a person may have (policy).
const MaxPasskeys = 8

// AddPasskey registers a WebAuthn credential that the person's own authenticator
// made. Only the door that ran the ceremony does it.
type AddPasskey struct {
	ID      id.Person        `json:"id"`
	Passkey snapshot.Passkey `json:"passkey"` // its added_at and fingerprint are made by the act
	// Invitation256 is the digest of the invitation's code that was shown. Empty: the
	// person is approved and was seen to be who they are.
	Invitation256 string `json:"invitation_sha256,omitempty"`
}

// Subject implements Act.
func (a AddPasskey) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a AddPasskey) about(*snapshot.View, Actor) party {
	return party{person: a.ID, invitation: a.Invitation256}
}

func (a AddPasskey) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved); err != nil {
		return err
	}
	p, _ := v.Persons.Get(a.ID)
	k := a.Passkey
	switch {
	case a.Invitation256 != "" && (p.Invitation.Code256 != a.Invitation256 || !p.Invitation.Open(now)):
		return conflict("invitation_sha256", "The invitation was used, replaced or is over", "Ask for another: sallyport person invite "+string(a.ID))
	case len(k.ID) == 0 || len(k.ID) > 1023: // WebAuthn, section 6.1
		return badField("passkey.id", "is not a credential id", "Register the passkey again")
	case len(k.PublicKey) == 0 || len(k.PublicKey) > 2048:
		return badField("passkey.public_key", "is not a public key", "Register the passkey again")
	case len(k.AAGUID) != 0 && len(k.AAGUID) != 16:
		return badField("passkey.aaguid", "is not 16 bytes", "Register the passkey again")
	case len(p.Passkeys) >= MaxPasskeys:
		return conflict("id", fmt.Sprintf("The person has %d passkeys", len(p.Passkeys)), "Remove one first: sallyport person remove-passkey")
	case !k.AddedAt.IsZero():
		return badField("passkey.added_at", "is set by the registry", "Leave it out")
	case k.Fingerprint != "":
		return badField("passkey.fingerprint", "is made by the registry", "Leave it out")
	}
	// What a program asked for is the inviter's from now on: see InvitePerson.
	if a.Invitation256 != "" && !isProgram(p.RequestedBy) {
		if err := noOthersRequest(p, p.Invitation.By); err != nil {
			return err
		}
	}
	if other, ok := v.PersonByPasskey(k.ID); ok {
		return conflict("passkey.id", fmt.Sprintf("It is a passkey of %q", string(other.ID)), "One person, one passkey: they are not shared")
	}
	return first(shortText("passkey.name", k.Name), each("passkey.transports", k.Transports, shortText))
}

func (a AddPasskey) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		k := a.Passkey
		k.AddedAt, k.Fingerprint = s.At, snapshot.FingerprintOf(k.PublicKey)
		p.Passkeys = append(slices.Clip(p.Passkeys), k)
		if a.Invitation256 != "" {
			// Whoever invited held the code, and the passkey may be theirs.
			reapprove(p, Stamp{ID: s.ID, By: p.Invitation.By, At: s.At})
			p.Invitation = snapshot.Invitation{}
		}
	})
}

// MaxInvitation is how long an invitation may be open (policy).
const MaxInvitation = 7 * 24 * time.Hour

// InvitePerson lets a person register a passkey, once: their first, or one on a new
// device. Whoever invites holds the code and hands it over, and might use it
// themselves: so a passkey that came by another's invitation counts only after a
// third person has compared its fingerprint with the invited one.
type InvitePerson struct {
	ID        id.Person `json:"id"`
	Code256   string    `json:"code_sha256"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Subject implements Act.
func (a InvitePerson) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a InvitePerson) about(*snapshot.View, Actor) party { return party{person: a.ID} }

func (a InvitePerson) check(v *snapshot.View, by Actor, now time.Time) error {
	if err := personIn(v, a.ID, snapshot.Proposed, snapshot.Approved); err != nil {
		return err
	}
	p, _ := v.Persons.Get(a.ID)
	// What a program proposed anybody may take up; they are then who asked.
	if !strings.HasPrefix(string(p.RequestedBy), connectorPrefix) {
		if err := amendable(fmt.Sprintf("Person %q", a.ID), p.Approval, by); err != nil {
			return err
		}
	}
	if err := first(sha256Hex("code_sha256", a.Code256), set("expires_at", a.ExpiresAt), future("expires_at", a.ExpiresAt, now)); err != nil {
		return err
	}
	if a.ExpiresAt.After(now.Add(MaxInvitation)) {
		return badField("expires_at", "is too far ahead", "Write a time within 7 days (policy)")
	}
	for _, other := range v.Persons.All() {
		if other.Invitation.Code256 == a.Code256 {
			return conflict("code_sha256", "The code was given out already", "Make a code for each invitation")
		}
	}
	if p.Vendor == "" && by.Person != a.ID && p.State == snapshot.Approved && !approvable(v, a.ID, by.Person) {
		return conflict("id", "Nobody would be left who can approve the new passkey", "Have the person invite themselves with their certificate, or have a third person approved first")
	}
	return nil
}

func (a InvitePerson) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.Invitation = snapshot.Invitation{Code256: a.Code256, By: s.By, At: s.At, ExpiresAt: a.ExpiresAt.UTC()}
	})
}

// RemovePasskey takes a credential away, and ends the person's sessions.
type RemovePasskey struct {
	ID         id.Person `json:"id"`
	Credential []byte    `json:"credential"` // the passkey's id
}

// Subject implements Act.
func (a RemovePasskey) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a RemovePasskey) about(*snapshot.View, Actor) party { return party{person: a.ID} }

func (a RemovePasskey) check(v *snapshot.View, _ Actor, _ time.Time) error {
	p, ok := v.Persons.Get(a.ID)
	if !ok {
		return found("id", v.Persons, a.ID)
	}
	if !slices.ContainsFunc(p.Passkeys, func(k snapshot.Passkey) bool { return bytes.Equal(k.ID, a.Credential) }) {
		return conflict("credential", "The person has no such passkey", "See them: sallyport person get "+string(a.ID))
	}
	return nil
}

func (a RemovePasskey) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.Passkeys = slices.DeleteFunc(slices.Clone(p.Passkeys), func(k snapshot.Passkey) bool { return bytes.Equal(k.ID, a.Credential) })
	})
	endSessions(e, s, func(x *snapshot.Session) bool { return x.Person == a.ID })
}
