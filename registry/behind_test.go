package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Whoever asked for a connector holds its token, its keys or its address. What it
// asks for, they asked for: else one person with a connector of their own is two.
func TestWhoIsBehindAConnectorDoesNotApproveWhatItAsksFor(t *testing.T) {
	w := connectedWorld(t)
	own := registry.RegisterConnector{ID: "own-scim", Kind: snapshot.SCIMClient, Name: "Directory", Token256: string(registrytest.Key("own"))}
	w.must("ada", own)
	w.must("grace", registry.ApproveConnector{ID: "own-scim"})
	scim := registry.Actor{Connector: "own-scim"}
	if err := w.as(scim, registry.ProposePerson{ID: "sid", Name: "Sid", Classification: hipaa.Workforce, Basis: "employee"}); err != nil {
		t.Fatal(err)
	}
	if err := w.do("ada", registry.ApprovePerson{ID: "sid"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("a person: got %v", err)
	}
	w.must("grace", registry.ApprovePerson{ID: "sid"})
	if err := w.do("ada", registry.AmendDuties{ID: "sid", Duties: []registry.Duty{registry.Operator}}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("duties: got %v", err)
	}

	w.must("ada", keysrv2)
	w.must("eve", registry.ApproveConnector{ID: "keys2"})
	w.must("eve", kept2)
	w.must("grace", registry.ApproveApp{ID: "x4"})
	k1, _, _ := registrytest.JWKS("k1")
	if err := w.as(registry.Actor{Connector: "keys2"}, registry.OfferAppKeys{ID: "x4", Keys: k1}); err != nil {
		t.Fatal(err)
	}
	if err := w.do("ada", registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(k1)}}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("an app's keys: got %v", err)
	}
	w.must("eve", registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(k1)}})

	w.must("ada", udap2)
	w.must("eve", registry.ApproveConnector{ID: "udap2"})
	if err := w.as(registry.Actor{Connector: "udap2"}, with(app2, func(a *registry.RegisterApp) { a.ID, a.KeysFrom = "u1", "udap2" })); err != nil {
		t.Fatal(err)
	}
	if err := w.do("ada", registry.ApproveApp{ID: "u1"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("an app: got %v", err)
	}
	w.must("eve", registry.ApproveApp{ID: "u1"})
}

// A new token does not make who knew the old one a second person.
func TestARotationHidesNobodyBehindAConnector(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", registry.RegisterConnector{ID: "own-scim", Kind: snapshot.SCIMClient, Name: "Directory", Token256: string(registrytest.Key("own"))})
	w.must("grace", registry.ApproveConnector{ID: "own-scim"})
	if err := w.as(registry.Actor{Connector: "own-scim"}, registry.ProposePerson{ID: "sid", Name: "Sid", Classification: hipaa.Workforce, Basis: "employee"}); err != nil {
		t.Fatal(err)
	}
	w.must("grace", registry.RotateConnector{ID: "own-scim", Token256: string(registrytest.Key("own-2"))})
	w.must("eve", registry.ApproveConnector{ID: "own-scim"})
	for _, who := range []id.Person{"ada", "grace"} {
		if err := w.do(who, registry.ApprovePerson{ID: "sid"}); !refusedBy(err, "separation-of-duties") {
			t.Errorf("%s: got %v", who, err)
		}
	}
	w.must("eve", registry.ApprovePerson{ID: "sid"})
}

