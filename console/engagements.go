package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// engagementRow is an engagement in the list.
type engagementRow struct {
	*snapshot.Engagement
	Name   string // of its vendor
	Stands mark
	Grants int
	Next   forecast.Stop
	Sum    dayCount // of 30 days
}

type engagementsPage struct{ List list }

func (s *server) engagements(v *visit) (engagementsPage, error) {
	v.call("Engagements")
	first := map[id.Engagement]forecast.Stop{}
	for _, x := range s.ahead.about(v.Now, func(x forecast.Stop) bool { return x.Kind == forecast.Stops }) {
		for _, e := range x.Engagements {
			if _, ok := first[e]; !ok {
				first[e] = x
			}
		}
	}
	sums := map[id.Engagement]dayCount{}
	for way, n := range s.activity.Ways(v.Now.AddDate(0, 0, -30), nil) {
		sum := sums[way.Engagement]
		sum.add(n)
		sums[way.Engagement] = sum
	}
	rows := func(yield func(engagementRow) bool) {
		for key, e := range v.View.Engagements.All() {
			r := engagementRow{Engagement: e, Name: vendorName(v.View, e.Vendor), Stands: engagementMark(v.View, e, v.Now), Next: first[key], Sum: sums[key]}
			for _, g := range v.View.GrantsOf(key) {
				if g.Live(v.Now) {
					r.Grants++
				}
			}
			if !yield(r) {
				return
			}
		}
	}
	f := s.frame(v)
	return engagementsPage{listOf(v, listing[engagementRow]{
		Caption: "Engagements", Rows: rows, Sort: "engagement",
		Search: func(r engagementRow) string { return string(r.ID) + " " + r.Name + " " + string(r.Purpose) },
		Columns: []column[engagementRow]{
			{Key: "engagement", Label: "Engagement", Cell: func(r engagementRow) cell {
				return cell{Text: string(r.ID), Href: refIn(v.View, r.ID).Href, Help: r.Name}
			}},
			{Key: "state", Label: "State", Cell: func(r engagementRow) cell { return markOf(r.Stands) }},
			{Key: "purpose", Label: "For", Cell: func(r engagementRow) cell {
				return cell{Text: words(string(r.Purpose)), Help: words(string(r.DataClass))}
			}},
			{Key: "ends", Label: "Until", Wide: true, Cell: func(r engagementRow) cell { return text(day(r.EndsAt)) }, Sort: func(r engagementRow) string { return iso(r.EndsAt) }},
			{Key: "grants", Label: "Grants", Num: true, Cell: func(r engagementRow) cell { return text(number(r.Grants)) }},
			{Key: "next", Label: "Next stop", Cell: func(r engagementRow) cell {
				if r.Next.At.IsZero() {
					return text("none in a year")
				}
				return cell{Text: day(r.Next.At), Help: words(r.Next.Gate) + ", " + ago(v.Now, r.Next.At)}
			}, Sort: func(r engagementRow) string {
				if r.Next.At.IsZero() {
					return "9999"
				}
				return iso(r.Next.At)
			}},
			{Key: "released", Label: "Released in 30 days", Num: true, Cell: func(r engagementRow) cell {
				c := text(humanBytes(r.Sum.Bytes))
				if r.Sum.Refused > 0 {
					c.Help = number(r.Sum.Refused) + " refused"
				}
				return c
			}, Sort: func(r engagementRow) string { return fmt.Sprintf("%020d", r.Sum.Bytes) }},
		},
		Filters: []filter[engagementRow]{
			{Key: "state", Label: "State", Of: func(r engagementRow) []string { return []string{r.Stands.Word} }},
			{Key: "data", Label: "Data", Of: func(r engagementRow) []string { return []string{string(r.DataClass)} }},
		},
		Empty: empty{"No work yet", "An engagement is a piece of work for one purpose under agreements: from which source, which class of data, where it is processed and until when. First take a vendor on and put its papers in force.", f.May("engagement.propose")},
	})}, nil
}

// engagementMark is how an engagement stands by its own record.
func engagementMark(v *snapshot.View, e *snapshot.Engagement, now time.Time) mark {
	switch {
	case e.State == snapshot.Approved && heldNow(v, snapshot.Subject{Noun: snapshot.NounEngagement, ID: string(e.ID)}):
		return mark{"On hold", "warn"}
	case e.State == snapshot.Approved && !e.EndsAt.After(now):
		return mark{"Over", "off"}
	case e.State == snapshot.Approved && e.StartsAt.After(now):
		return mark{"Begins later", "wait"}
	}
	return stateOf(string(e.State))
}

var engagementTabs = []tabOf{{"", "Overview"}, {"access", "Access"}, {"traffic", "Traffic"}, {"acts", "What was done"}}

// engagementPage is one engagement.
type engagementPage struct {
	*snapshot.Engagement
	Name           string
	Stands         mark
	Tabs           []tab
	Tab            string
	Doors          doors
	Time           timeline
	Papers         []vendorPaper
	Determinations []*snapshot.Determination
	Grants         []grantRow
	People         []engagementPerson
	Devices        []*snapshot.Device
	Key            *snapshot.Key // nil: nothing was ordered for its keys
	Holds          []*snapshot.Hold
	Drawn          dayChart
	Latest         []disclosure.Row
	Acts           []*done
}

// grantRow is a grant on an engagement.
type grantRow struct {
	*snapshot.Grant
	State mark
	Title string // of its role
}

type engagementPerson struct {
	ID      id.Person
	Name    string
	State   snapshot.State
	Trained time.Time
}

