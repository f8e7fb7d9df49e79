package hospital

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/need"
)

func TestTheSameSeedGivesTheSameBytes(t *testing.T) {
	for _, make := range []func(uint64, int) *Records{Generate, GenerateCanaries} {
		a, b, other := make(7, 6), make(7, 6), make(8, 6)
		var da, db, dc bytes.Buffer
		for x := range a.All() {
			da.Write(x.JSON)
		}
		for x := range b.All() {
			db.Write(x.JSON)
		}
		for x := range other.All() {
			dc.Write(x.JSON)
		}
		if !bytes.Equal(da.Bytes(), db.Bytes()) {
			t.Error("two hospitals of one seed differ")
		}
		if bytes.Equal(da.Bytes(), dc.Bytes()) {
			t.Error("two hospitals of different seeds are the same")
		}
	}
}

// Every reference leads to a resource, or to one contained beside it.
func TestReferencesResolve(t *testing.T) {
	for name, r := range map[string]*Records{"ordinary": Generate(1, 25), "canaries": GenerateCanaries(1, 6)} {
		n := 0
		for _, d := range r.order {
			for _, ref := range d.refs {
				n++
				if _, ok := r.byKey[ref]; !ok {
					t.Errorf("%s: a %s refers to %s, which is not there", name, d.Type, ref)
				}
			}
			var tree obj
			if err := json.Unmarshal(d.JSON, &tree); err != nil {
				t.Fatalf("%s: %s/%s: %v", name, d.Type, d.ID, err)
			}
			inside := map[string]bool{}
			for _, c := range asListOrNone(tree["contained"]) {
				inside["#"+str(c.(obj)["id"])] = true
			}
			for _, ref := range localRefs(tree) {
				if !inside[ref] {
					t.Errorf("%s: a %s refers to %s, which it does not contain", name, d.Type, ref)
				}
				delete(inside, ref)
			}
			if len(inside) > 0 {
				t.Errorf("%s: a %s contains what nothing refers to (dom-3): %v", name, d.Type, inside)
			}
		}
		if n == 0 {
			t.Fatalf("%s: no references at all", name)
		}
	}
}

func asListOrNone(v any) list { l, _ := v.(list); return l }

func localRefs(v any) (out []string) {
	switch v := v.(type) {
	case obj:
		if s := str(v["reference"]); strings.HasPrefix(s, "#") {
			out = append(out, s)
		}
		for _, m := range v {
			out = append(out, localRefs(m)...)
		}
	case list:
		for _, m := range v {
			out = append(out, localRefs(m)...)
		}
	}
	return out
}

// What is empty must not be written (R4 2.1.3.2), ids must be legal, and each
// resource must have what R4 requires of its type.
func TestResourcesAreValid(t *testing.T) {
	for _, r := range []*Records{Generate(3, 40), GenerateCanaries(3, 6)} {
		long, numeric := 0, 0
		for x := range r.All() {
			var tree obj
			if err := json.Unmarshal(x.JSON, &tree); err != nil {
				t.Fatalf("%s: %v", x.Type, err)
			}
			for _, need := range required[x.Type] {
				found := false
				for choice := range strings.SplitSeq(need, "|") {
					found = found || tree[choice] != nil
				}
				if !found {
					t.Errorf("a %s lacks %s", x.Type, need)
				}
			}
			if _, ok := params[x.Type]; !ok {
				t.Errorf("%s cannot be searched", x.Type)
			}
			if bad := hollow(tree, x.Type); bad != "" {
				t.Errorf("%s is empty", bad)
			}
			if !validID(x.ID) {
				t.Errorf("%q is no id", x.ID)
			}
			if len(x.ID) == 64 {
				long++
			}
			if len(x.ID) < 20 {
				numeric++
			}
		}
		if long == 0 || numeric == 0 {
			t.Errorf("got %d ids of 64 characters and %d short ones, want some of both", long, numeric)
		}
	}
}

