package fhirapi

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/gateway/gatewaytest"
	"github.com/sallyport/sallyport/snapshot"
)

// Each row is a way to ask about what may not be seen. Without the element in
// the role it is refused by the role gate and the source is not asked; with it
// the same question is answered.
func TestSearchCannotInfer(t *testing.T) {
	records := gatewaytest.Small()
	patient := records.IDs("Patient")[0]
	direct := func(r *snapshot.Role) { r.DirectIdentifiers, r.Dates = true, snapshot.KeepDates }
	show := func(typ string, elements ...string) func(*snapshot.Role) {
		return func(r *snapshot.Role) {
			direct(r)
			s := r.Resources[typ]
			if s.Interactions == nil {
				s.Interactions = []string{"read", "search-type"}
			}
			s.Elements = append(append([]string(nil), s.Elements...), elements...)
			r.Resources[typ] = s
		}
	}
	none := func(typ string, drop ...string) func(*snapshot.Role) {
		return func(r *snapshot.Role) {
			s := r.Resources[typ]
			var kept []string
			for _, e := range s.Elements {
				hidden := false
				for _, d := range drop {
					hidden = hidden || e == d
				}
				if !hidden {
					kept = append(kept, e)
				}
			}
			s.Elements = kept
			r.Resources[typ] = s
		}
	}
	for _, c := range []struct {
		name   string
		query  func(code string) string
		hidden func(*snapshot.Role)
		shown  func(*snapshot.Role) // nil: no role can show it
	}{
		{"a name", func(string) string { return "/Patient?family=Smith" }, nil, show("Patient", "name")},
		{"an identifier", func(string) string { return "/Patient?identifier=123" }, nil, show("Patient", "identifier")},
		{"a chain", func(string) string { return "/Observation?subject:Patient.family=Smith" }, nil, show("Patient", "name")},
		{"a chain through a hidden reference", func(string) string { return "/Observation?subject:Patient.gender=male" },
			none("Observation", "subject"), func(*snapshot.Role) {}},
		// What is found by a record that is not in the answer tells of that record,
		// and nobody has judged it.
		{"_has", func(string) string { return "/Patient?_has:Observation:patient:code=8867-4" }, nil, nil},
		{"a chain through a record", func(string) string { return "/Observation?encounter:Encounter.class=AMB" }, nil, nil},
		{"a chain to a patient beside the record's", func(string) string { return "/Patient?link:Patient.gender=male" }, nil, nil},
		{"_sort", func(string) string { return "/Patient?_sort=family" }, nil, show("Patient", "name")},
		{"_sort by a date seen to the year", func(string) string { return "/Patient?_sort=birthdate" }, nil, direct},
		{"a birth date by prefix", func(string) string { return "/Patient?birthdate=gt1970-05-17" }, nil, direct},
		{"a birth date that is hidden, by its year", func(string) string { return "/Patient?birthdate=1970" },
			none("Patient", "birthDate"), func(*snapshot.Role) {}},
		{"whether there is a hidden element", func(string) string { return "/Patient?birthdate:missing=true" },
			none("Patient", "birthDate"), func(*snapshot.Role) {}},
		{"the time of filing", func(string) string { return "/Observation?_lastUpdated=gt2026-01-01" }, nil, direct},
		{"_include of a hidden reference", func(string) string { return "/Observation?_include=Observation:subject" },
			none("Observation", "subject"), func(*snapshot.Role) {}},
		{"_revinclude of a hidden reference", func(string) string { return "/Patient?_revinclude=Observation:subject" },
			none("Observation", "subject"), func(*snapshot.Role) {}},
		{"the text of a code", func(string) string { return "/Observation?code:text=heart" }, nil, nil},
		{"_filter", func(string) string { return "/Patient?_filter=family%20eq%20Smith" }, nil, nil},
		{"_text", func(string) string { return "/Patient?_text=Smith" }, nil, nil},
		{"_content", func(string) string { return "/Patient?_content=Smith" }, nil, nil},
		{"_query", func(string) string { return "/Patient?_query=x" }, nil, nil},
		{"a reference's identifier", func(string) string { return "/Observation?subject:identifier=x%7C1" }, nil, nil},
		{"a list", func(code string) string { return "/Patient?_list=" + code }, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: c.hidden})
			r := w.Get(c.query(w.Code(patient)))
			if r.Status != 403 || !strings.Contains(string(r.Body), `"role"`) {
				t.Fatalf("hidden: got %d, want 403 by the role: %s", r.Status, r.Body)
			}
			if n := w.Hospital.Served().Requests; n != 0 {
				t.Errorf("hidden: the source was asked %d times", n)
			}
			if e := w.Decision(r); len(e) != 1 || e[0].Refusal == nil {
				t.Errorf("hidden: the refusal is not in the log")
			}
			if c.shown == nil {
				return
			}
			w = gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records, Role: c.shown})
			if r := w.Get(c.query(w.Code(patient))); r.Status != 200 {
				t.Errorf("shown: got %d, want 200: %s", r.Status, r.Body)
			}
		})
	}
}

