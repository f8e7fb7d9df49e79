package console

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/snapshot"
)

func firmAccessScreens() []screen {
	return []screen{
		on("firm_access", "What you may use", "GET "+firmPath+"/access", theirs, (*server).firmAccess),
		on("firm_ask", "Ask for access", "GET "+firmPath+"/ask", theirs, (*server).firmRequestPage),
		on("firm_ask", "Ask for access", "POST "+firmPath+"/ask", theirs, (*server).firmRequestPage),
	}
}

// firmAccess is what the visitor has, what they asked for, and what they may ask for.
type firmAccess struct {
	Grants   []firmGrant // the visitor's own that are not over
	Over     []firmGrant
	Requests []firmRequest
	Offers   []firmOffer
	Others   list // of colleagues
	Elevates bool
}

// firmGrant is one thing that the visitor may use, in plain words.
type firmGrant struct {
	firmDoor
	Title    string
	Types    []firmType
	Cohort   string
	Dates    string
	Codes    string
	Purpose  string
	Devices  []string
	App      string
	Used     firmUsed
	Patients firmLeft
	Bytes    firmLeft
	Ask      string // the form that asks for it again
	Lift     string // the form that asks for more, for hours; empty: it is not offered
}

// firmType is a kind of record with its fields.
type firmType struct {
	Type   string
	Doing  string
	Fields []string
}

// firmLeft is how much of a limit is used.
type firmLeft struct {
	Used, Max, Left uint64
	Percent         int
}

func firmLeftOf(used, most uint64) firmLeft {
	out := firmLeft{Used: used, Max: most}
	if used < most {
		out.Left = most - used
	}
	if most > 0 {
		out.Percent = int(min(used, most) * 100 / most)
	}
	return out
}

// firmRequest is a request under way, or decided a short time ago.
type firmRequest struct {
	*snapshot.Request
	Mark mark
	Help string
	Open bool
}

// firmOffer is what the visitor may ask for on an engagement.
type firmOffer struct {
	*snapshot.Engagement
	Roles []firmRole
}

type firmRole struct {
	ID    id.Role
	Title string
	Href  string
	Types string
	Says  string    // how many fields of them, and what becomes of dates
	Until time.Time // until when the visitor has it already; zero: they do not
}

const firmRecent = 30 * 24 * time.Hour

func (s *server) firmAccess(v *visit) (firmAccess, error) {
	f, err := firmOf(v)
	if err != nil {
		return firmAccess{}, err
	}
	var out firmAccess
	all := f.grants("")
	var own []id.Grant
	for _, g := range all {
		if g.Person == v.Person.ID {
			own = append(own, g.ID)
		}
	}
	wait, cancel := context.WithTimeout(v.Context(), firmLook)
	defer cancel()
	used := s.usage.Of(wait, own)
	var others []firmDoor
	for _, g := range all {
		d := f.door(g)
		if g.Person != v.Person.ID {
			others = append(others, d)
			continue
		}
		x := f.grant(d, used[g.ID])
		if d.State != "over" {
			out.Grants = append(out.Grants, x)
		} else if g.EndsAt.After(v.Now.Add(-firmRecent)) || g.EndedAt.After(v.Now.Add(-firmRecent)) {
			out.Over = append(out.Over, x)
		}
	}
	out.Requests = f.requests()
	out.Offers = f.offers()
	out.Others = f.colleagues(others)
	return out, nil
}

// grant puts a grant into words.
func (f firm) grant(d firmDoor, used firmUsed) firmGrant {
	g := d.Grant
	out := firmGrant{firmDoor: d, Title: string(g.Role), App: string(g.App), Cohort: firmCohort(g.Cohort), Used: used,
		Patients: firmLeftOf(used.Patients, uint64(max(g.MaxPatients, 0))), Bytes: firmLeftOf(used.Today, uint64(max(g.MaxDailyBytes, 0))), Ask: firmAskPath(g)}
	for _, x := range g.Devices {
		out.Devices = append(out.Devices, string(x))
	}
	if a, ok := f.v.View.Apps.Get(g.App); ok {
		out.App = a.Name + " (" + string(a.ID) + ")"
	}
	if d.Work != nil {
		out.Purpose = words(string(d.Work.Purpose))
	}
	if r := d.Role; r != nil {
		out.Title, out.Types, out.Dates, out.Codes = cmp.Or(r.Title, string(r.ID)), firmTypes(r.Resources), firmDates[r.Dates], firmCodes[r.Identifiers]
	}
	if d.State == "open" && g.Elevates == "" && f.v.View.Settings.Access.MaxElevation > 0 {
		out.Lift = out.Ask + "&elevates=" + string(g.ID)
	}
	return out
}

var (
	firmDates = map[snapshot.DateRule]string{snapshot.DatesToYear: "Dates are cut to the year", snapshot.KeepDates: "Dates stay as they are", snapshot.ByProfile: "Dates are changed by the profile"}
	firmCodes = map[snapshot.IdentifierRule]string{snapshot.Pseudonyms: "ids are codes that mean nothing elsewhere", snapshot.KeepIDs: "ids stay as they are"}
)

