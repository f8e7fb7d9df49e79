package console

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// explained is the API's explanation of a decision, as this package reads it.
type explained struct {
	At              time.Time `json:"at"`
	Stage           string    `json:"stage"`
	Permitted       bool      `json:"permitted"`
	PolicyVersion   string    `json:"policy_version"`
	SnapshotVersion uint64    `json:"snapshot_version"`
	Rungs           []struct {
		Gate      string           `json:"gate"`
		Title     string           `json:"title"`
		Pass      bool             `json:"pass"`
		Stage     string           `json:"stage"`
		Audience  string           `json:"audience"`
		Facts     []ladderFact     `json:"facts"`
		Failures  []ladderFailure  `json:"failures"`
		Citations []hipaa.Citation `json:"citations"`
	} `json:"rungs"`
	Assumed []string `json:"assumed"`
}

type ladderFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type ladderFailure struct {
	Code     string   `json:"code"`
	Message  string   `json:"message"`
	Detail   []string `json:"detail"`
	NextStep string   `json:"next_step"`
	Who      string   `json:"who"`
}

// explain asks the API why; nil without an error: it is being worked out. A decision is
// explained by the registry as it stood, which is read from the database, whole: that
// takes seconds where there is much.
func (s *server) explain(v *visit, ask explainAsk) (*explained, error) {
	key := "explain " + string(ask.Decision)
	if ask.Decision == "" || !ask.At.IsZero() || len(ask.With) > 0 { // what was decided stays so
		raw, err := json.Marshal(struct {
			Ask     explainAsk
			By      id.Person // imagined acts are done by them
			Version uint64
		}{ask, v.Person.ID, v.View.Version()})
		if err != nil {
			return nil, fmt.Errorf("asking for an explanation: %w", err)
		}
		key += string(raw)
	}
	got, err := workOut(v, key, "", func(ctx context.Context) (*explained, error) {
		asking := *v
		asking.Request = v.WithContext(ctx)
		var out explained
		return &out, s.ask(&asking, "/v1/explain", ask, &out)
	})
	switch {
	case err != nil:
		return nil, err
	case got.Full:
		return nil, problem.New(problem.Unavailable, "Many explanations are being worked out", "Look again in a moment")
	case !got.Known:
		return nil, nil
	}
	return got.Answer, nil
}

// ladder is a decision's gates, from the top to the bottom, as a page shows them.
type ladder struct {
	Rungs   []rung
	Passed  int
	Failed  int
	Unasked int
	Facts   bool // what each gate saw is there
	Assumed []string
}

// Early reports whether the request was refused before the gates were asked.
func (l ladder) Early() bool { return l.Passed == 0 && l.Unasked > 0 }

// rung is one gate.
type rung struct {
	Key         string // of the element on the page
	Gate, Title string
	Name        string // the gate in words
	State       mark
	Owner       bool // only the organisation is told of it
	Content     bool // decided on what was fetched, once for each release
	Failures    []ladderFailure
	Facts       []ladderFact
	From        []ref // the records that the facts were read from
	Cites       []citation
	Mends       []mend // acts that may mend it
}

// caller is who asked, by what the facts of gates are read from.
type caller struct {
	Vendor     id.Vendor
	Engagement id.Engagement
	Agreements []id.Agreement
	Person     id.Person
	Device     id.Device
	App        id.App
	Grant      id.Grant
	Role       id.Role
	Source     id.Source
}

// callerOf is the caller of a recorded decision. The agreements are those of the
// engagement as it stands.
func callerOf(view *snapshot.View, in *audit.Intent) caller {
	c := caller{Vendor: in.Vendor, Engagement: in.Engagement, Person: in.Person, Device: in.Device, App: in.App, Grant: in.Grant, Role: in.Role, Source: in.Source}
	return c.filled(view)
}

// filled adds what the registry knows of the grant.
func (c caller) filled(view *snapshot.View) caller {
	if g, ok := view.Grants.Get(c.Grant); ok {
		if c.Engagement == "" {
			c.Engagement = g.Engagement
		}
		if c.Person == "" {
			c.Person = g.Person
		}
		if c.Role == "" {
			c.Role = g.Role
		}
		if c.App == "" {
			c.App = g.App
		}
		if c.Device == "" && len(g.Devices) > 0 {
			c.Device = g.Devices[0]
		}
	}
	if e, ok := view.Engagements.Get(c.Engagement); ok {
		c.Agreements = e.Agreements
		if c.Vendor == "" {
			c.Vendor = e.Vendor
		}
		if c.Source == "" && len(e.Sources) > 0 {
			c.Source = e.Sources[0]
		}
	}
	return c
}

