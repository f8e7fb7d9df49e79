package registry

import (
	_ "embed" // the policy is compiled in
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed acts.policy.cedar
var actPolicy []byte

// NewEngine is the engine with the rules of this package.
func NewEngine() (*policy.ActEngine, error) {
	return policy.NewActEngine("registry/acts.policy.cedar", actPolicy)
}

// ActPolicy is the text of the rules, for an auditor to read.
func ActPolicy() string { return string(actPolicy) }

// separated is an act that some people may not do: whoever asked for it, or
// gains by it.
type separated interface {
	apart(*snapshot.View) []id.Person
}

// Authorize says whether the actor may do the act: a Refused problem with every
// reason, or nil. Whether it can be done now is Check's question.
func Authorize(e *policy.ActEngine, v *snapshot.View, by Actor, a Act) error {
	spec, ok := SpecOf(a)
	if !ok {
		return problem.New(problem.Invalid, "No such act", "Use an act of the table")
	}
	var needs []string
	for _, d := range spec.Duties {
		needs = append(needs, string(d))
	}
	r := policy.ActRequest{Actor: by.Person, Act: string(spec.Name), Subject: a.Subject(), Needs: needs,
		RegistryEmpty: v.Version() == 0, OrgPeople: everApproved(v)}
	if p, ok := v.Persons.Get(by.Person); ok {
		r.Organisation = p.Vendor == ""
		r.Active = p.State == snapshot.Approved
		r.Duties = p.Duties
		r.OnHold = held(v, snapshot.NounPerson, string(p.ID))
	}
	if s, ok := a.(separated); ok {
		for _, p := range s.apart(v) {
			if p != "" {
				r.Apart = append(r.Apart, p)
			}
		}
	}
	switch deref(a).(type) {
	case BootstrapOrganisation:
		r.Bootstrap = true
	case AdmitSecondPerson:
		r.SecondPerson = true
	}
	permitted, refusals := e.Decide(r)
	if permitted {
		return nil
	}
	for i, reason := range refusals {
		if reason.Gate == "duty" {
			refusals[i].Message += ": " + join(needs)
		}
	}
	return &problem.Problem{Kind: problem.Refused, Title: "You may not do " + string(spec.Name), Reasons: refusals}
}

// everApproved counts the organisation's people who were ever approved, so that
// what is allowed "while there is one" is allowed once.
func everApproved(v *snapshot.View) int {
	n := 0
	for _, p := range v.Persons.All() {
		if p.Vendor == "" && !p.ApprovedAt.IsZero() {
			n++
		}
	}
	return n
}

func held(v *snapshot.View, noun snapshot.Noun, key string) bool {
	for _, h := range v.HoldsOn(snapshot.Subject{Noun: noun, ID: key}) {
		if h.LiftedAt.IsZero() {
			return true
		}
	}
	return false
}

// Check says whether the act can be done in this view at this time: nil, or a
// problem that names the field or the conflict. It is pure.
func Check(v *snapshot.View, by Actor, a Act, now time.Time) error { return a.check(v, by, now) }

// Apply gives the view as the act would leave it, and the records that it
// changed. The act must have passed Check on the same view. It is pure: nothing
// is stored or logged.
func Apply(v *snapshot.View, a Act, s Stamp) (*snapshot.View, []snapshot.Record) {
	e := v.Edit()
	a.apply(e, s)
	return e.Publish(v.Version()+1, v.LogIndex(), s.At), e.Changed()
}
