package policy

import (
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
)

// Reason codes that every gate has.
const (
	FactMissing   = "fact-missing"   // a fact is missing or the policy could not be evaluated
	Unexplained   = "unexplained"    // the policy forbade for none of the gate's own reasons
	UnknownPolicy = "unknown-policy" // a policy decided that no gate owns
	NotLoaded     = "not-loaded"     // there are no policies
	ClockBack     = "clock-went-back"
	ScopeChanged  = "scope-changed" // of what is under way
)

// Refusal is the answer no, with everything that stands in the way.
type Refusal struct {
	Decision         id.Decision
	At               time.Time
	Stage            Stage
	Failures         []Failure // in the order of the gates; never empty
	Basis            Basis     // what is known of it
	Caller           Caller
	Transport        Transport
	PolicyVersion    string
	SnapshotVersion  uint64
	SnapshotLogIndex uint64
	RequestDigest    string
	Request          Request // without its View
}

// Failure is one reason of one gate.
type Failure struct {
	Gate     string         `json:"gate"`
	Code     string         `json:"code"`
	Message  string         `json:"message"`
	Detail   []string       `json:"detail,omitempty"` // which one: ids and words of the field, no free text
	NextStep string         `json:"next_step"`
	Who      Who            `json:"who"`
	Citation hipaa.Citation `json:"citation"`
	Facts    []Fact         `json:"facts,omitempty"` // what the gate saw; no free text, no PHI
	Audience Audience       `json:"audience,omitempty"`
}

// Gates lists the gates that refuse, each once, in their order.
func (r *Refusal) Gates() []string {
	var out []string
	for _, f := range r.Failures {
		if len(out) == 0 || out[len(out)-1] != f.Gate {
			out = append(out, f.Gate)
		}
	}
	return out
}

// For lists the reasons that the audience may see. What is the owner's alone
// becomes, for a vendor, one line that says no more than that it is.
func (r *Refusal) For(a Audience) []problem.Reason {
	var out []problem.Reason
	withheld := false
	for _, f := range r.Failures {
		if a != Owner && f.Audience != a {
			withheld = true
			continue
		}
		message := f.Message
		if len(f.Detail) > 0 {
			message += ": " + strings.Join(f.Detail, ", ")
		}
		out = append(out, problem.Reason{
			Gate: f.Gate, Message: message, NextStep: f.NextStep, Who: string(f.Who),
			Citation: f.Citation.Text, Verified: string(f.Citation.Verified),
		})
	}
	if withheld {
		message := "A condition that is the organisation's own stands in the way"
		if len(out) > 0 {
			message = "A condition that is the organisation's own also stands in the way"
		}
		out = append(out, problem.Reason{
			Gate:     "withheld",
			Message:  message,
			NextStep: "Ask the organisation, and name the decision",
			Who:      string(ByOrganisation),
			Citation: hipaa.Policy.Text, Verified: string(hipaa.PolicyOnly),
		})
	}
	return out
}

// Problem is the refusal for a reader.
func (r *Refusal) Problem(a Audience) *problem.Problem {
	p := problem.New(problem.Refused, "The conditions of this release are not met",
		"Mend each reason below and ask again; ask the organisation about this decision by its id")
	p.Decision = string(r.Decision)
	p.Reasons = r.For(a)
	return p
}

// refusal begins a refusal without reasons.
func (e *Engine) refusal(d id.Decision, r *Request, stage Stage) *Refusal {
	return &Refusal{
		Decision: d, At: r.Now, Stage: stage, Caller: r.caller(), Transport: r.Transport,
		PolicyVersion:    e.Version(),
		SnapshotVersion:  viewOf(r).Version(),
		SnapshotLogIndex: viewOf(r).LogIndex(),
		RequestDigest:    r.Digest(),
		Request:          r.withoutView(),
	}
}

// refuse says what failed, in the order of the gates.
func (e *Engine) refuse(d id.Decision, r *Request, stage Stage, c *knownCaller, failed []failure) *Refusal {
	out := e.refusal(d, r, stage)
	if c == nil {
		out.Failures = []Failure{notLoaded()}
		return out
	}
	out.Basis = c.basis
	failing := make(map[types.PolicyID]failure, len(failed))
	for _, f := range failed {
		failing[f.policy] = f
	}
	for _, g := range e.gates {
		if f, ok := failing[g.policyID]; ok {
			out.Failures = append(out.Failures, g.explain(g.seen(c, r, stage), f.errored)...)
			delete(failing, g.policyID)
		}
	}
	if len(failing) > 0 {
		// Cedar named a policy that no gate owns, or did not permit.
		out.Failures = append(out.Failures, general(UnknownPolicy, "A policy decided that belongs to no gate, so nothing is released",
			"Tell the operator; the policies that are loaded do not fit the program"))
	}
	return out
}

func notLoaded() Failure {
	return general(NotLoaded, "No policies are loaded, and without them nothing is released",
		"Tell the operator to restore the policies and start the gateway again")
}

func clockWentBack() Failure {
	f := general(ClockBack, "The clock is earlier than at the decision, so no date can be trusted",
		"Tell the operator to mend the clock; then ask again")
	f.Gate = "fresh"
	return f
}

func scopeChanged() Failure {
	f := general(ScopeChanged, "The role of the grant was changed while the answer was under way", "Ask again: what the role shows now is released")
	f.Gate, f.Who = "role", ByVendor
	return f
}

func general(code, message, next string) Failure {
	return Failure{Gate: "policy_loaded", Code: code, Message: message, NextStep: next,
		Who: ByOrganisation, Citation: hipaa.Policy, Audience: VendorToo}
}

// seen gathers what the gate saw.
func (g *loadedGate) seen(c *knownCaller, r *Request, stage Stage) Values {
	v := Values{Now: r.Now}
	if f := c.values[g.ID]; f != nil {
		v.facts = append(v.facts, f.facts...)
		v.notes = append(v.notes, f.notes...)
	}
	if g.Asked != nil {
		f := &Facts{}
		f.reset(time.Time{})
		g.Asked(c.Case, r, stage, f)
		v.facts = append(v.facts, f.facts...)
		v.notes = append(v.notes, f.notes...)
	}
	return v
}

// explain gives the reasons for which the gate refuses: one at least.
func (g *loadedGate) explain(v Values, errored bool) []Failure {
	failure := func(r Reason) Failure {
		return Failure{Gate: g.ID, Code: r.Code, Message: r.Message, NextStep: r.NextStep, Who: r.Who, Detail: v.details(r.Detail),
			Citation: g.citations[0], Facts: append(append([]Fact(nil), v.facts...), v.notes...), Audience: g.Audience}
	}
	if errored {
		return []Failure{failure(Reason{
			Code: FactMissing, Message: "A fact that this condition needs is missing: " + g.Title,
			NextStep: "Tell the operator, and name the decision", Who: ByOrganisation,
		})}
	}
	var out []Failure
	for _, r := range g.Reasons {
		if r.Fails(v) {
			out = append(out, failure(r))
		}
	}
	if len(out) == 0 {
		out = append(out, failure(Reason{
			Code: Unexplained, Message: "This condition is not met: " + g.Title,
			NextStep: "Tell the operator, and name the decision", Who: ByOrganisation,
		}))
	}
	return out
}
