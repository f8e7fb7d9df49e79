package snapshot

import (
	"cmp"
	"slices"

	"github.com/sallyport/sallyport/id"
)

// lookup finds records by something that they have: a key, an owner, a vendor. Like a
// table it shares with the one before it what did not change.
type lookup[S comparable, V any] struct{ groups shared[S, []*V] }

// all are the records that have it, in their order. They must not be changed; what is
// appended to them is the caller's own.
func (x *lookup[S, V]) all(of S) []*V {
	g, _ := x.groups.get(of)
	return slices.Clip(g)
}

// last is the one with the last id.
func (x *lookup[S, V]) last(of S) (*V, bool) {
	g := x.all(of)
	if len(g) == 0 {
		return nil, false
	}
	return g[len(g)-1], true
}

// still is the first one that is not over, else the last: what a record is found by can
// pass on to another when it is.
func (x *lookup[S, V]) still(of S, over func(*V) bool) (*V, bool) {
	for _, v := range x.all(of) {
		if !over(v) {
			return v, true
		}
	}
	return x.last(of)
}

// changes are what an edit did to a table.
type changes[K ~string, V any] struct {
	by            *turn
	before, after Table[K, V]
	keys          []K // of the records that were put
}

func changesOf[K ~string, V any, P recordOf[V]](e *Edit, before, after Table[K, V]) changes[K, V] {
	c := changes[K, V]{by: e.turn, before: before, after: after}
	for _, r := range e.changed {
		if p, ok := r.(P); ok {
			c.keys = append(c.keys, K(p.Key()))
		}
	}
	return c
}

// recordOf is a record by the type that its table has.
type recordOf[V any] interface {
	*V
	Record
}

// diff is what a group of records loses and gets.
type diff[V any] struct{ out, in []*V }

// follow brings a lookup to what the table has become. of says what a record is found by;
// order sorts those that are found by the same, nil: their ids do.
func follow[S comparable, K ~string, V any, P recordOf[V]](x *lookup[S, V], c changes[K, V], of func(v *V, by func(S)), order func(a, b *V) int) {
	diffs := map[S]diff[V]{}
	in := func(v *V) {
		of(v, func(s S) {
			if d := diffs[s]; len(d.in) == 0 || d.in[len(d.in)-1] != v { // it may have it twice
				d.in = append(d.in, v)
				diffs[s] = d
			}
		})
	}
	out := func(v *V) {
		of(v, func(s S) {
			d := diffs[s]
			d.out = append(d.out, v)
			diffs[s] = d
		})
	}
	if len(c.keys) > c.after.Len()/8 { // so much changed that all of it is made anew
		for _, v := range c.after.All() {
			in(v)
		}
		x.groups = sharedFor[S, []*V](c.by, len(diffs))
	} else {
		for _, key := range c.keys {
			if v, ok := c.before.Get(key); ok {
				out(v)
			}
			if v, ok := c.after.Get(key); ok {
				in(v)
			}
		}
	}
	compare := func(a, b *V) int {
		if order != nil {
			if d := order(a, b); d != 0 {
				return d
			}
		}
		return cmp.Compare(P(a).Key(), P(b).Key())
	}
	for s, d := range diffs {
		if g := d.apply(x.all(s), compare); len(g) > 0 {
			x.groups.set(c.by, s, g)
		} else {
			x.groups.drop(c.by, s)
		}
	}
}

// apply is the group with the change, in its order; the group itself stays as it is. What
// goes is found by what it is and not by its place, so that no order can keep it.
func (d diff[V]) apply(g []*V, compare func(a, b *V) int) []*V {
	slices.SortFunc(d.in, compare)
	if len(d.out) > 0 {
		g = slices.DeleteFunc(slices.Clone(g), func(v *V) bool { return slices.Contains(d.out, v) })
	}
	if len(g) == 0 {
		return d.in
	}
	next := make([]*V, 0, len(g)+len(d.in))
	for _, v := range d.in {
		i, _ := slices.BinarySearchFunc(g, v, compare)
		next = append(append(next, g[:i]...), v)
		g = g[i:]
	}
	return append(next, g...)
}

