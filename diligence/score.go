package diligence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// The thresholds of hipaa.ScoringRule("decision"); policy.
const (
	maxScore     = 3
	leastOverall = 0.70
	leastDomain  = 0.50
)

// Working is what the answers of a questionnaire come to, step by step, so that a
// person can do the sum again.
type Working struct {
	Questionnaire id.Questionnaire  `json:"questionnaire"`
	Vendor        id.Vendor         `json:"vendor"`
	At            time.Time         `json:"at"`
	Rule          string            `json:"rule"`  // in the catalogue's words
	Label         string            `json:"label"` // "policy": no law sets these numbers
	Questions     []QuestionWorking `json:"questions"`
	Domains       []DomainWorking   `json:"domains"`
	Points        int               `json:"points"`
	Of            int               `json:"of"`
	Overall       float64           `json:"overall"` // Points / Of
	Verdict       snapshot.Verdict  `json:"verdict"`
	// Reasons are why it is not a pass, each with what it rests on; empty for a pass.
	Reasons []ScoreReason `json:"reasons,omitempty"`
	// Gaps are the questions that fail it: each needs a risk acceptance, or a better answer.
	Gaps []string `json:"gaps,omitempty"`
	// Unscored were answered and not looked at.
	Unscored []string `json:"unscored,omitempty"`
	// OK is false while a critical answer is stale, whatever the verdict.
	OK bool `json:"ok"`
	// Until is when the first critical answer goes stale; zero: none does by its age.
	Until    time.Time   `json:"until,omitzero"`
	Excluded []Exclusion `json:"excluded,omitempty"` // questions that do not apply
}

// QuestionWorking is one line of the sum.
type QuestionWorking struct {
	ID       string    `json:"id"`
	Domain   string    `json:"domain"`
	Critical bool      `json:"critical,omitempty"`
	Weight   int       `json:"weight"`
	Given    int       `json:"given"`  // the score that was given
	Counts   int       `json:"counts"` // the score that counts: 0 for what is missing, unscored or stale
	Points   int       `json:"points"` // Weight * Counts
	Of       int       `json:"of"`     // Weight * 3
	Note     string    `json:"note,omitempty"`
	StaleAt  time.Time `json:"stale_at,omitzero"`
}

// DomainWorking is the sum of a domain.
type DomainWorking struct {
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	Points int     `json:"points"`
	Of     int     `json:"of"`
	Score  float64 `json:"score"` // Points / Of
}

// ScoreReason is why a verdict is not a pass.
type ScoreReason struct {
	Code    string           `json:"code"` // critical-zero, critical-stale, critical-one, overall-low, domain-low
	About   string           `json:"about,omitempty"`
	Verdict snapshot.Verdict `json:"verdict"` // what it leads to by itself
	Text    string           `json:"text"`
}

// Score adds up a questionnaire at a time. What is missing, unscored or stale counts 0.
func Score(q *snapshot.Questionnaire, now time.Time) Working {
	w := Working{Questionnaire: q.ID, Vendor: q.Vendor, At: now.UTC(), Rule: hipaa.ScoringRule("decision"), Label: "policy", OK: true, Verdict: snapshot.Pass}
	_, w.Excluded = Applies(q.DataClasses)
	domains := map[string]*DomainWorking{}
	for _, d := range hipaa.QuestionDomains() {
		domains[d.ID] = &DomainWorking{ID: d.ID, Name: d.Name}
	}
	for _, key := range applying(q) {
		question, ok := hipaa.LookupQuestion(key)
		if !ok {
			continue
		}
		line := readAnswer(question, q.Answers, now)
		w.Questions = append(w.Questions, line)
		d := domains[question.Domain]
		d.Points, d.Of = d.Points+line.Points, d.Of+line.Of
		w.Points, w.Of = w.Points+line.Points, w.Of+line.Of
		if a, answered := q.Answers[key]; answered && Answered(question, a) && a.ScoredAt.IsZero() {
			w.Unscored = append(w.Unscored, key)
		}
		if question.Critical {
			w.critical(line, now)
		}
	}
	w.Overall = ratio(w.Points, w.Of)
	if w.Overall < leastOverall {
		w.lower(ScoreReason{"overall-low", "", snapshot.Conditional, fmt.Sprintf("%d of %d points are %.2f, below %.2f", w.Points, w.Of, w.Overall, leastOverall)})
	}
	for _, d := range hipaa.QuestionDomains() {
		x := domains[d.ID]
		if x.Of == 0 {
			continue
		}
		x.Score = ratio(x.Points, x.Of)
		w.Domains = append(w.Domains, *x)
		if x.Score < leastDomain {
			w.lower(ScoreReason{"domain-low", d.ID, snapshot.Conditional, fmt.Sprintf("%s: %d of %d points are %.2f, below %.2f", d.Name, x.Points, x.Of, x.Score, leastDomain)})
		}
	}
	if w.Of == 0 { // nothing was asked: nothing is known
		w.Verdict, w.OK = snapshot.Fail, false
	}
	return w
}

