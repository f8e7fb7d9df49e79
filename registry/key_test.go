package registry_test

import (
	"testing"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// It takes three people to destroy a key: one who asks and two who approve, none
// of them twice.
func TestThreePeopleDestroyAKey(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.EndEngagement{ID: "triage-eval"})
	w.must("ada", registry.RequestKeyDestruction{ID: "triage-eval"})
	approve := registry.ApproveKeyDestruction{ID: "triage-eval"}
	ordered := func() bool { k, _ := w.view.Keys.Get("triage-eval"); return k.Ordered() }
	if err := w.do("ada", approve); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who asked approved: %v", err)
	}
	w.must("grace", approve)
	if ordered() {
		t.Fatal("one approval was enough")
	}
	for _, who := range []id.Person{"grace", "ada"} {
		if err := w.do(who, approve); !refusedBy(err, "separation-of-duties") {
			t.Errorf("%s approved again: %v", who, err)
		}
	}
	w.must("eve", approve)
	k, _ := w.view.Keys.Get("triage-eval")
	if !ordered() || k.Destruction.Act != w.last || !k.Destruction.OrderedAt.Equal(noon) {
		t.Errorf("after two approvals: %+v", k.Destruction)
	}
	// It is for good.
	for _, a := range []registry.Act{approve, registry.RequestKeyDestruction{ID: "triage-eval"}, registry.WithdrawKeyDestruction{ID: "triage-eval"}, registry.RotateKey{ID: "triage-eval"}} {
		if err := w.do("grace", a); problem.From(err).Kind != problem.Conflict && !refusedBy(err, "separation-of-duties") {
			t.Errorf("%T after it: %v, want a conflict", a, err)
		}
	}
}

// A request that was withdrawn begins anew, with nobody's approval.
func TestAWithdrawnRequestKeepsNoApproval(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.EndEngagement{ID: "triage-eval"})
	w.must("ada", registry.RequestKeyDestruction{ID: "triage-eval"})
	w.must("grace", registry.ApproveKeyDestruction{ID: "triage-eval"})
	w.must("ada", registry.WithdrawKeyDestruction{ID: "triage-eval"})
	if err := w.do("eve", registry.ApproveKeyDestruction{ID: "triage-eval"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("approved what nobody asks for: %v", err)
	}
	w.must("eve", registry.RequestKeyDestruction{ID: "triage-eval"})
	k, _ := w.view.Keys.Get("triage-eval")
	if len(k.Destruction.Approvals) != 0 || k.Destruction.RequestedBy != "eve" {
		t.Errorf("the new request: %+v", k.Destruction)
	}
}

// Records that a court wants are kept: a legal hold on engagement or vendor stops
// the request and the approval.
func TestALegalHoldKeepsKeys(t *testing.T) {
	for _, on := range []snapshot.Subject{{Noun: snapshot.NounVendor, ID: "northwind"}, {Noun: snapshot.NounEngagement, ID: "triage-eval"}} {
		w := demoWorld(t)
		w.must("ada", registry.EndEngagement{ID: "triage-eval"})
		w.must("ada", registry.PlaceHold{ID: "keep", On: on, Cause: snapshot.HoldLegal})
		if err := w.do("grace", registry.RequestKeyDestruction{ID: "triage-eval"}); problem.From(err).Kind != problem.Conflict || problem.From(err).NextStep == "" {
			t.Errorf("hold on %s: %v, want a conflict", on.Noun, err)
		}
		w.must("grace", registry.LiftHold{ID: "keep"})
		w.must("grace", registry.RequestKeyDestruction{ID: "triage-eval"})
		w.must("eve", registry.PlaceHold{ID: "keep-2", On: on, Cause: snapshot.HoldLegal})
		if err := w.do("ada", registry.ApproveKeyDestruction{ID: "triage-eval"}); problem.From(err).Kind != problem.Conflict {
			t.Errorf("hold on %s after the request: %v, want a conflict", on.Noun, err)
		}
	}
}
