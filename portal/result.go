package portal

import (
	"net/http"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

type resultPage struct {
	*snapshot.Attempt
	Passed   bool
	Percent  int
	PassMark int
	Marks    course.Marks
	Changed  bool // the course is another now: the questions are not shown
	Rows     []resultRow
}

type resultRow struct {
	N           int
	Stem        string
	Critical    bool
	Right       bool
	Yours       string
	Answer      string
	Explanation string
	Cites       []string
}

// result shows a finished attempt with every explanation and its citation.
func (s *server) result(w http.ResponseWriter, r *http.Request) {
	x, ok := s.learner(w, r)
	if !ok {
		return
	}
	a, ok := s.Registry.View().Attempts.Get(id.Attempt(r.PathValue("id")))
	if !ok || a.Person != x.Person.ID || a.Stage != snapshot.AttemptPassed && a.Stage != snapshot.AttemptFailed {
		s.fail(w, r, problem.New(problem.NotFound, "There is no such attempt of yours that is finished", "See them on the page My training"))
		return
	}
	c := course.Current()
	p := resultPage{Attempt: a, Passed: a.Stage == snapshot.AttemptPassed, Percent: int(a.Score*100 + .5), PassMark: int(c.PassMark * 100), Changed: a.Content != c.Digest}
	if !p.Changed {
		all := asked(a)
		p.Marks = c.Mark(all, a.Answers)
		for i, q := range all {
			p.Rows = append(p.Rows, resultRow{N: i + 1, Stem: q.Stem, Critical: q.Critical, Right: a.Answers[q.ID] == q.Correct,
				Yours: q.Options[a.Answers[q.ID]], Answer: q.Options[q.Correct], Explanation: q.Explanation, Cites: citesOf(q.TrainingQuestion)})
		}
	}
	title := "Not passed this time"
	if p.Passed {
		title = "Passed"
	}
	s.show(w, r, http.StatusOK, "result", title, p)
}

func citesOf(q hipaa.TrainingQuestion) []string {
	var out []string
	for _, c := range course.Cites(q) {
		out = append(out, cited(c))
	}
	return out
}
