package gate_test

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// A permit that rests on an expert's determination reaches no further than it,
// and the determination's end stops what is under way.
func TestAPermitEndsWithItsDetermination(t *testing.T) {
	e := engine(t, gate.All)
	ends := now.Add(30 * time.Second)
	v := edited(gatetest.View(now), func(r *snapshot.Role, d *snapshot.Determination) {
		r.Profile, d.ValidUntil = "expert-determination", ends
	})
	p, refusal := e.Decide(gatetest.Request(v, now))
	if refusal != nil {
		t.Fatalf("refused: %v", refusal.Problem(policy.Owner))
	}
	if got := p.ValidUntil(); !got.Equal(ends) {
		t.Errorf("valid until %v, want %v", got, ends)
	}
	revoked := edited(v, func(_ *snapshot.Role, d *snapshot.Determination) { d.State = snapshot.Ended })
	for name, c := range map[string]struct {
		view *snapshot.View
		at   time.Time
		code string
	}{
		"its time":   {v, ends, "expired"},
		"revocation": {revoked, now.Add(time.Second), "revoked"},
	} {
		_, refusal := p.Admit(c.view, c.at, policy.Usage{Known: true}, gatetest.Content())
		if refusal == nil {
			t.Errorf("%s: admitted", name)
			continue
		}
		outcome{failures: refusal.Failures}.check(t, "deidentification", c.code)
	}
}

// edited is the view with the role and the determination changed.
func edited(v *snapshot.View, change func(*snapshot.Role, *snapshot.Determination)) *snapshot.View {
	r, _ := v.Roles.Get(gatetest.Role)
	d, _ := v.Determinations.Get(gatetest.Determination)
	role, found := *r, *d
	change(&role, &found)
	e := v.Edit()
	e.Put(&role)
	e.Put(&found)
	return e.Publish(v.Version()+1, v.LogIndex()+1, now)
}

// The facts of two determinations are never put together, whatever their order.
func TestTwoHalvesOfADeterminationAreNone(t *testing.T) {
	e := engine(t, gate.All)
	half := func(name string, change func(*snapshot.Determination)) snapshot.Record {
		d, _ := gatetest.View(now).Determinations.Get(gatetest.Determination)
		x := *d
		x.ID = id.Determination(name)
		change(&x)
		return &x
	}
	unapproved := func(d *snapshot.Determination) { d.State = snapshot.Proposed }
	changed := func(d *snapshot.Determination) { d.Profile256 = gatetest.Digest("another") }
	both := func(name string, first, second func(*snapshot.Determination)) {
		edit := gatetest.View(now).Edit()
		r, _ := gatetest.View(now).Roles.Get(gatetest.Role)
		role := *r
		role.Profile = "expert-determination"
		edit.Put(&role)
		edit.Put(half(string(gatetest.Determination), first))
		edit.Put(half("a-second", second))
		v := edit.Publish(100, 100, now)
		if p, _ := e.Decide(gatetest.Request(v, now)); p != nil {
			t.Errorf("%s: permitted", name)
		}
	}
	both("unapproved, then changed", unapproved, changed)
	both("changed, then unapproved", changed, unapproved)
}
