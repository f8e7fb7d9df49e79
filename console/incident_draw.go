package console

import (
	"fmt"
	"html/template"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/snapshot"
)

// drawClocks draws the clocks of an incident over time: each from what it is counted from
// to its end, with what was done, and now. How long records are kept is not drawn: it is
// years away.
func drawClocks(x *snapshot.Incident, clocks []incidentClock, now time.Time) template.HTML {
	var rows []incidentClock
	first, last := now, now
	take := func(t time.Time) {
		if t.IsZero() {
			return
		}
		if t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
	}
	for _, c := range clocks {
		if c.Kind == breach.Keep || c.Due.Sub(now) > 400*24*time.Hour {
			continue
		}
		rows = append(rows, c)
		take(c.From)
		take(c.Due)
		take(c.Done)
	}
	take(x.OccurredAt)
	take(x.DiscoveredAt)
	const label, row, top, width = 300.0, 24.0, 34.0, 920.0
	if len(rows) == 0 {
		return ""
	}
	if last.Sub(first) < time.Hour {
		last = first.Add(time.Hour)
	}
	h := top + row*float64(len(rows)) + 26
	c := draw.New("clocks", int(width), int(h), "Clocks of the incident", fmt.Sprintf("%s drawn from %s to %s; the table below has each.", plural(len(rows), "clock"), day(first), day(last)))
	at := func(t time.Time) float64 {
		return label + (width-label-14)*float64(t.Sub(first))/float64(last.Sub(first))
	}
	bottom := top + row*float64(len(rows))
	for i := range 5 {
		t := first.Add(last.Sub(first) * time.Duration(i) / 4)
		c.Line(at(t), top, at(t), bottom, "axis")
		anchor := "middle"
		if i == 4 {
			anchor = "end"
		}
		c.Text(at(t), bottom+16, anchor, "", t.UTC().Format("2 Jan"))
	}
	for _, e := range []struct {
		t    time.Time
		text string
	}{{x.OccurredAt, "happened"}, {x.DiscoveredAt, "discovered"}} {
		if !e.t.IsZero() {
			c.Circle(at(e.t), top-8, 4, "door", e.text+" "+when(e.t))
		}
	}
	for i, r := range rows {
		y := top + row*float64(i)
		c.Text(label-10, y+16, "end", "", clipped(r.What, 41))
		class := map[string]string{"good": "good", "warn": "warn", "bad": "bad", "wait": "wait"}[r.Mark.Tone]
		if class == "" {
			class = "off"
		}
		from, to := at(r.From), at(r.Due)
		tip := fmt.Sprintf("%s: %s, until %s", r.What, r.Mark.Word, r.Until)
		c.Tip(from, y+8, max(to-from, 3), 9, class, tip)
		c.Circle(to, y+12.5, 5, class, tip)
		if !r.Done.IsZero() {
			c.Circle(at(r.Done), y+12.5, 5, "door", "done "+when(r.Done))
		}
	}
	c.Line(at(now), top-18, at(now), bottom, "now")
	c.Text(at(now), top-22, "middle", "strong", "now")
	return c.SVG()
}

// clipped is the beginning of a text that is too long for a picture.
func clipped(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
