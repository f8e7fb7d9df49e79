package console

import (
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/registry"
)

func actScreens() []screen { return nil }

// told is what the visitor has just done, when the address says so: done=ACT, an act of
// their own; and where it is taken back.
func told(v *visit) (done, undo string) {
	key := id.Act(v.URL.Query().Get("done"))
	if key == "" {
		return "", ""
	}
	e, err := v.s.Registry.Act(v.Context(), key)
	if err != nil || e.Actor != v.Person.ID {
		return "", ""
	}
	if spec, ok := registry.Lookup(e.Kind); ok {
		done = spec.Summary
	}
	return done, ""
}
