package gate_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/snapshot"
)

// Each gate has testdata/<gate>.txtar. A file in it is a scenario, named
// "allow/<what>" or "refuse/<reason code>", optionally with "/<what>" after the
// code: the world of gatetest with a change, as JSON.
//
//	records   by "noun/id": fields to change; null takes the record away; an id
//	          that is not there adds a record
//	settings  fields of the settings to change
//	request   fields of the request to change
//	content   decide after the fetch too, on this content
//	after     how much later the request is made ("30s")
//
// An allowing scenario must be permitted as a whole. A refusing one must be
// refused by the gate for that reason, and by no other gate unless "also" lists
// it.
type scenario struct {
	Records  map[string]json.RawMessage
	Settings json.RawMessage
	Request  json.RawMessage
	Content  *policy.Content
	After    string
	Also     []string
}

func TestScenarios(t *testing.T) {
	e := engine(t, gate.All)
	files := 0
	for _, g := range gate.All {
		archive, err := txtar.ParseFile(filepath.Join("testdata", g.ID+".txtar"))
		if err != nil {
			t.Errorf("%s has no scenarios: %v", g.ID, err)
			continue
		}
		files++
		allows, refused := 0, map[string]bool{}
		for _, f := range archive.Files {
			kind, code, _ := strings.Cut(f.Name, "/")
			code, _, _ = strings.Cut(code, "/")
			t.Run(g.ID+"/"+f.Name, func(t *testing.T) {
				failures := play(t, e, f.Data)
				switch kind {
				case "allow":
					allows++
					if len(failures.failures) > 0 {
						t.Fatalf("refused: %v", failures.failures)
					}
				case "refuse":
					refused[code] = true
					failures.check(t, g.ID, code)
				default:
					t.Fatalf("a scenario is allow/... or refuse/...")
				}
			})
		}
		if allows == 0 {
			t.Errorf("%s has no allowing scenario", g.ID)
		}
		for _, r := range g.Reasons {
			// What a missing paper looks like is in no world but the broken one.
			if !refused[r.Code] && !(g.ID == "policy_loaded" && r.Code == "gates") {
				t.Errorf("%s: no scenario refuses for %q", g.ID, r.Code)
			}
		}
	}
	onDisk, _ := filepath.Glob("testdata/*.txtar")
	if len(onDisk) != files {
		t.Errorf("%d scenario files for %d gates", len(onDisk), files)
	}
}

type outcome struct {
	failures []policy.Failure
	also     []string
}

func (o outcome) check(t *testing.T, id, code string) {
	t.Helper()
	if !slices.ContainsFunc(o.failures, func(f policy.Failure) bool { return f.Gate == id && f.Code == code }) {
		t.Errorf("not refused by %s for %q: %v", id, code, o.failures)
	}
	for _, f := range o.failures {
		if f.Gate != id && !slices.Contains(o.also, f.Gate) {
			t.Errorf("also refused by %s (%s)", f.Gate, f.Code)
		}
		if f.Citation.Text == "" || f.Citation.Verified == "" || f.NextStep == "" {
			t.Errorf("%s/%s lacks a citation or a next step", f.Gate, f.Code)
		}
	}
}

func play(t *testing.T, e *policy.Engine, data []byte) outcome {
	t.Helper()
	var s scenario
	strict(t, data, &s)
	records := gatetest.Records(now)
	for key, patch := range s.Records {
		records = change(t, records, key, patch)
	}
	settings := gatetest.Settings()
	if s.Settings != nil {
		strict(t, s.Settings, &settings)
	}
	at := now
	if s.After != "" {
		d, err := time.ParseDuration(s.After)
		if err != nil {
			t.Fatal(err)
		}
		at = now.Add(d)
	}
	r := gatetest.Request(gatetest.Publish(now, settings, records...), at)
	if s.Request != nil {
		strict(t, s.Request, &r)
	}
	p, refusal := e.Decide(r)
	if (p == nil) == (refusal == nil) {
		t.Fatal("Decide gave both or neither")
	}
	if refusal == nil && s.Content != nil {
		var a policy.Admission
		if a, refusal = p.Admit(r.View, at, r.Usage, *s.Content); a.Admitted() == (refusal != nil) {
			t.Fatal("Admit gave both or neither")
		}
	}
	o := outcome{also: s.Also}
	if refusal != nil {
		o.failures = refusal.Failures
	}
	return o
}

func change(t *testing.T, records []snapshot.Record, key string, patch json.RawMessage) []snapshot.Record {
	t.Helper()
	at := slices.IndexFunc(records, func(r snapshot.Record) bool { return string(r.Noun())+"/"+r.Key() == key })
	if string(patch) == "null" {
		if at < 0 {
			t.Fatalf("there is no %s to take away", key)
		}
		return slices.Delete(records, at, at+1)
	}
	if at >= 0 {
		strict(t, patch, records[at])
		return records
	}
	noun, _, _ := strings.Cut(key, "/")
	var r snapshot.Record
	switch snapshot.Noun(noun) {
	case snapshot.NounHold:
		r = &snapshot.Hold{}
	case snapshot.NounAssessment:
		r = &snapshot.Assessment{}
	case snapshot.NounTraining:
		r = &snapshot.Training{}
	case snapshot.NounCourse:
		r = &snapshot.Course{}
	case snapshot.NounDetermination:
		r = &snapshot.Determination{}
	case snapshot.NounVendor:
		r = &snapshot.Vendor{}
	case snapshot.NounAttestation:
		r = &snapshot.Attestation{}
	case snapshot.NounKey:
		r = &snapshot.Key{}
	case snapshot.NounAgreement:
		r = &snapshot.Agreement{}
	case snapshot.NounPerson:
		r = &snapshot.Person{}
	case snapshot.NounGrant:
		r = &snapshot.Grant{}
	case snapshot.NounCertification:
		r = &snapshot.Certification{}
	case snapshot.NounReview:
		r = &snapshot.Review{}
	case snapshot.NounQuestionnaire:
		r = &snapshot.Questionnaire{}
	case snapshot.NounFinding:
		r = &snapshot.Finding{}
	case snapshot.NounIncident:
		r = &snapshot.Incident{}
	case snapshot.NounRole:
		r = &snapshot.Role{}
	default:
		t.Fatalf("no %s in the world, and scenarios do not add that noun", key)
	}
	strict(t, patch, r)
	return append(records, r)
}

func strict(t *testing.T, data []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(fmt.Errorf("scenario: %w in %s", err, data))
	}
}

// One thing no scenario can show: an engine that lacks a gate.
func TestAnEngineWithoutAGateRefuses(t *testing.T) {
	for i, g := range gate.All {
		if g.ID == "policy_loaded" {
			continue // it is what notices
		}
		e := engine(t, slices.Delete(slices.Clone(gate.All), i, i+1))
		_, refusal := e.Decide(gatetest.Request(gatetest.View(now), now))
		if refusal == nil {
			t.Fatalf("permitted without %s", g.ID)
		}
		outcome{failures: refusal.Failures}.check(t, "policy_loaded", "gates")
		// A site policy does not make up for it.
		e, err := policy.New(slices.Delete(slices.Clone(gate.All), i, i+1), fstest.MapFS{"a.cedar": {Data: []byte(
			`@id("a") forbid (principal, action, resource) when { false };`)}})
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := e.Decide(gatetest.Request(gatetest.View(now), now)); p != nil {
			t.Fatalf("permitted without %s, with a site policy", g.ID)
		}
	}
}
