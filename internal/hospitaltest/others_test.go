package hospitaltest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/hospital"
	"github.com/sallyport/sallyport/internal/hospitaltest"
	"github.com/sallyport/sallyport/internal/need"
)

// bundle is what these tests read of a Bundle, and of a resource in it.
type bundle struct {
	ResourceType string `json:"resourceType"`
	Type         string `json:"type"`
	Total        *int   `json:"total"`
	Link         []struct {
		Relation string `json:"relation"`
		URL      string `json:"url"`
	} `json:"link"`
	Entry []struct {
		FullURL  string         `json:"fullUrl"`
		Resource map[string]any `json:"resource"`
		Search   struct {
			Mode string `json:"mode"`
		} `json:"search"`
		Response struct {
			Status  string         `json:"status"`
			Outcome map[string]any `json:"outcome"`
		} `json:"response"`
	} `json:"entry"`
}

func (b bundle) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

// resources are the entries' resources of a type, and of a search mode unless
// it is empty.
func (b bundle) resources(typ, mode string) (out []map[string]any) {
	for _, e := range b.Entry {
		if e.Resource["resourceType"] == typ && (mode == "" || e.Search.Mode == mode) {
			out = append(out, e.Resource)
		}
	}
	return out
}

func readBundle(t *testing.T, b *hospitaltest.Box, path string) (out bundle) {
	t.Helper()
	got := b.Get(path)
	if got.Status != http.StatusOK || got.Cut != nil {
		t.Fatalf("GET %s: %s", path, got)
	}
	if err := json.Unmarshal(got.Body, &out); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return out
}

func readResource(t *testing.T, b *hospitaltest.Box, path string) (out map[string]any) {
	t.Helper()
	got := b.Get(path)
	if got.Status != http.StatusOK || got.Cut != nil {
		t.Fatalf("GET %s: %s", path, got)
	}
	if err := json.Unmarshal(got.Body, &out); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
	return out
}

// text of a member that is known to be a string; empty if it is not.
func text(m map[string]any, path ...string) string {
	var v any = m
	for _, p := range path {
		o, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = o[p]
	}
	s, _ := v.(string)
	return s
}

// A FHIR server that nobody here wrote stands behind the door: Medplum's router
// over its repository in memory, with the synthetic patients loaded into it.
func TestMedplumBehindTheDoor(t *testing.T) {
	t.Parallel()
	base := hospitaltest.Medplum(t)
	records := hospital.Generate(7, 4)
	hospitaltest.Load(t, base, records)
	b := hospitaltest.Start(t, hospitaltest.Options{Upstream: base})
	b.Paper()

	patients := readBundle(t, b, "/Patient?_count=3")
	if got := len(patients.resources("Patient", "match")); got != 3 || patients.next() == "" {
		t.Fatalf("the first page has %d patients and the next link %q; want 3 and a link", got, patients.next())
	}
	var codes []string
	for page := patients; ; page = readBundle(t, b, page.next()) {
		for _, p := range page.resources("Patient", "") {
			codes = append(codes, text(p, "id"))
			if p["name"] != nil || p["address"] != nil || p["telecom"] != nil || p["text"] != nil {
				t.Errorf("a patient left with more than the role shows: %v", p)
			}
		}
		if page.next() == "" {
			break
		}
	}
	slices.Sort(codes)
	if want := len(records.IDs("Patient")); len(slices.Compact(slices.Clone(codes))) != want {
		t.Errorf("all pages together have the patients %v; want %d different ones", codes, want)
	}
	for _, original := range records.IDs("Patient") {
		if slices.Contains(codes, original) {
			t.Errorf("the patient %s left under their own id", original)
		}
	}

	// Codes have no order, and not every patient has what the grant may see.
	at := slices.IndexFunc(codes, func(c string) bool {
		return len(readBundle(t, b, "/Observation?patient="+c).resources("Observation", "match")) > 0
	})
	if at < 0 {
		t.Fatal("no patient has observations")
	}
	subject := codes[at]
	one := readResource(t, b, "/Patient/"+subject)
	if text(one, "id") != subject || len(text(one, "birthDate")) != len("1970") {
		t.Errorf("a read by code gave id %s and birth date %s; want %s and a year", text(one, "id"), text(one, "birthDate"), subject)
	}
	observations := readBundle(t, b, "/Observation?patient="+subject+"&_include=Observation:subject&_count=4")
	found := observations.resources("Observation", "match")
	if len(found) == 0 {
		t.Fatal("the patient has no observations")
	}
	for _, o := range found {
		if got, want := text(o, "subject", "reference"), "Patient/"+subject; got != want {
			t.Errorf("an observation's subject: got %s, want %s", got, want)
		}
	}
	included := observations.resources("Patient", "include")
	if len(included) != 1 || text(included[0], "id") != subject {
		t.Errorf("_include gave %v, want the one patient %s", included, subject)
	}
	again := readResource(t, b, "/Observation/"+text(found[0], "id"))
	if text(again, "subject", "reference") != "Patient/"+subject {
		t.Errorf("the observation read by its code is of %s, want of Patient/%s", text(again, "subject", "reference"), subject)
	}
	if got := b.Get("/Patient?name=Smith"); got.Status != http.StatusForbidden {
		t.Errorf("a search by what the role hides: got %s, want 403", got)
	}
	if got := b.Get("/Patient/" + records.IDs("Patient")[0]); got.Status != http.StatusNotFound {
		t.Errorf("a read by the original id: got %s, want 404", got)
	}
	b.Verify()
}

