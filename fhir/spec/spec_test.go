package spec

import (
	"slices"
	"strings"
	"testing"
)

func TestObservationAsR4DefinesIt(t *testing.T) {
	o, ok := Lookup("Observation")
	if !ok || o.Kind != Resource || o.Abstract || o.Base != "DomainResource" {
		t.Fatalf("Observation: got %+v", o)
	}
	v, ok := o.Field("valueQuantity")
	if !ok || v.Path != "Observation.value[x]" || v.Type.Name != "Quantity" || !v.Choice || v.List {
		t.Errorf("valueQuantity: got %+v", v)
	}
	if s, _ := o.Field("status"); s.Min != 1 || !s.Required || s.Type.Name != "code" {
		t.Errorf("status: got %+v, want a required code with a required binding", s)
	}
	if c, _ := o.Field("component"); c.Type.Kind != Backbone || !c.List || c.Type.Name != "Observation.component" {
		t.Errorf("component: got %+v", c)
	}
	comp, _ := Lookup("Observation.component")
	if r, ok := comp.Field("referenceRange"); !ok || r.Type.Name != "Observation.referenceRange" {
		t.Errorf("content reference: got %+v, want Observation.referenceRange", r)
	}
	if s, _ := o.Field("subject"); !s.MayTarget("Patient") || s.MayTarget("Practitioner") {
		t.Errorf("subject targets: got %v", s.Targets)
	}
	for _, inherited := range []string{"id", "meta", "contained", "modifierExtension", "text"} {
		if _, ok := o.Field(inherited); !ok {
			t.Errorf("inherited %s is missing", inherited)
		}
	}
	if _, ok := o.Field("value"); ok {
		t.Error("value is no name in JSON, but was found")
	}
	if e, ok := o.Sibling("_issued"); !ok || e.JSON != "issued" {
		t.Errorf("_issued: got %v", e)
	}
	if _, ok := o.Sibling("_subject"); ok {
		t.Error("_subject: a reference has no sibling, but one was found")
	}
}

func TestEveryR4ResourceIsKnown(t *testing.T) {
	if got := len(Resources()); got != 146 {
		t.Errorf("resources: got %d, want 146 (R4 has 148 with the two abstract ones)", got)
	}
	for _, name := range Resources() {
		typ, ok := Lookup(name)
		if !ok || typ.Kind != Resource || len(typ.Elements) < 5 {
			t.Errorf("%s: got %+v", name, typ)
		}
		if !IsResource(name) {
			t.Errorf("IsResource(%s) is false", name)
		}
	}
	for _, name := range []string{"Resource", "DomainResource", "HumanName", "patient", ""} {
		if IsResource(name) {
			t.Errorf("IsResource(%q) is true", name)
		}
	}
}

func TestEverySearchParameterReadsElementsThatExist(t *testing.T) {
	total, opaque := 0, 0
	var which []string
	for _, resource := range Resources() {
		for _, code := range SearchCodes(resource) {
			p, ok := Search(resource, code)
			if !ok {
				t.Fatalf("%s?%s is listed but not found", resource, code)
			}
			if code[0] != '_' {
				total++
				if p.Opaque {
					opaque++
					which = append(which, resource+"?"+code)
				}
			}
			if p.Opaque {
				continue
			}
			if len(p.Elements) == 0 {
				t.Errorf("%s?%s reads nothing", resource, code)
			}
			for _, e := range p.Elements {
				canonical, _, ok := Path(e)
				if !ok || canonical != e {
					t.Errorf("%s?%s reads %q, which is %q in R4 (found %t)", resource, code, e, canonical, ok)
				}
			}
			if p.Type == TypeReference && !p.AnyTarget && len(p.Targets) == 0 {
				t.Errorf("%s?%s is a reference to nothing", resource, code)
			}
			for _, target := range p.Targets {
				if !IsResource(target) {
					t.Errorf("%s?%s targets %q, which is no resource", resource, code, target)
				}
			}
			if p.Type == TypeComposite && len(p.Components) < 2 {
				t.Errorf("%s?%s is a composite of %d", resource, code, len(p.Components))
			}
		}
	}
	t.Logf("%d parameters on resources, %d opaque (%s)", total, opaque, strings.Join(which, " "))
	if share := float64(total-opaque) / float64(total); share < 0.95 {
		t.Errorf("only %.1f %% of search parameters are known", 100*share)
	}
}

