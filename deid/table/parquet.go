package table

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/problem"
)

// TransformParquet carries out the rules on a Parquet file of size bytes, and
// writes one with the columns that leave, all of them optional. A column that
// is kept keeps its type; what any other method makes is a string. Nothing else
// of the file is taken over: no metadata, no statistics, no removed column.
//
// Values are read as CSV would hold them: dates and timestamps in ISO 8601 (a
// timestamp in UTC), decimals and numbers in digits. A column that leaves must
// be flat: see the package comment for what is refused.
//
// The file is read twice or, where the rules demand a risk, three times; of it
// the quasi-identifiers and the sensitive columns are held in memory. Codes,
// shifts and scrubbed text must be the same each time. After an error what is
// in dst must not be used.
func TransformParquet(ctx context.Context, src io.ReaderAt, size int64, dst io.Writer, rules *Rules, o Options) (m Manifest, err error) {
	// The library panics on some damaged files. A panic quotes what it read.
	defer func() {
		if recover() != nil {
			m, err = Manifest{}, damaged()
		}
	}()
	if err := rules.Check(); err != nil {
		return Manifest{}, err
	}
	in := sha256.New()
	if _, err := io.Copy(in, io.NewSectionReader(src, 0, size)); err != nil {
		return Manifest{}, fmt.Errorf("reading the Parquet file: %w", err)
	}
	if !footed(src, size) {
		return Manifest{}, damaged()
	}
	f, err := parquet.OpenFile(src, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return Manifest{}, damaged()
	}
	q, err := bindParquet(f, rules, &o)
	if err != nil {
		return Manifest{}, err
	}
	if err := q.sample(ctx); err != nil {
		return Manifest{}, err
	}
	var res *risk.Result
	if rules.Risk != nil {
		if res, err = q.reach(ctx); err != nil {
			return Manifest{}, err
		}
	}
	sum := sha256.New()
	if err := q.write(ctx, io.MultiWriter(dst, sum), res); err != nil {
		return Manifest{}, err
	}
	q.p.manifest.Input, q.p.manifest.Output = hexOf(in), hexOf(sum)
	return q.p.manifest, nil
}

