package registry_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Who may let an application act, bring its code, refresh and end it.
func TestWhoMayUseAnAuthorization(t *testing.T) {
	device := func(d id.Device) registry.Actor { return registry.Actor{Device: d} }
	lin := registry.Actor{Person: "lin", Session: "s3"}
	refresh := registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 1}
	end := registry.RevokeAuthorization{ID: "s3", Authorization: "z1", Cause: registry.EndRevoked}
	revoke := registry.RevokeToken{ID: "triage", Token: "t", Until: noon.Add(time.Minute)}
	for _, c := range []struct {
		what    string
		before  []registry.Act
		actor   registry.Actor
		act     registry.Act
		refused string
	}{
		{"a person in their session", nil, lin, let2, ""},
		{"a person without a session", nil, registry.Actor{Person: "lin"}, let2, "known-person"},
		{"another person of the vendor, in that session", nil, registry.Actor{Person: "p2", Session: "s3"}, let2, "known-person"},
		{"a person in another of their sessions", nil, registry.Actor{Person: "lin", Session: "s4"}, let2, "known-person"},
		{"a device lets an app act", nil, device("northwind-gpu-1"), let2, "known-person"},
		{"a device brings the code", []registry.Act{let2}, device("northwind-gpu-1"), redeem2, ""},
		{"another vendor's device brings it", []registry.Act{let2}, device("other-gpu"), redeem2, "known-person"},
		{"the person brings it", []registry.Act{let2}, lin, redeem2, "known-person"},
		{"another device than the browser's brings it", []registry.Act{with(let2, func(a *registry.AuthorizeApp) { a.Device = "northwind-gpu-1" })}, device("d2"), redeem2, "known-person"},
		{"the browser's device brings it", []registry.Act{with(let2, func(a *registry.AuthorizeApp) { a.Device = "northwind-gpu-1" })}, device("northwind-gpu-1"), redeem2, ""},
		{"another vendor's device refreshes", []registry.Act{let2, redeem2}, device("other-gpu"), refresh, "known-person"},
		{"the person ends it", []registry.Act{let2, redeem2}, registry.Actor{Person: "lin"}, end, ""},
		{"a device of the vendor ends it", []registry.Act{let2, redeem2}, device("northwind-gpu-1"), end, ""},
		{"another vendor's device ends it", []registry.Act{let2, redeem2}, device("other-gpu"), end, "known-person"},
		{"another vendor's person ends it", []registry.Act{let2, redeem2}, registry.Actor{Person: "mia"}, end, "known-person"},
		{"a device revokes a token of its vendor", nil, device("northwind-gpu-1"), revoke, ""},
		{"another vendor's device revokes it", nil, device("other-gpu"), revoke, "known-person"},
		{"a vendor's person revokes it", nil, lin, revoke, "known-person"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := connectedWorld(t)
			w.must("ada", device2)
			w.must("grace", registry.ApproveDevice{ID: "d2", TrustedUntil: year})
			w.must("ada", person2)
			w.must("grace", registry.ApprovePerson{ID: "p2"})
			notebook()(w)
			w.must("grace", with(lins, func(a *registry.StartSession) { a.ID = "s4" }))
			for _, a := range c.before {
				w.must("grace", a)
			}
			err := w.as(c.actor, c.act)
			if c.refused == "" && err != nil || c.refused != "" && !refusedBy(err, c.refused) {
				t.Errorf("got %v, want refused by %q", err, c.refused)
			}
		})
	}
}

// The device that brought the code is the only one from then on.
func TestAnAuthorizationStaysOnItsDevice(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", device2)
	w.must("grace", registry.ApproveDevice{ID: "d2", TrustedUntil: year})
	notebook(let2)(w)
	first, second := registry.Actor{Device: "northwind-gpu-1"}, registry.Actor{Device: "d2"}
	if err := w.as(first, redeem2); err != nil {
		t.Fatal(err)
	}
	refresh := registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 1}
	if err := w.as(second, refresh); !refusedBy(err, "known-person") {
		t.Errorf("another device of the vendor refreshed: %v", err)
	}
	if err := w.as(first, refresh); err != nil {
		t.Error(err)
	}
}

