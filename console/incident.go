package console

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

func incidentScreens() []screen {
	return []screen{
		on("incidents", "Incidents", "GET /console/incidents", ours, (*server).incidents),
		on("incident", "Incident", "GET /console/incidents/{id}", ours, (*server).incident),
		on("radius", "Blast radius", "GET /console/incidents/{id}/radius", ours, (*server).radius),
		on("assess", "Assessment", "GET /console/incidents/{id}/assess", ours, (*server).assessShown),
		on("assess", "Assessment", "POST /console/incidents/{id}/assess", ours, (*server).assessSaved),
		{Title: "Releases", Pattern: "GET /console/incidents/{id}/releases", For: ours, show: (*server).radiusReleases},
		{Title: "Draft", Pattern: "GET /console/incidents/{id}/notice", For: ours, show: (*server).incidentNotice},
		{Title: "Story", Pattern: "GET /console/incidents/{id}/story", For: ours, show: (*server).incidentStory},
	}
}

type incidentsPage struct {
	Neglected []incidentNeglect
	Soon      []incidentDue
	List      list
}

type incidentNeglect struct {
	breach.Neglect
	Href string
}

// incidentDue is a clock of an open incident.
type incidentDue struct {
	Incident id.Incident
	Title    string
	What     string
	Until    string
	Due      time.Time
	Mark     mark
}

// incidentsDue is how many clocks the list shows above the incidents.
const incidentsDue = 6

func (s *server) incidents(v *visit) (incidentsPage, error) {
	var out incidentsPage
	var neglected api.List[breach.Neglect]
	if err := s.read(v, "/v1/neglected", &neglected); err != nil {
		return out, err
	}
	for _, n := range neglected.Items[:min(len(neglected.Items), incidentsDue)] {
		x := incidentNeglect{Neglect: n}
		if n.Subject.Noun == snapshot.NounIncident {
			x.Href = "/console/incidents/" + n.Subject.ID
		} else if n.Subject.Noun == snapshot.NounFinding {
			x.Href = "/console/diligence?tab=findings"
			if settle := s.frame(v).May("finding.settle", "id", n.Subject.ID); settle != nil {
				x.Href = settle.Href
			}
		}
		out.Neglected = append(out.Neglected, x)
	}
	zone, err := breach.Zone(v.View.Settings.TimeZone)
	if err != nil {
		return out, err
	}
	next := map[id.Incident]incidentDue{}
	out.List = listOf(v, listing[*snapshot.Incident]{
		Caption: "Incidents",
		Rows: func(yield func(*snapshot.Incident) bool) {
			for _, x := range v.View.Incidents.All() {
				if x.Open() {
					due := incidentClocks(v, x, zone)
					out.Soon = append(out.Soon, due...)
					if len(due) > 0 {
						next[x.ID] = due[0]
					}
				}
				if !yield(x) {
					return
				}
			}
		},
		Search: func(x *snapshot.Incident) string {
			return string(x.ID) + "\n" + x.Title + "\n" + string(x.Vendor) + "\n" + vendorName(v.View, x.Vendor)
		},
		Filters: []filter[*snapshot.Incident]{
			{Key: "state", Label: "State", Of: func(x *snapshot.Incident) []string { return []string{incidentState(x)} }, Options: []option{{Value: "open", Label: "Open"}, {Value: "closed", Label: "Closed"}}},
			vendorFilter(v, func(x *snapshot.Incident) id.Vendor { return x.Vendor }),
		},
		Columns: []column[*snapshot.Incident]{
			{Key: "title", Label: "Incident", Cell: func(x *snapshot.Incident) cell {
				return cell{Text: x.Title, Href: "/console/incidents/" + string(x.ID), Help: string(x.ID)}
			}},
			{Key: "vendor", Label: "Vendor", Cell: func(x *snapshot.Incident) cell {
				if x.Vendor == "" {
					return text("None: our own")
				}
				r := refIn(v.View, x.Vendor)
				return cell{Text: r.Label, Href: r.Href}
			}},
			{Key: "state", Label: "State", Cell: func(x *snapshot.Incident) cell {
				m := mark{"Open", "warn"}
				if !x.Open() {
					m = mark{"Closed", "off"}
				}
				return cell{Text: m.Word, Mark: &m}
			}},
			{Key: "breach", Label: "A breach?", Cell: func(x *snapshot.Incident) cell { return text(breachWords(breach.Conclude(x.Assessment))) }},
			{Key: "discovered", Label: "Discovered", Cell: func(x *snapshot.Incident) cell { return text(day(x.DiscoveredAt)) }, Sort: func(x *snapshot.Incident) string { return iso(x.DiscoveredAt) }},
			{Key: "next", Label: "Next due", Cell: func(x *snapshot.Incident) cell {
				d, ok := next[x.ID]
				if !ok {
					return text("nothing")
				}
				return cell{Text: d.Until, Help: ago(v.Now, d.Due) + ": " + d.What}
			}, Sort: func(x *snapshot.Incident) string {
				if d, ok := next[x.ID]; ok {
					return iso(d.Due)
				}
				return "9"
			}},
		},
		Sort:  "-discovered",
		Empty: empty{Title: "No incident is known", Text: "If something may have gone wrong, open one: you can contain it in one act, and every clock of the law and of your contracts runs from there. It counts as a breach until two people have shown otherwise.", Act: mayDo(s, v, "incident.open")},
	})
	slices.SortFunc(out.Soon, func(a, b incidentDue) int { return a.Due.Compare(b.Due) })
	out.Soon = out.Soon[:min(len(out.Soon), incidentsDue)]
	return out, nil
}

