package gate

import (
	_ "embed" // the policy

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed hold.cedar
var holdCedar string

// Why there is a hold (a finding, an incident) is not for the one who is held:
// the reason is the owner's. A hold stands from the moment that it is in the
// view, whatever the clock says, until it was lifted.
var hold = policy.Gate{
	ID:       "hold",
	Title:    "Nothing that the request stands on is on hold",
	Policy:   holdCedar,
	Cites:    []string{"S-308-a-6-ii", "P-504-e-1-ii"},
	Audience: policy.Owner,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		var holds int64
		named := true
		for _, s := range holdSubjects(c) {
			if s.ID == "" {
				named = false
				continue
			}
			for _, h := range c.View.HoldsOn(s) {
				if h.LiftedBy == "" || !f.Passed(h.LiftedAt) {
					holds++
					f.NoteWord("hold", string(h.ID)+" on "+string(s.Noun)+" "+s.ID)
				}
			}
		}
		f.Bool("named", named)
		f.Number("holds", holds)
	},
	Reasons: []policy.Reason{
		{Code: "not-named", Message: "Vendor, engagement, person, device, application and grant are not all named, so holds on them cannot be looked up", NextStep: "Ask with a known application and device, under a grant", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("named") }},
		{Code: "on-hold", Detail: "hold", Message: "There is a hold on the vendor or one of its subcontractors, the engagement, the person or the agent's owner, the device, the application or the grant", NextStep: "Settle what the hold was placed for and lift it (hold lift)", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Number("holds") > 0 }},
	},
}

// holdSubjects is everything a hold on which stops the request.
func holdSubjects(c *policy.Case) []snapshot.Subject {
	subjects := []snapshot.Subject{
		{Noun: snapshot.NounVendor, ID: string(c.Vendor)},
		{Noun: snapshot.NounApp, ID: string(c.App)},
		{Noun: snapshot.NounDevice, ID: string(c.Device)},
		{Noun: snapshot.NounGrant, ID: string(c.Grant)},
		{Noun: snapshot.NounEngagement},
		{Noun: snapshot.NounPerson},
	}
	if g := c.GrantRecord; g != nil {
		subjects[4].ID, subjects[5].ID = string(g.Engagement), string(g.Person)
	}
	if g := c.GrantRecord; g != nil && g.Elevates != "" {
		subjects = append(subjects, snapshot.Subject{Noun: snapshot.NounGrant, ID: string(g.Elevates)})
	}
	if a := c.AppRecord; a != nil && a.Kind == snapshot.Agent && a.Owner != "" {
		subjects = append(subjects, snapshot.Subject{Noun: snapshot.NounPerson, ID: string(a.Owner)}) // who answers for it
	}
	for _, v := range subcontractorTree(c) {
		subjects = append(subjects, snapshot.Subject{Noun: snapshot.NounVendor, ID: string(v)})
	}
	return subjects
}
