package portal_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// attempt is the person's newest attempt, and what it asks.
func (w *world) attempt(person id.Person) (*snapshot.Attempt, []course.Asked) {
	w.t.Helper()
	all := w.reg.View().AttemptsOf(person)
	if len(all) == 0 {
		w.t.Fatalf("%s has no attempt", person)
	}
	a := all[len(all)-1]
	return a, course.Current().Draw(a.Track, a.Modules, a.Seed)
}

// readAll reads every lesson of the person's attempt, by acts: the pages are tried once.
func (w *world) readAll(person id.Person) {
	w.t.Helper()
	a, _ := w.attempt(person)
	for _, l := range course.Current().LessonsFor(a.Track, a.Modules) {
		if !a.Lessons[l.ID] {
			w.must(person, registry.ReadLesson{ID: a.ID, Lesson: l.ID})
		}
	}
}

func rules() []string {
	var out []string
	for _, n := range course.AllRules() {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

// Failed, resumed after signing out, passed; without script, on the real pages.
func TestTheCourseWithoutScript(t *testing.T) {
	t.Parallel()
	w := start(t)
	// The organisation has a course of its own, so the product's counts because two
	// people approved it.
	w.must("ada", registry.ProposeCourse{ID: "product", Course: course.Name, Version: course.Edition, Title: course.Title, Covers: []string{"M1", "M2", "M4", "M5"}, PassMark: .85, RefreshMonths: 12})
	w.must("grace", registry.ApproveCourse{ID: "product"})
	w.must("grace", registry.AssignTraining{ID: "lin", Track: "SUP"})

	c := w.client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // these worlds have no page to sign in by
	if c.get("/portal/course"); c.status != http.StatusSeeOther {
		t.Fatalf("without a session: %d", c.status)
	}
	c.CheckRedirect = nil
	c.as("lin").get("/portal/course").wants(http.StatusOK, "Begin the course", "Support", "does not count now", "Module M1 is missing")
	if strings.Contains(c.body, "Executive") {
		t.Error("tracks that are not the person's are offered")
	}
	c.get("/portal").wants(http.StatusOK, "Take the training")
	c.post("/portal/course/start", url.Values{"track": {"EXE"}}).wants(http.StatusBadRequest, "There is something to mend", "#track")
	c.post("/portal/course/start", url.Values{"track": {"SUP"}}).wants(http.StatusOK, "Your course, track SUP", "0 of")

	a, asked := w.attempt("lin")
	first := course.Current().LessonsFor("SUP", a.Modules)[0]
	c.get("/portal/course/lesson/"+first.ID).wants(http.StatusOK, first.Title, "I have read it", "checked:")
	c.post("/portal/course/lesson/"+first.ID, nil)
	if !strings.HasPrefix(c.at, "/portal/course/lesson/") || strings.HasSuffix(c.at, first.ID) {
		t.Errorf("after a lesson at %s", c.at)
	}
	c.get("/portal/course/lesson/none").wants(http.StatusNotFound, "has no such lesson")

	for _, m := range a.Modules {
		for _, e := range course.Current().ExercisesFor("SUP", m) {
			var ticks []string
			for i, l := range e.Screen.Lines {
				if l.Violation {
					ticks = append(ticks, fmt.Sprint(i+1))
				}
			}
			c.get("/portal/course/exercise/"+e.ID).wants(http.StatusOK, "Tick each line")
			if strings.Contains(c.body, "Nothing is wrong with it") {
				t.Errorf("%s tells before it is answered", e.ID)
			}
			n := len(e.Screen.Lines)
			c.post("/portal/course/exercise/"+e.ID, url.Values{"line": ticks}).wants(http.StatusOK, fmt.Sprintf("%d of %d lines are right", n, n))
			c.post("/portal/course/exercise/"+e.ID, nil).wants(http.StatusOK, "You passed over it")
		}
	}

	// The first attempt: every question wrong.
	w.readAll("lin")
	c.get("/portal/course/test").wants(http.StatusOK, "Question 1 of 20")
	if strings.Contains(c.body, asked[0].Explanation) || strings.Contains(c.body, `value="A"`) {
		t.Error("the page tells the answer")
	}
	c.post("/portal/course/test/1", nil).wants(http.StatusBadRequest, "No answer is chosen", `href="#option-a"`)
	c.post("/portal/course/test/1", url.Values{"option": {"z"}}).wants(http.StatusBadRequest, "is not an option")
	c.get("/portal/course/test/21").wants(http.StatusNotFound)
	for i, q := range asked {
		option := "a"
		if q.ShownAs(q.Correct) == "a" {
			option = "b"
		}
		c.post(fmt.Sprintf("/portal/course/test/%d", i+1), url.Values{"option": {option}})
		if i == 9 {
			// Signed out in the middle, and on with another browser.
			c = w.client().as("lin")
			c.get("/portal/course/test").wants(http.StatusOK, "Question 11 of 20", "1<span class=\"hidden\">, answered")
		}
	}
	c.get("/portal/course/handin").wants(http.StatusOK, "Lin Example", "Northwind AI, Inc.", a.Content, course.Rules[0])
	c.post("/portal/course/handin", url.Values{"rule": {"1", "2"}, "signature": {"Lin Example"}}).wants(http.StatusBadRequest, "lacks conduct rule 3", `href="#rule-3"`, "checked")
	c.post("/portal/course/handin", url.Values{"rule": rules(), "signature": {"Mallory"}}).wants(http.StatusBadRequest, "is not your name", `href="#signature"`)
	c.post("/portal/course/handin", url.Values{"rule": rules(), "signature": {"lin  example"}}).wants(http.StatusOK, "Not passed this time", "0 percent right", asked[0].Citation, "Critical questions that were wrong: 5")
	failed := c.at
	c.get("/portal/course/handin").wants(http.StatusOK, "Begin the course", "Not passed")

	// The second: every question right.
	c.post("/portal/course/start", url.Values{"track": {"SUP"}})
	w.readAll("lin")
	_, asked = w.attempt("lin")
	for i, q := range asked {
		c.post(fmt.Sprintf("/portal/course/test/%d", i+1), url.Values{"option": {q.ShownAs(q.Correct)}})
	}
	if c.at != "/portal/course/handin" {
		t.Errorf("after the last answer at %s", c.at)
	}
	c.post("/portal/course/handin", url.Values{"rule": rules(), "signature": {"Lin Example"}}).wants(http.StatusOK, "You have passed", "100 percent right (20 of 20)")
	a, _ = w.attempt("lin")
	c.get("/portal/course").wants(http.StatusOK, "Your training counts", "counts until", "Certificate (PDF)")
	c.get("/portal/course/certificate/" + string(a.Training))
	if c.status != http.StatusOK || !strings.HasPrefix(c.body, "%PDF-") {
		t.Errorf("the certificate: %d, %.20q", c.status, c.body)
	}
	c.get("/portal/course/badge/"+string(a.Training)).wants(http.StatusServiceUnavailable, "No badges")

	// Nobody else sees it, whatever their duties.
	other := w.client().as("grace")
	for _, path := range []string{failed, "/portal/course/certificate/" + string(a.Training), "/portal/course/badge/" + string(a.Training)} {
		other.get(path).wants(http.StatusNotFound)
	}
	// What lapses is said before and after.
	w.forward(350 * 24 * time.Hour)
	c.as("lin").get("/portal").wants(http.StatusOK, "Renew your training")
	w.forward(20 * 24 * time.Hour)
	c.as("lin").get("/portal/course").wants(http.StatusOK, "does not count now", "What you passed counted until")
	if log := w.log.String(); strings.Contains(log, asked[0].Stem) || strings.Contains(log, "Lin Example") {
		t.Error("the log says too much")
	}
}

func TestADrillOnItsPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	c := w.client().as("lin")
	c.post("/portal/course/start", url.Values{"track": {"MLE"}})
	i := slices.IndexFunc(course.Current().Drills, func(d course.Task) bool { return d.ID == "find-phi-notebook" })
	if i < 0 {
		t.Fatal("the drill is not there")
	}
	c.get("/portal/course/drill/find-phi-notebook").wants(http.StatusOK, "sallyport scan", "a number")
	c.post("/portal/course/drill/find-phi-notebook", url.Values{"answer": {"99"}}).wants(http.StatusBadRequest, "is not right", `href="#answer"`)
	c.post("/portal/course/drill/find-phi-notebook", url.Values{"answer": {course.Drill("find-phi-notebook").Answer}}).wants(http.StatusOK, "this drill is done")
	c.get("/portal/course").wants(http.StatusOK, "on your own machine, done")
	c.post("/portal/course/abandon", nil).wants(http.StatusOK, "Begin the course", "Abandoned")
}
