package console_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// careScene is a hospital with something of everything that people look after: requests,
// an elevation, emergencies, a campaign, an incident.
func careScene(w *world) {
	b := w.b
	now := b.Clock.Now()
	for range 3 {
		b.Get("/Patient?_count=2") // something for the log
	}
	b.Get("/Observation?_count=2")
	all := snapshot.Cohort{Kind: snapshot.CohortAll}
	ask := func(key id.Request, life int, why string) {
		b.Act(registrytest.Ada, registry.MakeRequest{ID: key, Person: registrytest.Lin, Engagement: hospitaltest.Engagement, App: hospitaltest.App, Devices: []id.Device{hospitaltest.Device},
			Role: hospitaltest.Role, Cohort: all, MaxPatients: 500, MaxDailyBytes: 1 << 20, Life: life, Why: why})
	}
	b.Act(registrytest.Ada, registry.ProposePerson{ID: "kim", Vendor: "northwind", Name: "Kim Example", Classification: "business-associate", Basis: "employee of the vendor", Region: "US"})
	ask("august", 60*24*60, "Measure drift of the model over the summer")
	ask("may", 30*24*60, "Calibrate the triage model on reports of May")
	ask("june", 30*24*60, "The same for June, if May is not enough")
	ask("july", 7*24*60, "Everything of July, to look around")
	b.Act(registrytest.Ada, registry.MakeRequest{ID: "lift", Person: registrytest.Lin, Role: hospitaltest.Role, MaxPatients: 10, MaxDailyBytes: 1 << 20, Life: 120,
		Elevates: hospitaltest.Grant, Ticket: "ops-4711", Why: "A report that the model reads wrongly"})
	b.Act(registrytest.Grace, registry.ApproveRequest{ID: "lift"})
	b.Act(registrytest.Ada, registry.ReportEmergency{ID: "night", Source: hospitaltest.Source, Staff: "nurse-7", Why: "The ward's system was down in the night of the storm", UsedAt: now.Add(-2 * time.Hour)})
	b.Act(registrytest.Ada, registry.OpenCampaign{ID: "autumn", Title: "Reviews of autumn", DueAt: now.Add(14 * 24 * time.Hour)})
}

// Every screen of these says what it is about, by every way that lists are asked.
func TestCare(t *testing.T) {
	t.Parallel()
	w := start(t)
	careScene(w)
	grace := w.as(registrytest.Grace)
	for path, says := range map[string][]string{
		"/console/people":                         {"Lin Example", "Kim Example", "One person waits"},
		"/console/people?training=current":        {"Lin Example"},
		"/console/people?training=none&sort=seen": {"Kim Example"},
		"/console/people?vendor=us&duty=operator": {"Grace Example"},
		"/console/people?q=northwind&format=csv":  {"Lin Example"},
		"/console/people/lin":                     {"Training history", "lin-2026", "Passkeys", "northwind-gpu-1", "triage-grant"},
		"/console/people/kim":                     {"Waits to be approved", "person.approve"},
		"/console/people/grace":                   {"Sessions", "Privacy officer"},
		"/console/training":                       {"When training lapses", "Northwind AI, Inc.", "No track assigned"},
		"/console/training?format=dates":          {"week_from"},
		"/console/requests":                       {"Lin Example of Northwind AI, Inc. asks for", "30 days", "Waits"},
		"/console/requests?stage=approved":        {"adds to triage-grant"},
		"/console/requests/may":                   {"Calibrate the triage model", "Opens at once", "Approve for 30 days", "life_minutes", "request.deny"},
		"/console/requests/lift":                  {"What became of it", "End it now"},
		"/console/elevations":                     {"Running now", "ops-4711", "grant.end-early"},
		"/console/emergencies":                    {"Go to the source itself", "Waiting for a second look"},
		"/console/emergencies/night":              {"nurse-7", "Was it justified?"},
		"/console/reviews":                        {"Reviews of autumn"},
		"/console/reviews/autumn":                 {"Lin Example", "review.complete", "Proposed: Cut down", `name="resources.Patient.elements"`},
	} {
		grace.get(path).wants(http.StatusOK, says...)
		if len(grace.body) > 150_000 {
			t.Errorf("%s weighs %d bytes", path, len(grace.body))
		}
	}
	grace.get("/console/training/export?as=csv").wants(http.StatusOK, "lin")
	if got := grace.header.Get("Content-Disposition"); !strings.Contains(got, "trainings.csv") {
		t.Errorf("the export is saved as %q", got)
	}
	importing(grace)
	chromium := w.browser(registrytest.Grace)
	onThePhone(w, chromium, registrytest.Grace)
	carePictures(w, chromium, map[string]string{"people": "/console/people", "person": "/console/people/lin", "person-waits": "/console/people/kim", "training": "/console/training", "requests": "/console/requests",
		"request": "/console/requests/august", "elevations": "/console/elevations", "emergencies": "/console/emergencies", "emergency": "/console/emergencies/night", "reviews": "/console/reviews", "review": "/console/reviews/autumn"})
	incidentsAndPartings(w, grace)
	carePictures(w, chromium, map[string]string{"incidents": "/console/incidents", "incident": "/console/incidents/laptop", "radius": "/console/incidents/laptop/radius", "assess": "/console/incidents/laptop/assess?step=unsecured",
		"assess-check": "/console/incidents/laptop/assess?step=check", "offboardings": "/console/offboardings", "offboarding": "/console/offboardings/goodbye"})
	for _, path := range []string{"/console/people/nobody", "/console/requests/none", "/console/emergencies/none", "/console/reviews/none"} {
		grace.get(path).wants(http.StatusNotFound)
	}
}

