package hospitaltest_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/registry/registrytest"
	"github.com/sallyport/sallyport/snapshot"
)

// hunter knows every canary of a hospital, and looks for them.
type hunter struct {
	begins []needle // what every canary string begins with, in each writing
	days   map[string]bool
	others []needle // days in base64; coordinates
}

type needle struct {
	text    []byte
	meaning string
}

var (
	wholeCanary = regexp.MustCompile(`ZZCANARY[A-Z]+[0-9]+Q`)
	day         = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}`)
)

// newHunter looks for all canaries but the days that the test itself writes.
func newHunter(r *hospital.Records, own []byte) *hunter {
	h := &hunter{days: map[string]bool{}}
	prefix := hospital.Canary{Value: "ZZCANARY"}
	h.begins = append(h.begins, needle{[]byte(prefix.Value), "a canary"},
		needle{[]byte(hex.EncodeToString([]byte(prefix.Value))), "a canary in hex"},
		needle{[]byte(strings.ToUpper(hex.EncodeToString([]byte(prefix.Value)))), "a canary in hex"})
	for _, form := range prefix.Base64() {
		h.begins = append(h.begins, needle{[]byte(form), "a canary in base64"})
	}
	for _, c := range r.Canaries() {
		switch {
		case strings.HasPrefix(c.Value, prefix.Value):
		case day.MatchString(c.Value):
			if h.days[c.Value] || bytes.Contains(own, []byte(c.Value)) {
				continue
			}
			h.days[c.Value] = true
			for _, form := range c.Base64() {
				h.others = append(h.others, needle{[]byte(form), "the day " + c.Value + " in base64"})
			}
		default:
			h.others = append(h.others, needle{[]byte(c.Value), "the " + c.Kind + " " + c.Value})
		}
	}
	return h
}

// hunt says which canaries are in b: at most a few.
func (h *hunter) hunt(b []byte) (found []string) {
	for _, n := range slices.Concat(h.begins, h.others) {
		if i := bytes.Index(b, n.text); i >= 0 {
			found = append(found, fmt.Sprintf("%s: ...%q...", n.meaning, b[max(0, i-60):min(len(b), i+60)]))
		}
	}
	for _, at := range day.FindAllIndex(b, -1) {
		if h.days[string(b[at[0]:at[1]])] {
			found = append(found, fmt.Sprintf("the day %s: ...%q...", b[at[0]:at[1]], b[max(0, at[0]-60):min(len(b), at[1]+60)]))
		}
	}
	return found[:min(len(found), 5)]
}

// canaryRole sees a little of everything, and no direct identifier.
func canaryRole(a *registry.DefineRole) {
	every := []string{"read", "vread", "search-type"}
	for typ, elements := range map[string][]string{
		"AllergyIntolerance": {"clinicalStatus", "code", "patient", "reaction", "note"},
		"Immunization":       {"status", "vaccineCode", "patient", "occurrence[x]", "lotNumber", "location"},
		"DocumentReference":  {"status", "type", "subject", "date", "content", "context"},
		"Procedure":          {"status", "code", "subject", "performed[x]", "performer"},
		"Practitioner":       {"active", "gender", "qualification", "name", "telecom"},
		"RelatedPerson":      {"active", "patient", "relationship", "name", "address", "telecom"},
		"Consent":            {"status", "scope", "category", "patient", "dateTime", "source[x]"},
		"Group":              {"type", "actual", "member"},
		"Device":             {"status", "type", "patient", "udiCarrier", "identifier"},
	} {
		a.Resources[typ] = snapshot.ResourceScope{Interactions: every, Elements: elements}
	}
	p := a.Resources["Patient"]
	// Named, and hidden all the same: the role has no direct identifiers.
	p.Elements = append(p.Elements, "name", "telecom", "address", "identifier", "contact", "photo", "maritalStatus", "communication", "extension")
	a.Resources["Patient"] = p
}

// After everything that can happen to a request has happened to one, no element
// that identifies a patient stands in a log line, an error, a metric, an answer
// of the API, or a file of the data directory; and none in a release to a role
// without direct identifiers.
func TestNoCanaryAnywhere(t *testing.T) {
	t.Parallel()
	records := hospital.GenerateCanaries(1, 5)
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records, Hospital: hospital.Options{QuoteInput: true, IgnoreUnknown: true}, Role: canaryRole})
	steps, _ := b.Steps()
	var own []byte
	for _, s := range steps {
		raw, err := registry.Encode(s.Act)
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, raw...)
	}
	hunter := newHunter(records, own)
	theHunterFinds(t, hunter, records)

	b.Paper()
	sent := map[string][]byte{} // what left, by what was asked
	take := func(name string, a hospitaltest.Answer) hospitaltest.Answer {
		head := new(bytes.Buffer)
		if err := a.Header.Write(head); err != nil {
			t.Fatal(err)
		}
		sent[fmt.Sprintf("%s (%d)", name, a.Status)] = append(head.Bytes(), a.Body...)
		return a
	}
	permitted := map[int]int{}
	ask := func(path string, header ...string) hospitaltest.Answer {
		a, err := b.Client.Ask(http.MethodGet, path, "", "", header...)
		if err != nil {
			t.Fatalf("GET %s: %v", path, err)
		}
		permitted[a.Status]++
		return take("GET "+path, a)
	}
	post := func(path, contentType, body string) {
		a, err := b.Client.Ask(http.MethodPost, path, contentType, body)
		if err != nil {
			t.Fatalf("POST %s: %v", path, err)
		}
		permitted[a.Status]++
		take("POST "+path+" "+body, a)
	}

	everyQuestion(t, b, records, ask, post)
	if permitted[200] < 20 || permitted[403] < 5 || permitted[404] < 3 {
		t.Errorf("the answers were %v; want 20 or more releases, some refusals and some that are not found, or this test shows nothing", permitted)
	}
	everyFault(t, b, ask)
	everythingOfTheOrganisation(t, b, take)
	b.Act(registrytest.Grace, registry.TerminateAgreement{ID: hospitaltest.BAA})
	if got := ask("/Patient"); got.Status != http.StatusForbidden {
		t.Errorf("after the BAA: got %s", got)
	}
	sent["metrics"] = []byte(b.Metrics())
	b.Verify()

	// While it runs, with the databases' write-ahead logs; and when it has stopped.
	// In this order: a journal is there only while it runs, and what was just
	// asked is in it.
	ask("/Patient")
	maps.Copy(sent, files(t, b.Dir, "running"))
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	maps.Copy(sent, files(t, b.Dir, "stopped"))
	sent["the log"] = b.Log.Bytes()
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if found := hunter.hunt(sent[name]); len(found) > 0 {
			t.Errorf("%s holds\n\t%s", name, strings.Join(found, "\n\t"))
		}
	}
	for _, must := range []string{"registry.db", "vault.db", "audit/checkpoint", "audit/tile/entries", "audit/journal", "sallyport.yaml"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(sent)), func(name string) bool { return strings.Contains(name, must) }) {
			t.Errorf("no file was searched that is called %s", must)
		}
	}
	if len(sent["the log"]) < 1000 || len(sent["metrics"]) < 1000 {
		t.Error("the log or the metrics are next to empty, so that they were searched says nothing")
	}
}

// theHunterFinds: a search that cannot find is no search.
func theHunterFinds(t *testing.T, h *hunter, r *hospital.Records) {
	t.Helper()
	if len(h.days) < 50 {
		t.Fatalf("only %d days are canaries", len(h.days))
	}
	for res := range r.All() {
		if len(h.hunt(res.JSON)) == 0 {
			t.Errorf("no canary was found in a %s as the hospital has it", res.Type)
		}
	}
	for d := range h.days {
		if len(h.hunt([]byte(base64.StdEncoding.EncodeToString([]byte("x"+d+"yz"))))) == 0 {
			t.Errorf("the day %s was not found in base64", d)
		}
	}
	for _, shift := range []string{"", "a", "bc"} {
		if len(h.hunt([]byte(base64.StdEncoding.EncodeToString([]byte(shift+"ZZCANARYFAM1Q"))))) == 0 {
			t.Errorf("a name after %d bytes was not found in base64", len(shift))
		}
	}
}

// everyQuestion asks what is permitted, what is not, what is not there and what
// cannot be read; with original ids and names too, as a vendor might who has
// them from elsewhere.
func everyQuestion(t *testing.T, b *hospitaltest.Box, r *hospital.Records, ask func(string, ...string) hospitaltest.Answer, post func(path, contentType, body string)) {
	t.Helper()
	const form, fhirJSON = "application/x-www-form-urlencoded", "application/fhir+json"
	var patients bundle
	if err := json.Unmarshal(ask("/Patient?_count=3").Body, &patients); err != nil || len(patients.Entry) == 0 {
		t.Fatalf("no patients: %v", err)
	}
	code := text(patients.Entry[0].Resource, "id")
	original := r.IDs("Patient")[0]
	ask(patients.next())
	for _, typ := range slices.Concat(r.Types(), []string{"Basic", "NoSuchType"}) {
		var found bundle
		got := ask("/" + typ + "?_count=50")
		if got.Status != http.StatusOK {
			ask("/"+typ+"?_count=50", "Accept", hospitaltest.ProblemJSON)
		} else if err := json.Unmarshal(got.Body, &found); err != nil {
			t.Errorf("%s: %v", typ, err)
		}
		for _, e := range found.Entry[:min(2, len(found.Entry))] {
			ask("/" + typ + "/" + text(e.Resource, "id"))
			ask("/" + typ + "/" + text(e.Resource, "id") + "/_history/1")
		}
		if ids := r.IDs(typ); len(ids) > 0 {
			ask("/" + typ + "/" + ids[0])
			ask("/" + typ + "/" + ids[0] + "/_history/1")
		}
	}
	ask("/metadata")
	ask("/Patient/" + code + "/$everything")
	ask("/Patient/" + original + "/$everything")
	ask("/Patient/" + code + "/Observation")
	family, given, birth := "", "", ""
	for _, c := range r.Canaries() {
		switch c.Path {
		case "Patient.name[0].family":
			family = cmp.Or(family, c.Value)
		case "Patient.name[0].given[0]":
			given = cmp.Or(given, c.Value)
		case "Patient.birthDate":
			birth = cmp.Or(birth, c.Value)
		}
	}
	if family == "" || given == "" || birth == "" {
		t.Fatal("the hospital has no canary in a name or a birth date")
	}
	for _, q := range []string{
		"/Patient?family=" + family, "/Patient?given=" + given, "/Patient?name:contains=" + family, "/Patient?birthdate=" + birth,
		"/Patient?birthdate=ge" + birth, "/Patient?identifier=" + url.QueryEscape("http://x|"+family), "/Patient?_id=" + original, "/Patient?_id=" + code,
		"/Patient?_sort=family", "/Patient?_text=" + family, "/Patient?_content=" + family, "/Patient?_filter=" + url.QueryEscape(`family eq "`+family+`"`),
		"/Observation?patient.name=" + family, "/Observation?subject:Patient.family=" + family, "/Observation?patient=" + original, "/Observation?patient=" + code,
		"/Observation?subject=Patient/" + original, "/Patient?_has:Observation:patient:code=8867-4", "/Observation?patient=" + code + "&_include=Observation:subject",
		"/Patient?_id=" + code + "&_revinclude=Observation:subject", "/Observation?patient=" + code + "&_include=*", "/Patient?_elements=name,birthDate",
		"/Patient?_summary=text", "/Patient?_summary=count", "/Patient?_total=accurate", "/Patient?_format=xml", "/Patient?nosuch=" + family,
		"/" + family, "/Patient/" + family, "/Patient/" + family + "/" + given, "/?_getpages=" + family, "/Patient?_count=" + family, "/%ZZ" + family, "/Patient?birthdate=%zz",
		"/../" + family, "/Binary/" + family,
	} {
		if _, err := url.Parse(q); err != nil {
			continue // what no client can send
		}
		ask(q)
		ask(q, "Accept", hospitaltest.ProblemJSON, "X-Request-Id", family, "If-None-Match", family)
	}
	post("/Patient/_search", form, "family="+family)
	post("/Patient/_search", form, "_id="+code)
	post("/Patient/_search", form, "%zz"+family)
	post("/Patient", fhirJSON, `{"resourceType":"Patient","name":[{"family":"`+family+`"}]}`)
	post("/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/`+code+`"}},`+
		`{"request":{"method":"GET","url":"Patient/`+original+`"}},{"request":{"method":"GET","url":"Patient?family=`+family+`"}},`+
		`{"request":{"method":"DELETE","url":"Patient/`+original+`"}}]}`)
	post("/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{"`+family+`":1}]}`)
	post("/", fhirJSON, `{"resourceType":"`+family+`"`)
	post("/", fhirJSON, `{"resourceType":"Bundle","type":"transaction","entry":[]}`)
}