func (s *server) engagement(v *visit) (engagementPage, error) {
	e, ok := v.View.Engagements.Get(id.Engagement(v.PathValue("id")))
	if !ok {
		return engagementPage{}, notFound()
	}
	p := engagementPage{Engagement: e, Name: vendorName(v.View, e.Vendor), Stands: engagementMark(v.View, e, v.Now)}
	v.call(string(e.ID))
	v.under("Engagements", "/console/engagements", p.Name, vendorPath(e.Vendor, ""))
	p.Tabs, p.Tab = tabsOf(v, engagementTabs)
	for _, h := range v.View.HoldsOn(snapshot.Subject{Noun: snapshot.NounEngagement, ID: string(e.ID)}) {
		if h.LiftedAt.IsZero() {
			p.Holds = append(p.Holds, h)
		}
	}
	own, grants := []*snapshot.Engagement{e}, v.View.GrantsOf(e.ID)
	mine := func(x way) bool { return x.Engagement == e.ID }
	switch p.Tab {
	case "access":
		s.engagementAccess(v, &p, grants)
	case "traffic":
		p.Drawn = chartDays("traffic", "Decisions of the last 90 days", s.activity.Days(v.Now.AddDate(0, 0, -89), v.Now, mine))
		if v.URL.Query().Get("format") == "csv" {
			v.instead(func(w http.ResponseWriter) error { return p.Drawn.csv(w) })
		}
		p.Latest = s.activity.Newest(25, func(r disclosure.Row) bool { return r.Engagement == e.ID })
	case "acts":
		p.Acts = s.history.About(e.Vendor, 200, func(d *done) bool { return aboutEngagement(v.View, d, e, grants) })
	default:
		p.Doors = s.doorsOf(v, "doors", e.Vendor, grants)
		p.Doors.comes(s.ahead, v.Now, func(x forecast.Stop) bool { return stopTouches(x, own) })
		for _, key := range e.Agreements {
			if a, ok := v.View.Agreements.Get(key); ok {
				p.Papers = append(p.Papers, paperOf(a, v.Now))
			}
		}
		p.Determinations = v.View.DeterminationsOf(e.ID)
		p.Time = s.timelineOf(v, e, grants)
		if !p.Doors.asked(v) && v.URL.Query().Get("format") == "csv" {
			v.instead(func(w http.ResponseWriter) error { return p.Time.csv(w) })
		}
	}
	return p, nil
}

// aboutEngagement reports whether an act is about the engagement or what is on it.
func aboutEngagement(v *snapshot.View, d *done, e *snapshot.Engagement, grants []*snapshot.Grant) bool {
	switch d.On.Noun {
	case snapshot.NounEngagement, snapshot.NounKey:
		return d.On.ID == string(e.ID)
	case snapshot.NounAgreement:
		return slices.Contains(e.Agreements, id.Agreement(d.On.ID))
	case snapshot.NounGrant:
		return slices.ContainsFunc(grants, func(g *snapshot.Grant) bool { return string(g.ID) == d.On.ID })
	case snapshot.NounDetermination:
		r, ok := v.Determinations.Get(id.Determination(d.On.ID))
		return ok && r.Engagement == e.ID
	case snapshot.NounVendor, snapshot.NounAssessment:
		return true
	}
	return false
}

func (s *server) engagementAccess(v *visit, p *engagementPage, grants []*snapshot.Grant) {
	people, devices := map[id.Person]bool{}, map[id.Device]bool{}
	for _, g := range grants {
		r := grantRow{Grant: g, State: grantMark(v.View, g, v.Now)}
		if role, ok := v.View.Roles.Get(g.Role); ok {
			r.Title = role.Title
		}
		p.Grants = append(p.Grants, r)
		if !people[g.Person] {
			people[g.Person] = true
			if x, ok := v.View.Persons.Get(g.Person); ok {
				p.People = append(p.People, engagementPerson{x.ID, x.Name, x.State, trainedUntil(v.View, x.ID, v.Now)})
			}
		}
		for _, key := range g.Devices {
			if d, ok := v.View.Devices.Get(key); ok && !devices[key] {
				devices[key] = true
				p.Devices = append(p.Devices, d)
			}
		}
	}
	slices.SortStableFunc(p.Grants, func(a, b grantRow) int { return strings.Compare(grantOrder[a.State.Tone], grantOrder[b.State.Tone]) })
	p.Grants = p.Grants[:min(len(p.Grants), 200)]
	p.People, p.Devices = p.People[:min(len(p.People), 200)], p.Devices[:min(len(p.Devices), 200)]
	p.Key, _ = v.View.Keys.Get(p.ID)
}

// grantOrder puts what is in force first.
var grantOrder = map[string]string{"good": "1", "warn": "2", "wait": "3", "bad": "4", "off": "5"}

// grantMark is how a grant stands by its own record.
func grantMark(v *snapshot.View, g *snapshot.Grant, now time.Time) mark {
	switch {
	case g.State == snapshot.Approved && heldNow(v, snapshot.Subject{Noun: snapshot.NounGrant, ID: string(g.ID)}):
		return mark{"On hold", "warn"}
	case g.State == snapshot.Approved && !g.EndsAt.After(now):
		return mark{"Over", "off"}
	case g.State == snapshot.Approved && g.StartsAt.After(now):
		return mark{"Begins later", "wait"}
	case g.Live(now):
		return mark{"In force", "good"}
	}
	return stateOf(string(g.State))
}

// tabPath is a page at one of its tabs.
func tabPath(path, key, tab string) string {
	out := path + url.PathEscape(key)
	if tab != "" {
		out += "?tab=" + tab
	}
	return out
}
