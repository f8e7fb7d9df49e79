package hospital

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// answer is what a client sees.
type answer struct {
	status int
	header http.Header
	body   []byte
	tree   obj
}

func ask(t *testing.T, h http.Handler, method, target, body string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	_ = json.Unmarshal(a.body, &a.tree)
	return a
}

func get(t *testing.T, h http.Handler, path string, header ...string) answer {
	t.Helper()
	return ask(t, h, http.MethodGet, "/fhir/"+path, "", header...)
}

// resources lists "Type/id" of a Bundle's entries with the mode.
func (a answer) resources(t *testing.T, mode string) []string {
	t.Helper()
	if a.status != 200 || a.tree["resourceType"] != "Bundle" {
		t.Fatalf("got %d %.300s, want a Bundle", a.status, a.body)
	}
	var out []string
	for _, e := range asListOrNone(a.tree["entry"]) {
		e := e.(obj)
		if mode == "" || e["search"].(obj)["mode"] == mode {
			r := e["resource"].(obj)
			out = append(out, str(r["resourceType"])+"/"+str(r["id"]))
		}
	}
	return out
}

func (a answer) link(relation string) string {
	for _, l := range asListOrNone(a.tree["link"]) {
		if l.(obj)["relation"] == relation {
			return str(l.(obj)["url"])
		}
	}
	return ""
}

