package registry_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// isProblem checks an error's kind and field.
func isProblem(t *testing.T, what string, err error, kind problem.Kind, field string) {
	t.Helper()
	if p := problem.From(err); err == nil || p.Kind != kind || p.Field != field || p.NextStep == "" {
		t.Errorf("%s: got %s of %q (%v), want %s of %q", what, p.Kind, p.Field, err, kind, field)
	}
}

// A verdict is no better than what the scores come to, unless each gap is named and
// another person then accepts it.
func TestAVerdictIsNoBetterThanTheScores(t *testing.T) {
	pass := with(verdict2, func(a *registry.RecordAssessment) { a.Verdict, a.Require = snapshot.Pass, nil })
	fail := with(pass, func(a *registry.RecordAssessment) { a.Verdict = snapshot.Fail })
	for name, c := range map[string]struct {
		but   map[string]int
		score int
		act   registry.RecordAssessment
		field string // empty: recorded
	}{
		"a pass on all that was shown":            {nil, 3, pass, ""},
		"worse than the scores":                   {nil, 3, fail, ""},
		"a pass on what is conditional":           {nil, 2, pass, "verdict"},
		"conditional on what is conditional":      {nil, 2, verdict2, ""},
		"conditional, and no condition":           {nil, 2, with(verdict2, func(a *registry.RecordAssessment) { a.Require = nil }), "require"},
		"a pass on a fail":                        {map[string]int{"HIP-05": 0}, 3, pass, "verdict"},
		"conditional on a fail":                   {map[string]int{"HIP-05": 0}, 3, verdict2, "accept"},
		"conditional, and its gap named":          {map[string]int{"HIP-05": 0}, 3, accepts2, ""},
		"conditional, and one of two gaps named":  {map[string]int{"HIP-05": 0, "DAT-01": 0}, 3, accepts2, "accept"},
		"a pass that accepts a risk":              {nil, 3, with(pass, func(a *registry.RecordAssessment) { a.Accept = accepts2.Accept }), "verdict"},
		"for longer than the vendor's risk bears": {nil, 3, with(pass, func(a *registry.RecordAssessment) { a.ValidUntil = noon.AddDate(3, 0, 0) }), "valid_until"},
		"decided before the answers were":         {nil, 3, with(pass, func(a *registry.RecordAssessment) { a.DecidedAt = noon.Add(-time.Hour) }), "decided_at"},
		"a risk accepted for a year": {map[string]int{"HIP-05": 0}, 3, with(accepts2, func(a *registry.RecordAssessment) {
			a.Accept = []registry.ProposedRisk{{For: "HIP-05", Owner: "ada", Why: "w", Until: year}}
		}), "accept[0].until"},
		"relying on what is no certification of theirs": {nil, 3, with(pass, func(a *registry.RecordAssessment) { a.ReliesOn = []id.Certification{"c9"} }), "relies_on[0]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := demoWorld(t)
			handedIn(nil)(w)
			w.scoreAll("q2", c.score, c.but)
			err := w.do("eve", c.act)
			if c.field != "" {
				isProblem(t, name, err, problem.Invalid, c.field)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			a, _ := w.view.Assessments.Get("s3")
			q, _ := w.view.Questionnaires.Get("q2")
			if a.Basis == nil || a.Basis.Questionnaire != "q2" || a.Basis.Risk != "low" || q.Stage != snapshot.QuestionsClosed {
				t.Errorf("got %+v; the questionnaire is %s", a.Basis, q.Stage)
			}
		})
	}
}

