package registry

import (
	"cmp"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// Notice says who should hear of an act by another way than the one by which it was
// done, so that access is never given, taken or lifted behind somebody's back. It
// names people, duties and the vendor; where they are reached is not the registry's.
type Notice struct {
	Act     id.Act
	Kind    Kind
	Subject snapshot.Subject
	Vendor  id.Vendor // the vendor's contact; empty: not the vendor
	Person  id.Person // the person whose access it is; empty: nobody's
	Duties  []Duty    // the organisation's people with any of these
}

// told are the acts about access of which both sides hear, and who of the
// organisation's does.
var told = map[Kind][]Duty{
	"request.make":     {DataOwner},
	"request.approve":  {DataOwner, PrivacyOfficer},
	"request.deny":     {DataOwner},
	"request.withdraw": {DataOwner},
	"request.lapse":    {DataOwner},
	"grant.end-early":  {DataOwner, SecurityOfficer},
	"grant.revoke":     {DataOwner},
	"review.complete":  {DataOwner},
	"review.lapse":     {DataOwner, PrivacyOfficer},
	"emergency.report": {PrivacyOfficer, SecurityOfficer},
	"campaign.open":    {DataOwner, PrivacyOfficer},
}

// NoticeOf is who should hear of an act, by the view after it; ok is false where
// nobody need. A review that kept everything is no news to the vendor.
func NoticeOf(v *snapshot.View, e Entry) (n Notice, ok bool) {
	duties, ok := told[e.Kind]
	if !ok {
		return Notice{}, false
	}
	n = Notice{Act: e.ID, Kind: e.Kind, Subject: e.Subject, Duties: duties}
	grant := id.Grant("")
	switch e.Subject.Noun {
	case snapshot.NounRequest:
		if r, ok := v.Requests.Get(id.Request(e.Subject.ID)); ok {
			n.Vendor, n.Person = r.Vendor, r.Person
		}
	case snapshot.NounGrant:
		grant = id.Grant(e.Subject.ID)
	case snapshot.NounReview:
		if r, ok := v.Reviews.Get(id.Review(e.Subject.ID)); ok && r.Outcome != snapshot.Keep {
			grant = r.Grant
		}
	}
	if g, ok := v.Grants.Get(grant); ok {
		n.Person = cmp.Or(n.Person, g.Person)
		if w, ok := v.Engagements.Get(g.Engagement); ok {
			n.Vendor = w.Vendor
		}
	}
	return n, true
}
