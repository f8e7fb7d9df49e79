package fhir

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// hashed gives codes as a key would: unlike the id, and always the same.
type hashed struct{ calls int }

func (h *hashed) Code(id string) (string, error) {
	h.calls++
	sum := sha256.Sum256([]byte("engagement key/" + id))
	return "k" + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])), nil
}

func codeOf(id string) string {
	c, _ := (&hashed{}).Code(id)
	return c
}

type broken struct{}

func (broken) Code(string) (string, error) { return "", errors.New("no key for patient zero") }

// reporter is a testing.TB or a rapid.T.
type reporter interface {
	Helper()
	Errorf(string, ...any)
	Fatalf(string, ...any)
}

func minimiser(t reporter, spec deid.Spec, more ...func(*Options)) *Minimiser {
	t.Helper()
	s, err := deid.NewScope(spec)
	if err != nil {
		t.Fatalf("NewScope: %v", err)
	}
	o := Options{Scope: s, Codes: &hashed{}}
	for _, f := range more {
		f(&o)
	}
	m, err := New(o)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return m
}

func see(typ string, paths ...string) deid.Spec {
	return deid.Spec{Resources: map[string][]string{typ: paths}}
}

func direct(s deid.Spec) deid.Spec { s.DirectIdentifiers = true; return s }
func dates(s deid.Spec) deid.Spec  { s.Dates = deid.KeepDates; return s }

const tagged = `"meta":{"tag":[` + subsetted + `]}`

func masked(name string) string {
	return `"` + name + `":{"extension":[{"url":"` + deid.DataAbsentReason + `","valueCode":"masked"}]}`
}

// strictly reads all tokens, so that duplicate names and bad UTF-8 show.
func strictly(t reporter, b []byte) {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.ReadToken(); err == io.EOF {
			return
		} else if err != nil {
			t.Fatalf("the output is not strict JSON: %v\n%s", err, b)
		}
	}
}

