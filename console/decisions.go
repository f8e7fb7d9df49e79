package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/gate"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/sheet"
	"github.com/sallyport/sallyport/snapshot"
)

// decisionExport is the most rows that a file of decisions holds: what is made for a
// page is made in memory. The whole record is the API's to stream.
const decisionExport = 5000

// decisionAsk is which decisions are meant, as the address says it.
type decisionAsk struct {
	Result                                  string // "permitted", "refused" or "": both
	Gate                                    string
	Vendor, Engagement, Source, App, Person string // as they were written
	Since, Until                            string // days, the last one included
	query                                   disclosure.Query
	before                                  uint64 // the log index before which the page begins; 0: the newest
	Wrong                                   string // what was written and cannot be meant
	Any                                     bool   // something is narrowed
	More                                    bool   // by one of the rarer fields
	Results, Gates, Sources                 []option
	VendorNames, EngagementNames, AppNames  []option // what fields propose
	keep                                    func(disclosure.Row) bool
	sinceTime, untilTime                    time.Time
}

// decisionGates is how many gates are drawn: the list must stand on the first screen.
const decisionGates = 5

// mostProposed bounds what a field proposes: a page must stay small with a thousand vendors.
const mostProposed = 150

// decisionsPage is what the screen shows.
type decisionsPage struct {
	Ask       decisionAsk
	Rows      []decisionRow
	Newer     string
	Older     string
	Looked    string // how far back an empty page has looked
	CSV       string
	Clear     string
	Live      bool
	Ready     bool
	Sums      decisionSums
	Bars      template.HTML
	Spans     []decisionSpan
	Span      string    // "day", "week" or "month"
	From      time.Time // what is drawn, the last day included
	Until     time.Time
	Gates     []gateCount // that refused most, and the others
	MoreGates []gateCount
	// GatesFor is whose refusals are counted; empty: everybody's.
	GatesFor string
	DaysCSV  string
	GatesCSV string
	NoDraw   string // a filter that counts in memory do not know
}

// decisionRow is one decision in a list.
type decisionRow struct {
	Row        disclosure.Row
	Href       string
	State      mark
	Vendor     ref
	Engagement ref
	Person     ref
	Asked      string
	Gates      []string // that refused, each once
}

// MoreGates is how many refused beside the first three: all of them are on its own page.
func (r decisionRow) MoreGates() int { return max(len(r.Gates)-3, 0) }

// decisionSums are the sums of what is drawn.
type decisionSums struct{ Permitted, Refused, Releases, Patients, Bytes uint64 }

// decisionSpan is a day, week or month.
type decisionSpan struct {
	From, Until time.Time
	N           dayCount
	Href        string // the list of it alone
}

// gateCount is how often a gate refused.
type gateCount struct {
	Gate, Title, Href string
	N                 uint64
	Share             int // of the most, in hundredths
}

func (s *server) decisions(v *visit) (decisionsPage, error) {
	p := decisionsPage{Ask: readDecisionAsk(v)}
	a := &p.Ask
	if v.URL.Query().Get("format") == "csv" {
		return p, s.decisionsCSV(v, a)
	}
	_, p.Ready = s.activity.More()
	s.drawDecisions(v, &p)
	p.Live = a.before == 0 && a.Since == "" && a.Until == "" && a.Wrong == ""
	p.CSV, p.Clear = with(v.URL, "format", "csv", "before", ""), ""
	if a.Any {
		p.Clear = v.URL.Path
	}
	if a.Wrong != "" {
		return p, nil
	}
	rows, next, err := s.decisionsBefore(v, a, perPage)
	if err != nil {
		return p, err
	}
	for _, r := range rows {
		p.Rows = append(p.Rows, decisionRowOf(v.View, r))
	}
	if next > 0 {
		p.Older = with(v.URL, "before", strconv.FormatUint(next, 10))
	}
	if a.before > 0 {
		p.Newer = with(v.URL, "before", "")
	}
	if len(rows) == 0 && next > 0 {
		p.Looked = number(next)
	}
	return p, nil
}

// decisionsBefore are at most limit decisions, the newest first, and from which index of
// the log to go on. What is newest is in memory; what is older the index of disclosures
// has.
func (s *server) decisionsBefore(v *visit, a *decisionAsk, limit int) ([]disclosure.Row, uint64, error) {
	if _, ready := s.activity.More(); ready && a.before == 0 && a.Since == "" && a.Until == "" {
		if rows := s.activity.Newest(limit+1, a.keep); len(rows) > limit {
			return rows[:limit], rows[limit-1].Index, nil
		}
	}
	q := a.query
	q.Through = a.before
	page, err := s.Disclosures.Newest(v.Context(), q, limit, a.keep, a.kinds()...)
	return page.Items, page.Next, err
}

