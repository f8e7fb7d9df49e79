package registry_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/policy"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// openWorld is the demo's, with the data door open: the machine is in order but for its key.
func openWorld(t *testing.T) *world {
	t.Helper()
	w := demoWorld(t)
	w.must("grace", with(posture2, func(a *registry.ReportPosture) {
		a.Firewall, a.MalwareProtection, a.UpdateAge = snapshot.CheckPass, snapshot.CheckPass, 1
	}))
	settings := registrytest.Settings()
	settings.Posture.Waived = []string{"hardware_key"}
	w.view = w.view.WithSettings(settings).Confirm(w.now)
	return w
}

// What an amendment would do is shown before it is signed, and nothing is done.
func TestAnAmendmentShowsItsEffect(t *testing.T) {
	e, err := policy.New(gate.All, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t)
	baa, _ := w.view.Agreements.Get("northwind-baa")
	same := registry.AmendAgreement{ID: baa.ID, Kind: baa.Kind, Vendor: baa.Vendor, Terms: baa.Terms, PermittedUses: baa.PermittedUses, Regions: baa.Regions, Document: baa.Document, EffectiveAt: baa.EffectiveAt}
	weaker := same
	weaker.Terms = map[string]snapshot.Term{}
	for k, v := range same.Terms {
		weaker.Terms[k] = v
	}
	weaker.Terms["safeguards"] = snapshot.Term{Value: json.RawMessage("false"), Clause: "§ 1"}
	elsewhere := same
	elsewhere.Regions = []string{"CA"}

	before := dump(t, w.view)
	g, _ := w.view.Grants.Get("triage-grant")
	q := policy.Request{View: w.view, Now: w.now, Vendor: "northwind", App: g.App, Device: g.Devices[0], Grant: g.ID, Direction: policy.Out, Source: "ehr", Interaction: "read", Resources: []string{"Patient"},
		Region: "US", Usage: policy.Usage{Known: true}, Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768", CertificateSHA256: string(registrytest.Key("c")), TokenBinding: "mtls"}}
	past := []registry.Past{{Request: q, Engagement: "triage-eval", Permitted: true}, {Request: q, Engagement: "triage-eval", Permitted: true}, {Request: q, Engagement: "triage-eval", Permitted: false}}
	if l := policy.Explain(e, q); !l.Permitted {
		t.Fatalf("the demo's grant does not run: %+v", l.Rungs)
	}
	for _, c := range []struct {
		what    string
		act     registry.Act
		atOnce  bool
		stops   bool
		refused int
		gate    string
	}{
		{"nothing changed", same, true, false, 0, ""},
		{"a mandatory term is gone", weaker, true, true, 2, "agreement"},
		{"another region", elsewhere, true, true, 2, "region"},
		{"suspended", registry.SuspendAgreement{ID: baa.ID}, true, true, 2, "agreement"},
		{"terminated", registry.TerminateAgreement{ID: baa.ID}, true, true, 2, "agreement"},
	} {
		got, assumed, err := registry.EffectOf(e, w.view, registry.Actor{Person: "ada"}, c.act, w.now)
		if err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		has := func(gs []id.Grant) bool { return slices.Contains(gs, "triage-grant") }
		if has(got.StopsAtOnce) != c.atOnce || has(got.Stops) != c.stops || len(got.Starts) != 0 || len(got.Grants) != 1 || c.gate != "" && !slices.Contains(got.Grants[0].Gates, c.gate) {
			t.Errorf("%s: got %+v", c.what, got)
		}
		r := registry.Replayed(e, past, assumed, noon)
		if r.Decisions != 3 || r.Refused != c.refused || r.Same != 2-c.refused || r.Unclear != 1 || c.refused > 0 && !slices.ContainsFunc(r.Groups, func(x registry.ReplayGroup) bool { return x.Gate == c.gate && x.Refused == 2 }) {
			t.Errorf("%s: replayed %+v", c.what, r)
		}
	}
	if dump(t, w.view) != before {
		t.Error("the view was changed")
	}

	// The other way: a paper that stops the grant, and an amendment that would start it.
	w.must("ada", weaker)
	w.view = w.view.Confirm(w.now)
	got, assumed, err := registry.EffectOf(e, w.view, registry.Actor{Person: "ada"}, same, w.now)
	if err != nil || !slices.Equal(got.Starts, []id.Grant{"triage-grant"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	q.View = w.view
	if r := registry.Replayed(e, []registry.Past{{Request: q, Engagement: "triage-eval"}}, assumed, noon); r.Permitted != 1 {
		t.Errorf("replayed %+v", r)
	}
	if _, _, err := registry.EffectOf(e, w.view, registry.Actor{Person: "ada"}, registry.ApproveAgreement{ID: baa.ID}, w.now); problem.From(err).Field != "kind" {
		t.Errorf("another act: %v", err)
	}
}

// BenchmarkReplayed is the cost of judging one past decision again, twice.
func BenchmarkReplayed(b *testing.B) {
	e, err := policy.New(gate.All, nil)
	if err != nil {
		b.Fatal(err)
	}
	steps, err := registrytest.Demo{Now: noon}.Steps()
	if err != nil {
		b.Fatal(err)
	}
	v := (&snapshot.View{}).WithSettings(registrytest.Settings())
	for i, s := range steps {
		v, _ = registry.Apply(v, s.Act, registry.Stamp{ID: id.Act(fmt.Sprint("a", i)), By: s.By, At: noon})
	}
	g, _ := v.Agreements.Get("northwind-baa")
	q := policy.Request{View: v, Now: noon, Vendor: "northwind", App: "triage", Device: "northwind-gpu-1", Grant: "triage-grant", Direction: policy.Out, Source: "ehr", Interaction: "read", Resources: []string{"Patient"},
		Usage: policy.Usage{Known: true}, Transport: policy.Transport{TLSVersion: "1.3", KeyExchange: "X25519MLKEM768", CertificateSHA256: string(registrytest.Key("c")), TokenBinding: "mtls"}}
	past := make([]registry.Past, 1000)
	for i := range past {
		past[i] = registry.Past{Request: q, Engagement: "triage-eval"}
	}
	for b.Loop() {
		if r := registry.Replayed(e, past, g, noon); r.Decisions != 1000 || r.Unclear != 0 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "us/decision")
}
