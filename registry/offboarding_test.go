package registry_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Parting from a vendor ends everything of it in one act, and nothing of it can be
// brought back.
func TestPartingEndsEverythingOfTheVendor(t *testing.T) {
	w := demoWorld(t)
	var vendor *snapshot.Vendor
	for _, v := range w.view.Vendors.All() {
		vendor = v
	}
	w.must("ada", registry.ProposeVendor{ID: "other", Name: "Another vendor"})
	w.must("grace", registry.ApproveVendor{ID: "other"})
	w.must("ada", registry.ProposePerson{ID: "oleg", Vendor: "other", Name: "Oleg", Classification: hipaa.BusinessAssociate, Basis: "staff", Region: "US"})
	w.must("grace", registry.ApprovePerson{ID: "oleg"})

	w.must("ada", registry.BeginOffboarding{ID: "bye", Vendor: vendor.ID, Cause: snapshot.ContractEnded, DueAt: w.now.AddDate(0, 0, 30)})

	v := w.view
	for _, g := range v.Grants.All() {
		if g.State != snapshot.Ended {
			t.Errorf("grant %s is %s", g.ID, g.State)
		}
	}
	for _, e := range v.Engagements.All() {
		if e.State != snapshot.Ended {
			t.Errorf("engagement %s is %s", e.ID, e.State)
		}
	}
	for _, d := range v.Devices.All() {
		if d.State != snapshot.Ended {
			t.Errorf("device %s is %s", d.ID, d.State)
		}
	}
	for _, p := range v.Apps.All() {
		if p.State != snapshot.Ended || !p.TokensAfter.Equal(w.now) {
			t.Errorf("app %s is %s, and its tokens count after %v", p.ID, p.State, p.TokensAfter)
		}
	}
	for _, a := range v.Agreements.All() {
		if a.State != snapshot.Ended || a.TerminatedAt.IsZero() {
			t.Errorf("agreement %s is %s", a.ID, a.State)
		}
	}
	for _, p := range v.Persons.All() {
		switch {
		case p.Vendor == vendor.ID && p.State != snapshot.Ended:
			t.Errorf("person %s is %s", p.ID, p.State)
		case p.Vendor != vendor.ID && p.State != snapshot.Approved:
			t.Errorf("%s of %q went along", p.ID, p.Vendor)
		}
	}
	if x, _ := v.Vendors.Get(vendor.ID); x.State != snapshot.Ended {
		t.Errorf("the vendor is %s", x.State)
	}
	if err := w.do("grace", registry.BeginOffboarding{Vendor: vendor.ID, Cause: snapshot.WorkDone, DueAt: w.now.AddDate(0, 0, 1)}); err == nil {
		t.Error("a vendor can be parted from twice")
	}
	for _, back := range []registry.Act{registry.ResumeVendor{ID: vendor.ID}, registry.ApproveVendor{ID: vendor.ID}} {
		if err := w.do("grace", back); err == nil {
			t.Errorf("%T brought the vendor back", back)
		}
	}
}