// records are where a gate's facts are read from. A gate that looks at the request
// alone, or at the program itself, has none.
func (c caller) records(view *snapshot.View, gateID string) (out []ref) {
	add := func(noun string, key string, x any) {
		if key != "" {
			r := refIn(view, x)
			r.Label = noun + " " + r.Label
			out = append(out, r)
		}
	}
	vendor, grant := func() { add("Vendor", string(c.Vendor), c.Vendor) }, func() { add("Grant", string(c.Grant), c.Grant) }
	engagement, device := func() { add("Engagement", string(c.Engagement), c.Engagement) }, func() { add("Device", string(c.Device), c.Device) }
	papers := func() {
		for _, a := range c.Agreements {
			add("Agreement", string(a), a)
		}
	}
	person, role, app := func() { add("Person", string(c.Person), c.Person) }, func() { add("Role", string(c.Role), c.Role) }, func() { add("App", string(c.App), c.App) }
	for _, f := range map[string][]func(){
		"vendor": {vendor}, "assessment": {vendor}, "certification": {vendor}, "screening": {vendor}, "agreement": {engagement, papers}, "permitted_use": {engagement, papers}, "subcontractors": {vendor, engagement},
		"region": {device, engagement, papers}, "engagement": {engagement}, "basis": {engagement, role}, "person": {person}, "training": {person, papers}, "device": {device, grant}, "workload": {device, engagement},
		"posture": {device}, "key": {engagement}, "app": {app}, "grant": {grant}, "review": {grant}, "hold": {vendor, engagement, person, device, app, grant}, "role": {role}, "deidentification": {role, engagement},
		"sealing": {engagement, device}, "volume": {grant}, "cohort": {grant}, "labels": {grant}, "patient_hold": nil,
	}[gateID] {
		f()
	}
	return out
}

// recordedLadder is the ladder by what the log says: which gates refused and why. The
// log is what happened; what each gate saw comes with an explanation.
func recordedLadder(view *snapshot.View, c caller, permitted bool, failing []audit.Failing, x *explained) ladder {
	out := ladder{Facts: x != nil}
	content := permitted || slices.ContainsFunc(failing, func(f audit.Failing) bool { g, ok := gateCalled(f.Gate); return ok && g.Stage == policy.AtContent })
	before := !permitted && len(failing) > 0
	for _, f := range failing {
		if _, ok := gateCalled(f.Gate); ok {
			before = false
			continue
		}
		r := rung{Gate: f.Gate, Owner: true, State: mark{"Refused", "bad"}}
		if b, ok := beforeGates[f.Gate]; ok {
			r.Title = b.title
			message, why := b.message, strings.ReplaceAll(f.Reason, "-", " ")
			if !strings.HasSuffix(message, " "+why) {
				message += ": " + why
			}
			r.Failures = []ladderFailure{{Code: f.Reason, Message: message, NextStep: b.next, Who: b.who}}
		} else { // of the site, or of another version of the program
			before = false
			r.Title = "A rule of this organisation, or of another version of the program"
			r.Failures = []ladderFailure{{Code: f.Reason, Message: "It refused, for the reason " + f.Reason, NextStep: "Look at the policies that were in force then", Who: string(policy.ByOrganisation)}}
		}
		out.Rungs = append(out.Rungs, r)
	}
	for _, g := range gate.All {
		r := rung{Gate: g.ID, Title: g.Title, Owner: g.Audience == policy.Owner, Content: g.Stage == policy.AtContent, Cites: gateCites(g)}
		for _, f := range failing {
			if f.Gate == g.ID {
				r.Failures = append(r.Failures, reasonOf(g, f.Reason))
			}
		}
		switch {
		case len(r.Failures) > 0:
			r.State = mark{"Refused", "bad"}
		case before || r.Content && !content:
			r.State = mark{"Not asked", "off"}
		default:
			r.State = mark{"Passed", "good"}
		}
		out.Rungs = append(out.Rungs, r)
	}
	out.explain("gate-", view, c, x)
	return out
}

