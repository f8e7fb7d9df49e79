package fhirapi

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/snapshot"
)

// A role that names everything, without direct identifiers, is asked in every
// way about every resource of a hospital of canaries. None leaves and none is
// written down: not in answers, errors, logs, metrics, audit entries, the vault.
func TestNoCanaryByAnyRoute(t *testing.T) {
	records := hospital.GenerateCanaries(11, 2)
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records,
		Hospital: hospital.Options{QuoteInput: true, IgnoreUnknown: true, PageSize: 50},
		Role: func(r *snapshot.Role) {
			for _, typ := range records.Types() {
				r.Resources[typ] = snapshot.ResourceScope{Interactions: []string{"read", "vread", "search-type", "everything"}, Elements: []string{"*"}}
			}
		},
		Grant: func(g *snapshot.Grant) {
			g.Labels = append(g.Labels, "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|R", "http://terminology.hl7.org/CodeSystem/v3-ActCode|PSY",
				"http://terminology.hl7.org/CodeSystem/v3-ActCode|ETH", "http://terminology.hl7.org/CodeSystem/v3-ActCode|PSYTHPN", "http://terminology.hl7.org/CodeSystem/v3-ActCode|HIV")
		}})
	answered := 0
	ask := func(path string) gatewaytest.Response {
		r := w.Get(path)
		if r.Err != nil {
			t.Errorf("%v", r.Err)
		}
		if r.Status == 200 {
			answered++
		}
		for name, values := range r.Header {
			w.NoCanaries("header "+name, []byte(strings.Join(values, ",")))
		}
		w.NoCanaries("an answer", r.Body)
		return r
	}
	for r := range records.All() {
		ask("/" + r.Type + "/" + w.Code(r.ID))
		ask("/" + r.Type + "/" + r.ID) // raw: not found
	}
	for _, p := range records.IDs("Patient") {
		ask("/Patient/" + w.Code(p) + "/$everything?_count=100")
		ask("/Patient/" + w.Code(p) + "/_history/1")
	}
	for _, typ := range records.Types() {
		r := ask("/" + typ + "?_count=20")
		for range 3 {
			if r.Status != 200 {
				break
			}
			next := link(t, r, "next")
			if next == "" {
				break
			}
			if len(next) < len(w.URL) {
				t.Fatal("a next link that is not the gateway's")
			}
			r = ask(next[len(w.URL):])
		}
	}
	canary := records.Canaries()[0].Value
	for _, path := range []string{"/Patient?family=" + canary, "/Patient?nonsense=" + canary, "/" + canary, "/Patient/" + canary + "/x",
		"/Patient?_filter=" + canary, "/_page/" + canary + "/" + canary, "/Observation?patient=Patient/" + records.IDs("Patient")[0]} {
		ask(path)
	}
	for _, f := range []hospital.Fault{{Status: 500}, {Status: 400}, {Truncate: 400}, {Type: "text/plain"}, {Body: "{" + canary}} {
		w.Hospital.Misbehave(f)
		p := w.Code(records.IDs("Patient")[0])
		ask("/Patient/" + p)
		ask("/Observation?patient=" + p)
	}
	if answered < records.Len()/2 {
		t.Errorf("only %d of the questions were answered", answered)
	}
	w.NothingLeaked()
}
