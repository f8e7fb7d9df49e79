package console

import (
	"testing"
)

// What was refused before it was known for which work is no way that data took.
func TestNoWayLeadsToNoWork(t *testing.T) {
	rows, strange := flowRows(map[way]dayCount{
		{Vendor: "northwind", Engagement: "triage-eval", Source: "ehr"}: {Permitted: 2, Releases: 2, Bytes: 9},
		{Vendor: "clearwater"}: {Refused: 3},
		{}:                     {Refused: 1},
		{Vendor: "lumen", Engagement: "pilot", Source: "ehr"}: {Refused: 4},
	})
	if len(rows) != 2 || strange["clearwater"] != 3 || strange[""] != 1 || len(strange) != 2 {
		t.Errorf("got %d ways and %v, want 2, and 3 of clearwater and 1 of nobody", len(rows), strange)
	}
}