func incidentState(x *snapshot.Incident) string {
	if x.Open() {
		return "open"
	}
	return "closed"
}

// incidentClocks are the clocks of an incident by which somebody must still do
// something, the earliest first.
func incidentClocks(v *visit, x *snapshot.Incident, zone *time.Location) []incidentDue {
	var out []incidentDue
	for _, d := range breach.Due(x, breach.ContractOf(v.View, x), zone, v.Now) {
		if d.Pending() {
			out = append(out, incidentDue{x.ID, x.Title, d.What, dueUntil(d, zone), d.Due, dueMark(d, v.Now)})
		}
	}
	return out
}

// dueUntil is the end of a clock: its last day, or the minute.
func dueUntil(d breach.Deadline, zone *time.Location) string {
	if last, err := time.Parse(time.DateOnly, d.LastDay); err == nil {
		return day(last)
	}
	return d.Due.In(zone).Format("2 Jan 2006, 15:04 MST")
}

// dueMark is how a clock stands, with how soon it ends.
func dueMark(d breach.Deadline, now time.Time) mark {
	switch {
	case d.Kind == breach.Keep:
		return mark{"Keep", "off"}
	case !d.Done.IsZero() && d.Late:
		return mark{"Done late", "warn"}
	case !d.Done.IsZero():
		return mark{"Done", "good"}
	case d.Kind == breach.Limit:
		return mark{"Ends then", "off"}
	case d.Late:
		return mark{"Late", "bad"}
	case d.Due.Sub(now) < 7*24*time.Hour:
		return mark{"Soon", "warn"}
	}
	return mark{"Runs", "wait"}
}

func breachWords(c breach.Conclusion) string {
	switch {
	case c.Breach && c.Basis == breach.Presumed:
		return "Presumed"
	case c.Breach:
		return "Yes"
	}
	return "No"
}

// incidentPage is one incident: what is due, what was done, what comes next.
type incidentPage struct {
	*snapshot.Incident
	Clocks     api.Clocks
	Breach     string
	Zone       *time.Location
	Next       []incidentStep
	About      []ref
	Holds      []*snapshot.Hold
	Contained  bool
	Rows       []incidentClock // by which somebody does something
	Kept       []incidentClock // by which something is kept, or a power ends
	Drawn      template.HTML
	CSV        string
	Notices    []incidentNotice
	Given      []snapshot.Notice
	Delays     []snapshot.EnforcementDelay
	Fixes      []incidentFix
	Sanctions  []incidentSanction
	Approvable bool // an assessment waits for a second person
	Told       bool // the notices' words are written
}

// incidentStep is what to do next, in order.
type incidentStep struct {
	Text, Href string
	Done       bool
	Now        bool // the first that is not done
}

type incidentClock struct {
	breach.Deadline
	Until string
	Mark  mark
}

