package deid

import (
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

func TestBuiltInProfiles(t *testing.T) {
	want := map[string]hipaa.DataClass{
		SafeHarborProfile: hipaa.DeIdentified, LimitedDataSetProfile: hipaa.LimitedDataSet,
		ExpertDeterminationProfile: hipaa.DeIdentified, MinimumNecessary: hipaa.PHI,
	}
	seen := map[[32]byte]bool{}
	for _, p := range BuiltIn() {
		if got := p.DataClass(); got != want[p.Name()] {
			t.Errorf("%s: got data class %q, want %q", p.Name(), got, want[p.Name()])
		}
		if seen[p.Digest()] || p.Digest() == [32]byte{} {
			t.Errorf("%s has no digest of its own", p.Name())
		}
		seen[p.Digest()] = true
		delete(want, p.Name())
	}
	if len(want) > 0 {
		t.Errorf("not built in: %v", want)
	}
}

// TestUnlawfulProfilesAreRefused: what breaks a profile's basis is refused at
// load, with the rule that it breaks.
func TestUnlawfulProfilesAreRefused(t *testing.T) {
	const harbor = "profile: mine\nversion: 1\nextends: safe-harbor\n"
	const limited = "profile: mine\nversion: 1\nextends: limited-data-set\n"
	const expert = "profile: mine\nversion: 1\nextends: expert-determination\nbasis: expert-determination\ntemplate: false\n"
	const whole = "determination: {expert: E, determined_on: 2026-01-31, recipient: R, valid_until: 2027-01-31, method: M}\n"
	const minimal = "profile: mine\nversion: 1\nextends: minimum-necessary\n"
	b2 := "45 CFR 164.514(b)(2)(i)"
	cases := []struct{ name, yaml, field, citation string }{
		{"full dates", harbor + "dates: keep", "dates", b2 + "(C)"},
		{"shifted dates", harbor + "dates: shift", "dates", b2 + "(C)"},
		{"a date kept", harbor + "elements: {Patient.birthDate: keep}", "elements.Patient.birthDate", b2 + "(C)"},
		{"all dates kept", harbor + "types: {dateTime: keep}", "types.dateTime", b2 + "(C)"},
		{"an instant kept", harbor + "elements: {Observation.issued: keep}", "elements.Observation.issued", b2 + "(C)"},
		{"ages", harbor + "ages: keep", "ages", b2 + "(C)"},
		{"five digits of a ZIP code", harbor + "zip: keep", "zip", b2 + "(B)"},
		{"a ZIP code kept", harbor + "elements: {Address.postalCode: keep}", "elements.Address.postalCode", b2 + "(B)"},
		{"a city", harbor + "elements: {Address.city: keep}", "elements.Address.city", b2 + "(B)"},
		{"a county", harbor + "elements: {Address.district: text}", "elements.Address.district", b2 + "(B)"},
		{"a place on earth", harbor + "elements: {Location.position: walk}", "types.decimal", b2 + "(B)"},
		{"a geolocation", harbor + "extensions: [{url: 'http://hl7.org/fhir/StructureDefinition/geolocation', parts: [{url: latitude, values: [valueDecimal]}]}]",
			"extensions.http://hl7.org/fhir/StructureDefinition/geolocation", b2 + "(B)"},
		{"derived codes", harbor + "codes: any", "codes", "45 CFR 164.514(c)"},
		{"the source's ids", harbor + "identifiers: role", "identifiers", b2 + "(R)"},
		{"ids kept", harbor + "types: {id: keep}", "types.id", b2 + "(H)"},
		{"names", harbor + "types: {HumanName: walk}\nelements: {HumanName.family: keep}", "elements.HumanName.family", b2 + "(A)"},
		{"names as text", harbor + "types: {HumanName: walk}\nelements: {HumanName.text: text}", "elements.HumanName.text", b2 + "(A)"},
		{"names where a role names them", harbor + "types: {HumanName: if-named}", "types.HumanName", b2 + "(A)"},
		{"telephone numbers", harbor + "types: {ContactPoint: walk}\nelements: {ContactPoint.value: keep}", "elements.ContactPoint.value", b2 + "(D)"},
		{"record numbers", harbor + "types: {Identifier: walk}\nelements: {Identifier.value: keep}", "elements.Identifier.value", b2 + "(H)"},
		{"faces", harbor + "elements: {Patient.photo: walk, Attachment.data: keep}", "elements.Attachment.data", b2 + "(Q)"},
		{"serial numbers", harbor + "elements: {Device.serialNumber: keep}", "elements.Device.serialNumber", b2 + "(M)"},
		{"addresses of computers", harbor + "elements: {AuditEvent.agent.network.address: keep}", "elements.AuditEvent.agent.network.address", b2 + "(O)"},
		{"URLs", harbor + "elements: {Attachment.url: keep}", "elements.Attachment.url", b2 + "(N)"},
		{"free text", harbor + "types: {string: keep}", "types.string", b2 + "(R)"},
		{"one choice of a type that is text", harbor + `elements: {"Observation.value[x]:string": keep}`, "elements.Observation.value[x]:string", b2 + "(R)"},
		{"scrubbed text, called de-identified", harbor + "text: scrub", "data_class", "45 CFR 164.514(b)(2)(i)"},
		{"scrubbed files, called de-identified", harbor + "attachments: scrub", "data_class", "45 CFR 164.514(b)(2)(i)"},
		{"scrubbed narrative, called de-identified", harbor + "narrative: scrub", "data_class", "45 CFR 164.514(b)(2)(i)"},
		{"direct identifiers", harbor + "direct_identifiers: role", "direct_identifiers", "45 CFR 164.514(b)(2)"},
		{"called a limited data set", harbor + "data_class: limited-data-set", "data_class", "45 CFR 164.514(b)(2)"},

		{"limited: a street", limited + "elements: {Address.line: keep}", "elements.Address.line", "45 CFR 164.514(e)(2)(ii)"},
		{"limited: names", limited + "types: {HumanName: walk, string: keep}", "types.string", "45 CFR 164.514(e)(2)(i)"},
		{"limited: faces", limited + "elements: {Attachment.data: keep}", "elements.Attachment.data", "45 CFR 164.514(e)(2)(xvi)"},
		{"limited: called de-identified", limited + "data_class: de-identified", "data_class", "45 CFR 164.514(e)(1)"},
		{"limited: scrubbed text", limited + "text: scrub", "data_class", "45 CFR 164.514(e)(2)"},

		{"expert: nobody", expert, "determination.expert", "45 CFR 164.514(b)(1)"},
		{"expert: no recipient", expert + strings.Replace(whole, "recipient: R", "recipient: ''", 1), "determination.recipient", "45 CFR 164.514(b)(1)(i)"},
		{"expert: no analysis", expert + strings.Replace(whole, "method: M", "method: ' '", 1), "determination.method", "45 CFR 164.514(b)(1)(ii)"},
		{"expert: for ever", expert + strings.Replace(whole, "2027-01-31", "''", 1), "determination.valid_until", "policy"},
		{"expert: over before it began", expert + strings.Replace(whole, "2027", "2025", 1), "determination.valid_until", "policy"},
		{"expert: names", expert + whole + "types: {HumanName: walk, string: keep}", "types.string", "45 CFR 164.514(b)(1)"},

		{"minimum necessary, called de-identified", minimal + "data_class: de-identified", "data_class", "45 CFR 160.103"},
		{"minimum necessary with shifted dates", minimal + "dates: shift", "dates", "45 CFR 164.514(b)(1)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := LoadProfile([]byte(c.yaml))
			if err == nil || p != nil {
				t.Fatal("it was loaded")
			}
			got := problem.From(err)
			if got.Field != c.field || got.Citation != c.citation || got.Kind != problem.Invalid {
				t.Errorf("got field %q, citation %q (%v), want %q, %q", got.Field, got.Citation, err, c.field, c.citation)
			}
		})
	}
}

