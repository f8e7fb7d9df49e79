package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// RoleFields is what a role shows, element by element, to pick from.
type RoleFields struct {
	Role    id.Role      `json:"role"`
	Title   string       `json:"title"`
	Profile string       `json:"profile" doc:"The de-identification profile"`
	Dates   string       `json:"dates"`
	IDs     string       `json:"identifiers"`
	Direct  bool         `json:"direct_identifiers" doc:"Whether the role lets direct identifiers and free text out where it names them"`
	Types   []TypeFields `json:"types"`
}

// TypeFields is one resource type of a role.
type TypeFields struct {
	Type         string       `json:"type"`
	Interactions []string     `json:"interactions"`
	Elements     []FieldShown `json:"elements"`
}

// FieldShown is an element that a role names.
type FieldShown struct {
	Element string   `json:"element" doc:"As a request names it"`
	Type    string   `json:"type" doc:"Of FHIR R4; several for a choice"`
	List    bool     `json:"list,omitempty"`
	Becomes []string `json:"becomes" doc:"What the profile makes of it and of what is in it: the words of docs/deid-rulings.md; empty: not known, so it is removed"`
	Direct  bool     `json:"direct_identifier" doc:"It is, or holds, a direct identifier or free text"`
	Removed bool     `json:"removed" doc:"Nothing of it leaves"`
}

// fieldsOf is what a role shows under its profile. It is pure.
func fieldsOf(r *snapshot.Role, rulings func(profile, path string) []string) RoleFields {
	out := RoleFields{Role: r.ID, Title: r.Title, Profile: r.Profile, Dates: string(r.Dates), IDs: string(r.Identifiers), Direct: r.DirectIdentifiers, Types: []TypeFields{}}
	for _, typ := range slices.Sorted(maps.Keys(r.Resources)) {
		s := r.Resources[typ]
		t := TypeFields{Type: typ, Interactions: s.Interactions, Elements: []FieldShown{}}
		for _, path := range s.Elements {
			f := FieldShown{Element: path, Becomes: []string{}}
			if _, e, ok := spec.Path(typ + "." + path); ok {
				f.Type, f.List = typesOf(typ+"."+path, e), e.List
			}
			if rulings != nil {
				f.Becomes = append(f.Becomes, becomes(rulings, r.Profile, typ, path)...)
			}
			f.Direct = slices.Contains(f.Becomes, "named")
			f.Removed = !slices.ContainsFunc(f.Becomes, func(w string) bool {
				return w != "removed" && w != "refused" && (w != "named" || r.DirectIdentifiers)
			})
			t.Elements = append(t.Elements, f)
		}
		out.Types = append(out.Types, t)
	}
	return out
}

// fieldsOf is the same, held to what the compiled role lets out: words are of an element by
// itself, and the rules of the role can take all of it.
func (s *server) fieldsOf(r *snapshot.Role) RoleFields {
	out := fieldsOf(r, s.Rulings)
	if s.Shows == nil {
		return out
	}
	shows, err := s.Shows(r)
	if err != nil {
		return out // a role that cannot be compiled shows nothing at the gateway
	}
	for _, t := range out.Types {
		for i := range t.Elements {
			if f := &t.Elements[i]; !f.Removed && !shows(t.Type+"."+f.Element) {
				f.Removed, f.Becomes = true, []string{"removed"}
			}
		}
	}
	return out
}

// becomes is what the profile makes of an element. Inside one that is a direct identifier, or
// removed, all is ruled on as that is, but for what a role gets by naming it: a State in an
// address (deid, compiler.rule).
func becomes(rulings func(profile, path string) []string, profile, typ, path string) []string {
	own := rulings(profile, typ+"."+path)
	for i, c := range path {
		if c != '.' {
			continue
		}
		above := rulings(profile, typ+"."+path[:i])
		switch {
		case len(above) != 1 || above[0] != "named" && above[0] != "removed":
		case above[0] == "named" && len(own) == 1 && own[0] == "asked":
		default:
			return above
		}
	}
	return own
}

// typesOf are the types of an element: all of them where it is a choice that is not
// narrowed.
func typesOf(path string, e *spec.Element) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	if !e.Choice || last == e.JSON {
		return e.Type.Name
	}
	var all []string
	if _, up, ok := spec.Path(strings.TrimSuffix(path, "."+last)); ok {
		all = choices(up.Type, e.Name)
	} else if t, ok := spec.Lookup(strings.TrimSuffix(path, "."+last)); ok {
		all = choices(t, e.Name)
	}
	return strings.Join(all, " | ")
}

