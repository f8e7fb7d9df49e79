package fhir

import (
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/problem"
)

// asOf is the day of these tests.
var asOf = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// drawn stand for the vault's random codes: unlike hashed they say so. That they
// are made from the id is for the tests, which must know them.
type drawn struct{}

func (*drawn) Code(id string) (string, error) {
	sum := sha256.Sum256([]byte("drawn/" + id))
	return "r" + strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])), nil
}

func (*drawn) Assigned() bool { return true }

func drawnCode(id string) string { c, _ := (&drawn{}).Code(id); return c }

const expertYAML = `
profile: study
version: 1
basis: expert-determination
extends: expert-determination
determination: {expert: E, determined_on: '2026-01-31', recipient: R, valid_until: '2027-01-31', method: M}
`

const notesYAML = `
profile: notes
version: 1
extends: safe-harbor
data_class: phi
text: scrub
narrative: scrub
attachments: scrub
`

func loaded(t reporter, yaml string) *deid.Profile {
	t.Helper()
	p, err := deid.LoadProfile([]byte(yaml))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return p
}

// under makes a Minimiser for whole files under a profile.
func under(t reporter, profile string, more ...func(*Options)) *Minimiser {
	t.Helper()
	site := []*deid.Profile{loaded(t, expertYAML), loaded(t, notesYAML)}
	return minimiser(t, deid.Spec{All: true, Profile: profile, Profiles: site, Dates: deid.AsProfile}, append([]func(*Options){func(o *Options) {
		o.Codes, o.AsOf, o.Scrubber, o.URNs = &drawn{}, asOf, stars{}, true
		o.Shifts = fixedShift(10)
	}}, more...)...)
}

type fixedShift int

func (s fixedShift) Days(string) (int, error) { return int(s), nil }

// stars finds the word Ann, and each value of the record.
type stars struct{ broken bool }

type starRecord struct{ values []string }

func (r *starRecord) Name(_ deid.Role, given []string, family, _ string) {
	r.values = append(append(r.values, given...), family)
}
func (r *starRecord) Address(lines []string, city, _, zip string) {
	r.values = append(append(r.values, lines...), city, zip)
}
func (r *starRecord) Phone(s string)             { r.values = append(r.values, s) }
func (r *starRecord) Email(s string)             { r.values = append(r.values, s) }
func (r *starRecord) ID(_ deid.IDKind, s string) { r.values = append(r.values, s) }
func (r *starRecord) Date(y, m, d int) {
	r.values = append(r.values, fmt.Sprintf("%04d-%02d-%02d", y, m, d))
}
func (r *starRecord) Facility(s string)                                { r.values = append(r.values, s) }
func (stars) NewRecord() deid.Record                                   { return &starRecord{values: []string{"Ann"}} }
func (stars) Category(uint8) string                                    { return "STAR" }
func (stars) Replacer(deid.Record, deid.Manner) (deid.Replacer, error) { return stars{}, nil }
func (stars) Replace(dst, _ []byte, _ deid.Found) ([]byte, error)      { return append(dst, '*'), nil }

func (s stars) Find(dst []deid.Found, doc []byte, r deid.Record) ([]deid.Found, error) {
	if s.broken {
		return nil, errors.New("no model for Ann")
	}
	values := []string{"Ann"}
	if r != nil {
		values = r.(*starRecord).values
	}
	for i := 0; i < len(doc); {
		longest := 0
		for _, v := range values {
			if len(v) > longest && bytes.HasPrefix(doc[i:], []byte(v)) {
				longest = len(v)
			}
		}
		if longest > 0 {
			dst = append(dst, deid.Found{Start: i, End: i + longest})
		}
		i += max(longest, 1)
	}
	return dst, nil
}

// recordOf knows every patient, and of him that he is called Ann.
type recordOf struct{}

func (recordOf) Of(string) (deid.Record, bool) { return stars{}.NewRecord(), true }

