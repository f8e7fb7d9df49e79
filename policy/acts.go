package policy

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// ActRequest is the question: may this person do this act? The registry
// supplies every fact; the rules are Cedar text.
type ActRequest struct {
	Actor        id.Person
	Organisation bool     // the actor is of the organisation, not of a vendor
	Active       bool     // the actor is known and approved
	OnHold       bool     // a hold is on the actor
	Duties       []string // what the actor may do
	As           []string // in which of the act's Admits the actor stands to what the act is about
	SteppedUp    bool     // the actor needs no passkey, or touched one just now

	Act     string           // "agreement.approve"
	Subject snapshot.Subject // what it is about
	Needs   []string         // duties, any one of which the act needs
	Admits  []string         // who may do it without a duty
	StepUp  bool             // the act is a decision that needs a passkey
	Apart   []id.Person      // whoever asked for it or profits from it, and so may not do it

	Bootstrap     bool // the act makes the first person
	SecondPerson  bool // the act admits the second person
	RegistryEmpty bool // no act was done yet
	OrgPeople     int  // how many of the organisation's people were ever approved
}

// ActEngine decides on acts. The zero ActEngine refuses everything.
type ActEngine struct {
	policies *cedar.PolicySet
	rules    map[cedar.PolicyID]problem.Reason
}

// NewActEngine reads the rules: one permit, and forbids that each carry @id,
// @message, @next and @citation, because a refusal must say what to do.
func NewActEngine(name string, text []byte) (*ActEngine, error) {
	list, err := cedar.NewPolicyListFromBytes(name, text)
	if err != nil {
		return nil, fmt.Errorf("act policy %s: %w", name, err)
	}
	e := &ActEngine{policies: cedar.NewPolicySet(), rules: map[cedar.PolicyID]problem.Reason{}}
	permits := 0
	for _, p := range list {
		at := func(key string) string { return string(p.Annotations()[types.AnnotationKey(key)]) }
		pid := cedar.PolicyID(at("id"))
		if pid == "" {
			return nil, fmt.Errorf("act policy %s, line %d: a rule without @id", name, p.Position().Line)
		}
		if p.Effect() == cedar.Permit {
			permits++
		} else {
			r := problem.Reason{Gate: at("id"), Message: at("message"), NextStep: at("next"), Who: "organisation", Citation: at("citation")}
			if r.Message == "" || r.NextStep == "" || r.Citation == "" {
				return nil, fmt.Errorf("act policy %s: rule %q needs @message, @next and @citation", name, pid)
			}
			e.rules[pid] = r
		}
		if !e.policies.Add(pid, p) {
			return nil, fmt.Errorf("act policy %s: two rules are called %q", name, pid)
		}
	}
	if permits != 1 {
		return nil, fmt.Errorf("act policy %s: %d permits; want the one base permit", name, permits)
	}
	if len(e.rules) == 0 {
		return nil, errors.New("act policy " + name + " holds no rule")
	}
	return e, nil
}

// Decide permits the act, or gives every rule that forbids it. A rule that
// cannot be evaluated counts as forbidding.
func (e *ActEngine) Decide(r ActRequest) (permitted bool, refusals []problem.Reason) {
	if e == nil || e.policies == nil {
		return false, []problem.Reason{{Gate: "policy", Message: "No policy on acts is loaded",
			NextStep: "Restart with a policy", Who: "organisation", Citation: "policy"}}
	}
	decision, diag := cedar.Authorize(e.policies, nil, cedar.Request{
		Principal: cedar.NewEntityUID("Person", types.String(r.Actor)),
		Action:    cedar.NewEntityUID("Action", types.String(r.Act)),
		Resource:  cedar.NewEntityUID(types.EntityType(entityType(r.Subject.Noun)), types.String(r.Subject.ID)),
		Context: cedar.NewRecord(cedar.RecordMap{
			"actor": cedar.NewRecord(cedar.RecordMap{
				"id":           types.String(r.Actor),
				"organisation": types.Boolean(r.Organisation),
				"active":       types.Boolean(r.Active),
				"onHold":       types.Boolean(r.OnHold),
				"duties":       stringSet(r.Duties),
				"as":           stringSet(r.As),
				"steppedUp":    types.Boolean(r.SteppedUp),
			}),
			"needs":         stringSet(r.Needs),
			"admits":        stringSet(r.Admits),
			"stepUp":        types.Boolean(r.StepUp),
			"apart":         stringSet(r.Apart),
			"bootstrap":     types.Boolean(r.Bootstrap),
			"secondPerson":  types.Boolean(r.SecondPerson),
			"registryEmpty": types.Boolean(r.RegistryEmpty),
			"orgPeople":     types.Long(r.OrgPeople),
		}),
	})
	seen := map[cedar.PolicyID]bool{}
	add := func(pid cedar.PolicyID, evaluated bool) {
		if seen[pid] {
			return
		}
		seen[pid] = true
		reason, known := e.rules[pid]
		if !known {
			reason = problem.Reason{Gate: string(pid), Who: "organisation", Citation: "policy", NextStep: "Tell the operator"}
		}
		if !evaluated || !known {
			reason.Message = "This rule could not be evaluated, so it refuses"
		}
		refusals = append(refusals, reason)
	}
	for _, de := range diag.Errors {
		add(de.PolicyID, false)
	}
	if decision == cedar.Allow && len(refusals) == 0 {
		return true, nil
	}
	if decision != cedar.Allow {
		for _, dr := range diag.Reasons {
			add(dr.PolicyID, true)
		}
	}
	slices.SortFunc(refusals, func(a, b problem.Reason) int { return cmp.Compare(a.Gate, b.Gate) })
	return false, refusals
}

// Rules lists the ids of the rules that can refuse, sorted.
func (e *ActEngine) Rules() []string {
	var out []string
	for pid := range e.rules {
		out = append(out, string(pid))
	}
	slices.Sort(out)
	return out
}

// Reasons are the rules that can refuse, in words, sorted by their ids.
func (e *ActEngine) Reasons() []problem.Reason {
	var out []problem.Reason
	for _, key := range e.Rules() {
		out = append(out, e.rules[cedar.PolicyID(key)])
	}
	return out
}

func entityType(n snapshot.Noun) string {
	if n == "" {
		return "Organisation"
	}
	b := []byte(n)
	if 'a' <= b[0] && b[0] <= 'z' {
		b[0] -= 'a' - 'A'
	}
	return string(b)
}

func stringSet[T ~string](in []T) cedar.Set {
	vs := make([]cedar.Value, len(in))
	for i, s := range in {
		vs[i] = types.String(s)
	}
	return cedar.NewSet(vs...)
}
