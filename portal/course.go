package portal

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Badges signs what says that a person passed.
type Badges interface {
	Badge(*snapshot.Training) (string, error)
}

const courseHome = "/portal/course"

// courseRoutes are the pages of the course. Each is for a person who is signed in, about
// themself: no address names another person's attempt or completion with success.
func (s *server) courseRoutes() []route {
	return []route{
		{"GET /portal/course", s.course, 0},
		{"POST /portal/course/start", s.courseStart, 0},
		{"POST /portal/course/abandon", s.courseAbandon, 0},
		{"GET /portal/course/lesson/{id}", s.lesson, 0},
		{"POST /portal/course/lesson/{id}", s.lessonRead, 0},
		{"GET /portal/course/exercise/{id}", s.exercise, 0},
		{"POST /portal/course/exercise/{id}", s.exercise, 0},
		{"GET /portal/course/drill/{id}", s.drill, 0},
		{"POST /portal/course/drill/{id}", s.drill, 0},
		{"GET /portal/course/test", s.test, 0},
		{"GET /portal/course/test/{n}", s.question, 0},
		{"POST /portal/course/test/{n}", s.question, 0},
		{"GET /portal/course/handin", s.handin, 0},
		{"POST /portal/course/handin", s.handin, 0},
		{"GET /portal/course/result/{id}", s.result, 0},
		{"GET /portal/course/certificate/{id}", s.certificate, 0},
		{"GET /portal/course/badge/{id}", s.badge, 0},
	}
}

// trainingTask says what waits of the course.
func trainingTask(v *snapshot.View, x visitor, now time.Time) []Task {
	if x.Person == nil || x.Person.State != snapshot.Approved {
		return nil
	}
	if a := openAttempt(v, x.Person.ID); a != nil {
		return []Task{{"Go on with your training", courseHome, "An attempt is under way, begun on " + day(a.StartedAt) + "."}}
	}
	st := standing(v, x.Person, now)
	switch {
	case !st.Current(now) && (x.Person.Vendor != "" || x.Person.Track != ""):
		return []Task{{"Take the training", courseHome, "Yours does not count now: data is held back until it does."}}
	case st.Current(now) && st.ExpiresAt.Before(now.AddDate(0, 1, 0)):
		return []Task{{"Renew your training", courseHome, "It counts until " + when(st.ExpiresAt) + "."}}
	}
	return nil
}

// myStanding is a person's standing, as a page shows it.
type myStanding struct{ course.Standing }

func standing(v *snapshot.View, p *snapshot.Person, now time.Time) myStanding {
	return myStanding{course.Assess(v, p, nil, by(now))}
}

func by(now time.Time) func(time.Time) bool {
	return func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
}

// Current says whether the training counts now.
func (m myStanding) Current(now time.Time) bool { return m.Standing.Current(by(now)) }

func openAttempt(v *snapshot.View, p id.Person) *snapshot.Attempt {
	for _, a := range v.AttemptsOf(p) {
		if a.Stage == snapshot.AttemptOpen {
			return a
		}
	}
	return nil
}

// learner is the person who is signed in. Not ok: the answer is written.
func (s *server) learner(w http.ResponseWriter, r *http.Request) (visitor, bool) {
	for _, x := range s.visitors(r) {
		if x.Person != nil {
			if err := s.mayAct(r); err != nil {
				s.fail(w, r, err)
				return visitor{}, false
			}
			return x, true
		}
	}
	next := courseHome
	if r.Method == http.MethodGet {
		next = r.URL.Path
	}
	http.Redirect(w, r, "/signin?"+url.Values{"next": {next}}.Encode(), http.StatusSeeOther)
	return visitor{}, false
}

// underway is the learner's open attempt. Not ok: the answer is written.
func (s *server) underway(w http.ResponseWriter, r *http.Request) (visitor, *snapshot.Attempt, bool) {
	x, ok := s.learner(w, r)
	if !ok {
		return x, nil, false
	}
	a := openAttempt(s.Registry.View(), x.Person.ID)
	if a == nil {
		http.Redirect(w, r, courseHome, http.StatusSeeOther)
		return x, nil, false
	}
	return x, a, true
}

// learn does an act as the learner.
func (s *server) learn(r *http.Request, x visitor, a registry.Act) error {
	_, err := s.Registry.Do(r.Context(), x.Actor, a, registry.Meta{Reason: "on the pages of the course"})
	return err
}

// coursePage is the learner's training, and the attempt that is under way.
type coursePage struct {
	Person      *snapshot.Person
	Standing    myStanding
	Current     bool
	Counts      bool // the product's course is one that counts
	WorksIn     string
	Overlay     *course.Overlay
	Completions []completionRow
	Attempt     *snapshot.Attempt
	Changed     bool // the course has changed since the attempt began
	Modules     []moduleRow
	Read, All   int
	Answered    int
	Asked       int
	Tracks      []course.Track
	Past        []*snapshot.Attempt
	Refresh     string
	Errors      []formError
}

type completionRow struct {
	*snapshot.Training
	Title  string
	Counts bool
}

type moduleRow struct {
	course.Module
	Lessons   []lessonRow
	Exercises []course.Exercise
	Drills    []drillRow
}

type lessonRow struct {
	course.Lesson
	Read bool
}

type drillRow struct {
	course.Task
	Done bool
}

