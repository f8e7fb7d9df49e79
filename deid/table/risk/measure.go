package risk

import (
	"fmt"
	"math"

	"github.com/sallyport/sallyport/problem"
)

// Report is what a table's equivalence classes say. It holds no value.
//
// With n records in J classes, f the size of a record's class in the table and
// F its size in the population:
//
//   - K is the smallest f (k-anonymity: Sweeney 2002); Uniques counts f = 1.
//   - Prosecutor risk, who knows that the person is in the table: 1/f for a
//     record, 1/K at most, J/n on average.
//   - Journalist risk, who does not, and looks up the population: 1/F for a
//     record; on average the greater of J over the population of these classes
//     and the mean of f/F over classes weighted by records.
//   - Marketer risk, who matches all records: the mean of 1/F over records, that
//     is, the sum of f/F over classes, divided by n.
//
// Without a population the table counts as its own: F = f. Journalist and
// marketer risk are then upper bounds.
type Report struct {
	Quasi      []string `json:"quasi_identifiers"`
	Records    int      `json:"records"`
	Suppressed int      `json:"suppressed"` // records that were left out before this was measured
	Classes    int      `json:"classes"`
	K          int      `json:"k"`
	Uniques    int      `json:"uniques"`
	Sizes      []Sizes  `json:"sizes"`
	MeanSize   float64  `json:"mean_class_size"`

	Prosecutor Attack `json:"prosecutor"`
	Journalist Attack `json:"journalist"`
	Marketer   Attack `json:"marketer"`
	Population int    `json:"population"` // records in the population; 0: the table is its own

	Sensitive []Sensitive `json:"sensitive,omitempty"`
}

// Attack is a risk of re-identification, each a probability or a share.
type Attack struct {
	Threshold float64 `json:"threshold"` // what AtRisk compares with
	AtRisk    float64 `json:"at_risk"`   // share of records whose risk is above Threshold
	Highest   float64 `json:"highest"`   // of a record; for the marketer it is the average
	Average   float64 `json:"average"`   // share of records expected to be re-identified
}

// Sizes counts the records in classes of From to To records; To 0 is no end.
type Sizes struct {
	From    int `json:"from"`
	To      int `json:"to,omitempty"`
	Classes int `json:"classes"`
	Records int `json:"records"`
}

// Sensitive is how much a class tells of a sensitive column.
type Sensitive struct {
	Column string `json:"column"`
	// DistinctL is the smallest number of distinct values in a class, and
	// EntropyL the smallest exp(entropy) (Machanavajjhala et al. 2007).
	DistinctL int     `json:"distinct_l"`
	EntropyL  float64 `json:"entropy_l"`
	// T is the largest distance of a class from the whole table: half the sum
	// of the absolute differences, the earth mover's distance where all values
	// are equally far apart (Li et al. 2007).
	T float64 `json:"t"`
}

// Query says what to measure.
type Query struct {
	Quasi     []string
	Sensitive []string
	// Threshold is the risk above which a record counts as AtRisk. 0: none is
	// named, and every record is.
	Threshold float64
	// Population is a table with the same quasi-identifiers of everybody who
	// could be meant, those in the measured table included. nil: not known.
	Population *Table
}

// Measure computes the report. A table without rows, or a query without
// quasi-identifiers, is refused: neither has a risk that could be called low.
func Measure(t *Table, q Query) (Report, error) {
	if len(q.Quasi) == 0 {
		return Report{}, problem.BadField("quasi", "is empty", "Name the columns that an outsider could know of a person")
	}
	if t == nil || t.rows == 0 {
		return Report{}, problem.New(problem.Invalid, "the table has no rows, so no risk can be measured", "Check the file and the rules")
	}
	quasi, err := t.find(q.Quasi)
	if err != nil {
		return Report{}, err
	}
	sensitive, err := t.find(q.Sensitive)
	if err != nil {
		return Report{}, err
	}
	dims := make([]dim, len(quasi))
	for i, c := range quasi {
		dims[i] = c.identity()
	}
	s := &scratch{}
	class := make([]uint32, t.rows)
	count := classes(dims, t.rows, class, s)
	rep := describe(q.Quasi, sizes(class, count, nil), q.Threshold)
	if q.Population != nil {
		if err := rep.against(t, q, quasi, class, count); err != nil {
			return Report{}, err
		}
	}
	for i, c := range sensitive {
		rep.Sensitive = append(rep.Sensitive, tells(q.Sensitive[i], c.identity(), class, count, nil, s))
	}
	return rep, nil
}

// sizes counts the rows of each class; weight, if not nil, counts a row so often.
func sizes(class []uint32, count int, weight []uint32) []int {
	f := make([]int, count)
	for i, c := range class {
		if weight == nil {
			f[c]++
		} else {
			f[c] += int(weight[i])
		}
	}
	return f
}

var bounds = []Sizes{{From: 1, To: 1}, {From: 2, To: 2}, {From: 3, To: 4}, {From: 5, To: 9}, {From: 10, To: 19}, {From: 20, To: 49}, {From: 50, To: 99}, {From: 100}}

