package gate_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/policy"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func engine(t testing.TB, gates []policy.Gate) *policy.Engine {
	t.Helper()
	e, err := policy.New(gates, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheWholeWorldIsPermitted(t *testing.T) {
	e := engine(t, gate.All)
	v := gatetest.View(now)
	p, refusal := e.Decide(gatetest.Request(v, now))
	if refusal != nil {
		t.Fatalf("refused: %v", refusal.Problem(policy.Owner))
	}
	if _, refusal := p.Admit(v, now.Add(time.Second), policy.Usage{Known: true}, gatetest.Content()); refusal != nil {
		t.Fatalf("not admitted: %v", refusal.Problem(policy.Owner))
	}
	b := p.Basis()
	if got, want := b.Engagement, gatetest.Engagement; got != want {
		t.Errorf("basis engagement %q, want %q", got, want)
	}
	if !slices.Contains(b.Clauses, "northwind-baa/BAA-M12") || !slices.Contains(b.Clauses, "northwind-baa/BAA-M01") {
		t.Errorf("basis lacks the clauses relied on: %v", b.Clauses)
	}
	if got, want := p.ValidUntil(), now.Add(time.Minute); !got.Equal(want) {
		t.Errorf("valid until %v, want %v: the freshness limit is the first to pass", got, want)
	}
}

func TestTheZeroRequestIsRefusedByEveryGate(t *testing.T) {
	e := engine(t, gate.All)
	p, refusal := e.Decide(policy.Request{})
	if p != nil || refusal == nil {
		t.Fatal("the zero request was permitted")
	}
	var want []string
	for _, g := range gate.All {
		want = append(want, g.ID)
	}
	// All gates are loaded; what policy_loaded misses are the settings.
	if got := refusal.Gates(); !slices.Equal(got, want) {
		t.Errorf("refused by\n%v, want\n%v", got, want)
	}
	for _, f := range refusal.Failures {
		if f.Code == policy.FactMissing || f.Code == policy.Unexplained {
			t.Errorf("%s gives no reason of its own: %s", f.Gate, f.Code)
		}
	}
}

func TestAllIsInOrderAndWhole(t *testing.T) {
	if got, want := len(gate.All), 30; got != want {
		t.Fatalf("%d gates, want %d: change allGates and policy_loaded.cedar too", got, want)
	}
	for _, g := range gate.All {
		text, err := os.ReadFile(g.ID + ".cedar")
		if err != nil || string(text) != g.Policy {
			t.Errorf("%s: its policy is not %s.cedar: %v", g.ID, g.ID, err)
		}
		if !strings.HasPrefix(g.Policy, "//") {
			t.Errorf("%s.cedar: begin with a comment that says what must hold", g.ID)
		}
		codes := map[string]bool{}
		for _, r := range g.Reasons {
			if codes[r.Code] {
				t.Errorf("%s: two reasons are called %q", g.ID, r.Code)
			}
			codes[r.Code] = true
		}
	}
}

// Dropping any fact of any gate refuses, in the name of that gate.
func TestADroppedFactRefuses(t *testing.T) {
	v := gatetest.View(now)
	r := gatetest.Request(v, now)
	for i, g := range gate.All {
		for _, name := range factNames(t, g) {
			t.Run(g.ID+"/"+name, func(t *testing.T) {
				gates := slices.Clone(gate.All)
				gates[i] = without(g, name)
				e := engine(t, gates)
				p, refusal := e.Decide(r)
				if p != nil {
					// A fact that only matters after the fetch.
					_, refusal = p.Admit(v, now, r.Usage, policy.Content{})
				}
				if refusal == nil {
					t.Fatal("permitted")
				}
				if !slices.ContainsFunc(refusal.Failures, func(f policy.Failure) bool {
					return f.Gate == g.ID && f.Code == policy.FactMissing
				}) {
					t.Errorf("refused, but not as a missing fact of %s: %v", g.ID, refusal.Failures)
				}
			})
		}
	}
}

// factNames asks the gate, by way of an engine, which facts it writes.
func factNames(t *testing.T, g policy.Gate) []string {
	t.Helper()
	var names []string
	note := func(f *policy.Facts) {
		for _, n := range f.Names() {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	known, asked := g.Known, g.Asked
	if known != nil {
		g.Known = func(c *policy.Case, f *policy.Facts) { known(c, f); note(f) }
	}
	if asked != nil {
		g.Asked = func(c *policy.Case, r *policy.Request, s policy.Stage, f *policy.Facts) { asked(c, r, s, f); note(f) }
	}
	engine(t, []policy.Gate{g}).Decide(gatetest.Request(gatetest.View(now), now))
	if len(names) == 0 {
		t.Fatalf("%s writes no facts", g.ID)
	}
	return names
}

func without(g policy.Gate, name string) policy.Gate {
	known, asked := g.Known, g.Asked
	if known != nil {
		g.Known = func(c *policy.Case, f *policy.Facts) { known(c, f); f.Drop(name) }
	}
	if asked != nil {
		g.Asked = func(c *policy.Case, r *policy.Request, s policy.Stage, f *policy.Facts) {
			asked(c, r, s, f)
			f.Drop(name)
		}
	}
	return g
}
