package portal

import (
	"net/http"
	"slices"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
)

type drillPage struct {
	course.Task
	Module course.Module
	Done   bool
	Answer string
	Errors []formError
}

func (s *server) drill(w http.ResponseWriter, r *http.Request) {
	x, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	d, ok := course.Current().Drill(r.PathValue("id"))
	if !ok || !course.For(d.Tracks, a.Track) || !slices.Contains(a.Modules, d.Module) {
		s.fail(w, r, noneOfCourse("drill"))
		return
	}
	p := drillPage{Task: d, Done: a.Drills[d.ID]}
	p.Module, _ = course.ModuleOf(d.Module)
	status := http.StatusOK
	if r.Method == http.MethodPost {
		p.Answer = r.PostFormValue("answer")
		if err := s.learn(r, x, registry.DoDrill{ID: a.ID, Drill: d.ID, Answer: p.Answer}); err != nil {
			p.Errors, status = wrong(err, "answer"), problem.From(err).Kind.Status()
		} else {
			p.Done = true
		}
	}
	s.show(w, r, status, "drill", d.Title, p)
}
