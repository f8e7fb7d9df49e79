package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

const code256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"

func invite(p id.Person) registry.InvitePerson {
	return registry.InvitePerson{ID: p, Code256: code256, ExpiresAt: noon.Add(time.Hour)}
}

func enrol(p id.Person, credential string) registry.AddPasskey {
	return registry.AddPasskey{ID: p, Passkey: snapshot.Passkey{ID: []byte(credential), PublicKey: []byte("key of " + credential)}, Invitation256: code256}
}

func fingerprint(credential string) string {
	return snapshot.FingerprintOf([]byte("key of " + credential))
}

// From a proposal to a passkey that counts, three people have a part: who asks
// and invites, the invited one, and who compares the fingerprint and approves.
func TestAnInvitedPersonEnrolsAndIsApprovedByAnother(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", with(person2, func(a *registry.ProposePerson) { a.ID = "lou" }))
	if err := w.do("lou", enrol("lou", "k1")); !refusedBy(err, "known-person") {
		t.Errorf("without an invitation: got %v", err)
	}
	if err := w.do("grace", invite("lou")); problem.From(err).Kind != problem.Conflict {
		t.Errorf("who did not propose the person invites: got %v", err)
	}
	w.must("ada", invite("lou"))
	for what, a := range map[string]registry.AddPasskey{
		"another code": with(enrol("lou", "k1"), func(a *registry.AddPasskey) { a.Invitation256 = strings.Repeat("ef", 32) }),
		"no code":      with(enrol("lou", "k1"), func(a *registry.AddPasskey) { a.Invitation256 = "" }),
	} {
		if err := w.do("lou", a); !refusedBy(err, "known-person") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if err := w.do("mia", enrol("lou", "k1")); !refusedBy(err, "known-person") {
		t.Errorf("by another: got %v", err)
	}
	later := w.now
	w.now = noon.Add(time.Hour)
	if err := w.do("lou", enrol("lou", "k1")); !refusedBy(err, "known-person") {
		t.Errorf("after its time: got %v", err)
	}
	w.now = later
	w.must("grace", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "lou"}, Cause: snapshot.HoldIncident})
	if err := w.do("lou", enrol("lou", "k1")); !refusedBy(err, "person-on-hold") {
		t.Errorf("on hold: got %v", err)
	}
	w.must("ada", registry.LiftHold{ID: "h"})

	w.must("lou", enrol("lou", "k1"))
	if err := w.do("lou", enrol("lou", "k2")); !refusedBy(err, "known-person") {
		t.Errorf("the code once more: got %v", err)
	}
	if err := w.do("lou", with(session2, func(a *registry.StartSession) { a.Person = "lou" })); !refusedBy(err, "known-person") {
		t.Errorf("before the approval: got %v", err)
	}
	approve := func(f ...string) registry.ApprovePerson { return registry.ApprovePerson{ID: "lou", Passkeys: f} }
	if err := w.do("ada", approve(fingerprint("k1"))); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who invited approves: got %v", err)
	}
	for _, f := range [][]string{nil, {fingerprint("k2")}, {fingerprint("k1"), fingerprint("k1")}, {fingerprint("k1"), fingerprint("k2")}} {
		if p := problem.From(w.do("grace", approve(f...))); p.Kind != problem.Invalid || p.Field != "passkeys" {
			t.Errorf("approval with %v: got %v", f, p)
		}
	}
	w.must("grace", approve(fingerprint("k1")))
	w.must("lou", with(session2, func(a *registry.StartSession) { a.Person, a.Credential = "lou", []byte("k1") }))
}

// A passkey for somebody who is approved, by another's invitation, is as good as
// none until a third person approves.
func TestAnInvitationMakesNoStandIn(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", invite("eve"))
	w.must("eve", with(session2, func(a *registry.StartSession) { a.Person, a.Method, a.Strong = "eve", snapshot.ByCertificate, false }))
	w.must("eve", enrol("eve", "ada's own"))
	p, _ := w.view.Persons.Get("eve")
	if p.State != snapshot.Proposed || p.RequestedBy != "ada" {
		t.Fatalf("got %+v", p.Approval)
	}
	if err := w.do("eve", vendor2); !refusedBy(err, "known-person") {
		t.Errorf("the stand-in acts: got %v", err)
	}
	if err := w.do("ada", registry.ApprovePerson{ID: "eve", Passkeys: []string{fingerprint("ada's own")}}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("the inviter approves: got %v", err)
	}
	if err := w.do("ada", invite("grace")); problem.From(err).Kind != problem.Conflict {
		t.Errorf("with nobody left to approve: got %v", err)
	}
}

