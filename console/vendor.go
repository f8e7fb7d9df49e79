package console

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/forecast"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

// vendorTabs are the parts of a vendor's page.
var vendorTabs = []tabOf{{"", "Overview"}, {"papers", "Papers"}, {"diligence", "Diligence"}, {"people", "People and machines"}, {"ahead", "What stops"}, {"traffic", "Traffic"}, {"acts", "What was done"}}

type tabOf struct{ Key, Label string }

// tab is one way to a part of a page.
type tab struct {
	Label, Href string
	Here        bool
}

// tabsOf are the tabs of a page and the one that is shown; one that is not known is the
// first.
func tabsOf(v *visit, all []tabOf) (tabs []tab, here string) {
	want := v.URL.Query().Get("tab")
	if !slices.ContainsFunc(all, func(t tabOf) bool { return t.Key == want }) {
		want = ""
	}
	for _, t := range all {
		href := v.URL.Path
		if t.Key != "" {
			href += "?tab=" + t.Key
		}
		tabs = append(tabs, tab{t.Label, href, t.Key == want})
	}
	return tabs, want
}

// vendorPage is one vendor.
type vendorPage struct {
	*snapshot.Vendor
	Tabs  []tab
	Tab   string
	Held  []*snapshot.Hold
	Risk  diligence.Risk
	Level mark

	// Of the overview.
	Doors  doors
	Work   []vendorWork
	Next   []forecast.Stop
	Waits  []needRow
	Acts   []*done
	Papers []vendorPaper
	Tree   diligence.Node
	Dil    vendorDiligence
	People list
	Things []vendorThing
	Drawn  dayChart
	Gates  []todayRefusal
	Latest []disclosure.Row
}

// vendorWork is an engagement of the vendor.
type vendorWork struct {
	*snapshot.Engagement
	Grants  int
	Bytes   uint64
	Refused uint64
}

// vendorPaper is an agreement of the vendor.
type vendorPaper struct {
	*snapshot.Agreement
	Name    string
	InForce bool
	State   mark
	Until   time.Time
}

// vendorThing is a machine or a program of the vendor.
type vendorThing struct {
	What  string
	Ref   any
	Name  string
	State snapshot.State
	Until time.Time
	Owner id.Person
	Kind  string
}

func (s *server) vendor(v *visit) (vendorPage, error) {
	w, ok := v.View.Vendors.Get(id.Vendor(v.PathValue("id")))
	if !ok {
		return vendorPage{}, notFound()
	}
	v.call(w.Name)
	v.under("Vendors", "/console/vendors")
	p := vendorPage{Vendor: w, Risk: diligence.InherentRisk(w.Profile, len(diligence.Below(v.View, w.ID)))}
	p.Level = riskMark(p.Risk.Level)
	p.Tabs, p.Tab = tabsOf(v, vendorTabs)
	for _, h := range v.View.HoldsOn(snapshot.Subject{Noun: snapshot.NounVendor, ID: string(w.ID)}) {
		if h.LiftedAt.IsZero() {
			p.Held = append(p.Held, h)
		}
	}
	switch p.Tab {
	case "papers":
		p.Papers, p.Tree = papersOf(v, w.ID), diligence.Tree(v.View, w.ID, v.Now)
	case "diligence":
		p.Dil = diligenceOf(v, w)
	case "people":
		p.People = s.vendorPeople(v, w)
		p.Things = s.thingsOf(v, w.ID)
	case "ahead":
		p.Next = s.ahead.about(v.Now, func(x forecast.Stop) bool { return x.Vendor == w.ID })
	case "traffic":
		s.vendorTraffic(v, &p)
	case "acts":
		p.Acts = s.history.About(w.ID, keepOfVendor, nil)
	default:
		s.vendorOverview(v, &p)
	}
	return p, nil
}

func (s *server) vendorOverview(v *visit, p *vendorPage) {
	month := v.Now.AddDate(0, 0, -30)
	all := v.View.EngagementsOf(p.ID)
	sums := map[id.Engagement]dayCount{}
	for way, n := range s.activity.Ways(month, func(x way) bool { return x.Vendor == p.ID }) {
		sum := sums[way.Engagement]
		sum.add(n)
		sums[way.Engagement] = sum
	}
	for _, e := range all {
		x := vendorWork{Engagement: e, Bytes: sums[e.ID].Bytes, Refused: sums[e.ID].Refused}
		for _, g := range v.View.GrantsOf(e.ID) {
			if g.Live(v.Now) {
				x.Grants++
			}
		}
		p.Work = append(p.Work, x)
	}
	p.Doors = s.doorsOf(v, "doors", p.ID, grantsOf(v.View, p.ID))
	p.Doors.asked(v)
	p.Doors.comes(s.ahead, v.Now, func(x forecast.Stop) bool { return x.Vendor == p.ID })
	var waits []waiting
	for _, x := range s.partners.waiting(v.View, v.Now) {
		if x.Vendor == p.ID {
			if strings.HasPrefix(x.Href, "/console/do/") && !waitsMay(x.kind, v.Person) {
				x.Href = "" // it waits for somebody with another duty
			}
			waits = append(waits, x)
		}
	}
	p.Waits = needRows(v.URL, waits, "waits", v.Now)
	p.Acts = s.history.About(p.ID, 6, eachOnce())
	p.Drawn = chartDays("traffic", "Decisions of the last 30 days", s.activity.Days(v.Now.AddDate(0, 0, -29), v.Now, func(x way) bool { return x.Vendor == p.ID }))
}

