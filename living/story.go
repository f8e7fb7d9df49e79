package living

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// founding: the organisation takes up the product.
func (o *Organisation) founding(t *story) {
	t.events = append(t.events, event{t.end.Add(-past), "Mercy Valley Health begins", func(s *scene) {
		a := s.o.newPerson(cast[Ada])
		if s.err = a.withCertificate(); s.err != nil {
			return
		}
		// Ada made the installation, and admits the second person herself; from then on
		// nobody decides what they asked for.
		s.employ(cast[Sam], "", registry.SecurityOfficer)
		s.do(Sam, "Ada runs it and buys", registry.AmendDuties{ID: Ada, Duties: []registry.Duty{registry.Operator, registry.Procurement}})
		s.passkey(Ada, Ada)
		s.employ(cast[Grace], Sam, registry.PrivacyOfficer)
		s.employ(cast[Omar], Sam, registry.DataOwner)
		s.employ(cast[Iris], Sam, registry.Auditor)
		for i, p := range []id.Person{Ada, Grace, Sam, Omar} {
			s.trained(p, id.Training(fmt.Sprintf("%s-first", p)), 20+i, 365)
		}
	}})
}

// firm is a vendor as it is taken on.
type firm struct {
	id        id.Vendor
	name      string
	contact   string // a function's address
	does      string
	purposes  []hipaa.Purpose
	patients  int
	ceo       string
	baa       id.Agreement
	soc2Until int // days after the end of the story
}

func (f firm) key(what string) string { return string(f.id) + "-" + what }

// takeOn proposes a vendor, and sends it the questions.
func (s *scene) takeOn(f firm) {
	s.do(Ada, "they offer "+f.does,
		registry.ProposeVendor{ID: f.id, Name: f.name, Contact: f.contact, RequiredCertifications: []string{"SOC2_T2"}},
		registry.ProfileVendor{ID: f.id, Services: []string{f.does}, Purposes: f.purposes, DataClasses: []hipaa.DataClass{hipaa.PHI}, Locations: []string{"US"}, Staff: 4,
			Patients: f.patients, Keeps: snapshot.KeepsSession, AI: snapshot.VendorAI{Generative: true}})
}

// asked sends questions to a vendor, and enters the answers that came on a sheet.
// weak are those that score 1.
func (s *scene) asked(f firm, q id.Questionnaire, again []string, weak ...string) {
	s.do(Ada, "before we decide, and every month for what grows old", registry.SendQuestionnaire{ID: q, Vendor: f.id, Again: again, DueAt: s.in(14)})
	sent, ok := s.o.Server.View().Questionnaires.Get(q)
	if s.err != nil || !ok {
		return
	}
	for _, question := range sent.Asked {
		s.do(Ada, "as on their sheet", answerTo(q, question))
	}
	s.do(Ada, "they say that it is complete", registry.SubmitQuestionnaire{ID: q})
	var scores []registry.AnswerScore
	for _, question := range sent.Asked {
		x := registry.AnswerScore{Question: question, Score: 3, Note: "policy-read"}
		for _, w := range weak {
			if w == question {
				x.Score, x.Note = 1, "only claimed"
			}
		}
		scores = append(scores, x)
	}
	s.wait(40 * time.Minute)
	s.do(Grace, "read, with their policies", registry.ScoreAnswers{ID: q, Scores: scores})
}

// good are the answers that a reader of a questionnaire likes, where they are not "yes".
var good = map[string]string{"HIP-05": "no", "AIM-01": "no"}

// answerTo is a plausible answer to a question.
func answerTo(q id.Questionnaire, question string) registry.AnswerQuestion {
	value, detail := answered(question)
	return registry.AnswerQuestion{ID: q, Question: question, Value: value, Detail: detail}
}

func answered(question string) (value, detail string) {
	x, _ := hipaa.LookupQuestion(question)
	if len(x.Options()) == 0 {
		return "We do, as our policy of this year says.", ""
	}
	if v, ok := good[question]; ok {
		return v, "as our policy of this year says"
	}
	return "yes", "as our policy of this year says"
}

// renewed asks again what has grown old, which a critical answer does in a month.
func (s *scene) renewed(f firm, n int) {
	q := id.Questionnaire(fmt.Sprintf("%s-m%d", f.id, n))
	s.asked(f, q, s.stale(f, 30))
	s.do(Grace, "renewed", registry.CloseQuestionnaire{ID: q})
}

// stale are the questions whose answers will be too old within so many days.
func (s *scene) stale(f firm, days int) (again []string) {
	answered := map[string]time.Time{}
	for _, q := range s.o.Server.View().Questionnaires.All() {
		for key, a := range q.Answers {
			if q.Vendor == f.id && a.AnsweredAt.After(answered[key]) {
				answered[key] = a.AnsweredAt
			}
		}
	}
	for _, q := range hipaa.Questions() {
		if at, ok := answered[q.ID]; ok && q.FreshnessDays > 0 && q.Stale(at).Before(s.in(days)) {
			again = append(again, q.ID)
		}
	}
	return again
}

