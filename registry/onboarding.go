package registry

import (
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/agreement"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// onboarding refuses an approval, and the keeping of a grant at its review, while an
// agreement that it rests on lacks a term whose lack blocks onboarding (policy; the
// catalogue's on_fail). What was approved before goes on until its review.
func onboarding(v *snapshot.View, papers []id.Agreement) error {
	for _, key := range papers {
		g, ok := v.Agreements.Get(key)
		if !ok {
			continue // exists is another check's word
		}
		if blocks := agreement.Blocks(g); len(blocks) > 0 {
			var terms []string
			for _, d := range blocks {
				terms = append(terms, d.Term+" ("+d.Field+")")
			}
			return conflict("id", fmt.Sprintf("Agreement %q lacks terms without which nobody is taken on or kept: %s", key, strings.Join(terms, ", ")),
				"See what each needs (sallyport agreement check "+string(key)+"), and amend the agreement")
		}
	}
	return nil
}

// onboardingVendor asks it of the vendor's agreements that were approved.
func onboardingVendor(v *snapshot.View, vendor id.Vendor) error {
	var papers []id.Agreement
	for _, a := range v.AgreementsOf(vendor) {
		if a.State == snapshot.Approved && a.TerminatedAt.IsZero() {
			papers = append(papers, a.ID)
		}
	}
	return onboarding(v, papers)
}

// onboardingEngagement asks it of an engagement's agreements.
func onboardingEngagement(v *snapshot.View, engagement id.Engagement) error {
	if e, ok := v.Engagements.Get(engagement); ok {
		return onboarding(v, e.Agreements)
	}
	return nil
}

// onboardingGrant asks it of a grant's engagement.
func onboardingGrant(v *snapshot.View, grant id.Grant) error {
	if g, ok := v.Grants.Get(grant); ok {
		return onboardingEngagement(v, g.Engagement)
	}
	return nil
}

// agencyPaper is an agreement with the vendor, in effect at that time, that calls it
// the organisation's agent (BAA-R25).
func agencyPaper(v *snapshot.View, vendor id.Vendor, at time.Time) (id.Agreement, bool) {
	for _, g := range v.AgreementsOf(vendor) {
		ended := !g.TerminatedAt.IsZero() && g.TerminatedAt.Before(at) || !g.EndsAt.IsZero() && g.EndsAt.Before(at)
		if !g.ApprovedAt.IsZero() && !g.EffectiveAt.After(at) && !ended && agreement.IsAgent(g) {
			return g.ID, true
		}
	}
	return "", false
}
