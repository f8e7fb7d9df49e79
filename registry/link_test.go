package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// A link opens until its time, and not when it is revoked, its vendor is on hold or has
// ended.
func TestWhenALinkOpens(t *testing.T) {
	secret := link2.Secret256
	for name, c := range map[string]struct {
		then func(w *world)
		open bool
	}{
		"as it was issued":     {func(*world) {}, true},
		"in its last second":   {func(w *world) { w.now = link2.ExpiresAt.Add(-time.Second) }, true},
		"at its end":           {func(w *world) { w.now = link2.ExpiresAt }, false},
		"before it was issued": {func(w *world) { w.now = noon.Add(-time.Second) }, false},
		"revoked":              {func(w *world) { w.must("grace", registry.RevokeLink{ID: "l2"}) }, false},
		"the vendor is held":   {func(w *world) { w.must("grace", hold2) }, true}, // it can report an incident
		"held, for a questionnaire": {func(w *world) {
			w.must("grace", hold2)
			l, _ := w.view.Links.Get("l2")
			other, e := *l, w.view.Edit()
			other.For = snapshot.LinkQuestionnaire
			e.Put(&other)
			w.view = e.Publish(w.view.Version()+1, 0, w.now)
		}, false},
		"the vendor has ended": {func(w *world) { w.must("grace", registry.OffboardVendor{ID: "northwind"}) }, false},
		"the vendor waits":     {func(w *world) { w.must("grace", registry.SuspendVendor{ID: "northwind"}) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := demoWorld(t)
			w.must("ada", link2)
			c.then(w)
			l, err := registry.OpenLink(w.view, secret, w.now)
			if (err == nil) != c.open || c.open && l.ID != "l2" || err != nil && problem.From(err).Kind != problem.Refused {
				t.Errorf("got %v, %v; want open %v", l, err, c.open)
			}
		})
	}
	w := demoWorld(t)
	for _, digest := range []string{"", strings.Repeat("0", 64)} {
		if _, err := registry.OpenLink(w.view, digest, w.now); err == nil {
			t.Errorf("%q opened something", digest)
		}
	}
}

// The clock may end a link and nobody may issue one but people with the duty.
func TestWhoIssuesLinks(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", link2)
	another := with(link2, func(a *registry.IssueLink) { a.ID, a.Secret256 = "l3", strings.Repeat("3c", 32) })
	for name, actor := range map[string]registry.Actor{
		"the vendor's person": {Person: "lin"}, "the holder of another link": {Link: "l2"}, "the clock": {Clock: true},
	} {
		if err := w.as(actor, another); problem.From(err).Kind != problem.Refused {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := w.as(registry.Actor{Link: "l2"}, registry.RevokeLink{ID: "l2"}); problem.From(err).Kind != problem.Refused {
		t.Errorf("by its holder: got %v", err)
	}
	if err := w.as(registry.Actor{Clock: true}, registry.RevokeLink{ID: "l2"}); err != nil {
		t.Errorf("by the clock: got %v", err)
	}
}

func TestLinksAreFew(t *testing.T) {
	w := demoWorld(t)
	for i := range 11 {
		a := with(link2, func(a *registry.IssueLink) {
			a.ID, a.Secret256 = "", strings.Repeat(string(rune('a'+i%6))+string(rune('0'+i%10)), 32)
		})
		err := w.do("ada", a)
		if wantErr := i == 10; (err != nil) != wantErr || wantErr && problem.From(err).Kind != problem.Conflict {
			t.Fatalf("link %d: got %v", i, err)
		}
	}
	if n := w.view.Links.Len(); n != 10 {
		t.Errorf("got %d links", n)
	}
	for _, l := range w.view.Links.All() {
		if l.About != (snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}) {
			t.Errorf("got %+v", l)
		}
	}
}
