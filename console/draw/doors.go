package draw

import (
	"fmt"
	"html/template"
)

// Door is one of the two.
type Door struct {
	Label string // "Papers"
	Word  string // what its state is called: "Open", "Shut", "Open for 2 of 3"
	Open  bool   // somebody can pass
	Part  bool   // and somebody cannot
}

// Doors draws the sally port: the papers, which the vendor comes through first, and the
// data behind it. What flows is drawn as far as it gets.
func Doors(id string, papers, data Door) template.HTML {
	desc := fmt.Sprintf("%s: %s. %s: %s. ", papers.Label, papers.Word, data.Label, data.Word)
	if papers.Open && data.Open {
		desc += "Data flows from the source to the vendor."
	} else {
		desc += "No data flows to the vendor."
	}
	c := New(id, 400, 232, "The two doors", desc)
	const left, right, wide, top, floor, flow = 78.0, 232.0, 90.0, 34.0, 186.0, 128.0
	c.Line(8, floor, 392, floor, "dr-floor")
	for _, d := range []struct {
		Door
		x float64
	}{{papers, left}, {data, right}} {
		if d.Open {
			c.Rect(d.x, top, wide, floor-top, "dr-way")
		}
	}
	end := right + wide + 6 // where it is stopped
	switch {
	case data.Open && papers.Open:
		end = 22
	case data.Open:
		end = left + wide + 6
	}
	class := "dr-flow"
	if end > 22 {
		class = "dr-flow dr-stopped"
	}
	c.Line(386, flow, end, flow, class)
	c.Path(fmt.Sprintf("M%.0f %.0f l10 -7 M%.0f %.0f l10 7", end, flow, end, flow), class, 2.5)
	for _, d := range []struct {
		Door
		x float64
	}{{papers, left}, {data, right}} {
		c.Rect(d.x, top, wide, floor-top, "dr-frame")
		switch {
		case d.Open:
			c.Polygon(fmt.Sprintf("%.0f,%.0f %.0f,%.0f %.0f,%.0f %.0f,%.0f", d.x, top, d.x+26, top+12, d.x+26, floor+14, d.x, floor), "dr-leaf")
			c.Circle(d.x+20, flow-8, 2.5, "dr-knob", "")
		default:
			c.Rect(d.x+3, top+3, wide-6, floor-top-3, "dr-leaf dr-shut")
			c.Rect(d.x+14, top+14, wide-28, 46, "dr-panel")
			c.Rect(d.x+14, top+74, wide-28, 62, "dr-panel")
			c.Circle(d.x+wide-9, flow-8, 3, "dr-knob", "")
		}
		c.Text(d.x+wide/2, top-12, "middle", "strong dr-label", d.Label)
		sign, tone := "✓ ", "good"
		switch {
		case !d.Open:
			sign, tone = "✕ ", "bad"
		case d.Part:
			sign, tone = "! ", "warn"
		}
		c.Text(d.x+wide/2, floor+36, "middle", "dr-word "+tone, sign+d.Word)
	}
	c.Text(8, floor-8, "start", "", "Vendor")
	c.Text(392, floor-8, "end", "", "Source")
	return c.SVG()
}
