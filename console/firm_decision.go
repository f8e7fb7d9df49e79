package console

import (
	"cmp"
	"slices"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// firmDecision is one request of the firm's, as far as a vendor may know it: every
// condition that it may see, what stood in the way, who mends it, and the id to quote.
type firmDecision struct {
	ID      id.Decision
	At      time.Time
	State   mark
	Refused bool
	Late    bool // refused after it was permitted
	Asked   string
	Code    string
	Who     string
	App     id.App
	Device  id.Device
	Source  id.Source
	Work    *snapshot.Engagement
	Grant   *snapshot.Grant
	Class   string
	Profile string
	Reasons []firmReason
	Ask     string // the form that asks for what was missing; empty: asking would not mend it
	Rungs   []rung
	Passed  int
	Failed  int
	Unasked int
	Bytes   uint64
	People  uint64 // summed over releases
	Sealed  bool
	Left    int // releases
}

func (s *server) firmDecision(v *visit) (firmDecision, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmDecision{}, err
	}
	d, err := s.decidedOf(v.Context(), id.Decision(v.PathValue("id")))
	if p := problem.From(err); err != nil && p.Kind != problem.NotFound {
		return firmDecision{}, err
	}
	if err != nil || d.Intent.Vendor != f.vendor.ID {
		return firmDecision{}, notFound() // another firm's is as one that is not there
	}
	if v.under("Your activity", firmPath+"/activity"); d.Intent.Person != v.Person.ID {
		v.under("Your firm's", firmPath+"/activity/firm")
	}
	return f.decision(d), nil
}

// decision tells what the firm may know.
func (f firm) decision(d decided) firmDecision {
	if hiddenFromVendor(d.Failing) {
		d.Refused, d.Failing = false, nil
	}
	in, view := &d.Intent, f.v.View
	out := firmDecision{ID: d.ID, At: d.At, Refused: d.Refused, Late: d.Permitted && d.Refused, Asked: orWord(askedFor(in.Action, in.Resource), "A request"), Code: askedCode(in.Action, in.Resource), Who: f.name(in.Person),
		Class: words(in.DataClass), Profile: in.Profile}
	for _, x := range f.apps() {
		if x.ID == in.App {
			out.App = x.ID
		}
	}
	for _, x := range f.devices() {
		if x.ID == in.Device {
			out.Device = x.ID
		}
	}
	if f.has(in.Engagement) {
		out.Work, _ = view.Engagements.Get(in.Engagement)
		if slices.Contains(out.Work.Sources, in.Source) {
			out.Source = in.Source
		}
	}
	if g, ok := view.Grants.Get(in.Grant); ok && f.has(g.Engagement) {
		out.Grant = g
	}
	outcome := "permitted"
	for _, e := range d.Outcomes {
		o := e.Outcome
		if outcome = string(o.Result); o.Result == audit.Released {
			out.Left, out.Bytes, out.People, out.Sealed = out.Left+1, out.Bytes+o.Bytes, out.People+o.PatientCount, out.Sealed || o.Sealed != nil
		}
	}
	if d.Refused {
		outcome = "refused"
	}
	out.State = stateOf(outcome)
	f.v.call(out.State.Word + ": " + out.Asked)
	for _, r := range firmFailures(d.Permitted, d.Failing) {
		x := f.reason(r, out.Grant)
		if slices.Contains(askedAnew, r.Gate) {
			out.Ask, x.Mend = firmPath+"/ask", nil // one button for all of them
			if out.Grant != nil {
				out.Ask = firmAskPath(out.Grant)
			}
		}
		out.Reasons = append(out.Reasons, x)
	}
	for _, r := range recordedLadder(view, caller{}, d.Permitted, d.Failing, nil).Rungs {
		if r.Owner {
			continue // neither that it passed nor that it failed
		}
		r.From, r.Name = nil, firmGateTitle(r.Gate)
		for i := range r.Cites {
			r.Cites[i].Href = "" // the search of the record is the organisation's
		}
		switch r.State.Tone {
		case "good":
			out.Passed++
		case "off":
			out.Unasked++
		default:
			out.Failed++
		}
		out.Rungs = append(out.Rungs, r)
	}
	return out
}

