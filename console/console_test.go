package console_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Whoever signs in begins here; a stranger is sent to sign in; what is not there is not.
func TestTheFirstPage(t *testing.T) {
	w := shared(t)
	grace := w.as(registrytest.Grace)
	grace.wants(http.StatusOK, "<h1>Today</h1>", "What needs you")
	if grace.at != "/console" {
		t.Errorf("signing in leads to %s", grace.at)
	}
	grace.get("/console/nothing").wants(http.StatusNotFound, "There is no such page")
	grace.get("/console/my/access").wants(http.StatusNotFound)
	hc := *grace.Client
	hc.Jar = nil
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := hc.Get(w.b.Pages + "/console/vendors?q=x")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, want := resp.Header.Get("Location"), "/signin?next=%2Fconsole%2Fvendors%3Fq%3Dx"; resp.StatusCode != http.StatusSeeOther || got != want {
		t.Errorf("a stranger gets %d to %q, want 303 to %q", resp.StatusCode, got, want)
	}
	for _, name := range []string{"console.css", "console.js"} {
		if grace.get("/console/assets/" + name); grace.status != http.StatusOK || len(grace.body) < 1000 {
			t.Errorf("%s: %d, %d bytes", name, grace.status, len(grace.body))
		}
	}
}

// A live page hears of an act at once, and is told when its session is over.
func TestLivePagesHear(t *testing.T) {
	t.Parallel()
	w := start(t)
	grace := w.as(registrytest.Grace)
	resp, err := grace.Get(w.b.Pages + "/console/live")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(resp.Body); s.Scan(); {
			lines <- s.Text()
		}
	}()
	await := func(want string) {
		t.Helper()
		for line := range lines {
			if line == want {
				return
			}
		}
		t.Fatalf("the stream ended without %q", want)
	}
	await("retry: 2000")
	w.b.Act(registrytest.Ada, registry.PlaceHold{ID: "look", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: string("northwind")}, Cause: snapshot.HoldOwner})
	await("event: registry")
	grace.post("/signout", nil)
	await("event: over")
	for range lines {
	}
	if ct := resp.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/event-stream") {
		t.Errorf("content type %q", ct)
	}
}

// The skeleton in the real browser: light, dark, on a phone, and its own script alone.
func TestTheFrame(t *testing.T) {
	w := shared(t)
	b := w.browser(registrytest.Grace)
	b.Picture("frame", 1280, false)
	b.Picture("frame-dark", 1280, true)
	b.Picture("frame-phone", 320, true)
	b.Narrow(1280, false)
	b.Value(`String(document.querySelector(".pick").open = true)`)
	b.Press("form[action='/console/theme'] button[value=dark]")
	if got := b.Value(`document.documentElement.dataset.theme`); got != "dark" {
		t.Errorf("theme %q", got)
	}
	b.Errors()
}