// The end of one engagement ends what rests on it alone: a program that has
// another grant goes on with that one.
func TestTheEndOfAnEngagementSparesTheOthers(t *testing.T) {
	w := demoWorld(t)
	var g *snapshot.Grant
	for _, x := range w.view.Grants.All() {
		g = x
	}
	e, _ := w.view.Engagements.Get(g.Engagement)
	w.must("ada", registry.ProposeEngagement{ID: "second", Vendor: e.Vendor, Agreements: e.Agreements, Basis: e.Basis, Purpose: e.Purpose, Category: e.Category,
		Sources: e.Sources, DataClass: e.DataClass, Regions: e.Regions, StartsAt: w.now, EndsAt: w.now.AddDate(0, 6, 0)})
	w.must("grace", registry.ApproveEngagement{ID: "second"})
	w.must("ada", registry.RequestGrant{ID: "other-grant", Engagement: "second", App: g.App, Person: g.Person, Devices: g.Devices, Role: g.Role, Cohort: g.Cohort,
		StartsAt: w.now, EndsAt: w.now.AddDate(0, 1, 0), MaxPatients: 10, MaxDailyBytes: 1 << 20})
	w.must("grace", registry.ApproveGrant{ID: "other-grant"})

	w.must("ada", registry.BeginOffboarding{ID: "bye", Vendor: e.Vendor, Engagement: e.ID, Cause: snapshot.WorkDone, DueAt: w.now.AddDate(0, 0, 30)})
	if x, _ := w.view.Grants.Get(g.ID); x.State != snapshot.Ended {
		t.Errorf("the engagement's grant is %s", x.State)
	}
	if x, _ := w.view.Grants.Get("other-grant"); x.State != snapshot.Approved {
		t.Errorf("the other engagement's grant is %s", x.State)
	}
	if x, _ := w.view.Apps.Get(g.App); x.State != snapshot.Approved {
		t.Errorf("a program that has work elsewhere is %s", x.State)
	}
	if x, _ := w.view.Vendors.Get(e.Vendor); x.State != snapshot.Approved {
		t.Errorf("the vendor is %s", x.State)
	}
	// The vendor goes afterwards, and the program with it.
	w.must("ada", registry.OffboardVendor{ID: e.Vendor})
	if x, _ := w.view.Apps.Get(g.App); x.State != snapshot.Ended {
		t.Errorf("after the parting the program is %s", x.State)
	}
}

// An offboarding is complete when every form is accounted for by the vendor, what
// cannot be destroyed is accepted by another person, the keys are destroyed, and
// somebody has looked whether anything was tried since.
func TestAnOffboardingIsCompleteWhenEverythingIsAccountedFor(t *testing.T) {
	w := demoWorld(t)
	var vendor *snapshot.Vendor
	for _, v := range w.view.Vendors.All() {
		vendor = v
	}
	w.must("ada", registry.BeginOffboarding{ID: "bye", Vendor: vendor.ID, Cause: snapshot.WorkDone, DueAt: w.now.AddDate(0, 0, 30)})
	paper := registry.NewDocument("text/plain", registrytest.Paper)
	left := func() string {
		o, _ := w.view.Offboardings.Get("bye")
		var all []string
		for _, l := range registry.OffboardingLeft(w.view, o) {
			all = append(all, l.What)
		}
		return strings.Join(all, "\n")
	}
	if got := strings.Count(left(), "\n") + 1; got != 1+len(snapshot.DataForms)+1 {
		t.Errorf("at the beginning %d things are left:\n%s", got, left())
	}
	w.must("ada", registry.RecordInventory{ID: "bye", Inventory: snapshot.ReleasedInventory{Document: paper.Digest, Releases: 3, Bytes: 900, Patients: 2, Digests: paper.Digest, At: w.now}})
	if !strings.Contains(left(), "keys of engagement") {
		t.Errorf("released data, and its keys need not go:\n%s", left())
	}
	for _, f := range snapshot.DataForms {
		w.must("ada", registry.AttestDisposition{ID: "bye", Form: f, Outcome: snapshot.NeverHeld})
	}
	// One form is infeasible: it needs a reason, what protects it, and a date.
	if err := w.do("ada", registry.AttestDisposition{ID: "bye", Form: snapshot.VendorBackups, Outcome: snapshot.Infeasible, Items: "backups"}); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("infeasible without a reason: %v", err)
	}
	w.must("ada", registry.AttestDisposition{ID: "bye", Form: snapshot.VendorBackups, Outcome: snapshot.Infeasible, Items: "backups until August", Why: "deleted by date alone", Protections: "encrypted, not restored", ReviewAt: w.now.AddDate(0, 3, 0)})
	// Whoever destroyed it does not also say that it was looked at.
	if err := w.do("ada", registry.AttestDisposition{ID: "bye", Form: snapshot.RawData, Outcome: snapshot.Destroyed, Method: "purge", Technique: "cryptographic-erase", Items: "volume 7", Sanitized: "R. Example, lead", Verified: "R. Example, lead"}); err == nil {
		t.Error("one person destroyed and verified")
	}
	if err := w.do("ada", registry.AcceptDisposition{ID: "bye", Form: snapshot.VendorBackups}); err == nil {
		t.Error("who recorded it accepted it")
	}
	w.must("grace", registry.AcceptDisposition{ID: "bye", Form: snapshot.VendorBackups})
	o, _ := w.view.Offboardings.Get("bye")
	for _, e := range o.Of {
		w.must("ada", registry.RequestKeyDestruction{ID: e})
		w.must("grace", registry.ApproveKeyDestruction{ID: e})
		// A legal hold keeps the keys at the last moment.
		w.must("grace", registry.PlaceLegalHold{ID: "bye", Why: "matter 26-118"})
		if err := w.do("eve", registry.ApproveKeyDestruction{ID: e}); err == nil || !strings.Contains(err.Error(), "legal hold") {
			t.Errorf("keys under a legal hold: %v", err)
		}
		if err := w.do("ada", registry.LiftLegalHold{ID: "bye"}); err == nil {
			t.Error("who began it lifted the legal hold")
		}
		w.must("grace", registry.LiftLegalHold{ID: "bye"})
		w.must("eve", registry.ApproveKeyDestruction{ID: e})
	}
	if err := w.do("grace", registry.CompleteOffboarding{ID: "bye", Certificate: paper.Digest}); err == nil || !strings.Contains(err.Error(), "tried") {
		t.Errorf("complete without a look: %v", err)
	}
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 118})
	if got := left(); got != "" {
		t.Errorf("still left:\n%s", got)
	}
	if err := w.do("ada", registry.CompleteOffboarding{ID: "bye", Certificate: paper.Digest}); err == nil {
		t.Error("who began it completed it")
	}
	w.must("grace", registry.CompleteOffboarding{ID: "bye", Certificate: paper.Digest})
	o, _ = w.view.Offboardings.Get("bye")
	if want := w.now.AddDate(6, 0, 0); !o.RetainUntil.Equal(want) {
		t.Errorf("kept until %v, want %v", o.RetainUntil, want)
	}
	if err := w.do("ada", registry.AttestDisposition{ID: "bye", Form: snapshot.RawData, Outcome: snapshot.Returned, Items: "x"}); err == nil {
		t.Error("a complete offboarding was changed")
	}
}