func TestAPersonInvitesThemselvesToANewDevice(t *testing.T) {
	w := demoWorld(t)
	w.must("eve", registry.AmendDuties{ID: "ada", Duties: []registry.Duty{registry.Procurement}})
	w.must("ada", invite("ada"))
	w.must("ada", enrol("ada", "k1"))
	if p, _ := w.view.Persons.Get("ada"); p.State != snapshot.Approved || p.Passkeys[0].Fingerprint != fingerprint("k1") {
		t.Errorf("got %+v", p)
	}
	if err := w.do("ada", invite("otto")); !refusedBy(err, "duty") {
		t.Errorf("another, without the duty: got %v", err)
	}
}

// What adds a way to sign in needs a passkey touched just now: else whoever is at
// an unlocked screen, or the identity provider alone, could add one.
func TestWaysToSignInNeedAStepUp(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", with(session2, func(a *registry.StartSession) { a.Method, a.Strong = snapshot.ByCertificate, false }))
	grace := registry.Actor{Person: "grace", Session: "s2"}
	for _, a := range []registry.Act{invite("grace"), with(enrol("grace", "k"), func(a *registry.AddPasskey) { a.Invitation256 = "" })} {
		if err := w.as(grace, a); !refusedBy(err, "step-up") {
			t.Errorf("%T: got %v", a, err)
		}
	}
}

// A counter that does not rise says that there are two authenticators with one key.
func TestACopiedAuthenticatorIsRefused(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", with(passkey2, func(a *registry.AddPasskey) { a.Passkey.SignCount = 7 }))
	touch := func(n uint32) registry.StartSession {
		return with(session2, func(a *registry.StartSession) {
			a.ID, a.Secret256 = id.Session(id.New[id.Act](w.now)), string(registrytest.Key(string(id.New[id.Act](w.now))))
			a.Credential, a.SignCount = []byte("credential"), n
		})
	}
	for _, n := range []uint32{0, 6, 7} {
		if p := problem.From(w.do("grace", touch(n))); p.Kind != problem.Conflict || p.Field != "sign_count" {
			t.Errorf("%d after 7: got %v", n, p)
		}
	}
	first := touch(8)
	w.must("grace", first)
	if p := problem.From(w.do("grace", registry.StepUpSession{ID: first.ID, Touch: registry.Touch{Credential: []byte("credential"), SignCount: 8}})); p.Field != "sign_count" {
		t.Errorf("a step-up with 8 after 8: got %v", p)
	}
	w.must("grace", registry.StepUpSession{ID: first.ID, Touch: registry.Touch{Credential: []byte("credential"), SignCount: 9}})
	if p, _ := w.view.Persons.Get("grace"); p.Passkeys[0].SignCount != 9 {
		t.Errorf("got %d", p.Passkeys[0].SignCount)
	}
}

func TestASystemsPersonIsInvitedByWhoeverTakesThemUp(t *testing.T) {
	w := connectedWorld(t)
	if err := w.as(registry.Actor{Connector: "scim2"}, registry.ProposePerson{ID: "lou", Vendor: "northwind", Name: "Lou", Classification: hipaa.BusinessAssociate, Basis: "b", Region: "US"}); err != nil {
		t.Fatal(err)
	}
	w.must("grace", invite("lou"))
	w.must("lou", enrol("lou", "k1"))
	if err := w.do("grace", registry.ApprovePerson{ID: "lou", Passkeys: []string{fingerprint("k1")}}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who invited approves: got %v", err)
	}
	w.must("eve", registry.ApprovePerson{ID: "lou", Passkeys: []string{fingerprint("k1")}})
}

// An idle session is over: for what the person does in it, and for being seen.
func TestAnIdleSessionIsOver(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", session2)
	idle := registrytest.Settings().SessionIdle
	w.now = noon.Add(idle - time.Second)
	w.must("grace", registry.SeeSession{ID: "s2"})
	w.now = noon.Add(2*idle - 2*time.Second)
	if err := w.as(registry.Actor{Person: "grace", Session: "s2"}, vendor2); err != nil {
		t.Errorf("in use: got %v", err)
	}
	w.now = noon.Add(2*idle - time.Second)
	if err := w.as(registry.Actor{Person: "grace", Session: "s2"}, hold2); !refusedBy(err, "known-person") {
		t.Errorf("idle: got %v", err)
	}
	if err := w.do("grace", registry.SeeSession{ID: "s2"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("an idle session is seen: got %v", err)
	}
	if !new(snapshot.Session).Idle(time.Time{}, 0) {
		t.Error("without a limit a session lives")
	}
}