func choices(t *spec.Type, name string) (out []string) {
	for _, e := range t.Elements {
		if e.Name == name && e.Choice {
			out = append(out, e.Type.Name)
		}
	}
	return out
}

// RequestPreview is what a request would cost: what stands in the way of it now, if
// it were approved this moment.
type RequestPreview struct {
	Open    bool          `json:"open" doc:"Every condition that you may see would be met"`
	EndsAt  time.Time     `json:"ends_at" doc:"When the access would end by itself"`
	Role    RoleFields    `json:"role" doc:"What it would show"`
	Rungs   []policy.Rung `json:"rungs" doc:"Each condition, as the worst of the questions met it"`
	Asked   int           `json:"asked" doc:"How many questions were judged: one for each type and interaction"`
	Assumed []string      `json:"assumed"`
}

// MyAccess is what a person has and may ask for.
type MyAccess struct {
	Person       id.Person           `json:"person"`
	Vendor       id.Vendor           `json:"vendor,omitempty"`
	Requests     []*snapshot.Request `json:"requests"`
	Grants       []MyGrant           `json:"grants"`
	Offers       []Offer             `json:"offers" doc:"Engagements, with the roles that can be asked for"`
	Apps         []id.App            `json:"apps"`
	Devices      []id.Device         `json:"devices"`
	MaxMinutes   int                 `json:"max_minutes" doc:"The longest access by a request (policy)"`
	MaxElevation int                 `json:"max_elevation_minutes" doc:"The longest elevation (policy)"`
}

// MyGrant is a grant as the person who has it sees it.
type MyGrant struct {
	ID         id.Grant      `json:"id"`
	Engagement id.Engagement `json:"engagement"`
	App        id.App        `json:"app"`
	Role       id.Role       `json:"role"`
	State      string        `json:"state"`
	StartsAt   time.Time     `json:"starts_at"`
	EndsAt     time.Time     `json:"ends_at"`
	Elevates   id.Grant      `json:"elevates,omitempty"`
	Ticket     string        `json:"ticket,omitempty"`
}

// Offer is what can be asked for on an engagement.
type Offer struct {
	Engagement id.Engagement `json:"engagement"`
	Roles      []id.Role     `json:"roles"`
}

