package registry_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

func desired(t *testing.T, noun snapshot.Noun, v any) registry.Desired {
	t.Helper()
	raw, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		raw = string(b)
	}
	d, err := registry.DecodeDesired(noun, []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// documents is what a person would write to set up a second vendor.
func documents(t *testing.T) []registry.Desired {
	signed := `{"id":"a2","kind":"baa","vendor":"v2","document_sha256":"` + strings.Repeat("ab", 32) + `","effective_at":"2026-05-01T02:00:00+02:00",
		"terms":{"safeguards":{"value":true,"clause":"§ 3"}},"approve":true,
		"signatures":[{"party":"organisation","signer":"A","at":"2026-05-01T00:00:00Z"},{"party":"vendor","signer":"V","at":"2026-05-01T00:00:00Z"}]}`
	return []registry.Desired{
		desired(t, "vendor", `{"id":"v2","name":"Two, Inc.","required_certifications":[],"approve":true}`),
		desired(t, "agreement", signed),
		desired(t, "person", `{"id":"p2","vendor":"v2","name":"P","classification":"business-associate","basis":"employee","region":"US"}`),
		desired(t, "person", `{"id":"zoe","name":"Zoe","classification":"workforce","basis":"employee","duties":["procurement","operator"]}`),
		desired(t, "app", registry.RegisterApp{ID: "x2", Vendor: "v2", Name: "X", Kind: snapshot.Agent, Keys: json.RawMessage(" " + string(keys2)), Owner: "p2"}),
		desired(t, "role", role2),
		desired(t, "hold", hold2),
	}
}

func (w *world) plan(by string, docs []registry.Desired) ([]registry.Act, registry.Diff) {
	w.t.Helper()
	acts, diff, err := registry.Plan(w.view, registry.Actor{Person: registrytest.Ada}, w.now, docs)
	if by == "grace" {
		acts, diff, err = registry.Plan(w.view, registry.Actor{Person: registrytest.Grace}, w.now, docs)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return acts, diff
}

func TestApplyingTwiceChangesNothing(t *testing.T) {
	w, docs := demoWorld(t), documents(t)
	before := dump(t, w.view)
	acts, diff := w.plan("ada", docs)
	if dump(t, w.view) != before {
		t.Error("planning changed the view")
	}
	if got, want := len(acts), 9; got != want {
		t.Fatalf("first: got %d acts, want %d:\n%s", got, want, diff)
	}
	for _, line := range []string{"+ vendor v2: propose", "~ agreement a2: sign", "! vendor v2: wait (another person must approve it)", `    + name: "Two, Inc."`} {
		if !strings.Contains(diff.String(), line+"\n") {
			t.Errorf("the diff lacks %q:\n%s", line, diff)
		}
	}
	for _, a := range acts {
		w.must("ada", a)
	}
	if acts, diff := w.plan("ada", docs); len(acts) != 0 || len(diff) != 2 {
		t.Errorf("again by the requester: got %d acts\n%s", len(acts), diff)
	}
	acts, diff = w.plan("grace", docs)
	if len(acts) != 2 {
		t.Fatalf("by another person: got %d acts, want the two approvals\n%s", len(acts), diff)
	}
	for _, a := range acts {
		w.must("grace", a)
	}
	for _, who := range []string{"ada", "grace"} {
		if acts, diff := w.plan(who, docs); len(acts) != 0 || diff.String() != "nothing to do\n" {
			t.Errorf("at the end, by %s: got %d acts\n%s", who, len(acts), diff)
		}
	}
}

func TestApplyAmendsWhatDiffers(t *testing.T) {
	w := demoWorld(t)
	w.must("ada", vendor2)
	docs := []registry.Desired{desired(t, "vendor", `{"id":"v2","name":"Two, Ltd.","subcontractors":["northwind"]}`)}
	acts, diff := w.plan("ada", docs)
	if len(acts) != 1 || !strings.Contains(diff.String(), `    - name: "Two, Inc."`) || !strings.Contains(diff.String(), `    + subcontractors: ["northwind"]`) {
		t.Fatalf("got %d acts\n%s", len(acts), diff)
	}
	if _, ok := acts[0].(registry.AmendVendor); !ok {
		t.Errorf("got %T, want an amendment", acts[0])
	}
	w.must("ada", acts[0])
	if acts, _ := w.plan("ada", docs); len(acts) != 0 {
		t.Errorf("again: got %d acts", len(acts))
	}
}

func TestApplyRecordsADeterminationAndItsApproval(t *testing.T) {
	w := demoWorld(t)
	raw, err := json.Marshal(expert2)
	if err != nil {
		t.Fatal(err)
	}
	docs := []registry.Desired{desired(t, "determination", strings.TrimSuffix(string(raw), "}")+`,"approve":true}`)}
	acts, diff := w.plan("ada", docs)
	if len(acts) != 1 || !strings.Contains(diff.String(), "+ determination x2: record\n") || !strings.Contains(diff.String(), "! determination x2: wait") {
		t.Fatalf("got %d acts\n%s", len(acts), diff)
	}
	w.must("ada", acts[0])
	acts, diff = w.plan("grace", docs)
	if len(acts) != 1 {
		t.Fatalf("by another person: got %d acts, want the approval\n%s", len(acts), diff)
	}
	w.must("grace", acts[0])
	if acts, diff := w.plan("grace", docs); len(acts) != 0 || diff.String() != "nothing to do\n" {
		t.Errorf("at the end: got %d acts\n%s", len(acts), diff)
	}
	// What an expert found is not amended.
	docs[0].Act = with(expert2, func(a *registry.RecordDetermination) { a.Expert = "Another" })
	if _, _, err := registry.Plan(w.view, registry.Actor{Person: "ada"}, w.now, docs); problem.From(err).Kind != problem.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
}

func TestApplyRefusesWhatItCannotDo(t *testing.T) {
	w := demoWorld(t)
	w.must("grace", registry.RevokeDevice{ID: "northwind-gpu-1"})
	for name, c := range map[string]struct {
		doc   registry.Desired
		field string
		kind  problem.Kind
	}{
		"a grant that differs":      {registry.Desired{Act: with(grant2, func(a *registry.RequestGrant) { a.ID = "triage-grant" })}, "[0].cohort", problem.Conflict},
		"a device that has ended":   {registry.Desired{Act: with(device2, func(a *registry.EnrollDevice) { a.ID = "northwind-gpu-1" })}, "[0].id", problem.Conflict},
		"no id":                     {registry.Desired{Act: with(hold2, func(a *registry.PlaceHold) { a.ID = "" })}, "[0].id", problem.Invalid},
		"an act that makes nothing": {registry.Desired{Act: registry.SuspendVendor{ID: "northwind"}}, "[0].kind", problem.Invalid},
		"a device's approval":       {registry.Desired{Act: device2, Approve: true}, "[0].approve", problem.Invalid},
		"a bad field":               {registry.Desired{Act: registry.ProposeVendor{ID: "v2"}}, "[0].name", problem.Invalid},
		"nothing":                   {registry.Desired{}, "[0].kind", problem.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			doc := c.doc
			if name == "a grant that differs" {
				doc.Act = with(grant2, func(a *registry.RequestGrant) {
					a.ID, a.Cohort = "triage-grant", snapshot.Cohort{Kind: snapshot.CohortGroup, Ref: "g"}
				})
			}
			_, _, err := registry.Plan(w.view, registry.Actor{Person: "ada"}, w.now, []registry.Desired{doc})
			if p := problem.From(err); p.Kind != c.kind || p.Field != c.field {
				t.Errorf("got %s of %q (%v), want %s of %q", p.Kind, p.Field, p, c.kind, c.field)
			}
		})
	}
}

func TestADocumentIsReadStrictly(t *testing.T) {
	for _, c := range []struct{ noun, doc, field string }{
		{"vendr", `{}`, "kind"},
		{"review", `{}`, "kind"},
		{"vendor", `{"id":"x","nam":"y"}`, "nam"},
		{"vendor", `{"id":"x","approve":"yes"}`, "approve"},
		{"vendor", `{"id":"x","signatures":[]}`, "signatures"},
		{"agreement", `{"id":"x","signatures":[{"partee":"vendor"}]}`, "signatures[0].partee"},
		{"grant", `{"id":"x","cohort":{"knd":"all"}}`, "cohort.knd"},
		{"grant", `{"id":"x","max_patients":"many"}`, "max_patients"},
	} {
		_, err := registry.DecodeDesired(snapshot.Noun(c.noun), []byte(c.doc))
		if p := problem.From(err); p.Kind != problem.Invalid || p.Field != c.field || p.NextStep == "" {
			t.Errorf("%s %s: got %s of %q (%v), want field %q", c.noun, c.doc, p.Kind, p.Field, p, c.field)
		}
	}
}
