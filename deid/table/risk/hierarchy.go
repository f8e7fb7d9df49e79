package risk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/sallyport/sallyport/deid/table/csv"
	"github.com/sallyport/sallyport/problem"
)

// The limits of a hierarchy.
const (
	maxLevels = 64
	maxLeaves = 1 << 20
)

// Hierarchy says what a value becomes at each level: itself at level 0, then
// wider and wider. It is immutable.
type Hierarchy struct {
	leaf   map[string]uint32
	parent [][]uint32 // parent[level][leaf] is the number of its label there
	labels [][]string // labels[level][number]
	digest string
}

// ReadHierarchy reads ARX's form: a row for each value, without a header,
// separated by semicolons; the value first, then what it becomes at level 1, 2
// and so on. Every row has the same number of levels, a value stands once, and
// two values that agree at a level agree at every higher one: without that,
// generalising would part what it had joined, and the search would be wrong.
func ReadHierarchy(src io.Reader) (*Hierarchy, error) {
	sum := sha256.New()
	r := csv.NewReader(io.TeeReader(src, sum), ';')
	h := &Hierarchy{leaf: map[string]uint32{}}
	var numbers []map[string]uint32
	var up []map[uint32]uint32 // up[level][number] is the number one level higher
	for {
		row, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if h.parent == nil {
			if len(row) > maxLevels {
				return nil, bad(r, fmt.Sprintf("has more than %d levels", maxLevels), "Take out levels that nobody would choose")
			}
			if bytes.HasPrefix(row[0], []byte("\uFEFF")) {
				return nil, bad(r, "begins with a byte order mark", "Save the file as UTF-8 without one")
			}
			for range row {
				h.parent = append(h.parent, nil)
				h.labels = append(h.labels, nil)
				numbers = append(numbers, map[string]uint32{})
				up = append(up, map[uint32]uint32{})
			}
		}
		if len(row) != len(h.parent) {
			return nil, bad(r, "has another number of levels than the first row", "Give every value every level")
		}
		if len(h.leaf) == maxLeaves {
			return nil, bad(r, fmt.Sprintf("is past the %d values that a hierarchy may have", maxLeaves), "Generalise the column by a rule instead")
		}
		if _, twice := h.leaf[string(row[0])]; twice {
			return nil, bad(r, "has a value that an earlier row has", "Keep one row for each value")
		}
		h.leaf[string(row[0])] = uint32(len(h.leaf))
		below := uint32(0)
		for level, f := range row {
			n, ok := numbers[level][string(f)]
			if !ok {
				n = uint32(len(h.labels[level]))
				label := string(f)
				numbers[level][label] = n
				h.labels[level] = append(h.labels[level], label)
			}
			h.parent[level] = append(h.parent[level], n)
			if level > 0 {
				if was, ok := up[level-1][below]; ok && was != n {
					return nil, bad(r, fmt.Sprintf("parts at level %d what is one at level %d", level, level-1), "Values that agree at a level must agree at every higher one")
				}
				up[level-1][below] = n
			}
			below = n
		}
	}
	if h.parent == nil {
		return nil, problem.BadField("hierarchy", "is empty", "Write a row for each value: the value, then what it becomes at level 1, 2 and so on, separated by semicolons")
	}
	h.digest = hex.EncodeToString(sum.Sum(nil))
	return h, nil
}

func bad(r *csv.Reader, what, next string) error {
	return problem.BadField(fmt.Sprintf("hierarchy, row %d", r.Row()), what, next)
}

// Height is the highest level; level 0 is the value itself.
func (h *Hierarchy) Height() int { return len(h.labels) - 1 }

// Digest is the SHA-256 of the file, in hex.
func (h *Hierarchy) Digest() string { return h.digest }

// Generalise gives what value becomes at level. A value or level that the
// hierarchy does not have gives false, and nothing.
func (h *Hierarchy) Generalise(value []byte, level int) (string, bool) {
	n, ok := h.leaf[string(value)]
	if !ok || level < 0 || level >= len(h.labels) {
		return "", false
	}
	return h.labels[level][h.parent[level][n]], true
}

// Format implements fmt.Formatter: a hierarchy lists values, so it does not print.
func (Hierarchy) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("[hierarchy]")) }

// Suppressed stands for a value that is not told.
const Suppressed = "*"

// flat is the hierarchy of a column that was given none: the value, or *.
func flat(c *column) *Hierarchy {
	h := &Hierarchy{leaf: c.number, parent: make([][]uint32, 2), labels: [][]string{c.dict, {Suppressed}}}
	for i := range c.dict {
		h.parent[0] = append(h.parent[0], uint32(i))
		h.parent[1] = append(h.parent[1], 0)
	}
	return h
}

// placed is a hierarchy over the values of one column.
type placed struct {
	terms  [][]uint32 // by level and code: the number of the label
	labels [][]string // by level and number
	// strangers counts the rows whose value has no place.
	strangers int
}

// over places the values of a column. An empty field, which is what a removed
// value leaves, needs no row in the hierarchy: it stays empty at every level
// but a top that has one label for all.
func (h *Hierarchy) over(c *column) placed {
	p := placed{terms: make([][]uint32, len(h.labels)), labels: slices.Clone(h.labels)}
	strange := make([]bool, len(c.dict))
	for level := range h.labels {
		term := make([]uint32, len(c.dict))
		for code, v := range c.dict {
			n, ok := h.leaf[v]
			switch {
			case ok:
				term[code] = h.parent[level][n]
			case v == "" && (level < h.Height() || len(h.labels[level]) > 1):
				term[code] = uint32(len(h.labels[level]))
				p.labels[level] = append(slices.Clip(h.labels[level]), "")
			case v != "":
				strange[code] = true
			}
		}
		p.terms[level] = term
	}
	for _, code := range c.codes {
		if strange[code] {
			p.strangers++
		}
	}
	return p
}