// TestSafeHarbor tells what becomes of each kind of element.
func TestSafeHarbor(t *testing.T) {
	obs := func(value string) string {
		return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8302-2"}]},` + value + `}`
	}
	age := func(value string) string {
		return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"30525-0"}]},` + value + `}`
	}
	condition := func(value string) string {
		return `{"resourceType":"Condition","subject":{"reference":"Patient/p"},` + value + `}`
	}
	// in and want: what stands between the braces of what is said
	cases := []struct{ name, in, want string }{
		{"the year of a birth", `{"resourceType":"Patient","birthDate":"1937-04-02"}`, `{"resourceType":"Patient","birthDate":"1937",T}`},
		{"a year that tells an age over 89", `{"resourceType":"Patient","birthDate":"1936-12-31"}`, `{"resourceType":"Patient",T}`},
		{"the same, as a year", `{"resourceType":"Patient","birthDate":"1933"}`, `{"resourceType":"Patient",T}`},
		{"of a relative too", `{"resourceType":"RelatedPerson","patient":{"reference":"Patient/p"},"birthDate":"1910-01-01"}`, `{"resourceType":"RelatedPerson","patient":{"reference":"Patient/$p"},T}`},
		{"of a death", `{"resourceType":"Patient","deceasedDateTime":"2019-05-09T20:35:22-04:00"}`, `{"resourceType":"Patient","deceasedDateTime":"2019",T}`},
		{"of a death long ago", `{"resourceType":"Patient","deceasedDateTime":"1935-05-09"}`, `{"resourceType":"Patient","_deceasedBoolean":M,T}`},
		{"of an event that only somebody over 89 can have seen", condition(`"onsetDateTime":"1936-02"`), condition(`T`)},
		{"after the day that ages are judged on", condition(`"onsetDateTime":"2027-01-01"`), condition(`T`)},
		{"of an admission", condition(`"recordedDate":"2026-03-14"`), condition(`"recordedDate":"2026",T`)},
		{"no part of an instant", obs(`"issued":"2020-01-02T03:04:05Z"`), obs(`T`)},
		{"no time of day", obs(`"valueTime":"03:04:05"`), obs(`T`)},
		{"a period of which a part goes", condition(`"onsetPeriod":{"start":"1930","end":"2001-02-03"}`), condition(`"onsetPeriod":{"end":"2001"},T`)},

		{"age 89", condition(`"onsetAge":{"value":89,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}`), condition(`"onsetAge":{"value":89,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}`)},
		{"age 90", condition(`"onsetAge":{"value":90,"unit":"years","system":"http://unitsofmeasure.org","code":"a"}`), condition(`"onsetAge":N,T`)},
		{"age 89.9", condition(`"onsetAge":{"value":89.9,"code":"a"}`), condition(`"onsetAge":{"value":89.9,"code":"a"}`)},
		{"age 104, without a unit", condition(`"onsetAge":{"value":104}`), condition(`"onsetAge":N,T`)},
		{"age 1e2", condition(`"onsetAge":{"value":1e2,"unit":"yrs"}`), condition(`"onsetAge":N,T`)},
		{"age in months", condition(`"onsetAge":{"value":1092,"code":"mo"}`), condition(`"onsetAge":N,T`)},
		{"age in days", condition(`"onsetAge":{"value":30000,"code":"d"}`), condition(`"onsetAge":{"value":30000,"code":"d"}`)},
		{"age in days, over 89", condition(`"onsetAge":{"value":33000,"code":"d"}`), condition(`"onsetAge":N,T`)},
		{"age in a unit that is not known", condition(`"onsetAge":{"value":7,"unit":"decades"}`), condition(`T`)},
		{"under 95", condition(`"onsetAge":{"value":95,"comparator":"<","code":"a"}`), condition(`T`)},
		{"over 90", condition(`"onsetAge":{"value":91,"comparator":">","code":"a"}`), condition(`"onsetAge":N,T`)},
		{"ages in a range", condition(`"onsetRange":{"low":{"value":70,"unit":"years"},"high":{"value":95,"unit":"years"}}`), condition(`"onsetRange":{"low":{"value":70,"unit":"years"}},T`)},
		{"a range of ages over 89", condition(`"onsetRange":{"low":{"value":92,"unit":"a"},"high":{"value":95,"unit":"a"}}`), condition(`"onsetRange":{"low":L},T`)},
		{"any quantity of years", obs(`"valueQuantity":{"value":93,"unit":"years","code":"a"}`), obs(`"valueQuantity":N,T`)},
		{"any other quantity", obs(`"valueQuantity":{"value":170.50,"unit":"cm","code":"cm"}`), obs(`"valueQuantity":{"value":170.50,"unit":"cm","code":"cm"}`)},
		{"an observation of an age", age(`"valueInteger":93`), age(`T`)},
		{"an observation of an age of 89", age(`"valueInteger":89`), age(`"valueInteger":89`)},
		{"an observation of an age without a unit", age(`"valueQuantity":{"value":93}`), age(`T`)},
		{"in a resource that is contained", `{"resourceType":"DiagnosticReport","contained":[` + age(`"id":"o","valueInteger":93`) + `],"status":"final","code":{"coding":[{"code":"x"}]},"result":[{"reference":"#o"}]}`,
			`{"resourceType":"DiagnosticReport","contained":[` + age(`"id":"c1"`) + `],"status":"final","code":{"coding":[{"code":"x"}]},"result":[{"reference":"#c1"}],T}`},
		{"the age of a relative", `{"resourceType":"FamilyMemberHistory","status":"completed","patient":{"reference":"Patient/p"},"relationship":{"coding":[{"code":"MTH"}]},"ageAge":{"value":93,"code":"a"}}`,
			`{"resourceType":"FamilyMemberHistory","status":"completed","patient":{"reference":"Patient/$p"},"relationship":{"coding":[{"code":"MTH"}]},"ageAge":N,T}`},

		{"of an address the State, the country and three digits", `{"resourceType":"Patient","address":[{"use":"home","line":["12 Elm"],"city":"Wakefield","district":"Middlesex","state":"MA","postalCode":"01880","country":"US","period":{"start":"2001-01-01"}}]}`,
			`{"resourceType":"Patient","address":[{"use":"home","state":"MA","postalCode":"018","country":"US","period":{"start":"2001"}}],T}`},
		{"a prefix under which few live", `{"resourceType":"Patient","address":[{"postalCode":"82190"}]}`, `{"resourceType":"Patient","address":[{"postalCode":"000"}],T}`},
		{"a prefix that the Census does not know", `{"resourceType":"Patient","address":[{"postalCode":"96910"}]}`, `{"resourceType":"Patient","address":[{"postalCode":"000"}],T}`},
		{"nine digits", `{"resourceType":"Patient","address":[{"postalCode":"10001-1234"}]}`, `{"resourceType":"Patient","address":[{"postalCode":"100"}],T}`},
		{"what is no ZIP code", `{"resourceType":"Patient","address":[{"postalCode":"100 Ann"}]}`, `{"resourceType":"Patient","address":[{"postalCode":"000"}],T}`},
		{"what is no State", `{"resourceType":"Patient","address":[{"state":"Ann","country":"Ann"}]}`, `{"resourceType":"Patient",T}`},
		{"no place on earth", `{"resourceType":"Patient","address":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/geolocation","extension":[{"url":"latitude","valueDecimal":42.5}]}],"state":"Texas"}]}`,
			`{"resourceType":"Patient","address":[{"state":"Texas"}],T}`},

		{"words of a code system that is known", obs(`"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"1","display":"Yes"}],"text":"Ann"}`), obs(`"valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"1","display":"Yes"}]},T`)},
		{"words of any other", obs(`"valueCodeableConcept":{"coding":[{"display":"Ann","system":"http://ehr.example/c","code":"1"}]}`), obs(`"valueCodeableConcept":{"coding":[{"system":"http://ehr.example/c","code":"1"}]},T`)},
		{"no words", obs(`"valueString":"Ann","note":[{"authorReference":{"reference":"Practitioner/d"},"text":"Ann"}]`), obs(`T`)},
		{"no file", `{"resourceType":"Binary","contentType":"text/plain","data":"QW5u"}`, `{"resourceType":"Binary","contentType":"text/plain",T}`},
		{"nothing of a name, a number, a face", `{"resourceType":"Patient","name":[{"use":"official","family":"Ann"}],"telecom":[{"system":"phone","value":"1","rank":1}],"identifier":[{"use":"usual","value":"1"}],"photo":[{"contentType":"image/png"}],"gender":"female"}`,
			`{"resourceType":"Patient","gender":"female",T}`},
		{"nothing of a device", `{"resourceType":"Device","udiCarrier":[{"deviceIdentifier":"1","carrierHRF":"2"}],"serialNumber":"3","distinctIdentifier":"4","lotNumber":"5","status":"active"}`,
			`{"resourceType":"Device","status":"active",T}`},
		{"extensions that are known", `{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-genderIdentity","valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"1"}],"text":"Ann"}},{"url":"http://hl7.org/fhir/StructureDefinition/patient-age","valueAge":{"value":97,"code":"a"}},{"url":"http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName","valueString":"Ann"},{"url":"http://ehr.example/x","valueCode":"Ann"}]}`,
			`{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/us/core/StructureDefinition/us-core-genderIdentity","valueCodeableConcept":{"coding":[{"system":"http://snomed.info/sct","code":"1"}]}},{"url":"http://hl7.org/fhir/StructureDefinition/patient-age","valueAge":N}],T}`},
	}
	m := under(t, deid.SafeHarborProfile)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			out, info, err := m.Append(nil, []byte(c.in))
			if err != nil || info.Outcome != Released {
				t.Fatalf("got %v, %v", info.Outcome, err)
			}
			want := strings.NewReplacer(`:N,`, `:`+ninetyOrOver+`,`, `:N}`, `:`+ninetyOrOver+`}`, `:L}`, `:`+fromNinety+`}`, `T}`, tagged+`}`, `Patient/p"`, `Patient/`+drawnCode("p")+`"`, `Patient/$p"`, `Patient/`+drawnCode("p")+`"`,
				`:M,`, `:{"extension":[{"url":"`+deid.DataAbsentReason+`","valueCode":"masked"}]},`).Replace(c.want)
			if string(out) != want {
				t.Errorf("got  %s\nwant %s", out, want)
			}
			check(t, info.Type, out, false)
		})
	}
}

