package console_test

import (
	"time"

	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// securityTasks are the five that a security engineer does most: watch decisions, end a
// session, hold a machine, read what protects a source's way, and see that the node and
// its keys are well.
func securityTasks(w *world, b *browser.Browser, grace *client) {
	t := w.t
	t.Helper()
	page := w.b.Pages + "/console/"
	act := func(reason string) {
		t.Helper()
		b.Type("#f-reason", reason)
		b.Press(".do-buttons .main")
		b.Wants("Nothing is done yet")
		b.Press(".do-buttons .main")
		b.Wants("Done.")
	}

	// 1. A decision appears while one looks, and opens.
	b.Open(page + "decisions")
	const rows = `String(document.querySelectorAll("main tbody tr").length)`
	before := b.Value(rows)
	w.b.Get("/Patient?_count=1")
	for until := time.Now().Add(time.Minute); b.Value(rows) == before; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("no new decision appears on the page that shows them")
		}
	}
	b.Press(`main tbody tr a[href^="/console/decisions/"]`)
	b.Wants("Refused")

	// 2. A colleague's session ends, and what they do next is to sign in.
	ada := w.as(registrytest.Ada)
	b.Open(page + "sessions?q=ada")
	b.Press(`a[href*="/console/do/session.kill"]`)
	act("a lost laptop")
	if ada.get("/console/health"); ada.at != "/signin" {
		t.Errorf("whose session was ended still sees %s", ada.at)
	}

	// 3. A machine is held, and gets nothing.
	b.Open(page + "devices/northwind-gpu-1")
	b.Press(`a[href*="/console/do/hold.place"]`)
	b.Value(`document.getElementById("f-cause") ? document.getElementById("f-cause").value = "owner" : document.querySelector("[name=cause][value=owner]").checked = true, "chosen"`)
	act("it was seen in another country")
	b.Wants("Nothing is released to this machine")

	// 4. The map says what protected the way of a source.
	b.Open(page + "flow")
	b.Wants("plain, on this machine", "post-quantum key", "token bound by certificate")
	b.Value(`document.querySelector('svg a[href="/console/sources/ehr"]').dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true})), "there"`)
	b.Await("The way to the gateway, as last seen")

	// 5. The node is well, and its keys.
	b.Open(page + "health")
	b.Wants("Ready.", "Audit log")
	b.Open(page + "keys/triage-eval")
	b.Wants("Kept", "It takes three people")
	b.Errors()
}
