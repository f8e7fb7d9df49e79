package portal

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

type handinPage struct {
	Person    *snapshot.Person
	Employer  string
	Track     string
	WorksIn   string
	Overlay   *course.Overlay
	Content   string
	Unread    int
	Open      int // the first question without an answer
	Rules     []ruleRow
	Signature string
	PassMark  int
	Errors    []formError
}

type ruleRow struct {
	N      int
	Text   string
	Ticked bool
}

// handin shows the conduct rules and the signature, and hands the attempt in.
func (s *server) handin(w http.ResponseWriter, r *http.Request) {
	x, a, ok := s.underway(w, r)
	if !ok {
		return
	}
	v := s.Registry.View()
	p := handinPage{Person: x.Person, WorksIn: course.WorksIn(x.Person), Content: a.Content, Open: firstOpen(a), PassMark: int(course.Current().PassMark * 100)}
	if of, ok := v.Vendors.Get(x.Person.Vendor); ok {
		p.Employer = of.Name
	} else {
		p.Employer = s.Organisation
	}
	if t, ok := course.TrackOf(a.Track); ok {
		p.Track = t.Title
	}
	if o, ok := course.OverlayOf(p.WorksIn); ok {
		p.Overlay = &o
	}
	for _, l := range course.Current().LessonsFor(a.Track, a.Modules) {
		if !a.Lessons[l.ID] {
			p.Unread++
		}
	}
	status := http.StatusOK
	var ticked []int
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, problem.New(problem.Invalid, "The form cannot be read", "Send it again").Because(err))
			return
		}
		for _, text := range r.PostForm["rule"] {
			if n, err := strconv.Atoi(text); err == nil && !slices.Contains(ticked, n) {
				ticked = append(ticked, n)
			}
		}
		p.Signature = r.PostFormValue("signature")
		err := s.learn(r, x, registry.FinishAttempt{ID: a.ID, Attested: ticked, Signature: p.Signature})
		if err == nil {
			http.Redirect(w, r, courseHome+"/result/"+string(a.ID), http.StatusSeeOther)
			return
		}
		field := "signature"
		if problem.From(err).Field == "attested" {
			field = "rule-" + strconv.Itoa(firstMissing(ticked))
		}
		p.Errors, status = wrong(err, field), problem.From(err).Kind.Status()
	}
	for i, text := range course.Rules {
		p.Rules = append(p.Rules, ruleRow{i + 1, text, slices.Contains(ticked, i+1)})
	}
	s.show(w, r, status, "handin", "Sign and hand in", p)
}

func firstMissing(ticked []int) int {
	for _, n := range course.AllRules() {
		if !slices.Contains(ticked, n) {
			return n
		}
	}
	return 1
}
