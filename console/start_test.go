package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
)

// From an empty registry to the first lawful release: two people, each with a browser and
// a passkey, who follow the page First steps. The vendor's machine and program make their
// keys by the documented commands; all else is done in the browser.
func TestFirstStepsToTheFirstRelease(t *testing.T) {
	b := hospitaltest.Start(t, hospitaltest.Options{People: true})
	w := &world{t, b}
	_, code := b.FirstRun()
	ada := newcomer(w, code)
	ada.b.Picture("start", 1280, false)
	ada.b.Picture("start-phone", 320, true)
	ada.follows("person.propose", "id", "grace", "name", "Grace Example")
	ada.follows("person.invite")
	grace := newcomer(w, ada.b.Value(`document.querySelector(".do-once code").textContent`), func() {
		ada.b.Press(".button.main")
		ada.b.Wants("First steps")
		ada.follows("organisation.second-person")
	})
	grace.follows("person.amend-duties")
	ada.follows("vendor.propose", "id", "northwind", "name", "Northwind AI, Inc.")
	grace.follows("vendor.screen", "ownership", "no", "access", "no")
	grace.follows("assessment.record", "verdict", "pass")
	grace.follows("vendor.approve")

	ada.opens("/console/start")
	ada.b.Press(`a[href^="/console/agreements/compose"]`)
	ada.fill("id", "northwind-baa", "permitted_uses.0.clause", "2.1", "reason", "our own wording")
	ada.b.Press(".do-buttons .main")
	ada.b.Wants("The wording", "usiness associate agreement")
	ada.b.Picture("compose", 1280, false)
	ada.b.Press(".do-buttons .main")
	ada.b.Wants("northwind-baa", "It waits for the signature of the organisation and of the vendor")
	ada.follows("agreement.sign", "signer", "A. Example, CEO")
	ada.follows("agreement.sign", "signer", "N. Wind, CEO")
	ada.follows("engagement.propose", "id", "triage-eval", "purpose", "evaluation", "regions", "US")
	grace.follows("agreement.approve")
	grace.follows("engagement.approve")

	ada.follows("person.propose", "id", "lin", "name", "Lin Example")
	grace.follows("person.approve")
	grace.follows("training.record", "score", "0.93")
	keys, err := identity.PublicKeys(b.Client.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	ada.follows("device.enroll", "id", string(hospitaltest.Device), "key_sha256", string(b.Client.Device.KeyDigest()), "owner", "lin")
	ada.follows("app.register", "id", string(hospitaltest.App), "name", "Triage", "owner", "lin", "keys", string(keys))
	grace.follows("device.approve")
	grace.follows("app.approve")
	ada.follows("role.define", "id", "triage-reader", "title", "Triage reader")
	grace.follows("role.approve")
	ada.follows("grant.request", "id", "triage-grant")
	grace.opens("/console/start")
	grace.b.Wants("would refuse")
	grace.b.Picture("start-half", 1280, false)
	grace.follows("grant.approve")
	grace.opens("/console/start")
	grace.b.Wants("A question as the role allows would be answered.")

	if got := b.Get("/Patient?_count=1"); got.Status != http.StatusOK {
		t.Fatalf("the first question: %s", got)
	}
	ada.await("/console/start", "All is done.")
	ada.b.Picture("start-done", 1280, true)
	ada.b.Errors()
	grace.b.Errors()
	b.Verify()
}

// walker is a person with a browser of their own.
type walker struct {
	b *browser.Browser
	w *world
}

// newcomer makes a passkey with a code, and signs in with it; between the two something
// else may have to be done.
func newcomer(w *world, code string, between ...func()) *walker {
	w.t.Helper()
	b := browser.Start(w.t, w.b.Pages)
	b.WithAuthenticator(true)
	b.Open(w.b.Pages + "/enroll")
	b.Type("#code", code)
	b.Press("form .main")
	b.Wants("Make your passkey")
	b.Press("form .main")
	for _, f := range between {
		f()
	}
	b.Open(w.b.Pages + "/signin")
	b.Press("form[data-passkey] .main")
	x := &walker{b, w}
	x.opens("/console/start")
	return x
}

func (x *walker) opens(path string) { x.b.Open(x.w.b.Pages + path) }

// await loads a page until it says something that comes by itself.
func (x *walker) await(path, text string) {
	x.w.t.Helper()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		x.opens(path)
		if strings.Contains(x.b.Text(), text) {
			return
		}
	}
	x.b.Wants(text)
}

// follows takes a step of First steps: its link, the form, what it changes, and does it.
func (x *walker) follows(kind string, pairs ...string) {
	x.w.t.Helper()
	x.opens("/console/start")
	link := `a[href^="/console/do/` + kind + `?"]`
	if x.b.Value(`String(!!document.querySelector('`+link+`'))`) != "true" {
		x.w.t.Fatalf("First steps has no way to %s:\n%s", kind, x.b.Text())
	}
	x.b.Press(link)
	x.fill(append(pairs, "reason", "as the page says")...)
	x.b.Press(".do-buttons .main")
	x.b.Wants("Nothing is done yet")
	x.b.Press(".do-buttons .main")
	if text := x.b.Text(); !strings.Contains(text, "Done.") && !strings.Contains(text, "It is done.") {
		x.w.t.Fatalf("%s is not done:\n%s", kind, text)
	}
}

// fill writes into the form's fields, of whatever kind they are.
func (x *walker) fill(pairs ...string) {
	x.w.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		name, err := json.Marshal(pairs[i])
		if err != nil {
			x.w.t.Fatal(err)
		}
		value, err := json.Marshal(pairs[i+1])
		if err != nil {
			x.w.t.Fatal(err)
		}
		got := x.b.Value(fmt.Sprintf(`(() => { const all = [...document.getElementsByName(%s)], value = %s; let n = 0;
			for (const e of all) { if (e.type === "radio" || e.type === "checkbox") { if (e.value === value) { e.checked = true; n++ } } else { e.value = value; n += e.value === value ? 1 : 0 } }
			return String(n) })()`, name, value))
		if got == "0" {
			x.w.t.Fatalf("%s cannot be set to %s:\n%s", name, value, x.b.Text())
		}
	}
}

// A form that is filled in survives the way through the passkey.
func TestWhatWasTypedSurvivesThePasskey(t *testing.T) {
	w := start(t)
	w.b.Act(registrytest.Ada, registry.ProposeVendor{ID: id.Vendor("fresh"), Name: "Fresh AI"})
	b := w.browser(registrytest.Grace)
	x := &walker{b, w}
	w.b.Clock.Move(10 * 60e9)
	// The registry is confirmed anew, a moment after the clock was moved.
	x.await("/console/do/vendor.approve?id=fresh&next=/console/start", "Before this is done you are asked to touch your passkey")
	x.fill("reason", "references checked by letter")
	b.Press(".do-buttons .main")
	b.Wants("Confirm that it is you")
	b.Press("form[data-passkey] .main")
	b.Wants("Nothing is done yet", "references checked by letter", "proposed", "approved")
	b.Picture("do-ahead", 1280, false)
	b.Picture("do-ahead-phone", 320, true)
	b.Press(".do-buttons .main")
	b.Wants("Done.", "Take a proposed vendor on")
	b.Errors()
}