func (s *server) access() {
	huma.Register(s.api, huma.Operation{OperationID: "role-fields", Method: http.MethodGet, Path: "/v1/roles/{id}/fields", Tags: []string{"roles"},
		Summary: "What a role shows, element by element, and what its profile makes of each", Description: "A vendor's people see the roles that they may ask for, and those in which their vendor has a grant."},
		func(ctx context.Context, in *struct {
			ID id.Role `path:"id"`
		}) (*struct{ Body RoleFields }, error) {
			v := s.Registry.View()
			r, ok := v.Roles.Get(in.ID)
			if !ok || !seesRole(v, caller(ctx), in.ID) {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, "There is no role with this id, or it is not offered to you", "See what can be asked for: GET /v1/my-access"))
			}
			return &struct{ Body RoleFields }{s.fieldsOf(r)}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "role-preview", Method: http.MethodPost, Path: "/v1/roles/preview", Tags: []string{"roles"},
		Summary: "What a role would show, element by element, and what its profile would make of each", Description: "The fields of the act role.define, also before all of them are filled in. Nothing is done, and nothing but the right to define a role is checked."},
		func(ctx context.Context, in *struct{ Body Fields }) (*struct{ Body RoleFields }, error) {
			a, err := registry.Decode("role.define", in.Body)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			if err := registry.Authorize(s.Acts, s.Registry.View(), actor(ctx), a, s.Now()); err != nil {
				return nil, s.asProblem(ctx, err)
			}
			d, ok := a.(registry.DefineRole)
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.Internal, "The role cannot be looked at", "Tell the operator"))
			}
			return &struct{ Body RoleFields }{s.fieldsOf(&snapshot.Role{ID: d.ID, Title: d.Title, Resources: d.Resources, Dates: d.Dates, Identifiers: d.Identifiers, DirectIdentifiers: d.DirectIdentifiers, Profile: d.Profile})}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "request-preview", Method: http.MethodPost, Path: "/v1/requests/preview", Tags: []string{"request"},
		Summary: "What stands in the way of a request, if it were approved now", Description: "The fields of the act request.make. Nothing is done."},
		func(ctx context.Context, in *struct{ Body Fields }) (*struct{ Body *RequestPreview }, error) {
			out, err := s.preview(ctx, in.Body)
			if err != nil {
				return nil, s.asProblem(ctx, err)
			}
			return &struct{ Body *RequestPreview }{out}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "my-access", Method: http.MethodGet, Path: "/v1/my-access", Tags: []string{"you"}, Summary: "What you have, and what you may ask for"},
		func(ctx context.Context, _ *struct{}) (*struct{ Body MyAccess }, error) {
			return &struct{ Body MyAccess }{accessOf(s.Registry.View(), caller(ctx))}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "emergency-procedures", Method: http.MethodGet, Path: "/v1/emergency-procedures", Tags: []string{"emergencies"},
		Summary: "How clinicians reach each source in an emergency (45 CFR 164.312(a)(2)(ii))", Description: "By the source's own procedure: this product is never in the path of care."},
		func(context.Context, *struct{}) (*struct{ Body []Procedure }, error) {
			return &struct{ Body []Procedure }{procedures(s.Registry.View())}, nil
		})
	huma.Register(s.api, huma.Operation{OperationID: "list-emergencies", Method: http.MethodGet, Path: "/v1/emergencies", Tags: []string{"emergencies"}, Summary: "List emergencies"},
		func(_ context.Context, in *struct {
			After   string `query:"after" doc:"The id after which to begin"`
			Limit   int    `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
			Overdue bool   `query:"overdue" doc:"Only those that nobody reviewed in time (policy)"`
		}) (*struct {
			Body List[*snapshot.Emergency]
		}, error) {
			v, now := s.Registry.View(), s.Now()
			out := page(v.Version(), v.Emergencies, in.After, in.Limit, func(e *snapshot.Emergency) bool { return !in.Overdue || e.Overdue(now) })
			return &struct {
				Body List[*snapshot.Emergency]
			}{out}, nil
		})
	one(s, "emergencies", func(v *snapshot.View) snapshot.Table[id.Emergency, snapshot.Emergency] { return v.Emergencies })
	s.campaigns()
}

// seesRole reports whether the caller may look at the role: the organisation's people
// at each, a vendor's at those that are offered to it and those that it has.
func seesRole(v *snapshot.View, who id.Person, role id.Role) bool {
	p, ok := v.Persons.Get(who)
	if !ok || p.Vendor == "" {
		return ok
	}
	for _, w := range v.EngagementsOf(p.Vendor) {
		if slices.Contains(registry.RolesFor(v, w.ID), role) || slices.ContainsFunc(v.GrantsOf(w.ID), func(g *snapshot.Grant) bool { return g.Role == role }) {
			return true
		}
	}
	return false
}

func accessOf(v *snapshot.View, who id.Person) MyAccess {
	rule := v.Settings.Access
	out := MyAccess{Person: who, Requests: []*snapshot.Request{}, Grants: []MyGrant{}, Offers: []Offer{}, Apps: []id.App{}, Devices: []id.Device{},
		MaxMinutes: int(rule.MaxRequest / time.Minute), MaxElevation: int(rule.MaxElevation / time.Minute)}
	p, ok := v.Persons.Get(who)
	if !ok {
		return out
	}
	out.Vendor = p.Vendor
	for _, r := range v.Requests.All() {
		if r.Person == who {
			out.Requests = append(out.Requests, r)
		}
	}
	for _, g := range v.GrantsOfPerson(who) {
		out.Grants = append(out.Grants, MyGrant{g.ID, g.Engagement, g.App, g.Role, string(g.State), g.StartsAt, g.EndsAt, g.Elevates, g.Ticket})
	}
	if p.Vendor == "" {
		return out // the organisation's people have no vendor's things
	}
	for _, w := range v.EngagementsOf(p.Vendor) {
		if w.State == snapshot.Approved {
			out.Offers = append(out.Offers, Offer{w.ID, append([]id.Role{}, registry.RolesFor(v, w.ID)...)})
		}
	}
	for _, a := range v.AppsOf(p.Vendor) {
		if a.State == snapshot.Approved {
			out.Apps = append(out.Apps, a.ID)
		}
	}
	for _, d := range v.DevicesOf(p.Vendor) {
		if d.State == snapshot.Approved {
			out.Devices = append(out.Devices, d.ID)
		}
	}
	return out
}

// preview judges the request as if it were approved now. What the caller may not ask
// for is refused first, as the act would be.
func (s *server) preview(ctx context.Context, fields Fields) (*RequestPreview, error) {
	a, err := registry.Decode("request.make", fields)
	if err != nil {
		return nil, err
	}
	v, by, now := s.Registry.View(), actor(ctx), s.Now()
	if err := registry.Authorize(s.Acts, v, by, a, now); err != nil {
		return nil, err
	}
	if err := registry.Check(v, by, a, now); err != nil {
		return nil, err
	}
	confirmed := v.Confirmed()
	ask := registry.Stamp{ID: id.New[id.Act](now), By: by.Name(), At: now}
	v, changed := registry.Apply(v, a, ask)
	q, ok := changed[0].(*snapshot.Request)
	if !ok {
		return nil, problem.New(problem.Internal, "The request cannot be judged", "Tell the operator")
	}
	approve := registry.ApproveRequest{ID: q.ID}
	if err := registry.Check(v, by, approve, now); err != nil {
		return nil, err
	}
	v, _ = registry.Apply(v, approve, registry.Stamp{ID: id.New[id.Act](now), By: "the-approver", At: now})
	v = v.Confirm(confirmed)
	q, _ = v.Requests.Get(q.ID)
	g, _ := v.Grants.Get(q.Grant)
	role, ok := v.Roles.Get(g.Role)
	if !ok {
		return nil, problem.New(problem.Internal, "The request cannot be judged", "Tell the operator")
	}
	out := &RequestPreview{EndsAt: g.EndsAt, Role: s.fieldsOf(role), Open: true}
	var assumed Explanation
	audience := policy.Owner
	if p, ok := v.Persons.Get(by.Person); ok && p.Vendor != "" {
		audience = policy.VendorToo
	}
	for _, typ := range slices.Sorted(maps.Keys(role.Resources)) {
		for _, interaction := range role.Resources[typ].Interactions {
			question, err := s.asked(v, Question{Grant: g.ID, Interaction: interaction, Resources: []string{typ}}, &assumed)
			if err != nil {
				return nil, err
			}
			question.Now = now.Truncate(time.Millisecond).Add(time.Millisecond) // gates know no less; the grant has begun
			out.merge(policy.Explain(s.Policy, question).For(audience))
		}
	}
	slices.Sort(assumed.Assumed)
	out.Assumed = append([]string{"the request is approved now, for all the time that it asks for"}, slices.Compact(assumed.Assumed)...)
	if audience != policy.Owner {
		out.Assumed = append(out.Assumed, "conditions that are the organisation's own are not shown")
	}
	return out, nil
}

// merge keeps of each condition the first failing answer, or else the first.
func (p *RequestPreview) merge(l policy.Ladder) {
	p.Asked++
	for _, rung := range l.Rungs {
		p.Open = p.Open && rung.Pass
		at := slices.IndexFunc(p.Rungs, func(r policy.Rung) bool { return r.Gate == rung.Gate })
		switch {
		case at < 0:
			p.Rungs = append(p.Rungs, rung)
		case p.Rungs[at].Pass && !rung.Pass:
			p.Rungs[at] = rung
		}
	}
}

// Procedure is how a source is reached in an emergency.
type Procedure struct {
	Source    id.Source `json:"source"`
	Procedure string    `json:"procedure" doc:"In words, or an address; empty: none is configured, which is to be mended"`
	Citation  string    `json:"citation"`
}

func procedures(v *snapshot.View) []Procedure {
	out := []Procedure{}
	for _, src := range v.Settings.Sources {
		out = append(out, Procedure{src.ID, src.EmergencyProcedure, "45 CFR 164.312(a)(2)(ii)"})
	}
	return out
}

func page[K ~string, V any](version uint64, t snapshot.Table[K, V], after string, limit int, want func(*V) bool) List[*V] {
	out := List[*V]{Version: version, Items: []*V{}}
	for _, row := range t.After(K(after)) {
		if !want(row) {
			continue
		}
		if len(out.Items) == limit {
			break
		}
		out.Items = append(out.Items, row)
	}
	return out
}

// one registers the read of one record.
func one[K ~string, V any](s *server, plural string, table func(*snapshot.View) snapshot.Table[K, V]) {
	huma.Register(s.api, huma.Operation{OperationID: "get-" + plural, Method: http.MethodGet, Path: "/v1/" + plural + "/{id}", Summary: "One of the " + plural, Tags: []string{plural}},
		func(ctx context.Context, in *struct {
			ID string `path:"id"`
		}) (*struct{ Body *V }, error) {
			row, ok := table(s.Registry.View()).Get(K(in.ID))
			if !ok {
				return nil, s.asProblem(ctx, problem.New(problem.NotFound, fmt.Sprintf("There is none of the %s with this id", plural), "List them: GET /v1/"+plural))
			}
			return &struct{ Body *V }{row}, nil
		})
}
