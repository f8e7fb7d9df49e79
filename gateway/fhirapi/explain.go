package fhirapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/problem"
)

type operationOutcome struct {
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

// gateSystem is the code system of the gates' names in an OperationOutcome.
const gateSystem = "urn:sallyport:gate"

// Explain implements gateway.Protocol: an OperationOutcome with an issue for
// each gate that refused, or problem details (RFC 9457) for who asks for them.
func (*Protocol) Explain(r *http.Request, p *problem.Problem) (contentType string, body []byte) {
	if strings.Contains(strings.Join(r.Header["Accept"], ","), problem.MediaType) {
		return problem.MediaType, p.JSON()
	}
	code := p.Kind.Issue()
	out := operationOutcome{ResourceType: "OperationOutcome"}
	first := issue{Severity: "error", Code: code, Details: &details{Text: p.Title}, Diagnostics: p.NextStep}
	if p.Field != "" {
		first.Expression = []string{p.Field}
	}
	if p.Decision != "" {
		if first.Diagnostics != "" {
			first.Diagnostics += ". "
		}
		first.Diagnostics += "Decision " + p.Decision
	}
	out.Issue = append(out.Issue, first)
	for _, why := range p.Reasons {
		text := why.NextStep + " (" + why.Who
		if why.Citation != "" {
			text += "; " + why.Citation
		}
		if why.Verified != "" {
			text += "; citation: " + why.Verified
		}
		out.Issue = append(out.Issue, issue{Severity: "error", Code: code,
			Details: &details{Coding: []coding{{gateSystem, why.Gate}}, Text: why.Message}, Diagnostics: text + ")"})
	}
	return fhirJSON, marshal(out)
}

// marshal writes structs of strings, which cannot fail.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"fatal","code":"exception"}]}`)
	}
	return b
}
