package registry_test

import (
	"testing"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// A device may say what it runs, and no other may; the signature is checked
// whoever says it, and the record says whose word it was.
func TestADeviceAttestsItself(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", proven2)
	own, other := registry.Actor{Device: "northwind-gpu-1"}, registry.Actor{Device: "other-gpu"}
	forged := with(attest2, func(a *registry.AttestWorkload) {
		a.ID, a.Bundle = "w3", otherBuild.provenance(image2, builder2, "https://git.northwind.example/ml/triage")
	})
	if p := problem.From(w.as(own, forged)); p.Kind != problem.Invalid || p.Field != "bundle" {
		t.Errorf("a signature of a stranger: got %v", p)
	}
	if p := problem.From(w.as(other, attest2)); p.Kind != problem.Refused {
		t.Errorf("another device: got %v, want a refusal", p)
	}
	if p := problem.From(w.as(registry.Actor{Person: "lin"}, attest2)); p.Kind != problem.Refused {
		t.Errorf("a vendor's person: got %v, want a refusal", p)
	}
	if err := w.as(own, attest2); err != nil {
		t.Fatal(err)
	}
	r, ok := w.view.Attestations.Get("w2")
	if !ok || r.DeclaredBy != "device.northwind-gpu-1" || r.LocationBy != snapshot.Declared {
		t.Errorf("got %+v", r)
	}
	if p := problem.From(w.as(own, registry.RevokeAttestation{ID: "w2"})); p.Kind != problem.Refused {
		t.Errorf("the device takes it back: got %v, want a refusal: it could hide what it ran", p)
	}
}

// An id whose workload was revoked can be registered anew, by two people; one
// that is in use cannot.
func TestASPIFFEIDIsUsedByOneWorkload(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", pod2)
	w.must("grace", registry.ApproveDevice{ID: "pod2", TrustedUntil: year})
	again := with(pod2, func(a *registry.EnrollDevice) { a.ID = "pod3" })
	if p := problem.From(w.do("ada", again)); p.Kind != problem.Conflict || p.Field != "spiffe_id" {
		t.Errorf("in use: got %v, want a conflict", p)
	}
	w.must("grace", registry.RevokeDevice{ID: "pod2"})
	w.must("ada", again)
	if d, ok := w.view.DeviceBySPIFFE(pod2.SPIFFE); !ok || d.ID != "pod3" || d.State != snapshot.Proposed {
		t.Errorf("after revocation: got %+v", d)
	}
}

// Amending a vendor keeps its screening: what was found does not lapse because
// the name changed, and a finding cannot be amended away.
func TestAmendingAVendorKeepsItsScreening(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", screen2)
	w.must("ada", registry.AmendVendor{ID: "northwind", Name: "Northwind, Ltd."})
	v, _ := w.view.Vendors.Get("northwind")
	if v.Screening.Access != snapshot.Yes || v.Screening.By != "grace" {
		t.Errorf("got %+v", v.Screening)
	}
}

// What an engagement demands can be tightened at any time; what was attested
// under the old demand stays on record and is named by that demand.
func TestAnotherDemandIsAnotherDigest(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", proven2)
	w.must("grace", attest2)
	w.must("ada", registry.AmendEngagement(with(proven2, func(a *registry.ProposeEngagement) {
		d := *a.Workload
		d.Images = []string{image2}
		a.Workload = &d
	})))
	e, _ := w.view.Engagements.Get("e2")
	r, _ := w.view.Attestations.Get("w2")
	if e.Workload.Digest() == r.Demand256 {
		t.Error("the attestation counts under a demand that it was not verified under")
	}
	w.must("grace", with(attest2, func(a *registry.AttestWorkload) { a.ID = "w3" }))
	if r, _ := w.view.Attestations.Get("w3"); e.Workload.Digest() != r.Demand256 {
		t.Error("verified anew, it does not count")
	}
}

// apply takes an engagement with its demand, an agent and its owner as files.
func TestAnAgentWaitsForItsOwner(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.ProposePerson{ID: "p9", Vendor: "northwind", Name: "P", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.must("ada", with(app2, func(a *registry.RegisterApp) { a.ID, a.Owner = "bot", "p9" }))
	if p := problem.From(w.do("grace", registry.ApproveApp{ID: "bot"})); p.Kind != problem.Conflict || p.Field != "owner" {
		t.Errorf("before the owner is approved: got %v", p)
	}
	w.must("grace", registry.ApprovePerson{ID: "p9"})
	w.must("grace", registry.ApproveApp{ID: "bot"})
	w.must("ada", with(app2, func(a *registry.RegisterApp) { a.ID, a.Owner, a.Kind = "job", "p9", snapshot.Workload }))
	w.must("grace", registry.DeactivatePerson{ID: "p9"})
	w.must("grace", registry.ApproveApp{ID: "job"}) // of another program the vendor's word is enough
}
