package risk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/sallyport/sallyport/deid/table/risk"
	"github.com/sallyport/sallyport/problem"
)

// small is a random table with random hierarchies, written as ARX would.
type small struct {
	names  []string
	rows   [][]string            // quasi-identifiers, then one sensitive column
	levels []map[string][]string // by quasi and value
	files  []string
}

func drawSmall(t *rapid.T) small {
	var s small
	nq := rapid.IntRange(1, 3).Draw(t, "quasi")
	for q := range nq {
		s.names = append(s.names, fmt.Sprintf("q%d", q))
		leaves := rapid.IntRange(1, 6).Draw(t, "leaves")
		height := rapid.IntRange(0, 3).Draw(t, "height")
		rows := map[string][]string{}
		var file strings.Builder
		width := 1
		var widths []int
		for range height {
			width *= rapid.IntRange(1, 3).Draw(t, "width")
			widths = append(widths, width)
		}
		for leaf := range leaves {
			path := []string{fmt.Sprintf("v%d", leaf)}
			for level, w := range widths {
				path = append(path, fmt.Sprintf("g%d.%d", level+1, leaf/w))
			}
			rows[path[0]] = path
			file.WriteString(strings.Join(path, ";") + "\n")
		}
		s.levels = append(s.levels, rows)
		s.files = append(s.files, file.String())
	}
	n := rapid.IntRange(1, 30).Draw(t, "rows")
	for range n {
		var row []string
		for q := range nq {
			row = append(row, fmt.Sprintf("v%d", rapid.IntRange(0, len(s.levels[q])-1).Draw(t, "v")))
		}
		s.rows = append(s.rows, append(row, fmt.Sprintf("s%d", rapid.IntRange(0, 2).Draw(t, "s"))))
	}
	return s
}

func (s small) table(t *rapid.T) (*risk.Table, []risk.Quasi) {
	table := risk.NewTable(append(slices.Clone(s.names), "sensitive"))
	for _, row := range s.rows {
		var f [][]byte
		for _, v := range row {
			f = append(f, []byte(v))
		}
		if err := table.Append(f); err != nil {
			t.Fatal(err)
		}
	}
	var quasi []risk.Quasi
	for q, file := range s.files {
		h, err := risk.ReadHierarchy(strings.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		quasi = append(quasi, risk.Quasi{Name: s.names[q], Hierarchy: h})
	}
	return table, quasi
}

// at is the table at the levels, by hand: class keys, and the records that
// must go.
func (s small) at(levels []int, k, l int) (keys []string, gone int) {
	n, vals := map[string]int{}, map[string]map[string]bool{}
	for _, row := range s.rows {
		var f []string
		for q, level := range levels {
			f = append(f, s.levels[q][row[q]][level])
		}
		key := strings.Join(f, "|")
		keys = append(keys, key)
		n[key]++
		if vals[key] == nil {
			vals[key] = map[string]bool{}
		}
		vals[key][row[len(row)-1]] = true
	}
	for i, key := range keys {
		if n[key] < k || len(vals[key]) < l {
			keys[i] = ""
			gone++
		}
	}
	return keys, gone
}

// cost is the non-uniform entropy and the precision of levels, by hand.
func (s small) cost(levels []int) (entropy, precision float64) {
	for q, level := range levels {
		own, label := map[string]float64{}, map[string]float64{}
		for _, row := range s.rows {
			own[row[q]]++
			label[s.levels[q][row[q]][level]]++
		}
		var loss, full float64
		for v, n := range own {
			loss -= n * math.Log2(n/label[s.levels[q][v][level]])
			full -= n * math.Log2(n/float64(len(s.rows)))
		}
		if full > 0 {
			entropy += loss / full
		}
		if h := len(s.levels[q]["v0"]) - 1; h > 0 {
			precision += float64(level) / float64(h)
		}
	}
	n := float64(len(levels))
	return entropy / n, precision / n
}

// TestAnonymiseIsOptimal: of every generalisation that there is, none that
// reaches the goal loses less; where none does, the search says so. What comes
// out has at every place the label of its level, and nothing else.
func TestAnonymiseIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSmall(t)
		table, quasi := s.table(t)
		goal := risk.Goal{K: rapid.IntRange(2, 5).Draw(t, "k"), SuppressionLimit: rapid.SampledFrom([]float64{0, 0.1, 0.3}).Draw(t, "limit")}
		l := 1
		if rapid.Bool().Draw(t, "diverse") {
			l = 2
			goal.L, goal.Sensitive = 2, []string{"sensitive"}
		}
		goal.SuppressOnly = rapid.Bool().Draw(t, "suppress only")
		limit := int(goal.SuppressionLimit * float64(len(s.rows)))
		best, bestPrecision := math.Inf(1), math.Inf(1)
		levels := make([]int, len(quasi))
		for {
			if _, gone := s.at(levels, goal.K, l); gone <= limit {
				if e, p := s.cost(levels); e < best-1e-9 || (e < best+1e-9 && p < bestPrecision) {
					best, bestPrecision = e, p
				}
			}
			q := 0
			for q < len(levels) && (goal.SuppressOnly || levels[q] == quasi[q].Hierarchy.Height()) {
				levels[q] = 0
				q++
			}
			if q == len(levels) {
				break
			}
			levels[q]++
		}
		res, err := risk.Anonymise(context.Background(), table, quasi, goal)
		if math.IsInf(best, 1) {
			if err == nil {
				t.Fatalf("nothing reaches the goal, but the search gave %+v", res.Outcome)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for q, level := range res.Outcome.Levels {
			levels[q] = level.Level
		}
		if e, _ := s.cost(levels); e > best+1e-9 {
			t.Fatalf("levels %v lose %v, but %v is possible", levels, e, best)
		}
		keys, gone := s.at(levels, goal.K, l)
		if gone != res.Outcome.Suppressed || gone > limit {
			t.Fatalf("%d records must go, %d are said to; at most %d may", gone, res.Outcome.Suppressed, limit)
		}
		for row, key := range keys {
			if res.Suppressed(row) != (key == "") {
				t.Fatalf("row %d: suppressed is %v", row, res.Suppressed(row))
			}
			if key == "" {
				continue
			}
			for q, want := range strings.Split(key, "|") {
				if got := res.Value(row, q); got != want {
					t.Fatalf("row %d, column %d: got %q, and level %d says %q", row, q, got, levels[q], want)
				}
			}
		}
		if !goal.Met(res.Outcome.After) && res.Outcome.After.Records > 0 {
			t.Fatalf("the report does not meet the goal: %+v", res.Outcome.After)
		}
	})
}