// TestRefusedAtStart: what a profile cannot do without is asked for at once.
func TestRefusedAtStart(t *testing.T) {
	site := []*deid.Profile{loaded(t, expertYAML), loaded(t, notesYAML)}
	for _, c := range []struct {
		name, profile, citation string
		change                  func(*Options)
	}{
		{"derived codes under Safe Harbor", deid.SafeHarborProfile, "45 CFR 164.514(c)", func(o *Options) { o.Codes = &hashed{} }},
		{"no day", deid.SafeHarborProfile, "", func(o *Options) { o.AsOf = time.Time{} }},
		{"no shifts", "study", "", func(o *Options) { o.Shifts = nil }},
		{"no scrubber", "study", "", func(o *Options) { o.Scrubber = nil }},
		{"before the determination", "study", "45 CFR 164.514(b)(1)", func(o *Options) { o.AsOf = asOf.AddDate(-1, 0, 0) }},
		{"after the determination", "study", "45 CFR 164.514(b)(1)", func(o *Options) { o.AsOf = asOf.AddDate(1, 0, 0) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := deid.NewScope(deid.Spec{All: true, Profile: c.profile, Profiles: site, Dates: deid.AsProfile})
			must(t, err)
			o := Options{Scope: s, Codes: &drawn{}, AsOf: asOf, Shifts: fixedShift(1), Scrubber: stars{}}
			if _, err := New(o); err != nil {
				t.Fatalf("with all that it needs: %v", err)
			}
			c.change(&o)
			if _, err := New(o); err == nil || problem.From(err).Citation != c.citation {
				t.Errorf("got %v, want a refusal that cites %q", err, c.citation)
			}
		})
	}
	m := under(t, "study")
	if err := m.SetAsOf(asOf.AddDate(1, 0, 0)); err == nil {
		t.Error("a determination that is over was taken")
	}
	if out, info, err := m.Append(nil, []byte(basic)); err == nil || len(out) > 0 || info.Outcome != Withheld {
		t.Errorf("after the determination: got %q, %v, want nothing", out, info.Outcome)
	}
	must(t, m.SetAsOf(asOf))
	if _, info, err := m.Append(nil, []byte(basic)); err != nil || info.Outcome != Released {
		t.Errorf("on a day of the determination: got %v, %v", info.Outcome, err)
	}
	harbor := under(t, deid.SafeHarborProfile)
	if err := harbor.Reset(&hashed{}); err == nil {
		t.Error("a minimiser was reset to derived codes under Safe Harbor")
	}
}

