package console

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/registry"
)

// needBand is what needs somebody with the same urgency.
type needBand struct {
	Label string
	Rows  []needRow
	Rest  []needRow // what is due later still, folded
	More  string    // what that is
	Open  bool      // somebody asked for a part of it
}

// needRow is one thing that waits, or many of one kind.
type needRow struct {
	One   *waiting // where it is one
	Key   string   // where there are many: the element on the page, and the word in the address
	Many  string   // what they are, in a line
	Open  bool
	Items []*waiting
	Newer string // the page of those before Items, and of those after; empty: there are none
	Older string
	First int // the place of Items among them
	Last  int
	Of    int
}

// needsShown is what the template of rows takes.
type needsShown struct {
	Rows []needRow
	F    Frame
}

// Needing are rows with the page that shows them.
func (f Frame) Needing(rows []needRow) needsShown { return needsShown{rows, f} }

const (
	// needsMany is how many of one kind stand in one row: fewer are seen at once.
	needsMany = 3
	// needsLater is how many rows of what is due later are not folded: they are for another day.
	needsLater = 3
	// needsFirst is how many of them are in a row that opens, and needsPage how many where
	// somebody asks for all: a page stays under its weight.
	needsFirst = 10
	needsPage  = 100
)

// needsOf puts what waits into bands of urgency. Of a kind of which many wait in a band
// there is one row, where its most urgent stands.
func needsOf(at *url.URL, waits []waiting, now time.Time) []needBand {
	var out []needBand
	for len(waits) > 0 {
		u, n := waits[0].Urgency(now), 1
		for n < len(waits) && waits[n].Urgency(now) == u {
			n++
		}
		b := needBand{Label: urgencyHeads[u].Label, Rows: needRows(at, waits[:n], urgencyHeads[u].Key, now)}
		if u == dueLater && len(b.Rows) > needsLater+1 {
			b.Rows, b.Rest = b.Rows[:needsLater], b.Rows[needsLater:]
			b.More, b.Open = restOf(b.Rest, now), slices.ContainsFunc(b.Rest, func(r needRow) bool { return r.Open })
		}
		out = append(out, b)
		waits = waits[n:]
	}
	return out
}

// restOf says how many things are folded away, and when the first of them is due.
func restOf(rows []needRow, now time.Time) string {
	n, first := 0, rows[0].One
	if first == nil {
		first = rows[0].Items[0]
	}
	for _, r := range rows {
		n += max(r.Of, 1)
	}
	return number(n) + " more, the first " + first.Moment(now)
}

// needsCSV answers with all that waits for the visitor.
func needsCSV(v *visit, waits []waiting) error {
	rows := make([][]string, len(waits))
	for i := range waits {
		w := &waits[i]
		rows[i] = []string{urgencyHeads[w.Urgency(v.Now)].Key, w.Text, w.Note, string(w.Vendor), string(w.Subject.Noun), w.Subject.ID, isoOrNothing(w.Since), isoOrNothing(w.Due), w.Why(), w.Cite.Text, string(w.kind)}
	}
	return tableCSV(v, "what-needs-you", []string{"urgency", "what", "about", "vendor", "noun", "id", "since", "due", "why", "citation", "act"}, rows)
}

func isoOrNothing(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return iso(t)
}

func needRows(at *url.URL, waits []waiting, band string, now time.Time) []needRow {
	of := map[registry.Kind][]*waiting{}
	for i := range waits {
		of[waits[i].kind] = append(of[waits[i].kind], &waits[i])
	}
	var out []needRow
	for i := range waits {
		w := &waits[i]
		all := of[w.kind]
		switch {
		case len(all) < needsMany:
			out = append(out, needRow{One: w})
		case all[0] == w:
			out = append(out, needMany(at, all, band+"."+string(w.kind), now))
		}
	}
	return out
}

// needMany is the row of many of one kind, opened where the address says so.
func needMany(at *url.URL, all []*waiting, key string, now time.Time) needRow {
	q := at.Query()
	row := needRow{Key: key, Many: manyOf(all, now), Open: q.Get("all") == key, Of: len(all)}
	from, size := 0, needsFirst
	if row.Open {
		from, _ = strconv.Atoi(q.Get("from")) // what is no number is the first page
		from, size = min(max(from, 0), len(all)-1), needsPage
	}
	till := min(from+size, len(all))
	row.Items, row.First, row.Last = slices.Clip(all[from:till]), from+1, till
	to := func(from int) string {
		return with(at, "all", key, "from", strconv.Itoa(from)) + "#" + key
	}
	if from > 0 {
		row.Newer = to(max(from-size, 0))
	}
	if till < len(all) {
		row.Older = to(till)
		if !row.Open {
			row.Older = to(0)
		}
	}
	return row
}
