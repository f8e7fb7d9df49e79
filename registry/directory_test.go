package registry_test

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var scimActor = registry.Actor{Connector: "scim2"}

// directoryWorld is a connectedWorld in which northwind's directory knows Lin.
func directoryWorld(t *testing.T) *world {
	w := connectedWorld(t)
	w.must("ada", registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "scim2", UserName: "lin@northwind.example", ExternalID: "1"}})
	return w
}

func (w *world) person(key id.Person) *snapshot.Person {
	w.t.Helper()
	p, ok := w.view.Persons.Get(key)
	if !ok {
		w.t.Fatalf("there is no %s", key)
	}
	return p
}

func TestADirectoryAmendsWhatIsItsToSay(t *testing.T) {
	lin := registry.AmendPerson{ID: "lin", Name: "Lin Example", Classification: hipaa.BusinessAssociate, Basis: "employee of the vendor", Region: "US"}
	for _, c := range []struct {
		what  string
		act   registry.AmendPerson
		state snapshot.State // after it; empty: refused
	}{
		{"another name", with(lin, func(a *registry.AmendPerson) { a.Name = "Lin Married" }), snapshot.Approved},
		{"a part of the region", with(lin, func(a *registry.AmendPerson) { a.Region = "US-MA" }), snapshot.Approved},
		{"another region", with(lin, func(a *registry.AmendPerson) { a.Region = "CA" }), snapshot.Proposed},
		{"a region that only begins alike", with(lin, func(a *registry.AmendPerson) { a.Region = "USA" }), ""},
		{"another classification", with(lin, func(a *registry.AmendPerson) { a.Classification = hipaa.Workforce }), ""},
		{"another basis", with(lin, func(a *registry.AmendPerson) { a.Basis = "because" }), ""},
		{"another vendor's person", with(lin, func(a *registry.AmendPerson) { a.ID = "mia" }), ""},
	} {
		w := directoryWorld(t)
		err := w.as(scimActor, c.act)
		if (err == nil) != (c.state != "") {
			t.Errorf("%s: got %v", c.what, err)
		} else if err == nil && w.person("lin").State != c.state {
			t.Errorf("%s: got %s, want %s", c.what, w.person("lin").State, c.state)
		}
	}
}

func TestADirectoryRenamesItsOwnAndTakesNobodyOver(t *testing.T) {
	name := snapshot.Directory{Connector: "scim2", UserName: "New@northwind.example"}
	w := directoryWorld(t)
	if err := w.as(scimActor, registry.LinkDirectory{ID: "lin", Directory: name}); err != nil {
		t.Errorf("its own: %v", err)
	}
	w.must("ada", with(person2, func(a *registry.ProposePerson) { a.ID = "by-hand" }))
	if err := w.as(scimActor, registry.LinkDirectory{ID: "by-hand", Directory: name}); !refusedBy(err, "known-person") {
		t.Errorf("a person of its vendor whom it does not know: got %v", err)
	}
	if err := w.as(scimActor, registry.LinkDirectory{ID: "lin", Directory: snapshot.Directory{Connector: "other-scim", UserName: "x"}}); problem.From(err).Kind != problem.Invalid {
		t.Errorf("to another vendor's directory: got %v", err)
	}
	joiner := with(person2, func(a *registry.ProposePerson) {
		a.Directory = snapshot.Directory{Connector: "scim2", UserName: "NEW@northwind.example"}
	})
	if err := w.as(scimActor, joiner); problem.From(err).Kind != problem.Conflict {
		t.Errorf("an account that two share: got %v", err)
	}
	w.must("ada", registry.DeactivatePerson{ID: "lin"})
	if err := w.as(scimActor, joiner); err != nil {
		t.Errorf("hired again: %v", err)
	}
}

