package console

import (
	"cmp"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/sheet"
)

// perPage is how many rows a page shows.
const perPage = 50

// column is one column of a list.
type column[R any] struct {
	Key   string // in the address and in CSV
	Label string
	Cell  func(R) cell
	// Time or Sort is what rows are compared by; neither: the cell's text. The column
	// cannot be sorted by where Fixed is set.
	Time  func(R) time.Time
	Sort  func(R) string
	Num   bool // numbers, at the right; compared as numbers where Time and Sort are nil
	Fixed bool
	Wide  bool // several words, which stay together
	File  bool // in CSV alone: what few look at
}

// cell is what one field of a row shows.
type cell struct {
	Text string
	Href string
	Mark *mark  // a state, in the place of the text
	Help string // below it, smaller
}

// Tight reports whether the cell stays on one line: a date, a time, a count.
func (c cell) Tight() bool {
	return c.Text != "" && c.Text[0] >= '0' && c.Text[0] <= '9' && len(c.Text) <= len("26 Nov 2026, 10:00 UTC")
}

// text is a plain cell.
func text(s string) cell { return cell{Text: s} }

// marked is a cell that shows a state.
func marked(x any) cell {
	m := stateOf(x)
	return cell{Text: m.Word, Mark: &m}
}

// filter narrows a list by what each row has of it.
type filter[R any] struct {
	Key, Label string
	Of         func(R) []string
	Options    []option // nil: what the rows have, sorted
}

type option struct {
	Value, Label string
	Chosen       bool
}

// listing is a list as a screen asks for it.
type listing[R any] struct {
	Caption string // what the table holds, for its caption and for CSV's name
	Rows    iter.Seq[R]
	Columns []column[R]
	Filters []filter[R]
	Search  func(R) string // what the search field looks into; nil: there is none
	Sort    string         // the column's key that it is sorted by at first, "-key" downwards; empty: as the rows come
	Empty   empty
	Keep    []string // what else of the address filters keep, such as a period
}

// empty is what a list without rows says: what this is, and what to do first.
type empty struct {
	Title, Text string
	Act         *actLink
}

// list is what the template "list" shows.
type list struct {
	Caption  string
	Path     string
	Columns  []head
	Rows     [][]cell
	Filters  []chosen
	Search   bool
	Query    string
	Sort     string
	Matching int
	Total    int
	Page     int
	Pages    int
	Before   string // addresses; empty: there is none
	After    string
	CSV      string
	Clear    string // without filters; empty: there are none
	Keep     []option
	Empty    empty
}

type head struct {
	Label string
	Href  string // to sort by it
	Num   bool
	Wide  bool
	Aria  string // "ascending", "descending", "none" or empty
}

type chosen struct {
	Key, Label string
	Options    []option
}

