package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/agent/wire"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/problem"
)

// gateSystem is the code system of the gates' names in an OperationOutcome.
const gateSystem = "urn:sallyport:gate"

// outcome is as much of an OperationOutcome (R4) as the agent reads and writes.
type outcome struct {
	ResourceType string  `json:"resourceType"`
	Issue        []issue `json:"issue"`
}

type issue struct {
	Severity    string   `json:"severity"`
	Code        string   `json:"code"`
	Details     *details `json:"details,omitempty"`
	Diagnostics string   `json:"diagnostics,omitempty"`
	Expression  []string `json:"expression,omitempty"`
}

type details struct {
	Coding []coding `json:"coding,omitempty"`
	Text   string   `json:"text,omitempty"`
}

type coding struct {
	System string `json:"system"`
	Code   string `json:"code"`
}

// gates are the gates that an answer names, each once, in its order.
func (o outcome) gates() (out []string) {
	for _, i := range o.Issue {
		if i.Details == nil {
			continue
		}
		for _, c := range i.Details.Coding {
			if c.System == gateSystem && !oneOf(c.Code, out...) {
				out = append(out, c.Code)
			}
		}
	}
	return out
}

// whose is as whom the agent asked, for the commands that it proposes.
type whose struct{ device, vendor, owner, app, grant string }

// mend is the command by which a gate is mended, and who can run it: "here", on
// this machine, or "organisation".
type mend struct{ by, command string }

const (
	here         = "here"
	organisation = "organisation"
)

// mends are the commands for the gates that have one. The rest are papers and
// decisions, which the gate's own next step describes.
func (w whose) mends(gate string) (mend, bool) {
	id := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	device, app, owner := id(w.device, "DEVICE"), id(w.app, "APP"), id(w.owner, "PERSON")
	switch gate {
	case "posture":
		return mend{here, "sallyport agent posture; then: sallyport agent report"}, true
	case "device":
		return mend{organisation, "sallyport device approve " + device + ` trusted_until=90d -m "asked for by its owner"`}, true
	case "app":
		return mend{organisation, "sallyport app approve " + app + ` -m "keys confirmed"`}, true
	case "grant":
		return mend{organisation, "sallyport grant request " + id(w.grant, "GRANT") + " app=" + app + " person=" + owner + " devices=" + device + ` ... -m "asked for by its owner"`}, true
	case "person":
		return mend{organisation, "sallyport person approve " + owner + ` -m "known to us"`}, true
	case "training":
		return mend{organisation, "sallyport training record ... person=" + owner + ` passed=true -m "passed"`}, true
	case "hold":
		return mend{organisation, "sallyport hold list; then: sallyport hold lift"}, true
	case "review":
		return mend{organisation, "sallyport review list; then: sallyport review complete"}, true
	case "vendor":
		return mend{organisation, "sallyport vendor get " + id(w.vendor, "VENDOR")}, true
	}
	return mend{}, false
}

// advice is the lines that tell how to mend the gates.
func (w whose) advice(gates []string) (out []string) {
	for _, g := range gates {
		m, ok := w.mends(g)
		switch {
		case !ok:
		case m.by == here:
			out = append(out, g+": run here: "+m.command)
		default:
			out = append(out, g+": ask the organisation to run: "+m.command)
		}
	}
	return append(out, "See everything that is missing: sallyport agent status")
}

// explainOutcome adds to a refusal what to do about it: it stays a valid
// OperationOutcome, with one issue more. What is no refusal stays as it is.
func (w whose) explainOutcome(raw []byte) ([]byte, outcome) {
	var o outcome
	if json.Unmarshal(raw, &o) != nil || o.ResourceType != "OperationOutcome" {
		return raw, outcome{}
	}
	gates := o.gates()
	if len(gates) == 0 {
		return raw, o
	}
	o.Issue = append(o.Issue, issue{Severity: "information", Code: "informational",
		Details:     &details{Coding: []coding{{"urn:sallyport:agent", "advice"}}, Text: "What to do about it"},
		Diagnostics: strings.Join(w.advice(gates), "\n")})
	out, err := marshal(o)
	if err != nil {
		return raw, o
	}
	return out, o
}

