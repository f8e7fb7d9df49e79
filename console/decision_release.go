package console

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// releaseView is a release's whole story: everything that made it lawful and everything
// that was done to it, in the order in which it happened.
type releaseView struct {
	decisionView
	This    releaseRow
	Papers  []ref
	Chapter map[string][]rung // the gates of each chapter
	Course  []releaseTrainingRow
	Origin  string
	Others  int // releases of the same decision
}

// releaseTrainingRow is a training that the person has passed, as it stands.
type releaseTrainingRow struct {
	Course, Version string
	Completed       time.Time
	Expires         time.Time
	State           mark
}

// chapters are the parts of a release's story, and the gates that belong to each.
var chapters = map[string][]string{
	"paper":    {"vendor", "assessment", "certification", "screening", "agreement", "permitted_use", "subcontractors", "engagement", "basis"},
	"person":   {"person", "training"},
	"device":   {"device", "workload", "posture", "app", "transport", "region"},
	"decision": {"policy_loaded", "fresh", "grant", "review", "hold", "role", "volume"},
	"content":  {"deidentification", "cohort", "patient_hold", "labels"},
	"seal":     {"sealing", "key"},
}

func (s *server) release(v *visit) (releaseView, error) {
	key := id.Release(v.PathValue("id"))
	row, err := s.decisionOfRelease(v.Context(), key)
	if err != nil {
		return releaseView{}, err
	}
	d, err := s.decidedOf(v.Context(), row.Decision)
	if err != nil {
		return releaseView{}, err
	}
	p := releaseView{decisionView: decisionView{D: d, State: d.state()}, Origin: s.Log.Origin(), Chapter: map[string][]rung{}}
	p.fill(s, v)
	i := slices.IndexFunc(d.Outcomes, func(e audit.Entry) bool { return e.Outcome.Release == key })
	if i < 0 {
		return p, problem.New(problem.NotFound, "The log has no such release", "Check the id")
	}
	p.This, p.Others = p.Releases[i], len(d.Outcomes)-1
	v.under("Decisions", "/console/decisions", "Decision "+short(string(d.ID)), decisionPath(d.ID))
	v.call("The story of a release")

	x, err := s.explain(v, explainAsk{Decision: d.ID})
	if err != nil {
		p.Failed = problem.From(err).Title
	}
	p.Making = x == nil && err == nil
	c := callerOf(v.View, &d.Intent)
	p.Ladder = recordedLadder(v.View, c, d.Permitted, d.Failing, x)
	for name, gates := range chapters {
		for _, r := range p.Ladder.Rungs {
			if slices.Contains(gates, r.Gate) {
				p.Chapter[name] = append(p.Chapter[name], r)
			}
		}
	}
	for _, a := range c.Agreements {
		p.Papers = append(p.Papers, refIn(v.View, a))
	}
	p.Course = trainingsAt(v.View, d.Intent.Person, d.At)
	return p, nil
}

// trainingsAt are the trainings that a person had passed by a time, the newest first.
func trainingsAt(view *snapshot.View, person id.Person, at time.Time) []releaseTrainingRow {
	var out []releaseTrainingRow
	for _, t := range view.TrainingsOf(person) {
		if t.CompletedAt.After(at) {
			continue
		}
		row := releaseTrainingRow{Course: t.Course, Version: t.Version, Completed: t.CompletedAt, Expires: t.ExpiresAt, State: mark{"Current then", "good"}}
		switch {
		case !t.Passed:
			row.State = mark{"Not passed", "bad"}
		case !t.RevokedAt.IsZero() && !t.RevokedAt.After(at):
			row.State = mark{"Revoked then", "bad"}
		case !t.ExpiresAt.After(at):
			row.State = mark{"Over then", "off"}
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b releaseTrainingRow) int { return b.Completed.Compare(a.Completed) })
	return out
}

// TypesText is what a release held, in words.
func (r releaseRow) TypesText() string {
	var out []string
	for _, t := range r.Types {
		out = append(out, number(t.N)+" "+t.Type)
	}
	return orWord(strings.Join(out, ", "), "nothing")
}
