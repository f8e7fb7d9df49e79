// Package csv reads and writes comma-separated values (RFC 4180) strictly.
//
// What is not RFC 4180 is refused, never mended: a row with more or fewer
// fields than the header, a quote inside an unquoted field or text after a
// closing one, a NUL, a lone carriage return, bytes that are not UTF-8, a byte
// order mark, a column without a name or two of one name. A reader that
// guesses is a parser differential: the rule of one column would fall on the
// values of another. Two things that are not in the RFC pass: a line may end
// in LF alone, and characters outside ASCII may stand in a field.
//
// An error names the row (the header is row 1), the column (from 1) and what
// is wrong. It never holds what stands there, not even in the header: a file
// without a header has a patient in it.
//
// Memory is bounded by the longest row that is allowed.
package csv

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/sallyport/sallyport/problem"
)

// The limits. A file beyond them is refused.
const (
	MaxRow     = 8 << 20 // bytes of a row
	MaxColumns = 10_000
)

const firstBuffer = 64 << 10

// rfc is what every refusal cites.
const rfc = "RFC 4180, section 2"

// Reader reads rows. It is for one goroutine.
type Reader struct {
	src   io.Reader
	comma byte
	plain [256]bool // bytes that end the run of an unquoted field

	buf   []byte
	start int // where the row begins in buf
	pos   int // the next byte to look at
	end   int // of what was read
	err   error
	empty int // reads in a row that gave nothing

	row    int // of the row that was read last; the header is 1
	want   int // columns
	cuts   []span
	fields [][]byte
}

// span is a field: where it lies in its row.
type span struct{ from, to int }

// NewReader reads fields separated by comma, one ASCII character that is not
// a quote, a line end or NUL. Any other comma gives a reader that refuses.
func NewReader(src io.Reader, comma byte) *Reader {
	r := &Reader{src: src, comma: comma, buf: make([]byte, firstBuffer)}
	if comma == 0 || comma == '"' || comma == '\n' || comma == '\r' || comma >= utf8.RuneSelf {
		r.err = problem.BadField("separator", "cannot separate fields", "Use a comma, a semicolon or a tab")
	}
	for _, b := range []byte{comma, '"', '\n', '\r', 0} {
		r.plain[b] = true
	}
	return r
}

// Row is the number of the row that was read last; the header is row 1.
func (r *Reader) Row() int { return r.row }

// Header reads the first row: the names of the columns, which every further
// row must match in number.
func (r *Reader) Header() ([]string, error) {
	if r.row != 0 {
		return nil, errors.New("the header was read before")
	}
	if r.more() && r.buf[r.pos] == 0xEF {
		for r.end-r.pos < 3 && r.fill() {
			continue
		}
		if bytes.HasPrefix(r.buf[r.pos:r.end], []byte("\uFEFF")) {
			return nil, at(1, 1, "begins with a byte order mark", "Save the file as UTF-8 without one")
		}
	}
	fields, err := r.Next()
	if err == io.EOF {
		return nil, at(1, 0, "is missing: the file is empty", "Give a file whose first row names the columns")
	}
	if err != nil {
		return nil, err
	}
	seen := make(map[string]int, len(fields))
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = string(f)
		key := strings.ToLower(strings.TrimSpace(names[i]))
		if key == "" {
			return nil, at(1, i+1, "has no name", "Give every column a name")
		}
		if first, ok := seen[key]; ok {
			return nil, at(1, i+1, fmt.Sprintf("has the name of column %d", first), "Give every column a name of its own; upper and lower case count as one")
		}
		seen[key] = i + 1
	}
	r.want = len(fields)
	return names, nil
}

// Next reads a row. Its fields are valid until the next call. After the last
// row the error is io.EOF.
func (r *Reader) Next() ([][]byte, error) {
	r.start = r.pos
	r.cuts = r.cuts[:0]
	if !r.more() {
		if r.err == io.EOF {
			return nil, io.EOF
		}
		return nil, r.failed()
	}
	r.row++
	for last := false; !last; {
		if len(r.cuts) == r.limit() {
			if r.want == 0 {
				return nil, r.fault("is one too many", fmt.Sprintf("At most %d columns are read", MaxColumns))
			}
			return nil, r.fault("is one more than the header has", "Quote a field that holds a separator, or mend the row")
		}
		var err error
		if r.more() && r.buf[r.pos] == '"' {
			last, err = r.quoted()
		} else {
			last, err = r.unquoted()
		}
		if err != nil {
			return nil, err
		}
	}
	if r.want > 0 && len(r.cuts) < r.want {
		return nil, r.fault("is missing: the row has fewer columns than the header", "Mend the row, or remove the blank line")
	}
	r.fields = r.fields[:0]
	for i, c := range r.cuts {
		f := r.buf[r.start+c.from : r.start+c.to : r.start+c.to]
		if !utf8.Valid(f) {
			return nil, at(r.row, i+1, "is not UTF-8", "Save the file as UTF-8")
		}
		r.fields = append(r.fields, f)
	}
	return r.fields, nil
}

func (r *Reader) limit() int {
	if r.want > 0 {
		return r.want
	}
	return MaxColumns
}

