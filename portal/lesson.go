package portal

import (
	"net/http"
	"slices"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

type lessonPage struct {
	course.Lesson
	Module course.Module
	Cites  []string
	Read   bool
	Number int
	Of     int
	Before string // the lesson before
	Next   string // the lesson after; empty: it is the last
}

func (s *server) lesson(w http.ResponseWriter, r *http.Request) {
	_, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	all := course.Current().LessonsFor(a.Track, a.Modules)
	i := slices.IndexFunc(all, func(l course.Lesson) bool { return l.ID == r.PathValue("id") })
	if i < 0 {
		s.fail(w, r, noneOfCourse("lesson"))
		return
	}
	p := lessonPage{Lesson: all[i], Read: a.Lessons[all[i].ID], Number: i + 1, Of: len(all)}
	p.Module, _ = course.ModuleOf(all[i].Module)
	for _, c := range all[i].Cites {
		p.Cites = append(p.Cites, cited(c.Citation))
	}
	if i > 0 {
		p.Before = all[i-1].ID
	}
	if i+1 < len(all) {
		p.Next = all[i+1].ID
	}
	s.show(w, r, http.StatusOK, "lesson", all[i].Title, p)
}

// lessonRead notes that the lesson is read, and goes on to the next one that is not.
func (s *server) lessonRead(w http.ResponseWriter, r *http.Request) {
	x, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	id := r.PathValue("id")
	if !a.Lessons[id] {
		if err := s.learn(r, x, registry.ReadLesson{ID: a.ID, Lesson: id}); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	all := course.Current().LessonsFor(a.Track, a.Modules)
	i := slices.IndexFunc(all, func(l course.Lesson) bool { return l.ID == id })
	for _, l := range all[i+1:] {
		if !a.Lessons[l.ID] {
			http.Redirect(w, r, courseHome+"/lesson/"+l.ID, http.StatusSeeOther)
			return
		}
	}
	http.Redirect(w, r, courseHome, http.StatusSeeOther)
}

func noneOfCourse(what string) error {
	return problem.New(problem.NotFound, "Your course has no such "+what, "See what it has on the page My training")
}
