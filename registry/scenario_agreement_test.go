package registry_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

var (
	twice2 = with(paper2, func(a *registry.DraftAgreement) {
		a.SecondReading, a.Terms = true, registrytest.Terms()
		a.Kind = snapshot.BAA
		a.PermittedUses = registrytest.Uses()
	})
	notice2 = registry.GiveNotice{ID: "northwind-baa", Breach: "A breach was reported late", CureUntil: noon.AddDate(0, 1, 0)}
	renew2  = registry.RenewAgreement{ID: "northwind-contract", EndsAt: year.AddDate(1, 0, 0), Document: strings.Repeat("cd", 32)}
)

func reading(a registry.DraftAgreement) registry.CheckTerms {
	return registry.CheckTerms{ID: a.ID, Document: a.Document, Terms: a.Terms, PermittedUses: a.PermittedUses, Regions: a.Regions, EffectiveAt: a.EffectiveAt, EndsAt: a.EndsAt}
}

// reread is the reading with one term otherwise.
func reread(field string, change func(*snapshot.Term)) registry.CheckTerms {
	r := reading(twice2)
	terms := map[string]snapshot.Term{}
	for k, t := range r.Terms {
		terms[k] = t
	}
	t := terms[field]
	change(&t)
	terms[field] = t
	r.Terms = terms
	return r
}

// signIn has the person act through a session in which they have just touched a passkey.
func signIn(who id.Person) func(*world) {
	return func(w *world) {
		s := id.Session("session-" + string(who))
		w.must(who, registry.StartSession{ID: s, Person: who, Secret256: string(registrytest.Key(string(s))), Method: snapshot.ByPasskey, Strong: true, ExpiresAt: w.now.Add(time.Hour)})
		if w.sessions == nil {
			w.sessions = map[id.Person]id.Session{}
		}
		w.sessions[who] = s
	}
}

func signHere(who id.Person, change func(*registry.SignHere)) func(w *world) registry.Act {
	return func(w *world) registry.Act {
		g, _ := w.view.Agreements.Get("a2")
		a := registry.SignHere{ID: "a2"}
		if g != nil {
			a.Document = g.Document
		}
		a.Intent, a.Consent, _ = registry.SigningWords(w.view, "a2", who)
		if change != nil {
			change(&a)
		}
		return a
	}
}

func both(fs ...func(*world)) func(*world) {
	return func(w *world) {
		for _, f := range fs {
			f(w)
		}
	}
}