// TestRulings tells what becomes of each kind of element. $x stands for the code of x.
func TestRulings(t *testing.T) {
	cases := []struct {
		name     string
		spec     deid.Spec
		in, want string
	}{
		{"a type with no paths shows that it exists", see("Slot"),
			`{"resourceType":"Slot","id":"1","comment":"Ann"}`,
			`{"resourceType":"Slot","id":"$1",` + masked("schedule") + `,` + masked("_status") + `,` + masked("_start") + `,` + masked("_end") + `,` + tagged + `}`},
		{"a code stays, its text goes", see("Basic", "code"),
			`{"resourceType":"Basic","id":"1","code":{"coding":[{"system":"http://loinc.org","code":"1-8","display":"Weight"}],"text":"Ann's weight"}}`,
			`{"resourceType":"Basic","id":"$1","code":{"coding":[{"system":"http://loinc.org","code":"1-8","display":"Weight"}]},` + tagged + `}`},
		{"text of a code, named and allowed", direct(see("Basic", "code.coding", "code.text")),
			`{"resourceType":"Basic","id":"1","code":{"coding":[{"code":"1-8"}],"text":"Ann"}}`,
			`{"resourceType":"Basic","id":"$1","code":{"coding":[{"code":"1-8"}],"text":"Ann"}}`},
		{"direct identifiers allowed do not come with the element above them", direct(see("Basic", "code")),
			`{"resourceType":"Basic","id":"1","code":{"coding":[{"code":"1-8"}],"text":"Ann"}}`,
			`{"resourceType":"Basic","id":"$1","code":{"coding":[{"code":"1-8"}]},` + tagged + `}`},
		{"named but not allowed", see("Organization", "active", "name", "telecom"),
			`{"resourceType":"Organization","active":true,"name":"Ann's","telecom":[{"value":"555"}]}`,
			`{"resourceType":"Organization","active":true,` + tagged + `}`},
		{"a name in a boolean", see("Organization", "active"),
			`{"resourceType":"Organization","active":"Ann"}`,
			`{"resourceType":"Organization",` + masked("_active") + `,` + tagged + `}`},
		{"part of a name", direct(see("Practitioner", "name.family")),
			`{"resourceType":"Practitioner","name":[{"use":"old","family":"Levin","given":["Ann"]},{"given":["Bo"]}]}`,
			`{"resourceType":"Practitioner","name":[{"family":"Levin"}],` + tagged + `}`},
		{"a State, if it is named itself", see("Organization", "active", "address.state", "address.country"),
			`{"resourceType":"Organization","active":true,"address":[{"city":"Rome","state":"NY","country":"US"}]}`,
			`{"resourceType":"Organization","active":true,"address":[{"state":"NY","country":"US"}],` + tagged + `}`},
		{"an address, named without leave", see("Organization", "active", "address"),
			`{"resourceType":"Organization","active":true,"address":[{"city":"Rome","state":"NY"}]}`,
			`{"resourceType":"Organization","active":true,` + tagged + `}`},
		{"identifiers go", see("Organization", "active", "identifier"),
			`{"resourceType":"Organization","active":true,"identifier":[{"system":"http://mrn","value":"7"}]}`,
			`{"resourceType":"Organization","active":true,` + tagged + `}`},
		{"narrative goes", see("Organization", "active", "text"),
			`{"resourceType":"Organization","active":true,"text":{"status":"generated","div":"<div>Ann</div>"}}`,
			`{"resourceType":"Organization","active":true,` + tagged + `}`},
		{"an attachment keeps its kind", see("DiagnosticReport", "status", "code", "presentedForm"),
			`{"resourceType":"DiagnosticReport","status":"final","code":{"coding":[{"code":"x"}]},"presentedForm":[{"contentType":"text/plain","language":"en","data":"QW5u","url":"http://h/Ann","size":3,"hash":"QW5u","title":"Ann","creation":"2020-02-03"}]}`,
			`{"resourceType":"DiagnosticReport","status":"final","code":{"coding":[{"code":"x"}]},"presentedForm":[{"contentType":"text/plain","language":"en","size":3,"creation":"2020"}],` + tagged + `}`},
		{"Binary without its data", see("Binary", "contentType", "data"),
			`{"resourceType":"Binary","contentType":"text/plain","data":"QW5u"}`,
			`{"resourceType":"Binary","contentType":"text/plain",` + tagged + `}`},
		{"Binary with its data", direct(see("Binary", "contentType", "data")),
			`{"resourceType":"Binary","contentType":"text/plain","data":"QW5u"}`,
			`{"resourceType":"Binary","contentType":"text/plain","data":"QW5u"}`},
		{"dates to the year", see("Encounter", "status", "class", "period"),
			`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"period":{"start":"2020-02-03T10:00:00Z","end":"2020-02"}}`,
			`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"period":{"start":"2020","end":"2020"},` + tagged + `}`},
		{"a date that is a year already", see("Practitioner", "active", "birthDate"),
			`{"resourceType":"Practitioner","active":true,"birthDate":"1950"}`,
			`{"resourceType":"Practitioner","active":true,"birthDate":"1950"}`},
		{"dates kept", dates(see("Practitioner", "active", "birthDate")),
			`{"resourceType":"Practitioner","active":true,"birthDate":"1950-01-02"}`,
			`{"resourceType":"Practitioner","active":true,"birthDate":"1950-01-02"}`},
		{"a name in a date", dates(see("Practitioner", "active", "birthDate")),
			`{"resourceType":"Practitioner","active":true,"birthDate":"1950-Ann"}`,
			`{"resourceType":"Practitioner","active":true,` + tagged + `}`},
		{"an instant that must be there is masked", see("Slot", "schedule", "status", "start", "end"),
			`{"resourceType":"Slot","schedule":{"reference":"Schedule/s"},"status":"free","start":"2020-01-01T00:00:00Z","end":"2020-01-01T01:00:00Z"}`,
			`{"resourceType":"Slot","schedule":{"reference":"Schedule/$s"},"status":"free",` + masked("_start") + `,` + masked("_end") + `,` + tagged + `}`},
		{"an instant kept", dates(see("Slot", "schedule", "status", "start", "end")),
			`{"resourceType":"Slot","schedule":{"reference":"Schedule/s"},"status":"free","start":"2020-01-01T00:00:00Z","end":"2020-01-01T01:00:00.5+01:00"}`,
			`{"resourceType":"Slot","schedule":{"reference":"Schedule/$s"},"status":"free","start":"2020-01-01T00:00:00Z","end":"2020-01-01T01:00:00.5+01:00"}`},
		{"time of day goes with the year rule", see("Observation", "status", "code", "value[x]"),
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueTime":"10:00:00"}`,
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"one type of a choice", see("Observation", "status", "code", "valueQuantity"),
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueBoolean":true}`,
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"numbers keep their text", see("Observation", "status", "code", "valueQuantity"),
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueQuantity":{"value":1.50e+01,"unit":"kg"}}`,
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueQuantity":{"value":1.50e+01,"unit":"kg"}}`},
		{"a string value goes", see("Observation", "status", "code", "value[x]", "note"),
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueString":"Ann","note":[{"text":"Ann"}]}`,
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"a string value stays where it is named and allowed", direct(see("Observation", "status", "code", "value[x]", "note")),
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueString":"Ann","note":[{"time":"2020-01-02","text":"Ann"}]}`,
			`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"valueString":"Ann","note":[{"time":"2020","text":"Ann"}],` + tagged + `}`},
		{"a reference loses its words", see("Slot", "schedule", "status"),
			`{"resourceType":"Slot","schedule":{"reference":"Schedule/s","type":"Schedule","display":"Dr Ann","identifier":{"value":"7"}},"status":"free"}`,
			`{"resourceType":"Slot","schedule":{"reference":"Schedule/$s","type":"Schedule"},"status":"free",` + masked("_start") + `,` + masked("_end") + `,` + tagged + `}`},
		{"extensions: those on the list", see("Patient", "active", "deceased[x]", "link", "extension"),
			`{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"},{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Ann"},{"extension":[{"valueCoding":{"code":"2106-3","display":"White"},"url":"ombCategory"},{"url":"text","valueString":"Ann"}],"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race"}]}`,
			`{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-birthsex","valueCode":"F"},{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-race","extension":[{"url":"ombCategory","valueCoding":{"code":"2106-3","display":"White"}}]}],` + tagged + `}`},
		{"extensions of a primitive", see("Practitioner", "active", "birthDate", "gender"),
			`{"resourceType":"Practitioner","_birthDate":{"id":"Ann","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"1950-01-02"}]},"_gender":{"extension":[{"url":"` + deid.DataAbsentReason + `","valueCode":"unknown"}]},"active":true}`,
			`{"resourceType":"Practitioner","_gender":{"extension":[{"url":"` + deid.DataAbsentReason + `","valueCode":"unknown"}]},"active":true,` + tagged + `}`},
		{"the list's extension with another value", see("Practitioner", "active", "gender"),
			`{"resourceType":"Practitioner","_gender":{"extension":[{"url":"` + deid.DataAbsentReason + `","valueString":"Ann"}]},"active":true}`,
			`{"resourceType":"Practitioner","active":true,` + tagged + `}`},
		{"ids of elements and unknown members go", see("Basic", "code"),
			`{"resourceType":"Basic","code":{"id":"Ann","coding":[{"code":"x"}],"ssn":"1"},"fhir_comments":["Ann"],"_id":{"id":"Ann"}}`,
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"a coding without a code is words", see("Basic", "code", "author"),
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"},{"system":"http://loinc.org","display":"Ann"},{"code":7,"display":"Ann"}]}}`,
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"a code inside a name is part of the name", see("Practitioner", "active", "name.use", "telecom.system", "identifier.system", "text.status"),
			`{"resourceType":"Practitioner","active":true,"name":[{"use":"old"}],"telecom":[{"system":"phone"}],"identifier":[{"system":"http://mrn"}],"text":{"status":"generated"}}`,
			`{"resourceType":"Practitioner","active":true,` + tagged + `}`},
		{"a place on earth", see("Location", "mode", "position"),
			`{"resourceType":"Location","mode":"kind","position":{"longitude":-83.69,"latitude":42.25}}`,
			`{"resourceType":"Location","mode":"kind",` + masked("_status") + `,` + tagged + `}`},
		{"names with escapes are the same names", see("Basic", "code"),
			`{"resourceType":"Basic","c\u006fde":{"\u0063oding":[{"code":"x"}],"t\u0065xt":"Ann"}}`,
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"meta: version, profiles, labels", dates(see("Basic", "code")),
			`{"resourceType":"Basic","meta":{"versionId":"3","lastUpdated":"2020-01-02T03:04:05Z","source":"http://h/Ann","profile":["http://hl7.org/fhir/StructureDefinition/x","Ann"],"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}],"tag":[{"system":"http://h/wards","code":"Ann"},{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}]},"code":{"coding":[{"code":"x"}]}}`,
			`{"resourceType":"Basic","meta":{"versionId":"3","lastUpdated":"2020-01-02T03:04:05Z","profile":["http://hl7.org/fhir/StructureDefinition/x"],"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}],"tag":[` + subsetted + `]},"code":{"coding":[{"code":"x"}]}}`},
		{"meta: a version that says something", see("Basic", "code"),
			`{"meta":{"versionId":"ann-2"},"resourceType":"Basic","code":{"coding":[{"code":"x"}]}}`,
			`{"meta":{"versionId":"$ann-2"},"resourceType":"Basic","code":{"coding":[{"code":"x"}]}}`},
		{"meta: empty goes", see("Basic", "code"),
			`{"meta":{},"resourceType":"Basic","code":{"coding":[{"code":"x"}]}}`,
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]}}`},
		{"meta: whole and tagged", see("Basic", "code"),
			`{"resourceType":"Basic","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HTEST"}]},"code":{"coding":[{"code":"x"}]}}`,
			`{"resourceType":"Basic","meta":{"tag":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActReason","code":"HTEST"}]},"code":{"coding":[{"code":"x"}]}}`},
		{"contained resources by their own type", deid.Spec{Resources: map[string][]string{"Basic": {"code", "subject", "author"}, "Organization": {"active"}}},
			`{"resourceType":"Basic","subject":{"reference":"#ann"},"author":{"reference":"#org"},"code":{"coding":[{"code":"x"}]},"contained":[{"resourceType":"Patient","id":"ann","gender":"female"},{"resourceType":"Organization","id":"org","meta":{"versionId":"1"},"active":true,"name":"Ann's","contained":[{"resourceType":"Organization","id":"ann"}]}]}`,
			`{"resourceType":"Basic","author":{"reference":"#c1"},"code":{"coding":[{"code":"x"}]},"contained":[{"resourceType":"Organization","id":"c1","active":true}],` + tagged + `}`},
		{"contained resources, written with escapes", see("Basic", "code"),
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},"c\u006fntained":[{"resourceType":"Basic","id":"ann"}]}`,
			`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},` + tagged + `}`},
		{"everything, named by a star, is still ruled", see("Communication", "*"),
			`{"resourceType":"Communication","status":"completed","sent":"2020-01-02","payload":[{"contentString":"Ann"}],"note":[{"text":"Ann"}]}`,
			`{"resourceType":"Communication","status":"completed","sent":"2020",` + tagged + `}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := minimiser(t, c.spec)
			out, info, err := m.Append(nil, []byte(c.in))
			if err != nil || info.Outcome != Released {
				t.Fatalf("got %v, %v", info.Outcome, err)
			}
			strictly(t, out)
			want := c.want
			for _, id := range []string{"1", "s", "ann-2"} {
				want = strings.ReplaceAll(want, `"$`+id+`"`, `"`+codeOf(id)+`"`)
				want = strings.ReplaceAll(want, `/$`+id+`"`, `/`+codeOf(id)+`"`)
			}
			if string(out) != want {
				t.Errorf("got  %s\nwant %s", out, want)
			}
			if got := strings.Contains(string(out), subsetted); info.Cut && !got {
				t.Errorf("it was cut and has no SUBSETTED tag")
			}
		})
	}
}

