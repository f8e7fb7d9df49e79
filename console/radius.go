package console

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/console/draw"
	"github.com/sallyport/sallyport/disclosure"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/snapshot"
)

// radiusPage is whom an incident reached, from the log alone: counts and codes.
type radiusPage struct {
	*snapshot.Incident
	Of      []option // what can be asked about
	About   string   // what is asked about, in words
	Since   string
	Until   string
	Work    worked[*radiusFound]
	Parts   []radiusPart
	CSV     string // the address of every release as CSV
	Lists   []radiusList
	Ask     []careField // what asks for the list of patients
	Count   []careField // what records the count
	Counted bool        // this very radius is on record
	Notes   []string
}

// radiusFound is a radius, with the first of its releases.
type radiusFound struct {
	disclosure.Radius
	First   []disclosure.Row
	Through uint64
}

// radiusPart is one way to divide the radius, drawn and as a table.
type radiusPart struct {
	ID, Title, Help string
	Drawn           template.HTML
	Rows            []radiusRow
	More            int
}

type radiusRow struct {
	Label string
	Ref   *ref
	disclosure.Total
	Bad bool
}

type radiusList struct {
	snapshot.PatientList
	Mine  bool // the visitor asked for it
	Until time.Time
}

const (
	radiusReleasesShown = 50
	radiusRows          = 12
)

// radiusQuery is what is asked of the log: about the incident's subjects, or the one that
// is chosen, since a day and until a day.
func radiusQuery(v *visit, x *snapshot.Incident) (q disclosure.Query, of string, err error) {
	of = v.URL.Query().Get("of")
	subjects := radiusSubjects(v.View, x)
	if of == "" && len(subjects) > 0 {
		of = subjectKey(subjects[0])
	}
	i := slices.IndexFunc(subjects, func(s snapshot.Subject) bool { return subjectKey(s) == of })
	if i < 0 {
		return q, "", problem.BadField("of", "is nothing that the incident is about", "Say what it is about first: replace the incident's facts, and name a vendor, a machine or a person")
	}
	key := subjects[i].ID
	switch subjects[i].Noun {
	case snapshot.NounVendor:
		q.Vendors = []id.Vendor{id.Vendor(key)}
	case snapshot.NounEngagement:
		q.Engagements = []id.Engagement{id.Engagement(key)}
	case snapshot.NounPerson:
		q.Persons = []id.Person{id.Person(key)}
	case snapshot.NounDevice:
		q.Devices = []id.Device{id.Device(key)}
	case snapshot.NounApp:
		q.Apps = []id.App{id.App(key)}
	case snapshot.NounGrant:
		q.Grants = []id.Grant{id.Grant(key)}
	}
	if q.Since, err = dayIn(v, "since"); err != nil {
		return q, of, err
	}
	if q.Until, err = dayIn(v, "until"); err != nil {
		return q, of, err
	}
	if !q.Until.IsZero() {
		q.Until = q.Until.AddDate(0, 0, 1) // the day itself is in it
	}
	return q, of, q.Check()
}

// dayIn reads a day out of the address.
func dayIn(v *visit, name string) (time.Time, error) {
	text := v.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return t, problem.BadField(name, "is not a day", "Write it as 2026-05-31")
	}
	return t, nil
}

