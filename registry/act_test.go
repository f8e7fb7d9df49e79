package registry_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

func TestAnActIsReadStrictly(t *testing.T) {
	for _, c := range []struct{ kind, body, field, next string }{
		{"agreement.sing", `{}`, "kind", `"agreement.sign"`},
		{"vendor.propose", `{"id":"a","naem":"b"}`, "naem", `"name"`},
		{"vendor.propose", `{"id":"a","id":"b"}`, "", "one JSON object"},
		{"vendor.propose", `{"id":1}`, "id", "a string"},
		{"vendor.propose", `{"id":"a"} {}`, "", "one JSON object"},
		{"vendor.propose", `[]`, "", ""},
		{"vendor.propose", `{"ID":"a"}`, "ID", ""}, // names are as written, whatever the case
		{"agreement.sign", `{"at":"yesterday"}`, "at", "2026-01-31"},
		{"agreement.draft", `{"permitted_uses":[{"clause":"1","purposes":"x"}]}`, "permitted_uses.0.purposes", `"purpose"`},
		{"grant.request", `{"max_patients":1.5}`, "max_patients", "a number"},
		{"document.put", `{"content":"%%"}`, "content", "base64"},
	} {
		_, err := registry.Decode(registry.Kind(c.kind), []byte(c.body))
		p := problem.From(err)
		if err == nil || p.Kind != problem.Invalid || p.Field != c.field || !strings.Contains(p.NextStep, c.next) {
			t.Errorf("%s %s: got %s of %q (%v), want field %q and %q", c.kind, c.body, p.Kind, p.Field, p, c.field, c.next)
		}
	}
}

func TestTheCanonicalFormIsTheActsAlone(t *testing.T) {
	a, err := registry.Decode("vendor.propose", []byte(`{ "name" : "\u0041", "id":"v" }`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := registry.Encode(a)
	if want := `{"id":"v","name":"A"}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

// FuzzDecode: what is read as an act is written and read back as the same act,
// and checking it never panics.
func FuzzDecode(f *testing.F) {
	steps, err := registrytest.Demo{Now: noon}.Steps()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range steps {
		spec, _ := registry.SpecOf(s.Act)
		body, err := registry.Encode(s.Act)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(spec.Name), body)
	}
	f.Add("grant.request", []byte(`{"cohort":{"kind":"list"},"ends_at":"9999-12-31T23:59:59Z"}`))
	f.Add("agreement.draft", []byte(`{"terms":{"regions":{"value":{"storage":[]}}}}`))
	f.Add("certification.record", []byte(`{"type":"SOC2_T2","period_end":"0001-01-01T00:00:00Z"}`))
	view := (&snapshot.View{}).WithSettings(registrytest.Settings())
	for _, s := range steps {
		view, _ = registry.Apply(view, s.Act, registry.Stamp{ID: "01", By: s.By, At: noon})
	}
	engine, err := registry.NewEngine()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		a, err := registry.Decode(registry.Kind(kind), body)
		if err != nil {
			if p := problem.From(err); p.Kind != problem.Invalid {
				t.Fatalf("got %s: %v", p.Kind, err)
			}
			return
		}
		actor := registry.Actor{Person: "grace"}
		checked := registry.Check(view, actor, a, noon)
		if checked != nil && problem.From(checked).Kind == problem.Internal {
			t.Fatalf("check: %v", checked)
		}
		if err := registry.Authorize(engine, view, actor, a, noon); err != nil && problem.From(err).Kind != problem.Refused {
			t.Fatalf("authorize: %v", err)
		}
		if checked != nil {
			return
		}
		one, err := registry.Encode(a)
		if err != nil {
			t.Fatalf("an act that passed its check is not written: %v", err)
		}
		again, err := registry.Decode(registry.Kind(kind), one)
		if err != nil {
			t.Fatalf("written and not read: %v\n%s", err, one)
		}
		two, err := registry.Encode(again)
		if err != nil || string(two) != string(one) {
			t.Fatalf("written twice:\n%s\n%s", one, two)
		}
		_, changed := registry.Apply(view, again, registry.Stamp{ID: "02", By: "grace", At: noon})
		for _, rec := range changed {
			raw, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			back, err := registry.DecodeRecord(rec.Noun(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if raw2, err := json.Marshal(back); err != nil || string(raw) != string(raw2) {
				t.Fatalf("a record differs when read back:\n%s\n%s", raw, raw2)
			}
		}
	})
}

// Apply shares no state with the view that it starts from.
func TestApplyLeavesTheViewAsItWas(t *testing.T) {
	for _, spec := range registry.Acts {
		s := scenarios[spec.Name]
		w := worldFor(t, spec.Name)
		if s.before != nil {
			s.before(w)
		}
		before := dump(t, w.view)
		registry.Apply(w.view, s.allowed(w), registry.Stamp{ID: "x", By: "grace", At: noon})
		if dump(t, w.view) != before {
			t.Errorf("%s changed the view that it was applied to", spec.Name)
		}
	}
}

func TestEveryRecordOfANounIsKnown(t *testing.T) {
	for _, n := range snapshot.Nouns {
		r, err := registry.DecodeRecord(n, []byte(`{}`))
		if err != nil || r.Noun() != n || reflect.TypeOf(r).Kind() != reflect.Pointer {
			t.Errorf("%s: got %T, %v", n, r, err)
		}
	}
}

// BenchmarkApply is the cost of one act on a registry of 10,000 records.
func BenchmarkApply(b *testing.B) {
	e := (&snapshot.View{}).Edit()
	for i := range 10_000 {
		e.Put(&snapshot.Person{ID: id.Person(fmt.Sprint("p", i)), Vendor: "v", Name: "P", Approval: snapshot.Approval{State: snapshot.Approved}})
	}
	e.Put(&snapshot.Vendor{ID: "v"})
	v := e.Publish(1, 1, time.Time{})
	for b.Loop() {
		registry.Apply(v, registry.ApprovePerson{ID: "p42"}, registry.Stamp{ID: "x", By: "a", At: noon})
	}
}
