package registry

import (
	_ "embed" // the policy is compiled in
	"slices"
	"strings"
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
func Authorize(e *policy.ActEngine, v *snapshot.View, by Actor, a Act, now time.Time) error {
	spec, ok := SpecOf(a)
	if !ok {
		return problem.New(problem.Invalid, "There is no such act", "List them: sallyport acts (GET /v1/act-kinds)")
	}
	var needs []string
	for _, d := range spec.Duties {
		needs = append(needs, string(d))
	}
	r := policy.ActRequest{Actor: by.Name(), Act: string(spec.Name), Subject: a.Subject(), Needs: needs,
		RegistryEmpty: v.Version() == 0, OrgPeople: everApproved(v), StepUp: spec.StepUp(), SteppedUp: by.Session == ""}
	for _, as := range spec.Admits {
		r.Admits = append(r.Admits, string(as))
	}
	standing(&r, v, by, a, now)
	if s, ok := a.(separated); ok {
		for _, p := range s.apart(v) {
			for _, p := range append(behind(v, p), p) {
				if p != "" {
					r.Apart = append(r.Apart, p)
				}
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

// standing fills in who the actor is, by the view alone.
func standing(r *policy.ActRequest, v *snapshot.View, by Actor, a Act, now time.Time) {
	var p party
	if x, ok := deref(a).(admitting); ok {
		p = x.about(v, by)
	}
	switch {
	case by.Name() == "":
	case by.Connector != "":
		c, ok := v.Connectors.Get(by.Connector)
		if !ok {
			return
		}
		r.Active, r.OnHold = c.State == snapshot.Approved, held(v, snapshot.NounConnector, string(c.ID))
		if c.Vendor == p.vendor && slices.Contains(p.connectors, c.Kind) {
			r.As = append(r.As, string(Connectors))
		}
	case by.Clock:
		r.Active = true
		r.As = append(r.As, string(Clock))
	case by.Link != "":
		l, ok := v.Links.Get(by.Link)
		if !ok {
			return
		}
		r.Active, r.OnHold = l.Open(now) && linkVendor(v, l), linkHeld(v, l)
		if l.Vendor == p.vendor && l.About == p.link && l.For == p.linkFor && p.linkFor != "" {
			r.As = append(r.As, string(LinkHolder))
		}
	case by.Device != "":
		d, ok := v.Devices.Get(by.Device)
		if !ok {
			return
		}
		r.Active, r.OnHold = d.State == snapshot.Approved && now.Before(d.TrustedUntil), held(v, snapshot.NounDevice, string(d.ID))
		if d.ID == p.device {
			r.As = append(r.As, string(OwnDevice))
		}
	default:
		person, ok := v.Persons.Get(by.Person)
		if !ok {
			return
		}
		r.Organisation = person.Vendor == ""
		r.Active = person.State == snapshot.Approved
		r.Duties = person.Duties
		r.OnHold = held(v, snapshot.NounPerson, string(person.ID))
		if person.ID == p.person {
			r.As = append(r.As, string(Self))
			if p.invitation != "" && by.Session == "" && person.State == snapshot.Proposed && person.Invitation.Code256 == p.invitation && person.Invitation.Open(now) {
				r.As = append(r.As, string(Invited))
			}
		}
		if person.Vendor != "" && person.Vendor == p.vendor {
			r.As = append(r.As, string(VendorPeople))
		}
		if person.Vendor == "" {
			r.As = append(r.As, string(OwnPeople))
		}
		if by.Session != "" {
			s, ok := v.Sessions.Get(by.Session)
			began := true
			if ok && s.Connector != "" {
				_, began = v.ConnectorInForce(s.Connector)
			}
			if !ok || !began || s.Person != person.ID || !s.Live(now) || s.Idle(now, v.Settings.SessionIdle) {
				r.Active = false
				return
			}
			r.SteppedUp = !s.SteppedUpAt.IsZero() && !s.SteppedUpAt.After(now) && now.Before(s.SteppedUpAt.Add(v.Settings.StepUpLife))
		}
	}
}

// behind are those who asked for a connector, by its name as an actor: they hold its
// token, its keys or its address, or did, and what it asks for they could have asked
// for.
func behind(v *snapshot.View, name id.Person) []id.Person {
	key, ok := strings.CutPrefix(string(name), connectorPrefix)
	if !ok {
		return nil
	}
	c, ok := v.Connectors.Get(id.Connector(key))
	if !ok {
		return nil
	}
	return append(slices.Clone(c.Askers), c.RequestedBy)
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
