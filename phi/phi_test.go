package phi

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "ZZCANARY Larkspur 1967-10-03"

// holder is what a careless caller might print: Data inside other things.
type holder struct {
	Name string
	D    Data
	P    *Data
	M    map[string]Data
	S    []Data
	any  any
}

func careless() holder {
	d := New([]byte(canary))
	return holder{Name: "x", D: d, P: &d, M: map[string]Data{"k": d}, S: []Data{d}, any: d}
}

// spellings are the forms in which the canary could come out.
func leaks(out string) bool {
	for _, s := range []string{canary, "ZZCANARY", fmt.Sprintf("%x", canary), fmt.Sprint([]byte(canary)), "90 90 67"} {
		if strings.Contains(out, s) {
			return true
		}
	}
	return false
}

func TestDataDoesNotPrint(t *testing.T) {
	h := careless()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%t", "%08b"} {
		for _, v := range []any{h, &h, h.D, h.P, h.S, h.M, []any{h.D}} {
			if out := fmt.Sprintf(verb, v); leaks(out) {
				t.Errorf("%s of %T prints it: %s", verb, v, out)
			}
		}
	}
	if got, want := fmt.Sprint(h.D), "[PHI]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestDataDoesNotLog(t *testing.T) {
	var out bytes.Buffer
	h := careless()
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("it", "data", h.D, "pointer", h.P, "inside", h, "list", h.S)
	}
	if leaks(out.String()) {
		t.Errorf("it is in the log: %s", out.String())
	}
}

func TestDataDoesNotMarshal(t *testing.T) {
	d := New([]byte(canary))
	if out, err := json.Marshal(d); err == nil || leaks(string(out)) {
		t.Errorf("json: got %s, %v; want an error", out, err)
	}
	if out, err := xml.Marshal(struct{ D Data }{d}); err == nil || leaks(string(out)) {
		t.Errorf("xml: got %s, %v; want an error", out, err)
	}
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(d); err == nil || leaks(out.String()) {
		t.Errorf("gob: got %q, %v; want an error", out.String(), err)
	}
	if _, err := d.MarshalText(); err == nil {
		t.Error("text: got no error")
	}
	if _, err := d.MarshalBinary(); err == nil {
		t.Error("binary: got no error")
	}
}

func TestOpenIsTheOneWayIn(t *testing.T) {
	d := New([]byte(canary))
	if got := string(d.Open()); got != canary {
		t.Errorf("got %q, want %q", got, canary)
	}
	if got := d.Len(); got != len(canary) {
		t.Errorf("length: got %d, want %d", got, len(canary))
	}
	var zero Data
	if zero.Open() != nil || zero.Len() != 0 {
		t.Error("the zero Data holds something")
	}
}