// TestWide: dictionaries whose product is far over 64 bits are counted exactly.
func TestWide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "rows")
		width := rapid.IntRange(10, 30).Draw(t, "columns")
		var names []string
		for i := range width {
			names = append(names, fmt.Sprintf("c%d", i))
		}
		table := risk.NewTable(names)
		want := map[string]int{}
		for i := range n {
			base := i
			if rapid.IntRange(0, 3).Draw(t, "again") == 0 {
				base = i / 2
			}
			row := make([][]byte, width)
			for j := range row {
				row[j] = fmt.Appendf(nil, "%d", base*(j+1)%(200+j))
			}
			want[string(bytes.Join(row, []byte{0}))]++
			if err := table.Append(row); err != nil {
				t.Fatal(err)
			}
		}
		rep, err := risk.Measure(table, risk.Query{Quasi: names})
		if err != nil {
			t.Fatal(err)
		}
		uniques := 0
		for _, k := range want {
			if k == 1 {
				uniques++
			}
		}
		if rep.Classes != len(want) || rep.Uniques != uniques {
			t.Fatalf("got %d classes, %d unique; want %d, %d", rep.Classes, rep.Uniques, len(want), uniques)
		}
	})
}

// TestHierarchyRefuses: a hierarchy that is not one is refused, at its row,
// without its values.
func TestHierarchyRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, where string }{
		{"empty", "", "hierarchy"},
		{"ragged", "ZQX;*\nZQY;ZQZ;*\n", "hierarchy, row 2"},
		{"a value twice", "ZQX;*\nZQX;*\n", "hierarchy, row 2"},
		{"parts what was one", "ZQX;a;c;*\nZQY;a;d;*\n", "hierarchy, row 2"},
		{"mark", "\uFEFFZQX;*\n", "hierarchy, row 1"},
		{"quote", "ZQX\"y;*\n", "row 1, column 1"},
		{"too high", "ZQX" + strings.Repeat(";*", 70) + "\n", "hierarchy, row 1"},
	} {
		_, err := risk.ReadHierarchy(strings.NewReader(c.in))
		var p *problem.Problem
		if !errors.As(err, &p) || p.Field != c.where {
			t.Errorf("%s: got %v, want a problem at %q", c.name, err, c.where)
		} else if strings.Contains(err.Error(), "ZQ") {
			t.Errorf("%s: the error holds a value: %v", c.name, err)
		}
	}
}

