package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/sallyport/sallyport/course"
)

type exercisePage struct {
	course.Exercise
	Module course.Module
	Lines  []exerciseLine
	Done   bool // answered: the feedback is shown
	Right  int
}

type exerciseLine struct {
	course.Line
	N      int
	Ticked bool
	Right  bool
	Says   string
	Cite   string
}

// exercise shows a screen, and after it was handed in what each line does. Nothing is
// kept of it: an exercise is for learning.
func (s *server) exercise(w http.ResponseWriter, r *http.Request) {
	_, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	e, ok := course.Current().Exercise(r.PathValue("id"))
	if !ok || !course.For(e.Tracks, a.Track) || !slices.Contains(a.Modules, e.Module) {
		s.fail(w, r, noneOfCourse("exercise"))
		return
	}
	p := exercisePage{Exercise: e, Done: r.Method == http.MethodPost}
	p.Module, _ = course.ModuleOf(e.Module)
	if p.Done {
		_ = r.ParseForm() // a form that cannot be read has no ticks
	}
	for i, l := range e.Screen.Lines {
		x := exerciseLine{Line: l, N: i + 1, Ticked: slices.Contains(r.PostForm["line"], strconv.Itoa(i+1))}
		x.Right = x.Ticked == l.Violation
		switch {
		case x.Ticked && l.Violation:
			x.Says = "Right, it breaks a rule."
		case l.Violation:
			x.Says = "You passed over it: it breaks a rule."
		case x.Ticked:
			x.Says = "Nothing is wrong with it."
		default:
			x.Says = "Right, nothing is wrong with it."
		}
		if c, ok := l.Cited(); ok {
			x.Cite = cited(c.Citation)
		}
		if x.Right {
			p.Right++
		}
		p.Lines = append(p.Lines, x)
	}
	title := e.Title
	if p.Done {
		title = fmt.Sprintf("%s: %d of %d lines right", e.Title, p.Right, len(p.Lines))
	}
	s.show(w, r, http.StatusOK, "exercise", title, p)
}