func TestLimitedDataSet(t *testing.T) {
	m := under(t, deid.LimitedDataSetProfile)
	in := `{"resourceType":"Patient","id":"p","name":[{"family":"Ann"}],"birthDate":"1930-04-02","deceasedDateTime":"2020-01-02T03:04:05Z","address":[{"line":["12 Elm"],"city":"Wakefield","district":"Middlesex","state":"MA","postalCode":"01880-1234"}]}`
	want := `{"resourceType":"Patient","id":"` + drawnCode("p") + `","birthDate":"1930-04-02","deceasedDateTime":"2020-01-02T03:04:05Z","address":[{"city":"Wakefield","state":"MA","postalCode":"01880-1234"}],` + tagged + `}`
	if out, _, err := m.Append(nil, []byte(in)); err != nil || string(out) != want {
		t.Errorf("got  %s, %v\nwant %s", out, err, want)
	}
}

// TestShiftedDates: whole days, the time of day as it is; months and years by
// the nearest whole ones; nothing but the year where it is nobody's or two people's.
func TestShiftedDates(t *testing.T) {
	for _, c := range []struct {
		days     int
		in, want string
	}{
		{10, `"2020-02-25"`, `"2020-03-06"`},
		{-60, `"2020-02-25T23:59:59.123-05:00"`, `"2019-12-27T23:59:59.123-05:00"`},
		{10, `"2020-02"`, `"2020-02"`}, {50, `"2020-12"`, `"2021-02"`}, {-400, `"2020"`, `"2019"`}, {100, `"2020"`, `"2020"`},
	} {
		m := under(t, "study", func(o *Options) { o.Shifts, o.Records = fixedShift(c.days), recordOf{} })
		in := `{"resourceType":"Condition","subject":{"reference":"Patient/p"},"onsetDateTime":` + c.in + `}`
		out, info, err := m.Append(nil, []byte(in))
		want := `{"resourceType":"Condition","subject":{"reference":"Patient/` + drawnCode("p") + `"},"onsetDateTime":` + c.want + `}`
		if err != nil || string(out) != want || info.Tally[deid.DateShifted] != 1 || info.Cut {
			t.Errorf("%s by %d: got %s, %v, want %s", c.in, c.days, out, err, want)
		}
	}
	m := under(t, "study", func(o *Options) { o.Records = recordOf{} })
	for in, want := range map[string]string{
		`{"resourceType":"Organization","contact":[{"purpose":{"coding":[{"code":"x"}]}}],"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/condition-assertedDate","valueDateTime":"2020-01-02"}]}`:    `"valueDateTime":"2020"`,
		`{"resourceType":"Observation","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"urn:uuid:0cbfa8d5-1c2b-4d5e-8f00-112233445566"},"issued":"2020-01-02T03:04:05Z"}`:                 `"issued":"2020-01-12T03:04:05Z"`,
		`{"resourceType":"Appointment","status":"booked","participant":[{"status":"accepted","actor":{"reference":"Patient/p"}},{"status":"accepted","actor":{"reference":"Patient/q"}}],"created":"2020-01-02"}`:  `"created":"2020"`,
		`{"resourceType":"Appointment","status":"booked","participant":[{"status":"accepted","actor":{"reference":"Patient/p"}},{"status":"accepted","actor":{"reference":"Location/q"}}],"created":"2020-01-02"}`: `"created":"2020-01-12"`,
		`{"resourceType":"Patient","id":"p","birthDate":"1930-01-02"}`: `"resourceType":"Patient","id":"` + drawnCode("p") + `",` + tagged,
		`{"resourceType":"Patient","id":"p","birthDate":"1950-01-02"}`: `"birthDate":"1950-01-12"`,
	} {
		if out, _, err := m.Append(nil, []byte(in)); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("got %s, %v, want %s in it", out, err, want)
		}
	}
}