// agreementScenarios are those of acts_agreement.go.
var agreementScenarios = map[registry.Kind]scenario{
	"person.name-signatory": {allowed: act(registry.NameSignatory{ID: "lin", Title: "Chief Executive"}), refused: []refusal{
		gone(registry.NameSignatory{ID: "p9", Title: "T"}), bad("title", registry.NameSignatory{ID: "lin"}),
		{act(registry.NameSignatory{ID: "grace", Title: "Queen"}), "", problem.Refused}}},
	"person.end-signatory": {before: by("ada", registry.NameSignatory{ID: "lin", Title: "Chief Executive"}), allowed: act(registry.EndSignatory{ID: "lin"}), refused: []refusal{
		gone(registry.EndSignatory{ID: "p9"}), wrongState(registry.EndSignatory{ID: "eve"})}},
	"agreement.check-terms": {before: by("ada", twice2), allowed: act(reading(twice2)), refused: []refusal{
		gone(registry.CheckTerms{ID: "a9"}), wrongState(registry.CheckTerms{ID: "northwind-baa"}),
		bad("document_sha256", with(reading(twice2), func(a *registry.CheckTerms) { a.Document = strings.Repeat("00", 32) })),
		bad("effective_at", with(reading(twice2), func(a *registry.CheckTerms) { a.EffectiveAt = year })),
		bad("ends_at", with(reading(twice2), func(a *registry.CheckTerms) { a.EndsAt = year })),
		bad("regions", with(reading(twice2), func(a *registry.CheckTerms) { a.Regions = []string{"CA"} })),
		bad("permitted_uses", with(reading(twice2), func(a *registry.CheckTerms) { a.PermittedUses = nil })),
		bad("permitted_uses[0]", with(reading(twice2), func(a *registry.CheckTerms) {
			a.PermittedUses = slices.Clone(a.PermittedUses)
			a.PermittedUses[0].Clause = "§ 99"
		})),
		bad("terms.safeguards.value", reread("safeguards", func(t *snapshot.Term) { t.Value = json.RawMessage("false") })),
		bad("terms.safeguards.clause", reread("safeguards", func(t *snapshot.Term) { t.Clause = "§ 99" })),
		bad("terms.regions", reread("regions", func(t *snapshot.Term) { t.Value, t.Clause = json.RawMessage(`{"storage": ["US"]}`), "§ 5" })),
		bad("terms.prompt_retention_days.clause", reread("prompt_retention_days", func(t *snapshot.Term) { t.Clause = "§ 5" })),
		bad("terms.subpart_e_ceiling", with(reading(twice2), func(a *registry.CheckTerms) { a.Terms = nil }))},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("a2")
			return want(a.Reading.By == "grace" && a.State == snapshot.Proposed, "the reading is not on record, or it approved")
		}},
	"agreement.sign-here": {before: both(by("ada", paper2), signIn("grace")), allowed: signHere("grace", nil), refused: []refusal{
		gone(registry.SignHere{ID: "a9"}),
		{signHere("grace", func(a *registry.SignHere) { a.Document = strings.Repeat("00", 32) }), "document_sha256", problem.Invalid},
		{signHere("grace", func(a *registry.SignHere) { a.Intent = "yes" }), "intent", problem.Invalid},
		{signHere("grace", func(a *registry.SignHere) { a.Consent = "" }), "consent", problem.Invalid},
		wrongState(registry.SignHere{ID: "northwind-baa"})},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("a2")
			s := a.Signatures[0]
			return want(s.Party == snapshot.Organisation && s.Signer == "Grace Example" && s.Here != nil && s.Here.Session == "session-grace" && s.Here.Document == paper2.Document && s.Here.Act != "",
				"the signature does not say who, how and what")
		}},
	"agreement.give-notice": {allowed: act(notice2), refused: []refusal{
		gone(with(notice2, func(a *registry.GiveNotice) { a.ID = "a9" })), bad("breach", with(notice2, func(a *registry.GiveNotice) { a.Breach = " " })),
		bad("cure_until", with(notice2, func(a *registry.GiveNotice) { a.CureUntil = noon })), bad("cure_until", with(notice2, func(a *registry.GiveNotice) { a.CureUntil = year }))}},
	"agreement.cured": {before: by("ada", notice2), allowed: act(registry.NoteCured{ID: "northwind-baa", Cure: "The procedure was changed"}), refused: []refusal{
		gone(registry.NoteCured{ID: "a9"}), bad("cure", registry.NoteCured{ID: "northwind-baa"}), {act(registry.NoteCured{ID: "northwind-contract", Cure: "x"}), "notice", problem.Conflict},
		{act(registry.NoteCured{ID: "northwind-baa", Notice: "other", Cure: "x"}), "notice", problem.Conflict}}},
	"agreement.renew": {allowed: act(renew2), refused: []refusal{
		gone(with(renew2, func(a *registry.RenewAgreement) { a.ID = "a9" })), wrongState(with(renew2, func(a *registry.RenewAgreement) { a.ID = "northwind-baa" })),
		bad("ends_at", with(renew2, func(a *registry.RenewAgreement) { a.EndsAt = year })), bad("document_sha256", with(renew2, func(a *registry.RenewAgreement) { a.Document = "" }))},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("northwind-contract")
			return want(a.EndsAt.Equal(year), "a renewal counts before it is approved")
		}},
	"agreement.approve-renewal": {before: by("ada", renew2), allowed: act(registry.ApproveRenewal{ID: "northwind-contract"}), refused: []refusal{
		gone(registry.ApproveRenewal{ID: "a9"}), wrongState(registry.ApproveRenewal{ID: "northwind-baa"})},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("northwind-contract")
			return want(a.EndsAt.Equal(renew2.EndsAt) && a.Renewals[0].ApprovedBy == "grace", "the end did not move")
		}},
}

