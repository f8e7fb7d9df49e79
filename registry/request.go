package registry

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// MaxRequests is how many requests of one person can wait, or be made in a day (policy).
const MaxRequests = 20

// madeBy is what the id of a grant or a role that a request led to begins with.
const madeBy = "request-"

// MakeRequest asks for access: the smallest part of a role that fits the purpose,
// for how long and why. A vendor's person asks for themself; one of the
// organisation's people may write it down for them.
type MakeRequest struct {
	ID     id.Request `json:"id,omitempty"`     // made if left out
	Person id.Person  `json:"person,omitempty"` // who shall have it; left out: who asks
	// Engagement and App may be left out where Elevates is given.
	Engagement id.Engagement `json:"engagement,omitempty"`
	App        id.App        `json:"app,omitempty"`
	Devices    []id.Device   `json:"devices,omitempty"`
	Role       id.Role       `json:"role"`
	// Resources is the part of the role that would do: some of its types, each with
	// some of its interactions and elements, as the role writes them. Left out: all.
	Resources     map[string]snapshot.ResourceScope `json:"resources,omitempty"`
	Cohort        snapshot.Cohort                   `json:"cohort,omitzero"` // may be left out where Elevates is given
	Labels        []string                          `json:"labels,omitempty"`
	MaxPatients   int                               `json:"max_patients"`
	MaxDailyBytes int64                             `json:"max_daily_bytes"`
	Life          int                               `json:"life_minutes"`
	// Elevates is the person's own grant that is lifted for minutes or hours.
	Elevates id.Grant `json:"elevates,omitempty"`
	Ticket   string   `json:"ticket,omitempty"` // where the work is written down; needed with Elevates
	Why      string   `json:"why"`              // never patient data
}

func (a MakeRequest) Subject() snapshot.Subject { return subject(snapshot.NounRequest, a.ID) }

// full is the request with what the grant that it elevates says filled in, and the
// person who asks.
func (a MakeRequest) full(v *snapshot.View, by id.Person) MakeRequest {
	a.Person = cmp.Or(a.Person, by)
	g, ok := v.Grants.Get(a.Elevates)
	if !ok {
		return a
	}
	a.Engagement, a.App = cmp.Or(a.Engagement, g.Engagement), cmp.Or(a.App, g.App)
	if len(a.Devices) == 0 {
		a.Devices = g.Devices
	}
	if a.Cohort == (snapshot.Cohort{}) {
		a.Cohort = g.Cohort
	}
	return a
}

// Only what is of the person's own vendor is about them. Of all else a vendor's
// person is told the same, whether it exists or not.
func (a MakeRequest) about(v *snapshot.View, by Actor) party {
	a = a.full(v, by.Person)
	p, ok := v.Persons.Get(a.Person)
	work, worked := v.Engagements.Get(a.Engagement)
	if !ok || !worked || p.Vendor == "" || work.Vendor != p.Vendor {
		return party{}
	}
	return party{person: p.ID}
}

func (a MakeRequest) check(v *snapshot.View, by Actor, now time.Time) error {
	a = a.full(v, by.Person)
	if err := exists("engagement", v.Engagements, a.Engagement); err != nil {
		return err
	}
	if p, ok := v.Persons.Get(by.Person); a.ID != "" && ok && p.Vendor != "" {
		return badField("id", "is the organisation's to choose", "Leave it out: the answer has it") // or it would tell which are in use
	}
	if err := freshOrNone("id", v.Requests, a.ID); err != nil {
		return err
	}
	if len(a.ID) > id.MaxLen-len(madeBy) {
		return badField("id", "is too long", fmt.Sprintf("Use at most %d letters: the grant is named after it", id.MaxLen-len(madeBy)))
	}
	work, _ := v.Engagements.Get(a.Engagement)
	if work.State != snapshot.Approved || !work.EndsAt.After(now) {
		return badField("engagement", "is not approved, or over", "Name an engagement that goes on")
	}
	if err := first(
		personOf(v, "person", a.Person, work.Vendor),
		vendorsOwn("app", v.Apps, a.App, work.Vendor, func(x *snapshot.App) id.Vendor { return x.Vendor }),
		each("devices", a.Devices, func(f string, d id.Device) error {
			return vendorsOwn(f, v.Devices, d, work.Vendor, func(x *snapshot.Device) id.Vendor { return x.Vendor })
		}),
		unique("devices", a.Devices)); err != nil {
		return err
	}
	switch {
	case len(a.Devices) == 0:
		return badField("devices", "is empty", "Name the devices from which the app works")
	case a.MaxPatients < 1:
		return badField("max_patients", "is not above zero", "Write how many distinct patients are needed")
	case a.MaxDailyBytes < 1:
		return badField("max_daily_bytes", "is not above zero", "Write how many bytes a day are needed")
	case requestsOf(v, a.Person, now) >= MaxRequests:
		return conflict("person", fmt.Sprintf("%d requests wait, or were made since yesterday", MaxRequests), "Ask for more in one, or tomorrow")
	}
	return first(
		a.checkScope(v, work),
		checkCohort("cohort", a.Cohort),
		each("labels", a.Labels, checkLabel), unique("labels", a.Labels),
		a.checkElevation(v, now),
		checkLife("life_minutes", a.Life, maxLife(v, a.Elevates)),
		required("why", a.Why, `"Calibrate the triage model on reports of May"`))
}