func TestSearchParameterElements(t *testing.T) {
	for _, c := range []struct{ resource, code, want string }{
		{"Patient", "name", "Patient.name"},
		{"Patient", "email", "Patient.telecom"},
		{"Patient", "deceased", "Patient.deceased[x]"},
		{"Patient", "_lastUpdated", "Patient.meta.lastUpdated"},
		{"Binary", "_id", "Binary.id"},
		{"Observation", "patient", "Observation.subject"},
		{"Observation", "code-value-quantity", "Observation.code Observation.value[x]"},
		{"Condition", "onset-age", "Condition.onset[x]"},
		{"Library", "successor", "Library.relatedArtifact.resource Library.relatedArtifact.type"},
		{"QuestionnaireResponse", "item-subject", "QuestionnaireResponse.item.answer.value[x] QuestionnaireResponse.item.extension"},
	} {
		p, ok := Search(c.resource, c.code)
		if !ok || p.Opaque || p.Base != c.resource {
			t.Errorf("%s?%s: got %+v", c.resource, c.code, p)
			continue
		}
		if got := strings.Join(p.Elements, " "); got != c.want {
			t.Errorf("%s?%s reads %q, want %q", c.resource, c.code, got, c.want)
		}
	}
	if p, _ := Search("Encounter", "patient"); !slices.Equal(p.Targets, []string{"Patient"}) {
		t.Errorf("Encounter?patient targets %v, want only Patient: the expression says so", p.Targets)
	}
	if p, ok := Search("Patient", "_content"); !ok || !p.Opaque {
		t.Errorf("_content: got %+v, want opaque", p)
	}
	if p, ok := Search("Binary", "_text"); ok {
		t.Errorf("Binary is no DomainResource and has no _text, but got %+v", p)
	}
	for _, bad := range []string{"nonsense", "", "Name", "name:exact"} {
		if _, ok := Search("Patient", bad); ok {
			t.Errorf("Patient?%s was found", bad)
		}
	}
	if _, ok := Search("DomainResource", "_id"); ok {
		t.Error("an abstract type can be searched")
	}
}

func TestPatientElements(t *testing.T) {
	list := func(r string) string {
		var out []string
		for _, e := range PatientElements(r) {
			out = append(out, strings.Join(e.JSON, "."))
		}
		return strings.Join(out, " ")
	}
	for resource, want := range map[string]string{
		"Observation":  "subject performer",
		"Appointment":  "participant.actor",
		"Claim":        "patient payee.party",
		"Group":        "member.entity",
		"Patient":      "link.other",
		"AuditEvent":   "agent.who entity.what",
		"Encounter":    "subject",
		"Device":       "patient",
		"Practitioner": "",
		"Organization": "",
	} {
		if got := list(resource); got != want {
			t.Errorf("%s: got %q, want %q", resource, got, want)
		}
	}
	for _, r := range Resources() {
		params, in := PatientCompartment(r)
		if in && len(PatientElements(r)) == 0 {
			t.Errorf("%s is in the compartment by %v, but no element says whose it is", r, params)
		}
		for _, e := range PatientElements(r) {
			if _, _, ok := Path(e.Path); !ok || e.Beyond == in {
				t.Errorf("%s: %+v", r, e)
			}
		}
	}
	if got := list("Task"); !strings.Contains(got, "for") {
		t.Errorf("Task: got %q, want Task.for among them", got)
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		visible, read string
		want          bool
	}{
		{"Patient.name", "Patient.name.family", true},
		{"Patient.name", "Patient.name", true},
		{"Patient.name.family", "Patient.name", false},
		{"Patient", "Patient.name", true},
		{"Patient", "Patient", true},
		{"Patient.name", "Patient", false},
		{"Patient.name", "Person.name", false},
		{"Observation.value[x]", "Observation.valueQuantity.unit", true},
		{"Observation.value", "Observation.value[x]", true},
		{"Observation.valueQuantity", "Observation.value[x]", false},
		{"Observation.valueQuantity", "Observation.valueString", false},
		{"Observation.valueQuantity", "Observation.valueQuantity", true},
		{"Observation.component", "Observation.component.value[x]", true},
		{"Observation.nonsense", "Observation.nonsense", false},
		{"Nonsense", "Nonsense", false},
		{"", "", false},
		{"", "Patient.name", false},
		{"Patient.", "Patient.name", false},
	} {
		if got := Covers(c.visible, c.read); got != c.want {
			t.Errorf("Covers(%q, %q) = %t, want %t", c.visible, c.read, got, c.want)
		}
	}
}

