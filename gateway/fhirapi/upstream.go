package fhirapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// status turns what is not 200 into a problem. Nothing of the source's body is
// told but its codes: diagnostics quote requests and records.
func status(d *gateway.Desk, resp *http.Response, direct bool) error {
	switch s := resp.StatusCode; {
	case s == http.StatusOK:
		t := strings.ToLower(resp.Header.Get("Content-Type"))
		if !strings.HasPrefix(t, "application/fhir+json") && !strings.HasPrefix(t, "application/json") && !strings.HasPrefix(t, "application/json+fhir") {
			return unexpected("content that is not FHIR JSON")
		}
		return nil
	case s == http.StatusNotFound, s == http.StatusGone, direct && s == http.StatusForbidden:
		// That the source forbids one record would tell that there is one.
		return gateway.NotFound()
	case s == http.StatusBadRequest, s == http.StatusUnprocessableEntity, s == http.StatusNotAcceptable, s == http.StatusMethodNotAllowed, s == http.StatusNotImplemented:
		p := problem.New(problem.Invalid, fmt.Sprintf("The healthcare system did not accept the question (status %d)", s),
			"Ask in another way; its metadata may not offer what was asked")
		p.Reasons = remarks(d, resp)
		return p
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable:
		return problem.New(problem.Unavailable, "The healthcare system is busy", "Try again in a while").Because(fmt.Errorf("the source answered %d", s))
	default:
		return problem.New(problem.UpstreamFail, "The healthcare system did not answer as it must",
			"Nothing was released. Try again; if it goes on, tell the organisation").Because(fmt.Errorf("the source answered %d", s))
	}
}

// maxRemark bounds the body of an error that is read for its codes.
const maxRemark = 256 << 10

// remarks are the severities and codes of the source's OperationOutcome.
func remarks(d *gateway.Desk, resp *http.Response) (out []problem.Reason) {
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRemark))
	if err != nil {
		return nil
	}
	var doc operationOutcome
	if json.Unmarshal(d.Outcome(raw), &doc) != nil {
		return nil
	}
	for _, i := range doc.Issue {
		out = append(out, problem.Reason{Gate: "source", Message: "The healthcare system says: " + i.Severity + ", " + i.Code,
			NextStep: "See R4's issue types for the code", Who: "vendor"})
	}
	return out
}

func unexpected(what string) error {
	return problem.New(problem.UpstreamFail, "The healthcare system's answer was not as it must be",
		"Nothing was released. Try again; if it goes on, tell the organisation").Because(errors.New("the source sent " + what))
}

// malformed: what package fhir says about a document is meant for who sent it;
// here that is the source and not the caller.
func malformed(err error) error {
	p := problem.From(err)
	if p.Kind == problem.UpstreamFail || p.Kind == problem.TooLarge {
		return p
	}
	return problem.New(problem.UpstreamFail, "The healthcare system's answer cannot be read",
		"Nothing was released. Try again; if it goes on, tell the organisation").Because(err)
}
