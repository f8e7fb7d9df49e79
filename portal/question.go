package portal

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

type questionPage struct {
	Number, Of int
	Stem       string
	Options    []course.Shown
	Chosen     string // the letter, as shown
	Steps      []questionStep
	Last       bool
	Errors     []formError
}

type questionStep struct {
	N        int
	Answered bool
	This     bool
}

func asked(a *snapshot.Attempt) []course.Asked {
	return course.Current().Draw(a.Track, a.Modules, a.Seed)
}

// firstOpen is the number of the first question without an answer; 0: all have one.
func firstOpen(a *snapshot.Attempt) int {
	for i, q := range asked(a) {
		if a.Answers[q.ID] == "" {
			return i + 1
		}
	}
	return 0
}

// test leads to where the learner was.
func (s *server) test(w http.ResponseWriter, r *http.Request) {
	_, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	s.goOn(w, r, firstOpen(a))
}

func (s *server) goOn(w http.ResponseWriter, r *http.Request, n int) {
	to := courseHome + "/handin"
	if n > 0 {
		to = courseHome + "/test/" + strconv.Itoa(n)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// question shows one question, and saves its answer. Explanations come when the attempt
// is over.
func (s *server) question(w http.ResponseWriter, r *http.Request) {
	x, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	all := asked(a)
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 1 || n > len(all) {
		s.fail(w, r, noneOfCourse("question"))
		return
	}
	q := all[n-1]
	p := questionPage{Number: n, Of: len(all), Stem: q.Stem, Options: q.Shown, Chosen: q.ShownAs(a.Answers[q.ID]), Last: n == len(all)}
	for i, other := range all {
		p.Steps = append(p.Steps, questionStep{i + 1, a.Answers[other.ID] != "", i+1 == n})
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		option := r.PostFormValue("option")
		var err error
		if option == "" {
			err = problem.New(problem.Invalid, "No answer is chosen", "Choose one of the four")
		} else {
			err = s.learn(r, x, registry.AnswerAttempt{ID: a.ID, Question: q.ID, Option: option})
		}
		if err == nil {
			if n < len(all) {
				s.goOn(w, r, n+1)
				return
			}
			next, _ := s.Registry.View().Attempts.Get(a.ID)
			s.goOn(w, r, firstOpen(next))
			return
		}
		p.Errors, status = wrong(err, "option-a"), problem.From(err).Kind.Status()
	}
	s.show(w, r, status, "question", fmt.Sprintf("Question %d of %d", n, len(all)), p)
}
