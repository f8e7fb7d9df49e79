package fhir

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

func TestSearchReadsWhatItReads(t *testing.T) {
	for _, c := range []struct{ resource, query, want string }{
		{"Patient", "", ""},
		{"Patient", "name=Smith", "Patient.name"},
		{"Patient", "name:exact=Smith&birthdate=ge1980", "Patient.birthDate Patient.name"},
		{"Patient", "email=a@b", "Patient.telecom"},
		{"Patient", "_id=1", "Patient.id"},
		{"Patient", "_lastUpdated=gt2024-01-01T10:00Z", "Patient.meta.lastUpdated"},
		{"Observation", "code=http://loinc.org|2339-0&patient=1", "Observation.code Observation.subject"},
		{"Observation", "subject:Patient.name=Smith", "Observation.subject Patient.name"},
		{"Observation", "patient.name=Smith", "Observation.subject Patient.name"},
		{"Observation", "subject.name=x", "Location.alias Location.name Observation.subject Patient.name"},
		{"Observation", "patient.general-practitioner:Practitioner.family=x", "Observation.subject Patient.generalPractitioner Practitioner.name.family"},
		{"Patient", "_has:Observation:patient:code=1234-5", "Observation.code Observation.subject"},
		{"Patient", "_has:Observation:patient:_has:AuditEvent:entity:agent=Practitioner/1", "AuditEvent.agent.who AuditEvent.entity.what Observation.subject"},
		{"Encounter", "patient._has:Group:member:_id=102", "Encounter.subject Group.id Group.member.entity"},
		{"Patient", "_sort=-birthdate,family", "Patient.birthDate Patient.name.family"},
		{"Observation", "_include=Observation:subject:Patient", "Observation.subject"},
		{"Patient", "_revinclude=Provenance:target", "Provenance.target"},
		{"Observation", "_include:iterate=Encounter:patient", "Encounter.subject"},
		{"Observation", "code-value-quantity=http://loinc.org|2339-0$gt5.4", "Observation.code Observation.value[x]"},
		{"Patient", "_list=l1", "List.entry.item List.id"},
		{"Patient", "_security=R", "Patient.meta.security"},
		{"Patient", "_elements=name,deceased&_count=5&_format=json&_pretty=true", ""},
		{"Patient", "_content=x&_text=y&_filter=name eq z&_query=q&age=5", "OPAQUE _content _filter _query _text age"},
		{"Patient", "_sort=age", "OPAQUE age"},
		{"Patient", "_summary=count", "TOTALS"},
		{"Patient", "_count=0", "TOTALS"},
		{"Patient", "_total=accurate", "TOTALS"},
	} {
		s, err := ParseSearch(c.resource, strings.ReplaceAll(c.query, " ", "%20"), base)
		if err != nil {
			t.Errorf("%s?%s: %v", c.resource, c.query, err)
			continue
		}
		r := s.Reads()
		got := strings.Join(r.Elements, " ")
		if len(r.Opaque) > 0 {
			got += "OPAQUE " + strings.Join(r.Opaque, " ")
		}
		if r.Totals {
			got += "TOTALS"
		}
		if got != c.want {
			t.Errorf("%s?%s reads\n %q, want\n %q", c.resource, c.query, got, c.want)
		}
	}
}

