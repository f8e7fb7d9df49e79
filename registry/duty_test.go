package registry_test

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Whoever asked, recorded, placed or gains cannot decide; another can.
func TestSeparationOfDuties(t *testing.T) {
	tested := map[registry.Kind]bool{}
	for _, spec := range registry.Acts {
		decides := spec.Verb == "approve" || slices.Contains([]registry.Kind{"certification.verify", "hold.lift", "review.complete", "person.amend-duties", "training.record", "assessment.record", "assessment.accept-risk", "assessment.meet-condition", "finding.accept", "key.approve-destruction"}, spec.Name)
		if !decides {
			continue
		}
		tested[spec.Name] = true
		t.Run(string(spec.Name), func(t *testing.T) {
			s := scenarios[spec.Name]
			w := demoWorld(t)
			if s.before != nil {
				s.before(w) // done by Ada
			}
			a := s.allowed(w)
			asker := id.Person("ada")
			if spec.Name == "training.record" {
				a = with(training2, func(a *registry.RecordTraining) { a.Person = "ada" })
			}
			if err := w.do(asker, a); !refusedBy(err, "separation-of-duties") {
				t.Errorf("by whoever asked: got %v, want a refusal by separation-of-duties", err)
			}
			for _, who := range []id.Person{"otto", "lin", "nobody", ""} {
				if err := w.do(who, a); problem.From(err).Kind != problem.Refused {
					t.Errorf("by %q: got %v, want a refusal", who, err)
				}
			}
			if err := w.do("eve", a); err != nil {
				t.Errorf("by another: %v", err)
			}
		})
	}
	if len(tested) < 14 {
		t.Errorf("only %d acts decide", len(tested))
	}
}

func refusedBy(err error, gate string) bool {
	p := problem.From(err)
	return p.Kind == problem.Refused && slices.ContainsFunc(p.Reasons, func(r problem.Reason) bool { return r.Gate == gate && r.NextStep != "" })
}

// Every act needs one of its duties: with all others it is refused.
func TestEveryActNeedsItsDuty(t *testing.T) {
	for _, spec := range registry.Acts {
		if spec.Name == "organisation.bootstrap" {
			continue // on an empty registry nobody has a duty
		}
		w := demoWorld(t)
		var others []registry.Duty
		for _, d := range registry.Duties {
			if !slices.Contains(spec.Duties, d) && d != registry.Auditor {
				others = append(others, d)
			}
		}
		w.must("grace", registry.AmendDuties{ID: "eve", Duties: others})
		err := registry.Authorize(w.engine, w.view, registry.Actor{Person: "eve"}, spec.New(), w.now)
		if !refusedBy(err, "duty") && len(spec.Duties) < 5 {
			t.Errorf("%s without its duties: got %v", spec.Name, err)
		}
		if err := registry.Authorize(w.engine, w.view, registry.Actor{Person: "otto"}, spec.New(), w.now); !refusedBy(err, "auditor-reads-only") {
			t.Errorf("%s by the auditor: got %v", spec.Name, err)
		}
	}
}

// A stand-in who was approved for little does not get more from who made them.
func TestAStandInGetsNoDutiesFromItsMaker(t *testing.T) {
	w := demoWorld(t)
	all := registry.Duties[:5]
	w.must("ada", registry.ProposePerson{ID: "sid", Name: "Sid", Classification: hipaa.Workforce, Basis: "employee",
		Duties: []registry.Duty{registry.Procurement}, Key256: registrytest.Key("sid")})
	w.must("grace", registry.ApprovePerson{ID: "sid"})
	if err := w.do("ada", registry.AmendDuties{ID: "sid", Duties: all}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who proposed the person adds duties: got %v", err)
	}
	w.must("ada", registry.AmendDuties{ID: "sid"}) // less is always possible
	w.must("grace", registry.AmendDuties{ID: "sid", Duties: all})
	// The same by way of a key: who asked for it holds it.
	w.must("eve", registry.AmendDuties{ID: "sid", Duties: []registry.Duty{registry.Procurement}})
	w.must("eve", registry.RegisterPersonKey{ID: "sid", Key256: registrytest.Key("sid-2")})
	w.must("grace", registry.ApprovePerson{ID: "sid"})
	if err := w.do("eve", registry.AmendDuties{ID: "sid", Duties: all}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who asked for the person's key adds duties: got %v", err)
	}
}

// One person cannot put new keys on everybody until nobody can approve any.
func TestKeysDoNotLockEverybodyOut(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.RegisterPersonKey{ID: "grace", Key256: registrytest.Key("g2")})
	err := w.do("ada", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("e2")})
	if p := problem.From(err); p.Kind != problem.Conflict || p.Field != "id" {
		t.Errorf("got %v, want a conflict: nobody could approve it", err)
	}
	w.must("eve", registry.ApprovePerson{ID: "grace"})
	w.must("ada", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("e2")})
}

func TestAPersonOnHoldDoesNotAct(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "eve"}, Cause: snapshot.HoldIncident})
	if err := w.do("eve", vendor2); !refusedBy(err, "person-on-hold") {
		t.Errorf("got %v", err)
	}
	if err := w.do("eve", registry.LiftHold{ID: "h"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("the person lifts their own hold: got %v", err)
	}
	w.must("ada", registry.LiftHold{ID: "h"})
	w.must("eve", vendor2)
}

func TestTwoPeopleRemain(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", registry.DeactivatePerson{ID: "eve"})
	if err := w.do("grace", registry.DeactivatePerson{ID: "ada"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("got %v, want a conflict: an auditor cannot act, so one would remain", err)
	}
}

func TestATighterVendorStaysApproved(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.AmendVendor{ID: "northwind", Name: "Northwind AI, Inc.", RequiredCertifications: []string{"SOC2_T2", "PENTEST"}})
	if v, _ := w.view.Vendors.Get("northwind"); v.State != snapshot.Approved {
		t.Errorf("got %s, want approved", v.State)
	}
	w.must("ada", registry.AmendVendor{ID: "northwind", Name: "Northwind AI, Inc."})
	if v, _ := w.view.Vendors.Get("northwind"); v.State != snapshot.Proposed {
		t.Errorf("after dropping a requirement: got %s, want proposed", v.State)
	}
}

func TestAReviewThatRevokesEndsTheGrant(t *testing.T) {
	w := demoWorld(t)
	w.must("eve", registry.CompleteReview{ID: w.review(), Outcome: snapshot.Revoke})
	if g, _ := w.view.Grants.Get("triage-grant"); g.State != snapshot.Ended {
		t.Errorf("got %s, want ended", g.State)
	}
}

func TestAPersonChangesTheirOwnKeyAtOnce(t *testing.T) {
	w := demoWorld(t)
	w.must("eve", registry.RegisterPersonKey{ID: "eve", Key256: registrytest.Key("eve-2")})
	p, ok := w.view.PersonByKey(registrytest.Key("eve-2"))
	if !ok || p.ID != "eve" || p.State != snapshot.Approved {
		t.Errorf("got %+v", p)
	}
	if _, ok := w.view.PersonByKey(registrytest.Key("eve")); ok {
		t.Error("the old key still names a person")
	}
}
