package fhir

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/fhir/spec"
)

const base = "https://ehr.example.org/fhir"

func facts(t testing.TB, doc string) (Facts, error) {
	t.Helper()
	if err := Check([]byte(doc), Limits{}); err != nil {
		t.Fatalf("the test's document is not valid: %v", err)
	}
	var f Facts
	err := f.Inspect([]byte(doc), base)
	return f, err
}

func TestWhoseAResourceIs(t *testing.T) {
	for name, c := range map[string]struct {
		doc        string
		patients   string
		unresolved int
	}{
		"a patient is its own":                  {`{"resourceType":"Patient","id":"p1"}`, "p1", 0},
		"a linked patient counts":               {`{"link":[{"other":{"reference":"Patient/p2"}}],"id":"p1","resourceType":"Patient"}`, "p1 p2", 0},
		"a patient without an id":               {`{"resourceType":"Patient"}`, "", 1},
		"an observation, type last":             {`{"subject":{"reference":"Patient/p1"},"resourceType":"Observation"}`, "p1", 0},
		"absolute on our base":                  {`{"resourceType":"Observation","subject":{"reference":"` + base + `/Patient/p1/_history/3"}}`, "p1", 0},
		"absolute elsewhere":                    {`{"resourceType":"Observation","subject":{"reference":"https://other.example.org/fhir/Patient/p1"}}`, "", 1},
		"a base that only begins alike":         {`{"resourceType":"Observation","subject":{"reference":"https://ehr.example.org/fhirX/Patient/p1"}}`, "", 1},
		"escaped slashes":                       {`{"resourceType":"Observation","subject":{"reference":"Patient\/p1"}}`, "p1", 0},
		"escaped names":                         {`{"resourceType":"Observation","sub\u006aect":{"referenc\u0065":"Patient/p1"}}`, "p1", 0},
		"a group is no patient":                 {`{"resourceType":"Observation","subject":{"reference":"Group/g"}}`, "", 0},
		"a performer is counted too":            {`{"resourceType":"Observation","subject":{"reference":"Patient/p1"},"performer":[{"reference":"Practitioner/x"},{"reference":"Patient/p2"}]}`, "p1 p2", 0},
		"a display alone":                       {`{"resourceType":"Observation","performer":[{"display":"Dr. No"}]}`, "", 0},
		"an identifier alone":                   {`{"resourceType":"Observation","subject":{"identifier":{"value":"1"}}}`, "", 1},
		"an identifier of a practitioner":       {`{"resourceType":"Observation","performer":[{"type":"Practitioner","identifier":{"value":"1"}}]}`, "", 0},
		"a type that R4 has not":                {`{"resourceType":"Observation","subject":{"type":"Nobody","identifier":{"value":"1"}}}`, "", 1},
		"a urn":                                 {`{"resourceType":"Observation","subject":{"reference":"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}}`, "", 1},
		"conditional":                           {`{"resourceType":"Observation","subject":{"reference":"Patient?identifier=1"}}`, "", 1},
		"conditional, a practitioner":           {`{"resourceType":"Observation","performer":[{"reference":"Practitioner?identifier=1"}]}`, "", 0},
		"not a reference":                       {`{"resourceType":"Observation","subject":{"reference":"patient p1"}}`, "", 1},
		"a literal that lies about its type":    {`{"resourceType":"Observation","subject":{"type":"Practitioner","reference":"Patient/p1"}}`, "p1", 0},
		"nonsense that claims another type":     {`{"resourceType":"Observation","subject":{"type":"Practitioner","reference":"Patient/../1"}}`, "", 1},
		"a number":                              {`{"resourceType":"Observation","subject":{"reference":1}}`, "", 1},
		"a string for a Reference":              {`{"resourceType":"Observation","subject":"Patient/p1"}`, "", 1},
		"a contained patient":                   {`{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"c"}],"subject":{"reference":"#c"}}`, "", 2},
		"a contained practitioner":              {`{"resourceType":"Observation","performer":[{"reference":"#c"}],"contained":[{"resourceType":"Practitioner","id":"c"}]}`, "", 0},
		"contained, but absent":                 {`{"resourceType":"Observation","performer":[{"reference":"#d"}],"contained":[{"resourceType":"Practitioner","id":"c"}]}`, "", 1},
		"a contained resource of another":       {`{"resourceType":"Practitioner","contained":[{"resourceType":"Observation","subject":{"reference":"Patient/p9"}}]}`, "p9", 0},
		"an appointment's participants":         {`{"resourceType":"Appointment","participant":[{"actor":{"reference":"Patient/p1"}},{"actor":{"reference":"Location/l"}},{"actor":{"reference":"Patient/p2"}}]}`, "p1 p2", 0},
		"outside the compartment, but about":    {`{"resourceType":"Device","patient":{"reference":"Patient/p1"}}`, "p1", 0},
		"a task":                                {`{"resourceType":"Task","for":{"reference":"Patient/p1"}}`, "p1", 0},
		"a contract's inner term":               {`{"resourceType":"Contract","term":[{"group":[{"group":[{"offer":{"party":[{"reference":[{"reference":"Patient/p3"}]}]}}]}]}]}`, "p3", 0},
		"a bundle in a bundle":                  {`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"p4"}}]}}]}`, "p4", 0},
		"parameters":                            {`{"resourceType":"Parameters","parameter":[{"part":[{"resource":{"resourceType":"Patient","id":"p5"}}]}]}`, "p5", 0},
		"nobody's":                              {`{"resourceType":"Organization","id":"o"}`, "", 0},
		"an extension's reference is not whose": {`{"resourceType":"Organization","extension":[{"url":"x","valueReference":{"reference":"Patient/p1"}}]}`, "", 0},
	} {
		f, err := facts(t, c.doc)
		if got := strings.Join(f.Patients, " "); err != nil || got != c.patients || f.Unresolved != c.unresolved {
			t.Errorf("%s: got patients %q, %d unresolved, %v; want %q, %d", name, got, f.Unresolved, err, c.patients, c.unresolved)
		}
	}
}

