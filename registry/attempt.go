package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// onlySelf wants the person themself: nobody takes a course for another, whatever
// their duties.
func onlySelf(person id.Person, by Actor) error {
	if by.Person == "" || by.Person != person {
		return conflict("", "An attempt is the person's own", "Have the person do it, signed in as themself")
	}
	return nil
}

// ofAttempt is what an act about an attempt is about: its person.
func ofAttempt(v *snapshot.View, key id.Attempt) party {
	if a, ok := v.Attempts.Get(key); ok {
		return party{person: a.Person}
	}
	return party{}
}

// openAttempt finds the actor's own attempt, which must be under way, on the course as
// it is built in now.
func openAttempt(v *snapshot.View, key id.Attempt, by Actor) (*snapshot.Attempt, error) {
	a, ok := v.Attempts.Get(key)
	if !ok {
		return nil, found("id", v.Attempts, key)
	}
	if err := onlySelf(a.Person, by); err != nil {
		return nil, err
	}
	if a.Stage != snapshot.AttemptOpen {
		return nil, conflict("id", "The attempt is over", "Begin another: attempt start")
	}
	if a.Content != course.Current().Digest {
		return nil, conflict("id", "The course has changed since the attempt began", "Abandon it and begin another: attempt abandon")
	}
	return a, nil
}

// askedIn are the questions of an attempt.
func drawnFor(a *snapshot.Attempt) []course.Asked {
	return course.Current().Draw(a.Track, a.Modules, a.Seed)
}

// StartAttempt begins the product's course, for the person themself.
type StartAttempt struct {
	ID     id.Attempt `json:"id,omitempty"` // made if left out
	Person id.Person  `json:"person"`
	Track  string     `json:"track"` // "DS", "MLE", "ANN", "SUP", "EXE"
}

// Subject implements Act.
func (a StartAttempt) Subject() snapshot.Subject { return subject(snapshot.NounAttempt, a.ID) }

func (a StartAttempt) about(*snapshot.View, Actor) party { return party{person: a.Person} }

func (a StartAttempt) check(v *snapshot.View, by Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Attempts, a.ID), exists("person", v.Persons, a.Person), onlySelf(a.Person, by),
		oneOf("track", a.Track, course.TrackIDs())); err != nil {
		return err
	}
	if p, _ := v.Persons.Get(a.Person); p.Track != "" && p.Track != a.Track {
		return badField("track", "is another than the person's", "Take track "+p.Track+", or have another assigned")
	}
	var ended []time.Time // lately, without a pass
	for _, x := range v.AttemptsOf(a.Person) {
		switch x.Stage {
		case snapshot.AttemptOpen:
			return conflict("", "An attempt is under way", "Go on with "+string(x.ID)+", or abandon it")
		case snapshot.AttemptFailed, snapshot.AttemptAbandoned:
			if now.Before(x.EndedAt.Add(course.TriesWithin)) {
				ended = append(ended, x.EndedAt)
			}
		}
	}
	if len(ended) >= course.MaxTries {
		slices.SortFunc(ended, time.Time.Compare)
		again := ended[len(ended)-course.MaxTries].Add(course.TriesWithin)
		return conflict("", fmt.Sprintf("There were %d attempts without a pass within a day (policy)", len(ended)),
			"Read the lessons again; the next attempt can begin at "+again.UTC().Format(time.RFC3339))
	}
	return nil
}

func (a StartAttempt) apply(e *snapshot.Edit, s Stamp) {
	p, _ := e.View().Persons.Get(a.Person)
	as := *p
	as.Track = a.Track
	e.Put(&snapshot.Attempt{ID: cmp.Or(a.ID, id.Attempt(s.ID)), Person: a.Person, Vendor: p.Vendor, Course: course.Name, Version: course.Edition,
		Track: a.Track, Modules: course.Needs(&as), Content: course.Current().Digest, Seed: course.Seed(string(s.ID)), Stage: snapshot.AttemptOpen, StartedAt: s.At})
}

// ReadLesson notes that the person has read a lesson.
type ReadLesson struct {
	ID     id.Attempt `json:"id"`
	Lesson string     `json:"lesson"`
}

// Subject implements Act.
func (a ReadLesson) Subject() snapshot.Subject { return subject(snapshot.NounAttempt, a.ID) }

func (a ReadLesson) about(v *snapshot.View, _ Actor) party { return ofAttempt(v, a.ID) }

