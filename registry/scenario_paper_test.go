package registry_test

import (
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// paperScenarios are of the organisation, of vendors and of what is agreed with them.
var paperScenarios = map[registry.Kind]scenario{
	"organisation.bootstrap": {allowed: act(first), refused: []refusal{
		bad("id", with(first, func(a *registry.BootstrapOrganisation) { a.ID = "other" })),
		bad("name", with(first, func(a *registry.BootstrapOrganisation) { a.Name = "" })),
		bad("key_sha256", with(first, func(a *registry.BootstrapOrganisation) { a.Key256 = "" }))}},
	"organisation.second-person": {before: by("grace", first, registry.ProposePerson{ID: "ada", Name: "A", Classification: hipaa.Workforce, Basis: "b"}),
		allowed: act(registry.AdmitSecondPerson{ID: "ada"}), refused: []refusal{gone(registry.AdmitSecondPerson{ID: "nobody"}), wrongState(registry.AdmitSecondPerson{ID: "grace"})}},

	"vendor.propose": {allowed: act(vendor2), refused: []refusal{
		bad("name", registry.ProposeVendor{ID: "v2"}), bad("id", registry.ProposeVendor{ID: "-", Name: "x"}),
		{act(registry.ProposeVendor{ID: "northwind", Name: "x"}), "id", problem.Conflict},
		bad("subcontractors[0]", with(vendor2, func(a *registry.ProposeVendor) { a.Subcontractors = []id.Vendor{"northwnd"} })),
		bad("required_certifications[0]", with(vendor2, func(a *registry.ProposeVendor) { a.RequiredCertifications = []string{"SOC2"} }))}},
	"vendor.approve": {before: by("ada", vendor2), allowed: act(registry.ApproveVendor{ID: "v2"}), refused: []refusal{gone(registry.ApproveVendor{ID: "v3"}), wrongState(registry.ApproveVendor{ID: "northwind"})}},
	"vendor.amend": {before: by("ada", vendor2), allowed: act(registry.AmendVendor{ID: "northwind", Name: "New, Inc.", Subcontractors: []id.Vendor{"v2"}}),
		refused: []refusal{gone(registry.AmendVendor{ID: "v3", Name: "x"}), wrongState(registry.AmendVendor{ID: "v2", Name: "x"})},
		then: func(v *snapshot.View) string {
			x, _ := v.Vendors.Get("northwind")
			return want(x.State == snapshot.Proposed && x.RequestedBy == "grace", "a looser vendor is still approved")
		}},
	"vendor.suspend":  {allowed: act(registry.SuspendVendor{ID: "northwind"}), refused: []refusal{gone(registry.SuspendVendor{ID: "v3"})}},
	"vendor.resume":   {before: by("ada", registry.SuspendVendor{ID: "northwind"}), allowed: act(registry.ResumeVendor{ID: "northwind"}), refused: []refusal{gone(registry.ResumeVendor{ID: "v3"})}},
	"vendor.offboard": {allowed: act(registry.OffboardVendor{ID: "northwind"}), refused: []refusal{gone(registry.OffboardVendor{ID: "v3"})}},

	"assessment.record": {allowed: act(registry.RecordAssessment{ID: "s2", Vendor: "northwind", Verdict: snapshot.Fail, DecidedAt: noon, ValidUntil: year}), refused: []refusal{
		bad("verdict", registry.RecordAssessment{Vendor: "northwind", Verdict: "passed", DecidedAt: noon, ValidUntil: year}),
		bad("decided_at", registry.RecordAssessment{Vendor: "northwind", Verdict: "pass", DecidedAt: year, ValidUntil: year}),
		bad("valid_until", registry.RecordAssessment{Vendor: "northwind", Verdict: "pass", DecidedAt: noon, ValidUntil: noon})}},
	"certification.record": {allowed: act(cert2), refused: []refusal{
		bad("type", with(cert2, func(a *registry.RecordCertification) { a.Type = "ISO27002" })),
		bad("issued_at", with(cert2, func(a *registry.RecordCertification) { a.IssuedAt = time.Time{} })),
		bad("expires_at", with(cert2, func(a *registry.RecordCertification) { a.ExpiresAt = noon.AddDate(2, 0, 2) })),
		bad("period_end", registry.RecordCertification{Vendor: "northwind", Type: "SOC2_T2", PeriodStart: noon.AddDate(0, -2, 0), PeriodEnd: noon, ExpiresAt: year, Particulars: registrytest.SOC2()}),
		bad("soa_version", with(cert2, func(a *registry.RecordCertification) { a.SoAVersion = "" })),
		bad("criteria[0]", with(cert2, func(a *registry.RecordCertification) { a.Criteria = []string{"safety"} })),
		bad("opinion", with(cert2, func(a *registry.RecordCertification) { a.Opinion = "good" })),
		bad("carve_outs[0]", with(cert2, func(a *registry.RecordCertification) { a.CarveOuts = []id.Vendor{"nobody"} })),
		bad("bridge.by", with(cert2, func(a *registry.RecordCertification) { a.Bridge = &snapshot.BridgeLetter{} })),
		bad("last_surveillance", with(cert2, func(a *registry.RecordCertification) { a.LastSurveillance = year })),
		bad("fingerprint", with(cert2, func(a *registry.RecordCertification) { a.Fingerprint = []uint32{1} }))}},
	"certification.verify": {before: by("ada", cert2), allowed: act(registry.VerifyCertification{ID: "c2", How: "issuer-portal", Against: "trust.example.com"}), refused: []refusal{
		bad("how", registry.VerifyCertification{ID: "c2", How: "looked"}), bad("against", registry.VerifyCertification{ID: "c2", How: "report-read"}),
		bad("against", registry.VerifyCertification{ID: "c2", How: "issuer-portal", Against: "https://trust.example.com/?token=1"}), gone(registry.VerifyCertification{ID: "c3"}),
		{act(registry.VerifyCertification{ID: "northwind-soc2", How: "issuer-portal"}), "id", problem.Conflict}}},
	"certification.revoke": {allowed: act(registry.RevokeCertification{ID: "northwind-soc2"}), refused: []refusal{gone(registry.RevokeCertification{ID: "c3"})}},

	"document.put": {allowed: act(doc2), refused: []refusal{
		bad("sha256", with(doc2, func(a *registry.PutDocument) { a.Content = []byte("owt") })),
		bad("content", with(doc2, func(a *registry.PutDocument) { a.Content = nil })),
		bad("size", with(doc2, func(a *registry.PutDocument) { a.Size = 1 }))}},
	"agreement.draft": {allowed: act(paper2), refused: []refusal{
		bad("kind", with(paper2, func(a *registry.DraftAgreement) { a.Kind = "bba" })),
		bad("subcontractor", with(paper2, func(a *registry.DraftAgreement) { a.Subcontractor = "northwind" })),
		bad("document_sha256", with(paper2, func(a *registry.DraftAgreement) { a.Document = "" })),
		bad("ends_at", with(paper2, func(a *registry.DraftAgreement) { a.EndsAt = noon })),
		bad("permitted_uses[0].clause", with(paper2, func(a *registry.DraftAgreement) {
			a.PermittedUses = []snapshot.PermittedUse{{Purpose: hipaa.Evaluation, DataClasses: hipaa.DataClasses}}
		}))}},
	"agreement.amend": {allowed: act(registry.AmendAgreement(with(paper2, func(a *registry.DraftAgreement) { a.ID = "northwind-contract" }))),
		refused: []refusal{gone(registry.AmendAgreement(paper2)), {act(registry.AmendAgreement(with(paper2, func(a *registry.DraftAgreement) { a.ID = "northwind-baa" }))), "kind", problem.Conflict}},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("northwind-contract")
			return want(a.State == snapshot.Proposed && len(a.Signatures) == 0, "an amended paper kept its approval or signatures")
		}},
	"agreement.sign": {before: by("ada", paper2), allowed: act(registry.SignAgreement{ID: "a2", Party: snapshot.VendorParty, Signer: "S", At: noon}), refused: []refusal{
		gone(registry.SignAgreement{ID: "a3"}), bad("party", registry.SignAgreement{ID: "a2", Party: snapshot.SubcontractorParty, Signer: "S", At: noon}),
		bad("at", registry.SignAgreement{ID: "a2", Party: snapshot.VendorParty, Signer: "S", At: year}),
		{act(registry.SignAgreement{ID: "northwind-baa", Party: snapshot.VendorParty, Signer: "S", At: noon}), "party", problem.Conflict}}},
	"agreement.approve": {before: by("ada", paper2), allowed: act(registry.ApproveAgreement{ID: "a2"}), refused: []refusal{gone(registry.ApproveAgreement{ID: "a3"}), wrongState(registry.ApproveAgreement{ID: "northwind-baa"})}},
	"agreement.suspend": {allowed: act(registry.SuspendAgreement{ID: "northwind-baa"}), refused: []refusal{gone(registry.SuspendAgreement{ID: "a3"})}},
	"agreement.resume": {before: by("ada", registry.SuspendAgreement{ID: "northwind-baa"}), allowed: act(registry.ResumeAgreement{ID: "northwind-baa"}),
		refused: []refusal{gone(registry.ResumeAgreement{ID: "a3"}), wrongState(registry.ResumeAgreement{ID: "northwind-contract"})}},
	"agreement.terminate": {allowed: act(registry.TerminateAgreement{ID: "northwind-baa"}), refused: []refusal{gone(registry.TerminateAgreement{ID: "a3"})},
		then: func(v *snapshot.View) string {
			a, _ := v.Agreements.Get("northwind-baa")
			return want(a.State == snapshot.Ended && a.TerminatedAt.Equal(noon), "it is not terminated")
		}},

	"engagement.propose": {allowed: act(engage2), refused: []refusal{
		bad("agreements[0]", with(engage2, func(a *registry.ProposeEngagement) { a.Agreements = []id.Agreement{"northwind-ba"} })),
		bad("sources[0]", with(engage2, func(a *registry.ProposeEngagement) { a.Sources = []id.Source{"her"} })),
		bad("basis_document_sha256", with(engage2, func(a *registry.ProposeEngagement) { a.Basis = hipaa.Waiver })),
		bad("regions", with(engage2, func(a *registry.ProposeEngagement) { a.Regions = nil })),
		bad("workload.kind", engage2with("e2", &snapshot.WorkloadDemand{Keys: []string{build2.key}})),
		bad("workload.keys", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage})),
		bad("workload.keys[0]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{"key"}})),
		bad("workload.keys[1]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{build2.key, build2.key}})),
		bad("workload.builders", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{build2.key}})),
		bad("workload.builders", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{build2.key}, Builders: []string{builder2}})),
		bad("workload.sources[0]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandSLSA, Keys: []string{build2.key}, Builders: []string{builder2}, Sources: []string{"git.northwind.example"}})),
		bad("workload.images[0]", engage2with("e2", &snapshot.WorkloadDemand{Kind: snapshot.DemandImage, Keys: []string{build2.key}, Images: []string{"latest"}})),
		bad("regions[0]", with(engage2, func(a *registry.ProposeEngagement) { a.Regions = []string{"us"} })),
		bad("ends_at", with(engage2, func(a *registry.ProposeEngagement) {
			a.StartsAt, a.EndsAt = noon.AddDate(-2, 0, 0), noon.AddDate(-1, 0, 0)
		}))}},
	"engagement.amend":   {allowed: act(registry.AmendEngagement(with(engage2, func(a *registry.ProposeEngagement) { a.ID = "triage-eval" }))), refused: []refusal{gone(registry.AmendEngagement(engage2))}},
	"engagement.approve": {before: by("ada", engage2), allowed: act(registry.ApproveEngagement{ID: "e2"}), refused: []refusal{gone(registry.ApproveEngagement{ID: "e3"})}},
	"engagement.end":     {allowed: act(registry.EndEngagement{ID: "triage-eval"}), refused: []refusal{gone(registry.EndEngagement{ID: "e3"})}},

	"determination.record": {allowed: act(expert2), refused: []refusal{
		bad("engagement", with(expert2, func(a *registry.RecordDetermination) { a.Engagement = "triage-evil" })),
		bad("profile", with(expert2, func(a *registry.RecordDetermination) { a.Profile = "expert" })),
		bad("profile", with(expert2, func(a *registry.RecordDetermination) { a.Profile = "safe-harbor" })), // needs none
		bad("profile_sha256", with(expert2, func(a *registry.RecordDetermination) { a.Profile256 = "" })),
		bad("expert", with(expert2, func(a *registry.RecordDetermination) { a.Expert = " " })),
		bad("document_sha256", with(expert2, func(a *registry.RecordDetermination) { a.Document = "" })),
		bad("determined_at", with(expert2, func(a *registry.RecordDetermination) { a.DeterminedAt = noon.Add(time.Second) })),
		bad("valid_until", with(expert2, func(a *registry.RecordDetermination) { a.ValidUntil = time.Time{} })),
		bad("valid_until", with(expert2, func(a *registry.RecordDetermination) {
			a.DeterminedAt, a.ValidUntil = noon.AddDate(-2, 0, 0), noon.AddDate(-1, 0, 0)
		})),
		{act(with(expert2, func(a *registry.RecordDetermination) { a.ID = "-" })), "id", problem.Invalid}},
		then: func(v *snapshot.View) string {
			d, _ := v.Determinations.Get("x2")
			return want(d.State == snapshot.Proposed && len(v.DeterminationsOf("triage-eval")) == 1, "it counts before another person approved it, or is not found by its engagement")
		}},
	"determination.approve": {before: by("ada", expert2), allowed: act(registry.ApproveDetermination{ID: "x2"}), refused: []refusal{gone(registry.ApproveDetermination{ID: "x3"})}},
	"determination.revoke": {before: by("ada", expert2), allowed: act(registry.RevokeDetermination{ID: "x2"}), refused: []refusal{gone(registry.RevokeDetermination{ID: "x3"})},
		then: func(v *snapshot.View) string {
			d, _ := v.Determinations.Get("x2")
			return want(d.State == snapshot.Ended, "it is not revoked")
		}},
}