// wrong is an act's refusal as mistakes of a form.
func wrong(err error, field string) []formError {
	if err == nil {
		return nil
	}
	p := problem.From(err)
	text := sentence(fieldTitle(p)) + " " + sentence(p.NextStep)
	for _, r := range p.Reasons {
		text += " " + sentence(r.Message)
	}
	return []formError{{field, strings.TrimSpace(text)}}
}

func (s *server) course(w http.ResponseWriter, r *http.Request) {
	x, ok := s.learner(w, r)
	if !ok {
		return
	}
	s.showCourse(w, r, http.StatusOK, x, nil)
}

func (s *server) showCourse(w http.ResponseWriter, r *http.Request, status int, x visitor, errs []formError) {
	v, now, c := s.Registry.View(), s.Now(), course.Current()
	st := standing(v, x.Person, now)
	p := coursePage{Person: x.Person, Standing: st, Current: st.Current(now), WorksIn: course.WorksIn(x.Person), Tracks: course.Tracks, Errors: errs}
	_, p.Counts = course.Counts(v, &snapshot.Training{Course: course.Name, Version: course.Edition, Score: 1})
	if o, ok := course.OverlayOf(p.WorksIn); ok {
		p.Overlay = &o
	}
	if x.Person.Track != "" {
		p.Tracks = slices.DeleteFunc(slices.Clone(p.Tracks), func(t course.Track) bool { return t.ID != x.Person.Track })
	}
	for _, t := range slices.Backward(v.TrainingsOf(x.Person.ID)) {
		_, counts := course.Counts(v, t)
		p.Completions = append(p.Completions, completionRow{t, course.TitleOf(v, t), counts && t.Passed && t.RevokedAt.IsZero() && now.Before(t.ExpiresAt)})
	}
	for _, a := range slices.Backward(v.AttemptsOf(x.Person.ID)) {
		if a.Stage != snapshot.AttemptOpen {
			p.Past = append(p.Past, a)
			continue
		}
		p.Attempt, p.Changed = a, a.Content != c.Digest
		lessons := c.LessonsFor(a.Track, a.Modules)
		for _, m := range course.Modules {
			if !slices.Contains(a.Modules, m.ID) {
				continue
			}
			row := moduleRow{Module: m, Exercises: c.ExercisesFor(a.Track, m.ID)}
			for _, d := range c.DrillsFor(a.Track, m.ID) {
				row.Drills = append(row.Drills, drillRow{d, a.Drills[d.ID]})
			}
			for _, l := range lessons {
				if l.Module == m.ID {
					row.Lessons = append(row.Lessons, lessonRow{l, a.Lessons[l.ID]})
					p.All++
					if a.Lessons[l.ID] {
						p.Read++
					}
				}
			}
			p.Modules = append(p.Modules, row)
		}
		asked := c.Draw(a.Track, a.Modules, a.Seed)
		p.Asked, p.Answered = len(asked), c.Mark(asked, a.Answers).Answered
	}
	s.show(w, r, status, "course", "My training", p)
}

func (s *server) courseStart(w http.ResponseWriter, r *http.Request) {
	x, ok := s.learner(w, r)
	if !ok {
		return
	}
	if err := s.learn(r, x, registry.StartAttempt{Person: x.Person.ID, Track: r.PostFormValue("track")}); err != nil {
		s.showCourse(w, r, problem.From(err).Kind.Status(), x, wrong(err, "track"))
		return
	}
	http.Redirect(w, r, courseHome, http.StatusSeeOther)
}

func (s *server) courseAbandon(w http.ResponseWriter, r *http.Request) {
	x, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	if err := s.learn(r, x, registry.AbandonAttempt{ID: a.ID}); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, courseHome, http.StatusSeeOther)
}

// completion is the learner's own completion, for what is drawn of it.
func (s *server) completion(w http.ResponseWriter, r *http.Request) (*snapshot.Training, bool) {
	x, ok := s.learner(w, r)
	if !ok {
		return nil, false
	}
	t, ok := s.Registry.View().Trainings.Get(id.Training(r.PathValue("id")))
	if !ok || t.Person != x.Person.ID {
		s.fail(w, r, problem.New(problem.NotFound, "There is no such completion of yours", "See them on the page My training"))
		return nil, false
	}
	return t, true
}

func (s *server) certificate(w http.ResponseWriter, r *http.Request) {
	t, ok := s.completion(w, r)
	if !ok {
		return
	}
	doc, err := course.Certificate(s.Organisation, s.Registry.View(), t)
	if err != nil {
		s.fail(w, r, problem.New(problem.Conflict, "The completion is no pass, or was revoked", "A certificate is for a completion that counts: pass the course again").Because(err))
		return
	}
	raw, err := paper.PDF(doc)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	attach(w, "application/pdf", "certificate.pdf", raw)
}

func (s *server) badge(w http.ResponseWriter, r *http.Request) {
	t, ok := s.completion(w, r)
	if !ok {
		return
	}
	if s.Badges == nil {
		s.fail(w, r, problem.New(problem.Unavailable, "No badges are issued here", "Use the certificate"))
		return
	}
	text, err := s.Badges.Badge(t)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	attach(w, "application/jwt", "badge.jwt", []byte(text+"\n"))
}

func attach(w http.ResponseWriter, kind, name string, raw []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = w.Write(raw) // the browser has gone: nothing to do
}

// cited is a citation with how far it was checked, for a reader.
func cited(c hipaa.Citation) string { return c.Text + " (checked: " + string(c.Verified) + ")" }
