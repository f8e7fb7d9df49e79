package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
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

// beside prints a resource as the source has it and as it was released, an
// element a row; what identifies comes first.
func (t *teller) beside(from, to map[string]any) {
	if t.json {
		return
	}
	const width = 60
	first := []string{"id", "name", "identifier", "birthDate", "gender", "telecom", "address", "contact"}
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(from)), func(k string) bool { return slices.Contains(first, k) })
	fmt.Fprintf(t.out, "   %-14s %-*s   %s\n", "", width, "At the hospital", "What the vendor gets")
	for _, k := range append(first, rest...) {
		had, ok := from[k]
		if !ok || k == "resourceType" {
			continue
		}
		got := dimStyle.Render("removed")
		if v, ok := to[k]; ok {
			got = goodStyle.Render(clip(oneLine(v), width))
		}
		fmt.Fprintf(t.out, "   %-14s %-*s %s %s\n", clip(k, 14), width, clip(oneLine(had), width), dimStyle.Render("|"), got)
	}
}

// lines prints the first lines of a text before and after.
func (t *teller) lines(before, after string) {
	if t.json {
		return
	}
	const width, most = 68, 14
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for i := range min(len(a), len(b), most) {
		style := dimStyle
		if a[i] != b[i] {
			style = goodStyle
		}
		fmt.Fprintf(t.out, "   %-*s %s %s\n", width, clip(a[i], width), dimStyle.Render("|"), style.Render(clip(b[i], width)))
	}
	fmt.Fprintf(t.out, "   %s\n", dimStyle.Render(fmt.Sprintf("... %d lines in all", len(a))))
}

func oneLine(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return "(unreadable)"
	}
	return strings.NewReplacer(`"`, "", "{", "", "}", "", "[", "", "]", "").Replace(string(raw))
}

// clip shortens a line to n columns; the demo's data is ASCII.
func clip(s string, n int) string {
	s = strings.ReplaceAll(s, "\t", "  ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return s
}
