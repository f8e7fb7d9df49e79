package scan

import (
	"bytes"
	"fmt"
	"slices"
)

// tables finds the tables that stand in a text: what a notebook shows of a data
// frame, what a database's shell prints, a CSV in a string. It notes their
// columns and gives back the window with the rows blanked.
func (r *reader) tables(s *sheet, win []byte, lo, hi int, code bool, where func(offset int) spot) []byte {
	out := win
	for at := 0; at < len(win); {
		end := at + bytes.IndexByte(win[at:], '\n')
		if end < at {
			break // a header in the last line has no rows
		}
		line := win[at:end]
		if len(line) < 2000 && at >= lo && at < hi && r.labelsIn(line) >= 2 {
			if split, fields := r.header(line, code); split != nil {
				t := &table{reader: r, what: "table", reason: byColumn}
				for i, f := range fields {
					t.add(line[f[0]:f[1]], fmt.Sprintf("column %d", i+1), s)
				}
				next := r.rows(t, win, end+1, split, fields, where)
				if next > end+1 && t.holds() {
					t.finish(s)
					if &out[0] == &win[0] {
						out = bytes.Clone(win)
					}
					for k := end + 1; k < next; k++ {
						if out[k] != '\n' {
							out[k] = ' '
						}
					}
					at = next
					continue
				}
			}
		}
		at = end + 1
	}
	return out
}

// holds: some column has values of its kind.
func (t *table) holds() bool {
	return slices.ContainsFunc(t.cols, func(c *column) bool { return c.labelled && c.valid*2 >= c.seen && c.valid > 0 })
}

// labelsIn counts the words of a line that end a label: a quick look.
func (r *reader) labelsIn(line []byte) int {
	n := 0
	start := -1
	for i := 0; i <= len(line); i++ {
		if i < len(line) && isAlpha(line[i]) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			if w := line[start:i]; len(w) <= 12 && (len(r.rules.labels[lower(w)]) > 0 || tails[lower(w)]) {
				n++
			}
			start = -1
		}
	}
	return n
}

// splitter cuts a row into fields, as ranges; it gets the header's.
type splitter func(row []byte, header [][2]int) [][2]int

// header says how a line is cut, if two of its fields are labels, and one of
// them is of a person.
func (r *reader) header(line []byte, code bool) (splitter, [][2]int) {
	if bytes.IndexByte(line, ':') >= 0 { // a form: its values are beside its labels
		return nil, nil
	}
	splitters := []splitter{byMark('|'), byMark('\t'), byMark(','), byColumns}
	if code { // where lines are indented and aligned, and lists of names are parameters
		if bytes.ContainsAny(line, "(){};=<>[]") {
			return nil, nil
		}
		splitters = []splitter{byMark('|'), byMark(',')}
	}
	for _, split := range splitters {
		fields := split(line, nil)
		labels, person := 0, false
		for _, f := range fields {
			if l, ok := r.rules.labels.of(line[f[0]:f[1]]); ok && f[1]-f[0] <= 32 {
				labels++
				person = person || l.weight >= .25
			}
		}
		if labels >= 2 && person && labels*4 >= len(fields) {
			return split, fields
		}
	}
	return nil, nil
}

func byMark(mark byte) splitter {
	return func(row []byte, _ [][2]int) [][2]int {
		var out [][2]int
		start := 0
		for i := 0; i <= len(row); i++ {
			if i == len(row) || row[i] == mark {
				if mark != '|' || start > 0 && i < len(row) || i > start && len(bytes.TrimSpace(row[start:i])) > 0 {
					out = append(out, [2]int{start, i})
				}
				start = i + 1
			}
		}
		if len(out) < 2 {
			return nil
		}
		return out
	}
}

// byColumns takes what is set in columns by spaces: a header's words, and of a
// row what stands under each.
func byColumns(row []byte, header [][2]int) [][2]int {
	var words [][2]int
	start := -1
	for i := 0; i <= len(row); i++ {
		if i < len(row) && row[i] != ' ' {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 && (i == len(row) || i+1 < len(row) && row[i+1] == ' ' || header == nil) {
			words = append(words, [2]int{start, i})
			start = -1
		}
	}
	if header == nil {
		if len(words) < 2 {
			return nil
		}
		return words
	}
	out := make([][2]int, len(header))
	for _, w := range words {
		for i, h := range header {
			if w[0] < h[1] && h[0] < w[1] {
				if out[i] == ([2]int{}) {
					out[i] = w
				}
				break
			}
		}
	}
	return out
}

// rows reads the rows of a table that starts at from, and says where they end.
func (r *reader) rows(t *table, win []byte, from int, split splitter, header [][2]int, where func(int) spot) int {
	at := from
	for at < len(win) {
		end := bytes.IndexByte(win[at:], '\n')
		if end < 0 {
			end = len(win) - at
		}
		row := win[at : at+end]
		if len(bytes.Trim(row, " -+|:=\r\t")) == 0 {
			if at > from || len(bytes.TrimSpace(row)) == 0 {
				break
			}
			at += end + 1 // the rule under the header
			continue
		}
		fields := split(row, header)
		if len(fields) == 0 || len(fields) > len(header)+1 || len(fields)*2 < len(header) {
			break
		}
		filled := 0
		for i, f := range fields {
			if i < len(t.cols) && f[1] > f[0] {
				filled++
				t.value(t.cols[i], row[f[0]:f[1]], where(at+f[0]))
			}
		}
		if filled < 2 {
			break
		}
		at += end + 1
	}
	return min(at, len(win))
}
