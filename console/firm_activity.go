package console

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
)

func firmActivityScreens() []screen {
	return []screen{
		on("firm_activity", "Your activity", "GET "+firmPath+"/activity", theirs, (*server).firmActivity),
		on("firm_activity", "Your firm's activity", "GET "+firmPath+"/activity/firm", theirs, (*server).firmActivity),
		on("firm_decision", "A request", "GET "+firmPath+"/activity/{id}", theirs, (*server).firmDecision),
	}
}

// firmActivity is what a vendor's people asked for, as the organisation's record has it.
type firmActivity struct {
	Mine    bool // the visitor's own, and not the whole firm's
	Since   int  // days that are drawn
	Picture template.HTML
	Days    []firmDay
	List    list
	Bounded bool // there may be more than is listed
	Tabs    []firmTab
}

// firmTab is one of several views of a page.
type firmTab struct {
	Label, Href string
	Here        bool
}

type firmDay struct {
	Day                time.Time
	Permitted, Refused uint64
	Releases, Bytes    uint64
}

// firmAsk is one request, with what became of it.
type firmAsk struct {
	disclosure.Row
	Released uint64 // bytes
	People   uint64 // patients, summed over releases
	Outcome  string
	Why      string
}

const (
	firmActivityDays = 30
	firmNewest       = 500
	// firmLook is how long a page looks for the newest requests; what it has not found by
	// then it does not wait for.
	firmLook = 50 * time.Millisecond
)

func (s *server) firmActivity(v *visit) (firmActivity, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmActivity{}, err
	}
	out := firmActivity{Mine: v.URL.Path == firmPath+"/activity", Since: firmActivityDays}
	out.Tabs = []firmTab{{"You", firmPath + "/activity", out.Mine}, {"Your firm", firmPath + "/activity/firm", !out.Mine}}
	q := disclosure.Query{Vendors: []id.Vendor{f.vendor.ID}}
	if out.Mine {
		q.Persons = []id.Person{v.Person.ID}
	}
	since := v.Now.AddDate(0, 0, -firmActivityDays+1)
	asks, bounded := s.firmAsks(v.Context(), q)
	out.Bounded = bounded
	if out.Mine {
		out.Days = firmDaysOf(asks, since, v.Now)
	} else {
		for _, d := range s.activity.Days(since, v.Now, func(w way) bool { return w.Vendor == f.vendor.ID }) {
			out.Days = append(out.Days, firmDay{time.Unix(d.Day*86400, 0).UTC(), d.Permitted, d.Refused - d.Hidden, d.Releases, d.Bytes})
		}
	}
	if v.URL.Query().Get("format") == "csv" && v.URL.Query().Get("of") == "days" {
		listOf(v, firmDayList(out.Days))
		return out, nil
	}
	out.Picture = firmBars(out.Days)
	out.List = listOf(v, listing[firmAsk]{
		Caption: "Requests", Rows: slices.Values(asks),
		Columns: []column[firmAsk]{
			{Key: "time", Label: "When", Cell: func(a firmAsk) cell { return cell{Text: when(a.Time), Href: firmDecisionPath(a.Decision)} }, Sort: func(a firmAsk) string { return iso(a.Time) }, Wide: true},
			{Key: "decision", Label: "Id", Cell: func(a firmAsk) cell { return text(string(a.Decision)) }, File: true},
			{Key: "interaction", Label: "In FHIR", Cell: func(a firmAsk) cell { return text(askedCode(a.Action, a.Resource)) }, File: true},
			{Key: "outcome", Label: "Outcome", Cell: func(a firmAsk) cell { return marked(a.Outcome) }},
			{Key: "asked", Label: "Asked for", Cell: func(a firmAsk) cell {
				return cell{Text: askedFor(a.Action, a.Resource), Help: string(a.Grant)}
			}},
			{Key: "why", Label: "Why it was refused", Cell: func(a firmAsk) cell { return text(a.Why) }, Fixed: true},
			{Key: "person", Label: "Who", Cell: func(a firmAsk) cell { return cell{Text: f.name(a.Person), Help: string(a.App)} }},
			{Key: "bytes", Label: "Bytes", Num: true, Cell: func(a firmAsk) cell { return text(number(a.Released)) }},
			{Key: "patients", Label: "Patients", Num: true, Cell: func(a firmAsk) cell { return text(number(a.People)) }},
		},
		Filters: []filter[firmAsk]{
			{Key: "outcome", Label: "Outcome", Of: func(a firmAsk) []string { return []string{a.Outcome} }},
			{Key: "grant", Label: "Grant", Of: func(a firmAsk) []string { return []string{string(a.Grant)} }},
		},
		Search: func(a firmAsk) string {
			return strings.Join([]string{string(a.Decision), askedFor(a.Action, a.Resource), askedCode(a.Action, a.Resource), string(a.App), string(a.Device), a.Why}, " ")
		},
		Empty: empty{Title: "Nothing was asked for yet", Text: "Each request that your programs send is written down here, permitted or refused, with its reason. First connect: the page How to connect has what you need."},
	})
	return out, nil
}

func firmDecisionPath(d id.Decision) string { return firmPath + "/activity/" + string(d) }

// firmDayList is the table behind the picture.
func firmDayList(days []firmDay) listing[firmDay] {
	n := func(key, label string, of func(firmDay) uint64) column[firmDay] {
		return column[firmDay]{Key: key, Label: label, Num: true, Cell: func(d firmDay) cell { return text(strconv.FormatUint(of(d), 10)) }}
	}
	return listing[firmDay]{Caption: "Requests by day", Rows: slices.Values(days), Columns: []column[firmDay]{
		{Key: "day", Label: "Day", Cell: func(d firmDay) cell { return text(d.Day.Format(time.DateOnly)) }},
		n("permitted", "Permitted", func(d firmDay) uint64 { return d.Permitted }), n("refused", "Refused", func(d firmDay) uint64 { return d.Refused }),
		n("releases", "Releases", func(d firmDay) uint64 { return d.Releases }), n("bytes", "Bytes", func(d firmDay) uint64 { return d.Bytes })}}
}