// incidentsAndPartings goes through what goes wrong, and the goodbye.
func incidentsAndPartings(w *world, grace *client) {
	w.t.Helper()
	b, now := w.b, w.b.Clock.Now()
	b.Act(registrytest.Grace, registry.OpenIncident{ID: "laptop", Title: "A laptop of the vendor was lost", Vendor: "northwind", OccurredAt: now.Add(-48 * time.Hour), DiscoveredAt: now.Add(-24 * time.Hour),
		About: []snapshot.Subject{{Noun: snapshot.NounDevice, ID: string(hospitaltest.Device)}}})
	grace.get("/console/incidents").wants(http.StatusOK, "A laptop of the vendor was lost", "What is due next", "Presumed")
	grace.get("/console/incidents/laptop").wants(http.StatusOK, "Contain it now", "<svg", "What is due when", "incident.describe", "Draft:")
	grace.get("/console/incidents/laptop?format=clocks").wants(http.StatusOK, "counted_from")
	grace.get("/console/incidents/laptop/notice?to=individuals&format=md").wants(http.StatusOK, "TO BE WRITTEN")
	grace.get("/console/incidents/laptop/story?format=md").wants(http.StatusOK, "laptop")
	grace.get("/console/incidents/laptop/radius").wants(http.StatusOK, "patients, as codes", "device northwind-gpu-1", "Record this count", "radius_sha256", "By class of data")
	grace.get("/console/incidents/laptop/radius?of=vendor:northwind&since=2001-01-01&until=2001-01-02").wants(http.StatusOK, "Nothing left")
	grace.get("/console/incidents/laptop/radius?of=vendor:other").wants(http.StatusBadRequest, "nothing that the incident is about")
	grace.get("/console/incidents/laptop/releases").wants(http.StatusOK, "log_index", "released")
	assessment(grace)
	b.Act(registrytest.Grace, registry.BeginOffboarding{ID: "goodbye", Vendor: "northwind", Cause: snapshot.WorkDone, DueAt: now.Add(20 * 24 * time.Hour)})
	if got := b.Get("/Patient?_count=1"); got.Status == http.StatusOK {
		w.t.Errorf("data after the parting: %s", got)
	}
	grace.get("/console/offboardings").wants(http.StatusOK, "Northwind AI, Inc.", "the whole vendor", "0 of 7")
	grace.get("/console/offboardings/goodbye").wants(http.StatusOK, "What is left", "What died at that moment", "Not said", "key.request-destruction", "Was anything tried since?", "Attempts by day", "Not feasible")
	grace.post("/console/offboardings/goodbye/inventory", url.Values{"reason": {"what was released"}}).wants(http.StatusOK, "Counted and stored")
	grace.get("/console/offboardings/goodbye/inventory").wants(http.StatusOK, "list_sha256")
	grace.post("/console/offboardings/goodbye/check", url.Values{"reason": {"to look"}}).wants(http.StatusOK, "Nothing was let through")
	grace.post("/console/offboardings/goodbye/finish", url.Values{"reason": {"done"}})
	if grace.status == http.StatusOK || !strings.Contains(grace.body, `role="alert"`) {
		w.t.Errorf("a parting with much left was finished: %d", grace.status)
	}
	grace.get("/console/offboardings/goodbye/certificate").wants(http.StatusOK, "%PDF")
}

// assessment goes through the guided assessment, a page at a time.
func assessment(c *client) {
	c.w.t.Helper()
	const path = "/console/incidents/laptop/assess"
	say := func(step, answer, why string) *client {
		return c.post(path, url.Values{"step": {step}, "answer": {answer}, "why": {why}})
	}
	c.get(path).wants(http.StatusOK, "1 of", "rendered unusable")
	say("unsecured", "yes", "").wants(http.StatusUnprocessableEntity, "Say why")
	say("unsecured", "yes", "The disk was not encrypted").wants(http.StatusOK, "Does one of the three exceptions fit?")
	say("exception", "none", "").wants(http.StatusOK, "3 of")
	for _, f := range []string{"nature", "recipient", "acquired", "mitigation"} {
		say("factor."+f, "yes", "Known to be so: "+f)
	}
	c.wants(http.StatusOK, "Do all four factors together")
	say("low_probability", "yes", "").wants(http.StatusOK, "No breach, once approved", `name="factors.nature.why" value="Known to be so: nature"`, "The disk was not encrypted")
	say("unsecured", "no", "It was encrypted after all").wants(http.StatusOK, "the PHI was not unsecured")
	c.get(path+"?step=check").wants(http.StatusOK, `name="unsecured.yes" value="false"`)
	if strings.Contains(c.body, "factors.nature") {
		c.w.t.Errorf("the act is given answers that its way does not ask for")
	}
}

// importing looks at a file of completions before anything is recorded.
func importing(c *client) {
	c.w.t.Helper()
	file := func(text string) *client {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		part, err := form.CreateFormFile("file", "told.csv")
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err == nil {
			err = form.Close()
		}
		if err != nil {
			c.w.t.Fatal(err)
		}
		return c.read(c.Post(c.w.b.Pages+"/console/training/import", form.FormDataContentType(), &body))
	}
	c.get("/console/training/import").wants(http.StatusOK, "Choose a file")
	file("person,course,version,score,completed_at\nnobody,other,1,0.9,2026-05-01\n").wants(http.StatusOK, "Nothing was recorded")
	day := c.w.b.Clock.Now().UTC().Format(time.DateOnly)
	file("person,course,version,score,completed_at\nlin,hipaa-for-ai-teams,2026,0.9," + day + "\n").wants(http.StatusOK)
}