// required are the elements with a minimum of one, by type (R4 definitions).
var required = map[string][]string{
	"Patient": {"identifier", "name", "birthDate", "text"}, "Practitioner": {"name"}, "PractitionerRole": {"practitioner"},
	"Organization": {"name"}, "Location": {"status", "name"}, "RelatedPerson": {"patient"},
	"Encounter": {"status", "class", "subject"}, "Condition": {"subject", "clinicalStatus", "code"},
	"Observation":        {"status", "code", "valueQuantity|valueString|component"},
	"MedicationRequest":  {"status", "intent", "subject", "medicationCodeableConcept|medicationReference"},
	"AllergyIntolerance": {"patient", "clinicalStatus"},
	"Immunization":       {"status", "vaccineCode", "patient", "occurrenceDateTime"},
	"Procedure":          {"status", "subject"},
	"DiagnosticReport":   {"status", "code", "presentedForm", "conclusion"},
	"DocumentReference":  {"status", "content"},
	"Binary":             {"contentType", "data"},
	"Coverage":           {"status", "beneficiary", "payor"},
	"Device":             {"udiCarrier", "serialNumber"},
	"Group":              {"type", "actual", "member"},
	"List":               {"status", "mode", "entry"},
	"Consent":            {"status", "scope", "category", "policyRule"},
	"Account":            {"status"},
}

func hollow(v any, path string) string {
	switch v := v.(type) {
	case nil:
		return path
	case string:
		if v == "" {
			return path
		}
	case obj:
		if len(v) == 0 {
			return path
		}
		for k, m := range v {
			if k[0] == '_' {
				continue // a null keeps its place there
			}
			if bad := hollow(m, path+"."+k); bad != "" {
				return bad
			}
		}
	case list:
		if len(v) == 0 {
			return path
		}
		for _, m := range v {
			if bad := hollow(m, path+"[]"); bad != "" {
				return bad
			}
		}
	}
	return ""
}

func TestTheHospitalHasWhatDeIdentificationMeets(t *testing.T) {
	r := Generate(1, 12)
	for typ := range required {
		if len(r.IDs(typ)) == 0 {
			t.Errorf("no %s", typ)
		}
	}
	all := map[string]int{}
	for _, d := range r.order {
		s := string(d.JSON)
		for _, label := range []string{part2, psyche, `"code":"R"`} {
			if strings.Contains(s, label) {
				all[label]++
			}
		}
		if d.Type == "Binary" {
			var b struct{ Data []byte }
			if err := json.Unmarshal(d.JSON, &b); err != nil {
				t.Fatal(err)
			}
			all["note"]++
			for _, section := range []string{"CHIEF COMPLAINT", "ASSESSMENT AND PLAN", "SSN", "555"} {
				if !strings.Contains(string(b.Data), section) {
					t.Errorf("a note has no %s", section)
				}
			}
		}
	}
	for _, want := range []string{part2, psyche, `"code":"R"`, "note"} {
		if all[want] == 0 {
			t.Errorf("nothing has %s", want)
		}
	}
	over89, newborn := 0, 0
	for _, id := range r.IDs("Patient") {
		p, _ := r.Get("Patient", id)
		var v struct{ BirthDate string }
		if err := json.Unmarshal(p.JSON, &v); err != nil {
			t.Fatal(err)
		}
		if v.BirthDate < "1936" {
			over89++
		}
		if v.BirthDate >= "2025-07" {
			newborn++
		}
	}
	if over89 == 0 || newborn == 0 {
		t.Errorf("got %d patients over 89 and %d newborn, want some", over89, newborn)
	}
}

