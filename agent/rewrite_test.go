package agent

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

const (
	remote = "https://gw.example:8443/fhir/ehr"
	local  = "http://127.0.0.1:8090/fhir"
)

func rewritten(t testing.TB, in string, wrap func(io.Reader) io.Reader) string {
	t.Helper()
	out, err := io.ReadAll(newLinkReader(wrap(strings.NewReader(in)), remote, local))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func plainReader(r io.Reader) io.Reader { return r }

func TestOnlyLinksIntoTheBaseAreRewritten(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"a page", `{"link":[{"relation":"next","url":"` + remote + `?page=x"}]}`, `{"link":[{"relation":"next","url":"` + local + `?page=x"}]}`},
		{"an entry", `{"fullUrl":"` + remote + `/Patient/1"}`, `{"fullUrl":"` + local + `/Patient/1"}`},
		{"the base itself", `{"url":"` + remote + `"}`, `{"url":"` + local + `"}`},
		{"a fragment", `["` + remote + `#x"]`, `["` + local + `#x"]`},
		{"a longer name", `["` + remote + `-two/Patient/1"]`, `["` + remote + `-two/Patient/1"]`},
		{"another server", `["https://gw.example/fhir/ehr/Patient/1"]`, `["https://gw.example/fhir/ehr/Patient/1"]`},
		{"inside a text", `{"div":"see ` + remote + `/Patient/1"}`, `{"div":"see ` + remote + `/Patient/1"}`},
		{"after an escaped quote", `{"div":"<a href=\"` + remote + `/Patient/1\">"}`, `{"div":"<a href=\"` + remote + `/Patient/1\">"}`},
		{"escaped backslash before the end", `{"a":"\\","b":"` + remote + `/X"}`, `{"a":"\\","b":"` + local + `/X"}`},
		{"cut off inside a link", `{"a":"` + remote[:20], `{"a":"` + remote[:20]},
		{"cut off after the base", `{"a":"` + remote, `{"a":"` + remote},
		{"numbers stay as they are", `{"value":1.50e0, "x" :  [ ] }`, `{"value":1.50e0, "x" :  [ ] }`},
		{"an empty string", `[""]`, `[""]`},
		{"nothing", ``, ``},
	} {
		for how, wrap := range map[string]func(io.Reader) io.Reader{"whole": plainReader, "by bytes": iotest.OneByteReader, "by halves": iotest.HalfReader} {
			if got := rewritten(t, tc.in, wrap); got != tc.want {
				t.Errorf("%s, %s: got %s, want %s", tc.name, how, got, tc.want)
			}
		}
	}
}

// A body that breaks off does not end as if it were whole.
func TestABrokenBodyStaysBroken(t *testing.T) {
	broken := errors.New("broken")
	src := io.MultiReader(strings.NewReader(`{"a":"`+remote), iotest.ErrReader(broken))
	got, err := io.ReadAll(newLinkReader(src, remote, local))
	if !errors.Is(err, broken) || string(got) != `{"a":"`+remote {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestQueries(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"_count=2&name=A%20B": "_count=2&name=A%20B",
		"subject=http%3A%2F%2F127.0.0.1%3A8090%2Ffhir%2FPatient%2F1&x": "subject=https%3A%2F%2Fgw.example%3A8443%2Ffhir%2Fehr%2FPatient%2F1&x",
		"subject=http://127.0.0.1:8090/fhir/Patient/1":                 "subject=https%3A%2F%2Fgw.example%3A8443%2Ffhir%2Fehr%2FPatient%2F1",
		"subject=http://127.0.0.1:8090/fhirx/Patient/1":                "subject=http://127.0.0.1:8090/fhirx/Patient/1",
		"a=%zz": "a=%zz",
	} {
		if got := rewriteQuery(in, local, remote); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// However the text is cut into reads, the same comes out; and what holds no link
// stays as it is, byte for byte.
func FuzzLinks(f *testing.F) {
	f.Add([]byte(`{"url":"`+remote+`/Patient?x=\"y"}`), uint8(1))
	f.Add([]byte(`"\`), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		whole := rewritten(t, string(in), plainReader)
		parts, err := io.ReadAll(newLinkReader(&stepReader{in, int(step%7) + 1}, remote, local))
		if err != nil || string(parts) != whole {
			t.Fatalf("by %d bytes: got %q, %v, want %q", step%7+1, parts, err, whole)
		}
		if !bytes.Contains(in, []byte(remote)) && whole != string(in) {
			t.Fatalf("without a link: got %q, want %q", whole, in)
		}
		if n, m := strings.Count(string(in), remote), strings.Count(whole, local)-strings.Count(string(in), local); m > n {
			t.Fatalf("%d links became %d", n, m)
		}
	})
}

type stepReader struct {
	rest []byte
	n    int
}

func (s *stepReader) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.rest[:min(s.n, len(s.rest))])
	s.rest = s.rest[n:]
	return n, nil
}

// The reader beside a plain copy of the same bytes.
func BenchmarkLinks(b *testing.B) {
	var page strings.Builder
	page.WriteString(`{"resourceType":"Bundle","entry":[`)
	for page.Len() < 500_000 {
		page.WriteString(`{"fullUrl":"` + remote + `/Observation/abc","resource":{"resourceType":"Observation","id":"abc","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"}]},"subject":{"reference":"Patient/xyz"},"valueQuantity":{"value":71.5,"unit":"/min"}}},`)
	}
	page.WriteString(`{}]}`)
	text := page.String()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := io.Copy(io.Discard, newLinkReader(strings.NewReader(text), remote, local)); err != nil {
			b.Fatal(err)
		}
	}
}
