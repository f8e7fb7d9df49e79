package registry_test

import (
	"strings"
	"time"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

var link2 = registry.IssueLink{ID: "l2", Vendor: "northwind", For: snapshot.LinkIncident, About: snapshot.Subject{Noun: snapshot.NounVendor, ID: "northwind"},
	Contact: "security@northwind.example", Secret256: strings.Repeat("1a", 32), ExpiresAt: noon.Add(30 * 24 * time.Hour)}

// diligenceScenarios are those of acts_diligence.go.
var diligenceScenarios = map[registry.Kind]scenario{
	"link.issue": {before: by("ada", with(link2, func(a *registry.IssueLink) { a.ID, a.Secret256 = "l1", strings.Repeat("2b", 32) })),
		allowed: act(link2), refused: []refusal{
			bad("for", with(link2, func(a *registry.IssueLink) { a.For = "anything" })),
			bad("about.noun", with(link2, func(a *registry.IssueLink) { a.For = snapshot.LinkQuestionnaire })),
			bad("about.id", with(link2, func(a *registry.IssueLink) { a.About.ID = "v9" })),
			bad("secret_sha256", with(link2, func(a *registry.IssueLink) { a.Secret256 = "secret" })),
			bad("contact", with(link2, func(a *registry.IssueLink) { a.Contact = "" })),
			bad("expires_at", with(link2, func(a *registry.IssueLink) { a.ExpiresAt = noon.AddDate(2, 0, 0) })),
			bad("expires_at", with(link2, func(a *registry.IssueLink) { a.ExpiresAt = noon })),
			{act(with(link2, func(a *registry.IssueLink) { a.Secret256 = strings.Repeat("2b", 32) })), "secret_sha256", problem.Conflict}}},
	"link.revoke": {before: by("ada", link2), allowed: act(registry.RevokeLink{ID: "l2"}), refused: []refusal{gone(registry.RevokeLink{ID: "l9"})}},
}
