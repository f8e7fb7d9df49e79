package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/internal/browser"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// phoneTask is something that a data owner does on their telephone.
type phoneTask struct {
	path, press string // the page, and what is pressed there
	check       func(*snapshotOf) string
}

// ownersTasks are the five that a data owner, who may be a clinician, does most: give
// what was asked, give less, refuse, look at an emergency, end an elevation.
func ownersTasks(owner id.Person) []phoneTask {
	stage := func(request id.Request, want snapshot.RequestStage) func(*snapshotOf) string {
		return func(v *snapshotOf) string {
			if got := v.request(request).Stage; got != want {
				return "the request is " + string(got) + ", want " + string(want)
			}
			return ""
		}
	}
	return []phoneTask{
		{"/console/requests/may", ".care-wide .main", stage("may", snapshot.RequestApproved)},
		{"/console/requests/june", ".care-cut button", func(v *snapshotOf) string {
			r := v.request("june")
			g := v.grant(r.Grant)
			role := readOne[snapshot.Role](v.w, "/v1/roles/"+string(g.Role))
			if r.Stage != snapshot.RequestApproved || g.EndsAt.Sub(g.StartsAt) != 14*24*time.Hour || slices.Contains(role.Resources["Patient"].Elements, "birthDate") || len(role.Resources["Patient"].Elements) != 2 {
				return fmt.Sprintf("the access is given for %s, with %v", g.EndsAt.Sub(g.StartsAt), role.Resources["Patient"])
			}
			return ""
		}},
		{"/console/requests/july", ".care-wide .danger", stage("july", snapshot.RequestDenied)},
		{"/console/emergencies/night", ".care-wide .main", func(v *snapshotOf) string {
			if e := v.emergency("night"); !e.Justified || e.ReviewedBy != owner {
				return "the emergency is not reviewed"
			}
			return ""
		}},
		{"/console/elevations", "#running .danger", func(v *snapshotOf) string {
			if g := v.grant(v.request("lift").Grant); g.EndedBy != owner {
				return "the elevation goes on"
			}
			return ""
		}},
	}
}

// snapshotOf reads records by the API.
type snapshotOf struct{ w *world }

func readOne[T any](w *world, path string) (out T) {
	w.t.Helper()
	got, err := w.b.People[registrytest.Ada].Do(http.MethodGet, path, nil)
	if err == nil {
		err = json.Unmarshal(got.Body, &out)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (v *snapshotOf) request(key id.Request) snapshot.Request {
	return readOne[snapshot.Request](v.w, "/v1/requests/"+string(key))
}

func (v *snapshotOf) grant(key id.Grant) snapshot.Grant {
	return readOne[snapshot.Grant](v.w, "/v1/grants/"+string(key))
}

func (v *snapshotOf) emergency(key id.Emergency) snapshot.Emergency {
	return readOne[snapshot.Emergency](v.w, "/v1/emergencies/"+string(key))
}

// onThePhone does the owner's tasks in the real browser, 320 pixels wide, with the passkey
// that a decision asks for.
func onThePhone(w *world, b *browser.Browser, owner id.Person) {
	w.t.Helper()
	for _, task := range ownersTasks(owner) {
		b.Narrow(320, false)
		b.Open(w.b.Pages + task.path)
		narrow(w.t, b, task.path)
		if task.press == ".care-cut button" {
			b.Tick("#less > summary")
			b.Tick(`[name="resources.Patient.elements"][value=birthDate]`)
		}
		if why := b.Value(`document.querySelector("#less[open] #less-reason, #reason")?.id ?? ""`); why != "" { // the page asks for the reason itself
			if task.press == ".care-cut button" {
				why = "less-reason"
			}
			b.Type("#"+why, "decided on the way")
		}
		b.Press(task.press)
		narrow(w.t, b, "the form after "+task.path)
		b.Picture("act-of-"+path.Base(task.path), 320, false)
		if b.Value(`String(document.querySelector("#f-reason") !== null)`) == "true" {
			b.Type("#f-reason", "decided on the way")
			b.Press(".do-buttons .main")
		}
		if b.Value(`String(document.querySelector("form[data-passkey]") !== null)`) == "true" {
			b.Press("form[data-passkey] .main")
		}
		b.Wants("Nothing is done yet")
		b.Press(".do-buttons .main")
		b.Wants("Done.")
		if trouble := task.check(&snapshotOf{w}); trouble != "" {
			w.t.Errorf("after %s: %s", task.path, trouble)
		}
	}
	b.Errors()
}

func narrow(t *testing.T, b *browser.Browser, what string) {
	t.Helper()
	if got := b.Value(`String(document.documentElement.scrollWidth)`); got != "320" {
		t.Errorf("%s is %s wide on a phone of 320, because of %s", what, got, b.Value(`(() => { let at = document.body, say = ""; for (;;) { const next = [...at.children].find(e => { const was = e.style.display; e.style.display = "none"; const ok = document.documentElement.scrollWidth <= 320; e.style.display = was; return ok; }); if (!next) return say; say += " " + next.tagName + "." + next.className + "#" + next.id; at = next; } })()`))
	}
}

// carePictures shows every screen, in both themes and on a phone, where pictures are wanted;
// everywhere it looks that nothing is wider than a phone.
func carePictures(w *world, b *browser.Browser, pages map[string]string) {
	w.t.Helper()
	for name, path := range pages {
		b.Narrow(320, false)
		b.Open(w.b.Pages + path)
		narrow(w.t, b, path)
		if os.Getenv("SALLYPORT_PICTURES") == "" {
			continue
		}
		b.Picture(name+"-phone", 320, false)
		b.Narrow(1280, false)
		b.Picture(name, 1280, false)
		b.Narrow(1280, true)
		time.Sleep(200 * time.Millisecond) // colours change over a tenth of a second
		b.Picture(name+"-dark", 1280, true)
	}
	b.Errors()
}