// unquoted reads a field without quotes and the separator or line end after it.
func (r *Reader) unquoted() (last bool, err error) {
	from := r.pos - r.start
	for {
		i, b := r.pos, r.buf[:r.end]
		for i < len(b) && !r.plain[b[i]] {
			i++
		}
		r.pos = i
		if i < r.end {
			break
		}
		if !r.more() {
			if r.err != io.EOF {
				return false, r.failed()
			}
			r.cuts = append(r.cuts, span{from, r.pos - r.start})
			return true, nil
		}
	}
	to := r.pos - r.start
	switch r.buf[r.pos] {
	case '"':
		return false, r.fault("holds a quote, but does not begin with one", "Put the field in quotes, and write each quote in it twice")
	case 0:
		return false, r.nul()
	}
	return r.separator(from, to)
}

// quoted reads a field in quotes and what ends it. Doubled quotes are made one
// in place.
func (r *Reader) quoted() (last bool, err error) {
	r.pos++
	from := r.pos - r.start
	to := from
	for {
		b := r.buf[r.pos:r.end]
		n := bytes.IndexByte(b, '"')
		if n < 0 {
			n = len(b)
		}
		if bytes.IndexByte(b[:n], 0) >= 0 {
			return false, r.nul()
		}
		if r.start+to != r.pos {
			copy(r.buf[r.start+to:], b[:n])
		}
		to += n
		r.pos += n
		if r.pos == r.end {
			if r.more() {
				continue
			}
			if r.err != io.EOF {
				return false, r.failed()
			}
			return false, r.fault("begins with a quote that is never closed", "Close it")
		}
		r.pos++
		if !r.more() {
			if r.err != io.EOF {
				return false, r.failed()
			}
			r.cuts = append(r.cuts, span{from, to})
			return true, nil
		}
		switch r.buf[r.pos] {
		case '"':
			r.buf[r.start+to] = '"'
			to++
			r.pos++
		case r.comma, '\n', '\r':
			return r.separator(from, to)
		default:
			return false, r.fault("has text after its closing quote", "Write each quote in a field twice")
		}
	}
}

// separator steps over what ends a field.
func (r *Reader) separator(from, to int) (last bool, err error) {
	b := r.buf[r.pos]
	r.pos++
	if b == '\r' {
		if !r.more() && r.err != io.EOF {
			return false, r.failed()
		}
		if r.pos == r.end || r.buf[r.pos] != '\n' {
			return false, r.fault("ends in a carriage return alone", "End each row with CRLF or LF, and quote a field that holds a line end")
		}
		r.pos++
		b = '\n'
	}
	r.cuts = append(r.cuts, span{from, to})
	return b == '\n', nil
}

// more reports whether there is a byte at pos.
func (r *Reader) more() bool {
	return r.pos < r.end || r.fill()
}

// fill reads more, keeping the row that has begun.
func (r *Reader) fill() bool {
	if r.err != nil {
		return false
	}
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.pos -= r.start
		r.end -= r.start
		r.start = 0
	}
	if r.end == len(r.buf) {
		if len(r.buf) >= MaxRow {
			p := at(max(r.row, 1), len(r.cuts)+1, fmt.Sprintf("makes the row longer than %d bytes", MaxRow), "A quote may be open; if the row is right, keep long documents out of tables")
			p.Kind = problem.TooLarge
			r.err = p
			return false
		}
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	for {
		n, err := r.src.Read(r.buf[r.end:])
		if n < 0 || n > len(r.buf)-r.end {
			r.err = errors.New("a reader gave an impossible count")
			return false
		}
		r.end += n
		if err != nil {
			r.err = err
		}
		if n > 0 {
			r.empty = 0
			return true
		}
		if err != nil {
			return false
		}
		if r.empty++; r.empty > 100 {
			r.err = io.ErrNoProgress
			return false
		}
	}
}

// failed is the error of the source.
func (r *Reader) failed() error {
	var p *problem.Problem
	if errors.As(r.err, &p) {
		return p
	}
	return fmt.Errorf("reading row %d: %w", r.row+1, r.err)
}

func (r *Reader) fault(what, next string) error {
	return at(r.row, len(r.cuts)+1, what, next)
}

func (r *Reader) nul() error {
	return r.fault("holds a NUL", "It is not a text file in UTF-8, or it is damaged: export it again")
}

func at(row, column int, what, next string) *problem.Problem {
	where := fmt.Sprintf("row %d", row)
	if column > 0 {
		where += fmt.Sprintf(", column %d", column)
	}
	p := problem.BadField(where, what, next)
	p.Citation = rfc
	return p
}

// Append writes one row to dst. A field is quoted where it must be.
func Append(dst []byte, comma byte, fields ...[]byte) []byte {
	if len(fields) == 1 && len(fields[0]) == 0 {
		return append(dst, "\"\"\r\n"...) // an empty line is no row to many readers
	}
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, comma)
		}
		dst = AppendField(dst, comma, f)
	}
	return append(dst, '\r', '\n')
}

// AppendField writes one field to dst, in quotes if it holds the separator, a
// quote or a line end.
func AppendField(dst []byte, comma byte, f []byte) []byte {
	if bytes.IndexByte(f, comma) < 0 && bytes.IndexByte(f, '"') < 0 && bytes.IndexByte(f, '\n') < 0 && bytes.IndexByte(f, '\r') < 0 {
		return append(dst, f...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(f, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, f[:i+1]...), '"')
		f = f[i+1:]
	}
	return append(append(dst, f...), '"')
}