// incidentNotice is a notice that is due, or was given.
type incidentNotice struct {
	To      snapshot.NoticeTo
	Label   string
	Region  string
	Due     string
	Mark    mark
	Missing []breach.NoticeElement
	Ready   bool
	Merge   bool // letters: the data of a mail merge
	Draft   string
}

type incidentFix struct {
	snapshot.Correction
	N    int
	Late bool
}

type incidentSanction struct {
	snapshot.Sanction
	About ref
}

func (s *server) anIncident(v *visit) (*snapshot.Incident, error) {
	x, ok := v.View.Incidents.Get(id.Incident(v.PathValue("id")))
	if !ok {
		return nil, noSuch("incident", "/console/incidents")
	}
	return x, nil
}

func incidentPath(x *snapshot.Incident, rest string) string {
	return "/console/incidents/" + url.PathEscape(string(x.ID)) + rest
}

func (s *server) incident(v *visit) (incidentPage, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return incidentPage{}, err
	}
	v.call(x.Title)
	v.under("Incidents", "/console/incidents")
	out := incidentPage{Incident: x, Given: x.Notices, Delays: x.Delays, Told: x.Telling.WhatHappened != ""}
	if err := s.read(v, "/v1/incidents/"+url.PathEscape(string(x.ID))+"/clocks", &out.Clocks); err != nil {
		return out, err
	}
	if out.Zone, err = breach.Zone(v.View.Settings.TimeZone); err != nil {
		return out, err
	}
	out.Breach = breachWords(out.Clocks.Conclusion)
	out.Approvable = out.Clocks.Conclusion.Would != ""
	for _, a := range x.About {
		out.About = append(out.About, refOfSubject(v.View, a))
	}
	for _, k := range x.Holds {
		if h, ok := v.View.Holds.Get(k); ok {
			out.Holds = append(out.Holds, h)
			out.Contained = out.Contained || h.LiftedAt.IsZero()
		}
	}
	var rows [][]string
	for _, d := range out.Clocks.Deadlines {
		c := incidentClock{d, dueUntil(d, out.Zone), dueMark(d, v.Now)}
		if d.Kind == breach.Keep || d.Kind == breach.Limit {
			out.Kept = append(out.Kept, c)
		} else {
			out.Rows = append(out.Rows, c)
		}
		rows = append(rows, []string{d.What, string(d.Who), d.Trigger, iso(d.From), iso(d.Due), c.Mark.Word, d.Sets, d.Citation.Text, d.Clause})
	}
	out.CSV = with(v.URL, "format", "clocks")
	if v.URL.Query().Get("format") == "clocks" {
		asCSV(v, "clocks-"+string(x.ID), []string{"what", "who", "counted_from", "from", "due", "stands", "set_by", "citation", "clause"}, rows)
		return out, nil
	}
	out.Drawn = drawClocks(x, append(slices.Clone(out.Rows), out.Kept...), v.Now)
	for i, f := range x.Corrections {
		out.Fixes = append(out.Fixes, incidentFix{f, i + 1, f.DoneAt.IsZero() && v.Now.After(f.DueAt)})
	}
	for _, a := range x.Sanctions {
		out.Sanctions = append(out.Sanctions, incidentSanction{a, refOfSubject(v.View, a.On)})
	}
	if err := s.incidentNotices(v, &out); err != nil {
		return out, err
	}
	out.steps()
	return out, nil
}

// steps are the way through an incident, with what is done of it.
func (p *incidentPage) steps() {
	x := p.Incident
	assessed := x.Assessment != nil
	p.Next = []incidentStep{
		{Text: "Contain it", Href: "#contain", Done: p.Contained || len(p.Holds) > 0},
		{Text: "See whom it reached", Href: incidentPath(x, "/radius"), Done: x.Affected.Individuals > 0},
		{Text: "Assess it", Href: incidentPath(x, "/assess"), Done: assessed && !p.Approvable},
		{Text: "Tell who must be told", Href: "#notices", Done: !p.Clocks.Conclusion.Breach || !slices.ContainsFunc(p.Rows, func(c incidentClock) bool { return c.Kind == breach.Tell && c.Pending() })},
		{Text: "Mend what was wrong", Href: "#fixes", Done: len(x.Corrections) > 0 && !slices.ContainsFunc(x.Corrections, func(c snapshot.Correction) bool { return c.DoneAt.IsZero() })},
		{Text: "Close it", Href: "#close", Done: !x.Open()},
	}
	if i := slices.IndexFunc(p.Next, func(n incidentStep) bool { return !n.Done }); i >= 0 && x.Open() {
		p.Next[i].Now = true
	}
}