// vendorsOwn wants a record of the vendor. Of another's it says what it says of
// none, and it offers the vendor's own names alone.
func vendorsOwn[K ~string, V any](field string, t snapshot.Table[K, V], key K, vendor id.Vendor, of func(*V) id.Vendor) error {
	if r, ok := t.Get(key); ok && of(r) == vendor {
		return nil
	}
	if err := formed(field, key); err != nil {
		return err
	}
	var own []string
	for k, r := range t.All() {
		if of(r) == vendor {
			own = append(own, string(k))
		}
	}
	return badField(field, fmt.Sprintf("the vendor has no %q", string(key)), meant(string(key), own, "Name one of its own"))
}

func requestsOf(v *snapshot.View, person id.Person, now time.Time) (n int) {
	for _, r := range v.Requests.All() {
		if r.Person == person && (r.Open(now) || now.Sub(r.AskedAt) < 24*time.Hour) {
			n++
		}
	}
	return n
}

// RolesFor lists the roles that people of the engagement may ask for: those that
// are offered to it, and those in which it has a grant. Parts of roles are none.
func RolesFor(v *snapshot.View, e id.Engagement) []id.Role {
	var out []id.Role
	for _, g := range v.Grants.All() {
		if r, ok := v.Roles.Get(g.Role); ok && g.Engagement == e && g.State == snapshot.Approved {
			out = append(out, cmp.Or(r.DerivedFrom, r.ID))
		}
	}
	for k, r := range v.Roles.All() {
		if slices.Contains(r.OfferedTo, e) && r.DerivedFrom == "" {
			out = append(out, k)
		}
	}
	out = slices.DeleteFunc(out, func(k id.Role) bool { r, ok := v.Roles.Get(k); return !ok || r.State != snapshot.Approved })
	slices.Sort(out)
	return slices.Compact(out)
}

func (a MakeRequest) checkScope(v *snapshot.View, work *snapshot.Engagement) error {
	open := RolesFor(v, work.ID)
	if !slices.Contains(open, a.Role) {
		names := make([]string, len(open))
		for i, r := range open {
			names[i] = string(r)
		}
		return badField("role", "is not offered to the engagement", meant(string(a.Role), names, "Use one of "+cmp.Or(join(names), "none: ask the organisation to offer one (offered_to)")))
	}
	role, _ := v.Roles.Get(a.Role)
	return partOf("resources", a.Resources, role)
}

// partOf wants a scope that is a part of the role's, in the role's own words: an
// element below one that the role names could show what the role does not name.
func partOf(field string, part map[string]snapshot.ResourceScope, role *snapshot.Role) error {
	for _, typ := range slices.Sorted(maps.Keys(part)) {
		of, ok := role.Resources[typ]
		if !ok {
			return badField(field+"."+typ, "is not in the role", meant(typ, slices.Collect(maps.Keys(role.Resources)), "Leave it out, or ask for another role"))
		}
		s := part[typ]
		if err := first(
			some(field+"."+typ+".interactions", s.Interactions, of.Interactions),
			some(field+"."+typ+".elements", s.Elements, of.Elements)); err != nil {
			return err
		}
	}
	return nil
}

