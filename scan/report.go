package scan

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// WriteTable writes the report for people.
func (rep *Report) WriteTable(w io.Writer) error {
	var b strings.Builder
	for _, f := range rep.Findings {
		where := fmt.Sprintf("%s:%d:%d", quoted(f.Path), f.Line, f.Column)
		if f.Cell > 0 {
			where += fmt.Sprintf(" cell %d", f.Cell)
		}
		if f.Blob != "" {
			where += " in " + f.Blob
		}
		fmt.Fprintf(&b, "%s\n  %-12s %-6s %.2f  %s", where, f.Category, level(f.Confidence), f.Confidence, f.Excerpt)
		if f.Count > 1 {
			fmt.Fprintf(&b, " and %d more", f.Count-1)
		}
		if f.Place != "" {
			fmt.Fprintf(&b, "  [%s]", f.Place)
		}
		fmt.Fprintf(&b, "\n  %s", f.Reason)
		if f.Citation != "" {
			fmt.Fprintf(&b, " (%s)", f.Citation)
		}
		fmt.Fprintf(&b, "\n  %s\n", f.Fingerprint)
	}
	if len(rep.Findings) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s.\n", rep.Summary())
	if rep.Allowed > 0 {
		fmt.Fprintf(&b, "Excepted by the allow-list: %d.\n", rep.Allowed)
	}
	for _, why := range slices.Sorted(maps.Keys(rep.Skipped)) {
		fmt.Fprintf(&b, "Not read: %d, %s.\n", rep.Skipped[why], why)
	}
	for _, id := range rep.Unused {
		fmt.Fprintf(&b, "The allow-list's %s excepts nothing any more; delete it.\n", id)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// quoted is a path that a terminal can be shown.
func quoted(p string) string {
	if strings.ContainsFunc(p, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		return fmt.Sprintf("%q", p)
	}
	return p
}

// WriteJSON writes the report as one document, one finding a line.
func (rep *Report) WriteJSON(w io.Writer) error {
	head, err := json.Marshal(struct {
		Version int `json:"version"`
		*Report
		Findings any `json:"findings,omitempty"` // hides the Report's: they come line by line
	}{Version: 1, Report: rep})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\"findings\":[", head[:len(head)-1]); err != nil {
		return err
	}
	for i, f := range rep.Findings {
		line, err := json.Marshal(f)
		if err != nil {
			return err
		}
		comma := ","
		if i == 0 {
			comma = ""
		}
		if _, err := fmt.Fprintf(w, "%s\n%s", comma, line); err != nil {
			return err
		}
	}
	_, err = io.WriteString(w, "]}\n")
	return err
}
