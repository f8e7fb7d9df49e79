package identity

import (
	"testing"

	"github.com/sallyport/sallyport/snapshot"
)

// Anybody of a vendor can register applications. One that nobody approved leaves
// nothing in the memory of what was used, which all vendors share.
func TestAnUnapprovedAppUsesUpNoMemory(t *testing.T) {
	w := newWorld(t)
	w.edit(func(e *snapshot.Edit) {
		old, _ := e.View().Apps.Get("triage")
		app := *old
		app.State = snapshot.Proposed
		e.Put(&app)
	})
	for range 3 {
		if status, code, _ := w.post(w.device, tokenForm(w.good(w.claims()))); status != 400 || code != "unauthorized_client" || w.lastReason() != AppNotApproved {
			t.Errorf("got %d %s %s", status, code, w.lastReason())
		}
	}
	if n := len(w.replays.used); n != 0 {
		t.Errorf("%d assertions are remembered", n)
	}
}