func TestLabelsOfAllThatIsInside(t *testing.T) {
	f, err := facts(t, `{"resourceType":"Observation","meta":{"security":[{"system":"s","code":"42CFRPart2"},{"system":"s","code":"42CFRPart2"},{"display":"secret"}]},
		"contained":[{"resourceType":"Practitioner","meta":{"security":[{"code":"PSY"}]}}]}`)
	if err != nil || fmt.Sprint(f.Labels) != "[{s 42CFRPart2} { PSY}]" || f.Unlabelled != 1 {
		t.Errorf("got %v, %d without a code, %v", f.Labels, f.Unlabelled, err)
	}
	f.Reset()
	if len(f.Labels)+len(f.Patients)+f.Unresolved+f.Unlabelled != 0 {
		t.Error("Reset leaves something")
	}
}

// Time must not grow with the square of what a document made for it holds.
func TestLargeDocumentsAreInspectedInTime(t *testing.T) {
	var group, labels, contained strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&group, `{"entity":{"reference":"Patient/p%d"}},`, i)
		fmt.Fprintf(&labels, `{"system":"s","code":"c%d"},`, i)
		fmt.Fprintf(&contained, `{"reference":"#c%d"},`, i)
	}
	list := func(b *strings.Builder) string { return "[" + strings.TrimSuffix(b.String(), ",") + "]" }
	f, err := facts(t, `{"resourceType":"Group","member":`+list(&group)+`}`)
	if err != nil || len(f.Patients) != 60_000 {
		t.Errorf("a large group: got %d patients, %v", len(f.Patients), err)
	}
	if _, err := facts(t, `{"resourceType":"Patient","id":"1","meta":{"security":`+list(&labels)+`}}`); err == nil {
		t.Error("sixty thousand labels were accepted")
	}
	var held strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&held, `{"resourceType":"Practitioner","id":"c%d"},`, i)
	}
	if f, err = facts(t, `{"resourceType":"Observation","performer":`+list(&contained)+`,"contained":`+list(&held)+`}`); err != nil || f.Unresolved == 0 {
		t.Errorf("too many contained references: got %d unresolved, %v", f.Unresolved, err)
	}
}