// some wants at least one, each once, and none but those that there are.
func some(field string, got, of []string) error {
	if len(got) == 0 {
		return badField(field, "is empty", "Name at least one of "+join(of))
	}
	return first(unique(field, got), each(field, got, func(f, x string) error {
		if !slices.Contains(of, x) {
			return badField(f, fmt.Sprintf("the role does not name %q", x), meant(x, of, "Use one of "+join(of)))
		}
		return nil
	}))
}

func (a MakeRequest) checkElevation(v *snapshot.View, now time.Time) error {
	if a.Elevates == "" {
		if a.Ticket != "" {
			return formed("ticket", a.Ticket)
		}
		return nil
	}
	g, ok := v.Grants.Get(a.Elevates)
	switch {
	case !ok || g.Person != a.Person || g.Engagement != a.Engagement || g.App != a.App:
		return badField("elevates", "is not a grant of this person, app and engagement", "Name the grant under which the person works")
	case !g.Live(now) || g.Elevates != "":
		return badField("elevates", "is not in force, or an elevation itself", "Name a grant that is in force")
	}
	return formed("ticket", a.Ticket)
}

// maxLife is how long access by a request can last (policy).
func maxLife(v *snapshot.View, elevates id.Grant) time.Duration {
	if elevates != "" {
		return v.Settings.Access.MaxElevation
	}
	return min(v.Settings.Access.MaxRequest, MaxGrant)
}

func checkLife(field string, minutes int, most time.Duration) error {
	if minutes < 1 || minutes > int(most/time.Minute) {
		return badField(field, fmt.Sprintf("is not between 1 and %d", int(most/time.Minute)), "Ask for less: access ends by itself, and can be asked for again (policy)")
	}
	return nil
}

func (a MakeRequest) apply(e *snapshot.Edit, s Stamp) {
	a = a.full(e.View(), s.By)
	r := &snapshot.Request{ID: cmp.Or(a.ID, id.Request(s.ID)), Person: a.Person, Engagement: a.Engagement, App: a.App, Devices: a.Devices,
		Role: a.Role, Resources: a.Resources, Cohort: a.Cohort, Labels: a.Labels, MaxPatients: a.MaxPatients, MaxDailyBytes: a.MaxDailyBytes,
		Life: a.Life, Elevates: a.Elevates, Ticket: a.Ticket, Why: a.Why, Stage: snapshot.RequestOpen, AskedAt: s.At,
		ExpiresAt: s.At.Add(e.View().Settings.Access.RequestLapse)}
	if w, ok := e.View().Engagements.Get(a.Engagement); ok {
		r.Vendor = w.Vendor
	}
	if s.By != a.Person {
		r.AskedBy = s.By
	}
	e.Put(r)
}

// ApproveRequest gives what was asked for, or less: a shorter time, fewer fields, fewer
// patients. It makes the grant, and sets its first review. If a part of a role is given,
// it makes the role that is that part. One act, so that none of it stands alone.
type ApproveRequest struct {
	ID   id.Request `json:"id"`
	Life int        `json:"life_minutes,omitempty"` // no more than was asked for; left out: what was
	// Resources is what is given of what was asked for; a type that it does not name is
	// not, and interactions that are left out are those that were asked for. Left out: all.
	Resources     map[string]snapshot.ResourceScope `json:"resources,omitempty"`
	MaxPatients   int                               `json:"max_patients,omitempty"`    // as life_minutes
	MaxDailyBytes int64                             `json:"max_daily_bytes,omitempty"` // as life_minutes
}

// given is what the approver gives of the role, where that is a part of it.
func (a ApproveRequest) given(v *snapshot.View, r *snapshot.Request) (part map[string]snapshot.ResourceScope, asked *snapshot.Role) {
	asked = &snapshot.Role{Resources: r.Resources}
	if role, ok := v.Roles.Get(r.Role); ok && len(r.Resources) == 0 {
		asked.Resources = role.Resources
	}
	if len(a.Resources) == 0 {
		return r.Resources, asked
	}
	part = map[string]snapshot.ResourceScope{}
	for typ, scope := range a.Resources {
		if len(scope.Interactions) == 0 {
			scope.Interactions = asked.Resources[typ].Interactions
		}
		part[typ] = scope
	}
	return part, asked
}

