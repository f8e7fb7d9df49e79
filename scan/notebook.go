package scan

import (
	"bytes"
	"sort"
)

// notebook gathers the cells of a Jupyter notebook (nbformat 4): their sources
// and what they showed. The rest of the document, such as pictures in base64,
// is not read as text.
type notebook struct {
	cell    int
	code    bool
	text    []byte
	origins []origin
	html    bool
}

// origin says where in the file a stretch of the text stands.
type origin struct {
	offset int
	at     spot
}

// open sees an object or list begin; the stack has it already. The cells are
// objects in a list in the outermost object.
func (b *notebook) open(d *document) {
	if len(d.stack) == 3 && inCells(d) && !d.stack[2].array {
		b.cell++
		b.code = true // until cell_type says otherwise
		d.s.cell = b.cell
	}
}

func inCells(d *document) bool {
	return len(d.stack) >= 3 && d.stack[0].key == "cells" && d.stack[1].array
}

// take gathers a string of a cell. A list of strings is one text; a string
// alone is one too, and ends at once.
func (b *notebook) take(d *document, v []byte, at spot) error {
	if !inCells(d) {
		return nil
	}
	part := d.stack[2].key
	if part == "cell_type" {
		b.code = string(v) == "code"
		return nil
	}
	if part != "source" && (part != "outputs" || !shown(d.key())) {
		return nil
	}
	b.html = d.key() == "text/html"
	b.origins = append(b.origins, origin{len(b.text), at})
	b.text = append(b.text, v...)
	if d.top().array {
		return nil
	}
	return b.flush(d, part == "source" && b.code)
}

// shown names the parts of an output that people read.
func shown(key string) bool {
	switch key {
	case "text", "text/plain", "text/html", "text/markdown", "traceback", "evalue":
		return true
	}
	return false
}

// close sees an object or list end, before the stack loses it.
func (b *notebook) close(d *document) error {
	if len(b.text) > 0 {
		return b.flush(d, d.stack[2].key == "source" && b.code)
	}
	if len(d.stack) == 3 {
		d.s.cell = 0
	}
	return nil
}

// flush reads the text that was gathered.
func (b *notebook) flush(d *document, code bool) error {
	win, origins := b.text, b.origins
	b.text, b.origins = nil, nil
	where := func(offset int) spot {
		n := sort.Search(len(origins), func(i int) bool { return origins[i].offset > offset })
		o := origins[max(0, n-1)]
		return spot{o.at.line, o.at.column + offset - o.offset}
	}
	if b.html {
		win = plainHTML(win)
		where = func(int) spot { return origins[0].at }
	}
	// A cell can be larger than a window: a frame with every row shown.
	for from := 0; from == 0 || from < len(win); {
		to := min(len(win), from+windowSize)
		piece := win[from:to]
		if bytes.Contains(piece, []byte("PID|")) {
			piece = hl7(d.s, piece, 0, len(piece), func(o int) spot { return where(from + o) })
		}
		piece = d.r.tables(d.s, piece, 0, len(piece), code, func(o int) spot { return where(from + o) })
		if err := d.r.read(d.s, piece, 0, len(piece), code, "", "", func(o int) spot { return where(from + o) }, 0); err != nil {
			return err
		}
		if to == len(win) {
			break
		}
		from = to - overlap/2
	}
	return nil
}

// plainHTML is what HTML shows: a row of a table is a line, its cells are
// between bars.
func plainHTML(v []byte) []byte {
	out := make([]byte, 0, len(v))
	cell := 0
	for i := 0; i < len(v); i++ {
		if v[i] != '<' {
			if v[i] == '\n' || v[i] == '\r' {
				out = append(out, ' ')
			} else {
				out = append(out, v[i])
			}
			continue
		}
		end := bytes.IndexByte(v[i:], '>')
		if end < 0 {
			break
		}
		tag := bytes.ToLower(bytes.TrimSpace(v[i+1 : i+end]))
		switch {
		case bytes.Equal(tag, []byte("/td")), bytes.Equal(tag, []byte("/th")):
			if len(bytes.TrimSpace(out[cell:])) == 0 {
				out = append(out, '-') // an empty cell is still one
			}
			out = append(out, " | "...)
			cell = len(out)
		case bytes.Equal(tag, []byte("/tr")), bytes.HasPrefix(tag, []byte("br")), bytes.Equal(tag, []byte("/p")), bytes.Equal(tag, []byte("/div")), bytes.Equal(tag, []byte("/li")):
			out = append(out, '\n')
		default:
			out = append(out, ' ')
		}
		i += end
	}
	return append(out, '\n')
}
