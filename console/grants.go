package console

import (
	"net/url"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// grantPage is one grant.
type grantPage struct {
	*snapshot.Grant
	Stands   mark
	Vendor   id.Vendor
	RoleName string
	Cohort   string
	Doors    doors
	Reviews  []*snapshot.Review
	Latest   []disclosure.Row
	Lifted   []*snapshot.Grant // elevations of it
	Holds    []*snapshot.Hold
}

func (s *server) grant(v *visit) (grantPage, error) {
	g, ok := v.View.Grants.Get(id.Grant(v.PathValue("id")))
	if !ok {
		return grantPage{}, notFound()
	}
	p := grantPage{Grant: g, Stands: grantMark(v.View, g, v.Now), Vendor: vendorOfEngagement(v.View, g.Engagement), Cohort: grantCohort(g.Cohort), Reviews: v.View.ReviewsOf(g.ID)}
	v.call("Grant " + string(g.ID))
	v.under("Engagements", "/console/engagements", string(g.Engagement), tabPath("/console/engagements/", string(g.Engagement), "access"))
	if r, ok := v.View.Roles.Get(g.Role); ok {
		p.RoleName = r.Title
	}
	for _, h := range v.View.HoldsOn(snapshot.Subject{Noun: snapshot.NounGrant, ID: string(g.ID)}) {
		if h.LiftedAt.IsZero() {
			p.Holds = append(p.Holds, h)
		}
	}
	if e, ok := v.View.Engagements.Get(g.Engagement); ok {
		p.Doors = s.doorsOf(v, "doors", p.Vendor, []*snapshot.Grant{g})
		p.Doors.asked(v)
		for _, other := range v.View.GrantsOf(e.ID) {
			if other.Elevates == g.ID {
				p.Lifted = append(p.Lifted, other)
			}
		}
	}
	p.Doors.comes(s.ahead, v.Now, func(x forecast.Stop) bool { return containsGrant(x, g.ID) })
	p.Latest = s.activity.Newest(15, func(r disclosure.Row) bool { return r.Grant == g.ID })
	return p, nil
}

func containsGrant(x forecast.Stop, key id.Grant) bool {
	for _, g := range x.Grants {
		if g == key {
			return true
		}
	}
	return false
}

// grantCohort is whose data a grant reaches.
func grantCohort(c snapshot.Cohort) string {
	switch c.Kind {
	case snapshot.CohortAll:
		return "Every patient of the source"
	case snapshot.CohortGroup:
		return "The patients of the source's group " + c.Ref
	case snapshot.CohortList:
		return "The patients of the list " + c.Ref + ", kept in the vault"
	case snapshot.CohortSearch:
		return "The patients that the source finds by " + c.Ref
	}
	return "Nobody: the cohort is not defined"
}

// leavesWords are what becomes of an element, in plain words (docs/deid-rulings.md).
var leavesWords = map[string]string{
	"kept": "as it is", "year": "the year alone", "shifted": "moved by the patient's number of days", "code": "as the engagement's code", "reference": "references as codes",
	"canonical": "HL7's own", "zip3": "the first three digits", "zip": "if it is a ZIP code", "state": "if it is a State", "country": "if it is a country", "display": "words of code systems that are trusted",
	"scrubbed": "text that a scrubber went over", "extensions": "extensions that the profile names", "parts": "part by part", "asked": "because the role names it",
}

// Leaves is what of an element leaves under the role.
func (p rolePage) Leaves(f api.FieldShown) string {
	var out []string
	for _, w := range f.Becomes {
		switch {
		case w == "removed" || w == "refused":
			continue
		case w == "named" && p.DirectIdentifiers:
			w = "its free text and identifiers too"
		case w == "named":
			w = "without its free text and identifiers"
		case w == "role" && p.Dates == snapshot.DatesToYear:
			w = "dates to the year"
		case w == "role" && p.Dates == snapshot.ByProfile:
			w = "dates as the profile says"
		case w == "role":
			w = "dates and ids as they are"
		case leavesWords[w] != "":
			w = leavesWords[w]
		}
		out = append(out, w)
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// rolePage is a role: what of a source it shows.
type rolePage struct {
	*snapshot.Role
	Fields api.RoleFields
	Grants []*snapshot.Grant
	More   int
}

const roleGrants = 50

func (s *server) role(v *visit) (rolePage, error) {
	r, ok := v.View.Roles.Get(id.Role(v.PathValue("id")))
	if !ok {
		return rolePage{}, notFound()
	}
	v.call(r.Title)
	v.under("Engagements", "/console/engagements")
	p := rolePage{Role: r}
	if err := s.read(v, "/v1/roles/"+url.PathEscape(string(r.ID))+"/fields", &p.Fields); err != nil {
		return p, err
	}
	for _, g := range v.View.Grants.All() {
		if g.Role != r.ID || !g.Live(v.Now) {
			continue
		}
		if len(p.Grants) == roleGrants {
			p.More++
			continue
		}
		p.Grants = append(p.Grants, g)
	}
	return p, nil
}