func TestSearchRefusesWhatIsNotR4(t *testing.T) {
	for _, c := range []struct{ resource, query, field string }{
		{"Patient", "nonsense=SECRET", "nonsense"},
		{"Patient", "John%20SECRET=1", "query"},
		{"Patient", "name", "query"},
		{"Patient", "=SECRET", "query"},
		{"Patient", "name=a&&name=b", "query"},
		{"Patient", "name=SECRET;gender=male", "query"},
		{"Patient", "name=%ff", "query"},
		{"Patient", "name=%00", "query"},
		{"Patient", "name=%zz", "query"},
		{"Patient", "name=", "name"},
		{"Patient", "name=SECRET,", "name"},
		{"Patient", `name=a\SECRET`, "name"},
		{"Patient", "name:above=SECRET", "name"},
		{"Patient", "name:=SECRET", "name"},
		{"Patient", "Name=SECRET", "Name"},
		{"Patient", "birthdate=SECRET", "birthdate"},
		{"Patient", "birthdate=2023-02-29", "birthdate"},
		{"Patient", "birthdate=xx2023", "birthdate"},
		{"Patient", "birthdate:missing=SECRET", "birthdate"},
		{"Patient", "_id=a/b", "_id"},
		{"Patient", "_id=..", "_id"},
		{"Patient", "_id:not=a", "_id"},
		{"Patient", "_has:Observation:code:value=1", "_has"},
		{"Patient", "_has:Observation=1", "_has"},
		{"Patient", "_has:SECRET:patient:code=1", "_has"},
		{"Patient", "name.family=SECRET", "name"},
		{"Observation", "subject:Practitioner.name=SECRET", "subject"},
		{"Observation", "subject:Practitioner=SECRET", "subject"},
		{"Observation", "subject.SECRET=1", "subject"},
		{"Observation", "patient=Practitioner/1", "patient"},
		{"Observation", "patient=https://other.example.org/fhir/Patient/SECRET", "patient"},
		{"Observation", "patient=urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "patient"},
		{"Observation", "patient=Patient/../SECRET", "patient"},
		{"Observation", "patient=Patient/..", "patient"},
		{"Observation", "patient=%23c", "patient"},
		{"Observation", "patient:Patient=Group/1", "patient"},
		{"Observation", "value-quantity=SECRET", "value-quantity"},
		{"Observation", "value-quantity=5|mg", "value-quantity"},
		{"Observation", "code=a|b|c", "code"},
		{"Observation", "code-value-quantity=a", "code-value-quantity"},
		{"Observation", "code-value-quantity=a$b", "code-value-quantity"},
		{"Observation", "subject.subject.subject.subject.subject.subject=1", "subject"},
		{"Patient", "_sort=SECRET", "_sort"},
		{"Patient", "_sort=", "_sort"},
		{"Patient", "_sort=name&_sort=gender", "_sort"},
		{"Patient", "_count=-1", "_count"},
		{"Patient", "_count=1e3", "_count"},
		{"Patient", "_count=99999999999999999999", "_count"},
		{"Patient", "_include=*", "_include"},
		{"Patient", "_include=Patient:*", "_include"},
		{"Patient", "_include=Observation:subject", "_include"},
		{"Patient", "_include:recurse=Patient:link", "_include"},
		{"Patient", "_include=Patient:link:Practitioner", "_include"},
		{"Patient", "_revinclude=Observation:code", "_revinclude"},
		{"Patient", "_revinclude=Patient:organization", "_revinclude"},
		{"Patient", "_elements=SECRET", "_elements"},
		{"Patient", "_elements=name.family", "_elements"},
		{"Patient", "_summary=SECRET", "_summary"},
		{"Patient", "_format=xml", "_format"},
		{"Patient", "_format=json&_format=json", "_format"},
		{"Patient", "_total:exact=none", "_total"},
		{"Patient", "_list=$current-problems", "_list"},
		{"Patient", "_list:not=1", "_list"},
		{"Patient", "_type=Observation", "_type"},
		{"Binary", "_text=x", "_text"},
		{"DomainResource", "", "resource"},
		{"Patient", "name=" + strings.Repeat("a", maxQuery), "query"},
		{"Patient", strings.Repeat("name=a&", maxParams) + "name=a", "query"},
	} {
		s, err := ParseSearch(c.resource, c.query, base)
		var p *problem.Problem
		if !errors.As(err, &p) || p.Kind != problem.Invalid || p.Field != c.field || s != nil {
			t.Errorf("%s?%.60s: got %v, want a bad field %s", c.resource, c.query, err, c.field)
			continue
		}
		if strings.Contains(fmt.Sprintf("%+v", err), "SECRET") {
			t.Errorf("%s?%s: the problem quotes a value: %v", c.resource, c.query, err)
		}
	}
}

func TestIncludesSayWhatTheyAdd(t *testing.T) {
	for query, want := range map[string]string{
		"_include=Observation:subject":         "Device Group Location Patient",
		"_include=Observation:patient":         "Patient",
		"_include=Observation:subject:Patient": "Patient",
		"_revinclude=Provenance:target":        "Provenance",
	} {
		s, err := ParseSearch("Observation", query)
		if err != nil || strings.Join(s.Include[0].Adds(), " ") != want {
			t.Errorf("%s adds %v, %v, want %s", query, s.Include, err, want)
		}
	}
	s, err := ParseSearch("Observation", "_include=Observation:focus")
	if err != nil || len(s.Include[0].Adds()) != len(spec.Resources()) {
		t.Errorf("a reference to anything adds %v, %v", s.Include, err)
	}
}

func TestEscapesAndPrefixes(t *testing.T) {
	s, err := ParseSearch("Observation", url.Values{"code": {`http://x|a\,b\|c,d`}, "value-quantity": {"le5.40|http://u|mg"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	code, quantity := s.Params[0], s.Params[1]
	if len(code.Values) != 2 || fmt.Sprint(code.Values[0].Parts('|')) != "[http://x a,b|c]" {
		t.Errorf("code: got %d values, %q", len(code.Values), code.Values[0].Parts('|'))
	}
	if q := quantity.Values[0]; q.Prefix != "le" || q.Text != "5.40|http://u|mg" {
		t.Errorf("quantity: got %q %q", q.Prefix, q.Text)
	}
}

func TestRewriteReachesEveryID(t *testing.T) {
	for _, c := range []struct{ resource, query, want string }{
		{"Patient", "_id=a,b", "_id=Patient-a,Patient-b"},
		{"Observation", "patient=a&subject=Group/g", "patient=Patient-a&subject=Group/Group-g"},
		{"Observation", "subject=a", "subject=X-a"},
		{"Observation", "subject:Patient=a", "subject:Patient=Patient-a"},
		{"Observation", "subject=" + base + "/Patient/a", "subject=Patient/Patient-a"},
		{"Observation", "subject:Patient._id=a", "subject:Patient._id=Patient-a"},
		{"Observation", "subject._id=a", "subject._id=X-a"},
		{"Patient", "_has:Observation:patient:encounter=Encounter/e", "_has:Observation:patient:encounter=Encounter/Encounter-e"},
		{"Patient", "_has:Observation:patient:_id=o", "_has:Observation:patient:_id=Observation-o"},
		{"Patient", "_list=l", "_list=List-l"},
		{"Observation", "subject:identifier=s|1&code=a&subject:missing=true", "subject:identifier=s|1&code=a&subject:missing=true"},
		{"DocumentReference", "relationship=DocumentReference/d$replaces", "relationship=DocumentReference/DocumentReference-d$replaces"},
		{"QuestionnaireResponse", "questionnaire=http://x/Questionnaire/q", "questionnaire=http://x/Questionnaire/q"},
		{"Observation", "value-quantity=ge5,lt6&_sort=-date&_count=7&_include:iterate=Observation:subject:Patient&_elements=code&_summary=data&_total=none&_contained=false",
			"value-quantity=ge5,lt6&_sort=-date&_count=7&_include:iterate=Observation:subject:Patient&_elements=code&_summary=data&_total=none&_contained=false"},
	} {
		s, err := ParseSearch(c.resource, c.query, base)
		if err != nil {
			t.Errorf("%s?%s: %v", c.resource, c.query, err)
			continue
		}
		err = s.Rewrite(func(resource, id string) (string, error) {
			if resource == "" {
				resource = "X"
			}
			return resource + "-" + id, nil
		}, base)
		got, _ := url.QueryUnescape(s.Encode())
		if err != nil || got != c.want {
			t.Errorf("%s?%s: got %q, %v, want %q", c.resource, c.query, got, err, c.want)
		}
	}
}

func TestRewriteFailsWhole(t *testing.T) {
	s, _ := ParseSearch("Patient", "_id=a,b")
	unknown := errors.New("no such code")
	err := s.Rewrite(func(_, id string) (string, error) {
		if id == "b" {
			return "", unknown
		}
		return "z", nil
	})
	if !errors.Is(err, unknown) || s.Encode() != "_id=a%2Cb" {
		t.Errorf("got %v, %s", err, s.Encode())
	}
	if err := s.Rewrite(func(_, _ string) (string, error) { return "a/../b", nil }); err == nil && strings.Contains(s.Encode(), "..") {
		t.Error("an id that is none went into the query")
	}
}

func TestEveryParameterOfR4CanBeSearchedOrIsOpaque(t *testing.T) {
	values := map[spec.ParamType]string{spec.TypeNumber: "gt5", spec.TypeDate: "2024", spec.TypeString: "a", spec.TypeToken: "a|b", spec.TypeReference: "x1",
		spec.TypeQuantity: "5.4|u|mg", spec.TypeURI: "http://x", spec.TypeSpecial: "1|2|3|km"}
	n := 0
	for _, resource := range spec.Resources() {
		for _, code := range spec.SearchCodes(resource) {
			p, _ := spec.Search(resource, code)
			value := values[p.Type]
			if p.Type == spec.TypeComposite && !p.Opaque {
				var parts []string
				for _, c := range p.Components {
					parts = append(parts, values[c.Type])
				}
				value = strings.Join(parts, "$")
			}
			if code == "_id" {
				value = "x"
			}
			s, err := ParseSearch(resource, url.QueryEscape(code)+"="+url.QueryEscape(value))
			if err != nil {
				s, err = ParseSearch(resource, url.QueryEscape(code)+"="+url.QueryEscape("http://x/y"))
			}
			if err != nil && !p.Opaque {
				t.Errorf("%s?%s=%s: %v", resource, code, value, err)
				continue
			}
			if err == nil {
				if r := s.Reads(); len(r.Elements)+len(r.Opaque) == 0 {
					t.Errorf("%s?%s reads nothing", resource, code)
				}
				n++
			}
		}
	}
	t.Logf("%d parameters parsed", n)
}

func FuzzSearch(f *testing.F) {
	for _, s := range []string{"name=a&_sort=-birthdate", "_has:Observation:patient:code=a|b", `name=a\,b,c&general-practitioner:Practitioner.name:exact=x`, "_id=1&_include=Patient:link", "_content=x"} {
		f.Add("Patient", s)
	}
	f.Add("Observation", "code-value-quantity=a$gt5&subject=Patient/1&value-date=2024-01-01T10:00")
	f.Fuzz(func(t *testing.T, resource, query string) {
		s, err := ParseSearch(resource, query, base)
		if err != nil {
			var p *problem.Problem
			if !errors.As(err, &p) {
				t.Fatal("an error that is no problem")
			}
			return
		}
		out := s.Encode()
		again, err := ParseSearch(resource, out, base)
		if err != nil {
			t.Fatalf("what was encoded is refused: %q: %v", out, err)
		}
		if again.Encode() != out {
			t.Fatalf("encoding is not stable: %q, %q", out, again.Encode())
		}
		if fmt.Sprint(again.Reads()) != fmt.Sprint(s.Reads()) {
			t.Fatalf("encoded, it reads something else: %q", out)
		}
		err = s.Rewrite(func(_, id string) (string, error) {
			if !spec.ValidID(id) {
				t.Fatalf("not an id")
			}
			return "code", nil
		}, base)
		if err != nil {
			t.Fatalf("what was parsed cannot be rewritten: %v", err)
		}
		if _, err := ParseSearch(resource, s.Encode(), base); err != nil {
			t.Fatalf("what was rewritten is refused: %v", err)
		}
	})
}

func BenchmarkParseSearch(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := ParseSearch("Observation", "patient=p1&code=http%3A%2F%2Floinc.org%7C2339-0&_sort=-date&_count=50", base)
		if err != nil {
			b.Fatal(err)
		}
		s.Reads()
	}
}
