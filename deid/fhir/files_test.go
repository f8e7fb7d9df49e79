package fhir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/fhir/spec"
	"github.com/sallyport/sallyport/problem"
)

// identity gathers every string that stands where somebody is named, reached,
// numbered or placed, in a resource of any type: this test's own reading of what
// identifies, by R4's types and the names of elements.
func identity(words map[string]bool, typ string, v map[string]any) {
	t, ok := spec.Lookup(typ)
	if !ok {
		return
	}
	if t.Kind == spec.Resource {
		if id, ok := v["id"].(string); ok && len(id) > 9 { // "referral" is the id of a contained one, and a member's name
			words[id] = true
		}
	}
	for _, e := range list(v["extension"]) {
		if x, ok := e.(map[string]any); ok {
			link, _ := x["url"].(string)
			if s, ok := x["valueString"].(string); ok && strings.HasSuffix(link, "mothersMaidenName") {
				words[s] = true
			}
			if strings.HasSuffix(link, "geolocation") {
				for _, part := range list(x["extension"]) {
					words[fmt.Sprint(part.(map[string]any)["valueDecimal"])] = true
				}
			}
			if a, ok := x["valueAddress"].(map[string]any); ok {
				identity(words, "Patient", map[string]any{"address": []any{a}})
			}
		}
	}
	for name, value := range v {
		e, ok := t.Field(name)
		if !ok {
			continue
		}
		items, isList := value.([]any)
		if !isList {
			items = []any{value}
		}
		for _, item := range items {
			switch x := item.(type) {
			case map[string]any:
				switch e.Type.Name {
				case "HumanName", "ContactPoint", "Identifier":
					for _, part := range []string{"family", "given", "text", "value"} {
						for _, s := range all(x[part]) {
							words[s] = true
						}
					}
				case "Address":
					for _, part := range []string{"line", "city", "district", "text"} {
						for _, s := range all(x[part]) {
							words[s] = true
						}
					}
					if zip, ok := x["postalCode"].(string); ok && len(zip) > 3 {
						words[zip] = true
					}
					identity(words, "Address", x)
				case "Reference":
					ref, _ := x["reference"].(string)
					if s, ok := x["display"].(string); ok && (strings.HasPrefix(ref, "P") || name == "subject" || name == "patient" || name == "individual") {
						words[s] = true
					}
					if len(ref) > 0 && ref[0] != '#' {
						words[ref] = true
					}
				case "Resource":
					inner, _ := x["resourceType"].(string)
					identity(words, inner, x)
				default:
					identity(words, e.Type.Name, x)
				}
			case string:
				switch e.Type.Name {
				case "date", "dateTime", "instant":
					if len(x) > 4 {
						words[x[:min(len(x), 10)]] = true
					}
				}
			}
		}
	}
}

func list(v any) []any { l, _ := v.([]any); return l }

func all(v any) (out []string) {
	switch x := v.(type) {
	case string:
		return []string{x}
	case []any:
		for _, i := range x {
			out = append(out, all(i)...)
		}
	}
	return out
}

// decode reads with numbers as they are written.
func decode(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// clinical gathers what must come through: every code with its system, every
// quantity, every status and other code of a required binding, booleans and numbers.
func clinical(out map[string]int, path string, v any, typ *spec.Type) {
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	for name, value := range object {
		e, ok := typ.Field(name)
		if !ok || name == "text" || name == "contained" || name == "meta" {
			continue
		}
		here := path + "." + name
		items, isList := value.([]any)
		if !isList {
			items = []any{value}
		}
		for _, item := range items {
			switch e.Type.Name {
			case "HumanName", "Address", "ContactPoint", "Identifier", "Extension", "Attachment", "Signature", "Annotation", "Resource":
				continue // identity, words and files
			case "Coding":
				c := item.(map[string]any)
				if c["code"] != nil {
					out[fmt.Sprint(here, " ", c["system"], "|", c["code"])]++
				}
				continue
			case "Quantity", "Money", "Duration", "Count":
				q := item.(map[string]any)
				out[fmt.Sprint(here, " ", q["value"], q["comparator"], q["unit"], q["system"], q["code"], q["currency"])]++
				continue
			case "code", "boolean", "integer", "positiveInt", "unsignedInt", "decimal":
				out[fmt.Sprint(here, " ", item)]++
				continue
			}
			if strings.HasSuffix(here, "Patient.contact") || strings.HasSuffix(here, "Location.position") {
				continue
			}
			clinical(out, here, item, e.Type)
		}
	}
}

var refIn = regexp.MustCompile(`"reference":\s*"([^"#][^"]*)"`)

// sameData compares what came in with what came out, resource by resource.
func sameData(t *testing.T, file string, in, out []byte) {
	t.Helper()
	before, after := decode(t, in), decode(t, out)
	typ, _ := before["resourceType"].(string)
	d, _ := spec.Lookup(typ)
	want, got := map[string]int{}, map[string]int{}
	clinical(want, typ, before, d)
	clinical(got, typ, after, d)
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%s: %s: got %d, want %d", file, k, got[k], n)
		}
	}
}