func (a *decisionAsk) kinds() []disclosure.Kind {
	switch {
	case a.Result == "permitted":
		return []disclosure.Kind{disclosure.Permitted}
	case a.Result == "refused" || a.Gate != "":
		return []disclosure.Kind{disclosure.Refused}
	}
	return []disclosure.Kind{disclosure.Permitted, disclosure.Refused}
}

func decisionRowOf(view *snapshot.View, r disclosure.Row) decisionRow {
	out := decisionRow{Row: r, Href: decisionPath(r.Decision), State: stateOf(string(r.Kind)), Vendor: refIn(view, r.Vendor), Engagement: refIn(view, r.Engagement), Person: refIn(view, r.Person),
		Asked: askedFor(r.Action, r.Resource)}
	for _, f := range r.Failing {
		if !slices.Contains(out.Gates, f.Gate) {
			out.Gates = append(out.Gates, f.Gate)
		}
	}
	return out
}

// readDecisionAsk reads the filters. What cannot be meant is told, and shows nothing.
func readDecisionAsk(v *visit) decisionAsk {
	q := v.URL.Query()
	get := func(key string) string { return strings.TrimSpace(q.Get(key)) }
	a := decisionAsk{Result: get("result"), Gate: get("gate"), Vendor: get("vendor"), Engagement: get("engagement"), Source: get("source"), App: get("app"), Person: get("person"),
		Since: get("since"), Until: get("until")}
	a.before, _ = strconv.ParseUint(get("before"), 10, 63) // what is no number is the first page
	a.Any = a.Result+a.Gate+a.Vendor+a.Engagement+a.Source+a.App+a.Person+a.Since+a.Until != ""
	a.More = a.Engagement+a.Source+a.App+a.Person != ""

	if a.Vendor != "" {
		a.query.Vendors = []id.Vendor{vendorCalled(v.View, a.Vendor)}
	}
	wrong := func(field, text string) {
		a.Wrong = cmp.Or(a.Wrong, fmt.Sprintf("%q is no %s. Write the id as the list has it.", text, field))
	}
	one(&a.query.Engagements, a.Engagement)
	one(&a.query.Sources, a.Source)
	one(&a.query.Apps, a.App)
	one(&a.query.Persons, a.Person)
	for field, text := range map[string]string{"vendor": string(first(a.query.Vendors)), "engagement": a.Engagement, "source": a.Source, "app": a.App, "person": a.Person} {
		if text != "" && id.Check(text) != nil {
			wrong(field, text)
		}
	}
	var err, err2 error
	a.sinceTime, err = dayWritten(a.Since, 0)
	a.untilTime, err2 = dayWritten(a.Until, 1)
	switch {
	case err != nil || err2 != nil:
		a.Wrong = cmp.Or(a.Wrong, "A day is written as year, month, day: 2026-03-31.")
	case !a.sinceTime.IsZero() && !a.untilTime.IsZero() && !a.sinceTime.Before(a.untilTime):
		a.Wrong = cmp.Or(a.Wrong, "The last day is before the first.")
	}
	a.query.Since, a.query.Until = a.sinceTime, a.untilTime
	a.keep = a.keeps()
	a.choices(v)
	return a
}

func one[T ~string](list *[]T, text string) {
	if text != "" {
		*list = []T{T(text)}
	}
}

func first[T any](list []T) (x T) {
	if len(list) > 0 {
		x = list[0]
	}
	return x
}

// dayWritten reads a day, and gives its beginning so many days later.
func dayWritten(text string, later int) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	return t.AddDate(0, 0, later), err
}

// vendorCalled is the vendor that has this id or is called so; else the text itself.
func vendorCalled(view *snapshot.View, text string) id.Vendor {
	if _, ok := view.Vendors.Get(id.Vendor(text)); ok {
		return id.Vendor(text)
	}
	for key, x := range view.Vendors.All() {
		if strings.EqualFold(x.Name, text) {
			return key
		}
	}
	return id.Vendor(text)
}

// keeps is the filter on rows.
func (a *decisionAsk) keeps() func(disclosure.Row) bool {
	has := func(want string, have string) bool { return want == "" || want == have }
	vendor := string(first(a.query.Vendors))
	return func(r disclosure.Row) bool {
		if !has(a.Result, string(r.Kind)) || !has(vendor, string(r.Vendor)) || !has(a.Engagement, string(r.Engagement)) || !has(a.Source, string(r.Source)) ||
			!has(a.App, string(r.App)) || !has(a.Person, string(r.Person)) {
			return false
		}
		return a.Gate == "" || slices.ContainsFunc(r.Failing, func(f disclosure.FailedGate) bool { return f.Gate == a.Gate })
	}
}