// beforeGates are what can refuse before the gates are asked, or while an answer is
// under way, beside them.
var beforeGates = map[string]struct{ title, message, next, who string }{
	"identity": {"Who asks is known, and still has access", "Somebody asked whose access has ended", "Look at who it was and where the request came from; it may be an incident", "organisation"},
	"request":  {"The request can be read, and is one that the gateway carries out", "The request was not read or is not carried out", "Ask in a way that the gateway supports: its capability statement says which", "vendor"},
	"scope":    {"The token's scopes cover what is asked", "The token was not made for this", "Get a token with the scope that is missing", "vendor"},
	"token":    {"The token still holds while the answer is under way", "The token ended while the answer was under way", "Get a new token and ask again", "vendor"},
	"gateway":  {"The gateway itself is able to answer", "The gateway could not carry it out, so nothing was released", "Look at the health page; then have the vendor ask again", "organisation"},
}

// judgedLadder is the ladder of a question that was only asked.
func judgedLadder(view *snapshot.View, c caller, x *explained) ladder {
	out := ladder{Facts: true}
	for _, e := range x.Rungs {
		r := rung{Gate: e.Gate, Title: e.Title, Owner: e.Audience == string(policy.Owner), Content: e.Stage == string(policy.AtContent), Failures: e.Failures, State: mark{"Passed", "good"}}
		switch {
		case !e.Pass:
			r.State = mark{"Refused", "bad"}
		case r.Content && x.Stage != string(policy.AtContent):
			r.State = mark{"Not asked", "off"}
		}
		for _, c := range e.Citations {
			r.Cites = append(r.Cites, cite(c))
		}
		out.Rungs = append(out.Rungs, r)
	}
	out.explain("judged-", view, c, x)
	return out
}

// explain adds what each gate saw, and the records that it was read from, and counts.
func (l *ladder) explain(key string, view *snapshot.View, c caller, x *explained) {
	for i := range l.Rungs {
		r := &l.Rungs[i]
		r.Key, r.Name, r.From = key+r.Gate, words(r.Gate), c.records(view, r.Gate)
		if x != nil {
			for _, e := range x.Rungs {
				if e.Gate == r.Gate {
					r.Facts, r.Title = e.Facts, e.Title
				}
			}
		}
		for j := range r.Facts {
			r.Facts[j].Name = strings.ReplaceAll(r.Facts[j].Name, "_", " ")
		}
		switch r.State.Tone {
		case "bad":
			l.Failed++
		case "off":
			l.Unasked++
		default:
			l.Passed++
		}
	}
	if x != nil {
		l.Assumed = x.Assumed
	}
}

func gateCalled(name string) (policy.Gate, bool) {
	i := slices.IndexFunc(gate.All, func(g policy.Gate) bool { return g.ID == name })
	if i < 0 {
		return policy.Gate{}, false
	}
	return gate.All[i], true
}

func gateCites(g policy.Gate) (out []citation) {
	for _, c := range gateCited(g) {
		out = append(out, cite(c))
	}
	return out
}

func gateCited(g policy.Gate) (out []hipaa.Citation) {
	for _, key := range g.Cites {
		c := hipaa.Policy
		if x, ok := hipaa.LookupControl(key); ok {
			c = x.Cite()
		}
		out = append(out, c)
	}
	return out
}

// reasonOf is a reason by its code, as the gate words it.
func reasonOf(g policy.Gate, code string) ladderFailure {
	for _, r := range g.Reasons {
		if r.Code == code {
			return ladderFailure{Code: code, Message: r.Message, NextStep: r.NextStep, Who: string(r.Who)}
		}
	}
	return ladderFailure{Code: code, Message: "It refused, for the reason " + code, NextStep: "Tell the operator, and name the decision", Who: string(policy.ByOrganisation)}
}

// fileOn is a screen that answers with a file, or leads elsewhere.
func fileOn(pattern string, who audience, show func(*server, *visit) error) screen {
	return screen{Pattern: pattern, For: who, show: func(s *server, v *visit) (any, error) {
		if err := show(s, v); err != nil {
			return nil, err
		}
		if v.goTo == "" && v.raw == nil {
			return nil, problem.New(problem.Internal, "There is nothing to show", "Go back").Because(fmt.Errorf("%s: %w", pattern, http.ErrNotSupported))
		}
		return nil, nil
	}}
}