// small is a hospital whose searches can be counted by hand.
func small(t *testing.T) *Server {
	t.Helper()
	r := newRecords()
	for _, s := range []string{
		`{"resourceType":"Patient","id":"a","identifier":[{"system":"urn:mrn","value":"1"}],"name":[{"family":"Ash-Grove","given":["Peggy","Ann"]}],"gender":"female","birthDate":"1960-05-04"}`,
		`{"resourceType":"Patient","id":"b","identifier":[{"system":"urn:mrn","value":"2"},{"system":"urn:x","value":"1"}],"name":[{"family":"Brook","given":["Bill"]}],"gender":"male","birthDate":"1990","telecom":[{"system":"phone","value":"555-0100"}]}`,
		`{"resourceType":"Patient","id":"c","gender":"male","meta":{"lastUpdated":"2026-01-02T00:00:00Z"}}`,
		`{"resourceType":"Practitioner","id":"d","name":[{"family":"Doc"}]}`,
		`{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/a"},"period":{"start":"2026-03-01T10:00:00Z","end":"2026-03-03T10:00:00Z"},"participant":[{"individual":{"reference":"Practitioner/d"}}]}`,
		`{"resourceType":"Observation","id":"o1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},"subject":{"reference":"Patient/a"},"encounter":{"reference":"Encounter/e"},"effectiveDateTime":"2026-03-01T11:00:00Z","valueQuantity":{"value":7.5,"system":"http://unitsofmeasure.org","code":"%"},"performer":[{"reference":"Practitioner/d"}]}`,
		`{"resourceType":"Observation","id":"o2","status":"preliminary","code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},"subject":{"reference":"Patient/a"},"effectiveDateTime":"2026-02","valueQuantity":{"value":99,"code":"mg/dL"}}`,
		`{"resourceType":"Observation","id":"o3","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"4548-4"}]},"subject":{"reference":"Patient/b","identifier":{"system":"urn:mrn","value":"2"}},"effectiveDateTime":"2025-12-31T23:30:00-05:00"}`,
		`{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/a"}}]}`,
	} {
		if err := r.Put([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	return NewServer(r, Options{})
}

func TestSearchFindsWhatR4SaysItFinds(t *testing.T) {
	s := small(t)
	for _, c := range []struct{ ask, want string }{
		{"Patient", "a b c"},
		{"Patient?_id=a,c", "a c"},
		{"Patient?identifier=1", "a b"},
		{"Patient?identifier=urn:mrn|1", "a"},
		{"Patient?identifier=urn:mrn|", "a b"},
		{"Patient?identifier=urn:mrn|3", ""},
		{"Patient?name=peg", "a"},
		{"Patient?name=ash%20grove", "a"},
		{"Patient?family=ash", "a"},
		{"Patient?family=grove", ""},
		{"Patient?family:contains=GROVE", "a"},
		{"Patient?given=ann", "a"},
		{"Patient?given:exact=ann", "a"},
		{"Patient?gender=male", "b c"},
		{"Patient?gender:not=male", "a"},
		{"Patient?gender=male&birthdate=1990", "b"},
		{"Patient?birthdate=1960-05-04", "a"},
		{"Patient?birthdate=1960", "a"},
		{"Patient?birthdate=1990-02-01", ""},
		{"Patient?birthdate=ap1990-02-01", "b"},
		{"Patient?birthdate=lt1970", "a"},
		{"Patient?birthdate=ge1960-05-04", "a b"},
		{"Patient?birthdate=gt1960-05-04", "b"},
		{"Patient?birthdate=le1960-05-04", "a"},
		{"Patient?birthdate=sa1989", "b"},
		{"Patient?birthdate=eb1990", "a"},
		{"Patient?birthdate=ne1990", "a"},
		{"Patient?birthdate:missing=true", "c"},
		{"Patient?telecom=555-0100", "b"},
		{"Patient?_lastUpdated=lt2026-02-01", "c"},
		{"Patient?_sort=birthdate", "a b c"},
		{"Patient?_sort=-birthdate", "b a c"},
		{"Patient?_sort=-_id", "c b a"},
		{"Patient?_has:Observation:patient:code=4548-4", "a b"},
		{"Patient?_has:Observation:patient:code=2345-7", "a"},
		{"Patient?_has:Group:member:_id=g", "a"},
		{"Observation?patient=a", "o1 o2"},
		{"Observation?patient=Patient/a", "o1 o2"},
		{"Observation?patient=http://example.com/fhir/Patient/a", "o1 o2"},
		{"Observation?patient=a,b", "o1 o2 o3"},
		{"Observation?subject=Patient/b", "o3"},
		{"Observation?subject:Patient=b", "o3"},
		{"Observation?subject=b", "o3"},
		{"Observation?subject:identifier=urn:mrn|2", "o3"},
		{"Observation?subject:identifier=urn:mrn|1", "o1 o2"},
		{"Observation?subject.identifier=urn:mrn|2", "o3"},
		{"Observation?subject:Patient.family=brook", "o3"},
		{"Observation?patient.birthdate=lt1970&status=final", "o1"},
		{"Observation?encounter.participant.family=doc", "o1"},
		{"Observation?encounter=e", "o1"},
		{"Observation?code=http://loinc.org|4548-4", "o1 o3"},
		{"Observation?code=4548-4,2345-7", "o1 o2 o3"},
		{"Observation?date=2026-02", "o2"},
		{"Observation?date=2026-02-03", ""},
		{"Observation?date=ge2026-01-01&date=lt2026-03-01", "o2 o3"},
		{"Observation?date=2026-01-01T04:30:00Z", "o3"},
		{"Observation?_sort=-date", "o1 o2 o3"},
		{"Observation?performer=Practitioner/d", "o1"},
		{"Observation?value-quantity=gt8", "o2"},
		{"Observation?value-quantity=7.5|http://unitsofmeasure.org|%25", "o1"},
		{"Observation?status=final&patient=b", "o3"},
		{"Encounter?date=2026-03-02", ""},
		{"Encounter?date=ap2026-03-02", "e"},
		{"Encounter?practitioner=d", "e"},
		{"Encounter?class=AMB", "e"},
		{"Group?member=Patient/a", "g"},
		{"Group?member=Patient/b", ""},
	} {
		path, q, _ := strings.Cut(c.ask, "?")
		posted := ask(t, s, http.MethodPost, "/fhir/"+path+"/_search", q, "Content-Type", "application/x-www-form-urlencoded")
		for how, a := range map[string]answer{"GET": get(t, s, c.ask), "POST": posted} {
			var ids []string
			for _, r := range a.resources(t, "match") {
				ids = append(ids, r[strings.Index(r, "/")+1:])
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("%s %s: got %q, want %q", how, c.ask, got, c.want)
			}
			if got, want := a.tree["total"], float64(len(ids)); got != want {
				t.Errorf("%s %s: total %v, want %v", how, c.ask, got, want)
			}
		}
	}
}

func TestIncludesBringWhatBelongs(t *testing.T) {
	s := small(t)
	for _, c := range []struct{ ask, want string }{
		{"Observation?_id=o1&_include=Observation:patient", "Patient/a"},
		{"Observation?_id=o1&_include=Observation:patient:Group", ""},
		{"Observation?_id=o1&_include=Observation:*", "Encounter/e Patient/a Practitioner/d"},
		{"Observation?_id=o1&_include=*", "Encounter/e Patient/a Practitioner/d"},
		{"Observation?_id=o1&_include=Encounter:patient", ""},
		{"Patient?_id=a&_revinclude=Observation:patient", "Observation/o1 Observation/o2"},
		{"Patient?_id=a&_revinclude=Group:member&_revinclude=Encounter:subject", "Encounter/e Group/g"},
	} {
		got := get(t, s, c.ask).resources(t, "include")
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %q, want %q", c.ask, got, c.want)
		}
	}
}

func TestBadQuestionsAreRefused(t *testing.T) {
	s := small(t)
	for path, want := range map[string]int{
		"Patient?colour=red": 400, "Patient?birthdate=yesterday": 400, "Patient?gender:above=male": 400, "Patient?_count=x": 400,
		"Patient?_sort=shoe": 400, "Patient?_include=Observation": 400, "Patient?_include=Observation:code": 400,
		"Patient?_has:Observation:code:code=1": 400, "Patient?gender.name=x": 400, "Observation?subject.shoe=1": 400,
		"Patient/zz": 404, "Shoe/1": 404, "Shoe": 404, "Patient/a/_history/9": 404, "Patient/a/$fold": 404, "Patient/zz/$everything": 404,
		"Patient?_format=xml": 406, "?_getpages=zz&_getpagesoffset=1": 410, "Observation?value-quantity=many": 400,
	} {
		a := get(t, s, path)
		if a.status != want || a.tree["resourceType"] != "OperationOutcome" {
			t.Errorf("%s: got %d %.80s, want %d and an OperationOutcome", path, a.status, a.body, want)
		}
	}
	for _, method := range []string{"PUT", "DELETE", "PATCH", "POST"} {
		if a := ask(t, s, method, "/fhir/Patient/a", "{}"); a.status != 405 {
			t.Errorf("%s: got %d, want 405", method, a.status)
		}
	}
	if a := ask(t, s, "GET", "/other/Patient/a", ""); a.status != 404 {
		t.Errorf("outside the base: got %d, want 404", a.status)
	}
}

func TestQuotingServersQuote(t *testing.T) {
	r := small(t).rec
	for quote, want := range map[bool]bool{true: true, false: false} {
		s := NewServer(r, Options{QuoteInput: quote})
		for _, path := range []string{"Patient?birthdate=ZZSECRET", "Patient/ZZSECRET", "Patient?ZZSECRET=1"} {
			if got := bytes.Contains(get(t, s, path).body, []byte("ZZSECRET")); got != want {
				t.Errorf("QuoteInput %v, %s: quoted %v", quote, path, got)
			}
		}
	}
	if a := get(t, NewServer(r, Options{IgnoreUnknown: true}), "Patient?colour=red"); len(a.resources(t, "")) != 3 {
		t.Errorf("a server that ignores parameters gave %d of 3", len(a.resources(t, "")))
	}
}

func TestPagesGoThroughEverythingOnce(t *testing.T) {
	r := Generate(1, 6)
	s := NewServer(r, Options{})
	patient := r.IDs("Patient")[1]
	for _, start := range []string{"Observation?_count=37&_sort=date", "Patient/" + patient + "/$everything?_count=7", "Observation?_count=50"} {
		whole := get(t, s, strings.NewReplacer("_count=37", "_count=1000", "_count=7", "_count=1000", "_count=50", "_count=1000").Replace(start)).resources(t, "")
		var got []string
		a := get(t, s, start)
		for n := 0; ; n++ {
			got = append(got, a.resources(t, "")...)
			next := a.link("next")
			if next == "" {
				break
			}
			if strings.Contains(next, patient) || strings.Contains(next, "Observation") || n > 1000 {
				t.Fatalf("the paging link %s is not opaque, or has no end", next)
			}
			a = ask(t, s, "GET", next, "")
		}
		if !slices.Equal(got, whole) {
			t.Errorf("%s: pages gave %d resources, one page %d", start, len(got), len(whole))
		}
		unique := slices.Compact(slices.Sorted(slices.Values(got)))
		if len(unique) != len(got) {
			t.Errorf("%s: some came twice", start)
		}
	}
	if a := get(t, s, "Observation?_count=0"); a.tree["total"] == 0.0 || a.tree["entry"] != nil {
		t.Errorf("_count=0: got total %v with entries %v", a.tree["total"], a.tree["entry"] != nil)
	}
}

func TestEverythingIsTheCompartment(t *testing.T) {
	r := Generate(1, 6)
	s := NewServer(r, Options{})
	id := r.IDs("Patient")[0]
	got := get(t, s, "Patient/"+id+"/$everything").resources(t, "")
	types := map[string]int{}
	for _, g := range got {
		typ, _, _ := strings.Cut(g, "/")
		types[typ]++
	}
	if types["Patient"] != 1 || got[0] != "Patient/"+id {
		t.Errorf("got %d patients, first %s", types["Patient"], got[0])
	}
	for _, want := range []string{"Encounter", "Condition", "Observation", "MedicationRequest", "DocumentReference", "Coverage", "Consent", "RelatedPerson", "Practitioner", "Organization", "Binary", "Group"} {
		if types[want] == 0 {
			t.Errorf("no %s", want)
		}
	}
	only := get(t, s, "Patient/"+id+"/$everything?_type=Condition,Encounter").resources(t, "")
	for _, g := range only {
		if !strings.HasPrefix(g, "Condition/") && !strings.HasPrefix(g, "Encounter/") {
			t.Errorf("_type let %s through", g)
		}
	}
	if len(only) == 0 {
		t.Error("_type left nothing")
	}
}

func TestReadsCarryVersionAndDate(t *testing.T) {
	r := Generate(1, 5)
	s := NewServer(r, Options{})
	p := "Patient/" + r.IDs("Patient")[0]
	a := get(t, s, p)
	if a.header.Get("ETag") != `W/"2"` || a.header.Get("Last-Modified") == "" || a.header.Get("Content-Type") != fhirJSON[0] {
		t.Errorf("got headers %v", a.header)
	}
	if b := get(t, s, p, "If-None-Match", `W/"2"`); b.status != 304 || len(b.body) != 0 {
		t.Errorf("If-None-Match: got %d with %d bytes", b.status, len(b.body))
	}
	v1, v2 := get(t, s, p+"/_history/1"), get(t, s, p+"/_history/2")
	if v1.status != 200 || bytes.Equal(v1.body, v2.body) || !bytes.Equal(v2.body, a.body) || v1.header.Get("ETag") != `W/"1"` {
		t.Errorf("versions: got %d and %d", v1.status, v2.status)
	}
	part := get(t, s, p+"?_elements=gender")
	if part.tree["name"] != nil || part.tree["gender"] == nil || !bytes.Contains(part.body, []byte("SUBSETTED")) {
		t.Errorf("_elements: got %s", part.body)
	}
	if data := get(t, s, p+"?_summary=data"); data.tree["text"] != nil || data.tree["name"] == nil {
		t.Errorf("_summary=data: got %.200s", data.body)
	}
	bin := "Binary/" + r.IDs("Binary")[0]
	if b := get(t, s, bin, "Accept", "application/fhir+json"); b.tree["resourceType"] != "Binary" {
		t.Errorf("Binary as FHIR: got %.80s", b.body)
	}
	if b := get(t, s, bin, "Accept", "text/plain"); !strings.HasPrefix(b.header.Get("Content-Type"), "text/plain") || !bytes.Contains(b.body, []byte("CHIEF COMPLAINT")) {
		t.Errorf("Binary raw: got %s %.80s", b.header.Get("Content-Type"), b.body)
	}
	if m := get(t, s, "metadata"); m.tree["fhirVersion"] != "4.0.1" {
		t.Errorf("metadata: got %.80s", m.body)
	} else if bad := hollow(m.tree, "CapabilityStatement"); bad != "" {
		t.Errorf("%s is empty", bad)
	}
	if n := len(get(t, s, r.Search500KB()).body); n < 480_000 || n > 530_000 {
		t.Errorf("Search500KB is %d bytes", n)
	}
}

func TestABatchOfReads(t *testing.T) {
	s := small(t)
	a := ask(t, s, "POST", "/fhir", `{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient/a"}},{"request":{"method":"GET","url":"Observation?patient=b"}},
		{"request":{"method":"GET","url":"Patient/zz"}},{"request":{"method":"DELETE","url":"Patient/a"}}]}`)
	var got []string
	for _, e := range asListOrNone(a.tree["entry"]) {
		e := e.(obj)
		r, _ := e["resource"].(obj)
		got = append(got, str(e["response"].(obj)["status"])+" "+str(r["resourceType"]))
	}
	want := []string{"200 Patient", "200 Bundle", "404 ", "405 "}
	if a.tree["type"] != "batch-response" || !slices.Equal(got, want) {
		t.Errorf("got %v of %s, want %v", got, a.body, want)
	}
	for _, bad := range []string{`{`, `{"resourceType":"Bundle","type":"searchset"}`, `{"resourceType":"Patient"}`} {
		if a := ask(t, s, "POST", "/fhir", bad); a.status != 400 {
			t.Errorf("%s: got %d, want 400", bad, a.status)
		}
	}
}

func TestFaults(t *testing.T) {
	s := NewServer(small(t).rec, Options{Record: true})
	front := httptest.NewServer(s)
	defer front.Close()
	fetch := func(path string) (int, []byte, error) {
		res, err := http.Get(front.URL + "/fhir/" + path)
		if err != nil {
			return 0, nil, err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return res.StatusCode, b, err
	}

	s.Misbehave(Fault{Path: "Patient", Status: 503, Times: 1})
	if code, _, _ := fetch("Patient/a"); code != 503 {
		t.Errorf("status: got %d, want 503", code)
	}
	if code, _, _ := fetch("Patient/a"); code != 200 {
		t.Errorf("after its one time: got %d, want 200", code)
	}
	s.Misbehave(Fault{Body: `{"resourceType":"Patient"`})
	if code, b, _ := fetch("Patient/a"); code != 200 || json.Valid(b) {
		t.Errorf("malformed: got %d %s", code, b)
	}
	s.Misbehave(Fault{Truncate: 40})
	if _, b, err := fetch("Patient/a"); err == nil || len(b) > 40 {
		t.Errorf("truncated: got %d bytes and error %v", len(b), err)
	}
	s.Misbehave(Fault{Latency: 30 * time.Millisecond, Rate: 4000})
	start := time.Now()
	if code, b, err := fetch("Patient/a"); code != 200 || err != nil || !json.Valid(b) || time.Since(start) < 50*time.Millisecond {
		t.Errorf("slow: got %d, %v in %v", code, err, time.Since(start))
	}
	s.Misbehave(Fault{Path: "Observation", Huge: 3 << 20})
	if code, b, err := fetch("Observation?patient=a"); code != 200 || err != nil || !json.Valid(b) || len(b) < 3<<20 || len(b) > 3<<20+4096 {
		t.Errorf("huge: got %d, %d bytes, %v", code, len(b), err)
	}
	if _, b, _ := fetch("Observation/o1"); len(b) > 4096 {
		t.Errorf("a read got the huge bundle: %d bytes", len(b))
	}
	s.Misbehave(Fault{Path: "Observation?_tag=huge", Huge: 1 << 20})
	if _, b, _ := fetch("Observation?patient=a&_tag=huge"); len(b) < 1<<20 {
		t.Errorf("by its query: got %d bytes", len(b))
	}
	if _, b, _ := fetch("Observation?patient=a"); len(b) > 8192 {
		t.Errorf("without the query: got %d bytes", len(b))
	}
	s.Misbehave(Fault{Huge: 3 << 20, Truncate: 1 << 20})
	if _, b, err := fetch("Observation"); err == nil || len(b) > 1<<20 {
		t.Errorf("huge and truncated: got %d bytes, %v", len(b), err)
	}
	s.Misbehave()
	if code, _, err := fetch("Patient/a"); code != 200 || err != nil {
		t.Errorf("behaving again: got %d, %v", code, err)
	}
	if got := s.Served().Requests; got != 11 {
		t.Errorf("Served: got %d requests, want 11", got)
	}
	if log := s.Log(); len(log) != 11 || log[0] != "GET /fhir/Patient/a" {
		t.Errorf("Log: got %q", log)
	}
}

// A huge bundle costs the server no memory, however long it is.
func TestHugeBundlesAreNotHeld(t *testing.T) {
	s := small(t)
	s.Misbehave(Fault{Huge: 64 << 20})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := httptest.NewRequest("GET", "/fhir/Observation", nil)
	w := &discard{header: http.Header{}}
	s.ServeHTTP(w, r)
	runtime.ReadMemStats(&after)
	if w.n < 64<<20 {
		t.Errorf("got %d bytes", w.n)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20/2 {
		t.Errorf("allocated %d bytes in all", got)
	}
}

type discard struct {
	header http.Header
	n      int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(int)             {}
func (d *discard) Write(b []byte) (int, error) { d.n += len(b); return len(b), nil }

// Many clients at once get what one would.
func TestManyClientsAtOnce(t *testing.T) {
	r := Generate(1, 4)
	s := NewServer(r, Options{Record: true})
	asks := []string{"Observation?_count=3", "Patient?_sort=birthdate&_revinclude=Condition:patient", "Patient/" + r.IDs("Patient")[1] + "/$everything?_count=4", "Group/" + r.Cohort()}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for range 20 {
				for _, path := range asks {
					req := httptest.NewRequest("GET", "/fhir/"+path, nil)
					w := httptest.NewRecorder()
					s.ServeHTTP(w, req)
					if w.Code != 200 || !json.Valid(w.Body.Bytes()) {
						t.Errorf("client %d: %s: %d", n, path, w.Code)
					}
				}
				s.Misbehave(Fault{Path: "Nothing", Status: 500})
			}
		})
	}
	wg.Wait()
	if got := s.Served().Requests; got != 8*20*4 {
		t.Errorf("got %d requests counted, want %d", got, 8*20*4)
	}
}

// The oldest search results are forgotten when there are many.
func TestPagesAreBounded(t *testing.T) {
	s := NewServer(Generate(1, 4), Options{})
	first := get(t, s, "Observation?_count=1").link("next")
	for range 1024 {
		get(t, s, "Patient?_count=1")
	}
	if a := ask(t, s, "GET", first, ""); a.status != 410 {
		t.Errorf("got %d, want 410", a.status)
	}
	if len(s.pages) > 1024 {
		t.Errorf("%d results are kept", len(s.pages))
	}
}
