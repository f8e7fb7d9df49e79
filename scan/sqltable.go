package scan

import (
	"bytes"
	"fmt"
)

// sql finds the rows that a dump of a database puts into a table: INSERT INTO t
// (columns) VALUES (...), and PostgreSQL's COPY t (columns) FROM stdin. It gives
// back the window with the rows blanked.
func (r *reader) sql(s *sheet, win []byte, lo, hi int, where func(offset int) spot) []byte {
	out := win
	for at := 0; at < len(win); {
		n := bytes.IndexByte(win[at:], '(')
		if n < 0 {
			break
		}
		open := at + n
		at = open + 1
		before := bytes.ToLower(win[max(0, open-120):open])
		into, from := bytes.LastIndex(before, []byte("insert into")), bytes.LastIndex(before, []byte("copy "))
		if into < 0 && from < 0 || bytes.ContainsAny(before[max(into, from, 0):], ";()") {
			continue
		}
		shut := bytes.IndexByte(win[open:min(len(win), open+4000)], ')')
		if shut < 0 {
			continue
		}
		t := &table{reader: r, what: "table", reason: byColumn}
		labelled := 0
		for i, name := range bytes.Split(win[open+1:open+shut], []byte(",")) {
			if t.add(bytes.Trim(name, " \t\n\r\"`[]"), fmt.Sprintf("column %d", i+1), s).labelled {
				labelled++
			}
		}
		if health, personal := healthOf(before[max(into, from, 0):]); health {
			t.health++
			t.personal = personal
		}
		at = open + shut + 1
		rest := bytes.ToLower(win[at:min(len(win), at+40)])
		var end int
		switch trimmed := bytes.TrimLeft(rest, " \t\r\n"); {
		case labelled == 0:
			continue
		case bytes.HasPrefix(trimmed, []byte("values")):
			end = tuples(t, win, at+len(rest)-len(trimmed)+len("values"), where)
		case bytes.HasPrefix(trimmed, []byte("from stdin")):
			end = copied(t, win, at, where)
		default:
			continue
		}
		if open < lo || open >= hi || !t.holds() {
			continue
		}
		t.finish(s)
		if &out[0] == &win[0] {
			out = bytes.Clone(win)
		}
		for k := at; k < end; k++ {
			if out[k] != '\n' {
				out[k] = ' '
			}
		}
		at = end
	}
	return out
}

// tuples reads (...), (...) and says where they end.
func tuples(t *table, win []byte, at int, where func(int) spot) int {
	col, inside := 0, false
	for at < len(win) {
		switch c := win[at]; {
		case c == '\'' || c == '"':
			start := at + 1
			for at = start; at < len(win) && (win[at] != c || at+1 < len(win) && win[at+1] == c); at++ {
				if win[at] == c || win[at] == '\\' {
					at++
				}
			}
			if inside && col < len(t.cols) && at <= len(win) {
				t.value(t.cols[col], win[start:min(at, len(win))], where(start))
			}
		case c == '(' && !inside:
			inside, col = true, 0
		case c == ')' && inside:
			inside = false
		case c == ',' && inside:
			col++
		case inside && isDigit(c):
			start := at
			for at+1 < len(win) && (isAlnum(win[at+1]) || win[at+1] == '.' || win[at+1] == '-') {
				at++
			}
			if col < len(t.cols) {
				t.value(t.cols[col], win[start:at+1], where(start))
			}
		case !inside && c != ',' && c != ' ' && c != '\n' && c != '\r' && c != '\t':
			return at
		}
		at++
	}
	return len(win)
}

// copied reads the lines of a COPY, up to \.
func copied(t *table, win []byte, at int, where func(int) spot) int {
	for {
		n := bytes.IndexByte(win[at:], '\n')
		if n < 0 || at+n+1 >= len(win) {
			return len(win)
		}
		at += n + 1
		if bytes.HasPrefix(win[at:], []byte(`\.`)) {
			return at
		}
		line := win[at:]
		if e := bytes.IndexByte(line, '\n'); e >= 0 {
			line = line[:e]
		}
		start := at
		for i, f := range bytes.Split(line, []byte("\t")) {
			if i < len(t.cols) {
				t.value(t.cols[i], f, where(start))
			}
			start += len(f) + 1
		}
	}
}