// everyFault has the hospital misbehave, quoting what it can.
func everyFault(t *testing.T, b *hospitaltest.Box, ask func(string, ...string) hospitaltest.Answer) {
	t.Helper()
	var patients bundle
	if err := json.Unmarshal(ask("/Patient?_count=3").Body, &patients); err != nil || len(patients.Entry) == 0 {
		t.Fatalf("no patients: %v", err)
	}
	code := text(patients.Entry[0].Resource, "id")
	secret := `{"resourceType":"Patient","id":"ZZCANARYPATIENTID1Q","name":[{"family":"ZZCANARYFAM1Q"}]`
	for name, f := range map[string]hospital.Fault{
		"an error that quotes the request": {Status: 500}, "not found": {Status: 404}, "not allowed": {Status: 401}, "slow down": {Status: 429}, "gone": {Status: 410},
		"broken off": {Truncate: 300}, "half a document": {Body: secret}, "not JSON": {Body: "<p>ZZCANARYFAM1Q</p>", Type: "text/html"},
		"an error page": {Body: "ZZCANARYFAM1Q", Status: 503, Type: "text/plain"}, "nothing": {Body: " "}, "duplicate names": {Body: secret + `,"id":"ZZCANARYPATIENTID2Q"}`},
		"another patient": {Body: secret + `}`}, "an odd type": {Body: `{"resourceType":"ZZCANARYFAM1Q"}`}, "bad UTF-8": {Body: secret + ",\"x\":\"\xff\"}"},
		"a redirect": {Status: 302, Header: http.Header{"Location": {"http://127.0.0.1:1/ZZCANARYFAM1Q"}}},
		"a header":   {Header: http.Header{"X-Patient": {"ZZCANARYFAM1Q"}, "Set-Cookie": {"p=ZZCANARYFAM1Q"}, "Content-Location": {"/Patient/ZZCANARYPATIENTID1Q"}}},
		"odd coding": {Header: http.Header{"Content-Encoding": {"ZZCANARYFAM1Q"}}},
	} {
		b.Hospital.Misbehave(f)
		for _, q := range []string{"/Patient/" + code, "/Patient?_count=2", "/Observation?patient=" + code} {
			if got := ask(q); got.Status == http.StatusOK && f.Body != "" {
				t.Errorf("%s: %s was answered by %s", name, q, got)
			}
		}
	}
	b.Hospital.Misbehave()
}