// index holds the lookups that decisions and pages need, from a subject to records.
type index struct {
	deviceByKey     lookup[KeyDigest, Device]
	deviceBySPIFFE  lookup[string, Device]
	devices         lookup[id.Vendor, Device]
	devicesOwned    lookup[id.Person, Device]
	apps            lookup[id.Vendor, App]
	appsOwned       lookup[id.Person, App]
	personByKey     lookup[KeyDigest, Person]
	personByLogin   lookup[Login, Person]
	personByPasskey lookup[string, Person]
	persons         lookup[id.Vendor, Person]
	directories     lookup[id.Connector, Person]
	grantsByApp     lookup[id.App, Grant]
	grantsByPerson  lookup[id.Person, Grant]
	grantsByDevice  lookup[id.Device, Grant]
	grants          lookup[id.Engagement, Grant]
	assessments     lookup[id.Vendor, Assessment]
	certifications  lookup[id.Vendor, Certification]
	determinations  lookup[id.Engagement, Determination]
	trainings       lookup[id.Person, Training]
	reviews         lookup[id.Grant, Review]
	holds           lookup[Subject, Hold]
	agreements      lookup[id.Vendor, Agreement]
	sessions        lookup[id.Person, Session]
	sessionBySecret lookup[string, Session]
	attestations    lookup[id.Device, Attestation]
	linkBySecret    lookup[string, Link]
	questionnaires  lookup[id.Vendor, Questionnaire]
	findings        lookup[id.Vendor, Finding]
	attempts        lookup[id.Person, Attempt]
	engagements     lookup[id.Vendor, Engagement]
}

// one is what a record is found by where it is one thing, which it always has.
func one[S comparable, V any](get func(*V) S) func(*V, func(S)) {
	return func(v *V, by func(S)) { by(get(v)) }
}

// some is the same where a record may have none.
func some[S comparable, V any](get func(*V) S) func(*V, func(S)) {
	return func(v *V, by func(S)) {
		var none S
		if s := get(v); s != none {
			by(s)
		}
	}
}