// A login that the organisation's own directory puts in waits for a person: whoever
// holds the directory's token could else sign in as anybody of the organisation.
func TestADirectoryMakesNobodyOfTheOrganisationSignIn(t *testing.T) {
	w := connectedWorld(t)
	for _, c := range []registry.RegisterConnector{
		{ID: "own-scim", Kind: snapshot.SCIMClient, Name: "Directory", Token256: string(registrytest.Key("own"))},
		{ID: "own-idp", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: "https://login.mercy.example", ClientID: "sallyport"},
	} {
		w.must("ada", c)
		w.must("grace", registry.ApproveConnector{ID: c.ID})
	}
	scim := registry.Actor{Connector: "own-scim"}
	if err := w.as(scim, registry.LinkLogin{ID: "eve", Login: snapshot.Login{Connector: "own-idp", Subject: "adas-second-account"}}); err != nil {
		t.Fatal(err)
	}
	start := registry.StartSession{ID: "s9", Person: "eve", Secret256: string(registrytest.Key("s9")), Method: snapshot.ByOIDC, Connector: "own-idp", ExpiresAt: w.now.Add(time.Hour)}
	if err := w.do("eve", start); !refusedBy(err, "known-person") {
		t.Errorf("she signs in by the new login before it was approved: %v", err)
	}
	if err := w.do("ada", registry.ApprovePerson{ID: "eve"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who is behind the directory approves: got %v", err)
	}
	w.must("grace", registry.ApprovePerson{ID: "eve"})
}

// A hold on an identity provider stops signing in by it.
func TestAProviderOnHoldSignsNobodyIn(t *testing.T) {
	w := connectedWorld(t)
	if err := w.as(registry.Actor{Connector: "scim2"}, registry.LinkLogin{ID: "lin", Login: snapshot.Login{Connector: "idp2", Subject: "lin-there"}}); err != nil {
		t.Fatal(err)
	}
	start := registry.StartSession{ID: "s9", Person: "lin", Secret256: string(registrytest.Key("s9")), Method: snapshot.ByOIDC, Connector: "idp2", ExpiresAt: w.now.Add(time.Hour)}
	w.must("lin", start)
	w.must("eve", registry.PlaceHold{ID: "h9", On: snapshot.Subject{Noun: snapshot.NounConnector, ID: "idp2"}, Cause: snapshot.HoldIncident})
	start.ID, start.Secret256 = "s10", string(registrytest.Key("s10"))
	if err := w.do("lin", start); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a sign-in: got %v", err)
	}
	if err := w.as(registry.Actor{Person: "lin", Session: "s9"}, machine2); !refusedBy(err, "known-person") {
		t.Errorf("in a session that it began: got %v", err)
	}
}

// What is said of an id that is not the vendor's own tells nothing of others: not
// that it exists, nor what it is nearly called.
func TestAVendorLearnsNoNamesOfOthers(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", registry.ProposePerson{ID: "miranda", Vendor: "v2", Name: "M", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.must("ada", with(keysrv2, func(a *registry.RegisterConnector) {
		a.ID, a.Vendor, a.Issuer = "othersecret", "v2", "https://k.example/x"
	}))
	lin, device := registry.Actor{Person: "lin"}, registry.Actor{Device: "other-gpu"}
	w.must("ada", with(machine2, func(a *registry.InviteDevice) { a.ID, a.App = "d8", "" }))
	for what, c := range map[string]struct {
		by            registry.Actor
		known, nearly func() registry.Act
	}{
		"an app's owner": {lin, func() registry.Act { return with(note2, func(a *registry.RegisterApp) { a.Owner = "miranda" }) },
			func() registry.Act { return with(note2, func(a *registry.RegisterApp) { a.Owner = "mirando" }) }},
		"a device's owner": {lin, func() registry.Act { return with(machine2, func(a *registry.InviteDevice) { a.Owner = "miranda" }) },
			func() registry.Act { return with(machine2, func(a *registry.InviteDevice) { a.Owner = "mirando" }) }},
		"a key server": {lin, func() registry.Act { return with(kept2, func(a *registry.RegisterApp) { a.KeysFrom = "othersecret" }) },
			func() registry.Act { return with(kept2, func(a *registry.RegisterApp) { a.KeysFrom = "othersecreta" }) }},
		"an engagement": {device, func() registry.Act {
			return with(attest2, func(a *registry.AttestWorkload) { a.Device, a.Engagement = "other-gpu", "triage-eval" })
		},
			func() registry.Act {
				return with(attest2, func(a *registry.AttestWorkload) { a.Device, a.Engagement = "other-gpu", "triage-evan" })
			}},
	} {
		known, nearly := problem.From(w.as(c.by, c.known())), problem.From(w.as(c.by, c.nearly()))
		if known.Kind != nearly.Kind || known.Field != nearly.Field || known.Title != nearly.Title || known.NextStep != nearly.NextStep {
			t.Errorf("%s:\nthere is one: %s %s: %s. %s\nthere is none: %s %s: %s. %s", what, known.Kind, known.Field, known.Title, known.NextStep,
				nearly.Kind, nearly.Field, nearly.Title, nearly.NextStep)
		}
	}
}