// TestReferences tells which references become what.
func TestReferences(t *testing.T) {
	const base = "https://ehr.example/fhir/"
	uuid := "0cbfa8d5-1c2b-4d5e-8f00-112233445566"
	code := codeOf("p1")
	cases := []struct {
		name, in string
		urns     bool
		want     string // "" is removed
	}{
		{"relative", "Patient/p1", false, "Patient/" + code},
		{"with a version", "Patient/p1/_history/2", false, "Patient/" + code + "/_history/2"},
		{"with a version that says something", "Patient/p1/_history/v-ann", false, "Patient/" + code + "/_history/" + codeOf("v-ann")},
		{"below the source's base", base + "Patient/p1", false, "Patient/" + code},
		{"elsewhere", "https://other.example/fhir/Patient/p1", false, ""},
		{"a base that only begins alike", "https://ehr.example/fhirs/Patient/p1", false, ""},
		{"a type that R4 does not have", "Person2/p1", false, ""},
		{"no type", "p1", false, ""},
		{"a search", "Practitioner?identifier=http://npi|99", false, ""},
		{"an id with a name in it", "Patient/Ann Levin", false, ""},
		{"a longer path", "Patient/p1/name", false, ""},
		{"an id that is too long", "Patient/" + strings.Repeat("x", 65), false, ""},
		{"the longest id", "Patient/" + strings.Repeat("x", 64), false, "Patient/" + codeOf(strings.Repeat("x", 64))},
		{"contained and not there", "#ann", false, ""},
		{"the container", "#", false, "#"},
		{"urn outside a Bundle", "urn:uuid:" + uuid, false, ""},
		{"another urn", "urn:oid:1.2.3", true, ""},
		{"nothing", "", false, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := minimiser(t, see("Basic", "code", "subject"), func(o *Options) { o.Bases = []string{strings.TrimSuffix(base, "/")}; o.URNs = c.urns })
			in := fmt.Sprintf(`{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},"subject":{"reference":%q}}`, c.in)
			out, _, err := m.Append(nil, []byte(in))
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			if c.want != "" {
				want = `,"subject":{"reference":"` + c.want + `"}`
			} else {
				want = `,` + tagged
			}
			want = `{"resourceType":"Basic","code":{"coding":[{"code":"x"}]}` + want + `}`
			if string(out) != want {
				t.Errorf("got  %s\nwant %s", out, want)
			}
		})
	}
	t.Run("urn in a Bundle", func(t *testing.T) {
		m := minimiser(t, see("Basic", "code", "subject"), func(o *Options) { o.URNs = true })
		in := `{"resourceType":"Basic","code":{"coding":[{"code":"x"}]},"subject":{"reference":"urn:uuid:` + uuid + `"}}`
		out, _, err := m.Append(nil, []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		full, err := m.FullURL(nil, "urn:uuid:"+uuid)
		if err != nil || !strings.HasPrefix(string(full), "urn:uuid:") || len(full) != len("urn:uuid:")+36 {
			t.Fatalf("FullURL: got %q, %v", full, err)
		}
		if !bytes.Contains(out, full) || bytes.Contains(out, []byte(uuid)) {
			t.Errorf("got %s, want a reference to %s", out, full)
		}
	})
}