// TestOneDateGeneralised: a birth date to its year, where others are shifted.
func TestOneDateGeneralised(t *testing.T) {
	p := loaded(t, strings.Replace(expertYAML, "profile: study", "profile: births", 1)+"elements: {Patient.birthDate: year}\n")
	s, err := deid.NewScope(deid.Spec{All: true, Profile: "births", Profiles: []*deid.Profile{p}, Dates: deid.AsProfile})
	must(t, err)
	m, err := New(Options{Scope: s, Codes: &drawn{}, AsOf: asOf, Shifts: fixedShift(10), Scrubber: stars{}})
	must(t, err)
	for in, want := range map[string]string{
		`{"resourceType":"Patient","birthDate":"1950-12-30"}`:                 `{"resourceType":"Patient","birthDate":"1950",` + tagged + `}`,
		`{"resourceType":"Patient","birthDate":"1930-12-30"}`:                 `{"resourceType":"Patient",` + tagged + `}`,
		`{"resourceType":"Patient","id":"p","deceasedDateTime":"2020-12-30"}`: `{"resourceType":"Patient","id":"` + drawnCode("p") + `","deceasedDateTime":"2021-01-09"}`,
	} {
		if out, _, err := m.Append(nil, []byte(in)); err != nil || string(out) != want {
			t.Errorf("got  %s, %v\nwant %s", out, err, want)
		}
	}
}

