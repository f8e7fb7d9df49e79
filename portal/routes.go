package portal

import (
	"net/http"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// route is one page: its pattern, its handler, and how much it may be sent (0: maxForm).
type route struct {
	pattern string
	h       http.HandlerFunc
	max     int64
}

// routes is every page there is.
func (s *server) routes() []route {
	return slices.Concat(s.courseRoutes(), s.questionnaireRoutes(), s.attestationRoutes(), []route{
		{"GET /portal", s.home, 0},
		{"GET /portal/in", s.in, 0},
		{"POST /portal/in", s.inCode, 0},
		{"POST /portal/out", s.out, 0},
		{"GET /portal/incidents/{vendor}", s.report, 0},
		{"POST /portal/incidents/{vendor}", s.sendReport, 0},
		{"GET /portal/incidents/{vendor}/{incident}", s.reported, 0},
		{"GET /portal/assets/portal.js", s.asset("portal.js", "text/javascript; charset=utf-8"), 0},
		{"GET /portal/assets/portal.css", s.asset("portal.css", "text/css; charset=utf-8"), 0},
		{"GET /portal/agreements/{id}", s.agreement, 0},
		{"POST /portal/agreements/{id}", s.agreementSign, 0},
		{"GET /portal/agreements/{id}/document", s.agreementDocument, 0},
	})
}

// landings say where a link of a purpose leads.
var landings = map[snapshot.LinkPurpose]func(*snapshot.Link) string{
	snapshot.LinkQuestionnaire: func(l *snapshot.Link) string { return questionnairePath(id.Questionnaire(l.About.ID)) },
	snapshot.LinkIncident:      reportLanding,
	snapshot.LinkAttestation:   func(l *snapshot.Link) string { return attestationPath(id.Offboarding(l.About.ID)) },
}

// tasks find what waits for a visitor; each reads the view alone.
var tasks = []func(*snapshot.View, visitor, time.Time) []Task{
	papersToSign,
	trainingTask,
	questionnaireTasks,
	attestationTasks,
}

// Task is one thing that waits.
type Task struct {
	Title string
	Href  string
	Help  string // until when, and what it is
}

// Tasks are what waits for a person who is signed in, for pages that lead here.
func Tasks(v *snapshot.View, p *snapshot.Person, now time.Time) []Task {
	x := visitor{Actor: registry.Actor{Person: p.ID}, Vendor: p.Vendor, Person: p}
	var out []Task
	for _, f := range tasks {
		out = append(out, f(v, x, now)...)
	}
	return out
}

func (s *server) none(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, problem.New(problem.NotFound, "There is no such page", "Begin at the first page"))
}
