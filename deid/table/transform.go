package table

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/sallyport/sallyport/deid/table/csv"
	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/hipaa"
	"github.com/sallyport/sallyport/problem"
)

// Manifest says what was done to a table. It holds no value, and of the header
// only the names that the rules have too.
type Manifest struct {
	Rules       string            `json:"rules"` // the digest of the rules
	Basis       Basis             `json:"basis"`
	AsOf        Day               `json:"as_of"`
	Columns     []ColumnCount     `json:"columns"`         // those that left, in order
	Dropped     int               `json:"dropped_columns"` // removed by a rule
	Unruled     int               `json:"unruled_columns"` // removed because no rule names them
	Rows        int               `json:"rows"`            // read
	Released    int               `json:"released_rows"`
	Input       string            `json:"input_sha256"`
	Output      string            `json:"output_sha256"`
	Hierarchies map[string]string `json:"hierarchies,omitempty"` // digests of those that were used
	Risk        *risk.Report      `json:"risk,omitempty"`        // of what was released
	Reached     *risk.Outcome     `json:"reached,omitempty"`     // how the risk was reached
	Statement   string            `json:"statement,omitempty"`   // what must be said of the output
}

// ColumnCount is what happened to the values of a column.
type ColumnCount struct {
	Name    string `json:"name"`
	Method  Method `json:"method"`
	Kind    Kind   `json:"kind,omitempty"`
	Kept    int    `json:"kept"`
	Changed int    `json:"changed"`
	Removed int    `json:"removed"` // could not be read, or may not be told
	Vetoed  int    `json:"vetoed"`  // looked like an identifier in a column that is kept
	Empty   int    `json:"empty"`
}

func (c *ColumnCount) add(f fate) {
	switch f {
	case kept:
		c.Kept++
	case changed:
		c.Changed++
	case vetoed:
		c.Vetoed++
	case empty:
		c.Empty++
	default:
		c.Removed++
	}
}

// field is a column that leaves.
type field struct {
	from  int // its place in the input
	rule  *Column
	apply method
}

// plan is rules bound to a header.
type plan struct {
	rules    *Rules
	options  *Options
	fields   []field
	subject  int // column, or -1
	manifest Manifest
}

// bind finds the columns of the rules in a header.
func (r *Rules) bind(names []string, o *Options) (*plan, error) {
	p := &plan{rules: r, options: o, subject: -1}
	p.manifest = Manifest{Rules: r.Digest(), Basis: r.Basis, AsOf: r.AsOf}
	seen := map[*Column]bool{}
	for i, name := range names {
		if r.Subject != "" && sameName(name, r.Subject) {
			p.subject = i
		}
		c := r.find(name)
		switch {
		case c == nil:
			p.manifest.Unruled++
			continue
		case c.Method == Remove:
			p.manifest.Dropped++
			continue
		}
		seen[c] = true
		apply, err := r.compile(c, o)
		if err != nil {
			return nil, err
		}
		p.fields = append(p.fields, field{from: i, rule: c, apply: apply})
		p.manifest.Columns = append(p.manifest.Columns, ColumnCount{Name: c.Name, Method: c.Method, Kind: c.Kind})
		if k := KindOf(c.Name); k != UnknownKind {
			p.manifest.Columns[len(p.manifest.Columns)-1].Kind = k
		}
		if c.Method == Scrub && r.Basis == SafeHarbor {
			p.manifest.Statement = notSafeHarbor
		}
		if c.Method == Generalise {
			p.used(c.Hierarchy)
		}
	}
	for i := range r.Columns {
		if c := &r.Columns[i]; c.Method != Remove && !seen[c] {
			return nil, problem.BadField(fmt.Sprintf("columns[%d].name", i), "is not a column of the table", "Write it as the header has it, or take the rule out")
		}
	}
	if r.Subject != "" && p.subject < 0 {
		return nil, problem.BadField("subject", "is not a column of the table", "Write it as the header has it")
	}
	if len(p.fields) == 0 {
		return nil, problem.New(problem.Refused, "the rules remove every column of the table", "Name a column that may leave")
	}
	if r.Risk != nil {
		for _, name := range r.Risk.Hierarchies {
			if o.Hierarchies[name] == nil {
				return nil, problem.BadField("risk.hierarchies", "names a hierarchy that was not given", "Give the file of the hierarchy")
			}
			p.used(name)
		}
	}
	return p, nil
}

func (p *plan) used(hierarchy string) {
	if h := p.options.Hierarchies[hierarchy]; h != nil {
		if p.manifest.Hierarchies == nil {
			p.manifest.Hierarchies = map[string]string{}
		}
		p.manifest.Hierarchies[hierarchy] = h.Digest()
	}
}