// listOf makes a list by what the address says of it. Rows are walked once; filters and
// columns are asked of those rows alone that must be, which for a filter with options of
// its own that nobody asks is none. With format=csv it answers with all matching rows as
// CSV, and the page is not shown.
func listOf[R any](v *visit, l listing[R]) list {
	q := v.URL.Query()
	out := list{Caption: l.Caption, Path: v.URL.Path, Search: l.Search != nil, Query: strings.TrimSpace(q.Get("q")), Empty: l.Empty}
	seen := make([]map[string]bool, len(l.Filters))
	for i := range seen {
		seen[i] = map[string]bool{}
	}
	kept := url.Values{}
	for _, k := range l.Keep {
		if x := q.Get(k); x != "" {
			out.Keep = append(out.Keep, option{Value: x, Label: k})
			kept.Set(k, x)
		}
	}
	clear := v.URL.Path
	if len(kept) > 0 {
		clear += "?" + kept.Encode()
	}
	needle := strings.ToLower(out.Query)
	wants := make([]string, len(l.Filters))
	for i, f := range l.Filters {
		wants[i] = q.Get(f.Key)
	}
	var rows []R
	for r := range l.Rows {
		out.Total++
		keep := true
		for i, f := range l.Filters {
			want := wants[i]
			if want == "" && f.Options != nil {
				continue // nobody asks
			}
			have := f.Of(r)
			if f.Options == nil {
				for _, x := range have {
					seen[i][x] = true
				}
			}
			keep = keep && (want == "" || slices.Contains(have, want))
		}
		if keep && needle != "" && l.Search != nil {
			keep = containsFold(l.Search(r), needle)
		}
		if keep {
			rows = append(rows, r)
		}
	}
	out.Matching = len(rows)
	for i, f := range l.Filters {
		c := chosen{Key: f.Key, Label: f.Label, Options: slices.Clone(f.Options)}
		for x := range seen[i] {
			if x != "" {
				c.Options = append(c.Options, option{Value: x, Label: words(x)})
			}
		}
		if f.Options == nil {
			slices.SortFunc(c.Options, func(a, b option) int { return cmp.Compare(a.Label, b.Label) })
		}
		for j := range c.Options {
			c.Options[j].Chosen = c.Options[j].Value == q.Get(f.Key)
		}
		if q.Get(f.Key) != "" || out.Query != "" {
			out.Clear = clear
		}
		out.Filters = append(out.Filters, c)
	}
	if out.Query != "" {
		out.Clear = clear
	}
	out.Sort = q.Get("sort")
	by := cmp.Or(out.Sort, l.Sort)
	shown := slices.DeleteFunc(slices.Clone(l.Columns), func(c column[R]) bool { return c.File })
	for _, c := range shown {
		out.Columns = append(out.Columns, headOf(v.URL, c.Key, c.Label, c.Num, c.Fixed, by))
		out.Columns[len(out.Columns)-1].Wide = c.Wide
	}
	out.CSV = with(v.URL, "format", "csv", "page", "")
	if q.Get("format") == "csv" {
		v.instead(func(w http.ResponseWriter) error { return writeCSV(w, l, sorted(rows, l.Columns, by, 0, len(rows))) })
		return out
	}
	out.Pages = max(1, (len(rows)+perPage-1)/perPage)
	out.Page = 1
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		out.Page = min(max(n, 1), out.Pages)
	}
	if out.Page > 1 {
		out.Before = with(v.URL, "page", strconv.Itoa(out.Page-1))
	}
	if out.Page < out.Pages {
		out.After = with(v.URL, "page", strconv.Itoa(out.Page+1))
	}
	for _, r := range sorted(rows, l.Columns, by, min((out.Page-1)*perPage, len(rows)), min(out.Page*perPage, len(rows))) {
		cells := make([]cell, len(shown))
		for i, c := range shown {
			cells[i] = c.Cell(r)
			if !v.ours() && !forTheirs(cells[i].Href) {
				cells[i].Href = ""
			}
		}
		out.Rows = append(out.Rows, cells)
	}
	if out.Pages == 1 {
		out.dropSilent()
	}
	return out
}

// dropSilent takes out the columns in which no row says anything.
func (l *list) dropSilent() {
	for i := len(l.Columns) - 1; i >= 0 && len(l.Rows) > 0; i-- {
		if l.Columns[i].Aria == "ascending" || l.Columns[i].Aria == "descending" || slices.ContainsFunc(l.Rows, func(r []cell) bool { return r[i] != cell{} }) {
			continue
		}
		l.Columns = slices.Delete(l.Columns, i, i+1)
		for j := range l.Rows {
			l.Rows[j] = slices.Delete(l.Rows[j], i, i+1)
		}
	}
}

// sorted are the rows from one place up to another as they stand when all are sorted by a
// column, downwards where the key begins with "-".
func sorted[R any](rows []R, columns []column[R], by string, from, to int) []R {
	key, down := strings.CutPrefix(by, "-")
	i := slices.IndexFunc(columns, func(c column[R]) bool { return c.Key == key && !c.Fixed })
	if i < 0 {
		return rows[from:to]
	}
	c := columns[i]
	type keyed struct {
		text   string
		number float64
		at     int // as the rows came
	}
	all := make([]keyed, len(rows))
	for i, r := range rows {
		x := &all[i]
		x.at = i
		switch {
		case c.Time != nil:
			x.number = float64(c.Time(r).Unix())
		case c.Sort != nil:
			x.text = c.Sort(r)
		case c.Num:
			x.number, _ = strconv.ParseFloat(strings.ReplaceAll(c.Cell(r).Text, ",", ""), 64) // what is no number sorts as 0
		default:
			x.text = c.Cell(r).Text
		}
	}
	partSort(all, from, to, func(a, b keyed) int {
		d := cmp.Compare(a.number, b.number)
		if d == 0 {
			d = compareFold(a.text, b.text)
		}
		if down {
			d = -d
		}
		if d == 0 {
			d = a.at - b.at
		}
		return d
	})
	out := make([]R, 0, to-from)
	for _, x := range all[from:to] {
		out = append(out, rows[x.at])
	}
	return out
}

