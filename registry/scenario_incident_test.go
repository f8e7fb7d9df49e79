package registry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var (
	opened2 = registry.OpenIncident{ID: "i2", Title: "Notebook in a public repository", Vendor: "northwind",
		About: []snapshot.Subject{{Noun: snapshot.NounDevice, ID: "northwind-gpu-1"}, {Noun: snapshot.NounApp, ID: "triage"}}, OccurredAt: noon.AddDate(0, 0, -3), DiscoveredAt: noon.Add(-time.Hour)}
	report2 = registry.ReportIncident{Vendor: "northwind", Title: "Laptop stolen", DiscoveredAt: noon.Add(-2 * time.Hour), Individuals: 40}
	facts2  = registry.AmendIncidentFacts{ID: "i2", Title: "Notebook in a public repository", Vendor: "northwind", OccurredAt: noon.AddDate(0, 0, -3), Agent: snapshot.No, AgentWhy: "no control over how"}
	count2  = registry.CountAffected{ID: "i2", Individuals: 600, ByState: map[string]int{"US-MA": 501, "US-NH": 99}, Unreachable: 3, Radius: strings.Repeat("0a", 32)}
	list2   = registry.RequestPatientList{ID: "i2", Radius: strings.Repeat("0a", 32), Log: "node-1", Through: 9, Patients: 3, Vendors: []id.Vendor{"northwind"}}
	secured = registry.AssessIncident{ID: "i2", Unsecured: snapshot.Answered{Why: "encrypted to the device's own recipient"}}
	unclear = registry.AssessIncident{ID: "i2", Unsecured: snapshot.Answered{Yes: true, Why: "plain text"}, Factors: factors(false)}
	told2   = registry.NoteNotice{ID: "i2", To: snapshot.ToIndividuals, At: noon, Count: 600}
	delay2  = registry.DelayNotice{ID: "i2", At: noon.Add(-time.Minute), Official: "J. Example, special agent, FBI Boston"}
	right2  = registry.CorrectIncident{ID: "i2", What: "Take the notebook down", Owner: "lin", DueAt: noon.AddDate(0, 0, 7)}
	punish2 = registry.RecordSanction{ID: "i2", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "lin"}, What: "written warning", At: noon}
	words2  = registry.DescribeIncident{ID: "i2", WhatHappened: "A notebook was public for three days.", Types: []string{"your diagnoses"}, Contact: snapshot.Contact{Phone: "800 555 0100"}}
)

func factors(yes bool) map[string]snapshot.Answered {
	m := map[string]snapshot.Answered{}
	for _, f := range breach.Factors() {
		m[f.Key] = snapshot.Answered{Yes: yes, Why: "because"}
	}
	return m
}

// explained leaves nothing of opened2 open that is not explained.
var explained = map[string]string{"assessment": "x", "B-404-b": "x", "B-406": "x", "B-408-b": "x", "G-410-c": "x"}

func incident(v *snapshot.View) *snapshot.Incident {
	in, ok := v.Incidents.Get("i2")
	if !ok {
		return &snapshot.Incident{}
	}
	return in
}

