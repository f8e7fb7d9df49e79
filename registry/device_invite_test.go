package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// An invitation is for one machine, once, for a while, and only in the name of
// who gave it.
func TestAnInvitationIsUsedOnceByWhoGaveItInTime(t *testing.T) {
	person := func(p id.Person) registry.Actor { return registry.Actor{Person: p} }
	w := connectedWorld(t)
	w.must("ada", machine2)
	for _, tc := range []struct {
		name string
		by   registry.Actor
		kind problem.Kind
	}{
		{"by another of the organisation", person("grace"), problem.Conflict},
		{"by the invited", person("lin"), problem.Conflict},
		{"by another vendor's person", person("mia"), problem.Refused},
		{"by the device itself", registry.Actor{Device: "d2"}, problem.Refused},
		{"by a connector", registry.Actor{Connector: "scim2"}, problem.Refused},
	} {
		if err := w.as(tc.by, accept2); problem.From(err).Kind != tc.kind {
			t.Errorf("%s: got %v, want %s", tc.name, err, tc.kind)
		}
	}
	w.now = machine2.ExpiresAt
	if err := w.as(person("ada"), accept2); problem.From(err).Field != "code_sha256" {
		t.Errorf("after its end: got %v, want a refusal of the code", err)
	}
	w.now = noon.Add(time.Hour)
	w.must("ada", accept2)
	if err := w.as(person("ada"), accept2); problem.From(err).Field != "code_sha256" {
		t.Errorf("a second time: got %v, want a refusal of the code", err)
	}
	if err := w.as(person("ada"), registry.ApproveDevice{ID: "d2", TrustedUntil: year}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("approved by who invited: got %v, want separation-of-duties", err)
	}
	w.must("grace", registry.ApproveDevice{ID: "d2", TrustedUntil: year})
}

// A machine that comes back with its approved key stays approved; with another
// key it waits for approval again.
func TestAMachineComesBack(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*registry.AcceptInvitation)
		want   snapshot.State
	}{
		{"with the same key", func(*registry.AcceptInvitation) {}, snapshot.Approved},
		{"with another key", func(a *registry.AcceptInvitation) { a.Key256 = registrytest.Key("d2-new") }, snapshot.Proposed},
		{"in another country", func(a *registry.AcceptInvitation) { a.Region = "CA" }, snapshot.Proposed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := connectedWorld(t)
			w.must("ada", machine2)
			w.must("ada", accept2)
			w.must("grace", registry.ApproveDevice{ID: "d2", TrustedUntil: year})
			again := with(machine2, func(a *registry.InviteDevice) { a.Code256 = strings.Repeat("cd", 32) })
			w.must("ada", again)
			if d, _ := w.view.Devices.Get("d2"); d.State != snapshot.Approved {
				t.Fatalf("an invitation alone left the device %s", d.State)
			}
			if err := w.as(registry.Actor{Person: "ada"}, accept2); problem.From(err).Field != "code_sha256" {
				t.Errorf("with the old code: got %v, want a refusal", err)
			}
			a := with(accept2, func(a *registry.AcceptInvitation) { a.Code256 = again.Code256; tc.change(a) })
			w.must("ada", a)
			if d, _ := w.view.Devices.Get("d2"); d.State != tc.want || d.Key256 != a.Key256 {
				t.Errorf("got a device that is %s, want %s", d.State, tc.want)
			}
		})
	}
}

// A vendor's person may invite for the vendor's own people only.
func TestAVendorsPersonInvitesForTheirOwnVendor(t *testing.T) {
	w := connectedWorld(t)
	lin := registry.Actor{Person: "lin"}
	if err := w.as(registry.Actor{Person: "mia"}, machine2); problem.From(err).Kind != problem.Refused {
		t.Errorf("another vendor's person: got %v, want a refusal", err)
	}
	if err := w.as(lin, machine2); err != nil {
		t.Fatalf("the vendor's own person: %v", err)
	}
	if err := w.as(lin, accept2); err != nil {
		t.Fatalf("accepted in their name: %v", err)
	}
	if err := w.as(lin, registry.ApproveDevice{ID: "d2", TrustedUntil: year}); problem.From(err).Kind != problem.Refused {
		t.Errorf("approved by the vendor's person: got %v, want a refusal", err)
	}
	if err := w.as(lin, with(machine2, func(a *registry.InviteDevice) { a.ID = "other-gpu" })); err == nil {
		t.Error("invited another vendor's device")
	}
}
