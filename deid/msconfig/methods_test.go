package msconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/internal/need"
)

// keys are those of the vectors.
const keys = `"dateShiftKey": "key", "cryptoHashKey": "k1", "encryptKey": "0123456789abcdef"`

// counting is randomness that is 0, 1, 2 ...
type counting struct{ n byte }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = c.n
		c.n++
	}
	return len(p), nil
}

// quarter is randomness of which perturb makes .25: int.from_bytes(b"\x40" +
// bytes(7), "big") >> 11 is 2**51.
type quarter struct{}

func (quarter) Read(p []byte) (int, error) {
	clear(p)
	p[0] = 0x40
	return len(p), nil
}

func anonymizer(t testing.TB, rules, params string, o Options) *Anonymizer {
	t.Helper()
	cfg, err := Read([]byte(`{"fhirVersion": "R4", "fhirPathRules": [` + rules + `], "parameters": {` + params + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	if o.AsOf.IsZero() {
		o.AsOf = time.Date(2025, 6, 15, 0, 0, 0, 0, time.UTC)
	}
	if o.Rand == nil {
		o.Rand = zeros{}
	}
	a, err := New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// same compares JSON: order of members apart, numbers digit for digit.
func same(t testing.TB, got []byte, want string) {
	t.Helper()
	if g, w := canonical(t, got), canonical(t, []byte(want)); !reflect.DeepEqual(g, w) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// labelled is a meta with the labels of the codes, which the tests of labels
// check in full.
func labelled(codes ...string) string {
	var out []string
	for _, c := range codes {
		for _, l := range labels {
			if l.code == c {
				s := fmt.Sprintf(`"code": %q, "display": %q`, l.code, l.display)
				if l.system != "" {
					s += fmt.Sprintf(`, "system": %q`, l.system)
				}
				out = append(out, "{"+s+"}")
			}
		}
	}
	return `"meta": {"security": [` + strings.Join(out, ", ") + `]}`
}

type vector struct {
	name, rules, params, in, want string
	o                             Options
}

func (v vector) run(t *testing.T) {
	t.Helper()
	a := anonymizer(t, v.rules, keys+v.params, v.o)
	got, _, err := a.Resource(nil, []byte(v.in))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, v.want)
}

// TestCryptoHash: printf %s VALUE | openssl dgst -sha256 -hmac k1
func TestCryptoHash(t *testing.T) {
	const (
		pt1  = "28d6246a9300b4799d903c6d07f7c14363d76cec32065f4122feec1ee00125ab" // pt-1
		yes  = "626b11255d7d2e7059b6acc3f721f10130ddb408a371a43d1a84bc9cf26db648" // True
		n750 = "a1666a9de7437b003b56f1507b604bc82134480623c6c44e657574484ff4e5ef" // 7.50
		uml  = "90dacfb01a429a1018f7c7d501f3f361bf6155987ec8c5f3f974ec4aee372b52" // Ünder
	)
	tests := []vector{
		{name: "an id", rules: `{"path": "Resource.id", "method": "cryptoHash"}`,
			in:   `{"resourceType": "Patient", "id": "pt-1"}`,
			want: `{"resourceType": "Patient", "id": "` + pt1 + `", ` + labelled("CRYTOHASH") + `}`},
		{name: "a boolean, as .NET writes it", rules: `{"path": "Patient.active", "method": "CRYPTOHASH"}`,
			in:   `{"resourceType": "Patient", "active": true}`,
			want: `{"resourceType": "Patient", "active": "` + yes + `", ` + labelled("CRYTOHASH") + `}`},
		{name: "a decimal with its zero", rules: `{"path": "Observation.value.value", "method": "cryptoHash"}`,
			in:   `{"resourceType": "Observation", "valueQuantity": {"value": 7.50, "unit": "mg"}}`,
			want: `{"resourceType": "Observation", "valueQuantity": {"value": "` + n750 + `", "unit": "mg"}, ` + labelled("CRYTOHASH") + `}`},
		{name: "UTF-8, trimmed", rules: `{"path": "Patient.name.family", "method": "cryptoHash"}`,
			in:   `{"resourceType": "Patient", "name": [{"family": "  Ünder "}]}`,
			want: `{"resourceType": "Patient", "name": [{"family": "` + uml + `"}], ` + labelled("CRYTOHASH") + `}`},
		{name: "of a reference the id alone", rules: `{"path": "nodesByType('Reference').reference", "method": "cryptoHash"}`,
			in: `{"resourceType": "Group", "member": [
				{"entity": {"reference": "Patient/pt-1", "display": "d"}},
				{"entity": {"reference": "Patient/pt-1/_history/3"}},
				{"entity": {"reference": "http://example.org/fhir/Patient/pt-1"}},
				{"entity": {"reference": "#pt-1"}}]}`,
			want: `{"resourceType": "Group", "member": [
				{"entity": {"reference": "Patient/` + pt1 + `", "display": "d"}},
				{"entity": {"reference": "Patient/` + pt1 + `/_history/3"}},
				{"entity": {"reference": "http://example.org/fhir/Patient/` + pt1 + `"}},
				{"entity": {"reference": "#` + pt1 + `"}}], ` + labelled("CRYTOHASH") + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// TestWhatOfAReferenceIsHashed marks what goes into the hash.
func TestWhatOfAReferenceIsHashed(t *testing.T) {
	mark := func(s string) string { return "<" + s + ">" }
	for in, want := range map[string]string{
		"Patient/a-1":                     "Patient/<a-1>",
		"Patient/a-1/_history/2":          "Patient/<a-1>/_history/2",
		"Patient/a/_history/2/_history/3": "<Patient/a/_history/2/_history/3>",
		"#b":                              "#<b>",
		"#":                               "#<>",
		"urn:uuid:0a1b2c3d-0000-4000-8000-00000000000F": "urn:uuid:<0a1b2c3d-0000-4000-8000-00000000000F>",
		"urn:uuid:0a1b2c3d-0000-4000-8000-00000000000":  "<urn:uuid:0a1b2c3d-0000-4000-8000-00000000000>",
		"urn:oid:2.16.840":                    "urn:oid:<2.16.840>",
		"urn:oid:3.16":                        "<urn:oid:3.16>",
		"urn:oid:1.02":                        "<urn:oid:1.02>",
		"https://h.example/r4/Observation/9":  "https://h.example/r4/Observation/<9>",
		"http://h:8080/a%20b/$x/Patient/9":    "http://h:8080/a%20b/$x/Patient/<9>",
		"https://my-host.example/Patient/9":   "<https://my-host.example/Patient/9>", // a dash is not in the tool's pattern
		"http://hPatient/9":                   "http://hPatient/<9>",
		"base/Patient/9":                      "<base/Patient/9>",
		"ftp://h/Patient/9":                   "<ftp://h/Patient/9>",
		"Person/":                             "<Person/>",
		"Nothing/1":                           "<Nothing/1>",
		"Patient?identifier=http://h|77":      "<Patient?identifier=http://h|77>",
		"Patient/" + strings.Repeat("a", 65):  "<Patient/" + strings.Repeat("a", 65) + ">",
		"Patient/" + strings.Repeat("a", 64):  "Patient/<" + strings.Repeat("a", 64) + ">",
		"Resource/1":                          "<Resource/1>",
		"http://h/MedicationRequest/x/../y/1": "<http://h/MedicationRequest/x/../y/1>",
	} {
		if got := hashReference(in, mark); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// TestDateShift. The shift, in Python:
//
//	o = 0
//	for b in (prefix + key).encode(): o = (o * 131 + b) % 101
//	o - 50
//
// gives for the key "key": pt-1 -24, pt-2 9, no id 17, file.ndjson 18, ü -2. Dates
// by date(2015, 2, 7) + timedelta(days=...).
func TestDateShift(t *testing.T) {
	all := `{"path": "nodesByType('date')", "method": "dateshift"}, {"path": "nodesByType('dateTime')", "method": "dateShift"}, {"path": "nodesByType('instant')", "method": "dateShift"}`
	obs := func(id, when string) string {
		return `{"resourceType": "Observation", "id": "` + id + `", "valueDateTime": "` + when + `"}`
	}
	out := func(id, when, code string) string {
		if when == "" {
			return `{"resourceType": "Observation", "id": "` + id + `", ` + labelled(code) + `}`
		}
		return `{"resourceType": "Observation", "id": "` + id + `", "valueDateTime": "` + when + `", ` + labelled(code) + `}`
	}
	partial := `, "enablePartialDatesForRedact": true`
	tests := []vector{
		{name: "a date", rules: all, in: `{"resourceType": "Patient", "id": "pt-1", "birthDate": "2015-02-07"}`,
			want: `{"resourceType": "Patient", "id": "pt-1", "birthDate": "2015-01-14", ` + labelled("PERTURBED") + `}`},
		{name: "another id", rules: all, in: obs("pt-2", "2015-02-07"), want: out("pt-2", "2015-02-16", "PERTURBED")},
		{name: "no id", rules: all, in: `{"resourceType": "Patient", "birthDate": "2015-02-07"}`,
			want: `{"resourceType": "Patient", "birthDate": "2015-02-24", ` + labelled("PERTURBED") + `}`},
		{name: "a time of day becomes zeros, the zone stays", rules: all, in: obs("pt-1", "2015-02-07T13:28:17.239-05:00"), want: out("pt-1", "2015-01-14T00:00:00.000-05:00", "PERTURBED")},
		{name: "Z stays Z", rules: all, in: obs("pt-1", "2015-02-07T23:59:59Z"), want: out("pt-1", "2015-01-14T00:00:00Z", "PERTURBED")},
		{name: "without a zone the time goes", rules: all, in: obs("pt-1", "2015-02-07T13:28:17"), want: out("pt-1", "2015-01-14", "PERTURBED")},
		{name: "without seconds the time goes", rules: all, in: obs("pt-1", "2015-02-07T13:28Z"), want: out("pt-1", "2015-01-14", "PERTURBED")},
		{name: "a month cannot shift", rules: all, in: obs("pt-1", "2015-02"), want: out("pt-1", "", "REDACTED")},
		{name: "a month keeps its year where allowed", rules: all, params: partial, in: obs("pt-1", "2015-02"), want: out("pt-1", "2015", "REDACTED")},
		{name: "over 89 goes", rules: all, params: partial, in: obs("pt-1", "1935-06-15"), want: out("pt-1", "", "REDACTED")},
		{name: "89 stays", rules: all, params: partial, in: obs("pt-1", "1935-06-16"), want: out("pt-1", "1935-05-23", "PERTURBED")},
		{name: "a fixed shift", rules: all, params: `, "dateShiftFixedOffsetInDays": 400`, in: obs("pt-1", "2015-02-07"), want: out("pt-1", "2016-03-13", "PERTURBED")},
		{name: "by file", rules: all, params: `, "dateShiftScope": "File"`, o: Options{File: "file.ndjson"}, in: obs("pt-1", "2015-02-07"), want: out("pt-1", "2015-02-25", "PERTURBED")},
		{name: "by folder, in UTF-8", rules: all, params: `, "dateShiftScope": "folder"`, o: Options{Folder: "ü"}, in: obs("pt-1", "2015-02-07"), want: out("pt-1", "2015-02-05", "PERTURBED")},
		{name: "a key of the caller's", rules: all, o: Options{DateShiftKey: "pt-1key"}, in: `{"resourceType": "Patient", "birthDate": "2015-02-07"}`,
			want: `{"resourceType": "Patient", "birthDate": "2015-01-14", ` + labelled("PERTURBED") + `}`},
		{name: "meta.lastUpdated is written anew", rules: all, in: `{"resourceType": "Patient", "id": "pt-1", "meta": {"lastUpdated": "2015-02-07T13:28:17.239Z"}}`,
			want: `{"resourceType": "Patient", "id": "pt-1", "meta": {"lastUpdated": "2015-01-14T00:00:00+00:00", ` + strings.TrimPrefix(labelled("PERTURBED"), `"meta": {`) + `}`},
		{name: "of what is no date nothing happens", rules: `{"path": "Patient", "method": "dateShift"}`, in: `{"resourceType": "Patient", "active": true}`,
			want: `{"resourceType": "Patient", "active": true}`},
		// A Bundle's own id counts for all in it, hashed if that comes first: the
		// HMAC above is the prefix, and 25 is its shift.
		{name: "in a Bundle", rules: `{"path": "Resource.id", "method": "cryptoHash"}, ` + all,
			in: `{"resourceType": "Bundle", "id": "pt-1", "entry": [{"resource": {"resourceType": "Patient", "birthDate": "2015-02-07"}}]}`,
			want: `{"resourceType": "Bundle", "id": "28d6246a9300b4799d903c6d07f7c14363d76cec32065f4122feec1ee00125ab", ` + labelled("CRYTOHASH", "PERTURBED") + `,
				"entry": [{"resource": {"resourceType": "Patient", "birthDate": "` + shifted("28d6246a9300b4799d903c6d07f7c14363d76cec32065f4122feec1ee00125ab") + `", ` + labelled("PERTURBED") + `}}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// shifted is 2015-02-07 under a prefix, by the derivation above.
func shifted(prefix string) string {
	o := 0
	for _, b := range []byte(prefix + "key") {
		o = (o*131 + int(b)) % 101
	}
	return time.Date(2015, 2, 7, 0, 0, 0, 0, time.UTC).AddDate(0, 0, o-50).Format("2006-01-02")
}

// TestEncrypt: printf %s Boston | openssl enc -aes-128-cbc
// -K 30313233343536373839616263646566 -iv 000102030405060708090a0b0c0d0e0f
func TestEncrypt(t *testing.T) {
	iv, _ := hex.DecodeString("000102030405060708090a0b0c0d0e0f")
	ct128, _ := hex.DecodeString("fe31064b4e8b25e03f1048a88fb05f3e")
	ct256, _ := base64.StdEncoding.DecodeString("Au1FIDG+6OXX0s3XX80pWQ==") // -aes-256-cbc, the key twice
	sealed := base64.StdEncoding.EncodeToString(append(append([]byte{}, iv...), ct128...))
	sealed256 := base64.StdEncoding.EncodeToString(append(append([]byte{}, iv...), ct256...))
	rule := `{"path": "nodesByType('Address').city", "method": "encrypt"}`
	in := `{"resourceType": "Patient", "address": [{"city": "Boston", "state": "MA"}]}`
	out := func(s string) string {
		return `{"resourceType": "Patient", "address": [{"city": "` + s + `", "state": "MA"}], ` + labelled("MASKED") + `}`
	}
	t.Run("128 bits", vector{rules: rule, in: in, want: out(sealed), o: Options{Rand: &counting{}}}.run)
	t.Run("256 bits", vector{rules: rule, in: in, want: out(sealed256), o: Options{Rand: &counting{}, EncryptKey: "0123456789abcdef0123456789abcdef"}}.run)
	if got, err := Decrypt(sealed, "0123456789abcdef"); err != nil || got != "Boston" {
		t.Errorf("got %q, %v, want Boston", got, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		key := rapid.StringMatching(`[a-z]{16}|[a-z]{24}|[a-z]{32}`).Draw(t, "key")
		c, err := newCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := c.encrypt(s, &counting{rapid.Byte().Draw(t, "iv")})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Decrypt(sealed, key); err != nil || got != s {
			t.Fatalf("got %q, %v, want %q", got, err, s)
		}
	})
}

func TestRedact(t *testing.T) {
	zips := `, "enablePartialZipCodesForRedact": true, "restrictedZipCodeTabulationAreas": ["036", "203"]`
	zip := func(s string) string {
		return `{"resourceType": "Patient", "address": [{"postalCode": "` + s + `"}]}`
	}
	zipOut := func(s string) string {
		return `{"resourceType": "Patient", "address": [{"postalCode": "` + s + `"}], ` + labelled("ABSTRED") + `}`
	}
	age := func(s string) string {
		return `{"resourceType": "Condition", "onsetAge": {"value": ` + s + `, "unit": "a"}}`
	}
	zipRule, ageRule := `{"path": "nodesByName('postalCode')", "method": "redact"}`, `{"path": "Condition.onset.value", "method": "redact"}`
	tests := []vector{
		{name: "everything of an element", rules: `{"path": "Patient.name", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "name": [{"family": "F", "_family": {"extension": [{"url": "u", "valueString": "v"}]}, "given": ["A", "B"]}], "active": false}`,
			want: `{"resourceType": "Patient", "active": false, ` + labelled("REDACTED") + `}`},
		{name: "what was kept before stays", rules: `{"path": "Patient.name.use", "method": "keep"}, {"path": "Patient.name", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "name": [{"use": "official", "family": "F"}, {"family": "G"}]}`,
			want: `{"resourceType": "Patient", "name": [{"use": "official"}], ` + labelled("REDACTED") + `}`},
		{name: "of a list with holes", rules: `{"path": "Patient.name.given[0]", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "name": [{"given": ["A", "B"], "_given": [{"id": "i"}, null]}]}`,
			want: `{"resourceType": "Patient", "name": [{"given": ["B"]}], ` + labelled("REDACTED") + `}`},
		{name: "a value, but not what hangs on it", rules: `{"path": "Patient.birthDate.extension", "method": "keep"}, {"path": "Patient.birthDate", "method": "redact"}`,
			in:   `{"resourceType": "Patient", "birthDate": "2001-02-03", "_birthDate": {"extension": [{"url": "u", "valueCode": "v"}]}}`,
			want: `{"resourceType": "Patient", "_birthDate": {"extension": [{"url": "u", "valueCode": "v"}]}, ` + labelled("REDACTED") + `}`},
		{name: "a date whole", rules: `{"path": "Patient.birthDate", "method": "redact"}`,
			in: `{"resourceType": "Patient", "birthDate": "2001-02-03"}`, want: `{"resourceType": "Patient", ` + labelled("REDACTED") + `}`},
		{name: "a date to its year", rules: `{"path": "Patient.birthDate", "method": "redact"}`, params: `, "enablePartialDatesForRedact": true`,
			in: `{"resourceType": "Patient", "birthDate": "2001-02-03"}`, want: `{"resourceType": "Patient", "birthDate": "2001", ` + labelled("REDACTED") + `}`},
		{name: "a year of someone over 89", rules: `{"path": "Patient.birthDate", "method": "redact"}`, params: `, "enablePartialDatesForRedact": true`,
			in: `{"resourceType": "Patient", "birthDate": "1935"}`, want: `{"resourceType": "Patient", ` + labelled("REDACTED") + `}`},
		// XmlConvert reads "2014Z" as the first moment of the year.
		{name: "an instant to its year", rules: `{"path": "Resource.meta.lastUpdated", "method": "redact"}`, params: `, "enablePartialDatesForRedact": true`,
			in:   `{"resourceType": "Patient", "meta": {"lastUpdated": "2014-05-06T07:08:09Z"}}`,
			want: `{"resourceType": "Patient", "meta": {"lastUpdated": "2014-01-01T00:00:00+00:00", ` + strings.TrimPrefix(labelled("REDACTED"), `"meta": {`) + `}`},
		{name: "ZIP", rules: zipRule, params: zips, in: zip("98052"), want: zipOut("98000")},
		{name: "ZIP+4", rules: zipRule, params: zips, in: zip("98052-1234"), want: zipOut("98000-0000")},
		{name: "ZIP restricted", rules: zipRule, params: zips, in: zip("20301-77"), want: zipOut("00000-00")},
		{name: "ZIP of two", rules: zipRule, params: zips, in: zip("98"), want: zipOut("98")},
		{name: "ZIP in Devanagari", rules: zipRule, params: zips, in: zip("९८०५२"), want: zipOut("९८०00")},
		{name: "ZIP whole", rules: zipRule, in: zip("98052"), want: `{"resourceType": "Patient", ` + labelled("REDACTED") + `}`},
		{name: "age 89", rules: ageRule, params: `, "enablePartialAgesForRedact": true`, in: age("89"), want: `{"resourceType": "Condition", "onsetAge": {"value": 89, "unit": "a"}, ` + labelled("REDACTED") + `}`},
		{name: "age 90", rules: ageRule, params: `, "enablePartialAgesForRedact": true`, in: age("90"), want: `{"resourceType": "Condition", "onsetAge": {"unit": "a"}, ` + labelled("REDACTED") + `}`},
		{name: "age whole", rules: ageRule, in: age("40"), want: `{"resourceType": "Condition", "onsetAge": {"unit": "a"}, ` + labelled("REDACTED") + `}`},
		{name: "a decimal that is no age", rules: `{"path": "Observation.value.value", "method": "redact"}`, params: `, "enablePartialAgesForRedact": true`,
			in: `{"resourceType": "Observation", "valueQuantity": {"value": 3, "code": "c"}}`, want: `{"resourceType": "Observation", "valueQuantity": {"code": "c"}, ` + labelled("REDACTED") + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// TestPerturb. The randomness gives .25. In Python:
//
//	lo, hi = -span / 2, span / 2          # span * float(value) where proportional
//	noise = Decimal("%.14e" % (lo + .25 * (hi - lo))).normalize()
//	(Decimal(value) + noise).quantize(Decimal(1).scaleb(-round_to), ROUND_HALF_EVEN)
//
// the last where there are more digits than that.
func TestPerturb(t *testing.T) {
	noisy := func(settings string) string {
		return `{"path": "Observation.value", "method": "perturb", ` + settings + `}`
	}
	quantity := func(s string) string {
		return `{"resourceType": "Observation", "valueQuantity": {"value": ` + s + `, "unit": "mg"}`
	}
	tests := []vector{
		{name: "fixed", rules: noisy(`"span": 5`), in: quantity("100") + "}", want: quantity("98.75") + `, ` + labelled("PERTURBED") + `}`},
		{name: "proportional", rules: noisy(`"span": "0.2", "rangeType": "Proportional", "roundTo": 1`), in: quantity("72.35") + "}", want: quantity("68.7") + `, ` + labelled("PERTURBED") + `}`},
		{name: "half to even, down", rules: noisy(`"span": 0`), in: quantity("0.125") + "}", want: quantity("0.12") + `, ` + labelled("PERTURBED") + `}`},
		{name: "half to even, up", rules: noisy(`"span": 0`), in: quantity("0.135") + "}", want: quantity("0.14") + `, ` + labelled("PERTURBED") + `}`},
		{name: "zeros stay", rules: noisy(`"span": 0, "roundTo": 5`), in: quantity("2.50") + "}", want: quantity("2.50") + `, ` + labelled("PERTURBED") + `}`},
		{name: "an integer has no digits", rules: noisy(`"span": 6, "roundTo": 9`), in: `{"resourceType": "Observation", "valueInteger": 42}`,
			want: `{"resourceType": "Observation", "valueInteger": 40, ` + labelled("PERTURBED") + `}`},
		{name: "positiveInt stays positive", rules: `{"path": "Patient.telecom.rank", "method": "perturb", "span": 9}`, in: `{"resourceType": "Patient", "telecom": [{"rank": 1}]}`,
			want: `{"resourceType": "Patient", "telecom": [{"rank": 1}], ` + labelled("PERTURBED") + `}`},
		{name: "unsignedInt stays unsigned", rules: `{"path": "Appointment.priority", "method": "perturb", "span": 9}`, in: `{"resourceType": "Appointment", "priority": 1}`,
			want: `{"resourceType": "Appointment", "priority": 0, ` + labelled("PERTURBED") + `}`},
		{name: "text is not touched, and closed to later rules", rules: noisy(`"span": 1`) + `, {"path": "Observation.value", "method": "redact"}`,
			in: `{"resourceType": "Observation", "valueString": "s"}`, want: `{"resourceType": "Observation", "valueString": "s"}`},
		{name: "an Age", rules: `{"path": "Condition.onset as Age", "method": "perturb", "span": 6, "roundTo": 0}`, in: `{"resourceType": "Condition", "onsetAge": {"value": 42}}`,
			want: `{"resourceType": "Condition", "onsetAge": {"value": 40}, ` + labelled("PERTURBED") + `}`},
	}
	for _, tt := range tests {
		tt.o.Rand = quarter{}
		t.Run(tt.name, tt.run)
	}
	t.Run("stays in the range", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			v, span := rapid.IntRange(0, 1_000_000).Draw(t, "value"), rapid.IntRange(0, 1000).Draw(t, "span")
			tr := tree{a: &Anonymizer{rand: bytes.NewReader(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "rand"))}}
			n := tr.sampleDecimal(fmt.Sprint(v))
			r := &rule{method: Perturb, span: float64(span), roundTo: 2}
			if _, err := tr.perturb(r, n); err != nil {
				t.Fatal(err)
			}
			d, ok := n.val.dec()
			if !ok || d.float() < float64(v)-float64(span)/2-.005 || d.float() > float64(v)+float64(span)/2+.005 {
				t.Fatalf("%d with span %d became %s", v, span, n.val.s)
			}
		})
	})
}

func (t *tree) sampleDecimal(s string) *node {
	root := (&sample{}).resource("Observation")
	for _, k := range root.named("value") {
		if k.typ == "Quantity" {
			n := k.child("value")
			n.val = value{kind: number, s: s}
			return n
		}
	}
	return nil
}

func TestSubstitute(t *testing.T) {
	tests := []vector{
		{name: "a primitive", rules: `{"path": "Patient.birthDate", "method": "substitute", "replaceWith": "1990-01-01"}`,
			in: `{"resourceType": "Patient", "birthDate": "2001-02-03"}`, want: `{"resourceType": "Patient", "birthDate": "1990-01-01", ` + labelled("SUBSTITUTED") + `}`},
		{name: "by nothing", rules: `{"path": "Patient.gender", "method": "substitute", "replaceWith": null}`,
			in: `{"resourceType": "Patient", "gender": "male"}`, want: `{"resourceType": "Patient", ` + labelled("SUBSTITUTED") + `}`},
		{name: "by a number, which is text", rules: `{"path": "Patient.address.city", "method": "substitute", "replaceWith": 7.50}`,
			in: `{"resourceType": "Patient", "address": [{"city": "c"}]}`, want: `{"resourceType": "Patient", "address": [{"city": "7.5"}], ` + labelled("SUBSTITUTED") + `}`},
		{name: "a complex element", rules: `{"path": "nodesByType('Address')", "method": "substitute", "replaceWith": {"city": "X", "line": ["1", "2"]}}`,
			in:   `{"resourceType": "Patient", "address": [{"city": "a", "line": ["l1", "l2", "l3"], "state": "MA"}, {"text": "t"}]}`,
			want: `{"resourceType": "Patient", "address": [{"city": "X", "line": ["1", "2"]}, {"city": "X", "line": ["1", "2"]}], ` + labelled("SUBSTITUTED") + `}`},
		{name: "by JSON in a text", rules: `{"path": "Patient.name", "method": "substitute", "replaceWith": "{\"family\": \"Doe\"}"}`,
			in: `{"resourceType": "Patient", "name": [{"given": ["g"]}]}`, want: `{"resourceType": "Patient", "name": [{"family": "Doe"}], ` + labelled("SUBSTITUTED") + `}`},
		{name: "what was kept stays, and what is around it", rules: `{"path": "Patient.name.period.start", "method": "keep"}, {"path": "Patient.name", "method": "substitute", "replaceWith": {"family": "Doe"}}`,
			in:   `{"resourceType": "Patient", "name": [{"given": ["g"], "period": {"start": "2001", "end": "2002"}}]}`,
			want: `{"resourceType": "Patient", "name": [{"family": "Doe", "period": {"start": "2001"}}], ` + labelled("SUBSTITUTED") + `}`},
		{name: "and closed to later rules", rules: `{"path": "Patient.name", "method": "substitute", "replaceWith": {"family": "Doe"}}, {"path": "Patient.name.family", "method": "redact"}`,
			in: `{"resourceType": "Patient", "name": [{"family": "F"}]}`, want: `{"resourceType": "Patient", "name": [{"family": "Doe"}], ` + labelled("SUBSTITUTED") + `}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

func TestGeneralize(t *testing.T) {
	rule := func(path, cases, others string) string {
		return `{"path": "` + path + `", "method": "generalize", "cases": ` + cases + `, "otherValues": "` + others + `"}`
	}
	obs := func(typ, v string) string { return `{"resourceType": "Observation", "value` + typ + `": ` + v }
	g := `, ` + labelled("GENERALIZED") + `}`
	none := `{"resourceType": "Observation"` + g
	decades := `{"$this >= 0 and $this < 10": "$this - $this mod 10", "$this < 100": "($this div 10) * 10"}`
	dates := `{"$this < @2000-01-01": "@1990", "$this < @2020-06-15": "@2010-01-01"}`
	tests := []vector{
		{name: "the first case that holds", rules: rule("Observation.value", decades, "redact"), in: obs("Integer", "7") + "}", want: obs("Integer", "0") + g},
		{name: "the second", rules: rule("Observation.value", decades, "redact"), in: obs("Integer", "47") + "}", want: obs("Integer", "40") + g},
		{name: "none: redact", rules: rule("Observation.value", decades, "Redact"), in: obs("Integer", "470") + "}", want: none},
		{name: "none: keep", rules: rule("Observation.value", decades, "keep"), in: obs("Integer", "470") + "}", want: obs("Integer", "470") + g},
		{name: "itself", rules: rule("Observation.value", `{"true": "$this"}`, "redact"), in: obs("Integer", "47") + "}", want: obs("Integer", "47") + g},
		{name: "to nothing", rules: rule("Observation.value", `{"true": "{}"}`, "keep"), in: obs("Integer", "47") + "}", want: none},
		// 47 / 8 in decimal: python -c 'from decimal import *; print(Decimal(47)/8)'
		{name: "division", rules: rule("Observation.value", `{"true": "$this / 8"}`, "keep"), in: obs("Integer", "47") + "}", want: obs("Integer", "5.875") + g},
		// A long on a decimal is written as a text by the tool's library.
		{name: "div on decimals", rules: rule("Observation.value.value", `{"true": "$this div 10"}`, "keep"), in: obs("Quantity", `{"value": 47.9}`) + "}", want: obs("Quantity", `{"value": "4"}`) + g},
		{name: "a set of values", rules: rule("Observation.value", `{"$this in ('a' | 'b')": "'ab'", "('c' | 'd') contains $this": "'cd'"}`, "redact"), in: obs("String", `"d"`) + "}", want: obs("String", `"cd"`) + g},
		{name: "a part of a text", rules: rule("Observation.value", `{"$this.startsWith('12')": "$this.substring(0, 2) + '***'"}`, "redact"), in: obs("String", `"12345"`) + "}", want: obs("String", `"12***"`) + g},
		{name: "a pattern", rules: rule("Observation.value", `{"$this.matches('^[A-Z]\\\\d+$')": "$this.replaceMatches('(\\\\w)(?<n>\\\\d)\\\\d*', '${n}-$1')"}`, "redact"), in: obs("String", `"Q123"`) + "}", want: obs("String", `"1-Q"`) + g},
		{name: "a date", rules: rule("Observation.value", dates, "redact"), in: obs("DateTime", `"1999-12-31T23:00:00+01:00"`) + "}", want: obs("DateTime", `"1990"`) + g},
		{name: "a date, by UTC", rules: rule("Observation.value", dates, "redact"), in: obs("DateTime", `"2000-01-01T23:00:00-02:00"`) + "}", want: obs("DateTime", `"2010-01-01"`) + g},
		{name: "a condition without an answer holds", rules: rule("Observation.value", dates, "redact"), in: obs("DateTime", `"2020"`) + "}", want: obs("DateTime", `"2010-01-01"`) + g},
		{name: "later", rules: rule("Observation.value", dates, "redact"), in: obs("DateTime", `"2020-07"`) + "}", want: none},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// reference recomputes HMAC, shift and AES in Python and openssl, for values that
// nobody chose.
const reference = `
import sys, json, hmac, hashlib
for line in sys.stdin:
    prefix, key, text = json.loads(line)
    o = 0
    for b in (prefix + key).encode(): o = (o * 131 + b) % 101
    print(json.dumps([o - 50, hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()]))
`

func TestAgainstPython(t *testing.T) {
	python := need.Tool(t, "python3")
	var in bytes.Buffer
	type row [3]string
	var rows []row
	gen := rapid.Custom(func(t *rapid.T) row {
		return row{rapid.String().Draw(t, "prefix"), rapid.StringN(1, 40, -1).Draw(t, "key"), rapid.StringN(1, -1, -1).Draw(t, "text")}
	})
	for i := range 300 {
		rows = append(rows, gen.Example(i))
		line, err := json.Marshal(rows[i])
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command(python, "-c", reference)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(rows) {
		t.Fatalf("got %d answers, want %d", len(lines), len(rows))
	}
	for i, line := range lines {
		var want [2]any
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		if got := shiftOf(rows[i][0], rows[i][1]); float64(got) != want[0] {
			t.Errorf("row %d: got a shift of %d, want %v", i, got, want[0])
		}
		if got := newHasher(rows[i][1]).hex(rows[i][2]); got != want[1] {
			t.Errorf("row %d: got %s, want %v", i, got, want[1])
		}
	}
}

func TestAgainstOpenssl(t *testing.T) {
	openssl := need.Tool(t, "openssl")
	for i, text := range []string{"a", "exactly 16 bytes", "日本語の住所", strings.Repeat("long ", 50)} {
		key := "0123456789abcdef0123456789abcdef"[:[]int{16, 24, 32, 16}[i]]
		c, err := newCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := c.encrypt(text, &counting{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := base64.StdEncoding.DecodeString(sealed)
		cmd := exec.Command(openssl, "enc", fmt.Sprintf("-aes-%d-cbc", len(key)*8), "-K", hex.EncodeToString([]byte(key)), "-iv", hex.EncodeToString(raw[:16]))
		cmd.Stdin = strings.NewReader(text)
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if got := raw[16:]; !bytes.Equal(got, want) {
			t.Errorf("%d bytes of key: got %x, want %x", len(key), got, want)
		}
	}
}

// TestDecimalAgainstPython: the arithmetic of 28 digits, where both have them.
func TestDecimalAgainstPython(t *testing.T) {
	python := need.Tool(t, "python3")
	const script = `
import sys, json
from decimal import *
getcontext().prec = 60
for line in sys.stdin:
    a, b, n = json.loads(line)
    a, b = Decimal(a), Decimal(b)
    r = a if -a.as_tuple().exponent <= n else a.quantize(Decimal(1).scaleb(-n), rounding=ROUND_HALF_EVEN)
    print(json.dumps([format(a + b, "f"), format(a * b, "f"), format(r, "f")]))
`
	type row [3]any
	gen := rapid.Custom(func(t *rapid.T) row {
		num := rapid.StringMatching(`-?[1-9][0-9]{0,6}(\.[0-9]{1,6})?`)
		return row{num.Draw(t, "a"), num.Draw(t, "b"), rapid.IntRange(0, 6).Draw(t, "n")}
	})
	var in bytes.Buffer
	var rows []row
	for i := range 300 {
		rows = append(rows, gen.Example(i))
		line, _ := json.Marshal(rows[i])
		in.Write(append(line, '\n'))
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n")) {
		var want [3]string
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		a, _ := parseDecimal(rows[i][0].(string))
		b, _ := parseDecimal(rows[i][1].(string))
		sum, _ := a.add(b)
		product, _ := a.mul(b)
		got := [3]string{sum.String(), product.String(), a.round(rows[i][2].(int)).String()}
		for j := range got {
			if strings.TrimPrefix(got[j], "-") != strings.TrimPrefix(want[j], "-") {
				t.Errorf("%v: got %v, want %v", rows[i], got, want)
				break
			}
		}
	}
}
