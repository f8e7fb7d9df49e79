package gate

import (
	_ "embed" // the policy
	"time"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed review.cedar
var reviewCedar string

// HIPAA asks for periodic review and sets no interval (policy). Without a review
// on the calendar the organisation's interval runs from the last one that was
// completed, or from the grant's approval; without an interval the gate refuses.
var review = policy.Gate{
	ID:       "review",
	Title:    "No access review of the grant is overdue",
	Policy:   reviewCedar,
	Cites:    []string{"S-308-a-4-ii-C", "S-308-a-1-ii-D"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		due, revoked := reviewDue(c, f)
		f.End("due_at", due)
		f.Bool("revoked", revoked)
	},
	Reasons: []policy.Reason{
		{Code: "overdue", Message: "The access review of the grant is overdue, or none is planned", NextStep: "Complete the review (review complete)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Ended("due_at") }},
		{Code: "revoked", Message: "A reviewer decided that the grant should end, or nobody reviewed it until it was too late", NextStep: "Ask for a new grant, and say why it is needed", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Is("revoked") }},
	},
}

// reviewDue is when the next review is due; the zero time if none ever will be. An
// elevation stands on the reviews of the grant that it lifts, too.
func reviewDue(c *policy.Case, f *policy.Facts) (due time.Time, revoked bool) {
	if c.GrantRecord == nil {
		return time.Time{}, false
	}
	due, revoked = dueOf(c, f, c.GrantRecord)
	if c.GrantRecord.Elevates == "" {
		return due, revoked
	}
	base, ok := c.View.Grants.Get(c.GrantRecord.Elevates)
	if !ok {
		return time.Time{}, revoked
	}
	baseDue, baseRevoked := dueOf(c, f, base)
	if baseDue.Before(due) {
		due = baseDue
	}
	return due, revoked || baseRevoked
}

func dueOf(c *policy.Case, f *policy.Facts, g *snapshot.Grant) (due time.Time, revoked bool) {
	last := g.ApprovedAt
	for _, r := range c.View.ReviewsOf(g.ID) { // earliest due first
		done := f.Passed(r.CompletedAt) && r.CompletedBy != ""
		switch {
		case done && (r.Outcome == snapshot.Keep || r.Outcome == snapshot.CutDown):
			if last.Before(r.CompletedAt) {
				last = r.CompletedAt
			}
		case done && (r.Outcome == snapshot.Revoke || r.Outcome == snapshot.Lapsed):
			revoked = true
		case due.IsZero():
			due = r.DueAt
		}
	}
	if every := c.View.Settings.ReviewEvery; due.IsZero() && every > 0 && !last.IsZero() {
		due = last.Add(every)
	}
	return due, revoked
}