// A date that is shown to the year may be asked about by the year.
func TestYearsMayBeAsked(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	for query, want := range map[string]int{
		"birthdate=1970": 200, "birthdate=ge1950&birthdate=lt1990": 200, "birthdate=ap1970": 403,
		"birthdate=1970-05": 403, "birthdate=1970,1980-01-01": 403, "birthdate=ge1970-01-01": 403,
	} {
		if r := w.Get("/Patient?" + query); r.Status != want {
			t.Errorf("%s: got %d, want %d", query, r.Status, want)
		}
	}
}

// Counts are of what the caller may see, whatever the source counts.
func TestTotalsCountWhatIsSeen(t *testing.T) {
	records := gatewaytest.Small()
	patients := records.IDs("Patient")
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records})
	w.ReachOnly(patients[0], patients[1])
	for query, want := range map[string]any{
		"": nil, "_total=none": nil, "_total=accurate": 2.0, "_summary=count": 2.0, "_count=0": 2.0,
	} {
		m := w.Get("/Patient?" + query).JSON(t)
		if got := m["total"]; got != want {
			t.Errorf("%q: got total %v, want %v", query, got, want)
		}
		entries, _ := m["entry"].([]any)
		if n := len(entries); n != 2 && want != 2.0 || n != 0 && (query == "_summary=count" || query == "_count=0") {
			t.Errorf("%q: got %d entries", query, n)
		}
	}
	if r := w.Get("/Patient?_total=estimate"); r.Status != 400 {
		t.Errorf("an estimate: got %d", r.Status)
	}
}

// A direct read of somebody outside the cohort, of nobody, and of a raw id look
// the same.
func TestOutsideLooksLikeNothing(t *testing.T) {
	records := gatewaytest.Small()
	patients := records.IDs("Patient")
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Records: records})
	w.ReachOnly(patients[0])
	if r := w.Get("/Patient/" + w.Code(patients[0])); r.Status != 200 {
		t.Fatalf("inside: got %d: %s", r.Status, r.Body)
	}
	var bodies []string
	for name, path := range map[string]string{
		"outside": "/Patient/" + w.Code(patients[1]), "nobody": "/Patient/" + w.Code("no-such-patient"),
		"raw": "/Patient/" + patients[0], "made up": "/Patient/s" + strings.Repeat("A", 63),
		"other type": "/Observation/" + w.Code(patients[0]), "everything": "/Patient/" + w.Code(patients[1]) + "/$everything",
	} {
		r := w.Get(path)
		if r.Status != 404 {
			t.Errorf("%s: got %d: %s", name, r.Status, r.Body)
			continue
		}
		body := strings.ReplaceAll(string(r.Body), r.Header.Get("Sallyport-Decision"), "")
		bodies = append(bodies, body)
		if body != bodies[0] {
			t.Errorf("%s differs: %s", name, body)
		}
	}
	// The owner sees the difference.
	refused := 0
	for _, e := range w.Entries() {
		if e.Refusal != nil && e.Refusal.Failing[0].Gate == "cohort" {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("got %d refusals by the cohort, want 1", refused)
	}
	if r := w.Get("/Observation?patient=" + w.Code(patients[1])); r.Status != 200 || strings.Contains(string(r.Body), `"entry"`) {
		t.Errorf("a search of somebody outside: got %d: %s", r.Status, r.Body)
	}
	if r := w.Get("/Observation?patient=" + patients[0]); r.Status != 404 {
		t.Errorf("a search by a raw id: got %d", r.Status)
	}
}