var noticeLabels = map[snapshot.NoticeTo]string{
	snapshot.ToIndividuals: "The people affected", snapshot.ToSubstitute: "In place of letters: posted, or in the media", snapshot.ToMedia: "The media",
	snapshot.ToSecretary: "The Secretary (HHS)", snapshot.ToCoveredEntity: "You, by the vendor", snapshot.ToState: "A State's authority", snapshot.ToBusiness: "The vendor",
}

// incidentNotices are the notices that clocks run for, each with its draft.
func (s *server) incidentNotices(v *visit, p *incidentPage) error {
	for _, c := range p.Rows {
		if c.Kind != breach.Tell || c.To == "" || slices.ContainsFunc(p.Notices, func(n incidentNotice) bool { return n.To == c.To && n.Region == c.Region }) {
			continue
		}
		n := incidentNotice{To: c.To, Label: cmp.Or(noticeLabels[c.To], words(string(c.To))), Region: c.Region, Due: c.Until, Mark: c.Mark, Merge: c.To == snapshot.ToIndividuals}
		if slices.Contains(breach.Drafted, c.To) {
			q := url.Values{"to": {string(c.To)}}
			if c.Region != "" {
				q.Set("region", c.Region)
			}
			n.Draft = incidentPath(p.Incident, "/notice?"+q.Encode())
			var drafted api.Drafted
			switch err := s.read(v, "/v1/incidents/"+url.PathEscape(string(p.ID))+"/notice?format=json&"+q.Encode(), &drafted); {
			case problem.From(err).Kind == problem.Invalid && err != nil: // no draft can be written yet
				n.Draft = ""
			case err != nil:
				return err
			}
			for _, e := range drafted.Elements {
				if e.Gap != "" {
					n.Missing = append(n.Missing, e)
				}
			}
			n.Ready = n.Draft != "" && len(n.Missing) == 0
		}
		p.Notices = append(p.Notices, n)
	}
	return nil
}

func (s *server) incidentNotice(v *visit) (any, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return nil, err
	}
	q := v.URL.Query()
	format := cmp.Or(q.Get("format"), "docx")
	ask := url.Values{"to": {q.Get("to")}, "format": {format}}
	if r := q.Get("region"); r != "" {
		ask.Set("region", r)
	}
	return nil, s.pass(v, "/v1/incidents/"+url.PathEscape(string(x.ID))+"/notice?"+ask.Encode(), string(x.ID)+"-"+q.Get("to")+"."+format)
}

func (s *server) incidentStory(v *visit) (any, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return nil, err
	}
	format := cmp.Or(v.URL.Query().Get("format"), "pdf")
	return nil, s.pass(v, "/v1/incidents/"+url.PathEscape(string(x.ID))+"/story?format="+url.QueryEscape(format), string(x.ID)+"-story."+format)
}

// radiusReleases writes every release of a radius, without a patient, as it is read from
// the index. What fails half-way is cut off, so that nobody takes a part for the whole.
func (s *server) radiusReleases(v *visit) (any, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return nil, err
	}
	q, _, err := radiusQuery(v, x)
	if err != nil {
		return nil, err
	}
	v.instead(func(w http.ResponseWriter) error {
		ctx, cancel := context.WithTimeout(v.Context(), workLimit)
		defer cancel()
		asFile(w, "text/csv; charset=utf-8", string(x.ID)+"-releases.csv")
		if err := s.Disclosures.Export(ctx, q, w, "csv", "released"); err != nil {
			s.Logger.ErrorContext(ctx, "a list of releases broke off", "err", err)
			panic(http.ErrAbortHandler)
		}
		return nil
	})
	return nil, nil
}

// subjectKey names a subject in an address.
func subjectKey(x snapshot.Subject) string { return string(x.Noun) + ":" + x.ID }

func plainSubject(v *snapshot.View, x snapshot.Subject) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s", x.Noun, refOfSubject(v, x).Label))
}
