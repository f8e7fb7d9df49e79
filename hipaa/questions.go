package hipaa

import (
	"strings"
	"sync"
	"time"
)

// Question is one question of the due-diligence questionnaire. Its weight, and when an
// answer gets stale, are suggestions of the product and not law ("policy").
type Question struct {
	ID         string   `json:"id"`     // "GOV-01"
	Domain     string   `json:"domain"` // "GOV", of QuestionDomains
	Text       string   `json:"question"`
	AnswerType string   `json:"answer_type"` // text, structured, file, enum, enum[yes,no]
	Controls   []string `json:"controls"`    // of Controls
	SOC2       []string `json:"soc2"`        // related criteria, by our own judgement
	ISO27001   []string `json:"iso27001"`
	CSF        []string `json:"csf"`
	HICP       []string `json:"hicp"`
	Evidence   []string `json:"expected_evidence"`
	Weight     int      `json:"weight"`   // 2 to 5
	Critical   bool     `json:"critical"` // a score of 0 fails the whole
	// FreshnessDays is how long an answer counts; 0: until it is renewed or something
	// changes.
	FreshnessDays int               `json:"freshness_days"`
	Scoring       map[string]string `json:"scoring"` // "0" to "3": what the score means
}

// Options are the answers to choose from; nil: free text. A question that the catalogue
// only calls an enumeration has ours.
func (q Question) Options() []string {
	kind, list, listed := strings.Cut(q.AnswerType, "[")
	switch {
	case kind != "enum":
		return nil
	case !listed:
		return []string{"yes", "no", "partly"}
	}
	return strings.Split(strings.TrimSuffix(list, "]"), ",")
}

// Stale is when an answer that was given then stops counting; the zero time: not by its
// age.
func (q Question) Stale(answered time.Time) time.Time {
	if q.FreshnessDays == 0 {
		return time.Time{}
	}
	return answered.AddDate(0, 0, q.FreshnessDays)
}

// QuestionDomain is a part of the questionnaire.
type QuestionDomain struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

type questionnaire struct {
	Meta struct {
		Scoring map[string]string `json:"scoring"`
	} `json:"meta"`
	Domains   []QuestionDomain `json:"domains"`
	Questions []Question       `json:"questions"`
}

var catalogue = sync.OnceValue(func() questionnaire {
	var doc questionnaire
	mustDecode("due-diligence.json", diligenceJSON, &doc)
	return doc
})

// Questions is the 64 questions, in the catalogue's order.
func Questions() []Question { return catalogue().Questions }

// QuestionDomains is the 10 domains, in the catalogue's order.
func QuestionDomains() []QuestionDomain { return catalogue().Domains }

// ScoringRule is how scores become a verdict, in the catalogue's own words: "scale",
// "domain_score", "decision", "expiry", "note".
func ScoringRule(part string) string { return catalogue().Meta.Scoring[part] }

var questionIndex = sync.OnceValue(func() map[string]Question {
	m := make(map[string]Question, len(Questions()))
	for _, q := range Questions() {
		m[q.ID] = q
	}
	return m
})

// LookupQuestion finds a question by id.
func LookupQuestion(id string) (Question, bool) {
	q, ok := questionIndex()[id]
	return q, ok
}
