package registry_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

var (
	course2 = registry.ProposeCourse{ID: "c2", Course: "privacy-101", Version: "3", Title: "Privacy for contractors", Activity: "https://lms.example.com/privacy-101",
		Covers: []string{"M1", "M2", "M5"}, PassMark: .8, RefreshMonths: 12}
	import2 = registry.ImportTrainings{Completions: []registry.Completion{{Person: "lin", Course: "privacy-101", Version: "3", Score: .9, CompletedAt: noon.Add(-time.Hour), External: "row-1"}}}
	start2  = registry.StartAttempt{ID: "a2", Person: "grace", Track: "EXE"}
)

func (w *world) attempt(key id.Attempt) *snapshot.Attempt {
	w.t.Helper()
	a, ok := w.view.Attempts.Get(key)
	if !ok {
		w.t.Fatalf("there is no attempt %s", key)
	}
	return a
}

// asked are the questions of an attempt.
func (w *world) asked(key id.Attempt) []course.Asked {
	a := w.attempt(key)
	return course.Current().Draw(a.Track, a.Modules, a.Seed)
}

// readAll reads every lesson of an attempt.
func (w *world) readAll(key id.Attempt) {
	w.t.Helper()
	a := w.attempt(key)
	for _, l := range course.Current().LessonsFor(a.Track, a.Modules) {
		w.must(a.Person, registry.ReadLesson{ID: key, Lesson: l.ID})
	}
}

// answer answers every question of an attempt, those of wrong wrongly.
func (w *world) answer(key id.Attempt, wrong ...string) {
	w.t.Helper()
	for _, q := range w.asked(key) {
		option := q.ShownAs(q.Correct)
		if slices.Contains(wrong, q.ID) {
			option = map[bool]string{true: "b", false: "a"}[option == "a"]
		}
		w.must(w.attempt(key).Person, registry.AnswerAttempt{ID: key, Question: q.ID, Option: option})
	}
}

func (w *world) hand(key id.Attempt) registry.FinishAttempt {
	p, _ := w.view.Persons.Get(w.attempt(key).Person)
	return registry.FinishAttempt{ID: key, Attested: course.AllRules(), Signature: p.Name}
}

func firstLesson() string {
	return course.Current().LessonsFor("EXE", []string{"M1"})[0].ID
}

// attemptBy begins an attempt by the person, reads and answers it.
func attemptBy(who id.Person, answered bool) func(w *world) {
	return func(w *world) {
		w.must(who, registry.StartAttempt{ID: "a2", Person: who, Track: "EXE"})
		w.readAll("a2")
		if answered {
			w.answer("a2")
		}
	}
}

func approvedCourse(w *world) {
	w.must("ada", course2)
	w.must("grace", registry.ApproveCourse{ID: "c2"})
}