// describe is the report of classes of the sizes f; an empty class is none.
func describe(quasi []string, f []int, threshold float64) Report {
	r := Report{Quasi: quasi, Sizes: append([]Sizes(nil), bounds...)}
	above := 0
	for _, n := range f {
		if n == 0 {
			continue
		}
		r.Classes++
		r.Records += n
		if r.K == 0 || n < r.K {
			r.K = n
		}
		if n == 1 {
			r.Uniques++
		}
		if 1/float64(n) > threshold {
			above += n
		}
		for i := range r.Sizes {
			if b := &r.Sizes[i]; n >= b.From && (b.To == 0 || n <= b.To) {
				b.Classes++
				b.Records += n
			}
		}
	}
	if r.Records == 0 {
		return r
	}
	all := float64(r.Records)
	r.MeanSize = all / float64(r.Classes)
	r.Prosecutor = Attack{Threshold: threshold, AtRisk: float64(above) / all, Highest: 1 / float64(r.K), Average: float64(r.Classes) / all}
	r.Journalist = r.Prosecutor
	r.Marketer = r.Prosecutor
	r.Marketer.Highest = r.Marketer.Average
	if r.Marketer.AtRisk = 0; r.Marketer.Average > threshold {
		r.Marketer.AtRisk = 1
	}
	return r
}

// against puts the population's figures in.
func (r *Report) against(t *Table, q Query, quasi []*column, class []uint32, count int) error {
	others, err := q.Population.find(q.Quasi)
	if err != nil {
		return err
	}
	// The population's rows are numbered with the table's: row i of the table,
	// then row j of the population, over dictionaries made one.
	n, m := t.rows, q.Population.rows
	dims := make([]dim, len(quasi))
	for i, c := range quasi {
		term := make([]uint32, len(others[i].dict))
		next := uint32(len(c.dict))
		for j, v := range others[i].dict {
			k, ok := c.number[v]
			if !ok {
				k = next
				next++
			}
			term[j] = k
		}
		codes := make([]uint32, 0, n+m)
		codes = append(codes, c.codes...)
		for _, code := range others[i].codes {
			codes = append(codes, term[code])
		}
		one := make([]uint32, next)
		for j := range one {
			one[j] = uint32(j)
		}
		dims[i] = dim{codes: codes, term: one, size: uint64(max(1, next))}
	}
	both := make([]uint32, n+m)
	total := classes(dims, n+m, both, &scratch{})
	f, people := sizes(class, count, nil), sizes(both[n:], total, nil)
	big := make([]int, count) // F by class; rows of a class share it
	for i, c := range class {
		big[c] = people[both[i]]
	}
	var above, smallest, whole int
	var share float64
	for c, n := range f {
		if big[c] < n {
			return problem.New(problem.Invalid, "the population lacks records that are in the table", "Give everybody who could be meant, those in the table included")
		}
		if 1/float64(big[c]) > q.Threshold {
			above += n
		}
		if smallest == 0 || big[c] < smallest {
			smallest = big[c]
		}
		whole += big[c]
		share += float64(n) / float64(big[c])
	}
	records := float64(r.Records)
	r.Population = m
	r.Marketer = Attack{Threshold: q.Threshold, Highest: share / records, Average: share / records}
	if r.Marketer.Average > q.Threshold {
		r.Marketer.AtRisk = 1
	}
	r.Journalist = Attack{
		Threshold: q.Threshold,
		AtRisk:    float64(above) / records,
		Highest:   1 / float64(smallest),
		Average:   max(float64(r.Classes)/float64(whole), share/records),
	}
	return nil
}

// tells measures a sensitive column over classes; keep, if not nil, says which
// classes count.
func tells(name string, d dim, class []uint32, count int, keep []bool, s *scratch) Sensitive {
	pair := make([]uint32, len(class))
	own := dim{codes: class, term: sequence(count), size: uint64(max(1, count))}
	pairs := classes([]dim{own, d}, len(class), pair, s)
	n := make([]int, pairs)      // rows of a pair
	of := make([]uint32, pairs)  // its class
	val := make([]uint32, pairs) // its value
	rows := make([]int, count)
	whole := map[uint32]int{}
	total := 0
	for i, p := range pair {
		if keep != nil && !keep[class[i]] {
			continue
		}
		n[p]++
		of[p], val[p] = class[i], d.term[d.codes[i]]
		rows[class[i]]++
		whole[val[p]]++
		total++
	}
	distinct := make([]int, count)
	entropy := make([]float64, count)
	// The distance is half of (1 - what the class lacks) plus the differences
	// of what it has: values that it lacks differ by their share of the whole.
	lacks := make([]float64, count)
	for c := range lacks {
		lacks[c] = 1
	}
	differ := make([]float64, count)
	for p, k := range n {
		if k == 0 {
			continue
		}
		c := of[p]
		share := float64(k) / float64(rows[c])
		all := float64(whole[val[p]]) / float64(total)
		distinct[c]++
		entropy[c] -= share * math.Log(share)
		lacks[c] -= all
		differ[c] += math.Abs(share - all)
	}
	out := Sensitive{Column: name}
	for c := range rows {
		if rows[c] == 0 {
			continue
		}
		if out.DistinctL == 0 || distinct[c] < out.DistinctL {
			out.DistinctL = distinct[c]
		}
		if l := math.Exp(entropy[c]); out.EntropyL == 0 || l < out.EntropyL {
			out.EntropyL = l
		}
		out.T = max(out.T, (differ[c]+max(0, lacks[c]))/2)
	}
	return out
}

func sequence(n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}

// String is the report on one line.
func (r Report) String() string {
	return fmt.Sprintf("%d records in %d classes, k %d, %d unique, %d suppressed; highest risk %.4g (prosecutor), %.4g (journalist), average %.4g (marketer)",
		r.Records, r.Classes, r.K, r.Uniques, r.Suppressed, r.Prosecutor.Highest, r.Journalist.Highest, r.Marketer.Average)
}
