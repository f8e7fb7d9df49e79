package console

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// A live page ends with everything that its session stands on, the identity provider that
// began it too.
func TestALivePageEndsWithItsSession(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	approved := snapshot.Approval{State: snapshot.Approved, RequestedBy: "ada", ApprovedBy: "grace", ApprovedAt: now}
	e := (&snapshot.View{}).WithSettings(registrytest.Settings()).Edit()
	for _, r := range []snapshot.Record{
		&snapshot.Vendor{ID: "northwind", Approval: approved},
		&snapshot.Person{ID: "lin", Vendor: "northwind", Approval: approved},
		&snapshot.Connector{ID: "idp", Vendor: "northwind", Kind: snapshot.OIDCProvider, Approval: approved},
		&snapshot.Session{ID: "s", Person: "lin", Vendor: "northwind", Connector: "idp", StartedAt: now, ExpiresAt: now.Add(time.Hour)},
	} {
		e.Put(r)
	}
	view := e.Publish(1, 1, now)
	if sessionOver(view, "s", now) {
		t.Fatal("a session that lives is over")
	}
	for what, r := range map[string]snapshot.Record{
		"the provider is on hold":   &snapshot.Hold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounConnector, ID: "idp"}, PlacedAt: now},
		"the provider is suspended": &snapshot.Connector{ID: "idp", Vendor: "northwind", Kind: snapshot.OIDCProvider, Approval: snapshot.Approval{State: snapshot.Suspended}},
		"the person is on hold":     &snapshot.Hold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "lin"}, PlacedAt: now},
		"the vendor is suspended":   &snapshot.Vendor{ID: "northwind", Approval: snapshot.Approval{State: snapshot.Suspended}},
		"it was ended":              &snapshot.Session{ID: "s", Person: "lin", Vendor: "northwind", Connector: "idp", StartedAt: now, ExpiresAt: now.Add(time.Hour), EndedAt: now},
	} {
		e := view.Edit()
		e.Put(r)
		if !sessionOver(e.Publish(2, 2, now), "s", now) {
			t.Errorf("%s, and the page goes on", what)
		}
	}
}

// However often somebody signs in, they have as many streams as one person has.
func TestStreamsAreCountedByPerson(t *testing.T) {
	x := streams{of: map[id.Person]int{}}
	for range liveEach {
		if !x.begin("lin") {
			t.Fatal("refused within the bound")
		}
	}
	if x.begin("lin") {
		t.Error("one more than the bound")
	}
	if !x.begin("mia") {
		t.Error("another person has none")
	}
	x.end("lin")
	if !x.begin("lin") {
		t.Error("what was closed is not given back")
	}
}
