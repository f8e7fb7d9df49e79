package policy

import (
	"slices"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// Foresight is what stands in the way of a request at a time.
type Foresight struct {
	Gates []string // that refuse, in their order; none: it would be permitted
	// Until is when it may change: then a date has passed that a gate was told of. The
	// zero time: there is no such date.
	Until time.Time

	failures func() []Failure
}

// Failures are the reasons of the gates that refuse, as a refusal would give them.
func (f Foresight) Failures() []Failure {
	if f.failures == nil {
		return nil
	}
	return f.failures()
}

// Foresee says what a decision at r.Now would say, on the papers as they are in r.View,
// leaving out the gates that are named: for looking ahead over many requests and
// dates. It keeps nothing of what it learns, so that it costs the decisions of today
// nothing.
//
// It asks each gate's reasons, of which one holds whenever the gate's policy forbids and
// none otherwise (the tests of the gates hold them to it), and Cedar only where the site
// has policies of its own, which have no such reasons. Nothing is ever released by it.
func (e *Engine) Foresee(r Request, without ...string) Foresight {
	if e == nil || len(e.gates) == 0 {
		return Foresight{Gates: []string{"policy_loaded"}, failures: func() []Failure { return []Failure{notLoaded()} }}
	}
	if e.site {
		return e.foreseeByCedar(r, without)
	}
	c := &knownCaller{Case: newCase(r.View, r.caller(), e.own), values: make(map[string]*Facts, len(e.gates)), dates: always}
	var out Foresight
	var failing []failure
	for _, g := range e.gates {
		if slices.Contains(without, g.ID) {
			continue
		}
		if g.Known != nil {
			f := &Facts{}
			f.reset(r.Now)
			g.Known(c.Case, f)
			c.values[g.ID] = f
			c.dates.join(f.dates)
		}
		v := g.seen(c, &r, AtRequest)
		if slices.ContainsFunc(g.Reasons, func(x Reason) bool { return x.Fails(v) }) {
			out.Gates = append(out.Gates, g.ID)
			failing = append(failing, failure{policy: g.policyID})
		}
	}
	out.Until = c.changes()
	out.failures = func() []Failure { return e.refuse("", &r, AtRequest, c, failing).Failures }
	return out
}

// foreseeByCedar is the same by a whole decision.
func (e *Engine) foreseeByCedar(r Request, without []string) Foresight {
	c := e.learn(&r)
	s := e.scratch.Get().(*scratch)
	decision, diagnostic := cedar.Authorize(e.policies, &c.entities, cedar.Request{
		Principal: c.entities.principal.UID,
		Action:    types.EntityUID{Type: actionType, ID: types.String(r.Interaction)},
		Resource:  c.entities.resource.UID,
		Context:   e.context(s, c, &r, AtRequest),
	})
	e.scratch.Put(s)
	out := Foresight{Until: c.changes()}
	var failures []Failure
	if failed := verdict(decision, diagnostic); len(failed) > 0 {
		failures = slices.DeleteFunc(e.refuse("", &r, AtRequest, c, failed).Failures, func(f Failure) bool { return slices.Contains(without, f.Gate) })
	}
	for _, f := range failures {
		if !slices.Contains(out.Gates, f.Gate) {
			out.Gates = append(out.Gates, f.Gate)
		}
	}
	out.failures = func() []Failure { return failures }
	return out
}

func (c *knownCaller) changes() time.Time {
	if !c.dates.until.Before(openEnd) {
		return time.Time{}
	}
	return c.dates.until
}