// radiusSubjects are what a radius can be asked about: one thing that the incident is
// about if there is one alone, and first the vendor where there are several, because a
// question about several at once would be about less.
func radiusSubjects(v *snapshot.View, x *snapshot.Incident) []snapshot.Subject {
	asked := []snapshot.Noun{snapshot.NounVendor, snapshot.NounEngagement, snapshot.NounPerson, snapshot.NounDevice, snapshot.NounApp, snapshot.NounGrant}
	var out []snapshot.Subject
	for _, a := range x.About {
		if slices.Contains(asked, a.Noun) && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	vendor := snapshot.Subject{Noun: snapshot.NounVendor, ID: string(x.Vendor)}
	if x.Vendor != "" && !slices.Contains(out, vendor) {
		if len(out) == 1 {
			return append(out, vendor)
		}
		out = append([]snapshot.Subject{vendor}, out...)
	}
	return out
}

func (s *server) radius(v *visit) (radiusPage, error) {
	x, err := s.anIncident(v)
	if err != nil {
		return radiusPage{}, err
	}
	v.call("Blast radius: " + x.Title)
	v.under("Incidents", "/console/incidents", x.Title, incidentPath(x, ""))
	out := radiusPage{Incident: x, Since: v.URL.Query().Get("since"), Until: v.URL.Query().Get("until"), CSV: incidentPath(x, "/releases")}
	if v.URL.RawQuery != "" {
		out.CSV += "?" + v.URL.RawQuery
	}
	q, of, err := radiusQuery(v, x)
	for _, a := range radiusSubjects(v.View, x) {
		o := option{Value: subjectKey(a), Label: plainSubject(v.View, a), Chosen: subjectKey(a) == of}
		out.Of = append(out.Of, o)
		if o.Chosen {
			out.About = o.Label
		}
	}
	if err != nil {
		return out, err
	}
	key, err := json.Marshal(q)
	if err != nil {
		return out, err
	}
	covered, _ := s.Disclosures.Standing()
	out.Work, err = workOut(v, "radius "+string(key), fmt.Sprint(covered), func(ctx context.Context) (*radiusFound, error) { return s.findRadius(ctx, q) })
	if err != nil {
		return out, err
	}
	for _, l := range x.PatientLists {
		y := radiusList{PatientList: l, Mine: l.RequestedBy == v.Person.ID}
		if !l.ApprovedAt.IsZero() {
			y.Until = l.ApprovedAt.Add(snapshot.PatientListLife)
		}
		out.Lists = append(out.Lists, y)
	}
	if out.Work.Known {
		out.tell(v)
	}
	return out, nil
}

// findRadius asks the index: the counts, and the first releases up to the same place.
func (s *server) findRadius(ctx context.Context, q disclosure.Query) (*radiusFound, error) {
	r, err := s.Disclosures.Radius(ctx, q)
	if err != nil {
		return nil, err
	}
	q.Through = r.Query.Through
	list, err := s.Disclosures.List(ctx, q, 0, radiusReleasesShown, disclosure.Released)
	if err != nil {
		return nil, err
	}
	return &radiusFound{r, list.Items, list.Through}, nil
}

// tell draws what was found, and fills in the acts that rest on it.
func (p *radiusPage) tell(v *visit) {
	r := p.Work.Answer
	groups := func(id, title, help string, all []disclosure.Group, label func(string) (string, *ref), bad func(string) bool) {
		part := radiusPart{ID: id, Title: title, Help: help}
		for _, g := range all {
			name, to := label(g.Key)
			part.Rows = append(part.Rows, radiusRow{name, to, g.Total, bad != nil && bad(g.Key)})
		}
		p.Parts = append(p.Parts, part)
	}
	plain := func(key string) (string, *ref) { return cmp.Or(words(key), "The log does not say"), nil }
	as := func(of func(string) any) func(string) (string, *ref) {
		return func(key string) (string, *ref) {
			if key == "" {
				return "The log does not say", nil
			}
			to := refIn(v.View, of(key))
			return to.Label, &to
		}
	}
	groups("classes", "By class of data", "What the regulation makes of it.", r.DataClasses, plain, nil)
	forms := radiusPart{ID: "forms", Title: "In which form", Help: "Anything but de-identified data can name a patient: a limited data set is still PHI."}
	for _, f := range r.Forms {
		forms.Rows = append(forms.Rows, radiusRow{words(string(f.DataClass)) + ", " + cmp.Or(f.Profile, "no profile"), nil, f.Total, f.Identified})
	}
	p.Parts = append(p.Parts, forms)
	groups("sealed", "Sealed or not", "Sealed to the recipient's own key inside TLS. Whether its key is lost too, the log cannot know.", r.Sealing, func(key string) (string, *ref) {
		if key == "" || key == "none" {
			return "Not sealed", nil
		}
		return "Sealed, " + key, nil
	}, func(key string) bool { return key == "" || key == "none" })
	groups("types", "By kind of record", "A release of several kinds names its patients once, so that beside a kind stand those of every release that holds it.", r.Types, plain, nil)
	groups("vendors", "By vendor", "", r.Vendors, as(func(k string) any { return id.Vendor(k) }), nil)
	groups("persons", "By person", "", r.Persons, as(func(k string) any { return id.Person(k) }), nil)
	groups("devices", "By machine", "", r.Devices, as(func(k string) any { return id.Device(k) }), nil)
	for i := range p.Parts {
		p.Parts[i].draw()
	}
	p.Counted = p.Affected.Radius == r.Digest
	if r.Incomplete > 0 {
		p.Notes = append(p.Notes, plural(int(r.Incomplete), "stream")+" broke off; what had left before counts.")
	}
	if r.Withheld > 0 {
		p.Notes = append(p.Notes, plural(int(r.Withheld), "answer")+" prepared, of which nothing left, does not count.")
	}
	p.Count = []careField{{"id", string(p.ID)}, {"individuals", fmt.Sprint(r.Patients)}, {"radius_sha256", r.Digest}}
	q := r.Query
	p.Ask = []careField{{"id", string(p.ID)}, {"radius_sha256", r.Digest}, {"log", r.Log}, {"through", fmt.Sprint(q.Through)}, {"patients", fmt.Sprint(r.Patients)}}
	add := func(name, text string) {
		if text != "" {
			p.Ask = append(p.Ask, careField{name, text})
		}
	}
	add("vendors", lines(q.Vendors))
	add("engagements", lines(q.Engagements))
	add("persons", lines(q.Persons))
	add("devices", lines(q.Devices))
	add("apps", lines(q.Apps))
	add("grants", lines(q.Grants))
	add("sources", lines(q.Sources))
	if !q.Since.IsZero() {
		add("since", iso(q.Since))
	}
	if !q.Until.IsZero() {
		add("until", iso(q.Until))
	}
}

// lines are ids as a form takes a list of them.
func lines[K ~string](all []K) string {
	var out []string
	for _, x := range all {
		out = append(out, string(x))
	}
	return strings.Join(out, "\n")
}

// draw draws the patients of each part, the most first.
func (p *radiusPart) draw() {
	slices.SortStableFunc(p.Rows, func(a, b radiusRow) int { return cmp.Compare(b.Patients, a.Patients) })
	if len(p.Rows) > radiusRows {
		p.Rows, p.More = p.Rows[:radiusRows], len(p.Rows)-radiusRows
	}
	var rows []draw.Lying
	for _, r := range p.Rows {
		class := "door"
		if r.Bad {
			class = "bad"
		}
		x := draw.Lying{Label: r.Label, Value: plural(int(r.Patients), "patient"), N: r.Patients, Class: class}
		rows = append(rows, x)
	}
	p.Drawn = draw.Across("radius-"+p.ID, p.Title+", patients", "Each bar is how many patients; the table has releases, resources and bytes as well.", 450, rows)
}
