package console

import (
	"slices"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// questionnairePage is one questionnaire: what was asked, what was answered, and what
// it comes to.
type questionnairePage struct {
	*snapshot.Questionnaire
	Name     string // of the vendor
	State    mark
	Answered int
	Sum      diligence.Working
	Verdict  mark
	Blocks   []questionnaireAnswer // critical questions that fail it
	Parts    []questionnairePart
	Part     string             // the domain that is shown
	Next     *questionnairePart // the domain after it; nil: it is the last
	Asked    int
	Links    []*snapshot.Link
}

// questionnairePart is a domain of the questions.
type questionnairePart struct {
	diligence.DomainWorking
	Questions []questionnaireAnswer
	Href      string
	Here      bool
}

// questionnaireAnswer is one question with its answer.
type questionnaireAnswer struct {
	diligence.QuestionWorking
	Text      string
	Answer    snapshot.VendorAnswer
	Answered  bool
	Scored    bool
	Means     string // of its score
	Citations []hipaa.Citation
	Delegated id.Person
	Stale     bool
	State     mark
}

func (s *server) questionnaire(v *visit) (questionnairePage, error) {
	q, ok := v.View.Questionnaires.Get(id.Questionnaire(v.PathValue("id")))
	if !ok {
		return questionnairePage{}, notFound()
	}
	row := rowOfQuestionnaire(v.View, q, v.Now)
	p := questionnairePage{Questionnaire: q, Name: row.VendorName, State: row.State, Answered: row.Answered, Sum: diligence.Score(q, v.Now), Asked: len(q.Asked)}
	v.call("Questionnaire " + string(q.ID))
	v.under("Diligence", "/console/diligence", p.Name, vendorPath(q.Vendor, "diligence"))
	p.Verdict = map[snapshot.Verdict]mark{snapshot.Pass: {"Pass", "good"}, snapshot.Conditional: {"Conditional", "warn"}, snapshot.Fail: {"Fail", "bad"}}[p.Sum.Verdict]
	at := map[string]int{}
	for _, d := range p.Sum.Domains {
		at[d.ID] = len(p.Parts)
		p.Parts = append(p.Parts, questionnairePart{DomainWorking: d})
	}
	for _, line := range p.Sum.Questions {
		x := answerOf(q, line, v.Now)
		if i, ok := at[line.Domain]; ok {
			p.Parts[i].Questions = append(p.Parts[i].Questions, x)
		}
		if slices.Contains(p.Sum.Gaps, line.ID) {
			p.Blocks = append(p.Blocks, x)
		}
	}
	// All questions with their answers would be a heavy page: one domain is shown at a time.
	p.Part = v.URL.Query().Get("part")
	if _, ok := at[p.Part]; !ok && len(p.Parts) > 0 {
		p.Part = p.Parts[0].ID
	}
	for i := range p.Parts {
		p.Parts[i].Href, p.Parts[i].Here = with(v.URL, "part", p.Parts[i].ID)+"#answers", p.Parts[i].ID == p.Part
	}
	if i := at[p.Part] + 1; i < len(p.Parts) {
		p.Next = &p.Parts[i]
	}
	for _, l := range v.View.Links.All() {
		if l.About.Noun == snapshot.NounQuestionnaire && l.About.ID == string(q.ID) {
			p.Links = append(p.Links, l)
		}
	}
	return p, nil
}

func answerOf(q *snapshot.Questionnaire, line diligence.QuestionWorking, now time.Time) questionnaireAnswer {
	x := questionnaireAnswer{QuestionWorking: line, Delegated: q.Delegated[line.ID]}
	question, _ := hipaa.LookupQuestion(line.ID)
	x.Text = question.Text
	for _, key := range question.Controls {
		if c, ok := hipaa.LookupControl(key); ok {
			x.Citations = append(x.Citations, hipaa.MustCite(c.ID))
		}
	}
	x.Answer, x.Answered = q.Answers[line.ID]
	x.Answered = x.Answered && diligence.Answered(question, x.Answer)
	x.Scored = x.Answered && !x.Answer.ScoredAt.IsZero()
	x.Stale = !line.StaleAt.IsZero() && !now.Before(line.StaleAt)
	switch {
	case !x.Answered:
		x.State = mark{"Not answered", "off"}
	case !x.Scored:
		x.State = mark{"To be scored", "wait"}
	case x.Stale:
		x.State = mark{"Stale: counts 0", "bad"}
	default:
		x.Means = question.Scoring[string(rune('0'+line.Given))]
		x.State = mark{plural(line.Given, "point") + " of 3", map[int]string{0: "bad", 1: "warn", 2: "good", 3: "good"}[line.Given]}
	}
	return x
}
