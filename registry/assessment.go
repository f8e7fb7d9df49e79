package registry

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordAssessment records a due-diligence decision on a vendor. Whoever asked
// for the vendor does not judge it.
type RecordAssessment struct {
	ID         id.Assessment    `json:"id,omitempty"` // made if left out
	Vendor     id.Vendor        `json:"vendor"`
	Verdict    snapshot.Verdict `json:"verdict"`
	DecidedAt  time.Time        `json:"decided_at"`
	ValidUntil time.Time        `json:"valid_until"`
	Report     string           `json:"report_sha256,omitempty"`
}

func (a RecordAssessment) Subject() snapshot.Subject { return subject(snapshot.NounAssessment, a.ID) }

func (a RecordAssessment) apart(v *snapshot.View) []id.Person { return vendorAskedBy(v, a.Vendor) }

func (a RecordAssessment) documents() []string { return []string{a.Report} }

func (a RecordAssessment) check(v *snapshot.View, _ Actor, now time.Time) error {
	return first(freshOrNone("id", v.Assessments, a.ID),
		exists("vendor", v.Vendors, a.Vendor),
		oneOf("verdict", a.Verdict, []snapshot.Verdict{snapshot.Pass, snapshot.Conditional, snapshot.Fail}),
		set("decided_at", a.DecidedAt), past("decided_at", a.DecidedAt, now),
		set("valid_until", a.ValidUntil), after("valid_until", a.ValidUntil, "decided_at", a.DecidedAt),
		optionalDigest("report_sha256", a.Report))
}

func (a RecordAssessment) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Assessment{ID: cmp.Or(a.ID, id.Assessment(s.ID)), Vendor: a.Vendor, Verdict: a.Verdict,
		DecidedBy: s.By, DecidedAt: a.DecidedAt.UTC(), ValidUntil: a.ValidUntil.UTC(), Report: a.Report})
}
