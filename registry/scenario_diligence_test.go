package registry_test

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var (
	link2 = registry.IssueLink{ID: "l2", Vendor: "northwind", For: snapshot.LinkIncident, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"},
		Contact: "security@northwind.example", Secret256: strings.Repeat("1a", 32), ExpiresAt: noon.Add(30 * 24 * time.Hour)}
	profile2 = registry.ProfileVendor{ID: "northwind", Services: []string{"evaluation of triage models"}, Purposes: []hipaa.Purpose{hipaa.Evaluation},
		DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US-MA"}, Staff: 4, Patients: 400, Keeps: snapshot.KeepsSession}
	questions2 = registry.SendQuestionnaire{ID: "q2", Vendor: "northwind", DueAt: noon.AddDate(0, 0, 30), Contact: "privacy@northwind.example",
		Secret256: strings.Repeat("4d", 32), ExpiresAt: noon.AddDate(0, 0, 30)}
	answer2  = registry.AnswerQuestion{ID: "q2", Question: "GOV-01", Value: "A. Example, for two years"}
	file2    = registry.NewEvidence("q2", "GOV-01", "application/pdf", []byte("%PDF-1.7 designation letter"))
	finding2 = registry.RaiseFinding{ID: "f2", Kind: "diligence", About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"}, Title: "The report has no auditor's name"}
	verdict2 = registry.RecordAssessment{ID: "s3", Vendor: "northwind", Verdict: snapshot.Conditional, DecidedAt: noon, ValidUntil: noon.AddDate(0, 6, 0), Questionnaire: "q2",
		Require: []registry.RequireCondition{{Text: "A penetration test of the new region", Owner: "ada", DueAt: noon.AddDate(0, 1, 0)}}}
	risk2 = registry.AcceptRisk{ID: "s3", For: "HIP-05", Owner: "ada", Why: "no production data until the contract is mended", Until: noon.AddDate(0, 3, 0)}
)

// sent leads to a questionnaire that is with northwind.
func sent(acts ...registry.Act) func(*world) {
	return func(w *world) {
		w.must("ada", profile2)
		w.must("ada", questions2)
		for _, a := range acts {
			w.must("ada", a)
		}
	}
}

// answerAll answers what is asked and has no answer, as Ada.
func (w *world) answerAll(key id.Questionnaire) {
	w.t.Helper()
	q, _ := w.view.Questionnaires.Get(key)
	for _, x := range q.Asked {
		question, _ := hipaa.LookupQuestion(x)
		value := "We do, and show it."
		if o := question.Options(); o != nil {
			value = o[0]
		}
		if q.Answers[x].Value == "" {
			w.must("ada", registry.AnswerQuestion{ID: key, Question: x, Value: value})
		}
	}
}

// scoreAll gives every answer without a score the same, but for what is named.
func (w *world) scoreAll(key id.Questionnaire, score int, but map[string]int) {
	w.t.Helper()
	q, _ := w.view.Questionnaires.Get(key)
	a := registry.ScoreAnswers{ID: key}
	for x, y := range q.Answers {
		if !y.ScoredAt.IsZero() {
			continue
		}
		s, named := but[x]
		if !named {
			s = score
		}
		a.Scores = append(a.Scores, registry.AnswerScore{Question: x, Score: s, Note: "seen"})
	}
	w.must("eve", a)
}

// submitted leads to a questionnaire that is answered and handed in, and with scores
// to one that is scored too, by Eve.
func handedIn(but map[string]int) func(*world) {
	return func(w *world) {
		sent()(w)
		w.answerAll("q2")
		w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
		if but != nil {
			w.scoreAll("q2", 2, but)
		}
	}
}

// decided leads to a decision on it, by Uma.
func decided(but map[string]int, a registry.RecordAssessment) func(*world) {
	return func(w *world) {
		w.must("ada", registry.ProposePerson{ID: "uma", Name: "Uma", Classification: hipaa.Workforce, Basis: "employee", Duties: []registry.Duty{registry.SecurityOfficer}})
		w.must("grace", registry.ApprovePerson{ID: "uma"})
		handedIn(but)(w)
		w.must("uma", a)
	}
}

var accepts2 = with(verdict2, func(a *registry.RecordAssessment) {
	a.Accept = []registry.ProposedRisk{{For: "HIP-05", Owner: "ada", Why: "pilot", Until: noon.AddDate(0, 1, 0)}}
})

// diligenceScenarios are those of acts_diligence.go.
var diligenceScenarios = map[registry.Kind]scenario{
	"vendor.profile": {allowed: act(profile2), refused: []refusal{
		gone(with(profile2, func(a *registry.ProfileVendor) { a.ID = "v9" })),
		bad("services", with(profile2, func(a *registry.ProfileVendor) { a.Services = nil })),
		bad("data_classes", with(profile2, func(a *registry.ProfileVendor) { a.DataClasses = nil })),
		bad("data_classes[0]", with(profile2, func(a *registry.ProfileVendor) { a.DataClasses = []hipaa.DataClass{"fi"} })),
		bad("locations[0]", with(profile2, func(a *registry.ProfileVendor) { a.Locations = []string{"Boston"} })),
		bad("staff_with_access", with(profile2, func(a *registry.ProfileVendor) { a.Staff = 0 })),
		bad("patients", with(profile2, func(a *registry.ProfileVendor) { a.Patients = -1 })),
		bad("keeps", with(profile2, func(a *registry.ProfileVendor) { a.Keeps = "" }))}},
	"link.issue": {before: by("ada", with(link2, func(a *registry.IssueLink) { a.ID, a.Secret256 = "l1", strings.Repeat("2b", 32) })),
		allowed: act(link2), refused: []refusal{
			bad("for", with(link2, func(a *registry.IssueLink) { a.For = "anything" })),
			bad("about.noun", with(link2, func(a *registry.IssueLink) { a.For = snapshot.LinkQuestionnaire })),
			bad("about.id", with(link2, func(a *registry.IssueLink) { a.About.ID = "v9" })),
			bad("secret_sha256", with(link2, func(a *registry.IssueLink) { a.Secret256 = "secret" })),
			bad("contact", with(link2, func(a *registry.IssueLink) { a.Contact = "" })),
			bad("expires_at", with(link2, func(a *registry.IssueLink) { a.ExpiresAt = noon.AddDate(2, 0, 0) })),
			bad("expires_at", with(link2, func(a *registry.IssueLink) { a.ExpiresAt = noon })),
			{act(with(link2, func(a *registry.IssueLink) { a.Secret256 = strings.Repeat("2b", 32) })), "secret_sha256", problem.Conflict}}},
	"link.revoke": {before: by("ada", link2), allowed: act(registry.RevokeLink{ID: "l2"}), refused: []refusal{gone(registry.RevokeLink{ID: "l9"})}},

	"questionnaire.send": {before: by("ada", profile2), allowed: act(questions2), refused: []refusal{
		bad("vendor", with(questions2, func(a *registry.SendQuestionnaire) { a.Vendor = "v9" })),
		bad("due_at", with(questions2, func(a *registry.SendQuestionnaire) { a.DueAt = noon })),
		bad("data_classes", with(questions2, func(a *registry.SendQuestionnaire) { a.DataClasses = []hipaa.DataClass{hipaa.DeIdentified} })),
		bad("again[0]", with(questions2, func(a *registry.SendQuestionnaire) { a.Again = []string{"GOV-99"} })),
		bad("secret_sha256", with(questions2, func(a *registry.SendQuestionnaire) { a.Secret256 = "" })),
		bad("expires_at", with(questions2, func(a *registry.SendQuestionnaire) { a.ExpiresAt = noon.AddDate(0, 6, 0) }))},
		then: func(v *snapshot.View) string {
			q, _ := v.Questionnaires.Get("q2")
			l, ok := v.LinkBySecret(questions2.Secret256)
			return want(len(q.Asked) == 64 && ok && l.About.ID == "q2" && l.For == snapshot.LinkQuestionnaire, "the questions or the link are wrong")
		}},
	"questionnaire.answer": {before: sent(), allowed: act(answer2), refused: []refusal{
		gone(with(answer2, func(a *registry.AnswerQuestion) { a.ID = "q9" })),
		bad("question", with(answer2, func(a *registry.AnswerQuestion) { a.Question = "GOV-99" })),
		bad("value", with(answer2, func(a *registry.AnswerQuestion) { a.Value = " " })),
		bad("value", with(answer2, func(a *registry.AnswerQuestion) { a.Question = "HIP-05" })),
		bad("value", with(answer2, func(a *registry.AnswerQuestion) { a.Value = strings.Repeat("x", 4001) })),
		bad("detail", with(answer2, func(a *registry.AnswerQuestion) { a.Detail = "\x00" }))}},
	"questionnaire.delegate": {before: sent(), allowed: act(registry.DelegateQuestions{ID: "q2", Questions: []string{"GOV-01", "HIP-01"}, To: "lin"}), refused: []refusal{
		bad("questions", registry.DelegateQuestions{ID: "q2", To: "lin"}), bad("to", registry.DelegateQuestions{ID: "q2", Questions: []string{"GOV-01"}, To: "ada"}),
		bad("questions[0]", registry.DelegateQuestions{ID: "q2", Questions: []string{"X"}, To: "lin"}), gone(registry.DelegateQuestions{ID: "q9", Questions: []string{"GOV-01"}})}},
	"questionnaire.attach": {before: sent(answer2), allowed: act(file2), refused: []refusal{
		gone(with(file2, func(a *registry.AttachEvidence) { a.ID = "q9" })),
		bad("question", with(file2, func(a *registry.AttachEvidence) { a.Question = "GOV-99" })),
		bad("media_type", with(file2, func(a *registry.AttachEvidence) { a.MediaType = "text/html" })),
		bad("content", registry.NewEvidence("q2", "GOV-01", "application/pdf", []byte("MZ not a PDF"))),
		bad("content", registry.NewEvidence("q2", "GOV-01", "text/plain", make([]byte, registry.MaxEvidence+1))),
		bad("content", registry.NewEvidence("q2", "GOV-01", "text/plain", []byte("a\x00b"))),
		bad("sha256", with(file2, func(a *registry.AttachEvidence) { a.Digest = strings.Repeat("0", 64) })),
		bad("size", with(file2, func(a *registry.AttachEvidence) { a.Size = 1 }))}},
	"questionnaire.drop": {before: sent(answer2, file2), allowed: act(registry.DropEvidence{ID: "q2", Question: "GOV-01", Digest: file2.Digest}), refused: []refusal{
		bad("sha256", registry.DropEvidence{ID: "q2", Question: "GOV-01", Digest: strings.Repeat("0", 64)})}},
	"questionnaire.import": {before: sent(answer2), allowed: act(registry.ImportClaims{ID: "q2", From: "caiq", Source: strings.Repeat("ab", 32), Claims: []registry.Claim{{Question: "GOV-03", Value: "Yes"}}}), refused: []refusal{
		bad("from", registry.ImportClaims{ID: "q2", From: "sig", Source: strings.Repeat("ab", 32), Claims: []registry.Claim{{Question: "GOV-03", Value: "Yes"}}}),
		bad("source_sha256", registry.ImportClaims{ID: "q2", From: "caiq", Claims: []registry.Claim{{Question: "GOV-03", Value: "Yes"}}}),
		bad("claims", registry.ImportClaims{ID: "q2", From: "caiq", Source: strings.Repeat("ab", 32)}),
		{act(registry.ImportClaims{ID: "q2", From: "caiq", Source: strings.Repeat("ab", 32), Claims: []registry.Claim{{Question: "GOV-01", Value: "Yes"}}}), "claims[0].question", problem.Conflict}}},
	"questionnaire.submit": {before: func(w *world) { sent()(w); w.answerAll("q2") }, allowed: act(registry.SubmitQuestionnaire{ID: "q2"}), refused: []refusal{gone(registry.SubmitQuestionnaire{ID: "q9"})}},
	"questionnaire.return": {before: handedIn(nil), allowed: act(registry.ReturnQuestionnaire{ID: "q2", DueAt: noon.AddDate(0, 0, 10)}), refused: []refusal{
		bad("due_at", registry.ReturnQuestionnaire{ID: "q2", DueAt: noon}), gone(registry.ReturnQuestionnaire{ID: "q9", DueAt: year})}},
	"questionnaire.score-answers": {before: handedIn(nil), allowed: act(registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01", Score: 2, Note: "letter read"}}}), refused: []refusal{
		bad("scores", registry.ScoreAnswers{ID: "q2"}),
		bad("scores[0].question", registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-99"}}}),
		bad("scores[0].score", registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01", Score: 4}}}),
		bad("scores[0].note", registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01", Score: 2}}})}},
	"questionnaire.close": {before: handedIn(map[string]int{}), allowed: act(registry.CloseQuestionnaire{ID: "q2"}), refused: []refusal{gone(registry.CloseQuestionnaire{ID: "q9"})},
		then: func(v *snapshot.View) string {
			_, open := v.LinkBySecret(questions2.Secret256)
			return want(!open, "its link opens still")
		}},
	"questionnaire.withdraw": {before: sent(), allowed: act(registry.WithdrawQuestionnaire{ID: "q2"}), refused: []refusal{gone(registry.WithdrawQuestionnaire{ID: "q9"})},
		then: func(v *snapshot.View) string {
			_, open := v.LinkBySecret(questions2.Secret256)
			return want(!open, "its link opens still")
		}},

	"assessment.accept-risk": {before: decided(map[string]int{"HIP-05": 0}, accepts2), allowed: act(risk2), refused: []refusal{
		gone(with(risk2, func(a *registry.AcceptRisk) { a.ID = "s9" })),
		bad("for", with(risk2, func(a *registry.AcceptRisk) { a.For = "nothing" })),
		bad("owner", with(risk2, func(a *registry.AcceptRisk) { a.Owner = "lin" })),
		bad("why", with(risk2, func(a *registry.AcceptRisk) { a.Why = "" })),
		bad("until", with(risk2, func(a *registry.AcceptRisk) { a.Until = noon })),
		bad("until", with(risk2, func(a *registry.AcceptRisk) { a.Until = noon.Add(registry.MaxRiskAcceptance + time.Second) }))}},
	"assessment.meet-condition": {before: decided(map[string]int{}, verdict2), allowed: act(registry.MeetCondition{ID: "s3", Condition: "c1"}), refused: []refusal{
		gone(registry.MeetCondition{ID: "s9", Condition: "c1"}), bad("condition", registry.MeetCondition{ID: "s3", Condition: "c2"})}},
	"assessment.reopen": {before: decided(map[string]int{}, verdict2), allowed: act(registry.ReopenAssessment{ID: "s3", For: "change-at-vendor"}), refused: []refusal{
		gone(registry.ReopenAssessment{ID: "s9", For: "other"}), bad("for", registry.ReopenAssessment{ID: "s3", For: "because"})}},

	"finding.raise": {allowed: act(finding2), refused: []refusal{
		bad("kind", with(finding2, func(a *registry.RaiseFinding) { a.Kind = "thing" })), bad("title", with(finding2, func(a *registry.RaiseFinding) { a.Title = "" })),
		bad("about", with(finding2, func(a *registry.RaiseFinding) { a.About.ID = "v9" })), bad("vendor", with(finding2, func(a *registry.RaiseFinding) { a.Vendor = "v9" }))}},
	"finding.settle": {before: by("ada", finding2), allowed: act(registry.SettleFinding{ID: "f2", Settled: snapshot.SettledMended}), refused: []refusal{
		gone(registry.SettleFinding{ID: "f9", Settled: snapshot.SettledMended}), bad("settled", registry.SettleFinding{ID: "f2", Settled: snapshot.SettledAccepted}),
		bad("incident", registry.SettleFinding{ID: "f2", Settled: snapshot.SettledEscalated})}},
	"finding.accept": {before: by("ada", finding2), allowed: act(registry.AcceptFinding{ID: "f2"}), refused: []refusal{gone(registry.AcceptFinding{ID: "f9"})}},
}