func firmTypes(of map[string]snapshot.ResourceScope) []firmType {
	var out []firmType
	for _, typ := range slices.Sorted(maps.Keys(of)) {
		out = append(out, firmType{typ, rightsTo(of[typ].Interactions), of[typ].Elements})
	}
	return out
}

// firmCohort says in words whose data it is.
func firmCohort(c snapshot.Cohort) string {
	switch c.Kind {
	case snapshot.CohortAll:
		return "Every patient of the source"
	case snapshot.CohortGroup:
		return "Patients in the source's group " + c.Ref
	case snapshot.CohortList:
		return "Patients of the list " + c.Ref
	case snapshot.CohortSearch:
		return "Patients that match " + c.Ref
	}
	return "Nobody"
}

// requests are the visitor's own: those that wait, and those of the last days.
func (f firm) requests() []firmRequest {
	var out []firmRequest
	for _, r := range f.v.View.Requests.All() {
		if r.Person != f.v.Person.ID || r.Vendor != f.vendor.ID {
			continue
		}
		x := firmRequest{Request: r, Mark: stateOf(string(r.Stage)), Open: r.Open(f.v.Now)}
		switch {
		case x.Open:
			x.Mark, x.Help = mark{"Waiting", "wait"}, "A data owner of the organisation decides. Undecided, it lapses on "+day(r.ExpiresAt)+"."
		case r.Stage == snapshot.RequestOpen:
			x.Mark, x.Help = mark{"Lapsed", "off"}, "Nobody decided it in time. Ask again."
		case r.Stage == snapshot.RequestApproved:
			x.Help = "It became the grant " + string(r.Grant) + "."
		case r.Stage == snapshot.RequestDenied:
			x.Mark, x.Help = mark{"Denied", "bad"}, "Ask the organisation why, or ask for less."
		}
		if x.Open || r.AskedAt.After(f.v.Now.Add(-firmRecent)) {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b firmRequest) int { return b.AskedAt.Compare(a.AskedAt) })
	return out
}

// colleagues lists what others of the firm have.
func (f firm) colleagues(doors []firmDoor) list {
	return listOf(f.v, listing[firmDoor]{
		Caption: "Grants of your colleagues", Rows: slices.Values(doors),
		Search: func(d firmDoor) string {
			return strings.Join([]string{string(d.Grant.ID), f.name(d.Grant.Person), string(d.Grant.App), string(d.Grant.Engagement)}, " ")
		},
		Columns: []column[firmDoor]{
			{Key: "grant", Label: "Grant", Cell: func(d firmDoor) cell { return cell{Text: string(d.Grant.ID), Help: string(d.Grant.Engagement)} }},
			{Key: "person", Label: "Who", Cell: func(d firmDoor) cell { return cell{Text: f.name(d.Grant.Person), Help: string(d.Grant.App)} }},
			{Key: "state", Label: "Door", Cell: func(d firmDoor) cell {
				c := marked(d.State)
				var why []string
				for _, r := range d.Reasons {
					why = append(why, r.Title)
				}
				c.Help = strings.Join(why, ", ")
				return c
			}},
			{Key: "ends", Label: "Until", Cell: func(d firmDoor) cell { return text(day(d.Grant.EndsAt)) }, Sort: func(d firmDoor) string { return iso(d.Grant.EndsAt) }},
		},
		Filters: []filter[firmDoor]{{Key: "state", Label: "Door", Of: func(d firmDoor) []string { return []string{d.State} }}},
		Empty:   empty{Title: "Nobody else of your firm has a grant", Text: "Each person asks for their own access, so that each use has one person behind it."},
	})
}

// offers are the roles that people of the firm may ask for, by engagement.
func (f firm) offers() []firmOffer {
	var out []firmOffer
	own := f.grants(f.v.Person.ID)
	for _, e := range f.v.View.EngagementsOf(f.vendor.ID) {
		if e.State != snapshot.Approved || !f.v.Now.Before(e.EndsAt) {
			continue
		}
		x := firmOffer{Engagement: e}
		for _, r := range firmRolesFor(f.v.View, e.ID) {
			role := firmRole{ID: r.ID, Title: cmp.Or(r.Title, string(r.ID)), Href: firmPath + "/ask?" + firmQuery("engagement", string(e.ID), "role", string(r.ID)),
				Types: strings.Join(slices.Sorted(maps.Keys(r.Resources)), ", ")}
			fields := 0
			for _, t := range r.Resources {
				fields += len(t.Elements)
			}
			role.Says = plural(fields, "field")
			if dates := firmDates[r.Dates]; dates != "" {
				role.Says += ". " + dates
			}
			for _, g := range own {
				if g.Role == r.ID && g.Engagement == e.ID && g.Live(f.v.Now) && g.EndsAt.After(role.Until) {
					role.Until = g.EndsAt
				}
			}
			x.Roles = append(x.Roles, role)
		}
		out = append(out, x)
	}
	return out
}

// firmLife is a time in the words of a person who asks for it.
func firmLife(minutes int) string {
	switch d := time.Duration(minutes) * time.Minute; {
	case d < 2*time.Hour:
		return plural(minutes, "minute")
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}