// trainingScenarios are those of acts_training.go.
var trainingScenarios = map[registry.Kind]scenario{
	"person.assign-training": {allowed: act(registry.AssignTraining{ID: "lin", Track: "MLE", HiredAt: noon.AddDate(-1, 0, 0), WorkState: "US-TX"}), refused: []refusal{
		bad("track", registry.AssignTraining{ID: "lin", Track: "PILOT"}),
		bad("work_state", registry.AssignTraining{ID: "lin", WorkState: "Texas"}),
		bad("hired_at", registry.AssignTraining{ID: "lin", HiredAt: noon.Add(time.Hour)}),
		gone(registry.AssignTraining{ID: "nobody-here"}),
		{act(registry.AssignTraining{ID: "grace", Track: "EXE"}), "", problem.Refused}}},
	"training.import": {before: approvedCourse, allowed: act(import2), refused: []refusal{
		bad("completions", registry.ImportTrainings{}),
		bad("completions[0].course", withRow(func(c *registry.Completion) { c.Version = "4" })),
		bad("completions[0].score", withRow(func(c *registry.Completion) { c.Score = .5 })),
		bad("completions[0].score", withRow(func(c *registry.Completion) { c.Score = math.NaN() })),
		bad("completions[0].person", withRow(func(c *registry.Completion) { c.Person = "linn" })),
		bad("completions[0].completed_at", withRow(func(c *registry.Completion) { c.CompletedAt = noon.Add(time.Hour) })),
		bad("completions[0].external", withRow(func(c *registry.Completion) { c.External = "" })),
		{act(registry.ImportTrainings{Completions: append(slices.Clone(import2.Completions), import2.Completions...)}), "completions[1].external", problem.Conflict},
		{act(withRow(func(c *registry.Completion) { c.Person = "grace" })), "", problem.Refused}}},
	"course.propose": {allowed: act(course2), refused: []refusal{
		bad("covers", with(course2, func(a *registry.ProposeCourse) { a.Covers = nil })),
		bad("covers[0]", with(course2, func(a *registry.ProposeCourse) { a.Covers = []string{"M7"} })),
		bad("covers[1]", with(course2, func(a *registry.ProposeCourse) { a.Covers = []string{"M1", "M1"} })),
		bad("pass_mark", with(course2, func(a *registry.ProposeCourse) { a.PassMark = 85 })),
		bad("refresh_months", with(course2, func(a *registry.ProposeCourse) { a.RefreshMonths = 0 })),
		bad("activity", with(course2, func(a *registry.ProposeCourse) { a.Activity = "privacy" })),
		bad("grace_ends", with(course2, func(a *registry.ProposeCourse) { a.Material = true })),
		bad("grace_ends", with(course2, func(a *registry.ProposeCourse) { a.Material, a.GraceEnds = true, noon })),
		bad("grace_ends", with(course2, func(a *registry.ProposeCourse) { a.GraceEnds = year })),
		bad("course", with(course2, func(a *registry.ProposeCourse) { a.Course = registrytest.Settings().Course }))}},
	"course.approve": {before: by("ada", course2), allowed: act(registry.ApproveCourse{ID: "c2"}), refused: []refusal{gone(registry.ApproveCourse{ID: "c9"})}},
	"course.retire":  {before: approvedCourse, allowed: act(registry.RetireCourse{ID: "c2"}), refused: []refusal{gone(registry.RetireCourse{ID: "c9"})}},
	"course.publish-version": {allowed: act(registry.PublishVersion{ID: "v2", Version: "2026.2", Title: "State law added", Material: true, GraceEnds: noon.AddDate(0, 1, 0)}), refused: []refusal{
		bad("version", registry.PublishVersion{ID: "v2", Version: "2025", Title: "older"}),
		bad("version", registry.PublishVersion{ID: "v2", Version: "next", Title: "no number"}),
		bad("grace_ends", registry.PublishVersion{ID: "v2", Version: "2026.2", Title: "x", Material: true})}},
	"attempt.start": {allowed: act(start2), refused: []refusal{
		bad("track", with(start2, func(a *registry.StartAttempt) { a.Track = "ALL" })),
		bad("person", with(start2, func(a *registry.StartAttempt) { a.Person = "graze" })),
		wrongState(with(start2, func(a *registry.StartAttempt) { a.Person = "lin" }))}},
	"attempt.read-lesson": {before: by("grace", start2), allowed: func(*world) registry.Act { return registry.ReadLesson{ID: "a2", Lesson: firstLesson()} }, refused: []refusal{
		bad("lesson", registry.ReadLesson{ID: "a2", Lesson: "knitting"}), gone(registry.ReadLesson{ID: "a9", Lesson: "x"})}},
	"attempt.do-drill": {before: by("grace", with(start2, func(a *registry.StartAttempt) { a.Track = "MLE" })),
		allowed: func(*world) registry.Act {
			return registry.DoDrill{ID: "a2", Drill: "find-phi-notebook", Answer: course.Drill("find-phi-notebook").Answer}
		}, refused: []refusal{
			bad("answer", registry.DoDrill{ID: "a2", Drill: "find-phi-notebook", Answer: "99"}),
			bad("drill", registry.DoDrill{ID: "a2", Drill: "none", Answer: "1"})}},
	"attempt.answer": {before: by("grace", start2), allowed: func(w *world) registry.Act {
		return registry.AnswerAttempt{ID: "a2", Question: w.asked("a2")[0].ID, Option: "c"}
	}, refused: []refusal{
		bad("question", registry.AnswerAttempt{ID: "a2", Question: "TQ-99", Option: "a"}),
		bad("option", registry.AnswerAttempt{ID: "a2", Question: "TQ-01", Option: "C"})}},
	"attempt.finish": {before: attemptBy("grace", true), allowed: func(w *world) registry.Act { return w.hand("a2") }, refused: []refusal{
		bad("attested", registry.FinishAttempt{ID: "a2", Signature: "Grace Example"}),
		bad("attested", registry.FinishAttempt{ID: "a2", Signature: "Grace Example", Attested: []int{1, 2, 3, 4, 5, 6}}),
		bad("attested", registry.FinishAttempt{ID: "a2", Signature: "Grace Example", Attested: append(course.AllRules(), 8)}),
		bad("signature", registry.FinishAttempt{ID: "a2", Attested: course.AllRules()}),
		bad("signature", registry.FinishAttempt{ID: "a2", Attested: course.AllRules(), Signature: "Lin Example"}),
		bad("in", registry.FinishAttempt{ID: "a2", Attested: course.AllRules(), Signature: "Grace Example", In: "Texas"}),
		gone(registry.FinishAttempt{ID: "a9"})}},
	"attempt.abandon": {before: by("grace", start2), allowed: act(registry.AbandonAttempt{ID: "a2"}), refused: []refusal{gone(registry.AbandonAttempt{ID: "a9"})}},
}

