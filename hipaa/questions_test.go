package hipaa

import (
	"slices"
	"testing"
	"time"
)

func TestTheQuestionsAreWhole(t *testing.T) {
	domains, critical := map[string]int{}, 0
	for _, d := range QuestionDomains() {
		domains[d.ID] = 0
	}
	for _, q := range Questions() {
		if _, ok := domains[q.Domain]; !ok || q.Text == "" || q.Weight < 1 || len(q.Scoring) != 4 || len(q.Controls) == 0 {
			t.Errorf("%s: got %+v", q.ID, q)
		}
		domains[q.Domain]++
		if q.Critical {
			critical++
		}
		for _, c := range q.Controls {
			if _, ok := LookupControl(c); !ok {
				t.Errorf("%s: no control %q", q.ID, c)
			}
		}
		if got, ok := LookupQuestion(q.ID); !ok || got.ID != q.ID {
			t.Errorf("%s is not found", q.ID)
		}
	}
	if len(Questions()) != 64 || critical != 24 || len(domains) != 10 {
		t.Errorf("got %d questions, %d critical, %d domains", len(Questions()), critical, len(domains))
	}
	for d, n := range domains {
		if n == 0 {
			t.Errorf("domain %s asks nothing", d)
		}
	}
}

func TestOptionsAndStaleness(t *testing.T) {
	at := time.Date(2027, 12, 31, 0, 0, 0, 0, time.UTC)
	for id, want := range map[string]struct {
		options []string
		stale   time.Time
	}{
		"HIP-01": {[]string{"yes", "no", "with_changes"}, time.Time{}},
		"IAM-01": {[]string{"yes", "no", "partly"}, at.AddDate(0, 0, 90)},
		"GOV-01": {nil, time.Date(2028, 12, 30, 0, 0, 0, 0, time.UTC)}, // over a leap day
		"PPL-01": {nil, time.Date(2028, 1, 30, 0, 0, 0, 0, time.UTC)},
	} {
		q, _ := LookupQuestion(id)
		if got := q.Options(); !slices.Equal(got, want.options) {
			t.Errorf("%s: got %v", id, got)
		}
		if got := q.Stale(at); !got.Equal(want.stale) {
			t.Errorf("%s: got %v, want %v", id, got, want.stale)
		}
	}
	if ScoringRule("decision") == "" {
		t.Error("the rule has no words")
	}
}
