package breach

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sallyport/sallyport/id"
	"github.com/sallyport/sallyport/paper"
	"github.com/sallyport/sallyport/snapshot"
)

// Event is one act of an incident's story.
type Event struct {
	At     time.Time
	Kind   string // "incident.open"
	By     id.Person
	Reason string
	Log    string // whose audit log has it
	Index  uint64 // its entry there
}

// told is what each act reads as, after the name of who did it.
var told = map[string]string{
	"incident.open":                "opened the incident",
	"incident.report":              "reported it to the organisation",
	"incident.contain":             "put what it was about on hold",
	"incident.amend-facts":         "amended what was known",
	"incident.request-patients":    "asked for the list of the patients",
	"patient.list-affected":        "was given the list of the patients",
	"incident.approve-patients":    "allowed that the list be given to who asked",
	"incident.count-affected":      "counted the individuals affected",
	"incident.assess":              "assessed whether it was a breach",
	"incident.approve-assessment":  "stood by the assessment that it was no breach",
	"incident.describe":            "wrote what the notices say",
	"incident.delay":               "recorded a law-enforcement official's statement",
	"incident.note-notice":         "recorded that a notice was given",
	"incident.correct":             "set a corrective action",
	"incident.complete-correction": "recorded that a corrective action was done",
	"incident.sanction":            "recorded a sanction",
	"incident.close":               "closed the incident",
	"incident.reopen":              "opened the incident again",
	"hold.lift":                    "lifted a hold",
}

// Story tells an incident from its beginning: what happened, who did what and when,
// what was concluded, who was told and whether in time, what was mended and learned.
// It is built from the record and the acts alone, each with its entry of the audit log.
func Story(in *snapshot.Incident, events []Event, c Contract, s Scene, name func(id.Person) string) paper.Document {
	w := &teller{in: in, s: s, name: name, d: paper.Document{Issuer: s.Organisation, Title: "Incident " + string(in.ID) + ": " + in.Title, Date: s.Now,
		Foot: "Times are in " + s.Zone.String() + ". No patient data."}}
	if in.Open() {
		w.d.Subtitle = "Open"
	} else {
		w.d.Subtitle = "Closed on " + w.day(in.ClosedAt)
	}
	w.what()
	w.events(events)
	w.judged()
	w.people()
	w.clocks(Due(in, c, s.Zone, s.Now))
	w.after()
	return w.d
}

type teller struct {
	in   *snapshot.Incident
	s    Scene
	name func(id.Person) string
	d    paper.Document
}

func (w *teller) put(b paper.Block) { w.d.Body = append(w.d.Body, b) }

func (w *teller) heading(text string) { w.put(paper.Heading{Level: 1, Text: text}) }

func (w *teller) say(format string, args ...any) {
	w.put(paper.Paragraph{Text: fmt.Sprintf(format, args...)})
}

func (w *teller) day(t time.Time) string { return t.In(w.s.Zone).Format("2 January 2006") }

func (w *teller) when(t time.Time) string { return t.In(w.s.Zone).Format("2006-01-02 15:04:05 MST") }

func (w *teller) what() {
	w.heading("What happened")
	if w.in.Telling.WhatHappened != "" {
		w.say("%s", w.in.Telling.WhatHappened)
	}
	rows := [][2]string{}
	add := func(name string, t time.Time) {
		if !t.IsZero() {
			rows = append(rows, [2]string{name, w.when(t)})
		}
	}
	add("It happened", w.in.OccurredAt)
	add("Discovered, or knowable by reasonable diligence", w.in.DiscoveredAt)
	add("The organisation was told", w.in.ReportedAt)
	at, why := Discovery(w.in)
	rows = append(rows, [2]string{"Counts as discovered by the organisation", w.when(at) + " (" + why + ")"})
	if w.s.Vendor != "" {
		rows = append(rows, [2]string{"Vendor", w.s.Vendor})
	}
	for _, a := range w.in.About {
		rows = append(rows, [2]string{"About the " + string(a.Noun), a.ID})
	}
	w.put(paper.Facts{Rows: rows})
}

func (w *teller) events(events []Event) {
	w.heading("Who did what")
	if len(events) == 0 {
		w.say("The record of the acts was not read.")
		return
	}
	t := paper.Table{Head: []string{"When", "What", "Why", "Log entry"}, Widths: []float64{2, 4, 4, 2}}
	for _, e := range events {
		did, ok := told[e.Kind]
		if !ok {
			did = "did " + e.Kind
		}
		t.Rows = append(t.Rows, []string{w.when(e.At), w.name(e.By) + " " + did + ".", e.Reason, fmt.Sprintf("%s %d", e.Log, e.Index)})
	}
	w.put(t)
}