// follow brings the lookups to the view that the edit has made.
func (x *index) follow(e *Edit, v *View) {
	if e.touched[NounDevice] {
		c := changesOf(e, e.base.Devices, v.Devices)
		// One of both: a record with neither, or with both, is found by nothing.
		follow(&x.deviceByKey, c, some(func(d *Device) KeyDigest {
			if d.SPIFFE != "" {
				return ""
			}
			return d.Key256
		}), nil)
		follow(&x.deviceBySPIFFE, c, some(func(d *Device) string {
			if d.Key256 != "" {
				return ""
			}
			return d.SPIFFE
		}), nil)
		follow(&x.devices, c, one(func(d *Device) id.Vendor { return d.Vendor }), nil)
		follow(&x.devicesOwned, c, some(func(d *Device) id.Person { return d.Owner }), nil)
	}
	if e.touched[NounApp] {
		c := changesOf(e, e.base.Apps, v.Apps)
		follow(&x.apps, c, one(func(a *App) id.Vendor { return a.Vendor }), nil)
		follow(&x.appsOwned, c, some(func(a *App) id.Person { return a.Owner }), nil)
	}
	if e.touched[NounPerson] {
		c := changesOf(e, e.base.Persons, v.Persons)
		follow(&x.personByKey, c, some(func(p *Person) KeyDigest { return p.Key256 }), nil)
		follow(&x.personByLogin, c, some(func(p *Person) Login { return p.Login }), nil)
		follow(&x.personByPasskey, c, func(p *Person, by func(string)) {
			for i := range p.Passkeys {
				by(string(p.Passkeys[i].ID))
			}
		}, nil)
		follow(&x.persons, c, one(func(p *Person) id.Vendor { return p.Vendor }), nil)
		follow(&x.directories, c, some(func(p *Person) id.Connector { return p.Directory.Connector }), nil)
	}
	if e.touched[NounEngagement] {
		follow(&x.engagements, changesOf(e, e.base.Engagements, v.Engagements), one(func(g *Engagement) id.Vendor { return g.Vendor }), nil)
	}
	if e.touched[NounGrant] {
		c := changesOf(e, e.base.Grants, v.Grants)
		follow(&x.grantsByApp, c, one(func(g *Grant) id.App { return g.App }), nil)
		follow(&x.grantsByPerson, c, some(func(g *Grant) id.Person { return g.Person }), nil)
		follow(&x.grantsByDevice, c, func(g *Grant, by func(id.Device)) {
			for _, d := range g.Devices {
				by(d)
			}
		}, nil)
		follow(&x.grants, c, one(func(g *Grant) id.Engagement { return g.Engagement }), nil)
	}
	if e.touched[NounAssessment] {
		follow(&x.assessments, changesOf(e, e.base.Assessments, v.Assessments), one(func(a *Assessment) id.Vendor { return a.Vendor }),
			func(a, b *Assessment) int { return a.DecidedAt.Compare(b.DecidedAt) })
	}
	if e.touched[NounCertification] {
		follow(&x.certifications, changesOf(e, e.base.Certifications, v.Certifications), one(func(c *Certification) id.Vendor { return c.Vendor }), nil)
	}
	if e.touched[NounDetermination] {
		follow(&x.determinations, changesOf(e, e.base.Determinations, v.Determinations), one(func(d *Determination) id.Engagement { return d.Engagement }),
			func(a, b *Determination) int { return a.DeterminedAt.Compare(b.DeterminedAt) })
	}
	if e.touched[NounTraining] {
		follow(&x.trainings, changesOf(e, e.base.Trainings, v.Trainings), one(func(t *Training) id.Person { return t.Person }),
			func(a, b *Training) int { return a.CompletedAt.Compare(b.CompletedAt) })
	}
	if e.touched[NounAttestation] {
		follow(&x.attestations, changesOf(e, e.base.Attestations, v.Attestations), one(func(a *Attestation) id.Device { return a.Device }),
			func(a, b *Attestation) int { return a.At.Compare(b.At) })
	}
	if e.touched[NounReview] {
		follow(&x.reviews, changesOf(e, e.base.Reviews, v.Reviews), one(func(r *Review) id.Grant { return r.Grant }),
			func(a, b *Review) int { return a.DueAt.Compare(b.DueAt) })
	}
	if e.touched[NounHold] {
		follow(&x.holds, changesOf(e, e.base.Holds, v.Holds), one(func(h *Hold) Subject { return h.On }), nil)
	}
	if e.touched[NounSession] {
		c := changesOf(e, e.base.Sessions, v.Sessions)
		follow(&x.sessions, c, one(func(s *Session) id.Person { return s.Person }),
			func(a, b *Session) int { return a.StartedAt.Compare(b.StartedAt) })
		follow(&x.sessionBySecret, c, some(func(s *Session) string { return s.Secret256 }), nil)
	}
	if e.touched[NounLink] {
		follow(&x.linkBySecret, changesOf(e, e.base.Links, v.Links), some(func(l *Link) string {
			if !l.RevokedAt.IsZero() {
				return ""
			}
			return l.Secret256
		}), nil)
	}
	if e.touched[NounQuestionnaire] {
		follow(&x.questionnaires, changesOf(e, e.base.Questionnaires, v.Questionnaires), one(func(q *Questionnaire) id.Vendor { return q.Vendor }),
			func(a, b *Questionnaire) int { return a.SentAt.Compare(b.SentAt) })
	}
	if e.touched[NounFinding] {
		follow(&x.findings, changesOf(e, e.base.Findings, v.Findings), one(func(f *Finding) id.Vendor { return f.Vendor }),
			func(a, b *Finding) int { return a.RaisedAt.Compare(b.RaisedAt) })
	}
	if e.touched[NounAttempt] {
		follow(&x.attempts, changesOf(e, e.base.Attempts, v.Attempts), one(func(a *Attempt) id.Person { return a.Person }),
			func(a, b *Attempt) int { return a.StartedAt.Compare(b.StartedAt) })
	}
	if e.touched[NounAgreement] {
		follow(&x.agreements, changesOf(e, e.base.Agreements, v.Agreements), one(func(a *Agreement) id.Vendor { return a.Vendor }), nil)
	}
}
