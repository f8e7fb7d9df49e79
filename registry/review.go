package registry

import (
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// CompleteReview decides whether a grant goes on. Keeping it sets the next
// review; revoking it ends the grant at once.
type CompleteReview struct {
	ID      id.Review              `json:"id"`
	Outcome snapshot.ReviewOutcome `json:"outcome"`
}

func (a CompleteReview) Subject() snapshot.Subject { return subject(snapshot.NounReview, a.ID) }

func (a CompleteReview) apart(v *snapshot.View) []id.Person {
	if r, ok := v.Reviews.Get(a.ID); ok {
		return grantParties(v, r.Grant)
	}
	return nil
}

func (a CompleteReview) check(v *snapshot.View, _ Actor, _ time.Time) error {
	r, ok := v.Reviews.Get(a.ID)
	if !ok {
		return found("id", v.Reviews, a.ID)
	}
	if !r.CompletedAt.IsZero() {
		return conflict("id", "The review is complete", "Complete the grant's next review")
	}
	if err := oneOf("outcome", a.Outcome, []snapshot.ReviewOutcome{snapshot.Keep, snapshot.Revoke}); err != nil || a.Outcome == snapshot.Revoke {
		return err
	}
	return onboardingGrant(v, r.Grant)
}

func (a CompleteReview) apply(e *snapshot.Edit, s Stamp) {
	r, _ := e.View().Reviews.Get(a.ID)
	change(e, e.View().Reviews, a.ID, func(r *snapshot.Review) { r.CompletedAt, r.CompletedBy, r.Outcome = s.At, s.By, a.Outcome })
	g, ok := e.View().Grants.Get(r.Grant)
	switch {
	case !ok || g.State == snapshot.Ended:
	case a.Outcome == snapshot.Keep:
		e.Put(nextReview(e, r.Grant, s))
	default:
		change(e, e.View().Grants, r.Grant, func(g *snapshot.Grant) { g.State = snapshot.Ended })
	}
}
