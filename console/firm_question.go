package console

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// firmQuestion is one request of a vendor's programs: what became of it, and, where it was
// refused, what mends each reason. A program's answer names the decision; here a person
// looks it up.
type firmQuestion struct {
	D        decided
	State    mark
	Asked    string
	Who      string
	Grant    *snapshot.Grant // as it is now; nil: it is not on record any more
	Reasons  []firmReason
	Now      firmDoor // whether the same door is open by now
	Bytes    uint64
	Patients uint64
	Left     time.Time // when the last of it left; zero: nothing did
}

func (s *server) firmQuestion(v *visit) (firmQuestion, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmQuestion{}, err
	}
	d, err := s.decidedOf(v.Context(), id.Decision(v.PathValue("decision")))
	if err != nil {
		return firmQuestion{}, err
	}
	if d.Intent.Vendor != f.vendor.ID {
		return firmQuestion{}, notFound() // as if it were not there
	}
	v.call("Request of " + when(d.At))
	out := firmQuestion{D: d, State: d.state(), Asked: firmAsked(d.Intent.Resource, d.Intent.Action), Who: f.name(d.Intent.Person)}
	if g, ok := v.View.Grants.Get(d.Intent.Grant); ok && f.has(g.Engagement) {
		out.Grant, out.Now = g, f.door(g)
	}
	for _, e := range d.Outcomes {
		if o := e.Outcome; o.Result == audit.Released {
			out.Bytes, out.Patients, out.Left = out.Bytes+o.Bytes, out.Patients+o.PatientCount, e.Time
		}
	}
	for _, r := range (&policy.Refusal{Failures: failuresOf(d.Failing)}).For(policy.VendorToo) {
		out.Reasons = append(out.Reasons, f.reason(r, out.Grant))
	}
	return out, nil
}

// failuresOf are the reasons that the log has, in the gates' words. What a gate that is
// not there any more said is shown to nobody but the organisation.
func failuresOf(failing []audit.Failing) []policy.Failure {
	var out []policy.Failure
	for _, x := range failing {
		f := policy.Failure{Gate: x.Gate, Code: x.Reason}
		if g, ok := gateCalled(x.Gate); ok {
			r := reasonOf(g, x.Reason)
			f.Audience, f.Message, f.NextStep, f.Who, f.Citation = g.Audience, r.Message, r.NextStep, policy.Who(r.Who), hipaa.Policy
			if c, ok := hipaa.LookupControl(g.Cites[0]); ok { // the first is quoted in refusals
				f.Citation = c.Cite()
			}
		}
		out = append(out, f)
	}
	return out
}

// firmAsked is a question in words: "Patient: search".
func firmAsked(resource, action string) string {
	action = cmp.Or(firmDoing[action], action)
	if resource == "" {
		return action
	}
	return resource + ": " + action
}