// decided records the decision on a vendor, its audit report and its screening.
func (s *scene) decided(f firm, q id.Questionnaire) {
	s.do(Grace, "questionnaire and report were read", registry.RecordAssessment{ID: id.Assessment(f.key("first")), Vendor: f.id, Verdict: snapshot.Pass, Questionnaire: q,
		DecidedAt: s.now(), ValidUntil: s.in(350)})
	s.do(Grace, "references checked", registry.ApproveVendor{ID: f.id})
	s.do(Sam, "owners and people looked up", registry.ScreenVendor{ID: f.id, Ownership: snapshot.No, Access: snapshot.No, ScreenedAt: s.now(), ValidUntil: s.in(330)})
	soc2 := id.Certification(f.key("soc2"))
	ends := s.now().AddDate(0, 0, -50)
	s.do(Ada, "report received", registry.RecordCertification{ID: soc2, Vendor: f.id, Type: "SOC2_T2", PeriodStart: ends.AddDate(0, -6, 0), PeriodEnd: ends, ExpiresAt: s.until(f.soc2Until),
		Particulars: snapshot.Particulars{Issuer: "Example Auditors LLP", Criteria: []string{"security", "confidentiality"}, Scope: []string{f.does}, Opinion: snapshot.Unqualified, Subservice: snapshot.NoSubservice}})
	s.do(Sam, "letter read, and the auditor called", registry.VerifyCertification{ID: soc2, How: "auditor-letter", Against: "the auditor's letter, confirmed by telephone"})
}

// baa drafts the agreement in the product's own words.
func (s *scene) baa(f firm, key id.Agreement, ends time.Time) {
	terms := agreement.Recommended()
	delete(terms, "regions")
	var uses []snapshot.PermittedUse
	for i, p := range f.purposes {
		uses = append(uses, snapshot.PermittedUse{Purpose: p, DataClasses: []hipaa.DataClass{hipaa.PHI}, Clause: fmt.Sprintf("§ 2.%d", i+1)})
	}
	s.compose(Ada, registry.DraftAgreement{ID: key, Kind: snapshot.BAA, Vendor: f.id, Terms: terms, PermittedUses: uses, Regions: []string{"US"}, EffectiveAt: s.now(), EndsAt: ends}, "in our words")
}

// work proposes an engagement, and approves it if it is to begin.
func (s *scene) work(f firm, key id.Engagement, purpose hipaa.Purpose, papers []id.Agreement, ends time.Time, sealing snapshot.Sealing, approved bool) {
	s.do(Ada, "the work was agreed", registry.ProposeEngagement{ID: key, Vendor: f.id, Agreements: papers, Basis: hipaa.OperationsUnderBAA, Purpose: purpose, Category: hipaa.Operations,
		Sources: []id.Source{Source}, DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: s.now(), EndsAt: ends, Sealing: sealing})
	if approved {
		s.do(Grace, "within our operations", registry.ApproveEngagement{ID: key})
	}
}

// role defines what may be seen.
func (s *scene) role(key id.Role, title string, offered ...id.Engagement) {
	s.do(Omar, "what the work needs, and no more", registry.DefineRole{ID: key, Title: title, Resources: scopes[key], Dates: snapshot.DatesToYear, Identifiers: snapshot.Pseudonyms,
		Profile: "minimum-necessary", MaxPageSize: 50, OfferedTo: offered})
	s.do(Grace, "minimum necessary was considered", registry.ApproveRole{ID: key})
}

// grant asks for access to every patient, and gives it if it is to begin.
func (s *scene) grant(key id.Grant, work id.Engagement, app id.App, person id.Person, device id.Device, role id.Role, ends time.Time, approved bool) {
	s.grantTo(snapshot.Cohort{Kind: snapshot.CohortAll}, key, work, app, person, device, role, ends, approved)
}

func (s *scene) grantTo(cohort snapshot.Cohort, key id.Grant, work id.Engagement, app id.App, person id.Person, device id.Device, role id.Role, ends time.Time, approved bool) {
	s.do(Ada, "asked for by the engagement's lead", registry.RequestGrant{ID: key, Engagement: work, App: app, Person: person, Devices: []id.Device{device}, Role: role,
		Cohort: cohort, StartsAt: s.now(), EndsAt: ends, MaxPatients: 2000, MaxDailyBytes: 1 << 30})
	if approved {
		s.do(Omar, "in order", registry.ApproveGrant{ID: key})
	}
	if p := s.o.Programs[app]; p != nil {
		p.scope = scopes[role]
	}
}

// reviewed decides the open review of a grant.
func (s *scene) reviewed(g id.Grant, by id.Person, why string) {
	if s.err != nil {
		return
	}
	for _, r := range s.o.Server.View().ReviewsOf(g) {
		if r.CompletedAt.IsZero() {
			s.do(by, "looked at", registry.OpenReview{ID: r.ID})
			s.wait(4 * time.Minute)
			s.do(by, why, registry.CompleteReview{ID: r.ID, Outcome: snapshot.Keep})
			return
		}
	}
	s.err = fmt.Errorf("%s has no open review", g)
}

// learns begins the course in a person's own session, and reads some of it.
func (s *scene) learns(p id.Person, track string, lessons int) {
	if s.err != nil {
		return
	}
	q := s.o.People[p]
	if q.secret, s.err = q.signIn(s.ctx); s.err != nil {
		return
	}
	begun, err := q.Act(s.ctx, registry.StartAttempt{Person: p, Track: track}, "my training ends soon")
	if err != nil {
		s.err = err
		return
	}
	attempt := id.Attempt(begun.Subject.ID)
	if x, ok := s.o.Server.View().Attempts.Get(attempt); ok {
		for i, l := range course.Current().LessonsFor(x.Track, x.Modules) {
			if i < lessons {
				s.do(p, "read", registry.ReadLesson{ID: attempt, Lesson: l.ID})
			}
		}
	}
}

// without is an act's fields without one of them.
func without(fields []byte, name string) map[string]any {
	var out map[string]any
	_ = json.Unmarshal(fields, &out) // registry.Encode wrote it
	delete(out, name)
	return out
}

// domain is the part of a question's id by which pages sort it.
func domain(question string) string {
	d, _, _ := strings.Cut(question, "-")
	return d
}

var refusals = []int{http.StatusForbidden, http.StatusUnauthorized}
