package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/breach"
	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/problem"
	"github.com/sallyport/sallyport/registry"
	"github.com/sallyport/sallyport/snapshot"
)

// reportPath is where a vendor reports an incident.
func reportPath(vendor id.Vendor) string {
	return "/portal/incidents/" + url.PathEscape(string(vendor))
}

// reportsAt is where the visitor can report an incident; "": nowhere.
func reportsAt(x visitor) string {
	if x.Vendor == "" || x.Link != nil && x.Link.For != snapshot.LinkIncident {
		return ""
	}
	return reportPath(x.Vendor)
}

func reportLanding(l *snapshot.Link) string { return reportPath(l.Vendor) }

// reportPage is the form, as it was sent last.
type reportPage struct {
	Vendor                 string
	Action                 string
	Zone                   string
	Once                   string
	Title                  string
	Occurred, Discovered   string
	Individuals            string
	Choices                []choice
	Hours                  []breach.ContractClock
	Errors                 []fieldError
	Warnings               []string // why the sentence looks as if it held patient data
	Sure                   bool
	MaxTitle, Organisation string
}

type choice struct {
	Value, Text string
	Chosen      bool
}

// fieldError is a line of the summary of what to mend.
type fieldError struct{ Field, Text string }

// maxReportTitle is shorter than the registry's limit: what is told in one sentence
// holds no list of people.
const maxReportTitle = 240

// reporter is who reports, and for which vendor; not ok: the answer is written.
func (s *server) reporter(w http.ResponseWriter, r *http.Request) (visitor, *snapshot.Vendor, bool) {
	vendor := id.Vendor(r.PathValue("vendor"))
	x, ok := s.visitor(w, r, vendor, snapshot.LinkIncident, snapshot.Subject{Noun: snapshot.NounVendor, ID: string(vendor)})
	if !ok {
		return visitor{}, nil, false
	}
	v, ok := s.Registry.View().Vendors.Get(vendor)
	if !ok {
		s.none(w, r)
		return visitor{}, nil, false
	}
	return x, v, true
}

func (s *server) report(w http.ResponseWriter, r *http.Request) {
	x, vendor, ok := s.reporter(w, r)
	if !ok {
		return
	}
	s.show(w, r, http.StatusOK, "incident", "Report an incident", s.reportForm(x, vendor, nil))
}

// reportForm is the form with what was sent.
func (s *server) reportForm(x visitor, vendor *snapshot.Vendor, sent url.Values) reportPage {
	v, now := s.Registry.View(), s.Now()
	p := reportPage{Vendor: vendor.Name, Action: reportPath(vendor.ID), Zone: "UTC", Once: sent.Get("once"), Title: sent.Get("title"), Occurred: sent.Get("occurred"), Discovered: sent.Get("discovered"),
		Individuals: sent.Get("individuals"), Sure: sent.Get("sure") != "", MaxTitle: fmt.Sprint(maxReportTitle), Organisation: s.Organisation}
	if zone, err := breach.Zone(v.Settings.TimeZone); err == nil {
		p.Zone = zone.String()
		if sent == nil {
			p.Discovered = now.In(zone).Format(localTime)
		}
	}
	if p.Once == "" {
		p.Once = id.New[string](now)
	}
	add := func(noun snapshot.Noun, key, text string) {
		value := string(noun) + " " + key
		p.Choices = append(p.Choices, choice{value, text, slices.Contains(sent["about"], value)})
	}
	for _, e := range v.EngagementsOf(vendor.ID) {
		if e.State == snapshot.Approved {
			add(snapshot.NounEngagement, string(e.ID), "The work "+string(e.ID))
		}
	}
	if x.Person != nil { // who has no account is not shown what the vendor has here
		for _, a := range v.AppsOf(vendor.ID) {
			if a.State == snapshot.Approved {
				add(snapshot.NounApp, string(a.ID), "The program "+a.Name)
			}
		}
		for _, d := range v.DevicesOf(vendor.ID) {
			if d.State == snapshot.Approved {
				add(snapshot.NounDevice, string(d.ID), "The machine "+string(d.ID))
			}
		}
	}
	p.Hours = breach.ContractOf(v, &snapshot.Incident{Vendor: vendor.ID, DiscoveredAt: now}).Clocks
	return p
}

// localTime is what browsers send for a date and a time.
const localTime = "2006-01-02T15:04"

// looksLikePatient are signs that a sentence holds more than it should. They only make
// a person look again: nobody can list every name.
var looksLikePatient = []struct {
	sign *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`\b\d{3}-\d{2}-\d{4}\b`), "it holds what looks like a Social Security number"},
	{regexp.MustCompile(`\d{6,}`), "it holds a long number, such as a medical record number"},
	{regexp.MustCompile(`\b\d{1,2}[/.]\d{1,2}[/.]\d{2,4}\b`), "it holds a date; write times in their own fields"},
	{regexp.MustCompile(`[\w.+-]+@[\w-]+\.\w+`), "it holds an e-mail address"},
	{regexp.MustCompile(`(?i)\b(mrn|dob|ssn|born|birth ?date|patient (name|id|number)|mr\.|mrs\.|ms\.)`), "it speaks of a patient's particulars"},
}