// TestProfilesAreStrict: what is misspelt is named.
func TestProfilesAreStrict(t *testing.T) {
	const head = "profile: mine\nversion: 1\nextends: safe-harbor\n"
	for _, c := range []struct{ name, yaml, field, says string }{
		{"empty", "", "profile", "empty"},
		{"unknown key", head + "date: keep\n", "profile", "date"},
		{"a key twice", head + "zip: remove\nzip: remove\n", "profile", "zip"},
		{"two documents", head + "---\nprofile: x\n", "profile", "more than one"},
		{"no name", "version: 1\nextends: safe-harbor\n", "profile", "name"},
		{"a built-in's name", "profile: safe-harbor\nversion: 1\nextends: safe-harbor\n", "profile", "built-in"},
		{"no version", "profile: mine\nextends: safe-harbor\n", "version", "positive"},
		{"no basis", "profile: mine\nversion: 1\ndata_class: phi\n", "basis", "legal basis"},
		{"unknown basis", head + "basis: gdpr\n", "basis", "legal basis"},
		{"unknown parent", "profile: mine\nversion: 1\nextends: safe\n", "extends", "no built-in"},
		{"unknown word", head + "zip: some\n", "zip", "some"},
		{"unknown type", head + "types: {HumanNames: remove}\n", "types.HumanNames", "HumanName"},
		{"a resource for a type", head + "types: {Patient: remove}\n", "types.Patient", "data type"},
		{"unknown element", head + "elements: {Patient.nam: remove}\n", "elements.Patient.nam", "R4"},
		{"an inherited element", head + "elements: {Patient.name.family: remove}\n", "elements.Patient.name.family", "defined"},
		{"unknown ruling", head + "elements: {Patient.name: hash}\n", "elements.Patient.name", "remove"},
		{"unknown type of a choice", head + `elements: {"Observation.value[x]:Address": remove}` + "\n", "elements.Observation.value[x]:Address", "type"},
		{"an extension that says nothing", head + "extensions: [{url: 'http://x'}]\n", "extensions.http://x", "neither"},
		{"an extension with an unknown value", head + "extensions: [{url: 'http://x', values: [valueName]}]\n", "extensions.http://x", "valueName"},
		{"a shift of a day", head + "shift_days: 1\n", "shift_days", "7"},
		{"a determination of no expert", head + "determination: {expert: E}\n", "determination", "expert"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := LoadProfile([]byte(c.yaml))
			if err == nil {
				t.Fatal("it was loaded")
			}
			if got := problem.From(err); got.Field != c.field || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got field %q: %v\nwant field %q and %q", got.Field, err, c.field, c.says)
			}
		})
	}
}