func papersOf(v *visit, key id.Vendor) []vendorPaper {
	var out []vendorPaper
	for _, a := range v.View.AgreementsOf(key) {
		out = append(out, paperOf(a, v.Now))
	}
	slices.SortStableFunc(out, func(a, b vendorPaper) int { // what is in force first
		switch {
		case a.InForce && !b.InForce:
			return -1
		case b.InForce && !a.InForce:
			return 1
		}
		return b.EffectiveAt.Compare(a.EffectiveAt)
	})
	return out
}

func paperOf(a *snapshot.Agreement, now time.Time) vendorPaper {
	p := vendorPaper{Agreement: a, Name: words(paperName(a.Kind)), InForce: paperInForce(a, now), State: stateOf(string(a.State)), Until: a.EndsAt}
	if end := a.NoticesEnd(); !end.IsZero() && (p.Until.IsZero() || end.Before(p.Until)) {
		p.Until = end
	}
	switch {
	case p.InForce:
		p.State = mark{"In force", "good"}
	case a.OverBy(now):
		p.State = mark{"Ended", "off"}
	case !a.SuspendedAt.IsZero():
		p.State = mark{"Suspended", "warn"}
	case a.State == snapshot.Approved && a.EffectiveAt.After(now):
		p.State = mark{"Begins later", "wait"}
	case a.State == snapshot.Approved && !a.EndsAt.IsZero() && !a.EndsAt.After(now):
		p.State = mark{"Expired", "bad"}
	case a.State == snapshot.Approved:
		p.State = mark{"Not signed by both", "warn"}
	}
	return p
}

// vendorPeople is the list of a vendor's people.
func (s *server) vendorPeople(v *visit, w *snapshot.Vendor) list {
	rows := func(yield func(*snapshot.Person) bool) {
		for _, x := range v.View.PersonsOf(w.ID) {
			if !yield(x) {
				return
			}
		}
	}
	f := s.frame(v)
	return listOf(v, listing[*snapshot.Person]{
		Caption: "People of " + w.Name, Rows: rows, Sort: "name", Keep: []string{"tab"},
		Search: func(r *snapshot.Person) string { return r.Name + " " + string(r.ID) },
		Columns: []column[*snapshot.Person]{
			{Key: "name", Label: "Person", Cell: func(r *snapshot.Person) cell {
				return cell{Text: r.Name, Href: refIn(v.View, r.ID).Href, Help: string(r.ID)}
			}},
			{Key: "state", Label: "State", Cell: func(r *snapshot.Person) cell { return marked(string(r.State)) }},
			{Key: "class", Label: "Is", Cell: func(r *snapshot.Person) cell { return text(words(string(r.Classification))) }},
			{Key: "training", Label: "Training until", Cell: func(r *snapshot.Person) cell {
				t := trainedUntil(v.View, r.ID, v.Now)
				if t.IsZero() {
					return marked("None in force")
				}
				return text(day(t))
			}, Sort: func(r *snapshot.Person) string { return iso(trainedUntil(v.View, r.ID, v.Now)) }},
		},
		Filters: []filter[*snapshot.Person]{{Key: "state", Label: "State", Of: func(r *snapshot.Person) []string { return []string{string(r.State)} }}},
		Empty:   empty{"Nobody yet", "The vendor's people who will work with the data are enrolled here: one person asks, another approves. Each then takes the training.", f.May("person.propose", "vendor", w.ID)},
	})
}

// trainedUntil is until when the person's newest completion counts by its own date; zero:
// none does.
func trainedUntil(v *snapshot.View, p id.Person, now time.Time) time.Time {
	var out time.Time
	for _, t := range v.TrainingsOf(p) {
		if t.Passed && t.RevokedAt.IsZero() && t.Course == v.Settings.Course && t.ExpiresAt.After(now) && t.ExpiresAt.After(out) {
			out = t.ExpiresAt
		}
	}
	return out
}

// thingsOf are a vendor's machines and programs.
func (s *server) thingsOf(v *visit, key id.Vendor) []vendorThing {
	var out []vendorThing
	for _, d := range v.View.DevicesOf(key) {
		out = append(out, vendorThing{What: "Machine", Ref: d.ID, Name: string(d.ID), State: d.State, Until: d.TrustedUntil, Owner: d.Owner, Kind: "in " + d.Region})
	}
	for _, a := range v.View.AppsOf(key) {
		out = append(out, vendorThing{What: "Program", Ref: a.ID, Name: a.Name, State: a.State, Owner: a.Owner, Kind: words(string(a.Kind))})
	}
	return out[:min(len(out), 200)]
}

func (s *server) vendorTraffic(v *visit, p *vendorPage) {
	p.Drawn = chartDays("traffic", "Decisions of the last 90 days", s.activity.Days(v.Now.AddDate(0, 0, -89), v.Now, func(x way) bool { return x.Vendor == p.ID }))
	if v.URL.Query().Get("format") == "csv" {
		v.instead(func(w http.ResponseWriter) error { return p.Drawn.csv(w) })
	}
	for g, n := range s.activity.Gates(v.Now.AddDate(0, 0, -89), v.Now, p.ID) {
		p.Gates = append(p.Gates, refusalOf(p.ID, g, n))
	}
	slices.SortFunc(p.Gates, byOften)
	p.Latest = s.activity.Newest(20, func(r disclosure.Row) bool { return r.Vendor == p.ID })
}
