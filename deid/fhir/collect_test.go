package fhir

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/internal/need"
)

// TestCollector: what the resources say of a patient is in his record.
func TestCollector(t *testing.T) {
	c := NewCollector(stars{})
	for _, r := range []string{
		`{"resourceType":"Patient","id":"p","name":[{"family":"Levin","given":["Rose","Mary"]}],"birthDate":"1950-01-02","telecom":[{"system":"phone","value":"555-0100"},{"system":"email","value":"a@b.example"}],"address":[{"line":["12 Elm"],"city":"Rome"}],"identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"M-77"}],"contact":[{"name":{"family":"Brown"}}],"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Jone Trantow"}],"generalPractitioner":[{"reference":"Practitioner/d","display":"Dr. Liane Kunze"}]}`,
		`{"resourceType":"RelatedPerson","patient":{"reference":"Patient/p"},"name":[{"text":"Bo Levin"}]}`,
		`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"},"period":{"start":"2019-03-04T10:00:00Z"},"serviceProvider":{"reference":"Organization/o","display":"Newman Regional"}}`,
		`{"resourceType":"Practitioner","id":"q","name":[{"family":"Moreau"}]}`,
		`{"resourceType":"Patient","id":"other","name":[{"family":"Stranger"}]}`,
	} {
		must(t, c.Add([]byte(r), nil))
	}
	r, ok := c.Of("p")
	if !ok {
		t.Fatal("the patient is not known")
	}
	got := strings.Join(r.(*starRecord).values, "|")
	for _, want := range []string{"Levin", "Rose", "Mary", "1950-01-02", "555-0100", "a@b.example", "12 Elm", "Rome", "M-77", "Brown", "Trantow", "Liane", "Kunze", "Bo", "2019-03-04", "Newman Regional", "Moreau"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in the record", want)
		}
	}
	if strings.Contains(got, "Stranger") {
		t.Error("another patient is in the record")
	}
	if _, ok := c.Of("nobody"); ok {
		t.Error("a patient of whom nothing is known has a record")
	}
	if err := c.Add([]byte(`{"resourceType":"Ann"`), nil); err == nil || strings.Contains(err.Error(), "Ann") {
		t.Errorf("got %v", err)
	}
}

// TestCosyte: a Bundle whose every identifier is a canary, by other people.
func TestCosyte(t *testing.T) {
	raw, err := os.ReadFile(need.DataFile(t, "cosyte-fixtures/test/fixtures/fhir/bundle.json"))
	must(t, err)
	planted := bytes.Count(raw, []byte("ZZ"))
	for _, profile := range []string{deid.SafeHarborProfile, deid.LimitedDataSetProfile} {
		var out bytes.Buffer
		must(t, NewFiles(under(t, profile), nil).JSON(&out, bytes.NewReader(raw)))
		at := bytes.Index(out.Bytes(), []byte("ZZ"))
		if at >= 0 && !(profile == deid.LimitedDataSetProfile && bytes.Contains(out.Bytes(), []byte(`"city":"ZZ`))) {
			t.Errorf("%s: a canary of %d survives: ...%s", profile, planted, out.Bytes()[max(0, at-60):at+20])
		}
		valid2(t, profile, out.Bytes())
		t.Logf("%s: %s", profile, out.Bytes())
	}
}

// TestCollectorAndIndex: what one pass over the resources tells the next.
func TestCollectorAndIndex(t *testing.T) {
	patient := `{"resourceType":"Patient","id":"p","identifier":[{"system":"s","value":"7"}],"name":[{"family":"Levin"}]}`
	c, x := NewCollector(stars{}), NewIndex(10)
	for _, raw := range []string{patient, `{"resourceType":"Patient","id":"q","identifier":[{"system":"s","value":"8"}]}`} {
		x.Add([]byte(raw))
		must(t, c.Add([]byte(raw), nil))
	}
	if id, ok := x.ID("Patient", "identifier=s|7"); !ok || id != "p" {
		t.Errorf("got %q, %v, want p", id, ok)
	}
	if _, ok := c.Of("p"); !ok {
		t.Error("the patient is not known")
	}
	x = NewIndex(1)
	x.Add([]byte(patient))
	x.Add([]byte(strings.Replace(patient, `"id":"p"`, `"id":"other"`, 1)))
	if id, ok := x.ID("Patient", "identifier=s%7C7"); ok {
		t.Errorf("two have one identifier, and %q was found", id)
	}
	if _, ok := x.ID("Patient", "name=Levin"); ok {
		t.Error("a search that is not by identifier found somebody")
	}
}
