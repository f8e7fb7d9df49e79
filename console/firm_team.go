package console

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/course"
	"github.com/sallyport/sallyport/diligence"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func firmTeamScreens() []screen {
	return []screen{
		on("firm_team", "Team", "GET "+firmPath+"/team", theirs, (*server).firmTeam),
		on("firm_incidents", "Incidents", "GET "+firmPath+"/incidents", theirs, (*server).firmIncidents),
	}
}

type firmTeam struct {
	List           list
	Trained, Count int
	Directory      bool // joiners and leavers come from the firm's own directory
	Firm           string
}

// firmMember is one of the firm's people with their training and machines.
type firmMember struct {
	*snapshot.Person
	Training course.Standing
	Current  bool
	Open     bool // an attempt is under way
	Devices  []id.Device
	Grants   int
}

func (s *server) firmTeam(v *visit) (firmTeam, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmTeam{}, err
	}
	now := diligence.At(v.Now)
	devices, grants := map[id.Person][]id.Device{}, map[id.Person]int{}
	for _, d := range f.devices() {
		if d.State == snapshot.Approved {
			devices[d.Owner] = append(devices[d.Owner], d.ID)
		}
	}
	for _, g := range f.grants("") {
		if g.Live(v.Now) {
			grants[g.Person]++
		}
	}
	out := firmTeam{Firm: f.vendor.Name}
	var rows []firmMember
	for _, p := range v.View.PersonsOf(f.vendor.ID) {
		m := firmMember{Person: p, Training: course.Assess(v.View, p, nil, now), Devices: devices[p.ID], Grants: grants[p.ID]}
		m.Current = m.Training.Current(now)
		m.Open = slices.ContainsFunc(v.View.AttemptsOf(p.ID), func(a *snapshot.Attempt) bool { return a.Stage == snapshot.AttemptOpen })
		if p.State == snapshot.Approved {
			out.Count++
			if m.Current {
				out.Trained++
			}
		}
		out.Directory = out.Directory || p.Directory.Connector != ""
		rows = append(rows, m)
	}
	out.List = listOf(v, listing[firmMember]{
		Caption: "People of your firm", Rows: slices.Values(rows), Search: func(m firmMember) string { return m.Name + " " + string(m.ID) },
		Columns: []column[firmMember]{
			{Key: "name", Label: "Name", Cell: func(m firmMember) cell { return cell{Text: cmp.Or(m.Name, string(m.ID)), Help: string(m.ID)} }},
			{Key: "state", Label: "State", Cell: firmMemberCell},
			{Key: "training", Label: "Training", Cell: func(m firmMember) cell { return firmTrainingCell(m, v.Now) }},
			{Key: "until", Label: "Trained until", Cell: func(m firmMember) cell {
				if !m.Current {
					return text("")
				}
				return cell{Text: day(m.Training.ExpiresAt), Help: ago(v.Now, m.Training.ExpiresAt)}
			}, Sort: func(m firmMember) string { return iso(m.Training.ExpiresAt) }},
			{Key: "signs", Label: "Signs papers", Cell: func(m firmMember) cell {
				if m.Signatory.By == "" {
					return text("")
				}
				return text(m.Signatory.Title)
			}},
			{Key: "machines", Label: "Machines", Cell: func(m firmMember) cell {
				names := make([]string, len(m.Devices))
				for i, d := range m.Devices {
					names[i] = string(d)
				}
				return text(strings.Join(names, ", "))
			}},
			{Key: "grants", Label: "Grants", Num: true, Cell: func(m firmMember) cell { return text(number(m.Grants)) }},
		},
		Filters: []filter[firmMember]{
			{Key: "state", Label: "State", Of: func(m firmMember) []string { return []string{string(m.State)} }},
			{Key: "training", Label: "Training", Of: func(m firmMember) []string { return []string{firmTrainingCell(m, v.Now).Text} }},
		},
		Empty: empty{Title: "Nobody is enrolled", Text: "Tell the organisation who works on the project: it enrols each person, and another of its people approves them."},
	})
	return out, nil
}

