package fhirapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/audit"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/gateway"
	"github.com/sallyport/sallyport/problem"
)

// What cannot be read is a problem that quotes nothing; what can is in words
// that the log takes.
func FuzzRead(f *testing.F) {
	for _, s := range [][3]string{
		{"GET", "Patient/1", ""}, {"GET", "Patient/1/_history/2", ""}, {"GET", "Patient", "gender=male&_count=5"}, {"GET", "Patient/1/$everything", "_type=Observation"},
		{"GET", "metadata", ""}, {"GET", "_page/a/b", ""}, {"POST", "Patient/_search", "gender=male"}, {"GET", "Observation", "subject:Patient.name=x&_include=Observation:subject"},
		{"POST", "", `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/1"}}]}`},
		{"GET", "Patient/%2e%2e", ""}, {"GET", "Patient", "_has:Observation:patient:code=1&_sort=-birthdate"}, {"DELETE", "Patient/1", ""},
	} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, method, rest, query string) {
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(query))
		r.Method = method
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if rest == "" {
				r.Header.Set("Content-Type", "application/fhir+json")
			}
		} else {
			r.URL.RawQuery = query
		}
		reading, err := New("fuzz", "").Read(r, gateway.Standing{Rest: rest, Public: "https://gw.example/fhir/ehr"})
		if err != nil {
			p := problem.From(err)
			if p.Kind == "" || p.Kind == problem.Internal {
				t.Errorf("got %v", p)
			}
			return
		}
		questions := []gateway.Question{reading.Question}
		for _, i := range reading.Batch {
			questions = append(questions, i.Question)
		}
		for _, q := range questions {
			if q == nil {
				continue
			}
			w := q.Words()
			if !audit.Action(w.Interaction) || w.Interaction != "capabilities" && len(w.Resources) == 0 {
				t.Errorf("got words %+v", w)
			}
			for _, typ := range w.Resources {
				if !audit.Resource(typ) {
					t.Errorf("%q is no resource type", typ)
				}
			}
			if w.Interaction != "capabilities" && len(w.Needs) == 0 {
				t.Error("it needs no scope")
			}
		}
	})
}

// impersonal types cannot name a patient.
func TestImpersonalTypes(t *testing.T) {
	for typ := range impersonal {
		if list := patientElements(typ); len(list) > 0 {
			t.Errorf("%s can name a patient, in %v", typ, list)
		}
	}
}

func patientElements(typ string) (out []string) {
	for _, e := range spec.PatientElements(typ) {
		out = append(out, e.Path)
	}
	return out
}