// firmAsks are the newest requests that match, the newest first, with their outcomes. It
// looks at the end of the log first and further back while there is time, so that it
// costs the same however long the log is; bounded says that there may be more.
func (s *server) firmAsks(ctx context.Context, q disclosure.Query) (asks []firmAsk, bounded bool) {
	covered, _ := s.Disclosures.Standing()
	if covered == 0 {
		return nil, false
	}
	q.Through = covered
	ctx, cancel := context.WithTimeout(ctx, firmLook)
	defer cancel()
	bounded = true
	for _, back := range []uint64{1 << 13, 1 << 16, 1 << 20, covered} {
		after := uint64(0)
		if back < covered {
			after = covered - back
		}
		found, more, err := s.asksSince(ctx, q, after)
		if err != nil {
			if asks == nil { // the index is behind or busy: what is in memory is better than nothing
				for _, r := range s.activity.Newest(firmNewest, func(r disclosure.Row) bool { return firmMatches(q, r) && !hiddenFromVendor(failingOf(r)) }) {
					asks = append(asks, firmAskOf(r))
				}
			}
			return asks, true
		}
		asks, bounded = found, more || after > 0
		if len(asks) >= firmNewest || after == 0 {
			break
		}
	}
	return asks, bounded
}

func firmMatches(q disclosure.Query, r disclosure.Row) bool {
	return slices.Contains(q.Vendors, r.Vendor) && (len(q.Persons) == 0 || slices.Contains(q.Persons, r.Person))
}

// asksSince reads the requests after an entry of the log and keeps the newest.
func (s *server) asksSince(ctx context.Context, q disclosure.Query, after uint64) (out []firmAsk, more bool, err error) {
	at := map[id.Decision]int{}
	var all []firmAsk
	err = s.Disclosures.Rows(ctx, q, after, func(r disclosure.Row) error {
		i, known := at[r.Decision]
		switch r.Kind {
		case disclosure.Permitted, disclosure.Refused:
			if known {
				all[i].refusedLate(r)
				return nil
			}
			if r.Kind == disclosure.Refused && hiddenFromVendor(failingOf(r)) {
				return nil // its request is further back
			}
			if len(all) >= 4*firmNewest { // drop the older half
				all, more = slices.Clone(all[len(all)-2*firmNewest:]), true
				clear(at)
				for i, a := range all {
					at[a.Decision] = i
				}
			}
			at[r.Decision] = len(all)
			all = append(all, firmAskOf(r))
		default:
			if !known || all[i].Kind == disclosure.Refused {
				return nil
			}
			switch r.Kind {
			case disclosure.Released:
				all[i].Outcome, all[i].Released, all[i].People = "released", all[i].Released+r.Bytes, all[i].People+r.Patients
			case disclosure.Withheld, disclosure.Incomplete:
				all[i].Outcome = string(r.Kind)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, false, err
	}
	if len(all) > firmNewest {
		all, more = all[len(all)-firmNewest:], true
	}
	slices.Reverse(all)
	return all, more, nil
}

func firmAskOf(r disclosure.Row) firmAsk {
	a := firmAsk{Row: r, Outcome: string(r.Kind)}
	if r.Kind == disclosure.Refused {
		a.Why = firmWhy(false, failingOf(r))
	}
	return a
}

// refusedLate is what a firm may know of a request that was permitted, and whose answer
// was not fit to leave.
func (a *firmAsk) refusedLate(r disclosure.Row) {
	if failing := failingOf(r); hiddenFromVendor(failing) {
		a.Outcome = string(disclosure.Withheld)
	} else {
		a.Kind, a.Outcome, a.Why = disclosure.Refused, string(disclosure.Refused), firmWhy(true, failing)
	}
}

// firmDaysOf counts requests by day.
func firmDaysOf(asks []firmAsk, since, now time.Time) []firmDay {
	first, last := dayOf(since), dayOf(now)
	out := make([]firmDay, max(last-first+1, 0))
	for i := range out {
		out[i].Day = time.Unix((first+int64(i))*86400, 0).UTC()
	}
	for _, a := range asks {
		d := dayOf(a.Time)
		if d < first || d > last {
			continue
		}
		x := &out[d-first]
		if a.Kind == disclosure.Refused {
			x.Refused++
			continue
		}
		x.Permitted++
		x.Bytes += a.Released
		if a.Released > 0 {
			x.Releases++
		}
	}
	return out
}

// firmBars draws the days.
func firmBars(days []firmDay) template.HTML {
	var permitted, refused uint64
	bars := make([]draw.Bar, len(days))
	for i, d := range days {
		permitted, refused = permitted+d.Permitted, refused+d.Refused
		bars[i] = draw.Bar{Label: d.Day.Format("2 Jan"), Tip: fmt.Sprintf("%s: %d permitted, %d refused", d.Day.Format("2 January"), d.Permitted, d.Refused),
			Parts: []draw.Part{{N: d.Permitted, Class: "good"}, {N: d.Refused, Class: "bad"}}}
	}
	return draw.Bars("firm-days", "Requests by day", fmt.Sprintf("%s permitted and %s refused in %s.", number(permitted), number(refused), plural(cmp.Or(len(days), 1), "day")), 1000, 200, bars)
}