// Programs are told apart from applications by their names where both are counted.
func TestNoAppHasAnothersName(t *testing.T) {
	for _, name := range []id.App{"device.other-gpu", "udap.0123456789abcdef0123456789abcdef", "connector.other-scim"} {
		w := connectedWorld(t)
		if p := problem.From(w.as(registry.Actor{Person: "lin"}, with(note2, func(a *registry.RegisterApp) { a.ID = name }))); p.Field != "id" || p.Kind != problem.Invalid {
			t.Errorf("register %s: %v", name, p)
		}
		if p := problem.From(w.as(registry.Actor{Person: "lin"}, with(machine2, func(a *registry.InviteDevice) { a.App = name }))); p.Field != "app" || p.Kind != problem.Invalid {
			t.Errorf("invite %s: %v", name, p)
		}
	}
}

// What one person asked for, they do not approve, also if another asked for
// something else of the same person in the meantime.
func TestAnotherRequestDoesNotHideTheFirst(t *testing.T) {
	ownIDP := registry.RegisterConnector{ID: "own-idp", Kind: snapshot.OIDCProvider, Name: "Login", Issuer: "https://login.mercy.example", ClientID: "sallyport"}
	region := registry.AmendPerson{ID: "eve", Name: "Eve", Classification: hipaa.Workforce, Basis: "employee", Region: "CA"}
	for what, c := range map[string]struct {
		before, after []registry.Act // by Grace, before and after Ada puts a key of her own on Eve
		passkeys      []string
	}{
		"a login":   {nil, []registry.Act{registry.LinkLogin{ID: "eve", Login: snapshot.Login{Connector: "own-idp", Subject: "eve-there"}}}, nil},
		"a region":  {nil, []registry.Act{registry.SuspendPerson{ID: "eve"}, region, registry.ResumePerson{ID: "eve"}}, nil},
		"a passkey": {[]registry.Act{invite("eve")}, []registry.Act{enrol("eve", "k1")}, []string{fingerprint("k1")}},
	} {
		w := connectedWorld(t)
		w.must("ada", ownIDP)
		w.must("grace", registry.ApproveConnector{ID: "own-idp"})
		w.must("ada", registry.ProposePerson{ID: "kim", Name: "Kim", Classification: hipaa.Workforce, Basis: "employee", Duties: registry.Duties[:5], Key256: registrytest.Key("kim")})
		w.must("grace", registry.ApprovePerson{ID: "kim"})
		for _, a := range c.before {
			w.must("grace", a)
		}
		w.must("ada", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("adas")})
		for _, a := range c.after {
			by := id.Person("grace")
			if _, ok := a.(registry.AddPasskey); ok {
				by = "eve"
			}
			_ = w.do(by, a) // refused, or harmless
		}
		if err := w.do("ada", registry.ApprovePerson{ID: "eve", Passkeys: c.passkeys}); err == nil {
			t.Errorf("%s: Ada approved the key that she put on Eve", what)
		}
		p, _ := w.view.Persons.Get("eve")
		if len(p.Passkeys) == 0 {
			c.passkeys = nil
		}
		w.must("kim", registry.ApprovePerson{ID: "eve", Passkeys: c.passkeys})
	}
}

