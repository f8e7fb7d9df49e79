package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Who answers a questionnaire: the vendor's people, who hold its link, and the
// organisation's procurement for a vendor that sent its answers on paper; each answer
// says by whom. Nobody reaches another vendor's.

// SendQuestionnaire puts the due-diligence questions to a vendor: those that its data
// classes raise, and of them only those that were never answered or went stale. With a
// secret it opens a link for the vendor's contact in the same act.
type SendQuestionnaire struct {
	ID     id.Questionnaire `json:"id,omitempty"` // made if left out
	Vendor id.Vendor        `json:"vendor"`
	// DataClasses are those of the vendor's profile if left out, and never fewer.
	DataClasses []hipaa.DataClass `json:"data_classes,omitempty"`
	// Renewal asks again what has no age of its own; Again what is named, fresh or not.
	Renewal bool      `json:"renewal,omitempty"`
	Again   []string  `json:"again,omitempty"`
	DueAt   time.Time `json:"due_at"`
	// The link: a function's address, the digest of a secret (signin.CodeDigest), and until
	// when it opens. Without them the vendor's people answer by their accounts.
	Contact   string    `json:"contact,omitempty"`
	Secret256 string    `json:"secret_sha256,omitempty"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Subject implements Act.
func (a SendQuestionnaire) Subject() snapshot.Subject {
	return subject(snapshot.NounQuestionnaire, a.ID)
}

func (a SendQuestionnaire) check(v *snapshot.View, _ Actor, now time.Time) error {
	if err := first(freshOrNone("id", v.Questionnaires, a.ID), exists("vendor", v.Vendors, a.Vendor),
		each("data_classes", a.DataClasses, func(field string, c hipaa.DataClass) error { return oneOf(field, c, hipaa.DataClasses) }), unique("data_classes", a.DataClasses),
		set("due_at", a.DueAt), future("due_at", a.DueAt, now), unique("again", a.Again)); err != nil {
		return err
	}
	w, _ := v.Vendors.Get(a.Vendor)
	switch {
	case w.State == snapshot.Ended:
		return inState("The vendor", w.State, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
	case w.Profile == nil:
		return conflict("vendor", "The vendor has no profile, so nothing says what to ask", "Record it first: sallyport vendor profile "+string(a.Vendor))
	case a.DueAt.After(now.AddDate(1, 0, 0)):
		return badField("due_at", "is too far ahead", "Write a time within a year (policy)")
	}
	if len(a.DataClasses) > 0 && !subset(w.Profile.DataClasses, a.DataClasses) {
		return badField("data_classes", "are fewer than the vendor's profile says", "Leave them out, or name those of the profile too")
	}
	for _, q := range v.QuestionnairesOf(a.Vendor) {
		if q.Stage != snapshot.QuestionsClosed {
			return conflict("vendor", fmt.Sprintf("Questionnaire %q is open still", string(q.ID)), "Close or withdraw it first, or have it answered")
		}
	}
	apply, _ := diligence.Applies(a.classes(v))
	if err := each("again", a.Again, func(field, key string) error { return oneOf(field, key, apply) }); err != nil {
		return err
	}
	if asked, _ := diligence.Plan(v, a.Vendor, a.classes(v), a.Renewal, a.Again, now); len(asked) == 0 {
		return conflict("vendor", "Every answer is fresh: nothing is left to ask", "For a renewal write renewal=true, or name questions in again")
	}
	if a.Secret256 == "" {
		if a.Contact != "" || !a.ExpiresAt.IsZero() {
			return badField("secret_sha256", "is missing", "sallyport questionnaire send makes it; or leave contact and expires_at out")
		}
		return nil
	}
	return checkLink(v, snapshot.LinkQuestionnaire, snapshot.Subject{Noun: snapshot.NounQuestionnaire, ID: string(a.ID)}, a.Contact, a.Secret256, a.ExpiresAt, now)
}

func (a SendQuestionnaire) classes(v *snapshot.View) []hipaa.DataClass {
	if w, ok := v.Vendors.Get(a.Vendor); ok && len(a.DataClasses) == 0 && w.Profile != nil {
		return w.Profile.DataClasses
	}
	return a.DataClasses
}

func (a SendQuestionnaire) apply(e *snapshot.Edit, s Stamp) {
	v := e.View()
	q := &snapshot.Questionnaire{ID: cmp.Or(a.ID, id.Questionnaire(s.ID)), Vendor: a.Vendor, DataClasses: a.classes(v),
		Stage: snapshot.QuestionsSent, SentBy: s.By, SentAt: s.At, DueAt: a.DueAt.UTC()}
	asked, carried := diligence.Plan(v, a.Vendor, q.DataClasses, a.Renewal, a.Again, s.At)
	q.Asked = asked
	for _, from := range v.QuestionnairesOf(a.Vendor) {
		for key, old := range from.Answers {
			if c, ok := carried[key]; ok && c.AnsweredAt.Equal(old.AnsweredAt) && c.Carried == "" {
				c.Carried = cmp.Or(old.Carried, from.ID)
				carried[key] = c
			}
		}
	}
	if len(carried) > 0 {
		q.Answers = carried
	}
	e.Put(q)
	if a.Secret256 != "" {
		e.Put(&snapshot.Link{ID: id.Link(s.ID), Vendor: a.Vendor, For: snapshot.LinkQuestionnaire, About: subject(snapshot.NounQuestionnaire, q.ID),
			Contact: a.Contact, Secret256: a.Secret256, IssuedBy: s.By, IssuedAt: s.At, ExpiresAt: a.ExpiresAt.UTC()})
	}
}

// questionnaireAbout is what every act of the vendor's side is about.
func questionnaireAbout(v *snapshot.View, key id.Questionnaire) party {
	q, ok := v.Questionnaires.Get(key)
	if !ok {
		return party{}
	}
	return party{vendor: q.Vendor, link: subject(snapshot.NounQuestionnaire, key), linkFor: snapshot.LinkQuestionnaire}
}

// withVendor wants the questionnaire to be with the vendor still.
func withVendor(v *snapshot.View, key id.Questionnaire) (*snapshot.Questionnaire, error) {
	q, ok := v.Questionnaires.Get(key)
	if !ok {
		return nil, found("id", v.Questionnaires, key)
	}
	if q.Stage != snapshot.QuestionsSent {
		return nil, conflict("id", "The questionnaire is "+string(q.Stage), "What was submitted is changed once the organisation has returned it")
	}
	return q, nil
}

// MaxAnswer is the longest answer, in bytes.
const MaxAnswer = 4000

// AnswerQuestion saves one answer, in the place of one before.
type AnswerQuestion struct {
	ID       id.Questionnaire `json:"id"`
	Question string           `json:"question"`
	Value    string           `json:"value"`            // one of the question's options, or text
	Detail   string           `json:"detail,omitempty"` // beside an option
}

// Subject implements Act.
func (a AnswerQuestion) Subject() snapshot.Subject { return subject(snapshot.NounQuestionnaire, a.ID) }

func (a AnswerQuestion) about(v *snapshot.View, _ Actor) party { return questionnaireAbout(v, a.ID) }

func (a AnswerQuestion) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := withVendor(v, a.ID)
	if err != nil {
		return err
	}
	return first(askedIn(q, "question", a.Question), checkAnswer(a.Question, a.Value, a.Detail))
}

func askedIn(q *snapshot.Questionnaire, field, question string) error {
	if slices.Contains(q.Asked, question) {
		return nil
	}
	if _, carried := q.Answers[question]; carried {
		return conflict(field, "Its answer was given before and is fresh: it is not asked now", "Ask the organisation to put it again, if something changed")
	}
	return oneOf(field, question, q.Asked)
}

func checkAnswer(question, value, detail string) error {
	known, _ := hipaa.LookupQuestion(question)
	if options := known.Options(); options != nil {
		if err := oneOf("value", value, options); err != nil {
			return err
		}
	} else if strings.TrimSpace(value) == "" {
		return badField("value", "is missing", "Write the answer")
	}
	return first(longText("value", value), longText("detail", detail))
}

// longText is text of several lines.
func longText(field, v string) error {
	if len(v) > MaxAnswer {
		return badField(field, fmt.Sprintf("is %d bytes long", len(v)), fmt.Sprintf("Use at most %d, and attach the rest as a file", MaxAnswer))
	}
	return plainText(field, v, true)
}

func (a AnswerQuestion) apply(e *snapshot.Edit, s Stamp) {
	amendAnswer(e, a.ID, a.Question, func(x *snapshot.VendorAnswer) {
		*x = snapshot.VendorAnswer{Value: a.Value, Detail: a.Detail, Evidence: x.Evidence, AnsweredBy: s.By, AnsweredAt: s.At}
	})
}

// amendAnswer changes an answer of a questionnaire, in a copy.
func amendAnswer(e *snapshot.Edit, key id.Questionnaire, question string, f func(*snapshot.VendorAnswer)) {
	change(e, e.View().Questionnaires, key, func(q *snapshot.Questionnaire) {
		q.Answers = maps.Clone(q.Answers)
		if q.Answers == nil {
			q.Answers = map[string]snapshot.VendorAnswer{}
		}
		x := q.Answers[question]
		f(&x)
		q.Answers[question] = x
	})
}

// DelegateQuestions says who of the vendor's people shall answer questions; to nobody
// takes them back. It is help within the vendor: others of its people may answer too,
// and each answer says who gave it.
type DelegateQuestions struct {
	ID        id.Questionnaire `json:"id"`
	Questions []string         `json:"questions"`
	To        id.Person        `json:"to,omitempty"`
}

// Subject implements Act.
func (a DelegateQuestions) Subject() snapshot.Subject {
	return subject(snapshot.NounQuestionnaire, a.ID)
}

func (a DelegateQuestions) about(v *snapshot.View, _ Actor) party {
	return questionnaireAbout(v, a.ID)
}

func (a DelegateQuestions) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := withVendor(v, a.ID)
	if err != nil {
		return err
	}
	if len(a.Questions) == 0 {
		return badField("questions", "is empty", "Name at least one question")
	}
	if err := first(unique("questions", a.Questions), each("questions", a.Questions, func(field, x string) error { return askedIn(q, field, x) })); err != nil {
		return err
	}
	if a.To != "" {
		if err := personOf(v, "to", a.To, q.Vendor); err != nil {
			return err
		}
		if p, _ := v.Persons.Get(a.To); p.State != snapshot.Approved {
			return conflict("to", "The person cannot sign in", "Name one of the vendor's people who is approved")
		}
	}
	for _, x := range a.Questions {
		if q.Delegated[x] != a.To {
			return nil
		}
	}
	return conflict("to", "They are so already", "Nothing is left to do")
}

func (a DelegateQuestions) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Questionnaires, a.ID, func(q *snapshot.Questionnaire) {
		q.Delegated = maps.Clone(q.Delegated)
		if q.Delegated == nil {
			q.Delegated = map[string]id.Person{}
		}
		for _, x := range a.Questions {
			if a.To == "" {
				delete(q.Delegated, x)
			} else {
				q.Delegated[x] = a.To
			}
		}
	})
}

// SubmitQuestionnaire hands the answers in. Every question that is asked has one.
type SubmitQuestionnaire struct {
	ID id.Questionnaire `json:"id"`
}

// Subject implements Act.
func (a SubmitQuestionnaire) Subject() snapshot.Subject {
	return subject(snapshot.NounQuestionnaire, a.ID)
}

func (a SubmitQuestionnaire) about(v *snapshot.View, _ Actor) party {
	return questionnaireAbout(v, a.ID)
}

func (a SubmitQuestionnaire) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := withVendor(v, a.ID)
	if err != nil {
		return err
	}
	if missing := diligence.Unanswered(q); len(missing) > 0 {
		return conflict("id", fmt.Sprintf("%d questions have no answer: %s", len(missing), join(missing)), "Answer them first")
	}
	return nil
}

func (a SubmitQuestionnaire) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Questionnaires, a.ID, func(q *snapshot.Questionnaire) {
		q.Stage, q.SubmittedBy, q.SubmittedAt = snapshot.QuestionsSubmitted, s.By, s.At
	})
}

// ReturnQuestionnaire gives a submitted questionnaire back to the vendor, to mend or
// complete answers. An answer that is changed loses its score.
type ReturnQuestionnaire struct {
	ID    id.Questionnaire `json:"id"`
	DueAt time.Time        `json:"due_at"`
}

// Subject implements Act.
func (a ReturnQuestionnaire) Subject() snapshot.Subject {
	return subject(snapshot.NounQuestionnaire, a.ID)
}

func (a ReturnQuestionnaire) check(v *snapshot.View, _ Actor, now time.Time) error {
	_, err := submitted(v, a.ID)
	return first(err, set("due_at", a.DueAt), future("due_at", a.DueAt, now))
}

func submitted(v *snapshot.View, key id.Questionnaire) (*snapshot.Questionnaire, error) {
	q, ok := v.Questionnaires.Get(key)
	if !ok {
		return nil, found("id", v.Questionnaires, key)
	}
	if q.Stage != snapshot.QuestionsSubmitted {
		return nil, conflict("id", "The questionnaire is "+string(q.Stage)+", and not submitted", "Wait until the vendor has submitted it; what is closed stays as it is")
	}
	return q, nil
}

func (a ReturnQuestionnaire) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Questionnaires, a.ID, func(q *snapshot.Questionnaire) {
		q.Stage, q.SubmittedBy, q.SubmittedAt, q.DueAt = snapshot.QuestionsSent, "", time.Time{}, a.DueAt.UTC()
	})
}

// ScoreAnswers gives answers their score. A score above 1 needs something seen: a file
// of evidence, or a note that says what it was; and what came with an import is a claim
// until there is a file (the catalogue's scale).
type ScoreAnswers struct {
	ID     id.Questionnaire `json:"id"`
	Scores []AnswerScore    `json:"scores"`
}

// AnswerScore is the score of one answer.
type AnswerScore struct {
	Question string `json:"question"`
	Score    int    `json:"score"` // 0 to 3, as hipaa.Question.Scoring says
	Note     string `json:"note,omitempty"`
}

// Subject implements Act.
func (a ScoreAnswers) Subject() snapshot.Subject { return subject(snapshot.NounQuestionnaire, a.ID) }

// Whoever wrote an answer down for the vendor, or sent the link by which it came, or asked
// for the vendor, does not score it.
func (a ScoreAnswers) apart(v *snapshot.View) []id.Person {
	q, ok := v.Questionnaires.Get(a.ID)
	if !ok {
		return nil
	}
	out := vendorAskedBy(v, q.Vendor)
	for _, s := range a.Scores {
		out = append(out, actors(v, q.Answers[s.Question].AnsweredBy)...)
	}
	return out
}

func (a ScoreAnswers) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, err := submitted(v, a.ID)
	if err != nil {
		return err
	}
	if len(a.Scores) == 0 {
		return badField("scores", "is empty", "Write such as [{question: GOV-01, score: 2, note: designation letter read}]")
	}
	var names []string
	for _, s := range a.Scores {
		names = append(names, s.Question)
	}
	if err := unique("scores", names); err != nil {
		return err
	}
	same := true
	if err := each("scores", a.Scores, func(field string, s AnswerScore) error {
		x, ok := q.Answers[s.Question]
		switch {
		case !ok:
			return badField(field+".question", fmt.Sprintf("%q has no answer here", s.Question), "Name a question that was answered")
		case s.Score < 0 || s.Score > 3:
			return badField(field+".score", "is not 0 to 3", "See what each means: sallyport questionnaire questions "+s.Question)
		case s.Score > 1 && x.Imported != "" && len(x.Evidence) == 0:
			return badField(field+".score", "is above 1 for an imported claim without a file", "Return the questionnaire and have the vendor attach evidence")
		case s.Score > 1 && len(x.Evidence) == 0 && strings.TrimSpace(s.Note) == "":
			return badField(field+".note", "is missing", "A score above 1 needs a file, or a note that says what was seen")
		}
		same = same && !x.ScoredAt.IsZero() && x.Score == s.Score && x.Note == s.Note
		return shortText(field+".note", s.Note)
	}); err != nil {
		return err
	}
	if same {
		return conflict("scores", "They are so already", "Nothing is left to do")
	}
	return nil
}

func (a ScoreAnswers) apply(e *snapshot.Edit, s Stamp) {
	for _, x := range a.Scores {
		amendAnswer(e, a.ID, x.Question, func(y *snapshot.VendorAnswer) {
			y.Score, y.Note, y.ScoredBy, y.ScoredAt = x.Score, x.Note, s.By, s.At
		})
	}
}

// CloseQuestionnaire ends a questionnaire that renewed answers and leads to no new
// decision: its scores count from then on, and its links end.
type CloseQuestionnaire struct {
	ID id.Questionnaire `json:"id"`
}

// Subject implements Act.
func (a CloseQuestionnaire) Subject() snapshot.Subject {
	return subject(snapshot.NounQuestionnaire, a.ID)
}

// Its scores count from then on, so it is as a decision is.
func (a CloseQuestionnaire) apart(v *snapshot.View) []id.Person {
	if q, ok := v.Questionnaires.Get(a.ID); ok {
		return vendorAskedBy(v, q.Vendor)
	}
	return nil
}

func (a CloseQuestionnaire) check(v *snapshot.View, _ Actor, now time.Time) error {
	q, err := submitted(v, a.ID)
	if err != nil {
		return err
	}
	if w := diligence.Score(q, now); len(w.Unscored) > 0 {
		return conflict("id", fmt.Sprintf("%d answers are not scored yet: %s", len(w.Unscored), join(w.Unscored)), "Score them first, or withdraw it")
	}
	return nil
}

func (a CloseQuestionnaire) apply(e *snapshot.Edit, s Stamp) { closeQuestionnaire(e, s, a.ID, false) }

// WithdrawQuestionnaire ends a questionnaire that shall count for nothing.
type WithdrawQuestionnaire struct {
	ID id.Questionnaire `json:"id"`
}

// Subject implements Act.
func (a WithdrawQuestionnaire) Subject() snapshot.Subject {
	return subject(snapshot.NounQuestionnaire, a.ID)
}

func (a WithdrawQuestionnaire) check(v *snapshot.View, _ Actor, _ time.Time) error {
	q, ok := v.Questionnaires.Get(a.ID)
	if !ok {
		return found("id", v.Questionnaires, a.ID)
	}
	if q.Stage == snapshot.QuestionsClosed {
		return conflict("id", "The questionnaire is closed already", "What a decision rests on stays on record")
	}
	return nil
}

func (a WithdrawQuestionnaire) apply(e *snapshot.Edit, s Stamp) { closeQuestionnaire(e, s, a.ID, true) }

func closeQuestionnaire(e *snapshot.Edit, s Stamp, key id.Questionnaire, withdrawn bool) {
	change(e, e.View().Questionnaires, key, func(q *snapshot.Questionnaire) {
		q.Stage, q.ClosedAt, q.Withdrawn = snapshot.QuestionsClosed, s.At, withdrawn
	})
	revokeLinksAbout(e, s, subject(snapshot.NounQuestionnaire, key))
}
