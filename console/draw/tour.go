package draw

import (
	"fmt"
	"html/template"
	"strings"
)

// Station is a step of a story.
type Station struct {
	Label string
	Href  string
	There bool // there is something to show
}

// Tour draws a story as a line of stations, in rows of six. What there is nothing to show
// of yet is hollow.
func Tour(id, title, desc string, steps []Station) template.HTML {
	const perRow, width, rowHeight, r = 6, 980.0, 112.0, 17.0
	rows := (len(steps) + perRow - 1) / perRow
	c := New(id, int(width), int(rowHeight)*rows-24, title, desc)
	step := width / perRow
	at := func(i int) (x, y float64) {
		row, col := i/perRow, i%perRow
		if row%2 == 1 { // back again
			col = perRow - 1 - col
		}
		return step*float64(col) + step/2, rowHeight*float64(row) + 30
	}
	for i := 1; i < len(steps); i++ {
		x1, y1 := at(i - 1)
		x2, y2 := at(i)
		class := "tour-line"
		if !steps[i].There {
			class += " tour-dim"
		}
		if y1 == y2 {
			c.Path(fmt.Sprintf("M%.1f %.1f L%.1f %.1f", x1, y1, x2, y2), class, 3)
		} else { // around the edge
			out := step * .54
			if x1 < width/2 {
				out = -out
			}
			c.Path(fmt.Sprintf("M%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1+out, y1, x2+out, y2, x2, y2), class, 3)
		}
	}
	for i, s := range steps {
		x, y := at(i)
		c.Link(s.Href, fmt.Sprintf("Step %d: %s", i+1, s.Label))
		class, number := "tour-dot", "tour-n"
		if !s.There {
			class, number = "tour-hollow", "strong"
		}
		c.Circle(x, y, r, class, s.Label)
		c.Text(x, y+4, "middle", number, fmt.Sprint(i+1))
		for n, line := range wrap(s.Label, 17) {
			c.Text(x, y+r+16+14*float64(n), "middle", "strong", line)
		}
		c.End()
	}
	return c.SVG()
}

// wrap breaks a text between words.
func wrap(text string, most int) []string {
	var out []string
	line := ""
	for _, w := range strings.Fields(text) {
		switch {
		case line == "":
			line = w
		case len(line)+1+len(w) <= most:
			line += " " + w
		default:
			out, line = append(out, line), w
		}
	}
	return append(out, line)
}
