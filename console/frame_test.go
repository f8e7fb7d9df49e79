package console_test

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// systemScreens are this part's pages, as pictures are taken of them.
var systemScreens = []string{"flow", "sources", "sources/ehr", "sessions", "devices", "devices/northwind-gpu-1", "apps", "apps/triage", "workloads", "connectors", "holds",
	"keys", "keys/triage-eval", "keys/triage-eval/statement", "health", "words", "words?part=gates", "find?q=northwind", "tour"}

// frameStory is what every page has: finding by keyboard, colours, the lock of a page
// that nobody uses; and a session that a live page does not keep alive.
func frameStory(w *world, b *browser.Browser, grace *client) {
	t := w.t
	t.Helper()
	b.Open(w.b.Pages + "/console/health")
	b.Key("\x0b") // nothing: the palette opens by Ctrl K alone
	b.Value(`dispatchEvent(new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true})), String(document.getElementById("palette").open)`)
	b.Type("#palette-q", "northwind")
	b.Value(`String(document.getElementById("palette-q").dispatchEvent(new Event("input")))`)
	b.Await("Northwind AI, Inc.")
	b.Value(`document.getElementById("palette-q").focus(), "here"`)
	b.Key("\r")
	b.Await("Northwind AI, Inc.")
	if at := b.At(); !strings.HasPrefix(at, w.b.Pages+"/console/vendors/northwind") {
		t.Errorf("the first hit leads to %s", at)
	}

	// Dark for good, also in front of the door; then as the device has it again.
	b.Value(`String(document.querySelector(".pick").open = true)`)
	b.Press("form[action='/console/theme'] button[value=dark]")
	b.Open(w.b.Pages + "/account")
	if got := b.Value(`document.documentElement.dataset.theme`); got != "dark" {
		t.Errorf("the account's page has the theme %q", got)
	}
	b.Wants("To the console")
	b.Open(w.b.Pages + "/console/holds")
	b.Value(`String(document.querySelector(".pick").open = true)`)
	b.Press("form[action='/console/theme'] button[value='']")
	if got := b.Value(`String(document.documentElement.dataset.theme)`); got != "undefined" {
		t.Errorf("as the device has it: theme %q", got)
	}

	// No page is wider than a phone, which is 400 % of a screen of 1280.
	b.Width(320)
	for _, path := range systemScreens {
		b.Open(w.b.Pages + "/console/" + path)
		if got := b.Value(`String(document.documentElement.scrollWidth)`); got != "320" {
			t.Errorf("%s is %s wide at 320: %s", path, got, b.Value(`[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > 321 && !e.closest(".scroll")).map((e) => e.tagName + "." + e.className).slice(0, 5).join(" ")`))
		}
	}
	b.Width(1280)
	if os.Getenv("SALLYPORT_PICTURES") != "" {
		for _, path := range systemScreens {
			b.Open(w.b.Pages + "/console/" + path)
			name := strings.NewReplacer("?", "-", "=", "-", "/", "-").Replace(path)
			b.Picture(name, 1280, false)
			b.Picture(name+"-dark", 1280, true)
			b.Picture(name+"-phone", 320, false)
		}
		for _, path := range []string{"account", "portal", "signin"} {
			b.Open(w.b.Pages + "/" + path)
			b.Picture("x-"+path, 1280, false)
			b.Picture("x-"+path+"-dark", 1280, true)
		}
	}

	// Nobody touches the page: what stood on it is gone from sight.
	b.Open(w.b.Pages + "/console/sessions")
	b.Value(`document.body.dataset.idle = "0.2", String(dispatchEvent(new Event("scroll")))`)
	b.Focused("Go on")
	if text := b.Text(); !strings.Contains(text, "Locked") || strings.Contains(text, "Ada Example") {
		t.Errorf("a locked page shows %q", text)
	}
	if got := b.Value(`String(stream.readyState)`); got != "2" {
		t.Errorf("the stream of a locked page is in state %s", got)
	}
	b.Errors()

	// A page that keeps itself up to date is nobody's use of the session.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.b.Pages+"/console/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := grace.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	w.b.Advance(20 * time.Minute)
	grace.Client.Transport = &quietly{grace.Client.Transport}
	grace.get("/console/health").wants(http.StatusOK, "Ready.")
	w.b.Advance(11 * time.Minute)
	grace.Client.Transport = grace.Client.Transport.(*quietly).RoundTripper
	w.b.Act(registrytest.Ada, registry.PlaceHold{ID: "wake", On: snapshot.Subject{Noun: snapshot.NounApp, ID: "triage"}, Cause: snapshot.HoldOwner})
	over := false
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		over = over || lines.Text() == "event: over"
	}
	if !over {
		t.Error("the stream of a session that nobody used did not say that it is over")
	}
	if grace.get("/console/health"); grace.at != "/signin" {
		t.Errorf("a session that nobody used for half an hour still shows %s", grace.at)
	}
}

// quietly asks as a page does that keeps itself up to date.
type quietly struct{ http.RoundTripper }

func (q *quietly) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Sallyport-Quiet", "1")
	return q.RoundTripper.RoundTrip(r)
}