func ratio(points, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(points) / float64(of)
}

// applying are the questions that the questionnaire is about: asked, or carried over.
func applying(q *snapshot.Questionnaire) []string {
	var out []string
	for _, x := range hipaa.Questions() {
		_, answered := q.Answers[x.ID]
		if answered || slices.Contains(q.Asked, x.ID) {
			out = append(out, x.ID)
		}
	}
	return out
}

// Answered reports whether there is an answer: words, or where a file is asked for, a
// file.
func Answered(q hipaa.Question, a snapshot.VendorAnswer) bool {
	return strings.TrimSpace(a.Value) != "" || q.AnswerType == "file" && len(a.Evidence) > 0
}

// Unanswered are the questions that are asked and have no answer, in the catalogue's order.
func Unanswered(q *snapshot.Questionnaire) []string {
	var out []string
	for _, x := range hipaa.Questions() {
		if slices.Contains(q.Asked, x.ID) && !Answered(x, q.Answers[x.ID]) {
			out = append(out, x.ID)
		}
	}
	return out
}

func readAnswer(q hipaa.Question, answers map[string]snapshot.VendorAnswer, now time.Time) QuestionWorking {
	line := QuestionWorking{ID: q.ID, Domain: q.Domain, Critical: q.Critical, Weight: q.Weight, Of: q.Weight * maxScore}
	a, ok := answers[q.ID]
	switch {
	case !ok || !Answered(q, a):
		line.Note = "not answered: counts 0"
		return line
	case a.ScoredAt.IsZero():
		line.Note = "not scored: counts 0"
		return line
	}
	line.Given = min(max(a.Score, 0), maxScore)
	line.Counts, line.Note = line.Given, a.Note
	line.StaleAt = q.Stale(a.AnsweredAt)
	if !line.StaleAt.IsZero() && !now.Before(line.StaleAt) {
		line.Counts, line.Note = 0, fmt.Sprintf("stale after %d days: counts 0", q.FreshnessDays)
	}
	line.Points = q.Weight * line.Counts
	return line
}

// critical notes what a critical question does to the verdict.
func (w *Working) critical(line QuestionWorking, now time.Time) {
	stale := !line.StaleAt.IsZero() && !now.Before(line.StaleAt)
	switch {
	case stale:
		w.OK = false
		w.lower(ScoreReason{"critical-stale", line.ID, snapshot.Fail, fmt.Sprintf("%s is critical, and its answer has gone stale", line.ID)})
		w.Gaps = append(w.Gaps, line.ID)
	case line.Counts == 0:
		w.lower(ScoreReason{"critical-zero", line.ID, snapshot.Fail, fmt.Sprintf("%s is critical, and scores 0 (%s)", line.ID, cmp.Or(line.Note, "no, or no evidence"))})
		w.Gaps = append(w.Gaps, line.ID)
	case line.Counts == 1:
		w.lower(ScoreReason{"critical-one", line.ID, snapshot.Conditional, fmt.Sprintf("%s is critical, and scores 1: stated, no evidence", line.ID)})
	}
	if !line.StaleAt.IsZero() && (w.Until.IsZero() || line.StaleAt.Before(w.Until)) {
		w.Until = line.StaleAt
	}
}

// better orders verdicts.
var better = map[snapshot.Verdict]int{snapshot.Fail: 1, snapshot.Conditional: 2, snapshot.Pass: 3}

// Better reports whether one verdict is better than another; what is no verdict is
// worse than any.
func Better(a, b snapshot.Verdict) bool { return better[a] > better[b] }

func (w *Working) lower(r ScoreReason) {
	w.Reasons = append(w.Reasons, r)
	if Better(w.Verdict, r.Verdict) {
		w.Verdict = r.Verdict
	}
}