// An attempt after the end raises a finding, once for each look that finds more,
// and no later look can say that there were fewer.
func TestAnAttemptAfterTheEndIsAFinding(t *testing.T) {
	w := demoWorld(t)
	for _, v := range w.view.Vendors.All() {
		w.must("ada", registry.BeginOffboarding{ID: "bye", Vendor: v.ID, Cause: snapshot.WorkDone, DueAt: w.now.AddDate(0, 0, 30)})
	}
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 5})
	if n := w.view.Findings.Len(); n != 0 {
		t.Fatalf("%d findings, and nothing was tried", n)
	}
	clock := registry.Actor{Clock: true}
	act := registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 9, Tried: 2, LastTried: w.now.Add(-time.Minute)}
	if err := registry.Authorize(w.engine, w.view, clock, act, w.now); err != nil {
		t.Fatal(err)
	}
	w.must("ada", act)
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 10, Tried: 2, LastTried: w.now.Add(-time.Minute)})
	if n := w.view.Findings.Len(); n != 1 {
		t.Errorf("%d findings, want 1", n)
	}
	if err := w.do("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 11}); err == nil {
		t.Error("attempts that were found were forgotten")
	}
	if err := registry.Authorize(w.engine, w.view, clock, registry.CompleteOffboarding{ID: "bye"}, w.now); err == nil {
		t.Error("the clock may complete an offboarding")
	}
}

