package fhir

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/deid"
)

// TestShapes: what a value must look like to be copied, and what does not.
func TestShapes(t *testing.T) {
	long := strings.Repeat("x", 2000)
	cases := []struct {
		shape deid.Shape
		yes   []string
		no    []string
	}{
		{deid.NoShape, nil, []string{`"x"`, `1`, `true`}},
		{deid.Boolean, []string{`true`, `false`}, []string{`"true"`, `1`, `null`}},
		{deid.Integer, []string{`0`, `-12`, `2147483647`}, []string{`1.5`, `1e3`, `"1"`, `null`, `123456789012345678901`}},
		{deid.Decimal, []string{`0`, `-1.50e+01`}, []string{`"1"`, `null`, `true`}},
		{deid.Code, []string{`"final"`, `"two words"`, `"a\/b"`}, []string{`""`, `" x"`, `"x "`, `"two  words"`, `"a\tb"`, `7`, `"` + long + `"`}},
		{deid.URI, []string{`"http://loinc.org"`, `"urn:oid:1.2"`, `"http:\/\/loinc.org"`}, []string{`""`, `"Ann"`, `":x"`, `"http://x y"`, `7`, `"urn:` + long + `"`}},
		{deid.Kind, []string{`"Patient"`, `"http://hl7.org/fhir/StructureDefinition/Patient"`}, []string{`"Ann"`, `"DomainResource"`, `"http://hl7.org/fhir/StructureDefinition/Ann"`, `7`}},
		{deid.Text, []string{`""`, `"Ann"`}, []string{`7`, `null`, `{}`}},
		{deid.DateShape, []string{`"2020"`, `"2020-02"`, `"2020-02-29"`}, []string{`"2021-02-29"`, `"20"`, `"2020-02-29T00:00:00Z"`, `"2020-Ann"`, `2020`}},
		{deid.DateTime, []string{`"2020"`, `"2020-02-29T00:00:00.5+01:00"`}, []string{`"2020-02-29T00:00"`, `"Ann"`, `"` + long + `"`}},
		{deid.Instant, []string{`"2020-02-29T00:00:00Z"`}, []string{`"2020-02-29"`, `"2020"`}},
		{deid.TimeOfDay, []string{`"10:00:00"`, `"10:00:00.123"`}, []string{`"10:00"`, `"25:00:00"`, `"Ann"`}},
		{deid.ID, []string{`"a-1.B"`, `"` + long[:64] + `"`}, []string{`""`, `"a_b"`, `"Ann Levin"`, `"` + long[:65] + `"`, `7`}},
		{deid.Samples, []string{`"1 2.5 E U -3"`}, []string{`""`, `"Ann"`, `7`}},
		{deid.Token, []string{`"1.2/a_b-c"`}, []string{`""`, `"Ann Levin"`, `"a:b"`, `"` + long[:129] + `"`, `7`}},
	}
	m := &Minimiser{}
	for _, c := range cases {
		for _, v := range c.yes {
			if !m.fits([]byte(v), c.shape) {
				t.Errorf("shape %d: %.80s does not fit", c.shape, v)
			}
		}
		for _, v := range c.no {
			if m.fits([]byte(v), c.shape) {
				t.Errorf("shape %d: %.80s fits", c.shape, v)
			}
		}
	}
}

// TestIDsKept: a role that may have upstream ids gets them, and references
// still lose the server's address.
func TestIDsKept(t *testing.T) {
	s := see("Basic", "code", "subject", "author")
	s.Identifiers = deid.KeepIDs
	m := minimiser(t, s, func(o *Options) { o.Codes, o.Bases, o.URNs = nil, []string{"https://ehr.example/r4/"}, true })
	const uuid = "urn:uuid:0cbfa8d5-1c2b-4d5e-8f00-112233445566"
	in := `{"resourceType":"Basic","id":"b1","meta":{"versionId":"v-1"},"code":{"coding":[{"code":"x"}]},"subject":{"reference":"https://ehr.example/r4/Patient/p1"},"author":{"reference":"` + uuid + `"}}`
	want := strings.Replace(in, "https://ehr.example/r4/", "", 1)
	out, info, err := m.Append(nil, []byte(in))
	if err != nil || string(out) != want || info.Cut || info.Tally[deid.Pseudonymised] != 0 {
		t.Errorf("got  %s, %+v, %v\nwant %s", out, info, err, want)
	}
}
