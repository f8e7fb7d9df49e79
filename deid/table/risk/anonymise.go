package risk

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/sallyport/sallyport/problem"
)

// Quasi is a quasi-identifier and how it may be coarsened.
type Quasi struct {
	Name string
	// Hierarchy has every value of the column. nil: the value stays, or is
	// told of nobody (*).
	Hierarchy *Hierarchy
}

// Goal says when a table may leave.
type Goal struct {
	// K is the smallest class that may be; MaxProsecutorRisk the highest 1/f.
	// The stricter of the two holds. 0: not asked.
	K                 int
	MaxProsecutorRisk float64
	// L is how many distinct values of each Sensitive column a class must have.
	// 0: not asked; the columns are measured, no more.
	L         int
	Sensitive []string
	// SuppressionLimit is the share of records that may be left out, at least
	// 0 and under 1.
	SuppressionLimit float64
	// SuppressOnly leaves every column at level 0.
	SuppressOnly bool
	// Threshold is for the reports: see [Query].
	Threshold float64
}

// smallest is the class size that satisfies K and MaxProsecutorRisk.
func (g Goal) smallest() int {
	k := max(1, g.K)
	if g.MaxProsecutorRisk > 0 {
		k = max(k, int(1/g.MaxProsecutorRisk))
		for 1/float64(k) > g.MaxProsecutorRisk {
			k++
		}
	}
	return k
}

// Check says what a goal asks in vain.
func (g Goal) Check() error {
	switch {
	case g.K < 0 || g.K > math.MaxInt32:
		return problem.BadField("k", "is not a class size", "Write a whole number, such as 11")
	case !(g.MaxProsecutorRisk >= 0 && g.MaxProsecutorRisk <= 1) || (g.MaxProsecutorRisk > 0 && g.MaxProsecutorRisk < 1e-6):
		return problem.BadField("max_prosecutor_risk", "is not a probability", "Write a number above 0 and at most 1, such as 0.09")
	case g.L < 0 || (g.L > 0 && len(g.Sensitive) == 0):
		return problem.BadField("l", "is asked without a sensitive column", "Name the columns whose values a class must not give away")
	case !(g.SuppressionLimit >= 0 && g.SuppressionLimit < 1):
		return problem.BadField("suppression_limit", "is not a share", "Write a number from 0 to under 1, such as 0.05")
	case !(g.Threshold >= 0 && g.Threshold <= 1):
		return problem.BadField("threshold", "is not a probability", "Write a number from 0 to 1")
	case g.K <= 1 && g.MaxProsecutorRisk == 0 && g.L <= 1:
		return problem.BadField("goal", "asks for nothing", "Set k to 2 or more, max_prosecutor_risk, or l to 2 or more")
	}
	return nil
}

// Met says whether a report satisfies the goal as it is.
func (g Goal) Met(r Report) bool {
	if g.Check() != nil || r.K < g.smallest() || r.K == 0 {
		return false
	}
	if g.L > 1 {
		if len(r.Sensitive) < len(g.Sensitive) {
			return false
		}
		for _, s := range r.Sensitive {
			if s.DistinctL < g.L {
				return false
			}
		}
	}
	return true
}

// Level is how far a column was coarsened.
type Level struct {
	Column string `json:"column"`
	Level  int    `json:"level"`
	Height int    `json:"height"` // the highest level there is
}

// Loss is what the coarsening cost; 0 is nothing.
type Loss struct {
	// Entropy is non-uniform entropy (Gionis and Tassa 2009) as a share of what
	// full generalisation costs, the mean over columns: what the search lessens.
	Entropy float64 `json:"entropy"`
	// Precision is Sweeney's (2002): the mean of level/height. It breaks ties.
	Precision float64 `json:"precision"`
	// Discernibility is Bayardo and Agrawal's (2005): the sum of the squares of
	// the class sizes, and for each suppressed record the size of the table.
	Discernibility float64 `json:"discernibility"`
}

// Outcome is what was done to reach the goal. It holds no value.
type Outcome struct {
	Before     Report  `json:"before"`
	After      Report  `json:"after"`
	Levels     []Level `json:"levels"`
	Suppressed int     `json:"suppressed"` // records
	Loss       Loss    `json:"loss"`
	Candidates int     `json:"candidates"` // generalisations there were
	Evaluated  int     `json:"evaluated"`  // of which were counted out
}

