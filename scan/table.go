package scan

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sallyport/sallyport/deid/text"
)

// table weighs columns: those of a CSV file, of a table in a text, or the keys
// of a JSON document, which are each other's neighbours in the same way.
type table struct {
	reader   *reader
	cols     []*column
	what     string  // "column" or "key"
	reason   string  // for what its name says
	health   float64 // different names of health
	personal bool    // one of them is a fact of one person
	bare     bool    // no column has a name: values must tell
}

// column counts the values of one column; it keeps none.
type column struct {
	label
	labelled        bool
	place           string
	seen, valid     int
	likely          float64 // sum over the valid
	at              spot    // of the first valid value
	first           []byte
	ssn, email, tel int
	birth, name     int // counted where no column has a name
	print           printer
	formAt          spot
	formFirst       []byte
}

func (t *table) add(name []byte, place string, s *sheet) *column {
	c := &column{place: place}
	c.label, c.labelled = t.reader.rules.labels.of(name)
	if c.labelled {
		c.place += " (" + c.words + ")"
		c.print = newPrinter(s.key, c.category.String())
	}
	if health, personal := healthOf(name); health {
		t.health++
		t.personal = t.personal || personal
	}
	t.cols = append(t.cols, c)
	return c
}

// value counts one.
func (t *table) value(c *column, v []byte, at spot) {
	v = bytes.Trim(v, " \"'\t\r\n")
	if len(v) == 0 || len(v) > 200 {
		return
	}
	c.seen++
	if c.labelled {
		likely := c.kind.likely(v, t.reader.rules.asOf)
		if likely == .6 && c.kind == kindName && c.words != "name" {
			likely = .9
		}
		if likely > 0 {
			if c.valid == 0 {
				c.at, c.first = at, bytes.Clone(v)
			}
			c.valid++
			c.likely += likely
			c.print.add(v)
		}
		return
	}
	form := true
	switch {
	case len(v) == 11 && v[3] == '-' && v[6] == '-' && validSSN(v):
		c.ssn++
	case bytes.IndexByte(v, '@') > 0 && likelyEmail(v) == 1:
		c.email++
	case len(v) >= 12 && (isDigit(v[0]) || v[0] == '(' || v[0] == '+') && phoneForm(v) && validPhone(v):
		c.tel++
	case t.bare && kindBirth.likely(v, t.reader.rules.asOf) == 1:
		c.birth++
	case t.bare && likelyName(v) > 0:
		c.name++
	default:
		form = false
	}
	if form && c.formFirst == nil {
		c.formAt, c.formFirst = at, bytes.Clone(v)
	}
}

// weighed is a column as a candidate.
func (c *column) weighed() (candidate, bool) {
	if c.labelled {
		if c.valid == 0 {
			return candidate{}, false
		}
		w := c.weight * c.likely / float64(c.valid)
		if c.valid*3 < c.seen {
			w /= 2 // most of the column is something else
		}
		return candidate{category: c.category, weight: w}, true
	}
	most := max(c.ssn, c.email, c.tel, c.birth, c.name)
	if most == 0 || most == c.name && most*10 < c.seen*9 || most*5 < c.seen*2 {
		return candidate{}, false
	}
	switch most {
	case c.ssn:
		return candidate{category: text.SSN, weight: .7}, true
	case c.email:
		return candidate{category: text.Email, weight: .22}, true
	case c.birth:
		return candidate{category: text.Date, weight: .2}, true
	case c.name:
		return candidate{category: text.Name, weight: .15}, true
	default:
		return candidate{category: text.Phone, weight: .22}, true
	}
}

// finish notes the columns that identify.
func (t *table) finish(s *sheet) {
	var all []candidate
	var of []*column
	count := map[class]int{}
	for _, c := range t.cols {
		if w, ok := c.weighed(); ok {
			all, of = append(all, w), append(of, c)
			if w.weight >= .15 {
				count[classOf(w)]++
			}
		}
	}
	health := min(t.health, 8)
	for i, w := range all {
		var others class
		for k := range count {
			others |= k
		}
		others &^= classOf(w) | aDetail
		if t.personal && w.weight < .56 && t.ofPatient(w, of[i]) {
			w.weight = .56 // who stands in one row with a diagnosis is a patient
		}
		confidence, support := judge(w.weight, classOf(w), others, health)
		c := of[i]
		reason, n, at, first := t.reason, c.valid, c.at, c.first
		if !c.labelled {
			reason, n, at, first = byValues, max(c.ssn, c.email, c.tel, c.birth, c.name), c.formAt, c.formFirst
		}
		if confidence < s.least {
			continue
		}
		into := fmt.Sprintf("%s %d.%d %s", t.what, at.line, at.column, c.place)
		s.note(into, w.category.String(), c.place, because(reason, support), confidence, at, first)
		if g := s.groups[into+"\x00"+w.category.String()]; g != nil {
			g.Count, g.print = n, c.print
		}
	}
}