// Whatever one person decides alone, and whoever's decision opens a gate, needs the
// passkey in a session.
func TestDecisionsInASessionNeedAPasskey(t *testing.T) {
	w := connectedWorld(t)
	weak := with(session2, func(a *registry.StartSession) { a.Method, a.Strong = snapshot.ByCertificate, false })
	w.must("grace", weak)
	for _, a := range []registry.Act{
		registry.RecordAssessment{ID: "s9", Vendor: "northwind", Verdict: snapshot.Pass, DecidedAt: w.now, ValidUntil: year},
		training2, screen2,
	} {
		if err := registry.Authorize(w.engine, w.view, registry.Actor{Person: "grace", Session: weak.ID}, a, w.now); !refusedBy(err, "step-up") {
			t.Errorf("%T: got %v", a, err)
		}
	}
	if err := registry.Authorize(w.engine, w.view, registry.Actor{Person: "grace", Session: weak.ID}, registry.RecordCertification{}, w.now); err != nil {
		t.Errorf("what asks only: %v", err)
	}
}

// A vendor's people and clients cannot fill the registry.
func TestWhatAVendorAsksForIsBounded(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", udap2)
	w.must("eve", registry.ApproveConnector{ID: "udap2"})
	udap := registry.Actor{Connector: "udap2"}
	many := func(f func(n id.App) error) (done int) {
		for i := range 1000 {
			if err := f(id.App(fmt.Sprintf("n%d", i))); err != nil {
				if problem.From(err).Kind != problem.Conflict {
					t.Errorf("got %v", err)
				}
				return i
			}
		}
		return 1000
	}
	if n := many(func(n id.App) error {
		if err := w.as(udap, with(app2, func(a *registry.RegisterApp) { a.ID, a.KeysFrom = "u"+n, "udap2" })); err != nil {
			return err
		}
		return w.as(udap, registry.RevokeApp{ID: "u" + n})
	}); n > 256 {
		t.Errorf("a client registers and cancels %d times", n)
	}
	if n := many(func(n id.App) error {
		return w.as(registry.Actor{Person: "lin"}, with(note2, func(a *registry.RegisterApp) { a.ID = n }))
	}); n > 64 {
		t.Errorf("a person registers %d applications that nobody approved", n)
	}
	if n := many(func(n id.App) error {
		return w.as(registry.Actor{Person: "lin"}, with(machine2, func(a *registry.InviteDevice) {
			a.ID, a.App, a.Code256 = id.Device(n), "", string(registrytest.Key(string(n)))
		}))
	}); n > 64 {
		t.Errorf("a person invites %d machines", n)
	}
	w.must("ada", note2) // the organisation still can
}

// The same of a machine: who asked for it does not approve it, because another gave
// it recipients in the meantime.
func TestRecipientsDoNotHideWhoAsked(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", device2)
	_ = w.do("grace", registry.SetRecipients{ID: "d2", SealTo: []string{"age1x"}}) // refused, or harmless
	if err := w.do("ada", registry.ApproveDevice{ID: "d2", TrustedUntil: year}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("Ada approves the machine that she enrolled: %v", err)
	}
	w.must("ada", registry.SetRecipients{ID: "d2", SealTo: []string{"age1x"}})
	w.must("grace", registry.ApproveDevice{ID: "d2", TrustedUntil: year})
	w.must("grace", registry.SetRecipients{ID: "d2", SealTo: []string{"age1y"}})
}

// What a machine's trust says of itself is true: when it has run out, or before, another
// than who enrolled it extends it; a machine that was revoked stays out.
func TestTheTrustInAMachineIsExtended(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", device2)
	w.must("grace", registry.ApproveDevice{ID: "d2", TrustedUntil: noon.AddDate(0, 0, 90)})
	longer := registry.ApproveDevice{ID: "d2", TrustedUntil: noon.AddDate(0, 0, 180)}
	if err := w.do("ada", longer); !refusedBy(err, "separation-of-duties") {
		t.Errorf("Ada extends the trust in the machine that she enrolled: %v", err)
	}
	w.must("grace", longer)
	if d, _ := w.view.Devices.Get("d2"); !d.TrustedUntil.Equal(longer.TrustedUntil) || d.State != snapshot.Approved || d.RequestedBy != "ada" {
		t.Errorf("got %+v", d)
	}
	w.must("grace", registry.RevokeDevice{ID: "d2"})
	if err := w.do("grace", longer); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a machine that was revoked is trusted again: %v", err)
	}
}