var incidentScenarios = map[registry.Kind]scenario{
	"incident.open": {allowed: act(opened2), refused: []refusal{
		bad("title", with(opened2, func(a *registry.OpenIncident) { a.Title = "" })),
		bad("vendor", with(opened2, func(a *registry.OpenIncident) { a.Vendor = "nortwind" })),
		bad("about[0].noun", with(opened2, func(a *registry.OpenIncident) { a.About = []snapshot.Subject{{Noun: "patient", ID: "1"}} })),
		bad("about[0].id", with(opened2, func(a *registry.OpenIncident) {
			a.About = []snapshot.Subject{{Noun: snapshot.NounPerson, ID: "otto"}}
		})),
		bad("discovered_at", with(opened2, func(a *registry.OpenIncident) { a.DiscoveredAt = noon.AddDate(0, 0, -4) })),
		bad("discovered_at", with(opened2, func(a *registry.OpenIncident) { a.DiscoveredAt = noon.Add(time.Hour) })),
		bad("finding", with(opened2, func(a *registry.OpenIncident) { a.Finding = "f9" }))}},
	"incident.report": {allowed: act(report2), refused: []refusal{
		bad("vendor", with(report2, func(a *registry.ReportIncident) { a.Vendor = "" })),
		bad("title", with(report2, func(a *registry.ReportIncident) { a.Title = "" })),
		bad("individuals", with(report2, func(a *registry.ReportIncident) { a.Individuals = -1 })),
		bad("about[0].id", with(report2, func(a *registry.ReportIncident) {
			a.About = []snapshot.Subject{{Noun: snapshot.NounPerson, ID: "otto"}}
		}))},
		then: func(v *snapshot.View) string {
			for _, in := range v.Incidents.All() {
				return want(in.DiscoveredBy == snapshot.VendorParty && in.ReportedAt.Equal(noon) && in.DiscoveredAt.Equal(noon.Add(-2*time.Hour)) && in.Estimate == 40, "the vendor's clock does not run from its discovery")
			}
			return "there is no incident"
		}},
	"incident.contain": {before: by("ada", opened2), allowed: act(registry.ContainIncident{ID: "i2"}), refused: []refusal{gone(registry.ContainIncident{ID: "i9"}),
		bad("on[0].id", registry.ContainIncident{ID: "i2", On: []snapshot.Subject{{Noun: snapshot.NounPerson, ID: "nobody"}}})},
		then: func(v *snapshot.View) string {
			held := 0
			for _, h := range v.Holds.All() {
				if h.Cause == snapshot.HoldIncident && h.LiftedAt.IsZero() {
					held++
				}
			}
			return want(held == 2 && len(incident(v).Holds) == 2, "not all of it is on hold")
		}},
	"incident.amend-facts": {before: by("ada", opened2), allowed: act(facts2), refused: []refusal{
		gone(with(facts2, func(a *registry.AmendIncidentFacts) { a.ID = "i9" })),
		bad("agent_why", with(facts2, func(a *registry.AmendIncidentFacts) { a.AgentWhy = "" })),
		bad("agent", with(facts2, func(a *registry.AmendIncidentFacts) { a.Agent = "maybe" })),
		bad("discovered_by", with(facts2, func(a *registry.AmendIncidentFacts) { a.DiscoveredBy = "patient" })),
		bad("discovered_by", with(facts2, func(a *registry.AmendIncidentFacts) { a.Vendor, a.DiscoveredBy = "", snapshot.VendorParty })),
		bad("discovered_at", with(facts2, func(a *registry.AmendIncidentFacts) { a.DiscoveredAt, a.ReportedAt = noon, noon.Add(-time.Second) })),
		bad("discovered_at", with(facts2, func(a *registry.AmendIncidentFacts) { a.DiscoveredAt = noon.AddDate(0, 0, -4) })),
		bad("reported_at", with(facts2, func(a *registry.AmendIncidentFacts) { a.ReportedAt = noon.Add(time.Hour) })),
		bad("knowable_at", with(facts2, func(a *registry.AmendIncidentFacts) { a.KnowableAt = noon.AddDate(0, 0, -4) })),
		bad("overlays[0]", with(facts2, func(a *registry.AmendIncidentFacts) { a.Overlays = []string{"gdpr"} }))}},
	"incident.count-affected": {before: by("ada", opened2), allowed: act(count2), refused: []refusal{
		gone(with(count2, func(a *registry.CountAffected) { a.ID = "i9" })),
		bad("individuals", with(count2, func(a *registry.CountAffected) { a.Individuals, a.ByState = -1, nil })),
		bad("unreachable", with(count2, func(a *registry.CountAffected) { a.Unreachable = 601 })),
		bad("by_state", with(count2, func(a *registry.CountAffected) { a.ByState = map[string]int{"Mass.": 1} })),
		bad("by_state", with(count2, func(a *registry.CountAffected) { a.ByState = map[string]int{"US-MA": 400, "US-NH": 201} })),
		bad("by_state.US-MA", with(count2, func(a *registry.CountAffected) { a.ByState = map[string]int{"US-MA": 0} })),
		bad("radius_sha256", with(count2, func(a *registry.CountAffected) { a.Radius = "x" }))}},
	"incident.request-patients": {before: by("ada", opened2), allowed: act(list2), refused: []refusal{
		gone(with(list2, func(a *registry.RequestPatientList) { a.ID = "i9" })),
		bad("radius_sha256", with(list2, func(a *registry.RequestPatientList) { a.Radius = "" })),
		bad("log", with(list2, func(a *registry.RequestPatientList) { a.Log = "" })),
		bad("through", with(list2, func(a *registry.RequestPatientList) { a.Through = 0 })),
		bad("patients", with(list2, func(a *registry.RequestPatientList) { a.Patients = 0 })),
		bad("vendors[0]", with(list2, func(a *registry.RequestPatientList) { a.Vendors = []id.Vendor{"a b"} })),
		bad("until", with(list2, func(a *registry.RequestPatientList) { a.Since, a.Until = noon, noon }))},
		then: func(v *snapshot.View) string {
			return want(len(incident(v).PatientLists) == 1 && incident(v).PatientLists[0].State == snapshot.Proposed, "the list is not asked for")
		}},
	"incident.approve-patients": {before: func(w *world) {
		by("ada", opened2, list2)(w)
	}, allowed: func(w *world) registry.Act {
		return registry.ApprovePatientList{ID: "i2", List: incident(w.view).PatientLists[0].ID}
	}, refused: []refusal{gone(registry.ApprovePatientList{ID: "i9"}), bad("list", registry.ApprovePatientList{ID: "i2", List: "another"}),
		{func(w *world) registry.Act {
			w.must("grace", with(list2, func(a *registry.RequestPatientList) { a.Through++; a.Radius = strings.Repeat("0b", 32) }))
			return registry.ApprovePatientList{ID: "i2", List: incident(w.view).PatientLists[1].ID} // their own
		}, "", problem.Refused}},
		then: func(v *snapshot.View) string {
			return want(incident(v).PatientLists[0].State == snapshot.Approved && incident(v).PatientLists[1].State == snapshot.Proposed, "the list is not approved")
		}},
	"patient.list-affected": {before: func(w *world) {
		by("ada", opened2)(w)
		by("grace", list2)(w)
		by("ada", registry.ApprovePatientList{ID: "i2", List: incident(w.view).PatientLists[0].ID})(w)
	}, allowed: func(w *world) registry.Act {
		return registry.ListAffected{Incident: "i2", List: incident(w.view).PatientLists[0].ID, Source: "ehr"}
	}, refused: []refusal{bad("incident", registry.ListAffected{Incident: "i9"}), bad("list", registry.ListAffected{Incident: "i2", List: "another", Source: "ehr"}),
		{func(w *world) registry.Act {
			return registry.ListAffected{Incident: "i2", List: incident(w.view).PatientLists[0].ID, Source: "her"}
		}, "source", problem.Invalid},
		{func(w *world) registry.Act {
			w.must("grace", with(list2, func(a *registry.RequestPatientList) { a.Radius = strings.Repeat("0b", 32) }))
			return registry.ListAffected{Incident: "i2", List: incident(w.view).PatientLists[1].ID, Source: "ehr"} // nobody approved it
		}, "", problem.Conflict}},
		then: func(v *snapshot.View) string {
			return want(len(incident(v).PatientLists[0].Drawn) == 1, "that it was drawn is not noted")
		}},
	"incident.assess": {before: by("ada", opened2), allowed: act(secured), refused: []refusal{
		gone(with(secured, func(a *registry.AssessIncident) { a.ID = "i9" })),
		bad("unsecured.why", with(secured, func(a *registry.AssessIncident) { a.Unsecured.Why = "" })),
		bad("factors.nature", with(unclear, func(a *registry.AssessIncident) { a.Factors = nil })),
		bad("low_probability", with(unclear, func(a *registry.AssessIncident) { a.LowProbability = true })),
		bad("exception_holds.own-people", with(unclear, func(a *registry.AssessIncident) { a.Exception = "i" }))}},
	"incident.approve-assessment": {before: by("ada", opened2, secured), allowed: act(registry.ApproveBreachAssessment{ID: "i2"}), refused: []refusal{gone(registry.ApproveBreachAssessment{ID: "i9"}),
		{func(w *world) registry.Act { // a breach needs no approval, and no assessment is none
			w.must("ada", with(opened2, func(a *registry.OpenIncident) { a.ID = "i3" }))
			return registry.ApproveBreachAssessment{ID: "i3"}
		}, "id", problem.Conflict}},
		then: func(v *snapshot.View) string {
			return want(!breach.Conclude(incident(v).Assessment).Breach, "it is a breach still")
		}},
	"incident.describe": {before: by("ada", opened2), allowed: act(words2), refused: []refusal{
		gone(with(words2, func(a *registry.DescribeIncident) { a.ID = "i9" })),
		bad("what_happened", with(words2, func(a *registry.DescribeIncident) { a.WhatHappened = strings.Repeat("é", 1001) })),
		bad("steps", with(words2, func(a *registry.DescribeIncident) { a.Steps = strings.Repeat("x", 600) + "\x00" })),
		bad("types[0]", with(words2, func(a *registry.DescribeIncident) { a.Types = []string{""} }))}},
	"incident.delay": {before: by("ada", opened2), allowed: act(delay2), refused: []refusal{
		gone(with(delay2, func(a *registry.DelayNotice) { a.ID = "i9" })),
		bad("official", with(delay2, func(a *registry.DelayNotice) { a.Official = "" })),
		bad("at", with(delay2, func(a *registry.DelayNotice) { a.At = noon.Add(time.Hour) })),
		bad("until", with(delay2, func(a *registry.DelayNotice) { a.Until = a.At })),
		bad("until", with(delay2, func(a *registry.DelayNotice) { a.Written = true })),
		bad("document_sha256", with(delay2, func(a *registry.DelayNotice) { a.Written, a.Until = true, noon.AddDate(0, 1, 0) }))}},
	"incident.note-notice": {before: by("ada", opened2), allowed: act(told2), refused: []refusal{
		gone(with(told2, func(a *registry.NoteNotice) { a.ID = "i9" })),
		bad("to", with(told2, func(a *registry.NoteNotice) { a.To = "press" })),
		bad("count", with(told2, func(a *registry.NoteNotice) { a.Count = 0 })),
		bad("region", with(told2, func(a *registry.NoteNotice) { a.To = snapshot.ToMedia })),
		bad("region", with(told2, func(a *registry.NoteNotice) { a.Region = "US-MA" })),
		bad("at", with(told2, func(a *registry.NoteNotice) { a.At = noon.Add(time.Hour) })),
		bad("at", with(told2, func(a *registry.NoteNotice) { a.At = noon.AddDate(0, 0, -4) }))}},
	"incident.correct": {before: by("ada", opened2), allowed: act(right2), refused: []refusal{
		gone(with(right2, func(a *registry.CorrectIncident) { a.ID = "i9" })),
		bad("what", with(right2, func(a *registry.CorrectIncident) { a.What = "" })),
		bad("owner", with(right2, func(a *registry.CorrectIncident) { a.Owner = "nobody" })),
		bad("due_at", with(right2, func(a *registry.CorrectIncident) { a.DueAt = noon }))}},
	"incident.complete-correction": {before: by("ada", opened2, right2), allowed: act(registry.CompleteCorrection{ID: "i2", Number: 1}), refused: []refusal{
		gone(registry.CompleteCorrection{ID: "i9", Number: 1}), bad("number", registry.CompleteCorrection{ID: "i2", Number: 2}), bad("number", registry.CompleteCorrection{ID: "i2"})}},
	"incident.sanction": {before: by("ada", opened2), allowed: act(punish2), refused: []refusal{
		gone(with(punish2, func(a *registry.RecordSanction) { a.ID = "i9" })),
		bad("on.noun", with(punish2, func(a *registry.RecordSanction) { a.On = snapshot.Subject{Noun: snapshot.NounApp, ID: "triage"} })),
		bad("on.id", with(punish2, func(a *registry.RecordSanction) { a.On.ID = "nobody" })),
		bad("what", with(punish2, func(a *registry.RecordSanction) { a.What = "" }))}},
	"incident.close": {before: by("ada", opened2), allowed: act(registry.CloseIncident{ID: "i2", Lessons: "We scan repositories now.", Explained: explained}), refused: []refusal{
		gone(registry.CloseIncident{ID: "i9", Lessons: "x"}),
		bad("lessons", registry.CloseIncident{ID: "i2"}),
		bad("explained.B-408-c", registry.CloseIncident{ID: "i2", Lessons: "x", Explained: map[string]string{"assessment": "x", "B-404-b": "x", "B-406": "x", "B-408-b": "x", "G-410-c": "x", "B-408-c": "x"}}),
		{act(registry.CloseIncident{ID: "i2", Lessons: "x"}), "explained.assessment", problem.Conflict},
		{act(registry.CloseIncident{ID: "i2", Lessons: "x", Explained: map[string]string{"assessment": "x", "G-410-c": " "}}), "explained.G-410-c", problem.Conflict}}},
	"incident.reopen": {before: func(w *world) {
		w.must("ada", opened2)
		w.must("grace", registry.CloseIncident{ID: "i2", Lessons: "x", Explained: explained})
	}, allowed: act(registry.ReopenIncident{ID: "i2"}), refused: []refusal{gone(registry.ReopenIncident{ID: "i9"}),
		{func(w *world) registry.Act {
			w.must("ada", with(opened2, func(a *registry.OpenIncident) { a.ID = "i3" }))
			return registry.ReopenIncident{ID: "i3"}
		}, "id", problem.Conflict}}},
}