// Who may sign in the product, and for whom.
func TestOnlyWhoTheOrganisationAcceptedSignsForAVendor(t *testing.T) {
	w := connectedWorld(t)
	w.must("ada", paper2)
	try := func(who id.Person) error { return w.do(who, signHere(who, nil)(w)) }
	if err := try("lin"); problem.From(err).Kind != problem.Refused {
		t.Errorf("without a sign-in: got %v", err)
	}
	for _, who := range []id.Person{"lin", "mia", "otto", "grace"} {
		signIn(who)(w)
	}
	if err := try("lin"); problem.From(err).Kind != problem.Conflict || !strings.Contains(problem.From(err).NextStep, "name-signatory") {
		t.Errorf("a person whom nobody named: got %v", err)
	}
	w.must("ada", registry.NameSignatory{ID: "lin", Title: "Chief Executive"})
	w.must("ada", registry.NameSignatory{ID: "mia", Title: "Chief Executive"})
	if err := try("mia"); !refusedBy(err, "known-person") {
		t.Errorf("another vendor's signatory: got %v", err)
	}
	if err := try("otto"); problem.From(err).Kind != problem.Refused {
		t.Errorf("the auditor: got %v", err)
	}
	// A touch of minutes ago is none.
	stale := signHere("lin", nil)(w)
	w.now = w.now.Add(10 * time.Minute)
	if err := w.do("lin", stale); !refusedBy(err, "step-up") {
		t.Errorf("without a passkey touched just now: got %v", err)
	}
	w.now = w.now.Add(-10 * time.Minute)
	if err := try("lin"); err != nil {
		t.Fatal(err)
	}
	if err := try("lin"); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a second signature of one side: got %v", err)
	}
	if err := try("grace"); err != nil {
		t.Fatal(err)
	}
	a, _ := w.view.Agreements.Get("a2")
	if len(a.Signatures) != 2 || a.Signatures[0].Party != snapshot.VendorParty || a.Signatures[0].Signer != "Lin Example, Chief Executive" {
		t.Errorf("the signatures are %+v", a.Signatures)
	}
	// An amendment has another document: nothing of it is signed.
	w.must("ada", registry.AmendAgreement(with(paper2, func(a *registry.DraftAgreement) { a.Document = strings.Repeat("ef", 32) })))
	if err := w.do("grace", stale); problem.From(err).Field != "document_sha256" {
		t.Errorf("a signature of the old document: got %v", err)
	}
}

