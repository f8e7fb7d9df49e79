package risk

import (
	"fmt"
	"math"

	"github.com/sallyport/sallyport/problem"
)

// Table is rows in columns, each value stored once and then by number. It is
// for one goroutine while it is filled, and for many afterwards.
type Table struct {
	_       [0]func() // not comparable
	columns []column
	rows    int
}

// column is a dictionary and, for each row, the number of its value.
type column struct {
	name   string
	dict   []string          // the values, in order of first appearance
	number map[string]uint32 // where a value stands in dict
	codes  []uint32          // by row
}

// NewTable makes a table without rows. Names are the caller's, not the data's:
// they are shown.
func NewTable(names []string) *Table {
	t := &Table{columns: make([]column, len(names))}
	for i, name := range names {
		t.columns[i] = column{name: name, number: map[string]uint32{}}
	}
	return t
}

// Format implements fmt.Formatter: a table does not print.
func (Table) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[PHI]")) }

// MarshalJSON fails: a table does not leave by accident.
func (Table) MarshalJSON() ([]byte, error) {
	return nil, problem.New(problem.Internal, "a table of patient data cannot be marshalled", "Marshal its report")
}

// Append adds a row; the fields are copied.
func (t *Table) Append(row [][]byte) error {
	if len(row) != len(t.columns) {
		return problem.New(problem.Invalid, fmt.Sprintf("a row has %d fields, but the table has %d columns", len(row), len(t.columns)), "Give every row a field for every column")
	}
	if t.rows == math.MaxInt32 {
		return problem.New(problem.TooLarge, fmt.Sprintf("the table has more than %d rows", math.MaxInt32), "Measure it in parts that are released apart")
	}
	for i, f := range row {
		c := &t.columns[i]
		n, ok := c.number[string(f)]
		if !ok {
			n = uint32(len(c.dict))
			s := string(f)
			c.number[s] = n
			c.dict = append(c.dict, s)
		}
		c.codes = append(c.codes, n)
	}
	t.rows++
	return nil
}

// Rows is how many rows there are.
func (t *Table) Rows() int { return t.rows }

// Value is what stands in a row and column, both from 0.
func (t *Table) Value(row, col int) string {
	c := &t.columns[col]
	return c.dict[c.codes[row]]
}

// find gives the columns of the names.
func (t *Table) find(names []string) ([]*column, error) {
	out := make([]*column, len(names))
	for i, name := range names {
		for j := range t.columns {
			if t.columns[j].name == name {
				out[i] = &t.columns[j]
			}
		}
		if out[i] == nil {
			return nil, problem.BadField(name, "is not a column of the table", "Name a column that stays in the output")
		}
		for _, before := range names[:i] {
			if before == name {
				return nil, problem.BadField(name, "is named twice", "Name each column once")
			}
		}
	}
	return out, nil
}

// dim is one column as a sum term of a key: what each value adds.
type dim struct {
	codes []uint32
	term  []uint32 // by code: the number of the (generalised) value
	size  uint64   // how many numbers there are
}

// identity is the dim of a column as it is.
func (c *column) identity() dim {
	term := make([]uint32, len(c.dict))
	for i := range term {
		term[i] = uint32(i)
	}
	return dim{codes: c.codes, term: term, size: uint64(max(1, len(term)))}
}

// classes numbers the equivalence classes of n rows over the dims: out[i] is
// the class of row i, from 0 in order of first appearance. It is exact: keys
// are mixed-radix numbers that do not overflow, and where one word does not
// hold the product of the sizes, the classes so far are numbered and carried
// on as one digit.
func classes(dims []dim, n int, out []uint32, s *scratch) (count int) {
	if cap(s.keys) < n {
		s.keys = make([]uint64, n)
	}
	keys := s.keys[:n]
	clear(keys)
	width := uint64(1)
	for _, d := range dims {
		if d.size <= 1 {
			continue
		}
		if width > math.MaxInt64/d.size {
			width = uint64(s.number(keys, out))
			for i, c := range out {
				keys[i] = uint64(c)
			}
		}
		stride := width
		for i, code := range d.codes[:n] {
			keys[i] += uint64(d.term[code]) * stride
		}
		width *= d.size
	}
	return s.number(keys, out)
}

// scratch is memory that is used again.
type scratch struct {
	keys  []uint64
	slots []slot
	round uint32
}

type slot struct {
	key   uint64
	class uint32
	round uint32 // the slot is free unless it is of this round
}

// number gives every distinct key a number, in order of first appearance. The
// keys go into an open table that is at most half full, spread by a fixed
// mixing function: what is numbered are counters of ours, not the values of
// whoever made the file.
func (s *scratch) number(keys []uint64, out []uint32) int {
	bits := uint(4)
	for 1<<bits < 2*len(keys) {
		bits++
	}
	if len(s.slots) < 1<<bits {
		s.slots, s.round = make([]slot, 1<<bits), 0
	}
	if s.round == math.MaxUint32 {
		clear(s.slots)
		s.round = 0
	}
	s.round++
	round, slots := s.round, s.slots
	bits = 0
	for 1<<bits < len(slots) {
		bits++
	}
	mask, shift := uint64(len(slots)-1), 64-bits
	count := uint32(0)
	for i, key := range keys {
		h := mix(key) >> shift
		for {
			at := &slots[h&mask]
			if at.round != round {
				*at = slot{key, count, round}
				out[i] = count
				count++
				break
			}
			if at.key == key {
				out[i] = at.class
				break
			}
			h++
		}
	}
	return int(count)
}

func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0x9E3779B97F4A7C15
	x ^= x >> 29
	return x * 0xBF58476D1CE4E5B9
}
