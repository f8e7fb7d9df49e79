package fhirapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/gate/gatetest"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/identity"
	"github.com/sallyport/sallyport/snapshot"
	"github.com/sallyport/sallyport/vault"
)

// custom is a hospital of the resources given.
func custom(t *testing.T, resources ...string) *hospital.Records {
	t.Helper()
	r := hospital.Generate(3, 3)
	for _, j := range resources {
		if err := r.Put([]byte(j)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func observation(id, patient, meta string) string {
	return fmt.Sprintf(`{"resourceType":"Observation","id":%q,%s"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"99999-1"}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2026-01-02"}`, id, meta, patient)
}

// entries lists the ids, as codes, of an answer's entries.
func entries(t *testing.T, r gatewaytest.Response) []string {
	t.Helper()
	if r.Status != 200 {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}
	var b struct {
		Entry []struct {
			FullURL  string
			Resource struct{ ResourceType, ID string }
		}
	}
	if err := json.Unmarshal(r.Body, &b); err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range b.Entry {
		out = append(out, e.Resource.ResourceType+"/"+e.Resource.ID)
		if e.FullURL != "" && !strings.HasSuffix(e.FullURL, "/"+out[len(out)-1]) {
			t.Errorf("fullUrl %s is not of %s", e.FullURL, out[len(out)-1])
		}
	}
	return out
}

func link(t *testing.T, r gatewaytest.Response, relation string) string {
	t.Helper()
	var b struct {
		Link []struct{ Relation, URL string }
	}
	if err := json.Unmarshal(r.Body, &b); err != nil {
		t.Fatal(err)
	}
	for _, l := range b.Link {
		if l.Relation == relation {
			return l.URL
		}
	}
	return ""
}

func TestHoldsAndLabels(t *testing.T) {
	part2 := `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"42CFRPart2"}]},`
	normal := `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"N"}]},`
	empty := `"meta":{"security":[{"display":"?"}]},`
	base := hospital.Generate(3, 3)
	p := base.IDs("Patient")
	records := custom(t, observation("plain", p[0], ""), observation("part2", p[0], part2), observation("normal", p[0], normal),
		observation("unreadable", p[0], empty), observation("held", p[1], ""))
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Grant: func(g *snapshot.Grant) { g.Labels = nil }})
	if err := w.Vault.SetHold(t.Context(), gatetest.Source, p[1], vault.Restriction, "act-1"); err != nil {
		t.Fatal(err)
	}
	search := "/Observation?code=99999-1"
	got := entries(t, w.Get(search))
	want := []string{"Observation/" + w.Code("plain"), "Observation/" + w.Code("normal")}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("without the label: got %d entries, want 2", len(got))
	}
	if !strings.Contains(w.Logs(), `"removed-patient-hold":1`) || !strings.Contains(w.Logs(), `"removed-security-label":2`) {
		t.Error("what was left out is not counted")
	}
	log := w.Entries()
	if got := fmt.Sprint(log[len(log)-1].Outcome.Removed); got != "[{patient-hold 1} {security-label 2}]" {
		t.Errorf("the outcome says that %s were removed", got)
	}
	for id, gate := range map[string]string{"part2": "labels", "unreadable": "labels", "held": "patient_hold"} {
		r := w.Get("/Observation/" + w.Code(id))
		if r.Status != 404 || strings.Contains(string(r.Body), "Part 2") || strings.Contains(string(r.Body), gate) {
			t.Errorf("%s: got %d: %s", id, r.Status, r.Body)
		}
		found := false
		for _, e := range w.Decision(r) {
			found = found || e.Refusal != nil && e.Refusal.Failing[0].Gate == gate
		}
		if !found {
			t.Errorf("%s: the log has no refusal by %s", id, gate)
		}
	}
	w.EditGrant(func(g *snapshot.Grant) { g.Labels = []string{gatetest.Part2} })
	if r := w.Get("/Observation/" + w.Code("part2")); r.Status != 200 {
		t.Errorf("with the label: got %d", r.Status)
	}
	if err := w.Vault.Release(t.Context(), gatetest.Source, p[1], vault.Restriction); err != nil {
		t.Fatal(err)
	}
	if n := len(entries(t, w.Get(search))); n != 4 {
		t.Errorf("with the label and without the hold: got %d entries, want 4", n)
	}
}