// Nothing may look like somebody's: telephone numbers, social security numbers
// and mail addresses come from the ranges kept for fiction.
func TestNothingCanBelongToAnybody(t *testing.T) {
	phone := regexp.MustCompile(`\b[0-9]{3}[).\- ]+([0-9]{3})[.\- ]([0-9]{4})\b`)
	ssn := regexp.MustCompile(`\b([0-9]{3})-[0-9]{2}-[0-9]{4}\b`)
	mail := regexp.MustCompile(`@[a-z.]+`)
	for x := range Generate(5, 40).All() {
		text := string(x.JSON)
		for _, data := range regexp.MustCompile(`"data":"([^"]+)"`).FindAllStringSubmatch(text, -1) {
			b, err := base64.StdEncoding.DecodeString(data[1])
			if err != nil {
				t.Fatal(err)
			}
			text += string(b)
		}
		for _, m := range phone.FindAllStringSubmatch(text, -1) {
			if m[1] != "555" || !strings.HasPrefix(m[2], "01") {
				t.Errorf("%s: %q is not a telephone number of fiction", x.Type, m[0])
			}
		}
		for _, m := range ssn.FindAllStringSubmatch(text, -1) {
			if m[1] != "000" && m[1] < "900" {
				t.Errorf("%s: %q could be issued", x.Type, m[0])
			}
		}
		for _, m := range mail.FindAllString(text, -1) {
			if m := strings.TrimSuffix(m, "."); m != "@example.org" && m != "@example.com" && m != "@mail.example.org" {
				t.Errorf("%s: mail to %s", x.Type, m)
			}
		}
	}
}

func TestSamplesAreOfTheSizePromised(t *testing.T) {
	r := Generate(1, 5)
	if n := len(r.Sample2KB().JSON); n < 1600 || n > 2500 {
		t.Errorf("Sample2KB is %d bytes", n)
	}
	if _, err := url.Parse(r.Search500KB()); err != nil || r.Search500KB() == "" {
		t.Errorf("Search500KB is %q", r.Search500KB())
	}
}