func (a ApproveRequest) Subject() snapshot.Subject { return subject(snapshot.NounRequest, a.ID) }

func (a ApproveRequest) apart(v *snapshot.View) []id.Person {
	if r, ok := v.Requests.Get(a.ID); ok {
		return []id.Person{cmp.Or(r.AskedBy, r.Person), r.Person}
	}
	return nil
}

func (a ApproveRequest) check(v *snapshot.View, _ Actor, now time.Time) error {
	r, err := openRequest(v, a.ID, now)
	if err != nil {
		return err
	}
	if err := checkLife("life_minutes", cmp.Or(a.Life, r.Life), min(time.Duration(r.Life)*time.Minute, maxLife(v, r.Elevates))); err != nil {
		return err
	}
	if err := first(fresh("id", v.Grants, grantOf(r.ID)), fresh("id", v.Roles, roleOf(r.ID))); err != nil {
		return err
	}
	switch {
	case a.MaxPatients < 0 || a.MaxPatients > r.MaxPatients:
		return badField("max_patients", "is more than was asked for", fmt.Sprintf("Write at most %d, or leave it out", r.MaxPatients))
	case a.MaxDailyBytes < 0 || a.MaxDailyBytes > r.MaxDailyBytes:
		return badField("max_daily_bytes", "is more than was asked for", fmt.Sprintf("Write at most %d, or leave it out", r.MaxDailyBytes))
	}
	if part, asked := a.given(v, r); len(a.Resources) > 0 {
		if err := partOf("resources", part, asked); err != nil {
			return err
		}
	}
	// Much may have changed since it was asked.
	ask := MakeRequest{Person: r.Person, Engagement: r.Engagement, App: r.App, Role: r.Role, Resources: r.Resources, Elevates: r.Elevates, Ticket: r.Ticket}
	work, ok := v.Engagements.Get(r.Engagement)
	if !ok || work.State != snapshot.Approved || !work.EndsAt.After(now) {
		return conflict("id", "The engagement is not approved, or over", "Deny the request: sallyport request deny")
	}
	if p, ok := v.Persons.Get(r.Person); !ok || p.State != snapshot.Approved {
		return conflict("id", "The person who asks is not approved", "Deny the request, or have the person approved")
	}
	return first(ask.checkScope(v, work), ask.checkElevation(v, now), onboarding(v, work.Agreements))
}

func openRequest(v *snapshot.View, key id.Request, now time.Time) (*snapshot.Request, error) {
	r, ok := v.Requests.Get(key)
	switch {
	case !ok:
		return nil, found("id", v.Requests, key)
	case r.Stage != snapshot.RequestOpen:
		return nil, conflict("id", "The request is "+string(r.Stage), "Ask again with another request")
	case !r.Open(now):
		return nil, conflict("id", "Nobody decided the request in time", "Ask again with another request")
	}
	return r, nil
}

func grantOf(r id.Request) id.Grant { return id.Grant(madeBy + r) }
func roleOf(r id.Request) id.Role   { return id.Role(madeBy + r) }

func (a ApproveRequest) apply(e *snapshot.Edit, s Stamp) {
	v := e.View()
	r, ok := v.Requests.Get(a.ID)
	if !ok {
		return
	}
	by := approved(snapshot.Approval{RequestedBy: cmp.Or(r.AskedBy, r.Person), RequestedAt: r.AskedAt}, s)
	role := r.Role
	if from, ok := v.Roles.Get(r.Role); ok {
		if part, _ := a.given(v, r); len(part) > 0 && !sameScope(part, from.Resources) {
			role = roleOf(r.ID)
			e.Put(derived(from, role, part, by))
		}
	}
	g := &snapshot.Grant{ID: grantOf(r.ID), Engagement: r.Engagement, App: r.App, Person: r.Person, Devices: r.Devices, Role: role, Cohort: r.Cohort,
		StartsAt: s.At, EndsAt: s.At.Add(time.Duration(cmp.Or(a.Life, r.Life)) * time.Minute), Labels: r.Labels,
		MaxPatients: cmp.Or(a.MaxPatients, r.MaxPatients), MaxDailyBytes: cmp.Or(a.MaxDailyBytes, r.MaxDailyBytes), Request: r.ID, Elevates: r.Elevates, Ticket: r.Ticket, Approval: by}
	if w, ok := v.Engagements.Get(r.Engagement); ok && w.EndsAt.Before(g.EndsAt) {
		g.EndsAt = w.EndsAt
	}
	if base, ok := v.Grants.Get(r.Elevates); ok && base.EndsAt.Before(g.EndsAt) {
		g.EndsAt = base.EndsAt
	}
	e.Put(g)
	e.Put(nextReview(e, g.ID, s))
	change(e, v.Requests, a.ID, func(r *snapshot.Request) {
		r.Stage, r.DecidedBy, r.DecidedAt, r.Grant = snapshot.RequestApproved, s.By, s.At, g.ID
	})
}

