package snapshot

import (
	"time"

	"github.com/sallyport/sallyport/id"
)

// SignedHere is a signature that was given in the product: what an electronic record of
// it must show (15 U.S.C. 7001, 7006(5): a person's intent to sign, joined to the
// record; verified by recall).
type SignedHere struct {
	Person  id.Person    `json:"person"`
	Session id.Session   `json:"session"`
	Method  SignInMethod `json:"method"` // how the person showed who they are: a passkey, touched just then
	// Intent is the sentence that the person agreed to.
	Intent string `json:"intent"`
	// Consent is the sentence by which they agreed to sign electronically.
	Consent string `json:"consent"`
	// Document is the SHA-256 of what they signed.
	Document string `json:"document_sha256"`
	Act      id.Act `json:"act"` // whose place in the audit log is the proof
}

// Signatory says that a person may sign for their side.
type Signatory struct {
	Title string    `json:"title"` // as on the paper: "Chief Executive"
	By    id.Person `json:"named_by"`
	At    time.Time `json:"named_at"`
}

// TermsReading says that a second person read the document and entered its terms again,
// without a difference.
type TermsReading struct {
	By    id.Person `json:"by"`
	At    time.Time `json:"at"`
	Terms int       `json:"terms"` // how many were compared
}

// CureNotice is notice of a material breach, with a time to cure it (45 CFR
// 164.504(e)(1)(ii), (e)(2)(iii)). Not cured by then, it ends the agreement.
type CureNotice struct {
	ID        id.Act    `json:"id"`
	Breach    string    `json:"breach"`
	By        id.Person `json:"given_by"`
	At        time.Time `json:"given_at"`
	CureUntil time.Time `json:"cure_until"`
	CuredBy   id.Person `json:"cured_by,omitempty"`
	CuredAt   time.Time `json:"cured_at,omitzero"`
	Cure      string    `json:"cure,omitempty"`
}

// Ends is when the notice ends the agreement; zero: it was cured in time. A notice that
// gives no time has ended it already.
func (n CureNotice) Ends() time.Time {
	if !n.CuredAt.IsZero() && n.CuredAt.Before(n.CureUntil) {
		return time.Time{}
	}
	if n.CureUntil.IsZero() {
		return n.At
	}
	return n.CureUntil
}

// Renewal is a later end that both sides have signed. It counts once a second person of
// the organisation has approved it.
type Renewal struct {
	EndsAt   time.Time `json:"ends_at"`
	Document string    `json:"document_sha256"`
	Approval
}

// Waiting is the renewal that waits for approval.
func (a *Agreement) Waiting() (Renewal, bool) {
	if n := len(a.Renewals); n > 0 && a.Renewals[n-1].State == Proposed {
		return a.Renewals[n-1], true
	}
	return Renewal{}, false
}

// NoticesEnd is the earliest time at which a notice that is not cured ends the
// agreement; zero: none does.
func (a *Agreement) NoticesEnd() time.Time {
	var out time.Time
	for _, n := range a.Notices {
		if t := n.Ends(); !t.IsZero() && (out.IsZero() || t.Before(out)) {
			out = t
		}
	}
	return out
}

// OverBy reports whether the agreement has ended by t for good: terminated, or a notice
// was not cured in time. A paper past its end date may still be renewed.
func (a *Agreement) OverBy(t time.Time) bool {
	end := a.NoticesEnd()
	return a.State == Ended || !a.TerminatedAt.IsZero() && !t.Before(a.TerminatedAt) || !end.IsZero() && !t.Before(end)
}