// Result is a table made coarser: what happens to each record.
type Result struct {
	Outcome Outcome

	labels []func(row int) string
	keep   func(row int) bool
}

// Suppressed reports whether a record, by its row from 0, must be left out.
func (r *Result) Suppressed(row int) bool { return !r.keep(row) }

// Value is what may stand in a quasi-identifier of a record that is not
// suppressed: row from 0, column in the order of the quasi-identifiers.
func (r *Result) Value(row, quasi int) string { return r.labels[quasi](row) }

// maxNodes is how many generalisations a search may have.
const maxNodes = 1 << 20

// Anonymise finds the full-domain generalisation of least loss that reaches the
// goal. Of two that lose the same, the lower level wins; the answer is
// deterministic. It fails if nothing reaches the goal, or if a value is in no
// hierarchy: what nobody placed may not leave.
func Anonymise(ctx context.Context, t *Table, quasi []Quasi, goal Goal) (*Result, error) {
	if err := goal.Check(); err != nil {
		return nil, err
	}
	names := make([]string, len(quasi))
	for i, q := range quasi {
		names[i] = q.Name
	}
	before, err := Measure(t, Query{Quasi: names, Sensitive: goal.Sensitive, Threshold: goal.Threshold})
	if err != nil {
		return nil, err
	}
	s, err := newSearch(t, quasi, goal)
	if err != nil {
		return nil, err
	}
	node, err := s.best(ctx)
	if err != nil {
		return nil, err
	}
	r := s.result(node)
	r.Outcome.Before = before
	r.Outcome.After.Quasi = names
	return r, nil
}

// search is the lattice and what is known of it.
type search struct {
	goal  Goal
	k     int
	limit int // records that may be suppressed
	rows  int
	names []string

	base      []uint32     // by row: its entry, a distinct combination of quasi-identifiers and sensitive values
	weight    []uint32     // by entry: how many rows it stands for
	codes     [][]uint32   // by quasi and entry
	terms     [][][]uint32 // by quasi, level and code
	size      [][]uint64   // by quasi and level
	labels    [][][]string // by quasi, level and number
	columns   []*column
	sensitive []dim // over entries

	heights []int
	strides []int
	entropy [][]float64 // by quasi and level: its share of the loss
	nodes   int
	tags    []tag

	evaluated int
	mem       scratch
	class     []uint32
	pair      []uint32
}

type tag uint8

const (
	unknown tag = iota
	fails       // and so does every node below it
	meets       // and so does every node above it
)

func newSearch(t *Table, quasi []Quasi, goal Goal) (*search, error) {
	s := &search{goal: goal, k: goal.smallest(), rows: t.rows, limit: int(goal.SuppressionLimit*float64(t.rows) + 1e-9), nodes: 1}
	for _, q := range quasi {
		s.names = append(s.names, q.Name)
	}
	columns, err := t.find(s.names)
	if err != nil {
		return nil, err
	}
	sensitive, err := t.find(goal.Sensitive)
	if err != nil {
		return nil, err
	}
	s.columns = columns
	s.collapse(sensitive)
	for i, c := range columns {
		h := quasi[i].Hierarchy
		if h == nil {
			h = flat(c)
		}
		p := h.over(c)
		if p.strangers > 0 {
			return nil, problem.BadField(s.names[i], fmt.Sprintf("has %d records with a value that its hierarchy does not have", p.strangers), "Add the values to the hierarchy, or remove the column")
		}
		terms := p.terms
		if goal.SuppressOnly {
			terms = terms[:1]
		}
		height := len(terms) - 1
		s.labels = append(s.labels, p.labels)
		s.terms = append(s.terms, terms)
		s.heights = append(s.heights, height)
		s.strides = append(s.strides, s.nodes)
		var size []uint64
		for level := range terms {
			size = append(size, uint64(len(p.labels[level])))
		}
		s.size = append(s.size, size)
		s.entropy = append(s.entropy, entropies(c, terms, size))
		if s.nodes > maxNodes/(height+1) {
			p := problem.New(problem.TooLarge, fmt.Sprintf("the hierarchies give more than %d generalisations", maxNodes), "Name fewer quasi-identifiers, or take levels out of their hierarchies")
			return nil, p
		}
		s.nodes *= height + 1
	}
	s.tags = make([]tag, s.nodes)
	return s, nil
}