func TestCohorts(t *testing.T) {
	base := hospital.Generate(3, 3)
	p := base.IDs("Patient")
	member := func(id, more string) string {
		return fmt.Sprintf(`{"entity":{"reference":"Patient/%s"}%s}`, id, more)
	}
	group := `{"resourceType":"Group","id":"study","type":"person","actual":true,"member":[` +
		member(p[0], "") + "," + member(p[1], `,"inactive":true`) + "," + member(p[2], `,"period":{"end":"2020-01-01"}`) + "," +
		member(p[2], `,"period":{"start":"2999-01-01"}`) + "," + member(p[1], `,"period":{"end":"unknown"}`) + "]}"
	records := custom(t, group, observation("a", p[0], ""), observation("b", p[1], ""), observation("c", p[2], ""))
	gender := "male"
	if r, _ := records.Get("Patient", p[0]); strings.Contains(string(r.JSON), `"female"`) {
		gender = "female"
	}
	first := "Observation/"
	for name, c := range map[string]struct {
		cohort func(w *gatewaytest.World) snapshot.Cohort
		status int
	}{
		"group": {func(*gatewaytest.World) snapshot.Cohort {
			return snapshot.Cohort{Kind: snapshot.CohortGroup, Ref: "study"}
		}, 200},
		"list": {func(w *gatewaytest.World) snapshot.Cohort { return w.List("study", p[0]) }, 200},
		"search": {func(*gatewaytest.World) snapshot.Cohort {
			return snapshot.Cohort{Kind: snapshot.CohortSearch, Ref: "Patient?_id=" + p[0] + "&gender=" + gender}
		}, 200},
		"group that is none": {func(*gatewaytest.World) snapshot.Cohort {
			return snapshot.Cohort{Kind: snapshot.CohortGroup, Ref: "nothing"}
		}, 503},
		"search of not": {func(*gatewaytest.World) snapshot.Cohort {
			return snapshot.Cohort{Kind: snapshot.CohortSearch, Ref: "Observation?status=final"}
		}, 503},
		"list, other digest": {func(w *gatewaytest.World) snapshot.Cohort {
			c := w.List("study", p[0])
			c.Digest = gatetest.Digest("x")
			return c
		}, 503},
		"list that is none": {func(*gatewaytest.World) snapshot.Cohort {
			return snapshot.Cohort{Kind: snapshot.CohortList, Ref: "x", Digest: gatetest.Digest("x")}
		}, 503},
		"no kind": {func(*gatewaytest.World) snapshot.Cohort { return snapshot.Cohort{} }, 403},
		"group by path trick": {func(*gatewaytest.World) snapshot.Cohort {
			return snapshot.Cohort{Kind: snapshot.CohortGroup, Ref: "../Patient/x"}
		}, 503},
	} {
		t.Run(name, func(t *testing.T) {
			w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records})
			w.EditGrant(func(g *snapshot.Grant) { g.Cohort = c.cohort(w) })
			r := w.Get("/Observation?code=99999-1")
			if r.Status != c.status {
				t.Fatalf("got %d, want %d: %s\n%s", r.Status, c.status, r.Body, w.Logs())
			}
			if c.status == 200 {
				if got := entries(t, r); len(got) != 1 || got[0] != first+w.Code("a") {
					t.Errorf("got %d entries, want the first patient's only", len(got))
				}
			}
		})
	}
}

// A Group tells who belongs to it: it needs all of its members in the cohort.
func TestGroupIsNotEnumerated(t *testing.T) {
	records := gatewaytest.Small()
	p := records.IDs("Patient")
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: func(r *snapshot.Role) {
		r.Resources["Group"] = snapshot.ResourceScope{Interactions: []string{"read", "search-type"}, Elements: []string{"member", "actual", "type"}}
	}})
	w.ReachOnly(p[0])
	if r := w.Get("/Group/" + w.Code(records.Cohort())); r.Status != 404 {
		t.Errorf("got %d, want 404", r.Status)
	}
	w.Reach("all", p...)
	if r := w.Get("/Group/" + w.Code(records.Cohort())); r.Status != 200 {
		t.Errorf("with all of its members: got %d", r.Status)
	}
}