func TestInspectRefusesWhatIsNoResource(t *testing.T) {
	deep := strings.Repeat(`{"resourceType":"Bundle","entry":[{"resource":`, 6) + `{"resourceType":"Patient","id":"1"}` + strings.Repeat(`}]}`, 6)
	for _, doc := range []string{`{}`, `[]`, `1`, `{"resourceType":"Nobody"}`, `{"resourceType":"Patient","id":"a b"}`, `{"resourceType":"Patient","id":1}`, deep,
		`{"resourceType":"Patient","contained":[1]}`, `{"resourceType":"Observation","contained":[{"resourceType":"Group","contained":[{"resourceType":"Patient"}]}]}`} {
		if f, err := facts(t, doc); err == nil {
			t.Errorf("%s was accepted: %s", doc, f.Type)
		}
	}
}

func TestReferences(t *testing.T) {
	for s, want := range map[string]Ref{
		"Patient/1":                          {Kind: Literal, Type: "Patient", ID: "1"},
		"Patient/1/_history/2":               {Kind: Literal, Type: "Patient", ID: "1", Version: "2"},
		base + "/Patient/1":                  {Kind: Literal, Base: base, Type: "Patient", ID: "1"},
		"http://other/x/Patient/1":           {Kind: Foreign, Base: "http://other/x", Type: "Patient", ID: "1"},
		"http://other/ValueSet":              {Kind: Foreign, Base: "http://other/ValueSet"},
		"#x":                                 {Kind: Contained, Fragment: "x"},
		"#":                                  {Kind: Contained},
		"urn:oid:1.2.3":                      {Kind: URN, URN: "urn:oid:1.2.3"},
		"Patient?identifier=a|b":             {Kind: Conditional, Type: "Patient", Query: "identifier=a|b"},
		"http://o/a/Patient/1#x":             {Kind: Foreign, Base: "http://o/a", Type: "Patient", ID: "1", Fragment: "x"},
		"":                                   {},
		"Patient":                            {},
		"Patient/":                           {},
		"/Patient/1":                         {},
		"Patient//1":                         {},
		"Patient/1/":                         {},
		"patient/1":                          {},
		"Patient/1/_History/2":               {},
		"Patient/1?x=y":                      {},
		"Patient/a b":                        {},
		"Patient/" + strings.Repeat("a", 65): {},
		"urn:uuid:1":                         {},
		"javascript://x/Patient/1":           {},
		base + "/Patient/../Patient/1":       {},
		"Patient/%31":                        {},
	} {
		got := ParseRef(s, base+"/")
		if got != want {
			t.Errorf("%q: got kind %d %q %q, want kind %d", s, got.Kind, got.Type, got.Base, want.Kind)
		}
		if got.Kind != NotAReference && got.Text() != s {
			t.Errorf("%q is written %q", s, got.Text())
		}
	}
}

// unknown counts what R4 does not define, walking a resource by its type.
func unknown(t *spec.Type, value []byte, path string, report func(path string)) int {
	n := 0
	for object := range Items(value) {
		here := t
		if t.Name == "Resource" || t.Name == "DomainResource" {
			name, err := typeOf(object)
			if err != nil {
				report(path + ": no type")
				continue
			}
			here, _ = spec.Lookup(name)
		}
		for name, v := range Members(object) {
			n++
			if string(name) == "resourceType" && here.Kind == spec.Resource {
				continue
			}
			if e, ok := here.FieldBytes(name); ok {
				if e.List != (v[0] == '[') {
					report(path + "." + string(name) + ": list or not")
				}
				if e.Type.Kind != spec.Primitive {
					n += unknown(e.Type, v, path+"."+string(name), report)
					continue
				}
				for item := range Items(v) {
					s := string(item)
					if q, ok := text(item); ok {
						s = string(q)
					}
					if s != "null" && !spec.Valid(e.Type.Name, s) {
						report(path + "." + string(name) + ": not a " + e.Type.Name)
					}
				}
				continue
			}
			if e, ok := here.Sibling(string(name)); ok {
				element, _ := spec.Lookup("Element")
				for item := range Items(v) {
					if string(item) != "null" {
						n += unknown(element, item, path+"."+e.JSON, report)
					}
				}
				continue
			}
			report(path + "." + string(name) + ": unknown")
		}
	}
	return n
}