func TestScopes(t *testing.T) {
	for _, good := range []string{"system/Observation.rs", "patient/*.cruds", "user/Patient.r", "system/Observation.rs?category=laboratory"} {
		s, err := ParseScope(good)
		if err != nil || s.String() != good {
			t.Errorf("%q: got %q, %v", good, s, err)
		}
	}
	for _, bad := range []string{"", "openid", "launch/patient", "system/Observation.read", "system/Observation.*", "system/Observation.sr",
		"system/Observation.rr", "system/Observation.", "system/observation.r", "system/DomainResource.r", "System/Patient.r", "system/Observation.rs?",
		"system/Observation.rs?nonsense=1", "system/Patient.rs?name=a b", "system/.rs", "system/Patient"} {
		if s, err := ParseScope(bad); err == nil || s != (Scope{}) {
			t.Errorf("%q was read as %q", bad, s)
		}
	}
	s, _ := ParseScope("system/Observation.rs")
	for interaction, want := range map[string]bool{"read": true, "vread": true, "search-type": true, "create": false, "delete": false, "": false, "everything": false} {
		if got := s.Allows("Observation", interaction); got != want {
			t.Errorf("%s allows %s: %t, want %t", s, interaction, got, want)
		}
	}
	if s.Allows("Patient", "read") || (Scope{}).Allows("Patient", "read") {
		t.Error("a scope allows what it does not name")
	}
	narrow, _ := ParseScope("system/Observation.rs?category=laboratory")
	if narrow.Allows("Observation", "read") || !narrow.Within("Observation", "read") {
		t.Error("a narrowed scope is allowed without its query")
	}
	if _, err := ParseScopes("system/Patient.r nonsense"); err == nil {
		t.Error("a list with a bad scope was accepted")
	}
}

func TestDates(t *testing.T) {
	for s, want := range map[string]Precision{
		"2024": Year, "2024-02": Month, "2024-02-29": Day, "2024-02-29T23:59:60Z": Second, "2024-02-29T10:00:00.123+14:00": Fraction,
		"2023-02-29": 0, "2024-13": 0, "0000": 0, "24": 0, "2024-2-3": 0, "2024-02-29T10:00Z": 0, "2024-02-29T10:00:00": 0, "2024-02-29 10:00:00Z": 0,
		"2024-02-29T24:00:00Z": 0, "2024-02-29T10:00:00+14:01": 0, "2024-02-29T10:00:00.Z": 0, "": 0, "2024-02-29Z": 0, "２０２４": 0,
	} {
		if got, ok := DatePrecision(s); got != want || ok != (want != 0) {
			t.Errorf("DatePrecision(%q) = %d, %t, want %d", s, got, ok, want)
		}
	}
}

// The expressions are those of R4's datatypes page, anchored.
func TestPrimitivesAgreeWithTheirExpressions(t *testing.T) {
	texts := []string{"", "0", "-0", "+1", "-1", "1", "01", "007", "2147483647", "2147483648", "-2147483648", "-2147483649", "1.0", "1.", ".5", "1e5", "1E+5", "1e", "-1.50e-3", "true", "True",
		"a", "a b", " a", "a  b", "a ", "a.b-C9", "a_b", strings.Repeat("x", 64), strings.Repeat("x", 65), "urn:oid:1.2.3", "urn:oid:3.2", "urn:oid:1.02", "urn:oid:1",
		"urn:uuid:c757873d-ec9a-4326-a141-556f43239520", "urn:uuid:c757873d", "http://x.org/a", "12:00:00", "12:00", "12:00:00.5", "YWJj", "YWI=", "YQ==", "YQ=", "Y Q==", "\x01", "é"}
	for typ, re := range expressions {
		for _, text := range texts {
			if got, want := Valid(typ, text), re.MatchString(text); got != want {
				t.Errorf("Valid(%s, %q) = %t, want %t", typ, text, got, want)
			}
		}
	}
	if Valid("nonsense", "x") || Valid("HumanName", "x") {
		t.Error("a type that is no primitive has values")
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := parse(r4); err != nil {
			b.Fatal(err)
		}
	}
}