// Unreadable and unknown questions are refused and recorded, without asking.
func TestEverythingElseIsRefused(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{})
	code := w.Code(w.Records.IDs("Patient")[0])
	for _, c := range []struct {
		method, path string
		body         string
		want         int
	}{
		{"POST", "/Patient", `{"resourceType":"Patient"}`, 501}, {"PUT", "/Patient/" + code, "{}", 501}, {"DELETE", "/Patient/" + code, "", 501},
		{"PATCH", "/Patient/" + code, "{}", 501}, {"HEAD", "/Patient/" + code, "", 501}, {"OPTIONS", "/Patient/" + code, "", 501},
		{"GET", "/Patient/" + code + "/_history", "", 501}, {"GET", "/_history", "", 501}, {"GET", "", "", 501}, {"GET", "/?name=x", "", 501},
		{"GET", "/Patient/" + code + "/Observation", "", 501}, {"GET", "/$export", "", 501}, {"GET", "/Patient/$export", "", 501},
		{"GET", "/patient/" + code, "", 501}, {"GET", "/Patient/" + code + "/", "", 501}, {"GET", "//Patient/" + code, "", 501},
		{"GET", "/Patient/%2e%2e/Observation", "", 400}, {"GET", "/Patient/" + code[:10] + "%41", "", 400}, {"GET", "/Patient%2F" + code, "", 400},
		{"GET", "/Patient/..", "", 501}, {"GET", "/Patient?nonsense=1", "", 400}, {"GET", "/Patient?Gender=male", "", 400},
		{"GET", "/Patient?gender=male&gender", "", 400}, {"GET", "/Patient?_format=xml", "", 400}, {"GET", "/Patient?_summary=data", "", 400},
		{"GET", "/Patient/" + code + "?_elements=name", "", 400}, {"GET", "/Binary/" + code, "", 403}, {"GET", "/Practitioner/" + code, "", 403},
		{"GET", "/Patient/" + code + "/$everything?start=1970-01-01", "", 400}, {"GET", "/Nonsense/" + code, "", 501},
	} {
		before := w.Log.Size()
		r := w.Do(c.method, c.path, []byte(c.body), "Content-Type", "application/fhir+json")
		if r.Status != c.want {
			t.Errorf("%s %s: got %d, want %d: %s", c.method, c.path, r.Status, c.want, r.Body)
		}
		if w.Log.Size() == before {
			t.Errorf("%s %s: nothing was recorded", c.method, c.path)
		}
	}
	if n := w.Hospital.Served().Requests; n != 0 {
		t.Errorf("the source was asked %d times", n)
	}
	if strings.Contains(w.Logs(), code) {
		t.Error("the log of requests holds an id")
	}
}

// SMART scopes narrow the grant.
func TestScopesNarrow(t *testing.T) {
	w := gatewaytest.New(t, New("test", ""), gatewaytest.Options{Scope: "system/Patient.r"})
	code := w.Code(w.Records.IDs("Patient")[0])
	for path, want := range map[string]int{"/Patient/" + code: 200, "/Patient?gender=male": 403, "/Observation?patient=" + code: 403, "/Patient/" + code + "/$everything": 403} {
		r := w.Get(path)
		if r.Status != want {
			t.Errorf("%s: got %d, want %d", path, r.Status, want)
		}
		if e := w.Decision(r); want == 403 && (len(e) != 1 || e[0].Refusal == nil || e[0].Refusal.Failing[0].Gate != "scope") {
			t.Errorf("%s: not recorded as a refusal by the scopes", path)
		}
	}
}
