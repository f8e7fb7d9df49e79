package signin

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// Passkeys runs WebAuthn ceremonies for one origin. User verification is always
// required: a PIN or a fingerprint, on top of having the authenticator. Attestation
// is not asked for: it would tell the make of an authenticator, which no rule here
// asks about, and costs people their privacy.
type Passkeys struct {
	w   *webauthn.WebAuthn
	box *box
}

// NewPasskeys serves the origin of base. The relying party's id is base's host, so
// the host must be a name: browsers give no passkeys to addresses.
func NewPasskeys(base *url.URL, organisation string, now func() time.Time) (*Passkeys, error) {
	w, err := webauthn.New(&webauthn.Config{
		RPID: base.Hostname(), RPDisplayName: organisation, RPOrigins: []string{base.Scheme + "://" + base.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(), UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		return nil, problem.BadField("people_url", "cannot be used for passkeys", "Write https:// and a host name, such as https://people.example.org").Because(err)
	}
	b, err := newBox(now)
	if err != nil {
		return nil, err
	}
	return &Passkeys{w: w, box: b}, nil
}

// Ceremony is what a ceremony is for. It comes back as it was given, from nobody
// but the browser that it was given to.
type Ceremony struct {
	Person        id.Person  `json:"person,omitempty"`
	Session       id.Session `json:"session,omitempty"`
	Invitation256 string     `json:"invitation,omitempty"`
	FirstRun      bool       `json:"first_run,omitempty"`
	Next          string     `json:"next,omitempty"` // where the person wanted to go
}

type remembered struct {
	Ceremony Ceremony             `json:"ceremony"`
	WebAuthn webauthn.SessionData `json:"webauthn"`
}

// The purposes, which keep one ceremony's state from another's.
const (
	toSignIn   = "sign in"
	toStepUp   = "step up"
	toRegister = "register"
)

// Challenge is for the page: what the browser's WebAuthn interface is asked, as
// JSON, and what the page sends back with the answer.
type Challenge struct {
	Options string
	State   string
}

// Handle is the person's WebAuthn user handle: not their id, since a handle must
// tell nothing about a person to whoever reads an authenticator (WebAuthn, section
// 14.6.1).
func Handle(p id.Person) []byte {
	sum := sha256.Sum256([]byte("sallyport person\x00" + string(p)))
	return sum[:]
}

// user is a person as the library sees one.
type user struct{ *snapshot.Person }

func (u user) WebAuthnID() []byte          { return Handle(u.ID) }
func (u user) WebAuthnName() string        { return string(u.ID) }
func (u user) WebAuthnDisplayName() string { return u.Name }
func (u user) WebAuthnCredentials() []webauthn.Credential {
	var out []webauthn.Credential
	for _, k := range u.Passkeys {
		c := webauthn.Credential{ID: k.ID, PublicKey: k.PublicKey, Flags: webauthn.CredentialFlags{UserPresent: true, UserVerified: true, BackupEligible: k.Backed},
			Authenticator: webauthn.Authenticator{AAGUID: k.AAGUID, SignCount: k.SignCount}}
		for _, t := range k.Transports {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		out = append(out, c)
	}
	return out
}

// BeginRegistration asks for a new passkey of the person.
func (p *Passkeys) BeginRegistration(person *snapshot.Person, browser string, c Ceremony) (Challenge, error) {
	c.Person = person.ID
	options, session, err := p.w.BeginRegistration(user{person}, webauthn.WithExclusions(webauthn.Credentials(user{person}.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return Challenge{}, fmt.Errorf("begin a registration: %w", err)
	}
	return p.challenge(toRegister, browser, options.Response, remembered{c, *session})
}

// BeginSignIn asks for whichever passkey of this organisation the person has.
func (p *Passkeys) BeginSignIn(browser string, c Ceremony) (Challenge, error) {
	options, session, err := p.w.BeginDiscoverableLogin()
	if err != nil {
		return Challenge{}, fmt.Errorf("begin a sign-in: %w", err)
	}
	return p.challenge(toSignIn, browser, options.Response, remembered{c, *session})
}

// BeginStepUp asks for a passkey of the session's own person. The challenge is good
// for that session alone.
func (p *Passkeys) BeginStepUp(person *snapshot.Person, session id.Session, browser string, c Ceremony) (Challenge, error) {
	if len(person.Passkeys) == 0 {
		return Challenge{}, problem.New(problem.Conflict, "You have no passkey yet", "Ask for an invitation to register one: sallyport person invite "+string(person.ID))
	}
	c.Person, c.Session = person.ID, session
	options, data, err := p.w.BeginLogin(user{person})
	if err != nil {
		return Challenge{}, fmt.Errorf("begin a step-up: %w", err)
	}
	return p.challenge(toStepUp, browser, options.Response, remembered{c, *data})
}

func (p *Passkeys) challenge(purpose, browser string, options any, r remembered) (Challenge, error) {
	raw, err := json.Marshal(options)
	if err != nil {
		return Challenge{}, fmt.Errorf("ceremony: %w", err)
	}
	state, err := p.box.seal(purpose, browser, r)
	return Challenge{Options: string(raw), State: state}, err
}

// maxResponse bounds what an authenticator may answer with, in bytes.
const maxResponse = 64 << 10

// FinishRegistration checks what the authenticator made.
func (p *Passkeys) FinishRegistration(v *snapshot.View, browser, state, response string) (snapshot.Passkey, Ceremony, error) {
	r, err := p.recall(toRegister, browser, state, response)
	if err != nil {
		return snapshot.Passkey{}, Ceremony{}, err
	}
	person, ok := v.Persons.Get(r.Ceremony.Person)
	if !ok {
		return snapshot.Passkey{}, Ceremony{}, again(PasskeyOfOther)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(response))
	if err != nil {
		return snapshot.Passkey{}, Ceremony{}, again(PasskeyMalformed)
	}
	c, err := p.w.CreateCredential(user{person}, r.WebAuthn, parsed)
	if err != nil {
		return snapshot.Passkey{}, Ceremony{}, again(PasskeyInvalid)
	}
	// The library was told to require it; this is the other pair of eyes.
	if flags := parsed.Response.AttestationObject.AuthData.Flags; !flags.HasUserPresent() || !flags.HasUserVerified() {
		return snapshot.Passkey{}, Ceremony{}, again(PasskeyNotVerified)
	}
	if reason := p.box.once(r.WebAuthn.Challenge); reason != "" {
		return snapshot.Passkey{}, Ceremony{}, again(reason)
	}
	out := snapshot.Passkey{ID: c.ID, PublicKey: c.PublicKey, AAGUID: c.Authenticator.AAGUID, Backed: c.Flags.BackupEligible, SignCount: c.Authenticator.SignCount}
	for _, t := range c.Transport {
		if len(out.Transports) < 8 && len(t) < 32 {
			out.Transports = append(out.Transports, string(t))
		}
	}
	return out, r.Ceremony, nil
}

// Touched is a passkey that was touched just now, user verified.
type Touched struct {
	Person     id.Person
	Credential []byte
	SignCount  uint32
	Ceremony   Ceremony
}

// FinishSignIn checks an answer to BeginSignIn, and finds whose passkey it is.
// Whether that person may be signed in is the next question.
func (p *Passkeys) FinishSignIn(v *snapshot.View, browser, state, response string) (Touched, error) {
	return p.touched(v, toSignIn, browser, state, response)
}

// FinishStepUp checks an answer to BeginStepUp: by a passkey of the same person.
func (p *Passkeys) FinishStepUp(v *snapshot.View, browser, state, response string) (Touched, error) {
	return p.touched(v, toStepUp, browser, state, response)
}

func (p *Passkeys) touched(v *snapshot.View, purpose, browser, state, response string) (Touched, error) {
	r, err := p.recall(purpose, browser, state, response)
	if err != nil {
		return Touched{}, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	if err != nil {
		return Touched{}, again(PasskeyMalformed)
	}
	person, ok := v.PersonByPasskey(parsed.RawID)
	if !ok || r.Ceremony.Person != "" && person.ID != r.Ceremony.Person {
		return Touched{}, again(PasskeyOfOther)
	}
	handle := []byte(parsed.Response.UserHandle)
	if len(handle) > 0 && !bytes.Equal(handle, Handle(person.ID)) {
		return Touched{}, again(PasskeyOfOther)
	}
	if purpose == toStepUp {
		_, err = p.w.ValidateLogin(user{person}, r.WebAuthn, parsed)
	} else {
		_, _, err = p.w.ValidatePasskeyLogin(func([]byte, []byte) (webauthn.User, error) { return user{person}, nil }, r.WebAuthn, parsed)
	}
	if err != nil {
		return Touched{}, again(PasskeyInvalid)
	}
	if flags := parsed.Response.AuthenticatorData.Flags; !flags.HasUserPresent() || !flags.HasUserVerified() {
		return Touched{}, again(PasskeyNotVerified)
	}
	if reason := p.box.once(r.WebAuthn.Challenge); reason != "" {
		return Touched{}, again(reason)
	}
	return Touched{Person: person.ID, Credential: slices.Clone(parsed.RawID), SignCount: parsed.Response.AuthenticatorData.Counter, Ceremony: r.Ceremony}, nil
}

func (p *Passkeys) recall(purpose, browser, state, response string) (remembered, error) {
	var r remembered
	if len(response) > maxResponse {
		return r, again(PasskeyMalformed)
	}
	if reason := p.box.open(purpose, browser, state, &r); reason != "" {
		return r, again(reason)
	}
	return r, nil
}

// again is what a person is told of a ceremony that failed, whatever failed.
func again(why Reason) error {
	return problem.New(problem.Refused, "The passkey was not accepted", "Try once more; if it goes on, ask whoever invited you for a new invitation").Because(why)
}
