// Package draw makes the pictures of the console: SVG, made on the server, without
// script or inline style, so that the strictest content policy admits it. Colours are
// classes of console.css, so pictures follow the theme. Each has a title and a
// description for who cannot see it; the page gives the same as a table beside it.
package draw

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// Canvas is an SVG picture that grows by what is drawn on it.
type Canvas struct {
	w, h  int
	body  strings.Builder
	title string
	desc  string
	id    string
	links bool
}

// New is an empty picture of a width and height in CSS pixels. id is unique on the page;
// title says what it shows, desc what there is to see.
func New(id string, w, h int, title, desc string) *Canvas {
	return &Canvas{w: w, h: h, id: id, title: title, desc: desc}
}

// Rect draws a box.
func (c *Canvas) Rect(x, y, w, h float64, class string) {
	fmt.Fprintf(&c.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`, x, y, max(w, 0), max(h, 0), html.EscapeString(class))
}

// Round draws a box with round corners.
func (c *Canvas) Round(x, y, w, h, r float64, class string) {
	fmt.Fprintf(&c.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f" class="%s"/>`, x, y, max(w, 0), max(h, 0), r, html.EscapeString(class))
}

// Tip draws a box that tells its text under the pointer.
func (c *Canvas) Tip(x, y, w, h float64, class, text string) {
	fmt.Fprintf(&c.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"><title>%s</title></rect>`, x, y, max(w, 0), max(h, 0), html.EscapeString(class), html.EscapeString(text))
}

// Line draws a line.
func (c *Canvas) Line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&c.body, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, html.EscapeString(class))
}

// Path draws a path; d is of the caller's own making.
func (c *Canvas) Path(d, class string, width float64) {
	fmt.Fprintf(&c.body, `<path d="%s" class="%s" fill="none" stroke-width="%.1f"/>`, html.EscapeString(d), html.EscapeString(class), width)
}

// PathTip draws a path that tells its text under the pointer.
func (c *Canvas) PathTip(d, class string, width float64, text string) {
	fmt.Fprintf(&c.body, `<path d="%s" class="%s" fill="none" stroke-width="%.1f"><title>%s</title></path>`, html.EscapeString(d), html.EscapeString(class), width, html.EscapeString(text))
}

// Box draws a box with round corners that tells its text under the pointer.
func (c *Canvas) Box(x, y, w, h, r float64, class, text string) {
	fmt.Fprintf(&c.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f" class="%s"><title>%s</title></rect>`, x, y, max(w, 0), max(h, 0), r, html.EscapeString(class), html.EscapeString(text))
}

// Polygon draws a filled shape; points are of the caller's own making.
func (c *Canvas) Polygon(points, class string) {
	fmt.Fprintf(&c.body, `<polygon points="%s" class="%s"/>`, html.EscapeString(points), html.EscapeString(class))
}

// Circle draws a dot that tells its text under the pointer.
func (c *Canvas) Circle(x, y, r float64, class, text string) {
	fmt.Fprintf(&c.body, `<circle cx="%.1f" cy="%.1f" r="%.1f" class="%s"><title>%s</title></circle>`, x, y, r, html.EscapeString(class), html.EscapeString(text))
}

// Text writes; anchor is start, middle or end.
func (c *Canvas) Text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&c.body, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, html.EscapeString(anchor), html.EscapeString(class), html.EscapeString(text))
}

// Link opens a link around what is drawn until End. Its label is a title, so that what is
// drawn in it is part of its name.
func (c *Canvas) Link(href, label string) {
	c.links = true
	fmt.Fprintf(&c.body, `<a href="%s"><title>%s</title>`, html.EscapeString(href), html.EscapeString(label))
}

// End ends a link.
func (c *Canvas) End() { c.body.WriteString("</a>") }

// SVG is the picture: markup of this package's own, in which every word of a caller was
// escaped where it was drawn.
func (c *Canvas) SVG() template.HTML {
	role := "img"
	if c.links {
		role = "group" // what is in an image cannot be reached
	}
	id := html.EscapeString(c.id)
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d %d" width="%d" height="%d" role="%s" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>%s</svg>`,
		c.w, c.h, c.w, c.h, role, id, id, id, html.EscapeString(c.title), id, html.EscapeString(c.desc), c.body.String()))
}