// edges are a file's references: from which resource to which, by how often.
func edges(resources [][]byte, name func(ref string) string) map[string]int {
	out := map[string]int{}
	for i, r := range resources {
		for _, m := range refIn.FindAllSubmatch(r, -1) {
			out[fmt.Sprint(i, " ", name(string(m[1])))]++
		}
	}
	return out
}

// leaks says which of the words come out. Words that are a code, a number or a
// word of R4 somewhere would turn up by chance: only those of six and more count.
func leaks(t *testing.T, file string, words map[string]bool, out []byte) {
	t.Helper()
	const start = 6
	byStart := map[[start]byte][]string{}
	for w := range words {
		if len(w) < start || w == "http://hl7.org/fhir" { // whose telecom that is, is no secret
			continue
		}
		quoted, _ := json.Marshal(w)
		w = string(quoted[1 : len(quoted)-1])
		byStart[[start]byte([]byte(w))] = append(byStart[[start]byte([]byte(w))], w)
	}
	letter := func(i int) bool {
		return i >= 0 && i < len(out) && (isDigit(out[i]) || out[i]|0x20 >= 'a' && out[i]|0x20 <= 'z')
	}
	n := 0
	for at := 0; at+start <= len(out); at++ {
		for _, w := range byStart[[start]byte(out[at:at+start])] {
			if bytes.HasPrefix(out[at:], []byte(w)) && !letter(at-1) && !letter(at+len(w)) {
				if n++; n < 10 {
					t.Errorf("%s: a value survives: ...%s", file, out[max(0, at-80):min(len(out), at+len(w)+10)])
				}
			}
		}
	}
	t.Logf("%s: %d identifying values, %d survive, %d kB", file, len(words), n, len(out)>>10)
}

// TestSafeHarborSynthea: whole transaction Bundles. Nobody's identity comes out,
// and all codes, quantities and references do.
func TestSafeHarborSynthea(t *testing.T) {
	files := data(t, "synthea-r4-smart")
	if testing.Short() || raceEnabled {
		files = files[:2]
	}
	m := under(t, deid.SafeHarborProfile)
	for _, path := range files {
		file := filepath.Base(path)
		raw, err := os.ReadFile(path)
		must(t, err)
		f := NewFiles(m, nil)
		var out bytes.Buffer
		must(t, f.JSON(&out, bytes.NewReader(raw)))
		strictly(t, out.Bytes())
		before, after := entries(t, raw), entries(t, out.Bytes())
		if len(before) != len(after) {
			t.Fatalf("%s: %d entries came out of %d", file, len(after), len(before))
		}
		words := map[string]bool{}
		for i := range before {
			v := decode(t, before[i])
			typ, _ := v["resourceType"].(string)
			if typ == "Patient" || typ == "Practitioner" || typ == "Organization" || i < 40 || i%7 == 0 {
				identity(words, typ, v)
			}
			sameData(t, file, before[i], after[i])
			check(t, typ, after[i], false)
			valid(t, file, after[i])
		}
		leaks(t, file, words, out.Bytes())
		sameGraph(t, file, before, after)
	}
}

// sameGraph: the references that come out are those that went in, under other names.
func sameGraph(t *testing.T, file string, before, after [][]byte) {
	t.Helper()
	names := map[string]string{}
	for i := range before {
		a, b := refIn.FindAllSubmatch(before[i], -1), refIn.FindAllSubmatch(after[i], -1)
		if len(a) != len(b) {
			t.Errorf("%s: entry %d had %d references and has %d", file, i, len(a), len(b))
			continue
		}
		for k := range a {
			if old, ok := names[string(a[k][1])]; ok && old != string(b[k][1]) {
				t.Errorf("%s: one target has two names", file)
			}
			names[string(a[k][1])] = string(b[k][1])
		}
	}
	back := map[string]bool{}
	for _, to := range names {
		if back[to] {
			t.Errorf("%s: two targets have one name", file)
		}
		back[to] = true
	}
	want := edges(before, func(s string) string { return names[s] })
	got := edges(after, func(s string) string { return s })
	if len(want) != len(got) {
		t.Errorf("%s: %d edges, want %d", file, len(got), len(want))
	}
}

