package registry_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// world performs acts on a view alone, without database or log.
type world struct {
	t      *testing.T
	engine *policy.ActEngine
	view   *snapshot.View
	now    time.Time
	last   id.Act
	// sessions are through which people act; none: by their certificates.
	sessions map[id.Person]id.Session
	// real is a registry on which the acts are done instead; nil: on the view alone.
	real *registry.Registry
}

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func empty(t *testing.T) *world {
	engine, err := registry.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, engine: engine, view: (&snapshot.View{}).WithSettings(registrytest.Settings()), now: noon}
}

// demoWorld is a world after the demo's acts, in which Ada, Grace and Eve have
// every duty but auditor, and Otto is the auditor.
func demoWorld(t *testing.T) *world {
	w := empty(t)
	w.demo()
	return w
}

func (w *world) demo() {
	w.t.Helper()
	steps, err := registrytest.Demo{Now: noon}.Steps()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range steps {
		w.must(s.By, s.Act)
	}
	all := registry.Duties[:5]
	w.must("grace", registry.AmendDuties{ID: "ada", Duties: all})
	w.must("ada", registry.ProposePerson{ID: "eve", Name: "Eve", Classification: hipaa.Workforce, Basis: "employee", Duties: all, Key256: registrytest.Key("eve")})
	w.must("grace", registry.ApprovePerson{ID: "eve"})
	w.must("eve", registry.AmendDuties{ID: "grace", Duties: all})
	w.must("ada", registry.ProposePerson{ID: "otto", Name: "Otto", Classification: hipaa.Workforce, Basis: "employee", Duties: []registry.Duty{registry.Auditor}})
	w.must("grace", registry.ApprovePerson{ID: "otto"})
}

func (w *world) do(by id.Person, a registry.Act) error {
	w.t.Helper()
	actor := registry.Actor{Person: by, Session: w.sessions[by]}
	if w.real != nil {
		r, err := w.real.Do(w.t.Context(), actor, a, registry.Meta{Reason: "r"})
		if err == nil {
			w.last, w.view = r.Act, r.View
		}
		return err
	}
	if err := registry.Authorize(w.engine, w.view, actor, a, w.now); err != nil {
		return err
	}
	if err := registry.Check(w.view, actor, a, w.now); err != nil {
		return err
	}
	w.last = id.New[id.Act](w.now)
	w.view, _ = registry.Apply(w.view, a, registry.Stamp{ID: w.last, By: by, At: w.now, Session: actor.Session})
	return nil
}

func (w *world) must(by id.Person, a registry.Act) {
	w.t.Helper()
	if err := w.do(by, a); err != nil {
		w.t.Fatalf("%s: %T: %v", by, a, err)
	}
}

// review is the open review of the demo's grant.
func (w *world) review() id.Review {
	rs := w.view.ReviewsOf("triage-grant")
	return rs[len(rs)-1].ID
}

type scenario struct {
	before  func(w *world)                // what leads to it; may be nil
	allowed func(w *world) registry.Act   // done by Grace
	refused []refusal                     // in the same world, before allowed is done
	then    func(v *snapshot.View) string // what is wrong afterwards; may be nil
}

type refusal struct {
	act   func(w *world) registry.Act
	field string // of the problem, or
	kind  problem.Kind
}

func bad(field string, a registry.Act) refusal {
	return refusal{func(*world) registry.Act { return a }, field, problem.Invalid}
}

func gone(a registry.Act) refusal {
	return refusal{func(*world) registry.Act { return a }, "id", problem.NotFound}
}

func wrongState(a registry.Act) refusal {
	return refusal{func(*world) registry.Act { return a }, "", problem.Conflict}
}

func act(a registry.Act) func(*world) registry.Act { return func(*world) registry.Act { return a } }

func by(who id.Person, acts ...registry.Act) func(*world) {
	return func(w *world) {
		for _, a := range acts {
			w.must(who, a)
		}
	}
}

func want(ok bool, what string) string {
	if ok {
		return ""
	}
	return what
}

func with[T any](v T, change func(*T)) T { change(&v); return v }

// scenarios holds, for every act of the table, how it is allowed and how it is
// refused; the workflows' chapters are in scenario_*_test.go.
var scenarios = chapters(paperScenarios, whoScenarios, accessScenarios, diligenceScenarios, offboardingScenarios, agreementScenarios, incidentScenarios, trainingScenarios)

