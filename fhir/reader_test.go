package fhir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/sallyport/sallyport/internal/need"
	"github.com/sallyport/sallyport/problem"
)

// read collects what a Reader yields, as one line an item.
func read(r io.Reader, limits Limits) ([]string, error) {
	return drain(NewReader(r, limits))
}

func readBytes(doc []byte, limits Limits) ([]string, error) {
	var rd Reader
	rd.dec = jsontext.NewDecoder(eof{})
	rd.ResetBytes(doc, limits)
	return drain(&rd)
}

func drain(rd *Reader) ([]string, error) {
	var out []string
	for {
		it, err := rd.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch it.Part {
		case Whole:
			out = append(out, "whole "+it.Type+" "+string(it.Resource.Open()))
		case Field:
			out = append(out, "field "+it.Name+" "+string(it.Raw.Open()))
		case Entry:
			out = append(out, fmt.Sprintf("entry %s %s %d %s %s", it.Type, it.Mode, it.Status, it.FullURL.Open(), it.Resource.Open()))
		}
	}
}

func TestReaderTakesADocumentInAnyOrder(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a single resource":        {`{"resourceType":"Patient","id":"1"}`, `whole Patient {"resourceType":"Patient","id":"1"}`},
		"with its type last":       {` {"id":"1","resourceType":"Patient"} `, `whole Patient {"id":"1","resourceType":"Patient"}`},
		"a List has entries too":   {`{"entry":[{"item":{}}],"resourceType":"List"}`, `whole List {"entry":[{"item":{}}],"resourceType":"List"}`},
		"an escaped name":          {`{"resource\u0054ype":"Patient"}`, `whole Patient {"resource\u0054ype":"Patient"}`},
		"a bundle, type last":      {`{"entry":[{"resource":{"id":"1","resourceType":"Patient"}}],"type":"searchset","resourceType":"Bundle"}`, `entry Patient  0  {"id":"1","resourceType":"Patient"}|field type "searchset"|field resourceType "Bundle"`},
		"an entry in full":         {`{"resourceType":"Bundle","entry":[{"response":{"status":"200 OK"},"search":{"mode":"match"},"resource":{"resourceType":"Patient"},"fullUrl":"http:\/\/a/Patient/1"}]}`, `field resourceType "Bundle"|entry Patient match 200 http://a/Patient/1 {"resourceType":"Patient"}`},
		"an entry with no content": {`{"resourceType":"Bundle","entry":[{"fullUrl":"x"},{}],"total":1.50}`, `field resourceType "Bundle"|entry   0 x |entry   0  |field total 1.50`},
		"a mode that R4 has not":   {`{"resourceType":"Bundle","entry":[{"search":{"mode":"secret"}}]}`, `field resourceType "Bundle"|entry   0  `},
		"no entries":               {`{"resourceType":"Bundle","entry":[]}`, `field resourceType "Bundle"`},
	} {
		for _, src := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
			got, err := read(src, Limits{})
			if mem, err2 := readBytes([]byte(c.in), Limits{}); strings.Join(mem, "|") != c.want || err2 != nil {
				t.Errorf("%s, in memory: got %q, %v", name, mem, err2)
			}
			if err != nil || strings.Join(got, "|") != c.want {
				t.Errorf("%s: got %q, %v\nwant %q", name, strings.Join(got, "|"), err, c.want)
			}
		}
	}
}