func TestFullURL(t *testing.T) {
	m := minimiser(t, see("Basic", "code"), func(o *Options) {
		o.Bases, o.Public = []string{"https://ehr.example/fhir"}, "https://door.example/src/"
	})
	for in, want := range map[string]string{
		"https://ehr.example/fhir/Patient/p1":   "https://door.example/src/Patient/" + codeOf("p1"),
		"https://other.example/fhir/Patient/p1": "",
		"Patient/p1":                            "",
	} {
		if got, err := m.FullURL(nil, in); err != nil || string(got) != want {
			t.Errorf("FullURL(%s): got %q, %v, want %q", in, got, err, want)
		}
	}
}

// TestRefusals: what stops a resource, and that nothing of it is told.
func TestRefusals(t *testing.T) {
	deep := strings.Repeat(`{"item":[`, 70) + strings.Repeat(`]}`, 70)
	cases := []struct {
		name, in string
		kind     problem.Kind
		is       error
	}{
		{"not JSON", `{"resourceType":"Basic","code":Ann}`, problem.UpstreamFail, nil},
		{"not an object", `["Ann"]`, problem.UpstreamFail, nil},
		{"empty", ``, problem.UpstreamFail, nil},
		{"two values", `{"resourceType":"Basic"}{"resourceType":"Basic"}`, problem.UpstreamFail, nil},
		{"a name twice", `{"resourceType":"Basic","id":"Ann","id":"b"}`, problem.UpstreamFail, nil},
		{"a name twice, with an escape", `{"resourceType":"Basic","id":"Ann","\u0069d":"b"}`, problem.UpstreamFail, nil},
		{"a name twice inside what is cut", `{"resourceType":"Basic","author":{"display":"Ann","display":"b"}}`, problem.UpstreamFail, nil},
		{"not UTF-8", "{\"resourceType\":\"Basic\",\"id\":\"Ann\xff\"}", problem.UpstreamFail, nil},
		{"no type", `{"id":"Ann"}`, problem.UpstreamFail, nil},
		{"a type that is no string", `{"resourceType":["Basic"],"id":"Ann"}`, problem.UpstreamFail, nil},
		{"an unknown type", `{"resourceType":"Ann"}`, problem.UpstreamFail, nil},
		{"an abstract type", `{"resourceType":"DomainResource","id":"Ann"}`, problem.UpstreamFail, nil},
		{"a datatype", `{"resourceType":"HumanName","family":"Ann"}`, problem.UpstreamFail, nil},
		{"implicit rules", `{"resourceType":"Basic","implicitRules":"http://h/Ann"}`, problem.UpstreamFail, ErrNotUnderstood},
		{"a modifier extension", `{"resourceType":"Basic","modifierExtension":[{"url":"http://h/Ann","valueBoolean":true}]}`, problem.UpstreamFail, ErrNotUnderstood},
		{"a modifier extension inside", `{"resourceType":"QuestionnaireResponse","item":[{"linkId":"Ann","modifierExtension":[]}]}`, problem.UpstreamFail, ErrNotUnderstood},
		{"too deep", `{"resourceType":"QuestionnaireResponse","item":[` + deep + `]}`, problem.UpstreamFail, nil},
		{"too large", `{"resourceType":"Basic","id":"` + strings.Repeat("Ann", 2000) + `"}`, problem.TooLarge, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := minimiser(t, deid.Spec{Resources: map[string][]string{"Basic": {"*"}, "QuestionnaireResponse": {"*"}}}, func(o *Options) { o.MaxBytes = 4096 })
			out, info, err := m.Append([]byte("before"), []byte(c.in))
			if err == nil {
				t.Fatalf("got %s, want an error", out)
			}
			if string(out) != "before" || info.Outcome != Withheld {
				t.Errorf("got %q, %v, want nothing appended", out, info.Outcome)
			}
			if p := problem.From(err); p.Kind != c.kind {
				t.Errorf("got kind %s, want %s", p.Kind, c.kind)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("got %v, want %v in its chain", err, c.is)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "Ann") {
					t.Errorf("the error quotes the resource: %v", e)
				}
			}
		})
	}
	t.Run("a modifier extension inside what is cut", func(t *testing.T) {
		m := minimiser(t, see("Patient", "active"))
		_, info, err := m.Append(nil, []byte(`{"resourceType":"Patient","contact":[{"modifierExtension":[{"url":"http://h"}]}]}`))
		if err != nil || info.Outcome != Released {
			t.Errorf("got %v, %v, want it released: what was modified is gone", info.Outcome, err)
		}
	})
	t.Run("no codes", func(t *testing.T) {
		m := minimiser(t, see("Basic", "code"), func(o *Options) { o.Codes = broken{} })
		out, info, err := m.Append(nil, []byte(`{"resourceType":"Basic","id":"ann"}`))
		if len(out) > 0 || info.Outcome != Withheld || problem.From(err).Kind != problem.Unavailable {
			t.Errorf("got %q, %v, %v, want nothing and Unavailable", out, info.Outcome, err)
		}
	})
	t.Run("a type that the role does not name", func(t *testing.T) {
		m := minimiser(t, see("Basic", "code"))
		out, info, err := m.Append(nil, []byte(`{"resourceType":"Patient","id":"ann"}`))
		if len(out) > 0 || info.Outcome != NotInScope || err != nil || info.Type != "Patient" {
			t.Errorf("got %q, %v, %v", out, info, err)
		}
	})
	t.Run("no scope", func(t *testing.T) {
		if _, err := New(Options{Codes: &hashed{}}); err == nil {
			t.Error("a minimiser without a scope was made")
		}
		if _, err := New(Options{Scope: &deid.Scope{}}); err == nil {
			t.Error("a minimiser without codes was made")
		}
		m, err := New(Options{Scope: &deid.Scope{}, Codes: &hashed{}})
		if err != nil {
			t.Fatal(err)
		}
		out, info, err := m.Append(nil, []byte(`{"resourceType":"Basic","id":"ann"}`))
		if len(out) > 0 || info.Outcome != NotInScope || err != nil {
			t.Errorf("the zero Scope: got %q, %v, %v, want nothing", out, info.Outcome, err)
		}
	})
}