// What must be there before a decision can rest on a questionnaire.
func TestADecisionWaitsForItsQuestionnaire(t *testing.T) {
	w := demoWorld(t)
	isProblem(t, "before the profile", w.do("ada", questions2), problem.Conflict, "vendor")
	sent()(w)
	isProblem(t, "a second one", w.do("ada", with(questions2, func(a *registry.SendQuestionnaire) { a.ID, a.Secret256 = "q3", strings.Repeat("5e", 32) })), problem.Conflict, "vendor")
	isProblem(t, "still with the vendor", w.do("eve", verdict2), problem.Conflict, "questionnaire")
	isProblem(t, "handed in half", w.do("ada", registry.SubmitQuestionnaire{ID: "q2"}), problem.Conflict, "id")
	isProblem(t, "scored too early", w.do("eve", registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01"}}}), problem.Conflict, "id")
	w.answerAll("q2")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
	isProblem(t, "answered after it was handed in", w.do("ada", answer2), problem.Conflict, "id")
	isProblem(t, "not scored", w.do("eve", verdict2), problem.Conflict, "questionnaire")
	isProblem(t, "closed without scores", w.do("eve", registry.CloseQuestionnaire{ID: "q2"}), problem.Conflict, "id")
	w.scoreAll("q2", 2, nil)

	// Returned, an answer that changes loses its score.
	w.must("eve", registry.ReturnQuestionnaire{ID: "q2", DueAt: noon.AddDate(0, 0, 9)})
	w.must("ada", answer2)
	w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
	isProblem(t, "one is not scored any more", w.do("eve", verdict2), problem.Conflict, "questionnaire")
	w.scoreAll("q2", 2, nil)
	w.must("eve", verdict2)
	isProblem(t, "withdrawn after the decision", w.do("eve", registry.WithdrawQuestionnaire{ID: "q2"}), problem.Conflict, "id")
	isProblem(t, "a second decision on it", w.do("eve", with(verdict2, func(a *registry.RecordAssessment) { a.ID = "s4" })), problem.Conflict, "questionnaire")
}

// A claim is never evidence, and a high score needs something that was seen.
func TestWhatAScoreNeeds(t *testing.T) {
	w := demoWorld(t)
	sent(registry.ImportClaims{ID: "q2", From: diligence.HECVAT, Source: strings.Repeat("ab", 32), Claims: []registry.Claim{{Question: "GOV-01", Value: "HECVAT HIPA-06: Yes"}}})(w)
	q, _ := w.view.Questionnaires.Get("q2")
	if a := q.Answers["GOV-01"]; a.Imported != "hecvat" || !a.ScoredAt.IsZero() || len(a.Evidence) != 0 {
		t.Fatalf("got %+v", a)
	}
	w.answerAll("q2")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
	score := func(n int, note string) error {
		return w.do("eve", registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01", Score: n, Note: note}}})
	}
	isProblem(t, "a claim, with a note", score(2, "they say so"), problem.Invalid, "scores[0].score")
	if err := score(1, ""); err != nil {
		t.Error(err)
	}
	w.must("eve", registry.ReturnQuestionnaire{ID: "q2", DueAt: noon.AddDate(0, 0, 9)})
	w.must("ada", file2)
	w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
	if err := score(3, ""); err != nil {
		t.Errorf("with a file: %v", err)
	}
	// The vendor's own word takes the claim's place.
	w.must("eve", registry.ReturnQuestionnaire{ID: "q2", DueAt: noon.AddDate(0, 0, 9)})
	w.must("ada", answer2)
	q, _ = w.view.Questionnaires.Get("q2")
	if a := q.Answers["GOV-01"]; a.Imported != "" || !a.ScoredAt.IsZero() || len(a.Evidence) != 1 {
		t.Errorf("got %+v", a)
	}
}

// What an older version verified without asking against what is not called verified,
// and whoever tries again is told what helps.
func TestACertificationVerifiedAgainstNothingIsRecordedAnew(t *testing.T) {
	w := demoWorld(t)
	c, _ := w.view.Certifications.Get("northwind-soc2")
	old := *c
	old.VerifiedAgainst = ""
	e := w.view.Edit()
	e.Put(&old)
	w.view = e.Publish(w.view.Version()+1, w.view.LogIndex()+1, w.now)
	err := w.do("grace", registry.VerifyCertification{ID: "northwind-soc2", How: "report-read", Against: "sections 1 to 4"})
	if p := problem.From(err); p.Kind != problem.Conflict || !strings.Contains(p.NextStep, "certification record") {
		t.Errorf("got %v", err)
	}
}

// A risk that a decision proposes to accept is open until a second person accepts it,
// whatever it is about: the recorder alone would otherwise have accepted it.
func TestARiskOfAFindingWaitsForASecondPerson(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", finding2)
	w.must("eve", registry.RecordAssessment{ID: "s3", Vendor: "northwind", Verdict: snapshot.Conditional, DecidedAt: noon, ValidUntil: year,
		Accept: []registry.ProposedRisk{{For: "f2", Owner: "ada", Why: "The auditor is known", Until: noon.AddDate(0, 1, 0)}}})
	stand := func() diligence.Standing {
		return diligence.Stand(w.view, diligence.Latest(w.view, "northwind", diligence.At(w.now)), diligence.At(w.now))
	}
	if s := stand(); !slices.Equal(s.Open, []string{"f2"}) {
		t.Errorf("by its recorder alone: %+v", s)
	}
	w.must("grace", registry.AcceptRisk{ID: "s3", For: "f2", Owner: "ada", Why: "The auditor is known", Until: noon.AddDate(0, 1, 0)})
	if s := stand(); len(s.Open) != 0 || !s.AcceptancesUntil.Equal(noon.AddDate(0, 1, 0)) {
		t.Errorf("accepted: %+v", s)
	}
}

// Two years of a vendor, in steps: what goes stale is asked again alone, and the gate's
// reading follows the records with nobody running anything.
func TestADecisionThroughTime(t *testing.T) {
	w := demoWorld(t)
	decided(map[string]int{"HIP-05": 0}, accepts2)(w)
	stand := func() diligence.Standing {
		a := diligence.Latest(w.view, "northwind", diligence.At(w.now))
		if a == nil || a.ID != "s3" {
			t.Fatalf("the latest is %+v", a)
		}
		return diligence.Stand(w.view, a, diligence.At(w.now))
	}
	if s := stand(); !slices.Equal(s.Open, []string{"HIP-05"}) || len(s.Accepted) != 0 {
		t.Errorf("before anybody accepted: %+v", s)
	}
	if err := w.do("uma", risk2); !refusedBy(err, "separation-of-duties") {
		t.Errorf("by its recorder: %v", err)
	}
	w.must("grace", risk2)
	s := stand()
	if len(s.Open) != 0 || !slices.Equal(s.Accepted, []string{"HIP-05"}) || !s.AcceptancesUntil.Equal(risk2.Until) || !slices.Equal(s.OpenConditions, []string{"c1"}) ||
		s.StaleFirst != "PPL-01" || !s.AnswersUntil.Equal(noon.AddDate(0, 0, 30)) || len(s.Reopened) != 0 {
		t.Errorf("accepted: %+v", s)
	}
	w.must("grace", registry.MeetCondition{ID: "s3", Condition: "c1"})
	if s := stand(); len(s.OpenConditions) != 0 || !s.ConditionsUntil.IsZero() {
		t.Errorf("met: %+v", s)
	}

	// A month later one answer is asked again, by accounts alone.
	w.now = noon.AddDate(0, 0, 29)
	isProblem(t, "nothing to ask", w.do("ada", registry.SendQuestionnaire{ID: "q3", Vendor: "northwind", DueAt: w.now.AddDate(0, 0, 9)}), problem.Conflict, "vendor")
	w.now = noon.AddDate(0, 0, 31)
	w.must("ada", registry.SendQuestionnaire{ID: "q3", Vendor: "northwind", DueAt: w.now.AddDate(0, 0, 9)})
	q, _ := w.view.Questionnaires.Get("q3")
	if !slices.Equal(q.Asked, []string{"PPL-01"}) || q.Answers["GOV-01"].Carried != "q2" || len(q.Answers) != 63 {
		t.Fatalf("asked %v, carried %d", q.Asked, len(q.Answers))
	}
	isProblem(t, "what is carried over", w.do("ada", registry.AnswerQuestion{ID: "q3", Question: "GOV-01", Value: "x"}), problem.Conflict, "question")
	w.answerAll("q3")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q3"})
	w.scoreAll("q3", 2, nil)
	w.must("eve", registry.CloseQuestionnaire{ID: "q3"})
	if s := stand(); s.StaleFirst != "PPL-01" || !s.AnswersUntil.Equal(w.now.AddDate(0, 0, 30)) {
		t.Errorf("renewed: %s until %v", s.StaleFirst, s.AnswersUntil)
	}

	// A better answer closes the gap, and the acceptance is not needed any more.
	w.must("ada", registry.SendQuestionnaire{ID: "q4", Vendor: "northwind", DueAt: w.now.AddDate(0, 0, 9), Again: []string{"HIP-05"}})
	w.answerAll("q4")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q4"})
	w.scoreAll("q4", 2, nil)
	w.must("eve", registry.CloseQuestionnaire{ID: "q4"})
	if s := stand(); len(s.Accepted)+len(s.Open) != 0 {
		t.Errorf("the gap is closed: %+v", s)
	}

	// A subcontractor of theirs takes one on itself.
	w.must("ada", vendor2)
	w.must("ada", registry.AmendVendor{ID: "northwind", Name: "Northwind AI", Subcontractors: []id.Vendor{"v2"}, RequiredCertifications: []string{"SOC2_T2"}})
	if s := stand(); !slices.Equal(s.Reopened, []diligence.Reopening{{Cause: diligence.BySubcontractor, About: "v2"}, {Cause: diligence.ByRisk, About: "moderate"}}) {
		t.Errorf("a subcontractor more: %+v", s.Reopened)
	}
}

// Whoever holds a link, or is a vendor's person, reaches that vendor's questionnaire and
// no other, whatever act of the vendor's side they try.
func TestNobodyReachesAnothersQuestionnaire(t *testing.T) {
	w := connectedWorld(t) // mia is of v2
	sent()(w)
	w.must("ada", with(profile2, func(a *registry.ProfileVendor) { a.ID = "v2" }))
	w.must("ada", with(questions2, func(a *registry.SendQuestionnaire) {
		a.ID, a.Vendor, a.Secret256 = "q3", "v2", strings.Repeat("6f", 32)
	}))
	w.must("ada", with(link2, func(a *registry.IssueLink) { a.ID = "l-incident" }))
	q2, _ := w.view.LinkBySecret(questions2.Secret256)
	q3, _ := w.view.LinkBySecret(strings.Repeat("6f", 32))
	theirs := map[id.Questionnaire][]registry.Actor{
		"q2": {{Person: "lin"}, {Link: q2.ID}},
		"q3": {{Person: "mia"}, {Link: q3.ID}},
	}
	actors := []registry.Actor{{Person: "lin"}, {Person: "mia"}, {Link: q2.ID}, {Link: q3.ID}, {Link: "l-incident"}, {Link: "none"}, {Person: "nobody"},
		{Connector: "scim2"}, {Device: "northwind-gpu-1"}, {Clock: true}, {}, {Person: "lin", Link: q3.ID}}
	before := w.view
	rapid.Check(t, func(rt *rapid.T) {
		w.view = before
		key := rapid.SampledFrom([]id.Questionnaire{"q2", "q3", "q9"}).Draw(rt, "questionnaire")
		question := rapid.SampledFrom(hipaa.Questions()).Draw(rt, "question").ID
		acts := []registry.Act{
			registry.AnswerQuestion{ID: key, Question: question, Value: rapid.SampledFrom([]string{"yes", "no", "some words"}).Draw(rt, "value")},
			registry.DelegateQuestions{ID: key, Questions: []string{question}, To: rapid.SampledFrom([]id.Person{"lin", "mia", "ada", ""}).Draw(rt, "to")},
			registry.NewEvidence(key, question, "text/plain", []byte("evidence")),
			registry.DropEvidence{ID: key, Question: question, Digest: strings.Repeat("0", 64)},
			registry.ImportClaims{ID: key, From: diligence.CAIQ, Source: strings.Repeat("ab", 32), Claims: []registry.Claim{{Question: question, Value: "yes"}}},
			registry.SubmitQuestionnaire{ID: key},
		}
		owns := []registry.Act{ // the organisation's alone
			registry.ScoreAnswers{ID: key, Scores: []registry.AnswerScore{{Question: question}}},
			registry.ReturnQuestionnaire{ID: key, DueAt: year}, registry.CloseQuestionnaire{ID: key}, registry.WithdrawQuestionnaire{ID: key},
			registry.RevokeLink{ID: q2.ID}, registry.SendQuestionnaire{Vendor: "northwind", DueAt: year}, registry.ReopenAssessment{ID: "northwind-2026", For: "other"},
			registry.IssueLink{Vendor: "northwind", For: snapshot.LinkIncident, About: link2.About, Contact: "c", Secret256: strings.Repeat("7a", 32), ExpiresAt: noon.Add(time.Hour)},
			registry.AcceptRisk{ID: "northwind-2026", For: "HIP-05", Owner: "ada", Why: "w", Until: noon.Add(time.Hour)},
		}
		actor := rapid.SampledFrom(actors).Draw(rt, "actor")
		if a := rapid.SampledFrom(owns).Draw(rt, "own"); !actor.Clock {
			if err := w.as(actor, a); problem.From(err).Kind != problem.Refused {
				rt.Fatalf("%+v did %T: %v", actor, a, err)
			}
		}
		a := rapid.SampledFrom(acts).Draw(rt, "act")
		err := w.as(actor, a)
		if slices.Contains(theirs[key], actor) {
			if problem.From(err).Kind == problem.Refused && err != nil {
				rt.Fatalf("%+v may not do %T on %s: %v", actor, a, key, err)
			}
			return
		}
		if problem.From(err).Kind != problem.Refused {
			rt.Fatalf("%+v did %T on %s: %v", actor, a, key, err)
		}
	})
	w.view = before
	// What ends the link, ends it for what it was let do.
	w.must("grace", registry.RevokeLink{ID: q2.ID})
	if err := w.as(registry.Actor{Link: q2.ID}, answer2); problem.From(err).Kind != problem.Refused {
		t.Errorf("by a revoked link: %v", err)
	}
	w.now = q3.ExpiresAt
	if err := w.as(registry.Actor{Link: q3.ID}, registry.AnswerQuestion{ID: "q3", Question: "GOV-01", Value: "x"}); problem.From(err).Kind != problem.Refused {
		t.Errorf("by an expired link: %v", err)
	}
}

// A file comes with the act that attaches it, is stored sealed, and is not in the act.
func TestEvidenceIsStored(t *testing.T) {
	r, _, _ := ready(t)
	at := time.Now()
	must(t, r, "ada", profile2)
	must(t, r, "ada", with(questions2, func(a *registry.SendQuestionnaire) { a.DueAt, a.ExpiresAt = at.AddDate(0, 0, 9), at.AddDate(0, 0, 9) }))
	l, err := registry.OpenLink(r.View(), questions2.Secret256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Do(t.Context(), registry.Actor{Link: l.ID}, file2, registry.Meta{Reason: "evidence"}); err != nil {
		t.Fatal(err)
	}
	d, err := r.Document(t.Context(), file2.Digest)
	if err != nil || string(d.Content) != string(file2.Content) || d.MediaType != "application/pdf" {
		t.Errorf("got %+v, %v", d, err)
	}
	entries, err := r.Acts(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	last := entries[len(entries)-1]
	if strings.Contains(string(last.Body), "content") || last.Actor != "link."+id.Person(l.ID) {
		t.Errorf("got %s by %s", last.Body, last.Actor)
	}
	q, _ := r.View().Questionnaires.Get("q2")
	if a := q.Answers["GOV-01"]; !slices.Equal(a.Evidence, []string{file2.Digest}) || a.AnsweredBy != last.Actor {
		t.Errorf("got %+v", a)
	}
}
