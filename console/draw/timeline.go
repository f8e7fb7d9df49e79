package draw

import (
	"fmt"
	"html/template"
	"time"
)

// Row is one line of a timeline.
type Row struct {
	Label string
	Spans []Span
	Marks []Mark
}

// Span is something that lasts. A zero To has no end.
type Span struct {
	From, To time.Time
	Class    string // "door", "good", "off", ...
	Tip      string
}

// Mark is something that happens once.
type Mark struct {
	At    time.Time
	Class string
	Tip   string
}

// Band is how much happened on a day.
type Band struct {
	At        time.Time
	Good, Bad uint64
	Tip       string
}

// Timeline draws rows over time, with a line at now, and below them how much happened on
// each day. What is to come is hatched.
func Timeline(id, title, desc string, from, to, now time.Time, rows []Row, band []Band) template.HTML {
	const width, label, line, top, high = 940, 230.0, 26.0, 38.0, 54.0
	h := int(top + line*float64(len(rows)) + 14)
	if len(band) > 0 {
		h += int(high) + 10
	}
	c := New(id, width, h, title, desc)
	span := to.Sub(from)
	if span <= 0 {
		return c.SVG()
	}
	at := func(t time.Time) float64 {
		switch {
		case t.IsZero() || t.After(to):
			return width
		case t.Before(from):
			return label
		}
		return label + (width-label)*float64(t.Sub(from))/float64(span)
	}
	bottom := float64(h) - 10
	for m, n := monthAfter(from), 0; m.Before(to); m, n = m.AddDate(0, 1, 0), n+1 {
		x := at(m)
		c.Line(x, top-6, x, bottom, "axis")
		if every := max(1, int(span.Hours()/24/30/12+.5)); n%every == 0 && x < width-34 {
			name := m.Format("Jan")
			if m.Month() == time.January || n == 0 {
				name = m.Format("Jan 06")
			}
			c.Text(x+3, top-10, "start", "", name)
		}
	}
	for i, r := range rows {
		y := top + line*float64(i)
		c.Text(0, y+16, "start", "strong", clip(r.Label, 29))
		for _, s := range r.Spans {
			x1, x2 := at(s.From), at(s.To)
			if x2 <= x1 {
				continue
			}
			c.Tip(x1, y+5, max(x2-x1, 2), line-11, "tl-span "+s.Class, s.Tip)
			if n := at(now); x2 > n { // what is to come is promised, not yet so
				c.Tip(max(x1, n), y+5, x2-max(x1, n), line-11, "tl-come", s.Tip)
			}
		}
		for _, m := range r.Marks {
			if !m.At.Before(from) && !m.At.After(to) {
				c.Circle(at(m.At), y+line/2-.5, 5.5, "tl-mark "+m.Class, m.Tip)
			}
		}
	}
	if len(band) > 0 {
		floor, highest := bottom, uint64(1)
		for _, b := range band {
			highest = max(highest, b.Good+b.Bad)
		}
		wide := max((width-label)*24/span.Hours()*.8, 1.5)
		c.Text(0, floor-high/2+4, "start", "strong", "Decisions")
		c.Text(label-6, floor-high+10, "end", "", fmt.Sprint(highest))
		c.Line(label, floor, width, floor, "axis")
		for _, b := range band {
			if b.Good+b.Bad == 0 || b.At.Before(from) || b.At.After(to) {
				continue
			}
			good, bad := (high-6)*float64(b.Good)/float64(highest), (high-6)*float64(b.Bad)/float64(highest)
			c.Tip(at(b.At), floor-good, wide, good, "good", b.Tip)
			c.Tip(at(b.At), floor-good-bad, wide, bad, "bad", b.Tip)
		}
	}
	if n := at(now); n > label && n < width {
		c.Line(n, 2, n, bottom, "now")
		c.Text(n+4, 11, "start", "tl-now", "now")
	}
	return c.SVG()
}

// monthAfter is the first of the next month.
func monthAfter(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// clip shortens a text to so many letters.
func clip(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
