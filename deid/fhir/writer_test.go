package fhir

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/sallyport/sallyport/deid"
)

const basic = `{"resourceType":"Basic","id":"1","code":{"coding":[{"code":"x"}]}}`
const hidden = `{"resourceType":"Patient","id":"ann"}`

func writer(t *testing.T) *Writer {
	t.Helper()
	return NewWriter(minimiser(t, see("Basic", "code", "subject"), func(o *Options) {
		o.Bases, o.Public = []string{"https://ehr.example/r4"}, "https://door.example/r4"
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnswerIsOneRelease: a searchset, with what it says of itself.
func TestAnswerIsOneRelease(t *testing.T) {
	w := writer(t)
	must(t, w.OpenBundle(Head{Type: "searchset", Total: 2}))
	info, err := w.Entry(Entry{FullURL: "https://ehr.example/r4/Basic/1", Mode: "match"}, []byte(basic))
	if must(t, err); info.Outcome != Released {
		t.Fatal(info)
	}
	w.Patient("p2")
	if info, err = w.Entry(Entry{FullURL: "https://ehr.example/r4/Patient/ann", Mode: "include"}, []byte(hidden)); err != nil || info.Outcome != NotInScope {
		t.Fatal(info, err)
	}
	if _, err = w.Entry(Entry{Mode: "match"}, []byte(`{"resourceType":"Basic","implicitRules":"x"}`)); err == nil {
		t.Fatal("a resource with implicit rules was written")
	}
	if _, err = w.Entry(Entry{FullURL: "https://other.example/1"}, []byte(basic)); err != nil {
		t.Fatal(err)
	}
	w.Patient("p1")
	w.Patient("p1")
	w.Patient("p2")
	must(t, w.OpenEntry(Entry{Mode: "outcome"}))
	must(t, w.Outcome([]byte(`{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"timeout","diagnostics":"Ann"}]}`)))
	must(t, w.CloseEntry())
	must(t, w.CloseBundle(Link{"self", "https://door.example/r4/Basic?_page=a\"b"}))
	r := w.Take()
	id := codeOf("1")
	resource := `{"resourceType":"Basic","id":"` + id + `","code":{"coding":[{"code":"x"}]}}`
	want := `{"resourceType":"Bundle","type":"searchset","total":2,"entry":[` +
		`{"fullUrl":"https://door.example/r4/Basic/` + id + `","search":{"mode":"match"},"resource":` + resource + `},` +
		`{"resource":` + resource + `},` +
		`{"search":{"mode":"outcome"},"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"timeout"}]}}],` +
		`"link":[{"relation":"self","url":"https://door.example/r4/Basic?_page=a\"b"}]}`
	if got := string(r.Data().Open()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	strictly(t, r.Data().Open())
	if !r.Valid() || r.Digest() != sha256.Sum256([]byte(want)) || r.Len() != len(want) {
		t.Error("the release is not of these bytes")
	}
	if got, want := r.Counts(), []deid.Count{{Type: "Basic", N: 2}, {Type: "OperationOutcome", N: 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("counts: got %v, want %v", got, want)
	}
	if got := r.Tally()[deid.Pseudonymised]; got != 2 {
		t.Errorf("pseudonymised: got %d, want 2", got)
	}
	var ids []string
	r.Patients().Each(func(id string) { ids = append(ids, id) })
	if want := []string{"p1", "p2"}; !reflect.DeepEqual(ids, want) || r.Patients().Len() != 2 {
		t.Errorf("patients: got %v, want %v", ids, want)
	}
}

// TestReleaseDoesNotPrint: neither its bytes nor whose they are.
func TestReleaseDoesNotPrint(t *testing.T) {
	w := writer(t)
	_, err := w.Resource([]byte(`{"resourceType":"Basic","code":{"coding":[{"display":"CANARY"}]}}`))
	must(t, err)
	w.Patient("CANARY")
	r := w.Take()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, v := range []any{r, &r, r.Patients(), r.Data()} {
			if got := fmt.Sprintf(verb, v); bytes.Contains([]byte(got), []byte("CANARY")) || bytes.Contains([]byte(got), []byte("43414e415259")) {
				t.Errorf("%s of %T prints it: %s", verb, v, got)
			}
		}
	}
	//lint:ignore SA9005 that nothing of it is written is what is tested
	if b, err := json.Marshal(r); bytes.Contains(b, []byte("CANARY")) {
		t.Errorf("it marshals: %s, %v", b, err)
	}
	var none deid.Release
	if none.Valid() || none.Len() != 0 || none.Patients().Len() != 0 {
		t.Error("the zero Release is something")
	}
}

// TestChunks: an answer in several releases is the same bytes.
func TestChunks(t *testing.T) {
	whole, parts := writer(t), writer(t)
	var got []byte
	take := func() {
		r := parts.Take()
		got = append(got, r.Data().Open()...)
	}
	for _, w := range []*Writer{whole, parts} {
		must(t, w.OpenBundle(Head{Type: "searchset", Total: -1}))
		for range 5 {
			_, err := w.Entry(Entry{Mode: "match"}, []byte(basic))
			must(t, err)
			if w == parts {
				take()
			}
		}
		must(t, w.CloseBundle())
	}
	take()
	want := whole.Take()
	if string(got) != string(want.Data().Open()) {
		t.Errorf("got  %s\nwant %s", got, want.Data().Open())
	}
	strictly(t, got)
}

// TestBatch: a batch-response whose entries hold a resource, a Bundle, an outcome, nothing.
func TestBatch(t *testing.T) {
	w := writer(t)
	must(t, w.OpenBundle(Head{Type: "batch-response", Total: -1}))
	must(t, w.OpenEntry(Entry{Status: 200}))
	_, err := w.Resource([]byte(basic))
	must(t, err)
	if _, err := w.Resource([]byte(basic)); err == nil {
		t.Error("a second resource in one entry")
	}
	must(t, w.CloseEntry())
	must(t, w.OpenEntry(Entry{Status: 200}))
	must(t, w.OpenBundle(Head{Type: "searchset", Total: 0}))
	_, err = w.Entry(Entry{Mode: "match"}, []byte(basic))
	must(t, err)
	must(t, w.CloseBundle())
	must(t, w.CloseEntry())
	must(t, w.OpenEntry(Entry{Status: 404}))
	must(t, w.CloseEntry())
	must(t, w.CloseBundle())
	out := w.Take().Data().Open()
	strictly(t, out)
	if got := bytes.Count(out, []byte(`"resourceType":"Basic"`)); got != 2 {
		t.Errorf("got %d resources in %s, want 2", got, out)
	}
}

// TestOrder: an answer cannot be put together in the wrong order.
func TestOrder(t *testing.T) {
	open := func(w *Writer) { _ = w.OpenBundle(Head{Type: "searchset"}) }
	resource := func(w *Writer) error { _, err := w.Resource([]byte(basic)); return err }
	cases := map[string]func(w *Writer) error{
		"two resources":              func(w *Writer) error { _ = resource(w); return resource(w) },
		"two resources, one taken":   func(w *Writer) error { _ = resource(w); w.Take(); return resource(w) },
		"a Bundle after a resource":  func(w *Writer) error { _ = resource(w); return w.OpenBundle(Head{Type: "searchset"}) },
		"a line after a resource":    func(w *Writer) error { _ = resource(w); _, err := w.Line([]byte(basic)); return err },
		"a resource after a line":    func(w *Writer) error { _, _ = w.Line([]byte(basic)); return resource(w) },
		"a resource in a Bundle":     func(w *Writer) error { open(w); return resource(w) },
		"a Bundle in a Bundle":       func(w *Writer) error { open(w); return w.OpenBundle(Head{Type: "searchset"}) },
		"a line in a Bundle":         func(w *Writer) error { open(w); _, err := w.Line([]byte(basic)); return err },
		"an outcome in a Bundle":     func(w *Writer) error { open(w); return w.Outcome(nil) },
		"an entry alone":             func(w *Writer) error { _, err := w.Entry(Entry{}, []byte(basic)); return err },
		"an open entry alone":        func(w *Writer) error { return w.OpenEntry(Entry{}) },
		"closing what is not open":   func(w *Writer) error { return w.CloseBundle() },
		"closing no entry":           func(w *Writer) error { open(w); return w.CloseEntry() },
		"a transaction":              func(w *Writer) error { return w.OpenBundle(Head{Type: "transaction"}) },
		"a mode that R4 has not":     func(w *Writer) error { open(w); _, err := w.Entry(Entry{Mode: `x"`}, []byte(basic)); return err },
		"a status that HTTP has not": func(w *Writer) error { open(w); return w.OpenEntry(Entry{Status: 7}) },
	}
	for name, f := range cases {
		w := writer(t)
		if err := f(w); err == nil {
			t.Errorf("%s: it was written: %s", name, w.Take().Data().Open())
		}
	}
}