// partSort brings to the places from up to to what sorting would bring there, and leaves the
// rest as it falls: a page of fifty thousand rows is fifty of them.
func partSort[T any](all []T, from, to int, compare func(a, b T) int) {
	for turn := 0; from < to; turn++ {
		// Short ones, and those that fall badly again and again, are sorted as they are.
		if len(all) < 2*perPage || turn > 40 {
			slices.SortFunc(all, compare)
			return
		}
		// What is before the middle of three goes before it, the rest behind.
		last := len(all) - 1
		first, middle := &all[0], &all[len(all)/2]
		if compare(*middle, *first) < 0 {
			*middle, *first = *first, *middle
		}
		if compare(all[last], *first) < 0 {
			all[last], *first = *first, all[last]
		}
		if compare(*middle, all[last]) < 0 {
			*middle, all[last] = all[last], *middle
		}
		at := 0
		for i := range last {
			if compare(all[i], all[last]) < 0 {
				all[i], all[at] = all[at], all[i]
				at++
			}
		}
		all[at], all[last] = all[last], all[at]
		switch {
		case to <= at:
			all = all[:at]
		case from > at:
			all, from, to = all[at+1:], from-at-1, to-at-1
		default:
			partSort(all[:at], from, at, compare)
			all, from, to = all[at+1:], 0, to-at-1
		}
	}
}

// compareFold compares without regard to case. Of plain letters it makes no copy.
func compareFold(a, b string) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		x, y := a[i], b[i]
		if x >= 0x80 || y >= 0x80 {
			return strings.Compare(strings.ToLower(a[i:]), strings.ToLower(b[i:]))
		}
		if 'A' <= x && x <= 'Z' {
			x += 'a' - 'A'
		}
		if 'A' <= y && y <= 'Z' {
			y += 'a' - 'A'
		}
		if x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

func headOf(u *url.URL, key, label string, num, fixed bool, by string) head {
	h := head{Label: label, Num: num}
	if fixed {
		return h
	}
	h.Aria = "none"
	next := key
	switch by {
	case key:
		h.Aria, next = "ascending", "-"+key
	case "-" + key:
		h.Aria = "descending"
	}
	h.Href = with(u, "sort", next, "page", "")
	return h
}

// with is the address with some of its query changed; an empty value takes it away. Its
// path stays as it is written: "/%2Fa.example" without its escapes is another site.
func with(u *url.URL, pairs ...string) string {
	q := u.Query()
	q.Del("done")
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return u.EscapedPath()
	}
	return u.EscapedPath() + "?" + q.Encode()
}

// writeCSV writes the rows as package sheet does, so that no cell is run as a formula.
func writeCSV[R any](w http.ResponseWriter, l listing[R], rows []R) error {
	l.Columns = slices.DeleteFunc(slices.Clone(l.Columns), func(c column[R]) bool { return c.Key == "act" }) // a way to do something
	columns := make([]sheet.Column, len(l.Columns))
	for i, c := range l.Columns {
		columns[i] = sheet.Column{Name: c.Key, Text: true}
	}
	out := make([]map[string]json.RawMessage, len(rows))
	for i, r := range rows {
		out[i] = map[string]json.RawMessage{}
		for _, c := range l.Columns {
			raw, err := json.Marshal(c.Cell(r).Text)
			if err != nil {
				return err
			}
			out[i][c.Key] = raw
		}
	}
	asFile(w, "text/csv; charset=utf-8", strings.ReplaceAll(strings.ToLower(l.Caption), " ", "-")+".csv")
	return sheet.Write(w, columns, out)
}

// asFile sets the headers of a file that the browser saves.
func asFile(w http.ResponseWriter, kind, name string) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' {
			return r
		}
		return '-'
	}, name)+`"`)
}

// values is a sequence of a table's records.
func values[K any, V any](all iter.Seq2[K, *V]) iter.Seq[*V] {
	return func(yield func(*V) bool) {
		for _, r := range all {
			if !yield(r) {
				return
			}
		}
	}
}