// A vendor attests by a link with a file, which is checked as evidence is; and by a link
// nobody cites what is stored for somebody else.
func TestAnAttestationBringsItsFile(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", goodbyeNow(w))
	about := snapshot.Subject{Noun: snapshot.NounOffboarding, ID: "bye"}
	w.must("ada", registry.IssueLink{ID: "l1", Vendor: "northwind", For: snapshot.LinkAttestation, About: about, Contact: "privacy@northwind.example", Secret256: strings.Repeat("1a", 32), ExpiresAt: w.now.AddDate(0, 0, 30)})
	by := registry.Actor{Link: "l1"}
	pdf := []byte("%PDF-1.7 shredded")
	base := registry.AttestDisposition{ID: "bye", Form: snapshot.RawData, Outcome: snapshot.NeverHeld, Attester: "T. Example, officer"}
	for name, c := range map[string]struct {
		field  string
		change func(*registry.AttestDisposition)
	}{
		"nobody signed": {"attester", func(a *registry.AttestDisposition) { a.Attester = "" }},
		"another's stored paper": {"document_sha256", func(a *registry.AttestDisposition) {
			a.Document = registry.NewDocument("text/plain", registrytest.Paper).Digest
		}},
		"a page":                   {"media_type", func(a *registry.AttestDisposition) { *a = a.With("text/html", []byte("<html>")) }},
		"JSON, which is not taken": {"media_type", func(a *registry.AttestDisposition) { *a = a.With("application/json", []byte("{}")) }},
		"a program called a PDF":   {"content", func(a *registry.AttestDisposition) { *a = a.With("application/pdf", []byte("MZ")) }},
		"another digest": {"document_sha256", func(a *registry.AttestDisposition) {
			*a = a.With("application/pdf", pdf)
			a.Document = strings.Repeat("0", 64)
		}},
		"another size":          {"size", func(a *registry.AttestDisposition) { *a = a.With("application/pdf", pdf); a.Size++ }},
		"too long":              {"content", func(a *registry.AttestDisposition) { *a = a.With("text/plain", make([]byte, registry.MaxEvidence+1)) }},
		"a type without a file": {"content", func(a *registry.AttestDisposition) { a.MediaType = "application/pdf" }},
	} {
		a := base
		c.change(&a)
		if err := w.as(by, a); problem.From(err).Field != c.field || err == nil {
			t.Errorf("%s: got %v, want a refusal of %s", name, err, c.field)
		}
	}
	if err := w.as(by, base.With("application/pdf", pdf)); err != nil {
		t.Fatal(err)
	}
	kept := base
	kept.Document = registry.NewDocument("", pdf).Digest
	if err := w.as(by, kept); err != nil {
		t.Errorf("the file that was sent before, again: %v", err)
	}
	other := kept
	other.Form = snapshot.Embeddings
	if err := w.as(by, other); err == nil {
		t.Error("the file of one form stands for another")
	}
	if err := w.as(registry.Actor{Link: "l2"}, base); err == nil {
		t.Error("a link that is not there attested")
	}
	w.must("ada", registry.RevokeLink{ID: "l1"})
	if err := w.as(by, base); err == nil {
		t.Error("a revoked link attested")
	}
}

func goodbyeNow(w *world) registry.BeginOffboarding {
	return registry.BeginOffboarding{ID: "bye", Vendor: "northwind", Cause: snapshot.WorkDone, DueAt: w.now.AddDate(0, 0, 30)}
}