// check looks at a sample before anything leaves.
func (p *plan) check(sample []sampled) error {
	for i := range sample {
		f := &p.fields[i]
		finding := sample[i].judge(f.from+1, f.rule.Name)
		if err := p.rules.veto(finding, f.rule); err != nil {
			return err
		}
	}
	return nil
}

// names are those of the columns that leave.
func (p *plan) names() []string {
	out := make([]string, len(p.fields))
	for i, f := range p.fields {
		out[i] = f.rule.Name
	}
	return out
}

// Transform carries out the rules on CSV from src and writes CSV to dst. What a
// rule does not name is removed. The first 2,000 rows are held against the
// rules before anything is written, and every value that is kept after that.
//
// Without a risk in the rules memory is bounded by the sample and the longest
// row. With one, the table is held in memory, and dst gets nothing unless the
// risk is reached.
//
// After an error what is in dst must not be used.
func Transform(ctx context.Context, src io.Reader, dst io.Writer, rules *Rules, o Options) (Manifest, error) {
	if err := rules.Check(); err != nil {
		return Manifest{}, err
	}
	if o.Comma == 0 {
		o.Comma = ','
	}
	in := sha256.New()
	r := csv.NewReader(io.TeeReader(src, in), o.Comma)
	header, err := r.Header()
	if err != nil {
		return Manifest{}, err
	}
	p, err := rules.bind(header, &o)
	if err != nil {
		return Manifest{}, err
	}
	rows := &reread{r: r}
	if err := p.check(rows.sample(p.fields)); err != nil {
		return Manifest{}, err
	}
	if rows.err != nil && rows.err != io.EOF {
		return Manifest{}, rows.err
	}
	w := newOutput(dst, o.Comma)
	if rules.Risk != nil {
		err = p.hold(ctx, rows, w)
	} else {
		err = p.stream(ctx, rows, w)
	}
	if err != nil {
		return Manifest{}, err
	}
	if err := w.close(); err != nil {
		return Manifest{}, err
	}
	p.manifest.Input = hex.EncodeToString(in.Sum(nil))
	p.manifest.Output = hex.EncodeToString(w.sum.Sum(nil))
	return p.manifest, nil
}

// reread gives the rows of the sample again, then those that follow.
type reread struct {
	r    *csv.Reader
	held [][][]byte
	next int
	err  error // what ended the sample
}

func (q *reread) sample(fields []field) []sampled {
	out := make([]sampled, len(fields))
	size := 0
	for len(q.held) < sampleRows && size < sampleBytes {
		var row [][]byte
		if row, q.err = q.r.Next(); q.err != nil {
			return out
		}
		own := make([][]byte, len(row))
		for i, v := range row {
			own[i] = slices.Clone(v)
			size += len(v)
		}
		q.held = append(q.held, own)
		for i := range fields {
			out[i].add(row[fields[i].from])
		}
	}
	return out
}

func (q *reread) row() ([][]byte, error) {
	if q.next < len(q.held) {
		row := q.held[q.next]
		q.held[q.next] = nil
		q.next++
		return row, nil
	}
	if q.err != nil {
		return nil, q.err
	}
	return q.r.Next()
}

// output writes CSV and its digest.
type output struct {
	buf   *bufio.Writer
	sum   hash.Hash
	comma byte
	line  []byte
}

func newOutput(dst io.Writer, comma byte) *output {
	sum := sha256.New()
	return &output{buf: bufio.NewWriterSize(io.MultiWriter(dst, sum), 64<<10), sum: sum, comma: comma}
}

func (w *output) row(fields [][]byte) error {
	w.line = csv.Append(w.line[:0], w.comma, fields...)
	return wrote(w.buf.Write(w.line))
}

func (w *output) header(names []string) error {
	fields := make([][]byte, len(names))
	for i, n := range names {
		fields[i] = []byte(n)
	}
	return w.row(fields)
}

func (w *output) close() error { return wrote(0, w.buf.Flush()) }