// everythingOfTheOrganisation reads the whole API, and asks it wrongly.
func everythingOfTheOrganisation(t *testing.T, b *hospitaltest.Box, take func(string, hospitaltest.Answer) hospitaltest.Answer) {
	t.Helper()
	read := func(method, path string, body any, want int) hospitaltest.Answer {
		a, err := b.People[registrytest.Grace].Do(method, path, body)
		if err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
		if a.Status != want {
			t.Errorf("%s %s: got %s, want %d", method, path, a, want)
		}
		return take("API: "+method+" "+path, a)
	}
	for _, noun := range []string{"vendors", "assessments", "certifications", "agreements", "engagements", "determinations", "persons", "trainings", "devices", "apps", "roles", "grants", "reviews", "holds", "attestations"} {
		read(http.MethodGet, "/v1/"+noun, nil, http.StatusOK)
		read(http.MethodGet, "/v1/"+noun+"/ZZNOBODY", nil, http.StatusNotFound)
	}
	for _, path := range []string{"/v1/whoami", "/v1/acts?limit=1000", "/v1/act-kinds", "/v1/log/checkpoint", "/v1/log/key", "/openapi.json"} {
		read(http.MethodGet, path, nil, http.StatusOK)
	}
	question := map[string]any{"grant": hospitaltest.Grant, "interaction": "read", "resources": []string{"Patient"}}
	read(http.MethodPost, "/v1/explain", map[string]any{"question": question}, http.StatusOK)
	read(http.MethodPost, "/v1/explain", map[string]any{"question": question, "with": []any{map[string]any{"kind": "agreement.terminate", "act": map[string]any{"id": hospitaltest.BAA}}}}, http.StatusOK)
	applied := read(http.MethodPost, "/v1/apply", map[string]any{"dry_run": true, "documents": []any{map[string]any{"record": "vendor",
		"fields": map[string]any{"id": "eastwind", "name": "Eastwind AI", "contact": "privacy@eastwind.example"}}}}, http.StatusOK)
	if !bytes.Contains(applied.Body, []byte("eastwind")) {
		t.Errorf("a dry run of apply: got %s, want what would be done", applied)
	}
	for index := range b.Verify().Size {
		a, err := b.People[registrytest.Grace].Do(http.MethodGet, fmt.Sprintf("/v1/log/proofs/%d", index), nil)
		if err != nil || a.Status != http.StatusOK {
			t.Fatalf("the proof of entry %d: %s %v", index, a, err)
		}
		take(fmt.Sprintf("API: proof of entry %d", index), a)
	}
}