// A legal hold keeps the keys whatever stage their destruction is at, after the record is
// complete as well; and the six years are not shortened by anything that can be done.
func TestALegalHoldAndTheSixYearsHold(t *testing.T) {
	w := demoWorld(t)
	accountedNow(w)
	w.must("grace", registry.PlaceLegalHold{ID: "bye", Why: "matter 26-118"})
	w.must("grace", registry.CompleteOffboarding{ID: "bye", Certificate: inventory.Document})
	o, _ := w.view.Offboardings.Get("bye")
	until := o.RetainUntil
	if !until.Equal(w.now.AddDate(6, 0, 0)) {
		t.Fatalf("kept until %v", until)
	}
	work := o.Of[0]
	if err := w.do("ada", registry.RequestKeyDestruction{ID: work}); err == nil || !strings.Contains(err.Error(), "legal hold") {
		t.Errorf("under a legal hold: %v", err)
	}
	for _, a := range []registry.Act{registry.CompleteOffboarding{ID: "bye", Certificate: inventory.Document}, goodbyeNow(w), registry.OffboardVendor{ID: "northwind"},
		registry.PlaceLegalHold{ID: "bye", Why: "another"}, registry.RecordInventory{ID: "bye", Inventory: inventory}, registry.AcceptDisposition{ID: "bye", Form: snapshot.RawData}} {
		for _, by := range []id.Person{"ada", "grace"} {
			if err := w.do(by, a); err == nil {
				t.Errorf("%T by %s came through", a, by)
			}
		}
	}
	// What goes on: the look back, and the hold's end, by another than who began it.
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 99})
	w.must("grace", registry.LiftLegalHold{ID: "bye"})
	w.must("ada", registry.RequestKeyDestruction{ID: work})
	w.must("grace", registry.ApproveKeyDestruction{ID: work})
	w.must("grace", registry.PlaceLegalHold{ID: "bye", Why: "matter 27-4"})
	if err := w.do("eve", registry.ApproveKeyDestruction{ID: work}); err == nil || !strings.Contains(err.Error(), "legal hold") {
		t.Errorf("at the last approval: %v", err)
	}
	o, _ = w.view.Offboardings.Get("bye")
	if k, _ := w.view.Keys.Get(work); k.Ordered() || !o.RetainUntil.Equal(until) || o.Certificate == "" {
		t.Errorf("the keys are ordered to be destroyed, or the record changed: %+v", o)
	}
	// No act takes an offboarding away: its noun has no verb for that.
	for _, s := range registry.Acts {
		if s.Noun == "offboarding" && (strings.HasPrefix(s.Verb, "delete") || strings.HasPrefix(s.Verb, "remove") || strings.HasPrefix(s.Verb, "drop") || strings.HasPrefix(s.Verb, "withdraw")) {
			t.Errorf("%s: the record could be taken away", s.Name)
		}
	}
}

func accountedNow(w *world) {
	w.must("ada", goodbyeNow(w))
	w.must("ada", registry.RecordInventory{ID: "bye", Inventory: snapshot.ReleasedInventory{Document: inventory.Document, Digests: inventory.Digests, At: w.now}})
	for _, f := range snapshot.DataForms {
		w.must("ada", registry.AttestDisposition{ID: "bye", Form: f, Outcome: snapshot.NeverHeld})
	}
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 9})
}

// Two nodes have two logs: what each found stands beside the other, and a finding is
// raised for what is new in either.
func TestEachLogIsLookedThrough(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", goodbyeNow(w))
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "a", To: 5, Tried: 2, LastTried: w.now})
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "b", To: 3})
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "b", To: 4, Tried: 1, LastTried: w.now.Add(-time.Minute)})
	o, _ := w.view.Offboardings.Get("bye")
	if o.Tried != 3 || o.Looked["a"].Tried != 2 || o.Looked["b"].To != 4 || !o.LastTried.Equal(w.now) || w.view.Findings.Len() != 2 {
		t.Errorf("got %+v, %d findings", o, w.view.Findings.Len())
	}
	for _, a := range []registry.CheckOffboarding{{ID: "bye", Log: "a", To: 4, Tried: 2, LastTried: w.now}, {ID: "bye", Log: "b", To: 9}, {ID: "bye", To: 9},
		{ID: "bye", Log: "b", To: 9, Tried: 1, Permitted: 2, LastTried: w.now}} {
		if err := w.do("ada", a); err == nil {
			t.Errorf("%+v was noted", a)
		}
	}
}

// Whoever attests with files, again and again, fills no disk: what was replaced stays
// stored, and so it counts.
func TestFilesOfAttestationsAreBounded(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", goodbye)
	stopped := 0
	for i := range 200 {
		a := registry.AttestDisposition{ID: "bye", Form: snapshot.RawData, Outcome: snapshot.Returned, Items: "the disk"}.With("text/plain", fmt.Appendf(nil, "receipt %d", i))
		if err := w.do("ada", a); err != nil {
			stopped++
		}
	}
	if stopped != 40 {
		t.Errorf("of 200 files %d were refused, want 40", stopped)
	}
}
