package registry_test

import (
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

var (
	goodbye   = registry.BeginOffboarding{ID: "bye", Vendor: "northwind", Cause: snapshot.WorkDone, DueAt: noon.AddDate(0, 0, 30)}
	inventory = snapshot.ReleasedInventory{Document: registry.NewDocument("text/plain", registrytest.Paper).Digest, Releases: 3, Bytes: 900, Patients: 2,
		Digests: registry.NewDocument("text/plain", registrytest.Paper).Digest, At: noon}
	backups = registry.AttestDisposition{ID: "bye", Form: snapshot.VendorBackups, Outcome: snapshot.Infeasible, Items: "backups until August",
		Why: "deleted by date alone", Protections: "encrypted, not restored", ReviewAt: noon.AddDate(0, 3, 0)}
	shredded = registry.AttestDisposition{ID: "bye", Form: snapshot.RawData, Outcome: snapshot.Destroyed, Method: "purge", Technique: "cryptographic-erase",
		Items: "volume 7", Sanitized: "R. Example, lead", Verified: "S. Example, security"}
)

func accounted(w *world) {
	w.must("ada", goodbye)
	w.must("ada", registry.RecordInventory{ID: "bye", Inventory: snapshot.ReleasedInventory{Document: inventory.Document, Digests: inventory.Digests, At: noon}})
	for _, f := range snapshot.DataForms {
		w.must("ada", registry.AttestDisposition{ID: "bye", Form: f, Outcome: snapshot.NeverHeld})
	}
	w.must("ada", registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 9})
}

var offboardingScenarios = map[registry.Kind]scenario{
	"offboarding.begin": {allowed: act(goodbye), refused: []refusal{
		bad("vendor", with(goodbye, func(a *registry.BeginOffboarding) { a.Vendor = "v3" })),
		bad("cause", with(goodbye, func(a *registry.BeginOffboarding) { a.Cause = "why" })),
		bad("due_at", with(goodbye, func(a *registry.BeginOffboarding) { a.DueAt = noon.Add(-time.Hour) })),
		bad("due_at", with(goodbye, func(a *registry.BeginOffboarding) { a.DueAt = noon.AddDate(0, 0, 31) })), // later than the paper gives
		bad("engagement", with(goodbye, func(a *registry.BeginOffboarding) { a.Engagement = "triage-eval2" }))}},
	"offboarding.record-inventory": {before: by("ada", goodbye), allowed: act(registry.RecordInventory{ID: "bye", Inventory: inventory}), refused: []refusal{
		gone(registry.RecordInventory{ID: "by", Inventory: inventory}),
		bad("inventory.document_sha256", registry.RecordInventory{ID: "bye", Inventory: snapshot.ReleasedInventory{Digests: inventory.Digests, At: noon}}),
		bad("inventory", registry.RecordInventory{ID: "bye", Inventory: snapshot.ReleasedInventory{Releases: -1}})}},
	"offboarding.attest": {before: by("ada", goodbye), allowed: act(shredded), refused: []refusal{
		gone(with(shredded, func(a *registry.AttestDisposition) { a.ID = "by" })),
		bad("form", with(shredded, func(a *registry.AttestDisposition) { a.Form = "paper" })),
		bad("method", with(shredded, func(a *registry.AttestDisposition) { a.Method = "" })),
		bad("technique", with(shredded, func(a *registry.AttestDisposition) { a.Technique = "magic" })),
		bad("verified_by", with(shredded, func(a *registry.AttestDisposition) { a.Verified = a.Sanitized })),
		bad("why", with(backups, func(a *registry.AttestDisposition) { a.Why = "" })),
		bad("review_at", with(backups, func(a *registry.AttestDisposition) { a.ReviewAt = noon })),
		bad("outcome", with(shredded, func(a *registry.AttestDisposition) { a.Outcome = snapshot.Cleared })),
		bad("items", with(shredded, func(a *registry.AttestDisposition) { a.Outcome, a.Items = snapshot.Returned, "" }))}},
	"offboarding.accept": {before: by("ada", goodbye, backups, shredded), allowed: act(registry.AcceptDisposition{ID: "bye", Form: snapshot.VendorBackups}), refused: []refusal{
		gone(registry.AcceptDisposition{ID: "by", Form: snapshot.VendorBackups}),
		{act(registry.AcceptDisposition{ID: "bye", Form: snapshot.RawData}), "form", problem.Conflict},
		bad("form", registry.AcceptDisposition{ID: "bye", Form: "paper"})}},
	"offboarding.record-check": {before: by("ada", goodbye), allowed: act(registry.CheckOffboarding{ID: "bye", Log: "node-1", To: 9, Tried: 1, LastTried: noon}), refused: []refusal{
		gone(registry.CheckOffboarding{ID: "by"}), bad("last_tried", registry.CheckOffboarding{ID: "bye", Log: "node-1", Tried: 1}),
		bad("last_tried", registry.CheckOffboarding{ID: "bye", Log: "node-1", Tried: 1, LastTried: noon.Add(time.Hour)})},
		then: func(v *snapshot.View) string { return want(v.Findings.Len() == 1, "an attempt is no finding") }},
	"offboarding.legal-hold": {before: by("ada", goodbye), allowed: act(registry.PlaceLegalHold{ID: "bye", Why: "matter 26-118"}), refused: []refusal{
		gone(registry.PlaceLegalHold{ID: "by", Why: "x"}), bad("why", registry.PlaceLegalHold{ID: "bye"})}},
	"offboarding.lift-legal-hold": {before: by("ada", goodbye, registry.PlaceLegalHold{ID: "bye", Why: "matter 26-118"}), allowed: act(registry.LiftLegalHold{ID: "bye"}), refused: []refusal{
		gone(registry.LiftLegalHold{ID: "by"})}},
	"offboarding.complete": {before: accounted, allowed: act(registry.CompleteOffboarding{ID: "bye", Certificate: inventory.Document}), refused: []refusal{
		gone(registry.CompleteOffboarding{ID: "by", Certificate: inventory.Document}), bad("certificate_sha256", registry.CompleteOffboarding{ID: "bye"})}},
}