// choices are what the fields offer.
func (a *decisionAsk) choices(v *visit) {
	a.Results = []option{{"permitted", "Permitted", a.Result == "permitted"}, {"refused", "Refused", a.Result == "refused"}}
	for _, g := range gate.All {
		a.Gates = append(a.Gates, option{g.ID, words(g.ID), a.Gate == g.ID})
	}
	if a.Gate != "" && !slices.ContainsFunc(a.Gates, func(o option) bool { return o.Chosen }) { // one of the site's own
		a.Gates = append(a.Gates, option{a.Gate, a.Gate, true})
	}
	for _, x := range v.View.Settings.Sources {
		a.Sources = append(a.Sources, option{string(x.ID), string(x.ID), a.Source == string(x.ID)})
	}
	for key, x := range v.View.Vendors.All() {
		if a.VendorNames = append(a.VendorNames, option{Value: string(key), Label: x.Name}); len(a.VendorNames) == mostProposed {
			break
		}
	}
	vendor := first(a.query.Vendors)
	for key, x := range v.View.Engagements.All() {
		if vendor != "" && x.Vendor != vendor {
			continue
		}
		if a.EngagementNames = append(a.EngagementNames, option{Value: string(key)}); len(a.EngagementNames) == mostProposed {
			break
		}
	}
	for key, x := range v.View.Apps.All() {
		if vendor != "" && x.Vendor != vendor {
			continue
		}
		if a.AppNames = append(a.AppNames, option{Value: string(key), Label: x.Name}); len(a.AppNames) == mostProposed {
			break
		}
	}
}

// drawDecisions draws decisions over time and refusals by gate, from what is in memory.
func (s *server) drawDecisions(v *visit, p *decisionsPage) {
	a := &p.Ask
	now := v.Now.UTC()
	since, until := a.sinceTime, now
	if !a.untilTime.IsZero() && a.untilTime.Before(now) {
		until = a.untilTime.Add(-time.Second)
	}
	if since.IsZero() || since.After(until) {
		since = until.AddDate(0, 0, -29)
	}
	if a.App != "" || a.Person != "" || a.Gate != "" {
		p.NoDraw = "The picture counts all apps, people and gates."
	}
	vendor := first(a.query.Vendors)
	days := s.activity.Days(since, until, func(w way) bool {
		return (vendor == "" || w.Vendor == vendor) && (a.Engagement == "" || string(w.Engagement) == a.Engagement) && (a.Source == "" || string(w.Source) == a.Source)
	})
	p.Span, p.Spans = spansOf(days)
	p.From, p.Until = since, until
	var bars []draw.Bar
	for i := range p.Spans {
		x := &p.Spans[i]
		x.Href = with(v.URL, "since", x.From.Format(time.DateOnly), "until", x.Until.AddDate(0, 0, -1).Format(time.DateOnly), "before", "")
		p.Sums.Permitted, p.Sums.Refused, p.Sums.Releases = p.Sums.Permitted+x.N.Permitted, p.Sums.Refused+x.N.Refused, p.Sums.Releases+x.N.Releases
		p.Sums.Bytes, p.Sums.Patients = p.Sums.Bytes+x.N.Bytes, p.Sums.Patients+x.N.Patients
		bars = append(bars, draw.Bar{Label: x.From.Format("2 Jan"), Tip: fmt.Sprintf("%s: %s permitted, %s refused", x.From.Format("2 Jan 2006"), number(x.N.Permitted), number(x.N.Refused)),
			Parts: []draw.Part{{N: x.N.Permitted, Class: "good"}, {N: x.N.Refused, Class: "bad"}}})
	}
	p.Bars = draw.Bars("decisions-over-time", "Decisions over time", fmt.Sprintf("From %s to %s, by %s: %s permitted, %s refused.", day(since), day(until), p.Span, number(p.Sums.Permitted), number(p.Sums.Refused)), 460, 140, bars)
	p.GatesFor = string(vendor)
	titles := gateTitles()
	for name, n := range s.activity.Gates(since, until, vendor) {
		p.Gates = append(p.Gates, gateCount{Gate: name, Title: titles[name], N: n, Href: with(v.URL, "gate", name, "result", "", "before", "")})
	}
	slices.SortFunc(p.Gates, func(x, y gateCount) int { return cmp.Or(cmp.Compare(y.N, x.N), cmp.Compare(x.Gate, y.Gate)) })
	for i := range p.Gates {
		p.Gates[i].Share = max(1, int(p.Gates[i].N*100/p.Gates[0].N))
	}
	if len(p.Gates) > decisionGates {
		p.Gates, p.MoreGates = p.Gates[:decisionGates], p.Gates[decisionGates:]
	}
	p.DaysCSV, p.GatesCSV = with(v.URL, "format", "csv", "of", "days", "before", ""), with(v.URL, "format", "csv", "of", "gates", "before", "")
}