func warnings(title string) (out []string) {
	for _, x := range looksLikePatient {
		if x.sign.MatchString(title) {
			out = append(out, x.why)
		}
	}
	return out
}

func (s *server) sendReport(w http.ResponseWriter, r *http.Request) {
	x, vendor, ok := s.reporter(w, r)
	if !ok {
		return
	}
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, problem.New(problem.Invalid, "The form cannot be read", "Go back and send it again").Because(err))
		return
	}
	p := s.reportForm(x, vendor, r.PostForm)
	act := s.reportAct(&p, vendor.ID, r.PostForm)
	if p.Warnings = warnings(act.Title); len(p.Warnings) > 0 && !p.Sure {
		p.Errors = append(p.Errors, fieldError{"sure", "The sentence looks as if it held patient data: look again"})
	}
	if len(p.Errors) > 0 {
		s.show(w, r, http.StatusBadRequest, "incident", "Report an incident", p)
		return
	}
	done, err := s.Registry.Do(r.Context(), x.Actor, act, registry.Meta{Reason: "reported on the vendor's page", IdempotencyKey: "report " + p.Once})
	if err != nil {
		if e := problem.From(err); e.Kind == problem.Invalid {
			p.Errors = append(p.Errors, fieldError{formField(e.Field), e.Title + ". " + e.NextStep})
			s.show(w, r, http.StatusBadRequest, "incident", "Report an incident", p)
			return
		}
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, reportPath(vendor.ID)+"/"+url.PathEscape(done.Subject.ID), http.StatusSeeOther)
}

// formField is the field of the form for one of the act.
func formField(field string) string {
	switch {
	case field == "occurred_at":
		return "occurred"
	case field == "discovered_at":
		return "discovered"
	case field == "individuals":
		return field
	case strings.HasPrefix(field, "about"):
		return "about"
	}
	return "title"
}

// reportAct reads the form; what does not read goes to the page's errors.
func (s *server) reportAct(p *reportPage, vendor id.Vendor, sent url.Values) registry.ReportIncident {
	a := registry.ReportIncident{Vendor: vendor, Title: strings.Join(strings.Fields(p.Title), " ")}
	wrong := func(field, text string) { p.Errors = append(p.Errors, fieldError{field, text}) }
	if a.Title == "" {
		wrong("title", "Say in a sentence what happened")
	}
	if len(a.Title) > maxReportTitle {
		wrong("title", fmt.Sprintf("Use at most %d letters: one sentence", maxReportTitle))
	}
	zone, err := time.LoadLocation(p.Zone)
	if err != nil {
		zone = time.UTC
	}
	when := func(field, label, text string) time.Time {
		if strings.TrimSpace(text) == "" {
			return time.Time{}
		}
		t, err := time.ParseInLocation(localTime, text, zone)
		if err != nil {
			wrong(field, label+": write a date and a time, such as 2026-03-01T14:30")
		}
		return t
	}
	a.OccurredAt = when("occurred", "When it happened", p.Occurred)
	if a.DiscoveredAt = when("discovered", "When you discovered it", p.Discovered); strings.TrimSpace(p.Discovered) == "" {
		wrong("discovered", "Say when you first knew, or should have known")
	}
	if now := s.Now(); a.DiscoveredAt.After(now) && a.DiscoveredAt.Before(now.Add(time.Minute)) {
		a.DiscoveredAt = now // the form knows whole minutes only
	}
	if text := strings.TrimSpace(p.Individuals); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			wrong("individuals", "Write a number, or nothing if you do not know")
		}
		a.Individuals = n
	}
	for _, value := range sent["about"] {
		noun, key, _ := strings.Cut(value, " ")
		a.About = append(a.About, snapshot.Subject{Noun: snapshot.Noun(noun), ID: key})
	}
	return a
}

// reportedPage is what a vendor sees of its own report.
type reportedPage struct {
	Vendor    string
	ID        string
	Title     string
	Told      string
	Closed    bool
	Deadlines []reportedDeadline
	Contact   bool
	Another   string
}

type reportedDeadline struct{ What, Until, Standing, SetBy string }

func (s *server) reported(w http.ResponseWriter, r *http.Request) {
	x, vendor, ok := s.reporter(w, r)
	if !ok {
		return
	}
	v := s.Registry.View()
	in, ok := v.Incidents.Get(id.Incident(r.PathValue("incident")))
	// Only what this vendor itself reported, and by a link what was reported by it.
	if !ok || in.Vendor != vendor.ID || in.DiscoveredBy != snapshot.VendorParty || x.Link != nil && in.OpenedBy != x.Actor.Name() {
		s.none(w, r)
		return
	}
	zone, err := breach.Zone(v.Settings.TimeZone)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := reportedPage{Vendor: vendor.Name, ID: string(in.ID), Title: in.Title, Told: in.ReportedAt.In(zone).Format("2 January 2006, 15:04 MST"), Closed: !in.Open(), Another: reportPath(vendor.ID)}
	for _, d := range breach.Due(in, breach.ContractOf(v, in), zone, s.Now()) {
		if d.Who == snapshot.VendorParty {
			p.Deadlines = append(p.Deadlines, reportedDeadline{d.What, d.Until(zone), d.Standing(zone), d.SetBy()})
		}
	}
	s.show(w, r, http.StatusOK, "incident_done", "Your report is on the record", p)
}
