package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// Every act that the API offers has a form, for whoever has the duty, and for nobody else.
func TestEveryActHasAForm(t *testing.T) {
	w := start(t)
	people := map[string]*client{}
	for _, person := range []struct {
		name string
		c    *client
	}{{"grace", w.as(registrytest.Grace)}, {"ada", w.as(registrytest.Ada)}} {
		people[person.name] = person.c
	}
	forms := 0
	for _, spec := range registry.Acts {
		if !spec.Routed() {
			people["grace"].get("/console/do/" + string(spec.Name)).wants(http.StatusNotFound)
			continue
		}
		shown := false
		for name, c := range people {
			c.get("/console/do/" + string(spec.Name))
			switch c.status {
			case http.StatusOK:
				shown = true
				if !strings.Contains(c.body, `action="/console/do/`+string(spec.Name)+`"`) || !strings.Contains(c.body, `name="reason"`) {
					t.Errorf("%s: the form is not whole:\n%s", spec.Name, c.body)
				}
				if len(c.body) > 150<<10 {
					t.Errorf("%s: the page has %d bytes", spec.Name, len(c.body))
				}
			case http.StatusForbidden:
			default:
				t.Errorf("%s for %s: %d\n%s", spec.Name, name, c.status, c.body)
			}
		}
		if shown {
			forms++
		} else {
			t.Logf("nobody here may do %s", spec.Name)
		}
	}
	if forms < 100 {
		t.Errorf("%d forms", forms)
	}
}

// A form is looked at before it is done; it is done once, however often it is sent; and it
// is told, with the way back.
func TestAnActIsSeenThenDoneThenTold(t *testing.T) {
	w := start(t)
	c := w.as(registrytest.Grace)
	c.get("/console/do/hold.place?on.noun=vendor&on.id=northwind&cause=owner&next=/console/vendors").wants(http.StatusOK, "Stop everything about a subject")
	form := url.Values{"on.noun": {"vendor"}, "on.id": {"northwind"}, "cause": {"owner"}, "next": {"/console"}, "key": {"one-key"}}
	c.post("/console/do/hold.place", form).wants(http.StatusUnprocessableEntity, "The reason is missing", `href="#f-reason"`, `value="northwind"`)
	form.Set("reason", "a look at their papers")
	before := len(w.b.Acts())
	c.post("/console/do/hold.place", form).wants(http.StatusOK, "Nothing is done yet", "is new")
	if got := len(w.b.Acts()); got != before {
		t.Errorf("looking made version %d of %d", got, before)
	}
	form.Set("step", "do")
	c.post("/console/do/hold.place", form).wants(http.StatusOK, "Done.", "/console/do/hold.lift?id=")
	c.post("/console/do/hold.place", form).wants(http.StatusOK, "Done.")
	if got := len(w.b.Acts()); got != before+1 {
		t.Errorf("sent twice, version went from %d to %d", before, got)
	}
	form.Set("next", "https://elsewhere.example/")
	form.Set("key", "another")
	form.Set("on.id", "nobody")
	c.post("/console/do/hold.place", form).wants(http.StatusUnprocessableEntity, "nobody")
	c.get("/console/acts").wants(http.StatusOK, "hold.place", "a look at their papers")
}