// TestIntervalsStay: the days between two dates of a patient are what they were.
func TestIntervalsStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		days := rapid.IntRange(-3650, 3650).Draw(t, "shift")
		for _, layout := range []string{time.DateOnly, "2006-01", "2006"} {
			var at, moved [2]time.Time
			for i := range at {
				at[i] = time.Date(1900, 1, rapid.IntRange(1, 45_000).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
				out, ok := shifted(nil, at[i].AppendFormat(nil, layout), days)
				if !ok {
					t.Fatalf("%s by %d is no date", at[i].Format(layout), days)
				}
				at[i], _ = time.Parse(layout, at[i].Format(layout))
				moved[i], _ = time.Parse(layout, string(out))
			}
			ok := false
			switch layout {
			case time.DateOnly:
				ok = at[1].Sub(at[0]) == moved[1].Sub(moved[0])
			case "2006-01":
				months := func(t time.Time) int { return t.Year()*12 + int(t.Month()) }
				ok = months(at[1])-months(at[0]) == months(moved[1])-months(moved[0])
			case "2006":
				ok = at[1].Year()-at[0].Year() == moved[1].Year()-moved[0].Year()
			}
			if !ok {
				t.Errorf("%s: %v became %v", layout, at, moved)
			}
		}
	})
}

