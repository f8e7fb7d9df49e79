package portal_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Whoever holds the link reports, is warned of what looks like patient data, sends twice
// and has reported once; and sees its own report alone.
func TestAContactReportsAnIncident(t *testing.T) {
	t.Parallel()
	w := start(t)
	code := w.reportLink()
	w.must("ada", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldIncident})
	c := w.client().holding(code)
	c.wants(http.StatusOK, "Report an incident", "Write no patient data", "What happens next", "Northwind AI", "within 24 hours", "triage-eval")
	if c.at != "/portal/incidents/northwind" || strings.Contains(c.body, "northwind-gpu-1") {
		t.Errorf("at %s; who has no account is shown the machines: %v", c.at, strings.Contains(c.body, "northwind-gpu-1"))
	}
	_, once, _ := strings.Cut(c.body, `name="once" value="`)
	once, _, _ = strings.Cut(once, `"`)
	found := w.now().UTC().Format("2006-01-02T15:04")
	form := func(change func(url.Values)) url.Values {
		f := url.Values{"once": {once}, "title": {"Laptop stolen"}, "discovered": {found}, "individuals": {"40"}, "about": {"engagement triage-eval"}}
		if change != nil {
			change(f)
		}
		return f
	}
	for what, x := range map[string]struct {
		change func(url.Values)
		says   string
	}{
		"nothing":           {func(f url.Values) { f.Set("title", " ") }, "Say in a sentence"},
		"no discovery":      {func(f url.Values) { f.Set("discovered", "") }, "first knew"},
		"no time":           {func(f url.Values) { f.Set("occurred", "yesterday") }, "write a date and a time"},
		"tomorrow":          {func(f url.Values) { f.Set("discovered", "2099-01-01T00:00") }, "in the future"},
		"no number":         {func(f url.Values) { f.Set("individuals", "many") }, "Write a number"},
		"a novel":           {func(f url.Values) { f.Set("title", strings.Repeat("word ", 60)) }, "one sentence"},
		"another's machine": {func(f url.Values) { f.Set("about", "person ada") }, "is nothing of vendor"},
		"an SSN":            {func(f url.Values) { f.Set("title", "Lost 123-45-6789") }, "Social Security number"},
		"a birth date":      {func(f url.Values) { f.Set("title", "Lost the file of 3/4/1950") }, "holds a date"},
		"a record number":   {func(f url.Values) { f.Set("title", "Lost record 00123456") }, "long number"},
	} {
		c.post("/portal/incidents/northwind", form(x.change))
		if c.status != http.StatusBadRequest || !strings.Contains(c.body, x.says) || !strings.Contains(c.body, "There is something to mend") || !strings.Contains(c.body, `href="#`) {
			t.Errorf("%s: got %d without %q\n%s", what, c.status, x.says, c.body)
		}
	}
	if n := w.reg.View().Incidents.Len(); n != 0 {
		t.Fatalf("%d incidents from forms that were refused", n)
	}
	for range 2 {
		c.post("/portal/incidents/northwind", form(nil)).wants(http.StatusOK, "Your report is on the record", "Keep this number", "Data is closed to your firm", "Laptop stolen", "contract northwind-baa", "done")
	}
	if n := w.reg.View().Incidents.Len(); n != 1 {
		t.Errorf("sent twice: %d incidents", n)
	}
	mine := c.at
	// What looked like patient data and is none can be sent.
	c.post("/portal/incidents/northwind", form(func(f url.Values) {
		f.Set("once", "two")
		f.Set("title", "Ticket 1234567 was public")
		f.Set("sure", "yes")
	})).wants(http.StatusOK, "Your report is on the record")
	// The organisation's own incidents, and those that others of the vendor reported, are not shown.
	w.must("ada", registry.OpenIncident{ID: "ours", Title: "Ours", Vendor: "northwind"})
	c.get("/portal/incidents/northwind/ours").wants(http.StatusNotFound, "There is no such page")
	c.get("/portal/incidents/southwind").wants(http.StatusNotFound, "There is no such page for you")
	// A person's session waits for the end of the hold; the link did not.
	w.must("grace", registry.LiftHold{ID: "h"})
	lin := w.client().as("lin")
	lin.get("/portal").wants(http.StatusOK, "Report an incident")
	lin.get("/portal/incidents/northwind").wants(http.StatusOK, "northwind-gpu-1", "The program Triage")
	lin.get(mine).wants(http.StatusOK, "Laptop stolen")
	lin.post("/portal/incidents/northwind", form(func(f url.Values) { f.Set("once", "three"); f.Set("title", "Seen by Lin") })).wants(http.StatusOK, "Seen by Lin")
	c.get(lin.at).wants(http.StatusNotFound, "There is no such page")
	// Nobody else.
	stranger := w.client()
	if stranger.get("/portal/incidents/northwind"); stranger.at != "/portal/in" {
		t.Errorf("a stranger is at %s", stranger.at)
	}
	w.client().as("ada").get("/portal/incidents/northwind").wants(http.StatusNotFound, "There is no such page for you")
	if strings.Contains(w.log.String(), "Laptop") {
		t.Error("what was reported is in the log")
	}
}
