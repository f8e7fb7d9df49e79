package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/sheet"
)

func homeScreens() []screen {
	return []screen{
		on("today", "Today", "GET /console", everyone, (*server).today),
		on("", "What stops, for a calendar", "GET /console/calendar", ours, (*server).todayCalendar),
	}
}

// today is what the visitor opens every morning.
type today struct {
	Needs   []needBand
	Waits   int  // for the visitor, all of them
	Late    int  // of them, those whose date has passed
	Begun   bool // there is, or was, a grant
	Stops   []todayVendor
	Days    int // how far ahead the stops are
	halts   int // of them, those at which data stops
	halt    time.Time
	Tabs    []tab
	Made    time.Time
	Refused []todayRefused
	Closed  []*done
	Drawn   dayChart
	Tiles   []todayTile
}

// todayTile is a number of the morning. Its mark says how it is to be taken; nil: it is
// neither good nor bad.
type todayTile struct {
	N, Label, Href string
	Mark           *mark
}

// todayVendor is what stops of one vendor.
type todayVendor struct {
	Vendor id.Vendor
	Stops  []forecast.Stop
	More   int
}

// todayRefusal is a gate that refused a vendor.
type todayRefusal struct {
	Gate, Title string
	Vendor      id.Vendor
	N           uint64
	Href        string
}

// todayRefused is a vendor that was refused, and by which gates.
type todayRefused struct {
	Vendor id.Vendor
	N      int // requests; each may have failed at several gates
	Gates  []todayRefusal
}

const (
	todayPerVendor = 4
	todayVendors   = 25
	todayBack      = 7  // days of what was stopped
	todayDrawn     = 30 // days of decisions
	todayActs      = 12
)

var todayReach = []int{7, 30, 90}

func (s *server) today(v *visit) (today, error) {
	if !v.ours() {
		v.redirect(firmPath) // where their firm stands
		return today{}, nil
	}
	v.call("Today")
	var t today
	waits := s.waitsFor(v)
	t.Waits = len(waits)
	for range v.View.Grants.All() {
		t.Begun = true
		break
	}
	t.Needs = needsOf(v.URL, waits, v.Now)
	for i := range waits {
		if waits[i].Late(v.Now) {
			t.Late++
		}
	}
	t.stops(s, v)
	since := v.Now.AddDate(0, 0, -todayBack)
	t.Refused = s.todayRefusals(since)
	t.Closed = s.history.Newest(todayActs, func(d *done) bool { return d.Closes() && d.At.After(since) })
	t.Drawn = chartDays("decisions", "Decisions of the last 30 days", s.activity.Days(v.Now.AddDate(0, 0, -todayDrawn+1), v.Now, nil))
	t.tiles(v)
	switch q := v.URL.Query(); {
	case q.Get("format") != "csv":
	case q.Get("of") == "needs":
		return t, needsCSV(v, waits)
	default:
		v.instead(func(w http.ResponseWriter) error { return t.Drawn.csv(w) })
	}
	return t, nil
}

// stops groups what is ahead by vendor, the earliest first.
func (t *today) stops(s *server, v *visit) {
	t.Days = 30
	for _, n := range todayReach {
		if v.URL.Query().Get("days") == fmt.Sprint(n) {
			t.Days = n
		}
	}
	for _, n := range todayReach {
		t.Tabs = append(t.Tabs, tab{Label: plural(n, "day"), Href: with(v.URL, "days", fmt.Sprint(n)), Here: n == t.Days})
	}
	stops, made := s.ahead.Within(v.Context(), v.Now, time.Duration(t.Days)*24*time.Hour)
	t.Made = made
	at := map[id.Vendor]int{}
	for _, stop := range stops {
		if stop.Kind == forecast.Stops {
			if t.halts++; t.halts == 1 {
				t.halt = stop.At
			}
		}
		i, ok := at[stop.Vendor]
		if !ok {
			i = len(t.Stops)
			at[stop.Vendor] = i
			t.Stops = append(t.Stops, todayVendor{Vendor: stop.Vendor})
		}
		if g := &t.Stops[i]; len(g.Stops) < todayPerVendor {
			g.Stops = append(g.Stops, stop)
		} else {
			g.More++
		}
	}
	if len(t.Stops) > todayVendors {
		t.Stops = t.Stops[:todayVendors]
	}
}

// tiles are the numbers of the morning, each with what it is to be compared with.
func (t *today) tiles(v *visit) {
	days := t.Drawn.Days
	week, before := sumOf(days[max(0, len(days)-todayBack):]), sumOf(days[max(0, len(days)-2*todayBack):max(0, len(days)-todayBack)])
	need := todayTile{number(t.Waits), "need you", "#needs", &mark{"Nothing waits", "good"}}
	switch {
	case t.Late > 0:
		need.Mark = &mark{number(t.Late) + " overdue", "bad"}
	case t.Waits > 0:
		need.Mark = &mark{"None overdue", "wait"}
	}
	stops := todayTile{number(t.halts), "would stop data in " + plural(t.Days, "day"), "#ahead", &mark{"Nothing stops", "good"}}
	switch {
	case t.Made.IsZero():
		stops.N, stops.Mark = "…", nil
	case t.halts > 0:
		stops.Mark = &mark{"First " + ago(v.Now, t.halt), "warn"}
	}
	than := func(text string) *mark { return &mark{text + " in the 7 before", "off"} }
	t.Tiles = []todayTile{
		need, stops,
		{number(week.Refused), "refused in 7 days", "#stopped", than(number(before.Refused))},
		{humanBytes(week.Bytes), "left in 7 days, in " + plural(int(week.Releases), "release"), "#decisions-over-time", than(humanBytes(before.Bytes))},
	}
}

