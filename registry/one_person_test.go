package registry_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// withoutPasskey has the person act through a session in which no passkey was touched.
func withoutPasskey(w *world, who id.Person) {
	signIn(who)(w)
	w.now = w.now.Add(6 * time.Minute)
}

// What stopped a vendor is not taken back with a cookie alone.
func TestWhatReopensAVendorNeedsAPasskey(t *testing.T) {
	w := demoWorld(t)
	w.now = noon.Add(time.Hour)
	w.must("ada", profile2)
	w.must("ada", registry.OpenIncident{ID: "i1", Title: "Notebook in a public repository", Vendor: "northwind"})
	reopened := func() int {
		return len(diligence.Reopened(w.view, diligence.Latest(w.view, "northwind", diligence.At(w.now)), diligence.At(w.now)))
	}
	if reopened() == 0 {
		t.Fatal("an incident does not stop the vendor")
	}
	withoutPasskey(w, "grace")
	for what, a := range map[string]registry.Act{
		"the incident is of nobody": registry.AmendIncidentFacts{ID: "i1", Title: "Notebook in a public repository"},
		"a smaller profile":         profile2,
		"a finding is mended":       registry.SettleFinding{ID: "f1", Settled: snapshot.SettledMended},
		"better answers":            registry.CloseQuestionnaire{ID: "q1"},
	} {
		if err := w.do("grace", a); !refusedBy(err, "step-up") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	w.must("ada", registry.AmendIncidentFacts{ID: "i1", Title: "Notebook in a public repository"}) // by her certificate
	if reopened() != 0 {
		t.Error("it stops the vendor still")
	}
}

// Whom an incident is about does not take themselves out of it, to judge it then.
func TestNobodyAmendsTheFactsAboutThemselves(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.OpenIncident{ID: "i1", Title: "Records looked at without need", About: []snapshot.Subject{{Noun: snapshot.NounPerson, ID: "grace"}}})
	facts := registry.AmendIncidentFacts{ID: "i1", Title: "Records looked at without need"}
	if err := w.do("grace", facts); !refusedBy(err, "separation-of-duties") {
		t.Errorf("got %v", err)
	}
	w.must("eve", facts)
}

// Whoever writes down a vendor's answer, or asked for the vendor, gives it no score, and
// does not put the scores into force.
func TestNobodyScoresTheirOwnAnswers(t *testing.T) {
	w := demoWorld(t)
	sent()(w)
	w.must("grace", registry.AnswerQuestion{ID: "q2", Question: "GOV-01", Value: "A. Example"})
	w.answerAll("q2")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
	score := registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01", Score: 3, Note: "seen"}}}
	for _, who := range []id.Person{"grace", "ada"} { // who answered; who asked for the vendor
		if err := w.do(who, score); !refusedBy(err, "separation-of-duties") {
			t.Errorf("%s scores: got %v", who, err)
		}
	}
	w.scoreAll("q2", 2, nil)
	if err := w.do("ada", registry.CloseQuestionnaire{ID: "q2"}); !refusedBy(err, "separation-of-duties") {
		t.Errorf("who asked for the vendor closes: got %v", err)
	}
	w.must("grace", registry.CloseQuestionnaire{ID: "q2"})
}

// Who sent the link by which a vendor answers has had its secret, and could have answered.
func TestWhoSentALinkScoresNothingThatCameByIt(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", profile2)
	w.must("eve", questions2)
	if err := w.as(registry.Actor{Link: id.Link(w.last)}, answer2); err != nil {
		t.Fatal(err)
	}
	w.answerAll("q2")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q2"})
	score := registry.ScoreAnswers{ID: "q2", Scores: []registry.AnswerScore{{Question: "GOV-01", Score: 3, Note: "seen"}}}
	if err := w.do("eve", score); !refusedBy(err, "separation-of-duties") {
		t.Errorf("got %v", err)
	}
	w.must("grace", score)
}

// A score opens nothing, and takes nothing back, until the questionnaire is closed, which
// is a decision.
func TestAScoreCountsFromTheClose(t *testing.T) {
	w := demoWorld(t)
	decided(map[string]int{"HIP-05": 0}, accepts2)(w)
	open := func() int {
		return len(diligence.Stand(w.view, diligence.Latest(w.view, "northwind", diligence.At(w.now)), diligence.At(w.now)).Open)
	}
	if open() != 1 {
		t.Fatal("the gap is not open")
	}
	w.must("ada", registry.SendQuestionnaire{ID: "q3", Vendor: "northwind", DueAt: w.now.AddDate(0, 0, 9), Again: []string{"HIP-05"}})
	w.answerAll("q3")
	w.must("ada", registry.SubmitQuestionnaire{ID: "q3"})
	w.scoreAll("q3", 2, nil)
	if open() != 1 {
		t.Error("a score alone closes the gap")
	}
	w.must("eve", registry.CloseQuestionnaire{ID: "q3"})
	if open() != 0 {
		t.Error("the gap is open still")
	}
}

// A fail by the answers is not talked away by a decision that rests on none.
func TestADecisionOnAnswersIsReplacedByOneOnAnswers(t *testing.T) {
	w := demoWorld(t)
	decided(map[string]int{"HIP-05": 0}, with(verdict2, func(a *registry.RecordAssessment) { a.Verdict, a.Require = snapshot.Fail, nil }))(w)
	w.now = w.now.Add(time.Hour)
	pass := registry.RecordAssessment{ID: "s4", Vendor: "northwind", Verdict: snapshot.Pass, DecidedAt: w.now, ValidUntil: w.now.AddDate(0, 6, 0)}
	isProblem(t, "a pass on nothing", w.do("eve", pass), problem.Invalid, "questionnaire")
	w.must("eve", with(pass, func(a *registry.RecordAssessment) { a.Verdict = snapshot.Fail }))
	// An older fail on nothing does not open the way either.
	pass.ID = "s5"
	isProblem(t, "a pass after a fail on nothing", w.do("eve", pass), problem.Invalid, "questionnaire")
}