// footed says whether the length of the footer, which the library takes as it
// is to reserve memory, fits into the file.
func footed(src io.ReaderAt, size int64) bool {
	var end [8]byte
	if size < 12 {
		return false
	}
	if n, _ := src.ReadAt(end[:], size-8); n != len(end) || string(end[4:]) != "PAR1" {
		return false
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	return length > 0 && length <= size-12 && length <= maxFooter
}

const maxFooter = 64 << 20

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func damaged() error {
	return problem.BadField("file", "cannot be read as Parquet", "It may be damaged, encrypted, or of another kind: write it again, unencrypted, or give it as CSV")
}

// parquetTable is a plan bound to a file.
type parquetTable struct {
	p     *plan
	file  *parquet.File
	leafs []leaf // by leaf column of the file; the ones that are not needed have no text
	names int    // columns of the file
	typed []bool // by field: it keeps its type
	row   [][]byte
	arena []byte
}

// leaf is a column of the file that is needed.
type leaf struct {
	column int // among the file's top-level columns
	node   parquet.Node
	text   func(dst []byte, v parquet.Value) ([]byte, error)
}

func bindParquet(f *parquet.File, rules *Rules, o *Options) (*parquetTable, error) {
	if n := f.NumRows(); n < 0 || n > math.MaxInt32 {
		return nil, damaged()
	}
	columns := f.Schema().Fields()
	names := make([]string, len(columns))
	seen := map[string]bool{}
	for i, c := range columns {
		names[i] = c.Name()
		key := nameKey(names[i])
		if key == "" || seen[key] {
			return nil, problem.BadField(fmt.Sprintf("column %d", i+1), "has no name, or that of another column", "Give every column a name of its own; upper and lower case count as one")
		}
		seen[key] = true
	}
	p, err := rules.bind(names, o)
	if err != nil {
		return nil, err
	}
	q := &parquetTable{p: p, file: f, names: len(names), row: make([][]byte, len(names))}
	paths := f.Schema().Columns()
	q.leafs = make([]leaf, len(paths))
	needed := map[int]bool{}
	for _, fd := range p.fields {
		needed[fd.from] = true
		keeps := fd.rule.Method == Keep || fd.rule.Method == KeepIfShape
		if x := rules.Risk; x != nil && x.Reach == GeneraliseAll && slices.ContainsFunc(x.Quasi, func(n string) bool { return sameName(n, fd.rule.Name) }) {
			keeps = false
		}
		q.typed = append(q.typed, keeps)
	}
	if p.subject >= 0 {
		needed[p.subject] = true
	}
	for i, c := range columns {
		if !needed[i] {
			continue
		}
		if !c.Leaf() || c.Repeated() {
			return nil, unsupported(i, "is nested or repeated")
		}
		text := textOf(c.Type())
		if text == nil {
			return nil, unsupported(i, "has a type that is not read")
		}
		for j, path := range paths {
			if len(path) == 1 && path[0] == c.Name() {
				q.leafs[j] = leaf{column: i, node: c, text: text}
			}
		}
	}
	return q, nil
}

func unsupported(column int, what string) error {
	return problem.New(problem.Unsupported, fmt.Sprintf("column %d %s", column+1, what), "Remove it by its rule, or write it as a plain column of text, numbers or dates")
}

// textOf is how the values of a type are read; nil: they are not.
func textOf(t parquet.Type) func([]byte, parquet.Value) ([]byte, error) {
	var logical format.LogicalTypeValue
	if l := t.LogicalType(); l != nil {
		logical = l.Value
	}
	switch l := logical.(type) {
	case *format.DateType:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return time.Unix(int64(v.Int32())*86_400, 0).UTC().AppendFormat(dst, time.DateOnly), nil
		}
	case *format.TimestampType:
		unit := unitOf(l.Unit)
		if unit == 0 {
			return nil
		}
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			n := v.Int64()
			per := int64(time.Second / unit)
			at := time.Unix(n/per, n%per*int64(unit)).UTC()
			return at.AppendFormat(dst, "2006-01-02T15:04:05.999999999Z07:00"), nil
		}
	case *format.DecimalType:
		if k := t.Kind(); (k != parquet.Int32 && k != parquet.Int64) || l.Scale < 0 || l.Scale > 18 {
			return nil
		}
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			n := v.Int64()
			if t.Kind() == parquet.Int32 {
				n = int64(v.Int32())
			}
			return appendScaled(dst, n, int(l.Scale)), nil
		}
	case *format.UUIDType:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			b := v.ByteArray()
			if len(b) != 16 {
				return nil, errText
			}
			return fmt.Appendf(dst, "%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
		}
	case *format.IntType:
		if !l.IsSigned {
			return func(dst []byte, v parquet.Value) ([]byte, error) {
				if t.Kind() == parquet.Int32 {
					return strconv.AppendUint(dst, uint64(v.Uint32()), 10), nil
				}
				return strconv.AppendUint(dst, v.Uint64(), 10), nil
			}
		}
	case nil, *format.StringType, *format.EnumType, *format.JsonType:
	default:
		return nil
	}
	switch t.Kind() {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendBool(dst, v.Boolean()), nil }
	case parquet.Int32:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendInt(dst, int64(v.Int32()), 10), nil
		}
	case parquet.Int64:
		return func(dst []byte, v parquet.Value) ([]byte, error) { return strconv.AppendInt(dst, v.Int64(), 10), nil }
	case parquet.Float:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendFloat(dst, float64(v.Float()), 'f', -1, 32), nil
		}
	case parquet.Double:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			return strconv.AppendFloat(dst, v.Double(), 'f', -1, 64), nil
		}
	case parquet.ByteArray:
		return func(dst []byte, v parquet.Value) ([]byte, error) {
			if b := v.ByteArray(); utf8.Valid(b) {
				return append(dst, b...), nil
			}
			return nil, errText
		}
	}
	return nil
}

var errText = errors.New("the bytes are not what the column's type says")

func unitOf(u format.TimeUnit) time.Duration {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return time.Millisecond
	case *format.MicroSeconds:
		return time.Microsecond
	case *format.NanoSeconds:
		return time.Nanosecond
	}
	return 0
}

// appendScaled writes n / 10^scale.
func appendScaled(dst []byte, n int64, scale int) []byte {
	s := strconv.FormatInt(n, 10)
	neg := s[0] == '-'
	if neg {
		dst = append(dst, '-')
		s = s[1:]
	}
	for len(s) <= scale {
		s = "0" + s
	}
	dst = append(dst, s[:len(s)-scale]...)
	if scale > 0 {
		dst = append(append(dst, '.'), s[len(s)-scale:]...)
	}
	return dst
}

// each gives every row to f: as text by column of the file, and as the values
// of the row. Both are valid until f returns.
func (q *parquetTable) each(ctx context.Context, f func(n int, text [][]byte, values parquet.Row) error) error {
	n := 0
	buf := make([]parquet.Row, 128)
	for _, group := range q.file.RowGroups() {
		err := func() error {
			rows := group.Rows()
			defer rows.Close()
			for {
				if err := ctx.Err(); err != nil {
					return err
				}
				got, err := rows.ReadRows(buf)
				for _, row := range buf[:got] {
					if err := q.text(n, row); err != nil {
						return err
					}
					if err := f(n, q.row, row); err != nil {
						return err
					}
					n++
				}
				if err == io.EOF {
					return nil
				}
				if err != nil || got == 0 {
					return damaged()
				}
			}
		}()
		if err != nil {
			return err
		}
	}
	if int64(n) != q.file.NumRows() {
		return damaged()
	}
	return nil
}

