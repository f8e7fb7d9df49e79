package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/store"
)

// accessServer is the demo's registry, with another vendor, its person and a role
// that is offered to it alone.
func accessServer(t *testing.T) *server {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), registrytest.Sealer{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	acts, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(t.Context(), registry.Options{Store: db, Log: &registrytest.Log{}, Engine: acts, Node: "node", Settings: registrytest.Settings()})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(-time.Minute)
	steps, err := registrytest.Demo{Now: now}.Steps()
	if err != nil {
		t.Fatal(err)
	}
	role := registrytest.Role()
	role.ID, role.OfferedTo = "secret-role", []id.Engagement{"secret-study"}
	paper := registry.NewDocument("text/plain", registrytest.Paper)
	for _, s := range append(steps,
		registrytest.Step{By: "ada", Act: registry.ProposeVendor{ID: "v2", Name: "Two"}, Reason: "r"},
		registrytest.Step{By: "grace", Act: registry.ApproveVendor{ID: "v2"}, Reason: "r"},
		registrytest.Step{By: "ada", Act: registry.ProposePerson{ID: "mia", Vendor: "v2", Name: "Mia", Classification: hipaa.BusinessAssociate, Basis: "b", Region: "US"}, Reason: "r"},
		registrytest.Step{By: "grace", Act: registry.ApprovePerson{ID: "mia"}, Reason: "r"},
		registrytest.Step{By: "ada", Act: registry.DraftAgreement{ID: "secret-baa", Kind: snapshot.BAA, Vendor: "v2", Terms: registrytest.Terms(), Document: paper.Digest, EffectiveAt: now}, Reason: "r"},
		registrytest.Step{By: "ada", Act: registry.ProposeEngagement{ID: "secret-study", Vendor: "v2", Agreements: []id.Agreement{"secret-baa"}, Basis: hipaa.OperationsUnderBAA, Purpose: hipaa.Evaluation,
			Category: hipaa.Operations, Sources: []id.Source{"ehr"}, DataClass: hipaa.PHI, Regions: []string{"US"}, StartsAt: now, EndsAt: now.AddDate(1, 0, 0)}, Reason: "r"},
		registrytest.Step{By: "grace", Act: registry.ApproveEngagement{ID: "secret-study"}, Reason: "r"},
		registrytest.Step{By: "ada", Act: role, Reason: "r"},
		registrytest.Step{By: "grace", Act: registry.ApproveRole{ID: "secret-role"}, Reason: "r"},
	) {
		if _, err := r.Do(t.Context(), registry.Actor{Person: s.By}, s.Act, registry.Meta{Reason: s.Reason}); err != nil {
			t.Fatalf("%T: %v", s.Act, err)
		}
	}
	releases, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &server{Config: Config{Registry: r, Acts: acts, Policy: releases, Now: time.Now}}
}

func as(t *testing.T, p id.Person) context.Context {
	return context.WithValue(t.Context(), actorKey{}, registry.Actor{Person: p})
}

const ask = `{"engagement": "triage-eval", "app": "triage", "devices": ["northwind-gpu-1"], "role": "triage-reader", "cohort": {"kind": "all"},
	"resources": {"Patient": {"interactions": ["read"], "elements": ["gender"]}}, "max_patients": 1, "max_daily_bytes": 1, "life_minutes": 60, "why": "w"}`

// Each act is in the log for good: a vendor's person fills it no faster than a person
// can; the organisation's people and reads are not counted.
func TestAVendorsPersonActsAtARate(t *testing.T) {
	now := time.Now()
	s := &server{Config: Config{Now: func() time.Time { return now }}, outside: newOutside()}
	post, get := httptest.NewRequest(http.MethodPost, "/v1/requests", nil), httptest.NewRequest(http.MethodGet, "/v1/my-access", nil)
	theirs, ours := &snapshot.Person{ID: "lin", Vendor: "northwind"}, &snapshot.Person{ID: "ada"}
	done := 0
	for range 1000 {
		if s.tooMany(theirs, post) == nil {
			done++
		}
		if s.tooMany(theirs, get) != nil || s.tooMany(ours, post) != nil {
			t.Fatal("what is not counted is refused")
		}
	}
	if done != 240 {
		t.Errorf("%d acts at once", done)
	}
	now = now.Add(time.Minute)
	if s.tooMany(theirs, post) != nil {
		t.Error("a minute later it is refused still")
	}
}

