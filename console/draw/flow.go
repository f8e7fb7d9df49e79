package draw

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// FlowColumns are the stations of a flow map, from the left: healthcare systems, the
// gateway, engagements, vendors, regions.
const FlowColumns = 5

// Flow is a map of the ways that data takes. Legs go from a column to the next.
type Flow struct {
	ID, Title, Desc string
	Heads           [FlowColumns]string
	Columns         [FlowColumns][]FlowNode
	Legs            [FlowColumns - 1][]FlowLeg
}

// FlowNode is a station.
type FlowNode struct {
	Label, Sub string
	Href       string // empty: it leads nowhere
	Tip        string
	Mark, Tone string // its state in a word, and what sort of state; empty: none
}

// FlowLeg is a way from a station of one column to one of the next.
type FlowLeg struct {
	From, To int
	Weight   uint64 // how much went along it
	Closed   bool   // nothing goes along it now
	Class    string // of the line: "phi", "limited-data-set", "de-identified"; empty: several
	Words    []FlowWord
	Tip      string
}

// FlowWord is a protection of a leg.
type FlowWord struct {
	Text string
	Good bool // a sign stands before it: a tick, or a cross
}

const (
	flowWidth = 980.0
	flowTop   = 30.0
	flowRow   = 84.0
	flowBox   = 50.0
)

// Where the columns begin, and how wide their boxes are. The legs between the first two
// and the next two carry words.
var (
	flowX = [FlowColumns]float64{0, 250, 530, 722, 918}
	flowW = [FlowColumns]float64{120, 80, 168, 168, 62}
)

// SVG draws the map. A line is the wider, the more went along it.
func (f Flow) SVG() template.HTML {
	rows := 1
	for _, c := range f.Columns {
		rows = max(rows, len(c))
	}
	height := flowTop + flowRow*float64(rows)
	c := New(f.ID, int(flowWidth), int(height), f.Title, f.Desc)
	var y [FlowColumns][]float64 // middles
	for i, nodes := range f.Columns {
		c.Text(flowX[i], 14, "start", "strong", f.Heads[i])
		step := (height - flowTop) / float64(max(len(nodes), 1))
		for j := range nodes {
			y[i] = append(y[i], flowTop+step*(float64(j)+.5))
		}
	}
	for i, legs := range f.Legs {
		var most uint64
		for _, l := range legs {
			most = max(most, l.Weight)
		}
		for _, l := range legs {
			f.leg(c, i, l, y[i][l.From], y[i+1][l.To], most)
		}
	}
	for i, nodes := range f.Columns {
		for j, n := range nodes {
			f.node(c, i, n, y[i][j])
		}
	}
	return c.SVG()
}

func (f Flow) leg(c *Canvas, i int, l FlowLeg, y1, y2 float64, most uint64) {
	x1, x2 := flowX[i]+flowW[i], flowX[i+1]
	width := 1.5
	if most > 0 && l.Weight > 0 {
		width = 2 + 12*math.Sqrt(float64(l.Weight)/float64(most))
	}
	class := "flow-leg"
	if l.Class != "" {
		class += " flow-" + l.Class
	}
	if l.Closed {
		class += " flow-closed"
	}
	// It arrives level, so that the words by its end lie beside it.
	bend := x1 + (x2-x1)*.16
	d := fmt.Sprintf("M%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f L%.1f %.1f", x1, y1, bend, y1, x1+(x2-x1)*.04, y2, x1+(x2-x1)*.24, y2, x2, y2)
	if i == 0 { // here the words are by the beginning
		d = fmt.Sprintf("M%.1f %.1f L%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1+(x2-x1)*.62, y1, x2, y1, x2-(x2-x1)*.3, y2, x2, y2)
	}
	c.PathTip(d, class, width, l.Tip)
	x, at := x2-6, y2
	anchor := "end"
	if i == 0 {
		x, at, anchor = x1+6, y1, "start"
	}
	for n, w := range l.Words {
		sign, class := "✓ ", "flow-yes"
		if !w.Good {
			sign, class = "✕ ", "flow-no"
		}
		// Two above the line, the others below it.
		dy := -width/2 - 18 + float64(n)*13
		if n > 1 {
			dy = width/2 + 13 + float64(n-2)*13
		}
		c.Text(x, at+dy, anchor, class, sign+w.Text)
	}
}

func (f Flow) node(c *Canvas, i int, n FlowNode, y float64) {
	x, w := flowX[i], flowW[i]
	if n.Href != "" {
		c.Link(n.Href, n.Tip)
	}
	c.Box(x, y-flowBox/2, w, flowBox, 8, "flow-box", n.Tip)
	room := int((w - 12) / 7.6)
	up := y - 4.0
	if n.Sub == "" && n.Mark == "" {
		up = y + 4
	}
	c.Text(x+10, up, "start", "strong", fit(n.Label, room))
	sub := n.Sub
	if n.Mark != "" {
		c.Circle(x+14, y+10, 4, n.Tone, n.Mark)
		c.Text(x+23, y+14, "start", "", fit(strings.TrimSuffix(n.Mark+", "+sub, ", "), room+2))
	} else if sub != "" {
		c.Text(x+10, y+14, "start", "", fit(sub, room))
	}
	if n.Href != "" {
		c.End()
	}
}

// fit shortens a text to so many letters.
func fit(text string, most int) string {
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	return string(r[:max(most-1, 1)]) + "…"
}