// TestRefuses: what cannot be called low is refused.
func TestRefuses(t *testing.T) {
	table := risk.NewTable([]string{"a", "b"})
	for _, v := range []string{"ZQX", "ZQX", "ZQY"} {
		if err := table.Append([][]byte{[]byte(v), []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	h, err := risk.ReadHierarchy(strings.NewReader("ZQX;*\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for name, try := range map[string]func() error{
		"no quasi-identifiers": func() error { _, err := risk.Measure(table, risk.Query{}); return err },
		"no rows": func() error {
			_, err := risk.Measure(risk.NewTable([]string{"a"}), risk.Query{Quasi: []string{"a"}})
			return err
		},
		"no such column": func() error { _, err := risk.Measure(table, risk.Query{Quasi: []string{"c"}}); return err },
		"a column twice": func() error { _, err := risk.Measure(table, risk.Query{Quasi: []string{"a", "a"}}); return err },
		"no goal": func() error {
			_, err := risk.Anonymise(ctx, table, []risk.Quasi{{Name: "a"}}, risk.Goal{})
			return err
		},
		"a value in no hierarchy": func() error {
			_, err := risk.Anonymise(ctx, table, []risk.Quasi{{Name: "a", Hierarchy: h}}, risk.Goal{K: 2})
			return err
		},
		"k over the rows": func() error {
			_, err := risk.Anonymise(ctx, table, []risk.Quasi{{Name: "a"}}, risk.Goal{K: 4})
			return err
		},
		"too much suppression": func() error {
			_, err := risk.Anonymise(ctx, table, []risk.Quasi{{Name: "a"}}, risk.Goal{K: 2, SuppressOnly: true})
			return err
		},
		"not a share": func() error {
			_, err := risk.Anonymise(ctx, table, []risk.Quasi{{Name: "a"}}, risk.Goal{K: 2, SuppressionLimit: math.NaN()})
			return err
		},
		"l without a column": func() error {
			_, err := risk.Anonymise(ctx, table, []risk.Quasi{{Name: "a"}}, risk.Goal{L: 2})
			return err
		},
		"a short row": func() error { return table.Append([][]byte{[]byte("ZQX")}) },
	} {
		err := try()
		var p *problem.Problem
		if !errors.As(err, &p) {
			t.Errorf("%s: got %v, want a problem", name, err)
		} else if strings.Contains(err.Error(), "ZQ") {
			t.Errorf("%s: the error holds a value: %v", name, err)
		}
	}
	if (risk.Goal{}).Met(risk.Report{K: 100}) || (risk.Goal{K: 2}).Met(risk.Report{}) {
		t.Error("the zero goal or the zero report is satisfied")
	}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", table, table, table), fmt.Sprintf("%v %+v", h, *h)} {
		if strings.Contains(s, "ZQ") {
			t.Errorf("it prints: %s", s)
		}
	}
	if _, err := json.Marshal(table); err == nil {
		t.Error("a table marshals")
	}
}

// TestGoalRisk: the class size that a risk asks for is the smallest that meets it.
func TestGoalRisk(t *testing.T) {
	for k := 1; k <= 200; k++ {
		g := risk.Goal{MaxProsecutorRisk: 1 / float64(k)}
		if !g.Met(risk.Report{K: k}) || (k > 1 && g.Met(risk.Report{K: k - 1})) {
			t.Errorf("a risk of 1/%d is not met by classes of %d, or is by smaller", k, k)
		}
	}
	if (risk.Goal{MaxProsecutorRisk: 0.333}).Met(risk.Report{K: 3}) {
		t.Error("1/3 is under .333")
	}
}

// TestEmptyCells: what a rule removed needs no row in a hierarchy, and is never
// given a label but the top's.
func TestEmptyCells(t *testing.T) {
	h, err := risk.ReadHierarchy(strings.NewReader("1;odd;*\n2;even;*\n3;odd;*\n"))
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[float64][]string{0: {"*", "*", "*", "*", "*"}, 0.2: {"odd", "odd", "even", "even", "gone"}} {
		table := risk.NewTable([]string{"a"})
		for _, v := range []string{"1", "3", "2", "2", ""} {
			if err := table.Append([][]byte{[]byte(v)}); err != nil {
				t.Fatal(err)
			}
		}
		res, err := risk.Anonymise(context.Background(), table, []risk.Quasi{{Name: "a", Hierarchy: h}}, risk.Goal{K: 2, SuppressionLimit: limit})
		if err != nil {
			t.Fatal(err)
		}
		for row, w := range want {
			got := "gone"
			if !res.Suppressed(row) {
				got = res.Value(row, 0)
			}
			if got != w {
				t.Errorf("limit %v, row %d: got %q, want %q", limit, row, got, w)
			}
		}
	}
}

// FuzzHierarchy: no crash; what is read is a hierarchy: every value has a label
// at every level, and values that agree at a level agree above it.
func FuzzHierarchy(f *testing.F) {
	for _, s := range []string{"", "a;*\n", "a;b;*\nc;b;*\n", "a;b;c\nd;b;e\n", "\"a;\";*\n", "a\nb\n", "a;\xff\n", "\uFEFFa;*"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, err := risk.ReadHierarchy(bytes.NewReader(raw))
		if err != nil {
			return
		}
		var values []string
		for line := range strings.Lines(string(raw)) {
			if v, _, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ";"); !strings.Contains(v, `"`) {
				values = append(values, v)
			}
		}
		for level := range h.Height() + 1 {
			above := map[string]string{}
			for _, v := range values {
				label, ok := h.Generalise([]byte(v), level)
				if !ok {
					continue // a line inside a quoted field
				}
				if level == 0 && label != v {
					t.Fatalf("level 0 changes a value")
				}
				if level < h.Height() {
					up, ok := h.Generalise([]byte(v), level+1)
					if was, seen := above[label]; !ok || (seen && was != up) {
						t.Fatalf("level %d parts what level %d joined", level+1, level)
					}
					above[label] = up
				}
			}
		}
		for _, level := range []int{-1, h.Height() + 1} {
			if _, ok := h.Generalise([]byte("a"), level); ok {
				t.Fatal("a level that is not there has a label")
			}
		}
	})
}