// text renders what is needed of a row.
func (q *parquetTable) text(n int, row parquet.Row) error {
	clear(q.row)
	q.arena = q.arena[:0]
	for _, v := range row {
		c := v.Column()
		if c < 0 || c >= len(q.leafs) {
			return damaged()
		}
		l := &q.leafs[c]
		if l.text == nil || v.IsNull() {
			continue
		}
		start := len(q.arena)
		out, err := l.text(q.arena, v)
		if err != nil {
			return problem.BadField(fmt.Sprintf("row %d, column %d", n+1, l.column+1), "does not hold what the column's type says", "Write the column as text in UTF-8, or remove it by its rule")
		}
		q.arena = out
		q.row[l.column] = q.arena[start:len(q.arena):len(q.arena)]
	}
	return nil
}

var errEnough = errors.New("enough rows")

func (q *parquetTable) sample(ctx context.Context) error {
	out := make([]sampled, len(q.p.fields))
	size := 0
	err := q.each(ctx, func(n int, text [][]byte, _ parquet.Row) error {
		if n == sampleRows || size > sampleBytes {
			return errEnough
		}
		for i, f := range q.p.fields {
			out[i].add(text[f.from])
			size += len(text[f.from])
		}
		return nil
	})
	if err != nil && err != errEnough {
		return err
	}
	return q.p.check(out)
}

// reach measures the risk of what would leave, and finds what reaches it.
func (q *parquetTable) reach(ctx context.Context) (*risk.Result, error) {
	names := append(q.p.exact(q.p.rules.Risk.Quasi), q.p.exact(q.p.rules.Risk.Sensitive)...)
	at := q.p.places(names)
	t := risk.NewTable(names)
	m := &rowMaker{p: q.p}
	some := make([][]byte, len(at))
	err := q.each(ctx, func(_ int, text [][]byte, _ parquet.Row) error {
		out, err := m.make(text)
		if err != nil {
			return err
		}
		for i, j := range at {
			some[i] = out[j]
		}
		return t.Append(some)
	})
	if err != nil {
		return nil, err
	}
	for i := range q.p.manifest.Columns { // they are counted as they leave
		c := &q.p.manifest.Columns[i]
		*c = ColumnCount{Name: c.Name, Method: c.Method, Kind: c.Kind}
	}
	return q.p.reach(ctx, t)
}

// ordered is a group whose fields keep their order.
type ordered struct {
	parquet.Group
	names []string
}

// Fields implements parquet.Node.
func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	out := make([]parquet.Field, len(o.names))
	for _, f := range fields {
		out[slices.Index(o.names, f.Name())] = f
	}
	return out
}

// groupBytes is how much a row group may hold before it is written.
const groupBytes = 32 << 20

func (q *parquetTable) write(ctx context.Context, dst io.Writer, res *risk.Result) error {
	group := parquet.Group{}
	for i, f := range q.p.fields {
		node := parquet.String()
		if q.typed[i] {
			for _, l := range q.leafs {
				if l.text != nil && l.column == f.from {
					node = parquet.Leaf(l.node.Type())
				}
			}
		}
		group[f.rule.Name] = parquet.Optional(node)
	}
	schema := parquet.NewSchema("table", ordered{group, q.p.names()})
	w := parquet.NewWriter(dst, schema, parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(1<<17), parquet.CreatedBy("sallyport", "", ""))
	m := &rowMaker{p: q.p}
	var quasi []int
	if q.p.rules.Risk != nil {
		quasi = q.p.places(q.p.rules.Risk.Quasi)
	}
	size := 0
	out := make(parquet.Row, len(q.p.fields))
	values := make([]parquet.Value, q.names)
	err := q.each(ctx, func(n int, text [][]byte, row parquet.Row) error {
		q.p.manifest.Rows++
		fields, err := m.make(text)
		if err != nil {
			return err
		}
		if res != nil {
			if res.Suppressed(n) {
				return nil
			}
			for i, j := range quasi {
				fields[j] = []byte(res.Value(n, i))
			}
		}
		for _, v := range row {
			if l := &q.leafs[v.Column()]; l.text != nil {
				values[l.column] = v
			}
		}
		for i, f := range q.p.fields {
			size += 8 + len(fields[i])
			switch {
			case len(fields[i]) == 0 && !(q.typed[i] && text[f.from] != nil && len(text[f.from]) == 0):
				out[i] = parquet.NullValue().Level(0, 0, i)
			case q.typed[i]:
				out[i] = values[f.from].Level(0, 1, i)
			default:
				out[i] = parquet.ByteArrayValue(fields[i]).Level(0, 1, i)
			}
		}
		if _, err := w.WriteRows([]parquet.Row{out}); err != nil {
			return fmt.Errorf("writing the table: %w", err)
		}
		q.p.manifest.Released++
		if size > groupBytes {
			size = 0
			if err := w.Flush(); err != nil {
				return fmt.Errorf("writing the table: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}