func chapters(ms ...map[registry.Kind]scenario) map[registry.Kind]scenario {
	all := map[registry.Kind]scenario{}
	for _, m := range ms {
		maps.Copy(all, m)
	}
	return all
}

// again are acts of the workflows that can be done again: they replace what is
// known.
var again = map[registry.Kind]bool{"device.approve": true, "incident.amend-facts": true, "incident.count-affected": true, "incident.assess": true, "incident.describe": true}

// notes are acts that change no record: they say what is done beside the registry.
var notes = []registry.Kind{"key.rotate-root", "key.backup-root", "key.backup-store"}

func worldFor(t *testing.T, k registry.Kind) *world {
	if strings.HasPrefix(string(k), "organisation.") {
		return empty(t)
	}
	return demoWorld(t)
}

func TestEveryActIsAllowedAndRefused(t *testing.T) {
	if len(scenarios) != len(registry.Acts) {
		t.Errorf("%d scenarios for %d acts", len(scenarios), len(registry.Acts))
	}
	for _, spec := range registry.Acts {
		t.Run(string(spec.Name), func(t *testing.T) {
			s, ok := scenarios[spec.Name]
			if !ok || len(s.refused) == 0 {
				t.Fatal("no scenario that allows it and one that refuses it")
			}
			w := worldFor(t, spec.Name)
			if s.before != nil {
				s.before(w)
			}
			for i, r := range s.refused {
				a := r.act(w)
				if got, _ := registry.SpecOf(a); got.Name != spec.Name {
					t.Fatalf("refusal %d is of %s", i, got.Name)
				}
				p := problem.From(w.do("grace", a))
				if p.Kind != r.kind || r.field != "" && p.Field != r.field || p.Kind != problem.Refused && p.NextStep == "" {
					t.Errorf("refusal %d: got %s of field %q (%v), want %s of %q", i, p.Kind, p.Field, p, r.kind, r.field)
				}
			}
			before := dump(t, w.view)
			a := s.allowed(w)
			w.takesNoMarks(a)
			if err := w.do("grace", a); err != nil {
				t.Fatalf("allowed: %v", err)
			}
			if spec.Name != "document.put" && !slices.Contains(notes, spec.Name) && !spec.Custody() && dump(t, w.view) == before {
				t.Error("the act changed nothing")
			}
			if s.then != nil {
				if wrong := s.then(w.view); wrong != "" {
					t.Error(wrong)
				}
			}
			if !spec.Custody() && !slices.Contains(notes, spec.Name) && !slices.Contains(repeatable, spec.Verb) && !again[spec.Name] {
				if err := w.do("grace", a); err == nil {
					t.Error("the act was allowed twice")
				}
			}
		})
	}
}

// repeatable are the verbs of acts that may be done twice: what they write down is
// the newest word.
var repeatable = []string{
	"answer",
	"profile",
	"link-directory",
	"read-lesson",
	"do-drill",
	"answer",
	"assign-training",
	"place",
	"record",
	"put",
	"define",
	"amend",
	"invite",
	"amend-duties",
	"rotate-keys",
	"rotate",
	"register-key",
	"link-login",
	"set-recipients",
	"step-up",
	"screen",
	"report",
	"record-inventory",
	"attest",
	"record-check",
}

func TestTheTableIsWhole(t *testing.T) {
	paths, names := map[string]bool{}, map[registry.Kind]bool{}
	for _, s := range registry.Acts {
		if s.Name != registry.Kind(s.Noun+"."+s.Verb) || s.Summary == "" || len(s.Duties) == 0 || slices.Contains(s.Duties, registry.Auditor) {
			t.Errorf("%s: the row is wrong: %+v", s.Name, s)
		}
		if paths[s.Path] || names[s.Name] {
			t.Errorf("%s: its path or name stands there twice", s.Name)
		}
		paths[s.Path], names[s.Name] = true, true
		for _, d := range s.Duties {
			if !slices.Contains(registry.Duties, d) {
				t.Errorf("%s: no duty %q", s.Name, d)
			}
		}
		if got, ok := registry.SpecOf(s.New()); !ok || got.Name != s.Name {
			t.Errorf("%s: its type leads to %+v", s.Name, got)
		}
		raw, err := json.Marshal(s.New())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(s.Path, "{id}") && !strings.Contains(string(raw), `"id":`) {
			t.Errorf("%s: the path has an id and the act has none", s.Name)
		}
	}
}