// marshal writes JSON as FHIR servers do: without escaping <, > and &.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// write answers with a problem of the agent's own, in the form that the path's
// clients understand.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem.Problem) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if p.Kind == problem.Unavailable {
		h.Set("Retry-After", "5")
	}
	fhir := r.URL.Path == fhirPath || strings.HasPrefix(r.URL.Path, fhirPath+"/")
	if !fhir || strings.Contains(strings.Join(r.Header["Accept"], ","), problem.MediaType) {
		p.Write(w)
		return
	}
	h.Set("Content-Type", "application/fhir+json")
	body, err := marshal(outcome{"OperationOutcome", []issue{{Severity: "error", Code: p.Kind.Issue(),
		Details: &details{Coding: []coding{{"urn:sallyport:agent", string(p.Kind)}}, Text: p.Title}, Diagnostics: p.NextStep}}})
	if err != nil { // strings only: cannot happen, and must not pass as success
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.WriteHeader(p.Kind.Status())
	_, _ = w.Write(body) // the client may be gone
}

// noToken says why the server gave no token.
func (w whose) noToken(err error) *problem.Problem {
	var t *identity.TokenError
	if !errors.As(err, &t) {
		return problem.From(unreachable(err))
	}
	text := "The server gave no token (" + t.Error() + ")"
	switch t.Code {
	case "invalid_client":
		return problem.New(problem.Unknown, text+": it does not know the program "+w.app+" by this key",
			"Ask the organisation to register or approve it: sallyport app get "+w.app).Because(err)
	case "unauthorized_client":
		m, _ := w.mends("app")
		return problem.New(problem.Refused, text+": the program "+w.app+" is not approved now", "Ask the organisation to run: "+m.command).Because(err)
	case "invalid_request":
		return problem.New(problem.Invalid, text+": the program has several grants, or not the one that was named",
			"Name one of those that `sallyport agent whoami` lists: sallyport agent connect --grant GRANT").Because(err)
	case "temporarily_unavailable", "server_error":
		return problem.New(problem.Unavailable, text, "The agent tries again with the next request").Because(err)
	}
	if t.Status == http.StatusUnauthorized {
		return problem.New(problem.Unknown, text+": it does not know this machine", "See why: sallyport agent status").Because(err)
	}
	if t.Status >= 500 {
		return problem.New(problem.Unavailable, text, "The agent tries again with the next request").Because(err)
	}
	return problem.New(problem.Refused, text, "See what is missing: sallyport agent status").Because(err)
}

// summary is one line about a refusal, for the terminal.
func (o outcome) summary(status int) string {
	var parts []string
	for _, i := range o.Issue {
		if i.Details == nil || len(i.Details.Coding) == 0 {
			continue
		}
		for _, c := range i.Details.Coding {
			if c.System == gateSystem {
				parts = append(parts, c.Code+": "+i.Details.Text)
			}
		}
	}
	if len(parts) == 0 {
		return fmt.Sprintf("The server answered %d.", status)
	}
	return "Refused. " + strings.Join(parts, "; ") + "."
}

// Mend is a grant's reasons as lines for a person: what is missing, who can mend
// it, how, and the command where there is one.
func Mend(s wire.Stand, g wire.Grant) (out []string) {
	w := whose{device: s.Device, vendor: s.Vendor, owner: s.Owner, app: g.App, grant: g.Grant}
	for i, r := range g.Reasons {
		out = append(out, r.Gate+": "+r.Message, "    "+r.NextStep+" ("+r.Who+"; "+r.Citation+")")
		// One command for a gate, after its last reason.
		if i+1 < len(g.Reasons) && g.Reasons[i+1].Gate == r.Gate {
			continue
		}
		if m, ok := w.mends(r.Gate); ok {
			where := "here"
			if m.by == organisation {
				where = "the organisation runs"
			}
			out = append(out, "    "+where+": "+m.command)
		}
	}
	return out
}
