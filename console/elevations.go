package console

import (
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

type elevationsPage struct {
	Tabs    careTabs
	Running []elevation
	List    list
}

// elevation is a grant that lifts another for minutes or hours, while it runs.
type elevation struct {
	*snapshot.Grant
	Left string
}

// elevationsShown bounds what is shown above the list.
const elevationsShown = 20

func (s *server) elevations(v *visit) (elevationsPage, error) {
	v.under("Requests", "/console/requests")
	var out elevationsPage
	running := 0
	stage := func(g *snapshot.Grant) string {
		switch {
		case g.Live(v.Now):
			return "running"
		case g.State == snapshot.Ended && !g.EndedAt.IsZero():
			return "ended early"
		case v.Now.Before(g.StartsAt):
			return "to come"
		}
		return "ended"
	}
	out.List = listOf(v, listing[*snapshot.Grant]{
		Caption: "Elevations",
		Rows: func(yield func(*snapshot.Grant) bool) {
			for _, g := range v.View.Grants.All() {
				if g.Elevates == "" {
					continue
				}
				if g.Live(v.Now) {
					if running++; running <= elevationsShown {
						out.Running = append(out.Running, elevation{g, ago(v.Now, g.EndsAt)})
					}
				}
				if !yield(g) {
					return
				}
			}
		},
		Search: func(g *snapshot.Grant) string {
			return string(g.ID) + "\n" + string(g.Person) + "\n" + personName(v.View, g.Person) + "\n" + g.Ticket
		},
		Filters: []filter[*snapshot.Grant]{{Key: "state", Label: "State", Of: func(g *snapshot.Grant) []string { return []string{stage(g)} }}},
		Columns: []column[*snapshot.Grant]{
			{Key: "begun", Label: "Begun", Cell: func(g *snapshot.Grant) cell {
				return cell{Text: when(g.StartsAt), Href: "/console/grants/" + string(g.ID)}
			}, Sort: func(g *snapshot.Grant) string { return iso(g.StartsAt) }},
			{Key: "person", Label: "Person", Cell: func(g *snapshot.Grant) cell {
				x := refIn(v.View, g.Person)
				return cell{Text: x.Label, Href: x.Href}
			}},
			{Key: "role", Label: "Elevated to", Cell: func(g *snapshot.Grant) cell {
				return cell{Text: roleTitle(v.View, g.Role), Help: "from " + string(g.Elevates)}
			}},
			{Key: "ticket", Label: "Ticket", Cell: func(g *snapshot.Grant) cell { return text(g.Ticket) }},
			{Key: "ends", Label: "Ends", Cell: func(g *snapshot.Grant) cell { return text(when(grantOver(g))) }, Sort: func(g *snapshot.Grant) string { return iso(g.EndsAt) }},
			{Key: "state", Label: "State", Cell: func(g *snapshot.Grant) cell {
				m := map[string]mark{"running": {"Running", "warn"}, "to come": {"To come", "wait"}}[stage(g)]
				if m.Word == "" {
					m = mark{words(stage(g)), "off"}
				}
				return cell{Text: m.Word, Mark: &m}
			}},
		},
		Sort:  "-begun",
		Empty: empty{Title: "Nobody had elevated access", Text: "An elevation gives somebody more for minutes or hours, for a ticket, on top of a grant that they have. It ends by itself, and anybody here may end it sooner."},
	})
	out.Tabs = accessTabs(v, "elevations", running)
	return out, nil
}

// grantOver is when a grant ended, or will.
func grantOver(g *snapshot.Grant) time.Time {
	if !g.EndedAt.IsZero() {
		return g.EndedAt
	}
	return g.EndsAt
}

type emergenciesPage struct {
	Tabs       careTabs
	Procedures []api.Procedure
	Waiting    []*snapshot.Emergency
	List       list
}

func (s *server) emergencies(v *visit) (emergenciesPage, error) {
	v.under("Requests", "/console/requests")
	var out emergenciesPage
	waiting := 0
	if err := s.read(v, "/v1/emergency-procedures", &out.Procedures); err != nil {
		return out, err
	}
	out.List = listOf(v, listing[*snapshot.Emergency]{
		Caption: "Emergency uses",
		Rows: func(yield func(*snapshot.Emergency) bool) {
			for _, e := range v.View.Emergencies.All() {
				if e.ReviewedAt.IsZero() {
					if waiting++; waiting <= requestsShown {
						out.Waiting = append(out.Waiting, e)
					}
				}
				if !yield(e) {
					return
				}
			}
		},
		Search: func(e *snapshot.Emergency) string {
			return string(e.ID) + "\n" + string(e.Person) + "\n" + e.Staff + "\n" + string(e.Source)
		},
		Filters: []filter[*snapshot.Emergency]{
			{Key: "review", Label: "Review", Of: func(e *snapshot.Emergency) []string { return []string{emergencyMark(e, v.Now).Word} }},
			{Key: "source", Label: "Source", Of: func(e *snapshot.Emergency) []string { return []string{string(e.Source)} }},
		},
		Columns: []column[*snapshot.Emergency]{
			{Key: "used", Label: "Used", Cell: func(e *snapshot.Emergency) cell {
				return cell{Text: when(e.UsedAt), Href: "/console/emergencies/" + string(e.ID)}
			}, Sort: func(e *snapshot.Emergency) string { return iso(e.UsedAt) }},
			{Key: "source", Label: "Source", Cell: func(e *snapshot.Emergency) cell { return text(string(e.Source)) }},
			{Key: "who", Label: "By", Cell: func(e *snapshot.Emergency) cell { return text(emergencyWho(v.View, e)) }},
			{Key: "due", Label: "Review by", Cell: func(e *snapshot.Emergency) cell { return text(when(e.DueAt)) }, Sort: func(e *snapshot.Emergency) string { return iso(e.DueAt) }},
			{Key: "review", Label: "Review", Cell: func(e *snapshot.Emergency) cell {
				m := emergencyMark(e, v.Now)
				return cell{Text: m.Word, Mark: &m}
			}},
		},
		Sort:  "-used",
		Empty: empty{Title: "No emergency use is reported", Text: "In an emergency a clinician goes to the source's own procedure, above; nothing here stands in the way of care. Afterwards somebody reports it here, and another of you reviews it within a day.", Act: mayDo(s, v, "emergency.report")},
	})
	out.Tabs = accessTabs(v, "emergencies", waiting)
	return out, nil
}

func emergencyWho(v *snapshot.View, e *snapshot.Emergency) string {
	if e.Person != "" {
		return personName(v, e.Person)
	}
	return e.Staff
}

func emergencyMark(e *snapshot.Emergency, now time.Time) mark {
	switch {
	case e.Overdue(now):
		return mark{"Overdue", "bad"}
	case e.ReviewedAt.IsZero():
		return mark{"Waits", "wait"}
	case e.Justified:
		return mark{"Justified", "good"}
	}
	return mark{"Not justified", "bad"}
}

type emergencyPage struct {
	*snapshot.Emergency
	Who       string
	Mark      mark
	Procedure string
	Apart     bool // the visitor used or reported it: another reviews it
}

func (s *server) emergency(v *visit) (emergencyPage, error) {
	e, ok := v.View.Emergencies.Get(id.Emergency(v.PathValue("id")))
	if !ok {
		return emergencyPage{}, noSuch("emergency use", "/console/emergencies")
	}
	v.call("Emergency use of " + string(e.Source))
	v.under("Requests", "/console/requests", "Emergency uses", "/console/emergencies")
	out := emergencyPage{Emergency: e, Who: emergencyWho(v.View, e), Mark: emergencyMark(e, v.Now), Apart: v.Person.ID == e.ReportedBy || v.Person.ID == e.Person}
	for _, src := range v.View.Settings.Sources {
		if src.ID == e.Source {
			out.Procedure = src.EmergencyProcedure
		}
	}
	return out, nil
}
