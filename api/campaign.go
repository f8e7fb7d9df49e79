package api

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// CampaignItem is one grant to be reviewed, with what a reviewer needs to decide.
type CampaignItem struct {
	Review *snapshot.Review `json:"review"`
	Grant  *snapshot.Grant  `json:"grant"`
	Vendor id.Vendor        `json:"vendor"`
	Scope  RoleFields       `json:"scope"`
	Since  time.Time        `json:"since" doc:"The last review, or the approval"`
	// Used is nil where this node does not know: then nothing is proposed.
	Used *disclosure.Usage `json:"used"`
	// Unused are rights of the role that nobody used, and Proposed is what is left
	// without them: the resources of a cut-down.
	Unused   []string                          `json:"unused" doc:"Type, Type.interaction or Type.element"`
	Proposed map[string]snapshot.ResourceScope `json:"proposed,omitempty"`
	Propose  snapshot.ReviewOutcome            `json:"propose" doc:"keep, cut-down or revoke: by use alone"`
	Peers    []Peer                            `json:"peers" doc:"Other grants in force on the engagement"`
	Findings []*snapshot.Finding               `json:"findings" doc:"Not settled, about the vendor or the person"`
	Holds    []*snapshot.Hold                  `json:"holds" doc:"Not lifted, on anything of the grant"`
}

// Peer is another grant on the same engagement.
type Peer struct {
	Grant  id.Grant  `json:"grant"`
	Person id.Person `json:"person"`
	App    id.App    `json:"app"`
	Role   id.Role   `json:"role"`
	// More and Less are what it has beyond this one, and what it lacks.
	More []string `json:"more"`
	Less []string `json:"less"`
}

func (s *server) campaigns() {
	huma.Register(s.api, huma.Operation{OperationID: "campaign-items", Method: http.MethodGet, Path: "/v1/campaigns/{id}/items", Tags: []string{"campaigns"},
		Summary: "The grants of a campaign, with what each was used for, what it did not need, and what its peers have"},
		func(ctx context.Context, in *struct {
			ID    id.Campaign `path:"id"`
			After id.Review   `query:"after" doc:"The review after which to begin"`
			Limit int         `query:"limit" minimum:"1" maximum:"500" default:"100"`
		}) (*struct{ Body List[CampaignItem] }, error) {
			ctx, cancel := context.WithTimeout(ctx, readTimeout)
			defer cancel()
			v := s.Registry.View()
			c, err := campaignOf(v, in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			out := List[CampaignItem]{Version: v.Version(), Items: []CampaignItem{}}
			from := slices.Index(c.Reviews, in.After) + 1
			for _, key := range c.Reviews[from:min(len(c.Reviews), from+in.Limit)] {
				item, err := s.item(ctx, v, key)
				if err != nil {
					return nil, s.asProblem(ctx, err)
				}
				out.Items = append(out.Items, item)
			}
			return &struct{ Body List[CampaignItem] }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "campaign-report", Method: http.MethodGet, Path: "/v1/campaigns/{id}/report", Tags: []string{"campaigns"},
		Summary: "How a campaign was carried out: time for each item, share kept, and what looks like a rubber stamp (policy)"},
		func(ctx context.Context, in *struct {
			ID id.Campaign `path:"id"`
		}) (*struct{ Body registry.CampaignReport }, error) {
			v := s.Registry.View()
			c, err := campaignOf(v, in.ID)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body registry.CampaignReport }{registry.ReportOf(v, c)}, nil
		})
}

func campaignOf(v *snapshot.View, key id.Campaign) (*snapshot.Campaign, error) {
	c, ok := v.Campaigns.Get(key)
	if !ok {
		return nil, problem.New(problem.NotFound, "There is no campaign with this id", "List them: sallyport campaign list")
	}
	return c, nil
}

func (s *server) item(ctx context.Context, v *snapshot.View, key id.Review) (CampaignItem, error) {
	out := CampaignItem{Unused: []string{}, Peers: []Peer{}, Findings: []*snapshot.Finding{}, Holds: []*snapshot.Hold{}, Propose: snapshot.Keep}
	r, ok := v.Reviews.Get(key)
	if !ok {
		return out, problem.New(problem.Internal, "A review of the campaign is missing", "Tell the operator")
	}
	out.Review = r
	if out.Grant, ok = v.Grants.Get(r.Grant); !ok {
		return out, problem.New(problem.Internal, "A grant of the campaign is missing", "Tell the operator")
	}
	g := out.Grant
	out.Since = lastReviewed(v, g)
	if w, ok := v.Engagements.Get(g.Engagement); ok {
		out.Vendor = w.Vendor
	}
	role, ok := v.Roles.Get(g.Role)
	if !ok {
		role = &snapshot.Role{ID: g.Role}
	}
	out.Scope = s.fieldsOf(role)
	if s.Disclosures != nil {
		used, err := s.Disclosures.Usage(ctx, g.ID, out.Since)
		if err != nil {
			return out, err
		}
		out.Used = &used
		out.Unused, out.Proposed = unused(role, used, s.shown(role, used))
		switch {
		case used.Decisions == 0:
			out.Propose, out.Proposed = snapshot.Revoke, nil
		case len(out.Unused) > 0:
			out.Propose = snapshot.CutDown
		}
	}
	out.Peers = append(out.Peers, peers(v, g, role)...)
	for _, f := range v.Findings.All() {
		about := f.About.Noun == snapshot.NounPerson && f.About.ID == string(g.Person)
		if f.SettledAt.IsZero() && (about || f.Vendor == out.Vendor && f.Vendor != "") {
			out.Findings = append(out.Findings, f)
		}
	}
	on := []snapshot.Subject{{Noun: snapshot.NounVendor, ID: string(out.Vendor)}, {Noun: snapshot.NounEngagement, ID: string(g.Engagement)},
		{Noun: snapshot.NounPerson, ID: string(g.Person)}, {Noun: snapshot.NounApp, ID: string(g.App)}, {Noun: snapshot.NounGrant, ID: string(g.ID)}}
	for _, subject := range on {
		for _, h := range v.HoldsOn(subject) {
			if h.LiftedAt.IsZero() {
				out.Holds = append(out.Holds, h)
			}
		}
	}
	return out, nil
}