// askedAnew are the gates whose refusal a new request for access may mend.
var askedAnew = []string{"grant", "role", "volume", "review", "engagement"}

// hiddenFromVendor reports whether a refusal is itself about a patient: outside the cohort,
// on hold, or with a record of a protected kind. The gateway answered as if there were no
// such record (42 CFR 2.13(c)(2)), and no page may say more than the answer did.
func hiddenFromVendor(failing []audit.Failing) bool {
	return slices.ContainsFunc(failing, func(x audit.Failing) bool {
		g, ok := gateCalled(x.Gate)
		return ok && g.Stage == policy.AtContent && g.Audience == policy.Owner && x.Reason != "not-inspected"
	})
}

// failingOf are the failing gates of a row.
func failingOf(r disclosure.Row) []audit.Failing {
	out := make([]audit.Failing, len(r.Failing))
	for i, x := range r.Failing {
		out[i] = audit.Failing{Gate: x.Gate, Reason: x.Reason}
	}
	return out
}

// firmBefore are what the gateway itself tells who asked, beside the gates: once something
// was fetched, only that the token ended.
var firmBefore = map[string]problem.Reason{
	"request": {Gate: "request", Message: "The gateway could not read the request, or does not carry out what was asked", NextStep: "Ask in a way that its capability statement names", Who: "vendor"},
	"scope":   {Gate: "scope", Message: "The token's scopes do not cover what was asked", NextStep: "Get a token with the scope that is missing", Who: "vendor"},
	"token":   {Gate: "token", Message: "The token ended while the answer was under way", NextStep: "Get a new token and ask again", Who: "vendor"},
	"gateway": {Gate: "gateway", Message: "The gateway could not carry it out, so nothing was released", NextStep: "Ask again in a while; if it stays so, tell the organisation the id of this request", Who: "organisation"},
}

// firmFailures are the reasons of a refusal as a vendor may know them, in the order of the
// record; of the organisation's own conditions, that there was one.
func firmFailures(permitted bool, failing []audit.Failing) []problem.Reason {
	var out []problem.Reason
	withheld := false
	for _, x := range failing {
		r, known := firmBefore[x.Gate]
		known = known && (!permitted || x.Gate == "token")
		r.Citation, r.Verified = hipaa.Policy.Text, string(hipaa.PolicyOnly)
		if i := slices.IndexFunc(gate.All, func(g policy.Gate) bool { return g.ID == x.Gate }); i >= 0 && gate.All[i].Audience == policy.VendorToo {
			known = true
			why := reasonOf(gate.All[i], x.Reason)
			r = problem.Reason{Gate: x.Gate, Message: why.Message, NextStep: why.NextStep, Who: why.Who}
			if cites := gateCited(gate.All[i]); len(cites) > 0 {
				r.Citation, r.Verified = cites[0].Text, string(cites[0].Verified)
			}
		}
		if !known {
			withheld = true
			continue
		}
		out = append(out, r)
	}
	if withheld {
		out = append(out, problem.Reason{Gate: "withheld", Message: "A condition that is the organisation's own also stood in the way", NextStep: "Ask the organisation, and name the id of this request",
			Who: string(policy.ByOrganisation), Citation: hipaa.Policy.Text, Verified: string(hipaa.PolicyOnly)})
	}
	return out
}

// firmWhy is why a request was refused, for a line of a list: the first reason, and how
// many more there are.
func firmWhy(permitted bool, failing []audit.Failing) string {
	all := firmFailures(permitted, failing)
	if len(all) == 0 {
		return ""
	}
	text := sentence(all[0].Message)
	if n := len(all) - 1; n > 0 {
		text += " And " + plural(n, "more reason") + "."
	}
	return cmp.Or(text, "Refused.")
}