func sumOf(days []dayCount) (sum dayCount) {
	for _, d := range days {
		sum.add(d)
	}
	return sum
}

// todayRefusals are the vendors that were refused most, and by which gates.
func (s *server) todayRefusals(since time.Time) []todayRefused {
	gates := map[id.Vendor][]todayRefusal{}
	for g, n := range s.activity.gatesBy(since) {
		gates[g.Vendor] = append(gates[g.Vendor], refusalOf(g.Vendor, g.Gate, n))
	}
	sums := map[id.Vendor]uint64{}
	for w, n := range s.activity.Ways(since, nil) {
		sums[w.Vendor] += n.Refused
	}
	var out []todayRefused
	for vendor, all := range gates {
		slices.SortFunc(all, byOften)
		out = append(out, todayRefused{vendor, int(sums[vendor]), all})
	}
	slices.SortFunc(out, func(a, b todayRefused) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Vendor, b.Vendor)) })
	return out[:min(len(out), todayActs)]
}

func refusalOf(vendor id.Vendor, gate string, n uint64) todayRefusal {
	q := url.Values{"result": {"refused"}, "vendor": {string(vendor)}, "gate": {gate}}
	return todayRefusal{Gate: gate, Title: gateTitle(gate), Vendor: vendor, N: n, Href: "/console/decisions?" + q.Encode()}
}

func byOften(a, b todayRefusal) int {
	return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Gate, b.Gate))
}

// gatesBy are how often each gate refused each vendor from since on.
func (a *activity) gatesBy(since time.Time) map[gateAt]uint64 {
	first := dayOf(since)
	out := map[gateAt]uint64{}
	a.mu.RLock()
	defer a.mu.RUnlock()
	for g, days := range a.gates {
		for _, d := range newer(days, first) {
			if d.Day >= first {
				out[g] += d.Refused
			}
		}
	}
	return out
}

// gateTitle is what must hold at a gate, in words.
func gateTitle(key string) string {
	for _, g := range gate.All {
		if g.ID == key {
			return g.Title
		}
	}
	return words(key)
}

// dayChart is a drawing of counts by day, with its table.
type dayChart struct {
	Picture template.HTML
	Title   string
	Days    []dayCount
	Any     bool
}

// Day is the date of a row.
func (d dayCount) Date() time.Time { return dayTime(d.Day) }

func chartDays(key, title string, days []dayCount) dayChart {
	c := dayChart{Title: title, Days: days}
	var permitted, refused uint64
	bars := make([]draw.Bar, len(days))
	for i, d := range days {
		permitted, refused = permitted+d.Permitted, refused+d.Refused
		date := dayTime(d.Day)
		bars[i] = draw.Bar{Label: date.Format("2 Jan"), Tip: fmt.Sprintf("%s: %d permitted, %d refused", date.Format("2 Jan 2006"), d.Permitted, d.Refused),
			Parts: []draw.Part{{N: d.Permitted, Class: "good"}, {N: d.Refused, Class: "bad"}}}
	}
	c.Any = permitted+refused > 0
	c.Picture = draw.Bars(key, title, fmt.Sprintf("%d requests were permitted and %d refused. The table below has each day.", permitted, refused), 940, 170, bars)
	return c
}

func (c *dayChart) csv(w http.ResponseWriter) error {
	asFile(w, "text/csv; charset=utf-8", strings.ReplaceAll(strings.ToLower(c.Title), " ", "-")+".csv")
	return writeTable(w, []string{"day", "permitted", "refused", "releases", "bytes"}, len(c.Days), func(i int) []string {
		d := c.Days[i]
		return []string{dayTime(d.Day).Format(time.DateOnly), fmt.Sprint(d.Permitted), fmt.Sprint(d.Refused), fmt.Sprint(d.Releases), fmt.Sprint(d.Bytes)}
	})
}

// writeTable writes cells as CSV, so that no cell is run as a formula.
func writeTable(w http.ResponseWriter, names []string, rows int, row func(int) []string) error {
	columns := make([]sheet.Column, len(names))
	for i, name := range names {
		columns[i] = sheet.Column{Name: name, Text: true}
	}
	out := make([]map[string]json.RawMessage, rows)
	for i := range out {
		out[i] = map[string]json.RawMessage{}
		for j, text := range row(i) {
			raw, err := json.Marshal(text)
			if err != nil {
				return err
			}
			out[i][names[j]] = raw
		}
	}
	return sheet.Write(w, columns, out)
}

// todayCalendar is what stops as a file for a calendar program.
func (s *server) todayCalendar(v *visit) (struct{}, error) {
	days := v.URL.Query().Get("days")
	if !slices.ContainsFunc(todayReach, func(n int) bool { return days == fmt.Sprint(n) }) {
		days = "90"
	}
	return struct{}{}, s.pass(v, "/v1/forecast.ics?days="+days, "what-stops.ics")
}
