package console_test

import (
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// asked has the vendor's program ask, so that there is something to look at: permitted,
// refused for what the role does not show, and refused while a hold is on the vendor.
func (w *world) asked() {
	w.t.Helper()
	for _, path := range []string{"/Patient?_count=2", "/Observation?_count=3"} {
		if a := w.b.Get(path); a.Status != http.StatusOK {
			w.t.Fatalf("%s: %s", path, a)
		}
	}
	w.b.Refusal("/AllergyIntolerance?_count=2")
	w.b.Act(registrytest.Ada, registry.PlaceHold{ID: "watch", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldOwner})
	w.b.Refusal("/Patient?_count=2")
	w.b.Act(registrytest.Grace, registry.LiftHold{ID: "watch"})
}

// soon asks for a page until it says something.
func (c *client) soon(path, text string) *client {
	c.w.t.Helper()
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c.get(path); c.status == http.StatusOK && regexp.MustCompile(text).MatchString(c.body) {
			return c
		}
		if time.Now().After(until) {
			c.w.t.Fatalf("%s never says %q: %d\n%s", path, text, c.status, c.body)
		}
	}
}

// one is what a pattern captures on the page.
func (c *client) one(pattern string) string {
	c.w.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(c.body)
	if m == nil {
		c.w.t.Fatalf("%s has no %s:\n%s", c.at, pattern, c.body)
	}
	return m[1]
}

func TestDecisionsAsPages(t *testing.T) {
	w := start(t)
	w.asked()
	grace := w.as(registrytest.Grace)
	grace.soon("/console/decisions?result=refused&gate=hold", `/console/decisions/\w{26}`)
	refused := grace.one(`"(/console/decisions/\w{26})"`)
	grace.get(refused).wants(http.StatusOK, "Nothing was fetched and nothing left", "Nothing that the request stands on is on hold")
	grace.soon("/console/decisions?result=permitted", `/console/decisions/\w{26}`)
	permitted := grace.one(`"(/console/decisions/\w{26})"`)
	grace.soon(permitted, `rung-facts`).wants(http.StatusOK, "BAA-M01", "X25519MLKEM768")
	story := grace.one(`"(/console/releases/\w{26})"`)
	grace.get(story).wants(http.StatusOK, "The story of a release", "The seal")
	grace.get("/console/log").wants(http.StatusOK, "sallyport verify", "The newest checkpoint")
	grace.get("/console/log/3").wants(http.StatusOK, "Every field of it")
	grace.get("/console/log/3/proof").wants(http.StatusOK, "c2sp.org/tlog-proof@v1")
	if os.Getenv("SALLYPORT_PICTURES") == "" {
		return
	}
	b := w.browser(registrytest.Grace)
	w.pictures(b, map[string]string{"decisions": "/console/decisions", "decision-refused": refused, "decision-permitted": permitted, "decision-whatif": permitted + "?if-judge=now&if-at=2028-01-01T00:00",
		"release": story, "log": "/console/log", "log-entry": "/console/log/40", "log-verify": "/console/log/verify",
		"evidence": "/console/evidence", "evidence-control": "/console/evidence?citation=45+CFR+164.308%28b%29%281%29&vendor=northwind", "evidence-vendor": "/console/evidence/vendors/northwind",
		"policies": "/console/policies?if-judge=now&if-grant=triage-grant&if-ask=read&if-types=Patient&if-act=hold.place", "policy-gate": "/console/policies/training", "policy-acts": "/console/policies/acts"})
}

// pictures takes each page in light, in dark and on a phone.
func (w *world) pictures(b *browser.Browser, pages map[string]string) {
	for name, path := range pages {
		b.Open(w.b.Pages + path)
		b.Picture(name, 1280, false)
		b.Picture(name+"-dark", 1280, true)
		b.Picture(name+"-phone", 320, false)
	}
}
