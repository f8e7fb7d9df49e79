package console

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// Thirty answers that were saved do not hide what else was done.
func TestAnActOfAKindIsToldOnce(t *testing.T) {
	q := snapshot.Subject{Noun: snapshot.NounQuestionnaire, ID: "q1"}
	var all []*done
	all = append(all, &done{Kind: "agreement.draft", On: snapshot.Subject{Noun: snapshot.NounAgreement, ID: "baa"}})
	for range 30 {
		all = append(all, &done{Kind: "questionnaire.answer", On: q})
	}
	all = append(all, &done{Kind: "questionnaire.submit", On: q})
	var got []registry.Kind
	for _, d := range lastActs(all, 6, eachOnce()) {
		got = append(got, d.Kind)
	}
	if want := []registry.Kind{"questionnaire.submit", "questionnaire.answer", "agreement.draft"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