// A FHIR client that nobody here wrote stands before the door: fhir-kit-client,
// through mutual TLS with a bound token.
func TestFHIRKitBeforeTheDoor(t *testing.T) {
	t.Parallel()
	need.Node(t)
	records := hospital.Generate(3, 5)
	b := hospitaltest.Start(t, hospitaltest.Options{Records: records})
	b.Paper()
	var got struct {
		Metadata struct {
			ResourceType string `json:"resourceType"`
			FHIRVersion  string `json:"fhirVersion"`
			Rest         []struct {
				Resource []struct {
					Type string `json:"type"`
				} `json:"resource"`
			} `json:"rest"`
		} `json:"metadata"`
		SMART struct {
			TokenURL string `json:"tokenUrl"`
		} `json:"smart"`
		Search       bundle         `json:"search"`
		Pages        []bundle       `json:"pages"`
		Read         map[string]any `json:"read"`
		Observations bundle         `json:"observations"`
		Resolved     map[string]any `json:"resolved"`
		Batch        bundle         `json:"batch"`
		RefusedRead  response       `json:"refusedRead"`
		RefusedWrite response       `json:"refusedWrite"`
	}
	b.FHIRKit(&got)

	if got.Metadata.ResourceType != "CapabilityStatement" || got.Metadata.FHIRVersion != "4.0.1" || len(got.Metadata.Rest) != 1 {
		t.Fatalf("metadata: got %+v", got.Metadata)
	}
	var types []string
	for _, r := range got.Metadata.Rest[0].Resource {
		types = append(types, r.Type)
	}
	if !slices.Contains(types, "Observation") || slices.Contains(types, "Practitioner") {
		t.Errorf("metadata shows %v; want what the role has and nothing else", types)
	}
	if got, want := got.SMART.TokenURL, b.Gateway+"/token"; got != want {
		t.Errorf("the client discovers the token endpoint %q, want %q", got, want)
	}
	id := text(got.Read, "id")
	if id == "" || id != text(got.Search.Entry[0].Resource, "id") {
		t.Errorf("the patient that was read is %q, the one that was found %q", id, text(got.Search.Entry[0].Resource, "id"))
	}
	seen := map[string]bool{}
	for _, page := range got.Pages {
		for _, p := range page.resources("Patient", "") {
			seen[text(p, "id")] = true
		}
	}
	if len(got.Pages) != 3 || len(seen) != 5 {
		t.Errorf("leafing through pages of 2 gave %d pages with %d patients, want 3 with 5", len(got.Pages), len(seen))
	}
	if o := got.Observations; len(o.resources("Observation", "match")) != 3 || len(o.resources("Patient", "include")) != 1 {
		t.Errorf("a search by POST with _include gave %d observations and %d patients, want 3 and 1", len(o.resources("Observation", "match")), len(o.resources("Patient", "include")))
	}
	if text(got.Resolved, "resourceType") != "Patient" || text(got.Resolved, "id") != id {
		t.Errorf("the subject's reference resolves to %v, want Patient/%s", got.Resolved, id)
	}
	var statuses []string
	for _, e := range got.Batch.Entry {
		statuses = append(statuses, e.Response.Status[:min(3, len(e.Response.Status))])
	}
	if want := []string{"200", "200", "403"}; got.Batch.Type != "batch-response" || !slices.Equal(statuses, want) {
		t.Errorf("the batch was answered by a %s with %v, want a batch-response with %v", got.Batch.Type, statuses, want)
	}
	for name, r := range map[string]response{"a read of a hidden type": got.RefusedRead, "a write": got.RefusedWrite} {
		if r.Status/100 != 4 && r.Status != http.StatusNotImplemented || r.Data.ResourceType != "OperationOutcome" {
			t.Errorf("%s: the client saw %d %+v, want an OperationOutcome", name, r.Status, r.Data)
		}
	}
	for _, original := range records.IDs("Patient") {
		if strings.Contains(fmt.Sprint(got), original) {
			t.Errorf("the client got to see the original id %s", original)
		}
	}
}

type response struct {
	Status int `json:"status"`
	Data   struct {
		ResourceType string `json:"resourceType"`
	} `json:"data"`
}