func entries(t *testing.T, bundle []byte) (out [][]byte) {
	t.Helper()
	var v struct {
		Entry []struct {
			FullURL  string
			Resource jsontext.Value
		}
	}
	must(t, json.Unmarshal(bundle, &v))
	for _, e := range v.Entry {
		out = append(out, e.Resource)
	}
	return out
}

// valid checks the output by R4's definitions down to each primitive's form.
func valid(t *testing.T, file string, raw []byte) {
	t.Helper()
	v := decode(t, raw)
	typ, _ := v["resourceType"].(string)
	d, ok := spec.Lookup(typ)
	if !ok {
		t.Fatalf("%s: %q is no type", file, typ)
	}
	primitives(t, file, typ, v, d)
}

func primitives(t *testing.T, file, path string, v map[string]any, d *spec.Type) {
	t.Helper()
	for name, value := range v {
		if name == "resourceType" || name[0] == '_' {
			continue
		}
		e, ok := d.Field(name)
		if !ok {
			t.Errorf("%s: %s.%s is not in R4", file, path, name)
			continue
		}
		items, isList := value.([]any)
		if isList != e.List {
			t.Errorf("%s: %s.%s: a list is %v", file, path, name, isList)
		}
		if !isList {
			items = []any{value}
		}
		for _, item := range items {
			if e.Type.Kind != spec.Primitive {
				object, ok := item.(map[string]any)
				if !ok || len(object) == 0 {
					t.Errorf("%s: %s.%s is no object, or an empty one", file, path, name)
					continue
				}
				inner := e.Type
				if e.Type.Name == "Resource" {
					name, _ := object["resourceType"].(string)
					inner, _ = spec.Lookup(name)
				}
				primitives(t, file, path+"."+name, object, inner)
				continue
			}
			s := fmt.Sprint(item)
			_, quoted := item.(string)
			bare := slices.Contains([]string{"boolean", "integer", "positiveInt", "unsignedInt", "decimal"}, e.Type.Name)
			if kind := e.Type.Name; !strings.Contains(kind, "fhirpath") && (quoted == bare || !spec.Valid(kind, s) && kind != "string") {
				t.Errorf("%s: %s.%s is no %s: %q", file, path, name, kind, s)
			}
		}
	}
}

// TestSafeHarborBulk: bulk NDJSON, its conditional references found by an Index.
func TestSafeHarborBulk(t *testing.T) {
	index := NewIndex(100_000)
	files := slices.DeleteFunc(data(t, "synthea-bulk-10"), func(f string) bool { return filepath.Base(f) == "log.ndjson" })
	words := map[string]bool{}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		must(t, err)
		for line := range bytes.Lines(raw) {
			index.Add(line)
			if base := filepath.Base(path); strings.HasPrefix(base, "Pa") || strings.HasPrefix(base, "Pr") || strings.HasPrefix(base, "Or") {
				v := decode(t, line)
				identity(words, v["resourceType"].(string), v)
			}
		}
	}
	for _, profile := range []string{deid.SafeHarborProfile, "notes"} {
		m := under(t, profile, func(o *Options) { o.Targets, o.Records = index, recordOf{} })
		f := NewFiles(m, nil)
		for _, path := range files {
			file := filepath.Base(path)
			raw, err := os.ReadFile(path)
			must(t, err)
			var out bytes.Buffer
			must(t, f.NDJSON(&out, bytes.NewReader(raw)))
			before, after := bytes.Split(bytes.TrimSpace(raw), []byte("\n")), bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
			if len(before) != len(after) {
				t.Fatalf("%s: %d lines came out of %d", file, len(after), len(before))
			}
			for i := range before {
				if i%20 != 0 && (testing.Short() || raceEnabled) {
					continue
				}
				sameData(t, file, before[i], after[i])
				valid(t, file, after[i])
			}
			if profile == deid.SafeHarborProfile {
				leaks(t, file, words, out.Bytes())
			}
			sameGraph(t, file, before, after)
		}
		got := f.Manifest()
		text, err := json.MarshalIndent(got, "", " ")
		must(t, err)
		t.Logf("%s", text)
		if got.Patients < 10 || got.BytesIn == 0 || got.Released["DocumentReference"] != 1215 || (got.Scrubbed > 0) != (profile == "notes") {
			t.Errorf("the manifest says otherwise: %s", text)
		}
		for w := range words {
			if len(w) > 8 && bytes.Contains(text, []byte(w)) {
				t.Error("the manifest holds a value")
			}
		}
	}
}

