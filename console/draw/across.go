package draw

import (
	"fmt"
	"html/template"
)

// Lying is a bar that lies, with its label at the left and its number at the right.
type Lying struct {
	Label string
	Value string // as people read it
	N     uint64
	Class string // "good", "bad", ...
	Href  string // where it leads; empty: nowhere
}

// Across draws bars that lie, the longest as long as there is room.
func Across(id, title, desc string, w int, rows []Lying) template.HTML {
	const label, value, height = 180.0, 100.0, 26.0
	c := New(id, w, int(height)*max(len(rows), 1)+4, title, desc)
	var most uint64 = 1
	for _, r := range rows {
		most = max(most, r.N)
	}
	room := float64(w) - label - value
	for i, r := range rows {
		y := 2 + height*float64(i)
		if r.Href != "" {
			c.Link(r.Href, r.Label+": "+r.Value)
		}
		c.Text(label-8, y+17, "end", "", cut(r.Label, 22))
		long := room * float64(r.N) / float64(most)
		if r.N > 0 {
			long = max(long, 2)
		}
		c.Tip(label, y+5, long, height-10, r.Class, fmt.Sprintf("%s: %s", r.Label, r.Value))
		c.Text(label+long+6, y+17, "start", "strong", r.Value)
		if r.Href != "" {
			c.End()
		}
	}
	return c.SVG()
}

// cut is the beginning of a label that is too long.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
