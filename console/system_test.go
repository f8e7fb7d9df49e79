package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// await asks for a page until it says so: what follows the log is behind it.
func (c *client) await(path string, text string) *client {
	c.w.t.Helper()
	for until := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if c.get(path); strings.Contains(c.body, text) {
			return c
		}
		if time.Now().After(until) {
			c.w.t.Fatalf("%s does not say %q:\n%s", path, text, c.body)
		}
	}
}

// What is of the organisation's data door and system, and help, in one installation.
func TestSystem(t *testing.T) {
	t.Parallel()
	w := start(t)
	grace := w.as(registrytest.Grace)
	helpStory(w, grace)
	flowStory(w, grace)
	b := w.browser(registrytest.Grace)
	securityTasks(w, b, grace)
	systemStory(w, grace)
	frameStory(w, b, grace)
}

// What a security engineer reads: where data goes and by what it is protected, on the way
// from the source and on the way out, and that both are what the log says.
func flowStory(w *world, grace *client) {
	t := w.t
	t.Helper()
	grace.get("/console/flow").wants(http.StatusOK, "nothing asked for yet", "Nothing was asked for in this time", "Northwind")
	if got := w.b.Get("/Patient?_count=2"); got.Status != http.StatusOK {
		t.Fatal(got)
	}
	w.b.Get("/Medication?_count=2")                                                                    // the role does not show it
	for _, text := range []string{"✓ TLS 1.3", "✕ plain, on this machine", "1 permitted, 1 refused"} { // the request, its release and the refusal, one after the other
		grace.await("/console/flow?days=7", text)
	}
	grace.wants(http.StatusOK, "✓ post-quantum key", "token bound by certificate", "✕ plain, on this machine", "1 permitted, 1 refused", `href="/console/engagements/triage-eval"`, "Open", "<title", "US")
	grace.get("/console/flow?days=7&format=csv").wants(http.StatusOK, "source,vendor,engagement,region,class,protection", "ehr,")
	grace.get("/console/flow?vendor=nobody").wants(http.StatusOK, "There is no way yet", "Nothing matches")
	grace.get("/console/sources").wants(http.StatusOK, "plain, on this machine", "Not recorded")
	grace.get("/console/sources/ehr").wants(http.StatusOK, w.b.Upstream, "nothing: the source asks for none", "1 permitted, 1 refused", "triage-grant", "No procedure is recorded")
	grace.get("/console/sources/nowhere").wants(http.StatusNotFound)
	w.b.Act(registrytest.Ada, registry.PlaceHold{ID: "stop", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: string(hospitaltest.Vendor)}, Cause: snapshot.HoldOwner})
	grace.get("/console/flow").wants(http.StatusOK, "Closed", "flow-closed")

}

// Who and what is connected, and how the node stands.
func systemStory(w *world, grace *client) {
	ada := w.as(registrytest.Ada)
	t := w.t
	t.Helper()
	grace.get("/console/sessions").wants(http.StatusOK, "you, here", "Ada Example", "Certificate", "End it", "30 minutes")
	grace.get("/console/devices").wants(http.StatusOK, "northwind-gpu-1", "Exempt")
	grace.get("/console/devices/northwind-gpu-1").wants(http.StatusOK, "judged by its provenance", "triage-grant", "/console/do/device.revoke?id=northwind-gpu-1", "Nothing is released to this machine")
	if strings.Contains(grace.body, "/console/do/hold.lift") {
		t.Error("who placed a hold is offered to lift it")
	}
	grace.get("/console/devices?posture=Exempt").wants(http.StatusOK, "On hold")
	grace.get("/console/holds").wants(http.StatusOK, "northwind-gpu-1", "another must lift it", "2 holds in force")
	grace.get("/console/apps").wants(http.StatusOK, "triage", "the machine")
	grace.get("/console/apps/triage").wants(http.StatusOK, "triage-grant", "Lin Example", "/console/do/app.revoke?id=triage")
	grace.get("/console/workloads").wants(http.StatusOK, "No workload is attested")
	grace.get("/console/connectors").wants(http.StatusOK, "No connector")
	grace.get("/console/keys").wants(http.StatusOK, "triage-eval", "A key file", "No backup can be read")
	grace.get("/console/keys/triage-eval").wants(http.StatusOK, "The engagement is not over", "/console/do/key.rotate?id=triage-eval")
	grace.get("/console/keys/triage-eval/statement").wants(http.StatusOK, "Not under the keys", "STATEMENT ON THE KEYS OF ENGAGEMENT triage-eval")
	grace.get("/console/keys/triage-eval/statement?format=json").wants(http.StatusOK, `"engagement":"triage-eval"`)
	grace.get("/console/health").wants(http.StatusOK, "<strong>Ready.</strong>", "Audit log", "SQLite", "built-in authority", "/readyz")
	for _, path := range []string{"devices/x", "apps/x", "keys/x", "keys/x/statement"} {
		grace.get("/console/" + path).wants(http.StatusNotFound)
	}
	ada.get("/console/holds").wants(http.StatusOK, "In force")

}