// An incident from a finding settles it, and was known when the finding was raised.
func TestAFindingBecomesAnIncident(t *testing.T) {
	w := demoWorld(t)
	e := w.view.Edit()
	e.Put(&snapshot.Finding{ID: "f1", Kind: "volume", About: snapshot.Subject{Noun: snapshot.NounApp, ID: "triage"}, Vendor: "northwind", Title: "Three times the usual", RaisedBy: "ada", RaisedAt: noon.Add(-48 * time.Hour)})
	w.view = e.Publish(w.view.Version()+1, 0, noon)
	late := registry.OpenIncident{ID: "i2", Title: "Looked into", Finding: "f1", DiscoveredAt: noon}
	if p := problem.From(w.do("ada", late)); p.Field != "discovered_at" {
		t.Errorf("discovered after the alert: got %v", p)
	}
	w.must("ada", registry.OpenIncident{ID: "i2", Title: "Looked into", Finding: "f1"})
	in, f := incident(w.view), (*snapshot.Finding)(nil)
	f, _ = w.view.Findings.Get("f1")
	if in.Vendor != "northwind" || len(in.About) != 1 || !in.DiscoveredAt.Equal(noon.Add(-48*time.Hour)) || f.Incident != "i2" || f.Settled != snapshot.SettledEscalated {
		t.Errorf("got %+v and %+v", in, f)
	}
	if err := w.do("ada", registry.OpenIncident{ID: "i3", Title: "Again", Finding: "f1"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("a settled finding: got %v", err)
	}
}

// Any of the organisation's people opens an incident; a vendor's people, links and
// systems report for their own vendor, even while it is on hold, and nobody else does.
func TestWhoReportsAnIncident(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.ProposeVendor{ID: "southwind", Name: "S"})
	w.must("grace", registry.ApproveVendor{ID: "southwind"})
	w.must("grace", registry.AmendDuties{ID: "eve"}) // no duty at all
	w.must("ada", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Cause: snapshot.HoldIncident})
	e := w.view.Edit()
	for name, c := range map[id.Connector]snapshot.Connector{
		"siem": {Vendor: "northwind", Kind: snapshot.AlertSender}, "ours": {Kind: snapshot.AlertSender}, "dir": {Vendor: "northwind", Kind: snapshot.SCIMClient}} {
		c.ID, c.State = name, snapshot.Approved
		e.Put(&c)
	}
	link := func(key id.Link, purpose snapshot.LinkPurpose) {
		e.Put(&snapshot.Link{ID: key, Vendor: "northwind", For: purpose, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, IssuedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(time.Hour)})
	}
	link("l-report", snapshot.LinkIncident)
	link("l-other", snapshot.LinkAttestation)
	w.view = e.Publish(w.view.Version()+1, 0, noon)
	south := with(report2, func(a *registry.ReportIncident) { a.Vendor = "southwind" })
	for _, c := range []struct {
		what  string
		by    registry.Actor
		act   registry.Act
		party snapshot.Party // whose discovery it is; empty: refused
	}{
		{"one of ours without a duty", registry.Actor{Person: "eve"}, with(opened2, func(a *registry.OpenIncident) { a.ID = "" }), snapshot.Organisation},
		{"an auditor", registry.Actor{Person: "otto"}, opened2, ""},
		{"a vendor's person opens", registry.Actor{Person: "lin"}, opened2, ""},
		{"a vendor's person", registry.Actor{Person: "lin"}, report2, snapshot.VendorParty},
		{"a vendor's person about another", registry.Actor{Person: "lin"}, south, ""},
		{"a link", registry.Actor{Link: "l-report"}, report2, snapshot.VendorParty},
		{"a link about another vendor", registry.Actor{Link: "l-report"}, south, ""},
		{"a link for something else", registry.Actor{Link: "l-other"}, report2, ""},
		{"a link contains", registry.Actor{Link: "l-report"}, registry.ContainIncident{ID: "i2"}, ""},
		{"a vendor's system", registry.Actor{Connector: "siem"}, report2, snapshot.VendorParty},
		{"a vendor's system about another", registry.Actor{Connector: "siem"}, south, ""},
		{"a vendor's directory", registry.Actor{Connector: "dir"}, report2, ""},
		{"our system about a vendor", registry.Actor{Connector: "ours"}, south, snapshot.Organisation},
		{"our system about ourselves", registry.Actor{Connector: "ours"}, with(report2, func(a *registry.ReportIncident) { a.Vendor = "" }), snapshot.Organisation},
		{"our system about nobody", registry.Actor{Connector: "ours"}, with(report2, func(a *registry.ReportIncident) { a.Vendor = "nowind" }), ""},
		{"the clock", registry.Actor{Clock: true}, report2, ""},
	} {
		before := w.view.Incidents.Len()
		err := w.as(c.by, c.act)
		if (err == nil) != (c.party != "") {
			t.Errorf("%s: got %v", c.what, err)
			continue
		}
		if c.party == "" {
			continue
		}
		found := false
		for _, in := range w.view.Incidents.All() {
			found = found || in.OpenedBy == c.by.Name() && in.DiscoveredBy == c.party
		}
		if w.view.Incidents.Len() != before+1 || !found {
			t.Errorf("%s: %d incidents after %d, found %v", c.what, w.view.Incidents.Len(), before, found)
		}
	}
}