// collapse makes one entry of the rows that no generalisation can part.
func (s *search) collapse(sensitive []*column) {
	var dims []dim
	all := append(slices.Clone(s.columns), sensitive...)
	for _, c := range all {
		dims = append(dims, c.identity())
	}
	s.base = make([]uint32, s.rows)
	n := classes(dims, s.rows, s.base, &s.mem)
	s.weight = make([]uint32, n)
	first := make([]int, n)
	for row, e := range s.base {
		if s.weight[e] == 0 {
			first[e] = row
		}
		s.weight[e]++
	}
	for i, c := range all {
		codes := make([]uint32, n)
		for e, row := range first {
			codes[e] = c.codes[row]
		}
		if i < len(s.columns) {
			s.codes = append(s.codes, codes)
		} else {
			d := c.identity()
			d.codes = codes
			s.sensitive = append(s.sensitive, d)
		}
	}
	s.class = make([]uint32, n)
	s.pair = make([]uint32, n)
}

// entropies is the non-uniform entropy of a column at each level, as a share
// of what it is where all values are one: the sum over records of
// -log2(records with the value / records with the label).
func entropies(c *column, terms [][]uint32, size []uint64) []float64 {
	own := make([]float64, len(c.dict))
	for _, code := range c.codes {
		own[code]++
	}
	var full float64
	for _, n := range own {
		if n > 0 {
			full -= n * math.Log2(n/float64(len(c.codes)))
		}
	}
	out := make([]float64, len(terms))
	for level, term := range terms {
		label := make([]float64, size[level])
		for code, n := range own {
			label[term[code]] += n
		}
		var loss float64
		for code, n := range own {
			if n > 0 {
				loss -= n * math.Log2(n/label[term[code]])
			}
		}
		if full > 0 {
			out[level] = loss / full
		}
	}
	return out
}

func (s *search) level(node, quasi int) int {
	return node / s.strides[quasi] % (s.heights[quasi] + 1)
}

func (s *search) loss(node int) (entropy, precision float64) {
	for q, h := range s.heights {
		level := s.level(node, q)
		entropy += s.entropy[q][level]
		if h > 0 {
			precision += float64(level) / float64(h)
		}
	}
	n := float64(len(s.heights))
	return entropy / n, precision / n
}

// classify numbers the classes of the entries at a node, and says which meet
// the goal and how large each is.
func (s *search) classify(node int) (f []int, good []bool) {
	dims := make([]dim, len(s.codes))
	for q := range dims {
		level := s.level(node, q)
		dims[q] = dim{codes: s.codes[q], term: s.terms[q][level], size: s.size[q][level]}
	}
	count := classes(dims, len(s.weight), s.class, &s.mem)
	f = sizes(s.class, count, s.weight)
	good = make([]bool, count)
	for c, n := range f {
		good[c] = n >= s.k
	}
	if s.goal.L <= 1 {
		return f, good
	}
	for _, d := range s.sensitive {
		own := dim{codes: s.class, term: sequence(count), size: uint64(count)}
		pairs := classes([]dim{own, d}, len(s.weight), s.pair, &s.mem)
		distinct, seen := make([]int, count), make([]bool, pairs)
		for e, p := range s.pair {
			if !seen[p] {
				seen[p] = true
				distinct[s.class[e]]++
			}
		}
		for c, n := range distinct {
			good[c] = good[c] && n >= s.goal.L
		}
	}
	return f, good
}

// try counts out a node and tags what follows. A class only grows by
// generalising, in records and in distinct values, so one that is good stays
// good: what is suppressed above a node is at most what is suppressed at it.
func (s *search) try(node int) tag {
	s.evaluated++
	f, good := s.classify(node)
	suppressed := 0
	for c, n := range f {
		if !good[c] {
			suppressed += n
		}
	}
	if suppressed <= s.limit {
		s.spread(node, meets, +1)
		return meets
	}
	s.spread(node, fails, -1)
	return fails
}