func firmMemberCell(m firmMember) cell {
	c := marked(string(m.State))
	switch {
	case m.State == snapshot.Proposed && len(m.Passkeys) == 0:
		c.Help = "Makes a passkey with the invitation code, then is approved."
	case m.State == snapshot.Proposed:
		c.Help = "Another person of the organisation approves it."
	}
	return c
}

// firmTrainingCell is a person's training in words that their firm can act on.
func firmTrainingCell(m firmMember, now time.Time) cell {
	t := m.Training
	say := func(word, tone, help string) cell { return cell{Text: word, Mark: &mark{word, tone}, Help: help} }
	switch {
	case m.State == snapshot.Ended:
		return say("Not needed", "off", "")
	case m.Current && t.ExpiresAt.Before(now.AddDate(0, 1, 0)):
		return say("Expiring", "warn", "Take it again in time.")
	case m.Current:
		return say("Current", "good", "")
	case m.Open:
		return say("Under way", "wait", "An attempt is open.")
	case !t.TrackKnown:
		return say("No track", "wait", "The organisation says which track the person needs.")
	case t.Completed:
		return say("Lapsed", "bad", "It has to be taken again.")
	}
	return say("Not taken", "bad", "It is taken here, by the person: Your training.")
}

type firmIncidents struct {
	Report string
	List   list
}

// firmIncidents lists what the firm itself has reported, and nothing that the
// organisation found: that is its own to tell.
func (s *server) firmIncidents(v *visit) (firmIncidents, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmIncidents{}, err
	}
	report := "/portal/incidents/" + url.PathEscape(string(f.vendor.ID))
	var rows []*snapshot.Incident
	for _, in := range v.View.Incidents.All() {
		if in.Vendor == f.vendor.ID && in.DiscoveredBy == snapshot.VendorParty {
			rows = append(rows, in)
		}
	}
	standing := func(in *snapshot.Incident) string {
		if in.Open() {
			return "open"
		}
		return "closed"
	}
	return firmIncidents{report, listOf(v, listing[*snapshot.Incident]{
		Caption: "Incidents that your firm reported", Rows: slices.Values(rows), Sort: "-reported",
		Columns: []column[*snapshot.Incident]{
			{Key: "what", Label: "What", Cell: func(in *snapshot.Incident) cell {
				return cell{Text: in.Title, Href: report + "/" + url.PathEscape(string(in.ID)), Help: string(in.ID)}
			}},
			{Key: "state", Label: "State", Cell: func(in *snapshot.Incident) cell {
				if in.Open() {
					return cell{Text: "Open", Mark: &mark{"Open", "wait"}}
				}
				return marked("closed")
			}},
			{Key: "discovered", Label: "Discovered", Cell: func(in *snapshot.Incident) cell { return text(when(in.DiscoveredAt)) }, Sort: func(in *snapshot.Incident) string { return iso(in.DiscoveredAt) }},
			{Key: "reported", Label: "Reported", Cell: func(in *snapshot.Incident) cell { return text(when(in.ReportedAt)) }, Sort: func(in *snapshot.Incident) string { return iso(in.ReportedAt) }},
			{Key: "by", Label: "By", Cell: func(in *snapshot.Incident) cell { return text(f.reporter(in.OpenedBy)) }},
		},
		Filters: []filter[*snapshot.Incident]{{Key: "state", Label: "State", Of: func(in *snapshot.Incident) []string { return []string{standing(in)} }}},
		Empty:   empty{Title: "Your firm has reported nothing", Text: "A lost laptop, a wrong recipient, a program that kept what it should not have: report it at once, and without any patient's data. The contract's clock runs from when you discovered it."},
	})}, nil
}

// reporter is who reported: one of the firm, or a link or a system of theirs.
func (f firm) reporter(by id.Person) string {
	if x, ok := f.v.View.Persons.Get(by); ok && x.Vendor == f.vendor.ID {
		return cmp.Or(x.Name, string(x.ID))
	}
	switch noun, _, _ := strings.Cut(string(by), "."); noun {
	case "link":
		return "By a link that you were sent"
	case "connector":
		return "By your own system"
	}
	return f.v.s.Organisation + ", for you"
}
