package console

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// appsPage is every program that asks.
type appsPage struct {
	Tabs []tab
	List list
}

var agentKinds = map[snapshot.AgentKind]string{snapshot.Human: "A person's tool", snapshot.Workload: "Workload: runs by itself", snapshot.Agent: "Agent: chooses its own actions"}

var tokenBindings = map[snapshot.TokenBinding]string{"": "the machine's certificate, and the program's key if it sends a proof", snapshot.BoundToCertificate: "the machine's certificate (RFC 8705)",
	snapshot.BoundToKey: "the program's key (RFC 9449)", snapshot.BoundToBoth: "the machine's certificate and the program's key"}

func appState(v *visit, a *snapshot.App) mark {
	if holdOn(v.View, snapshot.NounApp, string(a.ID)) != nil {
		return mark{"On hold", "warn"}
	}
	return stateOf(a.State)
}

func (s *server) apps(v *visit) (appsPage, error) {
	f := s.frame(v)
	link := func(x any) cell { r := f.Ref(x); return cell{Text: r.Label, Href: r.Href} }
	return appsPage{machineTabs("Programs"), listOf(v, listing[*snapshot.App]{Caption: "Programs", Rows: values(v.View.Apps.All()),
		Columns: []column[*snapshot.App]{
			{Key: "id", Label: "Program", Cell: func(a *snapshot.App) cell {
				c := link(a.ID)
				c.Help = a.Name
				return c
			}},
			{Key: "vendor", Label: "Vendor", Cell: func(a *snapshot.App) cell { return link(a.Vendor) }},
			{Key: "kind", Label: "What acts", Cell: func(a *snapshot.App) cell { return text(agentKinds[a.Kind]) }},
			{Key: "owner", Label: "Who answers for it", Cell: func(a *snapshot.App) cell { return link(a.Owner) }},
			{Key: "bound", Label: "Tokens bound to", Cell: func(a *snapshot.App) cell { return text(tokenBindings[a.TokenBinding]) }},
			{Key: "keys", Label: "Keys", Cell: func(a *snapshot.App) cell {
				c := cell{Text: plural(len(keyNames(a.Keys)), "key")}
				if n := len(keyNames(a.PendingKeys)); n > 0 {
					c.Help = plural(n, "key") + " to approve"
				}
				return c
			}},
			{Key: "state", Label: "State", Cell: func(a *snapshot.App) cell { m := appState(v, a); return cell{Text: m.Word, Mark: &m} }},
		},
		Filters: []filter[*snapshot.App]{
			{Key: "state", Label: "State", Of: func(a *snapshot.App) []string { return []string{appState(v, a).Word} }},
			{Key: "kind", Label: "What acts", Of: func(a *snapshot.App) []string { return []string{string(a.Kind)} }},
		},
		Search: func(a *snapshot.App) string {
			return strings.Join([]string{string(a.ID), a.Name, string(a.Vendor), string(a.Owner)}, " ")
		},
		Empty: empty{Title: "No program is known", Text: "A program asks for data with a key of its own. Its vendor registers it, and you approve it.", Act: f.May("app.register").As("Register a program")}})}, nil
}

// appKey is one public key of a program.
type appKey struct{ ID, Kind string }

// keyNames reads what a JWK Set says of its keys. None of them is secret.
func keyNames(raw json.RawMessage) []appKey {
	var set struct {
		Keys []struct{ Kid, Kty, Crv, Alg string }
	}
	if len(raw) == 0 || json.Unmarshal(raw, &set) != nil {
		return nil
	}
	var out []appKey
	for _, k := range set.Keys {
		out = append(out, appKey{k.Kid, strings.TrimSpace(strings.Join([]string{k.Kty, k.Crv, k.Alg}, " "))})
	}
	return out
}

// appPage is one program.
type appPage struct {
	*snapshot.App
	Mark      mark
	Acts      string
	Bound     string
	Have      []appKey
	Waiting   []appKey
	Hold      *snapshot.Hold
	Grants    []*snapshot.Grant
	Decisions string
	Ways      []*actLink
}

func (s *server) app(v *visit) (appPage, error) {
	a, ok := v.View.Apps.Get(id.App(v.PathValue("id")))
	if !ok {
		return appPage{}, notFound()
	}
	v.call("Program " + string(a.ID))
	v.under("Programs", "/console/apps")
	f := s.frame(v)
	p := appPage{App: a, Mark: appState(v, a), Acts: agentKinds[a.Kind], Bound: tokenBindings[a.TokenBinding], Have: keyNames(a.Keys), Waiting: keyNames(a.PendingKeys),
		Hold: holdOn(v.View, snapshot.NounApp, string(a.ID)), Decisions: "/console/decisions?" + url.Values{"app": {string(a.ID)}}.Encode()}
	p.Grants = slices.DeleteFunc(slices.Clone(v.View.GrantsOfApp(a.ID)), func(g *snapshot.Grant) bool { return g.State == snapshot.Ended })
	p.Grants = p.Grants[:min(len(p.Grants), deviceMost)]
	if a.State == snapshot.Proposed {
		p.Ways = append(p.Ways, f.May("app.approve", "id", a.ID).As("Approve it"))
	}
	if len(p.Waiting) > 0 {
		p.Ways = append(p.Ways, f.May("app.approve-keys", "id", a.ID).As("Approve the new keys"))
	}
	if a.State != snapshot.Ended {
		p.Ways = append(p.Ways, f.May("app.rotate-keys", "id", a.ID).As("Replace its keys"), f.May("app.revoke", "id", a.ID).As("Revoke for good"))
	}
	if p.Hold == nil {
		p.Ways = append(p.Ways, f.May("hold.place", "on.noun", snapshot.NounApp, "on.id", a.ID).As("Hold: stop it now"))
	} else if p.Hold.PlacedBy != v.Person.ID {
		p.Ways = append(p.Ways, f.May("hold.lift", "id", p.Hold.ID).As("Lift the hold"))
	}
	return p, nil
}
