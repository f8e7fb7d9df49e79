package policy

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/snapshot"
)

// Ladder is a decision explained in full: every gate, passed or not. A caller
// climbs it; each rung has what was seen and, where it failed, what mends it.
type Ladder struct {
	At               time.Time `json:"at"`
	Stage            Stage     `json:"stage"`
	Permitted        bool      `json:"permitted"`
	PolicyVersion    string    `json:"policy_version"`
	SnapshotVersion  uint64    `json:"snapshot_version"`
	SnapshotLogIndex uint64    `json:"snapshot_log_index"`
	Rungs            []Rung    `json:"rungs"`
	Basis            Basis     `json:"-"`
}

// Rung is one gate.
type Rung struct {
	Gate      string           `json:"gate"`
	Title     string           `json:"title"`
	Pass      bool             `json:"pass"`
	Stage     Stage            `json:"stage"`
	Audience  Audience         `json:"audience,omitempty"`
	Facts     []Fact           `json:"facts,omitempty"`
	Failures  []Failure        `json:"failures,omitempty"`
	Citations []hipaa.Citation `json:"citations"`
}

// Explain decides the request, past or hypothetical, and tells every gate's
// part. View and Now may be of another time, and so may the records in View.
// Content that was inspected is decided on too.
func Explain(e *Engine, r Request) Ladder {
	stage := AtRequest
	if r.Content.Inspected {
		stage = AtContent
	}
	l := Ladder{
		At: r.Now, Stage: stage, PolicyVersion: e.Version(),
		SnapshotVersion: viewOf(&r).Version(), SnapshotLogIndex: viewOf(&r).LogIndex(),
	}
	c, failed := e.decide(&r, stage)
	if c == nil {
		f := notLoaded()
		l.Rungs = []Rung{{Gate: f.Gate, Title: f.Message, Stage: AtRequest, Audience: f.Audience,
			Failures: []Failure{f}, Citations: []hipaa.Citation{f.Citation}}}
		return l
	}
	l.Permitted = len(failed) == 0
	l.Basis = c.basis
	refusal := e.refuse("", &r, stage, c, failed)
	for _, g := range e.gates {
		v := g.seen(c, &r, stage)
		rung := Rung{Gate: g.ID, Title: g.Title, Pass: true, Stage: g.Stage, Audience: g.Audience,
			Facts: append(append([]Fact(nil), v.facts...), v.notes...), Citations: g.citations}
		for _, f := range refusal.Failures {
			if f.Gate == g.ID {
				rung.Pass = false
				rung.Failures = append(rung.Failures, f)
			}
		}
		l.Rungs = append(l.Rungs, rung)
	}
	return l
}

// For is the ladder as the audience may see it. Of what is the owner's alone a
// vendor is told neither that it failed nor that it passed.
func (l Ladder) For(a Audience) Ladder {
	if a == Owner {
		return l
	}
	rungs := l.Rungs
	l.Rungs = nil
	for _, r := range rungs {
		if r.Audience == a {
			r.Facts = nil // ids and notes of the owner's: which incident, whose word
			r.Failures = slices.Clone(r.Failures)
			for i := range r.Failures {
				r.Failures[i].Facts = nil // a failure has those of its gate
			}
			l.Rungs = append(l.Rungs, r)
		}
	}
	return l
}

// CallerOf fills in the grant under which an app on a device would act, for a
// hypothetical question that names only the grant.
func CallerOf(v *snapshot.View, c Caller) Caller {
	g, ok := v.Grants.Get(c.Grant)
	if !ok {
		return c
	}
	if c.App == "" {
		c.App = g.App
	}
	if c.Device == "" && len(g.Devices) > 0 {
		c.Device = g.Devices[0]
	}
	if e, ok := v.Engagements.Get(g.Engagement); ok {
		if c.Vendor == "" {
			c.Vendor = e.Vendor
		}
		if c.Source == "" && len(e.Sources) > 0 {
			c.Source = e.Sources[0]
		}
	}
	return c
}