// sameScope reports whether two scopes name the same, in whatever order.
func sameScope(a, b map[string]snapshot.ResourceScope) bool {
	same := func(x, y []string) bool {
		return slices.Equal(slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y)))
	}
	return maps.EqualFunc(a, b, func(x, y snapshot.ResourceScope) bool {
		return same(x.Interactions, y.Interactions) && same(x.Elements, y.Elements)
	})
}

// derived is the role that is a part of another, under the same rules.
func derived(from *snapshot.Role, key id.Role, part map[string]snapshot.ResourceScope, by snapshot.Approval) *snapshot.Role {
	r := *from
	r.ID, r.Title, r.Resources, r.OfferedTo, r.Approval = key, "Part of "+string(from.ID), part, nil, by
	r.DerivedFrom = cmp.Or(from.DerivedFrom, from.ID)
	return &r
}

// DenyRequest says no.
type DenyRequest struct {
	ID id.Request `json:"id"`
}

func (a DenyRequest) Subject() snapshot.Subject { return subject(snapshot.NounRequest, a.ID) }

func (a DenyRequest) check(v *snapshot.View, _ Actor, now time.Time) error {
	_, err := openRequest(v, a.ID, now)
	return err
}

func (a DenyRequest) apply(e *snapshot.Edit, s Stamp) {
	closeRequest(e, a.ID, snapshot.RequestDenied, s)
}

func closeRequest(e *snapshot.Edit, key id.Request, stage snapshot.RequestStage, s Stamp) {
	change(e, e.View().Requests, key, func(r *snapshot.Request) { r.Stage, r.DecidedBy, r.DecidedAt = stage, s.By, s.At })
}

// WithdrawRequest takes a request back, by who asked.
type WithdrawRequest struct {
	ID id.Request `json:"id"`
}

func (a WithdrawRequest) Subject() snapshot.Subject { return subject(snapshot.NounRequest, a.ID) }

func (a WithdrawRequest) about(v *snapshot.View, _ Actor) party {
	if r, ok := v.Requests.Get(a.ID); ok {
		return party{person: r.Person}
	}
	return party{}
}

func (a WithdrawRequest) check(v *snapshot.View, _ Actor, now time.Time) error {
	_, err := openRequest(v, a.ID, now)
	return err
}

func (a WithdrawRequest) apply(e *snapshot.Edit, s Stamp) {
	closeRequest(e, a.ID, snapshot.RequestWithdrawn, s)
}

// LapseRequest writes down that nobody decided a request in time. It could not be
// approved since then.
type LapseRequest struct {
	ID id.Request `json:"id"`
}

func (a LapseRequest) Subject() snapshot.Subject { return subject(snapshot.NounRequest, a.ID) }

func (a LapseRequest) check(v *snapshot.View, _ Actor, now time.Time) error {
	r, ok := v.Requests.Get(a.ID)
	switch {
	case !ok:
		return found("id", v.Requests, a.ID)
	case r.Stage != snapshot.RequestOpen:
		return conflict("id", "The request is "+string(r.Stage), "Nothing is left to do")
	case r.Open(now):
		return conflict("id", "The request can still be decided", "Wait until "+r.ExpiresAt.Format(time.RFC3339)+", or deny it")
	}
	return nil
}

func (a LapseRequest) apply(e *snapshot.Edit, s Stamp) {
	closeRequest(e, a.ID, snapshot.RequestLapsed, s)
}
