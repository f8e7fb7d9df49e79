package gate

import (
	_ "embed" // the policy
	"slices"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed role.cedar
var roleCedar string

var role = policy.Gate{
	ID:       "role",
	Title:    "The role covers what is asked: resources, interaction, elements, page size",
	Policy:   roleCedar,
	Cites:    []string{"P-502-b-1", "P-514-d-2-ii", "P-514-d-3-i"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		if c.Role == nil {
			unknown(f)
		} else {
			standing(f, c.Role.Approval)
		}
		r := roleOf(c)
		f.Bool("within", withinParent(c, f, r))
		f.Bool("complete", r.Profile != "" && r.MaxPageSize > 0 &&
			(r.Dates == snapshot.DatesToYear || r.Dates == snapshot.KeepDates || r.Dates == snapshot.ByProfile) &&
			(r.Identifiers == snapshot.Pseudonyms || r.Identifiers == snapshot.KeepIDs))
	},
	Asked: func(c *policy.Case, q *policy.Request, _ policy.Stage, f *policy.Facts) {
		r := roleOf(c)
		policy.Word(f, "direction", q.Direction, policy.Out, policy.In)
		f.Bool("resources", coversResources(r, q.Interaction, q.Resources))
		f.Bool("interaction", coversInteraction(r, q.Interaction, q.Resources))
		f.Bool("elements", coversReads(r, q.Reads))
		noteUncovered(r, q, f)
		f.Bool("page", q.PageSize >= 0 && q.PageSize <= r.MaxPageSize)
	},
	Reasons: append(standingReasons("role", "approve the role (role approve)"),
		policy.Reason{Code: "incomplete", Message: "The role does not say how dates and identifiers are released, under which profile, or how large a page may be", NextStep: "Complete the role", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("complete") }},
		policy.Reason{Code: "outgrown", Message: "The role is a part of another, which does not stand any more, or covers less by now", NextStep: "Ask for access anew, of the role as it is (request make)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("within") }},
		policy.Reason{Code: "direction", Message: "The role lets data out only", NextStep: "Read; writing to the source is not offered", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("direction") != "out" }},
		policy.Reason{Code: "resource", Detail: "resource", Message: "The role does not cover a resource type that the answer would hold", NextStep: "Ask for covered types only (see metadata), or ask for a wider role", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("resources") }},
		policy.Reason{Code: "interaction", Message: "The role does not allow this interaction on the resource type", NextStep: "Use an interaction that the role allows (see metadata), or ask for a wider role", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("interaction") }},
		policy.Reason{Code: "element", Detail: "element", Message: "Answering would read an element that the role does not show, or shows in part alone, as a date by its year: a search or sort on it would reveal it", NextStep: "Leave out search and sort parameters on such elements (see metadata for those that work), or ask for a wider role", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("elements") }},
		policy.Reason{Code: "page-size", Message: "The page that is asked for is larger than the role allows", NextStep: "Ask with a smaller _count", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return !v.Is("page") }},
	),
}

// withinParent reports whether the role, if it is a part of another, still is: what
// was taken from the other, or changed there, is not kept here. Elements are compared
// as they are written, because one below an element that a role names can show more
// than naming the whole does.
func withinParent(c *policy.Case, f *policy.Facts, r *snapshot.Role) bool {
	if r.DerivedFrom == "" {
		return true
	}
	of, ok := c.View.Roles.Get(r.DerivedFrom)
	if !ok || !approved(f, of.Approval) || of.DerivedFrom != "" ||
		r.Dates != of.Dates || r.Identifiers != of.Identifiers || r.Profile != of.Profile || r.DirectIdentifiers != of.DirectIdentifiers ||
		r.MaxPageSize > of.MaxPageSize || !r.Since.Equal(of.Since) || !r.Until.Equal(of.Until) {
		return false
	}
	lacks := func(all []string) func(string) bool { return func(x string) bool { return !slices.Contains(all, x) } }
	for typ, s := range r.Resources {
		whole := of.Resources[typ]
		if slices.ContainsFunc(s.Elements, lacks(whole.Elements)) || slices.ContainsFunc(s.Interactions, lacks(whole.Interactions)) {
			return false
		}
	}
	return true
}

var noRole = &snapshot.Role{}

func roleOf(c *policy.Case) *snapshot.Role {
	if c.Role == nil {
		return noRole
	}
	return c.Role
}