// Once asked for, the second reading stands before the approval, and the maker is no
// checker.
func TestASecondReadingStandsBeforeTheApproval(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", twice2)
	if err := w.do("grace", registry.ApproveAgreement{ID: "a2"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("approved unread: %v", err)
	}
	if err := w.do("ada", reading(twice2)); !refusedBy(err, "separation-of-duties") {
		t.Errorf("the maker checks: %v", err)
	}
	// Another way to write a clause is no difference, nor another order of JSON.
	w.must("eve", reread("safeguards", func(t *snapshot.Term) { t.Clause = "Section " + strings.TrimPrefix(t.Clause, "§") }))
	w.must("grace", registry.ApproveAgreement{ID: "a2"})

	amended := registry.AmendAgreement(twice2)
	amended.SecondReading = false
	if err := w.do("ada", amended); problem.From(err).Field != "second_reading" {
		t.Errorf("taken back by an amendment: %v", err)
	}
	amended.SecondReading = true
	w.must("ada", amended)
	if a, _ := w.view.Agreements.Get("a2"); a.Reading.By != "" {
		t.Error("an amendment keeps the old reading")
	}
	if err := w.do("grace", registry.ApproveAgreement{ID: "a2"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("an amendment approved unread: %v", err)
	}
}

// inForce asks the gates about the demo's grant at the world's time: whether the papers
// let it pass.
func (w *world) inForce() bool {
	w.t.Helper()
	e, err := policy.New(gate.All, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	v := w.view.Confirm(w.now)
	l := policy.Explain(e, policy.Request{View: v, Now: w.now, Vendor: "northwind", App: "triage", Device: "northwind-gpu-1", Grant: "triage-grant", Direction: policy.Out, Source: "ehr",
		Interaction: "read", Resources: []string{"Patient"}, Usage: policy.Usage{Known: true},
		Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768", CertificateSHA256: strings.Repeat("00", 32), TokenBinding: "mtls"}})
	for _, r := range l.Rungs {
		if r.Gate == "agreement" {
			return r.Pass
		}
	}
	w.t.Fatal("the gate was not asked")
	return false
}

// From the notice to the end, by the record alone: nobody acts when the time has come.
func TestABreachThatIsNotCuredEndsTheAgreementByItself(t *testing.T) {
	w := demoWorld(t)
	ok := func(want bool, when string) {
		t.Helper()
		if got := w.inForce(); got != want {
			t.Errorf("%s: the papers let it pass: %v", when, got)
		}
	}
	ok(true, "at first")
	w.must("ada", notice2)
	w.now = notice2.CureUntil.Add(-time.Second)
	ok(true, "a second before the time is over")
	cured := w.view
	w.must("grace", registry.NoteCured{ID: "northwind-baa", Cure: "The procedure was changed"})
	w.now = notice2.CureUntil
	ok(true, "cured, at the time")
	w.view = cured // and if it had not been cured
	ok(false, "not cured, at the time")
	if err := w.do("grace", registry.NoteCured{ID: "northwind-baa", Cure: "Too late"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("cured too late: %v", err)
	}
	if err := w.do("ada", registry.AmendAgreement(with(paper2, func(a *registry.DraftAgreement) { a.ID, a.Kind = "northwind-baa", snapshot.BAA }))); problem.From(err).Kind != problem.Conflict {
		t.Errorf("amended after its end: %v", err)
	}
}

// A contract's end stops data; its renewal, once approved, starts it again.
func TestARenewalRestartsWhatTheEndStopped(t *testing.T) {
	w := demoWorld(t)
	short := registry.AmendAgreement(registry.DraftAgreement{ID: "northwind-contract", Kind: snapshot.ServicesContract, Vendor: "northwind", PermittedUses: registrytest.Uses(), Regions: []string{"US"},
		Terms: map[string]snapshot.Term{"no_reidentification": {Value: json.RawMessage("true"), Clause: "§ 7"}}, Document: strings.Repeat("ab", 32), EffectiveAt: noon, EndsAt: noon.AddDate(0, 1, 0)})
	w.must("ada", short)
	for _, p := range []snapshot.Party{snapshot.Organisation, snapshot.VendorParty} {
		w.must("ada", registry.SignAgreement{ID: short.ID, Party: p, Signer: "S", At: noon})
	}
	w.must("grace", registry.ApproveAgreement{ID: short.ID})
	ok := func(want bool, when string) {
		t.Helper()
		if got := w.inForce(); got != want {
			t.Errorf("%s: the papers let it pass: %v", when, got)
		}
	}
	w.now = short.EndsAt.Add(-time.Second)
	ok(true, "before its end")
	w.now = short.EndsAt
	ok(false, "at its end")
	w.must("ada", registry.RenewAgreement{ID: short.ID, EndsAt: year, Document: strings.Repeat("cd", 32)})
	ok(false, "a renewal that waits")
	if err := w.do("ada", registry.ApproveRenewal{ID: short.ID}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("approved by who asked: %v", err)
	}
	w.must("grace", registry.ApproveRenewal{ID: short.ID})
	ok(true, "renewed")
}
