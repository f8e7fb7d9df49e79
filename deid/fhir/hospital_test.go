package fhir

import (
	"bytes"
	"testing"

	"github.com/sallyport/sallyport/deid"
	"github.com/sallyport/sallyport/hospital"
)

// TestHospital: a hospital whose every identifying element holds a canary,
// planted by people who did not write the rulings. Under a scope that covers all
// of every type, without leave for direct identifiers, none comes out: not as
// it is, nor inside base64.
func TestHospital(t *testing.T) {
	records := hospital.GenerateCanaries(7, 4)
	m := minimiser(t, everything())
	w := NewWriter(m)
	released := map[string]int{}
	for r := range records.All() {
		info, err := w.Line(r.JSON)
		if err != nil {
			t.Fatalf("%s: %v", r.Type, err)
		}
		if info.Outcome == Released {
			released[r.Type]++
		}
	}
	out := w.Take().Data().Open()
	canaries := records.Canaries()
	if len(canaries) < 100 || len(released) < 8 {
		t.Fatalf("%d canaries and %d types: the hospital is too small to say anything", len(canaries), len(released))
	}
	told := 0
	for _, c := range canaries {
		found := bytes.Contains(out, []byte(c.Value))
		for _, b := range c.Base64() {
			found = found || len(b) > 8 && bytes.Contains(out, []byte(b))
		}
		if found {
			if told++; told <= 20 {
				t.Errorf("%s (%s) survives", c.Path, c.Kind)
			}
		}
	}
	t.Logf("%d canaries in %d types; none of them in %d kB", len(canaries), len(released), len(out)>>10)
}

// TestResetForgets: a minimiser that goes to another engagement gives its codes.
func TestResetForgets(t *testing.T) {
	m := minimiser(t, see("Basic", "code", "subject"))
	in := []byte(`{"resourceType":"Basic","id":"p1","code":{"coding":[{"code":"x"}]},"subject":{"reference":"Patient/p1"}}`)
	one, _, err := m.Append(nil, in)
	must(t, err)
	must(t, m.Reset(prefixed("other-")))
	two, _, err := m.Append(nil, in)
	must(t, err)
	if bytes.Contains(two, []byte(codeOf("p1"))) || bytes.Count(two, []byte("other-p1")) != 2 {
		t.Errorf("after the first engagement's %s, the second got %s", one, two)
	}
	if err := m.Reset(nil); err == nil {
		t.Error("a minimiser was reset to no codes")
	}
	if _, info, err := m.Append(nil, in); err == nil || info.Outcome != Withheld {
		t.Errorf("a minimiser without codes: got %v, %v, want nothing", info.Outcome, err)
	}
}

type prefixed string

func (p prefixed) Code(id string) (string, error) { return string(p) + id, nil }

var _ deid.Codes = prefixed("")