// TestSafeHarborExamples: R4's own examples, one for each of 69 types.
func TestSafeHarborExamples(t *testing.T) {
	for _, profile := range []string{deid.SafeHarborProfile, deid.LimitedDataSetProfile, "study", "notes"} {
		m := under(t, profile, func(o *Options) { o.Records = recordOf{} })
		for _, path := range data(t, "fhir-r4-examples") {
			file := filepath.Base(path)
			raw, err := os.ReadFile(path)
			must(t, err)
			var out bytes.Buffer
			withheld := 0
			f := NewFiles(m, func(_ int64, _ Info, err error) error {
				if err != nil {
					withheld++
				}
				return nil
			})
			if err := f.JSON(&out, bytes.NewReader(raw)); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			if withheld > 0 {
				if !bytes.Contains(raw, []byte(`modifierExtension`)) {
					t.Errorf("%s: withheld, and has no modifier extension", file)
				}
				continue
			}
			valid2(t, file, out.Bytes())
			if profile != deid.SafeHarborProfile {
				continue
			}
			v := decode(t, raw)
			words := map[string]bool{}
			identity(words, v["resourceType"].(string), v)
			leaks(t, file, words, out.Bytes())
			if v["resourceType"] != "Bundle" {
				sameData(t, file, raw, out.Bytes())
			}
		}
	}
}

func valid2(t *testing.T, file string, raw []byte) {
	t.Helper()
	strictly(t, raw)
	valid(t, file, raw)
}

