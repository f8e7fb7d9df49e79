package registry

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// RoleInteractions lists what a role can allow on a resource type, in FHIR's
// codes.
var RoleInteractions = []string{"read", "vread", "search-type", "everything"}

// DefineRole asks for a data scope. On a role that exists it replaces the
// scope, which then needs a new approval.
type DefineRole struct {
	ID                id.Role                           `json:"id"`
	Title             string                            `json:"title"`
	Resources         map[string]snapshot.ResourceScope `json:"resources"`
	Since             time.Time                         `json:"since,omitzero"`
	Until             time.Time                         `json:"until,omitzero"`
	Dates             snapshot.DateRule                 `json:"dates"`
	Identifiers       snapshot.IdentifierRule           `json:"identifiers"`
	DirectIdentifiers bool                              `json:"direct_identifiers,omitempty"`
	Profile           string                            `json:"profile"`
	MaxPageSize       int                               `json:"max_page_size"`
	// OfferedTo are engagements whose people may ask for the role, or a part of it.
	OfferedTo []id.Engagement `json:"offered_to,omitempty"`
}

func (a DefineRole) Subject() snapshot.Subject { return subject(snapshot.NounRole, a.ID) }

// knownProfile wants the name of a profile that the node offers, where the
// settings say which ones it does. The gate deidentification refuses whatever
// is not among them.
func knownProfile(v *snapshot.View, field, name string) error {
	if err := formed(field, name); err != nil {
		return err
	}
	if _, ok := v.Settings.ProfileNamed(name); ok || len(v.Settings.Profiles) == 0 {
		return nil
	}
	var names []string
	for _, p := range v.Settings.Profiles {
		names = append(names, p.Name)
	}
	return badField(field, fmt.Sprintf("%q is not a profile of this node", name), "Use one of "+join(names)+", or have the operator configure it")
}

// underProfile wants a role that is no laxer than its profile.
func (a DefineRole) underProfile(v *snapshot.View) error {
	if err := knownProfile(v, "profile", a.Profile); err != nil {
		return err
	}
	p, ok := v.Settings.ProfileNamed(a.Profile)
	if !ok {
		return nil // the settings do not say
	}
	laxer := fmt.Sprintf("is laxer than the profile %q, whose basis is %s", p.Name, p.Basis)
	switch {
	case a.Dates == snapshot.KeepDates && !p.KeepDates:
		return badField("dates", laxer, `Write "year", or "profile" for what the profile does with dates`)
	case a.Identifiers == snapshot.KeepIDs && !p.KeepIDs:
		return badField("identifiers", laxer, `Write "pseudonym"`)
	case a.DirectIdentifiers && !p.DirectIdentifiers:
		return badField("direct_identifiers", laxer, "Leave it out, or name another profile")
	}
	return nil
}

func (a DefineRole) check(v *snapshot.View, by Actor, _ time.Time) error {
	if old, ok := v.Roles.Get(a.ID); ok {
		if err := amendable(fmt.Sprintf("Role %q", a.ID), old.Approval, by); err != nil {
			return err
		}
		if old.DerivedFrom != "" {
			return conflict("id", fmt.Sprintf("Role %q is a part of %q, made by a request or a review", a.ID, old.DerivedFrom), "Define another role")
		}
	}
	if len(a.Resources) == 0 {
		return badField("resources", "is empty", "Name the resource types and their elements; what is not named is not released")
	}
	for _, typ := range slices.Sorted(maps.Keys(a.Resources)) {
		if err := checkScope("resources."+typ, typ, a.Resources[typ]); err != nil {
			return err
		}
	}
	if a.MaxPageSize < 1 || a.MaxPageSize > 1000 {
		return badField("max_page_size", "is not between 1 and 1000", "Write a number such as 50")
	}
	return first(formed("id", a.ID),
		required("title", a.Title, `"Triage of radiology reports"`),
		setOrNone("since", a.Since), setOrNone("until", a.Until), after("until", a.Until, "since", a.Since),
		oneOf("dates", a.Dates, []snapshot.DateRule{snapshot.DatesToYear, snapshot.KeepDates, snapshot.ByProfile}),
		oneOf("identifiers", a.Identifiers, []snapshot.IdentifierRule{snapshot.Pseudonyms, snapshot.KeepIDs}),
		a.underProfile(v),
		each("offered_to", a.OfferedTo, func(f string, w id.Engagement) error { return exists(f, v.Engagements, w) }),
		unique("offered_to", a.OfferedTo))
}

