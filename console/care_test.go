package console_test

import (
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
	all := snapshot.Cohort{Kind: snapshot.CohortAll}
	ask := func(key id.Request, life int, why string) {
		b.Act(registrytest.Ada, registry.MakeRequest{ID: key, Person: registrytest.Lin, Engagement: hospitaltest.Engagement, App: hospitaltest.App, Devices: []id.Device{hospitaltest.Device},
			Role: hospitaltest.Role, Cohort: all, MaxPatients: 500, MaxDailyBytes: 1 << 20, Life: life, Why: why})
	}
	ask("may", 30*24*60, "Calibrate the triage model on reports of May")
	ask("june", 30*24*60, "The same for June, if May is not enough")
	ask("july", 7*24*60, "Everything of July, to look around")
	b.Act(registrytest.Ada, registry.MakeRequest{ID: "lift", Person: registrytest.Lin, Role: hospitaltest.Role, MaxPatients: 10, MaxDailyBytes: 1 << 20, Life: 120,
		Elevates: hospitaltest.Grant, Ticket: "ops-4711", Why: "A report that the model reads wrongly"})
	b.Act(registrytest.Grace, registry.ApproveRequest{ID: "lift"})
	b.Act(registrytest.Ada, registry.ReportEmergency{ID: "night", Source: hospitaltest.Source, Staff: "nurse-7", Why: "The ward's system was down in the night of the storm", UsedAt: now.Add(-2 * time.Hour)})
	b.Act(registrytest.Ada, registry.OpenCampaign{ID: "autumn", Title: "Reviews of autumn", DueAt: now.Add(14 * 24 * time.Hour)})
	b.Act(registrytest.Ada, registry.ProposePerson{ID: "kim", Vendor: "northwind", Name: "Kim Example", Classification: "business-associate", Basis: "employee of the vendor", Region: "US"})
	b.Act(registrytest.Grace, registry.OpenIncident{ID: "laptop", Title: "A laptop of the vendor was lost", Vendor: "northwind", OccurredAt: now.Add(-48 * time.Hour), DiscoveredAt: now.Add(-24 * time.Hour),
		About: []snapshot.Subject{{Noun: snapshot.NounDevice, ID: string(hospitaltest.Device)}}})
}

// Every screen of these says what it is about, by every way that lists are asked.
func TestCare(t *testing.T) {
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
		"/console/requests?stage=approved":        {"lifts triage-grant"},
		"/console/requests/may":                   {"Calibrate the triage model", "Opens at once", "Approve for 30 days", "life_minutes", "request.deny"},
		"/console/requests/lift":                  {"What became of it", "End it now"},
		"/console/elevations":                     {"Running now", "ops-4711", "grant.end-early"},
		"/console/emergencies":                    {"Go to the source itself", "Waiting for a second look"},
		"/console/emergencies/night":              {"nurse-7", "Was it justified?"},
		"/console/reviews":                        {"Reviews of autumn"},
		"/console/reviews/autumn":                 {"Lin Example", "review.complete", "Proposed: Revoke"},
	} {
		grace.get(path).wants(http.StatusOK, says...)
		if len(grace.body) > 150_000 {
			t.Errorf("%s weighs %d bytes", path, len(grace.body))
		}
	}
	for _, path := range []string{"/console/people/nobody", "/console/requests/none", "/console/emergencies/none", "/console/reviews/none"} {
		grace.get(path).wants(http.StatusNotFound)
	}
	grace.get("/console/training/export?as=csv").wants(http.StatusOK, "lin")
	if got := grace.header.Get("Content-Disposition"); !strings.Contains(got, "trainings.csv") {
		t.Errorf("the export is saved as %q", got)
	}
	_ = url.Values{}
}