func TestWindow(t *testing.T) {
	since, until := time.Date(2020, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)
	cases := []struct {
		in   string
		want Outcome
	}{
		{`{"resourceType":"Observation","effectiveDateTime":"2020-06-01"}`, Released},
		{`{"resourceType":"Observation","effectiveDateTime":"2020"}`, OutOfWindow}, // part of the year is outside
		{`{"resourceType":"Observation","effectiveDateTime":"2020-03"}`, Released},
		{`{"resourceType":"Observation","effectiveDateTime":"2020-12-31"}`, Released},
		{`{"resourceType":"Observation","effectiveDateTime":"2021-01-01"}`, OutOfWindow},
		{`{"resourceType":"Observation","effectiveDateTime":"2020-03-01T00:30:00+01:00"}`, OutOfWindow},
		{`{"resourceType":"Observation","effectiveInstant":"2020-03-01T00:00:00Z"}`, Released},
		{`{"resourceType":"Observation","effectivePeriod":{"start":"2020-04-01","end":"2020-05-01"}}`, Released},
		{`{"resourceType":"Observation","effectivePeriod":{"start":"2020-04-01"}}`, Released},
		{`{"resourceType":"Observation","effectivePeriod":{"end":"2020-04-01"}}`, OutOfWindow},
		{`{"resourceType":"Observation","effectivePeriod":{"start":"2020-04-01","end":"2022-05-01"}}`, OutOfWindow},
		{`{"resourceType":"Observation","effectiveTiming":{"event":["2020-04-01","2020-05-01"]}}`, Released},
		{`{"resourceType":"Observation","effectiveTiming":{"event":["2020-04-01","2019-05-01"]}}`, OutOfWindow},
		{`{"resourceType":"Observation","effectiveTiming":{"repeat":{"boundsPeriod":{"start":"2020-04-01"}}}}`, Released},
		{`{"resourceType":"Observation","effectiveTiming":{"repeat":{"frequency":1}}}`, OutOfWindow},
		{`{"resourceType":"Observation","issued":"2020-06-01T00:00:00Z"}`, Released},
		{`{"resourceType":"Observation","effectiveDateTime":"2019","issued":"2020-06-01T00:00:00Z"}`, OutOfWindow},
		{`{"resourceType":"Observation"}`, OutOfWindow},
		{`{"resourceType":"Observation","effectiveDateTime":20}`, OutOfWindow},
		{`{"resourceType":"Condition","onsetAge":{"value":3},"recordedDate":"2020-06-01"}`, Released},
		{`{"resourceType":"Condition","onsetString":"2020-06-01"}`, OutOfWindow},
		{`{"resourceType":"Encounter","period":{"start":"2020-06-01"}}`, Released},
		{`{"resourceType":"Patient","birthDate":"1950-01-01"}`, Released},
		{`{"resourceType":"MolecularSequence"}`, OutOfWindow},
		{`{"resourceType":"TestScript"}`, OutOfWindow},
	}
	m := minimiser(t, deid.Spec{Resources: map[string][]string{
		"Observation": nil, "Condition": nil, "Encounter": nil, "Patient": nil, "MolecularSequence": nil, "TestScript": nil,
	}, Since: since, Until: until})
	for _, c := range cases {
		_, info, err := m.Append(nil, []byte(c.in))
		if err != nil || info.Outcome != c.want {
			t.Errorf("%s: got %v, %v, want %v", c.in, info.Outcome, err, c.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	m := minimiser(t, see("Basic", "code"))
	for in, want := range map[string]string{
		`{"resourceType":"OperationOutcome","text":{"div":"Ann"},"issue":[{"severity":"warning","code":"not-found","diagnostics":"Patient/ann","details":{"text":"Ann"},"expression":["Ann"]},{"severity":"Ann","code":"Ann"}]}`: `[{"severity":"warning","code":"not-found"},{"severity":"error","code":"exception"}]`,
		`{"resourceType":"OperationOutcome","issue":[]}`:        `[{"severity":"error","code":"exception"}]`,
		`{"resourceType":"Patient","issue":[{"code":"login"}]}`: `[{"severity":"error","code":"exception"}]`,
		`<html>Ann</html>`: `[{"severity":"error","code":"exception"}]`,
		`{"resourceType":"OperationOutcome","issue":["Ann",{}]}`: `[{"severity":"error","code":"exception"}]`,
	} {
		got := m.Outcome(nil, []byte(in))
		strictly(t, got)
		if want := `{"resourceType":"OperationOutcome","issue":` + want + `}`; string(got) != want {
			t.Errorf("%s:\ngot  %s\nwant %s", in, got, want)
		}
	}
}