func checkScope(field, typ string, s snapshot.ResourceScope) error {
	if err := knownType(field, typ); err != nil {
		return err
	}
	if len(s.Interactions) == 0 {
		return badField(field+".interactions", "is empty", "Name at least one of "+join(RoleInteractions))
	}
	if len(s.Elements) == 0 {
		return badField(field+".elements", "is empty", `Name the elements to release, such as "code"`)
	}
	return first(
		each(field+".interactions", s.Interactions, func(f, i string) error {
			if i == "everything" && typ != "Patient" {
				return badField(f, "is for Patient", "Leave it out here")
			}
			return oneOf(f, i, RoleInteractions)
		}),
		unique(field+".interactions", s.Interactions),
		each(field+".elements", s.Elements, func(f, path string) error { return knownElement(f, typ, path) }),
		unique(field+".elements", s.Elements))
}

func (a DefineRole) apply(e *snapshot.Edit, s Stamp) {
	e.Put(&snapshot.Role{ID: a.ID, Title: a.Title, Resources: a.Resources, Since: a.Since.UTC(), Until: a.Until.UTC(),
		Dates: a.Dates, Identifiers: a.Identifiers, DirectIdentifiers: a.DirectIdentifiers, Profile: a.Profile,
		MaxPageSize: a.MaxPageSize, OfferedTo: a.OfferedTo, Approval: asked(s)})
}

// ApproveRole lets grants use the scope.
type ApproveRole struct {
	ID id.Role `json:"id"`
}

func (a ApproveRole) Subject() snapshot.Subject { return subject(snapshot.NounRole, a.ID) }

func (a ApproveRole) apart(v *snapshot.View) []id.Person {
	if r, ok := v.Roles.Get(a.ID); ok {
		return []id.Person{r.RequestedBy}
	}
	return nil
}

func (a ApproveRole) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return roleIn(v, a.ID, snapshot.Proposed)
}

func (a ApproveRole) apply(e *snapshot.Edit, s Stamp) {
	change(e, e.View().Roles, a.ID, func(r *snapshot.Role) { r.Approval = approved(r.Approval, s) })
}

func roleIn(v *snapshot.View, role id.Role, want ...snapshot.State) error {
	r, ok := v.Roles.Get(role)
	if !ok {
		return found("id", v.Roles, role)
	}
	return inState(fmt.Sprintf("Role %q", role), r.State, want...)
}

// RetireRole ends a scope for good, and with it what its grants may see.
type RetireRole struct {
	ID id.Role `json:"id"`
}

func (a RetireRole) Subject() snapshot.Subject { return subject(snapshot.NounRole, a.ID) }

func (a RetireRole) check(v *snapshot.View, _ Actor, _ time.Time) error {
	return roleIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended)
}

func (a RetireRole) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Roles, a.ID, func(r *snapshot.Role) { r.State = snapshot.Ended })
}

// OfferRole says whose people may ask for the role, or a part of it. Nothing is
// opened by it, so the role stays approved.
type OfferRole struct {
	ID        id.Role         `json:"id"`
	OfferedTo []id.Engagement `json:"offered_to"`
}

func (a OfferRole) Subject() snapshot.Subject { return subject(snapshot.NounRole, a.ID) }

func (a OfferRole) check(v *snapshot.View, _ Actor, _ time.Time) error {
	if err := roleIn(v, a.ID, snapshot.Proposed, snapshot.Approved, snapshot.Suspended); err != nil {
		return err
	}
	r, _ := v.Roles.Get(a.ID)
	if r.DerivedFrom != "" {
		return conflict("id", fmt.Sprintf("Role %q is a part of %q", a.ID, r.DerivedFrom), "Offer that one: its parts can be asked for")
	}
	if slices.Equal(r.OfferedTo, a.OfferedTo) {
		return conflict("offered_to", "The role is offered to these already", "Nothing is left to do")
	}
	return first(each("offered_to", a.OfferedTo, func(f string, w id.Engagement) error { return exists(f, v.Engagements, w) }),
		unique("offered_to", a.OfferedTo))
}

func (a OfferRole) apply(e *snapshot.Edit, _ Stamp) {
	change(e, e.View().Roles, a.ID, func(r *snapshot.Role) { r.OfferedTo = a.OfferedTo })
}