// ofPatient: names that are whole, and that package text takes for names; and
// addresses by which one person is reached.
func (t *table) ofPatient(w candidate, c *column) bool {
	switch {
	case w.category == text.Name:
		return c.labelled && c.likely/float64(c.valid) > .85 && t.reader.isName(c.first)
	case classOf(w) == aContact:
		return w.category != text.Address && w.weight >= .2
	}
	return false
}

// isName asks package text about one value.
func (r *reader) isName(v []byte) bool {
	if r.prose == nil {
		return true
	}
	spans, err := r.prose.Find(nil, append([]byte("Patient: "), v...), nil)
	return err != nil || slices.ContainsFunc(spans, func(s text.Span) bool { return s.Category == text.Name && s.Start >= 9 }) // in doubt it is one
}

// fieldMost is how much of a table's field is read at once.
const fieldMost = 64 << 10

// csvReader gives the fields of a table, streaming. It takes what people
// write: quotes that do not end, rows of different lengths.
type csvReader struct {
	in        *bufio.Reader
	comma     byte
	line, col int
	field     []byte
}

// next gives one field, where it starts, and what ended it: the comma, '\n',
// 0 at the end of the file, or 1 where the field goes on.
func (c *csvReader) next() (field []byte, at spot, end byte, err error) {
	c.field = c.field[:0]
	at = spot{c.line, c.col}
	quoted := false
	for n := 0; ; n++ {
		b, err := c.in.ReadByte()
		if errors.Is(err, io.EOF) {
			return c.field, at, 0, nil
		}
		if err != nil {
			return nil, at, 0, err
		}
		if b&0xC0 != 0x80 {
			c.col++
		}
		if b == '\n' {
			c.line++
			c.col = 1
		}
		switch {
		case b == '"' && n == 0:
			quoted = true
			at.column++
		case b == '"' && quoted:
			next, _ := c.in.Peek(1)
			if len(next) == 1 && next[0] == '"' {
				_, _ = c.in.Discard(1) // it was peeked at
				c.col++
				c.field = append(c.field, '"')
				continue
			}
			quoted = false
		case b == c.comma && !quoted, b == '\n' && !quoted:
			return c.field, at, b, nil
		case b == '\r':
		default:
			c.field = append(c.field, b)
			if len(c.field) >= fieldMost {
				return c.field, at, 1, nil
			}
		}
	}
}

// csv reads a table of any length. Where its first row names no column that we
// know, that row is data, and columns are known by their values alone.
func (r *reader) csv(s *sheet, src io.Reader, comma byte) error {
	in := &csvReader{in: bufio.NewReaderSize(src, 64<<10), comma: comma, line: 1, col: 1}
	t := &table{reader: r, what: "column", reason: byColumn}
	type cell struct {
		v  []byte
		at spot
	}
	var header []cell
	for {
		field, at, end, err := in.next()
		if err != nil {
			return err
		}
		header = append(header, cell{bytes.Clone(field), at})
		if end == '\n' || end == 0 || len(header) > 10000 {
			break
		}
	}
	named := 0
	for i, h := range header {
		if t.add(h.v, fmt.Sprintf("column %d", i+1), s).labelled {
			named++
		}
	}
	if named == 0 {
		t.bare = true
		for i, h := range header {
			t.value(t.cols[i], h.v, h.at)
		}
	}
	for col := 0; ; {
		field, at, end, err := in.next()
		if err != nil {
			return err
		}
		if col < len(t.cols) {
			t.value(t.cols[col], field, at)
		}
		if wordy(field) {
			if err := r.inside(s, bytes.Clone(field), fmt.Sprintf("column %d", col+1), at, min(t.health, 3)); err != nil {
				return err
			}
		}
		switch end {
		case '\n':
			col = 0
		case 0:
			t.finish(s)
			return nil
		case 1:
		default:
			col++
		}
	}
}

// wordy: more than one value, such as a sentence or a line of a log.
func wordy(v []byte) bool {
	return len(v) >= 12 && (bytes.IndexByte(v, ' ') > 0 || bytes.IndexByte(v, '=') > 0)
}

// inside reads a text that stands in a field or a string: what it holds is
// counted for the place.
func (r *reader) inside(s *sheet, v []byte, place string, at spot, health float64) error {
	for len(v) > 0 {
		piece := v[:min(len(v), windowSize)]
		v = v[len(piece):]
		if bytes.Contains(piece, []byte("PID|")) {
			piece = hl7(s, piece, 0, len(piece), func(int) spot { return at })
		}
		if err := r.read(s, piece, 0, len(piece), false, "in "+place, place, func(int) spot { return at }, health); err != nil {
			return err
		}
	}
	return nil
}
