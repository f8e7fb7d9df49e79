// Package id holds a type for each thing in Sallyport that can be named.
//
// Ids are short strings chosen by people ("northwind-ai") or made by New
// ("01JD..."). They are types rather than strings so that a vendor's id can
// never be passed where a grant's is meant, and they hold nothing that could
// identify a patient.
package id

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"
)

// The things that can be named.
type (
	Vendor        string // an outside organisation; a business associate when it handles PHI (45 CFR 160.103)
	Assessment    string // a due-diligence decision about a vendor
	Certification string // a report or certificate that a vendor holds
	Agreement     string // a BAA, services contract or data use agreement
	Engagement    string // a piece of work for one purpose under agreements
	Determination string // an expert's determination about a profile of de-identification (45 CFR 164.514(b)(1))
	Person        string // a human: of a vendor, or of the organisation
	Training      string // a completion of a course by a person
	Device        string // a machine that holds a client certificate
	App           string // a software program with keys of its own (45 CFR 164.312(a)(1))
	Role          string // a data scope
	Grant         string // one app (and the person behind it) in one role on one engagement
	Review        string // an access review of a grant
	Connector     string // a system of a vendor, or of the organisation, that speaks to us: identity provider, SCIM client, fleet manager
	Session       string // a person, signed in on one device
	Attestation   string // a verified statement about what a device runs
	Hold          string // a stop on a vendor, engagement, person, device, app or grant
	Authorization string // what a person lets an application do in their session
	Link          string // a way in for a vendor's contact who has no account: one purpose, until a time
	Questionnaire string // the due-diligence questions put to a vendor, with the answers
	Finding       string // something that a person must look at
	Course        string // a course that counts as training, and a version of it
	Attempt       string // a person on their way through a course
	Request       string // a wish for access, by a vendor's person
	Campaign      string // access reviews that are done together
	Emergency     string // a use of a source's own emergency procedure (45 CFR 164.312(a)(2)(ii))
	Incident      string // a security incident, and what it turned out to be (45 CFR 164.304, 164.402)
	Offboarding   string // the parting from a vendor, or the end of an engagement
	Source        string // an upstream healthcare system
	Act           string // one change of the registry
	Decision      string // one answer of the policy
	Release       string // one disclosure under a decision
)

// New returns a ULID for time t: 26 characters, sortable by time to the
// millisecond, unguessable in its other 80 bits.
func New[T ~string](t time.Time) T {
	return T(ulid.MustNew(ulid.Timestamp(t), rand.Reader).String())
}

// Time returns the time, to the millisecond, at which New made the id.
func Time[T ~string](v T) (time.Time, error) {
	u, err := ulid.ParseStrict(string(v))
	if err != nil {
		return time.Time{}, fmt.Errorf("%q carries no time: %w", string(v), err)
	}
	return ulid.Time(u.Time()), nil
}

// MaxLen is the longest id, in bytes.
const MaxLen = 64

var errForm = errors.New("an id is 1 to 64 letters, digits, '-', '.' or '_', beginning with a letter or digit")

// Check reports whether v has the form of an id: 1 to MaxLen of [A-Za-z0-9._-],
// beginning with a letter or a digit.
func Check[T ~string](v T) error {
	if len(v) == 0 || len(v) > MaxLen {
		return errForm
	}
	for i := range len(v) {
		c := v[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '-' || c == '.' || c == '_'):
		default:
			return errForm
		}
	}
	return nil
}
