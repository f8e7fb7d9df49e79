package draw

import (
	"fmt"
	"html/template"
)

// Bar is one column: parts of it, from the bottom up.
type Bar struct {
	Label string // below it, where there is room
	Tip   string // under the pointer
	Parts []Part
}

// Part is a part of a column.
type Part struct {
	N     uint64
	Class string // "good", "bad", ...
}

// Bars draws columns over time, scaled to the highest.
func Bars(id, title, desc string, w, h int, bars []Bar) template.HTML {
	const left, bottom, top = 44.0, 22.0, 8.0
	c := New(id, w, h, title, desc)
	var highest uint64
	for _, b := range bars {
		var sum uint64
		for _, p := range b.Parts {
			sum += p.N
		}
		highest = max(highest, sum)
	}
	highest = nice(highest)
	inner, width := float64(h)-bottom-top, float64(w)-left
	for i := range 3 {
		y := top + inner*float64(i)/2
		c.Line(left, y, float64(w), y, "axis")
		c.Text(left-6, y+4, "end", "", fmt.Sprint(highest*uint64(2-i)/2))
	}
	step := width / float64(max(len(bars), 1))
	every := max(1, int(70/step)+1)
	for i, b := range bars {
		x, y := left+float64(i)*step, top+inner
		for _, p := range b.Parts {
			part := inner * float64(p.N) / float64(highest)
			if p.N > 0 {
				part = max(part, 1)
			}
			y -= part
			c.Tip(x+step*.12, y, step*.76, part, p.Class, b.Tip)
		}
		if i%every == 0 && b.Label != "" {
			c.Text(x+step/2, float64(h)-6, "middle", "", b.Label)
		}
	}
	return c.SVG()
}

// nice is the next round number that is even.
func nice(n uint64) uint64 {
	if n <= 2 {
		return 2
	}
	for unit := uint64(1); ; unit *= 10 {
		for _, x := range []uint64{2, 4, 6, 10} {
			if x*unit >= n {
				return x * unit
			}
		}
	}
}