// A vendor's person is told what their own request would cost, of the conditions that
// are theirs to see; nothing is done; and of another vendor's they are told nothing.
func TestAPreviewIsForOnesOwn(t *testing.T) {
	s := accessServer(t)
	version := s.Registry.View().Version()
	got, err := s.preview(as(t, "lin"), Fields(ask))
	if err != nil {
		t.Fatal(err)
	}
	gates := map[string]bool{}
	for _, r := range got.Rungs {
		gates[r.Gate] = r.Pass
		if r.Audience != policy.VendorToo {
			t.Errorf("the gate %s is the organisation's own", r.Gate)
		}
		if len(r.Facts) > 0 {
			t.Errorf("the gate %s tells its facts: %v", r.Gate, r.Facts)
		}
	}
	if got.Asked != 1 || len(got.Role.Types) != 1 || !gates["grant"] || !gates["role"] || !gates["review"] {
		t.Errorf("got %+v, gates %v", got, gates)
	}
	if v := s.Registry.View(); v.Version() != version || v.Requests.Len() != 0 {
		t.Error("something was done")
	}
	whole, err := s.preview(as(t, "ada"), Fields(strings.Replace(ask, `"why"`, `"person": "lin", "why"`, 1)))
	if err != nil || len(whole.Rungs) != len(gate.All) {
		t.Errorf("for the organisation: %d gates, %v", len(whole.Rungs), err)
	}
	for what, fields := range map[string]string{
		"another's engagement": strings.Replace(ask, "triage-eval", "secret-study", 1),
		"nobody's":             strings.Replace(ask, "triage-eval", "secret-studx", 1),
	} {
		_, err := s.preview(as(t, "lin"), Fields(fields))
		if p := problem.From(err); p.Kind != problem.Refused || strings.Contains(p.Error(), "secret") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := s.preview(as(t, "mia"), Fields(ask)); problem.From(err).Kind != problem.Refused {
		t.Errorf("another vendor's person: got %v", err)
	}
}

func TestAVendorsPersonSeesTheirVendorsAlone(t *testing.T) {
	s := accessServer(t)
	v := s.Registry.View()
	for _, c := range []struct {
		who  id.Person
		role id.Role
		want bool
	}{
		{"lin", "triage-reader", true}, {"lin", "secret-role", false}, {"lin", "none", false},
		{"mia", "secret-role", true}, {"mia", "triage-reader", false}, {"ada", "secret-role", true}, {"nobody", "secret-role", false},
	} {
		if got := seesRole(v, c.who, c.role); got != c.want {
			t.Errorf("%s sees %s: %v, want %v", c.who, c.role, got, c.want)
		}
	}
	for who, c := range map[id.Person]struct{ own, others string }{"lin": {"triage", "secret"}, "mia": {"secret", "triage"}} {
		raw, err := json.Marshal(accessOf(v, who))
		if err != nil || !strings.Contains(string(raw), c.own) || strings.Contains(string(raw), c.others) {
			t.Errorf("%s: %v %s", who, err, raw)
		}
	}
	for path, want := range map[string]bool{
		"GET /v1/my-access": true, "GET /v1/roles/x/fields": true, "POST /v1/requests/preview": true, "POST /v1/requests": true, "POST /v1/requests/x/withdraw": true, "POST /v1/grants/x/end-early": true,
		"GET /v1/roles": false, "GET /v1/roles/x": false, "GET /v1/requests": false, "GET /v1/requests/x": false, "GET /v1/grants/x": false, "GET /v1/emergencies": false, "GET /v1/campaigns/x/items": false,
		"GET /v1/campaigns/x/report": false, "GET /v1/emergency-procedures": false, "POST /v1/requests/x/approve": false, "POST /v1/requests/x/deny": false, "POST /v1/campaigns": false, "POST /v1/reviews/x/open": false,
		"POST /v1/roles/x/fields": false, "DELETE /v1/my-access": false,
	} {
		method, url, _ := strings.Cut(path, " ")
		if got := forVendors(httptest.NewRequest(method, url, http.NoBody)); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestFieldsSayWhatLeaves(t *testing.T) {
	role := &snapshot.Role{ID: "r", Profile: "p", Resources: map[string]snapshot.ResourceScope{
		"Patient":     {Interactions: []string{"read"}, Elements: []string{"name", "gender", "photo"}},
		"Observation": {Interactions: []string{"read"}, Elements: []string{"value[x]", "valueQuantity", "component.value[x]"}}}}
	rulings := func(_, path string) []string {
		return map[string][]string{"Patient.name": {"named", "removed"}, "Patient.gender": {"kept"}, "Observation.value[x]": {"kept", "named"}, "Observation.valueQuantity": {"kept"}}[path]
	}
	find := func(f RoleFields, typ, element string) FieldShown {
		for _, t := range f.Types {
			for _, e := range t.Elements {
				if t.Type == typ && e.Element == element {
					return e
				}
			}
		}
		t.Fatalf("no %s.%s in %+v", typ, element, f)
		return FieldShown{}
	}
	f := fieldsOf(role, rulings)
	if n := find(f, "Patient", "name"); !n.Direct || !n.Removed || n.Type != "HumanName" || !n.List {
		t.Errorf("name: %+v", n)
	}
	if g := find(f, "Patient", "gender"); g.Direct || g.Removed {
		t.Errorf("gender: %+v", g)
	}
	if p := find(f, "Patient", "photo"); !p.Removed {
		t.Errorf("what no ruling knows leaves: %+v", p)
	}
	v := find(f, "Observation", "value[x]")
	if !strings.Contains(v.Type, "Quantity | ") || !v.Direct || v.Removed {
		t.Errorf("value[x]: %+v", v)
	}
	if v := find(f, "Observation", "valueQuantity"); v.Type != "Quantity" {
		t.Errorf("valueQuantity: %+v", v)
	}
	if v := find(f, "Observation", "component.value[x]"); !strings.Contains(v.Type, "Quantity | ") {
		t.Errorf("component.value[x]: %+v", v)
	}
	role.DirectIdentifiers = true
	if n := find(fieldsOf(role, rulings), "Patient", "name"); n.Removed {
		t.Errorf("name, of a role that may have it: %+v", n)
	}
}

func TestWhatWasNotUsedIsProposedForRemoval(t *testing.T) {
	role := registrytest.Role()
	r := &snapshot.Role{Resources: role.Resources}
	names, left := unused(r, disclosure.Usage{Interactions: map[string]uint64{"Patient.search-type": 3, "Observation.read": 1}, Types: map[string]uint64{"Patient": 9, "Encounter": 2}}, nil)
	if want := []string{"Condition", "DiagnosticReport", "Encounter.vread", "Encounter.search-type", "MedicationRequest", "Observation.vread", "Observation.search-type", "Patient.everything", "Patient.vread"}; !slices.Equal(names, want) {
		t.Errorf("not used: %v, want %v", names, want)
	}
	if len(left) != 3 || !slices.Equal(left["Patient"].Interactions, []string{"read", "search-type"}) || !slices.Equal(left["Patient"].Elements, role.Resources["Patient"].Elements) ||
		!slices.Equal(left["Encounter"].Interactions, []string{"read"}) {
		t.Errorf("left: %+v", left)
	}
	if names, left := unused(r, disclosure.Usage{}, nil); len(names) != len(role.Resources) || left != nil {
		t.Errorf("of nothing: %v, %v", names, left)
	}
}

// An element that never appeared is proposed for removal, if the log tells of every
// release under the role as it is now.
func TestElementsThatNeverAppearedAreProposedForRemoval(t *testing.T) {
	scope := func(elements ...string) snapshot.ResourceScope {
		return snapshot.ResourceScope{Interactions: []string{"read"}, Elements: elements}
	}
	var many []string // which sort as they stand
	for n := range 600 {
		many = append(many, fmt.Sprintf("e%03d", n))
	}
	role := &snapshot.Role{Resources: map[string]snapshot.ResourceScope{"Patient": scope("name", "gender", "birthDate", "address"), "Observation": scope("value[x]", "code"),
		"Condition": scope("code", "note"), "Encounter": scope("class", "period"), "Medication": scope("code", "form"), "Basic": scope(many...)}}
	used := disclosure.Usage{Types: map[string]uint64{"Patient": 9, "Observation": 3, "Condition": 2, "Encounter": 1, "Basic": 1},
		Shown: []disclosure.Shown{
			{ScopeDigest: "before", Type: "Patient", Elements: []int{0}},
			{ScopeDigest: "now", Type: "Basic", Elements: []int{3}},
			{ScopeDigest: "now", Type: "Condition", Elements: []int{0}, Partly: true},
			{ScopeDigest: "now", Type: "Encounter", Elements: []int{}},
			{ScopeDigest: "now", Type: "Medication", Elements: []int{1}}, // inside another's resource
			{ScopeDigest: "now", Type: "Patient", Elements: []int{1, 2}},
		}}
	s := &server{Config: Config{View: func(*snapshot.Role) (string, error) { return "now", nil }}}
	names, left := unused(role, used, s.shown(role, used))
	var basic []string
	names = slices.DeleteFunc(names, func(n string) bool {
		if strings.HasPrefix(n, "Basic.") {
			basic = append(basic, n)
			return true
		}
		return false
	})
	if want := []string{"Medication.code", "Patient.address", "Patient.name"}; !slices.Equal(names, want) {
		t.Errorf("not used: %v, want %v", names, want)
	}
	if len(basic) != 511 || len(left["Basic"].Elements) != 600-511 {
		t.Errorf("of 600 elements of which the log tells 512: %d not used, %d left", len(basic), len(left["Basic"].Elements))
	}
	for typ, want := range map[string][]string{"Patient": {"birthDate", "gender"}, "Observation": {"value[x]", "code"}, "Condition": {"code", "note"},
		"Encounter": {"class", "period"}, "Medication": {"form"}} {
		if got := left[typ].Elements; !slices.Equal(got, want) {
			t.Errorf("%s: left %v, want %v", typ, got, want)
		}
	}
	for name, view := range map[string]func(*snapshot.Role) (string, error){"another role": func(*snapshot.Role) (string, error) { return "later", nil },
		"no view": func(*snapshot.Role) (string, error) { return "", errors.New("no profile") }, "not known here": nil} {
		s := &server{Config: Config{View: view}}
		names, _ := unused(role, used, s.shown(role, used))
		if want := []string{"Medication"}; !slices.Equal(names, want) {
			t.Errorf("%s: not used %v, want %v", name, names, want)
		}
	}
}

func TestAnItemShowsPeersFindingsAndHolds(t *testing.T) {
	s := accessServer(t)
	now := time.Now()
	do := func(by id.Person, a registry.Act) {
		t.Helper()
		if _, err := s.Registry.Do(t.Context(), registry.Actor{Person: by}, a, registry.Meta{Reason: "r"}); err != nil {
			t.Fatal(err)
		}
	}
	do("ada", registry.MakeRequest{ID: "peer", Person: "lin", Engagement: "triage-eval", App: "triage", Devices: []id.Device{"northwind-gpu-1"}, Role: "triage-reader",
		Resources: map[string]snapshot.ResourceScope{"Patient": {Interactions: []string{"read"}, Elements: []string{"gender"}}}, Cohort: snapshot.Cohort{Kind: snapshot.CohortAll},
		MaxPatients: 1, MaxDailyBytes: 1, Life: 60, Why: "w"})
	do("grace", registry.ApproveRequest{ID: "peer"})
	do("ada", registry.PlaceHold{ID: "h", On: snapshot.Subject{Noun: snapshot.NounPerson, ID: "lin"}, Cause: snapshot.HoldFinding})
	do("grace", registry.OpenCampaign{ID: "k", Title: "K", DueAt: now.Add(time.Hour)})
	c, _ := s.Registry.View().Campaigns.Get("k")
	for _, key := range c.Reviews {
		item, err := s.item(t.Context(), s.Registry.View(), key)
		if err != nil {
			t.Fatal(err)
		}
		if item.Vendor != "northwind" || item.Used != nil || item.Propose != snapshot.Keep || len(item.Unused) != 0 || len(item.Holds) != 1 || len(item.Peers) != 1 {
			t.Errorf("got %+v", item)
		}
		peer := item.Peers[0]
		if small := item.Grant.Request == "peer"; small && (len(peer.Less) != 0 || len(peer.More) == 0) || !small && (len(peer.More) != 0 || len(peer.Less) == 0) {
			t.Errorf("grant %s, peer %+v", item.Grant.ID, peer)
		}
	}
}