func TestLawfulProfiles(t *testing.T) {
	mine := func(more string) *Profile {
		t.Helper()
		p, err := LoadProfile([]byte(more))
		if err != nil {
			t.Fatalf("%s\n%v", more, err)
		}
		return p
	}
	stricter := mine("profile: mine\nversion: 2\nextends: safe-harbor\nzip: remove\nelements: {Patient.gender: remove}\n")
	if got := stricter.Rule(Element{"Patient.gender", "code"}); got != Remove {
		t.Errorf("got %s, want remove", got)
	}
	if got := stricter.Rule(Element{"Patient.birthDate", "date"}); got != Date {
		t.Errorf("got %s, want date", got)
	}
	same := mine("# a comment\nversion: 2\nelements:\n  Patient.gender: remove\nzip: remove\nextends: safe-harbor\nprofile: mine\n")
	if same.Digest() != stricter.Digest() {
		t.Error("the order of keys and a comment change the digest")
	}
	if other := mine("profile: mine\nversion: 2\nextends: safe-harbor\nzip: remove\n"); other.Digest() == stricter.Digest() {
		t.Error("another ruling has the same digest")
	}
	text := mine("profile: notes\nversion: 1\nextends: safe-harbor\ntext: scrub\nattachments: scrub\ndata_class: phi\n")
	if !text.Scrubs() || text.DataClass() == hipaa.DeIdentified || text.Style() != YearsOnly || !text.NeedsRecord() {
		t.Errorf("scrubbed text under Safe Harbor: scrubs %v, class %s", text.Scrubs(), text.DataClass())
	}
	expert := mine("profile: e1\nversion: 1\nbasis: expert-determination\nextends: expert-determination\ndetermination: {expert: E, determined_on: '2026-01-31', recipient: R, valid_until: '2027-01-31', method: M}\n")
	day := func(s string) time.Time { d, _ := time.Parse(time.RFC3339, s); return d }
	for at, want := range map[string]bool{
		"2026-01-30T23:59:59Z": true, "2026-01-31T00:00:00Z": false, "2027-01-31T23:59:59Z": false, "2027-02-01T00:00:00Z": true, "2027-01-31T23:00:00-05:00": true,
	} {
		if got := expert.Expired(day(at)); got != want {
			t.Errorf("expired at %s: got %v, want %v", at, got, want)
		}
	}
	if d, ok := expert.Determination(); !ok || d.Expert != "E" || d.Recipient != "R" {
		t.Errorf("got %+v, %v", d, ok)
	}
	var zero Profile
	if got := zero.Rule(Element{"Patient.gender", "code"}); got != Remove {
		t.Errorf("the zero profile: got %s, want remove", got)
	}
}

