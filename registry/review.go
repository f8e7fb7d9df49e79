package registry

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// OpenReview notes that a reviewer has the item before them: how long they take to
// decide is part of the record.
type OpenReview struct {
	ID id.Review `json:"id"`
}

func (a OpenReview) Subject() snapshot.Subject { return subject(snapshot.NounReview, a.ID) }

func (a OpenReview) check(v *snapshot.View, by Actor, _ time.Time) error {
	r, err := openReview(v, a.ID)
	if err != nil {
		return err
	}
	if r.OpenedBy == by.Name() {
		return conflict("id", "You have the review open already", "Decide it: sallyport review complete") // opening it anew would hide how long it took
	}
	return nil
}

func (a OpenReview) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Reviews, a.ID, func(r *snapshot.Review) { r.OpenedBy, r.OpenedAt = s.By, s.At })
}

func openReview(v *snapshot.View, key id.Review) (*snapshot.Review, error) {
	r, ok := v.Reviews.Get(key)
	if !ok {
		return nil, found("id", v.Reviews, key)
	}
	if !r.CompletedAt.IsZero() {
		return nil, conflict("id", "The review is complete", "Complete the grant's next review")
	}
	return r, nil
}

// CompleteReview decides whether a grant goes on. Keeping it, or cutting it down,
// sets the next review; revoking it ends the grant at once. Cutting down can only
// take away, so one person does it: the grant stays as approved as it was, with a
// role that is a part of its role.
type CompleteReview struct {
	ID      id.Review              `json:"id"`
	Outcome snapshot.ReviewOutcome `json:"outcome"`
	// Resources is what is left of the role's, in its own words; MaxPatients and
	// MaxDailyBytes are lower caps. For cut-down, which needs one of them.
	Resources     map[string]snapshot.ResourceScope `json:"resources,omitempty"`
	MaxPatients   int                               `json:"max_patients,omitempty"`
	MaxDailyBytes int64                             `json:"max_daily_bytes,omitempty"`
}

func (a CompleteReview) Subject() snapshot.Subject { return subject(snapshot.NounReview, a.ID) }

func (a CompleteReview) apart(v *snapshot.View) []id.Person {
	if r, ok := v.Reviews.Get(a.ID); ok {
		return grantParties(v, r.Grant)
	}
	return nil
}

func (a CompleteReview) check(v *snapshot.View, _ Actor, now time.Time) error {
	r, err := openReview(v, a.ID)
	if err != nil {
		return err
	}
	if err := oneOf("outcome", a.Outcome, []snapshot.ReviewOutcome{snapshot.Keep, snapshot.CutDown, snapshot.Revoke}); err != nil {
		return err
	}
	if a.Outcome != snapshot.Revoke {
		if end := reviewEnds(v, r); !now.Before(end) {
			return conflict("outcome", "The time in which the review could keep the grant was over at "+end.Format(time.RFC3339), "Revoke it, or let it lapse; access needs a new request: sallyport request make")
		}
		if err := onboardingGrant(v, r.Grant); err != nil {
			return err
		}
	}
	cuts := len(a.Resources) > 0 || a.MaxPatients != 0 || a.MaxDailyBytes != 0
	switch {
	case a.Outcome != snapshot.CutDown && cuts:
		return badField("outcome", "takes nothing away, and something to take away is named", "Write cut-down")
	case a.Outcome != snapshot.CutDown:
		return nil
	case !cuts:
		return badField("resources", "is empty", "Write what is left: types, interactions and elements of the role; or lower caps")
	}
	return a.checkCut(v, r)
}