func TestReaderRefusesWhatTwoReadersCouldReadDifferently(t *testing.T) {
	big := `{"resourceType":"Patient","id":"` + strings.Repeat("x", 2000) + `"}`
	for name, c := range map[string]struct {
		in   string
		kind problem.Kind
	}{
		"a duplicate name":             {`{"resourceType":"Patient","id":"SECRET","id":"2"}`, problem.Invalid},
		"a duplicate, escaped":         {`{"resourceType":"Patient","SECRET":"1","SECRE\u0054":"2"}`, problem.Invalid},
		"a duplicate deep in an entry": {`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","name":[{"family":"SECRET","family":"2"}]}}]}`, problem.Invalid},
		"a duplicate entry member":     {`{"resourceType":"Bundle","entry":[],"entry":[]}`, problem.Invalid},
		"two types":                    {`{"resourceType":"Bundle","type":"batch","resourceType":"Patient"}`, problem.Invalid},
		"invalid UTF-8":                {"{\"resourceType\":\"Patient\",\"id\":\"SECRET\xff\"}", problem.Invalid},
		"a lone surrogate":             {`{"resourceType":"Patient","id":"\ud800SECRET"}`, problem.Invalid},
		"a raw control character":      {"{\"resourceType\":\"Patient\",\"id\":\"SECRET\x01\"}", problem.Invalid},
		"NaN":                          {`{"resourceType":"Patient","x":NaN}`, problem.Invalid},
		"a leading zero":               {`{"resourceType":"Patient","x":01}`, problem.Invalid},
		"a byte order mark":            {"\ufeff" + `{"resourceType":"Patient"}`, problem.Invalid},
		"two documents":                {`{"resourceType":"Patient"}{"resourceType":"Patient"}`, problem.Invalid},
		"rubbish behind":               {`{"resourceType":"Patient"} SECRET`, problem.Invalid},
		"cut off":                      {`{"resourceType":"Patient","id":"SECRET`, problem.Invalid},
		"a bundle cut off":             {`{"resourceType":"Bundle","entry":[{}`, problem.Invalid},
		"nothing":                      {``, problem.Invalid},
		"an array":                     {`[{"resourceType":"Patient"}]`, problem.Invalid},
		"a string":                     {`"SECRET"`, problem.Invalid},
		"no type":                      {`{"id":"SECRET"}`, problem.Invalid},
		"an unknown type":              {`{"resourceType":"SECRET"}`, problem.Invalid},
		"an abstract type":             {`{"resourceType":"DomainResource"}`, problem.Invalid},
		"an entry that is a string":    {`{"resourceType":"Bundle","entry":["SECRET"]}`, problem.Invalid},
		"an entry list that is none":   {`{"resourceType":"Bundle","entry":{"resource":1}}`, problem.Invalid},
		"a resource that is a number":  {`{"resourceType":"Bundle","entry":[{"resource":1}]}`, problem.Invalid},
		"an entry of no known type":    {`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"SECRET"}}]}`, problem.Invalid},
		"a type that is a number":      {`{"resourceType":1}`, problem.Invalid},
		"a depth bomb":                 {`{"resourceType":"Patient","x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, problem.Invalid},
		"too large":                    {big, problem.TooLarge},
		"an entry too large":           {`{"resourceType":"Bundle","entry":[{"resource":` + big + `}]}`, problem.TooLarge},
		"a field too large":            {`{"resourceType":"Bundle","x":` + big + `}`, problem.TooLarge},
		"a number without end":         {`{"resourceType":"Bundle","total":` + strings.Repeat("9", 5000) + `}`, problem.TooLarge},
	} {
		_, err := read(strings.NewReader(c.in), Limits{Resource: 1500})
		var p *problem.Problem
		if !errors.As(err, &p) || p.Kind != c.kind {
			t.Errorf("%s: got %v, want a problem of kind %s", name, err, c.kind)
			continue
		}
		if _, err := readBytes([]byte(c.in), Limits{Resource: 1500}); !errors.As(err, &p) || p.Kind != c.kind {
			t.Errorf("%s, in memory: got %v, want a problem of kind %s", name, err, c.kind)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if s := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(s, "SECRET") {
				t.Errorf("%s: the error quotes the input: %s", name, s)
			}
		}
	}
}

func TestReaderRepeatsItsErrorAndItsEnd(t *testing.T) {
	rd := NewReader(strings.NewReader(`{"resourceType":"Bundle","x":tru}`), Limits{})
	_, _ = rd.Next()
	_, first := rd.Next()
	_, second := rd.Next()
	if first == nil || first != second {
		t.Errorf("got %v, then %v", first, second)
	}
	rd.Reset(strings.NewReader(`{"resourceType":"Patient"}`), Limits{})
	if it, err := rd.Next(); err != nil || it.Type != "Patient" {
		t.Errorf("after Reset: got %v, %v", it.Type, err)
	}
	for range 2 {
		if _, err := rd.Next(); err != io.EOF {
			t.Errorf("at the end: got %v, want io.EOF", err)
		}
	}
}

func TestReaderTellsABrokenConnectionFromABadDocument(t *testing.T) {
	broken := errors.New("connection reset")
	for _, first := range []string{``, `{"resourceType":"Bundle","entry":[{`, `{"resourceType":"Bundle","entry":[` + strings.Repeat(`{"fullUrl":"x"},`, 1000)} {
		_, err := read(io.MultiReader(strings.NewReader(first), iotest.ErrReader(broken)), Limits{})
		var p *problem.Problem
		if !errors.As(err, &p) || p.Kind != problem.UpstreamFail || !errors.Is(err, broken) {
			t.Errorf("got %v, want an upstream failure caused by the connection", err)
		}
	}
}

func TestItemsDoNotPrint(t *testing.T) {
	rd := NewReader(strings.NewReader(`{"resourceType":"Patient","id":"SECRET"}`), Limits{})
	it, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if s := fmt.Sprintf(verb, it) + fmt.Sprintf(verb, &it); strings.Contains(s, "SECRET") || !strings.Contains(s, "PHI") {
			t.Errorf("%s prints %s", verb, s)
		}
	}
}

func TestLinks(t *testing.T) {
	links := []byte(`[{"relation":"self","url":"http://x/a"},{"url":"http://x/b","relation":"next"},{"relation":"last"}]`)
	if u, ok := LinkTo(links, "next"); !ok || string(u.Open()) != "http://x/b" {
		t.Errorf("next: got %q, %t", u.Open(), ok)
	}
	for _, none := range []string{"previous", "last", ""} {
		if _, ok := LinkTo(links, none); ok {
			t.Errorf("%q: there is none, but one was found", none)
		}
	}
}

// A bundle that never exists as a whole: entries are made as they are read.
type generated struct {
	head, entry, tail []byte
	left              int
	buf               []byte
}

func (g *generated) Read(p []byte) (int, error) {
	for len(g.buf) == 0 {
		switch {
		case g.head != nil:
			g.buf, g.head = g.head, nil
		case g.left > 0:
			g.buf = g.entry
			if g.left--; g.left == 0 {
				g.buf = g.entry[:len(g.entry)-1]
			}
		case g.tail != nil:
			g.buf, g.tail = g.tail, nil
		default:
			return 0, io.EOF
		}
	}
	n := copy(p, g.buf)
	g.buf = g.buf[n:]
	return n, nil
}

const sample = `{"fullUrl":"http://example.org/fhir/Observation/o1","resource":{"resourceType":"Observation","id":"o1","meta":{"versionId":"1","lastUpdated":"2024-02-29T10:00:00Z"},"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory","display":"Laboratory"}]}],"code":{"coding":[{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}],"text":"Glucose"},"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},"effectiveDateTime":"2024-02-29T10:00:00+00:00","issued":"2024-02-29T10:00:00.123+00:00","valueQuantity":{"value":85.40,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}},"search":{"mode":"match"}},`

func TestALongBundleNeedsLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MB")
	}
	entries := 200 << 20 / len(sample)
	for name, g := range map[string]*generated{
		"type first": {head: []byte(`{"resourceType":"Bundle","type":"searchset","entry":[`), entry: []byte(sample), tail: []byte(`]}`), left: entries},
		"type last, which only a bundle can have so late": {head: []byte(`{"entry":[`), entry: []byte(sample), tail: []byte(`],"type":"searchset","resourceType":"Bundle"}`), left: entries / 4},
	} {
		entries := g.left
		var peak uint64
		var m runtime.MemStats
		runtime.GC()
		rd := NewReader(g, Limits{})
		count := 0
		for {
			it, err := rd.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: entry %d: %v", name, count, err)
			}
			if it.Part == Entry {
				if count++; count%20000 == 0 {
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
				}
			}
		}
		if count != entries {
			t.Errorf("%s: %d entries, want %d", name, count, entries)
		}
		t.Logf("%s: %d entries, %d MB read, heap peak %.1f MB", name, count, len(sample)*entries>>20, float64(peak)/(1<<20))
		if peak > 48<<20 {
			t.Errorf("%s: the heap reached %d MB", name, peak>>20)
		}
	}
}

// dataDir finds the sample data, which is not part of the repository.
func dataDir(t testing.TB, name string) string {
	t.Helper()
	return need.DataFile(t, name)
}

func bundleOf(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Bundle","type":"searchset","entry":[`)
	for b.Len() < size {
		b.WriteString(sample)
	}
	b.Truncate(b.Len() - 1)
	b.WriteString(`]}`)
	return b.Bytes()
}

func BenchmarkReader500kB(b *testing.B) {
	doc := bundleOf(500_000)
	rd := NewReader(bytes.NewReader(doc), Limits{})
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		rd.Reset(bytes.NewReader(doc), Limits{})
		for {
			if _, err := rd.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReaderInMemory500kB(b *testing.B) {
	doc := bundleOf(500_000)
	rd := NewReader(nil, Limits{})
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		rd.ResetBytes(doc, Limits{})
		for {
			if _, err := rd.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// The reader's measure: jsontext reading the same document token by token and
// writing it again, and merely checking it.
func BenchmarkJSONTextCopy500kB(b *testing.B) {
	doc := bundleOf(500_000)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		dec, enc := jsontext.NewDecoder(bytes.NewReader(doc)), jsontext.NewEncoder(io.Discard)
		for {
			tok, err := dec.ReadToken()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if err := enc.WriteToken(tok); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkJSONTextCheck500kB(b *testing.B) {
	doc := bundleOf(500_000)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		if _, err := jsontext.NewDecoder(bytes.NewBuffer(doc)).ReadValue(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReader2kB(b *testing.B) {
	doc := []byte(strings.TrimSuffix(strings.TrimPrefix(sample[strings.Index(sample, `{"resourceType`):], ""), `,"search":{"mode":"match"}},`))
	rd := NewReader(bytes.NewReader(doc), Limits{})
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		rd.Reset(bytes.NewReader(doc), Limits{})
		if _, err := rd.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// agree compares the scanner with jsontext on a document that is valid.
func agree(t *testing.T, b []byte) {
	dec := jsontext.NewDecoder(bytes.NewReader(b))
	if dec.PeekKind() != '{' {
		for range Members(b) {
			t.Fatal("what is no object has members")
		}
		return
	}
	_, _ = dec.ReadToken()
	for name, value := range Members(b) {
		tok, err := dec.ReadToken()
		if err != nil || tok.String() != string(name) {
			t.Fatal("the scanner sees another name")
		}
		v, err := dec.ReadValue()
		if err != nil || string(v) != string(value) {
			t.Fatal("the scanner sees another value")
		}
		agree(t, value)
		if v[0] == '[' {
			inner := jsontext.NewDecoder(bytes.NewReader(value))
			_, _ = inner.ReadToken()
			for item := range Items(value) {
				if w, err := inner.ReadValue(); err != nil || string(w) != string(item) {
					t.Fatal("the scanner sees another item")
				}
				agree(t, item)
			}
			if inner.PeekKind() != ']' {
				t.Fatal("the scanner misses an item")
			}
		}
	}
	if dec.PeekKind() != '}' {
		t.Fatal("the scanner misses a member")
	}
}

func FuzzReader(f *testing.F) {
	for _, s := range []string{`{"resourceType":"Patient","id":"1"}`, `{"resourceType":"Bundle","entry":[` + strings.TrimSuffix(sample, ",") + `]}`, `{"entry":[{}],"resourceType":"Bundle"}`, `{"a":"\\\"","resourceType":"Patient"}`, "{", `[`, `"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, err := read(bytes.NewReader(b), Limits{Resource: 1 << 16})
		slow, err2 := read(iotest.OneByteReader(bytes.NewReader(b)), Limits{Resource: 1 << 16})
		if (err == nil) != (err2 == nil) || err == nil && strings.Join(whole, "\n") != strings.Join(slow, "\n") {
			t.Fatalf("the answer depends on how the bytes arrive: %v %v", err, err2)
		}
		mem, err3 := readBytes(b, Limits{Resource: 1 << 16})
		if (err == nil) != (err3 == nil) || err == nil && strings.Join(whole, "\n") != strings.Join(mem, "\n") {
			t.Fatalf("in memory it is read differently: %v %v", err, err3)
		}
		if err == nil && Check(b, Limits{}) != nil {
			t.Fatal("the reader accepts what is not valid")
		}
		for n, v := range Members(b) { // bounds-safe on anything
			_, _ = n, v
			for range Items(v) {
			}
		}
		if Check(b, Limits{}) == nil {
			agree(t, b)
		}
	})
}