// TestFreeText: scrubbed, labelled, and gone where it cannot be looked through.
func TestFreeText(t *testing.T) {
	label := `"meta":{"tag":[` + scrubbed + `,` + subsetted + `]}`
	report := func(value string) string {
		return `{"resourceType":"DiagnosticReport","status":"final","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/p"},` + value + `}`
	}
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	file := func(typ, text string) string {
		return report(`"presentedForm":[{"data":"` + b64(text) + `","contentType":"` + typ + `","size":3,"hash":"QW5u"}]`)
	}
	div := func(s string) string {
		return report(`"text":{"status":"generated","div":"` + strings.ReplaceAll(s, `"`, `\"`) + `"}`)
	}
	const open = `<div xmlns=\"http://www.w3.org/1999/xhtml\">`
	cases := []struct{ name, in, want string }{
		{"words", report(`"conclusion":"Ann is \"well\", \u0041nn"`), report(`"conclusion":"* is \"well\", *",L`)},
		{"words that tell nothing are labelled too", report(`"conclusion":"well"`), report(`"conclusion":"well",L`)},
		{"a file of text", file("text/plain; charset=utf-8", "Ann is well"), report(`"presentedForm":[{"data":"` + b64("* is well") + `","contentType":"text/plain; charset=utf-8"}],L`)},
		{"a file of HTML", file("text/html", "<html><head><title>Ann</title></head><body class='Ann'><p>An<b>n</b> is<br>well<script>Ann<b></script></body></html>"),
			report(`"presentedForm":[{"data":"` + b64("<p>*<b></b> is<br/>well</p>") + `","contentType":"text/html"}],L`)},
		{"a file of another kind", file("application/pdf", "Ann"), report(`"presentedForm":[{"contentType":"application/pdf"}],T`)},
		{"a file that is not UTF-8", report(`"presentedForm":[{"data":"/w==","contentType":"text/plain"}]`), report(`"presentedForm":[{"contentType":"text/plain"}],T`)},
		{"a file in another charset", file("text/plain; charset=utf-16", "A"), report(`"presentedForm":[{"contentType":"text/plain; charset=utf-16"}],T`)},
		{"what is not base64", report(`"presentedForm":[{"data":"Ann!","contentType":"text/plain"}]`), report(`"presentedForm":[{"contentType":"text/plain"}],T`)},
		{"a file that does not say what it is", report(`"presentedForm":[{"data":"QW5u","language":"en"}]`), report(`"presentedForm":[{"language":"en"}],T`)},
		{"narrative", div(`<div xmlns="http://www.w3.org/1999/xhtml" id="Ann"><p title="Ann">A&#110;n</p><a href="http://Ann">see <i>An</i>n</a><img src="Ann"/><table><tr><td colspan="2">5 &lt; 6 &amp; 7</td></tr></table><!-- Ann --></div>`),
			report(`"text":{"status":"generated","div":"` + open + `<p>*</p>see <i>*</i><table><tr><td colspan=\"2\">5 &lt; 6 &amp; 7</td></tr></table></div>"},L`)},
		{"words that only a tag kept apart", div(`<div>A<x>nn</x> <section>Ann</section><section>Ann</section></div>`), report(`"text":{"status":"generated","div":"` + open + `A\nnn\n \n*\n\n*\n</div>"},L`)},
		{"narrative that is not well-formed", div(`<div><p>Ann</div>`), report(`T`)},
		{"narrative with two roots", div(`<div>a</div><div>Ann</div>`), report(`T`)},
		{"narrative with words outside", div(`<div>a</div>Ann`), report(`T`)},
		{"narrative that is hidden", div(`<div><![CDATA[Ann]]></div>`), report(`T`)},
		{"narrative with nothing in it", div(`<div><img src="Ann"/></div>`), report(`T`)},
		{"a note", `{"resourceType":"Condition","subject":{"reference":"Patient/p"},"note":[{"authorString":"Ann","time":"2020-01-02","text":"Ann"}]}`,
			`{"resourceType":"Condition","subject":{"reference":"Patient/p"},"note":[{"time":"2020","text":"*"}],L}`},
	}
	fix := strings.NewReplacer(`L}`, label+`}`, `T}`, tagged+`}`, `Patient/p"`, `Patient/`+drawnCode("p")+`"`)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := under(t, "notes", func(o *Options) { o.Records = recordOf{} })
			out, info, err := m.Append(nil, []byte(c.in))
			if err != nil || info.Outcome != Released {
				t.Fatalf("got %v, %v", info.Outcome, err)
			}
			if want := fix.Replace(c.want); string(out) != want {
				t.Errorf("got  %s\nwant %s", out, want)
			}
			if got := strings.Contains(string(out), ScrubbedCode); got != info.Scrubbed {
				t.Errorf("labelled %v, told %v", got, info.Scrubbed)
			}
			strictly(t, out)
		})
	}
	t.Run("without the record", func(t *testing.T) {
		m := under(t, "notes")
		out, info, err := m.Append(nil, []byte(report(`"conclusion":"well"`)))
		if err != nil || strings.Contains(string(out), "well") || info.Scrubbed {
			t.Errorf("got %s, %v, want no text", out, err)
		}
	})
	t.Run("a scrubber that fails", func(t *testing.T) {
		for _, in := range []string{report(`"conclusion":"Ann"`), file("text/plain", "Ann"), div(`<div>Ann</div>`)} {
			m := under(t, "notes", func(o *Options) { o.Records, o.Scrubber = recordOf{}, stars{broken: true} })
			out, info, err := m.Append(nil, []byte(in))
			if err == nil || len(out) > 0 || info.Outcome != Withheld || strings.Contains(err.Error(), "Ann") {
				t.Errorf("got %s, %v, %v, want nothing", out, info.Outcome, err)
			}
		}
	})
}