// lastReviewed is when somebody last decided that the grant goes on.
func lastReviewed(v *snapshot.View, g *snapshot.Grant) time.Time {
	last := g.ApprovedAt
	for _, r := range v.ReviewsOf(g.ID) {
		if (r.Outcome == snapshot.Keep || r.Outcome == snapshot.CutDown) && r.CompletedAt.After(last) {
			last = r.CompletedAt
		}
	}
	return last
}

// maxMarked is how many of a type's elements the log tells of.
const maxMarked = 512

// shown is what appeared under the role as it is now, by type. What appeared before it
// was changed says nothing about the numbers of its elements.
func (s *server) shown(role *snapshot.Role, used disclosure.Usage) map[string]disclosure.Shown {
	if s.View == nil {
		return nil
	}
	view, err := s.View(role)
	if err != nil {
		return nil // a role that shows nothing
	}
	out := map[string]disclosure.Shown{}
	for _, x := range used.Shown {
		if x.ScopeDigest == view {
			out[x.Type] = x
		}
	}
	return out
}

// unused are the rights of a role that were not used, and the scope that is left
// without them. A type that came along with another's answer, or inside it, was used,
// by reading. An element was not used where the log tells of every release of its type
// that it was not there; where none of a type's was, what was used is that there are
// such resources, and its elements stay.
func unused(role *snapshot.Role, used disclosure.Usage, shown map[string]disclosure.Shown) (names []string, left map[string]snapshot.ResourceScope) {
	names, left = []string{}, map[string]snapshot.ResourceScope{}
	for _, typ := range slices.Sorted(maps.Keys(role.Resources)) {
		s := role.Resources[typ]
		var keep, drop []string
		for _, i := range s.Interactions {
			if used.Interactions[typ+"."+i] > 0 || i == "read" && (used.Types[typ] > 0 || len(shown[typ].Elements) > 0) {
				keep = append(keep, i)
			} else {
				drop = append(drop, typ+"."+i)
			}
		}
		if len(keep) == 0 {
			names = append(names, typ)
			continue
		}
		names = append(names, drop...)
		elements := s.Elements
		if seen, ok := shown[typ]; ok && !seen.Partly && len(seen.Elements) > 0 {
			elements = nil
			for n, e := range slices.Compact(slices.Sorted(slices.Values(s.Elements))) {
				if n >= maxMarked || spec.TellsByPresence(typ, e) || slices.Contains(seen.Elements, n) {
					elements = append(elements, e)
				} else {
					names = append(names, typ+"."+e)
				}
			}
		}
		left[typ] = snapshot.ResourceScope{Interactions: keep, Elements: elements}
	}
	if len(left) == 0 {
		left = nil
	}
	return names, left
}

func peers(v *snapshot.View, g *snapshot.Grant, role *snapshot.Role) (out []Peer) {
	mine := rights(role)
	for k, other := range v.Grants.All() {
		if k == g.ID || other.Engagement != g.Engagement || other.State != snapshot.Approved {
			continue
		}
		r, ok := v.Roles.Get(other.Role)
		if !ok {
			r = &snapshot.Role{}
		}
		theirs := rights(r)
		out = append(out, Peer{k, other.Person, other.App, other.Role, without(theirs, mine), without(mine, theirs)})
	}
	return out
}

// rights are the interactions and elements of a role, as "Patient.read" and
// "Patient.gender".
func rights(r *snapshot.Role) (out []string) {
	for typ, s := range r.Resources {
		for _, x := range slices.Concat(s.Interactions, s.Elements) {
			out = append(out, typ+"."+x)
		}
	}
	slices.Sort(out)
	return out
}

func without(all, some []string) []string {
	return slices.DeleteFunc(append([]string{}, all...), func(x string) bool { _, has := slices.BinarySearch(some, x); return has })
}