// walkAll reads every document of the sample data and every resource in it.
func walkAll(t *testing.T, files []string, report func(file, path string)) (resources, elements int) {
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		docs := [][]byte{b}
		if strings.HasSuffix(file, ".ndjson") {
			docs = nil
			lines := bufio.NewScanner(bytes.NewReader(b))
			lines.Buffer(nil, 8<<20)
			for lines.Scan() {
				docs = append(docs, bytes.Clone(lines.Bytes()))
			}
		}
		for _, doc := range docs {
			rd := NewReader(bytes.NewReader(doc), Limits{})
			for {
				it, err := rd.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", filepath.Base(file), err)
				}
				typ, raw := it.Type, it.Resource.Open()
				if it.Part == Entry {
					typ, raw = "Bundle.entry", it.Raw.Open()
				}
				if it.Part == Field {
					continue
				}
				here, ok := spec.Lookup(typ)
				if !ok {
					t.Fatalf("%s: no type %q", file, typ)
				}
				resources++
				elements += unknown(here, raw, typ, func(path string) { report(file, path) })
				var f Facts
				if err := f.Inspect(it.Resource.Open(), base); err != nil && it.Type != "" {
					report(file, "inspect: "+err.Error())
				}
			}
		}
	}
	return resources, elements
}

func TestEveryElementOfTheSampleDataIsKnown(t *testing.T) {
	for _, c := range []struct{ dir, pattern string }{{"fhir-r4-examples", "*.json"}, {"synthea-r4-smart", "*.json"}, {"synthea-bulk-10", "[A-Z]*.ndjson"}} {
		t.Run(c.dir, func(t *testing.T) {
			files, _ := filepath.Glob(filepath.Join(dataDir(t, c.dir), c.pattern))
			if testing.Short() && len(files) > 80 {
				files = files[:80]
			}
			resources, elements := walkAll(t, files, func(file, path string) { t.Errorf("%s: %s", filepath.Base(file), path) })
			t.Logf("%d files, %d resources or entries, %d elements", len(files), resources, elements)
			if resources == 0 {
				t.Error("nothing was read")
			}
		})
	}
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{"Patient/1", base + "/Patient/1/_history/2", "#a", "urn:oid:1.2", "Patient?a=b", "http://x/y/Patient/1", "a//b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := ParseRef(s, base)
		if r.Kind == NotAReference {
			if r != (Ref{}) {
				t.Fatal("no reference, but something in it")
			}
			return
		}
		if r.ID != "" && (!spec.ValidID(r.ID) || !spec.IsResource(r.Type)) {
			t.Fatal("an id or type that is not one")
		}
		if again := ParseRef(r.Text(), base); again != r {
			t.Fatal("written and read again, it is another")
		}
	})
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Observation","subject":{"reference":"Patient/1"},"contained":[{"resourceType":"Patient"}]}`))
	f.Add([]byte(`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","id":"1"}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var facts Facts
		_ = facts.Inspect(b, base) // must not panic, even on what was not checked
	})
}

func BenchmarkInspect(b *testing.B) {
	doc := []byte(sample[strings.Index(sample, `{"resourceType`):])
	doc = doc[:skip(doc, 0)]
	var f Facts
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		f.Reset()
		if err := f.Inspect(doc, base); err != nil {
			b.Fatal(err)
		}
	}
}
