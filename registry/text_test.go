package registry_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"strconv"
	"testing"

	"github.com/sallyport/sallyport/registry"
)

// marks are what a text may hold nowhere: what acts on the terminal of who lists it, and
// what turns around the id beside it.
var marks = []string{"\x1b[2J", "\u009b2J", "\u202e"}

// takesNoMarks wants that no text of the act may hold one.
func (w *world) takesNoMarks(a registry.Act) {
	w.t.Helper()
	for _, mark := range marks {
		for field, b := range withMark(w.t, a, mark) {
			if err := registry.Check(w.view, registry.Actor{Person: "grace"}, b, w.now); err == nil {
				w.t.Errorf("%s takes %q", field, mark)
			}
		}
	}
}

// withMark is the act once for each of its texts, with the mark in that one.
func withMark(t *testing.T, a registry.Act, mark string) iter.Seq2[string, registry.Act] {
	t.Helper()
	spec, _ := registry.SpecOf(a)
	raw, err := registry.Encode(a)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	return func(yield func(string, registry.Act) bool) {
		var each func(field string, v any, set func(any)) bool
		each = func(field string, v any, set func(any)) bool {
			switch v := v.(type) {
			case string:
				set(v + mark)
				defer set(v)
				raw, err := json.Marshal(fields)
				if err != nil {
					t.Fatal(err)
				}
				b, err := registry.Decode(spec.Name, raw)
				return err != nil || yield(field, b) // what is no time, say, cannot be read
			case []any:
				for i, x := range v {
					if !each(field+"."+strconv.Itoa(i), x, func(y any) { v[i] = y }) {
						return false
					}
				}
			case map[string]any:
				for k, x := range v {
					if !each(fmt.Sprintf("%s.%s", field, k), x, func(y any) { v[k] = y }) {
						return false
					}
				}
			}
			return true
		}
		each(string(spec.Name), fields, func(any) {})
	}
}
