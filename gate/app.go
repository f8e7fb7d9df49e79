package gate

import (
	_ "embed" // the policy
	"encoding/json"

	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

//go:embed app.cedar
var appCedar string

var app = policy.Gate{
	ID:       "app",
	Title:    "The application is approved and has keys of its own, and a person answers for an agent",
	Policy:   appCedar,
	Cites:    []string{"S-312-a-1", "S-312-d"},
	Audience: policy.VendorToo,
	Stage:    policy.AtRequest,
	Known: func(c *policy.Case, f *policy.Facts) {
		a := c.AppRecord
		if a == nil {
			unknown(f)
			f.Bool("of_vendor", false)
			f.Bool("keys", false)
			policy.Word(f, "kind", snapshot.AgentKind(""))
			f.Bool("answered_for", false)
			return
		}
		standing(f, a.Approval)
		f.Bool("of_vendor", a.Vendor != "" && a.Vendor == c.Vendor)
		// A public client has none: it acts for a person who is signed in, and tokens
		// are given to it for nothing else.
		f.Bool("keys", hasKeys(a.Keys) || a.Public && a.Kind == snapshot.Human)
		policy.Word(f, "kind", a.Kind, snapshot.Human, snapshot.Workload, snapshot.Agent)
		f.Bool("answered_for", a.Kind != snapshot.Agent || ownerStands(c, f, a))
	},
	Reasons: append(standingReasons("application", "approve the application (app approve)"),
		policy.Reason{Code: "other-vendor", Message: "The application belongs to another vendor", NextStep: "Use an application of this vendor", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("of_vendor") }},
		policy.Reason{Code: "no-keys", Message: "The application has no public key on record", NextStep: "Register a key for the application (a JWK Set)", Who: policy.ByVendor,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("keys") }},
		policy.Reason{Code: "no-kind", Message: "Nobody said whether a human, a workload or an agent acts through the application", NextStep: "Register the application with its kind", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool {
				w := v.Word("kind")
				return v.Word("state") != "unknown" && (w == "none" || w == "other")
			}},
		policy.Reason{Code: "nobody-answers", Message: "The agent's owner is not an approved person of the vendor, or no longer", NextStep: "Have an approved person of the vendor own the agent: register it with that owner, or approve the owner again", Who: policy.ByOrganisation,
			Fails: func(v policy.Values) bool { return v.Word("state") != "unknown" && !v.Is("answered_for") }},
	),
}

// ownerStands: an agent chooses its own actions, so a person must answer for it,
// whoever stands behind the grant.
func ownerStands(c *policy.Case, f *policy.Facts, a *snapshot.App) bool {
	p, ok := c.View.Persons.Get(a.Owner)
	return ok && a.Owner != "" && p.Vendor == a.Vendor && approved(f, p.Approval)
}

// hasKeys reports whether a JWK Set holds a key. Whether the key is a good one
// is for identity to say when a token is signed with it.
func hasKeys(jwks []byte) bool {
	var set struct {
		Keys []struct {
			Kty string `json:"kty"`
		} `json:"keys"`
	}
	return json.Unmarshal(jwks, &set) == nil && len(set.Keys) > 0 && set.Keys[0].Kty != ""
}