// TestFilesSayWhere: an error names the line, or the entry, and quotes nothing.
func TestFilesSayWhere(t *testing.T) {
	f := NewFiles(under(t, deid.SafeHarborProfile, func(o *Options) { o.MaxBytes = 1000 }), nil)
	for in, want := range map[string]string{
		basic + "\n\n{\"resourceType\":\"Ann\"}\n":                                           "line 2",
		basic + "\n" + `{"resourceType":"Basic","id":"Ann"`:                                  "line 2",
		basic + "\r\n" + `{"resourceType":"Basic","id":"` + strings.Repeat("A", 2000) + `"}`: "line 2",
		`{"resourceType":"Basic","modifierExtension":[{"url":"Ann"}]}`:                       "line 1",
	} {
		var out bytes.Buffer
		err := f.NDJSON(&out, strings.NewReader(in))
		if err == nil || problem.From(err).Field != want || strings.Contains(err.Error(), "Ann") {
			t.Errorf("got %v, want it to name %s", err, want)
		}
		if want == "line 2" && bytes.Count(out.Bytes(), []byte("\n")) != 1 {
			t.Errorf("got %q, want the line before it", out.Bytes())
		}
	}
	var out bytes.Buffer
	err := f.JSON(&out, strings.NewReader(`{"resourceType":"Bundle","type":"collection","entry":[{"resource":`+basic+`},{"resource":{"resourceType":"Basic","implicitRules":"Ann"}}]}`))
	if err == nil || problem.From(err).Field != "entry 2" {
		t.Errorf("got %v, want it to name entry 2", err)
	}
	var told []string
	g := NewFiles(under(t, deid.SafeHarborProfile), func(n int64, info Info, err error) error {
		told = append(told, fmt.Sprint(n, info.Outcome, err != nil))
		return nil
	})
	out.Reset()
	must(t, g.NDJSON(&out, strings.NewReader(basic+"\n{\"a\":1}\n"+basic)))
	if got, want := strings.Join(told, ";"), fmt.Sprintf("1 %v false;2 %v true;3 %v false", Released, Withheld, Released); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if m := g.Manifest(); m.Released["Basic"] != 2 || m.Withheld["refused"] != 1 {
		t.Errorf("got %v, %v", m.Released, m.Withheld)
	}
	if err := g.NDJSON(failing{}, strings.NewReader(basic)); err == nil {
		t.Error("a file that cannot be written was written")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// TestBundles tells what becomes of a Bundle's own members and of its frames.
func TestBundles(t *testing.T) {
	const uuid = "urn:uuid:0cbfa8d5-1c2b-4d5e-8f00-112233445566"
	m := under(t, deid.SafeHarborProfile, func(o *Options) { o.Bases = []string{"https://ehr.example/fhir"} })
	made, err := m.FullURL(nil, uuid)
	must(t, err)
	in := `{"id":"b","resourceType":"Bundle","meta":{"lastUpdated":"2020-01-01T00:00:00Z","tag":[{"code":"Ann"}]},"identifier":{"value":"Ann"},"type":"transaction","timestamp":"2020-01-01T00:00:00Z","total":3,
		"link":[{"relation":"self","url":"https://ehr.example/fhir?name=Ann"}],
		"entry":[
		{"fullUrl":"` + uuid + `","resource":{"resourceType":"Patient","id":"p","active":true},"search":{"mode":"match","score":0.50},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=Ann"}},
		{"link":[{"relation":"x","url":"Ann"}],"resource":{"resourceType":"Condition","subject":{"reference":"` + uuid + `"}},"request":{"method":"PUT","url":"Condition/c"}},
		{"resource":{"resourceType":"Bundle","type":"collection","entry":[]}},
		{"request":{"method":"DELETE","url":"Patient?name=Ann"}},
		{"response":{"status":"201 Ann","location":"https://ehr.example/fhir/Patient/p/_history/1","etag":"Ann","lastModified":"2020-01-01T00:00:00Z","outcome":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found","diagnostics":"Ann"}]}}}
		],"signature":{"data":"QW5u"}}`
	want := `{"id":"` + drawnCode("b") + `","resourceType":"Bundle","type":"transaction","total":3,"entry":[` +
		`{"fullUrl":"` + string(made) + `","resource":{"resourceType":"Patient","id":"` + drawnCode("p") + `","active":true},"search":{"mode":"match","score":0.50},"request":{"method":"POST","url":"Patient"}},` +
		`{"resource":{"resourceType":"Condition","subject":{"reference":"` + string(made) + `"}},"request":{"method":"PUT","url":"Condition/` + drawnCode("c") + `"}},` +
		`{"request":{"method":"DELETE","_url":{"extension":[{"url":"` + deid.DataAbsentReason + `","valueCode":"masked"}]}}},` +
		`{"response":{"status":"201","location":"Patient/` + drawnCode("p") + `/_history/1","outcome":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"not-found"}]}}}` +
		`]}` + "\n"
	var out bytes.Buffer
	f := NewFiles(m, nil)
	must(t, f.JSON(&out, strings.NewReader(in)))
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
	// the Patient and the Condition's subject are one, by the UUID
	if got := f.Manifest(); got.Patients != 1 || got.Withheld["not-in-scope"] != 1 {
		t.Errorf("got %d patients, %v", got.Patients, got.Withheld)
	}
}

// TestBundlesKeepTheirReferences: to what a fullUrl names, in each way of naming it.
func TestBundlesKeepTheirReferences(t *testing.T) {
	in := `{"resourceType":"Bundle","type":"searchset","entry":[
		{"fullUrl":"https://a.example/r4/Patient/p","resource":{"resourceType":"Patient","id":"p"}},
		{"fullUrl":"urn:uuid:patient-2","resource":{"resourceType":"Patient","id":"q"}},
		{"resource":{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"https://a.example/r4/Patient/p"}},{"entity":{"reference":"Patient/p"}},{"entity":{"reference":"urn:uuid:patient-2"}},{"entity":{"reference":"https://b.example/r4/Patient/p"}}]}}]}`
	m := under(t, deid.SafeHarborProfile)
	var out bytes.Buffer
	must(t, NewFiles(m, nil).JSON(&out, strings.NewReader(in)))
	full, err := m.FullURL(nil, "urn:uuid:patient-2")
	must(t, err)
	want := `"member":[{"entity":{"reference":"Patient/` + drawnCode("p") + `"}},{"entity":{"reference":"Patient/` + drawnCode("p") + `"}},{"entity":{"reference":"` + string(full) + `"}}]`
	if !strings.Contains(out.String(), want) || !strings.Contains(out.String(), `"fullUrl":"`+string(full)+`"`) || strings.Contains(out.String(), "example") {
		t.Errorf("got %s, want in it %s", out.String(), want)
	}
	if len(m.o.Bases) != 0 {
		t.Error("a Bundle's server is remembered after it")
	}
}