func wrote(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// rowMaker applies the methods to one row after the other, in memory that it
// uses again.
type rowMaker struct {
	p     *plan
	arena []byte
	ends  []int
	out   [][]byte
}

// make gives the fields that leave; they are valid until the next call.
func (m *rowMaker) make(row [][]byte) ([][]byte, error) {
	var subject []byte
	if m.p.subject >= 0 {
		subject = row[m.p.subject]
	}
	m.arena, m.ends, m.out = m.arena[:0], m.ends[:0], m.out[:0]
	for i := range m.p.fields {
		f := &m.p.fields[i]
		var what fate
		var err error
		m.arena, what, err = f.apply(m.arena, row[f.from], subject)
		if err != nil {
			m.arena = nil
			return nil, err
		}
		m.p.manifest.Columns[i].add(what)
		m.ends = append(m.ends, len(m.arena))
	}
	start := 0
	for _, end := range m.ends {
		m.out = append(m.out, m.arena[start:end:end])
		start = end
	}
	return m.out, nil
}

func (p *plan) stream(ctx context.Context, rows *reread, w *output) error {
	if err := w.header(p.names()); err != nil {
		return err
	}
	return p.each(ctx, rows, func(out [][]byte) error {
		if err := w.row(out); err != nil {
			return err
		}
		p.manifest.Released++
		return nil
	})
}

// each gives f every row as it may leave.
func (p *plan) each(ctx context.Context, rows *reread, f func([][]byte) error) error {
	m := &rowMaker{p: p}
	for {
		row, err := rows.row()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if p.manifest.Rows%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p.manifest.Rows++
		out, err := m.make(row)
		if err != nil {
			return err
		}
		if err := f(out); err != nil {
			return err
		}
	}
}

// hold keeps the output as a table, reaches the risk, and writes it.
func (p *plan) hold(ctx context.Context, rows *reread, w *output) error {
	t := risk.NewTable(p.names())
	if err := p.each(ctx, rows, t.Append); err != nil {
		return err
	}
	res, err := p.reach(ctx, t)
	if err != nil {
		return err
	}
	if err := w.header(p.names()); err != nil {
		return err
	}
	quasi := p.places(p.rules.Risk.Quasi)
	out := make([][]byte, len(p.fields))
	for row := range t.Rows() {
		if row%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if res != nil && res.Suppressed(row) {
			continue
		}
		for i := range p.fields {
			out[i] = append(out[i][:0], t.Value(row, i)...)
		}
		if res != nil {
			for q, i := range quasi {
				out[i] = append(out[i][:0], res.Value(row, q)...)
			}
		}
		if err := w.row(out); err != nil {
			return err
		}
		p.manifest.Released++
	}
	return nil
}

// places are the columns of the output that have the names.
func (p *plan) places(names []string) []int {
	var out []int
	for _, name := range names {
		out = append(out, slices.IndexFunc(p.fields, func(f field) bool { return sameName(f.rule.Name, name) }))
	}
	return out
}

// exact are the names as the rules of the columns have them.
func (p *plan) exact(names []string) []string {
	var out []string
	for _, i := range p.places(names) {
		out = append(out, p.fields[i].rule.Name)
	}
	return out
}

// reach measures the risk, and does what the rules permit to reach it. A nil
// result releases the table as it is.
func (p *plan) reach(ctx context.Context, t *risk.Table) (*risk.Result, error) {
	x := p.rules.Risk
	goal := x.goal()
	quasi, sensitive := p.exact(x.Quasi), p.exact(x.Sensitive)
	goal.Sensitive = p.exact(goal.Sensitive)
	rep, err := risk.Measure(t, risk.Query{Quasi: quasi, Sensitive: sensitive, Threshold: goal.Threshold})
	if err != nil {
		return nil, err
	}
	if !x.asks() || goal.Met(rep) {
		p.manifest.Risk = &rep
		return nil, nil
	}
	if x.Reach == RefuseAbove {
		r := problem.New(problem.Refused, "the table's risk of re-identification is above what the rules permit", "Release fewer columns or coarser ones, or write reach: generalise with a hierarchy for each quasi-identifier")
		r.Citation = hipaa.MustCite("P-514-b-1").Text
		r.Reasons = []problem.Reason{{Gate: "risk", Message: rep.String(), NextStep: r.NextStep, Who: "organisation", Citation: r.Citation}}
		return nil, r
	}
	var qs []risk.Quasi
	for i, name := range quasi {
		var h *risk.Hierarchy
		for column, hierarchy := range x.Hierarchies {
			if sameName(column, x.Quasi[i]) {
				h = p.options.Hierarchies[hierarchy]
			}
		}
		qs = append(qs, risk.Quasi{Name: name, Hierarchy: h})
	}
	res, err := risk.Anonymise(ctx, t, qs, goal)
	if err != nil {
		return nil, err
	}
	if !goal.Met(res.Outcome.After) {
		return nil, errors.New("the search gave a table that does not reach its goal")
	}
	after := res.Outcome.After
	p.manifest.Risk, p.manifest.Reached = &after, &res.Outcome
	return res, nil
}
