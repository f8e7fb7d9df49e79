package fhir

import (
	"time"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// lawful refuses what the profile cannot do its work with. What is missing is
// refused here, once, and not found out in the middle of a release.
func (o *Options) lawful() error {
	p := o.Scope.Profile()
	if p == nil {
		return nil // the zero Scope, which covers nothing
	}
	if p.Assigned() && !deid.AreAssigned(o.Codes) {
		return errDerived()
	}
	if o.Scope.Shifts() && o.Shifts == nil {
		return problem.New(problem.Internal, "the profile shifts dates and there is nothing to shift them by", "Open the engagement's key first")
	}
	if p.Scrubs() && o.Scrubber == nil {
		return problem.New(problem.Internal, "the profile lets scrubbed text stand and there is nothing to scrub it with",
			"Configure a scrubber, or remove text in the profile")
	}
	return nil
}

func errDerived() error {
	q := problem.New(problem.Refused, "the profile asks for random codes, and these are made from the ids",
		"Give the engagement codes from the vault: a keyed hash of an identifier does not qualify")
	q.Citation = "45 CFR 164.514(c)"
	return q
}

func errExpired() error {
	q := problem.New(problem.Refused, "the expert's determination does not hold on this day", "Ask the expert for a new determination, and load its profile")
	q.Citation = "45 CFR 164.514(b)(1)"
	return q
}

// SetAsOf pins another day. Whoever keeps a Minimiser longer than a release sets
// it for each. A profile that needs a day and has none, or one outside its
// determination, is refused, and nothing is released until the day is right.
func (m *Minimiser) SetAsOf(day time.Time) error {
	m.o.AsOf, m.dead = day, false
	m.text.forget()
	p := m.o.Scope.Profile()
	if p == nil {
		return nil
	}
	_, determined := p.Determination()
	if day.IsZero() && (m.o.Scope.Judges() || determined) {
		m.dead = true
		return problem.New(problem.Internal, "the profile judges ages, and it is not said as of which day", "Pin a day: Options.AsOf")
	}
	if p.Expired(day) {
		m.dead = true
		return errExpired()
	}
	m.oldest, m.newest = day.UTC().Year()-90, day.UTC().Year()
	return nil
}

// SetRecords gives the Minimiser other Records: those of the release at hand.
func (m *Minimiser) SetRecords(r deid.Records) {
	m.o.Records = r
	m.text.forget()
}