// A vendor learns of nothing that is not its own.
func TestAReportTellsNothingOfOthers(t *testing.T) {
	w := demoWorld(t)
	ask := func(key string) *problem.Problem {
		return problem.From(w.as(registry.Actor{Person: "lin"}, with(report2, func(a *registry.ReportIncident) {
			a.About = []snapshot.Subject{{Noun: snapshot.NounPerson, ID: key}}
		})))
	}
	known, nobody := ask("otto"), ask("ott")
	if known.Title != nobody.Title || known.NextStep != nobody.NextStep || known.Field != nobody.Field || known.Field != "about[0].id" {
		t.Errorf("there is one: %v\nthere is none: %v", known, nobody)
	}
}

// No single person makes a breach disappear or closes their own incident.
func TestTwoPeopleEndAnIncident(t *testing.T) {
	w := demoWorld(t)
	w.must("eve", opened2)
	w.must("ada", secured)
	for who, wanted := range map[id.Person]bool{"eve": false, "ada": false, "otto": false, "lin": false} {
		if err := w.do(who, registry.ApproveBreachAssessment{ID: "i2"}); (err == nil) != wanted {
			t.Errorf("%s approves: got %v", who, err)
		}
	}
	w.must("grace", registry.ApproveBreachAssessment{ID: "i2"})
	if breach.Conclude(incident(w.view).Assessment).Breach {
		t.Error("approved, and a breach still")
	}
	// Other facts, or another count, and the approval is void.
	w.must("ada", facts2)
	if !breach.Conclude(incident(w.view).Assessment).Breach {
		t.Error("the facts changed, and the approval stands")
	}
	w.must("grace", registry.ApproveBreachAssessment{ID: "i2"})
	w.must("ada", count2)
	if !breach.Conclude(incident(w.view).Assessment).Breach {
		t.Error("the count changed, and the approval stands")
	}
	w.must("grace", registry.ApproveBreachAssessment{ID: "i2"})
	done := registry.CloseIncident{ID: "i2", Lessons: "Encrypt to the device.", Explained: map[string]string{"G-410-c": "nothing to correct: the seal held"}}
	if err := w.do("eve", done); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who opened it closes it: got %v", err)
	}
	w.must("ada", done)
	for _, a := range []registry.Act{facts2, count2, secured, told2, delay2, right2, punish2, words2, done, registry.ContainIncident{ID: "i2"}} {
		if err := w.do("grace", a); problem.From(err).Kind != problem.Conflict {
			t.Errorf("%T on a closed incident: got %v", a, err)
		}
	}
	w.must("eve", registry.ReopenIncident{ID: "i2"})
	if in := incident(w.view); !in.Open() || in.Lessons != "" {
		t.Errorf("reopened: got %+v", in)
	}
}