func (a CompleteReview) checkCut(v *snapshot.View, r *snapshot.Review) error {
	g, ok := v.Grants.Get(r.Grant)
	if !ok || g.State != snapshot.Approved {
		return conflict("id", "The grant of the review is not approved", "Complete the review with revoke")
	}
	role, ok := v.Roles.Get(g.Role)
	switch {
	case !ok:
		return conflict("id", "The role of the grant does not exist", "Complete the review with revoke")
	case a.MaxPatients < 0 || a.MaxPatients > g.MaxPatients:
		return badField("max_patients", "is not below the grant's", fmt.Sprintf("Write at most %d, or leave it out", g.MaxPatients))
	case a.MaxDailyBytes < 0 || a.MaxDailyBytes > g.MaxDailyBytes:
		return badField("max_daily_bytes", "is not below the grant's", fmt.Sprintf("Write at most %d, or leave it out", g.MaxDailyBytes))
	}
	if err := fresh("id", v.Roles, cutRole(r.ID)); err != nil {
		return err
	}
	if len(a.Resources) == len(role.Resources) && !slices.ContainsFunc(slices.Collect(maps.Keys(a.Resources)), func(typ string) bool {
		got, was := a.Resources[typ], role.Resources[typ]
		return len(got.Elements) < len(was.Elements) || len(got.Interactions) < len(was.Interactions)
	}) {
		return badField("resources", "takes nothing away", "Leave something out, or keep the grant")
	}
	return partOf("resources", a.Resources, role)
}

// cutRole is the role that a review made. The ids of reviews are the registry's own,
// and short.
func cutRole(r id.Review) id.Role { return id.Role("review-" + r) }

func (a CompleteReview) apply(e *snapshot.Edit, s Stamp) {
	v := e.View()
	r, ok := v.Reviews.Get(a.ID)
	if !ok {
		return
	}
	g, ok := v.Grants.Get(r.Grant)
	if !ok {
		g = &snapshot.Grant{}
	}
	var from, to id.Role
	switch {
	case g.State == snapshot.Ended || !ok:
	case a.Outcome == snapshot.CutDown:
		from, to = a.cut(e, g, r.ID)
		e.Put(nextReview(e, r.Grant, s))
	case a.Outcome == snapshot.Keep:
		e.Put(nextReview(e, r.Grant, s))
	default:
		endGrant(e, r.Grant, s)
	}
	change(e, v.Reviews, a.ID, func(r *snapshot.Review) {
		r.CompletedAt, r.CompletedBy, r.Outcome, r.From, r.Role = s.At, s.By, a.Outcome, from, to
	})
	closeIfDone(e, r.Campaign, s)
}

// cut puts what is left in the place of what the grant had.
func (a CompleteReview) cut(e *snapshot.Edit, g *snapshot.Grant, review id.Review) (from, to id.Role) {
	next := *g
	if role, ok := e.View().Roles.Get(g.Role); ok && len(a.Resources) > 0 {
		from, to = role.ID, cutRole(review)
		e.Put(derived(role, to, a.Resources, role.Approval)) // two people approved all of it
		next.Role = to
	}
	if a.MaxPatients > 0 {
		next.MaxPatients = a.MaxPatients
	}
	if a.MaxDailyBytes > 0 {
		next.MaxDailyBytes = a.MaxDailyBytes
	}
	e.Put(&next)
	return from, to
}

// LapseReview ends a grant that nobody reviewed, for good. The grant was closed
// since the review's deadline, and a late review would have opened it again; after
// the grace that the policy gives it needs a new request.
type LapseReview struct {
	ID id.Review `json:"id"`
}

func (a LapseReview) Subject() snapshot.Subject { return subject(snapshot.NounReview, a.ID) }

func (a LapseReview) check(v *snapshot.View, _ Actor, now time.Time) error {
	r, err := openReview(v, a.ID)
	if err != nil {
		return err
	}
	if end := reviewEnds(v, r); now.Before(end) {
		return conflict("id", "The review can still be done", "Wait until "+end.Format(time.RFC3339)+", or complete it")
	}
	return nil
}

// reviewEnds is when a review can keep its grant no longer, whether or not anybody has
// written down that it lapsed.
func reviewEnds(v *snapshot.View, r *snapshot.Review) time.Time {
	return r.DueAt.Add(v.Settings.Access.ReviewGrace)
}

func (a LapseReview) apply(e *snapshot.Edit, s Stamp) {
	r, ok := e.View().Reviews.Get(a.ID)
	if !ok {
		return
	}
	if g, ok := e.View().Grants.Get(r.Grant); ok && g.State != snapshot.Ended {
		endGrant(e, r.Grant, s)
	}
	change(e, e.View().Reviews, a.ID, func(r *snapshot.Review) { r.CompletedAt, r.CompletedBy, r.Outcome = s.At, s.By, snapshot.Lapsed })
	closeIfDone(e, r.Campaign, s)
}
