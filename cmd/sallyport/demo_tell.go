package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
)

// teller tells the demo: a story with colour in a terminal, or one JSON object
// a step.
type teller struct {
	out  io.Writer
	json bool
	step map[string]any // the JSON object of the step that is being told
}

var (
	titleStyle = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("6"))
	goodStyle  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("2"))
	badStyle   = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Color("1"))
	dimStyle   = lipgloss.NewStyle().Faint(true)
)

// begin opens a step.
func (t *teller) begin(n int, title string) {
	t.step = map[string]any{"step": n, "title": title}
	if !t.json {
		fmt.Fprintf(t.out, "\n%s\n", titleStyle.Render(fmt.Sprintf("%d  %s", n, title)))
	}
}

// say prints a line of the story; JSON leaves it out.
func (t *teller) say(format string, args ...any) {
	if !t.json {
		fmt.Fprintf(t.out, "   "+format+"\n", args...)
	}
}

// fact records a figure in the JSON object.
func (t *teller) fact(name string, v any) { t.step[name] = v }

// end closes the step.
func (t *teller) end(ok bool) error {
	t.step["ok"] = ok
	if !t.json {
		return nil
	}
	return json.NewEncoder(t.out).Encode(t.step)
}

// beside prints two texts side by side.
func (t *teller) beside(leftTitle, left, rightTitle, right string) {
	if t.json {
		return
	}
	const width = 56
	l := append([]string{leftTitle, strings.Repeat("-", len(leftTitle))}, strings.Split(left, "\n")...)
	r := append([]string{rightTitle, strings.Repeat("-", len(rightTitle))}, strings.Split(right, "\n")...)
	for i := range max(len(l), len(r)) {
		var a, b string
		if i < len(l) {
			a = clip(l[i], width)
		}
		if i < len(r) {
			b = clip(r[i], width)
		}
		fmt.Fprintf(t.out, "   %-*s %s %s\n", width, a, dimStyle.Render("|"), b)
	}
}

// clip shortens a line to n columns; the demo's data is ASCII.
func clip(s string, n int) string {
	s = strings.ReplaceAll(s, "\t", "  ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return s
}