func (a ReadLesson) check(v *snapshot.View, by Actor, _ time.Time) error {
	x, err := openAttempt(v, a.ID, by)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(course.Current().LessonsFor(x.Track, x.Modules), func(l course.Lesson) bool { return l.ID == a.Lesson }) {
		return badField("lesson", fmt.Sprintf("%q is not of this attempt", a.Lesson), "See the lessons on the course's page")
	}
	return nil
}

func (a ReadLesson) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Attempts, a.ID, func(x *snapshot.Attempt) { x.Lessons = with(x.Lessons, a.Lesson, true) })
}

// with is a copy of a map with one more entry: records share no memory.
func with[K comparable, V any](m map[K]V, key K, v V) map[K]V {
	out := maps.Clone(m)
	if out == nil {
		out = map[K]V{}
	}
	out[key] = v
	return out
}

// DoDrill hands in the answer of a practical drill. Only a right one is done.
type DoDrill struct {
	ID     id.Attempt `json:"id"`
	Drill  string     `json:"drill"`
	Answer string     `json:"answer"`
}

// Subject implements Act.
func (a DoDrill) Subject() snapshot.Subject { return subject(snapshot.NounAttempt, a.ID) }

func (a DoDrill) about(v *snapshot.View, _ Actor) party { return ofAttempt(v, a.ID) }

func (a DoDrill) check(v *snapshot.View, by Actor, _ time.Time) error {
	x, err := openAttempt(v, a.ID, by)
	if err != nil {
		return err
	}
	t, ok := course.Current().Drill(a.Drill)
	if !ok || !course.For(t.Tracks, x.Track) || !slices.Contains(x.Modules, t.Module) {
		return badField("drill", fmt.Sprintf("%q is not of this attempt", a.Drill), "See the drills on the course's page")
	}
	if err := required("answer", a.Answer, `"7"`); err != nil {
		return err
	}
	if !t.Check.Right(a.Answer) {
		return badField("answer", "is not right", "Go through the steps again; nothing is counted against you")
	}
	return nil
}

func (a DoDrill) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Attempts, a.ID, func(x *snapshot.Attempt) { x.Drills = with(x.Drills, a.Drill, true) })
}

// AnswerAttempt saves one answer. It can be changed until the attempt is finished.
type AnswerAttempt struct {
	ID       id.Attempt `json:"id"`
	Question string     `json:"question"`
	Option   string     `json:"option"` // the letter under which this attempt shows it, "a" to "d"
}

// Subject implements Act.
func (a AnswerAttempt) Subject() snapshot.Subject { return subject(snapshot.NounAttempt, a.ID) }

func (a AnswerAttempt) about(v *snapshot.View, _ Actor) party { return ofAttempt(v, a.ID) }

func (a AnswerAttempt) check(v *snapshot.View, by Actor, _ time.Time) error {
	x, err := openAttempt(v, a.ID, by)
	if err != nil {
		return err
	}
	for _, q := range drawnFor(x) {
		if q.ID != a.Question {
			continue
		}
		if _, ok := q.Key(a.Option); !ok {
			return badField("option", fmt.Sprintf("%q is not an option", a.Option), "Use a, b, c or d, as they are shown")
		}
		return nil
	}
	return badField("question", fmt.Sprintf("%q is not asked in this attempt", a.Question), "See the questions on the test's page")
}

func (a AnswerAttempt) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Attempts, a.ID, func(x *snapshot.Attempt) {
		for _, q := range drawnFor(x) {
			if key, ok := q.Key(a.Option); ok && q.ID == a.Question {
				x.Answers = with(x.Answers, a.Question, key)
			}
		}
	})
}

// FinishAttempt hands the attempt in. It is marked here, by the record alone, and a
// pass makes the completion: nobody records it. A pass needs the conduct rules
// attested, with the person's name as signature.
type FinishAttempt struct {
	ID        id.Attempt `json:"id"`
	Attested  []int      `json:"attested,omitempty"`  // the numbers of the conduct rules, all of them
	Signature string     `json:"signature,omitempty"` // the person's name, as they type it
	In        string     `json:"in,omitempty"`        // State or country of work; left out: as the registry has it
}

// Subject implements Act.
func (a FinishAttempt) Subject() snapshot.Subject { return subject(snapshot.NounAttempt, a.ID) }

func (a FinishAttempt) about(v *snapshot.View, _ Actor) party { return ofAttempt(v, a.ID) }

