package fhir

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

const form, fhirJSON = "application/x-www-form-urlencoded", "application/fhir+json; charset=UTF-8"

func TestInteractions(t *testing.T) {
	for _, c := range []struct {
		method, target, contentType, body string
		want                              string // kind resource id version
	}{
		{"GET", "/Patient/1", "", "", "read Patient 1 "},
		{"GET", "/Patient/1?_elements=name&_format=json", "", "", "read Patient 1 "},
		{"GET", "/Patient/1/_history/2", "", "", "vread Patient 1 2"},
		{"GET", "/Patient?name=a", "", "", "search-type Patient  "},
		{"GET", "/Patient", "", "", "search-type Patient  "},
		{"POST", "/Patient/_search", form, "name=a", "search-type Patient  "},
		{"POST", "/Patient/_search?_count=5", form + "; charset=utf-8", "name=a", "search-type Patient  "},
		{"GET", "/Patient/1/$everything?start=2024&_type=Observation,Encounter&_count=5", "", "", "everything Patient 1 "},
		{"GET", "/metadata", "", "", "capabilities   "},
		{"GET", "/metadata?_format=application/fhir%2Bjson", "", "", "capabilities   "},
		{"GET", "/_page/abc_-9", "", "", "page   "},
		{"POST", "/", fhirJSON, `{"entry":[{"request":{"method":"GET","url":"Patient/1"}}],"type":"batch","resourceType":"Bundle"}`, "batch   "},
		{"POST", "", fhirJSON, `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}`, "transaction   "},
		{"POST", "/Patient", fhirJSON, `{}`, "create Patient  "},
		{"PUT", "/Patient/1", fhirJSON, `{}`, "update Patient  "},
		{"PATCH", "/Patient/1", fhirJSON, `{}`, "patch Patient  "},
		{"DELETE", "/Patient/1", "", "", "delete Patient  "},
		{"GET", "/Patient/_history", "", "", "history-type Patient  "},
		{"GET", "/Patient/1/_history", "", "", "history-instance Patient  "},
		{"GET", "/_history", "", "", "history-system   "},
		{"GET", "/?_type=Patient", "", "", "search-system   "},
		{"POST", "/_search", form, "_type=Patient", "search-system   "},
		{"GET", "/Patient/1/Observation", "", "", "search-compartment Patient  "},
		{"GET", "/$export", "", "", "operation   "},
		{"GET", "/Group/1/$export", "", "", "operation Group  "},
		{"POST", "/Patient/1/$everything", fhirJSON, "{}", "operation Patient  "},
		{"GET", "/Encounter/1/$everything", "", "", "operation Encounter  "},
	} {
		path, query, _ := strings.Cut(c.target, "?")
		i, err := ParseRequest(Request{c.method, path, query, c.contentType, []byte(c.body)}, base)
		got := fmt.Sprintf("%s %s %s %s", string(i.Kind), i.Resource, i.ID, i.Version)
		if err != nil || got != c.want {
			t.Errorf("%s %s: got %q, %v, want %q", c.method, c.target, got, err, c.want)
		}
		if refused := strings.Fields(c.want)[0]; i.Kind.Offered() != !strings.Contains("create update patch delete transaction operation history-type history-instance history-system search-system search-compartment", refused) {
			t.Errorf("%s %s: offered is %t", c.method, c.target, i.Kind.Offered())
		}
	}
	if Kind("").Offered() {
		t.Error("no kind at all is offered")
	}
}

