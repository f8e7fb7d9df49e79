// Package sheet writes records as CSV for spreadsheets, and reads them back.
//
// A cell is a text as it is, or else JSON: a number, true, a list. A text that a
// spreadsheet would run as a formula is written after an apostrophe, as people do it by
// hand, and so is a text that begins with one; reading takes one apostrophe away. A
// column whose name begins with an underscore tells, and is not read.
package sheet

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/problem"
)

// Column is one field.
type Column struct {
	Name string
	Text bool // a text, written as it is; else JSON
}

// formula are the beginnings that a spreadsheet runs, also in their wide forms, or that
// hide one (OWASP, CSV injection); the apostrophe is ours.
const formula = "=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20"

// Text is a text as a cell: after an apostrophe, if a spreadsheet would run it. Whoever
// writes a CSV that a person may open puts every text through it.
func Text(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune(formula, first) {
		return "'" + s
	}
	return s
}

// Texts are the cells of a line.
func Texts(line ...string) []string {
	out := make([]string, len(line))
	for i, s := range line {
		out[i] = Text(s)
	}
	return out
}

// Write writes rows, each an object by its members. A member that has no column is left
// out.
func Write(w io.Writer, columns []Column, rows []map[string]json.RawMessage) error {
	out := csv.NewWriter(w) // lines end in LF: with CRLF it would take a CR out of a text
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.Name
	}
	if err := out.Write(line); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	for _, row := range rows {
		for i, c := range columns {
			line[i] = ""
			raw, ok := row[strings.TrimPrefix(c.Name, "_")]
			var text string
			switch {
			case !ok || string(raw) == "null":
			case json.Unmarshal(raw, &text) == nil:
				line[i] = Text(text)
			default:
				line[i] = string(raw)
			}
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("writing CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}

// Row is a record that was read.
type Row struct {
	Line    int            // in the file, from 1
	Columns map[string]int // where each field stands, from 1
	Fields  map[string]json.RawMessage
	Ended   bool // the column _state says that it is over for good
}

// Object is the row as a JSON object.
func (r Row) Object() ([]byte, error) { return json.Marshal(r.Fields) }

// At says where a field is, for people. field may be of what is inside a cell.
func (r Row) At(field string) string {
	name, _, _ := strings.Cut(field, ".")
	name, _, _ = strings.Cut(name, "[")
	if c, ok := r.Columns[name]; ok {
		return fmt.Sprintf("line %d, column %d (%s)", r.Line, c, field)
	}
	if field == "" {
		return fmt.Sprintf("line %d", r.Line)
	}
	return fmt.Sprintf("line %d (%s)", r.Line, field)
}

// MaxRows is how many rows are read.
const MaxRows = 1000

// Read reads rows by the columns that are known. Empty cells are left out.
func Read(r io.Reader, columns []Column) ([]Row, error) {
	in := csv.NewReader(r)
	in.ReuseRecord = true
	head, err := in.Read()
	if err != nil {
		return nil, unreadable(err)
	}
	head = slices.Clone(head)
	head[0] = strings.TrimPrefix(head[0], "\ufeff") // as spreadsheets begin a file
	kinds := make([]*Column, len(head))
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	seen, state := map[string]bool{}, -1
	for i, name := range head {
		name = strings.TrimSpace(name)
		if strings.HasPrefix(name, "_") {
			if name == "_state" {
				state = i
			}
			continue
		}
		at := slices.Index(names, name)
		if at < 0 || seen[name] {
			return nil, problem.BadField(fmt.Sprintf("line 1, column %d (%s)", i+1, printable(name)), "is not a column, or is there twice", "Use "+strings.Join(names, ", "))
		}
		seen[name] = true
		kinds[i] = &columns[at]
	}
	var out []Row
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if len(out) == MaxRows {
			return nil, problem.BadField("file", fmt.Sprintf("has more than %d rows", MaxRows), "Split it: each file is done as a whole or not at all")
		}
		line, _ := in.FieldPos(0)
		row := Row{Line: line, Columns: map[string]int{}, Fields: map[string]json.RawMessage{}}
		for i, cell := range cells {
			row.Ended = row.Ended || i == state && cell == "ended"
			if kinds[i] == nil || cell == "" {
				continue
			}
			row.Columns[kinds[i].Name] = i + 1
			value, err := kinds[i].read(cell)
			if err != nil {
				return nil, problem.BadField(row.At(kinds[i].Name), err.Error(), "Write a number, true, or a list such as [\"a\", \"b\"]")
			}
			row.Fields[kinds[i].Name] = value
		}
		if len(row.Fields) > 0 {
			out = append(out, row)
		}
	}
}

func (c *Column) read(cell string) (json.RawMessage, error) {
	if !utf8.ValidString(cell) {
		return nil, errors.New("is not text in UTF-8")
	}
	if c.Text {
		return json.Marshal(strings.TrimPrefix(cell, "'"))
	}
	if !json.Valid([]byte(cell)) {
		return nil, errors.New("is not JSON")
	}
	return json.RawMessage(strings.TrimSpace(cell)), nil
}

func unreadable(err error) error {
	var p *csv.ParseError
	if errors.As(err, &p) {
		return problem.BadField(fmt.Sprintf("line %d, column %d", p.Line, p.Column), p.Err.Error(), "Save the sheet as CSV with commas, in UTF-8")
	}
	return problem.BadField("file", "is not CSV", "Save the sheet as CSV with commas, in UTF-8").Because(err)
}

// printable keeps a name that came from outside on a line.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s[:min(len(s), 60)])
}
