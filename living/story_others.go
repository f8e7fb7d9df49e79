package living

import (
	"fmt"
	"net/http"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/identity/signin"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var clearwaterImaging = firm{id: Clearwater, name: "Clearwater Imaging, LLC", contact: "privacy@clearwater.example", does: "quality checks of imaging reports", patients: 3000,
	purposes: []hipaa.Purpose{hipaa.Evaluation}, ceo: "C. Water, CEO", baa: ClearwaterBAA, soc2Until: 120}

// withClearwater: had an incident, was terminated, and is being parted from.
func (o *Organisation) withClearwater(t *story) {
	f := clearwaterImaging
	const q1 = id.Questionnaire("clearwater-q1")
	about := []snapshot.Subject{{Noun: snapshot.NounEngagement, ID: string(ImagingQA)}}
	t.on(198, 9, "Clearwater Imaging is proposed", func(s *scene) { s.takeOn(f) })
	t.on(195, 10, "Clearwater Imaging answers", func(s *scene) { s.asked(f, q1, nil) })
	t.on(193, 11, "Clearwater Imaging is taken on", func(s *scene) {
		s.decided(f, q1)
		s.baa(f, f.baa, s.until(300))
		s.signed(f.baa, f.ceo)
	})
	t.on(191, 10, "Clearwater Imaging begins", func(s *scene) {
		s.engage(cast[Tomas], Clearwater, "employee of the vendor")
		s.do(Sam, "as the contract says", registry.AssignTraining{ID: Tomas, Track: "MLE", HiredAt: s.now().AddDate(-3, 0, 0), WorkState: "US-MA"})
		s.trained(Tomas, "tomas-first", 10, 365)
		s.machine(s.program(f.id, ImagingBox, registry.RegisterApp{ID: ImagingApp, Name: "Imaging QA", Kind: snapshot.Workload, Owner: Tomas}), Tomas, "", s.until(90))
		s.work(f, ImagingQA, hipaa.Evaluation, []id.Agreement{f.baa}, s.until(120), "", true)
		s.role(ImagingRole, "Imaging reader", ImagingQA)
		// Not every patient: half of them, on a list that only the vault can read.
		var list struct {
			Digest string `json:"digest_sha256"`
		}
		all := s.o.Records.IDs("Patient")
		s.post(Omar, "/v1/custody/cohort", map[string]any{"ref": "imaging-half", "source": Source, "patients": all[:(len(all)+1)/2], "reason": "half will do"}, &list)
		s.grantTo(snapshot.Cohort{Kind: snapshot.CohortList, Ref: "imaging-half", Digest: list.Digest}, ImagingGrant, ImagingQA, ImagingApp, Tomas, ImagingBox, ImagingRole, s.until(100), true)
		s.ask(ImagingApp, "Patient?_count=1", http.StatusOK)
	})
	for n := range 6 {
		t.on(168-28*n, 14, "Clearwater Imaging renews its answers", func(s *scene) { s.renewed(f, n+1) })
	}
	t.on(116, 15, "", func(s *scene) { s.reviewed(ImagingGrant, Omar, "the checks help") })

	t.on(26, 10, "Clearwater Imaging: an incident", func(s *scene) {
		// They must say so at any time: the link stands ready.
		b := s.link(registry.IssueLink{ID: "clearwater-report", Vendor: Clearwater, For: snapshot.LinkIncident, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: string(Clearwater)},
			Contact: "security@clearwater.example", ExpiresAt: s.in(90)})
		if s.err == nil {
			_, s.err = b.get(s.ctx, "/portal/incidents/clearwater")
		}
		s.do(Sam, "seen in their ticket, which they sent us", registry.OpenIncident{ID: ImagingLeak, Title: "An export job wrote imaging reports to a folder that was shared with everybody", Vendor: Clearwater, About: about,
			OccurredAt: s.now().AddDate(0, 0, -2), DiscoveredAt: s.now()})
		s.do(Sam, "stop until it is clear", registry.ContainIncident{ID: ImagingLeak})
		s.ask(ImagingApp, "Patient?_count=1", http.StatusForbidden)
	})
	t.on(25, 14, "The incident is counted", func(s *scene) {
		s.do(Grace, "after two calls", registry.AmendIncidentFacts{ID: ImagingLeak, Title: "An export job wrote imaging reports to a folder that was shared with everybody", Vendor: Clearwater, About: about,
			OccurredAt: s.now().AddDate(0, 0, -3), Agent: snapshot.No, AgentWhy: "It decides how it does the work (agreement, agency)"})
		var radius disclosure.Radius
		var raw struct {
			disclosure.Radius
			SHA256 string `json:"radius_sha256"`
		}
		s.get(Grace, "/v1/disclosures/radius?vendor=clearwater", &raw)
		radius = raw.Radius
		if s.err == nil && radius.Patients == 0 {
			s.err = fmt.Errorf("nothing was disclosed to Clearwater")
		}
		s.do(Grace, "counted from the log", registry.CountAffected{ID: ImagingLeak, Individuals: int(radius.Patients), ByState: map[string]int{"US-MA": int(radius.Patients)}, Radius: raw.SHA256})
		s.do(Grace, "agreed with counsel", registry.CorrectIncident{ID: ImagingLeak, What: "Review every vendor's handling of exported files", Owner: Sam, DueAt: s.until(6)})
	})
	t.on(21, 11, "Clearwater Imaging's agreement is terminated", func(s *scene) {
		s.do(Grace, "a material breach: the folder was shared for two days, and nobody looked", registry.TerminateAgreement{ID: ClearwaterBAA})
	})
	t.on(20, 10, "Parting from Clearwater Imaging", func(s *scene) {
		s.do(Ada, "the agreement was terminated", registry.BeginOffboarding{ID: Goodbye, Vendor: Clearwater, Cause: snapshot.MaterialBreach, DueAt: s.in(29)})
		s.post(Grace, "/v1/offboardings/"+string(Goodbye)+"/inventory", map[string]any{"reason": "counted from the log"}, nil)
	})
	t.on(16, 13, "Clearwater Imaging attests", func(s *scene) {
		b := s.link(registry.IssueLink{ID: "clearwater-word", Vendor: Clearwater, For: snapshot.LinkAttestation, About: snapshot.Subject{Noun: snapshot.NounOffboarding, ID: string(Goodbye)},
			Contact: f.contact, ExpiresAt: s.in(30)})
		at := "/portal/offboardings/" + string(Goodbye) + "/"
		s.form(b, at+"raw", "outcome=destroyed", "method=purge", "technique=cryptographic-erase", "items=the store of the checks", "sanitized_by=S. Wipe, engineer", "verified_by=C. Check, security officer", "attester=C. Water, CEO", "sure=yes")
		s.form(b, at+"derived", "outcome=destroyed", "method=purge", "technique=cryptographic-erase", "items=tables of scores", "sanitized_by=S. Wipe, engineer", "verified_by=C. Check, security officer", "attester=C. Water, CEO", "sure=yes")
		s.form(b, at+"embeddings", "outcome=never-held", "attester=C. Water, CEO", "sure=yes")
		s.form(b, at+"backups", "outcome=infeasible", "items=tapes of the last quarter", "why=they expire in ninety days, and hold other customers too", "protections=encrypted, in a safe, not read",
			"review_at="+s.until(70).Format("2006-01-02"), "attester=C. Water, CEO", "sure=yes")
	})
	for _, hour := range []int{2, 3, 4} { // their scheduler has it still
		t.on(7, hour, "Clearwater Imaging's machine knocks", func(s *scene) { s.ask(ImagingApp, "Patient?_count=1", refusals...) })
	}
	t.on(7, 9, "The dead-man check", func(s *scene) {
		s.post(Grace, "/v1/offboardings/"+string(Goodbye)+"/check", map[string]any{"reason": "was anything tried?"}, nil)
	})
}

