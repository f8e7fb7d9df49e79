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

// as is do for any actor.
func (w *world) as(actor registry.Actor, a registry.Act) error {
	w.t.Helper()
	if err := registry.Authorize(w.engine, w.view, actor, a, w.now); err != nil {
		return err
	}
	if err := registry.Check(w.view, actor, a, w.now); err != nil {
		return err
	}
	w.last = id.New[id.Act](w.now)
	w.view, _ = registry.Apply(w.view, a, registry.Stamp{ID: w.last, By: actor.Name(), At: w.now, Session: actor.Session})
	return nil
}

// connectedWorld is the demo's world with a directory, an identity provider and a
// fleet manager of northwind, and another vendor with a person, a device and a
// directory of its own.
func connectedWorld(t *testing.T) *world {
	w := demoWorld(t)
	w.must("ada", vendor2)
	w.must("grace", registry.ApproveVendor{ID: "v2"})
	w.must("ada", registry.ProposePerson{ID: "mia", Vendor: "v2", Name: "Mia", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.must("grace", registry.ApprovePerson{ID: "mia"})
	w.must("ada", registry.EnrollDevice{ID: "other-gpu", Vendor: "v2", Key256: registrytest.Key("other-gpu"), Region: "US"})
	w.must("grace", registry.ApproveDevice{ID: "other-gpu", TrustedUntil: year})
	for i, c := range []registry.RegisterConnector{
		idp2, scim2,
		{ID: "fleet", Vendor: "northwind", Kind: snapshot.FleetManager, Name: "Fleet", Token256: strings.Repeat("0", 64)},
		{ID: "other-scim", Vendor: "v2", Kind: snapshot.SCIMClient, Name: "Directory", Token256: strings.Repeat("1", 64)},
		{ID: "other-fleet", Vendor: "v2", Kind: snapshot.FleetManager, Name: "Fleet", Token256: strings.Repeat("2", 64)},
		{ID: "waiting", Vendor: "northwind", Kind: snapshot.SCIMClient, Name: "New directory", Token256: strings.Repeat("3", 64)},
	} {
		w.must("ada", c)
		if i < 5 {
			w.must("grace", registry.ApproveConnector{ID: c.ID})
		}
	}
	return w
}

// Everybody who is not one of the organisation's people with a duty: what they
// may do, and to whom.
func TestWhoIsAdmittedWithoutADuty(t *testing.T) {
	person := func(p id.Person) registry.Actor { return registry.Actor{Person: p} }
	connector := func(c id.Connector) registry.Actor { return registry.Actor{Connector: c} }
	device := func(d id.Device) registry.Actor { return registry.Actor{Device: d} }
	session := func(p id.Person) registry.StartSession {
		return with(session2, func(a *registry.StartSession) { a.Person = p })
	}
	posture := func(d id.Device, s snapshot.PostureSource) registry.ReportPosture {
		return with(posture2, func(a *registry.ReportPosture) { a.Device, a.Source = d, s })
	}
	joiner := func(v id.Vendor) registry.ProposePerson {
		return with(person2, func(a *registry.ProposePerson) { a.Vendor = v })
	}
	for _, c := range []struct {
		what    string
		actor   registry.Actor
		act     registry.Act
		refused string // by this rule; empty: admitted
	}{
		{"a person signs in", person("lin"), session("lin"), ""},
		{"an auditor signs in", person("otto"), session("otto"), ""},
		{"a person signs in as another", person("lin"), session("mia"), "known-person"},
		{"a person of the organisation without the duty signs in as another", person("otto"), session("grace"), "duty"},
		{"nobody signs in", registry.Actor{}, session("lin"), "known-person"},
		{"a vendor's person proposes", person("lin"), joiner("northwind"), "known-person"},
		{"a vendor's person approves a vendor", person("lin"), registry.ApproveVendor{ID: "v2"}, "known-person"},
		{"two actors at once", registry.Actor{Person: "grace", Device: "northwind-gpu-1"}, vendor2, "known-person"},
		{"a device with a session", registry.Actor{Device: "northwind-gpu-1", Session: "x"}, posture("northwind-gpu-1", snapshot.FromAgent), "known-person"},

		{"a directory proposes its own", connector("scim2"), joiner("northwind"), ""},
		{"a directory proposes another vendor's", connector("scim2"), joiner("v2"), "known-person"},
		{"a directory proposes one of the organisation's people", connector("scim2"), joiner(""), "known-person"},
		{"a directory suspends its own", connector("scim2"), registry.SuspendPerson{ID: "lin"}, ""},
		{"a directory suspends another vendor's", connector("other-scim"), registry.SuspendPerson{ID: "lin"}, "known-person"},
		{"a directory suspends one of the organisation's people", connector("scim2"), registry.SuspendPerson{ID: "eve"}, "known-person"},
		{"a directory approves", connector("scim2"), registry.ApprovePerson{ID: "lin"}, "known-person"},
		{"a directory that waits for approval", connector("waiting"), registry.SuspendPerson{ID: "lin"}, "known-person"},
		{"an unknown directory", connector("none"), registry.SuspendPerson{ID: "lin"}, "known-person"},
		{"an identity provider proposes", connector("idp2"), joiner("northwind"), "known-person"},
		{"a fleet manager suspends a person", connector("fleet"), registry.SuspendPerson{ID: "lin"}, "known-person"},
		{"a fleet manager reports", connector("fleet"), posture("northwind-gpu-1", snapshot.FromFleet), ""},
		{"a fleet manager reports on another vendor's device", connector("other-fleet"), posture("northwind-gpu-1", snapshot.FromFleet), "known-person"},
		{"a directory reports", connector("scim2"), posture("northwind-gpu-1", snapshot.FromFleet), "known-person"},

		{"a device reports", device("northwind-gpu-1"), posture("northwind-gpu-1", snapshot.FromAgent), ""},
		{"a device reports on another", device("other-gpu"), posture("northwind-gpu-1", snapshot.FromAgent), "known-person"},
		{"a device gives its recipients", device("northwind-gpu-1"), registry.SetRecipients{ID: "northwind-gpu-1", SealTo: []string{"age1x"}}, ""},
		{"a device approves itself", device("northwind-gpu-1"), registry.ApproveDevice{ID: "northwind-gpu-1", TrustedUntil: year}, "known-person"},
		{"a person with a program's name", person("connector.scim2"), joiner("northwind"), "known-person"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := connectedWorld(t)
			err := w.as(c.actor, c.act)
			if c.refused == "" && err != nil {
				t.Errorf("got %v", err)
			}
			if c.refused != "" && !refusedBy(err, c.refused) {
				t.Errorf("got %v, want a refusal by %s", err, c.refused)
			}
		})
	}
}

func TestNobodyHasAProgramsName(t *testing.T) {
	w := demoWorld(t)
	for _, name := range []id.Person{"connector.scim2", "device.northwind-gpu-1"} {
		err := w.do("grace", with(person2, func(a *registry.ProposePerson) { a.ID = name }))
		if p := problem.From(err); p.Kind != problem.Invalid || p.Field != "id" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestADirectoryEndsOnlyItsOwnSuspensions(t *testing.T) {
	w := connectedWorld(t)
	scim := registry.Actor{Connector: "scim2"}
	w.must("grace", registry.SuspendPerson{ID: "lin"})
	if err := w.as(scim, registry.ResumePerson{ID: "lin"}); !refusedBy(err, "known-person") {
		t.Errorf("a suspension of the organisation: got %v", err)
	}
	w.must("grace", registry.ResumePerson{ID: "lin"})
	for _, a := range []registry.Act{registry.SuspendPerson{ID: "lin"}, registry.ResumePerson{ID: "lin"}} {
		if err := w.as(scim, a); err != nil {
			t.Errorf("%T: got %v", a, err)
		}
	}
}

// What a directory proposes, two people still decide: it asked, and one approves.
func TestADirectorysPersonNeedsApproval(t *testing.T) {
	w := connectedWorld(t)
	if err := w.as(registry.Actor{Connector: "scim2"}, person2); err != nil {
		t.Fatal(err)
	}
	p, _ := w.view.Persons.Get("p2")
	if p.State != snapshot.Proposed || p.RequestedBy != "connector.scim2" {
		t.Errorf("got %+v", p.Approval)
	}
	w.must("grace", registry.ApprovePerson{ID: "p2"})
}

func TestAVendorsPeopleApproveDevicesOnlyIfThePolicySaysSo(t *testing.T) {
	for _, c := range []struct {
		rule  snapshot.DeviceApproval
		by    id.Person
		admit bool
	}{
		{snapshot.ByOrganisation, "lou", false}, {snapshot.ByVendor, "lou", true}, {"", "lou", false},
		{snapshot.ByVendor, "mia", false}, // another vendor's
		{snapshot.ByVendor, "lin", false}, // its owner
	} {
		w := connectedWorld(t)
		w.must("ada", with(person2, func(a *registry.ProposePerson) { a.ID = "lou" }))
		w.must("grace", registry.ApprovePerson{ID: "lou"})
		settings := registrytest.Settings()
		settings.DeviceApproval = c.rule
		w.view = w.view.WithSettings(settings)
		w.must("ada", with(device2, func(a *registry.EnrollDevice) { a.Owner = "lin" }))
		err := w.do(c.by, registry.ApproveDevice{ID: "d2", TrustedUntil: year})
		if (err == nil) != c.admit {
			t.Errorf("%q by %s: got %v", c.rule, c.by, err)
		}
	}
}

// A session decides only with a passkey just touched, and not at all once it is over.
func TestASessionStepsUp(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", vendor2)
	w.must("grace", with(session2, func(a *registry.StartSession) { a.Method, a.Strong = snapshot.ByCertificate, false }))
	grace := registry.Actor{Person: "grace", Session: "s2"}
	approve := registry.ApproveVendor{ID: "v2"}
	if err := w.as(grace, approve); !refusedBy(err, "step-up") {
		t.Errorf("without a passkey: got %v", err)
	}
	if err := w.as(grace, hold2); err != nil {
		t.Errorf("what closes needs none: got %v", err)
	}
	if err := w.as(grace, registry.StepUpSession{ID: "s2"}); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(registrytest.Settings().StepUpLife)
	if err := w.as(grace, approve); !refusedBy(err, "step-up") {
		t.Errorf("a passkey touched too long ago: got %v", err)
	}
	w.now = w.now.Add(-time.Second)
	if err := w.as(registry.Actor{Person: "eve", Session: "s2"}, approve); !refusedBy(err, "known-person") {
		t.Errorf("another person in the session: got %v", err)
	}
	if err := w.as(grace, approve); err != nil {
		t.Errorf("with a passkey: got %v", err)
	}
	w.must("eve", registry.KillSession{ID: "s2"})
	if err := w.as(grace, registry.SuspendVendor{ID: "v2"}); !refusedBy(err, "known-person") {
		t.Errorf("in a session that was killed: got %v", err)
	}
}

func TestWhatEndsAPersonEndsTheirSessions(t *testing.T) {
	for what, a := range map[string]registry.Act{
		"suspended":   registry.SuspendPerson{ID: "eve"},
		"deactivated": registry.DeactivatePerson{ID: "eve"},
		"new login":   registry.LinkLogin{ID: "eve", Login: snapshot.Login{Connector: "own", Subject: "1"}},
	} {
		w := demoWorld(t)
		w.must("ada", registry.RegisterConnector{ID: "own", Kind: snapshot.OIDCProvider, Name: "Ours", Issuer: "https://login.example", ClientID: "s"})
		w.must("grace", registry.ApproveConnector{ID: "own"})
		w.must("eve", with(session2, func(a *registry.StartSession) { a.Person = "eve" }))
		w.must("grace", a)
		if s, _ := w.view.Sessions.Get("s2"); s.Live(w.now) {
			t.Errorf("%s: the session goes on", what)
		}
	}
}