func TestPutKeepsOlderVersions(t *testing.T) {
	r := newRecords()
	for _, bad := range []string{`{`, `[]`, `{"resourceType":"Patient"}`, `{"resourceType":"Patient","id":"a/b"}`, `{"id":"1"}`, `{"resourceType":"Patient","id":"1","meta":{"lastUpdated":"x"}}`} {
		if err := r.Put([]byte(bad)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	for _, v := range []string{"1", "2"} {
		if err := r.Put([]byte(`{"resourceType":"Patient","id":"p","meta":{"versionId":"` + v + `"},"gender":"female"}`)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := r.Get("Patient", "p"); got.Version != "2" || r.Len() != 1 {
		t.Errorf("got version %q of %d resources, want 2 of 1", got.Version, r.Len())
	}
	if r.older["Patient/p/_history/1"] == nil {
		t.Error("version 1 is gone")
	}
}

// The public R4 examples can be served, where they are at hand.
func TestPutTakesTheR4Examples(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(need.DataFile(t, "fhir-r4-examples"), "*.json"))
	if len(files) == 0 {
		t.Fatal("the folder of the R4 examples is empty")
	}
	r := newRecords()
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Put(b); err != nil && !strings.Contains(err.Error(), "resourceType and an id") && !strings.Contains(err.Error(), "there already") {
			t.Errorf("%s: %v", filepath.Base(f), err)
		}
	}
	if r.Len() < 50 {
		t.Errorf("got %d of %d examples", r.Len(), len(files))
	}
}

// Every canary is where the list says, and every element that holds text not
// written by a standard holds one.
func TestCanariesAreWhereTheListSays(t *testing.T) {
	r := GenerateCanaries(1, 5)
	if len(r.Canaries()) < 1000 {
		t.Fatalf("got %d canaries", len(r.Canaries()))
	}
	trees := map[string]obj{}
	owners := map[string]string{}
	kinds := map[string]int{}
	for _, c := range r.Canaries() {
		typ, id, _ := strings.Cut(c.Resource, "/")
		x, ok := r.Get(typ, id)
		if !ok {
			t.Fatalf("%s is not there", c.Resource)
		}
		if trees[c.Resource] == nil {
			dec := json.NewDecoder(bytes.NewReader(x.JSON))
			dec.UseNumber()
			var tree obj
			if err := dec.Decode(&tree); err != nil {
				t.Fatal(err)
			}
			trees[c.Resource] = tree
		}
		got := at(t, trees[c.Resource], c.Path)
		if c.Encoded {
			b, err := base64.StdEncoding.DecodeString(got)
			if err != nil {
				t.Fatalf("%s: %v", c.Path, err)
			}
			if !slices.ContainsFunc(slices.Collect(valuesOf(c.Base64())), func(f string) bool { return strings.Contains(got, f) }) {
				t.Errorf("%s: none of the base64 forms of %s is there", c.Path, c.Value)
			}
			got = string(b)
		}
		if !strings.Contains(got, c.Value) {
			t.Errorf("%s of %s does not hold %s", c.Path, c.Resource, c.Value)
		}
		kinds[c.Kind]++
		if c.Kind == "DATE" || c.Kind == "TEXT" {
			if owner, taken := owners[c.Value]; taken && owner != c.Resource+c.Path {
				t.Errorf("%s is at %s and at %s", c.Value, owner, c.Resource+c.Path)
			}
			owners[c.Value] = c.Resource + c.Path
		}
	}
	for _, k := range []string{"DATE", "PLACE", "FAM", "GIV", "NICK", "MAIDEN", "SSN", "MRN", "TEL", "MAIL", "URL", "STREET", "CITY", "ZIP", "PATIENTID", "NARRATIVE", "ATTACHED", "TEXT", "SERIAL", "UDI", "ACCT", "MEMBER", "SRC", "BINARYID"} {
		if kinds[k] == 0 {
			t.Errorf("no canary of kind %s", k)
		}
	}
	// Nothing is left out of the list.
	listed := map[string]bool{}
	for _, c := range r.Canaries() {
		listed[c.Resource+" "+c.Value] = true
	}
	for x := range r.All() {
		for _, v := range canaryString.FindAllString(string(x.JSON), -1) {
			if !listed[x.Type+"/"+x.ID+" "+v] {
				t.Errorf("%s of %s/%s is not in the list", v, x.Type, x.ID)
			}
		}
	}
}

// The second list of what identifies is written without regard to the first
// (keptMembers): by the elements' names, in whatever resource they sit.
func TestNoIdentifyingElementIsWithoutACanary(t *testing.T) {
	names := []string{"id", "family", "given", "text", "div", "title", "description", "comment", "conclusion", "name", "line", "city",
		"district", "postalCode", "serialNumber", "lotNumber", "deviceIdentifier", "carrierHRF", "subscriberId", "patientInstruction",
		"reference", "valueString", "data", "source"}
	today := Today.Format("2006-01-02")
	r := GenerateCanaries(2, 6)
	for x := range r.All() {
		var walk func(key, parent, path string, v any)
		walk = func(key, parent, path string, v any) {
			switch v := v.(type) {
			case obj:
				for k, m := range v {
					walk(k, key, path+"."+k, m)
				}
			case list:
				for _, m := range v {
					walk(key, parent, path, m)
				}
			case string:
				person := key == "value" && (parent == "identifier" || parent == "telecom" || parent == "masterIdentifier")
				if key == "data" {
					b, err := base64.StdEncoding.DecodeString(v)
					if err != nil {
						t.Errorf("%s: %v", path, err)
					}
					v = string(b)
				}
				contained := strings.Contains(path, ".contained") && key == "id" || key == "reference" && v[0] == '#'
				if (person || slices.Contains(names, key)) && !contained && !strings.Contains(v, canaryPrefix) {
					t.Errorf("%s holds %q", path, v)
				}
				if fullDate.MatchString(v) && v[:10] > today {
					t.Errorf("%s is after the hospital's day: %s", path, v)
				}
			}
		}
		var tree obj
		if err := json.Unmarshal(x.JSON, &tree); err != nil {
			t.Fatal(err)
		}
		walk("", "", x.Type, tree)
	}
}

func valuesOf(a [3]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, s := range a {
			if !yield(s) {
				return
			}
		}
	}
}

// at follows a path such as Patient.name[0].family.
func at(t *testing.T, tree obj, path string) string {
	t.Helper()
	var v any = tree
	for _, step := range strings.Split(path, ".")[1:] {
		name, index, has := strings.Cut(step, "[")
		o, ok := v.(obj)
		if !ok {
			t.Fatalf("%s leads nowhere", path)
		}
		v = o[name]
		if has {
			n := 0
			for _, c := range strings.TrimSuffix(index, "]") {
				n = n*10 + int(c-'0')
			}
			l := asListOrNone(v)
			if n >= len(l) {
				t.Fatalf("%s leads nowhere", path)
			}
			v = l[n]
		}
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	t.Fatalf("%s is not a string", path)
	return ""
}
