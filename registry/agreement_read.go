package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// CheckTerms is the second reading of a paper: another person than who drafted it enters
// what they read in the document, and every difference is refused with its field. The
// terms that a paper of its kind must have are all compared, with their clauses; others
// where they are given. Of a kind that must have none, all are.
type CheckTerms struct {
	ID            id.Agreement             `json:"id"`
	Document      string                   `json:"document_sha256"` // of what was read
	Terms         map[string]snapshot.Term `json:"terms,omitempty"`
	PermittedUses []snapshot.PermittedUse  `json:"permitted_uses,omitempty"`
	Regions       []string                 `json:"regions,omitempty"`
	EffectiveAt   time.Time                `json:"effective_at"`
	EndsAt        time.Time                `json:"ends_at,omitzero"`
}

func (a CheckTerms) Subject() snapshot.Subject { return subject(snapshot.NounAgreement, a.ID) }

func (a CheckTerms) apart(v *snapshot.View) []id.Person {
	if g, ok := v.Agreements.Get(a.ID); ok {
		return []id.Person{g.RequestedBy}
	}
	return nil
}

func differs(field, what string) error {
	return badField(field, "differs from what was entered before: "+what, "Read the document again. If you are right, have who drafted it amend the agreement")
}

func (a CheckTerms) check(v *snapshot.View, _ Actor, _ time.Time) error {
	g, ok := v.Agreements.Get(a.ID)
	if !ok {
		return found("id", v.Agreements, a.ID)
	}
	if err := first(inState(fmt.Sprintf("Agreement %q", a.ID), g.State, snapshot.Proposed), checkTerms("terms", a.Terms)); err != nil {
		return err
	}
	switch {
	case g.Reading.By != "":
		return conflict("", "The document was read a second time already", "Nothing is left to do")
	case a.Document != g.Document:
		return differs("document_sha256", "you read another document")
	case !a.EffectiveAt.Equal(g.EffectiveAt):
		return differs("effective_at", "another time")
	case !a.EndsAt.Equal(g.EndsAt):
		return differs("ends_at", "another time")
	case !sameWords(a.Regions, g.Regions):
		return differs("regions", "other regions")
	}
	if err := sameUses(a.PermittedUses, g.PermittedUses); err != nil {
		return err
	}
	for _, field := range a.compared(g) {
		if _, elsewhere := fieldsElsewhere[field]; elsewhere {
			continue
		}
		mine, is := a.Terms[field]
		theirs, was := g.Terms[field]
		at := "terms." + field
		switch {
		case is && !was:
			return differs(at, "it was left out")
		case !is && was:
			return differs(at, "you left it out")
		case !sameJSON(mine.Value, theirs.Value):
			return differs(at+".value", "another value")
		case locator(mine.Clause) != locator(theirs.Clause):
			return differs(at+".clause", "another clause")
		}
	}
	return nil
}

// compared are the fields that the reading compares, in order.
func (a CheckTerms) compared(g *snapshot.Agreement) []string {
	fields := slices.Clone(agreement.Demanded(g.Kind))
	if len(fields) == 0 {
		fields = sortedKeys(g.Terms)
	}
	for _, f := range sortedKeys(a.Terms) {
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

func sameUses(mine, theirs []snapshot.PermittedUse) error {
	if len(mine) != len(theirs) {
		return differs("permitted_uses", fmt.Sprintf("you found %d", len(mine)))
	}
	for i, m := range mine {
		if !slices.ContainsFunc(theirs, func(u snapshot.PermittedUse) bool {
			return m.Purpose == u.Purpose && sameWords(m.DataClasses, u.DataClasses) && sameWords(m.Sources, u.Sources) && locator(m.Clause) == locator(u.Clause)
		}) {
			return differs(fmt.Sprintf("permitted_uses[%d]", i), "no such use was entered")
		}
	}
	return nil
}

// sameWords compares without order.
func sameWords[T ~string](a, b []T) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func sameJSON(a, b json.RawMessage) bool {
	x, err := canonical(slices.Clone(a))
	if err != nil {
		return false
	}
	y, err := canonical(slices.Clone(b))
	return err == nil && string(x) == string(y)
}

// locator is a clause without what two readers write differently: "§ 4.2", "4.2", "Sec. 4.2".
func locator(clause string) string {
	s := strings.ToLower(strings.Join(strings.Fields(clause), ""))
	for _, word := range []string{"§", "section", "sec.", "clause"} {
		s = strings.TrimPrefix(s, word)
	}
	return strings.TrimSuffix(s, ".")
}

func (a CheckTerms) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Agreements, a.ID, func(g *snapshot.Agreement) {
		g.Reading = snapshot.TermsReading{By: s.By, At: s.At, Terms: len(a.compared(g)) + len(a.PermittedUses)}
	})
}