func withRow(f func(*registry.Completion)) registry.ImportTrainings {
	row := import2.Completions[0]
	f(&row)
	return registry.ImportTrainings{Completions: []registry.Completion{row}}
}

// Nobody takes the course for another, whatever their duties: each act of an attempt is
// tried by everybody else.
func TestAnAttemptIsThePersonsOwn(t *testing.T) {
	w := demoWorld(t)
	attemptBy("lin", true)(w)
	for _, a := range []registry.Act{
		registry.ReadLesson{ID: "a2", Lesson: firstLesson()}, registry.AnswerAttempt{ID: "a2", Question: "TQ-01", Option: "a"},
		registry.AbandonAttempt{ID: "a2"}, w.hand("a2"), registry.DoDrill{ID: "a2", Drill: "x", Answer: "1"},
	} {
		for _, who := range []id.Person{"ada", "grace", "eve", "otto", "nobody"} {
			if err := w.do(who, a); err == nil {
				t.Errorf("%T by %s is allowed", a, who)
			}
		}
	}
	if err := w.do("grace", registry.StartAttempt{Person: "eve", Track: "EXE"}); err == nil {
		t.Error("an attempt for another")
	}
	w.must("lin", w.hand("a2"))
}

// Failed, waited, resumed, passed: the completion is made of the record alone.
func TestTheCourseIsFailedAndPassed(t *testing.T) {
	w := demoWorld(t)
	w.must("lin", registry.StartAttempt{ID: "a1", Person: "lin", Track: "MLE"})
	if err := w.do("lin", registry.StartAttempt{ID: "a2", Person: "lin", Track: "MLE"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a second attempt beside the first: %v", err)
	}
	if err := w.do("lin", w.hand("a1")); err == nil || !strings.Contains(err.Error(), "lessons") {
		t.Errorf("without a lesson read: %v", err)
	}
	w.readAll("a1")
	if err := w.do("lin", w.hand("a1")); err == nil || !strings.Contains(err.Error(), "questions") {
		t.Errorf("without an answer: %v", err)
	}
	before := len(w.view.TrainingsOf("lin"))
	w.answer("a1", "TQ-01") // one wrong, and critical
	w.must("lin", w.hand("a1"))
	if a := w.attempt("a1"); a.Stage != snapshot.AttemptFailed || a.Score != .95 || a.Training != "" || len(w.view.TrainingsOf("lin")) != before {
		t.Fatalf("got %+v", a)
	}
	for _, a := range []registry.Act{registry.AnswerAttempt{ID: "a1", Question: "TQ-01", Option: "a"}, w.hand("a1"), registry.AbandonAttempt{ID: "a1"}} {
		if err := w.do("lin", a); problem.From(err).Kind != problem.Conflict {
			t.Errorf("%T after the end: %v", a, err)
		}
	}
	w.must("lin", registry.StartAttempt{ID: "a2", Person: "lin", Track: "MLE"})
	w.must("lin", registry.AbandonAttempt{ID: "a2"})
	w.now = w.now.Add(time.Hour)
	w.must("lin", registry.StartAttempt{ID: "a3", Person: "lin", Track: "MLE"})
	w.must("lin", registry.AbandonAttempt{ID: "a3"})
	again := registry.StartAttempt{ID: "a4", Person: "lin", Track: "MLE"}
	err := w.do("lin", again)
	if p := problem.From(err); p.Kind != problem.Conflict || !strings.Contains(p.NextStep, noon.Add(24*time.Hour).Format(time.RFC3339)) {
		t.Fatalf("a fourth try: %v", err)
	}
	w.now = noon.Add(24 * time.Hour)
	w.must("lin", again)
	if w.attempt("a4").Seed == w.attempt("a1").Seed {
		t.Error("the same questions again")
	}
	w.readAll("a4")
	w.answer("a4")
	w.must("lin", w.hand("a4"))
	a := w.attempt("a4")
	tr, ok := w.view.Trainings.Get(a.Training)
	if !ok || a.Stage != snapshot.AttemptPassed || tr.Score != 1 || tr.RecordedBy != "lin" || tr.Source != snapshot.FromProduct || tr.Track != "MLE" || len(tr.Modules) != 6 ||
		tr.Content != course.Current().Digest || !tr.ExpiresAt.Equal(w.now.Add(course.DefaultRefresh)) || tr.Hours <= 0 {
		t.Fatalf("got %+v", tr)
	}
	if s := tr.Statement; s.Name != "Lin Example" || s.Employer != "Northwind AI, Inc." || s.In != "US" || len(s.Rules) != 7 || s.SignedAt.IsZero() {
		t.Errorf("got %+v", s)
	}
}

// Nobody can record a completion of theirs as the product's.
func TestOnlyTheRegistryMarks(t *testing.T) {
	w := demoWorld(t)
	err := w.do("grace", with(training2, func(a *registry.RecordTraining) { a.Source = snapshot.FromProduct }))
	if p := problem.From(err); p.Field != "source" {
		t.Errorf("got %v", err)
	}
}

// A vendor's system tells of its own people and of nobody else's; the organisation's of
// all; and only of courses that are approved.
func TestAnLMSTellsOfItsOwn(t *testing.T) {
	w := demoWorld(t)
	approvedCourse(w)
	w.must("ada", registry.ProposeVendor{ID: "southwind", Name: "Southwind", Contact: "x@southwind.example"})
	w.must("grace", registry.ApproveVendor{ID: "southwind"})
	w.must("ada", registry.ProposePerson{ID: "kit", Vendor: "southwind", Name: "Kit", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	for i, c := range []registry.RegisterConnector{{ID: "lms-north", Vendor: "northwind"}, {ID: "lms-own"}, {ID: "scim-north", Vendor: "northwind", Kind: snapshot.SCIMClient}} {
		if c.Kind == "" {
			c.Kind = snapshot.LMS
		}
		c.Name, c.Token256 = "LMS", strings.Repeat(string(rune('a'+i)), 64)
		w.must("ada", c)
		w.must("grace", registry.ApproveConnector{ID: c.ID})
	}
	row := func(person id.Person, external string) registry.ImportTrainings {
		return withRow(func(c *registry.Completion) { c.Person, c.External = person, external })
	}
	try := func(c id.Connector, a registry.Act) error {
		by := registry.Actor{Connector: c}
		if err := registry.Authorize(w.engine, w.view, by, a, w.now); err != nil {
			return err
		}
		if err := registry.Check(w.view, by, a, w.now); err != nil {
			return err
		}
		w.view, _ = registry.Apply(w.view, a, registry.Stamp{ID: id.New[id.Act](w.now), By: by.Name(), At: w.now})
		return nil
	}
	for _, c := range []struct {
		connector id.Connector
		person    id.Person
		ok        bool
	}{{"lms-north", "lin", true}, {"lms-north", "kit", false}, {"lms-north", "grace", false}, {"lms-own", "kit", true}, {"lms-own", "lin", true},
		{"lms-own", "eve", true}, {"scim-north", "lin", false}, {"lms-none", "lin", false}} {
		err := try(c.connector, row(c.person, string(c.connector)+string(c.person)))
		if (err == nil) != c.ok {
			t.Errorf("%s tells of %s: %v", c.connector, c.person, err)
		}
	}
	if tr := w.view.TrainingsOf("lin"); tr[0].Source != snapshot.FromLMS || !tr[0].ExpiresAt.Equal(noon.Add(-time.Hour).AddDate(1, 0, 0)) || !slices.Equal(tr[0].Modules, []string{"M1", "M2", "M5"}) {
		t.Errorf("got %+v", tr[0])
	}
	w.must("grace", registry.RetireCourse{ID: "c2"})
	if err := try("lms-own", row("lin", "later")); err == nil {
		t.Error("a retired course counts")
	}
}