func TestNotBreachNeedsAPasskey(t *testing.T) {
	for _, k := range []registry.Kind{"incident.approve-assessment"} {
		if spec, ok := registry.Lookup(k); !ok || !spec.StepUp() {
			t.Errorf("%s needs no step-up", k)
		}
	}
	for _, k := range []registry.Kind{"incident.open", "incident.contain", "incident.report"} {
		if spec, _ := registry.Lookup(k); spec.StepUp() {
			t.Errorf("%s waits for a passkey: what stops must not wait", k)
		}
	}
}

// What is contained stops in the decision: by the holds, in one act.
func TestContainingTwiceHoldsOnce(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", opened2)
	w.must("ada", registry.ContainIncident{ID: "i2"})
	if err := w.do("grace", registry.ContainIncident{ID: "i2"}); problem.From(err).Kind != problem.Conflict {
		t.Errorf("again: got %v", err)
	}
	w.must("grace", registry.ContainIncident{ID: "i2", On: []snapshot.Subject{{Noun: snapshot.NounApp, ID: "triage"}, {Noun: snapshot.NounVendor, ID: "northwind"}}})
	if in := incident(w.view); len(in.Holds) != 3 || w.view.Holds.Len() != 3 {
		t.Errorf("got holds %v of %d", in.Holds, w.view.Holds.Len())
	}
}

// A list of patients is given to nobody but the one who asked, for as long as the
// approval lasts.
func TestAPatientListIsForWhoAsked(t *testing.T) {
	w := demoWorld(t)
	by("ada", opened2)(w)
	by("grace", list2)(w)
	draw := registry.ListAffected{Incident: "i2", List: incident(w.view).PatientLists[0].ID, Source: "ehr"}
	by("ada", registry.ApprovePatientList{ID: "i2", List: draw.List})(w)
	if err := w.do("ada", draw); problem.From(err).Kind != problem.Conflict {
		t.Errorf("the one who approved: got %v, want a conflict", err)
	}
	w.now = w.now.Add(snapshot.PatientListLife)
	if err := w.do("grace", draw); problem.From(err).Kind != problem.Conflict {
		t.Errorf("after the approval lapsed: got %v, want a conflict", err)
	}
	w.now = w.now.Add(-time.Hour)
	if err := w.do("grace", draw); err != nil {
		t.Errorf("the one who asked, in time: %v", err)
	}
}