func TestPagesAreTheCallersOwn(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Hospital: hospital.Options{Record: true}})
	code := w.Code(w.Records.IDs("Patient")[0])
	r := w.Get("/Observation?patient=" + code + "&_count=3")
	first := entries(t, r)
	next := link(t, r, "next")
	if len(first) != 3 || next == "" || strings.Contains(next, "getpages") {
		t.Fatalf("got %d entries and next %q", len(first), next)
	}
	second := w.DoAs(w.Client, next)
	if got := entries(t, second); len(got) == 0 || got[0] == first[0] {
		t.Errorf("the second page is the first one, or empty")
	}
	if a, b := r.Header.Get("Sallyport-Decision"), second.Header.Get("Sallyport-Decision"); a == b || b == "" {
		t.Error("the second page has no decision of its own")
	}
	intent := w.Decision(second)[0].Intent
	if intent == nil || intent.Action != "next-page" {
		t.Errorf("got intent %+v", intent)
	}
	// Stolen by another device of the same vendor.
	thief, err := w.Authority.IssueClient(identity.DeviceSubject("thief"), 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	w.Edit(func(e *snapshot.Edit) {
		d, _ := w.View().Devices.Get(gatetest.Device)
		x := *d
		x.ID, x.Key256 = "thief", thief.KeyDigest()
		e.Put(&x)
		report, _ := w.View().Postures.Get(gatetest.Device)
		own := *report
		own.Device = "thief"
		e.Put(&own)
		g, _ := w.View().Grants.Get(gatetest.Grant)
		y := *g
		y.Devices = append(y.Devices[:1:1], "thief")
		e.Put(&y)
	})
	hc, _ := w.Caller(thief, gatetest.App, w.AppKey, "")
	if r := w.DoAs(hc, w.URL+"/Patient/"+code); r.Status != 200 {
		t.Fatalf("the other device may ask by itself, but got %d: %s", r.Status, r.Body)
	}
	if r := w.DoAs(hc, next); r.Status != 404 {
		t.Errorf("stolen: got %d, want 404", r.Status)
	}
	// Changed.
	flipped := []byte(next)
	flipped[len(flipped)-5] ^= 1
	for name, url := range map[string]string{"changed": string(flipped), "another decision": strings.Replace(next, r.Header.Get("Sallyport-Decision"), second.Header.Get("Sallyport-Decision"), 1), "with a query": next + "?_count=100"} {
		if r := w.DoAs(w.Client, url); r.Status == 200 {
			t.Errorf("%s: got 200", name)
		}
	}
	// Decided anew: on another engagement, and without the BAA.
	w.Edit(func(e *snapshot.Edit) {
		old, _ := w.View().Engagements.Get(gatetest.Engagement)
		x := *old
		x.ID = "another"
		e.Put(&x)
		g, _ := w.View().Grants.Get(gatetest.Grant)
		y := *g
		y.Engagement = "another"
		e.Put(&y)
	})
	if r := w.DoAs(w.Client, next); r.Status != 404 {
		t.Errorf("on another engagement: got %d, want 404", r.Status)
	}
	w.EditGrant(func(g *snapshot.Grant) { g.Engagement = gatetest.Engagement })
	if r := w.DoAs(w.Client, next); r.Status != 200 {
		t.Errorf("back on its engagement: got %d", r.Status)
	}
	w.TerminateBAA()
	if r := w.DoAs(w.Client, next); r.Status != 403 {
		t.Errorf("without the BAA: got %d, want 403", r.Status)
	}
}

// A source may not lead its credentials elsewhere.
func TestNextLinkOffTheBase(t *testing.T) {
	for _, next := range []string{"http://127.0.0.1:1/fhir?x=1", "https://evil.example/fhir", "/../admin", "http://%s@127.0.0.1/fhir", "?x=1"} {
		up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/fhir+json")
			fmt.Fprintf(w, `{"resourceType":"Bundle","type":"searchset","link":[{"relation":"next","url":%q}],"entry":[]}`, next)
		})
		w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Upstream: up})
		r := w.Get("/Patient")
		if next == "?x=1" {
			if r.Status != 200 || link(t, r, "next") == "" {
				t.Errorf("a relative link: got %d", r.Status)
			}
			continue
		}
		if r.Status != 502 {
			t.Errorf("%s: got %d: %s", next, r.Status, r.Body)
		}
	}
}