// A person who sent a link has had its secret: what was attested by it, another accepts.
func TestWhoSentALinkDoesNotAcceptWhatCameByIt(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", registry.BeginOffboarding{ID: "bye", Vendor: "northwind", Cause: snapshot.WorkDone, DueAt: w.now.AddDate(0, 0, 30)})
	w.must("grace", registry.IssueLink{ID: "l1", Vendor: "northwind", For: snapshot.LinkAttestation, About: snapshot.Subject{Noun: snapshot.NounOffboarding, ID: "bye"},
		Contact: "privacy@northwind.example", Secret256: strings.Repeat("1a", 32), ExpiresAt: w.now.AddDate(0, 0, 30)})
	if err := w.as(registry.Actor{Link: "l1"}, registry.AttestDisposition{ID: "bye", Form: snapshot.VendorBackups, Outcome: snapshot.Infeasible, Items: "backups", Why: "by date alone",
		Protections: "encrypted", ReviewAt: w.now.AddDate(0, 3, 0), Attester: "T. Example, privacy officer"}); err != nil {
		t.Fatal(err)
	}
	accept := registry.AcceptDisposition{ID: "bye", Form: snapshot.VendorBackups}
	if err := w.do("grace", accept); !refusedBy(err, "separation-of-duties") {
		t.Errorf("got %v", err)
	}
	w.must("eve", accept)
}

// After the grace a review keeps nothing, whether or not the clock has been there.
func TestAReviewAfterItsGraceKeepsNothing(t *testing.T) {
	w := demoWorld(t)
	r, _ := w.view.Reviews.Get(w.review())
	w.now = r.DueAt.Add(w.view.Settings.Access.ReviewGrace)
	for _, a := range []registry.CompleteReview{{ID: r.ID, Outcome: snapshot.Keep}, {ID: r.ID, Outcome: snapshot.CutDown, MaxPatients: 1}} {
		if err := w.do("eve", a); problem.From(err).Kind != problem.Conflict {
			t.Errorf("%s: got %v", a.Outcome, err)
		}
	}
	w.must("eve", registry.CompleteReview{ID: r.ID, Outcome: snapshot.Revoke})
}

// A material version that is retired does not make the completions before it good again.
func TestRetiringAVersionOpensNothing(t *testing.T) {
	w := demoWorld(t)
	old := registry.ProposeCourse{ID: "c1", Course: "privacy-101", Version: "1", Title: "Privacy", Covers: course.Base, RefreshMonths: 60}
	next := old
	next.ID, next.Version, next.Material, next.GraceEnds = "c2", "2", true, noon.AddDate(0, 1, 0)
	for _, c := range []registry.ProposeCourse{old, next} {
		w.must("ada", c)
		w.must("grace", registry.ApproveCourse{ID: c.ID})
	}
	w.must("ada", registry.ProposePerson{ID: "lou", Vendor: "northwind", Name: "Lou", Classification: hipaa.BusinessAssociate, Basis: "employee", Region: "US"})
	w.must("grace", registry.RecordTraining{ID: "t1", Person: "lou", Course: "privacy-101", Version: "1", Score: 1, Passed: true, CompletedAt: noon, ExpiresAt: year})
	current := func() bool {
		p, _ := w.view.Persons.Get("lou")
		return course.Assess(w.view, p, nil, diligence.At(w.now)).Current(diligence.At(w.now))
	}
	if !current() {
		t.Fatal("within the grace it counts")
	}
	w.now = next.GraceEnds
	if current() {
		t.Fatal("after the grace it counts")
	}
	w.must("ada", registry.RetireCourse{ID: "c2"})
	if current() {
		t.Error("it counts again")
	}
}

// What is taken off an answer stays stored, so a vendor cannot attach without end.
func TestAttachingAndTakingOffHasAnEnd(t *testing.T) {
	w := demoWorld(t)
	sent()(w)
	attached := 0
	for i := range 1000 {
		a := registry.NewEvidence("q2", "GOV-01", "text/plain", []byte(fmt.Sprintf("file %d", i)))
		if err := w.do("ada", a); err != nil {
			if p := problem.From(err); p.Kind != problem.Conflict || p.Field != "id" {
				t.Errorf("got %v", err)
			}
			break
		}
		attached++
		w.must("ada", registry.DropEvidence{ID: "q2", Question: "GOV-01", Digest: a.Digest})
	}
	if attached != 160 {
		t.Errorf("%d files were attached", attached)
	}
}

// A request gives no access that a grant of the same work could not.
func TestARequestIsNoWayAroundWhatBlocksOnboarding(t *testing.T) {
	w := accessWorld(t)
	w.must("ada", ask2)
	g, _ := w.view.Agreements.Get("northwind-baa")
	for _, term := range slices.Sorted(maps.Keys(g.Terms)) {
		less := *g
		less.Terms = maps.Clone(g.Terms)
		delete(less.Terms, term)
		if len(agreement.Blocks(&less)) == 0 {
			continue
		}
		e := w.view.Edit()
		e.Put(&less)
		w.view = e.Publish(w.view.Version()+1, 0, w.now)
		if err := w.do("grace", registry.ApproveRequest{ID: "q2"}); problem.From(err).Kind != problem.Conflict || !strings.Contains(err.Error(), "lacks terms") {
			t.Errorf("without %s: got %v", term, err)
		}
		return
	}
	t.Fatal("no term blocks onboarding")
}
