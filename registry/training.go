package registry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RecordTraining records that a person completed a course elsewhere. Nobody records
// their own; what says that the product itself taught and marked it (snapshot.FromProduct)
// is made by attempt.finish alone.
type RecordTraining struct {
	ID          id.Training                `json:"id,omitempty"` // made if left out
	Person      id.Person                  `json:"person"`
	Course      string                     `json:"course"`
	Version     string                     `json:"version"`
	Score       float64                    `json:"score"` // 0 to 1
	Passed      bool                       `json:"passed"`
	CompletedAt time.Time                  `json:"completed_at"`
	ExpiresAt   time.Time                  `json:"expires_at"`
	Source      snapshot.TrainingSource    `json:"source,omitempty"`   // "lms" or "paper"
	Modules     []string                   `json:"modules,omitempty"`  // of the syllabus
	Hours       float64                    `json:"hours,omitempty"`    // how long it took
	External    string                     `json:"external,omitempty"` // its name where it came from
	Statement   snapshot.TrainingStatement `json:"statement,omitzero"` // what the person signed
}

func (a RecordTraining) Subject() snapshot.Subject { return subject(snapshot.NounTraining, a.ID) }

func (a RecordTraining) apart(*snapshot.View) []id.Person { return []id.Person{a.Person} }

func (a RecordTraining) documents() []string { return []string{a.Statement.Document} }

func (a RecordTraining) check(v *snapshot.View, _ Actor, now time.Time) error {
	if a.Source != "" {
		if err := oneOf("source", a.Source, []snapshot.TrainingSource{snapshot.FromLMS, snapshot.FromPaper}); err != nil {
			return err
		}
	}
	return first(freshOrNone("id", v.Trainings, a.ID),
		exists("person", v.Persons, a.Person), share("score", a.Score),
		required("course", a.Course, `"hipaa-ai-vendor"`),
		required("version", a.Version, `"2026.1"`),
		set("completed_at", a.CompletedAt), past("completed_at", a.CompletedAt, now),
		set("expires_at", a.ExpiresAt), after("expires_at", a.ExpiresAt, "completed_at", a.CompletedAt),
		checkModules("modules", a.Modules, false), hours("hours", a.Hours),
		shortText("external", a.External), freshExternal(v, "external", a.External),
		checkStatement("statement", a.Statement, now))
}

func hours(field string, n float64) error {
	if !(n >= 0 && n <= 1000) {
		return badField(field, "is not between 0 and 1000", "Write how many hours the training took")
	}
	return nil
}

// freshExternal wants a completion that was not taken from there before.
func freshExternal(v *snapshot.View, field, external string) error {
	if external == "" {
		return nil
	}
	for _, t := range v.Trainings.All() {
		if t.External == external {
			return conflict(field, fmt.Sprintf("Training %q is this completion already", string(t.ID)), "Leave it out: a completion is recorded once")
		}
	}
	return nil
}

func checkStatement(field string, s snapshot.TrainingStatement, now time.Time) error {
	if s.In == "" && s.SignedAt.IsZero() && s.Document == "" && s.Name == "" && s.Employer == "" && s.Role == "" && len(s.Rules) == 0 {
		return nil
	}
	return first(required(field+".name", s.Name, `"Ada Example"`), shortText(field+".employer", s.Employer), shortText(field+".role", s.Role),
		optionalRegion(field+".in", s.In), set(field+".signed_at", s.SignedAt), past(field+".signed_at", s.SignedAt, now),
		sha256Hex(field+".document_sha256", s.Document),
		each(field+".rules", s.Rules, func(f string, n int) error {
			if n < 1 || n > len(course.Rules) {
				return badField(f, "is not the number of a conduct rule", "Leave it out")
			}
			return nil
		}))
}

func (a RecordTraining) apply(e *snapshot.Edit, s Stamp) {
	a.Statement.SignedAt = a.Statement.SignedAt.UTC()
	e.Put(&snapshot.Training{ID: cmp.Or(a.ID, id.Training(s.ID)), Person: a.Person, Course: a.Course, Version: a.Version,
		Score: a.Score, Passed: a.Passed, CompletedAt: a.CompletedAt.UTC(), ExpiresAt: a.ExpiresAt.UTC(), RecordedBy: s.By,
		Source: a.Source, Modules: a.Modules, Hours: a.Hours, External: a.External, Statement: a.Statement})
}

// ImportTrainings records completions that a learning management system tells of: all
// of them or none. Each is of a course that is approved, which says how long it counts.
// A connector does it for its own vendor's people (the organisation's, for all); a
// person, for everybody but themself.
type ImportTrainings struct {
	Completions []Completion `json:"completions"`
}

// Completion is one completion out of a learning management system.
type Completion = course.Completion

// MaxCompletions bounds one import.
const MaxCompletions = course.MaxTold

// Subject implements Act.
func (a ImportTrainings) Subject() snapshot.Subject {
	return subject(snapshot.NounTraining, id.Training(""))
}