func TestBatch(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	p := w.Records.IDs("Patient")
	w.ReachOnly(p[0])
	entry := func(method, url string) string {
		return fmt.Sprintf(`{"request":{"method":%q,"url":%q}}`, method, url)
	}
	body := `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Join([]string{
		entry("GET", "Patient/"+w.Code(p[0])), entry("GET", "Patient/"+w.Code(p[1])), entry("DELETE", "Patient/"+w.Code(p[0])),
		entry("GET", "Patient?family=Smith"), entry("GET", "Observation?patient="+w.Code(p[0])+"&_count=2"), entry("GET", "/Patient/"+w.Code(p[0])),
		entry("GET", "https://evil.example/Patient/1"), entry("GET", "_page/x/y"), `{"request":{"method":"GET","url":"Patient"},"resource":{"resourceType":"Patient"}}`,
		entry("GET", "Patient/%2e%2e/x"), entry("GET", ""),
	}, ",") + `]}`
	r := w.Do("POST", "", []byte(body), "Content-Type", "application/fhir+json")
	if r.Status != 200 {
		t.Fatalf("got %d: %s", r.Status, r.Body)
	}
	var b struct {
		Type  string
		Entry []struct {
			Resource *struct{ ResourceType string }
			Response struct{ Status string }
		}
	}
	if err := json.Unmarshal(r.Body, &b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range b.Entry {
		got = append(got, e.Response.Status)
		if (e.Resource != nil) != (e.Response.Status == "200") {
			t.Error("a resource in a refused entry, or none in an answered one")
		}
	}
	if want := "[200 404 501 403 200 501 501 404 501 400 501]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	refusals, intents := 0, 0
	for _, e := range w.Entries() {
		if e.Refusal != nil {
			refusals++
		}
		if e.Intent != nil {
			intents++
		}
	}
	if refusals != 9 || intents != 3 {
		t.Errorf("the log has %d refusals and %d intents, want 9 and 3", refusals, intents)
	}
	for name, body := range map[string]string{"transaction": `{"resourceType":"Bundle","type":"transaction","entry":[]}`, "empty": `{"resourceType":"Bundle","type":"batch"}`,
		"doubled": `{"resourceType":"Bundle","type":"batch","type":"batch","entry":[]}`, "not JSON": `{`} {
		if r := w.Do("POST", "", []byte(body), "Content-Type", "application/fhir+json"); r.Status < 400 {
			t.Errorf("%s: got %d", name, r.Status)
		}
	}
}

func TestVolume(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Grant: func(g *snapshot.Grant) { g.MaxPatients = 3 }})
	var wg sync.WaitGroup
	var mu sync.Mutex
	served := 0
	for _, p := range w.Records.IDs("Patient") {
		wg.Go(func() {
			r := w.Get("/Patient/" + w.Code(p))
			mu.Lock()
			defer mu.Unlock()
			switch r.Status {
			case 200:
				served++
			case 403:
				if !strings.Contains(string(r.Body), `"volume"`) {
					t.Errorf("refused, but not by volume: %s", r.Body)
				}
			default:
				t.Errorf("got %d", r.Status)
			}
		})
	}
	wg.Wait()
	if served != 3 {
		t.Errorf("%d patients were served, want 3", served)
	}
	// A new start counts what left, from the log.
	usage, volume := &vault.Usage{}, &gateway.Volume{}
	if err := gateway.Recount(t.Context(), w.Log, usage, volume); err != nil {
		t.Fatal(err)
	}
	had, _ := w.Volume.Today(gatetest.Grant, time.Now())
	again, ok := volume.Today(gatetest.Grant, time.Now())
	if usage.Count(gatetest.Grant) != 3 || again != had || !ok {
		t.Errorf("recounted %d patients and %d bytes, want 3 and %d", usage.Count(gatetest.Grant), again, had)
	}
	w.EditGrant(func(g *snapshot.Grant) { g.MaxPatients, g.MaxDailyBytes = 100, had+10 })
	if r := w.Get("/Patient/" + w.Code(w.Records.IDs("Patient")[0])); r.Status != 403 {
		t.Errorf("over the day's bytes: got %d", r.Status)
	}
}

func TestVReadIncludesAndEverything(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	p := w.Records.IDs("Patient")[0]
	code := w.Code(p)
	if r := w.Get("/Patient/" + code + "/_history/1"); r.Status != 200 {
		t.Errorf("vread: got %d: %s", r.Status, r.Body)
	}
	if r := w.Get("/Patient/" + code + "/_history/77"); r.Status != 404 {
		t.Errorf("vread of no version: got %d", r.Status)
	}
	kinds := func(list []string) map[string]int {
		m := map[string]int{}
		for _, e := range list {
			m[strings.Split(e, "/")[0]]++
		}
		return m
	}
	if k := kinds(entries(t, w.Get("/Observation?patient="+code+"&_count=2&_include=Observation:subject"))); k["Patient"] != 1 || k["Observation"] != 2 {
		t.Errorf("_include: got %v", k)
	}
	if k := kinds(entries(t, w.Get("/Patient?_id="+code+"&_revinclude=Condition:subject"))); k["Patient"] != 1 || k["Condition"] == 0 {
		t.Errorf("_revinclude: got %v", k)
	}
	k := kinds(entries(t, w.Get("/Patient/"+code+"/$everything")))
	if k["Patient"] != 1 || k["Observation"] == 0 || k["Practitioner"] != 0 || k["DocumentReference"] != 0 {
		t.Errorf("$everything: got %v", k)
	}
	post := w.Do("POST", "/Observation/_search?_count=2", []byte("patient=Patient/"+code), "Content-Type", "application/x-www-form-urlencoded")
	if n := len(entries(t, post)); n != 2 {
		t.Errorf("_search: got %d entries", n)
	}
	m := w.Get("/metadata").JSON(t)
	if m["resourceType"] != "CapabilityStatement" || strings.Contains(string(w.Get("/metadata").Body), `"family"`) {
		t.Error("metadata tells of more than the role shows")
	}
	r := w.Get("/Patient?family=x", "Accept", "application/problem+json")
	if r.Header.Get("Content-Type") != "application/problem+json" || r.JSON(t)["reasons"] == nil || r.JSON(t)["decision"] == nil {
		t.Errorf("problem details: got %s", r.Body)
	}
}

// Every upstream failure is a clear problem, and nothing of its body leaves.
func TestUpstreamFailures(t *testing.T) {
	const secret = "SECRETWORD"
	good := `{"resourceType":"Patient","id":"p1","gender":"male"}`
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		want int
	}{
		{"500", answer(500, "application/fhir+json", `{"resourceType":"OperationOutcome","issue":[{"diagnostics":"SECRETWORD"}]}`), 502},
		{"401", answer(401, "application/fhir+json", secret), 502}, {"403", answer(403, "application/fhir+json", secret), 404},
		{"404", answer(404, "text/html", secret), 404}, {"410", answer(410, "text/html", secret), 404},
		{"400", answer(400, "text/html", secret), 400}, {"429", answer(429, "text/html", secret), 503}, {"204", answer(204, "", ""), 502},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/fhir/elsewhere", http.StatusFound) }, 502},
		{"html", answer(200, "text/html", "<html>SECRETWORD</html>"), 502},
		{"not JSON", answer(200, "application/fhir+json", `{"resourceType":"Patient","id":"p1","x":SECRETWORD}`), 502},
		{"cut JSON", answer(200, "application/fhir+json", good[:30]), 502},
		{"doubled names", answer(200, "application/fhir+json", `{"resourceType":"Patient","id":"p1","gender":"male","gender":"SECRETWORD"}`), 502},
		{"trailing", answer(200, "application/fhir+json", good+`{"a":"SECRETWORD"}`), 502},
		{"another resource", answer(200, "application/fhir+json", `{"resourceType":"Patient","id":"SECRETWORD","gender":"male"}`), 502},
		{"another type", answer(200, "application/fhir+json", `{"resourceType":"Observation","id":"p1","status":"final"}`), 502},
		{"a bundle", answer(200, "application/fhir+json", `{"resourceType":"Bundle","type":"searchset"}`), 502},
		{"no type at all", answer(200, "application/fhir+json", `{"id":"p1"}`), 502},
		{"an array", answer(200, "application/fhir+json", `[]`), 502}, {"nothing", answer(200, "application/fhir+json", ``), 502},
		{"gzip", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Type", "application/fhir+json")
			fmt.Fprint(w, good)
		}, 502},
		{"too large", answer(200, "application/fhir+json", `{"resourceType":"Patient","id":"p1","x":"`+strings.Repeat("SECRETWORD", 1<<20)+`"}`), 413},
		{"deep", answer(200, "application/fhir+json", `{"resourceType":"Patient","id":"p1","x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`), 502},
		{"slow headers", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 502},
		{"slow body", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/fhir+json")
			fmt.Fprint(w, good[:20])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 502},
		{"a broken connection", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 502},
		{"good", answer(200, "application/json", good), 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Upstream: c.h, Source: func(s *gateway.SourceConfig) {
				if strings.HasPrefix(c.name, "slow") {
					s.HeaderTimeout, s.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
				}
			}})
			r := w.Get("/Patient/" + w.Code("p1"))
			if r.Status != c.want || r.Err != nil {
				t.Errorf("got %d, %v, want %d: %s", r.Status, r.Err, c.want, r.Body)
			}
			if strings.Contains(string(r.Body), secret) || strings.Contains(w.Logs(), secret) || strings.Contains(w.Logs(), "/Patient/p1") {
				t.Errorf("the source's words left, or were logged: %s", r.Body)
			}
			released := false
			for _, e := range w.Decision(r) {
				released = released || e.Outcome != nil && e.Outcome.Result == "released"
			}
			if released != (c.want == 200) {
				t.Errorf("the log says released: %t", released)
			}
		})
	}
}

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// Ids of all lengths come back as they went out, and a role that keeps ids and
// dates has them.
func TestIdentifiersAndDates(t *testing.T) {
	long := strings.Repeat("x", 64)
	p := hospital.Generate(3, 3).IDs("Patient")
	records := custom(t, observation(long, p[0], ""), observation(strings.Repeat("y", 41), p[0], ""), observation(strings.Repeat("z", 42), p[0], ""))
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records})
	found := entries(t, w.Get("/Observation?code=99999-1"))
	if len(found) != 3 {
		t.Fatalf("got %d entries, want 3", len(found))
	}
	for _, e := range found {
		r := w.Get("/" + e)
		if r.Status != 200 || r.JSON(t)["id"] != strings.TrimPrefix(e, "Observation/") || r.JSON(t)["effectiveDateTime"] != "2026" {
			t.Errorf("%d: %s", r.Status, r.Body)
		}
		subject := r.JSON(t)["subject"].(map[string]any)["reference"]
		if subject != "Patient/"+w.Code(p[0]) {
			t.Errorf("the subject is not the patient's code")
		}
	}
	if w.Get("/Observation/"+long).Status != 404 {
		t.Error("a raw long id is found")
	}
	w = gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: func(r *snapshot.Role) {
		r.Identifiers, r.Dates = snapshot.KeepIDs, snapshot.KeepDates
	}})
	if r := w.Get("/Observation/" + long); r.Status != 200 || r.JSON(t)["effectiveDateTime"] != "2026-01-02" {
		t.Errorf("kept: got %d: %s", r.Status, r.Body)
	}
	if n := len(entries(t, w.Get("/Observation?code=99999-1&date=gt2026-01-01&_sort=date&patient="+p[0]))); n != 3 {
		t.Errorf("kept: a search by date and id gave %d entries", n)
	}
}

