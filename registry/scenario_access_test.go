package registry_test

import (
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// accessScenarios are of roles, grants, requests, reviews, holds and keys: what is opened, and closed.
var accessScenarios = map[registry.Kind]scenario{
	"role.define": {allowed: act(role2), refused: []refusal{
		bad("resources.Pateint", with(role2, func(a *registry.DefineRole) { a.Resources = map[string]snapshot.ResourceScope{"Pateint": {}} })),
		bad("resources.Patient.elements[0]", with(role2, func(a *registry.DefineRole) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"name.famly"}}}
		})),
		bad("resources.Patient.interactions[0]", with(role2, func(a *registry.DefineRole) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"search"}, Elements: []string{"name"}}}
		})),
		bad("max_page_size", with(role2, func(a *registry.DefineRole) { a.MaxPageSize = 0 })),
		bad("profile", with(role2, func(a *registry.DefineRole) { a.Profile = "minimum" })),
		bad("profile", with(role2, func(a *registry.DefineRole) { a.Profile = "" })),
		bad("dates", with(role2, func(a *registry.DefineRole) { a.Dates = "" }))}},
	"role.approve": {before: by("ada", role2), allowed: act(registry.ApproveRole{ID: "r2"}), refused: []refusal{gone(registry.ApproveRole{ID: "r3"})}},
	"role.retire":  {allowed: act(registry.RetireRole{ID: "triage-reader"}), refused: []refusal{gone(registry.RetireRole{ID: "r3"})}},

	"grant.request": {allowed: act(grant2), refused: []refusal{
		bad("max_patients", with(grant2, func(a *registry.RequestGrant) { a.MaxPatients = 0 })),
		bad("max_daily_bytes", with(grant2, func(a *registry.RequestGrant) { a.MaxDailyBytes = -1 })),
		bad("devices", with(grant2, func(a *registry.RequestGrant) { a.Devices = nil })),
		bad("person", with(grant2, func(a *registry.RequestGrant) { a.Person = "ada" })),
		bad("ends_at", with(grant2, func(a *registry.RequestGrant) { a.EndsAt = noon.AddDate(2, 0, 0) })),
		bad("starts_at", with(grant2, func(a *registry.RequestGrant) { a.StartsAt = noon.AddDate(0, 0, -1) })),
		bad("cohort.kind", with(grant2, func(a *registry.RequestGrant) { a.Cohort = snapshot.Cohort{} })),
		bad("cohort.ref", with(grant2, func(a *registry.RequestGrant) {
			a.Cohort = snapshot.Cohort{Kind: snapshot.CohortSearch, Ref: "Observation?code=1"}
		})),
		bad("cohort.digest_sha256", with(grant2, func(a *registry.RequestGrant) { a.Cohort = snapshot.Cohort{Kind: snapshot.CohortList, Ref: "l"} })),
		bad("labels[0]", with(grant2, func(a *registry.RequestGrant) { a.Labels = []string{"PSY"} }))}},
	"grant.approve": {before: by("ada", grant2), allowed: act(registry.ApproveGrant{ID: "g2"}), refused: []refusal{gone(registry.ApproveGrant{ID: "g3"}), wrongState(registry.ApproveGrant{ID: "triage-grant"})},
		then: func(v *snapshot.View) string {
			rs := v.ReviewsOf("g2")
			return want(len(rs) == 1 && rs[0].DueAt.Equal(noon.Add(registrytest.Settings().ReviewEvery)), "no review is set")
		}},
	"grant.revoke": {allowed: act(registry.RevokeGrant{ID: "triage-grant"}), refused: []refusal{gone(registry.RevokeGrant{ID: "g3"})}},
	"review.complete": {allowed: func(w *world) registry.Act { return registry.CompleteReview{ID: w.review(), Outcome: snapshot.Keep} },
		refused: []refusal{gone(registry.CompleteReview{ID: "w3"}), {func(w *world) registry.Act { return registry.CompleteReview{ID: w.review()} }, "outcome", problem.Invalid}},
		then: func(v *snapshot.View) string {
			return want(len(v.ReviewsOf("triage-grant")) == 2, "keeping set no next review")
		}},
	"role.offer": {allowed: act(registry.OfferRole{ID: "triage-reader", OfferedTo: []id.Engagement{"triage-eval"}}), refused: []refusal{
		gone(registry.OfferRole{ID: "r3"}), bad("offered_to[0]", registry.OfferRole{ID: "triage-reader", OfferedTo: []id.Engagement{"e9"}})},
		then: func(v *snapshot.View) string {
			r, _ := v.Roles.Get("triage-reader")
			return want(r.State == snapshot.Approved && slices.Equal(registry.RolesFor(v, "triage-eval"), []id.Role{"triage-reader"}), "offering closed the role, or its people cannot ask for it")
		}},
	"request.make": {allowed: act(ask2), refused: []refusal{
		bad("engagement", with(ask2, func(a *registry.MakeRequest) { a.Engagement = "triage-evil" })),
		bad("person", with(ask2, func(a *registry.MakeRequest) { a.Person = "ada" })),
		bad("app", with(ask2, func(a *registry.MakeRequest) { a.App = "trriage" })),
		bad("devices", with(ask2, func(a *registry.MakeRequest) { a.Devices = nil })),
		bad("devices[0]", with(ask2, func(a *registry.MakeRequest) { a.Devices = []id.Device{"none"} })),
		bad("role", with(ask2, func(a *registry.MakeRequest) { a.Role = "other" })),
		bad("resources.Immunization", with(ask2, func(a *registry.MakeRequest) {
			a.Resources = map[string]snapshot.ResourceScope{"Immunization": {Interactions: []string{"read"}, Elements: []string{"status"}}}
		})),
		bad("resources.Patient.elements[0]", with(ask2, func(a *registry.MakeRequest) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"name.family"}}}
		})),
		bad("resources.Patient.interactions", with(ask2, func(a *registry.MakeRequest) {
			a.Resources = map[string]snapshot.ResourceScope{"Patient": {Elements: []string{"gender"}}}
		})),
		bad("cohort.kind", with(ask2, func(a *registry.MakeRequest) { a.Cohort.Kind = "" })),
		bad("max_patients", with(ask2, func(a *registry.MakeRequest) { a.MaxPatients = 0 })),
		bad("max_daily_bytes", with(ask2, func(a *registry.MakeRequest) { a.MaxDailyBytes = 0 })),
		bad("life_minutes", with(ask2, func(a *registry.MakeRequest) { a.Life = 0 })),
		bad("life_minutes", with(ask2, func(a *registry.MakeRequest) { a.Life = 90*24*60 + 1 })),
		bad("life_minutes", with(lift2, func(a *registry.MakeRequest) { a.Life = 8*60 + 1 })),
		bad("elevates", with(lift2, func(a *registry.MakeRequest) {
			a.Elevates = "none"
			a.Engagement, a.App, a.Devices, a.Cohort = ask2.Engagement, ask2.App, ask2.Devices, ask2.Cohort
		})),
		bad("ticket", with(lift2, func(a *registry.MakeRequest) { a.Ticket = "" })),
		bad("ticket", with(lift2, func(a *registry.MakeRequest) { a.Ticket = "call Bob" })),
		bad("why", with(ask2, func(a *registry.MakeRequest) { a.Why = " " }))}},
	"request.approve": {before: by("ada", ask2), allowed: act(registry.ApproveRequest{ID: "q2", Life: 30}), refused: []refusal{
		gone(registry.ApproveRequest{ID: "q3"}), bad("life_minutes", registry.ApproveRequest{ID: "q2", Life: 61}),
		bad("max_patients", registry.ApproveRequest{ID: "q2", MaxPatients: 1 << 30}), bad("max_daily_bytes", registry.ApproveRequest{ID: "q2", MaxDailyBytes: 1 << 60}),
		bad("resources.Observation", registry.ApproveRequest{ID: "q2", Resources: map[string]snapshot.ResourceScope{"Observation": {Elements: []string{"code"}}}}),
		bad("resources.Patient.elements[0]", registry.ApproveRequest{ID: "q2", Resources: map[string]snapshot.ResourceScope{"Patient": {Elements: []string{"active"}}}})},
		then: func(v *snapshot.View) string {
			g, ok := v.Grants.Get("request-q2")
			r, _ := v.Roles.Get("request-q2")
			q, _ := v.Requests.Get("q2")
			return want(ok && g.State == snapshot.Approved && g.EndsAt.Equal(noon.Add(30*time.Minute)) && g.Role == "request-q2" && r.DerivedFrom == "triage-reader" &&
				len(r.Resources) == 1 && q.Stage == snapshot.RequestApproved && q.Grant == g.ID && len(v.ReviewsOf(g.ID)) == 1, "no grant of half an hour, with the part of the role that was asked for and its first review")
		}},
	"request.deny":     {before: by("ada", ask2), allowed: act(registry.DenyRequest{ID: "q2"}), refused: []refusal{gone(registry.DenyRequest{ID: "q3"})}},
	"request.withdraw": {before: by("ada", ask2), allowed: act(registry.WithdrawRequest{ID: "q2"}), refused: []refusal{gone(registry.WithdrawRequest{ID: "q3"})}},
	"request.lapse": {before: func(w *world) { w.must("ada", ask2); w.now = noon.AddDate(0, 0, 14) }, allowed: act(registry.LapseRequest{ID: "q2"}),
		refused: []refusal{gone(registry.LapseRequest{ID: "q3"})}},
	"grant.end-early": {allowed: act(registry.EndGrantEarly{ID: "triage-grant"}), refused: []refusal{gone(registry.EndGrantEarly{ID: "g3"})},
		then: func(v *snapshot.View) string {
			g, _ := v.Grants.Get("triage-grant")
			return want(g.State == snapshot.Ended && g.EndedBy == "grace" && g.EndedAt.Equal(noon), "it goes on, or nobody ended it")
		}},
	"review.open": {allowed: func(w *world) registry.Act { return registry.OpenReview{ID: w.review()} }, refused: []refusal{gone(registry.OpenReview{ID: "w3"})}},
	"review.lapse": {before: func(w *world) { w.now = noon.AddDate(0, 0, 120) }, allowed: func(w *world) registry.Act { return registry.LapseReview{ID: w.review()} },
		refused: []refusal{gone(registry.LapseReview{ID: "w3"})},
		then: func(v *snapshot.View) string {
			g, _ := v.Grants.Get("triage-grant")
			return want(g.State == snapshot.Ended, "the grant goes on")
		}},
	"campaign.open": {allowed: act(campaign2), refused: []refusal{
		bad("title", with(campaign2, func(a *registry.OpenCampaign) { a.Title = "" })), bad("vendor", with(campaign2, func(a *registry.OpenCampaign) { a.Vendor = "north" })),
		bad("engagement", with(campaign2, func(a *registry.OpenCampaign) { a.Engagement = "e9" })), bad("due_at", with(campaign2, func(a *registry.OpenCampaign) { a.DueAt = noon }))},
		then: func(v *snapshot.View) string {
			rs := v.ReviewsOf("triage-grant")
			return want(len(rs) == 1 && rs[0].Campaign == "k2" && rs[0].DueAt.Equal(campaign2.DueAt), "the grant's review is not part of it, or not brought forward")
		}},
	"campaign.begin": {before: func(w *world) {
		s := w.view.Settings
		s.Access.CampaignEvery = 24 * time.Hour
		w.view = w.view.WithSettings(s)
	}, allowed: act(registry.BeginCampaign{ID: "reviews-2026-06-01"}), refused: []refusal{
		{act(registry.BeginCampaign{ID: "reviews-2026-06-02"}), "id", problem.Conflict}}},
	"campaign.close": {before: by("eve", campaign2, registry.RevokeGrant{ID: "triage-grant"}), allowed: act(registry.CloseCampaign{ID: "k2"}), refused: []refusal{gone(registry.CloseCampaign{ID: "k3"})}},
	"emergency.report": {allowed: act(glass2), refused: []refusal{
		bad("source", with(glass2, func(a *registry.ReportEmergency) { a.Source = "her" })), bad("why", with(glass2, func(a *registry.ReportEmergency) { a.Why = "" })),
		bad("used_at", with(glass2, func(a *registry.ReportEmergency) { a.UsedAt = noon.Add(time.Second) })), bad("person", with(glass2, func(a *registry.ReportEmergency) { a.Person = "lin" })),
		bad("staff", with(glass2, func(a *registry.ReportEmergency) { a.Person, a.Staff = "eve", "nurse-17" })), bad("staff", with(glass2, func(a *registry.ReportEmergency) { a.Staff = "Nurse Joy" }))},
		then: func(v *snapshot.View) string {
			x, _ := v.Emergencies.Get("y2")
			return want(x.Person == "grace" && x.DueAt.Equal(noon.AddDate(0, 0, 1)) && !x.Overdue(noon) && x.Overdue(x.DueAt), "nobody used it, or it is not due in a day")
		}},
	"emergency.review": {before: by("eve", glass2), allowed: act(registry.ReviewEmergency{ID: "y2", Justified: true}), refused: []refusal{gone(registry.ReviewEmergency{ID: "y3"})}},
	"hold.place": {allowed: act(hold2), refused: []refusal{
		bad("on.noun", with(hold2, func(a *registry.PlaceHold) { a.On.Noun = snapshot.NounRole })),
		bad("on.id", with(hold2, func(a *registry.PlaceHold) { a.On.ID = "nortwind" })),
		bad("cause", with(hold2, func(a *registry.PlaceHold) { a.Cause = "why" }))}},
	"hold.lift": {before: by("ada", hold2), allowed: act(registry.LiftHold{ID: "h2"}), refused: []refusal{gone(registry.LiftHold{ID: "h3"})}},

	"key.rotate": {allowed: act(registry.RotateKey{ID: "triage-eval", Codes: true}), refused: []refusal{gone(registry.RotateKey{ID: "triage-eval2"}),
		bad("id", registry.RotateKey{})},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(k.Rotations == 1 && k.CodeRotations == 1 && k.RotatedAt.Equal(noon), "it was not counted")
		}},
	"key.request-destruction": {before: by("ada", registry.EndEngagement{ID: "triage-eval"}), allowed: act(registry.RequestKeyDestruction{ID: "triage-eval"}),
		refused: []refusal{gone(registry.RequestKeyDestruction{ID: "triage-eval2"}),
			{func(w *world) registry.Act { // an engagement that goes on
				w.must("ada", with(engage2, func(a *registry.ProposeEngagement) { a.ID = "e9" }))
				return registry.RequestKeyDestruction{ID: "e9"}
			}, "id", problem.Conflict}},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(!k.Ordered() && k.Destruction.RequestedBy == "grace", "a request is an order")
		}},
	"key.approve-destruction": {before: by("ada", registry.EndEngagement{ID: "triage-eval"}, registry.RequestKeyDestruction{ID: "triage-eval"}),
		allowed: act(registry.ApproveKeyDestruction{ID: "triage-eval"}), refused: []refusal{gone(registry.ApproveKeyDestruction{ID: "triage-eval2"}),
			{func(w *world) registry.Act { // a legal hold keeps it
				w.must("eve", registry.PlaceHold{ID: "keep", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldLegal})
				return registry.ApproveKeyDestruction{ID: "triage-eval"}
			}, "id", problem.Conflict},
			{func(w *world) registry.Act {
				w.must("ada", registry.LiftHold{ID: "keep"})
				return registry.ApproveKeyDestruction{ID: "triage-eval2"}
			}, "id", problem.NotFound}},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(!k.Ordered() && len(k.Destruction.Approvals) == 1, "one approval was an order")
		}},
	"key.withdraw-destruction": {before: by("ada", registry.EndEngagement{ID: "triage-eval"}, registry.RequestKeyDestruction{ID: "triage-eval"}),
		allowed: act(registry.WithdrawKeyDestruction{ID: "triage-eval"}), refused: []refusal{gone(registry.WithdrawKeyDestruction{ID: "triage-eval2"})},
		then: func(v *snapshot.View) string {
			k, _ := v.Keys.Get("triage-eval")
			return want(k.Destruction == nil, "the request is still there")
		}},
	"key.rotate-root": {allowed: act(registry.RotateRootKey{Root: "00112233aabbccdd", Kind: "service"}), refused: []refusal{
		bad("root", registry.RotateRootKey{Root: "00112233AABBCCDD", Kind: "file"}),
		bad("root", registry.RotateRootKey{Root: "0011", Kind: "file"}),
		bad("kind", registry.RotateRootKey{Root: "00112233aabbccdd"})}},
	"key.backup-root": {allowed: act(registry.BackUpRootKey{Root: "00112233aabbccdd", Shares: 5, Threshold: 3}), refused: []refusal{
		bad("root", registry.BackUpRootKey{Shares: 5, Threshold: 3}),
		bad("threshold", registry.BackUpRootKey{Root: "00112233aabbccdd", Shares: 5, Threshold: 1}),
		bad("threshold", registry.BackUpRootKey{Root: "00112233aabbccdd", Shares: 2, Threshold: 3})}},
	"key.backup-store": {allowed: act(registry.BackUpKeyStore{Generation: 1, SHA256: strings.Repeat("0f", 32)}), refused: []refusal{
		bad("generation", registry.BackUpKeyStore{SHA256: strings.Repeat("0f", 32)}),
		bad("sha256", registry.BackUpKeyStore{Generation: 1})}},

	"patient.hold": {allowed: act(patient2), refused: []refusal{
		bad("source", with(patient2, func(a *registry.HoldPatient) { a.Source = "her" })),
		bad("patient", with(patient2, func(a *registry.HoldPatient) { a.Patient = "patient-1" })),              // an id
		bad("patient", with(patient2, func(a *registry.HoldPatient) { a.Patient = "-_0123456789abcdefghij" })), // 22 characters, and not of 16 bytes
		bad("patient", with(patient2, func(a *registry.HoldPatient) { a.Patient = "-_0123456789.bcdefghig" })),
		bad("hold", with(patient2, func(a *registry.HoldPatient) { a.Hold = "no" }))}},
	"patient.release": {allowed: act(registry.ReleasePatient(patient2)), refused: []refusal{
		bad("patient", registry.ReleasePatient{Source: "ehr", Hold: registry.OptOut}),
		bad("hold", registry.ReleasePatient{Source: "ehr", Patient: patient2.Patient})}},
	"code.reveal": {allowed: act(code2), refused: []refusal{
		bad("engagement", with(code2, func(a *registry.RevealCode) { a.Engagement = "triage-eval2" })),
		bad("code", with(code2, func(a *registry.RevealCode) { a.Code = "patient-1" })), // an id
		bad("code", with(code2, func(a *registry.RevealCode) { a.Code = "" })),
		bad("code", with(code2, func(a *registry.RevealCode) { a.Code = strings.Repeat(" ", 33) }))}},
	"cohort.define": {allowed: act(cohort2), refused: []refusal{
		bad("id", with(cohort2, func(a *registry.DefineCohort) { a.ID = "-" })),
		bad("source", with(cohort2, func(a *registry.DefineCohort) { a.Source = "" })),
		bad("digest_sha256", with(cohort2, func(a *registry.DefineCohort) { a.Digest = "sha256:" + a.Digest })),
		bad("patients", with(cohort2, func(a *registry.DefineCohort) { a.Patients = 0 }))}},
}
