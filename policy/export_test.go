package policy

import (
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

// CedarAlone returns cedar-go's bare evaluation of the same policies, with
// everything that the request needs made beforehand.
func (e *Engine) CedarAlone(r Request, stage Stage) func() bool {
	req, c := e.fresh(&r, stage)
	return func() bool {
		d, _ := cedar.Authorize(e.policies, &c.entities, req)
		return d == cedar.Allow
	}
}

// PlainCedar is a policy set of Cedar's own, made from the texts.
type PlainCedar struct{ set *cedar.PolicySet }

// NewPlainCedar parses the texts, by id.
func NewPlainCedar(texts map[string]string) PlainCedar {
	set := cedar.NewPolicySet()
	for id, text := range texts {
		var p cedar.Policy
		if err := p.UnmarshalCedar([]byte(text)); err != nil {
			panic(err)
		}
		set.Add(cedar.PolicyID(id), &p)
	}
	return PlainCedar{set}
}

// Decide evaluates with nothing kept, and returns the ids of what forbade or
// erred.
func (p PlainCedar) Decide(e *Engine, r Request, stage Stage) (bool, []string) {
	req, c := e.fresh(&r, stage)
	entities := types.EntityMap{
		c.entities.principal.UID: c.entities.principal,
		c.entities.resource.UID:  c.entities.resource,
	}
	d, diag := cedar.Authorize(p.set, entities, req)
	var failing []string
	for _, x := range diag.Errors {
		failing = append(failing, string(x.PolicyID))
	}
	if d == cedar.Deny {
		for _, x := range diag.Reasons {
			failing = append(failing, string(x.PolicyID))
		}
	}
	return d == cedar.Allow && len(diag.Errors) == 0, failing
}

func (e *Engine) fresh(r *Request, stage Stage) (cedar.Request, *knownCaller) {
	c := e.learn(r)
	context := types.RecordMap{"now": types.NewDatetime(r.Now)}
	for _, g := range e.gates {
		if g.Asked != nil {
			f := &Facts{}
			f.reset(time.Time{})
			g.Asked(c.Case, r, stage, f)
			context[types.String(g.ID)] = f.record()
		}
	}
	if e.site {
		context["request"] = requestRecord(r)
	}
	return cedar.Request{
		Principal: types.EntityUID{Type: grantType, ID: types.String(r.Grant)},
		Action:    types.EntityUID{Type: actionType, ID: types.String(r.Interaction)},
		Resource:  types.EntityUID{Type: sourceType, ID: types.String(r.Source)},
		Context:   types.NewRecord(context),
	}, c
}

// Base is the text of the base policy.
func Base() string { return basePolicy }

// WouldFail lists the reasons of the rung's gate that hold, whatever Cedar said.
func (r Rung) WouldFail(e *Engine, q Request) (codes []string) {
	stage := AtRequest
	if q.Content.Inspected {
		stage = AtContent
	}
	g := e.byID[types.PolicyID(r.Gate)]
	v := g.seen(e.known(&q), &q, stage)
	for _, reason := range g.Reasons {
		if reason.Fails(v) {
			codes = append(codes, reason.Code)
		}
	}
	return codes
}