func TestRequestsThatTwoReadersCouldReadDifferently(t *testing.T) {
	for _, c := range []struct{ method, target, contentType, body string }{
		{"GET", "//Patient/1", "", ""},
		{"GET", "/Patient//1", "", ""},
		{"GET", "/Patient/1/", "", ""},
		{"GET", "/Patient/", "", ""},
		{"GET", "/Patient/.", "", ""},
		{"GET", "/Patient/..", "", ""},
		{"GET", "/Patient/../Observation/1", "", ""},
		{"GET", "/Patient/%31", "", ""},
		{"GET", "/Patient%2F1", "", ""},
		{"GET", "/%50atient/1", "", ""},
		{"GET", "/Patient/1%00", "", ""},
		{"GET", "/Patient/1;x=y", "", ""},
		{"GET", "/Patient\\1", "", ""},
		{"GET", "/patient/1", "", ""},
		{"GET", "/PATIENT/1", "", ""},
		{"GET", "/Patient/1/_History/2", "", ""},
		{"GET", "/Patient/1/_history/2/3", "", ""},
		{"GET", "/Patient/1/_history/..", "", ""},
		{"GET", "/Metadata", "", ""},
		{"GET", "/metadata/", "", ""},
		{"GET", "/DomainResource/1", "", ""},
		{"GET", "/Patient/" + strings.Repeat("a", 65), "", ""},
		{"GET", "/Patient/1?name=a", "", ""},
		{"GET", "/Patient/1?_format=xml", "", ""},
		{"GET", "/Patient/1?_summary=count", "", ""},
		{"GET", "/Patient/_search?name=a", "", ""},
		{"GET", "/Patient/1", "", "body"},
		{"GET", "/_page/a/b", "", ""},
		{"GET", "/_page/a?x=y", "", ""},
		{"GET", "/Patient/1/$everything/x", "", ""},
		{"GET", "/Patient/1/$everything?start=nonsense", "", ""},
		{"GET", "/Patient/1/$everything?_type=nonsense", "", ""},
		{"GET", "/Patient/1/$everything?name=a", "", ""},
		{"GET", "/Patient/1/$everything?start=2024&start=2025", "", ""},
		{"HEAD", "/Patient/1", "", ""},
		{"get", "/Patient/1", "", ""},
		{"TRACE", "/", "", ""},
		{"", "/Patient/1", "", ""},
		{"POST", "/Patient/_search", "application/json", "name=a"},
		{"POST", "/Patient/_search", "", "name=a"},
		{"POST", "/Patient/_search", form + "; charset=utf-16", "name=a"},
		{"POST", "/Patient/_search", form, "nonsense=a"},
		{"POST", "/", "text/plain", `{"resourceType":"Bundle","type":"batch"}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"collection"}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle"}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Patient"}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","type":"batch"}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{}]}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"/Patient/1"}}]}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"https://x/Patient/1"}}]}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"_page/abc"}}]}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient"},"request":{"method":"GET","url":"Patient/1"}}]}`},
		{"POST", "/", fhirJSON, `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Repeat(`{"request":{"method":"GET","url":"Patient/1"}},`, MaxBatch) + `{"request":{"method":"GET","url":"Patient/1"}}]}`},
	} {
		path, query, _ := strings.Cut(c.target, "?")
		i, err := ParseRequest(Request{c.method, path, query, c.contentType, []byte(c.body)}, base)
		var p *problem.Problem
		if !errors.As(err, &p) {
			t.Errorf("%s %s: got %q, %v, want a problem", c.method, c.target, string(i.Kind), err)
		}
	}
}

func TestABatchNamesEachOfItsInteractions(t *testing.T) {
	i, err := ParseRequest(Request{Method: "POST", Path: "/", ContentType: fhirJSON, Body: []byte(`{"resourceType":"Bundle","type":"batch","entry":[
		{"request":{"method":"GET","url":"Patient/1"}},{"request":{"method":"GET","url":"Observation?patient=1"}},{"request":{"method":"DELETE","url":"Patient/1"}}]}`)}, base)
	if err != nil || len(i.Batch) != 3 || i.Batch[0].Kind != Read || i.Batch[1].Search.Params[0].Code != "patient" || i.Batch[2].Kind != Delete {
		t.Errorf("got %d entries, %v", len(i.Batch), err)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{"/Patient/1", "/Patient/1/_history/2?_format=json", "/Patient?name=a", "/Patient/1/$everything?start=2024", "/metadata", "/..//%2e"} {
		f.Add("GET", s, "", []byte(nil))
	}
	f.Add("POST", "/Patient/_search", form, []byte("name=a"))
	f.Add("POST", "/", fhirJSON, []byte(`{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","url":"Patient/1"}}]}`))
	f.Fuzz(func(t *testing.T, method, target, contentType string, body []byte) {
		path, query, _ := strings.Cut(target, "?")
		i, err := ParseRequest(Request{method, path, query, contentType, body}, base)
		if err != nil {
			if i.Kind != "" {
				t.Fatal("refused, and yet an interaction")
			}
			return
		}
		if i.Kind == "" {
			t.Fatal("neither refused nor an interaction")
		}
		for _, one := range append(i.Batch, i) {
			if one.ID != "" && (!spec.ValidID(one.ID) || dots(one.ID)) || one.Resource != "" && !spec.IsResource(one.Resource) {
				t.Fatal("an id or a type that is none")
			}
			if (one.Kind == Read || one.Kind == VRead) && strings.TrimPrefix(path, "/") != "" && one.ID == "" {
				t.Fatal("a read of nothing")
			}
		}
	})
}