// Every suspension ends by itself: that the organisation has closed its case does
// not bring back who has left, nor the other way round.
func TestSuspensionsStandBesideEachOther(t *testing.T) {
	ssf := registry.RegisterConnector{ID: "ssf2", Vendor: "northwind", Kind: snapshot.SSFSender, Name: "Events", Issuer: "https://events.northwind.example", Audience: "us"}
	w := directoryWorld(t)
	w.must("ada", ssf)
	w.must("grace", registry.ApproveConnector{ID: "ssf2"})
	do := func(by registry.Actor, a registry.Act) {
		t.Helper()
		if err := w.as(by, a); err != nil {
			t.Fatalf("%T by %s: %v", a, by.Name(), err)
		}
	}
	stands := func(state snapshot.State, by ...id.Person) {
		t.Helper()
		if p := w.person("lin"); p.State != state || !slices.Equal(p.SuspendedBy, by) {
			t.Fatalf("got %s, suspended by %v; want %s, %v", p.State, p.SuspendedBy, state, by)
		}
	}
	grace, events := registry.Actor{Person: "grace"}, registry.Actor{Connector: "ssf2"}
	do(grace, registry.SuspendPerson{ID: "lin"})
	do(scimActor, registry.SuspendPerson{ID: "lin"})
	do(events, registry.SuspendPerson{ID: "lin"})
	stands(snapshot.Suspended, "grace", "connector.scim2", "connector.ssf2")
	do(events, registry.ResumePerson{ID: "lin"})
	do(registry.Actor{Person: "eve"}, registry.ResumePerson{ID: "lin"})
	stands(snapshot.Suspended, "connector.scim2")
	do(scimActor, registry.ResumePerson{ID: "lin"})
	stands(snapshot.Approved)
	// The organisation can overrule a program, in an act of its own.
	do(scimActor, registry.SuspendPerson{ID: "lin"})
	do(grace, registry.ResumePerson{ID: "lin"})
	stands(snapshot.Approved)
}

// Suspending and resuming never stands in for the approval that was not given.
func TestASuspensionIsNoWayAroundApproval(t *testing.T) {
	w := directoryWorld(t)
	for what, before := range map[string]func(key id.Person){
		"proposed and suspended at once": func(key id.Person) {
			if err := w.as(scimActor, with(person2, func(a *registry.ProposePerson) { a.ID, a.Suspended = key, true })); err != nil {
				t.Fatal(err)
			}
		},
		"proposed, then suspended": func(key id.Person) {
			w.must("ada", with(person2, func(a *registry.ProposePerson) { a.ID = key }))
			if err := w.as(scimActor, registry.SuspendPerson{ID: key}); err != nil {
				t.Fatal(err)
			}
		},
		"changed while suspended": func(key id.Person) {
			w.must("ada", with(person2, func(a *registry.ProposePerson) { a.ID = key }))
			w.must("grace", registry.ApprovePerson{ID: key})
			if err := w.as(scimActor, registry.SuspendPerson{ID: key}); err != nil {
				t.Fatal(err)
			}
			w.must("ada", registry.AmendPerson{ID: key, Name: "P", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "CA"})
		},
	} {
		key := id.New[id.Person](noon)
		before(key)
		if err := w.do("grace", registry.ApprovePerson{ID: key}); err == nil {
			t.Errorf("%s: approved while suspended", what)
		}
		if err := w.as(scimActor, registry.ResumePerson{ID: key}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := w.person(key).State; got != snapshot.Proposed {
			t.Errorf("%s: resumed as %s, want proposed", what, got)
		}
	}
}

// A sender of events holds its vendor's devices, and lifts its own holds only.
func TestASenderOfEventsHoldsDevices(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", registry.RegisterConnector{ID: "ssf2", Vendor: "northwind", Kind: snapshot.SSFSender, Name: "Events", Issuer: "https://events.northwind.example", Audience: "us"})
	w.must("grace", registry.ApproveConnector{ID: "ssf2"})
	events := registry.Actor{Connector: "ssf2"}
	on := func(noun snapshot.Noun, key string) registry.PlaceHold {
		return registry.PlaceHold{ID: id.New[id.Hold](noon), On: snapshot.Subject{Noun: noun, ID: key}, Cause: snapshot.HoldFinding}
	}
	own := on(snapshot.NounDevice, "northwind-gpu-1")
	for _, c := range []struct {
		what string
		by   registry.Actor
		act  registry.Act
		ok   bool
	}{
		{"its device", events, own, true},
		{"another vendor's device", events, on(snapshot.NounDevice, "other-gpu"), false},
		{"its vendor", events, on(snapshot.NounVendor, "northwind"), false},
		{"its vendor's person", events, on(snapshot.NounPerson, "lin"), false},
		{"a directory", scimActor, on(snapshot.NounDevice, "northwind-gpu-1"), false},
		{"another connector lifts", scimActor, registry.LiftHold{ID: own.ID}, false},
		{"it lifts", events, registry.LiftHold{ID: own.ID}, true},
		{"one of the organisation's", registry.Actor{Person: "grace"}, with(own, func(a *registry.PlaceHold) { a.ID = "org" }), true},
		{"it lifts the organisation's", events, registry.LiftHold{ID: "org"}, false},
	} {
		if err := w.as(c.by, c.act); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.what, err)
		}
	}
}