func TestKeyedShifts(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	s, err := NewKeyedShifts(key, 50)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]int{}
	for i := range 20_000 {
		id := "p" + string(rune('0'+i%10)) + strings.Repeat("x", i/10%50) + string(rune('a'+i/500))
		n, err := s.Days(id)
		again, _ := s.Days(id)
		if err != nil || n != again || n == 0 || n < -50 || n > 50 {
			t.Fatalf("%s: got %d, then %d, %v", id, n, again, err)
		}
		seen[n]++
	}
	if len(seen) != 100 {
		t.Errorf("got %d different shifts, want each of 100", len(seen))
	}
	other, _ := NewKeyedShifts([]byte("another key, another key, another key"), 50)
	differ := 0
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		a, _ := s.Days(id)
		b, _ := other.Days(id)
		if a != b {
			differ++
		}
	}
	if differ < 5 {
		t.Errorf("%d of 8 patients have another shift under another key", differ)
	}
	if _, err := NewKeyedShifts(key[:31], 50); err == nil {
		t.Error("a short key was taken")
	}
	if _, err := s.Days(""); err == nil {
		t.Error("nobody has a shift")
	}
	if _, err := (*KeyedShifts)(nil).Days("p"); err == nil {
		t.Error("no key shifts dates")
	}
}

func TestPlaces(t *testing.T) {
	for s, want := range map[string]bool{"TX": true, "tx": true, "Massachusetts": true, "New York": true, "NSW": false, "Boston": false, "": false, "T": false, "TX|UT": false, "Ann": false} {
		if got := IsState([]byte(s)); got != want {
			t.Errorf("IsState(%q): got %v, want %v", s, got, want)
		}
	}
	for s, want := range map[string]bool{"US": true, "USA": true, "Netherlands": true, "Atlantis": false, "US|USA": false} {
		if got := IsCountry([]byte(s)); got != want {
			t.Errorf("IsCountry(%q): got %v, want %v", s, got, want)
		}
	}
}

// fixed is a source of "random" bytes.
type fixed byte

func (f *fixed) Read(b []byte) (int, error) {
	for i := range b {
		*f++
		b[i] = byte(*f)
	}
	return len(b), nil
}

func TestCodesSayWhereTheyComeFrom(t *testing.T) {
	r := NewRandomCodes(new(fixed))
	a, err := r.Code("ann")
	b, _ := r.Code("bo")
	again, _ := r.Code("ann")
	if err != nil || a == b || a != again || len(a) != 33 || r.Len() != 2 {
		t.Errorf("got %q, %q, %q, %v", a, b, again, err)
	}
	if !AreAssigned(r) || AreAssigned(derivedCodes{}) || AreAssigned(nil) || AreAssigned((*RandomCodes)(nil)) {
		t.Error("derived codes pass for random ones, or the other way round")
	}
}

type derivedCodes struct{}

func (derivedCodes) Code(id string) (string, error) { return id, nil }

// FuzzLoadProfile: no text crashes the loader, and what loads satisfies its basis:
// under Safe Harbor no name, street or full date is ever kept.
func FuzzLoadProfile(f *testing.F) {
	for _, p := range BuiltIn() {
		raw, _ := BuiltInYAML(p.Name())
		f.Add(raw)
	}
	f.Add([]byte("profile: mine\nversion: 1\nextends: safe-harbor\nzip: remove\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := LoadProfile(raw)
		if err != nil {
			return
		}
		if p.Basis() == SafeHarbor {
			for _, e := range []Element{{"HumanName.family", "string"}, {"Address.line", "string"}, {"Patient.birthDate", "date"}, {"Identifier.value", "string"}, {"ContactPoint.value", "string"}} {
				if a := p.Rule(e); a == IfNamed || (a == Keep && p.Rule(Element{"Patient.name", "HumanName"}) != Remove) {
					t.Errorf("%s is ruled %s", e.Path, a)
				}
			}
		}
	})
}