// Of what a source says about a question that it does not accept, the codes are told.
func TestSourceRemarksAreCutToCodes(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Upstream: answer(400, "application/fhir+json",
		`{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"too-costly","diagnostics":"SECRETWORD"},{"severity":"SECRETWORD","code":"SECRETWORD"}]}`)})
	r := w.Get("/Observation?status=final")
	if r.Status != 400 || !strings.Contains(string(r.Body), "error, too-costly") || strings.Contains(string(r.Body), "SECRETWORD") {
		t.Errorf("got %d: %s", r.Status, r.Body)
	}
}

// The source sees the gateway's question and credentials, and nothing of the
// caller's.
func TestNothingOfTheCallerReachesTheSource(t *testing.T) {
	var got http.Header
	var mu sync.Mutex
	up := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = r.Header.Clone()
		mu.Unlock()
		answer(404, "application/fhir+json", "{}")(w, r)
	})
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Upstream: up, Source: func(s *gateway.SourceConfig) { s.Username, s.Password = "gateway", "pw" }})
	w.Do("GET", "/Patient/"+w.Code("p1"), nil, "X-Forwarded-For", "1.2.3.4", "Cookie", "a=b", "If-None-Match", `W/"1"`, "Prefer", "return=minimal")
	mu.Lock()
	defer mu.Unlock()
	for name := range got {
		if name != "Accept" && name != "User-Agent" && name != "Authorization" {
			t.Errorf("the source was sent %s", name)
		}
	}
	if u, p, ok := (&http.Request{Header: got}).BasicAuth(); !ok || u != "gateway" || p != "pw" {
		t.Error("the source did not get the gateway's credentials")
	}
}