func gateTitles() map[string]string {
	out := map[string]string{}
	for _, g := range gate.All {
		out[g.ID] = g.Title
	}
	return out
}

// spansOf are days, or weeks or months where days are too many to be seen.
func spansOf(days []dayCount) (span string, out []decisionSpan) {
	n := 1
	span = "day"
	switch {
	case len(days) > 730:
		span, n = "30 days", 30
	case len(days) > 92:
		span, n = "week", 7
	}
	for some := range slices.Chunk(days, n) {
		x := decisionSpan{From: time.Unix(some[0].Day*86400, 0).UTC(), Until: time.Unix((some[len(some)-1].Day+1)*86400, 0).UTC()}
		for _, d := range some {
			x.N.add(d)
		}
		out = append(out, x)
	}
	return span, out
}

// decisionsCSV answers with decisions, with what is drawn of them over time, or with
// what is drawn of the gates.
func (s *server) decisionsCSV(v *visit, a *decisionAsk) error {
	if a.Wrong != "" {
		return problem.New(problem.Invalid, a.Wrong, "Go back and write it anew")
	}
	switch of := v.URL.Query().Get("of"); of {
	case "days", "gates":
		p := decisionsPage{Ask: *a}
		s.drawDecisions(v, &p)
		if of == "gates" {
			rows := [][]string{}
			for _, g := range slices.Concat(p.Gates, p.MoreGates) {
				rows = append(rows, []string{g.Gate, g.Title, fmt.Sprint(g.N)})
			}
			return tableCSV(v, "refusals-by-gate", []string{"gate", "what_must_hold", "refusals"}, rows)
		}
		rows := [][]string{}
		for _, x := range p.Spans {
			rows = append(rows, []string{x.From.Format(time.DateOnly), x.Until.AddDate(0, 0, -1).Format(time.DateOnly), fmt.Sprint(x.N.Permitted), fmt.Sprint(x.N.Refused), fmt.Sprint(x.N.Releases), fmt.Sprint(x.N.Bytes), fmt.Sprint(x.N.Patients)})
		}
		return tableCSV(v, "decisions-over-time", []string{"from", "until", "permitted", "refused", "releases", "bytes", "patients_summed"}, rows)
	}
	var rows [][]string
	for before := a.before; len(rows) < decisionExport; {
		ask := *a
		ask.before = before
		some, next, err := s.decisionsBefore(v, &ask, decisionExport-len(rows))
		if err != nil {
			return err
		}
		for _, r := range some {
			rows = append(rows, decisionRecord(r))
		}
		if next == 0 || len(some) == 0 {
			break
		}
		before = next
	}
	return tableCSV(v, "decisions", decisionColumns, rows)
}

var decisionColumns = []string{"log_index", "time", "result", "decision", "vendor", "engagement", "person", "device", "app", "grant", "role", "source", "action", "resource", "purpose", "data_class", "region", "tls", "key_exchange", "token_binding", "failing"}

func decisionRecord(r disclosure.Row) []string {
	var failing []string
	for _, f := range r.Failing {
		failing = append(failing, f.Gate+":"+f.Reason)
	}
	return []string{fmt.Sprint(r.Index), iso(r.Time), string(r.Kind), string(r.Decision), string(r.Vendor), string(r.Engagement), string(r.Person), string(r.Device), string(r.App), string(r.Grant),
		string(r.Role), string(r.Source), r.Action, r.Resource, string(r.Purpose), string(r.DataClass), r.Region, r.TLS, r.KeyExchange, r.Binding, strings.Join(failing, " ")}
}

// tableCSV answers with a table, as package sheet writes it.
func tableCSV(v *visit, name string, columns []string, rows [][]string) error {
	var heads []sheet.Column
	for _, c := range columns {
		heads = append(heads, sheet.Column{Name: c, Text: true})
	}
	out := make([]map[string]json.RawMessage, len(rows))
	for i, r := range rows {
		if len(r) != len(columns) {
			return errors.New("a row has not as many fields as its table")
		}
		out[i] = map[string]json.RawMessage{}
		for j, text := range r {
			raw, err := json.Marshal(text)
			if err != nil {
				return fmt.Errorf("writing a table: %w", err)
			}
			out[i][columns[j]] = raw
		}
	}
	v.instead(func(w http.ResponseWriter) error {
		asFile(w, "text/csv; charset=utf-8", name+".csv")
		return sheet.Write(w, heads, out)
	})
	return nil
}

// decisionsOf is the list narrowed to something: for links from elsewhere.
func decisionsOf(key, value string) string {
	return "/console/decisions?" + url.Values{key: {value}}.Encode()
}