func (a FinishAttempt) check(v *snapshot.View, by Actor, _ time.Time) error {
	x, err := openAttempt(v, a.ID, by)
	if err != nil {
		return err
	}
	unread := 0
	for _, l := range course.Current().LessonsFor(x.Track, x.Modules) {
		if !x.Lessons[l.ID] {
			unread++
		}
	}
	if unread > 0 {
		return conflict("id", fmt.Sprintf("%d lessons are not read yet", unread), "Read them, and say so at the end of each")
	}
	asked := drawnFor(x)
	marks := course.Current().Mark(asked, x.Answers)
	if marks.Answered < marks.Asked {
		return conflict("id", fmt.Sprintf("%d of %d questions are not answered yet", marks.Asked-marks.Answered, marks.Asked), "Answer them; you can change answers until you hand in")
	}
	// What is attested is checked whether it is a pass or not: else a refusal would tell.
	p, _ := v.Persons.Get(x.Person)
	for _, n := range course.AllRules() {
		if !slices.Contains(a.Attested, n) {
			return badField("attested", fmt.Sprintf("lacks conduct rule %d", n), "Read the rules and attest each of them")
		}
	}
	if len(a.Attested) != len(course.Rules) {
		return badField("attested", "names a rule that there is not, or one twice", "Attest each of the rules once")
	}
	if !sameName(a.Signature, p.Name) {
		return badField("signature", "is not your name", "Type your name as it is registered: "+p.Name)
	}
	if course.WorksIn(p) != "" && a.In != "" && a.In != course.WorksIn(p) {
		return badField("in", "is not where you are registered to work", "Leave it out, or have your place of work corrected: person assign-training")
	}
	return optionalRegion("in", a.In)
}

// sameName compares names without regard to case and spaces.
func sameName(a, b string) bool {
	return strings.EqualFold(strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " ")) && strings.TrimSpace(a) != ""
}

func (a FinishAttempt) apply(e *snapshot.Edit, s Stamp) {
	v := e.View()
	x, ok := v.Attempts.Get(a.ID)
	if !ok {
		return
	}
	p, _ := v.Persons.Get(x.Person)
	marks := course.Current().Mark(drawnFor(x), x.Answers)
	next := *x
	next.Score, next.EndedAt, next.Stage = marks.Score, s.At, snapshot.AttemptFailed
	if marks.Passed {
		next.Stage, next.Attested, next.Training = snapshot.AttemptPassed, slices.Sorted(slices.Values(a.Attested)), id.Training(s.ID)
		employer := ""
		if of, ok := v.Vendors.Get(p.Vendor); ok {
			employer = of.Name
		}
		track, _ := course.TrackOf(x.Track)
		e.Put(&snapshot.Training{ID: next.Training, Person: x.Person, Course: x.Course, Version: x.Version, Score: marks.Score, Passed: true,
			CompletedAt: s.At, ExpiresAt: s.At.Add(cmp.Or(v.Settings.CourseRefresh, course.DefaultRefresh)), RecordedBy: s.By,
			Source: snapshot.FromProduct, Modules: x.Modules, Track: x.Track, Content: x.Content, Hours: hoursOf(x),
			Statement: snapshot.TrainingStatement{Name: p.Name, Employer: employer, Role: track.Title, In: cmp.Or(a.In, course.WorksIn(p)),
				Rules: next.Attested, SignedAt: s.At}})
	}
	e.Put(&next)
}

// hoursOf is how long the lessons take, as their authors say: nobody measured it.
func hoursOf(x *snapshot.Attempt) float64 {
	minutes := 0
	for _, l := range course.Current().LessonsFor(x.Track, x.Modules) {
		minutes += l.Minutes
	}
	return float64(minutes) / 60
}

// AbandonAttempt ends an attempt without marking it. It counts as a try, so that nobody
// looks at one set of questions after another.
type AbandonAttempt struct {
	ID id.Attempt `json:"id"`
}

// Subject implements Act.
func (a AbandonAttempt) Subject() snapshot.Subject { return subject(snapshot.NounAttempt, a.ID) }

func (a AbandonAttempt) about(v *snapshot.View, _ Actor) party { return ofAttempt(v, a.ID) }

func (a AbandonAttempt) check(v *snapshot.View, by Actor, _ time.Time) error {
	x, ok := v.Attempts.Get(a.ID)
	if !ok {
		return found("id", v.Attempts, a.ID)
	}
	if err := onlySelf(x.Person, by); err != nil {
		return err
	}
	if x.Stage != snapshot.AttemptOpen {
		return conflict("id", "The attempt is over", "Nothing is left to do")
	}
	return nil
}

func (a AbandonAttempt) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Attempts, a.ID, func(x *snapshot.Attempt) {
		x.Stage, x.EndedAt = snapshot.AttemptAbandoned, s.At
	})
}