// Codes and refresh tokens stop with the clock, the session and the person.
func TestAnAuthorizationEndsWithItsSession(t *testing.T) {
	refresh := registry.RefreshAuthorization{ID: "s3", Authorization: "z1", Generation: 1}
	device := registry.Actor{Device: "northwind-gpu-1"}
	late := demoWorld(t)
	notebook(let2)(late)
	late.now = noon.Add(registry.CodeLife)
	if err := late.as(device, redeem2); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a code of a minute ago: %v", err)
	}
	for name, end := range map[string]func(w *world){
		"session killed":   func(w *world) { w.must("grace", registry.KillSession{ID: "s3"}) },
		"session over":     func(w *world) { w.now = noon.Add(2 * time.Hour) },
		"person suspended": func(w *world) { w.must("grace", registry.SuspendPerson{ID: "lin"}) },
		"person left":      func(w *world) { w.must("grace", registry.DeactivatePerson{ID: "lin"}) },
	} {
		w := demoWorld(t)
		notebook(let2, redeem2)(w)
		end(w)
		if err := w.as(device, refresh); problem.From(err).Kind != problem.Conflict {
			t.Errorf("%s: refreshed: %v", name, err)
		}
		if s, _ := w.view.Sessions.Get("s3"); s.Live(w.now) {
			t.Errorf("%s: the session goes on", name)
		}
	}
}

// What a session can hold is bounded, and what cannot be used makes room.
func TestAuthorizationsAreBounded(t *testing.T) {
	w := demoWorld(t)
	notebook()(w)
	one := func(i int) registry.AuthorizeApp {
		return with(let2, func(a *registry.AuthorizeApp) { a.Authorization = id.Authorization(fmt.Sprint("z", i)) })
	}
	for i := range 32 {
		w.must("grace", one(i))
	}
	if err := w.do("grace", one(33)); problem.From(err).Kind != problem.Conflict {
		t.Errorf("the 33rd: %v", err)
	}
	w.now = noon.Add(registry.CodeLife)
	w.must("grace", one(33))
	if s, _ := w.view.Sessions.Get("s3"); len(s.Apps) != 1 {
		t.Errorf("the session holds %d authorizations, want 1: the codes of the others are too old", len(s.Apps))
	}
}

