package living

import (
	"net/http"
	"slices"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var northwindAI = firm{id: Northwind, name: "Northwind AI, Inc.", contact: "privacy@northwind.example", does: "triage of reports", patients: 5000,
	purposes: []hipaa.Purpose{hipaa.Evaluation, hipaa.Inference}, ceo: "N. Wind, CEO", baa: NorthwindBAA, soc2Until: 24}

// withNorthwind: in full operation, with what that brings.
func (o *Organisation) withNorthwind(t *story) {
	f := northwindAI
	const (
		q1   = id.Questionnaire("northwind-q1")
		weak = "RSK-02" // a question that is answered badly once
	)
	t.on(210, 9, "Northwind AI is proposed", func(s *scene) { s.takeOn(f) })
	t.on(207, 10, "Northwind AI answers 64 questions", func(s *scene) { s.asked(f, q1, nil) })
	t.on(206, 14, "Northwind AI is taken on", func(s *scene) {
		s.refused(Ada, "we want them", registry.ApproveVendor{ID: f.id}) // who asks does not decide
		s.decided(f, q1)
	})
	t.on(205, 10, "Northwind AI signs its papers", func(s *scene) {
		s.baa(f, f.baa, s.until(400))
		s.signed(f.baa, f.ceo)
		paper := s.paper(Ada, "Statement of work between Mercy Valley Health and Northwind AI, Inc. Synthetic: signed by nobody.\n", "the signed statement of work")
		s.do(Ada, "statement of work", registry.DraftAgreement{ID: NorthwindSOW, Kind: snapshot.ServicesContract, Vendor: f.id, Document: paper, EffectiveAt: s.now(), EndsAt: s.until(95),
			Regions: []string{"US"}, PermittedUses: []snapshot.PermittedUse{{Purpose: hipaa.Evaluation, DataClasses: []hipaa.DataClass{hipaa.PHI}, Clause: "§ 1"}, {Purpose: hipaa.Inference, DataClasses: []hipaa.DataClass{hipaa.PHI}, Clause: "§ 2"}},
			Terms: map[string]snapshot.Term{"no_reidentification": {Value: []byte("true"), Clause: "§ 7"}}})
		s.signed(NorthwindSOW, f.ceo)
	})
	t.on(204, 9, "Northwind AI's people and machines", func(s *scene) {
		s.engage(cast[Nora], Northwind, "officer of the vendor")
		s.engage(cast[Lin], Northwind, "employee of the vendor")
		s.engage(cast[Ravi], Northwind, "employee of the vendor")
		s.do(Sam, "as the contract says",
			registry.AssignTraining{ID: Lin, Track: "MLE", HiredAt: s.now().AddDate(-1, 0, 0), WorkState: "US-MA"},
			registry.AssignTraining{ID: Ravi, Track: "DS", HiredAt: s.now().AddDate(-2, 0, 0), WorkState: "US-MA"},
			registry.AssignTraining{ID: Nora, Track: "EXE", HiredAt: s.now().AddDate(-4, 0, 0), WorkState: "US-MA"})
		// By the agreement training counts for twelve months: Lin's ends in the middle of the
		// story, and Ravi's a little after it.
		s.trained(Lin, "lin-first", 365-(204-110), 365)
		s.trained(Ravi, "ravi-first", 365-(204+16), 365)
		s.trained(Nora, "nora-first", 40, 365)
		s.do(Grace, "she signs for them, as their register says", registry.NameSignatory{ID: Nora, Title: "Chief executive officer"})
		s.machine(s.program(f.id, GPU1, registry.RegisterApp{ID: TriageApp, Name: "Triage", Kind: snapshot.Workload, Owner: Lin}), Lin, "", s.until(140))
	})
	t.on(203, 11, "Northwind AI's first engagement", func(s *scene) {
		s.work(f, TriageEval, hipaa.Evaluation, []id.Agreement{f.baa, NorthwindSOW}, s.until(95), "", true)
		s.role(TriageRole, "Triage reader", TriageEval)
		s.grant(TriageGrant, TriageEval, TriageApp, Lin, GPU1, TriageRole, s.until(90), true)
		s.ask(TriageApp, "Patient?_count=1", http.StatusOK)
	})

	for n := range 7 { // who works there must be told every month
		t.on(180-28*n, 15, "Northwind AI renews its answers", func(s *scene) {
			if n != 5 {
				s.renewed(f, n+1)
				return
			}
			// In the sixth month one answer is weak: a decision with a condition.
			again := s.stale(f, 30)
			if !slices.Contains(again, weak) {
				again = append(again, weak)
			}
			s.asked(f, VisitAsk, again, weak)
			s.do(Grace, "one answer needs work", registry.RecordAssessment{ID: NorthwindVisit, Vendor: Northwind, Verdict: snapshot.Conditional, Questionnaire: VisitAsk, DecidedAt: s.now(), ValidUntil: s.in(350),
				Require: []registry.RequireCondition{{Text: "Northwind's risk analysis names the triage service and its owners", Owner: Ada, DueAt: s.until(19)}}})
		})
	}

	t.on(150, 13, "A machine of Northwind AI is held for a day", func(s *scene) {
		s.do(Sam, "an alert named its address", registry.RaiseFinding{ID: OddTraffic, Kind: "use", About: snapshot.Subject{Noun: snapshot.NounDevice, ID: string(GPU1)}, Vendor: Northwind, Title: "Outbound connections from northwind-gpu-1 to an unknown address"})
		s.do(Sam, "until it is clear", registry.PlaceHold{ID: GPU1Hold, On: snapshot.Subject{Noun: snapshot.NounDevice, ID: string(GPU1)}, Cause: snapshot.HoldFinding})
		s.ask(TriageApp, "Patient?_count=1", refusals...)
	})
	t.on(149, 12, "The hold is lifted", func(s *scene) {
		s.refused(Sam, "my own", registry.LiftHold{ID: GPU1Hold})
		s.do(Grace, "it was their own time server", registry.SettleFinding{ID: OddTraffic, Settled: snapshot.SettledMistaken}, registry.LiftHold{ID: GPU1Hold})
	})

	t.on(130, 9, "An incident at Northwind AI, and its end", func(s *scene) {
		s.do(Omar, "they called me", registry.OpenIncident{ID: StolenBag, Title: "A bag with a laptop of a Northwind engineer was stolen from a train", Vendor: Northwind,
			About: []snapshot.Subject{{Noun: snapshot.NounPerson, ID: string(Ravi)}}, OccurredAt: s.now().AddDate(0, 0, -1), DiscoveredAt: s.now()})
		s.do(Sam, "until it is clear", registry.ContainIncident{ID: StolenBag})
		s.do(Sam, "after a call", registry.CountAffected{ID: StolenBag, Individuals: 0})
		s.do(Sam, "the machine was off, and its disk encrypted", registry.AssessIncident{ID: StolenBag, Unsecured: snapshot.Answered{Yes: false, Why: "The disk was encrypted, the machine off, and nothing of ours was on it"}})
		s.do(Grace, "agreed", registry.ApproveBreachAssessment{ID: StolenBag})
		s.do(Grace, "agreed with them", registry.CorrectIncident{ID: StolenBag, What: "Laptops travel shut down, and in hand luggage", Owner: Ravi, DueAt: s.in(7)})
	})
	t.on(126, 15, "", func(s *scene) {
		s.do(Grace, "seen in their new rules", registry.CompleteCorrection{ID: StolenBag, Number: 1})
		s.do(Grace, "all done", registry.CloseIncident{ID: StolenBag, Lessons: "Northwind's travel rules now say that machines are shut down, and ours ask for it."})
		if in, ok := s.o.Server.View().Incidents.Get(StolenBag); ok {
			for _, h := range in.Holds {
				s.do(Grace, "nothing of ours was on it", registry.LiftHold{ID: h})
			}
		}
	})

	t.on(121, 10, "Northwind AI's second engagement", func(s *scene) {
		s.work(f, Summaries, hipaa.Inference, []id.Agreement{f.baa, NorthwindSOW}, s.until(9), snapshot.SealAge, true)
		s.role(SummaryRole, "Encounter reader", Summaries)
		s.machine(s.program(f.id, GPU2, registry.RegisterApp{ID: SummaryApp, Name: "Summarizer", Kind: snapshot.Workload, Owner: Ravi}), Ravi, "", s.until(26))
		s.grant(SummaryGrant, Summaries, SummaryApp, Ravi, GPU2, SummaryRole, s.until(9), true)
		s.ask(SummaryApp, "Patient?_count=2", http.StatusOK)
	})
	t.on(118, 14, "The first review of access", func(s *scene) {
		s.do(Grace, "the first quarter", registry.OpenCampaign{ID: "first-quarter", Title: "First quarter", DueAt: s.in(14)})
		s.reviewed(TriageGrant, Omar, "the evaluation goes on")
	})
	t.on(117, 14, "", func(s *scene) {
		s.reviewed(SummaryGrant, Omar, "it has just begun")
	})

	t.on(96, 9, "Lin's training is renewed", func(s *scene) {
		s.ask(TriageApp, "Patient?_count=1", http.StatusForbidden) // for two weeks nothing went
		s.trained(Lin, "lin-second", 0, 365)
		s.ask(TriageApp, "Patient?_count=1", http.StatusOK)
	})

	t.on(92, 14, "A third program of Northwind AI", func(s *scene) {
		s.program(f.id, GPU2, registry.RegisterApp{ID: LabelApp, Name: "Labeller", Kind: snapshot.Workload, Owner: Ravi})
		s.grant(LabelGrant, TriageEval, LabelApp, Ravi, GPU2, TriageRole, s.until(70), true)
		s.ask(LabelApp, "Patient?_count=1", http.StatusOK)
	})

	t.on(100, 10, "", func(s *scene) { s.do(Sam, "as every half year", registry.RotateKey{ID: TriageEval}) })
	t.on(88, 22, "An emergency procedure was used, and reviewed", func(s *scene) {
		s.do(Omar, "as the procedure asks", registry.ReportEmergency{ID: "interface-down", Source: Source, Person: Omar, Why: "The interface was down during a transfer; procedure E-7", UsedAt: s.now().Add(-time.Hour)})
		s.wait(9 * time.Hour)
		s.do(Grace, "the outage is in the log of the interface", registry.ReviewEmergency{ID: "interface-down", Justified: true})
	})
	t.on(70, 11, "A patient says no", func(s *scene) {
		s.post(Grace, "/v1/custody/hold", map[string]any{"source": Source, "patients": s.o.Records.IDs("Patient")[:1], "kind": "restriction", "reason": "agreed with the patient, in writing"}, nil)
	})

	t.on(62, 11, "Lin is lifted for an hour", func(s *scene) {
		s.role(DetailRole, "Triage reader, in detail", TriageEval)
		asked := s.asks(Lin, "the model fails on some patients", registry.MakeRequest{Person: Lin, Elevates: TriageGrant, Ticket: "INC-4711", Role: DetailRole, MaxPatients: 10, MaxDailyBytes: 10 << 20, Life: 60,
			Why: "The triage model fails on a handful of records; marital status is a suspected cause"})
		s.do(Omar, "one hour is enough", registry.ApproveRequest{ID: asked})
		s.ask(TriageApp, "Patient?_count=5", http.StatusOK)
	})

	t.on(58, 10, "An agent on Lin's laptop", func(s *scene) {
		s.machine(s.program(f.id, Laptop, registry.RegisterApp{ID: AssistantApp, Name: "Triage assistant", Kind: snapshot.Agent, Owner: Lin}), Lin, snapshot.InTPM, s.until(60))
		if s.err == nil {
			s.err = s.o.Programs[AssistantApp].report(s.ctx, state{firewall: true, updated: true})
		}
		s.grant(AssistGrant, TriageEval, AssistantApp, Lin, Laptop, TriageRole, s.until(60), true)
		s.ask(AssistantApp, "Patient?_count=1", http.StatusOK)
	})

	t.on(55, 15, "A request is denied", func(s *scene) {
		asked := s.asks(Lin, "to keep what the hour gave", registry.MakeRequest{Person: Lin, Engagement: TriageEval, App: TriageApp, Devices: []id.Device{GPU1}, Role: DetailRole,
			Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 1000, MaxDailyBytes: 64 << 20, Life: 60 * 24 * 60, Why: "Marital status for all patients, to be sure"})
		s.do(Omar, "the hour was enough, and nothing came of it", registry.DenyRequest{ID: asked})
	})

	t.on(33, 13, "The second review of access", func(s *scene) {
		s.do(Grace, "the second quarter", registry.OpenCampaign{ID: "second-quarter", Title: "Second quarter", DueAt: s.in(14)})
		s.reviewed(TriageGrant, Omar, "the evaluation goes on")
		s.reviewed(AssistGrant, Omar, "Lin uses it daily")
		s.reviewed(LabelGrant, Omar, "labels are needed for the evaluation")
	})
	t.on(32, 10, "", func(s *scene) {
		s.reviewed(SummaryGrant, Omar, "until the pilot ends")
		s.reviewed(ImagingGrant, Omar, "the checks help")
	})
}

// lately is what a reader of the story finds open.
func (o *Organisation) lately(t *story) {
	every := 7
	if o.o.Quick {
		every = 28
	}
	for ago := 205; ago > 8; ago -= every { // people look in
		t.on(ago, 8, "", func(s *scene) { s.visit(Grace, Sam) })
		t.on(ago-3, 9, "", func(s *scene) { s.visit(Ada, Omar) })
	}
	t.on(40, 16, "", func(s *scene) { s.visit(Iris) })
	t.on(11, 10, "An amended agreement waits for Northwind AI's signature", func(s *scene) {
		s.baa(northwindAI, NorthwindNew, s.until(730))
		s.do(Ada, "signed on paper", registry.SignAgreement{ID: NorthwindNew, Party: snapshot.Organisation, Signer: "C. Example, CEO", At: s.now()})
	})
	t.on(5, 9, "A review campaign begins", func(s *scene) {
		s.do(Grace, "the third quarter, early", registry.OpenCampaign{ID: ThirdQuarter, Title: "Third quarter", DueAt: s.until(9)})
	})
	t.on(4, 15, "A finding is raised", func(s *scene) {
		s.do(Sam, "seen in the decisions", registry.RaiseFinding{ID: AsksForMore, Kind: "use", About: snapshot.Subject{Noun: snapshot.NounApp, ID: string(TriageApp)}, Vendor: Northwind, Title: "Triage asks for medication requests, which its role does not show"})
	})
	t.on(3, 11, "", func(s *scene) { s.reviewed(AssistGrant, Omar, "still in daily use") })
	t.before(50*time.Hour, "Northwind AI sends the report that follows", func(s *scene) {
		ends := s.now().AddDate(0, 0, -20)
		s.outside(Lin, "for the time after our report ends", registry.RecordCertification{Vendor: Northwind, Type: "SOC2_T2", PeriodStart: ends.AddDate(0, -8, 0), PeriodEnd: ends, ExpiresAt: s.until(340),
			Particulars: snapshot.Particulars{Issuer: "Example Auditors LLP", Criteria: []string{"security", "confidentiality"}, Scope: []string{northwindAI.does}, Opinion: snapshot.Unqualified, Subservice: snapshot.NoSubservice}}.
			With("text/plain", []byte("Example Auditors LLP: report on Northwind AI's controls, SOC 2 Type 2. Opinion: unqualified.\n")))
	})
	t.before(46*time.Hour, "Ravi takes the course again, and is half through", func(s *scene) { s.learns(Ravi, "DS", 4) })
	t.before(30*time.Hour, "Ravi asks for more", func(s *scene) {
		s.asks(Ravi, "to go on after the pilot", registry.MakeRequest{Person: Ravi, Engagement: TriageEval, App: SummaryApp, Devices: []id.Device{GPU2}, Role: TriageRole,
			Cohort: snapshot.Cohort{Kind: snapshot.CohortAll}, MaxPatients: 500, MaxDailyBytes: 64 << 20, Life: 60 * 24 * 60, Why: "Compare summaries with what triage sees, for the report of the pilot"})
	})
	t.before(firewallOff, "The firewall of Lin's laptop is off", func(s *scene) {
		if s.err == nil {
			s.err = s.o.Programs[AssistantApp].report(s.ctx, state{updated: true})
		}
		s.ask(AssistantApp, "Patient?_count=1", http.StatusForbidden)
	})
	t.before(14*time.Hour, "An emergency procedure was used", func(s *scene) {
		s.do(Omar, "as the procedure asks", registry.ReportEmergency{ID: NightOutage, Source: Source, Person: Omar, Why: "The chart did not open during a code; procedure E-7", UsedAt: s.now().Add(-35 * time.Minute)})
	})
	t.before(20*time.Minute, "The morning's sign-ins", func(s *scene) { s.visit(Grace, Sam, Omar, Nora, Lin) })
}