var harborlightHealth = firm{id: Harborlight, name: "Harborlight Health Analytics", contact: "compliance@harborlight.example", does: "prediction of denied claims", patients: 1000,
	purposes: []hipaa.Purpose{hipaa.Evaluation}, baa: HarborlightBAA}

// withHarborlight: in onboarding, with its paper door half open and its data door shut.
func (o *Organisation) withHarborlight(t *story) {
	f := harborlightHealth
	t.on(35, 9, "Harborlight Health Analytics is proposed", func(s *scene) {
		s.takeOn(f)
		s.engage(cast[Petra], Harborlight, "officer of the vendor")
	})
	var b *browser
	t.on(33, 10, "Harborlight gets its questions by a link", func(s *scene) {
		code := signin.NewCode()
		code256, _ := signin.CodeDigest(code)
		s.do(Ada, "before the pilot", registry.SendQuestionnaire{ID: HarborAsk, Vendor: Harborlight, Contact: f.contact, Secret256: code256, DueAt: s.until(4), ExpiresAt: s.until(10)})
		b = s.opened(code)
	})
	for n, ago := range []int{29, 27, 24, 22} { // a part at a time, and then nothing more
		t.on(ago, 16, "Harborlight answers some", func(s *scene) {
			all := hipaa.Questions()
			for _, q := range all[n*8 : n*8+8] {
				value, detail := answered(q.ID)
				s.form(b, fmt.Sprintf("/portal/questionnaires/%s/%s/%s/answer", HarborAsk, domain(q.ID), q.ID), "value="+value, "detail="+detail)
			}
		})
	}
	t.on(26, 11, "Harborlight's machine and program", func(s *scene) {
		s.machine(s.program(f.id, HarborBox, registry.RegisterApp{ID: DenialApp, Name: "Denials", Kind: snapshot.Workload, Owner: Petra}), Petra, "", s.until(60))
		s.baa(f, f.baa, s.until(365))
		s.work(f, Denials, hipaa.Evaluation, []id.Agreement{f.baa}, s.until(90), "", false)
		s.role(DenialRole, "Denials reader", Denials)
		s.grant(DenialGrant, Denials, DenialApp, Petra, HarborBox, DenialRole, s.until(80), false)
		s.ask(DenialApp, "Patient?_count=1", http.StatusForbidden)
	})
}
