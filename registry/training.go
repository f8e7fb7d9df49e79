package registry

import (
	"cmp"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordTraining records that a person completed a course. Nobody records
// their own.
type RecordTraining struct {
	ID          id.Training `json:"id,omitempty"` // made if left out
	Person      id.Person   `json:"person"`
	Course      string      `json:"course"`
	Version     string      `json:"version"`
	Score       float64     `json:"score"` // 0 to 1
	Passed      bool        `json:"passed"`
	CompletedAt time.Time   `json:"completed_at"`
	ExpiresAt   time.Time   `json:"expires_at"`
}

func (a RecordTraining) Subject() snapshot.Subject { return subject(snapshot.NounTraining, a.ID) }

func (a RecordTraining) apart(*snapshot.View) []id.Person { return []id.Person{a.Person} }

func (a RecordTraining) check(v *snapshot.View, _ Actor, now time.Time) error {
	if !(a.Score >= 0 && a.Score <= 1) {
		return badField("score", "is not between 0 and 1", "Write the share of right answers, such as 0.85")
	}
	return first(freshOrNone("id", v.Trainings, a.ID),
		exists("person", v.Persons, a.Person),
		required("course", a.Course, `"hipaa-ai-vendor"`),
		required("version", a.Version, `"2026.1"`),
		set("completed_at", a.CompletedAt), past("completed_at", a.CompletedAt, now),
		set("expires_at", a.ExpiresAt), after("expires_at", a.ExpiresAt, "completed_at", a.CompletedAt))
}

func (a RecordTraining) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Training{ID: cmp.Or(a.ID, id.Training(s.ID)), Person: a.Person, Course: a.Course, Version: a.Version,
		Score: a.Score, Passed: a.Passed, CompletedAt: a.CompletedAt.UTC(), ExpiresAt: a.ExpiresAt.UTC(), RecordedBy: s.By})
}

// RevokeTraining says that a completion does not count.
type RevokeTraining struct {
	ID id.Training `json:"id"`
}

func (a RevokeTraining) Subject() snapshot.Subject { return subject(snapshot.NounTraining, a.ID) }

func (a RevokeTraining) check(v *snapshot.View, _ Actor, _ time.Time) error {
	t, ok := v.Trainings.Get(a.ID)
	if !ok {
		return found("id", v.Trainings, a.ID)
	}
	if !t.RevokedAt.IsZero() {
		return conflict("id", "The completion is revoked already", "Nothing is left to do")
	}
	return nil
}

func (a RevokeTraining) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Trainings, a.ID, func(t *snapshot.Training) { t.RevokedAt = s.At })
}