// spread tags a node and all above it (step 1) or below it (step -1).
func (s *search) spread(node int, as tag, step int) {
	stack := []int{node}
	s.tags[node] = as
	for len(stack) > 0 {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for q, h := range s.heights {
			if to := s.level(n, q) + step; to < 0 || to > h {
				continue
			}
			if next := n + step*s.strides[q]; s.tags[next] != as {
				s.tags[next] = as
				stack = append(stack, next)
			}
		}
	}
}

// best walks the nodes in the order of their loss: the first that meets the
// goal is the best. Whether a node does is found by halving a path from it to
// the top, which tags far more nodes than it counts out.
func (s *search) best(ctx context.Context) (int, error) {
	top := s.nodes - 1
	if s.try(top) == fails {
		return 0, unreachable(s.goal)
	}
	type ranked struct {
		entropy, precision float64
		node               int
	}
	order := make([]ranked, s.nodes)
	for n := range order {
		e, p := s.loss(n)
		order[n] = ranked{e, p, n}
	}
	slices.SortFunc(order, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.entropy, b.entropy), cmp.Compare(a.precision, b.precision), cmp.Compare(a.node, b.node))
	})
	for _, r := range order {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if s.tags[r.node] == unknown {
			s.halve(s.path(r.node))
		}
		if s.tags[r.node] == meets {
			return r.node, nil
		}
	}
	return 0, unreachable(s.goal) // not reached: the top meets the goal
}

func unreachable(g Goal) error {
	p := problem.New(problem.Refused, "no generalisation reaches the risk that the rules demand", "Release fewer columns, permit more suppression, or add coarser levels to the hierarchies")
	if g.SuppressOnly {
		p = problem.New(problem.Refused, "more records would have to be suppressed than the rules permit to reach the risk that they demand", "Permit generalisation or more suppression, or release fewer columns")
	}
	p.Citation = "45 CFR 164.514(b)(1)"
	return p
}

// path goes up from a node, always to the cheapest node above whose tag is not
// known, until there is none.
func (s *search) path(node int) []int {
	path := []int{node}
	for {
		next, least := -1, math.Inf(1)
		for q, h := range s.heights {
			if s.level(node, q) == h || s.tags[node+s.strides[q]] != unknown {
				continue
			}
			if e, _ := s.loss(node + s.strides[q]); e < least {
				next, least = node+s.strides[q], e
			}
		}
		if next < 0 {
			return path
		}
		path = append(path, next)
		node = next
	}
}

// halve finds where along the path nodes begin to meet the goal.
func (s *search) halve(path []int) {
	lo, hi := 0, len(path)
	for lo < hi {
		mid := (lo + hi) / 2
		if s.try(path[mid]) == meets {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
}

// result carries out a node.
func (s *search) result(node int) *Result {
	f, good := s.classify(node)
	class, base := slices.Clone(s.class), s.base
	r := &Result{keep: func(row int) bool { return good[class[base[row]]] }}
	o := &r.Outcome
	o.Candidates, o.Evaluated = s.nodes, s.evaluated
	o.Loss.Entropy, o.Loss.Precision = s.loss(node)
	kept := slices.Clone(f)
	for c, n := range f {
		if good[c] {
			o.Loss.Discernibility += float64(n) * float64(n)
		} else {
			o.Suppressed += n
			o.Loss.Discernibility += float64(n) * float64(s.rows)
			kept[c] = 0
		}
	}
	o.After = describe(s.names, kept, s.goal.Threshold)
	o.After.Suppressed = o.Suppressed
	for q, h := range s.heights {
		level := s.level(node, q)
		o.Levels = append(o.Levels, Level{Column: s.names[q], Level: level, Height: h})
		codes, term, labels := s.columns[q].codes, s.terms[q][level], s.labels[q][level]
		r.labels = append(r.labels, func(row int) string { return labels[term[codes[row]]] })
	}
	for i, d := range s.sensitive {
		byRow := make([]uint32, s.rows)
		classByRow := make([]uint32, s.rows)
		for row, e := range base {
			byRow[row], classByRow[row] = d.codes[e], class[e]
		}
		d.codes = byRow
		o.After.Sensitive = append(o.After.Sensitive, tells(s.goal.Sensitive[i], d, classByRow, len(f), good, &s.mem))
	}
	return r
}