// A key server's new key signs nothing until it is approved, its lost key signs
// nothing at once, and a key that comes back is new.
func TestKeysFromAServer(t *testing.T) {
	w := connectedWorld(t)
	server := registry.Actor{Connector: "keys2"}
	w.must("ada", keysrv2)
	w.must("eve", registry.ApproveConnector{ID: "keys2"})
	w.must("ada", kept2)
	w.must("eve", registry.ApproveApp{ID: "x4"})
	k1, _, _ := registrytest.JWKS("k1")
	k2, _, _ := registrytest.JWKS("k2")
	both := []byte(`{"keys":[` + string(k1)[9:len(k1)-2] + `,` + string(k2)[9:len(k2)-2] + `]}`)
	counts := func(want ...string) {
		t.Helper()
		a, _ := w.view.Apps.Get("x4")
		if a.State != snapshot.Approved {
			t.Errorf("the app is %s", a.State)
		}
		got := fmt.Sprint(thumb(a.Keys), " ", thumb(a.PendingKeys))
		if want := fmt.Sprint(want[0], " ", want[1]); got != want {
			t.Errorf("keys and pending: got %s, want %s", got, want)
		}
	}
	offer := func(keys []byte) {
		t.Helper()
		if err := w.as(server, registry.OfferAppKeys{ID: "x4", Keys: keys}); err != nil {
			t.Fatal(err)
		}
	}
	offer(k1)
	counts("", thumb(k1))
	w.must("eve", registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(k1)}})
	counts(thumb(k1), "")
	offer(both)
	counts(thumb(k1), thumb(k2))
	offer(k2)
	counts("", thumb(k2))
	w.must("eve", registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(k2)}})
	offer([]byte(`{"keys":[]}`))
	counts("", "")
	offer(k2)
	counts("", thumb(k2))
	if err := w.as(server, registry.OfferAppKeys{ID: "x4", Keys: k2}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("the same again: %v", err)
	}
	for what, err := range map[string]error{
		"another connector":      w.as(registry.Actor{Connector: "scim2"}, registry.OfferAppKeys{ID: "x4", Keys: k1}),
		"an app of other keys":   w.as(server, registry.OfferAppKeys{ID: "triage", Keys: k1}),
		"the server approves":    w.as(server, registry.ApproveAppKeys{ID: "x4", Thumbprints: []string{thumb(k2)}}),
		"the server registers":   w.as(server, with(app2, func(a *registry.RegisterApp) { a.ID = "x5" })),
		"people rotate the keys": w.do("ada", registry.RotateAppKeys{ID: "x4", Keys: k1}),
	} {
		if err == nil {
			t.Errorf("%s: allowed", what)
		}
	}
}

// A UDAP connector registers for its own vendor, under its owner, and people
// approve.
func TestUDAPClientsRegister(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", udap2)
	w.must("eve", registry.ApproveConnector{ID: "udap2"})
	udap := registry.Actor{Connector: "udap2"}
	reg := with(app2, func(a *registry.RegisterApp) { a.ID, a.KeysFrom = "u1", "udap2" })
	for what, a := range map[string]registry.RegisterApp{
		"another vendor":     with(reg, func(a *registry.RegisterApp) { a.Vendor, a.Owner = "v2", "mia" }),
		"without keys":       with(reg, func(a *registry.RegisterApp) { a.Keys = nil }),
		"without saying so":  with(reg, func(a *registry.RegisterApp) { a.KeysFrom = "" }),
		"under another name": with(reg, func(a *registry.RegisterApp) { a.KeysFrom = "idp2" }),
	} {
		if err := w.as(udap, a); err == nil {
			t.Errorf("%s: allowed", what)
		}
	}
	if err := w.as(udap, reg); err != nil {
		t.Fatal(err)
	}
	a, _ := w.view.Apps.Get("u1")
	if a.State != snapshot.Proposed || a.RequestedBy != "connector.udap2" {
		t.Errorf("got %s, asked for by %s", a.State, a.RequestedBy)
	}
	w.must("eve", registry.ApproveApp{ID: "u1"})
}

// Past so many revoked tokens all that came before end: more than was asked,
// never less.
func TestRevokedTokensAreBounded(t *testing.T) {
	w := demoWorld(t)
	revoke := func(i int) {
		w.must("grace", registry.RevokeToken{ID: "triage", Token: fmt.Sprint("t", i), Until: w.now.Add(5 * time.Minute)})
	}
	app := func() *snapshot.App { a, _ := w.view.Apps.Get("triage"); return a }
	for i := range 257 {
		revoke(i)
	}
	if a := app(); len(a.Revoked) != 0 || a.Accepts("t3", w.now.Add(-time.Second)) || a.Accepts("new", w.now) || !a.Accepts("new", w.now.Add(time.Second)) {
		t.Errorf("%d are remembered; what came before counts: %v", len(a.Revoked), a.Accepts("t3", w.now.Add(-time.Second)))
	}
	revoke(1000)
	w.now = w.now.Add(5 * time.Minute)
	revoke(1001)
	if a := app(); len(a.Revoked) != 1 {
		t.Errorf("%d are remembered, want the one that has not expired", len(a.Revoked))
	}
}
