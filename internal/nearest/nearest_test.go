package nearest

import (
	"strings"
	"testing"
)

func TestName(t *testing.T) {
	names := []string{"vendor", "engagement", "agreement", "grant", "Grants"}
	for _, c := range []struct {
		got   string
		limit int
		want  string
	}{
		{"vender", 3, "vendor"},
		{"VENDOR", 3, "vendor"},
		{"agrement", 3, "agreement"},
		{"grant", 3, "grant"},
		{"grantz", 3, "Grants"}, // as near as grant, and first in order
		{"incident", 3, ""},
		{"incident", 100, "agreement"},
		{"", 3, ""},
		{strings.Repeat("vendor", 20), 1000, ""},
	} {
		if got := Name(c.got, names, c.limit); got != c.want {
			t.Errorf("%.20q within %d: got %q, want %q", c.got, c.limit, got, c.want)
		}
	}
}