func (w *teller) judged() {
	w.heading("Was it a breach?")
	c := Conclude(w.in.Assessment)
	word := "No"
	if c.Breach {
		word = "Yes"
	}
	w.say("%s (%s): %s. %s [%s].", word, c.Basis, c.Why, c.Citation.Text, c.Citation.Verified)
	a := w.in.Assessment
	if a == nil {
		return
	}
	t := paper.Table{Head: []string{"Question", "Answer", "Why"}, Widths: []float64{3, 1, 4}}
	answer := func(text string, x snapshot.Answered) {
		yes := "no"
		if x.Yes {
			yes = "yes"
		}
		t.Rows = append(t.Rows, []string{text, yes, x.Why})
	}
	answer("Was it unsecured PHI?", a.Unsecured)
	for _, e := range Exceptions() {
		for _, q := range e.Needs {
			if x, ok := a.Holds[q.Key]; ok && e.Key == a.Exception {
				answer(q.Text, x)
			}
		}
	}
	for _, q := range Factors() {
		if x, ok := a.Factors[q.Key]; ok {
			answer(q.Text, x)
		}
	}
	w.put(t)
	by := "Assessed by " + w.name(a.AssessedBy) + " on " + w.day(a.AssessedAt) + "."
	if a.ApprovedBy != "" {
		by += " Approved by " + w.name(a.ApprovedBy) + " on " + w.day(a.ApprovedAt) + "."
	}
	w.say("%s", by)
}

func (w *teller) people() {
	w.heading("Who was affected, and who was told")
	if w.in.Affected.CountedAt.IsZero() {
		w.say("Nobody has counted the individuals affected.")
	} else {
		w.say("Individuals affected: %d, counted by %s on %s.", w.in.Affected.Individuals, w.name(w.in.Affected.CountedBy), w.day(w.in.Affected.CountedAt))
		var by []string
		for _, state := range slices.Sorted(maps.Keys(w.in.Affected.ByState)) {
			by = append(by, fmt.Sprintf("%s: %d", state, w.in.Affected.ByState[state]))
		}
		if len(by) > 0 {
			w.put(paper.List{Items: by})
		}
		if w.in.Affected.Radius != "" {
			w.say("The blast radius that was counted has the SHA-256 %s.", w.in.Affected.Radius)
		}
	}
	for _, x := range w.in.Delays {
		kind := "said"
		if x.Written {
			kind = "wrote"
		}
		w.say("%s %s on %s that notice would impede an investigation.", x.Official, kind, w.day(x.At))
	}
	var given []string
	for _, n := range w.in.Notices {
		text := w.when(n.At) + ": to " + string(n.To)
		if n.Region != "" {
			text += " of " + n.Region
		}
		if n.Count > 0 {
			text += fmt.Sprintf(" (%d)", n.Count)
		}
		if n.Document != "" {
			text += ", document " + n.Document
		}
		given = append(given, text)
	}
	if len(given) == 0 {
		w.say("No notice is recorded.")
		return
	}
	w.put(paper.List{Items: given})
}

func (w *teller) clocks(ds []Deadline) {
	w.heading("The clocks")
	t := paper.Table{Head: []string{"What", "Until", "How it stands", "Set by"}, Widths: []float64{4, 2, 2, 3}}
	for _, d := range ds {
		t.Rows = append(t.Rows, []string{d.What, d.Until(w.s.Zone), d.Standing(w.s.Zone), d.SetBy()})
	}
	w.put(t)
	w.put(paper.Note{Text: WithoutDelay + "."})
}

// Until is the end of the clock as people read it.
func (d Deadline) Until(zone *time.Location) string {
	region := ""
	if d.Region != "" {
		region = " (" + d.Region + ")"
	}
	if d.LastDay != "" {
		return d.LastDay + region
	}
	return d.Due.In(zone).Format("2006-01-02 15:04 MST") + region
}

// Standing says in a word or two how the clock stands.
func (d Deadline) Standing(zone *time.Location) string {
	switch {
	case d.Kind == Keep:
		return "keep at least until then"
	case d.Kind == Limit:
		return "ends then"
	case !d.Done.IsZero() && d.Late:
		return "done late, " + d.Done.In(zone).Format(time.DateOnly)
	case !d.Done.IsZero():
		return "done " + d.Done.In(zone).Format(time.DateOnly)
	case d.Late:
		return "LATE"
	}
	return "runs"
}

// SetBy is the rule or the clause.
func (d Deadline) SetBy() string {
	if d.Sets == "contract" {
		return strings.TrimSuffix("contract "+d.Clause, ", ") + "; " + d.ID
	}
	if d.Sets == "policy" {
		return "policy"
	}
	return d.Citation.Text + " [" + string(d.Citation.Verified) + "]"
}

func (w *teller) after() {
	w.heading("What changed")
	if len(w.in.Corrections) == 0 {
		w.say("No corrective action was set.")
	}
	var done []string
	for _, c := range w.in.Corrections {
		text := c.What + ": " + w.name(c.Owner) + ", until " + w.day(c.DueAt)
		if c.DoneAt.IsZero() {
			text += ", not done"
		} else {
			text += ", done " + w.day(c.DoneAt)
		}
		done = append(done, text)
	}
	if len(done) > 0 {
		w.put(paper.List{Items: done})
	}
	for _, x := range w.in.Sanctions {
		w.say("Sanction on %s %s, %s: %s.", x.On.Noun, x.On.ID, w.day(x.At), x.What)
	}
	for _, key := range slices.Sorted(maps.Keys(w.in.Explained)) {
		w.say("Left open: %s. %s", key, w.in.Explained[key])
	}
	if w.in.Lessons != "" {
		w.heading("What was learned")
		w.say("%s", w.in.Lessons)
		w.say("Closed by %s on %s.", w.name(w.in.ClosedBy), w.day(w.in.ClosedAt))
	}
}