func (a ImportTrainings) apart(*snapshot.View) []id.Person {
	var out []id.Person
	for _, c := range a.Completions {
		if !slices.Contains(out, c.Person) {
			out = append(out, c.Person)
		}
	}
	return out
}

func (a ImportTrainings) about(v *snapshot.View, by Actor) party {
	p := party{connectors: []snapshot.ConnectorKind{snapshot.LMS}}
	c, ok := v.Connectors.Get(by.Connector)
	if !ok || c.Vendor == "" {
		return p // the organisation's own system tells of everybody
	}
	for _, x := range a.Completions {
		if of, ok := v.Persons.Get(x.Person); !ok || of.Vendor != c.Vendor {
			return party{}
		}
	}
	p.vendor = c.Vendor
	return p
}

func (a ImportTrainings) check(v *snapshot.View, _ Actor, now time.Time) error {
	if n := len(a.Completions); n == 0 || n > MaxCompletions {
		return badField("completions", fmt.Sprintf("has %d rows", n), fmt.Sprintf("Send 1 to %d at once", MaxCompletions))
	}
	taken := map[string]bool{}
	for _, t := range v.Trainings.All() {
		taken[t.External] = true
	}
	for i, c := range a.Completions {
		f := func(name string) string { return fmt.Sprintf("completions[%d].%s", i, name) }
		if err := first(exists(f("person"), v.Persons, c.Person), required(f("course"), c.Course, `"privacy-101"`), required(f("version"), c.Version, `"3"`),
			share(f("score"), c.Score), set(f("completed_at"), c.CompletedAt), past(f("completed_at"), c.CompletedAt, now), hours(f("hours"), c.Hours),
			required(f("external"), c.External, `"row-1"`)); err != nil {
			return err
		}
		of, ok := course.Approved(v, c.Course, c.Version)
		switch {
		case !ok:
			return badField(f("course"), fmt.Sprintf("no course %q in version %q is approved", c.Course, c.Version), "Propose it and have another person approve it: sallyport course propose")
		case c.Score < of.PassMark:
			return badField(f("score"), fmt.Sprintf("is below the course's pass mark of %v", of.PassMark), "Leave out who has not passed")
		case taken[c.External]:
			return conflict(f("external"), "This completion is recorded already, or stands there twice", "Leave it out: a completion is recorded once")
		}
		taken[c.External] = true
	}
	return nil
}

func (a ImportTrainings) apply(e *snapshot.Edit, s Stamp) {
	v := e.View()
	for i, c := range a.Completions {
		of, ok := course.Approved(v, c.Course, c.Version)
		if !ok {
			continue // Check has refused it
		}
		e.Put(&snapshot.Training{ID: id.Training(fmt.Sprintf("%s-%d", s.ID, i+1)), Person: c.Person, Course: c.Course, Version: c.Version, Score: c.Score,
			Passed: true, CompletedAt: c.CompletedAt.UTC(), ExpiresAt: hipaa.AddMonths(c.CompletedAt.UTC(), of.RefreshMonths), RecordedBy: s.By,
			Source: snapshot.FromLMS, Modules: slices.Clone(of.Covers), Hours: c.Hours, External: c.External})
	}
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

// AssignTraining says what training a person needs: the track of their work, and what
// State law counts by. It replaces what was said before. Nobody assigns their own.
type AssignTraining struct {
	ID        id.Person `json:"id"`
	Track     string    `json:"track,omitempty"` // "DS", "MLE", "ANN", "SUP", "EXE"; empty: none
	HiredAt   time.Time `json:"hired_at,omitzero"`
	WorkState string    `json:"work_state,omitempty"` // "US-TX"; empty: the person's region
}

// Subject implements Act.
func (a AssignTraining) Subject() snapshot.Subject { return subject(snapshot.NounPerson, a.ID) }

func (a AssignTraining) apart(*snapshot.View) []id.Person { return []id.Person{a.ID} }

func (a AssignTraining) check(v *snapshot.View, _ Actor, now time.Time) error {
	if a.Track != "" {
		if err := oneOf("track", a.Track, course.TrackIDs()); err != nil {
			return err
		}
	}
	p, ok := v.Persons.Get(a.ID)
	if !ok {
		return found("id", v.Persons, a.ID)
	}
	// A region that is a State says where the person works; to name another would be
	// a way around that State's law.
	if a.WorkState != "" && strings.Contains(p.Region, "-") && a.WorkState != p.Region {
		return badField("work_state", "is another than the person's region, "+p.Region, "Have the person's region corrected: sallyport person amend")
	}
	return first(optionalRegion("work_state", a.WorkState), setOrNone("hired_at", a.HiredAt), past("hired_at", a.HiredAt, now))
}

func (a AssignTraining) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Persons, a.ID, func(p *snapshot.Person) {
		p.Track, p.HiredAt, p.WorkState = a.Track, a.HiredAt.UTC(), a.WorkState
	})
}
