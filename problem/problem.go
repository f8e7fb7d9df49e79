// Package problem holds errors that are fit for a person to read: what is
// wrong, what to do next, and the rule behind it. On the wire they are problem
// details (RFC 9457).
//
// A Problem never carries its cause to the reader: a cause can quote input, and
// input can be patient data. The cause goes to the log by way of Unwrap.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Kind is the closed set of ways to fail.
type Kind string

// The kinds. The zero Kind is treated as Internal.
const (
	Invalid      Kind = "invalid"       // 400: the input is wrong; Field says which part
	Unknown      Kind = "unauthorized"  // 401: the caller is not known
	Refused      Kind = "refused"       // 403: known, but not allowed; Reasons say why
	NotFound     Kind = "not-found"     // 404
	WrongMethod  Kind = "wrong-method"  // 405: the address takes other methods
	Conflict     Kind = "conflict"      // 409: the state does not allow it now
	TooLarge     Kind = "too-large"     // 413
	TooMany      Kind = "too-many"      // 429: more requests than one may make; After says when the next is answered
	Unsupported  Kind = "unsupported"   // 501: understood, not offered
	Unavailable  Kind = "unavailable"   // 503: something that must work does not; nothing was released
	UpstreamFail Kind = "upstream-fail" // 502: the healthcare system did not answer as it must
	Internal     Kind = "internal"      // 500
)

// Status is the HTTP status for the kind.
func (k Kind) Status() int {
	switch k {
	case Invalid:
		return http.StatusBadRequest
	case Unknown:
		return http.StatusUnauthorized
	case Refused:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case WrongMethod:
		return http.StatusMethodNotAllowed
	case Conflict:
		return http.StatusConflict
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case TooMany:
		return http.StatusTooManyRequests
	case Unsupported:
		return http.StatusNotImplemented
	case Unavailable:
		return http.StatusServiceUnavailable
	case UpstreamFail:
		return http.StatusBadGateway
	default:
		return http.StatusInternalServerError
	}
}

// Issue is the kind as R4's type of an issue (valueset-issue-type).
func (k Kind) Issue() string {
	switch k {
	case Invalid:
		return "invalid"
	case Unknown:
		return "login"
	case Refused:
		return "forbidden"
	case NotFound:
		return "not-found"
	case WrongMethod, Unsupported:
		return "not-supported"
	case Conflict:
		return "conflict"
	case TooLarge:
		return "too-long"
	case TooMany:
		return "throttled"
	case Unavailable, UpstreamFail:
		return "transient"
	default:
		return "exception"
	}
}

// Reason is one of several causes of a refusal, for the reader.
type Reason struct {
	Gate     string `json:"gate"`               // the gate that refused, such as "baa"
	Message  string `json:"message"`            // what is wrong
	NextStep string `json:"next_step"`          // what mends it
	Who      string `json:"who"`                // who can mend it: "vendor", "organisation"
	Citation string `json:"citation,omitempty"` // the rule, or "policy"
	Verified string `json:"verified,omitempty"` // how far the citation was checked
}

// Problem is an error for a person.
type Problem struct {
	Kind     Kind     `json:"-"`
	Title    string   `json:"title"`               // one line
	Field    string   `json:"field,omitempty"`     // the input that is wrong, as a path
	NextStep string   `json:"next_step,omitempty"` // what the reader can do
	Citation string   `json:"citation,omitempty"`
	Decision string   `json:"decision,omitempty"` // the decision id, to ask about it later
	Reasons  []Reason `json:"reasons,omitempty"`

	cause error
	wait  time.Duration
	allow string // the methods that an address takes
}

// New makes a problem. next is what the reader can do about it.
func New(kind Kind, title, next string) *Problem {
	return &Problem{Kind: kind, Title: title, NextStep: next}
}

// BadField says that the input named by field is wrong, and how to mend it.
func BadField(field, title, next string) *Problem {
	return &Problem{Kind: Invalid, Field: field, Title: title, NextStep: next}
}

// Because keeps the cause for the log; it is never shown to the reader.
func (p *Problem) Because(err error) *Problem {
	q := *p
	q.cause = err
	return &q
}

// After says how long to wait until it is worth trying again.
func (p *Problem) After(wait time.Duration) *Problem {
	q := *p
	q.wait = wait
	return &q
}

// Error is the reader's text, on one line.
func (p *Problem) Error() string {
	var b strings.Builder
	if p.Field != "" {
		fmt.Fprintf(&b, "%s: ", p.Field)
	}
	b.WriteString(p.Title)
	for _, r := range p.Reasons {
		fmt.Fprintf(&b, "; %s: %s", r.Gate, r.Message)
	}
	if p.NextStep != "" {
		fmt.Fprintf(&b, ". %s", p.NextStep)
	}
	return b.String()
}

// Unwrap gives the cause to the log and to errors.Is.
func (p *Problem) Unwrap() error { return p.cause }

// From returns the Problem in err's chain, or an Internal one around err.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return New(Internal, "Something went wrong here", "Try again; if it goes on, tell the operator the time and what you did").Because(err)
}