// A role that may see direct identifiers sees those that it names: what leaves
// holds canaries of the role's elements, and of no other.
func TestARoleThatShowsNamesShowsNoMore(t *testing.T) {
	t.Parallel()
	records := hospital.GenerateCanaries(2, 3)
	var role registry.DefineRole
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records, Role: func(a *registry.DefineRole) {
		a.DirectIdentifiers = true
		p := a.Resources["Patient"]
		p.Elements = append(p.Elements, "name.family")
		a.Resources["Patient"] = p
		role = *a
	}})
	b.Paper()
	covered := func(typ, path string) bool {
		return slices.ContainsFunc(role.Resources[typ].Elements, func(element string) bool {
			rest, ok := strings.CutPrefix(path, typ+"."+strings.TrimSuffix(element, "[x]"))
			return ok && (rest == "" || rest[0] == '.' || strings.HasSuffix(element, "[x]"))
		})
	}
	index := regexp.MustCompile(`\[\d+\]`)
	shown := map[string]bool{} // type and value
	for _, c := range records.Canaries() {
		typ, _, _ := strings.Cut(c.Resource, "/")
		if covered(typ, index.ReplaceAllString(c.Path, "")) {
			shown[typ+" "+c.Value] = true
		}
	}
	families := map[string]bool{}
	for typ := range role.Resources {
		got := b.Get("/" + typ + "?_count=50")
		if got.Status != http.StatusOK {
			t.Errorf("%s: got %s", typ, got)
		}
		for _, value := range wholeCanary.FindAllString(string(got.Body), -1) {
			if !shown[typ+" "+value] {
				t.Errorf("the release of %s holds %s, which no element of the role holds", typ, value)
			}
			if typ == "Patient" {
				families[value] = true
			}
		}
	}
	if len(families) < len(records.IDs("Patient")) {
		t.Errorf("%d family names left; each of the %d patients has one that the role shows", len(families), len(records.IDs("Patient")))
	}
	if found := wholeCanary.FindAll(b.Log.Bytes(), 3); found != nil {
		t.Errorf("the log holds %q", found)
	}
}

// files reads every file below dir.
func files(t *testing.T, dir, when string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // a partial tile that a whole one has replaced
		}
		rel, _ := filepath.Rel(dir, path)
		out["file, "+when+": "+filepath.ToSlash(rel)] = raw
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
